//! remove where not all is as apply left it: the receipt gone or damaged, logins that are to stay,
//! files of others.

use std::fs;

use crate::support::{Cmd, Everything, Output, Workspace, home_in_use, sandbox};

const STATE: &str = ".local/state/pushready";

fn receipt(ws: &Workspace) -> serde_json::Value {
    serde_json::from_str(&ws.read(&format!("{STATE}/receipt.json"))).unwrap()
}

/// The lines of ours in files that we share.
fn our_lines(ws: &Workspace) -> usize {
    [".ssh/config", ".gitconfig"]
        .iter()
        .filter(|path| {
            fs::read_to_string(ws.home().join(path)).unwrap_or_default().contains("pushready")
        })
        .count()
}

/// The files that got a line of ours. That a last line had no end is known to the receipt alone.
fn shared_files(ws: &Workspace) -> [String; 2] {
    [".ssh/config", "dotfiles/gitconfig"].map(|path| ws.read(path).trim_end().to_owned())
}

#[test]
fn without_a_receipt_what_names_us_goes_and_what_may_not_is_named() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        let shared = shared_files(ws);
        everything.pushready(ws, &["apply"]).run().success();
        fs::remove_file(ws.home().join(STATE).join("receipt.json")).unwrap();
        let before = ws.snapshot();
        let dry = ws.run(&["remove", "--dry-run"]).fails(1);
        assert!(before.written(&ws.snapshot()).is_empty());
        let output = ws.run(&["remove"]).fails(1);
        for output in [&dry, &output] {
            for path in ["~/.codex/config.toml", "~/.claude/.credentials.json", "~/.claude.json"] {
                assert!(output.stdout.contains(path), "{path}\n{output}");
            }
        }
        output.stdout_has("no receipt says what else was written").stdout_has("NOT ALL REMOVED");
        assert_eq!(shared_files(ws), shared);
        // of the one login there is a copy, of the other the owner is not known
        assert!(!ws.home().join(".codex/auth.json").exists());
        assert!(ws.read(".claude/.credentials.json").contains("sk-ant-oat01-"));
        // what stood there before the first apply is not thrown away
        let undo = ws.home().join(STATE).join("undo");
        assert!(fs::read_dir(&undo).unwrap().count() > 0);
        assert!(!ws.home().join(STATE).join("keys").exists());
        fs::remove_dir_all(undo).unwrap();
        ws.run(&["remove"]).success();
        assert!(!ws.home().join(STATE).exists());
    });
}

#[test]
fn without_the_state_folder_the_lines_that_name_it_go() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        let shared = shared_files(ws);
        everything.pushready(ws, &["apply"]).run().success();
        fs::remove_dir_all(ws.home().join(STATE)).unwrap();
        ws.run(&["remove"]).fails(1);
        assert_eq!(shared_files(ws), shared);
        assert!(!ws.home().join(STATE).exists());
        let before = ws.snapshot();
        let reported = ws.run(&["remove"]).success().stdout_has("NOTHING TO UNDO");
        assert!(!reported.stdout.contains("should be"), "there is nothing to compare\n{reported}");
        before.assert_same(&ws.snapshot());
    });
}

/// An apply in between does not make the home forget what was lost.
#[test]
fn what_was_lost_with_the_state_folder_is_still_named_after_another_apply() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        for lost in [STATE, &format!("{STATE}/receipt.json")] {
            let shared = shared_files(ws);
            everything.pushready(ws, &["apply"]).run().success();
            ws.sh(&format!("rm -r {lost}")).run().success();
            everything.pushready(ws, &["apply"]).run().success().stdout_has("the receipt was gone");
            everything.pushready(ws, &["apply"]).run().success().stdout_has("no changes needed");
            let output = ws.run(&["remove"]).fails(1).stdout_has("the rest: kept: no receipt says");
            assert!(output.stdout.contains("~/.codex/config.toml"), "{output}");
            assert_eq!(shared_files(ws), shared, "the lines that name us are gone");
            assert!(!ws.read(".claude/.credentials.json").contains("sk-ant-oat01-"), "{output}");
            ws.sh("find ~ -mindepth 1 -delete").run().success();
            home_in_use(ws);
        }
    });
}

#[test]
fn a_damaged_receipt_leads_to_a_way_that_works() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        everything.pushready(ws, &["apply"]).run().success();
        let path = format!("{STATE}/receipt.json");
        ws.write(&path, "{", 0o600);
        for args in [&["apply"][..], &["remove"], &["status"]] {
            everything
                .pushready(ws, args)
                .run()
                .fails(3)
                .stderr_has("cannot read the receipt")
                .stderr_has(
                    "hint: move it away (`mv /home/coder/.local/state/pushready/receipt.json",
                )
                .stderr_has("apply again, then remove undoes");
        }
        fs::rename(ws.home().join(&path), ws.home().join("receipt.damaged")).unwrap();
        // what names our state folder, and a login of which it has the copy, is ours with and
        // without a receipt
        let refreshed = everything.seed.clone().refreshed();
        ws.write(".codex/auth.json", refreshed.json(), 0o600);
        everything.pushready(ws, &["apply"]).run().success().stdout_has("newer than the seed");
        everything.pushready(ws, &["apply"]).run().success().stdout_has("no changes needed");
        ws.run(&["remove"]).fails(1).stdout_has("NOT ALL REMOVED the rest");
        fs::remove_file(ws.home().join("receipt.damaged")).unwrap();
        assert_eq!(our_lines(ws), 0);
        for left in [".codex/auth.lock", ".codex/auth.json.lock"] {
            fs::remove_file(ws.home().join(left)).ok();
        }
        // onboarding may have been the user's own doing, and what the folders were made for cannot
        // be known
        let left = before.diff(&ws.snapshot());
        let known = [".codex", ".claude", ".ssh", ".local"];
        assert!(left.iter().all(|line| known.iter().any(|name| line.contains(name))), "{left:#?}");
        assert!(!ws.home().join(".codex/auth.json").exists() && !ws.home().join(STATE).exists());
        assert!(!ws.read(".claude/.credentials.json").contains("sk-ant"), "the token is gone");
    });
}

fn keep_logins(ws: &Workspace) -> Output {
    ws.run(&["remove", "--keep-logins"]).success().stdout_has("REMOVED")
}

#[test]
fn logins_that_were_left_in_place_are_still_known_as_ours() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        let before = ws.snapshot();
        everything.pushready(ws, &["apply"]).run().success();
        keep_logins(ws).stdout_has("codex: left in place").stdout_has("claude: left in place");
        assert!(ws.home().join(".codex/auth.json").exists());
        let config: serde_json::Value = serde_json::from_str(&ws.read(".claude.json")).unwrap();
        assert_eq!(
            config["hasCompletedOnboarding"], true,
            "a session would stop at the first prompt"
        );
        assert!(!ws.read(".claude.json").contains("hasTrustDialogAccepted"));
        assert_eq!(our_lines(ws), 0);
        assert!(
            !ws.home().join(STATE).join("keys").exists()
                && !ws.home().join(STATE).join("bin").exists()
        );
        assert_eq!(receipt(ws)["desired"]["repositories"], serde_json::json!([]));
        // twice is once
        let kept = ws.snapshot();
        keep_logins(ws);
        assert!(kept.written(&ws.snapshot()).is_empty(), "{:?}", kept.written(&ws.snapshot()));

        // a login that Codex renewed meanwhile is the seed's, to apply and to remove
        ws.write(".codex/auth.json", everything.seed.clone().refreshed().json(), 0o600);
        everything.pushready(ws, &["apply"]).run().success().stdout_has("newer than the seed");
        keep_logins(ws);
        ws.run(&["remove"]).success();
        for lock in [".codex/auth.lock", ".codex/auth.json.lock"] {
            fs::remove_file(ws.home().join(lock)).ok();
        }
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn with_no_login_there_is_none_to_keep() {
    sandbox(|ws| {
        let before = ws.snapshot();
        ws.pushready(&["apply"])
            .env("PUSHREADY_KNOWN_HOSTS", "")
            .env("PUSHREADY_TRUSTED_FOLDERS", "~/work")
            .run()
            .success();
        keep_logins(ws);
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_dry_run_tells_of_what_others_put_into_the_state_folder() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        for path in ["notes", "keys/other", "mine/file"] {
            ws.write(&format!("{STATE}/{path}"), "mine", 0o600);
        }
        let reported = |output: Output| {
            let report = output.fails(1).json();
            let kept =
                report["items"].as_array().unwrap().iter().filter(|item| item["status"] == "fail");
            kept.map(|item| item["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let planned = reported(ws.run(&["remove", "--dry-run", "--json"]));
        assert_eq!(
            planned,
            [
                "/home/coder/.local/state/pushready/keys",
                "/home/coder/.local/state/pushready/mine",
                "/home/coder/.local/state/pushready/notes"
            ]
        );
        assert_eq!(reported(ws.run(&["remove", "--json"])), planned);
        for path in ["notes", "keys/other", "mine/file"] {
            assert_eq!(ws.read(&format!("{STATE}/{path}")), "mine");
        }
    });
}

/// Every command that has `--json`, as far as it can be run without more.
const COMMANDS: &[&[&str]] = &[
    &["apply", "--json"],
    &["apply", "--json", "--dry-run"],
    &["remove", "--json"],
    &["remove", "--json", "--dry-run"],
    &["status", "--json"],
    &["doctor", "--json", "--offline"],
];

#[track_caller]
fn one_document(output: &Output) -> serde_json::Value {
    let document = output.json();
    assert_eq!(document["schema_version"], 1, "{output}");
    assert_eq!(document["tool"], "pushready", "{output}");
    document
}

#[test]
fn with_json_there_is_one_document_whatever_happens() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        let good = ws.read(&format!("{STATE}/receipt.json"));
        let newer = good.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1);
        let commands = || COMMANDS.iter().map(|args| ws.pushready(args));
        let fails = |run: &dyn Fn(Cmd) -> Output| {
            for command in commands() {
                let output = run(command);
                assert!(!output.status.success(), "{output}");
                let document = one_document(&output);
                assert!(document["ready"] == false || document["overall"] == "unknown", "{output}");
                let said = document["error"]["message"]
                    .as_str()
                    .or(document["items"][0]["summary"].as_str());
                assert!(said.is_some_and(|said| !said.is_empty()), "{output}");
            }
        };
        fails(&|cmd| cmd.env("HOME", "/home/coder/gone").run());
        for text in [newer.as_str(), "{"] {
            ws.write(&format!("{STATE}/receipt.json"), text, 0o600);
            fails(&|cmd| cmd.run());
        }
        ws.write(&format!("{STATE}/receipt.json"), &good, 0o600);
        for (args, exit) in [
            (&["doctor", "--json", "--only", "nothing"][..], 2),
            (&["explain", "--json", "no-such-code"], 2),
            (&["explain", "--json", "--push", "/nowhere"], 2),
            (&["apply", "--json", "--no-such-option"], 2),
            (&["doctor", "--json", "--short"], 2),
            (&["no-such-command", "--json"], 2),
        ] {
            let output = ws.run(args).fails(exit);
            assert!(one_document(&output)["error"]["message"].is_string(), "{output}");
            assert!(output.stderr.contains("error: "), "{output}");
        }
        let output =
            everything.pushready(ws, &["apply", "--stdin", "--json"]).stdin("[]").run().fails(2);
        assert_eq!(one_document(&output)["error"]["message"], "cannot use standard input");
        // a value on the command line is nobody's to repeat
        let secret = format!("sk-ant-oat01-{}", "line".repeat(20));
        for args in [
            &["apply", "--json", &secret][..],
            &["doctor", "--wait", &secret],
            &[&secret],
            &["apply", &format!("--{secret}")],
        ] {
            let output = ws.run(args).fails(2).stderr_has("error: ");
            assert!(
                !output.stdout.contains(&secret) && !output.stderr.contains(&secret),
                "{output}"
            );
        }
        ws.write(&format!("{STATE}/lock"), "", 0o400);
        fs::remove_file(ws.home().join(STATE).join("lock")).unwrap();
        fs::create_dir(ws.home().join(STATE).join("lock")).unwrap();
        for args in [&["apply", "--json"][..], &["remove", "--json"]] {
            one_document(&everything.pushready(ws, args).run());
        }
    });
}
