//! The logins: what the unmodified clients send after apply, and whose login stays when.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::fake_auth::{self, ACCOUNT, OTHER_ACCOUNT};
use crate::support::{Clients, Cmd, Output, Vendors, Workspace, sandbox};

const CLAUDE: &str = "sk-ant-oat01-";

fn token(name: &str) -> String {
    format!("{CLAUDE}{}{}", name.repeat(12), "A".repeat(40))
}

fn apply(ws: &Workspace, seed: &str) -> Output {
    applied(ws, seed).run()
}

fn applied(ws: &Workspace, seed: &str) -> Cmd {
    ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", seed)
}

fn live(ws: &Workspace) -> serde_json::Value {
    serde_json::from_str(&ws.read(".codex/auth.json")).unwrap()
}

fn refresh_token(ws: &Workspace) -> String {
    live(ws)["tokens"]["refresh_token"].as_str().unwrap().to_owned()
}

#[test]
fn codex_completes_a_turn_with_the_seed_and_its_refreshed_login_is_kept() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let clients = Clients::install(ws, &vendors);
        let seed = fake_auth::chatgpt().expired();
        apply(ws, &seed.json()).success().stdout_has("codex: written");

        let turn = || clients.codex(&["exec", "--skip-git-repo-check", "hi"]).run();
        turn().success().stdout_has("MOCK-OK");
        let requests = vendors.requests();
        let refresh = requests.iter().find(|request| request.path == "/oauth/token").unwrap();
        assert!(refresh.body.contains(&seed.refresh_token), "{}", refresh.body);
        let answered =
            requests.iter().rfind(|request| request.path.ends_with("/responses")).unwrap();
        assert_eq!(answered.headers["chatgpt-account-id"], ACCOUNT);
        assert_eq!(refresh_token(ws), "rt_rotated_1");

        // the seed is spent by now: writing it again would kill the login
        let refreshed = ws.read(".codex/auth.json");
        apply(ws, &seed.json())
            .success()
            .stdout_has("codex: kept: refreshed")
            .stdout_has("newer than the seed");
        assert_eq!(ws.read(".codex/auth.json"), refreshed);

        // a module's stub would log every agent out; the refreshed login comes back, not the seed
        ws.write(".codex/auth.json", fake_auth::module_stub(), 0o644);
        apply(ws, &seed.json()).success().stdout_has("codex-auth-restored");
        assert_eq!((&*refresh_token(ws), ws.mode(".codex/auth.json")), ("rt_rotated_1", 0o600));
        turn().success().stdout_has("MOCK-OK");
    });
}

#[test]
fn codex_sends_the_very_token_of_a_fresh_seed() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let clients = Clients::install(ws, &vendors);
        let seed = fake_auth::chatgpt();
        apply(ws, &seed.json()).success();
        clients
            .codex(&["exec", "--skip-git-repo-check", "hi"])
            .run()
            .success()
            .stdout_has("MOCK-OK");
        let requests = vendors.requests();
        let turn = requests.iter().rfind(|request| request.path.ends_with("/responses")).unwrap();
        assert_eq!(turn.headers["authorization"], format!("Bearer {}", seed.access_token()));
    });
}

#[test]
fn claude_completes_a_turn_from_the_file_alone() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let clients = Clients::install(ws, &vendors);
        let token = token("rig");
        ws.write("work/file", "", 0o644);
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &token)
            .env("PUSHREADY_TRUSTED_FOLDERS", "~/work")
            .run()
            .success()
            .stdout_has("claude: written");
        clients.claude(&["-p", "hi"]).current_dir("work").run().success().stdout_has("MOCK-OK");
        let requests = vendors.requests();
        let turn = requests.iter().find(|request| request.path == "/v1/messages").unwrap();
        assert_eq!(turn.headers["authorization"], format!("Bearer {token}"));

        let config: serde_json::Value = serde_json::from_str(&ws.read(".claude.json")).unwrap();
        assert_eq!(config["hasCompletedOnboarding"], true);
        assert_eq!(config["projects"]["/home/coder/work"]["hasTrustDialogAccepted"], true);
        assert!(
            ws.read(".codex/config.toml")
                .contains("[projects.\"/home/coder/work\"]\ntrust_level = \"trusted\"")
        );
    });
}

#[test]
fn a_new_seed_replaces_the_login_that_we_wrote() {
    sandbox(|ws| {
        let old = fake_auth::chatgpt();
        apply(ws, &old.json()).success();
        let newer = old.clone().refreshed();
        apply(ws, &newer.json()).success().stdout_has("codex: written").stdout_has("a new seed");
        assert_eq!(refresh_token(ws), newer.refresh_token);
        let other = fake_auth::chatgpt().of_account(OTHER_ACCOUNT);
        apply(ws, &other.json()).success().stdout_has("of another account");
        assert_eq!(refresh_token(ws), other.refresh_token);
    });
}

#[test]
fn an_older_seed_does_not_replace_a_newer_login() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        apply(ws, &seed.json()).success();
        ws.write(".codex/auth.json", seed.clone().refreshed().json(), 0o600);
        let older = fake_auth::chatgpt().expired();
        apply(ws, &older.json()).success().stdout_has("codex-auth-stale");
        assert_eq!(refresh_token(ws), seed.refreshed().refresh_token);
    });
}

#[test]
fn a_login_that_we_never_wrote_stays() {
    sandbox(|ws| {
        let own = fake_auth::chatgpt().of_account(OTHER_ACCOUNT);
        ws.write(".codex/auth.json", own.json(), 0o600);
        apply(ws, &fake_auth::chatgpt().json()).success().stdout_has("codex-login-not-ours");
        assert_eq!(ws.read(".codex/auth.json"), own.json());

        ws.write(".claude/.credentials.json", claude_login(), 0o600);
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("ours"))
            .run()
            .success()
            .stdout_has("claude-auth-conflict");
        assert_eq!(ws.read(".claude/.credentials.json"), claude_login());
    });
}

/// What the codex module writes over a login, with the key of the template (coder/registry, codex
/// v4, `add_auth_json`).
fn module_key(key: &str) -> String {
    format!("{{\n  \"OPENAI_API_KEY\": \"{key}\"\n}}\n")
}

#[test]
fn an_api_key_of_the_users_own_is_not_a_stub() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt().json();
        let compact = "{\"OPENAI_API_KEY\":\"sk-proj-own\"}".to_owned();
        for own in [compact, module_key("sk-proj-own"), fake_auth::api_key("sk-proj-own")] {
            apply(ws, &seed).success();
            ws.write(".codex/auth.json", &own, 0o600);
            // the template's key is another one
            applied(ws, &seed)
                .env("OPENAI_API_KEY", "sk-proj-template")
                .run()
                .success()
                .stdout_has("codex-login-not-ours");
            assert_eq!(ws.read(".codex/auth.json"), own);
            ws.run(&["doctor", "--offline", "--only", "codex.login"])
                .stdout_has("codex-login-not-ours");
            ws.run(&["remove"]).fails(1).stdout_has("~/.codex/auth.json: kept");
            assert_eq!(ws.read(".codex/auth.json"), own);
            std::fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        }
    });
}

#[test]
fn a_login_that_is_overwritten_comes_back_with_remove() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt().json();
        let apply = || applied(ws, &seed).env("OPENAI_API_KEY", "sk-proj-template").run().success();
        for wreck in [
            "{\"tokens\": {\"access_token\": \"half".to_owned(),
            "{\"auth_mode\":\"chatgpt\",\"OPENAI_API_KEY\":\"sk-proj-own\"}".to_owned(),
            "{\"note\": \"mine\"}".to_owned(),
            // as the module's, or as somebody's who has the same variable
            module_key("sk-proj-template"),
        ] {
            apply();
            ws.write(".codex/auth.json", &wreck, 0o640);
            apply().stdout_has("`pushready remove` restores the previous content");
            assert_eq!(refresh_token(ws), "rt_seed_0001", "{wreck}");
            apply().stdout_has("no changes needed");
            ws.run(&["remove"]).success();
            assert_eq!((ws.read(".codex/auth.json"), ws.mode(".codex/auth.json")), (wreck, 0o640));
            std::fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        }
    });
}

#[test]
fn remove_deletes_a_stub_and_no_login() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt().json();
        let (empty, named) = (module_key(""), fake_auth::api_key(""));
        for stub in ["", " \n", "{}", "{ }\n", fake_auth::module_stub(), &empty, &named] {
            for applied_again in [false, true] {
                apply(ws, &seed).success();
                ws.write(".codex/auth.json", stub, 0o644);
                if applied_again {
                    apply(ws, &seed).success();
                    assert_eq!(refresh_token(ws), "rt_seed_0001", "{stub:?}");
                }
                ws.run(&["remove"]).success();
                assert!(!ws.home().join(".codex/auth.json").exists(), "{stub:?}");
            }
        }
        for other in
            ["{\"tokens\": {\"access_token\": \"half", "{\"note\": \"mine\"}", "\u{feff}{}"]
        {
            apply(ws, &seed).success();
            ws.write(".codex/auth.json", other, 0o600);
            ws.run(&["remove"])
                .fails(1)
                .stdout_has("~/.codex/auth.json: kept: it was changed since");
            assert_eq!(ws.read(".codex/auth.json"), other);
            std::fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        }
        // Claude Code reads no login in it, and what could renew one is in it all the same
        let claude =
            || ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("ours")).run();
        let half = "{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"of-the-user\"}}";
        claude().success();
        ws.write(".claude/.credentials.json", half, 0o600);
        claude().success().stdout_has("claude-auth-conflict");
        ws.run(&["remove"]).fails(1).stdout_has("~/.claude/.credentials.json: kept");
        assert_eq!(ws.read(".claude/.credentials.json"), half);
    });
}

fn claude_login() -> String {
    serde_json::json!({"claudeAiOauth": {
        "accessToken": token("user"), "refreshToken": "refresh", "expiresAt": 4_102_444_800_000_u64,
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max",
    }})
    .to_string()
}

#[test]
fn a_user_who_logged_out_stays_logged_out() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        apply(ws, &seed.json()).success();
        std::fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        apply(ws, &seed.json()).fails(1).stdout_has("NOT READY codex-auth-missing codex");
        assert!(!ws.home().join(".codex/auth.json").exists());
        // a new seed is a new wish
        apply(ws, &seed.refreshed().json()).success().stdout_has("codex: written");
    });
}

#[test]
fn a_lease_cannot_rotate_anything() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        applied(ws, &seed.json())
            .env("PUSHREADY_CODEX_LEASE", "1")
            .run()
            .success()
            .stdout_has("lease");
        assert_eq!(refresh_token(ws), "");
        assert_eq!(live(ws)["tokens"]["access_token"], seed.access_token());
        applied(ws, &seed.json())
            .env("PUSHREADY_CODEX_LEASE", "1")
            .run()
            .success()
            .stdout_has("codex: kept");
    });
}

#[test]
fn claude_tokens_of_ours_are_replaced_and_blanked_ones_refilled() {
    sandbox(|ws| {
        let apply = |token: &str| {
            ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token).run().success()
        };
        let access = || {
            let file: serde_json::Value =
                serde_json::from_str(&ws.read(".claude/.credentials.json")).unwrap();
            file["claudeAiOauth"]["accessToken"].as_str().unwrap().to_owned()
        };
        apply(&token("one"));
        apply(&token("two"));
        assert_eq!(access(), token("two"));
        // what Claude Code leaves behind after a failed refresh, with somebody's MCP logins beside
        // it
        let blank = "{\"claudeAiOauth\":{\"accessToken\":\"\",\"expiresAt\":0,\"refreshToken\":\"\"},\"mcpOAuth\":{\"x\":1}}";
        ws.write(".claude/.credentials.json", blank, 0o600);
        apply(&token("two"));
        assert_eq!(access(), token("two"));
        assert!(ws.read(".claude/.credentials.json").contains("\"mcpOAuth\":{\"x\":1}"));
    });
}

/// A terminal broke it into lines, and one was copied: apply writes what it is given, and warns.
#[test]
fn apply_warns_of_a_token_that_may_be_cut() {
    sandbox(|ws| {
        for (length, is_warned) in [(80, true), (100, true), (79, true), (108, false)] {
            let token = format!("{CLAUDE:a<length$}");
            let apply = ws.pushready(&["apply", "--json"]);
            let output = apply.env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &token).run().success();
            let report = output.json();
            let code = if is_warned { "claude-token-malformed" } else { "null" };
            let items = report["items"].as_array().unwrap();
            let claude = items.iter().find(|item| item["subject"] == "claude").unwrap();
            assert_eq!(claude["code"].as_str().unwrap_or("null"), code, "{length}\n{output}");
            assert!(ws.read(".claude/.credentials.json").contains(&token));
        }
    });
}

#[test]
fn a_lease_stays_a_lease_where_the_variable_is_gone() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        ws.write(".config/pushready/seed/codex-auth.json", seed.json(), 0o600);
        ws.pushready(&["apply"]).env("PUSHREADY_CODEX_LEASE", "1").run().success();
        ws.run(&["apply"]).success();
        assert_eq!(
            refresh_token(ws),
            "",
            "an apply in a shell without the variable gave the refresh token out"
        );
        ws.pushready(&["apply"]).env("PUSHREADY_CODEX_LEASE", "0").run().success();
        assert_eq!(refresh_token(ws), seed.refresh_token);
    });
}

#[test]
fn a_lesser_source_that_shows_through_changes_nothing() {
    sandbox(|ws| {
        let ours = fake_auth::chatgpt();
        let token_file = ".config/pushready/seed/claude-oauth-token";
        let apply = |with: bool| {
            let cmd = ws.pushready(&["apply"]);
            let cmd = if with {
                cmd.env("PUSHREADY_CODEX_AUTH_JSON", ours.json())
                    .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("ours"))
            } else {
                cmd
            };
            cmd.run().success()
        };
        apply(true);
        ws.write(
            ".config/pushready/seed/codex-auth.json",
            fake_auth::chatgpt().of_account(OTHER_ACCOUNT).json(),
            0o600,
        );
        ws.write(token_file, token("else"), 0o600);
        let before = ws.read(".claude/.credentials.json");
        apply(false);
        assert_eq!(refresh_token(ws), ours.refresh_token);
        assert_eq!(ws.read(".claude/.credentials.json"), before);
        // and the receipt still knows whose login it is
        let again = apply(true);
        assert!(!again.stdout.contains("not-ours"), "{again}");
        ws.run(&["remove"]).success();
    });
}

#[test]
fn codex_trusts_a_folder_that_is_named_by_a_link() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let clients = Clients::install(ws, &vendors);
        ws.git(&["init", "--quiet", "real"]).run().success();
        std::os::unix::fs::symlink("real", ws.home().join("link")).unwrap();
        // settings of a project are read where it is trusted, by its real path
        ws.write("real/.codex/config.toml", "model = \"of-the-project\"\n", 0o644);
        let model = || {
            let turn = clients.codex(&["exec", "hi"]).current_dir("link").run();
            turn.stderr
                .lines()
                .find_map(|line| line.strip_prefix("model: "))
                .unwrap_or_default()
                .to_owned()
        };
        let seed = fake_auth::chatgpt().json();
        apply(ws, &seed).success();
        assert_ne!(model(), "of-the-project");
        applied(ws, &seed).env("PUSHREADY_TRUSTED_FOLDERS", "~/link/").run().success();
        assert_eq!(model(), "of-the-project");
    });
}

/// Of a configuration Codex refuses what the doctor says that it refuses, and starts with what the
/// doctor passes.
#[test]
fn codex_starts_with_what_the_doctor_passes() {
    const PROVIDER: &str = "[model_providers.x]\nbase_url = \"https://api.openai.com/v1\"\n";
    sandbox(|ws| {
        let vendors = Vendors::start();
        let clients = Clients::install(ws, &vendors);
        apply(ws, &fake_auth::chatgpt().json()).success();
        for (text, starts) in [
            (String::new(), true),
            (
                "cli_auth_credentials_store = \"auto\"\nforced_chatgpt_workspace_id = \"\"\n"
                    .to_owned(),
                true,
            ),
            ("approval_policy = \"never\"\nsandbox_mode = \"workspace-write\"\n".to_owned(), true),
            ("model = 1\n".to_owned(), false),
            ("approval_policy = \"granular\"\n".to_owned(), false),
            ("approval_policy = 1\n".to_owned(), false),
            ("sandbox_mode = \"strict\"\n".to_owned(), false),
            ("forced_login_method = \"other\"\n".to_owned(), false),
            ("forced_chatgpt_workspace_id = 1\n".to_owned(), false),
            ("profile = \"x\"\n".to_owned(), false),
            ("[projects]\n\"/a\" = \"trusted\"\n".to_owned(), false),
            ("[projects.\"/a\"]\ntrust_level = \"yes\"\n".to_owned(), false),
            ("mcp_servers = 1\n".to_owned(), false),
            ("features = 1\n".to_owned(), false),
            ("model_provider = \"nowhere\"\n".to_owned(), false),
            ("[model_providers.openai]\nname = \"x\"\n".to_owned(), false),
            (PROVIDER.to_owned(), false),
            (format!("{PROVIDER}name = \"x\"\nwire_api = \"chat\"\n"), false),
            (format!("{PROVIDER}name = \"x\"\nrequires_openai_auth = \"true\"\n"), false),
        ] {
            ws.write(".codex/config.toml", &*text, 0o600);
            let doctor =
                ws.run(&["doctor", "--offline", "--json", "--only", "codex.config"]).json();
            let passes = doctor["overall"] == "pass" || doctor["overall"] == "warn";
            assert_eq!(passes, starts, "{text}\n{doctor:#}");
            let turn = clients.codex(&["exec", "--skip-git-repo-check", "hi"]).run();
            assert_eq!(turn.status.success(), starts, "{text}\n{turn}");
        }
    });
}

/// What the doctor says of a repository's own file for Codex, is what Codex does: where the repository
/// is trusted, it counts.
#[test]
fn a_repository_can_log_codex_out_where_it_is_trusted() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let clients = Clients::install(ws, &vendors);
        ws.git(&["init", "--quiet", "app"]).run().success();
        ws.write("app/sub/file", "", 0o644);
        let seed = fake_auth::chatgpt().json();
        let found = || {
            let doctor = ["doctor", "--offline", "--json", "--only", "codex.config"];
            let report = ws.pushready(&doctor).current_dir("app/sub").run().json();
            report["checks"][0]["code"].as_str().map(ToOwned::to_owned)
        };
        // codex ends with an error where it has no login
        let turn = || {
            let before = vendors.requests().len();
            clients.codex(&["exec", "hi"]).current_dir("app/sub").run();
            let requests = vendors.requests();
            let mut requests = requests[before..].iter();
            requests.any(|request| {
                request.path.ends_with("/responses")
                    && request.headers.contains_key("authorization")
            })
        };
        for (trusted, file, setting, code) in [
            (false, "app/.codex/config.toml", "forced_login_method = \"api\"\n", None),
            (
                true,
                "app/.codex/config.toml",
                "model_provider = \"x\"\nprofile = \"x\"\nopenai_base_url = \"https://e.example/v1\"\n",
                None,
            ),
            (
                true,
                "app/.codex/config.toml",
                "cli_auth_credentials_store = \"ephemeral\"\n",
                Some("codex-store-not-file"),
            ),
            (
                true,
                "app/sub/.codex/config.toml",
                "sandbox_mode = 1\n",
                Some("codex-config-malformed"),
            ),
            (
                true,
                "app/.codex/config.toml",
                "forced_login_method = \"api\"\n",
                Some("codex-forced-login"),
            ),
        ] {
            let mut apply = applied(ws, &seed);
            if trusted {
                apply = apply.env("PUSHREADY_TRUSTED_FOLDERS", "~/app");
            }
            apply.run().success();
            ws.write(file, setting, 0o644);
            assert_eq!(found().as_deref(), code, "{setting}");
            assert_eq!(turn(), code.is_none(), "{setting}");
            assert_eq!(
                ws.home().join(".codex/auth.json").exists(),
                code != Some("codex-forced-login"),
                "{setting}"
            );
            std::fs::remove_file(ws.home().join(file)).unwrap();
        }
    });
}

/// Of a folder that apply cannot add, doctor does not say "run apply".
#[test]
fn a_folder_that_apply_cannot_add_has_another_fix_in_apply_and_doctor() {
    sandbox(|ws| {
        let odd = ws.home().join(OsStr::from_bytes(b"odd\xff"));
        fs::create_dir(&odd).unwrap();
        symlink(&odd, ws.home().join("odd")).unwrap();
        let on = |args: &[&str], folders: &str| {
            let cmd = ws.pushready(args).env("PUSHREADY_TRUSTED_FOLDERS", folders);
            let cmd = cmd.env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json());
            cmd.env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("Trust")).run()
        };
        let fixes = |id: &str, folders: &str| {
            let report = on(&["doctor", "--offline", "--json"], folders).json();
            let of = |check: &Value| match check["fix"]["kind"].as_str() {
                Some(kind) => format!("{kind}: {}", check["fix"]["message"].as_str().unwrap()),
                None => check["status"].as_str().unwrap().to_owned(),
            };
            let checks = report["checks"].as_array().unwrap().iter();
            checks.filter(|check| check["id"] == id).map(of).collect::<Vec<_>>()
        };
        let level = "trust_level = \"trusted\"";
        for (config, applied, fix) in [
            // Codex writes such a table for other settings of a project
            (
                "[projects.\"/home/coder/w\"]\n",
                "1 folder trusted, without `/home/coder/w`, which has a table without a trust_level",
                format!("edit: add `{level}` to the table"),
            ),
            (
                "projects = { \"/other\" = { trust_level = \"trusted\" } }\n",
                "has `projects` in a form to which pushready cannot add a table",
                "edit: write them as `[projects.\"/folder\"]` tables".to_owned(),
            ),
            (
                "[projects.\"/home/coder/w\"]\ntrust_level = \"untrusted\"\n",
                "1 folder trusted, without `/home/coder/w`, which has another trust_level",
                format!("edit: write `{level}` in its table"),
            ),
        ] {
            ws.write(".codex/config.toml", config, 0o600);
            let folders = "/home/coder/w:/srv/b";
            on(&["apply"], folders).success().stdout_has(applied);
            assert!(ws.read(".codex/config.toml").starts_with(config));
            let [w, b] = &fixes("codex.trust", folders)[..] else { panic!() };
            assert!(w.starts_with(&fix), "{w}");
            let inline = config.starts_with("projects =");
            assert!(if inline { b.starts_with(&fix) } else { b == "pass" }, "{b}");
            on(&["remove"], folders).success();
            assert_eq!(ws.read(".codex/config.toml"), config);
        }
        ws.write(".claude.json", "{\"projects\": {\"/srv/list\": []}}", 0o600);
        let folders = "/srv/list:/srv/b:~/odd";
        for id in ["codex.trust", "claude.trust"] {
            assert_eq!(fixes(id, "/srv/b"), ["run: run apply: it adds the folder"], "{id}");
        }
        on(&["apply"], folders)
            .success()
            .stdout_has("fix: give the folder a name in UTF-8; make its entry in `projects`");
        let name = "report: give the folder a name in UTF-8";
        assert_eq!(fixes("codex.trust", folders), [name, "pass", "pass"]);
        let [odd, b, list] = &fixes("claude.trust", folders)[..] else { panic!() };
        assert!(list.starts_with("edit: make its entry in `projects`"), "{list}");
        assert_eq!((b.as_str(), odd.as_str()), ("pass", name));
    });
}
