//! What is handed over: standard input, and the output of a failed push.

use std::fmt::Write as _;

use crate::ceiling::{Case, MEBIBYTE, case, fill, hold, objects};
use crate::support::{Cmd, Workspace, sandbox};

fn apply(ws: &Workspace, json: String) -> Cmd {
    ws.pushready(&["apply", "--stdin"]).stdin(json)
}

const STDIN: &[Case] = &[
    case("330,000 names", "it is larger than 4 MiB", |ws| {
        let mut json = "{".to_owned();
        for n in 0..330_000 {
            let _ = write!(json, "\"PUSHREADY_K{n}\":\"x\",");
        }
        apply(ws, json + "\"PUSHREADY_X\":\"x\"}")
    }),
    case("as many names as are read", "it is not a variable of pushready", |ws| {
        let mut json = "{".to_owned();
        let mut n = 0;
        while json.len() < 4 * MEBIBYTE - 100 {
            let _ = write!(json, "\"PUSHREADY_K{n}\":\"x\",");
            n += 1;
        }
        apply(ws, json + "\"PUSHREADY_X\":\"x\"}")
    }),
    case("a value of many objects", "too large", |ws| {
        apply(ws, format!("{{\"PUSHREADY_CODEX_AUTH_JSON\":{}}}", objects(4 * MEBIBYTE - 100)))
    }),
    case("keys of many objects", "key-malformed", |ws| {
        let map = format!("{{\"acme/app\":{}}}", objects(3 * MEBIBYTE));
        apply(ws, serde_json::json!({ "PUSHREADY_DEPLOY_KEYS": map }).to_string())
    }),
    case("a nested value", "JSON", |ws| {
        apply(ws, fill("{\"PUSHREADY_DEPLOY_KEYS\":", 4 * MEBIBYTE - 100))
    }),
    case("a long value", "key-malformed key acme/app", |ws| {
        let json = serde_json::json!({ "PUSHREADY_DEPLOY_KEY": fill("A", 4 * MEBIBYTE - 200) });
        apply(ws, json.to_string()).env("PUSHREADY_REPOSITORY", "acme/app")
    }),
    case("keys of many repositories", "more than 1000 repositories", |ws| {
        let keys: serde_json::Map<_, _> =
            (0..10_000).map(|n| (format!("acme/app{n}"), "not a key".into())).collect();
        let map = serde_json::Value::from(keys).to_string();
        apply(ws, serde_json::json!({ "PUSHREADY_DEPLOY_KEYS": map }).to_string())
    }),
];

#[test]
fn standard_input() {
    sandbox(|ws| hold(ws, STDIN));
}

/// 1 MB of a message.
fn explain(ws: &Workspace, text: impl Into<Vec<u8>>) -> Cmd {
    ws.pushready(&["explain", "--push", "-", "--json"]).stdin(text)
}

const UNKNOWN: &str = "push-unrecognized";
const MESSAGES: &[Case] = &[
    case("short lines", UNKNOWN, |ws| explain(ws, fill("a\n", MEBIBYTE))),
    case("empty lines", UNKNOWN, |ws| explain(ws, fill("\n", MEBIBYTE))),
    case("one line", UNKNOWN, |ws| explain(ws, fill("a", MEBIBYTE))),
    case("one line of blanks", UNKNOWN, |ws| explain(ws, fill(" ", MEBIBYTE))),
    case("lines of a server", UNKNOWN, |ws| explain(ws, fill("remote: \n", MEBIBYTE))),
    case("nested prefixes", UNKNOWN, |ws| explain(ws, fill("remote: ", MEBIBYTE))),
    case("times of a log", UNKNOWN, |ws| explain(ws, fill("2026-01-01T00:00:00Z ", MEBIBYTE))),
    case("escape sequences", UNKNOWN, |ws| explain(ws, fill("\x1b[31m", MEBIBYTE))),
    case("carriage returns", UNKNOWN, |ws| explain(ws, fill("a\r", MEBIBYTE))),
    case("bytes that are not UTF-8", UNKNOWN, |ws| explain(ws, vec![0xff; MEBIBYTE])),
    case("refused branches", "\"code\"", |ws| {
        explain(ws, fill(" ! [remote rejected] a -> a (pre-receive hook declined)\n", MEBIBYTE))
    }),
    case("urls", "\"code\"", |ws| {
        explain(ws, fill("fatal: repository 'https://a:b@git.example/a/b' not found\n", MEBIBYTE))
    }),
    case("beginnings of messages", "\"code\"", |ws| {
        explain(ws, fill("Permission denied (", MEBIBYTE))
    }),
    case("a text of 200 MB", UNKNOWN, |ws| explain(ws, fill("a\n", 200 * MEBIBYTE))),
];

#[test]
fn push_messages() {
    sandbox(|ws| hold(ws, MESSAGES));
}
