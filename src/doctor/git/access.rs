//! Files of git's that this user cannot read or write: who can change that, and with which command.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid};

use super::layout::Layout;
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::outcome::Judgement;

/// Whether the file is this user's, and its mode alone denies it access: its owner can change that.
fn is_closed_by_mode(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| {
        let needed = if metadata.is_dir() { 0o700 } else { 0o600 };
        metadata.uid() == geteuid().as_raw() && metadata.mode() & needed != needed
    })
}

/// The judgement that this user lacks access to `found`, with what gives access to all of `whole`.
/// `make`: [`Judgement::fail`] or [`Judgement::warn`].
pub fn restored(
    make: fn(Code, String, Fix) -> Judgement,
    (code, summary): (Code, &str),
    found: &Path,
    whole: &[PathBuf],
) -> Judgement {
    let summary = summary.to_owned();
    let paths = whole.iter().map(|path| path.to_string_lossy().into_owned());
    if is_closed_by_mode(found) {
        let argv = ["chmod", "-R", "u+rwX"].map(str::to_owned).into_iter().chain(paths);
        let fix = Fix::run(argv, "the files are this user's: give their owner access again");
        let judgement = make(code, summary, fix);
        return Judgement { actor: Some(Actor::Agent), agent_may_fix: true, ..judgement };
    }
    let owner = format!("{}:{}", geteuid().as_raw(), getegid().as_raw());
    let argv = ["sudo", "chown", "-R", &owner].map(str::to_owned).into_iter().chain(paths);
    let fix = Fix::run(argv, "give the files back to this user");
    let judgement = make(code, summary, fix);
    Judgement { actor: Some(Actor::WorkspaceUser), agent_may_fix: false, ..judgement }
}

/// The folders of the clone that belong to another user, less those within one of them; the shared
/// git folder, where none does.
pub fn of_others(layout: &Layout) -> Vec<PathBuf> {
    let Layout { top, git, common, .. } = layout;
    let is_anothers = |path: &&PathBuf| {
        path.symlink_metadata().is_ok_and(|metadata| metadata.uid() != geteuid().as_raw())
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for path in [top, common, git].into_iter().filter(is_anothers) {
        if !found.iter().any(|above| path.starts_with(above)) {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        found.push(common.clone());
    }
    found
}
