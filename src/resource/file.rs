//! A file, read without following anything, and the one way to write it.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the room that opens, writes and removes files"
)]

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use tempfile::{NamedTempFile, TempDir};
use zeroize::Zeroizing;

use super::lock::{self, Held, Lock};
pub use super::place::Kind;
use super::place::{Obstacle, READ_CAP, check_file, check_folder, named};

/// Temporary files and folders of ours begin so; what a crash leaves behind is swept by this name.
pub const TEMPORARY: &str = ".pushready-tmp-";

/// So often a file is judged again because somebody wrote it meanwhile; from then on it is judged
/// under its lock.
const OPTIMISM: usize = 3;

/// A regular file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub bytes: Zeroizing<Vec<u8>>,
    /// Permission bits.
    pub mode: u32,
}

/// What stands at `path`: `None` if nothing does.
pub fn observe(path: &Path, kind: Kind) -> Result<Option<Content>, Obstacle> {
    if kind == Kind::Secret {
        named(path)?;
        check_folder(path)?;
    }
    read(path, kind)
}

/// The text of a file that others write: empty where there is none that can be read. A FIFO does
/// not hang us.
pub fn text(path: &Path) -> String {
    let content = observe(path, Kind::Shared).ok().flatten();
    content.map(|content| String::from_utf8_lossy(&content.bytes).into_owned()).unwrap_or_default()
}

fn read(path: &Path, kind: Kind) -> Result<Option<Content>, Obstacle> {
    let mut flags = OFlags::NONBLOCK | OFlags::CLOEXEC; // a FIFO must not hang us
    if kind != Kind::Shared {
        flags |= OFlags::NOFOLLOW;
    }
    let before =
        match if kind == Kind::Shared { fs::metadata(path) } else { fs::symlink_metadata(path) } {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
    // judged before it is opened: opening a device can have effects
    check_file(&before, kind)?;
    let file =
        fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    check_file(&metadata, kind)?;
    if metadata.len() > READ_CAP {
        return Err(Obstacle::TooLarge);
    }
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    (&file).take(READ_CAP + 1).read_to_end(&mut bytes)?;
    Ok(Some(Content { bytes, mode: metadata.mode() & 0o7777 }))
}

/// Opens a lock file, made where it is missing. A link there is not followed, and a FIFO does not
/// hang us.
pub fn open_lock(path: &Path, mode: u32) -> io::Result<File> {
    fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(mode)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
}

/// The folders above `path` that do not exist, outermost first.
pub fn missing_folders(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<_> = path
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

/// Creates the folders above `path` that do not exist, 0700 each.
pub fn create_folders(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        let dangling = folder.ancestors().find(|folder| folder.is_symlink() && !folder.exists());
        match dangling.filter(|_| error.kind() == io::ErrorKind::AlreadyExists) {
            Some(link) => io::Error::new(
                error.kind(),
                format!("`{}` is a link that leads nowhere", link.display()),
            ),
            None => error,
        }
    })
}

/// Where a shared file really lies: its symlinks followed, also when the last one dangles.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else {
            let folder = path.parent().map(existing_or_same).transpose()?;
            return Ok(match (folder, path.file_name()) {
                (Some(folder), Some(name)) => folder.join(name),
                _ => path,
            });
        };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    Err(io::Error::other("too many levels of symlinks"))
}

fn existing_or_same(folder: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(folder.to_owned()),
        other => other,
    }
}

/// What is to stand at a place after an edit.
#[derive(Debug)]
pub enum New {
    Bytes {
        bytes: Zeroizing<Vec<u8>>,
        mode: u32,
    },
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
        if attempt >= OPTIMISM {
            held = Some(lock.take(&path)?);
        }
        let old = observe(&path, kind)?;
        let new = match edit(old.as_ref())? {
            New::Unchanged => return Ok(()),
            New::Absent => None,
            // only the mode differs: the content needs no second writing
            New::Bytes { bytes, mode } if old.as_ref().is_some_and(|old| old.bytes == bytes) => {
                return Ok(set_mode(&path, mode).map_err(Obstacle::Io)?);
            }
            New::Bytes { bytes, mode } => Some(prepare(&path, &bytes, mode).map_err(Obstacle::Io)?),
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

/// A new temporary file beside `path`, 0600 from birth, removed when dropped.
pub fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = folder(path)?;
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(|error| of_folder(error, folder))
}

/// A new folder in `folder`, 0700 from birth, under a name that the sweep knows; removed when
/// dropped.
pub fn temporary_folder(folder: &Path) -> io::Result<TempDir> {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(private)
        .tempdir_in(folder)
        .map_err(|error| of_folder(error, folder))
}

/// The crate names a file that nobody has asked for; what is in the way is its folder.
fn of_folder(error: io::Error, folder: &Path) -> io::Error {
    let kind = error.kind();
    let why = match kind {
        io::ErrorKind::PermissionDenied => "does not let this user write (Permission denied)",
        io::ErrorKind::ReadOnlyFilesystem => "is on a filesystem that is mounted read-only",
        _ => return error,
    };
    io::Error::new(kind, format!("the folder `{}` {why}", folder.display()))
}

/// A temporary file beside `path` with this content, durable.
fn prepare(path: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = temporary(path)?;
    file.write_all(bytes)?;
    if mode != 0o600 {
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

/// Writes `bytes` to `path`: temporary file in the same folder, fsync, rename, fsync of the folder.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    tracing::info!(?path, mode = format_args!("{mode:04o}"), "write");
    create_folders(path)?;
    prepare(path, bytes, mode)?.persist(path)?;
    sync_folder(path)
}

/// Writes a program that other users may run as well: it and the folders made for it are 0755,
/// whatever the umask.
pub fn write_program(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let missing = missing_folders(path);
    create_folders(path)?;
    missing.iter().try_for_each(|folder| set_mode(folder, 0o755))?;
    write(path, bytes, 0o755)
}

/// Removes a file if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    unlink(path)?;
    sync_folder(path)
}

/// The same, without making it durable.
pub fn unlink(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes a folder if it is there and empty; says whether it is gone.
pub fn remove_folder(path: &Path) -> io::Result<bool> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Makes a rename or removal beside `path` durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path)?)?.sync_all()
}

fn folder(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::other("the path has no folder"))
}

/// Whether a file is a temporary one of ours, by its name.
pub fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Removes what an interrupted run left in `folder`: temporary files, and the locks that it held.
/// Says how many; what cannot be removed is left to the next run.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let metadata =
                fs::symlink_metadata(&path).ok().filter(|it| it.uid() == geteuid().as_raw())?;
            Some((path, metadata))
        })
        .collect();
    let temporary = |(path, metadata): &&(PathBuf, fs::Metadata)| {
        metadata.is_file() && path.file_name().is_some_and(is_temporary)
    };
    let inodes: Vec<_> =
        found.iter().filter(temporary).map(|(_, metadata)| metadata.ino()).collect();
    // the locks first: it is by its temporary file that one is known as ours
    let locks = found.iter().filter(|(path, metadata)| {
        path.extension().is_some_and(|extension| extension == "lock")
            && (lock::is_our_folder(metadata)
                || metadata.is_file() && inodes.contains(&metadata.ino()))
    });
    let gone = |path: &Path, folder: bool| {
        if folder { fs::remove_dir(path) } else { fs::remove_file(path) }
    };
    let locks = locks.filter(|(path, metadata)| gone(path, metadata.is_dir()).is_ok()).count();
    locks + found.iter().filter(temporary).filter(|(path, _)| gone(path, false).is_ok()).count()
}
