//! Settings with which Codex does not start (0.169, measured). Pure.

use super::fault::{CodexFault, Severity, malformed};
use super::form;
use super::layers::Layers;
use super::merged::Merged;

/// Providers that Codex has of its own: a table of that name is refused.
const BUILT_IN: &[&str] =
    &["openai", "ollama", "lmstudio", "amazon-bedrock", "amazon-bedrock-runtime"];

/// Those of which some settings may be given.
const BEDROCK: &[&str] = &["amazon-bedrock", "amazon-bedrock-runtime"];

/// Permissions that Codex has of its own.
const OWN_PERMISSIONS: &[&str] = &[":read-only", ":workspace", ":danger-full-access"];

/// The first thing that keeps Codex from starting.
pub fn refused(layers: &Layers) -> Option<CodexFault<'_>> {
    old_profile(layers)
        .or_else(|| providers(layers))
        .or_else(|| unknown_provider(layers))
        .or_else(|| form::misshapen(layers))
        .or_else(|| permissions(layers))
}

fn old_profile(layers: &Layers) -> Option<CodexFault<'_>> {
    let fault = malformed("profile", layers.value(&["profile"])?);
    let fault = fault
        .with_summary("`profile` belongs to an older Codex: this version does not start with it");
    Some(fault.fixed_by("remove it (now `--profile NAME` and NAME.config.toml)"))
}

fn providers(layers: &Layers) -> Option<CodexFault<'_>> {
    /// What gives a provider another credential than `auth`.
    const OTHERS: &[&str] = &["env_key", "experimental_bearer_token", "requires_openai_auth"];
    const SETTING: &str = "model_providers";
    let what = |name: &str, provider: &Merged| {
        let text = |key: &str| provider.get(key).and_then(|value| value.text());
        match () {
            () if BEDROCK.contains(&name) && is_bedrock(provider) => None,
            () if BUILT_IN.contains(&name) => Some("a provider has the name of a built-in one"),
            // judged by its form
            () if !provider.is_table() => None,
            () if provider.get("name").is_none()
                || text("name").is_some_and(|name| name.trim().is_empty()) =>
            {
                Some("a provider has no `name`")
            }
            () if text("wire_api") == Some("chat") => {
                Some("a provider has `wire_api = \"chat\"`, of an older Codex")
            }
            () if provider.get("aws").is_some() => {
                Some("a provider has `aws`, which is of Amazon Bedrock alone")
            }
            () if provider.get("auth").is_some()
                && OTHERS.iter().any(|key| provider.get(key).is_some()) =>
            {
                Some("a provider has `auth` and another credential")
            }
            () => None,
        }
    };
    let providers = layers.merged(SETTING)?;
    let (provider, what) = providers.names().into_iter().find_map(|name| {
        let provider = providers.get(name)?;
        let what = what(name, &provider)?;
        Some((provider, what))
    })?;
    let fault = malformed(SETTING, provider.found()?);
    Some(
        fault
            .with_summary(format!("{what}, so Codex does not start"))
            .fixed_by("correct that provider, or remove it"),
    )
}

/// Whether a built-in provider has what may be given of it.
fn is_bedrock(provider: &Merged) -> bool {
    const OWN: &[&str] = &["base_url", "auth", "http_headers", "aws"];
    provider.is_table() && provider.names().iter().all(|key| OWN.contains(key))
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

/// What the commands of Codex may do by default: a built-in name, or one of the table `permissions`.
fn permissions(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "default_permissions";
    const TABLE: &str = "permissions";
    let known = layers.merged(TABLE);
    let Some(default) = layers.merged(SETTING) else {
        // an older setting takes its place
        let known = known.filter(|known| !known.names().is_empty())?;
        let fault = malformed(TABLE, known.found()?);
        let fault = fault.with_summary("`permissions` has a profile, and `default_permissions` names none, so Codex does not start");
        let fault = fault.fixed_by("set `default_permissions`, or remove the profiles");
        return layers.value(&["sandbox_mode"]).is_none().then_some(fault);
    };
    let fault = malformed(SETTING, default.found()?);
    let mut name = default.text()?;
    let mut seen = Vec::new();
    let mut has_paths = false;
    loop {
        if name.starts_with(':') {
            if has_paths && OWN_PERMISSIONS.contains(&name) {
                return Some(in_sandbox(fault));
            }
            return (!OWN_PERMISSIONS.contains(&name)).then(|| {
                misnamed(fault, &format!("`{name}` is not a built-in profile of Codex 0.169"))
            });
        }
        let Some(profile) = known.as_ref().and_then(|known| known.get(name)) else {
            return Some(misnamed(fault, &format!("`permissions` has no profile `{name}`")));
        };
        if seen.contains(&name) {
            return Some(misnamed(fault, "the profile extends itself"));
        }
        seen.push(name);
        has_paths |= profile.get("filesystem").is_some();
        let Some(extends) = profile.get("extends").and_then(|extends| extends.text()) else {
            return Some(in_sandbox(fault));
        };
        name = extends;
    }
}

fn misnamed<'a>(fault: CodexFault<'a>, what: &str) -> CodexFault<'a> {
    fault
        .with_summary(format!("{what}, so Codex does not start"))
        .fixed_by("name a profile of `permissions`, or remove `default_permissions`")
}

/// A profile that restricts what Codex reads: it then reads its instructions in its sandbox.
fn in_sandbox(fault: CodexFault<'_>) -> CodexFault<'_> {
    fault
        .with_summary("the profile restricts what Codex can read: it does not start where its sandbox does not work")
        .fixed_by("let the profile extend `:workspace`, without paths, or remove `default_permissions`")
        .with_severity(Severity::Unknown(
            "whether the sandbox of Codex works here: `pushready doctor --live`",
        ))
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
            ("approval_policy = { granular = { rules = true } }\n", true),
            ("[model_providers.x]\nname = \" \"\n", true),
            ("[model_providers.x]\nname = \"x\"\naws = { region = \"y\" }\n", true),
            ("[model_providers.x]\nname = \"x\"\nauth = { command = \"y\" }\n", false),
            (
                "[model_providers.x]\nname = \"x\"\nenv_key = \"K\"\nauth = { command = \"y\" }\n",
                true,
            ),
            ("[model_providers.amazon-bedrock-runtime.aws]\nregion = \"us-east-1\"\n", false),
            ("default_permissions = \":workspace\"\n", false),
            ("default_permissions = \":bogus\"\n", true),
            ("default_permissions = \"x\"\n", true),
            ("default_permissions = \"x\"\n[permissions.y]\n", true),
            ("default_permissions = \"x\"\n[permissions.x]\nextends = \":workspace\"\n", false),
            ("default_permissions = \"x\"\n[permissions.x]\nextends = \"gone\"\n", true),
            ("default_permissions = \"x\"\n[permissions.x]\nextends = \"x\"\n", true),
            // it needs the sandbox: unknown
            ("default_permissions = \"x\"\n[permissions.x]\n", true),
            ("[permissions.x]\n", true),
            ("[permissions]\n", false),
            ("sandbox_mode = \"read-only\"\n[permissions.x]\n", false),
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
