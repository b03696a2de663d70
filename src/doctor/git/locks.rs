//! Locks that a commit needs, and whether a running git may hold them.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layout::Layout;
use crate::resource::file;

/// A git command that takes longer shows up as a process.
const YOUNG: Duration = Duration::from_secs(60);
/// Deeper than any git command starts others.
const GENERATIONS: usize = 8;

/// A file that keeps other git commands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftLock {
    pub path: PathBuf,
    /// `None`: it is from the future.
    pub age: Option<Duration>,
    /// A git process works in this repository, or its folder cannot be seen.
    pub may_be_held: bool,
}

impl LeftLock {
    /// Whether it certainly was left behind.
    pub fn is_left(&self) -> bool {
        self.age.is_some_and(|age| age > YOUNG) && !self.may_be_held
    }
}

/// The locks in the way of a commit.
pub fn left(layout: &Layout) -> Vec<LeftLock> {
    let mut paths = vec![layout.git.join("index.lock")];
    if layout.common.join("reftable").is_dir() {
        paths.push(layout.common.join("reftable/tables.list.lock"));
    } else {
        paths.push(layout.git.join("HEAD.lock"));
        let lock = |name| layout.common.join(format!("{name}.lock"));
        paths.extend(layout.branches().into_iter().map(lock));
    }
    let found = |path: PathBuf| {
        let metadata = path.symlink_metadata().ok()?;
        let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
        Some((path, age))
    };
    let found: Vec<_> = paths.into_iter().filter_map(found).collect();
    let may_be_held = !found.is_empty() && git_runs_in(layout);
    found.into_iter().map(|(path, age)| LeftLock { path, age, may_be_held }).collect()
}

/// Whether a git process that is not ours works in the repository, or one cannot be judged.
fn git_runs_in(layout: &Layout) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let own = std::process::id();
    let is_held = |process: &Path| {
        let name = start(&process.join("comm"));
        let name = name.trim_end();
        let is_git = name == "git" || name.starts_with("git-") && !name.starts_with("git-cred");
        if !is_git || descends_from(process, own) || is_daemon(process) {
            return false;
        }
        match process.join("cwd").read_link() {
            Ok(cwd) => {
                let is_here = |other: Layout| file::is_same(&other.common, &layout.common);
                Layout::around(&cwd).map_or(cwd.starts_with(&layout.common), is_here)
                    || git_dirs(process)
                        .filter_map(|git| Layout::named(&cwd, Path::new(&git), None))
                        .any(is_here)
            }
            // another user's; one that has ended has no folder any more, be it a zombie
            Err(error) => error.kind() == ErrorKind::PermissionDenied,
        }
    };
    let is_process = |name: &OsStr| {
        name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut processes = processes.filter_map(Result::ok);
    processes.any(|entry| is_process(&entry.file_name()) && is_held(&entry.path()))
}

/// The git folders that a process of git was started with: by its arguments, and by GIT_DIR.
fn git_dirs(process: &Path) -> impl Iterator<Item = String> {
    let arguments = start(&process.join("cmdline"));
    let arguments: Vec<_> = arguments.split('\0').map(str::to_owned).collect();
    let next = |at: usize| arguments.get(at + 1).cloned();
    let named = arguments.iter().enumerate().filter_map(|(at, argument)| {
        let value = argument.strip_prefix("--git-dir")?;
        if value.is_empty() { next(at) } else { value.strip_prefix('=').map(str::to_owned) }
    });
    let named: Vec<_> = named.collect();
    let variables = start_of(&process.join("environ"), LARGEST_ENVIRONMENT);
    let of_variable = |variable: &str| variable.strip_prefix("GIT_DIR=").map(str::to_owned);
    let set: Vec<_> = variables.split('\0').filter_map(of_variable).collect();
    named.into_iter().chain(set)
}

/// git's monitor of the file system runs as long as the machine, and holds no lock.
fn is_daemon(process: &Path) -> bool {
    start(&process.join("cmdline")).split('\0').any(|argument| argument == "fsmonitor--daemon")
}

/// As much of a file of proc(5) as is judged: a process decides how long its command line is.
fn start(path: &Path) -> String {
    start_of(path, 4096)
}

/// No ordinary one is larger.
const LARGEST_ENVIRONMENT: u64 = 128 << 10;

fn start_of(path: &Path, length: u64) -> String {
    let head = file::head(path, length).unwrap_or_default();
    String::from_utf8_lossy(&head).into_owned()
}

fn descends_from(process: &Path, ancestor: u32) -> bool {
    let mut process = process.to_owned();
    for _ in 0..GENERATIONS {
        let status = start(&process.join("status"));
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let Some(parent) = parent.and_then(|text| text.trim().parse::<u32>().ok()) else {
            return false;
        };
        if parent == ancestor {
            return true;
        }
        process = PathBuf::from(format!("/proc/{parent}"));
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_lock_is_left_where_it_is_old_and_no_git_runs_there() {
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join(".git");
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let layout = Layout::around(folder.path()).unwrap();
        assert_eq!(left(&layout), []);
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        for name in ["index.lock", "HEAD.lock", "refs/heads/main.lock", "shallow.lock", "gc.pid"] {
            let file = fs::File::create(git.join(name)).unwrap();
            file.set_modified(yesterday).unwrap();
        }
        let found = left(&layout);
        assert!(found.len() == 3 && found.iter().all(LeftLock::is_left), "{found:?}");
    }
}
