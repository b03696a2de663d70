//! `pushready task` against a double of a Coder server, of which every request and answer is judged
//! by the description of Coder's API. Needs no sandbox: each run has a home of its own and the
//! variables that it needs, and talks to loopback alone.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::too_many_lines, clippy::assigning_clones, clippy::format_push_string)]
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, clippy::return_self_not_must_use)]

mod beads;
#[path = "../behaviour/support/canary.rs"]
#[allow(dead_code)]
mod canary;
mod commands;
mod contract;
mod double;
mod faults;
mod leaks;
mod scenarios;
mod server;
mod situations;
mod streams;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use double::Double;

/// What a run printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    #[track_caller]
    pub fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(
            self.stdout.contains(part) || self.stderr.contains(part),
            "{part:?} is missing in\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn says_not(self, part: &str) -> Self {
        assert!(
            !self.stdout.contains(part) && !self.stderr.contains(part),
            "{part:?} is in\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The document, which follows its schema.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr));
        let schema = include_str!("../../schema/task.schema.json");
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("schema", serde_json::from_str(schema).unwrap()).unwrap();
        let index = compiler.compile("schema", &mut schemas).unwrap();
        if let Err(error) = schemas.validate(&value, index) {
            panic!("{error:#}\n{value:#}");
        }
        assert_eq!(value["exit_status"], self.status, "{value:#}");
        value
    }
}

/// A run of `pushready task` with these arguments, in a home that has nothing.
pub fn command(url: &str, arguments: &[&str]) -> Command {
    // nothing is written there
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("task-home");
    std::fs::create_dir_all(&home).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushready"));
    command.arg("task").args(arguments).env_clear();
    command.env("HOME", &home).env("PATH", std::env::var_os("PATH").unwrap()).current_dir(&home);
    command.env("CODER_URL", url).env("CODER_SESSION_TOKEN", token());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// One for the whole run, and no real one.
pub fn token() -> String {
    format!("not-a-token-{}", std::process::id())
}

pub fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let output = Output {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(
        !output.stdout.contains(&token()) && !output.stderr.contains(&token()),
        "the token is printed"
    );
    output
}

/// Runs the cases side by side: they wait more than they compute.
pub fn each<T: Sync>(cases: impl AsRef<[T]>, run: impl Fn(&T) + Sync) {
    let (cases, next) = (cases.as_ref(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..cases.len().min(16) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    run(case);
                }
            });
        }
    });
}

impl Double {
    pub fn run(&self, arguments: &[&str]) -> Output {
        finish(command(&self.url(), arguments).spawn().unwrap())
    }
}
