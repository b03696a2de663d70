//! apply, status and doctor hold to one rule: 0 where everything that is configured is there, 1
//! where something is not, named alike. What they may differ in is how they come to know it.

use std::fs;

use serde_json::json;

use super::{Lab, token};
use crate::support::{Cmd, Output, fake_auth, sandbox};

/// What is wrong with a workspace that was provisioned.
struct Row {
    code: &'static str,
    /// As apply names it.
    item: &'static str,
    breaks: fn(&Lab),
    apply: fn(&Lab) -> Cmd,
}

/// In a shell that has none of the template's variables.
fn bare(lab: &Lab) -> Cmd {
    lab.ws.pushready(&["apply"])
}

const BLANK: &str = r#"{"claudeAiOauth":{"accessToken":"","expiresAt":0,"refreshToken":""}}"#;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { code: "codex-auth-missing", item: "codex", breaks: |lab| lab.remove(".codex/auth.json"), apply: |lab| lab.apply() },
    Row { code: "codex-auth-missing", item: "codex", breaks: |lab| lab.remove(".codex/auth.json"), apply: bare },
    Row {
        code: "codex-auth-clobbered", item: "codex", apply: bare,
        breaks: |lab| {
            lab.write(".codex/auth.json", fake_auth::module_stub());
            fs::remove_dir_all(lab.ws.home().join(".local/state/pushready/codex")).unwrap();
        },
    },
    Row {
        code: "claude-token-missing", item: "claude", apply: bare,
        breaks: |lab| lab.remove(".claude/.credentials.json"),
    },
    Row {
        code: "claude-auth-blanked", item: "claude", apply: bare,
        breaks: |lab| lab.write(".claude/.credentials.json", BLANK),
    },
    Row {
        code: "home-unsafe-place", item: "claude", apply: |lab| lab.apply(),
        breaks: |lab| lab.ws.set_mode(".claude", 0o777),
    },
    Row {
        code: "claude-token-expired", item: "claude", breaks: |_| {},
        apply: |lab| lab.apply().env("PUSHREADY_CLAUDE_TOKEN_CREATED", "2024-01-31"),
    },
    Row {
        code: "key-malformed", item: "key acme/other", breaks: |_| {},
        apply: |lab| {
            let keys = json!({"acme/app": lab.key.private, "acme/other": "no key"}).to_string();
            lab.apply().env_remove("PUSHREADY_DEPLOY_KEY").env("PUSHREADY_DEPLOY_KEYS", keys)
        },
    },
    Row {
        code: "required-missing", item: "push:acme/other", breaks: |_| {},
        apply: |lab| lab.apply().env("PUSHREADY_REQUIRE", "push:acme/other"),
    },
    Row {
        code: "git-config-invalid", item: "git", apply: |lab| lab.apply(),
        breaks: |lab| lab.append(".gitconfig", "[broken\n"),
    },
    Row {
        code: "git-config-invalid", item: "clone ~/src/app", apply: |lab| lab.apply(),
        breaks: |lab| lab.append("src/app/.git/config", "[broken\n"),
    },
    Row {
        code: "remote-reversed", item: "remotes", apply: |lab| lab.apply(),
        breaks: |lab| {
            let rule = "[url \"https://github.com/acme/app.git\"]\n\tinsteadOf = git@github.com:acme/app.git\n";
            lab.append("src/app/.git/config", rule);
        },
    },
];

#[test]
fn apply_status_and_doctor_agree() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let doctor = || lab.doctor(&["--offline"]);
        let status = || ws.pushready(&["status", "--json"]);
        for whole in [lab.apply(), doctor(), status()] {
            whole.run().success();
        }
        for Row { code, item, breaks, apply } in ROWS {
            lab.fresh();
            breaks(&lab);
            let by_apply = apply(&lab).run().fails(1);
            assert!(by_apply.stdout.contains(&format!("FAIL     {code} {item}: ")), "{by_apply}");
            let in_status = |when: &str| {
                let output = status().run().fails(1);
                let reported = &output.json()["not_ready"];
                let (own, others): (Vec<_>, Vec<_>) = reported
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|line| line.as_str().unwrap())
                    .partition(|line| *line == format!("{code} {item}"));
                assert_eq!(own.len(), 1, "{code} {item} {when}\n{output}");
                assert!(
                    others.iter().all(|line| line.starts_with(code)),
                    "{code} {item} {when}\n{output}"
                );
                output
            };
            let output = in_status("before the doctor");
            // what is lost is not there, whoever minds
            let lost = |output: &Output, login: &str| output.json()[login] == false;
            for login in ["codex", "claude"] {
                let gone = item == &login && (code.ends_with("missing") || code.contains("auth-"));
                assert!(!gone || lost(&output, login), "{code} {item}\n{output}");
                assert!(item == &login || !lost(&output, login), "{code} {item}\n{output}");
            }
            let output = doctor().run().fails(1);
            let report = output.json();
            let mut checks = report["checks"].as_array().unwrap().iter();
            assert!(
                checks.any(|check| check["code"] == *code && check["status"] == "fail"),
                "{code} {item}\n{output}"
            );
            in_status("after the doctor");
            // accepted, it fails nowhere
            lab.fresh();
            breaks(&lab);
            for step in [apply(&lab), status(), doctor(), status()] {
                step.env("PUSHREADY_ACCEPT", *code).run().success();
            }
        }
    });
}

/// Who asked the doctor for what is required alone is answered so by status as well, whoever found
/// the rest.
#[test]
fn what_apply_refused_and_is_not_required_is_listed_apart() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let keys = json!({"acme/app": lab.key.private, "acme/other": "no key"}).to_string();
        let apply =
            lab.apply().env_remove("PUSHREADY_DEPLOY_KEY").env("PUSHREADY_DEPLOY_KEYS", keys);
        apply.env("PUSHREADY_REQUIRE", "push:acme/app,claude").run().fails(1);
        lab.remove(".codex/auth.json");
        let doctor = || lab.doctor(&["--offline", "--required"]);
        doctor().run().success();
        let report = ws.run(&["status", "--json"]).success().json();
        assert_eq!(report["not_ready"], json!([]), "{report}");
        assert_eq!(
            report["not_required"],
            json!(["key-malformed key acme/other", "codex-auth-missing codex"]),
            "{report}"
        );
        lab.remove(".claude/.credentials.json");
        ws.run(&["status"]).fails(1).stdout_has("not ready: claude-token-missing claude");
        doctor().run().fails(1);
        lab.write(
            ".claude/.credentials.json",
            &json!({"claudeAiOauth": {"accessToken": token()}}).to_string(),
        );
        // who asks for all hears of all
        lab.doctor(&["--offline"]).run().fails(1);
        ws.run(&["status"]).fails(1).stdout_has("not ready: key-malformed key acme/other");
    });
}

/// A run of a few checks is not a whole verdict, and what it found to fail is not forgotten for that.
#[test]
fn a_failure_of_a_partial_run_is_kept_until_it_is_checked_again() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let blocked = "remote-still-https git@github.com:acme/app.git (origin in ~/src/app)";
        let status = || ws.run(&["status"]);
        let line = |what: &str| {
            ws.run(&["status", "--line"]).success().stdout_has(what);
        };
        let git = |url: &str| {
            ws.git(&["remote", "set-url", "origin", url]).current_dir("src/app").run().success();
        };
        let (good, bad) = ("git@github.com:acme/app.git", "https://github.com/Acme/App");
        let part = || lab.doctor(&["--offline", "--only", "git"]);
        status().success().stdout_has("not checked yet");
        git(bad);
        part().run().fails(1);
        let reported = status()
            .fails(1)
            .stdout_has(&format!("not ready: {blocked}"))
            .stdout_has("checked in part ");
        assert!(!reported.stdout.contains("checked yet"), "{reported}");
        line(&format!("not ready: {blocked}"));
        let json = ws.run(&["status", "--json"]).fails(1).json();
        assert_eq!(
            (&json["not_ready"], &json["doctor"]),
            (&json!([blocked]), &json!(null)),
            "{json}"
        );
        assert_eq!(json["failed_since"][0]["id"], "git.remotes", "{json}");
        // another part says nothing of it, and the same part does
        lab.doctor(&["--offline", "--only", "codex"]).run().success();
        status().fails(1);
        git(good);
        part().run().success();
        let reported = status().success();
        assert!(
            reported.stdout.contains("not checked yet"),
            "a part that passes proves no whole\n{reported}"
        );

        // the whole verdict stays beside it
        lab.doctor(&["--offline"]).run().success();
        git(bad);
        part().run().fails(1);
        let json = ws.run(&["status", "--json"]).fails(1).json();
        assert_eq!(
            (&json["not_ready"], &json["doctor"]["overall"]),
            (&json!([blocked]), &json!("pass"))
        );
        git(good);
        lab.doctor(&["--offline"]).run().success();
        status().success();
        // what is not required is not a failure of a run for what is
        git(bad);
        part().arg("--required").run().success();
        status().success().stdout_has(&format!(" · not required: {blocked}"));
        // accepted, it is none
        part().env("PUSHREADY_ACCEPT", "remote-still-https").run().success();
        let reported = status().success();
        assert!(!reported.stdout.contains("remote-still-https"), "{reported}");
    });
}

/// What only the network showed is not proven away by a look at the files.
#[test]
fn a_failure_is_kept_until_a_run_of_the_same_depth_checks_again() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let refused = "push-repository-not-found git@github.com:acme/app.git";
        let status = || ws.run(&["status"]);
        lab.host.refuse_push("acme/app", "ERROR: Repository not found.");
        lab.doctor(&[]).run().fails(1);
        status().fails(1).stdout_has(refused);
        lab.doctor(&["--offline"]).run().success();
        let reported = status().fails(1).stdout_has(&format!("not ready: {refused}")).stdout;
        lab.doctor(&["--offline"]).run().success();
        assert_eq!(status().fails(1).stdout, reported, "and no more often than once");
        lab.doctor(&["--offline", "--only", "git"]).run().success();
        status().fails(1);
        // nor by one that ended unknown
        lab.host.behave("acme/app");
        lab.host.hang("acme/app");
        lab.doctor(&["--only", "push.write"]).run();
        status().fails(1).stdout_has(refused);
        // nor by a look at another repository
        lab.host.behave("acme/app");
        lab.host.repository("acme/public");
        lab.doctor(&["--only", "git,home"]).run().success();
        status().fails(1);
        lab.doctor(&[]).run().success();
        status().success();
        // a few checks update a whole verdict as far as they go
        lab.host.refuse_push("acme/app", "ERROR: Repository not found.");
        lab.doctor(&[]).run().fails(1);
        status().fails(1);
        lab.host.behave("acme/app");
        lab.doctor(&["--only", "push"]).run().success();
        status().success();
        lab.host.refuse_push("acme/app", "ERROR: Repository not found.");
        lab.doctor(&["--only", "push"]).run().fails(1);
        status().fails(1);
    });
}
