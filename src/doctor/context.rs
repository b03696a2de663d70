//! What the checks see: facts that are gathered once, and the deadlines of what they run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::clones::{Clones, InView, is_among};
use super::connections::Connections;
use super::gathered::Gathered;
use super::outcome::Reason;
use super::push_url::PushUrl;
use crate::apply::plan::{Plan, Planned};
use crate::catalogue::Code;
use crate::client::Client;
use crate::env::Env;
use crate::git::url::Repository;
use crate::git_cli::Place;
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::home::Home;
use crate::process::Failure;
use crate::resource::Undo;
use crate::resource::entry::EntryName;
use crate::settings::{RefusedItem, Settings};
use crate::state::receipt::{Desired, Receipt};
use crate::state::subject::Subject;
use crate::state::via::Via;
use crate::variables;

/// For a program that asks no server.
pub const LOCAL: Duration = Duration::from_secs(10);
/// Longer than a slow handshake, shorter than a dropped port's silence.
pub const NETWORK: Duration = Duration::from_secs(10);

/// How deep the doctor looks.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Files and configuration.
    Offline,
    /// The network too, read-only.
    Network,
    /// A throw-away branch, and one request per agent.
    Live,
}

impl Depth {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Network => "network",
            Self::Live => "live",
        }
    }
}

/// What all checks see: facts that are gathered once.
pub struct Context<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub settings: &'a Settings,
    pub receipt: Option<&'a Receipt>,
    /// An apply is running, or was interrupted.
    pub under_way: bool,
    /// What is asked for now, or was by the last apply.
    pub desired: &'a Desired,
    /// What apply would do now: its verdicts are restated, never contradicted.
    pub plan: &'a Plan,
    /// The repositories that `--repo` names: no other is checked. Without it none is in it.
    pub limited_to: &'a [Repository],
    /// The repositories that are asked about before all others.
    pub first: &'a [Repository],
    /// Where the workspace pushes to: repositories with a key, the remotes of the clones in view,
    /// and the repositories that `--repo` and `--also` name.
    pub push_urls: &'a [PushUrl],
    /// How many more there are, that are not asked.
    pub left_out: usize,
    pub clones: &'a Clones,
    /// The current folder.
    pub folder: Option<PathBuf>,
    /// That is a new clone, made to see what every clone gets.
    pub is_new_clone: bool,
    pub depth: Depth,
    /// When the whole run must have ended.
    pub end: Instant,
    /// What GitHub's API answered in earlier rounds of `--wait`.
    pub github: &'a crate::github::Memory,
    pub connections: Connections,
    /// What the checks of an area share.
    pub gathered: &'a Gathered,
}

/// What git reports about its configuration outside of any clone.
struct ConfigErrorOutside(Option<ConfigError>);
/// git's configuration outside of any clone.
struct ConfigOutside(EffectiveConfig, Option<Failure>);

impl Context<'_> {
    /// Whether the checks of this repository were requested.
    pub fn concerns(&self, repository: &Repository) -> bool {
        is_among(self.limited_to, repository)
    }

    /// Whether the checks of this clone were requested: those of one of its repositories.
    pub fn concerns_clone(&self, clone: &InView) -> bool {
        let stored = clone.urls.iter().filter_map(|stored| stored.url.repository());
        self.limited_to.is_empty()
            || stored.into_iter().any(|repository| self.concerns(repository))
            || clone.effective().iter().any(|remote| {
                remote.url.repository().is_some_and(|repository| self.concerns(repository))
            })
    }

    /// Whether the checks of the current folder were requested: those of a clone of another
    /// repository were not.
    pub fn concerns_current_clone(&self) -> bool {
        self.limited_to.is_empty()
            || !self.clones.in_view().iter().any(|it| it.is_current && !self.concerns_clone(it))
    }

    /// Whether the repository is one of those that have a key.
    pub fn has_key(&self, repository: &Repository) -> bool {
        self.keyed().any(|known| known.same_as(repository))
    }

    /// The repositories that have a key.
    pub fn keyed(&self) -> impl Iterator<Item = &Repository> {
        self.desired.repositories.iter().map(|record| &record.repository)
    }

    /// The fingerprint of the repository's key. `None`: it has none.
    pub fn fingerprint(&self, repository: &Repository) -> Option<&str> {
        let mut records = self.desired.repositories.iter();
        let record = records.find(|record| record.repository.same_as(repository))?;
        Some(&record.fingerprint)
    }

    /// How the receipt would undo what apply wrote under this name.
    pub fn written(&self, name: EntryName) -> Option<&Undo> {
        Some(&self.receipt?.entries.get(&name.into())?.undo)
    }

    /// Whether a login of the client is configured, now or by the last apply, or one is there.
    pub fn has_login(&self, client: Client) -> bool {
        let is_refused = |refused: &RefusedItem| refused.item == Subject::Login(client);
        let own_variable = client.row().own_variable;
        self.settings.logins.via(client).is_some()
            || self.desired.logins.has(client)
            || self.settings.refused.iter().any(is_refused)
            || own_variable.is_some_and(|name| self.env.get(name).is_some())
            || self.home.clients.get(client).login.symlink_metadata().is_ok()
    }

    /// Where the login of the client comes from: the source that is set here, else the one of the
    /// last apply.
    pub fn login_via(&self, client: Client) -> Option<&Via> {
        let recorded = self.desired.logins.via(client);
        self.settings.logins.via(client).or(recorded)
    }

    /// What apply would say of an item now.
    pub fn planned(&self, subject: &Subject) -> Option<&Planned> {
        self.plan.items.iter().find(|planned| planned.item.subject == *subject)
    }

    /// What is wrong with git's configuration outside of any clone, so that git works nowhere.
    pub fn git_config_error(&self) -> Option<&ConfigError> {
        let ask = || ConfigErrorOutside(ConfigError::ask(self.home, self.deadline(LOCAL)));
        self.gathered.get(ask).0.as_ref()
    }

    /// git's configuration as it counts outside of any clone.
    pub fn git_config(&self) -> &EffectiveConfig {
        &self.config_outside().0
    }

    /// Why that is not known.
    pub fn git_config_failure(&self) -> Option<&Failure> {
        self.config_outside().1.as_ref()
    }

    fn config_outside(&self) -> &ConfigOutside {
        let ask = || match EffectiveConfig::output(Place::Outside, self.deadline(LOCAL)) {
            Ok(output) => ConfigOutside(EffectiveConfig::parse(output.stdout), None),
            Err(failure) => ConfigOutside(EffectiveConfig::none(), Some(failure)),
        };
        self.gathered.get(ask)
    }

    /// The same in the first of a repository's clones, which is the current one if that is among
    /// them; outside, if there is none.
    pub fn git_config_in<'s>(&'s self, clones: &[&'s InView]) -> &'s EffectiveConfig {
        clones.first().map_or_else(|| self.git_config(), |clone| clone.config())
    }

    /// Whether there is no ssh client at all.
    pub fn lacks_ssh(&self) -> bool {
        self.home.passwd.as_ref().is_err_and(|finding| finding.code == Code::SshMissing)
    }

    /// Whether an agent's sandbox reports that there is no network (Codex sets the variable).
    pub fn sandboxed(&self) -> bool {
        self.env.get(variables::observed::CODEX_SANDBOX_NETWORK_DISABLED).is_some()
    }

    /// Whether the time of the whole run is used up.
    pub fn has_ended(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Why a child has no output: a deadline that the end of the run cut short is not its fault.
    pub fn reason(&self, failure: &Failure) -> Reason {
        match failure {
            Failure::Deadline if self.has_ended() => {
                Reason::transient("the run ended before it did")
            }
            failure if failure.is_transient() => Reason::transient(failure.to_string()),
            failure => failure.to_string().into(),
        }
    }

    /// The time that a probe may take: its own, but no longer than what is left of the whole.
    pub fn deadline(&self, own: Duration) -> Duration {
        own.min(self.end.saturating_duration_since(Instant::now()))
    }
}
