//! What was gathered about one repository: answers and refusals, unjudged.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::hosted_labels::HostedLabels;
use super::local::{Head, Local};
use super::status_page::StatusPage;
use crate::github::model::{
    Annotation, ConcurrencyGroup, ForkPolicy, HostedRunner, Job, OrgPolicy, PendingDeployment,
    Permissions, PrivateForkPolicy, PullRequest, Repo, Run, Runner, RunnerGroup, SelectedActions,
    Workflow,
};
use crate::github::{Answer, Forge, Page};
use crate::http::Failure;

const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// Everything that the judge sees.
#[derive(Debug)]
pub struct Facts {
    pub place: Place,
    pub forge: Forge,
    /// By the server's clock, where it answered.
    pub now: Timestamp,
    /// By the clock of this machine.
    pub local_now: Timestamp,
    pub head: Option<Head>,
    pub local: Local,
    pub labels: HostedLabels,
    pub repo: Answer<Repo>,
    /// Of the commit at hand; of the branch where that commit is not on the server.
    pub runs: Answer<Page<Run>>,
    /// The newest runs that do not simply run or have run, with what was asked about them.
    pub looked: Vec<Looked>,
    pub status: Option<Result<StatusPage, Failure>>,
    pub more: More,
    pub asked: Asked,
}

/// How the repository is named in subjects, URLs and commands: made from parsed values.
#[derive(Clone, Debug)]
pub struct Place {
    /// `o/app`, or `host/o/app`.
    pub subject: String,
    /// `https://host/o/app`
    pub web: String,
}

impl Place {
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
    /// What is said of tokens that cannot be used.
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
    pub jobs: Answer<Page<Job>>,
    pub deployments: Option<Answer<Page<PendingDeployment>>>,
    pub groups: Option<Answer<Page<ConcurrencyGroup>>>,
    /// The members ahead of this run in the group where it waits.
    pub ahead: Option<Answer<ConcurrencyGroup>>,
    /// By job.
    pub annotations: BTreeMap<i64, Answer<Page<Annotation>>>,
}

impl Looked {
    /// Whether `job` waits for one that it needs; `None`: that cannot be told.
    pub fn needs(&self, local: &Local, job: &Job) -> Option<bool> {
        super::needs::waits(local, &self.run, &self.jobs.as_ref().ok()?.items, job)
    }
}

/// What is asked only where a run gives reason to.
#[derive(Debug, Default)]
pub struct More {
    pub workflows: Option<Answer<Page<Workflow>>>,
    pub permissions: Option<Answer<Permissions>>,
    pub selected: Option<Answer<SelectedActions>>,
    pub org_permissions: Option<Answer<OrgPolicy>>,
    /// Of the whole repository: whether anything ever ran.
    pub any_runs: Option<Answer<Page<Run>>>,
    pub in_progress: Option<Answer<Page<Run>>>,
    pub repo_runners: Option<Answer<Page<Runner>>>,
    pub org_runners: Option<Answer<Page<Runner>>>,
    pub runner_groups: Option<Answer<Page<RunnerGroup>>>,
    pub self_hosted_policy: Option<Answer<OrgPolicy>>,
    pub hosted_runners: Option<Answer<Page<HostedRunner>>>,
    pub fork_policy: Option<Answer<ForkPolicy>>,
    pub private_fork_policy: Option<Answer<PrivateForkPolicy>>,
    /// The open pull request of the branch.
    pub pull: Option<Answer<PullRequest>>,
}

impl Facts {
    /// How long ago `then` was.
    pub fn age(&self, then: Option<Timestamp>) -> Option<SignedDuration> {
        Some(self.now.duration_since(then?))
    }

    /// How long ago the commit was pushed, by this machine's clock, where that is a moment: GitHub
    /// makes the run in seconds.
    pub fn is_fresh(&self) -> Option<SignedDuration> {
        let ago = self.local_now.duration_since(self.head.as_ref()?.pushed_at?);
        (SignedDuration::ZERO..FRESH).contains(&ago).then_some(ago)
    }

    pub fn incident(&self) -> Option<&StatusPage> {
        self.status.as_ref()?.as_ref().ok().filter(|page| page.is_incident())
    }
}

/// How the labels of a job read, before anybody is asked for runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    None,
    /// GitHub serves them all.
    Hosted,
    Retired,
    /// Somebody's own runners, or a slip.
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

/// How a job stands to starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Fine,
    /// Queued, and no runner has it.
    Queued,
    /// For an environment's rules.
    Waiting,
    /// For its concurrency group.
    Pending,
    /// It ended without a step.
    NeverRan,
}

impl Standing {
    pub fn of(job: &Job) -> Self {
        match &*job.status {
            "waiting" => Self::Waiting,
            "pending" => Self::Pending,
            "queued" | "requested" if !job.assigned => Self::Queued,
            "completed"
                if job.steps == 0
                    && matches!(&*job.conclusion, "failure" | "cancelled" | "startup_failure") =>
            {
                Self::NeverRan
            }
            _ => Self::Fine,
        }
    }
}
