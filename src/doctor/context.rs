//! What the checks see: facts that are gathered once, and the deadlines of what they run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::check::{CHECKS, Depth, Selection, area};
use super::clones::{Clones, InView};
use crate::apply::plan::{Plan, Planned};
use crate::catalogue::Code;
use crate::env::Env;
use crate::git::url::{GitUrl, Repository};
use crate::git_cli::config_error::Complaint;
use crate::git_cli::effective_config::GitSettings;
use crate::home::Home;
use crate::resource::Undo;
use crate::resource::entry::EntryName;
use crate::settings::Settings;
use crate::state::receipt::{Desired, Receipt};
use crate::state::subject::Subject;
use crate::variables;

/// For a program that asks no server.
pub const LOCAL: Duration = Duration::from_secs(10);
/// Longer than a slow handshake, shorter than a dropped port's silence.
pub const NETWORK: Duration = Duration::from_secs(10);

/// What all checks see: facts that are gathered once.
pub struct Context<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub settings: &'a Settings,
    pub receipt: Option<&'a Receipt>,
    /// An apply is at work, or was interrupted.
    pub under_way: bool,
    /// What is asked for now, or was by the last apply.
    pub desired: &'a Desired,
    /// What apply would do now: its verdicts are restated, never contradicted.
    pub plan: &'a Plan,
    /// The repositories to look at: those with a key, the current folder's, those asked for.
    pub repositories: &'a [Repository],
    /// The repository that `--repo` names.
    pub asked: Option<&'a Repository>,
    /// How clones in view name those of them that have no key.
    pub named: &'a [GitUrl],
    /// The HTTPS remotes of the clones in view, of repositories without a key.
    pub https: &'a [GitUrl],
    pub clones: &'a Clones,
    /// The current folder.
    pub folder: Option<PathBuf>,
    pub depth: Depth,
    /// When the whole run must have ended.
    pub end: Instant,
    pub selected: &'a Selection,
    /// What GitHub's API told in earlier looks of `--wait`.
    pub github: &'a crate::github::Memory,
    /// What git has against its configuration outside of any clone: asked once, where it matters.
    pub git_complaint: OnceLock<Option<Complaint>>,
    /// Whether git is told not to use ssh: asked once, where it matters.
    pub ssh_forbidden: OnceLock<bool>,
    /// git's configuration outside of any clone: asked once, where it matters.
    pub git_outside: OnceLock<GitSettings>,
}

impl Context<'_> {
    /// Whether a check runs: asked for, not skipped, and not too deep.
    pub fn wants(&self, id: &str) -> bool {
        let check = CHECKS.iter().find(|check| check.id == id);
        // each look costs requests of somebody's rate limit: only where it was asked for
        if id.starts_with("actions.") && self.selected.only.is_empty() {
            return false;
        }
        check.is_some_and(|check| check.depth <= self.depth) && self.selected.includes(id)
    }

    /// Whether any check of the area of this one runs.
    pub fn wants_area(&self, id: &str) -> bool {
        CHECKS.iter().any(|check| area(check.id) == area(id) && self.wants(check.id))
    }

    /// Whether the repository is one of those that have a key.
    pub fn has_key(&self, repository: &Repository) -> bool {
        self.keyed().any(|known| known.same_as(repository))
    }

    /// The repositories that have a key.
    pub fn keyed(&self) -> impl Iterator<Item = &Repository> {
        self.desired.repositories.iter().map(|record| &record.repository)
    }

    /// How the receipt would undo what apply wrote under this name.
    pub fn written(&self, name: EntryName) -> Option<&Undo> {
        Some(&self.receipt?.entries.get(&name.into())?.undo)
    }

    /// What apply would say of an item now.
    pub fn planned(&self, subject: &Subject) -> Option<&Planned> {
        self.plan.items.iter().find(|planned| planned.item.subject == *subject)
    }

    /// What git has against its configuration outside of any clone, so that it works nowhere.
    pub fn git_complaint(&self) -> Option<&Complaint> {
        self.git_complaint
            .get_or_init(|| Complaint::of_home(self.home, self.deadline(LOCAL)))
            .as_ref()
    }

    /// git's configuration as it counts outside of any clone.
    pub fn git_settings(&self) -> &GitSettings {
        self.git_outside.get_or_init(|| GitSettings::ask(Path::new("/"), self.deadline(LOCAL)))
    }

    /// The same in the first of a repository's clones, which is the current one if that is among
    /// them; outside, if there is none.
    pub fn git_settings_in<'s>(&'s self, clones: &[&'s InView]) -> &'s GitSettings {
        clones.first().map_or_else(|| self.git_settings(), |clone| clone.settings())
    }

    /// How a clone in view names a repository that has no key.
    pub fn named(&self, repository: &Repository) -> Option<&GitUrl> {
        self.named.iter().find(|url| url.repository() == Some(repository))
    }

    /// Whether there is no ssh client at all.
    pub fn lacks_ssh(&self) -> bool {
        self.home.passwd.as_ref().is_err_and(|finding| finding.code == Code::SshMissing)
    }

    /// Whether an agent's sandbox has told that there is no network (Codex sets the variable).
    pub fn sandboxed(&self) -> bool {
        self.env.get(variables::observed::CODEX_SANDBOX_NETWORK_DISABLED).is_some()
    }

    /// The time that a probe may take: its own, but no longer than what is left of the whole.
    pub fn deadline(&self, own: Duration) -> Duration {
        own.min(self.end.saturating_duration_since(Instant::now()))
    }
}
