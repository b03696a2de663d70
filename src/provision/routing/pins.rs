//! Which hosts our known_hosts names (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), as patterns for
//! ssh_config.
//!
//! Hashed lines count because Debian's ssh writes no others. Negated ones count because the block
//! without the negation would leave the excepted hosts without a key.

use std::collections::{BTreeMap, BTreeSet};

use ring::hmac;
use ssh_key::known_hosts::{Entry, HostPatterns, Marker};

use crate::git::url::Repository;

/// The patterns of each kind, in the form of `Match originalhost`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Hosts with a key or an authority of their own: only what the file says counts.
    pub strict: BTreeSet<String>,
    /// The same where a list excepts some hosts, so it needs a block of its own.
    pub excepting: BTreeSet<String>,
    /// The file is read, and decides nothing about hosts that it does not name: revoked keys, and
    /// lines for every host, which would lock out all hosts that the file does not know.
    pub consulted: BTreeSet<String>,
    /// Hashed lines that name none of the hosts with a key here.
    pub unknown: usize,
}

impl Pins {
    /// Hashes are tried with the hosts of these repositories; others cannot be recognized.
    pub fn of(known_hosts: &str, routed: &[Repository]) -> Self {
        let mut pins = Self::default();
        for entry in entries(known_hosts) {
            let revoked = matches!(entry.marker(), Some(Marker::Revoked));
            let patterns = match entry.host_patterns() {
                HostPatterns::Patterns(patterns) => {
                    patterns.iter().filter_map(|pattern| host_pattern(pattern)).collect()
                }
                HostPatterns::HashedName { .. } => hashed(&entry, routed),
            };
            pins.unknown += usize::from(patterns.is_empty());
            let names_none = |pattern: &String| pattern.bytes().all(|byte| b"*?.".contains(&byte));
            if patterns.iter().any(|pattern| pattern.starts_with('!')) {
                let list = patterns.join(",");
                let consulted = revoked || patterns.iter().any(names_none);
                if consulted { &mut pins.consulted } else { &mut pins.excepting }.insert(list);
                continue;
            }
            for pattern in patterns {
                let consulted = revoked || names_none(&pattern);
                if consulted { &mut pins.consulted } else { &mut pins.strict }.insert(pattern);
            }
        }
        pins
    }

    /// What to report about lines that are of no use.
    pub fn note(&self) -> Option<String> {
        let lines = match self.unknown {
            0 => return None,
            1 => "1 hashed line of known_hosts names".to_owned(),
            count => format!("{count} hashed lines of known_hosts name"),
        };
        Some(format!(
            "{lines} no host that has a key here: write the host name itself, because a hash cannot be read"
        ))
    }

    /// Whether the file has a key of a host; `port`: on this port, for which a line of another one
    /// does not count (sshconnect.c).
    pub fn is_pinned(
        known_hosts: &str,
        repository: &Repository,
        host: &str,
        port: Option<u16>,
    ) -> bool {
        let is_of_port = |pattern: &&String| match (port, pattern.rsplit_once("]:")) {
            (Some(port), Some((_, of))) => of.parse() == Ok(port),
            _ => true,
        };
        entries(known_hosts).any(|entry| {
            !matches!(entry.marker(), Some(Marker::Revoked))
                && match entry.host_patterns() {
                    HostPatterns::Patterns(patterns) => {
                        let patterns: Vec<_> = patterns
                            .iter()
                            .filter(is_of_port)
                            .filter_map(|pattern| host_pattern(pattern))
                            .collect();
                        let excepted = |pattern: &&String| {
                            pattern.strip_prefix('!').is_some_and(|it| matches(it, host))
                        };
                        !patterns.iter().any(|pattern| excepted(&pattern))
                            && patterns.iter().any(|pattern| matches(pattern, host))
                    }
                    HostPatterns::HashedName { salt, hash } => {
                        names(repository, host).iter().any(|name| is_hash(salt, hash, name))
                    }
                }
        })
    }
}

/// Whether a known_hosts line gives a host that is pinned here a key that it does not have, or an
/// authority, of which none of these hosts has one.
pub fn contradicts_pins(line: &str) -> bool {
    let Ok(entry) = line.parse::<Entry>() else { return false };
    let names = |host: &String| match entry.host_patterns() {
        HostPatterns::Patterns(patterns) => {
            patterns.iter().any(|pattern| pattern.eq_ignore_ascii_case(host))
        }
        HostPatterns::HashedName { salt, hash } => is_hash(salt, hash, host),
    };
    let mut pinned: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for pin in entries(super::PINNED) {
        let HostPatterns::Patterns(hosts) = pin.host_patterns().clone() else { continue };
        for host in hosts.into_iter().filter(names) {
            pinned.entry(host).or_default().push(pin.clone());
        }
    }
    let (key, kind) = (entry.public_key().key_data(), entry.public_key().algorithm());
    pinned.values().any(|pins| {
        let mut of_kind = pins.iter().filter(|pin| pin.public_key().algorithm() == kind).peekable();
        match entry.marker() {
            Some(Marker::Revoked) => false,
            Some(Marker::CertAuthority) => true,
            None => {
                of_kind.peek().is_some() && of_kind.all(|pin| pin.public_key().key_data() != key)
            }
        }
    })
}

fn entries(known_hosts: &str) -> impl Iterator<Item = Entry> {
    known_hosts.lines().filter_map(|line| line.parse().ok())
}

/// A pattern without its port, for `originalhost` knows none; `None` where ssh_config could not
/// contain it.
fn host_pattern(pattern: &str) -> Option<String> {
    let (not, name) = pattern.strip_prefix('!').map_or(("", pattern), |name| ("!", name));
    let name = match name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => name,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_*?:".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then(|| format!("{not}{name}"))
}

/// The hosts of these repositories that a hashed line names.
fn hashed(entry: &Entry, routed: &[Repository]) -> Vec<String> {
    let HostPatterns::HashedName { salt, hash } = entry.host_patterns() else { return Vec::new() };
    let hosts = routed.iter().flat_map(|repository| {
        let hosts = repository.ssh_hosts().into_iter();
        hosts.filter(|host| names(repository, host).iter().any(|name| is_hash(salt, hash, name)))
    });
    hosts.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names under which ssh looks a host up (OpenSSH sshconnect.c,
/// `get_hostfile_hostname_ipaddr`).
fn names(repository: &Repository, host: &str) -> Vec<String> {
    let port = |port: u16| format!("[{host}]:{port}");
    let ports = [repository.ssh_port(), (host != repository.host()).then_some(443)];
    ports.into_iter().flatten().map(port).chain([host.to_owned()]).collect()
}

/// `|1|SALT|HASH`: HMAC-SHA1 of the name, keyed with the salt (OpenSSH hostfile.c, `host_hash`).
fn is_hash(salt: &[u8], hash: &[u8], name: &str) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt), name.as_bytes(), hash)
        .is_ok()
}

/// Whether a pattern with `*` and `?` covers a host (ssh_config(5), PATTERNS).
fn matches(pattern: &str, host: &str) -> bool {
    fn all(pattern: &[u8], host: &[u8]) -> bool {
        match (pattern, host) {
            ([], []) => true,
            ([b'*', rest @ ..], host) => {
                (0..=host.len()).any(|skip| host.get(skip..).is_some_and(|tail| all(rest, tail)))
            }
            ([b'?', rest @ ..], [_, tail @ ..]) => all(rest, tail),
            ([a, rest @ ..], [b, tail @ ..]) => a.eq_ignore_ascii_case(b) && all(rest, tail),
            _ => false,
        }
    }
    all(pattern.as_bytes(), host.as_bytes())
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding as _};

    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn set(patterns: &[&str]) -> BTreeSet<String> {
        patterns.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_line_pins_what_it_names() {
        let lines = [
            format!("a.b,[c.d]:2222 {KEY}"),
            format!("*.corp {KEY}"),
            format!("@cert-authority *.ca {KEY}"),
            format!("@revoked r,*.rr {KEY}"),
            format!("* {KEY}"),
            format!("*.* {KEY}"),
            format!("*.dev,!x.dev {KEY}"),
            "# no".to_owned(),
            "x\"y z".to_owned(),
        ];
        let pins = Pins::of(&lines.join("\n"), &[]);
        assert_eq!(pins.strict, set(&["*.ca", "*.corp", "a.b", "c.d"]));
        assert_eq!(pins.excepting, set(&["*.dev,!x.dev"]));
        assert_eq!(pins.consulted, set(&["*", "*.*", "*.rr", "r"]));
        assert_eq!(pins.unknown, 0);
    }

    #[test]
    fn patterns_cover_whole_names() {
        assert!(
            matches("*.corp", "git.corp")
                && matches("g?t.corp", "git.corp")
                && matches("GIT.corp", "git.corp")
        );
        assert!(
            !matches("*.corp", "corp")
                && !matches("git", "git.corp")
                && !matches("git.corp", "git")
        );
    }

    fn hash(name: &str) -> String {
        let salt = [7; 20];
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        let tag = hmac::sign(&key, name.as_bytes());
        format!("|1|{}|{} {KEY}", Base64::encode_string(&salt), Base64::encode_string(tag.as_ref()))
    }

    #[test]
    fn a_line_contradicts_where_it_names_a_pinned_host_with_another_key() {
        // KEY is github.com's own: a stranger to gitlab.com
        for (line, contradicts) in [
            (format!("github.com {KEY} a comment"), false),
            (format!("gitlab.com {KEY}"), true),
            (format!("other.test,GitLab.com {KEY}"), true),
            (format!("[ssh.github.com]:443 {KEY}"), false),
            (format!("codeberg.org,[ssh.github.com]:443 {KEY}"), true),
            (format!("[gitlab.com]:2222 {KEY}"), false),
            (hash("github.com"), false),
            (hash("gitlab.com"), true),
            (hash("git.corp"), false),
            (format!("@cert-authority github.com {KEY}"), true),
            (format!("@cert-authority git.corp {KEY}"), false),
            (format!("@revoked gitlab.com {KEY}"), false),
            (format!("git.corp {KEY}"), false),
            ("# github.com".to_owned(), false),
        ] {
            assert_eq!(contradicts_pins(&line), contradicts, "{line}");
        }
    }

    #[test]
    fn a_hash_names_its_host_and_port() {
        let repository = Repository::parse_declared("ssh://git@git.corp:2222/o/r").unwrap();
        for (name, is_pinned) in
            [("git.corp", true), ("[git.corp]:2222", true), ("[git.corp]:22", false), ("x", false)]
        {
            let line = hash(name);
            assert_eq!(Pins::is_pinned(&line, &repository, "git.corp", None), is_pinned, "{name}");
            let pins = Pins::of(&line, std::slice::from_ref(&repository));
            assert_eq!(
                (pins.strict.contains("git.corp"), pins.unknown == 0),
                (is_pinned, is_pinned),
                "{name}"
            );
        }
    }
}
