//! How each entry of the receipt is undone, and which files of the state folder are ours.

use std::path::{Path, PathBuf};

use crate::catalogue::Code;
use crate::client::Client;
use crate::home::Home;
use crate::proof;
use crate::provision::{Item, ItemCause, ItemStatus};
use crate::resource::digest::Digest;
use crate::resource::entry::{EntryId, EntryName};
use crate::resource::file::{self, Kind};
use crate::resource::json;
use crate::resource::keys::Key;
use crate::resource::lock::Lock;
use crate::resource::{Before, Bytes, Edit, Resource, Target, Undo};
use crate::secret::CodexAuth;
use crate::state::receipt::{Receipt, ReceiptEntry};
use crate::state::subject::Subject;

/// The entries, last first. `keep_logins`: without the logins, and with what lets Claude Code start
/// without prompts.
pub fn items(home: &Home, receipt: &Receipt, keep_logins: bool) -> Vec<Item> {
    let entries =
        receipt.entries.iter().rev().filter(|(id, _)| !(keep_logins && id.name.is_login()));
    let onboarding = keep_logins && receipt.knows(&EntryName::Login(Client::Claude));
    entries
        .map(|(id, entry)| {
            let prompts = onboarding && id.name == EntryName::Config(Client::Claude);
            let edit = if prompts { without_trust(entry) } else { None };
            revert(home, receipt, id, entry, edit)
        })
        .collect()
}

/// The onboarding stays as we wrote it, the trust of folders goes; `None` where somebody has
/// changed it since.
fn without_trust(entry: &ReceiptEntry) -> Option<Edit> {
    let Undo::Keys { keys, .. } = &entry.undo else { return None };
    let ours = keys.iter().find(|key| key.path == ["hasCompletedOnboarding"])?;
    let content = file::observe(&entry.target.path, entry.target.kind).ok()??;
    let text = String::from_utf8_lossy(&content.bytes);
    let now = json::object(&text).ok()?;
    let value = &now.get(ours.path.first()?)?.value;
    (text.get(value.clone()) == Some("true"))
        .then(|| Edit::Keys(vec![Key { path: ours.path.clone(), value: true.into() }]))
}

fn revert(
    home: &Home,
    receipt: &Receipt,
    id: &EntryId,
    entry: &ReceiptEntry,
    instead: Option<Edit>,
) -> Item {
    let (done, planned) = what(&entry.undo);
    let edit = instead.unwrap_or_else(|| Edit::Revert {
        undo: entry.undo.clone(),
        saved: saved(home, &entry.undo),
        descendant: id.name == EntryName::Login(Client::Codex) && descends(receipt, entry),
    });
    let resource = Resource::recorded(id.clone(), entry.target.clone(), edit);
    Item::ready(Subject::Other(home.shown(&entry.target.path)), done, vec![resource])
        .planned(planned)
}

/// What the undo folder has for it.
fn saved(home: &Home, undo: &Undo) -> Option<Bytes> {
    let Some(Before::Saved { content, .. }) = undo.before() else { return None };
    let path = home.state.join("undo").join(content.file_name());
    let found = file::observe(&path, Kind::Secret).ok()??;
    (Digest::of(&found.bytes) == *content).then_some(found.bytes)
}

/// A login that was refreshed since is still the seed's, as long as the account is the same.
fn descends(receipt: &Receipt, entry: &ReceiptEntry) -> bool {
    let Ok(Some(content)) = file::observe(&entry.target.path, Kind::Secret) else { return false };
    // a stub that a module wrote over it is nobody's edit
    if CodexAuth::is_stub(&content.bytes) {
        return true;
    }
    let Ok(auth) = CodexAuth::parse(&content.bytes) else { return false };
    let account = auth.account_digest().map(|hex| Digest::from_hex(&hex));
    let seeded = receipt.desired.logins.codex.as_ref();
    account.is_some() && seeded.is_some_and(|record| account == record.account)
}

/// What `remove` does to the file, and what it would do.
fn what(undo: &Undo) -> (&'static str, &'static str) {
    match undo {
        Undo::Whole { before: Before::Absent, .. } => ("removed", "would be removed"),
        Undo::Whole { .. } => ("restored as it was", "would be restored as it was"),
        Undo::Block { .. } => ("our lines removed", "our lines would be removed"),
        Undo::Keys { .. } => ("our keys removed", "our keys would be removed"),
        Undo::Remotes { .. } => ("remotes restored", "remotes would be restored"),
    }
}

/// Everything of ours in the state folder, except what says how to go on after an interruption.
/// `spare_undo`: the content of the undo folder may still be needed. `spare_login`: and so may the copy
/// of the login.
pub fn own_files(home: &Home, spare_undo: bool, spare_login: bool) -> Item {
    // names that we give: an id, a digest
    let hex = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        matches!(name.len(), 16 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let in_folder = |name: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(home.state.join(name)).into_iter().flatten();
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(hex).collect()
    };
    let mut paths = in_folder("keys");
    let names = ["routes", "known_hosts", "ssh_config", "gitconfig", "bin/pushready"];
    paths.extend(names.map(|name| home.state.join(name)));
    if !spare_login {
        paths.push(home.codex_copy.clone());
    }
    if !spare_undo {
        paths.extend(in_folder("undo"));
    }
    let delete = |path: PathBuf| {
        let target =
            Target { path, kind: Kind::Own, lock: Lock::None, malformed: Code::NotProvisioned };
        Resource::unrecorded(target, Edit::Delete)
    };
    let subject = Subject::Other(home.shown(&home.state));
    Item::ready(subject, "removed", paths.into_iter().map(delete).collect())
        .planned("would be removed")
}

/// Removes the doctor's verdict and the empty folders, where the receipt stays.
pub fn clear(home: &Home) {
    for name in ["doctor.json", proof::NAME] {
        let _ = file::remove(&home.state.join(name));
    }
    let own = ["keys", "bin", "undo"].map(|name| home.state.join(name));
    for folder in own.iter().map(PathBuf::as_path).chain(home.codex_copy.parent()) {
        let _ = file::remove_folder(folder);
    }
}

pub fn kept(subject: Subject, why: &str) -> Item {
    Item {
        subject,
        status: ItemStatus::Fail,
        summary: format!("kept: {why}"),
        finding: None,
        planned: None,
        cause: ItemCause::Met,
        resources: Vec::new(),
    }
}

/// Something in the state folder that is not removed with it.
pub fn left(home: &Home, path: &Path) -> Item {
    let why = if *path == home.state.join("undo") {
        "it contains the previous content of files that pushready replaced; remove it after you have checked it"
    } else {
        "pushready did not put it there"
    };
    kept(Subject::Other(path.display().to_string()), why)
}

/// Without a receipt: the files in which more of ours may be, if there is a sign of an earlier
/// apply.
pub fn unrecorded(home: &Home, receipt: &Receipt) -> Option<Item> {
    let signs = own_files(home, true, false);
    let sign = |resource: &Resource| resource.target.path.exists();
    if receipt.entries.is_empty() && !signs.resources.iter().any(sign) {
        return None;
    }
    let files = Client::ALL
        .iter()
        .map(|client| home.clients.get(*client))
        .flat_map(|paths| [&paths.login, &paths.config]);
    let is_known =
        |path: &PathBuf| receipt.entries.values().any(|entry| entry.target.path == *path);
    let files: Vec<_> = files
        .filter(|path| path.exists() && !is_known(path))
        .map(|path| home.shown(path))
        .collect();
    let files = if files.is_empty() { String::new() } else { format!("{} and ", files.join(", ")) };
    let why =
        format!("no receipt says what else was written: look at {files}the remotes of your clones");
    Some(kept(Subject::Other("the rest".to_owned()), &why))
}
