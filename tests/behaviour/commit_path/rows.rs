//! The rows, by what they are about.

use super::Doctor::{Fails, Green, NoFailure, Unknown, Warns};
use super::Git::{AddFails, CommitFails, NotTried, PushFails, Works};
use super::{Row, app, at, row, run};
use crate::support::{sandbox, without_lfs};

const NO_IDENTITY: &str = "git config --global --unset-all user.name || true
    git config --global --unset-all user.email || true
    git config --global user.useConfigOnly true";

const IDENTITY: &[Row] = &[
    row("a healthy clone", Works, Green, |_| app()),
    row(
        "19 no user.email, and user.useConfigOnly",
        CommitFails,
        Fails("git-identity-missing"),
        |lab| {
            lab.sh(NO_IDENTITY);
            app()
        },
    ),
    row("20 user.name is empty", CommitFails, Fails("git-identity-missing"), |lab| {
        lab.sh("git config --global user.name ''");
        app()
    }),
    row("21 the committer's name is a blank", CommitFails, Fails("git-identity-missing"), |_| {
        app().env("GIT_COMMITTER_NAME", " ")
    }),
    row("its configured name is a blank", CommitFails, Fails("git-identity-missing"), |lab| {
        lab.sh("git config --global committer.name ' '");
        app()
    }),
    row("its date is none", CommitFails, Fails("git-environment-broken"), |_| {
        app().env("GIT_COMMITTER_DATE", "yesterday-ish")
    }),
    row(
        "the author alone is named by variables",
        CommitFails,
        Fails("git-identity-missing"),
        |lab| {
            lab.sh(NO_IDENTITY);
            app().env("GIT_AUTHOR_NAME", "D").env("GIT_AUTHOR_EMAIL", "d@example.com")
        },
    ),
    row("the author alone is configured", CommitFails, Fails("git-identity-missing"), |lab| {
        lab.sh(NO_IDENTITY);
        lab.sh("git config --global author.name D; git config --global author.email d@e.org");
        app()
    }),
    row("22 the author's date is none", CommitFails, Fails("git-environment-broken"), |_| {
        app().env("GIT_AUTHOR_DATE", "yesterday-ish")
    }),
    row(
        "23 an identity for another folder alone",
        CommitFails,
        Fails("git-identity-missing"),
        |lab| {
            lab.sh(NO_IDENTITY);
            lab.sh("git config --global 'includeIf.gitdir:~/work/.path' '~/.gitconfig-work'
                git config -f .gitconfig-work user.name D; git config -f .gitconfig-work user.email d@e.org");
            app()
        },
    ),
    row("25 an identity for this folder alone", Works, Green, |lab| {
        lab.sh(NO_IDENTITY);
        lab.sh("git config --global 'includeIf.gitdir:~/app/.path' '~/.gitconfig-app'
                git config -f .gitconfig-app user.name D; git config -f .gitconfig-app user.email d@e.org");
        app()
    }),
    row("26 an identity of the clone's own", Works, Green, |lab| {
        lab.sh(NO_IDENTITY);
        lab.sh("cd app; git config user.name D; git config user.email d@e.org");
        app()
    }),
];

const VARIABLES: &[Row] = &[
    row("84 GIT_DIR of another repository", NotTried, Warns("git-environment-broken"), |lab| {
        lab.sh("git init -q other; cd other; echo 1 >f; git add f; git commit -qm x");
        app().env("GIT_DIR", "/home/coder/other/.git")
    }),
    row("84 GIT_DIR of its own", Works, Green, |_| app().env("GIT_DIR", "/home/coder/app/.git")),
    row(
        "85 GIT_INDEX_FILE in a folder that is gone",
        AddFails,
        Fails("git-environment-broken"),
        |_| app().env("GIT_INDEX_FILE", "/home/coder/gone/index"),
    ),
    row("86 GIT_QUARANTINE_PATH of a hook", CommitFails, Fails("git-environment-broken"), |_| {
        app().env("GIT_QUARANTINE_PATH", "/home/coder/app/.git/objects/incoming")
    }),
    row("88 variables that hurt nobody", Works, NoFailure, |_| {
        app()
            .env("GIT_ASKPASS", "/gone")
            .env("SSH_ASKPASS", "/gone")
            .env("GIT_EDITOR", "/gone")
            .env("GIT_PAGER", "/gone")
            .env("LC_ALL", "xx_XX")
            .env("VSCODE_GIT_IPC_HANDLE", "/gone")
    }),
    row("89 autocrlf and safecrlf", AddFails, Fails("git-line-endings"), |lab| {
        lab.sh("git config --global core.autocrlf true; git config --global core.safecrlf true");
        app()
    }),
    row("89 the same where attributes keep LF", Works, Green, |lab| {
        lab.sh("git config --global core.autocrlf true; git config --global core.safecrlf true
                cd app; echo '* text eol=lf' >.git/info/attributes");
        app()
    }),
];

const LOCKS: &[Row] = &[
    row("46 index.lock of yesterday", AddFails, Fails("git-lock-left"), |lab| {
        lab.sh("touch -d yesterday app/.git/index.lock");
        app()
    }),
    row("47 HEAD.lock of yesterday", CommitFails, Fails("git-lock-left"), |lab| {
        lab.sh("touch -d yesterday app/.git/HEAD.lock");
        app()
    }),
    row("48 a worktree's index.lock of yesterday", AddFails, Fails("git-lock-left"), |lab| {
        lab.sh("git -C app worktree add -q -b wt ../wt; touch -d yesterday app/.git/worktrees/wt/index.lock");
        at("wt")
    }),
    row("48 the same, of a worktree beside this one", Works, Green, |lab| {
        lab.sh("git -C app worktree add -q -b wt ../wt; touch -d yesterday app/.git/worktrees/wt/index.lock");
        app()
    }),
    row("49 the lock of the branch", CommitFails, Fails("git-lock-left"), |lab| {
        lab.sh("touch -d yesterday app/.git/refs/heads/main.lock");
        app()
    }),
    row("50 a young lock", AddFails, Unknown("git.clone"), |lab| {
        lab.sh("touch app/.git/index.lock");
        app()
    }),
    row("51 gc.pid, gc.log and shallow.lock", Works, NoFailure, |lab| {
        lab.sh("cd app/.git; touch -d yesterday gc.pid gc.log shallow.lock");
        app()
    }),
];

const WRITABLE: &[Row] = &[
    row(
        "52 the folders of objects cannot be written",
        AddFails,
        Fails("git-clone-unwritable"),
        |lab| {
            lab.sh("cd app/.git/objects; for a in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
                  for b in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do mkdir -p $a$b; chmod 0555 $a$b; done; done");
            app()
        },
    ),
    row("53 the logs cannot be written", CommitFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("cd app/.git/logs; chmod 0444 HEAD refs/heads/main");
        app()
    }),
    row(
        "54 the clone's configuration cannot be read",
        AddFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("chmod 0 app/.git/config");
            app()
        },
    ),
    row(
        "57 a worktree's own folder cannot be written",
        AddFails,
        Fails("git-clone-unwritable"),
        |lab| {
            lab.sh("git -C app worktree add -q -b wt ../wt; chmod 0555 app/.git/worktrees/wt");
            at("wt")
        },
    ),
    row("56 the sandbox made .git read-only", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("chmod 0555 app/.git");
        app().env("CODEX_SANDBOX", "landlock")
    }),
    row("61 the index alone cannot be written", Works, NoFailure, |lab| {
        lab.sh("chmod 0444 app/.git/index");
        app()
    }),
];

const CLONES: &[Row] = &[
    row(
        "62 alternates with HEAD's commit are gone",
        CommitFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh(
                "mv app/.git/objects store; mkdir -p app/.git/objects/info app/.git/objects/pack
                echo /home/coder/gone >app/.git/objects/info/alternates",
            );
            app()
        },
    ),
    row("63 the worktree's git folder is not there", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git -C app worktree add -q -b wt ../wt; mv app elsewhere");
        at("wt")
    }),
    row("64 core.bare", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git -C app config core.bare true");
        app()
    }),
    row("65 a newer form", AddFails, Fails("git-too-old"), |lab| {
        lab.sh("cd app; git config core.repositoryFormatVersion 1; git config extensions.fromTheFuture true");
        app()
    }),
    row("66 HEAD's object is empty", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh(
            "cd app; o=.git/objects/$(git rev-parse HEAD | sed 's,..,&/,'); chmod u+w $o; : >$o",
        );
        app()
    }),
    row("67 the index is cut", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git; head -c 40 index >i; mv i index");
        app()
    }),
    row("69 a merge was left with conflicts", NotTried, Warns("git-clone-unfinished"), |lab| {
        lab.sh(
            "cd app; git switch -qc x; echo 2 >f; git commit -qam 2; git switch -q main; echo 3 >f
                git commit -qam 3; git merge -q x >/dev/null || true",
        );
        app()
    }),
    row("70 alternates that nothing needs are gone", Works, NoFailure, |lab| {
        lab.sh("echo /home/coder/gone >app/.git/objects/info/alternates");
        app()
    }),
    row("71 a shallow clone", Works, Green, |lab| {
        lab.sh("git clone -q --depth 1 git@github.com:o/app.git shallow");
        at("shallow")
    }),
    row("72 a partial clone", Works, Green, |lab| {
        lab.sh("git clone -q --filter=blob:none git@github.com:o/app.git partial 2>/dev/null");
        at("partial")
    }),
    row("a branch's file without content", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh(": >app/.git/refs/heads/main");
        app()
    }),
    row("core.worktree of another folder", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("git -C app config core.worktree /home/coder/gone");
        app()
    }),
    row("a worktree", Works, NoFailure, |lab| {
        lab.sh(
            "git -C app worktree add -q -b wt ../wt; git -C wt config push.autoSetupRemote true",
        );
        at("wt")
    }),
];

const TARGETS: &[Row] = &[
    row("74 detached", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("git -C app switch -q --detach");
        app()
    }),
    row(
        "75 a worktree's branch that tracks origin/main",
        PushFails,
        Warns("push-target-none"),
        |lab| {
            lab.sh("git -C app worktree add -q -b feat ../wt origin/main 2>/dev/null");
            at("wt")
        },
    ),
    row("76 the same with push.default=upstream", Works, Warns("push-target-other"), |lab| {
        lab.sh("git -C app worktree add -q -b feat ../wt origin/main 2>/dev/null; git config --global push.default upstream");
        at("wt")
    }),
    row("80 push.default=nothing", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("git config --global push.default nothing");
        app()
    }),
    row("81 no remote", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("git -C app remote remove origin");
        app()
    }),
    row("82 a new repository without a commit", NotTried, Green, |lab| {
        lab.sh("git init -q new; git -C new remote add origin git@github.com:o/app.git");
        at("new")
    }),
    row("83 push.default=current", Works, Green, |lab| {
        lab.sh("git -C app worktree add -q -b feat ../wt origin/main 2>/dev/null; git config --global push.default current");
        at("wt")
    }),
    row("a new branch without an upstream", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("git -C app switch -qc feat");
        app()
    }),
    row("the same with push.autoSetupRemote", Works, Green, |lab| {
        lab.sh("git -C app switch -qc feat2; git config --global push.autoSetupRemote true");
        app()
    }),
    row("a pushRemote that is none", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git -C app config branch.main.pushRemote typo");
        app()
    }),
    row("remote.origin.push to another branch", Works, Warns("push-target-other"), |lab| {
        lab.sh("git -C app config remote.origin.push refs/heads/main:refs/heads/elsewhere");
        app()
    }),
];

const LFS: &str = "git config --global filter.lfs.clean 'git-lfs clean -- %f'
    git config --global filter.lfs.smudge 'git-lfs smudge -- %f'
    git config --global filter.lfs.process 'git-lfs filter-process'
    git config --global filter.lfs.required true";

const PROGRAMS: &[Row] = &[
    row("27 lfs is required and not installed", AddFails, Fails("git-lfs-missing"), |lab| {
        lab.sh(LFS);
        lab.sh("cd app; echo 'f filter=lfs' >.gitattributes");
        app().env("PATH", without_lfs(lab.ws))
    }),
    row("28 git-lfs' pre-push, and no git-lfs", PushFails, Fails("git-lfs-missing"), |lab| {
        lab.sh("cd app/.git/hooks; printf '%s\\n' '#!/bin/sh' 'command -v git-lfs >/dev/null || exit 2' \
                'git lfs pre-push \"$@\"' >pre-push; chmod +x pre-push");
        app().env("PATH", without_lfs(lab.ws))
    }),
    row("30 lfs is configured and unused", Works, Green, |lab| {
        lab.sh(LFS);
        app().env("PATH", without_lfs(lab.ws))
    }),
    row(
        "32 git-crypt is required and not installed",
        AddFails,
        Fails("git-filter-missing"),
        |lab| {
            lab.sh("cd app; echo 'f filter=git-crypt' >.gitattributes; git config filter.git-crypt.required true
                git config filter.git-crypt.clean '\"git-crypt\" clean'");
            app()
        },
    ),
    row("33 nbstripout is not required", Works, NoFailure, |lab| {
        lab.sh("cd app; echo 'f filter=nbstripout' >.git/info/attributes; git config filter.nbstripout.clean nbstripout");
        app()
    }),
    row("34 a hook of node", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        lab.ws.write("app/.git/hooks/pre-commit", "#!/usr/bin/env no-such-node\n", 0o755);
        app()
    }),
    row("35 a hook with CRLF", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        lab.ws.write("app/.git/hooks/pre-commit", "#!/bin/sh\r\nexit 0\r\n", 0o755);
        app()
    }),
    row("36 pre-commit's Python is gone", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        let hook = "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n\
                    INSTALL_PYTHON=/gone/python\nif [ -x \"$INSTALL_PYTHON\" ]; then exec \"$INSTALL_PYTHON\"\n\
                    elif command -v pre-commit >/dev/null; then exec pre-commit\nelse exit 1; fi\n";
        lab.ws.write("app/.git/hooks/pre-commit", hook, 0o755);
        app()
    }),
    row("37 GitButler's branch", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        let hook = "#!/bin/sh\n# GITBUTLER_MANAGED_HOOK_V1\nexit 1\n";
        lab.ws.write("app/.git/hooks/pre-commit", hook, 0o755);
        lab.sh("git -C app switch -qc gitbutler/workspace");
        app()
    }),
    row(
        "38 husky's helper is not in the worktree",
        CommitFails,
        Fails("git-hook-unrunnable"),
        |lab| {
            let hook = "#!/bin/sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n";
            lab.ws.write("app/.husky/pre-commit", hook, 0o755);
            lab.sh("cd app; git add .husky; git commit -qm husky; git config core.hooksPath .husky
                git worktree add -q -b wt ../wt");
            at("wt")
        },
    ),
    row("39 a hook of the user's without bash", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        lab.ws.write("hooks/commit-msg", "#!/opt/homebrew/bin/bash\n", 0o755);
        lab.sh("git config --global core.hooksPath '~/hooks'");
        app()
    }),
    row("40 a hook that refuses, and is not run before", CommitFails, Green, |lab| {
        let hook = "#!/bin/sh\necho ran >>~/ran\nexit 1\n";
        lab.ws.write("app/.git/hooks/pre-commit", hook, 0o755);
        app()
    }),
    row("41 a folder of hooks that is not there", Works, NoFailure, |lab| {
        lab.sh("git config --global core.hooksPath /gone");
        app()
    }),
    row("42 a hook that is not executable", Works, NoFailure, |lab| {
        lab.ws.write("app/.git/hooks/pre-commit", "#!/opt/gone\n", 0o644);
        app()
    }),
    row("44 a hook without a first line", Works, Green, |lab| {
        lab.ws.write("app/.git/hooks/pre-commit", "exit 0\n", 0o755);
        app()
    }),
    row("45 post-commit without its interpreter", Works, NoFailure, |lab| {
        lab.ws.write("app/.git/hooks/post-commit", "#!/opt/gone\n", 0o755);
        app()
    }),
];

#[test]
fn filters_and_hooks() {
    sandbox(|ws| run(ws, PROGRAMS));
}

#[test]
fn where_a_push_goes() {
    sandbox(|ws| run(ws, TARGETS));
}

#[test]
fn who_commits() {
    sandbox(|ws| run(ws, IDENTITY));
}

#[test]
fn variables_and_settings() {
    sandbox(|ws| run(ws, VARIABLES));
}

#[test]
fn locks() {
    sandbox(|ws| run(ws, LOCKS));
}

#[test]
fn who_may_write() {
    sandbox(|ws| run(ws, WRITABLE));
}

#[test]
fn what_the_clone_is_made_of() {
    sandbox(|ws| run(ws, CLONES));
}
