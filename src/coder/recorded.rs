//! What running servers 2.33.4 and 2.34.3 answered is read as what it is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::failure::CoderRefusal;
use super::model::{Build, Chat, CoderTask, Message, Metadata, Template, Workspace, list, text};
use super::stream::events_of;

#[derive(Deserialize)]
struct RecordedExchange {
    version: String,
    name: String,
    method: String,
    path: String,
    status: u16,
    #[serde(default)]
    answer: Value,
    #[serde(default)]
    frames: Vec<String>,
    #[serde(default)]
    events: Vec<String>,
}

/// What an answer should be, and whether it is read so.
fn read(one: &RecordedExchange) -> (&'static str, bool) {
    let RecordedExchange { method, path, status, answer, frames, events, .. } = one;
    let path = path.split('?').next().unwrap();
    let parts: Vec<_> = path.split('/').skip(3).collect();
    let all = |value: &Value, read: &dyn Fn(&Value) -> bool| list(value).iter().all(read);
    let within = |name: &str| answer.get(name).unwrap_or(&Value::Null);
    match (method.as_str(), *status, &parts[..]) {
        (_, 400.., _) if answer.is_object() => {
            let refusal = CoderRefusal::of(*status, answer, None);
            ("refusal", !refusal.message.is_empty() && refusal.words().len() < 500)
        }
        (_, 101, [.., "stream"]) => {
            let is_known = |event: &Value| {
                let kinds = ["message_part", "message", "status", "error", "queue_update", "retry"];
                text(event, "type").is_some_and(|kind| {
                    kinds.contains(&kind) || matches!(kind, "action_required" | "history_reset")
                })
            };
            (
                "stream",
                frames
                    .iter()
                    .all(|frame| events_of(serde_json::from_str(frame)).iter().all(is_known)),
            )
        }
        (_, 200, [.., "watch-metadata"]) => {
            let data = events.iter().flat_map(|chunk| chunk.lines());
            let mut data = data.filter_map(|line| line.strip_prefix("data: "));
            let reads = |line: &str| {
                let items: Value = serde_json::from_str(line).unwrap();
                list(&items).iter().all(|item| Metadata::of(item).is_some())
            };
            ("metadata", data.all(reads))
        }
        (_, 200 | 201, ["chats"]) if answer.is_array() => {
            ("chat", all(answer, &|chat| Chat::of(chat).is_some()))
        }
        (_, 200, ["chats", "models"]) => ("models", within("providers").is_array()),
        (_, 200 | 201, ["chats"] | ["chats", _] | ["chats", _, "interrupt"]) => {
            ("chat", Chat::of(answer).is_some())
        }
        ("GET", 200, ["chats", _, "messages"]) => {
            ("message", all(within("messages"), &|message| Message::of(message).is_some()))
        }
        (_, 200, ["tasks"]) => ("task", all(within("tasks"), &|it| CoderTask::of(it).is_some())),
        (_, 200 | 201, ["tasks", _] | ["tasks", _, _]) => ("task", CoderTask::of(answer).is_some()),
        (_, 200, ["workspaces"]) => {
            ("workspace", all(within("workspaces"), &|it| Workspace::of(it).is_some()))
        }
        (_, 200 | 201, ["workspaces", _] | ["users", "me", "workspaces"]) => {
            ("workspace", Workspace::of(answer).is_some())
        }
        (_, 200 | 201, ["workspaces", _, "builds"] | ["workspacebuilds", _]) => {
            ("build", Build::of(answer).is_some())
        }
        (_, 200, ["templates"]) => ("template", all(answer, &|it| Template::of(it).is_some())),
        (_, 200, ["organizations", _, "templates", _]) => {
            ("template", Template::of(answer).is_some())
        }
        _ => ("other", true),
    }
}

#[test]
fn recorded_answers_are_read() {
    let all: Vec<RecordedExchange> =
        serde_json::from_str(include_str!("../../tests/task/recorded.json")).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &all {
        let (kind, is_read) = read(one);
        *counts.entry(kind).or_default() += 1;
        let RecordedExchange { version, name, method, path, status, answer, .. } = one;
        assert!(is_read, "{kind}: {version} {name}: {method} {path} {status}\n{answer:#}");
    }
    for (kind, least) in [
        ("refusal", 90),
        ("stream", 10),
        ("metadata", 3),
        ("chat", 30),
        ("message", 10),
        ("task", 40),
        ("workspace", 10),
        ("build", 4),
        ("template", 3),
    ] {
        assert!(counts.get(kind).is_some_and(|count| *count >= least), "{kind}: {counts:?}");
    }
}
