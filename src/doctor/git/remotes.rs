//! Where the remotes of the repositories with a key push to, after git's rules.

use std::path::{Path, PathBuf};

use super::layout;
use super::setting::{self, SettingChange};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::clones::{InView, is_of};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::{GitUrl, Repository, redact};
use crate::git_cli::remotes::EffectiveRemote;

/// The remotes that concern a repository with a key: what git makes of their URLs, for fetching and
/// for pushing.
pub fn check(context: &Context, clone: &InView) -> Vec<Judgement> {
    let keyed: Vec<&Repository> = context.keyed().collect();
    let top = context.home.shown(clone.top());
    match clone.answer() {
        Ok(output) if output.status.success() => {}
        // `git.config` and `git.owner` report what git prints
        Ok(_) => return Vec::new(),
        Err(failure) => {
            let summary = "git did not list the remotes of the clone";
            let unknown = Judgement::unknown(summary, context.reason(failure));
            return vec![unknown.about(format!("clone {top}"))];
        }
    }
    let judged = clone.remotes().iter().enumerate().filter_map(|(nth, remote)| {
        let (name, odd) = named_remote(&remote.name, nth + 1);
        let judgement = judge(context, remote, &format!("{name} in {top}"), clone, &keyed)?;
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

/// What to do about a rule that rewrites a URL.
pub const REMOVE_RULE: &str = "`git config --show-origin --get-regexp '^url[.].*insteadof$'` shows the file of the rule: remove the rule there (`command line:` is a variable, GIT_CONFIG_KEY_0 and on: unset it)";

/// An ssh:// URL that means what was meant by the scp-like one with a port.
fn with_port(remote: &PushRemote, port: u16) -> Fix {
    let PushRemote { name, top, fetch, push, .. } = *remote;
    let say = "write it as an ssh:// URL, unless the number is a folder's name";
    let url = push.to_string();
    let rest = url.split_once(':').and_then(|(at, path)| {
        let path =
            path.trim_start_matches('/').strip_prefix(&port.to_string())?.trim_start_matches('/');
        Some(format!("ssh://{at}:{port}/{path}"))
    });
    match rest {
        Some(url) => set_url(top, name, &url, push != fetch, say),
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
                    Fix::report(format!("{say}; an insteadOf rule makes this URL: {REMOVE_RULE}"))
                }
                [_] => set_url(clone.top(), &remote.name, to, !is_from(&remote.fetch), say),
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
        "pushes go over HTTPS, where the deploy key is not used",
        Fix::run(["pushready", "apply"], "run apply: it switches the remote to SSH"),
    )
}

/// Sets the URL of a remote of the clone at `top`, or the one for pushes alone. Whoever wrote the clone's
/// configuration chose the remote's name: it goes into a command where it is a plain word, and
/// nowhere else.
pub fn set_url(top: &Path, name: &str, url: &str, for_pushes: bool, say: &str) -> Fix {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if !is_plain {
        return Fix::report(format!(
            "{say}; the remote's name is not a plain word, so check it first"
        ));
    }
    let top = top.to_string_lossy();
    let argv = ["git", "-C", &top, "remote", "set-url"].into_iter();
    Fix::run(argv.chain(for_pushes.then_some("--push")).chain([name, url]), say)
}

/// The remote pushes to a folder without a repository.
fn of_lost_folder(
    context: &Context,
    remote: &EffectiveRemote,
    what: &str,
    clone: &InView,
) -> Judgement {
    let key = format!("remote.{}.pushurl", remote.name);
    let config = clone.config();
    // of thousands of remotes, the configuration is searched for those alone that may have one
    let is_other = remote.push.iter().any(|url| *url != remote.fetch);
    let fix = if is_other && config.last(&key).is_some() {
        let say = "remove that push URL, or correct it";
        setting::change(context, config, &key, SettingChange::Remove, say)
    } else {
        let say = "set the URL of the repository, or bring the folder back";
        Fix::report(format!("{say}: `git remote set-url REMOTE URL`"))
    };
    // a plain push concerns one remote
    if clone.is_target(&remote.name) {
        let summary = format!("the remote pushes to {what}, so every push fails");
        return Judgement::fail(Code::PushRepositoryNotFound, summary, fix);
    }
    let summary = format!("the remote pushes to {what}, so every push to it fails");
    Judgement::warn(Code::PushRepositoryNotFound, summary, fix)
}

/// The worst result of a remote; it may push to several places. `place`: the remote and its clone,
/// as the subject names them.
fn judge(
    context: &Context,
    remote: &EffectiveRemote,
    place: &str,
    clone: &InView,
    keyed: &[&Repository],
) -> Option<Judgement> {
    let fetch = GitUrl::parse(&remote.fetch).ok()?;
    // as in the configuration, before any rule
    let stored = clone.urls.iter().find(|stored| stored.remote == remote.name);
    let stored = stored.map(|stored| &stored.url);
    let lost = |url: &String| {
        let is_path = url.contains('/') && !is_marker(url, Some(&remote.fetch));
        let what = no_repository(url, clone.top(), &context.home.path).filter(|_| is_path)?;
        Some((url.clone(), what))
    };
    if let Some((folder, what)) = remote.push.iter().find_map(lost) {
        let judgement = of_lost_folder(context, remote, what, clone).about(place);
        return Some(judgement.with([Evidence::foreign("push", &folder)]));
    }
    let pushes = remote.push.iter().filter_map(|url| GitUrl::parse(url).ok());
    let judge = |push: GitUrl| {
        let (name, top) = (&*remote.name, clone.top());
        let is_only = remote.push.len() == 1;
        let push = PushRemote { name, place, top, fetch: &fetch, push: &push, is_only, stored };
        judge_push(&push, keyed)
    };
    pushes.filter_map(judge).max_by_key(|outcome| outcome.status)
}

/// The path that a URL is (git's connect.c, url_is_local_not_ssh). Pure.
pub fn local_path(url: &str) -> Option<&str> {
    if let Some(rest) = url.strip_prefix("file://") {
        return rest.get(rest.find('/')?..);
    }
    let colon = url.find(':');
    let is_local = colon.is_none_or(|at| url.find('/').is_some_and(|slash| slash < at));
    is_local.then_some(url)
}

/// Whether a push URL that leads nowhere may be there to prevent a push, such as `DISABLED`. Pure.
pub fn is_marker(url: &str, fetch: Option<&str>) -> bool {
    !url.starts_with(['/', '.', '~', '$']) && !url.starts_with("file:") && fetch != Some(url)
}

/// What is at the path that a URL is, where git finds no repository there (path.c, `enter_repo`).
/// git expands `~` alone.
pub fn no_repository(url: &str, top: &Path, home: &Path) -> Option<&'static str> {
    let path = local_path(url)?;
    let path = match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        // a home of another user, and what git decodes in a URL
        None if path.starts_with('~') || url.starts_with("file:") && path.contains('%') => {
            return None;
        }
        None => top.join(path),
    };
    let names = ["/.git", "", ".git/.git", ".git"];
    let names = names.map(|end| PathBuf::from(format!("{}{end}", path.display())));
    for name in &names {
        let is_repository = layout::git_folder(name).is_some();
        if is_repository || name.is_file() {
            return (!is_repository).then_some("a file that is not a git repository");
        }
    }
    let is_there = names.iter().any(|path| path.exists());
    Some(if is_there {
        "a folder that is not a git repository"
    } else {
        "a folder that is not there"
    })
}

/// One place to which a remote pushes.
#[derive(Clone, Copy)]
struct PushRemote<'a> {
    name: &'a str,
    place: &'a str,
    /// The top folder of the clone.
    top: &'a Path,
    fetch: &'a GitUrl,
    push: &'a GitUrl,
    /// It pushes to no other place.
    is_only: bool,
    /// As in the configuration, before any rule.
    stored: Option<&'a GitUrl>,
}

/// Whether both are repositories of one server: another server may have the same one. Pure.
fn is_beside(fetch: &GitUrl, push: &GitUrl) -> bool {
    let (fetch, push) = (fetch.repository(), push.repository());
    fetch.zip(push).is_some_and(|(fetch, push)| fetch.host() == push.host())
}

/// `None`: it does not concern a repository with a key. Pure.
fn judge_push(remote: &PushRemote, keyed: &[&Repository]) -> Option<Judgement> {
    let PushRemote { name, place, top, fetch, push, is_only, stored } = *remote;
    let known = |url: &GitUrl| {
        let named = url.repository()?;
        keyed.iter().find(|known| is_of(known, named))
    };
    if let Some(port) = push.port_in_path() {
        let summary = format!("git reads `{port}` as a part of the path, not as a port");
        let warning = Judgement::warn(Code::RemotePortInPath, summary, with_port(remote, port));
        return Some(warning.about(format!("{push} ({place})")));
    }
    let repository = known(push).or_else(|| known(fetch)).or_else(|| known(stored?))?;
    let is_elsewhere = match (known(fetch), known(push)) {
        (Some(fetched), Some(pushed)) => fetched != pushed,
        _ => is_beside(fetch, push),
    };
    let outcome = match () {
        () if known(push).is_none() && known(fetch).is_none() => Judgement::fail(
            Code::RemoteReversed,
            "an insteadOf rule rewrites the remote to another repository",
            Fix::report(REMOVE_RULE),
        ),
        () if known(push).is_none() || push.transport().is_ssh() && is_elsewhere => {
            let say = "set the push URL, if this is not intended";
            let fix = match known(fetch) {
                Some(fetched) if is_only => set_url(top, name, &fetched.to_ssh(), true, say),
                Some(_) => Fix::report(format!(
                    "{say}: `git remote set-url --delete --push REMOTE URL` removes one of several"
                )),
                None => Fix::report(format!("{say}: `git remote -v` shows both")),
            };
            let summary = "pushes go to another repository than fetches";
            Judgement::warn(Code::RemotePushElsewhere, summary, fix)
        }
        () if push.transport().is_ssh() => Judgement::pass("pushes go over SSH"),
        () if stored.is_some_and(|stored| stored.transport().is_ssh()) => Judgement::fail(
            Code::RemoteReversed,
            "an insteadOf rule rewrites the SSH remote to HTTPS",
            Fix::report(REMOVE_RULE),
        ),
        () => still_https(),
    };
    let urls = [Evidence::new("fetch", fetch.to_string()), Evidence::new("push", push.to_string())];
    Some(outcome.with(urls).about(format!("{} ({place})", repository.to_ssh())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_is_judged_by_where_its_pushes_go() {
        const SSH: &str = "git@github.com:o/app.git";
        const HTTPS: &str = "https://github.com/o/app.git";
        const OTHER: &str = "git@github.com:o/other.git";
        const TWO: &str = "git@github.com:o/two.git";
        let [app, two] =
            [SSH, TWO].map(|it| GitUrl::parse(it).unwrap().repository().unwrap().clone());
        let url = |text: &str| GitUrl::parse(text).unwrap();
        for (stored, fetch, push, code) in [
            (Some(SSH), SSH, SSH, Some(None)),
            (Some(HTTPS), SSH, SSH, Some(None)),
            (Some(HTTPS), HTTPS, SSH, Some(None)),
            (None, SSH, SSH, Some(None)),
            (Some(HTTPS), HTTPS, HTTPS, Some(Some(Code::RemoteStillHttps))),
            (Some(SSH), SSH, HTTPS, Some(Some(Code::RemoteReversed))),
            (Some(SSH), OTHER, OTHER, Some(Some(Code::RemoteReversed))),
            (Some(SSH), SSH, OTHER, Some(Some(Code::RemotePushElsewhere))),
            (Some(SSH), SSH, TWO, Some(Some(Code::RemotePushElsewhere))),
            (Some(SSH), SSH, "https://github.com/o/two", Some(Some(Code::RemoteReversed))),
            (Some(SSH), HTTPS, "ssh://git@ssh.github.com:443/O/App", Some(None)),
            // a fork, and a mirror of another server
            (Some(OTHER), OTHER, SSH, Some(Some(Code::RemotePushElsewhere))),
            (None, "https://mirror.example.com/o/app", SSH, Some(None)),
            (Some(OTHER), OTHER, OTHER, None),
            (None, OTHER, OTHER, None),
            (
                Some(SSH),
                SSH,
                "git@git.example.com:2222/o/app.git",
                Some(Some(Code::RemotePortInPath)),
            ),
        ] {
            let (stored_url, fetch, push) = (stored.map(url), url(fetch), url(push));
            let remote = PushRemote {
                name: "origin",
                place: "origin in ~/app",
                top: Path::new("/h/app"),
                fetch: &fetch,
                push: &push,
                is_only: true,
                stored: stored_url.as_ref(),
            };
            let judgement = judge_push(&remote, &[&app, &two]);
            assert_eq!(judgement.map(|it| it.code), code, "{stored:?} {fetch} {push}");
        }
    }
}
