//! A temporary git repository, with a configuration of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::Place;
use crate::process::{self, Output};
use crate::resource::file;

/// A temporary repository of our own with one empty commit; removed when dropped.
pub struct Scratch {
    folder: TempDir,
    pub commit: String,
}

/// How a repository names its objects: both ends must use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// Whether the other end reports that it has another one.
    pub fn is_another(output: &Output) -> bool {
        let words = ["mismatched algorithms", "does not support this repository's hash algorithm"];
        words.iter().any(|words| output.stderr.contains(words))
    }
}

impl Scratch {
    /// `deadline` is for each of the git commands that make it.
    pub fn new(hash: Hash, deadline: impl Fn() -> Duration) -> Result<Self, String> {
        let folder =
            file::private_folder().map_err(|error| format!("a temporary folder: {error}"))?;
        let mut scratch = Self { folder, commit: String::new() };
        let run = |arguments: &[&str]| {
            let mut git = scratch.git();
            git.args(arguments);
            let output = process::run(git, deadline()).map_err(|failure| failure.to_string())?;
            if output.status.success() {
                Ok(output.stdout.trim().to_owned())
            } else {
                Err(output.first_error())
            }
        };
        let format = match hash {
            Hash::Sha1 => "--object-format=sha1",
            Hash::Sha256 => "--object-format=sha256",
        };
        run(&["init", "--quiet", "--bare", format])?;
        let tree = run(&["hash-object", "-w", "-t", "tree", "/dev/null"])?;
        let identity = ["-c", "user.name=pushready", "-c", "user.email=pushready@localhost"];
        scratch.commit = run(&[&identity[..], &["commit-tree", "-m", "probe", &tree]].concat())?;
        Ok(scratch)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn git(&self) -> Command {
        super::command(Place::GitDir(self.folder.path()))
    }
}
