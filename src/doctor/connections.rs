//! How many connections to one host are open at once, over all checks.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::process::Failure;

/// Servers drop connections that come faster (sshd_config(5), MaxStartups).
pub const AT_ONCE: usize = 4;

/// Lets a few through at a time, for each host, until the end of the run.
pub struct Connections {
    end: Instant,
    gates: Mutex<BTreeMap<String, Arc<Gate>>>,
}

/// The run ended before there was a free connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnded;

impl From<RunEnded> for Failure {
    fn from(RunEnded: RunEnded) -> Self {
        Self::Deadline
    }
}

#[derive(Default)]
struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

impl Connections {
    pub fn until(end: Instant) -> Self {
        Self { end, gates: Mutex::default() }
    }

    /// Does `work`, which opens one connection to the host, once fewer than the limit are open.
    pub fn to<T>(&self, host: &str, work: impl FnOnce() -> T) -> Result<T, RunEnded> {
        let gate = self.gate(host);
        let _entered = gate.enter(self.end)?;
        Ok(work())
    }

    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(host.to_owned()).or_default())
    }
}

impl Gate {
    fn enter(&self, end: Instant) -> Result<Entered<'_>, RunEnded> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let left = end.saturating_duration_since(Instant::now());
        let (mut inside, _) = self
            .left
            .wait_timeout_while(inside, left, |inside| *inside >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        if *inside >= AT_ONCE {
            return Err(RunEnded);
        }
        *inside += 1;
        Ok(Entered(self))
    }
}

/// Leaves the gate, also where the work returns early.
struct Entered<'a>(&'a Gate);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.0.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Opens so many connections, and works within.
    fn hold(connections: &Connections, times: usize, work: &dyn Fn()) {
        match times {
            0 => work(),
            _ => connections.to("github.com", || hold(connections, times - 1, work)).unwrap(),
        }
    }

    fn connections() -> Connections {
        Connections::until(Instant::now() + Duration::from_secs(60))
    }

    #[test]
    fn at_most_four_connections_to_a_host_are_open() {
        let connections = connections();
        let (sender, entered) = mpsc::channel();
        thread::scope(|scope| {
            let fifth = || {
                let (connections, sender) = (&connections, sender.clone());
                scope.spawn(move || {
                    connections.to("github.com", || sender.send(()).unwrap()).unwrap();
                });
            };
            hold(&connections, 3, &|| {
                fifth();
                entered.recv().unwrap();
            });
            hold(&connections, 4, &|| {
                connections.to("gitlab.com", || ()).unwrap();
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

    #[test]
    fn nobody_waits_longer_than_the_run() {
        let connections = Connections::until(Instant::now());
        hold(&connections, AT_ONCE, &|| {
            assert_eq!(connections.to("github.com", || ()), Err(RunEnded));
            assert_eq!(connections.to("gitlab.com", || ()), Ok(()));
        });
    }
}
