//! Replaces a file that other programs may write too, under the lock of its program, and removes
//! what an interrupted run left.
#![expect(clippy::disallowed_methods, reason = "files are removed here")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::bytes::Bytes;
use super::file::{
    self, Content, create_folders, is_temporary, observe, observe_unread, prepare_replacement,
    resolve, set_mode, sync_folder, unlink,
};
use super::lock::{self, Held, Lock};
use super::mount::{self, Mount};
use super::place::{Kind, Obstacle};

/// So often a file is judged again because somebody wrote it meanwhile; from then on it is judged
/// under its lock.
const UNLOCKED_ATTEMPTS: usize = 3;

/// What is to stand at a place after an edit.
#[derive(Debug, PartialEq, Eq)]
pub enum New {
    Bytes {
        bytes: Bytes,
        mode: u32,
    },
    /// A copy of another file.
    Copy,
    /// The file goes away.
    Absent,
    /// It stays as it is.
    Unchanged,
}

/// Reads the file, hands it to `edit`, and puts the result in its place in one step: whoever reads
/// sees the old content or the new, never a part. The new content is written aside first, so that
/// `lock` is held for a second look and a rename only: a crash that leaves the lock behind must hit
/// that moment. What changed meanwhile is edited anew.
pub fn rewrite<E: From<Obstacle>>(
    path: &Path,
    kind: Kind,
    lock: Lock,
    mut edit: impl FnMut(Option<&Content>) -> Result<New, E>,
) -> Result<(), E> {
    let path =
        if kind == Kind::Shared { resolve(path).map_err(Obstacle::Io)? } else { path.to_owned() };
    create_folders(&path).map_err(Obstacle::Io)?;
    for attempt in 0.. {
        let mut held = None;
        if attempt >= UNLOCKED_ATTEMPTS {
            held = Some(lock.take(&path)?);
        }
        let old = observe(&path, kind)?;
        let mount = old.as_ref().and_then(|_| mount::mount(&path));
        let new = match edit(old.as_ref())? {
            New::Unchanged | New::Copy => return Ok(()),
            New::Absent => match mount {
                Some(Mount { read_only }) => return Err(Obstacle::Mount { read_only }.into()),
                None => None,
            },
            // only the mode differs: the content needs no second writing
            New::Bytes { bytes, mode } if old.as_ref().is_some_and(|old| old.bytes == bytes) => {
                return Ok(set_mode(&path, mode).map_err(Obstacle::Io)?);
            }
            New::Bytes { bytes, .. } if mount.is_some_and(|it| may_fill(it, kind, lock)) => {
                let _held = held.map_or_else(|| lock.take(&path), Ok)?;
                if observe(&path, kind)? != old {
                    continue;
                }
                return Ok(file::fill(&path, &bytes).map_err(Obstacle::Io)?);
            }
            New::Bytes { .. } if let Some(Mount { read_only }) = mount => {
                return Err(Obstacle::Mount { read_only }.into());
            }
            New::Bytes { bytes, mode } => {
                Some(prepare_replacement(&path, kind, &bytes, mode).map_err(Obstacle::Io)?)
            }
        };
        if held.is_none() {
            let taken =
                new.as_ref().map_or_else(|| lock.take(&path), |new| lock.take_for(&path, new));
            held = Some(taken?);
            // nobody else writes what is ours alone
            if kind != Kind::Own && observe(&path, kind)? != old {
                continue;
            }
        }
        tracing::info!(?path, there = new.is_some(), "write");
        let held = held.unwrap_or(Held::Nothing);
        match new {
            Some(new) => held.commit(new, &path),
            None => unlink(&path).and_then(|()| held.release()),
        }
        .map_err(Obstacle::Io)?;
        sync_folder(&path).map_err(Obstacle::Io)?;
        break;
    }
    Ok(())
}

/// Removes a file of ours without reading it.
pub(super) fn delete(path: &Path, kind: Kind) -> Result<(), Obstacle> {
    observe_unread(path, kind)?;
    Ok(file::remove(path)?)
}

/// Puts a copy of another file where one of ours is, which nobody else writes.
pub(super) fn copy(from: &Path, path: &Path, kind: Kind, mode: u32) -> Result<(), Obstacle> {
    create_folders(path)?;
    if observe_unread(path, kind)?.is_some()
        && let Some(Mount { read_only }) = mount::mount(path)
    {
        return Err(Obstacle::Mount { read_only });
    }
    Ok(file::copy(from, path, mode)?)
}

/// Whether a file that is a mount may be written in place, as Claude Code does with `.claude.json`:
/// it holds no secret, and readers take its lock.
fn may_fill(mount: Mount, kind: Kind, lock: Lock) -> bool {
    !mount.read_only && kind == Kind::Shared && lock == Lock::Claude
}

/// Why the file at `path` could not be changed, where that is known before.
pub fn unchangeable(path: &Path, kind: Kind, lock: Lock) -> Option<Obstacle> {
    let mount = mount::mount(path)?;
    (!may_fill(mount, kind, lock)).then_some(Obstacle::Mount { read_only: mount.read_only })
}

/// Removes what an interrupted run left in `folder`: temporary files, and the locks that it held.
/// Says how many; what cannot be removed is left to the next run.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_named_temporary = |path: &Path| path.file_name().is_some_and(is_temporary);
    let is_named_lock = |path: &Path| path.extension().is_some_and(|it| it == "lock");
    let found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            // of the others there are as many as keys
            if !is_named_temporary(&path) && !is_named_lock(&path) {
                return None;
            }
            let metadata =
                fs::symlink_metadata(&path).ok().filter(|it| it.uid() == geteuid().as_raw())?;
            Some((path, metadata))
        })
        .collect();
    let temporary = |(path, metadata): &&(PathBuf, fs::Metadata)| {
        metadata.is_file() && is_named_temporary(path)
    };
    let inodes: Vec<_> =
        found.iter().filter(temporary).map(|(_, metadata)| metadata.ino()).collect();
    // the locks first: it is by its temporary file that one is known as ours
    let locks = found.iter().filter(|(path, metadata)| {
        is_named_lock(path)
            && (lock::is_our_folder(metadata)
                || metadata.is_file() && inodes.contains(&metadata.ino()))
    });
    let gone = |path: &Path, folder: bool| {
        if folder { fs::remove_dir(path) } else { fs::remove_file(path) }
    };
    let locks = locks.filter(|(path, metadata)| gone(path, metadata.is_dir()).is_ok()).count();
    locks + found.iter().filter(temporary).filter(|(path, _)| gone(path, false).is_ok()).count()
}
