//! What an interrupted run left behind: found, and removed, by the next one.

use std::fs;
use std::path::Path;

use super::State;
use super::receipt::Receipt;
use crate::client::Client;
use crate::error::Result;
use crate::home::Home;
use crate::resource::{file, private_folder, rewrite};

/// What the next run has to report of one that was interrupted.
pub struct Healed {
    /// How many temporary files and locks of it were removed.
    pub swept: usize,
    /// Changes had been begun.
    pub unfinished: bool,
}

impl Healed {
    /// `outcome`: what becomes of its changes.
    pub fn note(&self, outcome: &str) -> Option<String> {
        let swept = format!("removed {} temporary files or locks of it", self.swept);
        let what = match self {
            Self { swept: 0, unfinished: false } => return None,
            Self { swept: 0, unfinished: true } => outcome.to_owned(),
            Self { unfinished: false, .. } => swept,
            Self { unfinished: true, .. } => format!("{outcome}, {swept}"),
        };
        Some(format!("an earlier run was interrupted: {what}"))
    }
}

/// The receipt as it is after the last run, and whether that one is still running or was
/// interrupted.
pub fn settled(state: &Path) -> Result<(Option<Receipt>, bool)> {
    let mut receipt = Receipt::load(state)?;
    let under_way = receipt.as_mut().is_some_and(Receipt::settle);
    Ok((receipt, under_way))
}

/// The same, after the traces of an interrupted run were removed. Only under the lock of the state
/// folder: the temporary files of a run that is not over look the same.
pub fn heal(home: &Home, state: &State) -> Result<(Option<Receipt>, Healed)> {
    let mut receipt = Receipt::load(&home.state)?;
    // before it is settled, it names every folder in which that run may have written
    let swept = sweep(home, receipt.as_ref());
    let under_way = receipt.as_mut().is_some_and(Receipt::settle);
    // the receipt in a folder that was made just now is that of this run
    let unfinished = under_way && !state.just_made;
    Ok((receipt, Healed { swept, unfinished }))
}

/// Gives this user access again to its own files in the state folder, where something has changed
/// their modes: what cannot be read could be neither compared nor repaired. Returns how many.
pub fn restore_access(state: &Path) -> usize {
    let folders = ["", "keys", "bin", "undo"].map(|name| state.join(name));
    // a folder first, so that what is in it can be seen
    let restored = folders.iter().map(|folder| {
        let of_folder = usize::from(file::restore_access(folder));
        let Ok(entries) = fs::read_dir(folder) else { return of_folder };
        let paths = entries.flatten().map(|entry| entry.path());
        of_folder + paths.filter(|path| file::restore_access(path)).count()
    });
    restored.sum()
}

/// Removes what interrupted runs left behind, in every folder in which we write.
fn sweep(home: &Home, receipt: Option<&Receipt>) -> usize {
    let mut folders = vec![home.path.clone(), home.state.clone()];
    folders.extend(["keys", "bin", "undo"].map(|name| home.state.join(name)));
    let clients = || Client::ALL.iter().map(|client| home.clients.get(*client));
    folders.extend(clients().map(|paths| paths.folder.clone()));
    folders.extend(home.codex_copy.parent().map(Path::to_owned));
    folders.extend(home.ssh_folder());
    let targets = receipt
        .into_iter()
        .flat_map(|receipt| receipt.entries.values())
        .map(|entry| &entry.target.path);
    let shared = targets.chain([&home.git_config]).chain(clients().map(|paths| &paths.config));
    folders
        .extend(shared.filter_map(|path| file::resolve(path).ok()?.parent().map(Path::to_owned)));
    folders.sort();
    folders.dedup();
    let swept = State::sweep(&home.state) + private_folder::sweep(&home.state);
    swept + folders.iter().map(|folder| rewrite::sweep(folder)).sum::<usize>()
}
