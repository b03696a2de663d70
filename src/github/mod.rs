//! GitHub's REST API, read only: what the checks need, in few requests and with lenient parsing.

mod host;
pub mod json;
mod memory;
pub mod model;
pub mod page;
mod read;
mod refusal;
mod token;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use crate::http::{Credential, Http, Response, Url};
pub use host::{Api, Forge};
use json::Reduced;
pub(crate) use json::reduce;
use memory::KnownAnswer;
pub use memory::Memory;
pub use page::Page;
pub(crate) use read::text;
pub use read::{Read, list};
pub use refusal::{GithubRefusal, Need};
pub use token::{Sources, trust};

/// The version that GitHub promises until 2028 and that GHES knows (docs, "API versions").
const API_VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");
const ACCEPT: (&str, &str) = ("accept", "application/vnd.github+json");
/// About the bytes that are kept of one answer, and of all together: a page of a hundred jobs with
/// fifty steps each takes half of it.
pub(crate) const MOST_OF_ONE: usize = 8 * 1024 * 1024;
const MOST_OF_ALL: usize = 32 * 1024 * 1024;
/// More than any verdict needs; an anonymous address has sixty an hour, and shares them.
const MOST_REQUESTS: usize = 25;

/// An answer, or why there is none.
pub type GithubAnswer<T> = Result<T, GithubRefusal>;

/// The API of one GitHub, with the first token that it accepts.
pub struct GitHub<'a> {
    http: Arc<Http>,
    api: Url,
    sources: &'a Sources<'a>,
    memory: &'a Memory,
    /// Which source is in use; a 401 moves on to the next.
    source: AtomicUsize,
    rejected: Mutex<Vec<String>>,
    requests: AtomicUsize,
    /// How many bytes of answers may still be kept.
    space: AtomicUsize,
    /// The server's clock: that of a workspace may be wrong, and ages are computed with it.
    date: OnceLock<Timestamp>,
}

impl<'a> GitHub<'a> {
    pub fn new(http: Arc<Http>, api: Url, sources: &'a Sources<'a>, memory: &'a Memory) -> Self {
        Self {
            http,
            api,
            sources,
            memory,
            source: AtomicUsize::new(0),
            rejected: Mutex::default(),
            requests: AtomicUsize::new(0),
            space: AtomicUsize::new(MOST_OF_ALL),
            date: OnceLock::new(),
        }
    }

    /// The time at the server, once it has answered.
    pub fn now(&self) -> Option<Timestamp> {
        self.date.get().copied()
    }

    /// Where the token in use came from and of what kind it is; `None`: anonymous.
    pub fn token(&self) -> Option<String> {
        let source = self.sources.get(self.source.load(Ordering::Relaxed), self.api.origin())?;
        Some(format!("{} from {}", source.credential.token.kind(), source.via))
    }

    /// The sources whose token the server does not know.
    pub fn rejected(&self) -> Vec<String> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One object.
    pub fn object<T: Read>(&self, path: &str) -> GithubAnswer<T> {
        let (value, _) = self.value(&self.url(path)?)?;
        T::read(&value).ok_or_else(|| GithubRefusal::broken("an object was expected"))
    }

    fn url(&self, path: &str) -> GithubAnswer<Url> {
        self.api.below(path).ok_or_else(|| GithubRefusal::broken("the path is not valid in a URL"))
    }

    /// The JSON at `url`, and the next page of it.
    fn value(&self, url: &Url) -> GithubAnswer<(Arc<Value>, Option<Url>)> {
        loop {
            let index = self.source.load(Ordering::Relaxed);
            let source = self.sources.get(index, self.api.origin());
            let via = source.map_or("", |source| &source.via);
            let known = self.memory.known(via, &url.to_string());
            let response =
                self.send(url, source.map(|source| &source.credential), known.as_ref(), true)?;
            if response.status != 401 {
                return self.read(url, via, known, &response);
            }
            let Some(source) = source else { return Err(GithubRefusal::of(&response)) };
            // another thread may have moved on meanwhile
            let next = source.index + 1;
            if self
                .source
                .compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                self.rejected
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(source.via.clone());
            }
        }
    }

    fn send(
        &self,
        url: &Url,
        credential: Option<&Credential>,
        known: Option<&KnownAnswer>,
        versioned: bool,
    ) -> GithubAnswer<Response> {
        if let Some(refusal) = self.memory.limited() {
            return Err(refusal);
        }
        if self.requests.fetch_add(1, Ordering::Relaxed) >= MOST_REQUESTS {
            return Err(GithubRefusal::TooManyRequests);
        }
        let mut headers = vec![ACCEPT];
        if versioned {
            headers.push(API_VERSION);
        }
        if let Some(known) = known {
            headers.push(("if-none-match", &known.etag));
        }
        let response = self.http.get(url, &headers, credential).map_err(GithubRefusal::Network)?;
        if let Some(date) = response.header("date").and_then(parse_date) {
            let _ = self.date.set(date);
        }
        // a server that does not know this version answers 400
        if response.status == 400 && versioned {
            return self.send(url, credential, known, false);
        }
        Ok(response)
    }

    fn read(
        &self,
        url: &Url,
        via: &str,
        known: Option<KnownAnswer>,
        response: &Response,
    ) -> GithubAnswer<(Arc<Value>, Option<Url>)> {
        let follow = |next: Option<&str>| next.and_then(|next| url.follow(next));
        if let (304, Some(known)) = (response.status, known) {
            let next = follow(known.next.as_deref());
            return Ok((known.value, next));
        }
        if response.status != 200 {
            let refusal = GithubRefusal::of(response);
            if let GithubRefusal::RateLimited { until } = refusal {
                self.memory.limit(&refusal, until, self.now().unwrap_or_else(Timestamp::now));
            }
            return Err(refusal);
        }
        let broken = || GithubRefusal::broken("it is not JSON, or larger than what is read");
        let Reduced { value, size } = reduce(&response.body, MOST_OF_ONE).ok_or_else(broken)?;
        let spend = |space: usize| space.checked_sub(size);
        self.space
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .map_err(|_| broken())?;
        let value = Arc::new(value);
        let next = response.header("link").and_then(page::next_link).map(str::to_owned);
        // a page on another origin is not requested, and receives no token
        let following = follow(next.as_deref());
        if let Some(etag) = response.header("etag") {
            self.memory.keep(
                via,
                &url.to_string(),
                KnownAnswer { etag: etag.to_owned(), value: Arc::clone(&value), next, size },
            );
        }
        Ok((value, following))
    }
}

fn parse_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests;
