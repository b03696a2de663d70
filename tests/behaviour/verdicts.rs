//! The verdicts of the commands, and how they fit together.

use std::fs;

use crate::support::{Access, GitHost, KeyPair, Workspace, sandbox, schema};

fn follows(schema_file: &str, document: &serde_json::Value) {
    assert_eq!(schema::fault(schema_file, document), None, "{document:#}");
}

#[test]
fn a_home_without_anything_is_not_ready() {
    sandbox(|ws| {
        let before = ws.snapshot();
        for args in [&["apply"][..], &["apply", "--dry-run"]] {
            let output = ws.run(args).success().stdout_has("PUSHREADY_DEPLOY_KEYS");
            assert!(output.stdout.contains("\nNOTHING CONFIGURED "), "{output}");
            assert!(!output.stdout.contains("READY "), "{output}");
        }
        let report = ws.run(&["apply", "--json"]).success().json();
        follows("apply-remove", &report);
        assert_eq!((&report["ready"], &report["nothing"]), (&false.into(), &true.into()));
        // what is required and missing is a failure
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_REQUIRE", "codex");
        apply.run().fails(1).stdout_has("NOT READY required-missing codex");
        before.assert_same(&ws.snapshot());
    });
}

/// A template sets an identity, host keys and nothing required; this user has made no secret.
#[test]
fn settings_without_a_login_or_a_key_are_not_ready() {
    sandbox(|ws| {
        let set = |args: &[&str]| {
            let run = ws.pushready(args).env("PUSHREADY_REQUIRE", ",");
            let run = run.env("PUSHREADY_GIT_NAME", "Ada").env("PUSHREADY_GIT_EMAIL", "a@h");
            run.env("PUSHREADY_KNOWN_HOSTS", "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHFcsuDAbi4Pl0qHWKAEmhtcdnhkFE9OVtSjaHe5qVlV")
        };
        let apply = set(&["apply"]).run().success();
        apply.stdout_has("note     no login and no deploy key is configured");
        for args in [&["doctor"][..], &["doctor", "--short"], &["doctor", "--only", "home,git"]] {
            let output =
                set(args).run().success().stdout_has("OFFLINE CHECKS PASSED (push not tested)");
            assert!(!output.stdout.contains("READY"), "{output}");
        }
        let line = ws.run(&["status", "--line"]).success().stdout;
        assert!(line.starts_with("applied "), "{line}");
        assert!(line.contains(" · no login or key · "), "{line}");
        assert_eq!(ws.run(&["status", "--json"]).success().json()["state"], "applied");
        // with a key there is a server to ask
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        let keyed = |args: &[&str]| {
            let run = set(args).env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]));
            run.env("PUSHREADY_REPOSITORY", "acme/app").env("PUSHREADY_DEPLOY_KEY", &*key.private)
        };
        let apply = keyed(&["apply"]).run().success();
        assert!(!apply.stdout.contains("no login"), "{apply}");
        keyed(&["doctor"]).run().success().stdout_has("\nREADY");
        let line = ws.run(&["status", "--line"]).success().stdout;
        assert!(line.starts_with("ready · push 1/1"), "{line}");
    });
}

#[test]
fn a_requirement_that_only_an_earlier_apply_had_can_be_cleared() {
    sandbox(|ws| {
        let key = KeyPair::generate("key").private;
        let apply = || {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", "acme/app");
            apply.env("PUSHREADY_DEPLOY_KEY", &*key)
        };
        let clears = "`PUSHREADY_REQUIRE=, pushready apply` clears it";
        let output = apply().env("PUSHREADY_REQUIRE", "push:acme/ap").run().fails(1);
        assert!(!output.stdout.contains("clears it"), "{output}");
        let later = apply().run().fails(1);
        assert!(later.stdout.contains(clears), "{later}");
        apply().env("PUSHREADY_REQUIRE", ",").run().success();
        apply().run().success();
    });
}

#[test]
fn an_empty_pipe_is_an_error_and_changes_nothing() {
    sandbox(|ws| {
        let before = ws.snapshot();
        for input in ["", " \n"] {
            let apply = ws.pushready(&["apply", "--stdin"]).stdin(input).run().fails(1);
            apply.stderr_has("standard input is empty");
        }
        let apply = ws.pushready(&["apply", "--stdin", "--json"]).run().fails(1);
        assert_eq!(apply.json()["error"]["message"], "standard input is empty");
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_required_name_that_is_nearly_that_of_a_key_may_be_misspelt() {
    sandbox(|ws| {
        let key = KeyPair::generate("key").private;
        let apply = |required: &str| {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", "acme/app");
            apply.env("PUSHREADY_DEPLOY_KEY", &*key).env("PUSHREADY_REQUIRE", required).run()
        };
        let or = "the name is misspelt: there is a key for acme/app";
        apply("push:acme/ap").fails(1).stdout_has(or);
        for required in ["push:acme/ap,push:acme/app", "push:corp/billing"] {
            let output = apply(required).fails(1);
            assert!(!output.stdout.contains(or), "{output}");
        }
    });
}

#[test]
fn a_removal_of_nothing_says_so() {
    sandbox(|ws| {
        for args in [&["remove"][..], &["remove", "--dry-run"]] {
            let output = ws.run(args).success();
            assert!(output.stdout.contains("\nNOTHING TO UNDO "), "{output}");
        }
        let report = ws.run(&["remove", "--json"]).success().json();
        follows("apply-remove", &report);
        assert_eq!((&report["ready"], &report["nothing"]), (&true.into(), &true.into()));
    });
}

/// Two repositories with a key, the second of which has read access only.
struct Two {
    host: GitHost,
    app: KeyPair,
    docs: KeyPair,
}

impl Two {
    fn new(ws: &Workspace) -> Self {
        let host = GitHost::start();
        for name in ["acme/app", "acme/docs"] {
            host.repository(name);
        }
        let app = host.deploy_key("acme/app", Access::Write);
        let docs = host.deploy_key("acme/docs", Access::Read);
        ws.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n", 0o644);
        Self { host, app, docs }
    }

    fn apply(&self, ws: &Workspace) -> crate::support::Cmd {
        let keys = serde_json::json!({
            "acme/app": *self.app.private,
            "acme/docs": *self.docs.private,
        });
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEYS", keys.to_string())
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(&["github.com"]))
    }
}

fn subjects(report: &serde_json::Value, id: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let of_it = checks.filter(|check| check["id"] == id && check["status"] != "skip");
    of_it.map(|check| check["subject"].as_str().unwrap_or_default().to_owned()).collect()
}

const APP: &str = "git@github.com:acme/app.git";
const DOCS: &str = "git@github.com:acme/docs.git";

#[test]
fn one_repository_is_checked_alone_and_another_in_addition() {
    sandbox(|ws| {
        let two = Two::new(ws);
        two.apply(ws).run().success();
        let doctor = |args: &[&str]| ws.pushready(&["doctor", "--json"]).args(args).run();
        doctor(&[]).fails(1).stdout_has("push-key-read-only");
        let report = doctor(&["--repo", "acme/app"]).success().json();
        follows("doctor", &report);
        assert_eq!(report["limited_to"], serde_json::json!([APP]));
        for id in ["push.write", "ssh.route", "ssh.identity", "keys.installed"] {
            assert_eq!(subjects(&report, id), [APP], "{id}");
        }
        // what runs once still runs
        assert_eq!(subjects(&report, "home.writable").len(), 1);
        let report = doctor(&["--repo", "acme/app", "--repo", DOCS]).fails(1).json();
        assert_eq!(subjects(&report, "push.write"), [APP, DOCS]);
        // a failure of the other is still known
        ws.run(&["status"]).fails(1).stdout_has("push-key-read-only");
        let report = doctor(&["--only", "push.write", "--also", "acme/new"]).fails(1).json();
        assert_eq!(subjects(&report, "push.write").len(), 3, "{report:#}");
        let usage = doctor(&["--all", "--repo", "acme/app"]).fails(2);
        usage.stderr_has("cannot be used with");
        // of the clone of another repository, nothing is checked with --repo
        ws.git(&["clone", "--quiet", DOCS]).run().success();
        let remotes = ws.pushready(&["doctor", "--json", "--only", "git.remotes", "--offline"]);
        let remotes = remotes.current_dir("docs");
        let report = remotes.clone().run().success().json();
        assert_eq!(subjects(&report, "git.remotes").len(), 1, "{report:#}");
        let report = remotes.args(["--repo", "acme/app"]).run().success().json();
        assert_eq!(subjects(&report, "git.remotes").len(), 0, "{report:#}");
        // nor whether that clone is broken
        ws.write("docs/.git/index", "damaged", 0o644);
        let clone = ws.pushready(&["doctor", "--json", "--only", "git.clone,push.target"]);
        let clone = clone.current_dir("docs");
        clone.clone().run().fails(1).stdout_has("git-clone-broken");
        for (repository, status) in [(DOCS, 1), ("acme/app", 0)] {
            let report = clone.clone().args(["--offline", "--repo", repository]).run();
            assert_eq!(report.status.code(), Some(status), "{repository}\n{report}");
        }
    });
}

#[test]
fn what_needs_another_depth_is_a_usage_error() {
    sandbox(|ws| {
        for (args, named) in [
            (&["--only", "codex.request"][..], "add `--live`"),
            (&["--only", "push.live"], "add `--live`"),
            (&["--offline", "--only", "push.write"], "leave `--offline` out"),
            (&["--offline", "--only", "home,claude.request"], "add `--live`"),
        ] {
            let doctor = ws.pushready(&["doctor"]).args(args);
            doctor.run().fails(2).stderr_has(named);
        }
        // an area of which something can be checked
        ws.run(&["doctor", "--offline", "--only", "push"]).success();
    });
}

#[test]
fn what_is_accepted_has_a_status_of_its_own() {
    sandbox(|ws| {
        let two = Two::new(ws);
        two.apply(ws).run().success();
        let doctor = |args: &[&str]| {
            ws.pushready(&["doctor"]).args(args).env("PUSHREADY_ACCEPT", "push-key-read-only")
        };
        let report = doctor(&["--json"]).run().success().json();
        follows("doctor", &report);
        let checks = report["checks"].as_array().unwrap();
        let write =
            checks.iter().find(|check| check["subject"] == DOCS && check["id"] == "push.write");
        let write = write.unwrap();
        assert_eq!(write["status"], "accepted", "{write:#}");
        assert_eq!(write["stop_and_report"], false, "{write:#}");
        let text = doctor(&[]).run().success();
        assert!(text.stdout.contains("\naccepted push-key-read-only"), "{text}");
        assert!(text.stdout.contains(" 1 accepted, "), "{text}");
        assert!(!text.stdout.contains("an agent should stop"), "{text}");
        ws.run(&["status"]).success();
    });
}

#[test]
fn a_proof_is_kept_and_the_line_begins_with_what_is_known() {
    sandbox(|ws| {
        let two = Two::new(ws);
        let apply = || {
            two.apply(ws)
                .env_remove("PUSHREADY_DEPLOY_KEYS")
                .env("PUSHREADY_REPOSITORY", "acme/app")
                .env("PUSHREADY_DEPLOY_KEY", &*two.app.private)
        };
        let line = |begins: &str| {
            let output = ws.run(&["status", "--line"]).success();
            assert!(output.stdout.starts_with(begins), "{begins}\n{output}");
            let report = ws.run(&["status", "--json"]).json();
            follows("status", &report);
            output.stdout
        };
        line("not ready: not-provisioned");
        apply().run().success();
        assert!(line("applied ").contains(" s ago, not checked yet · 1 key"));
        ws.run(&["doctor", "--offline"]).success();
        let offline = line("applied ");
        assert!(offline.contains(" s ago, not checked yet"), "{offline}");
        assert!(offline.contains("checked offline"), "{offline}");
        ws.run(&["doctor"]).success();
        assert!(line("ready · push 1/1 · checked ").contains(" s ago"));
        // a run without the network proves less, and does not replace it
        ws.run(&["doctor", "--offline"]).success();
        line("ready · push 1/1 · checked ");
        // a failure that it finds counts until its own check passes without the network
        let key = fs::read_dir(ws.home().join(".local/state/pushready/keys")).unwrap();
        let key = key.into_iter().next().unwrap().unwrap().path();
        ws.cmd("chmod").arg("644").arg(&key).run().success();
        ws.run(&["doctor", "--offline"]).fails(1);
        line("not ready: key-permissions");
        ws.cmd("chmod").arg("600").arg(&key).run().success();
        ws.run(&["doctor", "--offline"]).success();
        line("ready · push 1/1 · checked ");
        let metrics = ws.run(&["status", "--metrics"]).success().stdout;
        assert!(metrics.contains("pushready_state{state=\"ready\"} 1\n"), "{metrics}");
        let check = "pushready_check{check=\"push.write\",subject=\"git@github.com:acme/app.git\",status=\"pass\",code=\"\"} 1\n";
        assert!(metrics.contains(check) && metrics.ends_with("# EOF\n"), "{metrics}");
        // a proof of before the last apply does not count
        apply().env("PUSHREADY_TRUSTED_FOLDERS", "~/work").run().success();
        let stale = line("applied ");
        assert!(stale.contains(" s ago, not checked since · 1 key · "), "{stale}");
        assert!(!stale.contains("push 1/1"), "{stale}");
        // and what could not be decided proves nothing
        ws.pushready(&["doctor"]).env("CODEX_SANDBOX_NETWORK_DISABLED", "1").run().success();
        assert!(line("applied ").contains(" s ago · unproven: home.network"));
    });
}

#[test]
fn a_first_start_without_secrets_names_the_commands_that_create_them() {
    sandbox(|ws| {
        let require = "codex,claude,push:acme/app";
        let run = |args: &[&str]| ws.pushready(args).env("PUSHREADY_REQUIRE", require).run();
        let commands = [
            "`coder secret create codex --file '~/.config/pushready/seed/codex-auth.json' <auth.json`",
            r#"`printf %s "$TOKEN" | coder secret create claude --file '~/.config/pushready/seed/claude-oauth-token'`"#,
            "`coder secret create app --file '~/.config/pushready/seed/deploy-keys/github.com/acme/app' <KEY`",
        ];
        for args in [&["apply"][..], &["doctor", "--offline"], &["doctor", "--short", "--required"]]
        {
            let output = run(args).fails(1);
            for command in commands {
                assert_eq!(output.stdout.matches(command).count(), 1, "{command}\n{output}");
            }
            assert!(!output.stdout.contains("not-provisioned"), "{output}");
        }
        // who creates a user secret is its user, and no template admin
        let report = run(&["doctor", "--offline", "--json"]).fails(1).json();
        let results = report["checks"].as_array().unwrap();
        let missing: Vec<_> =
            results.iter().filter(|result| result["code"] == "required-missing").collect();
        assert_eq!(missing.len(), 3, "{report}");
        assert!(missing.iter().all(|result| result["actor"] == "workspace_user"), "{report}");
        run(&["status"]).fails(1).stdout_has("required-missing codex");
        // another folder
        ws.write("seed/empty", "", 0o600);
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_REQUIRE", "codex");
        let apply = apply.env("PUSHREADY_SEED_DIR", "~/seed").run().fails(1);
        apply.stdout_has("--file '~/seed/codex-auth.json'");
    });
}

#[test]
fn the_same_fault_of_many_repositories_is_one_block() {
    sandbox(|ws| {
        let names = ["o/a", "o/b", "o/c"];
        let doctor = ws.pushready(&["doctor", "--only", "push"]);
        let url = |name: &str| format!("git@git.nowhere.example:{name}.git");
        let doctor = names.iter().fold(doctor, |doctor, name| doctor.arg("--also").arg(url(name)));
        let text = doctor.clone().run().fails(1);
        assert_eq!(text.stdout.matches("FAIL ").count(), 1, "{text}");
        assert_eq!(text.stdout.matches("fix (").count(), 1, "{text}");
        for name in names {
            assert!(text.stdout.contains(&format!("\n           {}", url(name))), "{text}");
        }
        let short = doctor.arg("--short").run().fails(1);
        assert_eq!(short.stdout.matches("getent hosts").count(), 1, "{short}");
    });
}

#[test]
fn a_state_folder_that_is_gone_is_named() {
    sandbox(|ws| {
        let two = Two::new(ws);
        two.apply(ws).run().success();
        fs::remove_dir_all(ws.home().join(".local/state/pushready")).unwrap();
        let doctor = ws.run(&["doctor", "--offline", "--only", "home"]).fails(1);
        let doctor = doctor.stdout_says("was provisioned, and the state folder is gone");
        doctor.stdout_has("named in: ~/.ssh/config");
    });
}

#[test]
fn a_requirement_that_an_earlier_apply_remembers_can_be_cleared() {
    sandbox(|ws| {
        let two = Two::new(ws);
        let wrong = two.apply(ws).env("PUSHREADY_REQUIRE", "codx").run().fails(1);
        wrong.stdout_has("correct PUSHREADY_REQUIRE");
        for args in [&["apply"][..], &["doctor", "--offline"]] {
            let output = ws.run(args).fails(1);
            let output = output.stdout_says("an earlier apply was given this in PUSHREADY_REQUIRE");
            output.stdout_has("`PUSHREADY_REQUIRE=, pushready apply`");
        }
        ws.pushready(&["apply"]).env("PUSHREADY_REQUIRE", ",").run().success();
        ws.run(&["apply"]).success();
    });
}

#[test]
fn a_misspelt_name_in_the_map_of_keys_is_named() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        host.repository("acme/ap");
        let key = host.deploy_key("acme/app", Access::Write);
        let apply = ws
            .pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/ap")
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]));
        apply.run().success();
        for only in ["ssh.identity", "push.read", "push.write"] {
            let doctor = ws.run(&["doctor", "--only", only]).fails(1);
            doctor.stdout_says(
                "the name is misspelt where the key is configured: this key is acme/app's",
            );
        }
    });
}

#[test]
fn a_repository_without_a_key_has_a_fix_of_its_own() {
    sandbox(|ws| {
        let two = Two::new(ws);
        two.host.repository("acme/new");
        two.apply(ws).run().success();
        let doctor = ws.run(&["doctor", "--only", "push.write", "--repo", "acme/new"]).fails(1);
        let doctor = doctor.stdout_says("no deploy key for acme/new is provisioned here");
        assert!(!doctor.stdout.contains("provisioned key"), "{doctor}");
    });
}

#[test]
fn a_misspelt_word_of_the_command_line_has_its_nearest() {
    sandbox(|ws| {
        for (args, nearest) in [
            (&["uninstall"][..], "did you mean `remove`?"),
            (&["verify"], "did you mean `doctor`?"),
            (&["docter"], "'doctor'"),
            (&["doctor", "--only", "pusch"], "the nearest is `push`"),
            (&["doctor", "--skip", "push.wirte"], "the nearest is `push.write`"),
        ] {
            ws.run(args).fails(2).stderr_has(nearest);
        }
        let report = ws.run(&["doctor", "--json", "--offline", "--live"]).fails(2).json();
        let cause = report["error"]["cause"].as_str().unwrap();
        assert!(cause.contains("--offline") && cause.contains("--live"), "{report}");
    });
}
