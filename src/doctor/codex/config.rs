//! config.toml: what in it would defeat the login.

use rustix::fs::{Access, access};
use toml_edit::{DocumentMut, Item};

use super::Context;
use crate::catalogue::Code;
use crate::doctor::outcome::{Fix, Outcome};
use crate::resource::file;
use crate::secret::{CodexAuth, Mode};
use crate::variables::observed;

/// Models that OpenAI withdrew from ChatGPT logins by June 2026 (openai/codex#26053); the client sends them all the same.
const RETIRED_MODELS: &[&str] = &["gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex"];

pub fn malformed(context: &Context, text: &str, error: &toml_edit::TomlError) -> Outcome {
    let path = context.home.codex.join("config.toml");
    let line = error.span().map_or(String::new(), |span| {
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

/// It is TOML, and Codex does not start with it.
pub fn unusable(context: &Context, what: &str) -> Outcome {
    let path = context.home.codex.join("config.toml");
    let summary = format!("{what}, so Codex does not start");
    Outcome::fail("codex.config", None, Code::CodexConfigMalformed, summary, Fix::edit(&path, "mend it"))
}

/// What Codex refuses of a file that is TOML, as far as it bears on the login and on trust (0.169, measured). Pure.
pub fn refused(config: &DocumentMut) -> Option<String> {
    const TEXTS: &[&str] =
        &["model", "model_provider", "sandbox_mode", "forced_login_method", "cli_auth_credentials_store"];
    if let Some(name) = TEXTS.iter().find(|name| config.get(name).is_some_and(|item| item.as_str().is_none()))
    {
        return Some(format!("`{name}` in config.toml is not a string"));
    }
    let method = config.get("forced_login_method").and_then(Item::as_str);
    if method.is_some_and(|method| !["api", "chatgpt"].contains(&method)) {
        return Some("`forced_login_method` in config.toml is neither \"api\" nor \"chatgpt\"".to_owned());
    }
    if config.get("profile").is_some() {
        return Some(
            "`profile` in config.toml is of an older Codex (now `--profile NAME` and NAME.config.toml)"
                .to_owned(),
        );
    }
    let projects = config.get("projects")?;
    let Some(projects) = projects.as_table_like() else {
        return Some("`projects` in config.toml is not a table".to_owned());
    };
    let is_odd = |project: &Item| {
        let level = project.get("trust_level");
        level
            .is_some_and(|level| !level.as_str().is_some_and(|text| ["trusted", "untrusted"].contains(&text)))
    };
    projects
        .iter()
        .any(|(_, project)| is_odd(project))
        .then(|| "a `trust_level` in config.toml is neither \"trusted\" nor \"untrusted\"".to_owned())
}

/// Settings that would defeat the login.
pub fn settings(context: &Context, config: &DocumentMut, auth: Option<&CodexAuth>) -> Vec<Outcome> {
    const ID: &str = "codex.config";
    let path = context.home.codex.join("config.toml");
    let edit = |say: &str| Fix::edit(&path, say);
    let text = |key: &str| config.get(key).and_then(Item::as_str);
    let chatgpt = auth.is_some_and(|auth| auth.mode() == Mode::ChatGpt);
    let mut outcomes = Vec::new();
    let mut fault = |setting: &str, code, summary: String, fix| {
        outcomes.push(Outcome::fail(ID, Some(setting.to_owned()), code, summary, fix));
    };

    match text("cli_auth_credentials_store") {
        None | Some("file") => {}
        Some(store) => fault(
            "cli_auth_credentials_store",
            Code::CodexStoreNotFile,
            format!("`cli_auth_credentials_store` is {store:?}, so Codex looks for the login elsewhere"),
            edit("take the line out, or set it to \"file\""),
        ),
    }
    let api_key = auth.is_some_and(|auth| auth.mode() == Mode::ApiKey)
        || context.env.get(observed::CODEX_API_KEY).is_some();
    match text("forced_login_method") {
        Some("api") if chatgpt => fault(
            "forced_login_method",
            Code::CodexForcedLogin,
            "`forced_login_method` is \"api\": the next start of Codex deletes this ChatGPT login".to_owned(),
            edit("take the line out before anyone starts Codex"),
        ),
        Some("chatgpt") if api_key => fault(
            "forced_login_method",
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
                "forced_chatgpt_workspace_id",
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
                "model_provider",
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
            "model",
            Code::CodexModelUnsupported,
            format!("the model `{}` is not offered to ChatGPT logins", model.escape_debug()),
            edit("take `model` out: the default moves with the client"),
        );
    }
    // where there is no folder yet, Codex makes it
    let folder = context.home.codex.ancestors().find(|folder| folder.exists());
    if folder.is_some_and(|folder| access(folder, Access::WRITE_OK).is_err()) {
        outcomes.push(Outcome::fail(
            ID,
            Some(context.home.shown(&context.home.codex)),
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
    let cache = file::text(&context.home.codex.join("models_cache.json"));
    let cache: serde_json::Value = serde_json::from_str(&cache).unwrap_or_default();
    let models = cache.get("models").and_then(serde_json::Value::as_array);
    match models.filter(|models| !models.is_empty()) {
        Some(models) => {
            models.iter().any(|known| known.get("slug").and_then(|slug| slug.as_str()) == Some(model))
        }
        None => !RETIRED_MODELS.contains(&model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codex_does_not_start_with_is_known() {
        for (text, is_refused) in [
            ("model = 1\n", true),
            ("forced_login_method = \"zzz\"\n", true),
            ("profile = \"x\"\n", true),
            ("projects = 1\n", true),
            ("[projects.\"/a\"]\ntrust_level = \"yes\"\n", true),
            ("projects = { \"/a\" = { trust_level = 1 } }\n", true),
            ("", false),
            ("[profiles.x]\nmodel = \"y\"\n", false),
            ("model = \"x\"\nforced_login_method = \"api\"\n", false),
            ("[projects.\"/a\"]\n[projects.\"/b\"]\ntrust_level = \"untrusted\"\n", false),
        ] {
            assert_eq!(refused(&text.parse().unwrap()).is_some(), is_refused, "{text}");
        }
    }
}
