//! The module as an author meets it: refusals, plans, sources.

use std::fs;

use serde_json::json;

use super::{CHECK, Host, START, STOP, claude_token, everything, last_line};
use crate::support::{
    Agent, CRATE, KeyPair, Release, Template, canary, fake_auth, require, sandbox,
};

#[test]
fn no_secret_is_in_a_plan_a_script_or_a_command_line() {
    sandbox(|ws| {
        require("strace");
        let host = Host::start();
        let seed = fake_auth::chatgpt();
        let template = everything(ws, &host, &seed, "");
        let mut secrets = seed.secrets().to_vec();
        secrets.extend([seed.json(), claude_token(), host.key.private.clone()]);
        let plan = template.plan().success().stdout_has("(sensitive value)");
        canary::assert_absent("the plan", plan.to_string(), &secrets);
        let deployment = template.build(&[]);
        canary::assert_absent("the log of apply", &deployment.log, &secrets);
        for script in &deployment.scripts {
            canary::assert_absent(&script.address, &script.text, &secrets);
            // one element of argv: MAX_ARG_STRLEN
            assert!(
                script.text.len() < 128 << 10,
                "{} bytes in {}",
                script.text.len(),
                script.address
            );
        }
        for output in ["hook", "proof"] {
            let text = template.terraform(&["output", "-raw", output]).run().success().stdout;
            canary::assert_absent(output, &text, &secrets);
            assert!(text.starts_with("#!/bin/sh\n"), "{text}");
            // modules nest it in base64, twice
            assert!(text.len() < 30 << 10, "{output} is {} bytes", text.len());
        }
        let agent = Agent::of(ws, deployment);
        let log = "/tmp/exec.log";
        for address in [START, CHECK, STOP] {
            let strace = ["-f", "-qq", "-s", "1000000", "-e", "trace=execve", "-o", log];
            let traced = agent
                .cmd(&agent.deployment.script(address).text)
                .wrapped_in("strace", strace)
                .run()
                .success();
            canary::assert_absent(address, traced.to_string(), &secrets);
            let execs = fs::read(log).unwrap();
            assert!(
                String::from_utf8_lossy(&execs).contains("\"apply\""),
                "{address} did not apply"
            );
            canary::assert_absent("a command line", execs, &secrets);
        }
    });
}

#[test]
fn a_refusal_names_the_repository_and_never_the_value() {
    sandbox(|ws| {
        let template = Template::of_module(
            ws,
            "deploy_keys = var.keys",
            "variable \"keys\" { sensitive = true }",
        );
        template.variables(&json!({"keys": {
            "acme/public": "ssh-ed25519 AAAAcanary", "acme/path": "~/canary", "acme/pkcs1": "BEGIN RSA PRIVATE KEY canary",
            "https://canary@github.com/acme/url": "canary",
        }}));
        let plan = template.plan().fails(1);
        let stderr = plan.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "acme/public is a public key",
            "acme/path is a path",
            "acme/pkcs1 is a key in another format than OpenSSH's",
            "https://***@github.com/acme/url is not a private key",
        ] {
            assert!(stderr.contains(said), "{said}: {plan}");
        }
        assert!(!plan.to_string().contains("canary"), "{plan}");
    });
}

/// Whatever the template says of its variables: a plan's log is for many eyes.
#[test]
fn a_plan_that_refuses_shows_no_secret_even_if_it_was_not_marked_as_one() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let body = key.private.lines().nth(1).unwrap();
        let in_base64 = key
            .private
            .replace('\n', "")
            .replace("OPENSSH PRIVATE KEY", "")
            .replace(['-', ' '], "");
        let token = claude_token();
        for mark in ["{ sensitive = true }", "{}"] {
            let refuses = |arguments: &str, secret: &str, said: &str| {
                let template =
                    Template::of_module(ws, arguments, &format!("variable \"secret\" {mark}"));
                template.variables(&json!({"secret": secret}));
                let plan = template.plan().fails(1);
                let shown = plan
                    .stderr
                    .split_whitespace()
                    .filter(|word| *word != "│")
                    .collect::<Vec<_>>()
                    .join(" ");
                assert!(shown.contains(said), "{arguments}, {said}: {plan}");
                let reasons = [
                    "codex_auth_json is the text",
                    "codex_auth_json is neither",
                    "claude_oauth_token must be",
                    "claude_oauth_token is not",
                ];
                let reasons = reasons.iter().map(|reason| shown.matches(reason).count());
                assert!(reasons.sum::<usize>() <= 1, "one sentence for one value: {plan}");
                canary::assert_absent(
                    arguments,
                    plan.to_string(),
                    &[secret.trim().to_owned(), body.to_owned(), token.clone()],
                );
            };
            let swapped = "deploy_keys = { (var.secret) = \"acme/app\" }";
            refuses(
                swapped,
                &key.private,
                "entry 1 of the map (not shown: it is not a repository)",
            );
            refuses(swapped, &in_base64, "(not shown: it is not a repository)");
            refuses(
                swapped,
                &format!("https://x:{token}@github.com/acme/app"),
                "(not shown: it is not a repository)",
            );
            if mark != "{}" {
                continue;
            }
            let user = "deploy_keys = { \"https://${var.secret}@github.com/acme/app?x=y\" = \"acme/app\" }";
            refuses(user, &token, "https://***@github.com/acme/app?*** is not a private key");
            refuses(
                "deploy_keys = { \"acme/app\" = var.secret }",
                &token,
                "acme/app is not a private key",
            );
            refuses("codex_auth_json = var.secret", &format!("sk-proj-{token}"), "not an API key");
            refuses("codex_auth_json = var.secret", "sk-proj-…", "not an API key");
            refuses("claude_oauth_token = var.secret", "~/token of sk-ant", "a path or JSON");
            refuses(
                "claude_oauth_token = var.secret",
                &format!("sk-ant-api03-{token}"),
                "not an API key",
            );
            let two = "claude_other_auth = true\n  claude_oauth_token = var.secret";
            refuses(two, &token, "with two ways to log in");
        }
    });
}

/// As `tls_private_key` makes one: nothing is known of it while the plan is made.
#[test]
fn a_key_that_terraform_makes_is_judged_when_it_is_there() {
    sandbox(|ws| {
        let template = Template::of_module(
            ws,
            "deploy_keys = { \"acme/app\" = terraform_data.key.output }",
            "variable \"key\" {}\nresource \"terraform_data\" \"key\" {\n  input = var.key\n}",
        );
        let key = KeyPair::generate("app");
        template.variables(&json!({"key": key.public}));
        let refused = template.terraform(&["apply", "-no-color", "-auto-approve"]).run().fails(1);
        refused.stderr_has("acme/app is a public key");
        template.variables(&json!({"key": key.private}));
        let agent = Agent::of(ws, template.build(&[]));
        agent.run(START).success().stdout_has(&key.fingerprint);
    });
}

#[test]
fn the_module_comes_by_git_too_and_from_a_checkout_with_other_line_ends() {
    sandbox(|ws| {
        let make = format!(
            "mkdir /tmp/repository && cd /tmp/repository && cp -r {CRATE}/scripts . && git init -q && git add . &&
             git -c user.name=T -c user.email=t@example.com commit -qm module && git tag v0.1.0 &&
             cp -r scripts/coder /tmp/windows && find /tmp/windows -type f -exec sed -i 's/$/\\r/' {{}} +"
        );
        ws.sh(&make).run().success();
        // from the repository, install.sh pins nothing
        let unpinned = Template::of_source(ws, "/tmp/repository/scripts/coder", "").plan().fails(1);
        let said = unpinned.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("set download_url") && said.contains("set pushready_version and sha256"),
            "{unpinned}"
        );

        let release = Release::publish();
        let arguments = format!(
            "download_url = \"{}\"\n  pushready_version = \"{}\"\n  sha256 = {{ {} = \"{}\" }}",
            release.folder,
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            release.sha256
        );
        for source in ["git::file:///tmp/repository//scripts/coder?ref=v0.1.0", "/tmp/windows"] {
            let template = Template::of_source(ws, source, &arguments);
            let agent = Agent::of(ws, template.build(&[]));
            assert!(agent.deployment.scripts.iter().all(|script| !script.text.contains('\r')));
            let run = agent.run(START).success();
            assert!(last_line(&run).starts_with("NOTHING REQUIRED WAS CHECKED"), "{source}: {run}");
        }
    });
}

#[test]
fn the_module_is_formatted_valid_and_passes_its_own_tests() {
    sandbox(|ws| {
        let template = Template::of_module(ws, "install = false", "");
        template.terraform(&["validate", "-no-color"]).run().success();
        for folder in ["scripts/coder", "tests/terraform", "examples"] {
            let folder = format!("{CRATE}/{folder}");
            template.terraform(&["fmt", "-check", "-diff", "-recursive", &folder]).run().success();
        }
        // init leaves a folder behind, and the sources are read-only
        ws.cmd("cp")
            .args(["-r", &format!("{CRATE}/scripts/coder"), "/tmp/author/module"])
            .run()
            .success();
        let in_module =
            |args: &[&str]| template.terraform(args).current_dir("/tmp/author/module").run();
        in_module(&["init", "-no-color"]).success();
        in_module(&["test", "-no-color"]).success().stdout_has(", 0 failed.");
    });
}
