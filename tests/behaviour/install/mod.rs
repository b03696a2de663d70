//! scripts/install.sh, in the shells and with the tools of the machines that it will meet; and
//! `pushready install`.

mod addresses;
mod download;
mod place;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::support::{CRATE, Cmd, Output, Workspace, require};

const SHELLS: [&str; 3] = ["dash", "bash", "busybox sh"];

const DOWNLOADERS: [&str; 3] = ["curl", "wget", "busybox"];

/// In addition to the one that fetches and the one that sums.
const BASE: &str = "uname mkdir mktemp mv rm ln ls chmod cat timeout tr";

const PLACE: &str = ".local/bin/pushready";

const FILE: &str = "pushready-9.9.9-x86_64-linux";

/// Used as the released binary.
fn binary() -> Vec<u8> {
    b"#!/bin/sh\necho pushready 9.9.9\n".to_vec()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder with these programs and no other.
fn tools(names: &str) -> String {
    let folder = format!("/tmp/tools {names}").replace(' ', "-");
    fs::create_dir_all(&folder).unwrap();
    for name in names.split(' ') {
        require(name);
        let _ = symlink(format!("/usr/bin/{name}"), format!("{folder}/{name}"));
    }
    folder
}

/// `install.sh` with this release asked for, by a shell that has these tools.
fn install_with(ws: &Workspace, shell: &str, more: &str, from: &str) -> Cmd {
    let mut words = shell.split(' ');
    let program = words.next().unwrap();
    require(program);
    // busybox goes by the name under which it is called
    ws.cmd(format!("/bin/{program}"))
        .args(words)
        .arg(format!("{CRATE}/scripts/install.sh"))
        .env("PATH", tools(format!("{BASE} {more}").trim_end()))
        .env("PUSHREADY_VERSION", "9.9.9")
        .env("PUSHREADY_SHA256", hex(&binary()))
        .env("PUSHREADY_DOWNLOAD_URL", from)
}

fn install(ws: &Workspace, from: &str) -> Cmd {
    install_with(ws, "dash", "sha256sum curl", from)
}

/// What the folder of programs contains.
fn left(ws: &Workspace) -> Vec<String> {
    names(&ws.home().join(".local/bin"))
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[track_caller]
fn silent(output: &Output) {
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{output}"
    );
}

#[track_caller]
fn installed(ws: &Workspace, output: &Output) {
    assert_eq!(output.stdout, "pushready 9.9.9 installed in /home/coder/.local/bin\n", "{output}");
    assert_eq!(output.stderr, "", "{output}");
    assert!(output.status.success(), "{output}");
    assert_eq!(fs::read(ws.home().join(PLACE)).unwrap(), binary());
    assert_eq!(ws.mode(PLACE), 0o755);
    assert_eq!(left(ws), ["pushready"]);
}
