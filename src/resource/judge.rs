//! What an edit comes to: pure, from what was observed and what the receipt says.

use zeroize::Zeroizing;

use super::file::{Content, Kind, New};
use super::place::Obstacle;
use super::{Before, Change, Edit, Resource, Undo, Verdict, block, keys, obstructed, remote};
use crate::catalogue::Finding;
use crate::error::shell;
use crate::resource::digest::Digest;

impl Change {
    /// One that the receipt need not know how to undo.
    fn plain(new: New) -> Self {
        Self { new, undo: None, save: None, kept: None }
    }
}

impl Resource {
    /// What to do, from what was observed and from what the receipt says was `written` here before.
    /// Pure.
    pub fn judge(
        &self,
        observed: &Result<Option<Content>, Obstacle>,
        written: Option<&Undo>,
    ) -> Verdict {
        match observed {
            Err(obstacle) => Verdict::Blocked(obstructed(obstacle, &self.target.path)),
            Ok(old) => self.judge_content(old.as_ref(), written),
        }
    }

    pub(super) fn judge_content(&self, old: Option<&Content>, written: Option<&Undo>) -> Verdict {
        let open = old.filter(|old| self.target.kind == Kind::Secret && old.mode != 0o600);
        let verdict = match &self.edit {
            Edit::Private => Verdict::InSync,
            Edit::Whole { bytes, mode, expendable } => {
                self.whole(bytes, *mode, *expendable, old, written)
            }
            Edit::Delete => match old {
                None => Verdict::InSync,
                Some(_) => Verdict::Change(Change::plain(New::Absent)),
            },
            Edit::Block { text, place } => insert(text, *place, old, written),
            Edit::Keys(keys) => self.set_keys(keys, old, written),
            Edit::Remotes { exchanges, back } => self.set_remotes(exchanges, back, old, written),
            Edit::Revert { undo, saved, descendant } => {
                return self.revert(undo, saved.as_ref(), *descendant, old);
            }
        };
        match (verdict, open) {
            (Verdict::InSync, Some(old)) => {
                Verdict::Change(Change::plain(New::Bytes { bytes: old.bytes.clone(), mode: 0o600 }))
            }
            (verdict, _) => verdict,
        }
    }

    fn whole(
        &self,
        wanted: &Zeroizing<Vec<u8>>,
        mode: u32,
        expendable: bool,
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> Verdict {
        if old.is_some_and(|old| old.bytes == *wanted && old.mode == mode) {
            return Verdict::InSync;
        }
        let new = New::Bytes { bytes: wanted.clone(), mode };
        if self.entry.is_none() {
            return Verdict::Change(Change::plain(new));
        }
        let wrote = Digest::of(wanted);
        let now = old.map(|old| Digest::of(&old.bytes));
        let before = match (written, now) {
            (Some(Undo::Whole { before, wrote }), now)
                if now.as_ref().is_none_or(|now| now == wrote || expendable) =>
            {
                before.clone()
            }
            _ => before(old),
        };
        let save = to_be_saved(&before, old);
        Verdict::Change(Change { new, undo: Some(Undo::Whole { before, wrote }), save, kept: None })
    }

    fn set_keys(
        &self,
        keys: &[keys::Key],
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> Verdict {
        let Ok(text) = old.map(text).transpose() else {
            return Verdict::Blocked(self.malformed("it is not UTF-8"));
        };
        let asked = |known: &keys::Written| keys.iter().any(|key| key.path == known.path);
        let dropped: Vec<_> = match written {
            Some(Undo::Keys { keys, .. }) => {
                keys.iter().filter(|known| !asked(known)).cloned().collect()
            }
            _ => Vec::new(),
        };
        let cleared = match text
            .filter(|_| !dropped.is_empty())
            .map(|text| keys::unset(text, &dropped))
            .transpose()
        {
            Ok(cleared) => cleared.map(|(text, _)| text),
            Err(refusal) => return Verdict::Blocked(self.refused(&refusal)),
        };
        let (new, added) = match keys::set(cleared.as_deref().or(text), keys) {
            Ok(result) => result,
            Err(refusal) => return Verdict::Blocked(self.refused(&refusal)),
        };
        if added.is_empty() && cleared.as_deref().is_none_or(|cleared| Some(cleared) == text) {
            return Verdict::InSync;
        }
        let (before, mut all) = match written {
            // the bytes of before are right while ours were the last hands on the file, or have
            // just put them back
            Some(Undo::Keys { keys, before: whole, wrote }) => {
                let untouched = old.is_some_and(|old| Digest::of(&old.bytes) == *wrote);
                (whole.clone().filter(|whole| untouched || *whole == before(old)), keys.clone())
            }
            _ => (Some(before(old)), Vec::new()),
        };
        all.retain(asked);
        for mut key in added {
            // of a secret the receipt holds a digest alone; the file of before is kept whole, in
            // the undo folder
            key.before = key.before.filter(|_| self.target.kind != Kind::Secret);
            match all.iter_mut().find(|known| known.path == key.path) {
                Some(known) => known.wrote = key.wrote,
                None => all.push(key),
            }
        }
        let save = before.as_ref().and_then(|before| to_be_saved(before, old));
        let undo = Undo::Keys { keys: all, before, wrote: Digest::of(new.as_bytes()) };
        let new = bytes(new.into_bytes(), self.mode(old));
        Verdict::Change(Change { new, undo: Some(undo), save, kept: None })
    }

    fn set_remotes(
        &self,
        exchanges: &[remote::Exchange],
        back: &[remote::Written],
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> Verdict {
        let Some(old) = old else { return Verdict::InSync };
        let edited =
            remote::unset(&old.bytes, back).and_then(|(text, _)| remote::set(&text, exchanges));
        match edited {
            Err(malformed) => Verdict::Blocked(self.malformed(&format!("line {}", malformed.line))),
            Ok((new, _)) if new == **old.bytes => Verdict::InSync,
            Ok((new, added)) => {
                let mut urls = match written {
                    Some(Undo::Remotes { urls }) => urls.clone(),
                    _ => Vec::new(),
                };
                // the same exchange may stand there already: its reverse was interrupted, or the
                // user undid it
                urls.retain(|url| !back.contains(url) && !added.contains(url));
                urls.extend(added);
                let undo = Some(Undo::Remotes { urls });
                Verdict::Change(Change { new: bytes(new, old.mode), undo, save: None, kept: None })
            }
        }
    }

    fn revert(
        &self,
        undo: &Undo,
        saved: Option<&Zeroizing<Vec<u8>>>,
        descendant: bool,
        old: Option<&Content>,
    ) -> Verdict {
        let change = |new| Verdict::Change(Change::plain(new));
        let partly = |new, kept: Vec<String>| {
            let kept = (!kept.is_empty()).then(|| format!("changed since: {}", kept.join(", ")));
            match (new == *old.map_or(&[][..], |old| &old.bytes), kept) {
                (true, None) => Verdict::InSync,
                (true, Some(kept)) => Verdict::Kept(kept),
                (false, kept) => {
                    Verdict::Change(Change { kept, ..Change::plain(bytes(new, self.mode(old))) })
                }
            }
        };
        let restore = |before: &Before| match (before, saved) {
            (Before::Absent, _) => change(New::Absent),
            (Before::Saved { mode, .. }, Some(saved)) => {
                change(New::Bytes { bytes: saved.clone(), mode: *mode })
            }
            (Before::Saved { .. }, None) => {
                Verdict::Kept("what stood there before is lost".to_owned())
            }
        };
        let Some(old) = old else {
            return match undo {
                // a loss caused by somebody else does not keep what was there before from coming
                // back
                Undo::Whole { before: before @ Before::Saved { .. }, .. } => restore(before),
                _ => Verdict::InSync,
            };
        };
        let now = Digest::of(&old.bytes);
        match undo {
            // interrupted before it was written
            Undo::Whole { before: Before::Saved { content, .. }, .. } if *content == now => {
                Verdict::InSync
            }
            Undo::Whole { before, wrote } if *wrote == now || descendant => restore(before),
            Undo::Whole { .. } => Verdict::Kept("it was changed since".to_owned()),
            Undo::Block { written, made } => match block::remove(&old.bytes, written) {
                None if block::names_ours(&old.bytes, written) => {
                    Verdict::Kept("our lines were changed since".to_owned())
                }
                None => Verdict::InSync,
                Some(rest) if rest.is_empty() && *made => change(New::Absent),
                Some(rest) => {
                    let kept = match () {
                        () if block::names_ours(&rest, written) => {
                            Some("a line of ours stands there twice")
                        }
                        () if rest.len() + written.text.trim_start_matches('\n').len()
                            > old.bytes.len() =>
                        {
                            Some("the header of our section, to which somebody has added")
                        }
                        () => None,
                    };
                    let new = bytes(rest, self.mode(Some(old)));
                    Verdict::Change(Change { kept: kept.map(str::to_owned), ..Change::plain(new) })
                }
            },
            Undo::Keys { before: Some(before), wrote, .. } if *wrote == now => restore(before),
            Undo::Keys { keys, .. } => match text(old).map(|text| keys::unset(text, keys)) {
                Ok(Ok((new, kept))) => partly(new.into_bytes(), kept),
                Ok(Err(refusal)) => Verdict::Kept(self.refused(&refusal).summary),
                Err(()) => Verdict::Kept(self.malformed("it is not UTF-8").summary),
            },
            Undo::Remotes { urls } => match remote::unset(&old.bytes, urls) {
                Ok((new, kept)) => partly(new, kept),
                Err(malformed) => {
                    Verdict::Kept(self.malformed(&format!("line {}", malformed.line)).summary)
                }
            },
        }
    }

    fn mode(&self, old: Option<&Content>) -> u32 {
        old.filter(|_| self.target.kind == Kind::Shared).map_or(0o600, |old| old.mode)
    }

    fn refused(&self, refusal: &keys::Refusal) -> Finding {
        self.malformed(&match refusal {
            keys::Refusal::Malformed { line, column } => format!("line {line}, column {column}"),
            keys::Refusal::NoObject => "it holds no JSON object".to_owned(),
            keys::Refusal::NotAnObject(key) => format!("`{key}` is not an object"),
        })
    }

    fn malformed(&self, why: &str) -> Finding {
        let path = &self.target.path;
        let word = shell(path);
        Finding::new(
            self.target.malformed,
            format!("`{}` does not parse: {why}", path.display()),
            format!("mend it, or move it away: `mv {word} {word}.away`"),
        )
    }
}

fn insert(
    text: &str,
    place: block::Place,
    old: Option<&Content>,
    written: Option<&Undo>,
) -> Verdict {
    let (previous, was_made) = match written {
        Some(Undo::Block { written, made }) => (Some(written), Some(*made)),
        _ => (None, None),
    };
    let mode = old.map_or(0o600, |old| old.mode);
    match block::insert(old.map_or(&[], |old| &old.bytes), text, place, previous) {
        None => Verdict::InSync,
        Some((new, now)) => Verdict::Change(Change {
            new: bytes(new, mode),
            undo: Some(Undo::Block { written: now, made: was_made.unwrap_or(old.is_none()) }),
            save: None,
            kept: None,
        }),
    }
}

/// The content that `before` refers to, where it is still in the file: after an interrupted
/// removal, that may be the only place.
fn to_be_saved(before: &Before, old: Option<&Content>) -> Option<Zeroizing<Vec<u8>>> {
    let old = old.filter(
        |old| matches!(before, Before::Saved { content, .. } if *content == Digest::of(&old.bytes)),
    );
    old.map(|old| old.bytes.clone())
}

fn before(old: Option<&Content>) -> Before {
    old.map_or(Before::Absent, |old| Before::Saved {
        content: Digest::of(&old.bytes),
        mode: old.mode,
    })
}

fn bytes(bytes: Vec<u8>, mode: u32) -> New {
    New::Bytes { bytes: Zeroizing::new(bytes), mode }
}

fn text(content: &Content) -> Result<&str, ()> {
    std::str::from_utf8(&content.bytes).map_err(drop)
}
