//! `task send`: a message to the agent, exactly once.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::output::{self, OutputMode, progress};
use super::prompt;
use super::transcript::entries;
use super::watch::Outage;
use super::work::{Archived, Handle, View, Work, get, messages};
use crate::cli::task::Send;
use crate::coder::model::{Chat, CoderTask};
use crate::coder::{ApiKind, Backend, CoderFailure};
use crate::error::{Error, Exit, Result};
use crate::http::segment;
use crate::terminal::wait_for;
use crate::text::add_line;

/// An app that stopped answering often comes back within minutes.
const FOR_THE_APP: Duration = Duration::from_secs(5 * 60);

/// What is known about a message that was sent.
pub struct Sent {
    /// The chat was busy: it takes the message when it is idle.
    pub queued: bool,
    /// The last message before it.
    pub baseline: i64,
    /// When the state was reported that a task had before it.
    pub reported: Option<Timestamp>,
}

fn body(text: &str, interrupt: bool) -> serde_json::Value {
    let mut body = json!({"content": [{"type": "text", "text": text}]});
    if interrupt && let Some(fields) = body.as_object_mut() {
        fields.insert("busy_behavior".to_owned(), json!("interrupt"));
    }
    body
}

/// Sends to a chat. A busy one queues the message.
pub fn to_chat(backend: &Backend, handle: &Handle, text: &str, interrupt: bool) -> Result<Sent> {
    let failed = |failure: CoderFailure| failure.into_error("cannot send the message");
    let before = messages(backend, handle, 0, 1).map_err(failed)?;
    let baseline = before.messages.last().map_or(0, |last| last.id);
    let path = format!("{}/messages", handle.path());
    let sent = |queued| Sent { queued, baseline, reported: None };
    let mut again = true;
    loop {
        match backend.coder.post(&path, Some(&body(text, interrupt))) {
            Ok(answer) => {
                let queued = answer.get("queued").and_then(serde_json::Value::as_bool);
                return Ok(sent(queued == Some(true)));
            }
            Err(failure) if failure.is_uncertain() => {
                if let Some(queued) = arrived(backend, handle, baseline, before.queued, text)? {
                    return Ok(sent(queued));
                }
                if !again {
                    return Err(uncertain(failure, &handle.id));
                }
                again = false;
            }
            // it may take messages after its next change
            Err(failure) if again && failure.says("Chat is not in a state") => {
                again = false;
                thread::sleep(Duration::from_secs(2));
            }
            Err(failure) => return Err(failed(failure)),
        }
    }
}

/// Whether a message whose answer was lost arrived; `true` if it is queued.
fn arrived(
    backend: &Backend,
    handle: &Handle,
    baseline: i64,
    queued: usize,
    text: &str,
) -> Result<Option<bool>> {
    let look = || {
        let now = messages(backend, handle, baseline, 50)?;
        let is_ours =
            now.messages.iter().any(|message| message.role == "user" && message.text() == text);
        Ok(match () {
            () if is_ours => Some(false),
            () if now.queued > queued => Some(true),
            () => None,
        })
    };
    super::workspace::looked_up(look)
        .map_err(|failure| failure.into_error("cannot look up whether the message arrived"))
}

fn uncertain(failure: CoderFailure, id: &str) -> Error {
    failure
        .into_error("it is not known whether the message arrived")
        .hint(format!("look before you send it again: `pushready task logs {id} --tail 5`"))
        .exit(Exit::CouldNotRun)
}

/// How long and how far a message to a task is brought.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Nothing is resumed, and nothing is waited for.
    pub at_once: bool,
    pub end: Instant,
    pub mode: OutputMode,
}

/// Sends to a task: resumes it if it is paused, and waits until it takes input.
/// `task` is how it was read last.
pub fn to_task(
    backend: &Backend,
    handle: &Handle,
    task: CoderTask,
    text: &str,
    effort: Effort,
) -> Result<Sent> {
    let begin = backend.coder.now();
    let path = format!("{}/send", handle.path());
    let mut since_error: Option<Instant> = None;
    let mut known = Some(task);
    loop {
        let task = ready(backend, handle, known.take(), effort, &mut since_error)?;
        let reported = task.state.as_ref().and_then(|state| state.timestamp);
        let Err(failure) = backend.coder.post(&path, Some(&json!({"input": text}))) else {
            return Ok(Sent { queued: false, baseline: 0, reported });
        };
        // surely not delivered: the task changed its state, or its app is busy
        let is_state = matches!(failure.status(), Some(409))
            || (failure.status() == Some(400)
                && (failure.says("Task status must be active")
                    || failure.says("Task must be active")))
            || failure.says("Failed to get status from task app");
        if is_state && !effort.at_once {
            if Instant::now() >= effort.end {
                return Err(failure.into_error("the message was not sent").exit(Exit::TimedOut));
            }
            thread::sleep(Duration::from_secs(1));
            continue;
        }
        if failure.is_uncertain() && !is_state {
            if input_arrived(backend, handle, text, begin) {
                return Ok(Sent { queued: false, baseline: 0, reported });
            }
            return Err(uncertain(failure, &handle.id));
        }
        return Err(failure.into_error("cannot send the message"));
    }
}

/// Whether the app has the input already.
fn input_arrived(backend: &Backend, handle: &Handle, text: &str, begin: Timestamp) -> bool {
    let Ok(logs) = backend.coder.get(&format!("{}/logs", handle.path())) else { return false };
    let all = entries(&logs);
    let last = all.iter().rev().find(|entry| entry.kind == "input");
    last.is_some_and(|last| {
        let time = last.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        last.content.trim() == text.trim() && time.is_some_and(|time| time >= begin)
    })
}

/// The task when it takes input.
fn ready(
    backend: &Backend,
    handle: &Handle,
    mut known: Option<CoderTask>,
    effort: Effort,
    since_error: &mut Option<Instant>,
) -> Result<CoderTask> {
    let failed = |failure: CoderFailure| failure.into_error("cannot read the task");
    let (mut outage, mut said) = (Outage::default(), String::new());
    let mut resumed = false;
    loop {
        let read = known.take().map_or_else(|| handle.read(backend), |task| Ok(Work::Task(task)));
        let task = match read {
            Ok(Work::Task(task)) => task,
            Ok(Work::Chat(_)) => return Err(Error::new("it is not a task")),
            Err(failure) => {
                outage.wait(failure, effort.mode, effort.end).map_err(failed)?;
                continue;
            }
        };
        outage.is_over();
        let refused = |why: String| {
            Error::new(format!("the task takes no message: {why}")).exit(Exit::NotReady)
        };
        let word = task.state.as_ref().map_or("", |state| &*state.state);
        let what = match &*task.status {
            // its app refuses what it cannot take
            "active" if word != "working" || effort.at_once => return Ok(task),
            "active" => "the agent is working".to_owned(),
            "paused" if effort.at_once => {
                return Err(
                    refused("it is paused".to_owned()).hint("without --no-wait it is resumed")
                );
            }
            "paused" if !resumed => {
                resume(backend, handle, &task)?;
                resumed = true;
                "the task is being resumed".to_owned()
            }
            "paused" => "the task is being resumed".to_owned(),
            _ if effort.at_once => return Err(refused(format!("it is {}", task.status))),
            "error" if matches!(&*task.workspace_status, "failed" | "canceled") => {
                return Err(refused("the build of its workspace failed".to_owned())
                    .hint(format!("`pushready task status {}` says why", task.name)));
            }
            "error" if since_error.get_or_insert_with(Instant::now).elapsed() > FOR_THE_APP => {
                return Err(refused("the agent's app does not answer".to_owned()));
            }
            "error" => "the agent's app does not answer; it may come back".to_owned(),
            other => format!("the task is {other}"),
        };
        if what != said {
            progress(effort.mode, &what);
            said = what;
        }
        if Instant::now() >= effort.end {
            return Err(Error::new(format!(
                "the time is over, and the message was not sent: {said}"
            ))
            .hint("a longer --timeout waits longer")
            .exit(Exit::TimedOut));
        }
        let _wait = wait_for(|| said.clone());
        thread::sleep(Duration::from_secs(1));
    }
}

/// Starts the workspace of a paused task. 2.29 has no such request: there it is a build.
fn resume(backend: &Backend, handle: &Handle, task: &CoderTask) -> Result<()> {
    let failed = |failure: CoderFailure| failure.into_error("cannot resume the task");
    let is_under_way =
        |failure: &CoderFailure| failure.status() == Some(409) || failure.is_uncertain();
    match backend.coder.post(&format!("{}/resume", handle.path()), None) {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_served() || failure.status() == Some(405) => {
            let id = task.workspace_id.as_deref().unwrap_or_default();
            let path = format!("/api/v2/workspaces/{}/builds", segment(id));
            match backend.coder.post(&path, Some(&json!({"transition": "start"}))) {
                Ok(_) => Ok(()),
                Err(failure) if is_under_way(&failure) => Ok(()),
                Err(failure) => Err(failed(failure)),
            }
        }
        Err(failure) if is_under_way(&failure) => Ok(()),
        Err(failure) => Err(failed(failure)),
    }
}

#[derive(Serialize)]
struct SendBody {
    task: View,
    queued: bool,
}

/// The message, which is read before any server is asked.
pub fn read_text(arguments: &Send) -> Result<String> {
    prompt::checked(match arguments.text.as_deref() {
        None | Some("-") => prompt::stdin()?,
        Some(text) => text.to_owned(),
    })
}

pub fn run(backend: &Backend, arguments: &Send, text: &str, mode: OutputMode) -> Result<Exit> {
    let (work, handle) = get(backend, &arguments.task, Archived::Also)?;
    let sent = match &work {
        Work::Chat(chat) => {
            check_live(chat)?;
            to_chat(backend, &handle, text, arguments.interrupt)?
        }
        Work::Task(_) if arguments.interrupt => {
            return Err(Error::new("a task cannot be interrupted")
                .hint("--interrupt is for Agents (Chats); without it the message waits until the task takes it")
                .exit(Exit::Usage));
        }
        Work::Task(task) => {
            let end = Instant::now() + arguments.timeout;
            let effort = Effort { at_once: arguments.no_wait, end, mode };
            to_task(backend, &handle, task.clone(), text, effort)?
        }
    };
    if mode == OutputMode::Json {
        let task = View::of(&work, backend);
        output::document("task send", backend, Exit::Ready, SendBody { task, queued: sent.queued });
    } else {
        let mut out = String::new();
        let what = match (handle.kind, sent.queued) {
            (ApiKind::Chats, true) => "queued: the agent takes it when its turn ends",
            _ => "sent",
        };
        add_line(&mut out, format_args!("{what}"));
        add_line(
            &mut out,
            format_args!("  `pushready task status {} --watch` waits for the end", work.name()),
        );
        crate::command::print(&out);
    }
    Ok(Exit::Ready)
}

fn check_live(chat: &Chat) -> Result<()> {
    if chat.archived {
        return Err(Error::new("the chat is archived, and takes no message")
            .hint("start a new one: `pushready task create`")
            .exit(Exit::NotReady));
    }
    Ok(())
}
