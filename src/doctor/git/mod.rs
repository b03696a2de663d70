//! git: is it there, who commits, and where do the remotes of the repositories in question really
//! lead?

mod remotes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clones::{InView, harmless_git, hold};
use super::outcome::{Evidence, Outcome};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::git_cli::config_error::{Complaint, Scope};
use crate::process::{self, Failure, Output};
use crate::push_message;
use crate::variables::observed;
pub use remotes::TAKE_OUT;

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
        Ok(said)
            if said.status.success() && context.env.get(observed::GIT_AUTHOR_EMAIL).is_some() =>
        {
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
            outcomes.push(unreadable(
                context,
                first,
                Some(named(context, clone)),
                Scope::Clone,
                complaint,
            ));
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
        Some(unreadable(
            context,
            first,
            Some(named(context, clone.top())),
            Scope::Clone,
            &complaint,
        ))
    }));
    if context.wants("git.owner") {
        outcomes.extend(said.iter().filter(|(clone, _)| clone.is_current).filter_map(owner));
    }
    if context.wants("git.remotes") {
        outcomes.extend(remotes::check(context, &said));
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

/// What git has against its configuration, and the top of the clone whose own it is, if not
/// everybody's.
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
    let Finding { code, summary, fix } = complaint.finding(context.home, scope);
    let fix = match &complaint.file {
        Some(file) => Fix::edit(file, fix.message),
        None => fix,
    };
    Outcome::fail(id, subject, code, summary, fix)
        .with([Evidence::foreign("git said", &complaint.said)])
}

/// No push can be made by a git that takes no configuration: the checks of git tell so, where they
/// run.
pub fn keeps_from_pushing(
    context: &Context,
    id: &'static str,
    subject: Option<String>,
) -> Option<Outcome> {
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
    // which git in the clone would be told as well, if the variable did not count more
    let by_variable = context.env.as_it_stands(observed::GIT_ALLOW_PROTOCOL).is_some();
    let in_clone = || !by_variable && hold(clones, |clone| clone.settings().forbids_ssh());
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
        Err(failure) => {
            Outcome::unknown(ID, None, "git did not say who commits", failure.to_string())
        }
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
