//! Claude Code: which credential it will really send, and what would keep it from starting
//! unattended.

mod environment;
mod login;

use std::path::{Path, PathBuf};

use super::outcome::{Evidence, Outcome};
use super::request;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::git_cli::clones;
use crate::provision::claude::{BARRED, barred};
use crate::provision::trust::{NAMELESS, is_named, real};
use crate::resource::file::{self, Kind};
use crate::resource::json::{self, Object, Trouble};
use crate::resource::place::Obstacle;
use crate::secret::CredentialsFile;
use crate::state::subject::Subject;
use crate::variables;

const NONE: &str = "no Claude Code login was asked for, and none is there";

/// Whether a login was asked for, now or by the last apply, or is there.
fn concerns(context: &Context) -> bool {
    context.settings.claude.is_some()
        || context.desired.claude.is_some()
        || context.settings.refused.iter().any(|item| item.item == Subject::Claude)
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
        Ok(content) => {
            login::login(context, content.map(|content| CredentialsFile::parse(&content.bytes)))
        }
    }];
    outcomes.extend(environment::environment(context));
    let config = file::observe(&context.home.claude_json, Kind::Shared);
    let bytes =
        config.as_ref().ok().and_then(Option::as_ref).map_or(&[][..], |config| &config.bytes);
    let text = String::from_utf8_lossy(bytes);
    let config = Config::read(config.as_ref().map(drop), &text);
    outcomes.extend(configuration(context, &text, &config));
    if let Config::Object(config) = &config {
        outcomes.extend(trust(context, &text, config));
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

fn configuration(context: &Context, text: &str, config: &Config) -> Vec<Outcome> {
    const ID: &str = "claude.config";
    let path = &context.home.claude_json;
    let apply = || Fix::run(["pushready", "apply"], "run apply: it answers the first-run prompts");
    let malformed = |what: String| {
        let fix = Fix::edit(path, "mend it, or put back a copy from ~/.claude/backups");
        let say = format!(".claude.json {what}: Claude Code does not start");
        vec![Outcome::fail(ID, None, Code::ClaudeConfigMalformed, say, fix)]
    };
    let config = match config {
        Config::Malformed { line, column } => {
            return malformed(format!("does not parse at line {line}, column {column}"));
        }
        Config::NoObject => return malformed("holds no JSON object".to_owned()),
        Config::Unreadable(obstacle) => return vec![Outcome::obstructed(ID, obstacle, path)],
        Config::Absent => None,
        Config::Object(config) => Some(config),
    };
    let value = |name: &str| text.get(config?.get(name)?.value.clone());
    let mut outcomes = Vec::new();
    if value("hasCompletedOnboarding") != Some("true") {
        outcomes.push(Outcome::warn(
            ID,
            Some("hasCompletedOnboarding".to_owned()),
            Code::ClaudeOnboardingIncomplete,
            "the first-run prompts will block an unattended session",
            apply(),
        ));
    }
    if value("primaryApiKey").is_some_and(|key| key.starts_with('"') && key != "\"\"") {
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

/// The folders of which Claude Code asks whether they are trusted: the folder and those above it,
/// as far as the top of its work tree; of a linked work tree the main one too (2.1.330, measured).
fn covering(folder: &Path) -> Vec<PathBuf> {
    let top = folder.ancestors().find(|above| above.join(".git").exists());
    let mut covering: Vec<_> = folder.ancestors().map(Path::to_owned).collect();
    if let Some(top) = top {
        covering.retain(|above| above.starts_with(top));
        let main = clones::git_folder(top).filter(|git| git.ends_with(".git"));
        covering.extend(main.and_then(|git| Some(git.parent()?.to_owned())));
    }
    covering
}

fn trust(context: &Context, text: &str, config: &Object) -> Vec<Outcome> {
    const ID: &str = "claude.trust";
    let folders = &context.desired.trusted_folders;
    if folders.is_empty() {
        return vec![Outcome::skip(ID, None, "PUSHREADY_TRUSTED_FOLDERS names no folder")];
    }
    let path = &context.home.claude_json;
    let inner =
        |object: &Object, name: &str| json::object_at(text, object.get(name)?.value.clone());
    let projects = inner(config, "projects");
    let accepted = |folder: &Path| {
        let project =
            projects.as_ref().and_then(|projects| inner(projects, &folder.to_string_lossy()));
        let accepted = project.as_ref().and_then(|project| project.get("hasTrustDialogAccepted"));
        accepted.and_then(|accepted| text.get(accepted.value.clone())) == Some("true")
    };
    folders
        .iter()
        .map(|folder| {
            let subject = Some(folder.display().to_string());
            let real = real(folder);
            if covering(Path::new(&real)).iter().any(|folder| accepted(folder)) {
                return Outcome::pass(ID, subject, "Claude Code trusts the folder");
            }
            let fix = match () {
                () if !is_named(folder) => Fix::report(NAMELESS),
                () if barred(text, &real) => Fix::edit(path, BARRED),
                () => Fix::run(["pushready", "apply"], "run apply: it adds the folder"),
            };
            Outcome::warn(
                ID,
                subject,
                Code::ClaudeUntrustedFolder,
                "Claude Code will ask whether the folder is trusted, and its default answer is no",
                fix,
            )
        })
        .collect()
}

enum Config<'a> {
    Absent,
    Object(Object<'a>),
    Malformed { line: usize, column: usize },
    NoObject,
    Unreadable(&'a Obstacle),
}

impl<'a> Config<'a> {
    fn read(found: Result<(), &'a Obstacle>, text: &'a str) -> Self {
        match found.map(|()| json::object(text)) {
            Err(obstacle) => Self::Unreadable(obstacle),
            Ok(_) if text.trim().is_empty() => Self::Absent,
            Ok(Ok(config)) => Self::Object(config),
            Ok(Err(Trouble::NotAnObject)) => Self::NoObject,
            Ok(Err(Trouble::Malformed(at))) => {
                let (line, column) = json::place(text.as_bytes(), at);
                Self::Malformed { line, column }
            }
        }
    }
}
