//! What is handed over: damaged, from every source, set or unset. Whatever comes in, no value of it
//! comes out.

mod damaged;
mod lifetimes;
mod settings;
mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Cmd, KeyPair, Output, Workspace};

fn token(name: &str) -> String {
    format!("sk-ant-oat01-{}{}", name.repeat(8), "Zq7".repeat(20))
}

fn claude_token(ws: &Workspace) -> String {
    let file: Value = serde_json::from_str(&ws.read(".claude/.credentials.json")).unwrap();
    file["claudeAiOauth"]["accessToken"].as_str().unwrap().to_owned()
}

/// The items of a report by their subject.
fn items(output: &Output) -> BTreeMap<String, Value> {
    let report = output.json();
    let items = report["items"].as_array().unwrap().iter();
    items.map(|item| (item["subject"].as_str().unwrap().to_owned(), item.clone())).collect()
}

fn notes(output: &Output) -> Vec<String> {
    let report = output.json();
    report["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_note(output: &Output, parts: &[&str]) {
    let notes = notes(output);
    assert!(
        notes.iter().any(|note| parts.iter().all(|part| note.contains(part))),
        "no note has {parts:?}: {notes:#?}"
    );
}

/// The repositories whose installed key is `key`, as ssh-keygen reads the files.
fn installed(ws: &Workspace, key: &KeyPair) -> Vec<String> {
    let state = ws.home().join(".local/state/pushready");
    let routes = fs::read_to_string(state.join("routes")).unwrap();
    let mut names = Vec::new();
    for route in routes.lines() {
        let fields: Vec<_> = route.split(' ').collect();
        let path = state.join("keys").join(fields[0]);
        let read = Command::new("ssh-keygen").arg("-y").arg("-f").arg(path).output().unwrap();
        let read = String::from_utf8_lossy(&read.stdout);
        // the repository that exists nowhere has a route and no key
        let public = read.trim().rsplit_once(' ').map(|(public, _comment)| public);
        if public.is_some_and(|public| key.public.starts_with(public)) {
            names.push(fields[3].to_owned());
        }
    }
    names
}

/// Everything of a private key that may not be seen, line by line.
fn canaries(private: &str) -> Vec<String> {
    let lines = private.lines().filter(|line| !line.starts_with("-----") && line.len() > 20);
    std::iter::once(private.to_owned()).chain(lines.map(str::to_owned)).collect()
}

fn with_keys(ws: &Workspace, map: &Value) -> Cmd {
    ws.pushready(&["apply"]).env("PUSHREADY_DEPLOY_KEYS", map.to_string())
}
