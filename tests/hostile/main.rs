//! Whatever a repository, a server, a file or the input contains, a run of the binary stays below its
//! ceilings of memory, time and output. One module for each place that the bytes come from, each a
//! table of cases. `PUSHREADY_FAULT=TEXT` runs the cases alone whose description contains TEXT.
// clippy.toml allows these in #[test] functions; the functions of the cases are not marked as such
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod ceiling;
mod files;
mod input;
mod repositories;
mod servers;
#[path = "../behaviour/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the behaviour tests")]
mod support;
