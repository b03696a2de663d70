//! Who could take a job.

use serde_json::Value;

use crate::github::read::{Read, flag, id, list, text, word};

/// Each label of a job is compared with each of a runner.
const MOST_LABELS: usize = 50;

pub(super) fn few(mut labels: Vec<String>) -> Vec<String> {
    labels.truncate(MOST_LABELS);
    labels
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
        let label =
            |label: &Value| label.as_str().map(str::to_owned).or_else(|| text(label, "name"));
        let labels = value.get("labels").and_then(Value::as_array);
        Some(Self {
            name: text(value, "name")?,
            online: word(value, "status") == "online",
            busy: flag(value, "busy").unwrap_or(false),
            labels: labels.map_or_else(Vec::new, |labels| {
                labels.iter().filter_map(label).take(MOST_LABELS).collect()
            }),
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
