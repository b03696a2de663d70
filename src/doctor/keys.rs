//! The installed keys: as the receipt knows them, and as ssh will take them.

use super::context::Context;
use super::outcome::{Evidence, Outcome};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::provision::deploy_keys::{AGAIN, damage};
use crate::resource::file::{self, Kind};
use crate::resource::obstructed;
use crate::state::receipt::RepositoryRecord;

pub fn check(context: &Context) -> Vec<Outcome> {
    const ID: &str = "keys.installed";
    if !context.wants(ID) {
        return Vec::new();
    }
    let records =
        context.receipt.map(|receipt| &receipt.desired.repositories[..]).unwrap_or_default();
    records
        .iter()
        .map(|record| {
            let path = context.home.key(&record.repository);
            let subject = Some(record.repository.to_ssh());
            let evidence = [
                Evidence::new("key", format!("{} {}", record.algorithm, record.fingerprint)),
                Evidence::new("file", path.display().to_string()),
            ];
            let outcome = match file::observe(&path, Kind::Secret) {
                Ok(None) => {
                    let say = "the installed key is gone";
                    again(
                        context,
                        record,
                        Outcome::fail(ID, subject, Code::SshRouteBroken, say, Fix::report(AGAIN)),
                    )
                }
                Ok(Some(content)) if content.mode & 0o077 != 0 => Outcome::fail(
                    ID,
                    subject,
                    Code::KeyPermissions,
                    "the key can be read by other users, so ssh will not use it",
                    Fix::run(["chmod", "600", &path.display().to_string()], "make the key private"),
                )
                .with([Evidence::new("mode", format!("{:04o}", content.mode)).expected("0600")]),
                Ok(Some(content)) => match damage(&content.bytes, record) {
                    Some(finding) => again(context, record, Outcome::found(ID, subject, finding)),
                    None => Outcome::pass(ID, subject, "the key is in its place, and private"),
                },
                Err(obstacle) => Outcome::found(ID, subject, obstructed(&obstacle, &path)),
            };
            outcome.with(evidence)
        })
        .collect()
}

/// Nothing is kept of a key but its file: where its variable is set, apply brings it back, and
/// elsewhere nobody here can.
fn again(context: &Context, record: &RepositoryRecord, outcome: Outcome) -> Outcome {
    let is_given = context.settings.keys.iter().any(|key| key.value.0.same_as(&record.repository));
    if is_given {
        let fix =
            Fix::run(["pushready", "apply"], "run apply: it puts the key back, private again");
        return Outcome {
            actor: Some(Actor::Agent),
            agent_may_fix: true,
            stop_and_report: false,
            ..outcome.fixed(fix)
        };
    }
    Outcome {
        actor: Some(Actor::TemplateAdmin),
        agent_may_fix: false,
        stop_and_report: true,
        ..outcome
    }
}
