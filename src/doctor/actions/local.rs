//! What the clone shows, without the network and without a token.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::workflow::{WorkflowFile, WorkflowProblem, actionlint_labels, quoted};
use crate::git_cli::{self, Place};
use crate::process::{self, Bounds};
use crate::resource::file::{self, Kind};

/// No larger file is read.
const FILE_CAP: u64 = 512 * 1024;
const MOST_FILES: usize = 200;
/// The only folder that GitHub reads.
const WORKFLOWS: &str = ".github/workflows";
const ACTIONLINT: &str = ".github/actionlint.";
/// `.github/workflow` is a frequent mistake.
const READ: [&str; 4] =
    [WORKFLOWS, ".github/workflow", ".github/actionlint.yaml", ".github/actionlint.yml"];
const MOST_ENTRIES: usize = 1000;
const MOST_OUTSIDE: usize = 6;
const MOST_TAGS: usize = 20;
/// GitHub compares no more with a `paths` filter (docs, "Workflow syntax").
const MOST_CHANGED: usize = 300;
/// Of all workflow files together.
const ALL_CAP: usize = 4 * 1024 * 1024;
/// Of patterns for own labels: each is compared with each label.
const MOST_OWN_LABELS: usize = 100;
/// Longer labels and patterns are compared with nothing.
pub const LONGEST_LABEL: usize = 100;
const GIT: Duration = Duration::from_secs(5);

/// The commit that the work tree is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its name on the server. `None`: HEAD is detached, and no remote-tracking branch is here.
    pub branch: Option<String>,
    pub sha: String,
    pub message: String,
    /// A remote-tracking branch holds it, as after each push.
    pub pushed: bool,
    /// When that branch was pushed, where it points to this commit: from the reflog.
    pub pushed_at: Option<Timestamp>,
    pub committed_at: Option<Timestamp>,
    /// The tags that point to it here.
    pub tags: Vec<String>,
    /// Its author or committer is what a workflow's own commits are made by.
    pub by_workflow: bool,
}

impl Head {
    /// Asks git, in plumbing alone: no hook, signature program or text conversion of the repository
    /// is run.
    pub fn of(work_tree: &Path) -> Option<Self> {
        let git = |arguments: &[&str]| -> Option<String> {
            let mut command = self::git(work_tree);
            command.args(arguments);
            let output = process::run_within(Bounds::OBJECTS, command, GIT)
                .ok()
                .filter(|output| output.status.success())?;
            Some(output.stdout.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let sha = git(&["rev-parse", "--verify", "--quiet", "HEAD"])?;
        let local = git(&["symbolic-ref", "--quiet", "HEAD"]);
        // the branch may have another name on the server
        let there = git(&["rev-parse", "--symbolic-full-name", "@{push}"]);
        let there =
            there.as_deref().and_then(|name| name.strip_prefix("refs/remotes/")?.split_once('/'));
        let branch =
            there.map(|(_, name)| name).or_else(|| local.as_deref()?.strip_prefix("refs/heads/"));
        let commit = git(&["cat-file", "commit", &sha]).unwrap_or_default();
        let at = git(&["for-each-ref", "--format=%(refname)", "--points-at", &sha, "refs/remotes"]);
        let there_at =
            at.as_deref().unwrap_or_default().lines().find(|name| !name.ends_with("/HEAD"));
        // detached
        let branch =
            branch.or_else(|| Some(there_at?.strip_prefix("refs/remotes/")?.split_once('/')?.1));
        Some(Self {
            branch: branch.map(str::to_owned),
            message: commit.split_once("\n\n").map_or("", |(_, message)| message).to_owned(),
            pushed: git(&[
                "for-each-ref",
                "--count=1",
                "--format=x",
                "--contains",
                &sha,
                "refs/remotes",
            ])
            .is_some(),
            pushed_at: there_at
                .and_then(|name| {
                    git(&["reflog", "show", "-1", "--date=unix", "--format=%gd %gs", name])
                })
                .and_then(|entry| pushed_at(&entry)),
            committed_at: committed_at(&commit),
            tags: git(&["for-each-ref", "--format=%(refname)", "--points-at", &sha, "refs/tags"])
                .unwrap_or_default()
                .lines()
                .filter_map(|name| Some(name.strip_prefix("refs/tags/")?.to_owned()))
                .take(MOST_TAGS)
                .collect(),
            by_workflow: is_by_workflow(&commit),
            sha,
        })
    }
}

/// Of `committer NAME <EMAIL> SECONDS ZONE` in a commit's header.
fn committed_at(commit: &str) -> Option<Timestamp> {
    let mut header = commit.lines().take_while(|line| !line.is_empty());
    let committer = header.find(|line| line.starts_with("committer "))?;
    let seconds = committer.rsplit(' ').nth(1)?;
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

/// GitHub's documentation has workflows commit under this name.
fn is_by_workflow(commit: &str) -> bool {
    let mut header = commit.lines().take_while(|line| !line.is_empty());
    header.any(|line| {
        let person = line.strip_prefix("author ").or_else(|| line.strip_prefix("committer "));
        person.is_some_and(|person| person.starts_with("github-actions[bot] <"))
    })
}

/// Of a reflog entry `refs/remotes/origin/main@{1700000000} update by push`; what was fetched,
/// somebody pushed before.
fn pushed_at(entry: &str) -> Option<Timestamp> {
    let (seconds, message) = entry.rsplit_once("@{")?.1.split_once("} ")?;
    (message == "update by push").then(|| Timestamp::from_second(seconds.parse().ok()?).ok())?
}

/// The workflow files of the commit, and the labels that actionlint is configured to accept.
///
/// GitHub runs what was committed. Where there is no commit, the files of the work tree are read.
#[derive(Debug, Default)]
pub struct Local {
    pub workflows: Vec<WorkflowFile>,
    pub own_labels: Vec<String>,
    /// Files that look like workflows of the commit and are not.
    pub outside: Vec<Outside>,
    /// The files that the commit changes, where a trigger depends on them and they are known.
    pub changed: Option<Vec<String>>,
}

/// A file that GitHub does not run as it is in the work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    pub path: String,
    pub why: OutsideBecause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutsideBecause {
    NotCommitted,
    /// `.gitignore` excludes it, so `git add` does not add it.
    Ignored,
    /// The commit has another content.
    Changed,
    /// It is committed outside of `.github/workflows/`, or in a folder below.
    WrongFolder,
}

impl OutsideBecause {
    pub fn shown(self) -> &'static str {
        match self {
            Self::NotCommitted => "not in the commit",
            Self::Ignored => "not in the commit: .gitignore excludes it",
            Self::Changed => "changed since the commit",
            Self::WrongFolder => {
                "not directly in .github/workflows/, the only folder that GitHub reads"
            }
        }
    }
}

/// A file that was found, and its text.
struct FoundFile {
    /// Escaped: it is printed as it is.
    path: String,
    /// In the work tree.
    place: PathBuf,
    text: Text,
}

impl Local {
    pub fn read(work_tree: &Path) -> Self {
        let Some(tree) = tree(work_tree) else { return Self::of(of_work_tree(work_tree), vec![]) };
        let mut left = ALL_CAP;
        let end = Instant::now() + GIT;
        let mut read = |entry: &TreeEntry| FoundFile {
            path: entry.path.escape_debug().to_string(),
            place: work_tree.join(&entry.path),
            text: blob(work_tree, entry, &mut left, end),
        };
        let (direct, elsewhere): (Vec<_>, Vec<_>) =
            tree.iter().filter(|entry| is_yaml(&entry.path)).partition(|entry| {
                let folder = entry.path.rsplit_once('/').map(|(folder, _)| folder);
                folder == Some(WORKFLOWS) || entry.path.starts_with(ACTIONLINT)
            });
        let committed: Vec<_> = direct.into_iter().take(MOST_FILES).map(&mut read).collect();
        let wrong = elsewhere.into_iter().take(MOST_OUTSIDE).map(|entry| Outside {
            path: entry.path.escape_debug().to_string(),
            why: OutsideBecause::WrongFolder,
        });
        let mut outside: Vec<_> = wrong.collect();
        outside.extend(uncommitted(work_tree, &committed));
        let local = Self::of(committed, outside);
        let mut triggers = local.workflows.iter().flat_map(|workflow| &workflow.triggers);
        let changed = triggers.any(|trigger| trigger.by_path).then(|| changed(work_tree)).flatten();
        Self { changed, ..local }
    }

    fn of(files: Vec<FoundFile>, outside: Vec<Outside>) -> Self {
        let (config, workflows): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.path.starts_with(ACTIONLINT));
        let workflows = workflows.into_iter().filter_map(|file| match file.text {
            Text::Whole(text) => Some(WorkflowFile::parse(&file.path, &text)),
            Text::TooLarge => Some(WorkflowFile {
                path: file.path,
                problem: Some(WorkflowProblem::NotRead),
                ..WorkflowFile::default()
            }),
            Text::None => None,
        });
        let own_labels = config.into_iter().filter_map(|file| match file.text {
            Text::Whole(text) => Some(actionlint_labels(&text)),
            Text::TooLarge | Text::None => None,
        });
        let own_labels = own_labels
            .flatten()
            .filter(|label| label.len() <= LONGEST_LABEL)
            .take(MOST_OWN_LABELS)
            .map(|label| label.to_lowercase());
        let mut workflows: Vec<_> = workflows.collect();
        if workflows.len() < MOST_FILES {
            refuse_calls(&mut workflows);
        }
        Self { workflows, own_labels: own_labels.collect(), outside, changed: None }
    }

    /// Whether the configuration of actionlint names this label as a runner of the repository's own.
    pub fn owns(&self, label: &str) -> bool {
        let label = label.to_lowercase();
        label.len() <= LONGEST_LABEL
            && self.own_labels.iter().any(|own| super::trigger::matches(own, &label))
    }
}

/// Marks the workflows that call one of the same commit which cannot be called.
fn refuse_calls(workflows: &mut [WorkflowFile]) {
    let refused = |workflow: &WorkflowFile| {
        workflow.jobs.iter().find_map(|job| {
            let path = job.calls.as_ref()?.escape_debug().to_string();
            let (named, called) = (quoted(&job.key), quoted(&path));
            match workflows.iter().find(|other| other.path == path) {
                None => Some(format!(
                    "the job{named} calls the workflow{called}, which is not in the commit"
                )),
                Some(other) if other.problem.is_none() && !other.is_reusable() => Some(format!(
                    "the job{named} calls the workflow{called}, which has no `workflow_call` below `on:`"
                )),
                Some(_) => None,
            }
        })
    };
    let found: Vec<_> = workflows.iter().map(refused).collect();
    for (workflow, why) in workflows.iter_mut().zip(found) {
        let invalid = why.map(WorkflowProblem::Invalid);
        workflow.problem = workflow.problem.take().or(invalid);
    }
}

/// The files that HEAD changes. `None`: it is a merge, changes too many, or its parent is not here.
fn changed(work_tree: &Path) -> Option<Vec<String>> {
    let ask = |arguments: &[&str]| {
        let mut git = git(work_tree);
        git.args(arguments);
        Some(
            process::run_within(Bounds::OBJECTS, git, GIT)
                .ok()
                .filter(|output| output.status.success())?
                .stdout,
        )
    };
    // without its parent, a commit seems to add every file
    if ask(&["rev-parse", "--is-shallow-repository"])?.trim() != "false" {
        return None;
    }
    let names = ask(&[
        "diff-tree",
        "--root",
        "-r",
        "-z",
        "--no-commit-id",
        "--name-only",
        "--no-renames",
        "HEAD",
    ])?;
    let names: Vec<_> =
        names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    (1..=MOST_CHANGED).contains(&names.len()).then_some(names)
}

fn is_yaml(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "yml" || end == "yaml")
}

/// A regular file of the commit.
#[derive(Debug, PartialEq, Eq)]
struct TreeEntry {
    object: String,
    size: u64,
    path: String,
}

/// The regular files below [`READ`] in the commit. `None`: there is no commit.
fn tree(work_tree: &Path) -> Option<Vec<TreeEntry>> {
    let mut git = git(work_tree);
    git.args(["ls-tree", "-r", "-z", "--long", "--full-tree", "HEAD", "--"]).args(READ);
    let output = process::run_within(Bounds::OBJECTS, git, GIT)
        .ok()
        .filter(|output| output.status.success())?;
    Some(output.stdout.split('\0').filter_map(entry).take(MOST_ENTRIES).collect())
}

/// Of `100644 blob OBJECT    SIZE<TAB>PATH`. `None`: a link or a submodule.
fn entry(line: &str) -> Option<TreeEntry> {
    let (about, path) = line.split_once('\t')?;
    let mut words = about.split_ascii_whitespace();
    let mode = words.next()?;
    let (kind, object, size) = (words.next()?, words.next()?, words.next()?);
    (kind == "blob" && mode.starts_with("100")).then_some(())?;
    Some(TreeEntry { object: object.to_owned(), size: size.parse().ok()?, path: path.to_owned() })
}

/// The text of a file of the commit, where it has at most `left` bytes.
fn blob(work_tree: &Path, entry: &TreeEntry, left: &mut usize, end: Instant) -> Text {
    let rest = usize::try_from(entry.size).ok().and_then(|size| left.checked_sub(size));
    let (Some(rest), true) = (rest, entry.size <= FILE_CAP) else { return Text::TooLarge };
    let mut git = git(work_tree);
    git.args(["cat-file", "blob", &entry.object]);
    match process::run_within(Bounds::OBJECTS, git, end.saturating_duration_since(Instant::now())) {
        Ok(output) if output.status.success() => {
            *left = rest;
            Text::Whole(output.stdout)
        }
        _ => Text::TooLarge,
    }
}

/// The workflow files and the configuration of actionlint in the work tree.
fn of_work_tree(work_tree: &Path) -> Vec<FoundFile> {
    let folder = std::fs::read_dir(work_tree.join(WORKFLOWS)).into_iter().flatten();
    let names = folder.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        is_yaml(&name).then(|| (name, entry.path()))
    });
    // the first of them by name, of which no more are in memory
    let mut first = BTreeMap::new();
    for (name, path) in names {
        first.insert(name, path);
        if first.len() > MOST_FILES {
            first.pop_last();
        }
    }
    let workflows = first
        .into_iter()
        .map(|(name, path)| (format!("{WORKFLOWS}/{}", name.escape_debug()), path));
    let config = [".github/actionlint.yaml", ".github/actionlint.yml"];
    let config = config.into_iter().map(|name| (name.to_owned(), work_tree.join(name)));
    let mut left = ALL_CAP;
    workflows
        .chain(config)
        .map(|(path, place)| FoundFile { path, text: text(&place, &mut left), place })
        .collect()
}

/// The workflow files of the work tree that the commit does not have, or has otherwise.
fn uncommitted(work_tree: &Path, committed: &[FoundFile]) -> Vec<Outside> {
    let mut outside = Vec::new();
    for file in of_work_tree(work_tree) {
        let Text::Whole(text) = &file.text else { continue };
        let same = committed.iter().find(|known| known.path == file.path);
        let why = match same.map(|known| &known.text) {
            // a checkout may write other line ends
            Some(Text::Whole(known)) if known.lines().eq(text.lines()) => continue,
            Some(Text::Whole(_)) => OutsideBecause::Changed,
            Some(Text::TooLarge | Text::None) => continue,
            None if is_ignored(work_tree, &file.place) => OutsideBecause::Ignored,
            None => OutsideBecause::NotCommitted,
        };
        let is_workflow = file.path.starts_with(WORKFLOWS);
        outside.extend(is_workflow.then_some(Outside { path: file.path, why }));
        if outside.len() >= MOST_OUTSIDE {
            break;
        }
    }
    outside
}

/// `place` is its path as the file system has it: the escaped one may name another file.
fn is_ignored(work_tree: &Path, place: &Path) -> bool {
    let Ok(path) = place.strip_prefix(work_tree) else { return false };
    let mut git = git(work_tree);
    git.args(["check-ignore", "--quiet", "--"]).arg(path);
    process::run_within(Bounds::OBJECTS, git, GIT).is_ok_and(|output| output.status.success())
}

fn git(work_tree: &Path) -> Command {
    git_cli::command(Place::AsAgent(work_tree))
}

/// What was read at a path.
enum Text {
    Whole(String),
    TooLarge,
    /// It is not a regular file, or cannot be read.
    None,
}

/// The text of a file, where it has at most `left` bytes.
fn text(path: &Path, left: &mut usize) -> Text {
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => return Text::None,
        Ok(metadata) if metadata.len() > FILE_CAP => return Text::TooLarge,
        Ok(_) => {}
        Err(_) => return Text::None,
    }
    // by now it may be a FIFO, whose reader blocks
    match file::observe(path, Kind::Shared) {
        Ok(Some(content)) => match left.checked_sub(content.bytes.len()) {
            Some(rest) => {
                *left = rest;
                Text::Whole(String::from_utf8_lossy(&content.bytes).into_owned())
            }
            None => Text::TooLarge,
        },
        _ => Text::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_is_read_without_running_anything_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let done = Command::new("git")
                .arg("-C")
                .arg(folder.path())
                .args(arguments)
                .env("HOME", folder.path())
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
            String::from_utf8(done.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(Head::of(folder.path()), None);
        git(&["init", "--quiet", "--initial-branch=work"]);
        assert_eq!(Head::of(folder.path()), None);
        git(&[
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@example",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "one\n\n[skip ci]",
        ]);
        let head = Head::of(folder.path()).unwrap();
        assert_eq!(
            (head.branch.as_deref(), &*head.message, head.pushed),
            (Some("work"), "one\n\n[skip ci]", false)
        );
        git(&["remote", "add", "origin", "https://github.example/o/r"]);
        git(&["config", "branch.work.remote", "origin"]);
        git(&["config", "branch.work.merge", "refs/heads/theirs"]);
        git(&["config", "push.default", "upstream"]);
        git(&["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
        git(&["update-ref", "-m", "update by push", "refs/remotes/origin/theirs", &head.sha]);
        git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/theirs"]);
        let head = Head::of(folder.path()).unwrap();
        assert_eq!((head.branch.as_deref(), head.pushed), (Some("theirs"), true));
        let ago = Timestamp::now().duration_since(head.committed_at.unwrap());
        assert!((0..60).contains(&ago.as_secs()), "{ago}");
        let ago = Timestamp::now().duration_since(head.pushed_at.unwrap());
        assert!((0..60).contains(&ago.as_secs()), "{ago}");
        assert!(head.tags.is_empty() && !head.by_workflow);
        git(&["tag", "v1"]);
        assert_eq!(Head::of(folder.path()).unwrap().tags, ["v1"]);
        git(&["checkout", "--quiet", "--detach"]);
        assert_eq!(Head::of(folder.path()).unwrap().branch.as_deref(), Some("theirs"));
        assert_eq!(pushed_at("refs/remotes/origin/x@{1700000000} fetch: fast-forward"), None);
    }

    #[test]
    fn commits_of_workflows_are_recognized() {
        let by = |person: &str| is_by_workflow(&format!("tree 1\nauthor {person} 1 +0000\n\nx\n"));
        assert!(by("github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"));
        assert!(!by("dev <dev@example>"));
        assert!(!is_by_workflow("tree 1\n\nauthor github-actions[bot] <x>\n"));
    }

    #[test]
    fn called_workflows_must_be_in_the_commit() {
        let file = |path: &str, text: &str| FoundFile {
            path: format!("{WORKFLOWS}/{path}"),
            place: PathBuf::new(),
            text: Text::Whole(text.to_owned()),
        };
        let call = |name: &str| format!("on: push\njobs: {{a: {{uses: ./{WORKFLOWS}/{name}}}}}");
        let local = Local::of(
            vec![
                file("gone.yml", &call("none.yml")),
                file("plain.yml", &call("push.yml")),
                file("fine.yml", &call("called.yml")),
                file("push.yml", "on: push\njobs: {}"),
                file("called.yml", "on: workflow_call\njobs: {}"),
            ],
            vec![],
        );
        let problems: Vec<_> = local.workflows.iter().map(|file| file.problem.clone()).collect();
        let invalid = |text: &str| Some(WorkflowProblem::Invalid(text.to_owned()));
        assert_eq!(
            problems,
            [
                invalid(
                    "the job `a` calls the workflow `.github/workflows/none.yml`, which is not in the commit"
                ),
                invalid(
                    "the job `a` calls the workflow `.github/workflows/push.yml`, which has no `workflow_call` below `on:`"
                ),
                None,
                None,
                None,
            ]
        );
    }

    fn git_in(folder: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example"];
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(identity).args(arguments);
        assert!(command.env("HOME", folder).status().unwrap().success());
    }

    #[test]
    fn changed_files_are_those_of_the_commit_alone() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| git_in(folder.path(), arguments);
        let write = |name: &str| std::fs::write(folder.path().join(name), "x").unwrap();
        git(&["init", "--quiet", "--initial-branch=main"]);
        write("a");
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "one"]);
        assert_eq!(changed(folder.path()), Some(vec!["a".to_owned()]));
        write("odd\tname");
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "two"]);
        assert_eq!(changed(folder.path()), Some(vec!["odd\tname".to_owned()]));
        git(&["commit", "--quiet", "--allow-empty", "--message", "three"]);
        assert_eq!(changed(folder.path()), None);
        let shallow = folder.path().join("shallow");
        let url = format!("file://{}", folder.path().display());
        git(&["clone", "--quiet", "--depth=1", &url, &shallow.display().to_string()]);
        assert_eq!(changed(&shallow), None);
    }

    #[test]
    fn the_commit_is_read_and_not_the_work_tree() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| git_in(folder.path(), arguments);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        git(&["init", "--quiet"]);
        write(".github/workflows/a.yml", "on: push\njobs: {}\n");
        write(".github/workflows/kept.yml", "on: push\njobs: {}\n");
        write(".github/workflows/gone.yaml", "on: pull_request\njobs: {}\n");
        write(".github/workflows/app/sub.yml", "on: push\njobs: {}\n");
        write(".github/workflow/ci.yml", "on: push\njobs: {}\n");
        write(".github/actionlint.yaml", "self-hosted-runner: {labels: [gpu]}");
        write(".gitignore", "local.yml\nodd*\n");
        std::os::unix::fs::symlink("a.yml", folder.path().join(".github/workflows/link.yml"))
            .unwrap();
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "one"]);
        write(".github/workflows/a.yml", "on: [\n");
        write(".github/workflows/kept.yml", "on: push\r\njobs: {}\r\n");
        write(".github/workflows/new.yml", "on: push\njobs: {}\n");
        write(".github/workflows/local.yml", "on: push\njobs: {}\n");
        write(".github/workflows/odd\t[x].yml", "on: push\njobs: {}\n");
        std::fs::remove_file(folder.path().join(".github/workflows/gone.yaml")).unwrap();
        let local = Local::read(folder.path());
        let paths: Vec<_> = local.workflows.iter().map(|file| &*file.path).collect();
        let known = ["a.yml", "gone.yaml", "kept.yml"].map(|name| format!("{WORKFLOWS}/{name}"));
        assert_eq!(paths, known);
        assert!(local.workflows.iter().all(|file| file.problem.is_none()), "{local:?}");
        assert!(local.owns("gpu"));
        let outside: Vec<_> = local.outside.iter().map(|file| (&*file.path, file.why)).collect();
        assert_eq!(
            outside,
            [
                (".github/workflow/ci.yml", OutsideBecause::WrongFolder),
                (".github/workflows/app/sub.yml", OutsideBecause::WrongFolder),
                (".github/workflows/a.yml", OutsideBecause::Changed),
                (".github/workflows/local.yml", OutsideBecause::Ignored),
                (".github/workflows/new.yml", OutsideBecause::NotCommitted),
                (".github/workflows/odd\\t[x].yml", OutsideBecause::Ignored),
            ]
        );
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let workflows = folder.path().join(".github/workflows");
        std::fs::create_dir_all(workflows.join("folder.yml")).unwrap();
        std::fs::write(workflows.join("b.yaml"), "on: push\njobs: {}").unwrap();
        std::fs::write(workflows.join("readme.md"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", workflows.join("a.yml")).unwrap();
        std::fs::write(
            folder.path().join(".github/actionlint.yaml"),
            "self-hosted-runner: {labels: ['gpu-*']}",
        )
        .unwrap();
        let local = Local::read(folder.path());
        assert_eq!(
            local.workflows.iter().map(|workflow| &*workflow.path).collect::<Vec<_>>(),
            [".github/workflows/b.yaml"]
        );
        assert!(local.owns("GPU-1") && !local.owns("cpu"));
    }
}
