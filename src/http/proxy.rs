//! Which proxy a request uses, by curl's rules: ureq supports no address ranges, and its
//! `github.com` does not include `api.github.com`. Go's rule for ranges (`10.0.0.0/8`) is added, which curl
//! has since 7.86 too.

use std::net::IpAddr;

use super::Origin;
use crate::env::Env;

/// The proxies of the environment. A URL may contain a password, so none is printed.
pub(super) struct Proxies {
    https: Option<String>,
    http: Option<String>,
    exceptions: Vec<Exception>,
}

/// One entry of NO_PROXY.
enum Exception {
    All,
    /// A domain, and everything below it.
    Domain {
        name: String,
        port: Option<u16>,
    },
    Range {
        address: IpAddr,
        bits: u32,
    },
}

impl Proxies {
    pub(super) fn of(env: &Env) -> Self {
        // the lower case comes first, as in curl
        let either =
            |lower: &str| env.text(lower).or_else(|| env.text(&lower.to_ascii_uppercase()));
        let any = either("all_proxy");
        let url = |name: &str| either(name).or_else(|| any.clone()).map(spell_out);
        Self {
            https: url("https_proxy"),
            http: url("http_proxy"),
            exceptions: either("no_proxy").map(|list| exceptions(&list)).unwrap_or_default(),
        }
    }

    pub(super) fn for_origin(&self, origin: &Origin) -> Option<&str> {
        let proxy = if origin.is_https() { &self.https } else { &self.http };
        proxy
            .as_deref()
            .filter(|_| !self.exceptions.iter().any(|exception| exception.covers(origin)))
    }
}

/// `proxy:3128` is `http://proxy:3128`.
fn spell_out(url: String) -> String {
    if url.contains("://") { url } else { format!("http://{url}") }
}

fn exceptions(list: &str) -> Vec<Exception> {
    list.split([',', ' ', '\t'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(Exception::parse)
        .collect()
}

impl Exception {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        if let Some((address, bits)) = entry.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse(), bits.parse())
        {
            return Self::Range { address, bits };
        }
        if let Ok(address) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Self::Range { address, bits: if address.is_ipv4() { 32 } else { 128 } };
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse().ok()),
            _ => (entry, None),
        };
        let name = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
        Self::Domain { name, port }
    }

    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::All => true,
            Self::Domain { name, port } => {
                let below = |host: &str| {
                    host.strip_suffix(name.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                !name.is_empty()
                    && port.is_none_or(|port| port == origin.port())
                    && below(origin.host())
            }
            Self::Range { address, bits } => {
                let host = origin.host().trim_matches(['[', ']']);
                host.parse().is_ok_and(|host: IpAddr| same_prefix(*address, host, *bits))
            }
        }
    }
}

fn same_prefix(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            bits <= 32 && (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            bits <= 128 && (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Url;

    fn way(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = Proxies::of(&Env::of(variables));
        proxies.for_origin(Url::parse(url).unwrap().origin()).map(str::to_owned)
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("http_proxy", "h:2")];
        assert_eq!(way(&both, "https://api.github.com").as_deref(), Some("http://s:1"));
        assert_eq!(way(&both, "http://ghe.example").as_deref(), Some("http://h:2"));
        assert_eq!(
            way(&[("ALL_PROXY", "http://a:3")], "https://x.example").as_deref(),
            Some("http://a:3")
        );
        assert_eq!(way(&[("HTTP_PROXY", "http://h:2")], "https://x.example"), None);
        assert_eq!(way(&[("HTTPS_PROXY", "  ")], "https://x.example"), None);
    }

    #[test]
    fn exceptions_by_curls_rules_and_ranges() {
        let covers = |list: &str, url: &str| {
            way(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)], url).is_none()
        };
        for (list, url) in [
            ("*", "https://api.github.com"),
            ("github.com", "https://api.github.com"),
            (".github.com", "https://api.github.com"),
            (".github.com", "https://github.com"),
            ("*.github.com", "https://api.github.com"),
            ("other, GITHUB.com", "https://api.github.com"),
            ("github.com:443", "https://github.com"),
            ("10.0.0.0/8", "https://10.1.2.3"),
            ("10.1.2.3", "https://10.1.2.3"),
            ("fd00::/8", "https://[fd12::1]"),
            ("0.0.0.0/0", "https://192.0.2.1"),
        ] {
            assert!(covers(list, url), "{list} should cover {url}");
        }
        for (list, url) in [
            ("hub.com", "https://github.com"),
            ("github.com:8443", "https://github.com"),
            ("10.0.0.0/8", "https://11.1.2.3"),
            ("10.0.0.0/8", "https://github.com"),
            ("10.0.0.0/99", "https://10.0.0.0"),
            ("10.1.2.3", "https://110.1.2.3"),
            (".", "https://github.com"),
        ] {
            assert!(!covers(list, url), "{list} should not cover {url}");
        }
    }
}
