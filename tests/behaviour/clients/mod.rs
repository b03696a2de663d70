//! Each login twice: what the unmodified Codex and Claude Code send with it, and what the doctor says
//! of it. A version of a client that does something else turns its row red.
//!
//! A run of all tests has the rows that are marked `always`. All of them take minutes; whoever changes
//! the pinned version of a client runs `cargo test --test behaviour clients:: -- --ignored`.
//! `PUSHREADY_FAULT=TEXT` runs the rows alone whose description contains TEXT.

mod mounts;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use crate::support::fake_auth::{self, ACCOUNT, OTHER_ACCOUNT};
use crate::support::{Clients, Cmd, Output, Request, Vendors, Workspace, sandbox_with, with_etc};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Situation {
    what: String,
    sends: Sent,
    /// What a later version than the pinned one sends.
    later: Option<Sent>,
    /// It is run with all other tests.
    #[serde(default)]
    always: bool,
    /// `pass`, or the status and the code of the doctor's worst finding.
    says: String,
    /// Why the doctor does not pass what the client sends today.
    because: Option<String>,
    /// The login of Codex: as a text, or as changes of a healthy one, by path.
    auth: Option<Value>,
    /// Seconds from now until Codex's access token expires.
    expires: Option<i64>,
    /// By path in the home or on the machine.
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// A script that does the rest.
    sh: Option<String>,
    /// Where the client is started, in the home.
    folder: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sent {
    /// The login, to its vendor alone.
    Login,
    /// Another credential, or the login to another host.
    Other,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Codex,
    Claude,
}

/// Removes a part of a login, as its value in a table.
const REMOVED: &str = "(removed)";

struct Rig<'ws> {
    ws: &'ws Workspace,
    vendors: Vendors,
    seed: fake_auth::ChatGpt,
    token: String,
}

impl Rig<'_> {
    fn start(ws: &Workspace) -> Rig<'_> {
        let vendors = Vendors::start();
        let token = format!("sk-ant-oat01-{}", "rig".repeat(30));
        Rig { ws, vendors, seed: fake_auth::chatgpt(), token }
    }

    /// The home right after apply, and the machine without an administrator's files.
    fn reset(&self) {
        self.ws.sh("chmod -R u+rwX . /etc/claude-code ; rm -rf ./* ./.[!.]* /etc/codex/* /etc/claude-code/*").run();
        self.vendors.behave();
        let apply = self.ws.pushready(&["apply"]);
        apply
            .env("PUSHREADY_CODEX_AUTH_JSON", self.seed.json())
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &self.token)
            .run()
            .success();
        self.ws.git(&["init", "--quiet", "app"]).run().success();
        self.ws.write("app/sub/file", "", 0o644);
    }

    fn filled(&self, text: &str) -> String {
        let now = jiff::Timestamp::now().as_millisecond();
        let texts = [
            ("${TOKEN}", self.token.clone()),
            ("${ACCESS}", self.seed.access_token()),
            ("${ID}", self.seed.id_token()),
            ("${AUTH}", self.seed.json()),
            ("${ACCOUNT}", ACCOUNT.to_owned()),
            ("${OTHER_ACCOUNT}", OTHER_ACCOUNT.to_owned()),
            ("${PAST}", (now - 86_400_000).to_string()),
            ("${LATER}", (now + 28_800_000).to_string()),
        ];
        texts.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn prepare(&self, situation: &Situation) {
        self.reset();
        let seed = match situation.expires {
            Some(seconds) => fake_auth::ChatGpt { access_expires: seconds, ..self.seed.clone() },
            None => self.seed.clone(),
        };
        let mut login: Value = serde_json::from_str(&seed.json()).unwrap();
        let text = match &situation.auth {
            Some(Value::String(text)) => self.filled(text),
            Some(changes) => {
                for (path, value) in changes.as_object().unwrap() {
                    let value: Value =
                        serde_json::from_str(&self.filled(&value.to_string())).unwrap();
                    change(&mut login, path, value);
                }
                login.to_string()
            }
            None => login.to_string(),
        };
        self.ws.write(".codex/auth.json", text, 0o600);
        for (path, content) in &situation.files {
            let path = self.ws.home().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, self.filled(content)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        if let Some(script) = &situation.sh {
            self.ws.sh(&self.filled(script)).run().success();
        }
    }

    fn in_situation(&self, situation: &Situation, mut command: Cmd) -> Cmd {
        for (name, value) in &situation.env {
            command = command.env(name, self.filled(value));
        }
        command.current_dir(situation.folder.as_deref().unwrap_or("app"))
    }

    /// What the client sends, and all that it prints.
    fn client(&self, clients: &Clients, client: Client, situation: &Situation) -> (Sent, Output) {
        let before = self.vendors.requests().len();
        let (login, command) = match client {
            Client::Codex => {
                let file = fs::read_to_string(self.ws.home().join(".codex/auth.json"));
                let file: Value =
                    serde_json::from_str(&file.unwrap_or_default()).unwrap_or_default();
                let key = file["OPENAI_API_KEY"].as_str();
                let login = file["tokens"]["access_token"].as_str().or(key).unwrap_or_default();
                (login.to_owned(), clients.codex(&["exec", "--skip-git-repo-check", "hi"]))
            }
            Client::Claude => (self.token.clone(), clients.claude(&["-p", "hi"])),
        };
        // without a connection both try again for minutes; one that waits for a FIFO takes no signal
        let command = self.in_situation(situation, command);
        let command = command.wrapped_in("timeout", ["--kill-after=1", "30"]);
        let output = command.run();
        let requests = &self.vendors.requests()[before..];
        (judge(client, &login, &self.seed, requests), output)
    }

    fn doctor(&self, client: Client, situation: &Situation) -> (String, Output) {
        let doctor = self.ws.pushready(&["doctor", "--json", "--offline", "--only", client.name()]);
        let output = self.in_situation(situation, doctor).run();
        let report = output.json();
        let checks = report["checks"].as_array().unwrap();
        let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let worst = ["fail", "unknown", "warn"].iter().find_map(|status| {
            let check = checks.iter().find(|check| check["status"] == *status)?;
            Some(format!("{status} {}", text(check, "code")).trim_end().to_owned())
        });
        (worst.unwrap_or_else(|| "pass".to_owned()), output)
    }
}

impl Client {
    const fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Claude => "claude",
        }
    }

    const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &["codex_login.json", "codex_settings.json"],
            Self::Claude => &["claude_login.json", "claude_settings.json"],
        }
    }

    const fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &["chatgpt.com", "auth.openai.com", "api.openai.com"],
            Self::Claude => &["api.anthropic.com", "platform.claude.com"],
        }
    }
}

/// Sets one part of a login, named by its path.
fn change(login: &mut Value, path: &str, value: Value) {
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut parent = login;
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        parent = &mut parent[part];
    }
    if value == REMOVED {
        parent.as_object_mut().unwrap().remove(name);
    } else {
        parent[name] = value;
    }
}

fn judge(client: Client, login: &str, seed: &fake_auth::ChatGpt, requests: &[Request]) -> Sent {
    // after a refresh
    let renewed = seed.clone().refreshed().access_token();
    let is_login = |request: &Request| {
        let bearer = request.headers.get("authorization").map(String::as_str);
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        !login.is_empty()
            && (bearer == login || client == Client::Codex && bearer == renewed)
            && !request.headers.contains_key("x-api-key")
    };
    let has_secret = |request: &Request| {
        is_login(request) || !login.is_empty() && request.body.contains(&seed.refresh_token)
    };
    let is_vendors = |request: &Request| client.hosts().contains(&&*request.host);
    if requests.iter().any(|request| has_secret(request) && !is_vendors(request)) {
        return Sent::Other;
    }
    let is_turn = |request: &&Request| {
        request.path.ends_with("/responses") || request.path.ends_with("/messages")
    };
    let has_credential = |request: &&Request| {
        request.headers.get("authorization").is_some_and(|value| value.trim() != "Bearer")
            || request.headers.contains_key("x-api-key")
    };
    let turns: Vec<_> = requests.iter().filter(is_turn).filter(has_credential).collect();
    match &turns[..] {
        [] => Sent::Nothing,
        turns if turns.iter().all(|turn| is_login(turn)) => Sent::Login,
        _ => Sent::Other,
    }
}

/// Which rows of a client a test runs.
#[derive(Clone, Copy)]
enum Rows {
    Always,
    /// One of eight parts of them all.
    Part(usize),
}

fn run(ws: &Workspace, client: Client, which: Rows) {
    let all = client.tables().iter().flat_map(|table| -> Vec<Situation> {
        // as it is now: another row needs no compilation
        let path = Path::new("/run/rig/crate/tests/behaviour/clients").join(table);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    });
    let selected = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let rows: Vec<_> = all
        .enumerate()
        .filter(|(number, row)| match which {
            Rows::Always => row.always,
            Rows::Part(part) => number % 8 == part,
        })
        .map(|(_, row)| row)
        .filter(|row| row.what.contains(&selected))
        .collect();
    if rows.is_empty() {
        return;
    }
    let rig = Rig::start(ws);
    let clients = Clients::install(ws, &rig.vendors);
    let mut wrong = Vec::new();
    for row in &rows {
        rig.prepare(row);
        let (says, report) = rig.doctor(client, row);
        let start = Instant::now();
        let (sends, output) = rig.client(&clients, client, row);
        let seconds = start.elapsed().as_secs_f64();
        println!("{:<70} {seconds:.1} s: {sends:?}, {says}", row.what);
        let passes = !says.starts_with("fail");
        let is_consistent = passes == (sends == Sent::Login)
            || row.because.is_some()
            || says.starts_with("unknown");
        let is_right = sends == row.sends || Some(sends) == row.later;
        if !is_right || says != row.says || !is_consistent {
            wrong.push(format!(
                "{}: {sends:?}, not {:?}; {says}, not {}\n{output}\n{report}",
                row.what, row.sends, row.says
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows are wrong:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

/// In a sandbox where an administrator's files can be written.
fn with_administrator<F: FnOnce(&Workspace)>(test: F) {
    let arguments = with_etc(&["codex", "claude-code"]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    sandbox_with(&arguments, test);
}

#[test]
fn codex_does_what_the_doctor_says() {
    with_administrator(|ws| run(ws, Client::Codex, Rows::Always));
}

#[test]
fn claude_does_what_the_doctor_says() {
    with_administrator(|ws| run(ws, Client::Claude, Rows::Always));
}

macro_rules! whole_tables {
    ($($name:ident: $client:ident $part:literal)*) => {$(
        #[test]
        #[ignore = "takes minutes: for a new version of a client"]
        fn $name() {
            with_administrator(|ws| run(ws, Client::$client, Rows::Part($part)));
        }
    )*};
}

whole_tables! {
    all_of_codex_1: Codex 0
    all_of_codex_2: Codex 1
    all_of_codex_3: Codex 2
    all_of_codex_4: Codex 3
    all_of_codex_5: Codex 4
    all_of_codex_6: Codex 5
    all_of_codex_7: Codex 6
    all_of_codex_8: Codex 7
    all_of_claude_1: Claude 0
    all_of_claude_2: Claude 1
    all_of_claude_3: Claude 2
    all_of_claude_4: Claude 3
    all_of_claude_5: Claude 4
    all_of_claude_6: Claude 5
    all_of_claude_7: Claude 6
    all_of_claude_8: Claude 7
}
