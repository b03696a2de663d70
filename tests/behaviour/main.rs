//! Drives the binary in workspaces of its own: one module per area, the rig in `support`.
// clippy.toml lets #[test] functions do these things; the rig's own functions are not marked as
// such
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod actions;
mod callers;
mod children;
mod clients;
mod commit_path;
mod completions;
mod crashes;
mod doctor;
mod explain;
#[path = "../actions/mod.rs"]
#[allow(dead_code, reason = "shared with the unit tests")]
mod github_rig;
mod homes;
mod identity;
mod inputs;
mod install;
mod known_hosts;
mod leaks;
mod logins;
mod network;
mod paths;
mod places;
mod proof;
mod release;
mod removal;
mod rig;
mod routing;
mod secrets;
mod status;
mod support;
mod template;
mod undo;
mod verdicts;
