//! Where the remotes of the repositories in question really lead.

use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::clones::{InView, is_of};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::{GitUrl, Repository, redact};
use crate::git_cli::remotes::{self, EffectiveRemote};

/// The remotes that concern a repository with a key: what git makes of their URLs, for fetching and
/// for pushing.
pub fn check(context: &Context, clone: &InView) -> Vec<Judgement> {
    let keyed: Vec<&Repository> = context.keyed().collect();
    let top = context.home.shown(clone.top());
    let output = match clone.listed() {
        Ok(output) if output.status.success() => output,
        // `git.config` and `git.owner` report what git prints
        Ok(_) => return Vec::new(),
        Err(failure) => {
            let summary = "git did not list the remotes of the clone";
            let unknown = Judgement::unknown(summary, context.reason(failure));
            return vec![unknown.about(format!("clone {top}"))];
        }
    };
    let remotes = remotes::parse(&output.stdout);
    let judged = remotes.iter().enumerate().filter_map(|(nth, remote)| {
        let (name, odd) = named_remote(&remote.name, nth + 1);
        let judgement = judge(remote, &format!("{name} in {top}"), clone, &keyed)?;
        Some(judgement.with([Evidence::new("clone", &*top)]).with(odd))
    });
    judged.collect()
}

/// Longer than any name that people give a remote.
const LONGEST_NAME: usize = 64;

/// What a remote is called in a subject: whoever wrote the clone's configuration chose its name, so
/// an odd one is shown as evidence, and goes by its number. Pure.
fn named_remote(name: &str, nth: usize) -> (String, Option<Evidence>) {
    let is_plain = name.len() <= LONGEST_NAME
        && name.chars().all(|c| c.is_ascii_graphic())
        && redact(name) == name;
    if is_plain {
        return (name.to_owned(), None);
    }
    (
        format!("remote {nth}"),
        Some(Evidence::foreign("name of the remote", &name.escape_debug().to_string())),
    )
}

/// What to do about a rule that leads away.
pub const TAKE_OUT: &str = "`git config --show-origin --get-regexp '^url[.].*insteadof$'` names the rule's file: take it out";

/// The URL that says what an scp-like one with a port was to say.
fn with_port(name: &str, push: &GitUrl, fetch: &GitUrl, port: u16, clone: &InView) -> Fix {
    let say = "write it as an ssh:// URL, unless the number is a folder's name";
    let url = push.to_string();
    let rest = url.split_once(':').and_then(|(at, path)| {
        let path =
            path.trim_start_matches('/').strip_prefix(&port.to_string())?.trim_start_matches('/');
        Some(format!("ssh://{at}:{port}/{path}"))
    });
    match rest {
        Some(url) => set_url(clone, name, &url, push != fetch, say),
        None => Fix::report(say),
    }
}

/// Pushes go to `to` instead of `from`, which is where git's rules lead a remote of one of these
/// clones.
pub fn set_push_url(clones: &[&InView], from: &str, to: &str, say: &str) -> Fix {
    for clone in clones {
        for remote in clone.remotes() {
            let is_from =
                |url: &str| GitUrl::parse(url).is_ok_and(|url| url.without_credential() == from);
            if !remote.push.iter().any(|url| is_from(url)) {
                continue;
            }
            let mut stored = clone.urls.iter().filter(|stored| stored.remote == remote.name);
            return match &remote.push[..] {
                _ if !stored.any(|stored| stored.url.without_credential() == from) => {
                    Fix::report(format!("{say}; a rule of git's makes this URL: {TAKE_OUT}"))
                }
                [_] => set_url(clone, &remote.name, to, !is_from(&remote.fetch), say),
                _ => Fix::report(format!("{say}: `git remote set-url --push REMOTE {to} OLD-URL`")),
            };
        }
    }
    Fix::report(format!("{say}: `git remote set-url REMOTE {to}`"))
}

/// The remote pushes over HTTPS, although its repository has a key.
pub fn still_https() -> Judgement {
    Judgement::fail(
        Code::RemoteStillHttps,
        "pushes go over HTTPS, where the deploy key does not count",
        Fix::run(["pushready", "apply"], "run apply: it puts the remote on SSH"),
    )
}

/// Sets the URL of a remote of this clone, or the one for pushes alone. Whoever wrote the clone's
/// configuration chose the remote's name: it goes into a command where it is a plain word, and
/// nowhere else.
fn set_url(clone: &InView, name: &str, url: &str, for_pushes: bool, say: &str) -> Fix {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if !is_plain {
        return Fix::report(format!(
            "{say}; the remote's name is not a plain word, so check it first"
        ));
    }
    let top = clone.top().to_string_lossy();
    let argv = ["git", "-C", &top, "remote", "set-url"].into_iter();
    Fix::run(argv.chain(for_pushes.then_some("--push")).chain([name, url]), say)
}

/// The worst that is to be said of a remote; it may push to several places. `place` is what the
/// subject tells of it.
fn judge(
    remote: &EffectiveRemote,
    place: &str,
    clone: &InView,
    keyed: &[&Repository],
) -> Option<Judgement> {
    let fetch = GitUrl::parse(&remote.fetch).ok()?;
    let pushes = remote.push.iter().filter_map(|url| GitUrl::parse(url).ok());
    pushes
        .filter_map(|push| judge_push(&remote.name, place, &fetch, &push, clone, keyed))
        .max_by_key(|outcome| outcome.status)
}

fn judge_push(
    name: &str,
    place: &str,
    fetch: &GitUrl,
    push: &GitUrl,
    clone: &InView,
    keyed: &[&Repository],
) -> Option<Judgement> {
    let known = |url: &GitUrl| {
        let asked = url.repository()?;
        keyed.iter().find(|known| is_of(known, asked))
    };
    if let Some(port) = push.port_in_path() {
        return Some(
            Judgement::warn(
                Code::RemotePortInPath,
                format!("git reads `{port}` as a part of the path, not as a port"),
                with_port(name, push, fetch, port, clone),
            )
            .about(format!("{push} ({place})")),
        );
    }
    // as in the configuration, before any rule
    let stored = clone.urls.iter().find(|stored| stored.remote == name);
    let repository = known(push)
        .or_else(|| known(fetch))
        .or_else(|| stored.and_then(|stored| known(&stored.url)))?;
    let outcome = match () {
        () if known(push).is_none() && known(fetch).is_none() => Judgement::fail(
            Code::RemoteReversed,
            "an insteadOf rule turns the remote into another repository",
            Fix::report(TAKE_OUT),
        ),
        () if known(push).is_none() => Judgement::warn(
            Code::RemotePushElsewhere,
            "pushes go to another repository than fetches",
            set_url(
                clone,
                name,
                &repository.to_ssh(),
                true,
                "set the push URL, if that is not meant",
            ),
        ),
        () if push.transport().is_ssh() => Judgement::pass("pushes go over SSH"),
        () if stored.is_some_and(|stored| stored.url.transport().is_ssh()) => Judgement::fail(
            Code::RemoteReversed,
            "an insteadOf rule turns the SSH remote back to HTTPS",
            Fix::report(TAKE_OUT),
        ),
        () => still_https(),
    };
    let urls = [Evidence::new("fetch", fetch.to_string()), Evidence::new("push", push.to_string())];
    Some(outcome.with(urls).about(format!("{} ({place})", repository.to_ssh())))
}
