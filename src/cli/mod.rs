//! The command line: its types and its help. No behaviour, and no field that can contain a secret.

pub mod task;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::variables::{self, Variable};

const APPLY_EXAMPLES: &str = "\
Examples:
  pushready apply
  pushready apply --dry-run
  pushready apply --stdin < secrets.json";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  pushready doctor
  pushready doctor --only push --json
  pushready doctor --repo acme/app                # of the repositories, this one alone
  pushready doctor --required --wait 60 --short   # last line of a start script
  pushready doctor --offline --strict";

/// Makes a Coder workspace ready for a coding agent, and proves it.
#[derive(Parser)]
#[command(bin_name = "pushready", version, about, long_about = None, after_help = "Secrets come from variables, files or standard input, never from the command line: see docs/variables.md.\n\nExit status: 0 everything configured is ready, 1 something is not ready, 2 usage, 3 could not run.")]
pub struct Cli {
    /// Prints more, and logs each change; -vv also each child and request, -vvv everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Whether to use colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true,
        global = true
    )]
    pub color: Colour,
    #[command(subcommand)]
    pub command: Command,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// A shell that has completions.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum CompletionShell {
    Bash,
    Fish,
    Zsh,
}

#[derive(Subcommand)]
pub enum Command {
    /// Reads the home, writes what differs, records a receipt
    #[command(after_help = APPLY_EXAMPLES, after_long_help = variables_help())]
    Apply(Apply),
    /// Undoes exactly what the receipt lists
    #[command(
        after_help = "Examples:\n  pushready remove --dry-run\n  pushready remove --keep-logins"
    )]
    Remove(Remove),
    /// Proves readiness, names the cause and who can fix it; never repairs
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Shows how the last apply and doctor run ended, without the network
    #[command(
        after_help = "Examples:\n  pushready status\n  pushready status --line    # one line for a coder_agent metadata item, always exit 0\n  pushready status --json\n  pushready status --metrics >/var/lib/node_exporter/pushready.prom"
    )]
    Status(Status),
    /// Explains a code, or the output of a failed push
    #[command(
        after_help = "Examples:\n  pushready explain                       # all codes\n  pushready explain push-key-read-only\n  pushready explain ssh.route             # a check\n  git push 2>&1 | pushready explain --push -\n  pushready explain --push push.log --json\n\nExit status of --push: 0 the output proves that git succeeded, 1 it failed, or the output proves neither."
    )]
    Explain(Explain),
    /// Prints the paragraph for a repository's AGENTS.md
    #[command(after_help = "Examples:\n  pushready agents-md >> AGENTS.md")]
    AgentsMd,
    /// Copies this binary, for images that have no `cp`
    #[command(
        after_help = "Examples:\n  pushready install\n  pushready install --to /opt/pushready"
    )]
    Install(Install),
    /// Prints the completions for a shell: commands, codes, checks and repositories
    #[command(
        after_help = "Examples:\n  source <(pushready completions bash)    # in ~/.bashrc; zsh the same, in ~/.zshrc\n  pushready completions fish | source     # in ~/.config/fish/config.fish"
    )]
    Completions { shell: CompletionShell },
    /// Runs agents on a Coder server, from a terminal or from CI
    Task(task::TaskArguments),
    /// Internal: run by ssh to find out whether it connects for this repository
    #[command(hide = true)]
    SshMatch { id: String },
}

#[derive(Args)]
pub struct Apply {
    /// Shows the plan and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Reads secrets from a JSON object on standard input: {"NAME": "value"}
    #[arg(long)]
    pub stdin: bool,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Remove {
    /// Shows the plan and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Leaves the Codex and Claude Code logins in place
    #[arg(long)]
    pub keep_logins: bool,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Doctor {
    /// Checks files and configuration only: no network
    #[arg(long, conflicts_with = "live")]
    pub offline: bool,
    /// Also pushes a throw-away branch, and makes one request per agent
    #[arg(long)]
    pub live: bool,
    /// Runs only these checks or areas: push.write, codex
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Runs all but these checks or areas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Of the checks of a repository or a clone, makes only those of this one; repeatable
    #[arg(long, value_name = "URL", conflicts_with = "all")]
    pub repo: Vec<String>,
    /// Checks this repository too, in addition to those with a key; repeatable
    #[arg(long, value_name = "URL")]
    pub also: Vec<String>,
    /// Checks every clone that is found
    #[arg(long)]
    pub all: bool,
    /// Tries again for so long, while every failure may pass by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
    /// Treats unknown as a failure
    #[arg(long)]
    pub strict: bool,
    /// Exits 1 only for what PUSHREADY_REQUIRE names, and not for a server that is not reached, a
    /// model's included; a proxy that refuses, a certificate that is not trusted and a page in place
    /// of the model are failures. Everything is still reported
    #[arg(long)]
    pub required: bool,
    /// Prints the report as JSON
    #[arg(long, conflicts_with = "short")]
    pub json: bool,
    /// Prints one line
    #[arg(long)]
    pub short: bool,
    /// Lists the checks and runs none
    #[arg(long)]
    pub list: bool,
}

#[derive(Args)]
pub struct Status {
    /// Prints one short line, and always exits 0
    #[arg(long, conflicts_with = "json")]
    pub line: bool,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Prints OpenMetrics text for a scraper, and always exits 0
    #[arg(long, conflicts_with_all = ["line", "json"])]
    pub metrics: bool,
}

#[derive(Args)]
pub struct Explain {
    /// A code as apply and doctor print it, or a check; without one, lists all codes
    pub code: Option<String>,
    /// A file with the output of git push, fetch or clone; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub push: Option<PathBuf>,
    /// Prints the explanation as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Install {
    /// The folder for the binary, default ~/.local/bin
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// The examples and every variable, for `apply --help`.
fn variables_help() -> String {
    let mut text = format!(
        "{APPLY_EXAMPLES}\n\nVariables (a secret can also be set as NAME_FILE or NAME_BASE64):\n"
    );
    for Variable { name, secret, meaning, .. } in variables::ALL {
        let secret = if *secret { " (secret)" } else { "" };
        let _ = writeln!(text, "  {name}{secret}\n      {meaning}");
    }
    text
}
