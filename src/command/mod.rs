//! The commands: each runs its stages in order and prints its result.

pub mod agents_md;
pub mod apply;
pub mod doctor;
pub mod explain;
pub mod install;
pub mod remove;
pub mod status;

use std::io::Write as _;
use std::path::Path;

use crate::error::Error;
use crate::home::Home;
use crate::receipt::Receipt;
use crate::resource::file;

/// The result of a command goes to standard output; a reader that went away is no error.
pub fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Errors and warnings about the run itself.
pub fn complain(error: &Error) {
    let _ = std::io::stderr().lock().write_all(error.render().as_bytes());
}

/// Removes what interrupted runs left behind, in every folder in which we write.
fn sweep(home: &Home, receipt: Option<&Receipt>) -> usize {
    let mut folders = vec![home.path.clone(), home.codex.clone(), home.claude.clone(), home.state.clone()];
    folders.extend(["keys", "bin", "undo", "codex"].map(|name| home.state.join(name)));
    folders.extend(home.passwd.as_ref().ok().map(|passwd| passwd.join(".ssh")));
    folders.extend(home.state.ancestors().skip(1).take(2).map(Path::to_owned));
    let targets =
        receipt.into_iter().flat_map(|receipt| receipt.entries.values()).map(|entry| &entry.target.path);
    let shared = targets.chain([&home.git_config, &home.claude_json]);
    folders.extend(shared.filter_map(|path| file::resolve(path).ok()?.parent().map(Path::to_owned)));
    folders.sort();
    folders.dedup();
    folders.iter().filter_map(|folder| file::sweep(folder).ok()).sum()
}
