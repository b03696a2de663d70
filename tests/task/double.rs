//! A stateful double of a Coder server: enough of it for a client of Tasks and Agents. It moves on
//! by one step whenever a thing is read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::contract::{Contract, Exchange};
use crate::server::{self, Reply, Request};

/// A version, with what it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    V229,
    V234,
    /// Tasks are switched off.
    V236,
    /// Both.
    V237,
    V238,
}

impl Line {
    pub const ALL: [Self; 5] = [Self::V229, Self::V234, Self::V236, Self::V237, Self::V238];

    fn version(self) -> &'static str {
        match self {
            Self::V229 => "v2.29.19+0000000",
            Self::V234 => "v2.34.3+0000000",
            Self::V236 => "v2.36.6+0000000",
            Self::V237 => "v2.37.1+0000000",
            Self::V238 => "v2.38.5+0000000",
        }
    }

    fn tasks(self) -> &'static [&'static str] {
        match self {
            Self::V229 => &["/api/v2"],
            Self::V234 | Self::V237 => &["/api/v2", "/api/experimental"],
            Self::V236 | Self::V238 => &[],
        }
    }

    fn chats(self) -> &'static [&'static str] {
        match self {
            Self::V229 => &[],
            Self::V234 | Self::V236 => &["/api/experimental"],
            Self::V237 => &["/api/v2", "/api/experimental"],
            Self::V238 => &["/api/v2"],
        }
    }

    /// Whether a path belongs to what this version has.
    pub fn serves(self, path: &str) -> bool {
        let under = |prefixes: &[&str], name: &str| {
            prefixes.iter().any(|prefix| path.starts_with(&format!("{prefix}/{name}/")))
        };
        let is_of_one = path.contains("/tasks/") || path.contains("/chats/");
        !is_of_one || under(self.tasks(), "tasks") || under(self.chats(), "chats")
    }

    /// The newest servers say `waiting` right after create, and refuse what older ones let pass.
    fn is_newest(self) -> bool {
        matches!(self, Self::V237 | Self::V238)
    }
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    RateLimit,
    /// A proxy's page; the request never arrived.
    BadGateway,
    /// The server's own 500; the request had no effect.
    ServerError,
    /// The connection ends before the request has an effect.
    CutBefore,
    /// The request has its effect, and the answer is lost.
    CutAfter,
    /// A proxy wants a login of its own: the request never arrived.
    LoginRedirect,
    LoginPage,
    /// The dashboard's page, with 200.
    Dashboard,
    /// The answer comes late.
    Slow,
    /// The client is killed before or after the effect.
    HangBefore,
    HangAfter,
}

#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    pub owner: &'static str,
    pub template: String,
    pub transition: &'static str,
    pub status: &'static str,
    pub build: u64,
    pub task: Option<String>,
    /// Delete builds that will fail.
    pub failing_deletes: u32,
    pub lifecycle: &'static str,
    pub metadata: Value,
    pub created_at: &'static str,
    pub error: Option<(&'static str, Option<&'static str>)>,
}

#[derive(Clone, Debug)]
pub struct Chat {
    pub id: String,
    pub body: Value,
    pub status: String,
    pub archived: bool,
    /// The statuses that follow, one at each read.
    pub next: Vec<&'static str>,
    pub messages: Vec<Value>,
    pub queued: Vec<String>,
    pub error: Value,
    pub queued_for_capacity: u32,
    pub updated_at: &'static str,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub id: String,
    pub name: String,
    pub prompt: String,
    pub workspace: String,
    pub status: String,
    pub state: Option<(&'static str, &'static str)>,
    /// Status and state that follow, one at each read.
    pub next: Vec<(&'static str, Option<(&'static str, &'static str)>)>,
    pub inputs: Vec<String>,
    pub ticks: u32,
}

/// How an agent ends its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    Done,
    Empty,
    Cut,
    BrokenOff,
    Fails,
    Asks,
    Idle,
    Forever,
}

pub struct World {
    pub line: Line,
    pub agent: Agent,
    pub templates: Vec<Value>,
    pub task_templates: Vec<String>,
    pub presets: Value,
    pub parameters: Value,
    pub workspaces: Vec<Workspace>,
    pub chats: Vec<Chat>,
    pub tasks: Vec<Task>,
    /// Refusals of POST, by the end of the path.
    pub refuse: BTreeMap<&'static str, (u16, Value)>,
    /// Faults by the number of the request.
    pub faults: BTreeMap<usize, Fault>,
    /// One fault for every request.
    pub always: Option<Fault>,
    pub start_fails: bool,
    pub quota: bool,
    pub metadata: Value,
    pub websocket: bool,
    pub frames: Vec<String>,
    pub log: Vec<Exchange>,
    pub tokens: Vec<String>,
    pub requests: usize,
    next: u64,
}

const FIXTURES: &str = include_str!("fixtures.json");
pub const USER: &str = "22222222-2222-4222-8222-222222222222";

/// One thing as a server shows it.
pub fn example(name: &str) -> Value {
    fixture(name)
}

fn fixture(name: &str) -> Value {
    serde_json::from_str::<Value>(FIXTURES).unwrap()[name].clone()
}

pub struct Double {
    pub address: SocketAddr,
    pub world: Arc<Mutex<World>>,
}

impl Double {
    pub fn start(line: Line) -> Self {
        let mut world = World {
            line,
            agent: Agent::Done,
            templates: Vec::new(),
            task_templates: Vec::new(),
            presets: Value::Null,
            parameters: json!([]),
            workspaces: Vec::new(),
            chats: Vec::new(),
            tasks: Vec::new(),
            refuse: BTreeMap::new(),
            faults: BTreeMap::new(),
            always: None,
            start_fails: false,
            quota: false,
            metadata: ready("ready · push 1/1 · codex"),
            websocket: true,
            frames: Vec::new(),
            log: Vec::new(),
            tokens: Vec::new(),
            requests: 0,
            next: 1,
        };
        world.add_template("dev", true);
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        let address = server::start(move |request| shared.lock().unwrap().answer(request));
        Self { address, world }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn edit(&self, edit: impl FnOnce(&mut World)) {
        edit(&mut self.world.lock().unwrap());
    }

    /// Every request and answer so far is as Coder's API is described.
    pub fn check_contract(&self) {
        let mut contract = Contract::new();
        let world = self.world.lock().unwrap();
        let faults: Vec<_> = world.log.iter().filter_map(|one| contract.fault(one)).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// The metadata of an agent with our line in it.
pub fn ready(line: &str) -> Value {
    item(line, "2026-11-20T10:06:00Z")
}

pub fn item(line: &str, collected: &str) -> Value {
    json!([{"result": {"collected_at": collected, "age": 6, "value": line, "error": ""},
        "description": {"display_name": "pushready", "key": "pushready", "script": "x", "interval": 1, "timeout": 5}}])
}

const GONE: &str = "Resource not found or you do not have access to this resource";

fn said(status: u16, message: &str) -> Reply {
    Reply::Json(status, json!({"message": message}))
}

impl World {
    pub fn add_template(&mut self, name: &str, for_tasks: bool) {
        let mut template = fixture("template");
        template["id"] = self.id().into();
        template["name"] = name.into();
        template["active_version_id"] = self.id().into();
        if for_tasks {
            self.task_templates.push(name.to_owned());
        }
        self.templates.push(template);
    }

    /// What goes wrong with the request of this number.
    pub fn fault(&mut self, number: usize, fault: Fault) {
        self.faults.insert(number, fault);
    }

    pub fn id(&mut self) -> String {
        self.next += 1;
        format!("{:08x}-1111-4111-8111-111111111111", self.next)
    }

    pub fn add_workspace(&mut self, name: &str) -> String {
        let id = self.id();
        self.workspaces.push(Workspace {
            id: id.clone(),
            name: name.to_owned(),
            owner: USER,
            template: "dev".to_owned(),
            transition: "start",
            status: "running",
            build: 1,
            task: None,
            failing_deletes: 0,
            lifecycle: "ready",
            metadata: self.metadata.clone(),
            created_at: "2026-11-20T10:00:00Z",
            error: None,
        });
        id
    }

    /// A chat as an earlier run made it, idle after its turn.
    pub fn add_chat(&mut self, name: &str, workspace: Option<&str>, is_ours: bool) -> String {
        let mut labels = json!({"pushready": "1", "name": name, "run": "1"});
        if is_ours {
            labels["pushready-workspace"] = "1".into();
        }
        let mut body = json!({"labels": labels, "content": [{"type": "text", "text": "earlier"}]});
        if let Some(workspace) = workspace {
            body["workspace_id"] = workspace.into();
        }
        let id = self.new_chat(&body);
        let chat = self.chats.last_mut().unwrap();
        chat.status = "waiting".to_owned();
        chat.next.clear();
        self.answer_turn(&id);
        id
    }

    fn new_chat(&mut self, body: &Value) -> String {
        let id = self.id();
        let text = body["content"][0]["text"].as_str().unwrap().to_owned();
        let status = if self.line.is_newest() { "waiting" } else { "pending" };
        self.chats.push(Chat {
            id: id.clone(),
            body: body.clone(),
            status: status.to_owned(),
            archived: false,
            next: turn(self.agent),
            messages: Vec::new(),
            queued: Vec::new(),
            error: Value::Null,
            queued_for_capacity: 0,
            updated_at: "2026-11-20T10:00:00Z",
        });
        self.add_message(&id, "user", &text, None);
        id
    }

    fn add_message(&mut self, chat: &str, role: &str, text: &str, usage: Option<Value>) {
        self.next += 1;
        let id = self.next;
        let chat = self.chats.iter_mut().find(|it| it.id == chat).unwrap();
        let mut message = json!({"id": id, "chat_id": chat.id, "created_at": "2026-11-20T10:05:00Z",
            "role": role, "content": [{"type": "text", "text": text, "url": "", "file_id": null}]});
        if role == "user" {
            message["created_by"] = USER.into();
        }
        if let Some(usage) = usage {
            message["usage"] = usage;
        }
        chat.messages.push(message);
    }

    fn answer_turn(&mut self, id: &str) {
        let counted = json!({"input_tokens": 12, "output_tokens": 4, "total_tokens": 16});
        match self.agent {
            Agent::Done | Agent::Idle | Agent::Forever => {
                self.add_message(
                    id,
                    "assistant",
                    "Done: the test \u{1b}[1mpasses\u{1b}[0m.",
                    Some(counted),
                );
            }
            Agent::Cut => self.add_message(id, "assistant", "I will", None),
            Agent::BrokenOff => {
                self.add_message(id, "assistant", "I will", Some(json!({"context_limit": 1})));
            }
            Agent::Empty => {}
            Agent::Fails => {
                let chat = self.chats.iter_mut().find(|it| it.id == id).unwrap();
                chat.error = json!({"message": "The provider refused the key.", "detail": "401", "kind": "auth", "retryable": false});
            }
            Agent::Asks => {
                self.next += 1;
                let message = json!({"id": self.next, "chat_id": id, "created_at": "2026-11-20T10:05:00Z", "role": "assistant",
                    "content": [{"type": "tool-call", "tool_call_id": "t", "tool_name": "ask_user", "args": {"q": "which branch?"}}]});
                self.chats.iter_mut().find(|it| it.id == id).unwrap().messages.push(message);
            }
        }
    }

    /// For a server that answers some requests by itself.
    pub fn answer_for(&mut self, request: &Request) -> Reply {
        self.answer(request)
    }

    fn answer(&mut self, request: &Request) -> Reply {
        self.tokens.extend(request.headers.get("coder-session-token").cloned());
        let number = self.requests;
        self.requests += 1;
        let fault = self.faults.get(&number).copied().or(self.always);
        match fault {
            None => {}
            Some(Fault::RateLimit) => {
                return said(
                    429,
                    "You've been rate limited for sending more than 512 requests in 1m0s.",
                );
            }
            Some(Fault::BadGateway) => {
                return Reply::html(502, "<html><h1>502 Bad Gateway</h1></html>");
            }
            Some(Fault::ServerError) => return said(500, "Internal error."),
            Some(Fault::LoginRedirect) => {
                let to = ("location".to_owned(), "https://sso.example/login?next=x".to_owned());
                return Reply::Raw { status: 302, headers: vec![to], body: Vec::new() };
            }
            Some(Fault::LoginPage) => {
                return Reply::html(200, "<html><title>Sign in</title></html>");
            }
            Some(Fault::Dashboard) => return Reply::html(200, "<html><title>Coder</title></html>"),
            Some(Fault::Slow) => {
                let reply = self.perform(request);
                return Reply::Slow(std::time::Duration::from_secs(2), Box::new(reply));
            }
            Some(Fault::CutBefore) => return Reply::Cut,
            Some(Fault::HangBefore) => return Reply::Hang,
            Some(Fault::CutAfter | Fault::HangAfter) => {
                self.perform(request);
                return if fault == Some(Fault::CutAfter) { Reply::Cut } else { Reply::Hang };
            }
        }
        let reply = self.perform(request);
        let (status, answer) = match &reply {
            Reply::Json(status, value) => (*status, Some(value.clone())),
            Reply::Empty(status) => (*status, None),
            _ => return reply,
        };
        let unserved = answer.as_ref().is_some_and(|it| it["message"] == "Route not found.");
        if !unserved {
            let (method, path) = (request.method.clone(), request.path.clone());
            self.log.push(Exchange { method, path, request: request.body.clone(), status, answer });
        }
        reply
    }

    fn perform(&mut self, request: &Request) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let body = request.body.clone().unwrap_or(Value::Null);
        if request.method == "POST" {
            let refused = self.refuse.iter().find(|(end, _)| path.ends_with(**end));
            if let Some((_, (status, body))) = refused {
                return Reply::Json(*status, body.clone());
            }
        }
        let prefix = format!("/{}", parts[..parts.len().min(2)].join("/"));
        match (&*request.method, &parts[2..]) {
            ("GET", ["buildinfo"]) => {
                let mut info = fixture("buildinfo");
                info["version"] = self.line.version().into();
                Reply::Json(200, info)
            }
            ("GET", ["users", "me"]) => Reply::Json(200, fixture("user")),
            ("GET", ["users", "me", "organizations"]) => {
                let mut organization = fixture("organization");
                organization["id"] = fixture("template")["organization_id"].clone();
                Reply::Json(200, json!([organization]))
            }
            ("GET", ["templates"]) => {
                let only_tasks = query.contains("has-ai-task:true");
                let fits = |template: &&Value| {
                    !only_tasks || self.task_templates.iter().any(|name| template["name"] == **name)
                };
                Reply::Json(200, self.templates.iter().filter(fits).cloned().collect())
            }
            ("GET", ["organizations", _, "templates", name]) => {
                match self.templates.iter().find(|template| template["name"] == *name) {
                    Some(template) => Reply::Json(200, template.clone()),
                    None => said(404, GONE),
                }
            }
            ("GET", ["organizations", _, "chats", "models"]) if self.line.is_newest() => {
                Reply::Json(
                    200,
                    json!({"models": [], "providers": [], "unsupported_providers": []}),
                )
            }
            ("GET", ["templateversions", _, "presets"]) => Reply::Json(200, self.presets.clone()),
            ("GET", ["templateversions", _, "rich-parameters"]) => {
                Reply::Json(200, self.parameters.clone())
            }
            (_, ["workspaces" | "users" | "workspacebuilds" | "workspaceagents", ..]) => {
                self.workspace_request(request, &parts[2..], query, &body)
            }
            (_, ["tasks", rest @ ..]) if self.line.tasks().contains(&&*prefix) => {
                self.task_request(&request.method, rest, &body)
            }
            (_, ["chats", rest @ ..]) if self.line.chats().contains(&&*prefix) => {
                self.chat_request(&request.method, rest, query, &body)
            }
            _ => said(404, "Route not found."),
        }
    }

    fn workspace_request(
        &mut self,
        request: &Request,
        parts: &[&str],
        query: &str,
        body: &Value,
    ) -> Reply {
        let deleted = |it: &&mut Workspace| it.status == "deleted";
        match (&*request.method, parts) {
            ("POST", ["users", "me", "workspaces"]) => {
                let name = body["name"].as_str().unwrap();
                if self.workspaces.iter().any(|it| it.name == name && it.status != "deleted") {
                    return Reply::Json(
                        409,
                        json!({"message": format!("Workspace \"{name}\" already exists."),
                        "validations": [{"field": "name", "detail": "This value is already in use and should be unique."}]}),
                    );
                }
                let required =
                    self.parameters.as_array().unwrap().iter().find(|it| it["required"] == true);
                let given = body["rich_parameter_values"].as_array().cloned().unwrap_or_default();
                if let Some(required) =
                    required.filter(|it| !given.iter().any(|given| given["name"] == it["name"]))
                {
                    return Reply::Json(
                        400,
                        json!({"message": "Unable to validate parameters",
                        "validations": [{"field": required["name"], "detail": "Required parameter not provided; parameter value is null"}]}),
                    );
                }
                let id = self.add_workspace(name);
                let workspace = self.workspaces.last_mut().unwrap();
                workspace.status = "pending";
                Reply::Json(201, self.show_workspace(&id))
            }
            ("GET", ["users", "me", "workspace", name]) => {
                let found = self.workspaces.iter().rfind(|it| it.name == *name && it.owner == USER);
                match found.map(|it| it.id.clone()) {
                    Some(id) if self.is_deleted(&id) && !query.contains("include_deleted=true") => {
                        said(404, GONE)
                    }
                    Some(id) => Reply::Json(200, self.show_workspace(&id)),
                    None => said(404, GONE),
                }
            }
            ("GET", ["workspaces"]) => {
                let ids: Vec<_> = self
                    .workspaces
                    .iter()
                    .filter(|it| it.status != "deleted")
                    .map(|it| it.id.clone())
                    .collect();
                let offset = query
                    .split('&')
                    .find_map(|pair| pair.strip_prefix("offset="))
                    .map_or(0, |text| text.parse().unwrap());
                let page: Vec<_> =
                    ids.iter().skip(offset).map(|id| self.show_workspace(id)).collect();
                Reply::Json(200, json!({"workspaces": page, "count": ids.len()}))
            }
            ("GET", ["workspaces", id]) => {
                if !self.workspaces.iter().any(|it| it.id == *id) {
                    return said(404, GONE);
                }
                self.step_workspace(id);
                if self.is_deleted(id) && !query.contains("include_deleted=true") {
                    return said(410, "Workspace was deleted");
                }
                Reply::Json(200, self.show_workspace(id))
            }
            ("POST", ["workspaces", id, "builds"]) => {
                let Some(found) = self.workspaces.iter_mut().find(|it| it.id == *id) else {
                    return said(404, GONE);
                };
                if matches!(found.status, "pending" | "starting" | "stopping" | "deleting") {
                    return Reply::Json(
                        409,
                        json!({"message": "A workspace build is already active.", "detail": "A workspace build is already active."}),
                    );
                }
                let was_deleted = deleted(&found);
                (found.transition, found.status) = match body["transition"].as_str().unwrap() {
                    "delete" => ("delete", "deleting"),
                    "stop" => ("stop", "stopping"),
                    _ => ("start", "pending"),
                };
                assert!(!was_deleted, "a build of a deleted workspace");
                found.build += 1;
                let id = (*id).to_owned();
                Reply::Json(201, self.show_workspace(&id)["latest_build"].clone())
            }
            ("GET", ["workspacebuilds", _, "logs"]) => {
                let line = |id: u64, level: &str, text: &str| {
                    json!({"id": id, "created_at": "2026-11-20T10:00:00Z",
                    "log_source": "provisioner", "log_level": level, "stage": "Starting workspace", "output": text})
                };
                Reply::Json(
                    200,
                    json!([
                        line(10, "info", "terraform_data.box: Creating..."),
                        line(11, "error", "Error: no space left on device")
                    ]),
                )
            }
            ("GET", ["workspaceagents", _, "logs"]) => Reply::Json(
                200,
                json!([{"id": 1, "created_at": "2026-11-20T10:00:00Z", "output": "git: command not found", "level": "error", "source_id": "44444444-4444-4444-8444-444444444444"}]),
            ),
            ("GET", ["workspaceagents", id, "watch-metadata"]) => {
                let workspace = self.workspaces.iter().find(|it| agent_of(&it.id) == *id);
                let Some(workspace) = workspace else {
                    return said(
                        404,
                        "Agent doesn't exist with that id, or you do not have access to it.",
                    );
                };
                Reply::Events(vec![workspace.metadata.to_string(); 2])
            }
            _ => said(404, "Route not found."),
        }
    }

    fn is_deleted(&self, id: &str) -> bool {
        self.workspaces.iter().any(|it| it.id == id && it.status == "deleted")
    }

    fn step_workspace(&mut self, id: &str) {
        let (fails, quota) = (self.start_fails, self.quota);
        let found = self.workspaces.iter_mut().find(|it| it.id == id).unwrap();
        match found.status {
            "pending" => found.status = "starting",
            "starting" if fails || quota => {
                found.status = "failed";
                found.error = Some(if quota {
                    ("insufficient quota", Some("INSUFFICIENT_QUOTA"))
                } else {
                    ("terraform apply: exit status 1", None)
                });
            }
            "starting" => found.status = "running",
            "stopping" => found.status = "stopped",
            "deleting" if found.failing_deletes > 0 => {
                found.failing_deletes -= 1;
                found.status = "failed";
                found.error = Some(("terraform apply: exit status 1", None));
            }
            "deleting" => {
                found.status = "deleted";
                // a completed delete removes the task as well
                let task = found.task.clone();
                self.tasks.retain(|it| Some(&it.id) != task.as_ref());
            }
            _ => {}
        }
    }

    fn show_workspace(&self, id: &str) -> Value {
        let found = self.workspaces.iter().find(|it| it.id == id).unwrap();
        let mut value = fixture("workspace");
        let user = fixture("user");
        value["id"] = found.id.clone().into();
        value["name"] = found.name.clone().into();
        value["owner_id"] = found.owner.into();
        value["owner_name"] =
            if found.owner == USER { user["username"].clone() } else { "bob".into() };
        value["template_name"] = found.template.clone().into();
        value["created_at"] = found.created_at.into();
        value["task_id"] = found.task.clone().map_or(Value::Null, Value::from);
        let build = &mut value["latest_build"];
        build["id"] = format!("{:08x}-7777-4777-8777-777777777777", found.build).into();
        build["workspace_id"] = found.id.clone().into();
        build["build_number"] = found.build.into();
        build["transition"] = found.transition.into();
        build["status"] = found.status.into();
        build["has_ai_task"] = found.task.is_some().into();
        build["job"]["status"] = match found.status {
            "pending" => "pending",
            "starting" | "stopping" | "deleting" => "running",
            "failed" => "failed",
            _ => "succeeded",
        }
        .into();
        if let Some((error, code)) = found.error.filter(|_| found.status == "failed") {
            build["job"]["error"] = error.into();
            if let Some(code) = code {
                build["job"]["error_code"] = code.into();
            }
        }
        let agent = &mut build["resources"][0]["agents"][0];
        agent["id"] = agent_of(&found.id).into();
        agent["lifecycle_state"] = found.lifecycle.into();
        agent["health"] = if found.lifecycle == "start_error" {
            json!({"healthy": false, "reason": "agent startup script exited with an error"})
        } else {
            json!({"healthy": true})
        };
        if found.status != "running" {
            build["resources"] = json!([]);
        }
        value
    }

    fn task_request(&mut self, method: &str, parts: &[&str], body: &Value) -> Reply {
        let found = match parts {
            [_, name, ..] => self.tasks.iter().position(|it| it.name == *name || it.id == *name),
            _ => None,
        };
        match (method, parts) {
            ("GET", []) => {
                let all: Vec<_> =
                    (0..self.tasks.len()).map(|index| self.show_task(index)).collect();
                Reply::Json(200, json!({"tasks": all, "count": all.len()}))
            }
            ("POST", [_]) => {
                let name = body["name"].as_str().unwrap();
                if self.workspaces.iter().any(|it| it.name == name && it.status != "deleted") {
                    return Reply::Json(
                        409,
                        json!({"message": format!("Workspace \"{name}\" already exists."),
                        "validations": [{"field": "name", "detail": "This value is already in use and should be unique."}]}),
                    );
                }
                let version = &body["template_version_id"];
                let template =
                    self.templates.iter().find(|it| it["active_version_id"] == *version).unwrap();
                if !self.task_templates.iter().any(|name| template["name"] == **name) {
                    return said(400, "Template does not have a valid \"coder_ai_task\" resource.");
                }
                let workspace = self.add_workspace(name);
                let id = self.id();
                let made = self.workspaces.last_mut().unwrap();
                (made.status, made.task) = ("pending", Some(id.clone()));
                self.tasks.push(Task {
                    id,
                    name: name.to_owned(),
                    prompt: body["input"].as_str().unwrap().to_owned(),
                    workspace,
                    status: "pending".to_owned(),
                    state: None,
                    next: task_turn(self.agent),
                    inputs: Vec::new(),
                    ticks: 0,
                });
                Reply::Json(201, self.show_task(self.tasks.len() - 1))
            }
            ("POST", [_, _, "resume"]) if self.line == Line::V229 => said(404, "Route not found."),
            (_, [_, _, ..]) if found.is_none() => said(404, GONE),
            ("GET", [_, _]) => {
                let index = found.unwrap();
                let (workspace, task) =
                    (self.tasks[index].workspace.clone(), self.tasks[index].id.clone());
                self.step_workspace(&workspace);
                let status = self.workspaces.iter().find(|it| it.id == workspace).unwrap().status;
                let Some(index) = self.tasks.iter().position(|it| it.id == task) else {
                    return said(404, GONE);
                };
                let it = &mut self.tasks[index];
                it.ticks += 1;
                if status == "failed" {
                    it.status = "error".to_owned();
                } else if status == "running" && !it.next.is_empty() {
                    let (status, state) = it.next.remove(0);
                    (it.status, it.state) = (status.to_owned(), state);
                }
                Reply::Json(200, self.show_task(index))
            }
            ("DELETE", [_, _]) => {
                let task = self.tasks[found.unwrap()].clone();
                let workspace =
                    self.workspaces.iter_mut().find(|it| it.id == task.workspace).unwrap();
                if matches!(workspace.status, "pending" | "starting" | "stopping" | "deleting") {
                    return Reply::Json(
                        409,
                        json!({"message": "A workspace build is already active.", "detail": "A workspace build is already active."}),
                    );
                }
                (workspace.transition, workspace.status) = ("delete", "deleting");
                workspace.build += 1;
                self.tasks.remove(found.unwrap());
                Reply::Empty(202)
            }
            ("POST", [_, _, "send"]) => {
                let old = self.line == Line::V229;
                let agent = self.agent;
                let it = &mut self.tasks[found.unwrap()];
                if it.status != "active" && old {
                    return Reply::Json(
                        400,
                        json!({"message": "Task status must be active.",
                        "detail": format!("Task status is \"{}\", it must be \"active\" to interact with the task.", it.status)}),
                    );
                }
                match &*it.status {
                    "active" => {}
                    "paused" => {
                        return Reply::Json(
                            409,
                            json!({"message": "Task is paused.", "detail": "Resume the task to send messages."}),
                        );
                    }
                    "error" | "unknown" => return said(400, "Task must be active."),
                    _ => return said(409, "Task is initializing."),
                }
                it.inputs.push(body["input"].as_str().unwrap().to_owned());
                it.state = Some(("working", "on it"));
                it.next = task_turn(agent)
                    .into_iter()
                    .filter(|(status, _)| *status == "active")
                    .collect();
                Reply::Empty(204)
            }
            ("POST", [_, _, "resume"]) => {
                let task = self.tasks[found.unwrap()].clone();
                let workspace =
                    self.workspaces.iter_mut().find(|it| it.id == task.workspace).unwrap();
                (workspace.transition, workspace.status) = ("start", "pending");
                workspace.build += 1;
                self.tasks[found.unwrap()].next =
                    vec![("initializing", None), ("active", Some(("idle", "Waiting for input")))];
                Reply::Json(202, json!({}))
            }
            ("GET", [_, _, "logs"]) => {
                let it = &self.tasks[found.unwrap()];
                if matches!(&*it.status, "error" | "unknown") {
                    return said(409, "Cannot fetch logs for task in current state.");
                }
                let line = |id: usize, kind: &str, text: &str| json!({"id": id, "content": text, "type": kind, "time": "2026-11-20T10:05:00Z"});
                let mut logs = vec![line(0, "input", &it.prompt), line(1, "output", "on it\u{7}")];
                logs.extend(
                    it.inputs
                        .iter()
                        .enumerate()
                        .map(|(index, text)| line(index + 2, "input", text)),
                );
                Reply::Json(200, json!({"logs": logs}))
            }
            _ => said(404, "Route not found."),
        }
    }

    fn show_task(&self, index: usize) -> Value {
        let task = &self.tasks[index];
        let workspace = self.workspaces.iter().find(|it| it.id == task.workspace).unwrap();
        let mut value = fixture("task");
        value["id"] = task.id.clone().into();
        value["name"] = task.name.clone().into();
        value["display_name"] = task.prompt.chars().take(60).collect::<String>().into();
        value["initial_prompt"] = task.prompt.clone().into();
        value["status"] = task.status.clone().into();
        value["workspace_id"] = workspace.id.clone().into();
        value["workspace_name"] = workspace.name.clone().into();
        value["workspace_status"] = workspace.status.into();
        value["workspace_agent_id"] = agent_of(&workspace.id).into();
        value["workspace_agent_lifecycle"] = workspace.lifecycle.into();
        if workspace.lifecycle == "start_error" {
            value["workspace_agent_health"] =
                json!({"healthy": false, "reason": "agent startup script exited with an error"});
        }
        let at = format!("2026-11-20T10:{:02}:{:02}Z", task.ticks / 60, task.ticks % 60);
        value["current_state"] = task.state.map_or(Value::Null, |(state, message)| {
            json!({"timestamp": at, "state": state, "message": message, "uri": ""})
        });
        value
    }

    fn chat_request(&mut self, method: &str, parts: &[&str], query: &str, body: &Value) -> Reply {
        let found = match parts {
            [id, ..] => self.chats.iter().position(|it| it.id == *id),
            [] => None,
        };
        match (method, parts) {
            ("GET", []) => {
                let archived = query.contains("archived:true");
                let labels: Vec<_> = query
                    .split('&')
                    .filter_map(|pair| pair.strip_prefix("label="))
                    .filter_map(|label| label.split_once(':'))
                    .collect();
                let fits = |chat: &&Chat| {
                    chat.archived == archived
                        && labels.iter().all(|(key, value)| chat.body["labels"][*key] == *value)
                };
                let all: Vec<_> =
                    self.chats.iter().rev().filter(fits).map(Self::show_chat).collect();
                let after = query.split('&').find_map(|pair| pair.strip_prefix("after_id="));
                let start = after.map_or(0, |after| {
                    all.iter().position(|it| it["id"] == *after).map_or(all.len(), |at| at + 1)
                });
                let limit = query
                    .split('&')
                    .find_map(|pair| pair.strip_prefix("limit="))
                    .map_or(50, |text| text.parse().unwrap());
                Reply::Json(200, all.into_iter().skip(start).take(limit).collect())
            }
            ("POST", []) => {
                let id = self.new_chat(body);
                let chat = self.chats.iter().find(|it| it.id == id).unwrap();
                Reply::Json(201, Self::show_chat(chat))
            }
            _ if found.is_none() => said(404, GONE),
            ("GET", [id]) => {
                self.step_chat(id);
                let chat = self.chats[found.unwrap()].clone();
                let mut value = Self::show_chat(&chat);
                if chat.queued_for_capacity > 0 {
                    self.chats[found.unwrap()].queued_for_capacity -= 1;
                    value["queued_for_capacity"] = true.into();
                }
                Reply::Json(200, value)
            }
            ("PATCH", [_]) => {
                let newest = self.line.is_newest();
                let chat = &mut self.chats[found.unwrap()];
                if chat.archived {
                    return said(400, "Chat is already archived.");
                }
                if newest && matches!(&*chat.status, "running" | "pending" | "interrupting") {
                    return said(
                        409,
                        "Cannot archive an active chat. Interrupt or wait for the chat to finish first.",
                    );
                }
                chat.archived = body["archived"] == true;
                Reply::Empty(204)
            }
            ("POST", [_, "interrupt"]) => {
                let newest = self.line.is_newest();
                let chat = &mut self.chats[found.unwrap()];
                if newest && !matches!(&*chat.status, "running" | "pending") {
                    return said(409, "Chat is not in an interruptible state.");
                }
                chat.status = "waiting".to_owned();
                chat.error = Value::Null;
                chat.next.clear();
                let chat = chat.clone();
                Reply::Json(200, Self::show_chat(&chat))
            }
            ("GET", [_, "messages"]) => {
                let chat = &self.chats[found.unwrap()];
                let number = |name: &str| {
                    query
                        .split('&')
                        .find_map(|pair| pair.strip_prefix(name))
                        .map(|text| text.parse::<i64>().unwrap())
                };
                let (before, limit) = (number("before_id="), number("limit=").unwrap_or(50));
                assert!((1..=200).contains(&limit));
                let fits = |message: &&Value| {
                    before.is_none_or(|before| message["id"].as_i64().unwrap() < before)
                };
                let all: Vec<_> = chat
                    .messages
                    .iter()
                    .rev()
                    .filter(fits)
                    .take(usize::try_from(limit).unwrap() + 1)
                    .cloned()
                    .collect();
                let limit = usize::try_from(limit).unwrap();
                let queued: Vec<_> = chat.queued.iter().filter(|_| before.is_none()).enumerate()
                    .map(|(index, text)| json!({"id": index, "chat_id": chat.id, "created_at": "2026-11-20T10:05:00Z", "content": [{"type": "text", "text": text}]}))
                    .collect();
                Reply::Json(
                    200,
                    json!({"has_more": all.len() > limit, "messages": all.into_iter().take(limit).collect::<Vec<_>>(), "queued_messages": queued}),
                )
            }
            ("POST", [id, "messages"]) => {
                let text = body["content"][0]["text"].as_str().unwrap().to_owned();
                let agent = self.agent;
                let chat = &mut self.chats[found.unwrap()];
                if chat.archived {
                    return said(400, "Cannot send messages to an archived chat.");
                }
                if matches!(&*chat.status, "running" | "pending") {
                    chat.queued.push(text);
                    return Reply::Json(200, json!({"queued": true}));
                }
                chat.next = turn(agent);
                chat.error = Value::Null;
                self.add_message(id, "user", &text, None);
                let message = self.chats[found.unwrap()].messages.last().unwrap().clone();
                Reply::Json(200, json!({"queued": false, "message": message}))
            }
            ("GET", [_, "stream"]) if self.websocket => Reply::Frames(self.frames.clone()),
            ("GET", [_, "stream"]) => Reply::html(403, "<html><h1>403 Forbidden</h1></html>"),
            _ => said(404, "Route not found."),
        }
    }

    fn step_chat(&mut self, id: &str) {
        let chat = self.chats.iter_mut().find(|it| it.id == id).unwrap();
        if chat.archived || chat.next.is_empty() {
            return;
        }
        if chat.queued_for_capacity > 0 {
            chat.status = "running".to_owned();
            return;
        }
        let status = chat.next.remove(0);
        chat.status = status.to_owned();
        if matches!(status, "waiting" | "error" | "requires_action") {
            self.answer_turn(id);
            let chat = self.chats.iter_mut().find(|it| it.id == id).unwrap();
            if status == "waiting" && !chat.queued.is_empty() {
                let text = chat.queued.remove(0);
                chat.next = turn(self.agent);
                chat.status = "running".to_owned();
                self.add_message(id, "user", &text, None);
            }
        }
    }

    fn show_chat(chat: &Chat) -> Value {
        let mut value = fixture("chat");
        value["id"] = chat.id.clone().into();
        value["status"] = chat.status.clone().into();
        value["archived"] = chat.archived.into();
        value["labels"] = chat.body["labels"].clone();
        value["updated_at"] = chat.updated_at.into();
        value["title"] = chat.body["content"][0]["text"]
            .as_str()
            .unwrap()
            .chars()
            .take(40)
            .collect::<String>()
            .into();
        if let Some(workspace) = chat.body.get("workspace_id") {
            value["workspace_id"] = workspace.clone();
        }
        if !chat.error.is_null() {
            value["last_error"] = chat.error.clone();
        }
        value
    }
}

fn turn(agent: Agent) -> Vec<&'static str> {
    match agent {
        Agent::Done | Agent::Empty | Agent::Cut | Agent::BrokenOff | Agent::Idle => {
            vec!["running", "waiting"]
        }
        Agent::Fails => vec!["running", "error"],
        Agent::Asks => vec!["running", "requires_action"],
        Agent::Forever => vec!["running"],
    }
}

fn task_turn(agent: Agent) -> Vec<(&'static str, Option<(&'static str, &'static str)>)> {
    let end = match agent {
        Agent::Done => ("complete", "Opened a pull request"),
        Agent::Fails => ("failed", "Tests do not pass"),
        Agent::Forever => ("working", "Editing main.go"),
        _ => ("idle", "Which branch shall I use?"),
    };
    vec![
        ("initializing", Some(("working", "Agent is starting"))),
        ("active", None),
        ("active", Some(("working", "Editing main.go"))),
        ("active", Some(end)),
    ]
}

fn agent_of(workspace: &str) -> String {
    workspace.replace("-1111-4111-8111-111111111111", "-9999-4999-8999-999999999999")
}
