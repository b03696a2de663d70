//! Lines for known_hosts, of the variable and of the seed folder.
#![expect(clippy::disallowed_methods, reason = "the seed folder is read as secrets are")]

use secrecy::ExposeSecret as _;

use super::source::source_file;
use super::{KnownHosts, Reader};
use crate::catalogue::{Code, Finding};
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::variables;

/// So many damaged lines are named one by one.
const NAMED: usize = 3;

impl Reader<'_> {
    pub(super) fn known_hosts(&mut self) {
        if let Some(text) = self.env.text(variables::KNOWN_HOSTS) {
            self.lines(SecretOrigin::Variable, &Via::variable(variables::KNOWN_HOSTS), &text);
        }
        let Some(seed) = self.seed.as_ref().map(|seed| seed.join("known_hosts")) else { return };
        match source_file(&seed, Code::SshHostKeyUnknown) {
            None => {}
            Some(Ok(text)) => {
                let via = Via::SeedFile(self.home.shown(&seed));
                self.lines(SecretOrigin::SeedFolder, &via, text.expose_secret());
            }
            Some(Err(finding)) => {
                let via = Via::SeedFile(self.home.shown(&seed));
                self.refuse(&Subject::KnownHosts, &via, None, finding);
            }
        }
    }

    fn lines(&mut self, origin: SecretOrigin, via: &Via, text: &str) {
        let mut lines = Vec::new();
        let mut damaged = Vec::new();
        for (number, line) in text.replace("\\n", "\n").lines().map(str::trim).enumerate() {
            match line.parse::<ssh_key::known_hosts::Entry>() {
                _ if line.is_empty() || line.starts_with('#') => {}
                Ok(_) if !line.contains(char::is_control) => lines.push(line.to_owned()),
                _ => damaged.push((number + 1).to_string()),
            }
        }
        if !damaged.is_empty() {
            let named = damaged.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let summary = match damaged.len() {
                1 => format!("line {named} of {via} is not a known_hosts line"),
                count if count <= NAMED => {
                    format!("lines {named} of {via} are not known_hosts lines")
                }
                count => {
                    format!(
                        "lines {named} and {} more of {via} are not known_hosts lines",
                        count - NAMED
                    )
                }
            };
            let fix = "ask the server's administrator for the line: `HOST KEYTYPE BASE64`";
            let finding = Finding::new(Code::SshHostKeyUnknown, summary, fix);
            self.refuse(&Subject::KnownHosts, via, None, finding);
        }
        self.settings
            .known_hosts
            .insert(origin, KnownHosts { lines, damaged: !damaged.is_empty() });
    }
}
