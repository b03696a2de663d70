//! Clones that are there already: which remotes of theirs belong to repositories that have a key.
//!
//! A remote's URL stays where something reads it in the clone's configuration: git's rules send it
//! over SSH all the same.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::deploy_keys::Keys;
use super::routing::{InForce, RulesInForce};
use super::{Item, ProvisionContext, counted};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::git::url::{GitUrl, Repository, StoredUrl, Transport, redact};
use crate::git::{self, config::Malformed};
use crate::git_cli::Place;
use crate::git_cli::clones::{self, Allowance};
use crate::git_cli::config_error::{ConfigError, ErrorScope};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::trial::Trial;
use crate::home::Home;
use crate::process::Failure;
use crate::resource::entry::EntryId;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Bytes, Edit, Resource, Target, Undo, remote};
use crate::state::receipt::Desired;
use crate::state::subject::Subject;

const DEADLINE: Duration = Duration::from_secs(5);
/// Of all questions about all clones: git waits for a FIFO that a clone includes, and does not end.
const BUDGET: Duration = Duration::from_secs(10);

pub fn provision(
    context: &ProvisionContext,
    Keys { routed, dropped, .. }: &Keys,
    clones: Vec<Clone>,
    in_force: &RulesInForce,
) -> Vec<Item> {
    let mut restored = restored(context, dropped);
    let judged: Vec<_> = clones
        .into_iter()
        .map(|Clone { config, content, stored, back }| {
            if !back.is_empty() {
                restored.push(resource(config.clone(), Vec::new(), back));
            }
            let judged = content.and_then(|content| {
                judge(&content, routed, !stored.is_empty(), in_force)
                    .map_err(|malformed| ConfigError::in_file(&config, malformed.line))
            });
            (config, judged)
        })
        .collect();
    items(context.home, restored, judged)
}

/// The configuration of a clone, or what git has against it.
pub struct Clone {
    config: PathBuf,
    /// As it is, or, where URLs stay, as it was before an earlier apply.
    content: Result<Bytes, ConfigError>,
    /// The URLs of repositories with a key that stay, because something reads them.
    pub stored: Vec<StoredUrl>,
    /// What an earlier apply has written instead of some of them.
    back: Vec<remote::WrittenUrl>,
}

pub fn observe(
    context: &ProvisionContext,
    desired: &Desired,
    routed: &[Repository],
    notes: &mut Vec<String>,
) -> Vec<Clone> {
    if routed.is_empty() {
        return Vec::new();
    }
    let home = context.home;
    let search = clones::search(&desired.roots(home));
    let absent = desired.remotes_roots.iter().filter(|root| !root.is_dir());
    let absent: Vec<_> = absent.map(|root| format!("`{}`", home.shown(root))).collect();
    if !absent.is_empty() {
        notes.push(format!("PUSHREADY_REMOTES_ROOTS names {}: not a folder", absent.join(" and ")));
    }
    if !search.complete {
        notes.push(format!(
            "the search for clones stopped after {} s: the list is incomplete; PUSHREADY_REMOTES_ROOTS narrows it",
            clones::BUDGET.as_secs()
        ));
    }
    let git = AskedConditions::default();
    let mut unanswered = Vec::new();
    let mut found = Vec::new();
    let mut allowance = Allowance::default();
    let mut unread = Vec::new();
    for config in search.configs {
        if config.to_str().is_none() {
            let clone = home.shown(&config);
            notes.push(format!("the clone `{clone}` is ignored: its path is not UTF-8"));
            continue;
        }
        let content = match allowance.read(&config) {
            Ok(Some(content)) => Ok(content.bytes),
            Ok(None) => continue,
            Err(why) => {
                let Some(config_error) = ConfigError::blocking_at(home, &config) else {
                    unread.push((config, why));
                    continue;
                };
                Err(config_error)
            }
        };
        let (stored, back) = (Vec::new(), Vec::new());
        let mut clone = Clone { config, content, stored, back };
        if let Err(failure) = clone.keep_what_is_read(context, routed, &git) {
            unanswered.push((clone.config.clone(), failure));
        }
        found.push(clone);
    }
    if let Some((config, why)) = unread.first() {
        notes.push(format!(
            "the remotes of {} were not looked at, the first with `{}`: {why}",
            counted(unread.len(), "clone"),
            home.shown(config)
        ));
    }
    if let Some((config, why)) = unanswered.first() {
        notes.push(format!(
            "the remotes of {} stay as they are, the first with `{}`: git did not say what reads their URLs ({why})",
            counted(unanswered.len(), "clone"),
            home.shown(config)
        ));
    }
    found
}

/// What git was asked about the conditions of configurations, within one time.
#[derive(Default)]
struct AskedConditions {
    end: OnceCell<Instant>,
    has_conditions: OnceCell<bool>,
}

impl AskedConditions {
    /// What is left for one question.
    fn deadline(&self) -> Duration {
        let end = self.end.get_or_init(|| Instant::now() + BUDGET);
        end.saturating_duration_since(Instant::now()).min(DEADLINE)
    }

    /// Whether the configuration outside of clones has conditions.
    fn has_conditions(&self) -> Result<bool, Failure> {
        if let Some(known) = self.has_conditions.get() {
            return Ok(*known);
        }
        let output = EffectiveConfig::output(Place::Outside, self.deadline())?;
        let everywhere = EffectiveConfig::parse(output.stdout);
        let has_conditions = everywhere.under("includeif.").next().is_some();
        Ok(*self.has_conditions.get_or_init(|| has_conditions))
    }

    /// Whether git loses or gets a value when a clone's configuration is exchanged: a condition
    /// (`includeIf "hasconfig:remote.*.url:..."`) reads the URL as it is, or as it would be. Whose
    /// name and signature a commit has must not change by apply.
    fn is_read(&self, config: &Path, before: &[u8], after: &[u8]) -> Result<bool, Failure> {
        if !may_include(before) && !self.has_conditions()? {
            return Ok(false);
        }
        let Some(folder) = config.parent() else { return Ok(false) };
        let trial = Trial::new(folder)?;
        let Some(before) = trial.effective(before, self.deadline())? else { return Ok(false) };
        let after = trial.effective(after, self.deadline())?;
        Ok(after.is_none_or(|after| before.has_more_than(&after) || after.has_more_than(&before)))
    }
}

impl Clone {
    /// Finds out whether something reads the URLs, as they are before any apply. Where git does not
    /// say it, they stay as they are now.
    fn keep_what_is_read(
        &mut self,
        context: &ProvisionContext,
        routed: &[Repository],
        git: &AskedConditions,
    ) -> Result<(), Failure> {
        let Ok(now) = &self.content else { return Ok(()) };
        let entry = context.receipt.and_then(|it| it.entries.get(&EntryId::remotes(&self.config)));
        let written = match entry.map(|entry| &entry.undo) {
            Some(Undo::Remotes { urls }) => &**urls,
            _ => &[],
        };
        let Ok((before, _)) = remote::unset(now, written) else { return Ok(()) };
        let Ok(judged) = judge(&before, routed, false, &RulesInForce::default()) else {
            return Ok(());
        };
        if judged.exchanges.is_empty() {
            return Ok(());
        }
        let Ok((after, _)) = remote::set(&before, &judged.exchanges) else { return Ok(()) };
        if before == after {
            return Ok(());
        }
        let is_read =
            if leads_submodules(&modules(&self.config, &before), &judged.exchanges, routed) {
                Ok(true)
            } else {
                git.is_read(&self.config, &before, &after)
            };
        // without git nothing reads them
        if matches!(is_read, Ok(false) | Err(Failure::Missing)) {
            return Ok(());
        }
        let stored = judged.exchanges.into_iter().filter_map(|exchange| {
            let repository = keyed(&GitUrl::parse(&exchange.from).ok()?, routed)?.clone();
            Some(StoredUrl { repository, url: exchange.from })
        });
        self.stored = stored.collect();
        is_read?;
        if before != **now {
            let ours = |url: &&remote::WrittenUrl| routed.iter().any(|it| it.to_ssh() == url.wrote);
            self.back = written.iter().filter(ours).cloned().collect();
            self.content = Ok(before.into());
        }
        Ok(())
    }
}

/// The `.gitmodules` in the work tree of a clone or of a submodule.
fn modules(config: &Path, text: &[u8]) -> Vec<u8> {
    let Some(git_folder) = config.parent() else { return Vec::new() };
    let named = git::config::variables(text).into_iter().flatten();
    let named = named.filter(|it| it.section == "core" && it.key == "worktree");
    let named = named.filter_map(|it| it.value).last();
    let work_tree = git_folder.join(named.as_deref().unwrap_or(".."));
    let content = file::observe(&work_tree.join(".gitmodules"), Kind::Shared);
    content.ok().flatten().map(|content| content.bytes.to_vec()).unwrap_or_default()
}

/// Whether the URL of a submodule is relative to one that would be exchanged, and is of a repository
/// without a key: over HTTPS it may be public, over SSH nothing lets us in. Pure.
fn leads_submodules(modules: &[u8], exchanges: &[remote::Exchange], routed: &[Repository]) -> bool {
    let modules = git::config::variables(modules).into_iter().flatten();
    let urls: Vec<_> = modules
        .filter(|it| it.section == "submodule" && it.key == "url")
        .filter_map(|it| it.value)
        .collect();
    let has_key = |url: &str| GitUrl::parse(url).is_ok_and(|url| keyed(&url, routed).is_some());
    let fetched = exchanges.iter().filter(|exchange| exchange.key == "url");
    fetched
        .flat_map(|it| urls.iter().filter_map(|url| joined(&it.from, url)))
        .any(|url| !has_key(&url))
}

/// What git makes of the URL of a submodule that begins with `./` or `../` (submodule-config.c,
/// `relative_url`).
fn joined(base: &str, relative: &str) -> Option<String> {
    let (mut base, mut rest) = (base.trim_end_matches('/'), relative);
    loop {
        if let Some(below) = rest.strip_prefix("./") {
            rest = below;
        } else if let Some(above) = rest.strip_prefix("../") {
            (base, rest) = (base.rsplit_once('/')?.0, above);
        } else {
            break;
        }
    }
    (rest != relative).then(|| format!("{base}/{rest}"))
}

/// Whether a configuration names files that may have conditions, or has some itself.
fn may_include(config: &[u8]) -> bool {
    let text = String::from_utf8_lossy(config).to_lowercase();
    text.contains("[include") || text.contains("worktreeconfig")
}

/// What is to be said and done about one configuration; URLs are shown without their credentials.
#[derive(Debug, Default, PartialEq, Eq)]
struct JudgedRemotes {
    exchanges: Vec<remote::Exchange>,
    leaks: Vec<Leak>,
    /// URLs whose port is a part of the path.
    ports: Vec<String>,
    reversed: Option<Reversed>,
}

/// A URL with a credential in it, safe to print.
#[derive(Debug, PartialEq, Eq)]
struct Leak {
    url: String,
    /// It goes with the exchange.
    removed: bool,
}

/// A remote of a keyed repository that a rule of the clone's own keeps from SSH, and where it
/// leads; safe to print.
#[derive(Debug, PartialEq, Eq)]
struct Reversed {
    from: String,
    to: String,
}

/// Which URLs of one configuration are to be exchanged, unless they stay, and which are at fault.
/// Pure.
fn judge(
    config: &[u8],
    routed: &[Repository],
    stay: bool,
    in_force: &RulesInForce,
) -> Result<JudgedRemotes, Malformed> {
    let mut judged = JudgedRemotes::default();
    for variable in remote::urls(config)? {
        let (Some(name), Some(value)) = (variable.subsection, variable.value) else { continue };
        let Ok(url) = GitUrl::parse(&value) else { continue };
        if url.port_in_path().is_some() {
            judged.ports.push(url.to_string());
        }
        let over_the_web =
            matches!(url.transport(), Transport::Https | Transport::Http | Transport::Git);
        let exchanged = keyed(&url, routed).filter(|_| over_the_web && !stay);
        if url.has_credential() {
            judged.leaks.push(Leak { url: url.to_string(), removed: exchanged.is_some() });
        }
        if let Some(repository) = exchanged {
            judged.exchanges.push(remote::Exchange {
                remote: name,
                key: variable.key,
                to: repository.to_ssh(),
                without_credential: url
                    .has_credential()
                    .then(|| url.without_credential().to_owned()),
                from: value,
            });
        }
    }
    judged.reversed = reversed(config, routed, stay, in_force)?;
    Ok(judged)
}

/// The repository with a key that a URL names.
fn keyed<'a>(url: &GitUrl, routed: &'a [Repository]) -> Option<&'a Repository> {
    let named = url.repository()?;
    routed.iter().find(|known| known.same_as(named))
}

/// The first remote that a rule of the clone's own keeps from SSH.
fn reversed(
    config: &[u8],
    routed: &[Repository],
    stay: bool,
    in_force: &RulesInForce,
) -> Result<Option<Reversed>, Malformed> {
    let of_clone = InForce::of(config);
    if of_clone.is_empty() {
        return Ok(None);
    }
    let mut urls = remote::urls(config)?;
    Ok(urls.find_map(|variable| {
        let url = GitUrl::parse(&variable.value?).ok()?;
        let repository = keyed(&url, routed)?;
        let remote = if url.transport().is_ssh() || stay {
            url.without_credential().to_owned()
        } else {
            repository.to_ssh()
        };
        let pushed = in_force.get().pushed(&of_clone, &remote, variable.key == "pushurl");
        let over_ssh = GitUrl::parse(&pushed).is_ok_and(|url| url.transport().is_ssh());
        (!over_ssh).then(|| Reversed { from: redact(&remote), to: redact(&pushed) })
    }))
}

/// The items of all clones: one a kind of finding, and one a clone in which git does not work.
fn items(
    home: &Home,
    restored: Vec<Resource>,
    clones: Vec<(PathBuf, Result<JudgedRemotes, ConfigError>)>,
) -> Vec<Item> {
    let found = clones.len();
    let mut resources = restored;
    let restores = !resources.is_empty();
    let mut switched = 0;
    let (mut broken, mut leaks, mut ports, mut reversed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (config, judged) in clones {
        let judged = match judged {
            Ok(judged) => judged,
            Err(config_error) => {
                broken.push(broken_clone(home, &config, &config_error));
                continue;
            }
        };
        leaks.extend(judged.leaks.into_iter().map(|leak| (config.clone(), leak)));
        ports.extend(judged.ports.into_iter().map(|url| (config.clone(), url)));
        reversed.extend(judged.reversed.map(|reversed| (config.clone(), reversed)));
        if !judged.exchanges.is_empty() {
            switched += judged.exchanges.len();
            resources.push(resource(config, judged.exchanges, Vec::new()));
        }
    }
    let mut items = Vec::new();
    if !resources.is_empty() {
        let (mut done, mut planned) = (Vec::new(), Vec::new());
        if switched > 0 {
            let (remotes, clones) = (counted(switched, "remote"), counted(found, "clone"));
            done.push(format!("switched {remotes} to SSH ({clones})"));
            planned.push(format!("would switch {remotes} to SSH ({clones})"));
        }
        if restores {
            done.push("restored remotes as they were".to_owned());
            planned.push("would restore remotes as they were".to_owned());
        }
        let item = Item::ready(Subject::Remotes, done.join("; "), resources);
        items.push(item.planned(planned.join("; ")));
    }
    items.extend(broken);
    items.extend(leaking(home, &leaks));
    items.extend(turned_back(home, &reversed));
    items.extend(ports_in_path(home, &ports));
    items
}

/// In this clone no git command works, and nothing can be said of its remotes.
fn broken_clone(home: &Home, config: &Path, config_error: &ConfigError) -> Item {
    let git = config.parent().unwrap_or(config);
    // as people know it
    let clone = git.parent().filter(|_| git.ends_with(".git")).unwrap_or(git);
    Item::fail(Subject::Clone(home.shown(clone)), config_error.finding(home, ErrorScope::Clone))
}

/// What to report of the credentials in remotes.
fn leaking(home: &Home, leaks: &[(PathBuf, Leak)]) -> Option<Item> {
    let (config, Leak { url, removed }) = leaks.first()?;
    let (was, then) = if *removed {
        ("was", "")
    } else {
        ("is", ", then remove it (`git remote set-url NAME URL`)")
    };
    let more =
        if leaks.len() > 1 { format!(" and {} more", leaks.len() - 1) } else { String::new() };
    let finding = Finding::new(
        Code::LeakRemoteUrl,
        format!("a credential {was} in the remote `{url}` of `{}`{more}", home.shown(config)),
        format!(
            "revoke that token{then}: every program that read the clone's configuration has seen it"
        ),
    );
    Some(Item::warn(Subject::Remotes, finding, Vec::new()))
}

fn turned_back(home: &Home, reversed: &[(PathBuf, Reversed)]) -> Option<Item> {
    let (config, Reversed { from, to }) = reversed.first()?;
    let more = match reversed.len() - 1 {
        0 => String::new(),
        more => format!(" and in {more} more"),
    };
    let config = home.shown(config);
    let finding = Finding::new(
        Code::RemoteReversed,
        format!("a rule in `{config}`{more} rewrites `{from}` to `{to}` for pushes"),
        "remove it; `git config --local --get-regexp '^url'` in the clone shows it",
    );
    Some(Item::fail(Subject::Remotes, finding))
}

fn ports_in_path(home: &Home, ports: &[(PathBuf, String)]) -> Option<Item> {
    let (config, url) = ports.first()?;
    let config = home.shown(config);
    let finding = Finding::new(
        Code::RemotePortInPath,
        format!("git reads the port in the remote `{url}` of `{config}` as a part of the path"),
        "write it as `ssh://git@host:port/owner/repo.git`",
    );
    Some(Item::warn(Subject::Remotes, finding, Vec::new()))
}

/// The remotes of repositories that have lost their key, as they were before.
fn restored(context: &ProvisionContext, dropped: &[Repository]) -> Vec<Resource> {
    let entries = context.receipt.into_iter().flat_map(|receipt| receipt.entries.values());
    let targets: Vec<String> = dropped.iter().map(Repository::to_ssh).collect();
    entries
        .filter_map(|entry| match &entry.undo {
            Undo::Remotes { urls } => {
                let back: Vec<_> =
                    urls.iter().filter(|url| targets.contains(&url.wrote)).cloned().collect();
                (!back.is_empty()).then(|| resource(entry.target.path.clone(), Vec::new(), back))
            }
            _ => None,
        })
        .collect()
}

fn resource(
    config: PathBuf,
    exchanges: Vec<remote::Exchange>,
    back: Vec<remote::WrittenUrl>,
) -> Resource {
    let id = EntryId::remotes(&config);
    let target = Target {
        path: config,
        kind: Kind::Shared,
        lock: Lock::Git,
        malformed: Code::RemoteStillHttps,
    };
    Resource::recorded(id, target, Edit::Remotes { exchanges, back })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> JudgedRemotes {
        let routed = ["o/app", "ssh://git@git.corp:2222/o/lib"];
        let routed = routed.map(|name| Repository::parse_declared(name).unwrap());
        judge(text.as_bytes(), &routed, false, &RulesInForce::default()).unwrap()
    }

    #[test]
    fn remotes_of_keyed_repositories_over_the_web_are_switched() {
        const APP: Option<&str> = Some("git@github.com:o/app.git");
        const LIB: Option<&str> = Some("ssh://git@git.corp:2222/o/lib.git");
        for (url, to) in [
            ("https://github.com/o/app", APP),
            ("https://GitHub.com/O/App.git/", APP),
            ("http://github.com/o/app.git", APP),
            ("git://github.com/o/app.git", APP),
            ("https://git.corp/o/lib.git", LIB),
            // over SSH already, whatever its form
            ("git@github.com:o/app.git", None),
            ("ssh://git@ssh.github.com:443/o/app.git", None),
            // without a key
            ("https://github.com/o/app-two", None),
            ("https://github.com/o/app/wiki", None),
            ("https://gitlab.com/o/app", None),
            ("/srv/o/app", None),
        ] {
            let judged = judged(&format!("[remote \"origin\"]\n\turl = {url}\n"));
            let exchanges = judged.exchanges.iter();
            let written = exchanges.map(|exchange| (&*exchange.from, &*exchange.to));
            assert_eq!(written.collect::<Vec<_>>(), to.map(|to| (url, to)).as_slice(), "{url}");
            assert!(judged.leaks.is_empty() && judged.ports.is_empty(), "{judged:?}");
            assert_eq!(judged.reversed, None, "{url}");
        }
    }

    #[test]
    fn a_submodule_by_a_relative_url_needs_a_key_to_be_led_over_ssh() {
        let routed = ["o/app", "o/lib"].map(|name| Repository::parse_declared(name).unwrap());
        for (url, expected) in [
            ("../public.git", true),
            ("./../public", true),
            ("../../else/lib.git", true),
            ("../lib.git", false),
            ("../../o/lib", false),
            ("https://github.com/o/public", false),
            ("git@github.com:o/public.git", false),
        ] {
            for stored in ["https://github.com/o/app", "https://github.com/o/app.git/"] {
                let config = format!("[remote \"origin\"]\n\turl = {stored}\n");
                let exchanges = judged(&config).exchanges;
                let modules = format!("[submodule \"x\"]\n\tpath = x\n\turl = {url}\n");
                let leads = leads_submodules(modules.as_bytes(), &exchanges, &routed);
                assert_eq!(leads, expected, "{stored} {url}");
            }
        }
    }

    #[test]
    fn a_credential_is_reported_and_is_in_no_text() {
        let secret = "s".repeat(20);
        for (repository, removed) in [("o/app", true), ("o/other", false)] {
            let url = format!("https://u:{secret}@github.com/{repository}.git");
            let judged = judged(&format!("[remote \"origin\"]\n\tpushurl = {url}\n"));
            let [leak] = &judged.leaks[..] else { panic!("{judged:?}") };
            assert_eq!(leak.removed, removed);
            assert!(!leak.url.contains(&secret), "{}", leak.url);
            assert_eq!(judged.exchanges.len(), usize::from(removed));
            for exchange in &judged.exchanges {
                let without = format!("https://github.com/{repository}.git");
                assert_eq!(exchange.without_credential.as_ref(), Some(&without));
                assert_eq!(exchange.key, "pushurl");
            }
        }
    }

    #[test]
    fn a_port_in_the_path_is_reported() {
        let judged = judged("[remote \"origin\"]\n\turl = git@git.corp:2222/o/lib.git\n");
        assert_eq!(judged.ports, ["git@git.corp:2222/o/lib.git"]);
        assert!(judged.exchanges.is_empty(), "{judged:?}");
    }

    #[test]
    fn a_rule_of_the_clone_that_keeps_a_remote_from_ssh_is_reported() {
        let ssh = "git@github.com:o/app.git";
        for (rule, remote, to) in [
            ("insteadOf", "https://github.com/o/app", Some("https://github.com/o/app.git")),
            ("insteadOf", ssh, Some("https://github.com/o/app.git")),
            ("pushInsteadOf", ssh, Some("https://github.com/o/app.git")),
            ("insteadOf", "git@github.com:o/other.git", None),
        ] {
            let rule = format!("[url \"https://github.com/\"]\n\t{rule} = git@github.com:\n");
            let judged = judged(&format!("{rule}[remote \"origin\"]\n\turl = {remote}\n"));
            let reversed = judged.reversed.map(|reversed| (reversed.from, reversed.to));
            assert_eq!(reversed, to.map(|to| (ssh.to_owned(), to.to_owned())), "{remote}");
        }
    }

    #[test]
    fn a_configuration_that_does_not_parse_names_its_line() {
        let malformed =
            judge(b"[core]\n\tbare = false\n[remote \"x\n", &[], false, &RulesInForce::default());
        assert_eq!(malformed.unwrap_err().line, 3);
    }
}
