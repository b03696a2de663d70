//! Codex: judged from its files and variables. Its own status commands say yes to `{}`.

mod config;
mod fault;
mod form;
mod layers;
mod login;
mod merged;
mod refused;
mod request;
mod rules;
mod settings;
mod start;

use std::path::Path;

use super::outcome::{CheckStatus, Evidence, Judgement};
use super::request::send;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::doctor::context::Context;
use crate::doctor::variable_file::{VariableFile, dotenv};
use crate::provision::trust::{NAMELESS, is_named, real};
use crate::resource::file::{self, Content, Kind};
use crate::resource::mount;
use crate::resource::place::Obstacle;
use crate::secret::{CodexAuth, Mode};
use crate::state::subject::Subject;
use crate::variables::observed;
use fault::CodexFault;
use layers::{Layers, Unusable};
use request::REQUEST;
use settings::{Login, is_official};

const NONE: &str = "no Codex login is configured, and none is present";

/// Reports a configuration with which Codex does not start.
const CONFIG: &str = "codex.config";

/// The files of Codex, read once.
pub struct CodexFacts {
    content: Result<Option<Content>, Obstacle>,
    auth: Option<CodexAuth>,
    layers: Result<Layers, Unusable>,
}

/// `None`: no login is configured, now or by the last apply, and none is there.
fn facts<'c>(context: &'c Context) -> Option<&'c CodexFacts> {
    let facts = context.gathered.get(|| {
        let content = file::observe(auth_path(context), Kind::Secret);
        let auth = match &content {
            Ok(Some(content)) => CodexAuth::parse(&content.bytes).ok(),
            _ => None,
        };
        CodexFacts { content, auth, layers: Layers::of_machine(context) }
    });
    context.has_login(Client::Codex).then_some(facts)
}

fn auth_path<'c>(context: &'c Context) -> &'c Path {
    &context.home.clients.codex.login
}

/// What keeps Codex from starting, or else what would defeat its login.
fn faults<'a>(
    layers: &'a Layers,
    login: &Login,
    offered: &dyn Fn(&str) -> bool,
) -> Vec<CodexFault<'a>> {
    refused::refused(layers)
        .map_or_else(|| settings::settings(layers, login, offered), |fault| vec![fault])
}

pub fn login(context: &Context) -> Judgement {
    let Some(CodexFacts { content, auth, .. }) = facts(context) else {
        return Judgement::skip(NONE);
    };
    match content {
        Err(obstacle) => Judgement::obstructed(obstacle, auth_path(context)),
        Ok(None) => login::missing(context),
        Ok(Some(content)) => {
            let judgement = login::login(context, &content.bytes, auth.as_ref());
            let renews = auth.as_ref().is_some_and(CodexAuth::has_refresh_token);
            match mount::mount(auth_path(context)) {
                Some(_) if renews && judgement.status != CheckStatus::Fail => {
                    login::not_replaceable(context).with(judgement.evidence)
                }
                _ => judgement,
            }
        }
    }
}

pub fn environment(context: &Context) -> Judgement {
    facts(context).map_or_else(|| Judgement::skip(NONE), |_| variables(context))
}

pub fn config(context: &Context) -> Vec<Judgement> {
    let Some(CodexFacts { content, auth, layers }) = facts(context) else {
        return vec![Judgement::skip(NONE)];
    };
    let login = Login::of(context, content.as_ref().map(|_| auth.as_ref()).map_err(drop));
    match layers {
        Ok(layers) => config::check(context, layers, &login),
        Err(why) => vec![config::unusable(context, why)],
    }
}

pub fn trust(context: &Context) -> Vec<Judgement> {
    let Some(facts) = facts(context) else { return vec![Judgement::skip(NONE)] };
    let layers = match &facts.layers {
        Ok(layers) => layers,
        Err(why) => return vec![config::unusable(context, why).reported_by(CONFIG)],
    };
    match refused::refused(layers) {
        Some(fault) => vec![config::judgement(context, fault).reported_by(CONFIG)],
        None => trusted_folders(context, layers),
    }
}

/// Where the settings lead the requests to the model.
pub enum ModelHost {
    Vendor,
    /// A base URL, and what sets it.
    Own {
        url: String,
        set_by: String,
        /// The login of auth.json is sent there.
        uses_login: bool,
        /// Codex asks it for no WebSocket.
        without_websockets: bool,
    },
    /// A host that is not asked, and why.
    NotAsked(&'static str),
}

/// How Codex would reach its model. `None`: it has no login here.
pub fn model_host<'c>(context: &'c Context) -> Option<(Option<&'c CodexAuth>, ModelHost)> {
    let CodexFacts { auth, layers, .. } = facts(context)?;
    let has_key = auth.as_ref().is_some_and(|auth| auth.mode() == Mode::ApiKey);
    let host = layers.as_ref().map_or(ModelHost::Vendor, |layers| named_host(layers, has_key));
    Some((auth.as_ref(), host))
}

fn named_host(layers: &Layers, has_key: bool) -> ModelHost {
    let text = |names: &[&str]| {
        let (layer, item) = layers.value(names)?;
        Some((item.as_str()?.to_owned(), layer.path.display().to_string()))
    };
    let own = |name: &str, (url, place): (String, String), uses_login, without_websockets| {
        let set_by = format!("{name} in {place}");
        ModelHost::Own { url, set_by, uses_login, without_websockets }
    };
    // it decides where a ChatGPT login asks first, and nothing for a key
    if !has_key && text(&["chatgpt_base_url"]).is_some_and(|(url, _)| !is_official(&url)) {
        return ModelHost::NotAsked(
            "chatgpt_base_url sends Codex to another host, which is not asked",
        );
    }
    match text(&["model_provider"]).as_ref().map(|(provider, _)| provider.as_str()) {
        None | Some("openai") => text(&["openai_base_url"])
            .filter(|(url, _)| !url.is_empty())
            .map_or(ModelHost::Vendor, |url| own("openai_base_url", url, true, false)),
        Some(provider) => match text(&["model_providers", provider, "base_url"]) {
            Some(url) => {
                let switch = |name| {
                    let found = layers.value(&["model_providers", provider, name]);
                    found.and_then(|(_, item)| item.as_bool())
                };
                let uses_login = switch("requires_openai_auth") == Some(true);
                let without_websockets = switch("supports_websockets") == Some(false);
                let name = format!("model_providers.{provider}.base_url");
                own(&name, url, uses_login, without_websockets)
            }
            None if provider.contains("bedrock") => {
                ModelHost::NotAsked("config.toml sends Codex to Amazon Bedrock, which is not asked")
            }
            None => {
                ModelHost::NotAsked("the provider in config.toml has a host that is not known here")
            }
        },
    }
}

/// One small request through Codex itself, as an agent would make it, unless the network is known to
/// keep it from its model.
pub fn request(context: &Context, network: &Judgement) -> Judgement {
    if facts(context).is_none() {
        return Judgement::skip(NONE);
    }
    let mut local = vec![login(context), environment(context), network.clone()];
    local.extend(config(context));
    send(context, &REQUEST, &local, login::new_seed(context))
}

fn variables(context: &Context) -> Judgement {
    for name in [observed::CODEX_API_KEY, observed::CODEX_ACCESS_TOKEN] {
        if context.env.get(name).is_some() {
            return Judgement::fail(Code::CodexEnvOverride,
                format!("{name} is set, so Codex does not use auth.json"),
                Fix::report(format!(
                    "remove {name} from the template's environment, or stop using the login in auth.json"
                )),
            )
            .with([Evidence::new("wins", name), Evidence::new("unused", "auth.json")]);
        }
    }
    let names = observed::CODEX_WORKLOAD_IDENTITY;
    let of_file = variable_file(context);
    let in_file = |name: &str| of_file.values.contains_key(name);
    if let Some(name) = names.iter().find(|it| context.env.raw(it).is_some() || in_file(it)) {
        let summary =
            format!("{name} is set, so Codex logs in by workload identity, or does not start");
        let fix = if context.env.raw(name).is_some() {
            Fix::report(format!(
                "take {name} out of the template's environment (also an empty one counts), or give up the login in auth.json"
            ))
        } else {
            Fix::edit(&of_file.path, format!("take {name} out, or give up the login in auth.json"))
        };
        return Judgement::fail(Code::CodexEnvOverride, summary, fix)
            .with([Evidence::new("wins", *name), Evidence::new("unused", "auth.json")]);
    }
    let renewed_at = context.env.text(observed::CODEX_REFRESH_TOKEN_URL_OVERRIDE);
    if let Some(url) = renewed_at.filter(|url| !is_official(url)) {
        return Judgement::fail(Code::CodexTokenSentElsewhere,
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE sends the refresh token to another host than OpenAI's",
            Fix::report("remove CODEX_REFRESH_TOKEN_URL_OVERRIDE from the template's environment"),
        )
        .with([Evidence::foreign("host", &url)]);
    }
    Judgement::pass("no variable overrides auth.json")
}

/// The variables that Codex reads from a file of its own when it starts.
pub fn variable_file(context: &Context) -> VariableFile {
    let path = context.home.clients.codex.folder.join(".env");
    let mut values = dotenv(&file::text(&path), |name| context.env.text(name));
    // Codex takes none of its own from there
    values.retain(|name, _| !name.starts_with("CODEX_"));
    VariableFile { path, values, of_project: false }
}

fn trusted_folders(context: &Context, layers: &Layers) -> Vec<Judgement> {
    let folders = &context.desired.trusted_folders;
    if folders.is_empty() {
        return vec![Judgement::skip("PUSHREADY_TRUSTED_FOLDERS names no folder")];
    }
    let path = &context.home.clients.codex.config;
    folders
        .iter()
        .map(|folder| {
            let subject = folder.display().to_string();
            let real = real(folder);
            let project = layers.value(&["projects", &real]);
            let level = layers.trust(Path::new(&real));
            let asks = "Codex will ask whether the folder is trusted";
            let (summary, fix) = match (project, level) {
                (Some(_), Some("trusted")) => return Judgement::pass("Codex trusts the folder").about(subject),
                // the level there is the user's: apply leaves it
                (Some(_), Some(_)) => (
                    "config.toml marks the folder as not trusted",
                    Fix::edit(
                        path,
                        "write `trust_level = \"trusted\"` in its table, or remove the folder from PUSHREADY_TRUSTED_FOLDERS",
                    ),
                ),
                (Some(_), None) => {
                    (asks, Fix::edit(path, "add `trust_level = \"trusted\"` to the table of the folder"))
                }
                (None, _) if !is_named(folder) => (asks, Fix::report(NAMELESS)),
                (None, _) => (asks, addition(context, path)),
            };
            Judgement::warn(Code::CodexUntrustedFolder, summary, fix).about(subject)
        })
        .collect()
}

/// A folder that config.toml does not name: apply adds it, where the form of the file takes it.
fn addition(context: &Context, path: &Path) -> Fix {
    let planned = context.planned(&Subject::Trust(Client::Codex));
    let refused = planned
        .filter(|planned| planned.steps.is_empty())
        .and_then(|planned| planned.item.finding.as_ref());
    refused.map_or_else(
        || Fix::run(["pushready", "apply"], "run apply: it adds the folder"),
        |finding| Fix::edit(path, &finding.fix.message),
    )
}
