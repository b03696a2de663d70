//! More kinds: a folder without a work tree, parts of a git folder in which a commit fails, values
//! that only some commands read, line endings, and who may write.

use super::Doctor::{Fails, Green, NoFailure, Warns};
use super::Git::{AddFails, CommitFails, PushFails, Works};
use super::{Lab, Row, app, at, row, run};
use crate::support::sandbox;

const WORK_TREE: &[Row] = &[
    row("inside the git folder of a clone", AddFails, Fails("git-clone-broken"), |_| {
        at("app/.git")
    }),
    row("inside a bare repository", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git clone -q --bare app bare.git");
        at("bare.git")
    }),
    row("above the worktrees of a bare repository", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh(
"mkdir proj; git clone -q --bare git@github.com:o/app.git proj/.bare; echo 'gitdir: ./.bare' > proj/.git",
);
        at("proj")
    }),
    row("in a worktree of such a repository", PushFails, Warns("push-target-none"), |lab| {
        lab.sh(
"mkdir proj; git clone -q --bare git@github.com:o/app.git proj/.bare; echo 'gitdir: ./.bare' > proj/.git; git -C proj worktree add -q main 2>/dev/null",
);
        at("proj/main")
    }),
    row("in a submodule that is not checked out", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git init -q top; cd top; git submodule --quiet add -b main git@github.com:o/app.git sub
                git commit -qm sub; git submodule --quiet deinit -f sub");
        at("top/sub")
    }),
    row("deep in a bare repository", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git clone -q --bare app bare.git");
        at("bare.git/objects")
    }),
    row("inside the git folder of a worktree", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git -C app worktree add -q -b wt ../wt");
        at("app/.git/worktrees/wt")
    }),
];

const VALUES: &[Row] = &[
    // that git 2.39 and 2.47 answer alike; `user.signingKey` without one is an error in 2.39 alone
    row("commit.cleanup without a value", CommitFails, Fails("git-config-invalid"), |lab| {
        lab.sh("printf '[commit]\\n\\tcleanup\\n' >> .gitconfig");
        app()
    }),
    row("core.sharedRepository is not a mode", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git -C app config core.sharedRepository 0999");
        app()
    }),
    row(
        "core.sharedRepository without write access",
        AddFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("git -C app config core.sharedRepository 0400");
            app()
        },
    ),
    row("core.sharedRepository=group", Works, Green, |lab| {
        lab.sh("git -C app config core.sharedRepository group");
        app()
    }),
    row("pack.threads is not a number", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global pack.threads foo");
        app()
    }),
    row("pack.windowMemory is not a size", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global pack.windowMemory foo");
        app()
    }),
    row("pack.threads is a number", Works, Green, |lab| {
        lab.sh("git config --global pack.threads 2");
        app()
    }),
    row("maintenance.auto is not a truth value", CommitFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global maintenance.auto foo");
        app()
    }),
    row("GIT_OBJECT_DIRECTORY of nothing", CommitFails, Fails("git-environment-broken"), |lab| {
        lab.sh("mkdir objects");
        app().env("GIT_OBJECT_DIRECTORY", "/home/coder/objects")
    }),
    row("a refspec for fetches that is none", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git -C app config remote.origin.fetch '+refs/heads/*:refs/remotes/origin'");
        app()
    }),
    row("submodule.recurse is not a truth value", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global submodule.recurse foo");
        app()
    }),
    row(
        "diff.ignoreSubmodules is none of its values",
        CommitFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("git config --global diff.ignoreSubmodules foo");
            app()
        },
    ),
    row("column.ui is none of its values", CommitFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global column.ui foo");
        app()
    }),
    row("index.threads is not a number", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global index.threads foo");
        app()
    }),
    row("feature.manyFiles is not a truth value", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global feature.manyFiles foo");
        app()
    }),
    row("core.createObject is none of its values", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global core.createObject foo");
        app()
    }),
    row(
        "core.excludesFile in an unknown user's home",
        AddFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("git config --global core.excludesFile '~nosuchuser/x'");
            app()
        },
    ),
];

const LINE_ENDINGS: &[Row] = &[
    row(
        "files with CRLF, autocrlf=input and safecrlf",
        AddFails,
        Fails("git-line-endings"),
        |lab| {
            lab.sh(
"cd app; sed -i 's/$/\\r/' f README.md; git config --global core.autocrlf input; git config --global core.safecrlf true",
);
            app()
        },
    ),
    row("one file of many with CRLF", Works, Warns("git-line-endings"), |lab| {
        lab.sh(
"cd app; git rm -q README.md; for i in 1 2 3 4 5; do echo 1 > g$i; done; printf '1\\n' > h; git add .; git commit -qm x; git push -q; printf '1\\r\\n' > h; git config --global core.autocrlf input; git config --global core.safecrlf true",
);
        app()
    }),
    row("autocrlf=input and safecrlf, and LF alone", Works, Green, |lab| {
        lab.sh("git config --global core.autocrlf input; git config --global core.safecrlf true");
        app()
    }),
    row("a new file with CRLF and text=auto", AddFails, Fails("git-line-endings"), |lab| {
        lab.sh(
"cd app; git rm -q --cached f; git commit -qm rm; git push -q; printf 'a\\r\\n' > f; echo '* text=auto' > .gitattributes; git config --global core.safecrlf true",
);
        app()
    }),
    row(
        "autocrlf and safecrlf in an empty repository",
        AddFails,
        Fails("git-line-endings"),
        |lab| {
            lab.sh(
"git init -q new; cd new; git remote add origin git@github.com:o/app.git; git config core.autocrlf true; git config core.safecrlf true",
);
            at("new")
        },
    ),
];

const PARTS: &[Row] = &[
    row("the index is a link to nothing", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git; rm index; ln -s /gone/x index");
        app()
    }),
    row("the index is a link", Works, NoFailure, |lab| {
        lab.sh("cd app/.git; mv index ../../idx; ln -s ../../idx index");
        app()
    }),
    // in the middle, git may not look at it: it searches the file by halves
    row("the last line of packed-refs is none", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; git pack-refs --all; echo '<<<<<<< x' >>.git/packed-refs");
        app()
    }),
    row(
        "the file of the branch cannot be read",
        CommitFails,
        Fails("git-clone-unwritable"),
        |lab| {
            lab.sh("chmod 0 app/.git/refs/heads/main");
            app()
        },
    ),
    row("COMMIT_EDITMSG is a link to nothing", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git; rm -f COMMIT_EDITMSG; ln -s /gone/x COMMIT_EDITMSG");
        app()
    }),
    row("COMMIT_EDITMSG is a folder", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git; rm -f COMMIT_EDITMSG; mkdir COMMIT_EDITMSG");
        app()
    }),
    row("the folder of logs is a file", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git; rm -rf logs; : > logs");
        app()
    }),
    row(
        "the log of the branch is a folder with files",
        CommitFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh(
"cd app/.git; rm logs/refs/heads/main; mkdir -p logs/refs/heads/main/x; : > logs/refs/heads/main/x/y",
);
            app()
        },
    ),
    row(
        "the log of a removed branch feat beside feat/x",
        CommitFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh(
"cd app; : > .git/logs/refs/heads/feat; git symbolic-ref HEAD refs/heads/feat/x; git config push.autoSetupRemote true",
);
            app()
        },
    ),
    row("no logs are kept", Works, Green, |lab| {
        lab.sh(
"cd app; git config core.logAllRefUpdates false; rm -rf .git/logs; mkdir .git/logs; chmod 0555 .git/logs",
);
        app()
    }),
    row("all folders of objects exist, and no other can be made", Works, Green, |lab| {
        lab.sh(
"cd app/.git/objects; for a in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do for b in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do mkdir -p $a$b; done; done; chmod 0555 .",
);
        app()
    }),
    row(".git is an empty file", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("mv app/.git g; : > app/.git");
        app()
    }),
    row(".git is a file that names no folder", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git -C app worktree add -q -b wt ../wt; sed -i 's/gitdir: /gitdir:/' wt/.git");
        at("wt")
    }),
    row(".git is a link to nothing", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("mv app/.git realgit; ln -s /gone app/.git");
        app()
    }),
    row(".git cannot be read", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("chmod 0 app/.git");
        app()
    }),
    row(".git cannot be entered", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("chmod 0644 app/.git");
        app()
    }),
    row(
        "a .git that cannot be read, in another clone",
        PushFails,
        Warns("push-target-none"),
        |lab| {
            lab.sh("git init -q .; git commit -q --allow-empty -m x; chmod 0 app/.git");
            app()
        },
    ),
    row("a treeless clone", Works, NoFailure, |lab| {
        lab.sh("git clone -q --filter=tree:0 git@github.com:o/app.git tl");
        at("tl")
    }),
    row("a treeless clone without its trees", Works, NoFailure, |lab| {
        lab.sh(
"git -C /srv/git/o/app.git config uploadpack.allowFilter true; git clone -q --filter=tree:0 --no-checkout git@github.com:o/app.git tl; git -C tl reset -q",
);
        at("tl")
    }),
    row(
        "a treeless clone whose remote is a folder that is gone",
        CommitFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh(
"git -C /srv/git/o/app.git config uploadpack.allowFilter true; git -C /srv/git/o/app.git config uploadpack.allowAnySHA1InWant true; git clone -q --bare /srv/git/o/app.git mirror.git; git -C mirror.git config uploadpack.allowFilter true; git clone -q --filter=tree:0 --no-checkout file:///home/coder/mirror.git tl; rm -rf mirror.git",
);
            at("tl")
        },
    ),
    row("a partial clone that lacks nothing, and its remote is gone", Works, NoFailure, |lab| {
        lab.sh(
"git clone -q --bare /srv/git/o/app.git mirror.git; git -C mirror.git config uploadpack.allowFilter true; git clone -q --filter=blob:none file:///home/coder/mirror.git tl; rm -rf mirror.git; cd tl; git remote set-url --push origin git@github.com:o/app.git",
);
        at("tl")
    }),
];

#[test]
fn where_nothing_can_be_added() {
    sandbox(|ws| run(ws, WORK_TREE));
}

#[test]
fn parts_that_a_commit_needs() {
    sandbox(|ws| run(ws, PARTS));
}

#[test]
fn values_that_some_commands_read() {
    sandbox(|ws| run(ws, VALUES));
}

#[test]
fn line_endings() {
    sandbox(|ws| run(ws, LINE_ENDINGS));
}

const FILTERS: &[Row] = &[
    row(
        "a relative hooksPath, from a folder below",
        CommitFails,
        Fails("git-hook-unrunnable"),
        |lab| {
            lab.ws.write("app/.githooks/pre-commit", "#!/opt/gone\n", 0o755);
            lab.sh("cd app; mkdir d; echo 1 >d/f; git add d; git commit -qm d; git push -q
                git config core.hooksPath .githooks");
            at("app/d")
        },
    ),
    row("a hook that cannot be read", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        lab.ws.write("app/.git/hooks/pre-commit", "#!/bin/sh\n", 0o311);
        app()
    }),
    row("husky's script without its program", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        husky(lab, "no-such-program test\n");
        app()
    }),
    row("husky's script with its program", Works, Green, |lab| {
        husky(lab, "# comment\nls\n");
        app()
    }),
    row("a required filter with a smudge alone", AddFails, Fails("git-filter-missing"), |lab| {
        lab.sh("cd app; echo 'f filter=x' >.gitattributes; git config filter.x.smudge cat
                git config filter.x.required true");
        app()
    }),
    row("a filter by the user's own attributes", AddFails, Fails("git-filter-missing"), |lab| {
        lab.sh("mkdir -p .config/git; echo 'f filter=x' >.config/git/attributes
                git config --global filter.x.clean gone; git config --global filter.x.required true");
        app()
    }),
    row("a filter after an assignment", AddFails, Fails("git-filter-missing"), |lab| {
        filter(lab, "A=1 gone");
        app()
    }),
    row("a pipeline whose last program is missing", AddFails, Fails("git-filter-missing"), |lab| {
        filter(lab, "cat | gone");
        app()
    }),
    row("a pipeline whose first program is missing", Works, NoFailure, |lab| {
        filter(lab, "gone | cat");
        app()
    }),
    row("an interpreter without its script", AddFails, Fails("git-filter-missing"), |lab| {
        filter(lab, "sh /gone/clean");
        app()
    }),
    row("a filter of the clone, from a folder below", Works, NoFailure, |lab| {
        lab.ws.write("app/tools/clean", "#!/bin/sh\ncat\n", 0o755);
        filter(lab, "./tools/clean");
        lab.sh("cd app; mkdir d; echo 1 >d/f; git add d; git commit -qm d; git push -q");
        at("app/d")
    }),
];

fn filter(lab: &Lab, command: &str) {
    lab.sh(&format!(
        "cd app; echo 'f filter=x' >.gitattributes; git config filter.x.clean '{command}'
         git config filter.x.required true"
    ));
}

/// The files that husky 9 makes.
fn husky(lab: &Lab, script: &str) {
    let of_husky = "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"\n";
    lab.ws.write("app/.husky/_/pre-commit", of_husky, 0o755);
    let runs = "#!/usr/bin/env sh\nsh -e \"$(dirname \"$(dirname \"$0\")\")/pre-commit\"\n";
    lab.ws.write("app/.husky/_/h", runs, 0o644);
    lab.ws.write("app/.husky/pre-commit", script, 0o644);
    lab.sh("git -C app config core.hooksPath .husky/_");
}

#[test]
fn hooks_and_filters() {
    sandbox(|ws| run(ws, FILTERS));
}

const REMOTES: &[Row] = &[
    row("a second push URL is a folder", Works, Warns("remote-push-elsewhere"), |lab| {
        lab.sh("git init -q --bare b.git; cd app
                git remote set-url --add --push origin git@github.com:o/app.git
                git remote set-url --add --push origin /home/coder/b.git; git push -q");
        app()
    }),
    row(
        "a second push URL is a folder that is gone",
        PushFails,
        Fails("push-repository-not-found"),
        |lab| {
            lab.sh("cd app; git remote set-url --add --push origin git@github.com:o/app.git
                git remote set-url --add --push origin /home/coder/gone.git");
            app()
        },
    ),
    row(
        "a push URL is a file:// URL of nothing",
        PushFails,
        Fails("push-repository-not-found"),
        |lab| {
            lab.sh("git -C app remote set-url --push origin file:///home/coder/gone.git");
            app()
        },
    ),
    row("an upstream without a key beside origin", Works, Green, |lab| {
        lab.sh("git -C app remote add upstream git@github.com:up/app.git");
        app()
    }),
    row("an upstream over HTTPS beside origin", Works, Green, |lab| {
        lab.sh("git -C app remote add upstream https://github.com/up/app.git");
        app()
    }),
    row("a branch of the upstream, pushed to origin", Works, Green, |lab| {
        lab.sh("cd app; git remote add upstream git@github.com:up/app.git
                git config branch.main.remote upstream; git config remote.pushDefault origin");
        app()
    }),
    row("a branch of the upstream, pushed there", PushFails, Fails("ssh-key-refused"), |lab| {
        lab.sh("cd app; git remote add upstream git@github.com:up/app.git
                git config branch.main.remote upstream");
        app()
    }),
    row("the remote's URL is empty", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git -C app config remote.origin.url ''");
        app()
    }),
    row("no remote and no commit", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("git init -q new");
        at("new")
    }),
    row("remote.origin.vcs", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git -C app config remote.origin.vcs gone");
        app()
    }),
    row("remote.pushDefault is a URL over HTTPS", Works, Green, |lab| {
        lab.sh("cd app; git config remote.pushDefault https://github.com/o/app.git
                git config push.default current");
        app()
    }),
    row("settings for URLs of HTTPS", Works, Green, |lab| {
        lab.sh("cd app; git config http.https://github.com/.extraheader 'X: 1'
                git config credential.https://github.com/o/app.git.helper gone");
        app()
    }),
];

#[test]
fn several_remotes() {
    sandbox(|ws| run(ws, REMOTES));
}
