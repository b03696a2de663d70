//! What outlives one look: answers that the server may confirm instead of repeating (a 304 is free
//! of charge, docs, "Best practices for using the REST API"), and until when it wants to be left
//! alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::GithubRefusal;

/// Where a secondary limit does not say for how long (docs, "Rate limits for the REST API").
const REST: Duration = Duration::from_secs(60);

/// About the bytes that are kept.
const BUDGET: usize = 8 * 1024 * 1024;

#[derive(Default)]
pub struct Memory {
    /// By the source of the token, since an ETag is the answer's to one credential; and by URL.
    known: Mutex<HashMap<(String, String), Known>>,
    limited: Mutex<Option<(GithubRefusal, Instant)>>,
}

#[derive(Clone)]
pub(super) struct Known {
    pub etag: String,
    pub value: Arc<Value>,
    pub next: Option<String>,
    pub size: usize,
}

impl Memory {
    pub(super) fn known(&self, via: &str, url: &str) -> Option<Known> {
        lock(&self.known).get(&(via.to_owned(), url.to_owned())).cloned()
    }

    /// Kept within the budget; what is not kept is sent again in full.
    pub(super) fn keep(&self, via: &str, url: &str, known: Known) {
        let mut all = lock(&self.known);
        let kept: usize = all.values().map(|known| known.size).sum();
        if kept + known.size <= BUDGET {
            all.insert((via.to_owned(), url.to_owned()), known);
        }
    }

    /// Nothing is asked while the limit lasts: who goes on is locked out for longer.
    pub(super) fn limited(&self) -> Option<GithubRefusal> {
        lock(&self.limited)
            .as_ref()
            .filter(|(_, end)| Instant::now() < *end)
            .map(|(refusal, _)| refusal.clone())
    }

    /// `now` is the server's time.
    pub(super) fn limit(&self, refusal: &GithubRefusal, until: Option<Timestamp>, now: Timestamp) {
        let rest =
            until.and_then(|until| until.duration_since(now).try_into().ok()).unwrap_or(REST);
        *lock(&self.limited) = Instant::now().checked_add(rest).map(|end| (refusal.clone(), end));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
