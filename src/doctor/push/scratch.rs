//! A git repository away from everything, whose configuration nobody else wrote.

use std::process::Command;

use tempfile::TempDir;

use crate::doctor::Context;
use crate::doctor::ssh::NETWORK;
use crate::process;
use crate::resource::file;

/// A repository of our own with one empty commit, away from everything; gone when dropped.
pub struct Scratch {
    folder: TempDir,
    pub commit: String,
}

impl Scratch {
    pub fn new(context: &Context) -> Result<Self, String> {
        let folder = file::temporary_folder(&std::env::temp_dir())
            .map_err(|error| format!("a temporary folder: {error}"))?;
        let mut scratch = Self { folder, commit: String::new() };
        let run = |arguments: &[&str]| {
            let mut git = scratch.git();
            git.args(arguments);
            let output =
                process::run(git, context.deadline(NETWORK)).map_err(|failure| failure.to_string())?;
            if output.status.success() { Ok(output.stdout.trim().to_owned()) } else { Err(output.stderr) }
        };
        run(&["init", "--quiet", "--bare"])?;
        let tree = run(&["hash-object", "-w", "-t", "tree", "/dev/null"])?;
        let identity = ["-c", "user.name=pushready", "-c", "user.email=pushready@localhost"];
        scratch.commit = run(&[&identity[..], &["commit-tree", "-m", "probe", &tree]].concat())?;
        Ok(scratch)
    }

    pub fn git(&self) -> Command {
        let mut git = process::caller("git");
        git.current_dir(self.folder.path()).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        git
    }
}
