//! `task status`, `task list` and `task open`.

use std::io::IsTerminal as _;
use std::time::Instant;

use serde::Serialize;

use super::judge::Ended;
use super::output::{self, OutputMode, block, progress};
use super::readiness;
use super::trouble;
use super::watch::{Watch, end_text};
use super::work::{
    Archived, OURS, View, WORKSPACE_OURS, Work, WorkspaceView, chats, get, request_text, workspace,
};
use super::workflow;
use crate::cli::task::{List, TaskOpen, TaskStatus};
use crate::coder::model::{CoderTask, list as items};
use crate::coder::{ApiKind, Backend, CoderFailure};
use crate::command::print;
use crate::env::Env;
use crate::error::{Exit, Result};
use crate::process::{self, Program};
use crate::text::{add_line, plain};

/// The most characters of a column: a task's name has at most 32, and what a server calls one may
/// have any number.
const WIDEST: usize = 60;

/// The outcome of waiting, in JSON.
#[derive(Serialize)]
pub struct OutcomeView {
    reason: String,
    answer: Option<String>,
    hint: Option<String>,
}

impl OutcomeView {
    pub fn of(ended: &Ended) -> Self {
        let Ended { reason, answer, hint, .. } = ended.clone();
        Self { reason, answer, hint }
    }
}

/// A task with its workspace, and with what our line there says.
pub fn describe(backend: &Backend, work: &Work) -> (View, Vec<String>) {
    let mut view = View::of(work, backend);
    let mut log = Vec::new();
    let found = work.workspace_id().and_then(|id| workspace(backend, id).ok().flatten());
    if let Some(found) = found {
        let made_for_task = match work {
            Work::Task(_) => true,
            Work::Chat(chat) => chat.label(WORKSPACE_OURS.0) == Some(WORKSPACE_OURS.1),
        };
        view.pending = trouble::pending(&found);
        if view.pending.is_some() {
            log = trouble::log(backend, &found);
        } else {
            (view.readiness, view.readiness_age_s) = readiness::now(backend, &found).unzip();
            view.readiness_age_s = view.readiness_age_s.filter(|age| *age >= 0);
        }
        view.workspace = Some(WorkspaceView::of(&found, work.agent_id(), made_for_task));
    }
    (view, log)
}

pub fn text(view: &View, backend: &Backend, log: &[String]) -> String {
    let mut out = String::new();
    let title = plain(&view.title).chars().take(100).collect::<String>();
    let title = if title == view.name { String::new() } else { format!(" {title}") };
    add_line(&mut out, format_args!("{} {}{title}", view.name, view.state));
    let kind = if view.backend == ApiKind::Tasks.name() { "task" } else { "chat" };
    add_line(
        &mut out,
        format_args!(
            "  {kind} {} ({}), on Coder {} ({})",
            view.id, view.status, backend.version, view.backend
        ),
    );
    if let Some(message) = &view.message {
        out.push_str(&block("  says: ", message));
    }
    if let Some(error) = &view.last_error {
        let kind = error.kind.as_deref().map_or(String::new(), |kind| format!(" ({kind})"));
        let detail = error.detail.as_deref().unwrap_or_default();
        add_line(&mut out, format_args!("  error{kind}: {detail}"));
    }
    if let Some(found) = &view.workspace {
        let made = if found.made_for_task { ", made for it" } else { "" };
        add_line(
            &mut out,
            format_args!(
                "  workspace {}/{} {} (build {}, template {}{made})",
                found.owner, found.name, found.status, found.build_number, found.template
            ),
        );
        if let Some(agent) = &found.agent {
            let unhealthy = agent.unhealthy.as_deref();
            let unhealthy = unhealthy.map_or(String::new(), |why| format!(": {why}"));
            add_line(
                &mut out,
                format_args!(
                    "  agent {} {} {}{unhealthy}",
                    agent.name, agent.status, agent.lifecycle
                ),
            );
        }
    }
    if let Some(pending) = &view.pending {
        add_line(&mut out, format_args!("  waits: {pending}"));
    }
    for line in log {
        add_line(&mut out, format_args!("    {line}"));
    }
    if let Some(line) = &view.readiness {
        let age = view.readiness_age_s.map_or(String::new(), readiness::age_text);
        add_line(&mut out, format_args!("  pushready there: {line}{age}"));
    }
    if let Some(request) = &view.pull_request {
        out.push_str(&request_text(request));
    }
    add_line(&mut out, format_args!("  page {}", view.url));
    out
}

#[derive(Serialize)]
struct StatusBody {
    task: View,
    log: Vec<String>,
    outcome: Option<OutcomeView>,
}

pub fn status(
    backend: &Backend,
    env: &Env,
    arguments: &TaskStatus,
    mode: OutputMode,
) -> Result<Exit> {
    let (work, handle) = get(backend, &arguments.task, Archived::Also)?;
    if !arguments.watch {
        let (view, log) = describe(backend, &work);
        if mode == OutputMode::Json {
            let body = StatusBody { task: view, log, outcome: None };
            output::document("task status", backend, Exit::Ready, body);
        } else {
            print(&text(&view, backend, &log));
        }
        return Ok(Exit::Ready);
    }
    let watch = Watch {
        backend,
        handle,
        mode,
        changes: true,
        follow: false,
        baseline: 0,
        reported: None,
        was_busy: false,
        first: Some(work),
        end: Instant::now() + arguments.timeout,
    };
    let (work, ended) = watch.run()?;
    let (view, log) = describe(backend, &work);
    workflow::write(env, &view, ended.exit, Some(&ended));
    if mode == OutputMode::Json {
        let body = StatusBody { task: view, log, outcome: Some(OutcomeView::of(&ended)) };
        output::document("task status", backend, ended.exit, body);
    } else {
        print(&end_text(&ended, &view));
    }
    Ok(ended.exit)
}

#[derive(Serialize)]
struct ListBody {
    tasks: Vec<View>,
}

pub fn list(backend: &Backend, arguments: &List, mode: OutputMode) -> Result<Exit> {
    let failed = |failure: CoderFailure| failure.into_error("cannot list the tasks");
    let mut all: Vec<Work> = Vec::new();
    let served = backend.served()?;
    for (kind, prefix) in served.iter().copied() {
        match kind {
            ApiKind::Tasks => {
                let path = format!("{prefix}/tasks?q=owner:me");
                let found = backend.coder.get(&path).map_err(failed)?;
                let found = found.get("tasks").map(items).unwrap_or_default();
                all.extend(found.iter().filter_map(CoderTask::of).map(Work::Task));
            }
            ApiKind::Chats => {
                let labels: &[_] = if arguments.all { &[] } else { &[OURS] };
                let mut found = chats(backend, prefix, labels, false).map_err(failed)?;
                if arguments.all {
                    found.extend(chats(backend, prefix, labels, true).map_err(failed)?);
                }
                all.extend(found.into_iter().map(Work::Chat));
            }
        }
    }
    let mut views: Vec<_> = all.iter().map(|work| View::of(work, backend)).collect();
    if let Some(wanted) = &arguments.state {
        views.retain(|view| view.state == *wanted || view.status == *wanted);
    }
    views.sort_by_key(|view| std::cmp::Reverse(view.created_at));
    if mode == OutputMode::Json {
        output::document("task list", backend, Exit::Ready, ListBody { tasks: views });
        return Ok(Exit::Ready);
    }
    let width = |text: fn(&View) -> &str| {
        let widths = views.iter().map(|view| text(view).chars().count());
        widths.max().unwrap_or_default().min(WIDEST)
    };
    let (names, states) = (width(|view| &view.name), width(|view| &view.state));
    let mut out = String::new();
    for view in &views {
        let title: String = plain(&view.title).chars().take(60).collect();
        let title = if title == view.name { String::new() } else { title };
        let line =
            format!("{:names$}  {:states$}  {}  {title}", view.name, view.state, view.backend);
        add_line(&mut out, format_args!("{}", line.trim_end()));
    }
    print(&out);
    if views.is_empty() {
        let apis: Vec<_> = served.iter().map(|(kind, _)| kind.name()).collect();
        let hint = if arguments.all { "" } else { "; --all lists those of others too" };
        let none = format!("no tasks on Coder {} ({}){hint}", backend.version, apis.join(", "));
        progress(OutputMode::Quiet, &none);
    }
    Ok(Exit::Ready)
}

#[derive(Serialize)]
struct OpenBody {
    task: View,
}

pub fn open(backend: &Backend, env: &Env, arguments: &TaskOpen, mode: OutputMode) -> Result<Exit> {
    let (work, _) = get(backend, &arguments.task, Archived::Also)?;
    let view = View::of(&work, backend);
    let url = view.url.clone();
    if mode == OutputMode::Json {
        output::document("task open", backend, Exit::Ready, OpenBody { task: view });
        return Ok(Exit::Ready);
    }
    print(&format!("{url}\n"));
    let has_desktop =
        ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| env.get(name).is_some());
    if has_desktop && std::io::stdout().is_terminal() {
        let mut command = process::command_in(Program::Browser, env);
        command.arg(&url);
        if let Err(failure) = process::run(command, std::time::Duration::from_secs(10)) {
            output::warn(&format!("cannot open it: {}: {failure}", Program::Browser));
        }
    }
    Ok(Exit::Ready)
}
