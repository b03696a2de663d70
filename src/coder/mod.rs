//! A Coder server, for `pushready task`: the only client that writes to a server.
//!
//! A read is repeated when it may succeed the next time. A request that changes something is
//! repeated by itself only where it surely had no effect; what became of any other is the caller's
//! to look up.

mod events;
mod failure;
pub mod model;
mod pace;
mod probe;
#[cfg(test)]
mod recorded;
mod session;
mod stream;

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, Method, Request, StatusCode};

use crate::env::Env;
use crate::error::Result;
use crate::http::{Http, HttpError, Url, within};
use crate::secret::SessionToken;
use crate::terminal::wait_for;
use failure::PageKind;
pub use failure::{CoderFailure, CoderRefusal, FailureCause, shortened};
use pace::Pace;
pub use probe::{ApiKind, Backend, organizations};
use session::CoderSession;
pub use stream::{ChatStream, StreamEnd};

/// Two hundred messages of a chat may be long.
const BODY_CAP: u64 = 32 * 1024 * 1024;
/// No read of this API takes longer.
const READ: Duration = Duration::from_secs(30);
/// A message to an app that is slow is waited for: 70 s were seen.
const WRITE: Duration = Duration::from_secs(120);
/// What is read after the end of a command's time, to report it.
const AT_THE_END: Duration = Duration::from_secs(2);
/// How long a request is repeated by itself.
const PATIENCE: Duration = Duration::from_secs(15);

const SESSION: HeaderName = HeaderName::from_static("coder-session-token");

/// An answer, or why there is none.
pub type CoderAnswer<T> = std::result::Result<T, CoderFailure>;

pub struct Coder {
    http: Http,
    base: Url,
    token: SessionToken,
    /// Where the token comes from.
    token_source: &'static str,
    /// The server's time, and when it was that.
    clock: Cell<Option<(Timestamp, Instant)>>,
    /// When the command ends, whatever is read.
    end: Cell<Option<Instant>>,
}

impl Coder {
    pub fn of(env: &Env, insecure: bool) -> Result<Self> {
        let CoderSession { url, token, source } = CoderSession::find(env, insecure)?;
        // each request has its own deadline
        let never = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        Ok(Self {
            http: Http::new(env, never),
            base: url,
            token,
            token_source: source,
            clock: Cell::default(),
            end: Cell::default(),
        })
    }

    /// From here on no read lasts much longer than `end`.
    pub fn end_at(&self, end: Instant) {
        self.end.set(Some(end));
    }

    /// The time that a read may take. What is read to report the end has a moment all the same.
    fn left(&self, most: Duration) -> Duration {
        let left = |end: Instant| end.saturating_duration_since(Instant::now()).max(AT_THE_END);
        self.end.get().map_or(most, |end| most.min(left(end)))
    }

    /// The root of the server.
    pub fn url(&self) -> String {
        self.base.to_string().trim_end_matches('/').to_owned()
    }

    /// The time at the server: its own times are compared with it, never with the local clock.
    pub fn now(&self) -> Timestamp {
        match self.clock.get() {
            Some((date, seen)) => date.checked_add(seen.elapsed()).unwrap_or(date),
            None => Timestamp::now(),
        }
    }

    pub fn get(&self, path: &str) -> CoderAnswer<Value> {
        let mut pace = Pace::new(PATIENCE);
        loop {
            let failure = match self.once(&Method::GET, path, None, self.left(READ), true) {
                Ok(value) => return Ok(value),
                Err(failure) if failure.may_pass() => failure,
                Err(failure) => return Err(failure),
            };
            self.pause(&mut pace, failure)?;
        }
    }

    /// The same without the token: for what needs none.
    fn get_openly(&self, path: &str) -> CoderAnswer<Value> {
        let mut pace = Pace::new(PATIENCE);
        loop {
            let failure = match self.once(&Method::GET, path, None, READ, false) {
                Ok(value) => return Ok(value),
                Err(failure) if failure.may_pass() => failure,
                Err(failure) => return Err(failure),
            };
            self.pause(&mut pace, failure)?;
        }
    }

    pub fn post(&self, path: &str, body: Option<&Value>) -> CoderAnswer<Value> {
        self.change(&Method::POST, path, body)
    }

    pub fn patch(&self, path: &str, body: &Value) -> CoderAnswer<Value> {
        self.change(&Method::PATCH, path, Some(body))
    }

    pub fn delete(&self, path: &str) -> CoderAnswer<Value> {
        self.change(&Method::DELETE, path, None)
    }

    /// Repeated only where it surely had no effect.
    fn change(&self, method: &Method, path: &str, body: Option<&Value>) -> CoderAnswer<Value> {
        let mut pace = Pace::new(PATIENCE);
        loop {
            let failure = match self.once(method, path, body, WRITE, true) {
                Ok(value) => return Ok(value),
                Err(failure) if failure.is_harmless() => failure,
                Err(failure) => return Err(failure),
            };
            self.pause(&mut pace, failure)?;
        }
    }

    /// Waits before a request is sent again, or gives it up.
    fn pause(&self, pace: &mut Pace, failure: CoderFailure) -> CoderAnswer<()> {
        let Some(pause) = pace.pause(&failure) else { return Err(failure) };
        if self.end.get().is_some_and(|end| Instant::now() + pause > end) {
            return Err(failure);
        }
        tracing::info!(?pause, "{}: {:?}, is repeated", failure.request, failure.cause);
        let seconds = pause.as_secs();
        let _wait = (seconds > 0)
            .then(|| wait_for(|| format!("the server, which is asked again in {seconds} s")));
        thread::sleep(pause);
        Ok(())
    }

    fn address(&self, request: &str, path: &str) -> CoderAnswer<Url> {
        self.base.below(path).ok_or_else(|| CoderFailure {
            request: request.to_owned(),
            cause: FailureCause::Unreadable("the path is not valid in a URL".to_owned()),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one client that writes: Coder's tasks and chats, as the command line says"
    )]
    fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        deadline: Duration,
        with_token: bool,
    ) -> CoderAnswer<Value> {
        let name = format!("{method} {}", path.split_once('?').map_or(path, |(path, _)| path));
        let url = self.address(&name, path)?;
        let network =
            |error| CoderFailure { request: name.clone(), cause: FailureCause::Network(error) };
        let agent = self.http.agent(url.origin()).map_err(network)?;
        let mut request =
            Request::builder().method(method).uri(url.uri()).header("accept", "application/json");
        if with_token {
            request = request.header(SESSION, self.token.header());
        }
        let unsent = |_| network(HttpError::Broken("the request cannot be made".to_owned()));
        let start = Instant::now();
        let sent = if let Some(body) = body {
            let request = request.header("content-type", "application/json");
            let request = request.body(body.to_string()).map_err(unsent)?;
            let request = agent.configure_request(request);
            let request = request.timeout_global(Some(deadline)).build();
            within(deadline, move || agent.run(request))
        } else {
            let request = agent.configure_request(request.body(()).map_err(unsent)?);
            let request = request.timeout_global(Some(deadline)).build();
            within(deadline, move || agent.run(request))
        };
        let failed = |error: ureq::Error| network(self.http.failure(&error, &url));
        let mut response = sent.map_err(network)?.map_err(failed)?;
        let body = response.body_mut().with_config().limit(BODY_CAP).read_to_vec();
        let body = body.map_err(failed)?;
        let status = response.status();
        tracing::debug!(
            status = status.as_u16(),
            bytes = body.len(),
            elapsed = ?start.elapsed(),
            "{name}"
        );
        self.note_date(response.headers());
        self.judge(status, response.headers(), &body)
            .map_err(|cause| CoderFailure { request: name, cause })
    }

    /// What an answer is, without the token where the server repeats it.
    fn judge(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> std::result::Result<Value, FailureCause> {
        judge(status, headers, body, self.now(), &self.token)
    }

    fn note_date(&self, headers: &HeaderMap) {
        let date = header(headers, "date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        if let Some(date) = date {
            self.clock.set(Some((date.timestamp(), Instant::now())));
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What an answer is, without the token where the server repeats it. Pure.
fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    token: &SessionToken,
) -> std::result::Result<Value, FailureCause> {
    let status = status.as_u16();
    if (300..400).contains(&status) {
        let to = token.hidden_in(header(headers, "location").unwrap_or("?"));
        return Err(FailureCause::Redirect { to: place(&to), to_login: is_login(&to) });
    }
    let is_html = header(headers, "content-type").is_some_and(|kind| kind.starts_with("text/html"))
        || body.trim_ascii_start().starts_with(b"<");
    if is_html {
        return Err(FailureCause::Page { status, kind: page(body, status) });
    }
    if (200..300).contains(&status) {
        if body.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        return token.read_json(body).map_err(|error| {
            let what =
                if error.is_data() { "it is larger than what is read" } else { "it is not JSON" };
            let (line, column) = (error.line(), error.column());
            FailureCause::Unreadable(format!("{what}, at line {line} column {column}"))
        });
    }
    let value = token.read_json(body).unwrap_or(Value::Null);
    let retry_after = (status == 429).then(|| retry_after(headers, now)).flatten();
    Err(FailureCause::Refused(Box::new(CoderRefusal::of(status, &value, retry_after))))
}

/// When the server wants the next request: `X-RateLimit-Reset` is often much nearer than
/// `Retry-After`, which is always 60.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let after: u64 = header(headers, "retry-after")?.trim().parse().ok()?;
    let reset = header(headers, "x-ratelimit-reset").and_then(|text| text.parse::<i64>().ok());
    let reset = reset.and_then(|reset| reset.checked_sub(now.as_second())).filter(|left| *left > 0);
    let reset = reset.and_then(|left| u64::try_from(left).ok());
    Some(Duration::from_secs(reset.map_or(after, |reset| reset.min(after))))
}

/// Where a redirect goes, without what may be in its query.
fn place(target: &str) -> String {
    target.split(['?', '#']).next().unwrap_or_default().chars().take(120).collect()
}

fn is_login(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["login", "log in", "sign in", "signin", "sso", "saml", "oauth", "auth/", "authorize"]
        .iter()
        .any(|word| text.contains(word))
}

fn page(body: &[u8], status: u16) -> PageKind {
    let head = body.get(..body.len().min(16 * 1024)).unwrap_or_default();
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let title = title.map(|(title, _)| title.trim().to_owned()).unwrap_or_default();
    match () {
        () if title == "coder" || title.ends_with("- coder") => PageKind::Dashboard,
        () if status < 500 && (is_login(&text) || status == 401 || status == 407) => {
            PageKind::Login
        }
        () => PageKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderValue;

    fn judged(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> FailureCause {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let status = StatusCode::from_u16(status).unwrap();
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        let token = SessionToken::parse(&"a-token-of-a-test".to_owned().into()).unwrap();
        match judge(status, &headers.collect(), body.as_bytes(), now, &token) {
            Ok(value) => panic!("{value}"),
            Err(cause) => cause,
        }
    }

    #[test]
    fn a_page_is_named_by_what_it_is() {
        let html = [("content-type", "text/html; charset=utf-8")];
        for (status, body, kind) in [
            (200, "<!doctype html><title>Sign in</title>", PageKind::Login),
            (200, "<html><head><title>Coder</title></head></html>", PageKind::Dashboard),
            (200, "<html><title>It works</title></html>", PageKind::Other),
            (403, "<html><h1>403 Forbidden</h1></html>", PageKind::Other),
            (502, "<html><h1>502 Bad Gateway</h1>please sign in</html>", PageKind::Other),
        ] {
            for headers in [&html[..], &[]] {
                let cause = judged(status, headers, body);
                assert!(
                    matches!(cause, FailureCause::Page { kind: found, .. } if found == kind),
                    "{cause:?}"
                );
            }
        }
    }

    #[test]
    fn a_redirect_is_not_followed_and_its_query_is_not_printed() {
        let target = [("location", "https://sso.example/login?next=secret")];
        let FailureCause::Redirect { to, to_login: true } = judged(302, &target, "") else {
            panic!()
        };
        assert_eq!(to, "https://sso.example/login");
        let target = [("location", "https://other.example/")];
        assert!(matches!(judged(301, &target, ""), FailureCause::Redirect { to_login: false, .. }));
    }

    #[test]
    fn a_rate_limit_ends_at_the_nearer_of_two_times() {
        // 2026-11-29T10:00:12Z
        let reset = "1795946412";
        for (headers, seconds) in [
            (&[("retry-after", "60")][..], Some(60)),
            (&[("retry-after", "60"), ("x-ratelimit-reset", reset)], Some(12)),
            (&[("retry-after", "60"), ("x-ratelimit-reset", "17")], Some(60)),
            (&[], None),
        ] {
            let cause = judged(429, headers, r#"{"message": "rate limited"}"#);
            let FailureCause::Refused(refusal) = cause else { panic!() };
            assert_eq!(refusal.retry_after, seconds.map(Duration::from_secs));
        }
    }

    #[test]
    fn json_that_is_damaged_is_named_by_its_place() {
        let FailureCause::Unreadable(why) = judged(200, &[], "{\"id\":\"x\",,}") else { panic!() };
        assert_eq!(why, "it is not JSON, at line 1 column 11");
    }
}
