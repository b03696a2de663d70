//! Our git configuration: the URL rules of keyed repositories, compared with those that are in
//! force without ours.

use std::cell::{Cell, LazyCell, OnceCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::HEADER;
use super::ssh::Method;
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::git::config;
use crate::git::url::{
    Covered, Direction, LFS, Repository, Route, StoredUrl, Unruled, UrlRule, instead_of_rules,
    rewrite, unruled,
};
use crate::git_cli::Place;
use crate::git_cli::config_error::{ConfigError, ErrorScope};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::home::Home;
use crate::process::{Completed, Failure, Running};
use crate::proof::{GitInputs, GitProof};
use crate::provision::Item;
use crate::resource::file;
use crate::state::git_identity::GitIdentity;
use crate::state::subject::Subject;

const DEADLINE: Duration = Duration::from_secs(5);

pub struct GitRules<'a> {
    /// The whole file.
    pub config: String,
    pub notes: Vec<String>,
    /// Whether there is nothing to report but what the number of keys leads to.
    is_plain: bool,
    /// Remotes that a rule of the user keeps from SSH.
    pub reversed: Option<Item>,
    /// git refuses its configuration.
    pub unreadable: Option<Item>,
    pub in_force: RulesInForce<'a>,
    /// git reads the file that our rules are in.
    pub reads_ours: bool,
    /// Of the identity for commits.
    pub written: WrittenIdentity,
}

/// git's rules when all is in place, worked out once somebody needs them.
pub struct RulesInForce<'a>(LazyCell<InForce, Box<dyn FnOnce() -> InForce + 'a>>);

impl<'a> RulesInForce<'a> {
    fn later(find: impl FnOnce() -> InForce + 'a) -> Self {
        Self(LazyCell::new(Box::new(find)))
    }

    pub fn get(&self) -> &InForce {
        &self.0
    }
}

impl From<InForce> for RulesInForce<'_> {
    fn from(rules: InForce) -> Self {
        Self::later(|| rules)
    }
}

impl Default for RulesInForce<'_> {
    fn default() -> Self {
        InForce::default().into()
    }
}

/// Which parts of the identity for commits our file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenIdentity {
    pub name: bool,
    pub email: bool,
}

impl WrittenIdentity {
    pub fn any(self) -> bool {
        self.name || self.email
    }

    /// What [`write_identity`] has written into our file. Pure.
    fn read(config: &str) -> Self {
        let section = config.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix("[user]\n"));
        let lines = section.into_iter().flat_map(str::lines);
        let names = lines.map_while(|line| line.strip_prefix('\t')?.split_once(" = "));
        names.fold(Self::default(), |found, (key, _)| Self {
            name: found.name || key == "name",
            email: found.email || key == "email",
        })
    }
}

/// Rules of git's configuration outside any clone.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    pub both: Vec<UrlRule>,
    /// Of `pushInsteadOf`.
    pub push: Vec<UrlRule>,
    /// The URLs for which there are credentials over HTTPS.
    credentials: Vec<String>,
    /// Whether git has a name and an address for commits; not known: as if it had.
    has_name: bool,
    has_email: bool,
}

/// What git is asked about its configuration outside of any clone, once somebody needs it: what it is,
/// and where it has a value that git could reject, whether it does. git reads all of our rules for each
/// question.
pub struct AskedGit<'a> {
    home: &'a Home,
    running: Cell<Option<Result<Running, Failure>>>,
    listed: OnceCell<ListedConfig>,
    error: OnceCell<Option<ConfigError>>,
}

struct ListedConfig {
    /// What git prints instead of a list.
    failed: Option<ConfigError>,
    /// The configuration, or what git reports instead.
    config: Result<Result<EffectiveConfig, String>, Failure>,
}

impl<'a> AskedGit<'a> {
    pub fn new(home: &'a Home) -> Self {
        let (running, listed, error) = (Cell::default(), OnceCell::new(), OnceCell::new());
        Self { home, running, listed, error }
    }

    /// git answers while something else is done.
    pub fn start(&self) {
        let running = match ConfigError::blocking(self.home) {
            Some(error) => {
                let _ = self.error.set(Some(error));
                // git would not end
                Err(Failure::Deadline)
            }
            None => EffectiveConfig::start(Place::Outside, DEADLINE),
        };
        self.running.set(Some(running));
    }

    fn listed(&self) -> &ListedConfig {
        self.listed.get_or_init(|| {
            let running = self.running.take().or_else(|| {
                self.start();
                self.running.take()
            });
            let listed = running.unwrap_or(Err(Failure::Missing)).and_then(Running::end);
            ListedConfig::of(self.home, listed)
        })
    }

    /// The configuration, where git lists it.
    pub fn config(&self) -> Option<&EffectiveConfig> {
        self.listed().config.as_ref().ok()?.as_ref().ok()
    }

    /// What git has against its configuration.
    fn error(&self) -> Option<&ConfigError> {
        let listed = self.listed();
        let judge = || match &listed.config {
            Ok(Ok(config)) if is_accepted(config) => None,
            Ok(_) => {
                let answer = ConfigError::start(DEADLINE).and_then(Running::end);
                ConfigError::judge(self.home, &answer)
            }
            Err(_) => listed.failed.clone(),
        };
        self.error.get_or_init(judge).as_ref()
    }

    /// Whether git, as it is configured now, accepts that and changes nothing in the URLs of these
    /// repositories.
    pub fn keeps(&self, routed: &[Repository]) -> bool {
        let Some(config) = self.config().filter(|_| self.error().is_none()) else { return false };
        let rules = config.url_rules("insteadof", None);
        routed.iter().map(Repository::to_ssh).all(|url| rewrite(&rules, &url) == url)
    }
}

impl ListedConfig {
    fn of(home: &Home, listed: Completed) -> Self {
        let failed = listed.is_err().then(|| ConfigError::judge(home, &listed)).flatten();
        let config = listed.map(|output| {
            if output.status.success() {
                Ok(EffectiveConfig::parse(output.stdout))
            } else {
                Err(output.first_error())
            }
        });
        Self { failed, config }
    }
}

/// Keys that git takes with any text as their value (config.c, `git_default_config`), among them
/// those that `git_cli` sets for each question.
const ACCEPTED: &[&str] = &[
    "core.fsmonitor",
    "core.hookspath",
    "credential.",
    "filter.",
    "include.path",
    "init.defaultbranch",
    "lfs.",
    "protocol.ext.allow",
    "safe.directory",
    "url.",
    "user.email",
    "user.name",
];

/// Whether git, which has listed its configuration, accepts each value of it. Pure.
fn is_accepted(config: &EffectiveConfig) -> bool {
    config.under("").all(|value| {
        let is_it = |known: &&str| {
            value.key == *known || known.ends_with('.') && value.key.starts_with(*known)
        };
        value.value.is_some() && ACCEPTED.iter().any(is_it)
    })
}

/// The rules for these repositories.
pub fn rules<'a>(
    home: &Home,
    git: &AskedGit,
    routed: &[Repository],
    stored: &[StoredUrl],
    method: &Method,
    identity: &GitIdentity,
) -> GitRules<'a> {
    let mut notes = Vec::new();
    let error = git.error();
    let blocking = error.is_some_and(ConfigError::is_blocking);
    let unreadable =
        error.map(|error| Item::fail(Subject::Git, error.finding(home, ErrorScope::Everywhere)));
    if blocking {
        let config = HEADER.to_owned();
        return GitRules {
            config,
            notes,
            is_plain: false,
            reversed: None,
            unreadable,
            in_force: RulesInForce::default(),
            reads_ours: false,
            written: WrittenIdentity::default(),
        };
    }
    // the file that ours go into
    let user = match &git.listed().config {
        Ok(Ok(config)) => user_rules(config, &own(home)),
        Ok(Err(message)) => {
            if unreadable.is_none() {
                notes.push(format!("git did not report which insteadOf rules apply: {message}"));
            }
            InForce::unknown()
        }
        Err(Failure::Missing) => {
            notes.push(
                "git is not on PATH: URL rules are written, but could not be compared with its own"
                    .to_owned(),
            );
            InForce::unknown()
        }
        Err(failure) => {
            notes.push(format!("git did not report which insteadOf rules apply: {failure}"));
            InForce::unknown()
        }
    };
    // a file that git reads before ours, with an identity for some folders
    let is_conditional =
        |path: &PathBuf| *path != home.git_config && has_condition(&file::text(path));
    let user = match home.git_reads.iter().find(|path| is_conditional(path)) {
        Some(path) if !(identity.is_empty() || user.has_name && user.has_email) => {
            notes.push(format!(
                "`{}` includes files by a condition, which may name who commits: PUSHREADY_GIT_NAME and \
                 PUSHREADY_GIT_EMAIL were not written",
                home.shown(path)
            ));
            InForce { has_name: true, has_email: true, ..user }
        }
        _ => user,
    };
    let route = if matches!(method, Method::MatchExec) { Route::Canonical } else { Route::Alias };
    let mut both = instead_of_rules(routed, stored, &user.both, route, Direction::Both);
    let push = instead_of_rules(routed, stored, &user.push, route, Direction::Push);
    for rule in &mut both.to_write {
        if user.has_credential_for_lfs(&rule.prefix) {
            rule.base.clone_from(&rule.prefix);
        }
    }
    let (reversed, covered): (Vec<_>, Vec<_>) =
        both.covered.iter().chain(&push.covered).partition(|covered| covered.reversed);
    if let Some(rule) = user_rule(&covered) {
        notes.push(format!("{rule}: pushready writes no rule for it"));
    }
    let is_silent = notes.is_empty();
    notes.extend(notes_on(&both.unruled));
    let reversed = user_rule(&reversed).map(|rule| {
        let finding = Finding::new(
            Code::RemoteReversed,
            format!("{rule}, and no rule of pushready can override it"),
            HINT,
        );
        Item::warn(Subject::Routing, finding, Vec::new())
    });
    let mut config = HEADER.to_owned();
    let written = write_identity(&mut config, identity, &user);
    for (key, rules) in [("insteadOf", &both.to_write), ("pushInsteadOf", &push.to_write)] {
        let mut base = None;
        for UrlRule { base: to, prefix } in rules {
            if base != Some(to) {
                let _ =
                    writeln!(config, "[url \"{}\"]", to.replace('\\', "\\\\").replace('"', "\\\""));
                base = Some(to);
            }
            let _ = writeln!(config, "\t{key} = {}", config::quoted(prefix));
        }
    }
    let in_force = InForce {
        both: [both.to_write, user.both].concat(),
        push: [push.to_write, user.push].concat(),
        ..user
    };
    GitRules {
        config,
        notes,
        is_plain: is_silent && reversed.is_none() && unreadable.is_none(),
        reversed,
        unreadable,
        in_force: in_force.into(),
        reads_ours: git.config().is_some_and(|it| it.has_from(&own(home))),
        written,
    }
}

/// The same where they are known to be those that are there, and were [plain](GitRules::is_plain).
pub fn known_rules<'a>(
    home: &'a Home,
    git: AskedGit<'a>,
    routed: &'a [Repository],
    stored: &'a [StoredUrl],
    identity: GitIdentity,
) -> GitRules<'a> {
    let config = file::text(&home.state.join("gitconfig"));
    GitRules {
        notes: notes_on(&unruled(routed, Route::Canonical)).collect(),
        is_plain: true,
        reversed: None,
        unreadable: None,
        in_force: RulesInForce::later(move || {
            let rules = rules(home, &git, routed, stored, &Method::MatchExec, &identity);
            rules.in_force.get().clone()
        }),
        reads_ours: config != HEADER,
        written: WrittenIdentity::read(&config),
        config,
    }
}

/// All from which the rules are made, beside git's configuration. Pure.
pub fn question(routed: &[Repository], stored: &[StoredUrl], identity: &GitIdentity) -> Vec<u8> {
    let stored: Vec<_> = stored.iter().map(|it| (it.repository.to_ssh(), &it.url)).collect();
    let routed: Vec<_> = routed.iter().map(Repository::to_ssh).collect();
    serde_json::to_vec(&(routed, stored, identity)).unwrap_or_default()
}

/// What there is to remember of the rules of one run, where nothing of it was reported: no run has to
/// ask git, or to make them again, while git and the question are the same.
#[derive(Debug)]
pub struct GitAnswer {
    question: Vec<u8>,
    /// The rules that are there are these, and git reads them.
    is_there: bool,
    /// The configuration that is not ours. `None`: git was not asked, for an earlier run has proven
    /// both these rules and that ssh chooses the right key.
    elsewhere: Option<String>,
}

impl GitAnswer {
    /// Of the rules that are there.
    pub fn known(question: Vec<u8>) -> Self {
        Self { question, is_there: true, elsewhere: None }
    }

    pub fn of(
        question: Vec<u8>,
        rules: &GitRules,
        git: &AskedGit,
        inputs: Option<&GitInputs>,
        routed: &[Repository],
    ) -> Option<Self> {
        let config = git.config().filter(|_| rules.is_plain)?;
        let is_there = (rules.reads_ours || rules.config == HEADER)
            && inputs.is_some_and(|it| it.have_all(config.origins()))
            && git.keeps(routed);
        let elsewhere = Some(config.without(&own(git.home)));
        Some(Self { question, is_there, elsewhere })
    }

    /// The proof that an earlier run has of it, where git was not asked for that reason.
    pub fn known_proof(&self, inputs: &GitInputs) -> Option<GitProof> {
        self.elsewhere.is_none().then(|| inputs.proof(&self.question))
    }

    /// `planned`, `now`: on what git depends when the rules were made, and by now. `asked`: git, as it
    /// is now, where it was asked again.
    pub fn proof(
        &self,
        planned: Option<&GitInputs>,
        now: &GitInputs,
        asked: Option<&AskedGit>,
        routed: &[Repository],
    ) -> Option<GitProof> {
        let is_as_planned = self.is_there && planned == Some(now);
        let is_as_wanted = || {
            let git = asked?;
            let (config, own) = (git.config()?, own(git.home));
            // of a file without a value git lists nothing
            let has_none = || file::text(Path::new(&own)) == HEADER;
            let is_same = self.elsewhere.as_ref() == Some(&config.without(&own))
                && (config.has_from(&own) || has_none())
                && now.have_all(config.origins())
                && git.keeps(routed);
            is_same.then_some(())
        };
        (is_as_planned || is_as_wanted().is_some()).then(|| now.proof(&self.question))
    }
}

/// The file that our rules are in, as git prints it.
fn own(home: &Home) -> String {
    home.state.join("gitconfig").to_string_lossy().into_owned()
}

fn notes_on(unruled: &BTreeMap<String, Unruled>) -> impl Iterator<Item = String> {
    unruled.iter().map(|(host, unruled)| match unruled {
        Unruled::Bare => {
            format!("{host} has many keys: `https://{host}/OWNER/REPO.git` goes over SSH, without `.git` it stays on HTTPS")
        }
        Unruled::All => format!(
            "{host} has too many keys for URL rules, which every git command reads: clone by `git@{host}:OWNER/REPO.git`; \
             remotes of clones are switched to SSH"
        ),
    })
}

/// Pure.
fn has_condition(config: &str) -> bool {
    let mut sections = config.lines().map(|line| line.trim_start().to_ascii_lowercase());
    sections.any(|line| line.starts_with("[includeif"))
}

/// What of it git has from nowhere else.
fn write_identity(text: &mut String, identity: &GitIdentity, user: &InForce) -> WrittenIdentity {
    let GitIdentity { name, email } = identity;
    let name = name.as_ref().filter(|_| !user.has_name);
    let email = email.as_ref().filter(|_| !user.has_email);
    let written = WrittenIdentity { name: name.is_some(), email: email.is_some() };
    if written.any() {
        text.push_str("[user]\n");
    }
    for (key, value) in [("name", name), ("email", email)] {
        if let Some(value) = value {
            let _ = writeln!(text, "\t{key} = {}", config::quoted(value));
        }
    }
    written
}

impl InForce {
    fn unknown() -> Self {
        Self { has_name: true, has_email: true, ..Self::default() }
    }

    /// What git makes of a remote's URL when it pushes, in a clone that has rules of its own.
    /// `pushInsteadOf` does not apply to a `pushurl`.
    pub fn pushed(&self, of_clone: &Self, url: &str, is_pushurl: bool) -> String {
        let rewritten = |own: &[UrlRule], clones: &[UrlRule]| rewrite(&[own, clones].concat(), url);
        let push = rewritten(&self.push, &of_clone.push);
        if is_pushurl || push == url { rewritten(&self.both, &of_clone.both) } else { push }
    }

    /// The rules in one configuration file.
    pub fn of(config: &[u8]) -> Self {
        let mut rules = Self::default();
        for variable in config::variables(config).into_iter().flatten() {
            let (Some(base), Some(prefix), "url") =
                (variable.subsection, variable.value, &*variable.section)
            else {
                continue;
            };
            rules.add(&variable.key, base, prefix);
        }
        rules
    }

    fn add(&mut self, key: &str, base: String, prefix: String) {
        match key {
            "insteadof" => self.both.push(UrlRule { base, prefix }),
            "pushinsteadof" => self.push.push(UrlRule { base, prefix }),
            _ => {}
        }
    }

    /// Whether this is an LFS endpoint that has a credential of its own, which is to be used then. One
    /// for the whole host was not made for it.
    fn has_credential_for_lfs(&self, url: &str) -> bool {
        let Some(repository) = url.strip_suffix(LFS) else { return false };
        let repository = repository.strip_suffix(".git").unwrap_or(repository);
        self.credentials.iter().any(|known| {
            let rest = known.strip_prefix(repository);
            let rest = rest.map(|rest| rest.strip_prefix(".git").unwrap_or(rest));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.both.is_empty() && self.push.is_empty()
    }
}

const HINT: &str = "remove it; `git config --show-origin --get-regexp '^url'` names its file";

/// One line for all of them: a host-wide rule covers every key on the host.
fn user_rule(covered: &[&Covered]) -> Option<String> {
    let Covered { prefix, effective, .. } = covered.first()?;
    let more = match covered.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!("an insteadOf rule of yours rewrites `{prefix}` to `{effective}`{more}"))
}

fn credentials(config: &EffectiveConfig) -> Vec<String> {
    let of = |section, names: &'static [&str]| {
        config.under(section).filter_map(move |value| {
            let (url, name) = value.key.strip_prefix(section)?.rsplit_once('.')?;
            names.contains(&name).then(|| url.to_owned())
        })
    };
    of("credential.", &["helper", "username"])
        .chain(of("http.", &["extraheader", "cookiefile", "sslcert"]))
        .chain(of("lfs.", &["access"]))
        .collect()
}

/// The rules that are in force without ours, as the agent's git sees them outside any repository.
fn user_rules(config: &EffectiveConfig, own: &str) -> InForce {
    InForce {
        both: config.url_rules("insteadof", Some(own)),
        push: config.url_rules("pushinsteadof", Some(own)),
        credentials: credentials(config),
        has_name: config.has_from_elsewhere("user.name", own),
        has_email: config.has_from_elsewhere("user.email", own),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// Asked of the installed git.
    #[test]
    fn git_accepts_each_value_about_which_it_is_not_asked() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".gitconfig");
        for (config, is_listed_alone) in [
            ("[user]\n\tname = A\n\temail = a@b\n", true),
            ("[url \"a\"]\n\tinsteadOf = maybe\n\tpushInsteadOf = maybe\n", true),
            ("[credential]\n\thelper = maybe\n[credential \"x\"]\n\tuseHttpPath = maybe\n", true),
            ("[filter \"lfs\"]\n\trequired = maybe\n\tclean = maybe\n[lfs]\n\tx = maybe\n", true),
            ("[init]\n\tdefaultBranch = maybe\n[safe]\n\tdirectory = maybe\n", true),
            ("[include]\n\tpath = maybe\n", true),
            (
                "[core]\n\tfsmonitor = maybe\n\thooksPath = maybe\n[protocol \"ext\"]\n\tallow = x\n",
                true,
            ),
            ("[user]\n\tname\n", false),
            ("[user]\n\tuseConfigOnly = maybe\n", false),
            ("[core]\n\tcompression = maybe\n", false),
            ("[push]\n\tdefault = maybe\n", false),
            ("[branch]\n\tautoSetupRebase = maybe\n", false),
        ] {
            fs::write(&file, config).unwrap();
            let ask = |arguments: &[&str]| {
                let mut git = Command::new("git");
                git.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
                git.env("HOME", home.path()).env("GIT_CONFIG_NOSYSTEM", "1");
                git.env("GIT_AUTHOR_NAME", "A").env("GIT_AUTHOR_EMAIL", "a@b");
                git.args(arguments).current_dir(home.path()).output().unwrap()
            };
            let listed = ask(&["config", "--null", "--show-scope", "--show-origin", "--list"]);
            assert!(listed.status.success(), "{config}");
            let listed = EffectiveConfig::parse(String::from_utf8(listed.stdout).unwrap());
            assert_eq!(is_accepted(&listed), is_listed_alone, "{config}");
            let accepts = ask(&["var", "GIT_AUTHOR_IDENT"]).status.success();
            assert_eq!(accepts, is_listed_alone, "{config}");
        }
    }
}
