//! The commit was pushed, and no run came of it.

use super::verdict::{Kind, Verdict, age, gh};
use super::{github_side, refused};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::Facts;
use crate::doctor::actions::trigger::{Match, on_push, skip_string};
use crate::doctor::actions::workflow::Workflow;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::github::model::Permissions;

pub(super) fn switched_off(facts: &Facts, what: &'static str) -> Verdict {
    let fix = Fix::visit(
        format!("{}/settings", facts.place.web),
        "an admin must unarchive it, or ask GitHub's support",
    );
    let summary = format!("the repository is {what}, and such ones run nothing");
    Verdict::fail(Code::ActionsDisabled, summary, fix)
        .with([Evidence::new(what, "true").expected("false")])
}

pub(super) fn judge(facts: &Facts) -> Judgement {
    let subject = facts.place.subject.clone();
    let Some(head) = facts.head.as_ref().filter(|head| head.pushed) else {
        return Judgement::skip(
            "no run of this branch, and its newest commit is not on the server yet",
        )
        .about(subject);
    };
    let known = facts.more.workflows.as_ref().and_then(|answer| answer.as_ref().ok());
    if known.is_some_and(|page| page.items.is_empty()) && facts.local.workflows.is_empty() {
        return Judgement::skip("the repository has no workflow").about(subject);
    }
    if let Some(ago) = facts.is_fresh().filter(|_| skip_string(&head.message).is_none()) {
        let needs = "a minute; `--wait 60` looks again by itself".to_owned();
        let kind = Kind::Unknown { code: None, needs, transient: true };
        let summary = format!("no run of this commit yet: it was pushed {} ago", age(ago));
        return Verdict::new(kind, summary, Fix::wait("wait a minute, and look again"))
            .outcome(subject);
    }
    let branch = head.branch.as_deref().unwrap_or_default();
    let verdict = switch(facts)
        .or_else(|| skipped(&head.message))
        .or_else(|| disabled(facts))
        .or_else(|| conflict(facts, branch))
        .or_else(|| no_trigger(facts, branch))
        .unwrap_or_else(|| unexplained(facts, branch));
    let parent = facts.repo.as_ref().ok().and_then(|repo| repo.parent.as_ref());
    verdict
        .with([Evidence::new("commit", head.sha.clone()), Evidence::new("runs", "total_count 0")])
        .with(parent.map(|parent| Evidence::foreign("a fork: its pull requests run in", parent)))
        .outcome(subject)
}

/// Actions is off, here or above.
fn switch(facts: &Facts) -> Option<Verdict> {
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
                "the organisation has switched Actions off"
            } else {
                "the organisation allows Actions for selected repositories, and not for this one"
            };
            (
                summary,
                Fix::visit(
                    url,
                    "an owner of the organisation must allow Actions for this repository",
                ),
            )
        }
    };
    let mender = if above.is_some() { Actor::OrgAdmin } else { Actor::RepoAdmin };
    let policy = above.map(|policy| {
        Evidence::foreign("organisation's actions/permissions, enabled_repositories", &policy.0)
            .expected("all")
    });
    let evidence = [Evidence::new("actions/permissions, enabled", "false").expected("true")];
    Some(
        Verdict::fail(Code::ActionsDisabled, summary, fix)
            .with(evidence)
            .with(policy)
            .mended_by(mender),
    )
}

fn skipped(message: &str) -> Option<Verdict> {
    let found = skip_string(message)?;
    let fix = Fix::run(
        ["git", "commit", "--allow-empty", "--message", "Run the checks"],
        "push a commit without it; checks that the branch requires stay pending for ever otherwise",
    );
    let evidence = [Evidence::new("in the commit message", found)];
    Some(
        Verdict::warn(Code::ActionsSkipped, "the commit message skips the runs", fix)
            .with(evidence),
    )
}

/// The workflows that would have run are disabled.
fn disabled(facts: &Facts) -> Option<Verdict> {
    let known = facts.more.workflows.as_ref()?.as_ref().ok()?;
    let off = |state: &str| state.starts_with("disabled");
    let mut disabled = known.items.iter().filter(|workflow| off(&workflow.state));
    let first = disabled.next()?;
    if known.items.iter().any(|workflow| workflow.state == "active") {
        return None;
    }
    let (why, say) = match &*first.state {
        "disabled_fork" => {
            ("the fork's workflows were never enabled", "enable them on the fork's Actions page")
        }
        "disabled_inactivity" => {
            ("the repository was without activity for 60 days", "enable it again")
        }
        _ => ("somebody disabled it", "enable it again"),
    };
    // its name is the repository's to choose; the file name stands after the last slash
    let file = first.path.rsplit('/').next().unwrap_or_default();
    let plain = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !file.starts_with('-');
    let fix = if plain && first.state != "disabled_fork" {
        Fix::run(gh(facts, &["workflow", "enable", file]), say)
    } else {
        Fix::visit(format!("{}/actions", facts.place.web), say)
    };
    Some(
        Verdict::fail(
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

/// Each workflow of the work tree, and whether the push should have started it; `None`: there are
/// none, or one should have.
fn unmatched<'a>(facts: &'a Facts, branch: &str) -> Option<Vec<(&'a Workflow, Match)>> {
    let matches: Vec<_> = facts
        .local
        .workflows
        .iter()
        .map(|workflow| (workflow, on_push(workflow, branch)))
        .collect();
    let started = matches.iter().any(|(_, found)| *found == Match::Yes);
    (!matches.is_empty() && !started).then_some(matches)
}

/// Whether only a pull request could have made a run.
pub fn needs_pull_request(facts: &Facts) -> bool {
    let branch = facts.head.as_ref().and_then(|head| head.branch.as_deref());
    branch.and_then(|branch| unmatched(facts, branch)).is_some_and(|matches| {
        let events = |workflow: &&Workflow| {
            workflow.triggers.iter().any(|trigger| trigger.event.starts_with("pull_request"))
        };
        matches.iter().any(|(workflow, _)| events(workflow))
    })
}

/// GitHub has no merge commit to run the workflows of a pull request on (docs, "Events that trigger
/// workflows").
fn conflict(facts: &Facts, branch: &str) -> Option<Verdict> {
    unmatched(facts, branch)?;
    let pull =
        facts.more.pull.as_ref()?.as_ref().ok().filter(|pull| pull.mergeable == Some(false))?;
    let fix = Fix::visit(
        format!("{}/pull/{}", facts.place.web, pull.number),
        "merge or rebase on the base branch, resolve the conflict, and push",
    );
    let summary = "the branch's pull request conflicts with its base: such ones make no run";
    let evidence = [Evidence::new("mergeable", "false").expected("true")];
    Some(Verdict::fail(Code::ActionsNoRun, summary, fix).with(evidence))
}

fn no_trigger(facts: &Facts, branch: &str) -> Option<Verdict> {
    let matches = unmatched(facts, branch)?;
    let perhaps = matches.iter().any(|(_, found)| matches!(found, Match::Perhaps(_)));
    let path = std::path::Path::new(&matches.first()?.0.path);
    let known = facts.more.workflows.as_ref().and_then(|answer| answer.as_ref().ok());
    let unknown = |workflow: &Workflow| {
        known.is_some_and(|page| page.items.iter().all(|known| known.path != workflow.path))
    };
    let pull = facts.more.pull.as_ref();
    let say = match (perhaps, pull) {
        (false, _) => {
            "add a trigger for this branch to `on:`; `schedule` and `workflow_dispatch` count on the default branch alone"
        }
        (true, Some(Ok(_))) => {
            "compare `branches`, `types` and `paths` below `on:` with the pull request that is open"
        }
        (true, _) => {
            "open a pull request (one with a merge conflict runs nothing), or widen the filter"
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
    let verdict = Verdict::warn(Code::ActionsNoRun, summary, Fix::edit(path, say));
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
fn unexplained(facts: &Facts, branch: &str) -> Verdict {
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
                Some(Ok(_)) | None => "not told".to_owned(),
                Some(Err(refusal)) => refusal.to_string(),
            },
        ),
    ];
    if never && active {
        // `enabled: true` and active workflows are what a suspended account shows too; only a
        // dispatch tells (422)
        let fix = Fix::visit(
            "https://support.github.com",
            "try `gh workflow run` on a workflow with `workflow_dispatch`: `Actions has been disabled for this user` proves it; \
             then appeal to GitHub's support",
        );
        let summary = "a trigger matches, and nothing in this repository ever ran: the account is probably kept from Actions";
        return Verdict::fail(Code::ActionsAccountFlagged, summary, fix).with(evidence);
    }
    if let Some(page) = facts.incident() {
        return github_side::incident(page).with(evidence);
    }
    if let Some(Err(refusal)) = &more.permissions {
        let summary = "a trigger matches, and the push made no run; whether Actions is on cannot be seen with this token";
        return refused::refused(facts, refusal).renamed(summary).with(evidence);
    }
    let fix = Fix::report(
        "push an empty commit; if that makes no run either: was it pushed with a workflow's own GITHUB_TOKEN (which starts \
         nothing), does an Actions policy of the organisation exclude who pushed, was it one of a flood of pushes (GitHub drops \
         what exceeds 1500 events in 10 seconds)",
    );
    Verdict::fail(Code::ActionsNoRun, "a trigger matches, and the push made no run", fix)
        .with(evidence)
}
