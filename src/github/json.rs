//! JSON of a server, reduced while it is read to the fields that are used: GitHub repeats dozens of
//! URLs in every object, and a hostile server may send anything.

use serde_json::Value;

use crate::json;

/// Every field that `model` and the status page read, by its last name.
pub(super) const FIELDS: &[&str] = &[
    "actor",
    "allowed_actions",
    "allows_public_repositories",
    "approval_policy",
    "archived",
    "busy",
    "completed_at",
    "components",
    "conclusion",
    "concurrency_groups",
    "created_at",
    "current_user_can_approve",
    "default_branch",
    "disabled",
    "enabled",
    "enabled_repositories",
    "environment",
    "event",
    "full_name",
    "github_owned_allowed",
    "group_members",
    "group_name",
    "head_branch",
    "head_repository",
    "id",
    "incidents",
    "inherited",
    "job_id",
    "job_name",
    "jobs",
    "labels",
    "login",
    "maximum_runners",
    "mergeable",
    "message",
    "name",
    "number",
    "owner",
    "parent",
    "path",
    "patterns_allowed",
    "private",
    "repositories",
    "repository",
    "require_approval_for_fork_pr_workflows",
    "restricted_to_workflows",
    "reviewer",
    "reviewers",
    "run_id",
    "run_started_at",
    "run_workflows_from_fork_pull_requests",
    "runner_group_id",
    "runner_groups",
    "runner_id",
    "runner_name",
    "runners",
    "selected_workflows",
    "sha_pinning_required",
    "slug",
    "started_at",
    "state",
    "status",
    "steps",
    "total_count",
    "type",
    "verified_allowed",
    "version",
    "wait_timer",
    "wait_timer_started_at",
    "workflow_id",
    "workflow_runs",
    "workflows",
];

/// What was read, and about how many bytes it takes.
#[derive(Debug)]
pub struct Reduced {
    pub value: Value,
    pub size: usize,
}

/// `None`: it is not JSON, or what is used of it takes more than `most` bytes.
pub fn reduce(text: &[u8], most: usize) -> Option<Reduced> {
    let mut left = most;
    let value = json::read_fields(text, FIELDS, &mut left).ok()?;
    Some(Reduced { value, size: most - left })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, most: usize) -> Option<String> {
        Some(reduce(text.as_bytes(), most)?.value.to_string())
    }

    #[test]
    fn only_fields_that_are_used_are_kept() {
        let text = r#" {"jobs": [{"id": 1, "url": "x", "steps": [{}, null, 1.5, true, -2]}], "x": [[["y"]]]} "#;
        let kept = r#"{"jobs":[{"id":1,"steps":[{},null,1.5,true,-2]}]}"#;
        assert_eq!(read(text, 10_000).as_deref(), Some(kept));
        for broken in ["", "{", "{} x", "[1,]", "{\"id\":}", "nul", "{\"x\": [}"] {
            assert_eq!(read(broken, 10_000), None, "{broken}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let zeros = format!("[{}0]", "0,".repeat(999));
        assert_eq!(reduce(zeros.as_bytes(), 1_000_000).unwrap().size, 1000 * json::VALUE);
        assert!(reduce(zeros.as_bytes(), 1000 * json::VALUE - 1).is_none());
        let long = format!("{{\"name\": \"{}\"}}", "a".repeat(5000));
        assert!(read(&long, 6000).is_some() && read(&long, 5000).is_none());
        let ignored = format!("{{\"url\": \"{}\", \"urls\": {zeros}}}", "a".repeat(5000));
        assert_eq!(reduce(ignored.as_bytes(), 10).unwrap().size, 0);
        for open in ["[", "{\"id\":", "{\"x\":["] {
            assert_eq!(read(&open.repeat(100_000), usize::MAX), None, "{open}");
        }
    }

    #[test]
    fn fields_are_listed_once() {
        let unique: std::collections::BTreeSet<_> = FIELDS.iter().collect();
        assert_eq!(unique.len(), FIELDS.len());
    }
}
