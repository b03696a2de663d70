//! More of each kind: what was reported by others, and what was found by playing it.

use super::Doctor::{Fails, Green, NoFailure, Undecided, Unknown, Warns};
use super::Git::{AddFails, CommitFails, NotTried, PushFails, Works};
use super::{Lab, Row, app, at, row, run};
use crate::support::sandbox;

const LFS: &str = "git config --global filter.lfs.clean 'git-lfs clean -- %f'
    git config --global filter.lfs.smudge 'git-lfs smudge -- %f'
    git config --global filter.lfs.process 'git-lfs filter-process'
    git config --global filter.lfs.required true";

const REPORTED: &[Row] = &[
    row("29 lfs is not set up", Works, Warns("git-lfs-not-set-up"), |lab| {
        lab.sh("cd app; echo 'f filter=lfs' >.gitattributes; git add .; git commit -qm lfs");
        app().env("GIT_CONFIG_NOSYSTEM", "1")
    }),
    // git-lfs asks github.com for locks, which does not answer here over HTTPS
    row("31 lfs and its hook, and no file of it", PushFails, Unknown("git.lfs"), |lab| {
        lab.sh("cd app; git lfs install --local");
        app()
    }),
    row("31 the same, and no locks are asked for", Works, Green, |lab| {
        lab.sh("cd app; git lfs install --local
            git config lfs.https://github.com/o/app.git/info/lfs.locksverify false");
        app()
    }),
    row("31 the same with another server", Works, Green, |lab| {
        lab.sh("cd app; git lfs install --local; git config lfs.url https://127.0.0.1:9/x");
        app()
    }),
    row("31 a server whose locks are asked for", PushFails, Fails("git-unreachable"), |lab| {
        lab.sh("cd app; git lfs install --local; git config lfs.url https://127.0.0.1:9/x
            git config lfs.locksverify true");
        app()
    }),
    row("31 a server and the locks of its URL", PushFails, Fails("git-unreachable"), |lab| {
        lab.sh("cd app; git lfs install --local; git config -f .lfsconfig lfs.url https://127.0.0.1:9/x
            git config lfs.https://127.0.0.1:9/x.locksverify true");
        app()
    }),
    row("31 no hook of lfs", Works, Green, |lab| {
        lab.sh(LFS);
        app()
    }),
    row("43 lefthook's hook without lefthook", Works, Green, |lab| {
        let hook = "#!/bin/sh\n\nif [ \"$LEFTHOOK\" = \"0\" ]; then\n  exit 0\nfi\n\ncall_lefthook()\n{\n\
                    \x20 if lefthook -h >/dev/null 2>&1\n  then\n    lefthook \"$@\"\n  else\n\
                    \x20   echo \"Can't find lefthook in PATH\"\n  fi\n}\n\ncall_lefthook run \"pre-commit\" \"$@\"\n";
        lab.ws.write("app/.git/hooks/pre-commit", hook, 0o755);
        app()
    }),
    row("50 an editor holds the index for a day", NotTried, Undecided("git.clone"), |lab| {
        lab.sh("cd app; echo y >>f
                GIT_EDITOR='sleep 250 #' setsid git commit -a >/dev/null 2>&1 &
                while ! [ -e ~/app/.git/index.lock ]; do sleep 0.05; done
                touch -d yesterday ~/app/.git/index.lock");
        app()
    }),
    row("60 the clone's file system is full", AddFails, Fails("home-disk-full"), |lab| {
        lab.sh("rm -rf /srv/small/*; git init -q --template= /srv/small/app; cd /srv/small/app
                git config core.logAllRefUpdates false; echo 1 >f; git add f; git commit -qm 1
                git remote add origin git@github.com:o/app.git
                dd if=/dev/zero of=/srv/small/fill bs=1k 2>/dev/null || true");
        at("/srv/small/app")
    }),
    row("60 that of its objects is full", AddFails, Fails("home-disk-full"), |lab| {
        lab.sh("rm -rf /srv/small/*; mv app/.git/objects /srv/small/objects
                ln -s /srv/small/objects app/.git/objects
                dd if=/dev/zero of=/srv/small/fill bs=1k 2>/dev/null || true");
        app()
    }),
    row("68 sha256 for a remote of sha1", NotTried, Fails("git-clone-broken"), |lab| {
        lab.sh("git init -q --object-format=sha256 new; cd new
                git remote add origin git@github.com:o/app.git; echo 1 >f; git add f
                git commit -qm 1");
        at("new")
    }),
    row("73 a submodule on a branch", Works, Green, |lab| {
        lab.sh(
            "git init -q top; cd top
                git submodule --quiet add -b main git@github.com:o/app.git sub; git commit -qm sub",
        );
        at("top/sub")
    }),
    row("77 a pushRemote without a key", PushFails, Fails("ssh-key-refused"), |lab| {
        lab.sh("cd app; git remote add fork git@github.com:fork/app.git
                git config branch.main.pushRemote fork");
        app()
    }),
    row("78 a push URL that is none", PushFails, Warns("remote-push-elsewhere"), |lab| {
        lab.sh("git -C app remote set-url --push origin DISABLED");
        app()
    }),
    row("79 push options", PushFails, Fails("push-option-unsupported"), |lab| {
        lab.sh("git config --global push.pushOption ci.skip");
        app()
    }),
    row("9 signed pushes", PushFails, Fails("push-option-unsupported"), |lab| {
        lab.sh("git config --global push.gpgSign true");
        app()
    }),
    row("87 GIT_CONFIG_COUNT without keys", AddFails, Fails("git-config-invalid"), |_| {
        app().env("GIT_CONFIG_COUNT", "2")
    }),
    row("90 an included file that cannot be read", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("echo '[user]' >secret; chmod 0 secret; git config --global include.path ~/secret");
        app()
    }),
    row("91 the dotfiles of a Mac", Works, NoFailure, |lab| {
        lab.sh("g() { git config --global \"$@\"; }
                g include.path /opt/gone; g core.excludesFile /opt/gone; g core.attributesFile /opt/gone
                g core.pager delta; g core.editor 'code --wait'; g commit.template /opt/gone/template
                g core.fsmonitor /opt/gone; g credential.helper osxkeychain
                g init.templateDir /opt/gone; g diff.external /opt/gone");
        app()
    }),
    row("92 a ControlPath that is too long", PushFails, Fails("ssh-control-path"), |lab| {
        let config = lab.ws.read(".ssh/config");
        let path = format!("/tmp/{}", "x".repeat(100));
        let lines = format!("ControlMaster auto\nControlPath {path}\n{config}");
        lab.ws.write(".ssh/config", lines, 0o600);
        app()
    }),
    row("93 a ControlPath in no folder", PushFails, Fails("ssh-control-path"), |lab| {
        let config = lab.ws.read(".ssh/config");
        let lines = format!("ControlMaster auto\nControlPath ~/.ssh/masters/%C\n{config}");
        lab.ws.write(".ssh/config", lines, 0o600);
        app()
    }),
    row("93 the same below our own line", Works, NoFailure, |lab| {
        let config = lab.ws.read(".ssh/config");
        let lines =
            format!("{config}Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/masters/%C\n");
        lab.ws.write(".ssh/config", lines, 0o600);
        app()
    }),
];

const PLAYED: &[Row] = &[
    row("a folder has the name of a hook", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        lab.sh("mkdir app/.git/hooks/pre-commit");
        app()
    }),
    row("a hook whose first line names nothing", Works, Green, |lab| {
        lab.ws.write("app/.git/hooks/pre-commit", "#!\nexit 0\n", 0o755);
        app()
    }),
    row("env of a hook takes a value with an option", Works, Green, |lab| {
        let hook = "#!/usr/bin/env -S -u FOO sh\nexit 0\n";
        lab.ws.write("app/.git/hooks/pre-commit", hook, 0o755);
        app()
    }),
    row("a branch below one that exists", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; git branch feat; git symbolic-ref HEAD refs/heads/feat/x");
        app()
    }),
    row("a branch above one that exists", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh(
            "cd app; git branch feat/x; git pack-refs --all; git symbolic-ref HEAD refs/heads/feat",
        );
        app()
    }),
    row("attributes that demand CRLF", AddFails, Fails("git-line-endings"), |lab| {
        lab.sh(
            "cd app; git config core.safecrlf true; echo '* text eol=crlf' >.git/info/attributes",
        );
        app()
    }),
    row("safecrlf only warns", Works, Green, |lab| {
        lab.sh("git config --global core.safecrlf warn; git config --global core.autocrlf true");
        app()
    }),
    row("a cleanup mode that is none", CommitFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global commit.cleanup bogus");
        app()
    }),
    row("a value that only a commit reads", CommitFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global commit.status maybe");
        app()
    }),
    row("a colour of git status that is none", CommitFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global color.status maybe");
        app()
    }),
    row("a value that only `git add` reads", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global add.ignoreErrors maybe");
        app()
    }),
    row("a value that only a push reads", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global push.followTags maybe");
        app()
    }),
    row("a level of compression that is none", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global core.compression 99");
        app()
    }),
    row("a damaged multi-pack-index", Works, NoFailure, |lab| {
        lab.sh("cd app; git gc -q; git multi-pack-index write; cd .git/objects/pack
                chmod u+w multi-pack-index; echo junk >multi-pack-index");
        app()
    }),
    row("GIT_CONFIG is left", Works, Green, |_| app().env("GIT_CONFIG", "/dev/null")),
    row("HEAD is a symbolic link", Works, Green, |lab| {
        lab.sh("cd app/.git; rm HEAD; ln -s refs/heads/main HEAD");
        app()
    }),
    row("pathspecs are literal", Works, NoFailure, |lab| {
        lab.sh("echo '*.bin filter=gone' >app/.gitattributes");
        app().env("GIT_LITERAL_PATHSPECS", "1")
    }),
    row("GIT_CEILING_DIRECTORIES hides the clone", NotTried, Fails("git-clone-broken"), |lab| {
        lab.sh("mkdir app/d");
        at("app/d").env("GIT_CEILING_DIRECTORIES", "/home/coder/app")
    }),
    row("a worktree of a bare repository", Works, Green, |lab| {
        lab.sh("git clone -q --bare git@github.com:o/app.git b.git
                git -C b.git worktree add -q ../wt main; git config --global push.default current");
        at("wt")
    }),
    row("a sparse index", Works, Green, |lab| {
        lab.sh("cd app; mkdir d; echo 1 >d/g; git add d; git commit -qm d; git push -q
                git sparse-checkout set --cone --sparse-index d");
        app()
    }),
    row("a split index whose other part is gone", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; git update-index --split-index; rm .git/sharedindex*");
        app()
    }),
    row("a bisect", Works, Green, |lab| {
        lab.sh("cd app; git bisect start; git bisect bad >/dev/null");
        app()
    }),
    row("other locks than a commit's", Works, Green, |lab| {
        lab.sh("cd app/.git; touch -d yesterday packed-refs.lock config.lock next-index-9.lock");
        app()
    }),
    row("HEAD names a commit that is missing", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; echo 0123456789012345678901234567890123456789 >.git/refs/heads/main");
        app()
    }),
    row("a lock, and a git works in another clone", AddFails, Fails("git-lock-left"), |lab| {
        lab.sh("cp -a app c2");
        in_background(lab, "git --git-dir=/home/coder/c2/.git cat-file --batch");
        app()
    }),
    row("a git works there by --git-dir", NotTried, Undecided("git.clone"), |lab| {
        in_background(lab, "git --git-dir=/home/coder/app/.git cat-file --batch");
        app()
    }),
    row("a git works there by GIT_DIR", NotTried, Undecided("git.clone"), |lab| {
        in_background(lab, "GIT_DIR=/home/coder/app/.git git cat-file --batch");
        app()
    }),
];

/// The clone has a lock of yesterday, and this works elsewhere while the doctor runs.
fn in_background(lab: &Lab, command: &str) {
    lab.sh(&format!(
        "touch -d yesterday app/.git/index.lock; cd /
         setsid sh -c 'sleep 20 | {command}' >/dev/null 2>&1 &
         sleep 1"
    ));
}

#[test]
fn what_was_found_by_playing_it() {
    sandbox(|ws| run(ws, PLAYED));
}

#[test]
fn what_others_reported() {
    sandbox(|ws| run(ws, REPORTED));
}
