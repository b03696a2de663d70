//! From facts to verdicts. Pure.

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

use super::facts::Facts;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::github::Forge;

pub(super) use files::workflow_files;
pub(super) use no_run::needs_pull_request;
pub use verdict::{HOSTED_SUSPECT, LATE};
use verdict::{counted, run_subject, run_url};

/// The newest runs, with how GitHub was asked.
pub(super) fn runs(facts: &Facts) -> Vec<Judgement> {
    let judgements = judge_runs(facts).into_iter();
    judgements.map(|judgement| judgement.with(how_it_was_asked(facts))).collect()
}

fn judge_runs(facts: &Facts) -> Vec<Judgement> {
    let subject = facts.place.subject.clone();
    if let Some(what) = facts.repo.as_ref().ok().and_then(|repo| repo.off) {
        return vec![no_run::switched_off(facts, what).outcome(subject)];
    }
    let page = match (&facts.repo, &facts.runs) {
        (_, Ok(page)) => page,
        (repo, Err(refusal)) => {
            // why the repository cannot be seen says more than why its runs cannot
            let refusal = repo.as_ref().err().unwrap_or(refusal);
            return vec![refused::refused(facts, refusal).outcome(subject)];
        }
    };
    if page.items.is_empty() {
        return vec![no_run::judge(facts)];
    }
    let verdicts: Vec<_> = facts
        .looked
        .iter()
        .filter_map(|looked| Some((looked, run::judge(facts, looked)?)))
        .collect();
    if verdicts.is_empty() {
        let which = if facts.head.as_ref().is_some_and(|head| head.pushed) {
            "this commit"
        } else {
            "this branch"
        };
        let count = usize::try_from(page.total).unwrap_or(usize::MAX);
        let evidence =
            page.items.first().map(|run| Evidence::new("newest run", run_url(facts, run.id)));
        let text = format!("{} of {which}: nothing keeps any from starting", counted(count, "run"));
        let skipped = page.items.iter().filter(|run| run.conclusion == "skipped").take(3);
        let skipped = skipped.filter_map(|run| {
            Some(Evidence::foreign("skipped by its conditions", run.name.as_ref()?))
        });
        let outcome = Judgement::pass(text).about(subject).with(evidence).with(skipped);
        return vec![
            outcome.with(facts.looked.iter().filter_map(|looked| queue::normal(facts, looked))),
        ];
    }
    verdicts
        .into_iter()
        .map(|(looked, verdict)| verdict.outcome(run_subject(facts, looked)))
        .collect()
}

pub(super) fn status_page(facts: &Facts) -> Judgement {
    if facts.forge == Forge::Enterprise {
        return Judgement::skip("this server has no public status page");
    }
    let Some(status) = &facts.status else {
        return Judgement::skip("the address of the status page is not a URL");
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
            format!("www.githubstatus.com through this network: {failure}"),
        ),
    }
}

/// The last lines of the evidence: with what token, and at what cost.
fn how_it_was_asked(facts: &Facts) -> Vec<Evidence> {
    let asked = &facts.asked;
    let rejected =
        asked.rejected.iter().map(|via| Evidence::new("not accepted (401)", via.clone()));
    let warnings = asked.warnings.iter().map(|warning| Evidence::new("token", warning.clone()));
    let token = asked.token.clone().unwrap_or_else(|| "no token, anonymously".to_owned());
    let last =
        [Evidence::new("asked with", token), Evidence::new("requests", asked.requests.to_string())];
    rejected.chain(warnings).chain(last).collect()
}
