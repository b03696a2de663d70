//! The ways to start ssh: what git runs here, and what another process of the workspace would get.

use std::collections::BTreeSet;

use super::table::findings;
use super::{Lab, URL, check, evidence};
use crate::support::{Cmd, Coder, sandbox};

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
            expect("fail", "GIT_SSH_COMMAND", "with plain ssh it works")
        );
        ws.install("my-ssh", "#!/bin/sh\nexec ssh \"$@\"\n");
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH", "my-ssh"))),
            expect("pass", "GIT_SSH", "with plain ssh it works")
        );
        // git gives one that knows no options none
        ws.install("simple", "#!/bin/sh\ncase $1 in -*) exit 64;; esac\nexec ssh \"$1\" \"$2\"\n");
        ws.git(&["ls-remote", URL]).env("GIT_SSH", "simple").run().success();
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH", "simple"))),
            expect("pass", "GIT_SSH", "with plain ssh it works")
        );
        ws.git(&["config", "--global", "core.sshCommand", "false"]).run().success();
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH_COMMAND", "ssh"))),
            expect("pass", "GIT_SSH_COMMAND", "with core.sshCommand it does not work")
        );
        assert_eq!(
            reported(&write(doctor())),
            expect("fail", "core.sshCommand", "with plain ssh it works")
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
            expect("unknown", "core.sshCommand of the clone", "with plain ssh it works")
        );
        assert_eq!(
            reported(&write(doctor().env("GIT_SSH_COMMAND", "ssh"))),
            expect("pass", "GIT_SSH_COMMAND", "")
        );
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
