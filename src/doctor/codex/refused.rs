//! Settings with which Codex does not start: those about the login and trust, and the usual ones
//! (measured with 0.169). Pure.

use toml_edit::Item;

use super::fault::{CodexFault, malformed};
use super::form;
use super::layers::Layers;

const STRINGS: &[&str] = &[
    "model",
    "model_provider",
    "sandbox_mode",
    "forced_login_method",
    "cli_auth_credentials_store",
    "openai_base_url",
    "chatgpt_base_url",
    "model_reasoning_effort",
];
const TABLES: &[&str] = &[
    "projects",
    "model_providers",
    "mcp_servers",
    "features",
    "tui",
    "hooks",
    "history",
    "shell_environment_policy",
];
/// Providers that Codex has of its own: a table of that name is refused.
const BUILT_IN: &[&str] = &["openai", "ollama", "lmstudio", "amazon-bedrock"];

/// The first thing that keeps Codex from starting.
pub fn refused(layers: &Layers) -> Option<CodexFault<'_>> {
    for setting in STRINGS {
        let is_blank = |text: &str| *setting == "model" && text.is_empty();
        if let Some(found) =
            layers.value(&[setting]).filter(|(_, item)| item.as_str().is_none_or(is_blank))
        {
            return Some(
                malformed(setting, found)
                    .with_summary("it is not a string, or an empty one, so Codex does not start")
                    .fixed_by("write its value in quotes, or remove it"),
            );
        }
    }
    for setting in TABLES {
        if let Some((layer, item)) =
            layers.values(setting).find(|(_, item)| item.as_table_like().is_none())
        {
            return Some(
                malformed(setting, (layer, item))
                    .with_summary("it is not a table, so Codex does not start")
                    .fixed_by("make it a table, or remove it"),
            );
        }
    }
    method(layers)
        .or_else(|| old_profile(layers))
        .or_else(|| policy(layers))
        .or_else(|| projects(layers))
        .or_else(|| providers(layers))
        .or_else(|| unknown_provider(layers))
        .or_else(|| form::misshapen(layers))
}

fn method(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "forced_login_method";
    let (layer, item) = layers.value(&[SETTING])?;
    (!item.as_str().is_some_and(|method| ["api", "chatgpt"].contains(&method))).then(|| {
        malformed(SETTING, (layer, item))
            .with_summary("it is neither \"api\" nor \"chatgpt\", so Codex does not start")
            .fixed_by("write one of them, or remove it")
    })
}

fn old_profile(layers: &Layers) -> Option<CodexFault<'_>> {
    let fault = malformed("profile", layers.value(&["profile"])?);
    let fault = fault
        .with_summary("`profile` belongs to an older Codex: this version does not start with it");
    Some(fault.fixed_by("remove it (now `--profile NAME` and NAME.config.toml)"))
}

fn policy(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "approval_policy";
    let (layer, item) = layers.value(&[SETTING])?;
    (item.as_str().is_none() && item.as_table_like().is_none()).then(|| {
        malformed(SETTING, (layer, item))
            .with_summary("it is neither a string nor a table, so Codex does not start")
            .fixed_by("write its value in quotes, or remove it")
    })
}

fn projects(layers: &Layers) -> Option<CodexFault<'_>> {
    let is_odd = |project: &Item| {
        let level = project.get("trust_level");
        project.as_table_like().is_none()
            || level.is_some_and(|level| {
                !level.as_str().is_some_and(|text| ["trusted", "untrusted"].contains(&text))
            })
    };
    layers.values("projects").find_map(|(layer, projects)| {
        let (_, project) = projects.as_table_like()?.iter().find(|(_, project)| is_odd(project))?;
        Some(
            malformed("projects", (layer, project))
                .with_summary("a `trust_level` is neither \"trusted\" nor \"untrusted\", so Codex does not start")
                .fixed_by("write `[projects.\"/folder\"]` and below it `trust_level` with one of them"),
        )
    })
}

fn providers(layers: &Layers) -> Option<CodexFault<'_>> {
    let what = |name: &str, provider: &Item| {
        let text = |key: &str| provider.get(key).and_then(Item::as_str);
        let is_not_a_bool = |item: &Item| item.as_bool().is_none();
        match () {
            // of this one its own settings may be given
            () if name == "amazon-bedrock" && is_bedrock(provider) => None,
            () if BUILT_IN.contains(&name) => Some("a provider has the name of a built-in one"),
            () if provider.get("name").is_none() => Some("a provider has no `name`"),
            () if text("wire_api") == Some("chat") => {
                Some("a provider has `wire_api = \"chat\"`, of an older Codex")
            }
            () if provider.get("requires_openai_auth").is_some_and(is_not_a_bool) => {
                Some("`requires_openai_auth` is neither true nor false")
            }
            () => None,
        }
    };
    layers.values("model_providers").find_map(|(layer, providers)| {
        let table = providers.as_table_like()?;
        table.iter().find_map(|(name, provider)| {
            let what = what(name, provider)?;
            let fault = malformed("model_providers", (layer, provider));
            Some(
                fault
                    .with_summary(format!("{what}, so Codex does not start"))
                    .fixed_by("correct that provider, or remove it"),
            )
        })
    })
}

fn is_bedrock(provider: &Item) -> bool {
    provider.as_table_like().is_some_and(|table| table.iter().all(|(key, _)| key == "aws"))
}

fn unknown_provider(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "model_provider";
    let (layer, item) = layers.value(&[SETTING])?;
    let name = item.as_str()?;
    let is_known = BUILT_IN.contains(&name) || layers.value(&["model_providers", name]).is_some();
    (!is_known).then(|| {
        malformed(SETTING, (layer, item))
            .with_summary("no provider has this name, so Codex does not start")
            .fixed_by("remove `model_provider`, or add its table")
    })
}

#[cfg(test)]
mod tests {
    use super::super::layers::LayerOrigin;
    use super::*;

    #[test]
    fn what_codex_does_not_start_with_is_known() {
        for (text, is_refused) in [
            ("model = 1\n", true),
            ("model = \"\"\n", true),
            ("notify = \"x\"\n", true),
            ("forced_login_method = \"zzz\"\n", true),
            ("profile = \"x\"\n", true),
            ("projects = 1\n", true),
            ("[projects.\"/a\"]\ntrust_level = \"yes\"\n", true),
            ("projects = { \"/a\" = { trust_level = 1 } }\n", true),
            ("[projects]\n\"/a\" = \"trusted\"\n", true),
            ("approval_policy = 1\n", true),
            ("mcp_servers = 1\n", true),
            ("openai_base_url = 1\n", true),
            ("[model_providers.openai]\nname = \"x\"\n", true),
            ("[model_providers.x]\nbase_url = \"https://x/v1\"\n", true),
            ("[model_providers.x]\nname = \"x\"\nwire_api = \"chat\"\n", true),
            ("[model_providers.x]\nname = \"x\"\nrequires_openai_auth = \"true\"\n", true),
            ("model_provider = \"nowhere\"\n", true),
            ("model_provider = \"OpenAI\"\n", true),
            ("", false),
            ("[model_providers.amazon-bedrock]\nname = \"x\"\n", true),
            ("[model_providers.amazon-bedrock.aws]\nregion = \"us-east-1\"\n", false),
            ("model_provider = \"ollama\"\n", false),
            ("model_provider = \"x\"\n[model_providers.x]\nname = \"x\"\n", false),
            ("approval_policy = { granular = { rules = true } }\n", false),
            ("[profiles.x]\nmodel = \"y\"\n", false),
            ("model = \"x\"\nforced_login_method = \"api\"\n", false),
            ("[projects.\"/a\"]\n[projects.\"/b\"]\ntrust_level = \"untrusted\"\n", false),
        ] {
            assert_eq!(
                refused(&Layers::of_texts(&[(LayerOrigin::User, text)])).is_some(),
                is_refused,
                "{text}"
            );
        }
    }
}
