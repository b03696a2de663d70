//! The clones of the workspace, looked for once: all that are found, and those in view, which is
//! the one around the current folder, or with `--all` every one.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use super::pool;
use crate::git::config;
use crate::git::url::{GitUrl, Repository};
use crate::git_cli::clones::{self, Allowance, Search};
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::git_cli::plain_clone::OutsideRules;
use crate::git_cli::remotes::EffectiveRemote;
use crate::git_cli::{self, Place, remotes};
use crate::process::{self, Completed, Failure, Output};
use crate::resource::remote;

pub struct Clones {
    roots: Vec<PathBuf>,
    folder: Option<PathBuf>,
    /// What GIT_DIR names.
    git_dir: Option<PathBuf>,
    all: bool,
    /// `None`: of each clone there may be something to report.
    kept: Option<KeptRemotes>,
    /// When the whole run must have ended.
    end: Instant,
    found: OnceLock<Search>,
    in_view: OnceLock<Viewed>,
    /// git was asked in all of those.
    listed: OnceLock<()>,
}

/// Of which plain clones the remotes are kept: a home may have thousands of others.
struct KeptRemotes {
    repositories: Vec<Repository>,
    /// How many URLs of other repositories are asked about.
    others: usize,
}

struct Viewed {
    clones: Vec<InView>,
    /// How many URLs of plain clones are not asked about, and were not kept.
    left_out: usize,
}

/// The URLs of other repositories in plain clones.
struct OtherUrls {
    /// How many of them are asked about.
    most: usize,
    /// Those that are.
    kept: BTreeSet<String>,
    /// Hashes of those that are not.
    left_out: BTreeSet<u64>,
}

/// A clone as its own configuration has it: before any rule of git's, and without what it includes.
pub struct InView {
    /// Where git is asked about it.
    pub folder: PathBuf,
    /// Its own configuration file.
    pub file: PathBuf,
    /// It contains the current folder.
    pub is_current: bool,
    pub urls: Box<[RemoteUrl]>,
    /// Why its own configuration was not read, and git is not asked about it.
    unread: Option<Box<str>>,
    /// Its remotes were read without git.
    is_plain: bool,
    end: Instant,
    left: Arc<AnswersLeft>,
    // boxed, because a home may have thousands of clones about which git is not asked
    config: OnceLock<Box<Result<EffectiveConfig, Failure>>>,
    /// Of a plain clone of which the remotes are not kept it is not there.
    listed: OnceLock<Box<RemoteListing>>,
    /// The remote of a plain `git push`, where that is one of several: git is asked once.
    target: OnceLock<Option<Box<str>>>,
}

/// What git prints about the remotes of a clone: the answer, without its text, and what it says.
struct RemoteListing {
    answer: Completed,
    remotes: Box<[EffectiveRemote]>,
    urls: Box<[ListedUrl]>,
}

/// How much more is kept of what git prints about all clones: whoever wrote them decides how much that
/// is.
struct AnswersLeft {
    bytes: AtomicUsize,
    urls: AtomicUsize,
}

/// Of what git prints about the current clone, and about another one; and about all of them.
const ANSWER: usize = 4 << 20;
const ANSWER_OF_OTHER: usize = 1 << 20;
const ANSWERS: usize = 12 << 20;
/// Those of 20,000 remotes, for fetching and for pushing.
const LISTED_URLS: usize = 45_000;

impl AnswersLeft {
    /// Fails where no more is kept.
    fn take(left: &AtomicUsize, size: usize) -> Result<(), Failure> {
        let spend = |left: usize| left.checked_sub(size);
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend) {
            Ok(_) => Ok(()),
            Err(_) => Err(too_much("git prints more about all clones together than is kept")),
        }
    }
}

fn too_much(why: &str) -> Failure {
    Failure::Io(std::io::Error::other(why))
}

/// git reads a few files for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// git starts a process for each clone.
const AT_ONCE: usize = 8;

/// Where a remote leads, after git's rules.
#[derive(Clone, Debug)]
pub struct ListedUrl {
    pub url: GitUrl,
    pub is_pushed_to: bool,
    /// A plain `git push` from the current branch concerns this remote.
    pub is_of_target: bool,
}

/// One `url` or `pushurl` of a remote.
pub struct RemoteUrl {
    pub remote: String,
    pub key: String,
    pub url: GitUrl,
}

impl Clones {
    pub fn new(
        roots: Vec<PathBuf>,
        folder: Option<PathBuf>,
        git_dir: Option<PathBuf>,
        all: bool,
        end: Instant,
    ) -> Self {
        Self {
            roots,
            folder,
            git_dir,
            all,
            kept: None,
            end,
            found: OnceLock::new(),
            in_view: OnceLock::new(),
            listed: OnceLock::new(),
        }
    }

    /// The remotes of a plain clone are kept only if they are of these repositories, or wrong in
    /// themselves, or among as many `others` as are asked about.
    #[must_use]
    pub fn concerned_with(self, repositories: Vec<Repository>, others: usize) -> Self {
        Self { kept: Some(KeptRemotes { repositories, others }), ..self }
    }

    /// Whether there may be something to report of a plain clone's remotes.
    fn keeps(&self, stored: &[RemoteUrl], listed: &RemoteListing, others: &mut OtherUrls) -> bool {
        let Some(KeptRemotes { repositories, .. }) = &self.kept else { return true };
        let is_concerned = |named: &Repository| {
            named.is_aliased() || repositories.iter().any(|one| one.same_as(named))
        };
        let matters = |url: &GitUrl| {
            !url.transport().is_remote()
                || url.port_in_path().is_some()
                || url.repository().is_some_and(is_concerned)
        };
        let all: usize = listed.remotes.iter().map(|remote| 1 + remote.push.len()).sum();
        // what is not a URL is judged by its text
        listed.urls.len() != all
            || listed.urls.iter().any(|listed| matters(&listed.url))
            || stored.iter().any(|stored| matters(&stored.url))
            || others.keep(&listed.urls)
    }

    /// The configurations of all clones. Takes a while in a large home.
    pub fn found(&self) -> &Search {
        self.found.get_or_init(|| clones::search(&self.roots))
    }

    /// Whether every clone that is found is looked at (`--all`).
    pub fn are_all(&self) -> bool {
        self.all
    }

    /// With `--all`: the folders with a `.git` that leads to no git folder.
    pub fn unresolved(&self) -> &[PathBuf] {
        if self.all { &self.found().unresolved } else { &[] }
    }

    pub fn in_view(&self) -> &[InView] {
        &self.viewed().clones
    }

    /// How many URLs of plain clones are not asked about, and were not kept.
    pub fn left_out(&self) -> usize {
        self.viewed().left_out
    }

    fn viewed(&self) -> &Viewed {
        self.in_view.get_or_init(|| {
            let current = {
                let folder = self.folder.as_deref();
                folder.and_then(|folder| around(folder, self.git_dir.as_deref()))
            };
            let mut allowance = Allowance::default();
            let outside = self.all.then(|| self.outside()).flatten();
            let left = Arc::new(AnswersLeft { bytes: ANSWERS.into(), urls: LISTED_URLS.into() });
            let mut other_urls = OtherUrls::up_to(self.kept.as_ref().map_or(0, |it| it.others));
            let mut read = |folder: &Path, config: &Path, is_current: bool| {
                let (unread, urls, plain) = match allowance.read(config) {
                    Ok(content) => {
                        let bytes = content.map(|content| content.bytes).unwrap_or_default();
                        let urls: Box<[_]> = stored(&bytes).collect();
                        let rules = outside.as_ref().filter(|_| !is_current);
                        let plain = rules.and_then(|rules| rules.remotes(folder, &bytes));
                        (grown(&bytes, urls.len()), urls, plain)
                    }
                    Err(why) => (Some(why), Box::default(), None),
                };
                let is_plain = plain.is_some();
                let listed = plain.map(RemoteListing::of_plain);
                let (urls, listed) = match listed {
                    Some(listed) if !self.keeps(&urls, &listed, &mut other_urls) => {
                        (Box::default(), None)
                    }
                    listed => (urls, listed),
                };
                InView {
                    folder: folder.to_owned(),
                    file: config.to_owned(),
                    is_current,
                    urls,
                    unread: unread.map(Into::into),
                    is_plain,
                    end: self.end,
                    left: Arc::clone(&left),
                    config: OnceLock::new(),
                    listed: listed.map_or_else(OnceLock::new, |it| Box::new(it).into()),
                    target: OnceLock::new(),
                }
            };
            let others = if self.all { &self.found().configs[..] } else { &[] };
            let mut clones = Vec::with_capacity(others.len() + usize::from(current.is_some()));
            if let Some((folder, config)) = &current {
                clones.push(read(folder, config, true));
            }
            for config in others
                .iter()
                .filter(|config| current.as_ref().is_none_or(|(_, own)| own != *config))
            {
                clones.push(read(config.parent().unwrap_or(config), config, false));
            }
            Viewed { clones, left_out: other_urls.left_out.len() }
        })
    }

    /// What git makes of the URLs of plain clones.
    fn outside(&self) -> Option<OutsideRules> {
        let deadline = PATIENCE.min(self.end.saturating_duration_since(Instant::now()));
        let answer = EffectiveConfig::output(Place::Outside, deadline).ok()?;
        let is_complete = answer.status.success() && answer.stderr.is_empty();
        OutsideRules::of(&EffectiveConfig::parse(answer.stdout)).filter(|_| is_complete)
    }

    /// The same, after git has listed the remotes of all of them: one in which git does not end
    /// does not hold the others up.
    pub fn listed(&self) -> &[InView] {
        let clones = self.in_view();
        self.listed.get_or_init(|| {
            pool::map(AT_ONCE, clones, |clone| {
                clone.answer();
            });
        });
        clones
    }

    /// The repository of the clone around the current folder: the one to which a plain push goes,
    /// else its `origin`, or its only remote.
    pub fn current(&self) -> Option<&Repository> {
        let clone = self.in_view().iter().find(|clone| clone.is_current)?;
        let mut pushed = clone.effective().iter().filter(|it| it.is_of_target && it.is_pushed_to);
        if let Some(repository) = pushed.find_map(|it| it.url.repository()) {
            return Some(repository);
        }
        let urls = || clone.urls.iter().filter(|stored| stored.key == "url");
        let origin = urls().find(|stored| stored.remote == "origin");
        origin.or_else(|| urls().next())?.url.repository()
    }

    /// Where the remotes in view lead: as git makes them of what is written.
    pub fn effective(&self) -> Vec<ListedUrl> {
        self.listed().iter().flat_map(InView::effective).cloned().collect()
    }

    /// The clones in view that have a remote of this repository.
    pub fn of(&self, repository: &Repository) -> impl Iterator<Item = &InView> {
        self.listed().iter().filter(move |clone| clone.has_remote_of(repository))
    }
}

impl OtherUrls {
    fn up_to(most: usize) -> Self {
        Self { most, kept: BTreeSet::new(), left_out: BTreeSet::new() }
    }

    /// Whether the clone with these URLs is kept: what is known of a URL is asked of all its clones.
    fn keep(&mut self, urls: &[ListedUrl]) -> bool {
        let texts = urls.iter().map(|listed| listed.url.without_credential());
        let is_kept = self.kept.len() < self.most || texts.clone().any(|it| self.kept.contains(it));
        if is_kept {
            self.kept.extend(texts.map(str::to_owned));
        } else if self.most > 0 {
            let hash = |text| BuildHasherDefault::<DefaultHasher>::default().hash_one(text);
            self.left_out.extend(texts.map(hash));
        }
        is_kept
    }
}

/// Whether something holds of the clone that is worked in, or else of all of them: one clone's
/// settings are not another's.
pub fn hold(clones: &[&InView], what: impl Fn(&InView) -> bool) -> bool {
    held(clones, |clone| what(clone).then_some(())).is_some()
}

/// The same of something that is found: in the clone that is worked in, or else in each of them,
/// and then the first.
pub fn held<'a, T>(clones: &[&'a InView], what: impl Fn(&'a InView) -> Option<T>) -> Option<T> {
    if let Some(current) = clones.iter().find(|clone| clone.is_current) {
        return what(current);
    }
    let in_each: Option<Vec<T>> = clones.iter().map(|clone| what(clone)).collect();
    in_each?.into_iter().next()
}

/// Whether the repository is one of these; where none is named, each is.
pub fn is_among(named: &[Repository], repository: &Repository) -> bool {
    named.is_empty() || named.iter().any(|one| is_of(one, repository))
}

/// Whether `named` is the repository, be it under the host name that is its own.
pub fn is_of(repository: &Repository, named: &Repository) -> bool {
    let is_alias = |host: &&str| repository.alias(host) == named.host();
    // of many clones, few have an alias to be compared with
    repository.same_as(named)
        || named.is_aliased() && repository.aliased_hosts().iter().any(is_alias)
}

/// git keeps every URL as its rules make it: no more than this many bytes of them are asked for.
const GROWN: usize = 16 << 20;

/// Why git is not asked about a clone of whose rules for URLs one is long, and makes its many URLs
/// long.
fn grown(config: &[u8], urls: usize) -> Option<String> {
    let variables = config::variables(config).ok()?;
    let rules = variables.filter(|variable| variable.section == "url");
    let longest = rules.filter_map(|rule| rule.subsection).map(|base| base.len()).max()?;
    (longest.saturating_mul(urls) > GROWN)
        .then(|| "its rules would make its URLs longer than is read".to_owned())
}

/// The URLs of remotes in a clone's own configuration.
fn stored(config: &[u8]) -> impl Iterator<Item = RemoteUrl> {
    remote::urls(config).into_iter().flatten().filter_map(|variable| {
        let url = GitUrl::parse(&variable.value?).ok()?;
        Some(RemoteUrl { remote: variable.subsection?, key: variable.key, url })
    })
}

/// Where they lead. `target`: the remote of a plain `git push`, where that is one of several.
fn urls_of(remotes: &[EffectiveRemote], target: Option<&str>) -> Box<[ListedUrl]> {
    let urls = |remote: &EffectiveRemote| -> Vec<ListedUrl> {
        let is_of_target = target.is_none_or(|name| *name == remote.name);
        let url = |url: &str, is_pushed_to| {
            let url = GitUrl::parse(url).ok()?;
            Some(ListedUrl { url, is_pushed_to, is_of_target })
        };
        let pushes = remote.push.iter().map(|it| url(it, true));
        [url(&remote.fetch, false)].into_iter().chain(pushes).flatten().collect()
    };
    remotes.iter().flat_map(urls).collect()
}

impl RemoteListing {
    /// As git would answer.
    fn of_plain(remotes: Vec<EffectiveRemote>) -> Self {
        let (status, stdout, stderr) = (ExitStatus::default(), String::new(), String::new());
        let urls = urls_of(&remotes, None);
        let answer = Ok(Output { status, stdout, stderr });
        Self { answer, remotes: remotes.into(), urls }
    }
}

impl InView {
    /// Where git is asked about it: variables that name a repository name the current one.
    fn place(&self) -> Place<'_> {
        if self.is_current { Place::AsAgent(&self.folder) } else { Place::Clone(&self.folder) }
    }

    fn deadline(&self) -> Duration {
        PATIENCE.min(self.end.saturating_duration_since(Instant::now()))
    }

    /// How much is read of an answer of git's.
    fn most(&self) -> usize {
        if self.is_current { ANSWER } else { ANSWER_OF_OTHER }
    }

    /// Why git is not asked about it.
    fn unread(&self) -> Result<(), Failure> {
        self.unread.as_ref().map_or(Ok(()), |why| Err(too_much(why)))
    }

    /// git's effective configuration in the clone; of another than the current one without the rules
    /// for URLs. Empty where it is not read, which `git.config` reports.
    pub fn config(&self) -> &EffectiveConfig {
        static NONE: EffectiveConfig = EffectiveConfig::none();
        self.config_or_failure().as_ref().unwrap_or(&NONE)
    }

    /// Why git's effective configuration in the clone is not known, where that was not read here.
    pub fn config_failure(&self) -> Option<&Failure> {
        if self.is_plain { None } else { self.config_or_failure().as_ref().err() }
    }

    fn config_or_failure(&self) -> &Result<EffectiveConfig, Failure> {
        self.config.get_or_init(|| Box::new(self.ask_config()))
    }

    fn ask_config(&self) -> Result<EffectiveConfig, Failure> {
        self.unread()?;
        let (place, most, deadline) = (self.place(), self.most(), self.deadline());
        let config = if self.is_current {
            EffectiveConfig::up_to(place, most, deadline)?
        } else {
            EffectiveConfig::without_rules(place, most, deadline)?
        };
        AnswersLeft::take(&self.left.bytes, config.size())?;
        Ok(config)
    }

    /// How git answered the question which remotes there are; the text is not kept.
    pub fn answer(&self) -> &Completed {
        &self.listed().answer
    }

    fn listed(&self) -> &RemoteListing {
        static NOT_KEPT: LazyLock<RemoteListing> =
            LazyLock::new(|| RemoteListing::of_plain(Vec::new()));
        match self.listed.get() {
            None if self.is_plain => &NOT_KEPT,
            _ => self.listed.get_or_init(|| Box::new(self.ask_remotes())),
        }
    }

    fn ask_remotes(&self) -> RemoteListing {
        self.list().unwrap_or_else(|failure| {
            let urls = self.as_written();
            RemoteListing { answer: Err(failure), remotes: Box::default(), urls }
        })
    }

    /// Its URLs, where git does not tell what it makes of them.
    fn as_written(&self) -> Box<[ListedUrl]> {
        let listed = |stored: &RemoteUrl| {
            let url = stored.url.clone();
            ListedUrl { url, is_pushed_to: true, is_of_target: true }
        };
        self.urls.iter().map(listed).collect()
    }

    fn list(&self) -> Result<RemoteListing, Failure> {
        self.unread()?;
        let refs = self.file.with_file_name("packed-refs");
        if refs.metadata().is_ok_and(|refs| refs.len() > remotes::MOST_REFS) {
            return Err(too_much("`packed-refs` is too large for git to be asked"));
        }
        let Output { status, stdout, stderr } =
            remotes::list(self.place(), self.most(), self.deadline())?;
        let listed = if status.success() { &*stdout } else { "" };
        AnswersLeft::take(&self.left.bytes, stdout.len())?;
        AnswersLeft::take(&self.left.urls, listed.lines().count())?;
        let remotes = remotes::parse(listed);
        let urls = if status.success() {
            urls_of(&remotes, self.target(&remotes))
        } else {
            self.as_written()
        };
        let answer = Ok(Output { status, stdout: String::new(), stderr });
        Ok(RemoteListing { answer, remotes: remotes.into(), urls })
    }

    /// What its remotes of this repository name for the server to run instead of `program`,
    /// under `key`.
    pub fn other_program(
        &self,
        repository: &Repository,
        key: &str,
        program: &str,
    ) -> Option<ConfigValue<'_>> {
        let mut settings = self.of_remotes(repository, key).into_iter();
        settings.find(|setting| setting.value != Some(program))
    }

    /// What its remotes of this repository set under `key`: `.proxy`.
    pub fn of_remotes(&self, repository: &Repository, key: &str) -> Vec<ConfigValue<'_>> {
        let remotes = self.remotes();
        let leads = |url: &String| {
            let url = GitUrl::parse(url).ok();
            url.as_ref().and_then(GitUrl::repository).is_some_and(|named| is_of(repository, named))
        };
        let is_of_it = |name: &str| {
            let mut remotes = remotes.iter().filter(|remote| remote.name == name);
            remotes.any(|remote| leads(&remote.fetch) || remote.push.iter().any(leads))
        };
        let settings = self.config().under("remote.").filter(|setting| {
            let name = setting.key.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(key));
            name.is_some_and(is_of_it)
        });
        settings.collect()
    }

    /// Its remotes as git lists them.
    pub fn remotes(&self) -> &[EffectiveRemote] {
        &self.listed().remotes
    }

    /// Where its remotes lead, for fetches and for pushes; as written, where git does not tell.
    pub fn effective(&self) -> &[ListedUrl] {
        &self.listed().urls
    }

    /// Whether a remote of this repository is written there, or leads to it.
    pub fn has_remote_of(&self, repository: &Repository) -> bool {
        let stored = self.urls.iter().map(|stored| &stored.url);
        let effective = self.effective().iter().map(|effective| &effective.url);
        let mut named = stored.chain(effective).filter_map(GitUrl::repository);
        named.any(|named| is_of(repository, named))
    }

    /// The remote of a plain `git push`, where that is one of several.
    fn target(&self, remotes: &[EffectiveRemote]) -> Option<&str> {
        self.target.get_or_init(|| self.ask_target(remotes).map(Into::into)).as_deref()
    }

    fn ask_target(&self, remotes: &[EffectiveRemote]) -> Option<String> {
        if remotes.len() < 2 {
            return None;
        }
        let mut git = git_cli::command(self.place());
        git.args(["for-each-ref", "--format=%(HEAD)%00%(push:remotename)", "refs/heads"]);
        let answer = process::run_up_to(self.most(), git, self.deadline());
        let of_branch = answer.ok().and_then(|output| current_target(&output.stdout));
        // of no branch, or of one without a commit
        let name =
            of_branch.or_else(|| self.config().text("remote.pushdefault").map(str::to_owned));
        let name = name.unwrap_or_else(|| "origin".to_owned());
        remotes.iter().any(|remote| remote.name == name).then_some(name)
    }

    /// Whether a plain `git push` goes to the remote of this name, as far as that is known.
    pub fn is_target(&self, name: &str) -> bool {
        self.target(self.remotes()).is_none_or(|target| target == name)
    }

    /// Whether its configuration and its folder have a form that git accepts: they were read without
    /// git.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether git is not asked about it.
    pub fn is_unread(&self) -> bool {
        self.unread.is_some()
    }

    /// Where the work tree begins, as far as the folder shows it.
    pub fn top(&self) -> &Path {
        self.folder.ancestors().find(|above| above.join(".git").exists()).unwrap_or(&self.folder)
    }
}

/// The remote that git names for the branch of HEAD. Pure.
fn current_target(listed: &str) -> Option<String> {
    let name = listed.lines().find_map(|line| line.strip_prefix("*\0"))?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The folder itself, if it is in a clone, and that clone's configuration. In none, `git_dir` is
/// what GIT_DIR names.
fn around(folder: &Path, git_dir: Option<&Path>) -> Option<(PathBuf, PathBuf)> {
    let named = || git_dir.map(|path| folder.join(path)).filter(|git| git.join("HEAD").is_file());
    let git = folder.ancestors().find_map(clones::git_folder).or_else(named)?;
    Some((folder.to_owned(), git.join("config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plain clone with one remote.
    fn plain(stored: &str, fetch: &str, push: &str) -> (Vec<RemoteUrl>, RemoteListing) {
        let config = format!("[remote \"origin\"]\n\turl = {stored}\n");
        let remote = EffectiveRemote {
            name: "origin".to_owned(),
            fetch: fetch.to_owned(),
            push: vec![push.to_owned()],
        };
        (super::stored(config.as_bytes()).collect(), RemoteListing::of_plain(vec![remote]))
    }

    #[test]
    fn remotes_of_which_there_is_something_to_report_are_kept() {
        let app = Repository::parse_declared("o/app").unwrap();
        let own = app.to_alias();
        let other = "https://github.com/o/other";
        for (written, fetch, push, is_kept) in [
            (other, other, other, false),
            (other, "git@github.com:o/other.git", other, false),
            ("git@github.com:o/app.git", other, other, true),
            (other, "https://github.com/O/App", other, true),
            (other, other, "ssh://git@github.com:22/o/app", true),
            (other, other, &*own, true),
            // a folder that may be gone, a port in a path, and what is not a URL
            (other, other, "/srv/app.git", true),
            (other, other, "git@git.corp:2222/o/other.git", true),
            (other, other, "", true),
        ] {
            let (stored, listed) = plain(written, fetch, push);
            let clones = Clones::new(Vec::new(), None, None, true, Instant::now());
            let keeps =
                |clones: &Clones, most| clones.keeps(&stored, &listed, &mut OtherUrls::up_to(most));
            assert!(keeps(&clones, 0), "all are {fetch} {push}");
            let clones = clones.concerned_with(vec![app.clone()], 0);
            assert_eq!(keeps(&clones, 0), is_kept, "{written} {fetch} {push}");
            assert!(keeps(&clones, 1), "others are asked about {fetch} {push}");
        }
    }

    #[test]
    fn of_other_repositories_as_many_urls_are_kept_as_are_asked_about() {
        let mut others = OtherUrls::up_to(2);
        let mut keep = |name: &str| {
            let url = format!("https://github.com/o/{name}");
            others.keep(&plain(&url, &url, &url).1.urls)
        };
        // each clone of a repository that is asked about counts, however late it is found
        let kept = ["a", "b", "c", "a", "d", "b", "c"].map(&mut keep);
        assert_eq!(kept, [true, true, false, true, false, true, false]);
        assert_eq!(others.left_out.len(), 2);
        let mut others = OtherUrls::up_to(0);
        assert!(!others.keep(&plain("", "https://a.test/o/r", "https://a.test/o/r").1.urls));
        assert_eq!(others.left_out.len(), 0, "none are asked about");
    }
}
