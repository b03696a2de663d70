//! The settings files of Claude Code, read once and within a bound: a repository has some of them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::form;
use crate::doctor::context::Context;
use crate::doctor::outcome::Judgement;
use crate::git_cli::clones;
use crate::json;
use crate::resource::file::{self, Kind};
use crate::resource::json::object;
use crate::resource::place::Obstacle;

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

/// Why Claude Code ignores a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsFault {
    Unreadable,
    NotAnObject,
    /// The form of this setting is wrong.
    Form(&'static str),
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
    /// Those of an administrator with which Claude Code does not start.
    pub malformed: Vec<PathBuf>,
    /// Those that Claude Code ignores, and why.
    pub ignored: Vec<(PathBuf, SettingsFault)>,
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
            let content = file::observe(&path, Kind::Shared).map_err(|obstacle| {
                SettingsRefusal::of(&obstacle, origin)
                    .unwrap_or_else(|| SettingsRefusal::Unread(obstacle.finding(&path).summary))
            });
            let value = content.and_then(|content| {
                let name = context.home.shown(&path);
                let read = |content: file::Content| value(&name, &content.bytes, origin, &mut left);
                content.map(read).transpose()
            });
            match value {
                Ok(Some(value)) => settings.files.push(SettingsFile { path, value, origin }),
                Ok(None) => {}
                Err(SettingsRefusal::Stops) => settings.malformed.push(path),
                Err(SettingsRefusal::Ignored(why)) => settings.ignored.push((path, why)),
                Err(SettingsRefusal::Unread(why)) => settings.unread.push((path, why)),
            }
        }
        if let Err(error) = fs::read_dir(MORE_MANAGED)
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            settings.ignored.push((PathBuf::from(MORE_MANAGED), SettingsFault::Unreadable));
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
    // folders with such a name are ignored
    paths.retain(|path| path.extension() == Some(OsStr::new("json")) && !path.is_dir());
    paths.sort();
    paths.reverse();
    paths.push(PathBuf::from(MANAGED));
    paths
}

/// What becomes of a file that has no settings for us (2.1.330, measured).
#[derive(Debug, PartialEq, Eq)]
enum SettingsRefusal {
    /// Claude Code does not start.
    Stops,
    Ignored(SettingsFault),
    /// Claude Code may read it; why it is not read here.
    Unread(String),
}

impl SettingsRefusal {
    /// `None` where Claude Code may read the file. It starts without an administrator's file that
    /// only its mode keeps from it.
    fn of(obstacle: &Obstacle, origin: SettingsOrigin) -> Option<Self> {
        let is_closed = match obstacle {
            Obstacle::Io(error) => error.kind() == io::ErrorKind::PermissionDenied,
            Obstacle::NotRegular(_) => false,
            _ => return None,
        };
        let stops = origin == SettingsOrigin::Administrator && !is_closed;
        Some(if stops { Self::Stops } else { Self::Ignored(SettingsFault::Unreadable) })
    }
}

/// The settings in a file of this name. Pure.
fn value(
    name: &str,
    bytes: &[u8],
    origin: SettingsOrigin,
    left: &mut usize,
) -> Result<Value, SettingsRefusal> {
    let is_managed = origin == SettingsOrigin::Administrator;
    let fault = match parse(bytes, left) {
        Ok(value @ Value::Object(_)) if is_managed => return Ok(value),
        Ok(value @ Value::Object(_)) => match form::misshapen(&value) {
            Some(name) => SettingsFault::Form(name),
            None => return Ok(value),
        },
        Err(ParseError::Unread) => {
            let why = format!("`{name}` has more keys and values than are read, or odd ones");
            return Err(SettingsRefusal::Unread(why));
        }
        Ok(_) | Err(ParseError::Malformed) if is_managed => return Err(SettingsRefusal::Stops),
        Ok(_) | Err(ParseError::Malformed) => SettingsFault::NotAnObject,
    };
    Err(SettingsRefusal::Ignored(fault))
}

/// Why there are no settings in a text.
#[derive(Debug, PartialEq, Eq)]
enum ParseError {
    Malformed,
    /// It is JSON for Claude Code, and more than is read here.
    Unread,
}

/// A blank file sets nothing. Pure.
fn parse(bytes: &[u8], left: &mut usize) -> Result<Value, ParseError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    json::read(bytes, left).map_err(|error| {
        // half a surrogate pair, a number without bounds, bytes that are not UTF-8
        if error.is_data() || object(&String::from_utf8_lossy(bytes)).is_ok() {
            ParseError::Unread
        } else {
            ParseError::Malformed
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
            ("{\"a\":", Err(ParseError::Malformed)),
            ("{\"a\":1} x", Err(ParseError::Malformed)),
            (&objects, Err(ParseError::Unread)),
            (&deep, Err(ParseError::Unread)),
            ("{\"a\":\"\\ud83d\"}", Err(ParseError::Unread)),
            ("{\"a\":1e999}", Err(ParseError::Unread)),
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
        assert_eq!(parse(b"{\"a\":\"\xff\"}", &mut 1000), Err(ParseError::Unread));
    }

    #[test]
    fn what_becomes_of_a_file_depends_on_who_wrote_it() {
        use SettingsFault::{Form, NotAnObject, Unreadable};
        use SettingsOrigin::{Administrator, User};
        use SettingsRefusal::{Ignored, Stops};
        let of = |text: &str, origin| value("x", text.as_bytes(), origin, &mut (1 << 20)).err();
        for (text, user, administrator) in [
            ("{}", None, None),
            ("[]", Some(Ignored(NotAnObject)), Some(Stops)),
            ("{\"env\":", Some(Ignored(NotAnObject)), Some(Stops)),
            ("{\"env\":[]}", Some(Ignored(Form("env"))), None),
        ] {
            assert_eq!(of(text, User), user, "{text}");
            assert_eq!(of(text, Administrator), administrator, "{text}");
        }
        let closed = || Obstacle::Io(io::ErrorKind::PermissionDenied.into());
        for (obstacle, user, administrator) in [
            (closed(), Some(Ignored(Unreadable)), Some(Ignored(Unreadable))),
            (Obstacle::NotRegular("a FIFO"), Some(Ignored(Unreadable)), Some(Stops)),
            (Obstacle::TooLarge(1), None, None),
        ] {
            assert_eq!(SettingsRefusal::of(&obstacle, User), user, "{obstacle:?}");
            assert_eq!(
                SettingsRefusal::of(&obstacle, Administrator),
                administrator,
                "{obstacle:?}"
            );
        }
    }
}
