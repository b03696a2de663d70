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
    /// The enterprise's: its runners are in no list of the organization.
    pub inherited: bool,
    pub workflows: Option<Vec<String>>,
}

impl Runner {
    /// Whether it can take a job with these labels. Runners of a scale set may have no label at all:
    /// a job names their set, and their names begin with it (ARC: `SET-abcde-runner-fghij`).
    pub fn fits(&self, labels: &[String]) -> bool {
        match labels {
            [set] if self.labels.is_empty() => self.is_of_set(set),
            _ => labels
                .iter()
                .all(|label| self.labels.iter().any(|own| own.eq_ignore_ascii_case(label))),
        }
    }

    /// Whether the scale set of this name made it.
    pub fn is_of_set(&self, set: &str) -> bool {
        let (name, set) = (self.name.to_lowercase(), set.to_lowercase());
        if set.is_empty() || !self.labels.is_empty() {
            return false;
        }
        match name.strip_prefix(&set) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('-').is_some_and(|rest| {
                let parts: Vec<_> = rest.split('-').collect();
                matches!(&parts[..], [_] | [_, "runner", _])
            }),
            None => false,
        }
    }
}

impl Read for RunnerGroup {
    fn read(value: &Value) -> Option<Self> {
        let restricted = flag(value, "restricted_to_workflows").unwrap_or(false);
        Some(Self {
            id: id(value, "id").unwrap_or_default(),
            name: text(value, "name")?,
            public_repositories: flag(value, "allows_public_repositories").unwrap_or(false),
            inherited: flag(value, "inherited").unwrap_or(false),
            workflows: restricted.then(|| list(value, "selected_workflows").unwrap_or_default()),
        })
    }
}

/// A larger runner of an organisation; its name is its label.
#[derive(Clone, Debug, Default)]
pub struct HostedRunner {
    pub name: String,
    pub status: String,
    pub group: Option<i64>,
    /// How many of it run at the same time.
    pub most: Option<i64>,
}

impl Read for HostedRunner {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            status: word(value, "status"),
            group: id(value, "runner_group_id"),
            most: id(value, "maximum_runners"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_sets_are_known_by_name() {
        let runner = |name: &str, labels: &[&str]| Runner {
            name: name.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..Runner::default()
        };
        let fits = |name: &str, labels: &[&str], wanted: &[&str]| {
            let wanted: Vec<_> = wanted.iter().map(|label| (*label).to_owned()).collect();
            runner(name, labels).fits(&wanted)
        };
        for (name, labels, wanted, expected) in [
            ("gpu-fqq29-runner-zgfhn", &[][..], &["gpu"][..], true),
            ("GPU-fqq29", &[], &["gpu"], true),
            ("gpu", &[], &["gpu"], true),
            ("gpu-big-fqq29-runner-zgfhn", &[], &["gpu"], false),
            ("gpu-big-fqq29-runner-zgfhn", &[], &["gpu-big"], true),
            ("gpu-fqq29-runner-zgfhn", &[], &["self-hosted", "gpu"], false),
            ("gpux-1", &[], &["gpu"], false),
            ("gpu-1", &["cpu"], &["gpu"], false),
            ("box", &["self-hosted", "GPU"], &["gpu"], true),
            ("box", &[], &[""], false),
        ] {
            assert_eq!(fits(name, labels, wanted), expected, "{name} {labels:?} {wanted:?}");
        }
    }
}
