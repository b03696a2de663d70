//! The form of Claude Code's settings (2.1.330, measured). With one value of another form it ignores
//! the whole file, and in a terminal asks how to go on. It reads an administrator's file without
//! that value.

use serde_json::Value;

/// What a value must be.
#[derive(Clone, Copy)]
enum ClaudeForm {
    Flag,
    Text,
    /// A whole number that is not less than this one.
    Whole(f64),
    Number,
    List,
    Texts,
    Object,
    FlagOrObject,
    TextOrTexts,
    OneOf(&'static [&'static str]),
}

/// Each form, and the settings that have it. Claude Code replaces or ignores wrong values of others,
/// such as `theme`, alone.
const FORMS: &[(ClaudeForm, &str)] = &[
    (
        ClaudeForm::Flag,
        "agentPushNotifEnabled allowAllClaudeAiMcps allowClaudeInChromeWithManagedMcp \
         allowManagedHooksOnly allowManagedMcpServersOnly allowManagedPermissionRulesOnly \
         allowNestedModelAccessUnderForceLogin alwaysThinkingEnabled autoCompactEnabled \
         autoContinueAtUsageLimit autoDreamEnabled autoMemoryEnabled autoScrollEnabled \
         autoUploadSessions awaySummaryEnabled bashEditDiffEnabled channelsEnabled \
         clawdFileProgressEnabled disableAgentView disableAllHooks disableArtifact \
         disableBundledSkills disableClaudeAiConnectors disableCommandPluginSources \
         disableDirectMcpSkills disableRemoteControl disableReplyCheck disableSideloadFlags \
         disableSkillShellExecution disableWindowsBashCommandSplit disableWorkflows \
         doneMeansMerged emojiCompletionEnabled enableAllProjectMcpServers enableArtifact \
         enableWorkflows enforceAvailableModels fastMode fastModePerSessionOptIn \
         fileCheckpointingEnabled forceRemoteSettingsRefresh idleCompaction \
         includeCoAuthoredBy includeGitInstructions inputNeededNotifEnabled \
         isolatePeerMachines permissions.blockReadsOutsideWorkingDirectories \
         precomputeCompactionEnabled prefersReducedMotion promptSuggestionEnabled \
         remoteControlAtStartup respectGitignore respondToBashCommands \
         responseComparisonEnabled sandbox.enabled showClearContextOnPlanAccept \
         showMessageTimestamps showThinkingSummaries showTurnDuration \
         skipDangerousModePermissionPrompt skipWebFetchPreflight skipWorkflowUsageWarning \
         spinnerTipsEnabled switchModelsOnFlag syncClaudeAiPlugins syncClaudeAiSkills \
         syntaxHighlightingDisabled terminalProgressBarEnabled terminalTitleFromRename \
         todoFeatureEnabled totalTokensReminderAfterUserTurn verbose \
         wheelScrollAccelerationEnabled workflowKeywordTriggerEnabled \
         wslInheritsWindowsSettings",
    ),
    (
        ClaudeForm::Text,
        "$schema advisorModel agent apiKeyHelper attributionProject autoMemoryDirectory \
         awsAuthRefresh awsCredentialExport claudeMd gcpAuthRefresh language minimumVersion \
         model otelHeadersHelper outputStyle plansDirectory pluginTrustMessage processWrapper \
         proxyAuthHelper prUrlTemplate requiredMaximumVersion requiredMinimumVersion \
         statusLine.command timeFormat timeZone totalTokensReminder",
    ),
    (
        ClaudeForm::Whole(1.0),
        "cleanupPeriodDays skillListingMaxDescChars totalTokensReminderBudget",
    ),
    (ClaudeForm::Whole(0.0), "desktopSessionCleanupPeriodDays"),
    (ClaudeForm::Number, "feedbackSurveyRate skillListingBudgetFraction"),
    (
        ClaudeForm::Texts,
        "allowedHttpHookUrls availableModels claudeMdExcludes companyAnnouncements \
         disabledMcpjsonServers enabledMcpjsonServers fallbackModel httpHookAllowedEnvVars \
         pluginSuggestionMarketplaces",
    ),
    (
        ClaudeForm::List,
        "allowedChannelPlugins allowedMarketplaces blockedMarketplaces \
         permissions.additionalDirectories permissions.allow permissions.ask permissions.deny \
         sshConfigs strictKnownMarketplaces",
    ),
    (
        ClaudeForm::Object,
        "breakReminder enabledPlugins env fileSuggestion modelOverrides \
         permissions pluginConfigs quietHours remote remoteTools sandbox skillOverrides \
         sandbox.filesystem sandbox.network spinnerVerbs statusLine voice worktree",
    ),
    (ClaudeForm::FlagOrObject, "attribution"),
    (ClaudeForm::TextOrTexts, "forceLoginOrgUUID"),
    (ClaudeForm::OneOf(&["latest", "stable", "rc"]), "autoUpdatesChannel"),
    (ClaudeForm::OneOf(&["bash", "powershell"]), "defaultShell"),
    (ClaudeForm::OneOf(&["disable"]), "disableAutoMode permissions.disableBypassPermissionsMode"),
    (ClaudeForm::OneOf(&["command"]), "statusLine.type"),
    (ClaudeForm::OneOf(&["first-wins", "merge"]), "managedSourcesBehavior parentSettingsBehavior"),
    (ClaudeForm::OneOf(&["notify", "off", "quiet"]), "feedbackDrafts"),
    (ClaudeForm::OneOf(&["large", "medium", "small", "unrestricted"]), "workflowSizeGuideline"),
    (ClaudeForm::OneOf(&["ask", "transient"]), "daemonColdStart"),
    (ClaudeForm::OneOf(&["default", "fullscreen"]), "tui"),
    (
        ClaudeForm::OneOf(&[
            "acceptEdits",
            "auto",
            "bypassPermissions",
            "default",
            "dontAsk",
            "manual",
            "plan",
        ]),
        "permissions.defaultMode",
    ),
];

/// The events whose hooks may refuse something. A wrong hook of another event is ignored alone.
const EVENTS: &[&str] = &["PreToolUse", "PermissionRequest"];

/// What an object that is there must contain.
const REQUIRED: &[&str] = &["statusLine.command", "statusLine.type"];

/// The first setting because of which Claude Code ignores the whole file, as `permissions.allow`.
/// Pure.
pub fn misshapen(settings: &Value) -> Option<&'static str> {
    let at = |path: &str| path.split('.').try_fold(settings, |value, name| value.get(name));
    let is_missing = |path: &&str| {
        let parent = path.rsplit_once('.').and_then(|(parent, _)| at(parent));
        parent.is_some_and(Value::is_object) && at(path).is_none()
    };
    let named = FORMS
        .iter()
        .flat_map(|(form, names)| names.split_whitespace().map(move |name| (*form, name)));
    let mut named = named.filter(|(form, name)| at(name).is_some_and(|value| !form.fits(value)));
    let wrong = named.next().map(|(_, name)| name);
    wrong.or_else(|| REQUIRED.iter().copied().find(|path| is_missing(path))).or_else(|| {
        let hooks = settings.get("hooks")?.as_object()?;
        let is_wrong =
            |(event, groups): (&String, _)| EVENTS.contains(&&**event) && !are_groups(groups);
        hooks.iter().any(is_wrong).then_some("hooks")
    })
}

/// Whether these are groups of hooks.
fn are_groups(groups: &Value) -> bool {
    const TYPES: ClaudeForm =
        ClaudeForm::OneOf(&["agent", "command", "http", "mcp_tool", "prompt"]);
    let is_hook = |hook: &Value| {
        hook.get("type").is_some_and(|kind| TYPES.fits(kind))
            && hook.get("command").is_none_or(Value::is_string)
    };
    let is_group = |group: &Value| {
        group.get("matcher").is_none_or(Value::is_string)
            && group.get("hooks").and_then(Value::as_array).is_some_and(|it| it.iter().all(is_hook))
    };
    groups.is_null() || groups.as_array().is_some_and(|groups| groups.iter().all(is_group))
}

impl ClaudeForm {
    fn fits(self, value: &Value) -> bool {
        let is_texts = || value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        match self {
            Self::Flag => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::Whole(least) => {
                value.as_f64().is_some_and(|number| number >= least && number.fract() == 0.0)
            }
            Self::Number => value.is_number(),
            Self::List => value.is_array(),
            Self::Texts => is_texts(),
            Self::Object => value.is_object(),
            Self::FlagOrObject => value.is_boolean() || value.is_object(),
            Self::TextOrTexts => value.is_string() || is_texts(),
            Self::OneOf(texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_value_of_another_form_is_enough() {
        for (settings, expected) in [
            (json!({}), None),
            (json!({"model": "x", "zz": [1], "theme": 5}), None),
            (json!({"model": 5}), Some("model")),
            (json!({"model": null}), Some("model")),
            (json!({"apiKeyHelper": ["echo"]}), Some("apiKeyHelper")),
            (json!({"env": ["A=b"]}), Some("env")),
            (json!({"env": {"A": [1], "B": null}}), None),
            (json!({"permissions": "x"}), Some("permissions")),
            (json!({"permissions": {"allow": [5], "defaultMode": "plan"}}), None),
            (json!({"permissions": {"allow": "Bash"}}), Some("permissions.allow")),
            (json!({"permissions": {"defaultMode": "x"}}), Some("permissions.defaultMode")),
            (json!({"forceLoginMethod": 5}), None),
            (json!({"forceLoginOrgUUID": 5}), Some("forceLoginOrgUUID")),
            (json!({"cleanupPeriodDays": 30.0}), None),
            (json!({"cleanupPeriodDays": 0}), Some("cleanupPeriodDays")),
            (json!({"cleanupPeriodDays": 1.5}), Some("cleanupPeriodDays")),
            (json!({"includeCoAuthoredBy": "false"}), Some("includeCoAuthoredBy")),
            (json!({"attribution": false}), None),
            (json!({"companyAnnouncements": ["a", 5]}), Some("companyAnnouncements")),
            (json!({"statusLine": {"type": "command", "command": "x"}}), None),
            (json!({"statusLine": {"type": "command"}}), Some("statusLine.command")),
            (json!({"hooks": []}), None),
            (json!({"hooks": {"Zz": "x"}}), None),
            (json!({"hooks": {"PreToolUse": null}}), None),
            (json!({"hooks": {"Stop": [{"hooks": [{"type": "zz"}]}]}}), None),
            (json!({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}), None),
            (json!({"hooks": {"PreToolUse": [{"hooks": [{"type": "zz"}]}]}}), Some("hooks")),
            (json!({"hooks": {"PreToolUse": [{"hooks": ["x"]}]}}), Some("hooks")),
            (json!({"hooks": {"PreToolUse": "x"}}), Some("hooks")),
            (json!({"hooks": {"PreToolUse": [{"matcher": 5, "hooks": []}]}}), Some("hooks")),
        ] {
            assert_eq!(misshapen(&settings), expected, "{settings}");
        }
    }
}
