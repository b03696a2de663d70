//! Deploy keys: a map of them, a single one, a folder of them.
#![expect(clippy::disallowed_methods, reason = "this is the module that opens secrets")]

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use walkdir::WalkDir;

use super::source::{Pairs, key_map, place, source_file};
use super::{FoundSecret, Reader, SecretKind, Sourced, shown_repository};
use crate::catalogue::{Code, Finding};
use crate::git::url::Repository;
use crate::secret::{Checked, DeployKey};
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::variables;

const SEED_DEPTH: usize = 12;
/// Folders included. Links are followed, for the mounts of Kubernetes are links; one may lead
/// anywhere.
const MOST_ENTRIES: usize = 1000;

impl Reader<'_> {
    pub(super) fn deploy_keys(&mut self) {
        let refused = self.settings.refused.len();
        let wanted = key_source(Subject::DeployKeys, None, &[variables::DEPLOY_KEYS]);
        if let Some(found) = self.first(&wanted) {
            self.key_map(&found);
        }
        self.single_key();
        self.seeded_keys();
        // what was refused without a name may have named any repository: then nothing that is
        // installed goes
        if self.settings.refused.iter().skip(refused).any(|item| item.repository.is_none()) {
            self.settings.key_origins.clear();
        }
    }

    fn key_map(&mut self, found: &FoundSecret) {
        let via = &found.via;
        let (Pairs(pairs), repairs) = match key_map(found.text.expose_secret()) {
            Ok(map) => map,
            Err(error) => {
                let fix = if found.text.expose_secret().contains("PRIVATE KEY") {
                    "give a single key in PUSHREADY_DEPLOY_KEY, and its repository in PUSHREADY_REPOSITORY"
                } else {
                    "build it with Terraform's `jsonencode({ \"owner/repo\" = var.key })`"
                };
                let summary = format!("{via} is not a JSON object: {}", place(&error));
                return self.refuse(&Subject::DeployKeys, via, None, malformed(summary, fix));
            }
        };
        if pairs.len() > MOST_ENTRIES {
            let summary = format!("{via} names more than {MOST_ENTRIES} repositories");
            let finding = malformed(summary, "name the repositories of this workspace only");
            return self.refuse(&Subject::DeployKeys, via, None, finding);
        }
        if !repairs.is_empty() {
            self.warn(format!("deploy keys: repaired: {} (in {via})", repairs.join(", ")));
        }
        self.settings.key_origins.insert(SecretOrigin::Variable);
        for (name, value) in pairs {
            match value {
                Value::String(text) if !text.trim().is_empty() => {
                    self.key(&name, text.into(), SecretOrigin::Variable, via.clone());
                }
                other => self.blank_or_invalid_key(&name, &other, via),
            }
        }
    }

    /// A repository in the map with something else than a key: blank is unset, the rest is refused.
    fn blank_or_invalid_key(&mut self, name: &str, value: &Value, via: &Via) {
        let repository = Repository::parse_declared(name).ok();
        let item = repository.as_ref().map_or_else(|| shown_repository(name), Repository::short);
        if matches!(value, Value::String(_) | Value::Null) {
            self.warn(format!("key {item}: blank in {via}: left as it is"));
            self.settings.keys_unset.extend(repository);
            return;
        }
        let finding = malformed(
            format!("its value in {via} is not a string"),
            "give the private key as one JSON string (Terraform: jsonencode)",
        );
        self.refuse(&Subject::Key(item), via, repository.as_ref(), finding);
    }

    fn single_key(&mut self) {
        let repository = self.env.text(variables::REPOSITORY);
        let parsed = repository.as_deref().and_then(|name| Repository::parse_declared(name).ok());
        let item = parsed.as_ref().map_or(Subject::KeyOfNoRepository, Subject::key);
        let wanted = key_source(item, parsed.as_ref(), &[variables::DEPLOY_KEY]);
        let refused = self.settings.refused.len();
        match (self.first(&wanted), repository) {
            (Some(found), Some(name)) => {
                self.settings.key_origins.insert(SecretOrigin::Variable);
                self.key(&name, found.text, found.origin, found.via);
            }
            (Some(found), None) => self.refuse(
                &Subject::KeyOfNoRepository,
                &found.via,
                None,
                malformed(
                    format!("{} is set, but {} is not", found.via, variables::REPOSITORY),
                    format!("set {}=owner/repo", variables::REPOSITORY),
                ),
            ),
            (None, Some(name)) if self.settings.refused.len() == refused => self.warn(format!(
                "{} names {}, but {} is not set: it gets no key from there",
                variables::REPOSITORY,
                shown_repository(&name),
                variables::DEPLOY_KEY
            )),
            (None, _) => {}
        }
    }

    /// `deploy-keys/HOST/PATH`; Kubernetes puts its `..data` folders and links beside them.
    fn seeded_keys(&mut self) {
        let root = self.seed.as_ref().map(|seed| seed.join("deploy-keys"));
        let Some(root) = root.filter(|root| root.is_dir()) else { return };
        let hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with("..")
        };
        let mut entries: Vec<_> = WalkDir::new(&root)
            .follow_links(true)
            .max_depth(SEED_DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !hidden(entry))
            .take(MOST_ENTRIES + 1)
            .collect();
        if entries.len() > MOST_ENTRIES {
            let last = entries
                .iter()
                .rev()
                .flatten()
                .next()
                .map_or(root.clone(), |entry| entry.path().to_owned());
            let summary = format!(
                "`{}` contains more than {MOST_ENTRIES} files, the last one `{}`",
                self.home.shown(&root),
                self.home.shown(&last)
            );
            let fix = "if that is a link to another folder, remove it; the keys are `deploy-keys/HOST/PATH`";
            let via = Via::SeedFile(self.home.shown(&root));
            self.refuse(&Subject::DeployKeys, &via, None, malformed(summary, fix));
            entries.retain(|entry| {
                entry.as_ref().is_ok_and(|entry| !within_link(&root, entry.path()))
            });
        }
        self.settings.key_origins.insert(SecretOrigin::SeedFolder);
        for entry in entries {
            let (path, source) = match entry {
                Ok(entry) if entry.file_type().is_dir() => continue,
                // `ssh-keygen -f` leaves the public key beside the key
                Ok(entry)
                    if entry.path().extension().is_some_and(|extension| extension == "pub")
                        && entry.path().with_extension("").is_file() =>
                {
                    continue;
                }
                Ok(entry) => {
                    let path = entry.into_path();
                    let source = source_file(&path, Code::KeyMalformed);
                    (path, source)
                }
                Err(error) => {
                    let path = self.home.shown(error.path().unwrap_or(&root));
                    let cause = error
                        .io_error()
                        .map_or_else(|| "a loop of links".to_owned(), ToString::to_string);
                    let summary = format!("cannot read `{path}`: {cause}");
                    let finding = malformed(summary, "fix it, or remove it");
                    self.refuse(&Subject::DeployKeys, &Via::SeedFile(path), None, finding);
                    continue;
                }
            };
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let via = Via::SeedFile(self.home.shown(&path));
            match source {
                None => {}
                Some(Ok(text)) => {
                    self.use_source(&self.home.shown(&root));
                    self.key(&name, text, SecretOrigin::SeedFolder, via);
                }
                Some(Err(finding)) => {
                    let repository = Repository::parse_declared(&name).ok();
                    let item = repository
                        .as_ref()
                        .map_or_else(|| shown_repository(&name), Repository::short);
                    let item = Subject::Key(item);
                    self.refuse(&item, &via, repository.as_ref(), finding);
                }
            }
        }
    }

    fn key(&mut self, name: &str, text: SecretString, origin: SecretOrigin, via: Via) {
        let repository = match Repository::parse_declared(name) {
            Ok(repository) => repository,
            Err(error) => {
                let fix = "name the repository as `owner/repo`, `host/path/repo` or by its git URL";
                let shown = shown_repository(name);
                let summary = format!("{shown} {}", error.problem());
                return self.refuse(&Subject::Key(shown), &via, None, malformed(summary, fix));
            }
        };
        let item = Subject::key(&repository);
        let better = |other: &Via| *other != via;
        let at = self.settings.keys.iter().position(|known| known.value.0 == repository);
        let known = at.and_then(|at| self.settings.keys.get(at));
        if let Some(known) = known.filter(|known| better(&known.via)) {
            if DeployKey::parse(&text).is_err() {
                return self.warn(format!(
                    "{item}: {via} does not contain a usable key; the one in {} is used",
                    known.via
                ));
            }
        } else if let Some(above) = self.settings.refused.iter().find(|refused| {
            refused.repository.as_ref() == Some(&repository) && better(&refused.via)
        }) {
            // who set the better source did not mean what is below it
            let above = &above.via;
            return self
                .warn(format!("{item}: {via} is ignored, because the key in {above} is refused"));
        }
        let found = FoundSecret { text, origin, via };
        let checked = self.check(&item, Some(&repository), found, |text| {
            let Checked { value, mut repairs } = DeployKey::parse(text)?;
            // base64 is a form that we offer, not damage
            repairs.retain(|repair| *repair != "base64 wrapping");
            Ok(Checked { value, repairs })
        });
        let Some(Sourced { value: key, origin, via }) = checked else { return };
        if self.ambiguous.contains(&repository) {
            return;
        }
        let Some(at) = at else {
            self.settings.keys.push(Sourced { value: (repository, key), origin, via });
            return;
        };
        match self.settings.keys.get(at) {
            Some(known) if known.value.1.fingerprint() == key.fingerprint() => {}
            // within one source none comes first
            Some(known)
                if known.via == via
                    || (known.origin, origin)
                        == (SecretOrigin::SeedFolder, SecretOrigin::SeedFolder) =>
            {
                let place = match &via {
                    Via::SeedFile(_) => "the seed folder",
                    Via::Variable(name) => name,
                };
                let summary = format!("it has two different keys in {place}");
                let finding = malformed(summary, "keep one of its entries");
                self.refuse(&item, &via, Some(&repository), finding);
                self.settings.keys.remove(at);
                self.ambiguous.push(repository);
            }
            Some(known) => {
                let text =
                    format!("{item}: {via} has another key than {}, which is used", known.via);
                self.warn(text);
            }
            None => {}
        }
    }
}

fn malformed(summary: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding::new(Code::KeyMalformed, summary, fix.into())
}

/// Whether the path goes through a link to a folder.
fn within_link(root: &Path, path: &Path) -> bool {
    let mut above = path.ancestors().skip(1).take_while(|folder| *folder != root);
    above.any(Path::is_symlink)
}

/// Deploy keys are read from variables one by one; the seed folder has a tree of them.
fn key_source<'a>(
    item: Subject,
    repository: Option<&'a Repository>,
    names: &'a [&'a str],
) -> SecretKind<'a> {
    SecretKind { item, repository, names, seed: None, fallback: &[], malformed: Code::KeyMalformed }
}
