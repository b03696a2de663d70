//! A file's place: whether it can be used, and whether a secret is safe there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{getegid, geteuid, getgroups};
use serde::{Deserialize, Serialize};

use super::attributes::{Acl, AclSubject};
use crate::catalogue::{Code, Finding};
use crate::error::fix_for;
use crate::git::url::redact;
use crate::text::shell;

/// How a file that we write is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Holds a secret: 0600, and refused where another user could see it or swap it.
    Secret,
    /// In our own state folder, no secret in it.
    Own,
    /// Shared with the user and other programs: a symlink into a dotfiles repository is followed,
    /// the mode is kept.
    Shared,
}

/// Why nothing can be written at a place.
#[derive(Debug)]
pub enum Obstacle {
    Symlink,
    /// The kind of thing that is there: `a directory`, `a FIFO` ...
    NotRegular(&'static str),
    HardLink,
    OtherOwner(u32),
    /// The folder belongs to another user.
    FolderNotOurs {
        folder: PathBuf,
        uid: u32,
    },
    /// A mount begins at the file itself, so it can be neither replaced nor removed.
    Mount {
        read_only: bool,
    },
    /// Others could swap the file in this folder.
    OpenFolder {
        folder: PathBuf,
        mode: u32,
        /// It belongs to this user, for no other's use.
        ours: bool,
        /// An access control list decides, not the mode alone.
        acl: bool,
    },
    WorkTree(PathBuf),
    /// A folder on the way belongs to another user, who could put another one in its place.
    FolderOfOther {
        folder: PathBuf,
        uid: u32,
    },
    /// The receipt, which is JSON, could not name the place.
    NotUtf8,
    /// Its place depends on the folder in which a program is started.
    NotAbsolute,
    /// Larger than this many bytes, which is the most that is read of such a file.
    TooLarge(u64),
    /// What is where the lock of the file is to be.
    Lock(PathBuf, Box<Self>),
    Io(io::Error),
}

impl Obstacle {
    /// What is wrong with `path`, and how to fix it.
    pub fn finding(&self, path: &Path) -> Finding {
        if let Self::Lock(lock, obstacle) = self {
            return obstacle.finding(lock);
        }
        let (summary, fix) = self.explain(path);
        Finding::new(self.code(), summary, fix)
    }

    fn code(&self) -> Code {
        use io::ErrorKind;
        match self {
            Self::OtherOwner(_) | Self::FolderNotOurs { .. } => Code::HomeOtherOwner,
            Self::Mount { read_only: true } => Code::HomeReadOnly,
            Self::Io(error) => match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::HomeDiskFull,
                ErrorKind::WouldBlock => Code::HomeFileLocked,
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Code::HomeReadOnly,
                _ => Code::HomeIoError,
            },
            _ => Code::HomeUnsafePlace,
        }
    }

    fn explain(&self, path: &Path) -> (String, String) {
        let word = shell(path);
        let target = fs::canonicalize(path).ok().filter(|target| target.is_file());
        let folder = path.parent().unwrap_or(path).display();
        let path = path.display();
        match self {
            Self::Symlink => (
                format!("`{path}` is a symlink, and pushready does not write a secret through one"),
                // the target may be newer than any seed: Codex renews a login through a link
                target.map_or_else(
                    || format!("remove the link, which leads to no file: `rm {word}`"),
                    |target| {
                        format!("put the file itself in its place: `mv {} {word}`", shell(&target))
                    },
                ),
            ),
            Self::FolderNotOurs { folder, uid } => (
                format!("the folder `{}` belongs to uid {uid}", folder.display()),
                format!(
                    "make the workspace user its owner: `sudo chown {} {}`",
                    geteuid().as_raw(),
                    shell(folder)
                ),
            ),
            Self::Mount { read_only } => (
                format!(
                    "`{path}` is a{} mount of its own, as `docker -v FILE:FILE` and subPath of Kubernetes make it: \
                     it cannot be replaced",
                    if *read_only { " read-only" } else { "" }
                ),
                format!(
                    "mount the folder `{folder}` instead, writable, or mount the file at another path and name that \
                     as the source"
                ),
            ),
            Self::NotRegular(what) => {
                (format!("`{path}` is {what}, not a regular file"), format!("move it away: `mv {word} {word}.away`"))
            }
            Self::HardLink => (
                format!("`{path}` has a second name (hard link), so its content is readable elsewhere"),
                format!("remove it: `rm {word}`"),
            ),
            Self::OtherOwner(uid) => (
                format!("`{path}` belongs to uid {uid}"),
                format!("make the workspace user its owner: `sudo chown {} {word}`", geteuid().as_raw()),
            ),
            Self::OpenFolder { folder, mode, ours, acl } => (
                format!(
                    "`{}` has mode {mode:04o}{}, so other users could replace `{path}`",
                    folder.display(),
                    if *acl { " and an access control list" } else { "" }
                ),
                if *ours {
                    format!("remove the write access of others: `chmod go-w {}`", shell(folder))
                } else {
                    "use a folder of your own (set CODEX_HOME, CLAUDE_CONFIG_DIR or XDG_STATE_HOME)".to_owned()
                },
            ),
            Self::FolderOfOther { folder, uid } => (
                format!("`{}` belongs to uid {uid}, who could replace `{path}`", folder.display()),
                "use a folder of your own (set CODEX_HOME, CLAUDE_CONFIG_DIR or XDG_STATE_HOME)".to_owned(),
            ),
            Self::WorkTree(top) => (
                format!("`{path}` is inside the git work tree `{}`, from which it could be pushed", top.display()),
                "move that folder out of the work tree (set CODEX_HOME, CLAUDE_CONFIG_DIR or XDG_STATE_HOME)"
                    .to_owned(),
            ),
            Self::NotUtf8 => (
                format!("the path `{path}` is not UTF-8, so the receipt could not record how to undo what is written there"),
                "use a folder whose path is UTF-8 (set CODEX_HOME, CLAUDE_CONFIG_DIR, XDG_STATE_HOME or HOME)"
                    .to_owned(),
            ),
            Self::NotAbsolute if folder.to_string().trim().is_empty() => (
                "the variable that names the folder is set and blank, and the client uses that as a name".to_owned(),
                "unset it: CODEX_HOME for Codex, CLAUDE_CONFIG_DIR for Claude Code".to_owned(),
            ),
            Self::NotAbsolute => (
                format!(
                    "`{}` is not absolute: the client resolves it in the folder in which it is started, and does not expand `~`",
                    // a secret may have been set in its place
                    redact(&folder.to_string())
                ),
                "set an absolute path: in CODEX_HOME for Codex, in CLAUDE_CONFIG_DIR for Claude Code"
                    .to_owned(),
            ),
            Self::TooLarge(limit) => (
                format!("`{path}` is larger than {} MiB", limit >> 20),
                format!("move it away: `mv {word} {word}.away`"),
            ),
            Self::Lock(lock, obstacle) => obstacle.explain(lock),
            Self::Io(error) => (format!("cannot use `{path}`: {error}"), fix_for(error).to_owned()),
        }
    }
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether the receipt can name the place, for every program and folder.
pub fn check_path(path: &Path) -> Result<(), Obstacle> {
    path.to_str().ok_or(Obstacle::NotUtf8)?;
    if path.is_absolute() { Ok(()) } else { Err(Obstacle::NotAbsolute) }
}

pub fn check_file(metadata: &fs::Metadata, kind: Kind) -> Result<(), Obstacle> {
    let what = metadata.file_type();
    if what.is_symlink() {
        return Err(Obstacle::Symlink);
    }
    if !what.is_file() {
        return Err(Obstacle::NotRegular(match () {
            () if what.is_dir() => "a directory",
            () if what.is_fifo() => "a FIFO",
            () if what.is_socket() => "a socket",
            () => "a device",
        }));
    }
    if kind == Kind::Secret && metadata.nlink() > 1 {
        return Err(Obstacle::HardLink);
    }
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    let is_owner_wrong = match kind {
        Kind::Secret => owner != user,
        // what it says is done: another user's receipt would have files removed and written
        Kind::Own => !is_trusted_owner(owner, user, is_unmapped(owner)),
        Kind::Shared => false,
    };
    if is_owner_wrong {
        return Err(Obstacle::OtherOwner(owner));
    }
    Ok(())
}

/// The folder in which a secret will lie: nobody else may be able to swap the file, or to commit
/// it.
pub fn check_folder(path: &Path) -> Result<(), Obstacle> {
    static CHECKED: Mutex<Vec<CheckedFolder>> = Mutex::new(Vec::new());
    let folder = path.parent().unwrap_or(path);
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut known = checked.iter_mut().filter(|known| known.path == folder);
    if known.any(|known| known.at.elapsed() < RECENT || known.is_as_it_was()) {
        return Ok(());
    }
    checked.retain(|known| known.path != folder);
    let seen = CheckedFolder::look(folder);
    check_folder_afresh(path)?;
    checked.extend(seen);
    Ok(())
}

/// A folder in which a secret may lie, and all on which that depends: itself, the folders above it,
/// and those above the place to which links lead.
struct CheckedFolder {
    path: PathBuf,
    seen: Vec<(PathBuf, FolderStamp)>,
    /// When it was looked at last.
    at: Instant,
}

/// Between a look at a folder and the opening of a file in it such a time may pass in any case: of
/// many files that are read one after the other, the folder is not looked at for each.
const RECENT: Duration = Duration::from_millis(5);

/// What stat(2) says of a folder. Neither its access control list nor what is in it changes without
/// its ctime.
#[derive(PartialEq, Eq)]
struct FolderStamp {
    numbers: [u64; 5],
    ctime: Duration,
}

/// Two changes within one tick of the kernel's clock have the same time.
const TICK: Duration = Duration::from_millis(50);

impl CheckedFolder {
    /// `None`: a later change might not be seen.
    fn look(folder: &Path) -> Option<Self> {
        let at = Instant::now();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let real = fs::canonicalize(folder).ok()?;
        let linked = (real != folder).then(|| folder.ancestors());
        let all: BTreeSet<_> = real.ancestors().chain(linked.into_iter().flatten()).collect();
        let stamp = |path: &Path| {
            let stamp = Self::stamp(path).filter(|stamp| stamp.ctime + TICK < now)?;
            // what is in there makes it a work tree
            let may_become_work_tree = fs::symlink_metadata(path.join(".git")).is_ok();
            (!may_become_work_tree).then(|| (path.to_owned(), stamp))
        };
        let seen = all.into_iter().map(stamp).collect::<Option<_>>()?;
        Some(Self { path: folder.to_owned(), seen, at })
    }

    fn is_as_it_was(&mut self) -> bool {
        self.at = Instant::now();
        self.seen.iter().all(|(path, stamp)| Self::stamp(path).as_ref() == Some(stamp))
    }

    fn stamp(path: &Path) -> Option<FolderStamp> {
        let it = fs::metadata(path).ok()?;
        let numbers = [it.dev(), it.ino(), it.mode().into(), it.uid().into(), it.gid().into()];
        let seconds = Duration::from_secs(it.ctime().try_into().ok()?);
        let ctime = seconds + Duration::from_nanos(it.ctime_nsec().try_into().ok()?);
        Some(FolderStamp { numbers, ctime })
    }
}

fn check_folder_afresh(path: &Path) -> Result<(), Obstacle> {
    let folder = existing_ancestor(path)?;
    let metadata = fs::metadata(&folder)?;
    let uid = geteuid().as_raw();
    if metadata.uid() != uid && metadata.uid() != 0 {
        return Err(Obstacle::FolderNotOurs { folder, uid: metadata.uid() });
    }
    if let Some(obstacle) = open(&folder, &metadata)? {
        return Err(obstacle);
    }
    check_ancestors(&folder)?;
    match folder.ancestors().find(|folder| is_work_tree(folder)) {
        Some(top) => Err(Obstacle::WorkTree(top.to_owned())),
        None => Ok(()),
    }
}

/// The folders above one in which secrets or programs of ours are, or are to be: whoever can rename
/// one of them can put another in its place.
pub fn check_ancestors(folder: &Path) -> Result<(), Obstacle> {
    let real = existing_ancestor(&folder.join("file"))?;
    for folder in real.ancestors().skip(usize::from(folder.exists())) {
        let metadata = check_owner(folder)?;
        // with the sticky bit, as in `/tmp`, everybody can rename only what is his own
        let is_sticky = metadata.mode() & 0o1000 != 0;
        if let Some(obstacle) = open(folder, &metadata)?.filter(|_| !is_sticky) {
            return Err(obstacle);
        }
    }
    Ok(())
}

/// The folder of our own files, and those above it: nobody else put it there, or can.
pub fn check_own_folder(folder: &Path) -> Result<(), Obstacle> {
    check_owner(folder)?;
    check_ancestors(folder)
}

fn check_owner(folder: &Path) -> Result<fs::Metadata, Obstacle> {
    let metadata = fs::metadata(folder)?;
    let uid = metadata.uid();
    if is_trusted_owner(uid, geteuid().as_raw(), is_unmapped(uid)) {
        Ok(metadata)
    } else {
        Err(Obstacle::FolderOfOther { folder: folder.to_owned(), uid })
    }
}

/// Root and this user; and whoever has no id here, as root of the host in a user namespace.
fn is_trusted_owner(owner: u32, user: u32, unmapped: bool) -> bool {
    owner == user || owner == 0 || unmapped
}

/// Whether the uid is that of all who have no id in this user namespace (user_namespaces(7)). That
/// does not change while a process runs.
fn is_unmapped(uid: u32) -> bool {
    static UNMAPPED: OnceLock<Option<u32>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "the kernel's files of a few lines")]
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let unmapped = UNMAPPED.get_or_init(|| {
        let overflow = read("/proc/sys/kernel/overflowuid").trim().parse().ok()?;
        (!is_mapped(&read("/proc/self/uid_map"), overflow)).then_some(overflow)
    });
    *unmapped == Some(uid)
}

/// Whether a line `INSIDE OUTSIDE COUNT` of a uid_map includes the uid.
fn is_mapped(uid_map: &str, uid: u32) -> bool {
    uid_map.lines().any(|line| {
        let numbers: Vec<u32> = line.split_whitespace().flat_map(str::parse).collect();
        matches!(numbers[..], [first, _, count] if uid >= first && uid - first < count)
    })
}

/// The kind of thing at `path`, symlinks followed, if it is not a regular file.
pub fn not_a_file(path: &Path) -> Option<&'static str> {
    match check_file(&fs::metadata(path).ok()?, Kind::Shared) {
        Err(Obstacle::NotRegular(what)) => Some(what),
        _ => None,
    }
}

/// Whether others than its owner and the own group may write a folder.
pub fn open(folder: &Path, metadata: &fs::Metadata) -> io::Result<Option<Obstacle>> {
    let acl = Acl::of(folder)?;
    let open = Writers::of(metadata, acl.as_ref()) == Writers::Others;
    Ok(open.then(|| Obstacle::OpenFolder {
        folder: folder.to_owned(),
        mode: metadata.mode() & 0o7777,
        ours: is_to_be_closed(metadata.uid(), geteuid().as_raw(), metadata.mode()),
        acl: acl.is_some(),
    }))
}

/// Whether an open folder is this user's alone; root's with the sticky bit, as `/tmp`, is
/// everybody's by intent.
fn is_to_be_closed(owner: u32, user: u32, mode: u32) -> bool {
    owner == user && !(owner == 0 && mode & 0o1000 != 0)
}

/// Who may write a folder in addition to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    Nobody,
    OwnGroup,
    Others,
}

impl Writers {
    fn of(metadata: &fs::Metadata, acl: Option<&Acl>) -> Self {
        let groups = Groups::of_process();
        let is_trusted = |named: &AclSubject| match *named {
            AclSubject::User(uid) => [0, metadata.uid(), geteuid().as_raw()].contains(&uid),
            AclSubject::Group(gid) => groups.contains(gid),
        };
        let group_writes = acl.map_or(metadata.mode() & 0o020 != 0, |acl| acl.group_writes);
        let others = acl.is_some_and(|acl| !acl.writers.iter().all(is_trusted));
        Self::judge(metadata.mode(), group_writes, groups.contains(metadata.gid()), others)
    }

    /// A group that is the process's own is allowed: Coder on Kubernetes sets `fs_group`. `named`:
    /// an access control list lets somebody else write.
    fn judge(mode: u32, group_writes: bool, own_group: bool, named: bool) -> Self {
        match (mode & 0o002 != 0 || named, group_writes) {
            (false, false) => Self::Nobody,
            (false, true) if own_group => Self::OwnGroup,
            _ => Self::Others,
        }
    }
}

/// Whether the folder at `path` is this user's to live in.
pub fn is_own_folder(path: &Path, metadata: &fs::Metadata) -> bool {
    Acl::of(path).is_ok_and(|acl| {
        is_own(metadata.uid(), geteuid().as_raw(), Writers::of(metadata, acl.as_ref()))
    })
}

/// `fs_group` gives the root of a volume a group, and leaves it root's.
fn is_own(owner: u32, user: u32, writers: Writers) -> bool {
    owner == user || owner == 0 && writers == Writers::OwnGroup
}

/// The groups of this process.
struct Groups {
    gids: Vec<u32>,
    /// In a user namespace, every group that it does not map has this one number, be it the
    /// process's own or not (user_namespaces(7)).
    unmapped: Option<u32>,
}

impl Groups {
    /// They do not change while it runs.
    fn of_process() -> &'static Self {
        static GROUPS: OnceLock<Groups> = OnceLock::new();
        GROUPS.get_or_init(Self::ask)
    }

    fn ask() -> Self {
        let mut gids = vec![getegid().as_raw()];
        gids.extend(getgroups().unwrap_or_default().iter().map(|group| group.as_raw()));
        #[expect(clippy::disallowed_methods, reason = "the kernel's files of a few lines")]
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let overflow = read("/proc/sys/kernel/overflowgid").trim().parse().ok();
        let unmapped = if maps_every_group(&read("/proc/self/gid_map")) {
            None
        } else {
            overflow.or(Some(DEFAULT_OVERFLOW_GID))
        };
        Self { gids, unmapped }
    }

    fn contains(&self, gid: u32) -> bool {
        self.gids.contains(&gid) && self.unmapped != Some(gid)
    }
}

/// linux/highuid.h: DEFAULT_OVERFLOWGID.
const DEFAULT_OVERFLOW_GID: u32 = 65534;

/// Whether a `gid_map` is that of the initial user namespace, in which every group has its number.
fn maps_every_group(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn is_work_tree(folder: &Path) -> bool {
    let git = folder.join(".git");
    fs::symlink_metadata(&git).is_ok_and(|metadata| metadata.is_file()) || git.join("HEAD").exists()
}

/// The nearest folder above `path` that exists, with every symlink resolved.
fn existing_ancestor(path: &Path) -> io::Result<PathBuf> {
    for folder in path.ancestors().skip(1) {
        match fs::canonicalize(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_tmp_is_not_suggested() {
        for (owner, user, mode, closed) in [
            (1000, 1000, 0o777, true),
            (1000, 1000, 0o1777, true),
            (0, 0, 0o777, true),
            (0, 0, 0o1777, false),
            (0, 1000, 0o1777, false),
            (1001, 1000, 0o777, false),
        ] {
            assert_eq!(is_to_be_closed(owner, user, mode), closed, "{owner} {user} {mode:o}");
        }
    }

    #[test]
    fn a_folder_above_belongs_to_root_or_this_user() {
        for (owner, unmapped, trusted) in [
            (1000, false, true),
            (0, false, true),
            (1001, false, false),
            (65534, false, false),
            (65534, true, true),
        ] {
            assert_eq!(is_trusted_owner(owner, 1000, unmapped), trusted, "{owner} {unmapped}");
        }
        let map = "         0          0 4294967295\n";
        assert!(is_mapped(map, 65534) && is_mapped("1000 0 1\n0 1 2\n", 1000));
        assert!(!is_mapped("1000 0 1\n0 100000 1000\n", 65534) && !is_mapped("", 0));
    }

    #[test]
    fn a_place_is_named_by_its_whole_path() {
        for path in ["~/.codex/auth.json", "~", "~dev/x", ".", "agents/codex", ""] {
            assert!(matches!(check_path(Path::new(path)), Err(Obstacle::NotAbsolute)), "{path}");
        }
        assert!(check_path(Path::new("/home/coder/~/auth.json")).is_ok());
    }

    #[test]
    fn a_folder_of_root_is_the_users_where_the_own_group_alone_may_write_it() {
        for (owner, mode, own_group, own) in [
            (1000, 0o700, false, true),
            (0, 0o2775, true, true),
            (0, 0o2770, true, true),
            (0, 0o2775, false, false),
            (0, 0o755, true, false),
            (0, 0o2777, true, false),
            (65534, 0o2775, true, false),
            (1001, 0o2775, true, false),
        ] {
            let writers = Writers::judge(mode, mode & 0o020 != 0, own_group, false);
            assert_eq!(
                is_own(owner, 1000, writers),
                own,
                "{owner} {mode:04o} {own_group} {writers:?}"
            );
        }
    }

    fn mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder that was checked is checked again where anything has changed on which that depends.
    #[test]
    fn a_folder_that_was_checked_is_known_until_something_changes() {
        type Change = fn(&Path);
        let changes: &[(&str, bool, Change)] = &[
            ("nothing", true, |_| ()),
            ("a file elsewhere", true, |top| fs::write(top.join("beside/x"), "").unwrap()),
            ("its mode", false, |top| mode(&top.join("a/keys"), 0o777)),
            ("the mode of a folder above", false, |top| mode(&top.join("a"), 0o777)),
            ("a work tree above", false, |top| {
                fs::create_dir(top.join(".git")).unwrap();
                fs::write(top.join(".git/HEAD"), "").unwrap();
            }),
            ("another folder", false, |top| {
                fs::rename(top.join("a/keys"), top.join("a/old")).unwrap();
                fs::create_dir(top.join("a/keys")).unwrap();
            }),
            ("another place of a link above", false, |top| {
                fs::remove_file(top.join("link")).unwrap();
                std::os::unix::fs::symlink("beside", top.join("link")).unwrap();
            }),
            ("an access control list", false, |top| {
                const NONE: u32 = u32::MAX;
                let list = [
                    (0x01, 7, NONE),
                    (0x02, 7, 4_000_000),
                    (0x04, 5, NONE),
                    (0x10, 7, NONE),
                    (0x20, 5, NONE),
                ];
                super::super::attributes::tests::set_acl(&top.join("a"), &list);
            }),
        ];
        for (what, is_known, change) in changes {
            let top = tempfile::tempdir().unwrap();
            let top = top.path();
            for folder in ["a/keys", "beside/keys"] {
                fs::create_dir_all(top.join(folder)).unwrap();
            }
            std::os::unix::fs::symlink("a", top.join("link")).unwrap();
            let folder = top.join("link/keys");
            // just made: a change in the same tick would not be seen
            assert!(CheckedFolder::look(&folder).is_none(), "{what}");
            let mut known = loop {
                if let Some(known) = CheckedFolder::look(&folder) {
                    break known;
                }
            };
            change(top);
            assert_eq!(known.is_as_it_was(), *is_known, "{what}");
        }
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join(".git")).unwrap();
        let end = std::time::Instant::now() + 2 * TICK;
        while std::time::Instant::now() < end {
            assert!(CheckedFolder::look(top.path()).is_none());
        }
    }

    #[test]
    fn a_group_that_is_not_mapped_is_not_an_own_group() {
        assert!(maps_every_group("         0          0 4294967295\n"));
        for map in ["", "0 100000 65536\n", "1000 1000 1\n", "0 0 65536\n65536 100000 1\n"] {
            assert!(!maps_every_group(map), "{map:?}");
        }
        let groups = |unmapped| Groups { gids: vec![1000, 65534], unmapped };
        assert!(groups(None).contains(1000) && groups(None).contains(65534));
        assert!(groups(Some(65534)).contains(1000) && !groups(Some(65534)).contains(65534));
    }

    #[test]
    fn an_access_control_list_names_who_may_write_a_folder() {
        const NONE: u32 = u32::MAX;
        let user = geteuid().as_raw();
        let own = getegid().as_raw();
        for (name, entry, group, mask, writers) in [
            ("a named user", (0x02, 7, 4_000_000), 5, 7, Writers::Others),
            ("a named user without write access", (0x02, 5, 4_000_000), 5, 7, Writers::Nobody),
            ("a named user that the mask limits", (0x02, 7, 4_000_000), 5, 5, Writers::Nobody),
            ("this user", (0x02, 7, user), 5, 7, Writers::Nobody),
            ("a named group", (0x08, 7, 4_000_000), 5, 7, Writers::Others),
            ("an own group, by name", (0x08, 7, own), 5, 7, Writers::Nobody),
            ("the own group", (0x02, 5, 4_000_000), 7, 7, Writers::OwnGroup),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let entries =
                [(0x01, 7, NONE), (0x04, group, NONE), (0x10, mask, NONE), (0x20, 5, NONE), entry];
            let mut entries = entries.to_vec();
            entries.sort_by_key(|(tag, ..)| *tag);
            super::super::attributes::tests::set_acl(folder.path(), &entries);
            let metadata = fs::metadata(folder.path()).unwrap();
            let acl = Acl::of(folder.path()).unwrap();
            assert_eq!(Writers::of(&metadata, acl.as_ref()), writers, "{name}");
        }
    }
}
