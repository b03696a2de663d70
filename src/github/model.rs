//! What is read of GitHub's objects: the fields that a verdict needs, each of which may be absent. States stay words, because
//! new ones appear without notice.

use jiff::Timestamp;
use serde_json::Value;

use super::read::{Read, flag, id, integer, list, text, time, word};

#[derive(Clone, Debug, Default)]
pub struct Repo {
    pub private: bool,
    /// `archived` or `disabled`: such ones run nothing.
    pub off: Option<&'static str>,
    /// The owner is an organisation.
    pub organization: bool,
    pub owner: String,
    /// What it is a fork of.
    pub parent: Option<String>,
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
        let (home, head) = (text(value, "repository/full_name"), text(value, "head_repository/full_name"));
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
    pub completed: Option<Timestamp>,
    pub steps: usize,
    pub labels: Vec<String>,
    /// A runner has taken it.
    pub assigned: bool,
}

impl Read for Job {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: id(value, "id")?,
            name: word(value, "name"),
            status: word(value, "status"),
            conclusion: word(value, "conclusion"),
            created: time(value, "created_at"),
            completed: time(value, "completed_at"),
            steps: value.get("steps").and_then(Value::as_array).map_or(0, Vec::len),
            labels: list(value, "labels").unwrap_or_default(),
            // 0, null and the empty name all mean nobody (cracktunes#399)
            assigned: id(value, "runner_id").is_some() || text(value, "runner_name").is_some(),
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

/// Of a repository.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    pub enabled: Option<bool>,
    pub allowed_actions: String,
    pub sha_pinning: bool,
}

impl Read for Permissions {
    fn read(value: &Value) -> Option<Self> {
        value.as_object()?;
        Some(Self {
            enabled: flag(value, "enabled"),
            allowed_actions: word(value, "allowed_actions"),
            sha_pinning: flag(value, "sha_pinning_required").unwrap_or(false),
        })
    }
}

/// What `allowed_actions: selected` lets through.
#[derive(Clone, Debug, Default)]
pub struct SelectedActions {
    pub github_owned: bool,
    pub verified: bool,
    pub patterns: Vec<String>,
}

impl Read for SelectedActions {
    fn read(value: &Value) -> Option<Self> {
        value.as_object()?;
        Some(Self {
            github_owned: flag(value, "github_owned_allowed").unwrap_or(false),
            verified: flag(value, "verified_allowed").unwrap_or(false),
            patterns: list(value, "patterns_allowed").unwrap_or_default(),
        })
    }
}

/// `enabled_repositories` of an organisation: `all`, `selected`, `none`.
#[derive(Clone, Debug, Default)]
pub struct OrgPolicy(pub String);

impl Read for OrgPolicy {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "enabled_repositories")?))
    }
}

#[derive(Clone, Debug, Default)]
pub struct ForkPolicy(pub String);

impl Read for ForkPolicy {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "approval_policy")?))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Runner {
    pub name: String,
    pub online: bool,
    pub busy: bool,
    pub labels: Vec<String>,
    pub version: Option<String>,
    /// Of an organisation's runner.
    pub group: Option<i64>,
}

impl Read for Runner {
    fn read(value: &Value) -> Option<Self> {
        // labels of just-in-time runners have no id, and may be bare words
        let label = |label: &Value| label.as_str().map(str::to_owned).or_else(|| text(label, "name"));
        let labels = value.get("labels").and_then(Value::as_array);
        Some(Self {
            name: text(value, "name")?,
            online: word(value, "status") == "online",
            busy: flag(value, "busy").unwrap_or(false),
            labels: labels.map_or_else(Vec::new, |labels| labels.iter().filter_map(label).collect()),
            version: text(value, "version"),
            group: id(value, "runner_group_id"),
        })
    }
}

#[derive(Clone, Debug, Default)]
pub struct RunnerGroup {
    pub id: i64,
    pub name: String,
    pub public_repositories: bool,
    pub workflows: Option<Vec<String>>,
}

impl Read for RunnerGroup {
    fn read(value: &Value) -> Option<Self> {
        let restricted = flag(value, "restricted_to_workflows").unwrap_or(false);
        Some(Self {
            id: id(value, "id").unwrap_or_default(),
            name: text(value, "name")?,
            public_repositories: flag(value, "allows_public_repositories").unwrap_or(false),
            workflows: restricted.then(|| list(value, "selected_workflows").unwrap_or_default()),
        })
    }
}

/// Of a private repository.
#[derive(Clone, Debug, Default)]
pub struct PrivateForkPolicy {
    pub runs: Option<bool>,
    pub approval: Option<bool>,
}

impl Read for PrivateForkPolicy {
    fn read(value: &Value) -> Option<Self> {
        value.as_object()?;
        Some(Self {
            runs: flag(value, "run_workflows_from_fork_pull_requests"),
            approval: flag(value, "require_approval_for_fork_pr_workflows"),
        })
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

/// A larger runner of an organisation; its name is its label.
#[derive(Clone, Debug, Default)]
pub struct HostedRunner {
    pub name: String,
    pub status: String,
}

impl Read for HostedRunner {
    fn read(value: &Value) -> Option<Self> {
        Some(Self { name: text(value, "name")?, status: word(value, "status") })
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
        let reviewer = |entry: &Value| text(entry, "reviewer/login").or_else(|| text(entry, "reviewer/slug"));
        let reviewers = value.get("reviewers").and_then(Value::as_array);
        Some(Self {
            environment: text(value, "environment/name")?,
            wait_minutes: integer(value, "wait_timer").unwrap_or(0),
            timer_started: time(value, "wait_timer_started_at"),
            reviewers: reviewers.map_or_else(Vec::new, |all| all.iter().filter_map(reviewer).collect()),
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
        Some(Self { run: id(value, "run_id")?, status: word(value, "status") })
    }
}

#[derive(Clone, Debug, Default)]
pub struct Annotation(pub String);

impl Read for Annotation {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "message")?))
    }
}
