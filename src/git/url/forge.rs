//! What is known of particular hosts: their other names, the shape of their paths, and where deploy
//! keys do not exist.

use super::Problem;

pub(super) const GITHUB: &str = "github.com";
pub(super) const AZURE: &str = "ssh.dev.azure.com";
pub(super) const AZURE_LEGACY: &str = "vs-ssh.visualstudio.com";

/// The default SSH port of Bitbucket Server, which distinguishes it from other self-hosted servers.
pub(super) const BITBUCKET_SERVER_PORT: u16 = 7999;
const GERRIT_PORT: u16 = 29418;

/// A public forge: user `git`, paths of owner and repository.
struct PublicForge {
    host: &'static str,
    /// Other names of the same server; the `ssh.` and `alt` ones listen on 443.
    aliases: &'static [&'static str],
    /// Whether groups may contain groups.
    nested: bool,
}

const FORGES: [PublicForge; 5] = [
    PublicForge { host: GITHUB, aliases: &["ssh.github.com", "www.github.com"], nested: false },
    PublicForge {
        host: "gitlab.com",
        aliases: &["altssh.gitlab.com", "www.gitlab.com"],
        nested: true,
    },
    PublicForge {
        host: "bitbucket.org",
        aliases: &["altssh.bitbucket.org", "www.bitbucket.org"],
        nested: false,
    },
    PublicForge { host: "codeberg.org", aliases: &["www.codeberg.org"], nested: false },
    PublicForge { host: "git.sr.ht", aliases: &[], nested: false },
];

fn forge(host: &str) -> Option<&'static PublicForge> {
    FORGES.iter().find(|forge| forge.host == host || forge.aliases.contains(&host))
}

/// The main name of a host that has several.
pub(super) fn main_host(host: &str) -> &str {
    forge(host).map_or(host, |forge| forge.host)
}

/// The other names of a host.
pub(super) fn aliases(host: &str) -> &'static [&'static str] {
    forge(host).map_or(&[], |forge| forge.aliases)
}

/// Whether this is a forge's name for ssh behind firewalls.
pub(super) fn listens_on_443(name: &str) -> bool {
    forge(name).is_some_and(|forge| forge.host != name && !name.starts_with("www."))
}

/// Whether this is a public forge, where every key belongs to the user `git`.
pub(super) fn is_public(host: &str) -> bool {
    forge(host).is_some()
}

/// Whether this is the host of a known forge.
pub fn is_known_forge(host: &str) -> bool {
    is_public(host) || host == AZURE || host == AZURE_LEGACY
}

/// Whether this server wants no `.git` at the end.
pub(super) fn is_suffixless(host: &str) -> bool {
    host == AZURE || host == AZURE_LEGACY || host.ends_with(".sr.ht")
}

/// Refuses hosts where no deploy key exists.
pub(super) fn check_host(host: &str, port: Option<u16>) -> Result<(), Problem> {
    match host.split_once('.').unwrap_or((host, "")) {
        ("gist", _) => Err(Problem::Gist),
        (first, rest) if first.starts_with("git-codecommit") && rest.contains("amazonaws.com") => {
            Err(Problem::CodeCommit)
        }
        ("source", "developers.google.com") => Err(Problem::GoogleSource),
        ("gerrit", _) | (_, "googlesource.com") => Err(Problem::Gerrit),
        _ if port == Some(GERRIT_PORT) => Err(Problem::Gerrit),
        ("api" | "raw" | "codeload", _) | (_, GITHUB | "githubusercontent.com") => {
            Err(Problem::NotGitHost)
        }
        _ => Ok(()),
    }
}

/// Refuses paths that cannot be a repository of this host, or that show a host where none belongs.
pub(super) fn check_path(host: &str, names: &[&str]) -> Result<(), Problem> {
    // `git@evil:github.com/o/r`
    if names.first().is_some_and(|first| is_public(&first.to_ascii_lowercase())) {
        return Err(Problem::HostInPath);
    }
    // deploy keys' access to wikis differs from server to server
    if names.last().is_some_and(|last| last.to_ascii_lowercase().ends_with(".wiki")) {
        return Err(Problem::Wiki);
    }
    let login = |owner: &&str| {
        owner.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match forge(host) {
        Some(forge) if forge.host == GITHUB && !names.first().is_some_and(login) => {
            Err(Problem::BadOwner)
        }
        Some(forge) if names.len() < 2 || names.len() > 2 && !forge.nested => {
            Err(Problem::WrongDepth)
        }
        _ => Ok(()),
    }
}

/// Bitbucket Server's path on SSH, `/PROJECT/REPO`, from its path on HTTPS, `/scm/PROJECT/REPO`.
pub(super) fn bitbucket_server<'a>(host: &str, web_path: &'a str) -> Option<&'a str> {
    let path = web_path.strip_prefix("/scm/").filter(|_| !is_public(host))?;
    Some(path).filter(|path| path.trim_end_matches('/').split('/').count() == 2)
}

/// Azure's SSH host, the user and the path there, from any of its forms; `None` where the host is
/// not Azure's. The paths are in Microsoft's "Use SSH key authentication" and in the clone dialogs.
pub(super) fn azure(
    host: &str,
    names: &[&str],
) -> Option<Result<(&'static str, String, String), Problem>> {
    let (ssh_host, is_ssh) = match host {
        "dev.azure.com" => (AZURE, false),
        AZURE => (AZURE, true),
        AZURE_LEGACY => (AZURE_LEGACY, true),
        _ if host.ends_with(".visualstudio.com") => (AZURE_LEGACY, false),
        _ => return None,
    };
    let mut names = names.to_vec();
    if let Some(org) = host.strip_suffix(".visualstudio.com").filter(|_| !is_ssh) {
        match names.first_mut() {
            Some(first) if first.eq_ignore_ascii_case("DefaultCollection") => *first = org,
            _ => names.insert(0, org),
        }
    }
    let (org, project, repo) = match (is_ssh, names.as_slice()) {
        (true, ["v3", org, project, repo]) | (false, [org, project, "_git", repo]) => {
            (*org, *project, *repo)
        }
        (false, [org, "_git", repo]) => (*org, *repo, *repo),
        _ => return Some(Err(Problem::AzureForm)),
    };
    if org.starts_with(['~', '_']) || org.contains('.') || project.starts_with(['~', '_']) {
        return Some(Err(Problem::AzureForm));
    }
    let user = if ssh_host == AZURE { "git" } else { org };
    Some(Ok((ssh_host, user.to_owned(), format!("v3/{org}/{project}/{repo}"))))
}
