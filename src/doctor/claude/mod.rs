//! Claude Code: which credential it will really send, and what would keep it from starting unattended.

mod environment;
mod login;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::outcome::{Evidence, Fix, Outcome};
use super::{Context, request};
use crate::catalogue::Code;
use crate::provision::trust::real;
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;
use crate::secret::CredentialsFile;
use crate::variables;

const NONE: &str = "no Claude Code login was asked for, and none is there";

/// Whether a login was asked for, now or by the last apply, or is there.
fn concerns(context: &Context) -> bool {
    context.settings.claude.is_some()
        || context.desired.claude.is_some()
        || context.settings.refused.iter().any(|item| item.item == "claude")
        || context.env.get(variables::CLAUDE_CODE_OAUTH_TOKEN).is_some()
        || !matches!(file::observe(&credentials_path(context), Kind::Secret), Ok(None))
}

fn credentials_path(context: &Context) -> PathBuf {
    context.home.claude.join(".credentials.json")
}

/// The checks that need no network, whichever of them are wanted.
pub fn check(context: &Context) -> Vec<Outcome> {
    if !concerns(context) {
        let ids = ["claude.login", "claude.environment", "claude.config", "claude.trust"];
        return Outcome::skip_all(&ids, NONE);
    }
    let path = credentials_path(context);
    let mut outcomes = vec![match file::observe(&path, Kind::Secret) {
        Err(obstacle) => Outcome::obstructed("claude.login", &obstacle, &path),
        Ok(content) => login::login(context, content.map(|content| CredentialsFile::parse(&content.bytes))),
    }];
    outcomes.extend(environment::environment(context));
    let config = read_json(&context.home.claude_json);
    outcomes.extend(configuration(context, &config));
    if let Json::Value(config) = &config {
        outcomes.extend(trust(context, config));
    }
    outcomes
}

/// One small request through Claude Code itself, as an agent would make it.
pub fn request(context: &Context) -> Outcome {
    if !concerns(context) {
        return Outcome::skip(request::CLAUDE.id, None, NONE);
    }
    request::send(context, &request::CLAUDE, &check(context), login::new_token(context))
}

fn configuration(context: &Context, config: &Json) -> Vec<Outcome> {
    const ID: &str = "claude.config";
    let path = &context.home.claude_json;
    let apply = || Fix::run(["pushready", "apply"], "run apply: it answers the first-run prompts");
    let config = match config {
        Json::Malformed { line, column } => {
            return vec![Outcome::fail(
                ID,
                None,
                Code::ClaudeConfigMalformed,
                format!(
                    ".claude.json does not parse at line {line}, column {column}: Claude Code does not start"
                ),
                Fix::edit(path, "mend it, or put back a copy from ~/.claude/backups"),
            )];
        }
        Json::Unreadable(obstacle) => return vec![Outcome::obstructed(ID, obstacle, path)],
        Json::Absent => &Value::Null,
        Json::Value(config) => config,
    };
    let mut outcomes = Vec::new();
    if config.get("hasCompletedOnboarding") != Some(&Value::Bool(true)) {
        outcomes.push(Outcome::warn(
            ID,
            Some("hasCompletedOnboarding".to_owned()),
            Code::ClaudeOnboardingIncomplete,
            "the first-run prompts will block an unattended session",
            apply(),
        ));
    }
    if config.get("primaryApiKey").and_then(Value::as_str).is_some_and(|key| !key.is_empty()) {
        outcomes.push(
            Outcome::warn(
                ID,
                Some("primaryApiKey".to_owned()),
                Code::ClaudeAuthConflict,
                "`primaryApiKey` is left in .claude.json beside the token; organisation settings are asked for with it",
                Fix::edit(path, "take `primaryApiKey` out"),
            )
            .with([Evidence::new("wins", "the token"), Evidence::new("unused", "primaryApiKey")]),
        );
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(ID, None, "no first-run prompt is in the way"));
    }
    outcomes
}

/// A trusted folder covers those below it.
fn trust(context: &Context, config: &Value) -> Vec<Outcome> {
    const ID: &str = "claude.trust";
    let folders = &context.desired.trusted_folders;
    if folders.is_empty() {
        return vec![Outcome::skip(ID, None, "PUSHREADY_TRUSTED_FOLDERS names no folder")];
    }
    let accepted = |folder: &Path| {
        let project = config.get("projects").and_then(|projects| projects.get(&*folder.to_string_lossy()));
        project.and_then(|project| project.get("hasTrustDialogAccepted")) == Some(&Value::Bool(true))
    };
    folders
        .iter()
        .map(|folder| {
            let subject = Some(folder.display().to_string());
            if Path::new(&real(folder)).ancestors().any(accepted) {
                return Outcome::pass(ID, subject, "Claude Code trusts the folder");
            }
            Outcome::warn(
                ID,
                subject,
                Code::ClaudeUntrustedFolder,
                "Claude Code will ask whether the folder is trusted, and its default answer is no",
                Fix::run(["pushready", "apply"], "run apply"),
            )
        })
        .collect()
}

enum Json {
    Absent,
    Value(Value),
    Malformed { line: usize, column: usize },
    Unreadable(Obstacle),
}

fn read_json(path: &Path) -> Json {
    match file::observe(path, Kind::Shared) {
        Ok(Some(content)) if !content.bytes.trim_ascii().is_empty() => {
            match serde_json::from_slice(&content.bytes) {
                Ok(value) => Json::Value(value),
                Err(error) => Json::Malformed { line: error.line(), column: error.column() },
            }
        }
        Ok(_) => Json::Absent,
        Err(obstacle) => Json::Unreadable(obstacle),
    }
}
