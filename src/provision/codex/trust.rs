//! The folders that Codex should trust.

use std::fmt::Write as _;

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::provision::trust::{Without, item, names};
use crate::provision::{Context, Item};
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target, Undo, block};
use crate::state::receipt::Desired;
use crate::state::subject::Subject;

/// One block of `[projects]` tables at the end of config.toml, for the folders that are not decided
/// there already.
pub fn trust(context: &Context, desired: &Desired) -> Option<Item> {
    let path = context.home.codex.join("config.toml");
    let undo = context.written(EntryName::CodexTrust, &path);
    let written = match undo {
        Some(Undo::Block { written, .. }) => Some(written),
        _ => None,
    };
    if desired.trusted_folders.is_empty() && written.is_none() {
        return None;
    }
    let target = Target {
        path: path.clone(),
        kind: Kind::Shared,
        lock: Lock::None,
        malformed: Code::CodexConfigMalformed,
    };
    let content = match file::observe(&path, Kind::Shared) {
        Ok(content) => content,
        Err(obstacle) => {
            return Some(Item::fail(Subject::CodexTrust, obstacle.finding(&path)));
        }
    };
    let bytes = content.as_ref().map_or(&[][..], |content| &content.bytes);
    // ours is judged apart: the same table twice is invalid TOML, and ours gives way
    let others =
        written.and_then(|written| block::remove(bytes, written)).unwrap_or_else(|| bytes.to_vec());
    let parsed = std::str::from_utf8(&others)
        .ok()
        .and_then(|text| text.parse::<toml_edit::DocumentMut>().ok());
    let Some(parsed) = parsed else {
        return Some(Item::warn(
            Subject::CodexTrust,
            Finding::new(
                Code::CodexConfigMalformed,
                format!("`{}` does not parse, so no folder was added", path.display()),
                "run `codex login status`: it names the line",
            ),
            Vec::new(),
        ));
    };
    let table = |folder: &String| parsed.get("projects").and_then(|projects| projects.get(folder));
    let decided = |folder: &String| table(folder).is_some();
    let mut text = String::new();
    let (folders, nameless) = names(&desired.trusted_folders);
    for folder in folders.iter().filter(|folder| !decided(folder)) {
        let name = toml_edit::Key::new(folder);
        let name = name.display_repr();
        let _ = write!(
            text,
            "[projects.{name}]
trust_level = \"trusted\"
"
        );
    }
    let joined = [parsed.to_string(), text.clone()].join("\n");
    if joined.parse::<toml_edit::DocumentMut>().is_err() {
        return Some(Item::warn(
            Subject::CodexTrust,
            Finding::new(
                Code::CodexUntrustedFolder,
                format!(
                    "`{}` has its projects in a form to which no table can be added",
                    path.display()
                ),
                "write them as `[projects.\"/folder\"]` tables, or trust the folder in Codex once",
            ),
            Vec::new(),
        ));
    }
    let edit = match (text.is_empty(), undo) {
        (true, Some(undo)) => {
            Some(Edit::Revert { undo: undo.clone(), saved: None, descendant: false })
        }
        (true, None) => None,
        (false, _) => Some(Edit::Block { text, place: block::Position::Tail }),
    };
    let id = context.id(EntryName::CodexTrust, &path);
    let resources: Vec<_> = edit
        .into_iter()
        .map(|edit| Resource::recorded(id.clone(), target.clone(), edit).on(content.as_ref()))
        .collect();
    // a second table of the name would be invalid, and this one is not ours
    let has_no_level =
        |folder: &&String| table(folder).is_some_and(|table| table.get("trust_level").is_none());
    let open: Vec<_> = folders.iter().filter(has_no_level).collect();
    let is_contrary = |folder: &&String| {
        let level = table(folder).and_then(|table| table.get("trust_level"));
        level.is_some_and(|level| level.as_str() != Some("trusted"))
    };
    let contrary: Vec<_> = folders.iter().filter(is_contrary).collect();
    let cure = format!(
        "add `trust_level = \"trusted\"` there in `{}`, or trust the folder in Codex once",
        path.display()
    );
    let levelless = Without::of(&open, "which has a table without a trust_level", cure);
    let cure = format!(
        "write `trust_level = \"trusted\"` there in `{}`, or leave the folder out",
        path.display()
    );
    let untrusted = Without::of(&contrary, "which has another trust_level", cure);
    let without: Vec<_> = nameless.into_iter().chain(levelless).chain(untrusted).collect();
    let count = folders.len() - open.len() - contrary.len();
    (!resources.is_empty() || !without.is_empty())
        .then(|| item(Subject::CodexTrust, Code::CodexUntrustedFolder, count, without, resources))
}
