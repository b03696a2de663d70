//! Connections that ssh is to share: can it make their socket (ssh_config(5), ControlPath)?

use std::path::Path;

use rustix::fs::{Access, access};

use crate::catalogue::{Code, Fix};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::ssh_cli;
use crate::text::shell;

/// The longest name of a socket (unix(7)), with the byte that ends it.
const LONGEST: usize = 108;
/// ssh makes the socket under a temporary name first: a dot and 16 characters more (OpenSSH mux.c).
const ADDED: usize = 17;

/// Why ssh could not share a connection, by what `ssh -G` printed.
pub fn fault(printed: &str) -> Option<Judgement> {
    let path = path(printed)?;
    let is_master = matches!(
        ssh_cli::value(printed, "controlmaster"),
        Some("auto" | "yes" | "true" | "ask" | "autoask")
    );
    if !path.starts_with('/') {
        return None;
    }
    let shown = Evidence::foreign("ControlPath", path);
    let length = path.len() + if is_master { ADDED } else { 0 };
    if length >= LONGEST {
        let fix = "name a shorter path, such as `ControlPath ~/.ssh/%C`, or set `ControlMaster no`";
        let summary =
            "ControlPath is longer than a socket's name may be, so every connection fails";
        let judgement = Judgement::fail(Code::SshControlPath, summary, Fix::report(fix));
        return Some(judgement.with([shown]));
    }
    let path = Path::new(path);
    let folder = path.parent()?;
    // where a connection is shared already, nothing is made
    if !is_master || path.exists() || access(folder, Access::WRITE_OK).is_ok() {
        return None;
    }
    let (summary, fix) = if folder.is_dir() {
        let summary = "the folder of ControlPath cannot be written, so every connection fails";
        (summary, Fix::report(format!("make {} writable for this user", shell(folder))))
    } else {
        let argv = ["mkdir", "-m", "700", "-p", &folder.to_string_lossy()];
        let summary = "the folder of ControlPath does not exist, so every connection fails";
        (summary, Fix::run(argv, "make the folder"))
    };
    Some(Judgement::fail(Code::SshControlPath, summary, fix).with([shown]))
}

fn path(printed: &str) -> Option<&str> {
    ssh_cli::value(printed, "controlpath").filter(|path| *path != "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_needs_a_short_path_in_a_folder_that_it_can_write() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let long = |length: usize| format!("/tmp/{}", "x".repeat(length - 5));
        for (master, path, is_fault) in [
            ("auto", at("%C"), false),
            ("auto", at("gone/x"), true),
            ("false", at("gone/x"), false),
            ("auto", long(90), false),
            ("auto", long(91), true),
            ("false", long(107), false),
            ("false", long(108), true),
            ("auto", "none".to_owned(), false),
        ] {
            let printed = format!("host h\ncontrolmaster {master}\ncontrolpath {path}\nport 22\n");
            assert_eq!(fault(&printed).is_some(), is_fault, "{master} {path}");
        }
        assert!(fault("host h\n").is_none());
    }
}
