//! The programs that pushready starts, and the environment of each.
//!
//! No child gets a variable of pushready's own, a login of an agent, or a token of a forge that it
//! does not need. PATH has absolute entries alone: a program in a relative one is the current
//! folder's, which may be a repository's.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::Command;

use crate::client::Client;
use crate::env::Env;
use crate::variables::{self, observed};

/// A program that pushready starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program<'a> {
    Git,
    Ssh,
    /// The shell that runs a configured ssh command, as git has it run.
    Shell,
    /// The shell that runs the editor of a prompt, as git has it run.
    Editor,
    /// The program that `GIT_SSH` names.
    GitSsh(&'a str),
    Gh,
    Coder,
    Client(Client),
    /// What signs commits, or lists with what they could be signed.
    Signer(&'a str),
    /// The user's own command that names the key to sign with, as git has it run.
    KeyCommand(&'a str),
    /// beads, whose issues become prompts.
    Bd,
    /// What opens a page on a desktop.
    Browser,
    /// `getent`, which looks names up as programs of the system's C library do.
    Resolver,
}

impl fmt::Display for Program<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of the caller's variables a program gets.
#[derive(Clone, Copy, Debug)]
enum VisibleVariables {
    /// What the agent's own process would have, without these and what [`is_withheld`] names.
    AllBut(&'static [&'static str]),
    /// These, and those in [`COMMON`].
    Only(&'static [&'static str]),
}

use VisibleVariables::{AllBut, Only};

/// What every program needs.
const COMMON: &[&str] = &[variables::PATH, variables::HOME, "USER", "TMPDIR"];

/// `gh auth token` reads its own files, or asks a keyring.
const GH: &[&str] = &[
    variables::XDG_CONFIG_HOME,
    variables::XDG_STATE_HOME,
    "XDG_DATA_HOME",
    "GH_CONFIG_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// `coder external-auth` asks its server, as the agent.
const CODER: &[&str] = &[
    observed::CODER_AGENT_TOKEN,
    "CODER_AGENT_TOKEN_FILE",
    observed::CODER_AGENT_URL,
    "CODER_AGENT_AUTH",
    variables::CODER_URL,
    variables::CODER_CONFIG_DIR,
    variables::CODER_SESSION_TOKEN,
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// resolv.conf(5) and hostname(7).
const RESOLVER: &[&str] = &["LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES"];

/// Tokens that only what logs in to Coder needs.
const OF_CODER: &[&str] = &[observed::CODER_AGENT_TOKEN, variables::CODER_SESSION_TOKEN];

impl Program<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Git => "git",
            Self::Ssh => "ssh",
            Self::Shell | Self::Editor => "sh",
            Self::GitSsh(path) | Self::Signer(path) | Self::KeyCommand(path) => path,
            Self::Gh => "gh",
            Self::Coder => "coder",
            Self::Client(client) => client.row().id,
            Self::Bd => "bd",
            Self::Browser => "xdg-open",
            Self::Resolver => "getent",
        }
    }

    fn access(self) -> VisibleVariables {
        match self {
            // CODER_AGENT_TOKEN stays: `coder gitssh`, which git may start, logs in with it
            Self::Git | Self::Ssh | Self::Shell | Self::GitSsh(_) | Self::KeyCommand(_) => {
                AllBut(&[])
            }
            Self::Gh => Only(GH),
            Self::Coder => Only(CODER),
            Self::Resolver => Only(RESOLVER),
            Self::Client(_) | Self::Signer(_) | Self::Bd | Self::Browser | Self::Editor => {
                AllBut(OF_CODER)
            }
        }
    }

    /// Whether the program gets the variable. Pure.
    fn gets(self, name: &str) -> bool {
        match self.access() {
            AllBut(names) => match Client::of_own_variable(name) {
                Some(client) => self == Self::Client(client),
                None => !names.contains(&name) && !is_withheld(name),
            },
            Only(names) => COMMON.contains(&name) || names.contains(&name),
        }
    }

    /// What is set for the program, whatever the caller has. Pure.
    fn fixed(self) -> &'static [(&'static str, &'static str)] {
        // messages are compared, so they must not be translated
        const MESSAGES: (&str, &str) = ("LC_ALL", "C");
        match self.access() {
            AllBut(_) => &[MESSAGES, ("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0")],
            Only(_) => &[MESSAGES],
        }
    }
}

/// Whether a variable is pushready's own, or contains a secret that pushready reads.
fn is_withheld(name: &str) -> bool {
    if name == variables::CODER_SESSION_TOKEN {
        // `coder`, which git may start, logs in with it
        return false;
    }
    // a value instead of a file's name is a secret as well
    let plain = ["_BASE64", "_FILE"].iter().find_map(|form| name.strip_suffix(form));
    let plain = plain.unwrap_or(name);
    name.starts_with(variables::PREFIX)
        || variables::ALL.iter().any(|variable| variable.secret && variable.name == plain)
}

/// The whole environment of a program. Pure.
pub fn environment(program: Program, env: &Env) -> Vec<(OsString, OsString)> {
    let inherited = env.all().filter_map(|(name, value)| {
        // one that is not UTF-8 is neither ours nor on a list
        let is_given = match (name.to_str(), program.access()) {
            (Some(name), _) => program.gets(name),
            (None, AllBut(_)) => true,
            (None, Only(_)) => false,
        };
        let value = if name == variables::PATH { absolute_entries(value)? } else { value.into() };
        is_given.then(|| (name.to_owned(), value))
    });
    let fixed = program.fixed().iter().map(|&(name, value)| (name.into(), value.into()));
    inherited.chain(fixed).collect()
}

/// Whether a program is a path from the current folder, which may be a repository's. Pure.
pub fn is_relative(program: &str) -> bool {
    program.contains('/') && !program.starts_with(['/', '~', '$'])
}

/// PATH less its relative and empty entries, which mean the current folder. `None`: nothing is
/// left, so PATH is unset and the system's own folders are searched.
fn absolute_entries(path: &OsStr) -> Option<OsString> {
    let folders: Vec<_> =
        std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    std::env::join_paths(&folders).ok().filter(|path| !path.is_empty())
}

/// A program with the environment that it gets of the caller's.
pub fn command(program: Program) -> Command {
    command_in(program, &Env::of_process())
}

/// The same, where the caller's environment is given.
#[expect(clippy::disallowed_methods, reason = "this module starts processes")]
pub fn command_in(program: Program, env: &Env) -> Command {
    let mut command = Command::new(program.name());
    command.env_clear().envs(environment(program, env));
    command
}

/// The same command as `"$@"` of a script. It must have an environment of its own, as all of this
/// module have.
#[expect(clippy::disallowed_methods, reason = "this module starts processes")]
pub fn in_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new(Program::Shell.name());
    shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    let given = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.env_clear().envs(given);
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAMS: [Program; 11] = [
        Program::Git,
        Program::Ssh,
        Program::Shell,
        Program::GitSsh("/opt/my ssh"),
        Program::KeyCommand("ssh-add"),
        Program::Gh,
        Program::Coder,
        Program::Client(Client::Codex),
        Program::Client(Client::Claude),
        Program::Signer("gpg"),
        Program::Resolver,
    ];
    const SSH: [Program; 5] = [
        Program::Git,
        Program::Ssh,
        Program::Shell,
        Program::GitSsh("/opt/my ssh"),
        Program::KeyCommand("ssh-add"),
    ];

    /// The programs that get a variable.
    fn receivers(name: &str) -> Vec<Program<'static>> {
        let env = Env::of(&[(name, "value")]);
        let gets = |program: &Program| {
            environment(*program, &env).contains(&(name.into(), "value".into()))
        };
        PROGRAMS.into_iter().filter(gets).collect()
    }

    #[test]
    fn each_variable_reaches_the_programs_that_need_it() {
        let others = [
            Program::Client(Client::Codex),
            Program::Client(Client::Claude),
            Program::Signer("gpg"),
        ];
        for (name, programs) in [
            ("HOME", PROGRAMS.to_vec()),
            ("USER", PROGRAMS.to_vec()),
            ("TMPDIR", PROGRAMS.to_vec()),
            ("CODER_AGENT_TOKEN", [&SSH[..], &[Program::Coder]].concat()),
            ("CODER_AGENT_TOKEN_FILE", [&SSH[..], &[Program::Coder], &others].concat()),
            ("CODER_SESSION_TOKEN", [&SSH[..], &[Program::Coder]].concat()),
            ("CODER_AGENT_URL", [&SSH[..], &[Program::Coder], &others].concat()),
            ("CLAUDE_CODE_OAUTH_TOKEN", vec![Program::Client(Client::Claude)]),
            ("CLAUDE_CODE_OAUTH_TOKEN_BASE64", vec![]),
            ("CLAUDE_CODE_OAUTH_TOKEN_FILE", vec![]),
            ("GITHUB_TOKEN_FILE", vec![]),
            ("GH_TOKEN", vec![]),
            ("GITHUB_TOKEN", vec![]),
            ("GH_ENTERPRISE_TOKEN", vec![]),
            ("GITHUB_ENTERPRISE_TOKEN", vec![]),
            ("GH_CONFIG_DIR", [&SSH[..], &[Program::Gh], &others].concat()),
            ("OPENAI_API_KEY", [&SSH[..], &others].concat()),
            ("GIT_SSH_COMMAND", [&SSH[..], &others].concat()),
            ("HTTPS_PROXY", [&SSH[..], &[Program::Coder], &others].concat()),
            ("ANYTHING", [&SSH[..], &others].concat()),
        ] {
            assert_eq!(receivers(name), programs, "{name}");
        }
    }

    #[test]
    fn no_program_gets_a_variable_of_pushready() {
        let declared = variables::ALL.iter().map(|variable| variable.name.to_owned());
        let own = declared.filter(|name| name.starts_with(variables::PREFIX));
        let forms = own.flat_map(|name| [format!("{name}_FILE"), format!("{name}_BASE64"), name]);
        for name in forms.chain(["PUSHREADY_UNKNOWN".to_owned()]) {
            assert_eq!(receivers(&name), [], "{name}");
        }
    }

    #[test]
    fn a_program_below_the_current_folder_is_relative() {
        for (program, relative) in [
            ("tools/key", true),
            ("./key", true),
            ("../key", true),
            ("key", false),
            ("/usr/bin/key", false),
            ("~/bin/key", false),
            ("$HOME/bin/key", false),
        ] {
            assert_eq!(is_relative(program), relative, "{program}");
        }
    }

    #[test]
    fn path_keeps_its_absolute_entries() {
        for (path, kept) in [
            ("/usr/bin:/bin", Some("/usr/bin:/bin")),
            (":/usr/bin", Some("/usr/bin")),
            ("/usr/bin:", Some("/usr/bin")),
            ("/usr/bin::/bin", Some("/usr/bin:/bin")),
            (".:/usr/bin", Some("/usr/bin")),
            ("node_modules/.bin:/usr/bin:../bin", Some("/usr/bin")),
            (".", None),
            ("", None),
        ] {
            let env = Env::of(&[("PATH", path)]);
            for program in PROGRAMS {
                let environment = environment(program, &env);
                let value = environment.iter().find(|(name, _)| name == "PATH");
                assert_eq!(value.and_then(|(_, value)| value.to_str()), kept, "{program:?} {path}");
            }
        }
    }

    #[test]
    fn messages_are_not_translated() {
        let env = Env::of(&[("LC_ALL", "de_DE.UTF-8"), ("GIT_TERMINAL_PROMPT", "1")]);
        for program in PROGRAMS {
            let command = command_in(program, &env);
            let value = |name: &str| {
                let (_, value) = command.get_envs().find(|(known, _)| *known == name)?;
                value?.to_str()
            };
            assert_eq!(value("LC_ALL"), Some("C"), "{program:?}");
            assert_ne!(value("GIT_TERMINAL_PROMPT"), Some("1"), "{program:?}");
        }
    }
}
