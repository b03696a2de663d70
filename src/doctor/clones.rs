//! The clones of the workspace, looked for once: all that are found, and those in view, which is
//! the one around the current folder, or with `--all` every one.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::pool;
use crate::git::url::{GitUrl, Repository};
use crate::git_cli::clones::{self, Search};
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::git_cli::remotes::EffectiveRemote;
use crate::git_cli::{self, Place, remotes};
use crate::process::{self, Completed};
use crate::resource::file::{self, Kind};
use crate::resource::remote;

pub struct Clones {
    roots: Vec<PathBuf>,
    folder: Option<PathBuf>,
    all: bool,
    /// When the whole run must have ended.
    end: Instant,
    found: OnceLock<Search>,
    in_view: OnceLock<Vec<InView>>,
    /// git was asked in all of those.
    listed: OnceLock<()>,
}

/// A clone as its own configuration has it: before any rule of git's, and without what it includes.
pub struct InView {
    /// Where git is asked about it.
    pub folder: PathBuf,
    /// Its own configuration file.
    pub file: PathBuf,
    /// It contains the current folder.
    pub is_current: bool,
    pub urls: Vec<RemoteUrl>,
    end: Instant,
    config: OnceLock<EffectiveConfig>,
    listed: OnceLock<Completed>,
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
    pub fn new(roots: Vec<PathBuf>, folder: Option<PathBuf>, all: bool, end: Instant) -> Self {
        Self {
            roots,
            folder,
            all,
            end,
            found: OnceLock::new(),
            in_view: OnceLock::new(),
            listed: OnceLock::new(),
        }
    }

    /// The configurations of all clones. Takes a while in a large home.
    pub fn found(&self) -> &Search {
        self.found.get_or_init(|| clones::search(&self.roots))
    }

    pub fn in_view(&self) -> &[InView] {
        self.in_view.get_or_init(|| {
            let current = self.folder.as_deref().and_then(around);
            let mut clones = Vec::new();
            if let Some((folder, config)) = &current {
                clones.push(InView::read(folder, config, true, self.end));
            }
            let others = if self.all { &self.found().configs[..] } else { &[] };
            for config in others
                .iter()
                .filter(|config| current.as_ref().is_none_or(|(_, own)| own != *config))
            {
                clones.push(InView::read(
                    config.parent().unwrap_or(config),
                    config,
                    false,
                    self.end,
                ));
            }
            clones
        })
    }

    /// The same, after git has listed the remotes of all of them: one in which git does not end
    /// does not hold the others up.
    pub fn listed(&self) -> &[InView] {
        let clones = self.in_view();
        self.listed.get_or_init(|| {
            pool::map(AT_ONCE, clones, |clone| {
                clone.listed();
            });
        });
        clones
    }

    /// The repository of the clone around the current folder: its `origin`, or its only remote.
    pub fn current(&self) -> Option<&Repository> {
        let clone = self.in_view().iter().find(|clone| clone.is_current)?;
        let urls = || clone.urls.iter().filter(|stored| stored.key == "url");
        let origin = urls().find(|stored| stored.remote == "origin");
        origin.or_else(|| urls().next())?.url.repository()
    }

    /// Where the remotes in view lead: as git makes them of what is written.
    pub fn effective(&self) -> Vec<ListedUrl> {
        self.listed().iter().flat_map(InView::effective).collect()
    }

    /// The clones in view that have a remote of this repository.
    pub fn of(&self, repository: &Repository) -> impl Iterator<Item = &InView> {
        let stored = |clone: &InView| {
            let mut urls = clone.urls.iter().filter_map(|stored| stored.url.repository());
            urls.any(|known| is_of(repository, known))
        };
        let effective = |clone: &InView| {
            clone
                .effective()
                .iter()
                .filter_map(|effective| effective.url.repository())
                .any(|known| is_of(repository, known))
        };
        self.listed().iter().filter(move |clone| stored(clone) || effective(clone))
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
    repository.same_as(named) || repository.aliased_hosts().iter().any(is_alias)
}

impl InView {
    fn read(folder: &Path, config: &Path, is_current: bool, end: Instant) -> Self {
        let content = file::observe(config, Kind::Shared).ok().flatten();
        let bytes = content.map(|content| content.bytes).unwrap_or_default();
        let urls = remote::urls(&bytes).into_iter().flatten().filter_map(|variable| {
            let url = GitUrl::parse(&variable.value?).ok()?;
            Some(RemoteUrl { remote: variable.subsection?, key: variable.key, url })
        });
        Self {
            folder: folder.to_owned(),
            file: config.to_owned(),
            is_current,
            end,
            urls: urls.collect(),
            config: OnceLock::new(),
            listed: OnceLock::new(),
        }
    }

    /// Where git is asked about it: variables that name a repository name the current one.
    fn place(&self) -> Place<'_> {
        if self.is_current { Place::AsAgent(&self.folder) } else { Place::Clone(&self.folder) }
    }

    fn deadline(&self) -> Duration {
        PATIENCE.min(self.end.saturating_duration_since(Instant::now()))
    }

    /// git's effective configuration in the clone.
    pub fn config(&self) -> &EffectiveConfig {
        self.config.get_or_init(|| EffectiveConfig::ask(self.place(), self.deadline()))
    }

    /// What `git remote --verbose` prints in it.
    pub fn listed(&self) -> &Completed {
        self.listed.get_or_init(|| remotes::list(self.place(), self.deadline()))
    }

    /// What its remotes of this repository name for the server to run instead of `program`,
    /// under `key`.
    pub fn other_program(
        &self,
        repository: &Repository,
        key: &str,
        program: &str,
    ) -> Option<&ConfigValue> {
        let remotes = self.remotes();
        let leads = |url: &String| {
            let url = GitUrl::parse(url).ok();
            url.as_ref().and_then(GitUrl::repository).is_some_and(|named| is_of(repository, named))
        };
        let is_of_it = |name: &str| {
            let mut remotes = remotes.iter().filter(|remote| remote.name == name);
            remotes.any(|remote| leads(&remote.fetch) || remote.push.iter().any(leads))
        };
        self.config().under("remote.").find(|setting| {
            let name = setting.key.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(key));
            name.is_some_and(is_of_it) && setting.value.as_deref() != Some(program)
        })
    }

    /// Its remotes as git lists them.
    pub fn remotes(&self) -> Vec<EffectiveRemote> {
        match self.listed() {
            Ok(output) if output.status.success() => remotes::parse(&output.stdout),
            _ => Vec::new(),
        }
    }

    /// Where its remotes lead, for fetches and for pushes; as written, where git does not tell.
    pub fn effective(&self) -> Vec<ListedUrl> {
        match self.listed() {
            Ok(output) if output.status.success() => {
                let remotes = self.remotes();
                let target = self.target(&remotes);
                let of = |remote: &EffectiveRemote| -> Vec<ListedUrl> {
                    let is_of_target = target.as_ref().is_none_or(|name| *name == remote.name);
                    let listed = |url: &str, is_pushed_to| {
                        let url = GitUrl::parse(url).ok()?;
                        Some(ListedUrl { url, is_pushed_to, is_of_target })
                    };
                    let pushes = remote.push.iter().map(|url| listed(url, true));
                    let all = [listed(&remote.fetch, false)].into_iter().chain(pushes);
                    all.flatten().collect()
                };
                remotes.iter().flat_map(of).collect()
            }
            _ => {
                let listed = |stored: &RemoteUrl| {
                    let url = stored.url.clone();
                    ListedUrl { url, is_pushed_to: true, is_of_target: true }
                };
                self.urls.iter().map(listed).collect()
            }
        }
    }

    /// The remote of a plain `git push`, where that is one of several.
    fn target(&self, remotes: &[EffectiveRemote]) -> Option<String> {
        if remotes.len() < 2 {
            return None;
        }
        let mut git = git_cli::command(self.place());
        git.args(["for-each-ref", "--format=%(HEAD)%00%(push:remotename)", "refs/heads"]);
        let answer = process::run(git, self.deadline());
        let of_branch = answer.ok().and_then(|output| current_target(&output.stdout));
        // of no branch, or of one without a commit
        let name =
            of_branch.or_else(|| self.config().text("remote.pushdefault").map(str::to_owned));
        let name = name.unwrap_or_else(|| "origin".to_owned());
        remotes.iter().any(|remote| remote.name == name).then_some(name)
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

/// The folder itself, if it is in a clone, and that clone's configuration.
fn around(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let git = folder.ancestors().find_map(clones::git_folder)?;
    Some((folder.to_owned(), git.join("config")))
}
