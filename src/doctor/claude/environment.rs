//! What overrides the token, and where it would be sent.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::resource::file::{self, Kind};
use crate::variables::{self, observed};

const OFFICIAL_ORIGIN: &str = "https://api.anthropic.com";
/// What an administrator sets, and the folder of more such files.
const MANAGED: &str = "/etc/claude-code/managed-settings.json";
const MANAGED_FOLDER: &str = "/etc/claude-code/managed-settings.d";

/// One settings file of Claude Code.
struct SettingsFile {
    path: PathBuf,
    value: Value,
    /// It came with a repository: whoever can push to it can set it.
    of_project: bool,
}

/// The strongest first: an administrator's, the folder's own, the repository's, the user's
/// (2.1.330, measured).
fn read_settings(context: &Context) -> Vec<SettingsFile> {
    let more = fs::read_dir(MANAGED_FOLDER).into_iter().flatten().filter_map(Result::ok);
    let mut managed: Vec<_> = more.map(|entry| entry.path()).collect();
    managed.sort();
    managed.insert(0, PathBuf::from(MANAGED));
    let mut paths: Vec<_> = managed.into_iter().rev().map(|path| (path, false)).collect();
    // those of the folder in which it is started, and of no other above it
    if let Some(folder) = &context.folder {
        let of_project = *folder != context.home.path;
        for name in ["settings.local.json", "settings.json"] {
            paths.push((folder.join(".claude").join(name), of_project));
        }
    }
    paths.push((context.home.clients.claude.folder.join("settings.json"), false));
    let read = |(path, of_project): (PathBuf, bool)| {
        let content = file::observe(&path, Kind::Shared).ok()??;
        let bytes = content.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&content.bytes);
        let value = serde_json::from_slice(bytes).ok()?;
        Some(SettingsFile { path, value, of_project })
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

/// The first place in which a variable of Claude Code is set: settings files beat the environment,
/// also with an empty value.
fn effective<'a>(
    context: &Context,
    settings: &'a [SettingsFile],
    name: &str,
) -> Option<Setting<'a>> {
    let in_file = settings.iter().find_map(|file| match file.value.get("env")?.get(name)? {
        Value::String(text) => Some((file, text.trim().to_owned())),
        value @ (Value::Number(_) | Value::Bool(_)) => Some((file, value.to_string())),
        _ => None,
    });
    let (value, place, file) = if let Some((file, value)) = in_file {
        (value, file.path.display().to_string(), Some(file))
    } else {
        (context.env.text(name)?, "the environment".to_owned(), None)
    };
    (!value.is_empty()).then(|| Setting { name: name.to_owned(), value, place, file })
}

/// What overrides the token, and where the token would go. The order is Claude Code's own (2.1.330,
/// measured).
pub fn environment(context: &Context) -> Vec<Judgement> {
    let settings = &read_settings(context)[..];
    let mut outcomes = Vec::new();
    let take_out = |setting: &Setting| match setting.file {
        Some(file) => Fix::edit(&file.path, format!("take `{}` out", setting.name)),
        None => Fix::report(format!("take {} out of the template's environment", setting.name)),
    };
    let on = |value: &str| {
        !["0", "false", "no", "off"].iter().any(|off| value.eq_ignore_ascii_case(off))
    };
    let provider = observed::CLAUDE_CODE_PROVIDERS
        .iter()
        .find_map(|name| effective(context, settings, name).filter(|setting| on(&setting.value)));
    if let Some(setting) = provider {
        let summary = format!(
            "{} sends Claude Code to a cloud provider, so the token is unused",
            setting.name
        );
        outcomes.push(
            Judgement::fail(Code::ClaudeProviderBypass, summary, take_out(&setting))
                .about(setting.name)
                .with([Evidence::new("set in", setting.place)]),
        );
    }
    let helper = settings.iter().find_map(|file| {
        file.value.get("apiKeyHelper").and_then(Value::as_str).map(|helper| Setting {
            name: "apiKeyHelper".to_owned(),
            value: helper.to_owned(),
            place: file.path.display().to_string(),
            file: Some(file),
        })
    });
    let helper = helper.filter(|setting| !setting.value.is_empty());
    let headers = effective(context, settings, observed::ANTHROPIC_CUSTOM_HEADERS);
    let own_header = headers.filter(|setting| names_credential(&setting.value));
    let other_login =
        observed::CLAUDE_CODE_LOGINS.iter().find_map(|name| effective(context, settings, name));
    // the token of the variable is in no file
    let has_variable = context.env.get(variables::CLAUDE_CODE_OAUTH_TOKEN).is_some();
    let elsewhere = effective(context, settings, observed::CLAUDE_SECURESTORAGE_CONFIG_DIR)
        .filter(|setting| !has_variable && *context.home.clients.claude.folder != *setting.value);
    let in_file =
        |name| effective(context, settings, name).filter(|setting| setting.file.is_some());
    let winner = effective(context, settings, observed::ANTHROPIC_AUTH_TOKEN)
        .or_else(|| effective(context, settings, observed::ANTHROPIC_API_KEY))
        .or(helper)
        .or(own_header)
        .or(other_login)
        .or(elsewhere)
        // it then takes an API key alone
        .or_else(|| {
            effective(context, settings, observed::CLAUDE_CODE_SIMPLE).filter(|it| on(&it.value))
        })
        // the one of the environment is judged as the login that it is
        .or_else(|| in_file(variables::CLAUDE_CODE_OAUTH_TOKEN));
    if let Some(setting) = winner {
        let of_project = setting.file.is_some_and(|file| file.of_project);
        let (code, summary) = if of_project {
            (
                Code::ClaudeProjectOverride,
                format!(
                    "the repository's settings set `{}`, which overrides the token",
                    setting.name
                ),
            )
        } else {
            (
                Code::ClaudeAuthConflict,
                format!("{} is set as well, and overrides the token", setting.name),
            )
        };
        let fail = Judgement::fail(code, summary, take_out(&setting)).about(&setting.name);
        outcomes.push(fail.with([
            Evidence::new("wins", setting.name),
            Evidence::new("set in", setting.place),
            Evidence::new("unused", "the token of `claude setup-token`"),
        ]));
    }
    if let Some(setting) = effective(context, settings, observed::ANTHROPIC_BASE_URL)
        && setting.value.trim_end_matches('/') != OFFICIAL_ORIGIN
    {
        outcomes.push(
            Judgement::fail(
                Code::ClaudeTokenSentElsewhere,
                "ANTHROPIC_BASE_URL sends the subscription token to another host than Anthropic's",
                take_out(&setting),
            )
            .about(&setting.name)
            .with([
                Evidence::foreign("host", &setting.value),
                Evidence::new("set in", setting.place),
            ]),
        );
    }
    if outcomes.is_empty() {
        outcomes.push(Judgement::pass("nothing overrides the token, and it goes to Anthropic"));
    }
    outcomes
}

/// Whether one of the headers, each in a line of its own, is what a request is logged in by.
fn names_credential(headers: &str) -> bool {
    let mut names =
        headers.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    names.any(|name| {
        ["authorization", "x-api-key"].iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}
