//! From the outcomes of all checks to those of the report: each fault once, each under a name of its
//! own. What is required and what is accepted has been marked before on all of them. Pure.

use std::collections::BTreeSet;
use std::mem;

use super::check::{CHECKS, area};
use super::home::PROVISIONED;
use super::outcome::{CheckStatus, Evidence, Judgement, Outcome};
use crate::catalogue::Code;
use crate::git::url::Repository;
use crate::state::subject::Subject;

/// Marks what PUSHREADY_ACCEPT names.
pub fn mark_accepted(outcomes: &mut [Outcome], accepted: &[Code]) {
    let accepted: BTreeSet<_> = accepted.iter().collect();
    for outcome in outcomes {
        outcome.accepted = outcome.code.is_some_and(|code| accepted.contains(&code));
        if outcome.accepted && !matches!(outcome.status, CheckStatus::Pass | CheckStatus::Skip) {
            outcome.status = CheckStatus::Accepted;
            outcome.stop_and_report = false;
        }
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
        .filter(|outcome| matches!(outcome.status, CheckStatus::Fail | CheckStatus::Accepted))
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
/// evidence. Only the same code about the same thing is the same fault.
fn without_restated(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let (restated, mut others): (Vec<_>, Vec<_>) = outcomes
        .into_iter()
        .partition(|outcome| outcome.id == PROVISIONED && outcome.subject.is_some());
    for refused in restated {
        let item = Subject::from(refused.subject.as_deref().unwrap_or_default());
        let same = others.iter_mut().find(|other| {
            matches!(other.status, CheckStatus::Fail | CheckStatus::Accepted)
                && other.code == refused.code
                && is_about(other, &item)
        });
        match same {
            Some(same) => same.required |= refused.required,
            None => others.push(refused),
        }
    }
    others
}

/// Whether a check is about what an item of apply's is about.
fn is_about(outcome: &Outcome, item: &Subject) -> bool {
    let subject = outcome.subject.as_deref();
    let is_of_repository = |name| {
        let repository = Repository::parse_declared(name).ok();
        let of_check = subject.and_then(|subject| Repository::parse_declared(subject).ok());
        matches!((repository, of_check), (Some(one), Some(other)) if one.same_as(&other))
    };
    match (item.first(), area(outcome.id)) {
        (Subject::Home, "home")
        | (Subject::Routing | Subject::SelfTest, "ssh")
        | (Subject::Git, "git") => true,
        (Subject::Login(client) | Subject::Trust(client), area) => client.row().id == area,
        (Subject::Remotes, "git") => outcome.id == "git.remotes",
        (Subject::Key(name) | Subject::Push(name), "keys" | "ssh" | "push") => {
            is_of_repository(name)
        }
        // what git does not accept anywhere, it does not accept in any clone
        (clone @ Subject::Clone(_), "git") => {
            subject.is_none_or(|subject| *clone == Subject::from(subject))
        }
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Fix;

    fn failed(id: &'static str, subject: &str, code: Code) -> Outcome {
        let judgement = Judgement::fail(code, "x", Fix::report("y"));
        let subject = (!subject.is_empty()).then(|| subject.to_owned());
        Outcome::new(id, Judgement { subject, ..judgement })
    }

    #[test]
    fn a_refused_item_is_dropped_for_the_same_code_about_the_same_thing_alone() {
        let app = "git@github.com:o/app.git";
        for (item, code, id, subject, other, is_dropped) in [
            ("codex", Code::HomeUnsafePlace, "codex.login", "", Code::HomeUnsafePlace, true),
            ("codex", Code::HomeUnsafePlace, "codex.login", "", Code::HomeReadOnly, false),
            ("codex", Code::HomeUnsafePlace, "claude.login", "", Code::HomeUnsafePlace, false),
            ("key o/app", Code::HomeUnsafePlace, "codex.login", "", Code::HomeUnsafePlace, false),
            ("key o/app", Code::KeyMalformed, "keys.installed", app, Code::KeyMalformed, true),
            ("key o/lib", Code::KeyMalformed, "keys.installed", app, Code::KeyMalformed, false),
            ("routing", Code::SshMissing, "ssh.client", "", Code::SshMissing, true),
            ("clone ~/a", Code::GitConfigInvalid, "git.config", "", Code::GitConfigInvalid, true),
            (
                "clone ~/a",
                Code::GitConfigInvalid,
                "git.config",
                "clone ~/b",
                Code::GitConfigInvalid,
                false,
            ),
        ] {
            let mut refused = failed(PROVISIONED, item, code);
            refused.required = true;
            let assembled = assemble(vec![refused, failed(id, subject, other)]);
            let kept = assembled.iter().any(|outcome| outcome.id == PROVISIONED);
            assert_eq!(!kept, is_dropped, "{item} {id} {subject}");
            // what is required of the one is required of the other
            assert!(assembled.iter().any(|outcome| outcome.required), "{item} {id} {subject}");
        }
    }

    #[test]
    fn a_consequence_is_skipped_where_its_cause_is_reported() {
        let consequence = || {
            let mut outcome = failed("git.commit", "", Code::GitConfigInvalid);
            outcome.reported_by = Some("git.config");
            outcome
        };
        let cause = |code| failed("git.config", "", code);
        let status = |outcomes| {
            let assembled = assemble(outcomes);
            assembled.iter().find(|outcome| outcome.id == "git.commit").unwrap().status
        };
        assert_eq!(status(vec![consequence()]), CheckStatus::Fail);
        assert_eq!(status(vec![consequence(), cause(Code::GitConfigInvalid)]), CheckStatus::Skip);
        assert_eq!(status(vec![consequence(), cause(Code::GitMissing)]), CheckStatus::Fail);
    }

    #[test]
    fn of_several_with_one_name_the_worst_names_the_others() {
        let mut required = failed("home.provisioned", "codex", Code::HomeReadOnly);
        required.required = true;
        required.status = CheckStatus::Warn;
        let merged = merge_same_names(vec![
            required,
            failed("home.provisioned", "codex", Code::CodexAuthMissing),
        ]);
        let [one] = &merged[..] else { panic!("{merged:?}") };
        assert_eq!((one.code, one.required), (Some(Code::CodexAuthMissing), true));
        assert_eq!(one.evidence, [Evidence::new("also", "home-read-only: x")]);
    }
}
