//! What the report promises of its results as a whole: each has a name of its own, and no check
//! that was asked for is silent.

use super::check::{CHECKS, area};
use super::context::Context;
use super::outcome::{Evidence, Outcome, Status};

/// A result is identified by its check and subject: of several with one name the worst stays, and
/// tells of the others. Pure.
pub fn each_once(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let mut told: Vec<Outcome> = Vec::new();
    for mut outcome in outcomes {
        let same =
            |other: &&mut Outcome| (other.id, &other.subject) == (outcome.id, &outcome.subject);
        let Some(known) = told.iter_mut().find(same) else {
            told.push(outcome);
            continue;
        };
        if outcome.status > known.status {
            std::mem::swap(known, &mut outcome);
        }
        if (known.code, &known.summary) != (outcome.code, &outcome.summary) {
            let code = outcome.code.map_or(String::new(), |code| format!("{code}: "));
            known.evidence.push(Evidence::new("besides", format!("{code}{}", outcome.summary)));
        }
    }
    told
}

/// Why each check that was asked for, and has told nothing, did not look.
pub fn silent(context: &Context, outcomes: &[Outcome]) -> Vec<Outcome> {
    let asked = CHECKS.iter().map(|check| check.id).filter(|id| context.wants(id));
    let silent = asked.filter(|id| !outcomes.iter().any(|outcome| outcome.id == *id));
    silent
        .map(|id| Outcome::skip(id, None, why(id, context.clones.current().is_some(), outcomes)))
        .collect()
}

/// Pure. `in_clone`: the current folder lies in a clone that has a remote.
fn why(id: &str, in_clone: bool, outcomes: &[Outcome]) -> String {
    const NO_KEY: &str = "no key is installed";
    let mut of_area = outcomes.iter().filter(|outcome| area(outcome.id) == area(id));
    match id {
        "git.owner" if !in_clone => "the current folder is in no clone".to_owned(),
        _ => match of_area.find(|outcome| outcome.status == Status::Fail).and_then(|outcome| outcome.code) {
            Some(code) => format!("`{code}` is in the way"),
            None => match id {
                "keys.installed" | "ssh.route" | "ssh.identity" => NO_KEY.to_owned(),
                "push.read" | "push.write" | "push.live" => {
                    "no repository has a key, and the current folder is in no clone: name one with --repo"
                        .to_owned()
                }
                _ => "there is nothing of the kind to look at".to_owned(),
            },
        },
    }
}
