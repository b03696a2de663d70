//! Deploy keys: one private key a repository, each in a file of its own in the state folder.
#![expect(
    clippy::disallowed_methods,
    reason = "the keys are handed to the file that will hold them"
)]

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{Context, Item, own};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::git::url::Repository;
use crate::home::Home;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target};
use crate::secret::DeployKey;
use crate::state::receipt::{Desired, RepositoryRecord};
use crate::state::subject::Subject;

pub struct Keys {
    pub items: Vec<Item>,
    /// The repositories whose key is, or is about to be, in its place.
    pub routed: Vec<Repository>,
    /// The repositories that had a key and are no longer asked for.
    pub dropped: Vec<Repository>,
    /// What goes last, when nothing names it any more.
    pub farewells: Vec<Item>,
}

pub fn provision(context: &Context, desired: &mut Desired) -> Keys {
    let settings = context.settings;
    let mut keys =
        Keys { items: Vec::new(), routed: Vec::new(), dropped: Vec::new(), farewells: Vec::new() };
    let last = std::mem::take(&mut desired.repositories);

    for sourced in &settings.keys {
        let (repository, key) = &sourced.value;
        let path = context.home.key(repository);
        // the template's variable is gone in this shell, and a lesser source shows through: not a
        // new key
        let lesser = last.iter().any(|record| {
            record.repository == *repository
                && record.origin < sourced.origin
                && !settings.key_origins.contains(&record.origin)
        });
        if lesser {
            continue;
        }
        let resource = resource(path.clone(), key.openssh().expose_secret().as_bytes().to_vec());
        if let Err(obstacle) = file::observe(&path, Kind::Secret) {
            keys.items.push(Item::fail(Subject::key(repository), obstacle.finding(&path)));
            continue;
        }
        keys.routed.push(repository.clone());
        desired.repositories.push(RepositoryRecord {
            repository: repository.clone(),
            fingerprint: key.fingerprint().to_owned(),
            algorithm: key.algorithm().to_owned(),
            origin: sourced.origin,
        });
        let say = format!("{} {}", key.algorithm(), key.fingerprint());
        keys.items.push(Item::ready(Subject::key(repository), say, vec![resource]));
    }

    for record in last {
        let repository = record.repository.clone();
        if keys.routed.contains(&repository) {
            continue;
        }
        let refused = settings
            .refused
            .iter()
            .any(|item| item.repository.as_ref().is_some_and(|r| *r == repository));
        let blank = settings.keys_unset.contains(&repository);
        if settings.key_origins.contains(&record.origin) && !refused && !blank {
            keys.farewells.push(farewell(context, &repository));
            keys.dropped.push(repository);
        } else {
            keep(context, &mut keys, &repository, &record);
            desired.repositories.push(record);
        }
    }
    keys
}

/// The variable is unset: what the last apply installed stays, its mode is restored.
fn keep(context: &Context, keys: &mut Keys, repository: &Repository, record: &RepositoryRecord) {
    let path = context.home.key(repository);
    match file::observe(&path, Kind::Secret) {
        Ok(Some(content)) if let Some(finding) = damage(&content.bytes, record) => {
            keys.items.push(Item::fail(Subject::key(repository), finding));
        }
        Ok(Some(content)) => {
            let say =
                format!("{} {}, kept from the last apply", record.algorithm, record.fingerprint);
            let resource = resource(path, content.bytes.to_vec());
            keys.routed.push(repository.clone());
            keys.items.push(Item::ready(Subject::key(repository), say, vec![resource]));
        }
        Ok(None) => keys.items.push(Item::fail(
            Subject::key(repository),
            Finding::new(
                Code::SshRouteBroken,
                format!("the installed key `{}` is gone", path.display()),
                AGAIN,
            ),
        )),
        Err(obstacle) => {
            keys.items.push(Item::fail(Subject::key(repository), obstacle.finding(&path)));
        }
    }
}

/// What brings a key back of which nothing is kept but its file.
pub const AGAIN: &str =
    "run `pushready apply` where PUSHREADY_DEPLOY_KEYS is set: restart the workspace";

/// What is wrong with the content of a key file: it is not, or not as ssh takes it, the key that
/// was installed. Pure.
pub fn damage(content: &[u8], record: &RepositoryRecord) -> Option<Finding> {
    let damaged = |code, what: &str| {
        Some(Finding::new(code, format!("the installed key is damaged: {what}"), AGAIN))
    };
    let Ok(text) = std::str::from_utf8(content) else {
        return damaged(Code::KeyMalformed, "it is not text");
    };
    if text.trim().is_empty() {
        return damaged(Code::KeyMalformed, "its file is empty");
    }
    match DeployKey::parse(&SecretString::from(text)) {
        Err(finding) => damaged(finding.code, &finding.summary),
        Ok(key) if key.value.fingerprint() != record.fingerprint => {
            damaged(Code::KeyMalformed, "its file holds another key")
        }
        Ok(key) if !key.repairs.is_empty() => damaged(Code::KeyMalformed, &key.repairs.join(", ")),
        Ok(_) => None,
    }
}

/// Why an installed key is of no use any more. What cannot be looked at is not called lost.
pub fn lost(home: &Home, record: &RepositoryRecord) -> Option<Code> {
    match file::observe(&home.key(&record.repository), Kind::Secret) {
        Ok(None) => Some(Code::SshRouteBroken),
        Ok(Some(content)) => damage(&content.bytes, record).map(|finding| finding.code),
        Err(_) => None,
    }
}

fn farewell(context: &Context, repository: &Repository) -> Item {
    let path = context.home.key(repository);
    let target = Target { path, kind: Kind::Own, lock: Lock::None, malformed: Code::KeyMalformed };
    let delete = Resource::unrecorded(target, Edit::Delete);
    let subject = Subject::RemovedKey(repository.short());
    Item::ready(subject, "no longer asked for", vec![delete])
}

fn resource(path: PathBuf, bytes: Vec<u8>) -> Resource {
    let bytes = Zeroizing::new(bytes);
    own(path, Kind::Secret, bytes.to_vec(), 0o600)
}
