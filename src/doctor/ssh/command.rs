//! Which ssh the agent's git starts, and how (git(1), GIT_SSH_COMMAND, GIT_SSH and GIT_SSH_VARIANT;
//! git-config(1), core.sshCommand and ssh.variant; connect.c).

use std::path::Path;
use std::process::Command;

use super::CONNECT_TIMEOUT;
use super::log::LOG_LEVEL;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::doctor::git::Programs;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::SshTarget;
use crate::process::{self, Program, is_relative};
use crate::variables::observed;

/// One way to start ssh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshCommand {
    pub by: ChosenBy,
    /// For `GIT_SSH` a program, else a command line for the shell.
    pub text: String,
    variant: Variant,
}

/// Which options git gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Variant {
    /// Those of ssh, if it prints its configuration on request; else none.
    Auto,
    Ssh,
    /// Those of plink, or none. The doctor does not make such a call.
    Other,
}

impl Variant {
    /// As a variable or a setting names it. Whatever git does not know is ssh to it.
    fn named(name: &str) -> Self {
        match name {
            "auto" => Self::Auto,
            "simple" | "plink" | "putty" | "tortoiseplink" => Self::Other,
            _ => Self::Ssh,
        }
    }

    /// As git guesses it from the program.
    fn guessed(program: &str) -> Self {
        let name =
            Path::new(program).file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        match name.strip_suffix(".exe").unwrap_or(&name) {
            "ssh" => Self::Ssh,
            "plink" | "tortoiseplink" => Self::Other,
            _ => Self::Auto,
        }
    }
}

/// What chose the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChosenBy {
    Variable,
    Configuration,
    /// A clone's own configuration: a command of the repository, named but never run.
    Clone,
    Program,
    Plain,
}

impl ChosenBy {
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

/// `core.sshCommand` has no value, and git does not connect at all.
#[derive(Debug)]
pub struct WithoutValue;

/// What git starts, and what a process without that variable or setting would start: another one,
/// or none.
#[derive(Debug)]
pub struct SshChoice {
    pub used: SshCommand,
    pub alternative: Option<SshCommand>,
}

impl SshChoice {
    /// For a repository with these clones in view: git's configuration may be another one in each.
    /// `Err`: git refuses it.
    pub fn of(context: &Context, clones: &[&InView]) -> Result<Self, WithoutValue> {
        let variable =
            |name| context.env.raw(name).map(|text| text.to_string_lossy().trim().to_owned());
        // git takes an empty one too, and cannot run it
        let by_variable =
            variable(observed::GIT_SSH_COMMAND).map(|text| (ChosenBy::Variable, text));
        let has_own =
            |clone: &&&InView| clone.config().ssh_command().is_some_and(|(is_own, _)| is_own);
        let own = clones.iter().find(has_own);
        let settings = own.map_or_else(|| context.git_config_in(clones), |clone| clone.config());
        let configured = match settings.ssh_command() {
            Some((_, None)) if by_variable.is_none() => return Err(WithoutValue),
            Some((is_own, text)) => {
                // a relative one is the work tree's, whoever names it
                let is_own = is_own || text.is_some_and(|text| is_relative(first_word(text)));
                let by = if is_own { ChosenBy::Clone } else { ChosenBy::Configuration };
                text.map(|text| (by, text.to_owned()))
            }
            None => None,
        };
        let program = variable(observed::GIT_SSH).map(|text| (ChosenBy::Program, text));
        let variant = variable(observed::GIT_SSH_VARIANT);
        let variant =
            variant.as_deref().or_else(|| settings.text("ssh.variant")).map(Variant::named);
        Ok(rank([by_variable, configured, program], variant))
    }
}

/// In git's order. Pure.
fn rank(ranked: [Option<(ChosenBy, String)>; 3], variant: Option<Variant>) -> SshChoice {
    let variant = variant.filter(|variant| *variant != Variant::Auto);
    let command = |(by, text): (ChosenBy, String)| {
        let program = if by == ChosenBy::Program { &*text } else { first_word(&text) };
        SshCommand { by, variant: variant.unwrap_or_else(|| Variant::guessed(program)), text }
    };
    let plain = || command((ChosenBy::Plain, "ssh".to_owned()));
    let mut ranked = ranked.into_iter().flatten().map(command).chain([plain()]);
    let used = ranked.next().unwrap_or_else(plain);
    let alternative = ranked
        .find(|other| other.text != used.text && other.by != ChosenBy::Clone)
        .filter(SshCommand::takes_ssh_options);
    SshChoice { used, alternative }
}

fn first_word(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or_default()
}

impl SshCommand {
    #[cfg(test)]
    pub fn of(by: ChosenBy, text: &str) -> Self {
        Self { by, text: text.to_owned(), variant: Variant::Ssh }
    }

    /// Whether it names a program that is not there, which the kernel would not find.
    pub fn is_missing(&self, context: &Context) -> bool {
        let program =
            if self.by == ChosenBy::Program { &*self.text } else { first_word(&self.text) };
        let current = context.clones.in_view().iter().find(|clone| clone.is_current);
        let top = current.map(InView::top).or(context.folder.as_deref());
        let top = top.unwrap_or(&context.home.path);
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+".contains(&byte) || byte >= 0x80;
        !program.is_empty()
            && program.bytes().all(is_plain)
            && !Programs { context, top }.is_there(program)
    }

    /// Whether an option of it makes ssh accept any host key (ssh_config(5),
    /// StrictHostKeyChecking).
    pub fn accepts_any_host_key(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        let mut values = text.split("stricthostkeychecking").skip(1);
        values.next().is_some_and(|rest| {
            let rest = rest.trim_start_matches([' ', '=', '"', '\'']);
            ["no", "off", "false"].iter().any(|word| rest.starts_with(word))
        })
    }

    /// It fails where the other one works. `None`: it names no program that exists.
    pub fn broken(&self, works: Option<&Self>) -> Judgement {
        let by = self.by.name();
        let summary = match works {
            Some(other) => {
                format!("the ssh command in {by} fails; with {} it works", other.by.name())
            }
            None => format!("the ssh command in {by} names a program that does not exist"),
        };
        let fix = match self.by {
            ChosenBy::Configuration | ChosenBy::Clone => Fix::report(
                "`git config --show-origin --get-all core.sshCommand` shows its file: remove it there, or correct the \
                 command",
            ),
            ChosenBy::Variable | ChosenBy::Program | ChosenBy::Plain => Fix::report(format!(
                "unset {by} where it is set (template, profile or agent), or correct the command"
            )),
        };
        Judgement::fail(Code::SshCommandBroken, summary, fix)
            .with([Evidence::foreign("command", &self.text)])
    }

    fn started(&self, context: &Context) -> Command {
        // as git runs it (connect.c, run-command.c): a command line is the shell's, with the arguments
        // as its own
        let mut command = match self.by {
            ChosenBy::Plain => process::command(Program::Ssh),
            ChosenBy::Program => process::command(Program::GitSsh(&self.text)),
            ChosenBy::Variable | ChosenBy::Configuration | ChosenBy::Clone => {
                let mut shell = process::command(Program::Shell);
                shell.arg("-c").arg(format!("{} \"$@\"", self.text)).arg(&self.text);
                shell
            }
        };
        // git goes to the top of the work tree first
        if let Some(clone) = context.clones.in_view().iter().find(|clone| clone.is_current) {
            command.current_dir(clone.top());
        }
        command
    }

    /// Asks it for its configuration, as git does to see whether it takes the options of ssh.
    /// Nothing is connected.
    pub fn effective(&self, context: &Context, at: &SshTarget) -> Command {
        let mut command = self.started(context);
        command.arg("-G").arg(&at.to);
        command
    }

    /// Whether git gives it the options of ssh, or may do so.
    pub fn takes_ssh_options(&self) -> bool {
        self.variant != Variant::Other
    }

    /// Whether git gives it no option if it does not print its configuration.
    pub fn may_be_simple(&self) -> bool {
        self.variant == Variant::Auto
    }

    /// The call that git makes then: host and remote command.
    pub fn simple_call(&self, context: &Context, at: &SshTarget, verb: &str) -> Command {
        asking(self.started(context), at, verb)
    }

    /// The call that git makes for a remote command, with options that keep it from prompting and
    /// make it log which key the server accepts.
    pub fn call(&self, context: &Context, at: &SshTarget, verb: &str) -> Command {
        self.call_with(context, at, verb, &[])
    }

    /// The same for an ssh that is configured to go on in the background: we would take it for one
    /// that has ended. Before OpenSSH 8.7 this is an unknown option.
    pub fn call_in_foreground(&self, context: &Context, at: &SshTarget, verb: &str) -> Command {
        self.call_with(context, at, verb, &["-o", "ForkAfterAuthentication=no"])
    }

    fn call_with(
        &self,
        context: &Context,
        at: &SshTarget,
        verb: &str,
        options: &[&str],
    ) -> Command {
        let mut command = self.started(context);
        command.args(["-o", "BatchMode=yes", "-o", CONNECT_TIMEOUT, "-o", LOG_LEVEL]);
        command.args(options);
        if let Some(port) = at.port {
            command.args(["-p", &port.to_string()]);
        }
        asking(command, at, verb)
    }
}

/// Adds the destination and the remote command.
fn asking(mut command: Command, at: &SshTarget, verb: &str) -> Command {
    // as git quotes it (quote.c, sq_quote_buf)
    let path = at.path.replace('\'', "'\\''").replace('!', "'\\!'");
    command.arg(&at.to).arg(format!("{verb} '{path}'"));
    command
}

#[cfg(test)]
mod tests {
    use ChosenBy::{Clone, Configuration, Plain, Program, Variable};

    use super::*;

    #[test]
    fn git_takes_the_first_of_its_order() {
        let some = |by, text: &str| Some((by, text.to_owned()));
        for (variable, configured, program, used, alternative) in [
            (None, None, None, Plain, None),
            (some(Variable, "coder gitssh --"), None, None, Variable, Some(Plain)),
            (some(Variable, "ssh"), None, None, Variable, None),
            (some(Variable, "a"), some(Configuration, "b"), None, Variable, Some(Configuration)),
            (some(Variable, "a"), some(Configuration, "plink"), None, Variable, None),
            // the variable overrides it
            (some(Variable, "a"), some(Clone, "b"), None, Variable, Some(Plain)),
            (None, some(Clone, "b"), some(Program, "c"), Clone, Some(Program)),
            (None, None, some(Program, "c"), Program, Some(Plain)),
        ] {
            let choice = rank([variable, configured, program], None);
            let otherwise_by = choice.alternative.map(|other| other.by);
            assert_eq!((choice.used.by, otherwise_by), (used, alternative));
        }
    }

    #[test]
    fn options_are_those_of_the_variant() {
        for (by, text, named, variant) in [
            (Plain, "ssh", None, Variant::Ssh),
            (Plain, "ssh", Some("simple"), Variant::Other),
            (Variable, "/usr/bin/ssh -4", None, Variant::Ssh),
            (Variable, "/opt/SSH.exe", None, Variant::Ssh),
            (Variable, "wrapper ssh", None, Variant::Auto),
            (Variable, "wrapper ssh", Some("auto"), Variant::Auto),
            (Variable, "wrapper ssh", Some("ssh"), Variant::Ssh),
            (Variable, "wrapper ssh", Some("no such"), Variant::Ssh),
            (Variable, "wrapper ssh", Some("putty"), Variant::Other),
            (Program, "/opt/my tools/plink", None, Variant::Other),
            (Program, "/opt/my tools/plink", Some("auto"), Variant::Other),
        ] {
            let choice = rank([Some((by, text.to_owned())), None, None], named.map(Variant::named));
            assert_eq!(choice.used.variant, variant, "{text} {named:?}");
        }
    }
}
