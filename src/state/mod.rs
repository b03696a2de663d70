//! The state folder, and the lock that lets one run at a time change anything.
#![expect(clippy::disallowed_methods, reason = "the lock file and the folder itself are made here")]

pub mod git_identity;
pub mod heal;
pub mod logins;
pub mod receipt;
pub mod subject;
pub mod via;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use walkdir::WalkDir;

use crate::catalogue::{Code, Finding};
use crate::error::{Error, Result, fix_for};
use crate::proof;
use crate::resource::{file, place, rewrite};
use crate::state::receipt::Receipt;

/// Longer than any run takes, shorter than a template author's patience.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than another run takes to make its folder, or to remove it.
const IN_MOTION: Duration = Duration::from_secs(2);

/// The state folder under its lock.
pub struct State {
    pub path: PathBuf,
    /// By this run.
    pub just_made: bool,
    _lock: File,
}

impl State {
    /// Takes the lock, and makes the folder where it is missing. The folders made for it appear in
    /// one step, together with the receipt that lists them, so that no crash leaves a folder that
    /// no removal knows.
    pub fn open(path: &Path, fresh: impl Fn() -> Receipt) -> Result<Self> {
        check(path)?;
        let mut end = None;
        loop {
            if let Some(state) = Self::lock(path, PATIENCE)? {
                private(path).map_err(|error| cannot(path, &error))?;
                return Ok(state);
            }
            match make(path, fresh()) {
                Ok(state) => return Ok(state),
                // another run may have made the folder first, or may just be removing the one that
                // held ours
                Err(_) if path.is_dir() => {}
                Err(error)
                    if in_motion(&error)
                        && Instant::now()
                            < *end.get_or_insert_with(|| Instant::now() + IN_MOTION) =>
                {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(cannot(path, &error)),
            }
        }
    }

    /// Takes the lock where the folder exists.
    pub fn open_existing(path: &Path) -> Result<Option<Self>> {
        Self::lock(path, PATIENCE)
    }

    /// The same for what is not worth waiting for.
    pub fn open_promptly(path: &Path) -> Result<Option<Self>> {
        Self::lock(path, Duration::from_secs(5))
    }

    fn lock(path: &Path, patience: Duration) -> Result<Option<Self>> {
        check(path)?;
        let name = path.join("lock");
        let end = Instant::now() + patience;
        loop {
            let file = match file::open_lock(&name, 0o600) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(cannot(path, &error)),
            };
            match file.try_lock() {
                // a run that removed the folder meanwhile has left us a lock without a name
                Ok(()) if same_file(&file, &name) => {
                    return Ok(Some(Self { path: path.to_owned(), just_made: false, _lock: file }));
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() > end => {
                    return Err(Error::new("another pushready is running")
                        .because(format!("it holds `{}`", name.display()))
                        .hint("`pgrep -a pushready` shows it"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(error)) => return Err(cannot(path, &error)),
            }
        }
    }

    /// Removes the folder with all that is ours in it, and the `folders` that were made for it
    /// if they contain nothing else. What can be removed in one step is: it is renamed first.
    /// Returns what is left.
    pub fn remove(self, folders: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
        let own = OWN.map(|name| self.path.join(name));
        let mut left = foreign(&self.path, &own)?;
        if left.is_empty() {
            let outermost = folders
                .iter()
                .find(|folder| self.path.starts_with(folder) && holds_only(folder, &self.path))
                .unwrap_or(&self.path);
            let aside = file::temporary_folder(
                outermost.parent().unwrap_or(Path::new("/")),
                file::TEMPORARY,
            )?;
            fs::rename(outermost, aside.path())?;
            match dissolve(&aside.keep(), outermost, &self.path) {
                // another run finishes it
                Err(error) if in_motion(&error) => {}
                other => other?,
            }
        } else {
            for path in own {
                file::remove(&path)?;
            }
            left.sort();
        }
        Ok(left)
    }

    /// What others have put into the folder: everything in it but `ours`. Changes nothing.
    pub fn foreign(path: &Path, ours: &[PathBuf]) -> Vec<PathBuf> {
        let own = OWN.map(|name| path.join(name));
        let is_ours = |file: &Path| {
            ours.iter().chain(&own).any(|known| known == file)
                || file.file_name().is_some_and(file::is_temporary)
        };
        let entries = fs::read_dir(path).into_iter().flatten().filter_map(io::Result::ok);
        let mut foreign: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|entry| {
                let files = WalkDir::new(entry).into_iter().flatten();
                files.filter(|file| !file.file_type().is_dir()).any(|file| !is_ours(file.path()))
            })
            .collect();
        foreign.sort();
        foreign
    }

    /// Removes what an interrupted run left of the state folder itself, when it was made or
    /// removed. Returns how many such folders there were. Each has a lock of its own: that of the
    /// run that uses it.
    pub fn sweep(path: &Path) -> usize {
        let mut swept = 0;
        for (folder, outermost) in path.ancestors().skip(1).zip(path.ancestors()) {
            let entries = fs::read_dir(folder).into_iter().flatten().filter_map(io::Result::ok);
            let ours = entries.filter(|entry| {
                file::is_temporary(&entry.file_name())
                    && entry
                        .metadata()
                        .is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw())
            });
            for aside in ours.map(|entry| entry.path()) {
                let lock = fs::File::open(inner(&aside, outermost, path).join("lock"));
                let in_use = lock.as_ref().is_ok_and(|lock| lock.try_lock().is_err());
                swept += usize::from(!in_use && dissolve(&aside, outermost, path).is_ok());
            }
        }
        swept
    }
}

/// What is ours in the state folder when all else is gone.
const OWN: [&str; 4] = ["receipt.json", "lock", "doctor.json", proof::NAME];

/// Where the state folder is while `outermost` is `aside`.
fn inner(aside: &Path, outermost: &Path, state: &Path) -> PathBuf {
    aside.join(state.strip_prefix(outermost).unwrap_or(Path::new("")))
}

/// Removes `aside`, which was `outermost` or was to become it, with the state folder in it and
/// nothing else: what another program put there in the last moment is moved back. Two runs may do
/// this at once.
fn dissolve(aside: &Path, outermost: &Path, state: &Path) -> io::Result<()> {
    let inner = inner(aside, outermost, state);
    for name in OWN {
        file::unlink(&inner.join(name))?;
    }
    rewrite::sweep(&inner);
    let mut below: Option<&Path> = None;
    for folder in inner.ancestors().take_while(|folder| folder.starts_with(aside)) {
        if !file::remove_folder(folder)? {
            let entries = fs::read_dir(folder)?.filter_map(io::Result::ok);
            let is_ours = |name: &std::ffi::OsStr| {
                file::is_temporary(name)
                    || OWN.iter().any(|own| name == *own)
                    || below.is_some_and(|below| below.file_name() == Some(name))
            };
            return if entries.into_iter().all(|entry| is_ours(&entry.file_name())) {
                Err(io::ErrorKind::DirectoryNotEmpty.into())
            } else {
                fs::rename(aside, outermost)
            };
        }
        below = Some(folder);
    }
    file::sync_folder(aside)
}

/// What is to be expected while another run makes or removes the same folders.
fn in_motion(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
    )
}

/// The entries of `folder` that are not in `own`; empty folders of ours go as well.
fn foreign(folder: &Path, own: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if own.contains(&path) || (path.is_dir() && file::remove_folder(&path)?) {
            continue;
        }
        left.push(path);
    }
    Ok(left)
}

/// Whether the way from `folder` down to `inner` has no other branch.
fn holds_only(folder: &Path, inner: &Path) -> bool {
    inner
        .ancestors()
        .skip(1)
        .take_while(|above| above.starts_with(folder))
        .all(|above| fs::read_dir(above).is_ok_and(|entries| entries.take(2).count() == 1))
}

/// Builds the missing folders aside, the receipt in them, and renames the outermost into place,
/// under its lock.
fn make(path: &Path, mut receipt: Receipt) -> io::Result<State> {
    receipt.folders = file::missing_folders(&path.join("receipt.json"));
    let outermost = receipt.folders.first().ok_or(io::ErrorKind::AlreadyExists)?.clone();
    let aside =
        file::temporary_folder(outermost.parent().unwrap_or(Path::new("/")), file::TEMPORARY)?;
    let inner = inner(aside.path(), &outermost, path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&inner)?;
    let lock = file::open_lock(&inner.join("lock"), 0o600)?;
    // held for a moment by a run that looks whether an interrupted one left this
    lock.lock()?;
    receipt.save(&inner)?;
    // a folder with something in it is never replaced (rename(2)); NFS has no RENAME_NOREPLACE
    fs::rename(aside.path(), &outermost)?;
    let _ = aside.keep();
    file::sync_folder(&outermost)?;
    if !same_file(&lock, &path.join("lock")) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(State { path: path.to_owned(), just_made: true, _lock: lock })
}

/// Whether what is in the state folder, or will be, is this user's.
pub fn check(path: &Path) -> Result<()> {
    let checked = match fs::symlink_metadata(path) {
        Ok(_) => place::check_own_folder(path),
        Err(_) => place::check_ancestors(path),
    };
    checked.map_err(|obstacle| {
        let Finding { code, summary, fix } = obstacle.finding(path);
        Error::new(summary).hint(fix.message).code(code)
    })
}

/// What ssh runs and reads is here: no other user may replace it.
fn private(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Err(io::Error::other(
            "it is a symlink; move the folder here, or set XDG_STATE_HOME to its place",
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        file::set_mode(path, 0o700)?;
    }
    Ok(())
}

fn same_file(file: &File, name: &Path) -> bool {
    matches!((file.metadata(), fs::symlink_metadata(name)), (Ok(a), Ok(b)) if a.ino() == b.ino() && a.dev() == b.dev())
}

fn cannot(path: &Path, error: &io::Error) -> Error {
    let error_of = Error::io("use the state folder", path, error).hint(fix_for(error));
    if error.kind() == io::ErrorKind::PermissionDenied {
        error_of.code(Code::HomeReadOnly)
    } else {
        error_of
    }
}
