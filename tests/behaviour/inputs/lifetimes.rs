//! Leases, expiry, and logins that changed since.

use std::fs;

use super::{claude_token, token};
use crate::support::{fake_auth, sandbox};

#[test]
fn a_lease_leaves_no_refresh_token_behind_and_can_be_given_up() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let apply = |lease: &str| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CODEX_LEASE", lease)
                .run()
                .success()
        };
        let holders = || {
            let files = ws.snapshot().paths().map(|path| ws.home().join(path)).collect::<Vec<_>>();
            let holds = |path: &std::path::PathBuf| {
                // in plain text: the made-up access token has it, encoded, as its own name
                path.is_file()
                    && String::from_utf8_lossy(&fs::read(path).unwrap())
                        .contains(&seed.refresh_token)
            };
            files.into_iter().filter(holds).collect::<Vec<_>>()
        };
        apply("true").stdout_has(", lease");
        assert!(holders().is_empty(), "{:?}", holders());
        apply("0").stdout_has("no lease any more");
        assert_eq!(holders().len(), 2, "the login and its copy");
        apply("1").stdout_has("a lease from now on");
        assert!(holders().is_empty(), "{:?}", holders());
        apply("1").stdout_has("no changes needed");
    });
}

#[test]
fn a_login_that_can_no_longer_work_is_not_ready() {
    sandbox(|ws| {
        let dead = fake_auth::chatgpt().expired();
        let lease = |seed: &fake_auth::ChatGpt| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CODEX_LEASE", "1")
                .run()
        };
        for _ in 0..2 {
            lease(&dead)
                .fails(1)
                .stdout_has("NOT READY codex-auth-expired codex")
                .stdout_has("fix: ");
        }
        let ending = fake_auth::ChatGpt { access_expires: 3600, ..fake_auth::chatgpt() };
        lease(&ending).success().stdout_has("warn     codex-lease-expiring codex: written");

        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        for (created, exit) in [("2020-01-31", 1), (&today, 0)] {
            let output = ws
                .pushready(&["apply"])
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("old"))
                .env("PUSHREADY_CLAUDE_TOKEN_CREATED", created)
                .run()
                .fails(exit);
            assert_eq!(
                output.stdout.contains("NOT READY claude-token-expired claude"),
                exit == 1,
                "{output}"
            );
            // the date is remembered, and so is the verdict
            ws.run(&["apply"]).fails(exit);
        }
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("old"))
            .env("PUSHREADY_CLAUDE_TOKEN_CREATED", "yesterday")
            .run()
            .success()
            .stdout_has("PUSHREADY_CLAUDE_TOKEN_CREATED is not a date like 2026-01-31");
    });
}

#[test]
fn a_token_from_the_future_is_as_old_as_it_was_first_seen() {
    sandbox(|ws| {
        let apply = |created: &str| {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("mine"));
            apply.env("PUSHREADY_CLAUDE_TOKEN_CREATED", created).run().success()
        };
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let good_until = |made: jiff::civil::Date| {
            format!("good until about {}", made.saturating_add(jiff::Span::new().days(365)))
        };
        apply("2099-01-01")
            .stdout_has("PUSHREADY_CLAUDE_TOKEN_CREATED is in the future: it is ignored")
            .stdout_has(&good_until(today));
        let yesterday = today.yesterday().unwrap();
        let output = apply(&yesterday.to_string()).stdout_has(&good_until(yesterday));
        assert!(!output.stdout.contains("future"), "{output}");
    });
}

#[test]
fn a_lease_that_comes_after_codex_renewed_is_reported() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let apply = |lease: &str| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CODEX_LEASE", lease)
                .run()
                .success()
        };
        apply("0");
        let refreshed = seed.clone().refreshed().json();
        ws.write(".codex/auth.json", &refreshed, 0o600);
        let reported =
            "no lease: Codex has renewed this login since, and only its refresh token is valid";
        apply("1").stdout_has(reported);
        apply("1").stdout_has(reported).stdout_has("no changes needed");
        assert_eq!(ws.read(".codex/auth.json"), refreshed);
        let output = apply("0");
        assert!(!output.stdout.contains("no lease"), "{output}");
    });
}

#[test]
fn the_variable_of_claude_code_in_a_shell_is_not_the_templates() {
    sandbox(|ws| {
        let seed = ".config/pushready/seed/claude-oauth-token";
        let own = |token: &str| {
            ws.pushready(&["apply"]).env("CLAUDE_CODE_OAUTH_TOKEN", token).run().success()
        };
        // it brings the login where nothing better does, and a new one of it is a new one
        own(&token("alone"));
        own(&token("newer"));
        assert_eq!(claude_token(ws), token("newer"));
        // what the template gave is not replaced by what a shell happens to have
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("template"))
            .run()
            .success();
        own(&token("shell")).stdout_has("kept from the last apply").stdout_has("no changes needed");
        assert_eq!(claude_token(ws), token("template"));
        ws.run(&["remove"]).success();
        ws.write(seed, token("seeded"), 0o600);
        ws.run(&["apply"]).success();
        own(&token("shell")).stdout_has("CLAUDE_CODE_OAUTH_TOKEN differs from");
        assert_eq!(claude_token(ws), token("seeded"));
    });
}
