//! What a clone's configuration would come to if its own file were another one, asked of git
//! itself: it alone knows its conditions (`includeIf`) and their patterns exactly.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::Place;
use super::effective_config::EffectiveConfig;
use crate::git::config;
use crate::process::{self, Bounds, Failure};
use crate::resource::file;
use crate::resource::private_folder::PrivateFolder;

/// A stand-in for the folder of a clone that has its configuration; removed when dropped.
pub struct Trial<'a> {
    /// The clone's git folder: conditions are judged by it.
    git_folder: &'a Path,
    common: PrivateFolder,
}

impl<'a> Trial<'a> {
    pub fn new(git_folder: &'a Path) -> io::Result<Self> {
        let common = PrivateFolder::new()?;
        // what makes a folder a git folder
        for name in ["objects", "refs"] {
            file::create_folders(&common.path().join(name).join("x"))?;
        }
        Ok(Self { git_folder, common })
    }

    /// What git reads, system and user included, where `config` is the clone's own file. `None`: git
    /// rejects it.
    pub fn effective(
        &self,
        config: &[u8],
        deadline: Duration,
    ) -> Result<Option<EffectiveConfig>, Failure> {
        let config = with_absolute_includes(config, self.git_folder);
        file::write(&self.common.path().join("config"), &config, 0o600)?;
        let mut git = super::command(Place::GitDir(self.git_folder));
        git.env("GIT_COMMON_DIR", self.common.path());
        git.args(["config", "--null", "--show-scope", "--show-origin", "--list"]);
        let output = process::run_within(Bounds::READING, git, deadline)?;
        Ok(output.status.success().then(|| EffectiveConfig::parse(output.stdout)))
    }
}

/// Paths of included files are relative to the file that names them, which is elsewhere here.
fn with_absolute_includes(config: &[u8], folder: &Path) -> Vec<u8> {
    let mut text = Vec::with_capacity(config.len());
    let mut copied = 0;
    for variable in config::variables(config).into_iter().flatten() {
        let includes = matches!(&*variable.section, "include" | "includeif");
        let Some(path) = variable.value.filter(|_| includes && variable.key == "path") else {
            continue;
        };
        if !path.starts_with(['/', '~']) && !path.starts_with("%(") {
            let path = folder.join(path);
            text.extend(config.get(copied..variable.place.start).unwrap_or_default());
            text.extend(config::quoted(&path.to_string_lossy()).into_bytes());
            copied = variable.place.end;
        }
    }
    text.extend(config.get(copied..).unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_includes_are_those_of_the_clone() {
        let config = "[include]\n\tpath = ../a\n\tpath = ~/b ; c\n[includeIf \"gitdir:x\"]\n\t\
                      path = \"c d\"\n\tpath = /e\n\tpath\n[remote \"path\"]\n\tpath = f\n";
        let absolute = with_absolute_includes(config.as_bytes(), Path::new("/clone/.git"));
        let expected = config
            .replace("= ../a", "= /clone/.git/../a")
            .replace("= \"c d\"", "= /clone/.git/c d");
        assert_eq!(String::from_utf8(absolute).unwrap(), expected);
    }
}
