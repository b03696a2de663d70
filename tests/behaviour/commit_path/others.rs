//! Clones beside the current folder: `--all` says of each what keeps git from working in it.

use super::Lab;
use crate::support::sandbox;

struct RowOfOther {
    what: &'static str,
    /// Run in the home, which has `c2`, a copy of the clone.
    script: &'static str,
    /// Where git is asked to add a file.
    folder: &'static str,
    /// The code that fails, where git fails.
    code: Option<&'static str>,
}

const fn row(
    what: &'static str,
    script: &'static str,
    folder: &'static str,
    code: Option<&'static str>,
) -> RowOfOther {
    RowOfOther { what, script, folder, code }
}

const BROKEN: Option<&str> = Some("git-clone-broken");
const LOCKED: Option<&str> = Some("git-lock-left");
const WORKTREE: &str = "git -C c2 worktree add -q -b wt ../wt";

const ROWS: &[RowOfOther] = &[
    row("core.bare", "git -C c2 config core.bare true", "c2", BROKEN),
    row("core.bare twice", "printf '[core]\\nbare\\n' >>c2/.git/config", "c2", BROKEN),
    row("core.worktree", "git -C c2 config core.worktree /gone", "c2", BROKEN),
    row(
        "core.worktree in config.worktree",
        "cd c2; git config extensions.worktreeConfig true
         git config --worktree core.worktree /gone",
        "c2",
        BROKEN,
    ),
    row("no objects", "rm -rf c2/.git/objects", "c2", BROKEN),
    row("no refs", "rm -rf c2/.git/refs", "c2", BROKEN),
    row("no HEAD", "rm c2/.git/HEAD", "c2", BROKEN),
    row("a HEAD of nothing", "echo x >c2/.git/HEAD", "c2", BROKEN),
    row(
        "a newer form",
        "git -C c2 config core.repositoryFormatVersion 9",
        "c2",
        Some("git-too-old"),
    ),
    row(
        "an extension that no git knows",
        "cd c2; git config core.repositoryFormatVersion 1; git config extensions.none true",
        "c2",
        Some("git-too-old"),
    ),
    row(
        "the git folder is gone",
        "rm -rf c2/.git; echo 'gitdir: /gone/.git' >c2/.git",
        "c2",
        BROKEN,
    ),
    row("an empty file .git", "rm -rf c2/.git; : >c2/.git", "c2", BROKEN),
    row("a worktree's folder is gone", "WORKTREE; rm -rf c2/.git/worktrees", "wt", BROKEN),
    row("a worktree's clone is gone", "WORKTREE; rm -rf c2", "wt", BROKEN),
    row("a worktree's HEAD is cut", "WORKTREE; : >c2/.git/worktrees/wt/HEAD", "wt", BROKEN),
    row(
        "a lock of a worktree",
        "WORKTREE; touch -d yesterday c2/.git/worktrees/wt/index.lock",
        "wt",
        LOCKED,
    ),
    row("a lock", "touch -d yesterday c2/.git/index.lock", "c2", LOCKED),
    row(
        "objects are borrowed",
        "git clone -qs app c3; rm -rf c2; mv c3 c2; mv app gone",
        "c2",
        BROKEN,
    ),
    row("a worktree", WORKTREE, "wt", None),
    row(
        "a worktree that was removed by hand",
        "WORKTREE; touch -d yesterday c2/.git/worktrees/wt/index.lock; rm -rf wt",
        "c2",
        None,
    ),
    row(
        "a lock that no commit needs",
        "WORKTREE; touch -d yesterday c2/.git/worktrees/wt/config.lock",
        "c2",
        None,
    ),
    row(
        "a bare repository with a worktree",
        "rm -rf c2; git clone -q --bare app c2/.bare; echo 'gitdir: ./.bare' >c2/.git
         git -C c2 worktree add -q main",
        "c2/main",
        None,
    ),
    row(
        "the same in .git",
        "rm -rf c2; git clone -q --bare app c2/.git; git -C c2 worktree add -q main",
        "c2/main",
        None,
    ),
    row("a bare repository", "git clone -q --bare app bare.git", "c2", None),
    row("core.bare outside", "git config --global core.bare true", "c2", None),
    row(
        "core.worktree in an included file",
        "git config -f inc core.worktree /gone; git -C c2 config include.path ~/inc",
        "c2",
        None,
    ),
    row("core.worktree is right", "git -C c2 config core.worktree ..", "c2", None),
    row(
        "config.worktree does not count",
        "git config -f c2/.git/config.worktree core.worktree /gone",
        "c2",
        None,
    ),
    row(
        "a submodule",
        "cd c2; git -c protocol.file.allow=always submodule --quiet add ~/app sub 2>&1",
        "c2/sub",
        None,
    ),
    row(
        "a submodule that was removed",
        "cd c2; git -c protocol.file.allow=always submodule --quiet add ~/app sub 2>&1
         git commit -qm x; git rm -qf sub; git commit -qm y",
        "c2",
        None,
    ),
    row("a shallow clone", "rm -rf c2; git clone -q --depth 1 file://$HOME/app c2", "c2", None),
    row(
        "a partial clone",
        "git -C app config uploadpack.allowFilter true; rm -rf c2
         git clone -q --filter=blob:none file://$HOME/app c2",
        "c2",
        None,
    ),
    row("sha256", "rm -rf c2; git init -q --object-format=sha256 c2; : >c2/f", "c2", None),
    row(
        "reftable",
        "rm -rf c2; git init -q --ref-format=reftable c2 2>/dev/null || git init -q c2; : >c2/f",
        "c2",
        None,
    ),
    row(
        "a git folder elsewhere",
        "rm -rf c2; git clone -q --separate-git-dir g app c2",
        "c2",
        None,
    ),
    row("an empty folder .git", "mkdir -p none/.git", "c2", None),
    row("a folder of an unpacked hook", "mkdir -p none/.git/hooks", "c2", None),
    row("a link to none", "mkdir none; ln -s /gone none/.git", "c2", None),
    row(
        "objects are borrowed from one that is gone, and none is needed",
        "echo /gone/objects >c2/.git/objects/info/alternates",
        "c2",
        None,
    ),
];

#[test]
fn all_clones_are_read_without_git() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let text = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
        let mut wrong = Vec::new();
        for row in ROWS.iter().filter(|row| row.what.contains(&text)) {
            lab.fresh();
            let script = row.script.replace("WORKTREE", WORKTREE);
            lab.sh(&format!("cp -a app c2; {script}"));
            let arguments = ["doctor", "--json", "--offline", "--all", "--only", "git.clone"];
            let report = ws.pushready(&arguments).run().json();
            let failed: Vec<_> = report["checks"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|check| !matches!(check["status"].as_str().unwrap(), "pass" | "skip"))
                .map(|check| format!("{} {}", check["code"], check["subject"]))
                .collect();
            let expected: Vec<_> =
                row.code.iter().map(|code| format!("{code:?} \"~/{}\"", row.folder)).collect();
            let mut of_row = Vec::new();
            if failed != expected {
                of_row.push(format!("{failed:?}, and not {expected:?}"));
            }
            let git = ws.sh("echo x >>f; git add f && git commit -qm x").current_dir(row.folder);
            let output = git.run();
            if output.status.success() != row.code.is_none() {
                of_row.push(output.to_string());
            }
            println!("{:<70} {}", row.what, of_row.is_empty());
            wrong.extend(of_row.into_iter().map(|what| format!("{}: {what}", row.what)));
        }
        lab.host.behave("o/app");
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}
