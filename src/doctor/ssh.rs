//! ssh: its configuration, the key that it chooses, the host keys that it trusts, and whose key the server takes ours for.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::Context;
use super::outcome::{Evidence, Fix, Outcome};
use super::push_message::{self, Hints};
use super::runner::Gate;
use crate::catalogue::{Actor, Code};
use crate::error::{Finding, shell};
use crate::git_url::Repository;
use crate::process::{self, Failure, Output};
use crate::provision::routing;
use crate::receipt::RepositoryRecord;
use crate::resource::file;

pub const LOCAL: Duration = Duration::from_secs(10);
/// Longer than a slow handshake, shorter than a dropped port's silence.
pub const NETWORK: Duration = Duration::from_secs(10);
pub const CONNECT_TIMEOUT: &str = "ConnectTimeout=8";

/// The checks that need no network.
pub fn check(context: &Context) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let missing = context.lacks_ssh();
    if context.wants("ssh.client") {
        outcomes.push(if missing {
            Outcome::fail(
                "ssh.client",
                None,
                Code::SshMissing,
                "there is no ssh client on PATH",
                Fix::report("install openssh-client in the image"),
            )
        } else {
            Outcome::pass("ssh.client", None, "ssh is there")
        });
    }
    if missing {
        return outcomes;
    }
    let keyed: Vec<&Repository> = context.keyed().collect();
    if let Err(finding) = &context.home.passwd {
        // ssh starts for nobody: all else would be judged from what it could not say
        if context.wants("ssh.config") {
            let fix = Fix::report(&finding.hint);
            outcomes.push(Outcome::fail("ssh.config", None, finding.code, &finding.say, fix));
        }
        return outcomes;
    }
    if context.wants("ssh.config") || context.wants("ssh.route") {
        let chosen = settings(context, &keyed);
        // ssh reads all of its configuration, whichever host it is asked about
        let sound = match chosen.first() {
            Some((_, said)) => configuration(context, said),
            None => configuration(context, &effective(context, &["github.com".to_owned()])),
        };
        let broken = sound.code.is_some();
        if context.wants("ssh.config") {
            outcomes.push(sound);
        }
        if context.wants("ssh.route") && !broken {
            outcomes.extend(
                chosen
                    .iter()
                    .map(|(at, said)| unwritten(context, at).unwrap_or_else(|| route(context, at, said))),
            );
        }
    }
    if context.wants("ssh.known-hosts") {
        outcomes.push(known_hosts(context));
    }
    outcomes
}

type Said = Result<Output, Failure>;

/// What ssh would do, told instead of done.
fn effective(context: &Context, arguments: &[String]) -> Said {
    let mut ssh = process::caller("ssh");
    ssh.arg("-G").args(arguments);
    process::run(ssh, context.deadline(LOCAL))
}

/// A repository with a key, and where git's rules lead its remote: to itself, or to an alias of its own.
struct Led<'a> {
    repository: &'a Repository,
    at: Repository,
}

/// What ssh would do for each repository. With many keys each answer takes a while, so a few are asked for at a time.
fn settings<'a>(context: &Context, keyed: &[&'a Repository]) -> Vec<(Led<'a>, Said)> {
    let rules = file::text(&context.home.state.join("gitconfig"));
    let ask = |repository: &'a Repository| {
        // git is asked only where rules of ours for an alias are in force
        let has_alias = rules.contains(&repository.to_alias());
        let led = has_alias.then(|| routing::destination(repository).ok()).flatten();
        let at = led.unwrap_or_else(|| repository.clone());
        let mut arguments = Vec::new();
        arguments.extend(at.ssh_port().map(|port| format!("-p{port}")));
        arguments.push(format!("{}@{}", at.ssh_user(), at.host()));
        arguments.push(format!("git-receive-pack '{}'", repository.to_ssh_path()));
        let said = effective(context, &arguments);
        (Led { repository, at }, said)
    };
    let gate = Gate::default();
    std::thread::scope(|scope| {
        let asked: Vec<_> =
            keyed.iter().map(|repository| scope.spawn(|| gate.pass(|| ask(repository)))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn configuration(context: &Context, said: &Said) -> Outcome {
    const ID: &str = "ssh.config";
    if let Some(folder) = context.home.ssh_folder()
        && let Some(Finding { code, say, .. }) = routing::open_to_others(&folder)
    {
        let argv = ["chmod", "go-w", &folder.to_string_lossy()];
        return Outcome::fail(ID, None, code, say, Fix::run(argv, "take the right to write from others"));
    }
    let output = match said {
        Ok(output) if output.status.success() => {
            return Outcome::pass(ID, None, "ssh accepts its configuration");
        }
        Ok(output) => output,
        Err(failure) => {
            return Outcome::unknown(ID, None, "ssh did not print its configuration", failure.to_string());
        }
    };
    let said = Evidence::foreign("ssh said", &output.stderr);
    if let Some((_, rest)) = output.stderr.split_once("Bad owner or permissions on ") {
        let file = Path::new(rest.lines().next().unwrap_or_default().trim());
        let owner = file.metadata().map_or(None, |metadata| Some(metadata.uid()));
        return permissions(file, owner, geteuid().as_raw()).with([said]);
    }
    if output.stderr.contains("is not executable") {
        return Outcome::fail(
            ID,
            None,
            Code::SshRouteBroken,
            "SHELL names no shell that can be run, so ssh cannot ask which key to use",
            Fix::report("set SHELL to a shell that exists, such as /bin/sh"),
        )
        .with([said]);
    }
    Outcome::fail(
        ID,
        None,
        Code::SshConfigInvalid,
        "ssh rejects its configuration, so no connection can be made",
        Fix::report("mend the line that ssh names"),
    )
    .with([said])
}

/// ssh takes a file of this user's or root's that nobody else can write (OpenSSH readconf.c). Pure.
fn permissions(file: &Path, owner: Option<u32>, user: u32) -> Outcome {
    const ID: &str = "ssh.config";
    let name = file.display().to_string();
    match owner.filter(|owner| *owner != user && *owner != 0) {
        Some(owner) => Outcome {
            actor: Some(Actor::WorkspaceUser),
            agent_may_fix: false,
            ..Outcome::fail(
                ID,
                None,
                Code::SshConfigPermissions,
                format!("ssh refuses its configuration: it belongs to uid {owner}"),
                Fix::run(["sudo", "chown", &user.to_string(), &name], "give the file to the workspace user"),
            )
        },
        None => Outcome::fail(
            ID,
            None,
            Code::SshConfigPermissions,
            "ssh refuses its configuration: others can write it",
            Fix::run(["chmod", "go-w", &name], "take the right to write from others"),
        ),
    }
    .with([Evidence::new("file", name)])
}

/// Routing that apply has never written cannot be broken: what kept apply from it is the cause, and told once.
fn unwritten(context: &Context, Led { repository, .. }: &Led) -> Option<Outcome> {
    const ID: &str = "ssh.route";
    let (code, summary, fix) = match context.receipt {
        None => (
            Code::NotProvisioned,
            "`pushready apply` never ran, so no routing was written",
            Fix::run(["pushready", "apply"], "run apply where the variables are set"),
        ),
        Some(receipt) if receipt.knows("ssh.include") => return None,
        Some(receipt) => {
            let refused = receipt.desired.refused.iter().find(|refused| refused.item == "routing")?;
            (refused.code, "the last apply could not write the routing", Fix::explained(refused.code))
        }
    };
    let subject = Some(repository.to_ssh());
    Some(if context.wants(super::home::PROVISIONED) {
        Outcome::skip(ID, subject, summary)
    } else {
        Outcome::fail(ID, subject, code, summary, fix)
    })
}

/// Which key the ssh of this environment would offer first for the repository.
fn route(context: &Context, Led { repository, at }: &Led, said: &Said) -> Outcome {
    const ID: &str = "ssh.route";
    let subject = Some(repository.to_ssh());
    let binary = context.home.state.join("bin/pushready");
    let apply = || Fix::run(["pushready", "apply"], "run apply: it writes the routing again");
    // where `Match exec` cannot work, nothing is asked of the copy
    let is_asked =
        at.host() == repository.host() && context.receipt.is_some_and(|receipt| receipt.knows("ssh.include"));
    if is_asked && access(&binary, Access::EXEC_OK).is_err() {
        return Outcome::fail(
            ID,
            subject,
            Code::RouteBinaryGone,
            "the copy of pushready that ssh asks is gone, or may not be run",
            apply(),
        )
        .with([Evidence::new("file", binary.display().to_string())]);
    }
    let chosen = match said {
        Ok(output) => &output.stdout,
        Err(failure) => {
            return Outcome::unknown(
                ID,
                subject,
                "ssh did not say which key it would use",
                failure.to_string(),
            );
        }
    };
    let chosen = chosen.lines().find_map(|line| line.strip_prefix("identityfile ")).unwrap_or("none");
    let wanted = context.home.key(repository);
    if Path::new(chosen) == wanted {
        return Outcome::pass(ID, subject, "ssh chooses this repository's key");
    }
    Outcome::fail(ID, subject, Code::SshRouteBroken, "ssh does not choose this repository's key", apply())
        .with([Evidence::new("would use", chosen).expected(wanted.display().to_string())])
}

/// Whether the user's own known_hosts vouches for keys that a provider does not have.
fn known_hosts(context: &Context) -> Outcome {
    const ID: &str = "ssh.known-hosts";
    let Some(folder) = context.home.ssh_folder() else {
        return Outcome::skip(ID, None, "ssh has no home here");
    };
    let path = folder.join("known_hosts");
    let text = file::text(&path);
    let poisoned = text.lines().enumerate().find(|(_, line)| routing::contradicts_pins(line));
    match poisoned {
        Some((number, line)) => Outcome::warn(
            ID,
            None,
            Code::SshKnownHostsPoisoned,
            "known_hosts vouches for a key that is not the provider's: an old one, or somebody in between",
            Fix::edit(&path, format!("take line {} out", number + 1)),
        )
        .with([Evidence::foreign("line", &line.chars().take(60).collect::<String>())]),
        None => Outcome::pass(ID, None, "known_hosts contradicts no pinned key"),
    }
}

/// What the server says to the installed key. The key is given explicitly: a bare `ssh -T` names no repository.
pub fn greet(context: &Context, repository: &Repository) -> Result<Output, Failure> {
    let key = context.home.key(repository);
    let known_hosts = context.home.state.join("known_hosts");
    let mut ssh = process::caller("ssh");
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
    if let Some(port) = repository.ssh_port() {
        ssh.args(["-p", &port.to_string()]);
    }
    ssh.arg(format!("{}@{}", repository.ssh_user(), repository.host()));
    process::run(ssh, context.deadline(NETWORK))
}

/// Whose key the server takes ours for.
pub fn identity(context: &Context, repository: &Repository) -> Outcome {
    const ID: &str = "ssh.identity";
    let subject = Some(repository.to_ssh());
    let output = match greet(context, repository) {
        Ok(output) => output,
        Err(failure) => return unreachable(ID, subject, &failure),
    };
    let said = Evidence::foreign("server said", greeting(&output.stderr).unwrap_or(&output.stderr));
    match greeting(&output.stderr).and_then(|greeting| greeting.strip_prefix("Hi ")?.split_once('!')) {
        Some((name, _)) if !name.contains('/') => {
            Outcome::pass(ID, subject, "the key is a user's: it opens whatever that user may use")
                .with([said])
        }
        Some((name, _)) if name.eq_ignore_ascii_case(repository.path()) => {
            Outcome::pass(ID, subject, "the key belongs to this repository").with([said])
        }
        Some(_) => Outcome::fail(
            ID,
            subject,
            Code::SshWrongKey,
            "the key belongs to another repository",
            push_message::fix(Code::SshWrongKey, Some(repository)),
        )
        .with([said])
        .with(installed(context, repository)),
        // be it the server that refuses the key, or ssh that does not offer it
        None if output.stderr.contains("Permission denied (publickey") => {
            let hints = Hints { remote: Some(repository), ..Hints::default() };
            Outcome { subject, ..push_message::classify(&output.stderr, &hints).outcome(ID) }
                .with(installed(context, repository))
        }
        None => Outcome::skip(ID, subject, "this server does not say whose key it is"),
    }
}

/// Which key it is about: whoever mends it finds it by its fingerprint on the forge's page, or adds its public half there.
pub fn installed(context: &Context, repository: &Repository) -> Vec<Evidence> {
    let record = context.desired.repositories.iter().find(|record| record.repository.same_as(repository));
    let told = record.map(|RepositoryRecord { algorithm, fingerprint, .. }| {
        let print = format!("ssh-keygen -yf {}", shell(&context.home.key(repository)));
        [
            Evidence::new("installed key", format!("{algorithm} {fingerprint}")),
            Evidence::new("its public half is printed by", print),
        ]
    });
    told.into_iter().flatten().collect()
}

/// The line in which a server greets, below whatever else stands on standard error.
fn greeting(stderr: &str) -> Option<&str> {
    stderr
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Hi ") && line.contains("successfully authenticated"))
}

pub fn unreachable(id: &'static str, subject: Option<String>, failure: &Failure) -> Outcome {
    match failure {
        Failure::Deadline => Outcome::unknown(
            id,
            subject,
            "the server did not answer in time",
            "a network on which the ssh port of the server answers",
        )
        .coded(Code::PushTimeout),
        failure => Outcome::unknown(id, subject, "ssh could not be run", failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::FixKind;

    #[test]
    fn who_owns_a_configuration_decides_who_can_mend_it() {
        let file = Path::new("/home/a on b/.ssh/config");
        for (owner, argv, may_fix) in [
            (Some(1000), &["chmod", "go-w"][..], true),
            (Some(0), &["chmod", "go-w"], true),
            (None, &["chmod", "go-w"], true),
            (Some(2000), &["sudo", "chown", "1000"], false),
        ] {
            let outcome = permissions(file, owner, 1000);
            assert_eq!(outcome.agent_may_fix, may_fix, "{owner:?}");
            let FixKind::Run { argv: run } = outcome.fix.unwrap().kind else { panic!("{owner:?}") };
            assert_eq!(run, [argv, &["/home/a on b/.ssh/config"]].concat(), "{owner:?}");
        }
    }
}
