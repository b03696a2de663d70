//! What is wanted of one file, what an edit of it comes to, and how it is undone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::digest::Digest;
use super::entry::EntryId;
use super::file::{self, Content, Kind};
use super::lock::Lock;
use super::rewrite::New;
use super::{block, keys, remote};
use crate::catalogue::{Code, Finding};

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
    pub(super) seen: DecidedOn,
}

/// The content on which an edit was decided.
#[derive(Debug)]
pub(super) enum DecidedOn {
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
    Whole { bytes: Bytes, mode: u32, expendable: bool },
    /// A program of ours, whose bytes were compared before: neither file is held in memory.
    Copy { from: PathBuf, mode: u32 },
    /// A file of ours goes away.
    Delete,
    /// Its content is another program's by now; only that it is private is ours to keep.
    Private,
    /// Our lines in a text file that we share.
    Block { text: String, place: block::Position },
    /// Our keys in a JSON file that we share.
    Keys(Vec<keys::Key>),
    /// Remotes of a git configuration: `back` is given up first.
    Remotes { exchanges: Vec<remote::Exchange>, back: Vec<remote::WrittenUrl> },
    /// The reverse of what was written: `saved` is what the undo folder holds for it. `descendant`:
    /// the content has changed since, but is still what we wrote in substance (a refreshed
    /// login).
    Revert { undo: Undo, saved: Option<Bytes>, descendant: bool },
}

/// How to undo what was written to one file. No content of a file that may hold a secret is
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
        written: block::WrittenBlock,
        /// The file was made for it.
        made: bool,
    },
    Keys {
        keys: Vec<keys::WrittenKey>,
        /// The exact bytes of before, as long as nobody else has written the file since.
        before: Option<Before>,
        wrote: Digest,
    },
    Remotes {
        urls: Vec<remote::WrittenUrl>,
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
    /// Whether there was no file before.
    pub fn is_of_new_file(&self) -> bool {
        match self {
            Self::Block { made, .. } => *made,
            Self::Remotes { .. } => false,
            Self::Whole { .. } | Self::Keys { .. } => self.before() == Some(&Before::Absent),
        }
    }

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
#[derive(Debug, PartialEq, Eq)]
pub enum EditVerdict {
    InSync,
    Change(FileChange),
    /// Changed by somebody else since we wrote it: left alone, for this reason.
    Kept(String),
    /// It cannot be written.
    Blocked(Finding),
}

/// A change that can be made, with what undoes it.
#[derive(Debug, PartialEq, Eq)]
pub struct FileChange {
    pub new: New,
    pub undo: Option<Undo>,
    /// Bytes to be put into the undo folder first.
    pub save: Option<Bytes>,
    /// Of what is undone: what somebody has changed since, and so stays.
    pub kept: Option<String>,
}

/// Why a change was not made.
#[derive(Debug)]
pub struct WriteRefusal {
    pub finding: Finding,
    /// Another program has written the file since the edit was decided: it is to be decided anew.
    pub outdated: bool,
}

impl Resource {
    /// One that the receipt knows how to undo.
    pub fn recorded(entry: impl Into<EntryId>, target: Target, edit: Edit) -> Self {
        Self { entry: Some(entry.into()), ..Self::unrecorded(target, edit) }
    }

    /// `finding`, with what works where a file that we share cannot be written: whoever makes the
    /// file, such as home-manager, can add our lines.
    pub fn refusal(&self, finding: Finding) -> Finding {
        match &self.edit {
            Edit::Block { text, place } if finding.code == Code::HomeReadOnly => {
                let lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let end = match place {
                    block::Position::Head => "the head",
                    block::Position::Tail => "the end",
                };
                let fix = format!(
                    "add `{lines}` at {end} of what makes this file (dotfiles, home-manager), or make it writable; then apply again"
                );
                Finding { fix: fix.into(), ..finding }
            }
            _ => finding,
        }
    }

    /// One that is removed with the state folder.
    pub fn unrecorded(target: Target, edit: Edit) -> Self {
        Self { entry: None, target, edit, seen: DecidedOn::Any }
    }

    /// One that was decided on this content: any other is not touched.
    pub fn on(self, content: Option<&Content>) -> Self {
        Self { seen: DecidedOn::Exactly(content.map(|content| Digest::of(&content.bytes))), ..self }
    }
}
