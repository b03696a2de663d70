//! Signed commits: the user's own keys, programs and agents, none of which may prompt.

use std::os::unix::net::UnixListener;

use super::Doctor::{Fails, Green, NoFailure, Undecided};
use super::Git::{CommitFails, NotTried, Works};
use super::{Lab, Row, Where, app, row, run};
use crate::support::{require, sandbox};

const BROKEN: super::Doctor = Fails("git-signing-broken");

/// Commits are to be signed with the key.
fn sign(lab: &Lab, key: &str) {
    lab.sh(&format!(
        "git config --global commit.gpgSign true; git config --global user.signingKey '{key}'"
    ));
}

fn sign_by_ssh(lab: &Lab, key: &str) {
    sign(lab, key);
    lab.sh("git config --global gpg.format ssh");
}

/// A new key of GnuPG for the committer; the agent that makes it is ended.
fn gpg_key(lab: &Lab, passphrase: &str) {
    lab.sh(&format!(
        "gpg --batch --quiet --pinentry-mode loopback --passphrase '{passphrase}' \
             --quick-gen-key 'Dev <dev@example.com>' ed25519 sign never 2>/dev/null
         gpgconf --kill all"
    ));
    sign(lab, "dev@example.com");
}

fn ssh_key(lab: &Lab, passphrase: &str) {
    lab.sh(&format!(
        "mkdir -p .ssh; ssh-keygen -q -t ed25519 -N '{passphrase}' -C me -f .ssh/id_sign"
    ));
    sign_by_ssh(lab, "~/.ssh/id_sign.pub");
}

/// Starts an agent of ssh's with the keys, and ends it with the sandbox.
fn ssh_agent(lab: &Lab, keys: &str) -> Where {
    lab.sh(&format!(
        "rm -f /tmp/agent; ssh-agent -a /tmp/agent >/dev/null
         export SSH_AUTH_SOCK=/tmp/agent SSH_ASKPASS=/tmp/pass SSH_ASKPASS_REQUIRE=force
         printf '#!/bin/sh\\necho pw\\n' >/tmp/pass; chmod +x /tmp/pass
         ssh-add -q {keys} 2>/dev/null"
    ));
    app().env("SSH_AUTH_SOCK", "/tmp/agent")
}

/// A PATH with all programs of the machine but these.
fn without(lab: &Lab, names: &str) -> String {
    lab.sh(&format!(
        "rm -rf /tmp/without; mkdir /tmp/without; ln -s /usr/bin/* /tmp/without
         cd /tmp/without; rm -f {names}"
    ));
    "/run/rig/bin:/tmp/without".to_owned()
}

const ROWS: &[Row] = &[
    row("1 the key of another machine", CommitFails, BROKEN, |lab| {
        sign(lab, "A1B2C3D4E5F60718");
        app()
    }),
    row("2 gpg is not installed", CommitFails, BROKEN, |lab| {
        sign(lab, "A1B2C3D4E5F60718");
        app().env("PATH", without(lab, "gpg"))
    }),
    row("3 a program of another machine", CommitFails, BROKEN, |lab| {
        sign(lab, "A1B2C3D4E5F60718");
        lab.sh("git config --global gpg.program /opt/homebrew/bin/gpg");
        app()
    }),
    row("4 a passphrase that no agent holds", CommitFails, BROKEN, |lab| {
        gpg_key(lab, "pw");
        app()
    }),
    row("4 the same with an agent that does not hold it", CommitFails, BROKEN, |lab| {
        gpg_key(lab, "pw");
        lab.sh("gpgconf --launch gpg-agent");
        app()
    }),
    row("5 the file of the ssh key is not there", CommitFails, BROKEN, |lab| {
        sign_by_ssh(lab, "~/.ssh/id_sign.pub");
        app()
    }),
    row("6 1Password's program is not there", CommitFails, BROKEN, |lab| {
        ssh_key(lab, "");
        lab.sh("git config --global gpg.ssh.program /opt/1Password/op-ssh-sign");
        app()
    }),
    row("7 an ssh key with a passphrase", CommitFails, BROKEN, |lab| {
        ssh_key(lab, "pw");
        app()
    }),
    row("8 an agent that never answers", NotTried, BROKEN, |lab| {
        ssh_key(lab, "");
        lab.sh("rm .ssh/id_sign; rm -f /tmp/silent");
        // it accepts by its backlog, for as long as the test runs
        std::mem::forget(UnixListener::bind("/tmp/silent").unwrap());
        app().env("SSH_AUTH_SOCK", "/tmp/silent")
    }),
    row("8 the same with the private key on disk", NotTried, BROKEN, |lab| {
        ssh_key(lab, "");
        lab.sh("rm -f /tmp/silent");
        std::mem::forget(UnixListener::bind("/tmp/silent").unwrap());
        app().env("SSH_AUTH_SOCK", "/tmp/silent")
    }),
    row("10 the public key alone", CommitFails, BROKEN, |lab| {
        ssh_key(lab, "");
        lab.sh("rm .ssh/id_sign");
        app()
    }),
    row("11 a command that names no key", CommitFails, BROKEN, |lab| {
        sign_by_ssh(lab, "");
        lab.sh("git config --global --unset user.signingKey
                git config --global gpg.ssh.defaultKeyCommand 'ssh-add -L'");
        app()
    }),
    row("neither a key nor a command", CommitFails, BROKEN, |lab| {
        sign_by_ssh(lab, "");
        lab.sh("git config --global --unset user.signingKey");
        app()
    }),
    row("12 a program of the clone's", CommitFails, Undecided("git.commit"), |lab| {
        lab.ws.write("app/sign", "#!/bin/sh\necho ran >>~/ran\nexit 1\n", 0o755);
        lab.sh("cd app; git config gpg.program ~/app/sign; git config commit.gpgSign true");
        app()
    }),
    row("a command of the clone's for the key", CommitFails, Undecided("git.commit"), |lab| {
        lab.ws.write("app/key", "#!/bin/sh\necho ran >>~/ran\nexit 1\n", 0o755);
        sign_by_ssh(lab, "");
        lab.sh("git config --global --unset user.signingKey; cd app
                git config gpg.ssh.defaultKeyCommand ~/app/key");
        app()
    }),
    row("13 an ssh key without passphrase", Works, Green, |lab| {
        ssh_key(lab, "");
        lab.sh("chmod 0400 .ssh/id_sign; git config --global gpg.ssh.allowedSignersFile /gone");
        app()
    }),
    row("13 the same, named by its private key", Works, Green, |lab| {
        ssh_key(lab, "");
        sign_by_ssh(lab, "~/.ssh/id_sign");
        app()
    }),
    row("14 a key of GnuPG without passphrase", Works, Green, |lab| {
        gpg_key(lab, "");
        app()
    }),
    row("14 the same, chosen by the committer", Works, Green, |lab| {
        gpg_key(lab, "");
        lab.sh("git config --global --unset user.signingKey");
        app()
    }),
    row("15 the clone turns it off", Works, Green, |lab| {
        sign(lab, "A1B2C3D4E5F60718");
        lab.sh("git -C app config commit.gpgSign false");
        app()
    }),
    row("16 a passphrase that gpg-agent holds", Works, Green, |lab| {
        gpg_key(lab, "pw");
        lab.sh(
            "echo x | gpg --batch --quiet --pinentry-mode loopback --passphrase pw -s >/dev/null",
        );
        app()
    }),
    row("17 an ssh key that the agent holds", Works, Green, |lab| {
        ssh_key(lab, "pw");
        ssh_agent(lab, "~/.ssh/id_sign")
    }),
    row("17 the same with the public key alone", Works, Green, |lab| {
        ssh_key(lab, "");
        let place = ssh_agent(lab, "~/.ssh/id_sign");
        lab.sh("rm .ssh/id_sign");
        place
    }),
    row("17 the same with the key itself as the setting", Works, Green, |lab| {
        ssh_key(lab, "");
        let key = lab.ws.read(".ssh/id_sign.pub");
        sign_by_ssh(lab, key.trim());
        ssh_agent(lab, "~/.ssh/id_sign")
    }),
    row("11 a command that names the agent's key", Works, Green, |lab| {
        ssh_key(lab, "");
        lab.sh("git config --global --unset user.signingKey
                git config --global gpg.ssh.defaultKeyCommand 'ssh-add -L'");
        ssh_agent(lab, "~/.ssh/id_sign")
    }),
    row("an agent that holds another key", CommitFails, BROKEN, |lab| {
        ssh_key(lab, "");
        lab.sh("ssh-keygen -q -t ed25519 -N '' -f .ssh/other; rm .ssh/id_sign");
        ssh_agent(lab, "~/.ssh/other")
    }),
    row("18 the user's own wrapper", Works, NoFailure, |lab| {
        gpg_key(lab, "");
        lab.ws.write("bin/gpg-wrap", "#!/bin/sh\nexec gpg --no-tty \"$@\"\n", 0o755);
        lab.sh("git config --global gpg.program ~/bin/gpg-wrap");
        app()
    }),
    row("18 a wrapper with a home of its own", Works, NoFailure, |lab| {
        gpg_key(lab, "");
        lab.sh("mv .gnupg keys");
        lab.ws.write("bin/gpg-wrap", "#!/bin/sh\nexec gpg --homedir ~/keys \"$@\"\n", 0o755);
        lab.sh("git config --global gpg.program ~/bin/gpg-wrap");
        app()
    }),
    row("18 a wrapper that supplies the passphrase", Works, NoFailure, |lab| {
        gpg_key(lab, "pw");
        lab.ws.write(
            "bin/gpg-wrap",
            "#!/bin/sh\nexec gpg --batch --pinentry-mode loopback --passphrase pw \"$@\"\n",
            0o755,
        );
        lab.sh("git config --global gpg.program ~/bin/gpg-wrap");
        app()
    }),
    row("an expired key of GnuPG", CommitFails, BROKEN, |lab| {
        lab.sh("gpg --batch --quiet --passphrase '' --faked-system-time '20200101T000000!' \
                    --quick-gen-key 'Dev <dev@example.com>' ed25519 sign 20200201T000000 2>/dev/null
                gpgconf --kill all");
        sign(lab, "dev@example.com");
        app()
    }),
    row("the key of x509 is missing", CommitFails, BROKEN, |lab| {
        sign(lab, "dev@example.com");
        lab.sh("git config --global gpg.format x509");
        app()
    }),
];

const WITHOUT_TMP: &[Row] = &[
    row("ssh-keygen's file goes elsewhere", Works, NoFailure, |lab| {
        ssh_key(lab, "");
        lab.sh("mkdir t; chmod a-w /tmp");
        app().env("TMPDIR", "/home/coder/t")
    }),
    row("git cannot write to /tmp", CommitFails, Fails("git-environment-broken"), |lab| {
        ssh_key(lab, "");
        app()
    }),
];

#[test]
fn signatures_by_ssh_need_a_temporary_file() {
    sandbox(|ws| run(ws, WITHOUT_TMP));
}

/// What the doctor says of a signature that fails, in words that name what is to be done.
#[test]
fn the_cause_of_a_failed_signature_is_named() {
    require("gpg");
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let says = |build: fn(&Lab), words: &str| {
            lab.fresh();
            build(&lab);
            let report = lab.doctor(&app()).json();
            let checks = report["checks"].as_array().unwrap().iter();
            let broken = checks.filter(|check| check["code"] == "git-signing-broken");
            let found: String = broken.map(ToString::to_string).collect();
            assert!(found.contains(words), "{words}: {report:#}");
        };
        says(
            |lab| {
                gpg_key(lab, "pw");
                lab.sh("gpgconf --launch gpg-agent");
            },
            "a passphrase that no gpg-agent holds",
        );
        lab.sh("gpgconf --kill all");
        says(
            |lab| {
                ssh_key(lab, "");
                lab.sh("chmod 644 .ssh/id_sign");
            },
            r#"["chmod","600","/home/coder/.ssh/id_sign"]"#,
        );
        says(|lab| ssh_key(lab, "pw"), "`ssh-add /home/coder/.ssh/id_sign`");
        says(
            |lab| {
                sign_by_ssh(lab, "");
                lab.sh("git config --global --unset user.signingKey
                        git config --global gpg.ssh.defaultKeyCommand 'gone-key -L'");
            },
            "the program of gpg.ssh.defaultKeyCommand is not installed",
        );
    });
}

#[test]
fn signed_commits() {
    require("gpg");
    sandbox(|ws| {
        run(ws, ROWS);
        assert!(!ws.home().join("ran").exists(), "a program of the clone's was run");
    });
}

/// What the user's own GnuPG has is not touched, and no process is left.
#[test]
fn a_test_of_the_signature_leaves_nothing() {
    require("gpg");
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.fresh();
        sign(&lab, "A1B2C3D4E5F60718");
        let doctor = || ws.pushready(&["doctor", "--offline", "--only", "git"]).current_dir("app");
        doctor().run().fails(1).stdout_has("git-signing-broken");
        assert!(!ws.home().join(".gnupg").exists(), "~/.gnupg was made");
        gpg_key(&lab, "");
        let listed =
            || ws.sh("cd .gnupg; find . -type f | sort | xargs sha256sum; find . -type s").run();
        let before = listed();
        doctor().run().success();
        assert_eq!(listed().stdout, before.stdout);
        ws.write("bin/wrap", "#!/bin/sh\nexec gpg --homedir ~/.gnupg \"$@\"\n", 0o755);
        lab.sh("git config --global gpg.program ~/bin/wrap");
        doctor().run().success();
        let agents = ws.sh("pgrep -x gpg-agent; ls -A /tmp | grep pushready-tmp").run();
        assert_eq!(agents.stdout, "", "{agents}");
        // one that runs before goes on
        lab.sh("git config --global --unset gpg.program; gpgconf --launch gpg-agent");
        let agent = || ws.sh("pgrep -x gpg-agent").run().success().stdout;
        let before = agent();
        doctor().run().success();
        assert_eq!(agent(), before);
        lab.sh("gpgconf --kill all");
    });
}
