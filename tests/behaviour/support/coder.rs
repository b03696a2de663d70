//! What Coder's agent puts into the environment: `GIT_SSH_COMMAND="<path>/coder gitssh --"`.

use super::{KeyPair, SUPPORT};
use std::fs;
use std::path::PathBuf;

pub struct Coder {
    folder: PathBuf,
}

impl Coder {
    /// With the Coder key of the workspace's owner; without one, as if coderd were out of reach.
    pub fn install(user_key: Option<&KeyPair>) -> Self {
        let coder = Self { folder: "/tmp/coder.rig".into() };
        fs::create_dir(&coder.folder).unwrap();
        std::os::unix::fs::symlink(format!("{SUPPORT}/coder"), coder.folder.join("coder")).unwrap();
        if let Some(key) = user_key {
            key.write_to(&coder.folder.join("coder-gitsshkey"));
        }
        coder
    }

    pub fn git_ssh_command(&self) -> String {
        format!("{}/coder gitssh --", self.folder.display())
    }
}
