//! A required item that nothing proved is never ready.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::Lab;
use crate::support::network::resolver;
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
        let offline = "OFFLINE CHECKS PASSED (push not tested)";
        let unknown = "UNKNOWN";
        for (arguments, word) in [
            (&["--offline"][..], offline),
            (&["--only", "codex"], unknown),
            (&["--skip", "push.write"], unknown),
        ] {
            begins(arguments, &format!("{word} push:acme/app (not proven in this run) "));
            doctor(arguments).arg("--strict").run().fails(1);
        }
        begins(&["--only", "push"], "UNKNOWN codex (not proven in this run) ");
        begins(&["--only", "leaks"], "NOTHING REQUIRED WAS CHECKED ");
        let report = doctor(&["--offline", "--json"]).run().success().json();
        assert_eq!(report["required"], "unknown", "{report:#}");
        assert_eq!(report["not_tested"], serde_json::json!(["push:acme/app"]), "{report:#}");
        let text = ws.run(&["doctor", "--only", "codex"]).success();
        text.stdout_has("CHECKS PASSED (push:acme/app not proven)");
        let text = ws.run(&["doctor", "--offline"]).success();
        text.stdout_has(offline);
        doctor(&["--offline"]).run().success().stdout_has(offline);
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

/// That a fault is accepted proves nothing: not of the repository that has it, nor of another one.
#[test]
fn a_required_item_whose_failure_is_accepted_is_not_ready() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let read_only = lab.host.deploy_key("acme/app", Access::Read);
        let apply = lab.apply().env("PUSHREADY_DEPLOY_KEY", &*read_only.private);
        apply.env("PUSHREADY_REQUIRE", "push:acme/app").run().success();
        let doctor = |arguments: &[&str]| {
            let doctor = ws.pushready(&["doctor", "--required"]).args(arguments);
            doctor.env("PUSHREADY_ACCEPT", "push-key-read-only")
        };
        let short = doctor(&["--short"]).run().success();
        let verdict = "UNKNOWN push:acme/app (not proven in this run) · \
                       accepted: push-key-read-only git@github.com:acme/app.git";
        assert!(short.stdout.starts_with(verdict), "{short}");
        doctor(&["--short", "--strict"]).run().fails(1);
        let line = ws.run(&["status", "--line"]).success();
        assert!(line.stdout.starts_with("applied "), "{line}");
        let text = ws.pushready(&["doctor"]).env("PUSHREADY_ACCEPT", "push-key-read-only");
        text.run().success().stdout_has("CHECKS PASSED (push:acme/app not proven)");
        let misspelt = doctor(&["--short"]).env("PUSHREADY_ACCEPT", "push-key-readonly");
        let note = "PUSHREADY_ACCEPT contains no code: `push-key-readonly`";
        misspelt.run().fails(1).stdout_has(note);
    });
}

/// `push:acme/app` fails, and what is not required has the same code.
#[test]
fn status_keeps_a_required_failure_beside_another_one_of_its_code() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let other = lab.host.deploy_key("acme/other", Access::Write);
        let keys =
            format!("{{\"acme/app\": {:?}, \"acme/other\": {:?}}}", lab.key.private, other.private);
        let app = lab.key_file();
        let apply =
            lab.apply().env_remove("PUSHREADY_DEPLOY_KEY").env("PUSHREADY_DEPLOY_KEYS", keys);
        apply.env("PUSHREADY_REQUIRE", "push:acme/app").run().success();
        let folder = ws.home().join(".local/state/pushready/keys");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| *file != ws.home().join(&app)) {
            std::fs::remove_file(file).unwrap();
        }
        lab.write(".local/state/pushready/routes", "");
        let doctor = ws.run(&["doctor", "--required", "--short"]).fails(1);
        doctor.stdout_has("NOT READY ssh-route-broken git@github.com:acme/app.git");
        let status = ws.run(&["status", "--line"]).success();
        let failed = "not ready: ssh-route-broken git@github.com:acme/app.git";
        assert!(status.stdout.starts_with(failed), "{status}");
        ws.run(&["status"]).fails(1);
    });
}

/// A start script may set PUSHREADY_REQUIRE for the doctor alone.
#[test]
fn status_knows_what_was_required_of_the_doctor() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let doctor = |require: &str| {
            let doctor = ws.pushready(&["doctor", "--required", "--short"]);
            doctor.env("PUSHREADY_REQUIRE", require).run()
        };
        let status = || ws.run(&["status", "--line"]).success();
        doctor("push:acme/app,codex").success();
        assert!(status().stdout.starts_with("ready "), "{}", status());
        lab.remove(&lab.key_file());
        let lost = "not ready: ssh-route-broken key acme/app";
        assert!(status().stdout.starts_with(lost), "{}", status());
        doctor("push:acme/other").fails(1).stdout_has("required-missing push:acme/other");
        let missing = "required-missing push:acme/other";
        ws.run(&["status", "--json"]).fails(1).stdout_has(missing);
        // the next apply is what counts
        lab.apply().run().success();
        assert!(status().stdout.starts_with("applied "), "{}", status());
    });
}

/// The state folder is lost, and what it wrote into the home is still there; or somebody logged in.
#[test]
fn a_login_that_is_there_is_not_missing() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let apply = || lab.apply().env("PUSHREADY_REQUIRE", "codex,claude");
        let other = format!("{{\"OPENAI_API_KEY\": \"sk-{}\"}}", "rig".repeat(20));
        std::fs::remove_dir_all(ws.home().join(".local/state/pushready")).unwrap();
        let output = apply().run().success();
        output.stdout_has("the same login was in place");
        ws.pushready(&["apply"]).run().success();
        let doctor = || ws.run(&["doctor", "--required", "--short", "--only", "home,codex,claude"]);
        assert!(doctor().success().stdout.starts_with("READY "), "{}", doctor());
        // of somebody else
        lab.fresh();
        ws.run(&["remove"]).success();
        lab.write(".codex/auth.json", &other);
        let output = apply().run().success().stdout_has("codex-login-not-ours");
        assert!(!output.stdout.contains("required-missing"), "{output}");
        assert!(doctor().success().stdout.starts_with("READY "), "{}", doctor());
        lab.write(".codex/auth.json", "{}");
        ws.run(&["status"]).fails(1).stdout_has("required-missing codex");
        doctor().fails(1);
        // where no login is configured at all
        ws.run(&["remove"]).success();
        lab.remove(".codex/auth.json");
        let key = || lab.apply().env_remove("PUSHREADY_CODEX_AUTH_JSON");
        key().env("PUSHREADY_REQUIRE", "codex").run().fails(1).stdout_has("required-missing codex");
        lab.write(".codex/auth.json", &other);
        key().env("PUSHREADY_REQUIRE", "codex").run().success();
        assert!(doctor().success().stdout.starts_with("READY "), "{}", doctor());
    });
}

/// Of what no waiting corrects, a start script is red.
#[test]
fn a_lasting_fault_is_not_one_of_the_server() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let short = || {
            let doctor = ws.pushready(&["doctor", "--required", "--short", "--only", "ssh,push"]);
            doctor.env("PUSHREADY_REQUIRE", "push:acme/app").run()
        };
        lab.append(".ssh/config", "\nHost *\n  ProxyCommand no-such-program %h %p\n");
        short().fails(1).stdout_has("NOT READY ssh-proxy-failed");
        lab.fresh();
        lab.host.refuse_push("acme/app", "ERROR: words that nobody knows");
        short().fails(1).stdout_has("NOT READY push-unrecognized");
        lab.host.behave("acme/app");
        let words = "fatal: detected dubious ownership in repository at '/srv/git/acme/app.git'";
        lab.host.refuse_push("acme/app", words);
        short().fails(1).stdout_has("NOT READY push-server-error");
    });
}

/// A resolver that was reached, and knows no such name: at the next start it is the same.
#[test]
fn a_required_repository_on_a_host_that_does_not_exist_is_not_ready() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let keys = serde_json::json!({"gihub.com/acme/app": &*lab.key.private}).to_string();
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_DEPLOY_KEYS", keys);
        apply.env("PUSHREADY_REQUIRE", "push:gihub.com/acme/app").run().success();
        let start = |more: &[&str]| {
            let doctor = ws.pushready(&["doctor", "--required", "--short"]).args(more);
            doctor.args(["--only", "ssh,push"]).run()
        };
        // nothing answers at the address that resolv.conf(5) has where it names no other
        start(&[]).success().stdout_has("UNKNOWN ssh-host-unresolved");
        let address = SocketAddr::from(([127, 0, 0, 1], 53));
        resolver::start("nxdomain", address, address.ip());
        start(&[]).fails(1).stdout_has("NOT READY ssh-host-unresolved");
        start(&["--wait", "1"]).fails(1).stdout_has("NOT READY ssh-host-unresolved");
    });
}

/// Logins come with the claim of a prebuilt workspace.
#[test]
fn an_unclaimed_workspace_needs_no_login() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.run(&["remove"]).success();
        let given = |command: crate::support::Cmd, unclaimed: &str| {
            let command = command.env("PUSHREADY_REQUIRE", "push:acme/app,codex,claude");
            command.env("PUSHREADY_UNCLAIMED", unclaimed).run()
        };
        given(lab.apply(), "1").success();
        let doctor = || ws.pushready(&["doctor", "--required", "--short"]);
        let output = given(doctor(), "1").success();
        assert!(output.stdout.starts_with("READY "), "{output}");
        given(doctor(), "0").fails(1).stdout_has("required-missing codex");
    });
}

/// Nothing tells how old a verdict of another clock is.
#[test]
fn a_verdict_of_the_future_is_stale() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.doctor(&[]).run().success();
        let line = || ws.run(&["status", "--line"]).success().stdout;
        assert!(line().starts_with("ready "), "{}", line());
        let path = ".local/state/pushready/doctor.json";
        let mut kept: serde_json::Value =
            serde_json::from_slice(&std::fs::read(ws.home().join(path)).unwrap()).unwrap();
        kept["finished_at"] = "2093-01-01T00:00:00Z".into();
        lab.write(path, &kept.to_string());
        assert!(line().starts_with("applied "), "{}", line());
        assert!(line().contains("stale"), "{}", line());
    });
}

/// What ssh no longer reads of the last apply.
#[test]
fn status_sees_what_is_lost_of_the_routing() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.doctor(&[]).run().success();
        let state = ".local/state/pushready";
        for (file, code) in [
            (format!("{state}/known_hosts"), "ssh-route-broken routing"),
            (format!("{state}/ssh_config"), "ssh-route-broken routing"),
            (".ssh/config".to_owned(), "ssh-route-broken routing"),
        ] {
            lab.remove(&file);
            let status = ws.run(&["status", "--line"]).success();
            assert!(status.stdout.starts_with(&format!("not ready: {code}")), "{file}: {status}");
            lab.apply().run().success();
            let status = ws.run(&["status", "--line"]).success();
            assert!(!status.stdout.contains(code), "{file}: {status}");
        }
    });
}
