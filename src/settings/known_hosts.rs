//! Lines for known_hosts, of the variable and of the seed folder.
#![expect(clippy::disallowed_methods, reason = "the seed folder is read as secrets are")]

use secrecy::ExposeSecret as _;

use super::Reader;
use super::source::source_file;
use crate::catalogue::Code;
use crate::variables;

impl Reader<'_> {
    pub(super) fn known_hosts(&mut self) {
        let seed = self.seed.join("known_hosts");
        let shown = self.home.shown(&seed);
        let from_seed = match source_file(&seed) {
            None => None,
            Some(Ok(text)) => Some((shown, text.expose_secret().to_owned())),
            Some(Err((say, hint))) => {
                return self.refuse("known_hosts", None, Code::SshHostKeyUnknown, say, hint);
            }
        };
        let from_env =
            self.env.text(variables::KNOWN_HOSTS).map(|text| (variables::KNOWN_HOSTS.to_owned(), text));
        let mut lines = Vec::new();
        let mut any = false;
        for (via, text) in [from_env, from_seed].into_iter().flatten() {
            any = true;
            let text = text.replace("\\n", "\n");
            for (number, line) in text.lines().map(str::trim).enumerate() {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                match line.parse::<ssh_key::known_hosts::Entry>() {
                    Ok(_) if !line.contains(char::is_control) => lines.push(line.to_owned()),
                    _ => self.refuse(
                        "known_hosts",
                        None,
                        Code::SshHostKeyUnknown,
                        format!("line {} of {via} is no known_hosts line", number + 1),
                        "take the line from the server's administrator: `HOST KEYTYPE BASE64`",
                    ),
                }
            }
        }
        if any {
            self.settings.known_hosts = Some(lines);
        }
    }
}
