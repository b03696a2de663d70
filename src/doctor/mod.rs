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
pub mod git;
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
use requirement::AliasedRepository;

use crate::settings::Requirement;

/// The current clone, where its remote leads to a repository with a key by an alias of ssh's.
fn aliased(context: &Context) -> Option<AliasedRepository> {
    let named = context.clones.current().filter(|named| !context.has_key(named))?;
    let at_server = ssh::behind_alias(context, named).filter(|it| context.has_key(it))?;
    Some(AliasedRepository { named: named.clone(), at_server })
}

/// Makes the selected checks, and puts their outcomes into the order of the report.
pub fn run(context: &Context, selection: &Selection, requirements: &[Requirement]) -> Vec<Outcome> {
    let mut outcomes = runner::run(context, selection);
    assembly::mark_accepted(&mut outcomes, &context.settings.accept);
    let requires_push = requirements.iter().any(|it| matches!(it, Requirement::Push(_)));
    let aliased = requires_push.then(|| aliased(context)).flatten();
    requirement::mark(&mut outcomes, requirements, aliased.as_ref());
    assembly::assemble(outcomes)
}
