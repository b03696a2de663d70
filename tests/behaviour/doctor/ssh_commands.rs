//! The ways to start ssh: what git runs here, and what another process of the workspace would get.

use std::collections::BTreeSet;
use std::fs;

use super::table::findings;
use super::{Lab, URL, check, evidence};
use crate::support::{Access, Cmd, Coder, KeyPair, sandbox};

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

/// What a workspace's image often has: ssh then warns, and goes on.
#[test]
fn a_changed_host_key_fails_where_host_keys_are_not_checked() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let off = "StrictHostKeyChecking";
        let file = format!("Host *\n  {off} no\n{}", ws.read(".ssh/config"));
        let command = format!("ssh -o {off}=no -o UserKnownHostsFile=/dev/null");
        let other = format!("github.com {}", KeyPair::generate("other").public);
        for (what, by) in [("the file", "ssh's configuration"), ("the variable", "GIT_SSH_COMMAND")]
        {
            let short = || {
                let doctor = ws.pushready(&["doctor", "--required", "--short"]);
                let doctor = doctor.env("PUSHREADY_REQUIRE", "push:acme/app");
                if what == "the file" { doctor } else { doctor.env("GIT_SSH_COMMAND", &*command) }
            };
            let is_file = what == "the file";
            if is_file {
                ws.write(".ssh/config", &file, 0o600);
            }
            let output = short().run().success();
            output.stdout_has("READY ").stdout_has("ssh-known-hosts-poisoned");
            let doctor = lab.doctor(&["--only", "ssh.known-hosts", "--offline"]);
            let doctor = if is_file { doctor } else { doctor.env("GIT_SSH_COMMAND", &*command) };
            let report = doctor.run().success();
            let known_hosts = report.json()["checks"][0].clone();
            assert_eq!(known_hosts["status"], "warn", "{what}: {report}");
            assert_eq!(evidence(&known_hosts, "configured by"), by, "{what}");
            // another key than the pinned one
            lab.apply().env("PUSHREADY_KNOWN_HOSTS", &*other).run();
            if is_file {
                ws.write(".ssh/config", &file, 0o600);
                ws.git(&["ls-remote", "git@github.com:acme/app.git"]).run().success();
                short().run().fails(1).stdout_has("NOT READY ssh-host-key-changed");
            }
            lab.fresh();
        }
    });
}

/// The time of a run may end before all are asked.
#[test]
fn what_is_required_is_asked_first() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let names: Vec<_> = (10..24).map(|nth| format!("acme/r{nth}")).collect();
        let keys: serde_json::Map<_, _> = names
            .iter()
            .map(|name| {
                lab.host.repository(name);
                let key = lab.host.deploy_key(name, Access::Write);
                (name.clone(), (*key.private).to_owned().into())
            })
            .collect();
        let keys = serde_json::Value::from(keys).to_string();
        lab.apply()
            .env_remove("PUSHREADY_REPOSITORY")
            .env_remove("PUSHREADY_DEPLOY_KEY")
            .env("PUSHREADY_DEPLOY_KEYS", &*keys)
            .run()
            .success();
        ws.install("ssh", "#!/bin/sh\necho \"$@\" >>/tmp/asked\nexec /usr/bin/ssh \"$@\"\n");
        for required in ["acme/r23", "acme/r17"] {
            fs::remove_file("/tmp/asked").ok();
            let doctor = ws.pushready(&["doctor", "--required", "--short"]).current_dir("work");
            let doctor = doctor.env("PUSHREADY_REQUIRE", format!("push:{required}"));
            doctor.run().success().stdout_has("READY");
            let asked = fs::read_to_string("/tmp/asked").unwrap();
            let asked = asked.lines().filter(|it| it.contains("BatchMode") && !it.contains("-G"));
            let asked: Vec<_> = asked.collect();
            let place = asked.iter().position(|it| it.contains(&format!("'{required}.git'")));
            // four at once
            assert!(asked.len() >= names.len() && place.is_some_and(|it| it < 6), "{asked:#?}");
        }
    });
}

/// The key is right, and ssh as well: the rule is what leads away.
#[test]
fn a_rule_that_leads_to_another_server_is_the_cause() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for kind in ["insteadOf", "pushInsteadOf"] {
            for base in ["git@gitlab.com:", "git@github.com-work:"] {
                let key = format!("url.{base}.{kind}");
                ws.git(&["config", "--global", &key, "git@github.com:"]).run().success();
                let doctor = ws.pushready(&["doctor", "--json", "--only", "push"]);
                let output = doctor.run().fails(1);
                let write = check(&output, "push.write");
                assert_eq!(write["code"], "remote-reversed", "{key}: {output}");
                let becomes = evidence(&write, "becomes");
                assert!(becomes.starts_with(base), "{key}: {becomes}");
                if kind == "insteadOf" {
                    let applied = lab.apply().run().fails(1);
                    assert!(!applied.stdout.contains("ssh-route-broken"), "{key}: {applied}");
                }
                lab.fresh();
            }
        }
    });
}
