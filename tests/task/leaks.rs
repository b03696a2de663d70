//! A server that repeats the session token wherever it can: none of it is printed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::canary;
use crate::double::{Double, Line, World};
use crate::server::{self, Reply};
use crate::{command, each, token};

/// What the server does with the token.
#[derive(Clone, Copy, Debug)]
enum Repeats {
    /// After each text in what it answers and streams.
    InTexts,
    /// Instead of each text that names no object.
    AsTexts,
    /// The same, with each letter of the token escaped as JSON allows.
    Escaped,
    /// After each text, in two lines.
    InLines,
    /// In the fields of a refusal.
    Refusal(u16),
    Page(u16),
    Redirect,
    /// After half of a document.
    Damaged,
}

const WAYS: &[Repeats] = &[
    Repeats::InTexts,
    Repeats::AsTexts,
    Repeats::Escaped,
    Repeats::InLines,
    Repeats::Refusal(400),
    Repeats::Refusal(401),
    Repeats::Refusal(403),
    Repeats::Refusal(404),
    Repeats::Refusal(409),
    Repeats::Refusal(429),
    Repeats::Refusal(500),
    Repeats::Page(200),
    Repeats::Page(403),
    Repeats::Page(502),
    Repeats::Redirect,
    Repeats::Damaged,
];

/// Texts by which objects are found: with another one, nothing else would be answered.
const NAMES: &[&str] = &[
    "id",
    "name",
    "status",
    "state",
    "role",
    "type",
    "kind",
    "version",
    "key",
    "collected_at",
    "created_at",
    "updated_at",
    "username",
];

fn repeated(value: &mut Value, key: &str, way: Repeats) {
    match value {
        Value::String(text) if NAMES.contains(&key) || key.ends_with("_id") => {
            let _ = text;
        }
        Value::String(text) => match way {
            Repeats::AsTexts => *text = token(),
            Repeats::InLines => *text = format!("{text} {}", in_lines()),
            _ => *text = format!("{text} {}", token()),
        },
        Value::Array(values) => values.iter_mut().for_each(|it| repeated(it, key, way)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, it)| repeated(it, key, way)),
        _ => {}
    }
}

fn texts(text: &str, way: Repeats) -> String {
    let Ok(mut value) = serde_json::from_str(text) else { return format!("{text} {}", token()) };
    repeated(&mut value, "", way);
    let text = value.to_string();
    match way {
        Repeats::Escaped => text.replace(&token(), &escaped(&token())),
        _ => text,
    }
}

fn in_lines() -> String {
    let token = token();
    let (head, tail) = token.split_at(token.len() / 2);
    format!("{head}\r\n    {tail}")
}

/// Every character of `text` as JSON may write it.
fn escaped(text: &str) -> String {
    text.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect()
}

fn reply(way: Repeats, answer: Reply) -> Reply {
    let token = token();
    let refusal = json!({
        "message": format!("no access with {token}"), "detail": token, "kind": token, "error": token,
        "validations": [{"field": token, "detail": format!("{token} is not valid")}],
    });
    match (way, answer) {
        (Repeats::Refusal(status), _) => Reply::Json(status, refusal),
        (Repeats::Page(status), _) => {
            Reply::html(status, &format!("<html><title>{token}</title>Bad header: {token}</html>"))
        }
        (Repeats::Redirect, _) => {
            let to = format!("https://sso.test/{token}/login?next={token}");
            let headers = vec![("location".to_owned(), to)];
            Reply::Raw { status: 302, headers, body: token.into_bytes() }
        }
        (Repeats::Damaged, _) => {
            let body = format!("{{\"message\": \"{token}\", {token}").into_bytes();
            Reply::Raw { status: 200, headers: Vec::new(), body }
        }
        (Repeats::Escaped, Reply::Json(status, value)) => {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Reply::Raw { status, headers, body: texts(&value.to_string(), way).into_bytes() }
        }
        (way, Reply::Json(status, mut value)) => {
            repeated(&mut value, "", way);
            Reply::Json(status, value)
        }
        (way, Reply::Frames(all)) => Reply::Frames(all.iter().map(|it| texts(it, way)).collect()),
        (way, Reply::Events(all)) => Reply::Events(all.iter().map(|it| texts(it, way)).collect()),
        (_, answer) => answer,
    }
}

const COMMANDS: &[&[&str]] = &[
    &["create", "fix the test", "--name", "other", "--wait", "--follow"],
    &["create", "fix the test", "--name", "json", "--json"],
    &["status", "fix-42"],
    &["status", "fix-42", "--json"],
    &["status", "fix-42", "--watch"],
    &["logs", "fix-42"],
    &["logs", "fix-42", "--follow", "--json"],
    &["send", "fix-42", "and the linter"],
    &["list", "--all"],
    &["list", "--json"],
    &["open", "fix-42"],
    &["delete", "fix-42", "--yes"],
    &["gc", "--dry-run", "--older", "1s"],
];

/// Those that follow or repeat go on without an end.
const LONGEST: Duration = Duration::from_secs(6);

fn run(url: &str, arguments: &[&str], folder: &std::path::Path) -> String {
    let output = |name: &str| std::fs::File::create(folder.join(name)).unwrap();
    let mut command = command(url, arguments);
    command.args(["-vvv"]).stdout(output("stdout")).stderr(output("stderr"));
    command.env("GITHUB_OUTPUT", folder.join("output"));
    command.env("GITHUB_STEP_SUMMARY", folder.join("summary"));
    let mut child = command.spawn().unwrap();
    let end = Instant::now() + LONGEST;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= end {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    ["stdout", "stderr", "output", "summary"].map(read).join("\n")
}

/// A server of this version with one task, and what it answers changed so.
fn server(line: Line, way: Repeats) -> (Arc<Mutex<World>>, String) {
    let double = Double::start(line);
    double.run(&["create", "fix the test", "--name", "fix-42"]).ends(0);
    let world = Arc::clone(&double.world);
    let shared = Arc::clone(&world);
    let address = server::start(move |request| {
        let answer = shared.lock().unwrap().answer_for(request);
        // without these no command goes on
        let opens = ["/api/v2/buildinfo", "/api/v2/users/me"].contains(&&*request.path);
        if opens
            && !matches!(
                way,
                Repeats::InTexts | Repeats::AsTexts | Repeats::Escaped | Repeats::InLines
            )
        {
            answer
        } else {
            reply(way, answer)
        }
    });
    (world, format!("http://{address}"))
}

#[test]
fn a_token_that_the_server_repeats_is_not_printed() {
    let cases: Vec<_> = [Line::V229, Line::V238]
        .into_iter()
        .flat_map(|line| WAYS.iter().map(move |way| (line, *way)))
        .flat_map(|(line, way)| COMMANDS.iter().map(move |arguments| (line, way, *arguments)))
        .collect();
    let printed = Mutex::new(BTreeMap::new());
    each(&cases, |&(line, way, arguments)| {
        let folder = tempfile::tempdir().unwrap();
        let (world, url) = server(line, way);
        let text = run(&url, arguments, folder.path());
        let what = format!("{line:?} {way:?} {arguments:?}");
        canary::assert_absent(&what, &text, &[token()]);
        let joined: String = text.split_ascii_whitespace().collect();
        canary::assert_absent(&what, joined.replace("\\n", "").replace("\\r", ""), &[token()]);
        let asked = !world.lock().unwrap().tokens.is_empty();
        assert!(asked, "{line:?} {way:?} {arguments:?} sent no token\n{text}");
        let hidden = text.matches("***").count();
        *printed.lock().unwrap().entry(format!("{way:?}")).or_insert(0) += hidden;
    });
    // what the server repeats is printed, without the token
    let printed = printed.into_inner().unwrap();
    for way in ["InTexts", "Escaped", "InLines", "Refusal(403)"] {
        assert!(printed[way] > 0, "{way}: {printed:?}");
    }
}
