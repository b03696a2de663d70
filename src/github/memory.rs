//! What is kept between two looks: answers that the server may confirm with a 304, which does not
//! count against the limit (docs, "Best practices for using the REST API"), and the end of a rate
//! limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::GithubRefusal;

/// Where a secondary limit does not say for how long (docs, "Rate limits for the REST API").
const PAUSE: Duration = Duration::from_secs(60);

/// About the bytes that are kept.
const SPACE: usize = 8 * 1024 * 1024;

#[derive(Default)]
pub struct Memory {
    /// By the source of the token, since an ETag belongs to one credential; and by URL.
    known: Mutex<HashMap<(String, String), KnownAnswer>>,
    limited: Mutex<Option<(GithubRefusal, Instant)>>,
}

#[derive(Clone)]
pub(super) struct KnownAnswer {
    pub etag: String,
    pub value: Arc<Value>,
    pub next: Option<String>,
    pub size: usize,
}

impl Memory {
    pub(super) fn known(&self, via: &str, url: &str) -> Option<KnownAnswer> {
        lock(&self.known).get(&(via.to_owned(), url.to_owned())).cloned()
    }

    /// Kept while there is space. The server sends in full what is not kept.
    pub(super) fn keep(&self, via: &str, url: &str, known: KnownAnswer) {
        let mut all = lock(&self.known);
        let kept: usize = all.values().map(|known| known.size).sum();
        if kept + known.size <= SPACE {
            all.insert((via.to_owned(), url.to_owned()), known);
        }
    }

    /// No request is made while the limit lasts: further ones extend it.
    pub(super) fn limited(&self) -> Option<GithubRefusal> {
        lock(&self.limited)
            .as_ref()
            .filter(|(_, end)| Instant::now() < *end)
            .map(|(refusal, _)| refusal.clone())
    }

    /// `now` is the server's time.
    pub(super) fn limit(&self, refusal: &GithubRefusal, until: Option<Timestamp>, now: Timestamp) {
        let pause =
            until.and_then(|until| until.duration_since(now).try_into().ok()).unwrap_or(PAUSE);
        *lock(&self.limited) = Instant::now().checked_add(pause).map(|end| (refusal.clone(), end));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
