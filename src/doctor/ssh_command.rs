//! Which ssh the agent's git starts (git(1), GIT_SSH_COMMAND and GIT_SSH; git-config(1), core.sshCommand; connect.c).

use std::path::Path;
use std::process::Command;

use super::Context;
use super::outcome::{Evidence, Fix, Outcome};
use super::ssh::{CONNECT_TIMEOUT, LOCAL};
use crate::catalogue::Code;
use crate::git_url::Repository;
use crate::process;
use crate::variables::observed;

/// One way to start ssh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshCommand {
    pub by: By,
    /// For `GIT_SSH` a program, else a command line for the shell.
    pub text: String,
}

/// Who decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Variable,
    Configuration,
    /// A clone's own configuration: a command of the repository, named but never run.
    Clone,
    Program,
    Plain,
}

impl By {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variable => "GIT_SSH_COMMAND",
            Self::Configuration => "core.sshCommand",
            Self::Clone => "core.sshCommand of the clone",
            Self::Program => "GIT_SSH",
            Self::Plain => "plain ssh",
        }
    }
}

/// What git starts, and what a process without that variable or setting would start: another one, or none.
#[derive(Debug)]
pub struct Choice {
    pub wins: SshCommand,
    pub otherwise: Option<SshCommand>,
}

impl Choice {
    /// For this repository: one of its clones in view may have a setting of its own.
    pub fn of(context: &Context, repository: &Repository) -> Self {
        let clone = context.clones.of(repository).find(|clone| clone.may_set_ssh);
        let configured = configured(context, clone.map(|clone| &*clone.folder));
        // git takes an empty one too, and cannot run it
        let variable = |name, by| {
            let text = context.env.as_it_stands(name)?.to_string_lossy().trim().to_owned();
            Some(SshCommand { by, text })
        };
        rank(
            variable(observed::GIT_SSH_COMMAND, By::Variable),
            configured,
            variable(observed::GIT_SSH, By::Program),
        )
    }
}

/// In git's order. Pure.
fn rank(variable: Option<SshCommand>, configured: Option<SshCommand>, program: Option<SshCommand>) -> Choice {
    let plain = SshCommand { by: By::Plain, text: "ssh".to_owned() };
    let mut ranked = [variable, configured, program, Some(plain)].into_iter().flatten();
    let wins = ranked.next().unwrap_or_else(|| SshCommand { by: By::Plain, text: "ssh".to_owned() });
    let otherwise = ranked.find(|other| other.text != wins.text && other.by != By::Clone);
    Choice { wins, otherwise }
}

/// `core.sshCommand` as git has it in a folder, and whether it is the clone's own.
fn configured(context: &Context, clone: Option<&Path>) -> Option<SshCommand> {
    let mut git = process::caller("git");
    git.args(["config", "--null", "--show-scope", "--get", "core.sshCommand"]);
    git.current_dir(clone.unwrap_or(Path::new("/"))).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let output = process::run(git, context.deadline(LOCAL)).ok().filter(|output| output.status.success())?;
    let (scope, text) = output.stdout.strip_suffix('\0')?.split_once('\0')?;
    let by = if matches!(scope, "local" | "worktree") { By::Clone } else { By::Configuration };
    Some(SshCommand { by, text: text.trim().to_owned() })
}

impl SshCommand {
    /// It fails where the other one works; `None`: what it names is no program, whatever another one would do.
    pub fn broken(&self, id: &'static str, subject: Option<String>, works: Option<&Self>) -> Outcome {
        let by = self.by.name();
        let summary = match works {
            Some(other) => {
                format!("git starts ssh as {by} says, which fails; with {} it works", other.by.name())
            }
            None => format!("git starts ssh as {by} says, and there is no such program"),
        };
        let fix = match self.by {
            By::Configuration | By::Clone => Fix::report(
                "`git config --show-origin --get-all core.sshCommand` names its file: take it out there, or mend the \
                 command",
            ),
            By::Variable | By::Program | By::Plain => Fix::report(format!(
                "unset {by} where it is set (template, profile or agent), or mend the command"
            )),
        };
        Outcome::fail(id, subject, Code::SshCommandBroken, summary, fix)
            .with([Evidence::foreign("command", &self.text)])
    }

    fn started(&self) -> Command {
        if self.by == By::Program {
            return process::caller(&self.text);
        }
        // as git runs it (run-command.c): the command is the shell's, the arguments are its own
        let mut shell = process::caller("sh");
        shell.arg("-c").arg(format!("{} \"$@\"", self.text)).arg(&self.text);
        shell
    }

    /// How git asks a command of another name than ssh whether it takes ssh's options; one that fails gets none (connect.c).
    pub fn trial(&self, at: &Repository) -> Option<Command> {
        let program = self.text.split_whitespace().next().unwrap_or_default();
        let is_ssh = Path::new(program).file_name().is_some_and(|name| name == "ssh");
        (!is_ssh && self.by != By::Plain).then(|| {
            let mut command = self.started();
            command.arg("-G").arg(format!("{}@{}", at.ssh_user(), at.host()));
            command
        })
    }

    /// The call that git would make then: host and remote command.
    pub fn simple_call(&self, at: &Repository, path: &str, verb: &str) -> Command {
        asking(self.started(), at, path, verb)
    }

    /// The call that git would make for a remote command, with options that keep it from waiting for anybody.
    pub fn call(&self, at: &Repository, path: &str, verb: &str) -> Command {
        let mut command = self.started();
        command.args(["-o", "BatchMode=yes", "-o", CONNECT_TIMEOUT]);
        if let Some(port) = at.ssh_port() {
            command.args(["-p", &port.to_string()]);
        }
        asking(command, at, path, verb)
    }
}

/// Whom, and for what.
fn asking(mut command: Command, at: &Repository, path: &str, verb: &str) -> Command {
    command.arg(format!("{}@{}", at.ssh_user(), at.host())).arg(format!("{verb} '{path}'"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_takes_the_first_of_its_order() {
        let some = |by, text: &str| Some(SshCommand { by, text: text.to_owned() });
        for (variable, configured, program, wins, otherwise) in [
            (None, None, None, By::Plain, None),
            (some(By::Variable, "coder gitssh --"), None, None, By::Variable, Some(By::Plain)),
            (some(By::Variable, "ssh"), None, None, By::Variable, None),
            (
                some(By::Variable, "a"),
                some(By::Configuration, "b"),
                None,
                By::Variable,
                Some(By::Configuration),
            ),
            // it is dead under the variable
            (some(By::Variable, "a"), some(By::Clone, "b"), None, By::Variable, Some(By::Plain)),
            (None, some(By::Clone, "b"), some(By::Program, "c"), By::Clone, Some(By::Program)),
            (None, None, some(By::Program, "c"), By::Program, Some(By::Plain)),
        ] {
            let choice = rank(variable, configured, program);
            assert_eq!((choice.wins.by, choice.otherwise.map(|other| other.by)), (wins, otherwise));
        }
    }
}
