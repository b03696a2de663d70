//! The files of a clone that a commit reads and writes: the index, the refs and the logs. Found by
//! reading them, since git stops at the first that is damaged, or only at the end of a commit.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::layout::{Layout, SYMBOLIC_REFS};
use crate::git::is_object_id;
use crate::git_cli::remotes::MOST_REFS;
use crate::resource::file::{self, Kind};

/// What is wrong with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is cut.
    Index,
    /// The branch's own file contains no commit.
    Branch(PathBuf),
    /// This line of `packed-refs` is none.
    PackedRefs(usize),
    /// An object without content, as a power loss leaves it.
    Object(PathBuf),
    /// A branch keeps git from making the one of HEAD: `feat` beside `feat/x`.
    Taken(String),
    /// This keeps git from making a file that a commit writes.
    InTheWay(PathBuf),
    /// A table of refs is gone (reftable).
    Table(PathBuf),
}

/// The first file that takes too much of git's memory or time, with which its bound may come too late.
pub fn too_large(layout: &Layout) -> Option<PathBuf> {
    let Layout { top, git, common, .. } = layout;
    let largest = |path: PathBuf, mebibytes: u64| {
        path.metadata().is_ok_and(|it| it.is_file() && it.len() > mebibytes << 20).then_some(path)
    };
    // 400,000 entries, and a million refs
    let parts = [(git.join("index"), 40), (common.join("packed-refs"), MOST_REFS >> 20)];
    let texts = [
        git.join("HEAD"),
        common.join("config"),
        git.join("config.worktree"),
        common.join("objects/info/alternates"),
        common.join("info/exclude"),
        common.join("info/attributes"),
        top.join(".gitignore"),
        top.join(".gitattributes"),
    ];
    let texts = texts.map(|path| (path, 16));
    parts.into_iter().chain(texts).find_map(|(path, mebibytes)| largest(path, mebibytes))
}

/// The first that is wrong. `keeps_logs`: git makes logs that do not exist.
pub fn damage(layout: &Layout, keeps_logs: bool) -> Option<Damage> {
    if index_is_cut(&layout.git.join("index")) {
        return Some(Damage::Index);
    }
    if let Some(table) = table_gone(layout) {
        return Some(Damage::Table(table));
    }
    let branch = || broken_ref(layout).map(Damage::Branch);
    let packed = || file::text(&layout.common.join("packed-refs"));
    let packed = || broken_line(&packed()).map(Damage::PackedRefs);
    let taken = || taken(layout).map(Damage::Taken);
    let object = || empty_object(&layout.common.join("objects")).map(Damage::Object);
    let in_the_way = || misplaced(layout, keeps_logs).map(Damage::InTheWay);
    branch().or_else(packed).or_else(taken).or_else(in_the_way).or_else(object)
}

/// git packs loose objects long before there are so many.
const MOST_OBJECTS: usize = 20_000;

/// The first loose object that is an empty file.
fn empty_object(objects: &Path) -> Option<PathBuf> {
    let folders = (0..=u8::MAX).map(|first| objects.join(format!("{first:02x}")));
    let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut files = files.take(MOST_OBJECTS).filter(|file| {
        let is_object = matches!(file.file_name().len(), 38 | 62);
        is_object && file.metadata().is_ok_and(|it| it.is_file() && it.len() == 0)
    });
    files.next().map(|file| file.path())
}

/// gitformat-index(5): the header and the checksum, and the least that an entry takes.
const INDEX_FRAME: u64 = 12 + 20;
const LEAST_ENTRY: u64 = 63;

/// It is not a file, or its header promises more entries than fit into it.
fn index_is_cut(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    // git waits for who writes to a FIFO
    !metadata.is_file() || file::head(path, 12).is_ok_and(|start| is_cut(&start, metadata.len()))
}

/// Pure.
fn is_cut(start: &[u8], length: u64) -> bool {
    let Some(count) = start.get(8..12).and_then(|bytes| bytes.try_into().ok()) else {
        return true;
    };
    let entries = u64::from(u32::from_be_bytes(count));
    !start.starts_with(b"DIRC") || length < INDEX_FRAME + entries * LEAST_ENTRY
}

/// The first table of refs that a list of them names and that is not there. A worktree has its own.
fn table_gone(layout: &Layout) -> Option<PathBuf> {
    let folders = [&layout.git, &layout.common].map(|folder| folder.join("reftable"));
    folders.into_iter().find_map(|folder| {
        let names = file::text(&folder.join("tables.list"));
        let is_name = |name: &&str| !name.is_empty() && !name.contains('/');
        let mut tables = names.lines().filter(is_name).map(|name| folder.join(name));
        tables.find(|table| !table.exists())
    })
}

/// The file of the current branch, where it leads to no commit: a power loss leaves it empty, and
/// refs or links may lead back to themselves.
fn broken_ref(layout: &Layout) -> Option<PathBuf> {
    let own = layout.common.join(layout.branch()?);
    let mut path = own.clone();
    for _ in 0..SYMBOLIC_REFS {
        if path.metadata().is_err_and(|error| Errno::from_io_error(&error) == Some(Errno::LOOP)) {
            return Some(path);
        }
        let content = file::observe(&path, Kind::Shared).ok()??;
        let text = content.bytes.trim_ascii();
        let Some(name) = text.strip_prefix(b"ref:") else {
            return (!is_object_id(text)).then_some(path);
        };
        path = layout.common.join(String::from_utf8_lossy(name.trim_ascii()).as_ref());
    }
    Some(own)
}

/// A branch with which the one of HEAD cannot exist, where that has no commit yet: each may be a
/// file, and one would be a folder of the other.
fn taken(layout: &Layout) -> Option<String> {
    let branch = layout.branch()?;
    if layout.common.join("reftable").is_dir() {
        return None;
    }
    let packed = file::text(&layout.common.join("packed-refs"));
    let names = packed.lines().filter_map(|line| line.split_once(' ')).map(|(_, name)| name);
    taken_by(&branch, names, &|name| {
        let path = layout.common.join(name);
        (path.is_file(), path.read_dir().is_ok_and(|mut entries| entries.next().is_some()))
    })
}

/// `at`: whether a ref is a file, and whether it is a folder with others. Pure.
fn taken_by<'a>(
    branch: &str,
    packed: impl Iterator<Item = &'a str>,
    at: &dyn Fn(&str) -> (bool, bool),
) -> Option<String> {
    const BRANCHES: &str = "refs/heads/";
    let is_below =
        |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    let (is_file, is_folder) = at(branch);
    if is_file {
        return None;
    }
    let mut taking = None;
    for name in packed {
        if name == branch {
            return None;
        }
        let takes = is_below(branch, name) && name.starts_with(BRANCHES) || is_below(name, branch);
        taking = taking.or(takes.then_some(name));
    }
    let above = branch.match_indices('/').map(|(end, _)| branch.get(..end).unwrap_or_default());
    let mut above = above.filter(|name| name.starts_with(BRANCHES));
    let file = || above.find(|name| at(name).0);
    let taking = taking.or_else(file).map(str::to_owned);
    taking.or_else(|| is_folder.then(|| format!("{branch}/")))
}

/// The first line of `packed-refs` that is none (gitrepository-layout(5)). Pure.
fn broken_line(packed: &str) -> Option<usize> {
    let is_one = |line: &str| match line.strip_prefix('^') {
        Some(peeled) => is_object_id(peeled),
        None => {
            line.starts_with('#') || line.split_once(' ').is_some_and(|(id, _)| is_object_id(id))
        }
    };
    let broken = packed.lines().position(|line| !is_one(line));
    broken.or_else(|| unsorted_line(packed)).map(|at| at + 1)
}

/// The first line that is not in the order that the head of the file promises: git then does not
/// find refs that are there. Pure.
fn unsorted_line(packed: &str) -> Option<usize> {
    let is_sorted = packed.lines().next()?.starts_with("# pack-refs with:")
        && packed.lines().next()?.split_whitespace().any(|word| word == "sorted");
    let mut last = "";
    for (at, line) in packed.lines().enumerate().filter(|_| is_sorted) {
        if line.starts_with(['#', '^']) {
            continue;
        }
        let name = line.split_once(' ').map_or("", |(_, name)| name);
        if name < last {
            return Some(at);
        }
        last = name;
    }
    None
}

/// What is where git would make a file that each commit writes: a folder, a file instead of a
/// folder, or a link into a folder that is not there.
fn misplaced(layout: &Layout, keeps_logs: bool) -> Option<PathBuf> {
    let Layout { git, common, .. } = layout;
    // git makes the lock of the index where a link leads
    let links = [git.join("index"), git.join("COMMIT_EDITMSG")];
    let is_dangling = |path: &PathBuf| {
        let target = path.read_link().ok().map(|target| git.join(target));
        target.is_some_and(|target| !target.parent().is_some_and(Path::is_dir))
    };
    let link = links.into_iter().find(is_dangling);
    let message = Some(git.join("COMMIT_EDITMSG")).filter(|path| path.is_dir());
    let is_table = common.join("reftable").is_dir();
    let branch = layout.branch().filter(|_| !is_table).map(|name| common.join("logs").join(name));
    let logs = Some(git.join("logs/HEAD")).filter(|_| !is_table).into_iter().chain(branch);
    let logs = || logs.filter(|_| keeps_logs).find_map(|log| in_the_way(&log));
    let name = layout.branch().filter(|_| !is_table).map(|name| common.join(name));
    let head = || in_the_way(&name?);
    link.or(message).or_else(head).or_else(logs)
}

/// A folder with files, or a file where one of the folders above is to be. git removes folders
/// that are empty.
fn in_the_way(file: &Path) -> Option<PathBuf> {
    if file.is_dir() {
        return has_files(file).then(|| file.to_owned());
    }
    let nearest = file.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    (nearest != file && !nearest.is_dir()).then(|| nearest.to_owned())
}

fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    // a link is a file to git, and may lead back here
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut entries = entries.map(|entry| (is_folder(&entry), entry.path()));
    entries.any(|(is_folder, path)| !is_folder || has_files(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_packed_refs_names_a_commit_and_a_ref() {
        let id = "0123456789012345678901234567890123456789";
        let head = "# pack-refs with: peeled fully-peeled sorted\n";
        for (lines, expected) in [
            (String::new(), None),
            (format!("{head}{id} refs/heads/main\n^{id}\n"), None),
            (format!("{head}<<<<<<< x\n{id} refs/heads/main\n"), Some(2)),
            (format!("{head}{id} refs/heads/main\n\0\0\0"), Some(3)),
            (format!("{head}{id} refs/heads/a\n^{id}\n{id} refs/heads/b\n"), None),
            (format!("{head}{id} refs/heads/b\n^{id}\n{id} refs/heads/a\n"), Some(4)),
            (format!("# pack-refs with: peeled \n{id} refs/heads/b\n{id} refs/heads/a\n"), None),
        ] {
            assert_eq!(broken_line(&lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_log_needs_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir_all(logs.join("empty/x")).unwrap();
        fs::create_dir_all(logs.join("full")).unwrap();
        fs::write(logs.join("full/x"), "").unwrap();
        fs::write(logs.join("file"), "").unwrap();
        fs::create_dir_all(logs.join("loop")).unwrap();
        for name in ["x", "y"] {
            std::os::unix::fs::symlink(".", logs.join("loop").join(name)).unwrap();
        }
        for (log, expected) in [
            ("loop", Some("loop")),
            ("new", None),
            ("file", None),
            ("empty", None),
            ("full", Some("full")),
            ("file/x", Some("file")),
        ] {
            let expected = expected.map(|path| logs.join(path));
            assert_eq!(in_the_way(&logs.join(log)), expected, "{log}");
        }
    }

    #[test]
    fn one_branch_is_not_a_folder_of_another() {
        let at = |name: &str| (name == "refs/heads/main", name == "refs/heads/dir");
        let packed = ["refs/heads/feat", "refs/heads/deep/er/x"];
        for (branch, taken) in [
            ("refs/heads/main", false),
            ("refs/heads/new", false),
            ("refs/heads/feature", false),
            ("refs/heads/main/x", true),
            ("refs/heads/feat/x/y", true),
            ("refs/heads/deep", true),
            ("refs/heads/deep/er", true),
            ("refs/heads/dir", true),
        ] {
            assert_eq!(taken_by(branch, packed.into_iter(), &at).is_some(), taken, "{branch}");
        }
    }

    /// A name as long as git accepts, of as many parts as possible, among many refs.
    #[test]
    fn a_long_name_is_compared_with_each_ref_once() {
        let branch = format!("refs/heads/{}b", "a/".repeat(2000));
        let packed: Vec<_> = (0..60_000).map(|n| format!("refs/heads/a/{n}")).collect();
        let start = std::time::Instant::now();
        let taken = taken_by(&branch, packed.iter().map(String::as_str), &|_| (false, false));
        assert_eq!(taken, None);
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }

    #[test]
    fn an_index_that_is_not_a_file_is_damaged_and_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, link) = (folder.path().join("fifo"), folder.path().join("link"));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        assert!(index_is_cut(&fifo) && index_is_cut(&link) && index_is_cut(folder.path()));
        assert!(!index_is_cut(&folder.path().join("none")));
    }

    #[test]
    fn a_file_may_be_too_large_for_git() {
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join(".git");
        fs::create_dir_all(git.join("info")).unwrap();
        let layout = Layout {
            top: folder.path().to_owned(),
            common: git.clone(),
            git: git.clone(),
            defect: None,
        };
        for (name, mebibytes, expected) in [
            ("index", 40, false),
            ("packed-refs", 64, false),
            ("info/exclude", 16, false),
            ("info/exclude", 17, true),
            ("packed-refs", 65, true),
            ("index", 41, true),
        ] {
            fs::File::create(git.join(name)).unwrap().set_len(mebibytes << 20).unwrap();
            let found = too_large(&layout);
            assert_eq!(found, expected.then(|| git.join(name)), "{name} {mebibytes}");
            if expected {
                fs::remove_file(git.join(name)).unwrap();
            }
        }
    }

    #[test]
    fn an_index_has_space_for_the_entries_that_it_promises() {
        let header = |count: u32| [b"DIRC\0\0\0\x02", &count.to_be_bytes()[..]].concat();
        for (start, length, cut) in [
            (header(0), 32, false),
            (header(1), 104, false),
            (header(1), 40, true),
            (header(1000), 5000, true),
            (b"junk and more".to_vec(), 200, true),
            (Vec::new(), 0, true),
        ] {
            assert_eq!(is_cut(&start, length), cut, "{start:?} {length}");
        }
    }
}
