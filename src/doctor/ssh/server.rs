//! Whose key the server takes ours for.

use super::CONNECT_TIMEOUT;
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::context::NETWORK;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::doctor::push_url::{PushUrl, SshUrl};
use crate::git::url::Repository;
use crate::process::{self, Failure, Output};
use crate::push_message::{self, Hints};
use crate::ssh_cli;
use crate::state::receipt::RepositoryRecord;
use crate::text::shell;

/// What the server says to the installed key. The key is given explicitly: a bare `ssh -T` names no
/// repository.
pub fn greet(context: &Context, repository: &Repository) -> Result<Output, Failure> {
    let key = context.home.key(repository);
    let known_hosts = context.home.state.join("known_hosts");
    let mut ssh = ssh_cli::command();
    ssh.args([
        "-F",
        "none",
        "-T",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
    ]);
    ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", CONNECT_TIMEOUT]).arg("-o");
    ssh.arg(format!("GlobalKnownHostsFile=\"{}\"", known_hosts.display())).arg("-i").arg(&key);
    let mut urls = context.push_urls.iter().filter_map(PushUrl::over_ssh);
    let url = urls.find(|url| url.repository.same_as(repository));
    let (host, port) =
        url.map_or_else(|| (repository.host(), repository.ssh_port()), SshUrl::server);
    ssh.args(ssh_cli::destination(repository.ssh_user(), host, port));
    let run = || process::run(ssh, context.deadline(NETWORK));
    context.connections.to(repository.host(), run)?
}

/// Whose key the server takes ours for.
pub fn identity(context: &Context, repository: &Repository) -> Judgement {
    let output = match greet(context, repository) {
        Ok(output) => output,
        Err(failure) => return unreachable(context, &failure),
    };
    let said = Evidence::foreign("server said", greeting(&output.stderr).unwrap_or(&output.stderr));
    match greeting(&output.stderr)
        .and_then(|greeting| greeting.strip_prefix("Hi ")?.split_once('!'))
    {
        Some((name, _)) if !name.contains('/') => Judgement::pass(
            "the key belongs to a user: it gives access to everything that this user can access",
        )
        .with([said]),
        Some((name, _)) if name.eq_ignore_ascii_case(repository.path()) => {
            Judgement::pass("the key belongs to this repository").with([said])
        }
        Some((name, _)) => Judgement::fail(
            Code::SshWrongKey,
            "the key belongs to another repository",
            wrong_key_fix(repository, name),
        )
        .with([said])
        .with(installed(context, repository)),
        // be it the server that refuses the key, or ssh that does not offer it
        None if output.stderr.contains("Permission denied (publickey") => {
            let hints = Hints { remote: Some(repository), failed: true, ..Hints::default() };
            push_message::classify(&output.stderr, &hints)
                .judgement()
                .with(installed(context, repository))
        }
        None => Judgement::skip("this server does not report who owns the key"),
    }
}

/// What to do about a key that the server takes for the one of the repository with this path. The
/// name may have been misspelt in the map of keys.
pub fn wrong_key_fix(repository: &Repository, owner: &str) -> Fix {
    let fix = push_message::fix(Code::SshWrongKey, Some(repository));
    let owner = Repository::parse_declared(&format!("{}/{owner}", repository.host()));
    match owner {
        Ok(owner) => Fix {
            message: format!(
                "{}; or the name is misspelt where the key is configured: this key is {}'s",
                fix.message,
                owner.short()
            ),
            ..fix
        },
        Err(_) => fix,
    }
}

/// Which key it is: its fingerprint finds it on the forge's page, where its public key can be
/// added.
pub fn installed(context: &Context, repository: &Repository) -> Vec<Evidence> {
    let record =
        context.desired.repositories.iter().find(|record| record.repository.same_as(repository));
    let evidence = record.map(|RepositoryRecord { algorithm, fingerprint, .. }| {
        let key = context.home.key(repository);
        let (shown, quoted) = (context.home.shown(&key), shell(&key));
        // the short form, where a shell makes the same of it
        let is_plain = quoted.ends_with(shown.trim_start_matches('~'));
        let print = format!("ssh-keygen -yf {}", if is_plain { shown } else { quoted });
        [
            Evidence::new("installed key", format!("{algorithm} {fingerprint}")),
            Evidence::command("show the public key with", print),
        ]
    });
    evidence.into_iter().flatten().collect()
}

/// The line in which a server greets, below any other text on standard error.
fn greeting(stderr: &str) -> Option<&str> {
    stderr
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Hi ") && line.contains("successfully authenticated"))
}

pub fn unreachable(context: &Context, failure: &Failure) -> Judgement {
    match failure {
        Failure::Deadline if context.has_ended() => {
            Judgement::run_ended("the run ended before the server answered")
        }
        Failure::Deadline => Judgement::unknown(
            "the server did not answer in time",
            "a network on which the ssh port of the server answers",
        )
        .coded(Code::PushTimeout),
        Failure::Missing => Judgement::unknown("ssh could not be run", "ssh on PATH"),
        Failure::Io(error) => Judgement::unknown("ssh could not be run", error.to_string()),
    }
}
