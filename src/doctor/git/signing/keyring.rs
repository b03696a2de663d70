//! A home of GnuPG's for one test: its files are links to those of the user's own, so that nothing
//! is made there, and its configuration forbids to prompt. Where an agent of the user's runs, it is
//! used; else GnuPG starts one here, which ends with the test.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::doctor::context::Context;
use crate::resource::file;
use crate::resource::private_folder::{self, PrivateFolder};

/// The sockets of the daemons that a signature may need.
const SOCKETS: &[&str] = &["S.gpg-agent", "S.keyboxd"];
/// The longest name of a socket is 108 bytes (unix(7)), of which GnuPG adds some.
const LONGEST: usize = 70;

pub struct Keyring {
    folder: PrivateFolder,
    original: PathBuf,
    uses_running_agent: bool,
}

impl Keyring {
    /// Of the user's own home of GnuPG, be it missing.
    pub fn of(context: &Context) -> io::Result<Self> {
        let named = context.env.get("GNUPGHOME").map(PathBuf::from);
        let is_default = named.is_none();
        let original = named.unwrap_or_else(|| context.home.path.join(".gnupg"));
        let folder = folder()?;
        let mut keyring = Self { folder, original, uses_running_agent: false };
        let entries = keyring.original.read_dir().into_iter().flatten().filter_map(Result::ok);
        let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        for name in &names {
            keyring.add(name)?;
        }
        for name in ["gpg.conf", "gpgsm.conf"].map(OsStr::new) {
            if !names.iter().any(|known| known == name) {
                keyring.add(name)?;
            }
        }
        for name in SOCKETS {
            let mut places = vec![keyring.original.join(name)];
            if is_default {
                let user = geteuid().as_raw();
                places.push(PathBuf::from(format!("/run/user/{user}/gnupg/{name}")));
            }
            if let Some(socket) = places.iter().find(|socket| answers(socket)) {
                symlink(socket, keyring.path().join(name))?;
                keyring.uses_running_agent |= *name == "S.gpg-agent";
            }
        }
        Ok(keyring)
    }

    /// One file of the user's home: a link, or a copy with what the test adds.
    fn add(&self, name: &OsStr) -> io::Result<()> {
        let text = name.to_string_lossy();
        let original = self.original.join(name);
        let added = match &*text {
            // what a daemon or an interrupted gpg left
            text if text.starts_with("S.") || text.starts_with(".#") || text.contains(".lock") => {
                return Ok(());
            }
            text if text.starts_with("gpg.conf") => for_gpg(&file::text(&original)),
            text if text.starts_with("gpgsm.conf") => {
                format!("{}\nbatch\nno-tty\ndisable-crl-checks\n", file::text(&original))
            }
            _ => return symlink(original, self.path().join(name)),
        };
        self.folder.write(name, added.as_bytes())
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The user's own home.
    pub fn original(&self) -> &Path {
        &self.original
    }

    pub fn uses_running_agent(&self) -> bool {
        self.uses_running_agent
    }
}

fn folder() -> io::Result<PrivateFolder> {
    let short =
        private_folder::places().into_iter().filter(|place| place.as_os_str().len() < LONGEST);
    PrivateFolder::new_in(&short.collect::<Vec<_>>())
}

/// The user's settings, and that gpg may not prompt; a passphrase that they supply is used. Pure.
fn for_gpg(text: &str) -> String {
    let supplies = text
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("--").strip_prefix("pinentry-mode"))
        .any(|mode| mode.trim_matches([' ', '=', '\t']) == "loopback");
    let mode = if supplies { "" } else { "pinentry-mode error\n" };
    format!("{text}\nbatch\nno-tty\nno-auto-check-trustdb\n{mode}")
}

/// Whether a daemon listens there, or on the socket that a file there names (libassuan).
fn answers(socket: &Path) -> bool {
    let text = file::text(socket);
    let named = text
        .strip_prefix("%Assuan%")
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("socket=")));
    UnixStream::connect(named.map_or(socket, Path::new)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpg_may_not_prompt_unless_the_settings_supply_the_passphrase() {
        assert!(for_gpg("").contains("pinentry-mode error"));
        assert!(for_gpg("use-agent\npinentry-mode ask").ends_with("pinentry-mode error\n"));
        for supplied in ["pinentry-mode loopback", " pinentry-mode=loopback"] {
            let text = for_gpg(supplied);
            assert!(text.contains("batch") && !text.contains("error"), "{text}");
        }
    }
}
