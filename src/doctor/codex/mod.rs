//! Codex: judged from its files and variables. Its own status commands say yes to `{}`.

mod config;
mod fault;
mod layers;
mod login;
mod refused;
mod settings;

use std::path::{Path, PathBuf};

use super::outcome::{Evidence, Outcome};
use super::request;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::provision::trust::{NAMELESS, is_named, real};
use crate::resource::file::{self, Kind};
use crate::secret::CodexAuth;
use crate::state::subject::Subject;
use crate::variables::observed;
use fault::Fault;
use layers::Layers;
use settings::{Login, is_official};

const NONE: &str = "no Codex login was asked for, and none is there";

/// Whether a login was asked for, now or by the last apply, or is there.
fn concerns(context: &Context) -> bool {
    context.settings.codex.is_some()
        || context.desired.codex.is_some()
        || context.settings.refused.iter().any(|item| item.item == Subject::Codex)
        || !matches!(file::observe(&auth_path(context), Kind::Secret), Ok(None))
}

fn auth_path(context: &Context) -> PathBuf {
    context.home.codex.join("auth.json")
}

/// What keeps Codex from starting, or else what would defeat its login.
fn faults<'a>(layers: &'a Layers, login: &Login, offered: &dyn Fn(&str) -> bool) -> Vec<Fault<'a>> {
    refused::refused(layers)
        .map_or_else(|| settings::settings(layers, login, offered), |fault| vec![fault])
}

/// The checks that need no network, whichever of them are wanted.
pub fn check(context: &Context) -> Vec<Outcome> {
    if !concerns(context) {
        let ids = ["codex.login", "codex.environment", "codex.config", "codex.trust"];
        return Outcome::skip_all(&ids, NONE);
    }
    let path = auth_path(context);
    let content = file::observe(&path, Kind::Secret);
    let auth = match &content {
        Ok(Some(content)) => CodexAuth::parse(&content.bytes).ok(),
        _ => None,
    };
    let judged = Login::of(context, content.as_ref().map(|_| auth.as_ref()).map_err(drop));
    let mut outcomes = vec![match content {
        Err(obstacle) => Outcome::obstructed("codex.login", &obstacle, &path),
        Ok(None) => login::missing(context),
        Ok(Some(content)) => login::login(context, &content.bytes, auth.as_ref()),
    }];
    outcomes.push(environment(context));
    match Layers::of_machine(context) {
        Ok(layers) => {
            outcomes.extend(config::check(context, &layers, &judged));
            if refused::starts(&layers) {
                outcomes.extend(trust(context, &layers));
            }
        }
        Err(why) => outcomes.push(config::unusable(context, &why)),
    }
    outcomes
}

/// One small request through Codex itself, as an agent would make it.
pub fn request(context: &Context) -> Outcome {
    if !concerns(context) {
        return Outcome::skip(request::CODEX.id, None, NONE);
    }
    request::send(context, &request::CODEX, &check(context), login::new_seed(context))
}

fn environment(context: &Context) -> Outcome {
    const ID: &str = "codex.environment";
    for name in [observed::CODEX_API_KEY, observed::CODEX_ACCESS_TOKEN] {
        if context.env.get(name).is_some() {
            return Outcome::fail(
                ID,
                None,
                Code::CodexEnvOverride,
                format!("{name} is set, so Codex does not use auth.json"),
                Fix::report(format!(
                    "take {name} out of the template's environment, or give up the login in auth.json"
                )),
            )
            .with([Evidence::new("wins", name), Evidence::new("unused", "auth.json")]);
        }
    }
    let renewed_at = context.env.text(observed::CODEX_REFRESH_TOKEN_URL_OVERRIDE);
    if let Some(url) = renewed_at.filter(|url| !is_official(url)) {
        return Outcome::fail(
            ID,
            None,
            Code::CodexTokenSentElsewhere,
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE sends the refresh token to another host than OpenAI's",
            Fix::report("take CODEX_REFRESH_TOKEN_URL_OVERRIDE out of the template's environment"),
        )
        .with([Evidence::foreign("host", &url)]);
    }
    Outcome::pass(ID, None, "no variable beats auth.json")
}

fn trust(context: &Context, layers: &Layers) -> Vec<Outcome> {
    const ID: &str = "codex.trust";
    let folders = &context.desired.trusted_folders;
    if folders.is_empty() {
        return vec![Outcome::skip(ID, None, "PUSHREADY_TRUSTED_FOLDERS names no folder")];
    }
    let path = context.home.codex.join("config.toml");
    folders
        .iter()
        .map(|folder| {
            let subject = Some(folder.display().to_string());
            let real = real(folder);
            let project = layers.value(&["projects", &real]);
            let level = layers.trust(Path::new(&real));
            let asks = "Codex will ask whether the folder is trusted";
            let (summary, fix) = match (project, level) {
                (Some(_), Some("trusted")) => return Outcome::pass(ID, subject, "Codex trusts the folder"),
                // what stands there is the user's: apply leaves it
                (Some(_), Some(_)) => (
                    "config.toml has the folder as not trusted",
                    Fix::edit(
                        &path,
                        "write `trust_level = \"trusted\"` in its table, or take the folder out of PUSHREADY_TRUSTED_FOLDERS",
                    ),
                ),
                (Some(_), None) => {
                    (asks, Fix::edit(&path, "add `trust_level = \"trusted\"` to the table of the folder"))
                }
                (None, _) if !is_named(folder) => (asks, Fix::report(NAMELESS)),
                (None, _) => (asks, addition(context, &path)),
            };
            Outcome::warn(ID, subject, Code::CodexUntrustedFolder, summary, fix)
        })
        .collect()
}

/// A folder that config.toml does not name: apply adds it, where the form of the file takes it.
fn addition(context: &Context, path: &Path) -> Fix {
    let planned = context.planned(&Subject::CodexTrust);
    let refused = planned
        .filter(|planned| planned.steps.is_empty())
        .and_then(|planned| planned.item.finding.as_ref());
    refused.map_or_else(
        || Fix::run(["pushready", "apply"], "run apply: it adds the folder"),
        |finding| Fix::edit(path, &finding.fix.message),
    )
}
