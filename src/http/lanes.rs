//! How many requests run at once.

use std::sync::{Condvar, Mutex, PoisonError};

pub(super) struct Lanes {
    free: Mutex<usize>,
    left: Condvar,
}

/// Leaves its lane when it is dropped.
pub(super) struct RequestLane<'a>(&'a Lanes);

impl Lanes {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), left: Condvar::new() }
    }

    /// Waits for a free lane: each request ahead has its own deadline.
    pub(super) fn enter(&self) -> RequestLane<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.left.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        RequestLane(self)
    }
}

impl Drop for RequestLane<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_run_at_once_than_there_are_lanes() {
        let (lanes, running) = (Lanes::new(2), AtomicUsize::new(0));
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _lane = lanes.enter();
                        assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 800);
    }
}
