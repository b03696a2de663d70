//! May this workspace read and write its repositories? Asked of the server itself, through the ssh that the agent's git will
//! run, without a clone and without touching a ref: the advertisement of git-receive-pack, then a flush.

use super::Context;
use super::outcome::{Evidence, Fix, Outcome, Status};
use super::push_message::{Hints, classify};
use super::ssh::{self, EffectiveSsh, NETWORK};
use crate::catalogue::Code;
use crate::git_url::Repository;
use crate::process;

/// Tells the server that nothing more comes (gitprotocol-pack(5), flush-pkt).
const FLUSH: &[u8] = b"0000";

/// Which half of access is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Access {
    pub const fn id(self) -> &'static str {
        match self {
            Self::Read => "push.read",
            Self::Write => "push.write",
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "git-upload-pack",
            Self::Write => "git-receive-pack",
        }
    }
}

pub fn probe(
    context: &Context,
    repository: &Repository,
    access: Access,
    effective: &EffectiveSsh,
) -> Outcome {
    let id = access.id();
    let subject = Some(repository.to_ssh());
    let by = Evidence::new("ssh decided by", effective.decided_by);
    let command = effective.call(repository, access.verb());
    let output = match process::run_with_input(command, FLUSH, context.deadline(NETWORK)) {
        Ok(output) => output,
        Err(failure) => return ssh::unreachable(id, subject, &failure).with([by]),
    };
    // a pkt-line of refs: four hex digits, then an object id or, from an empty repository, zeroes
    let advertised =
        output.stdout.get(..4).is_some_and(|length| length.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if advertised {
        let summary = match access {
            Access::Read => "this key may read the repository",
            Access::Write => {
                "this key may write to the repository; branch rules, workflow files, secrets and sizes are judged only at a real push"
            }
        };
        return Outcome::pass(id, subject, summary).with([by]);
    }
    // looked at only now, because it costs another start of ssh
    let keyed = context.keyed().any(|known| known.same_as(repository));
    let key_is_ours = keyed.then(|| ssh::route(context, repository).status == Status::Pass);
    let hints = Hints { remote: Some(repository), key_is_ours, greeting: None };
    let outcome = classify(&output.stderr, &hints).outcome(id);
    if !effective.is_plain() && outcome.code == Some(Code::GitsshBlocked) {
        return blocked(context, repository, access)
            .with([by, Evidence::foreign("gitssh said", &output.stderr)]);
    }
    outcome.with([by])
}

/// `coder gitssh` failed before it started ssh: would plain ssh have worked?
fn blocked(context: &Context, repository: &Repository, access: Access) -> Outcome {
    let id = access.id();
    let plain = EffectiveSsh::plain().call(repository, access.verb());
    let plain = process::run_with_input(plain, FLUSH, context.deadline(NETWORK));
    let works = plain.is_ok_and(|output| output.status.success());
    Outcome::fail(
        id,
        Some(repository.to_ssh()),
        Code::GitsshBlocked,
        "`coder gitssh` fails before it starts ssh, so no key of this workspace is ever tried",
        Fix::report("set GIT_SSH_COMMAND to `ssh` in the template: `resource \"coder_env\"` with name GIT_SSH_COMMAND"),
    )
    .with([Evidence::new("with plain ssh", if works { "it works" } else { "it fails as well" })])
}
