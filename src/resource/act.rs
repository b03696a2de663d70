//! Looks at the file of a resource, and changes it.

use std::io;

use super::digest::Digest;
use super::edit::{DecidedOn, Edit, EditVerdict, FileChange, Resource, Target, Undo, WriteRefusal};
use super::file::{self, Content};
use super::place::{self, Obstacle};
use super::rewrite::{self, New, rewrite};
use crate::catalogue::{Code, Finding};

impl Resource {
    /// Looks at the file as the edit will see it.
    pub fn observe(&self) -> Result<Option<Content>, Obstacle> {
        let Target { path, kind, .. } = &self.target;
        match self.edit {
            Edit::Delete | Edit::Copy { .. } => {
                place::check_path(path)?;
                file::observe_unread(path, *kind)
            }
            _ => observe(&self.target),
        }
    }

    /// Why the file could not be changed, where that is known before.
    pub fn unchangeable(&self) -> Option<Finding> {
        let Target { path, kind, lock, .. } = &self.target;
        let obstacle = rewrite::unchangeable(path, *kind, *lock)?;
        Some(obstacle.finding(path))
    }

    /// Makes the change, judged again on what is there by then. `record` is called with that
    /// and with what undoes the change before anything is written.
    pub fn act(
        &self,
        written: Option<&Undo>,
        mut record: impl FnMut(Option<&Content>, &FileChange) -> io::Result<()>,
    ) -> Result<(), WriteRefusal> {
        let Target { path, kind, lock, .. } = &self.target;
        let unread = match &self.edit {
            Edit::Delete => Some(rewrite::delete(path, *kind)),
            Edit::Copy { from, mode } => Some(rewrite::copy(from, path, *kind, *mode)),
            _ => None,
        };
        if let Some(done) = unread {
            let refusal = |obstacle: Obstacle| WriteRefusal {
                finding: obstacle.finding(path),
                outdated: false,
            };
            return done.map_err(refusal);
        }
        let result = rewrite(path, *kind, *lock, |old| {
            if let DecidedOn::Exactly(seen) = &self.seen
                && *seen != old.map(|old| Digest::of(&old.bytes))
            {
                return Err(Stop::Outdated);
            }
            match self.judge_content(old, written) {
                EditVerdict::InSync | EditVerdict::Kept(_) => Ok(New::Unchanged),
                EditVerdict::Blocked(finding) => Err(Stop::Finding(finding)),
                EditVerdict::Change(change) => {
                    record(old, &change).map_err(Obstacle::Io)?;
                    Ok(change.new)
                }
            }
        });
        result.map_err(|stop| WriteRefusal {
            outdated: matches!(stop, Stop::Outdated),
            finding: match stop {
                Stop::Finding(finding) => finding,
                Stop::Obstacle(obstacle) => obstacle.finding(path),
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

/// Looks at a target as most edits will see it.
pub fn observe(target: &Target) -> Result<Option<Content>, Obstacle> {
    place::check_path(&target.path)?;
    file::observe(&target.path, target.kind)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::entry::EntryName;
    use super::super::file::Kind;
    use super::super::lock::Lock;

    use super::*;
    use crate::client::Client;

    fn resource(path: &Path) -> Resource {
        let target = Target {
            path: path.to_owned(),
            kind: Kind::Secret,
            lock: Lock::None,
            malformed: Code::NotProvisioned,
        };
        let edit = Edit::Whole { bytes: b"ours".to_vec().into(), mode: 0o600, expendable: true };
        Resource::recorded(EntryName::Login(Client::Codex), target, edit)
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
                move |_: Option<&Content>, _: &FileChange| std::fs::write(&path, content)
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
