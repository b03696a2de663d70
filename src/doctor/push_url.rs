//! Where the workspace pushes to: each place as git reaches it, with user, host and port as they are
//! written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::doctor::clones::ListedUrl;
use crate::git::url::{GitUrl, Repository, SshTarget};

/// A place that the workspace pushes to, or only fetches from.
#[derive(Clone, Debug)]
pub struct PushUrl {
    pub way: Transit,
    /// A remote of a clone in view pushes there, or the repository was named by a key or `--repo`.
    pub is_pushed_to: bool,
}

#[derive(Clone, Debug)]
pub enum Transit {
    /// A repository over SSH: ssh itself is asked.
    Ssh(SshUrl),
    /// git is asked, outside of any clone: HTTPS, and what names no repository that a deploy key can
    /// belong to.
    Git(GitUrl),
}

/// A repository over SSH.
#[derive(Clone, Debug)]
pub struct SshUrl {
    pub repository: Repository,
    /// As git makes it of what a clone in view has. `None`: no clone in view has it, so the
    /// canonical remote counts.
    pub written: Option<EffectiveUrl>,
}

#[derive(Clone, Debug)]
pub struct EffectiveUrl {
    pub url: GitUrl,
    pub target: SshTarget,
}

impl SshUrl {
    /// Whether it leads where the canonical remote does: the same user, host and port.
    fn is_canonical(&self) -> bool {
        let Self { repository, written } = self;
        let Some(EffectiveUrl { target, .. }) = written else { return true };
        let names = [repository.host().to_owned(), repository.alias(repository.host())];
        let hosts = names.map(|host| format!("{}@{host}", repository.ssh_user()));
        let port = target.port.filter(|port| *port != 22);
        port == repository.ssh_port() && hosts.contains(&target.to)
    }

    /// The host name and the port at which the server itself can be reached by this way.
    pub fn server(&self) -> (&str, Option<u16>) {
        let Self { repository, written } = self;
        let asked = written.as_ref().map(|written| &written.target);
        let host = |target: &SshTarget| {
            repository.ssh_hosts().into_iter().find(|host| target.host() == *host)
        };
        match asked.and_then(|target| Some((host(target)?, target.port))) {
            Some(server) => server,
            None => (repository.host(), repository.ssh_port()),
        }
    }

    /// The URL that git is given.
    pub fn text(&self) -> String {
        match &self.written {
            Some(EffectiveUrl { url, .. }) => url.without_credential().to_owned(),
            None => self.repository.to_ssh(),
        }
    }
}

impl PushUrl {
    pub fn host(&self) -> &str {
        self.repository().map_or("", Repository::host)
    }

    /// The URL that git is given.
    pub fn text(&self) -> String {
        match &self.way {
            Transit::Ssh(url) => url.text(),
            Transit::Git(url) => url.without_credential().to_owned(),
        }
    }

    pub fn repository(&self) -> Option<&Repository> {
        match &self.way {
            Transit::Ssh(url) => Some(&url.repository),
            Transit::Git(url) => url.repository(),
        }
    }

    pub fn over_ssh(&self) -> Option<&SshUrl> {
        match &self.way {
            Transit::Ssh(url) => Some(url),
            Transit::Git(_) => None,
        }
    }

    /// What it is known by: two with the same place are one.
    fn place(&self) -> PushPlace {
        match &self.way {
            Transit::Ssh(SshUrl { repository, written }) => {
                let target = written.as_ref().map(|it| it.target.clone());
                PushPlace::Ssh(repository.clone(), target)
            }
            Transit::Git(url) => PushPlace::Git(url.to_string()),
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PushPlace {
    Ssh(Repository, Option<SshTarget>),
    Git(String),
}

impl fmt::Display for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Transit::Ssh(url) if url.is_canonical() => f.write_str(&url.repository.to_ssh()),
            Transit::Ssh(SshUrl { written: Some(EffectiveUrl { url, .. }), .. })
            | Transit::Git(url) => url.fmt(f),
            Transit::Ssh(url) => f.write_str(&url.repository.to_ssh()),
        }
    }
}

/// The places of the clones in view, and the canonical remote of each of `repositories` (those with
/// a key, and what `--repo` names) that no clone in view pushes to over SSH. Pure.
pub fn push_urls(repositories: &[Repository], remotes: &[ListedUrl]) -> Vec<PushUrl> {
    let (mut urls, mut known): (Vec<PushUrl>, BTreeMap<PushPlace, usize>) = Default::default();
    let mut aliases: BTreeMap<String, &Repository> = BTreeMap::new();
    for repository in repositories {
        for host in repository.aliased_hosts() {
            aliases.entry(repository.alias(host)).or_insert(repository);
        }
    }
    let known_exactly: BTreeSet<&Repository> = repositories.iter().collect();
    for ListedUrl { url, is_pushed_to, is_of_target } in remotes {
        // of two that differ in their ports, the one that is named
        let exact = |named: &Repository| known_exactly.get(named).copied();
        let same = |named: &Repository| repositories.iter().find(|known| known.same_as(named));
        // `is_of`, for many of both
        let other = |named: &Repository| same(named).or_else(|| aliases.get(named.host()).copied());
        let keyed = url.repository().and_then(|named| exact(named).or_else(|| other(named)));
        let target = url.ssh_target();
        let way = match (keyed.or(url.repository()), target) {
            // what a keyed repository is fetched from is not what its key is for, and no push
            // goes to a remote beside the one of the branch
            _ if keyed.is_some() && !is_pushed_to || keyed.is_none() && !is_of_target => continue,
            (Some(repository), Some(target)) => Transit::Ssh(SshUrl {
                repository: repository.clone(),
                written: Some(EffectiveUrl { url: url.clone(), target }),
            }),
            (None, None) if !url.transport().is_remote() => continue,
            _ => Transit::Git(url.clone()),
        };
        let found = PushUrl { way, is_pushed_to: *is_pushed_to };
        match known.entry(found.place()) {
            Entry::Occupied(at) => {
                let known = urls.get_mut(*at.get()).into_iter();
                known.for_each(|known| known.is_pushed_to |= found.is_pushed_to);
            }
            Entry::Vacant(place) => {
                place.insert(urls.len());
                urls.push(found);
            }
        }
    }
    for repository in repositories {
        let is_asked = urls
            .iter()
            .any(|url| matches!(&url.way, Transit::Ssh(url) if url.repository == *repository));
        if !is_asked {
            let way = Transit::Ssh(SshUrl { repository: repository.clone(), written: None });
            urls.push(PushUrl { way, is_pushed_to: true });
        }
    }
    urls.sort_by_cached_key(|url| {
        (matches!(url.way, Transit::Git(_)), url.to_string().to_lowercase())
    });
    urls
}

/// Whoever wrote the configuration of a clone decides how many places it pushes to: no more than
/// these are asked in addition to the repositories with a key. A run has no time for more.
pub const MOST: usize = 300;

/// Leaves those that are not asked out of `urls`, and returns how many they are. Pure.
pub fn leave_out(urls: &mut Vec<PushUrl>, repositories: &[Repository]) -> usize {
    let known: BTreeSet<&Repository> = repositories.iter().collect();
    let all = urls.len();
    let mut others = 0;
    urls.retain(|url| {
        let is_known = url.over_ssh().is_some_and(|url| known.contains(&url.repository));
        others += usize::from(!is_known);
        is_known || others <= MOST
    });
    all - urls.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(repositories: &[&str], remotes: &[(&str, bool)]) -> Vec<String> {
        let repositories: Vec<_> =
            repositories.iter().map(|text| Repository::parse_declared(text).unwrap()).collect();
        let remotes: Vec<_> = remotes
            .iter()
            .map(|(url, is_pushed_to)| ListedUrl {
                url: GitUrl::parse(url).unwrap(),
                is_pushed_to: *is_pushed_to,
                is_of_target: true,
            })
            .collect();
        let urls = push_urls(&repositories, &remotes);
        let asked = |url: &PushUrl| match &url.way {
            Transit::Git(_) => "git".to_owned(),
            Transit::Ssh(ssh) => ssh.written.as_ref().map_or("canonical".to_owned(), |written| {
                let SshTarget { to, port, path } = &written.target;
                format!("{to} {} {path}", port.map_or("-".to_owned(), |port| port.to_string()))
            }),
        };
        let only_fetched = |url: &PushUrl| if url.is_pushed_to { "" } else { " (fetch)" };
        urls.iter().map(|url| format!("{url} = {}{}", asked(url), only_fetched(url))).collect()
    }

    #[test]
    fn repositories_with_a_key_are_asked_however_many_remotes_there_are() {
        let keyed: Vec<_> =
            (0..400).map(|n| Repository::parse_declared(&format!("zz/k{n}")).unwrap()).collect();
        for (others, left_out) in [(MOST, 0), (MOST + 1, 1), (2_000, 2_000 - MOST)] {
            let remotes: Vec<_> = (0..others)
                .map(|n| GitUrl::parse(&format!("git@a.test:o/r{n}")).unwrap())
                .map(|url| ListedUrl { url, is_pushed_to: true, is_of_target: true })
                .collect();
            let mut urls = push_urls(&keyed, &remotes);
            assert_eq!(leave_out(&mut urls, &keyed), left_out, "{others}");
            assert_eq!(urls.len(), keyed.len() + MOST.min(others));
            let is_asked = |known: &Repository| {
                urls.iter().any(|url| url.over_ssh().is_some_and(|url| url.repository == *known))
            };
            assert!(keyed.iter().all(is_asked));
        }
    }

    #[test]
    fn each_place_is_asked_as_git_reaches_it() {
        let app = &["o/app"][..];
        let canonical = "git@github.com:o/app.git";
        let alias = Repository::parse_declared("o/app").unwrap().to_alias();
        for (repositories, remotes, expected) in [
            // no clone in view
            (app, &[][..], &["git@github.com:o/app.git = canonical"][..]),
            // another spelling of the path is the canonical place
            (
                app,
                &[("git@github.com:o/app", true), ("ssh://git@github.com/O/App.git", true)],
                &[
                    "git@github.com:o/app.git = git@github.com - o/app",
                    "git@github.com:o/app.git = git@github.com - /O/App.git",
                ],
            ),
            // user, host and port are kept
            (
                app,
                &[("github.com:o/app.git", true)],
                &["github.com:o/app.git = github.com - o/app.git"],
            ),
            (
                app,
                &[("ssh://someone@github.com/o/app.git", true)],
                &["ssh://someone@github.com/o/app.git = someone@github.com - /o/app.git"],
            ),
            (
                app,
                &[("ssh://git@ssh.github.com:443/o/app.git", true)],
                &["ssh://git@ssh.github.com:443/o/app.git = git@ssh.github.com 443 /o/app.git"],
            ),
            // both push URLs of a remote
            (
                app,
                &[(canonical, true), ("ssh://git@github.com:2222/o/app.git", true)],
                &[
                    "git@github.com:o/app.git = git@github.com - o/app.git",
                    "ssh://git@github.com:2222/o/app.git = git@github.com 2222 /o/app.git",
                ],
            ),
            // over HTTPS the key does not count, and is asked about as well
            (
                app,
                &[("https://github.com/o/app", true)],
                &["git@github.com:o/app.git = canonical", "https://github.com/o/app = git"],
            ),
            // a keyed repository that is only fetched from another place
            (
                app,
                &[("https://github.com/o/app", false), (canonical, true)],
                &["git@github.com:o/app.git = git@github.com - o/app.git"],
            ),
            // repositories without a key
            (
                &[],
                &[("git@github.com-work:o/app.git", true), ("https://github.com/up/app", false)],
                &[
                    "git@github.com-work:o/app.git = git@github.com-work - o/app.git",
                    "https://github.com/up/app = git (fetch)",
                ],
            ),
            // a place that is fetched from and pushed to
            (
                &[],
                &[("https://h.corp/o/app", false), ("https://h.corp/o/app", true)],
                &["https://h.corp/o/app = git"],
            ),
            // no deploy key can belong to it, and git pushes there all the same
            (
                &[],
                &[("git@github.com:o/app.wiki.git", true), ("/srv/app.git", true)],
                &["git@github.com:o/app.wiki.git = git"],
            ),
            // `--repo` names another port
            (
                &["o/app", "ssh://git@github.com:2222/o/app.git"],
                &[(canonical, true)],
                &[
                    "git@github.com:o/app.git = git@github.com - o/app.git",
                    "ssh://git@github.com:2222/o/app.git = canonical",
                ],
            ),
            (
                app,
                &[(&*alias, true)],
                &[&*format!(
                    "git@github.com:o/app.git = {} - o/app.git",
                    alias.split_once(':').unwrap().0
                )],
            ),
        ] {
            assert_eq!(shown(repositories, remotes), expected, "{repositories:?} {remotes:?}");
        }
    }

    #[test]
    fn a_remote_to_which_no_push_goes_is_asked_only_with_a_key() {
        let asked = |repositories: &[&str]| {
            let repositories: Vec<_> =
                repositories.iter().map(|text| Repository::parse_declared(text).unwrap()).collect();
            let of = |url: &str, is_of_target| {
                let url = GitUrl::parse(url).unwrap();
                ListedUrl { url, is_pushed_to: true, is_of_target }
            };
            let remotes =
                [of("git@github.com:o/app.git", true), of("git@github.com:up/app", false)];
            let urls = push_urls(&repositories, &remotes);
            urls.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (app, up) = ("git@github.com:o/app.git", "git@github.com:up/app.git");
        assert_eq!(asked(&["o/app"]), [app]);
        assert_eq!(asked(&["o/app", "up/app"]), [app, up]);
    }

    #[test]
    fn the_server_is_reached_at_the_host_and_port_that_are_written() {
        for (url, host, port) in [
            ("ssh://git@ssh.github.com:443/o/app.git", "ssh.github.com", Some(443)),
            ("ssh://x@github.com:22/o/app.git", "github.com", Some(22)),
            ("git@github.com-work:o/app.git", "github.com-work", None),
        ] {
            let url = GitUrl::parse(url).unwrap();
            let target = url.ssh_target().unwrap();
            let repository = url.repository().unwrap().clone();
            let ssh = SshUrl { repository, written: Some(EffectiveUrl { url, target }) };
            assert_eq!(ssh.server(), (host, port));
        }
    }
}
