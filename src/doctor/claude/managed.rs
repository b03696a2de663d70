//! What an administrator's settings forbid (2.1.330, measured).

use std::path::Path;

use rustix::fs::{Access, access};
use serde_json::Value;

use super::settings::{ClaudeSettings, SettingsFile, SettingsOrigin};
use crate::catalogue::{Actor, Code, Fix};
use crate::client::Client;
use crate::doctor::context::{Context, LOCAL};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::process::{self, Program};

/// A file that Claude Code cannot read.
pub fn malformed(settings: &ClaudeSettings) -> Option<Judgement> {
    let path = settings.malformed.first()?;
    let judgement = Judgement::fail(
        Code::ClaudeConfigMalformed,
        "an administrator's settings are not a JSON object in a regular file: Claude Code does not start",
        Fix::edit(path, "correct it, or remove it"),
    );
    Some(of_administrator(judgement, path))
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
    /// Anthropic's own service.
    Provider,
    /// Versions of Claude Code below this one.
    OlderThan(&'a str),
    /// Versions of Claude Code above this one.
    NewerThan(&'a str),
    /// Models, by this setting: perhaps the one that it would use, and all others.
    Models(&'static str),
    /// What this program prints.
    PolicyHelper(&'a str),
    /// What a program for each system prints, or what is there instead.
    PolicyHelpers,
}

/// Pure.
fn forbidden(value: &Value) -> Vec<Forbidden<'_>> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let is_gateway = text("forceLoginMethod") == Some("gateway")
        || text("forceLoginGatewayUrl").is_some_and(|url| !url.is_empty());
    let organization = value.get("forceLoginOrgUUID").map(|allowed| match allowed {
        Value::String(_) => Forbidden::OtherOrganizations,
        Value::Array(list) if !list.is_empty() => Forbidden::OtherOrganizations,
        // also where the form is wrong
        _ => Forbidden::AllOrganizations,
    });
    let allows =
        |list: &Value| list.as_array().is_some_and(|list| list.contains(&"anthropic".into()));
    let providers = value.get("allowedProviders").is_some_and(|list| !allows(list));
    let names_models =
        |name: &str| value.get(name).and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    let is_exact = text("availableModelsMatch") == Some("exact");
    let version = |name| text(name).filter(|version| numbers(version).is_some());
    let helpers = |name: &&str| {
        value.get("policyHelpers").and_then(|it| it.get(name)).is_some_and(Value::is_object)
    };
    let all = [
        is_gateway.then_some(Forbidden::Method),
        organization,
        providers.then_some(Forbidden::Provider),
        version("requiredMinimumVersion").map(Forbidden::OlderThan),
        version("requiredMaximumVersion").map(Forbidden::NewerThan),
        names_models("deniedModels").then_some(Forbidden::Models("deniedModels")),
        (is_exact && names_models("availableModels"))
            .then_some(Forbidden::Models("availableModels")),
        value.pointer("/policyHelper/path").and_then(Value::as_str).map(Forbidden::PolicyHelper),
        ["linux", "default"].iter().any(helpers).then_some(Forbidden::PolicyHelpers),
    ];
    all.into_iter().flatten().collect()
}

/// What an administrator forbids of the login or of the client.
pub fn forbids(context: &Context, files: &[SettingsFile]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    let managed = files.iter().filter(|file| file.origin == SettingsOrigin::Administrator);
    for SettingsFile { path, value, .. } in managed {
        let all = forbidden(value)
            .into_iter()
            .filter_map(|forbidden| judge(forbidden, path, || version(context)));
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
            "`forceLoginMethod` or `forceLoginGatewayUrl` allows the login of a gateway alone, so the token is not used",
            edit("allow `claudeai` and remove the URL, or give the workspace the login of the gateway"),
        )
        .about("forceLoginMethod"),
        Forbidden::Provider => Judgement::fail(
            Code::ClaudeAuthConflict,
            "`allowedProviders` does not contain `anthropic`, so the token is not used",
            edit("add `anthropic` to it, or give the workspace a login of an allowed provider"),
        )
        .about("allowedProviders"),
        Forbidden::AllOrganizations => Judgement::fail(
            Code::ClaudeAuthConflict,
            "`forceLoginOrgUUID` names no organization, so no login is allowed: Claude Code does not start",
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
            let is_allowed = |installed: &str| numbers(installed) >= numbers(least);
            return of_version("requiredMinimumVersion", least, version, is_allowed, "a newer");
        }
        Forbidden::NewerThan(most) => {
            let is_allowed = |installed: &str| numbers(installed) <= numbers(most);
            return of_version("requiredMaximumVersion", most, version, is_allowed, "an older");
        }
        Forbidden::Models(name) => Judgement::unknown(
            format!("`{name}` forbids models: Claude Code does not start where none is left that it would use"),
            "which models the login has: `pushready doctor --live`",
        )
        .about(name),
        Forbidden::PolicyHelper(program) if !is_program(program) => Judgement::fail(
            Code::ClaudeConfigMalformed,
            "the program that `policyHelper` names cannot be run: Claude Code does not start",
            edit("name an executable file by its absolute path, or remove it"),
        )
        .about("policyHelper"),
        Forbidden::PolicyHelper(_) => unread("policyHelper"),
        Forbidden::PolicyHelpers => unread("policyHelpers"),
    })
}

/// Settings that are not in the file.
fn unread(name: &'static str) -> Judgement {
    let summary = format!("`{name}` names where more settings of an administrator come from");
    let needs =
        "whether they allow the login, which Claude Code itself shows: `pushready doctor --live`";
    Judgement::unknown(summary, needs).about(name)
}

fn of_version(
    name: &'static str,
    named: &str,
    installed: impl FnOnce() -> Option<String>,
    is_allowed: impl FnOnce(&str) -> bool,
    another: &str,
) -> Option<Judgement> {
    let summary = format!("`{name}` is {named}");
    let judgement = match installed() {
        Some(installed) if is_allowed(&installed) => return None,
        Some(installed) => Judgement::fail(
            Code::ClaudeAccountRefused,
            format!("{summary}, and {installed} is installed: Claude Code does not start"),
            Fix::report(format!("install {another} Claude Code in the image")),
        ),
        None => Judgement::unknown(summary, "the version of Claude Code: `claude --version`")
            .coded(Code::ClaudeAccountRefused)
            .fixed(Fix::report(format!(
                "see that `claude --version` prints that one or {another} one"
            ))),
    };
    Some(judgement.about(name))
}

fn is_program(path: &str) -> bool {
    path.starts_with('/') && Path::new(path).is_file() && access(path, Access::EXEC_OK).is_ok()
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
            (r#"{"requiredMaximumVersion": "2.1.329"}"#, Some(Fail)),
            (r#"{"requiredMaximumVersion": "2.1.330"}"#, None),
            (r#"{"requiredMaximumVersion": 5}"#, None),
            (r#"{"forceLoginGatewayUrl": "https://gateway.example"}"#, Some(Fail)),
            (r#"{"forceLoginGatewayUrl": ""}"#, None),
            (r#"{"forceLoginOrgUUID": null}"#, Some(Fail)),
            (r#"{"allowedProviders": ["bedrock"]}"#, Some(Fail)),
            (r#"{"allowedProviders": null}"#, Some(Fail)),
            (r#"{"allowedProviders": ["bedrock", "anthropic"]}"#, None),
            (r#"{"policyHelper": {"path": "/nowhere"}}"#, Some(Fail)),
            (r#"{"policyHelper": {"path": "/bin/true"}}"#, Some(Unknown)),
            (r#"{"policyHelper": "/nowhere"}"#, None),
            (r#"{"policyHelpers": {"linux": {"path": "/nowhere"}}}"#, Some(Unknown)),
            (r#"{"policyHelpers": {"macos": {"path": "/nowhere"}}}"#, None),
            (r#"{"deniedModels": ["sonnet"]}"#, Some(Unknown)),
            (r#"{"deniedModels": []}"#, None),
            (r#"{"availableModels": ["x"]}"#, None),
            (r#"{"availableModels": ["x"], "availableModelsMatch": "exact"}"#, Some(Unknown)),
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
}
