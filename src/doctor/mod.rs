//! The doctor: proves readiness, names the cause, says who can mend it. It never repairs, and runs nothing that a repository
//! controls. Each area gathers facts and then judges them; only gathering touches the world.

pub mod outcome;
pub mod report;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::catalogue::Code;
use crate::git_url::Repository;
use crate::home::Home;
use crate::provision::Provision;
use crate::receipt::Receipt;
use crate::settings::{Env, Settings};
use outcome::Outcome;

/// How deep the doctor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Files and configuration.
    Offline,
    /// The network too, read-only.
    Network,
    /// A throw-away branch, and one request per agent.
    Live,
}

/// One kind of check.
#[derive(Debug)]
pub struct Check {
    /// Dotted, stable.
    pub id: &'static str,
    /// What it proves, for `--list`.
    pub title: &'static str,
    /// The least depth at which it runs.
    pub depth: Depth,
}

/// Every check, in the order of the report.
pub const CHECKS: &[Check] = &[];

/// What all checks see: facts that are gathered once.
pub struct Context<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub settings: &'a Settings,
    pub receipt: Option<&'a Receipt>,
    /// What apply would do now.
    pub provision: &'a Provision,
    /// The repositories to look at: those with a key, the current folder's, those asked for.
    pub repositories: &'a [Repository],
    pub depth: Depth,
    /// When the whole run must have ended.
    pub end: Instant,
    selected: &'a Selection,
}

impl Context<'_> {
    /// Whether a check runs: asked for, not skipped, and not too deep.
    pub fn wants(&self, id: &str) -> bool {
        let check = CHECKS.iter().find(|check| check.id == id);
        check.is_some_and(|check| check.depth <= self.depth) && self.selected.includes(id)
    }

    /// The time that a probe may take: its own, but no longer than what is left of the whole.
    pub fn deadline(&self, own: Duration) -> Duration {
        own.min(self.end.saturating_duration_since(Instant::now()))
    }
}

/// Which checks were asked for: ids (`push.write`) or their areas (`push`).
#[derive(Debug, Default)]
pub struct Selection {
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Selection {
    pub fn includes(&self, id: &str) -> bool {
        let named = |names: &[String]| {
            names.iter().any(|name| id == name || id.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('.')))
        };
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// The names that are no check and no area.
    pub fn unknown(&self) -> impl Iterator<Item = &String> {
        let is_known = |name: &str| {
            let one = Self { only: vec![name.to_owned()], skip: Vec::new() };
            CHECKS.iter().any(|check| one.includes(check.id))
        };
        self.only.iter().chain(&self.skip).filter(move |name| !is_known(name))
    }
}

/// One piece of work that runs beside the others.
type Probe<'a> = Box<dyn FnOnce() -> Vec<Outcome> + Send + 'a>;

/// Runs all probes at once, and sorts what they found into the order of the checks. A probe that panics could not tell.
fn run_all(probes: Vec<(&'static str, Probe<'_>)>) -> Vec<Outcome> {
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (id, probe) in probes {
            let found = &found;
            scope.spawn(move || {
                let start = Instant::now();
                let mut outcomes = catch_unwind(AssertUnwindSafe(probe)).unwrap_or_else(|_| {
                    vec![Outcome::unknown(id, None, "the check itself failed", "please report this as a bug")]
                });
                let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                for outcome in &mut outcomes {
                    outcome.duration_ms = elapsed;
                }
                found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(outcomes);
            });
        }
    });
    let mut outcomes = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let rank = |outcome: &Outcome| CHECKS.iter().position(|check| check.id == outcome.id);
    outcomes.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.subject.cmp(&b.subject)));
    outcomes
}

/// Marks what PUSHREADY_ACCEPT names.
fn accept(outcomes: &mut [Outcome], accepted: &[Code]) {
    let accepted: BTreeSet<_> = accepted.iter().collect();
    for outcome in outcomes {
        outcome.accepted = outcome.code.is_some_and(|code| accepted.contains(&code));
    }
}
