//! No secret where it does not belong, and no file that others could read for even a moment.

use std::fs;

use serde_json::json;

use crate::support::{Cmd, Everything, KeyPair, Workspace, canary, require, sandbox};

/// `cmd` with all variables, and as talkative as it can be.
fn talkative(everything: &Everything, cmd: Cmd) -> Cmd {
    everything.on(cmd).env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace")
}

/// The files that are there to hold a secret.
const HOLDERS: &[&str] = &[
    ".codex/auth.json",
    ".claude/.credentials.json",
    ".local/state/pushready/codex/last-good.json",
    ".local/state/pushready/keys/",
    ".local/state/pushready/undo/",
    // the binary, byte for byte: nothing of this run can be in it
    ".local/state/pushready/bin/",
];

#[test]
fn no_secret_is_in_any_output_or_in_any_other_file() {
    sandbox(|ws| {
        let everything = Everything::new();
        let all = everything.secrets();
        let commands: &[&[&str]] = &[
            &["-vv", "apply", "--dry-run"],
            &["-vv", "apply"],
            &["apply", "--json"],
            &["status"],
            &["status", "--json"],
            &["status", "--line"],
            &["-vvv", "apply", "--dry-run", "--json"],
            &["-vvv", "status"],
            &["-vv", "remove", "--dry-run", "--json"],
        ];
        for command in commands {
            let output = talkative(&everything, ws.pushready(command)).run().success();
            canary::assert_absent(&format!("{command:?}"), output.to_string(), &all);
        }
        // seeds stand in the environment, and nothing answers here: there is much to report, and no
        // word of them in it
        for command in
            [&["-vvv", "doctor"][..], &["-vvv", "doctor", "--json"], &["-vvv", "doctor", "--short"]]
        {
            let output = talkative(&everything, ws.pushready(command)).run();
            canary::assert_absent(&format!("{command:?}"), output.to_string(), &all);
            assert!(output.stderr.contains("DEBUG"), "{output}");
        }
        for path in ws.snapshot().paths() {
            let file = ws.home().join(path);
            let shown = path.display().to_string();
            if file.is_file() && !HOLDERS.iter().any(|holder| shown.starts_with(holder)) {
                canary::assert_absent(&shown, fs::read(file).unwrap(), &all);
            }
        }
        let output = talkative(&everything, ws.pushready(&["-vv", "remove"])).run().success();
        canary::assert_absent("remove", output.to_string(), &all);
    });
}

#[test]
fn what_holds_a_secret_is_private_from_birth() {
    sandbox(|ws| {
        require("strace");
        let everything = Everything::new();
        let log = ws.home().join("open.log");
        let options = ["-f", "-e", "trace=openat,?open,mkdir,mkdirat,chmod,fchmod,fchmodat", "-o"];
        // umask 000 would show a mode that only the umask narrows
        let script = format!(
            "umask 000; exec strace {} {} pushready apply",
            options.join(" "),
            log.display()
        );
        talkative(&everything, ws.sh(&script)).run().success();
        let log = fs::read_to_string(log).unwrap();
        let mut created = 0;
        for line in log.lines().filter(|line| !line.contains(" resumed>")) {
            // a call that another thread interrupts has its arguments in its first line
            let (call, _) =
                line.split_once(" <unfinished").or(line.rsplit_once(" = ")).unwrap_or((line, ""));
            let call = call.trim_end_matches([' ', ')']);
            if call.contains("O_CREAT") {
                created += 1;
                // 0644 is the lock of codex
                assert!(call.ends_with(", 0600") || call.ends_with(", 0644"), "{line}");
            }
            if call.contains("mkdir") {
                // the sticky bit marks the lock folders that are ours
                assert!(call.ends_with(" 0700") || call.ends_with(" 01700"), "{line}");
            }
        }
        assert!(created >= 8, "only {created} files were created:\n{log}");
        for path in ws.snapshot().paths() {
            let mode = ws.mode(path.to_str().unwrap());
            let shown = path.display().to_string();
            let open = ["exec.log", "open.log", ".codex/auth.lock"];
            assert!(
                mode.trailing_zeros() >= 6 || open.contains(&&*shown),
                "{shown} has mode {mode:04o}"
            );
        }
    });
}

#[test]
fn modes_are_restored() {
    sandbox(|ws| {
        let everything = Everything::new();
        let apply =
            |ws: &Workspace| talkative(&everything, ws.pushready(&["apply"])).run().success();
        apply(ws);
        let keys = ws.home().join(".local/state/pushready/keys");
        let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
        let key = key.strip_prefix(ws.home()).unwrap().to_str().unwrap();
        for path in [".codex/auth.json", ".claude/.credentials.json", key] {
            ws.set_mode(path, 0o644);
        }
        apply(ws);
        for path in [".codex/auth.json", ".claude/.credentials.json", key] {
            assert_eq!(ws.mode(path), 0o600, "{path}");
        }
    });
}

#[test]
fn a_place_that_is_not_safe_is_refused_by_name_and_the_rest_goes_on() {
    sandbox(|ws| {
        let everything = Everything::new();
        ws.write("victim", "precious", 0o644);
        fs::create_dir(ws.home().join(".codex")).unwrap();
        std::os::unix::fs::symlink("../victim", ws.home().join(".codex/auth.json")).unwrap();
        let output = talkative(&everything, ws.pushready(&["apply"])).run().fails(1);
        assert!(output.stdout.contains("symlink"), "{output}");
        assert_eq!(ws.read("victim"), "precious");
        assert!(
            ws.home().join(".claude/.credentials.json").exists(),
            "the others still go through"
        );
        assert!(output.stdout.contains("NOT READY home-unsafe-place codex"), "{output}");
    });
}

/// What is reported names the obstacle, not what it kept from being written; and its fix can be
/// pasted into a shell.
#[test]
fn an_unsafe_place_has_a_code_of_its_own_and_a_fix_that_runs() {
    sandbox(|ws| {
        let everything = Everything::new();
        let (codex, claude) = ("my codex's", "my $claude;");
        for folder in [codex, claude] {
            fs::create_dir(ws.home().join(folder)).unwrap();
        }
        ws.write("victim", "precious", 0o644);
        let apply = || {
            let apply = talkative(&everything, ws.pushready(&["apply", "--json"]));
            apply
                .env("CODEX_HOME", ws.home().join(codex))
                .env("CLAUDE_CONFIG_DIR", ws.home().join(claude))
                .run()
        };
        std::os::unix::fs::symlink("../victim", ws.home().join(codex).join("auth.json")).unwrap();
        fs::create_dir(ws.home().join(claude).join(".credentials.json")).unwrap();
        let report = apply().fails(1).json();
        let failed: Vec<_> = report["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["status"] == "fail")
            .collect();
        assert_eq!(failed.len(), 2, "{report:#}");
        for item in failed {
            assert_eq!(item["code"], "home-unsafe-place", "{item:#}");
            let fix = item["fix"].as_str().unwrap();
            let command = fix.split_once('`').unwrap().1.rsplit_once('`').unwrap().0;
            ws.sh(command).run().success();
        }
        apply().success();
        // the target of the link is in its place now, and what apply replaced is kept
        assert!(!ws.home().join("victim").exists());
        let undo = ws.sh("cat .local/state/pushready/undo/*").run().success();
        assert!(undo.stdout.contains("precious"), "{undo}");
    });
}

/// The value where its path belongs is an easy mistake in a template, and the message about it must
/// not be the leak.
#[test]
fn a_value_instead_of_its_path_is_not_shown() {
    sandbox(|ws| {
        let everything = Everything::new();
        let keys = json!({"acme/app": everything.key.private}).to_string();
        for (name, value) in [
            ("PUSHREADY_DEPLOY_KEY_FILE", everything.key.private.clone()),
            ("PUSHREADY_DEPLOY_KEYS_FILE", keys),
            ("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", everything.token.clone()),
            ("PUSHREADY_CODEX_AUTH_JSON_FILE", everything.seed.json()),
        ] {
            let apply = ws.pushready(&["-vv", "apply"]).env("PUSHREADY_REPOSITORY", "acme/app");
            let output = apply.env(name, value).run();
            canary::assert_absent(name, output.to_string(), &everything.secrets());
            output.fails(1).stdout_has("contains the value itself");
        }
        ws.run(&["remove"]).success();
        let [seed, token] = [everything.seed.json(), everything.token.clone()];
        for (name, value, said) in [
            ("PUSHREADY_SEED_DIR", &seed, "is not the path of a folder (<"),
            ("PUSHREADY_SEED_DIR", &token, "is not the path of a folder (<"),
            ("PUSHREADY_TRUSTED_FOLDERS", &token, "is ignored: the path of a folder starts with"),
            ("PUSHREADY_REMOTES_ROOTS", &seed, "is ignored: the path of a folder starts with"),
            (&format!("PUSHREADY_{token}"), &seed, "is ignored: it is not a variable"),
        ] {
            let output =
                ws.pushready(&["-vv", "apply"]).env(name, value).run().success().stdout_has(said);
            canary::assert_absent(name, output.to_string(), &everything.secrets());
            ws.run(&["remove"]).success();
        }
    });
}

/// Tokens have no slash, as a rule, and base64 has one now and then: neither is printed where a path
/// or a name is wanted.
#[test]
fn a_token_instead_of_a_path_or_a_name_is_not_printed() {
    sandbox(|ws| {
        let body = "Canary0123456789".repeat(2);
        let tokens = ["at-", "rt_", "sk-proj-", "eyJhbGciOiJSUzI1NiJ9.e30."].map(|start| {
            // what is looked for is the part that no program knows
            format!("{start}{body}")
        });
        let base64 = format!("{body}/{body}");
        let check = |name: &str, value: &str| {
            for command in [&["-vv", "apply"][..], &["apply", "--json"], &["-vv", "doctor"]] {
                let output = ws.pushready(command).env(name, value).run();
                canary::assert_absent(&format!("{command:?} {name}"), output.to_string(), &[&body]);
            }
        };
        for name in [
            "PUSHREADY_CODEX_AUTH_JSON_FILE",
            "PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE",
            "PUSHREADY_DEPLOY_KEYS_FILE",
            "PUSHREADY_DEPLOY_KEY_FILE",
            "PUSHREADY_GITHUB_TOKEN_FILE",
            "CLAUDE_CODE_OAUTH_TOKEN_FILE",
            "PUSHREADY_SEED_DIR",
            "PUSHREADY_TRUSTED_FOLDERS",
            "PUSHREADY_REMOTES_ROOTS",
        ] {
            check(name, &base64);
            check(name, &tokens[0]);
        }
        for token in &tokens {
            check("PUSHREADY_CODEX_AUTH_JSON_FILE", token);
            check("PUSHREADY_REPOSITORY", token);
            for url in [
                format!("https://{token}@github.com/acme/app"),
                format!("https://dev:{token}@github.com/acme/app.git"),
                format!("https://{token}@github.com/acme"),
                format!("{token}@github.com:acme/app"),
            ] {
                check("PUSHREADY_REPOSITORY", &url);
                let key = &*KeyPair::generate("app").private;
                let output = ws
                    .pushready(&["-vv", "apply"])
                    .env("PUSHREADY_REPOSITORY", &url)
                    .env("PUSHREADY_DEPLOY_KEY", key)
                    .run();
                canary::assert_absent(&url, output.to_string(), &[&body]);
                ws.run(&["remove"]).success();
            }
        }
        for start in ["ghp_", "github_pat_", "glpat-"] {
            for repository in
                [format!("git@github.com:{start}{body}/x.git"), format!("{start}{body}/x")]
            {
                for option in ["--repo", "--also"] {
                    let doctor =
                        ws.pushready(&["-vvv", "doctor", "--offline", option, &repository]);
                    let output = doctor.run().fails(2).stderr_has("looks like a token");
                    let printed = [output.stdout, output.stderr].concat();
                    canary::assert_absent(option, printed, &[&body]);
                }
            }
        }
        // it is a path all the same where a file has that name
        ws.write("token", format!("sk-ant-oat01-{}", "x".repeat(60)), 0o600);
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", "token")
            .run()
            .success()
            .stdout_has("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE");
    });
}

#[test]
fn a_state_folder_that_others_can_write_is_closed() {
    sandbox(|ws| {
        let everything = Everything::new();
        ws.write(".local/state/pushready/x", "", 0o600);
        fs::remove_file(ws.home().join(".local/state/pushready/x")).unwrap();
        ws.set_mode(".local/state/pushready", 0o777);
        talkative(&everything, ws.pushready(&["apply"])).run().success();
        assert_eq!(ws.mode(".local/state/pushready"), 0o700);
    });
}

/// No quoting carries such a path through ssh's configuration; written all the same, it would break
/// ssh for every host.
#[test]
fn a_state_path_that_ssh_cannot_hold_is_refused_and_ssh_goes_on() {
    sandbox(|ws| {
        let everything = Everything::new();
        for name in ["o'brien", "a\"b", "a%b", "a[b]", "a\\b", "a\nb"] {
            let state = ws.home().join(name);
            let apply = talkative(&everything, ws.pushready(&["apply"]));
            let output = apply.env("XDG_STATE_HOME", &state).run().fails(1);
            assert!(output.stdout.contains("ssh-route-broken"), "{output}");
            assert!(!ws.home().join(".ssh/config").exists(), "{output}");
            ws.pushready(&["remove"]).env("XDG_STATE_HOME", &state).run().success();
        }
    });
}

/// A token may have been put into its place by hand, before pushready came.
#[test]
fn what_stood_in_a_login_is_kept_whole_and_never_in_the_receipt() {
    sandbox(|ws| {
        let everything = Everything::new();
        let refresh = format!("refresh-{}", "canary".repeat(4));
        let path = ".claude/.credentials.json";
        for before in [
            json!({"accessToken": everything.token, "scopes": ["user:inference"]}),
            json!({"accessToken": "", "refreshToken": refresh}),
        ] {
            let before = json!({"claudeAiOauth": before}).to_string();
            ws.write(path, &before, 0o600);
            talkative(&everything, ws.pushready(&["apply"])).run().success();
            let receipt = ws.read(".local/state/pushready/receipt.json");
            canary::assert_absent(
                "the receipt",
                &receipt,
                &[everything.token.clone(), refresh.clone()],
            );
            ws.run(&["remove"]).success();
            assert_eq!(ws.read(path), before);
        }
    });
}

/// Neither a crash nor a neighbour of the same user gets at the memory (proc(5),
/// PR_SET_DUMPABLE(2const)).
#[test]
fn a_running_process_leaves_no_core_and_cannot_be_read() {
    sandbox(|ws| {
        // it waits for us with its secrets
        ws.sh("mkfifo fifo").run().success();
        let script = r"pushready apply --stdin <fifo >/dev/null & exec 3>fifo
            until grep -q 'core file size *0 *0' /proc/$!/limits; do :; done
            cat /proc/$!/environ >/dev/null && echo readable
            printf '{}' >&3; exec 3>&-; wait $!";
        let output = ws.sh(script).wrapped_in("timeout", ["20"]).run();
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), ""), "{output}");
        output.stderr_has("/environ: Permission denied");
    });
}

/// What the log says at each number of `-v`, beside a report that says more.
#[test]
fn a_v_says_more_and_each_more_logs_more() {
    sandbox(|ws| {
        let everything = Everything::new();
        let apply =
            |arguments: &[&str]| talkative(&everything, ws.pushready(arguments)).run().success();
        let quiet = apply(&["apply", "--dry-run"]);
        assert_eq!(quiet.stderr, "", "{quiet}");
        let first = apply(&["-v", "apply"]).stdout_has("      write ~/.codex/auth.json");
        assert!(
            first.stderr.contains("INFO write path=") && !first.stderr.contains("DEBUG"),
            "{first}"
        );
        let doctor = |arguments: &[&str]| ws.run(&[arguments, &["doctor", "--offline"]].concat());
        let (quiet, more, log) = (doctor(&[]), doctor(&["-v"]), doctor(&["-vv"]));
        assert!(
            !quiet.stdout.contains("ok       codex.login") && quiet.stderr.is_empty(),
            "{quiet}"
        );
        more.stdout_has("ok       codex.login").stderr_has("INFO codex.login results=");
        log.stderr_has("DEBUG");
    });
}

#[test]
fn nothing_depends_on_colour_and_each_help_has_examples() {
    sandbox(|ws| {
        for command in ["apply", "doctor", "status", "remove", "explain", "agents-md", "install"] {
            let help =
                ws.pushready(&[command, "--help"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
            let help =
                help.run().success().stdout_has(&format!("Examples:\n  pushready {command}"));
            assert!(!help.stdout.contains('\u{1b}'), "{help}");
        }
        let log = ws.pushready(&["-vvv", "doctor", "--offline"]).env("NO_COLOR", "1").run();
        assert!(!log.to_string().contains('\u{1b}') && !log.stderr.is_empty(), "{log}");
    });
}

/// A secret in the wrong place of the command line is in the history already; it need not be
/// in a log as well.
#[test]
fn what_was_typed_in_a_wrong_place_is_not_repeated() {
    sandbox(|ws| {
        let token = format!("ghp_{}", "x".repeat(36));
        for args in [
            &["doctor", "--only", &token][..],
            &["doctor", "--skip", &token, "--json"],
            &["doctor", "--repo", &token],
            &["explain", &token],
            &["explain", "--push", &token, "--json"],
            &["install", "--to", &token],
            &[&token],
        ] {
            let output = ws.run(args);
            canary::assert_absent(
                args[0],
                format!("{}{}", output.stdout, output.stderr),
                &[&token],
            );
        }
    });
}
