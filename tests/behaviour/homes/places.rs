//! Homes that are elsewhere, of another user, full, or read-only.

use std::fs;
use std::path::Path;

use crate::support::{Cmd, Everything, apply_logins, canary, require, sandbox, sandbox_with};

#[test]
fn without_a_home_in_the_environment_it_is_the_passwd_home() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.apply(ws).run().success();
        let before = ws.snapshot();
        for home in [None, Some(""), Some("/"), Some("relative/home"), Some(".")] {
            let apply = everything.apply(ws).env_remove("HOME");
            let apply = home.map_or_else(
                || everything.apply(ws).env_remove("HOME"),
                |home| apply.env("HOME", home),
            );
            apply
                .run()
                .success()
                .stdout_has("note     home-unset: HOME is ")
                .stdout_has("set HOME=/home/coder")
                .stdout_has("no changes needed");
        }
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_home_that_is_none_is_refused() {
    sandbox(|ws| {
        ws.write("file", "", 0o644);
        let before = ws.snapshot();
        for (home, reason) in [
            ("/home/coder/gone", "cannot use HOME `/home/coder/gone`: No such file or directory"),
            ("/home/coder/file", "HOME `/home/coder/file` is not a folder"),
        ] {
            apply_logins(ws)
                .env("HOME", home)
                .run()
                .fails(1)
                .stdout_has(reason)
                .stdout_has("fix: ")
                .stdout_has("\nNOT READY home-unset home\n");
        }
        before.assert_same(&ws.snapshot());
    });
}

/// A home on a volume, with a link in its usual place: HOME may name either.
#[test]
fn a_home_by_a_link_is_the_same_home() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        std::os::unix::fs::symlink("/home/coder", "/tmp/home").unwrap();
        let files = [
            ".gitconfig",
            ".ssh/config",
            ".local/state/pushready/gitconfig",
            ".local/state/pushready/ssh_config",
        ];
        let written = || files.map(|file| ws.read(file));
        for first in ["/home/coder", "/tmp/home"] {
            everything.apply(ws).env("HOME", first).run().success();
            let as_first = written();
            assert!(as_first[2].contains("insteadOf"), "{}", as_first[2]);
            assert_eq!(as_first[0].matches("[include]").count(), 1, "{}", as_first[0]);
            for home in ["/tmp/home", "/home/coder", "/tmp/home"] {
                let applied = everything.apply(ws).env("HOME", home).run().success();
                assert!(!applied.stdout.contains("of yours"), "{applied}");
                assert_eq!(written(), as_first, "{first} {home}");
                let doctor = ws.pushready(&["doctor", "--offline", "--json", "--only", "ssh,git"]);
                let doctor = doctor.env("HOME", home).run();
                for id in ["ssh.route", "git.config"] {
                    let report = doctor.json();
                    let mut checks = report["checks"].as_array().unwrap().iter();
                    let check = checks.find(|check| check["id"] == id).unwrap();
                    assert_eq!(check["status"], "pass", "{home}: {check:#}");
                }
                let line = ws.pushready(&["status", "--line"]).env("HOME", home).run().success();
                assert!(!line.stdout.contains("ssh-route-broken"), "{home}: {line}");
            }
            ws.pushready(&["remove"]).env("HOME", "/tmp/home").run().success();
            before.assert_same(&ws.snapshot());
        }
    });
}

#[test]
fn where_ssh_has_another_home_its_configuration_goes_there() {
    sandbox(|ws| {
        let everything = Everything::new();
        let home = Path::new("/home/other");
        fs::create_dir(home).unwrap();
        let before = (ws.snapshot(), crate::support::Snapshot::take(home));
        let apply = || everything.apply(ws).env("HOME", home).run().success();
        apply()
            .stdout_has(
                "note     home-mismatch: HOME is `/home/other`, but ssh uses the passwd home `/home/coder`",
            )
            .stdout_has("ssh chooses the right key");
        assert!(
            ws.read(".ssh/config")
                .starts_with("Include /home/other/.local/state/pushready/ssh_config\n")
        );
        assert!(home.join(".gitconfig").exists() && home.join(".codex/auth.json").exists());
        apply().stdout_has("no changes needed");
        ws.pushready(&["remove"]).env("HOME", home).run().success();
        before.0.assert_same(&ws.snapshot());
        before.1.assert_same(&crate::support::Snapshot::take(home));
    });
}

#[test]
fn a_uid_without_passwd_entry_gets_its_logins_and_a_note_about_ssh() {
    sandbox_with(&["--uid", "4242"], |ws| {
        let everything = Everything::for_any_uid();
        let output = everything
            .apply(ws)
            .run()
            .fails(1)
            .stdout_has("FAIL     home-no-passwd-entry routing: this uid has no passwd entry")
            .stdout_has("fix: give the uid an entry in /etc/passwd")
            .stdout_has("codex: written")
            .stdout_has("claude: written")
            .stdout_has("NOT READY home-no-passwd-entry routing");
        assert!(!ws.home().join(".ssh").exists(), "{output}");
        apply_logins(ws).run().fails(1);
        ws.run(&["remove"]).success();
        // nothing of ssh is configured: nothing is reported about it
        apply_logins(ws).run().success();
    });
}

#[test]
fn root_leaves_the_home_of_another_user_alone() {
    sandbox(|ws| {
        require("strace");
        let everything = Everything::new();
        everything.apply(ws).run().success();
        let before = ws.snapshot();
        // the sandbox has one uid only: the kernel's answer is replaced
        let as_root = |cmd: Cmd| {
            cmd.wrapped_in("strace", ["-qq", "-o", "/tmp/log", "-e", "inject=geteuid:retval=0"])
        };
        let output = as_root(everything.apply(ws))
            .run()
            .fails(1)
            .stdout_has("this runs as root, but HOME `/home/coder` belongs to uid 1000: nothing was changed")
            .stdout_has("fix: run it as that user: `sudo -u '#1000' -H pushready apply`")
            .stdout_has("\nNOT READY home-other-owner home\n");
        canary::assert_absent("apply", output.to_string(), &[&everything.token]);
        as_root(ws.pushready(&["remove"])).run().fails(1).stderr_has("belongs to uid 1000");
        assert!(before.written(&ws.snapshot()).is_empty());
    });
}

#[test]
fn a_read_only_home_is_named() {
    sandbox_with(&["--tmpfs", "/home/sealed", "--remount-ro", "/home/sealed"], |ws| {
        let everything = Everything::new();
        let report = everything
            .on(ws.pushready(&["apply", "--json"]))
            .env("HOME", "/home/sealed")
            .run()
            .fails(1)
            .json();
        assert_eq!(report["items"][0]["code"], "home-read-only");
        assert_eq!(report["ready"], false);
        everything
            .apply(ws)
            .env("HOME", "/home/sealed")
            .run()
            .fails(1)
            .stdout_has("is on a filesystem that is mounted read-only")
            .stdout_has("fix: mount it writable, or name another folder (HOME, ")
            .stdout_has("\nNOT READY home-read-only home\n");
        // without permission it is the same
        fs::create_dir(ws.home().join("closed")).unwrap();
        ws.set_mode("closed", 0o500);
        everything
            .apply(ws)
            .env("HOME", "/home/coder/closed")
            .run()
            .fails(1)
            .stdout_has("NOT READY home-read-only home");
    });
}

#[test]
fn a_part_of_the_home_that_is_read_only_does_not_stop_the_rest() {
    sandbox_with(
        &["--tmpfs", "/home/coder/.claude", "--remount-ro", "/home/coder/.claude"],
        |ws| {
            apply_logins(ws)
            .run()
            .fails(1)
            .stdout_has("codex: written")
            .stdout_has("FAIL     home-read-only claude: cannot use `/home/coder/.claude/.credentials.json`")
            .stdout_has("\nNOT READY home-read-only claude\n");
            assert!(ws.home().join(".codex/auth.json").exists());
        },
    );
}

#[test]
fn a_full_disk_is_named_nothing_is_torn_and_the_next_run_finishes() {
    sandbox_with(&["--size", "67108864", "--tmpfs", "/home/small"], |ws| {
        let everything = Everything::new();
        let home = Path::new("/home/small");
        let fill = || {
            let file = fs::File::create(home.join("filler")).unwrap();
            let block = vec![1; 64 << 10];
            while std::io::Write::write_all(&mut &file, &block).is_ok() {}
        };
        let apply = || everything.apply(ws).env("HOME", home).run();
        fs::write(home.join(".gitconfig"), "[user]\n\tname = Dev\n").unwrap();
        fill();
        let output = apply()
            .fails(1)
            .stdout_has("fix: free some space")
            .stdout_has("NOT READY home-disk-full");
        canary::assert_absent(
            "apply",
            output.to_string(),
            &[&everything.key.private, &everything.token],
        );
        assert_eq!(fs::read_to_string(home.join(".gitconfig")).unwrap(), "[user]\n\tname = Dev\n");

        // enough for the small files, not for our own copy
        fs::remove_file(home.join("filler")).unwrap();
        let left = fs::File::create(home.join("filler")).unwrap();
        std::io::Write::write_all(&mut { left }, &vec![1; (64 << 20) - (1 << 20)]).unwrap();
        apply().fails(1).stdout_has("\nNOT READY home-disk-full routing\n");
        let temporary = crate::support::Snapshot::take(home);
        let temporary: Vec<_> = temporary
            .paths()
            .filter(|path| path.to_string_lossy().contains(".pushready-"))
            .collect();
        assert!(temporary.is_empty(), "{temporary:?}");

        fs::remove_file(home.join("filler")).unwrap();
        apply().success().stdout_has("ssh chooses the right key");
        apply().success().stdout_has("no changes needed");
    });
}

#[test]
fn folders_that_the_own_group_may_write_are_safe_and_those_of_another_are_not() {
    sandbox(|ws| {
        require("strace");
        let everything = Everything::new();
        // as `fs_group` in a pod leaves a volume: setgid, group-writable
        for folder in ["", ".codex", ".claude", ".ssh", ".local", ".local/state"] {
            fs::create_dir_all(ws.home().join(folder)).unwrap();
            ws.set_mode(folder, 0o2775);
        }
        everything.apply(ws).run().success();
        for path in
            [".codex/auth.json", ".claude/.credentials.json", ".local/state/pushready/receipt.json"]
        {
            assert_eq!(ws.mode(path), 0o600, "{path}");
        }
        assert_eq!(ws.mode(".local/state/pushready") & 0o777, 0o700);
        ws.run(&["remove"]).success();

        let other = [
            "-qq",
            "-o",
            "/tmp/log",
            "-e",
            "inject=getegid:retval=2000",
            "-e",
            "inject=getgroups:retval=0",
        ];
        let refused = |folder: &str| {
            let fix = "fix: remove the write access of others: `chmod go-w /home/coder/";
            everything
                .apply(ws)
                .wrapped_in("strace", other)
                .run()
                .fails(1)
                .stdout_has("so other users could replace")
                .stdout_has(&format!("{fix}{folder}`"));
            assert!(!ws.home().join(".codex/auth.json").exists());
        };
        // who can rename the state folder decides what ssh runs
        refused(".local/state");
        let above = ["", ".local", ".local/state"];
        for folder in above {
            ws.set_mode(folder, 0o755);
        }
        refused(".codex");
        for folder in above {
            ws.set_mode(folder, 0o2775);
        }
        // and for the world there is no group that could make it safe
        ws.set_mode(".codex", 0o777);
        everything.apply(ws).run().fails(1).stdout_has("home-unsafe-place codex");
        assert!(ws.home().join(".claude/.credentials.json").exists(), "the rest goes on");
        // the verdict names that cause, and not a variable that was set
        everything.apply(ws).env("PUSHREADY_REQUIRE", "codex").run().fails(1);
        let doctor = ["doctor", "--offline", "--required", "--short"];
        for args in [&doctor[..], &["status"]] {
            let output = ws.run(args).fails(1).stdout_has("home-unsafe-place codex");
            assert!(!output.stdout.contains("required-missing"), "{output}");
        }
    });
}
