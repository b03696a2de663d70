//! Git remotes: what git sees in a URL, which repository that is, and its canonical SSH form.
//!
//! Pure. A secret in a URL does not survive parsing: nothing here stores or prints one.

mod forge;
mod instead_of;
mod path;
mod redact;
mod remote_command;
mod repository;

use std::fmt;

pub use forge::is_known_forge;
pub use instead_of::{
    Covered, Direction, LFS, Route, StoredUrl, Unruled, UrlRule, instead_of_rules, rewrite, unruled,
};
pub use redact::{contains_token, redact};
pub use remote_command::remote_command_repository;
pub use repository::Repository;

/// Longer than any forge allows, shorter than what could make parsing slow.
const LONGEST: usize = 4096;

/// How git would reach a remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Https,
    Http,
    /// `git://`
    Git,
    /// `ssh://`, `git+ssh://`, `ssh+git://`
    Ssh,
    /// `user@host:path`
    Scp,
    /// a local path, `file://`, `ext::` and other helpers, a scheme that git does not know
    Other,
}

impl Transport {
    /// Whether git starts ssh for it.
    pub fn is_ssh(self) -> bool {
        matches!(self, Self::Ssh | Self::Scp)
    }

    /// Whether it names a server.
    pub fn is_remote(self) -> bool {
        self != Self::Other
    }
}

/// Why a text names no repository that a deploy key can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("is empty; write `owner/repo`, `host/path/repo` or a git URL")]
    Empty,
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    #[error("contains a control character")]
    ControlCharacter,
    #[error("contains a backslash; git paths are written with `/`")]
    Backslash,
    #[error("has a query or a fragment; write the clone URL alone")]
    Query,
    #[error("has a scheme that git does not know; write `https://` or `ssh://` in lower case")]
    UnknownScheme,
    #[error("is a local path; a deploy key belongs to a repository on a server")]
    LocalPath,
    #[error("runs a remote helper (`name::address`), which no deploy key serves")]
    Helper,
    #[error("names no host; write `host/path/repo`, as in `gitlab.com/group/sub/repo`")]
    HostMissing,
    #[error("names a host that is not made of letters, digits, `-` and `.`")]
    BadHost,
    #[error("names a host that is not plain ASCII, or in punycode; such names imitate others")]
    LookalikeHost,
    #[error("has a port that is not a number from 1 to 65535")]
    BadPort,
    #[error(
        "has a port after the host's `:`, which git reads as a folder; write `ssh://git@HOST:PORT/owner/repo`"
    )]
    PortInPath,
    #[error("has a user that ssh should not be given; write `git@`")]
    BadUser,
    #[error("names no repository; write `owner/repo`, `host/path/repo` or a git URL")]
    PathMissing,
    #[error("has an empty name in its path (`//`, or `.git` alone)")]
    EmptyName,
    #[error("has `.` or `..` as a part of its path")]
    DotName,
    #[error("has a host, user or part of the path that starts with `-`")]
    LeadingDash,
    #[error("has a percent escape in its path; `%20` alone is understood")]
    PercentEscape,
    #[error("has a character in its path other than letters, digits, `.`, `_`, `-`, `+`")]
    BadCharacter,
    #[error(
        "has an owner that GitHub cannot have; owners are made of letters, digits, `-` and `_`"
    )]
    BadOwner,
    #[error("ends in `.git` twice")]
    SuffixTwice,
    #[error("has the name of another forge as the first part of its path")]
    HostInPath,
    #[error("does not name an owner and a repository, as this host does; write `host/owner/repo`")]
    WrongDepth,
    #[error("is not of Azure's form; write `https://dev.azure.com/ORG/PROJECT/_git/REPO`")]
    AzureForm,
    #[error("is a gist, which deploy keys do not cover")]
    Gist,
    #[error("is a wiki, which is not covered by the deploy key of its repository")]
    Wiki,
    #[error("is on AWS CodeCommit, which knows users' keys and no deploy keys")]
    CodeCommit,
    #[error("is on Google Source Repositories, which have no deploy keys")]
    GoogleSource,
    #[error("is on Gerrit, which knows users' keys and no deploy keys")]
    Gerrit,
    #[error("is on a host that serves files or an API, not git")]
    NotGitHost,
}

/// A text that is not a usable URL, in a form that is safe to print, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` {problem}")]
pub struct UrlError {
    shown: String,
    problem: Problem,
}

impl UrlError {
    fn new(text: &str, problem: Problem) -> Self {
        Self { shown: redact(text), problem }
    }

    pub fn problem(&self) -> Problem {
        self.problem
    }
}

/// Where a remote points, as parsed, before it is judged.
struct Address<'a> {
    transport: Transport,
    user: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    /// With the leading `/` of a URL; escapes not yet decoded.
    path: &'a str,
}

/// What git hands ssh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshTarget {
    /// `[user@]host`
    pub to: String,
    pub port: Option<u16>,
    /// As the remote command names it.
    pub path: String,
}

impl SshTarget {
    pub fn host(&self) -> &str {
        self.to.rsplit_once('@').map_or(&*self.to, |(_, host)| host)
    }

    /// The user that the URL names.
    pub fn user(&self) -> Option<&str> {
        self.to.rsplit_once('@').map(|(user, _)| user)
    }

    /// Of the canonical remote, led to this repository or to an alias of it.
    pub fn canonical(repository: &Repository, led_to: &Repository) -> Self {
        Self {
            to: format!("{}@{}", led_to.ssh_user(), led_to.host()),
            port: led_to.ssh_port(),
            path: repository.to_ssh_path(),
        }
    }
}

/// A remote as found in a git configuration. `Display` and `Debug` show no credential.
#[derive(Clone, PartialEq, Eq)]
pub struct GitUrl {
    transport: Transport,
    repository: Result<Repository, Problem>,
    port_in_path: Option<u16>,
    credential: bool,
    shown: String,
    without_credential: String,
}

impl GitUrl {
    /// Parses a remote as git does. Fails only for what git could never use as a remote;
    /// [`GitUrl::repository`] returns the repository if pushready handles it.
    pub fn parse(raw: &str) -> Result<Self, UrlError> {
        check(raw).map_err(|problem| UrlError::new(raw, problem))?;
        let (transport, address) = dissect(raw);
        let port_in_path = address.as_ref().ok().and_then(port_in_path);
        let repository = address.and_then(|address| Repository::locate(&address));
        Ok(Self {
            transport,
            port_in_path,
            credential: redact::has_credential(raw),
            shown: redact(raw),
            without_credential: redact::without_credential(raw),
            repository,
        })
    }

    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The repository, unless this is a remote that must be left as it is.
    pub fn repository(&self) -> Option<&Repository> {
        self.repository.as_ref().ok()
    }

    /// Why there is no repository.
    #[cfg(test)]
    pub fn problem(&self) -> Option<Problem> {
        self.repository.as_ref().err().copied()
    }

    /// Whether it contains a password, or a user that has the form of a token. A plain user name
    /// (`alice@`, Azure's `org@`) is not a token; a user of 40 characters or more counts as one.
    pub fn has_credential(&self) -> bool {
        self.credential
    }

    /// The same remote without its credential; as written where there is none.
    pub fn without_credential(&self) -> &str {
        &self.without_credential
    }

    /// How git calls ssh for it: host, port and path as they are written. `None`: it does not, as
    /// where a part of it could be taken for an option (connect.c,
    /// `looks_like_command_line_option`).
    pub fn ssh_target(&self) -> Option<SshTarget> {
        let (transport, address) = dissect(&self.without_credential);
        let Address { user, host, port, path, .. } = address.ok().filter(|_| transport.is_ssh())?;
        let is_plain = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
        };
        if !is_plain(host) || !user.is_none_or(is_plain) || path.is_empty() || path.starts_with('-')
        {
            return None;
        }
        let to = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        Some(SshTarget { to, port, path: path.to_owned() })
    }

    /// The port of `git@github.com:22/o/r.git`, which git takes for a folder.
    pub fn port_in_path(&self) -> Option<u16> {
        self.port_in_path
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitUrl({:?} {})", self.transport, self.shown)
    }
}

/// Refuses what git could never use, whatever it means.
fn check(text: &str) -> Result<(), Problem> {
    match text {
        "" => Err(Problem::Empty),
        _ if text.len() > LONGEST => Err(Problem::TooLong),
        _ if text.contains(char::is_control) => Err(Problem::ControlCharacter),
        _ => Ok(()),
    }
}

/// Splits as git does (transport.c `transport_get`, connect.c `parse_connect_url`).
fn dissect(raw: &str) -> (Transport, Result<Address<'_>, Problem>) {
    let scheme_end = raw.find(|c: char| !redact::is_scheme(c)).unwrap_or(raw.len());
    let (scheme, rest) = raw.split_at(scheme_end);
    if rest.starts_with("::") {
        let problem = if scheme == "codecommit" { Problem::CodeCommit } else { Problem::Helper };
        return (Transport::Other, Err(problem));
    }
    if let Some(rest) = rest.strip_prefix("://") {
        let transport = match scheme {
            "https" => Transport::Https,
            "http" => Transport::Http,
            "git" => Transport::Git,
            "ssh" | "git+ssh" | "ssh+git" => Transport::Ssh,
            "file" => return (Transport::Other, Err(Problem::LocalPath)),
            _ => return (Transport::Other, Err(Problem::UnknownScheme)),
        };
        return (transport, url_address(transport, rest));
    }
    match raw.split_once(':') {
        Some((before, _)) if !before.contains('/') => (Transport::Scp, scp_address(raw)),
        _ => (Transport::Other, Err(Problem::LocalPath)),
    }
}

fn url_address(transport: Transport, rest: &str) -> Result<Address<'_>, Problem> {
    // browsers take it for `/`, curl and ssh do not
    if rest.contains('\\') {
        return Err(Problem::Backslash);
    }
    if rest.contains(['?', '#']) {
        return Err(Problem::Query);
    }
    let (authority, path) = rest.split_at(rest.find('/').ok_or(Problem::PathMissing)?);
    let (user, place) = split_user(authority);
    let (host, port) = host_and_port(place)?;
    Ok(Address { transport, user, host, port, path })
}

/// `[user@]host:path`; brackets may contain host and port, with the user inside or before them
/// (connect.c `host_end`, `get_host_and_port`).
fn scp_address(raw: &str) -> Result<Address<'_>, Problem> {
    let transport = Transport::Scp;
    if raw.contains('\\') {
        return Err(Problem::Backslash);
    }
    if let Some((before, inside)) = raw.split_once('[')
        && (before.is_empty() || before.ends_with('@'))
    {
        let (inside, path) = inside.split_once("]:").ok_or(Problem::BadHost)?;
        let (user, place) = split_user(inside);
        let (host, port) = host_and_port(place)?;
        return Ok(Address {
            transport,
            user: user.or(before.strip_suffix('@')),
            host,
            port,
            path,
        });
    }
    let (place, path) = raw.split_once(':').ok_or(Problem::LocalPath)?;
    let (user, host) = split_user(place);
    Ok(Address { transport, user, host, port: None, path })
}

/// The last `@` separates, for curl as for ssh.
fn split_user(place: &str) -> (Option<&str>, &str) {
    place.rsplit_once('@').map_or((None, place), |(user, place)| (Some(user), place))
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), Problem> {
    match place.rsplit_once(':') {
        // an IPv6 address
        _ if place.starts_with('[') => Err(Problem::BadHost),
        None => Ok((place, None)),
        Some((host, "")) => Ok((host, None)),
        Some((host, digits)) => port(digits).map(|port| (host, Some(port))).ok_or(Problem::BadPort),
    }
}

fn port(digits: &str) -> Option<u16> {
    // `u16::from_str` would take `+22`
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

fn port_in_path(address: &Address<'_>) -> Option<u16> {
    // the path of a URL begins with `/`
    let (first, rest) = address.path.split_once('/')?;
    // `22/r` may well be a repository of the owner `22`
    let deep = rest.contains('/');
    port(first).filter(|_| address.port.is_none() && deep)
}

#[cfg(test)]
mod tests;
