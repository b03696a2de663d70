//! What in Codex's configuration would defeat the login, or keep Codex from starting. Pure.

use toml_edit::Item;

use super::Context;
use super::layers::{Layer, Layers};
use crate::catalogue::Code;
use crate::secret::{CodexAuth, Mode};
use crate::variables::observed;

/// Choices that Codex knows (0.169, measured); a newer one may know more.
const CHOICES: &[(&str, &[&str])] = &[
    ("sandbox_mode", &["read-only", "workspace-write", "danger-full-access"]),
    ("approval_policy", &["untrusted", "on-failure", "on-request", "granular", "never"]),
];

/// A setting that keeps Codex from starting, or its login from being used.
pub struct Fault<'a> {
    pub setting: &'static str,
    pub layer: &'a Layer,
    pub code: Code,
    pub summary: String,
    pub cure: String,
    pub value: String,
    /// What it would take to tell, of a value that a newer Codex may know.
    pub needs: Option<&'static str>,
}

impl<'a> Fault<'a> {
    fn new(setting: &'static str, (layer, item): (&'a Layer, &Item), code: Code) -> Self {
        let value = item.to_string();
        Self { setting, layer, code, summary: String::new(), cure: "mend it".to_owned(), value, needs: None }
    }

    fn says(self, summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..self }
    }

    fn cured(self, cure: impl Into<String>) -> Self {
        Self { cure: cure.into(), ..self }
    }
}

/// Whether Codex starts at all, wherever it is started.
pub fn starts(layers: &Layers) -> bool {
    refused(layers).is_none()
}

/// What Codex refuses of a file that is TOML, as far as it bears on the login and on trust (0.169, measured). Pure.
pub fn refused(layers: &Layers) -> Option<Fault<'_>> {
    const TEXTS: &[&str] =
        &["model", "model_provider", "sandbox_mode", "forced_login_method", "cli_auth_credentials_store"];
    let malformed = |setting, found| Fault::new(setting, found, Code::CodexConfigMalformed);
    for setting in TEXTS {
        if let Some(found) = layers.value(&[setting]).filter(|(_, item)| item.as_str().is_none()) {
            return Some(
                malformed(setting, found)
                    .says("it is no string, so Codex does not start")
                    .cured("write its value in quotes, or take it out"),
            );
        }
    }
    let method = layers.value(&["forced_login_method"]);
    let is_odd = |item: &Item| !item.as_str().is_some_and(|method| ["api", "chatgpt"].contains(&method));
    if let Some(found) = method.filter(|(_, item)| is_odd(item)) {
        let says = "it is neither \"api\" nor \"chatgpt\", so Codex does not start";
        return Some(
            malformed("forced_login_method", found).says(says).cured("write one of them, or take it out"),
        );
    }
    if let Some(found) = layers.value(&["profile"]) {
        let says = "`profile` is of an older Codex: this one does not start with it";
        return Some(
            malformed("profile", found)
                .says(says)
                .cured("take it out (now `--profile NAME` and NAME.config.toml)"),
        );
    }
    let is_odd = |project: &Item| {
        let level = project.get("trust_level");
        level
            .is_some_and(|level| !level.as_str().is_some_and(|text| ["trusted", "untrusted"].contains(&text)))
    };
    layers.values("projects").find_map(|(layer, projects)| {
        let Some(table) = projects.as_table_like() else {
            return Some(
                malformed("projects", (layer, projects))
                    .says("it is no table, so Codex does not start")
                    .cured("write `[projects.\"/folder\"]` with `trust_level` below it"),
            );
        };
        let (_, project) = table.iter().find(|(_, project)| is_odd(project))?;
        let says = "a `trust_level` is neither \"trusted\" nor \"untrusted\", so Codex does not start";
        Some(
            malformed("projects", (layer, project))
                .says(says)
                .cured("write one of them, or take the table out"),
        )
    })
}

/// What the settings are held against.
pub struct Login<'a> {
    auth: Option<&'a CodexAuth>,
    is_chatgpt: bool,
    is_api_key: bool,
}

impl<'a> Login<'a> {
    pub fn of(context: &Context, auth: Option<&'a CodexAuth>) -> Self {
        let has_mode = |mode| auth.is_some_and(|auth| auth.mode() == mode);
        let is_api_key = has_mode(Mode::ApiKey) || context.env.get(observed::CODEX_API_KEY).is_some();
        Self { auth, is_chatgpt: has_mode(Mode::ChatGpt), is_api_key }
    }
}

/// Settings that would defeat the login. Pure.
pub fn settings<'a>(layers: &'a Layers, login: &Login, offered: &dyn Fn(&str) -> bool) -> Vec<Fault<'a>> {
    let found = |setting: &'static str, code| {
        let (layer, item) = layers.value(&[setting])?;
        Some((Fault::new(setting, (layer, item), code), item))
    };
    let text = |setting, code| found(setting, code).and_then(|(fault, item)| Some((fault, item.as_str()?)));
    let mut faults = Vec::new();

    for (setting, known) in CHOICES {
        if let Some((fault, choice)) = text(setting, Code::CodexConfigMalformed)
            && !known.contains(&choice)
        {
            faults.push(Fault {
                needs: Some("whether the Codex that is installed knows it: `codex --version`"),
                ..fault
                    .says(format!("`{setting}` has a value that Codex 0.169 does not start with"))
                    .cured(format!("set one of {}, or take it out", known.join(", ")))
            });
        }
    }
    if let Some((fault, store)) = text("cli_auth_credentials_store", Code::CodexStoreNotFile)
        && store != "file"
    {
        faults.push(
            fault
                .says("`cli_auth_credentials_store` is not \"file\", so Codex looks for the login elsewhere")
                .cured("take the line out, or set it to \"file\""),
        );
    }
    match text("forced_login_method", Code::CodexForcedLogin) {
        Some((fault, "api")) if login.is_chatgpt => faults.push(
            fault
                .says("`forced_login_method` is \"api\": the next start of Codex deletes this ChatGPT login")
                .cured("take the line out before anyone starts Codex"),
        ),
        Some((fault, "chatgpt")) if login.is_api_key => faults.push(
            fault
                .says(
                    "`forced_login_method` is \"chatgpt\" and an API key is set: the next start of Codex deletes auth.json",
                )
                .cured("take the line or the key out before anyone starts Codex"),
        ),
        _ => {}
    }
    if let (Some((fault, forced)), Some(account)) = (
        found("forced_chatgpt_workspace_id", Code::CodexForcedLogin),
        login.auth.and_then(CodexAuth::account),
    ) {
        let named = forced.as_str() == Some(account)
            || forced.as_array().is_some_and(|list| list.iter().any(|id| id.as_str() == Some(account)));
        if !named {
            faults.push(
                fault
                    .says("`forced_chatgpt_workspace_id` names another workspace: the next start of Codex deletes this login")
                    .cured("name this login's workspace, or take the line out"),
            );
        }
    }
    if let Some((fault, provider)) = text("model_provider", Code::CodexProviderBypass)
        && provider != "openai"
    {
        let uses_login = layers.value(&["model_providers", provider, "requires_openai_auth"]);
        if !uses_login.and_then(|(_, item)| item.as_bool()).unwrap_or(false) {
            faults.push(
                fault
                    .says("the model provider does not use auth.json")
                    .cured("take `model_provider` out, or give up the login in auth.json"),
            );
        }
    }
    if let Some((fault, model)) = text("model", Code::CodexModelUnsupported)
        && login.is_chatgpt
        && !offered(model)
    {
        faults.push(
            fault
                .says("the model is not offered to ChatGPT logins")
                .cured("take `model` out: the default moves with the client"),
        );
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::layers::Origin;
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
            assert_eq!(refused(&Layers::of_texts(&[(Origin::User, text)])).is_some(), is_refused, "{text}");
        }
    }

    #[test]
    fn the_highest_file_that_has_a_setting_decides() {
        use Origin::{Managed, Project, System, User};
        const API: &str = "forced_login_method = \"api\"\n";
        const CHATGPT: &str = "forced_login_method = \"chatgpt\"\n";
        let login = Login { auth: None, is_chatgpt: true, is_api_key: false };
        for (texts, decides) in [
            (&[(System, API)][..], Some(System)),
            (&[(System, API), (User, CHATGPT)], None),
            (&[(System, CHATGPT), (User, API), (Managed, "")], Some(User)),
            (&[(User, API), (Managed, CHATGPT)], None),
            (&[(User, CHATGPT), (Project, API)], Some(Project)),
            (&[(User, CHATGPT), (Project, API), (Managed, API)], Some(Managed)),
            (&[(User, ""), (Project, ""), (Project, API)], Some(Project)),
            // passed over in a repository
            (&[(User, ""), (Project, "model_provider = \"x\"\n")], None),
            (&[(User, ""), (Project, "profile = \"x\"\n")], None),
            (&[(User, "model_provider = \"x\"\n"), (Project, "model_provider = \"openai\"\n")], Some(User)),
            // what is refused does no harm below a value that is not
            (&[(User, "model = 1\n"), (Project, "model = \"x\"\n")], None),
            (&[(User, "model = \"x\"\n"), (Project, "model = 1\n")], Some(Project)),
        ] {
            let layers = Layers::of_texts(texts);
            let faults =
                refused(&layers).map_or_else(|| settings(&layers, &login, &|_| true), |fault| vec![fault]);
            let decided: Vec<_> = faults.iter().map(|fault| fault.layer.origin).collect();
            assert_eq!(decided, decides.into_iter().collect::<Vec<_>>(), "{texts:?}");
        }
    }
}
