//! From facts to outcomes. Pure.

mod annotations;
mod ended;
mod files;
mod github_side;
mod groups;
mod no_run;
mod own;
mod policy;
mod queue;
mod refused;
mod run;
mod verdict;

use super::facts::ActionsFacts;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::github::model::Run;
use crate::github::{Forge, Page};
use crate::variables::GITHUB_STATUS_URL;

pub(super) use annotations::had_no_runner;
pub(super) use files::workflow_files;
pub(super) use no_run::{lacks_merge_group, missing, needs_pull_request};
pub use verdict::{HOSTED_SUSPECT, LATE};
use verdict::{RunVerdict, Unknown, counted, run_subject, run_url};

/// The newest runs, with how GitHub was asked.
pub(super) fn runs(facts: &ActionsFacts) -> Vec<Judgement> {
    let judgements = judge_runs(facts).into_iter();
    judgements.map(|judgement| judgement.with(how_it_was_asked(facts))).collect()
}

fn judge_runs(facts: &ActionsFacts) -> Vec<Judgement> {
    let subject = facts.place.subject.clone();
    if let Some(what) = facts.repo.as_ref().ok().and_then(|repo| repo.off) {
        return vec![no_run::switched_off(facts, what).outcome(subject)];
    }
    let page = match (&facts.repo, &facts.runs) {
        (_, Ok(page)) => page,
        (repo, Err(refusal)) => {
            // GitHub answers 404 where Actions is off
            if let Some(verdict) = no_run::switch(facts) {
                return vec![verdict.outcome(subject)];
            }
            // why the repository cannot be read says more than why its runs cannot
            let refusal = repo.as_ref().err().unwrap_or(refusal);
            return vec![refused::refused(facts, refusal).outcome(subject)];
        }
    };
    let own = facts.own_runs();
    if own.is_empty() {
        return vec![no_run::judge(facts)];
    }
    let each = facts.looked.iter().filter_map(|looked| {
        Some((
            run_url(facts, looked.run.id),
            run_subject(facts, looked),
            run::judge(facts, looked)?,
        ))
    });
    let mut outcomes = verdict::once_each(each.collect());
    outcomes.extend(no_run::judge_missing(facts).map(|verdict| verdict.outcome(subject.clone())));
    if outcomes.is_empty() {
        outcomes.push(started(facts, page, &own));
    }
    outcomes
}

/// No run is known to be kept from starting.
fn started(facts: &ActionsFacts, page: &Page<Run>, own: &[&Run]) -> Judgement {
    let subject = facts.place.subject.clone();
    let newest = own.first().map(|run| Evidence::new("newest run", run_url(facts, run.id)));
    if facts.head.as_ref().is_some_and(|head| !head.pushed) {
        return no_run::not_pushed().with(newest).outcome(subject);
    }
    let listed = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
    let unseen_jobs = facts.looked.iter().filter(|looked| {
        looked
            .jobs
            .as_ref()
            .is_ok_and(|page| page.total > u64::try_from(page.items.len()).unwrap_or(u64::MAX))
    });
    let unseen = facts.not_looked + unseen_jobs.count();
    if unseen > 0 || page.total > listed {
        let fix = Fix::visit(
            format!("{}/actions", facts.place.web),
            "look at the newest runs on the Actions page",
        );
        let verdict = RunVerdict::unknown(Unknown {
            code: None,
            summary: "no run that was checked is blocked, but not all were checked".to_owned(),
            needs: "more requests than one look may make".to_owned(),
            fix,
            transient: false,
        });
        let counts = [
            Evidence::new("runs", page.total.to_string()),
            Evidence::new("runs not looked at", unseen.to_string()),
        ];
        return verdict.with(counts).outcome(subject);
    }
    if let Some(verdict) = no_run::merge_queue(facts) {
        return verdict.outcome(subject);
    }
    let count = counted(own.len(), "run");
    let text = format!("{count} of this commit: none is blocked");
    let skipped = own.iter().filter(|run| run.conclusion == "skipped").take(3);
    let skipped = skipped
        .filter_map(|run| Some(Evidence::foreign("skipped by its conditions", run.name.as_ref()?)));
    let normal = facts.looked.iter().filter_map(|looked| queue::normal(facts, looked));
    Judgement::pass(text).about(subject).with(newest).with(skipped).with(normal)
}

pub(super) fn status_page(facts: &ActionsFacts) -> Judgement {
    if facts.forge == Forge::Enterprise {
        return Judgement::skip("this server has no public status page");
    }
    let Some(status) = &facts.status else {
        let reason = if facts.place.host().ends_with(".ghe.com") {
            format!(
                "a tenant of ghe.com has the status page of its region: set {GITHUB_STATUS_URL} to it (for the EU, https://eu.githubstatus.com)"
            )
        } else {
            "the address of the status page is not a URL".to_owned()
        };
        return Judgement::skip(reason);
    };
    match status {
        Ok(page) if page.is_incident() => {
            let fix =
                Fix::wait("wait until the incident is resolved, then run again what did not start");
            let evidence =
                [Evidence::foreign("component Actions", &page.status).expected("operational")];
            let titles =
                page.incidents.iter().take(3).map(|title| Evidence::foreign("incident", title));
            Judgement::warn(Code::ActionsIncident, "GitHub reports an incident of Actions", fix)
                .with(evidence)
                .with(titles)
        }
        Ok(_) => Judgement::pass("GitHub reports no incident of Actions"),
        Err(failure) => Judgement::unknown(
            "the status page did not answer",
            format!("the status page through this network: {failure}"),
        ),
    }
}

/// The last lines of the evidence: with what token, and at what cost.
fn how_it_was_asked(facts: &ActionsFacts) -> Vec<Evidence> {
    let asked = &facts.asked;
    let rejected =
        asked.rejected.iter().map(|via| Evidence::new("not accepted (401)", via.clone()));
    let warnings = asked.warnings.iter().map(|warning| Evidence::new("token", warning.clone()));
    let token = asked.token.clone().unwrap_or_else(|| "no token, anonymously".to_owned());
    let last =
        [Evidence::new("asked with", token), Evidence::new("requests", asked.requests.to_string())];
    rejected.chain(warnings).chain(last).collect()
}
