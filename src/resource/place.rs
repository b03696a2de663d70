//! A file's place: whether it can be used, and whether a secret is safe there.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid, getgroups};
use serde::{Deserialize, Serialize};

use crate::error::{cure, shell};

/// Nothing that we read whole is larger, our own binary included.
pub const READ_CAP: u64 = 256 * 1024 * 1024;

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
    /// The kind of thing that stands there: `a directory`, `a FIFO` ...
    NotRegular(&'static str),
    HardLink,
    OtherOwner(u32),
    /// Others could swap the file in this folder.
    OpenFolder {
        folder: PathBuf,
        mode: u32,
        /// It belongs to this user, for no other's use.
        ours: bool,
    },
    WorkTree(PathBuf),
    /// The receipt, which is JSON, could not name the place.
    NotUtf8,
    /// Its place depends on the folder in which a program is started.
    NotAbsolute,
    TooLarge,
    /// What stands where the lock of the file is to be.
    Lock(PathBuf, Box<Self>),
    Io(io::Error),
}

impl Obstacle {
    /// What is wrong, and the cure.
    pub fn explain(&self, path: &Path) -> (String, String) {
        let word = shell(path);
        let folder = path.parent().unwrap_or(path).display();
        let path = path.display();
        match self {
            Self::Symlink => (
                format!("`{path}` is a symlink, and a secret is never written through one"),
                format!("remove the link: `rm {word}`"),
            ),
            Self::NotRegular(what) => {
                (format!("{what} stands at `{path}`"), format!("move it away: `mv {word} {word}.away`"))
            }
            Self::HardLink => (
                format!("`{path}` has a second name (hard link), so its content would be seen elsewhere"),
                format!("remove it: `rm {word}`"),
            ),
            Self::OtherOwner(uid) => (
                format!("`{path}` belongs to uid {uid}"),
                format!("give it to the workspace user: `sudo chown {} {word}`", geteuid().as_raw()),
            ),
            Self::OpenFolder { folder, mode, ours } => (
                format!("`{}` has mode {mode:04o}, so other users could swap `{path}`", folder.display()),
                if *ours {
                    format!("close it: `chmod go-w {}`", shell(folder))
                } else {
                    "name a folder of your own (CODEX_HOME, CLAUDE_CONFIG_DIR and XDG_STATE_HOME do)".to_owned()
                },
            ),
            Self::WorkTree(top) => (
                format!("`{path}` lies inside the git work tree `{}`, from which it could be pushed", top.display()),
                "keep that folder out of the work tree (CODEX_HOME, CLAUDE_CONFIG_DIR and XDG_STATE_HOME move it)"
                    .to_owned(),
            ),
            Self::NotUtf8 => (
                format!("the path `{path}` is not UTF-8, so the receipt could not tell how to undo what is written there"),
                "name another place, whose path is UTF-8 (CODEX_HOME, CLAUDE_CONFIG_DIR, XDG_STATE_HOME or HOME)"
                    .to_owned(),
            ),
            Self::NotAbsolute if folder.to_string().trim().is_empty() => (
                "the variable that names the folder is set and blank, which the client takes for a name".to_owned(),
                "unset it: CODEX_HOME for Codex, CLAUDE_CONFIG_DIR for Claude Code".to_owned(),
            ),
            Self::NotAbsolute => (
                format!(
                    "`{folder}` is not absolute: the client takes it from the folder in which it is started, and expands no `~`"
                ),
                "name the folder from `/` on: in CODEX_HOME for Codex, in CLAUDE_CONFIG_DIR for Claude Code"
                    .to_owned(),
            ),
            Self::TooLarge => (
                format!("`{path}` is larger than {} MiB", READ_CAP >> 20),
                format!("move it away: `mv {word} {word}.away`"),
            ),
            Self::Lock(lock, obstacle) => obstacle.explain(lock),
            Self::Io(error) => (format!("cannot use `{path}`: {error}"), cure(error).to_owned()),
        }
    }
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether the receipt can name the place, for every program and folder.
pub fn named(path: &Path) -> Result<(), Obstacle> {
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
    if kind == Kind::Secret && metadata.uid() != geteuid().as_raw() {
        return Err(Obstacle::OtherOwner(metadata.uid()));
    }
    Ok(())
}

/// The folder in which a secret will lie: nobody else may be able to swap the file, or to commit
/// it.
pub fn check_folder(path: &Path) -> Result<(), Obstacle> {
    let folder = existing_ancestor(path)?;
    let metadata = fs::metadata(&folder)?;
    let uid = geteuid().as_raw();
    if metadata.uid() != uid && metadata.uid() != 0 {
        return Err(Obstacle::OtherOwner(metadata.uid()));
    }
    if let Some(obstacle) = open(&folder, &metadata) {
        return Err(obstacle);
    }
    match folder.ancestors().find(|folder| is_work_tree(folder)) {
        Some(top) => Err(Obstacle::WorkTree(top.to_owned())),
        None => Ok(()),
    }
}

/// What stands at a path, links followed, if it is something else than a file.
pub fn standing(path: &Path) -> Option<&'static str> {
    match check_file(&fs::metadata(path).ok()?, Kind::Shared) {
        Err(Obstacle::NotRegular(what)) => Some(what),
        _ => None,
    }
}

/// Whether others than its owner and the own group may write a folder.
pub fn open(folder: &Path, metadata: &fs::Metadata) -> Option<Obstacle> {
    (Writers::of(metadata) == Writers::Others).then(|| Obstacle::OpenFolder {
        folder: folder.to_owned(),
        mode: metadata.mode() & 0o7777,
        ours: is_to_be_closed(metadata.uid(), geteuid().as_raw(), metadata.mode()),
    })
}

/// Whether an open folder is this user's alone; root's with the sticky bit, as `/tmp`, is
/// everybody's by intent.
fn is_to_be_closed(owner: u32, user: u32, mode: u32) -> bool {
    owner == user && !(owner == 0 && mode & 0o1000 != 0)
}

/// Who may write a folder besides its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    Nobody,
    OwnGroup,
    Others,
}

impl Writers {
    fn of(metadata: &fs::Metadata) -> Self {
        Self::judge(metadata.mode(), own_group(metadata.gid()))
    }

    /// A group that is the process's own is allowed: Coder on Kubernetes sets `fs_group`.
    fn judge(mode: u32, own_group: bool) -> Self {
        match (mode & 0o002 != 0, mode & 0o020 != 0) {
            (false, false) => Self::Nobody,
            (false, true) if own_group => Self::OwnGroup,
            _ => Self::Others,
        }
    }
}

/// Whether a folder is this user's to live in.
pub fn is_own_folder(metadata: &fs::Metadata) -> bool {
    is_own(metadata.uid(), geteuid().as_raw(), Writers::of(metadata))
}

/// `fs_group` gives the root of a volume a group, and leaves it root's.
fn is_own(owner: u32, user: u32, writers: Writers) -> bool {
    owner == user || owner == 0 && writers == Writers::OwnGroup
}

fn own_group(gid: u32) -> bool {
    getegid().as_raw() == gid
        || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid))
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
    fn nobody_is_told_to_close_tmp() {
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
    fn a_place_is_named_by_its_whole_path() {
        for path in ["~/.codex/auth.json", "~", "~dev/x", ".", "agents/codex", ""] {
            assert!(matches!(named(Path::new(path)), Err(Obstacle::NotAbsolute)), "{path}");
        }
        assert!(named(Path::new("/home/coder/~/auth.json")).is_ok());
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
            let writers = Writers::judge(mode, own_group);
            assert_eq!(
                is_own(owner, 1000, writers),
                own,
                "{owner} {mode:04o} {own_group} {writers:?}"
            );
        }
    }
}
