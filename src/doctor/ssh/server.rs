//! Whose key the server takes ours for, by its greeting.

use std::sync::OnceLock;

use super::CONNECT_TIMEOUT;
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::context::NETWORK;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::doctor::push_url::{PushUrl, SshUrl};
use crate::git::url::Repository;
use crate::process::{self, Completed, Failure};
use crate::push_message;
use crate::ssh_cli;
use crate::state::receipt::RepositoryRecord;
use crate::text::shell;

/// What the servers said to the keys: each key is greeted once.
#[derive(Default)]
struct GreetingFacts(OnceLock<Vec<(Repository, OnceLock<Completed>)>>);

/// What the server says to the installed key of a repository. `None`: it has none.
pub fn greet<'c>(context: &'c Context, repository: &Repository) -> Option<&'c Completed> {
    let unasked = || context.keyed().map(|keyed| (keyed.clone(), OnceLock::new())).collect();
    let all = context.gathered.get(GreetingFacts::default).0.get_or_init(unasked);
    let (keyed, said) = all.iter().find(|(keyed, _)| keyed.same_as(repository))?;
    Some(said.get_or_init(|| ask(context, keyed)))
}

/// The key is given explicitly: a bare `ssh -T` names no repository.
fn ask(context: &Context, repository: &Repository) -> Completed {
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
pub fn greeting(stderr: &str) -> Option<&str> {
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
            "a network on which the server answers",
        )
        .coded(Code::PushTimeout),
        Failure::Missing => Judgement::unknown("ssh could not be run", "ssh on PATH"),
        failure if failure.is_of_memory() => Judgement::unknown(
            "the server's answer takes more memory than git is given",
            "`git push` by hand, if the server is to be trusted",
        ),
        failure => Judgement::unknown("ssh could not be run", context.reason(failure)),
    }
}
