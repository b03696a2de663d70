//! The settings files of Claude Code, read once and within a bound: a repository has some of them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::form;
use crate::doctor::context::Context;
use crate::doctor::outcome::Judgement;
use crate::git_cli::clones;
use crate::json;
use crate::resource::file::{self, Kind};
use crate::resource::json::object;

/// What an administrator sets, and the folder of more such files.
const MANAGED: &str = "/etc/claude-code/managed-settings.json";
const MORE_MANAGED: &str = "/etc/claude-code/managed-settings.d";

/// Of all files together. The largest in the field take some hundred kilobytes.
const MOST_MEMORY: usize = 16 << 20;

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsOrigin {
    Administrator,
    /// It came with a repository: whoever can push to it can set it.
    Project,
    User,
}

pub struct SettingsFile {
    pub path: PathBuf,
    pub value: Value,
    pub origin: SettingsOrigin,
}

impl SettingsFile {
    pub fn is_of_project(&self) -> bool {
        self.origin == SettingsOrigin::Project
    }
}

/// What counts in the folder of a run.
#[derive(Default)]
pub struct ClaudeSettings {
    /// The strongest first: an administrator's, the work tree's and the folder's own, the
    /// repository's, the user's (2.1.330, measured).
    pub files: Vec<SettingsFile>,
    /// Those of an administrator that Claude Code cannot read: it does not start.
    pub malformed: Vec<PathBuf>,
    /// Those that Claude Code ignores, each because of this setting.
    pub misshapen: Vec<(PathBuf, &'static str)>,
    /// Those that Claude Code may read and that were not read here, and why.
    unread: Vec<(PathBuf, String)>,
}

impl ClaudeSettings {
    pub fn of<'c>(context: &'c Context) -> &'c Self {
        context.gathered.get(|| Self::read(context))
    }

    fn read(context: &Context) -> Self {
        let mut left = MOST_MEMORY;
        let mut settings = Self::default();
        let mut paths: Vec<_> =
            managed().into_iter().map(|path| (path, SettingsOrigin::Administrator)).collect();
        if let Some(folder) = &context.folder {
            let origin = if *folder == context.home.path {
                SettingsOrigin::User
            } else {
                SettingsOrigin::Project
            };
            let top = work_tree(folder).filter(|top| *top != context.home.path && top != folder);
            let local = top.map(|top| top.join(".claude/settings.local.json"));
            paths.extend(local.map(|path| (path, SettingsOrigin::Project)));
            for name in ["settings.local.json", "settings.json"] {
                paths.push((folder.join(".claude").join(name), origin));
            }
        }
        let user = context.home.clients.claude.folder.join("settings.json");
        paths.push((user, SettingsOrigin::User));
        for (path, origin) in paths {
            let content = match file::observe(&path, Kind::Shared) {
                Ok(Some(content)) => content,
                Ok(None) => continue,
                Err(obstacle) => {
                    let why = obstacle.finding(&path).summary;
                    settings.unread.push((path, why));
                    continue;
                }
            };
            match parse(&content.bytes, &mut left) {
                Ok(value @ Value::Object(_)) => {
                    let fault = form::misshapen(&value);
                    match fault.filter(|_| origin != SettingsOrigin::Administrator) {
                        Some(name) => settings.misshapen.push((path, name)),
                        None => settings.files.push(SettingsFile { path, value, origin }),
                    }
                }
                Err(SettingsRefusal::Unread) => {
                    let name = context.home.shown(&path);
                    let why =
                        format!("`{name}` has more keys and values than are read, or odd ones");
                    settings.unread.push((path, why));
                }
                Ok(_) | Err(SettingsRefusal::Malformed)
                    if origin == SettingsOrigin::Administrator =>
                {
                    settings.malformed.push(path);
                }
                // Claude Code ignores it
                Ok(_) | Err(SettingsRefusal::Malformed) => {}
            }
        }
        settings.add_config(context, &mut left);
        settings
    }

    /// The variables of `.claude.json`, which Claude Code sets as well, below those of all settings.
    /// The other values of that file, which may be large, are not decoded.
    fn add_config(&mut self, context: &Context, left: &mut usize) {
        let path = context.home.clients.claude.config.clone();
        let text = file::text(&path);
        let Some(env) = object(&text).ok().and_then(|config| {
            let range = config.get("env")?.value.clone();
            text.get(range)
        }) else {
            return;
        };
        if let Ok(env) = json::read(env.as_bytes(), left) {
            let value = serde_json::json!({ "env": env });
            self.files.push(SettingsFile { path, value, origin: SettingsOrigin::User });
        } else {
            let why = "`env` in .claude.json has more values than are read, or odd ones";
            self.unread.push((path, why.to_owned()));
        }
    }

    /// What follows for a check that depends on the settings.
    pub fn unread(&self) -> impl Iterator<Item = Judgement> {
        self.unread.iter().map(|(path, why)| {
            let needs = "settings of Claude Code of normal size, in regular files";
            Judgement::unknown(why, needs).about(path.display().to_string())
        })
    }
}

/// The files of an administrator, the strongest first.
fn managed() -> Vec<PathBuf> {
    let more = fs::read_dir(MORE_MANAGED).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = more.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("json")));
    paths.sort();
    paths.reverse();
    paths.push(PathBuf::from(MANAGED));
    paths
}

/// Why there are no settings.
#[derive(Debug, PartialEq, Eq)]
enum SettingsRefusal {
    Malformed,
    /// It is JSON for Claude Code, and more than is read here.
    Unread,
}

/// A blank file sets nothing. Pure.
fn parse(bytes: &[u8], left: &mut usize) -> Result<Value, SettingsRefusal> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    json::read(bytes, left).map_err(|error| {
        // half a surrogate pair, a number without bounds, bytes that are not UTF-8
        if error.is_data() || object(&String::from_utf8_lossy(bytes)).is_ok() {
            SettingsRefusal::Unread
        } else {
            SettingsRefusal::Malformed
        }
    })
}

/// The top of the work tree that contains the folder, whose `settings.local.json` counts in all
/// folders below it. Of a linked work tree it is the main one's (2.1.330, measured).
fn work_tree(folder: &Path) -> Option<PathBuf> {
    let top = folder.ancestors().find(|above| above.join(".git").exists())?;
    if !file::text(&top.join(".git")).contains("/worktrees/") {
        return Some(top.to_owned());
    }
    let main = clones::git_folder(top).filter(|git| git.ends_with(".git"))?;
    main.parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_claude_code_reads_is_never_as_good_as_absent() {
        let objects = format!("{{\"a\":[{}0]}}", "{\"a\":0},".repeat(10_000));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        for (text, expected) in [
            ("", Ok("{}")),
            (" \n", Ok("{}")),
            ("\u{feff}{\"a\":1}", Ok("{\"a\":1}")),
            // the last of equal names counts
            ("{\"env\":{\"a\":1},\"env\":{\"a\":2}}", Ok("{\"env\":{\"a\":2}}")),
            ("[]", Ok("[]")),
            ("{\"a\":", Err(SettingsRefusal::Malformed)),
            ("{\"a\":1} x", Err(SettingsRefusal::Malformed)),
            (&objects, Err(SettingsRefusal::Unread)),
            (&deep, Err(SettingsRefusal::Unread)),
            ("{\"a\":\"\\ud83d\"}", Err(SettingsRefusal::Unread)),
            ("{\"a\":1e999}", Err(SettingsRefusal::Unread)),
        ] {
            let parsed = parse(text.as_bytes(), &mut (1 << 20)).map(|value| value.to_string());
            let start: String = text.chars().take(30).collect();
            assert_eq!(
                parsed.as_deref().map_err(|_| ()),
                expected.as_ref().map(|it| *it).map_err(|_| ()),
                "{start}"
            );
            assert_eq!(parsed.err(), expected.err(), "{start}");
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}", &mut 1000), Err(SettingsRefusal::Unread));
    }
}
