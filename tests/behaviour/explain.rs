//! `pushready explain` and `pushready agents-md`, the former on what a real git prints when a real
//! server refuses it.

use crate::support::{Access, Coder, GitHost, KeyPair, Output, Workspace, canary, sandbox};
use serde_json::Value;

const URL: &str = "git@github.com:acme/app.git";

/// ssh with this key alone, as GIT_SSH_COMMAND; the host's key is known.
fn ssh_with(ws: &Workspace, host: &GitHost, key: &KeyPair) -> String {
    ws.write(".ssh/known_hosts", host.known_hosts(&["github.com"]), 0o644);
    let file = ws.home().join(".ssh/key");
    std::fs::remove_file(&file).ok();
    key.write_to(&file);
    format!("ssh -o BatchMode=yes -o IdentitiesOnly=yes -i {}", file.display())
}

/// A clone of one commit that was never on the server.
fn clone(ws: &Workspace) {
    ws.git(&["init", "--quiet", "--initial-branch=main", "app"]).run().success();
    let git = |args: &[&str]| ws.git(args).current_dir("app").run().success();
    git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
    git(&["remote", "add", "origin", URL]);
}

/// What a push prints on both its outputs.
fn pushed(ws: &Workspace, ssh: &str, args: &[&str]) -> String {
    let args: Vec<_> = ["push"].iter().chain(args).collect();
    let output = ws.git(&[]).args(args).current_dir("app").env("GIT_SSH_COMMAND", ssh).run();
    output.stdout + &output.stderr
}

fn explain(ws: &Workspace, text: impl Into<Vec<u8>>) -> Output {
    ws.pushready(&["explain", "--push", "-", "--json"]).stdin(text).run()
}

/// The one check of the answer; its code is `code`.
#[track_caller]
fn names(output: &Output, code: &str) -> Value {
    assert_eq!(output.status.code(), Some(1), "{output}");
    let answer = output.json();
    let check = answer["checks"][0].clone();
    assert_eq!(
        (&check["code"], &answer["overall"]),
        (&Value::from(code), &check["status"]),
        "{output}"
    );
    assert!(check["fix"]["message"].is_string(), "{output}");
    check
}

#[test]
fn a_push_that_the_servers_rules_refuse() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let ssh = ssh_with(ws, &host, &host.deploy_key("acme/app", Access::Write));
        clone(ws);
        for (words, code) in [
            (
                "error: GH006: Protected branch update failed for refs/heads/main.",
                "push-branch-protected",
            ),
            (
                "error: GH013: Repository rule violations found for refs/heads/main.",
                "push-rule-violation",
            ),
            ("error GH009: Secrets detected! This push failed.", "push-secret-blocked"),
            (
                "error: GH001: Large files detected. You may want to try Git Large File Storage",
                "push-file-too-large",
            ),
            (
                "error: GH007: Your push would publish a private email address.",
                "push-email-private",
            ),
            ("no ticket number in the message", "push-hook-declined"),
        ] {
            host.install_hook(
                "acme/app",
                "pre-receive",
                &format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n"),
            );
            for flags in [
                &["origin", "HEAD:refs/heads/new"][..],
                &["--porcelain", "origin", "HEAD:refs/heads/new"],
            ] {
                let check = names(&explain(ws, pushed(ws, &ssh, flags)), code);
                assert_eq!(check["subject"], URL);
                let said: Vec<_> = check["evidence"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|line| &line["value"])
                    .collect();
                assert!(said.contains(&&Value::from(words)), "{check:#}");
            }
        }
        host.install_hook("acme/app", "pre-receive", "#!/bin/sh\necho 'by the way: GH006' >&2\n");
        let text = pushed(ws, &ssh, &["origin", "HEAD:refs/heads/new"]);
        let answer = explain(ws, text).success().json();
        assert_eq!(
            (&answer["overall"], &answer["checks"][0]["code"]),
            (&Value::from("pass"), &Value::Null)
        );
        // the branch of the server has a commit that this clone never saw
        names(
            &explain(ws, pushed(ws, &ssh, &["origin", "HEAD:refs/heads/main"])),
            "push-non-fast-forward",
        );
        names(&explain(ws, pushed(ws, &ssh, &["origin", "absent"])), "push-local-ref");
    });
}

#[test]
fn a_push_that_gets_no_access() {
    sandbox(|ws| {
        let host = GitHost::start();
        for name in ["acme/app", "acme/other"] {
            host.repository(name);
        }
        clone(ws);
        // only a verbose push names the remote before the server has let it in
        let push = |key: &KeyPair| {
            pushed(ws, &ssh_with(ws, &host, key), &["--verbose", "origin", "HEAD:refs/heads/new"])
        };

        let read_only = names(
            &explain(ws, push(&host.deploy_key("acme/app", Access::Read))),
            "push-key-read-only",
        );
        assert_eq!(read_only["fix"]["url"], "https://github.com/acme/app/settings/keys");
        assert_eq!(
            (&read_only["actor"], &read_only["stop_and_report"]),
            (&"repo_admin".into(), &true.into())
        );

        let of_another = push(&host.deploy_key("acme/other", Access::Write));
        names(&explain(ws, &*of_another), "push-repository-not-found");
        // with the greeting of that same key the nearer cause is reported
        let greeting =
            ws.sh("ssh -i .ssh/key -o IdentitiesOnly=yes -T git@github.com").run().stderr;
        names(&explain(ws, greeting + &of_another), "ssh-wrong-key");

        let user = host.user_key("octocat", &[("acme/app", Access::Read)]);
        names(&explain(ws, push(&user)), "push-denied");
        names(&explain(ws, push(&KeyPair::generate("stranger"))), "ssh-key-refused");

        let ssh = ssh_with(ws, &host, &user);
        ws.set_mode(".ssh/key", 0o644);
        names(&explain(ws, pushed(ws, &ssh, &["origin", "HEAD"])), "key-permissions");
        ws.write(".ssh/key", "damaged\n", 0o600);
        names(&explain(ws, pushed(ws, &ssh, &["origin", "HEAD"])), "key-malformed");
        ws.write(".ssh/known_hosts", "", 0o644);
        names(&explain(ws, pushed(ws, &ssh, &["origin", "HEAD"])), "ssh-host-key-unknown");
        let stranger = KeyPair::generate("host").public;
        ws.write(".ssh/known_hosts", format!("github.com {stranger}\n"), 0o644);
        names(&explain(ws, pushed(ws, &ssh, &["origin", "HEAD"])), "ssh-host-key-changed");
        names(&explain(ws, pushed(ws, "absent-ssh", &["origin", "HEAD"])), "ssh-command-broken");

        ws.git(&["remote", "set-url", "origin", "git@nowhere.invalid:acme/app.git"])
            .current_dir("app")
            .run();
        names(&explain(ws, pushed(ws, "ssh", &["origin", "HEAD"])), "ssh-host-unresolved");
        ws.git(&["remote", "set-url", "origin", "ssh://git@localhost:1/acme/app"])
            .current_dir("app")
            .run();
        names(&explain(ws, pushed(ws, "ssh", &["origin", "HEAD"])), "ssh-port-blocked");
        let https = "https://localhost:1/acme/app";
        ws.git(&["remote", "set-url", "origin", https]).current_dir("app").run();
        names(&explain(ws, pushed(ws, "ssh", &["origin", "HEAD"])), "git-unreachable");
    });
}

#[test]
fn the_banner_of_coder_gitssh_is_ignored() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        clone(ws);
        let coder = Coder::install(Some(&host.user_key("octocat", &[])));
        let text = pushed(ws, &coder.git_ssh_command(), &["origin", "HEAD"]);
        assert!(text.contains("Coder authenticates with git"), "{text}");
        let check = names(&explain(ws, text), "ssh-host-key-unknown");
        assert!(!check.to_string().contains("Coder authenticates"), "{check:#}");
        // coderd is out of reach
        std::fs::remove_file("/tmp/coder.rig/coder-gitsshkey").unwrap();
        names(
            &explain(ws, pushed(ws, &coder.git_ssh_command(), &["origin", "HEAD"])),
            "gitssh-blocked",
        );
    });
}

#[test]
fn what_https_answers() {
    sandbox(|ws| {
        let url = "https://github.com/acme/app.git/";
        let error = |status: u16| {
            format!("fatal: unable to access '{url}': The requested URL returned error: {status}\n")
        };
        for (text, code) in [
            (
                format!("remote: Invalid username or token.\nfatal: Authentication failed for '{url}'\n"),
                "push-no-credentials",
            ),
            (
                "fatal: could not read Username for 'https://github.com': terminal prompts disabled\n"
                    .to_owned(),
                "push-no-credentials",
            ),
            (format!("remote: Permission to acme/app.git denied to octocat.\n{}", error(403)), "push-denied"),
            (format!("remote: Write access to repository not granted.\n{}", error(403)), "push-denied"),
            (error(403), "push-denied"),
            (
                format!("remote: Repository not found.\nfatal: repository '{url}' not found\n"),
                "push-repository-not-found",
            ),
            (error(404), "push-repository-not-found"),
            (error(502), "push-server-error"),
        ] {
            let check = names(&explain(ws, &*text), code);
            // the host alone, as in a question for a user name, is not a repository
            let subject = if text.contains(url) { URL.into() } else { Value::Null };
            assert_eq!(check["subject"], subject, "{text}");
        }
    });
}

#[test]
fn hostile_and_odd_input() {
    sandbox(|ws| {
        let token = ["ghp", "_", &"Zx9".repeat(12)].concat();
        let leak = format!(
            "remote: {token}\nfatal: unable to access 'https://x-access-token:{token}@github.com/acme/app.git/': The requested URL returned error: 403\n"
        );
        for args in [&["explain", "--push", "-"][..], &["explain", "--push", "-", "--json"]] {
            let output = ws.pushready(args).stdin(&*leak).run().fails(1).stdout_has("push-denied");
            canary::assert_absent("the answer", output.to_string(), &[token.as_str()]);
        }
        // any file may be named: what is not a message is not quoted
        ws.write("secret", format!("{token}\npassword\n"), 0o600);
        let output =
            ws.run(&["explain", "--push", "secret"]).fails(1).stdout_has("push-unrecognized");
        canary::assert_absent("the answer", output.to_string(), &[token.as_str(), "password"]);
        ws.run(&["explain", "--push", "absent"]).fails(2).stderr_has("cannot read `absent`");

        let check = names(&explain(ws, ""), "push-unrecognized");
        assert_eq!(check["status"], "unknown");
        let german = names(
            &explain(ws, "fatal: Konnte nicht vom Remote-Repository lesen.\n"),
            "push-unrecognized",
        );
        assert!(german["reason"].as_str().unwrap().contains("LC_ALL=C"), "{german:#}");
        let bytes: Vec<u8> = (0..=255u8).cycle().take(1 << 16).collect();
        names(&explain(ws, bytes), "push-unrecognized");
        // PowerShell writes UTF-16, some editors without its mark
        let text = "Host key verification failed.\r\n";
        for (mark, order) in [
            (true, u16::to_le_bytes as fn(u16) -> [u8; 2]),
            (true, u16::to_be_bytes),
            (false, u16::to_le_bytes),
            (false, u16::to_be_bytes),
        ] {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> = units.flat_map(order).collect();
            names(&explain(ws, bytes), "ssh-host-key-unknown");
        }
        // so much is read and no more, so an endless text has an end
        let endless =
            ws.sh("yes 'Host key verification failed.' | pushready explain --push -").run();
        endless.fails(1).stdout_has("ssh-host-key-unknown");
    });
}

#[test]
fn a_code_is_explained_without_network_or_home() {
    sandbox(|ws| {
        let before = ws.snapshot();
        let text = ws
            .pushready(&["explain", "push-key-read-only"])
            .env_remove("HOME")
            .run()
            .success()
            .stdout;
        for part in [
            "push-key-read-only\n",
            "\ncause\n",
            "\nhow it is found\n",
            "\nfix (by: repository admin)\n",
            "stop here and report",
        ] {
            assert!(text.contains(part), "{part:?}: {text}");
        }
        let json = ws.run(&["explain", "push-branch-protected", "--json"]).success().json();
        assert_eq!(
            (&json["code"], &json["agent_may_fix"]),
            (&"push-branch-protected".into(), &true.into())
        );
        for part in ["cause", "found", "fix", "condition", "actor"] {
            assert!(json[part].as_str().is_some_and(|text| !text.is_empty()), "{part}: {json:#}");
        }
        let unknown = ws.run(&["explain", "push-key-readonly"]).fails(2);
        unknown
            .stderr_has("there is no code or check `push-key-readonly`")
            .stderr_has("`push-key-read-only`");

        let codes = ws.run(&["explain", "--json"]).success().json();
        let codes = codes["codes"].as_array().unwrap().clone();
        let list = ws.run(&["explain"]).success().stdout;
        for code in &codes {
            let name = code["code"].as_str().unwrap();
            assert!(list.contains(&format!("\n  {name} ")), "{name}");
            let lines = ws.run(&["explain", name]).success().stdout;
            assert!(lines.lines().count() <= 32, "{lines}");
            // what is between backticks is not broken
            assert!(lines.lines().all(|line| line.chars().count() <= 100), "{lines}");
        }
        assert!(codes.len() > 110, "{}", codes.len());
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_check_is_explained() {
    sandbox(|ws| {
        let text = ws.run(&["explain", "ssh.route"]).success().stdout;
        for part in ["ssh.route\n", "pushready doctor --only ssh.route", "ssh-route-broken"] {
            assert!(text.contains(part), "{part:?}: {text}");
        }
        let json = ws.run(&["explain", "push.live", "--json"]).success().json();
        assert_eq!((&json["check"], &json["depth"]), (&"push.live".into(), &"live".into()));
        assert!(json["codes"].as_array().unwrap().contains(&"push-denied".into()), "{json:#}");
        ws.run(&["explain", "ssh.rout"]).fails(2).stderr_has("the nearest is `ssh.route`");
    });
}

/// The end of a long log is read, and the answer names what was not.
#[test]
fn of_a_long_log_the_end_counts() {
    sandbox(|ws| {
        let mut log = "Host key verification failed.\n".to_owned();
        log.push_str(&"a line of a build\n".repeat(200_000));
        log.push_str("fatal: Authentication failed for 'https://github.com/acme/app.git/'\n");
        ws.write("log", &*log, 0o644);
        let by_file = ws.run(&["explain", "--push", "log", "--json"]);
        for output in [by_file, explain(ws, &*log)] {
            let check = names(&output, "push-no-credentials");
            assert_eq!(check["evidence"][0]["label"], "not read");
            assert!(check["evidence"].as_array().unwrap().len() <= 8, "{check:#}");
        }
    });
}

/// git prints in the user's language. Each pull fails, so none of the texts proves a success.
#[test]
fn a_pull_that_fails_is_not_a_success_in_any_language() {
    const LANGUAGES: [&str; 18] = [
        "bg", "ca", "de", "el", "es", "fr", "id", "is", "it", "ko", "pl", "pt_PT", "ru", "sv",
        "tr", "vi", "zh_CN", "zh_TW",
    ];
    sandbox(|ws| {
        let git = |folder: &str, args: &[&str]| ws.git(args).current_dir(folder).run().success();
        ws.git(&["init", "--quiet", "--bare", "--initial-branch=main", "server.git"])
            .run()
            .success();
        ws.git(&["clone", "--quiet", "server.git", "one"]).run().success();
        ws.write("one/f", "1\n", 0o644);
        git("one", &["add", "f"]);
        git("one", &["commit", "--quiet", "--message=1"]);
        git("one", &["push", "--quiet", "origin", "HEAD:main"]);
        ws.git(&["clone", "--quiet", "server.git", "two"]).run().success();
        for (folder, text) in [("one", "2\n"), ("two", "3\n")] {
            ws.write(&format!("{folder}/f"), text, 0o644);
            git(folder, &["commit", "--quiet", "--all", "--message=more"]);
        }
        git("one", &["push", "--quiet", "origin", "HEAD:main"]);
        let base = git("two", &["rev-parse", "origin/main"]).stdout.trim().to_owned();
        for language in LANGUAGES {
            for args in [&["pull"][..], &["pull", "--no-rebase"], &["pull", "--rebase"]] {
                let pull = ws
                    .git(args)
                    .current_dir("two")
                    .env("LC_ALL", "C.UTF-8")
                    .env("LANGUAGE", language)
                    .run();
                assert!(!pull.status.success(), "{language} {args:?}: {pull}");
                for text in [pull.stderr.clone() + &pull.stdout, pull.stdout + &pull.stderr] {
                    let answer = explain(ws, &*text);
                    assert_eq!(answer.status.code(), Some(1), "{language} {args:?}: {text}");
                }
                for undo in ["merge", "rebase"] {
                    ws.git(&[undo, "--abort"]).current_dir("two").run();
                }
                git("two", &["update-ref", "refs/remotes/origin/main", &base]);
            }
        }
    });
}

#[test]
fn the_paragraph_for_agents_fits_and_names_what_exists() {
    sandbox(|ws| {
        let text = ws.run(&["agents-md"]).success().stdout;
        assert!(text.lines().count() <= 12, "{text}");
        for part in
            ["pushready doctor --json", "pushready explain --push", "stop_and_report", "ssh -T"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        for command in ["doctor", "explain"] {
            ws.run(&[command, "--help"]).success();
        }
    });
}
