//! Deploy keys: one private key a repository, each in a file of its own in the state folder.
#![expect(
    clippy::disallowed_methods,
    reason = "the keys are handed to the file that will hold them"
)]

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::{Item, ProvisionContext, own};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::git::url::Repository;
use crate::home::Home;
use crate::resource::file::{self, Content, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target};
use crate::secret::DeployKey;
use crate::settings::Settings;
use crate::state::receipt::{Desired, RepositoryRecord};
use crate::state::subject::Subject;
use crate::state::via::SecretOrigin;

pub struct Keys {
    pub items: Vec<Item>,
    /// The repositories whose key is, or is about to be, in its place.
    pub routed: Vec<Repository>,
    /// The repositories that had a key and are no longer asked for.
    pub dropped: Vec<Repository>,
    /// The keys that are removed: last, when nothing names them any more.
    pub removals: Vec<Item>,
}

pub fn provision(context: &ProvisionContext, desired: &mut Desired) -> Keys {
    let settings = context.settings;
    let mut keys =
        Keys { items: Vec::new(), routed: Vec::new(), dropped: Vec::new(), removals: Vec::new() };
    let last = std::mem::take(&mut desired.repositories);
    let mut refused = Vec::new();

    for sourced in &settings.keys {
        let (repository, key) = &sourced.value;
        let path = context.home.key(repository);
        if last.iter().any(|record| outranks(settings, record, repository, sourced.origin)) {
            continue;
        }
        let wanted = key.openssh().expose_secret().as_bytes();
        let resources = match file::observe(&path, Kind::Secret) {
            Ok(content) => to_write(path, wanted, content.as_ref()),
            Err(obstacle) => {
                keys.items.push(Item::fail(Subject::key(repository), obstacle.finding(&path)));
                refused.push(repository);
                continue;
            }
        };
        keys.routed.push(repository.clone());
        desired.repositories.push(RepositoryRecord {
            repository: repository.clone(),
            fingerprint: key.fingerprint().to_owned(),
            algorithm: key.algorithm().to_owned(),
            origin: sourced.origin,
        });
        let say = format!("{} {}", key.algorithm(), key.fingerprint());
        keys.items.push(Item::ready(Subject::key(repository), say, resources));
    }

    for record in last {
        let repository = record.repository.clone();
        if keys.routed.contains(&repository) {
            continue;
        }
        if refused.contains(&&repository) {
            // it is configured: what is in its place is for its user to judge
            desired.repositories.push(record);
        } else if is_dropped(settings, &record) {
            keys.removals.push(removal(context, &repository));
            keys.dropped.push(repository);
        } else {
            keep(context, &mut keys, &repository, &record);
            desired.repositories.push(record);
        }
    }
    keys
}

/// Whether the key of the last apply came from a better source, which is not set here: the one of
/// a lesser source is not a new key. Pure.
fn outranks(
    settings: &Settings,
    record: &RepositoryRecord,
    repository: &Repository,
    origin: SecretOrigin,
) -> bool {
    record.repository == *repository
        && record.origin < origin
        && !settings.key_origins.contains(&record.origin)
}

/// Whether a key of the last apply is no longer configured: its source is set and does not name
/// the repository. Pure.
fn is_dropped(settings: &Settings, record: &RepositoryRecord) -> bool {
    let repository = &record.repository;
    let mut refused = settings.refused.iter().filter_map(|refused| refused.repository.as_ref());
    settings.key_origins.contains(&record.origin)
        && !refused.any(|refused| refused == repository)
        && !settings.keys_unset.contains(repository)
}

/// The variable is unset: what the last apply installed stays, its mode is restored.
fn keep(
    context: &ProvisionContext,
    keys: &mut Keys,
    repository: &Repository,
    record: &RepositoryRecord,
) {
    let path = context.home.key(repository);
    match file::observe(&path, Kind::Secret) {
        Ok(Some(content)) if let Some(finding) = damage(&content.bytes, record) => {
            keys.items.push(Item::fail(Subject::key(repository), finding));
        }
        Ok(Some(content)) => {
            let say =
                format!("{} {}, kept from the last apply", record.algorithm, record.fingerprint);
            let resources = to_write(path, &content.bytes, Some(&content));
            keys.routed.push(repository.clone());
            keys.items.push(Item::ready(Subject::key(repository), say, resources));
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
            damaged(Code::KeyMalformed, "its file contains another key")
        }
        Ok(key) if !key.repairs.is_empty() => damaged(Code::KeyMalformed, &key.repairs.join(", ")),
        Ok(_) => None,
    }
}

/// Why an installed key is not usable any more. What cannot be read is not called lost.
pub fn lost(home: &Home, record: &RepositoryRecord) -> Option<Code> {
    match file::observe(&home.key(&record.repository), Kind::Secret) {
        Ok(None) => Some(Code::SshRouteBroken),
        Ok(Some(content)) => damage(&content.bytes, record).map(|finding| finding.code),
        Err(_) => None,
    }
}

fn removal(context: &ProvisionContext, repository: &Repository) -> Item {
    let path = context.home.key(repository);
    let target = Target { path, kind: Kind::Own, lock: Lock::None, malformed: Code::KeyMalformed };
    let delete = Resource::unrecorded(target, Edit::Delete);
    let subject = Subject::RemovedKey(repository.short());
    Item::ready(subject, "no longer configured", vec![delete])
}

/// The file of a key, unless it is there as it is to be.
fn to_write(path: PathBuf, wanted: &[u8], found: Option<&Content>) -> Vec<Resource> {
    const MODE: u32 = 0o600;
    match found {
        Some(found) if *found.bytes == *wanted && found.mode == MODE => Vec::new(),
        _ => vec![own(path, Kind::Secret, wanted.to_vec(), MODE)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Code;
    use crate::settings::RefusedItem;
    use crate::state::via::Via;

    fn repository(name: &str) -> Repository {
        Repository::parse_declared(name).unwrap()
    }

    fn record(name: &str, fingerprint: &str, origin: SecretOrigin) -> RepositoryRecord {
        RepositoryRecord {
            repository: repository(name),
            fingerprint: fingerprint.to_owned(),
            algorithm: "ssh-ed25519".to_owned(),
            origin,
        }
    }

    fn settings(origins: &[SecretOrigin]) -> Settings {
        Settings { key_origins: origins.iter().copied().collect(), ..Settings::default() }
    }

    #[test]
    fn a_key_is_dropped_where_its_own_source_no_longer_names_it() {
        use SecretOrigin::{SeedFolder, Variable};
        let refused = RefusedItem {
            item: Subject::Key("o/refused".to_owned()),
            finding: Finding::new(Code::KeyMalformed, "", ""),
            repository: Some(repository("o/refused")),
            via: Via::variable("PUSHREADY_DEPLOY_KEYS"),
        };
        let settings = |origins: &[SecretOrigin]| Settings {
            refused: vec![RefusedItem {
                finding: refused.finding.clone(),
                item: refused.item.clone(),
                repository: refused.repository.clone(),
                via: refused.via.clone(),
            }],
            keys_unset: vec![repository("o/blank")],
            ..settings(origins)
        };
        for (name, origin, set, dropped) in [
            ("o/app", Variable, &[Variable][..], true),
            ("o/app", Variable, &[], false),
            ("o/app", Variable, &[SeedFolder], false),
            ("o/app", SeedFolder, &[Variable], false),
            ("o/app", SeedFolder, &[Variable, SeedFolder], true),
            // named with a value that cannot be used, or with none
            ("o/refused", Variable, &[Variable], false),
            ("o/blank", Variable, &[Variable], false),
        ] {
            let record = record(name, "", origin);
            assert_eq!(is_dropped(&settings(set), &record), dropped, "{name} {origin:?} {set:?}");
        }
    }

    #[test]
    fn a_lesser_source_gives_no_new_key_where_the_better_one_is_not_set() {
        use SecretOrigin::{SeedFolder, Variable};
        for (last, set, now, outranked) in [
            (Variable, &[SeedFolder][..], SeedFolder, true),
            (Variable, &[Variable, SeedFolder], SeedFolder, false),
            (SeedFolder, &[Variable], Variable, false),
            (Variable, &[Variable], Variable, false),
        ] {
            let (settings, last) = (settings(set), record("o/app", "", last));
            let outranks = |name| outranks(&settings, &last, &repository(name), now);
            assert_eq!(outranks("o/app"), outranked, "{last:?} {set:?} {now:?}");
            assert!(!outranks("o/other"));
        }
    }

    /// A new key, as ssh-keygen writes it, and its fingerprint.
    fn key() -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let mut keygen = std::process::Command::new("ssh-keygen");
            let output = keygen.args(arguments).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{arguments:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        run(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "key"]);
        let line = run(&["-l", "-f", "key.pub"]);
        let fingerprint = line.split(' ').nth(1).unwrap().to_owned();
        (std::fs::read_to_string(folder.path().join("key")).unwrap(), fingerprint)
    }

    #[test]
    fn an_installed_key_that_is_not_the_key_is_damaged() {
        let (text, fingerprint) = key();
        let record = record("o/app", &fingerprint, SecretOrigin::Variable);
        let half = &text[..text.len() / 2];
        for (content, what) in [
            (text.as_bytes(), None),
            (b"".as_slice(), Some("its file is empty")),
            (b" \n", Some("its file is empty")),
            (b"\xff\xfe", Some("it is not text")),
            (key().0.as_bytes(), Some("its file contains another key")),
            (text.trim_end().as_bytes(), Some("newline")),
            (text.replace('\n', "\r\n").as_bytes(), Some("CRLF")),
            (half.as_bytes(), Some("")),
        ] {
            let found = damage(content, &record);
            let said = found.as_ref().map(|finding| &*finding.summary);
            match (what, said) {
                (None, None) => {}
                (Some(what), Some(said)) => assert!(said.contains(what), "{said}"),
                _ => panic!("{what:?} {said:?}"),
            }
        }
    }
}
