//! The only module that calls ureq, and it sends GET alone: to approve, cancel or repeat a run
//! needs another method.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::uri::Uri;
use ureq::typestate::WithoutBody;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout, time};
use ureq::{Agent, RequestBuilder};

use super::{HttpError, Url};

/// How long after its own deadline a request is waited for: its error says more.
const GRACE: Duration = Duration::from_millis(500);

/// Sends a request in a thread that is left behind when the time is over: a proxy or a server that
/// sends a byte now and then while the connection is made keeps ureq from its own deadline.
pub fn within<T: Send + 'static>(
    deadline: Duration,
    send: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HttpError> {
    let end = Instant::now() + deadline + GRACE;
    let (sender, receiver) = channel();
    let started = thread::Builder::new().spawn(move || sender.send(send()));
    started.map_err(|error| HttpError::Connect(format!("no thread can be started: {error}")))?;
    let left = end.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).map_err(|_| HttpError::Deadline)
}

/// Looks names up in the calling thread, which may be left behind: ureq's own starts another one,
/// and panics where none can be started.
#[derive(Debug, Default)]
struct NameResolver(DefaultResolver);

impl Resolver for NameResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.0.resolve(uri, config, NextTimeout { after: time::Duration::NotHappening, ..timeout })
    }
}

#[derive(Clone)]
pub(super) struct HttpReader {
    agent: Agent,
    proxied: bool,
}

impl HttpReader {
    pub(super) fn new(config: &Config, proxied: bool) -> Self {
        let (connector, resolver) = (DefaultConnector::default(), NameResolver::default());
        Self { agent: Agent::with_parts(config.clone(), connector, resolver), proxied }
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(super) fn get(&self, uri: &Uri) -> RequestBuilder<WithoutBody> {
        self.agent.get(uri)
    }

    /// Why `url` did not answer: behind a proxy, only the proxy is connected to.
    pub(super) fn failure(&self, error: &ureq::Error, url: &Url) -> HttpError {
        match HttpError::of(error, url.origin().host()) {
            HttpError::Resolve(_) if self.proxied => {
                HttpError::Proxy("its name does not resolve".to_owned())
            }
            HttpError::Connect(why) if self.proxied => HttpError::Proxy(why),
            failure => failure,
        }
    }
}
