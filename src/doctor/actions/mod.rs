//! Why is the Actions run not starting? From the jobs of the newest runs of this commit to the one
//! cause.
//!
//! Reads only: what would approve, cancel or repeat a run is printed, never done.

mod facts;
mod gather;
mod hosted_labels;
mod judge;
mod local;
mod needs;
mod status_page;
mod trigger;
mod workflow;
mod yaml;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::outcome::Outcome;
use super::{Check, Depth};
use crate::catalogue::Code;
use crate::env::{Env, expand};
use crate::git::url::Repository;
use crate::github::{Api, Forge, GitHub, Memory, Sources};
use crate::home::Home;
use crate::http::{Http, Url};
use crate::settings::ApiTokens;
use crate::variables;
use facts::{Asked, Facts, Place};
pub use local::Head;

const RUNS: &str = "actions.runs";
const WORKFLOW_FILES: &str = "actions.workflow-files";
const STATUS_PAGE: &str = "actions.status-page";

/// The rows of this group.
pub const CHECKS: [Check; 3] = [
    Check {
        id: RUNS,
        title: "the newest runs of this commit start (only with --only actions)",
        depth: Depth::Network,
    },
    Check {
        id: WORKFLOW_FILES,
        title: "workflow files ask for runners that exist (only with --only actions)",
        depth: Depth::Offline,
    },
    Check {
        id: STATUS_PAGE,
        title: "GitHub reports no incident of Actions (only with --only actions)",
        depth: Depth::Network,
    },
];

/// What the checks look at.
pub struct Inputs<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub repository: &'a Repository,
    /// Its clone, where there is one.
    pub work_tree: Option<&'a Path>,
    /// `Head::of` the clone.
    pub head: Option<Head>,
    /// A deploy key is provisioned for it.
    pub deploy_key: bool,
    /// Of earlier looks, while `--wait` looks again.
    pub memory: &'a Memory,
    /// When all must have been said.
    pub end: Instant,
}

/// All checks of this group on one repository, each result with its check's id.
pub fn probe(inputs: &Inputs<'_>) -> Vec<Outcome> {
    let Some(given) = Given::of(inputs) else {
        return vec![not_github(inputs.repository)];
    };
    Session::open(inputs, &given).look()
}

/// What needs no network.
pub fn probe_offline(inputs: &Inputs<'_>) -> Vec<Outcome> {
    if Given::of(inputs).is_none() {
        return vec![not_github(inputs.repository)];
    }
    let local = inputs.work_tree.map(local::Local::read).unwrap_or_default();
    let labels = hosted_labels::HostedLabels::load(labels_file(inputs).as_deref());
    vec![judge::workflow_files(&inputs.repository.short(), &local, &labels)]
}

/// For a run of the doctor in which nobody asked for these checks. `None`: nothing could be asked
/// for.
pub fn not_asked(env: &Env, repository: &Repository) -> Option<Outcome> {
    Api::of(repository, env)?;
    let reason = "not looked at, since each look spends requests of a rate limit: ask with `pushready doctor --only actions`";
    Some(Outcome::skip(RUNS, Some(repository.short()), reason))
}

fn not_github(repository: &Repository) -> Outcome {
    let reason = format!(
        "`{}` is not a GitHub that is known here; for a GitHub Enterprise Server set {}",
        repository.host(),
        variables::GITHUB_API_URL
    );
    Outcome::skip(RUNS, Some(repository.short()), reason).coded(Code::ActionsNotGithub)
}

fn labels_file(inputs: &Inputs<'_>) -> Option<PathBuf> {
    Some(expand(&inputs.env.get(variables::HOSTED_LABELS)?, &inputs.home.path))
}

/// The GitHub of a repository, and the tokens for it.
struct Given<'a> {
    api: Api,
    sources: Sources<'a>,
}

impl<'a> Given<'a> {
    /// `None`: the repository is on no GitHub.
    fn of(inputs: &Inputs<'a>) -> Option<Self> {
        let api = Api::of(inputs.repository, inputs.env)?;
        let tokens = ApiTokens::read(inputs.env, inputs.home, api.forge == Forge::Enterprise);
        let sources = Sources::new(inputs.env, &api, inputs.repository.host(), tokens);
        Some(Self { api, sources })
    }
}

/// One look: its connections, tokens and what is asked.
struct Session<'a> {
    inputs: &'a Inputs<'a>,
    forge: Forge,
    trusted: bool,
    http: std::sync::Arc<Http>,
    github: GitHub<'a>,
    sources: &'a Sources<'a>,
    place: Place,
    status: Option<Url>,
    labels_file: Option<PathBuf>,
}

impl<'a> Session<'a> {
    fn open(inputs: &'a Inputs<'a>, given: &'a Given<'a>) -> Self {
        let http = std::sync::Arc::new(Http::new(inputs.env, inputs.end));
        let repository = inputs.repository;
        let place = Place {
            subject: repository.short(),
            web: format!("https://{}/{}", repository.host(), repository.path()),
        };
        // GHES runs on its own machines, which that page does not know
        let status = (given.api.forge == Forge::Cloud)
            .then(|| {
                inputs
                    .env
                    .text(variables::GITHUB_STATUS_URL)
                    .unwrap_or_else(|| status_page::DEFAULT.to_owned())
            })
            .and_then(|url| Url::parse(&url));
        Self {
            inputs,
            forge: given.api.forge,
            trusted: given.api.trusted,
            github: GitHub::new(
                std::sync::Arc::clone(&http),
                given.api.url.clone(),
                &given.sources,
                inputs.memory,
            ),
            http,
            sources: &given.sources,
            place,
            status,
            labels_file: labels_file(inputs),
        }
    }

    fn look(&self) -> Vec<Outcome> {
        judge::judge(&self.gather())
    }

    fn gather(&self) -> Facts {
        gather::gather(self)
    }

    fn repo_path(&self, rest: &str) -> String {
        format!("/repos/{}{rest}", self.inputs.repository.path())
    }

    fn name(&self) -> &str {
        self.inputs.repository.path().rsplit('/').next().unwrap_or_default()
    }

    fn asked(&self) -> Asked {
        Asked {
            token: self.github.token(),
            rejected: self.github.rejected(),
            warnings: self.sources.warnings.clone(),
            requests: self.http.requests(),
            deploy_key: self.inputs.deploy_key,
            trusted: self.trusted,
        }
    }
}

#[cfg(test)]
mod tests;
