//! Claude Code: which credential it will really send, and what would keep it from starting
//! unattended.

pub mod environment;
mod form;
mod login;
mod managed;
mod request;
mod settings;

use std::io;
use std::path::{Path, PathBuf};

use super::outcome::{CheckStatus, Evidence, Judgement};
use super::request::send;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::doctor::context::Context;
use crate::doctor::git::executable;
use crate::git_cli::clones;
use crate::provision::claude::{BARRED, barred};
use crate::provision::trust::{NAMELESS, is_named, real};
use crate::resource::file::{self, Content, Kind};
use crate::resource::json::{self, Object, Trouble};
use crate::resource::mount::{self, Mount};
use crate::resource::place::Obstacle;
use crate::secret::CredentialsFile;
use crate::variables;
use jiff::Timestamp;
use request::REQUEST;
use rustix::fs::{Access, access};
use settings::ClaudeSettings;

const NONE: &str = "no Claude Code login is configured, and none is present";

/// Reports a configuration with which Claude Code does not start.
const CONFIG: &str = "claude.config";

/// The files of Claude Code, read once.
pub struct ClaudeFacts {
    credentials: Result<Option<CredentialsFile>, Obstacle>,
    config: Result<String, Obstacle>,
}

/// `None`: no login is configured, now or by the last apply, and none is there.
fn facts<'c>(context: &'c Context) -> Option<&'c ClaudeFacts> {
    let facts = context.gathered.get(|| {
        let credentials = file::observe(credentials_path(context), Kind::Secret);
        let parse = |content: Content| CredentialsFile::parse(&content.bytes);
        let config = file::observe(&context.home.clients.claude.config, Kind::Shared);
        let text = |content: Option<Content>| {
            let bytes = content.map(|content| content.bytes).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        ClaudeFacts {
            credentials: credentials.map(|content| content.map(parse)),
            config: config.map(text),
        }
    });
    context.has_login(Client::Claude).then_some(facts)
}

fn credentials_path<'c>(context: &'c Context) -> &'c Path {
    &context.home.clients.claude.login
}

pub fn login(context: &Context) -> Judgement {
    let Some(ClaudeFacts { credentials, .. }) = facts(context) else {
        return Judgement::skip(NONE);
    };
    match credentials {
        Err(obstacle) => Judgement::obstructed(obstacle, credentials_path(context)),
        Ok(credentials) => {
            let judgement = login::login(context, credentials.as_ref());
            match credentials {
                Some(CredentialsFile::Login { refreshable: true, .. })
                    if judgement.status != CheckStatus::Fail
                        && context.env.get(variables::CLAUDE_CODE_OAUTH_TOKEN).is_none() =>
                {
                    login::unwritable(context, credentials_path(context)).unwrap_or(judgement)
                }
                _ => judgement,
            }
        }
    }
}

pub fn environment(context: &Context) -> Vec<Judgement> {
    facts(context)
        .map_or_else(|| vec![Judgement::skip(NONE)], |_| environment::environment(context))
}

pub fn config(context: &Context) -> Vec<Judgement> {
    let Some(ClaudeFacts { config, .. }) = facts(context) else {
        return vec![Judgement::skip(NONE)];
    };
    match managed::malformed(ClaudeSettings::of(context)) {
        Some(judgement) => vec![judgement],
        None => configuration(context, config),
    }
}

pub fn trust(context: &Context) -> Vec<Judgement> {
    let Some(ClaudeFacts { config, .. }) = facts(context) else {
        return vec![Judgement::skip(NONE)];
    };
    let text = config.as_deref().unwrap_or_default();
    match read(config) {
        Ok(Some(config)) => trusted_folders(context, text, &config),
        Ok(None) => vec![Judgement::skip("there is no .claude.json yet")],
        Err(fault) => vec![fault.judgement(context).reported_by(CONFIG)],
    }
}

/// When Claude Code renews its login. `None`: it has none here.
pub fn renewal(context: &Context) -> Option<(bool, Option<Timestamp>)> {
    let ClaudeFacts { credentials, .. } = facts(context)?;
    let by_variable = context.env.get(variables::CLAUDE_CODE_OAUTH_TOKEN).is_some();
    Some(match credentials {
        Ok(Some(CredentialsFile::Login { refreshable, expires, .. })) if !by_variable => {
            (*refreshable, *expires)
        }
        _ => (false, None),
    })
}

/// One small request through Claude Code itself, as an agent would make it, unless the network is
/// known to keep it from its model.
pub fn request(context: &Context, network: &Judgement) -> Judgement {
    if facts(context).is_none() {
        return Judgement::skip(NONE);
    }
    let local = [vec![login(context), network.clone()], environment(context), config(context)];
    let local = local.concat();
    send(context, &REQUEST, &local, login::new_token(context))
}

/// What the configuration would make Claude Code do unattended.
fn configuration(context: &Context, config: &Result<String, Obstacle>) -> Vec<Judgement> {
    let path = &context.home.clients.claude.config;
    let text = config.as_deref().unwrap_or_default();
    let config = match read(config) {
        Ok(config) => config,
        Err(fault) => return vec![fault.judgement(context)],
    };
    let apply = || by_apply(path, "it answers the first-run prompts");
    let value = |name: &str| text.get(config.as_ref()?.get(name)?.value.clone());
    let mut outcomes = Vec::new();
    if value("hasCompletedOnboarding") != Some("true") {
        let summary = "the first-run prompts will block an unattended session";
        let warning = Judgement::warn(Code::ClaudeOnboardingIncomplete, summary, apply());
        outcomes.push(warning.about("hasCompletedOnboarding"));
    }
    if value("primaryApiKey").is_some_and(|key| key.starts_with('"') && key != "\"\"") {
        outcomes.push(
            Judgement::warn(
                Code::ClaudeAuthConflict,
                "`primaryApiKey` is still in .claude.json beside the token; Claude Code requests organisation settings with it",
                Fix::edit(path, "remove `primaryApiKey`"),
            )
            .about("primaryApiKey")
            .with([Evidence::new("wins", "the token"), Evidence::new("unused", "primaryApiKey")]),
        );
    }
    outcomes.extend(environment::ignored(context));
    outcomes.extend(environment::missing_preload(context));
    outcomes.extend(sandbox(context));
    outcomes.extend(temporary(context));
    if outcomes.is_empty() {
        outcomes.push(Judgement::pass("no first-run prompt blocks a session"));
    }
    outcomes
}

/// What apply does to .claude.json, unless it is a mount that cannot be written.
fn by_apply(path: &Path, does: &str) -> Fix {
    match mount::mount(path) {
        Some(Mount { read_only: true }) => Obstacle::Mount { read_only: true }.finding(path).fix,
        _ => Fix::run(["pushready", "apply"], format!("run apply: {does}")),
    }
}

/// With `sandbox.failIfUnavailable` Claude Code does not start without its sandbox (2.1.330,
/// measured).
fn sandbox(context: &Context) -> Option<Judgement> {
    const SETTING: &str = "sandbox.failIfUnavailable";
    const PROGRAMS: [&str; 2] = ["bwrap", "socat"];
    let files = &ClaudeSettings::of(context).files;
    let is_set = |name: &str| {
        let mut values = files.iter().filter_map(|file| {
            let value = file.value.get("sandbox")?.get(name)?.as_bool()?;
            Some((file, value))
        });
        values.next().filter(|(_, value)| *value).map(|(file, _)| file)
    };
    let (_, file) = is_set("enabled").zip(is_set("failIfUnavailable"))?;
    let missing: Vec<_> =
        PROGRAMS.into_iter().filter(|name| !executable::is_on_path(context, name)).collect();
    let judgement = if missing.is_empty() {
        let needs = "whether its sandbox works here, which Claude Code itself shows: `pushready doctor --live`";
        let summary = "Claude Code does not start where its sandbox does not work";
        Judgement::unknown(summary, needs)
    } else {
        let summary = format!(
            "Claude Code does not start without its sandbox, and {} is not installed",
            missing.join(" and ")
        );
        let fix = Fix::report(format!(
            "install bubblewrap and socat in the image, or remove `{SETTING}` from `{}`",
            file.path.display()
        ));
        Judgement::fail(Code::ClaudeConfigMalformed, summary, fix)
    };
    let judgement = judgement.about(SETTING);
    Some(judgement.with([Evidence::new("set in", file.path.display().to_string())]))
}

/// Claude Code makes a folder for its temporary files, and does not start without it (2.1.330,
/// measured).
fn temporary(context: &Context) -> Option<Judgement> {
    const VARIABLES: [&str; 2] = ["CLAUDE_CODE_TMPDIR", "TMPDIR"];
    let named = VARIABLES.iter().find_map(|name| Some((*name, context.env.get(name)?)));
    let variable = named.as_ref().map(|(name, _)| *name);
    let folder = named.map_or_else(|| PathBuf::from("/tmp"), |(_, folder)| PathBuf::from(folder));
    let own = folder.join(format!("claude-{}", rustix::process::geteuid().as_raw()));
    let there = own.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let is_link = there == own && own.is_symlink();
    let mode = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    if there.is_dir() && !is_link && access(there, mode).is_ok() {
        return None;
    }
    let summary = "Claude Code cannot make or use its temporary folder, and does not start";
    let fix = match variable {
        Some(name) => {
            format!("unset {name}, or let it name a folder that the workspace user can write")
        }
        None => format!("remove `{}`, or give it to the workspace user", own.display()),
    };
    let fail = Judgement::fail(Code::ClaudeHomeUnwritable, summary, Fix::report(fix));
    let fail = fail.about(variable.unwrap_or("/tmp"));
    Some(fail.with([Evidence::new("path", there.display().to_string())]))
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

fn trusted_folders(context: &Context, text: &str, config: &Object) -> Vec<Judgement> {
    let folders = &context.desired.trusted_folders;
    if folders.is_empty() {
        return vec![Judgement::skip("PUSHREADY_TRUSTED_FOLDERS names no folder")];
    }
    let path = &context.home.clients.claude.config;
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
            let subject = folder.display().to_string();
            let real = real(folder);
            if covering(Path::new(&real)).iter().any(|folder| accepted(folder)) {
                return Judgement::pass("Claude Code trusts the folder").about(subject);
            }
            let fix = match () {
                () if !is_named(folder) => Fix::report(NAMELESS),
                () if barred(text, &real) => Fix::edit(path, BARRED),
                () => by_apply(path, "it adds the folder"),
            };
            let summary =
                "Claude Code will ask whether the folder is trusted, and its default answer is \"No, exit\"";
            Judgement::warn(Code::ClaudeUntrustedFolder, summary, fix).about(subject)
        })
        .collect()
}

/// A configuration that cannot be used.
enum ConfigFault<'a> {
    Malformed { line: usize, column: usize },
    NotAnObject,
    TooManyProperties,
    Unreadable(&'a Obstacle),
}

/// Reads .claude.json. `None`: there is none.
fn read(text: &Result<String, Obstacle>) -> Result<Option<Object<'_>>, ConfigFault<'_>> {
    let text = text.as_ref().map_err(ConfigFault::Unreadable)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    match json::object(text) {
        Ok(config) => Ok(Some(config)),
        Err(Trouble::NotAnObject) => Err(ConfigFault::NotAnObject),
        Err(Trouble::TooManyProperties) => Err(ConfigFault::TooManyProperties),
        Err(Trouble::Malformed(at)) => {
            let (line, column) = json::place(text.as_bytes(), at);
            Err(ConfigFault::Malformed { line, column })
        }
    }
}

impl ConfigFault<'_> {
    fn judgement(&self, context: &Context) -> Judgement {
        let path = &context.home.clients.claude.config;
        let what = match self {
            Self::Unreadable(obstacle) => {
                let judgement = Judgement::obstructed(obstacle, path);
                return match obstacle {
                    // Claude Code runs with `-p`, and cannot keep what is answered in a terminal
                    Obstacle::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                        Judgement { status: CheckStatus::Warn, ..judgement }
                    }
                    _ => judgement,
                };
            }
            Self::NotAnObject => {
                let summary = ".claude.json does not contain a JSON object: Claude Code replaces it, and asks its first-run prompts in a terminal";
                let fix = Fix::edit(path, "remove the file, and run `pushready apply`");
                return Judgement::warn(Code::ClaudeConfigMalformed, summary, fix);
            }
            Self::Malformed { line, column } => {
                format!("does not parse at line {line}, column {column}")
            }
            Self::TooManyProperties => {
                format!("has an object with more than {} properties", json::MOST_PROPERTIES)
            }
        };
        let fix = Fix::edit(path, "fix it, or restore a copy from ~/.claude/backups");
        let summary = format!(".claude.json {what}: Claude Code does not start");
        Judgement::fail(Code::ClaudeConfigMalformed, summary, fix)
    }
}
