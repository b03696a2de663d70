//! The identity of what a deploy key belongs to.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Address, Problem, Transport, UrlError, check, dissect, forge, path, port_in_path};

/// The user of every forge but Azure's legacy host.
const GIT: &str = "git";
/// What the host names end in that are for one repository alone.
const ALIASES: &str = ".pushready.invalid";

/// A repository on a server. Equal when the canonical URLs are, whatever the case of their letters:
/// that is how forges look paths up. See [`Repository::same_as`] for remotes that leave the port
/// open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Repository {
    host: String,
    ssh_user: String,
    ssh_port: Option<u16>,
    path: String,
    id: RepositoryId,
}

/// The first eight bytes of the SHA-256 of the canonical URL in lower case; printed as 16 hex
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryId(u64);

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Repository {
    /// What a user writes: `owner/repo` (on github.com), `host/path/repo`, or any form of git URL.
    pub fn parse_declared(text: &str) -> Result<Self, UrlError> {
        Self::declared(text.trim()).map_err(|problem| UrlError::new(text.trim(), problem))
    }

    fn declared(text: &str) -> Result<Self, Problem> {
        check(text)?;
        let url = spell_out(text)?;
        let address = dissect(&url).1?;
        if port_in_path(&address).is_some() {
            return Err(Problem::PortInPath);
        }
        let repository = Self::locate(&address)?;
        // nothing else will name the port, and its default is almost never changed
        if !address.transport.is_ssh()
            && forge::bitbucket_server(&repository.host, address.path).is_some()
        {
            let Self { host, ssh_user, path, .. } = repository;
            return Ok(Self::new(host, ssh_user, Some(forge::BITBUCKET_SERVER_PORT), path));
        }
        Ok(repository)
    }

    fn new(host: String, ssh_user: String, ssh_port: Option<u16>, path: String) -> Self {
        let mut new = Self { host, ssh_user, ssh_port, path, id: RepositoryId(0) };
        let digest: [u8; 32] = Sha256::digest(new.identity()).into();
        let first = digest.into_iter().take(8);
        new.id = RepositoryId(first.fold(0, |id, byte| id << 8 | u64::from(byte)));
        new
    }

    /// The one of a git URL.
    fn of_url(url: &str) -> Result<Self, Problem> {
        check(url)?;
        Self::locate(&dissect(url).1?)
    }

    /// Judges an address by the grammar and by what is known of its host.
    pub(super) fn locate(address: &Address<'_>) -> Result<Self, Problem> {
        let named = path::host(address.host)?;
        let host = forge::main_host(&named);
        let ssh_port = match address.port {
            _ if !address.transport.is_ssh() => None,
            Some(22) => None,
            // `ssh.github.com:443` is what a firewall makes of `github.com`
            Some(443) if host != named => None,
            port => port,
        };
        forge::check_host(host, ssh_port)?;
        let path = match address.transport {
            Transport::Scp => path::of_ssh(address.path)?,
            Transport::Ssh => path::of_ssh(&path::decode_unreserved(address.path))?,
            _ => {
                let path = path::decode_unreserved(address.path);
                path::of_web(forge::bitbucket_server(host, &path).unwrap_or(&path))?
            }
        };
        let names: Vec<&str> = path.split('/').collect();
        forge::check_path(host, &names)?;
        if let Some(azure) = forge::azure(host, &names) {
            let (host, user, path) = azure?;
            // an organisation is a DNS label too
            let ssh_user = path::host(&user)?;
            return Ok(Self::new(host.to_owned(), ssh_user, ssh_port, path));
        }
        let ssh_user = match address.user {
            Some(user) if address.transport.is_ssh() && !forge::is_public(host) => {
                path::user(user)?
            }
            _ => GIT,
        };
        Ok(Self::new(host.to_owned(), ssh_user.to_owned(), ssh_port, path))
    }

    /// The main host name, in lower case: the one that SSH is asked for.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path as SSH's side sees it, less `/` at both ends and `.git`; its case as written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The port, unless it is 22 or not known (an HTTPS URL does not tell).
    pub fn ssh_port(&self) -> Option<u16> {
        self.ssh_port
    }

    pub fn ssh_user(&self) -> &str {
        &self.ssh_user
    }

    /// The canonical SSH remote. For remotes over HTTP and `git://`; one that is SSH already may
    /// have its reasons (`ssh.github.com:443` behind a firewall) and finds its key as it is.
    pub fn to_ssh(&self) -> String {
        self.canonical_at(&self.host)
    }

    /// The same remote under the host name that is this repository's alone.
    pub fn to_alias(&self) -> String {
        self.canonical_at(&self.alias(&self.host))
    }

    fn canonical_at(&self, host: &str) -> String {
        let Self { ssh_user, ssh_port, .. } = self;
        let path = self.to_ssh_path();
        match ssh_port {
            Some(port) => format!("ssh://{ssh_user}@{host}:{port}/{path}"),
            None => format!("{ssh_user}@{host}:{path}"),
        }
    }

    /// The path as a remote command names it.
    pub fn to_ssh_path(&self) -> String {
        let suffix = if forge::is_suffixless(&self.host) { "" } else { ".git" };
        format!("{}{suffix}", self.path)
    }

    /// A host name for this repository alone. No DNS answers for `.invalid` (RFC
    /// 2606).
    pub fn alias(&self, host: &str) -> String {
        format!("{}.{host}{ALIASES}", self.id())
    }

    /// Whether it is named under such an alias.
    pub fn is_aliased(&self) -> bool {
        self.host.ends_with(ALIASES)
    }

    /// Names the repository in files: safe in any of them, and no foreign byte in it.
    pub fn id(&self) -> RepositoryId {
        self.id
    }

    fn identity(&self) -> String {
        self.to_ssh().to_ascii_lowercase()
    }

    /// The order of the identities, which need not be made for that.
    fn compare(&self, other: &Self) -> Ordering {
        let port = |it: &Self| it.ssh_port.map(|port| port.to_string()).unwrap_or_default();
        let (port, others) = (port(self), port(other));
        let small = |byte: &u8| byte.to_ascii_lowercase();
        let bytes = self.parts(&port).into_iter().flatten().map(small);
        bytes.cmp(other.parts(&others).into_iter().flatten().map(small))
    }

    /// Of the canonical URL. `port`: empty where there is none.
    fn parts<'a>(&'a self, port: &'a str) -> [&'a [u8]; 9] {
        let Self { host, ssh_user, path, .. } = self;
        let (scheme, slash) = if port.is_empty() { ("", "") } else { ("ssh://", "/") };
        let suffix = if forge::is_suffixless(host) { "" } else { ".git" };
        [scheme, ssh_user, "@", host, ":", port, slash, path, suffix].map(str::as_bytes)
    }

    /// Whether both are one repository: an HTTPS remote names neither user nor port of its SSH
    /// form, so the user does not count, and ports only where both have one.
    pub fn same_as(&self, other: &Self) -> bool {
        let ports = self.ssh_port.zip(other.ssh_port);
        self.host == other.host
            && self.path.eq_ignore_ascii_case(&other.path)
            && ports.is_none_or(|(mine, others)| mine == others)
    }

    /// The HTTPS clone URLs that people use for it, without `.git`; the likeliest first.
    pub fn https_urls(&self) -> Vec<String> {
        let Self { host, ssh_port, path, .. } = self;
        let names: Vec<&str> = path.split('/').collect();
        match (host.as_str(), names.as_slice()) {
            (forge::AZURE, ["v3", org, project, repo]) => vec![
                format!("https://{org}@dev.azure.com/{org}/{project}/_git/{repo}"),
                format!("https://dev.azure.com/{org}/{project}/_git/{repo}"),
            ],
            (forge::AZURE_LEGACY, ["v3", org, project, repo]) => vec![
                format!("https://{org}.visualstudio.com/DefaultCollection/{project}/_git/{repo}"),
                format!("https://{org}.visualstudio.com/{project}/_git/{repo}"),
            ],
            (host, [_, _])
                if *ssh_port == Some(forge::BITBUCKET_SERVER_PORT) && !forge::is_public(host) =>
            {
                vec![format!("https://{host}/scm/{path}")]
            }
            _ => vec![format!("https://{host}/{path}")],
        }
    }

    /// Its SSH URLs in the spellings that callers write, each without `.git`, and the same under
    /// this repository's own name for the host.
    pub(super) fn ssh_urls(&self) -> Vec<(String, String)> {
        let Self { host: host_name, ssh_user: user, ssh_port, path, .. } = self;
        let mut urls = Vec::new();
        for name in self.aliased_hosts() {
            let spellings = |host: &str| match ssh_port {
                Some(port) => vec![format!("ssh://{user}@{host}:{port}/{path}")],
                None if name != host_name => vec![format!("ssh://{user}@{host}:443/{path}")],
                None => {
                    vec![format!("{user}@{host}:{path}"), format!("ssh://{user}@{host}/{path}")]
                }
            };
            urls.extend(spellings(name).into_iter().zip(spellings(&self.alias(name))));
        }
        urls
    }

    /// Spellings that few callers write, in the same form.
    pub(super) fn rare_ssh_urls(&self) -> Vec<(String, String)> {
        let Self { host, ssh_user: user, ssh_port, path, .. } = self;
        let spellings = |host: &str| match ssh_port {
            Some(port) => vec![
                format!("git+ssh://{user}@{host}:{port}/{path}"),
                format!("ssh+git://{user}@{host}:{port}/{path}"),
            ],
            None => vec![
                format!("{user}@{host}:/{path}"),
                format!("ssh://{user}@{host}:22/{path}"),
                format!("git+ssh://{user}@{host}/{path}"),
                format!("ssh+git://{user}@{host}/{path}"),
            ],
        };
        spellings(host).into_iter().zip(spellings(&self.alias(host))).collect()
    }

    /// The host names that have an [`alias`](Self::alias).
    pub fn aliased_hosts(&self) -> Vec<&str> {
        let names = self.ssh_hosts();
        names.into_iter().filter(|name| *name == self.host || forge::listens_on_443(name)).collect()
    }

    /// Every host name under which ssh may be asked for it.
    pub fn ssh_hosts(&self) -> Vec<&str> {
        std::iter::once(self.host()).chain(forge::aliases(&self.host).iter().copied()).collect()
    }

    /// The repository of the same path at another name of a host.
    pub fn at_host(&self, host: &str) -> Option<Self> {
        Self::of_url(&format!("{}@{host}:{}", self.ssh_user, self.path)).ok()
    }

    /// For reports: `o/r` on github.com, else `host/path`.
    pub fn short(&self) -> String {
        match self.host.as_str() {
            forge::GITHUB => self.path.clone(),
            host => format!("{host}/{}", self.path),
        }
    }
}

/// The HTTPS form of the short ways to declare a repository; other texts as they are.
fn spell_out(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !matches!(dissect(text).1, Err(Problem::LocalPath)) {
        return Ok(text.into());
    }
    let (first, rest) = text.split_once('/').ok_or(Problem::PathMissing)?;
    match first {
        "" | "." | ".." | "~" | "file:" => Err(Problem::LocalPath),
        // GitHub's owners have no dot
        _ if first.contains('.') || first == "localhost" => Ok(format!("https://{text}").into()),
        _ if rest.trim_end_matches('/').contains('/') => Err(Problem::HostMissing),
        _ => Ok(format!("https://{}/{text}", forge::GITHUB).into()),
    }
}

impl PartialEq for Repository {
    /// As the canonical URLs, which need not be made for that.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.ssh_port == other.ssh_port
            && self.path.eq_ignore_ascii_case(&other.path)
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.ssh_user.eq_ignore_ascii_case(&other.ssh_user)
    }
}

impl Eq for Repository {}

impl PartialOrd for Repository {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Repository {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

impl Hash for Repository {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_ssh()
    }
}

impl TryFrom<String> for Repository {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        Self::of_url(&url).map_err(|problem| UrlError::new(&url, problem))
    }
}
