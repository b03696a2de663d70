//! Several faults of one check are several results, each with a name of its own: nothing is lost to
//! a reader that keys on it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{Lab, document};
use crate::support::{Cmd, Output, sandbox, schema};

/// The results of one check: (subject, code).
fn reported(output: &Output, id: &str) -> BTreeSet<(String, String)> {
    let report = output.json();
    assert_eq!(document::faults(&report), Vec::<String>::new(), "{output}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id);
    checks.map(|check| (text(&check["subject"]), text(&check["code"]))).collect()
}

#[track_caller]
fn expect(output: &Output, id: &str, expected: &[(&str, &str)]) {
    let expected = expected
        .iter()
        .map(|(subject, code)| ((*subject).to_owned(), (*code).to_owned()))
        .collect();
    assert_eq!(reported(output, id), expected, "{output}");
}

#[test]
fn several_faults_of_one_check_are_separate_results() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.write(
            ".codex/config.toml",
            "forced_login_method = \"api\"\ncli_auth_credentials_store = \"keyring\"\nmodel_provider = \"ollama\"\n",
        );
        let bedrock = |doctor: Cmd| {
            doctor
                .env("CLAUDE_CODE_USE_BEDROCK", "1")
                .env("ANTHROPIC_AUTH_TOKEN", "x")
                .env("ANTHROPIC_BASE_URL", "http://e")
        };
        for file in [".codex/auth.json", ".claude/.credentials.json"] {
            ws.set_mode(file, 0o644);
        }
        let claude = ws
            .read(".claude.json")
            .replace("\"hasCompletedOnboarding\": true", "\"primaryApiKey\": \"x\"");
        lab.write(".claude.json", &claude);
        let output = bedrock(lab.doctor(&["--offline"])).run().fails(1);
        expect(
            &output,
            "codex.config",
            &[
                ("forced_login_method", "codex-forced-login"),
                ("cli_auth_credentials_store", "codex-store-not-file"),
                ("model_provider", "codex-provider-bypass"),
            ],
        );
        expect(
            &output,
            "claude.environment",
            &[
                ("CLAUDE_CODE_USE_BEDROCK", "claude-provider-bypass"),
                ("ANTHROPIC_AUTH_TOKEN", "claude-auth-conflict"),
                ("ANTHROPIC_BASE_URL", "claude-token-sent-elsewhere"),
            ],
        );
        expect(
            &output,
            "claude.config",
            &[
                ("hasCompletedOnboarding", "claude-onboarding-incomplete"),
                ("primaryApiKey", "claude-auth-conflict"),
            ],
        );
        expect(
            &output,
            "leaks.files",
            &[
                ("~/.codex/auth.json", "leak-file-mode"),
                ("~/.claude/.credentials.json", "leak-file-mode"),
            ],
        );
    });
}

/// Of a key the best source counts; lines of known_hosts are taken from all, and each is to be
/// fixed in its own place.
#[test]
fn what_is_refused_goes_by_its_source_where_there_are_several() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.write(".config/pushready/seed/deploy-keys/github.com/acme/app", "no key", 0o600);
        ws.write(".config/pushready/seed/known_hosts", "no line\n", 0o600);
        let given = |cmd: Cmd| {
            cmd.env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": "no key"}).to_string())
                .env("PUSHREADY_DEPLOY_KEY", "no key")
                .env("PUSHREADY_REPOSITORY", "acme/app")
                .env("PUSHREADY_KNOWN_HOSTS", "no line")
                .env("PUSHREADY_REQUIRE", "foo,foo")
        };
        let items = [
            ("key acme/app", "key-malformed"),
            ("known_hosts", "ssh-host-key-unknown"),
            ("known_hosts (~/.config/pushready/seed/known_hosts)", "ssh-host-key-unknown"),
            ("foo", "required-missing"),
        ];
        let output = given(lab.doctor(&["--offline"])).run().fails(1);
        let whole = [&items[..], &[("", "")]].concat();
        expect(&output, "home.provisioned", &whole);
        let apply =
            given(lab.apply().env_remove("PUSHREADY_CODEX_AUTH_JSON")).arg("--json").run().fails(1);
        let report = apply.json();
        assert_eq!(schema::fault("apply-remove", &report), None, "{apply}");
        let failed =
            report["items"].as_array().unwrap().iter().filter(|item| item["status"] == "fail");
        let mut failed: Vec<_> = failed
            .map(|item| (item["subject"].as_str().unwrap(), item["code"].as_str().unwrap()))
            .collect();
        failed.sort_unstable();
        let mut expected = items;
        expected.sort_unstable();
        assert_eq!(failed, expected, "{apply}");
        // the receipt knows them by the same names
        fs::remove_dir_all(ws.home().join(".config/pushready")).unwrap();
        expect(&lab.doctor(&["--offline"]).run().fails(1), "home.provisioned", &whole);
    });
}

#[test]
fn a_remote_goes_by_its_clone() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.cmd("cp").args(["-a", "src/app", "src/two"]).run().success();
        for clone in ["src/app", "src/two"] {
            let add = ["remote", "add", "ported", "git@github.com:22/acme/app.git"];
            ws.git(&add).current_dir(clone).run().success();
        }
        let output = lab.doctor(&["--offline", "--all"]).run().success();
        expect(
            &output,
            "git.remotes",
            &[
                ("git@github.com:acme/app.git (origin in ~/src/app)", ""),
                ("git@github.com:acme/app.git (origin in ~/src/two)", ""),
                ("git@github.com:22/acme/app.git (ported in ~/src/app)", "remote-port-in-path"),
                ("git@github.com:22/acme/app.git (ported in ~/src/two)", "remote-port-in-path"),
            ],
        );
    });
}

/// Whoever wrote the clone's configuration chose the names of its remotes.
#[test]
fn an_odd_name_of_a_remote_is_evidence_and_no_subject() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let (bell, long) = ("\u{1b}]0;pwned\u{7}", "x".repeat(65));
        for name in [bell, &long] {
            lab.append(
                "src/app/.git/config",
                &format!("[remote \"{name}\"]\n\turl = git@github.com:22/acme/app.git\n"),
            );
        }
        let output = lab.doctor(&["--offline", "--only", "git.remotes"]).run().success();
        expect(
            &output,
            "git.remotes",
            &[
                ("git@github.com:acme/app.git (origin in ~/src/app)", ""),
                ("git@github.com:22/acme/app.git (remote 1 in ~/src/app)", "remote-port-in-path"),
                ("git@github.com:22/acme/app.git (remote 3 in ~/src/app)", "remote-port-in-path"),
            ],
        );
        let report = output.json();
        let checks = report["checks"].as_array().unwrap();
        let named = |name: &str| {
            checks.iter().any(|check| super::evidence(check, "name of the remote") == name)
        };
        assert!(named(&bell.escape_debug().to_string()) && named(&long), "{output}");
        // no fix names a command that a repository has written
        for check in checks.iter().filter(|check| check["status"] == "warn") {
            assert_eq!(check["fix"]["kind"], "report", "{check:#}");
            assert!(!check["fix"].to_string().contains("pwned"), "{check:#}");
        }
        let text = ws
            .pushready(&["doctor", "--offline", "--only", "git.remotes"])
            .current_dir("src/app")
            .run()
            .success();
        assert!(!text.stdout.contains(['\u{1b}', '\u{7}']), "{text}");
    });
}

/// The settings of one clone or remote say nothing of another that works.
#[test]
fn a_clone_is_not_condemned_for_another() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let git = |folder: &str, args: &[&str]| ws.git(args).current_dir(folder).run().success();
        git("src", &["clone", "--quiet", "app", "/home/coder/src/second"]);
        for (key, value) in [
            ("remote.origin.url", super::URL),
            ("protocol.allow", "never"),
            ("push.pushOption", "x"),
        ] {
            git("src/second", &["config", key, value]);
        }
        for (key, value) in [
            ("remote.up.url", "git@github.com:acme/other.git"),
            ("remote.up.uploadpack", "/opt/git-upload-pack"),
            ("remote.up.receivepack", "/opt/git-receive-pack"),
        ] {
            git("src/app", &["config", key, value]);
        }
        let ours = |output: &Output| {
            ["push.read", "push.write"]
                .map(|id| super::check(output, id)["status"].as_str().unwrap().to_owned())
        };
        assert_eq!(ours(&lab.doctor(&["--all", "--only", "push"]).run()), ["pass", "pass"]);
        // in the clone itself it counts, unless the variable says otherwise
        let there = || lab.doctor(&["--only", "push.read"]).current_dir("/home/coder/src/second");
        assert_eq!(super::check(&there().run(), "push.read")["code"], "git-transport-forbidden");
        let allowed = there().env("GIT_ALLOW_PROTOCOL", "ssh").run();
        assert_eq!(super::check(&allowed, "push.read")["status"], "pass", "{allowed}");
    });
}

/// What is not looked at says so: it does not vanish.
#[test]
fn each_requested_check_has_a_result() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        fs::write(ws.home().join(".claude.json"), "{").unwrap();
        let skipped = |output: &Output, id: &str, reason: &str| {
            let report = output.json();
            assert_eq!(document::faults(&report), Vec::<String>::new(), "{output}");
            let checks = report["checks"].as_array().unwrap();
            let is_it = |check: &&Value| {
                check["id"] == id && check["status"] == "skip" && check["reason"] == reason
            };
            assert!(
                checks.iter().any(|check| is_it(&check)),
                "{id} is not skipped for {reason:?}\n{output}"
            );
        };
        // in a clone on GitHub, where `actions.runs` names the option that requests it, and was not requested
        let output = lab.doctor(&[]).run().fails(1);
        skipped(&output, "claude.trust", "not checked because of `claude-config-malformed`");
        let session =
            |check: &Value| check["id"] == "leaks.session-token" && check["status"] == "pass";
        assert!(output.json()["checks"].as_array().unwrap().iter().any(session), "{output}");
        let elsewhere = ws.run(&["doctor", "--json", "--offline"]);
        skipped(&elsewhere, "git.owner", "the current folder is in no clone");
        ws.run(&["remove"]);
        let bare = ws.run(&["doctor", "--json"]);
        skipped(&bare, "keys.installed", "no key is installed");
        skipped(
            &bare,
            "push.write",
            "no repository has a key, and the current folder is in no clone: name one with --repo",
        );
        let ids = ws.run(&["doctor", "--list", "--json"]).success().json();
        for check in ids["checks"].as_array().unwrap() {
            let id = check["id"].as_str().unwrap();
            let arguments = ["doctor", "--json", "--only", id];
            let output = if check["depth"] == "live" { continue } else { ws.run(&arguments) };
            assert_eq!(output.json()["requested"], json!([id]), "{output}");
            assert_eq!(document::faults(&output.json()), Vec::<String>::new(), "{output}");
        }
    });
}
