//! Runs of the whole doctor: a workspace that works passes, and what was not asked is not checked.

use std::collections::BTreeSet;

use super::Lab;
use super::table::findings;
use crate::support::sandbox;

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

/// Write access implies read access: the server is asked about read access only where it refuses to
/// be written to.
#[test]
fn a_push_url_is_asked_about_once_where_it_can_be_written() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let asked = |expected: &[&str]| {
            let before = lab.host.sessions().len();
            let report = lab.doctor(&["--only", "push"]).run().json();
            let sessions = lab.host.sessions().split_off(before);
            let mut verbs: Vec<_> = sessions
                .iter()
                .map(|it| it.command.split(' ').next().unwrap().to_owned())
                .filter(|verb| verb.starts_with("git-"))
                .collect();
            verbs.sort();
            assert_eq!(verbs, expected, "{report:#}");
            let checks = report["checks"].as_array().unwrap().clone();
            checks.into_iter().find(|check| check["id"] == "push.read").unwrap()
        };
        let read = asked(&["git-receive-pack"]);
        assert_eq!(read["status"], "pass");
        assert!(read["evidence"].to_string().contains("implies"), "{read:#}");
        lab.host.refuse_push("acme/app", "ERROR: This repository was archived");
        let read = asked(&["git-receive-pack", "git-upload-pack"]);
        assert_eq!(read["status"], "pass");
        assert!(!read["evidence"].to_string().contains("implies"), "{read:#}");
    });
}
