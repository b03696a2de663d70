//! The fix names what it is about: the key, the page of the forge, the source of a secret.

use base64ct::{Base64, Encoding as _};

use super::{Lab, check, evidence, token};
use crate::support::{Access, GitHost, KeyPair, fake_auth, sandbox};

/// Whoever fixes a key must find it: on the forge's page by its fingerprint, in the workspace by a
/// command.
#[test]
fn a_finding_about_a_key_names_the_key() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let read_only = lab.host.deploy_key("acme/app", Access::Read);
        let stranger = KeyPair::generate("x");
        for (key, id, code) in [
            (&read_only, "push.write", "push-key-read-only"),
            (&stranger, "push.write", "ssh-key-refused"),
            (&stranger, "ssh.identity", "ssh-key-refused"),
        ] {
            lab.fresh();
            lab.apply().env("PUSHREADY_DEPLOY_KEY", &*key.private).run().success();
            let found = check(&lab.doctor(&["--only", "ssh,push"]).run().fails(1), id);
            assert_eq!(found["code"], code, "{found:#}");
            assert_eq!(found["fix"]["url"], "https://github.com/acme/app/settings/keys");
            assert_eq!(
                evidence(&found, "installed key"),
                format!("ssh-ed25519 {}", key.fingerprint)
            );
            let print = evidence(&found, "show the public key with");
            let public = ws.sh(print).run().success().stdout;
            assert_eq!(public.split(' ').nth(1), key.public.split(' ').nth(1), "{print}");
        }
        // of a key that ssh does not offer the server knows nothing
        lab.fresh();
        ws.set_mode(&lab.key_file(), 0o644);
        let found = check(&lab.doctor(&["--only", "ssh"]).run().fails(1), "ssh.identity");
        assert_eq!(found["code"], "key-permissions", "{found:#}");
    });
}

/// Whose settings page is where is known of the public forges alone.
#[test]
fn a_page_is_named_where_the_forge_has_it_or_not_at_all() {
    sandbox(|ws| {
        let host = GitHost::start();
        for (repository, page) in [
            (
                "gitlab.com/acme/app",
                Some("https://gitlab.com/acme/app/-/settings/repository#js-deploy-keys-settings"),
            ),
            ("git.corp.test/acme/app", None),
        ] {
            let key = KeyPair::generate("x");
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", repository);
            let apply = apply.env("PUSHREADY_DEPLOY_KEY", &*key.private);
            let name = repository.split('/').next().unwrap();
            apply.env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&[name])).run().success();
            let doctor = ws.run(&["doctor", "--json", "--only", "ssh.identity"]).fails(1).json();
            let found = &doctor["checks"][0];
            assert_eq!(
                (&found["code"], found["fix"]["url"].as_str()),
                (&"ssh-key-refused".into(), page),
                "{found:#}"
            );
        }
    });
}

/// An agent's shell has lost the variables; where its secret belongs is known all the same.
#[test]
fn a_lost_login_is_reported_with_the_source_that_it_came_from() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let said = |id: &str| {
            let report = ws
                .pushready(&["doctor", "--json", "--offline", "--only", "codex,claude"])
                .run()
                .json();
            let mut checks = report["checks"].as_array().unwrap().iter();
            let check = checks.find(|check| check["id"] == id && check["status"] == "fail");
            check.unwrap_or_else(|| panic!("{id}\n{report:#}"))["fix"]["message"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let lose = || {
            ws.sh("rm .codex/auth.json .claude/.credentials.json").run().success();
            [said("codex.login"), said("claude.login")]
        };
        ws.write("codex.json", seed.json(), 0o600);
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON_FILE", "~/codex.json");
        apply
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64", Base64::encode_string(token().as_bytes()))
            .run()
            .success();
        let [codex, claude] = lose();
        assert!(codex.contains("PUSHREADY_CODEX_AUTH_JSON_FILE"), "{codex}");
        assert_eq!(claude, "run apply where PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64 is set");
        ws.run(&["remove"]);

        ws.write(".config/pushready/seed/codex-auth.json", seed.json(), 0o600);
        ws.write(".config/pushready/seed/claude-oauth-token", token(), 0o600);
        ws.run(&["apply"]).success();
        let [codex, claude] = lose();
        assert!(
            codex.contains("seed/codex-auth.json") && codex.contains("coder secret update"),
            "{codex}"
        );
        assert_eq!(claude, "run apply: it reads `~/.config/pushready/seed/claude-oauth-token`");
    });
}

/// What apply had to refuse, and a check sees as well, is one fault: reported by the check, which knows
/// more of it.
#[test]
fn a_fault_that_apply_met_is_reported_once() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let reported = |code: &str| {
            let report = lab.doctor(&["--offline"]).run().fails(1).json();
            let checks = report["checks"].as_array().unwrap().iter();
            let of_code = checks
                .filter(|check| check["code"] == code)
                .map(|check| check["id"].as_str().unwrap());
            of_code.map(str::to_owned).collect::<Vec<_>>()
        };
        lab.apply().env("PUSHREADY_CLAUDE_TOKEN_CREATED", "2024-01-31").run().fails(1);
        assert_eq!(reported("claude-token-expired"), ["claude.login"]);
        lab.fresh();
        lab.append(".gitconfig", "[broken\n");
        lab.append("src/app/.git/config", "[broken\n");
        lab.apply().run().fails(1).stdout_has("git-config-invalid clone ~/src/app");
        assert_eq!(reported("git-config-invalid"), ["git.config"]);
        // what no check sees is reported as apply's
        lab.ws.write(".gitconfig", "[user]\n\tname = D\n\temail = d@example.com\n", 0o600);
        let output = ws.run(&["doctor", "--json", "--offline"]).fails(1);
        let mut checks = output.json()["checks"].as_array().unwrap().clone().into_iter();
        let clone = checks.find(|check| check["code"] == "git-config-invalid").unwrap();
        assert_eq!(
            (&clone["id"], &clone["subject"]),
            (&"home.provisioned".into(), &"clone ~/src/app".into())
        );
    });
}
