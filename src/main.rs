//! pushready: makes a Coder workspace ready for a coding agent, and proves it.
#![cfg_attr(
    fuzzing,
    allow(dead_code, unused_imports, reason = "the fuzzer calls the parsers alone")
)]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and run the real programs")
)]

mod apply;
mod catalogue;
mod cli;
mod client;
mod coder;
mod command;
mod doctor;
mod document;
mod env;
mod error;
mod git;
mod git_cli;
mod github;
#[cfg(test)]
#[path = "../tests/actions/mod.rs"]
#[allow(dead_code, reason = "shared with the tests that drive the binary")]
mod github_rig;
mod home;
mod http;
mod json;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/parsers.rs"]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a panic is how a parser fails here"
)]
pub mod parsers;
mod process;
mod proof;
mod provision;
mod push_message;
mod resource;
mod secret;
mod settings;
mod ssh_cli;
mod ssh_match;
mod state;
mod task;
mod terminal;
mod text;
mod variables;

use std::process::ExitCode;

use clap::Parser as _;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tracing::level_filters::LevelFilter;

use cli::{Cli, Colour, Command};
use error::{Exit, Result};

fn main() -> ExitCode {
    // no core file, and no other process of this user may read our memory: secrets pass through it
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    command::panic::end_the_run();
    if let Some(exit) = ssh_match::run_alone(std::env::args_os()) {
        return exit.into();
    }
    if command::completions::answer() {
        return Exit::Ready.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Ready.into();
            }
            command::report_usage(&error);
            return Exit::Usage.into();
        }
    };
    let colours = match cli.color {
        Colour::Auto => None,
        Colour::Always => Some(true),
        Colour::Never => Some(false),
    };
    terminal::set_up(colours, &env::Env::of_process());
    log(cli.verbose);
    let in_json = command::in_json(&cli.command);
    if let Some(command) = in_json {
        command::panic::report_as(command);
    }
    let exit = run(&cli).unwrap_or_else(|error| {
        command::report_error(&error, in_json);
        error.status()
    });
    command::exit_status(&cli.command, exit).into()
}

fn run(cli: &Cli) -> Result<Exit> {
    match &cli.command {
        Command::SshMatch { id } => Ok(ssh_match::run(id)),
        Command::Apply(arguments) => command::apply::run(arguments, cli.verbose),
        Command::Remove(arguments) => command::remove::run(arguments, cli.verbose),
        Command::Doctor(arguments) => command::doctor::run(arguments, cli.verbose),
        Command::Status(arguments) => command::status::run(arguments),
        Command::Explain(arguments) => command::explain::run(arguments),
        Command::Task(arguments) => Ok(task::run(arguments, cli.verbose > 0)),
        Command::AgentsMd => Ok(command::agents_md::run()),
        Command::Completions { shell } => command::completions::run(*shell),
        Command::Install(arguments) => command::install::run(arguments),
    }
}

/// The log goes to standard error, and only with `-v`.
fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        // a log that cannot be written is lost; its layer would panic
        .log_internal_errors(false)
        .init();
}
