//! git: is it there, would it make a commit, and where do the remotes of the repositories in
//! question really lead?

mod access;
mod attributes;
mod branch;
mod clone;
mod commit;
mod commit_object;
mod encoding;
mod environment;
pub mod executable;
mod hooks;
mod layout;
mod lfs;
mod line_endings;
mod locks;
mod new_clone;
mod others;
mod own_form;
mod parts;
mod programs;
mod python;
mod refusal;
mod remotes;
pub mod script;
pub mod setting;
mod shell;
mod signing;
mod unfinished;
mod unpushed;
pub mod way;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::Access;

use super::clones::{InView, hold};
use super::outcome::{Evidence, Judgement};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::push_url::PushUrl;
use crate::git::url::{GitUrl, rewrite};
use crate::git_cli::config_error::{ConfigError, ErrorScope};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::{self, Place};
use crate::process::{self, Bounds, Completed, Failure};
use crate::provision::routing;
use crate::push_message;
use crate::variables::observed;
pub use branch::{HeadBranch, default_remote, of_head};
pub use commit::{commit, untyped};
pub use commit_object::{CommitObject, commit_object};
pub use executable::Programs;
pub use hooks::is_git_command;
pub use layout::Layout;
pub use lfs::lfs;
pub use new_clone::{in_new_clone, of_new_clone};
pub use programs::{program, programs};
use refusal::{Refusal, refusal};
pub use refusal::{has_unusual, refused_value};
pub use remotes::{
    REMOVE_RULE, is_marker, local_path, no_repository, set_push_url, set_url, still_https,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Reports a configuration that git does not accept. The other checks in which git reads it are
/// blocked by that.
const CONFIG: &str = "git.config";
/// Reports where the remotes of keyed repositories lead.
pub const REMOTES: &str = "git.remotes";

/// What git answers in the current folder.
#[derive(Debug)]
pub struct GitFacts {
    author: Completed,
    /// Asked where it may differ from the author's.
    committer: OnceLock<Completed>,
    config_error: Option<(ConfigError, Whose)>,
    /// The clone around the current folder.
    layout: Option<Layout>,
}

/// Whether git is configured, outside of any clone, not to use ssh.
struct SshForbidden(bool);

/// Whose configuration git does not accept.
#[derive(Debug)]
enum Whose {
    Everybody,
    /// The clone's with this top folder.
    Clone(PathBuf),
}

/// The clone in the current folder, and with `--all` the others.
pub fn clone(context: &Context) -> Vec<Judgement> {
    if let Some(blocked) = blocked(context) {
        return vec![blocked];
    }
    let current = clone::of_current_folder(context);
    // what is left in another work tree does not keep git from its work in this one
    let others = if context.clones.are_all() { others::check(context) } else { Vec::new() };
    [current].into_iter().chain(others).collect()
}

fn facts<'c>(context: &'c Context) -> &'c GitFacts {
    context.gathered.get(|| observe(context))
}

fn observe(context: &Context) -> GitFacts {
    let layout = context.folder.as_deref().and_then(|folder| {
        let variable = |name| context.env.raw(name).map(PathBuf::from);
        Layout::around(folder).or_else(|| {
            let work_tree = variable("GIT_WORK_TREE");
            Layout::named(folder, &variable("GIT_DIR")?, work_tree.as_deref())
        })
    });
    if let Some(error) = ConfigError::blocking(context.home) {
        // git would not end
        let config_error = Some((error, Whose::Everybody));
        return GitFacts::unanswered(config_error, layout);
    }
    if let Some((layout, error)) = layout.as_ref().and_then(|layout| {
        let files = [layout.common.join("config"), layout.git.join("config.worktree")];
        let blocking = |file: &PathBuf| ConfigError::blocking_at(context.home, file);
        Some((layout, files.iter().find_map(blocking)?))
    }) {
        let config_error = Some((error, Whose::Clone(layout.top.clone())));
        return GitFacts::unanswered(config_error, Some(layout.clone()));
    }
    let author = ask(context, &["var", "GIT_AUTHOR_IDENT"]);
    let config_error = config_error(context, &author);
    GitFacts { author, committer: OnceLock::new(), config_error, layout }
}

impl GitFacts {
    /// git would not end.
    fn unanswered(config_error: Option<(ConfigError, Whose)>, layout: Option<Layout>) -> Self {
        let committer = OnceLock::from(Err(Failure::Deadline));
        Self { author: Err(Failure::Deadline), committer, config_error, layout }
    }
}

/// What git answers about the committer. It makes the identity of the author in the same way (ident.c),
/// from variables and settings of other names.
fn committer<'c>(context: &'c Context, config: &EffectiveConfig) -> &'c Completed {
    const VARIABLES: &[&str] = &[
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_AUTHOR_DATE",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_COMMITTER_DATE",
    ];
    let facts = facts(context);
    let differs = VARIABLES.iter().any(|name| context.env.raw(name).is_some())
        || ["author.", "committer."].iter().any(|name| config.under(name).next().is_some())
        // it was not read
        || config.size() == 0;
    if facts.author.as_ref().is_ok_and(|author| author.status.success()) && !differs {
        return &facts.author;
    }
    facts.committer.get_or_init(|| ask(context, &["var", "GIT_COMMITTER_IDENT"]))
}

/// What variables of git's do to a commit from the current folder.
fn broken_environment(context: &Context, layout: Option<&Layout>) -> Option<Judgement> {
    let author = facts(context).author.as_ref().ok();
    // before git 2.40, as `git submodule` sets it for the commands that it runs
    if author.is_some_and(|output| output.stderr.contains("support --super-prefix")) {
        return Some(environment::super_prefix());
    }
    let top = layout.map_or(&*context.home.path, |layout| &layout.top);
    let folder = context.folder.as_deref().unwrap_or(top);
    if let Some(judgement) = refused_variable(context) {
        return Some(judgement);
    }
    let variable = |name: &str| context.env.raw(name).map(Into::into);
    let names_work_tree = effective_config(context).last("core.worktree").is_some();
    environment::judge(variable, folder, layout, names_work_tree, &environment::Real)
}

/// A variable whose value git refuses: with some only the commands that read them.
fn refused_variable(context: &Context) -> Option<Judgement> {
    let names: Vec<_> = context.env.names().filter(|name| environment::is_unusual(name)).collect();
    if names.is_empty() {
        return None;
    }
    let refused = |answer: &Completed| {
        let output = answer.as_ref().ok().filter(|output| !output.status.success())?;
        environment::refused(&output.stderr, &names)
    };
    let facts = facts(context);
    // as `git add` reads pathspecs and attributes
    let questions: [&[&str]; 2] = [&["ls-files", "--", "none"], &["check-attr", "text", "none"]];
    refused(&facts.author)
        .or_else(|| questions.iter().find_map(|arguments| refused(&ask(context, arguments))))
        .or_else(|| refused(&of_head(context)?.answer))
}

/// The clone around the current folder, be it a broken one.
pub fn layout<'c>(context: &'c Context) -> Option<&'c Layout> {
    facts(context).layout.as_ref()
}

/// git in the current folder.
pub fn ask(context: &Context, arguments: &[&str]) -> Completed {
    git(context, context.folder.as_deref(), arguments)
}

/// git's configuration in the current clone, or outside of any.
pub fn effective_config<'c>(context: &'c Context) -> &'c EffectiveConfig {
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    current.map_or_else(|| context.git_config(), |clone| clone.config())
}

/// Whether the current folder is in a clone, be it a broken one.
fn in_clone(context: &Context) -> bool {
    facts(context).layout.is_some()
}

/// What a check of the current clone is about: its repository, or else its folder.
pub fn own_subject(context: &Context) -> Option<String> {
    let layout = facts(context).layout.as_ref()?;
    let top = context.home.shown(&layout.top);
    Some(match context.clones.current() {
        Some(repository) => format!("{} ({top})", repository.to_ssh()),
        None => top,
    })
}

/// What git reports about its configuration.
fn config_error(context: &Context, author: &Completed) -> Option<(ConfigError, Whose)> {
    let output = match author {
        Ok(output) if output.status.success() => return None,
        Ok(output) => Some(output),
        Err(Failure::Deadline) => None,
        Err(_) => return None,
    };
    if let Some(config_error) = context.git_config_error() {
        return Some((config_error.clone(), Whose::Everybody));
    }
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    let top = current.map(InView::top).or(context.folder.as_deref())?;
    let config_error = ConfigError::parse(&output?.stderr)?.within(top);
    Some((config_error, Whose::Clone(top.to_owned())))
}

fn is_missing(context: &Context) -> bool {
    matches!(facts(context).author, Err(Failure::Missing))
}

pub fn client(context: &Context) -> Judgement {
    if is_missing(context) {
        let fix = Fix::report("install git in the image");
        return Judgement::fail(Code::GitMissing, "git is not on PATH", fix);
    }
    Judgement::pass("git is installed")
}

pub fn config(context: &Context) -> Vec<Judgement> {
    if is_missing(context) {
        return vec![Judgement::blocked(Code::GitMissing)];
    }
    let facts = facts(context);
    let own = match &facts.config_error {
        None => match &facts.author {
            Ok(_) => match current_failure(context) {
                Some(failure) => unanswered(context, failure),
                None => Judgement::pass("git accepts its configuration"),
            },
            Err(failure) => unanswered(context, failure),
        },
        Some((config_error, whose @ Whose::Everybody)) => {
            return vec![unreadable(context, whose, config_error)];
        }
        Some((config_error, whose)) => unreadable(context, whose, config_error),
    };
    // the settings of other clones are not looked at
    let is_pushed_from = |clone: &InView| {
        let mut pushed = context.push_urls.iter().filter_map(PushUrl::repository);
        pushed.any(|repository| clone.has_remote_of(repository))
    };
    let others = context.clones.listed().iter().filter(|clone| !clone.is_current);
    let others = others.filter_map(|clone| {
        let subject = || format!("clone {}", context.home.shown(clone.top()));
        let config_error = match clone.answer() {
            Ok(output) => {
                let Some(config_error) = ConfigError::parse(&output.stderr) else {
                    let failure = is_pushed_from(clone).then(|| clone.config_failure())??;
                    return Some(unanswered(context, failure).about(subject()));
                };
                config_error.within(clone.top())
            }
            Err(failure) => {
                let Some(blocking) = ConfigError::blocking_at(context.home, &clone.file) else {
                    return Some(unanswered(context, failure).about(subject()));
                };
                blocking
            }
        };
        Some(unreadable(context, &Whose::Clone(clone.top().to_owned()), &config_error))
    });
    [own].into_iter().chain(without_rules(context)).chain(others).collect()
}

/// What the last apply gave git for URLs is not read any more, as where dotfiles were installed
/// since: what is cloned by HTTPS then stays so, and a push finds no credential.
fn without_rules(context: &Context) -> Option<Judgement> {
    let receipt = context.receipt?;
    if !routing::may_lack_rules(context.home, receipt) || context.git_config_failure().is_some() {
        return None;
    }
    // another file may have them
    let rules = context.git_config().url_rules("insteadof", None);
    let is_over_ssh = |url: &String| {
        GitUrl::parse(&rewrite(&rules, url)).is_ok_and(|url| url.transport().is_ssh())
    };
    let urls = receipt.desired.repositories.iter().flat_map(|it| it.repository.https_urls());
    let first = { urls }.find(|url| !is_over_ssh(url))?;
    Some(
        Judgement::warn(
            Code::RemoteStillHttps,
            "git's configuration no longer has apply's rules for URLs: a clone by HTTPS pushes over HTTPS, where no deploy key is used",
            Fix::run(["pushready", "apply"], "run apply: it writes the rules again"),
        )
        .with([Evidence::new("for example", first)]),
    )
}

/// Why the configuration that counts here is not known to the checks that judge by it.
fn current_failure<'c>(context: &'c Context) -> Option<&'c Failure> {
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    current.map_or_else(|| context.git_config_failure(), InView::config_failure)
}

fn unanswered(context: &Context, failure: &Failure) -> Judgement {
    let summary = "git did not answer, so its configuration was not checked";
    Judgement::unknown(summary, context.reason(failure))
}

/// Whether git would refuse the clone in the current folder.
pub fn owner(context: &Context) -> Judgement {
    let Some(clone) = context.clones.in_view().iter().find(|clone| clone.is_current) else {
        return Judgement::skip("the current folder is in no clone");
    };
    if let Some(blocked) = blocked(context) {
        return blocked;
    }
    let top = clone.top().display().to_string();
    let broken = "git does not work in the clone of the current folder";
    let output = match clone.answer() {
        Ok(output) if output.status.success() => {
            return Judgement::pass("git accepts the clone in the current folder");
        }
        Ok(output) => output,
        Err(failure) => return Judgement::unknown(broken, context.reason(failure)).about(top),
    };
    if let Some(config_error) = ConfigError::parse(&output.stderr) {
        let whose = Whose::Clone(clone.top().to_owned());
        return unreadable(context, &whose, &config_error.within(clone.top())).reported_by(CONFIG);
    }
    let cause = cause(&output.stderr);
    if let Some(code) = cause.filter(|code| *code != Code::RepositoryOtherOwner) {
        return Judgement::blocked(code).about(top);
    }
    if cause.is_none() {
        let said = Evidence::foreign("git said", output.stderr.lines().next().unwrap_or_default());
        let reason = "fix what git reports there, then run the doctor again";
        return Judgement::unknown(broken, reason).about(top).with([said]);
    }
    let summary = "git refuses this clone, because it belongs to another user";
    // to trust its owner would not be enough
    if let Some(layout) = layout(context)
        && [&layout.git, &layout.common]
            .iter()
            .any(|it| rustix::fs::access(*it, Access::WRITE_OK).is_err())
    {
        let (what, whole) = ((Code::RepositoryOtherOwner, summary), access::of_others(layout));
        return access::restored(Judgement::fail, what, &layout.git, &whole).about(top);
    }
    Judgement::fail(
        Code::RepositoryOtherOwner,
        summary,
        Fix::run(
            ["git", "config", "--global", "--add", "safe.directory", &top],
            "trust this folder, if you trust its owner",
        ),
    )
    .about(top)
}

/// What another check reports, where that is why git does not work in the clone. Pure.
pub fn cause(stderr: &str) -> Option<Code> {
    let has = |words: &str| stderr.contains(words);
    match () {
        () if ConfigError::parse(stderr).is_some() => Some(Code::GitConfigInvalid),
        () if has("dubious ownership") => Some(Code::RepositoryOtherOwner),
        () if has("repository extension") || has("Expected git repo version") => {
            Some(Code::GitTooOld)
        }
        () if has("not a git repository") => Some(Code::GitCloneBroken),
        () => None,
    }
}

/// The remotes of a clone that concern a repository with a key.
pub fn remotes(context: &Context, clone: &InView) -> Vec<Judgement> {
    match blocked(context) {
        Some(blocked) => vec![blocked],
        None => remotes::check(context, clone),
    }
}

/// What keeps every git command from its work.
pub fn blocked(context: &Context) -> Option<Judgement> {
    if is_missing(context) {
        return Some(Judgement::blocked(Code::GitMissing));
    }
    if let Some((config_error, whose @ Whose::Everybody)) = &facts(context).config_error {
        return Some(unreadable(context, whose, config_error).reported_by(CONFIG));
    }
    // nothing is judged by a configuration that was not read
    let failure = current_failure(context).filter(|failure| failure.is_transient())?;
    Some(unanswered(context, failure).reported_by(CONFIG))
}

fn git(context: &Context, folder: Option<&Path>, arguments: &[&str]) -> Completed {
    let folder = folder.unwrap_or(&context.home.path);
    let mut git = git_cli::command(Place::AsAgent(folder));
    git.args(arguments);
    read(context, git)
}

/// Runs git in the current clone to read it, unless a file there is too large for that.
fn read(context: &Context, git: Command) -> Completed {
    read_within(Bounds::OBJECTS, context, git, b"")
}

fn read_within(bounds: Bounds, context: &Context, git: Command, input: &[u8]) -> Completed {
    let too_large = || {
        let layout = context.folder.as_deref().and_then(Layout::around);
        TooLarge(layout.and_then(|layout| parts::too_large(&layout)))
    };
    if let TooLarge(Some(path)) = context.gathered.get(too_large) {
        let why = format!("`{}` is too large for git to be asked", context.home.shown(path));
        return Err(Failure::Io(std::io::Error::other(why)));
    }
    process::run_with_input(bounds, git, input, context.deadline(PATIENCE))
}

/// A file of the current clone.
struct TooLarge(Option<PathBuf>);

fn unreadable(context: &Context, whose: &Whose, config_error: &ConfigError) -> Judgement {
    let scope = match whose {
        Whose::Everybody => ErrorScope::Everywhere,
        Whose::Clone(_) => ErrorScope::Clone,
    };
    let Finding { code, summary, fix } = config_error.finding(context.home, scope);
    let fix = match &config_error.file {
        Some(file) => Fix::edit(file, fix.message),
        None => fix,
    };
    let judgement = Judgement::fail(code, summary, fix)
        .with([Evidence::foreign("git said", &config_error.message)]);
    match whose {
        Whose::Everybody => judgement,
        // as apply names it
        Whose::Clone(top) => judgement.about(format!("clone {}", context.home.shown(top))),
    }
}

/// With a configuration that git does not accept nothing can be pushed.
pub fn keeps_from_pushing(context: &Context) -> Option<Judgement> {
    let config_error = context.git_config_error()?;
    Some(unreadable(context, &Whose::Everybody, config_error).reported_by(CONFIG))
}

/// git is configured not to use ssh at all (git-config(1), protocol.allow; git(1), GIT_ALLOW_PROTOCOL).
pub fn forbids_ssh(context: &Context, clones: &[&InView]) -> Option<Judgement> {
    // which would apply to git in the clone too, if the variable did not take precedence
    let by_variable = context.env.raw(observed::GIT_ALLOW_PROTOCOL).is_some();
    // ssh is one of those that git uses where nothing is set (transport.c, get_protocol_config)
    let is_by_default = || {
        let is_set = |key| context.git_config().last(key).is_some();
        !by_variable
            && context.git_config_failure().is_none()
            && !["protocol.allow", "protocol.ssh.allow"].into_iter().any(is_set)
    };
    let forbidden = || {
        if is_by_default() {
            return false;
        }
        let mut git = git_cli::command(Place::Outside);
        // nothing is started but this
        git.args(["ls-remote", "ssh://pushready.invalid/none"]).env("GIT_SSH_COMMAND", "true");
        let said = process::run(git, context.deadline(PATIENCE));
        said.is_ok_and(|output| output.stderr.contains("transport 'ssh' not allowed"))
    };
    let in_clone = || !by_variable && hold(clones, |clone| clone.config().forbids_ssh());
    let SshForbidden(outside) = context.gathered.get(|| SshForbidden(forbidden()));
    (*outside || in_clone()).then(|| {
        let code = Code::GitTransportForbidden;
        let summary = "git is configured not to use ssh, so no remote over ssh works";
        Judgement::fail(code, summary, push_message::fix(code, None))
    })
}
