//! config.toml, and the other files of its kind: what in them would defeat the login.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rustix::fs::{Access, access};
use toml_edit::Item;

use super::Context;
use super::layers::{Layer, Layers, Origin, Unusable, Why};
use crate::catalogue::{Actor, Code};
use crate::doctor::outcome::{Evidence, Fix, Outcome};
use crate::resource::file;
use crate::secret::{CodexAuth, Mode};
use crate::variables::observed;

const ID: &str = "codex.config";

/// Models that OpenAI withdrew from ChatGPT logins by June 2026 (openai/codex#26053); the client sends them all the same.
const RETIRED_MODELS: &[&str] = &["gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex"];

/// Choices that Codex knows (0.169, measured); a newer one may know more.
const CHOICES: &[(&str, &[&str])] = &[
    ("sandbox_mode", &["read-only", "workspace-write", "danger-full-access"]),
    ("approval_policy", &["untrusted", "on-failure", "on-request", "granular", "never"]),
];

/// A setting that keeps Codex from starting, or its login from being used.
struct Fault<'a> {
    setting: &'static str,
    layer: &'a Layer,
    code: Code,
    summary: String,
    cure: &'static str,
    value: String,
    /// What it would take to tell, of a value that a newer Codex may know.
    needs: Option<&'static str>,
}

impl<'a> Fault<'a> {
    fn new(setting: &'static str, (layer, item): (&'a Layer, &Item), code: Code) -> Self {
        let value = item.to_string();
        Self { setting, layer, code, summary: String::new(), cure: "mend it", value, needs: None }
    }

    fn says(self, summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..self }
    }

    fn cured(self, cure: &'static str) -> Self {
        Self { cure, ..self }
    }
}

/// Whether Codex starts at all, wherever it is started.
pub fn starts(layers: &Layers) -> bool {
    refused(layers).is_none()
}

/// Of the files that count in every folder, and of those that trusted repositories add.
pub fn check(context: &Context, layers: &Layers, auth: Option<&CodexAuth>) -> Vec<Outcome> {
    let judge = |layers: &Layers, of_project: bool| -> Vec<Outcome> {
        let login = Login::of(context, auth);
        let offered = |model: &str| offered(context, model);
        let faults = refused(layers).map_or_else(|| settings(layers, &login, &offered), |fault| vec![fault]);
        let faults = faults.into_iter().filter(|fault| (fault.layer.origin == Origin::Project) == of_project);
        faults.map(|fault| outcome(context, fault)).collect()
    };
    let mut outcomes = judge(layers, false);
    let folders: BTreeSet<PathBuf> =
        context.folder.iter().chain(&context.desired.trusted_folders).cloned().collect();
    for folder in folders {
        match layers.of_folder(context, &folder) {
            Ok(None) => {}
            Ok(Some(layers)) => outcomes.extend(judge(&layers, true)),
            Err(why) => outcomes.push(unusable(context, &why)),
        }
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
    // one file may count in two folders
    let mut seen = BTreeSet::new();
    outcomes.retain(|outcome| seen.insert(outcome.subject.clone()));
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(ID, None, "no setting defeats the login"));
    }
    outcomes
}

/// A file with which Codex does not start.
pub fn unusable(context: &Context, Unusable { path, origin, why }: &Unusable) -> Outcome {
    let subject = (*origin != Origin::User).then(|| context.home.shown(path));
    let name = match origin {
        Origin::User => "config.toml",
        Origin::Project => "the config.toml of a trusted repository",
        Origin::System | Origin::Managed => "the machine's config.toml",
    };
    let what = match why {
        Why::Obstacle(obstacle) => {
            return Outcome { subject, ..Outcome::obstructed(ID, obstacle, path) };
        }
        Why::NotUtf8 => "is not UTF-8".to_owned(),
        Why::NotToml(None) => "does not parse".to_owned(),
        Why::NotToml(Some(line)) => format!("does not parse at line {line}"),
    };
    let summary = format!("{name} {what}, so Codex does not start{}", where_it_counts(*origin));
    let outcome =
        Outcome::fail(ID, subject, Code::CodexConfigMalformed, summary, Fix::edit(path, "mend that line"));
    of_machine(outcome, *origin)
}

const fn where_it_counts(origin: Origin) -> &'static str {
    match origin {
        Origin::Project => " in it",
        Origin::System | Origin::User | Origin::Managed => "",
    }
}

/// Who mends the machine's own files is not whoever works on it.
fn of_machine(outcome: Outcome, origin: Origin) -> Outcome {
    match origin {
        Origin::User | Origin::Project => outcome,
        Origin::System | Origin::Managed => {
            Outcome { actor: Some(Actor::TemplateAdmin), agent_may_fix: false, ..outcome }
        }
    }
}

fn outcome(context: &Context, fault: Fault) -> Outcome {
    let Fault { setting, layer: Layer { path, origin, .. }, code, summary, cure, value, needs } = fault;
    let subject = match origin {
        Origin::User => setting.to_owned(),
        _ => format!("{setting} in {}", context.home.shown(path)),
    };
    let (subject, fix) = (Some(subject), Fix::edit(path, cure));
    let outcome = match needs {
        Some(needs) => Outcome::unknown(ID, subject, summary, needs).coded(code).fixed(fix),
        None => Outcome::fail(ID, subject, code, summary, fix),
    };
    let place = Evidence::new("set in", context.home.shown(path));
    of_machine(outcome.with([place, Evidence::foreign("value", &value)]), *origin)
}

/// What Codex refuses of a file that is TOML, as far as it bears on the login and on trust (0.169, measured). Pure.
fn refused(layers: &Layers) -> Option<Fault<'_>> {
    const TEXTS: &[&str] =
        &["model", "model_provider", "sandbox_mode", "forced_login_method", "cli_auth_credentials_store"];
    let malformed = |setting, found| Fault::new(setting, found, Code::CodexConfigMalformed);
    for setting in TEXTS {
        if let Some(found) = layers.value(&[setting]).filter(|(_, item)| item.as_str().is_none()) {
            return Some(malformed(setting, found).says("it is no string, so Codex does not start"));
        }
    }
    let method = layers.value(&["forced_login_method"]);
    let is_odd = |item: &Item| !item.as_str().is_some_and(|method| ["api", "chatgpt"].contains(&method));
    if let Some(found) = method.filter(|(_, item)| is_odd(item)) {
        let says = "it is neither \"api\" nor \"chatgpt\", so Codex does not start";
        return Some(malformed("forced_login_method", found).says(says));
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
                malformed("projects", (layer, projects)).says("it is no table, so Codex does not start"),
            );
        };
        let (_, project) = table.iter().find(|(_, project)| is_odd(project))?;
        let says = "a `trust_level` is neither \"trusted\" nor \"untrusted\", so Codex does not start";
        Some(malformed("projects", (layer, project)).says(says))
    })
}

/// What the settings are held against.
struct Login<'a> {
    auth: Option<&'a CodexAuth>,
    is_chatgpt: bool,
    is_api_key: bool,
}

impl<'a> Login<'a> {
    fn of(context: &Context, auth: Option<&'a CodexAuth>) -> Self {
        let has_mode = |mode| auth.is_some_and(|auth| auth.mode() == mode);
        let is_api_key = has_mode(Mode::ApiKey) || context.env.get(observed::CODEX_API_KEY).is_some();
        Self { auth, is_chatgpt: has_mode(Mode::ChatGpt), is_api_key }
    }
}

/// Settings that would defeat the login. Pure.
fn settings<'a>(layers: &'a Layers, login: &Login, offered: &dyn Fn(&str) -> bool) -> Vec<Fault<'a>> {
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
                needs: Some(
                    "one start of Codex in that folder: it ends at once where it does not know the value",
                ),
                ..fault.says(format!("`{setting}` has a value that Codex 0.169 does not start with"))
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
