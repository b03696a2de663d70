//! The doctor: proves readiness, names the cause, says who can mend it. It never repairs, and runs
//! nothing that a repository controls. Each area gathers facts and then judges them; only gathering
//! touches the world.

mod actions;
mod assembly;
pub mod check;
mod claude;
mod clock;
pub mod clones;
mod codex;
pub mod context;
mod credentials;
mod diagnosis;
mod git;
mod home;
mod keys;
mod leaks;
pub mod outcome;
mod push;
pub mod report;
mod request;
pub mod requirement;
mod runner;
mod ssh;
pub mod verdict;

use std::collections::BTreeSet;

use crate::catalogue::Code;
use crate::git::url::Repository;
use check::{Check, Depth};
use context::Context;
use outcome::{Outcome, Status};
use push::Access;
use runner::{Gates, Probe, run_all};

/// The checks of an area that need no network, and the check that answers for a panic in it.
type Area = (&'static str, fn(&Context) -> Vec<Outcome>);

const AREAS: [Area; 7] = [
    ("home.folder", home::check),
    ("leaks.files", leaks::check),
    ("codex.login", codex::check),
    ("claude.login", claude::check),
    ("keys.installed", keys::check),
    ("ssh.config", ssh::check),
    ("git.remotes", git::check),
];

/// A check that may have to wait for a server, and so for itself alone.
type Apart = (&'static str, fn(&Context) -> Outcome);

const APART: [Apart; 3] = [
    (clock::ID, clock::check),
    ("codex.request", codex::request),
    ("claude.request", claude::request),
];

/// Runs every check that is wanted, all at once.
pub fn run(context: &Context) -> Vec<Outcome> {
    let gates = Gates::default();
    let mut probes: Vec<(&'static str, Probe)> = Vec::new();
    for (id, check) in AREAS {
        if context.wants_area(id) {
            let wanted = move || {
                let mut outcomes = check(context);
                outcomes.retain(|outcome| context.wants(outcome.id));
                outcomes
            };
            probes.push((id, Box::new(wanted)));
        }
    }
    for repository in context.repositories {
        let gate = gates.of(repository.host());
        if context.wants("ssh.identity") && context.has_key(repository) {
            let gate = gate.clone();
            let identity = move || gate.pass(|| vec![ssh::identity(context, repository)]);
            probes.push(("ssh.identity", Box::new(identity)));
        }
        for access in Access::BOTH {
            if context.wants(access.id()) {
                let gate = gate.clone();
                let probe = move || vec![push::probe(context, repository, access, &gate)];
                probes.push((access.id(), Box::new(probe)));
            }
        }
        if context.wants("push.live") {
            let live = move || {
                let url = context
                    .named(repository)
                    .map_or_else(|| repository.to_ssh(), |url| url.without_credential().to_owned());
                gate.pass(|| vec![push::live(context, repository, &url, true)])
            };
            probes.push(("push.live", Box::new(live)));
        }
    }
    for url in context.https {
        if let Some(repository) = url.repository().filter(|_| context.wants("push.live")) {
            let gate = gates.of(repository.host());
            let live = move || {
                gate.pass(|| vec![push::live(context, repository, url.without_credential(), false)])
            };
            probes.push(("push.live", Box::new(live)));
        }
        for access in Access::BOTH {
            if context.wants(access.id()) {
                let gate = gates.of(url.repository().map_or("", Repository::host));
                let probe = move || gate.pass(|| vec![push::over_https(context, url, access)]);
                probes.push((access.id(), Box::new(probe)));
            }
        }
    }
    for (id, check) in APART.into_iter().filter(|(id, _)| context.wants(id)) {
        probes.push((id, Box::new(move || vec![check(context)])));
    }
    if context.wants_area("actions.runs") {
        probes.push(("actions.runs", Box::new(|| actions(context))));
    } else if context.depth >= Depth::Network && context.selected.includes("actions.runs") {
        probes.push(("actions.runs", Box::new(|| actions_unasked(context))));
    }
    let mut outcomes = run_all(probes);
    tell_once(&mut outcomes);
    outcomes.extend(assembly::silent(context, &outcomes));
    let mut outcomes = assembly::each_once(outcomes);
    runner::sort(&mut outcomes);
    accept(&mut outcomes, &context.settings.accept);
    requirement::mark(&mut outcomes, context.desired);
    outcomes
}

fn actions(context: &Context) -> Vec<Outcome> {
    let current = context.clones.current();
    let Some(repository) = context.asked.or(current) else {
        let reason = "the current folder is in no clone; name a repository with --repo";
        return vec![Outcome::skip("actions.runs", None, reason)];
    };
    let work_tree = context.folder.as_deref().filter(|_| current == Some(repository));
    let inputs = actions::Inputs {
        env: context.env,
        home: context.home,
        repository,
        work_tree,
        head: work_tree.and_then(actions::Head::of),
        deploy_key: context.has_key(repository),
        memory: context.github,
        end: context.end,
    };
    let mut outcomes = match context.depth {
        Depth::Offline => actions::probe_offline(&inputs),
        Depth::Network | Depth::Live => actions::probe(&inputs),
    };
    outcomes.retain(|outcome| context.wants(outcome.id));
    outcomes
}

/// How to ask for them, where there is something to look at.
fn actions_unasked(context: &Context) -> Vec<Outcome> {
    let repository = context.asked.or(context.clones.current());
    repository
        .and_then(|repository| actions::not_asked(context.env, repository))
        .into_iter()
        .collect()
}

/// What apply refused, and a check of its own sees too, is told by that check: it has the evidence.
fn tell_once(outcomes: &mut Vec<Outcome>) {
    let is_restated =
        |outcome: &Outcome| outcome.id == home::PROVISIONED && outcome.subject.is_some();
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
}

/// Marks what PUSHREADY_ACCEPT names.
fn accept(outcomes: &mut [Outcome], accepted: &[Code]) {
    let accepted: BTreeSet<_> = accepted.iter().collect();
    for outcome in outcomes {
        outcome.accepted = outcome.code.is_some_and(|code| accepted.contains(&code));
    }
}
