//! A required item that nothing proved is never ready.

use super::Lab;
use crate::support::{GitHost, KeyPair, sandbox};

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
