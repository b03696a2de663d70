//! URLs and their origins: where a token may be sent.

use std::fmt;
use std::net::IpAddr;

use ureq::http::uri::{PathAndQuery, Scheme, Uri};

/// Scheme, host and port: where a token may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri
            .scheme()
            .filter(|scheme| **scheme == Scheme::HTTPS || **scheme == Scheme::HTTP)?
            .clone();
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == Scheme::HTTPS { 443 } else { 80 });
        Some(Self { scheme, host, port })
    }

    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Nobody between the two can read what is sent. A token is sent to no other origin.
    pub fn is_confidential(&self) -> bool {
        let address = self.host.trim_matches(['[', ']']).parse::<IpAddr>();
        self.is_https()
            || self.host == "localhost"
            || address.is_ok_and(|address| address.is_loopback())
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
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        // one that cannot be a port counts as none there
        let has_port = authority.as_str().len() > authority.host().len();
        if has_port && authority.port_u16().is_none() && !authority.as_str().ends_with(':') {
            return None;
        }
        Some(Self { origin: Origin::of(&uri)?, uri })
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
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

/// One part of a path, with `/`, `?` and `%` in it encoded.
pub fn segment(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(
            |byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") },
        )
        .collect()
}
