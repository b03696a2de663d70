//! git: is it there, who commits, and where do the remotes of the repositories in question really lead?

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Context;
use super::clones::{Effective, InView, effective, harmless_git, is_of};
use super::outcome::{Evidence, Fix, Outcome};
use super::push_message;
use crate::catalogue::Code;
use crate::error::Finding;
use crate::git_complaint::{Complaint, Scope};
use crate::git_url::{GitUrl, Repository, redact};
use crate::process::{self, Failure, Output};
use crate::variables::observed;

const PATIENCE: Duration = Duration::from_secs(5);

type Said = Result<Output, Failure>;

pub fn check(context: &Context) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let standing = Complaint::standing(context.home);
    let author = match standing {
        // it would not end
        Some(_) => Err(Failure::Deadline),
        None => git(context, context.folder.as_deref(), &["var", "GIT_AUTHOR_IDENT"]),
    };
    // whoever names the author by variables alone has said nothing of the committer
    let author = match author {
        Ok(said) if said.status.success() && context.env.get(observed::GIT_AUTHOR_EMAIL).is_some() => {
            git(context, context.folder.as_deref(), &["var", "GIT_COMMITTER_IDENT"])
        }
        author => author,
    };
    let missing = matches!(author, Err(Failure::Missing));
    let hangs = matches!(author, Err(Failure::Deadline)) && standing.is_none();
    let standing = if hangs { context.git_complaint().cloned() } else { standing };
    if context.wants("git.client") {
        outcomes.push(if missing {
            let fix = Fix::report("install git in the image");
            Outcome::fail("git.client", None, Code::GitMissing, "there is no git on PATH", fix)
        } else {
            Outcome::pass("git.client", None, "git is there")
        });
    }
    if missing {
        return outcomes;
    }
    // whichever of them runs tells of it, once
    let Some(first) = CONFIGURED.into_iter().find(|id| context.wants(id)) else { return outcomes };
    match &standing.map(|standing| (standing, None)).or_else(|| complaint(context, &author)) {
        None => {
            outcomes.push(Outcome::pass("git.config", None, "git takes its configuration"));
            outcomes.push(identity(&author));
        }
        Some((complaint, None)) => {
            outcomes.push(unreadable(context, first, None, Scope::Everywhere, complaint));
            let others = CONFIGURED.into_iter().filter(|id| *id != first);
            outcomes.extend(others.map(|id| Outcome::skip(id, None, UNREADABLE)));
            return outcomes;
        }
        Some((complaint, Some(clone))) => {
            outcomes.push(unreadable(context, first, Some(named(context, clone)), Scope::Clone, complaint));
        }
    }
    if !(context.wants("git.owner") || context.wants("git.remotes")) {
        return outcomes;
    }
    let said: Vec<(&InView, &Said)> =
        context.clones.in_view().iter().map(|clone| (clone, clone.listed())).collect();
    let others = said.iter().filter(|(clone, _)| !clone.is_current);
    outcomes.extend(others.filter_map(|(clone, said)| {
        let complaint = Complaint::parse(&said.as_ref().ok()?.stderr)?.within(clone.top());
        Some(unreadable(context, first, Some(named(context, clone.top())), Scope::Clone, &complaint))
    }));
    if context.wants("git.owner") {
        outcomes.extend(said.iter().filter(|(clone, _)| clone.is_current).filter_map(owner));
    }
    if context.wants("git.remotes") {
        outcomes.extend(remotes(context, &said));
    }
    outcomes
}

fn git(context: &Context, folder: Option<&Path>, arguments: &[&str]) -> Said {
    let git = harmless_git(folder.unwrap_or(&context.home.path), arguments);
    process::run(git, context.deadline(PATIENCE))
}

/// The checks in which git reads its configuration.
const CONFIGURED: [&str; 4] = ["git.config", "git.identity", "git.owner", "git.remotes"];
const UNREADABLE: &str = "git does not take its configuration, so it does nothing";

/// What git has against its configuration, and the top of the clone whose own it is, if not everybody's.
fn complaint(context: &Context, author: &Said) -> Option<(Complaint, Option<PathBuf>)> {
    let said = author.as_ref().ok().filter(|said| !said.status.success())?;
    if let Some(complaint) = context.git_complaint() {
        return Some((complaint.clone(), None));
    }
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    let top = current.map(InView::top).or(context.folder.as_deref())?;
    Some((Complaint::parse(&said.stderr)?.within(top), Some(top.to_owned())))
}

/// As apply names it.
fn named(context: &Context, clone: &Path) -> String {
    format!("clone {}", context.home.shown(clone))
}

fn unreadable(
    context: &Context,
    id: &'static str,
    subject: Option<String>,
    scope: Scope,
    complaint: &Complaint,
) -> Outcome {
    let Finding { code, say, hint } = complaint.finding(context.home, scope);
    let fix = match &complaint.file {
        Some(file) => Fix::edit(file, hint),
        None => Fix::report(hint),
    };
    Outcome::fail(id, subject, code, say, fix).with([Evidence::foreign("git said", &complaint.said)])
}

/// No push can be made by a git that takes no configuration: the checks of git tell so, where they run.
pub fn keeps_from_pushing(context: &Context, id: &'static str, subject: Option<String>) -> Option<Outcome> {
    let complaint = context.git_complaint()?;
    Some(if context.wants("git.config") {
        Outcome::skip(id, subject, UNREADABLE)
    } else {
        unreadable(context, id, subject, Scope::Everywhere, complaint)
    })
}

/// git is told not to use ssh at all (git-config(1), protocol.allow; git(1), GIT_ALLOW_PROTOCOL).
pub fn forbids_ssh(
    context: &Context,
    id: &'static str,
    subject: Option<String>,
    clones: &[&InView],
) -> Option<Outcome> {
    let forbidden = || {
        let mut git = process::caller("git");
        git.args(["ls-remote", "ssh://pushready.invalid/none"]).current_dir("/");
        // nothing is started but this
        git.env("GIT_SSH_COMMAND", "true").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        let said = process::run(git, context.deadline(PATIENCE));
        said.is_ok_and(|output| output.stderr.contains("transport 'ssh' not allowed"))
    };
    let in_clone = || clones.iter().any(|clone| clone.settings().forbids_ssh());
    (*context.ssh_forbidden.get_or_init(forbidden) || in_clone()).then(|| {
        let code = Code::GitTransportForbidden;
        let summary = "git is told not to use ssh, so no remote over ssh works";
        Outcome::fail(id, subject, code, summary, push_message::fix(code, None))
    })
}

fn identity(author: &Said) -> Outcome {
    const ID: &str = "git.identity";
    match author {
        Ok(output) if output.status.success() => {
            Outcome::pass(ID, None, "git has an author and a committer for commits")
        }
        Ok(_) => Outcome::warn(
            ID,
            None,
            Code::GitIdentityMissing,
            "git does not know by whom commits are, so a commit will fail",
            // whose it is to be, no argv of ours can know
            Fix::report(
                "ask whose name the commits shall bear, then `git config --global user.name NAME` and \
                 `git config --global user.email ADDRESS`",
            ),
        ),
        Err(failure) => Outcome::unknown(ID, None, "git did not say who commits", failure.to_string()),
    }
}

/// Whether git would refuse the clone in the current folder.
fn owner((clone, said): &(&InView, &Said)) -> Option<Outcome> {
    const ID: &str = "git.owner";
    let output = said.as_ref().ok()?;
    if output.status.success() {
        return Some(Outcome::pass(ID, None, "git accepts the clone in the current folder"));
    }
    if Complaint::parse(&output.stderr).is_some() {
        return None;
    }
    let top = clone.top().display().to_string();
    if !output.stderr.contains("dubious ownership") {
        let summary = "git does not work in the clone of the current folder";
        let reason = "what git says there mended, and the doctor run again";
        let said = Evidence::foreign("git said", output.stderr.lines().next().unwrap_or_default());
        return Some(Outcome::unknown(ID, Some(top), summary, reason).with([said]));
    }
    Some(Outcome::fail(
        ID,
        Some(top.clone()),
        Code::RepositoryOtherOwner,
        "git refuses this clone, because it belongs to another user",
        Fix::run(
            ["git", "config", "--global", "--add", "safe.directory", &top],
            "trust this one folder, if it is yours to trust",
        ),
    ))
}

/// The remotes that concern a repository with a key: what git makes of their URLs, for fetching and for pushing.
fn remotes(context: &Context, said: &[(&InView, &Said)]) -> Vec<Outcome> {
    const ID: &str = "git.remotes";
    let keyed: Vec<&Repository> = context.keyed().collect();
    let mut outcomes = Vec::new();
    for (clone, said) in said {
        let Some(output) = said.as_ref().ok().filter(|output| output.status.success()) else { continue };
        let top = context.home.shown(clone.top());
        for (nth, remote) in effective(&output.stdout).iter().enumerate() {
            let (name, odd) = named_remote(&remote.name, nth + 1);
            let outcome = judge(remote, &format!("{name} in {top}"), clone, &keyed);
            let evidence = [Evidence::new("clone", &*top)].into_iter().chain(odd);
            outcomes.extend(outcome.map(|outcome| outcome.with(evidence)));
        }
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::skip(
            ID,
            None,
            "no clone with a remote that concerns an installed key is in view",
        ));
    }
    outcomes
}

/// Longer than any name that people give a remote.
const LONGEST_NAME: usize = 64;

/// What a remote is called in a subject: whoever wrote the clone's configuration chose its name, so an odd one is shown as
/// evidence, and goes by its number. Pure.
fn named_remote(name: &str, nth: usize) -> (String, Option<Evidence>) {
    let is_plain =
        name.len() <= LONGEST_NAME && name.chars().all(|c| c.is_ascii_graphic()) && redact(name) == name;
    if is_plain {
        return (name.to_owned(), None);
    }
    (format!("remote {nth}"), Some(Evidence::foreign("name of the remote", &name.escape_debug().to_string())))
}

/// What to do about a rule that leads away.
pub const TAKE_OUT: &str =
    "`git config --show-origin --get-regexp '^url[.].*insteadof$'` names the rule's file: take it out";

/// The URL that says what an scp-like one with a port was to say.
fn with_port(name: &str, push: &GitUrl, fetch: &GitUrl, port: u16, clone: &InView) -> Fix {
    let say = "write it as an ssh:// URL, unless the number is a folder's name";
    let url = push.to_string();
    let rest = url.split_once(':').and_then(|(at, path)| {
        let path = path.trim_start_matches('/').strip_prefix(&port.to_string())?.trim_start_matches('/');
        Some(format!("ssh://{at}:{port}/{path}"))
    });
    match rest {
        Some(url) => set_url(clone, name, &url, push != fetch, say),
        None => Fix::report(say),
    }
}

/// Sets the URL of a remote of this clone, or the one for pushes alone. Whoever wrote the clone's configuration chose the
/// remote's name: it goes into a command where it is a plain word, and nowhere else.
fn set_url(clone: &InView, name: &str, url: &str, for_pushes: bool, say: &str) -> Fix {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if !is_plain {
        return Fix::report(format!("{say}; the remote's name is no plain word, so look at it first"));
    }
    let top = clone.top().to_string_lossy();
    let argv = ["git", "-C", &top, "remote", "set-url"].into_iter();
    Fix::run(argv.chain(for_pushes.then_some("--push")).chain([name, url]), say)
}

/// The worst that is to be said of a remote; it may push to several places. `place` is what the subject tells of it.
fn judge(remote: &Effective, place: &str, clone: &InView, keyed: &[&Repository]) -> Option<Outcome> {
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
) -> Option<Outcome> {
    const ID: &str = "git.remotes";
    let known = |url: &GitUrl| {
        let asked = url.repository()?;
        keyed.iter().find(|known| is_of(known, asked))
    };
    if let Some(port) = push.port_in_path() {
        return Some(Outcome::warn(
            ID,
            Some(format!("{push} ({place})")),
            Code::RemotePortInPath,
            format!("git takes `{port}` for a part of the path, not for a port"),
            with_port(name, push, fetch, port, clone),
        ));
    }
    // as it stands in the configuration, before any rule
    let stored = clone.urls.iter().find(|stored| stored.remote == name);
    let repository =
        known(push).or_else(|| known(fetch)).or_else(|| stored.and_then(|stored| known(&stored.url)))?;
    let subject = Some(format!("{} ({place})", repository.to_ssh()));
    let outcome = match () {
        () if known(push).is_none() && known(fetch).is_none() => Outcome::fail(
            ID,
            subject,
            Code::RemoteReversed,
            "an insteadOf rule turns the remote into another repository",
            Fix::report(TAKE_OUT),
        ),
        () if known(push).is_none() => Outcome::warn(
            ID,
            subject,
            Code::RemotePushElsewhere,
            "pushes go to another repository than fetches",
            set_url(clone, name, &repository.to_ssh(), true, "set the push URL, if that is not meant"),
        ),
        () if push.transport().is_ssh() => Outcome::pass(ID, subject, "pushes go over SSH"),
        () if stored.is_some_and(|stored| stored.url.transport().is_ssh()) => Outcome::fail(
            ID,
            subject,
            Code::RemoteReversed,
            "an insteadOf rule turns the SSH remote back to HTTPS",
            Fix::report(TAKE_OUT),
        ),
        () => Outcome::fail(
            ID,
            subject,
            Code::RemoteStillHttps,
            "pushes go over HTTPS, where the deploy key does not count",
            Fix::run(["pushready", "apply"], "run apply: it puts the remote on SSH"),
        ),
    };
    Some(outcome.with([Evidence::new("fetch", fetch.to_string()), Evidence::new("push", push.to_string())]))
}
