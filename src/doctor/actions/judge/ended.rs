//! Runs that ended without starting: approval, billing, policy, the workflow file, environments,
//! the 24-hour limit.

use super::verdict::{LATE, Verdict, gh, named, run_url, worst};
use super::{github_side, policy, queue};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::{Facts, Looked, Standing};
use crate::doctor::actions::workflow::Problem;
use crate::doctor::outcome::Evidence;
use crate::github::Page;
use crate::github::model::Job;

/// The platform's own words, in annotations alone; a user's log can say anything (community#208495,
/// runner-admission reports).
const BILLING: [&str; 5] = [
    "recent account payments have failed",
    "an actions budget is preventing further use",
    "you have exceeded your spending limit",
    "artifact storage quota has been hit",
    "usage quota has been exceeded",
];

/// Waits for a maintainer: `completed`, without jobs.
pub(super) fn approval(facts: &Facts, looked: &Looked) -> Verdict {
    let run = &looked.run;
    let id = run.id.to_string();
    let path = facts.place.web.split('/').skip(3).collect::<Vec<_>>().join("/");
    let code = Code::ActionsApprovalRequired;
    let actor = Evidence::foreign("actor", &run.actor);
    if run.from_fork {
        let endpoint = format!("repos/{path}/actions/runs/{id}/approve");
        let fix = Fix::run(
            ["gh", "api", "--method", "POST", &endpoint],
            "a maintainer must read the change and approve the run; unapproved ones are deleted after 30 days",
        );
        let policy = facts.more.fork_policy.as_ref().and_then(|answer| answer.as_ref().ok());
        let private =
            facts.more.private_fork_policy.as_ref().and_then(|answer| answer.as_ref().ok());
        let told = |(name, value): (&'static str, Option<bool>)| {
            Some(Evidence::new(name, value?.to_string()))
        };
        let private = private.map(|policy| {
            [
                ("run_workflows_from_fork_pull_requests", policy.runs),
                ("require_approval_for_fork_pr_workflows", policy.approval),
            ]
        });
        return Verdict::fail(
            code,
            "the pull request comes from a fork, and its run waits for a maintainer's approval",
            fix,
        )
        .with([actor])
        .with(policy.map(|policy| Evidence::foreign("approval policy", &policy.0)))
        .with(private.into_iter().flatten().filter_map(told));
    }
    // `approve` is for forks and answers 403 here; a re-run by a person works
    // (kubernetes-sigs/prow#798)
    let say = "a maintainer must approve the run on its page, or run it again with their own token; pull requests that an App or \
               a person opens do not wait";
    let summary = if run.actor_is_bot || run.actor == "Copilot" {
        "a bot opened the pull request, and its run waits for a maintainer"
    } else {
        "the run waits for a maintainer's approval"
    };
    Verdict::fail(code, summary, Fix::run(gh(facts, &["run", "rerun", &id]), say)).with([actor])
}

pub(super) fn judge(facts: &Facts, looked: &Looked, jobs: &Page<Job>) -> Option<Verdict> {
    if !matches!(&*looked.run.conclusion, "failure" | "cancelled" | "startup_failure" | "stale") {
        return None;
    }
    if let Some(verdict) = worst(jobs.items.iter().filter_map(|job| job_named(facts, looked, job)))
    {
        return Some(verdict);
    }
    if looked.run.conclusion == "startup_failure"
        || looked.run.conclusion == "failure" && jobs.items.is_empty()
    {
        return Some(at_startup(facts, looked));
    }
    let stale = looked.run.conclusion == "stale";
    stale.then(|| github_side::unexplained(facts, "GitHub gave the run up without running it"))
}

fn job_named(facts: &Facts, looked: &Looked, job: &Job) -> Option<Verdict> {
    Some(self::job(facts, looked, job)?.with(named(job)))
}

/// A job that ended without a step. `None`: for a reason of its own run, such as a cancelled run or
/// a skipped need.
pub(super) fn job(facts: &Facts, looked: &Looked, job: &Job) -> Option<Verdict> {
    if Standing::of(job) != Standing::NeverRan {
        return None;
    }
    let annotations = looked.annotations.get(&job.id);
    let messages =
        annotations.and_then(|answer| answer.as_ref().ok()).map_or(&[][..], |page| &page.items);
    if let Some(verdict) =
        messages.iter().find_map(|message| by_annotation(facts, looked, &message.0))
    {
        return Some(verdict);
    }
    let waited = job.created.zip(job.completed).map(|(from, to)| to.duration_since(from));
    if job.conclusion == "cancelled" {
        return waited
            .filter(|waited| *waited >= LATE)
            .and_then(|_| queue::late(facts, looked, job));
    }
    let refusal = annotations.and_then(|answer| answer.as_ref().err());
    let steps = Evidence::new("steps", "none");
    let why = refusal.map(|refusal| Evidence::new("annotations", refusal.to_string()));
    let fix = Fix::visit(
        run_url(facts, looked.run.id),
        "open the run: its page tells the reason, which no answer of the API does",
    );
    let summary = "a job ended before its first step: billing, a policy or an environment; the reason is on the run's page";
    Some(
        Verdict::fail(Code::ActionsStartupFailure, summary, fix)
            .with([steps])
            .with(why)
            .mended_by(Actor::WorkspaceUser),
    )
}

fn by_annotation(facts: &Facts, looked: &Looked, message: &str) -> Option<Verdict> {
    let lower = message.to_lowercase();
    let has = |words: &str| lower.contains(words);
    let page = run_url(facts, looked.run.id);
    let verdict = match () {
        () if BILLING.iter().any(|words| has(words)) => Verdict::fail(
            Code::ActionsBilling,
            "GitHub refuses the job because of billing",
            Fix::visit(
                billing_page(facts),
                "the owner must look at both payment history and budgets: the message names either; no change of code helps",
            ),
        ),
        () if has("is not allowed to deploy to") && has("environment protection rules") => {
            Verdict::fail(
                Code::ActionsEnvironmentWait,
                "the environment's rules do not admit this branch",
                Fix::visit(
                    format!("{}/settings/environments", facts.place.web),
                    "add the branch to the environment's deployment branches (a pull request counts as `refs/pull/N/merge`)",
                ),
            )
        }
        () if has("deployment was rejected or didn't satisfy other protection rules") => {
            Verdict::fail(
                Code::ActionsEnvironmentWait,
                "the deployment was rejected",
                Fix::visit(page, "ask the reviewer who rejected it"),
            )
        }
        () if has("deadlock") && has("concurrency group") => Verdict::fail(
            Code::ActionsConcurrency,
            "a workflow and the one that it calls want the same concurrency group",
            Fix::report(
                "give the reusable workflow's group a name of its own: `github.workflow` is the caller's name there",
            ),
        ),
        () if has("higher priority waiting request") => Verdict::warn(
            Code::ActionsConcurrency,
            "a newer run of the concurrency group took its place",
            Fix::wait("look at the newer run; this one was superseded"),
        ),
        () if has("was not acquired by runner of type hosted") => match facts.incident() {
            Some(page) => github_side::incident(page),
            None => github_side::unexplained(
                facts,
                "GitHub found no runner of its own for the job in time",
            ),
        },
        () if has("actions has been disabled for this") || has("account was suspended") => {
            Verdict::fail(
                Code::ActionsAccountFlagged,
                "GitHub has suspended the account or repository from Actions",
                Fix::visit("https://support.github.com", "appeal to GitHub's support"),
            )
        }
        () => return None,
    };
    Some(verdict.with([Evidence::foreign("annotation", message)]))
}

fn billing_page(facts: &Facts) -> String {
    match facts.repo.as_ref() {
        Ok(repo) if repo.organization => {
            format!("https://github.com/organizations/{}/settings/billing", repo.owner)
        }
        _ => "https://github.com/settings/billing".to_owned(),
    }
}

/// No job was ever made.
fn at_startup(facts: &Facts, looked: &Looked) -> Verdict {
    let code = Code::ActionsStartupFailure;
    if let Some(verdict) = policy::judge(facts, looked) {
        return verdict;
    }
    let workflow = facts.local.workflows.iter().find(|workflow| workflow.path == looked.run.path);
    let invalid = workflow.and_then(|workflow| match workflow.problem.as_ref()? {
        Problem::Invalid(why) => Some((&workflow.path, why)),
        Problem::NotRead => None,
    });
    if let Some((path, problem)) = invalid {
        let fix = Fix::edit(std::path::Path::new(path), "mend the workflow file");
        return Verdict::fail(code, format!("the workflow file cannot be used: {problem}"), fix);
    }
    let page = run_url(facts, looked.run.id);
    if looked.run.path == "BuildFailed" {
        // gh calls this a workflow file issue, which is wrong here (community#205286)
        let fix = Fix::visit(
            page,
            "open the run, then the owner's payment history and budgets: this is what a billing block looks like",
        );
        let summary = "GitHub could not begin the run: a failed payment, a budget or a policy; the workflow file is not at fault";
        return Verdict::fail(code, summary, fix)
            .with([Evidence::new("path", "BuildFailed")])
            .mended_by(Actor::OrgAdmin);
    }
    let fix = Fix::visit(
        page,
        "open the run: its page tells the reason, which no answer of the API does. Usual: a syntax error, a reusable workflow \
         that cannot be found, permissions that are too narrow",
    );
    Verdict::fail(code, "the run ended at startup, before any job", fix)
        .with(policy::doubtful(facts, looked))
        .mended_by(Actor::WorkspaceUser)
}
