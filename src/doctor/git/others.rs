//! Clones beside the current one, of which a home may have thousands: their form, their owner and
//! their locks. Files show it; git is asked for a clone only where those do not decide.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::clone::{
    alternate_gone, borrowed_gone, broken, defective, is_other_owner, judge_locks, too_old,
};
use super::layout::{Defect, Layout};
use super::own_form::OwnForm;
use super::{facts, locks};
use crate::catalogue::{Code, Fix};
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement};
use crate::git_cli::{self, Place};
use crate::process;
use crate::resource::file;

/// git reads the objects of one commit.
const PATIENCE: Duration = Duration::from_secs(5);

/// The worst of each clone but the current one, where something is wrong with it.
pub fn check(context: &Context) -> Vec<Judgement> {
    let current = facts(context).layout.as_ref();
    let mut found = Vec::new();
    for clone in context.clones.listed() {
        let common = if clone.is_current {
            current.map(|layout| layout.common.clone())
        } else {
            found.extend(one(context, clone));
            Some(clone.folder.clone())
        };
        let worktrees = common.iter().flat_map(|common| worktrees(common));
        let others = worktrees.filter(|layout| current.is_none_or(|it| it.git != layout.git));
        found.extend(others.filter_map(|layout| judged(context, &layout)));
    }
    let unresolved = context.clones.unresolved().iter();
    let others = unresolved.filter(|top| current.is_none_or(|layout| layout.top != **top));
    let layouts = others.filter_map(|top| Layout::at(top));
    found.extend(layouts.filter_map(|layout| judged(context, &layout)));
    found
}

fn one(context: &Context, clone: &InView) -> Option<Judgement> {
    if is_other_owner(clone.answer()) {
        let summary = "git refuses this clone, because it belongs to another user";
        let fix = Fix::report("run git as its owner, or change the owner of its files");
        let top = context.home.shown(clone.top());
        return Some(Judgement::warn(Code::RepositoryOtherOwner, summary, fix).about(top));
    }
    let layout = Layout::of_git_folder(clone.top(), &clone.folder);
    let form = || {
        if clone.is_plain() || clone.is_unread() {
            return None;
        }
        too_old(clone.answer()).or_else(|| misformed(&layout))
    };
    let judgement = form().or_else(|| objects_missing(context, &layout));
    match judgement {
        Some(judgement) if layout.defect.is_none() => {
            Some(judgement.about(context.home.shown(&layout.top)))
        }
        _ => judged(context, &layout),
    }
}

/// What the folders and the locks show.
fn judged(context: &Context, layout: &Layout) -> Option<Judgement> {
    let judgement = match layout.defect {
        Some(Defect::NoWorkTree) => None,
        Some(defect) => Some(defective(defect, layout)),
        None => part_gone(layout).or_else(|| judge_locks(&locks::left(layout))),
    }?;
    // as one that git refuses
    let is_foreign = judgement.code == Some(Code::GitCloneUnwritable);
    let judgement = judgement.about(context.home.shown(&layout.top));
    Some(if is_foreign {
        Judgement { status: CheckStatus::Warn, stop_and_report: false, ..judgement }
    } else {
        judgement
    })
}

/// Without these folders git takes no folder for a repository (setup.c, `is_git_directory`).
fn part_gone(layout: &Layout) -> Option<Judgement> {
    let folders = ["objects", "refs"].map(|name| (name, layout.common.join(name)));
    let denied =
        |(name, path): (_, PathBuf)| Some((name, access(&path, Access::EXEC_OK).err()?, path));
    let (name, errno, path) = folders.into_iter().find_map(denied)?;
    if errno == Errno::ACCESS {
        return Some(defective(Defect::Unreadable, layout));
    }
    let summary = format!("the git folder has no `{name}`, so git does not accept the clone");
    let fix = if name == "refs" {
        let argv = ["mkdir", "-p", &path.join("heads").display().to_string()];
        Fix::run(argv, "make the folder; what `packed-refs` does not name is in `.git/logs`")
    } else {
        Fix::report("bring the folder back, or clone again and copy the work tree")
    };
    Some(broken(&summary, fix).with([Evidence::new("path", path.display().to_string())]))
}

/// The clone's own configuration takes its work tree away. A submodule's may stay without one, and a
/// bare repository has none.
fn misformed(layout: &Layout) -> Option<Judgement> {
    if layout.git != layout.top.join(".git") {
        return None;
    }
    let OwnForm { bare, worktree, .. } = OwnForm::of(layout);
    if let Some((path, file)) = worktree
        && !layout.git.join(&path).exists()
    {
        let file = file.display().to_string();
        let argv = ["git", "config", "--file", &file, "--unset-all", "core.worktree"];
        let summary = "core.worktree names a folder that is not there, so nothing can be added";
        return Some(
            broken(summary, Fix::run(argv, "remove core.worktree"))
                .with([Evidence::foreign("core.worktree", &path)]),
        );
    }
    let file = bare?;
    if !has_work_tree(layout) {
        return None;
    }
    let file = file.display().to_string();
    let argv = ["git", "config", "--file", &file, "--replace-all", "core.bare", "false"];
    let summary = "core.bare is true in a clone with a work tree, so nothing can be added";
    Some(broken(summary, Fix::run(argv, "set core.bare to false")))
}

/// Whether files were checked out beside `.git`; a bare repository of this name may have its
/// worktrees there.
fn has_work_tree(layout: &Layout) -> bool {
    let entries = fs::read_dir(&layout.top).into_iter().flatten().flatten();
    let is_of_it = |path: PathBuf| !path.ends_with(".git") && !path.join(".git").exists();
    layout.git.join("index").exists() && entries.map(|entry| entry.path()).any(is_of_it)
}

/// Objects of HEAD are missing, which the clone borrows from a folder that is not there.
fn objects_missing(context: &Context, layout: &Layout) -> Option<Judgement> {
    let folder = alternate_gone(&layout.common)?;
    let mut git = git_cli::command(Place::Clone(&layout.git));
    git.args(["rev-list", "--objects", "--no-walk", "--quiet", "HEAD"]);
    let output = process::run(git, context.deadline(PATIENCE)).ok()?;
    let lacks_object = output.stderr.contains("missing") || output.stderr.contains("bad object");
    if output.status.success() || !lacks_object {
        return None;
    }
    let said = Evidence::foreign("git said", &output.first_error());
    Some(borrowed_gone(&folder).with([said]))
}

/// The linked worktrees of a clone whose folders are there.
fn worktrees(common: &Path) -> impl Iterator<Item = Layout> {
    let entries = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let own = entry.path();
        let named = file::text(&own.join("gitdir"));
        let named = own.join(named.trim_end());
        let top = named.parent().filter(|_| named.is_file())?;
        Some(Layout::of_git_folder(top, &own))
    })
}
