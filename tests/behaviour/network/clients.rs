//! The doctor's prediction, held against the clients themselves: one turn of each in each row. A
//! version of a client that changes the table turns a row red. Where a variable is not read, it names
//! something with which the turn would fail, so that most rows end soon.
//!
//! What a client does for minutes (dropped packets, a dead resolver) and settings that few have are
//! in tables of their own, and played by hand (CONTRIBUTING.md has the command).

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use crate::support::network::{Network, Situation, network_sandbox};
use crate::support::{Workspace, clients};

use super::situations::{log_in, log_in_anew};

/// A way to the model that a client takes, or does not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    client: String,
    name: String,
    /// Where the vendors' hosts lead.
    hosts: BTreeMap<String, Option<String>>,
    #[serde(default)]
    store: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    works: bool,
    /// What the doctor says where it is not what the client does: it has a reason.
    #[serde(default)]
    says: Option<String>,
    /// Words that the client prints.
    #[serde(default)]
    prints: String,
    #[serde(default)]
    dns_dead: bool,
    #[serde(default)]
    resolver: String,
    /// `api-key` or `expired`.
    #[serde(default)]
    codex_login: String,
    about: About,
    /// Seconds after which the client is not waited for.
    #[serde(default)]
    patience: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum About {
    /// Variables that name a proxy.
    Proxies,
    /// Exceptions, files, base URLs and addresses.
    Ways,
    Authorities,
}

#[derive(Deserialize)]
struct Table {
    rows: Vec<Row>,
}

/// What fails is tried for no longer: Codex goes on for 22 s, Claude Code for minutes.
const PATIENCE: u32 = 12;

impl Row {
    /// What is wrong: with the table, or with the doctor's prediction.
    fn judge(&self, ws: &Workspace, network: &Network) -> Option<String> {
        let hosts = self.hosts.iter().map(|(host, mode)| (host.as_str(), mode.as_deref()));
        network.set(&Situation {
            hosts: hosts.collect(),
            store: &self.store,
            dns_dead: self.dns_dead,
            resolver: &self.resolver,
        });
        log_in_anew(ws, network, &self.codex_login);
        let written = network.write(ws, &self.files);
        let patience = self.patience.unwrap_or(if self.works { 29 } else { PATIENCE });
        let turn = match &*self.client {
            "codex" => ws.cmd("codex").args(["exec", "--skip-git-repo-check", "hi"]),
            // its own number of tries takes minutes
            _ if patience <= 30 => {
                ws.cmd("claude").args(["-p", "hi"]).env("CLAUDE_CODE_MAX_RETRIES", "1")
            }
            _ => ws.cmd("claude").args(["-p", "hi"]),
        };
        let id = format!("{}.network", self.client);
        let doctor = ws.pushready(&["doctor", "--json", "--only", &id]);
        let run = |mut command: crate::support::Cmd| {
            for (name, value) in &self.env {
                command = command.env(name, network.fill(value));
            }
            command.run()
        };
        let report = run(doctor);
        let found = report.json()["checks"][0].clone();
        let start = Instant::now();
        let output = run(turn.wrapped_in("timeout", ["-k", "1", &*patience.to_string()]));
        let took = start.elapsed().as_secs();
        written.restore(ws);
        log_in_anew(ws, network, if self.codex_login.is_empty() { "" } else { "chatgpt" });
        let works = output.stdout.contains("MOCK-OK");
        let status = found["status"].as_str().unwrap();
        println!(
            "{:<7} {:<60} works: {works:<5} doctor: {status:<8} {:<20} {took:>3} s",
            self.client,
            self.name,
            found["code"].as_str().unwrap_or_default()
        );
        let is_right = match &self.says {
            Some(says) => status == says,
            // the renewal of the login may be warned of
            None if self.works => ["pass", "warn"].contains(&status),
            None => status == "fail",
        };
        let is_right = works == self.works && is_right && output.to_string().contains(&self.prints);
        (!is_right)
            .then(|| format!("{} {}: works: {works}\n{output}\n{found:#}", self.client, self.name))
    }
}

/// The rows of the table, or of a file that `PUSHREADY_ROWS` names.
fn judge_all(ws: &Workspace, network: &Network, client: &str, about: About) {
    let rows = std::env::var("PUSHREADY_ROWS").map(|file| std::fs::read_to_string(file).unwrap());
    let table = rows.unwrap_or_else(|_| include_str!("clients.json").to_owned());
    judge_table(ws, network, &table, |row| row.client == client && row.about == about);
}

fn judge_table(ws: &Workspace, network: &Network, table: &str, which: impl Fn(&Row) -> bool) {
    clients::install();
    log_in(ws, "");
    let Table { rows } = serde_json::from_str(table).unwrap();
    let only = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let rows = rows.iter().filter(|row| which(row) && row.name.contains(&only));
    let wrong: Vec<_> = rows.filter_map(|row| row.judge(ws, network)).collect();
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn codex_takes_the_proxy_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, "codex", About::Proxies));
}

#[test]
fn claude_code_takes_the_proxy_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, "claude", About::Proxies));
}

#[test]
fn codex_takes_the_way_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, "codex", About::Ways));
}

#[test]
fn claude_code_takes_the_way_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, "claude", About::Ways));
}

#[test]
fn codex_has_the_authorities_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, "codex", About::Authorities));
}

#[test]
fn claude_code_has_the_authorities_that_the_doctor_predicts() {
    network_sandbox(|ws, network| judge_all(ws, network, "claude", About::Authorities));
}

#[test]
#[ignore = "more than a hundred turns of each client"]
fn codex_reads_odd_settings_as_the_doctor_predicts() {
    let table = include_str!("odd.json");
    network_sandbox(|ws, network| judge_table(ws, network, table, |row| row.client == "codex"));
}

#[test]
#[ignore = "more than a hundred turns of each client"]
fn claude_code_reads_odd_settings_as_the_doctor_predicts() {
    let table = include_str!("odd.json");
    network_sandbox(|ws, network| judge_table(ws, network, table, |row| row.client == "claude"));
}

#[test]
#[ignore = "each row takes a minute or more"]
fn codex_waits_as_the_doctor_predicts() {
    let table = include_str!("slow.json");
    network_sandbox(|ws, network| judge_table(ws, network, table, |row| row.client == "codex"));
}

#[test]
#[ignore = "each row takes a minute or more"]
fn claude_code_waits_as_the_doctor_predicts() {
    let table = include_str!("slow.json");
    network_sandbox(|ws, network| judge_table(ws, network, table, |row| row.client == "claude"));
}
