//! The paths of one run: the home that is provisioned, the home that ssh uses, and what the clients
//! derive from them.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::client::{ClientPaths, PerClient};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::git::url::Repository;
use crate::process::{self, Failure, Output};
use crate::proof;
use crate::resource::{file, place};
use crate::ssh_cli;
use crate::ssh_match;
use crate::text::shell;
use crate::variables;

#[derive(Debug)]
pub struct Home {
    /// `HOME`, or the passwd home where HOME is of no use.
    pub path: PathBuf,
    /// The home that ssh uses, or why there is none.
    pub passwd: std::result::Result<PathBuf, Finding>,
    pub state: PathBuf,
    pub clients: PerClient<ClientPaths>,
    /// In the state folder: the copy of the last good login of Codex, which renews its login.
    pub codex_copy: PathBuf,
    /// The global configuration that git itself would write.
    pub git_config: PathBuf,
    /// Every file that git reads as its global configuration: it takes two where both are there.
    pub git_reads: Vec<PathBuf>,
    /// The default seed folder.
    pub seed: PathBuf,
    /// `git_config` is what GIT_CONFIG_GLOBAL names, which other processes may not see.
    pub git_config_named: bool,
    /// What to report about the choice of home.
    pub notes: Vec<Finding>,
    /// What ssh printed about the repository that exists nowhere, where it reported its home
    /// with that: it read all of its configuration.
    pub probed: Option<Output>,
}

impl Home {
    /// A home with everything in its usual place.
    #[cfg(test)]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            passwd: Ok(path.to_owned()),
            state: path.join("state"),
            codex_copy: codex_copy(&path.join("state")),
            clients: PerClient::new(|client| client.paths(path, None)),
            git_config: path.join(".gitconfig"),
            git_reads: vec![path.join(".gitconfig")],
            git_config_named: false,
            seed: path.join("seed"),
            notes: Vec::new(),
            probed: None,
        }
    }

    /// Where ssh has its configuration, if it has a home.
    pub fn ssh_folder(&self) -> Option<PathBuf> {
        Some(self.passwd.as_ref().ok()?.join(".ssh"))
    }

    /// Finds the paths as the clients find them. Fails where there is no home to work in. ssh is not
    /// asked where /etc/passwd alone decides which home it uses.
    pub fn locate(env: &Env) -> Result<Self> {
        Self::find(env, proof::home_of_passwd(env))
    }

    /// The same for the doctor: ssh is asked in any case, and where there is a routing that it
    /// accepts, with that.
    pub fn locate_afresh(env: &Env) -> Result<Self> {
        let probed = usual_state(env).and_then(|state| probed(&state));
        let (passwd, printed) = probed.unzip();
        Ok(Self { probed: printed, ..Self::find(env, passwd)? })
    }

    fn find(env: &Env, known: Option<PathBuf>) -> Result<Self> {
        let passwd = known.map_or_else(passwd_home, Ok);
        let mut notes = Vec::new();
        let home = env.get(variables::HOME).map(PathBuf::from);
        let path = match (home, &passwd) {
            (Some(home), _) if home.is_absolute() && home.parent().is_some() => home,
            (home, Ok(passwd)) => {
                let was = home.map_or("unset".to_owned(), |home| format!("`{}`", home.display()));
                notes.push(Finding::new(
                    Code::HomeUnset,
                    format!("HOME is {was}; using the passwd home `{}`", passwd.display()),
                    format!("set HOME={}", shell(passwd)),
                ));
                passwd.clone()
            }
            (_, Err(_)) => {
                return Err(Error::new(
                    "there is no home to provision: HOME is unset, not absolute, or `/`",
                )
                .hint("set HOME to the workspace user's home")
                .code(Code::HomeUnset));
            }
        };
        nameable(variables::HOME, &path)?;
        usable(&path)?;
        if let Ok(passwd) = &passwd
            && !file::is_same(passwd, &path)
        {
            notes.push(Finding::new(
                Code::HomeMismatch,
                format!(
                    "HOME is `{}`, but ssh uses the passwd home `{}`: its configuration goes there",
                    path.display(),
                    passwd.display()
                ),
                format!("set HOME={}, or change the home in the passwd entry", shell(passwd)),
            ));
        }
        let config = folder(env, variables::XDG_CONFIG_HOME, &path, ".config");
        // what ssh and git are given names it as ssh does, by whichever link HOME leads there
        let home = passwd.as_ref().ok().filter(|passwd| file::is_same(passwd, &path));
        let state = state_folder(env, home.unwrap_or(&path));
        nameable(variables::XDG_STATE_HOME, &state)?;
        let (git_config, git_reads) =
            git_config(env.get(variables::GIT_CONFIG_GLOBAL), &path, &config);
        let clients =
            PerClient::new(|client| client.paths(&path, env.raw(client.row().folder_variable)));
        Ok(Self {
            codex_copy: codex_copy(&state),
            state,
            clients,
            git_config_named: env.get(variables::GIT_CONFIG_GLOBAL).is_some(),
            git_config,
            git_reads,
            seed: config.join("pushready/seed"),
            passwd,
            path,
            notes,
            probed: None,
        })
    }

    /// The file of a repository's private key.
    pub fn key(&self, repository: &Repository) -> PathBuf {
        self.state.join("keys").join(repository.id().to_string())
    }

    /// The notes as lines.
    pub fn notes_as_lines(&self) -> impl Iterator<Item = String> {
        self.notes.iter().map(|Finding { code, summary, fix }| {
            format!("{code}: {summary} (fix: {})", fix.message)
        })
    }

    /// `path` as it is shown: the home as `~`.
    pub fn shown(&self, path: &Path) -> String {
        let rest = path.strip_prefix(&self.path);
        // our own files are named by this one
        let by_passwd = || self.passwd.as_ref().ok().map(|passwd| path.strip_prefix(passwd));
        let rest = rest.or_else(|error| by_passwd().unwrap_or(Err(error)));
        match rest {
            Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}

/// A folder that a variable names, or its usual place in the home.
fn folder(env: &Env, variable: &str, home: &Path, default: &str) -> PathBuf {
    let named = env.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.unwrap_or_else(|| home.join(default))
}

/// The state folder, where HOME names a home.
fn usual_state(env: &Env) -> Option<PathBuf> {
    let home = env.get(variables::HOME).map(PathBuf::from).filter(|home| home.is_absolute());
    home.map(|home| state_folder(env, &home))
}

fn state_folder(env: &Env, home: &Path) -> PathBuf {
    folder(env, variables::XDG_STATE_HOME, home, ".local/state").join("pushready")
}

/// Checks that the receipt, which is JSON, can name what is written below this folder.
fn nameable(variable: &str, path: &Path) -> Result<()> {
    place::check_path(path).map_err(|obstacle| {
        let say = obstacle.finding(path).summary;
        Error::new(say)
            .hint(format!("set {variable} to a folder whose path is UTF-8"))
            .code(Code::HomeUnsafePlace)
    })
}

/// Checks that a home can be provisioned by this user. Files of root in another user's home would
/// lock that user out.
fn usable(path: &Path) -> Result<()> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return Err(Error::new(format!("HOME `{}` is not a folder", path.display()))
                .hint("set HOME to the workspace user's home")
                .code(Code::HomeUnset));
        }
        Err(error) => {
            return Err(Error::io("use HOME", path, &error)
                .hint(format!(
                    "create it: `mkdir -p {}`, or set HOME to a home that exists",
                    shell(path)
                ))
                .code(Code::HomeUnset));
        }
    };
    let owner = metadata.uid();
    if geteuid().is_root() && owner != 0 {
        return Err(Error::new(format!(
            "this runs as root, but HOME `{}` belongs to uid {owner}: nothing was changed",
            path.display()
        ))
        .hint(format!("run it as that user: `sudo -u '#{owner}' -H pushready apply`"))
        .code(Code::HomeOtherOwner));
    }
    Ok(())
}

/// Which global file `git config --global` writes, and all that git reads (git-config(1), FILES).
fn git_config(variable: Option<OsString>, home: &Path, xdg: &Path) -> (PathBuf, Vec<PathBuf>) {
    if let Some(path) = variable {
        let path = std::path::absolute(&path).unwrap_or_else(|_| path.into());
        return (path.clone(), vec![path]);
    }
    let (own, xdg) = (home.join(".gitconfig"), xdg.join("git/config"));
    (if own.exists() || !xdg.exists() { own.clone() } else { xdg.clone() }, vec![own, xdg])
}

/// Of the options that `ssh -G` prints, ControlPath is one in which %d is expanded.
const PRINT_HOME: &str = "ControlPath=%d/";
const DEADLINE: Duration = Duration::from_secs(5);

fn printed_home(output: &Output) -> Option<PathBuf> {
    let path = ssh_cli::value(&output.stdout, "controlpath")?;
    Some(PathBuf::from(path.trim_end_matches('/'))).filter(|path| path.is_absolute())
}

/// The same, asked with the routing of this state folder; and all that ssh printed. `None`: there is
/// none, or ssh does not accept it.
fn probed(state: &Path) -> Option<(PathBuf, Output)> {
    if !file::text(&state.join("ssh_config")).contains(ssh_match::PROBE_HOST) {
        return None;
    }
    let probe = ssh_match::probe()?;
    let mut ssh = ssh_cli::effective();
    ssh.args(["-o", PRINT_HOME]).args(ssh_cli::push(&probe, &probe));
    let output = process::run(ssh, DEADLINE).ok().filter(|output| output.status.success())?;
    Some((printed_home(&output)?, output))
}

/// The home that ssh uses, asked of the ssh that the agent will use: a static binary may see
/// another passwd database.
fn passwd_home() -> std::result::Result<PathBuf, Finding> {
    let mut ssh = ssh_cli::effective();
    ssh.args(["-F", "none", "-o", PRINT_HOME, "pushready.invalid"]);
    match process::run(ssh, DEADLINE) {
        Ok(output) if output.status.success() => printed_home(&output).ok_or_else(|| {
            Finding::new(
                Code::SshConfigInvalid,
                "ssh did not report which home it uses",
                "run `ssh -G -o ControlPath=%d/x host` and see what it prints",
            )
        }),
        Ok(output) if output.stderr.contains("No user exists for uid") => Err(Finding::new(
            Code::HomeNoPasswdEntry,
            "this uid has no passwd entry, so ssh cannot work at all",
            "give the uid an entry in /etc/passwd (for example with nss_wrapper, or at the start of the container)",
        )),
        Ok(output) => Err(Finding::new(
            Code::SshConfigInvalid,
            format!("ssh cannot start: {}", output.first_error()),
            "run `ssh -G host` and fix what it names",
        )),
        Err(Failure::Missing) => Err(Finding::new(
            Code::SshMissing,
            "there is no ssh client on PATH",
            "install it in the image: `apt-get install openssh-client` or `apk add openssh-client`",
        )),
        Err(Failure::Deadline) => Err(Finding::new(
            Code::SshConfigInvalid,
            "`ssh -G` did not answer within 5 seconds",
            "look for a hanging `Match exec` in /etc/ssh/ssh_config",
        )),
        Err(failure @ Failure::Killed(_)) => Err(ssh_not_started(&failure.to_string())),
        Err(failure) if failure.is_of_the_machine() => Err(ssh_not_started(&failure.to_string())),
        Err(Failure::Io(error)) => Err(Finding::new(
            Code::SshMissing,
            format!("cannot run ssh: {error}"),
            "check the ssh on PATH",
        )),
    }
}

/// The machine has no place for ssh, or for what it runs, which is not a fault of either.
pub fn ssh_not_started(why: &str) -> Finding {
    Finding::new(
        Code::HomeIoError,
        format!("ssh could not be started: {why}"),
        "raise the limits of processes, files and memory of the workspace (`ulimit -a`, `pids.max` of its cgroup)",
    )
}

fn codex_copy(state: &Path) -> PathBuf {
    state.join("codex").join("last-good.json")
}
