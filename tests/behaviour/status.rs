//! status reports what is, before a doctor has run: after a removal that was not finished, and of
//! logins that are gone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::{Everything, Output, Workspace, fake_auth, home_in_use, sandbox};

fn status(ws: &Workspace) -> Output {
    ws.run(&["status", "--json"])
}

#[track_caller]
fn obstruct(ws: &Workspace, what: &str) {
    let output = status(ws).fails(1);
    let report = output.json();
    assert_eq!(report["ready"], false, "{output}");
    let found = report["not_ready"].as_array().unwrap();
    assert!(found.iter().any(|line| line.as_str().unwrap().starts_with(what)), "{what}\n{output}");
    ws.run(&["status"]).fails(1).stdout_has(what);
    ws.run(&["status", "--line"]).success().stdout_has("not ready: ");
}

#[test]
fn one_cause_is_printed_once() {
    sandbox(|ws| {
        let output = ws.run(&["status"]).fails(1);
        assert_eq!(output.stdout, "not ready: not-provisioned\n");
    });
}

#[test]
fn a_removal_that_was_not_finished_is_not_ready() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        everything.pushready(ws, &["apply"]).run().success();
        status(ws).success();
        // the login cannot be removed: another user could swap it
        ws.set_mode(".codex", 0o777);
        ws.run(&["remove"]).fails(1).stdout_has("run `pushready remove` again");
        obstruct(ws, "not-provisioned");
        assert_eq!(status(ws).json()["repositories"], json!([]), "the keys are gone");
        ws.set_mode(".codex", 0o755);
        ws.run(&["remove"]).success();
        assert!(!ws.home().join(".local").exists());
        // and an apply makes it ready again
        everything.pushready(ws, &["apply"]).run().success();
        ws.set_mode(".codex", 0o777);
        ws.run(&["remove"]).fails(1);
        ws.set_mode(".codex", 0o755);
        everything.pushready(ws, &["apply"]).run().success();
        status(ws).success();
    });
}

#[test]
fn a_login_that_is_gone_or_wrecked_is_not_ready() {
    sandbox(|ws| {
        let everything = Everything::new();
        let apply = || drop(everything.pushready(ws, &["apply"]).run().success());
        apply();
        status(ws).success();
        let (codex, claude) = (".codex/auth.json", ".claude/.credentials.json");

        ws.write(codex, fake_auth::module_stub(), 0o644);
        obstruct(ws, "codex-auth-clobbered codex");
        ws.run(&["apply"]).fails(1).stdout_has("codex-auth-clobbered");
        obstruct(ws, "codex-auth-clobbered codex");
        apply();
        status(ws).success();
        // what is accepted here is not a failure
        ws.write(codex, fake_auth::module_stub(), 0o644);
        ws.pushready(&["status"]).env("PUSHREADY_ACCEPT", "codex-auth-clobbered").run().success();
        apply();

        let token = ws.read(claude);
        ws.write(
            claude,
            "{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"\",\"expiresAt\":0}}",
            0o600,
        );
        obstruct(ws, "claude-auth-blanked claude");
        fs::remove_file(ws.home().join(claude)).unwrap();
        obstruct(ws, "claude-token-missing claude");
        ws.write(claude, token, 0o600);
        status(ws).success();

        fs::remove_file(ws.home().join(codex)).unwrap();
        obstruct(ws, "codex-auth-missing codex");
        everything.pushready(ws, &["apply"]).run().fails(1);
        obstruct(ws, "codex-auth-missing codex");
    });
}

/// What ssh reads may be gone without a trace in the receipt.
#[test]
fn a_routing_that_is_gone_is_not_ready() {
    sandbox(|ws| {
        let everything = Everything::new();
        let state = ".local/state/pushready";
        for (lost, code) in [
            (format!("{state}/bin/pushready"), "route-binary-gone routing"),
            (format!("{state}/ssh_config"), "ssh-route-broken routing"),
            (".ssh/config".to_owned(), "ssh-route-broken routing"),
        ] {
            everything.pushready(ws, &["apply"]).run().success();
            status(ws).success();
            fs::remove_file(ws.home().join(&lost)).unwrap();
            obstruct(ws, code);
            ws.run(&["apply"]).success();
            status(ws).success();
        }
        for key in fs::read_dir(ws.home().join(state).join("keys")).unwrap() {
            fs::remove_file(key.unwrap().path()).unwrap();
        }
        obstruct(ws, "ssh-route-broken key acme/app");
        everything.pushready(ws, &["apply"]).run().success();
        status(ws).success();
    });
}

/// What this user cannot read can be neither compared nor repaired; nothing of it may be lost.
#[test]
fn apply_restores_the_access_to_its_own_files() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        let state = ".local/state/pushready";
        let key = fs::read_dir(ws.home().join(state).join("keys")).unwrap().next().unwrap();
        let key = format!("{state}/keys/{}", key.unwrap().file_name().display());
        let private = ws.read(&key);
        let own =
            ["known_hosts", "ssh_config", "gitconfig", "routes", "receipt.json", "keys", "bin"];
        let own = own.map(|name| format!("{state}/{name}"));
        for lost in own.iter().chain([&key, &format!("{state}/bin/pushready")]) {
            for mode in [0, 0o200] {
                let path = ws.home().join(lost);
                let before = fs::metadata(&path).unwrap().permissions().mode();
                ws.set_mode(lost, mode);
                // without the variables: of the key there is nothing but its file
                let applied = ws.run(&["apply"]).success();
                applied.stdout_has("their modes are restored");
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode(), before, "{lost}");
                status(ws).success();
                assert_eq!(ws.read(&key), private);
            }
        }
    });
}

#[test]
fn of_an_unclaimed_workspace_nothing_is_required() {
    sandbox(|ws| {
        let everything = Everything::new();
        let unclaimed = |args: &[&str]| {
            everything
                .pushready(ws, args)
                .env("PUSHREADY_UNCLAIMED", "1")
                .env("PUSHREADY_REQUIRE", "codex")
                .run()
        };
        unclaimed(&["apply"]).success().stdout_has("UNCLAIMED");
        unclaimed(&["status"]).success();
        status(ws).fails(1).stdout_has("required-missing codex");
    });
}
