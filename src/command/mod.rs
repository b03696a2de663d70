//! The commands: each runs its stages in order and prints its result.

pub mod agents_md;
pub mod apply;
pub mod doctor;
pub mod explain;
pub mod install;
pub mod remove;
pub mod status;

use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use clap::error::ContextValue;
use serde::Serialize;

use crate::cli::{Apply, Command, Doctor, Explain, Remove, Status};
use crate::doctor::report::Overall;
use crate::document::Header;
use crate::error::{Error, Exit, Result, Told};
use crate::git::url::redact;
use crate::home::Home;
use crate::resource::{file, rewrite};
use crate::state::State;
use crate::state::receipt::Receipt;

/// Why the result of the command did not get out.
static UNTOLD: OnceLock<std::io::Error> = OnceLock::new();

/// The result of a command goes to standard output; a reader that went away is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => drop(UNTOLD.set(error)),
        _ => {}
    }
}

/// The exit status of a command whose result may not have got out.
pub fn told(command: &Command, exit: Exit) -> Exit {
    let Some(error) = UNTOLD.get() else { return exit };
    complain(&Error::new("cannot write the report to standard output").because(error.to_string()));
    match command {
        // an item of the workspace agent's metadata
        Command::Status(Status { line: true, .. }) => exit,
        _ => Exit::CouldNotRun,
    }
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// What `--json` prints of a command that ended early: there is one document, whatever happens.
#[derive(Serialize)]
struct Failure<'a> {
    #[serde(flatten)]
    header: Header,
    /// `None`: the command line names none, or not one command with its options.
    command: Option<&'a str>,
    ready: bool,
    overall: Overall,
    error: Told<'a>,
}

impl<'a> Failure<'a> {
    fn print(command: Option<&'a str>, error: &'a Error) {
        let failure = Self {
            header: Header::new(),
            command,
            ready: false,
            overall: Overall::Unknown,
            error: error.told(),
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
        _ => None,
    }
}

/// Tells of an error that ended a command. `in_json`: the name of one that was to answer so.
pub fn fail(error: &Error, in_json: Option<&str>) {
    answer(error, in_json);
    complain(error);
}

/// The same of one that is told on standard error already.
pub fn answer(error: &Error, in_json: Option<&str>) {
    if in_json.is_some() {
        Failure::print(in_json, error);
    }
}

/// The command line is wrong. A secret that stands in it is not repeated.
pub fn misused(error: &clap::Error) {
    let mut text = error.render().to_string();
    for (_, value) in error.context() {
        if let ContextValue::String(value) = value {
            let value = value.trim_start_matches('-');
            text = text.replace(value, &redact(value));
        }
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    if std::env::args_os().any(|argument| argument == "--json") {
        let error = Error::new("the command line is wrong").hint("see `pushready --help`");
        Failure::print(None, &error);
    }
}

/// Errors and warnings about the run itself.
pub fn complain(error: &Error) {
    let _ = std::io::stderr().lock().write_all(error.render().as_bytes());
}

/// What the next run has to say of one that was interrupted.
struct Healed {
    swept: usize,
    /// Changes had been begun.
    unfinished: bool,
}

impl Healed {
    fn note(&self, cure: &str) -> Option<String> {
        let swept = format!("{} temporary files or locks of it removed", self.swept);
        match self {
            Self { swept: 0, unfinished: false } => None,
            Self { swept: 0, unfinished: true } => {
                Some(format!("an earlier run was interrupted: {cure}"))
            }
            Self { unfinished: false, .. } => {
                Some(format!("an earlier run was interrupted: {swept}"))
            }
            Self { unfinished: true, .. } => {
                Some(format!("an earlier run was interrupted: {cure}, {swept}"))
            }
        }
    }
}

/// The receipt as it stands after the last run, and whether that one is still at work or was
/// interrupted.
fn settled(state: &Path) -> Result<(Option<Receipt>, bool)> {
    let mut receipt = Receipt::load(state)?;
    let under_way = receipt.as_mut().is_some_and(Receipt::settle);
    Ok((receipt, under_way))
}

/// The same, after the traces of an interrupted run were removed. Only under the lock of the state
/// folder: the temporary files of a run that is at work look the same.
fn heal(home: &Home, state: &State) -> Result<(Option<Receipt>, Healed)> {
    let mut receipt = Receipt::load(&home.state)?;
    // before it is settled, it names every folder in which that run may have been at work
    let swept = sweep(home, receipt.as_ref());
    let under_way = receipt.as_mut().is_some_and(Receipt::settle);
    // a folder that was made just now says so of the run that made it
    let unfinished = under_way && !state.just_made;
    Ok((receipt, Healed { swept, unfinished }))
}

/// Removes what interrupted runs left behind, in every folder in which we write.
fn sweep(home: &Home, receipt: Option<&Receipt>) -> usize {
    let mut folders =
        vec![home.path.clone(), home.codex.clone(), home.claude.clone(), home.state.clone()];
    folders.extend(["keys", "bin", "undo", "codex"].map(|name| home.state.join(name)));
    folders.extend(home.ssh_folder());
    let targets = receipt
        .into_iter()
        .flat_map(|receipt| receipt.entries.values())
        .map(|entry| &entry.target.path);
    let shared = targets.chain([&home.git_config, &home.claude_json]);
    folders
        .extend(shared.filter_map(|path| file::resolve(path).ok()?.parent().map(Path::to_owned)));
    folders.sort();
    folders.dedup();
    State::sweep(&home.state) + folders.iter().map(|folder| rewrite::sweep(folder)).sum::<usize>()
}
