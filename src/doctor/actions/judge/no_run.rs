//! The commit was pushed, and no run came of it.

use jiff::SignedDuration;

use super::verdict::{RunVerdict, Unknown, age, gh};
use super::{github_side, refused};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::ActionsFacts;
use crate::doctor::actions::local::OutsideBecause;
use crate::doctor::actions::trigger::{Match, on_tag, skip_string};
use crate::doctor::actions::workflow::{WorkflowFile, WorkflowProblem};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::github::model::{Permissions, Run};
use crate::http::segment;

/// Nothing ran in a new repository, this long after the push.
const FIRST_RUN: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn switched_off(facts: &ActionsFacts, what: &'static str) -> RunVerdict {
    let fix = Fix::visit(
        format!("{}/settings", facts.place.web),
        "an admin must unarchive it, or ask GitHub's support",
    );
    let summary = format!("the repository is {what}, and such repositories run nothing");
    RunVerdict::fail(Code::ActionsDisabled, summary, fix)
        .with([Evidence::new(what, "true").expected("false")])
}

/// GitHub has made runs as late as this (2026-08-06), with an incident that it declared afterwards.
const LAG: SignedDuration = SignedDuration::from_mins(30);

/// There is no run of the commit on its branch.
pub(super) fn judge(facts: &ActionsFacts) -> Judgement {
    let subject = facts.place.subject.clone();
    let Some(head) = facts.head.as_ref() else {
        let reason = "no run, and no commit to look for: run it in a clone";
        return Judgement::skip(reason).about(subject);
    };
    if !head.pushed {
        return not_pushed().outcome(subject);
    }
    let known = facts.more.workflows.as_ref().and_then(|answer| answer.as_ref().ok());
    let without = known.is_some_and(|page| page.items.is_empty());
    if without && facts.local.workflows.is_empty() && facts.local.outside.is_empty() {
        return Judgement::skip("the repository has no workflow").about(subject);
    }
    let branch = head.branch.as_deref().unwrap_or_default();
    let candidates: Vec<_> = facts
        .local
        .workflows
        .iter()
        .filter(|workflow| !matches!(facts.on_push(workflow, branch), Match::No(_)))
        .collect();
    let verdict = upstream(facts)
        .or_else(|| switch(facts))
        .or_else(|| skipped(&head.message))
        .or_else(|| outside(facts, branch))
        .or_else(|| disabled(facts, &candidates))
        .or_else(|| conflict(facts, branch))
        .or_else(|| invalid(facts, branch))
        .or_else(|| tags(facts, branch))
        .or_else(|| no_trigger(facts, branch))
        .or_else(|| fresh(facts, "no run of this commit yet"))
        .unwrap_or_else(|| unexplained(facts, branch));
    let parent = facts.repo.as_ref().ok().and_then(|repo| repo.parent.as_ref());
    let elsewhere = facts.runs.as_ref().ok().and_then(|page| page.items.first()?.branch.as_ref());
    verdict
        .with([Evidence::new("commit", head.sha.clone())])
        .with([Evidence::new("runs of this branch", "total_count 0")])
        .with(elsewhere.map(|branch| Evidence::foreign("the commit has runs of", branch)))
        .with(parent.map(|parent| Evidence::foreign("a fork: its pull requests run in", parent)))
        .outcome(subject)
}

/// No run of a commit that is not on the server says anything about it.
pub(super) fn not_pushed() -> RunVerdict {
    RunVerdict::unknown(Unknown {
        code: None,
        summary: "the commit is not on the server, so it has no run yet".to_owned(),
        needs: "the commit on the server".to_owned(),
        fix: Fix::report("push the commit"),
        transient: false,
    })
}

/// The workflows that the push should have started, where it started others alone.
pub fn missing(facts: &ActionsFacts) -> Vec<&WorkflowFile> {
    let own = facts.own_runs();
    let Some(head) = facts.head.as_ref().filter(|head| head.pushed) else { return Vec::new() };
    let (Some(branch), Ok(page)) = (&head.branch, &facts.runs) else { return Vec::new() };
    let whole = page.total <= u64::try_from(page.items.len()).unwrap_or(u64::MAX);
    if !whole || own.is_empty() || !own.iter().all(|run| run.names_file()) {
        return Vec::new();
    }
    let absent = |workflow: &&WorkflowFile| {
        workflow.problem.is_none()
            && facts.on_push(workflow, branch) == Match::Yes
            && !own.iter().any(|run| run.is_of(&workflow.path))
    };
    facts.local.workflows.iter().filter(absent).collect()
}

pub(super) fn judge_missing(facts: &ActionsFacts) -> Option<RunVerdict> {
    let missing = missing(facts);
    let first = missing.first()?;
    let message = &facts.head.as_ref()?.message;
    // what skips one workflow skips all of them
    let pushed = facts.own_runs().iter().any(|run| run.event == "push");
    let verdict = disabled(facts, &missing)
        .or_else(|| skipped(message).filter(|_| !pushed))
        .or_else(|| facts.incident().map(github_side::incident))
        .or_else(|| fresh(facts, "no run yet of a workflow whose trigger matches the push"))
        .unwrap_or_else(|| {
            let message = "push an empty commit; if that makes no run of it either, open the workflow's page and look for an error";
            let file = first.path.rsplit('/').next().unwrap_or_default();
            let url = format!("{}/actions/workflows/{}", facts.place.web, segment(file));
            let summary = "the trigger of a workflow matches the push, which made no run of it";
            RunVerdict::warn(Code::ActionsNoRun, summary, Fix::visit(url, message))
        });
    let named = missing.iter().take(6);
    Some(verdict.with(named.map(|file| Evidence::foreign("without a run", &file.path))))
}

/// GitHub may still make the run.
fn fresh(facts: &ActionsFacts, what: &str) -> Option<RunVerdict> {
    let ago = facts.is_fresh()?;
    if let Some(page) = facts.incident() {
        let summary = format!("{what}, and GitHub reports an incident of Actions");
        return Some(
            RunVerdict::unknown(Unknown {
                code: Some(Code::ActionsIncident),
                summary,
                needs: "the end of the incident".to_owned(),
                fix: Fix::wait("wait until the incident is resolved, and look again"),
                transient: true,
            })
            .with([Evidence::foreign("status page, Actions", &page.status).expected("operational")])
            .with(page.incidents.first().map(|title| Evidence::foreign("incident", title)))
            .with([Evidence::new("pushed", format!("{} ago", age(ago)))]),
        );
    }
    Some(RunVerdict::unknown(Unknown {
        code: None,
        summary: format!("{what}: it was pushed {} ago", age(ago)),
        needs: "a minute; `--wait 60` looks again by itself".to_owned(),
        fix: Fix::wait("wait a minute, and look again"),
        transient: true,
    }))
}

/// A merge queue waits for required checks that no workflow runs for it (docs, "Managing a merge
/// queue").
pub(super) fn merge_queue(facts: &ActionsFacts) -> Option<RunVerdict> {
    let rules = facts.more.branch_rules.as_ref()?.as_ref().ok()?;
    let has = |kind: &str| rules.items.iter().any(|rule| rule.0 == kind);
    if !has("merge_queue") || !has("required_status_checks") {
        return None;
    }
    let workflow = lacks_merge_group(facts)?;
    let fix = Fix::report(
        "a maintainer decides: `merge_group:` below `on:` of each workflow with a required check makes the queue run it",
    );
    let summary = "the default branch has a merge queue, and no workflow runs for `merge_group`: a queued pull request waits for its checks until it is removed";
    Some(
        RunVerdict::warn(Code::ActionsNoRun, summary, fix)
            .with([
                Evidence::new("rules of the default branch", "merge_queue, required_status_checks"),
                Evidence::foreign("workflow", &workflow.path),
            ])
            .fixed_by(Actor::RepoAdmin),
    )
}

/// A workflow for pull requests, where none is for a merge queue.
pub fn lacks_merge_group(facts: &ActionsFacts) -> Option<&WorkflowFile> {
    let on = |workflow: &WorkflowFile, event: &str| {
        workflow.triggers.iter().any(|trigger| trigger.event == event)
    };
    let workflows = &facts.local.workflows;
    let covered = workflows.iter().any(|workflow| on(workflow, "merge_group"));
    workflows.iter().find(|workflow| !covered && on(workflow, "pull_request"))
}

/// Actions is off, here or above.
pub(super) fn switch(facts: &ActionsFacts) -> Option<RunVerdict> {
    let Some(Ok(Permissions { enabled: Some(false), .. })) = &facts.more.permissions else {
        return None;
    };
    let above = facts.more.org_permissions.as_ref().and_then(|answer| answer.as_ref().ok());
    let above = above.filter(|policy| policy.0 != "all");
    let (summary, fix) = match above.map(|policy| &*policy.0) {
        None => (
            "Actions is switched off for the repository",
            Fix::visit(
                format!("{}/settings/actions", facts.place.web),
                "an admin must allow Actions: Settings, Actions, General",
            ),
        ),
        Some(policy) => {
            let owner = facts.repo.as_ref().map(|repo| repo.owner.as_str()).unwrap_or_default();
            let url =
                format!("https://{}/organizations/{owner}/settings/actions", facts.place.host());
            let summary = if policy == "none" {
                "the organization has switched Actions off"
            } else {
                "the organization allows Actions for selected repositories, and not for this one"
            };
            (
                summary,
                Fix::visit(
                    url,
                    "an owner of the organization must allow Actions for this repository",
                ),
            )
        }
    };
    let actor = if above.is_some() { Actor::OrgAdmin } else { Actor::RepoAdmin };
    let policy = above.map(|policy| {
        Evidence::foreign("organization's actions/permissions, enabled_repositories", &policy.0)
            .expected("all")
    });
    let evidence = [Evidence::new("actions/permissions, enabled", "false").expected("true")];
    Some(
        RunVerdict::fail(Code::ActionsDisabled, summary, fix)
            .with(evidence)
            .with(policy)
            .fixed_by(actor),
    )
}

fn skipped(message: &str) -> Option<RunVerdict> {
    let found = skip_string(message)?;
    let fix = Fix::run(
        ["git", "commit", "--allow-empty", "--message", "Run the checks"],
        "push a commit without it; checks that the branch requires stay pending forever otherwise",
    );
    let evidence = [Evidence::new("in the commit message", found)];
    Some(
        RunVerdict::warn(Code::ActionsSkipped, "the commit message skips the runs", fix)
            .with(evidence),
    )
}

/// The workflows that would have run are disabled: `candidates`, or all where no file is known.
fn disabled(facts: &ActionsFacts, candidates: &[&WorkflowFile]) -> Option<RunVerdict> {
    let known = facts.more.workflows.as_ref()?.as_ref().ok()?;
    let is_candidate = |path: &str| {
        facts.local.workflows.is_empty() || candidates.iter().any(|file| file.path == path)
    };
    let of_these = || known.items.iter().filter(|workflow| is_candidate(&workflow.path));
    if of_these().any(|workflow| workflow.state == "active") {
        return None;
    }
    let first = of_these().find(|workflow| workflow.state.starts_with("disabled"))?;
    let (why, message) = match &*first.state {
        "disabled_fork" => {
            ("the fork's workflows were never enabled", "enable them on the fork's Actions page")
        }
        "disabled_inactivity" => {
            ("the repository was without activity for 60 days", "enable it again")
        }
        _ => ("somebody disabled it", "enable it again"),
    };
    // the repository chooses its name; the file name is after the last slash
    let file = first.path.rsplit('/').next().unwrap_or_default();
    let plain = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !file.starts_with('-');
    let fix = if plain && first.state != "disabled_fork" {
        Fix::run(gh(facts, &["workflow", "enable", file]), message)
    } else {
        Fix::visit(format!("{}/actions", facts.place.web), message)
    };
    Some(
        RunVerdict::fail(
            Code::ActionsWorkflowDisabled,
            format!("the workflow is disabled: {why}"),
            fix,
        )
        .with([
            Evidence::foreign("workflow", &first.path),
            Evidence::foreign("state", &first.state).expected("active"),
        ]),
    )
}

/// No workflow of the commit matches the push, and a file that is not one of them may have been
/// meant.
fn outside(facts: &ActionsFacts, branch: &str) -> Option<RunVerdict> {
    let local = &facts.local;
    let first = local.outside.first()?;
    if !local.workflows.is_empty() {
        unmatched(facts, branch)?;
    }
    let (summary, message) = match first.why {
        OutsideBecause::WrongFolder => (
            "the workflow file is in a folder that GitHub does not read",
            "move it into .github/workflows/ itself, commit, and push",
        ),
        OutsideBecause::Ignored => (
            "the workflow file is not in the commit: .gitignore excludes it",
            "add it with `git add --force`, commit, and push",
        ),
        OutsideBecause::NotCommitted => {
            ("the workflow file is not in the commit", "add the file, commit, and push")
        }
        OutsideBecause::Changed => (
            "no trigger of the committed workflow files matches the push, and a file was changed since",
            "commit the change, and push",
        ),
    };
    let files = local
        .outside
        .iter()
        .map(|file| Evidence::foreign("file", &format!("{}: {}", file.path, file.why.shown())));
    let fix = Fix::edit(std::path::Path::new(&first.path), message);
    Some(RunVerdict::warn(Code::ActionsNoRun, summary, fix).with(files))
}

/// Each workflow of the commit, and whether the push should have started it; `None`: there are
/// none, or one should have.
fn unmatched<'a>(facts: &'a ActionsFacts, branch: &str) -> Option<Vec<(&'a WorkflowFile, Match)>> {
    let matches: Vec<_> = facts
        .local
        .workflows
        .iter()
        .map(|workflow| (workflow, facts.on_push(workflow, branch)))
        .collect();
    let started = matches.iter().any(|(_, found)| *found == Match::Yes);
    (!matches.is_empty() && !started).then_some(matches)
}

/// The commit's pull request runs in the repository that this one is a fork of.
fn upstream(facts: &ActionsFacts) -> Option<RunVerdict> {
    let runs = &facts.more.upstream_runs.as_ref()?.as_ref().ok()?.items;
    let parent = facts.repo.as_ref().ok()?.parent.as_deref()?;
    // a full name of another form is not made part of a URL
    let plain = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        !part.is_empty() && part.bytes().all(plain)
    };
    let (owner, name) =
        parent.split_once('/').filter(|(owner, name)| plain(owner) && plain(name))?;
    let page = |run: &Run| {
        format!("https://{}/{owner}/{name}/actions/runs/{}", facts.place.host(), run.id)
    };
    let waits = runs.iter().find(|run| run.conclusion == "action_required");
    if let Some(run) = waits {
        let fix = Fix::visit(
            page(run),
            "a maintainer of that repository must read the change and approve the run on its page; unapproved ones are deleted after 30 days",
        );
        let summary = "the commit's pull request runs in the repository that this one is a fork of, and waits for a maintainer's approval there";
        return Some(RunVerdict::fail(Code::ActionsApprovalRequired, summary, fix));
    }
    let first = runs.first()?;
    let state = if first.is_finished() { &first.conclusion } else { &first.status };
    let summary = "the commit's runs are in the repository that this one is a fork of";
    Some(
        RunVerdict::unknown(Unknown {
            code: None,
            summary: summary.to_owned(),
            needs: "a look at that repository's runs".to_owned(),
            fix: Fix::visit(page(first), "look at the run there"),
            transient: false,
        })
        .with([Evidence::foreign("newest run there", state)]),
    )
}

/// GitHub makes a failed run of an invalid file at most, and does not start its jobs.
fn invalid(facts: &ActionsFacts, branch: &str) -> Option<RunVerdict> {
    let matches = unmatched(facts, branch)?;
    let (path, why) = matches.iter().find_map(|(workflow, _)| match &workflow.problem {
        Some(WorkflowProblem::Invalid(why)) => Some((&workflow.path, why)),
        Some(WorkflowProblem::NotRead) | None => None,
    })?;
    let fix = Fix::edit(std::path::Path::new(path), "fix the workflow file, commit, and push");
    let summary = format!("a workflow file of the commit is invalid: {why}");
    Some(RunVerdict::fail(Code::ActionsStartupFailure, summary, fix))
}

/// A tag at the commit should have started a workflow that runs for tags.
fn tags(facts: &ActionsFacts, branch: &str) -> Option<RunVerdict> {
    unmatched(facts, branch)?;
    let tags = &facts.head.as_ref()?.tags;
    let (workflow, tag) = facts.local.workflows.iter().find_map(|workflow| {
        let tag = tags.iter().find(|tag| on_tag(workflow, tag))?;
        Some((workflow, tag))
    })?;
    let fix = Fix::report(
        "if the tag is not on the server, it was not pushed; GitHub makes no event when more than three tags are pushed at once, so such tags must be pushed again one by one",
    );
    let summary = "a workflow runs for a tag of this commit, and the tag made no run";
    Some(
        RunVerdict::warn(Code::ActionsNoRun, summary, fix)
            .with([
                Evidence::foreign("workflow", &workflow.path),
                Evidence::foreign("tag", tag),
                Evidence::new("tags at the commit", tags.len().to_string()),
            ])
            .fixed_by(Actor::RepoAdmin),
    )
}

/// Whether only a pull request could have made a run.
pub fn needs_pull_request(facts: &ActionsFacts) -> bool {
    let branch = facts.head.as_ref().and_then(|head| head.branch.as_deref());
    branch.and_then(|branch| unmatched(facts, branch)).is_some_and(|matches| {
        let events = |workflow: &&WorkflowFile| {
            workflow.triggers.iter().any(|trigger| trigger.event.starts_with("pull_request"))
        };
        matches.iter().any(|(workflow, _)| events(workflow))
    })
}

/// GitHub has no merge commit to run the workflows of a pull request on (docs, "Events that trigger
/// workflows").
fn conflict(facts: &ActionsFacts, branch: &str) -> Option<RunVerdict> {
    unmatched(facts, branch)?;
    let pull =
        facts.more.pull.as_ref()?.as_ref().ok().filter(|pull| pull.mergeable == Some(false))?;
    let fix = Fix::visit(
        format!("{}/pull/{}", facts.place.web, pull.number),
        "merge or rebase on the base branch, resolve the conflict, and push",
    );
    let summary =
        "the branch's pull request conflicts with its base: such pull requests make no run";
    let evidence = [Evidence::new("mergeable", "false").expected("true")];
    Some(RunVerdict::fail(Code::ActionsNoRun, summary, fix).with(evidence))
}

fn no_trigger(facts: &ActionsFacts, branch: &str) -> Option<RunVerdict> {
    let matches = unmatched(facts, branch)?;
    let perhaps = matches.iter().any(|(_, found)| matches!(found, Match::Perhaps(_)));
    // a pull request or a changed file may still make one
    if perhaps && facts.is_fresh().is_some() {
        return None;
    }
    let known = facts.more.workflows.as_ref().and_then(|answer| answer.as_ref().ok());
    let unknown = |workflow: &WorkflowFile| {
        known.is_some_and(|page| page.items.iter().all(|known| known.path != workflow.path))
    };
    let pull = facts.more.pull.as_ref();
    let message = match (perhaps, pull) {
        (false, _) => {
            "if a run is wanted for this branch, its maintainers add a trigger below `on:`; `schedule` and `workflow_dispatch` count on \
             the default branch alone"
        }
        (true, Some(Ok(_))) => {
            "compare `branches`, `types` and `paths` below `on:` with the pull request that is open"
        }
        (true, _) => {
            "open a pull request (one with a merge conflict runs nothing); whether a filter should be wider is for the maintainers to decide"
        }
    };
    let evidence = matches.iter().take(6).map(|(workflow, found)| {
        let why = match found {
            Match::No(why) | Match::Perhaps(why) => why,
            Match::Yes => "it matches",
        };
        let absent = if unknown(workflow) {
            ", and GitHub does not know it: it is not on the default branch"
        } else {
            ""
        };
        Evidence::foreign("workflow", &format!("{}: {why}{absent}", workflow.path))
    });
    let summary = if perhaps {
        "the push made no run: the workflows wait for a pull request, or for certain files"
    } else {
        "no trigger matches the push"
    };
    // when workflows run is a decision of those who are responsible for them
    let verdict = RunVerdict::warn(Code::ActionsNoRun, summary, Fix::report(message))
        .fixed_by(Actor::RepoAdmin);
    let pull = pull.map(|answer| match answer {
        Ok(pull) => {
            let mergeable =
                pull.mergeable.map_or_else(|| "not known yet".to_owned(), |yes| yes.to_string());
            Evidence::new("open pull request", format!("{}, mergeable: {mergeable}", pull.number))
        }
        Err(refusal) => Evidence::new("pull requests", refusal.to_string()),
    });
    Some(verdict.with(evidence).with([Evidence::foreign("branch", branch)]).with(pull))
}

/// A trigger matches, and nothing is off.
fn unexplained(facts: &ActionsFacts, branch: &str) -> RunVerdict {
    let more = &facts.more;
    let enabled =
        matches!(&more.permissions, Some(Ok(permissions)) if permissions.enabled == Some(true));
    let never = matches!(&more.any_runs, Some(Ok(page)) if page.total == 0);
    let active = matches!(&more.workflows, Some(Ok(page)) if page.items.iter().any(|workflow| workflow.state == "active"));
    let evidence = [
        Evidence::foreign("branch", branch),
        Evidence::new(
            "actions/permissions, enabled",
            match &more.permissions {
                Some(Ok(_)) if enabled => "true".to_owned(),
                Some(Ok(_)) | None => "not shown".to_owned(),
                Some(Err(refusal)) => refusal.to_string(),
            },
        ),
    ];
    if let Some(page) = facts.incident() {
        return github_side::incident(page).with(evidence);
    }
    if let Some(Err(refusal)) = &more.permissions {
        let summary = "a trigger matches, and the push made no run; this token has no access to the setting that switches Actions on";
        return refused::refused(facts, refusal).summarized(summary).with(evidence);
    }
    let head = facts.head.as_ref();
    if head.is_some_and(|head| head.by_workflow && head.pushed_at.is_none()) {
        let fix = Fix::report(
            "push a commit by a person, an App or a deploy key; or let the workflow push with the token of one of them",
        );
        let summary = "a workflow made the commit, and what a workflow pushes with its own GITHUB_TOKEN makes no run";
        return RunVerdict::fail(Code::ActionsNoRun, summary, fix)
            .with(evidence)
            .with([Evidence::new("made by", "github-actions[bot]")]);
    }
    let long_ago = facts.pushed_ago().is_none_or(|ago| ago >= FIRST_RUN);
    if never && active && long_ago {
        // `enabled: true` and active workflows are what a suspended account shows too; only a
        // dispatch shows the difference (422)
        let fix = Fix::visit(
            "https://support.github.com",
            "try `gh workflow run` on a workflow with `workflow_dispatch`: `Actions has been disabled for this user` proves it; \
             then appeal to GitHub's support",
        );
        let summary = "a trigger matches, and nothing in this repository ever ran: the account is probably suspended from Actions";
        return RunVerdict::fail(Code::ActionsAccountFlagged, summary, fix).with(evidence);
    }
    if let Some(ago) = facts.pushed_ago().filter(|ago| (SignedDuration::ZERO..LAG).contains(ago)) {
        return RunVerdict::unknown(Unknown {
            code: Some(Code::ActionsNoRun),
            summary: "a trigger matches, and the push has made no run yet: GitHub has taken up to 30 minutes".to_owned(),
            needs: format!("half an hour since the push, which was {} ago", age(ago)),
            fix: Fix::wait("wait until half an hour has passed since the push, and look again"),
            transient: true,
        })
        .with(evidence);
    }
    let fix = Fix::report(
        "push an empty commit; if that makes no run either: was it pushed with a workflow's own GITHUB_TOKEN (which starts \
         nothing), does an Actions policy of the organization exclude who pushed, was it one of a flood of pushes (GitHub drops \
         what exceeds 1500 events in 10 seconds)",
    );
    RunVerdict::fail(Code::ActionsNoRun, "a trigger matches, and the push made no run", fix)
        .with(evidence)
}
