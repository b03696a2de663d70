//! The ways to start ssh: what git runs here, and what another process of the workspace would get.

use std::collections::BTreeSet;
use std::fs;

use super::table::findings;
use super::{Lab, URL, check, evidence};
use crate::support::{Cmd, Coder, KeyPair, sandbox};

/// Which ssh git starts is reported, and what another process of the workspace would get.
#[test]
fn each_way_to_start_ssh_is_probed() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let coder = Coder::install(None);
        let write = |doctor: Cmd| check(&doctor.run(), "push.write");
        let doctor = || lab.doctor(&["--only", "push"]);
        let reported = |check: &serde_json::Value| {
            let [by, otherwise] =
                ["ssh configured by", "alternative"].map(|label| evidence(check, label).to_owned());
            (check["status"].as_str().unwrap().to_owned(), by, otherwise)
        };
        let expect =
            |status: &str, by: &str, otherwise: &str| (status.into(), by.into(), otherwise.into());
        assert_eq!(reported(&write(doctor())), expect("pass", "", ""));
        let gitssh = coder.git_ssh_command();
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH_COMMAND", &*gitssh))),
            expect("fail", "GIT_SSH_COMMAND", "with plain ssh write access works")
        );
        ws.install("my-ssh", "#!/bin/sh\nexec ssh \"$@\"\n");
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH", "my-ssh"))),
            expect("pass", "GIT_SSH", "with plain ssh write access works")
        );
        // git gives one that knows no options none
        ws.install("simple", "#!/bin/sh\ncase $1 in -*) exit 64;; esac\nexec ssh \"$1\" \"$2\"\n");
        ws.git(&["ls-remote", URL]).env("GIT_SSH", "simple").run().success();
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH", "simple"))),
            expect("pass", "GIT_SSH", "with plain ssh write access works")
        );
        ws.git(&["config", "--global", "core.sshCommand", "false"]).run().success();
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH_COMMAND", "ssh"))),
            expect("pass", "GIT_SSH_COMMAND", "with core.sshCommand write access fails")
        );
        assert_eq!(
            reported(&write(doctor())),
            expect("fail", "core.sshCommand", "with plain ssh write access works")
        );
        // one that plain ssh does no better than is not proven to be at fault
        let elsewhere =
            lab.doctor(&["--only", "push", "--repo", "git@git.nowhere.example:acme/app.git"]);
        let report = elsewhere.env("GIT_SSH_COMMAND", "exit 3;").run().success().json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let silent =
            checks.find(|check| check["id"] == "push.write" && check["subject"] != URL).unwrap();
        assert_eq!(
            (&silent["status"], &silent["code"]),
            (&"unknown".into(), &"push-unrecognized".into())
        );
        let summary = silent["summary"].as_str().unwrap();
        assert!(summary.contains("printed nothing, and ended with status 3"), "{silent}");
        // the clone's own, and what a setting of the user's own says of that clone alone
        lab.fresh();
        ws.git(&["config", "core.sshCommand", "ssh -v"]).current_dir("src/app").run().success();
        assert_eq!(
            reported(&write(doctor())),
            expect("unknown", "core.sshCommand of the clone", "with plain ssh write access works")
        );
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH_COMMAND", "ssh"))),
            expect("pass", "GIT_SSH_COMMAND", "")
        );
    });
}

/// A refused key, or no connection, is the same for both halves of access: the server is asked once,
/// and the two results have one evidence.
#[test]
fn what_keeps_ssh_from_the_server_is_asked_once() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.install("ssh", "#!/bin/sh\necho \"$@\" >>/tmp/asked\nexec /usr/bin/ssh \"$@\"\n");
        let other_host_key = format!("github.com {}", KeyPair::generate("other").public);
        let other_key = KeyPair::generate("stranger");
        for (code, apply) in [
            ("ssh-host-key-changed", lab.apply().env("PUSHREADY_KNOWN_HOSTS", other_host_key)),
            ("ssh-key-refused", lab.apply().env("PUSHREADY_DEPLOY_KEY", &*other_key.private)),
        ] {
            apply.run();
            fs::remove_file("/tmp/asked").ok();
            let output = lab.doctor(&["--only", "push"]).run().fails(1);
            let asked = fs::read_to_string("/tmp/asked").unwrap();
            let count = |verb: &str| asked.lines().filter(|line| line.contains(verb)).count();
            assert_eq!(count("git-upload-pack"), 0, "{code}: {asked}");
            let (read, write) = (check(&output, "push.read"), check(&output, "push.write"));
            assert_eq!((&read["code"], &write["code"]), (&code.into(), &code.into()), "{output}");
            assert_eq!(read["evidence"], write["evidence"], "{code}\n{output}");
            lab.fresh();
        }
    });
}

/// git's rules lead to an alias there, and so does the probe.
#[test]
fn where_ssh_cannot_ask_the_alias_is_probed() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let nologin = |cmd: Cmd| cmd.env("SHELL", "/usr/sbin/nologin");
        nologin(lab.apply()).run().success().stdout_has("host aliases");
        let output = nologin(lab.doctor(&[])).run().success();
        assert_eq!(findings(&output.json()), BTreeSet::new(), "{output}");
        assert_eq!(check(&output, "push.write")["status"], "pass");
        assert_eq!(check(&output, "ssh.route")["status"], "pass");
    });
}
