//! Whether ssh can choose the key by itself: tried before anything is planned, and proven once
//! everything is written.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::git::AskedGit;
use super::ssh::{Method, shell_quoted};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::git::url::{GitUrl, Repository, UrlRule, redact, rewrite};
use crate::git_cli::{self, Place};
use crate::home::{Home, ssh_not_started};
use crate::process::{self, Bounds, Completed, Failure, Running};
use crate::resource::file;
use crate::resource::private_folder::{self, PrivateFolder};
use crate::ssh_cli;
use crate::ssh_match;
use crate::text::shell;

const DEADLINE: Duration = Duration::from_secs(10);

/// Tries `Match exec` with the ssh and the shell of this environment, on a configuration of its
/// own. `untried`: starts nothing for it.
pub fn method(state: &Path, untried: bool) -> Method {
    let refusal = match place(state) {
        Ok(_) if untried => None,
        Ok(binary) => refusal(state, &binary),
        Err(why) => Some(why),
    };
    refusal.map_or(Method::MatchExec, Method::Aliases)
}

/// Whether ssh cannot ask for the key, as a trial shows.
pub fn refuses_commands(state: &Path) -> bool {
    matches!(method(state, false), Method::Aliases(_))
}

/// The binary that ssh would start, or why it cannot.
fn place(state: &Path) -> Result<PathBuf, String> {
    let existing = state.ancestors().find(|folder| folder.exists());
    let mount = existing.and_then(|folder| statvfs(folder).ok());
    if mount.is_some_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        return Err(format!("`{}` is mounted noexec", state.display()));
    }
    let kept = state.join("bin/pushready");
    process::own_path().or_else(|| kept.exists().then_some(kept)).ok_or_else(|| {
        let mounted = Path::new("/proc/self/exe").exists();
        if mounted { "the running binary was removed" } else { "/proc is not mounted" }.to_owned()
    })
}

fn refusal(state: &Path, binary: &Path) -> Option<String> {
    // without a place for the trial, the proof afterwards has to do
    let (_trial, config) = trial(state, binary)?;
    let mut ssh = ssh_cli::effective();
    ssh.arg("-F")
        .arg(config)
        .arg(format!("git@{}", ssh_match::PROBE_HOST))
        .arg(ssh_match::PROBE_COMMAND);
    match process::run(ssh, DEADLINE) {
        // nothing is known of the routing
        Ok(output) if output.is_of_the_machine() => None,
        Ok(output) if !output.status.success() => Some(output.first_error()),
        Ok(output) if !output.stdout.lines().any(|line| line == "identityfile /pushready") => {
            Some("the shell that SHELL names does not run commands".to_owned())
        }
        // a shell that hangs would make every git command hang
        Err(Failure::Deadline) => Some("the shell that SHELL names does not end".to_owned()),
        Ok(_) | Err(Failure::Missing | Failure::Killed(_) | Failure::Io(_)) => None,
    }
}

/// A configuration with one `Match exec` line, as the real one has them.
fn trial(state: &Path, binary: &Path) -> Option<(PrivateFolder, PathBuf)> {
    let text = format!(
        "Match originalhost {} exec \"exec {} ssh-match {}\"\n  IdentityFile /pushready\n",
        ssh_match::PROBE_HOST,
        shell_quoted(binary),
        ssh_match::PROBE,
    );
    let places = [&private_folder::places()[..], &[state.to_owned()]].concat();
    let folder = PrivateFolder::new_in(&places).ok()?;
    let config = folder.path().join("ssh_config");
    file::write(&config, text.as_bytes(), 0o600).ok()?;
    Some((folder, config))
}

/// Servers that are asked about side by side.
const AT_ONCE: usize = 4;

/// Follows the remote of each host's first repository as git and ssh would, up to the key. Returns
/// how many there are.
pub fn self_test(home: &Home, routed: &[Repository], git: &AskedGit) -> Result<usize, Finding> {
    let mut asked = BTreeSet::new();
    let first: Vec<_> = routed.iter().filter(|it| asked.insert(it.host())).collect();
    let rules = LazyCell::new(|| Some(git.config()?.url_rules("insteadof", None)));
    let led = |repository| match &*rules {
        Some(rules) => destination_by(rules, repository),
        None => destination(repository),
    };
    for some in first.chunks(AT_ONCE) {
        // ssh is asked which key it would use if git leads where it should
        let ssh: Vec<_> = some.iter().map(|repository| start_ssh(repository, repository)).collect();
        for (repository, ssh) in some.iter().zip(ssh) {
            let at = led(repository).map_err(|shown| reversed(repository, &shown))?;
            let ssh = if at == **repository { ssh } else { start_ssh(&at, repository) };
            let is_led_away = at.host() != repository.host() && !at.is_aliased();
            let key = judge_key(home, repository, ssh.and_then(Running::end));
            key.map_err(|it| if is_led_away { reversed(repository, &at.to_ssh()) } else { it })?;
        }
    }
    Ok(first.len())
}

fn reversed(repository: &Repository, shown: &str) -> Finding {
    Finding::new(
        Code::RemoteReversed,
        format!("an insteadOf rule rewrites `{}` to `{shown}`", repository.to_ssh()),
        "remove it; `git config --show-origin --get-regexp '^url'` names its file",
    )
}

fn start_ssh(at: &Repository, repository: &Repository) -> Result<Running, Failure> {
    let mut ssh = ssh_cli::effective();
    ssh.args(ssh_cli::push(at, repository));
    process::start(Bounds::PROBE, ssh, DEADLINE)
}

/// Whether ssh would use the repository's key.
fn judge_key(home: &Home, repository: &Repository, answer: Completed) -> Result<(), Finding> {
    let broken = |why: String| {
        Finding::new(
            Code::SshRouteBroken,
            format!("ssh does not choose the key of {}: {why}", repository.short()),
            "run `ssh -v` to the host and see whether `Match exec` runs; SHELL must name a shell that exists",
        )
    };
    let output = match answer {
        Ok(output) if output.is_of_the_machine() => Err(ssh_not_started(&output.first_error())),
        Err(failure) if failure.is_of_the_machine() => Err(ssh_not_started(&failure.to_string())),
        answer => answer.map_err(|failure| broken(format!("`ssh -G` failed: {failure}"))),
    }?;
    if !output.status.success() {
        let first = output.first_error();
        if let Some((_, file)) = first.split_once("Bad owner or permissions on ") {
            return Err(Finding::new(
                Code::SshConfigPermissions,
                format!("ssh refuses its configuration: {first}"),
                format!(
                    "remove the write access of others: `chmod go-w {}`",
                    shell(Path::new(file.trim()))
                ),
            ));
        }
        return Err(Finding::new(
            Code::SshConfigInvalid,
            format!("ssh rejects its configuration: {first}"),
            "fix the line that ssh names",
        ));
    }
    let key = home.key(repository);
    let first = ssh_cli::first_identity(&output.stdout, home.passwd.as_deref().ok());
    if !first.is_some_and(|first| file::is_same(Path::new(first), &key)) {
        return Err(broken(format!("it would use `{}`", first.unwrap_or("none"))));
    }
    Ok(())
}

/// What git makes of the repository's canonical remote, outside any clone: itself, or one under an
/// alias of its own. The error is the URL, safe to print, where that is not one for ssh.
pub fn destination(repository: &Repository) -> Result<Repository, String> {
    let mut git = git_cli::command(Place::Outside);
    git.args(["ls-remote", "--get-url", &repository.to_ssh()]);
    match process::start(Bounds::READING, git, DEADLINE).and_then(Running::end) {
        Ok(output) if output.status.success() => judge_url(output.stdout.trim_end()),
        // without git there are no rules either
        _ => Ok(repository.clone()),
    }
}

/// The same by these rules, which git applies.
pub fn destination_by(rules: &[UrlRule], repository: &Repository) -> Result<Repository, String> {
    judge_url(&rewrite(rules, &repository.to_ssh()))
}

fn judge_url(effective: &str) -> Result<Repository, String> {
    match GitUrl::parse(effective) {
        Ok(url) if url.transport().is_ssh() => {
            url.repository().cloned().ok_or_else(|| url.to_string())
        }
        Ok(url) => Err(url.to_string()),
        Err(_) => Err(redact(effective)),
    }
}
