//! Where clones are: searched for below a few folders, or found around one.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use crate::resource::file::{self, Content, Kind};
use crate::resource::remote;

const DEPTH: usize = 6;
pub const BUDGET: Duration = Duration::from_secs(2);
/// Folders below which clones belong to other programs.
const SKIPPED: &[&str] = &["node_modules", ".cache", ".cargo", ".rustup", "target"];

/// The configurations of the clones that were found, and of their submodules.
pub struct Search {
    pub configs: Vec<PathBuf>,
    /// Folders with a `.git` that leads to no git folder.
    pub unresolved: Vec<PathBuf>,
    pub complete: bool,
}

/// Searches `roots`, each on its own filesystem, no symlink followed, not inside a clone except its
/// submodules.
pub fn search(roots: &[PathBuf]) -> Search {
    search_within(BUDGET, roots)
}

fn search_within(budget: Duration, roots: &[PathBuf]) -> Search {
    let end = Instant::now() + budget;
    let mut found = Vec::new();
    let mut unresolved = BTreeSet::new();
    let complete = roots.iter().all(|root| walk(root, end, &mut found, &mut unresolved));
    found.sort();
    // worktrees share the configuration of their clone, and one root may be inside another
    let mut seen = BTreeSet::new();
    found.retain(|config| identity(config).is_some_and(|identity| seen.insert(identity)));
    Search { configs: found, unresolved: unresolved.into_iter().collect(), complete }
}

/// Returns whether the search was complete.
fn walk(
    root: &Path,
    end: Instant,
    found: &mut Vec<PathBuf>,
    unresolved: &mut BTreeSet<PathBuf>,
) -> bool {
    // sorted when all are known: a folder may have more names than fit into memory
    let mut walk = WalkDir::new(root).max_depth(DEPTH).same_file_system(true).into_iter();
    while let Some(entry) = walk.next() {
        if Instant::now() > end {
            return false;
        }
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_dir() {
            continue;
        }
        // a root is searched whatever its name
        if entry.depth() > 0 && is_skipped(entry.path()) {
            walk.skip_current_dir();
        } else if let Some(git) = git_folder(entry.path()) {
            add(found, &git, DEPTH);
            // the home itself may be a work tree of dotfiles, with clones in it
            if entry.depth() > 0 {
                walk.skip_current_dir();
            }
        } else if entry.path().join(".git").symlink_metadata().is_ok_and(|it| !it.is_symlink()) {
            // git ignores a link that leads nowhere
            unresolved.insert(entry.into_path());
        }
    }
    true
}

fn is_skipped(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| SKIPPED.iter().any(|other| name == *other))
        || folder.ends_with("go/pkg")
}

/// The git folder of a clone, or the folder itself where it is a bare repository.
pub fn git_folder(folder: &Path) -> Option<PathBuf> {
    let inner = folder.join(".git");
    match inner.symlink_metadata().map(|metadata| metadata.file_type()) {
        Ok(kind) if kind.is_dir() && is_git(&inner) => Some(inner),
        // of a worktree, or of a clone that keeps its git folder elsewhere
        Ok(kind) if kind.is_file() => shared_folder(folder, &inner),
        _ => (is_git(folder) && folder.join("objects").is_dir()).then(|| folder.to_owned()),
    }
}

fn is_git(folder: &Path) -> bool {
    // git does without a configuration
    let is_whole = || ["objects", "refs"].iter().all(|part| folder.join(part).is_dir());
    let has_config = || folder.join("config").symlink_metadata().is_ok();
    folder.join("HEAD").is_file() && (has_config() || is_whole())
}

/// The folder of the configuration to which a `.git` file leads
/// (gitrepository-layout(5)).
fn shared_folder(folder: &Path, file: &Path) -> Option<PathBuf> {
    let line = |path: &Path| {
        let content = file::observe(path, Kind::Shared).ok()??;
        Some(std::str::from_utf8(&content.bytes).ok()?.trim_end().to_owned())
    };
    let own = folder.join(line(file)?.strip_prefix("gitdir: ")?);
    let shared =
        line(&own.join("commondir")).map_or_else(|| own.clone(), |common| own.join(common));
    let shared = shared.canonicalize().ok()?;
    let same_filesystem = shared.metadata().ok()?.dev() == folder.metadata().ok()?.dev();
    (same_filesystem && is_git(&shared)).then_some(shared)
}

fn identity(file: &Path) -> Option<(u64, u64)> {
    file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The clone's configuration and those of its submodules, whose names may contain `/`; nothing
/// else in a git folder is read.
fn add(found: &mut Vec<PathBuf>, git: &Path, depth: usize) {
    found.push(git.join("config"));
    let device = git.metadata().map(|metadata| metadata.dev()).ok();
    let mut folders = vec![(git.join("modules"), depth)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let metadata = entry.metadata().ok();
            if !metadata.is_some_and(|metadata| metadata.is_dir() && Some(metadata.dev()) == device)
            {
                continue;
            }
            if is_git(&entry.path()) {
                found.push(entry.path().join("config"));
                folders.push((entry.path().join("modules"), depth));
            } else if depth > 1 {
                folders.push((entry.path(), depth - 1));
            }
        }
    }
}

/// What is read of the configurations of all clones together, for one purpose: whoever wrote them
/// decides how many there are.
pub struct Allowance {
    bytes: usize,
    urls: usize,
}

impl Default for Allowance {
    /// More than thousands of ordinary clones have, and as much as fits into the memory of a small
    /// workspace.
    fn default() -> Self {
        Self { bytes: 8 << 20, urls: 20_000 }
    }
}

impl Allowance {
    /// The configuration of a clone, or why it is not read.
    pub fn read(&mut self, config: &Path) -> Result<Option<Content>, String> {
        let too_much = || {
            "the configurations of all clones together are larger than what is read, or have more \
             than 20,000 URLs of remotes"
                .to_owned()
        };
        if config.metadata().is_ok_and(|metadata| metadata.len() > self.bytes as u64) {
            return Err(too_much());
        }
        let content = file::observe(config, Kind::Shared);
        let content = content.map_err(|obstacle| obstacle.finding(config).summary)?;
        let Some(content) = content else { return Ok(None) };
        // what was read counts, even if it has too many URLs
        let bytes = self.bytes.checked_sub(content.bytes.len());
        self.bytes = bytes.ok_or_else(too_much)?;
        let urls = remote::urls(&content.bytes).into_iter().flatten().count();
        self.urls = self.urls.checked_sub(urls).ok_or_else(too_much)?;
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_of_all_clones_than_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        std::fs::write(&config, "[remote \"a\"]\n\turl = a:b\n\tpushurl = a:c\n").unwrap();
        let size = std::fs::read(&config).unwrap().len();
        for (bytes, urls, expected) in [
            (2 * size, 4, [true, true, false]),
            (2 * size - 1, 9, [true, false, false]),
            (9 * size, 3, [true, false, true]),
            (9 * size, 1, [false, true, false]),
        ] {
            let mut allowance = Allowance { bytes, urls };
            let mut read = || match allowance.read(&config) {
                Ok(content) => content.is_some(),
                Err(why) => {
                    assert!(why.contains("of all clones together"), "{why}");
                    // another one with fewer URLs may still be read
                    allowance.urls += 2;
                    false
                }
            };
            assert_eq!([read(), read(), read()], expected, "{bytes} {urls}");
        }
        assert!(Allowance::default().read(&folder.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn a_search_that_runs_out_of_time_says_so() {
        let root = [PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
        assert!(!search_within(Duration::ZERO, &root).complete);
        assert!(search_within(Duration::from_secs(60), &root).complete);
    }
}
