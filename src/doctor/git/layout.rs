//! The git folder around the current folder, found by reading files alone: where git refuses to
//! work, this shows why.

use std::path::{Path, PathBuf};

use crate::resource::file;

/// Where the parts of a clone are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The work tree.
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
    /// The worktree's folder names a clone that is not there.
    CommonFolderGone,
    /// There is no HEAD, or it names no branch and no commit.
    Head,
}

impl Layout {
    /// The one around the folder. An empty folder `.git` is none.
    pub fn around(folder: &Path) -> Option<Self> {
        folder.ancestors().find_map(Self::at)
    }

    fn at(top: &Path) -> Option<Self> {
        let inner = top.join(".git");
        let metadata = inner.metadata().ok()?;
        let git = if metadata.is_dir() {
            let is_one = ["objects", "config", "HEAD"].iter().any(|part| inner.join(part).exists());
            is_one.then(|| inner.clone())?
        } else {
            top.join(line(&inner)?.strip_prefix("gitdir: ")?)
        };
        let common = line(&git.join("commondir"))
            .map_or_else(|| git.clone(), |common| normal(git.join(common)));
        let defect = match () {
            () if !git.is_dir() => Some(Defect::GitFolderGone),
            () if !common.is_dir() => Some(Defect::CommonFolderGone),
            () if !is_head(&git.join("HEAD")) => Some(Defect::Head),
            () => None,
        };
        Some(Self { top: top.to_owned(), git, common, defect })
    }

    /// A git folder that was found in a search: it may be a submodule's, or a bare repository.
    pub fn of_git_folder(top: &Path, git: &Path) -> Self {
        let defect = (!is_head(&git.join("HEAD"))).then_some(Defect::Head);
        Self { top: top.to_owned(), git: git.to_owned(), common: git.to_owned(), defect }
    }

    /// The branch that HEAD names: `refs/heads/main`.
    pub fn branch(&self) -> Option<String> {
        let head = self.git.join("HEAD");
        if let Ok(target) = head.read_link() {
            return Some(target.to_str()?.to_owned()).filter(|name| name.starts_with("refs/"));
        }
        Some(line(&head)?.strip_prefix("ref:")?.trim().to_owned())
    }
}

/// `/clone/.git/worktrees/wt/../..` is `/clone/.git`.
fn normal(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

fn line(path: &Path) -> Option<String> {
    let text = file::text(path);
    (!text.is_empty()).then(|| text.trim_end().to_owned())
}

fn is_head(path: &Path) -> bool {
    // an unborn branch's HEAD may be a symbolic link
    if path.read_link().is_ok_and(|target| target.starts_with("refs")) {
        return true;
    }
    line(path).is_some_and(|head| match head.strip_prefix("ref:") {
        Some(name) => name.trim().starts_with("refs/"),
        None => matches!(head.len(), 40 | 64) && head.bytes().all(|b| b.is_ascii_hexdigit()),
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
        write("app/.git/worktrees/wt/HEAD", "ref: refs/heads/wt\n");
        write("app/.git/worktrees/wt/commondir", "../..\n");
        write("app/src/f", "");
        write("wt/.git", &format!("gitdir: {}\n", root.join("app/.git/worktrees/wt").display()));
        write("gone/.git", "gitdir: /nowhere/.git/worktrees/x\n");
        write("headless/.git/config", "");
        write("detached/.git/HEAD", "0123456789012345678901234567890123456789\n");
        write("odd/.git/HEAD", "main\n");
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
            ("odd", "odd/.git", "odd/.git", None, Some(Defect::Head)),
        ] {
            let expected = (path(git), path(common), branch.map(str::to_owned), defect);
            assert_eq!(found(at), Some(expected), "{at}");
        }
        assert_eq!(found("empty"), None);
    }
}
