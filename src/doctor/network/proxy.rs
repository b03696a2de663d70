//! Which proxy a client uses for a host. Pure.

use base64ct::{Base64, Encoding as _};
use secrecy::SecretString;
use ureq::http::Uri;

use super::no_proxy;
use super::rules::{Misread, NetworkRules, Strictness};
use super::variables::{ReadVariable, Variables};
use crate::http::probe::{ProbeTarget, ProxyServer};

/// The way to a host.
#[derive(Debug)]
pub enum ProxyWay {
    Direct {
        /// Names a proxy in a form that the client does not read.
        ignored: Option<ReadVariable>,
    },
    /// Direct, because the exceptions name the host.
    Excepted { exceptions: ReadVariable },
    Proxy {
        setting: ReadVariable,
        server: ProxyServer,
        /// Exceptions that do not name the host.
        exceptions: Option<ReadVariable>,
    },
    /// The client cannot use what the variable names.
    Unusable { setting: ReadVariable, why: UnusableProxy },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusableProxy {
    /// It is not a URL.
    NotUrl,
    /// `host:port`, of which this client makes nothing.
    NoScheme,
    /// A scheme that the client does not speak.
    Scheme(String),
}

impl ProxyWay {
    /// The setting that decided.
    pub fn setting(&self) -> Option<&ReadVariable> {
        match self {
            Self::Direct { .. } => None,
            Self::Excepted { exceptions } => Some(exceptions),
            Self::Proxy { setting, .. } | Self::Unusable { setting, .. } => Some(setting),
        }
    }

    pub fn server(&self) -> Option<&ProxyServer> {
        match self {
            Self::Proxy { server, .. } => Some(server),
            _ => None,
        }
    }

    /// The exceptions that were read, and do not name the host.
    pub fn ignored_exceptions(&self) -> Option<&ReadVariable> {
        match self {
            Self::Proxy { exceptions, .. } => exceptions.as_ref(),
            _ => None,
        }
    }

    /// As evidence, without user and password.
    pub fn shown(&self) -> String {
        match self {
            Self::Direct { ignored: None } => "none".to_owned(),
            Self::Direct { ignored: Some(ignored) } => format!(
                "none: {} is not the URL of a proxy as this client reads it{}",
                ignored.origin(),
                if ignored.value.trim() == ignored.value { "" } else { ", with blanks around it" }
            ),
            Self::Excepted { exceptions } => format!("none, by {}", exceptions.origin()),
            Self::Proxy { setting, server, .. } => {
                format!("{} ({})", shown(server), setting.origin())
            }
            Self::Unusable { setting, .. } => setting.origin(),
        }
    }
}

/// The URL of a proxy without user and password.
pub fn shown(ProxyServer { tls, host, port, .. }: &ProxyServer) -> String {
    format!("http{}://{host}:{port}", if *tls { "s" } else { "" })
}

/// The way that a client takes.
pub fn choose(rules: &NetworkRules, variables: &Variables, target: &ProbeTarget) -> ProxyWay {
    let groups = if target.tls { rules.https_proxies } else { rules.http_proxies };
    let first_of = |group: &&[&'static str]| group.iter().find_map(|name| variables.get(name));
    let mut ignored = None;
    let way = groups.iter().filter_map(first_of).find_map(|setting| {
        match read(&setting.value, rules, rules.host_and_port) {
            Some(ReadProxy::Server(server)) => {
                Some(ProxyWay::Proxy { setting, server, exceptions: None })
            }
            Some(ReadProxy::Unusable(why)) => Some(ProxyWay::Unusable { setting, why }),
            None => {
                let is_ignored = ignored.is_none() && !setting.value.is_empty();
                ignored = is_ignored.then_some(setting).or(ignored.take());
                None
            }
        }
    });
    let last = || {
        let names = rules.last_proxies.iter();
        names.filter_map(|name| variables.get(name)).find_map(|setting| {
            match read(&setting.value, rules, Misread::AsHttp)? {
                ReadProxy::Server(server) => {
                    Some(ProxyWay::Proxy { setting, server, exceptions: None })
                }
                ReadProxy::Unusable(_) => None,
            }
        })
    };
    let Some(way) = way.or_else(last) else { return ProxyWay::Direct { ignored } };
    let is_list =
        |list: &ReadVariable| !(rules.empty_exceptions_are_unset && list.value.is_empty());
    let lists = rules.exceptions.iter().filter_map(|name| variables.get(name));
    match lists.into_iter().find(is_list) {
        Some(exceptions)
            if no_proxy::covers(rules.grammar, &exceptions.value, &target.host, target.port) =>
        {
            ProxyWay::Excepted { exceptions }
        }
        exceptions => match way {
            ProxyWay::Proxy { setting, server, .. } => {
                ProxyWay::Proxy { setting, server, exceptions }
            }
            way => way,
        },
    }
}

enum ReadProxy {
    Server(ProxyServer),
    Unusable(UnusableProxy),
}

/// What a client makes of the value. `None`: the next variable counts.
fn read(value: &str, rules: &NetworkRules, host_and_port: Misread) -> Option<ReadProxy> {
    if value.is_empty() {
        return None;
    }
    let text = value.trim();
    if text != value && !text.is_empty() && rules.strictness == Strictness::Strict {
        return None;
    }
    let (scheme, rest) = split_scheme(text, rules.strictness).unwrap_or(("", text));
    let misread = |misread, why| match misread {
        Misread::AsHttp => server(rest, false, rules.strictness).map(ReadProxy::Server),
        Misread::Ignored => None,
        Misread::Fatal => Some(ReadProxy::Unusable(why)),
    };
    let url = |tls| match server(rest, tls, rules.strictness) {
        Some(server) => Some(ReadProxy::Server(server)),
        None => misread(rules.no_url, UnusableProxy::NotUrl),
    };
    match &*scheme.to_ascii_lowercase() {
        _ if text.is_empty() => misread(rules.blank, UnusableProxy::NotUrl),
        "" if server(text, false, rules.strictness).is_some() => {
            misread(host_and_port, UnusableProxy::NoScheme)
        }
        "" => misread(rules.no_url, UnusableProxy::NotUrl),
        "http" => url(false),
        "https" => url(true),
        scheme if scheme.starts_with("socks") => {
            Some(ReadProxy::Unusable(UnusableProxy::Scheme(scheme.to_owned())))
        }
        _ => misread(rules.no_url, UnusableProxy::NotUrl),
    }
}

/// `http` and what is behind `://`; leniently also `http:` and any number of slashes.
fn split_scheme(text: &str, strictness: Strictness) -> Option<(&str, &str)> {
    let by_colon = text.split_once(':').filter(|(scheme, _)| {
        strictness == Strictness::Lenient
            && ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let lenient = by_colon.map(|(scheme, rest)| (scheme, rest.trim_start_matches('/')));
    lenient.or_else(|| text.split_once("://"))
}

/// `user:password@host:port/` of a URL.
fn server(rest: &str, tls: bool, strictness: Strictness) -> Option<ProxyServer> {
    let login = login(rest, strictness);
    // the login has characters that a host cannot have
    let rest = match (&login, strictness) {
        (Some((_, host)), Strictness::Lenient) => host,
        _ => rest,
    };
    let uri: Uri = format!("http://{rest}").parse().ok()?;
    let authority = uri.authority()?;
    let host = authority.host().to_ascii_lowercase();
    let is_host = |c: char| !c.is_control() && !" \"#%/<>?@\\^`{|}".contains(c);
    // `http://:3128` is a URL to Codex, of a host that has no name
    let has_host =
        !host.is_empty() || strictness == Strictness::Strict && authority.port().is_some();
    if !has_host || !host.chars().all(is_host) {
        return None;
    }
    let authorization = login.and_then(|(login, _)| {
        let (name, password) = login.split_once(':').unwrap_or((login, ""));
        let [name, password] = [name, password].map(|text| read_escapes(text, strictness));
        let pair = [name?, password?].join(":");
        Some(SecretString::from(format!("Basic {}", Base64::encode_string(pair.as_bytes()))))
    });
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Some(ProxyServer { tls, host, port, authorization })
}

/// `user:password` and `host:port`. Codex ends a password at its first `@`; a host begins behind the
/// last.
fn login(rest: &str, strictness: Strictness) -> Option<(&str, &str)> {
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (login, host) = rest.get(..end)?.rsplit_once('@')?;
    let login = match strictness {
        Strictness::Strict => login.split('@').next().unwrap_or_default(),
        Strictness::Lenient => login,
    };
    Some((login, host))
}

/// What a client sends where the URL has `%40`. Claude Code sends no login where an escape is wrong.
fn read_escapes(text: &str, strictness: Strictness) -> Option<String> {
    let bytes = decoded(text);
    let is_escape =
        |part: &str| part.get(..2).is_some_and(|digits| u8::from_str_radix(digits, 16).is_ok());
    match strictness {
        Strictness::Strict => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Strictness::Lenient if !text.split('%').skip(1).all(is_escape) => None,
        Strictness::Lenient => String::from_utf8(bytes).ok(),
    }
}

/// Why a client does not send the login that the URL contains.
pub fn misread_login(value: &str, strictness: Strictness) -> Option<&'static str> {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (login, _) = rest.get(..end)?.rsplit_once('@')?;
    match strictness {
        Strictness::Strict => login.contains('@').then_some("write `%40` for each `@` in it"),
        Strictness::Lenient => {
            read_escapes(login, strictness).is_none().then_some("write `%25` for each `%` in it")
        }
    }
}

/// `%40` is `@`.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut all = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        if let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            all.push(code);
            at += 3;
        } else {
            all.push(byte);
            at += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rules;
    use super::*;
    use crate::client::Client;
    use crate::client::Client::{Claude, Codex};
    use crate::env::Env;

    fn way(rules: &NetworkRules, url: &str, variables: &[(&str, &str)]) -> String {
        let env = Env::of(variables);
        let variables = Variables { env: &env, files: Vec::new() };
        let (scheme, host) = url.split_once("://").unwrap();
        let target =
            ProbeTarget { tls: scheme == "https", host: host.into(), port: 443, path: "/".into() };
        match choose(rules, &variables, &target) {
            ProxyWay::Unusable { setting, why } => format!("{}: {why:?}", setting.name),
            ProxyWay::Direct { ignored: None } => "direct".to_owned(),
            ProxyWay::Direct { ignored: Some(ignored) } => format!("direct, not {}", ignored.name),
            way => {
                let server = way.server().map(|server| format!(" {}", shown(server)));
                format!("{}{}", way.setting().unwrap().name, server.unwrap_or_default())
            }
        }
    }

    #[test]
    fn each_client_has_its_own_order_of_variables() {
        let https = "https://api.example";
        let local = "http://127.0.0.1";
        for (client, url, variables, expected) in [
            (
                Codex,
                https,
                &[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")][..],
                "HTTPS_PROXY http://a:1",
            ),
            (
                Claude,
                https,
                &[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")],
                "https_proxy http://b:2",
            ),
            (Codex, https, &[("ALL_PROXY", "http://a:1")], "ALL_PROXY http://a:1"),
            (Codex, https, &[("all_proxy", "http://a:1")], "all_proxy http://a:1"),
            (Codex, https, &[("HTTP_PROXY", "http://a:1")], "direct"),
            (Claude, https, &[("HTTP_PROXY", "http://a:1")], "HTTP_PROXY http://a:1"),
            (
                Claude,
                https,
                &[("HTTP_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")],
                "HTTPS_PROXY http://b:2",
            ),
            // an empty one counts as a variable that is set: the other spelling is not read
            (Codex, https, &[("HTTPS_PROXY", ""), ("https_proxy", "http://b:2")], "direct"),
            (
                Codex,
                https,
                &[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://b:2")],
                "ALL_PROXY http://b:2",
            ),
            (
                Claude,
                https,
                &[("https_proxy", ""), ("HTTPS_PROXY", "http://b:2")],
                "HTTPS_PROXY http://b:2",
            ),
            (Codex, https, &[("HTTPS_PROXY", "a:1")], "HTTPS_PROXY http://a:1"),
            (Codex, https, &[("HTTPS_PROXY", "u:p@a:1")], "HTTPS_PROXY http://a:1"),
            (Claude, https, &[("HTTPS_PROXY", "a:1")], "HTTPS_PROXY: NoScheme"),
            (Claude, https, &[("HTTPS_PROXY", "u:p@a:1")], "HTTPS_PROXY: NoScheme"),
            (Claude, https, &[("ALL_PROXY", "a:1")], "ALL_PROXY http://a:1"),
            (Claude, https, &[("HTTPS_PROXY", "http:a:1")], "HTTPS_PROXY http://a:1"),
            (Codex, https, &[("HTTPS_PROXY", "http:a:1")], "direct, not HTTPS_PROXY"),
            (Claude, https, &[("HTTPS_PROXY", " http://a:1\n")], "HTTPS_PROXY http://a:1"),
            (Codex, https, &[("HTTPS_PROXY", "http://a:1 ")], "direct, not HTTPS_PROXY"),
            (
                Codex,
                https,
                &[("HTTPS_PROXY", "http://a:1\r"), ("ALL_PROXY", "http://b:2")],
                "ALL_PROXY http://b:2",
            ),
            (Codex, https, &[("HTTPS_PROXY", "  ")], "direct, not HTTPS_PROXY"),
            (Claude, https, &[("HTTPS_PROXY", "  ")], "HTTPS_PROXY: NotUrl"),
            (Codex, https, &[("HTTPS_PROXY", "not a url")], "direct, not HTTPS_PROXY"),
            (Codex, https, &[("HTTPS_PROXY", "socks5h://a:1")], "HTTPS_PROXY: Scheme(\"socks5h\")"),
            (Claude, https, &[("HTTPS_PROXY", "socks5://a:1")], "HTTPS_PROXY: Scheme(\"socks5\")"),
            (Claude, https, &[("ALL_PROXY", "socks5://a:1")], "direct"),
            (Claude, https, &[("HTTPS_PROXY", "https://a")], "HTTPS_PROXY https://a:443"),
            (Codex, https, &[("HTTPS_PROXY", "http://a")], "HTTPS_PROXY http://a:80"),
            // a base URL of one's own, on loopback
            (Codex, local, &[("HTTP_PROXY", "http://a:1")], "HTTP_PROXY http://a:1"),
            (Codex, local, &[("HTTPS_PROXY", "http://a:1")], "direct"),
            (Claude, local, &[("HTTPS_PROXY", "http://a:1")], "HTTPS_PROXY http://a:1"),
            (Claude, local, &[("ALL_PROXY", "http://a:1")], "ALL_PROXY http://a:1"),
            (Codex, https, &[("HTTPS_PROXY", "$P")], "HTTPS_PROXY http://$p:80"),
            (Codex, https, &[("HTTPS_PROXY", "http://:1")], "HTTPS_PROXY http://:1"),
            (Codex, https, &[("HTTPS_PROXY", "http://")], "direct, not HTTPS_PROXY"),
            (Claude, https, &[("HTTPS_PROXY", "http://:1")], "HTTPS_PROXY: NotUrl"),
            (
                Codex,
                local,
                &[("HTTP_PROXY", "http://a:1"), ("NO_PROXY", "127.0.0.0/8")],
                "NO_PROXY",
            ),
            (
                Codex,
                https,
                &[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", ".example"), ("no_proxy", "x")],
                "NO_PROXY",
            ),
            (
                Claude,
                https,
                &[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", ".example"), ("no_proxy", "x")],
                "HTTPS_PROXY http://a:1",
            ),
            (
                Claude,
                https,
                &[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", ".example"), ("no_proxy", "")],
                "NO_PROXY",
            ),
            (Claude, https, &[("HTTPS_PROXY", "socks5://a:1"), ("no_proxy", "*")], "no_proxy"),
        ] {
            let found = way(rules::of(client), url, variables);
            assert_eq!(found, expected, "{client} {variables:?}");
        }
    }

    #[test]
    fn an_older_claude_sends_nothing_without_a_scheme() {
        let (_, older) = rules::older(Claude).unwrap();
        for (value, expected) in [
            ("proxy.corp:3128", "HTTPS_PROXY: NoScheme"),
            ("  ", "HTTPS_PROXY: NotUrl"),
            ("http://proxy.corp:3128", "HTTPS_PROXY http://proxy.corp:3128"),
        ] {
            let found = way(older, "https://x.example", &[("HTTPS_PROXY", value)]);
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn all_proxy_is_the_last_choice_of_claude_code() {
        let https = "https://api.example";
        let (claude, (_, older)) = (rules::of(Claude), rules::older(Claude).unwrap());
        let all = ("ALL_PROXY", "http://a:1");
        for (rules, variables, expected) in [
            (claude, &[all][..], "ALL_PROXY http://a:1"),
            (claude, &[all, ("HTTP_PROXY", "http://b:2")], "HTTP_PROXY http://b:2"),
            (claude, &[all, ("NO_PROXY", "example")], "NO_PROXY"),
            (claude, &[("ALL_PROXY", "socks5h://a:1")], "direct"),
            (older, &[all], "direct"),
        ] {
            assert_eq!(way(rules, https, variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_password_goes_to_the_proxy_and_is_not_shown() {
        use secrecy::ExposeSecret as _;
        let read = server("us%40er:hid%3Aden@p.example:3128/", false, Strictness::Strict).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test reads its own secret")]
        let header = read.authorization.as_ref().unwrap().expose_secret().to_owned();
        assert_eq!(header, format!("Basic {}", Base64::encode_string(b"us@er:hid:den")));
        assert_eq!(shown(&read), "http://p.example:3128");
        assert!(!format!("{read:?}").contains("hid"), "{read:?}");
    }

    /// As each sent it to a proxy (0.169 and 2.1.330).
    #[test]
    fn a_password_with_a_special_character_is_sent_as_the_client_reads_it() {
        use secrecy::ExposeSecret as _;
        for (login, codex, claude) in [
            ("agent:p@ss", Some("agent:p"), Some("agent:p@ss")),
            ("agent:p%ss", Some("agent:p%ss"), None),
            ("agent:p%E9ss", Some("agent:p\u{fffd}ss"), None),
            ("agent:p%40x", Some("agent:p@x"), Some("agent:p@x")),
            ("agent:a:b", Some("agent:a:b"), Some("agent:a:b")),
            ("agent", Some("agent:"), Some("agent:")),
        ] {
            for (strictness, sent) in [(Strictness::Strict, codex), (Strictness::Lenient, claude)] {
                let read = server(&format!("{login}@p.example:3128"), false, strictness).unwrap();
                #[expect(clippy::disallowed_methods, reason = "the test reads its own secret")]
                let header = read.authorization.map(|it| it.expose_secret().to_owned());
                let sent = sent.map(|it| format!("Basic {}", Base64::encode_string(it.as_bytes())));
                assert_eq!(header, sent, "{login}");
                assert_eq!((&*read.host, read.port), ("p.example", 3128));
            }
        }
        let lenient = |rest| server(rest, false, Strictness::Lenient);
        assert!(lenient("agent:a b@p:1").is_some());
        assert!(misread_login("http://u:a@b@p:1", Strictness::Strict).is_some());
        assert!(misread_login("http://u:a%b@p:1", Strictness::Lenient).is_some());
        assert!(misread_login("http://u:a%40b@p:1", Strictness::Lenient).is_none());
        assert!(misread_login("http://p:1", Strictness::Strict).is_none());
    }

    proptest! {
        #[test]
        fn no_value_panics(value in ".{0,60}") {
            for client in Client::ALL {
                way(rules::of(*client), "https://x.example", &[("HTTPS_PROXY", &value)]);
            }
        }
    }
}
