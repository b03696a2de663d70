//! The installed keys: as the receipt knows them, and as ssh will take them.

use std::io::ErrorKind;

use super::context::Context;
use super::outcome::{Evidence, Judgement};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::provision::deploy_keys::{AGAIN, damage};
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;
use crate::state::receipt::RepositoryRecord;

/// The check that reports an installed key that is gone or damaged.
pub const INSTALLED: &str = "keys.installed";

pub fn installed(context: &Context, record: &RepositoryRecord) -> Judgement {
    let path = context.home.key(&record.repository);
    let judgement = match file::observe(&path, Kind::Secret) {
        Ok(None) => {
            let summary = "the installed key is missing";
            let fix = Fix::report(AGAIN);
            again(context, record, Judgement::fail(Code::SshRouteBroken, summary, fix))
        }
        Ok(Some(content)) if content.mode & 0o077 != 0 => Judgement::fail(
            Code::KeyPermissions,
            "the key can be read by other users, so ssh will not use it",
            Fix::run(["pushready", "apply"], "run apply: it makes the key private again"),
        )
        .with([Evidence::new("mode", format!("{:04o}", content.mode)).expected("0600")]),
        Ok(Some(content)) => match damage(&content.bytes, record) {
            Some(finding) => again(context, record, Judgement::found(finding)),
            None => Judgement::pass("the key is installed, and private"),
        },
        Err(Obstacle::Io(error)) if error.kind() == ErrorKind::PermissionDenied => Judgement::fail(
            Code::KeyPermissions,
            "this user cannot read the key, so ssh does not use it",
            Fix::run(["pushready", "apply"], "run apply: it restores the mode of the key"),
        ),
        Err(obstacle) => Judgement::obstructed(&obstacle, &path),
    };
    judgement.with([
        Evidence::new("key", format!("{} {}", record.algorithm, record.fingerprint)),
        Evidence::new("file", path.display().to_string()),
    ])
}

/// Nothing is kept of a key but its file: where its variable is set, apply brings it back, and
/// elsewhere nobody here can.
fn again(context: &Context, record: &RepositoryRecord, judgement: Judgement) -> Judgement {
    let is_given = context.settings.keys.iter().any(|key| key.value.0.same_as(&record.repository));
    if is_given {
        let fix =
            Fix::run(["pushready", "apply"], "run apply: it restores the key, with mode 0600");
        return Judgement {
            actor: Some(Actor::Agent),
            agent_may_fix: true,
            stop_and_report: false,
            ..judgement.fixed(fix)
        };
    }
    Judgement {
        actor: Some(Actor::TemplateAdmin),
        agent_may_fix: false,
        stop_and_report: true,
        ..judgement
    }
}
