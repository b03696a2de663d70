//! Parts of a clone and of its hooks that stop every commit, beside those that stop none.

use super::Doctor::{Fails, Green, Warns};
use super::Git::{AddFails, CommitFails, NotTried, Works};
use super::{Doctor, Row, app, row, run};
use crate::support::sandbox;

const BROKEN: Doctor = Fails("git-clone-broken");
const UNRUNNABLE: Doctor = Fails("git-hook-unrunnable");

/// The folder of an object is closed, as root's umask leaves it.
fn closed(lab: &super::Lab, object: &str) {
    lab.sh(&format!(
        "cd app; mkdir d; echo 1 >d/g; git add d; git commit -qm g; git push -q
        id=$(git rev-parse '{object}'); chmod 0 .git/objects/${{id%??????????????????????????????????????}}"
    ));
}

fn pre_commit(lab: &super::Lab, script: &str) {
    lab.sh(&format!(
        "printf '{script}' >app/.git/hooks/pre-commit; chmod +x app/.git/hooks/pre-commit"
    ));
}

/// The head of a program for a processor that this is not.
const ELF: &str = "\\177ELF\\002\\001\\001\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\0\\363\\0";

const ROWS: &[Row] = &[
    row(
        "the folder of HEAD's commit is closed",
        CommitFails,
        Fails("git-clone-unwritable"),
        |lab| {
            closed(lab, "HEAD");
            app()
        },
    ),
    row("the folder of HEAD's tree is closed", CommitFails, Fails("git-clone-unwritable"), |lab| {
        closed(lab, "HEAD^{tree}");
        app()
    }),
    row("the folder of another object is closed", Works, Warns("git-clone-unwritable"), |lab| {
        closed(lab, "HEAD:d/g");
        app()
    }),
    row("a packed branch and a folder in its place", CommitFails, BROKEN, |lab| {
        lab.sh("cd app; git pack-refs --all; mkdir -p .git/refs/heads/main
            touch .git/refs/heads/main/x.lock");
        app()
    }),
    row("core.worktree is in a folder that is gone", AddFails, BROKEN, |lab| {
        lab.sh("git -C app config core.worktree /workspaces/app");
        app()
    }),
    row("the clone's attributes are a FIFO", AddFails, BROKEN, |lab| {
        lab.sh("mkdir -p app/.git/info; rm -f app/.git/info/attributes; mkfifo app/.git/info/attributes");
        app()
    }),
    row("the user's attributes are a FIFO", NotTried, BROKEN, |lab| {
        lab.sh("mkfifo attributes; git config --global core.attributesFile ~/attributes");
        app()
    }),
    row("a packed branch and an empty folder", Works, Green, |lab| {
        lab.sh("cd app; git pack-refs --all; mkdir -p .git/refs/heads/main/empty");
        app()
    }),
    row("a cherry-pick of a commit that is gone", CommitFails, BROKEN, |lab| {
        lab.sh("echo 1111111111111111111111111111111111111111 >app/.git/CHERRY_PICK_HEAD");
        app()
    }),
    row("a merge of a commit that is gone", CommitFails, BROKEN, |lab| {
        lab.sh("echo 1111111111111111111111111111111111111111 >app/.git/MERGE_HEAD");
        app()
    }),
    row("a cherry-pick of nothing", Works, Warns("git-clone-unfinished"), |lab| {
        lab.sh("echo none >app/.git/CHERRY_PICK_HEAD");
        app()
    }),
    row("a cherry-pick of a commit", Works, Warns("git-clone-unfinished"), |lab| {
        lab.sh("cd app; git rev-parse HEAD >.git/CHERRY_PICK_HEAD");
        app()
    }),
    row(
        "an encoding that is not known, for all files",
        AddFails,
        Fails("git-line-endings"),
        |lab| {
            lab.sh("cd app; echo '* text working-tree-encoding=KLINGON' >.git/info/attributes");
            app()
        },
    ),
    row("an encoding that is not known, for one file", Works, Warns("git-line-endings"), |lab| {
        lab.sh("cd app; echo 1 >z; git add z; git commit -qm z
            echo 'z text working-tree-encoding=KLINGON' >.git/info/attributes");
        app()
    }),
    row("a hook for macOS", CommitFails, UNRUNNABLE, |lab| {
        pre_commit(lab, "\\317\\372\\355\\376\\007\\0\\0\\001");
        app()
    }),
    row("a hook that is cut", CommitFails, UNRUNNABLE, |lab| {
        pre_commit(lab, ELF);
        app()
    }),
    row("an interpreter for another processor", CommitFails, UNRUNNABLE, |lab| {
        lab.sh(&format!("{{ printf '{ELF}'; head -c 200 /dev/zero; }} >node; chmod +x node"));
        pre_commit(lab, "#!/home/coder/node\\nconst x = require(1);\\n");
        app()
    }),
    row("a shell for another processor", Works, Green, |lab| {
        lab.sh(&format!("{{ printf '{ELF}'; head -c 200 /dev/zero; }} >bash; chmod +x bash"));
        pre_commit(lab, "#!/home/coder/bash\\nexit 0\\n");
        app()
    }),
    row("env with an option and a program", CommitFails, UNRUNNABLE, |lab| {
        pre_commit(lab, "#!/usr/bin/env -i sh\\n");
        app()
    }),
    row("env divides with -S", Works, Green, |lab| {
        pre_commit(lab, "#!/usr/bin/env -iS sh\\n");
        app()
    }),
];

#[test]
fn parts_that_stop_every_commit() {
    sandbox(|ws| run(ws, ROWS));
}
