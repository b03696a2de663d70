//! ssh: its configuration, the key that it chooses, the host keys that it trusts, and whose key the
//! server takes ours for.

pub mod command;
mod route;
mod server;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use super::outcome::{Evidence, Outcome, Status};
use crate::catalogue::Finding;
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::context::Context;
use crate::git::url::Repository;
use crate::provision::routing;
use crate::push_message;
use crate::resource::file;
use crate::resource::place::{self, Obstacle};
use route::{Said, effective, route, settings, unwritten};

pub use server::{greet, identity, installed, unreachable};

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
            let fix = finding.fix.clone();
            outcomes.push(Outcome::fail("ssh.config", None, finding.code, &finding.summary, fix));
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
        let told = chosen.iter().filter_map(|(_, said)| said.as_ref().ok());
        let option =
            told.filter(|said| said.status.success()).find_map(|said| deafening(&said.stdout));
        let sound = match option {
            Some(option) if sound.code.is_none() => deaf("ssh.config", None, option),
            _ => sound,
        };
        let broken = sound.code.is_some();
        if context.wants("ssh.config") {
            outcomes.push(sound);
        }
        if context.wants("ssh.route") && !broken {
            outcomes.extend(chosen.iter().map(|(at, said)| {
                unwritten(context, at).unwrap_or_else(|| route(context, at, said))
            }));
        }
    }
    if context.wants("ssh.known-hosts") {
        outcomes.push(known_hosts(context));
    }
    outcomes
}

/// What keeps ssh here from offering the repository's key, where that can be told: nearer than what
/// a server said to another.
pub fn misrouted(context: &Context, repository: &Repository) -> Option<Outcome> {
    let chosen = settings(context, &[repository]);
    let (at, said) = chosen.first()?;
    let sound = configuration(context, said);
    if sound.code.is_some() {
        return Some(sound);
    }
    let route = unwritten(context, at).unwrap_or_else(|| route(context, at, said));
    (route.status == Status::Fail).then_some(route)
}

fn configuration(context: &Context, said: &Said) -> Outcome {
    const ID: &str = "ssh.config";
    if let Some(folder) = context.home.ssh_folder()
        && let Some(Finding { code, summary, .. }) = routing::open_to_others(&folder)
    {
        let argv = ["chmod", "go-w", &folder.to_string_lossy()];
        return Outcome::fail(
            ID,
            None,
            code,
            summary,
            Fix::run(argv, "take the right to write from others"),
        );
    }
    let output = match said {
        Ok(output) if output.status.success() => {
            return Outcome::pass(ID, None, "ssh accepts its configuration");
        }
        Ok(output) => output,
        Err(failure) => {
            return Outcome::unknown(
                ID,
                None,
                "ssh did not print its configuration",
                failure.to_string(),
            );
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

/// The option, among those that `ssh -G` printed, that keeps from the server what git would send it
/// (ssh_config(5)). Pure.
pub fn deafening(told: &str) -> Option<&'static str> {
    const OPTIONS: &[(&str, &str)] = &[
        ("stdinnull yes", "StdinNull yes"),
        // it implies StdinNull
        ("forkafterauthentication yes", "ForkAfterAuthentication yes"),
        ("sessiontype none", "SessionType none"),
        ("sessiontype subsystem", "SessionType subsystem"),
    ];
    OPTIONS
        .iter()
        .find(|(line, _)| told.lines().any(|told| told == *line))
        .map(|(_, option)| *option)
}

pub fn deaf(id: &'static str, subject: Option<String>, option: &'static str) -> Outcome {
    let code = Code::SshInputClosed;
    let summary = format!("ssh is told `{option}`, so the server never hears what git sends");
    Outcome::fail(id, subject, code, summary, push_message::fix(code, None))
        .with([Evidence::new("option", option)])
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
                Fix::run(
                    ["sudo", "chown", &user.to_string(), &name],
                    "give the file to the workspace user",
                ),
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

/// Whether the user's own known_hosts vouches for keys that a provider does not have.
fn known_hosts(context: &Context) -> Outcome {
    const ID: &str = "ssh.known-hosts";
    let Some(folder) = context.home.ssh_folder() else {
        return Outcome::skip(ID, None, "ssh has no home here");
    };
    let path = folder.join("known_hosts");
    if let Some(what) = place::standing(&path) {
        // ssh would wait for it at each connection
        return Outcome::obstructed(ID, &Obstacle::NotRegular(what), &path);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::FixKind;

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
