//! `task create`: starts an agent on a prompt, once.
//!
//! Each task has a name, so that a create whose answer was lost can be looked up. On Chats the
//! workspace is made first, under a name that follows from the task's.

use std::time::Instant;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::judge::Ended;
use super::output::{self, OutputMode, progress, warn};
use super::send::{Effort, Sent, to_chat, to_task};
use super::status::{OutcomeView, describe};
use super::template::{self, Organization};
use super::watch::{Watch, end_text, ended_text};
use super::work::{
    Archived, Handle, NAME, OURS, View, WORKSPACE_OURS, Work, by_label, is_uuid, messages,
};
use super::workspace::{self, Made, Removed, looked_up};
use super::{bead, names, prompt, readiness, workflow};
use crate::cli::task::Create;
use crate::coder::model::{Chat, CoderTask, Template, Workspace};
use crate::coder::{ApiKind, Backend, CoderFailure};
use crate::command::print;
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::git::url::{Repository, redact};
use crate::http::segment;
use crate::process::{self, Program};
use crate::text::{add_line, plain};

/// What the user wants, with everything that needs no server.
struct WantedTask<'a> {
    arguments: &'a Create,
    prompt: String,
    /// By which the task is found again.
    name: String,
    /// The user or a bead gave the name: the same name means the same task.
    is_named: bool,
    bead: Option<String>,
    repository: Option<Repository>,
    /// Of this run alone.
    run: String,
    reuse: bool,
    mode: OutputMode,
    end: Instant,
}

/// What came of it.
struct Created {
    work: Work,
    handle: Handle,
    /// A live one took the prompt, or works on it already.
    reused: bool,
    sent: Sent,
}

/// What a server has for the task, or how the attempt ended before there was one.
type Outcomes = std::result::Result<Created, Ended>;

#[derive(Serialize)]
struct CreateBody {
    task: Option<View>,
    reused: bool,
    outcome: Option<OutcomeView>,
}

/// What needs no server: refused first.
pub fn prepare_dry_run(env: &Env, arguments: &Create) -> Result<String> {
    let (bead, repository) = from_bead(env, arguments)?
        .ok_or_else(|| Error::new("--dry-run is for --from-bead").exit(Exit::Usage))?;
    Ok(bead.prompt(repository.as_ref()))
}

fn from_bead(env: &Env, arguments: &Create) -> Result<Option<(bead::Bead, Option<Repository>)>> {
    let Some(id) = arguments.from_bead.as_deref() else { return Ok(None) };
    if id.trim().is_empty() {
        return Err(Error::new("--from-bead needs the id of a bead").exit(Exit::Usage));
    }
    let bead = bead::read(env, id)?;
    if !arguments.force {
        bead.check()?;
    }
    Ok(Some((bead, repository(env, arguments)?)))
}

/// The one that is named; for a bead, else the current folder's.
fn repository(env: &Env, arguments: &Create) -> Result<Option<Repository>> {
    if let Some(text) = arguments.repo.as_deref() {
        return Repository::parse_declared(text).map(Some).map_err(|error| {
            Error::new("--repo names no repository").because(error.to_string()).exit(Exit::Usage)
        });
    }
    if arguments.from_bead.is_none() {
        return Ok(None);
    }
    let mut command = process::command_in(Program::Git, env);
    command.args(["remote", "get-url", "origin"]);
    let output = process::run(command, std::time::Duration::from_secs(10)).ok();
    let url = output.filter(|output| output.status.success()).map(|output| output.stdout);
    Ok(url.and_then(|url| Repository::parse_declared(url.trim()).ok()))
}

pub fn run(
    backend: &Backend,
    env: &Env,
    arguments: &Create,
    mode: OutputMode,
    drafted: Draft,
) -> Result<Exit> {
    let wanted = drafted.with(arguments, mode);
    backend.coder.end_at(wanted.end);
    let kind = choose(backend, &wanted)?;
    let prefix = backend.require(kind)?;
    progress_kind(&wanted, kind);
    let outcome = match kind {
        ApiKind::Tasks => on_tasks(backend, prefix, &wanted)?,
        ApiKind::Chats => on_chats(backend, prefix, &wanted)?,
    };
    let created = match outcome {
        Ok(created) => created,
        Err(ended) => return Ok(report_unmade(backend, env, &wanted, &ended)),
    };
    let Created { mut work, handle, reused, sent } = created;
    let mut ended = None;
    let waits = arguments.wait || arguments.follow;
    if waits {
        if mode == OutputMode::Text {
            print(&created_text(backend, &work, reused, &sent));
        }
        let watch = Watch {
            backend,
            handle,
            mode,
            changes: true,
            follow: arguments.follow,
            baseline: sent.baseline,
            reported: sent.reported,
            was_busy: matches!(&work, Work::Chat(chat) if chat.is_busy()),
            first: None,
            end: wanted.end,
        };
        let (last, end) = watch.run()?;
        work = last;
        ended = Some(end);
    }
    let exit = ended.as_ref().map_or(Exit::Ready, |ended| ended.exit);
    let view = if waits || mode == OutputMode::Json {
        describe(backend, &work).0
    } else {
        View::of(&work, backend)
    };
    workflow::write(env, &view, exit, ended.as_ref());
    match mode {
        OutputMode::Json => {
            let outcome = ended.as_ref().map(OutcomeView::of);
            output::document(
                "task create",
                backend,
                exit,
                CreateBody { task: Some(view), reused, outcome },
            );
        }
        OutputMode::Quiet => print(&format!("{}\n", view.id)),
        OutputMode::Text => match &ended {
            None => print(&created_text(backend, &work, reused, &sent)),
            Some(ended) => print(&end_text(ended, &view)),
        },
    }
    if mode != OutputMode::Text
        && let Some(ended) = ended.filter(|ended| ended.exit != Exit::Ready)
    {
        progress(mode, &format!("{}: {}", output::word(ended.exit), ended.reason));
    }
    Ok(exit)
}

fn progress_kind(wanted: &WantedTask, kind: ApiKind) {
    if wanted.arguments.wait || wanted.arguments.follow {
        let name = match kind {
            ApiKind::Tasks => "Coder Tasks",
            ApiKind::Chats => "Coder Agents (chats)",
        };
        progress(wanted.mode, &format!("on {name}"));
    }
}

/// There is no agent, for a reason that is a result.
fn report_unmade(backend: &Backend, env: &Env, wanted: &WantedTask, ended: &Ended) -> Exit {
    match wanted.mode {
        OutputMode::Json => {
            let body =
                CreateBody { task: None, reused: false, outcome: Some(OutcomeView::of(ended)) };
            output::document("task create", backend, ended.exit, body);
        }
        OutputMode::Text => print(&ended_text(ended)),
        OutputMode::Quiet => {
            for line in ended_text(ended).lines() {
                progress(wanted.mode, line);
            }
        }
    }
    workflow::write_unmade(env, ended);
    ended.exit
}

fn created_text(backend: &Backend, work: &Work, reused: bool, sent: &Sent) -> String {
    let view = View::of(work, backend);
    let mut out = String::new();
    let what = match (reused, sent.queued) {
        (true, true) => "queued for the live",
        (true, false) => "sent to the live",
        (false, _) => "created",
    };
    let kind = match work {
        Work::Task(_) => "task",
        Work::Chat(_) => "chat",
    };
    let id = if view.id == view.name { String::new() } else { format!(" ({})", view.id) };
    add_line(
        &mut out,
        format_args!(
            "{what} {kind} {}{id} on Coder {} ({})",
            view.name, backend.version, view.backend
        ),
    );
    add_line(&mut out, format_args!("  page {}", view.url));
    add_line(
        &mut out,
        format_args!("  `pushready task status {} --watch` waits for the end", view.name),
    );
    out
}

/// The prompt and the name, before any server is asked.
pub struct Draft {
    prompt: String,
    name: String,
    is_named: bool,
    bead: Option<String>,
    repository: Option<Repository>,
    random: String,
}

impl Draft {
    pub fn read(env: &Env, arguments: &Create) -> Result<Self> {
        let usage = |what: String| Error::new(what).exit(Exit::Usage);
        for (key, value) in &arguments.labels {
            if let Some(why) = names::label_fault(key, value) {
                return Err(usage(format!("the label `{}` is not valid", plain(key))).because(why));
            }
        }
        if let Some(name) = arguments.name.as_deref()
            && let Some(why) = names::fault(name)
        {
            return Err(usage(format!("the name `{}` is not valid", redact(name)))
                .because(why)
                .hint("a name has at most 32 letters, digits and single hyphens"));
        }
        let random = random();
        let (prompt, bead, repository, bead_name) = match from_bead(env, arguments)? {
            Some((bead, repository)) => {
                let name = bead.name(repository.as_ref());
                let prompt = prompt::checked(bead.prompt(repository.as_ref()))?;
                (prompt, Some(bead.id), repository, Some(name))
            }
            None => (prompt::read(arguments, env)?, None, repository(env, arguments)?, None),
        };
        let given = arguments.name.clone().or(bead_name);
        let is_named = given.is_some();
        let name = given.unwrap_or_else(|| names::generate(&prompt, &random));
        Ok(Self { prompt, name, is_named, bead, repository, random })
    }

    fn with(self, arguments: &Create, mode: OutputMode) -> WantedTask<'_> {
        WantedTask {
            arguments,
            reuse: arguments.reuse || self.bead.is_some(),
            prompt: self.prompt,
            name: self.name,
            is_named: self.is_named,
            bead: self.bead,
            repository: self.repository,
            run: self.random,
            mode,
            end: Instant::now() + arguments.timeout,
        }
    }
}

fn random() -> String {
    let mut bytes = [0; 8];
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The API for a new task: the one that is wanted, that which fits the arguments, else Agents.
fn choose(backend: &Backend, wanted: &WantedTask) -> Result<ApiKind> {
    let arguments = wanted.arguments;
    if let Some(kind) = backend.wanted() {
        return Ok(kind);
    }
    let served = backend.served()?;
    let serves = |kind| served.iter().any(|(served, _)| *served == kind);
    let for_chats = arguments.workspace.is_some() || arguments.model.is_some();
    Ok(match () {
        () if !serves(ApiKind::Tasks) => ApiKind::Chats,
        () if !serves(ApiKind::Chats) => ApiKind::Tasks,
        () if for_chats => ApiKind::Chats,
        () => match &arguments.template {
            Some(name) if template::is_for_tasks(backend, name)? => ApiKind::Tasks,
            _ => ApiKind::Chats,
        },
    })
}

fn not_for_tasks(wanted: &WantedTask) -> Result<()> {
    let arguments = wanted.arguments;
    let option = match () {
        () if arguments.workspace.is_some() => "--workspace",
        () if arguments.model.is_some() => "--model",
        () if !arguments.labels.is_empty() => "--label",
        () if !arguments.parameters.is_empty() => {
            return Err(Error::new("a task takes no parameters")
                .because("the Tasks API has none, only a preset")
                .hint("give --preset, or use Agents: --backend chats")
                .exit(Exit::Usage));
        }
        () => return Ok(()),
    };
    Err(Error::new(format!("{option} is for Agents (Chats), and this is a task"))
        .hint("leave it out, or give --backend chats where the server has both")
        .exit(Exit::Usage))
}

fn taken(name: &str) -> Error {
    Error::new(format!("the name `{}` is taken", plain(name)))
        .because("a task of this name exists")
        .hint("--reuse sends the prompt to it; another --name makes a new one")
        .exit(Exit::NotReady)
}

fn ready_or_not(
    backend: &Backend,
    wanted: &WantedTask,
    id: Option<&str>,
) -> Result<std::result::Result<(), Ended>> {
    if !wanted.arguments.require_ready {
        return Ok(Ok(()));
    }
    let Some(id) = id else {
        return Ok(Err(Ended::new(Exit::NotReady, "there is no workspace that could be ready")
            .hint("give --template or --workspace")));
    };
    Ok(readiness::require(backend, id, wanted.end, wanted.mode)?.map(|line| {
        progress(wanted.mode, &format!("the workspace is ready: {line}"));
    }))
}

fn on_tasks(backend: &Backend, prefix: &'static str, wanted: &WantedTask) -> Result<Outcomes> {
    not_for_tasks(wanted)?;
    let arguments = wanted.arguments;
    let owner = arguments.owner.as_deref().unwrap_or("me");
    let look = || task_by_name(backend, prefix, owner, &wanted.name);
    let failed = |failure: CoderFailure| failure.into_error("cannot look up the task");
    if wanted.is_named
        && let Some(task) = look().map_err(failed)?
    {
        if !wanted.reuse {
            return Err(taken(&wanted.name));
        }
        return reuse_task(backend, prefix, wanted, task);
    }
    let org = arguments.org.as_deref().map(|org| template::organization(backend, Some(org)));
    let org = org.transpose()?;
    let template =
        template::template(backend, ApiKind::Tasks, arguments.template.as_deref(), org.as_ref())?;
    let template = template.ok_or_else(|| Error::new("no template fits").exit(Exit::Usage))?;
    let preset = template::preset(backend, &template, arguments.preset.as_deref())?;
    let mut body = Map::new();
    body.insert("template_version_id".to_owned(), json!(template.active_version_id));
    if let Some(preset) = preset {
        body.insert("template_version_preset_id".to_owned(), json!(preset));
    }
    body.insert("input".to_owned(), json!(wanted.prompt));
    body.insert("name".to_owned(), json!(wanted.name));
    let task = create_task(backend, prefix, owner, &Value::Object(body), wanted, &template.name)?;
    let work = Work::Task(task);
    let handle = work.handle(prefix);
    process::print_when_ended(format!(
        "\nthe task goes on: `pushready task status {} --watch` comes back to it\n",
        plain(work.name())
    ));
    if let Err(ended) = task_ready(backend, wanted, &handle)? {
        let name = work.name();
        let hint = ended.hint.clone().map_or(String::new(), |hint| format!("{hint}; "));
        let reason = format!("{}; the task `{name}` is running all the same", ended.reason);
        return Ok(Err(Ended { reason, ..ended }
            .hint(format!("{hint}`pushready task delete {name}` removes it"))));
    }
    let sent = Sent { queued: false, baseline: 0, reported: None };
    Ok(Ok(Created { work, handle, reused: false, sent }))
}

/// The readiness of a task's workspace, once the task has one.
fn task_ready(
    backend: &Backend,
    wanted: &WantedTask,
    handle: &Handle,
) -> Result<std::result::Result<(), Ended>> {
    if !wanted.arguments.require_ready {
        return Ok(Ok(()));
    }
    let work =
        handle.read(backend).map_err(|failure| failure.into_error("cannot read the task"))?;
    ready_or_not(backend, wanted, work.workspace_id())
}

fn task_by_name(
    backend: &Backend,
    prefix: &str,
    owner: &str,
    name: &str,
) -> std::result::Result<Option<CoderTask>, CoderFailure> {
    match backend.coder.get(&format!("{prefix}/tasks/{}/{}", segment(owner), segment(name))) {
        Ok(value) => Ok(CoderTask::of(&value)),
        Err(failure) if failure.is_gone() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A create whose answer was lost is looked up by its name, and repeated once if it had no effect.
fn create_task(
    backend: &Backend,
    prefix: &str,
    owner: &str,
    body: &Value,
    wanted: &WantedTask,
    template: &str,
) -> Result<CoderTask> {
    let path = format!("{prefix}/tasks/{}", segment(owner));
    let look = || task_by_name(backend, prefix, owner, &wanted.name);
    let mut lost = 0;
    loop {
        let failure = match backend.coder.post(&path, Some(body)) {
            Ok(value) => {
                return CoderTask::of(&value).ok_or_else(|| {
                    Error::new("the server's answer is not a task")
                        .hint("`pushready task list` shows whether it was made")
                });
            }
            Err(failure) => failure,
        };
        // after a lost answer the conflict may be with our own
        if failure.is_uncertain() || (lost > 0 && failure.status() == Some(409)) {
            let found =
                looked_up(look).map_err(|failure| failure.into_error("cannot look up the task"))?;
            if let Some(task) = found.filter(|task| task.prompt == wanted.prompt) {
                progress(wanted.mode, "the answer was lost, and the task was made");
                return Ok(task);
            }
            lost += 1;
            if failure.is_uncertain() && lost < 3 {
                continue;
            }
        }
        if failure.status() == Some(409) {
            return Err(failure
                .into_error(format!("the name `{}` is taken", wanted.name))
                .hint(if wanted.reuse {
                    "a workspace has it, and no task: give another --name"
                } else {
                    "--reuse sends the prompt to a task of this name; another --name makes a new one"
                }));
        }
        return Err(
            failure.into_error(format!("cannot create a task with the template `{template}`"))
        );
    }
}

fn reuse_task(
    backend: &Backend,
    prefix: &'static str,
    wanted: &WantedTask,
    task: CoderTask,
) -> Result<Outcomes> {
    let word = task.state.as_ref().map_or("", |state| &*state.state);
    let begins = matches!(&*task.status, "pending" | "initializing");
    let works = task.status == "active" && matches!(word, "working" | "");
    let reported = task.state.as_ref().and_then(|state| state.timestamp);
    let has_prompt = task.prompt.trim() == wanted.prompt.trim();
    let id = task.workspace_id.clone();
    let paused = task.status == "paused";
    let work = Work::Task(task.clone());
    let handle = work.handle(prefix);
    if has_prompt && (begins || works) {
        // an earlier run, which was interrupted
        progress(wanted.mode, "the task works on this prompt already");
        let sent = Sent { queued: false, baseline: 0, reported: None };
        if let Err(ended) = ready_or_not(backend, wanted, id.as_deref())? {
            return Ok(Err(ended));
        }
        return Ok(Ok(Created { work, handle, reused: true, sent }));
    }
    // a paused one is resumed by the message, and its workspace can be read only then
    if !paused && let Err(ended) = ready_or_not(backend, wanted, id.as_deref())? {
        return Ok(Err(ended));
    }
    let effort = Effort { at_once: false, end: wanted.end, mode: wanted.mode };
    let sent = to_task(backend, &handle, task, &wanted.prompt, effort)?;
    let sent = Sent { reported: sent.reported.or(reported), ..sent };
    Ok(Ok(Created { work, handle, reused: true, sent }))
}

/// The live chat for this name or bead.
fn live_chat(backend: &Backend, prefix: &str, wanted: &WantedTask) -> Result<Option<Chat>> {
    if !wanted.is_named {
        return Ok(None);
    }
    let labels = [(NAME, &*wanted.name)];
    let found = by_label(backend, prefix, &labels, Archived::Not)
        .map_err(|failure| failure.into_error("cannot look up the chat"))?;
    Ok(found.into_iter().next())
}

fn on_chats(backend: &Backend, prefix: &'static str, wanted: &WantedTask) -> Result<Outcomes> {
    let arguments = wanted.arguments;
    check_owner(backend, arguments.owner.as_deref())?;
    if let Some(chat) = live_chat(backend, prefix, wanted)? {
        return reuse_chat(backend, prefix, wanted, chat);
    }
    let named =
        arguments.workspace.as_deref().map(|name| named_workspace(backend, name)).transpose()?;
    let (org, template) = place(backend, arguments, named.is_some())?;
    let model = arguments.model.as_deref();
    let model = model.map(|model| template::model(backend, prefix, &org.id, model)).transpose()?;
    let made = template.map(|template| make_workspace(backend, wanted, &template)).transpose()?;
    let id = made.as_ref().map(|made| &made.workspace).or(named.as_ref());
    let id = id.map(|workspace| workspace.id.clone());
    if let Some(made) = &made {
        if let Err(ended) = built(backend, wanted, made)? {
            return Ok(Err(ended));
        }
        // another run with this name may have been faster
        if !made.is_new
            && let Some(chat) = live_chat(backend, prefix, wanted)?
        {
            return reuse_chat(backend, prefix, wanted, chat);
        }
    } else if let Some(named) = &named
        && arguments.require_ready
    {
        workspace::restarted(backend, named.clone())?;
    }
    if let Err(ended) = ready_or_not(backend, wanted, id.as_deref())? {
        let hint = ended.hint.clone();
        let made = made.as_ref().map(|made| kept(&made.workspace));
        let hint = hint.into_iter().chain(made).collect::<Vec<_>>().join("; ");
        let reason = format!("{}; no prompt was sent", ended.reason);
        return Ok(Err(Ended { reason, ..ended }.hint(hint)));
    }
    let body = chat_body(wanted, &org.id, id.as_deref(), made.is_some(), model.as_deref());
    let chat = match create_chat(backend, prefix, &body, wanted) {
        Ok(chat) => chat,
        Err((failure, is_certain)) => {
            if is_certain {
                clean_up(backend, wanted, made.as_ref());
                return Err(creation_error(backend, failure, &org));
            }
            if let Some(made) = &made {
                warn(&kept(&made.workspace));
            }
            let name = plain(&wanted.name);
            return Err(failure
                .into_error("it is not known whether the chat was made")
                .hint(format!("`pushready task list` shows it if it was; `pushready task create --name {name} --reuse` finds it or makes it"))
                .exit(Exit::CouldNotRun));
        }
    };
    let work = Work::Chat(chat);
    let handle = work.handle(prefix);
    let sent = Sent { queued: false, baseline: 0, reported: None };
    Ok(Ok(Created { work, handle, reused: false, sent }))
}

fn check_owner(backend: &Backend, owner: Option<&str>) -> Result<()> {
    let user = &backend.user;
    if owner.is_some_and(|owner| owner != "me" && owner != user.name && owner != user.id) {
        return Err(Error::new("a chat belongs to the one who makes it")
            .hint("leave --owner out, or log in as that user")
            .exit(Exit::Usage));
    }
    Ok(())
}

/// The organization of the chat, and the template of the workspace to be made for it, if one is.
fn place(
    backend: &Backend,
    arguments: &Create,
    has_workspace: bool,
) -> Result<(Organization, Option<Template>)> {
    let org = template::organization(backend, arguments.org.as_deref())?;
    if has_workspace {
        return Ok((org, None));
    }
    let given = arguments.org.is_some().then_some(&org);
    let name = arguments.template.as_deref();
    let template = template::template(backend, ApiKind::Chats, name, given)?;
    let own = template.as_ref().map(|found| Organization {
        id: found.organization_id.clone(),
        name: found.organization_name.clone(),
    });
    Ok((own.unwrap_or(org), template))
}

fn make_workspace(backend: &Backend, wanted: &WantedTask, template: &Template) -> Result<Made> {
    let arguments = wanted.arguments;
    let preset = template::preset(backend, template, arguments.preset.as_deref())?;
    template::check_parameters(backend, template, &arguments.parameters)?;
    let mut body = json!({"template_id": template.id});
    if let Some(fields) = body.as_object_mut() {
        if !arguments.parameters.is_empty() {
            let values = template::parameters(&arguments.parameters);
            fields.insert("rich_parameter_values".to_owned(), values);
        }
        if let Some(preset) = preset {
            fields.insert("template_version_preset_id".to_owned(), json!(preset));
        }
    }
    workspace::make(backend, &wanted.name, body)
}

/// Waits until the workspace is built: no agent begins in one that will not exist.
fn built(
    backend: &Backend,
    wanted: &WantedTask,
    made: &Made,
) -> Result<std::result::Result<(), Ended>> {
    let Made { workspace, is_new } = made;
    let what = if *is_new { "made" } else { "found" };
    progress(wanted.mode, &format!("workspace {} {what}", workspace.full_name()));
    process::print_when_ended(format!("\nno agent was started; {}\n", kept(workspace)));
    Ok(match readiness::wait_for_build(backend, &workspace.id, wanted.end, wanted.mode)? {
        Ok(_) => Ok(()),
        Err(ended) if ended.exit == Exit::TimedOut => Err(ended.hint(kept(workspace))),
        Err(ended) => {
            clean_up(backend, wanted, Some(made));
            Err(ended)
        }
    })
}

fn kept(workspace: &Workspace) -> String {
    format!(
        "the workspace {} is kept: `pushready task delete {}` removes it",
        workspace.full_name(),
        workspace.name
    )
}

fn creation_error(backend: &Backend, failure: CoderFailure, org: &Organization) -> Error {
    let is_foreign = failure.says("You are not a member");
    let error = failure.into_error("cannot create the chat");
    if is_foreign {
        return error.hint(format!(
            "`{}` is not an organization of yours: name one with --org ({})",
            plain(&org.name),
            template::organization_names(backend)
        ));
    }
    error
}

/// Removes the workspace that this run made for a chat that there will not be.
fn clean_up(backend: &Backend, wanted: &WantedTask, made: Option<&Made>) {
    let Some(Made { workspace, is_new: true }) = made else { return };
    let end = Instant::now() + std::time::Duration::from_secs(5 * 60);
    let name = workspace.full_name();
    progress(wanted.mode, &format!("removing the workspace {name}, which was made for this chat"));
    match workspace::remove(backend, &workspace.id, 2, end, wanted.mode) {
        Ok(Removed::Done) => {}
        Ok(Removed::Failed(why)) => {
            warn(&format!("it cannot be removed: {why}; {}", kept(workspace)));
        }
        Ok(Removed::TimedOut) => warn(&kept(workspace)),
        Err(error) => warn(&format!("{}; {}", error.for_json().message, kept(workspace))),
    }
}

fn named_workspace(backend: &Backend, text: &str) -> Result<Workspace> {
    let failed = |failure: CoderFailure| failure.into_error("cannot look up the workspace");
    let found = if is_uuid(text) {
        super::work::workspace(backend, text).map_err(failed)?.filter(|found| !found.is_deleted())
    } else {
        let (owner, name) = text.split_once('/').unwrap_or(("me", text));
        workspace::by_name(backend, owner, name).map_err(failed)?
    };
    found.ok_or_else(|| {
        Error::new(format!("there is no workspace `{}`", plain(text)))
            .hint("`coder list` shows yours; without --workspace one is made")
            .exit(Exit::Usage)
    })
}

fn chat_body(
    wanted: &WantedTask,
    org: &str,
    workspace: Option<&str>,
    is_made: bool,
    model: Option<&str>,
) -> Value {
    let mut labels = Map::new();
    let mut label = |key: &str, value: &str| {
        labels.insert(key.to_owned(), json!(names::label(value)));
    };
    for (key, value) in &wanted.arguments.labels {
        label(key, value);
    }
    label(OURS.0, OURS.1);
    label(NAME, &wanted.name);
    label("run", &wanted.run);
    if let Some(bead) = &wanted.bead {
        label("bead", bead);
    }
    if let Some(repository) = &wanted.repository {
        label("repo", &repository.short());
    }
    if is_made {
        label(WORKSPACE_OURS.0, WORKSPACE_OURS.1);
    }
    let mut body = json!({
        "organization_id": org,
        "content": [{"type": "text", "text": wanted.prompt}],
        "labels": labels,
        "client_type": "api",
    });
    if let Some(fields) = body.as_object_mut() {
        if let Some(id) = workspace {
            fields.insert("workspace_id".to_owned(), json!(id));
        }
        if let Some(model) = model {
            fields.insert("model_config_id".to_owned(), json!(model));
        }
    }
    body
}

/// A create whose answer was lost is looked up by its label, and repeated once if it had no effect.
/// The error says whether it is certain that there is none.
fn create_chat(
    backend: &Backend,
    prefix: &str,
    body: &Value,
    wanted: &WantedTask,
) -> std::result::Result<Chat, (CoderFailure, bool)> {
    let path = format!("{prefix}/chats");
    let look = || {
        let labels = [("run", &*wanted.run)];
        Ok(by_label(backend, prefix, &labels, Archived::Also)?.into_iter().next())
    };
    let mut lost = 0;
    loop {
        let failure = match backend.coder.post(&path, Some(body)) {
            Ok(value) => match Chat::of(&value) {
                Some(chat) => return Ok(chat),
                None => super::work::unreadable(&path, ApiKind::Chats),
            },
            Err(failure) => failure,
        };
        if !failure.is_uncertain() {
            return Err((failure, true));
        }
        match looked_up(look) {
            Ok(Some(chat)) => {
                progress(wanted.mode, "the answer was lost, and the chat was made");
                return Ok(chat);
            }
            Ok(None) if lost < 2 => lost += 1,
            Ok(None) => return Err((failure, true)),
            Err(_) => return Err((failure, false)),
        }
    }
}

fn reuse_chat(
    backend: &Backend,
    prefix: &'static str,
    wanted: &WantedTask,
    chat: Chat,
) -> Result<Outcomes> {
    if !wanted.reuse {
        return Err(taken(&wanted.name));
    }
    let failed = |failure: CoderFailure| failure.into_error("cannot read the chat");
    let id = chat.workspace_id.clone();
    let is_busy = chat.is_busy();
    let work = Work::Chat(chat);
    let handle = work.handle(prefix);
    if let Err(ended) = ready_or_not(backend, wanted, id.as_deref())? {
        let reason = format!("{}; no prompt was sent", ended.reason);
        return Ok(Err(Ended { reason, ..ended }));
    }
    if is_busy {
        let found = messages(backend, &handle, 0, 50).map_err(failed)?;
        let is_prompt = |message: &&crate::coder::model::Message| {
            message.role == "user" && !message.is_servers_own
        };
        let last = found.messages.iter().rev().find(is_prompt);
        if last.is_some_and(|last| last.text().trim() == wanted.prompt.trim()) {
            // an earlier run, which was interrupted
            progress(wanted.mode, "the chat works on this prompt already");
            let sent = Sent { queued: false, baseline: 0, reported: None };
            return Ok(Ok(Created { work, handle, reused: true, sent }));
        }
    }
    let sent = to_chat(backend, &handle, &wanted.prompt, false)?;
    Ok(Ok(Created { work, handle, reused: true, sent }))
}
