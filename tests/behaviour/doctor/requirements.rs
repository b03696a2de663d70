//! A required item that nothing proved is never ready.

use std::collections::BTreeSet;

use super::Lab;
use crate::support::{Access, GitHost, KeyPair, Output, sandbox};

/// Dotfiles in `~/.git`: apply refuses to write secrets into a work tree. What it refused about one
/// thing is not dropped because a check found the same code about another.
#[test]
fn a_required_push_that_apply_refused_is_not_ready() {
    sandbox(|ws| {
        let host = GitHost::start();
        ws.git(&["init", "--quiet", "/home/coder"]).run().success();
        let key = KeyPair::generate("x");
        let apply = ws
            .pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "o/app")
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]));
        apply.run().fails(1).stdout_has("home-unsafe-place");
        for depth in [&[][..], &["--offline"]] {
            let doctor = ws.pushready(&["doctor", "--required", "--short"]).args(depth);
            let output = doctor.env("PUSHREADY_REQUIRE", "push:o/app").run().fails(1);
            assert!(output.stdout.starts_with("NOT READY home-unsafe-place key o/app"), "{output}");
        }
        // no login is configured, and none exists
        let report = ws.run(&["doctor", "--json", "--offline"]).fails(1).json();
        for id in ["codex.login", "claude.login"] {
            let mut checks = report["checks"].as_array().unwrap().iter();
            let check = checks.find(|check| check["id"] == id).unwrap();
            assert_eq!(check["status"], "skip", "{check:#}");
        }
    });
}

#[test]
fn a_required_push_that_was_not_tested_is_not_ready() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.apply().env("PUSHREADY_REQUIRE", "codex,push:acme/app").run().success();
        let doctor = |arguments: &[&str]| ws.pushready(&["doctor", "--required"]).args(arguments);
        let begins = |arguments: &[&str], verdict: &str| {
            let output = doctor(arguments).arg("--short").run().success();
            assert!(output.stdout.starts_with(verdict), "{output}");
        };
        begins(&[], "READY ");
        for arguments in [&["--offline"][..], &["--only", "codex"], &["--skip", "push.write"]] {
            begins(arguments, "UNKNOWN push:acme/app (not tested in this run) ");
            doctor(arguments).arg("--strict").run().fails(1);
        }
        begins(&["--only", "push"], "UNKNOWN codex (not tested in this run) ");
        begins(&["--only", "leaks"], "NOTHING REQUIRED WAS CHECKED ");
        let report = doctor(&["--offline", "--json"]).run().success().json();
        assert_eq!(report["required"], "unknown", "{report:#}");
        assert_eq!(report["not_tested"], serde_json::json!(["push:acme/app"]), "{report:#}");
        let text = ws.run(&["doctor", "--only", "codex"]).success();
        text.stdout_has("CHECKS PASSED (push:acme/app not tested)");
        let text = ws.run(&["doctor", "--offline"]).success();
        text.stdout_has("OFFLINE CHECKS PASSED (push not tested)");
    });
}

/// What cannot be read is never met.
#[test]
fn a_required_push_of_what_names_no_repository_is_not_ready() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.apply().run().success();
        for require in ["push:acme/app;codex", "push:", "push:*", "push:acme/*"] {
            for depth in [&[][..], &["--offline"]] {
                let doctor = ws.pushready(&["doctor", "--required", "--short"]).args(depth);
                let output = doctor.env("PUSHREADY_REQUIRE", require).run().fails(1);
                let verdict = format!("NOT READY required-missing {require}");
                assert!(output.stdout.starts_with(&verdict), "{output}");
            }
        }
    });
}

/// No wait of the doctor makes good what apply left undone.
#[test]
fn what_apply_could_not_write_for_a_lock_is_not_transient() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.run(&["remove"]).success();
        lab.append(".gitconfig.lock", "");
        lab.apply().run().fails(1).stdout_has("home-file-locked");
        let doctor = ws.pushready(&["doctor", "--required", "--short"]);
        let output = doctor.env("PUSHREADY_REQUIRE", "push:acme/app").run().fails(1);
        assert!(output.stdout.starts_with("NOT READY "), "{output}");
        assert!(output.stdout.contains("home-file-locked routing"), "{output}");
    });
}

/// A start script is red for what is required alone, and not because the forge has a bad day.
#[test]
fn only_what_is_required_is_red() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let read_only = lab.host.deploy_key("acme/app", Access::Read);
        let apply = || lab.apply().env("PUSHREADY_DEPLOY_KEY", &*read_only.private);
        apply().run().success();
        let short = |require: &str| {
            let doctor =
                ws.pushready(&["doctor", "--required", "--short", "--only", "home,codex,ssh,push"]);
            doctor.env("PUSHREADY_REQUIRE", require)
        };
        let begins = |output: &Output, verdict: &str| {
            assert!(
                output.stdout.starts_with(verdict) && output.stdout.lines().count() == 1,
                "{output}"
            );
        };
        let fault = "push-key-read-only git@github.com:acme/app.git";
        let output = short("codex").run().success().stdout_has(&format!("not required: {fault}"));
        begins(&output, "READY not required");
        let output = short("codex,push:Acme/App").run().fails(1);
        begins(&output, &format!("NOT READY {fault} (give the deploy key write access"));
        let output = short("").run().success().stdout_has(fault);
        begins(&output, "NOTHING REQUIRED WAS CHECKED");
        // what the receipt requires counts in a shell without the variable
        apply().env("PUSHREADY_REQUIRE", "push:acme/app").run().success();
        ws.run(&["doctor", "--required", "--short"]).fails(1);

        // nothing listens there
        let unreachable = |require: &str| short(require).env("GIT_SSH_COMMAND", "ssh -p 9");
        let output = unreachable("push:acme/app").run().success();
        begins(&output, "UNKNOWN ssh-port-blocked git@github.com:acme/app.git");
        // reading and writing fail by one fault: it is reported once
        assert_eq!(output.stdout.matches("ssh-port-blocked").count(), 1, "{output}");
        let text = ws.pushready(&["doctor"]).env("GIT_SSH_COMMAND", "ssh -p 9").run().fails(1);
        assert_eq!(text.stdout.matches("FAIL     ssh-port-blocked").count(), 1, "{text}");
        assert!(text.stdout.contains("checks: push.read, push.write"), "{text}");
        begins(&unreachable("codex").run().success(), "READY");
        unreachable("push:acme/app").arg("--strict").run().fails(1);

        // and so does the last verdict, by which a probe takes agents out of service
        let doctor = |require: &str, ssh: &str| {
            let doctor = ws
                .pushready(&["doctor", "--required", "--short"])
                .env("PUSHREADY_REQUIRE", require);
            doctor.env("GIT_SSH_COMMAND", ssh).run()
        };
        let fails = |list: &str, what: &str| {
            let output = ws.run(&["status", "--json"]);
            let json = output.json();
            assert_eq!(json["ready"], list != "not_ready", "{output}");
            assert!(json[list].as_array().unwrap().iter().any(|item| item == what), "{output}");
        };
        let blocked = "ssh-port-blocked git@github.com:acme/app.git";
        doctor("push:acme/app", "ssh -p 9").success();
        fails("unproven", blocked);
        ws.run(&["status"]).success().stdout_has(&format!(" · unproven: {blocked}"));
        apply().env("PUSHREADY_REQUIRE", "codex").run().success();
        doctor("codex", "ssh").success();
        fails("not_required", fault);
        ws.run(&["status"]).success().stdout_has(&format!("ready · not required: {fault}"));
        doctor("push:acme/app", "ssh").fails(1);
        fails("not_ready", fault);
        ws.run(&["status"]).fails(1);

        let report = short("codex").arg("--json").run();
        assert_eq!(
            report.status.code(),
            Some(2),
            "--short and --json exclude each other: {report}"
        );
        let json =
            lab.doctor(&["--required"]).env("PUSHREADY_REQUIRE", "codex").run().success().json();
        assert_eq!((&json["overall"], &json["required"]), (&"fail".into(), &"pass".into()));
        let required = |check: &&serde_json::Value| check["required"] == true;
        let checks = json["checks"].as_array().unwrap().iter().filter(required);
        let areas: BTreeSet<_> =
            checks.map(|check| check["id"].as_str().unwrap().split('.').next()).collect();
        assert_eq!(areas, BTreeSet::from([Some("codex"), Some("home")]));
    });
}
