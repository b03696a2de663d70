//! A login whose file is a mount of its own, as of `docker -v FILE:FILE`: what the client can save
//! of it, and what the doctor says before.

use std::fs;

use serde_json::json;

use super::Client;
use crate::support::fake_auth;
use crate::support::{Clients, Request, Vendors, Workspace, sandbox_with};

/// A file outside of the sandbox, at a path of the home.
fn mounted(how: &str, content: &str, at: &str, test: impl FnOnce(&Workspace)) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    sandbox_with(&[how, file.path().to_str().unwrap(), at], test);
}

fn renewals(requests: &[Request]) -> usize {
    requests.iter().filter(|request| request.path.ends_with("/oauth/token")).count()
}

fn codes(ws: &Workspace, client: Client) -> Vec<String> {
    let args = ["doctor", "--json", "--offline", "--only", client.name()];
    let report = ws.pushready(&args).run().json();
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["status"] == "fail");
    failed.map(|check| check["code"].as_str().unwrap().to_owned()).collect()
}

const AUTH: &str = "/home/coder/.codex/auth.json";
const CREDENTIALS: &str = "/home/coder/.claude/.credentials.json";

fn expired_login() -> String {
    fake_auth::ChatGpt { access_expires: -864_000, ..fake_auth::chatgpt() }.json()
}

/// Each start uses the same refresh token, which the server takes once.
fn codex_loses_the_login_that_it_renews(ws: &Workspace) {
    let before = ws.read(".codex/auth.json");
    assert_eq!(codes(ws, Client::Codex), ["codex-home-unwritable"]);
    let vendors = Vendors::start();
    let clients = Clients::install(ws, &vendors);
    let codex = clients.codex(&["exec", "--skip-git-repo-check", "hi"]).run();
    assert!(renewals(&vendors.requests()) > 0, "{codex}");
    assert_eq!(ws.read(".codex/auth.json"), before, "{codex}");
    codex.stderr_has("your refresh token was already used");
    // `rm` cannot remove it
    let seed = fake_auth::chatgpt().refreshed().json();
    let apply = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", seed).run();
    assert!(!apply.stdout.contains("`rm "), "{apply}");
    apply.stdout_has("mount the folder `/home/coder/.codex` instead");
}

#[test]
fn codex_loses_the_login_that_it_renews_in_a_mount() {
    mounted("--bind", &expired_login(), AUTH, |ws| {
        codex_loses_the_login_that_it_renews(ws);
    });
}

#[test]
fn codex_loses_the_login_that_it_renews_in_a_read_only_mount() {
    mounted("--ro-bind", &expired_login(), AUTH, |ws| {
        codex_loses_the_login_that_it_renews(ws);
    });
}

fn token(word: &str) -> String {
    format!("sk-ant-oat01-{}", word.repeat(30))
}

/// Claude Code renews it at the next start.
fn ending_login() -> String {
    let soon = jiff::Timestamp::now().as_millisecond() + 100_000;
    let login = json!({"claudeAiOauth": {
        "accessToken": token("old"), "refreshToken": "sk-ant-ort01-old", "expiresAt": soon,
        "scopes": ["user:inference"], "subscriptionType": "max",
    }});
    login.to_string()
}

/// It writes the file in place where it cannot be replaced.
fn claude_code_renews_a_login(ws: &Workspace, failed: &[&str], is_saved: bool) {
    ws.write(".claude.json", "{\"hasCompletedOnboarding\": true}", 0o600);
    assert_eq!(codes(ws, Client::Claude), failed);
    let vendors = Vendors::start();
    let renewed = json!({
        "access_token": token("new"), "refresh_token": "sk-ant-ort01-new",
        "expires_in": 28_800, "scope": "user:inference", "token_type": "Bearer",
    });
    vendors.reply("platform.claude.com/v1/oauth/token", 200, &renewed);
    let clients = Clients::install(ws, &vendors);
    let claude = clients.claude(&["-p", "hi"]).run();
    assert!(renewals(&vendors.requests()) > 0, "{claude}");
    let file = ws.read(".claude/.credentials.json");
    assert_eq!(file.contains(&token("new")), is_saved, "{claude}");
    let apply = ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("own"));
    let apply = apply.run();
    assert!(!apply.stdout.contains("`rm "), "{apply}");
    apply.stdout_has("mount the folder `/home/coder/.claude` instead");
}

#[test]
fn claude_code_keeps_the_login_that_it_renews_in_a_mount() {
    mounted("--bind", &ending_login(), CREDENTIALS, |ws| claude_code_renews_a_login(ws, &[], true));
}

#[test]
fn claude_code_loses_the_login_that_it_renews_in_a_read_only_mount() {
    mounted("--ro-bind", &ending_login(), CREDENTIALS, |ws| {
        claude_code_renews_a_login(ws, &["claude-home-unwritable"], false);
    });
}

/// apply cannot answer them there.
#[test]
fn first_run_prompts_in_a_read_only_mount_are_not_left_to_apply() {
    mounted("--ro-bind", "{}", "/home/coder/.claude.json", |ws| {
        let token = format!("sk-ant-oat01-{}", "A".repeat(95));
        let doctor = ws.pushready(&["doctor", "--offline", "--only", "claude"]);
        let doctor = doctor.env("CLAUDE_CODE_OAUTH_TOKEN", token).run();
        assert!(!doctor.stdout.contains("run apply"), "{doctor}");
        doctor.stdout_has("claude-onboarding-incomplete").stdout_has("mount the folder");
    });
}
