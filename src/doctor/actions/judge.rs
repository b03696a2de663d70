//! From facts to verdicts. Pure.

mod ended;
mod files;
mod no_run;
mod own;
mod queue;
mod refused;
mod run;

use jiff::SignedDuration;

use super::facts::{Facts, Looked};
use super::{RUNS, STATUS_PAGE};
use crate::catalogue::Code;
use crate::doctor::outcome::{Evidence, Fix, Outcome};
use crate::github::Forge;

pub(super) use files::workflow_files;

/// Runners take a moment; nobody need look before.
pub const NORMAL: SignedDuration = SignedDuration::from_mins(2);
/// Hosted runners are slow from here on.
pub const HOSTED_SUSPECT: SignedDuration = SignedDuration::from_mins(5);
/// GitHub cancels hosted jobs that nobody took after about 15 minutes (community#209578): what waits longer is stuck.
const STUCK: SignedDuration = SignedDuration::from_mins(30);
/// A new account with no finished run, this long after.
const FLAGGED: SignedDuration = SignedDuration::from_hours(2);
/// All that wait are cancelled after a day.
pub const LATE: SignedDuration = SignedDuration::from_hours(23);

/// What keeps a run from starting.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    kind: Kind,
    summary: String,
    evidence: Vec<Evidence>,
    fix: Fix,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// It will move by itself.
    Passes(Code),
    /// GitHub did not answer; no code where the network or a broken server is at fault, which proves nothing of Actions.
    Unknown { code: Option<Code>, needs: String },
    /// Nothing moves until somebody acts.
    Blocks(Code),
}

impl Verdict {
    fn new(kind: Kind, summary: impl Into<String>, fix: Fix) -> Self {
        Self { kind, summary: summary.into(), evidence: Vec::new(), fix }
    }

    fn fail(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(Kind::Blocks(code), summary, fix)
    }

    fn warn(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(Kind::Passes(code), summary, fix)
    }

    fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    fn code(&self) -> Option<Code> {
        match self.kind {
            Kind::Passes(code) | Kind::Blocks(code) => Some(code),
            Kind::Unknown { code, .. } => code,
        }
    }

    fn outcome(self, subject: String) -> Outcome {
        let subject = Some(subject);
        let outcome = match self.kind {
            Kind::Passes(code) => Outcome::warn(RUNS, subject, code, self.summary, self.fix),
            Kind::Blocks(code) => Outcome::fail(RUNS, subject, code, self.summary, self.fix),
            Kind::Unknown { code, needs } => {
                let mut outcome = Outcome::unknown(RUNS, subject, self.summary, needs);
                // what has no code is the network's, and may be over at the next try
                outcome.transient = code.is_none();
                match code {
                    Some(code) => outcome.coded(code),
                    None => outcome,
                }
                .fixed(self.fix)
            }
        };
        outcome.with(self.evidence)
    }
}

/// All outcomes of the group.
pub(super) fn judge(facts: &Facts) -> Vec<Outcome> {
    let mut outcomes = runs(facts);
    for outcome in &mut outcomes {
        let evidence = how_it_was_asked(facts);
        outcome.evidence.extend(evidence);
    }
    outcomes.push(files::workflow_files(&facts.place.subject, &facts.local, &facts.labels));
    outcomes.extend(status_page(facts));
    outcomes
}

fn runs(facts: &Facts) -> Vec<Outcome> {
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
    let verdicts: Vec<_> =
        facts.looked.iter().filter_map(|looked| Some((looked, run::judge(facts, looked)?))).collect();
    if verdicts.is_empty() {
        let which =
            if facts.head.as_ref().is_some_and(|head| head.pushed) { "this commit" } else { "this branch" };
        let count = page.total;
        let evidence = page.items.first().map(|run| Evidence::new("newest run", run_url(facts, run.id)));
        let text = format!("{count} runs of {which}: each one started, or will in its time");
        let outcome = Outcome::pass(RUNS, Some(subject), text).with(evidence);
        return vec![outcome.with(facts.looked.iter().filter_map(|looked| queue::normal(facts, looked)))];
    }
    verdicts.into_iter().map(|(looked, verdict)| verdict.outcome(run_subject(facts, looked))).collect()
}

fn status_page(facts: &Facts) -> Option<Outcome> {
    let subject = None;
    if facts.forge == Forge::Enterprise {
        return Some(Outcome::skip(STATUS_PAGE, subject, "this server has no public status page"));
    }
    Some(match facts.status.as_ref()? {
        Ok(page) if page.is_incident() => {
            let fix = Fix::wait("wait until the incident is resolved, then run again what did not start");
            let evidence = [Evidence::foreign("component Actions", &page.status).expected("operational")];
            let titles = page.incidents.iter().take(3).map(|title| Evidence::foreign("incident", title));
            Outcome::warn(
                STATUS_PAGE,
                subject,
                Code::ActionsIncident,
                "GitHub reports an incident of Actions",
                fix,
            )
            .with(evidence)
            .with(titles)
        }
        Ok(_) => Outcome::pass(STATUS_PAGE, subject, "GitHub reports no incident of Actions"),
        Err(failure) => Outcome::unknown(
            STATUS_PAGE,
            subject,
            "the status page did not answer",
            format!("www.githubstatus.com through this network: {failure}"),
        ),
    })
}

/// The last lines of the evidence: with what token, and at what cost.
fn how_it_was_asked(facts: &Facts) -> Vec<Evidence> {
    let asked = &facts.asked;
    let rejected = asked.rejected.iter().map(|via| Evidence::new("not accepted (401)", via.clone()));
    let warnings = asked.warnings.iter().map(|warning| Evidence::new("token", warning.clone()));
    let token = asked.token.clone().unwrap_or_else(|| "none, asked anonymously".to_owned());
    let last = [Evidence::new("token", token), Evidence::new("requests", asked.requests.to_string())];
    rejected.chain(warnings).chain(last).collect()
}

fn run_subject(facts: &Facts, looked: &Looked) -> String {
    format!("{} run {}", facts.place.subject, looked.run.id)
}

fn run_url(facts: &Facts, run: i64) -> String {
    format!("{}/actions/runs/{run}", facts.place.web)
}

/// `gh` with these arguments, for this repository.
fn gh<'a>(facts: &'a Facts, arguments: &[&'a str]) -> Vec<&'a str> {
    let repository = facts
        .place
        .web
        .strip_prefix("https://github.com/")
        .or_else(|| facts.place.web.strip_prefix("https://"));
    ["gh"].iter().chain(arguments).copied().chain(["--repo", repository.unwrap_or_default()]).collect()
}

/// `3 d 4 h`, `2 h 10 min`, `12 min`, `40 s`.
pub(super) fn age(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if days > 1 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}
