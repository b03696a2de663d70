//! What is on GitHub's side, and what GitHub says of itself.

use super::verdict::RunVerdict;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::actions::facts::ActionsFacts;
use crate::doctor::actions::status_page::StatusPage;
use crate::doctor::outcome::Evidence;

pub(super) fn table(facts: &ActionsFacts) -> Evidence {
    Evidence::new("table of hosted labels", facts.labels.dated(facts.now))
}

pub(super) fn incident(page: &StatusPage) -> RunVerdict {
    let fix = Fix::wait("wait until the incident is resolved, then push or run again");
    RunVerdict::fail(Code::ActionsIncident, "GitHub reports an incident of Actions", fix)
        .with([Evidence::foreign("status page, Actions", &page.status).expected("operational")])
        .with(page.incidents.first().map(|title| Evidence::foreign("incident", title)))
}

pub(super) fn unexplained(facts: &ActionsFacts, summary: &str) -> RunVerdict {
    let fix = Fix::visit(
        "https://support.github.com",
        "run it again; if that waits too, give GitHub's support the run's address and this list",
    );
    RunVerdict::fail(Code::ActionsGithubSide, summary, fix).with([ruled_out(facts)])
}

/// What was looked at and is not the cause.
pub(super) fn ruled_out(facts: &ActionsFacts) -> Evidence {
    let mut out = vec!["labels are GitHub's own"];
    if facts.status.as_ref().is_some_and(Result::is_ok) {
        out.push("no incident on the status page");
    }
    if facts.more.in_progress.as_ref().is_some_and(Result::is_ok) {
        out.push("few runs in progress here");
    }
    out.extend(["no concurrency group", "no environment", "no approval pending"]);
    Evidence::new("ruled out", out.join(" · "))
}
