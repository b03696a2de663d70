//! Runs the probes side by side, a few at a time on each host.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::check::CHECKS;
use super::outcome::Outcome;

/// One piece of work that runs beside the others.
pub type Probe<'a> = Box<dyn FnOnce() -> Vec<Outcome> + Send + 'a>;

/// No more connections than this to one host at once: servers drop what comes faster
/// (sshd_config(5), MaxStartups).
const AT_ONCE: usize = 4;

/// Lets a few through at a time, for each host.
#[derive(Default)]
pub struct Gates(Mutex<BTreeMap<String, Arc<Gate>>>);

#[derive(Default)]
pub struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

impl Gates {
    pub fn of(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(host.to_owned()).or_default())
    }
}

impl Gate {
    pub fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside = self
            .left
            .wait_while(inside, |inside| *inside >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *inside += 1;
        drop(inside);
        let result = work();
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.left.notify_one();
        result
    }
}

/// Runs all probes at once. A probe that panics could not tell.
pub fn run_all(probes: Vec<(&'static str, Probe<'_>)>) -> Vec<Outcome> {
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (id, probe) in probes {
            let found = &found;
            scope.spawn(move || {
                let start = Instant::now();
                let mut outcomes = catch_unwind(AssertUnwindSafe(probe)).unwrap_or_else(|_| {
                    vec![Outcome::unknown(
                        id,
                        None,
                        "the check itself failed",
                        "please report this as a bug",
                    )]
                });
                tracing::info!(results = outcomes.len(), elapsed = ?start.elapsed(), "{id}");
                let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                for outcome in &mut outcomes {
                    outcome.duration_ms = elapsed;
                }
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(outcomes);
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Into the order of the checks.
pub fn sort(outcomes: &mut [Outcome]) {
    let rank = |outcome: &Outcome| CHECKS.iter().position(|check| check.id == outcome.id);
    outcomes.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.subject.cmp(&b.subject)));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Enters so many times, and works within.
    fn hold(gate: &Gate, times: usize, work: &dyn Fn()) {
        match times {
            0 => work(),
            _ => gate.pass(|| hold(gate, times - 1, work)),
        }
    }

    #[test]
    fn four_at_once_pass_the_gate_of_a_host() {
        let gates = Gates::default();
        let (gate, elsewhere) = (gates.of("github.com"), gates.of("gitlab.com"));
        let (told, entered) = mpsc::channel();
        thread::scope(|scope| {
            let fifth = || {
                let (gate, told) = (gates.of("github.com"), told.clone());
                scope.spawn(move || gate.pass(|| told.send(()).unwrap()));
            };
            hold(&gate, 3, &|| {
                fifth();
                entered.recv().unwrap();
            });
            hold(&gate, 4, &|| {
                elsewhere.pass(|| ());
                fifth();
                // it can only be later: no time is too short for that to hold
                assert!(
                    entered.recv_timeout(Duration::from_millis(100)).is_err(),
                    "a fifth has entered"
                );
            });
            entered.recv().unwrap();
        });
    }
}
