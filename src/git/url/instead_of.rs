//! `url.<base>.insteadOf`: what git makes of it, and the rules that turn HTTPS remotes of keyed
//! repositories into SSH.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::redact::{self, redact};
use super::{GitUrl, Repository, forge, path};

/// Keys on one host up to which the form without `.git` gets rules too: every rule costs each git
/// call a little.
const MOST_BARE: usize = 10;
/// Keys on one host up to which HTTPS URLs get rules at all: git compares every two bases as it
/// reads them (remote.c, `make_rewrite`), and each key has 64. 50 keys cost a git command 50 ms,
/// 100 cost 110 ms, 500 cost 7 s.
const MOST_RULED: usize = 100;

/// What git-lfs adds to a repository's URL. It rewrites such a URL by git's rules, and asks the
/// server over SSH about the whole path that is left, which servers do not know.
pub const LFS: &str = "/info/lfs";

/// One `url.<base>.insteadOf = <prefix>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UrlRule {
    pub base: String,
    pub prefix: String,
}

/// A prefix that a rule of the user already rewrites, and to what; no credential is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Covered {
    pub prefix: String,
    pub effective: String,
    /// It is an SSH form, and no longer reaches this repository over SSH.
    pub reversed: bool,
}

/// What to write, no prefix twice, and what was left to the user's own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub to_write: Vec<UrlRule>,
    pub covered: Vec<Covered>,
    /// As [`unruled`] says.
    pub unruled: BTreeMap<String, Unruled>,
}

/// Which URLs of a host with many keys have no rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unruled {
    /// Those that do not end in `.git`.
    Bare,
    All,
}

/// How ssh gets to know the repository of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// It finds out by itself, so URLs stay canonical.
    Canonical,
    /// By a host name for each repository.
    Alias,
}

/// What git makes of a URL (remote.c `alias_url`): one pass; the longest prefix wins, and among
/// equal ones the base that the configuration names first, be it with another prefix.
pub fn rewrite(rules: &[UrlRule], url: &str) -> String {
    let first_named = |rule: &UrlRule| rules.iter().position(|other| other.base == rule.base);
    let matching = rules.iter().filter(|rule| url.starts_with(&rule.prefix));
    let longest = matching.clone().map(|rule| rule.prefix.len()).max();
    let winner = matching
        .filter(|rule| Some(rule.prefix.len()) == longest)
        .min_by_key(|rule| first_named(rule));
    match winner.and_then(|rule| Some((rule, url.strip_prefix(&rule.prefix)?))) {
        Some((rule, rest)) => format!("{}{rest}", rule.base),
        None => url.to_owned(),
    }
}

/// Which of git's rules are meant: pushes of a remote without pushurl go by those of
/// `pushInsteadOf` first, and where one of them applies, by no other (remote.c
/// `add_pushurl_aliases`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Both,
    Push,
}

/// A URL over the web that a clone keeps for a repository with a key: only rules send it over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUrl {
    pub repository: Repository,
    pub url: String,
}

/// The rules for all repositories that have a key. They are made together, since a guard of one
/// (`o/app`, with a `2` after it) may be the prefix of another (`o/app2`). `user_rules` are those
/// in force without ours. What is `stored` has its rules whatever they cost.
pub fn instead_of_rules<'a>(
    repositories: impl IntoIterator<Item = &'a Repository>,
    stored: &[StoredUrl],
    user_rules: &[UrlRule],
    route: Route,
    direction: Direction,
) -> Rules {
    let repositories: BTreeSet<&Repository> = repositories.into_iter().collect();
    let unruled = unruled(repositories.iter().copied(), route);
    let mut covered = BTreeSet::new();
    let mut bases: BTreeMap<String, String> = BTreeMap::new();
    let mut lfs: BTreeMap<String, String> = BTreeMap::new();
    for repository in repositories {
        let stored: Vec<&str> = stored
            .iter()
            .filter(|stored| stored.repository == *repository)
            .map(|stored| &*stored.url)
            .collect();
        let unruled = unruled.get(repository.host()).filter(|_| stored.is_empty());
        let wanted = wanted(repository, &stored, unruled.is_none(), route);
        for Wanted { prefix, base, is_ssh } in wanted {
            if !is_ssh && unruled == Some(&Unruled::All) {
                continue;
            }
            // for pushes there is a rule only against another
            if direction == Direction::Push && !covers(user_rules, &prefix) {
                continue;
            }
            match judge(repository, &prefix, is_ssh, user_rules, route) {
                Fate::Write => {
                    if !is_ssh {
                        lfs.insert(format!("{prefix}{LFS}"), base.clone());
                    }
                    bases.entry(prefix).or_insert(base);
                }
                Fate::Needless => {}
                Fate::Covered { reversed } => {
                    let effective = redact(&rewrite(user_rules, &prefix));
                    covered.insert(Covered { prefix, effective, reversed });
                }
            }
        }
    }
    // Git knows no end of a name: whatever continues one keeps the URL that it had. That is what
    // the user's shorter rules make of it; an equal one does the guard's work, and longer ones
    // win.
    let taken: BTreeSet<&str> = user_rules.iter().map(|rule| rule.prefix.as_str()).collect();
    let guards: Vec<String> = bases
        .keys()
        .flat_map(|prefix| path::name_bytes().map(move |byte| format!("{prefix}{byte}")))
        .filter(|guard| !bases.contains_key(guard) && !taken.contains(guard.as_str()))
        .collect();
    bases.extend(guards.into_iter().map(|guard| {
        let base = rewrite(user_rules, &guard);
        (guard, base)
    }));
    // No guards: no server has anything that continues such a path.
    lfs.retain(|endpoint, _| !taken.contains(endpoint.as_str()));
    bases.extend(lfs);
    Rules {
        to_write: bases.into_iter().map(|(prefix, base)| UrlRule { base, prefix }).collect(),
        covered: covered.into_iter().collect(),
        unruled,
    }
}

/// By host, what stays on HTTPS because rules for it would cost every git command too much.
pub fn unruled<'a>(
    repositories: impl IntoIterator<Item = &'a Repository>,
    route: Route,
) -> BTreeMap<String, Unruled> {
    let mut keys_on: HashMap<&str, HashSet<&Repository>> = HashMap::new();
    for repository in repositories {
        keys_on.entry(repository.host()).or_default().insert(repository);
    }
    let left = |(host, keys): (&str, HashSet<_>)| {
        // an alias is reached by its rule alone
        let all = keys.len() > MOST_RULED && route == Route::Canonical;
        let left = if all { Unruled::All } else { Unruled::Bare };
        (keys.len() > MOST_BARE).then(|| (host.to_owned(), left))
    };
    keys_on.into_iter().filter_map(left).collect()
}

/// A rule that a repository needs.
struct Wanted {
    prefix: String,
    base: String,
    is_ssh: bool,
}

/// What becomes of it, given the user's own rules.
enum Fate {
    Write,
    /// The URL gets there without it.
    Needless,
    /// The user's own rule decides.
    Covered {
        reversed: bool,
    },
}

fn covers(rules: &[UrlRule], prefix: &str) -> bool {
    rules.iter().any(|rule| prefix.starts_with(&rule.prefix))
}

fn judge(
    repository: &Repository,
    prefix: &str,
    is_ssh: bool,
    user_rules: &[UrlRule],
    route: Route,
) -> Fate {
    if !covers(user_rules, prefix) {
        return if is_ssh && route == Route::Canonical { Fate::Needless } else { Fate::Write };
    }
    let effective = rewrite(user_rules, prefix);
    let reached = GitUrl::parse(&effective).ok();
    let reached =
        reached.filter(|url| url.repository().is_some_and(|other| repository.same_as(other)));
    let over_ssh = reached.as_ref().is_some_and(|url| url.transport().is_ssh());
    let defeat = match (is_ssh, route) {
        // which transport HTTPS remotes take is the user's choice
        (false, Route::Canonical) => false,
        // but a name of the real host would reach it with no key: git rewrites once only
        (false, Route::Alias) => over_ssh,
        // a reverse rule, as images have them, turns back what the repository's key was given for
        (true, Route::Canonical) => reached.is_some() && !over_ssh,
        (true, Route::Alias) => reached.is_some(),
    };
    // among equal prefixes the one named first wins; and guards would copy the credential of a base
    let beatable =
        !user_rules.iter().any(|rule| rule.prefix == prefix) && !redact::has_credential(&effective);
    match (defeat && beatable, is_ssh && over_ssh && route == Route::Canonical) {
        (true, _) => Fate::Write,
        (_, true) => Fate::Needless,
        _ => Fate::Covered { reversed: is_ssh },
    }
}

fn wanted(repository: &Repository, stored: &[&str], bare: bool, route: Route) -> Vec<Wanted> {
    let suffixless = forge::is_suffixless(repository.host());
    let mut wanted = Vec::new();
    let mut add = |url: &str, is_ssh: bool, base: &dyn Fn(&str) -> String| {
        // there no clone URL ends in `.git`
        if bare || suffixless {
            wanted.push(Wanted { prefix: url.to_owned(), base: base(""), is_ssh });
        }
        if !suffixless {
            wanted.push(Wanted { prefix: format!("{url}.git"), base: base(".git"), is_ssh });
        }
    };
    let mut urls = repository.https_urls();
    for url in stored {
        let url = url.strip_suffix('/').unwrap_or(url);
        let url = url.strip_suffix(".git").unwrap_or(url);
        // a rule is a line in a file, where no credential may be
        if !urls.iter().any(|known| known == url) && !redact::has_credential(url) {
            urls.push(url.to_owned());
        }
    }
    for url in urls {
        add(&url, false, &|_| match route {
            Route::Canonical => repository.to_ssh(),
            Route::Alias => repository.to_alias(),
        });
    }
    // where ssh finds out by itself, it does so from any spelling
    let rare = if bare && route == Route::Alias { repository.rare_ssh_urls() } else { Vec::new() };
    for (url, at_alias) in repository.ssh_urls().into_iter().chain(rare) {
        let base = if route == Route::Alias { at_alias } else { url.clone() };
        add(&url, true, &|suffix| format!("{base}{suffix}"));
    }
    wanted
}
