//! Whether the work has ended, and how. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::work::{chat_name, is_pull_request};
use crate::coder::model::{Chat, ChatError, CoderTask, Message, Part, Usage};
use crate::error::Exit;
use crate::text::plain;

/// An app that stops answering often comes back; Coder's own client waits as long.
const FOR_THE_APP: Duration = Duration::from_secs(5 * 60);
/// An agent that lost its connection often comes back.
const FOR_THE_AGENT: Duration = Duration::from_secs(5 * 60);
/// After this a chat that says `waiting` and has no answer will have none.
const FOR_THE_TURN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkVerdict {
    /// What it is doing, in a few words.
    Goes(String),
    Ended(Ended),
}

/// How the work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub exit: Exit,
    /// In one sentence.
    pub reason: String,
    /// The last words of the agent.
    pub answer: Option<String>,
    pub hint: Option<String>,
}

impl Ended {
    pub fn new(exit: Exit, reason: impl Into<String>) -> Self {
        Self { exit, reason: reason.into(), answer: None, hint: None }
    }

    fn answer(mut self, answer: &str) -> Self {
        self.answer = (!answer.trim().is_empty()).then(|| answer.trim().to_owned());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What is known about a chat.
pub struct ChatFacts<'a> {
    pub chat: &'a Chat,
    /// The newest messages, oldest first.
    pub messages: &'a [Message],
    /// Messages that wait to be sent.
    pub queued: usize,
    /// The highest id before our own message; messages up to it belong to earlier turns.
    pub baseline: i64,
    /// A turn was seen to run.
    pub was_busy: bool,
    /// Somebody interrupted it.
    pub was_interrupted: bool,
    /// Every whole answer of this version says how many tokens it took.
    pub counts_tokens: bool,
    pub now: Timestamp,
}

/// The messages since the last prompt: a turn begins with it.
fn turn<'a>(facts: &ChatFacts<'a>) -> &'a [Message] {
    let is_prompt = |message: &Message| message.role == "user" && !message.is_servers_own;
    let start = facts.messages.iter().rposition(is_prompt).map_or(0, |prompt| prompt + 1);
    facts.messages.get(start..).unwrap_or_default()
}

pub fn chat(facts: &ChatFacts) -> WorkVerdict {
    let chat = facts.chat;
    let goes = |what: &str| WorkVerdict::Goes(what.to_owned());
    let ended = WorkVerdict::Ended;
    match &*chat.status {
        // one that was done stays so
        _ if chat.archived => match chat.is_idle().then(|| idle_chat(facts)) {
            Some(WorkVerdict::Ended(done)) if done.exit == Exit::Ready => ended(done),
            _ => ended(Ended::new(Exit::NotReady, "the chat was archived before it was done")),
        },
        "running" if chat.queued_for_capacity => {
            goes("queued by the server: as many agents run as its licence allows")
        }
        "pending" => goes("pending"),
        "running" => goes("working"),
        "interrupting" => goes("being interrupted"),
        "error" => ended(chat_error(chat.last_error.as_ref(), chat_name(chat))),
        "requires_action" => {
            let wanted = open_call(facts.messages);
            let reason = wanted.map_or_else(
                || "the agent needs an answer or an approval".to_owned(),
                |wanted| format!("the agent needs an answer or an approval: {wanted}"),
            );
            ended(Ended::new(Exit::NeedsInput, reason).hint("answer on the page of the chat"))
        }
        "waiting" | "completed" => idle_chat(facts),
        "paused" => ended(
            Ended::new(Exit::NeedsInput, "the chat is paused")
                .hint(format!("{} lets it go on", send(chat_name(chat)))),
        ),
        other => WorkVerdict::Goes(format!("in a state that pushready does not know: {other}")),
    }
}

fn idle_chat(facts: &ChatFacts) -> WorkVerdict {
    if facts.queued > 0 {
        return WorkVerdict::Goes(format!("about to take {} queued messages", facts.queued));
    }
    let is_new = |message: &Message| message.id > facts.baseline;
    if !facts.messages.iter().any(is_new) {
        // our message is not among them yet
        return WorkVerdict::Goes("about to begin".to_owned());
    }
    let name = chat_name(facts.chat);
    let turn = turn(facts);
    let answers = || turn.iter().filter(|message| message.role == "assistant");
    let Some(last) = turn.last() else {
        let quiet = |at: Timestamp| facts.now.duration_since(at).unsigned_abs() >= FOR_THE_TURN;
        let may_begin = !facts.was_busy && !facts.chat.updated_at.is_some_and(quiet);
        return match () {
            () if facts.was_interrupted => interrupted("", name),
            () if may_begin && !facts.counts_tokens => {
                WorkVerdict::Goes("about to begin".to_owned())
            }
            () => without_answer(name),
        };
    };
    // the end of a turn is an answer in words; after a tool call there is more to come
    let text = last.text();
    let unanswered = last.role != "assistant" || text.trim().is_empty();
    if unanswered {
        let is_cut = facts.was_interrupted || last.role == "tool" || open_call(turn).is_some();
        return if is_cut {
            interrupted("", name)
        } else if answers().any(|answer| !answer.text().trim().is_empty()) {
            judge_answer(facts, answers().rfind(|answer| !answer.text().trim().is_empty()))
        } else {
            without_answer(name)
        };
    }
    judge_answer(facts, Some(last))
}

fn judge_answer(facts: &ChatFacts, answer: Option<&Message>) -> WorkVerdict {
    let name = chat_name(facts.chat);
    let Some(answer) = answer else { return without_answer(name) };
    let text = answer.text();
    let counted = |message: &Message| message.usage == Usage::Counted;
    match answer.usage {
        Usage::Empty => WorkVerdict::Ended(
            Ended::new(Exit::NotReady, "the model broke off in the middle of its answer")
                .answer(&text)
                .hint(format!("`pushready task send {name} \"go on\"` may finish it")),
        ),
        // a cut answer has no usage; a server that never sends one says nothing with it
        Usage::Absent
            if facts.counts_tokens
                || facts.was_interrupted
                || facts.messages.iter().any(counted) =>
        {
            interrupted(&text, name)
        }
        Usage::Counted | Usage::Absent => {
            WorkVerdict::Ended(Ended::new(Exit::Ready, "done").answer(&text))
        }
    }
}

/// The command that sends a message.
fn send(name: &str) -> String {
    format!("`pushready task send {} MESSAGE`", plain(name))
}

fn interrupted(text: &str, name: &str) -> WorkVerdict {
    WorkVerdict::Ended(
        Ended::new(Exit::NotReady, "the turn was interrupted: its answer is cut or missing")
            .answer(text)
            .hint(format!("{} starts another turn", send(name))),
    )
}

fn without_answer(name: &str) -> WorkVerdict {
    WorkVerdict::Ended(
        Ended::new(Exit::NotReady, "the turn ended without an answer")
            .hint(format!("{} starts another turn", send(name))),
    )
}

fn chat_error(error: Option<&ChatError>, name: &str) -> Ended {
    let again = format!("{} starts another turn", send(name));
    let Some(error) = error else {
        return Ended::new(Exit::NotReady, "the chat failed, and the server does not say why")
            .hint(again);
    };
    let kind = error.kind.as_deref().unwrap_or_default();
    let mut reason = error.message.trim_end_matches('.').to_owned();
    if let Some(detail) = error.detail.as_deref().filter(|detail| *detail != error.message) {
        reason = format!("{reason}: {}", detail.trim_end_matches('.'));
    }
    if !kind.is_empty() {
        reason = format!("{reason} ({kind})");
    }
    let ended = Ended::new(Exit::NotReady, reason);
    match kind {
        "auth" | "missing_key" | "provider_disabled" => ended.hint(
            "this is about the server's key for the model's provider, not about your token: an administrator can fix it",
        ),
        "usage_limit" => ended.hint("the spend limit is used up: an administrator can raise it"),
        _ if error.retryable => ended.hint(format!("it may pass: {again}")),
        _ => ended.hint(again),
    }
}

/// The last tool call that has no result, as `name arguments`.
pub fn open_call(messages: &[Message]) -> Option<String> {
    let parts = || messages.iter().flat_map(|message| &message.parts);
    let has_result =
        |wanted: &str| parts().any(|part| matches!(part, Part::ToolResult { id } if id == wanted));
    parts()
        .filter_map(|part| match part {
            Part::ToolCall { id, name, arguments } if !has_result(id) => {
                Some(format!("{name} {arguments}").trim().chars().take(200).collect())
            }
            _ => None,
        })
        .next_back()
}

/// What is known about a task.
pub struct TaskFacts<'a> {
    pub task: &'a CoderTask,
    /// When the state was reported that was current before our own message.
    pub baseline: Option<Timestamp>,
    /// How long it has been in this status, or its agent unhealthy.
    pub unchanged_for: Duration,
    /// How often in a row it was seen idle.
    pub seen_idle: u32,
}

pub fn task(facts: &TaskFacts) -> WorkVerdict {
    let task = facts.task;
    let failed = |reason: String| WorkVerdict::Ended(Ended::new(Exit::NotReady, reason));
    if matches!(&*task.workspace_status, "failed" | "canceled") && task.status != "active" {
        let what = match &*task.workspace_status {
            "canceled" => "was canceled",
            _ => "failed",
        };
        return failed(format!("the build of the workspace {what}"));
    }
    let state = task.state.as_ref().filter(|state| {
        // reported before our message
        facts.baseline.is_none_or(|baseline| state.timestamp.is_none_or(|at| at > baseline))
    });
    let message = state.map_or("", |state| &*state.message);
    let word = state.map_or("", |state| &*state.state);
    // the page of a pull request is shown apart
    let uri = state.map_or("", |state| &*state.uri);
    let uri = Some(uri).filter(|uri| !is_pull_request(uri)).unwrap_or_default();
    let report = format!("{message}\n{uri}");
    let unhealthy = task.unhealthy.as_deref();
    match &*task.status {
        "pending" => WorkVerdict::Goes("the workspace is being built".to_owned()),
        "initializing" => {
            let why = unhealthy.or((!message.is_empty()).then_some(message));
            WorkVerdict::Goes(format!("starting: {}", why.unwrap_or("the agent is not ready")))
        }
        "error" if facts.unchanged_for < FOR_THE_APP => WorkVerdict::Goes(
            "the agent's app does not answer; it may come back within minutes".to_owned(),
        ),
        "error" => failed("the agent's app does not answer".to_owned()),
        "paused" => match word {
            "complete" | "completed" => done(&report),
            _ => WorkVerdict::Ended(
                Ended::new(Exit::NotReady, "the task was paused before it was done")
                    .hint(format!("{} resumes it", send(&task.name))),
            ),
        },
        "unknown" => WorkVerdict::Goes(format!("the workspace is {}", task.workspace_status)),
        "active" => match word {
            "complete" | "completed" => done(&report),
            "failed" | "failure" => WorkVerdict::Ended(
                Ended::new(Exit::NotReady, "the agent reports that it failed").answer(&report),
            ),
            _ if matches!(&*task.lifecycle, "start_error" | "start_timeout") => {
                failed(format!("a start script of the workspace failed ({})", task.lifecycle))
            }
            _ if unhealthy.is_some_and(|why| why.contains("lost connection")) => {
                let why = "the workspace's agent has lost its connection";
                if facts.unchanged_for < FOR_THE_AGENT {
                    WorkVerdict::Goes(why.to_owned())
                } else {
                    failed(why.to_owned())
                }
            }
            "idle" if facts.seen_idle > 1 => WorkVerdict::Ended(
                Ended::new(Exit::NeedsInput, "the agent is idle: it is done, or waits for input")
                    .answer(&report)
                    .hint(format!(
                        "`pushready task logs {}` shows what it wrote, {} answers it",
                        plain(&task.name),
                        send(&task.name)
                    )),
            ),
            "working" | "" if message.is_empty() => WorkVerdict::Goes("working".to_owned()),
            "working" | "" => WorkVerdict::Goes(format!("working: {message}")),
            other => {
                WorkVerdict::Goes(format!("{other}: {message}").trim_end_matches(": ").to_owned())
            }
        },
        other => WorkVerdict::Goes(format!("in a state that pushready does not know: {other}")),
    }
}

fn done(message: &str) -> WorkVerdict {
    WorkVerdict::Ended(Ended::new(Exit::Ready, "done").answer(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: &str = "2026-11-29T10:00:00Z";

    fn chat_with(status: &str, more: &Value) -> Chat {
        let mut value = json!({"id": "c", "status": status, "updated_at": "2026-11-29T09:59:50Z"});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Chat::of(&value).unwrap()
    }

    fn user(id: i64) -> Value {
        json!({"id": id, "role": "user", "content": [{"type": "text", "text": "fix it"}]})
    }

    fn agent(id: i64, text: &str, usage: impl Into<Value>) -> Value {
        json!({"id": id, "role": "assistant", "content": [{"type": "text", "text": text}], "usage": usage.into()})
    }

    fn counted() -> Value {
        json!({"output_tokens": 4})
    }

    fn call(id: i64) -> Value {
        let part =
            json!({"type": "tool-call", "tool_call_id": "t", "tool_name": "ask", "args": {"q": 1}});
        json!({"id": id, "role": "assistant", "content": [part], "usage": counted()})
    }

    fn result(id: i64) -> Value {
        let part = json!({"type": "tool-result", "tool_call_id": "t", "tool_name": "ask"});
        json!({"id": id, "role": "tool", "content": [part]})
    }

    struct Case<'a> {
        status: &'a str,
        more: Value,
        messages: Vec<Value>,
        queued: usize,
        was_busy: bool,
        was_interrupted: bool,
        counts_tokens: bool,
    }

    fn case(status: &str, messages: Vec<Value>) -> Case<'_> {
        Case {
            status,
            more: json!({}),
            messages,
            queued: 0,
            was_busy: true,
            was_interrupted: false,
            counts_tokens: true,
        }
    }

    /// The exit status, or `None` while it goes on.
    fn judged(case: &Case) -> Option<Exit> {
        let chat = chat_with(case.status, &case.more);
        let messages: Vec<_> = case.messages.iter().filter_map(Message::of).collect();
        let facts = ChatFacts {
            chat: &chat,
            messages: &messages,
            queued: case.queued,
            baseline: 0,
            was_busy: case.was_busy,
            was_interrupted: case.was_interrupted,
            counts_tokens: case.counts_tokens,
            now: NOW.parse().unwrap(),
        };
        match super::chat(&facts) {
            WorkVerdict::Goes(_) => None,
            WorkVerdict::Ended(ended) => Some(ended.exit),
        }
    }

    #[test]
    fn a_chat_is_done_when_its_last_answer_is_whole() {
        use Exit::{NeedsInput, NotReady, Ready};
        let whole = || vec![user(1), agent(2, "done", counted())];
        let cut = || vec![user(1), agent(2, "I will", Value::Null)];
        let earlier = || vec![user(1), agent(2, "a", counted()), user(3)];
        for (name, case, exit) in [
            ("whole", case("waiting", whole()), Some(Ready)),
            ("an older word", case("completed", whole()), Some(Ready)),
            ("running", case("running", whole()), None),
            ("pending", case("pending", vec![user(1)]), None),
            ("an unknown word", case("pondering", whole()), None),
            ("empty", case("waiting", vec![user(1)]), Some(NotReady)),
            ("cut", case("waiting", cut()), Some(NotReady)),
            (
                "broken off",
                case("waiting", vec![user(1), agent(2, "I will", json!({"context_limit": 1}))]),
                Some(NotReady),
            ),
            ("queued messages", Case { queued: 1, ..case("waiting", cut()) }, None),
            ("our message is not taken yet", case("waiting", vec![]), None),
            ("the answer of an earlier turn", case("waiting", earlier()), Some(NotReady)),
            (
                "the newest say waiting at once",
                Case { was_busy: false, counts_tokens: false, ..case("waiting", vec![user(1)]) },
                None,
            ),
            (
                "and are quiet for a minute",
                Case {
                    was_busy: false,
                    counts_tokens: false,
                    more: json!({"updated_at": "2026-11-29T09:58:50Z"}),
                    ..case("waiting", vec![user(1)])
                },
                Some(NotReady),
            ),
            (
                "a server that counts no tokens",
                Case { counts_tokens: false, ..case("waiting", cut()) },
                Some(Ready),
            ),
            (
                "one that does in this chat",
                Case {
                    counts_tokens: false,
                    ..case(
                        "waiting",
                        vec![
                            user(1),
                            agent(2, "a", counted()),
                            user(3),
                            agent(4, "I", Value::Null),
                        ],
                    )
                },
                Some(NotReady),
            ),
            (
                "interrupted by somebody",
                Case { counts_tokens: false, was_interrupted: true, ..case("waiting", cut()) },
                Some(NotReady),
            ),
            ("cut in a tool", case("waiting", vec![user(1), call(2), result(3)]), Some(NotReady)),
            ("cut before a tool", case("waiting", vec![user(1), call(2)]), Some(NotReady)),
            (
                "tools, then words",
                case("waiting", vec![user(1), call(2), result(3), agent(4, "ok", counted())]),
                Some(Ready),
            ),
            ("a question", case("requires_action", vec![user(1), call(2)]), Some(NeedsInput)),
            ("an error", case("error", vec![user(1)]), Some(NotReady)),
            (
                "archived when it was done",
                Case { more: json!({"archived": true}), ..case("waiting", whole()) },
                Some(Ready),
            ),
            (
                "archived before",
                Case { more: json!({"archived": true}), ..case("waiting", cut()) },
                Some(NotReady),
            ),
            (
                "archived while it runs",
                Case { more: json!({"archived": true}), ..case("running", whole()) },
                Some(NotReady),
            ),
            (
                "queued for capacity",
                Case {
                    more: json!({"queued_for_capacity": true}),
                    ..case("running", vec![user(1)])
                },
                None,
            ),
        ] {
            assert_eq!(judged(&case), exit, "{name}");
        }
    }

    #[test]
    fn an_error_names_its_kind_and_whose_it_is() {
        let ended = |error: Value| chat_error(ChatError::of(&error).as_ref(), "fix-42");
        let auth = ended(
            json!({"message": "The provider refused the key.", "detail": "401", "kind": "auth"}),
        );
        assert_eq!(auth.reason, "The provider refused the key: 401 (auth)");
        assert!(auth.hint.unwrap().contains("not about your token"));
        let passing =
            ended(json!({"message": "overloaded", "kind": "overloaded", "retryable": true}));
        assert!(passing.hint.unwrap().contains("may pass: `pushready task send fix-42 MESSAGE`"));
        assert_eq!(ended(json!("old text.")).reason, "old text");
        assert!(chat_error(None, "fix-42").reason.contains("does not say why"));
    }

    #[test]
    fn the_open_call_is_the_last_without_a_result() {
        let read = |values: &[Value]| values.iter().filter_map(Message::of).collect::<Vec<_>>();
        assert_eq!(open_call(&read(&[call(2)])), Some("ask {\"q\":1}".to_owned()));
        assert_eq!(open_call(&read(&[call(2), result(3)])), None);
    }

    #[test]
    fn a_task_is_judged_by_what_its_agent_reports() {
        use Exit::{NeedsInput, NotReady, Ready};
        let lost = json!({"healthy": false, "reason": "agent has lost connection"});
        let failed =
            json!({"healthy": false, "reason": "agent startup script exited with an error"});
        let healthy = json!({"healthy": true});
        // status, state, workspace, lifecycle, health, unchanged for, exit
        for (status, state, workspace, lifecycle, health, minutes, exit) in [
            ("pending", "", "pending", "", &healthy, 0, None),
            ("initializing", "working", "running", "starting", &healthy, 0, None),
            ("active", "", "running", "ready", &healthy, 0, None),
            ("active", "working", "running", "ready", &healthy, 60, None),
            ("active", "complete", "running", "ready", &healthy, 0, Some(Ready)),
            ("active", "completed", "running", "ready", &healthy, 0, Some(Ready)),
            ("active", "failed", "running", "ready", &healthy, 0, Some(NotReady)),
            ("active", "failure", "running", "ready", &healthy, 0, Some(NotReady)),
            ("active", "idle", "running", "ready", &healthy, 0, Some(NeedsInput)),
            ("active", "pondering", "running", "ready", &healthy, 0, None),
            ("active", "idle", "running", "start_error", &failed, 0, Some(NotReady)),
            ("active", "working", "running", "ready", &lost, 0, None),
            ("active", "working", "running", "ready", &lost, 6, Some(NotReady)),
            ("error", "", "failed", "", &healthy, 0, Some(NotReady)),
            ("error", "working", "running", "ready", &healthy, 0, None),
            ("error", "working", "running", "ready", &healthy, 6, Some(NotReady)),
            ("paused", "working", "stopped", "off", &healthy, 0, Some(NotReady)),
            ("paused", "complete", "stopped", "off", &healthy, 0, Some(Ready)),
            ("unknown", "complete", "deleting", "ready", &healthy, 0, None),
            ("migrating", "complete", "running", "ready", &healthy, 0, None),
        ] {
            let state = json!({"state": state, "message": "", "timestamp": NOW});
            let value = json!({"id": "t", "status": status, "current_state": state,
                "workspace_status": workspace, "workspace_agent_lifecycle": lifecycle,
                "workspace_agent_health": health});
            let task = CoderTask::of(&value).unwrap();
            let judged = |baseline: Option<&str>, seen_idle| {
                let facts = TaskFacts {
                    task: &task,
                    baseline: baseline.map(|at| at.parse().unwrap()),
                    unchanged_for: Duration::from_secs(minutes * 60),
                    seen_idle,
                };
                match super::task(&facts) {
                    WorkVerdict::Goes(_) => None,
                    WorkVerdict::Ended(ended) => Some(ended.exit),
                }
            };
            assert_eq!(judged(None, 2), exit, "{value}");
            if exit == Some(Ready) && status == "active" {
                assert_eq!(judged(Some(NOW), 2), None, "a report from before our message: {value}");
            }
            if exit == Some(NeedsInput) {
                assert_eq!(judged(None, 1), None, "idle for a moment: {value}");
            }
        }
    }
}
