//! A file, read without following anything, and the one way to write it.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the module that opens, writes and removes files"
)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use tempfile::{NamedTempFile, TempDir};

use super::attributes;
use super::bytes::Bytes;
pub use super::place::Kind;
use super::place::{Obstacle, check_file, check_folder, check_path};

/// Temporary files and folders of ours begin so; what a crash leaves behind is swept by this name.
pub const TEMPORARY: &str = ".pushready-tmp-";

/// The most that is read of our own files, the binary in the state folder included.
const OWN_LIMIT: u64 = 256 << 20;
/// Of `.claude.json`, in which Claude Code keeps the history of every project. Its values are
/// located, not decoded.
const CLAUDE_JSON_LIMIT: u64 = 16 << 20;
/// Of JSON and TOML, which take up to forty times their size when they are decoded.
const DOCUMENT_LIMIT: u64 = 1 << 20;
/// Of all other files: git's configurations take up to fifteen times their size, and those of ssh
/// and known_hosts are read line by line. The largest in the field have some hundred kilobytes.
const FILE_LIMIT: u64 = 4 << 20;

/// The most that is read of a file, so that no file of others makes pushready take more memory than
/// a small workspace has.
fn limit(path: &Path, kind: Kind) -> u64 {
    let extension = path.extension().and_then(OsStr::to_str);
    match path.file_name().and_then(OsStr::to_str) {
        _ if kind == Kind::Own => OWN_LIMIT,
        Some(".claude.json") => CLAUDE_JSON_LIMIT,
        _ if matches!(extension, Some("json" | "toml")) => DOCUMENT_LIMIT,
        _ => FILE_LIMIT,
    }
}

/// A regular file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub bytes: Bytes,
    /// Permission bits.
    pub mode: u32,
}

/// What is at `path`: `None` if nothing does.
pub fn observe(path: &Path, kind: Kind) -> Result<Option<Content>, Obstacle> {
    observe_up_to(limit(path, kind), path, kind)
}

/// The same with another limit of bytes.
pub fn observe_up_to(limit: u64, path: &Path, kind: Kind) -> Result<Option<Content>, Obstacle> {
    if kind == Kind::Secret {
        check_path(path)?;
        check_folder(path)?;
    }
    read(limit, path, kind)
}

/// Whether both paths lead to one file or folder, be it one that is not there yet.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let below = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        path.canonicalize().ok().or_else(below)
    };
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

/// The text of a file that others write: empty where there is none that can be read. A FIFO does
/// not hang us.
pub fn text(path: &Path) -> String {
    let content = observe(path, Kind::Shared).ok().flatten();
    content.map(|content| String::from_utf8_lossy(&content.bytes).into_owned()).unwrap_or_default()
}

/// What is at `path`, to be removed: its content is not read, which may be a secret, or large.
pub fn observe_unread(path: &Path, kind: Kind) -> Result<Option<Content>, Obstacle> {
    let metadata = metadata(path, kind)?;
    Ok(metadata.map(|it| Content { bytes: Bytes::default(), mode: it.mode() & 0o7777 }))
}

/// `None` if nothing is there; refused where it cannot be a file of this kind.
fn metadata(path: &Path, kind: Kind) -> Result<Option<fs::Metadata>, Obstacle> {
    let found = if kind == Kind::Shared { fs::metadata(path) } else { fs::symlink_metadata(path) };
    match found {
        Ok(metadata) => check_file(&metadata, kind).map(|()| Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read(limit: u64, path: &Path, kind: Kind) -> Result<Option<Content>, Obstacle> {
    let flags = if kind == Kind::Shared { OFlags::empty() } else { OFlags::NOFOLLOW };
    // judged before it is opened: opening a device can have effects
    if metadata(path, kind)?.is_none() {
        return Ok(None);
    }
    let file = open_for_reading(path, flags)?;
    let metadata = file.metadata()?;
    check_file(&metadata, kind)?;
    if metadata.len() > limit {
        return Err(Obstacle::TooLarge(limit));
    }
    let capacity = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut bytes = Bytes::of(kind, Vec::with_capacity(capacity));
    (&file).take(limit + 1).read_to_end(bytes.as_mut())?;
    // it may have grown since its size was requested
    if bytes.len() as u64 > limit {
        return Err(Obstacle::TooLarge(limit));
    }
    Ok(Some(Content { bytes, mode: metadata.mode() & 0o7777 }))
}

/// Whether a file of ours has this mode and the bytes of `original`. Reads both in parts: a binary
/// is larger than all else that pushready holds in memory.
pub fn is_copy(path: &Path, original: &Path, mode: u32) -> Result<bool, Obstacle> {
    let Some(metadata) = metadata(path, Kind::Own)? else { return Ok(false) };
    let original = File::open(original)?;
    if metadata.len() != original.metadata()?.len() || metadata.mode() & 0o7777 != mode {
        return Ok(false);
    }
    let copy = open_for_reading(path, OFlags::NOFOLLOW)?;
    Ok(has_same_bytes(copy, original)?)
}

fn has_same_bytes(mut one: impl io::Read, mut other: impl io::Read) -> io::Result<bool> {
    const PART: u64 = 1 << 16;
    let (mut part, mut same) = (Vec::new(), Vec::new());
    loop {
        part.clear();
        same.clear();
        one.by_ref().take(PART).read_to_end(&mut part)?;
        other.by_ref().take(PART).read_to_end(&mut same)?;
        if part != same || part.is_empty() {
            return Ok(part == same);
        }
    }
}

/// Lets the owner read a file and use a folder of this user's, where its mode does not. Returns
/// whether that was so.
pub fn restore_access(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let (needed, usual) = match () {
        () if metadata.is_file() => (0o400, 0o600),
        () if metadata.is_dir() => (0o700, 0o700),
        () => return false,
    };
    let mode = metadata.mode() & 0o7777;
    let is_lost = mode & needed != needed && metadata.uid() == geteuid().as_raw();
    is_lost && fs::set_permissions(path, fs::Permissions::from_mode(mode | usual)).is_ok()
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
                format!("`{}` is a symlink to a missing file", link.display()),
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

/// A new temporary file beside `path`, 0600 from birth, removed when dropped.
pub fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = folder(path)?;
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(|error| name_folder(error, folder))
}

/// A new folder in `folder`, 0700 from birth, whose name begins so; removed when dropped.
pub fn temporary_folder(folder: &Path, prefix: &str) -> io::Result<TempDir> {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(private)
        .tempdir_in(folder)
        .map_err(|error| name_folder(error, folder))
}

/// The crate names a file that nobody has asked for; what is in the way is its folder.
fn name_folder(error: io::Error, folder: &Path) -> io::Error {
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

/// The same, as a replacement of what is at `path`: a shared file keeps its owner, its group, its
/// access control list and its extended attributes.
pub(super) fn prepare_replacement(
    path: &Path,
    kind: Kind,
    bytes: &[u8],
    mode: u32,
) -> io::Result<NamedTempFile> {
    let new = prepare(path, bytes, mode)?;
    if kind == Kind::Shared {
        match open_for_reading(path, OFlags::NOFOLLOW) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(new),
            old => attributes::copy(&old?, new.as_file())?,
        }
        // the group bits of the mode are the mask of an access control list
        new.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        new.as_file().sync_all()?;
    }
    Ok(new)
}

/// The first bytes of a regular file.
pub fn head(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    open(path)?.0.take(length).read_to_end(&mut head)?;
    Ok(head)
}

/// A regular file that others write, open for reading, and what it is. It is judged before it is
/// opened, since opening a device can have effects, and again after that: somebody may have put a
/// FIFO there.
pub fn open(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let check = |metadata: &fs::Metadata| {
        let error = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        metadata.is_file().then_some(()).ok_or_else(error)
    };
    check(&fs::metadata(path)?)?;
    let file = open_for_reading(path, OFlags::empty())?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    Ok((file, metadata))
}

/// Opens a file; a FIFO does not hang us.
fn open_for_reading(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
    fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Writes `bytes` to `path`: temporary file in the same folder, fsync, rename, fsync of the folder.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    tracing::info!(?path, mode = format_args!("{mode:04o}"), "write");
    create_folders(path)?;
    prepare(path, bytes, mode)?.persist(path)?;
    sync_folder(path)
}

/// The same with the content of another file, which the kernel copies.
pub(super) fn copy(from: &Path, path: &Path, mode: u32) -> io::Result<()> {
    tracing::info!(?path, ?from, mode = format_args!("{mode:04o}"), "copy");
    let mut original = File::open(from)?;
    let file = temporary(path)?;
    io::copy(&mut original, &mut file.as_file())?;
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(path)
}

/// Fills a file of ours of which a part is worth nothing and does no harm: not durable, not at once.
pub fn write_in_part(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_lock(path, 0o600)?;
    file.set_len(0)?;
    file.write_all(bytes)
}

/// Writes `bytes` into the file that is at `path`: for a mount, which nothing can replace.
pub(super) fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    tracing::info!(?path, "write in place");
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = fs::OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// Copies a program that other users may run as well: it and the folders made for it are 0755,
/// whatever the umask.
pub fn copy_program(from: &Path, path: &Path) -> io::Result<()> {
    let missing = missing_folders(path);
    create_folders(path)?;
    missing.iter().try_for_each(|folder| set_mode(folder, 0o755))?;
    copy(from, path, 0o755)
}

/// Whether both files can be read, and have the same bytes.
pub fn are_same(one: &Path, other: &Path) -> bool {
    let files = open(one).and_then(|(one, _)| Ok((one, open(other)?.0)));
    files.and_then(|(one, other)| has_same_bytes(one, other)).unwrap_or(false)
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
    path.parent().ok_or_else(|| io::Error::other("the path has no parent folder"))
}

/// Whether a file is a temporary one of ours, by its name.
pub fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_bytes().starts_with(TEMPORARY.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_file_has_a_limit() {
        for (path, kind, expected) in [
            ("/h/.claude.json", Kind::Shared, CLAUDE_JSON_LIMIT),
            ("/h/.claude/settings.json", Kind::Shared, DOCUMENT_LIMIT),
            ("/h/.codex/config.toml", Kind::Shared, DOCUMENT_LIMIT),
            ("/h/.codex/auth.json", Kind::Secret, DOCUMENT_LIMIT),
            ("/h/.gitconfig", Kind::Shared, FILE_LIMIT),
            ("/h/app/.gitmodules", Kind::Shared, FILE_LIMIT),
            ("/h/.local/state/pushready/bin/pushready", Kind::Own, OWN_LIMIT),
            ("/h/.local/state/pushready/receipt.json", Kind::Own, OWN_LIMIT),
        ] {
            let path = Path::new(path);
            assert_eq!(limit(path, kind), expected, "{}", path.display());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let file = File::create(&path).unwrap();
        file.set_len(DOCUMENT_LIMIT).unwrap();
        assert!(matches!(observe(&path, Kind::Shared), Ok(Some(_))));
        file.set_len(DOCUMENT_LIMIT + 1).unwrap();
        let refused = observe(&path, Kind::Shared);
        assert!(matches!(refused, Err(Obstacle::TooLarge(DOCUMENT_LIMIT))), "{refused:?}");
    }

    /// One that replaces a file after it was judged.
    #[test]
    fn a_fifo_makes_no_read_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let opened = open_for_reading(&path, OFlags::empty()).is_ok();
            sender.send((opened, open(&path).is_err(), head(&path, 1).is_err()))
        });
        let found = receiver.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(found, Ok((true, true, true)));
    }

    #[test]
    fn files_are_compared_to_their_last_byte() {
        let long = vec![7; 200_000];
        let mut other = long.clone();
        *other.last_mut().unwrap() = 8;
        for (one, other, same) in [
            (&b""[..], &b""[..], true),
            (b"a", b"a", true),
            (b"a", b"", false),
            (b"", b"a", false),
            (&long, &long, true),
            (&long, &other, false),
            (&long, &long[..100_000], false),
        ] {
            assert_eq!(has_same_bytes(one, other).unwrap(), same, "{} {}", one.len(), other.len());
        }
        let folder = tempfile::tempdir().unwrap();
        let [copy, original] = ["copy", "original"].map(|name| folder.path().join(name));
        fs::write(&original, &long).unwrap();
        assert!(!is_copy(&copy, &original, 0o700).unwrap(), "it is not there");
        write(&copy, &long, 0o700).unwrap();
        assert!(is_copy(&copy, &original, 0o700).unwrap());
        assert!(!is_copy(&copy, &original, 0o500).unwrap(), "another mode");
    }
}
