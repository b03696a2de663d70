//! Our ssh_config: a block for each key, and one for the hosts whose keys are pinned.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::HEADER;
use super::pins::Pins;
use crate::git::url::Repository;
use crate::home::Home;
use crate::process::{self, Output};
use crate::ssh_cli;
use crate::ssh_match;

/// How ssh learns which repository it is about.
#[derive(Debug)]
pub enum Method {
    /// It asks `pushready ssh-match`, for every caller and every form of URL.
    MatchExec,
    /// It cannot ask, for this reason: git's rules give each repository a host name of its own.
    Aliases(String),
}

/// The whole file. Every line of it applies to keyed repositories or pinned hosts alone.
pub fn config(
    home: &Home,
    routed: &[Repository],
    known_hosts: &str,
    pins: &Pins,
    method: &Method,
) -> String {
    let mut config = HEADER.to_owned();
    let mut reached = BTreeMap::new();
    for repository in routed {
        let _ = writeln!(config, "\n# {}", repository.to_ssh());
        match method {
            Method::MatchExec => exec_block(&mut config, home, repository),
            Method::Aliases(_) => {
                alias_blocks(&mut config, home, repository, known_hosts, &mut reached);
            }
        }
    }
    if let (Method::MatchExec, false, Some(probe)) = (method, routed.is_empty(), ssh_match::probe())
    {
        config.push_str("\n# it exists nowhere: `pushready doctor` asks ssh about it\n");
        exec_block(&mut config, home, &probe);
    }
    let consult = consult(home);
    let mut block = |patterns: &str, strict: bool| {
        let strictly = if strict { "\n  StrictHostKeyChecking yes" } else { "" };
        let _ = writeln!(config, "\nMatch originalhost {patterns}\n{consult}{strictly}");
    };
    block(&pins.strict.iter().map(String::as_str).collect::<Vec<_>>().join(","), true);
    pins.excepting.iter().for_each(|patterns| block(patterns, true));
    pins.consulted.iter().for_each(|patterns| block(patterns, false));
    config
}

fn exec_block(config: &mut String, home: &Home, repository: &Repository) {
    let _ = writeln!(
        config,
        "Match originalhost {} exec \"exec {} ssh-match {}\"\n{}",
        repository.ssh_hosts().join(","),
        shell_quoted(&home.state.join("bin/pushready")),
        repository.id(),
        identity(home, repository),
    );
}

/// A host name for this repository alone, reached as the user's own configuration reaches the real
/// one.
fn alias_blocks<'a>(
    config: &mut String,
    home: &Home,
    repository: &'a Repository,
    known_hosts: &str,
    reached: &mut BTreeMap<&'a str, Vec<String>>,
) {
    for host in repository.aliased_hosts() {
        let _ = writeln!(config, "Host {}", repository.alias(host));
        for line in reached.entry(host).or_insert_with(|| reach(host)) {
            let _ = writeln!(config, "  {line}");
        }
        let _ = writeln!(config, "{}", identity(home, repository));
        if Pins::is_pinned(known_hosts, repository, host, None) {
            let _ = writeln!(config, "{}\n  StrictHostKeyChecking yes", consult(home));
        }
    }
}

fn identity(home: &Home, repository: &Repository) -> String {
    let key = ssh_quoted(&home.key(repository));
    let user = repository.ssh_user();
    // a URL may name no user; a shared connection is bound to the key, hence to the repository,
    // that opened it
    format!(
        "  User {user}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  IdentityAgent none\n  PubkeyAuthentication yes\n  \
         PreferredAuthentications publickey\n  ControlPath none"
    )
}

fn consult(home: &Home) -> String {
    let own = ssh_quoted_literally(&home.state.join("known_hosts"));
    format!("  GlobalKnownHostsFile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2 {own}")
}

/// What ssh would do for a host by the user's configuration.
fn settings(host: &str) -> Option<Output> {
    let mut ssh = ssh_cli::effective();
    // with a shell that works, or one that is missing would stop ssh at the first `Match exec`
    ssh.arg(host).env("SHELL", "/bin/sh");
    process::run(ssh, Duration::from_secs(10)).ok().filter(|output| output.status.success())
}

/// The port at which the user's configuration reaches a host.
pub fn port(host: &str) -> Option<u16> {
    ssh_cli::value(&settings(host)?.stdout, "port")?.parse().ok()
}

/// How the user's configuration reaches `host`: its blocks apply to that name alone.
fn reach(host: &str) -> Vec<String> {
    let output = settings(host);
    let mut name = host;
    let mut lines = Vec::new();
    for (key, value) in output
        .iter()
        .flat_map(|output| output.stdout.lines())
        .filter_map(|line| line.split_once(' '))
    {
        match key {
            "hostname" => name = value,
            "port" if value != "22" => lines.push(format!("Port {value}")),
            "proxycommand" | "proxyjump" if value != "none" => lines.push(format!("{key} {value}")),
            "hostkeyalias" => lines.push(format!("{key} {value}")),
            _ => {}
        }
    }
    lines.insert(0, format!("HostName {name}"));
    lines
}

/// A path as an argument of ssh_config, in which `%` is expanded.
pub fn ssh_quoted(path: &Path) -> String {
    ssh_quoted_literally(path).replace('%', "%%")
}

/// The same for the arguments in which it is not.
fn ssh_quoted_literally(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-%+@".contains(&byte));
    if plain {
        path.into_owned()
    } else {
        format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// A path inside the double-quoted command of `Match exec`: quoted for the shell, then for
/// ssh_config.
pub fn shell_quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let shell = shlex::try_quote(&path)
        .map_or_else(|_| path.clone().into_owned(), std::borrow::Cow::into_owned);
    shell.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

/// What of a path no quoting can express in both `Include` and `Match exec`: its parser unescapes
/// nothing, `Include` expands patterns, and `IdentityFile` the variables of the environment
/// (OpenSSH misc.c `argv_split`, readconf.c).
pub fn unquotable(path: &Path) -> Option<String> {
    let path = path.to_string_lossy();
    let odd = path.chars().find(|&c| c.is_control() || "'\"\\%[]*?".contains(c));
    odd.map(String::from).or_else(|| path.contains("${").then(|| "${".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_both_quotings() {
        assert_eq!(ssh_quoted(Path::new("/a b/%d")), "\"/a b/%%d\"");
        assert_eq!(shell_quoted(Path::new("/a b/%d")), "'/a b/%%d'");
        assert_eq!(shell_quoted(Path::new("/plain/x")), "/plain/x");
    }
}
