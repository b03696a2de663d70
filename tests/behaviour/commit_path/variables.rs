//! Variables of git's with values that git does not accept, beside those that it ignores.

use super::Doctor::{Fails, Green, NoFailure, Unknown, Warns};
use super::Git::{AddFails, PushFails, Works};
use super::{Doctor, Row, app, at, row, run};
use crate::support::sandbox;

const BROKEN: Doctor = Fails("git-environment-broken");
const ELSEWHERE: Doctor = Warns("git-environment-broken");
const INVALID: Doctor = Fails("git-config-invalid");

const WORKTREE: &str = "git -C app worktree add -q ../wt -b wt; git -C wt push -qfu origin wt";

/// They name a folder or an index, be it another than the one of the current folder.
const NAMES: &[Row] = &[
    row("a worktree with GIT_DIR of its clone", Works, ELSEWHERE, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_DIR", "/home/coder/app/.git")
    }),
    row("a worktree with GIT_DIR of another", Works, ELSEWHERE, |lab| {
        lab.sh(WORKTREE);
        lab.sh("cd app; git worktree add -q ../b -b b; git push -qu origin b");
        at("wt").env("GIT_DIR", "/home/coder/b/.git")
    }),
    row("a worktree with its own GIT_DIR", Works, Green, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_DIR", "/home/coder/app/.git/worktrees/wt")
    }),
    row("a worktree whose .git is GIT_DIR", Works, Green, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_DIR", ".git")
    }),
    row("a worktree with the clone's GIT_COMMON_DIR", Works, Green, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_COMMON_DIR", "/home/coder/app/.git")
    }),
    row("GIT_DIR is a work tree", AddFails, BROKEN, |_| app().env("GIT_DIR", "/home/coder/app")),
    row("a worktree with the clone's index", Works, ELSEWHERE, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_INDEX_FILE", "/home/coder/app/.git/index")
    }),
    row("a worktree with its own index", Works, Green, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_INDEX_FILE", "/home/coder/app/.git/worktrees/wt/index")
    }),
    row("the index of a hook of `git commit -a`", Works, ELSEWHERE, |_| {
        app().env("GIT_INDEX_FILE", "/home/coder/app/.git/index.lock")
    }),
    row("the index of a hook of `git commit FILE`", Works, ELSEWHERE, |_| {
        app().env("GIT_INDEX_FILE", ".git/next-index-4711.lock")
    }),
    row("the index of a hook of `git commit`", Works, Green, |_| {
        app().env("GIT_INDEX_FILE", ".git/index")
    }),
];

const ROWS: &[Row] = &[
    // pathspecs
    row("glob and noglob", AddFails, BROKEN, |_| {
        app().env("GIT_GLOB_PATHSPECS", "1").env("GIT_NOGLOB_PATHSPECS", "1")
    }),
    row("literal and icase", AddFails, BROKEN, |_| {
        app().env("GIT_LITERAL_PATHSPECS", "1").env("GIT_ICASE_PATHSPECS", "1")
    }),
    row("literal is not a truth value", AddFails, BROKEN, |_| {
        app().env("GIT_LITERAL_PATHSPECS", "maybe")
    }),
    row("icase is not a truth value", AddFails, BROKEN, |_| {
        app().env("GIT_ICASE_PATHSPECS", "maybe")
    }),
    row("glob and icase", Works, Green, |_| {
        app().env("GIT_GLOB_PATHSPECS", "1").env("GIT_ICASE_PATHSPECS", "1")
    }),
    row("glob, and noglob is empty", Works, Green, |_| {
        app().env("GIT_GLOB_PATHSPECS", "1").env("GIT_NOGLOB_PATHSPECS", "")
    }),
    // what git reads at once, or on the way
    row("GIT_ATTR_NOSYSTEM is not a truth value", AddFails, BROKEN, |_| {
        app().env("GIT_ATTR_NOSYSTEM", "maybe")
    }),
    row("GIT_ATTR_NOSYSTEM", Works, Green, |_| app().env("GIT_ATTR_NOSYSTEM", "1")),
    row("GIT_REF_PARANOIA is not a truth value", PushFails, BROKEN, |_| {
        app().env("GIT_REF_PARANOIA", "maybe")
    }),
    row("GIT_REF_PARANOIA", Works, Green, |_| app().env("GIT_REF_PARANOIA", "1")),
    row("GIT_CONFIG_NOSYSTEM is not a truth value", AddFails, INVALID, |_| {
        app().env("GIT_CONFIG_NOSYSTEM", "maybe")
    }),
    row("GIT_DISCOVERY_ACROSS_FILESYSTEM is none", AddFails, INVALID, |_| {
        app().env("GIT_DISCOVERY_ACROSS_FILESYSTEM", "maybe")
    }),
    row("GIT_ALLOC_LIMIT is not a size", AddFails, BROKEN, |_| {
        app().env("GIT_ALLOC_LIMIT", "much")
    }),
    row("GIT_MMAP_LIMIT is not a size", AddFails, BROKEN, |_| app().env("GIT_MMAP_LIMIT", "much")),
    row("GIT_OPTIONAL_LOCKS is not a truth value", Works, NoFailure, |_| {
        app().env("GIT_OPTIONAL_LOCKS", "maybe")
    }),
    row("GIT_COMMON_DIR is gone", AddFails, BROKEN, |_| app().env("GIT_COMMON_DIR", "/gone")),
    row("GIT_COMMON_DIR is empty", AddFails, BROKEN, |_| app().env("GIT_COMMON_DIR", "")),
    row("GIT_COMMON_DIR is a worktree's own folder", AddFails, BROKEN, |lab| {
        lab.sh(WORKTREE);
        at("wt").env("GIT_COMMON_DIR", "/home/coder/app/.git/worktrees/wt")
    }),
    row("GIT_OBJECT_DIRECTORY is empty", AddFails, BROKEN, |_| {
        app().env("GIT_OBJECT_DIRECTORY", "")
    }),
    row("GIT_SSH_VARIANT is another program's", PushFails, Unknown("push.write"), |_| {
        app().env("GIT_SSH_VARIANT", "tortoiseplink")
    }),
    row("GIT_SSH_VARIANT is of no program", Works, NoFailure, |_| {
        app().env("GIT_SSH_VARIANT", "nonsense")
    }),
    row(
        "GIT_PROTOCOL_FROM_USER with a folder",
        PushFails,
        Fails("git-transport-forbidden"),
        |lab| {
            lab.sh("git clone -q --bare app bare.git; git -C app remote set-url origin ~/bare.git");
            app().env("GIT_PROTOCOL_FROM_USER", "0")
        },
    ),
    row("folders are forbidden as remotes", PushFails, Fails("git-transport-forbidden"), |lab| {
        lab.sh("git clone -q --bare app bare.git; cd app; git remote set-url origin ~/bare.git
            git config --global protocol.file.allow never");
        app()
    }),
    row("folders are remotes of the user's", Works, Green, |lab| {
        lab.sh("git clone -q --bare app bare.git; cd app; git remote set-url origin ~/bare.git
            git config --global protocol.file.allow user");
        app()
    }),
    row("GIT_PROTOCOL_FROM_USER with a server", Works, Green, |_| {
        app().env("GIT_PROTOCOL_FROM_USER", "0")
    }),
    // a newer git refuses such values of GIT_ATTR_SOURCE and GIT_ADVICE
    row("values that git ignores", Works, NoFailure, |_| {
        let app = ["GIT_INDEX_VERSION", "GIT_DEFAULT_HASH", "GIT_NOTES_REF"];
        let app = app.into_iter().chain([
            "GIT_TRACE",
            "GIT_TRACE2",
            "GIT_TRACE2_EVENT",
            "GIT_TRACE_SETUP",
        ]);
        let app = app.chain(["GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"]);
        let app = app.chain(["GIT_PUSH_OPTION_COUNT", "GIT_TEMPLATE_DIR", "GIT_MERGE_VERBOSITY"]);
        app.fold(super::app(), |app, name| app.env(name, "nonsense"))
    }),
    // git takes core.bare from the repository's own configuration alone
    row("core.bare in a variable", Works, Green, |_| {
        app()
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.bare")
            .env("GIT_CONFIG_VALUE_0", "true")
    }),
    row(
        "core.bare in the clone, and not in a variable",
        AddFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh("git -C app config core.bare true");
            app().env("GIT_CONFIG_PARAMETERS", "'core.bare'='false'")
        },
    ),
    row("core.bare in GIT_CONFIG_PARAMETERS", Works, Green, |_| {
        app().env("GIT_CONFIG_PARAMETERS", "'core.bare'='true'")
    }),
    row("core.bare in the user's file", Works, Green, |lab| {
        lab.sh("git config --global core.bare true");
        app()
    }),
    row("core.worktree in a variable", Works, Green, |_| {
        app()
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.worktree")
            .env("GIT_CONFIG_VALUE_0", "/tmp")
    }),
];

#[test]
fn what_variables_do_to_git() {
    sandbox(|ws| run(ws, ROWS));
}

#[test]
fn where_variables_lead_git() {
    sandbox(|ws| run(ws, NAMES));
}
