//! What the clone shows, without the network and without a token.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::workflow::{Problem, Workflow, actionlint_labels};
use crate::git_cli::{self, Place};
use crate::process;
use crate::resource::file::{self, Kind};

/// No larger file is read.
const FILE_CAP: u64 = 512 * 1024;
const MOST_FILES: usize = 200;
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
}

impl Head {
    /// Asks git, in plumbing alone: no hook, signature program or text conversion of the repository
    /// is run.
    pub fn of(work_tree: &Path) -> Option<Self> {
        let git = |arguments: &[&str]| -> Option<String> {
            let mut command = git_cli::command(Place::AsAgent(work_tree));
            command.env("GIT_NO_LAZY_FETCH", "1").args(arguments);
            let output =
                process::run(command, GIT).ok().filter(|output| output.status.success())?;
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

/// Of a reflog entry `refs/remotes/origin/main@{1700000000} update by push`; what was fetched,
/// somebody pushed before.
fn pushed_at(entry: &str) -> Option<Timestamp> {
    let (seconds, message) = entry.rsplit_once("@{")?.1.split_once("} ")?;
    (message == "update by push").then(|| Timestamp::from_second(seconds.parse().ok()?).ok())?
}

/// The workflow files, and the labels that actionlint is configured to accept.
#[derive(Debug, Default)]
pub struct Local {
    pub workflows: Vec<Workflow>,
    pub own_labels: Vec<String>,
}

impl Local {
    pub fn read(work_tree: &Path) -> Self {
        let github = work_tree.join(".github");
        let folder = std::fs::read_dir(github.join("workflows")).into_iter().flatten();
        let mut paths: Vec<_> = folder.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.retain(|path| {
            path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
        });
        paths.sort();
        let mut left = ALL_CAP;
        let workflows = paths.iter().take(MOST_FILES).filter_map(|path| {
            // printed without another escape
            let name =
                format!(".github/workflows/{}", path.file_name()?.to_string_lossy().escape_debug());
            match text(path, &mut left) {
                Text::Whole(text) => Some(Workflow::parse(&name, &text)),
                Text::TooLarge => Some(Workflow {
                    path: name,
                    problem: Some(Problem::NotRead),
                    ..Workflow::default()
                }),
                Text::None => None,
            }
        });
        let own_labels = ["actionlint.yaml", "actionlint.yml"]
            .iter()
            .filter_map(|name| match text(&github.join(name), &mut { ALL_CAP }) {
                Text::Whole(text) => Some(actionlint_labels(&text)),
                Text::TooLarge | Text::None => None,
            })
            .flatten()
            .filter(|label| label.len() <= LONGEST_LABEL)
            .take(MOST_OWN_LABELS)
            .map(|label| label.to_lowercase());
        let workflows = workflows.collect();
        Self { workflows, own_labels: own_labels.collect() }
    }

    /// Whether the configuration of actionlint names this label as a runner of the repository's own.
    pub fn owns(&self, label: &str) -> bool {
        let label = label.to_lowercase();
        label.len() <= LONGEST_LABEL
            && self.own_labels.iter().any(|own| super::trigger::matches(own, &label))
    }
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
    use std::process::Command;

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
        git(&["checkout", "--quiet", "--detach"]);
        assert_eq!(Head::of(folder.path()).unwrap().branch.as_deref(), Some("theirs"));
        assert_eq!(pushed_at("refs/remotes/origin/x@{1700000000} fetch: fast-forward"), None);
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
