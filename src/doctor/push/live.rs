//! A real push to a throw-away branch that is deleted again: what the advertisement cannot prove.
//! What the server says of other branches, and of what is in the commits to come, it does not prove
//! either.

use super::asking::ask;
use sha2::{Digest as _, Sha256};

use super::by_git::hung;
use super::{
    Access, ChosenBy, PushUrl, SshChoice, SshCommand, SshUrl, Transit, WithoutValue,
    may_be_the_command, of_clone, ssh_target, without_value,
};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::clones::InView;
use crate::doctor::connections::RunEnded;
use crate::doctor::context::Context;
use crate::doctor::context::NETWORK;
use crate::doctor::git::{self, CommitObject};
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement};
use crate::doctor::ssh;
use crate::git::url::Repository;
use crate::git_cli::scratch::{Hash, Scratch};
use crate::process::{self, Bounds, Failure, Output};
use crate::push_message::{Hints, classify};

/// Of the newest commit, with all its files. Where it is larger, a commit of our own is pushed.
const LARGEST_PACK: u64 = 64 << 20;
/// The commit goes into one pack, whose objects are unpacked one at a time, and large files are not
/// kept in memory.
const LITTLE_MEMORY: [&str; 8] = [
    "-c",
    "fetch.unpackLimit=1",
    "-c",
    "core.bigFileThreshold=1m",
    "-c",
    "core.deltaBaseCacheLimit=8m",
    "-c",
    "pack.threads=1",
];

pub fn live(context: &Context, url: &PushUrl) -> Judgement {
    if let Some(judgement) = git::keeps_from_pushing(context) {
        return judgement;
    }
    if !url.is_pushed_to {
        return Judgement::skip("no remote in view pushes there");
    }
    let (repository, text, over_ssh) = match &url.way {
        Transit::Ssh(url) => (&url.repository, url.text(), Some(url)),
        Transit::Git(url) => match url.repository() {
            Some(repository) if context.has_key(repository) => {
                return git::still_https().reported_by(git::REMOTES);
            }
            Some(repository) => (repository, url.without_credential().to_owned(), None),
            None => return Judgement::skip("the URL names no repository"),
        },
    };
    let push = || push(context, repository, &text, over_ssh);
    let ended = |RunEnded| ssh::unreachable(context, &RunEnded.into());
    context.connections.to(url.host(), push).unwrap_or_else(ended)
}

/// Over whichever transport the URL names; it holds no credential.
fn push(
    context: &Context,
    repository: &Repository,
    url: &str,
    over_ssh: Option<&SshUrl>,
) -> Judgement {
    let cannot = |why: String| Judgement::unknown("the probe could not be made", why);
    let clones: Vec<&InView> = context.clones.of(repository).collect();
    let ssh = match over_ssh.map(|_| SshChoice::of(context, &clones)).transpose() {
        Ok(ssh) => ssh,
        Err(WithoutValue) => return without_value(),
    };
    if let Some(SshChoice { used, .. }) = &ssh
        && used.by == ChosenBy::Clone
    {
        return of_clone(used);
    }
    let object = clones.iter().any(|clone| clone.is_current).then(|| git::commit_object(context));
    if let Some(CommitObject::Refused(judgement)) = object
        && judgement.status == CheckStatus::Fail
    {
        return (*judgement).clone().reported_by("git.commit");
    }
    let mut scratch = match Scratch::new(Hash::Sha1, || context.deadline(NETWORK)) {
        Ok(scratch) => scratch,
        Err(why) => return cannot(why),
    };
    // several URLs may lead to one repository
    let digest = Sha256::digest(url);
    let way: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let now = context.env.now.as_millisecond();
    let branch = format!("refs/heads/pushready/probe-{}-{now}-{way}", std::process::id());
    let run_within = |bounds, scratch: &Scratch, arguments: &[&str]| {
        let mut git = scratch.git();
        // what git has in the clone, by a condition on its folder or remote, it has not here
        if let Some(SshChoice {
            used: SshCommand { by: ChosenBy::Configuration, text, .. }, ..
        }) = &ssh
        {
            git.arg("-c").arg(format!("core.sshCommand={text}"));
        }
        git.args(arguments);
        process::run_within(bounds, git, context.deadline(NETWORK))
    };
    // an object that the server has already: a new one could be judged for what is in it
    let fetch = [&LITTLE_MEMORY[..], &["fetch", "--quiet", "--depth=1", url, "HEAD"]].concat();
    let bounds = Bounds::ASKING.writing(LARGEST_PACK);
    let fetch = |scratch: &Scratch| run_within(bounds, scratch, &fetch);
    let mut fetched = fetch(&scratch);
    if fetched.as_ref().is_ok_and(Hash::is_another)
        && let Ok(other) = Scratch::new(Hash::Sha256, || context.deadline(NETWORK))
    {
        scratch = other;
        fetched = fetch(&scratch);
    }
    let run = |arguments: &[&str]| run_within(Bounds::ASKING, &scratch, arguments);
    let fetched = fetched.is_ok_and(|said| said.status.success());
    let source = if fetched { "FETCH_HEAD" } else { &scratch.commit };
    let pushed = run(&["push", "--no-verify", url, &format!("{source}:{branch}")]);
    // also after a failure: a push that timed out may have arrived
    let deleted = run(&["push", "--no-verify", url, &format!(":{branch}")]);
    let gone = match &deleted {
        Ok(said) => said.status.success() || said.stderr.contains("remote ref does not exist"),
        Err(_) => false,
    };
    let left = !gone && may_be_there(&pushed, || run(&["ls-remote", url, &branch]));
    let outcome = match &pushed {
        Ok(said) if said.status.success() && !left => {
            Judgement::pass("a throw-away branch was pushed and deleted")
        }
        Ok(said) if said.status.success() => not_deleted(repository, &deleted),
        Ok(said) if is_about_the_name(&said.stderr, &branch) => {
            unproven(classified(repository, said))
        }
        Ok(said) => classified(repository, said),
        Err(Failure::Deadline) if over_ssh.is_none() => hung(context, &scratch, url),
        Err(failure) => super::ssh::unreachable(context, failure),
    };
    let outcome = match &ssh {
        Some(SshChoice { used, alternative: Some(other) })
            if may_be_the_command(&outcome)
                && over_ssh.is_some_and(|url| works(context, url, other)) =>
        {
            used.broken(Some(other)).with(outcome.evidence)
        }
        _ => outcome,
    };
    let outcome = outcome.with([Evidence::new("branch", branch.clone())]);
    let outcome = outcome.with(object.map(|object| Evidence::new("commit object", object.shown())));
    match outcome.status {
        CheckStatus::Warn => {
            let say = format!("ask somebody who can delete branches to delete `{branch}`");
            let outcome = outcome.fixed(Fix::report(say));
            Judgement { actor: Some(Actor::RepoAdmin), agent_may_fix: false, ..outcome }
        }
        _ if left => {
            let summary = format!("{}; the throw-away branch may still exist", outcome.summary);
            Judgement { summary, ..outcome }
        }
        _ => outcome,
    }
}

/// Whether the server answers when ssh is started in this way.
fn works(context: &Context, url: &SshUrl, ssh: &SshCommand) -> bool {
    let at = ssh_target(context, url, Access::Write, &[]);
    at.is_ok_and(|at| ask(context, &at, Access::Write, ssh).grants())
}

/// Whether the branch is there after all; where the server does not tell, it may be, unless the
/// server refused the push.
fn may_be_there(
    pushed: &Result<Output, Failure>,
    list: impl FnOnce() -> Result<Output, Failure>,
) -> bool {
    match list() {
        Ok(said) if said.status.success() => !said.stdout.trim().is_empty(),
        _ => !matches!(pushed, Ok(said) if !said.status.success()),
    }
}

fn classified(repository: &Repository, said: &Output) -> Judgement {
    let hints = Hints {
        remote: Some(repository),
        key_is_ours: Some(true),
        failed: true,
        ..Hints::default()
    };
    classify(&said.stderr, &hints).judgement()
}

/// How servers refuse a branch for its name, or because it is new: rulesets and Gerrit, Azure,
/// GitLab, Bitbucket, and hooks.
const ABOUT_THE_NAME: [&str; 13] = [
    "creations being restricted",
    "not permitted: create",
    "createbranch",
    "create branch",
    "create new branch",
    "create a branch",
    "create a new branch",
    "creating branch",
    "creation of branch",
    "branch creation",
    "branch name",
    "name of the branch",
    "name of your branch",
];
/// GitHub begins so whatever the rule is about.
const ABOUT_ANY_RULE: [&str; 2] = ["repository rule violations found", "protected branch update"];

/// Whether the server refuses this branch for its name, or because it is new: others it may take.
/// Pure.
fn is_about_the_name(said: &str, branch: &str) -> bool {
    let branch = branch.trim_start_matches("refs/heads/");
    said.lines().any(|line| {
        let line = line.trim();
        // git's own line always names the branch: what counts is the reason at its end
        let reason = || line.strip_prefix("! [remote rejected]")?.split_once(" (").map(|it| it.1);
        let words = line.strip_prefix("remote:").or_else(reason).unwrap_or_default();
        let words = words.to_ascii_lowercase();
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
        has(&ABOUT_THE_NAME) || words.contains(branch) && !has(&ABOUT_ANY_RULE)
    })
}

/// What a refusal of the throw-away branch alone proves of the branches that an agent pushes.
fn unproven(refused: Judgement) -> Judgement {
    let reason = "a push of the branch that is to be pushed; or let this server take branches of \
                  the form `pushready/probe-*`";
    Judgement {
        status: CheckStatus::Unknown,
        summary: "the server refuses the throw-away branch for its name, or because it is new: \
                  that proves nothing of other branches"
            .to_owned(),
        reason: Some(reason.to_owned()),
        stop_and_report: false,
        ..refused
    }
}

/// The push went through, so the work can go on; why the branch stayed is the server's word.
fn not_deleted(repository: &Repository, deleted: &Result<Output, Failure>) -> Judgement {
    let said = deleted.as_ref().ok().map(|said| classified(repository, said));
    let code = said.as_ref().and_then(|said| said.code).unwrap_or(Code::PushTimeout);
    let evidence = said.map(|said| said.evidence).unwrap_or_default();
    let fix = Fix::report("delete it by hand");
    Judgement::warn(code, "a throw-away branch was pushed, and could not be deleted again", fix)
        .with(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_a_name_is_not_a_refusal_of_every_push() {
        let branch = "refs/heads/pushready/probe-77-1-ab";
        let git = |server: &str, reason: &str| {
            let server: String =
                server.lines().map(|it| format!("remote: {it}        \n")).collect();
            format!(
                "{server}To github.com:o/app.git\n ! [remote rejected] {branch} -> {branch} ({reason})\n\
                 error: failed to push some refs to 'github.com:o/app.git'\n"
            )
        };
        let declined = "pre-receive hook declined";
        let rules = format!("error: GH013: Repository rule violations found for {branch}.\n");
        for (said, is) in [
            (
                git(
                    &format!("{rules}\n- Cannot create ref due to creations being restricted."),
                    "push declined due to repository rule violations",
                ),
                true,
            ),
            (
                git(
                    &format!("{rules}\n- Commits must have verified signatures."),
                    "push declined due to repository rule violations",
                ),
                false,
            ),
            (
                git(
                    &format!("error: GH006: Protected branch update failed for {branch}."),
                    "protected branch hook declined",
                ),
                false,
            ),
            (
                git(
                    "GitLab: Branch name 'pushready/probe-77-1-ab' does not follow the pattern '^feature/'",
                    declined,
                ),
                true,
            ),
            (git("", "prohibited by Gerrit: not permitted: create"), true),
            (git("pushready/probe-77-1-ab: only agent/* may be pushed", declined), true),
            (git("TF401027: You need the Git 'CreateBranch' permission", declined), true),
            (git("each commit needs the number of a ticket", declined), false),
            (git("", declined), false),
            (git("Permission denied", "permission denied"), false),
        ] {
            assert_eq!(is_about_the_name(&said, branch), is, "{said}");
        }
    }
}
