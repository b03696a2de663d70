//! The registry's modules for Codex and Claude Code, before, between and after.

use std::fs;

use serde_json::{Value, json};

use super::json_at;
use crate::support::{Workspace, apply_logins, canary, fake_auth, require, sandbox};

/// What the codex module v4 does at each start (its scripts/install.sh, `add_auth_json`).
fn codex_v4(ws: &Workspace) {
    ws.write(".codex/auth.json", fake_auth::module_stub(), 0o644);
    ws.write(
        ".codex/config.toml",
        "sandbox_mode = \"workspace-write\"\napproval_policy = \"never\"\npreferred_auth_method = \"apikey\"\n\n\
         [sandbox_workspace_write]\nnetwork_access = true\n\n[projects.\"/home/coder/work\"]\ntrust_level = \"trusted\"\n",
        0o644,
    );
}

#[test]
fn the_codex_module_v4_before_between_and_after() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let refresh = || json_at(ws, ".codex/auth.json")["tokens"]["refresh_token"].clone();
        let valid =
            || assert!(ws.read(".codex/config.toml").parse::<toml_edit::DocumentMut>().is_ok());
        codex_v4(ws);
        apply_logins(ws).run().success().stdout_has("a module had written a stub over it");
        assert_eq!((refresh(), ws.mode(".codex/auth.json")), (json!(seed.refresh_token), 0o600));
        assert_eq!(
            ws.read(".codex/config.toml").matches("[projects.").count(),
            1,
            "decided there already"
        );

        let refreshed = seed.clone().refreshed();
        ws.write(".codex/auth.json", refreshed.json(), 0o600);
        apply_logins(ws).run().success().stdout_has("newer than the seed");
        codex_v4(ws);
        valid();
        apply_logins(ws).run().success().stdout_has("warn     codex-auth-restored");
        assert_eq!(
            (refresh(), ws.mode(".codex/auth.json")),
            (json!(refreshed.refresh_token), 0o600)
        );

        // a key of the template's, which the module hands to every process as well, where the last
        // apply had a login
        let key = "{ \"OPENAI_API_KEY\": \"sk-module\" }\n";
        ws.write(".codex/auth.json", key, 0o644);
        apply_logins(ws)
            .env("OPENAI_API_KEY", "sk-module")
            .run()
            .success()
            .stdout_has("a module had written an API key over it");
        assert_eq!(refresh(), json!(refreshed.refresh_token));

        // in a shell without the variables the stub is reported
        codex_v4(ws);
        ws.run(&["apply"]).fails(1).stdout_has("FAIL     codex-auth-clobbered codex: left alone");
        apply_logins(ws).run().success();
        ws.run(&["remove"]).success();
        assert_eq!(
            ws.read(".codex/auth.json"),
            key,
            "the last of what stood there and was not ours"
        );
        valid();
    });
}

/// What the codex module v5 does: its own block between markers, the rest kept from the second run
/// on.
fn codex_v5(ws: &Workspace) {
    let (open, close) =
        ("# >>> coder-managed: codex module >>>\n", "# <<< coder-managed: codex module <<<\n");
    let path = ".codex/config.toml";
    let old = if ws.home().join(path).exists() { ws.read(path) } else { String::new() };
    let kept = old.split_once(close).map_or("", |(_, kept)| kept).to_owned();
    let own = "preferred_auth_method = \"apikey\"\n\n[projects.\"/home/coder/work\"]\ntrust_level = \"trusted\"\n";
    ws.write(path, format!("{open}{own}{close}{kept}"), 0o644);
}

#[test]
fn the_codex_module_v5_before_between_and_after() {
    sandbox(|ws| {
        let config = || ws.read(".codex/config.toml");
        let valid = || assert!(config().parse::<toml_edit::DocumentMut>().is_ok(), "{}", config());
        let both = || {
            apply_logins(ws)
                .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work:/srv/other")
                .run()
                .success()
        };
        both();
        assert_eq!(config().matches("[projects.").count(), 2);
        // a file without its markers is discarded, ours with it
        codex_v5(ws);
        assert_eq!(config().matches("[projects.").count(), 1);
        both();
        valid();
        assert!(config().contains("[projects.\"/srv/other\"]"), "{}", config());
        // between: ours is outside its block, and stays
        codex_v5(ws);
        valid();
        both().stdout_has("no changes needed");

        // the module learns a folder that is ours already: the same table twice, until ours gives
        // way
        let twice = config().replacen(
            "# <<<",
            "[projects.\"/srv/other\"]\ntrust_level = \"untrusted\"\n# <<<",
            1,
        );
        ws.write(".codex/config.toml", twice, 0o644);
        assert!(config().parse::<toml_edit::DocumentMut>().is_err());
        both();
        valid();
        assert!(config().contains("untrusted"));
        ws.run(&["remove"]).success();
        valid();
        assert!(config().starts_with("# >>> coder-managed") && config().contains("untrusted"));
    });
}

#[test]
fn trust_is_not_forced_into_a_form_that_cannot_take_it() {
    sandbox(|ws| {
        let inline = "projects = { \"/other\" = { trust_level = \"trusted\" } }\n";
        ws.write(".codex/config.toml", inline, 0o644);
        apply_logins(ws)
            .run()
            .success()
            .stdout_has("warn     codex-untrusted-folder codex trust: ")
            .stdout_has("codex: written");
        assert_eq!(ws.read(".codex/config.toml"), inline);
        ws.write(".codex/config.toml", "model = \n", 0o644);
        apply_logins(ws)
            .run()
            .success()
            .stdout_has("warn     codex-config-malformed codex trust: ");
        assert_eq!(ws.read(".codex/config.toml"), "model = \n");
    });
}

#[test]
fn the_claude_module_rewrites_the_configuration_between_two_applies() {
    sandbox(|ws| {
        require("jq");
        let module = || {
            let filter = ".hasCompletedOnboarding=true | .bypassPermissionsModeAccepted=true | .primaryApiKey=\"sk-ant-api-module\" \
                 | .projects[\"/home/coder/work\"].hasCompletedProjectOnboarding=true";
            let script = format!(
                "[ -e .claude.json ] || echo {{}} >.claude.json; jq '{filter}' .claude.json >.claude.json.tmp && mv .claude.json.tmp .claude.json && chmod 644 .claude.json"
            );
            ws.sh(&script).run().success();
        };
        let config = || json_at(ws, ".claude.json");
        module();
        apply_logins(ws).run().success();
        assert_eq!(config()["projects"]["/home/coder/work"]["hasTrustDialogAccepted"], true);
        module();
        apply_logins(ws).run().success().stdout_has("no changes needed");
        assert_eq!(
            (&config()["primaryApiKey"], ws.mode(".claude.json")),
            (&json!("sk-ant-api-module"), 0o644)
        );
        // written anew from nothing
        fs::remove_file(ws.home().join(".claude.json")).unwrap();
        module();
        apply_logins(ws).run().success();
        assert_eq!(config()["projects"]["/home/coder/work"]["hasTrustDialogAccepted"], true);
        ws.run(&["remove"]).success();
        let left = config();
        assert_eq!(
            left["projects"]["/home/coder/work"],
            json!({"hasCompletedProjectOnboarding": true})
        );
        assert_eq!(left["primaryApiKey"], "sk-ant-api-module");
    });
}

/// What `coder exp mcp configure claude-code` does for the claude-code module v4: it reads the
/// file, sets its keys, and writes it anew, sorted, for everybody to read (coder/coder
/// cli/exp_mcp.go).
fn claude_v4(ws: &Workspace) {
    let path = ".claude.json";
    let mut config: serde_json::Map<String, Value> = if ws.home().join(path).exists() {
        serde_json::from_str(&ws.read(path)).unwrap()
    } else {
        serde_json::Map::new()
    };
    for (name, value) in [
        ("autoUpdaterStatus", json!("disabled")),
        ("bypassPermissionsModeAccepted", json!(true)),
        ("hasAcknowledgedCostThreshold", json!(true)),
        ("hasCompletedOnboarding", json!(true)),
    ] {
        config.insert(name.to_owned(), value);
    }
    let projects = config.entry("projects").or_insert(json!({}));
    projects["/home/coder/work"] = json!({
        "allowedTools": ["mcp__coder__coder_report_task"],
        "hasCompletedProjectOnboarding": true,
        "hasTrustDialogAccepted": true,
        "history": [],
        "mcpServers": {"coder": {"command": "coder", "args": ["exp", "mcp", "server"], "env": {"CODER_AGENT_TOKEN": "agent"}}},
    });
    let sorted: std::collections::BTreeMap<_, _> = config.into_iter().collect();
    ws.write(path, serde_json::to_string_pretty(&sorted).unwrap(), 0o644);
}

#[test]
fn the_claude_module_v4_before_between_and_after() {
    sandbox(|ws| {
        let config = || json_at(ws, ".claude.json");
        // it exports its variables empty
        let apply = || {
            apply_logins(ws)
                .env("CLAUDE_CODE_OAUTH_TOKEN", "")
                .env("CLAUDE_API_KEY", "")
                .run()
                .success()
        };
        claude_v4(ws);
        let before = ws.read(".claude.json");
        apply().stdout_has("claude: written");
        assert_eq!(ws.read(".claude.json"), before, "all that we want is there");
        assert_eq!(ws.mode(".claude.json"), 0o644);
        for _ in 0..2 {
            claude_v4(ws);
            apply().stdout_has("no changes needed");
        }
        ws.run(&["remove"]).success();
        assert_eq!(ws.read(".claude.json"), before);

        // after: it takes over keys that we had set
        fs::remove_file(ws.home().join(".claude.json")).unwrap();
        apply();
        claude_v4(ws);
        apply().stdout_has("no changes needed");
        ws.run(&["remove"]).success();
        let left = config();
        assert_eq!(left["projects"]["/home/coder/work"]["mcpServers"]["coder"]["command"], "coder");
        assert_eq!(left["autoUpdaterStatus"], "disabled");
        assert!(left["hasCompletedOnboarding"].is_null(), "{left:#}");
    });
}

#[test]
fn a_user_who_logs_in_after_us_keeps_the_login() {
    sandbox(|ws| {
        apply_logins(ws).run().success();
        let own = fake_auth::chatgpt().of_account(fake_auth::OTHER_ACCOUNT).json();
        ws.write(".codex/auth.json", &own, 0o600);
        let login = json!({"claudeAiOauth": {"accessToken": format!("sk-ant-oat01-{}", "user".repeat(20)),
            "refreshToken": "sk-ant-ort01-user", "expiresAt": 4_102_444_800_000_u64, "scopes": ["user:inference"]}});
        ws.write(".claude/.credentials.json", login.to_string(), 0o600);
        for _ in 0..2 {
            let output = apply_logins(ws)
                .run()
                .success()
                .stdout_has("warn     codex-login-not-ours codex: kept: somebody logged in with another account")
                .stdout_has("warn     claude-auth-conflict claude: kept `~/.claude/.credentials.json`: somebody logged in with `/login`")
                .stdout_has("fix: to use the seed: `rm /home/coder/.codex/auth.json` and apply again");
            canary::assert_absent("apply", output.to_string(), &["sk-ant-ort01-user"]);
        }
        ws.run(&["apply"]).success().stdout_has("left alone: not the login of the last apply");
        assert_eq!(ws.read(".codex/auth.json"), own);
        ws.run(&["remove"])
            .fails(1)
            .stdout_has("~/.codex/auth.json: kept")
            .stdout_has("~/.claude/.credentials.json: kept");
        assert_eq!(ws.read(".codex/auth.json"), own);
        assert_eq!(json_at(ws, ".claude/.credentials.json"), login);
    });
}

#[test]
fn what_became_of_the_claude_login_is_reported_where_no_token_is_set() {
    sandbox(|ws| {
        let path = ".claude/.credentials.json";
        apply_logins(ws).run().success();
        ws.set_mode(path, 0o644);
        ws.run(&["apply"]).success().stdout_has("claude: kept from the last apply, good until");
        assert_eq!(ws.mode(path), 0o600);
        ws.write(
            path,
            "{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"\",\"expiresAt\":0}}",
            0o600,
        );
        ws.run(&["apply"])
            .fails(1)
            .stdout_has("FAIL     claude-auth-blanked claude: ")
            .stdout_has("fix: ");
        fs::remove_file(ws.home().join(path)).unwrap();
        ws.run(&["apply"]).fails(1).stdout_has("FAIL     claude-token-missing claude: ");
    });
}
