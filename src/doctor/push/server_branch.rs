//! What the refs that a server lists say of a push of one branch.

use super::written;
use crate::catalogue::{Code, Fix};
use crate::doctor::context::{Context, Depth};
use crate::doctor::git;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::is_object_id;
use crate::git::url::GitUrl;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::push_message;

/// What a server has beside one branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerBranch {
    /// A ref that cannot be beside one of this name: `feat` and `feat/x`.
    taken_by: Option<String>,
    /// The object of the branch of the same name.
    object: Option<String>,
}

impl ServerBranch {
    /// From the refs as a server lists them (gitprotocol-pack(5), "Reference Discovery"), be they cut.
    /// Pure.
    pub fn of(branch: &str, advertised: &str) -> Self {
        let mut found = Self::default();
        let is_below = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
        };
        for (object, name) in refs(advertised) {
            if name == branch {
                found.object = Some(object.to_owned());
            } else if is_below(name, branch) || is_below(branch, name) {
                found.taken_by.get_or_insert_with(|| name.to_owned());
            }
        }
        found
    }
}

/// The object and the name of each ref. Pure.
fn refs(advertised: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = advertised;
    let lines = std::iter::from_fn(move || {
        let length = usize::from_str_radix(rest.get(..4)?, 16).ok()?;
        let line = rest.get(4..length)?;
        rest = rest.get(length..)?;
        Some(line)
    });
    lines.filter_map(|line| {
        let (object, name) = line.trim_end().split_once(' ')?;
        is_object_id(object).then_some(())?;
        Some((object, name.split('\0').next()?))
    })
}

/// Why the servers to which the branch is pushed would refuse it, by what they listed. They are not
/// asked for that offline.
pub fn refusal(
    context: &Context,
    urls: &[String],
    remote: &str,
    fetch: Option<&str>,
    config: &EffectiveConfig,
) -> Option<Judgement> {
    if context.depth == Depth::Offline {
        return None;
    }
    let pushed = context.push_urls.iter().filter(|url| url.is_pushed_to);
    let mut pushed = pushed.filter(|url| urls.contains(&url.text()));
    pushed.find_map(|url| {
        let branch = written(context, url)?.branch.as_ref()?;
        let judgement =
            judge(branch, is_forced_push(remote, config), |object| has(context, object))?;
        let is_other = fetch.is_some_and(|fetch| is_other(fetch, &url.text()));
        Some(if is_other { judgement.fixed(Fix::report(OTHER_FETCH)) } else { judgement })
    })
}

const OTHER_FETCH: &str = "the remote fetches from another repository, so `git pull` does not help: \
    correct the push URL that `git remote -v` shows, or `git pull --rebase PUSH-URL BRANCH`";

/// Whether both name a repository, each another one. Pure.
fn is_other(fetch: &str, push: &str) -> bool {
    let path = |url| {
        let url = GitUrl::parse(url).ok()?;
        Some(url.repository()?.path().to_ascii_lowercase())
    };
    path(fetch).zip(path(push)).is_some_and(|(fetch, push)| fetch != push)
}

/// Whether a plain push overwrites the remote's branch. Pure.
pub fn is_forced_push(remote: &str, config: &EffectiveConfig) -> bool {
    let key = format!("remote.{remote}.push");
    let mut refspecs = config.under(&key).filter(|value| value.key == key);
    refspecs.any(|refspec| refspec.value.is_some_and(|it| it.starts_with('+')))
}

/// Whether HEAD has the object in its history.
fn has(context: &Context, object: &str) -> bool {
    let asked = ["merge-base", "--is-ancestor", object, "HEAD"];
    // where git does not answer, nothing is known
    git::ask(context, &asked).map_or(true, |output| output.status.success())
}

/// Pure.
fn judge(branch: &ServerBranch, is_forced: bool, has: impl Fn(&str) -> bool) -> Option<Judgement> {
    if let Some(other) = &branch.taken_by {
        let code = Code::PushRefInvalid;
        let summary = "the server has a branch beside which it cannot have one of this name, so a \
                       plain `git push` is refused";
        let fix = Fix::report("rename the branch: `git branch --move NAME`, and push it again");
        let judgement = Judgement::fail(code, summary, fix);
        return Some(judgement.with([Evidence::foreign("server's branch", other)]));
    }
    let object = branch.object.as_ref().filter(|object| !is_forced && !has(object))?;
    let code = Code::PushNonFastForward;
    let summary = "the server's branch has commits that this one lacks, so a plain `git push` is \
                   refused";
    let judgement = Judgement::warn(code, summary, push_message::fix(code, None));
    Some(judgement.with([Evidence::new("server's commit", object)]))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::doctor::outcome::CheckStatus;

    fn advertised(names: &[&str]) -> String {
        let mut text = String::new();
        for (nth, name) in names.iter().enumerate() {
            let capabilities = if nth == 0 { "\0report-status object-format=sha1" } else { "" };
            let line = format!("{} {name}{capabilities}\n", "1".repeat(40));
            let _ = write!(text, "{:04x}{line}", line.len() + 4);
        }
        text + "0000"
    }

    #[test]
    fn the_refs_of_a_server_are_read() {
        let id = "1".repeat(40);
        let feat = "refs/heads/feat";
        for (names, branch, taken_by, is_there) in [
            (&["refs/heads/main"][..], feat, None, false),
            (&["refs/heads/main", feat], feat, None, true),
            (&[feat], "refs/heads/feat/x", Some(feat), false),
            (&["refs/heads/feat/x", feat], feat, Some("refs/heads/feat/x"), true),
            (&["refs/heads/feature", "refs/tags/feat/x"], feat, None, false),
            (&[], feat, None, false),
        ] {
            let text = advertised(names);
            let expected = ServerBranch {
                taken_by: taken_by.map(str::to_owned),
                object: is_there.then(|| id.clone()),
            };
            assert_eq!(ServerBranch::of(branch, &text), expected, "{names:?} {branch}");
            for end in 0..text.len() {
                ServerBranch::of(branch, &text[..end]);
            }
        }
        assert_eq!(refs("zzzz").count(), 0);
        assert_eq!(refs("0000").count(), 0);
        assert_eq!(refs("0004").count(), 0);
    }

    #[test]
    fn a_branch_that_the_server_refuses_is_judged() {
        let branch = |taken: bool, object: bool| ServerBranch {
            taken_by: taken.then(|| "refs/heads/feat".to_owned()),
            object: object.then(|| "1".to_owned()),
        };
        for (branch, is_forced, has, expected) in [
            (branch(false, false), false, false, None),
            (branch(false, true), false, true, None),
            (branch(false, true), true, false, None),
            (
                branch(false, true),
                false,
                false,
                Some((CheckStatus::Warn, Some(Code::PushNonFastForward))),
            ),
            (
                branch(true, false),
                true,
                true,
                Some((CheckStatus::Fail, Some(Code::PushRefInvalid))),
            ),
        ] {
            let judgement = judge(&branch, is_forced, |_| has);
            let found = judgement.map(|judgement| (judgement.status, judgement.code));
            assert_eq!(found, expected, "{branch:?} {is_forced} {has}");
        }
    }
}
