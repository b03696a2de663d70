//! `task delete` and `task gc`: both layers, the task and the workspace that was made for it.
//! Interrupted and run again, it finishes.

use std::collections::HashSet;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::names;
use super::output::{self, OutputMode, progress};
use super::watch::Outage;
use super::work::{
    Archived, Handle, OURS, Paging, WORKSPACE_OURS, Work, chat_name, chats, find, is_uuid,
    not_found, workspace,
};
use super::workspace::{self, Removed};
use crate::cli::task::{Delete, Gc, WorkspacePolicy};
use crate::coder::model::{Chat, CoderTask, Workspace, list};
use crate::coder::{ApiKind, Backend, CoderAnswer, CoderFailure};
use crate::command::print;
use crate::error::{Error, Exit, Result};
use crate::text::{add_line, plain};

/// How long a turn may take to end after it was interrupted.
const FOR_THE_TURN: Duration = Duration::from_secs(60);

/// What became of one task.
#[derive(Serialize)]
struct Deleted {
    task: String,
    /// It is gone, or archived.
    removed: bool,
    workspace: Option<String>,
    /// `none kept stopped deleted failed timed-out`.
    workspace_result: &'static str,
    message: String,
    #[serde(skip)]
    exit: ExitOf,
}

/// An exit status that JSON does not need.
#[derive(Clone, Copy)]
struct ExitOf(Exit);

#[derive(Serialize)]
struct DeleteBody {
    deleted: Vec<Deleted>,
}

/// Asks, before any server is asked, unless the command line says yes.
pub fn confirm(arguments: &Delete) -> Result<()> {
    if !arguments.yes && !confirmed(&arguments.tasks)? {
        return Err(Error::new("nothing was deleted").exit(Exit::NotReady));
    }
    Ok(())
}

pub fn run(backend: &Backend, arguments: &Delete, mode: OutputMode) -> Result<Exit> {
    let end = Instant::now() + arguments.timeout;
    let mut all = Vec::new();
    for text in &arguments.tasks {
        let deleted = match one(backend, text, arguments.workspace, end, mode) {
            Ok(deleted) => deleted,
            // the others go on
            Err(error) if arguments.tasks.len() > 1 => {
                crate::command::print_error(&error);
                let message = error.for_json().message.to_owned();
                Deleted::failed(text, message, error.status())
            }
            Err(error) => return Err(error),
        };
        if mode != OutputMode::Json {
            print(&deleted.text());
        }
        all.push(deleted);
    }
    let exit = all.iter().map(|it| it.exit.0).find(|exit| *exit != Exit::Ready);
    let exit = exit.unwrap_or(Exit::Ready);
    if mode == OutputMode::Json {
        output::document("task delete", backend, exit, DeleteBody { deleted: all });
    }
    Ok(exit)
}

impl Deleted {
    fn failed(text: &str, message: String, exit: Exit) -> Self {
        Self {
            task: plain(text).into_owned(),
            removed: false,
            workspace: None,
            workspace_result: "none",
            message,
            exit: ExitOf(exit),
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        add_line(&mut out, format_args!("{}: {}", self.task, self.message));
        out
    }
}

fn confirmed(tasks: &[String]) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::new("delete cannot prompt here")
            .hint("give --yes to delete without a question")
            .exit(Exit::Usage));
    }
    let mut err = std::io::stderr().lock();
    let names: Vec<_> = tasks.iter().map(|task| plain(task)).collect();
    let _ = write!(
        err,
        "delete {}, and the workspaces that were made for them? [y/N] ",
        names.join(", ")
    );
    let _ = err.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(&*answer.trim().to_ascii_lowercase(), "y" | "yes"))
}

fn one(
    backend: &Backend,
    text: &str,
    policy: Option<WorkspacePolicy>,
    end: Instant,
    mode: OutputMode,
) -> Result<Deleted> {
    match find(backend, text, Archived::Also)? {
        Some((Work::Chat(chat), handle)) => chat_of(backend, &chat, &handle, policy, end, mode),
        Some((Work::Task(task), handle)) => task_of(backend, &task, &handle, policy, end, mode),
        // an earlier run may have come as far as its workspace
        None => match left_over(backend, text)? {
            Some(found) => {
                let removed = workspace::remove(backend, &found.id, 2, end, mode)?;
                Ok(of_workspace(text, true, &found, &removed, "the task was gone"))
            }
            None => Err(not_found(text)),
        },
    }
}

/// A workspace that an earlier run left: one of a task that is being deleted, or one that was made
/// for a chat that there never was.
fn left_over(backend: &Backend, text: &str) -> Result<Option<Workspace>> {
    let failed =
        |failure: CoderFailure| failure.into_error("cannot look for what an earlier run left");
    let is_deleting = |found: &Workspace| found.build.transition == "delete" && !found.is_deleted();
    let is_of_a_task = |found: &Workspace| found.task_id.is_some() || found.build.has_ai_task;
    if is_uuid(text) {
        let all = own_workspaces(backend).map_err(failed)?;
        let of_task =
            |found: &Workspace| found.task_id.as_deref() == Some(text) && is_deleting(found);
        return Ok(all.into_iter().find(of_task));
    }
    let (owner, name) = text.rsplit_once('/').unwrap_or(("me", text));
    let is_ours = |found: &Workspace| {
        found.owner_id == backend.user.id && names::is_made_up(&found.owner_id, &found.name)
    };
    let named = workspace::by_name(backend, owner, name).map_err(failed)?;
    let named = named.filter(|found| is_ours(found) || (is_deleting(found) && is_of_a_task(found)));
    if let Some(found) = named {
        return only_without_chat(backend, found).map_err(failed);
    }
    let made_up = names::workspace(&backend.user.id, name);
    match workspace::by_name(backend, "me", &made_up).map_err(failed)? {
        Some(found) => only_without_chat(backend, found).map_err(failed),
        None => Ok(None),
    }
}

/// The workspace, unless a live chat uses it.
fn only_without_chat(backend: &Backend, found: Workspace) -> CoderAnswer<Option<Workspace>> {
    Ok(if users(backend, &found.id, "")?.is_empty() { Some(found) } else { None })
}

/// Other live chats in the same workspace.
fn users(backend: &Backend, workspace: &str, but: &str) -> CoderAnswer<Vec<Chat>> {
    let Some(prefix) = backend.prefix(ApiKind::Chats).ok().flatten() else { return Ok(Vec::new()) };
    let mut all = chats(backend, prefix, &[], false)?;
    all.retain(|chat| chat.id != but && chat.workspace_id.as_deref() == Some(workspace));
    Ok(all)
}

fn own_workspaces(backend: &Backend) -> CoderAnswer<Vec<Workspace>> {
    const PATH: &str = "/api/v2/workspaces";
    const PAGE: usize = 100;
    let mut all: Vec<Workspace> = Vec::new();
    let mut known = HashSet::new();
    let mut paging = Paging::default();
    loop {
        let query = format!("q=owner:me&limit={PAGE}&offset={}", all.len());
        let found = backend.coder.get(&format!("{PATH}?{query}"))?;
        let page = found.get("workspaces").map(list).unwrap_or_default();
        let count = page.len();
        let new: Vec<_> = page
            .iter()
            .filter_map(Workspace::of)
            .filter(|found| known.insert(found.id.clone()))
            .collect();
        let is_last = count < PAGE || new.is_empty();
        if !is_last {
            paging.must_go_on(PATH, &new)?;
        }
        all.extend(new);
        if is_last {
            return Ok(all);
        }
    }
}

fn of_workspace(
    name: &str,
    removed: bool,
    found: &Workspace,
    result: &Removed,
    about: &str,
) -> Deleted {
    let full = found.full_name();
    let (word, message, exit) = match result {
        Removed::Done => {
            ("deleted", format!("{about}, and its workspace {full} is deleted"), Exit::Ready)
        }
        Removed::Failed(why) => (
            "failed",
            format!(
                "{about}, but its workspace {full} is left: the delete build failed ({why}); an administrator can remove it: `coder delete {full} --orphan`"
            ),
            Exit::NotReady,
        ),
        Removed::TimedOut => (
            "timed-out",
            format!(
                "{about}, but the time is over before its workspace {full} is gone: run it again"
            ),
            Exit::TimedOut,
        ),
    };
    Deleted {
        task: plain(name).into_owned(),
        removed,
        workspace: Some(full),
        workspace_result: word,
        message,
        exit: ExitOf(exit),
    }
}

/// Interrupts a chat that runs, waits until it is idle, and archives it.
fn archive(backend: &Backend, chat: &Chat, handle: &Handle, mode: OutputMode) -> Result<()> {
    let failed = |failure: CoderFailure| failure.into_error("cannot archive the chat");
    let end = Instant::now() + FOR_THE_TURN;
    let mut outage = Outage::default();
    let mut chat = chat.clone();
    let mut interrupted = false;
    loop {
        if chat.archived {
            return Ok(());
        }
        if chat.is_busy() && Instant::now() < end {
            if !interrupted {
                progress(mode, "the chat runs: it is interrupted first");
                // 409: it is idle by now
                match backend.coder.post(&format!("{}/interrupt", handle.path()), None) {
                    Err(failure) if failure.status() == Some(409) || failure.is_uncertain() => {}
                    answer => drop(answer.map_err(failed)?),
                }
                interrupted = true;
            }
            std::thread::sleep(Duration::from_millis(500));
        } else {
            match backend.coder.patch(&handle.path(), &json!({"archived": true})) {
                Ok(_) => return Ok(()),
                Err(failure) if failure.says("Chat is already archived") => return Ok(()),
                // it runs again, or its answer is still being stored
                Err(failure) if failure.status() == Some(409) && Instant::now() < end => {
                    match backend.coder.post(&format!("{}/interrupt", handle.path()), None) {
                        Err(failure) if failure.status() == Some(409) || failure.is_uncertain() => {
                        }
                        answer => drop(answer.map_err(failed)?),
                    }
                    std::thread::sleep(Duration::from_millis(500));
                }
                // the next look tells whether it had an effect
                Err(failure) if failure.is_uncertain() && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(500));
                }
                Err(failure) => return Err(failed(failure)),
            }
        }
        match handle.read(backend) {
            Ok(Work::Chat(next)) => chat = next,
            Ok(Work::Task(_)) => {}
            Err(failure) => outage.wait(failure, mode, end).map_err(failed)?,
        }
    }
}

fn chat_of(
    backend: &Backend,
    chat: &Chat,
    handle: &Handle,
    policy: Option<WorkspacePolicy>,
    end: Instant,
    mode: OutputMode,
) -> Result<Deleted> {
    archive(backend, chat, handle, mode)?;
    let done =
        |workspace: Option<&Workspace>, (result, message, exit): ChatWorkspaceOutcome| Deleted {
            task: plain(chat_name(chat)).into_owned(),
            removed: true,
            workspace: workspace.map(Workspace::full_name),
            workspace_result: result,
            message: format!("archived{message}"),
            exit: ExitOf(exit),
        };
    let Some(id) = &chat.workspace_id else {
        return Ok(done(None, ("none", "; it has no workspace".to_owned(), Exit::Ready)));
    };
    let found = workspace(backend, id).map_err(|failure| {
        failure.into_error("the chat is archived, but its workspace cannot be read")
    })?;
    let Some(found) = found.filter(|found| !found.is_deleted()) else {
        return Ok(done(None, ("none", "; its workspace is gone already".to_owned(), Exit::Ready)));
    };
    let is_ours = chat.label(WORKSPACE_OURS.0) == Some(WORKSPACE_OURS.1)
        && (found.owner_id.is_empty() || found.owner_id == backend.user.id);
    let policy =
        policy.unwrap_or(if is_ours { WorkspacePolicy::Delete } else { WorkspacePolicy::Keep });
    match policy {
        WorkspacePolicy::Keep => Ok(done(Some(&found), kept(&found, is_ours))),
        WorkspacePolicy::Stop => {
            let stopped = workspace::stop(backend, &found.id, end, mode)?;
            Ok(done(Some(&found), stop_outcome(&found, stopped)))
        }
        WorkspacePolicy::Delete if !is_ours => Ok(done(Some(&found), refused(&found))),
        WorkspacePolicy::Delete => {
            let others = users(backend, &found.id, &chat.id)
                .map_err(|failure| failure.into_error("cannot see who else uses the workspace"))?;
            if let Some(other) = others.first() {
                return Ok(done(Some(&found), shared(&found, other)));
            }
            let removed = workspace::remove(backend, &found.id, 2, end, mode)?;
            Ok(of_workspace(chat_name(chat), true, &found, &removed, "archived"))
        }
    }
}

/// What became of a chat's workspace: the word of JSON, the words for people, the exit status.
type ChatWorkspaceOutcome = (&'static str, String, Exit);

fn kept(found: &Workspace, is_ours: bool) -> ChatWorkspaceOutcome {
    let why = if is_ours { "" } else { ", because it was not made for this task" };
    ("kept", format!("; the workspace {} is kept{why}", found.full_name()), Exit::Ready)
}

fn refused(found: &Workspace) -> ChatWorkspaceOutcome {
    let full = found.full_name();
    let message = format!(
        "; the workspace {full} is kept: it was not made for this task; `coder delete {full}` removes it"
    );
    ("kept", message, Exit::NotReady)
}

fn shared(found: &Workspace, other: &Chat) -> ChatWorkspaceOutcome {
    let (full, other) = (found.full_name(), plain(chat_name(other)));
    let message = format!(
        "; the workspace {full} is kept: the chat {other} uses it too, and `pushready task delete {other}` archives that"
    );
    ("kept", message, Exit::NotReady)
}

fn stop_outcome(found: &Workspace, stopped: Removed) -> ChatWorkspaceOutcome {
    let full = found.full_name();
    match stopped {
        Removed::Done => ("stopped", format!(", and its workspace {full} is stopped"), Exit::Ready),
        Removed::Failed(why) => (
            "failed",
            format!(", but its workspace {full} cannot be stopped: {why}"),
            Exit::NotReady,
        ),
        Removed::TimedOut => (
            "timed-out",
            format!(", but the time is over before its workspace {full} is stopped: run it again"),
            Exit::TimedOut,
        ),
    }
}

/// Coder deletes the workspace of a task with it: the answer comes before the workspace is gone.
fn task_of(
    backend: &Backend,
    task: &CoderTask,
    handle: &Handle,
    policy: Option<WorkspacePolicy>,
    end: Instant,
    mode: OutputMode,
) -> Result<Deleted> {
    if matches!(policy, Some(WorkspacePolicy::Keep | WorkspacePolicy::Stop)) {
        return Err(Error::new("the workspace of a task is deleted with it")
            .because("Coder made it for the task, and does not keep one without the other")
            .hint("`coder task pause` stops it and keeps both")
            .exit(Exit::Usage));
    }
    let failed = |failure: CoderFailure| failure.into_error("cannot delete the task");
    let mut outage = Outage::default();
    let mut said = false;
    loop {
        match backend.coder.delete(&handle.path()) {
            Ok(_) => break,
            Err(failure) if failure.is_gone() => break,
            Err(failure) if failure.status() == Some(409) && Instant::now() < end => {
                if !said {
                    progress(mode, "a build of its workspace runs: waiting for its end");
                    said = true;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(failure) if failure.status() == Some(409) => {
                return Err(failed(failure).exit(Exit::TimedOut));
            }
            // whether it is gone shows the next request
            Err(failure) => outage.wait(failure, mode, end).map_err(failed)?,
        }
    }
    let deleted = "deleted";
    let found = match &task.workspace_id {
        None => None,
        Some(id) => workspace(backend, id).map_err(|failure| {
            failure.into_error("the task is deleted, but its workspace cannot be read")
        })?,
    };
    let Some(found) = found.filter(|found| !found.is_deleted()) else {
        let exit = ExitOf(Exit::Ready);
        let workspace = task
            .workspace_id
            .as_ref()
            .map(|_| format!("{}/{}", task.owner_name, task.workspace_name));
        let workspace_result = if workspace.is_some() { "deleted" } else { "none" };
        let message = "deleted, and its workspace is gone".to_owned();
        return Ok(Deleted {
            task: task.name.clone(),
            removed: true,
            workspace,
            workspace_result,
            message,
            exit,
        });
    };
    // the server started the first delete build
    let removed = workspace::remove(backend, &found.id, 1, end, mode)?;
    Ok(of_workspace(&task.name, true, &found, &removed, deleted))
}

/// Something that an earlier run left.
#[derive(Serialize)]
struct Left {
    what: &'static str,
    name: String,
    id: String,
    removed: bool,
    message: String,
}

#[derive(Serialize)]
struct GcBody {
    dry_run: bool,
    found: Vec<Left>,
}

enum Leftover {
    Workspace(Workspace),
    Task(CoderTask, &'static str),
}

/// Removes what earlier runs left behind.
pub fn gc(backend: &Backend, arguments: &Gc, mode: OutputMode) -> Result<Exit> {
    let end = Instant::now() + Duration::from_secs(30 * 60);
    let mut found = Vec::new();
    let mut exit = Exit::Ready;
    for (what, leftover) in leftovers(backend, arguments.older)? {
        let (name, id) = match &leftover {
            Leftover::Workspace(workspace) => (workspace.full_name(), workspace.id.clone()),
            Leftover::Task(task, _) => (task.name.clone(), task.id.clone()),
        };
        let (removed, message) = if arguments.dry_run {
            (false, "would be removed".to_owned())
        } else {
            match remove_leftover(backend, &leftover, end, mode) {
                Ok(Removed::Done) => (true, "removed".to_owned()),
                Ok(Removed::Failed(why)) => (
                    false,
                    format!(
                        "the delete build failed ({why}); an administrator can remove it: `coder delete {name} --orphan`"
                    ),
                ),
                Ok(Removed::TimedOut) => (false, "the time is over: run it again".to_owned()),
                Err(error) => (false, error.render().trim().replace('\n', ";")),
            }
        };
        if !removed && !arguments.dry_run {
            exit = Exit::NotReady;
        }
        if mode != OutputMode::Json {
            let mut out = String::new();
            add_line(&mut out, format_args!("{what} {name}: {message}"));
            print(&out);
        }
        found.push(Left { what, name, id, removed, message });
    }
    if mode == OutputMode::Json {
        let body = GcBody { dry_run: arguments.dry_run, found };
        output::document("task gc", backend, exit, body);
    } else if found.is_empty() {
        print("nothing was left behind\n");
    }
    Ok(exit)
}

fn remove_leftover(
    backend: &Backend,
    leftover: &Leftover,
    end: Instant,
    mode: OutputMode,
) -> Result<Removed> {
    match leftover {
        Leftover::Workspace(found) => workspace::remove(backend, &found.id, 2, end, mode),
        Leftover::Task(task, prefix) => {
            let handle = Handle { kind: ApiKind::Tasks, prefix, id: task.id.clone() };
            match backend.coder.delete(&handle.path()) {
                Ok(_) => Ok(Removed::Done),
                Err(failure) if failure.is_gone() => Ok(Removed::Done),
                Err(failure) => Err(failure.into_error("cannot delete the task")),
            }
        }
    }
}

/// What earlier runs of pushready left: nothing of others, and nothing that is in use.
fn leftovers(backend: &Backend, older: Duration) -> Result<Vec<(&'static str, Leftover)>> {
    let failed =
        |failure: CoderFailure| failure.into_error("cannot look for what earlier runs left");
    let limit = backend.coder.now() - older;
    let is_old = |at: Option<jiff::Timestamp>| at.is_some_and(|at| at <= limit);
    let own = own_workspaces(backend).map_err(failed)?;
    let mut all: Vec<(&'static str, Leftover)> = Vec::new();
    let mut used: Vec<String> = Vec::new();
    let mut archived: Vec<Chat> = Vec::new();
    if let Some(prefix) = backend.prefix(ApiKind::Chats)? {
        let live = chats(backend, prefix, &[], false).map_err(failed)?;
        used.extend(live.into_iter().filter_map(|chat| chat.workspace_id));
        archived = chats(backend, prefix, &[OURS, WORKSPACE_OURS], true).map_err(failed)?;
    }
    let mut tasks: Vec<(CoderTask, &'static str)> = Vec::new();
    if let Some(prefix) = backend.prefix(ApiKind::Tasks)? {
        let path = format!("{prefix}/tasks?q=owner:me");
        let found = backend.coder.get(&path).map_err(failed)?;
        let found = found.get("tasks").map(list).unwrap_or_default();
        tasks = found.iter().filter_map(CoderTask::of).map(|task| (task, prefix)).collect();
    }
    for found in own {
        let is_free = !used.contains(&found.id) && found.owner_id == backend.user.id;
        let of_chat = |chat: &&Chat| chat.workspace_id.as_deref() == Some(&*found.id);
        let has_task =
            tasks.iter().any(|(task, _)| task.workspace_id.as_deref() == Some(&*found.id));
        let is_of_a_task = found.task_id.is_some() || found.build.has_ai_task;
        let of_a_task = is_of_a_task && !has_task;
        let is_made_up = names::is_made_up(&found.owner_id, &found.name);
        let what = match archived.iter().find(of_chat) {
            _ if !is_free || found.is_deleted() => None,
            Some(chat) => is_old(chat.updated_at).then_some("workspace of an archived chat"),
            None if is_made_up && is_old(found.created_at) => Some("workspace without a chat"),
            None if of_a_task
                && found.build.transition == "delete"
                && found.build.has_failed()
                && is_old(found.build.created_at) =>
            {
                Some("workspace whose delete build failed")
            }
            None => None,
        };
        all.extend(what.map(|what| (what, Leftover::Workspace(found))));
    }
    for (task, prefix) in tasks {
        if !is_old(task.updated_at.or(task.created_at)) {
            continue;
        }
        let is_gone = match &task.workspace_id {
            None => task.status != "pending",
            Some(id) => workspace(backend, id).map_err(failed)?.is_none_or(|it| it.is_deleted()),
        };
        if is_gone {
            all.push(("task without a workspace", Leftover::Task(task, prefix)));
        }
    }
    Ok(all)
}
