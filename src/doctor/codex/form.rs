//! The forms of Codex's settings. It reads all of them before it starts, and does not start with one
//! value of another form; names that it does not know it ignores (0.169 and 0.171, measured). Pure.

use toml_edit::Value;

use super::fault::{CodexFault, malformed};
use super::layers::Layers;
use super::merged::Merged;

/// What a value must be.
#[derive(Clone, Copy)]
enum CodexForm {
    Flag,
    /// A date is one too.
    Text,
    /// A text that is not blank.
    Filled,
    /// A whole number of this range.
    Whole(i64, i64),
    /// A number that is not negative.
    Seconds,
    Table,
    /// A table of texts.
    Words,
    /// A table of whole numbers that are not negative.
    Counts,
    /// A table, or a list of what a table would contain.
    Container,
    /// A list of tables.
    Tables,
    Texts,
    FlagOrTexts,
    FlagOrTable,
    TextOrTexts,
    TextOrTable,
    /// One of these, separated by blanks.
    OneOf(&'static str),
    /// A table of such texts.
    EachOneOf(&'static str),
    /// The name of an exporter, or a table of that name.
    Exporter,
    /// A right, a table of rights, or a depth.
    Access,
}

use CodexForm::{
    Access, Container, Counts, EachOneOf, Exporter, Filled, Flag, FlagOrTable, FlagOrTexts, OneOf,
    Seconds, Table, Tables, Text, TextOrTable, TextOrTexts, Texts, Whole, Words,
};

/// Each form, and the settings that have it. `*` is each entry of a table or of a list.
const FORMS: &[(CodexForm, &str)] = &[
    (
        Table,
        "agents analytics apps apps.*.tools audio auto_review desktop features feedback \
         ghost_snapshot hooks hooks.state hooks.state.* marketplaces mcp_enterprise_managed_auth \
         mcp_servers mcp_servers.* mcp_servers.*.tools mcp_servers.*.tools.* memories \
         model_providers model_providers.* model_providers.*.aws notice \
         notice.external_config_migration_prompts orchestrator orchestrator.mcp orchestrator.skills \
         otel otel.tracestate permissions permissions.* permissions.*.filesystem \
         permissions.*.network plugins plugins.*.mcp_servers profiles profiles.* \
         profiles.*.analytics profiles.*.features profiles.*.tools profiles.*.windows projects \
         projects.* realtime shell_environment_policy tools tui tui.keymap.approval \
         tui.keymap.chat tui.keymap.composer tui.keymap.editor tui.keymap.global tui.keymap.list \
         tui.keymap.pager windows",
    ),
    (
        Container,
        "apps.* cloud goals history marketplaces.* mcp_servers.*.oauth model_providers.*.auth \
         plugins.* sandbox_workspace_write skills skills.bundled tool_suggest \
         tools.experimental_request_user_input tools.update_plan tui.keymap",
    ),
    (
        Flag,
        "agents.interrupt_message allow_login_shell allow_symlinked_codex_home analytics.enabled \
         approval_policy.granular.* apps.*.default_tools_enabled apps.*.destructive_enabled \
         apps.*.enabled apps.*.open_world_enabled apps.*.tools.*.enabled \
         check_for_update_on_startup disable_paste_burst experimental_use_unified_exec_tool \
         feedback.enabled ghost_snapshot.disable_warnings hide_agent_reasoning \
         hooks.state.*.enabled include_apps_instructions \
         include_collaboration_mode_instructions include_environment_context \
         include_permissions_instructions mcp_servers.*.enabled mcp_servers.*.required \
         mcp_servers.*.supports_parallel_tool_calls memories.dedicated_tools \
         memories.disable_on_external_context memories.generate_memories memories.use_memories \
         model_providers.*.requires_openai_auth model_providers.*.supports_websockets \
         notice.fast_default_opt_out notice.hide_full_access_warning \
         notice.hide_gpt5_1_migration_prompt notice.hide_rate_limit_model_nudge \
         notice.hide_world_writable_warning otel.log_user_prompt permissions.*.network.enabled \
         plugins.*.enabled plugins.*.mcp_servers.*.enabled profiles.*.analytics.enabled \
         profiles.*.include_apps_instructions sandbox_workspace_write.exclude_slash_tmp \
         sandbox_workspace_write.exclude_tmpdir_env_var sandbox_workspace_write.network_access \
         shell_environment_policy.experimental_use_profile \
         shell_environment_policy.ignore_default_excludes show_raw_agent_reasoning \
         skills.bundled.enabled skills.config.*.enabled skills.include_instructions \
         suppress_unstable_features_warning tui.animations tui.raw_output_mode tui.show_tooltips \
         tui.status_line_use_colors tui.vim_mode_default",
    ),
    // features that are in development have settings of their own
    (FlagOrTable, "features.* profiles.*.features.* profiles.*.tools.web_search tools.web_search"),
    (Filled, "model model_providers.*.auth.command model_reasoning_effort"),
    (
        Text,
        "agents.*.config_file agents.*.description agents.default_subagent_model \
         agents.default_subagent_reasoning_effort apps_mcp_product_sku audio.microphone \
         audio.speaker auto_review.policy chatgpt_base_url cli_auth_credentials_store \
         compact_prompt default_permissions developer_instructions \
         experimental_compact_prompt_file experimental_realtime_start_instructions \
         experimental_realtime_webrtc_call_base_url experimental_realtime_ws_backend_prompt \
         experimental_realtime_ws_base_url experimental_realtime_ws_model \
         experimental_realtime_ws_startup_context hooks.state.*.trusted_hash instructions \
         js_repl_node_path log_dir marketplaces.*.last_revision marketplaces.*.last_updated \
         marketplaces.*.ref marketplaces.*.source mcp_oauth_callback_url \
         mcp_servers.*.bearer_token_env_var mcp_servers.*.command mcp_servers.*.cwd \
         mcp_servers.*.environment_id mcp_servers.*.name mcp_servers.*.oauth.client_id \
         mcp_servers.*.oauth_resource mcp_servers.*.url memories.consolidation_model \
         memories.extract_model model_catalog_json model_instructions_file model_provider \
         model_providers.*.base_url model_providers.*.env_key \
         model_providers.*.env_key_instructions model_providers.*.experimental_bearer_token \
         model_providers.*.name openai_base_url oss_provider otel.environment \
         permissions.*.description permissions.*.extends plan_mode_reasoning_effort \
         profiles.*.chatgpt_base_url profiles.*.model profiles.*.model_provider \
         profiles.*.model_reasoning_effort profiles.*.oss_provider \
         profiles.*.plan_mode_reasoning_effort profiles.*.service_tier review_model sandbox_mode \
         service_tier skills.config.*.name skills.config.*.path sqlite_home tui.pet tui.theme",
    ),
    (
        Texts,
        "agents.*.nickname_candidates js_repl_node_module_dirs marketplaces.*.sparse_paths \
         mcp_servers.*.args mcp_servers.*.disabled_tools mcp_servers.*.enabled_tools \
         mcp_servers.*.scopes model_providers.*.auth.args notify project_doc_fallback_filenames \
         project_root_markers sandbox_workspace_write.writable_roots \
         shell_environment_policy.exclude shell_environment_policy.include_only \
         tools.web_search.allowed_domains tui.status_line tui.terminal_title",
    ),
    (
        Words,
        "mcp_servers.*.env mcp_servers.*.env_http_headers mcp_servers.*.http_headers \
         model_providers.*.env_http_headers model_providers.*.http_headers \
         model_providers.*.query_params notice.model_migrations otel.span_attributes \
         otel.tracestate.* responses_api_metadata shell_environment_policy.set \
         tools.web_search.location",
    ),
    (Tables, "skills.config tool_suggest.disabled_tools tool_suggest.discoverables"),
    (Counts, "tui.model_availability_nux"),
    (FlagOrTexts, "tui.notifications"),
    (
        TextOrTexts,
        "forced_chatgpt_workspace_id tui.keymap.approval.* tui.keymap.chat.* \
         tui.keymap.composer.* tui.keymap.editor.* tui.keymap.global.* tui.keymap.list.* \
         tui.keymap.pager.*",
    ),
    (TextOrTable, "approval_policy profiles.*.approval_policy"),
    (
        Whole(0, i64::MAX),
        "agents.job_max_runtime_seconds background_terminal_max_timeout history.max_bytes \
         mcp_optional_startup_grace_ms mcp_servers.*.startup_timeout_ms \
         memories.max_raw_memories_for_consolidation memories.max_rollouts_per_startup \
         model_providers.*.auth.refresh_interval_ms model_providers.*.request_max_retries \
         model_providers.*.stream_idle_timeout_ms model_providers.*.stream_max_retries \
         model_providers.*.websocket_connect_timeout_ms project_doc_max_bytes \
         thread_unload_delay_secs tool_output_token_limit tui.terminal_resize_reflow_max_rows",
    ),
    (
        Whole(1, i64::MAX),
        "agents.max_concurrent_threads_per_session agents.max_threads goals.max_goal_token_budget \
         model_providers.*.auth.timeout_ms",
    ),
    (
        Whole(i64::MIN, i64::MAX),
        "ghost_snapshot.ignore_large_untracked_dirs ghost_snapshot.ignore_large_untracked_files \
         memories.max_rollout_age_days memories.max_unused_days \
         memories.min_rate_limit_remaining_percent memories.min_rollout_idle_hours \
         model_auto_compact_token_limit model_context_window",
    ),
    (Whole(i32::MIN as i64, i32::MAX as i64), "agents.max_depth"),
    (Whole(0, u16::MAX as i64), "mcp_oauth_callback_port"),
    (Whole(0, 100), "model_post_turn_compact_threshold_percent"),
    (Seconds, "mcp_servers.*.startup_timeout_sec mcp_servers.*.tool_timeout_sec"),
    (Exporter, "otel.exporter otel.metrics_exporter otel.trace_exporter"),
    (
        Text,
        "otel.exporter.otlp-http.endpoint otel.exporter.otlp-grpc.endpoint \
         otel.metrics_exporter.otlp-http.endpoint otel.metrics_exporter.otlp-grpc.endpoint \
         otel.trace_exporter.otlp-http.endpoint otel.trace_exporter.otlp-grpc.endpoint",
    ),
    (
        Words,
        "otel.exporter.otlp-http.headers otel.exporter.otlp-grpc.headers \
         otel.metrics_exporter.otlp-http.headers otel.metrics_exporter.otlp-grpc.headers \
         otel.trace_exporter.otlp-http.headers otel.trace_exporter.otlp-grpc.headers",
    ),
    (
        OneOf("binary json"),
        "otel.exporter.otlp-http.protocol otel.metrics_exporter.otlp-http.protocol \
         otel.trace_exporter.otlp-http.protocol",
    ),
    (Access, "permissions.*.filesystem.*"),
    (EachOneOf("allow deny"), "permissions.*.network.domains permissions.*.network.unix_sockets"),
    (OneOf("limited full"), "permissions.*.network.mode"),
    (OneOf("save-all none"), "history.persistence"),
    (OneOf("all core none"), "shell_environment_policy.inherit"),
    (OneOf("low medium high"), "model_verbosity profiles.*.model_verbosity"),
    (OneOf("low medium high"), "tools.web_search.context_size"),
    (
        OneOf("auto concise detailed none"),
        "model_reasoning_summary profiles.*.model_reasoning_summary",
    ),
    (OneOf("responses"), "model_providers.*.wire_api"),
    (OneOf("disabled cached indexed live"), "web_search profiles.*.web_search"),
    (OneOf("none friendly pragmatic"), "personality profiles.*.personality"),
    (OneOf("read-only workspace-write danger-full-access"), "profiles.*.sandbox_mode"),
    (
        OneOf("user auto_review guardian_subagent"),
        "approvals_reviewer profiles.*.approvals_reviewer apps.*.approvals_reviewer",
    ),
    (
        OneOf("auto prompt writes approve"),
        "apps.*.default_tools_approval_mode apps.*.tools.*.approval_mode \
         mcp_servers.*.default_tools_approval_mode mcp_servers.*.tools.*.approval_mode",
    ),
    (OneOf("default strict"), "auto_review.circuit_break_action"),
    (OneOf("vscode vscode-insiders windsurf cursor none"), "file_opener"),
    (OneOf("api chatgpt"), "forced_login_method"),
    (OneOf("git local"), "marketplaces.*.source_type"),
    (OneOf("auto file keyring"), "mcp_oauth_credentials_store"),
    (OneOf("total body_after_prefix"), "model_auto_compact_token_limit_scope"),
    (
        OneOf("connector plugin"),
        "tool_suggest.disabled_tools.*.type tool_suggest.discoverables.*.type",
    ),
    (OneOf("standalone search_mcp"), "tools.client_search_provider"),
    (OneOf("auto always never"), "tui.alternate_screen"),
    (OneOf("unfocused always"), "tui.notification_condition"),
    (OneOf("auto osc9 osc777 bel"), "tui.notification_method"),
    (OneOf("composer screen-bottom"), "tui.pet_anchor"),
    (OneOf("comfortable dense"), "tui.session_picker_view profiles.*.tui.session_picker_view"),
    (OneOf("elevated unelevated mxc"), "windows.sandbox"),
    (OneOf("trusted untrusted"), "projects.*.trust_level"),
];

/// What a table that is there must contain.
const REQUIRED: &[&str] = &[
    "approval_policy.granular",
    "approval_policy.granular.mcp_elicitations",
    "approval_policy.granular.rules",
    "approval_policy.granular.sandbox_approval",
    "mcp_servers.*.env_vars.*.name",
    "model_providers.*.auth.command",
    "otel.exporter.otlp-grpc.endpoint",
    "otel.exporter.otlp-http.endpoint",
    "otel.exporter.otlp-http.protocol",
    "otel.metrics_exporter.otlp-grpc.endpoint",
    "otel.metrics_exporter.otlp-http.endpoint",
    "otel.metrics_exporter.otlp-http.protocol",
    "otel.trace_exporter.otlp-grpc.endpoint",
    "otel.trace_exporter.otlp-http.endpoint",
    "otel.trace_exporter.otlp-http.protocol",
    "skills.config.*.enabled",
    "tool_suggest.disabled_tools.*.id",
    "tool_suggest.disabled_tools.*.type",
    "tool_suggest.discoverables.*.id",
    "tool_suggest.discoverables.*.type",
];

/// The events that Codex knows: hooks of others it ignores.
const EVENTS: &[&str] = &[
    "PermissionRequest",
    "PostCompact",
    "PostToolUse",
    "PreCompact",
    "PreToolUse",
    "SessionEnd",
    "SessionStart",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "UserPromptSubmit",
];

/// Of the groups of an event.
const HOOKS: &[(CodexForm, &str)] = &[
    (Tables, ""),
    (Text, "*.matcher"),
    (Tables, "*.hooks"),
    (OneOf("command mcp_tool prompt agent"), "*.hooks.*.type"),
    (Text, "*.hooks.*.command *.hooks.*.statusMessage"),
    (Whole(0, i64::MAX), "*.hooks.*.timeout"),
    (Flag, "*.hooks.*.async"),
];

/// What the hook of a type must contain.
const OF_TYPE: &[(&str, &str)] =
    &[("command", "command"), ("mcp_tool", "server"), ("mcp_tool", "tool")];

/// The first value of another form.
pub fn misshapen(layers: &Layers) -> Option<CodexFault<'_>> {
    let wrong = named(FORMS).find_map(|(form, name)| {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        fault(name, form, &layers.merged(first)?, rest)
    });
    let missing = || {
        REQUIRED.iter().find_map(|name| {
            let (first, rest) = name.split_once('.')?;
            let parent = without(&layers.merged(first)?, rest)?;
            let fault = malformed(name, parent.found()?);
            let last = name.rsplit('.').next().unwrap_or(name);
            Some(
                fault
                    .with_summary(format!("it has no `{last}`, so Codex does not start"))
                    .fixed_by(format!("add `{last}` to that table, or remove the table")),
            )
        })
    };
    wrong.or_else(missing).or_else(|| hooks(layers)).or_else(|| server(layers))
}

fn named(
    forms: &'static [(CodexForm, &'static str)],
) -> impl Iterator<Item = (CodexForm, &'static str)> {
    forms.iter().flat_map(|(form, names)| names.split(' ').map(|name| (*form, name)))
}

fn fault<'a>(
    setting: &'static str,
    form: CodexForm,
    value: &Merged<'a>,
    path: &str,
) -> Option<CodexFault<'a>> {
    let wrong = first_wrong(form, value, path)?;
    let fault = malformed(setting, wrong.found()?);
    let name = form.name();
    Some(
        fault
            .with_summary(format!("it is not {name}, so Codex does not start"))
            .fixed_by(format!("make it {name}, or remove it")),
    )
}

fn first_wrong<'a>(form: CodexForm, value: &Merged<'a>, path: &str) -> Option<Merged<'a>> {
    if path.is_empty() {
        return (!form.fits(value)).then(|| value.clone());
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if first == "*" {
        return value.entries().iter().find_map(|entry| first_wrong(form, entry, rest));
    }
    first_wrong(form, &value.get(first)?, rest)
}

/// A table at the path that has not the name at its end.
fn without<'a>(value: &Merged<'a>, path: &str) -> Option<Merged<'a>> {
    let Some((first, rest)) = path.split_once('.') else {
        return (value.is_table() && value.get(path).is_none()).then(|| value.clone());
    };
    if first == "*" {
        return value.entries().iter().find_map(|entry| without(entry, rest));
    }
    without(&value.get(first)?, rest)
}

fn hooks(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "hooks";
    let hooks = layers.merged(SETTING)?;
    EVENTS.iter().find_map(|event| {
        let groups = hooks.get(event)?;
        let wrong = named(HOOKS).find_map(|(form, path)| fault(SETTING, form, &groups, path));
        wrong.or_else(|| {
            let handlers = groups.entries().into_iter().filter_map(|group| group.get("hooks"));
            let mut handlers = handlers.flat_map(|handlers| handlers.entries());
            let wrong = handlers.find(|hook| {
                let kind = hook.get("type").and_then(|kind| kind.text());
                let lacks = |name: &&str| hook.get(name).is_none();
                kind.is_none() || OF_TYPE.iter().any(|(of, name)| kind == Some(of) && lacks(name))
            })?;
            let fault = malformed(SETTING, wrong.found()?);
            Some(
                fault
                    .with_summary(
                        "a hook has no `type`, or not what its type needs, so Codex does not start",
                    )
                    .fixed_by("write `type = \"command\"` and its `command`, or remove that hook"),
            )
        })
    })
}

/// An MCP server is a program or an address, and has nothing of the other.
fn server(layers: &Layers) -> Option<CodexFault<'_>> {
    const SETTING: &str = "mcp_servers";
    const NOT_OF_PROGRAMS: &[&str] = &[
        "url",
        "bearer_token",
        "bearer_token_env_var",
        "http_headers",
        "env_http_headers",
        "oauth",
        "oauth_resource",
    ];
    const NOT_OF_ADDRESSES: &[&str] = &["args", "env", "env_vars", "cwd", "bearer_token"];
    let odd = |server: &Merged| {
        let has = |name: &&&str| server.get(name).is_some();
        if has(&&"command") {
            NOT_OF_PROGRAMS.iter().find(has).map(|name| ("`command`", Some(*name)))
        } else if has(&&"url") {
            NOT_OF_ADDRESSES.iter().find(has).map(|name| ("`url`", Some(*name)))
        } else {
            Some(("no `command` and no `url`", None))
        }
    };
    let servers = layers.merged(SETTING)?.entries();
    let (server, (what, other)) = servers.iter().find_map(|server| Some((server, odd(server)?)))?;
    let what = match other {
        Some(other) => format!("a server has {what} and `{other}`, so Codex does not start"),
        None => format!("a server has {what}, so Codex does not start"),
    };
    let fault = malformed(SETTING, server.found()?);
    Some(fault.with_summary(what).fixed_by("correct that server, or remove it"))
}

impl CodexForm {
    fn fits(self, value: &Merged) -> bool {
        let scalar = value.scalar();
        let is_text = scalar.is_some_and(|it| it.is_str() || it.is_datetime());
        let all = |fits: fn(&Value) -> bool| {
            value.entries().iter().all(|entry| entry.scalar().is_some_and(fits))
        };
        let is_texts = || value.is_list() && all(Value::is_str);
        let is_flag = scalar.is_some_and(Value::is_bool);
        let is_one = |value: &Merged, known: &str| {
            value.text().is_some_and(|text| known.split(' ').any(|name| name == text))
        };
        match self {
            Flag => is_flag,
            Text => is_text,
            Filled => is_text && value.text().is_none_or(|text| !text.trim().is_empty()),
            Whole(least, most) => scalar
                .and_then(Value::as_integer)
                .is_some_and(|number| (least..=most).contains(&number)),
            Seconds => {
                // in whole seconds it must fit into 64 bits
                let fits = |seconds: f64| (0.0..1.8e19).contains(&seconds);
                scalar.is_some_and(|it| {
                    it.as_integer().is_some_and(|it| it >= 0) || it.as_float().is_some_and(fits)
                })
            }
            Table => value.is_table(),
            Words => value.is_table() && all(Value::is_str),
            Counts => value.is_table() && all(|it| it.as_integer().is_some_and(|it| it >= 0)),
            Container => value.is_table() || value.is_list(),
            Tables => value.is_list() && value.entries().iter().all(Merged::is_table),
            Texts => is_texts(),
            FlagOrTexts => is_flag || is_texts(),
            FlagOrTable => is_flag || value.is_table(),
            TextOrTexts => is_text || is_texts(),
            TextOrTable => is_text || value.is_table(),
            OneOf(known) => is_one(value, known),
            EachOneOf(known) => {
                value.is_table() && value.entries().iter().all(|entry| is_one(entry, known))
            }
            Exporter => match &*value.names().into_iter().collect::<Vec<_>>() {
                [name] => {
                    ["none", "statsig", "otlp-http", "otlp-grpc"].contains(name)
                        && value.get(name).is_some_and(|it| it.is_table())
                }
                [] => is_one(value, "none statsig"),
                _ => false,
            },
            Access => {
                const RIGHTS: &str = "read write deny none";
                is_one(value, RIGHTS)
                    || scalar.is_some_and(|it| it.as_integer().is_some_and(|depth| depth > 0))
                    || value.is_table() && value.entries().iter().all(|it| is_one(it, RIGHTS))
            }
        }
    }

    fn name(self) -> String {
        let name = match self {
            OneOf(known) => return format!("one of {}", known.replace(' ', ", ")),
            Flag => "true or false",
            Text => "a string",
            Filled => "a string with a value",
            Whole(..) => "a whole number of the range that Codex takes",
            Seconds => "a number of seconds",
            Table | Container => "a table",
            Words => "a table of strings",
            Counts => "a table of whole numbers",
            Tables => "a list of tables",
            Texts => "a list of strings",
            FlagOrTexts => "true, false or a list of strings",
            FlagOrTable => "true, false or a table",
            TextOrTexts => "a string or a list of strings",
            TextOrTable => "a string or a table",
            EachOneOf(_) | Exporter | Access => "what Codex knows",
        };
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::LayerOrigin::{Project, System, User};
    use super::*;

    /// Each as Codex took or refused it.
    #[test]
    fn a_value_of_another_form_is_found() {
        for (text, expected) in [
            ("", None),
            ("unknown = 5\n[unknown2]\na = 5\n", None),
            ("notify = [\"x\"]\nhide_agent_reasoning = true\n", None),
            ("notify = \"x\"\n", Some("notify")),
            ("model = 1\n", Some("model")),
            ("model = \"\"\n", Some("model")),
            ("model = 1979-05-27\n", None),
            ("model_reasoning_effort = \"bogus\"\n", None),
            ("model_reasoning_effort = \"\"\n", Some("model_reasoning_effort")),
            ("hide_agent_reasoning = \"yes\"\n", Some("hide_agent_reasoning")),
            ("project_doc_max_bytes = \"a\"\n", Some("project_doc_max_bytes")),
            ("project_doc_max_bytes = -1\n", Some("project_doc_max_bytes")),
            ("model_context_window = -1\n", None),
            ("mcp_oauth_callback_port = 70000\n", Some("mcp_oauth_callback_port")),
            ("web_search = true\n", Some("web_search")),
            ("web_search = \"indexed\"\n", None),
            ("[history]\npersistence = \"bogus\"\n", Some("history.persistence")),
            ("[history]\npersistence = \"none\"\n", None),
            ("history = []\n", None),
            ("[tui]\nnotifications = 5\n", Some("tui.notifications")),
            ("[tui]\nnotifications = [\"a\"]\n", None),
            ("[tui]\nstatus_line = \"x\"\n", Some("tui.status_line")),
            ("[tui.keymap.editor]\nyank = 5\n", Some("tui.keymap.editor.*")),
            ("[tui.keymap.other]\nyank = 5\n", None),
            ("[agents]\nmax_threads = 0\n", Some("agents.max_threads")),
            ("[agents]\nmax_depth = 0\n[agents.x]\ndescription = \"d\"\n", None),
            ("[agents.x]\ndescription = 5\n", Some("agents.*.description")),
            ("[profiles.x]\nmodel = 5\n", Some("profiles.*.model")),
            ("[features]\nweb_search_request = \"x\"\n", Some("features.*")),
            ("[features]\nunknown = true\nmulti_agent_v2 = { enabled = true }\n", None),
            ("[tools]\nweb_search = \"yes\"\n", Some("tools.web_search")),
            ("[tools]\nweb_search = { context_size = \"high\" }\n", None),
            ("[[skills.config]]\npath = 5\nenabled = true\n", Some("skills.config.*.path")),
            ("[[skills.config]]\npath = \"/x\"\n", Some("skills.config.*.enabled")),
            ("[[skills.config]]\npath = \"/x\"\nenabled = false\n", None),
            ("skills.config = {}\n", Some("skills.config")),
            ("[[skills]]\nname = \"x\"\n", None),
            ("[otel]\nexporter = \"bogus\"\n", Some("otel.exporter")),
            ("[otel]\nexporter = \"otlp-http\"\n", Some("otel.exporter")),
            ("[otel]\nexporter = \"none\"\n", None),
            ("[otel]\nexporter = {}\n", Some("otel.exporter")),
            ("[otel.exporter.otlp-grpc]\nendpoint = \"x\"\n", None),
            (
                "[otel.exporter.otlp-http]\nendpoint = \"x\"\n",
                Some("otel.exporter.otlp-http.protocol"),
            ),
            (
                "[otel.exporter.otlp-http]\nendpoint = \"x\"\nprotocol = \"grpc\"\n",
                Some("otel.exporter.otlp-http.protocol"),
            ),
            ("approval_policy = 1\n", Some("approval_policy")),
            ("approval_policy = {}\n", Some("approval_policy.granular")),
            (
                "approval_policy = { granular = { rules = true } }\n",
                Some("approval_policy.granular.mcp_elicitations"),
            ),
            (
                "[approval_policy.granular]\nmcp_elicitations = true\nrules = true\nsandbox_approval = true\n",
                None,
            ),
            ("projects = 1\n", Some("projects")),
            ("[projects]\n\"/a\" = \"trusted\"\n", Some("projects.*")),
            ("[projects.\"/a\"]\ntrust_level = \"yes\"\n", Some("projects.*.trust_level")),
            ("forced_chatgpt_workspace_id = [1]\n", Some("forced_chatgpt_workspace_id")),
            ("[hooks]\nOther = 5\n", None),
            ("[[hooks.Stop]]\ncommand = \"x\"\n", None),
            ("[[hooks.Stop]]\nmatcher = 5\n", Some("hooks")),
            ("[hooks.Stop]\nhooks = []\n", Some("hooks")),
            ("[[hooks.Stop]]\nhooks = [{ type = \"command\" }]\n", Some("hooks")),
            ("[[hooks.Stop]]\nhooks = [{ command = \"x\" }]\n", Some("hooks")),
            ("[[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"x\" }]\n", None),
            (
                "[permissions.x.filesystem]\n\"/a\" = \"bogus\"\n",
                Some("permissions.*.filesystem.*"),
            ),
            (
                "[permissions.x.filesystem]\n\"/a\" = { b = \"read\" }\nglob_scan_max_depth = 3\n",
                None,
            ),
            ("[shell_environment_policy]\nset = [\"x\"]\n", Some("shell_environment_policy.set")),
            ("[mcp_servers.x]\ncommand = \"x\"\nargs = [\"a\"]\nenv = { A = \"b\" }\n", None),
            ("[mcp_servers.x]\ncommand = [\"npx\", \"y\"]\n", Some("mcp_servers.*.command")),
            ("[mcp_servers.x]\ncommand = \"x\"\nenv = [\"A\"]\n", Some("mcp_servers.*.env")),
            (
                "[mcp_servers.x]\ncommand = \"x\"\nstartup_timeout_sec = \"5\"\n",
                Some("mcp_servers.*.startup_timeout_sec"),
            ),
            ("[mcp_servers.x]\ncommand = \"x\"\ntype = 5\nstartup_timeout_sec = 0.5\n", None),
            ("[mcp_servers.x]\nargs = [\"a\"]\n", Some("mcp_servers")),
            ("[mcp_servers.x]\ncommand = \"a\"\nurl = \"http://x\"\n", Some("mcp_servers")),
            ("[mcp_servers.x]\nurl = \"http://x\"\nbearer_token = \"t\"\n", Some("mcp_servers")),
            ("[mcp_servers.x]\nurl = \"http://x\"\nenv = { A = \"b\" }\n", Some("mcp_servers")),
            (
                "[mcp_servers.x]\ncommand = \"x\"\nhttp_headers = { A = \"b\" }\n",
                Some("mcp_servers"),
            ),
            (
                "[model_providers.p]\nname = \"p\"\nwire_api = \"bogus\"\n",
                Some("model_providers.*.wire_api"),
            ),
        ] {
            let layers = Layers::of_texts(&[(User, text)]);
            assert_eq!(misshapen(&layers).map(|fault| fault.setting), expected, "{text}");
        }
    }

    #[test]
    fn what_the_merged_files_say_counts() {
        for (below, above, expected) in [
            ((System, "notify = \"x\"\n"), (User, "notify = [\"x\"]\n"), None),
            ((System, "tui = 5\n"), (User, "[tui]\ntheme = \"x\"\n"), None),
            ((System, "[tui]\ntheme = 5\n"), (User, "[tui]\ntheme = \"x\"\n"), None),
            (
                (System, "[mcp_servers.x]\ncommand = \"a\"\n"),
                (User, "[mcp_servers.x]\nenabled = false\n"),
                None,
            ),
            (
                (System, "[mcp_servers.x]\ncommand = \"a\"\n"),
                (User, "[mcp_servers.x]\nurl = \"http://x\"\n"),
                Some("mcp_servers"),
            ),
            // ignored in a repository
            ((User, ""), (Project, "notify = \"x\"\n[otel]\nexporter = \"x\"\n"), None),
            ((User, ""), (Project, "log_dir = 5\n"), Some("log_dir")),
        ] {
            let layers = Layers::of_texts(&[below, above]);
            let found = misshapen(&layers).map(|fault| fault.setting);
            assert_eq!(found, expected, "{below:?} {above:?}");
        }
    }

    #[test]
    fn a_value_that_may_contain_a_secret_is_not_printed() {
        let text = "[mcp_servers.x]\nurl = \"http://x\"\nbearer_token = \"canary\"\n";
        let layers = Layers::of_texts(&[(User, text)]);
        assert_eq!(misshapen(&layers).map(|fault| fault.value), Some("a table".to_owned()));
    }
}
