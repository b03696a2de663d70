//! What the user's configuration and the image do to every clone, looked at in a new one: a start
//! script runs in the home, where there is none.

use std::path::{Path, PathBuf};

use super::Programs;
use super::attributes::are_everywhere;
use crate::catalogue::{Fix, FixKind};
use crate::doctor::clones::Clones;
use crate::doctor::connections::Connections;
use crate::doctor::context::{Context, Depth};
use crate::doctor::gathered::Gathered;
use crate::doctor::outcome::{CheckStatus, Judgement};
use crate::git::config;
use crate::git::url::Repository;
use crate::git_cli;
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::resource::private_folder::PrivateFolder;

/// An empty clone in a temporary folder: of a repository that has a key, as `git clone` makes it.
struct NewClone {
    folder: PrivateFolder,
    clones: Clones,
    gathered: Gathered,
}

/// `None`: the configuration has nothing that could break a clone, or none could be made.
struct MadeClone(Option<NewClone>);

/// Keys that keep no commit and no push from working, whatever their values are; among them those
/// that `git_cli` sets for each question.
const HARMLESS: &[&str] = &[
    "core.fsmonitor",
    "credential.",
    // of the filters that an attribute names
    "filter.",
    "http.",
    "include.",
    "includeif.",
    "init.defaultbranch",
    "lfs.",
    "protocol.",
    "safe.",
    "url.",
    "user.email",
    "user.name",
];

/// Looks at a new clone, where the current folder is in none.
pub fn in_new_clone<T>(context: &Context, look: impl FnOnce(&Context) -> T) -> Option<T> {
    let MadeClone(made) = context.gathered.get(|| MadeClone(make(context)));
    let NewClone { folder, clones, gathered } = made.as_ref()?;
    let new = Context {
        clones,
        folder: Some(folder.path().to_owned()),
        is_new_clone: true,
        // no server knows it
        depth: Depth::Offline,
        push_urls: &[],
        left_out: 0,
        connections: Connections::until(context.end),
        gathered,
        ..*context
    };
    Some(look(&new))
}

/// The same of a check: what is wrong in every clone warns.
pub fn of_new_clone(
    context: &Context,
    check: impl FnOnce(&Context) -> Vec<Judgement>,
) -> Vec<Judgement> {
    let found = in_new_clone(context, |new| {
        let folder = new.folder.clone().unwrap_or_default();
        let found = check(new).into_iter();
        let found = found.filter(|it| matches!(it.status, CheckStatus::Fail | CheckStatus::Warn));
        found.map(|judgement| outside(without_folder(judgement, &folder))).collect()
    });
    found.unwrap_or_default()
}

/// Outside of a clone no commit is made now: the start script of a workspace goes on.
pub fn outside(judgement: Judgement) -> Judgement {
    match judgement.status {
        CheckStatus::Fail => {
            Judgement { status: CheckStatus::Warn, stop_and_report: false, ..judgement }
        }
        _ => judgement,
    }
}

/// A command for our folder fixes nobody's clone.
fn without_folder(judgement: Judgement, folder: &Path) -> Judgement {
    let is_of_folder = |fix: &Fix| match &fix.kind {
        FixKind::Run { argv } => argv.iter().any(|it| Path::new(it).starts_with(folder)),
        _ => false,
    };
    let fix =
        judgement.fix.map(|fix| if is_of_folder(&fix) { Fix::report(fix.message) } else { fix });
    Judgement { subject: None, fix, ..judgement }
}

fn make(context: &Context) -> Option<NewClone> {
    let is_led_elsewhere = git_cli::OF_REPOSITORY.iter().any(|it| context.env.raw(it).is_some());
    if is_led_elsewhere || is_harmless(context) {
        return None;
    }
    let folder = PrivateFolder::new().ok()?;
    for name in [".git/objects", ".git/refs"] {
        folder.make_below(name).ok()?;
    }
    let origin = context.keyed().next().map(Repository::to_ssh);
    let origin = origin.as_deref().unwrap_or("ssh://pushready.invalid/new.git");
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\turl = {}\n\
         \tfetch = +refs/heads/*:refs/remotes/origin/*\n\
         [branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n",
        config::quoted(origin)
    );
    folder.write(".git/config".as_ref(), config.as_bytes()).ok()?;
    folder.write(".git/HEAD".as_ref(), b"ref: refs/heads/main\n").ok()?;
    let clones = Clones::new(Vec::new(), Some(folder.path().to_owned()), None, false, context.end);
    Some(NewClone { folder, clones, gathered: Gathered::default() })
}

fn is_harmless(context: &Context) -> bool {
    let is_known = |value: &ConfigValue| {
        let is_it = |known: &&str| {
            value.key == *known || known.ends_with('.') && value.key.starts_with(*known)
        };
        HARMLESS.iter().any(is_it)
            || value.key == "core.hookspath" && value.value == Some("/dev/null")
    };
    let config = context.git_config();
    config.under("").all(|value| value.value.is_some() && is_known(&value))
        && !are_everywhere(context, config)
        && context.env.raw("GIT_TEMPLATE_DIR").is_none()
}

/// Where the hooks of a new clone come from: the template that git copies (git-init(1), "TEMPLATE
/// DIRECTORY").
pub fn template_hooks(programs: Programs, config: &EffectiveConfig) -> Option<PathBuf> {
    let by_variable = programs.context.env.text("GIT_TEMPLATE_DIR");
    let template = by_variable.as_deref().or_else(|| config.text("init.templatedir"))?;
    Some(programs.path(template).join("hooks"))
}
