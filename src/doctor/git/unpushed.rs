//! Whether git can read what the next push has to send: the commits that no remote has, their
//! objects, and what is staged. Asked of the commands that a push runs for it.

use super::{Completed, ask, of_head, read_within};
use crate::doctor::context::Context;
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::{self, Place};
use crate::process::{Bounds, Output};

/// An object that git does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// By git.
    pub said: String,
    /// Whether it keeps git from every push. A newer git also needs the parents of the remote's
    /// commit.
    pub is_sent: bool,
}

/// The first. `None`: git reads all, or did not end in time. `staged`: what `git diff-index --raw`
/// printed. A partial clone lacks objects by design.
pub fn unreadable(context: &Context, staged: &str, is_partial: bool) -> Option<Unreadable> {
    let sent = unsendable(context, staged, is_partial);
    sent.map(|said| Unreadable { said, is_sent: true }).or_else(|| {
        let head = of_head(context)?;
        let parents = |tracked| error(&ask(context, &["rev-list", "--max-count=2", tracked, "--"]));
        let said = error(&head.answer).or_else(|| head.tracked().and_then(parents))?;
        Some(Unreadable { said, is_sent: false })
    })
}

fn unsendable(context: &Context, staged: &str, is_partial: bool) -> Option<String> {
    let listed = ask(context, &["rev-list", "--boundary", "HEAD", "--not", "--remotes", "--"]);
    if let Some(error) = error(&listed) {
        return Some(error);
    }
    let listed = listed.ok().filter(|output| output.status.success())?.stdout;
    let revisions = revisions(&listed, staged)?;
    let mut git = git_cli::command(Place::AsAgent(context.folder.as_deref()?));
    // no object is compressed again, and no large one is taken into memory
    for setting in ["pack.window=0", "pack.compression=0", "core.bigFileThreshold=1m"] {
        git.args(["-c", setting]);
    }
    git.args(["pack-objects", "--revs", "--thin", "--stdout", "-q"]);
    let answer = read_within(Bounds::OBJECTS, context, git, revisions.as_bytes());
    let error = error(&answer)?;
    // before its last words
    let is_damaged = |output: &Output| {
        ["is corrupt", "is empty"].iter().any(|words| output.stderr.contains(words))
    };
    (!is_partial || answer.as_ref().is_ok_and(is_damaged)).then_some(error)
}

/// The line in which git says that it cannot read an object.
fn error(answer: &Completed) -> Option<String> {
    let output = answer.as_ref().ok().filter(|output| output.status.code() == Some(128))?;
    of_object(output)
}

/// Pure.
fn of_object(output: &Output) -> Option<String> {
    const WORDS: &[&str] = &[
        "bad object",
        "bad tree object",
        "could not read",
        "failed to traverse parents",
        "is corrupt",
        "is empty",
        "unable to read",
        "unable to unpack",
    ];
    let is_other = output.is_of_the_machine()
        || output.stderr.contains("promisor")
        || ConfigError::parse(&output.stderr).is_some();
    let names_object = |line: &&str| {
        let line = line.to_lowercase();
        WORDS.iter().any(|words| line.contains(words))
    };
    let line = output.stderr.lines().rfind(names_object)?;
    (!is_other).then(|| line.to_owned())
}

/// Commits at which the history begins that no remote has, and files that are staged: so many fit
/// into a pipe.
const MOST: usize = 700;

/// What `git pack-objects --revs` is to read: HEAD and what is staged, without what remotes have.
/// `listed`: what `git rev-list --boundary` printed. `None`: there is nothing. Pure.
fn revisions(listed: &str, staged: &str) -> Option<String> {
    let has_commits = listed.lines().any(|line| !line.starts_with('-'));
    let head = has_commits.then_some("HEAD");
    let staged = staged.lines().filter_map(|line| {
        let mut words = line.strip_prefix(':')?.split(' ').skip(1);
        let (mode, id, status) = (words.next()?, words.nth(1)?, words.next()?);
        let is_file = mode != "160000" && id.bytes().any(|byte| byte != b'0');
        (is_file && !status.starts_with('U')).then_some(id)
    });
    let staged: Vec<_> = staged.take(MOST).collect();
    if !has_commits && staged.is_empty() {
        return None;
    }
    let there = listed.lines().filter_map(|line| line.strip_prefix('-')).take(MOST);
    let there = (!has_commits).then_some("HEAD").into_iter().chain(there);
    let sent = head.into_iter().chain(staged).map(|id| format!("{id}\n"));
    Some(sent.chain(there.map(|id| format!("^{id}\n"))).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_remotes_have_is_not_sent() {
        let (zero, one, two) = ("0".repeat(40), "1".repeat(40), "2".repeat(40));
        let changed =
            format!(":100644 100644 {zero} {one} M\tf\n:100644 000000 {one} {zero} D\tg\n");
        let link =
            format!(":000000 160000 {zero} {one} A\tsub\n:000000 000000 {zero} {zero} U\tf\n");
        for (listed, staged, expected) in [
            ("", "", None),
            ("", &*link, None),
            (&*format!("-{two}\n"), "", None),
            (&*format!("{one}\n-{two}\n"), "", Some(format!("HEAD\n^{two}\n"))),
            ("", &*changed, Some(format!("{one}\n^HEAD\n"))),
            (&*format!("{one}\n-{two}\n"), &*changed, Some(format!("HEAD\n{one}\n^{two}\n"))),
        ] {
            assert_eq!(revisions(listed, staged), expected, "{listed:?} {staged:?}");
        }
    }

    /// As git 2.39 prints each.
    #[test]
    fn an_unreadable_object_is_known_by_the_message() {
        for (stderr, expected) in [
            ("fatal: unable to read 422c2b7", true),
            ("fatal: bad tree object 4f580e3", true),
            ("error: Could not read 4834bd9\nfatal: revision walk setup failed", true),
            ("error: Could not read 4834bd9\nfatal: Failed to traverse parents of commit 1", true),
            (
                "error: object file .git/objects/42/2c is empty\nfatal: loose object 422c (stored in .git/objects/42/2c) is corrupt",
                true,
            ),
            ("fatal: bad object HEAD", true),
            ("fatal: could not fetch 422c from promisor remote", false),
            ("fatal: unable to create thread: Resource temporarily unavailable", false),
            ("fatal: bad config variable 'pack.threads' in file '/h/.gitconfig' at line 2", false),
            ("fatal: invalid number of threads specified (-1)", false),
        ] {
            let status = ExitStatus::from_raw(128 << 8);
            let output = Output { status, stdout: String::new(), stderr: stderr.to_owned() };
            assert_eq!(of_object(&output).is_some(), expected, "{stderr}");
        }
    }
}
