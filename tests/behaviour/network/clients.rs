//! The doctor's prediction, held against the clients themselves: one turn of each in each row. A
//! version of a client that changes the table turns a row red. Where a variable is not read, it names
//! something with which the turn would fail, so that most rows end soon.
//!
//! What a client does for minutes (dropped packets, a dead resolver) is not in these tables.

use crate::support::network::{Network, Situation, network_sandbox};
use crate::support::{Workspace, clients};

use super::situations::log_in;

/// A way to the model that a client takes, or does not.
struct Row {
    what: &'static str,
    client: &'static str,
    /// Where the vendors' hosts lead.
    hosts: &'static str,
    store: &'static str,
    env: &'static [(&'static str, &'static str)],
    file: Option<(&'static str, &'static str)>,
    works: bool,
}

const fn row(client: &'static str, what: &'static str, hosts: &'static str) -> Row {
    Row { what, client, hosts, store: "public", env: &[], file: None, works: true }
}

impl Row {
    const fn env(self, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { env, ..self }
    }

    const fn file(self, path: &'static str, text: &'static str) -> Self {
        Self { file: Some((path, text)), ..self }
    }

    const fn with_corp(self) -> Self {
        Self { store: "with-corp", ..self }
    }

    const fn fails(self) -> Self {
        Self { works: false, ..self }
    }
}

const CODEX: &[Row] = &[
    row("codex", "upper case first", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("https_proxy", "{proxy.nobody}")]),
    row("codex", "ALL_PROXY", "refused").env(&[("ALL_PROXY", "{proxy.plain}")]),
    row("codex", "HTTP_PROXY is not read", "good").env(&[("HTTP_PROXY", "{proxy.nobody}")]),
    row("codex", "an empty variable hides the other spelling", "good")
        .env(&[("HTTPS_PROXY", ""), ("https_proxy", "{proxy.nobody}")]),
    row("codex", "an empty variable does not hide ALL_PROXY", "refused")
        .env(&[("HTTPS_PROXY", ""), ("ALL_PROXY", "{proxy.plain}")]),
    row("codex", "no scheme", "refused").env(&[("HTTPS_PROXY", "{hostport.plain}")]),
    row("codex", "no URL", "good").env(&[("HTTPS_PROXY", "not a url")]),
    row("codex", "a password", "refused").env(&[("HTTPS_PROXY", "{proxy-good-password}")]),
    row("codex", ".env overrides the environment", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}")])
        .file(".codex/.env", "HTTPS_PROXY={proxy.plain}\n"),
    row("codex", ".env switches the proxy off", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}")])
        .file(".codex/.env", "HTTPS_PROXY=\n"),
    row("codex", "a domain", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}"), ("NO_PROXY", "x, .chatgpt.com, openai.com")]),
    row("codex", "a top-level domain", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}"), ("NO_PROXY", "com")]),
    row("codex", "*.com is not understood", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("NO_PROXY", "*.com")]),
    row("codex", "a port is not understood", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("NO_PROXY", "chatgpt.com:443")]),
    row("codex", "blanks do not separate", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("NO_PROXY", "localhost chatgpt.com")]),
    row("codex", "NO_PROXY hides no_proxy", "refused").env(&[
        ("HTTPS_PROXY", "{proxy.plain}"),
        ("NO_PROXY", ""),
        ("no_proxy", "chatgpt.com"),
    ]),
    row("codex", "the system's store", "corp").with_corp(),
    row("codex", "CODEX_CA_CERTIFICATE", "corp").env(&[("CODEX_CA_CERTIFICATE", "{ca.corp}")]),
    row("codex", "SSL_CERT_FILE", "corp").env(&[("SSL_CERT_FILE", "{ca.corp}")]),
    row("codex", "SSL_CERT_DIR", "corp").env(&[("SSL_CERT_DIR", "{ca.folder}")]),
    row("codex", "an empty SSL_CERT_FILE", "good").env(&[("SSL_CERT_FILE", "")]),
    row("codex", "SSL_CERT_FILE in .env", "corp").file(".codex/.env", "SSL_CERT_FILE={ca.corp}\n"),
    row("codex", "SSL_CERT_FILE replaces the store", "corp")
        .with_corp()
        .env(&[("SSL_CERT_FILE", "{ca.public}")])
        .fails(),
    row("codex", "NODE_EXTRA_CA_CERTS is not read", "corp")
        .env(&[("NODE_EXTRA_CA_CERTS", "{ca.corp}")])
        .fails(),
    row("codex", "a file that is missing", "good")
        .env(&[("SSL_CERT_FILE", "{ca.missing}")])
        .fails(),
    row("codex", "a file without certificate", "good")
        .env(&[("CODEX_CA_CERTIFICATE", "{ca.garbage}"), ("SSL_CERT_FILE", "{ca.public}")])
        .fails(),
    row("codex", "SOCKS", "refused").env(&[("ALL_PROXY", "socks5h://{hostport.socks}")]).fails(),
];

const CLAUDE: &[Row] = &[
    row("claude", "lower case first", "refused")
        .env(&[("https_proxy", "{proxy.plain}"), ("HTTPS_PROXY", "{proxy.nobody}")]),
    row("claude", "HTTP_PROXY", "refused").env(&[("HTTP_PROXY", "{proxy.plain}")]),
    row("claude", "ALL_PROXY", "refused").env(&[("ALL_PROXY", "{proxy.plain}")]),
    row("claude", "ALL_PROXY after HTTP_PROXY", "refused")
        .env(&[("ALL_PROXY", "{proxy.nobody}"), ("HTTP_PROXY", "{proxy.plain}")]),
    row("claude", "SOCKS in ALL_PROXY", "good").env(&[("ALL_PROXY", "socks5h://{hostport.socks}")]),
    row("claude", "an empty variable", "refused")
        .env(&[("https_proxy", ""), ("HTTPS_PROXY", "{proxy.plain}")]),
    row("claude", "no scheme", "refused").env(&[("HTTPS_PROXY", "{hostport.plain}")]),
    row("claude", "blanks", "good").env(&[("HTTPS_PROXY", "  ")]).fails(),
    row("claude", "no URL", "good").env(&[("HTTPS_PROXY", "not a url")]).fails(),
    row("claude", "a password", "refused").env(&[("HTTPS_PROXY", "{proxy-good-password}")]),
    row("claude", "the settings override the environment", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}")])
        .file(".claude/settings.json", r#"{"env": {"HTTPS_PROXY": "{proxy.plain}"}}"#),
    row("claude", "the settings switch the proxy off", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}")])
        .file(".claude/settings.json", r#"{"env": {"HTTPS_PROXY": ""}}"#),
    row("claude", "a domain", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}"), ("NO_PROXY", "x, .anthropic.com")]),
    row("claude", "*.", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}"), ("NO_PROXY", "*.anthropic.com")]),
    row("claude", "a port", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}"), ("NO_PROXY", "api.anthropic.com:443")]),
    row("claude", "another port", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("NO_PROXY", "api.anthropic.com:80")]),
    row("claude", "blanks separate", "good")
        .env(&[("HTTPS_PROXY", "{proxy.nobody}"), ("NO_PROXY", "localhost api.anthropic.com")]),
    row("claude", "a part of a name", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("NO_PROXY", "thropic.com,*thropic.com")]),
    row("claude", "a range, and a name", "refused")
        .env(&[("HTTPS_PROXY", "{proxy.plain}"), ("NO_PROXY", "127.0.0.0/8")]),
    row("claude", "an empty no_proxy does not hide NO_PROXY", "good").env(&[
        ("HTTPS_PROXY", "{proxy.nobody}"),
        ("no_proxy", ""),
        ("NO_PROXY", "api.anthropic.com"),
    ]),
    row("claude", "no_proxy hides NO_PROXY", "refused").env(&[
        ("HTTPS_PROXY", "{proxy.plain}"),
        ("no_proxy", "x"),
        ("NO_PROXY", "api.anthropic.com"),
    ]),
    row("claude", "the system's store", "corp").with_corp(),
    row("claude", "NODE_EXTRA_CA_CERTS", "corp").env(&[("NODE_EXTRA_CA_CERTS", "{ca.corp}")]),
    row("claude", "NODE_EXTRA_CA_CERTS in the settings", "corp")
        .file(".claude/settings.json", r#"{"env": {"NODE_EXTRA_CA_CERTS": "{ca.corp}"}}"#),
    row("claude", "SSL_CERT_FILE", "corp").env(&[("SSL_CERT_FILE", "{ca.corp}")]),
    row("claude", "SSL_CERT_FILE beside the store", "corp")
        .with_corp()
        .env(&[("SSL_CERT_FILE", "{ca.public}")]),
    row("claude", "SSL_CERT_DIR", "corp").env(&[("SSL_CERT_DIR", "{ca.folder}")]),
    row("claude", "SSL_CERT_FILE in the settings is too late", "corp")
        .file(".claude/settings.json", r#"{"env": {"SSL_CERT_FILE": "{ca.corp}"}}"#)
        .fails(),
    row("claude", "a file without certificate", "good")
        .env(&[("NODE_EXTRA_CA_CERTS", "{ca.garbage}")]),
    row("claude", "a file that is missing", "good").env(&[("SSL_CERT_FILE", "{ca.missing}")]),
    row("claude", "the store is switched off", "corp")
        .env(&[("CLAUDE_CODE_CERT_STORE", "bundled"), ("NODE_EXTRA_CA_CERTS", "{ca.corp}")]),
    row("claude", "nothing is verified", "corp").env(&[("NODE_TLS_REJECT_UNAUTHORIZED", "0")]),
    row("claude", "https:// to a plain proxy", "refused")
        .env(&[("HTTPS_PROXY", "https://{hostport.plain}")])
        .fails(),
];

/// What fails is tried for no longer: Codex goes on for 22 s, Claude Code for minutes.
const PATIENCE: &str = "12";

impl Row {
    /// What is wrong: with the table, or with the doctor's prediction.
    fn judge(&self, ws: &Workspace, network: &Network) -> Option<String> {
        network.set(&Situation {
            hosts: vec![("*", Some(self.hosts))],
            store: self.store,
            dns_dead: false,
        });
        if let Some((path, text)) = self.file {
            ws.write(path, network.fill(text), 0o600);
        }
        let patience = if self.works { "29" } else { PATIENCE };
        let turn = match self.client {
            "codex" => ws.cmd("codex").args(["exec", "--skip-git-repo-check", "hi"]),
            _ => ws.cmd("claude").args(["-p", "hi"]).env("CLAUDE_CODE_MAX_RETRIES", "1"),
        };
        let id = format!("{}.network", self.client);
        let doctor = ws.pushready(&["doctor", "--json", "--only", &id]);
        let run = |mut command: crate::support::Cmd| {
            for (name, value) in self.env {
                command = command.env(name, network.fill(value));
            }
            command.run()
        };
        let report = run(doctor);
        let found = report.json()["checks"][0].clone();
        let output = run(turn.wrapped_in("timeout", ["-k", "1", patience]));
        if let Some((path, _)) = self.file {
            std::fs::remove_file(ws.home().join(path)).unwrap();
        }
        let works = output.stdout.contains("MOCK-OK");
        let predicted = found["status"] == "pass";
        println!("{:<7} {:<45} works: {works:<5} predicted: {predicted}", self.client, self.what);
        let is_right =
            works == self.works && predicted == self.works && found["status"] != "unknown";
        (!is_right)
            .then(|| format!("{} {}: works: {works}\n{output}\n{found:#}", self.client, self.what))
    }
}

fn judge_all(ws: &Workspace, network: &Network, rows: &[Row]) {
    clients::install();
    log_in(ws, "");
    let only = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let rows = rows.iter().filter(|row| row.what.contains(&only));
    let wrong: Vec<_> = rows.filter_map(|row| row.judge(ws, network)).collect();
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn codex_takes_the_way_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, CODEX));
}

#[test]
fn claude_code_takes_the_way_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, CLAUDE));
}
