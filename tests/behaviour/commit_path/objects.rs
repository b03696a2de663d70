//! Objects that a push sends and git cannot read: a commit works, and a push of it fails.

use super::Doctor::{Fails, Green, NoFailure, Warns};
use super::Git::{CommitFails, NotTried, PushFails, Works};
use super::{Lab, Row, Where, app, at, row, run};
use crate::support::sandbox;

/// Three commits that no remote has, and what becomes of an object of them.
fn unpushed(lab: &Lab, object: &str, fate: &str) -> Where {
    lab.sh("cd app; mkdir d; echo 1 >d/g; git add d; git commit -qm g; git push -q
        for n in 1 2 3; do echo $n >>d/n; git add d; git commit -qm $n; done");
    lose(lab, "app", object, fate);
    app()
}

fn lose(lab: &Lab, clone: &str, object: &str, fate: &str) {
    lab.sh(&format!(
        "cd {clone}; id=$(git rev-parse '{object}'); rest=${{id#??}}
        file=.git/objects/${{id%$rest}}/$rest; chmod u+w $file; {fate}"
    ));
}

const GONE: &str = "rm $file";
const EMPTY: &str = ": >$file";
const ZEROS: &str = "head -c 60 /dev/zero >$file";

const ROWS: &[Row] = &[
    row("a file of an unpushed commit is gone", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1:d/n", GONE)
    }),
    row("a folder of it is gone", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1:d", GONE)
    }),
    row("its tree is gone", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1^{tree}", GONE)
    }),
    row("the commit itself is gone", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1", GONE)
    }),
    row("the commit itself is empty", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1", EMPTY)
    }),
    row("its tree is empty", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1^{tree}", EMPTY)
    }),
    row("a file of it is empty", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1:d/n", EMPTY)
    }),
    row("a file of it is all zeros", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~1:d/n", ZEROS)
    }),
    row("a file of HEAD is all zeros", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD:d/n", ZEROS)
    }),
    row("the remote's commit is gone", PushFails, Fails("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~3", GONE)
    }),
    // git 2.39 pushes, and a newer one does not
    row("its parent is gone", NotTried, Warns("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~4", GONE)
    }),
    row("its parent's tree is gone", Works, Green, |lab| unpushed(lab, "HEAD~4^{tree}", GONE)),
    row("a file of the remote's commit is empty", Works, Warns("git-clone-broken"), |lab| {
        unpushed(lab, "HEAD~3:d/g", EMPTY)
    }),
    row("unpushed commits are whole", Works, Green, |lab| unpushed(lab, "HEAD", "chmod a-w $file")),
    row("nothing is unpushed, and a parent is gone", NotTried, Warns("git-clone-broken"), |lab| {
        lab.sh(
            "cd app; for n in 1 2; do echo $n >n; git add n; git commit -qm n; done; git push -q",
        );
        lose(lab, "app", "HEAD~1", GONE);
        app()
    }),
    row("what is staged is empty", PushFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; mkdir d; echo n >d/n; git add d");
        lose(lab, "app", ":d/n", EMPTY);
        app()
    }),
    row("what is staged is whole", Works, Green, |lab| {
        lab.sh("cd app; mkdir d; echo 1 >d/n; git add d; git rm -q --cached f; git add -N f");
        app()
    }),
    row("a shallow clone, and a file is gone", PushFails, Fails("git-clone-broken"), |lab| {
        shallow(lab);
        lose(lab, "low", "HEAD~1:n", GONE);
        at("low")
    }),
    row("a shallow clone", Works, Green, |lab| {
        shallow(lab);
        at("low")
    }),
    row("commits that borrow from another clone", Works, Green, |lab| {
        lab.sh("cd app; for n in 1 2; do echo $n >n; git add n; git commit -qm n; done
            cd ..; git clone -qs app low; cd low
            git remote set-url origin git@github.com:o/app.git; git fetch -q");
        at("low")
    }),
    row("a commit that is replaced", Works, Green, |lab| {
        unpushed(lab, "HEAD", "true");
        lab.sh("cd app; git replace HEAD~1 HEAD~2");
        app()
    }),
    row("an unpushed commit of a partial clone", Works, NoFailure, |lab| {
        partial(lab);
        at("part")
    }),
    row("the same, and a file of it is empty", PushFails, Fails("git-clone-broken"), |lab| {
        partial(lab);
        lose(lab, "part", "HEAD~1:n", EMPTY);
        at("part")
    }),
    row("a branch that no server has", Works, Green, |lab| {
        lab.sh("cd app; git switch -qc new; echo 1 >n; git add n; git commit -qm n
            git config push.autoSetupRemote true");
        app()
    }),
    row(
        "a commit without its file cannot be made",
        CommitFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh("cd app; mkdir d; echo 1 >d/n; git add d");
            lose(lab, "app", ":d/n", GONE);
            app()
        },
    ),
];

fn shallow(lab: &Lab) {
    lab.sh("cd app; for n in 1 2; do echo $n >n; git add n; git commit -qm n; done; git push -q
        cd ..; git clone -q --depth 1 git@github.com:o/app.git low 2>/dev/null; cd low
        for n in 3 4; do echo $n >n; git add n; git commit -qm n; done");
}

fn partial(lab: &Lab) {
    lab.sh("cd app; mkdir d; for n in 1 2; do echo $n >d/n; git add d; git commit -qm n; done
        git push -q; git -C /srv/git/o/app.git config uploadpack.allowFilter true; cd ..
        git clone -q --filter=blob:none git@github.com:o/app.git part 2>/dev/null; cd part
        for n in 3 4; do echo $n >n; git add n; git commit -qm n; done");
}

#[test]
fn what_a_push_sends_can_be_read() {
    sandbox(|ws| run(ws, ROWS));
}
