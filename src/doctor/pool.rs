//! Work on many things at once, by a bounded number of threads.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

/// How many threads share the work, and how they are started.
#[derive(Clone, Copy)]
pub struct Pool {
    pub width: usize,
    pub thread: fn() -> thread::Builder,
}

/// Calls `work` with each item, with at most `width` items at a time; results are in the order of
/// the items.
pub fn map<T: Sync, R: Send>(width: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    Pool::new(width).map(items, work)
}

impl Pool {
    pub const fn new(width: usize) -> Self {
        Self { width, thread: thread::Builder::new }
    }

    fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        self.map_lanes(items, usize::MAX, |_| None, work)
    }

    /// The same where at most `per_lane` items of one lane are worked on at a time, so that a slow
    /// lane leaves threads for the others. An item without a lane waits for none.
    ///
    /// Where no more threads can be started, those that were do the work. The calling thread is
    /// always one of them.
    pub fn map_lanes<T: Sync, R: Send>(
        &self,
        items: &[T],
        per_lane: usize,
        lane: impl Fn(&T) -> Option<&str>,
        work: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        let queue = Mutex::new(Queue::new(items, per_lane, lane));
        let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let done = Mutex::new(Vec::with_capacity(items.len()));
        let worker = || {
            let mut next = queue().next();
            while let Some((lane, index)) = next {
                if let Some(item) = items.get(index) {
                    let result = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
                let mut queue = queue();
                queue.leave(lane);
                next = queue.next();
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.width.min(items.len()) {
                if (self.thread)().spawn_scoped(scope, worker).is_err() {
                    break;
                }
            }
            worker();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// What is left to do, by lane.
struct Queue<'a> {
    lanes: BTreeMap<Option<&'a str>, Lane>,
    per_lane: usize,
}

#[derive(Default)]
struct Lane {
    pending: VecDeque<usize>,
    running: usize,
}

impl<'a> Queue<'a> {
    fn new<T>(items: &'a [T], per_lane: usize, lane: impl Fn(&T) -> Option<&str>) -> Self {
        let mut lanes: BTreeMap<_, Lane> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            lanes.entry(lane(item)).or_default().pending.push_back(index);
        }
        Self { lanes, per_lane }
    }

    /// The first item that has no lane, or else of the lane with the fewest running items. `None`
    /// where every lane is full: a worker of that lane takes the next item when it leaves.
    fn next(&mut self) -> Option<(Option<&'a str>, usize)> {
        let free = self.lanes.iter_mut().filter(|(name, lane)| {
            !lane.pending.is_empty() && (name.is_none() || lane.running < self.per_lane)
        });
        let (name, lane) = free.min_by_key(|(name, lane)| name.map(|_| lane.running))?;
        let index = lane.pending.pop_front()?;
        lane.running += 1;
        Some((*name, index))
    }

    fn leave(&mut self, name: Option<&'a str>) {
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.running -= 1;
            if lane.running == 0 && lane.pending.is_empty() {
                self.lanes.remove(&name);
            }
        }
    }
}

/// Work that another thread does, or that the calling thread has done because no other could be
/// started.
pub enum Started<'scope, T> {
    Thread(ScopedJoinHandle<'scope, T>),
    Done(T),
}

/// Does the work in a thread of its own if one can be started, and else at once.
pub fn start<'scope, T, F>(scope: &'scope Scope<'scope, '_>, work: F) -> Started<'scope, T>
where
    T: Send + 'scope,
    F: Fn() -> T + Send + Sync + 'scope,
{
    start_by(thread::Builder::new(), scope, work)
}

fn start_by<'scope, T, F>(
    thread: thread::Builder,
    scope: &'scope Scope<'scope, '_>,
    work: F,
) -> Started<'scope, T>
where
    T: Send + 'scope,
    F: Fn() -> T + Send + Sync + 'scope,
{
    // a thread that cannot be started drops what it was to run
    let work = Arc::new(work);
    let in_thread = Arc::clone(&work);
    match thread.spawn_scoped(scope, move || in_thread()) {
        Ok(handle) => Started::Thread(handle),
        Err(_) => Started::Done(work()),
    }
}

impl<T> Started<'_, T> {
    /// The result; a panic of the work goes on in the calling thread.
    pub fn join(self) -> T {
        match self {
            Self::Thread(handle) => handle.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Self::Done(result) => result,
        }
    }
}

/// Starts no thread: no address space has enough of it for its stack.
#[cfg(test)]
pub fn no_thread() -> thread::Builder {
    thread::Builder::new().stack_size(1 << 60)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::ThreadId;

    use super::*;

    const WIDTH: usize = 6;
    const ALONE: Pool = Pool { width: WIDTH, thread: no_thread };

    fn lane<'a>(item: &'a &'static str) -> Option<&'a str> {
        (!item.is_empty()).then_some(*item)
    }

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<_> = (0..200).collect();
        let doubled: Vec<_> = items.iter().map(|item| item * 2).collect();
        for pool in [Pool::new(WIDTH), ALONE] {
            assert_eq!(pool.map(&items, |item| item * 2), doubled);
            assert_eq!(pool.map(&[0; 0], |item| *item), [0; 0]);
        }
    }

    #[test]
    fn as_many_threads_as_the_width_share_the_work() {
        // each item waits for the others
        let barrier = Barrier::new(WIDTH);
        map(WIDTH, &[(); WIDTH], |()| barrier.wait());
    }

    #[test]
    fn the_calling_thread_does_all_where_no_other_can_be_started() {
        let own = BTreeSet::from([format!("{:?}", thread::current().id())]);
        let id = |(): &()| format!("{:?}", thread::current().id());
        assert_eq!(ALONE.map(&[(); 20], id).into_iter().collect::<BTreeSet<_>>(), own);
        let id = || -> ThreadId { thread::current().id() };
        thread::scope(|scope| {
            assert_eq!(start_by(no_thread(), scope, id).join(), id());
            assert_ne!(start(scope, id).join(), id());
        });
    }

    #[test]
    fn a_slow_lane_leaves_threads_for_the_others() {
        let items: Vec<_> =
            ["slow"; 100].into_iter().chain(["fast"; 100]).chain([""; 100]).collect();
        let (others, slow, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Pool::new(WIDTH).map_lanes(&items, 4, lane, |item| {
            if *item != "slow" {
                others.fetch_add(1, Ordering::SeqCst);
                return;
            }
            most.fetch_max(slow.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // ends only when all others have ended
            while others.load(Ordering::SeqCst) < 200 && most.load(Ordering::SeqCst) <= 4 {
                thread::yield_now();
            }
            slow.fetch_sub(1, Ordering::SeqCst);
        });
        assert!(most.load(Ordering::SeqCst) <= 4, "{most:?}");
    }

    #[test]
    fn the_lane_with_the_fewest_running_items_is_next() {
        let items = ["a", "a", "a", "b", "", "b", ""];
        let mut queue = Queue::new(&items, 2, lane);
        let mut order = Vec::new();
        while let Some((_, index)) = queue.next() {
            order.push(index);
        }
        assert_eq!(order, [4, 6, 0, 3, 1, 5]);
        assert_eq!(queue.next(), None);
        queue.leave(Some("b"));
        assert_eq!(queue.next(), None);
        queue.leave(Some("a"));
        assert_eq!(queue.next(), Some((Some("a"), 2)));
    }
}
