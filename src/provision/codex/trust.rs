//! The folders that Codex should trust.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::client::Client;
use crate::provision::trust::{Without, item, names};
use crate::provision::{Item, ProvisionContext};
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::toml::{self, TomlRefusal};
use crate::resource::{Edit, Resource, Target, Undo, block};
use crate::state::receipt::Desired;
use crate::state::subject::Subject;

/// One block of `[projects]` tables at the end of config.toml, for the folders that are not decided
/// there already.
pub fn trust(context: &ProvisionContext, desired: &Desired) -> Option<Item> {
    let path = context.home.clients.codex.config.clone();
    let undo = context.written(EntryName::Config(Client::Codex), &path);
    let written = match undo {
        Some(Undo::Block { written, .. }) => Some(written),
        _ => None,
    };
    if desired.trusted_folders.is_empty() && written.is_none() {
        return None;
    }
    let content = match file::observe(&path, Kind::Shared) {
        Ok(content) => content,
        Err(obstacle) => {
            return Some(Item::fail(Subject::Trust(Client::Codex), obstacle.finding(&path)));
        }
    };
    let bytes = content.as_ref().map_or(&[][..], |content| &content.bytes);
    // our block is judged apart: the same table twice is invalid TOML, and ours gives way
    let others =
        written.and_then(|written| block::remove(bytes, written)).unwrap_or_else(|| bytes.to_vec());
    let (folders, nameless) = names(&desired.trusted_folders);
    let judged = match judge(&others, &folders) {
        Ok(judged) => judged,
        Err(unfit) => {
            return Some(Item::warn(
                Subject::Trust(Client::Codex),
                unfit.finding(&path),
                Vec::new(),
            ));
        }
    };
    let edit = match (judged.added.is_empty(), undo) {
        (true, Some(undo)) => {
            Some(Edit::Revert { undo: undo.clone(), saved: None, descendant: false })
        }
        (true, None) => None,
        (false, _) => {
            Some(Edit::Block { text: judged.added.clone(), place: block::Position::Tail })
        }
    };
    let resource = edit.map(|edit| {
        let id = context.id(EntryName::Config(Client::Codex), &path);
        let (kind, lock) = (Kind::Shared, Lock::None);
        let malformed = Code::CodexConfigMalformed;
        let target = Target { path: path.clone(), kind, lock, malformed };
        Resource::recorded(id, target, edit).on(content.as_ref())
    });
    let without: Vec<_> = nameless.into_iter().chain(judged.without(&path)).collect();
    (resource.is_some() || !without.is_empty()).then(|| {
        let resources = resource.into_iter().collect();
        item(
            Subject::Trust(Client::Codex),
            Code::CodexUntrustedFolder,
            judged.trusted,
            without,
            resources,
        )
    })
}

/// What a configuration says of the folders, and what is to be added to it.
#[derive(Debug, PartialEq, Eq)]
struct JudgedTrust {
    /// The tables of the folders that it does not name.
    added: String,
    /// How many folders are trusted once they are added.
    trusted: usize,
    /// Folders with a table without a trust level. A second table would be invalid, and this one is
    /// not ours.
    no_level: Vec<String>,
    /// Folders with another trust level.
    other_level: Vec<String>,
}

/// Why nothing can be added to a configuration.
#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    Malformed,
    TooManyParts,
    /// Its projects are written in a form to which no table can be added.
    Inline,
}

/// Pure. `others`: the configuration without our block.
fn judge(others: &[u8], folders: &BTreeSet<String>) -> Result<JudgedTrust, Unfit> {
    let text = std::str::from_utf8(others).map_err(|_| Unfit::Malformed)?;
    let parse = |text: &str| {
        toml::parse(text, &mut { toml::PARTS }).map_err(|refusal| match refusal {
            TomlRefusal::TooManyParts => Unfit::TooManyParts,
            TomlRefusal::NotToml(_) => Unfit::Malformed,
        })
    };
    let parsed = parse(text)?;
    let projects = parsed.get("projects");
    let mut judged = JudgedTrust {
        added: String::new(),
        trusted: 0,
        no_level: Vec::new(),
        other_level: Vec::new(),
    };
    for folder in folders {
        let table = projects.and_then(|projects| projects.get(folder));
        let level = table.map(|table| table.get("trust_level"));
        match level {
            None => {
                let key = toml_edit::Key::new(folder);
                let name = key.display_repr();
                let _ = write!(judged.added, "[projects.{name}]\ntrust_level = \"trusted\"\n");
                judged.trusted += 1;
            }
            Some(None) => judged.no_level.push(folder.clone()),
            Some(Some(level)) if level.as_str() == Some("trusted") => judged.trusted += 1,
            Some(Some(_)) => judged.other_level.push(folder.clone()),
        }
    }
    drop(parsed);
    let joined = format!("{text}\n{}", judged.added);
    match parse(&joined) {
        Ok(_) => Ok(judged),
        Err(Unfit::TooManyParts) => Err(Unfit::TooManyParts),
        Err(_) => Err(Unfit::Inline),
    }
}

impl JudgedTrust {
    /// The folders that are not trusted, with the fix for each.
    fn without(&self, path: &Path) -> impl Iterator<Item = Without> {
        let path = path.display();
        let no_level = Without::of(
            &self.no_level,
            "which has a table without a trust_level",
            format!(
                "add `trust_level = \"trusted\"` there in `{path}`, or trust the folder in Codex once"
            ),
        );
        let other_level = Without::of(
            &self.other_level,
            "which has another trust_level",
            format!("write `trust_level = \"trusted\"` there in `{path}`, or leave the folder out"),
        );
        no_level.into_iter().chain(other_level)
    }
}

impl Unfit {
    fn finding(&self, path: &Path) -> Finding {
        let path = path.display();
        match self {
            Self::Malformed => Finding::new(
                Code::CodexConfigMalformed,
                format!("`{path}` does not parse, so no folder was added"),
                "run `codex login status`: it names the line",
            ),
            Self::TooManyParts => Finding::new(
                Code::CodexConfigMalformed,
                format!("`{path}` has more keys and values than are read, so no folder was added"),
                "trust the folder in Codex once, or write a shorter file",
            ),
            Self::Inline => Finding::new(
                Code::CodexUntrustedFolder,
                format!("`{path}` has `projects` in a form to which pushready cannot add a table"),
                "write them as `[projects.\"/folder\"]` tables, or trust the folder in Codex once",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_added_where_the_configuration_does_not_name_it() {
        const ADDED: &str = "[projects.\"/a\"]\ntrust_level = \"trusted\"\n";
        let judged = |added: &str, trusted, no_level: &[&str], other_level: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            Ok(JudgedTrust {
                added: added.to_owned(),
                trusted,
                no_level: owned(no_level),
                other_level: owned(other_level),
            })
        };
        for (text, expected) in [
            ("", judged(ADDED, 1, &[], &[])),
            ("model = \"x\"\r\n[projects.\"/b\"]\n", judged(ADDED, 1, &[], &[])),
            ("[projects.\"/a\"]\ntrust_level = \"trusted\"", judged("", 1, &[], &[])),
            ("[projects.\"/a\"]\ntrust_level = \"untrusted\"", judged("", 0, &[], &["/a"])),
            ("[projects.\"/a\"]\ntrust_level = 1", judged("", 0, &[], &["/a"])),
            ("[projects.\"/a\"]\n", judged("", 0, &["/a"], &[])),
            ("projects = {\"/a\" = {trust_level = \"trusted\"}}", judged("", 1, &[], &[])),
            ("projects = {\"/b\" = {}}", Err(Unfit::Inline)),
            ("projects = 1", Err(Unfit::Inline)),
            ("[projects", Err(Unfit::Malformed)),
        ] {
            let folders = BTreeSet::from(["/a".to_owned()]);
            assert_eq!(judge(text.as_bytes(), &folders), expected, "{text}");
        }
        assert_eq!(judge(b"\xff", &BTreeSet::new()), Err(Unfit::Malformed));
    }
}
