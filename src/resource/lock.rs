//! The locks of the programs whose files we edit, each taken as its program takes it, and never
//! longer than one write.
#![expect(clippy::disallowed_methods, reason = "lock files are made here")]

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::file;
use super::place::{self, Kind, Obstacle};

/// Longer than any of the programs holds its lock.
const TIMEOUT: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(5);
/// The age at which the lock folders of `proper-lockfile`, which Claude Code uses, count as
/// abandoned.
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

/// A lock in force. Dropping it lets go, too, but does not tell when that fails.
pub enum Held {
    Nothing,
    Git(GitLock),
    Codex { _outer: File, _inner: File },
    Claude(ClaudeLock),
}

/// The mode of the lock folders that we make. Nobody else's have the sticky bit, so after a crash
/// it tells ours.
const OUR_FOLDER: u32 = 0o1700;

/// Whether an interrupted run of ours left this lock folder. (It may have got its parent's setgid
/// bit.)
pub fn is_our_folder(metadata: &fs::Metadata) -> bool {
    metadata.is_dir() && metadata.mode() & 0o1777 == OUR_FOLDER
}

impl Lock {
    /// Takes the lock of the file at `path`, waiting a few seconds for its holder.
    pub fn take(self, path: &Path) -> Result<Held, Obstacle> {
        let lock = suffixed(path, ".lock");
        match self {
            Self::None => Ok(Held::Nothing),
            Self::Git => {
                let twin = file::temporary(path)?;
                link(&twin, &lock)?;
                Ok(Held::Git(GitLock { lock, twin: Twin::Own(twin) }))
            }
            Self::Codex => {
                let outer = path.with_file_name("auth.lock");
                Ok(Held::Codex { _outer: flock(&outer, 0o644)?, _inner: flock(&lock, 0o600)? })
            }
            Self::Claude => {
                retry(&lock, || {
                    if abandoned(&lock) {
                        let _ = fs::remove_dir(&lock);
                    }
                    fs::DirBuilder::new().mode(OUR_FOLDER).create(&lock)
                })?;
                Ok(Held::Claude(ClaudeLock(Some(lock))))
            }
        }
    }
}

impl Lock {
    /// The same for the writing of `new`: git's lock is then the new content itself, as it is when
    /// git writes.
    pub fn take_for(self, path: &Path, new: &NamedTempFile) -> Result<Held, Obstacle> {
        if self != Self::Git {
            return self.take(path);
        }
        let lock = suffixed(path, ".lock");
        link(new, &lock)?;
        Ok(Held::Git(GitLock { lock, twin: Twin::New }))
    }
}

/// A hard link is made exclusively, and after a crash its twin tells our lock from git's.
fn link(twin: &NamedTempFile, lock: &Path) -> io::Result<()> {
    retry(lock, || fs::hard_link(twin.path(), lock))
}

impl Held {
    /// Puts `new` in its place and lets go: git's lock does both in one step.
    pub fn commit(self, new: NamedTempFile, path: &Path) -> io::Result<()> {
        match self {
            Self::Git(mut lock) if matches!(lock.twin, Twin::New) => {
                fs::rename(&lock.lock, path)?;
                lock.twin = Twin::Gone;
                new.close()
            }
            held => {
                new.persist(path).map_err(|error| error.error)?;
                held.release()
            }
        }
    }

    /// Lets go.
    pub fn release(self) -> io::Result<()> {
        match self {
            Self::Nothing | Self::Codex { .. } => Ok(()),
            Self::Git(mut lock) => lock.release(),
            Self::Claude(mut lock) => lock.release(),
        }
    }
}

pub struct GitLock {
    lock: PathBuf,
    twin: Twin,
}

/// The temporary file of which the lock is another name.
enum Twin {
    Own(NamedTempFile),
    /// The new content, which another holds.
    New,
    /// The lock is let go.
    Gone,
}

impl GitLock {
    fn release(&mut self) -> io::Result<()> {
        let twin = std::mem::replace(&mut self.twin, Twin::Gone);
        if matches!(twin, Twin::Gone) {
            return Ok(());
        }
        let removed = gone(&self.lock, fs::remove_file(&self.lock));
        match (twin, removed) {
            (Twin::Own(twin), Ok(())) => twin.close(),
            (Twin::Own(twin), Err(error)) => {
                // without its twin nobody would know the lock as ours
                let _ = twin.keep();
                Err(error)
            }
            (_, removed) => removed,
        }
    }
}

impl Drop for GitLock {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

pub struct ClaudeLock(Option<PathBuf>);

impl ClaudeLock {
    fn release(&mut self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), |lock| gone(&lock, fs::remove_dir(&lock)))
    }
}

impl Drop for ClaudeLock {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

fn gone(lock: &Path, removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("the lock `{}` stays: {error}", lock.display()),
        )),
        Ok(()) => Ok(()),
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn retry(lock: &Path, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let end = Instant::now() + TIMEOUT;
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

fn flock(path: &Path, mode: u32) -> Result<File, Obstacle> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        place::check_file(&metadata, Kind::Own)
            .map_err(|obstacle| Obstacle::Lock(path.to_owned(), Box::new(obstacle)))?;
    }
    let file = file::open_lock(path, mode)?;
    let end = Instant::now() + TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() > end => {
                return Err(held_by_another(path).into());
            }
            Err(TryLockError::WouldBlock) => thread::sleep(STEP),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

fn held_by_another(lock: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, format!("another program holds `{}`", lock.display()))
}

fn abandoned(lock: &Path) -> bool {
    fs::symlink_metadata(lock).and_then(|metadata| metadata.modified()).is_ok_and(|modified| {
        SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED)
    })
}
