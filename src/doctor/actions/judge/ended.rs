//! Runs that ended without starting: approval, billing, policy, the workflow file, environments,
//! the 24-hour limit.

use super::verdict::{LATE, RunVerdict, named, run_url, worst};
use super::{annotations, github_side, policy, queue};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::{ActionsFacts, Looked, Standing};
use crate::doctor::actions::workflow::WorkflowProblem;
use crate::doctor::outcome::Evidence;
use crate::github::Page;
use crate::github::model::{Annotation, Job};

/// No fine-grained token has a permission for them.
const ANNOTATION_TOKEN: &str = "the token of `gh auth token`, a classic token with `repo`, or an App with Checks: read; a fine-grained token cannot read them";

/// Waits for a maintainer: `completed`, without jobs.
pub(super) fn approval(facts: &ActionsFacts, looked: &Looked) -> RunVerdict {
    let run = &looked.run;
    let page = run_url(facts, run.id);
    let code = Code::ActionsApprovalRequired;
    let actor = Evidence::foreign("actor", &run.actor);
    if run.from_fork {
        // no command: whoever runs it must have read the change of a stranger
        let fix = Fix::visit(
            page,
            "a maintainer must read the change and approve the run on its page; unapproved ones are deleted after 30 days",
        );
        let policy = facts.more.fork_policy.as_ref().and_then(|answer| answer.as_ref().ok());
        let private =
            facts.more.private_fork_policy.as_ref().and_then(|answer| answer.as_ref().ok());
        let shown = |(name, value): (&'static str, Option<bool>)| {
            Some(Evidence::new(name, value?.to_string()))
        };
        let private = private.map(|policy| {
            [
                ("run_workflows_from_fork_pull_requests", policy.runs),
                ("require_approval_for_fork_pr_workflows", policy.approval),
            ]
        });
        return RunVerdict::fail(
            code,
            "the pull request comes from a fork, and its run waits for a maintainer's approval",
            fix,
        )
        .with([actor])
        .with(policy.map(|policy| Evidence::foreign("approval policy", &policy.0)))
        .with(private.into_iter().flatten().filter_map(shown));
    }
    // the API's `approve` is for forks and answers 403 here; a re-run by a person works
    // (kubernetes-sigs/prow#798)
    let message = "a maintainer must read the change and approve the run on its page, or run it again; pull requests that an App or \
               a person opens do not wait";
    let summary = if run.actor_is_bot || run.actor == "Copilot" {
        "a bot opened the pull request, and its run waits for a maintainer"
    } else {
        "the run waits for a maintainer's approval"
    };
    RunVerdict::fail(code, summary, Fix::visit(page, message)).with([actor])
}

pub(super) fn judge(facts: &ActionsFacts, looked: &Looked, jobs: &Page<Job>) -> Option<RunVerdict> {
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
    match &*looked.run.conclusion {
        "stale" => {
            Some(github_side::unexplained(facts, "GitHub gave up the run without starting it"))
        }
        "cancelled" if jobs.items.is_empty() => Some(without_jobs(facts, looked)),
        _ => None,
    }
}

/// Cancelled before it had a job: while it waited for its concurrency group.
fn without_jobs(facts: &ActionsFacts, looked: &Looked) -> RunVerdict {
    let fix = Fix::visit(
        run_url(facts, looked.run.id),
        "look at the newer run of the concurrency group; if there is none, run it again",
    );
    let summary = "the run was cancelled before it had a job: a newer run of its concurrency group replaced it, or somebody cancelled it";
    RunVerdict::warn(Code::ActionsConcurrency, summary, fix)
        .with([Evidence::new("jobs", "total_count 0")])
}

fn job_named(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    Some(self::job(facts, looked, job)?.with(named(job)))
}

/// A job that ended without a step. `None`: for a reason of its own run, such as a cancelled run or
/// a skipped need.
pub(super) fn job(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    if Standing::of(job) != Standing::NeverRan {
        return None;
    }
    let annotations = looked.annotations.get(&job.id);
    let messages =
        annotations.and_then(|answer| answer.as_ref().ok()).map_or(&[][..], |page| &page.items);
    let known = |message: &Annotation| annotations::judge(facts, looked, job, &message.0);
    if let Some(verdict) = messages.iter().find_map(known) {
        return Some(verdict);
    }
    let waited = job.created.zip(job.completed).map(|(from, to)| to.duration_since(from));
    if job.conclusion == "cancelled" {
        return waited
            .filter(|waited| *waited >= LATE)
            .and_then(|_| queue::late(facts, looked, job));
    }
    let refusal = annotations.and_then(|answer| answer.as_ref().err());
    let steps = if job.setup_failed { "only `Set up job`, which failed" } else { "none" };
    let steps = Evidence::new("steps", steps);
    // what is not known is shown
    let shown = messages.iter().take(3).map(|message| Evidence::foreign("annotation", &message.0));
    let why = refusal.map(|refusal| Evidence::new("annotations", refusal.to_string()));
    let unread = refusal.map(|_| Evidence::new("to read the annotations", ANNOTATION_TOKEN));
    let fix = Fix::visit(
        run_url(facts, looked.run.id),
        "open the run: its page shows the reason, which the API does not",
    );
    let summary = "a job ended before its first step: billing, a policy or an environment; the reason is on the run's page";
    Some(
        RunVerdict::fail(Code::ActionsStartupFailure, summary, fix)
            .with([steps])
            .with(shown)
            .with(why)
            .with(unread)
            .fixed_by(Actor::WorkspaceUser),
    )
}

/// No job was ever made.
fn at_startup(facts: &ActionsFacts, looked: &Looked) -> RunVerdict {
    let code = Code::ActionsStartupFailure;
    if let Some(verdict) = policy::judge(facts, looked) {
        return verdict;
    }
    let workflow = facts.local.workflows.iter().find(|workflow| looked.run.is_of(&workflow.path));
    let invalid = workflow.and_then(|workflow| match workflow.problem.as_ref()? {
        WorkflowProblem::Invalid(why) => Some((&workflow.path, why)),
        WorkflowProblem::NotRead => None,
    });
    if let Some((path, problem)) = invalid {
        let fix = Fix::edit(std::path::Path::new(path), "fix the workflow file");
        return RunVerdict::fail(code, format!("the workflow file is invalid: {problem}"), fix);
    }
    let page = run_url(facts, looked.run.id);
    if looked.run.path == "BuildFailed" {
        // gh calls this a workflow file issue, which is wrong here (community#205286)
        let fix = Fix::visit(
            page,
            "open the run, then the owner's payment history and budgets: this is what a billing block looks like",
        );
        let summary = "GitHub could not begin the run: a failed payment, a budget or a policy; the workflow file is not the cause";
        return RunVerdict::fail(code, summary, fix)
            .with([Evidence::new("path", "BuildFailed")])
            .fixed_by(Actor::OrgAdmin);
    }
    let fix = Fix::visit(
        page,
        "open the run: its page shows the reason, which the API does not. Common ones: a syntax error, a reusable workflow \
         that cannot be found, permissions that are too narrow",
    );
    RunVerdict::fail(code, "the run ended at startup, before any job", fix)
        .with(policy::doubtful(facts, looked))
        .fixed_by(Actor::WorkspaceUser)
}
