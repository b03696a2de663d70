//! `task logs`: the conversation, with one line for each tool call.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::judge::Ended;
use super::output::{self, OutputMode, progress, warn};
use super::transcript::{Entry, entries, entry, message};
use super::watch::{Watch, end_text};
use super::work::{Archived, Work, get, messages};
use crate::cli::task::Logs;
use crate::coder::Backend;
use crate::coder::model::{Message, Part};
use crate::command::print;
use crate::error::{Exit, Result};

/// One message in JSON, the same for both APIs.
#[derive(Serialize)]
struct LogLine {
    id: i64,
    role: String,
    time: Option<String>,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct LogsBody {
    task: super::work::View,
    messages: Vec<LogLine>,
    /// They were stored when the workspace was stopped.
    snapshot: bool,
}

pub fn run(backend: &Backend, arguments: &Logs, mode: OutputMode) -> Result<Exit> {
    let (work, handle) = get(backend, &arguments.task, Archived::Also)?;
    let failed =
        |failure: crate::coder::CoderFailure| failure.into_error("cannot read the conversation");
    let most = arguments.tail.unwrap_or(usize::MAX);
    let (mut lines, mut snapshot) = (Vec::new(), false);
    let mut printed = 0;
    match &work {
        Work::Chat(_) => {
            let found = messages(backend, &handle, 0, most).map_err(failed)?;
            for one in &found.messages {
                printed = printed.max(one.id);
                if mode == OutputMode::Text {
                    print(&message(one));
                }
            }
            if mode == OutputMode::Json {
                lines = found.messages.into_iter().map(LogLine::of).collect();
            }
        }
        Work::Task(task) => {
            let path = format!("{}/logs", handle.path());
            let found = match backend.coder.get(&path) {
                Ok(found) => found,
                Err(failure) if arguments.follow && failure.status() == Some(409) => Value::Null,
                Err(failure) if failure.status() == Some(409) || failure.status() == Some(400) => {
                    return Err(failure
                        .into_error(format!("a task that is {} has no conversation", task.status))
                        .hint(format!("`pushready task status {}` says why", work.name()))
                        .exit(Exit::NotReady));
                }
                Err(failure) => return Err(failed(failure)),
            };
            snapshot = found.get("snapshot").and_then(Value::as_bool) == Some(true);
            let mut all = entries(&found);
            all.drain(..all.len().saturating_sub(most));
            printed = all.last().map_or(0, |last| last.id + 1);
            if snapshot && mode == OutputMode::Text {
                warn(&format!(
                    "the task is {}: these messages were stored when its workspace was stopped",
                    task.status
                ));
            }
            for one in &all {
                if mode == OutputMode::Text {
                    print(&entry(one));
                }
            }
            lines = all.into_iter().map(LogLine::of_entry).collect();
        }
    }
    let mut exit = Exit::Ready;
    let mut work = work;
    if arguments.follow {
        let watch = Watch {
            backend,
            handle,
            mode,
            changes: false,
            follow: true,
            baseline: 0,
            reported: None,
            was_busy: false,
            first: Some(work),
            end: Instant::now() + arguments.timeout,
        };
        let (last, ended): (Work, Ended) = watch.run_from(printed)?;
        exit = ended.exit;
        work = last;
        if mode == OutputMode::Text && exit != Exit::Ready {
            let view = super::work::View::of(&work, backend);
            print(&end_text(&Ended { answer: None, ..ended }, &view));
        }
    }
    if mode == OutputMode::Json {
        let task = super::work::View::of(&work, backend);
        output::document("task logs", backend, exit, LogsBody { task, messages: lines, snapshot });
    } else if printed == 0 && !arguments.follow {
        progress(mode, "no messages yet");
    }
    Ok(exit)
}

impl LogLine {
    fn of(message: Message) -> Self {
        Self {
            id: message.id,
            role: message.role,
            time: message.created_at.map(|time| time.to_string()),
            parts: message.parts,
        }
    }

    fn of_entry(entry: Entry) -> Self {
        let role = if entry.kind == "input" { "user" } else { "assistant" };
        let parts = vec![Part::Text { text: entry.content }];
        Self { id: entry.id, role: role.to_owned(), time: entry.time, parts }
    }
}
