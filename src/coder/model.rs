//! What is read of the server's answers: leniently, because versions differ. Unknown words are kept
//! and shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// A text that is not empty.
pub fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn owned(value: &Value, name: &str) -> String {
    text(value, name).unwrap_or_default().to_owned()
}

/// An id: a text, or the object that some versions have; the zero UUID is none.
fn id(value: &Value, name: &str) -> Option<String> {
    let value = value.get(name)?;
    let id = value.as_str().or_else(|| value.get("uuid")?.as_str())?;
    (!id.is_empty() && !id.chars().all(|digit| matches!(digit, '0' | '-'))).then(|| id.to_owned())
}

fn time(value: &Value, name: &str) -> Option<Timestamp> {
    let time: Timestamp = text(value, name)?.parse().ok()?;
    // Go's zero time is the year 1
    (time.as_second() > 0).then_some(time)
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn number(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_i64)
}

/// A list; `null` is an empty one.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn list_in<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).map(list).unwrap_or_default()
}

/// The pull request and branch of a chat.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChatPullRequest {
    pub url: Option<String>,
    pub number: Option<i64>,
    pub state: Option<String>,
    pub title: Option<String>,
    pub draft: bool,
    pub branch: Option<String>,
    pub base: Option<String>,
    pub additions: i64,
    pub deletions: i64,
    pub changed_files: i64,
}

impl ChatPullRequest {
    fn of(value: &Value) -> Option<Self> {
        let some = |name| text(value, name).map(str::to_owned);
        let count = |name| number(value, name).unwrap_or_default();
        let found = Self {
            url: some("url"),
            number: number(value, "pr_number"),
            state: some("pull_request_state"),
            title: some("pull_request_title"),
            draft: flag(value, "pull_request_draft"),
            branch: some("head_branch"),
            base: some("base_branch"),
            additions: count("additions"),
            deletions: count("deletions"),
            changed_files: count("changed_files"),
        };
        (found.url.is_some() || found.branch.is_some() || found.changed_files > 0).then_some(found)
    }
}

/// Why a chat is in `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatError {
    pub message: String,
    pub detail: Option<String>,
    pub kind: Option<String>,
    pub retryable: bool,
}

impl ChatError {
    /// A text on 2.33, an object from 2.34 on.
    pub fn of(value: &Value) -> Option<Self> {
        if let Some(message) = value.as_str() {
            let message = message.to_owned();
            return (!message.is_empty()).then_some(Self {
                message,
                detail: None,
                kind: None,
                retryable: false,
            });
        }
        let some = |name| text(value, name).map(str::to_owned);
        Some(Self {
            message: some("message").or_else(|| some("detail"))?,
            detail: some("detail"),
            kind: some("kind"),
            retryable: flag(value, "retryable"),
        })
    }
}

#[derive(Clone, Debug)]
pub struct Chat {
    pub id: String,
    pub owner_name: String,
    pub title: String,
    pub status: String,
    pub archived: bool,
    pub queued_for_capacity: bool,
    pub labels: BTreeMap<String, String>,
    pub workspace_id: Option<String>,
    pub agent_id: Option<String>,
    pub last_error: Option<ChatError>,
    pub pull_request: Option<ChatPullRequest>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

impl Chat {
    pub fn of(value: &Value) -> Option<Self> {
        let labels = value.get("labels").and_then(Value::as_object).into_iter().flatten();
        let labels =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Some(Self {
            id: id(value, "id")?,
            owner_name: owned(value, "owner_username"),
            title: owned(value, "title"),
            status: text(value, "status")?.to_owned(),
            archived: flag(value, "archived"),
            queued_for_capacity: flag(value, "queued_for_capacity"),
            labels: labels.collect(),
            workspace_id: id(value, "workspace_id"),
            agent_id: id(value, "agent_id"),
            last_error: value.get("last_error").and_then(ChatError::of),
            pull_request: value.get("diff_status").and_then(ChatPullRequest::of),
            created_at: time(value, "created_at"),
            updated_at: time(value, "updated_at"),
        })
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// A turn runs, or is about to.
    pub fn is_busy(&self) -> bool {
        matches!(&*self.status, "pending" | "running" | "interrupting")
    }

    /// No turn runs; `completed` is an older word for it.
    pub fn is_idle(&self) -> bool {
        matches!(&*self.status, "waiting" | "completed")
    }
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Part {
    Text { text: String },
    ToolCall { id: String, name: String, arguments: String },
    ToolResult { id: String },
}

impl Part {
    fn of(value: &Value) -> Option<Self> {
        match text(value, "type")? {
            "text" => Some(Self::Text { text: text(value, "text")?.to_owned() }),
            "tool-call" => Some(Self::ToolCall {
                id: owned(value, "tool_call_id"),
                name: owned(value, "tool_name"),
                arguments: match value.get("args") {
                    Some(Value::Null) | None => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                },
            }),
            "tool-result" => Some(Self::ToolResult { id: owned(value, "tool_call_id") }),
            _ => None,
        }
    }
}

/// What a message says about the model's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// No word: on 2.33 and 2.34 so for an answer that was cut.
    Absent,
    /// No token was counted: the model broke off.
    Empty,
    Counted,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub id: i64,
    pub role: String,
    pub parts: Vec<Part>,
    pub usage: Usage,
    pub created_at: Option<Timestamp>,
    /// Made by the server, such as the content of a context file.
    pub is_servers_own: bool,
}

impl Message {
    pub fn of(value: &Value) -> Option<Self> {
        let content = list_in(value, "content");
        let role = owned(value, "role");
        let is_of_a_file = |part: &Value| text(part, "type") == Some("context-file");
        let usage = match value.get("usage").and_then(Value::as_object) {
            None => Usage::Absent,
            Some(usage) => {
                let counted = |name: &str| usage.get(name).and_then(Value::as_i64).unwrap_or(0) > 0;
                let any =
                    ["output_tokens", "input_tokens", "total_tokens"].into_iter().any(counted);
                if any { Usage::Counted } else { Usage::Empty }
            }
        };
        Some(Self {
            id: number(value, "id")?,
            is_servers_own: role == "user"
                && !content.is_empty()
                && content.iter().all(is_of_a_file),
            role,
            parts: content.iter().filter_map(Part::of).collect(),
            usage,
            created_at: time(value, "created_at"),
        })
    }

    /// The text parts, joined.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// The report of a task's agent, or the server's word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    pub state: String,
    pub message: String,
    pub uri: String,
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct CoderTask {
    pub id: String,
    pub name: String,
    pub title: String,
    pub owner_name: String,
    pub prompt: String,
    pub status: String,
    pub state: Option<TaskState>,
    pub workspace_id: Option<String>,
    pub workspace_name: String,
    pub workspace_status: String,
    pub agent_id: Option<String>,
    pub lifecycle: String,
    /// Why the agent is not healthy.
    pub unhealthy: Option<String>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

impl CoderTask {
    pub fn of(value: &Value) -> Option<Self> {
        let state = value.get("current_state").filter(|state| state.is_object());
        let state = state.map(|state| TaskState {
            state: owned(state, "state"),
            message: owned(state, "message"),
            uri: owned(state, "uri"),
            timestamp: time(state, "timestamp"),
        });
        Some(Self {
            id: id(value, "id")?,
            name: owned(value, "name"),
            title: owned(value, "display_name"),
            owner_name: owned(value, "owner_name"),
            prompt: owned(value, "initial_prompt"),
            status: text(value, "status")?.to_owned(),
            state,
            workspace_id: id(value, "workspace_id"),
            workspace_name: owned(value, "workspace_name"),
            workspace_status: owned(value, "workspace_status"),
            agent_id: id(value, "workspace_agent_id"),
            lifecycle: owned(value, "workspace_agent_lifecycle"),
            unhealthy: value.get("workspace_agent_health").and_then(unhealthy),
            created_at: time(value, "created_at"),
            updated_at: time(value, "updated_at"),
        })
    }
}

fn unhealthy(health: &Value) -> Option<String> {
    let healthy = health.get("healthy")?.as_bool()?;
    (!healthy).then(|| text(health, "reason").unwrap_or("no reason is given").to_owned())
}

#[derive(Clone, Debug)]
pub struct WorkspaceAgent {
    pub id: String,
    pub name: String,
    /// `connecting`, `connected`, `disconnected`, `timeout`.
    pub status: String,
    pub lifecycle: String,
    pub unhealthy: Option<String>,
    /// When the start scripts had ended.
    pub ready_at: Option<Timestamp>,
    /// Of a devcontainer inside another agent's workspace.
    is_child: bool,
}

impl WorkspaceAgent {
    fn of(value: &Value) -> Option<Self> {
        Some(Self {
            id: id(value, "id")?,
            name: owned(value, "name"),
            status: owned(value, "status"),
            lifecycle: owned(value, "lifecycle_state"),
            unhealthy: value.get("health").and_then(unhealthy),
            ready_at: time(value, "ready_at"),
            is_child: id(value, "parent_id").is_some(),
        })
    }

    /// Its start scripts have ended, well or not.
    pub fn has_started(&self) -> bool {
        !matches!(&*self.lifecycle, "" | "created" | "starting")
    }
}

#[derive(Clone, Debug)]
pub struct Build {
    pub id: String,
    pub number: i64,
    pub transition: String,
    /// `pending starting running stopping stopped failed canceling canceled deleting deleted`.
    pub status: String,
    pub error: Option<String>,
    pub error_code: Option<String>,
    pub agents: Vec<WorkspaceAgent>,
    pub created_at: Option<Timestamp>,
    pub has_ai_task: bool,
}

impl Build {
    pub fn of(value: &Value) -> Option<Self> {
        let job = value.get("job").unwrap_or(&Value::Null);
        let agents =
            list_in(value, "resources").iter().flat_map(|resource| list_in(resource, "agents"));
        let mut agents: Vec<_> = agents.filter_map(WorkspaceAgent::of).collect();
        agents.sort_by_key(|agent| agent.is_child);
        Some(Self {
            id: id(value, "id")?,
            number: number(value, "build_number").unwrap_or_default(),
            transition: owned(value, "transition"),
            status: text(value, "status").or_else(|| text(job, "status"))?.to_owned(),
            error: text(job, "error").map(str::to_owned),
            error_code: text(job, "error_code").map(str::to_owned),
            agents,
            created_at: time(value, "created_at"),
            has_ai_task: flag(value, "has_ai_task"),
        })
    }

    pub fn is_running(&self) -> bool {
        matches!(&*self.status, "pending" | "starting" | "stopping" | "deleting" | "canceling")
    }

    pub fn has_failed(&self) -> bool {
        matches!(&*self.status, "failed" | "canceled")
    }
}

#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    pub owner_id: String,
    pub owner_name: String,
    pub template_name: String,
    pub task_id: Option<String>,
    pub created_at: Option<Timestamp>,
    pub build: Build,
}

impl Workspace {
    pub fn of(value: &Value) -> Option<Self> {
        Some(Self {
            id: id(value, "id")?,
            name: owned(value, "name"),
            owner_id: owned(value, "owner_id"),
            owner_name: owned(value, "owner_name"),
            template_name: owned(value, "template_name"),
            task_id: id(value, "task_id"),
            created_at: time(value, "created_at"),
            build: Build::of(value.get("latest_build")?)?,
        })
    }

    pub fn is_deleted(&self) -> bool {
        self.build.status == "deleted"
            || (self.build.transition == "delete" && self.build.status == "succeeded")
    }

    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner_name, self.name)
    }
}

#[derive(Clone, Debug)]
pub struct Template {
    pub id: String,
    pub name: String,
    pub organization_id: String,
    pub organization_name: String,
    pub active_version_id: String,
    pub deprecated: bool,
    pub agents_allowed: bool,
}

impl Template {
    pub fn of(value: &Value) -> Option<Self> {
        Some(Self {
            id: id(value, "id")?,
            name: owned(value, "name"),
            organization_id: owned(value, "organization_id"),
            organization_name: owned(value, "organization_name"),
            active_version_id: owned(value, "active_version_id"),
            deprecated: flag(value, "deprecated"),
            agents_allowed: value.get("agents_allowed").and_then(Value::as_bool).unwrap_or(true),
        })
    }
}

/// A metadata item of a workspace's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub key: String,
    pub value: String,
    pub error: String,
    /// `None`: never.
    pub collected_at: Option<Timestamp>,
    pub interval: i64,
    /// How many seconds ago that was, by the server's clock.
    pub age: Option<i64>,
}

impl Metadata {
    pub fn of(value: &Value) -> Option<Self> {
        let (result, description) = (value.get("result")?, value.get("description")?);
        Some(Self {
            key: text(description, "key")?.to_owned(),
            value: owned(result, "value"),
            error: owned(result, "error"),
            collected_at: time(result, "collected_at"),
            interval: number(description, "interval").unwrap_or(60),
            age: number(result, "age"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_of_several_versions_are_read() {
        let chat = |more: Value| {
            let mut value = json!({"id": "c", "status": "waiting"});
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Chat::of(&value).unwrap()
        };
        assert_eq!(chat(json!({"last_error": null})).last_error, None);
        let error = chat(json!({"last_error": "no model"})).last_error.unwrap();
        assert_eq!((&*error.message, error.retryable), ("no model", false));
        let object = json!({"message": "m", "kind": "auth", "retryable": true});
        let error = chat(json!({"last_error": object})).last_error.unwrap();
        assert_eq!((error.kind.as_deref(), error.retryable), (Some("auth"), true));
        for (value, wanted) in [
            (json!("w"), Some("w")),
            (json!({"uuid": "w", "valid": true}), Some("w")),
            (json!("00000000-0000-0000-0000-000000000000"), None),
            (Value::Null, None),
        ] {
            assert_eq!(chat(json!({"workspace_id": value})).workspace_id.as_deref(), wanted);
        }
        let empty = json!({"diff_status": {"pull_request_title": "", "changed_files": 0}});
        assert!(chat(empty).pull_request.is_none());
        let item = json!({"result": {"collected_at": "0001-01-01T00:00:00Z", "age": 9_223_372_036_i64,
            "value": "", "error": ""}, "description": {"key": "pushready", "interval": 60}});
        assert_eq!(Metadata::of(&item).unwrap().collected_at, None);
    }

    #[test]
    fn usage_says_whether_a_turn_was_whole() {
        let usage = |usage: Value| {
            Message::of(&json!({"id": 1, "role": "assistant", "usage": usage})).unwrap().usage
        };
        assert_eq!(usage(Value::Null), Usage::Absent);
        assert_eq!(usage(json!({"context_limit": 128_000})), Usage::Empty);
        assert_eq!(usage(json!({"output_tokens": 4})), Usage::Counted);
    }
}
