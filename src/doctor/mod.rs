//! The doctor: proves readiness, names the cause, says who can mend it. It never repairs, and runs nothing that a repository
//! controls. Each area gathers facts and then judges them; only gathering touches the world.

mod actions;
mod assembly;
pub mod check;
mod claude;
mod clock;
pub mod clones;
mod codex;
mod credentials;
mod git;
mod git_settings;
mod home;
mod keys;
mod leaks;
pub mod outcome;
mod push;
pub mod push_message;
pub mod report;
mod request;
pub mod requirement;
mod runner;
mod ssh;
mod ssh_command;
pub mod verdict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::catalogue::Code;
use crate::env::Env;
use crate::git_complaint::Complaint;
use crate::git_url::{GitUrl, Repository};
use crate::home::Home;
use crate::plan::{Plan, Planned};
use crate::receipt::{Desired, Receipt};
use crate::resource::Undo;
use crate::settings::Settings;
use crate::variables;
use check::{CHECKS, Check, Depth, Selection, area};
use clones::{Clones, InView};
use git_settings::GitSettings;
use outcome::{Outcome, Status};
use push::Access;
use runner::{Gates, Probe, run_all};

/// What all checks see: facts that are gathered once.
pub struct Context<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub settings: &'a Settings,
    pub receipt: Option<&'a Receipt>,
    /// An apply is at work, or was interrupted.
    pub under_way: bool,
    /// What is asked for now, or was by the last apply.
    pub desired: &'a Desired,
    /// What apply would do now: its verdicts are restated, never contradicted.
    pub plan: &'a Plan,
    /// The repositories to look at: those with a key, the current folder's, those asked for.
    pub repositories: &'a [Repository],
    /// The repository that `--repo` names.
    pub asked: Option<&'a Repository>,
    /// How clones in view name those of them that have no key.
    pub named: &'a [GitUrl],
    /// The HTTPS remotes of the clones in view, of repositories without a key.
    pub https: &'a [GitUrl],
    pub clones: &'a Clones,
    /// The current folder.
    pub folder: Option<PathBuf>,
    pub depth: Depth,
    /// When the whole run must have ended.
    pub end: Instant,
    pub selected: &'a Selection,
    /// What GitHub's API told in earlier looks of `--wait`.
    pub github: &'a crate::github::Memory,
    /// What git has against its configuration outside of any clone: asked once, where it matters.
    pub git_complaint: OnceLock<Option<Complaint>>,
    /// Whether git is told not to use ssh: asked once, where it matters.
    pub ssh_forbidden: OnceLock<bool>,
    /// git's configuration outside of any clone: asked once, where it matters.
    pub git_outside: OnceLock<GitSettings>,
}

impl Context<'_> {
    /// Whether a check runs: asked for, not skipped, and not too deep.
    pub fn wants(&self, id: &str) -> bool {
        let check = CHECKS.iter().find(|check| check.id == id);
        // each look costs requests of somebody's rate limit: only where it was asked for
        if id.starts_with("actions.") && self.selected.only.is_empty() {
            return false;
        }
        check.is_some_and(|check| check.depth <= self.depth) && self.selected.includes(id)
    }

    /// Whether any check of the area of this one runs.
    fn wants_area(&self, id: &str) -> bool {
        CHECKS.iter().any(|check| area(check.id) == area(id) && self.wants(check.id))
    }

    /// Whether the repository is one of those that have a key.
    pub fn has_key(&self, repository: &Repository) -> bool {
        self.keyed().any(|known| known.same_as(repository))
    }

    /// The repositories that have a key.
    pub fn keyed(&self) -> impl Iterator<Item = &Repository> {
        self.desired.repositories.iter().map(|record| &record.repository)
    }

    /// How the receipt would undo what apply wrote under this name.
    pub fn written(&self, id: &str) -> Option<&Undo> {
        Some(&self.receipt?.entries.get(id)?.undo)
    }

    /// What apply would say of an item now.
    pub fn planned(&self, subject: &str) -> Option<&Planned> {
        self.plan.items.iter().find(|planned| planned.item.subject == subject)
    }

    /// What git has against its configuration outside of any clone, so that it works nowhere.
    pub fn git_complaint(&self) -> Option<&Complaint> {
        self.git_complaint.get_or_init(|| Complaint::of_home(self.home, self.deadline(ssh::LOCAL))).as_ref()
    }

    /// git's configuration as it counts outside of any clone.
    pub fn git_settings(&self) -> &GitSettings {
        self.git_outside.get_or_init(|| GitSettings::ask(Path::new("/"), self.deadline(ssh::LOCAL)))
    }

    /// The same in the first of a repository's clones, which is the current one if that is among them; outside, if there is
    /// none.
    pub fn git_settings_in<'s>(&'s self, clones: &[&'s InView]) -> &'s GitSettings {
        clones.first().map_or_else(|| self.git_settings(), |clone| clone.settings())
    }

    /// How a clone in view names a repository that has no key.
    pub fn named(&self, repository: &Repository) -> Option<&GitUrl> {
        self.named.iter().find(|url| url.repository() == Some(repository))
    }

    /// Whether there is no ssh client at all.
    pub fn lacks_ssh(&self) -> bool {
        self.home.passwd.as_ref().is_err_and(|finding| finding.code == Code::SshMissing)
    }

    /// Whether an agent's sandbox has told that there is no network (Codex sets the variable).
    pub fn sandboxed(&self) -> bool {
        self.env.get(variables::observed::CODEX_SANDBOX_NETWORK_DISABLED).is_some()
    }

    /// The time that a probe may take: its own, but no longer than what is left of the whole.
    pub fn deadline(&self, own: Duration) -> Duration {
        own.min(self.end.saturating_duration_since(Instant::now()))
    }
}

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

const APART: [Apart; 3] =
    [(clock::ID, clock::check), ("codex.request", codex::request), ("claude.request", claude::request)];

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
            let live =
                move || gate.pass(|| vec![push::live(context, repository, url.without_credential(), false)]);
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
    repository.and_then(|repository| actions::not_asked(context.env, repository)).into_iter().collect()
}

/// What apply refused, and a check of its own sees too, is told by that check: it has the evidence.
fn tell_once(outcomes: &mut Vec<Outcome>) {
    let is_restated = |outcome: &Outcome| outcome.id == home::PROVISIONED && outcome.subject.is_some();
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
