//! The commit was pushed, and no run came of it.

use super::{RUNS, Verdict, gh};
use crate::catalogue::Code;
use crate::doctor::actions::facts::Facts;
use crate::doctor::actions::trigger::{Match, on_push, skip_string};
use crate::doctor::actions::workflow::Workflow;
use crate::doctor::outcome::{Evidence, Fix, Outcome};

pub(super) fn switched_off(facts: &Facts, what: &'static str) -> Verdict {
    let fix = Fix::visit(
        format!("{}/settings", facts.place.web),
        "an admin must unarchive it, or ask GitHub's support",
    );
    let summary = format!("the repository is {what}, and such ones run nothing");
    Verdict::fail(Code::ActionsDisabled, summary, fix).with([Evidence::new(what, "true").expected("false")])
}

pub(super) fn judge(facts: &Facts) -> Outcome {
    let subject = facts.place.subject.clone();
    let Some(head) = facts.head.as_ref().filter(|head| head.pushed) else {
        return Outcome::skip(
            RUNS,
            Some(subject),
            "no run of this branch, and its newest commit is not on the server yet",
        );
    };
    let known = facts.more.workflows.as_ref().and_then(|answer| answer.as_ref().ok());
    if known.is_some_and(|page| page.items.is_empty()) && facts.local.workflows.is_empty() {
        return Outcome::skip(RUNS, Some(subject), "the repository has no workflow");
    }
    let branch = head.branch.as_deref().unwrap_or_default();
    let verdict = switch(facts)
        .or_else(|| skipped(&head.message))
        .or_else(|| disabled(facts))
        .or_else(|| no_trigger(facts, branch))
        .unwrap_or_else(|| unexplained(facts, branch));
    verdict
        .with([Evidence::new("commit", head.sha.clone()), Evidence::new("runs", "total_count 0")])
        .outcome(subject)
}

/// Actions is off, here or above.
fn switch(facts: &Facts) -> Option<Verdict> {
    let more = &facts.more;
    if let Some(Ok(permissions)) = &more.permissions
        && permissions.enabled == Some(false)
    {
        let fix = Fix::visit(
            format!("{}/settings/actions", facts.place.web),
            "an admin must allow Actions: Settings, Actions, General",
        );
        let evidence = [Evidence::new("actions/permissions, enabled", "false").expected("true")];
        return Some(
            Verdict::fail(Code::ActionsDisabled, "Actions is switched off for the repository", fix)
                .with(evidence),
        );
    }
    if let Some(Ok(policy)) = &more.org_permissions
        && policy.0 == "none"
    {
        let owner = facts.repo.as_ref().map(|repo| repo.owner.as_str()).unwrap_or_default();
        let host = facts.place.web.split('/').nth(2).unwrap_or("github.com");
        let url = format!("https://{host}/organizations/{owner}/settings/actions");
        let fix = Fix::visit(url, "an owner of the organisation must allow Actions for this repository");
        let evidence = [Evidence::new("organisation's actions/permissions, enabled_repositories", "none")];
        return Some(
            Verdict::fail(Code::ActionsDisabled, "the organisation has switched Actions off", fix)
                .with(evidence),
        );
    }
    None
}

fn skipped(message: &str) -> Option<Verdict> {
    let found = skip_string(message)?;
    let fix = Fix::run(
        ["git", "commit", "--allow-empty", "--message", "Run the checks"],
        "push a commit without it; checks that the branch requires stay pending for ever otherwise",
    );
    let evidence = [Evidence::new("in the commit message", found)];
    Some(Verdict::warn(Code::ActionsSkipped, "the commit message skips the runs", fix).with(evidence))
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
        "disabled_inactivity" => ("the repository was without activity for 60 days", "enable it again"),
        _ => ("somebody disabled it", "enable it again"),
    };
    // its name is the repository's to choose; the file name stands after the last slash
    let file = first.path.rsplit('/').next().unwrap_or_default();
    let plain = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !file.starts_with('-');
    let fix = if plain && first.state != "disabled_fork" {
        Fix::run(
            gh(facts, &["workflow", "enable", file]).into_iter().map(str::to_owned).collect::<Vec<_>>(),
            say,
        )
    } else {
        Fix::visit(format!("{}/actions", facts.place.web), say)
    };
    Some(Verdict::fail(Code::ActionsWorkflowDisabled, format!("the workflow is disabled: {why}"), fix).with(
        [
            Evidence::foreign("workflow", &first.path),
            Evidence::foreign("state", &first.state).expected("active"),
        ],
    ))
}

fn no_trigger(facts: &Facts, branch: &str) -> Option<Verdict> {
    let workflows = &facts.local.workflows;
    if workflows.is_empty() {
        return None;
    }
    let matches: Vec<(&Workflow, Match)> =
        workflows.iter().map(|workflow| (workflow, on_push(workflow, branch))).collect();
    if matches.iter().any(|(_, found)| *found == Match::Yes) {
        return None;
    }
    let perhaps = matches.iter().any(|(_, found)| matches!(found, Match::Perhaps(_)));
    let path = std::path::Path::new(&workflows.first()?.path);
    let say = if perhaps {
        "open a pull request (one with a merge conflict runs nothing), or widen the filter"
    } else {
        "add a trigger for this branch to `on:`; `schedule` and `workflow_dispatch` count on the default branch alone"
    };
    let evidence = matches.iter().take(6).map(|(workflow, found)| {
        let why = match found {
            Match::No(why) | Match::Perhaps(why) => why,
            Match::Yes => "it matches",
        };
        Evidence::foreign("workflow", &format!("{}: {why}", workflow.path))
    });
    let summary = if perhaps {
        "no run, and no trigger that needs no pull request or changed path"
    } else {
        "no trigger matches the push"
    };
    let verdict = Verdict::warn(Code::ActionsNoRun, summary, Fix::edit(path, say));
    Some(verdict.with(evidence).with([Evidence::foreign("branch", branch)]))
}

/// A trigger matches, and nothing is off.
fn unexplained(facts: &Facts, branch: &str) -> Verdict {
    let more = &facts.more;
    let enabled = matches!(&more.permissions, Some(Ok(permissions)) if permissions.enabled == Some(true));
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
        // `enabled: true` and active workflows are what a suspended account shows too; only a dispatch tells (422)
        let fix = Fix::visit(
            "https://support.github.com",
            "try `gh workflow run` on a workflow with `workflow_dispatch`: `Actions has been disabled for this user` proves it; \
             then appeal to GitHub's support",
        );
        let summary = "a trigger matches, and nothing in this repository ever ran: the account is probably kept from Actions";
        return Verdict::fail(Code::ActionsAccountFlagged, summary, fix).with(evidence);
    }
    if let Some(page) = facts.incident() {
        return super::queue::incident(page).with(evidence);
    }
    let fix = Fix::report(
        "push an empty commit; if that makes no run either: was it pushed with a workflow's own GITHUB_TOKEN (which starts \
         nothing), is an Actions policy of the organisation in the way, did the pull request conflict",
    );
    Verdict::fail(Code::ActionsNoRun, "a trigger matches, and the push made no run", fix).with(evidence)
}
