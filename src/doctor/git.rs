//! git: is it there, who commits, and where do the remotes of the repositories in question really lead?

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Context;
use super::outcome::{Evidence, Fix, Outcome};
use crate::catalogue::Code;
use crate::git_url::{GitUrl, Repository};
use crate::process::{self, Failure, Output};
use crate::provision::remotes;
use crate::resource::file::{self, Kind};
use crate::resource::remote;

const PATIENCE: Duration = Duration::from_secs(5);

pub fn check(context: &Context) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let version = git(context, None, &["--version"]);
    let missing = matches!(version, Err(Failure::Missing));
    if context.wants("git.client") {
        outcomes.push(match version {
            Ok(output) => Outcome::pass("git.client", None, "git is there")
                .with([Evidence::foreign("version", &output.stdout)]),
            Err(_) => Outcome::fail(
                "git.client",
                None,
                Code::GitMissing,
                "there is no git on PATH",
                Fix::report("install git in the image"),
            ),
        });
    }
    if missing {
        return outcomes;
    }
    if context.wants("git.identity") {
        outcomes.push(identity(context));
    }
    if context.wants("git.owner")
        && let Some(outcome) = owner(context)
    {
        outcomes.push(outcome);
    }
    if context.wants("git.remotes") {
        outcomes.extend(clone_remotes(context));
    }
    outcomes
}

/// Runs git in a folder, with nothing that the folder's repository could make it execute.
fn git(context: &Context, folder: Option<&Path>, arguments: &[&str]) -> Result<Output, Failure> {
    let mut git = process::caller("git");
    // core.fsmonitor and hooks are commands that a repository can set
    git.args([
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "protocol.ext.allow=never",
    ]);
    git.args(arguments).current_dir(folder.unwrap_or(&context.home.path));
    process::run(git, context.deadline(PATIENCE))
}

fn identity(context: &Context) -> Outcome {
    const ID: &str = "git.identity";
    let folder = context.folder.as_deref();
    match git(context, folder, &["var", "GIT_AUTHOR_IDENT"]) {
        Ok(output) if output.status.success() => Outcome::pass(ID, None, "git has an author for commits"),
        Ok(_) => Outcome::warn(
            ID,
            None,
            Code::GitIdentityMissing,
            "git has no author name and email, so a commit will fail",
            Fix::run(
                ["git", "config", "--global", "user.email", "you@example.com"],
                "set user.name and user.email",
            ),
        ),
        Err(failure) => Outcome::unknown(ID, None, "git did not say who commits", format!("{failure:?}")),
    }
}

/// Whether git would refuse the clone in the current folder.
fn owner(context: &Context) -> Option<Outcome> {
    const ID: &str = "git.owner";
    let folder = context.folder.as_deref()?;
    let output = git(context, Some(folder), &["rev-parse", "--git-dir"]).ok()?;
    if output.status.success() {
        return Some(Outcome::pass(ID, None, "git accepts the clone in the current folder"));
    }
    output.stderr.contains("dubious ownership").then(|| {
        let top = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder);
        let top = top.display().to_string();
        Outcome::fail(
            ID,
            Some(top.clone()),
            Code::RepositoryOtherOwner,
            "git refuses this clone, because it belongs to another user",
            Fix::run(
                ["git", "config", "--global", "--add", "safe.directory", &top],
                "trust this one folder, if it is yours to trust",
            ),
        )
    })
}

/// The remotes that concern a repository with a key: what git makes of their URLs, for fetching and for pushing.
fn clone_remotes(context: &Context) -> Vec<Outcome> {
    const ID: &str = "git.remotes";
    let keyed: Vec<Repository> =
        context.desired.repositories.iter().map(|record| record.repository.clone()).collect();
    let mut configs =
        if context.all { remotes::clones(&context.desired.roots(context.home)).configs } else { Vec::new() };
    configs.extend(context.folder.as_deref().and_then(config_of));
    configs.sort();
    configs.dedup();
    let mut outcomes = Vec::new();
    for config in configs {
        let Ok(Some(content)) = file::observe(&config, Kind::Shared) else { continue };
        let mut names: Vec<String> = remote::urls(&content.bytes)
            .into_iter()
            .flatten()
            .filter_map(|variable| variable.subsection)
            .collect();
        names.dedup();
        for name in names {
            outcomes.extend(one_remote(context, &config, &name, &keyed));
        }
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::skip(
            ID,
            None,
            "no clone with a remote that concerns an installed key is in view",
        ));
    }
    outcomes
}

fn one_remote(context: &Context, config: &Path, name: &str, keyed: &[Repository]) -> Option<Outcome> {
    const ID: &str = "git.remotes";
    let folder = config.parent()?;
    let ask = |push: bool| {
        let mut arguments = vec!["remote", "get-url"];
        arguments.extend(push.then_some("--push"));
        arguments.push(name);
        let output = git(context, Some(folder), &arguments).ok().filter(|output| output.status.success())?;
        GitUrl::parse(output.stdout.lines().next()?).ok()
    };
    let (fetch, push) = (ask(false)?, ask(true)?);
    let known =
        |url: &GitUrl| url.repository().and_then(|asked| keyed.iter().find(|known| known.same_as(asked)));
    let repository = known(&push).or_else(|| known(&fetch));
    if let Some(port) = push.port_in_path() {
        return Some(Outcome::warn(
            ID,
            Some(push.to_string()),
            Code::RemotePortInPath,
            format!("git takes `{port}` for a part of the path, not for a port"),
            Fix::run(
                ["git", "remote", "set-url", name, "ssh://git@HOST:PORT/OWNER/REPO.git"],
                "write it as an ssh:// URL",
            ),
        ));
    }
    let repository = repository?;
    let subject = Some(format!("{} ({name})", repository.to_ssh()));
    let evidence = [
        Evidence::new("clone", context.home.shown(folder)),
        Evidence::new("fetch", fetch.to_string()),
        Evidence::new("push", push.to_string()),
    ];
    let stored = stored_url(config, name);
    let outcome = match () {
        () if known(&push).is_none() => Outcome::warn(
            ID,
            subject,
            Code::RemotePushElsewhere,
            "pushes go to another repository than fetches",
            Fix::run(
                ["git", "remote", "set-url", "--push", name, &repository.to_ssh()],
                "set the push URL, if that is not meant",
            ),
        ),
        () if push.transport().is_ssh() => Outcome::pass(ID, subject, "pushes go over SSH"),
        () if stored.is_some_and(|url| url.transport().is_ssh()) => Outcome::fail(
            ID,
            subject,
            Code::RemoteReversed,
            "an insteadOf rule turns the SSH remote back to HTTPS",
            Fix::run(
                ["git", "config", "--show-origin", "--get-regexp", "^url[.].*insteadof$"],
                "find the rule, and take it out",
            ),
        ),
        () => Outcome::fail(
            ID,
            subject,
            Code::RemoteStillHttps,
            "pushes go over HTTPS, where the deploy key does not count",
            Fix::run(["pushready", "apply"], "run apply: it puts the remote on SSH"),
        ),
    };
    Some(outcome.with(evidence))
}

/// As it stands in the configuration, before any rule.
fn stored_url(config: &Path, name: &str) -> Option<GitUrl> {
    let content = file::observe(config, Kind::Shared).ok()??;
    let variable =
        remote::urls(&content.bytes).ok()?.find(|variable| variable.subsection.as_deref() == Some(name))?;
    GitUrl::parse(&variable.value?).ok()
}

/// The repository of the clone in the current folder: its `origin`, or its only remote.
pub fn current(context: &Context) -> Option<Repository> {
    let config = config_of(context.folder.as_deref()?)?;
    let content = file::observe(&config, Kind::Shared).ok()??;
    let urls: Vec<_> = remote::urls(&content.bytes).ok()?.filter(|variable| variable.key == "url").collect();
    let origin = urls.iter().find(|variable| variable.subsection.as_deref() == Some("origin"));
    let url = GitUrl::parse(origin.or(urls.first())?.value.as_deref()?).ok()?;
    url.repository().cloned()
}

/// The configuration of the clone around a folder.
pub fn config_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|above| above.join(".git/config")).find(|config| config.is_file())
}
