//! The folders whose trust prompt the clients should not show: what is the same for both.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Both clients look a folder up by its real path (codex 0.169, claude 2.1); one that is not there yet is taken as it is
/// named.
pub fn real(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    match path.to_string_lossy().trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

/// The folders by the names under which the clients look them up, and those whose name no configuration can hold.
pub fn names(folders: &[PathBuf]) -> (BTreeSet<String>, Vec<&Path>) {
    let is_named = |folder: &&Path| {
        folder.canonicalize().map_or(folder.to_str().is_some(), |real| real.to_str().is_some())
    };
    let (named, nameless): (Vec<_>, Vec<_>) = folders.iter().map(PathBuf::as_path).partition(is_named);
    (named.into_iter().map(real).collect(), nameless)
}

/// Folders in a message.
pub fn list<T: AsRef<Path>>(folders: &[T]) -> String {
    folders.iter().map(|folder| format!("`{}`", folder.as_ref().display())).collect::<Vec<_>>().join(", ")
}

/// `2 folders trusted`.
pub fn told(count: usize) -> String {
    match count {
        1 => "1 folder trusted".to_owned(),
        count => format!("{count} folders trusted"),
    }
}
