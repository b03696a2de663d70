//! Situations in which the doctor passed, or failed without need, until somebody tried them.

use super::Doctor::{Fails, Green, NoFailure, Warns};
use super::Git::{AddFails, CommitFails, NotTried, PushFails, Works};
use super::{Row, app, at, row, run};
use crate::support::sandbox;

/// husky 9 as it writes itself, with the script of the repository.
fn husky(lab: &super::Lab, script: &str) {
    lab.sh("cd app; mkdir -p .husky/_; git config core.hooksPath .husky/_");
    lab.ws.write("app/.husky/pre-commit", script, 0o644);
    lab.ws.write(
        "app/.husky/_/pre-commit",
        "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"\n",
        0o755,
    );
    let runner = "#!/usr/bin/env sh\nn=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n\
                  [ ! -f \"$s\" ] && exit 0\n[ \"${HUSKY-}\" = \"0\" ] && exit 0\n\
                  export PATH=\"node_modules/.bin:$PATH\"\nsh -e \"$s\" \"$@\"\nc=$?\nexit $c\n";
    lab.ws.write("app/.husky/_/h", runner, 0o755);
}

fn hook(lab: &super::Lab, script: &str) {
    lab.ws.write("app/.git/hooks/pre-commit", script, 0o755);
}

const SIMPLE_GIT_HOOKS: &str = "#!/bin/sh\n\n\
    if [ \"$SKIP_SIMPLE_GIT_HOOKS\" = \"1\" ]; then\n    echo skipped\n    exit 0\nfi\n\n\
    if [ -f \"$SIMPLE_GIT_HOOKS_RC\" ]; then\n    . \"$SIMPLE_GIT_HOOKS_RC\"\nfi\n\nno-pnpm lint-staged";

const EMPTY: &str = "cd app; id=$(git rev-parse HEAD:uu); rest=${id#??}
    file=.git/objects/${id%$rest}/$rest; chmod u+w $file; : >$file";

/// The object of `uu` in the index is lost.
const GONE: &str = "cd app; id=$(git rev-parse :uu); rest=${id#??}
    rm -f .git/objects/${id%$rest}/$rest";

/// Another clone pushes a commit.
const AHEAD: &str = "git clone -q git@github.com:o/app.git other 2>/dev/null; cd other
    echo z >z; git add z; git commit -qm z; git push -q; cd ~; rm -rf other";

const SIGN: &str = "ssh-keygen -q -t ed25519 -N '' -f .ssh/sign
    git config --global commit.gpgsign true; git config --global gpg.format ssh
    git config --global user.signingkey ~/.ssh/sign";

const GPG: &str = "mkdir -m700 ~/.gnupg
    gpg --batch -q --passphrase '' --quick-gen-key 'Dev <dev@example.com>' ed25519 sign never
    gpgconf --kill all; git config --global commit.gpgsign true";

/// A bare repository with a worktree beside it.
const BARE: &str = "git clone -q --bare git@github.com:o/app.git bw/.bare 2>&1
    cd bw; echo 'gitdir: ./.bare' >.git
    git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'; git fetch -q
    git worktree add -q main main; git -C main branch -qu origin/main";

const ROWS: &[Row] = &[
    // the variables
    row("GIT_WORK_TREE names another folder", Works, Warns("git-environment-broken"), |lab| {
        lab.sh("mkdir other");
        app().env("GIT_WORK_TREE", "/home/coder/other")
    }),
    row(
        "GIT_CONFIG_GLOBAL hides the user's file",
        CommitFails,
        Fails("git-environment-broken"),
        |lab| {
            lab.sh("git -C app config user.useConfigOnly true");
            app().env("GIT_CONFIG_GLOBAL", "/dev/null")
        },
    ),
    row("`.git` is an empty folder", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh("rm -rf app/.git; mkdir app/.git");
        app()
    }),
    row("the clone has no index", Works, Warns("git-clone-broken"), |lab| {
        lab.sh("cd app; echo 2 >g; git add g; git commit -qm g; git push -q; rm .git/index");
        app()
    }),
    row("the worktree of a bare repository", Works, Green, |lab| {
        lab.sh(BARE);
        at("bw/main")
    }),
    row("the same, with worktreeConfig", AddFails, Fails("git-clone-broken"), |lab| {
        lab.sh(BARE);
        lab.sh("git -C bw config extensions.worktreeConfig true");
        at("bw/main")
    }),
    row("HEAD's branch is lost", PushFails, Fails("git-clone-broken"), |lab| {
        lab.sh("rm -f app/.git/refs/heads/main");
        app()
    }),
    row("HEAD's branch is lost and packed", PushFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; git pack-refs --all; sed -i '/heads.main$/d' .git/packed-refs");
        app()
    }),
    row("HEAD names a branch that is not there", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("git -C app symbolic-ref HEAD refs/heads/gone");
        app()
    }),
    row("the Python of a filter is gone", AddFails, Fails("git-filter-missing"), |lab| {
        lab.sh("cd app; echo 'f filter=nb' >.gitattributes; git config filter.nb.required true
            git config filter.nb.clean '\"/home/coder/app/.venv/bin/python\" -m nbstripout'");
        app()
    }),
    row("GIT_DIR is empty", AddFails, Fails("git-environment-broken"), |_| {
        app().env("GIT_DIR", "")
    }),
    row("GIT_WORK_TREE is empty", AddFails, Fails("git-environment-broken"), |_| {
        app().env("GIT_WORK_TREE", "")
    }),
    row("GIT_INDEX_FILE is empty", AddFails, Fails("git-environment-broken"), |_| {
        app().env("GIT_INDEX_FILE", "")
    }),
    row(
        "bash reads a file that is gone, and ends",
        CommitFails,
        Fails("git-hook-unrunnable"),
        |lab| {
            hook(lab, "#!/bin/bash\nset -e\nsource ~/.venv/bin/activate\nexit 0\n");
            app()
        },
    ),
    row("bash reads a file that is gone last", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        hook(lab, "#!/bin/bash\necho x\n. \"$HOME/gone\"\n");
        app()
    }),
    row("bash reads a file that is gone, and goes on", Works, Green, |lab| {
        hook(lab, "#!/bin/bash\nset -e\nsource ~/.venv/bin/activate || true\nexit 0\n");
        app()
    }),
    row("bash reads a file that is there", Works, Green, |lab| {
        lab.sh("echo true >activate");
        hook(lab, "#!/bin/bash\nset -e\nsource ~/activate\nexit 0\n");
        app()
    }),
    row("an ssh certificate signs", Works, Green, |lab| {
        lab.sh(SIGN);
        lab.sh("ssh-keygen -q -t ed25519 -N '' -f .ssh/ca
            ssh-keygen -q -s .ssh/ca -I x -n dev .ssh/sign.pub
            git config --global user.signingkey ~/.ssh/sign-cert.pub");
        app()
    }),
    row("GIT_WORK_TREE is `.` below the top", Works, Warns("git-environment-broken"), |lab| {
        lab.sh("cd app; mkdir d; echo 1 >d/f; git add d; git commit -qm d; git push -q");
        at("app/d").env("GIT_WORK_TREE", ".")
    }),
    row("GIT_WORK_TREE is `.` at the top", Works, Green, |_| app().env("GIT_WORK_TREE", ".")),
    row("GIT_WORK_TREE names the top from below", Works, Green, |lab| {
        lab.sh("cd app; mkdir d; echo 1 >d/f; git add d; git commit -qm d; git push -q");
        at("app/d").env("GIT_WORK_TREE", "/home/coder/app")
    }),
    // git 2.45 and later; an older git makes a clone as usual
    row("refs in one table", Works, Green, |lab| {
        lab.sh("url=$(git -C app remote get-url origin); rm -rf app
            git clone -q --ref-format=reftable \"$url\" app 2>/dev/null || git clone -q \"$url\" app");
        app()
    }),
    // git 2.40 and later ignore it
    row("a prefix that git submodule left", NotTried, NoFailure, |lab| {
        let is_old = lab.sh("git --version").stdout.contains(" 2.39.");
        let place = app().env("GIT_INTERNAL_SUPER_PREFIX", "sub/");
        let report = lab.doctor(&place).json();
        let checks = report["checks"].as_array().unwrap();
        let is_named = checks
            .iter()
            .any(|check| check["id"] == "git.commit" && check["code"] == "git-environment-broken");
        assert_eq!(is_named, is_old, "{report}");
        app()
    }),
    // hooks
    row("prek's hook without prek", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        hook(
            lab,
            "#!/bin/sh\n# File generated by prek: https://github.com/j178/prek\n\
             PREK=\"/gone/prek\"\nif [ ! -x \"$PREK\" ]; then\n    PREK=\"prek\"\nfi\n\
             exec \"$PREK\" hook-impl --hook-type=pre-commit -- \"$@\"\n",
        );
        app()
    }),
    row("simple-git-hooks without its program", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        hook(lab, SIMPLE_GIT_HOOKS);
        app()
    }),
    row("simple-git-hooks that is switched off", Works, Green, |lab| {
        hook(lab, SIMPLE_GIT_HOOKS);
        app().env("SKIP_SIMPLE_GIT_HOOKS", "1")
    }),
    row("the last command is not installed", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        hook(lab, "#!/bin/sh\necho checking\nno-gitleaks protect --staged\n");
        app()
    }),
    row("a command before the last is not installed", Works, Green, |lab| {
        hook(lab, "#!/bin/sh\nno-gitleaks protect\necho \"done\"\n");
        app()
    }),
    row("a hook that ends before the last command", Works, Green, |lab| {
        hook(lab, "#!/bin/sh\nexit 0\nno-gitleaks protect\n");
        app()
    }),
    row("a text over several lines", Works, Green, |lab| {
        hook(lab, "#!/bin/sh\necho \"\nno-tool\n\"\n");
        app()
    }),
    row("a text for another command", Works, Green, |lab| {
        hook(lab, "#!/bin/sh\ncat <<EOF\nno-gitleaks run\nEOF\n");
        app()
    }),
    row("a function and its call", Works, Green, |lab| {
        hook(lab, "#!/bin/bash\nmain() {\n  echo ok\n}\nmain \"$@\"\n");
        app()
    }),
    row("husky's second command is missing", CommitFails, Fails("git-hook-unrunnable"), |lab| {
        husky(lab, "echo hi\nno-pnpm lint\n");
        app()
    }),
    row("husky is switched off", Works, Green, |lab| {
        husky(lab, "no-pnpm lint\n");
        app().env("HUSKY", "0")
    }),
    // what the clone is made of
    row("an object is an empty file", PushFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; echo uu >uu; git add uu; git commit -qm uu");
        lab.sh(EMPTY);
        app()
    }),
    row("an object that was pushed is an empty file", Works, Warns("git-clone-broken"), |lab| {
        lab.sh("cd app; echo uu >uu; git add uu; git commit -qm uu; git push -q");
        lab.sh(EMPTY);
        app()
    }),
    row("an object of the index is missing", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; echo uu >uu; git add uu; git commit -qm uu; git push -q");
        lab.sh(GONE);
        app()
    }),
    row(
        "an object that is only staged is missing",
        CommitFails,
        Fails("git-clone-broken"),
        |lab| {
            lab.sh("cd app; echo uu >uu; git add uu");
            lab.sh(GONE);
            app()
        },
    ),
    row("one of a folder that was not pushed", PushFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; mkdir d; echo uu >d/uu; git add d; git commit -qm uu");
        lab.sh(&GONE.replace(":uu", ":d/uu"));
        app()
    }),
    row("one of a folder that was pushed", Works, Warns("git-clone-broken"), |lab| {
        lab.sh("cd app; mkdir d; echo uu >d/uu; git add d; git commit -qm uu; git push -q");
        lab.sh(&GONE.replace(":uu", ":d/uu"));
        app()
    }),
    row("a tree of a folder is missing", Works, Warns("git-clone-broken"), |lab| {
        lab.sh("cd app; mkdir d; echo uu >d/uu; git add d; git commit -qm uu; git push -q");
        lab.sh(&GONE.replace(":uu", "HEAD:d"));
        app()
    }),
    row("a partial clone lacks objects of the index", Works, NoFailure, |lab| {
        lab.sh("cd app; echo uu >uu; git add uu; git commit -qm uu; git push -q; cd ..
            git -C /srv/git/o/app.git config uploadpack.allowFilter true
            git clone -q --filter=blob:none --no-checkout git@github.com:o/app.git part
            cd part; git reset -q; git checkout -q f");
        at("part")
    }),
    row("a table of refs is gone", NotTried, NoFailure, |lab| {
        lab.sh("url=$(git -C app remote get-url origin); rm -rf app
            git clone -q --ref-format=reftable \"$url\" app 2>/dev/null || git clone -q \"$url\" app
            rm -f app/.git/reftable/*.ref");
        let tables = lab.ws.home().join("app/.git/reftable").exists();
        let report = lab.doctor(&app()).json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let is_named = checks.any(|it| it["code"] == "git-clone-broken" && it["status"] == "fail");
        assert_eq!(is_named, tables, "{report}");
        lab.sh("rm -rf app; cp -a /srv/healthy/app app");
        app()
    }),
    row("a branch beside one in a table of refs", NotTried, NoFailure, |lab| {
        lab.sh("url=$(git -C app remote get-url origin); rm -rf app
            git clone -q --ref-format=reftable \"$url\" app 2>/dev/null || git clone -q \"$url\" app
            cd app; git branch feat; git symbolic-ref HEAD refs/heads/feat/x");
        let report = lab.doctor(&app()).json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let is_named = checks.any(|it| it["code"] == "git-clone-broken" && it["status"] == "fail");
        assert!(is_named, "{report}");
        lab.sh("rm -rf app; cp -a /srv/healthy/app app");
        app()
    }),
    row("a branch above one in a table of refs", NotTried, NoFailure, |lab| {
        lab.sh("url=$(git -C app remote get-url origin); rm -rf app
            git clone -q --ref-format=reftable \"$url\" app 2>/dev/null || git clone -q \"$url\" app
            cd app; git branch feat/x; git symbolic-ref HEAD refs/heads/feat");
        let report = lab.doctor(&app()).json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let is_named = checks.any(|it| it["code"] == "git-clone-broken" && it["status"] == "fail");
        assert!(is_named, "{report}");
        lab.sh("rm -rf app; cp -a /srv/healthy/app app");
        app()
    }),
    row("packed-refs is not in its order", NotTried, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; git branch a; git branch z; git pack-refs --all
                sed -n '1p' .git/packed-refs >new; sed '1d' .git/packed-refs | tac >>new
                mv new .git/packed-refs");
        app()
    }),
    row("a file is marked as unchanged", CommitFails, Green, |lab| {
        lab.sh("git -C app update-index --assume-unchanged f");
        app()
    }),
    row("a file is marked as left out", AddFails, Green, |lab| {
        lab.sh("git -C app update-index --skip-worktree f");
        app()
    }),
    row("a file outside of the sparse folders", AddFails, Green, |lab| {
        lab.sh("cd app; mkdir d; echo 1 >d/g; git add d; git commit -qm d; git push -q
                git sparse-checkout set --no-cone '/d/*'");
        app()
    }),
    // where a push goes
    row("a scheme in capitals", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git -C app remote set-url origin HTTPS://GitHub.com/o/app.git");
        app()
    }),
    row("a helper that is not installed", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git -C app remote set-url origin codecommit::eu-west-1://app");
        app()
    }),
    row("all branches with each push", Works, Warns("push-target-other"), |lab| {
        lab.sh("git -C app config remote.origin.push 'refs/heads/*:refs/heads/*'");
        app()
    }),
    row(
        "the server has a branch of the folder's name",
        PushFails,
        Fails("push-ref-invalid"),
        |lab| {
            lab.sh("cd app; git push -q origin main:refs/heads/feat
            git update-ref -d refs/remotes/origin/feat; git switch -qc feat/x
            git config push.autoSetupRemote true");
            app()
        },
    ),
    row("the server has branches below this one", PushFails, Fails("push-ref-invalid"), |lab| {
        lab.sh("cd app; git push -q origin :feat main:refs/heads/feat/y
            git update-ref -d refs/remotes/origin/feat/y; git switch -qc feat
            git config push.autoSetupRemote true");
        app()
    }),
    row("the server has a branch of a similar name", Works, Green, |lab| {
        lab.sh("cd app; git push -q origin :feat/y main:refs/heads/feature; git switch -qc feat/x
            git config push.autoSetupRemote true");
        app()
    }),
    row("the server is ahead", PushFails, Warns("push-non-fast-forward"), |lab| {
        lab.sh(AHEAD);
        app()
    }),
    row("the server is ahead, and the push is forced", Works, NoFailure, |lab| {
        lab.sh(AHEAD);
        lab.sh("git -C app config remote.origin.push +refs/heads/main:refs/heads/main");
        app()
    }),
    // ssh
    row("ssh goes on in the background", Works, Green, |lab| {
        let config = lab.ws.read(".ssh/config");
        let lines = format!("{config}\nHost *\n  ForkAfterAuthentication yes\n");
        lab.ws.write(".ssh/config", lines, 0o600);
        app()
    }),
    row("another key is offered first, and is unknown", Works, NoFailure, |lab| {
        lab.sh("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_a");
        let config = lab.ws.read(".ssh/config");
        let lines = format!("Host *\n  IdentityFile ~/.ssh/id_a\n{config}");
        lab.ws.write(".ssh/config", lines, 0o600);
        app()
    }),
    // signing
    row("TMPDIR is gone, and ssh signs", CommitFails, Fails("git-environment-broken"), |lab| {
        lab.sh(SIGN);
        app().env("TMPDIR", "/gone")
    }),
    row(
        "TMPDIR cannot be written, and ssh signs",
        CommitFails,
        Fails("git-environment-broken"),
        |lab| {
            lab.sh(SIGN);
            app().env("TMPDIR", "/usr/share")
        },
    ),
    row("TMPDIR is gone, and nothing is signed", Works, Green, |_| app().env("TMPDIR", "/gone")),
    row("gpg's folder is read-only", CommitFails, Fails("git-signing-broken"), |lab| {
        lab.sh(GPG);
        lab.sh("chmod 0500 ~/.gnupg");
        app()
    }),
    row("a lock of another host for gpg", NotTried, Fails("git-signing-broken"), |lab| {
        lab.sh(GPG);
        lab.sh("printf '      1234\\noldhost\\n' >~/.gnupg/gnupg_spawn_agent_sentinel.lock");
        app()
    }),
    row("a command with quotes names the key", Works, Green, |lab| {
        lab.sh("ssh-keygen -q -t ed25519 -N '' -f .ssh/sign
                git config --global commit.gpgsign true; git config --global gpg.format ssh
                git config --global gpg.ssh.defaultKeyCommand 'sh -c \"ssh-add -L | head -1\"'
                ssh-agent -a ~/agent >/dev/null; SSH_AUTH_SOCK=~/agent ssh-add -q .ssh/sign");
        app().env("SSH_AUTH_SOCK", "/home/coder/agent")
    }),
    // git-lfs
    row("git-lfs cannot write its store", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("cd app; git lfs install >/dev/null; echo 'f filter=lfs' >.gitattributes
                mkdir -p .git/lfs/tmp .git/lfs/objects; chmod -R a-w .git/lfs");
        app()
    }),
    row("the store of git-lfs is elsewhere", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("cd app; git lfs install >/dev/null; echo 'f filter=lfs' >.gitattributes
                git config --global lfs.storage /gone/lfs");
        app()
    }),
];

#[test]
fn what_an_attack_found() {
    sandbox(|ws| run(ws, ROWS));
}
