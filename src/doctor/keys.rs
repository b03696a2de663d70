//! The installed keys: as the receipt knows them, and as ssh will take them.

use super::Context;
use super::outcome::{Evidence, Fix, Outcome};
use crate::catalogue::Code;
use crate::error::Finding;
use crate::resource::file::{self, Kind};
use crate::resource::obstructed;

pub fn check(context: &Context) -> Vec<Outcome> {
    const ID: &str = "keys.installed";
    if !context.wants(ID) {
        return Vec::new();
    }
    let records = context.receipt.map(|receipt| &receipt.desired.repositories[..]).unwrap_or_default();
    let apply = || Fix::run(["pushready", "apply"], "run apply: it puts the key back, private again");
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
                    Outcome::fail(ID, subject, Code::SshRouteBroken, "the installed key is gone", apply())
                }
                Ok(Some(content)) if content.mode & 0o077 != 0 => Outcome::fail(
                    ID,
                    subject,
                    Code::KeyPermissions,
                    "the key can be read by other users, so ssh will not use it",
                    Fix::run(["chmod", "600", &path.display().to_string()], "make the key private"),
                )
                .with([Evidence::new("mode", format!("{:04o}", content.mode)).expected("0600")]),
                Ok(Some(content)) => {
                    let public = ssh_key::PrivateKey::from_openssh(&*content.bytes).ok();
                    let found = public.map(|key| key.fingerprint(ssh_key::HashAlg::Sha256).to_string());
                    match found {
                        // ssh-key refuses a few whole ECDSA keys: no verdict is built on that
                        Some(found) if found != record.fingerprint => Outcome::fail(
                            ID,
                            subject,
                            Code::KeyMalformed,
                            "the key file holds another key than the one that was installed",
                            apply(),
                        )
                        .with([Evidence::new("found", found)]),
                        _ => Outcome::pass(ID, subject, "the key is in its place, and private"),
                    }
                }
                Err(obstacle) => {
                    let Finding { code, say, hint } = obstructed(&obstacle, &path);
                    Outcome::fail(ID, subject, code, say, Fix::report(hint))
                }
            };
            outcome.with(evidence)
        })
        .collect()
}
