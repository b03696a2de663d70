//! Scenarios as files: what a server is like, what is run, and what must come of it. Whoever knows
//! another situation adds an entry to a file of `scenarios/`; its README has the fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::double::{Agent, Double, Line, World, example, ready};
use crate::server::{self, Reply, Request};
use crate::{Output, command, each, finish};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    /// In words.
    #[expect(dead_code, reason = "for the reader")]
    given: String,
    server: String,
    #[serde(default)]
    world: Setting,
    #[serde(default)]
    answers: Vec<Override>,
    runs: Vec<Run>,
    #[serde(default)]
    left: Option<Left>,
}

/// What is on the server, and how its agents behave.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Setting {
    agent: Option<String>,
    websocket: Option<bool>,
    frames: Vec<Value>,
    workspaces: Vec<Value>,
    chats: Vec<Value>,
    templates: Vec<Value>,
    parameters: Option<Value>,
    presets: Option<Value>,
    /// The line of an agent's metadata; `false`: no such item.
    readiness: Option<Value>,
    start_fails: bool,
    quota: bool,
}

/// Answers in place of, or on top of, the double's.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    method: String,
    /// `*` is any text.
    path: String,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    /// Merged into the double's answer (RFC 7396), into each item of a list.
    merge: Option<Value>,
    /// The request has its effect, whatever is answered.
    #[serde(default)]
    effect: bool,
    /// The first and the last of these requests that are answered so, from 1 on.
    #[serde(default)]
    from: Option<usize>,
    #[serde(default)]
    to: Option<usize>,
    #[serde(default)]
    cut: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    #[serde(rename = "run")]
    arguments: Vec<String>,
    status: i32,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    says_not: Vec<String>,
}

/// What lives on the server in the end.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Left {
    workspaces: Vec<String>,
    /// By the label `name`.
    chats: Vec<String>,
    tasks: Vec<String>,
    /// How many messages of users there are in all chats, and inputs of all tasks.
    messages: Option<usize>,
}

fn line(server: &str) -> Line {
    match server {
        "2.29" => Line::V229,
        "2.34" => Line::V234,
        "2.36" => Line::V236,
        "2.37" => Line::V237,
        "2.38" => Line::V238,
        other => panic!("no line {other}"),
    }
}

fn agent(name: &str) -> Agent {
    match name {
        "done" => Agent::Done,
        "empty" => Agent::Empty,
        "cut" => Agent::Cut,
        "broken-off" => Agent::BrokenOff,
        "fails" => Agent::Fails,
        "asks" => Agent::Asks,
        "idle" => Agent::Idle,
        "forever" => Agent::Forever,
        other => panic!("no agent {other}"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// A word that the double keeps for ever.
fn word(value: &Value, name: &str) -> Option<&'static str> {
    text(value, name).map(|text| &*Box::leak(text.to_owned().into_boxed_str()))
}

impl Setting {
    fn apply(&self, world: &mut World) {
        if let Some(line) = &self.readiness {
            world.metadata = line.as_str().map_or_else(|| json!([]), ready);
        }
        for one in &self.templates {
            let name = text(one, "name").unwrap();
            if !world.templates.iter().any(|known| known["name"] == name) {
                world.add_template(name, one["tasks"] == true);
            }
            let known = world.templates.iter_mut().find(|known| known["name"] == name).unwrap();
            merge(known, &one["merge"]);
        }
        for one in &self.workspaces {
            let id = world.add_workspace(text(one, "name").unwrap());
            let known = world.workspaces.iter_mut().find(|known| known.id == id).unwrap();
            known.status = word(one, "status").unwrap_or(known.status);
            known.transition = word(one, "transition").unwrap_or(known.transition);
            known.owner = word(one, "owner").unwrap_or(known.owner);
            known.lifecycle = word(one, "lifecycle").unwrap_or(known.lifecycle);
            let failing = one["failing_deletes"].as_u64().unwrap_or_default();
            known.failing_deletes = failing.try_into().unwrap();
        }
        for one in &self.chats {
            let workspace = text(one, "workspace").map(|name| {
                let found = world.workspaces.iter().find(|known| known.name == name);
                found.unwrap().id.clone()
            });
            let ours = one["ours"] == true;
            let id = world.add_chat(text(one, "name").unwrap(), workspace.as_deref(), ours);
            let chat = world.chats.iter_mut().find(|chat| chat.id == id).unwrap();
            chat.archived = one["archived"] == true;
            if let Some(status) = text(one, "status") {
                chat.status = status.to_owned();
            }
            for queued in one["queued"].as_array().into_iter().flatten() {
                chat.queued.push(queued.as_str().unwrap().to_owned());
            }
            if let Some(error) = one.get("error") {
                chat.error = error.clone();
            }
            if let Some(labels) = one.get("labels") {
                merge(&mut chat.body["labels"], labels);
            }
        }
        if let Some(name) = &self.agent {
            world.agent = agent(name);
        }
        world.websocket = self.websocket.unwrap_or(true);
        world.frames = self.frames.iter().map(Value::to_string).collect();
        world.parameters = self.parameters.clone().unwrap_or_else(|| json!([]));
        world.presets = self.presets.clone().unwrap_or(Value::Null);
        world.start_fails = self.start_fails;
        world.quota = self.quota;
    }
}

/// RFC 7396; a list has it in each of its items.
fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Array(items), patch) if patch.is_object() => {
            for item in items {
                merge(item, patch);
            }
        }
        (target, Value::Object(fields)) => {
            if !target.is_object() {
                *target = json!({});
            }
            for (name, value) in fields {
                if value.is_null() {
                    target.as_object_mut().unwrap().remove(name);
                } else {
                    merge(&mut target[name], value);
                }
            }
        }
        (_, Value::Null) => {}
        (target, other) => *target = other.clone(),
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut left) = path.strip_prefix(first) else { return false };
    let parts: Vec<_> = rest.split('*').collect();
    let (last, between) = parts.split_last().unwrap();
    for part in between {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// The double with the answers of a scenario on top.
struct Stage {
    answers: Vec<(Override, usize)>,
    world: Arc<Mutex<World>>,
}

impl Stage {
    fn answer(&mut self, request: &Request) -> Reply {
        let mut chosen = None;
        for (one, count) in &mut self.answers {
            if one.method == request.method && fits(&one.path, &request.path) {
                *count += 1;
                let is_due = one.from.is_none_or(|from| *count >= from)
                    && one.to.is_none_or(|to| *count <= to);
                if is_due && chosen.is_none() {
                    chosen = Some(one.clone());
                }
            }
        }
        let mut world = self.world.lock().unwrap();
        let Some(one) = chosen else { return world.answer_for(request) };
        let own = (one.effect || one.merge.is_some()).then(|| world.answer_for(request));
        if one.cut {
            return Reply::Cut;
        }
        if let (Some(patch), Some(Reply::Json(status, mut body))) = (&one.merge, own) {
            merge(&mut body, patch);
            return Reply::Json(one.status.unwrap_or(status), body);
        }
        let headers = one.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value));
        let mut headers: Vec<_> = headers.collect();
        let status = one.status.unwrap_or(200);
        let body = match one.body {
            None => Vec::new(),
            Some(Value::String(text)) => text.into_bytes(),
            Some(value) => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                value.to_string().into_bytes()
            }
        };
        Reply::Raw { status, headers, body }
    }
}

fn play(scenario: &Scenario) -> Result<(), String> {
    let double = Double::start(line(&scenario.server));
    double.edit(|world| scenario.world.apply(world));
    let answers = scenario.answers.iter().map(|one| (one.clone(), 0)).collect();
    let stage = Mutex::new(Stage { answers, world: Arc::clone(&double.world) });
    let address = server::start(move |request| stage.lock().unwrap().answer(request));
    let url = format!("http://{address}");
    for Run { arguments: run, status, says, says_not } in &scenario.runs {
        let id = |text: &String| {
            let world = double.world.lock().unwrap();
            let name = text.strip_prefix("id of ");
            let chat = name.and_then(|name| {
                world.chats.iter().find(|chat| chat.body["labels"]["name"] == *name)
            });
            chat.map_or_else(|| text.clone(), |chat| chat.id.clone())
        };
        let arguments: Vec<_> = run.iter().map(id).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = finish(command(&url, &arguments).spawn().unwrap());
        let all = format!("{}{}", output.stdout, output.stderr);
        let missing = says.iter().find(|words| !all.contains(*words));
        let extra = says_not.iter().find(|words| all.contains(*words));
        if output.status != *status || missing.is_some() || extra.is_some() {
            let Output { stdout, stderr, .. } = &output;
            return Err(format!(
                "task {}: {} and not {status}, missing {missing:?}, extra {extra:?}\n{stdout}--- stderr\n{stderr}",
                run.join(" "),
                output.status
            ));
        }
    }
    let world = double.world.lock().unwrap();
    let Some(left) = &scenario.left else { return Ok(()) };
    let name = |chat: &&crate::double::Chat| text(&chat.body["labels"], "name").unwrap().to_owned();
    let is_user = |message: &&Value| message["role"] == "user";
    let messages: usize =
        world.chats.iter().map(|chat| chat.messages.iter().filter(is_user).count()).sum();
    let inputs: usize = world.tasks.iter().map(|task| task.inputs.len()).sum();
    let live = (
        world
            .workspaces
            .iter()
            .filter(|it| it.status != "deleted")
            // a name that was made up ends in marks
            .map(|it| shown(&it.name))
            .collect::<Vec<_>>(),
        world.chats.iter().filter(|it| !it.archived).map(|it| name(&it)).collect::<Vec<_>>(),
        world.tasks.iter().map(|it| it.name.clone()).collect::<Vec<_>>(),
    );
    let wanted = (left.workspaces.clone(), left.chats.clone(), left.tasks.clone());
    if live != wanted {
        return Err(format!("left {live:?} and not {wanted:?}"));
    }
    if left.messages.is_some_and(|count| count != messages + inputs) {
        return Err(format!("{messages} messages, {inputs} inputs"));
    }
    Ok(())
}

/// `fix-42-k2o7lf74` is `fix-42-*`.
fn shown(name: &str) -> String {
    match name.rsplit_once('-') {
        Some((slug, marks)) if marks.len() == 8 => format!("{slug}-*"),
        _ => name.to_owned(),
    }
}

#[test]
fn each_scenario_comes_out_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/task/scenarios");
    let mut all: Vec<Scenario> = Vec::new();
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "json")) {
        let text = fs::read_to_string(file).unwrap();
        let read: Result<Vec<Scenario>, _> = serde_json::from_str(&text);
        all.extend(read.unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    assert!(all.len() >= 60, "{}", all.len());
    let mut names: Vec<_> = all.iter().map(|it| &*it.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "two scenarios have one name");
    let only = std::env::var("SCENARIO").unwrap_or_default();
    all.retain(|it| it.name.contains(&only));
    let wrong = Mutex::new(Vec::new());
    let count = all.len();
    each(all, |scenario| {
        if let Err(why) = play(scenario) {
            wrong.lock().unwrap().push(format!("## {}: {why}", scenario.name));
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_scenario_file_is_read_strictly() {
    let with = |more: &str| {
        let text = format!(
            "{{\"name\": \"a\", \"given\": \"b\", \"server\": \"2.38\", \"runs\": []{more}}}"
        );
        serde_json::from_str::<Scenario>(&text).is_ok()
    };
    assert!(with("") && with(", \"world\": {\"quota\": true}"));
    assert!(!with(", \"wrold\": {}") && !with(", \"world\": {\"quotas\": true}"));
    let mut value = example("chat");
    merge(&mut value, &json!({"status": "running", "title": null, "labels": {"a": "b"}}));
    assert_eq!((&value["status"], &value["labels"]["a"]), (&json!("running"), &json!("b")));
    assert!(value.get("title").is_none());
    for (pattern, path, wanted) in [
        ("/a/*", "/a/b/c", true),
        ("/a/*/c", "/a/b/c", true),
        ("/a/*/d", "/a/b/c", false),
        ("*/chats?*", "/api/v2/chats?limit=1", true),
        ("/a", "/a/b", false),
    ] {
        assert_eq!(fits(pattern, path), wanted, "{pattern} {path}");
    }
}
