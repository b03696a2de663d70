//! What GitHub itself writes on a job that it did not start. Its words are looked for in annotations
//! alone: a log contains whatever the workflow prints (community#208495).

use super::verdict::{RunVerdict, run_url};
use super::{github_side, own, policy, queue};
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::actions::facts::{ActionsFacts, Looked};
use crate::doctor::outcome::Evidence;
use crate::github::model::Job;

/// What an annotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Billing,
    EnvironmentBranch,
    DeploymentRejected,
    Deadlock,
    Superseded,
    NotAcquired,
    Suspended,
    /// No runner came, for a day or until `timeout-minutes` ran out.
    NoRunner,
    Brownout,
    HostedDisabled,
    NotPinned,
    ActionNotAllowed,
    RunnerLost,
}

/// All texts of a row must be in the message, in lower case; the first row counts.
const TEXTS: &[(Meaning, &[&str])] = &[
    (Meaning::Billing, &["recent account payments have failed"]),
    (Meaning::Billing, &["an actions budget is preventing further use"]),
    (Meaning::Billing, &["you have exceeded your spending limit"]),
    (Meaning::Billing, &["artifact storage quota has been hit"]),
    (Meaning::Billing, &["usage quota has been exceeded"]),
    (Meaning::Billing, &["account is locked due to a billing issue"]),
    (Meaning::EnvironmentBranch, &["is not allowed to deploy to", "environment protection rules"]),
    (
        Meaning::DeploymentRejected,
        &["deployment was rejected or didn't satisfy other protection rules"],
    ),
    (Meaning::Deadlock, &["deadlock", "concurrency group"]),
    (Meaning::Superseded, &["higher priority waiting request"]),
    (Meaning::NotAcquired, &["was not acquired by runner of type hosted"]),
    (Meaning::Suspended, &["actions has been disabled for this"]),
    (Meaning::Suspended, &["account was suspended"]),
    (Meaning::NoRunner, &["no enabled runners online to process the request"]),
    (Meaning::NoRunner, &["while awaiting a runner for"]),
    (Meaning::NoRunner, &["has exceeded the maximum execution time of"]),
    (Meaning::Brownout, &["this is a scheduled", "brownout"]),
    (Meaning::HostedDisabled, &["hosted runners are disabled for this repository"]),
    (Meaning::NotPinned, &["must be pinned to a full-length commit sha"]),
    (Meaning::ActionNotAllowed, &["not allowed to be used in"]),
    (Meaning::ActionNotAllowed, &["not allowed in", "because all actions must be"]),
    (Meaning::RunnerLost, &["lost communication with the server"]),
];

fn meaning(message: &str) -> Option<Meaning> {
    let message = message.to_lowercase();
    let says = |texts: &[&str]| texts.iter().all(|text| message.contains(text));
    TEXTS.iter().find(|(_, texts)| says(texts)).map(|(meaning, _)| *meaning)
}

/// An annotation of the job says that no runner came.
pub fn had_no_runner(looked: &Looked, job: &Job) -> bool {
    let page = looked.annotations.get(&job.id).and_then(|answer| answer.as_ref().ok());
    page.is_some_and(|page| {
        page.items.iter().any(|message| meaning(&message.0) == Some(Meaning::NoRunner))
    })
}

/// `None`: the message is not one of GitHub's that are known.
pub(super) fn judge(
    facts: &ActionsFacts,
    looked: &Looked,
    job: &Job,
    message: &str,
) -> Option<RunVerdict> {
    let page = run_url(facts, looked.run.id);
    let verdict = match meaning(message)? {
        Meaning::Billing => RunVerdict::fail(
            Code::ActionsBilling,
            "GitHub refuses the job because of billing",
            Fix::visit(
                billing_page(facts),
                "the owner must check both payment history and budgets: the message covers either; a change of code does not help",
            ),
        ),
        Meaning::EnvironmentBranch => RunVerdict::fail(
            Code::ActionsEnvironmentWait,
            "the environment's rules do not admit this branch",
            Fix::visit(
                format!("{}/settings/environments", facts.place.web),
                "add the branch to the environment's deployment branches (a pull request counts as `refs/pull/N/merge`)",
            ),
        ),
        Meaning::DeploymentRejected => RunVerdict::fail(
            Code::ActionsEnvironmentWait,
            "the deployment was rejected",
            Fix::visit(page, "ask the reviewer who rejected it"),
        ),
        Meaning::Deadlock => RunVerdict::fail(
            Code::ActionsConcurrency,
            "a workflow and the one that it calls use the same concurrency group",
            Fix::report(
                "give the reusable workflow's group another name: `github.workflow` is the caller's name there",
            ),
        ),
        Meaning::Superseded => RunVerdict::warn(
            Code::ActionsConcurrency,
            "a newer run of the concurrency group replaced it",
            Fix::wait("look at the newer run; this one was superseded"),
        ),
        Meaning::NotAcquired => match facts.incident() {
            Some(page) => github_side::incident(page),
            None => github_side::unexplained(
                facts,
                "GitHub found no runner of its own for the job in time",
            ),
        },
        Meaning::Suspended => RunVerdict::fail(
            Code::ActionsAccountFlagged,
            "GitHub has suspended the account or repository from Actions",
            Fix::visit("https://support.github.com", "appeal to GitHub's support"),
        ),
        Meaning::NoRunner => queue::late(facts, looked, job)?,
        Meaning::Brownout => brownout(facts, looked),
        Meaning::HostedDisabled => RunVerdict::fail(
            Code::ActionsPolicy,
            "GitHub-hosted runners are disabled for the repository",
            Fix::report(
                "an administrator of the enterprise must allow hosted runners, or the job must use a runner of your own",
            ),
        )
        .fixed_by(Actor::OrgAdmin),
        Meaning::NotPinned => RunVerdict::fail(
            Code::ActionsPolicy,
            policy::NOT_PINNED,
            own::in_workflow(facts, looked, policy::PIN),
        ),
        Meaning::ActionNotAllowed => RunVerdict::fail(
            Code::ActionsPolicy,
            policy::NOT_ALLOWED,
            Fix::visit(format!("{}/settings/actions", facts.place.web), policy::ALLOW),
        ),
        Meaning::RunnerLost => RunVerdict::fail(
            Code::ActionsRunnerOffline,
            "the runner lost its connection to GitHub",
            Fix::visit(
                format!("{}/settings/actions/runners", facts.place.web),
                "check the runner's machine and network, then run the job again",
            ),
        ),
    };
    Some(verdict.with([Evidence::foreign("annotation", message)]))
}

/// The label is still served, except on announced days.
fn brownout(facts: &ActionsFacts, looked: &Looked) -> RunVerdict {
    let message = "replace the label in `runs-on`: GitHub retires it, and announces the date in the annotation";
    RunVerdict::fail(
        Code::ActionsLabelRetired,
        "GitHub refuses the job's label today: this is a scheduled brownout before it is retired",
        own::in_workflow(facts, looked, message),
    )
}

fn billing_page(facts: &ActionsFacts) -> String {
    let host = facts.place.host();
    // a tenant of ghe.com is one enterprise, which pays for all of its organizations
    if let Some(tenant) = host.strip_suffix(".ghe.com") {
        return format!("https://{host}/enterprises/{tenant}/billing");
    }
    match facts.repo.as_ref() {
        Ok(repo) if repo.organization => {
            format!("https://{host}/organizations/{}/settings/billing", repo.owner)
        }
        _ => format!("https://{host}/settings/billing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_its_meaning() {
        for (message, expected) in [
            (
                "The job was not started because recent account payments have failed or your spending limit needs to be increased.",
                Some(Meaning::Billing),
            ),
            (
                "The job was not started because your account is locked due to a billing issue.",
                Some(Meaning::Billing),
            ),
            (
                "Branch \"x\" is not allowed to deploy to e due to environment protection rules.",
                Some(Meaning::EnvironmentBranch),
            ),
            (
                "Canceling since a deadlock for concurrency group 'g' was detected between 'top level workflow' and 'w'",
                Some(Meaning::Deadlock),
            ),
            (
                "This request was automatically failed because there were no enabled runners online to process the request for more than 1 days.",
                Some(Meaning::NoRunner),
            ),
            (
                "The job has exceeded the maximum execution time while awaiting a runner for 24h0m0s",
                Some(Meaning::NoRunner),
            ),
            ("The job has exceeded the maximum execution time of 8m0s", Some(Meaning::NoRunner)),
            (
                "This is a scheduled Ubuntu 22.04 brownout. Ubuntu 22.04 LTS runner will be removed on 2027-04-17.",
                Some(Meaning::Brownout),
            ),
            (
                "GitHub Actions hosted runners are disabled for this repository. For more information please contact your GitHub Enterprise Administrator.",
                Some(Meaning::HostedDisabled),
            ),
            (
                "The actions actions/checkout@v6 are not allowed in o/app because all actions must be pinned to a full-length commit SHA.",
                Some(Meaning::NotPinned),
            ),
            (
                "actions/checkout@v6 is not allowed to be used in o/app. Actions in this workflow must be: within a repository owned by o.",
                Some(Meaning::ActionNotAllowed),
            ),
            (
                "The self-hosted runner: box lost communication with the server. Verify the machine is running.",
                Some(Meaning::RunnerLost),
            ),
            ("Process completed with exit code 1.", None),
            ("", None),
        ] {
            assert_eq!(meaning(message), expected, "{message}");
        }
    }
}
