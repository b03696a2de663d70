//! What an edit comes to: pure, from what was observed and what the receipt says.

use std::collections::BTreeSet;

use super::bytes::Bytes;
use super::digest::Digest;
use super::edit::{Before, Edit, EditVerdict, FileChange, Resource, Undo};
use super::file::{Content, Kind};
use super::place::Obstacle;
use super::rewrite::New;
use super::{block, json, keys, remote};
use crate::catalogue::Finding;
use crate::text::shell;

impl FileChange {
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
    ) -> EditVerdict {
        match observed {
            Err(obstacle) => EditVerdict::Blocked(obstacle.finding(&self.target.path)),
            Ok(old) => self.judge_content(old.as_ref(), written),
        }
    }

    pub(super) fn judge_content(
        &self,
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> EditVerdict {
        let open = old.filter(|old| self.target.kind == Kind::Secret && old.mode != 0o600);
        let verdict = match &self.edit {
            Edit::Private => EditVerdict::InSync,
            Edit::Whole { bytes, mode, expendable } => {
                self.whole(bytes, *mode, *expendable, old, written)
            }
            Edit::Copy { .. } => EditVerdict::Change(FileChange::plain(New::Copy)),
            Edit::Delete => match old {
                None => EditVerdict::InSync,
                Some(_) => EditVerdict::Change(FileChange::plain(New::Absent)),
            },
            Edit::Block { text, place } => insert(text, *place, old, written),
            Edit::Keys(keys) => self.set_keys(keys, old, written),
            Edit::Remotes { exchanges, back } => self.set_remotes(exchanges, back, old, written),
            Edit::Revert { undo, saved, descendant } => {
                return self.revert(undo, saved.as_ref(), *descendant, old);
            }
        };
        match (verdict, open) {
            (EditVerdict::InSync, Some(old)) => {
                EditVerdict::Change(FileChange::plain(New::Bytes {
                    bytes: old.bytes.clone(),
                    mode: 0o600,
                }))
            }
            (verdict, _) => verdict,
        }
    }

    fn whole(
        &self,
        wanted: &Bytes,
        mode: u32,
        expendable: bool,
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> EditVerdict {
        if old.is_some_and(|old| old.bytes == *wanted && old.mode == mode) {
            return EditVerdict::InSync;
        }
        let new = New::Bytes { bytes: wanted.clone(), mode };
        if self.entry.is_none() {
            return EditVerdict::Change(FileChange::plain(new));
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
        EditVerdict::Change(FileChange {
            new,
            undo: Some(Undo::Whole { before, wrote }),
            save,
            kept: None,
        })
    }

    fn set_keys(
        &self,
        keys: &[keys::Key],
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> EditVerdict {
        let Ok(text) = old.map(text).transpose() else {
            return EditVerdict::Blocked(self.malformed("it is not UTF-8"));
        };
        let asked = |known: &keys::WrittenKey| keys.iter().any(|key| key.path == known.path);
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
            Err(refusal) => return EditVerdict::Blocked(self.refused(&refusal)),
        };
        let (new, added) = match keys::set(cleared.as_deref().or(text), keys) {
            Ok(result) => result,
            Err(refusal) => return EditVerdict::Blocked(self.refused(&refusal)),
        };
        if added.is_empty() && cleared.as_deref().is_none_or(|cleared| Some(cleared) == text) {
            return EditVerdict::InSync;
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
        EditVerdict::Change(FileChange { new, undo: Some(undo), save, kept: None })
    }

    fn set_remotes(
        &self,
        exchanges: &[remote::Exchange],
        back: &[remote::WrittenUrl],
        old: Option<&Content>,
        written: Option<&Undo>,
    ) -> EditVerdict {
        let Some(old) = old else { return EditVerdict::InSync };
        let edited =
            remote::unset(&old.bytes, back).and_then(|(text, _)| remote::set(&text, exchanges));
        match edited {
            Err(malformed) => {
                EditVerdict::Blocked(self.malformed(&format!("line {}", malformed.line)))
            }
            Ok((new, _)) if new == *old.bytes => EditVerdict::InSync,
            Ok((new, added)) => {
                let mut urls = match written {
                    Some(Undo::Remotes { urls }) => urls.clone(),
                    _ => Vec::new(),
                };
                // the same exchange may stand there already: its reverse was interrupted, or the
                // user undid it
                let gone: BTreeSet<_> = back.iter().chain(&added).collect();
                urls.retain(|url| !gone.contains(url));
                urls.extend(added);
                let undo = Some(Undo::Remotes { urls });
                EditVerdict::Change(FileChange {
                    new: bytes(new, old.mode),
                    undo,
                    save: None,
                    kept: None,
                })
            }
        }
    }

    fn revert(
        &self,
        undo: &Undo,
        saved: Option<&Bytes>,
        descendant: bool,
        old: Option<&Content>,
    ) -> EditVerdict {
        let change = |new| EditVerdict::Change(FileChange::plain(new));
        let partly = |new, kept: Vec<String>| {
            let kept = (!kept.is_empty()).then(|| format!("changed since: {}", kept.join(", ")));
            match (new == *old.map_or(&[][..], |old| &old.bytes), kept) {
                (true, None) => EditVerdict::InSync,
                (true, Some(kept)) => EditVerdict::Kept(kept),
                (false, kept) => EditVerdict::Change(FileChange {
                    kept,
                    ..FileChange::plain(bytes(new, self.mode(old)))
                }),
            }
        };
        let restore = |before: &Before| match (before, saved) {
            (Before::Absent, _) => change(New::Absent),
            (Before::Saved { mode, .. }, Some(saved)) => {
                change(New::Bytes { bytes: saved.clone(), mode: *mode })
            }
            (Before::Saved { .. }, None) => {
                EditVerdict::Kept("the content that was there before is lost".to_owned())
            }
        };
        let Some(old) = old else {
            return match undo {
                // a loss caused by somebody else does not keep what was there before from coming
                // back
                Undo::Whole { before: before @ Before::Saved { .. }, .. } => restore(before),
                _ => EditVerdict::InSync,
            };
        };
        let now = Digest::of(&old.bytes);
        match undo {
            // interrupted before it was written
            Undo::Whole { before: Before::Saved { content, .. }, .. } if *content == now => {
                EditVerdict::InSync
            }
            Undo::Whole { before, wrote } if *wrote == now || descendant => restore(before),
            Undo::Whole { .. } => EditVerdict::Kept("it was changed since".to_owned()),
            Undo::Block { written, made } => match block::remove(&old.bytes, written) {
                None if block::names_ours(&old.bytes, written) => {
                    EditVerdict::Kept("pushready's lines were changed since".to_owned())
                }
                None => EditVerdict::InSync,
                Some(rest) if rest.is_empty() && *made => change(New::Absent),
                Some(rest) => {
                    let kept = match () {
                        () if block::names_ours(&rest, written) => {
                            Some("it contains a line of pushready twice")
                        }
                        () if rest.len() + written.text.trim_start_matches('\n').len()
                            > old.bytes.len() =>
                        {
                            Some("the header of pushready's section, to which lines were added")
                        }
                        () => None,
                    };
                    let new = bytes(rest, self.mode(Some(old)));
                    EditVerdict::Change(FileChange {
                        kept: kept.map(str::to_owned),
                        ..FileChange::plain(new)
                    })
                }
            },
            Undo::Keys { before: Some(before), wrote, .. } if *wrote == now => restore(before),
            Undo::Keys { keys, .. } => match text(old).map(|text| keys::unset(text, keys)) {
                Ok(Ok((new, kept))) => partly(new.into_bytes(), kept),
                Ok(Err(refusal)) => EditVerdict::Kept(self.refused(&refusal).summary),
                Err(()) => EditVerdict::Kept(self.malformed("it is not UTF-8").summary),
            },
            Undo::Remotes { urls } => match remote::unset(&old.bytes, urls) {
                Ok((new, kept)) => partly(new, kept),
                Err(malformed) => {
                    EditVerdict::Kept(self.malformed(&format!("line {}", malformed.line)).summary)
                }
            },
        }
    }

    fn mode(&self, old: Option<&Content>) -> u32 {
        old.filter(|_| self.target.kind == Kind::Shared).map_or(0o600, |old| old.mode)
    }

    fn refused(&self, refusal: &keys::KeyError) -> Finding {
        self.malformed(&match refusal {
            keys::KeyError::Malformed { line, column } => format!("line {line}, column {column}"),
            keys::KeyError::NoObject => "it is not a JSON object".to_owned(),
            keys::KeyError::TooManyProperties => {
                format!("an object in it has more than {} properties", json::MOST_PROPERTIES)
            }
            keys::KeyError::NotAnObject(key) => format!("`{key}` is not an object"),
        })
    }

    fn malformed(&self, why: &str) -> Finding {
        let path = &self.target.path;
        let word = shell(path);
        Finding::new(
            self.target.malformed,
            format!("`{}` does not parse: {why}", path.display()),
            format!("fix it, or move it away: `mv {word} {word}.away`"),
        )
    }
}

fn insert(
    text: &str,
    place: block::Position,
    old: Option<&Content>,
    written: Option<&Undo>,
) -> EditVerdict {
    let (previous, was_made) = match written {
        Some(Undo::Block { written, made }) => (Some(written), Some(*made)),
        _ => (None, None),
    };
    let mode = old.map_or(0o600, |old| old.mode);
    match block::insert(old.map_or(&[], |old| &old.bytes), text, place, previous) {
        None => EditVerdict::InSync,
        Some((new, now)) => EditVerdict::Change(FileChange {
            new: bytes(new, mode),
            undo: Some(Undo::Block { written: now, made: was_made.unwrap_or(old.is_none()) }),
            save: None,
            kept: None,
        }),
    }
}

/// The content that `before` refers to, where it is still in the file: after an interrupted
/// removal, that may be the only place.
fn to_be_saved(before: &Before, old: Option<&Content>) -> Option<Bytes> {
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
    New::Bytes { bytes: bytes.into(), mode }
}

fn text(content: &Content) -> Result<&str, ()> {
    std::str::from_utf8(&content.bytes).map_err(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::Code;
    use crate::client::Client;
    use crate::resource::Target;
    use crate::resource::entry::EntryName;
    use crate::resource::lock::Lock;

    /// Name, edit, what is there, what was written, what it comes to.
    type Row = (&'static str, Edit, File, Option<Undo>, EditVerdict);
    type File = Option<Content>;

    fn target(kind: Kind) -> Target {
        let path = "/home/dev/file".into();
        Target { path, kind, lock: Lock::None, malformed: Code::GitConfigInvalid }
    }

    fn check(kind: Kind, rows: Vec<Row>) {
        for (name, edit, old, written, expected) in rows {
            let resource = Resource::recorded(EntryName::Login(Client::Codex), target(kind), edit);
            assert_eq!(resource.judge(&Ok(old), written.as_ref()), expected, "{name}");
        }
    }

    fn content(bytes: &[u8], mode: u32) -> File {
        (!bytes.is_empty()).then(|| Content { bytes: bytes.to_vec().into(), mode })
    }

    fn file(text: &str, mode: u32) -> File {
        content(text.as_bytes(), mode)
    }

    fn not_utf8() -> File {
        content(b"\xff", 0o644)
    }

    fn whole(text: &str, expendable: bool) -> Edit {
        Edit::Whole { bytes: text.as_bytes().to_vec().into(), mode: 0o600, expendable }
    }

    fn saved(text: &str, mode: u32) -> Before {
        Before::Saved { content: Digest::of(text.as_bytes()), mode }
    }

    fn undo_whole(before: Before, wrote: &str) -> Undo {
        Undo::Whole { before, wrote: Digest::of(wrote.as_bytes()) }
    }

    fn revert(undo: Undo, saved: Option<&str>) -> Edit {
        let saved = saved.map(|text| text.as_bytes().to_vec().into());
        Edit::Revert { undo, saved, descendant: false }
    }

    fn write(text: &str, mode: u32) -> FileChange {
        FileChange::plain(bytes(text.into(), mode))
    }

    fn delete() -> EditVerdict {
        EditVerdict::Change(FileChange::plain(New::Absent))
    }

    fn change(text: &str, mode: u32) -> EditVerdict {
        EditVerdict::Change(write(text, mode))
    }

    fn undoable(text: &str, mode: u32, undo: Undo, save: Option<&str>) -> EditVerdict {
        let save = save.map(|text| text.as_bytes().to_vec().into());
        EditVerdict::Change(FileChange { undo: Some(undo), save, ..write(text, mode) })
    }

    fn partly(text: &str, mode: u32, kept: &str) -> EditVerdict {
        EditVerdict::Change(FileChange { kept: Some(kept.to_owned()), ..write(text, mode) })
    }

    fn kept(why: &str) -> EditVerdict {
        EditVerdict::Kept(why.to_owned())
    }

    fn malformed(why: &str) -> Finding {
        Finding::new(
            Code::GitConfigInvalid,
            format!("`/home/dev/file` does not parse: {why}"),
            "fix it, or move it away: `mv /home/dev/file /home/dev/file.away`",
        )
    }

    #[test]
    fn a_whole_file() {
        let ours = |before| Some(undo_whole(before, "ours"));
        let new = |before, save| undoable("new", 0o600, undo_whole(before, "new"), save);
        check(
            Kind::Own,
            vec![
                ("missing", whole("new", false), None, None, new(Before::Absent, None)),
                ("there", whole("new", false), file("new", 0o600), None, EditVerdict::InSync),
                (
                    "another mode",
                    whole("new", false),
                    file("new", 0o644),
                    None,
                    new(saved("new", 0o644), Some("new")),
                ),
                (
                    "of somebody else",
                    whole("new", false),
                    file("theirs", 0o640),
                    None,
                    new(saved("theirs", 0o640), Some("theirs")),
                ),
                (
                    "an older one of ours",
                    whole("new", false),
                    file("ours", 0o600),
                    ours(saved("theirs", 0o640)),
                    new(saved("theirs", 0o640), None),
                ),
                (
                    "ours, removed since",
                    whole("new", false),
                    None,
                    ours(saved("theirs", 0o640)),
                    new(saved("theirs", 0o640), None),
                ),
                (
                    "ours, changed since",
                    whole("new", false),
                    file("changed", 0o600),
                    ours(Before::Absent),
                    new(saved("changed", 0o600), Some("changed")),
                ),
                (
                    "ours, changed since, and nobody will want the change",
                    whole("new", true),
                    file("changed", 0o600),
                    ours(Before::Absent),
                    new(Before::Absent, None),
                ),
                (
                    "an interrupted removal had restored it",
                    whole("new", true),
                    file("theirs", 0o640),
                    ours(saved("theirs", 0o640)),
                    new(saved("theirs", 0o640), Some("theirs")),
                ),
            ],
        );
        let unrecorded = Resource::unrecorded(target(Kind::Own), whole("new", false));
        assert_eq!(unrecorded.judge(&Ok(file("theirs", 0o640)), None), change("new", 0o600));
    }

    #[test]
    fn deletion_and_privacy() {
        check(
            Kind::Own,
            vec![
                ("nothing to delete", Edit::Delete, None, None, EditVerdict::InSync),
                ("a file to delete", Edit::Delete, file("ours", 0o600), None, delete()),
                ("no secret", Edit::Private, file("text", 0o644), None, EditVerdict::InSync),
            ],
        );
        check(
            Kind::Secret,
            vec![
                ("private", Edit::Private, file("secret", 0o600), None, EditVerdict::InSync),
                ("open", Edit::Private, file("secret", 0o640), None, change("secret", 0o600)),
                ("missing", Edit::Private, None, None, EditVerdict::InSync),
            ],
        );
    }

    fn block(text: &str) -> Edit {
        Edit::Block { text: text.to_owned(), place: block::Position::Tail }
    }

    fn undo_block(text: &str, joined: bool, made: bool) -> Undo {
        let written = block::WrittenBlock { text: text.to_owned(), joined };
        Undo::Block { written, made }
    }

    #[test]
    fn lines_in_a_shared_file() {
        let written = |text, made| undo_block(text, false, made);
        check(
            Kind::Shared,
            vec![
                (
                    "missing",
                    block("[a]\n"),
                    None,
                    None,
                    undoable("[a]\n", 0o600, written("[a]\n", true), None),
                ),
                (
                    "of the user",
                    block("[a]\n"),
                    file("[u]\n", 0o644),
                    None,
                    undoable("[u]\n[a]\n", 0o644, written("[a]\n", false), None),
                ),
                ("there", block("[a]\n"), file("[u]\n[a]\n", 0o644), None, EditVerdict::InSync),
                (
                    "older lines of ours, in a file that we made",
                    block("[b]\n"),
                    file("[a]\n", 0o600),
                    Some(written("[a]\n", true)),
                    undoable("[b]\n", 0o600, written("[b]\n", true), None),
                ),
            ],
        );
        let lines = || undo_block("[p \"/x\"]\n\tk = 1\n", false, true);
        let ours = "[p \"/x\"]\n\tk = 1\n";
        let with = |before: &str, after: &str| file(&format!("{before}{ours}{after}"), 0o644);
        check(
            Kind::Shared,
            vec![
                ("alone", revert(lines(), None), with("", ""), None, delete()),
                ("missing", revert(lines(), None), None, None, EditVerdict::InSync),
                (
                    "with others",
                    revert(lines(), None),
                    with("[u]\n", ""),
                    None,
                    change("[u]\n", 0o644),
                ),
                ("gone", revert(lines(), None), file("[u]\n", 0o644), None, EditVerdict::InSync),
                (
                    "changed",
                    revert(lines(), None),
                    file("[p \"/x\"]\n\tk = 2\n", 0o644),
                    None,
                    kept("pushready's lines were changed since"),
                ),
                (
                    "twice",
                    revert(lines(), None),
                    with(ours, ""),
                    None,
                    partly(ours, 0o644, "it contains a line of pushready twice"),
                ),
                (
                    "continued",
                    revert(lines(), None),
                    with("[u]\n", "\tk = 2\n"),
                    None,
                    partly(
                        "[u]\n[p \"/x\"]\n\tk = 2\n",
                        0o644,
                        "it contains a line of pushready twice",
                    ),
                ),
            ],
        );
        let section = undo_block("[a]\n\tk = 1\n", false, false);
        check(
            Kind::Shared,
            vec![(
                "a section without a path, continued",
                revert(section, None),
                file("[a]\n\tk = 1\n\tk = 2\n", 0o644),
                None,
                partly(
                    "[a]\n\tk = 2\n",
                    0o644,
                    "the header of pushready's section, to which lines were added",
                ),
            )],
        );
    }

    fn keys(keys: &[(&str, Value)]) -> Edit {
        let key = |(name, value): &(&str, Value)| keys::Key {
            path: vec![(*name).to_owned()],
            value: value.clone(),
        };
        Edit::Keys(keys.iter().map(key).collect())
    }

    fn written_key(name: &str, wrote: &Value, before: Option<&str>) -> keys::WrittenKey {
        keys::WrittenKey {
            path: vec![name.to_owned()],
            wrote: Digest::of(wrote.to_string().as_bytes()),
            before: before.map(str::to_owned),
            made: 0,
        }
    }

    fn undo_keys(keys: Vec<keys::WrittenKey>, before: Option<Before>, wrote: &str) -> Undo {
        Undo::Keys { keys, before, wrote: Digest::of(wrote.as_bytes()) }
    }

    #[test]
    fn keys_in_a_shared_file() {
        let a = |before| written_key("a", &json!(1), before);
        let one = || keys(&[("a", json!(1))]);
        let blocked = |why| EditVerdict::Blocked(malformed(why));
        let replaced = undo_keys(vec![a(Some("2"))], Some(saved("{\"a\":2}", 0o644)), "{\"a\":1}");
        check(
            Kind::Shared,
            vec![
                (
                    "missing",
                    one(),
                    None,
                    None,
                    undoable(
                        "{\n  \"a\": 1\n}\n",
                        0o600,
                        undo_keys(vec![a(None)], Some(Before::Absent), "{\n  \"a\": 1\n}\n"),
                        None,
                    ),
                ),
                ("there", one(), file("{\"a\":1}", 0o644), None, EditVerdict::InSync),
                (
                    "another value",
                    one(),
                    file("{\"a\":2}", 0o644),
                    None,
                    undoable("{\"a\":1}", 0o644, replaced, Some("{\"a\":2}")),
                ),
                (
                    "a key that is no longer wanted",
                    keys(&[]),
                    file("{\"a\":1}", 0o644),
                    Some(undo_keys(vec![a(Some("2"))], None, "{\"a\":1}")),
                    undoable("{\"a\":2}", 0o644, undo_keys(vec![], None, "{\"a\":2}"), None),
                ),
                (
                    "written by somebody else in between",
                    keys(&[("a", json!(1)), ("b", json!(3))]),
                    file("{\"a\":1,\"c\":0}", 0o644),
                    Some(undo_keys(vec![a(None)], Some(Before::Absent), "{\"a\":1}")),
                    undoable(
                        "{\"a\":1,\"c\":0,\"b\":3}",
                        0o644,
                        undo_keys(
                            vec![a(None), written_key("b", &json!(3), None)],
                            None,
                            "{\"a\":1,\"c\":0,\"b\":3}",
                        ),
                        None,
                    ),
                ),
                ("not UTF-8", one(), not_utf8(), None, blocked("it is not UTF-8")),
                ("no JSON", one(), file("{\"a\":}", 0o644), None, blocked("line 1, column 6")),
                ("no object", one(), file("[1]", 0o644), None, blocked("it is not a JSON object")),
            ],
        );
        // of a secret the receipt has a digest alone
        let secret =
            Resource::recorded(EntryName::Login(Client::Codex), target(Kind::Secret), one());
        let undo = undo_keys(vec![a(None)], Some(saved("{\"a\":2}", 0o600)), "{\"a\":1}");
        let expected = undoable("{\"a\":1}", 0o600, undo, Some("{\"a\":2}"));
        assert_eq!(secret.judge(&Ok(file("{\"a\":2}", 0o600)), None), expected);
    }

    #[test]
    fn keys_are_reverted() {
        let undo =
            |before| undo_keys(vec![written_key("a", &json!(1), Some("2"))], before, "{\"a\":1}");
        let whole = || undo(Some(saved("{ \"a\": 2 }", 0o640)));
        check(
            Kind::Shared,
            vec![
                (
                    "untouched since: the exact bytes",
                    revert(whole(), Some("{ \"a\": 2 }")),
                    file("{\"a\":1}", 0o644),
                    None,
                    change("{ \"a\": 2 }", 0o640),
                ),
                (
                    "another key was added",
                    revert(whole(), Some("{ \"a\": 2 }")),
                    file("{\"a\":1,\"b\":0}", 0o644),
                    None,
                    change("{\"a\":2,\"b\":0}", 0o644),
                ),
                (
                    "the key was changed",
                    revert(whole(), None),
                    file("{\"a\":3}", 0o644),
                    None,
                    kept("changed since: a"),
                ),
                ("gone", revert(undo(None), None), file("{}", 0o644), None, EditVerdict::InSync),
                ("missing", revert(whole(), None), None, None, EditVerdict::InSync),
                (
                    "no JSON",
                    revert(whole(), None),
                    file("{", 0o644),
                    None,
                    kept("`/home/dev/file` does not parse: line 1, column 2"),
                ),
                (
                    "not UTF-8",
                    revert(whole(), None),
                    not_utf8(),
                    None,
                    kept("`/home/dev/file` does not parse: it is not UTF-8"),
                ),
            ],
        );
        let two =
            vec![written_key("a", &json!(1), Some("2")), written_key("b", &json!(1), Some("2"))];
        check(
            Kind::Shared,
            vec![(
                "one of two was changed",
                revert(undo_keys(two, None, ""), None),
                file("{\"a\":1,\"b\":3}", 0o644),
                None,
                partly("{\"a\":2,\"b\":3}", 0o644, "changed since: b"),
            )],
        );
    }

    #[test]
    fn a_whole_file_is_reverted() {
        let made = || undo_whole(Before::Absent, "ours");
        let replaced = || undo_whole(saved("theirs", 0o640), "ours");
        check(
            Kind::Own,
            vec![
                ("made by us", revert(made(), None), file("ours", 0o600), None, delete()),
                (
                    "replaced by us",
                    revert(replaced(), Some("theirs")),
                    file("ours", 0o600),
                    None,
                    change("theirs", 0o640),
                ),
                (
                    "what it replaced is lost",
                    revert(replaced(), None),
                    file("ours", 0o600),
                    None,
                    kept("the content that was there before is lost"),
                ),
                (
                    "interrupted before it was written",
                    revert(replaced(), Some("theirs")),
                    file("theirs", 0o640),
                    None,
                    EditVerdict::InSync,
                ),
                (
                    "changed since",
                    revert(made(), None),
                    file("changed", 0o600),
                    None,
                    kept("it was changed since"),
                ),
                (
                    "changed since, still ours in substance",
                    Edit::Revert { undo: made(), saved: None, descendant: true },
                    file("changed", 0o600),
                    None,
                    delete(),
                ),
                ("removed since", revert(made(), None), None, None, EditVerdict::InSync),
                (
                    "removed since, and something was there before",
                    revert(replaced(), Some("theirs")),
                    None,
                    None,
                    change("theirs", 0o640),
                ),
            ],
        );
    }

    const HTTPS: &str = "[remote \"o\"]\n\turl = https://h/o/r\n";
    const SSH: &str = "[remote \"o\"]\n\turl = git@h:o/r.git\n";

    fn exchange() -> remote::Exchange {
        remote::Exchange {
            remote: "o".to_owned(),
            key: "url".to_owned(),
            from: "https://h/o/r".to_owned(),
            to: "git@h:o/r.git".to_owned(),
            without_credential: None,
        }
    }

    fn written_url() -> remote::WrittenUrl {
        remote::WrittenUrl {
            remote: "o".to_owned(),
            key: "url".to_owned(),
            wrote: "git@h:o/r.git".to_owned(),
            nth: 0,
            before: "https://h/o/r".to_owned(),
        }
    }

    #[test]
    fn remotes_of_a_configuration() {
        let switch = || Edit::Remotes { exchanges: vec![exchange()], back: vec![] };
        let back = || Edit::Remotes { exchanges: vec![], back: vec![written_url()] };
        let undo = |urls| Undo::Remotes { urls };
        let recorded = || undo(vec![written_url()]);
        check(
            Kind::Shared,
            vec![
                ("missing", switch(), None, None, EditVerdict::InSync),
                (
                    "an HTTPS remote",
                    switch(),
                    file(HTTPS, 0o644),
                    None,
                    undoable(SSH, 0o644, recorded(), None),
                ),
                ("switched", switch(), file(SSH, 0o644), Some(recorded()), EditVerdict::InSync),
                (
                    "switched back by the user, and recorded still",
                    switch(),
                    file(HTTPS, 0o644),
                    Some(recorded()),
                    undoable(SSH, 0o644, recorded(), None),
                ),
                (
                    "no longer wanted",
                    back(),
                    file(SSH, 0o644),
                    Some(recorded()),
                    undoable(HTTPS, 0o644, undo(vec![]), None),
                ),
                (
                    "malformed",
                    switch(),
                    file("[remote\n", 0o644),
                    None,
                    EditVerdict::Blocked(malformed("line 1")),
                ),
                (
                    "reverted",
                    revert(recorded(), None),
                    file(SSH, 0o644),
                    None,
                    change(HTTPS, 0o644),
                ),
                (
                    "reverted, after the user changed it",
                    revert(recorded(), None),
                    file(&SSH.replace("git@h", "git@elsewhere"), 0o644),
                    None,
                    kept("changed since: remote.o.url"),
                ),
                (
                    "reverted, and malformed",
                    revert(recorded(), None),
                    file("[remote\n", 0o644),
                    None,
                    kept("`/home/dev/file` does not parse: line 1"),
                ),
            ],
        );
    }

    #[test]
    fn an_obstacle_blocks_every_edit() {
        let resource = Resource::recorded(
            EntryName::Login(Client::Codex),
            target(Kind::Secret),
            whole("new", false),
        );
        let EditVerdict::Blocked(finding) = resource.judge(&Err(Obstacle::Symlink), None) else {
            panic!("not blocked");
        };
        assert_eq!(finding.code, Code::HomeUnsafePlace);
    }
}
