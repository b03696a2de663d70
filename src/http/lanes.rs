//! How many requests run at once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

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

    /// Waits for a free lane, until `end` at most.
    pub(super) fn enter(&self, end: Instant) -> Option<RequestLane<'_>> {
        let left = end.saturating_duration_since(Instant::now());
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.left.wait_timeout_while(free, left, |free| *free == 0);
        let (mut free, _) = free.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(RequestLane(self))
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
    use std::time::Duration;

    #[test]
    fn the_end_of_the_run_ends_the_wait() {
        let lanes = Lanes::new(1);
        let soon = || Instant::now() + Duration::from_millis(20);
        let lane = lanes.enter(soon());
        assert!(lane.is_some());
        assert!(lanes.enter(soon()).is_none());
        assert!(lanes.enter(Instant::now()).is_none());
        drop(lane);
        // a lane that is free is entered without a wait: the request itself then finds no time
        assert!(lanes.enter(Instant::now()).is_some());
    }

    #[test]
    fn no_more_run_at_once_than_there_are_lanes() {
        let (lanes, running) = (Lanes::new(2), AtomicUsize::new(0));
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _lane = lanes.enter(Instant::now() + Duration::from_secs(60)).unwrap();
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
