//! What a repository and its organisation allow.

use serde_json::Value;

use crate::github::read::{Read, flag, list, text, word};

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

/// A repository that a policy with `selected` admits: its full name.
#[derive(Clone, Debug, Default)]
pub struct AdmittedRepository(pub String);

impl Read for AdmittedRepository {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "full_name")?))
    }
}

#[derive(Clone, Debug, Default)]
pub struct ForkPolicy(pub String);

impl Read for ForkPolicy {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "approval_policy")?))
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
