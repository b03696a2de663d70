//! From the outcomes of all checks to those of the report: each fault once, each under a name of its
//! own. What is required and what is accepted has been marked before on all of them. Pure.

use std::collections::BTreeSet;
use std::mem;

use super::check::CHECKS;
use super::home::PROVISIONED;
use super::outcome::{Evidence, Judgement, Outcome, Status};
use crate::catalogue::Code;

/// Marks what PUSHREADY_ACCEPT names.
pub fn mark_accepted(outcomes: &mut [Outcome], accepted: &[Code]) {
    let accepted: BTreeSet<_> = accepted.iter().collect();
    for outcome in outcomes {
        outcome.accepted = outcome.code.is_some_and(|code| accepted.contains(&code));
    }
}

pub fn assemble(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let outcomes = without_restated(skip_consequences(outcomes));
    let mut outcomes = merge_same_names(outcomes);
    sort(&mut outcomes);
    outcomes
}

/// Into the order of the checks.
pub fn sort(outcomes: &mut [Outcome]) {
    let rank = |outcome: &Outcome| CHECKS.iter().position(|check| check.id == outcome.id);
    outcomes.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.subject.cmp(&b.subject)));
}

/// Where the check ran that reports a fault, the others which it keeps from their work are skipped.
fn skip_consequences(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let failed: BTreeSet<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status == Status::Fail)
        .filter_map(|outcome| Some((outcome.id, outcome.code?)))
        .collect();
    for outcome in &mut outcomes {
        if let (Some(id), Some(code)) = (outcome.reported_by, outcome.code)
            && failed.contains(&(id, code))
        {
            let subject = outcome.subject.take();
            **outcome = Judgement { subject, ..Judgement::blocked(code) };
        }
    }
    outcomes
}

/// What apply refused, and a check of its own sees too, is reported by that check: it has the
/// evidence.
fn without_restated(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let is_restated = |outcome: &Outcome| outcome.id == PROVISIONED && outcome.subject.is_some();
    let seen: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status == Status::Fail && !is_restated(outcome))
        .map(|outcome| (outcome.code, outcome.subject.clone()))
        .collect();
    outcomes.retain(|outcome| {
        let is_same = |(code, subject): &(Option<Code>, Option<String>)| {
            *code == outcome.code && (subject.is_none() || *subject == outcome.subject)
        };
        !(is_restated(outcome) && seen.iter().any(is_same))
    });
    outcomes
}

/// An outcome is identified by its check and subject: of several with one name the worst stays, and
/// names the others.
fn merge_same_names(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let mut merged: Vec<Outcome> = Vec::new();
    for mut outcome in outcomes {
        let same =
            |other: &&mut Outcome| (other.id, &other.subject) == (outcome.id, &outcome.subject);
        let Some(known) = merged.iter_mut().find(same) else {
            merged.push(outcome);
            continue;
        };
        if outcome.status > known.status {
            mem::swap(known, &mut outcome);
        }
        known.required |= outcome.required;
        if (known.code, &known.summary) != (outcome.code, &outcome.summary) {
            let code = outcome.code.map_or(String::new(), |code| format!("{code}: "));
            let also = Evidence::new("also", format!("{code}{}", outcome.summary));
            known.evidence.push(also);
        }
    }
    merged
}
