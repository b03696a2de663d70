//! Which key ssh would choose for each repository: asked of ssh itself, which connects nowhere for
//! that.

use std::path::Path;

use rustix::fs::{Access, access};

use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::context::LOCAL;
use crate::doctor::outcome::{self, Evidence, Outcome};
use crate::doctor::runner::Gate;
use crate::git::url::Repository;
use crate::process::{self, Failure, Output};
use crate::provision::routing;
use crate::resource::entry::EntryName;
use crate::resource::file;
use crate::state::subject::Subject;

pub(super) type Said = Result<Output, Failure>;

/// What ssh would do, told instead of done.
pub(super) fn effective(context: &Context, arguments: &[String]) -> Said {
    let mut ssh = process::caller("ssh");
    ssh.arg("-G").args(arguments);
    process::run(ssh, context.deadline(LOCAL))
}

/// A repository with a key, and where git's rules lead its remote: to itself, or to an alias of its
/// own.
pub(super) struct Led<'a> {
    repository: &'a Repository,
    at: Repository,
}

/// What ssh would do for each repository. With many keys each answer takes a while, so a few are
/// asked for at a time.
pub(super) fn settings<'a>(context: &Context, keyed: &[&'a Repository]) -> Vec<(Led<'a>, Said)> {
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

/// Routing that apply has never written cannot be broken: what kept apply from it is the cause, and
/// told once.
pub(super) fn unwritten(context: &Context, Led { repository, .. }: &Led) -> Option<Outcome> {
    const ID: &str = "ssh.route";
    let (code, summary, fix) = match context.receipt {
        None => (
            Code::NotProvisioned,
            "`pushready apply` never ran, so no routing was written",
            Fix::run(["pushready", "apply"], "run apply where the variables are set"),
        ),
        Some(receipt) if receipt.knows(&EntryName::SshInclude) => return None,
        Some(receipt) => {
            let refused =
                receipt.desired.refused.iter().find(|refused| refused.item == Subject::Routing)?;
            (
                refused.code,
                "the last apply could not write the routing",
                outcome::explained(refused.code),
            )
        }
    };
    let subject = Some(repository.to_ssh());
    Some(if context.wants(crate::doctor::home::PROVISIONED) {
        Outcome::skip(ID, subject, summary)
    } else {
        Outcome::fail(ID, subject, code, summary, fix)
    })
}

/// Which key the ssh of this environment would offer first for the repository.
pub(super) fn route(context: &Context, Led { repository, at }: &Led, said: &Said) -> Outcome {
    const ID: &str = "ssh.route";
    let subject = Some(repository.to_ssh());
    let binary = context.home.state.join("bin/pushready");
    let apply = || Fix::run(["pushready", "apply"], "run apply: it writes the routing again");
    // where `Match exec` cannot work, nothing is asked of the copy
    let is_asked = at.host() == repository.host()
        && context.receipt.is_some_and(|receipt| receipt.knows(&EntryName::SshInclude));
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
    let chosen =
        chosen.lines().find_map(|line| line.strip_prefix("identityfile ")).unwrap_or("none");
    let wanted = context.home.key(repository);
    if Path::new(chosen) == wanted {
        return Outcome::pass(ID, subject, "ssh chooses this repository's key");
    }
    Outcome::fail(
        ID,
        subject,
        Code::SshRouteBroken,
        "ssh does not choose this repository's key",
        apply(),
    )
    .with([Evidence::new("would use", chosen).expected(wanted.display().to_string())])
}
