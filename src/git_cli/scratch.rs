//! A temporary git repository, with a configuration of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Place;
use crate::process::{self, Output};
use crate::resource::private_folder::PrivateFolder;
use crate::variables;

/// A temporary repository of our own with one empty commit; removed when dropped.
pub struct Scratch {
    folder: PrivateFolder,
    pub commit: String,
}

/// A setting that only this git is given.
const PROBE: (&str, &str) = ("pushready.probe", "read");

/// How a repository names its objects: both ends must use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
            PrivateFolder::new().map_err(|error| format!("a temporary folder: {error}"))?;
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

    /// git with these settings and nothing of the user's: no other configuration, and no netrc(5). No
    /// argument shows them to other users: a proxy may have a password. `None`: this git does not
    /// take them from the environment, as from 2.31 on.
    pub fn git_with(&self, settings: &[(&str, &str)], deadline: Duration) -> Option<Command> {
        let ready = || {
            let mut git = self.git();
            git.env(variables::HOME, self.folder());
            git.env(variables::XDG_CONFIG_HOME, self.folder()).env("GIT_CONFIG_NOSYSTEM", "1");
            for name in [variables::GIT_CONFIG_GLOBAL, "GIT_CONFIG_PARAMETERS", "GIT_SSL_CERT"] {
                git.env_remove(name);
            }
            for (nth, (key, value)) in settings.iter().chain([&PROBE]).enumerate() {
                git.env(format!("GIT_CONFIG_KEY_{nth}"), key);
                git.env(format!("GIT_CONFIG_VALUE_{nth}"), value);
            }
            git.env("GIT_CONFIG_COUNT", (settings.len() + 1).to_string());
            git
        };
        let mut asked = ready();
        asked.args(["config", "--get", PROBE.0]);
        let answer = process::run(asked, deadline).ok()?;
        (answer.stdout.trim() == PROBE.1).then(ready)
    }
}
