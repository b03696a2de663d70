//! A folder as it was, byte for byte, modes included.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// What ssh has proven: its content depends on the environment and on the times of files.
const PROOF: &str = ".local/state/pushready/proof";

#[derive(Debug)]
pub struct Snapshot(BTreeMap<PathBuf, Entry>);

#[derive(Debug)]
struct Entry {
    mode: u32,
    kind: Kind,
    /// Inode and times of last change: differ when the same bytes were written again.
    written: (u64, i64, i64, i64, i64),
}

#[derive(Debug, PartialEq)]
enum Kind {
    File(Vec<u8>),
    Folder,
    Link(PathBuf),
    /// FIFO, socket or device.
    Special,
}

impl Snapshot {
    /// The folder itself, as `.`, and all that is below it.
    pub fn take(folder: &Path) -> Self {
        let entries = WalkDir::new(folder).into_iter().map(|found| {
            let found = found.unwrap();
            let metadata = found.metadata().unwrap();
            let kind = match found.file_type() {
                kind if kind.is_file() => Kind::File(fs::read(found.path()).unwrap()),
                kind if kind.is_dir() => Kind::Folder,
                kind if kind.is_symlink() => Kind::Link(fs::read_link(found.path()).unwrap()),
                _ => Kind::Special,
            };
            let written = (
                metadata.ino(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            );
            let path = if found.depth() == 0 {
                Path::new(".")
            } else {
                found.path().strip_prefix(folder).unwrap()
            };
            (path.to_owned(), Entry { mode: metadata.mode() & 0o7777, kind, written })
        });
        Self(entries.collect())
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// One line for each difference; none where type, mode, bytes and link target are the same.
    pub fn diff(&self, after: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, old) in &self.0 {
            let path_text = path.display();
            match after.0.get(path) {
                None => {
                    lines.push(format!("- {path_text}: {} {:04o}", old.kind.describe(), old.mode));
                }
                Some(new) => {
                    if old.mode != new.mode {
                        lines.push(format!(
                            "~ {path_text}: mode {:04o} -> {:04o}",
                            old.mode, new.mode
                        ));
                    }
                    if old.kind != new.kind && !path.ends_with(PROOF) {
                        lines.push(format!("~ {path_text}: {}", old.kind.change_to(&new.kind)));
                    }
                }
            }
        }
        for (path, new) in after.0.iter().filter(|(path, _)| !self.0.contains_key(*path)) {
            lines.push(format!("+ {}: {} {:04o}", path.display(), new.kind.describe(), new.mode));
        }
        lines
    }

    #[track_caller]
    pub fn assert_same(&self, after: &Self) {
        let diff = self.diff(after);
        assert!(diff.is_empty(), "not as it was:\n{}", diff.join("\n"));
    }

    /// What was written since, be it with the same bytes.
    pub fn written(&self, after: &Self) -> Vec<PathBuf> {
        let is_new = |path: &Path, new: &Entry| {
            let is_written = |old: &Entry| old.written != new.written && !path.ends_with(PROOF);
            self.0.get(path).is_none_or(is_written)
        };
        after
            .0
            .iter()
            .filter(|(path, new)| is_new(path, new))
            .map(|(path, _)| path.clone())
            .collect()
    }
}

impl Kind {
    fn describe(&self) -> String {
        match self {
            Self::File(bytes) => format!("file of {} bytes", bytes.len()),
            Self::Folder => "folder".into(),
            Self::Link(target) => format!("link to {}", target.display()),
            Self::Special => "special file".into(),
        }
    }

    fn change_to(&self, new: &Self) -> String {
        let change = format!("{} -> {}", self.describe(), new.describe());
        let (Self::File(old), Self::File(new)) = (self, new) else { return change };
        let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
        let (mut old, mut new) = (old.split_inclusive('\n'), new.split_inclusive('\n'));
        let mut number = 1;
        loop {
            match (old.next(), new.next()) {
                (None, None) => return change,
                (old, new) if old == new => number += 1,
                (old, new) => return format!("{change}, line {number}: {old:?} -> {new:?}"),
            }
        }
    }
}
