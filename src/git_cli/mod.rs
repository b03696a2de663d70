//! Questions to the installed git: its effective configuration, what is wrong with it, where the
//! remotes of a clone lead, and which clones there are. Nothing else starts git.

pub mod clones;
pub mod config_error;
pub mod effective_config;
pub mod plain_clone;
pub mod remotes;
pub mod scratch;
pub mod trial;

use std::path::Path;
use std::process::Command;

use crate::process::{self, Program};

/// Where git runs.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// As the agent's git would work from this folder: `GIT_DIR` and the like count.
    AsAgent(&'a Path),
    /// In this clone, whichever repository the environment names.
    Clone(&'a Path),
    /// Outside of any clone.
    Outside,
    /// This git folder, named explicitly: `safe.bareRepository` may forbid git to find it.
    GitDir(&'a Path),
}

/// What names a repository or a part of it (`git rev-parse --local-env-vars`), without the
/// configuration in the environment, which counts everywhere. GIT_CONFIG is among them: it narrows
/// `git config` to one file.
pub const OF_REPOSITORY: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Commands that a repository can set, and that git would run.
const HARMLESS: &[&str] = &[
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "protocol.ext.allow=never",
];

/// Keeps git from fetching an object that is missing: it would run the ssh command, the helper or
/// the `uploadpack` that the clone names. Git before 2.45 knows the second variable alone, which
/// lists the protocols that are allowed and takes precedence over all configuration.
const NO_LAZY_FETCH: [(&str, &str); 2] = [("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "")];

/// git in a place, with nothing that a repository there could make it run.
pub fn command(place: Place) -> Command {
    at(place, process::command(Program::Git))
}

/// Makes `git` run in the place. Pure.
fn at(place: Place, mut git: Command) -> Command {
    git.args(HARMLESS);
    if !matches!(place, Place::AsAgent(_)) {
        for name in OF_REPOSITORY {
            git.env_remove(name);
        }
    }
    match place {
        Place::AsAgent(folder) | Place::Clone(folder) => {
            git.envs(NO_LAZY_FETCH).current_dir(folder)
        }
        Place::Outside => git.current_dir("/"),
        Place::GitDir(folder) => git.current_dir(folder).env("GIT_DIR", folder),
    };
    git
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;

    /// What git gets of a variable that the caller has.
    fn given(place: Place, name: &str) -> Option<String> {
        let env = Env::of(&[(name, "from the caller")]);
        let git = at(place, process::command_in(Program::Git, &env));
        let (_, value) = git.get_envs().find(|(known, _)| *known == name)?;
        Some(value?.to_string_lossy().into_owned())
    }

    #[test]
    fn only_the_agents_git_is_led_to_a_repository_by_variables() {
        let folder = Path::new("/clone");
        let caller = Some("from the caller".to_owned());
        for (place, git_dir) in [
            (Place::AsAgent(folder), caller.clone()),
            (Place::Clone(folder), None),
            (Place::Outside, None),
            (Place::GitDir(folder), Some("/clone".to_owned())),
        ] {
            assert_eq!(given(place, "GIT_DIR"), git_dir, "{place:?}");
            let kept = caller.clone().filter(|_| matches!(place, Place::AsAgent(_)));
            for name in OF_REPOSITORY.iter().filter(|name| **name != "GIT_DIR") {
                assert_eq!(given(place, name), kept, "{place:?} {name}");
            }
            assert_eq!(given(place, "GIT_CONFIG_COUNT"), caller, "{place:?}");
        }
    }

    #[test]
    fn in_a_clone_git_fetches_nothing() {
        let folder = Path::new("/clone");
        for place in [Place::AsAgent(folder), Place::Clone(folder)] {
            assert_eq!(given(place, "GIT_ALLOW_PROTOCOL").as_deref(), Some(""), "{place:?}");
            assert_eq!(given(place, "GIT_NO_LAZY_FETCH").as_deref(), Some("1"), "{place:?}");
        }
    }

    #[test]
    fn every_variable_that_git_calls_local_is_known() {
        let output = Command::new("git").args(["rev-parse", "--local-env-vars"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let unknown: Vec<_> = text
            .lines()
            .filter(|name| !matches!(*name, "GIT_CONFIG_PARAMETERS" | "GIT_CONFIG_COUNT"))
            .filter(|name| !OF_REPOSITORY.contains(name))
            .collect();
        assert_eq!(unknown, [""; 0]);
    }
}
