//! The one way to make a request: reads only, a deadline, a capped body, the caller's proxies and certificate authorities.
//!
//! A token belongs to one origin and is sent nowhere else: redirects are followed by hand, within the origin alone.

mod proxy;
mod roots;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use ureq::http::uri::{PathAndQuery, Scheme, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::env::Env;
use crate::secret::ApiToken;
use proxy::Proxies;

/// A page of a hundred runs is about a megabyte.
const BODY_CAP: u64 = 8 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
/// GitHub itself gives up after ten seconds.
const REQUEST: Duration = Duration::from_secs(12);
/// A renamed repository is one hop.
const HOPS: usize = 3;

/// Scheme, host and port: where a token belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme =
            uri.scheme().filter(|scheme| **scheme == Scheme::HTTPS || **scheme == Scheme::HTTP)?.clone();
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == Scheme::HTTPS { 443 } else { 80 });
        Some(Self { scheme, host, port })
    }

    fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

/// An absolute `http` or `https` URL without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    uri: Uri,
    origin: Origin,
}

impl Url {
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.trim().parse().ok()?;
        if uri.authority()?.as_str().contains('@') {
            return None;
        }
        Some(Self { origin: Origin::of(&uri)?, uri })
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL below this one: `path` starts with `/` and is encoded already.
    pub fn below(&self, path: &str) -> Option<Self> {
        let base = self.uri.path().trim_end_matches('/');
        self.on_same_origin(&format!("{base}{path}"))
    }

    /// What a `Location` or `Link` header names, as long as it stays on this origin.
    pub fn follow(&self, target: &str) -> Option<Self> {
        if target.starts_with('/') && !target.starts_with("//") {
            return self.on_same_origin(target);
        }
        Self::parse(target).filter(|url| url.origin == self.origin)
    }

    fn on_same_origin(&self, path: &str) -> Option<Self> {
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
        Some(Self { uri: Uri::from_parts(parts).ok()?, origin: self.origin.clone() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, f)
    }
}

/// One part of a path, such that no `/`, `?` or `%` in it is read as more than a letter.
pub fn segment(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A token with the only origin that may see it.
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

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Deadline,
    /// The host's name, or the proxy's, does not resolve.
    Resolve(String),
    Connect(String),
    /// Nobody we trust vouches for the certificate.
    UnknownIssuer,
    Tls(String),
    Proxy(String),
    TooLarge,
    /// A redirect to another origin, which was not followed.
    Elsewhere(String),
    Broken(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("no answer before the deadline"),
            Self::Resolve(host) => write!(f, "the name `{host}` does not resolve"),
            Self::Connect(why) => write!(f, "cannot connect: {why}"),
            Self::UnknownIssuer => f.write_str(
                "the certificate's issuer is unknown: behind a corporate proxy, set SSL_CERT_FILE to its authority",
            ),
            Self::Tls(why) => write!(f, "TLS failed: {why}"),
            Self::Proxy(why) => write!(f, "the proxy refused: {why}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Elsewhere(host) => write!(f, "redirected to another host, `{host}`, which was not followed"),
            Self::Broken(why) => write!(f, "the answer is broken: {why}"),
        }
    }
}

/// Makes requests; may be used from several threads at once.
pub struct Http {
    /// By what it takes to reach a host: made when first needed, since reading all authorities takes a while.
    agents: Mutex<Vec<(Way, Agent)>>,
    roots: OnceLock<RootCerts>,
    env: Env,
    proxies: Proxies,
    end: Instant,
    requests: AtomicUsize,
}

#[derive(Clone, PartialEq, Eq)]
struct Way {
    tls: bool,
    proxy: Option<String>,
}

impl Http {
    /// With the proxies and authorities that the environment names; nothing is asked after `end`.
    pub fn new(env: &Env, end: Instant) -> Self {
        Self {
            agents: Mutex::default(),
            roots: OnceLock::new(),
            env: env.clone(),
            proxies: Proxies::of(env),
            end,
            requests: AtomicUsize::new(0),
        }
    }

    /// How many requests were made.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Reads `url`. The credential goes along only to its own origin.
    pub fn get(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        credential: Option<&Credential>,
    ) -> Result<Response, Failure> {
        let mut url = url.clone();
        for _ in 0..=HOPS {
            let response = self.once(&url, headers, credential)?;
            if !matches!(response.status, 301 | 302 | 307 | 308) {
                return Ok(response);
            }
            let Some(target) = response.headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
                return Ok(response);
            };
            url = url.follow(target).ok_or_else(|| {
                let host = Url::parse(target).map_or_else(|| "?".to_owned(), |url| url.origin.host);
                Failure::Elsewhere(host)
            })?;
        }
        Err(Failure::Broken("it redirects in a circle".to_owned()))
    }

    fn once(
        &self,
        url: &Url,
        headers: &[(&'static str, &str)],
        credential: Option<&Credential>,
    ) -> Result<Response, Failure> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Deadline);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let mut request = self.agent(url.origin())?.get(&url.uri);
        if left < REQUEST {
            request = request.config().timeout_global(Some(left)).build();
        }
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        if let Some(credential) = credential.filter(|credential| credential.origin == url.origin) {
            request = request.header(AUTHORIZATION, credential.token.bearer());
        }
        let mut response = request.call().map_err(|error| failure(&error, url))?;
        let body = response.body_mut().with_config().limit(BODY_CAP).read_to_vec();
        let body = body.map_err(|error| failure(&error, url))?;
        let status = response.status().as_u16();
        tracing::debug!(status, bytes = body.len(), elapsed = ?start.elapsed(), "GET {url}");
        Ok(Response { status, headers: std::mem::take(response.headers_mut()), body })
    }

    fn agent(&self, origin: &Origin) -> Result<Agent, Failure> {
        let way = Way { tls: origin.is_https(), proxy: self.proxies.for_origin(origin).map(str::to_owned) };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = agents.iter().find(|(known, _)| *known == way) {
            return Ok(agent.clone());
        }
        // its text may hold a password
        let misread = |_| Failure::Proxy("its URL in the environment is not understood".to_owned());
        let proxy = way.proxy.as_deref().map(Proxy::new).transpose().map_err(misread)?;
        let mut config = Agent::config_builder()
            .proxy(proxy)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("pushready/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST));
        if way.tls || way.proxy.as_ref().is_some_and(|proxy| proxy.starts_with("https")) {
            // ureq looks for the process's provider first; the feature that would choose it brings bundled roots
            let _ = rustls::crypto::ring::default_provider().install_default();
            let roots = self.roots.get_or_init(|| roots::load(&self.env)).clone();
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let agent = config.build().new_agent();
        agents.push((way, agent.clone()));
        Ok(agent)
    }
}

/// In words of ours: ureq's errors may quote what a server sent.
fn failure(error: &ureq::Error, url: &Url) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::Deadline,
        ureq::Error::HostNotFound => Failure::Resolve(url.origin.host.clone()),
        ureq::Error::BodyExceedsLimit(_) => Failure::TooLarge,
        ureq::Error::ConnectProxyFailed(text) => Failure::Proxy(text.escape_debug().take(120).collect()),
        ureq::Error::ConnectionFailed => Failure::Connect("connection failed".to_owned()),
        ureq::Error::Rustls(error) => tls_failure(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => tls_failure(error),
            None if error.kind() == std::io::ErrorKind::TimedOut => Failure::Deadline,
            // std has no kind for what getaddrinfo says
            None if error.to_string().contains("lookup address") => Failure::Resolve(url.origin.host.clone()),
            None => Failure::Connect(error.kind().to_string()),
        },
        other => Failure::Broken(other.to_string().escape_debug().take(120).collect()),
    }
}

fn tls_failure(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => Failure::UnknownIssuer,
        other => Failure::Tls(other.to_string().escape_debug().take(120).collect()),
    }
}

#[cfg(test)]
pub mod test_server;
#[cfg(test)]
mod tests;
