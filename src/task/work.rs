//! A task or a chat on a server: how it is found, read and shown.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::coder::model::{Chat, ChatError, ChatPullRequest, CoderTask, Message, Workspace, list};
use crate::coder::{ApiKind, Backend, CoderAnswer, CoderFailure, FailureCause};
use crate::error::{Error, Exit, Result};
use crate::http::segment;
use crate::text::{add_line, plain};

/// What pushready marks its chats with.
pub const OURS: (&str, &str) = ("pushready", "1");
/// On a chat whose workspace was made for it.
pub const WORKSPACE_OURS: (&str, &str) = ("pushready-workspace", "1");
pub const NAME: &str = "name";

/// By which a chat is found again: the id where it has no name.
pub fn chat_name(chat: &Chat) -> &str {
    chat.label(NAME).unwrap_or(&chat.id)
}

#[derive(Clone, Debug)]
pub enum Work {
    Task(CoderTask),
    Chat(Chat),
}

/// Where a task or chat is on the server.
#[derive(Clone, Debug)]
pub struct Handle {
    pub kind: ApiKind,
    pub prefix: &'static str,
    pub id: String,
}

impl Handle {
    pub fn path(&self) -> String {
        match self.kind {
            ApiKind::Tasks => format!("{}/tasks/me/{}", self.prefix, segment(&self.id)),
            ApiKind::Chats => format!("{}/chats/{}", self.prefix, segment(&self.id)),
        }
    }

    pub fn read(&self, backend: &Backend) -> CoderAnswer<Work> {
        let path = self.path();
        let value = backend.coder.get(&path)?;
        let work = match self.kind {
            ApiKind::Tasks => CoderTask::of(&value).map(Work::Task),
            ApiKind::Chats => Chat::of(&value).map(Work::Chat),
        };
        work.ok_or_else(|| unreadable(&path, self.kind))
    }
}

/// An answer that lacks what every version has.
pub fn unreadable(path: &str, kind: ApiKind) -> CoderFailure {
    let what = match kind {
        ApiKind::Tasks => "it is not a task",
        ApiKind::Chats => "it is not a chat",
    };
    CoderFailure {
        request: format!("GET {path}"),
        cause: FailureCause::Unreadable(what.to_owned()),
    }
}

impl Work {
    pub fn id(&self) -> &str {
        match self {
            Self::Task(task) => &task.id,
            Self::Chat(chat) => &chat.id,
        }
    }

    pub fn handle(&self, prefix: &'static str) -> Handle {
        let kind = match self {
            Self::Task(_) => ApiKind::Tasks,
            Self::Chat(_) => ApiKind::Chats,
        };
        Handle { kind, prefix, id: self.id().to_owned() }
    }

    /// By which it is found again: the id where it has no name.
    pub fn name(&self) -> &str {
        match self {
            Self::Task(task) => &task.name,
            Self::Chat(chat) => chat_name(chat),
        }
    }

    pub fn workspace_id(&self) -> Option<&str> {
        match self {
            Self::Task(task) => task.workspace_id.as_deref(),
            Self::Chat(chat) => chat.workspace_id.as_deref(),
        }
    }

    pub fn agent_id(&self) -> Option<&str> {
        match self {
            Self::Task(task) => task.agent_id.as_deref(),
            Self::Chat(chat) => chat.agent_id.as_deref(),
        }
    }

    /// The page in the dashboard.
    pub fn url(&self, backend: &Backend) -> String {
        self.page(&backend.coder.url())
    }

    /// Pure.
    fn page(&self, root: &str) -> String {
        match self {
            Self::Task(task) => {
                format!("{root}/tasks/{}/{}", segment(&task.owner_name), segment(&task.id))
            }
            Self::Chat(chat) => format!("{root}/agents/{}", segment(&chat.id)),
        }
    }

    /// One word for both APIs; a word of the server that is not known is kept.
    pub fn state(&self) -> &str {
        match self {
            Self::Task(task) => task_state(task),
            Self::Chat(chat) => chat_state(chat),
        }
    }

    /// The last words of the agent or of the server about it.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Task(task) => task
                .state
                .as_ref()
                .map(|state| state.message.clone())
                .filter(|text| !text.is_empty()),
            Self::Chat(chat) => chat.last_error.as_ref().map(|error| error.message.clone()),
        }
    }

    pub fn pull_request(&self) -> Option<ChatPullRequest> {
        match self {
            // an agent reports where its work is
            Self::Task(task) => {
                let uri = task.state.as_ref().map(|state| state.uri.clone())?;
                let is_page = is_pull_request(&uri);
                is_page.then(|| ChatPullRequest { url: Some(uri), ..ChatPullRequest::default() })
            }
            Self::Chat(chat) => chat.pull_request.clone(),
        }
    }
}

/// Whether what an agent reports is the page of a pull request, or of a merge request.
pub fn is_pull_request(uri: &str) -> bool {
    uri.starts_with("https://") && (uri.contains("/pull") || uri.contains("/merge_requests/"))
}

fn task_state(task: &CoderTask) -> &str {
    match &*task.status {
        "pending" | "initializing" => "starting",
        "error" => "failed",
        "unknown" if matches!(&*task.workspace_status, "stopping" | "deleting" | "pending") => {
            "stopping"
        }
        "active" => match task.state.as_ref().map(|state| &*state.state) {
            None | Some("working" | "") => "working",
            Some("complete" | "completed") => "done",
            Some("failed" | "failure") => "failed",
            Some(other) => other,
        },
        other => other,
    }
}

fn chat_state(chat: &Chat) -> &str {
    match &*chat.status {
        _ if chat.archived => "archived",
        "running" if chat.queued_for_capacity => "queued",
        "pending" | "running" | "interrupting" => "working",
        "waiting" | "completed" => "idle",
        "error" => "failed",
        "requires_action" => "needs-input",
        other => other,
    }
}

/// A reference on the command line.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'a> {
    Id(&'a str),
    Name { owner: &'a str, name: &'a str },
}

fn parse(text: &str) -> Reference<'_> {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or(path);
    if is_uuid(last) {
        return Reference::Id(last);
    }
    match path.rsplit_once('/') {
        Some((before, name)) => {
            Reference::Name { owner: before.rsplit('/').next().unwrap_or(before), name }
        }
        None => Reference::Name { owner: "me", name: path },
    }
}

pub fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether chats that are archived are found too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Archived {
    Also,
    Not,
}

/// Finds what the user names. `None`: no task and no chat of theirs has this id or name.
pub fn find(backend: &Backend, text: &str, archived: Archived) -> Result<Option<(Work, Handle)>> {
    let shown = plain(text);
    let failed = |failure: CoderFailure| failure.into_error(format!("cannot look up `{shown}`"));
    let reference = parse(text);
    for (kind, prefix) in backend.served()? {
        let found = match (&reference, kind) {
            (Reference::Id(id), _) => {
                let handle = Handle { kind, prefix, id: (*id).to_owned() };
                absent(handle.read(backend)).map_err(failed)?
            }
            (Reference::Name { owner, name }, ApiKind::Tasks) => {
                let path = format!("{prefix}/tasks/{}/{}", segment(owner), segment(name));
                let task = absent(backend.coder.get(&path)).map_err(failed)?;
                let task = task.map(|task| {
                    CoderTask::of(&task).map(Work::Task).ok_or_else(|| unreadable(&path, kind))
                });
                task.transpose().map_err(failed)?
            }
            (Reference::Name { name, .. }, ApiKind::Chats) => {
                let chat = by_label(backend, prefix, &[(NAME, name)], archived).map_err(failed)?;
                chat.into_iter().next().map(Work::Chat)
            }
        };
        if let Some(work) = found {
            let handle = work.handle(prefix);
            return Ok(Some((work, handle)));
        }
    }
    Ok(None)
}

/// The same, where it has to exist.
pub fn get(backend: &Backend, text: &str, archived: Archived) -> Result<(Work, Handle)> {
    find(backend, text, archived)?.ok_or_else(|| not_found(text))
}

pub fn not_found(text: &str) -> Error {
    Error::new(format!("there is no task `{}`, or it is not yours", plain(text)))
        .hint("`pushready task list --all` lists your tasks")
        .exit(Exit::Usage)
}

/// `None` for what does not exist.
fn absent<T>(answer: CoderAnswer<T>) -> CoderAnswer<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_gone() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Our chats with all of these labels: the live ones first, each group newest first.
pub fn by_label(
    backend: &Backend,
    prefix: &str,
    labels: &[(&str, &str)],
    archived: Archived,
) -> CoderAnswer<Vec<Chat>> {
    let mut chats = chats(backend, prefix, labels, false)?;
    if archived == Archived::Also {
        chats.extend(self::chats(backend, prefix, labels, true)?);
    }
    Ok(chats)
}

/// How much of a list is read: a server may always have one more page.
pub struct Paging {
    pages: usize,
    bytes: usize,
    end: Instant,
}

impl Default for Paging {
    fn default() -> Self {
        let end = Instant::now() + Duration::from_secs(120);
        Self { pages: 1000, bytes: 32 << 20, end }
    }
}

impl Paging {
    /// Whether one more page is read after these items of the last.
    pub fn goes_on(&mut self, items: &[impl fmt::Debug]) -> bool {
        // about what they take in memory
        let size = items.iter().map(|item| format!("{item:?}").len() + 2 * size_of_val(item)).sum();
        let left = self.pages.checked_sub(1).zip(self.bytes.checked_sub(size));
        let Some((pages, bytes)) = left.filter(|_| Instant::now() < self.end) else {
            return false;
        };
        (self.pages, self.bytes) = (pages, bytes);
        true
    }

    /// The same of a list that decides what is made or deleted, of which a part is not enough.
    pub fn must_go_on(&mut self, path: &str, items: &[impl fmt::Debug]) -> CoderAnswer<()> {
        if self.goes_on(items) {
            return Ok(());
        }
        let cause = FailureCause::Unreadable("the list is longer than what is read".to_owned());
        Err(CoderFailure { request: format!("GET {path}"), cause })
    }
}

/// Chats with these labels, newest first.
pub fn chats(
    backend: &Backend,
    prefix: &str,
    labels: &[(&str, &str)],
    archived: bool,
) -> CoderAnswer<Vec<Chat>> {
    const PAGE: usize = 100;
    let mut query = format!("q=archived:{archived}&limit={PAGE}");
    for (key, value) in labels {
        query.extend(["&label=", &segment(&format!("{key}:{value}"))]);
    }
    let mut all: Vec<Chat> = Vec::new();
    let mut known = HashSet::new();
    let mut paging = Paging::default();
    loop {
        let after = all.last().map_or_else(String::new, |chat| format!("&after_id={}", chat.id));
        let path = format!("{prefix}/chats");
        let page = backend.coder.get(&format!("{path}?{query}{after}"))?;
        let page: Vec<_> = list(&page).iter().filter_map(Chat::of).collect();
        let count = page.len();
        let new: Vec<_> = page.into_iter().filter(|chat| known.insert(chat.id.clone())).collect();
        let is_last = count < PAGE || new.is_empty();
        if !is_last {
            paging.must_go_on(&path, &new)?;
        }
        all.extend(new);
        if is_last {
            break;
        }
    }
    // what a server that ignores a filter would send
    all.retain(|chat| {
        chat.archived == archived
            && labels.iter().all(|(key, value)| chat.label(key) == Some(value))
    });
    all.sort_by_key(|chat| std::cmp::Reverse(chat.created_at));
    Ok(all)
}

pub fn workspace(backend: &Backend, id: &str) -> CoderAnswer<Option<Workspace>> {
    let path = format!("/api/v2/workspaces/{}?include_deleted=true", segment(id));
    match backend.coder.get(&path) {
        Ok(value) => Ok(Workspace::of(&value)),
        Err(failure) if failure.is_gone() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A page of messages, oldest first, and the number of those that wait to be sent.
pub struct Messages {
    pub messages: Vec<Message>,
    pub queued: usize,
}

/// The messages of a chat that are newer than `after`, at most the last `most`. Pages come newest
/// first; no order is relied on.
pub fn messages(
    backend: &Backend,
    handle: &Handle,
    after: i64,
    most: usize,
) -> CoderAnswer<Messages> {
    const PAGE: usize = 100;
    let page = PAGE.min(most.max(1));
    let mut all: Vec<Message> = Vec::new();
    let (mut before, mut queued) = (None, None);
    let mut paging = Paging::default();
    loop {
        let cursor = before.map_or_else(String::new, |id: i64| format!("&before_id={id}"));
        let path = format!("{}/messages?limit={page}{cursor}", handle.path());
        let value = backend.coder.get(&path)?;
        let field = |name: &str| value.get(name).map(list).unwrap_or_default();
        // with a cursor the queue is always empty
        queued.get_or_insert(field("queued_messages").len());
        let new: Vec<_> = field("messages")
            .iter()
            .filter_map(Message::of)
            .filter(|message| before.is_none_or(|before| message.id < before))
            .collect();
        let lowest = new.iter().map(|message| message.id).min();
        let kept = all.len();
        all.extend(new.into_iter().filter(|message| message.id > after));
        let has_more = value.get("has_more").and_then(serde_json::Value::as_bool) == Some(true);
        let Some(lowest) = lowest.filter(|lowest| has_more && *lowest > after && all.len() < most)
        else {
            break;
        };
        if !paging.goes_on(all.get(kept..).unwrap_or_default()) {
            super::output::warn("the server has more than what is read: the oldest are not shown");
            break;
        }
        before = Some(lowest);
    }
    all.sort_by_key(|message| message.id);
    all.dedup_by_key(|message| message.id);
    let extra = all.len().saturating_sub(most);
    all.drain(..extra);
    Ok(Messages { messages: all, queued: queued.unwrap_or_default() })
}

/// A workspace as it is printed.
#[derive(Clone, Debug, Serialize)]
pub struct WorkspaceView {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub template: String,
    pub status: String,
    pub build_number: i64,
    pub build_error: Option<String>,
    pub agent: Option<AgentView>,
    /// It was made for this task.
    pub made_for_task: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct AgentView {
    pub name: String,
    pub status: String,
    pub lifecycle: String,
    pub unhealthy: Option<String>,
}

/// A task or chat as it is printed.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    pub id: String,
    pub name: String,
    pub title: String,
    pub backend: &'static str,
    pub owner: String,
    pub state: String,
    /// The server's own word.
    pub status: String,
    pub message: Option<String>,
    pub url: String,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub archived: bool,
    pub workspace: Option<WorkspaceView>,
    /// Why the agent has not begun.
    pub pending: Option<String>,
    /// Our own line in the workspace's metadata.
    pub readiness: Option<String>,
    /// When that line was collected, seconds ago.
    pub readiness_age_s: Option<i64>,
    pub pull_request: Option<ChatPullRequest>,
    pub last_error: Option<ChatError>,
}

impl View {
    pub fn of(work: &Work, backend: &Backend) -> Self {
        let (title, owner, created_at, updated_at, status) = match work {
            Work::Task(task) => (
                if task.title.is_empty() { &task.name } else { &task.title },
                &task.owner_name,
                task.created_at,
                task.updated_at,
                &task.status,
            ),
            Work::Chat(chat) => {
                (&chat.title, &chat.owner_name, chat.created_at, chat.updated_at, &chat.status)
            }
        };
        let (archived, last_error) = match work {
            Work::Task(_) => (false, None),
            Work::Chat(chat) => (chat.archived, chat.last_error.clone()),
        };
        let backend_name = match work {
            Work::Task(_) => ApiKind::Tasks.name(),
            Work::Chat(_) => ApiKind::Chats.name(),
        };
        Self {
            id: work.id().to_owned(),
            name: work.name().to_owned(),
            title: title.clone(),
            backend: backend_name,
            owner: if owner.is_empty() { backend.user.name.clone() } else { owner.clone() },
            state: work.state().to_owned(),
            status: status.clone(),
            message: work.message(),
            url: work.url(backend),
            created_at,
            updated_at,
            archived,
            workspace: None,
            pending: None,
            readiness: None,
            readiness_age_s: None,
            pull_request: work.pull_request(),
            last_error,
        }
    }
}

impl WorkspaceView {
    pub fn of(workspace: &Workspace, agent_id: Option<&str>, made_for_task: bool) -> Self {
        let agents = &workspace.build.agents;
        let agent = agents.iter().find(|agent| Some(&*agent.id) == agent_id).or(agents.first());
        Self {
            id: workspace.id.clone(),
            name: workspace.name.clone(),
            owner: workspace.owner_name.clone(),
            template: workspace.template_name.clone(),
            status: workspace.build.status.clone(),
            build_number: workspace.build.number,
            build_error: workspace.build.error.clone(),
            agent: agent.map(|agent| AgentView {
                name: agent.name.clone(),
                status: agent.status.clone(),
                lifecycle: agent.lifecycle.clone(),
                unhealthy: agent.unhealthy.clone(),
            }),
            made_for_task,
        }
    }
}

/// The pull request and the branch, for people.
pub fn request_text(request: &ChatPullRequest) -> String {
    let mut out = String::new();
    if let Some(url) = &request.url {
        let number = request.number.map_or(String::new(), |number| format!("#{number} "));
        let state =
            request.state.as_deref().unwrap_or(if request.draft { "draft" } else { "open" });
        add_line(&mut out, format_args!("  pull request {number}{state} {url}"));
        if let Some(title) = &request.title {
            add_line(&mut out, format_args!("    {title}"));
        }
    }
    if let Some(branch) = &request.branch {
        add_line(&mut out, format_args!("  branch {branch}"));
    }
    if request.changed_files > 0 {
        let ChatPullRequest { additions, deletions, changed_files, .. } = request;
        add_line(
            &mut out,
            format_args!("  changes +{additions} -{deletions} in {changed_files} files"),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_end_is_read_in_part() {
        let mut paging = Paging::default();
        assert_eq!((0..9999).filter(|_| paging.goes_on(&[0])).count(), 1000);
        let text = "a".repeat(1 << 20);
        let mut paging = Paging::default();
        assert_eq!((0..99).filter(|_| paging.goes_on(&[&text])).count(), 31);
        assert!(!Paging { end: Instant::now(), ..Paging::default() }.goes_on(&[0]));
    }

    #[test]
    fn what_a_server_calls_an_id_stays_one_part_of_the_address() {
        let chat = serde_json::json!({"id": "a\u{1b}]0;x\n<b> /..", "status": "waiting"});
        let page = Work::Chat(Chat::of(&chat).unwrap()).page("https://c");
        assert_eq!(page, "https://c/agents/a%1B%5D0%3Bx%0A%3Cb%3E%20%2F..");
    }

    #[test]
    fn a_reference_is_an_id_a_name_or_the_page() {
        let id = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
        for text in [
            id,
            &format!("https://coder.example/agents/{id}"),
            &format!("https://c/tasks/a/{id}?x=1"),
        ] {
            assert_eq!(parse(text), Reference::Id(id), "{text}");
        }
        assert_eq!(parse("fix-42"), Reference::Name { owner: "me", name: "fix-42" });
        assert_eq!(parse("alice/fix-42"), Reference::Name { owner: "alice", name: "fix-42" });
        assert_eq!(
            parse("https://c/tasks/alice/fix-42/"),
            Reference::Name { owner: "alice", name: "fix-42" }
        );
    }
}
