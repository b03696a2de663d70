//! How one kind of thing is observed, judged, changed and undone. Every kind is a pure edit of one
//! file's bytes: the plan runs it on what it observed, the act runs it again under the file's lock,
//! and removal runs its reverse.

pub mod block;
pub mod digest;
pub mod entry;
pub mod file;
pub mod json;
mod judge;
pub mod keys;
pub mod lock;
pub mod place;
pub mod remote;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::resource::digest::Digest;
use entry::EntryId;
use file::{Content, Kind, New};
use lock::Lock;
use place::Obstacle;

/// A file and how it is to be treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub path: PathBuf,
    pub kind: Kind,
    pub lock: Lock,
    /// What is reported when it does not parse.
    pub malformed: Code,
}

impl Target {
    /// The folders that a write makes, outermost first: where the file is a link, those of its
    /// target.
    pub fn missing_folders(&self) -> Vec<PathBuf> {
        let real = match self.kind {
            Kind::Shared => file::resolve(&self.path).unwrap_or_else(|_| self.path.clone()),
            Kind::Own | Kind::Secret => self.path.clone(),
        };
        file::missing_folders(&real)
    }
}

/// What is wanted of one file.
#[derive(Debug)]
pub struct Resource {
    /// The entry of the receipt that says how to undo it. `None`: a file in the state folder, which
    /// is removed with that folder.
    pub entry: Option<EntryId>,
    pub target: Target,
    pub edit: Edit,
    /// What the edit was decided on.
    seen: Seen,
}

/// The content on which an edit was decided.
#[derive(Debug)]
enum Seen {
    /// It is right for any.
    Any,
    /// It is for this one alone, or for no file.
    Exactly(Option<Digest>),
}

/// The closed set of kinds.
#[derive(Debug)]
pub enum Edit {
    /// A whole file that we own, with its permission bits. What is replaced, and was not written by
    /// us, is what a removal puts back, unless it is `expendable`: nobody will want it.
    Whole { bytes: Zeroizing<Vec<u8>>, mode: u32, expendable: bool },
    /// A file of ours goes away.
    Delete,
    /// Its content is another program's by now; only that it is private is ours to keep.
    Private,
    /// Our lines in a text file that we share.
    Block { text: String, place: block::Place },
    /// Our keys in a JSON file that we share.
    Keys(Vec<keys::Key>),
    /// Remotes of a git configuration: `back` is given up first.
    Remotes { exchanges: Vec<remote::Exchange>, back: Vec<remote::Written> },
    /// The reverse of what was written: `saved` is what the undo folder holds for it. `descendant`:
    /// the content has changed since, but is still what we wrote in substance (a refreshed
    /// login).
    Revert { undo: Undo, saved: Option<Zeroizing<Vec<u8>>>, descendant: bool },
}

/// How to undo what was written to one file. No content of a file that may hold a secret stands
/// here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Undo {
    Whole {
        before: Before,
        wrote: Digest,
    },
    Block {
        #[serde(flatten)]
        written: block::Written,
        /// The file was made for it.
        made: bool,
    },
    Keys {
        keys: Vec<keys::Written>,
        /// The exact bytes of before, as long as nobody else has written the file since.
        before: Option<Before>,
        wrote: Digest,
    },
    Remotes {
        urls: Vec<remote::Written>,
    },
}

/// What stood at a place before we first wrote there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    Absent,
    /// In the undo folder, under the name of its digest.
    Saved {
        content: Digest,
        mode: u32,
    },
}

impl Undo {
    /// What stood there before, where it was kept whole.
    pub fn before(&self) -> Option<&Before> {
        match self {
            Self::Whole { before, .. } => Some(before),
            Self::Keys { before, .. } => before.as_ref(),
            Self::Block { .. } | Self::Remotes { .. } => None,
        }
    }
}

/// What an edit comes to.
#[derive(Debug)]
pub enum Verdict {
    InSync,
    Change(Change),
    /// Changed by somebody else since we wrote it: left alone, for this reason.
    Kept(String),
    /// It cannot be written.
    Blocked(Finding),
}

/// A change that can be made, with what undoes it.
#[derive(Debug)]
pub struct Change {
    pub new: New,
    pub undo: Option<Undo>,
    /// Bytes to be put into the undo folder first.
    pub save: Option<Zeroizing<Vec<u8>>>,
    /// Of what is taken back: what somebody has changed since, and so stays.
    pub kept: Option<String>,
}

/// Why a change was not made.
#[derive(Debug)]
pub struct Refusal {
    pub finding: Finding,
    /// Another program has written the file since the edit was decided: it is to be decided anew.
    pub outdated: bool,
}

impl Resource {
    /// One that the receipt knows how to undo.
    pub fn recorded(entry: impl Into<EntryId>, target: Target, edit: Edit) -> Self {
        Self { entry: Some(entry.into()), ..Self::unrecorded(target, edit) }
    }

    /// One that is removed with the state folder.
    pub fn unrecorded(target: Target, edit: Edit) -> Self {
        Self { entry: None, target, edit, seen: Seen::Any }
    }

    /// One that was decided on this content: any other is not touched.
    pub fn on(self, content: Option<&Content>) -> Self {
        Self { seen: Seen::Exactly(content.map(|content| Digest::of(&content.bytes))), ..self }
    }

    /// Makes the change, judged again on what stands there by then. `record` is called with that
    /// and with what undoes the change before anything is written.
    pub fn act(
        &self,
        written: Option<&Undo>,
        mut record: impl FnMut(Option<&Content>, &Change) -> io::Result<()>,
    ) -> Result<(), Refusal> {
        let Target { path, kind, lock, .. } = &self.target;
        let result = file::rewrite(path, *kind, *lock, |old| {
            if let Seen::Exactly(seen) = &self.seen
                && *seen != old.map(|old| Digest::of(&old.bytes))
            {
                return Err(Stop::Outdated);
            }
            match self.judge_content(old, written) {
                Verdict::InSync | Verdict::Kept(_) => Ok(New::Unchanged),
                Verdict::Blocked(finding) => Err(Stop::Finding(finding)),
                Verdict::Change(change) => {
                    record(old, &change).map_err(Obstacle::Io)?;
                    Ok(change.new)
                }
            }
        });
        result.map_err(|stop| Refusal {
            outdated: matches!(stop, Stop::Outdated),
            finding: match stop {
                Stop::Finding(finding) => finding,
                Stop::Obstacle(obstacle) => obstructed(&obstacle, path),
                Stop::Outdated => Finding::new(
                    Code::HomeFileLocked,
                    format!("another program writes `{}` at the same time", path.display()),
                    "run `pushready apply` again once that program is done",
                ),
            },
        })
    }
}

enum Stop {
    Finding(Finding),
    Obstacle(Obstacle),
    Outdated,
}

impl From<Obstacle> for Stop {
    fn from(obstacle: Obstacle) -> Self {
        Self::Obstacle(obstacle)
    }
}

/// Looks at a target as its edit will see it.
pub fn observe(target: &Target) -> Result<Option<Content>, Obstacle> {
    place::named(&target.path)?;
    file::observe(&target.path, target.kind)
}

/// What to report of an obstacle at `path`.
pub fn obstructed(obstacle: &Obstacle, path: &Path) -> Finding {
    if let Obstacle::Lock(lock, obstacle) = obstacle {
        return obstructed(obstacle, lock);
    }
    let (say, hint) = obstacle.explain(path);
    let code = match obstacle {
        Obstacle::Io(error) if error.kind() == io::ErrorKind::StorageFull => Code::HomeDiskFull,
        Obstacle::Io(error) if error.kind() == io::ErrorKind::QuotaExceeded => Code::HomeDiskFull,
        Obstacle::OtherOwner(_) => Code::HomeOtherOwner,
        Obstacle::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Code::HomeFileLocked,
        Obstacle::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            Code::HomeReadOnly
        }
        Obstacle::Io(_) => Code::HomeIoError,
        _ => Code::HomeUnsafePlace,
    };
    Finding::new(code, say, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &Path) -> Resource {
        let target = Target {
            path: path.to_owned(),
            kind: Kind::Secret,
            lock: Lock::None,
            malformed: Code::NotProvisioned,
        };
        let edit = Edit::Whole { bytes: b"ours".to_vec().into(), mode: 0o600, expendable: true };
        Resource::recorded(entry::EntryName::CodexAuth, target, edit)
    }

    /// Another program writes at the last moment before our change: `record` is called then.
    #[test]
    fn what_was_decided_on_another_content_is_not_done() {
        for before in [None, Some("before")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            if let Some(before) = before {
                std::fs::write(&path, before).unwrap();
            }
            let seen = file::observe(&path, Kind::Secret).unwrap();
            let write = |content: &'static str| {
                let path = path.clone();
                move |_: Option<&Content>, _: &Change| std::fs::write(&path, content)
            };
            let refusal = resource(&path).on(seen.as_ref()).act(None, write("theirs")).unwrap_err();
            assert!(refusal.outdated, "{refusal:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
            // an edit that is right for any content is made on the new one
            resource(&path).act(None, write("theirs")).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "ours");
        }
    }
}
