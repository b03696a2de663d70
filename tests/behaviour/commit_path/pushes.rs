//! Refusals of a push that the clone itself shows.

use super::Doctor::{Fails, Green, NoFailure, Unknown, Warns};
use super::Git::{CommitFails, PushFails, Works};
use super::{Doctor, Lab, Row, app, at, row, run};
use crate::support::{Access, sandbox};

/// Another clone pushes a commit.
const AHEAD: &str = "git clone -q git@github.com:o/app.git other 2>/dev/null; cd other
    echo z >z; git add z; git commit -qm z; git push -q; cd ~; rm -rf other";
/// A submodule with a commit that its remote does not have.
const SUBMODULE: &str =
    "git clone -q --bare app sub.git; git config --global protocol.file.allow always
    cd app; git submodule add -q /home/coder/sub.git sub; git commit -qm sub; git push -q
    cd sub; git switch -q main; echo y >y; git add y; git commit -qm y; cd ..
    git add sub; git commit -qm bump";

const NO_TARGET: Doctor = Warns("push-target-none");

/// A submodule with a repository and a key of its own, which a push sends first.
fn keyed_submodule(lab: &Lab, access: Access) {
    lab.host.repository("o/sub");
    let keys = [("o/app", Access::Write), ("o/sub", access)];
    let keys = keys.map(|(name, access)| (name, lab.host.deploy_key(name, access)));
    let map: serde_json::Map<_, _> = keys
        .iter()
        .map(|(name, key)| ((*name).to_owned(), serde_json::Value::from(&*key.private)))
        .collect();
    lab.ws
        .pushready(&["apply"])
        .env("PUSHREADY_DEPLOY_KEYS", serde_json::Value::from(map).to_string())
        .env("PUSHREADY_KNOWN_HOSTS", lab.host.known_hosts(&["github.com"]))
        .run()
        .success();
    lab.sh("git clone -q git@github.com:o/sub.git sub 2>/dev/null
        cd app; mv ../sub sub; git submodule --quiet add git@github.com:o/sub.git sub; git add .
        git commit -qm sub; git push -q; git config submodule.recurse true
        cd sub; echo y >y; git add y; git commit -qm y; cd ..; git add sub; git commit -qm bump");
}

const ROWS: &[Row] = &[
    row("the remote's branch was fetched", PushFails, Warns("push-non-fast-forward"), |lab| {
        lab.sh(AHEAD);
        lab.sh("git -C app fetch -q");
        app()
    }),
    row("the branches have diverged", PushFails, Warns("push-non-fast-forward"), |lab| {
        lab.sh(AHEAD);
        lab.sh("cd app; git fetch -q; echo q >q; git add q; git commit -qm q");
        app()
    }),
    row("they have diverged, and a push is forced", Works, NoFailure, |lab| {
        lab.sh(AHEAD);
        lab.sh(
            "cd app; git fetch -q; git config remote.origin.push +refs/heads/main:refs/heads/main",
        );
        app()
    }),
    row("the branch is ahead", Works, Green, |lab| {
        lab.sh("cd app; echo q >q; git add q; git commit -qm q");
        app()
    }),
    row("matching, and the remote lacks the branch", Works, Warns("push-target-none"), |lab| {
        lab.sh("git -C app switch -qc feat; git config --global push.default matching");
        app()
    }),
    row("matching, and another branch differs", Works, Warns("push-target-other"), |lab| {
        lab.sh("cd app; git switch -qc feat; git push -qu origin feat; echo q >q; git add q
            git commit -qm q; git switch -q main; git config --global push.default matching");
        app()
    }),
    row("matching, and one branch", Works, Green, |lab| {
        lab.sh("git config --global push.default matching");
        app()
    }),
    row(
        "submodules are checked, and one is not pushed",
        PushFails,
        Fails("push-target-none"),
        |lab| {
            lab.sh(SUBMODULE);
            lab.sh("git config --global push.recurseSubmodules check");
            app()
        },
    ),
    row("submodules are checked, and pushed", Works, Green, |lab| {
        lab.sh(SUBMODULE);
        lab.sh("git config --global push.recurseSubmodules check; git -C app/sub push -q");
        app()
    }),
    row("submodules are pushed, too", Works, Green, |lab| {
        lab.sh(SUBMODULE);
        lab.sh("git config --global push.recurseSubmodules on-demand");
        app()
    }),
    row("submodules are pushed alone", Works, Warns("push-target-none"), |lab| {
        lab.sh(SUBMODULE);
        lab.sh("git config --global push.recurseSubmodules only");
        app()
    }),
    row(
        "the remote has the branch checked out",
        PushFails,
        Fails("push-branch-protected"),
        |lab| {
            lab.sh("git clone -q app copy");
            at("copy")
        },
    ),
    row("the remote updates what is checked out", Works, Green, |lab| {
        lab.sh("git clone -q app copy; git -C app config receive.denyCurrentBranch updateInstead");
        at("copy")
    }),
    row("the remote is a bare folder", Works, Green, |lab| {
        lab.sh("git clone -q --bare app bare.git; git clone -q bare.git copy");
        at("copy")
    }),
    row(
        "the remote of a branch is a folder that is gone",
        PushFails,
        Fails("push-repository-not-found"),
        |lab| {
            lab.sh("git -C app config branch.main.remote /gone/app.git");
            app()
        },
    ),
    row("receivepack of a folder is gone", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git clone -q --bare app bare.git; git clone -q bare.git copy
            git -C copy config remote.origin.receivepack /gone/git-receive-pack");
        at("copy")
    }),
    row(
        "receivepack of a server is another program",
        PushFails,
        Warns("push-target-other"),
        |lab| {
            lab.sh("git -C app config remote.origin.receivepack /gone/git-receive-pack");
            app()
        },
    ),
    row("a branch's remote has an empty name", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git -C app config branch.main.pushRemote ''");
        app()
    }),
    row("the clone has no configuration", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("rm app/.git/config");
        app()
    }),
    row("ssh is forbidden", PushFails, Fails("git-transport-forbidden"), |lab| {
        lab.sh("git config --global protocol.ssh.allow never");
        app()
    }),
    row(
        "a version of the protocol that does not exist",
        PushFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("git config --global protocol.version 9");
            app()
        },
    ),
    row("push.negotiate is not a truth value", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global push.negotiate foo");
        app()
    }),
    row("a negative number of threads", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global pack.threads -1");
        app()
    }),
    row("HEAD has the name of no branch", PushFails, Warns("push-target-none"), |lab| {
        lab.sh("echo 'ref: refs/heads/a..b' >app/.git/HEAD");
        app()
    }),
    row("the branch is a tag object", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; git tag -am t v1; git rev-parse v1 >.git/refs/heads/main");
        app()
    }),
    row("HEAD's commit is replaced by a tree", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app; head=$(git rev-parse HEAD); tree=$(git rev-parse HEAD^{tree})
            mkdir -p .git/refs/replace; echo $tree >.git/refs/replace/$head");
        app()
    }),
    row("the branch leads back to itself", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git/refs/heads; echo 'ref: refs/heads/b' >main; echo 'ref: refs/heads/main' >b");
        app()
    }),
    row("the branch is a link to itself", CommitFails, Fails("git-clone-broken"), |lab| {
        lab.sh("cd app/.git/refs/heads; rm main; ln -s main main");
        app()
    }),
    row("the remote is a bundle", PushFails, Fails("push-repository-not-found"), |lab| {
        lab.sh("cd app; git bundle create -q ../b.bundle main
            git remote set-url origin /home/coder/b.bundle");
        app()
    }),
    row(
        "a submodule is pushed, too, without a key",
        PushFails,
        Warns("push-target-other"),
        |lab| {
            lab.sh(SUBMODULE);
            lab.sh("cd app; git config submodule.recurse true
            git -C sub remote set-url origin git@github.com:o/none.git");
            app()
        },
    ),
    row("a submodule's key may only read", PushFails, Fails("push-key-read-only"), |lab| {
        keyed_submodule(lab, Access::Read);
        app()
    }),
    row("a submodule's key may write", Works, Green, |lab| {
        keyed_submodule(lab, Access::Write);
        app()
    }),
    row("the remote's last URL is empty", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("cd app; git config --add remote.origin.url ''");
        app()
    }),
    row("the branch has its upstream twice", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("cd app; git config --add branch.main.merge refs/heads/main");
        app()
    }),
    row("every branch main has an upstream", PushFails, Fails("push-target-none"), |lab| {
        lab.sh("git config --global branch.main.merge refs/heads/main");
        app()
    }),
    row("two upstreams, and push.default is current", Works, NoFailure, |lab| {
        lab.sh("cd app; git config --add branch.main.merge refs/heads/main
            git config push.default current");
        app()
    }),
    row("an ssh command of Windows", PushFails, Fails("ssh-command-broken"), |lab| {
        lab.sh("git config --global core.sshCommand C:/Windows/System32/OpenSSH/ssh.exe");
        app()
    }),
    row("plink, which is not installed", PushFails, Fails("ssh-command-broken"), |lab| {
        lab.sh("git config --global core.sshCommand plink");
        app()
    }),
    row("the clone's ssh command is gone", PushFails, Fails("ssh-command-broken"), |lab| {
        lab.sh("git -C app config core.sshCommand 'tools/ssh -v'");
        app()
    }),
    row("the clone has its own ssh command", Works, Unknown("push.write"), |lab| {
        lab.sh("cd app; mkdir tools; printf '#!/bin/sh\nexec ssh \"$@\"\n' >tools/ssh
            chmod +x tools/ssh; git config core.sshCommand tools/ssh");
        app()
    }),
    row("pack.indexVersion does not exist", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global pack.indexVersion 9");
        app()
    }),
    row(
        "transfer.advertiseSID is not a truth value",
        PushFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("git config --global transfer.advertiseSID maybe");
            app()
        },
    ),
    row("push.useBitmaps is not a truth value", PushFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global push.useBitmaps maybe");
        app()
    }),
    row("an extension that is not the clone's", Works, Green, |lab| {
        lab.sh("git config --global extensions.objectFormat sha256");
        app()
    }),
    row("the branch is another name of one", Works, NoFailure, |lab| {
        lab.sh("cd app; git symbolic-ref refs/heads/alias refs/heads/main; git switch -q alias
            git config push.default current");
        app()
    }),
    row("the branch is another name of one without upstream", PushFails, NO_TARGET, |lab| {
        lab.sh("cd app; git branch real; git symbolic-ref refs/heads/main refs/heads/real");
        app()
    }),
    row("it is another name of one with an upstream", Works, Green, |lab| {
        lab.sh("cd app; git switch -qc real; git push -qfu origin real; git switch -q main
            git symbolic-ref refs/heads/main refs/heads/real");
        app()
    }),
    row("the lock of the other branch is left", CommitFails, Fails("git-lock-left"), |lab| {
        lab.sh("cd app; git branch real; git symbolic-ref refs/heads/main refs/heads/real
            touch -d yesterday .git/refs/heads/real.lock");
        app()
    }),
];

#[test]
fn what_the_clone_shows_of_a_push() {
    sandbox(|ws| run(ws, ROWS));
}
