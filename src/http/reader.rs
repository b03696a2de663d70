//! The only module that calls ureq, and it sends GET alone: to approve, cancel or repeat a run
//! needs another method.

use ureq::config::Config;
use ureq::http::uri::Uri;
use ureq::typestate::WithoutBody;
use ureq::{Agent, RequestBuilder};

use super::{HttpError, Url};

#[derive(Clone)]
pub(super) struct HttpReader {
    agent: Agent,
    proxied: bool,
}

impl HttpReader {
    pub(super) fn new(config: &Config, proxied: bool) -> Self {
        Self { agent: config.new_agent(), proxied }
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
