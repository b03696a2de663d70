//! What overrides the token, and where it would be sent.

use std::path::PathBuf;

use serde_json::Value;

use super::managed;
use super::settings::{ClaudeSettings, SettingsFault, SettingsFile};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement};
use crate::doctor::variable_file::VariableFile;
use crate::variables::{self, observed};

/// Named by the settings, it leads to another folder than the one that has the settings.
const CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";
const OFFICIAL_ORIGIN: &str = "https://api.anthropic.com";

/// The files that Claude Code ignores.
pub fn ignored(context: &Context) -> Vec<Judgement> {
    let judge = |(path, fault): &(PathBuf, SettingsFault)| {
        let shown = context.home.shown(path);
        let (why, fix, subject) = match fault {
            SettingsFault::Form(name) => (
                format!("the form of `{name}` is wrong"),
                format!("correct `{name}`, or remove it"),
                (*name).to_owned(),
            ),
            SettingsFault::NotAnObject => (
                format!("`{shown}` is not a JSON object"),
                "correct it, or remove it".to_owned(),
                shown,
            ),
            SettingsFault::Unreadable => (
                format!("`{shown}` cannot be read"),
                "make it a file that the workspace user can read, or remove it".to_owned(),
                shown,
            ),
        };
        let summary = format!(
            "{why}: Claude Code ignores the whole settings file, and asks in a terminal how to go on"
        );
        let evidence = Evidence::new("in", path.display().to_string());
        Judgement::warn(Code::ClaudeConfigMalformed, summary, Fix::edit(path, fix))
            .about(subject)
            .with([evidence])
    };
    ClaudeSettings::of(context).ignored.iter().map(judge).collect()
}

/// What the settings files set in the environment of Claude Code, the strongest first.
pub fn variables_of_files(context: &Context) -> Vec<VariableFile> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => as_text(value),
    };
    let read = |file: &SettingsFile| {
        let values = file.value.get("env").and_then(Value::as_object).into_iter().flatten();
        let values = values.map(|(name, value)| (name.clone(), text(value))).collect();
        VariableFile { path: file.path.clone(), values, of_project: file.is_of_project() }
    };
    ClaudeSettings::of(context).files.iter().map(read).collect()
}

/// What is not known of the environment, because a settings file was not read.
pub fn unread(context: &Context) -> Option<Judgement> {
    ClaudeSettings::of(context).unread().next()
}

/// What sends Claude Code to another service than Anthropic's: that one is not asked.
pub fn other_service(context: &Context) -> Option<String> {
    let settings = &ClaudeSettings::of(context).files[..];
    let set = |name: &str| effective(context, settings, name);
    let providers = observed::CLAUDE_CODE_PROVIDERS.iter();
    let provider = providers.filter_map(|name| set(name)).find(|it| is_on(&it.value));
    let setting = provider.or_else(|| set("ANTHROPIC_UNIX_SOCKET"))?;
    Some(setting.name)
}

/// A program that gives Claude Code its login for a proxy (2.1.330, measured).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHelper {
    #[default]
    None,
    /// Without the variable that switches it on it is not run.
    SwitchedOff,
    Runs,
}

pub fn proxy_helper(context: &Context) -> ProxyHelper {
    let settings = &ClaudeSettings::of(context).files[..];
    let helper = settings.iter().find_map(|file| file.value.get("proxyAuthHelper")?.as_str());
    let switch = effective(context, settings, observed::CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER);
    match helper {
        None | Some("") => ProxyHelper::None,
        Some(_) if switch.is_some_and(|switch| is_on(&switch.value)) => ProxyHelper::Runs,
        Some(_) => ProxyHelper::SwitchedOff,
    }
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
    let is_taken = |file: &&SettingsFile| {
        let is_ignored_there =
            file.is_of_project() && observed::CLAUDE_CODE_NOT_OF_PROJECTS.contains(&name);
        !is_ignored_there && !observed::CLAUDE_CODE_NOT_OF_SETTINGS.contains(&name)
    };
    let in_file = settings
        .iter()
        .filter(is_taken)
        .find_map(|file| Some((file, as_text(file.value.get("env")?.get(name)?))));
    let (value, place, file) = if let Some((file, value)) = in_file {
        (value, file.path.display().to_string(), Some(file))
    } else {
        (context.env.text(name)?, "the environment".to_owned(), None)
    };
    (!value.is_empty()).then(|| Setting { name: name.to_owned(), value, place, file })
}

/// A value as JavaScript makes a string of it, which is what Claude Code puts into its environment.
/// Pure.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(list) => {
            let texts = list.iter().map(|value| match value {
                Value::Null => String::new(),
                value => as_text(value),
            });
            texts.collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => "[object Object]".to_owned(),
        value => value.to_string(),
    }
}

/// Whether Claude Code takes the value of a switch for on.
fn is_on(value: &str) -> bool {
    ["1", "true", "yes", "on"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

/// What overrides the token, and where the token would go. The order is Claude Code's own (2.1.330,
/// measured).
pub fn environment(context: &Context) -> Vec<Judgement> {
    let settings = &ClaudeSettings::of(context).files[..];
    let mut outcomes = Vec::new();
    let provider = observed::CLAUDE_CODE_PROVIDERS.iter().find_map(|name| {
        effective(context, settings, name).filter(|setting| is_on(&setting.value))
    });
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
    let own_header =
        headers.filter(|setting| names_credential(&setting.value) || is_refused(&setting.value));
    let other_login =
        observed::CLAUDE_CODE_LOGINS.iter().find_map(|name| effective(context, settings, name));
    // the token of the variable is in no file
    let has_variable = context.env.get(variables::CLAUDE_CODE_OAUTH_TOKEN).is_some();
    let elsewhere = effective(context, settings, observed::CLAUDE_SECURESTORAGE_CONFIG_DIR)
        .filter(|setting| !has_variable && *context.home.clients.claude.folder != *setting.value);
    // which it reads after its own folder
    let other_folder = effective(context, settings, CONFIG_DIR).filter(|setting| {
        setting.file.is_some()
            && !has_variable
            && *context.home.clients.claude.folder != *setting.value
    });
    let [rule, organization] = observed::ANTHROPIC_WORKLOAD_IDENTITY;
    let federation = effective(context, settings, rule)
        .filter(|_| !has_variable && effective(context, settings, organization).is_some());
    let by_host = observed::CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST;
    let by_host =
        effective(context, &[], by_host).filter(|setting| !has_variable && is_on(&setting.value));
    let in_file =
        |name| effective(context, settings, name).filter(|setting| setting.file.is_some());
    let winner = effective(context, settings, observed::ANTHROPIC_AUTH_TOKEN)
        .or_else(|| effective(context, settings, observed::ANTHROPIC_API_KEY))
        .or(helper)
        .or(own_header)
        .or(other_login)
        .or(elsewhere)
        .or(other_folder)
        .or(federation)
        .or(by_host)
        // it then takes an API key alone
        .or_else(|| {
            effective(context, settings, observed::CLAUDE_CODE_SIMPLE).filter(|it| is_on(&it.value))
        })
        // the one of the environment is judged as the login that it is
        .or_else(|| in_file(variables::CLAUDE_CODE_OAUTH_TOKEN));
    if let Some(setting) = winner {
        let of_project = setting.file.is_some_and(SettingsFile::is_of_project);
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
        && !is_official(&setting.value)
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
    outcomes.extend(timeout(context, settings));
    outcomes.extend(ignored_login(settings));
    outcomes.extend(managed::forbids(context, settings));
    outcomes.extend(ClaudeSettings::of(context).unread());
    if outcomes.is_empty() {
        outcomes.push(Judgement::pass("nothing overrides the token, and it goes to Anthropic"));
    }
    outcomes
}

fn take_out(setting: &Setting) -> Fix {
    match setting.file {
        Some(file) => Fix::edit(&file.path, format!("take `{}` out", setting.name)),
        None => Fix::report(format!("remove {} from the template's environment", setting.name)),
    }
}

/// A time in which no model answers.
fn timeout(context: &Context, settings: &[SettingsFile]) -> Option<Judgement> {
    let setting = effective(context, settings, observed::API_TIMEOUT_MS)?;
    let judgement = match too_short(&setting.value)? {
        CheckStatus::Fail => Judgement::fail,
        _ => Judgement::warn,
    };
    let summary = format!(
        "Claude Code gives up a request after {} ms, in which a model hardly answers",
        setting.value
    );
    let judgement = judgement(Code::ClaudeConfigMalformed, summary, take_out(&setting));
    Some(judgement.about(setting.name).with([Evidence::new("set in", setting.place)]))
}

/// Claude Code takes a value that is not a number, or not positive, for none (2.1.330, measured).
/// Pure.
fn too_short(milliseconds: &str) -> Option<CheckStatus> {
    match milliseconds.parse::<u64>() {
        Ok(1..100) => Some(CheckStatus::Fail),
        Ok(100..1000) => Some(CheckStatus::Warn),
        _ => None,
    }
}

/// A login in the settings of a repository, which is of no effect there.
fn ignored_login(settings: &[SettingsFile]) -> Option<Judgement> {
    let of_projects = settings.iter().filter(|file| file.is_of_project());
    let (file, name) = of_projects.into_iter().find_map(|file| {
        let env = file.value.get("env")?;
        let mut names = observed::CLAUDE_CODE_NOT_OF_PROJECTS.iter();
        Some((file, *names.find(|name| env.get(name).is_some())?))
    })?;
    let summary = format!(
        "the repository's settings set `{name}`, which Claude Code 2.1.330 does not take from there"
    );
    let fix = Fix::edit(&file.path, format!("take `{name}` out"));
    let warning = Judgement::warn(Code::ClaudeProjectOverride, summary, fix).about(name);
    Some(warning.with([Evidence::new("set in", file.path.display().to_string())]))
}

/// A file that the runtime of Claude Code is to load at its start, and that is not there.
pub fn missing_preload(context: &Context) -> Option<Judgement> {
    let options = context.env.text(observed::BUN_OPTIONS)?;
    let path = preloaded(&options).find(|path| path.is_absolute() && !path.exists())?;
    let fail = Judgement::fail(
        Code::ClaudeConfigMalformed,
        "BUN_OPTIONS names a file that is not there: Claude Code does not start",
        Fix::report("remove BUN_OPTIONS from the template's environment"),
    );
    Some(
        fail.about(observed::BUN_OPTIONS).with([Evidence::new("path", path.display().to_string())]),
    )
}

/// The files that these arguments have the runtime load. Pure.
fn preloaded(options: &str) -> impl Iterator<Item = PathBuf> {
    const NAMES: [&str; 4] = ["--preload", "--require", "--import", "-r"];
    let mut words = options.split_whitespace();
    let mut paths = Vec::new();
    while let Some(word) = words.next() {
        let value = match word.split_once('=') {
            Some((name, value)) => NAMES.contains(&name).then_some(value),
            None => NAMES.contains(&word).then(|| words.next()).flatten(),
        };
        paths.extend(value.map(PathBuf::from));
    }
    paths.into_iter()
}

/// Whether requests to this base URL go to Anthropic's own host. Pure.
fn is_official(url: &str) -> bool {
    let url = url.trim_end_matches('/').to_ascii_lowercase();
    url.strip_suffix(":443").unwrap_or(&url) == OFFICIAL_ORIGIN
}

/// Whether Claude Code refuses one of the headers, and sends nothing. A line without a colon is
/// ignored. Pure.
fn is_refused(headers: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut headers = headers.lines().filter_map(|line| line.split_once(':'));
    headers.any(|(name, value)| {
        let name = name.trim();
        name.is_empty() || !name.chars().all(is_name) || value.chars().any(|c| c as u32 > 0xff)
    })
}

/// Whether one of the headers, each in a line of its own, is what a request is logged in by.
fn names_credential(headers: &str) -> bool {
    let mut names =
        headers.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    names.any(|name| {
        ["authorization", "x-api-key"].iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Each as Claude Code 2.1.330 sent it, as an API key.
    #[test]
    fn a_value_of_the_settings_is_the_text_that_claude_code_makes_of_it() {
        for (value, text) in [
            (json!("x "), "x"),
            (json!(null), "null"),
            (json!([]), ""),
            (json!(["x"]), "x"),
            (json!(["x", null, [1, 2]]), "x,,1,2"),
            (json!({}), "[object Object]"),
            (json!(true), "true"),
            (json!(12), "12"),
        ] {
            assert_eq!(as_text(&value), text, "{value}");
        }
    }

    #[test]
    fn a_time_in_which_no_model_answers_is_known() {
        for (value, expected) in [
            ("1", Some(CheckStatus::Fail)),
            ("99", Some(CheckStatus::Fail)),
            ("600", Some(CheckStatus::Warn)),
            ("1000", None),
            ("0", None),
            ("-1", None),
            ("abc", None),
        ] {
            assert_eq!(too_short(value), expected, "{value}");
        }
    }

    #[test]
    fn a_preloaded_file_is_found_in_each_form() {
        for (options, expected) in [
            ("--smol", &[][..]),
            ("--preload /a.js", &["/a.js"]),
            ("--smol --require=/a.js -r /b.js", &["/a.js", "/b.js"]),
            ("--preload", &[]),
        ] {
            let paths: Vec<_> = preloaded(options).collect();
            assert_eq!(paths, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{options}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        for (headers, refused) in [
            ("X-Team: a", false),
            ("X-A: 1\nX-B: 2", false),
            ("nonsense", false),
            (r#"{"X-A":"1"}"#, true),
            ("bad name: x", true),
            ("X-A: \u{2192}", true),
            ("X-A: \u{fc}", false),
        ] {
            assert_eq!(is_refused(headers), refused, "{headers}");
        }
    }

    #[test]
    fn a_switch_is_on_by_four_words() {
        for (value, on) in [("1", true), ("TRUE", true), ("yes", true), ("on", true)] {
            assert_eq!(is_on(value), on, "{value}");
        }
        for value in ["0", "2", "enabled", "null", "[object Object]", "off"] {
            assert!(!is_on(value), "{value}");
        }
    }
}
