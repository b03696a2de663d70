//! What an administrator's settings forbid (2.1.330, measured).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::catalogue::{Actor, Code, Fix};
use crate::client::Client;
use crate::doctor::context::{Context, LOCAL};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::process::{self, Program};
use crate::resource::file::{self, Kind};

/// What an administrator sets, and the folder of more such files.
const FILE: &str = "/etc/claude-code/managed-settings.json";
const FOLDER: &str = "/etc/claude-code/managed-settings.d";

/// One file of an administrator's.
pub struct ManagedSettings {
    pub path: PathBuf,
    /// `None`: Claude Code cannot read it, and does not start.
    pub value: Option<Value>,
}

/// Those that are there, the strongest first.
pub fn read() -> Vec<ManagedSettings> {
    let more = fs::read_dir(FOLDER).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = more.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.insert(0, PathBuf::from(FILE));
    let read = |path: PathBuf| {
        let value = match file::observe(&path, Kind::Shared) {
            Ok(None) => return None,
            Ok(Some(content)) => parse(&content.bytes),
            Err(_) => None,
        };
        Some(ManagedSettings { path, value })
    };
    paths.into_iter().rev().filter_map(read).collect()
}

/// A blank file sets nothing. Pure.
fn parse(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Some(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(bytes).ok().filter(Value::is_object)
}

/// A file that Claude Code cannot read.
pub fn malformed(files: &[ManagedSettings]) -> Option<Judgement> {
    let file = files.iter().find(|file| file.value.is_none())?;
    let judgement = Judgement::fail(
        Code::ClaudeConfigMalformed,
        "an administrator's settings are not a JSON object that can be read: Claude Code does not start",
        Fix::edit(&file.path, "correct it, or remove it"),
    );
    Some(of_administrator(judgement, &file.path))
}

/// What the files forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forbidden<'a> {
    /// Every login but that of a gateway.
    Method,
    /// The logins of all organizations.
    AllOrganizations,
    /// Those of other organizations than these. A token does not show its own.
    OtherOrganizations,
    /// Versions of Claude Code below this one.
    OlderThan(&'a str),
}

/// Pure.
fn forbidden(value: &Value) -> Vec<Forbidden<'_>> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let method = (text("forceLoginMethod") == Some("gateway")).then_some(Forbidden::Method);
    let organization = match value.get("forceLoginOrgUUID") {
        Some(Value::Array(list)) if list.is_empty() => Some(Forbidden::AllOrganizations),
        Some(Value::Array(_) | Value::String(_)) => Some(Forbidden::OtherOrganizations),
        _ => None,
    };
    let version = text("requiredMinimumVersion").filter(|version| numbers(version).is_some());
    let version = version.map(Forbidden::OlderThan);
    [method, organization, version].into_iter().flatten().collect()
}

/// What an administrator forbids of the login or of the client.
pub fn forbids(context: &Context, files: &[ManagedSettings]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for ManagedSettings { path, value } in files {
        let all = value.iter().flat_map(forbidden);
        let all = all.filter_map(|forbidden| judge(forbidden, path, || version(context)));
        judgements.extend(all.map(|judgement| of_administrator(judgement, path)));
    }
    judgements
}

fn judge(
    forbidden: Forbidden,
    path: &Path,
    version: impl FnOnce() -> Option<String>,
) -> Option<Judgement> {
    let edit = |say: &str| Fix::edit(path, say);
    Some(match forbidden {
        Forbidden::Method => Judgement::fail(
            Code::ClaudeAuthConflict,
            "`forceLoginMethod` allows the login of a gateway alone, so the token is not used",
            edit("allow `claudeai`, or give the workspace the login of the gateway"),
        )
        .about("forceLoginMethod"),
        Forbidden::AllOrganizations => Judgement::fail(
            Code::ClaudeAuthConflict,
            "`forceLoginOrgUUID` is an empty list, so no login is allowed: Claude Code does not start",
            edit("name the organization in it, or remove it"),
        )
        .about("forceLoginOrgUUID"),
        Forbidden::OtherOrganizations => Judgement::unknown(
            "`forceLoginOrgUUID` allows the logins of some organizations alone",
            "whether the token is of one of them, which Claude Code asks the server: `pushready doctor --live`",
        )
        .coded(Code::ClaudeAuthConflict)
        .fixed(edit("see that the organization of the token is named there"))
        .about("forceLoginOrgUUID"),
        Forbidden::OlderThan(least) => {
            let summary = format!("`requiredMinimumVersion` is {least}");
            match version() {
                Some(installed) if numbers(&installed) >= numbers(least) => return None,
                Some(installed) => Judgement::fail(
                    Code::ClaudeAccountRefused,
                    format!("{summary}, and {installed} is installed: Claude Code does not start"),
                    Fix::report("install a newer Claude Code in the image"),
                ),
                None => Judgement::unknown(summary, "the version of Claude Code: `claude --version`")
                    .coded(Code::ClaudeAccountRefused)
                    .fixed(Fix::report("see that `claude --version` prints that one or a newer one")),
            }
            .about("requiredMinimumVersion")
        }
    })
}

/// What the installed client says, such as `2.1.330`.
fn version(context: &Context) -> Option<String> {
    let mut claude = process::command_in(Program::Client(Client::Claude), context.env);
    claude.arg("--version");
    let output = process::run(claude, context.deadline(LOCAL)).ok()?;
    let version = output.stdout.split_whitespace().next()?.to_owned();
    numbers(&version).map(|_| version)
}

/// The numbers of a version; what follows a `-` or `+` is not compared.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let plain = version.split(['-', '+']).next()?;
    let numbers: Option<Vec<u64>> = plain.split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() == 3)
}

fn of_administrator(judgement: Judgement, path: &Path) -> Judgement {
    let judgement = judgement.with([Evidence::new("set in", path.display().to_string())]);
    Judgement { actor: Some(Actor::TemplateAdmin), agent_may_fix: false, ..judgement }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    #[test]
    fn what_claude_code_refuses_by_policy_is_known() {
        use CheckStatus::{Fail, Unknown};
        for (text, expected) in [
            (r#"{"forceLoginMethod": "gateway"}"#, Some(Fail)),
            (r#"{"forceLoginMethod": "claudeai"}"#, None),
            // which of a token it does not enforce
            (r#"{"forceLoginMethod": "console"}"#, None),
            (r#"{"forceLoginMethod": 1}"#, None),
            (r#"{"forceLoginOrgUUID": []}"#, Some(Fail)),
            (r#"{"forceLoginOrgUUID": ["x"]}"#, Some(Unknown)),
            (r#"{"forceLoginOrgUUID": "b0000000-0000-4000-8000-000000000001"}"#, Some(Unknown)),
            (r#"{"requiredMinimumVersion": "99.0.0"}"#, Some(Fail)),
            (r#"{"requiredMinimumVersion": "2.1.330"}"#, None),
            (r#"{"requiredMinimumVersion": "2.1.331"}"#, Some(Fail)),
            (r#"{"requiredMinimumVersion": "nonsense"}"#, None),
            (r#"{"cleanupPeriodDays": 3}"#, None),
        ] {
            let value = serde_json::from_str(text).unwrap();
            let installed = || Some("2.1.330".to_owned());
            let judged: Vec<_> = forbidden(&value)
                .into_iter()
                .filter_map(|forbidden| judge(forbidden, Path::new("/x"), installed))
                .map(|judgement| judgement.status)
                .collect();
            assert_eq!(judged, expected.into_iter().collect::<Vec<_>>(), "{text}");
        }
        let version = judge(Forbidden::OlderThan("99.0.0"), Path::new("/x"), || None);
        assert_eq!(version.map(|judgement| judgement.status), Some(Unknown));
    }

    #[test]
    fn a_file_that_is_not_an_object_keeps_claude_code_from_starting() {
        for (text, is_malformed) in [
            ("{\"a\":", true),
            ("[]", true),
            ("\"x\"", true),
            ("", false),
            (" \n", false),
            ("{}", false),
        ] {
            let value = parse(text.as_bytes());
            let files = [ManagedSettings { path: "/x".into(), value }];
            assert_eq!(malformed(&files).is_some(), is_malformed, "{text}");
        }
    }
}
