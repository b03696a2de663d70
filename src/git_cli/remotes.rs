//! The remotes of a clone as git sees them: where they lead once its rules are applied.

use std::time::Duration;

use super::Place;
use crate::process::{self, Failure, Output};

/// The URLs of one remote after git's rules, for fetching and for pushing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveRemote {
    pub name: String,
    pub fetch: String,
    pub push: Vec<String>,
}

/// Of `packed-refs`, in bytes: git maps all of it where a branch has no file of its own. A million
/// refs fit.
pub const MOST_REFS: u64 = 64 << 20;

/// What `git remote --verbose` prints, of no more than `most` bytes.
pub fn list(place: Place, most: usize, deadline: Duration) -> Result<Output, Failure> {
    let mut git = super::command(place);
    git.args(["remote", "--verbose"]);
    process::run_up_to(most, git, deadline)
}

/// Reads what `git remote --verbose` printed. Pure.
pub fn parse(text: &str) -> Vec<EffectiveRemote> {
    let mut remotes: Vec<EffectiveRemote> = Vec::new();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once('\t') else { continue };
        // the filter of a partial clone follows
        let Some((url, is_push)) = [(" (fetch)", false), (" (push)", true)]
            .into_iter()
            .find_map(|(mark, is_push)| Some((rest.rsplit_once(mark)?.0, is_push)))
        else {
            continue;
        };
        if !is_push {
            remotes.push(EffectiveRemote {
                name: name.to_owned(),
                fetch: url.to_owned(),
                push: Vec::new(),
            });
        } else if let Some(remote) = remotes.last_mut().filter(|remote| remote.name == name) {
            remote.push.push(url.to_owned());
        }
    }
    remotes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_read_as_git_prints_them() {
        let text = "origin\tgit@h:o/r.git (fetch) [blob:none]\norigin\tgit@h:o/r.git (push)\norigin\t/a b (push)\n\
                    up\thttps://h/o/r (fetch)\nup\tno_push (push)\nodd\n";
        let remote = |name: &str, fetch: &str, push: &[&str]| EffectiveRemote {
            name: name.to_owned(),
            fetch: fetch.to_owned(),
            push: push.iter().map(|url| (*url).to_owned()).collect(),
        };
        assert_eq!(
            parse(text),
            [
                remote("origin", "git@h:o/r.git", &["git@h:o/r.git", "/a b"]),
                remote("up", "https://h/o/r", &["no_push"]),
            ]
        );
    }
}
