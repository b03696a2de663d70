//! What git reports of the branch of HEAD, asked once for all checks.

use super::{ask, layout};
use crate::doctor::context::Context;
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
}
