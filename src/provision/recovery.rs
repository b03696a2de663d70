//! What can be known to be ours where the receipt is gone: the lines that name our state folder,
//! and the logins of which it has a copy or whose token is the one in use.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::routing::{self, Include};
use crate::client::Client;
use crate::home::Home;
use crate::resource::digest::Digest;
use crate::resource::entry::{EntryId, EntryName};
use crate::resource::file::{self, Kind};
use crate::resource::{Before, Target, Undo, block, keys, lock::Lock};
use crate::secret::{CodexAuth, CredentialsFile};
use crate::state::receipt::{Receipt, ReceiptEntry};

/// The receipt as far as it can be written again; `None` where there is no sign of an earlier
/// apply. `token`: the digest of the token of Claude Code that is configured now.
pub fn receipt(home: &Home, token: Option<&str>, now: Timestamp) -> Option<Receipt> {
    let mut entries: BTreeMap<EntryId, ReceiptEntry> =
        routing::includes(home).into_iter().filter_map(line).collect();
    // a line alone may have come with the user's dotfiles, from another home
    if home.state.join("ssh_config").is_file() {
        entries.extend(codex(home));
    }
    if !entries.is_empty() {
        entries.extend(token.and_then(|token| claude(home, token)));
    }
    (!entries.is_empty()).then(|| Receipt { entries, recovered: true, ..Receipt::new(now) })
}

fn line(include: Include) -> Option<(EntryId, ReceiptEntry)> {
    let Include { name, target, text, .. } = include;
    let content = file::observe(&target.path, target.kind).ok()??;
    let written = block::WrittenBlock { text, joined: false };
    let rest = block::remove(&content.bytes, &written)?;
    // a file with nothing else in it was made for the line
    let undo = Undo::Block { written, made: rest.is_empty() };
    Some((name.into(), ReceiptEntry { target, undo }))
}

fn codex(home: &Home) -> Option<(EntryId, ReceiptEntry)> {
    let login =
        |path: &Path| CodexAuth::parse(&file::observe(path, Kind::Secret).ok()??.bytes).ok();
    let path = home.clients.codex.login.clone();
    let copy_path = &home.codex_copy;
    let copy = login(copy_path)?;
    if !login(&path)?.same_account(&copy) {
        return None;
    }
    let wrote = Digest::of(&file::observe(copy_path, Kind::Secret).ok()??.bytes);
    let target = Target {
        path,
        kind: Kind::Secret,
        lock: Lock::Codex,
        malformed: crate::catalogue::Code::NotProvisioned,
    };
    Some((
        EntryName::Login(Client::Codex).into(),
        ReceiptEntry { target, undo: Undo::Whole { before: Before::Absent, wrote } },
    ))
}

fn claude(home: &Home, token: &str) -> Option<(EntryId, ReceiptEntry)> {
    let path = home.clients.claude.login.clone();
    let content = file::observe(&path, Kind::Secret).ok()??;
    let ours = matches!(CredentialsFile::parse(&content.bytes), CredentialsFile::SetupToken { digest, .. } if digest == token);
    let text = std::str::from_utf8(&content.bytes).ok().filter(|_| ours)?;
    let key = keys::adopt(text, &["claudeAiOauth".to_owned()])?;
    let undo = Undo::Keys { keys: vec![key], before: None, wrote: Digest::of(&content.bytes) };
    let target = Target {
        path,
        kind: Kind::Secret,
        lock: Lock::None,
        malformed: crate::catalogue::Code::ClaudeConfigMalformed,
    };
    Some((EntryName::Login(Client::Claude).into(), ReceiptEntry { target, undo }))
}
