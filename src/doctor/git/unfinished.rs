//! Work that waits for the user, by git's own files for it (git-status(1)).

use rustix::fs::{Access, access};

use super::ask;
use super::layout::Layout;
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::is_object_id;
use crate::resource::file;

pub fn unfinished(layout: &Layout) -> Option<&'static str> {
    const MARKS: &[(&str, &str)] = &[
        ("MERGE_HEAD", "a merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase or `git am`"),
    ];
    MARKS.iter().find(|(name, _)| layout.git.join(name).exists()).map(|(_, what)| *what)
}

/// More parents of a merge are not looked up.
const MOST_PARENTS: usize = 16;

/// The file that names a commit which does not exist: git then makes none.
pub fn without_commit(context: &Context, layout: &Layout) -> Option<&'static str> {
    let is_commit = |id: &str| {
        let commit = format!("{id}^{{commit}}");
        let answer = ask(context, &["rev-parse", "--verify", "--quiet", &commit]);
        !answer.is_ok_and(|output| !output.status.success())
    };
    let text = |name: &str| file::text(&layout.git.join(name));
    let picked = text("CHERRY_PICK_HEAD");
    // git ignores anything else there
    let picked = picked.lines().next().filter(|line| is_object_id(line));
    if picked.is_some_and(|id| !is_commit(id)) {
        return Some("CHERRY_PICK_HEAD");
    }
    let path = layout.git.join("MERGE_HEAD");
    if path.symlink_metadata().is_err() {
        return None;
    }
    let is_readable = path.is_file() && access(&path, Access::READ_OK).is_ok();
    let merged = text("MERGE_HEAD");
    let mut merged = merged.lines().take(MOST_PARENTS);
    (!is_readable || merged.any(|line| line.starts_with('-') || !is_commit(line)))
        .then_some("MERGE_HEAD")
}

/// Pure.
pub fn not_finishable(file: &'static str, layout: &Layout) -> Judgement {
    let top = layout.top.display().to_string();
    let command = if file == "MERGE_HEAD" { "merge" } else { "cherry-pick" };
    let summary = format!("{file} names a commit that does not exist, so every commit fails");
    let argv = ["git", "-C", &top, command, "--quit"];
    let fix = Fix::run(argv, "end it, and keep the files as they are");
    let path = layout.git.join(file).display().to_string();
    Judgement::fail(Code::GitCloneBroken, summary, fix).with([Evidence::new("path", path)])
}
