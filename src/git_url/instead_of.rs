//! `url.<base>.insteadOf`: what git makes of it, and the rules that turn HTTPS remotes of keyed repositories into SSH.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Repository, forge, path};

/// Keys on one host up to which the form without `.git` gets rules too: every rule costs each git call a little.
const MOST_BARE: usize = 10;

/// One `url.<base>.insteadOf = <prefix>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub base: String,
    pub prefix: String,
}

/// A prefix that a rule of the user already rewrites, and to what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Covered {
    pub prefix: String,
    pub effective: String,
}

/// What to write, no prefix twice, and what was left to the user's own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub rules: Vec<Rule>,
    pub covered: Vec<Covered>,
}

/// What git makes of a URL (remote.c `alias_url`): one pass; the longest prefix wins, and among equal ones
/// the base that the configuration names first, be it with another prefix.
pub fn rewrite(rules: &[Rule], url: &str) -> String {
    let first_named = |rule: &Rule| rules.iter().position(|other| other.base == rule.base);
    let matching = rules.iter().filter(|rule| url.starts_with(&rule.prefix));
    let longest = matching.clone().map(|rule| rule.prefix.len()).max();
    let winner =
        matching.filter(|rule| Some(rule.prefix.len()) == longest).min_by_key(|rule| first_named(rule));
    match winner.and_then(|rule| Some((rule, url.strip_prefix(&rule.prefix)?))) {
        Some((rule, rest)) => format!("{}{rest}", rule.base),
        None => url.to_owned(),
    }
}

/// The rules for all repositories that have a key. They are made together, since a guard of one (`o/app`, with a
/// `2` after it) may be the prefix of another (`o/app2`). `user_rules` are those in force without ours.
pub fn instead_of_rules<'a>(
    repositories: impl IntoIterator<Item = &'a Repository>,
    user_rules: &[Rule],
) -> Rules {
    let repositories: BTreeSet<&Repository> = repositories.into_iter().collect();
    let mut keys_on: HashMap<&str, usize> = HashMap::new();
    for repository in &repositories {
        *keys_on.entry(repository.host()).or_default() += 1;
    }
    let mut covered = BTreeSet::new();
    let mut bases: BTreeMap<String, String> = BTreeMap::new();
    for repository in repositories {
        let bare = keys_on.get(repository.host()).is_none_or(|keys| *keys <= MOST_BARE);
        for prefix in prefixes(repository, bare) {
            if user_rules.iter().any(|rule| prefix.starts_with(&rule.prefix)) {
                covered.insert(Covered { effective: rewrite(user_rules, &prefix), prefix });
            } else {
                bases.entry(prefix).or_insert_with(|| repository.to_ssh());
            }
        }
    }
    // Git knows no end of a name: whatever continues one keeps its URL. No shorter rule of the user can match a
    // guard, or it would cover the prefix; an equal one does the guard's work, and longer ones win.
    let taken: BTreeSet<&str> = user_rules.iter().map(|rule| rule.prefix.as_str()).collect();
    let guards: Vec<String> = bases
        .keys()
        .flat_map(|prefix| path::name_bytes().map(move |byte| format!("{prefix}{byte}")))
        .filter(|guard| !bases.contains_key(guard) && !taken.contains(guard.as_str()))
        .collect();
    bases.extend(guards.into_iter().map(|guard| (guard.clone(), guard)));
    Rules {
        rules: bases.into_iter().map(|(prefix, base)| Rule { base, prefix }).collect(),
        covered: covered.into_iter().collect(),
    }
}

fn prefixes(repository: &Repository, bare: bool) -> Vec<String> {
    let urls = repository.https_urls();
    // there no clone URL ends in `.git`
    if forge::is_suffixless(repository.host()) {
        return urls;
    }
    let with_suffix: Vec<String> = urls.iter().map(|url| format!("{url}.git")).collect();
    if bare { [urls, with_suffix].concat() } else { with_suffix }
}
