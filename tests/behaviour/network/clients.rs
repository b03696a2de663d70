//! The doctor's prediction, held against the clients themselves: one turn of each in each row. A
//! version of a client that changes the table turns a row red. Where a variable is not read, it names
//! something with which the turn would fail, so that most rows end soon.
//!
//! What a client does for minutes (dropped packets, a dead resolver) is not in these tables.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use crate::support::network::{Network, Situation, network_sandbox};
use crate::support::{Workspace, clients};

use super::situations::log_in;

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
    /// Where the doctor has a reason to say otherwise.
    #[serde(default)]
    predicted: Option<bool>,
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
        network.set(&Situation { hosts: hosts.collect(), store: &self.store, dns_dead: false });
        let written = network.write(ws, &self.files);
        let patience = self.patience.unwrap_or(if self.works { 29 } else { PATIENCE }).to_string();
        let turn = match &*self.client {
            "codex" => ws.cmd("codex").args(["exec", "--skip-git-repo-check", "hi"]),
            _ => ws.cmd("claude").args(["-p", "hi"]).env("CLAUDE_CODE_MAX_RETRIES", "1"),
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
        let output = run(turn.wrapped_in("timeout", ["-k", "1", &*patience]));
        let took = start.elapsed().as_secs();
        written.restore(ws);
        let works = output.stdout.contains("MOCK-OK");
        // the renewal of the login may be warned of
        let predicted = found["status"] == "pass" || found["status"] == "warn";
        println!(
            "{:<7} {:<55} works: {works:<5} predicted: {predicted:<5} {took:>3} s {}",
            self.client, self.name, found["code"]
        );
        let right = self.predicted.unwrap_or(self.works);
        let is_right = works == self.works && predicted == right && found["status"] != "unknown";
        (!is_right)
            .then(|| format!("{} {}: works: {works}\n{output}\n{found:#}", self.client, self.name))
    }
}

/// The rows of the table, or of a file that `PUSHREADY_ROWS` names: for what takes minutes, by hand.
fn judge_all(ws: &Workspace, network: &Network, client: &str, about: About) {
    clients::install();
    log_in(ws, "");
    let rows = std::env::var("PUSHREADY_ROWS").map(|file| std::fs::read_to_string(file).unwrap());
    let table = rows.unwrap_or_else(|_| include_str!("clients.json").to_owned());
    let Table { rows } = serde_json::from_str(&table).unwrap();
    let only = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let rows = rows.iter().filter(|row| row.client == client && row.about == about);
    let rows = rows.filter(|row| row.name.contains(&only));
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
