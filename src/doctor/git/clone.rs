//! The clone itself: do its parts fit together, can git write them, and does a lock or unfinished
//! work stop a commit?

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags, access, statvfs, statx};
use rustix::io::Errno;

use super::access as permissions;
use super::attributes;
use super::layout::{Defect, Layout};
use super::locks::{self, LeftLock};
use super::own_form::OwnForm;
use super::parts::{self, Damage};
use super::unfinished;
use super::unpushed::{self, Unreadable};
use super::{
    Completed, GitFacts, broken_environment, facts, git, own_subject, refused_value, unreadable,
};
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::doctor::git::CONFIG;
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement, Reason};
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::{self, Place};
use crate::process::Output;
use crate::resource::file;
use crate::text::shell;
use crate::variables::observed;

/// With less free space than this a commit fails: it writes at least three objects.
const FREE_SPACE: u64 = 16 * 1024;

/// What was seen of the clone around the current folder.
struct ObservedClone {
    layout: Layout,
    /// The file in which `core.bare` is true, where that counts for the current folder.
    bare: Option<PathBuf>,
    /// `core.worktree`, where that is another folder, and its file.
    other_top: Option<(PathBuf, PathBuf)>,
    damage: Option<Damage>,
    /// A file that git reads and that is a FIFO.
    fifo: Option<PathBuf>,
    /// Objects that are missing cannot be fetched from anywhere.
    promisor_gone: bool,
    /// What git answers about HEAD and the index; `None`: no commit yet.
    /// The error says why git did not answer.
    head: Result<Output, Reason>,
    /// Where there is none.
    index_gone: Option<PathBuf>,
    /// The branch of HEAD, which is gone, and its upstream, which is not.
    lost_branch: Option<(String, String)>,
    /// What the object of HEAD is: `commit`.
    head_type: Option<String>,
    /// An object that the index names.
    missing: Option<MissingObject>,
    /// An object that a push needs.
    unpushable: Option<Unreadable>,
    alternate_gone: Option<PathBuf>,
    unwritable: Option<Unwritable>,
    is_full: bool,
    /// The work tree, where this user may not write into it.
    sealed_top: Option<PathBuf>,
    locks: Vec<LeftLock>,
    unfinished: Option<&'static str>,
    /// A file of unfinished work that names no commit.
    without_commit: Option<&'static str>,
    sandbox: Option<&'static str>,
}

/// An object that the index names and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MissingObject {
    id: String,
    /// A file with this content.
    path: Option<String>,
    effect: MissingEffect,
}

/// What a missing object stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MissingEffect {
    /// git looks for the objects of each folder in which something changes.
    SomeCommits,
    Commits,
}

/// What git could not write.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unwritable {
    path: PathBuf,
    is_read_only: bool,
    /// Only some of the folders of objects: some commits work.
    is_partial: bool,
    /// It is immutable, or a mount of its own: nobody may rename another file over it.
    is_pinned: bool,
}

/// The clone that the current folder is in.
pub fn of_current_folder(context: &Context) -> Judgement {
    match &facts(context).layout {
        None if context.folder.is_none() => Judgement::warn(
            Code::GitCloneBroken,
            "the current folder does not exist any more, so git does not work in it",
            Fix::report("change to a folder that exists: `cd`"),
        ),
        None => {
            emptied(context).unwrap_or_else(|| Judgement::skip("the current folder is in no clone"))
        }
        Some(layout) => {
            let judgement = current(context, facts(context), layout);
            Judgement { subject: own_subject(context), ..judgement }
        }
    }
}

/// A folder `.git` without anything in it, which a mount or a failed clone leaves: git takes it for
/// none. Such a folder in the home itself says nothing.
fn emptied(context: &Context) -> Option<Judgement> {
    let is_empty = |folder: &Path| {
        let entries = folder.join(".git").read_dir();
        entries.is_ok_and(|mut entries| entries.next().is_none())
    };
    let mut above = context.folder.as_deref()?.ancestors();
    let top = above.find(|folder| is_empty(folder))?;
    if file::is_same(top, &context.home.path) {
        return None;
    }
    let summary = "`.git` is an empty folder, so git finds no repository here";
    let fix =
        "clone again; where a sandbox or a container mounts the folder, mount the whole clone";
    let sandbox = sandbox(context).map(|name| Evidence::new("sandbox", name));
    let judgement = broken(summary, Fix::report(fix)).about(context.home.shown(top));
    Some(
        judgement
            .with([Evidence::new("path", top.join(".git").display().to_string())])
            .with(sandbox),
    )
}

fn current(context: &Context, facts: &GitFacts, layout: &Layout) -> Judgement {
    if let Some(judgement) = layout.defect.map(|defect| defective(defect, layout)) {
        return judgement;
    }
    if let Some((error, whose)) = &facts.config_error {
        return unreadable(context, whose, error).reported_by(CONFIG);
    }
    let folder = context.folder.as_deref().unwrap_or(&layout.top);
    if broken_environment(context, Some(layout)).is_some() {
        // git then answers about another repository; `git.commit` reports it
        return Judgement::blocked(Code::GitEnvironmentBroken);
    }
    if is_unpopulated(context, folder, layout) {
        let summary =
            "the current folder is a submodule that is not checked out, so nothing can be added";
        let fix = Fix::report("`git submodule update --init .`, or work in another folder");
        return broken(summary, fix);
    }
    let observed = observe(context, layout);
    if is_other_owner(&observed.head) {
        return Judgement::blocked(Code::RepositoryOtherOwner);
    }
    let judgement = judge(&observed);
    let error = || ConfigError::parse(&observed.head.as_ref().ok()?.stderr);
    if judgement.code == Some(Code::GitConfigInvalid)
        && let Some(error) = error()
    {
        return refused_value(context, REFUSED_VALUE, &error).reported_by(CONFIG);
    }
    if judgement.code == Some(Code::HomeDiskFull) {
        return judgement.reported_by("home.writable");
    }
    judgement
}

/// Whether the index has the folder as a submodule, which is empty.
fn is_unpopulated(context: &Context, folder: &Path, layout: &Layout) -> bool {
    let is_empty = || folder.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    let mode = |output: Output| output.stdout.starts_with("160000 ");
    let arguments = ["ls-files", "--stage", "--", &folder.to_string_lossy()];
    folder != layout.top
        && is_empty()
        && git(context, Some(&layout.top), &arguments).is_ok_and(mode)
}

pub fn is_other_owner<E>(answer: &Result<Output, E>) -> bool {
    answer.as_ref().is_ok_and(|output| output.stderr.contains("dubious ownership"))
}

fn observe(context: &Context, layout: &Layout) -> ObservedClone {
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    let config = current.map(InView::config);
    let form = OwnForm::of(layout);
    let is_main = layout.git == layout.common;
    let names_work_tree = context.env.raw("GIT_WORK_TREE").is_some();
    let keeps_logs = config.is_none_or(|config| !config.is_false("core.logallrefupdates"));
    let folder = context.folder.as_deref().unwrap_or(&layout.top);
    let alternate_gone = alternate_gone(&layout.common);
    let head = ask_head(context, folder, alternate_gone.is_some());
    let is_read = head.as_ref().is_ok_and(|output| output.status.success());
    let is_unborn = head.as_ref().is_ok_and(|it| it.stderr.contains("bad revision 'HEAD'"));
    let mut unwritable = unwritable(layout, keeps_logs);
    if let Some(found) = &mut unwritable {
        // the objects that each commit reads are among them
        found.is_partial &= is_read || is_unborn;
    }
    let of_branch = || super::of_head(context)?.object_type().map(str::to_owned);
    // of a commit that is checked out without a branch
    let of_head = || {
        let output = git(context, Some(folder), &["cat-file", "-t", "HEAD"]).ok()?;
        Some(output.stdout.trim().to_owned()).filter(|_| output.status.success())
    };
    let head_type = is_read.then(|| of_branch().or_else(of_head)).flatten();
    let missing = config.and_then(|config| missing(context, layout, config, head.as_ref().ok()?));
    let unpushable = config.filter(|config| is_read && has_remote(config)).and_then(|config| {
        unpushed::unreadable(context, &head.as_ref().ok()?.stdout, is_partial(config))
    });
    ObservedClone {
        // a variable that names the work tree takes precedence
        // git ignores it for a worktree, unless each has a configuration of its own
        bare: form.bare.filter(|_| !names_work_tree && (is_main || form.has_worktree_config)),
        index_gone: Some(layout.git.join("index"))
            .filter(|index| context.env.raw("GIT_INDEX_FILE").is_none() && !index.exists()),
        other_top: form.worktree.map(|(path, file)| (layout.git.join(path), file)).filter(
            |(path, _)| {
                let path = path.canonicalize().ok();
                !path.is_some_and(|path| folder.canonicalize().is_ok_and(|at| at.starts_with(path)))
            },
        ),
        fifo: config.and_then(|config| attributes::fifo(context, layout, config)),
        damage: parts::damage(layout, keeps_logs)
            .or_else(|| taken_in_table(context, layout).map(Damage::Taken)),
        promisor_gone: config.is_some_and(|config| promisor_gone(config, layout)),
        lost_branch: config.filter(|_| !is_read).and_then(|it| lost_branch(context, it)),
        head: head.map_err(|failure| context.reason(&failure)),
        head_type,
        missing,
        unpushable,
        alternate_gone,
        unwritable,
        is_full: [layout.common.clone(), layout.common.join("objects")]
            .iter()
            .any(|it| is_full(it)),
        sealed_top: Some(layout.top.clone()).filter(|top| {
            let error = access(top, Access::WRITE_OK).err();
            error.is_some_and(|errno| matches!(errno, Errno::ACCESS | Errno::ROFS))
        }),
        locks: locks::left(layout),
        unfinished: unfinished::unfinished(layout),
        without_commit: unfinished::without_commit(context, layout),
        sandbox: sandbox(context),
        layout: layout.clone(),
    }
}

/// Reads HEAD's trees and the index; where objects may be missing, all objects of HEAD.
fn ask_head(context: &Context, folder: &Path, all_objects: bool) -> Completed {
    let ask = |arguments: &[&str]| {
        let mut git = git_cli::command(Place::AsAgent(folder));
        git.args(arguments);
        super::read(context, git)
    };
    let answer = ask(&["diff-index", "--cached", "--raw", "HEAD", "--"]);
    match answer {
        Ok(output) if output.status.success() && all_objects => {
            ask(&["rev-list", "--objects", "--no-walk", "--quiet", "HEAD"])
        }
        answer => answer,
    }
}

/// Where HEAD's branch has no commit, and the one of the remote that it tracks has: a commit would
/// begin another history, which the server does not take.
fn lost_branch(context: &Context, config: &EffectiveConfig) -> Option<(String, String)> {
    let head = super::of_head(context)?;
    let answer = head.answer.as_ref().ok().filter(|answer| answer.status.success())?;
    let short = head.name.strip_prefix("refs/heads/").filter(|_| answer.stdout.is_empty())?;
    let of_branch = |key: &str| config.text(&format!("branch.{short}.{key}"));
    let upstream = of_branch("merge")?.strip_prefix("refs/heads/")?;
    let upstream = format!("refs/remotes/{}/{upstream}", of_branch("remote")?);
    let listed = super::ask(context, &["for-each-ref", "--format=%(refname)", &upstream]).ok()?;
    (listed.stdout.trim_end() == upstream).then(|| (head.name.clone(), upstream))
}

/// A branch with which the one of HEAD cannot exist, where git has its refs in tables.
fn taken_in_table(context: &Context, layout: &Layout) -> Option<String> {
    let head = super::of_head(context).filter(|_| layout.common.join("reftable").is_dir())?;
    let above = head.name.match_indices('/').map(|(end, _)| head.name.get(..end).unwrap_or("/"));
    // the folders of all branches are none
    let names: Vec<_> = above.skip(2).chain([&*head.name]).collect();
    let format = ["for-each-ref", "--format=%(refname)"];
    let output = super::ask(context, &[&format[..], &names].concat()).ok()?;
    let below = format!("{}/", head.name);
    if output.stdout.lines().any(|name| name == head.name) {
        return None;
    }
    let mut refs = output.stdout.lines();
    refs.find(|name| names.contains(name) || name.starts_with(&below)).map(str::to_owned)
}

/// git looks up the objects of a larger index, of some 40,000 files, in more than a tenth of a second.
const LARGEST_INDEX: u64 = 4 << 20;

fn has_remote(config: &EffectiveConfig) -> bool {
    config.under("remote.").next().is_some()
}

/// Whether the clone lacks some objects by design.
fn is_partial(config: &EffectiveConfig) -> bool {
    config.own_text("extensions.partialclone").is_some()
        || config.under("remote.").any(|value| value.key.ends_with(".promisor"))
}

/// The worst object that the index names and that is missing.
fn missing(
    context: &Context,
    layout: &Layout,
    config: &EffectiveConfig,
    head: &Output,
) -> Option<MissingObject> {
    let is_small = layout.git.join("index").metadata().is_ok_and(|it| it.len() <= LARGEST_INDEX);
    if is_partial(config) || !is_small {
        return None;
    }
    let list =
        ["rev-list", "--objects", "--missing=print", "--quiet", "--no-walk", "--indexed-objects"];
    let output = super::ask(context, &list).ok()?;
    let ids = output.stdout.lines().filter_map(|line| Some(line.strip_prefix('?')?.to_owned()));
    let missing: BTreeSet<_> = ids.collect();
    if missing.is_empty() || !output.status.success() {
        return None;
    }
    let entries = git(context, Some(&layout.top), &["ls-files", "--stage", "-z"]).ok()?;
    worst_missing(&missing, &entries.stdout, &head.stdout)
}

/// `changes`: what `git diff-index --raw` printed. Pure.
fn worst_missing(
    missing: &BTreeSet<String>,
    entries: &str,
    changes: &str,
) -> Option<MissingObject> {
    let of_entry = |entry: &str| {
        let (start, path) = entry.split_once('\t')?;
        let id = start.split(' ').nth(1).filter(|id| missing.contains(*id))?;
        // each commit changes something in the topmost folder
        let is_needed = !path.contains('/') || changes.contains(id);
        let effect = if is_needed { MissingEffect::Commits } else { MissingEffect::SomeCommits };
        Some(MissingObject { id: id.to_owned(), path: Some(path.to_owned()), effect })
    };
    let worst = entries.split('\0').filter_map(of_entry).max_by_key(|found| found.effect);
    // a folder's
    let effect = MissingEffect::SomeCommits;
    let other = |id: &String| MissingObject { id: id.clone(), path: None, effect };
    worst.or_else(|| missing.first().map(other))
}

/// The first folder of objects that the clone borrows from and that is not there
/// (gitrepository-layout(5)).
pub fn alternate_gone(common: &Path) -> Option<PathBuf> {
    let objects = common.join("objects");
    let text = file::text(&objects.join("info/alternates"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '"']));
    lines.map(|line| objects.join(line)).find(|folder| !folder.is_dir())
}

/// The first part that a commit writes and this user may not.
fn unwritable(layout: &Layout, keeps_logs: bool) -> Option<Unwritable> {
    let Layout { git, common, .. } = layout;
    let objects = common.join("objects");
    let folders: Vec<_> = (0..=u8::MAX)
        .map(|byte| objects.join(format!("{byte:02x}")))
        .filter(|folder| folder.is_dir())
        .collect();
    let mut paths = vec![git.clone(), git.join("COMMIT_EDITMSG")];
    // where all of its folders exist, git makes none
    paths.extend(Some(objects.clone()).filter(|_| u8::try_from(folders.len()).is_ok()));
    // git appends to a log that exists, whatever it is configured to keep
    let log = |path: PathBuf, above| (keeps_logs || path.exists()).then(|| nearest(&path, above));
    paths.extend(log(git.join("logs/HEAD"), git));
    let mut readable = vec![common.join("packed-refs"), git.join("index")];
    readable.extend(packs(&objects));
    if common.join("reftable").is_dir() {
        paths.push(common.join("reftable"));
    } else if let Some(branch) = layout.branch() {
        let reference = common.join(&branch);
        paths.push(nearest(reference.parent().unwrap_or(common), common));
        paths.extend(log(common.join("logs").join(&branch), common));
        let commit = file::text(&reference);
        if let Some((folder, name)) = commit.trim().split_at_checked(2) {
            readable.push(objects.join(folder).join(name));
        }
        readable.push(reference);
    }
    let denied = |path: &Path, mode| {
        access(path, mode)
            .err()
            .filter(|errno| matches!(*errno, Errno::ACCESS | Errno::ROFS | Errno::PERM))
    };
    let refused = |path: &PathBuf| denied(path, Access::WRITE_OK);
    let found = paths.iter().find_map(|path| Some((path.clone(), refused(path)?)));
    let found = found.or_else(|| {
        let mut denied = readable.iter().map(|path| (path.clone(), denied(path, Access::READ_OK)));
        denied.find_map(|(path, errno)| Some((path, errno?)))
    });
    if let Some((path, errno)) = found {
        let is_read_only = errno == Errno::ROFS;
        return Some(Unwritable { path, is_read_only, is_partial: false, is_pinned: false });
    }
    let branch = layout.branch().map(|branch| common.join(branch));
    let replaced = [git.join("index"), common.join("reftable/tables.list")].into_iter();
    for path in replaced.chain(branch) {
        let is_pinned = is_pinned(&path);
        if is_pinned || is_kept_by_sticky_folder(&path) {
            return Some(Unwritable { path, is_read_only: false, is_partial: false, is_pinned });
        }
    }
    let refusing = folders.iter().filter(|folder| refused(folder).is_some()).count();
    let path = folders.iter().find(|folder| refused(folder).is_some())?.clone();
    let is_partial = refusing < folders.len();
    Some(Unwritable { path, is_read_only: false, is_partial, is_pinned: false })
}

/// Whether nobody may rename another file over it (statx(2)).
fn is_pinned(path: &Path) -> bool {
    let pins = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND | StatxAttributes::MOUNT_ROOT;
    let stat = statx(CWD, path, AtFlags::empty(), StatxFlags::TYPE);
    stat.is_ok_and(|it| (it.stx_attributes & it.stx_attributes_mask).intersects(pins))
}

/// The folder of packs, and the packs, up to a number that no clone in order has.
fn packs(objects: &Path) -> Vec<PathBuf> {
    const MOST: usize = 256;
    let folder = objects.join("pack");
    let entries = folder.read_dir().into_iter().flatten().flatten().take(MOST);
    let is_pack = |path: &PathBuf| {
        path.extension().is_some_and(|it| matches!(it.to_str(), Some("pack" | "idx")))
    };
    let files = entries.map(|entry| entry.path()).filter(is_pack);
    [folder.clone()].into_iter().chain(files).collect()
}

/// Whether nobody but its owner may rename another file over it (inode(7), the sticky bit).
fn is_kept_by_sticky_folder(path: &Path) -> bool {
    let user = rustix::process::geteuid();
    let folder = path.parent().and_then(|folder| folder.metadata().ok());
    let (Some(folder), Ok(file)) = (folder, path.symlink_metadata()) else { return false };
    let is_own = |metadata: &Metadata| metadata.uid() == user.as_raw();
    folder.mode() & 0o1000 != 0 && !user.is_root() && !is_own(&folder) && !is_own(&file)
}

fn is_full(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|stat| {
        stat.f_bavail.saturating_mul(stat.f_frsize) < FREE_SPACE
            || (stat.f_files > 0 && stat.f_favail == 0)
    })
}

/// The path, or the nearest folder above it that is there, where git would make it.
fn nearest(path: &Path, above: &Path) -> PathBuf {
    let found = path.ancestors().find(|path| path.symlink_metadata().is_ok());
    found.unwrap_or(above).to_owned()
}

/// Whether no remote can supply the objects that a partial clone lacks: none is named for that, or
/// each is a folder that is not there.
fn promisor_gone(config: &EffectiveConfig, layout: &Layout) -> bool {
    // of each remote: whether it is named for that, and its URL; a clone may have thousands
    let mut remotes: BTreeMap<&str, (bool, Option<&str>)> = BTreeMap::new();
    for value in config.under("remote.") {
        let name = value.key.strip_prefix("remote.").and_then(|rest| rest.rsplit_once('.'));
        match name {
            Some((name, "promisor")) => remotes.entry(name).or_default().0 = value.is_true(),
            Some((name, "url")) => remotes.entry(name).or_default().1 = value.value,
            _ => {}
        }
    }
    if let Some(name) = config.own_text("extensions.partialclone") {
        remotes.entry(name).or_default().0 = true;
    }
    !remotes.into_values().filter(|(is_named, _)| *is_named).any(|(_, url)| match url {
        None => false,
        Some(url) => {
            let path = url.strip_prefix("file://").unwrap_or(url);
            let is_local = path != url || url.starts_with(['/', '.']);
            !is_local || layout.top.join(path).exists()
        }
    })
}

/// The agent's sandbox, by the variable that it sets.
fn sandbox(context: &Context) -> Option<&'static str> {
    observed::SANDBOXES.iter().copied().find(|name| context.env.get(name).is_some())
}

pub fn defective(defect: Defect, layout: &Layout) -> Judgement {
    let file = match defect {
        Defect::NoWorkTree => layout.top.clone(),
        _ => layout.top.join(".git"),
    };
    match defect {
        Defect::GitFolderGone => {
            // the folder of all worktrees, or of all submodules
            let is_pruned = layout.git.parent().is_some_and(Path::is_dir);
            let fix = if is_pruned {
                "move this folder away and make it again: `git worktree add`, or `git submodule \
                 update --init`, in the clone that it belongs to"
            } else {
                "mount that folder too, or clone again: a container that has the worktree alone \
                 lacks the repository"
            };
            let summary =
                "the `.git` file names a folder that is not there, so no git command works";
            let judgement = broken(summary, Fix::report(fix));
            let actor = if is_pruned { Actor::Agent } else { Actor::TemplateAdmin };
            Judgement { actor: Some(actor), agent_may_fix: is_pruned, ..judgement }
                .with([Evidence::foreign("git folder", &layout.git.display().to_string())])
        }
        Defect::GitFile => broken(
            "the `.git` file names no folder, so no git command works",
            Fix::report("write `gitdir: FOLDER` into it, or clone again"),
        ),
        Defect::Unreadable => {
            let summary = "this user cannot read the git folder, so git does not find the clone";
            let head = layout.git.join("HEAD");
            let found = if head.exists() { &head } else { &layout.git };
            let whole = permissions::of_others(layout);
            let what = (Code::GitCloneUnwritable, summary);
            permissions::restored(Judgement::fail, what, found, &whole)
        }
        Defect::NoWorkTree => broken(
            "the current folder is a git folder and no work tree, so nothing can be added here",
            Fix::report(IN_WORK_TREE),
        ),
        Defect::CommonFolderGone => broken(
            "the worktree belongs to a clone that is not there, so no git command works",
            Fix::report("mount or restore that clone, or make the worktree again"),
        )
        .with([Evidence::foreign("clone", &layout.common.display().to_string())]),
        Defect::Head => broken(
            "HEAD names no branch and no commit, so git does not accept the clone",
            Fix::report(format!(
                "write `ref: refs/heads/BRANCH` into {}, or clone again",
                shell(&layout.git.join("HEAD"))
            )),
        ),
    }
    .with([Evidence::new("path", file.display().to_string())])
}

const REFUSED_VALUE: &str = "git rejects a value of its configuration, so nothing can be added";

const IN_WORK_TREE: &str = "run git and the doctor in a work tree: `git worktree list` names those \
                            that exist, `git worktree add FOLDER BRANCH` makes one";

pub fn broken(summary: &str, fix: Fix) -> Judgement {
    Judgement::fail(Code::GitCloneBroken, summary, fix)
}

/// The worst that is wrong with the clone. Pure.
fn judge(observed: &ObservedClone) -> Judgement {
    let ObservedClone { layout, head, .. } = observed;
    if let Some(judgement) = too_old(head) {
        return judgement;
    }
    if observed.bare.is_some() && layout.git != layout.common {
        let own = layout.git.join("config.worktree").display().to_string();
        let summary = "core.bare is true, and with extensions.worktreeConfig it holds for this work \
                       tree, too, so nothing can be added";
        let argv = ["git", "config", "--file", &own, "--replace-all", "core.bare", "false"];
        return broken(summary, Fix::run(argv, "set core.bare to false for this work tree"));
    }
    if observed.bare.is_some() && layout.git != layout.top.join(".git") {
        let summary = "the clone is a bare repository, and this folder is none of its work trees";
        return broken(summary, Fix::report(IN_WORK_TREE));
    }
    if let Some(file) = &observed.bare {
        let file = file.to_string_lossy();
        let argv = ["git", "config", "--file", &file, "--replace-all", "core.bare", "false"];
        let summary = "core.bare is true in a clone with a work tree, so nothing can be added";
        return broken(summary, Fix::run(argv, "set core.bare to false"));
    }
    if let Some((top, file)) = &observed.other_top {
        let file = file.to_string_lossy();
        // git may not start in the clone itself
        let argv = ["git", "-C", "/", "config", "--file", &file, "--unset-all", "core.worktree"];
        let summary = "core.worktree names another folder, so git does not work in this one";
        return broken(summary, Fix::run(argv, "remove core.worktree"))
            .with([Evidence::foreign("core.worktree", &top.display().to_string())]);
    }
    if let Some(file) = &observed.fifo {
        let word = shell(file);
        let summary = "a file that `git add` reads is a FIFO, so git waits for ever";
        return broken(summary, Fix::report(format!("move it away: `mv {word} {word}.away`")))
            .with([Evidence::new("path", file.display().to_string())]);
    }
    if let Some(unwritable) = &observed.unwritable {
        return not_writable(unwritable, layout, observed.sandbox);
    }
    if observed.is_full {
        let summary = "the filesystem of the clone has no space left";
        let fix = Fix::report("free some space there: `df -h .` shows which filesystem it is");
        return Judgement::fail(Code::HomeDiskFull, summary, fix);
    }
    if let Some(judgement) = judge_locks(&observed.locks) {
        return judgement;
    }
    if let Some(judgement) = damaged(observed) {
        return judgement;
    }
    if let Some((branch, upstream)) = &observed.lost_branch {
        let top = layout.top.display().to_string();
        let summary = "HEAD's branch is lost, and its upstream is not: a commit would begin \
                       another history, and no push of it is taken";
        let argv = ["git", "-C", &top, "update-ref", branch, upstream];
        let fix = "make the branch again from its upstream; `.git/logs` has what was not pushed";
        return broken(summary, Fix::run(argv, fix))
            .with([Evidence::foreign("upstream", upstream)]);
    }
    if let Some(file) = observed.without_commit {
        return unfinished::not_finishable(file, layout);
    }
    let missing = observed.missing.as_ref().map(of_missing);
    let is_failure = |judgement: &Judgement| judgement.status == CheckStatus::Fail;
    let unpushable = || Some(not_pushable(observed.unpushable.as_ref()?));
    let worst = missing.clone().filter(is_failure).or_else(unpushable).or(missing);
    if let Some(judgement) = worst {
        return judgement;
    }
    if let Some(damage) = &observed.damage {
        let judgement = of_part(damage, layout);
        return Judgement { status: CheckStatus::Warn, stop_and_report: false, ..judgement };
    }
    if let Some(index) = &observed.index_gone
        && head.as_ref().is_ok_and(|output| !output.stdout.is_empty())
    {
        let top = layout.top.display().to_string();
        let summary = "the clone has no index, so the next commit removes every file that is not \
                       added to it";
        let fix = Fix::run(["git", "-C", &top, "reset"], "make the index from HEAD");
        return Judgement::warn(Code::GitCloneBroken, summary, fix)
            .with([Evidence::new("path", index.display().to_string())]);
    }
    let unmerged = head.as_ref().is_ok_and(|output| {
        let mut entries = output.stdout.lines().filter(|line| line.starts_with(':'));
        entries.any(|line| line.split(['\t', ' ']).nth(4) == Some("U"))
    });
    let unfinished = observed.unfinished.or_else(|| unmerged.then_some("a conflict"));
    if let Some(what) = unfinished {
        return Judgement::warn(
            Code::GitCloneUnfinished,
            format!("{what} is unfinished here"),
            Fix::report("`git status` shows what is left: finish it, or abort it if it is yours"),
        );
    }
    if let Some(top) = &observed.sealed_top {
        let summary = "this user cannot write the folder of the work tree, although git can write \
                       its own: files cannot be added or replaced there";
        let fix = "mount the whole clone writable, or change its owner to this user";
        return Judgement::warn(Code::GitCloneUnwritable, summary, Fix::report(fix))
            .with([Evidence::new("path", top.display().to_string())]);
    }
    Judgement::pass("git can read and write the clone")
}

/// Whether git reports that an object is missing or damaged. Pure.
fn names_objects(stderr: &str) -> bool {
    const WORDS: &[&str] = &[
        "object",
        "unable to read",
        "could not read",
        "bad tree",
        "bad revision",
        "corrupt",
        "pack",
    ];
    let is_other = ["replacement", "extension", "shallow"].iter().any(|it| stderr.contains(it));
    !is_other && WORDS.iter().any(|words| stderr.contains(words))
}

/// Objects, the index or the branch are damaged. Pure.
fn damaged(observed: &ObservedClone) -> Option<Judgement> {
    let ObservedClone { layout, head, .. } = observed;
    let said =
        || head.as_ref().ok().map(|output| Evidence::foreign("git said", &output.first_error()));
    let stderr = head.as_ref().map_or("", |output| &output.stderr);
    if ConfigError::parse(stderr).is_some() {
        let fix = Fix::report("correct the value that git names");
        return Some(Judgement::fail(Code::GitConfigInvalid, REFUSED_VALUE, fix));
    }
    let of_index = |line: &str| line.contains("index file") && !line.contains("pack-index");
    if observed.damage == Some(Damage::Index) || stderr.lines().any(of_index) {
        return Some(of_part(&Damage::Index, layout).with(said().filter(|_| !stderr.is_empty())));
    }
    // which not every commit needs
    let is_object = |damage: &&Damage| matches!(damage, Damage::Object(_));
    if let Some(damage) = observed.damage.as_ref().filter(|it| !is_object(it)) {
        return Some(of_part(damage, layout));
    }
    if stderr.contains("multi-pack-index") && !head.as_ref().is_ok_and(|it| it.status.success()) {
        let file = layout.common.join("objects/pack/multi-pack-index");
        let summary = "the multi-pack-index is damaged, so git finds no objects";
        let argv = ["rm", &file.to_string_lossy()];
        let fix = Fix::run(argv, "remove it: git works without, and makes it again");
        return Some(broken(summary, fix).with(said()));
    }
    if stderr.contains("packed-refs") {
        let file = shell(&layout.common.join("packed-refs"));
        let summary = "git cannot read `packed-refs`, so it finds no branch";
        let fix = Fix::report(format!("correct or remove the line that git names in {file}"));
        return Some(broken(summary, fix).with(said()));
    }
    match head {
        Ok(output) if output.status.success() => {
            let other = observed.head_type.as_ref().filter(|kind| *kind != "commit")?;
            let summary =
                "HEAD is an object of another kind than a commit, so no commit can be made";
            let fix = if other == "tag" {
                let top = layout.top.to_string_lossy();
                let argv = ["git", "-C", &top, "reset", "--soft", "HEAD^{commit}"];
                Fix::run(argv, "let the branch name the commit of the tag")
            } else {
                Fix::report(
                    "`git reflog` names the commits of the branch, and `git replace --list` \
                             what replaces them",
                )
            };
            Some(broken(summary, fix).with([Evidence::foreign("kind", other)]))
        }
        // no commit yet
        Ok(output) if output.stderr.contains("bad revision 'HEAD'") => None,
        Ok(output) if output.stderr.contains("promisor remote") && observed.promisor_gone => Some(
            broken(
                "objects of this partial clone are missing, and the remote that has them is gone",
                Fix::report("name a remote that has them, or clone again and copy the work tree"),
            )
            .with(said()),
        ),
        Ok(output) if output.stderr.contains("promisor remote") => Some(
            Judgement::unknown(
                "git has to fetch objects of this partial clone",
                "`git fetch` in the clone, then run the doctor again",
            )
            .with(said()),
        ),
        Ok(output) if !names_objects(&output.stderr) && observed.alternate_gone.is_none() => {
            let fix = Fix::report("correct what git reports, or clone anew and copy the work tree");
            Some(broken("git refuses to read HEAD, so no commit can be made", fix).with(said()))
        }
        Ok(_) => {
            if let Some(folder) = &observed.alternate_gone {
                return Some(borrowed_gone(folder).with(said()));
            }
            let again = "`git fetch`, or clone anew and copy the work tree";
            // git fetches none that it seems to have
            let fix = match damaged_file(stderr, layout).map(|file| shell(&file)) {
                Some(file) => {
                    format!("move the damaged file away: `mv {file} {file}.away`; then {again}")
                }
                None => format!("fetch them again: {again}"),
            };
            let summary = "objects of HEAD are missing or damaged, so no commit can be made";
            Some(broken(summary, Fix::report(fix)).with(said()))
        }
        Err(reason) => Some(Judgement::unknown("git did not read HEAD", reason.clone())),
    }
}

/// Objects are missing, and so is the alternate that had them. Pure.
pub fn borrowed_gone(folder: &Path) -> Judgement {
    let summary = "objects are missing: the clone borrows them from a folder that is not there";
    let fix = Fix::report("bring that folder back, or clone again and copy the work tree");
    broken(summary, fix).with([Evidence::foreign("alternate", &folder.display().to_string())])
}

/// The loose object that git finds damaged, by what it prints. Pure.
fn damaged_file(stderr: &str, layout: &Layout) -> Option<PathBuf> {
    let (_, rest) = stderr.split_once("(stored in ")?;
    let (file, _) = rest.split_once(") is corrupt")?;
    Some(layout.top.join(file)).filter(|file| file.starts_with(&layout.common))
}

/// Pure.
fn of_missing(missing: &MissingObject) -> Judgement {
    let fix = Fix::report(
        "write it again from an unchanged file: `git hash-object -w PATH`; or fetch it: `git fetch \
         --refetch`, or clone anew and copy the work tree",
    );
    let summary = "an object that the index names is missing, so";
    let judgement = match missing.effect {
        MissingEffect::Commits => broken(&format!("{summary} commits fail"), fix),
        MissingEffect::SomeCommits => {
            let summary = format!("{summary} commits that change something in its folder fail");
            Judgement::warn(Code::GitCloneBroken, summary, fix)
        }
    };
    let path = missing.path.as_ref().map(|path| Evidence::foreign("file", path));
    judgement.with([Evidence::new("object", missing.id.clone())]).with(path)
}

/// Pure.
fn not_pushable(object: &Unreadable) -> Judgement {
    let said = Evidence::foreign("git said", &object.said);
    if !object.is_sent {
        let summary =
            "a commit before the remote's branch is missing or damaged, so a push may fail";
        let fix =
            Fix::report("fetch it: `git fetch --refetch`, or clone anew and copy the work tree");
        return Judgement::warn(Code::GitCloneBroken, summary, fix).with([said]);
    }
    let summary = "an object that no remote has is missing or damaged, so no push is possible";
    let fix = "copy the object from another clone, or replace the commits that need it: `git reset \
               --soft UPSTREAM`, then add and commit; an empty file in its place must be removed \
               first";
    broken(summary, Fix::report(fix)).with([said])
}

/// Pure.
fn of_part(damage: &Damage, layout: &Layout) -> Judgement {
    let path = |path: &Path| Evidence::new("path", path.display().to_string());
    match damage {
        Damage::Index => {
            let index = shell(&layout.git.join("index"));
            broken(
                "the index is damaged, so nothing can be added",
                Fix::report(format!(
                    "make it again: `rm {index}`, then `git reset`; what was staged must be added again"
                )),
            )
        }
        Damage::Branch(file) => {
            let name = file.strip_prefix(&layout.common).unwrap_or(file);
            let log = shell(&layout.common.join("logs").join(name));
            // `git reflog` does not work then
            let fix = format!(
                "write the last commit into that file: the second word of the last line of {log}, or \
                 what `git rev-parse refs/remotes/REMOTE/BRANCH` prints"
            );
            let summary =
                "the file of the current branch leads to no commit, so no commit can be made";
            broken(summary, Fix::report(fix)).with([path(file)])
        }
        Damage::PackedRefs(line) => {
            let file = shell(&layout.common.join("packed-refs"));
            broken(
                "`packed-refs` has a line that git cannot read or does not find, so pushes and fetches fail",
                Fix::report(format!("correct, move or remove line {line} of {file}")),
            )
        }
        Damage::Object(file) => {
            let word = shell(file);
            let summary =
                "an object of the clone is an empty file, so commits and pushes that need it fail";
            let fix = format!(
                "remove it and fetch it again: `rm {word}`, `git fetch --refetch`; or clone anew"
            );
            broken(summary, Fix::report(fix)).with([path(file)])
        }
        Damage::Table(file) => broken(
            "a table of refs is gone, so git does not find its branches and no commit can be made",
            Fix::report("bring the file back, or clone anew and copy the work tree"),
        )
        .with([path(file)]),
        Damage::Taken(branch) => broken(
            "HEAD names a branch that git cannot make beside one that exists",
            Fix::report("switch to a branch of another name: `git switch -c NAME`"),
        )
        .with([Evidence::foreign("branch", branch)]),
        Damage::InTheWay(file) => {
            let word = shell(file);
            let fix = format!("move away what is in its place: `mv {word} {word}.away`");
            broken("git cannot make a file that each commit writes", Fix::report(fix))
                .with([path(file)])
        }
    }
}

/// The extensions of newer gits, and the first version that knows them.
const EXTENSIONS: &[(&str, &str)] = &[
    ("worktreeconfig", "2.20"),
    ("objectformat", "2.29"),
    ("refstorage", "2.45"),
    ("compatobjectformat", "2.45"),
    ("relativeworktrees", "2.48"),
];

/// The repository has a form that this git does not know. Pure.
pub fn too_old<E>(head: &Result<Output, E>) -> Option<Judgement> {
    let stderr = &head.as_ref().ok().filter(|output| !output.status.success())?.stderr;
    let unknown = stderr.contains("unknown repository extension");
    if !unknown && !stderr.contains("Expected git repo version") {
        return None;
    }
    let known = EXTENSIONS.iter().find(|(name, _)| unknown && stderr.contains(name));
    let version =
        known.map_or("a newer git".to_owned(), |(_, version)| format!("git {version} or newer"));
    let said = stderr.lines().filter(|line| !line.starts_with("warning: "));
    let said = said.map(str::trim).collect::<Vec<_>>().join(" ");
    Some(
        Judgement::fail(
            Code::GitTooOld,
            format!("the clone needs {version}, so no git command works in it"),
            Fix::report(format!("install {version} in the image")),
        )
        .with([Evidence::foreign("git said", &said)]),
    )
}

fn not_writable(found: &Unwritable, layout: &Layout, sandbox: Option<&'static str>) -> Judgement {
    let path = Evidence::new("path", found.path.display().to_string());
    let by = sandbox.map(|name| Evidence::new("sandbox, by the variable", name));
    let restored = |make: fn(Code, String, Fix) -> Judgement, summary| {
        let whole = permissions::of_others(layout);
        permissions::restored(make, (Code::GitCloneUnwritable, summary), &found.path, &whole)
    };
    let summary = "git cannot write its own folder, so no commit can be made";
    match (found, sandbox) {
        (Unwritable { is_partial: true, .. }, _) => restored(
            Judgement::warn,
            "some folders of git's objects cannot be written, so some commits fail",
        ),
        (Unwritable { is_pinned: true, .. }, _) => Judgement::fail(
            Code::GitCloneUnwritable,
            "git cannot replace one of its files, so no commit can be made",
            Fix::report(format!(
                "mount its folder instead of the file alone, or remove the attribute that `lsattr \
                 {0}` shows: `sudo chattr -ia {0}`",
                shell(&found.path)
            )),
        ),
        (_, Some(_)) => Judgement::fail(
            Code::GitCloneUnwritable,
            "the agent's sandbox does not let git write its own folder, so no commit can be made",
            Fix::report("run git outside of the sandbox, or let the sandbox write that folder"),
        ),
        (Unwritable { is_read_only: true, .. }, None) => Judgement::fail(
            Code::GitCloneUnwritable,
            summary,
            Fix::report(
                "the folder is on a read-only mount: mount it writable, or run git outside of the \
                 sandbox that made it so",
            ),
        ),
        (_, None) => restored(Judgement::fail, summary),
    }
    .with([path])
    .with(by)
}

/// Pure.
pub fn judge_locks(locks: &[LeftLock]) -> Option<Judgement> {
    let lock = locks.iter().max_by_key(|lock| lock.is_left())?;
    let path = Evidence::new("lock", lock.path.display().to_string());
    if !lock.is_left() {
        let summary = "git holds a lock in this clone now";
        let reason = "the end of the git command that holds it; then run the doctor again";
        let judgement = Judgement { transient: true, ..Judgement::unknown(summary, reason) };
        return Some(judgement.with([path]));
    }
    let age = Evidence::new("age", format!("{} s", lock.age.unwrap_or(Duration::ZERO).as_secs()));
    Some(
        Judgement::fail(
            Code::GitLockLeft,
            "a git command that ended left a lock, so git refuses to work",
            Fix::report(format!(
                "make sure that no git runs in this repository, in no other container either, then \
                 remove {}",
                shell(&lock.path)
            )),
        )
        .with([path, age]),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;
    use crate::doctor::outcome::CheckStatus;
    use crate::process::Output;

    fn output(status: i32, stdout: &str, stderr: &str) -> Output {
        let status = ExitStatus::from_raw(status << 8);
        Output { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    fn healthy() -> ObservedClone {
        let git = PathBuf::from("/app/.git");
        ObservedClone {
            index_gone: None,
            lost_branch: None,
            layout: Layout { top: "/app".into(), common: git.clone(), git, defect: None },
            bare: None,
            other_top: None,
            damage: None,
            fifo: None,
            promisor_gone: false,
            head: Ok(output(0, "", "")),
            head_type: Some("commit".to_owned()),
            missing: None,
            unpushable: None,
            alternate_gone: None,
            unwritable: None,
            is_full: false,
            sealed_top: None,
            locks: Vec::new(),
            unfinished: None,
            without_commit: None,
            sandbox: None,
        }
    }

    #[test]
    fn a_missing_object_stops_the_commits_that_need_it() {
        use MissingEffect::{Commits, SomeCommits};
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let entries = "100644 aa 0\tf\x00100644 bb 0\td/g\x00100644 cc 0\td/h\x00";
        for (missing, changes, expected) in [
            (&["aa"][..], "", Some((Some("f"), Commits))),
            (&["bb"], "", Some((Some("d/g"), SomeCommits))),
            (&["bb"], ":000000 100644 0 bb A\td/g", Some((Some("d/g"), Commits))),
            (&["bb", "aa"], "", Some((Some("f"), Commits))),
            // a folder
            (&["dd"], "", Some((None, SomeCommits))),
            (&[], "", None),
        ] {
            let found = worst_missing(&ids(missing), entries, changes);
            let found = found.as_ref().map(|found| (found.path.as_deref(), found.effect));
            assert_eq!(found, expected, "{missing:?} {changes}");
        }
    }

    #[test]
    fn each_fault_of_a_clone_has_its_code() {
        let lock = |seconds, live| LeftLock {
            path: "/app/.git/index.lock".into(),
            age: Some(Duration::from_secs(seconds)),
            may_be_held: live,
        };
        let unwritable = |is_partial| {
            let path = "/app/.git".into();
            Some(Unwritable { path, is_read_only: false, is_partial, is_pinned: false })
        };
        let fail = |code| (CheckStatus::Fail, Some(code));
        let seen = |change: &dyn Fn(&mut ObservedClone)| {
            let mut observed = healthy();
            change(&mut observed);
            let judgement = judge(&observed);
            (judgement.status, judgement.code)
        };
        assert_eq!(seen(&|_| ()), (CheckStatus::Pass, None));
        assert_eq!(
            seen(&|seen| seen.bare = Some("/app/.git/config".into())),
            fail(Code::GitCloneBroken)
        );
        let tag = seen(&|seen| seen.head_type = Some("tag".to_owned()));
        assert_eq!(tag, fail(Code::GitCloneBroken));
        assert_eq!(
            seen(&|seen| seen.without_commit = Some("MERGE_HEAD")),
            fail(Code::GitCloneBroken)
        );
        let other_top = Some(("/x".into(), "/app/.git/config".into()));
        assert_eq!(seen(&|seen| seen.other_top = other_top.clone()), fail(Code::GitCloneBroken));
        for damage in [
            Damage::Index,
            Damage::Branch("/x".into()),
            Damage::PackedRefs(2),
            Damage::Taken("refs/heads/feat".to_owned()),
            Damage::InTheWay("/x".into()),
            Damage::Table("/x".into()),
        ] {
            let found = seen(&|seen| seen.damage = Some(damage.clone()));
            assert_eq!(found, fail(Code::GitCloneBroken), "{damage:?}");
        }
        let promised = "fatal: could not fetch 1 from promisor remote";
        let gone = seen(&|seen| {
            seen.promisor_gone = true;
            seen.head = Ok(output(128, "", promised));
        });
        assert_eq!(gone, fail(Code::GitCloneBroken));
        assert_eq!(seen(&|seen| seen.is_full = true), fail(Code::HomeDiskFull));
        assert_eq!(
            seen(&|seen| seen.unwritable = unwritable(false)),
            fail(Code::GitCloneUnwritable)
        );
        let partial = seen(&|seen| seen.unwritable = unwritable(true));
        assert_eq!(partial, (CheckStatus::Warn, Some(Code::GitCloneUnwritable)));
        assert_eq!(seen(&|seen| seen.locks = vec![lock(90, false)]), fail(Code::GitLockLeft));
        for (seconds, live) in [(5, false), (90, true)] {
            let found = seen(&|seen| seen.locks = vec![lock(seconds, live)]);
            assert_eq!(found, (CheckStatus::Unknown, None), "{seconds} {live}");
        }
        let unfinished = (CheckStatus::Warn, Some(Code::GitCloneUnfinished));
        assert_eq!(seen(&|seen| seen.unfinished = Some("a merge")), unfinished);
        for (status, stdout, stderr, expected) in [
            (0, ":000000 100644 0000 1111 U\tf", "", unfinished),
            (0, ":100644 100644 0000 1111 M\tf", "", (CheckStatus::Pass, None)),
            (128, "", "fatal: bad object HEAD", fail(Code::GitCloneBroken)),
            (128, "", "fatal: index file corrupt", fail(Code::GitCloneBroken)),
            (
                128,
                "",
                "fatal: could not fetch 1 from promisor remote",
                (CheckStatus::Unknown, None),
            ),
            (128, "", "fatal: bad revision 'HEAD'", (CheckStatus::Pass, None)),
            (
                128,
                "",
                "fatal: unknown repository extension found:\n\trelativeworktrees",
                fail(Code::GitTooOld),
            ),
            (128, "", "fatal: Expected git repo version <= 1, found 3", fail(Code::GitTooOld)),
        ] {
            let found = seen(&|seen| seen.head = Ok(output(status, stdout, stderr)));
            assert_eq!(found, expected, "{stderr}{stdout}");
        }
    }

    #[test]
    fn a_damaged_object_is_moved_away_before_it_is_fetched() {
        for (stderr, file) in [
            (
                "fatal: loose object 1111 (stored in .git/objects/11/11) is corrupt",
                Some("/app/.git/objects/11/11"),
            ),
            (
                "fatal: loose object 1111 (stored in /app/.git/objects/11/11) is corrupt",
                Some("/app/.git/objects/11/11"),
            ),
            ("fatal: loose object 1111 (stored in /other/11) is corrupt", None),
            ("fatal: bad object HEAD", None),
        ] {
            let found = damaged_file(stderr, &healthy().layout);
            assert_eq!(found.as_deref(), file.map(Path::new), "{stderr}");
        }
    }

    #[test]
    fn the_version_that_an_extension_needs_is_named() {
        let stderr = "fatal: unknown repository extension found:\n\trelativeworktrees";
        let judgement = too_old::<Reason>(&Ok(output(128, "", stderr))).unwrap();
        assert!(judgement.summary.contains("git 2.48 or newer"), "{judgement:?}");
        assert!(
            too_old::<Reason>(&Ok(output(0, "", "warning: unknown repository extension found")))
                .is_none()
        );
    }
}
