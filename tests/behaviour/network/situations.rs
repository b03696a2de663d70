//! What the network does, and what the doctor says of it. Nowhere does a credential arrive.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::support::network::{Network, Situation, network_sandbox};
use crate::support::{Output, Workspace, fake_auth};

#[derive(Deserialize)]
struct Cases {
    situations: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Case {
    name: String,
    client: String,
    right: Value,
    hosts: BTreeMap<String, Option<String>>,
    store: String,
    env: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    must_say: Vec<String>,
    dns_dead: bool,
    resolver: String,
    codex_login: String,
    folder: String,
}

/// What no server is sent, and no report contains.
const TOKEN: &str = "sk-ant-oat01-rigrigrigrigrigrigrigrigrigrigrigrigrigrigrigrigrigrigrigrig";

/// Both logins, as a template would write them.
pub fn log_in(ws: &Workspace, codex: &str) {
    let seed = match codex {
        "api-key" => fake_auth::api_key("sk-proj-rig"),
        "expired" => fake_auth::chatgpt().expired().json(),
        _ => fake_auth::chatgpt().json(),
    };
    ws.pushready(&["apply"])
        .env("PUSHREADY_CODEX_AUTH_JSON", seed)
        .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", TOKEN)
        .run()
        .success();
}

/// Replaces the login of Codex; empty: it stays.
pub fn log_in_anew(ws: &Workspace, network: &Network, codex: &str) {
    if !codex.is_empty() {
        fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        log_in(ws, codex);
        network.forget();
    }
}

impl Case {
    fn situation(&self) -> Situation<'_> {
        let hosts = self.hosts.iter().map(|(host, mode)| (host.as_str(), mode.as_deref()));
        Situation {
            hosts: hosts.collect(),
            store: &self.store,
            dns_dead: self.dns_dead,
            resolver: &self.resolver,
        }
    }

    /// What is wrong with the report.
    fn judge(&self, ws: &Workspace, network: &Network) -> Option<String> {
        network.set(&self.situation());
        log_in_anew(ws, network, &self.codex_login);
        let written = network.write(ws, &self.files);
        let doctor = ws.pushready(&["doctor", "--json", "--only", "codex,claude"]);
        let mut doctor = doctor.current_dir(&self.folder);
        for (name, value) in &self.env {
            doctor = doctor.env(name, network.fill(value));
        }
        let start = Instant::now();
        let output = doctor.run();
        let took = start.elapsed();
        written.restore(ws);
        let mut wrong = self.compare(&output, network);
        wrong.extend(leaks(network, &output));
        log_in_anew(ws, network, if self.codex_login.is_empty() { "" } else { "chatgpt" });
        // its own deadline is five seconds, and each client is asked side by side
        if took > Duration::from_secs(9) {
            wrong.push(format!("it took {took:?}"));
        }
        let found = check(&output, &self.client);
        println!(
            "{:<62} {:>5.2} s  {} {}",
            self.name,
            took.as_secs_f32(),
            found["status"].as_str().unwrap(),
            found["code"].as_str().unwrap_or_default()
        );
        let seen: Vec<_> =
            network.seen().iter().map(|it| format!("{} {}", it.at, it.target)).collect();
        let wrong = (!wrong.is_empty()).then(|| wrong.join("; "))?;
        Some(format!("{}: {wrong}\n{found:#}\n{seen:?}", self.name))
    }

    fn compare(&self, output: &Output, network: &Network) -> Vec<String> {
        let found = check(output, &self.client);
        let mut wrong = Vec::new();
        let rights = self.right.as_array().cloned().unwrap_or_else(|| vec![self.right.clone()]);
        let is =
            |right: &&Value| right["status"] == found["status"] && right["code"] == found["code"];
        if rights.iter().find(is).is_none() {
            wrong.push(format!("{} {}, not {}", found["status"], found["code"], self.right));
        }
        let text = found.to_string();
        for words in &self.must_say {
            let words = network.fill(words);
            if !text.contains(&words) {
                wrong.push(format!("it does not say {words}"));
            }
        }
        if found["status"] == "fail" && !found["fix"]["message"].is_string() {
            wrong.push("there is no fix".to_owned());
        }
        wrong
    }
}

fn check(output: &Output, client: &str) -> Value {
    let report = output.json();
    let id = format!("{client}.network");
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id}\n{output}")).clone()
}

/// Whether a credential was sent or printed.
fn leaks(network: &Network, output: &Output) -> Vec<String> {
    let mut wrong = Vec::new();
    for seen in network.seen() {
        let is_proxy = seen.at.starts_with("proxy.");
        let secret = ["authorization", "x-api-key", "cookie", "chatgpt-account-id"];
        let names = secret.iter().filter(|name| seen.headers.contains_key(**name));
        wrong.extend(names.map(|name| format!("{} received {name}", seen.at)));
        if !is_proxy && seen.headers.contains_key("proxy-authorization") {
            wrong.push(format!("{} received the proxy's password", seen.at));
        }
        // a TLS handshake (RFC 8446, 5.1) at a proxy that has no TLS is not a request
        let is_handshake = is_proxy && seen.method.starts_with('\u{16}');
        if !is_handshake && !["GET", "HEAD", "CONNECT", "OPTIONS"].contains(&&*seen.method) {
            wrong.push(format!("{} received {}", seen.at, seen.method));
        }
    }
    let printed = output.to_string();
    for secret in ["wrong-password", "right-password", TOKEN] {
        if printed.contains(secret) {
            wrong.push(format!("{secret} is printed"));
        }
    }
    wrong
}

fn judge_all(ws: &Workspace, network: &Network, cases: &str) {
    log_in(ws, "");
    let cases: Cases = serde_json::from_str(cases).unwrap();
    let only = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let cases = cases.situations.iter().filter(|case| case.name.contains(&only));
    let wrong: Vec<_> = cases.filter_map(|case| case.judge(ws, network)).collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_situation_of_the_field_is_named_by_its_code() {
    network_sandbox(|ws, network| judge_all(ws, network, include_str!("situations.json")));
}

/// A healthy machine is asked once by each client, and Codex's WebSocket and renewal once more.
#[test]
fn each_host_is_asked_once() {
    network_sandbox(|ws, network| {
        log_in(ws, "");
        network.set(&Situation::default());
        ws.pushready(&["doctor", "--json", "--only", "codex,claude"]).run().success();
        let asked = |seen: &crate::support::network::Seen| {
            let upgrade = if seen.headers.contains_key("upgrade") { " upgrade" } else { "" };
            format!("{} {}{}{upgrade}", seen.method, seen.headers["host"], seen.target)
        };
        let mut requests: Vec<_> = network.seen().iter().map(asked).collect();
        requests.sort();
        assert_eq!(
            requests,
            [
                "GET api.anthropic.com/v1/messages",
                "GET auth.openai.com/oauth/token",
                "GET chatgpt.com/backend-api/codex/responses",
                "GET chatgpt.com/backend-api/codex/responses upgrade",
            ]
        );
        assert_eq!(network.accepted().len(), requests.len());
    });
}

/// What a start script prints: a server that is not reached is not a failure, a proxy that refuses
/// is.
#[test]
fn only_what_the_network_refuses_fails_a_start_script() {
    network_sandbox(|ws, network| {
        log_in(ws, "");
        let start = |proxy: &str| {
            let doctor = ws.pushready(&["doctor", "--required", "--short", "--wait", "3"]);
            let doctor = doctor.args(["--only", "codex"]).env("PUSHREADY_REQUIRE", "codex");
            doctor.env("HTTPS_PROXY", network.fill(proxy)).run()
        };
        network.set(&Situation::default());
        let output = start("").success();
        assert!(output.stdout.starts_with("READY"), "{output}");
        let closed = Situation { hosts: vec![("*", Some("refused"))], ..Situation::default() };
        network.set(&closed);
        let begun = Instant::now();
        let output = start("").success();
        assert!(output.stdout.starts_with("UNKNOWN codex-unreachable"), "{output}");
        assert!(begun.elapsed() >= Duration::from_secs(3), "it was not tried again");
        let output = start("{proxy.deny}").fails(1);
        assert!(output.stdout.starts_with("NOT READY codex-proxy-refused"), "{output}");
    });
}

/// A variable that names no file is reported offline, and once.
#[test]
fn a_file_of_authorities_that_is_missing_is_reported_once() {
    network_sandbox(|ws, network| {
        log_in(ws, "");
        network.set(&Situation::default());
        let doctor = |depth: &[&str]| {
            let doctor = ws.pushready(&["doctor", "--only", "codex"]).args(depth);
            doctor.env("SSL_CERT_FILE", network.ca("missing"))
        };
        let report = doctor(&["--offline", "--json"]).run().fails(1).json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let found = checks.find(|check| check["id"] == "codex.environment").unwrap();
        assert_eq!(found["code"], "codex-tls-untrusted", "{found:#}");
        let text = doctor(&[]).run().fails(1);
        assert_eq!(text.stdout.matches("FAIL     codex-tls-untrusted").count(), 1, "{text}");
        text.stdout_has("checks: codex.environment, codex.network");
        assert!(network.seen().is_empty());
    });
}

#[test]
fn what_a_client_cannot_use_fails_and_what_it_can_use_passes() {
    network_sandbox(|ws, network| judge_all(ws, network, include_str!("own.json")));
}

#[test]
fn what_works_passes_and_what_is_not_proven_is_unknown() {
    network_sandbox(|ws, network| judge_all(ws, network, include_str!("guards.json")));
}
