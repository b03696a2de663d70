//! The one way in which a secret is found: its sources in their order, and what there is to tell
//! about them.
#![expect(clippy::disallowed_methods, reason = "this is the module that opens secrets")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::source::{self, SourceText, source_file, text};
use super::{FoundSecret, Reader, RefusedItem, SecretKind, Settings, Sourced};
use crate::catalogue::{Code, Finding};
use crate::env::{Env, expand};
use crate::git::url::Repository;
use crate::home::Home;
use crate::secret::Checked;
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::variables;
use zeroize::Zeroizing;

impl<'a> Reader<'a> {
    pub(super) fn new(env: &'a Env, home: &'a Home, stdin: BTreeMap<String, SecretString>) -> Self {
        let named = env.get(variables::SEED_DIR).filter(|value| !source::is_not_a_path(value));
        let seed = named.map_or_else(|| home.seed.clone(), |value| expand(&value, &home.path));
        let settings = Settings { seed: Some(seed.clone()), ..Settings::default() };
        Self { env, home, stdin, seed: Some(seed), settings, ambiguous: Vec::new() }
    }

    /// The first source that is set; others with a different value are named. A first source that
    /// cannot be read is refused, for what is below it was not meant.
    pub(super) fn first(&mut self, wanted: &SecretKind) -> Option<FoundSecret> {
        let mut all = self.all(wanted).into_iter();
        let FoundSecret { text, origin, via } = all.next()?;
        for other in all {
            match (&other.text, &text) {
                (Ok(other), Ok(text))
                    if other.expose_secret().trim() == text.expose_secret().trim() => {}
                _ => self.warn(format!("{} differs from {via}, which is used", other.via)),
            }
        }
        self.use_source(&via.to_string());
        match text {
            Ok(text) => Some(FoundSecret { text, origin, via }),
            Err(finding) => {
                self.refuse(&wanted.item, &via, wanted.repository, found_in(finding, &via));
                None
            }
        }
    }

    fn all(&mut self, wanted: &SecretKind) -> Vec<FoundSecret<SourceText>> {
        let mut all = Vec::new();
        for &name in wanted.names {
            self.forms(name, SecretOrigin::Variable, wanted.malformed, &mut all);
        }
        if let Some(path) = &wanted.seed {
            let (origin, via) = (SecretOrigin::SeedFolder, Via::SeedFile(self.home.shown(path)));
            all.extend(source_file(path, wanted.malformed).map(|text| FoundSecret {
                text,
                origin,
                via,
            }));
        }
        for &name in wanted.fallback {
            self.forms(name, SecretOrigin::OtherVariable, wanted.malformed, &mut all);
        }
        all
    }

    /// One variable in each of its forms, best first.
    fn forms(
        &mut self,
        name: &str,
        origin: SecretOrigin,
        malformed: Code,
        all: &mut Vec<FoundSecret<SourceText>>,
    ) {
        let mut add = |source: Option<SourceText>, name: String| {
            let via = Via::Variable(name);
            all.extend(source.map(|text| FoundSecret { text, origin, via }));
        };
        let file_name = format!("{name}_FILE");
        if let Some(value) = self.env.get(&file_name) {
            // `echo PATH` ends in a line end, and no path does
            let value = OsStr::from_bytes(value.as_bytes().trim_ascii_end());
            let path = expand(value, &self.home.path);
            let source = if source::is_not_a_path(value) {
                Some(Err(Finding::new(
                    malformed,
                    "it contains the value itself, not the path of a file",
                    format!(
                        "set {name} to the value, or {file_name} to the path of a file with it"
                    ),
                )))
            } else {
                match source_file(&path, malformed) {
                    Some(Err(finding)) if !source::is_printable_path(value) => {
                        let shown = source::redacted(value);
                        let summary = format!("it names a file that cannot be read ({shown})");
                        Some(Err(Finding { summary, ..finding }))
                    }
                    source => source,
                }
            };
            if source.is_none() {
                let shown = if source::is_printable_path(value) {
                    format!("`{}`", crate::git::url::redact(&path.to_string_lossy()))
                } else {
                    source::redacted(value)
                };
                self.settings.warnings.push(format!(
                    "{file_name} names {shown}, which is missing or blank: it is treated as unset"
                ));
            }
            add(source, file_name);
        }
        let base64_name = format!("{name}_BASE64");
        if let Some(value) = self.env.text(&base64_name) {
            let source = match crate::secret::decode_base64(&value) {
                Some(bytes) => text(&bytes, malformed),
                None => Some(Err(Finding::new(
                    malformed,
                    "it is not base64",
                    "encode it in one piece: `base64 -w0 < FILE`, or Terraform's base64encode()",
                ))),
            };
            add(source, base64_name);
        }
        if let Some(value) = self.env.get(name) {
            add(text(&Zeroizing::new(value.into_encoded_bytes()), malformed), name.to_owned());
        }
        if let Some(text) =
            self.stdin.remove(name).filter(|text| !text.expose_secret().trim().is_empty())
        {
            add(Some(Ok(text)), format!("{name} on standard input"));
        }
    }

    pub(super) fn check<T>(
        &mut self,
        item: &Subject,
        repository: Option<&Repository>,
        found: FoundSecret,
        parse: impl FnOnce(&SecretString) -> std::result::Result<Checked<T>, Finding>,
    ) -> Option<Sourced<T>> {
        let FoundSecret { text, origin, via } = found;
        match parse(&text) {
            Ok(Checked { value, repairs }) => {
                if !repairs.is_empty() {
                    self.warn(format!("{item}: repaired: {} (in {via})", repairs.join(", ")));
                }
                Some(Sourced { value, origin, via })
            }
            Err(finding) => {
                self.refuse(item, &via, repository, found_in(finding, &via));
                None
            }
        }
    }

    pub(super) fn use_source(&mut self, via: &str) {
        if !self.settings.sources.iter().any(|known| known == via) {
            self.settings.sources.push(via.to_owned());
        }
    }

    /// A result is known by its item: what a second source has for it goes by the name of that
    /// source too.
    pub(super) fn refuse(
        &mut self,
        item: &Subject,
        via: &Via,
        repository: Option<&Repository>,
        finding: Finding,
    ) {
        let refused = &mut self.settings.refused;
        let is_first = !refused.iter().any(|known| known.item == *item);
        let item = item.clone();
        let item = if is_first { item } else { Subject::Second(Box::new(item), via.clone()) };
        match refused.iter_mut().find(|known| known.item == item) {
            Some(known) if known.finding.summary.contains(&finding.summary) => {}
            Some(known) => {
                known.finding.summary = format!("{}; {}", known.finding.summary, finding.summary);
            }
            None => refused.push(RefusedItem {
                item,
                finding,
                repository: repository.cloned(),
                via: via.clone(),
            }),
        }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.settings.warnings.push(text);
    }
}

/// The same finding with the source in which the value was found.
fn found_in(finding: Finding, via: &Via) -> Finding {
    Finding { summary: format!("{} (in {via})", finding.summary), ..finding }
}
