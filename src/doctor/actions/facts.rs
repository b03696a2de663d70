//! What was gathered about one repository: answers and refusals, unjudged.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::hosted_labels::HostedLabels;
use super::local::{Head, Local};
use super::status_page::StatusPage;
use super::trigger::{self, Match};
use super::workflow::{WorkflowFile, WorkflowJob};
use crate::github::model::{
    AdmittedRepository, Annotation, BranchRule, ConcurrencyGroup, ForkPolicy, HostedRunner, Job,
    OrgPolicy, PendingDeployment, Permissions, PrivateForkPolicy, PullRequest, Repo, Run, Runner,
    RunnerGroup, SelectedActions, Workflow,
};
use crate::github::{Forge, GithubAnswer, Page};
use crate::http::HttpError;

/// GitHub makes a run in seconds, and sometimes in minutes.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// Everything that the judge sees.
#[derive(Debug)]
pub struct ActionsFacts {
    pub place: RepositoryNames,
    pub forge: Forge,
    /// By the server's clock, where it answered.
    pub now: Timestamp,
    /// By the clock of this machine.
    pub local_now: Timestamp,
    pub head: Option<Head>,
    pub local: Local,
    pub labels: HostedLabels,
    pub repo: GithubAnswer<Repo>,
    /// Of the commit at hand; of the branch where that commit is not on the server.
    pub runs: GithubAnswer<Page<Run>>,
    /// Those runs that may not start, with what was requested about them.
    pub looked: Vec<Looked>,
    /// How many more of them there are.
    pub not_looked: usize,
    pub status: Option<Result<StatusPage, HttpError>>,
    pub more: More,
    pub asked: Asked,
}

/// How the repository is named in subjects, URLs and commands: made from parsed values.
#[derive(Clone, Debug)]
pub struct RepositoryNames {
    /// `o/app`, or `host/o/app`.
    pub subject: String,
    /// `https://host/o/app`
    pub web: String,
}

impl RepositoryNames {
    pub fn host(&self) -> &str {
        self.web.split('/').nth(2).unwrap_or_default()
    }
}

/// How it was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `fine-grained token from GH_TOKEN`; `None`: anonymously.
    pub token: Option<String>,
    /// Sources whose token was not accepted.
    pub rejected: Vec<String>,
    /// Why tokens are not used.
    pub warnings: Vec<String>,
    pub requests: usize,
    /// The repository has a deploy key, which people take for a token.
    pub deploy_key: bool,
    /// Tokens may be sent to this server.
    pub trusted: bool,
}

/// A run, and what was asked about it.
#[derive(Debug)]
pub struct Looked {
    pub run: Run,
    pub jobs: GithubAnswer<Page<Job>>,
    pub deployments: Option<GithubAnswer<Page<PendingDeployment>>>,
    pub groups: Option<GithubAnswer<Page<ConcurrencyGroup>>>,
    /// The members ahead of this run in the group where it waits.
    pub ahead: Option<GithubAnswer<ConcurrencyGroup>>,
    /// By job.
    pub annotations: BTreeMap<i64, GithubAnswer<Page<Annotation>>>,
}

impl Looked {
    /// The job in the workflow file of the commit.
    pub fn in_file<'a>(&self, local: &'a Local, job: &Job) -> Option<&'a WorkflowJob> {
        super::needs::in_file(local, &self.run, job).map(|(_, job)| job)
    }

    /// Whether `job` waits for another one of its run; `None`: unknown.
    pub fn needs(&self, local: &Local, job: &Job) -> Option<bool> {
        super::needs::waits(local, &self.run, &self.jobs.as_ref().ok()?.items, job)
    }
}

/// What is requested only where a run gives reason to.
#[derive(Debug, Default)]
pub struct More {
    pub workflows: Option<GithubAnswer<Page<Workflow>>>,
    pub permissions: Option<GithubAnswer<Permissions>>,
    pub selected: Option<GithubAnswer<SelectedActions>>,
    pub org_permissions: Option<GithubAnswer<OrgPolicy>>,
    /// Of the whole repository: whether anything ever ran.
    pub any_runs: Option<GithubAnswer<Page<Run>>>,
    pub in_progress: Option<GithubAnswer<Page<Run>>>,
    pub repo_runners: Option<GithubAnswer<Page<Runner>>>,
    pub org_runners: Option<GithubAnswer<Page<Runner>>>,
    pub runner_groups: Option<GithubAnswer<Page<RunnerGroup>>>,
    pub self_hosted_policy: Option<GithubAnswer<OrgPolicy>>,
    /// Those that a policy with `selected` admits.
    pub self_hosted_repositories: Option<GithubAnswer<Page<AdmittedRepository>>>,
    pub hosted_runners: Option<GithubAnswer<Page<HostedRunner>>>,
    pub fork_policy: Option<GithubAnswer<ForkPolicy>>,
    pub private_fork_policy: Option<GithubAnswer<PrivateForkPolicy>>,
    /// Of the default branch.
    pub branch_rules: Option<GithubAnswer<Page<BranchRule>>>,
    /// The open pull request of the branch.
    pub pull: Option<GithubAnswer<PullRequest>>,
    /// Of the commit in the repository that this one is a fork of.
    pub upstream_runs: Option<GithubAnswer<Page<Run>>>,
}

impl ActionsFacts {
    /// How long ago `then` was.
    pub fn age(&self, then: Option<Timestamp>) -> Option<SignedDuration> {
        Some(self.now.duration_since(then?))
    }

    /// How long ago the commit was pushed, by this machine's clock; a fetched one not before it was
    /// made.
    pub fn pushed_ago(&self) -> Option<SignedDuration> {
        let head = self.head.as_ref()?;
        Some(self.local_now.duration_since(head.pushed_at.or(head.committed_at)?))
    }

    /// The same, where a run may still come.
    pub fn is_fresh(&self) -> Option<SignedDuration> {
        self.pushed_ago().filter(|ago| (SignedDuration::ZERO..FRESH).contains(ago))
    }

    /// The runs of the commit on its branch; where it is not on the server, those of the branch that
    /// a push to this repository made with a workflow that still exists.
    pub fn own_runs(&self) -> Vec<&Run> {
        let Ok(page) = &self.runs else { return Vec::new() };
        let pushed = self.head.as_ref().is_none_or(|head| head.pushed);
        let branch = self.head.as_ref().and_then(|head| head.branch.as_deref());
        // the run of a tag has the tag's name as its branch
        let tagged =
            |of: &str| self.head.as_ref().is_some_and(|head| head.tags.iter().any(|tag| tag == of));
        let of_branch = |run: &Run| match (branch, run.branch.as_deref()) {
            (Some(branch), Some(of)) => branch == of || tagged(of),
            _ => true,
        };
        let exists = |run: &Run| {
            self.local.workflows.is_empty()
                || !run.path.starts_with(".github/")
                || self.local.workflows.iter().any(|workflow| run.is_of(&workflow.path))
        };
        page.items
            .iter()
            .filter(|run| of_branch(run) && (pushed || !run.from_fork && exists(run)))
            .collect()
    }

    /// Whether the push of the commit to `branch` makes a run of `workflow`.
    pub fn on_push(&self, workflow: &WorkflowFile, branch: &str) -> Match {
        // what a branch that others have changes is not what the commit changes
        let elsewhere = self.runs.as_ref().is_ok_and(|page| {
            page.items.iter().any(|run| run.branch.as_deref().is_some_and(|of| of != branch))
        });
        let changed = self.local.changed.as_deref().filter(|_| !elsewhere);
        trigger::on_push(workflow, branch, changed)
    }

    pub fn incident(&self) -> Option<&StatusPage> {
        self.status.as_ref()?.as_ref().ok().filter(|page| page.is_incident())
    }
}

/// What the labels of a job mean, before any runners are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    None,
    /// GitHub serves them all.
    Hosted,
    Retired,
    /// The repository's own runners, or a misspelling.
    Own,
}

impl Labels {
    pub fn of(labels: &[String], table: &HostedLabels) -> Self {
        match labels {
            [] => Self::None,
            _ if labels.iter().all(|label| table.is_current(label)) => Self::Hosted,
            _ if labels.iter().any(|label| table.retired(label).is_some())
                && !labels.iter().any(|label| table.is_self_hosted(label)) =>
            {
                Self::Retired
            }
            _ => Self::Own,
        }
    }
}

/// Whether a job has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Fine,
    /// Queued, and no runner has it.
    Queued,
    /// A runner has it, and no step was reported.
    Assigned,
    /// For an environment's rules.
    Waiting,
    /// For its concurrency group.
    Pending,
    /// It ended without a step of its file.
    NeverRan,
}

impl Standing {
    pub fn of(job: &Job) -> Self {
        match &*job.status {
            "waiting" => Self::Waiting,
            "pending" => Self::Pending,
            "queued" | "requested" if !job.assigned => Self::Queued,
            "queued" | "requested" => Self::Assigned,
            "in_progress" if job.without_steps => Self::Assigned,
            "completed"
                if (job.steps == 0 || job.setup_failed)
                    && matches!(&*job.conclusion, "failure" | "cancelled" | "startup_failure") =>
            {
                Self::NeverRan
            }
            _ => Self::Fine,
        }
    }
}
