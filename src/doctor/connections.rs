//! How many connections to one host are open at once, over all checks.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Servers drop connections that come faster (sshd_config(5), MaxStartups).
const AT_ONCE: usize = 4;

/// Lets a few through at a time, for each host.
#[derive(Default)]
pub struct Connections(Mutex<BTreeMap<String, Arc<Gate>>>);

#[derive(Default)]
struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

impl Connections {
    /// Does `work`, which opens one connection to the host, once fewer than the limit are open.
    pub fn to<T>(&self, host: &str, work: impl FnOnce() -> T) -> T {
        self.gate(host).pass(work)
    }

    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(host.to_owned()).or_default())
    }
}

impl Gate {
    fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside = self
            .left
            .wait_while(inside, |inside| *inside >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *inside += 1;
        drop(inside);
        let entered = Entered(self);
        let result = work();
        drop(entered);
        result
    }
}

/// Leaves the gate, also where the work panics.
struct Entered<'a>(&'a Gate);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.0.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Opens so many connections, and works within.
    fn hold(connections: &Connections, times: usize, work: &dyn Fn()) {
        match times {
            0 => work(),
            _ => connections.to("github.com", || hold(connections, times - 1, work)),
        }
    }

    #[test]
    fn at_most_four_connections_to_a_host_are_open() {
        let connections = Connections::default();
        let (sender, entered) = mpsc::channel();
        thread::scope(|scope| {
            let fifth = || {
                let (connections, sender) = (&connections, sender.clone());
                scope.spawn(move || connections.to("github.com", || sender.send(()).unwrap()));
            };
            hold(&connections, 3, &|| {
                fifth();
                entered.recv().unwrap();
            });
            hold(&connections, 4, &|| {
                connections.to("gitlab.com", || ());
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
    fn a_panic_gives_the_connection_back() {
        let connections = Connections::default();
        for _ in 0..=AT_ONCE {
            let panicking = || connections.to("github.com", || panic!("a check"));
            assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        }
    }
}
