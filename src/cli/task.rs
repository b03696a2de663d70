//! The command line of `pushready task`: its types and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

/// The two APIs for agents that run in workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskApi {
    /// Coder Tasks: 2.24 to 2.37
    Tasks,
    /// Coder Agents: from 2.33 on
    Chats,
}

#[derive(Args)]
#[command(
    arg_required_else_help = true,
    after_help = "CODER_URL and CODER_SESSION_TOKEN name the server, or the session that `coder login` stored.\n\nExit status: 0 done, 1 failed, 2 usage, 3 could not run, 4 not logged in or not permitted, 5 needs input, 6 timed out (the task goes on), 7 not served by this Coder version."
)]
pub struct TaskArguments {
    /// Uses this API, instead of the one that the server and the template suggest
    #[arg(long, global = true, value_enum, value_name = "API")]
    pub backend: Option<TaskApi>,
    /// Sends the token over plain http to another machine
    #[arg(long, global = true)]
    pub insecure_http: bool,
    /// Prints the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: TaskCommand,
}

#[derive(Subcommand)]
pub enum TaskCommand {
    /// Starts an agent on a prompt
    #[command(
        after_help = "Without a prompt it is read from standard input, or written in $EDITOR on a terminal.\n\nExamples:\n  pushready task create \"fix the login test\" --template dev --wait\n  git log -1 | pushready task create --name review-1 --reuse --quiet\n  pushready task create --from-bead acme-x1y --repo github.com/acme/app --require-ready"
    )]
    Create(Box<Create>),
    /// Shows the state of a task, and why it waits or failed
    #[command(
        after_help = "Examples:\n  pushready task status fix-42\n  pushready task status fix-42 --watch    # ends with the result's exit status"
    )]
    Status(TaskStatus),
    /// Prints the conversation, with one line for each tool call
    #[command(
        after_help = "Examples:\n  pushready task logs fix-42 --tail 20\n  pushready task logs fix-42 --follow"
    )]
    Logs(Logs),
    /// Sends a message to the agent; a paused task is resumed first
    #[command(
        after_help = "Examples:\n  pushready task send fix-42 \"also run the linter\"\n  pushready task send fix-42 --interrupt \"stop, only run the tests\""
    )]
    Send(Send),
    /// Lists the tasks that pushready made
    #[command(
        after_help = "Examples:\n  pushready task list\n  pushready task list --all --state failed"
    )]
    List(List),
    /// Prints the URL of the task's page, and opens it on a desktop
    #[command(after_help = "Examples:\n  pushready task open fix-42")]
    Open(TaskOpen),
    /// Removes a task and the workspace that was made for it
    #[command(
        after_help = "A workspace that was not made for the task is kept.\n\nExamples:\n  pushready task delete fix-42 --yes\n  pushready task delete fix-42 --workspace keep --yes"
    )]
    Delete(Delete),
    /// Removes what earlier runs left behind
    #[command(
        after_help = "Examples:\n  pushready task gc --dry-run\n  pushready task gc --older 1d"
    )]
    Gc(Gc),
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Create {
    /// What the agent should do; - is standard input
    #[arg(conflicts_with_all = ["file", "editor", "from_bead"])]
    pub prompt: Option<String>,
    /// Reads the prompt from a file
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with_all = ["editor", "from_bead"])]
    pub file: Option<PathBuf>,
    /// Reads the prompt from standard input
    #[arg(long, conflicts_with_all = ["prompt", "file", "editor", "from_bead"])]
    pub stdin: bool,
    /// Writes the prompt in $EDITOR
    #[arg(long, conflicts_with = "from_bead")]
    pub editor: bool,
    /// Makes the prompt from an issue of beads (`bd show ID --json`)
    #[arg(long, value_name = "ID")]
    pub from_bead: Option<String>,
    /// Accepts a bead that is closed, blocked or has no description
    #[arg(long, requires = "from_bead")]
    pub force: bool,
    /// Prints the prompt of the bead, and starts nothing
    #[arg(long, requires = "from_bead")]
    pub dry_run: bool,
    /// The template of the workspace; default: the only one that fits
    #[arg(long, value_name = "NAME", conflicts_with = "workspace")]
    pub template: Option<String>,
    /// A preset of the template; `none` for none
    #[arg(long, value_name = "NAME", conflicts_with = "workspace")]
    pub preset: Option<String>,
    /// A parameter of the template
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "workspace")]
    pub parameters: Vec<(String, String)>,
    /// The name by which the task is found again: at most 32 letters, digits and single hyphens
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The owner of the task, default you
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// The organization
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// Uses this workspace instead of making one (Agents)
    #[arg(long, value_name = "NAME")]
    pub workspace: Option<String>,
    /// The model (Agents)
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The repository that the task is about
    #[arg(long, value_name = "URL")]
    pub repo: Option<String>,
    /// A label (Agents)
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    pub labels: Vec<(String, String)>,
    /// Sends to the live task of this name or bead, if there is one
    #[arg(long)]
    pub reuse: bool,
    /// Starts no agent in a workspace that pushready does not call ready
    #[arg(long)]
    pub require_ready: bool,
    /// Prints the conversation as it comes, and waits for the end
    #[arg(long)]
    pub follow: bool,
    /// Waits for the end of the work
    #[arg(long)]
    pub wait: bool,
    /// How long to wait: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2h")]
    pub timeout: Duration,
    /// Prints the id alone
    #[arg(long, conflicts_with = "json")]
    pub quiet: bool,
}

#[derive(Args)]
pub struct TaskStatus {
    /// A name, an id, owner/name or the URL of the page
    pub task: String,
    /// Prints changes as they come, until the work ends
    #[arg(long)]
    pub watch: bool,
    /// How long to watch: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2h")]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct Logs {
    /// A name, an id, owner/name or the URL of the page
    pub task: String,
    /// Prints what comes, until the work ends
    #[arg(long)]
    pub follow: bool,
    /// Prints only so many of the last messages
    #[arg(long, value_name = "NUMBER")]
    pub tail: Option<usize>,
    /// How long to follow: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2h")]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct Send {
    /// A name, an id, owner/name or the URL of the page
    pub task: String,
    /// The message; - or none is standard input
    pub text: Option<String>,
    /// Interrupts what the agent does (Agents)
    #[arg(long)]
    pub interrupt: bool,
    /// Sends at once or not at all: resumes nothing, waits for nothing
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait until the task takes the message
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "15m")]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct List {
    /// Lists all of your tasks, and those that ended
    #[arg(long)]
    pub all: bool,
    /// Lists those in this state: working, idle, needs-input, failed …
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
}

#[derive(Args)]
pub struct TaskOpen {
    /// A name, an id or owner/name
    pub task: String,
}

/// What becomes of the workspace of a task that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WorkspacePolicy {
    Keep,
    Stop,
    Delete,
}

#[derive(Args)]
pub struct Delete {
    /// Names, ids, owner/name or URLs of pages
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,
    /// What becomes of the workspace; default: delete it if it was made for the task
    #[arg(long, value_enum, value_name = "POLICY")]
    pub workspace: Option<WorkspacePolicy>,
    /// Does not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How long to wait for the workspace to be gone
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "15m")]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct Gc {
    /// Only what is older
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "7d")]
    pub older: Duration,
    /// Shows what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    if name.is_empty() {
        return Err("NAME=VALUE is expected".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `90s`, `30m`, `2h`, `7d`; a number alone is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with s, m, h or d is expected, such as 90s or 2h".to_owned();
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 24 * 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).filter(|all| *all < 1 << 32).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [
            ("90", Some(90)),
            ("90s", Some(90)),
            ("30m", Some(1800)),
            ("2h", Some(7200)),
            ("7d", Some(604_800)),
            ("", None),
            ("h", None),
            ("2 h", None),
            ("-1s", None),
            ("1w", None),
            ("99999999999d", None),
        ] {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
