//! The locks of the programs whose files we edit, each taken as its program takes it, and never longer than one write.
#![expect(clippy::disallowed_methods, reason = "lock files are made here")]

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::file;

/// Longer than any of the programs holds its lock.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(5);
/// The age at which the lock folders of `proper-lockfile`, which Claude Code uses, count as abandoned.
const ABANDONED: Duration = Duration::from_secs(10);

/// Whose lock guards a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Only our own runs write it, under the lock of the state folder.
    None,
    /// git: `<file>.lock`, made exclusively; renaming it over the file is the commit.
    Git,
    /// Codex 0.169: flock on `auth.lock`, then on `auth.json.lock` beside `auth.json`.
    Codex,
    /// Claude Code: the folder `<file>.lock`.
    Claude,
}

/// A lock in force; dropping it lets go.
pub enum Held {
    Nothing,
    Git { temporary: NamedTempFile, lock: Remove },
    Codex { _outer: File, _inner: File },
    Claude { _folder: RemoveFolder, _marker: Remove },
}

impl Lock {
    /// Takes the lock of the file at `path`, waiting a few seconds for its holder.
    pub fn take(self, path: &Path) -> io::Result<Held> {
        match self {
            Self::None => Ok(Held::Nothing),
            Self::Git => {
                let temporary = file::temporary(path)?;
                let lock = suffixed(path, ".lock");
                // a hard link is made exclusively, and after a crash it tells our lock from git's
                patiently(&lock, || fs::hard_link(temporary.path(), &lock))?;
                Ok(Held::Git { temporary, lock: Remove(lock) })
            }
            Self::Codex => {
                let outer = path.with_file_name("auth.lock");
                let inner = suffixed(path, ".lock");
                Ok(Held::Codex { _outer: flock(&outer, 0o644)?, _inner: flock(&inner, 0o600)? })
            }
            Self::Claude => {
                let lock = suffixed(path, ".lock");
                let folder = path.parent().unwrap_or(Path::new("/"));
                let new = file::temporary_folder(folder)?;
                let marker = folder.join(file::folder_marker(fs::metadata(new.path())?.ino()));
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&marker)?;
                let marker = Remove(marker);
                patiently(&lock, || {
                    if abandoned(&lock) {
                        let _ = fs::remove_dir(&lock);
                    }
                    Ok(renameat_with(CWD, new.path(), CWD, &lock, RenameFlags::NOREPLACE)?)
                })?;
                let _ = new.keep();
                Ok(Held::Claude { _folder: RemoveFolder(lock), _marker: marker })
            }
        }
    }
}

impl Held {
    /// Puts `bytes` at `path` and, where the lock is the new file itself, lets go by that.
    pub fn put(self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        match self {
            Self::Git { temporary, lock } => {
                file::fill(temporary.as_file(), bytes, mode)?;
                fs::rename(&lock.0, path)?;
                std::mem::forget(lock);
                temporary.close()?;
                file::sync_folder(path)
            }
            held => {
                let result = file::write(path, bytes, mode);
                drop(held);
                result
            }
        }
    }
}

/// Removes a lock file when dropped.
pub struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes a lock folder when dropped.
pub struct RemoveFolder(PathBuf);

impl Drop for RemoveFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn patiently(lock: &Path, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if Instant::now() > end {
                    return Err(held_by_another(lock));
                }
                thread::sleep(STEP);
            }
            other => return other,
        }
    }
}

fn flock(path: &Path, mode: u32) -> io::Result<File> {
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(mode).open(path)?;
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() > end => return Err(held_by_another(path)),
            Err(TryLockError::WouldBlock) => thread::sleep(STEP),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn held_by_another(lock: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, format!("another program holds `{}`", lock.display()))
}

fn abandoned(lock: &Path) -> bool {
    fs::symlink_metadata(lock)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED))
}
