//! What is wrong in every clone, for a reason in the home or the image: outside of a clone, as in a
//! start script, it warns. The rows are built without a clone in view; git is asked in one.

use super::Doctor::{Green, Warns};
use super::Git::{AddFails, CommitFails, PushFails, Works};
use super::{Doctor, Git, Lab, Row, app, at};
use crate::support::sandbox;

struct RowOfHome {
    what: &'static str,
    script: &'static str,
    /// In a clone that was made before, or where it decides, made now.
    git: Git,
    doctor: Doctor,
}

const fn row(what: &'static str, script: &'static str, git: Git, doctor: Doctor) -> RowOfHome {
    RowOfHome { what, script, git, doctor }
}

/// A hook of all clones.
const HOOKS: &str = "mkdir hooks; git config --global core.hooksPath '~/hooks'; cd hooks
    hook() { printf \"$2\" >$1; chmod +x $1; }";
const UNRUNNABLE: Doctor = Warns("git-hook-unrunnable");

const ROWS: &[RowOfHome] = &[
    row(
        "the interpreter of a hook is gone",
        "hook commit-msg '#!/opt/homebrew/bin/bash\\n'",
        CommitFails,
        UNRUNNABLE,
    ),
    row(
        "env finds no interpreter",
        "hook pre-commit '#!/usr/bin/env no-such-node\\n'",
        CommitFails,
        UNRUNNABLE,
    ),
    row("a hook of pushes", "hook pre-push '#!/opt/gone\\n'", PushFails, UNRUNNABLE),
    row(
        "a hook with CRLF",
        "hook pre-commit '#!/bin/sh\\r\\nexit 0\\r\\n'",
        CommitFails,
        UNRUNNABLE,
    ),
    row(
        "a command of a hook is gone",
        "hook pre-commit '#!/bin/sh\\nno-such-tool\\n'",
        CommitFails,
        UNRUNNABLE,
    ),
    // git ignores it
    row(
        "a hook is not executable",
        "hook pre-commit '#!/opt/gone\\n'; chmod -x pre-commit",
        Works,
        Green,
    ),
    row("a hook that works", "hook pre-commit '#!/bin/sh\\nexit 0\\n'", Works, Green),
    // which a clone may have
    row(
        "a script of the project",
        "hook pre-commit '#!/bin/sh\\nsh scripts/check.sh\\n'",
        CommitFails,
        Green,
    ),
    row(
        "a program of the project",
        "hook pre-commit '#!/bin/sh\\n./node_modules/.bin/lint\\n'",
        CommitFails,
        Green,
    ),
    row("the folder of hooks is gone", "git config --global core.hooksPath /gone", Works, Green),
    row(
        "a folder of hooks in the project",
        "git config --global core.hooksPath .githooks",
        Works,
        Green,
    ),
    row(
        "a hook of the template",
        "mkdir -p t/hooks; printf '#!/opt/gone\\n' >t/hooks/pre-commit; chmod +x t/hooks/pre-commit
        git config --global init.templateDir '~/t'; rm -rf app
        git clone -q git@github.com:o/app.git app 2>&1",
        CommitFails,
        UNRUNNABLE,
    ),
    row("the template is gone", "git config --global init.templateDir /gone", Works, Green),
    row(
        "no such remote",
        "git config --global remote.pushDefault upstream",
        PushFails,
        Warns("push-target-none"),
    ),
    row("the remote of a clone", "git config --global remote.pushDefault origin", Works, Green),
    row(
        "push.default is nothing",
        "git config --global push.default nothing",
        PushFails,
        Warns("push-target-none"),
    ),
    row("push.default is upstream", "git config --global push.default upstream", Works, Green),
    row("push.default is current", "git config --global push.default current", Works, Green),
    row(
        "all branches are pushed",
        "git config --global remote.origin.push 'refs/heads/*:refs/heads/*'",
        Works,
        Warns("push-target-other"),
    ),
    row(
        "push.recurseSubmodules is not a word",
        "git config --global push.recurseSubmodules foo",
        PushFails,
        Warns("git-config-invalid"),
    ),
    row(
        "a required filter of the user's",
        "git config --global core.attributesFile '~/attributes'; echo 'f filter=x' >attributes
        git config --global filter.x.clean gone; git config --global filter.x.required true",
        AddFails,
        Warns("git-filter-missing"),
    ),
    row(
        "a filter that is not required",
        "mkdir -p .config/git; echo 'f filter=x' >.config/git/attributes
        git config --global filter.x.clean gone",
        Works,
        Green,
    ),
    row(
        "a required filter that no attribute names",
        "git config --global filter.x.clean gone; git config --global filter.x.required true",
        Works,
        Green,
    ),
    row(
        "index.threads is not a number",
        "git config --global index.threads foo",
        AddFails,
        Warns("git-config-invalid"),
    ),
    row(
        "commit.cleanup is not a word",
        "git config --global commit.cleanup foo",
        CommitFails,
        Warns("git-config-invalid"),
    ),
    row(
        "diff.orderFile is gone",
        "git config --global diff.orderFile /gone",
        CommitFails,
        Warns("git-config-invalid"),
    ),
    row(
        "a signature without a program",
        "git config --global commit.gpgSign true; git config --global gpg.program /gone",
        CommitFails,
        Warns("git-signing-broken"),
    ),
    row(
        "nobody commits",
        "git config --global --remove-section user; git config --global user.useConfigOnly true",
        CommitFails,
        Warns("git-identity-missing"),
    ),
    row(
        "ordinary settings",
        "git config --global pull.rebase true; git config --global alias.st status
        git config --global push.autoSetupRemote true; git config --global core.editor gone
        git config --global color.ui auto; git config --global rerere.enabled true
        git config --global merge.conflictStyle diff3; git config --global core.excludesFile /gone",
        Works,
        Green,
    ),
];

#[test]
fn what_breaks_every_clone_warns_outside_of_any() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let text = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
        let mut wrong = Vec::new();
        for row in ROWS.iter().filter(|row| row.what.contains(&text)) {
            lab.fresh();
            let is_hook = row.script.starts_with("hook ");
            let hooks = if is_hook { HOOKS } else { "" };
            lab.sh(&format!("{hooks}\n{}", row.script));
            let output = lab.doctor(&at("."));
            let of_row = Row { what: row.what, build: |_| app(), git: row.git, doctor: row.doctor };
            wrong.extend(of_row.judge(&output).into_iter().map(|it| format!("{}: {it}", row.what)));
            let folders = lab.sh("ls -A /tmp | grep pushready-run || true").stdout;
            assert_eq!(folders, "", "{}", row.what);
            let (git, output) = lab.git(&app());
            if git != row.git {
                wrong.push(format!("{}: git: {git:?}\n{output}", row.what));
            }
        }
        lab.host.behave("o/app");
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// It does not keep a start script from its end.
#[test]
fn a_start_script_names_what_breaks_every_clone_and_goes_on() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.sh("git config --global remote.pushDefault upstream; mkdir hooks
            git config --global core.hooksPath '~/hooks'
            printf '#!/opt/gone\\n' >hooks/pre-commit; chmod +x hooks/pre-commit");
        let doctor = ws.pushready(&["doctor", "--required", "--short"]);
        let output = doctor.env("PUSHREADY_REQUIRE", "push:o/app").run().success();
        for code in ["READY", "warnings: ", "git-hook-unrunnable", "push-target-none"] {
            assert!(output.stdout.contains(code), "{code}: {output}");
        }
    });
}
