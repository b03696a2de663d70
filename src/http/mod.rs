//! The one way to make a request: reads only, a deadline, a capped body, the caller's proxies and
//! certificate authorities.
//!
//! A token belongs to one origin and is sent nowhere else: redirects are followed by hand, within
//! the origin alone.

mod error;
mod lanes;
pub mod probe;
mod proxy;
mod reader;
mod roots;
mod url;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use ureq::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy, ProxyProtocol};

use crate::env::Env;
use crate::secret::ApiToken;
pub use error::HttpError;
use lanes::Lanes;
use proxy::Proxies;
use reader::HttpReader;
pub use reader::within;
pub use url::{Origin, Url, segment};

/// A page of a hundred runs is about a megabyte.
const BODY_CAP: u64 = 4 * 1024 * 1024;
/// This many bodies are in memory at once, and GitHub recommends few requests at a time (docs,
/// "Best practices for using the REST API").
const AT_ONCE: usize = 4;
const CONNECT: Duration = Duration::from_secs(5);
/// GitHub itself gives up after ten seconds.
const REQUEST: Duration = Duration::from_secs(12);
const USER_AGENT: &str = concat!("pushready/", env!("CARGO_PKG_VERSION"));
/// A renamed repository is one hop.
const HOPS: usize = 3;

/// A token, with the only origin that may receive it.
#[derive(Debug)]
pub struct Credential {
    pub token: ApiToken,
    pub origin: Origin,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Makes requests; may be used from several threads at once.
pub struct Http {
    /// One for each way to reach a host, made when it is first needed: reading all authorities is
    /// slow.
    readers: Mutex<Vec<(Way, HttpReader)>>,
    roots: OnceLock<RootCerts>,
    env: Env,
    proxies: Proxies,
    end: Instant,
    requests: AtomicUsize,
    lanes: Lanes,
}

#[derive(Clone, PartialEq, Eq)]
struct Way {
    tls: bool,
    proxy: Option<String>,
}

impl Http {
    /// With the proxies and authorities that the environment names; no request is made after `end`.
    pub fn new(env: &Env, end: Instant) -> Self {
        Self {
            readers: Mutex::default(),
            roots: OnceLock::new(),
            env: env.clone(),
            proxies: Proxies::of(env),
            end,
            requests: AtomicUsize::new(0),
            lanes: Lanes::new(AT_ONCE),
        }
    }

    /// How many requests were made.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Reads `url`. The credential is sent to its own origin alone.
    pub fn get(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        credential: Option<&Credential>,
    ) -> Result<Response, HttpError> {
        let mut url = url.clone();
        for _ in 0..=HOPS {
            let response = self.once(&url, headers, credential)?;
            if !matches!(response.status, 301 | 302 | 307 | 308) {
                return Ok(response);
            }
            let Some(target) = response.headers.get(LOCATION).and_then(|value| value.to_str().ok())
            else {
                return Ok(response);
            };
            url = url.follow(target).ok_or_else(|| {
                HttpError::Elsewhere(
                    Url::parse(target)
                        .map_or_else(|| "?".to_owned(), |url| url.origin().host().to_owned()),
                )
            })?;
        }
        Err(HttpError::Broken("it redirects in a circle".to_owned()))
    }

    fn once(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        credential: Option<&Credential>,
    ) -> Result<Response, HttpError> {
        let _lane = self.lanes.enter(self.end).ok_or(HttpError::Deadline)?;
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(HttpError::Deadline);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let reader = self.reader(url.origin())?;
        let mut request = reader.get(url.uri());
        let left = left.min(REQUEST);
        request = request.config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        let belongs = |credential: &&Credential| credential.origin == *url.origin();
        if let Some(credential) =
            credential.filter(belongs).filter(|_| url.origin().is_confidential())
        {
            request = request.header(AUTHORIZATION, credential.token.bearer());
        }
        let answer = within(left, move || request.call())?;
        let mut response = answer.map_err(|error| reader.failure(&error, url))?;
        let body = response.body_mut().with_config().limit(BODY_CAP).read_to_vec();
        let body = body.map_err(|error| reader.failure(&error, url))?;
        let status = response.status().as_u16();
        tracing::debug!(status, bytes = body.len(), elapsed = ?start.elapsed(), "GET {url}");
        Ok(Response { status, headers: std::mem::take(response.headers_mut()), body })
    }

    /// What sends requests to `origin` for a client that also writes: `src/coder/` alone has the
    /// exception from the lint that forbids it.
    pub fn agent(&self, origin: &Origin) -> Result<Agent, HttpError> {
        Ok(self.reader(origin)?.agent().clone())
    }

    /// Why a request that the agent of `url` sent has no answer.
    pub fn failure(&self, error: &ureq::Error, url: &Url) -> HttpError {
        match self.reader(url.origin()) {
            Ok(reader) => reader.failure(error, url),
            Err(error) => error,
        }
    }

    /// The proxy for `origin`. Its text may contain a password.
    pub fn proxy(&self, origin: &Origin) -> Option<Proxy> {
        self.proxies.for_origin(origin).and_then(|proxy| Proxy::new(proxy).ok())
    }

    /// What trusts the same authorities, for a connection that is not HTTP.
    pub fn tls(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        if let RootCerts::Specific(all) = self.roots.get_or_init(|| roots::load(&self.env)) {
            let all = all.iter().map(|one| CertificateDer::from(one.der().to_vec()));
            roots.add_parsable_certificates(all);
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        Arc::new(config.with_no_client_auth())
    }

    fn reader(&self, origin: &Origin) -> Result<HttpReader, HttpError> {
        let way = Way {
            tls: origin.is_https(),
            proxy: self.proxies.for_origin(origin).map(str::to_owned),
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reader)) = readers.iter().find(|(known, _)| *known == way) {
            return Ok(reader.clone());
        }
        // its text may contain a password
        let misread =
            |_| HttpError::Proxy("its URL in the environment is not understood".to_owned());
        let proxy = way.proxy.as_deref().map(Proxy::new).transpose().map_err(misread)?;
        // ureq panics where it was built without
        if proxy.as_ref().is_some_and(|proxy| !speaks_http(proxy)) {
            return Err(HttpError::Proxy("a SOCKS proxy is not supported here".to_owned()));
        }
        let mut config = Agent::config_builder()
            .proxy(proxy)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST));
        if way.tls || way.proxy.as_ref().is_some_and(|proxy| proxy.starts_with("https")) {
            // ureq looks for the process's provider first; the feature that would choose it brings
            // bundled roots
            let _ = rustls::crypto::ring::default_provider().install_default();
            let roots = self.roots.get_or_init(|| roots::load(&self.env)).clone();
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let reader = HttpReader::new(&config.build(), way.proxy.is_some());
        readers.push((way, reader.clone()));
        Ok(reader)
    }
}

fn speaks_http(proxy: &Proxy) -> bool {
    matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
}

#[cfg(test)]
pub mod tests;
