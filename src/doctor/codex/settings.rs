//! What in Codex's configuration would defeat the login, or send it elsewhere. Pure.

use toml_edit::Item;

use super::fault::{CodexFault, Severity};
use super::layers::{Layer, Layers};
use crate::catalogue::Code;
use crate::doctor::context::Context;
use crate::secret::{CodexAuth, Mode};
use crate::variables::observed;

/// Choices that Codex knows (0.169, measured); a newer one may know more.
const CHOICES: &[(&str, &[&str])] = &[
    ("sandbox_mode", &["read-only", "workspace-write", "danger-full-access"]),
    ("approval_policy", &["untrusted", "on-failure", "on-request", "never"]),
];

/// What the settings are held against.
#[derive(Default)]
pub struct Login {
    is_chatgpt: bool,
    is_api_key: bool,
    /// A file is there, and cannot be read.
    is_hidden: bool,
    /// The workspace that the id_token claims, which Codex compares.
    workspace: Option<String>,
}

impl Login {
    pub fn of(context: &Context, auth: Result<Option<&CodexAuth>, ()>) -> Self {
        let has_mode =
            |modes: &[Mode]| auth.ok().flatten().is_some_and(|auth| modes.contains(&auth.mode()));
        Self {
            is_chatgpt: has_mode(&[Mode::ChatGpt, Mode::ChatGptAuthTokens]),
            is_api_key: has_mode(&[Mode::ApiKey])
                || context.env.get(observed::CODEX_API_KEY).is_some(),
            is_hidden: auth.is_err(),
            workspace: auth
                .ok()
                .flatten()
                .and_then(CodexAuth::claimed_workspace)
                .map(ToOwned::to_owned),
        }
    }

    /// What an administrator demands and this login is not (requirements.toml, 0.169, measured):
    /// the setting, and why.
    pub fn is_not_as_demanded(
        &self,
        requirements: &Layer,
    ) -> Option<(&'static str, Code, &'static str)> {
        const METHODS: &str = "allowed_login_methods";
        const WORKSPACES: &str = "allowed_chatgpt_workspaces";
        if let Some(fault) = misshapen(requirements) {
            return Some(fault);
        }
        let methods = requirements.list(METHODS);
        let is_known = |method: &String| ["api", "chatgpt"].contains(&&**method);
        if methods
            .as_ref()
            .is_some_and(|methods| methods.is_empty() || !methods.iter().all(is_known))
        {
            let says = "it names another method than \"api\" or \"chatgpt\", or none, so Codex does not start";
            return Some((METHODS, Code::CodexConfigMalformed, says));
        }
        if methods.is_some_and(|methods| self.is_not_among(&methods)) {
            let says =
                "the login is of a kind that is not allowed here, so Codex sends no credential";
            return Some((METHODS, Code::CodexForcedLogin, says));
        }
        if let Some(fault) = self.is_kept_elsewhere(requirements) {
            return Some(fault);
        }
        requirements.list(WORKSPACES).filter(|ids| self.is_of_another_workspace(ids)).map(|_| {
            let says = "the login is of a workspace that is not allowed here, so Codex sends no credential";
            (WORKSPACES, Code::CodexForcedLogin, says)
        })
    }

    fn is_kept_elsewhere(
        &self,
        requirements: &Layer,
    ) -> Option<(&'static str, Code, &'static str)> {
        let text = |name: &str| requirements.item(name).and_then(Item::as_str);
        let store = text(STORE).is_some_and(|store| ["keyring", "ephemeral"].contains(&store));
        let elsewhere = text(BASE_URL).is_some_and(|url| !url.is_empty() && !is_official(url));
        let provider = text(PROVIDER).is_some_and(|provider| provider != "openai");
        match () {
            () if store => Some((
                STORE,
                Code::CodexStoreNotFile,
                "it is not \"file\", so Codex looks for the login elsewhere",
            )),
            () if elsewhere && self.is_chatgpt => Some((
                BASE_URL,
                Code::CodexTokenSentElsewhere,
                "it sends the ChatGPT login to another host than OpenAI's",
            )),
            () if provider => Some((
                PROVIDER,
                Code::CodexProviderBypass,
                "the model provider is not OpenAI's own, so auth.json may not be used",
            )),
            () => None,
        }
    }

    fn is_not_among(&self, methods: &[String]) -> bool {
        let has = |method: &str| methods.iter().any(|known| known == method);
        self.is_chatgpt && !has("chatgpt") || self.is_api_key && !self.is_chatgpt && !has("api")
    }

    fn is_of_another_workspace(&self, ids: &[String]) -> bool {
        self.is_chatgpt && self.workspace.as_ref().is_some_and(|workspace| !ids.contains(workspace))
    }
}

const STORE: &str = "cli_auth_credentials_store";
const BASE_URL: &str = "chatgpt_base_url";
const PROVIDER: &str = "model_provider";
const RESIDENCY: &str = "enforce_residency";

/// What requirements.toml may allow (0.169, measured); Codex does not start with another name.
const ALLOWED: [(&str, &[&str]); 2] = [
    (POLICIES, &["untrusted", "on-failure", "on-request", "granular", "never"]),
    (SANDBOX_MODES, &["read-only", "workspace-write", "danger-full-access", "external-sandbox"]),
];
const POLICIES: &str = "allowed_approval_policies";
const SANDBOX_MODES: &str = "allowed_sandbox_modes";

/// A list of requirements.toml with which Codex does not start: the setting, and why.
fn misnamed(requirements: &Layer) -> Option<(&'static str, &'static str)> {
    let unknown = ALLOWED.iter().find(|(name, known)| {
        let names = requirements.list(name).unwrap_or_default();
        names.iter().any(|name| !known.contains(&&**name))
    });
    let list = |name: &str| requirements.list(name);
    match unknown {
        Some((name, _)) => {
            Some((*name, "it names what Codex does not know, so Codex does not start"))
        }
        None if list(POLICIES).is_some_and(|names| names.is_empty()) => {
            Some((POLICIES, "it is empty, so Codex does not start"))
        }
        None if list(SANDBOX_MODES)
            .is_some_and(|names| !names.iter().any(|it| it == "read-only")) =>
        {
            Some((SANDBOX_MODES, "it does not contain \"read-only\", so Codex does not start"))
        }
        None => None,
    }
}

/// A value in requirements.toml of another form than Codex takes. Keys that it does not know it
/// ignores (0.169, measured).
fn misshapen(requirements: &Layer) -> Option<(&'static str, Code, &'static str)> {
    const LISTS: [&str; 4] =
        ["allowed_login_methods", "allowed_chatgpt_workspaces", POLICIES, SANDBOX_MODES];
    const TEXTS: [&str; 4] = [STORE, BASE_URL, PROVIDER, RESIDENCY];
    const TABLES: [&str; 3] = ["mcp_servers", "features", "rules"];
    let is_wrong = |name: &&&str, is_right: fn(&Item) -> bool| {
        requirements.item(name).is_some_and(|item| !is_right(item))
    };
    let list = |item: &Item| {
        item.as_array().is_some_and(|list| list.iter().all(|value| value.as_str().is_some()))
    };
    let stores = ["file", "keyring", "auto", "ephemeral"];
    let store = requirements.item(STORE).and_then(Item::as_str);
    if store.is_some_and(|store| !stores.contains(&store)) {
        let says = "it is none of file, keyring, auto and ephemeral, so Codex does not start";
        return Some((STORE, Code::CodexConfigMalformed, says));
    }
    let residency = requirements.item(RESIDENCY).and_then(Item::as_str);
    if residency.is_some_and(|residency| residency != "us") {
        let says = "it is not \"us\", so Codex does not start";
        return Some((RESIDENCY, Code::CodexConfigMalformed, says));
    }
    let wrong = LISTS
        .iter()
        .find(|name| is_wrong(name, list))
        .map(|name| (*name, "it is not a list of strings, so Codex does not start"))
        .or_else(|| misnamed(requirements))
        .or_else(|| {
            let wrong = TEXTS.iter().find(|name| is_wrong(name, |item| item.as_str().is_some()));
            wrong.map(|name| (*name, "it is not a string, so Codex does not start"))
        })
        .or_else(|| {
            let table = |item: &Item| item.as_table_like().is_some();
            let wrong = TABLES.iter().find(|name| is_wrong(name, table));
            wrong.map(|name| (*name, "it is not a table, so Codex does not start"))
        });
    wrong.map(|(name, says)| (name, Code::CodexConfigMalformed, says))
}

/// Settings that would defeat the login.
pub fn settings<'a>(
    layers: &'a Layers,
    login: &Login,
    offered: &dyn Fn(&str) -> bool,
) -> Vec<CodexFault<'a>> {
    let mut faults = choices(layers);
    faults.extend(store(layers));
    faults.extend(forced_method(layers, login));
    faults.extend(forced_workspace(layers, login));
    faults.extend(provider(layers, login));
    if login.is_chatgpt {
        faults.extend(elsewhere(layers, "openai_base_url"));
        faults.extend(elsewhere(layers, "chatgpt_base_url"));
    }
    if let Some((fault, model)) = text(layers, "model", Code::CodexModelUnsupported)
        && login.is_chatgpt
        && !offered(model)
    {
        faults.push(
            fault
                .with_summary("the model is not offered to ChatGPT logins")
                .fixed_by("remove `model`: the default changes with the client"),
        );
    }
    faults
}

fn found<'a>(
    layers: &'a Layers,
    setting: &'static str,
    code: Code,
) -> Option<(CodexFault<'a>, &'a Item)> {
    let (layer, item) = layers.value(&[setting])?;
    Some((CodexFault::new(setting, (layer, item), code), item))
}

fn text<'a>(
    layers: &'a Layers,
    setting: &'static str,
    code: Code,
) -> Option<(CodexFault<'a>, &'a str)> {
    found(layers, setting, code).and_then(|(fault, item)| Some((fault, item.as_str()?)))
}

fn choices(layers: &Layers) -> Vec<CodexFault<'_>> {
    let judge = |(setting, known): &(&'static str, &[&str])| {
        let (fault, choice) = text(layers, setting, Code::CodexConfigMalformed)?;
        (!known.contains(&choice)).then(|| {
            fault
                .with_summary(format!(
                    "`{setting}` has a value that Codex 0.169 does not start with"
                ))
                .fixed_by(format!("set one of {}, or remove it", known.join(", ")))
                .with_severity(Severity::Unknown(
                    "whether the Codex that is installed knows it: `codex --version`",
                ))
        })
    };
    CHOICES.iter().filter_map(judge).collect()
}

fn store(layers: &Layers) -> Option<CodexFault<'_>> {
    let (fault, store) = text(layers, "cli_auth_credentials_store", Code::CodexStoreNotFile)?;
    let fault = fault.fixed_by("remove the line, or set it to \"file\"");
    match store {
        "file" => None,
        "auto" => Some(
            fault
                .with_summary("`cli_auth_credentials_store` is \"auto\": Codex uses auth.json only while no keyring is available")
                .with_severity(Severity::Warn),
        ),
        _ => Some(
            fault
                .with_summary("`cli_auth_credentials_store` is not \"file\", so Codex looks for the login elsewhere"),
        ),
    }
}

const UNREAD: Severity = Severity::Unknown("auth.json, which cannot be read");

fn forced_method<'a>(layers: &'a Layers, login: &Login) -> Option<CodexFault<'a>> {
    let (fault, method) = text(layers, "forced_login_method", Code::CodexForcedLogin)?;
    match method {
        "api" if login.is_chatgpt => Some(
            fault
                .with_summary("`forced_login_method` is \"api\": the next start of Codex deletes this ChatGPT login")
                .fixed_by("remove the line before anyone starts Codex"),
        ),
        "chatgpt" if login.is_api_key => Some(
            fault
                .with_summary("`forced_login_method` is \"chatgpt\" and an API key is set: the next start of Codex deletes auth.json")
                .fixed_by("remove the line or the key before anyone starts Codex"),
        ),
        _ if login.is_hidden => Some(
            fault
                .with_summary("`forced_login_method` may differ from the login's method: Codex then deletes the login")
                .fixed_by("make auth.json readable, or remove the line")
                .with_severity(UNREAD),
        ),
        _ => None,
    }
}

fn forced_workspace<'a>(layers: &'a Layers, login: &Login) -> Option<CodexFault<'a>> {
    let (fault, forced) = found(layers, "forced_chatgpt_workspace_id", Code::CodexForcedLogin)?;
    let one = forced.as_str().into_iter();
    let ids: Vec<_> =
        forced.as_array().into_iter().flatten().filter_map(|id| id.as_str()).chain(one).collect();
    let ids: Vec<_> = ids.into_iter().map(str::trim).filter(|id| !id.is_empty()).collect();
    let fault = fault.fixed_by("name this login's workspace, or remove the line");
    match &login.workspace {
        // none is demanded
        _ if ids.is_empty() => None,
        Some(workspace) if login.is_chatgpt && !ids.contains(&&**workspace) => Some(fault.with_summary(
            "`forced_chatgpt_workspace_id` names another workspace: the next start of Codex deletes this login",
        )),
        _ if login.is_hidden => {
            let says = "`forced_chatgpt_workspace_id` may differ from the login's workspace: Codex then deletes the login";
            Some(fault.with_summary(says).with_severity(UNREAD))
        }
        _ => None,
    }
}

fn provider<'a>(layers: &'a Layers, login: &Login) -> Option<CodexFault<'a>> {
    let (fault, provider) = text(layers, "model_provider", Code::CodexProviderBypass)?;
    if provider == "openai" {
        return None;
    }
    let of_provider =
        |key: &str| layers.value(&["model_providers", provider, key]).map(|(_, item)| item);
    let uses_login = of_provider("requires_openai_auth").and_then(Item::as_bool).unwrap_or(false);
    let has_own =
        ["experimental_bearer_token", "env_key"].iter().any(|key| of_provider(key).is_some());
    if !uses_login || has_own {
        return Some(
            fault
                .with_summary("the model provider does not use auth.json")
                .fixed_by("remove `model_provider`, or stop using the login in auth.json"),
        );
    }
    let base = of_provider("base_url").and_then(Item::as_str);
    (login.is_chatgpt && base.is_some_and(|base| !is_official(base))).then(|| {
        let fault = fault
            .with_summary("the model provider receives the ChatGPT login, but is not OpenAI's");
        fault.coded(Code::CodexTokenSentElsewhere).fixed_by("remove `model_provider`")
    })
}

fn elsewhere<'a>(layers: &'a Layers, setting: &'static str) -> Option<CodexFault<'a>> {
    let (fault, url) = text(layers, setting, Code::CodexTokenSentElsewhere)?;
    (!url.is_empty() && !is_official(url)).then(|| {
        fault
            .with_summary(format!(
                "`{setting}` sends the ChatGPT login to another host than OpenAI's"
            ))
            .fixed_by("remove the line")
    })
}

/// Whether a URL is of OpenAI's own hosts.
pub fn is_official(url: &str) -> bool {
    const HOSTS: &[&str] = &["api.openai.com", "chatgpt.com", "auth.openai.com"];
    let url = url.to_ascii_lowercase();
    let place = url.strip_prefix("https://").unwrap_or_default();
    let host = place.split(['/', '?', '#']).next().unwrap_or_default();
    HOSTS.contains(&host.strip_suffix(":443").unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::super::layers::LayerOrigin;
    use super::*;

    #[test]
    fn the_highest_file_that_has_a_setting_decides() {
        use LayerOrigin::{Managed, Project, System, User};
        const API: &str = "forced_login_method = \"api\"\n";
        const CHATGPT: &str = "forced_login_method = \"chatgpt\"\n";
        let login = Login { is_chatgpt: true, ..Login::default() };
        for (texts, decides) in [
            (&[(System, API)][..], Some(System)),
            (&[(System, API), (User, CHATGPT)], None),
            (&[(System, CHATGPT), (User, API), (Managed, "")], Some(User)),
            (&[(User, API), (Managed, CHATGPT)], None),
            (&[(User, CHATGPT), (Project, API)], Some(Project)),
            (&[(User, CHATGPT), (Project, API), (Managed, API)], Some(Managed)),
            (&[(User, ""), (Project, ""), (Project, API)], Some(Project)),
            // ignored in a repository
            (&[(User, ""), (Project, "model_provider = \"x\"\n")], None),
            (&[(User, ""), (Project, "profile = \"x\"\n")], None),
            (
                &[
                    (User, "model_provider = \"ollama\"\n"),
                    (Project, "model_provider = \"openai\"\n"),
                ],
                Some(User),
            ),
            // what is refused does no harm below a value that is not
            (&[(User, "model = 1\n"), (Project, "model = \"x\"\n")], None),
            (&[(User, "model = \"x\"\n"), (Project, "model = 1\n")], Some(Project)),
        ] {
            let layers = Layers::of_texts(texts);
            let faults = super::super::faults(&layers, &login, &|_| true);
            let decided: Vec<_> = faults.iter().map(|fault| fault.layer.origin).collect();
            assert_eq!(decided, decides.into_iter().collect::<Vec<_>>(), "{texts:?}");
        }
    }

    #[test]
    fn where_a_login_goes_is_seen() {
        use Code::{CodexProviderBypass as Bypass, CodexTokenSentElsewhere as Sent};
        const X: &str = "model_provider = \"x\"\n[model_providers.x]\nname = \"x\"\nrequires_openai_auth = true\n";
        for (text, is_chatgpt, code) in [
            ("openai_base_url = \"https://evil.example/v1\"\n".to_owned(), true, Some(Sent)),
            ("openai_base_url = \"http://api.openai.com/v1\"\n".to_owned(), true, Some(Sent)),
            ("openai_base_url = \"https://api.openai.com/v1\"\n".to_owned(), true, None),
            ("chatgpt_base_url = \"https://CHATGPT.com/backend-api\"\n".to_owned(), true, None),
            // a gateway with a key of its own is not a leak of the login
            ("openai_base_url = \"https://gateway.example/v1\"\n".to_owned(), false, None),
            (
                "chatgpt_base_url = \"https://evil.example/backend-api\"\n".to_owned(),
                true,
                Some(Sent),
            ),
            (format!("{X}base_url = \"https://evil.example/v1\"\n"), true, Some(Sent)),
            (format!("{X}base_url = \"https://api.openai.com/v1\"\n"), true, None),
            (format!("{X}experimental_bearer_token = \"x\"\n"), true, Some(Bypass)),
            (format!("{X}env_key = \"K\"\n"), true, Some(Bypass)),
        ] {
            let login = Login { is_chatgpt, ..Login::default() };
            let layers = Layers::of_texts(&[(LayerOrigin::User, &text)]);
            let codes: Vec<_> = settings(&layers, &login, &|_| true)
                .iter()
                .map(|fault| fault.finding.code)
                .collect();
            assert_eq!(codes, code.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn a_forced_workspace_is_held_against_what_the_token_claims() {
        let login =
            Login { is_chatgpt: true, workspace: Some("ws".to_owned()), ..Login::default() };
        let hidden = Login { is_hidden: true, ..Login::default() };
        for (value, login, found) in [
            ("\"ws\"", &login, None),
            ("\" ws \"", &login, None),
            ("[\"a\", \"ws\"]", &login, None),
            ("\"\"", &login, None),
            ("[]", &login, None),
            ("\"other\"", &login, Some((Code::CodexForcedLogin, Severity::Fail))),
            ("\"ws\"", &hidden, Some((Code::CodexForcedLogin, UNREAD))),
        ] {
            let text = format!("forced_chatgpt_workspace_id = {value}\n");
            let layers = Layers::of_texts(&[(LayerOrigin::User, &text)]);
            let faults = settings(&layers, login, &|_| true);
            let faults: Vec<_> =
                faults.iter().map(|fault| (fault.finding.code, fault.severity)).collect();
            assert_eq!(faults, found.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn what_an_administrator_demands_is_held_against_the_login() {
        let login =
            Login { is_chatgpt: true, workspace: Some("ws".to_owned()), ..Login::default() };
        let key = Login { is_api_key: true, ..Login::default() };
        for (text, login, code) in [
            ("", &login, None),
            ("allowed_login_methods = [\"chatgpt\"]\n", &login, None),
            ("allowed_login_methods = [\"api\"]\n", &login, Some(Code::CodexForcedLogin)),
            ("allowed_login_methods = [\"chatgpt\"]\n", &key, Some(Code::CodexForcedLogin)),
            ("allowed_login_methods = []\n", &login, Some(Code::CodexConfigMalformed)),
            ("allowed_login_methods = [\"zzz\"]\n", &login, Some(Code::CodexConfigMalformed)),
            (
                "allowed_sandbox_modes = [\"workspace-write\"]\n",
                &login,
                Some(Code::CodexConfigMalformed),
            ),
            ("allowed_sandbox_modes = []\n", &login, Some(Code::CodexConfigMalformed)),
            (
                "allowed_sandbox_modes = [\"read-only\", \"zzz\"]\n",
                &login,
                Some(Code::CodexConfigMalformed),
            ),
            ("allowed_sandbox_modes = [\"read-only\", \"external-sandbox\"]\n", &login, None),
            ("allowed_approval_policies = []\n", &login, Some(Code::CodexConfigMalformed)),
            ("allowed_approval_policies = [\"untrusted\"]\n", &login, None),
            ("allowed_chatgpt_workspaces = [\"a\", \"ws\"]\n", &login, None),
            ("allowed_chatgpt_workspaces = [\"a\"]\n", &login, Some(Code::CodexForcedLogin)),
            ("allowed_chatgpt_workspaces = [\"a\"]\n", &key, None),
            ("allowed_login_methods = \"chatgpt\"\n", &login, Some(Code::CodexConfigMalformed)),
            ("allowed_login_methods = [1]\n", &login, Some(Code::CodexConfigMalformed)),
            ("allowed_chatgpt_workspaces = \"ws\"\n", &login, Some(Code::CodexConfigMalformed)),
            ("allowed_chatgpt_workspaces = []\n", &login, Some(Code::CodexForcedLogin)),
            ("allowed_approval_policies = \"never\"\n", &login, Some(Code::CodexConfigMalformed)),
            ("mcp_servers = 1\n", &login, Some(Code::CodexConfigMalformed)),
            ("enforce_residency = 1\n", &login, Some(Code::CodexConfigMalformed)),
            ("enforce_residency = \"us\"\n", &login, None),
            ("enforce_residency = \"eu\"\n", &login, Some(Code::CodexConfigMalformed)),
            ("cli_auth_credentials_store = \"bogus\"\n", &login, Some(Code::CodexConfigMalformed)),
            ("cli_auth_credentials_store = 1\n", &login, Some(Code::CodexConfigMalformed)),
            ("cli_auth_credentials_store = \"keyring\"\n", &login, Some(Code::CodexStoreNotFile)),
            ("cli_auth_credentials_store = \"ephemeral\"\n", &key, Some(Code::CodexStoreNotFile)),
            ("cli_auth_credentials_store = \"file\"\n", &login, None),
            ("cli_auth_credentials_store = \"auto\"\n", &login, None),
            (
                "chatgpt_base_url = \"https://evil.example/backend-api\"\n",
                &login,
                Some(Code::CodexTokenSentElsewhere),
            ),
            ("chatgpt_base_url = \"https://chatgpt.com/backend-api/\"\n", &login, None),
            ("chatgpt_base_url = \"https://gateway.example/\"\n", &key, None),
            ("chatgpt_base_url = 1\n", &login, Some(Code::CodexConfigMalformed)),
            ("model_provider = \"x\"\n", &login, Some(Code::CodexProviderBypass)),
            // neither of these is a requirement
            ("openai_base_url = \"https://evil.example/v1\"\n", &login, None),
            ("forced_login_method = 1\n", &login, None),
            ("unknown_key = 1\n", &login, None),
        ] {
            let layers = Layers::of_texts(&[(LayerOrigin::System, text)]);
            let demanded = login.is_not_as_demanded(layers.highest());
            assert_eq!(demanded.map(|(_, code, _)| code), code, "{text}");
        }
    }
}
