//! The forms of further settings of Codex, which reads all of its configuration before it starts
//! (0.169, measured). Pure.

use toml_edit::Item;

use super::fault::{CodexFault, malformed};
use super::layers::Layers;

/// What a value must be.
#[derive(Clone, Copy)]
enum CodexForm {
    Flag,
    Text,
    Whole,
    Texts,
    FlagOrTexts,
    /// A table of texts.
    Words,
    OneOf(&'static [&'static str]),
}

/// Settings, and what their values must be. Of a table, `*` is each entry.
const FORMS: &[(CodexForm, &[&str])] = &[
    (
        CodexForm::Flag,
        &[
            "hide_agent_reasoning",
            "check_for_update_on_startup",
            "allow_login_shell",
            "sandbox_workspace_write.network_access",
            "notice.hide_full_access_warning",
            "plugins.*.enabled",
            "mcp_servers.*.enabled",
            "mcp_servers.*.required",
        ],
    ),
    (
        CodexForm::Text,
        &[
            "log_dir",
            "compact_prompt",
            "instructions",
            "developer_instructions",
            "review_model",
            "model_instructions_file",
            "audio.microphone",
            "profiles.*.model",
            "mcp_servers.*.command",
            "mcp_servers.*.url",
        ],
    ),
    (
        CodexForm::Whole,
        &[
            "project_doc_max_bytes",
            "model_auto_compact_token_limit",
            "agents.max_threads",
            "model_providers.*.request_max_retries",
        ],
    ),
    (CodexForm::Texts, &["notify", "mcp_servers.*.args", "shell_environment_policy.exclude"]),
    (CodexForm::FlagOrTexts, &["tui.notifications"]),
    (
        CodexForm::Words,
        &["mcp_servers.*.env", "shell_environment_policy.set", "model_providers.*.http_headers"],
    ),
    (CodexForm::OneOf(&["save-all", "none"]), &["history.persistence"]),
    (CodexForm::OneOf(&["all", "core", "none"]), &["shell_environment_policy.inherit"]),
    (CodexForm::OneOf(&["low", "medium", "high"]), &["model_verbosity"]),
    (CodexForm::OneOf(&["auto", "concise", "detailed", "none"]), &["model_reasoning_summary"]),
    (CodexForm::OneOf(&["responses"]), &["model_providers.*.wire_api"]),
];

/// The first value of another form.
pub fn misshapen(layers: &Layers) -> Option<CodexFault<'_>> {
    let mut named =
        FORMS.iter().flat_map(|(form, names)| names.iter().map(move |name| (*form, *name)));
    let wrong = named.find_map(|(form, name)| {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        layers.highest_values(first).find_map(|(layer, item)| {
            let item = first_wrong(form, item, rest)?;
            let fault = malformed(name, (layer, item));
            Some(fault.with_summary(format!("it is not {}, so Codex does not start", form.name())))
        })
    });
    wrong.or_else(|| server(layers))
}

fn first_wrong<'i>(form: CodexForm, item: &'i Item, path: &str) -> Option<&'i Item> {
    if path.is_empty() {
        return (!form.fits(item)).then_some(item);
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if first == "*" {
        let mut entries = item.as_table_like()?.iter();
        return entries.find_map(|(_, entry)| first_wrong(form, entry, rest));
    }
    first_wrong(form, item.get(first)?, rest)
}

/// An MCP server is a program or an address.
fn server(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "mcp_servers";
    layers.highest_values(SETTING).find_map(|(layer, servers)| {
        let is_odd = |server: &Item| {
            server.get("command").is_some() == server.get("url").is_some()
                || server.get("url").is_some() && server.get("bearer_token").is_some()
        };
        let (_, server) = servers.as_table_like()?.iter().find(|(_, server)| is_odd(server))?;
        let fault = malformed(SETTING, (layer, server));
        let fault = fault.with_summary(
            "a server has no `command` and no `url`, or both, or a `bearer_token`, so Codex does not start",
        );
        Some(fault.fixed_by("correct that server, or remove it"))
    })
}

impl CodexForm {
    fn fits(self, item: &Item) -> bool {
        let is_texts = || {
            item.as_array().is_some_and(|list| list.iter().all(|value| value.as_str().is_some()))
        };
        match self {
            Self::Flag => item.as_bool().is_some(),
            Self::Text => item.as_str().is_some(),
            Self::Whole => item.as_integer().is_some(),
            Self::Texts => is_texts(),
            Self::FlagOrTexts => item.as_bool().is_some() || is_texts(),
            Self::Words => item
                .as_table_like()
                .is_some_and(|table| table.iter().all(|(_, value)| value.as_str().is_some())),
            Self::OneOf(known) => item.as_str().is_some_and(|text| known.contains(&text)),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Text => "a string",
            Self::Whole => "a whole number",
            Self::Texts => "a list of strings",
            Self::FlagOrTexts => "true, false or a list of strings",
            Self::Words => "a table of strings",
            Self::OneOf(_) => "a value that Codex knows",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::LayerOrigin;
    use super::*;

    #[test]
    fn a_value_of_another_form_is_found() {
        for (text, expected) in [
            ("", None),
            ("notify = [\"x\"]\nhide_agent_reasoning = true\n", None),
            ("notify = \"x\"\n", Some("notify")),
            ("hide_agent_reasoning = \"yes\"\n", Some("hide_agent_reasoning")),
            ("project_doc_max_bytes = \"a\"\n", Some("project_doc_max_bytes")),
            ("[history]\npersistence = \"bogus\"\n", Some("history.persistence")),
            ("[history]\npersistence = \"none\"\n", None),
            ("[tui]\nnotifications = 5\n", Some("tui.notifications")),
            ("[tui]\nnotifications = [\"a\"]\n", None),
            ("[profiles.x]\nmodel = 5\n", Some("profiles.*.model")),
            ("[shell_environment_policy]\nset = [\"x\"]\n", Some("shell_environment_policy.set")),
            ("[mcp_servers.x]\ncommand = \"x\"\nargs = [\"a\"]\nenv = { A = \"b\" }\n", None),
            ("[mcp_servers.x]\ncommand = [\"npx\", \"y\"]\n", Some("mcp_servers.*.command")),
            ("[mcp_servers.x]\ncommand = \"x\"\nenv = [\"A\"]\n", Some("mcp_servers.*.env")),
            ("[mcp_servers.x]\nargs = [\"a\"]\n", Some("mcp_servers")),
            ("[mcp_servers.x]\ncommand = \"a\"\nurl = \"http://x\"\n", Some("mcp_servers")),
            ("[mcp_servers.x]\nurl = \"http://x\"\nbearer_token = \"t\"\n", Some("mcp_servers")),
            (
                "[model_providers.p]\nname = \"p\"\nwire_api = \"bogus\"\n",
                Some("model_providers.*.wire_api"),
            ),
        ] {
            let layers = Layers::of_texts(&[(LayerOrigin::User, text)]);
            assert_eq!(misshapen(&layers).map(|fault| fault.setting), expected, "{text}");
        }
    }

    #[test]
    fn a_value_of_a_higher_file_counts() {
        let layers = Layers::of_texts(&[
            (LayerOrigin::System, "notify = \"x\"\n"),
            (LayerOrigin::User, "notify = [\"x\"]\n"),
        ]);
        assert!(misshapen(&layers).is_none());
    }
}
