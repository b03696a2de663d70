//! `pushready completions SHELL`: a script with which the shell asks this program for every word.
//! So the codes, the checks and the repositories with a key are those of this workspace.

use clap::CommandFactory as _;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};

use super::print;
use crate::catalogue::Code;
use crate::cli::{Cli, CompletionShell};
use crate::doctor::check::{CHECKS, area};
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::home::Home;
use crate::state::receipt::Receipt;

/// The script sets it, and nobody else does.
const ASKS: &str = "_PUSHREADY_COMPLETE";
const PROGRAM: &str = "pushready";

pub fn run(shell: CompletionShell) -> Result<Exit> {
    let completer: &dyn EnvCompleter = match shell {
        CompletionShell::Bash => &Bash,
        CompletionShell::Fish => &Fish,
        CompletionShell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    completer
        .write_registration(ASKS, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|error| Error::new("cannot write the completions").because(error.to_string()))?;
    print(&String::from_utf8_lossy(&script));
    Ok(Exit::Ready)
}

/// Answers the script: whether this process was started for that alone.
pub fn answer() -> bool {
    let folder = std::env::current_dir().ok();
    CompleteEnv::with_factory(command_line)
        .var(ASKS)
        .try_complete(std::env::args_os(), folder.as_deref())
        // a shell shows nothing of an error, and its user can still type
        .unwrap_or(true)
}

/// The command line with the candidates of its values.
fn command_line() -> clap::Command {
    let codes_and_checks = ArgValueCandidates::new(codes_and_checks);
    let checks = ArgValueCandidates::new(checks);
    let repositories = ArgValueCandidates::new(repositories);
    Cli::command()
        .mut_subcommand("explain", |explain| {
            explain.mut_arg("code", |code| code.add(codes_and_checks))
        })
        .mut_subcommand("doctor", |doctor| {
            doctor
                .mut_arg("only", |only| only.add(checks.clone()))
                .mut_arg("skip", |skip| skip.add(checks))
                .mut_arg("repo", |repo| repo.add(repositories.clone()))
                .mut_arg("also", |also| also.add(repositories))
        })
}

fn checks() -> Vec<CompletionCandidate> {
    let mut areas: Vec<_> = CHECKS.iter().map(|check| area(check.id)).collect();
    areas.dedup();
    let areas = areas.into_iter().map(CompletionCandidate::new);
    let ids = CHECKS
        .iter()
        .map(|check| CompletionCandidate::new(check.id).help(Some(check.title.into())));
    areas.chain(ids).collect()
}

fn codes_and_checks() -> Vec<CompletionCandidate> {
    let codes = Code::ALL
        .iter()
        .map(|code| CompletionCandidate::new(code.to_string()).help(Some(code.condition().into())));
    codes.chain(checks()).collect()
}

/// The repositories that have a key here.
fn repositories() -> Vec<CompletionCandidate> {
    let receipt = Home::locate(&Env::of_process()).and_then(|home| Receipt::load(&home.state));
    let records = receipt.ok().flatten().map(|receipt| receipt.desired.repositories);
    let names = records.iter().flatten().map(|record| record.repository.short());
    names.map(CompletionCandidate::new).collect()
}
