//! Clones that are there already: which remotes of theirs belong to repositories that have a key.

use std::path::{Path, PathBuf};

use super::Context;
use super::Item;
use super::deploy_keys::Keys;
use super::routing::InForce;
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::git::config::Malformed;
use crate::git::url::{GitUrl, Repository, Transport, redact};
use crate::git_cli::clones;
use crate::git_cli::config_error::{Complaint, Scope};
use crate::home::Home;
use crate::resource::entry::EntryId;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target, Undo, remote};
use crate::state::receipt::Desired;
use crate::state::subject::Subject;

pub fn provision(
    context: &Context,
    desired: &Desired,
    Keys { routed, dropped, .. }: &Keys,
    in_force: &InForce,
    notes: &mut Vec<String>,
) -> Vec<Item> {
    let mut resources = giving_back(context, dropped);
    let given_back = resources.len();
    let mut leaks = Vec::new();
    let mut ports_in_path = Vec::new();
    let mut reversed = Vec::new();
    let mut unreadable = Vec::new();
    let mut rewritten = 0;
    let mut found = 0;
    if !routed.is_empty() {
        let search = clones::search(&desired.roots(context.home));
        let absent = desired.remotes_roots.iter().filter(|root| !root.is_dir());
        let absent: Vec<_> = absent.map(|root| format!("`{}`", context.home.shown(root))).collect();
        if !absent.is_empty() {
            notes.push(format!(
                "PUSHREADY_REMOTES_ROOTS names {}, where no folder is",
                absent.join(" and ")
            ));
        }
        if !search.complete {
            notes.push(format!(
                "the search for clones stopped after {} s: the list is incomplete; PUSHREADY_REMOTES_ROOTS narrows it",
                clones::BUDGET.as_secs()
            ));
        }
        found = search.configs.len();
        for config in search.configs {
            if config.to_str().is_none() {
                notes.push(format!(
                    "the clone `{}` is ignored: its path is not UTF-8",
                    context.home.shown(&config)
                ));
                continue;
            }
            let Ok(Some(content)) = file::observe(&config, Kind::Shared) else {
                let standing = Complaint::standing_at(context.home, &config);
                unreadable
                    .extend(standing.map(|standing| broken(context.home, &config, &standing)));
                continue;
            };
            let Judged { exchanges, leaks: leaking, ports } = match judge(&content.bytes, routed) {
                Ok(judged) => judged,
                Err(malformed) => {
                    let complaint = Complaint::at(&config, malformed.line);
                    unreadable.push(broken(context.home, &config, &complaint));
                    continue;
                }
            };
            leaks.extend(leaking.into_iter().map(|url| (config.clone(), url)));
            ports_in_path.extend(ports.into_iter().map(|url| (config.clone(), url)));
            reversed.extend(
                turned_back(&content.bytes, routed, in_force)
                    .map(|turned| (config.clone(), turned)),
            );
            if !exchanges.is_empty() {
                rewritten += exchanges.len();
                resources.push(resource(config, exchanges, Vec::new()));
            }
        }
    }
    let mut items = Vec::new();
    if !resources.is_empty() {
        let mut say = format!("{rewritten} of the remotes in {found} clones put on SSH");
        if given_back > 0 {
            say.push_str(", those without a key given back");
        }
        items.push(Item::ready(Subject::Remotes, say, resources));
    }
    items.extend(unreadable);
    items.extend(leaking(context.home, &leaks));
    if let Some((config, (from, to))) = reversed.first() {
        let more = if reversed.len() > 1 {
            format!(" and in {} more", reversed.len() - 1)
        } else {
            String::new()
        };
        items.push(Item::fail(
            Subject::Remotes,
            Finding::new(
                Code::RemoteReversed,
                format!(
                    "a rule in `{}`{more} turns `{from}` into `{to}` for pushes",
                    context.home.shown(config)
                ),
                "take it out; `git config --local --get-regexp '^url'` in the clone shows it",
            ),
        ));
    }
    if let Some((config, url)) = ports_in_path.first() {
        items.push(Item::warn(
            Subject::Remotes,
            Finding::new(
                Code::RemotePortInPath,
                format!(
                    "the port in the remote `{url}` of `{}` is a part of the path to git",
                    context.home.shown(config)
                ),
                "write it as `ssh://git@host:port/owner/repo.git`",
            ),
            Vec::new(),
        ));
    }
    items
}

/// In this clone no git command works, and nothing can be said of its remotes.
fn broken(home: &Home, config: &Path, complaint: &Complaint) -> Item {
    let git = config.parent().unwrap_or(config);
    // as people know it
    let clone = git.parent().filter(|_| git.ends_with(".git")).unwrap_or(git);
    Item::fail(Subject::Clone(home.shown(clone)), complaint.finding(home, Scope::Clone))
}

/// What there is to say of one configuration; URLs are shown without their credentials.
struct Judged {
    exchanges: Vec<remote::Exchange>,
    leaks: Vec<Leak>,
    ports: Vec<String>,
}

/// A URL with a credential in it, safe to print.
struct Leak {
    url: String,
    /// It goes with the exchange.
    taken_out: bool,
}

/// What to tell of the credentials that stand in remotes.
fn leaking(home: &Home, leaks: &[(PathBuf, Leak)]) -> Option<Item> {
    let (config, Leak { url, taken_out }) = leaks.first()?;
    let (stands, then) = if *taken_out {
        ("stood", "")
    } else {
        ("stands", ", then take it out (`git remote set-url NAME URL`)")
    };
    let more =
        if leaks.len() > 1 { format!(" and {} more", leaks.len() - 1) } else { String::new() };
    let finding = Finding::new(
        Code::LeakRemoteUrl,
        format!("a credential {stands} in the remote `{url}` of `{}`{more}", home.shown(config)),
        format!(
            "revoke that token{then}: every program that read the clone's configuration has seen it"
        ),
    );
    Some(Item::warn(Subject::Remotes, finding, Vec::new()))
}

/// Which URLs of one configuration are to be exchanged, and which are at fault. Pure.
fn judge(config: &[u8], routed: &[Repository]) -> Result<Judged, Malformed> {
    let mut judged = Judged { exchanges: Vec::new(), leaks: Vec::new(), ports: Vec::new() };
    for variable in remote::urls(config)? {
        let (Some(name), Some(value)) = (variable.subsection, variable.value) else { continue };
        let Ok(url) = GitUrl::parse(&value) else { continue };
        if url.port_in_path().is_some() {
            judged.ports.push(url.to_string());
        }
        let keyed =
            url.repository().and_then(|asked| routed.iter().find(|known| known.same_as(asked)));
        let over_the_web =
            matches!(url.transport(), Transport::Https | Transport::Http | Transport::Git);
        let exchanged = keyed.filter(|_| over_the_web);
        if url.has_credential() {
            judged.leaks.push(Leak { url: url.to_string(), taken_out: exchanged.is_some() });
        }
        if let Some(repository) = exchanged {
            judged.exchanges.push(remote::Exchange {
                remote: name,
                key: variable.key,
                to: repository.to_ssh(),
                without_credential: url
                    .has_credential()
                    .then(|| url.without_credential().to_owned()),
                from: value,
            });
        }
    }
    Ok(judged)
}

/// A remote of a keyed repository that a rule of the clone's own keeps from SSH, and where it
/// leads; safe to print.
fn turned_back(
    config: &[u8],
    routed: &[Repository],
    in_force: &InForce,
) -> Option<(String, String)> {
    let of_clone = InForce::of(config);
    if of_clone.is_empty() {
        return None;
    }
    remote::urls(config).into_iter().flatten().find_map(|variable| {
        let url = GitUrl::parse(&variable.value?).ok()?;
        let repository = routed
            .iter()
            .find(|known| url.repository().is_some_and(|asked| known.same_as(asked)))?;
        let remote = if url.transport().is_ssh() {
            url.without_credential().to_owned()
        } else {
            repository.to_ssh()
        };
        let pushed = in_force.pushed(&of_clone, &remote, variable.key == "pushurl");
        let over_ssh = GitUrl::parse(&pushed).is_ok_and(|url| url.transport().is_ssh());
        (!over_ssh).then(|| (redact(&remote), redact(&pushed)))
    })
}

/// The remotes of repositories that lost their key: back to what they were.
fn giving_back(context: &Context, dropped: &[Repository]) -> Vec<Resource> {
    let entries = context.receipt.into_iter().flat_map(|receipt| receipt.entries.values());
    let targets: Vec<String> = dropped.iter().map(Repository::to_ssh).collect();
    entries
        .filter_map(|entry| match &entry.undo {
            Undo::Remotes { urls } => {
                let back: Vec<_> =
                    urls.iter().filter(|url| targets.contains(&url.wrote)).cloned().collect();
                (!back.is_empty()).then(|| resource(entry.target.path.clone(), Vec::new(), back))
            }
            _ => None,
        })
        .collect()
}

fn resource(
    config: PathBuf,
    exchanges: Vec<remote::Exchange>,
    back: Vec<remote::WrittenUrl>,
) -> Resource {
    let id = EntryId::remotes(&config);
    let target = Target {
        path: config,
        kind: Kind::Shared,
        lock: Lock::Git,
        malformed: Code::RemoteStillHttps,
    };
    Resource::recorded(id, target, Edit::Remotes { exchanges, back })
}
