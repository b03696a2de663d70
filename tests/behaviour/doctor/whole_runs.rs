//! Runs of the whole doctor: a workspace that works passes, and what was not asked is not checked.

use std::collections::BTreeSet;
use std::path::Path;

use super::table::findings;
use super::{Lab, check, evidence};
use crate::support::{Access, KeyPair, sandbox};

#[test]
fn a_healthy_workspace_is_all_green() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let output = lab.doctor(&[]).run().success();
        let report = output.json();
        assert_eq!(findings(&report), BTreeSet::new(), "{output}");
        assert_eq!(report["overall"], "pass");
        let receipt: serde_json::Value =
            serde_json::from_str(&ws.read(".local/state/pushready/receipt.json")).unwrap();
        assert_eq!(report["provisioned_at"], receipt["provisioned_at"]);
        let list = ws.run(&["doctor", "--list", "--json"]).success().json();
        let checks = list["checks"].as_array().unwrap().iter();
        let asked = checks.filter(|check| {
            check["depth"] != "live" && !check["id"].as_str().unwrap().starts_with("actions.")
        });
        let asked: serde_json::Value = asked.map(|check| check["id"].clone()).collect();
        assert_eq!(report["requested"], asked);
        let passed = |id: &str| {
            let mut checks = report["checks"].as_array().unwrap().iter();
            checks.any(|check| check["id"] == id && check["status"] == "pass")
        };
        for id in [
            "push.write",
            "push.read",
            "ssh.identity",
            "ssh.route",
            "codex.login",
            "claude.login",
            "git.remotes",
        ] {
            assert!(passed(id), "{id} did not pass\n{output}");
        }
        ws.run(&["doctor", "--short"]).success().stdout_has("READY");
        // nothing is repaired, and nothing but the verdict is written
        let before = ws.snapshot();
        lab.doctor(&["--offline"]).run().success();
        let written = before.written(&ws.snapshot());
        assert!(
            written.iter().all(|path| path.ends_with("doctor.json") || path.ends_with("pushready")),
            "{written:?}"
        );
    });
}

/// A format that this git does not know, a GIT_DIR that leads nowhere: every git command fails
/// there.
#[test]
fn a_clone_in_which_git_does_not_work_does_not_pass() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let config = "src/app/.git/config";
        let before = lab.ws.read(config);
        lab.ws
            .git(&["config", "core.repositoryformatversion", "9"])
            .current_dir("src/app")
            .run()
            .success();
        let broken = lab.doctor(&["--offline", "--only", "git"]).run();
        lab.write(config, &before);
        let elsewhere =
            lab.doctor(&["--offline", "--only", "git"]).env("GIT_DIR", "/nowhere").run();
        for (output, code) in [(broken, "git-too-old"), (elsewhere, "git-environment-broken")] {
            let report = output.json();
            assert_eq!(report["overall"], "fail", "{output}");
            let found = findings(&report);
            assert!(found.contains(&("fail".to_owned(), code.to_owned())), "{found:?}");
        }
        lab.doctor(&["--offline", "--only", "git"]).run().success();
    });
}

/// The judgement has its own scenarios; here it is asked through the binary, without network and
/// without a token.
#[test]
fn actions_are_checked_where_they_are_requested() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let codes = |output: &serde_json::Value| -> Vec<(String, String)> {
            let checks = output["checks"].as_array().unwrap().iter();
            checks.map(|check| (check["id"].to_string(), check["code"].to_string())).collect()
        };
        ws.write(
            "src/app/.github/workflows/ci.yml",
            "on: push\njobs:\n  build:\n    runs-on: ubuntu-18.04\n    steps: []\n",
            0o644,
        );
        for arguments in [&["add", ".github"][..], &["commit", "--quiet", "--message", "ci"]] {
            ws.git(arguments).current_dir("src/app").run().success();
        }
        let offline = lab.doctor(&["--offline", "--only", "actions"]).run();
        let said = codes(&offline.json());
        assert!(
            said.contains(&(
                "\"actions.workflow-files\"".into(),
                "\"actions-label-retired\"".into()
            )),
            "{offline}"
        );
        // nothing answers here: that is not a verdict on anybody
        let online = lab.doctor(&["--only", "actions.runs,actions.status-page"]).run().success();
        assert_eq!(online.json()["overall"], "unknown", "{online}");
        // a rate limit is somebody's: not without being asked
        let whole = lab.doctor(&[]).run().json();
        let said: Vec<_> = whole["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["id"] == "actions.runs")
            .collect();
        assert_eq!((said.len(), &said[0]["status"]), (1, &"skip".into()), "{whole}");
        assert!(said[0]["reason"].as_str().unwrap().contains("--only actions"), "{whole}");
        let without = lab.doctor(&["--skip", "actions"]).run().json();
        assert!(codes(&without).iter().all(|(id, _)| !id.starts_with("\"actions.")), "{without}");
    });
}

/// Write access implies read access, and ssh logs which key the server accepted for it: the server is
/// asked about read access, and whose key it is, only where it refuses to be written to.
#[test]
fn a_push_url_is_asked_about_once_where_it_can_be_written() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let asked = |arguments: &[&str], expected: &[&str]| {
            let before = lab.host.sessions().len();
            let report = lab.doctor(arguments).run();
            let sessions = lab.host.sessions().split_off(before);
            let first = |command: &str| command.split(' ').next().unwrap().to_owned();
            let mut verbs: Vec<_> = sessions.iter().map(|it| first(&it.command)).collect();
            verbs.sort();
            assert_eq!(verbs, expected, "{report:#}");
            report
        };
        let only = ["--only", "ssh,push"];
        for arguments in [&only[..], &["--only", "ssh"], &["--only", "push"], &[]] {
            asked(arguments, &["git-receive-pack"]);
        }
        let healthy = asked(&only, &["git-receive-pack"]);
        let (read, identity) = (check(&healthy, "push.read"), check(&healthy, "ssh.identity"));
        assert_eq!((&read["status"], &identity["status"]), (&"pass".into(), &"pass".into()));
        assert!(read["evidence"].to_string().contains("implies"), "{read:#}");
        assert_eq!(evidence(&identity, "accepted key"), lab.key.fingerprint);
        assert_eq!(evidence(&check(&healthy, "push.write"), "accepted key"), lab.key.fingerprint);
        lab.host.refuse_push("acme/app", "ERROR: This repository was archived");
        let refused = asked(&only, &["", "git-receive-pack", "git-upload-pack"]);
        let (read, identity) = (check(&refused, "push.read"), check(&refused, "ssh.identity"));
        assert_eq!((&read["status"], &identity["status"]), (&"pass".into(), &"pass".into()));
        assert!(!read["evidence"].to_string().contains("implies"), "{read:#}");
        assert!(evidence(&identity, "server said").starts_with("Hi acme/app!"), "{identity:#}");
    });
}

/// ssh may push with another key than ours. Nothing that the server says to that key is about ours.
#[test]
fn write_access_by_another_key_proves_nothing_of_ours() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let users = lab.host.user_key("dev", &[("acme/app", Access::Write)]);
        let of_other = lab.host.deploy_key("acme/other", Access::Write);
        let unknown = KeyPair::generate("x");
        users.write_to(Path::new("/tmp/users"));
        let agent =
            "ssh-agent -a /tmp/agent >/dev/null && SSH_AUTH_SOCK=/tmp/agent ssh-add -q /tmp/users";
        ws.sh(agent).run().success();
        let by_agent = "ssh -o IdentityAgent=/tmp/agent -o IdentitiesOnly=no";
        let first = "Host github.com\n\tIdentityFile /tmp/users\n";
        for (how, command, config) in [
            ("an option", Some("ssh -i /tmp/users"), ""),
            ("the agent", Some(by_agent), ""),
            ("an IdentityFile above ours", None, first),
        ] {
            for (ours, status, code) in [
                (&lab.key, "pass", None),
                (&of_other, "fail", Some("ssh-wrong-key")),
                (&unknown, "fail", Some("ssh-key-refused")),
            ] {
                lab.fresh();
                lab.apply().env("PUSHREADY_DEPLOY_KEY", &*ours.private).run().success();
                ws.write(".ssh/config", format!("{config}{}", ws.read(".ssh/config")), 0o600);
                let doctor = lab.doctor(&["--only", "ssh,push"]);
                let doctor = match command {
                    Some(command) => doctor.env("GIT_SSH_COMMAND", command),
                    None => doctor,
                };
                let output = doctor.run();
                let write = check(&output, "push.write");
                // what ssh tries first depends on how it has the other key
                let accepted = evidence(&write, "accepted key");
                assert_eq!(
                    (&write["status"], accepted),
                    (&"pass".into(), &*users.fingerprint),
                    "{how}"
                );
                let identity = check(&output, "ssh.identity");
                assert_eq!(identity["status"], status, "{how}: {identity:#}");
                assert_eq!(identity["code"].as_str(), code, "{how}: {identity:#}");
                assert!(!identity["evidence"].to_string().contains("accepted key"), "{identity:#}");
            }
        }
    });
}
