//! Temporary folders in which programs run, and from which they read their configuration.
//!
//! A process holds a lock on each folder that it uses. One that nobody holds was left by a run that
//! was killed, and a later run removes it.
#![expect(clippy::disallowed_methods, reason = "makes, locks and removes folders")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::file;
use super::place::{Obstacle, check_ancestors};
use crate::process::lock_for_good;

/// Not that of other temporary folders, which have no such lock.
const PREFIX: &str = ".pushready-run-";

/// Where temporary files may be made, best first: TMPDIR, and the system's own folder.
pub fn places() -> [PathBuf; 2] {
    [std::env::temp_dir(), PathBuf::from("/tmp")]
}

/// Those of this process.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A folder of this process alone, 0700 from birth; removed when dropped.
pub struct PrivateFolder {
    path: PathBuf,
    _lock: File,
}

impl PrivateFolder {
    /// In TMPDIR, else in `/tmp`: in the first of both where nobody else can put another in its
    /// place.
    pub fn new() -> io::Result<Self> {
        Self::new_in(&places())
    }

    /// The same in the first of these that is safe.
    pub fn new_in(places: &[PathBuf]) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in places {
            match check(place).and_then(|()| Self::make(place)) {
                Ok(folder) => return Ok(folder),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn make(place: &Path) -> io::Result<Self> {
        // a signal that arrives waits until it is in the list
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let path = file::temporary_folder(place, PREFIX)?.keep();
            let lock = open(&path)?;
            lock.lock()?;
            // another run may have taken it for one that is left, before it was locked
            if fs::symlink_metadata(&path).is_ok_and(|it| it.ino() == lock_inode(&lock)) {
                held.insert(path.clone());
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, with those above it.
    pub fn make_below(&self, name: &str) -> io::Result<()> {
        fs::create_dir_all(self.path.join(name))
    }

    /// A file in it, 0600 from birth.
    pub fn write(&self, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create_new(true).write(true).mode(0o600);
        options.open(self.path.join(name))?.write_all(bytes)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_dir_all(&self.path);
        held.remove(&self.path);
    }
}

/// What is made in this place is below a folder that nobody else can replace.
fn check(place: &Path) -> io::Result<()> {
    match check_ancestors(&place.join(PREFIX)) {
        Ok(()) => Ok(()),
        Err(Obstacle::Io(error)) => Err(error),
        Err(obstacle) => Err(io::Error::other(obstacle.finding(place).summary)),
    }
}

/// The folder itself, to lock it. No link is followed.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

fn lock_inode(lock: &File) -> u64 {
    lock.metadata().map_or(0, |it| it.ino())
}

/// A child that was killed just now may still be writing.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// Removes those of this process, which is about to end by a signal or a panic: no destructor runs
/// then. No other is made from here on.
pub fn remove_held() {
    let Some(held) = lock_for_good(&HELD) else { return };
    for path in held.iter() {
        for _ in 0..TRIES {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(PAUSE),
                _ => break,
            }
        }
    }
}

/// Removes those of this user that no process holds, in the state folder too, where one is made if
/// no other place is safe. Returns how many.
pub fn sweep(state: &Path) -> usize {
    sweep_in(&[&places()[..], &[state.to_owned()]].concat())
}

fn sweep_in(places: &[PathBuf]) -> usize {
    let safe = places.iter().filter(|place| check(place).is_ok());
    let entries = safe.filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()));
    ours.filter(|entry| is_left(&entry.path()) && fs::remove_dir_all(entry.path()).is_ok()).count()
}

/// Whether the folder is this user's, and nobody holds it. One that another process makes just now
/// may look so, and is made again there.
fn is_left(path: &Path) -> bool {
    let Ok(folder) = open(path) else { return false };
    let is_own = folder.metadata().is_ok_and(|it| it.uid() == geteuid().as_raw());
    is_own && folder.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_where_nobody_can_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let [open, sticky, own] = [0o777, 0o1777, 0o700].map(|mode| {
            let path = folder.path().join(format!("{mode:o}"));
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            path
        });
        let missing = folder.path().join("missing");
        for (places, expected) in [
            (&[&open, &own][..], Some(&own)),
            (&[&missing, &open, &sticky], Some(&sticky)),
            (&[&own, &sticky], Some(&own)),
            (&[&open, &missing], None),
        ] {
            let places: Vec<_> = places.iter().map(|path| (*path).clone()).collect();
            let made = PrivateFolder::new_in(&places).ok();
            let parent = made.as_ref().and_then(|made| made.path().parent());
            assert_eq!(parent, expected.map(PathBuf::as_path), "{places:?}");
        }
    }

    #[test]
    fn only_what_nobody_holds_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let places = [place.path().to_owned()];
        let held = PrivateFolder::new_in(&places).unwrap();
        held.write("in it".as_ref(), b"").unwrap();
        let left = at(&format!("{PREFIX}left"));
        fs::create_dir_all(left.join("a/b")).unwrap();
        // what is not a folder of ours stays, and no link is followed
        fs::create_dir_all(at("other/inside")).unwrap();
        let linked = at(&format!("{PREFIX}linked"));
        std::os::unix::fs::symlink(at("other"), &linked).unwrap();
        std::os::unix::fs::symlink(at("other"), left.join("a/link")).unwrap();
        let file = at(&format!("{PREFIX}file"));
        fs::write(&file, "").unwrap();
        assert_eq!(sweep_in(&places), 1);
        assert!(!left.exists());
        for path in [&held.path().join("in it"), &at("other/inside"), &linked, &file] {
            assert!(path.exists(), "{}", path.display());
        }
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_of_an_open_place_is_not_touched() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(place.path(), mode(0o777)).unwrap();
        assert_eq!(sweep_in(&[place.path().to_owned()]), 0);
        assert!(left.exists());
        fs::set_permissions(place.path(), mode(0o1777)).unwrap();
        assert_eq!(sweep_in(&[place.path().to_owned()]), 1);
    }
}
