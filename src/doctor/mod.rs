//! The doctor: proves readiness, names the cause and who can fix it. It never repairs, and runs
//! nothing that a repository controls. Each area gathers facts and then judges them; only gathering
//! touches the world.

pub mod actions;
mod assembly;
pub mod check;
mod claude;
mod clock;
pub mod clones;
mod codex;
pub mod connections;
pub mod context;
pub mod credentials;
mod diagnosis;
pub mod gathered;
mod git;
mod home;
mod keys;
pub mod leaks;
mod login_folder;
mod network;
pub mod outcome;
mod pool;
mod push;
pub mod push_url;
pub mod report;
mod request;
pub mod requirement;
mod runner;
mod ssh;
mod variable_file;
pub mod verdict;

use check::Selection;
use context::Context;
use outcome::Outcome;

use crate::settings::Requirement;

/// Makes the selected checks, and puts their outcomes into the order of the report.
pub fn run(context: &Context, selection: &Selection, requirements: &[Requirement]) -> Vec<Outcome> {
    let mut outcomes = runner::run(context, selection);
    assembly::mark_accepted(&mut outcomes, &context.settings.accept);
    requirement::mark(&mut outcomes, requirements);
    assembly::assemble(outcomes)
}
