//! The git folder around the current folder, found by reading files alone: where git refuses to
//! work, this shows why.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::git::is_object_id;
use crate::resource::file;

/// Where the parts of a clone are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The work tree, or the git folder itself where the current folder is in it.
    pub top: PathBuf,
    /// HEAD and the index; of a linked worktree, its own folder below the clone's.
    pub git: PathBuf,
    /// Objects, refs and configuration.
    pub common: PathBuf,
    pub defect: Option<Defect>,
}

/// Why git does not accept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// `.git` is a file that names a folder which is not there.
    GitFolderGone,
    /// `.git` is a file that names no folder.
    GitFile,
    /// This user cannot read the git folder.
    Unreadable,
    /// The current folder is in a git folder: of a clone, or a bare repository.
    NoWorkTree,
    /// The worktree's folder names a clone that is not there.
    CommonFolderGone,
    /// There is no HEAD, or it names no branch and no commit.
    Head,
}

impl Layout {
    /// The one around the folder. An empty folder `.git` is none. git ignores one that it cannot
    /// read and a link to none, where another is around it.
    pub fn around(folder: &Path) -> Option<Self> {
        let found = || folder.ancestors().filter_map(Self::at);
        let is_ignored = |layout: &Self| match layout.defect {
            Some(Defect::Unreadable) => true,
            Some(Defect::GitFolderGone) => layout.top.join(".git").is_symlink(),
            _ => false,
        };
        found().find(|layout| !is_ignored(layout)).or_else(|| found().next())
    }

    /// The one that variables name for a folder that is in no clone: git asks for no `.git` then.
    pub fn named(folder: &Path, git_dir: &Path, work_tree: Option<&Path>) -> Option<Self> {
        let git = named_by(&folder.join(git_dir))?;
        let top = folder.join(work_tree.unwrap_or(folder));
        (git.is_dir() && top.is_dir()).then(|| Self::of(&top, git))
    }

    /// The one of this very folder.
    pub fn at(top: &Path) -> Option<Self> {
        let inner = top.join(".git");
        let Ok(metadata) = inner.metadata() else {
            let gone = |target| Self::with(top, &top.join(target), Defect::GitFolderGone);
            return inner.read_link().ok().map(gone).or_else(|| Self::of_own_folder(top));
        };
        if metadata.is_dir() {
            if access(&inner, Access::EXEC_OK).is_err() {
                return Some(Self::with(top, &inner, Defect::Unreadable));
            }
            let is_one = ["objects", "config", "HEAD"].iter().any(|part| inner.join(part).exists());
            return if is_one { Some(Self::of(top, inner)) } else { Self::of_own_folder(top) };
        }
        if !metadata.is_file() {
            return None;
        }
        match named_by(&inner) {
            Some(git) => Some(Self::of(top, git)),
            None => Some(Self::with(top, &inner, Defect::GitFile)),
        }
    }

    fn of(top: &Path, git: PathBuf) -> Self {
        let common = line(&git.join("commondir"))
            .map_or_else(|| git.clone(), |common| normal(git.join(common)));
        let defect = match () {
            () if !git.is_dir() => Some(Defect::GitFolderGone),
            () if !common.is_dir() => Some(Defect::CommonFolderGone),
            () if access(git.join("HEAD"), Access::READ_OK) == Err(Errno::ACCESS) => {
                Some(Defect::Unreadable)
            }
            () if !is_head(&git.join("HEAD")) => Some(Defect::Head),
            () => None,
        };
        Self { top: top.to_owned(), git, common, defect }
    }

    fn with(top: &Path, git: &Path, defect: Defect) -> Self {
        let git = git.to_owned();
        Self { top: top.to_owned(), common: git.clone(), git, defect: Some(defect) }
    }

    /// The folder itself, where git takes it for a git folder: HEAD, objects and refs, its own or
    /// those of the clone that it is a worktree of.
    fn of_own_folder(folder: &Path) -> Option<Self> {
        is_git_folder(folder).then(|| Self::with(folder, folder, Defect::NoWorkTree))
    }

    /// A git folder that was found in a search: it may be a submodule's, or a bare repository.
    pub fn of_git_folder(top: &Path, git: &Path) -> Self {
        Self::of(top, git.to_owned())
    }

    /// The branch of HEAD: `refs/heads/main`.
    pub fn branch(&self) -> Option<String> {
        self.branches().pop()
    }

    /// The branch that HEAD names. Where that one names another, this follows, and is the one that
    /// git works on.
    pub fn branches(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut at = self.git.join("HEAD");
        while let Some(name) = named_ref(&at).filter(|_| names.len() < SYMBOLIC_REFS) {
            at = self.common.join(&name);
            names.push(name);
        }
        names
    }
}

/// More refs that name another one are not followed (git's refs.c, SYMREF_MAXDEPTH).
pub const SYMBOLIC_REFS: usize = 5;

/// The ref that a symbolic ref names; in old clones that is a link.
fn named_ref(path: &Path) -> Option<String> {
    let target = path.read_link().ok().and_then(|target| Some(target.to_str()?.to_owned()));
    let linked = target.filter(|name| name.starts_with("refs/"));
    linked.or_else(|| Some(line(path)?.strip_prefix("ref:")?.trim().to_owned()))
}

/// The git folder that GIT_DIR may name by this path. `None`: git takes it for none.
pub fn git_folder(path: &Path) -> Option<PathBuf> {
    named_by(path).filter(|git| is_git_folder(git))
}

/// The folder that a file `.git` names, or the path itself.
fn named_by(path: &Path) -> Option<PathBuf> {
    if !path.is_file() {
        return Some(path.to_owned());
    }
    let git = line(path)?.strip_prefix("gitdir: ").map(PathBuf::from)?;
    Some(path.parent()?.join(git))
}

fn is_git_folder(folder: &Path) -> bool {
    is_head(&folder.join("HEAD"))
        && (folder.join("commondir").is_file()
            || ["objects", "refs"].iter().all(|part| folder.join(part).is_dir()))
}

/// `/clone/.git/worktrees/wt/../..` is `/clone/.git`.
fn normal(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// What one of git's files of one line has. `None`: it is empty, or longer than any name of a ref or
/// a file.
fn line(path: &Path) -> Option<String> {
    const LONGEST: usize = 4096;
    let head = file::head(path, LONGEST as u64 + 1).ok()?;
    let text = String::from_utf8_lossy(&head);
    (1..=LONGEST).contains(&head.len()).then(|| text.trim_end().to_owned())
}

fn is_head(path: &Path) -> bool {
    // an unborn branch's HEAD may be a symbolic link
    if path.read_link().is_ok_and(|target| target.starts_with("refs")) {
        return true;
    }
    line(path).is_some_and(|head| match head.strip_prefix("ref:") {
        Some(name) => name.trim().starts_with("refs/"),
        None => is_object_id(head),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_parts_of_a_clone_are_found_without_git() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, content: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("app/.git/HEAD", "ref: refs/heads/main\n");
        fs::create_dir_all(root.join("app/.git/objects")).unwrap();
        fs::create_dir_all(root.join("app/.git/refs")).unwrap();
        write("app/.git/worktrees/wt/HEAD", "ref: refs/heads/wt\n");
        write("app/.git/worktrees/wt/commondir", "../..\n");
        write("app/src/f", "");
        write("wt/.git", &format!("gitdir: {}\n", root.join("app/.git/worktrees/wt").display()));
        write("gone/.git", "gitdir: /nowhere/.git/worktrees/x\n");
        write("headless/.git/config", "");
        write("detached/.git/HEAD", "0123456789012345678901234567890123456789\n");
        write("odd/.git/HEAD", "main\n");
        write("long/.git/HEAD", &format!("ref: refs/heads/{}b\n", "a/".repeat(500_000)));
        write("alias/.git/HEAD", "ref: refs/heads/main\n");
        write("alias/.git/config", "");
        write("alias/.git/refs/heads/main", "ref: refs/heads/real\n");
        write("bare.git/HEAD", "ref: refs/heads/main\n");
        write("bare.git/objects/x", "");
        write("bare.git/refs/x", "");
        write("file/.git", "");
        fs::create_dir_all(root.join("dangling")).unwrap();
        std::os::unix::fs::symlink("/nowhere", root.join("dangling/.git")).unwrap();
        fs::create_dir_all(root.join("empty/.git")).unwrap();
        let found = |path: &str| {
            let layout = Layout::around(&root.join(path))?;
            let shown = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_owned();
            Some((shown(&layout.git), shown(&layout.common), layout.branch(), layout.defect))
        };
        let path = PathBuf::from;
        for (at, git, common, branch, defect) in [
            ("app/src", "app/.git", "app/.git", Some("refs/heads/main"), None),
            ("wt", "app/.git/worktrees/wt", "app/.git", Some("refs/heads/wt"), None),
            (
                "gone",
                "/nowhere/.git/worktrees/x",
                "/nowhere/.git/worktrees/x",
                None,
                Some(Defect::GitFolderGone),
            ),
            ("headless", "headless/.git", "headless/.git", None, Some(Defect::Head)),
            ("detached", "detached/.git", "detached/.git", None, None),
            ("alias", "alias/.git", "alias/.git", Some("refs/heads/real"), None),
            ("odd", "odd/.git", "odd/.git", None, Some(Defect::Head)),
            ("long", "long/.git", "long/.git", None, Some(Defect::Head)),
            ("file", "file/.git", "file/.git", None, Some(Defect::GitFile)),
            ("dangling", "/nowhere", "/nowhere", None, Some(Defect::GitFolderGone)),
            ("app/.git", "app/.git", "app/.git", Some("refs/heads/main"), Some(Defect::NoWorkTree)),
            (
                "bare.git/objects",
                "bare.git",
                "bare.git",
                Some("refs/heads/main"),
                Some(Defect::NoWorkTree),
            ),
        ] {
            let expected = (path(git), path(common), branch.map(str::to_owned), defect);
            assert_eq!(found(at), Some(expected), "{at}");
        }
        assert_eq!(found("empty"), None);
    }
}
