//! Secrets where they do not belong.

use std::fs;

use crate::doctor::table::{Fault, fault, matrix};
use crate::doctor::token;
use crate::support::sandbox;

pub const ROWS: &[Fault] = &[
    fault("leak-remote-url", "warn", "a token is in a remote's URL", |lab| {
        let url = format!("https://x-access-token:{}@github.com/acme/other", "t".repeat(40));
        lab.ws.git(&["remote", "add", "leaky", &url]).current_dir("src/app").run().success();
        lab.doctor(&["--offline"])
    }),
    fault("leak-remote-url", "warn", "a token is in a global rule", |lab| {
        lab.append(
            ".gitconfig",
            &format!(
                "[url \"https://x:{}@git.corp.test/\"]\n\tinsteadOf = corp:\n",
                "t".repeat(40)
            ),
        );
        lab.doctor(&["--offline"])
    }),
    fault("leak-remote-url", "warn", "a token is in git's other global file", |lab| {
        let url =
            format!("[url \"https://x:{}@git.corp.test/\"]\n\tinsteadOf = corp:\n", "t".repeat(40));
        lab.write(".config/git/config", &url);
        lab.doctor(&["--offline"])
    }),
    fault("leak-remote-url", "warn", "a token is in a submodule's URL", |lab| {
        let url = format!("https://x:{}@github.com/acme/other", "t".repeat(40));
        lab.write(
            "src/app/.gitmodules",
            &format!("[submodule \"s\"]\n\tpath = s\n\turl = {url}\n"),
        );
        lab.doctor(&["--offline"])
    }),
    fault("leak-remote-url", "warn", "a runner left its header in the clone", |lab| {
        let header = format!(
            "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic {}\n",
            "t".repeat(40)
        );
        lab.append("src/app/.git/config", &header);
        lab.doctor(&["--offline"])
    }),
    fault("leak-file-mode", "fail", "auth.json is 0644", |lab| {
        lab.ws.set_mode(".codex/auth.json", 0o644);
        lab.doctor(&["--offline"])
    }),
    fault("leak-file-mode", "fail", "auth.json is larger than what is read, and 0644", |lab| {
        fs::write(lab.ws.home().join(".codex/auth.json"), " ".repeat(2 << 20)).unwrap();
        lab.ws.set_mode(".codex/auth.json", 0o644);
        lab.doctor(&["--offline", "--only", "leaks"])
    }),
    fault("leak-env", "warn", "a seed is in the environment", |lab| {
        lab.doctor(&["--offline"]).env("PUSHREADY_CODEX_AUTH_JSON", lab.seed.json())
    }),
    fault("leak-session-token", "warn", "CODER_SESSION_TOKEN is set", |lab| {
        lab.doctor(&["--offline"]).env("CODER_SESSION_TOKEN", "x")
    }),
    fault("leak-argv", "warn", "a token is an argument of a process", |lab| {
        let leaky = format!("tail -f /dev/null {} >/dev/null 2>&1 & tail=$!", token());
        let script =
            format!("{leaky}; pushready doctor --json --offline; code=$?; kill $tail; exit $code");
        lab.ws.sh(&script).current_dir("src/app")
    }),
    fault("leaks.agent-log", "unknown", "the agent's log cannot be read", |lab| {
        let log = "/tmp/coder-script-0.log";
        let script = format!(
            "touch {log}; chmod 0 {log}; pushready doctor --json --offline; code=$?; rm -f {log}; exit $code"
        );
        lab.ws.sh(&script).current_dir("src/app")
    }),
    fault("leak-file-mode", "fail", "everybody can read the kept copy of the login", |lab| {
        lab.ws.set_mode(".local/state/pushready/codex/last-good.json", 0o644);
        lab.doctor(&["--offline"])
    }),
    fault("leak-agent-log", "warn", "the agent logged a script with a key", |lab| {
        fs::write("/tmp/coder-agent.log", &lab.key.private).unwrap();
        lab.ws
            .sh("pushready doctor --json --offline; code=$?; rm /tmp/coder-agent.log; exit $code")
            .current_dir("src/app")
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
