//! What each client does to reach its model, as data (codex 0.169 and Claude Code 2.1.330, measured:
//! `tests/behaviour/network/clients.rs` holds it against them).

use super::names;
use super::no_proxy::Grammar;
use crate::catalogue::Code;
use crate::client::Client;
use crate::http::probe::{self, AddressOrder, ChainRules, LookUp};

/// How a client chooses its way.
#[derive(Clone, Copy)]
pub struct NetworkRules {
    /// As people call it.
    pub name: &'static str,
    pub client: Client,
    pub vendor: &'static str,
    /// The variables that name a proxy for `https`. Of a group the first that is set counts; where
    /// it names no proxy, the next group does.
    pub https_proxies: &'static [&'static [&'static str]],
    /// The same for `http`.
    pub http_proxies: &'static [&'static [&'static str]],
    /// Of these the first that names a proxy counts, where none of the others does; a
    /// scheme that it does not speak is ignored.
    pub last_proxies: &'static [&'static str],
    /// Of these, the first that is set counts.
    pub exceptions: &'static [&'static str],
    /// An empty list of exceptions counts as unset.
    pub empty_exceptions_are_unset: bool,
    pub grammar: Grammar,
    /// What it makes of `host:port` in place of a URL, of blanks, and of any other text.
    pub host_and_port: Misread,
    pub blank: Misread,
    pub no_url: Misread,
    pub strictness: Strictness,
    /// How it looks names up.
    pub look_up: LookUp,
    pub order: AddressOrder,
    pub chains: ChainRules,
    /// The variable that adds an authority.
    pub authority: &'static str,
    /// The variable that names a certificate of the client's own.
    pub client_certificate: Option<&'static str>,
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's store.
    pub files_replace_store: bool,
    /// A file without certificate makes every request fail.
    pub empty_file_is_fatal: bool,
    pub codes: NetworkCodes,
}

impl NetworkRules {
    /// The variable for `https` that takes precedence.
    pub fn first_proxy(&self) -> &'static str {
        self.https_proxies.iter().flat_map(|group| group.iter()).next().copied().unwrap_or("")
    }
}

/// How a client reads values and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Blanks belong to a value; a file of authorities with a certificate that cannot be read is
    /// refused; one that OpenSSL has marked as trusted counts.
    Strict,
    /// Blanks around a value do not count, nor do certificates that cannot be read, nor a missing
    /// `//` of a proxy's URL.
    Lenient,
}

/// What a client makes of a text that is not the URL of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misread {
    /// It is read as an `http://` URL.
    AsHttp,
    /// The next variable counts.
    Ignored,
    /// The client ends, or sends nothing.
    Fatal,
}

#[derive(Clone, Copy)]
pub struct NetworkCodes {
    pub unreachable: Code,
    pub proxy_refused: Code,
    pub tls_untrusted: Code,
    pub tls_invalid: Code,
    pub blocked: Code,
}

static CODEX: NetworkRules = NetworkRules {
    name: "Codex",
    client: Client::Codex,
    vendor: "OpenAI",
    https_proxies: &[&["HTTPS_PROXY", "https_proxy"], &["ALL_PROXY", "all_proxy"]],
    http_proxies: &[&["HTTP_PROXY", "http_proxy"], &["ALL_PROXY", "all_proxy"]],
    last_proxies: &[],
    exceptions: &["NO_PROXY", "no_proxy"],
    empty_exceptions_are_unset: false,
    grammar: Grammar::Plain,
    host_and_port: Misread::AsHttp,
    blank: Misread::Ignored,
    no_url: Misread::Ignored,
    strictness: Strictness::Strict,
    look_up: probe::look_up,
    order: AddressOrder::Families,
    chains: ChainRules::WebPki,
    authority: "CODEX_CA_CERTIFICATE",
    client_certificate: None,
    files_replace_store: true,
    empty_file_is_fatal: true,
    codes: NetworkCodes {
        unreachable: Code::CodexUnreachable,
        proxy_refused: Code::CodexProxyRefused,
        tls_untrusted: Code::CodexTlsUntrusted,
        tls_invalid: Code::CodexTlsInvalid,
        blocked: Code::CodexBlocked,
    },
};

/// Before [`CLAUDE`]'s version: 2.1.197, measured. What is between the two is not known.
static OLDER_CLAUDE: NetworkRules = NetworkRules {
    grammar: Grammar::Plain,
    last_proxies: &[],
    files_replace_store: true,
    empty_file_is_fatal: true,
    ..CLAUDE
};

const CLAUDE: NetworkRules = NetworkRules {
    name: "Claude Code",
    client: Client::Claude,
    vendor: "Anthropic",
    https_proxies: &[&["https_proxy"], &["HTTPS_PROXY"], &["http_proxy"], &["HTTP_PROXY"]],
    http_proxies: &[&["https_proxy"], &["HTTPS_PROXY"], &["http_proxy"], &["HTTP_PROXY"]],
    last_proxies: &["all_proxy", "ALL_PROXY"],
    exceptions: &["no_proxy", "NO_PROXY"],
    empty_exceptions_are_unset: true,
    grammar: Grammar::Rich,
    // 2.1.330 adds the scheme where it has no terminal, and does not start in one
    host_and_port: Misread::Fatal,
    blank: Misread::Fatal,
    no_url: Misread::Fatal,
    strictness: Strictness::Lenient,
    look_up: names::as_the_system_does,
    order: AddressOrder::Staggered,
    chains: ChainRules::OpenSsl,
    authority: "NODE_EXTRA_CA_CERTS",
    client_certificate: Some("CLAUDE_CODE_CLIENT_CERT"),
    files_replace_store: false,
    empty_file_is_fatal: false,
    codes: NetworkCodes {
        unreachable: Code::ClaudeUnreachable,
        proxy_refused: Code::ClaudeProxyRefused,
        tls_untrusted: Code::ClaudeTlsUntrusted,
        tls_invalid: Code::ClaudeTlsInvalid,
        blocked: Code::ClaudeBlocked,
    },
};

pub const fn of(client: Client) -> &'static NetworkRules {
    match client {
        Client::Codex => &CODEX,
        Client::Claude => &CLAUDE,
    }
}

/// Since which version the rules are known to hold, and the rules of older ones.
pub fn older(client: Client) -> Option<([u32; 3], &'static NetworkRules)> {
    match client {
        Client::Codex => None,
        Client::Claude => Some(([2, 1, 330], &OLDER_CLAUDE)),
    }
}
