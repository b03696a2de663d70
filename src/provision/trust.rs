//! The folders whose trust prompt the clients should not show: what is the same for both.

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

/// `2 folders trusted`.
pub fn told(folders: &[PathBuf]) -> String {
    match folders.len() {
        1 => "1 folder trusted".to_owned(),
        count => format!("{count} folders trusted"),
    }
}
