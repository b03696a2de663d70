//! Variables of git's that another program left: they lead a commit into another repository, or
//! make every commit fail. Pure.

use std::path::{Path, PathBuf};

use super::layout::{self, Layout};
use crate::catalogue::{Code, Fix};
use crate::doctor::outcome::{Evidence, Judgement};

/// What the folders that the variables name look like.
pub trait Disk {
    fn is_folder(&self, path: &Path) -> bool;
    /// The git folder that a path means to git.
    fn git_folder(&self, path: &Path) -> Option<PathBuf>;
    fn canonical(&self, path: &Path) -> PathBuf;
}

/// The disk itself.
pub struct Real;

impl Disk for Real {
    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn git_folder(&self, path: &Path) -> Option<PathBuf> {
        layout::git_folder(path)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

/// The worst that the variables do to a commit from `folder`. `names_work_tree`: `core.worktree`
/// does.
pub fn judge(
    variable: impl Fn(&str) -> Option<PathBuf>,
    folder: &Path,
    layout: Option<&Layout>,
    names_work_tree: bool,
    disk: &impl Disk,
) -> Option<Judgement> {
    let path = |name| variable(name).map(|value| folder.join(value));
    if variable("GIT_QUARANTINE_PATH").is_some() {
        let summary = "GIT_QUARANTINE_PATH is left from a hook, so git updates no branch";
        return Some(unset("GIT_QUARANTINE_PATH", None, summary, Judgement::fail));
    }
    for name in ["GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        if variable(name).is_some_and(|value| value.as_os_str().is_empty()) {
            let summary = format!("{name} is set and empty, so no commit works");
            return Some(unset(name, None, &summary, Judgement::fail));
        }
    }
    for name in ["GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"] {
        if let Some(path) = path(name).filter(|path| !disk.is_folder(path)) {
            let summary = format!("{name} names a folder that does not exist, so no commit works");
            return Some(unset(name, Some(&path), &summary, Judgement::fail));
        }
    }
    if let Some(path) = path("GIT_DIR").filter(|path| disk.git_folder(path).is_none()) {
        let summary = "GIT_DIR names no git folder, so no commit works";
        return Some(unset("GIT_DIR", Some(&path), summary, Judgement::fail));
    }
    // git resolves it from the top of the work tree
    let top = layout.map_or(folder, |layout| &layout.top);
    let index = variable("GIT_INDEX_FILE").map(|value| top.join(value));
    if let Some(index) = &index
        && !index.parent().is_some_and(|parent| disk.is_folder(parent))
    {
        let summary = "GIT_INDEX_FILE is in a folder that does not exist, so nothing can be added";
        return Some(unset("GIT_INDEX_FILE", Some(index), summary, Judgement::fail));
    }
    let layout = layout?;
    let same = |a: &Path, b: &Path| disk.canonical(a) == disk.canonical(b);
    if let Some(path) = path("GIT_DIR")
        && let Some(git) = disk.git_folder(&path).filter(|git| !same(git, &layout.git))
    {
        let is_of_clone = disk.canonical(&git).starts_with(disk.canonical(&layout.common));
        let other = if is_of_clone { "worktree of the clone" } else { "repository" };
        let summary =
            format!("GIT_DIR names another {other}: commits from this folder go to its branch");
        return Some(unset("GIT_DIR", Some(&path), &summary, Judgement::warn));
    }
    if let Some(path) = path("GIT_COMMON_DIR").filter(|path| !same(path, &layout.common)) {
        let summary =
            "GIT_COMMON_DIR names another repository: commits from this folder go into that one";
        // git takes it for no repository
        let is_one = ["objects", "refs"].iter().all(|part| disk.is_folder(&path.join(part)));
        let make = if is_one { Judgement::warn } else { Judgement::fail };
        return Some(unset("GIT_COMMON_DIR", Some(&path), summary, make));
    }
    let is_other = |path: &PathBuf| !same(path, &layout.common.join("objects"));
    if let Some(path) = path("GIT_OBJECT_DIRECTORY").filter(is_other) {
        let summary = "GIT_OBJECT_DIRECTORY names another repository: objects of commits go there";
        // without the objects of the clone git cannot read HEAD
        let is_alone = variable("GIT_ALTERNATE_OBJECT_DIRECTORIES").is_none();
        let make = if is_alone { Judgement::fail } else { Judgement::warn };
        return Some(unset("GIT_OBJECT_DIRECTORY", Some(&path), summary, make));
    }
    if let Some(work_tree) = path("GIT_WORK_TREE")
        && !names_work_tree
        && !same(&work_tree, &layout.top)
    {
        let summary = "GIT_WORK_TREE names another folder than the top of the clone, so commits \
                       contain its files";
        return Some(unset("GIT_WORK_TREE", Some(&work_tree), summary, Judgement::warn));
    }
    let is_below = !same(folder, &layout.top);
    let is_top = is_below && variable("GIT_WORK_TREE").is_none() && !names_work_tree;
    if is_top && variable("GIT_DIR").is_some() {
        let summary = "GIT_DIR without GIT_WORK_TREE makes the current folder the top of the work \
                       tree, so commits contain its files under other paths";
        return Some(unset("GIT_DIR", path("GIT_DIR").as_deref(), summary, Judgement::warn));
    }
    // a hook of `git commit -a` is given the lock's name, which is another index later
    let is_own = |index: &&PathBuf| {
        let in_folder = index.parent().is_some_and(|parent| same(parent, &layout.git));
        in_folder && index.ends_with("index") || same(index, &layout.git.join("index"))
    };
    let index = index.as_ref().filter(|index| !is_own(index))?;
    let summary = "GIT_INDEX_FILE names another index than the clone's, so a commit contains the files of that index";
    Some(unset("GIT_INDEX_FILE", Some(index), summary, Judgement::warn))
}

/// Variables that other checks judge, or that change what git runs or prints.
const USUAL: &[&str] = &[
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_VALUE_",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_INDEX_FILE",
    "GIT_OPTIONAL_LOCKS",
    "GIT_PAGER",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_TERMINAL_PROMPT",
    "GIT_TRACE",
    "GIT_WORK_TREE",
];

/// Whether git may read the variable as a value that it can refuse. Pure.
pub fn is_unusual(name: &str) -> bool {
    let is_it = |usual: &&str| name.starts_with(*usual);
    name.starts_with("GIT_") && !USUAL.iter().any(is_it)
}

/// The variable whose value git refuses, where what it printed shows that. Pure.
pub fn refused(stderr: &str, names: &[String]) -> Option<Judgement> {
    let fatal = stderr.lines().find(|line| line.starts_with("fatal: "))?;
    let is_named = |name: &&String| {
        let mut words = fatal.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.any(|word| word == **name)
    };
    // git names none where two of them contradict each other
    let of_pathspecs =
        |name: &&String| fatal.contains("pathspec setting") && name.ends_with("_PATHSPECS");
    let name = names.iter().find(is_named).or_else(|| names.iter().find(of_pathspecs))?;
    let summary = format!("git does not accept the value of {name}, so commits or pushes fail");
    let judgement = Judgement::fail(Code::GitEnvironmentBroken, summary, unset_fix(name));
    Some(judgement.with([Evidence::foreign("git said", fatal)]))
}

/// No command works with it.
pub fn super_prefix() -> Judgement {
    let summary = "GIT_INTERNAL_SUPER_PREFIX is left from `git submodule`, so no git command works";
    unset("GIT_INTERNAL_SUPER_PREFIX", None, summary, Judgement::fail)
}

/// git writes what ssh-keygen is to sign into a file there.
pub fn temporary(named: Option<&Path>) -> Judgement {
    let Some(folder) = named else {
        let summary = "git cannot make a file in /tmp, so it signs no commit";
        let fix = Fix::report("let this user write there: `sudo chmod 1777 /tmp`");
        return Judgement::fail(Code::GitEnvironmentBroken, summary, fix);
    };
    let summary = "TMPDIR names a folder in which git cannot make a file, so it signs no commit";
    unset("TMPDIR", Some(folder), summary, Judgement::fail)
}

fn unset_fix(name: &str) -> Fix {
    Fix::report(format!("unset {name} in the shell that runs git: `unset {name}`"))
}

fn unset(
    name: &'static str,
    path: Option<&Path>,
    summary: &str,
    make: fn(Code, String, Fix) -> Judgement,
) -> Judgement {
    let value = path.map(|path| Evidence::foreign(name, &path.display().to_string()));
    make(Code::GitEnvironmentBroken, summary.to_owned(), unset_fix(name)).with(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    struct Folders(&'static [&'static str]);

    const FOLDERS: &[&str] = &[
        "/app",
        "/app/.git",
        "/app/.git/objects",
        "/app/.git/refs",
        "/app/.git/worktrees/wt",
        "/app/.git/worktrees/wt/objects",
        "/other/.git",
        "/other/.git/objects",
        "/other/.git/refs",
        "/tmp",
        "/wt",
    ];

    impl Disk for Folders {
        fn is_folder(&self, path: &Path) -> bool {
            self.0.iter().any(|folder| Path::new(folder) == path)
        }

        fn git_folder(&self, path: &Path) -> Option<PathBuf> {
            let git = match path.to_str()? {
                "/wt/.git" => Path::new("/app/.git/worktrees/wt"),
                _ => path,
            };
            self.is_folder(&git.join("objects")).then(|| git.to_owned())
        }

        fn canonical(&self, path: &Path) -> PathBuf {
            path.to_owned()
        }
    }

    #[test]
    fn a_variable_is_refused_where_git_names_it() {
        let names = ["GIT_ATTR_NOSYSTEM", "GIT_GLOB_PATHSPECS", "GIT_REF"].map(str::to_owned);
        for (stderr, expected) in [
            (
                "fatal: bad boolean config value 'x' for 'GIT_ATTR_NOSYSTEM'",
                Some("GIT_ATTR_NOSYSTEM"),
            ),
            ("fatal: failed to parse GIT_ATTR_NOSYSTEM\n", Some("GIT_ATTR_NOSYSTEM")),
            (
                "fatal: global 'glob' and 'noglob' pathspec settings are incompatible",
                Some("GIT_GLOB_PATHSPECS"),
            ),
            ("fatal: failed to parse GIT_ALLOC_LIMIT", None),
            ("fatal: failed to parse GIT_REF_PARANOIA", None),
            ("warning: bad value of GIT_ATTR_NOSYSTEM\nfatal: bad revision 'HEAD'", None),
            ("", None),
        ] {
            let summary = refused(stderr, &names).map(|judgement| judgement.summary);
            let named = names.iter().find(|name| {
                let of = format!("value of {name},");
                summary.as_ref().is_some_and(|summary| summary.contains(&of))
            });
            assert_eq!(named.map(String::as_str), expected, "{stderr}");
        }
        for (name, expected) in [
            ("GIT_ATTR_NOSYSTEM", true),
            ("GIT_FUTURE", true),
            ("GIT_AUTHOR_NAME", false),
            ("GIT_SSH_COMMAND", false),
            ("HOME", false),
        ] {
            assert_eq!(is_unusual(name), expected, "{name}");
        }
    }

    #[test]
    fn only_variables_that_hurt_a_commit_are_reported() {
        let git = PathBuf::from("/app/.git");
        let layout = Layout { top: "/app".into(), git: git.clone(), common: git, defect: None };
        let disk = Folders(FOLDERS);
        let (fail, warn) = (Some(CheckStatus::Fail), Some(CheckStatus::Warn));
        for (name, value, in_clone, expected) in [
            ("GIT_DIR", "/app/.git", true, None),
            ("GIT_DIR", "/other/.git", true, warn),
            ("GIT_DIR", "/other/.git", false, None),
            ("GIT_DIR", "/gone", true, fail),
            ("GIT_DIR", "/gone", false, fail),
            ("GIT_DIR", "/app", true, fail),
            ("GIT_DIR", "/wt/.git", true, warn),
            ("GIT_COMMON_DIR", "/app/.git", true, None),
            ("GIT_COMMON_DIR", "/other/.git", true, warn),
            ("GIT_COMMON_DIR", "/tmp", true, fail),
            ("GIT_WORK_TREE", "/app", true, None),
            ("GIT_WORK_TREE", ".", true, None),
            ("GIT_WORK_TREE", "/tmp", true, warn),
            ("GIT_WORK_TREE", "/tmp", false, None),
            ("GIT_WORK_TREE", "/gone", true, fail),
            ("GIT_OBJECT_DIRECTORY", "/app/.git/objects", true, None),
            ("GIT_OBJECT_DIRECTORY", "/other/.git", true, fail),
            ("GIT_INDEX_FILE", ".git/index", true, None),
            ("GIT_INDEX_FILE", "/gone/index", true, fail),
            ("GIT_INDEX_FILE", "/tmp/index", true, warn),
            ("GIT_INDEX_FILE", ".git/index.lock", true, warn),
            ("GIT_OBJECT_DIRECTORY", "/app/.git", true, fail),
            ("GIT_QUARANTINE_PATH", "/app/.git/objects/incoming-x", true, fail),
            ("GIT_TRACE", "/gone/trace", true, None),
        ] {
            let variable = |asked: &str| (asked == name).then(|| PathBuf::from(value));
            let layout = in_clone.then_some(&layout);
            let judgement = judge(variable, Path::new("/app"), layout, false, &disk);
            let status = judgement.map(|judgement| judgement.status);
            assert_eq!(status, expected, "{name}={value} in a clone: {in_clone}");
        }
        for (work_tree, is_named, expected) in
            [(None, false, warn), (Some("/app"), false, None), (None, true, None)]
        {
            let variable = |asked: &str| match asked {
                "GIT_DIR" => Some(PathBuf::from("/app/.git")),
                "GIT_WORK_TREE" => work_tree.map(PathBuf::from),
                _ => None,
            };
            let judgement = judge(variable, Path::new("/app/src"), Some(&layout), is_named, &disk);
            assert_eq!(judgement.map(|judgement| judgement.status), expected, "{work_tree:?}");
        }
    }

    #[test]
    fn a_worktrees_own_folder_is_not_that_of_the_clone() {
        let git = PathBuf::from("/app/.git/worktrees/wt");
        let layout = Layout { top: "/wt".into(), git, common: "/app/.git".into(), defect: None };
        let disk = Folders(FOLDERS);
        let warn = Some(CheckStatus::Warn);
        for (name, value, expected) in [
            ("GIT_DIR", "/app/.git/worktrees/wt", None),
            ("GIT_DIR", ".git", None),
            ("GIT_DIR", "/app/.git", warn),
            ("GIT_COMMON_DIR", "/app/.git", None),
            ("GIT_OBJECT_DIRECTORY", "/app/.git/objects", None),
            ("GIT_INDEX_FILE", "/app/.git/worktrees/wt/index", None),
            ("GIT_INDEX_FILE", "/app/.git/index", warn),
        ] {
            let variable = |asked: &str| (asked == name).then(|| PathBuf::from(value));
            let judgement = judge(variable, Path::new("/wt"), Some(&layout), false, &disk);
            assert_eq!(judgement.map(|it| it.status), expected, "{name}={value}");
        }
    }
}
