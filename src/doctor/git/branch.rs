//! What git reports of the branch of HEAD, asked once for all checks.

use super::{ask, layout};
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::process::Completed;

/// The branch, be it one without a commit.
pub struct HeadBranch {
    /// `refs/heads/main`.
    pub name: String,
    /// One line with the fields of [`FORMAT`]; nothing where it has no commit.
    pub answer: Completed,
}

/// Where a plain push goes: the remote, the ref there where a refspec maps the branch, the ref that
/// remembers that one, and how the branch is related to that, in signs. Then the type of its object.
const FORMAT: &str = "--format=%(push:remotename)%00%(push:remoteref)%00%(push)%00%(push:trackshort)%00%(objecttype)";

struct HeadFacts(Option<HeadBranch>);

/// `None`: HEAD is on no branch.
pub fn of_head<'c>(context: &'c Context) -> Option<&'c HeadBranch> {
    let gather = || {
        let name = layout(context)?.branch()?;
        // reftable keeps HEAD elsewhere
        let name = if name == "refs/heads/.invalid" {
            let output = ask(context, &["symbolic-ref", "-q", "HEAD"]).ok()?;
            output.stdout.trim_end().to_owned()
        } else {
            name
        };
        let name = Some(name).filter(|name| is_branch(name))?;
        let answer = ask(context, &["for-each-ref", FORMAT, &name]);
        Some(HeadBranch { name, answer })
    };
    context.gathered.get(|| HeadFacts(gather())).0.as_ref()
}

/// The remote of a branch for which no setting names one: the only one, or else `origin` (git's
/// remote.c, remotes_remote_for_branch).
pub fn default_remote(context: &Context, clone: &InView) -> String {
    const DEFAULT: &str = "origin";
    // an older git takes no other: it prints the URL of the one that it takes
    let takes = |only: &str| {
        let mut remotes = clone.remotes().iter();
        let remote = remotes.find(|remote| remote.name == only)?;
        let output = ask(context, &["ls-remote", "--get-url"]).ok()?;
        (output.stdout.trim_end() == remote.fetch).then(|| only.to_owned())
    };
    only_remote(clone.config())
        .filter(|only| *only != DEFAULT)
        .and_then(takes)
        .unwrap_or_else(|| DEFAULT.to_owned())
}

/// The only name of which there is a setting, be it another one than a URL. Pure.
fn only_remote(config: &EffectiveConfig) -> Option<&str> {
    fn name(value: ConfigValue<'_>) -> Option<&str> {
        Some(value.key.strip_prefix("remote.")?.rsplit_once('.')?.0)
    }
    let mut names = config.under("remote.").filter_map(name).filter(|name| !name.starts_with('/'));
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

impl HeadBranch {
    /// `commit`, unless somebody made the ref by hand.
    pub fn object_type(&self) -> Option<&str> {
        let line = self.answer.as_ref().ok()?.stdout.lines().next()?;
        line.rsplit('\0').next()
    }

    /// The ref that remembers where a plain push goes.
    pub fn tracked(&self) -> Option<&str> {
        let line = self.answer.as_ref().ok()?.stdout.lines().next()?;
        line.split('\0').nth(2).filter(|name| !name.is_empty())
    }
}

/// Whether HEAD's name is one of a branch: git takes any other for none (git-check-ref-format(1)).
/// Pure.
fn is_branch(name: &str) -> bool {
    let Some(name) = name.strip_prefix("refs/heads/") else { return false };
    let is_part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none()
    };
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    name.split('/').all(is_part)
        && !name.ends_with('.')
        && !name.contains(forbidden)
        && !name.contains("..")
        && !name.contains("@{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_has_a_name_that_git_accepts() {
        for (name, expected) in [
            ("refs/heads/main", true),
            ("refs/heads/feat/x-1", true),
            ("refs/heads/ü", true),
            ("refs/remotes/origin/main", false),
            ("refs/heads/", false),
            ("refs/heads/a..b", false),
            ("refs/heads/a.lock", false),
            ("refs/heads/.a", false),
            ("refs/heads/a b", false),
            ("refs/heads/a\\b", false),
            ("refs/heads/a@{1}", false),
        ] {
            assert_eq!(is_branch(name), expected, "{name}");
        }
    }

    #[test]
    fn a_remote_is_the_only_one_where_no_other_is_set_up() {
        let of = |keys: &[&str]| {
            let entry = |key: &&str| format!("local\0file:.git/config\0{key}\nx\0");
            let config = EffectiveConfig::parse(keys.iter().map(entry).collect::<String>());
            only_remote(&config).map(str::to_owned)
        };
        let gh = Some("g.h".to_owned());
        assert_eq!(of(&["remote.g.h.url", "remote.g.h.fetch", "remote.pushdefault"]), gh);
        assert_eq!(of(&["remote.g.h.url", "remote.origin.prune"]), None);
        assert_eq!(of(&["remote.pushdefault", "branch.main.remote"]), None);
    }
}
