//! What is on PATH, in the environment, and in the configuration of git and ssh.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::json;

use super::json_at;
use crate::support::{
    Access, Cmd, Everything, GitHost, KeyPair, PATH, apply_logins, canary, sandbox,
};

#[test]
fn without_git_and_ssh_on_path_the_logins_go_through() {
    sandbox(|ws| {
        let everything = Everything::new();
        let bare = |cmd: Cmd| cmd.env("PATH", "/nothing");
        let pushready = |args: &[&str]| bare(ws.cmd("/run/rig/bin/pushready").args(args));
        everything
            .on(pushready(&["apply"]))
            .run()
            .fails(1)
            .stdout_has("git is not on PATH")
            .stdout_has("FAIL     ssh-missing routing: there is no ssh client on PATH")
            .stdout_has("apt-get install openssh-client")
            .stdout_has("codex: written")
            .stdout_has("NOT READY ssh-missing routing");
        // ssh came with the next image
        everything.apply(ws).run().success().stdout_has("ssh chooses the right key");
        let before = ws.snapshot();
        everything.on(pushready(&["apply"])).run().fails(1);
        // the verdict is recorded, and nothing that works is removed
        let changed = before.diff(&ws.snapshot());
        assert!(matches!(&*changed, [line] if line.contains("receipt.json")), "{changed:#?}");
        bare(ws.cmd("/run/rig/bin/pushready").args(["remove"])).run().success();
        assert!(!ws.home().join(".ssh").exists());
    });
}

#[test]
fn programs_of_the_current_folder_are_never_run() {
    sandbox(|ws| {
        let everything = Everything::new();
        for program in ["git", "ssh", "sh", "bin/git", "bin/ssh"] {
            ws.write(&format!("repo/{program}"), "#!/bin/sh\ntouch /tmp/hijacked\nexit 0\n", 0o755);
        }
        for path in [
            format!(".:{PATH}"),
            format!(":{PATH}"),
            format!("bin:{PATH}:"),
            format!("./bin:{PATH}"),
        ] {
            everything
                .apply(ws)
                .env("PATH", &path)
                .current_dir("repo")
                .run()
                .success()
                .stdout_has("note     PATH has relative or empty entries: pushready ignores them")
                .stdout_has("ssh chooses the right key");
            assert!(!Path::new("/tmp/hijacked").exists(), "{path}");
        }
        // nothing else in it: the system's own folders
        let all_relative = everything.on(ws.cmd("/run/rig/bin/pushready").args(["apply"]));
        all_relative.env("PATH", ".:bin").current_dir("repo").run().success();
        assert!(!Path::new("/tmp/hijacked").exists());
    });
}

#[test]
fn variables_of_git_ssh_and_codex_do_not_lead_apply_astray() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.apply(ws).run().success();
        ws.git(&["init", "--quiet", "elsewhere"]).run().success();
        // a rule of that clone alone, which would take the place of ours
        let rule = ["config", "url.git@github.com:.insteadOf", "https://github.com/"];
        ws.git(&rule).current_dir("elsewhere").run().success();
        let before = ws.snapshot();
        let strange: &[&[(&str, &str)]] = &[
            &[
                ("GIT_DIR", "/home/coder/elsewhere/.git"),
                ("GIT_WORK_TREE", "/home/coder/elsewhere"),
            ],
            &[("GIT_DIR", "/nowhere")],
            &[("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_SYSTEM", "/nowhere")],
            &[("GIT_CONFIG", "/nowhere")],
            &[
                ("GIT_SSH_COMMAND", "false"),
                ("GIT_SSH", "false"),
                ("GIT_ASKPASS", "/nowhere/coder"),
            ],
            &[("SSH_AUTH_SOCK", "/tmp/dead.sock"), ("SSH_ASKPASS", "/nowhere")],
            &[
                ("HTTPS_PROXY", "http://user:proxy-password@127.0.0.1:9"),
                ("ALL_PROXY", "socks5://127.0.0.1:9"),
            ],
            &[("LD_PRELOAD", "/nowhere.so"), ("LANG", "de_DE.UTF-8"), ("LC_ALL", "xx")],
        ];
        for variables in strange {
            let apply = variables
                .iter()
                .fold(everything.apply(ws), |apply, (name, value)| apply.env(name, *value));
            let output = apply
                .run()
                .success()
                .stdout_has("no changes needed")
                .stdout_has("ssh chooses the right key");
            canary::assert_absent("apply", output.to_string(), &["proxy-password"]);
            assert!(before.written(&ws.snapshot()).is_empty(), "{variables:?}");
        }
        everything
            .apply(ws)
            .env("GIT_CONFIG_COUNT", "bogus")
            .run()
            .fails(1)
            .stdout_has("git-config-invalid git: git rejects the configuration in its environment");
        everything
            .apply(ws)
            .env("CODEX_SANDBOX_NETWORK_DISABLED", "1")
            .run()
            .success()
            .stdout_has("note     network-sandboxed: pushready runs inside Codex's sandbox");
    });
}

#[test]
fn a_rule_of_the_user_is_seen_in_any_file() {
    sandbox(|ws| {
        ws.write(
            "agent/gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n",
            0o644,
        );
        Everything::new()
            .apply(ws)
            .env("GIT_CONFIG_GLOBAL", "/home/coder/agent/gitconfig")
            .env("GIT_CONFIG", "/nowhere")
            .run()
            .success()
            .stdout_has("an insteadOf rule of yours rewrites");
        ws.run(&["remove"]).success();
        Everything::new()
            .apply(ws)
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "url.git@github.com:.insteadOf")
            .env("GIT_CONFIG_VALUE_0", "https://github.com/")
            .run()
            .success()
            .stdout_has("an insteadOf rule of yours rewrites");
    });
}

#[test]
fn the_global_git_configuration_may_be_named_and_is_restored_wherever_it_was() {
    sandbox(|ws| {
        let everything = Everything::new();
        ws.write(".gitconfig", "[user]\n\tname = Dev\n", 0o644);
        ws.write("agent/gitconfig", "[user]\n\tname = Agent\n", 0o644);
        let before = ws.snapshot();
        let named =
            |name: &str| everything.apply(ws).env("GIT_CONFIG_GLOBAL", name).run().success();
        everything.apply(ws).run().success();
        named("/home/coder/agent/gitconfig")
            .stdout_has("GIT_CONFIG_GLOBAL is set: the URL rules go to");
        for file in [".gitconfig", "agent/gitconfig"] {
            assert_eq!(ws.read(file).matches("[include]").count(), 1, "{file}");
        }
        // relative to where git runs, as git takes it
        named("agent/gitconfig").stdout_has("no changes needed");
        named("/dev/null")
            .stdout_has("git's global configuration is `/dev/null` here: no URL rules");
        everything.apply(ws).run().success().stdout_has("no changes needed");
        ws.run(&["remove"]).success();
        fs::remove_file(ws.home().join(".codex/auth.lock")).ok();
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_second_codex_home_is_one_more_to_undo_not_the_same() {
    sandbox(|ws| {
        ws.write("second/.keep", "", 0o644);
        ws.write("second/config.toml", "model = \"x\"\n", 0o600);
        let before = ws.snapshot();
        let second = || {
            apply_logins(ws)
                .env("CODEX_HOME", "/home/coder/second")
                .env("CLAUDE_CONFIG_DIR", "/home/coder/second")
                .run()
        };
        apply_logins(ws).run().success();
        second().success().stdout_has("codex: written").stdout_has("claude: written");
        second().success().stdout_has("no changes needed");
        apply_logins(ws).run().success().stdout_has("no changes needed");
        assert!(
            ws.home().join(".codex/auth.json").exists()
                && ws.home().join("second/auth.json").exists()
        );
        assert!(
            ws.home().join("second/.credentials.json").exists()
                && ws.home().join("second/.claude.json").exists()
        );
        ws.run(&["remove", "--keep-logins"]).success();
        assert!(
            ws.home().join("second/auth.json").exists()
                && ws.home().join(".codex/auth.json").exists()
        );
        for login in [
            ".codex/auth.json",
            ".claude/.credentials.json",
            "second/auth.json",
            "second/.credentials.json",
        ] {
            fs::remove_file(ws.home().join(login)).unwrap();
        }
        apply_logins(ws).run().fails(1).stdout_has("codex-auth-missing");
        second().fails(1);
        ws.run(&["remove"]).success();
        for left in [
            "second/auth.lock",
            "second/auth.json.lock",
            ".codex/auth.lock",
            ".codex/auth.json.lock",
        ] {
            fs::remove_file(ws.home().join(left)).ok();
        }
        for left in [".codex", ".claude"] {
            fs::remove_dir(ws.home().join(left)).ok();
        }
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn shared_files_behind_links_into_dotfiles_are_edited_where_they_lie() {
    sandbox(|ws| {
        let everything = Everything::new();
        ws.git(&["init", "--quiet", "dotfiles"]).run().success();
        ws.write("dotfiles/gitconfig", "[user]\n\tname = Dev\n", 0o644);
        ws.write("dotfiles/ssh/config", "Host *\n  ServerAliveInterval 60\n", 0o644);
        ws.write("dotfiles/claude.json", "{\"theme\":\"dark\"}\n", 0o644);
        symlink("dotfiles/gitconfig", ws.home().join(".gitconfig")).unwrap();
        symlink("dotfiles/ssh", ws.home().join(".ssh")).unwrap();
        symlink("/home/coder/dotfiles/claude.json", ws.home().join(".claude.json")).unwrap();
        let before = ws.snapshot();
        everything.apply(ws).run().success().stdout_has("ssh chooses the right key");
        for link in [".gitconfig", ".ssh", ".claude.json"] {
            assert!(ws.home().join(link).is_symlink(), "{link}");
        }
        assert!(ws.read("dotfiles/ssh/config").starts_with("Include "));
        assert!(ws.read("dotfiles/claude.json").contains("hasTrustDialogAccepted"));
        everything.apply(ws).run().success().stdout_has("no changes needed");
        for name in fs::read_dir(ws.home().join("dotfiles")).unwrap() {
            let file = name.unwrap().path();
            if file.is_file() {
                canary::assert_absent(
                    "dotfiles",
                    fs::read(file).unwrap(),
                    &[&everything.token, &everything.seed.refresh_token],
                );
            }
        }
        ws.run(&["remove"]).success();
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_login_never_goes_into_a_work_tree_of_dotfiles() {
    sandbox(|ws| {
        ws.git(&["init", "--quiet", "dotfiles"]).run().success();
        fs::create_dir(ws.home().join("dotfiles/codex")).unwrap();
        symlink("dotfiles/codex", ws.home().join(".codex")).unwrap();
        apply_logins(ws)
            .run()
            .fails(1)
            .stdout_has(
                "is inside the git work tree `/home/coder/dotfiles`, from which it could be pushed",
            )
            .stdout_has("CODEX_HOME")
            .stdout_has("claude: written")
            .stdout_has("NOT READY home-unsafe-place codex");
        assert!(
            fs::read_dir(ws.home().join("dotfiles/codex"))
                .unwrap()
                .all(|file| file.unwrap().file_name() == "config.toml")
        );
    });
}

#[test]
fn receipts_of_other_versions() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.apply(ws).run().success();
        let path = ".local/state/pushready/receipt.json";
        let receipt = json_at(ws, path);

        // an older one that did not know all fields yet, and one with a field that this version
        // does not know
        let mut older = receipt.clone();
        older["version"] = json!("0.0.1");
        for field in ["known_hosts", "remotes_roots", "require", "refused"] {
            older["desired"].as_object_mut().unwrap().remove(field);
        }
        older["desired"]["of_a_later_patch"] = json!({"x": 1});
        ws.write(path, older.to_string(), 0o600);
        everything.apply(ws).run().success().stdout_has("ssh chooses the right key");
        ws.run(&["status"]).success();

        // a newer one: nothing is touched, and the way out is named
        let mut newer = receipt.clone();
        newer["schema_version"] = json!(99);
        newer["entries"] = json!("of another form");
        ws.write(path, newer.to_string(), 0o600);
        let touched = ws.snapshot();
        for args in [&["apply"][..], &["apply", "--dry-run"], &["remove"], &["status"]] {
            everything
                .on(ws.pushready(args))
                .run()
                .fails(1)
                .stderr_has("has schema version 99")
                .stderr_has("hint: nothing was changed; run the newer pushready");
        }
        let line = ws.run(&["status", "--line"]).success().stdout_has("not ready: the receipt `");
        line.stdout_has("has schema version 99, and this pushready knows 1\n");
        assert!(touched.written(&ws.snapshot()).is_empty());

        // a damaged one
        ws.write(path, "{", 0o600);
        everything
            .apply(ws)
            .run()
            .fails(3)
            .stderr_has("cannot read the receipt")
            .stderr_has("hint: move it away (`mv ");
        ws.write(path, receipt.to_string(), 0o600);
        ws.run(&["remove"]).success();
    });
}

#[test]
fn the_report_fits_a_log_viewer() {
    sandbox(|ws| {
        let everything = Everything::new();
        ws.git(&["init", "--quiet", "work"]).run().success();
        ws.git(&["remote", "add", "origin", "https://github.com/acme/app"])
            .current_dir("work")
            .run()
            .success();
        for _ in 0..2 {
            let output = everything
                .apply(ws)
                .env("PUSHREADY_REQUIRE", "codex,claude,push:acme/app")
                .run()
                .success();
            let lines: Vec<_> = output.stdout.lines().collect();
            assert!(lines.len() <= 8, "{output}");
            assert!(lines[0].starts_with("sources  PUSHREADY_"), "{output}");
            assert!(lines[lines.len() - 1].starts_with("READY "), "{output}");
            assert_eq!(output.stderr, "");
        }
    });
}

#[test]
fn a_clone_whose_path_is_not_utf_8_is_named_and_ignored() {
    sandbox(|ws| {
        use std::os::unix::ffi::OsStrExt as _;
        let key = KeyPair::generate("app");
        let folder = ws.home().join(std::ffi::OsStr::from_bytes(b"odd\xff"));
        ws.git(&["init", "--quiet"]).arg(&folder).run().success();
        let remote = ["remote", "add", "origin", "https://github.com/acme/app.git"];
        ws.git(&[]).arg("-C").arg(&folder).args(remote).run().success();
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEYS", serde_json::json!({"acme/app": key.private}).to_string())
            .run()
            .success()
            .stdout_has("is ignored: its path is not UTF-8");
        ws.run(&["remove"]).success();
    });
}

/// As home-manager makes them: a link to a file that nobody writes.
#[test]
fn a_read_only_configuration_of_git_leaves_ssh_its_own_and_our_lines_can_come_with_it() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        let keys = json!({"acme/app": key.private}).to_string();
        let apply = || {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_DEPLOY_KEYS", keys.clone());
            apply.env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"])).run()
        };
        let store = |text: &str| {
            let _ = fs::set_permissions("/tmp/store", Permissions::from_mode(0o755));
            let _ = fs::remove_dir_all("/tmp/store");
            fs::create_dir("/tmp/store").unwrap();
            fs::write("/tmp/store/gitconfig", text).unwrap();
            fs::set_permissions("/tmp/store/gitconfig", Permissions::from_mode(0o444)).unwrap();
            fs::set_permissions("/tmp/store", Permissions::from_mode(0o555)).unwrap();
        };
        store("");
        symlink("/tmp/store/gitconfig", ws.home().join(".gitconfig")).unwrap();
        let lines = "[include] path = /home/coder/.local/state/pushready/gitconfig";
        apply().fails(1).stdout_has("home-read-only").stdout_says(lines);
        // ssh has its own file, so SSH remotes work
        ws.git(&["clone", "--quiet", "git@github.com:acme/app", "ssh"]).run().success();
        store(&lines.replace("] ", "]\n\t"));
        apply().success().stdout_has("READY");
        ws.git(&["clone", "--quiet", "https://github.com/acme/app", "https"]).run().success();
    });
}
