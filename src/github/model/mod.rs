//! What is read of GitHub's objects: the fields that a verdict needs, each of which may be absent.
//! States stay text, because new ones appear without notice.

mod policies;
mod runners;

use jiff::Timestamp;
use serde_json::Value;

use super::read::{Read, flag, id, integer, list, text, time, word};
pub use policies::{
    AdmittedRepository, ForkPolicy, OrgPolicy, Permissions, PrivateForkPolicy, SelectedActions,
};
pub use runners::{HostedRunner, Runner, RunnerGroup};

#[derive(Clone, Debug, Default)]
pub struct Repo {
    pub private: bool,
    /// `archived` or `disabled`: such ones run nothing.
    pub off: Option<&'static str>,
    /// The owner is an organisation.
    pub organization: bool,
    pub owner: String,
    /// The repository that it is a fork of.
    pub parent: Option<String>,
    pub default_branch: Option<String>,
}

impl Read for Repo {
    fn read(value: &Value) -> Option<Self> {
        value.as_object()?;
        Some(Self {
            private: flag(value, "private").unwrap_or(false),
            off: ["archived", "disabled"].into_iter().find(|name| flag(value, name) == Some(true)),
            organization: word(value, "owner/type") == "Organization",
            owner: word(value, "owner/login"),
            parent: text(value, "parent/full_name"),
            default_branch: text(value, "default_branch"),
        })
    }
}

#[derive(Clone, Debug, Default)]
pub struct Run {
    pub id: i64,
    pub name: Option<String>,
    /// Of the workflow file; `BuildFailed` where GitHub could not even begin (community#205286).
    pub path: String,
    pub event: String,
    pub branch: Option<String>,
    pub status: String,
    pub conclusion: String,
    pub workflow: Option<i64>,
    pub created: Option<Timestamp>,
    /// Of this attempt: a re-run keeps the first one's `created`.
    pub started: Option<Timestamp>,
    pub actor: String,
    pub actor_is_bot: bool,
    pub from_fork: bool,
}

impl Read for Run {
    fn read(value: &Value) -> Option<Self> {
        let (home, head) =
            (text(value, "repository/full_name"), text(value, "head_repository/full_name"));
        Some(Self {
            id: id(value, "id")?,
            name: text(value, "name"),
            path: word(value, "path"),
            event: word(value, "event"),
            branch: text(value, "head_branch"),
            status: word(value, "status"),
            conclusion: word(value, "conclusion"),
            workflow: id(value, "workflow_id"),
            created: time(value, "created_at"),
            started: time(value, "run_started_at"),
            actor: word(value, "actor/login"),
            actor_is_bot: word(value, "actor/type") == "Bot",
            from_fork: home.zip(head).is_some_and(|(home, head)| !home.eq_ignore_ascii_case(&head)),
        })
    }
}

impl Run {
    /// Whether the workflow file at `path` made it; a reusable one has `@ref` behind its path.
    pub fn is_of(&self, path: &str) -> bool {
        self.path.split('@').next() == Some(path)
    }

    /// It names its workflow file: an old server does not, nor a run that could not begin.
    pub fn names_file(&self) -> bool {
        !matches!(&*self.path, "" | "BuildFailed")
    }

    pub fn is_finished(&self) -> bool {
        self.status == "completed"
    }

    /// When this attempt began to wait.
    pub fn since(&self) -> Option<Timestamp> {
        self.started.or(self.created)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Job {
    pub id: i64,
    pub name: String,
    pub status: String,
    pub conclusion: String,
    pub created: Option<Timestamp>,
    /// When a runner took it; while it is queued, when it was queued.
    pub started: Option<Timestamp>,
    pub completed: Option<Timestamp>,
    pub steps: usize,
    /// The server lists its steps, and there is none.
    pub without_steps: bool,
    /// The runner failed before the first step of the file: an action was refused.
    pub setup_failed: bool,
    pub labels: Vec<String>,
    /// The runner that took it, where it has a name.
    pub runner: Option<String>,
    /// A runner has taken it.
    pub assigned: bool,
}

/// GitHub's own first step, and no other.
fn setup_failed(steps: &[Value]) -> bool {
    matches!(steps, [only] if word(only, "name") == "Set up job" && word(only, "conclusion") == "failure")
}

impl Read for Job {
    fn read(value: &Value) -> Option<Self> {
        let steps = value.get("steps").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let runner = text(value, "runner_name");
        Some(Self {
            id: id(value, "id")?,
            name: word(value, "name"),
            status: word(value, "status"),
            conclusion: word(value, "conclusion"),
            created: time(value, "created_at"),
            started: time(value, "started_at"),
            completed: time(value, "completed_at"),
            steps: steps.len(),
            without_steps: value.get("steps").is_some_and(Value::is_array) && steps.is_empty(),
            setup_failed: setup_failed(steps),
            labels: runners::few(list(value, "labels").unwrap_or_default()),
            // 0, null and the empty name all mean no runner (cracktunes#399)
            assigned: id(value, "runner_id").is_some() || runner.is_some(),
            runner,
        })
    }
}

#[derive(Clone, Debug, Default)]
pub struct Workflow {
    pub path: String,
    pub state: String,
}

impl Read for Workflow {
    fn read(value: &Value) -> Option<Self> {
        Some(Self { path: text(value, "path")?, state: word(value, "state") })
    }
}

#[derive(Clone, Debug, Default)]
pub struct PullRequest {
    pub number: i64,
    /// `None` in lists, and while GitHub has not tried yet.
    pub mergeable: Option<bool>,
}

impl Read for PullRequest {
    fn read(value: &Value) -> Option<Self> {
        Some(Self { number: id(value, "number")?, mergeable: flag(value, "mergeable") })
    }
}

#[derive(Clone, Debug, Default)]
pub struct PendingDeployment {
    pub environment: String,
    pub wait_minutes: i64,
    pub timer_started: Option<Timestamp>,
    pub reviewers: Vec<String>,
    pub may_approve: bool,
}

impl Read for PendingDeployment {
    fn read(value: &Value) -> Option<Self> {
        let reviewer =
            |entry: &Value| text(entry, "reviewer/login").or_else(|| text(entry, "reviewer/slug"));
        let reviewers = value.get("reviewers").and_then(Value::as_array);
        Some(Self {
            environment: text(value, "environment/name")?,
            wait_minutes: integer(value, "wait_timer").unwrap_or(0),
            timer_started: time(value, "wait_timer_started_at"),
            reviewers: reviewers
                .map_or_else(Vec::new, |all| all.iter().filter_map(reviewer).collect()),
            may_approve: flag(value, "current_user_can_approve").unwrap_or(false),
        })
    }
}

#[derive(Clone, Debug, Default)]
pub struct ConcurrencyGroup {
    pub name: String,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, Default)]
pub struct Member {
    pub run: i64,
    /// The job that is in the group, where it is not the whole run.
    pub job: Option<i64>,
    pub job_name: Option<String>,
    pub status: String,
}

impl Read for ConcurrencyGroup {
    fn read(value: &Value) -> Option<Self> {
        let members = list(value, "group_members").unwrap_or_default();
        Some(Self { name: text(value, "group_name")?, members })
    }
}

impl Read for Member {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            run: id(value, "run_id")?,
            job: id(value, "job_id"),
            job_name: text(value, "job_name"),
            status: word(value, "status"),
        })
    }
}

/// A rule of a branch: its type.
#[derive(Clone, Debug, Default)]
pub struct BranchRule(pub String);

impl Read for BranchRule {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "type")?))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Annotation(pub String);

impl Read for Annotation {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "message")?))
    }
}
