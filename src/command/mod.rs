//! The commands: each runs its stages in order and prints its result.

pub mod agents_md;
pub mod apply;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod install;
mod metrics;
pub mod panic;
pub mod remove;
pub mod status;

use std::io::Write as _;
use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;

use crate::cli::task::TaskArguments;
use crate::cli::{Apply, Command, Doctor, Explain, Remove, Status};
use crate::doctor::report::Overall;
use crate::document::Header;
use crate::error::{Error, ErrorJson, Exit};
use crate::git::url::redact;
use crate::terminal;
use crate::text::{plain, plain_json};

/// Why the result of the command could not be printed.
static UNPRINTED: OnceLock<std::io::Error> = OnceLock::new();

/// The result of a command goes to standard output; a reader that went away is not an error.
pub fn print(text: &str) {
    let _hidden = terminal::hide_progress();
    let mut out = std::io::stdout().lock();
    match out.write_all(terminal::printable(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => drop(UNPRINTED.set(error)),
        _ => {}
    }
}

/// The same of a report: in colour on a terminal that has it.
pub fn print_report(text: String) {
    print(&terminal::for_stdout(text));
}

/// The exit status of a command whose result may not have been printed.
pub fn exit_status(command: &Command, exit: Exit) -> Exit {
    let Some(error) = UNPRINTED.get() else { return exit };
    let error = Error::new("cannot write the report to standard output").because(error.to_string());
    print_error(&error);
    match command {
        // an item of the workspace agent's metadata
        Command::Status(Status { line: true, .. }) => exit,
        _ => Exit::CouldNotRun,
    }
}

pub fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut text = plain_json(&text).into_owned();
    text.push('\n');
    text
}

/// What `--json` prints for a command that ended early: there is one document, whatever happens.
#[derive(Serialize)]
struct FailureDocument<'a> {
    #[serde(flatten)]
    header: Header,
    /// `None`: the command line names none, or not one command with its options.
    command: Option<&'a str>,
    ready: bool,
    overall: Overall,
    error: ErrorJson<'a>,
}

impl<'a> FailureDocument<'a> {
    fn print(command: Option<&'a str>, error: &'a Error) {
        let failure = Self {
            header: Header::new(),
            command,
            ready: false,
            overall: Overall::Unknown,
            error: error.for_json(),
        };
        print(&json(&failure));
    }
}

/// The name of a command that is to answer in JSON.
pub fn in_json(command: &Command) -> Option<&'static str> {
    match command {
        Command::Apply(Apply { json: true, .. }) => Some("apply"),
        Command::Remove(Remove { json: true, .. }) => Some("remove"),
        Command::Doctor(Doctor { json: true, .. }) => Some("doctor"),
        Command::Status(Status { json: true, .. }) => Some("status"),
        Command::Explain(Explain { json: true, .. }) => Some("explain"),
        Command::Task(TaskArguments { json: true, .. }) => Some("task"),
        _ => None,
    }
}

/// Reports an error that ended a command. `in_json`: the name of a command with `--json`.
pub fn report_error(error: &Error, in_json: Option<&str>) {
    if in_json.is_some() {
        FailureDocument::print(in_json, error);
    }
    print_error(error);
}

/// The command line is wrong. A secret in it is not repeated.
pub fn report_usage(error: &clap::Error) {
    let mut text = with_synonym(error);
    for (_, value) in error.context() {
        if let ContextValue::String(value) = value {
            let value = value.trim_start_matches('-');
            text = text.replace(value, &redact(value));
        }
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    let reason = text.lines().next().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    if std::env::args_os().any(|argument| argument == "--json") {
        let error = Error::new("the command line is wrong")
            .because(plain(reason))
            .hint("see `pushready --help`");
        FailureDocument::print(None, &error);
    }
}

/// What other programs call a command.
const SYNONYMS: &[(&str, &str)] = &[
    ("check", "doctor"),
    ("clean", "remove"),
    ("completion", "completions"),
    ("delete", "remove"),
    ("diagnose", "doctor"),
    ("info", "status"),
    ("init", "apply"),
    ("provision", "apply"),
    ("rm", "remove"),
    ("run", "apply"),
    ("setup", "apply"),
    ("test", "doctor"),
    ("undo", "remove"),
    ("uninstall", "remove"),
    ("verify", "doctor"),
    ("version", "--version"),
    ("why", "explain"),
];

/// The text of the error, with the command that has the meaning, where none has a similar name.
fn with_synonym(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return text;
    };
    let meant = SYNONYMS.iter().find(|(name, _)| name == given);
    match meant {
        Some((_, meant)) => {
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            let rest: Vec<_> = lines.filter(|line| !line.contains("tip:")).collect();
            let rest = rest.join("\n");
            let rest = rest.trim_start_matches('\n');
            format!("{first}\n\n  tip: did you mean `{meant}`?\n\n{rest}\n")
        }
        None => text,
    }
}

/// Errors and warnings about the run itself.
pub fn print_error(error: &Error) {
    let text = terminal::for_stderr(error.render());
    let _hidden = terminal::hide_progress();
    let _ = std::io::stderr().lock().write_all(terminal::printable(&text).as_bytes());
}
