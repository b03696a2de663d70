//! What beats the token, and where it would be sent.

use std::path::PathBuf;

use serde_json::Value;

use super::Context;
use crate::catalogue::Code;
use crate::doctor::outcome::{Evidence, Fix, Outcome};
use crate::resource::file::{self, Kind};
use crate::variables::{self, observed};

const OFFICIAL_ORIGIN: &str = "https://api.anthropic.com";
const MANAGED: &str = "/etc/claude-code/managed-settings.json";

/// One settings file of Claude Code.
struct SettingsFile {
    path: PathBuf,
    value: Value,
    /// It came with a repository: whoever can push to it can set it.
    of_project: bool,
}

fn read_settings(context: &Context) -> Vec<SettingsFile> {
    let mut paths = vec![(PathBuf::from(MANAGED), false), (context.home.claude.join("settings.json"), false)];
    // those of the folder in which it is started, and of no other above it (2.1.330, measured)
    if let Some(folder) = &context.folder {
        let of_project = *folder != context.home.path;
        for name in ["settings.json", "settings.local.json"] {
            paths.push((folder.join(".claude").join(name), of_project));
        }
    }
    let read = |(path, of_project): (PathBuf, bool)| {
        let content = file::observe(&path, Kind::Shared).ok()??;
        let value = serde_json::from_slice(&content.bytes).ok()?;
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

/// The first place in which a variable of Claude Code is set: settings files beat the environment.
fn effective<'a>(context: &Context, settings: &'a [SettingsFile], name: &str) -> Option<Setting<'a>> {
    let in_file = settings.iter().find_map(|file| {
        let value = match file.value.get("env")?.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return None,
        };
        let place = file.path.display().to_string();
        (!value.is_empty()).then(|| Setting { name: name.to_owned(), value, place, file: Some(file) })
    });
    in_file.or_else(|| {
        let value = context.env.text(name)?;
        Some(Setting { name: name.to_owned(), value, place: "the environment".to_owned(), file: None })
    })
}

/// What beats the token, and where the token would go. The order is Claude Code's own (2.1.330, measured).
pub fn environment(context: &Context) -> Vec<Outcome> {
    const ID: &str = "claude.environment";
    let settings = &read_settings(context)[..];
    let mut outcomes = Vec::new();
    let take_out = |setting: &Setting| match setting.file {
        Some(file) => Fix::edit(&file.path, format!("take `{}` out", setting.name)),
        None => Fix::report(format!("take {} out of the template's environment", setting.name)),
    };
    let about = |setting: &Setting| Some(setting.name.clone());
    let on = |value: &str| !["0", "false", "no", "off"].iter().any(|off| value.eq_ignore_ascii_case(off));
    let provider = observed::CLAUDE_CODE_PROVIDERS
        .iter()
        .find_map(|name| effective(context, settings, name).filter(|setting| on(&setting.value)));
    if let Some(setting) = provider {
        let summary =
            format!("{} sends Claude Code to a cloud provider, so the token is unused", setting.name);
        outcomes.push(
            Outcome::fail(ID, about(&setting), Code::ClaudeProviderBypass, summary, take_out(&setting))
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
    let in_file = |name| effective(context, settings, name).filter(|setting| setting.file.is_some());
    let winner = effective(context, settings, observed::ANTHROPIC_AUTH_TOKEN)
        .or_else(|| effective(context, settings, observed::ANTHROPIC_API_KEY))
        .or(helper)
        // it then takes an API key alone
        .or_else(|| effective(context, settings, observed::CLAUDE_CODE_SIMPLE).filter(|it| on(&it.value)))
        // the one of the environment is judged as the login that it is
        .or_else(|| in_file(variables::CLAUDE_CODE_OAUTH_TOKEN));
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
        outcomes.push(Outcome::fail(ID, about(&setting), code, summary, take_out(&setting)).with([
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
                about(&setting),
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
