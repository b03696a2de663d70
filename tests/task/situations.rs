//! The situations of Coder's API, each played to the command that meets it. What a situation does
//! not answer, the double does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::double::{Double, Line, World};
use crate::server::{self, Reply, Request};
use crate::{command, each, finish};

#[derive(Deserialize)]
struct Situation {
    name: String,
    server: String,
    right: String,
    given: String,
    exchange: Vec<Step>,
}

#[derive(Clone, Deserialize)]
struct Step {
    request: Asked,
    response: Value,
}

#[derive(Clone, Deserialize)]
struct Asked {
    method: String,
    path: String,
}

const CHAT: &str = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
const TASK: &str = "55555555-5555-4555-8555-555555555555";
const WORKSPACE: &str = "66666666-6666-4666-8666-666666666666";

/// Name, arguments, and the exit status where it is not that of `right`.
#[rustfmt::skip]
const RUNS: &[(&str, &[&str], Option<i32>)] = &[
    ("tasks-not-served", &["list", "--backend", "tasks"], None),
    ("tasks-switched-off", &["list"], None),
    ("chats-not-served", &["list", "--backend", "chats"], None),
    ("both-served", &["list"], None),
    ("role-missing", &["create", "x", "--backend", "chats"], None),
    ("not-a-member", &["create", "x", "--backend", "chats"], None),
    ("token-expired", &["list"], None),
    ("token-missing", &["list"], None),
    ("login-page-200", &["list"], None),
    ("dashboard-page-200", &["list"], None),
    ("rate-limited-no-header", &["status", "fix-42", "--backend", "tasks"], None),
    ("tls-against-plain", &["list"], None),
    ("invalid-json", &["status", CHAT], None),
    ("no-templates", &["create", "x", "--backend", "tasks"], None),
    ("template-without-ai-task", &["create", "x", "--backend", "tasks", "--template", "dev"], None),
    ("name-conflict", &["create", "Fix issue 42", "--backend", "tasks", "--name", "fix-42"], None),
    // the task works on another prompt
    ("name-conflict-reuse", &["create", "Fix issue 43", "--backend", "tasks", "--name", "fix-42", "--reuse"], None),
    ("name-invalid-task", &["create", "x", "--name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], None),
    ("parameter-missing", &["create", "x", "--backend", "chats"], None),
    ("labels-invalid", &["create", "x", "--label", "run="], None),
    ("spend-limit-older", &["create", "x", "--backend", "chats"], None),
    ("gateway-off", &["create", "x", "--backend", "chats"], None),
    ("chat-processor-unavailable", &["create", "x", "--backend", "chats"], None),
    ("no-model", &["create", "x", "--backend", "chats"], None),
    ("models-moved", &["create", "x", "--backend", "chats"], None),
    ("waiting-right-after-create", &["create", "x", "--backend", "chats", "--wait"], None),
    ("older-status-words", &["create", "x", "--backend", "chats", "--wait"], None),
    ("queued-for-capacity-timeout", &["create", "x", "--backend", "chats", "--wait", "--timeout", "5s"], None),
    ("queued-for-capacity-then-runs", &["status", CHAT, "--watch"], None),
    ("error-as-object", &["status", CHAT, "--watch"], None),
    ("error-retryable", &["status", CHAT, "--watch"], None),
    ("requires-action", &["status", CHAT, "--watch"], None),
    ("interrupted-elsewhere", &["status", CHAT, "--watch"], None),
    ("interrupt-older", &["delete", CHAT, "--yes"], None),
    ("send-archived", &["send", CHAT, "Also run the tests"], None),
    ("send-not-owner", &["send", CHAT, "Also run the tests"], None),
    ("send-queued", &["send", CHAT, "Also run the tests"], None),
    ("send-queue-full", &["send", CHAT, "Also run the tests"], None),
    ("send-wrong-state", &["send", CHAT, "Also run the tests"], None),
    ("messages-paging", &["logs", CHAT], None),
    ("after-id-ignored", &["logs", CHAT], None),
    ("follow-by-polling", &["logs", CHAT, "--follow"], None),
    ("websocket-blocked", &["logs", CHAT, "--follow"], None),
    ("stream-plain", &["logs", CHAT], None),
    ("history-reset", &["logs", CHAT, "--follow"], None),
    ("huge-message", &["logs", CHAT], None),
    ("clock-skew", &["status", CHAT, "--watch"], None),
    ("new-part-types", &["logs", CHAT], None),
    ("task-complete", &["create", "Fix issue 42", "--backend", "tasks", "--wait"], None),
    ("task-failed-state", &["status", TASK, "--watch"], None),
    ("task-idle", &["status", TASK, "--watch"], None),
    ("unknown-task-words", &["status", TASK, "--watch"], None),
    ("build-failed", &["status", TASK, "--watch"], None),
    ("quota-exceeded", &["status", TASK, "--watch"], None),
    ("start-script-failed", &["status", TASK, "--watch"], None),
    ("send-paused", &["send", TASK, "Go on"], None),
    ("send-paused-229", &["send", TASK, "Go on"], None),
    ("send-busy-app", &["send", TASK, "Go on"], None),
    ("send-502-unreachable", &["send", TASK, "Go on"], None),
    ("task-deleted-404", &["status", TASK], None),
    ("task-delete", &["delete", "fix-42", "--yes"], None),
    ("task-delete-build-fails", &["delete", "fix-42", "--yes"], None),
    ("workspace-deleted-410", &["delete", CHAT, "--yes"], None),
    ("workspace-not-ours", &["delete", CHAT, "--workspace", "delete", "--yes"], None),
    ("archive-active-409", &["delete", CHAT, "--yes"], None),
    ("cleanup-interrupted", &["delete", CHAT, "--yes"], None),
    ("model-trouble-hidden", &["status", CHAT, "--watch", "--timeout", "4s"], None),
    ("turn-without-answer", &["status", CHAT, "--watch"], None),
    ("interrupted-elsewhere-older", &["status", CHAT, "--watch"], None),
    ("waiting-before-queued", &["status", CHAT, "--watch"], None),
    ("task-delete-while-building", &["delete", TASK, "--yes"], None),
    ("app-down-and-back", &["status", TASK, "--watch"], None),
    ("metadata-ready", &["create", "x", "--backend", "chats", "--require-ready", "--workspace", WORKSPACE], None),
    // issue and SPEC: an agent that is required to be ready and is not is a failure
    ("metadata-not-connected", &["create", "x", "--backend", "chats", "--require-ready", "--workspace", WORKSPACE, "--timeout", "5s"], Some(1)),
    ("metadata-none", &["create", "x", "--backend", "chats", "--require-ready", "--workspace", WORKSPACE], Some(1)),
];

/// What each run says: what a good client says there.
#[rustfmt::skip]
const WORDS: &[(&str, &[&str])] = &[
    ("tasks-not-served", &["does not serve Tasks", "ended with 2.37", "has Agents", "--backend chats"]),
    ("tasks-switched-off", &["(chats)"]),
    ("chats-not-served", &["Agents start with 2.33", "stable from 2.37", "has Tasks", "--backend tasks"]),
    ("both-served", &["(tasks, chats)"]),
    ("role-missing", &["Forbidden", "ask an administrator for the organization role agents-access"]),
    ("not-a-member", &["not a member", "`acme` is not an organization of yours", "yours: "]),
    ("token-expired", &["API key expired at \"2026-11-19 08:00:00.793479 +0000 UTC\"", "coder tokens create", "7 days at most"]),
    ("token-missing", &["with the token of CODER_SESSION_TOKEN"]),
    ("login-page-200", &["a login page came instead of JSON"]),
    ("dashboard-page-200", &["the page of Coder's dashboard", "CODER_URL should be the root of the Coder server"]),
    ("rate-limited-no-header", &["rate limited", "run it again in a minute"]),
    ("tls-against-plain", &["does not speak TLS on this port", "http://"]),
    ("invalid-json", &["could not be read", "at line 1 column", "/api/v2/chats/"]),
    ("no-templates", &["no template has a coder_ai_task", "--backend chats"]),
    ("template-without-ai-task", &["template `dev`", "coder_ai_task"]),
    ("name-conflict", &["the name `fix-42` is taken", "--reuse", "another --name"]),
    ("name-conflict-reuse", &["sent to the live task fix-42"]),
    ("name-invalid-task", &["longer than 32 characters"]),
    ("parameter-missing", &["--param repo=VALUE"]),
    ("labels-invalid", &["1 to 256 bytes"]),
    ("spend-limit-older", &["limit exceeded", "$5.00 of $5.00 are spent", "resets at 2026-12-01"]),
    ("gateway-off", &["AI Gateway must be enabled", "CODER_AI_GATEWAY_ENABLED"]),
    ("chat-processor-unavailable", &["Chat processor is unavailable", "an administrator has to enable it"]),
    ("no-model", &["No chat model is available", "Ask an organization administrator"]),
    ("models-moved", &["created chat"]),
    ("waiting-right-after-create", &["done", "Done: the test passes now."]),
    ("older-status-words", &["working", "Done: the test passes now."]),
    ("queued-for-capacity-timeout", &["queued by the server", "the task goes on", "/agents/bbbbbbbb", "task status bbbbbbbb"]),
    ("queued-for-capacity-then-runs", &["queued by the server", "done"]),
    ("error-as-object", &["(auth)", "not about your token", "/agents/bbbbbbbb"]),
    ("error-retryable", &["overloaded", "it may pass", "task send bbbbbbbb"]),
    ("requires-action", &["ask_user", "Delete the old table?", "/agents/bbbbbbbb"]),
    ("interrupted-elsewhere", &["interrupted", "task send bbbbbbbb"]),
    ("interrupt-older", &["archived"]),
    ("send-archived", &["archived chat", "pushready task create"]),
    ("send-not-owner", &["only the owner of a chat may send to it"]),
    ("send-queued", &["queued"]),
    ("send-queue-full", &["Message queue is full", "wait until the agent has taken some"]),
    ("send-wrong-state", &["not in a state that accepts new messages", "pushready task status"]),
    ("messages-paging", &["user: Fix issue 42\nagent: Running the tests.\nagent: Done"]),
    ("after-id-ignored", &["agent: Done: the test passes now.\nagent: And the lint is clean."]),
    ("follow-by-polling", &["agent: Running the tests.\nagent: Done"]),
    ("websocket-blocked", &["agent: Done: the test passes now."]),
    ("stream-plain", &["no messages yet"]),
    ("history-reset", &["Summary: the fix is in main.go."]),
    ("huge-message", &["0123456789abcdef"]),
    ("clock-skew", &["done"]),
    ("new-part-types", &["agent: Done: the test passes now."]),
    ("task-complete", &["working: Editing main.go", "done", "Opened a pull request"]),
    ("task-failed-state", &["reports that it failed", "Tests do not pass"]),
    ("task-idle", &["Which branch shall I use?", "task send fix-42"]),
    ("unknown-task-words", &["done"]),
    ("build-failed", &["failed: the build of the workspace failed: terraform apply: exit status 1", "no space left on device"]),
    ("quota-exceeded", &["insufficient quota", "the quota is used up"]),
    ("start-script-failed", &["start script", "git: command not found"]),
    ("send-paused", &["sent"]),
    ("send-paused-229", &["sent"]),
    ("send-busy-app", &["sent"]),
    ("send-502-unreachable", &["not known whether the message arrived", "task logs"]),
    ("task-deleted-404", &["there is no task", "or it is not yours"]),
    ("task-delete", &["alice/fix-42 is deleted"]),
    ("task-delete-build-fails", &["alice/fix-42 is left", "--orphan"]),
    ("workspace-deleted-410", &["its workspace is gone already"]),
    ("workspace-not-ours", &["alice/fix-42 is kept", "not made for this task"]),
    ("archive-active-409", &["interrupted first", "archived"]),
    ("cleanup-interrupted", &["archived, and its workspace alice/fix-42 is deleted"]),
    ("model-trouble-hidden", &["the server tries the model again: try 3", "is rate limiting requests", "the task goes on"]),
    ("turn-without-answer", &["ended without an answer"]),
    ("interrupted-elsewhere-older", &["interrupted"]),
    ("waiting-before-queued", &["done"]),
    ("task-delete-while-building", &["waiting for its end", "is deleted"]),
    ("app-down-and-back", &["the agent's app does not answer", "done"]),
    ("metadata-ready", &["ready · push 1/1", "(reported "]),
    ("metadata-not-connected", &["nothing"]),
    ("metadata-none", &["does not report whether it is ready", "metadata"]),
];

fn status_of(right: &str) -> i32 {
    match right {
        "done" => 0,
        "failed" | "refused" => 1,
        "usage" => 2,
        "unavailable" => 3,
        "auth" => 4,
        "needs-input" => 5,
        "timed-out" => 6,
        "not-served" => 7,
        other => panic!("{other}"),
    }
}

fn line_of(server: &str) -> Line {
    match server {
        "2.29" => Line::V229,
        "2.34" => Line::V234,
        "2.36" => Line::V236,
        "2.37" => Line::V237,
        _ => Line::V238,
    }
}

/// Plays the answers of a situation in their order, the last one again and again.
struct Play {
    answers: BTreeMap<(String, String), Vec<Value>>,
    right: String,
    world: Arc<Mutex<World>>,
}

fn key(method: &str, path: &str) -> (String, String) {
    let path = path.split('?').next().unwrap().trim_start_matches("/coder").to_owned();
    (method.to_owned(), path)
}

impl Play {
    fn new(situation: &Situation, world: Arc<Mutex<World>>) -> Self {
        let mut answers: BTreeMap<_, Vec<Value>> = BTreeMap::new();
        for step in &situation.exchange {
            // both prefixes and queries of the same path are one
            // an empty page after a cursor, which this client does not use
            let messages = step.response.pointer("/body/messages").and_then(Value::as_array);
            if messages.is_some_and(Vec::is_empty) {
                continue;
            }
            let key = key(&step.request.method, &step.request.path);
            answers.entry(key).or_default().push(step.response.clone());
        }
        Self { answers, right: situation.right.clone(), world }
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let key = key(&request.method, &request.path);
        let archived = request.path.contains("archived:true");
        if let Some(answers) = self.answers.get_mut(&key) {
            // a look-up by label is no reason to go on
            let is_list = key.1.ends_with("/chats");
            let response =
                if answers.len() > 1 && !is_list { answers.remove(0) } else { answers[0].clone() };
            if !(is_list
                && request.method == "GET"
                && response["body"].is_array()
                && !archived
                && request.path.contains("name:"))
            {
                return self.reply(&key, response);
            }
        }
        if let Some(reply) = self.fallback(request, &key) {
            return reply;
        }
        self.world.lock().unwrap().answer_for(request)
    }

    fn reply(&self, key: &(String, String), mut response: Value) -> Reply {
        let status = u16::try_from(response["status"].as_u64().unwrap_or(0)).unwrap();
        if let Some(expand) = response.get("expand").cloned() {
            let at = expand["at"].as_str().unwrap();
            let times = usize::try_from(expand["times"].as_u64().unwrap()).unwrap();
            let text = response["body"].pointer_mut(at).unwrap();
            *text = text.as_str().unwrap().repeat(times).into();
        }
        if let Some(frames) = response["frames"].as_array() {
            let text =
                |frame: &Value| frame.as_str().map_or_else(|| frame.to_string(), str::to_owned);
            return Reply::Frames(frames.iter().map(text).collect());
        }
        let headers: Vec<_> = response["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
            .collect();
        let body = &mut response["body"];
        // 2.33 to 2.36 report what a whole answer took, which these examples leave out
        if self.right == "done" && key.1.contains("/experimental/") && key.1.ends_with("/messages")
        {
            for message in body["messages"].as_array_mut().into_iter().flatten() {
                if message["role"] == "assistant" && message.get("usage").is_none() {
                    message["usage"] = json!({"output_tokens": 4});
                }
            }
        }
        match body {
            Value::Null if status == 204 || status == 202 => Reply::Empty(status),
            Value::String(text) => Reply::Raw { status, headers, body: text.clone().into_bytes() },
            value => {
                let mut all = headers;
                if !all.iter().any(|(name, _)| name == "content-type") {
                    all.push(("content-type".to_owned(), "application/json".to_owned()));
                }
                Reply::Raw { status, headers: all, body: value.to_string().into_bytes() }
            }
        }
    }

    /// The chat, task and workspace that the situations speak of, where one does not show them.
    fn fallback(&self, request: &Request, key: &(String, String)) -> Option<Reply> {
        if request.method == "PATCH" {
            return Some(Reply::Empty(204));
        }
        if request.method != "GET" {
            return None;
        }
        let other = |name: &str| crate::double::example(name);
        let path = &key.1;
        let shows = |kind: &str, id: &str| path.ends_with(&format!("/{kind}/{id}"));
        let value = match () {
            () if shows("chats", CHAT) && !path.contains("/tasks/") => {
                self.listed_chat().unwrap_or_else(|| {
                    let mut chat = other("chat");
                    chat["workspace_id"] = WORKSPACE.into();
                    chat
                })
            }
            () if path.contains("/tasks/me/")
                && path.ends_with("fix-42")
                && self.knows("fix-42") =>
            {
                other("task")
            }
            () if shows("me", TASK) => {
                let mut task = other("task");
                let build = self
                    .answers
                    .get(&("GET".to_owned(), format!("/api/v2/workspaces/{WORKSPACE}")));
                let failed =
                    build.is_some_and(|all| all[0]["body"]["latest_build"]["status"] == "failed");
                if failed && task["status"] == "active" {
                    task["status"] = "error".into();
                    task["workspace_status"] = "failed".into();
                }
                task
            }
            () if path.ends_with(&format!("/chats/{CHAT}/messages")) => {
                json!({"messages": [], "queued_messages": [], "has_more": false})
            }
            () if shows("workspaces", WORKSPACE) => {
                let mut workspace = other("workspace");
                let agent = &mut workspace["latest_build"]["resources"][0]["agents"][0];
                agent["lifecycle_state"] = "ready".into();
                agent["ready_at"] = "2026-11-20T10:04:00Z".into();
                agent["health"] = json!({"healthy": true});
                workspace
            }
            () => return None,
        };
        let served = self.world.lock().unwrap().line.serves(path);
        served.then(|| Reply::Json(200, value))
    }

    /// The chat as a list of the situation shows it.
    fn listed_chat(&self) -> Option<Value> {
        let lists = self.answers.iter().filter(|((_, path), _)| path.ends_with("/chats"));
        let mut chats = lists.filter_map(|(_, all)| all[0]["body"].as_array()).flatten();
        chats.find(|chat| chat["id"] == CHAT).cloned()
    }

    fn knows(&self, name: &str) -> bool {
        self.answers.keys().any(|(_, path)| path.ends_with(name))
    }
}

#[test]
fn each_situation_ends_as_it_should() {
    let all: Vec<Situation> = serde_json::from_str(include_str!("situations.json")).unwrap();
    assert_eq!(all.len(), 75);
    assert_eq!((RUNS.len(), WORDS.len()), (all.len(), all.len()));
    let wrong = Mutex::new(Vec::new());
    each(all, |situation| {
        let (_, arguments, status) =
            RUNS.iter().find(|(name, ..)| *name == situation.name).unwrap();
        let double = Double::start(line_of(&situation.server));
        let play = Mutex::new(Play::new(situation, Arc::clone(&double.world)));
        let address = server::start(move |request| play.lock().unwrap().answer(request));
        let scheme = if situation.name.starts_with("tls") { "https" } else { "http" };
        let output = finish(command(&format!("{scheme}://{address}"), arguments).spawn().unwrap());
        let wanted = status.unwrap_or_else(|| status_of(&situation.right));
        let (_, words) = WORDS.iter().find(|(name, _)| *name == situation.name).unwrap();
        let all = format!("{}{}", output.stdout, output.stderr);
        let missing: Vec<_> = words.iter().filter(|words| !all.contains(**words)).collect();
        if output.status != wanted || !missing.is_empty() {
            let Situation { name, given, .. } = situation;
            wrong.lock().unwrap().push(format!(
                "{name} ({given}): {} and not {wanted}, {missing:?} is missing\n{:.2000}{:.2000}",
                output.status, output.stdout, output.stderr
            ));
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of 75:\n{}", wrong.len(), wrong.join("\n"));
}
