//! GitHub's REST API: reads only, lenient, frugal. It asks what a doctor needs and can do nothing else.

mod host;
pub mod model;
mod page;
mod read;
mod refusal;
mod token;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use crate::http::{Credential, Http, Response, Url};
pub use host::{Forge, api_of};
pub use page::Page;
pub(crate) use read::text;
pub use read::{Read, list};
pub use refusal::{Need, Refusal};
pub use token::Sources;

/// The version that GitHub promises until 2028 and that GHES knows (docs, "API versions").
const API_VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");
const ACCEPT: (&str, &str) = ("accept", "application/vnd.github+json");
/// More than any verdict needs; an anonymous address has sixty an hour, and shares them.
const MOST_REQUESTS: usize = 25;

/// An answer, or why there is none.
pub type Answer<T> = Result<T, Refusal>;

/// One GitHub, asked with the first of its tokens that it accepts.
pub struct GitHub<'a> {
    http: Arc<Http>,
    api: Url,
    sources: &'a Sources<'a>,
    /// Which source is in use; a 401 moves on to the next.
    source: AtomicUsize,
    rejected: Mutex<Vec<String>>,
    /// Once the limit is reached, nothing more is asked.
    limited: OnceLock<Refusal>,
    requests: AtomicUsize,
    /// The server's clock: a workspace's may be wrong, and ages are told by it.
    date: OnceLock<Timestamp>,
    known: Mutex<HashMap<String, Known>>,
}

/// An answer that the server may confirm instead of repeating (`--wait` asks again and again; a 304 is free of charge).
struct Known {
    etag: String,
    value: Value,
    next: Option<String>,
}

impl<'a> GitHub<'a> {
    pub fn new(http: Arc<Http>, api: Url, sources: &'a Sources<'a>) -> Self {
        Self {
            http,
            api,
            sources,
            source: AtomicUsize::new(0),
            rejected: Mutex::default(),
            limited: OnceLock::new(),
            requests: AtomicUsize::new(0),
            date: OnceLock::new(),
            known: Mutex::default(),
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
    pub fn object<T: Read>(&self, path: &str) -> Answer<T> {
        let (value, _) = self.value(&self.url(path)?)?;
        T::read(&value).ok_or_else(|| Refusal::broken("an object was expected"))
    }

    fn url(&self, path: &str) -> Answer<Url> {
        self.api.below(path).ok_or_else(|| Refusal::broken("the path cannot be asked for"))
    }

    /// The JSON at `url`, and the next page of it.
    fn value(&self, url: &Url) -> Answer<(Value, Option<Url>)> {
        loop {
            let index = self.source.load(Ordering::Relaxed);
            let source = self.sources.get(index, self.api.origin());
            let response = self.send(url, source.map(|source| &source.credential), true)?;
            if response.status != 401 {
                return self.read(url, &response);
            }
            let Some(source) = source else { return Err(Refusal::of(&response)) };
            // another thread may have moved on meanwhile
            let next = source.index + 1;
            if self.source.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                self.rejected.lock().unwrap_or_else(PoisonError::into_inner).push(source.via.clone());
            }
        }
    }

    fn send(&self, url: &Url, credential: Option<&Credential>, versioned: bool) -> Answer<Response> {
        if let Some(refusal) = self.limited.get() {
            return Err(refusal.clone());
        }
        if self.requests.fetch_add(1, Ordering::Relaxed) >= MOST_REQUESTS {
            return Err(Refusal::TooManyRequests);
        }
        let etag = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&url.to_string())
            .map(|known| known.etag.clone());
        let mut headers = vec![ACCEPT];
        if versioned {
            headers.push(API_VERSION);
        }
        if let Some(etag) = &etag {
            headers.push(("if-none-match", etag));
        }
        let response = self.http.get(url, &headers, credential).map_err(Refusal::Network)?;
        if let Some(date) = response.header("date").and_then(parse_date) {
            let _ = self.date.set(date);
        }
        // a server that does not know this version answers 400
        if response.status == 400 && versioned {
            return self.send(url, credential, false);
        }
        Ok(response)
    }

    fn read(&self, url: &Url, response: &Response) -> Answer<(Value, Option<Url>)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if response.status == 304
            && let Some(known) = known.get(&url.to_string())
        {
            return Ok((known.value.clone(), known.next.as_deref().and_then(|next| url.follow(next))));
        }
        if response.status != 200 {
            let refusal = Refusal::of(response);
            if matches!(refusal, Refusal::RateLimited { .. }) {
                let _ = self.limited.set(refusal.clone());
            }
            return Err(refusal);
        }
        let value: Value =
            serde_json::from_slice(&response.body).map_err(|_| Refusal::broken("it is not JSON"))?;
        let next = response.header("link").and_then(page::next_link).map(str::to_owned);
        if let Some(etag) = response.header("etag") {
            let entry = Known { etag: etag.to_owned(), value: value.clone(), next: next.clone() };
            known.insert(url.to_string(), entry);
        }
        // a page on another origin is not ours to ask for, and never with a token
        Ok((value, next.and_then(|next| url.follow(&next))))
    }
}

fn parse_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests;
