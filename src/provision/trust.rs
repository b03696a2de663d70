//! The folders whose trust prompt the clients should not show: what is the same for both.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Item, counted};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::resource::Resource;
use crate::state::subject::Subject;

/// Both clients look a folder up by its real path (codex 0.169, claude 2.1); one that is not there
/// yet is taken as it is named.
pub fn real(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    match path.to_string_lossy().trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

/// The fix for a folder that no configuration can name.
pub const NAMELESS: &str = "give the folder a name in UTF-8";

/// Whether a configuration can name the folder.
pub fn is_named(folder: &Path) -> bool {
    folder.canonicalize().map_or(folder.to_str().is_some(), |real| real.to_str().is_some())
}

/// The folders by the names under which the clients look them up, and those that have none.
pub fn names(folders: &[PathBuf]) -> (BTreeSet<String>, Option<Without>) {
    let (named, nameless): (Vec<_>, Vec<_>) =
        folders.iter().map(PathBuf::as_path).partition(|folder| is_named(folder));
    (
        named.into_iter().map(real).collect(),
        Without::of(&nameless, "whose path is not UTF-8", NAMELESS),
    )
}

/// Folders that cannot be added.
pub struct Without {
    summary: String,
    fix: String,
}

impl Without {
    /// `why`: a relative clause. `None`: there are no such folders.
    pub fn of<T: AsRef<Path>>(folders: &[T], why: &str, fix: impl Into<String>) -> Option<Self> {
        let list: Vec<_> =
            folders.iter().map(|folder| format!("`{}`", folder.as_ref().display())).collect();
        let summary = || format!("without {}, {why}", list.join(", "));
        (!list.is_empty()).then(|| Self { summary: summary(), fix: fix.into() })
    }
}

/// The item of a client's trust: how many folders it knows as trusted, and those that it cannot.
pub fn item(
    subject: Subject,
    code: Code,
    count: usize,
    without: impl IntoIterator<Item = Without>,
    resources: Vec<Resource>,
) -> Item {
    let trusted = format!("{} trusted", counted(count, "folder"));
    let (exceptions, fixes): (Vec<_>, Vec<_>) =
        without.into_iter().map(|Without { summary, fix }| (summary, fix)).unzip();
    if exceptions.is_empty() {
        return Item::ready(subject, trusted, resources);
    }
    let summary = format!("{trusted}, {}", exceptions.join(", and "));
    let finding = Finding::new(code, summary, fixes.join("; "));
    Item::warn(subject, finding, resources)
}
