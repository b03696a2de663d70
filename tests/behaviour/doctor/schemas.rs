//! What `--json` of apply, remove and status prints is of its schema: ready, failing, dry,
//! interrupted by an error.

use serde_json::{Value, json};

use super::{Lab, document, token};
use crate::support::{Cmd, Output, sandbox, schema};

#[track_caller]
fn is_of(name: &str, output: &Output) -> Value {
    let document = output.json();
    assert_eq!(schema::fault(name, &document), None, "{output}");
    document
}

#[test]
fn documents_of_apply_and_remove() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let check = |command: Cmd, status: i32| {
            is_of("apply-remove", &command.arg("--json").run().fails(status))
        };
        let remove = |arguments: &[&str]| ws.pushready(&["remove"]).args(arguments);
        check(lab.apply().arg("--dry-run"), 0);
        let ready = check(lab.apply(), 0);
        // refused, accepted, unclaimed
        let bad = || lab.apply().env("PUSHREADY_DEPLOY_KEY", "no key");
        check(bad(), 1);
        let accepted = check(bad().env("PUSHREADY_ACCEPT", "key-malformed"), 0);
        assert!(accepted["items"].as_array().unwrap().iter().any(|item| item["accepted"] == true));
        let unclaimed = check(bad().env("PUSHREADY_UNCLAIMED", "1"), 0);
        assert_eq!(unclaimed["unclaimed"], true);
        lab.write(
            ".codex/auth.json",
            &lab.seed.clone().of_account(crate::support::fake_auth::OTHER_ACCOUNT).json(),
        );
        let warned = check(lab.apply(), 0);
        assert!(
            warned["items"].as_array().unwrap().iter().any(|item| item["status"] == "warn"),
            "{warned:#}"
        );
        // a home that cannot be used is a result; an object that is none, and words that are none,
        // are errors
        check(lab.apply().env("HOME", "/nowhere"), 1);
        let failed = check(lab.apply().arg("--stdin").stdin("no object"), 2);
        assert!(failed["error"]["message"].is_string(), "{failed:#}");
        check(ws.pushready(&["apply", "--nonsense"]), 2);
        lab.fresh();
        check(remove(&["--dry-run"]), 0);
        check(remove(&["--keep-logins"]), 0);
        ws.set_mode(".claude", 0o777);
        check(remove(&[]), 1);
        ws.set_mode(".claude", 0o700);
        check(remove(&[]), 0);
        check(remove(&[]), 0);
        check(remove(&[]).env("HOME", "/nowhere"), 1);
        // a schema that takes anything would judge nothing
        let spoilt = |spoil: fn(&mut Value)| {
            let mut document = ready.clone();
            spoil(&mut document);
            assert!(schema::fault("apply-remove", &document).is_some(), "{document:#}");
        };
        spoilt(|document| drop(document.as_object_mut().unwrap().remove("items")));
        spoilt(|document| document["ready"] = false.into());
        spoilt(|document| document["command"] = "status".into());
        spoilt(|document| document["items"][0]["status"] = "unknown".into());
        spoilt(|document| document["items"][0]["code"] = "key-weak".into());
        spoilt(|document| {
            document["changes"] = json!([{"path": "~/x", "action": "burn", "done": true}]);
        });
    });
}

#[test]
fn documents_of_status() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let check = |status: i32| is_of("status", &ws.run(&["status", "--json"]).fails(status));
        assert_eq!(check(0)["doctor"], Value::Null);
        lab.doctor(&["--offline"]).run().success();
        let ready = check(0);
        assert_eq!(ready["doctor"]["overall"], "pass");
        // since then, in a run of a few checks
        lab.doctor(&["--offline", "--only", "codex"]).env("CODEX_API_KEY", "x").run().fails(1);
        assert_eq!(check(1)["failed_since"][0]["code"], "codex-env-override");
        // for now, and not required
        let doctor = |ssh: &str| {
            let doctor = lab.doctor(&["--required"]).env("PUSHREADY_REQUIRE", "push:acme/app");
            doctor.env("ANTHROPIC_API_KEY", "x").env("GIT_SSH_COMMAND", ssh)
        };
        doctor("ssh -p 9").run().success();
        let reported = check(0);
        assert_eq!(reported["unproven"], json!(["ssh-port-blocked git@github.com:acme/app.git"]));
        assert_eq!(reported["not_required"], json!(["claude-auth-conflict ANTHROPIC_API_KEY"]));
        lab.apply()
            .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/other": token()}).to_string())
            .run()
            .fails(1);
        check(0);
        ws.run(&["remove"]).success();
        assert_eq!(check(1)["not_ready"], json!(["not-provisioned"]));
        let nowhere = ws.pushready(&["status", "--json"]).env("HOME", "/nowhere").run().fails(1);
        assert!(is_of("status", &nowhere)["error"].is_object());
        is_of("status", &ws.run(&["status", "--json", "--nonsense"]).fails(2));
        let spoilt = |spoil: fn(&mut Value)| {
            let mut document = ready.clone();
            spoil(&mut document);
            assert!(schema::fault("status", &document).is_some(), "{document:#}");
        };
        spoilt(|document| document["ready"] = false.into());
        spoilt(|document| document["not_ready"] = json!(["codex-auth-missing codex"]));
        spoilt(|document| drop(document.as_object_mut().unwrap().remove("unproven")));
        spoilt(|document| document["doctor"]["checks"][0]["status"] = "fine".into());
    });
}

/// The first check that ended so.
fn first<'a>(report: &'a mut serde_json::Value, status: &str) -> &'a mut serde_json::Value {
    let checks = report["checks"].as_array_mut().unwrap();
    checks.iter_mut().find(|check| check["status"] == status).unwrap()
}

/// The schema that is shipped is the judge of what is printed: of a report with every kind of
/// status in it.
#[test]
fn the_report_is_of_its_schema() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.append(".ssh/config", "NoSuchOption yes\n");
        let reports = [
            lab.doctor(&[]).env("ANTHROPIC_API_KEY", "x").env("CODER_SESSION_TOKEN", "x").run(),
            lab.doctor(&["--offline", "--only", "codex"]).env_remove("HOME").run(),
            lab.doctor(&["--only", "home"]).env("CODEX_SANDBOX_NETWORK_DISABLED", "1").run(),
            ws.run(&["doctor", "--json", "--offline"]),
            // nothing can be looked at, which is reported in the same form
            lab.doctor(&[]).env("HOME", "/nowhere").run().fails(1),
        ];
        for report in reports {
            assert_eq!(document::faults(&report.json()), Vec::<String>::new(), "{report}");
        }
        // a schema that takes anything would judge nothing
        let good = ws.run(&["doctor", "--json", "--offline"]).json();
        let spoilt = |spoil: fn(&mut serde_json::Value)| {
            let mut report = good.clone();
            spoil(&mut report);
            assert!(schema::fault("doctor", &report).is_some(), "{report:#}");
        };
        // an error alone replaces the checks
        spoilt(|report| drop(report.as_object_mut().unwrap().remove("checks")));
        spoilt(|report| first(report, "pass")["code"] = "home-unset".into());
        spoilt(|report| first(report, "pass")["reason"] = "none".into());
        spoilt(|report| first(report, "skip")["reason"] = serde_json::Value::Null);
        spoilt(|report| first(report, "fail")["fix"] = serde_json::Value::Null);
        spoilt(|report| {
            first(report, "fail")["fix"] = serde_json::json!({"kind": "run", "message": "x"});
        });
        spoilt(|report| {
            first(report, "fail")["fix"] =
                serde_json::json!({"kind": "visit", "message": "x", "path": "/"});
        });
        spoilt(|report| {
            first(report, "fail")["fix"] =
                serde_json::json!({"kind": "edit", "message": "x", "argv": ["x"]});
        });
    });
}
