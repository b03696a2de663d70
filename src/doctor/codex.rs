//! Codex: judged from its files and variables. Its own status commands say yes to `{}`.

use rustix::fs::{Access, access};
use toml_edit::{DocumentMut, Item};

use super::Context;
use super::outcome::{Evidence, Fix, Outcome};
use crate::catalogue::Code;
use crate::digest::Digest;
use crate::error::Finding;
use crate::provision::{Status, claude::real, codex::described, span};
use crate::resource::file::{self, Kind};
use crate::resource::obstructed;
use crate::secret::{CodexAuth, Liveness, Mode};
use crate::variables::observed;

/// Models that OpenAI withdrew from ChatGPT logins by June 2026 (openai/codex#26053); the client sends them all the same.
const RETIRED_MODELS: &[&str] = &["gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex"];
const ONE_DAY: i64 = 86_400;

pub fn check(context: &Context) -> Vec<Outcome> {
    let asked = context.settings.codex.is_some()
        || context.desired.codex.is_some()
        || context.settings.refused.iter().any(|item| item.item == "codex");
    let path = context.home.codex.join("auth.json");
    let content = file::observe(&path, Kind::Secret);
    let auth = match &content {
        Ok(Some(content)) => CodexAuth::parse(&content.bytes).ok(),
        _ => None,
    };
    if !asked && matches!(content, Ok(None)) {
        let skipped = ["codex.login", "codex.environment", "codex.config", "codex.trust"];
        let skip = |id| Outcome::skip(id, None, "no Codex login was asked for, and none is there");
        return skipped.into_iter().filter(|id| context.wants(id)).map(skip).collect();
    }
    let mut outcomes = Vec::new();
    if context.wants("codex.login") {
        outcomes.push(match content {
            Err(obstacle) => {
                let Finding { code, say, hint } = obstructed(&obstacle, &path);
                Outcome::fail("codex.login", None, code, say, Fix::report(hint))
            }
            Ok(None) => missing(context),
            Ok(Some(content)) => login(context, &content.bytes, auth.as_ref()),
        });
    }
    if context.wants("codex.environment") {
        outcomes.push(environment(context));
    }
    let config = std::fs::read_to_string(context.home.codex.join("config.toml"));
    let parsed = config.as_deref().unwrap_or_default().parse::<DocumentMut>();
    if context.wants("codex.config") {
        outcomes.extend(match &parsed {
            Ok(config) => settings(context, config, auth.as_ref()),
            Err(error) => vec![malformed(context, error)],
        });
    }
    if context.wants("codex.trust")
        && let Ok(config) = &parsed
    {
        outcomes.extend(trust(context, config));
    }
    outcomes
}

fn new_seed() -> Fix {
    Fix::report(
        "give it a new login: `CODEX_HOME=$(mktemp -d) codex login --device-auth`, and that auth.json as the seed",
    )
}

fn missing(context: &Context) -> Outcome {
    const ID: &str = "codex.login";
    let written = context.written("codex.auth").is_some();
    let summary =
        if written { "auth.json is gone, as after `codex logout`" } else { "there is no auth.json" };
    let fix = if written {
        new_seed()
    } else {
        Fix::run(["pushready", "apply"], "run apply where PUSHREADY_CODEX_AUTH_JSON is set")
    };
    Outcome::fail(ID, None, Code::CodexAuthMissing, summary, fix)
}

/// What a login in place is worth. The plan's own warnings come last: a login that cannot work is the nearer cause.
fn login(context: &Context, bytes: &[u8], auth: Option<&CodexAuth>) -> Outcome {
    const ID: &str = "codex.login";
    let restore = || Fix::run(["pushready", "apply"], "run apply after the module that writes auth.json");
    let record = context.desired.codex.as_ref();
    let Some(auth) = auth else {
        let (code, why) = match CodexAuth::parse(bytes) {
            Err(defect) => (defect.code, defect.reason.into_owned()),
            Ok(_) => (Code::CodexAuthMalformed, "it does not parse".to_owned()),
        };
        return Outcome::fail(ID, None, code, format!("Codex cannot use auth.json: {why}"), restore());
    };
    let evidence = evidence(auth);
    let clobbered = auth.is_bare_api_key() && !auth.names_its_mode() && record.is_some();
    let outcome = match auth.state(context.env.now) {
        Liveness::Stub if record.is_some() => Outcome::fail(
            ID,
            None,
            Code::CodexAuthClobbered,
            "a module wrote a stub over the login: Codex will send an empty credential",
            restore(),
        ),
        _ if clobbered => Outcome::fail(
            ID,
            None,
            Code::CodexAuthClobbered,
            "a module wrote an API key over the login",
            restore(),
        ),
        Liveness::Stub => {
            Outcome::fail(ID, None, Code::CodexAuthIncomplete, "auth.json holds no credential", new_seed())
        }
        Liveness::Incomplete(why) => Outcome::fail(
            ID,
            None,
            Code::CodexAuthIncomplete,
            format!("Codex will send no credential: {why}"),
            new_seed(),
        ),
        Liveness::Dead => Outcome::fail(
            ID,
            None,
            Code::CodexAuthExpired,
            "the access token has expired, and nothing can renew it",
            new_seed(),
        ),
        Liveness::Usable | Liveness::Refreshable => alive(context, auth),
    };
    outcome.with(evidence)
}

fn alive(context: &Context, auth: &CodexAuth) -> Outcome {
    const ID: &str = "codex.login";
    let now = context.env.now;
    let account = auth.account_digest().map(|hex| Digest::from_hex(&hex));
    if let Some(record) = &context.desired.codex
        && (record.account != account || context.written("codex.auth").is_none())
    {
        return Outcome::warn(
            ID,
            None,
            Code::CodexLoginNotOurs,
            "a login that pushready never wrote is in place, and stays",
            Fix::report("to use the seed instead, remove auth.json and run `pushready apply`"),
        );
    }
    if auth.holds_key_and_tokens() {
        let wins = if auth.mode() == Mode::ApiKey { "OPENAI_API_KEY" } else { "tokens" };
        let unused = if auth.mode() == Mode::ApiKey { "tokens" } else { "OPENAI_API_KEY" };
        return Outcome::fail(
            ID,
            None,
            Code::CodexAuthConflict,
            "auth.json holds an API key and a ChatGPT login at once",
            Fix::report("keep one of them: a file with the API key alone, or a login without it"),
        )
        .with([Evidence::new("wins", wins), Evidence::new("unused", unused)]);
    }
    let last_good =
        file::observe(&context.home.state.join("codex/last-good.json"), Kind::Secret).ok().flatten();
    let last_good = last_good.and_then(|content| CodexAuth::parse(&content.bytes).ok());
    let is_seed =
        context.desired.codex.as_ref().is_some_and(|record| record.seed == Digest::from_hex(&auth.digest()));
    if is_seed && last_good.is_some_and(|good| good.same_account(auth) && good.newer_than(auth)) {
        return Outcome::fail(
            ID,
            None,
            Code::CodexSeedAtLivePath,
            "the seed stands at auth.json again, over a login that Codex had renewed since: its refresh token is spent",
            Fix::report(
                "point the user secret at `~/.config/pushready/seed/codex-auth.json` instead of at auth.json",
            ),
        );
    }
    if let Some(expires) = auth.access_expires()
        && !auth.has_refresh_token()
        && expires.duration_since(now).as_secs() < ONE_DAY
    {
        return Outcome::warn(
            ID,
            None,
            Code::CodexLeaseExpiring,
            format!("the lease ends in {}", span(expires.duration_since(now))),
            Fix::report("give the template a newer seed before then"),
        );
    }
    let planned = context.planned("codex").filter(|planned| planned.item.status == Status::Warn);
    if let Some(finding) = planned.and_then(|planned| planned.item.finding.as_ref()) {
        return Outcome::warn(ID, None, finding.code, &finding.say, Fix::report(&finding.hint));
    }
    Outcome::pass(ID, None, described(auth, now))
}

fn evidence(auth: &CodexAuth) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    evidence
        .extend(auth.email_masked().map(|email| Evidence::new("account", email.escape_debug().to_string())));
    evidence
        .extend(auth.access_expires().map(|at| Evidence::new("access token valid until", at.to_string())));
    evidence.extend(auth.last_refresh().map(|at| Evidence::new("last refresh", at.to_string())));
    if auth.mode() == Mode::ChatGpt {
        let has = if auth.has_refresh_token() { "present" } else { "none: a lease" };
        evidence.push(Evidence::new("refresh token", has));
    }
    evidence
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
    Outcome::pass(ID, None, "no variable beats auth.json")
}

fn malformed(context: &Context, error: &toml_edit::TomlError) -> Outcome {
    let path = context.home.codex.join("config.toml");
    let line = error.span().map_or(String::new(), |span| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        format!(" at line {}", 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count())
    });
    Outcome::fail(
        "codex.config",
        None,
        Code::CodexConfigMalformed,
        format!("config.toml does not parse{line}, so Codex does not start"),
        Fix::edit(&path, "mend that line"),
    )
}

/// Settings that would defeat the login.
fn settings(context: &Context, config: &DocumentMut, auth: Option<&CodexAuth>) -> Vec<Outcome> {
    const ID: &str = "codex.config";
    let path = context.home.codex.join("config.toml");
    let edit = |say: &str| Fix::edit(&path, say);
    let text = |key: &str| config.get(key).and_then(Item::as_str);
    let chatgpt = auth.is_some_and(|auth| auth.mode() == Mode::ChatGpt);
    let mut outcomes = Vec::new();
    let mut fault = |code, summary: String, fix| outcomes.push(Outcome::fail(ID, None, code, summary, fix));

    match text("cli_auth_credentials_store") {
        None | Some("file") => {}
        Some(store) => fault(
            Code::CodexStoreNotFile,
            format!("`cli_auth_credentials_store` is {store:?}, so Codex looks for the login elsewhere"),
            edit("take the line out, or set it to \"file\""),
        ),
    }
    let api_key = auth.is_some_and(|auth| auth.mode() == Mode::ApiKey)
        || context.env.get(observed::CODEX_API_KEY).is_some();
    match text("forced_login_method") {
        Some("api") if chatgpt => fault(
            Code::CodexForcedLogin,
            "`forced_login_method` is \"api\": the next start of Codex deletes this ChatGPT login".to_owned(),
            edit("take the line out before anyone starts Codex"),
        ),
        Some("chatgpt") if api_key => fault(
            Code::CodexForcedLogin,
            "`forced_login_method` is \"chatgpt\" and an API key is set: the next start of Codex deletes auth.json".to_owned(),
            edit("take the line or the key out before anyone starts Codex"),
        ),
        _ => {}
    }
    if let (Some(forced), Some(account)) =
        (config.get("forced_chatgpt_workspace_id"), auth.and_then(CodexAuth::account))
    {
        let named = forced.as_str() == Some(account)
            || forced.as_array().is_some_and(|list| list.iter().any(|id| id.as_str() == Some(account)));
        if !named {
            fault(
                Code::CodexForcedLogin,
                "`forced_chatgpt_workspace_id` names another workspace: the next start of Codex deletes this login".to_owned(),
                edit("name this login's workspace, or take the line out"),
            );
        }
    }
    if let Some(provider) = text("model_provider").filter(|provider| *provider != "openai") {
        let table = config.get("model_providers").and_then(|providers| providers.get(provider));
        let uses_login = table
            .and_then(|table| table.get("requires_openai_auth"))
            .and_then(Item::as_bool)
            .unwrap_or(false);
        if !uses_login {
            fault(
                Code::CodexProviderBypass,
                format!("the model provider `{}` does not use auth.json", provider.escape_debug()),
                edit("take `model_provider` out, or give up the login in auth.json"),
            );
        }
    }
    if let Some(model) = text("model").filter(|_| chatgpt)
        && !offered(context, model)
    {
        fault(
            Code::CodexModelUnsupported,
            format!("the model `{}` is not offered to ChatGPT logins", model.escape_debug()),
            edit("take `model` out: the default moves with the client"),
        );
    }
    if access(&context.home.codex, Access::WRITE_OK).is_err() {
        outcomes.push(Outcome::fail(
            ID,
            None,
            Code::CodexHomeUnwritable,
            "Codex cannot write its folder: it would renew the login, and lose the new one",
            Fix::report(format!("give `{}` to the workspace user, writable", context.home.codex.display())),
        ));
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(ID, None, "no setting defeats the login"));
    }
    outcomes
}

/// What the server offered this login, where Codex has noted it; else what is known to be withdrawn.
fn offered(context: &Context, model: &str) -> bool {
    let cache = std::fs::read(context.home.codex.join("models_cache.json")).unwrap_or_default();
    let cache: serde_json::Value = serde_json::from_slice(&cache).unwrap_or_default();
    let models = cache.get("models").and_then(serde_json::Value::as_array);
    match models.filter(|models| !models.is_empty()) {
        Some(models) => {
            models.iter().any(|known| known.get("slug").and_then(|slug| slug.as_str()) == Some(model))
        }
        None => !RETIRED_MODELS.contains(&model),
    }
}

fn trust(context: &Context, config: &DocumentMut) -> Vec<Outcome> {
    const ID: &str = "codex.trust";
    let trusted = |folder: &std::path::Path| {
        let project = config.get("projects").and_then(|projects| projects.get(real(folder)));
        project.and_then(|project| project.get("trust_level")).and_then(Item::as_str) == Some("trusted")
    };
    let folders = &context.desired.trusted_folders;
    if folders.is_empty() {
        return vec![Outcome::skip(ID, None, "PUSHREADY_TRUSTED_FOLDERS names no folder")];
    }
    folders
        .iter()
        .map(|folder| {
            let subject = Some(folder.display().to_string());
            if trusted(folder) {
                return Outcome::pass(ID, subject, "Codex trusts the folder");
            }
            Outcome::warn(
                ID,
                subject,
                Code::CodexUntrustedFolder,
                "Codex will ask whether the folder is trusted",
                Fix::run(["pushready", "apply"], "run apply, unless config.toml says `untrusted` on purpose"),
            )
        })
        .collect()
}
