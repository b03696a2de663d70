//! Waits for the end of the work, and prints what changes.
//!
//! On Chats the stream is read as well: only there the troubles of the model show. Where a proxy
//! blocks WebSockets, the chat is polled.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::judge::{self, ChatFacts, Ended, TaskFacts, WorkVerdict};
use super::output::{OutputMode, block, progress};
use super::transcript;
use super::trouble;
use super::work::{Handle, View, Work, messages, request_text, workspace};
use crate::coder::model::text;
use crate::coder::{ApiKind, Backend, ChatStream, CoderAnswer, CoderFailure, StreamEnd, shortened};
use crate::command::print;
use crate::error::{Exit, Result};
use crate::process;
use crate::terminal::wait_for;
use crate::text::plain;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longer than a server takes to restart.
const LONGEST_OUTAGE: Duration = Duration::from_secs(10 * 60);
/// Messages that are read to judge a turn.
const OF_A_TURN: usize = 200;
/// How often in a row a stream is tried before the chat is polled.
const ATTEMPTS: u32 = 5;

/// A server that does not answer for a while.
#[derive(Default)]
pub struct Outage {
    since: Option<Instant>,
}

impl Outage {
    pub fn is_over(&mut self) {
        self.since = None;
    }

    /// Waits if the failure may pass; otherwise it is the caller's.
    pub fn wait(
        &mut self,
        failure: CoderFailure,
        mode: OutputMode,
        end: Instant,
    ) -> CoderAnswer<()> {
        let is_new = self.since.is_none();
        let since = *self.since.get_or_insert_with(Instant::now);
        if !failure.may_pass() || since.elapsed() > LONGEST_OUTAGE || Instant::now() >= end {
            return Err(failure);
        }
        if is_new {
            progress(mode, &format!("{}: trying again", without_answer(&failure)));
        }
        thread::sleep(Duration::from_secs(1));
        Ok(())
    }
}

fn without_answer(failure: &CoderFailure) -> String {
    format!("no usable answer from the server ({}: {})", failure.request, failure.cause_text())
}

/// What to watch and how.
pub struct Watch<'a> {
    pub backend: &'a Backend,
    pub handle: Handle,
    pub mode: OutputMode,
    /// Changes are printed.
    pub changes: bool,
    /// The conversation is printed.
    pub follow: bool,
    /// The last message before our own.
    pub baseline: i64,
    /// When the state was reported that was current before our own message.
    pub reported: Option<Timestamp>,
    /// A turn was seen to run.
    pub was_busy: bool,
    /// How the task was read last, if that has not been judged yet.
    pub first: Option<Work>,
    pub end: Instant,
}

/// What is remembered between two looks.
#[derive(Default)]
struct WatchMemory {
    /// The last message that was printed.
    printed: i64,
    /// The last message there is, as far as it is known.
    newest: i64,
    said: String,
    said_at: Option<Instant>,
    /// How long nothing changed when this was last printed.
    quiet: Duration,
    retry: Option<String>,
    was_interrupted: bool,
    confirmed: Option<Ended>,
    seen_idle: u32,
    condition: (String, Option<String>),
    condition_since: Option<Instant>,
    gone: u32,
}

impl WatchMemory {
    /// For the line on a terminal.
    fn waits_for(&self) -> String {
        let what = if self.said.is_empty() { "the Coder server" } else { &self.said };
        let seconds = self.said_at.map_or(0, |at| at.elapsed().as_secs());
        format!("{}:{:02} {what}", seconds / 60, seconds % 60)
    }
}

enum Events {
    Untried,
    Open(Box<ChatStream>),
    /// Opened again after a pause, unless it could not be opened so many times.
    Closed {
        next: Instant,
        attempts: u32,
    },
    Polling,
}

impl Watch<'_> {
    /// Ends with the work, or with the time.
    pub fn run(self) -> Result<(Work, Ended)> {
        let printed = self.baseline;
        self.run_from(printed)
    }

    /// The same, where the messages up to `printed` are printed already.
    pub fn run_from(mut self, printed: i64) -> Result<(Work, Ended)> {
        let mut memory = WatchMemory { printed, ..WatchMemory::default() };
        let mut events = Events::Untried;
        let mut outage = Outage::default();
        let mut pause = FIRST_PAUSE;
        let mut last: Option<Work> = None;
        self.backend.coder.end_at(self.end);
        let come_back = self.come_back(self.first.as_ref().map_or(&self.handle.id, Work::name));
        process::print_when_ended(format!("\nthe task goes on: {come_back}\n"));
        let mut line = None;
        loop {
            line.replace(wait_for(|| memory.waits_for()));
            match self.look(&mut memory) {
                Ok((work, WorkVerdict::Ended(ended))) => return Ok((work, ended)),
                Ok((work, WorkVerdict::Goes(what))) => {
                    outage.is_over();
                    if memory.said == what {
                        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
                        self.say_quiet(&mut memory);
                    } else {
                        pause = FIRST_PAUSE;
                        self.say(&mut memory, what);
                    }
                    last = Some(work);
                }
                Err(failure) if failure.is_gone() && memory.gone < 1 => memory.gone += 1,
                Err(failure) if failure.is_gone() => {
                    if let Some(work) = last {
                        return Ok((work, Ended::new(Exit::NotReady, "the task was deleted")));
                    }
                    return Err(failure.into_error("cannot read the task"));
                }
                Err(failure)
                    if failure.may_pass() && Instant::now() >= self.end && last.is_some() =>
                {
                    memory.retry = None;
                    memory.said = without_answer(&failure);
                }
                Err(failure) => {
                    outage.wait(failure, self.mode, self.end).map_err(|failure| {
                        failure.into_error("cannot read the task, which goes on")
                    })?;
                    continue;
                }
            }
            if Instant::now() >= self.end
                && let Some(work) = last.take()
            {
                let ended = self.timed_out(&memory, &work);
                return Ok((work, ended));
            }
            if memory.confirmed.is_some() {
                self.sleep(FIRST_PAUSE);
            } else if self.handle.kind == ApiKind::Chats {
                self.listen(&mut events, &mut memory, pause);
            } else {
                self.sleep(pause);
            }
        }
    }

    fn come_back(&self, name: &str) -> String {
        let command = if self.follow && !self.changes { "logs" } else { "status" };
        let option = if command == "logs" { "--follow" } else { "--watch" };
        format!("`pushready task {command} {} {option}` comes back to it", plain(name))
    }

    fn timed_out(&self, memory: &WatchMemory, work: &Work) -> Ended {
        let mut reason = format!("the time is over, and the task goes on: {}", memory.said);
        if let Some(retry) = &memory.retry {
            reason = format!("{reason}; the server tries the model again: {retry}");
        }
        Ended::new(Exit::TimedOut, reason).hint(self.come_back(work.name()))
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause.min(self.end.saturating_duration_since(Instant::now())));
    }

    fn say(&self, memory: &mut WatchMemory, what: String) {
        if self.changes {
            progress(self.mode, &what);
        }
        memory.said = what;
        memory.said_at = Some(Instant::now());
        memory.quiet = Duration::ZERO;
    }

    /// Since when nothing has changed, after one minute, two, four.
    fn say_quiet(&self, memory: &mut WatchMemory) {
        let quiet = memory.said_at.map(|at| at.elapsed()).unwrap_or_default();
        let next = (memory.quiet * 2).max(Duration::from_secs(60));
        if quiet >= next {
            memory.quiet = next;
            if self.changes {
                let since = self.backend.coder.now() - quiet;
                let since = since.strftime("%H:%M:%S UTC");
                progress(self.mode, &format!("nothing has changed since {since}: {}", memory.said));
            }
        }
    }

    fn look(&mut self, memory: &mut WatchMemory) -> CoderAnswer<(Work, WorkVerdict)> {
        let work = self.first.take().map_or_else(|| self.handle.read(self.backend), Ok)?;
        memory.gone = 0;
        if self.follow {
            self.print_new(&work, memory)?;
        }
        let verdict = match &work {
            Work::Chat(chat) => {
                self.was_busy |= chat.is_busy();
                memory.was_interrupted |= chat.status == "interrupting";
                let found = if chat.is_busy() {
                    super::work::Messages { messages: Vec::new(), queued: 0 }
                } else {
                    messages(self.backend, &self.handle, 0, OF_A_TURN)?
                };
                memory.newest = memory.newest.max(found.messages.last().map_or(0, |last| last.id));
                judge::chat(&ChatFacts {
                    chat,
                    messages: &found.messages,
                    queued: found.queued,
                    baseline: self.baseline,
                    was_busy: self.was_busy,
                    was_interrupted: memory.was_interrupted,
                    counts_tokens: self.handle.prefix == "/api/experimental",
                    now: self.backend.coder.now(),
                })
            }
            Work::Task(task) => {
                let condition = (task.status.clone(), task.unhealthy.clone());
                if memory.condition != condition || memory.condition_since.is_none() {
                    memory.condition = condition;
                    memory.condition_since = Some(Instant::now());
                }
                let is_idle = task.state.as_ref().is_some_and(|state| state.state == "idle");
                memory.seen_idle = if is_idle { memory.seen_idle + 1 } else { 0 };
                judge::task(&TaskFacts {
                    task,
                    baseline: self.reported,
                    unchanged_for: memory
                        .condition_since
                        .map(|at| at.elapsed())
                        .unwrap_or_default(),
                    seen_idle: memory.seen_idle,
                })
            }
        };
        let verdict = self.with_workspace(&work, verdict)?;
        let WorkVerdict::Ended(ended) = verdict else {
            memory.confirmed = None;
            return Ok((work, verdict));
        };
        // a chat that is idle for a moment between two turns has not failed
        let may_be_a_moment =
            matches!(&work, Work::Chat(chat) if chat.is_idle()) && ended.exit == Exit::NotReady;
        if may_be_a_moment && memory.confirmed.as_ref() != Some(&ended) {
            memory.confirmed = Some(ended);
            return Ok((work, WorkVerdict::Goes(memory.said.clone())));
        }
        Ok((work, WorkVerdict::Ended(ended)))
    }

    /// What the build and the agent add to a failure of a task, or to its start.
    fn with_workspace(&self, work: &Work, verdict: WorkVerdict) -> CoderAnswer<WorkVerdict> {
        let Work::Task(task) = work else { return Ok(verdict) };
        let WorkVerdict::Ended(mut ended) = verdict else { return Ok(verdict) };
        if ended.exit != Exit::NotReady || ended.answer.is_some() {
            return Ok(WorkVerdict::Ended(ended));
        }
        if let Some(id) = &task.workspace_id
            && let Some(workspace) = workspace(self.backend, id)?
        {
            ended = with_log(self.backend, &workspace, ended);
        }
        Ok(WorkVerdict::Ended(ended))
    }

    fn print_new(&self, work: &Work, memory: &mut WatchMemory) -> CoderAnswer<()> {
        match work {
            Work::Chat(_) => {
                let new = messages(self.backend, &self.handle, memory.printed, usize::MAX)?;
                for message in &new.messages {
                    self.print(&transcript::message(message));
                    memory.printed = memory.printed.max(message.id);
                }
            }
            Work::Task(task) => {
                // a task that starts or failed has none
                let path = format!("{}/logs", self.handle.path());
                if task.status == "active"
                    && let Ok(found) = self.backend.coder.get(&path)
                {
                    for entry in transcript::entries(&found) {
                        if entry.id >= memory.printed {
                            self.print(&transcript::entry(&entry));
                            memory.printed = entry.id + 1;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn print(&self, text: &str) {
        if self.mode == OutputMode::Text {
            print(text);
        } else {
            for line in text.lines() {
                progress(self.mode, line);
            }
        }
    }

    /// Waits for something to happen: an event of the stream, or the pause where there is none.
    fn listen(&self, events: &mut Events, memory: &mut WatchMemory, pause: Duration) {
        let may_open = match events {
            Events::Untried => true,
            Events::Closed { next, .. } => Instant::now() >= *next,
            Events::Open(_) | Events::Polling => false,
        };
        if may_open {
            let attempts = match events {
                Events::Closed { attempts, .. } => *attempts,
                _ => 0,
            };
            *events = match self.backend.coder.stream(&self.stream_path(memory)) {
                Ok(stream) => Events::Open(Box::new(stream)),
                Err(end) => self.ended(end, attempts + 1),
            };
        }
        let Events::Open(stream) = events else { return self.sleep(pause) };
        // the state is read all the same: a proxy may hold the stream back
        let until = (Instant::now() + pause).min(self.end);
        while Instant::now() < until {
            match stream.next() {
                Ok(new) => {
                    // all of them: what is left unread is lost
                    let wanted = new.iter().filter(|event| self.note(event, memory)).count();
                    if wanted > 0 {
                        return;
                    }
                }
                Err(end) => {
                    *events = self.ended(end, 0);
                    return;
                }
            }
        }
    }

    /// Without a cursor a stream begins with all messages, which may be many; they are read by
    /// pages.
    fn stream_path(&self, memory: &mut WatchMemory) -> String {
        let mut known = memory.printed.max(memory.newest).max(self.baseline);
        if known == 0 {
            let last = messages(self.backend, &self.handle, 0, 1).ok();
            known = last.and_then(|last| Some(last.messages.last()?.id)).unwrap_or_default();
            memory.newest = known;
        }
        let after = if known > 0 { format!("?after_id={known}") } else { String::new() };
        format!("{}/stream{after}", self.handle.path())
    }

    /// `attempts`: how often in a row it could not be opened.
    fn ended(&self, end: StreamEnd, attempts: u32) -> Events {
        let why = match end {
            StreamEnd::Closed(why) if attempts < ATTEMPTS => {
                tracing::debug!("the stream ended: {why}");
                return Events::Closed { next: Instant::now() + Duration::from_secs(2), attempts };
            }
            StreamEnd::Closed(why) | StreamEnd::Refused(why) => shortened(&why),
        };
        progress(self.mode, &format!("no stream of events here ({why}): polling"));
        Events::Polling
    }

    /// Notes an event. Whether it is worth a look at the chat.
    fn note(&self, event: &Value, memory: &mut WatchMemory) -> bool {
        match text(event, "type").unwrap_or_default() {
            "status" => {
                let status = event.get("status").and_then(|status| text(status, "status"));
                memory.was_interrupted |= status == Some("interrupting");
                // one that runs is polled as well
                !matches!(status, Some("running" | "pending")) || memory.said != "working"
            }
            "retry" => {
                let retry = event.get("retry").unwrap_or(&Value::Null);
                let words = retry_words(retry);
                if memory.retry.as_ref() != Some(&words) {
                    progress(self.mode, &format!("the server tries the model again: {words}"));
                }
                memory.retry = Some(words);
                false
            }
            "message_part" => {
                memory.retry = None;
                false
            }
            "history_reset" => {
                if self.follow {
                    progress(self.mode, "the server rewrote the conversation: it is printed again");
                }
                memory.printed = 0;
                true
            }
            "message" => {
                memory.retry = None;
                let id = event.get("message").and_then(|it| it.get("id")).and_then(Value::as_i64);
                self.follow && id.is_some_and(|id| id > memory.printed)
            }
            "error" | "action_required" | "queue_update" => true,
            _ => false,
        }
    }
}

/// `try 3: rate limited (rate_limit), next in 4 s`.
fn retry_words(retry: &Value) -> String {
    let number = |name: &str| retry.get(name).and_then(Value::as_i64).unwrap_or_default();
    let kind = text(retry, "kind").map_or(String::new(), |kind| format!(" ({kind})"));
    let error = text(retry, "error").unwrap_or("no reason is given").trim_end_matches('.');
    let seconds = (number("delay_ms").max(0) + 999) / 1000;
    shortened(&format!("try {}: {error}{kind}, next in {seconds} s", number("attempt")))
}

/// A failure with what the workspace and its logs say about it.
pub fn with_log(
    backend: &Backend,
    workspace: &crate::coder::model::Workspace,
    mut ended: Ended,
) -> Ended {
    if let Some(why) = trouble::pending(workspace).filter(|why| !ended.reason.contains(why)) {
        // the workspace often says more than the task about the same thing
        ended.reason =
            if why.starts_with(&ended.reason) { why } else { format!("{}: {why}", ended.reason) };
    }
    let lines = trouble::log(backend, workspace);
    if !lines.is_empty() {
        ended.answer = Some(lines.join("\n"));
    }
    if trouble::is_quota(workspace) {
        ended =
            ended.hint("the quota is used up: delete workspaces, or ask an administrator for more");
    }
    ended
}

/// The end of the work with what is to be looked at: the pull request, the branch and the page.
pub fn end_text(ended: &Ended, view: &View) -> String {
    let mut out = ended_text(ended);
    if let Some(request) = &view.pull_request {
        out.push_str(&request_text(request));
    }
    crate::text::add_line(&mut out, format_args!("  page {}", view.url));
    out
}

/// The end of the work, for people.
pub fn ended_text(ended: &Ended) -> String {
    let mut out = String::new();
    let head = match ended.exit {
        Exit::Ready => "done".to_owned(),
        exit => format!("{}: {}", super::output::word(exit), ended.reason),
    };
    crate::text::add_line(&mut out, format_args!("{head}"));
    if let Some(answer) = &ended.answer {
        out.push_str(&block("  ", answer));
    }
    if let Some(hint) = &ended.hint {
        crate::text::add_line(&mut out, format_args!("  {hint}"));
    }
    out
}
