//! Facts that several checks of an area need: each is gathered once, by the first that needs it.
//! Its type is the name under which it is kept, so that the context need not know the areas.

use std::any::Any;
use std::sync::OnceLock;

/// The facts of one run, one of each type.
#[derive(Default)]
pub struct Gathered(OnceLock<Box<Node>>);

struct Node {
    /// A `OnceLock` of the type.
    fact: Box<dyn Any + Send + Sync>,
    rest: Gathered,
}

impl Gathered {
    /// The fact of this type. Who comes while it is being gathered waits for it.
    pub fn get<T: Any + Send + Sync>(&self, gather: impl FnOnce() -> T) -> &T {
        let new = || Box::new(Node { fact: Box::new(OnceLock::<T>::new()), rest: Self::default() });
        let node = self.0.get_or_init(new);
        match node.fact.downcast_ref::<OnceLock<T>>() {
            Some(fact) => fact.get_or_init(gather),
            None => node.rest.get(gather),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct First(usize);
    #[derive(Debug, PartialEq)]
    struct Second(usize);

    #[test]
    fn each_fact_is_gathered_once_whoever_needs_it_and_may_need_another() {
        let (gathered, calls) = (Gathered::default(), AtomicUsize::new(0));
        let first = || gathered.get(|| First(calls.fetch_add(1, Ordering::Relaxed) + 1));
        let second = || gathered.get(|| Second(first().0 + 10));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!((second(), first()), (&Second(11), &First(1))));
            }
        });
        assert_eq!(calls.into_inner(), 1);
    }
}
