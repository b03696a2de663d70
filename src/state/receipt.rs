//! The receipt: what is provisioned, without secrets, and how to undo every change outside the
//! state folder. It is written before the changes that it lists, so that an interrupted run can be
//! finished or undone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::Code;
use crate::client::Client;
use crate::error::{Error, Exit, Result};
use crate::git::url::Repository;
use crate::home::Home;
use crate::resource::digest::Digest;
use crate::resource::entry::{EntryId, EntryName};
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;
use crate::resource::{self, Resource, Target, Undo};
use crate::state::git_identity::GitIdentity;
use crate::state::logins::Logins;
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::text::shell;

/// Raised when an older binary could no longer undo what a newer one wrote.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub schema_version: u32,
    pub tool: String,
    pub version: String,
    /// When apply last changed anything.
    pub provisioned_at: Timestamp,
    pub desired: Desired,
    /// Folders that we made, outermost first.
    pub folders: Vec<PathBuf>,
    pub entries: BTreeMap<EntryId, ReceiptEntry>,
    /// It was lost once, and put together from what is known to be ours: what else was written is
    /// not in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovered: bool,
    /// A removal was begun, and could not be finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
    /// While an apply is running, and after one that was interrupted: what was there before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
}

/// What must be known, after an interruption, to find out which steps had been taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnderWay {
    #[serde(flatten)]
    pub logins: Logins,
    pub steps: BTreeMap<EntryId, Was>,
}

/// One file before the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Was {
    pub undo: Option<Undo>,
    /// `None`: there was no file.
    pub content: Option<Digest>,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptEntry {
    #[serde(flatten)]
    pub target: Target,
    pub undo: Undo,
}

/// What was configured at the last apply that had the variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Desired {
    pub repositories: Vec<RepositoryRecord>,
    #[serde(flatten)]
    pub logins: Logins,
    /// Lines for known_hosts, by where they came from.
    pub host_keys: BTreeMap<SecretOrigin, Vec<String>>,
    pub trusted_folders: Vec<PathBuf>,
    pub remotes_roots: Vec<PathBuf>,
    #[serde(skip_serializing_if = "GitIdentity::is_empty")]
    pub identity: GitIdentity,
    pub require: Vec<String>,
    pub refused: Vec<Refused>,
}

impl Desired {
    /// Whether nothing at all was configured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it has a login, a key or a trusted folder, and not settings for these alone.
    pub fn is_of_use(&self) -> bool {
        !self.repositories.is_empty()
            || !self.trusted_folders.is_empty()
            || Client::ALL.iter().any(|client| self.logins.has(*client))
    }

    /// The lines for known_hosts of every origin, none twice.
    pub fn known_hosts(&self) -> BTreeSet<&str> {
        self.host_keys.values().flatten().map(String::as_str).collect()
    }

    /// The folders that are searched for clones.
    pub fn roots(&self, home: &Home) -> Vec<PathBuf> {
        match &self.remotes_roots[..] {
            [] => vec![home.path.clone()],
            roots => roots.to_vec(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// As its canonical SSH remote.
    #[serde(rename = "url")]
    pub repository: Repository,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    pub algorithm: String,
    pub origin: SecretOrigin,
}

/// An item that was configured and could not be put in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub item: Subject,
    pub code: Code,
    /// Where the value came from, if it was the value that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

impl Refused {
    pub fn new(item: Subject, code: Code) -> Self {
        Self { item, code, via: None }
    }
}

/// The part that every version of the format has.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

impl Receipt {
    pub fn new(now: Timestamp) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            provisioned_at: now,
            desired: Desired::default(),
            folders: Vec::new(),
            entries: BTreeMap::new(),
            recovered: false,
            removing: false,
            under_way: None,
        }
    }

    /// The one that is made together with the state folder: an apply has begun, and nothing is
    /// known of it yet.
    pub fn beginning(now: Timestamp) -> Self {
        Self { under_way: Some(UnderWay::default()), ..Self::new(now) }
    }

    /// Nothing is provisioned, as far as it says.
    pub fn is_of_nothing(&self) -> bool {
        self.desired.is_empty() && self.entries.is_empty()
    }

    /// The name of the entry for the file at `path`. Where CODEX_HOME and its like name another
    /// folder than at the last apply, the file there is one more to undo, not the same.
    pub fn id(&self, name: EntryName, path: &Path) -> EntryId {
        let id = EntryId::from(name);
        match self.entries.get(&id) {
            Some(entry) if !file::is_same(&entry.target.path, path) => {
                EntryId { path: Some(path.to_owned()), ..id }
            }
            _ => id,
        }
    }

    /// How to undo what was written to the file of this resource.
    pub fn undo(&self, resource: &Resource) -> Option<&Undo> {
        Some(&self.entries.get(resource.entry.as_ref()?)?.undo)
    }

    /// Whether there is an entry of this name, for whichever folder.
    pub fn knows(&self, name: &EntryName) -> bool {
        self.entries.keys().any(|id| id.name == *name)
    }

    pub fn path(state: &Path) -> PathBuf {
        state.join("receipt.json")
    }

    /// The receipt of the last apply, if there is one. Refused when a newer version wrote it.
    pub fn load(state: &Path) -> Result<Option<Self>> {
        let path = Self::path(state);
        if path.symlink_metadata().is_ok() {
            super::check(state)?;
        }
        let unreadable = |cause: String| {
            // out of the state folder, for what is left there is not ours to remove
            let (from, to) =
                (shell(&path), shell(&state.with_file_name("pushready-receipt.damaged")));
            Error::new(format!("cannot read the receipt `{}`", path.display())).because(cause).hint(format!(
                "move it away (`mv {from} {to}`) and apply again, then remove undoes what is known to be \
                 pushready's; the damaged receipt may show what else was written"
            ))
        };
        let content = match file::observe(&path, Kind::Own) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            Err(Obstacle::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Error::new(format!("cannot read the receipt `{}`", path.display()))
                    .because(error.to_string())
                    .hint("run `pushready apply`: it restores the mode of a file of this user's"));
            }
            Err(obstacle) => return Err(unreadable(obstacle.finding(&path).summary)),
        };
        let Version { schema_version } = serde_json::from_slice(&content.bytes)
            .map_err(|error| unreadable(error.to_string()))?;
        if schema_version > SCHEMA_VERSION {
            return Err(Error::new(format!(
                "the receipt `{}` has schema version {schema_version}, and this pushready knows {SCHEMA_VERSION}",
                path.display()
            ))
            .hint(format!(
                "nothing was changed; run the newer pushready: `{}`",
                state.join("bin/pushready").display()
            ))
            .exit(Exit::NotReady));
        }
        serde_json::from_slice(&content.bytes)
            .map(Some)
            .map_err(|error| unreadable(error.to_string()))
    }

    pub fn save(&self, state: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        text.push('\n');
        file::write(&Self::path(state), text.as_bytes(), 0o600)
    }

    /// Ends the removal that was begun: of a file that it has removed nothing is left to undo. Its
    /// absence does not mean that the user logged out.
    fn forget_removed(&mut self) {
        self.entries.retain(|_, entry| !entry.undo.is_of_new_file() || entry.target.path.exists());
        self.forget_removed_logins();
    }

    /// Forgets the logins of which no entry is left.
    pub fn forget_removed_logins(&mut self) {
        let Self { entries, desired, .. } = self;
        let is_known = |name| entries.keys().any(|id| id.name == name);
        desired.logins.retain(|client| is_known(EntryName::Login(client)));
    }

    /// Ends the run that was under way: where a file is still as it was before, so is what the
    /// receipt says of it; a login that it did not come to is among what was refused. False if
    /// there was none.
    pub fn settle(&mut self) -> bool {
        if self.removing {
            self.forget_removed();
        }
        let Some(UnderWay { logins, steps }) = self.under_way.take() else { return false };
        for (id, was) in steps {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let untouched = resource::observe(&entry.target)
                .is_ok_and(|now| now.map(|now| Digest::of(&now.bytes)) == was.content);
            if !untouched {
                continue;
            }
            // for whichever folder: see `id`
            if let EntryName::Login(client) = id.name
                && self.desired.logins.restore(client, &logins)
            {
                let refused = Refused::new(Subject::Login(client), Code::NotProvisioned);
                self.desired.refused.push(refused);
            }
            match was.undo {
                Some(undo) => entry.undo = undo,
                None => drop(self.entries.remove(&id)),
            }
        }
        self.folders.retain(|folder| folder.exists());
        true
    }

    /// Notes what could not be put in place: status and doctor know only the receipt. What is
    /// accepted here is not a failure there either.
    pub fn refuse(&mut self, failures: impl Iterator<Item = Refused>, accepted: &[Code]) {
        let counts = |refused: &Refused| !accepted.contains(&refused.code);
        self.desired.refused.extend(failures.filter(counts));
    }

    /// Whether both say the same, whenever that was.
    pub fn same(&self, other: &Self) -> bool {
        Self { provisioned_at: self.provisioned_at, version: self.version.clone(), ..other.clone() }
            == *self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::client::Client;

    /// Written by the first version, with two folders of Codex and with refused items.
    const FIRST: &str = include_str!("../../tests/receipts/0.1.0.json");

    #[test]
    fn a_receipt_of_the_first_version_is_read_and_written_as_it_was() {
        let receipt: Receipt = serde_json::from_str(FIRST).unwrap();
        assert_eq!(serde_json::to_string_pretty(&receipt).unwrap() + "\n", FIRST);
        assert!(receipt.entries.keys().all(|id| !matches!(id.name, EntryName::Unknown(_))));
        let path = Path::new("/home/coder/other/auth.json");
        let id = receipt.id(EntryName::Login(Client::Codex), path);
        assert_eq!(receipt.entries.get(&id).unwrap().target.path, path);
        assert!(receipt.knows(&EntryName::Config(Client::Codex)));
    }

    /// Root alone may make it another user's.
    #[test]
    fn the_receipt_of_another_user_is_refused() {
        use std::os::unix::fs::chown;
        let folder = tempfile::tempdir().unwrap();
        let file = Receipt::path(folder.path());
        std::fs::write(&file, FIRST).unwrap();
        assert!(Receipt::load(folder.path()).unwrap().is_some());
        for path in [&*file, folder.path()] {
            if chown(path, Some(4321), None).is_ok() {
                assert!(Receipt::load(folder.path()).is_err(), "{}", path.display());
                chown(path, Some(0), None).unwrap();
            }
        }
    }

    #[test]
    fn what_a_removal_has_removed_is_not_ours_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        std::fs::write(&there, "").unwrap();
        let first: Receipt = serde_json::from_str(FIRST).unwrap();
        let second = EntryId {
            name: EntryName::Login(Client::Codex),
            path: Some("/home/coder/other/auth.json".into()),
        };
        let mut entry = first.entries[&second].clone();
        for (removing, path, known) in [
            (true, folder.path().join("gone"), false),
            (true, there, true),
            // the user logged out
            (false, folder.path().join("gone"), true),
        ] {
            entry.target.path = path;
            let entries = BTreeMap::from([(EntryName::Login(Client::Codex).into(), entry.clone())]);
            let mut receipt = Receipt { entries, removing, ..first.clone() };
            receipt.settle();
            assert_eq!(receipt.knows(&EntryName::Login(Client::Codex)), known, "{removing}");
            assert_eq!(receipt.desired.logins.codex.is_some(), known, "{removing}");
        }
    }

    #[test]
    fn what_a_later_version_names_is_kept() {
        let mut receipt: Value = serde_json::from_str(FIRST).unwrap();
        let entry = receipt["entries"]["ssh.include"].clone();
        receipt["entries"]["zed.settings:/a/b"] = entry.clone();
        receipt["desired"]["refused"][0]["item"] = json!("zed");
        receipt["under_way"] = json!({"codex": null, "claude": null, "steps": {"zed.settings": {"undo": null, "content": null}}});
        let read: Receipt = serde_json::from_value(receipt.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), receipt);
    }
}
