//! Server-sent events. A stream of them has no end, so the reader says when it has enough.

use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{Method, Request};

use super::{Coder, CoderAnswer, CoderFailure, FailureCause, SESSION};
use crate::http::{HttpError, within};

/// A line is one event: all metadata of an agent, each value at most 2 KiB.
const LONGEST_LINE: u64 = 4 * 1024 * 1024;

impl Coder {
    /// Calls `take` with the data of each event until it has enough, or the time is over.
    #[expect(clippy::disallowed_methods, reason = "a GET whose answer is read bit by bit")]
    pub fn events<T>(
        &self,
        path: &str,
        patience: Duration,
        mut take: impl FnMut(&Value) -> ControlFlow<T>,
    ) -> CoderAnswer<Option<T>> {
        let name = format!("{} {path}", Method::GET);
        let url = self.address(&name, path)?;
        let end = Instant::now() + patience;
        let network =
            |error| CoderFailure { request: name.clone(), cause: FailureCause::Network(error) };
        let failed = |error: ureq::Error| network(self.http.failure(&error, &url));
        let agent = self.http.agent(url.origin()).map_err(network)?;
        let request = Request::get(url.uri()).header(SESSION, self.token.header()).body(());
        let request = request
            .map_err(|_| network(HttpError::Broken("the request cannot be made".to_owned())))?;
        let request = agent.configure_request(request).timeout_global(Some(patience)).build();
        let answer = within(patience, move || agent.run(request)).map_err(network)?;
        let mut response = answer.map_err(failed)?;
        let status = response.status();
        tracing::debug!(status = status.as_u16(), "{name}");
        self.note_date(response.headers());
        let kind = super::header(response.headers(), "content-type").unwrap_or_default();
        if status.as_u16() != 200 || !kind.starts_with("text/event-stream") {
            let body = response.body_mut().with_config().limit(LONGEST_LINE).read_to_vec();
            let body = body.map_err(failed)?;
            let cause = match self.judge(status, response.headers(), &body) {
                Ok(_) => FailureCause::Unreadable("it is not a stream of events".to_owned()),
                Err(cause) => cause,
            };
            return Err(CoderFailure { request: name, cause });
        }
        let mut lines = BufReader::new(response.body_mut().as_reader());
        let mut line = Vec::new();
        while Instant::now() < end {
            line.clear();
            let read = std::io::Read::take(&mut lines, LONGEST_LINE).read_until(b'\n', &mut line);
            // the end of the stream, or of our time
            if !read.is_ok_and(|count| count > 0) {
                break;
            }
            let data = line.strip_prefix(b"data:").unwrap_or_default().trim_ascii();
            if let Ok(value) = self.token.read_json(data)
                && let ControlFlow::Break(found) = take(&value)
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
