//! `scripts/new-release.py`, in a throw-away repository with the files of this one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{ROOT, files};

const CURRENT: &str = env!("CARGO_PKG_VERSION");

struct Repository {
    folder: TempDir,
}

impl Repository {
    /// With one commit, a changelog with entries, and no tag. No tests: they are many files.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wanted =
            |file: &&PathBuf| !["tests", "fuzz", "docs"].iter().any(|it| file.starts_with(it));
        for file in files().iter().filter(wanted) {
            let place = folder.path().join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(Path::new(ROOT).join(file), place).unwrap();
        }
        let repository = Self { folder };
        repository.git("init --quiet --initial-branch main");
        repository
            .write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n### Added\n\n- one thing\n");
        repository.git("add --all");
        repository.git("commit --quiet --message files");
        repository
    }

    fn cmd(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "T"),
            ("GIT_AUTHOR_EMAIL", "t@example.com"),
            ("GIT_COMMITTER_NAME", "T"),
            ("GIT_COMMITTER_EMAIL", "t@example.com"),
            ("CARGO_NET_OFFLINE", "true"),
        ] {
            command.env(name, value);
        }
        // a test that git itself starts, as in a hook
        command.env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE").env_remove("GIT_WORK_TREE");
        command
    }

    fn git(&self, arguments: &str) -> String {
        let output = self.cmd("git").args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "git {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn release(&self, arguments: &str) -> Output {
        self.cmd("scripts/new-release.py").args(arguments.split(' ')).output().unwrap()
    }

    #[track_caller]
    fn releases(&self, arguments: &str) -> String {
        let output = self.release(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {text}{stderr}");
        text
    }

    /// Fails with these words, and changes nothing.
    #[track_caller]
    fn refuses(&self, arguments: &str, status: i32, said: &str) {
        let before = self.state();
        let output = self.release(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments}: {stderr}");
        assert!(stderr.contains(said), "{arguments}: lacks {said:?}: {stderr}");
        assert_eq!(self.state(), before, "{arguments}");
    }

    fn state(&self) -> [String; 3] {
        [self.git("rev-parse HEAD"), self.git("status --porcelain"), self.git("tag --list")]
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    fn program(&self, file: &str, text: &str) {
        self.write(file, text);
        let place = self.folder.path().join(file);
        fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_release_is_refused_before_anything_changes() {
    let repository = Repository::new();
    repository.refuses("--no-build", 2, "usage: new-release.py");
    repository.refuses("--no-push 9.0.0", 2, "usage: new-release.py");
    for version in ["9.0", "v9", "9.0.0-01", "9.0.0+build", "09.0.0"] {
        repository.refuses(&format!("--no-build {version}"), 1, "is not a version like");
    }
    repository.refuses("--no-build 0.0.1", 1, "is smaller than");
    repository.git("tag v8.0.0");
    repository.refuses("--no-build 8.0.0", 1, "v8.0.0 is a tag already");
    repository.refuses("--no-build 8.0.0-rc.1", 1, "is not greater than 8.0.0");
    repository.refuses("--no-build 7.9.9", 1, "is not greater than 8.0.0");
    repository.refuses("--dry-run 7.9.9", 1, "is not greater than 8.0.0");
    repository.write("notes", "");
    repository.refuses("--no-build 9.0.0", 1, "?? notes");
    fs::remove_file(repository.folder.path().join("notes")).unwrap();
    repository
        .write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n### Added\n\n## 8.0.0\n\n- a\n");
    repository.git("commit --quiet --all --message changelog");
    repository.refuses("--no-build 9.0.0", 1, "no entries under Unreleased");
}

#[test]
fn a_release_is_one_commit_and_one_tag() {
    let repository = Repository::new();
    let before = repository.state();
    let dry = repository.releases("--dry-run 9.1.0");
    for line in ["+version = \"9.1.0\"", "+## 9.1.0 - 2", "would commit this as 'release: 9.1.0'"] {
        assert!(dry.contains(line), "{line}: {dry}");
    }
    assert_eq!(repository.state(), before);

    let said = repository.releases("--no-build 9.1.0-rc.1");
    assert!(said.contains("git push origin main v9.1.0-rc.1"), "{said}");
    // the final one says what is new since then
    repository.refuses("--no-build 9.1.0", 1, "no entries under Unreleased");
    let changelog =
        repository.read("CHANGELOG.md").replace("Unreleased\n", "Unreleased\n\n- two\n");
    repository.write("CHANGELOG.md", &changelog);
    repository.git("commit --quiet --all --message changelog");
    let said = repository.releases("--no-build v9.1.0");
    assert!(said.contains("nothing is published") && said.contains("docs/releasing.md"), "{said}");
    let commits = "release: 9.1.0\nchangelog\nrelease: 9.1.0-rc.1\nfiles";
    assert_eq!(repository.git("log --format=%s"), commits);
}

#[test]
fn the_version_is_written_everywhere() {
    let repository = Repository::new();
    repository.releases("--no-build 9.1.0");
    assert!(repository.read("Cargo.toml").contains("\nversion = \"9.1.0\"\n"));
    assert!(repository.read("Cargo.lock").contains("name = \"pushready\"\nversion = \"9.1.0\"\n"));
    assert!(repository.read("scripts/coder/README.md").contains("?ref=v9.1.0\""));
    let changelog = repository.read("CHANGELOG.md");
    let (above, below) = changelog.split_once("\n## 9.1.0 - ").unwrap();
    assert!(above.ends_with("## Unreleased\n"), "{changelog}");
    assert!(below.contains("\n- one thing\n") && below.starts_with("20"), "{changelog}");

    assert_eq!(repository.git("status --porcelain"), "");
    assert_eq!(repository.git("cat-file -t v9.1.0"), "tag");
    let notes = repository.git("tag --list --format=%(contents) v9.1.0");
    assert_eq!(notes, "pushready 9.1.0\n\n### Added\n\n- one thing");
    // and the next one needs entries of its own
    repository.refuses("--no-build 9.2.0", 1, "no entries under Unreleased");
}

#[test]
fn the_first_release_has_the_version_that_is_there() {
    let repository = Repository::new();
    repository.releases(&format!("--no-build {CURRENT}"));
    assert_eq!(repository.git("tag --list"), format!("v{CURRENT}"));
    assert_eq!(repository.git("diff --name-only HEAD~1"), "CHANGELOG.md");
}

#[test]
fn what_failed_is_undone_and_what_was_killed_is_continued() {
    let repository = Repository::new();
    let hooks = ".git/hooks";
    fs::create_dir_all(repository.folder.path().join(hooks)).unwrap();
    repository
        .program(&format!("{hooks}/pre-commit"), "#!/bin/sh\necho hook refuses >&2\nexit 1\n");
    repository.refuses("--no-build 9.1.0", 1, "hook refuses");
    repository.refuses("--no-build 9.1.0", 1, "undone: HEAD is");

    // killed after the commit: git runs this, and new-release.py runs git
    fs::remove_file(repository.folder.path().join(hooks).join("pre-commit")).unwrap();
    let kill = "#!/bin/sh\nkill -9 \"$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$PPID/status)\"\n";
    repository.program(&format!("{hooks}/post-commit"), kill);
    let killed = repository.release("--no-build 9.1.0");
    assert_eq!(killed.status.code(), None, "{killed:?}");
    fs::remove_file(repository.folder.path().join(hooks).join("post-commit")).unwrap();
    // git may still be ending
    while repository.folder.path().join(".git/index.lock").exists() {}
    let said = repository.releases("--no-build 9.1.0");
    assert!(said.starts_with("continue with the commit "), "{said}");
    assert_eq!(repository.git("log --format=%s"), "release: 9.1.0\nfiles");
    assert_eq!(repository.git("tag --list"), "v9.1.0");
}

/// scripts/release.sh takes minutes: a stand-in that fails, builds another commit, and builds this.
#[test]
fn a_build_that_fails_or_is_of_another_commit_makes_no_tag() {
    let repository = Repository::new();
    let build = |text: &str| {
        repository.program("scripts/release.sh", &format!("#!/bin/sh\nset -e\n{text}\n"));
        repository.git("commit --quiet --all --message build");
    };
    let made =
        "mkdir -p target/release-files && : >target/release-files/pushready-9.1.0-x86_64-linux";
    build("echo no compiler >&2; exit 1");
    repository.refuses("9.1.0", 1, "no compiler");
    build(&format!("{made}; git rev-parse HEAD~1 >target/release-files/PROVENANCE.txt"));
    repository.refuses("9.1.0", 1, "does not contain this commit's release");
    build(&format!("{made}; git rev-parse HEAD >target/release-files/PROVENANCE.txt"));
    let said = repository.releases("9.1.0");
    assert!(said.contains("sha256sum --check"), "{said}");
    assert_eq!(repository.git("rev-parse v9.1.0^{commit}"), repository.git("rev-parse HEAD"));
}
