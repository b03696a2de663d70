//! The installed ssh: what it would do, and what git gives it for a repository. Nothing else starts
//! ssh, except the probes of the doctor, which run the configured ssh command
//! (`doctor/ssh/command.rs`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::git::url::Repository;
use crate::process::{self, Program};

pub fn command() -> Command {
    process::command(Program::Ssh)
}

/// Prints what ssh would do with the arguments that follow. It connects nowhere.
pub fn effective() -> Command {
    let mut ssh = command();
    ssh.arg("-G");
    ssh
}

/// The host to which ssh would connect for `USER@HOST`: another one where that is an alias.
pub fn hostname(user: &str, host: &str, deadline: Duration) -> Option<String> {
    let mut ssh = effective();
    ssh.args(destination(user, host, None));
    let printed = process::run(ssh, deadline).ok()?.stdout;
    value(&printed, "hostname").map(str::to_owned)
}

/// The port and the destination, as git gives them to ssh.
pub fn destination(user: &str, host: &str, port: Option<u16>) -> Vec<String> {
    let port = port.map(|port| format!("-p{port}"));
    port.into_iter().chain([format!("{user}@{host}")]).collect()
}

/// The arguments with which git pushes to a repository that its rules lead to `at`.
pub fn push(at: &Repository, repository: &Repository) -> Vec<String> {
    let mut arguments = destination(at.ssh_user(), at.host(), at.ssh_port());
    arguments.push(format!("git-receive-pack '{}'", repository.to_ssh_path()));
    arguments
}

/// The first value of a keyword (ssh_config(5), in lower case) in what `ssh -G` printed.
pub fn value<'a>(printed: &'a str, keyword: &str) -> Option<&'a str> {
    printed.lines().find_map(|line| line.strip_prefix(keyword)?.strip_prefix(' '))
}

/// The first key that ssh would offer by what `ssh -G` printed: it ignores files that do not
/// exist, which other settings may name before ours.
pub fn first_identity<'a>(printed: &'a str, home: Option<&Path>) -> Option<&'a str> {
    identities(printed, home).first().copied()
}

/// All keys that ssh would offer, in its order, or the first that it names.
pub fn identities<'a>(printed: &'a str, home: Option<&Path>) -> Vec<&'a str> {
    let exists = |named: &str| match (named.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).exists(),
        _ => Path::new(named).exists(),
    };
    let named: Vec<_> =
        printed.lines().filter_map(|line| line.strip_prefix("identityfile ")).collect();
    let offered: Vec<_> = named.iter().filter(|named| exists(named)).copied().collect();
    if offered.is_empty() { named.into_iter().take(1).collect() } else { offered }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_names_the_port_only_where_the_repository_has_one() {
        for (declared, arguments) in [
            (
                "ssh://git@git.corp:2222/o/r",
                &["-p2222", "git@git.corp", "git-receive-pack 'o/r.git'"][..],
            ),
            ("github.com/o/r", &["git@github.com", "git-receive-pack 'o/r.git'"][..]),
        ] {
            let repository = Repository::parse_declared(declared).unwrap();
            assert_eq!(push(&repository, &repository), arguments, "{declared}");
        }
    }

    #[test]
    fn a_key_that_does_not_exist_is_not_offered() {
        let home = tempfile::tempdir().unwrap();
        let key = home.path().join("id");
        std::fs::write(&key, "").unwrap();
        let key = key.to_str().unwrap();
        for (printed, first) in [
            (format!("identityfile ~/.ssh/gone\nidentityfile {key}\n"), Some(key)),
            (format!("identityfile ~/id\nidentityfile {key}\n"), Some("~/id")),
            ("identityfile /nowhere/a\nidentityfile /nowhere/b\n".to_owned(), Some("/nowhere/a")),
            ("port 22\n".to_owned(), None),
        ] {
            assert_eq!(first_identity(&printed, Some(home.path())), first, "{printed}");
        }
    }

    #[test]
    fn the_first_value_of_the_whole_keyword_counts() {
        let printed = "portx 1\nport 22\nport 23\nproxycommand a b\n";
        assert_eq!(value(printed, "port"), Some("22"));
        assert_eq!(value(printed, "proxycommand"), Some("a b"));
        assert_eq!(value(printed, "user"), None);
    }
}
