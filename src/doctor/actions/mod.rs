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
pub mod workflow;
mod yaml;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::context::Context;
use super::outcome::Judgement;
use crate::catalogue::Code;
use crate::env::{Env, expand};
use crate::git::url::Repository;
use crate::github::{Api, Forge, GitHub, Memory, Sources};
use crate::home::Home;
use crate::http::{Http, Url};
use crate::settings::ApiTokens;
use crate::variables;
pub use facts::ActionsFacts;
use facts::{Asked, RepositoryNames};
use local::Head;

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

impl<'a> Inputs<'a> {
    /// Of the repository that `--repo` names, else of the clone around the current folder.
    fn of(context: &'a Context) -> Option<Self> {
        let current = context.clones.current();
        let repository = context.limited_to.first().or(current)?;
        let work_tree = context.folder.as_deref().filter(|_| current == Some(repository));
        Some(Self {
            env: context.env,
            home: context.home,
            repository,
            work_tree,
            head: work_tree.and_then(Head::of),
            deploy_key: context.has_key(repository),
            memory: context.github,
            end: context.end,
        })
    }
}

pub fn runs(context: &Context) -> Vec<Judgement> {
    gathered(context, judge::runs)
}

pub fn status_page(context: &Context) -> Vec<Judgement> {
    gathered(context, |facts| vec![judge::status_page(facts)])
}

/// What needs no network.
pub fn workflow_files(context: &Context) -> Vec<Judgement> {
    let Some(inputs) = Inputs::of(context) else { return vec![no_repository()] };
    vec![judge_files(&inputs)]
}

/// Judges what GitHub answered. It is asked once for all checks.
fn gathered(context: &Context, judge: fn(&ActionsFacts) -> Vec<Judgement>) -> Vec<Judgement> {
    let Some(inputs) = Inputs::of(context) else { return vec![no_repository()] };
    match context.gathered.get(|| gather(&inputs)) {
        Some(facts) => judge(facts),
        None => vec![not_github(inputs.repository)],
    }
}

/// `None`: the repository is not on GitHub.
fn gather(inputs: &Inputs<'_>) -> Option<ActionsFacts> {
    let given = Given::of(inputs)?;
    Some(gather::gather(&Session::open(inputs, &given)))
}

fn judge_files(inputs: &Inputs<'_>) -> Judgement {
    if Given::of(inputs).is_none() {
        return not_github(inputs.repository);
    }
    let local = inputs.work_tree.map(local::Local::read).unwrap_or_default();
    let labels = hosted_labels::HostedLabels::load(labels_file(inputs).as_deref(), inputs.env.now);
    judge::workflow_files(&inputs.repository.short(), &local, &labels, inputs.env.now)
}

fn no_repository() -> Judgement {
    Judgement::skip("the current folder is in no clone; name a repository with --repo")
}

fn not_github(repository: &Repository) -> Judgement {
    let reason = format!(
        "`{}` is not a GitHub that is known here; for a GitHub Enterprise Server set {}",
        repository.host(),
        variables::GITHUB_API_URL
    );
    Judgement::skip(reason).coded(Code::ActionsNotGithub).about(repository.short())
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
    place: RepositoryNames,
    status: Option<Url>,
    labels_file: Option<PathBuf>,
}

impl<'a> Session<'a> {
    fn open(inputs: &'a Inputs<'a>, given: &'a Given<'a>) -> Self {
        let http = std::sync::Arc::new(Http::new(inputs.env, inputs.end));
        let repository = inputs.repository;
        let place = RepositoryNames {
            subject: repository.short(),
            web: format!("https://{}/{}", repository.host(), repository.path()),
        };
        // GHES runs on its own machines, which that page does not know; a tenant of ghe.com has the
        // page of its region, which its name does not show
        let default = (!repository.host().ends_with(".ghe.com")).then_some(status_page::DEFAULT);
        let configured = inputs.env.text(variables::GITHUB_STATUS_URL);
        let status = configured
            .or_else(|| default.map(str::to_owned))
            .filter(|_| given.api.forge == Forge::Cloud)
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
