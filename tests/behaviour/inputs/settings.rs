//! Settings beside the secrets, and what an unset variable means.

use std::fs;

use serde_json::json;

use super::{installed, token, with_keys};
use crate::support::{KeyPair, Output, fake_auth, sandbox};

#[test]
fn a_set_variable_is_authoritative_for_its_kind_and_an_unset_one_changes_nothing() {
    sandbox(|ws| {
        let (app, lib) = (KeyPair::generate("app"), KeyPair::generate("lib"));
        with_keys(ws, &json!({"acme/app": app.private, "acme/lib": lib.private})).run().success();
        let config = || ws.read(".local/state/pushready/ssh_config");
        assert!(config().contains("acme/lib"));

        with_keys(ws, &json!({"acme/app": app.private}))
            .run()
            .success()
            .stdout_has("ok       removed key acme/lib: no longer configured");
        assert!(!config().contains("acme/lib"));
        assert_eq!(installed(ws, &lib), [""; 0]);

        ws.run(&["apply"]).success().stdout_has("kept from the last apply");
        assert_eq!(installed(ws, &app), ["acme/app"]);

        // blank is unset, also within the map
        with_keys(ws, &json!({"acme/app": ""}))
            .run()
            .success()
            .stdout_has("key acme/app: blank in");
        assert_eq!(installed(ws, &app), ["acme/app"]);

        // a map, or a name in it, that cannot be understood may mean any repository: nothing goes
        for damaged in ["{\"acme/app\": ", "[]", "nonsense", "{}{}"] {
            ws.pushready(&["apply"])
                .env("PUSHREADY_DEPLOY_KEYS", damaged)
                .env("PUSHREADY_DEPLOY_KEY", &*lib.private)
                .env("PUSHREADY_REPOSITORY", "acme/lib")
                .run()
                .fails(1)
                .stdout_has(
                    "FAIL     key-malformed deploy keys: PUSHREADY_DEPLOY_KEYS is not a JSON object",
                )
                .stdout_has("jsonencode");
            assert_eq!(
                (installed(ws, &app), installed(ws, &lib)),
                (vec!["acme/app".to_owned()], vec!["acme/lib".to_owned()])
            );
        }
        with_keys(ws, &json!({"acme/app/tree/main?": app.private, "acme/lib": lib.private}))
            .run()
            .fails(1);
        assert_eq!(installed(ws, &app), ["acme/app"]);

        // the damaged key of one repository stops neither the others nor the key that is there
        with_keys(ws, &json!({"acme/app": "damaged", "acme/lib": lib.private}))
            .run()
            .fails(1)
            .stdout_has("NOT READY key-malformed acme/app");
        assert_eq!(
            (installed(ws, &app), installed(ws, &lib)),
            (vec!["acme/app".to_owned()], vec!["acme/lib".to_owned()])
        );
    });
}

#[test]
fn the_single_key_needs_its_repository() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .run()
            .fails(1)
            .stdout_has("PUSHREADY_DEPLOY_KEY is set, but PUSHREADY_REPOSITORY is not")
            .stdout_has("fix: set PUSHREADY_REPOSITORY=owner/repo");
        ws.run(&["remove"]).success();
        ws.pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .run()
            .success()
            .stdout_has(
                "PUSHREADY_REPOSITORY names `acme/app`, but PUSHREADY_DEPLOY_KEY is not set",
            );
        // the same repository in two places, with two keys: one is used, and the other named
        let other = KeyPair::generate("other");
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": key.private}).to_string())
            .env("PUSHREADY_DEPLOY_KEY", &*other.private)
            .env("PUSHREADY_REPOSITORY", "https://github.com/acme/app.git")
            .run()
            .success()
            .stdout_has("key acme/app: PUSHREADY_DEPLOY_KEY has another key than PUSHREADY_DEPLOY_KEYS, which is used");
        assert_eq!(installed(ws, &key), ["acme/app"]);
    });
}

#[test]
fn what_is_required_and_absent_fails_and_what_failed_already_is_reported_once() {
    sandbox(|ws| {
        let require = |value: &str| ws.pushready(&["apply"]).env("PUSHREADY_REQUIRE", value);
        let last = |output: Output| output.stdout.lines().last().unwrap().to_owned();
        assert_eq!(
            last(require("codex, claude, push:acme/app").run().fails(1)),
            "NOT READY required-missing codex · required-missing claude · required-missing push:acme/app"
        );
        require("codex,cladue")
            .run()
            .fails(1)
            .stdout_has("PUSHREADY_REQUIRE contains an unknown name");

        let damaged = require("codex,push:github.com/acme/app")
            .env("PUSHREADY_CODEX_AUTH_JSON", "{")
            .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": "${var.key}"}).to_string())
            .run()
            .fails(1);
        assert_eq!(last(damaged), "NOT READY codex-auth-malformed codex · key-malformed acme/app");

        let ready =
            || require("codex").env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json());
        // the key is configured, and a shell without the map does not make it good
        let reported = last(ready().run().fails(1));
        assert_eq!(reported, "NOT READY key-malformed acme/app");
        assert!(
            last(ready().env("PUSHREADY_DEPLOY_KEYS", "{}").run().success()).starts_with("READY ")
        );
        ws.run(&["status"]).success();
        // a user who logged out has no login, required or not, unless that is accepted
        fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        ws.run(&["apply"]).fails(1).stdout_has("NOT READY codex-auth-missing codex");
        require("claude")
            .env("CLAUDE_CODE_OAUTH_TOKEN", token("x"))
            .env("PUSHREADY_ACCEPT", "codex-auth-missing")
            .run()
            .success()
            .stdout_has("accepted codex-auth-missing");
    });
}

#[test]
fn an_accepted_code_is_reported_and_no_longer_fails() {
    sandbox(|ws| {
        let apply = || {
            ws.pushready(&["apply"])
                .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": "${var.key}"}).to_string())
        };
        apply().env("PUSHREADY_ACCEPT", "key-weak").run().fails(1);
        ws.run(&["status"]).fails(1).stdout_has("key-malformed key acme/app");
        apply()
            .env("PUSHREADY_ACCEPT", "key-weak, key-malformed, no-such-code")
            .run()
            .success()
            .stdout_has("accepted key-malformed key acme/app")
            .stdout_has("PUSHREADY_ACCEPT contains an unknown code: `no-such-code`");
        ws.run(&["status"]).success();
    });
}

#[test]
fn an_unclaimed_workspace_gets_keys_alone_and_never_fails() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let apply = |unclaimed: &str| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_UNCLAIMED", unclaimed)
                .env(
                    "PUSHREADY_DEPLOY_KEYS",
                    json!({"acme/app": key.private, "acme/bad": "x"}).to_string(),
                )
                .env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("owner"))
                .env("PUSHREADY_REQUIRE", "codex")
                .run()
        };
        let output = apply("1")
            .success()
            .stdout_has("key acme/app")
            .stdout_has("key-malformed key acme/bad");
        // exit 0 and NOT READY would contradict each other
        output.stdout_has("\nUNCLAIMED key-malformed acme/bad\n");
        assert!(!ws.home().join(".codex/auth.json").exists());
        assert!(!ws.home().join(".claude").exists());
        // the claim runs the script again
        apply("0").fails(1).stdout_has("codex: written").stdout_has("claude: written");
    });
}

#[test]
fn a_setting_without_the_secret_that_it_is_about_is_reported() {
    sandbox(|ws| {
        let alone =
            |name: &str, value: &str| ws.pushready(&["apply"]).env(name, value).run().success();
        alone("PUSHREADY_REPOSITORY", "acme/app").stdout_has(
            "PUSHREADY_REPOSITORY names `acme/app`, but PUSHREADY_DEPLOY_KEY is not set",
        );
        let created = "PUSHREADY_CLAUDE_TOKEN_CREATED";
        alone(created, "2026-01-31")
            .stdout_has(&format!("{created} is set, but there is no token"));
        // a template sets it before its users have a login
        let output = alone("PUSHREADY_CODEX_LEASE", "1").stdout_has("nothing is configured");
        assert!(!output.stdout.contains("LEASE"), "{output}");
        // what the last apply wrote is there
        ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("mine")).run().success();
        let output = alone(created, "2026-01-31");
        assert!(!output.stdout.contains("there is no token"), "{output}");
    });
}

#[test]
fn switches_take_the_usual_words_and_name_any_other() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let apply = |name: &str, value: &str| {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", seed.json());
            let output = apply.env(name, value).run().success();
            let auth = ws.home().join(".codex/auth.json");
            let login = fs::read_to_string(auth).unwrap_or_default();
            ws.run(&["remove"]).success();
            (output, login)
        };
        let reported = |output: &Output, name: &str| {
            let note = format!(
                "{name} is neither 1, true, yes, on nor 0, false, no, off: it is treated as 1"
            );
            output.stdout.contains(&note)
        };
        let (lease, unclaimed) = ("PUSHREADY_CODEX_LEASE", "PUSHREADY_UNCLAIMED");
        for off in ["0", "false", "False", "FALSE", "no", "No", "off", "OFF"] {
            let (output, login) = apply(lease, off);
            assert!(
                login.contains(&seed.refresh_token) && !reported(&output, lease),
                "{off}\n{output}"
            );
            let (output, login) = apply(unclaimed, off);
            assert!(
                login.contains(&seed.refresh_token) && !reported(&output, unclaimed),
                "{off}\n{output}"
            );
        }
        for on in ["1", "true", "True", "YES", "on", "maybe", "2", "disabled"] {
            let odd = !["1", "true", "True", "YES", "on"].contains(&on);
            let (output, login) = apply(lease, on);
            assert!(!login.contains(&seed.refresh_token) && !login.is_empty(), "{on}\n{output}");
            assert_eq!(reported(&output, lease), odd, "{on}\n{output}");
            let (output, login) = apply(unclaimed, on);
            assert!(login.is_empty(), "{on}\n{output}");
            assert_eq!(reported(&output, unclaimed), odd, "{on}\n{output}");
        }
    });
}
