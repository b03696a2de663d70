//! Which repository an ssh command is about.

use super::{LFS, path};

/// What the command does with the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    UploadPack,
    ReceivePack,
    UploadArchive,
    LfsAuthenticate,
    LfsTransfer,
}

/// The path less what a rule for the whole host leaves of an LFS endpoint. Without `.git` it could
/// be the path of another repository.
fn without_lfs<'a>(path: &&'a str) -> &'a str {
    path.strip_suffix(LFS).filter(|path| path.strip_suffix(".git").is_some()).unwrap_or(path)
}

/// Reads the remote command in ssh's argv, in one word or in several: what it does, and the path in
/// the form of [`Repository::path`](super::Repository::path). `None` for everything that git and
/// git-lfs do not send.
pub fn remote_command_repository(command: &[&str]) -> Option<(Verb, String)> {
    // ssh joins its arguments with spaces (ssh.c `main`), and a shell takes them apart on the other
    // side
    let command = command.join(" ");
    if command.contains(char::is_control) {
        return None;
    }
    let words = shlex::split(&command)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (verb, path) = match words.as_slice() {
        ["git-upload-pack", path] | ["git", "upload-pack", path] => (Verb::UploadPack, *path),
        ["git-receive-pack", path] | ["git", "receive-pack", path] => (Verb::ReceivePack, *path),
        ["git-upload-archive", path] | ["git", "upload-archive", path] => {
            (Verb::UploadArchive, *path)
        }
        ["git-lfs-authenticate", path, "upload" | "download"] => {
            (Verb::LfsAuthenticate, without_lfs(path))
        }
        ["git-lfs-transfer", path, "upload" | "download"] => (Verb::LfsTransfer, without_lfs(path)),
        _ => return None,
    };
    Some((verb, path::of_ssh(path).ok()?))
}
