//! What a clone has to do with `--required`, and the commit object of `--live`.

use super::{Lab, Where, app, at};
use crate::support::{Output, require, sandbox};

/// `push:o/app` covers what a commit needs where the doctor runs in a clone of it, and nowhere else.
#[test]
fn a_required_push_takes_a_commit_inside_of_its_clone() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let short = |place: &Where| {
            let doctor = ws.pushready(&["doctor", "--required", "--short"]);
            place.of(doctor).env("PUSHREADY_REQUIRE", "push:o/app").run()
        };
        let (home, other) = (at("."), at("other"));
        lab.sh("git init -q other; git -C other remote add origin git@github.com:o/other.git");
        for place in [&app(), &home, &other] {
            let output = short(place).success();
            assert!(output.stdout.starts_with("READY"), "{output}");
        }
        for (what, script, code) in [
            ("git.clone", "touch -d yesterday ~/app/.git/index.lock", "git-lock-left"),
            (
                "git.commit",
                "git -C ~/app config user.useConfigOnly true
                git -C ~/app config user.name ''",
                "git-identity-missing",
            ),
            (
                "git.programs",
                "printf '#!/opt/gone\\n' >~/app/.git/hooks/pre-commit
                chmod +x ~/app/.git/hooks/pre-commit",
                "git-hook-unrunnable",
            ),
        ] {
            lab.fresh();
            lab.sh("git init -q other; git -C other remote add origin git@github.com:o/other.git");
            lab.sh(script);
            let output = short(&app()).fails(1);
            assert!(output.stdout.contains(code), "{what}: {output}");
            for place in [&home, &other] {
                assert!(short(place).success().stdout.starts_with("READY"), "{what}");
            }
        }
        // whatever the remote is called there, the push goes to it
        for (what, script) in [
            (
                "a rule of the user",
                "git config --global url.git@github.com:.insteadOf gh:
                git -C ~/app remote set-url origin gh:o/app.git",
            ),
            (
                "an alias of ssh's",
                "printf 'Host github-work\\n HostName github.com\\n User git\\n' >>~/.ssh/config
                git -C ~/app remote set-url origin git@github-work:o/app.git",
            ),
            (
                "a push URL",
                "git -C ~/app remote set-url origin git@github.com:o/other.git
                git -C ~/app remote set-url --push origin git@github.com:o/app.git",
            ),
        ] {
            lab.fresh();
            lab.sh(script);
            lab.sh("touch -d yesterday ~/app/.git/index.lock");
            let output = short(&app()).fails(1);
            assert!(output.stdout.contains("git-lock-left"), "{what}: {output}");
        }
    });
}

fn live(lab: &Lab, place: &Where) -> (Output, String) {
    let doctor = lab.ws.pushready(&["doctor", "--json", "--live", "--only", "push,git"]);
    let output = place.of(doctor).run();
    let report = output.json();
    let checks = report["checks"].as_array().unwrap().iter();
    let mut live = checks.filter(|check| check["id"] == "push.live");
    let evidence = live.next().map(|check| check["evidence"].to_string());
    (output, evidence.unwrap_or_default())
}

/// How often something was pushed to the server.
fn pushes(lab: &Lab) -> usize {
    let sessions = lab.host.sessions();
    sessions.iter().filter(|session| session.command.starts_with("git-receive-pack")).count()
}

#[test]
fn live_makes_one_commit_object_as_the_user_would() {
    sandbox(|ws| {
        require("ssh-keygen");
        let lab = Lab::new(ws);
        let sign = "mkdir -p .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_sign
            git config --global commit.gpgSign true; git config --global gpg.format ssh
            git config --global user.signingKey '~/.ssh/id_sign.pub'
            printf '#!/bin/sh\\necho \"$*\" >>~/signed\\nexec ssh-keygen \"$@\"\\n' >/tmp/sign
            chmod +x /tmp/sign; git config --global gpg.ssh.program /tmp/sign";
        let objects = || lab.sh("find app/.git | sort").stdout;

        // without a signature
        let before = objects();
        let (output, evidence) = live(&lab, &app());
        output.success();
        assert!(evidence.contains("made, as a commit would be made here"), "{evidence}");
        assert_eq!(objects(), before);

        lab.sh(sign);
        let (output, evidence) = live(&lab, &app());
        output.success();
        assert!(evidence.contains("made, as a commit would be made here"), "{evidence}");
        assert_eq!(ws.read("signed").lines().count(), 1, "{}", ws.read("signed"));
        assert_eq!(objects(), before);

        // refused: nothing is pushed
        lab.sh("rm .ssh/id_sign");
        let before = pushes(&lab);
        let (output, _) = live(&lab, &app());
        assert!(output.stdout.contains("git-signing-broken"), "{output}");
        output.fails(1);
        // one question for write access, which sends no ref
        assert!(pushes(&lab) <= before + 1, "{:#?}", lab.host.sessions());

        // named by the clone: skipped, with the reason
        lab.fresh();
        lab.sh(sign);
        lab.sh("git -C app config gpg.ssh.program /tmp/sign");
        let (_, evidence) = live(&lab, &app());
        assert!(
            evidence.contains("not made: the signing program is named by the clone"),
            "{evidence}"
        );
        assert!(!ws.home().join("signed").exists(), "{}", ws.read("signed"));

        // held by an agent: listed, not used
        lab.fresh();
        lab.sh(sign);
        lab.sh("git config --global --unset gpg.ssh.program; rm -f /tmp/agent
            ssh-agent -a /tmp/agent >/dev/null; SSH_AUTH_SOCK=/tmp/agent ssh-add -q .ssh/id_sign
            rm .ssh/id_sign");
        let (output, evidence) = live(&lab, &app().env("SSH_AUTH_SOCK", "/tmp/agent"));
        output.success();
        assert!(evidence.contains("not made: an agent holds the signing key"), "{evidence}");
    });
}
