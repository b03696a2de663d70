//! Claude Code: which credential it will really send, and what would keep it from starting unattended.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Context;
use super::outcome::{Evidence, Fix, Outcome};
use crate::catalogue::Code;
use crate::digest::Digest;
use crate::error::Finding;
use crate::provision::claude::{LIFETIME_DAYS, real};
use crate::resource::file::{self, Kind};
use crate::resource::obstructed;
use crate::secret::{ClaudeToken, CredentialsFile};
use crate::variables::{self, observed};

const OFFICIAL_ORIGIN: &str = "https://api.anthropic.com";
const MANAGED: &str = "/etc/claude-code/managed-settings.json";

pub fn check(context: &Context) -> Vec<Outcome> {
    let path = context.home.claude.join(".credentials.json");
    let observed_file = file::observe(&path, Kind::Secret);
    let asked = context.settings.claude.is_some()
        || context.desired.claude.is_some()
        || context.settings.refused.iter().any(|item| item.item == "claude");
    let env_token = context.env.text(variables::CLAUDE_CODE_OAUTH_TOKEN);
    if !asked && env_token.is_none() && matches!(observed_file, Ok(None)) {
        let skipped = ["claude.login", "claude.environment", "claude.config", "claude.trust"];
        let skip = |id| Outcome::skip(id, None, "no Claude Code login was asked for, and none is there");
        return skipped.into_iter().filter(|id| context.wants(id)).map(skip).collect();
    }
    let mut outcomes = Vec::new();
    if context.wants("claude.login") {
        outcomes.push(match observed_file {
            Err(obstacle) => {
                let Finding { code, say, hint } = obstructed(&obstacle, &path);
                Outcome::fail("claude.login", None, code, say, Fix::report(hint))
            }
            Ok(content) => {
                login(context, content.map(|content| CredentialsFile::parse(&content.bytes)), env_token)
            }
        });
    }
    let settings = read_settings(context);
    if context.wants("claude.environment") {
        outcomes.extend(environment(context, &settings));
    }
    let config = read_json(&context.home.claude_json);
    if context.wants("claude.config") {
        outcomes.extend(configuration(context, &config));
    }
    if context.wants("claude.trust")
        && let Json::Value(config) = &config
    {
        outcomes.extend(trust(context, config));
    }
    outcomes
}

fn new_token() -> Fix {
    Fix::report("make one with `claude setup-token` and give it as PUSHREADY_CLAUDE_OAUTH_TOKEN")
}

/// The token that Claude Code will send if nothing beats it: the variable, else the file.
fn login(context: &Context, file: Option<CredentialsFile>, env_token: Option<String>) -> Outcome {
    const ID: &str = "claude.login";
    if let Some(token) = env_token {
        // the client sends it as it stands, quotes and all
        return match ClaudeToken::parse(&token.into()) {
            Err(defect) => Outcome::fail(
                ID,
                None,
                Code::ClaudeTokenMalformed,
                format!("CLAUDE_CODE_OAUTH_TOKEN: {}", defect.reason),
                new_token(),
            ),
            Ok(checked) if checked.repairs.is_empty() => {
                aged(context, &checked.value.digest(), "CLAUDE_CODE_OAUTH_TOKEN")
            }
            Ok(checked) => Outcome::fail(
                ID,
                None,
                Code::ClaudeTokenMalformed,
                format!("CLAUDE_CODE_OAUTH_TOKEN is sent as it stands: {}", checked.repairs.join(", ")),
                Fix::report(
                    "set the variable to the bare token, or leave it to PUSHREADY_CLAUDE_OAUTH_TOKEN, which is repaired",
                ),
            ),
        };
    }
    let apply = || Fix::run(["pushready", "apply"], "run apply where PUSHREADY_CLAUDE_OAUTH_TOKEN is set");
    match file {
        None | Some(CredentialsFile::Blank { by_client: false }) => Outcome::fail(
            ID,
            None,
            Code::ClaudeTokenMissing,
            "there is no token, neither in a variable nor in the file",
            apply(),
        ),
        Some(CredentialsFile::Blank { by_client: true }) => Outcome::fail(
            ID,
            None,
            Code::ClaudeAuthBlanked,
            "Claude Code emptied the stored login after it could not renew it",
            apply(),
        ),
        Some(CredentialsFile::Malformed { line, column }) => Outcome::fail(
            ID,
            None,
            Code::ClaudeTokenMalformed,
            format!(
                "the credentials file does not parse at line {line}, column {column}: Claude Code takes it for logged out"
            ),
            Fix::report("remove the file and run `pushready apply`"),
        ),
        Some(
            CredentialsFile::SetupToken { inference: false, .. }
            | CredentialsFile::Login { inference: false, .. },
        ) => Outcome::fail(
            ID,
            None,
            Code::ClaudeTokenMalformed,
            "the stored login lacks the scope `user:inference`, so Claude Code ignores it",
            new_token(),
        ),
        Some(CredentialsFile::SetupToken { digest, .. }) => aged(context, &digest, "the credentials file"),
        Some(CredentialsFile::Login { refreshable, expires, .. }) => {
            let expired = expires.is_some_and(|expires| expires < context.env.now);
            if expired && !refreshable {
                return Outcome::fail(
                    ID,
                    None,
                    Code::ClaudeTokenExpired,
                    "the stored login has expired, and nothing can renew it",
                    new_token(),
                );
            }
            if context.desired.claude.is_some() {
                return Outcome::warn(
                    ID,
                    None,
                    Code::ClaudeAuthConflict,
                    "somebody logged in with `/login`; the token that was given is not used",
                    Fix::report("to use the token, remove the credentials file and run `pushready apply`"),
                );
            }
            Outcome::pass(ID, None, "logged in with `/login`")
        }
    }
}

/// A setup-token cannot be asked for its age; the receipt knows when ours was made or first seen.
fn aged(context: &Context, digest: &str, place: &str) -> Outcome {
    const ID: &str = "claude.login";
    let record = context.desired.claude.as_ref().filter(|record| record.token == Digest::from_hex(digest));
    let Some(record) = record else {
        return Outcome::pass(
            ID,
            None,
            format!("a token of the right form is in {place}; not sent anywhere"),
        );
    };
    let end = record.created.saturating_add(jiff::Span::new().days(LIFETIME_DAYS));
    let today = context.env.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let evidence = [
        Evidence::new("made or first seen", record.created.to_string()),
        Evidence::new("good until about", end.to_string()),
    ];
    if end < today {
        return Outcome::fail(
            ID,
            None,
            Code::ClaudeTokenExpired,
            "the token is more than a year old",
            new_token(),
        )
        .with(evidence);
    }
    Outcome::pass(
        ID,
        None,
        format!("the token in {place} has the right form and is less than a year old; not sent anywhere"),
    )
    .with(evidence)
}

/// One settings file of Claude Code.
struct SettingsFile {
    path: PathBuf,
    value: Value,
    /// It came with a repository: whoever can push to it can set it.
    of_project: bool,
}

fn read_settings(context: &Context) -> Vec<SettingsFile> {
    let mut paths = vec![(PathBuf::from(MANAGED), false), (context.home.claude.join("settings.json"), false)];
    if let Some(folder) = &context.folder {
        for above in folder.ancestors().take_while(|above| *above != context.home.path) {
            for name in ["settings.json", "settings.local.json"] {
                paths.push((above.join(".claude").join(name), true));
            }
        }
    }
    let read = |(path, of_project): (PathBuf, bool)| match read_json(&path) {
        Json::Value(value) => Some(SettingsFile { path, value, of_project }),
        Json::Absent | Json::Malformed { .. } => None,
    };
    paths.into_iter().filter_map(read).collect()
}

/// Something that decides where requests go or with what, in the place where it was found.
struct Setting<'a> {
    name: String,
    value: String,
    place: String,
    file: Option<&'a SettingsFile>,
}

/// The first place in which a variable of Claude Code is set: settings files beat the environment.
fn effective<'a>(context: &Context, settings: &'a [SettingsFile], name: &str) -> Option<Setting<'a>> {
    let in_file = settings.iter().find_map(|file| {
        let value = file.value.get("env")?.get(name)?.as_str()?.trim().to_owned();
        let place = file.path.display().to_string();
        (!value.is_empty()).then(|| Setting { name: name.to_owned(), value, place, file: Some(file) })
    });
    in_file.or_else(|| {
        let value = context.env.text(name)?;
        Some(Setting { name: name.to_owned(), value, place: "the environment".to_owned(), file: None })
    })
}

/// What beats the token, and where the token would go. The order is Claude Code's own (2.1.330, measured).
fn environment(context: &Context, settings: &[SettingsFile]) -> Vec<Outcome> {
    const ID: &str = "claude.environment";
    let mut outcomes = Vec::new();
    let take_out = |setting: &Setting| match setting.file {
        Some(file) => Fix::edit(&file.path, format!("take `{}` out", setting.name)),
        None => Fix::report(format!("take {} out of the template's environment", setting.name)),
    };
    let on = |value: &str| !matches!(value, "0" | "false");
    let provider = observed::CLAUDE_CODE_PROVIDERS
        .iter()
        .find_map(|name| effective(context, settings, name).filter(|setting| on(&setting.value)));
    if let Some(setting) = provider {
        let summary =
            format!("{} sends Claude Code to a cloud provider, so the token is unused", setting.name);
        outcomes.push(
            Outcome::fail(ID, None, Code::ClaudeProviderBypass, summary, take_out(&setting))
                .with([Evidence::new("set in", setting.place)]),
        );
    }
    let helper = settings.iter().find_map(|file| {
        file.value.get("apiKeyHelper").and_then(Value::as_str).map(|_| Setting {
            name: "apiKeyHelper".to_owned(),
            value: String::new(),
            place: file.path.display().to_string(),
            file: Some(file),
        })
    });
    let winner = effective(context, settings, observed::ANTHROPIC_AUTH_TOKEN)
        .or_else(|| effective(context, settings, observed::ANTHROPIC_API_KEY))
        .or(helper);
    if let Some(setting) = winner {
        let of_project = setting.file.is_some_and(|file| file.of_project);
        let (code, summary) = if of_project {
            (
                Code::ClaudeProjectOverride,
                format!("the repository's settings set `{}`, which beats the token", setting.name),
            )
        } else {
            (Code::ClaudeAuthConflict, format!("{} is set as well, and beats the token", setting.name))
        };
        outcomes.push(Outcome::fail(ID, None, code, summary, take_out(&setting)).with([
            Evidence::new("wins", setting.name),
            Evidence::new("set in", setting.place),
            Evidence::new("unused", "the token of `claude setup-token`"),
        ]));
    }
    if let Some(setting) = effective(context, settings, observed::ANTHROPIC_BASE_URL)
        && setting.value.trim_end_matches('/') != OFFICIAL_ORIGIN
    {
        outcomes.push(
            Outcome::fail(
                ID,
                None,
                Code::ClaudeTokenSentElsewhere,
                "ANTHROPIC_BASE_URL sends the subscription token to another host than Anthropic's",
                take_out(&setting),
            )
            .with([Evidence::foreign("host", &setting.value), Evidence::new("set in", setting.place)]),
        );
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(ID, None, "nothing beats the token, and it goes to Anthropic"));
    }
    outcomes
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
        Json::Absent => &Value::Null,
        Json::Value(config) => config,
    };
    let mut outcomes = Vec::new();
    if config.get("hasCompletedOnboarding") != Some(&Value::Bool(true)) {
        outcomes.push(Outcome::warn(
            ID,
            None,
            Code::ClaudeOnboardingIncomplete,
            "the first-run prompts will block an unattended session",
            apply(),
        ));
    }
    if config.get("primaryApiKey").and_then(Value::as_str).is_some_and(|key| !key.is_empty()) {
        outcomes.push(
            Outcome::warn(
                ID,
                None,
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
}

fn read_json(path: &Path) -> Json {
    match file::observe(path, Kind::Shared) {
        Ok(Some(content)) if !content.bytes.trim_ascii().is_empty() => {
            match serde_json::from_slice(&content.bytes) {
                Ok(value) => Json::Value(value),
                Err(error) => Json::Malformed { line: error.line(), column: error.column() },
            }
        }
        _ => Json::Absent,
    }
}
