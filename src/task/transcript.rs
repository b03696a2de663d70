//! The conversation with an agent, as people read it: the form that all commands print.

use serde_json::Value;

use super::output::block;
use crate::coder::model::{Message, Part, list, text};
use crate::coder::shortened;
use crate::text::plain;

/// The conversation of a task, as its app has it.
pub struct Entry {
    pub id: i64,
    /// `input` or `output`.
    pub kind: String,
    pub content: String,
    pub time: Option<String>,
}

pub fn entries(logs: &Value) -> Vec<Entry> {
    let logs = logs.get("logs").map(list).unwrap_or_default();
    let mut entries: Vec<_> = logs
        .iter()
        .filter_map(|entry| {
            Some(Entry {
                id: entry.get("id")?.as_i64()?,
                kind: text(entry, "type").unwrap_or_default().to_owned(),
                content: text(entry, "content").unwrap_or_default().to_owned(),
                time: text(entry, "time").map(str::to_owned),
            })
        })
        .collect();
    entries.sort_by_key(|entry| entry.id);
    entries
}

pub fn entry(entry: &Entry) -> String {
    let role = if entry.kind == "input" { "user" } else { "agent" };
    block(&format!("{role}: "), &entry.content)
}

/// A message as people read it; nothing of it if it is the server's own.
pub fn message(message: &Message) -> String {
    let role = match &*message.role {
        "assistant" => "agent".into(),
        other => plain(other),
    };
    if message.is_servers_own || role == "system" {
        return String::new();
    }
    let mut out = String::new();
    for part in &message.parts {
        match part {
            Part::Text { text } => out.push_str(&block(&format!("{role}: "), text)),
            Part::ToolCall { name, arguments, .. } => {
                let line = shortened(&format!("{name} {arguments}"));
                let line: String = line.chars().take(160).collect();
                out.extend(["tool: ", &line, "\n"]);
            }
            Part::ToolResult { .. } => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_its_words_and_a_line_for_each_tool_call() {
        let read = |role: &str, content: Value| {
            message(&Message::of(&json!({"id": 1, "role": role, "content": content})).unwrap())
        };
        let text = |text: &str| json!({"type": "text", "text": text, "url": "", "file_id": null});
        let call =
            json!({"type": "tool-call", "tool_name": "execute", "args": {"command": "id\u{1b}"}});
        assert_eq!(
            read("assistant", json!([text("a\nb"), call, {"type": "hologram"}])),
            "agent: a\n  b\ntool: execute {\"command\":\"id\\u001b\"}\n"
        );
        assert_eq!(read("user", json!([text("hi")])), "user: hi\n");
        assert_eq!(read("\u{1b}]0;x\u{7}", json!([text("hi")])), "\\u{1b}]0;x\\u{7}: hi\n");
        assert_eq!(read("user", json!([{"type": "context-file", "content": "x"}])), "");
        assert_eq!(read("assistant", Value::Null), "");
    }
}
