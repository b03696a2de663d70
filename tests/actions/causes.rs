//! The causes that are known, each of which must have a scenario.

use super::scenario::Scenario;

/// What keeps runs from starting, as far as it is known, and the codes in which each may end. First
/// those that wait (A), then those that wait for a person (B), those that ended without starting
/// (C), and pushes that made no run (D).
pub const CAUSES: &[(&str, &str, &[&str])] = &[
    ("A1", "an incident of GitHub's", &["actions-incident"]),
    ("A2", "a run that an incident left behind", &["actions-orphaned-run"]),
    ("A3", "a label that nobody has", &["actions-label-unknown"]),
    ("A4", "a hosted image that was retired", &["actions-label-retired"]),
    (
        "A5",
        "a larger or a vendor's runner that is not there",
        &["actions-label-unknown", "actions-runner-offline"],
    ),
    (
        "A6",
        "own runners: none, offline, busy",
        &[
            "actions-label-unknown",
            "actions-runner-offline",
            "actions-runner-busy",
            "actions-github-side",
            "actions-forbidden",
        ],
    ),
    ("A7", "a runner group that does not admit the repository", &["actions-runner-group"]),
    ("A8", "the organisation forbids own runners", &["actions-policy"]),
    ("A9", "a runner program that is too old", &["actions-runner-offline"]),
    ("A10", "the account's concurrent jobs are used up", &["actions-slots-saturated"]),
    ("A11", "a concurrency group", &["actions-concurrency"]),
    ("A12", "an environment's reviewers or timer", &["actions-environment-wait"]),
    ("A13", "an App's deployment protection rule", &["actions-environment-wait"]),
    ("A14", "hosted runners are slow", &["actions-hosted-delay"]),
    ("A15", "a flagged account", &["actions-account-flagged"]),
    ("A16", "`requested` for long", &["actions-orphaned-run"]),
    ("A17", "none of the known causes", &["actions-github-side"]),
    ("B1", "a pull request from a fork", &["actions-approval-required"]),
    ("B2", "a pull request from a private fork", &["actions-approval-required"]),
    ("B3", "a pull request of Copilot's agent", &["actions-approval-required"]),
    ("B4", "a pull request that a bot opened", &["actions-approval-required"]),
    ("C1", "billing", &["actions-billing", "actions-startup-failure"]),
    (
        "C2",
        "a workflow file that cannot be used",
        &["actions-startup-failure", "actions-concurrency"],
    ),
    ("C3", "an action that the policy forbids", &["actions-policy"]),
    ("C4", "an environment's branch policy", &["actions-environment-wait"]),
    ("C5", "no runner for a day", &["actions-label-retired", "actions-runner-offline"]),
    ("C6", "hosted, and not acquired", &["actions-github-side", "actions-incident"]),
    ("D1", "Actions is off for the repository", &["actions-disabled"]),
    ("D2", "Actions is off above it", &["actions-disabled"]),
    ("D3", "an account that is kept from Actions", &["actions-account-flagged"]),
    ("D4", "an archived or disabled repository", &["actions-disabled"]),
    ("D5", "a disabled workflow", &["actions-workflow-disabled"]),
    ("D6", "a workflow that is not on the default branch", &["actions-no-run"]),
    ("D7", "a commit message that skips", &["actions-skipped"]),
    ("D8", "a filter for branches, tags or paths", &["actions-no-run"]),
    ("D9", "a pull request with a conflict", &["actions-no-run"]),
    ("D10", "pushed with GITHUB_TOKEN", &["actions-no-run"]),
    ("D11", "pushed with a deploy key, which is no cause", &["actions-no-token"]),
    ("D12", "an Actions policy on who may start runs", &["actions-no-run"]),
    ("D13", "a flood of events", &["actions-no-run"]),
    ("D14", "a schedule that does not come", &["actions-no-run"]),
];

/// Causes without a scenario, and scenarios that end in none of their cause's codes.
pub fn incomplete(all: &[Scenario]) -> Vec<String> {
    let shown = |cause: &str| all.iter().any(|scenario| scenario.cause.as_deref() == Some(cause));
    let missing = CAUSES.iter().filter(|(cause, ..)| !shown(cause));
    let mut faults: Vec<_> =
        missing.map(|(cause, what, _)| format!("{cause} has no scenario: {what}")).collect();
    for scenario in all {
        let Some(cause) = &scenario.cause else { continue };
        let Some((.., codes)) = CAUSES.iter().find(|(known, ..)| known == cause) else {
            faults.push(format!("{}: no cause {cause}", scenario.name));
            continue;
        };
        if !scenario.codes().iter().any(|code| codes.contains(&&**code)) {
            faults.push(format!("{}: {cause} ends in {codes:?}", scenario.name));
        }
    }
    faults
}
