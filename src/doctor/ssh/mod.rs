//! ssh: its configuration, the key that it chooses, the host keys that it trusts, and whose key the
//! server takes ours for.

pub mod command;
mod control_path;
pub mod log;
mod route;
mod server;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::process::geteuid;

use super::outcome::{CheckStatus, Evidence, Judgement};
use super::pool;
use crate::catalogue::Finding;
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::context::Context;
use crate::git::url::Repository;
use crate::process::Output;
use crate::proof::OtherSections;
use crate::provision::routing;
use crate::push_message::{self, Hints};
use crate::resource::file;
use crate::resource::place::{self, Obstacle};
use crate::ssh_cli;
use command::SshChoice;
use route::{
    Chosen, Printed, chosen, effective, judge, judge_by_probe, judge_by_representative,
    representatives, unwritten,
};

pub use route::{behind_alias, is_as_probe};
pub use server::{greet, greeting, installed, unreachable, wrong_key_fix};

/// `ssh -G` starts a process for each key.
const AT_ONCE: usize = 4;
pub const CONNECT_TIMEOUT: &str = "ConnectTimeout=8";

/// Reports a configuration that ssh does not accept.
const CONFIG: &str = "ssh.config";

/// What `ssh -G` prints for the repositories with a key, and what it proves of the configuration.
#[derive(Default)]
pub struct SshFacts {
    representatives: OnceLock<Vec<Repository>>,
    is_as_written: OnceLock<bool>,
    lacking_copy: OnceLock<Option<PathBuf>>,
    /// `None`: ssh did not follow the routing to the repository that exists nowhere.
    followed: OnceLock<Option<OtherSections>>,
    chosen: OnceLock<Vec<(Repository, OnceLock<Chosen>)>>,
    configuration: OnceLock<Judgement>,
}

pub fn client(context: &Context) -> Judgement {
    if context.lacks_ssh() {
        let fix = Fix::report("install openssh-client in the image");
        return Judgement::fail(Code::SshMissing, "ssh is not on PATH", fix);
    }
    if let Err(Finding { code: Code::HomeIoError, summary, fix, .. }) = &context.home.passwd {
        let needs = "limits of processes, files and memory that let ssh be started";
        return Judgement::unknown(summary, needs).coded(Code::HomeIoError).fixed(fix.clone());
    }
    Judgement::pass("ssh is installed")
}

pub fn config(context: &Context) -> Judgement {
    if context.lacks_ssh() {
        return Judgement::blocked(Code::SshMissing);
    }
    context
        .gathered
        .get(SshFacts::default)
        .configuration
        .get_or_init(|| whole_configuration(context))
        .clone()
}

fn whole_configuration(context: &Context) -> Judgement {
    // ssh starts for nobody: all else would be judged from what it could not print
    if let Err(finding) = &context.home.passwd {
        return Judgement::found(finding.clone());
    }
    // with many keys each answer takes a while
    let asked = representatives(context);
    let chosen = pool::map(AT_ONCE, asked, |repository| chosen(context, repository));
    let chosen: Vec<&Chosen> = chosen.into_iter().flatten().collect();
    // ssh reads all of its configuration, whichever host it is asked about
    let judgement = match (chosen.first(), &context.home.probed) {
        (Some(chosen), _) => configuration(context, &chosen.printed),
        (None, Some(printed)) => judge_configuration(context, printed),
        (None, None) => configuration(context, &effective(context, &["github.com".to_owned()])),
    };
    let printed = chosen.iter().filter_map(|chosen| chosen.printed.as_ref().ok());
    let mut printed = printed.filter(|output| output.status.success());
    let fault = |output: &Output| {
        let closed = closing_option(&output.stdout).map(input_closed);
        closed.or_else(|| control_path::fault(&output.stdout))
    };
    match printed.find_map(fault) {
        Some(fault) if judgement.code.is_none() => fault,
        _ => judgement,
    }
}

/// Which key the ssh of this environment would offer first for the repository.
pub fn route(context: &Context, repository: &Repository) -> Judgement {
    if context.lacks_ssh() {
        return Judgement::blocked(Code::SshMissing);
    }
    let configuration = config(context);
    if configuration.code.is_some() {
        return configuration.reported_by(CONFIG);
    }
    if let Some(gone) = route::copy_gone(context) {
        return gone;
    }
    let is_asked = representatives(context).iter().any(|asked| asked.same_as(repository));
    let follows = || {
        let probed = judge_by_probe(context, repository);
        probed.or_else(|| judge_by_representative(context, repository))
    };
    if is_asked { None } else { follows() }.unwrap_or_else(|| route_of(context, repository))
}

fn route_of(context: &Context, repository: &Repository) -> Judgement {
    match chosen(context, repository) {
        Some(chosen) => unwritten(context).unwrap_or_else(|| judge(context, repository, chosen)),
        None => Judgement::skip("the repository has no key"),
    }
}

/// What keeps ssh here from offering the repository's key, where that can be decided: nearer than
/// what a server said to another.
pub fn misrouted(context: &Context, repository: &Repository) -> Option<Judgement> {
    let configuration = configuration(context, &chosen(context, repository)?.printed);
    if configuration.code.is_some() {
        return Some(configuration);
    }
    Some(route_of(context, repository)).filter(|route| route.status == CheckStatus::Fail)
}

fn configuration(context: &Context, printed: &Printed) -> Judgement {
    match printed {
        Ok(output) => judge_configuration(context, output),
        Err(failure) => open_folder(context).unwrap_or_else(|| {
            Judgement::unknown("ssh did not print its configuration", context.reason(failure))
        }),
    }
}

/// A folder of ssh's configuration that others can write.
fn open_folder(context: &Context) -> Option<Judgement> {
    if let Some(folder) = context.home.ssh_folder()
        && let Some(Finding { code, summary, .. }) = routing::open_to_others(&folder)
    {
        let argv = ["chmod", "go-w", &folder.to_string_lossy()];
        let fix = Fix::run(argv, "remove the write access of others");
        return Some(Judgement::fail(code, summary, fix));
    }
    None
}

fn judge_configuration(context: &Context, output: &Output) -> Judgement {
    if let Some(open) = open_folder(context) {
        return open;
    }
    if output.status.success() {
        return Judgement::pass("ssh accepts its configuration");
    }
    let said = Evidence::foreign("ssh said", &output.stderr);
    if let Some((_, rest)) = output.stderr.split_once("Bad owner or permissions on ") {
        let file = Path::new(rest.lines().next().unwrap_or_default().trim());
        let owner = file.metadata().map_or(None, |metadata| Some(metadata.uid()));
        return permissions(file, owner, geteuid().as_raw()).with([said]);
    }
    if output.stderr.contains("is not executable") {
        return Judgement::fail(
            Code::SshRouteBroken,
            "SHELL names no shell that can be run, so ssh cannot ask which key to use",
            Fix::report("set SHELL to a shell that exists, such as /bin/sh"),
        )
        .with([said]);
    }
    let hints = Hints { failed: true, ..Hints::default() };
    let of_ours = push_message::classify(&output.stderr, &hints).judgement();
    if matches!(of_ours.code, Some(Code::RouteBinaryGone | Code::SshRouteBroken)) {
        return of_ours;
    }
    Judgement::fail(
        Code::SshConfigInvalid,
        "ssh rejects its configuration, so no connection can be made",
        Fix::report("correct the line that ssh names"),
    )
    .with([said])
}

/// The option, among those that `ssh -G` printed, that keeps from the server what git would send it
/// (ssh_config(5)). Pure.
pub fn closing_option(settings: &str) -> Option<&'static str> {
    const OPTIONS: &[(&str, &str)] = &[
        // `ForkAfterAuthentication yes` of a file does not imply it, as `-f` does
        ("stdinnull yes", "StdinNull yes"),
        ("sessiontype none", "SessionType none"),
        ("sessiontype subsystem", "SessionType subsystem"),
    ];
    OPTIONS
        .iter()
        .find(|(line, _)| settings.lines().any(|setting| setting == *line))
        .map(|(_, option)| *option)
}

pub fn input_closed(option: &'static str) -> Judgement {
    let code = Code::SshInputClosed;
    let summary =
        format!("ssh is configured with `{option}`, so the server never receives what git sends");
    Judgement::fail(code, summary, push_message::fix(code, None))
        .with([Evidence::new("option", option)])
}

/// ssh takes a file of this user's or root's that nobody else can write (OpenSSH readconf.c). Pure.
fn permissions(file: &Path, owner: Option<u32>, user: u32) -> Judgement {
    let name = file.display().to_string();
    match owner.filter(|owner| *owner != user && *owner != 0) {
        Some(owner) => Judgement {
            actor: Some(Actor::WorkspaceUser),
            agent_may_fix: false,
            ..Judgement::fail(
                Code::SshConfigPermissions,
                format!("ssh refuses its configuration: it belongs to uid {owner}"),
                Fix::run(
                    ["sudo", "chown", &user.to_string(), &name],
                    "make the workspace user the owner of the file",
                ),
            )
        },
        None => Judgement::fail(
            Code::SshConfigPermissions,
            "ssh refuses its configuration: others can write it",
            Fix::run(["chmod", "go-w", &name], "remove the write access of others"),
        ),
    }
    .with([Evidence::new("file", name)])
}

/// Whether the user's own known_hosts lists keys that a provider does not have.
pub fn known_hosts(context: &Context) -> Judgement {
    if context.lacks_ssh() {
        return Judgement::blocked(Code::SshMissing);
    }
    if let Err(finding) = &context.home.passwd {
        return Judgement::blocked(finding.code);
    }
    let Some(folder) = context.home.ssh_folder() else {
        return Judgement::skip("ssh has no home here");
    };
    let path = folder.join("known_hosts");
    if let Some(what) = place::not_a_file(&path) {
        let judgement = Judgement::obstructed(&Obstacle::NotRegular(what), &path);
        // ssh reads no folder, as a container makes of a mount; for another kind it would wait
        return if path.is_dir() {
            Judgement { status: CheckStatus::Warn, stop_and_report: false, ..judgement }
        } else {
            judgement
        };
    }
    let text = file::text(&path);
    let poisoned = text.lines().enumerate().find(|(_, line)| routing::contradicts_pins(line));
    match poisoned {
        Some((number, line)) => Judgement::warn(Code::SshKnownHostsPoisoned,
            "known_hosts lists a key that is not the provider's: an old one, or one of another machine",
            Fix::edit(&path, format!("remove line {}", number + 1)),
        )
        .with([Evidence::foreign("line", &line.chars().take(60).collect::<String>())]),
        None => any_host_key(context)
            .unwrap_or_else(|| Judgement::pass("known_hosts contradicts no pinned key")),
    }
}

/// ssh is configured to go on whatever key a server has: then the pinned ones protect from nothing.
fn any_host_key(context: &Context) -> Option<Judgement> {
    let is_off = |printed: &str| {
        let value = ssh_cli::value(printed, "stricthostkeychecking");
        value.is_some_and(|value| matches!(value, "false" | "no" | "off"))
    };
    let asked = representatives(context).iter().filter_map(|asked| chosen(context, asked));
    let asked = asked.filter_map(|chosen| chosen.printed.as_ref().ok());
    let by_files = asked.chain(&context.home.probed).any(|output| is_off(&output.stdout));
    let clones = context.clones.in_view().iter().filter(|clone| clone.is_current);
    let choice = SshChoice::of(context, &clones.collect::<Vec<_>>()).ok();
    let by_command = choice.filter(|choice| choice.used.accepts_any_host_key());
    let (by, fix) = match (by_files, by_command) {
        (_, Some(choice)) => (
            choice.used.by.name(),
            "remove `StrictHostKeyChecking` there: the host keys of the forges are pinned",
        ),
        (true, None) => (
            "ssh's configuration",
            "remove `StrictHostKeyChecking no` from ssh's configuration (`~/.ssh/config`, \
             `/etc/ssh/ssh_config`): the host keys of the forges are pinned",
        ),
        (false, None) => return None,
    };
    let summary = "ssh is configured to accept any host key, so the pinned ones are not used: \
                   pushes go to whoever answers";
    let warn = Judgement::warn(Code::SshKnownHostsPoisoned, summary, Fix::report(fix));
    Some(warn.with([Evidence::new("configured by", by)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::FixKind;

    #[test]
    fn the_owner_of_a_configuration_is_the_one_who_can_fix_it() {
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
