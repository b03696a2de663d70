//! Homes as they come: elsewhere, of another, full, read-only, linked, with other programs at work
//! in them, and environments that are not what they should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    Cmd, KeyPair, PATH, Workspace, canary, fake_auth, require, sandbox, sandbox_with,
};

/// Everything at once.
struct All {
    key: KeyPair,
    seed: fake_auth::ChatGpt,
    token: String,
}

impl All {
    fn new() -> Self {
        let token = format!("sk-ant-oat01-{}", "home".repeat(20));
        Self { key: KeyPair::generate("app"), seed: fake_auth::chatgpt(), token }
    }

    fn on(&self, cmd: Cmd) -> Cmd {
        cmd.env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": self.key.private}).to_string())
            .env("PUSHREADY_CODEX_AUTH_JSON", self.seed.json())
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &*self.token)
            .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work")
    }

    fn apply(&self, ws: &Workspace) -> Cmd {
        self.on(ws.pushready(&["apply"]))
    }
}

/// The logins alone, where keys are not the point.
fn logins(ws: &Workspace) -> Cmd {
    ws.pushready(&["apply"])
        .env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
        .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", format!("sk-ant-oat01-{}", "home".repeat(20)))
        .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work")
}

fn json_at(ws: &Workspace, path: &str) -> Value {
    serde_json::from_str(&ws.read(path)).unwrap()
}

#[test]
fn without_a_home_in_the_environment_it_is_the_passwd_home() {
    sandbox(|ws| {
        let all = All::new();
        all.apply(ws).run().success();
        let before = ws.snapshot();
        for home in [None, Some(""), Some("/"), Some("relative/home"), Some(".")] {
            let apply = all.apply(ws).env_remove("HOME");
            let apply = home
                .map_or_else(|| all.apply(ws).env_remove("HOME"), |home| apply.env("HOME", home));
            apply
                .run()
                .success()
                .stdout_has("note     home-unset: HOME is ")
                .stdout_has("set HOME=/home/coder")
                .stdout_has("nothing to write");
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
            ("/home/coder/file", "HOME `/home/coder/file` is no folder"),
        ] {
            logins(ws)
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

#[test]
fn where_ssh_has_another_home_its_configuration_goes_there() {
    sandbox(|ws| {
        let all = All::new();
        let home = Path::new("/home/other");
        fs::create_dir(home).unwrap();
        let before = (ws.snapshot(), crate::support::Snapshot::take(home));
        let apply = || all.apply(ws).env("HOME", home).run().success();
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
        apply().stdout_has("nothing to write");
        ws.pushready(&["remove"]).env("HOME", home).run().success();
        before.0.assert_same(&ws.snapshot());
        before.1.assert_same(&crate::support::Snapshot::take(home));
    });
}

#[test]
fn a_uid_without_passwd_entry_gets_its_logins_and_is_told_about_ssh() {
    sandbox_with(&["--uid", "4242"], |ws| {
        let all = All::new_for_any_uid();
        let output = all
            .apply(ws)
            .run()
            .fails(1)
            .stdout_has("FAIL  home-no-passwd-entry routing: this uid has no passwd entry")
            .stdout_has("fix: give the uid an entry in /etc/passwd")
            .stdout_has("codex: written")
            .stdout_has("claude: written")
            .stdout_has("NOT READY home-no-passwd-entry routing");
        assert!(!ws.home().join(".ssh").exists(), "{output}");
        logins(ws).run().fails(1);
        ws.run(&["remove"]).success();
        // nothing of ssh is asked for: nothing is said about it
        logins(ws).run().success();
    });
}

impl All {
    /// ssh-keygen does not run without a passwd entry either: the key's bytes are OpenSSL's.
    fn new_for_any_uid() -> Self {
        require("openssl");
        let openssl = |args: &str| {
            let output =
                std::process::Command::new("openssl").args(args.split(' ')).output().unwrap();
            assert!(output.status.success());
            // the last 32 bytes of either form (RFC 8410)
            output.stdout[output.stdout.len().saturating_sub(32)..].to_vec()
        };
        openssl("genpkey -algorithm ed25519 -out /tmp/key");
        let halves = [
            openssl("pkey -in /tmp/key -outform DER"),
            openssl("pkey -in /tmp/key -pubout -outform DER"),
        ];
        let pair =
            ssh_key::private::Ed25519Keypair::from_bytes(&halves.concat().try_into().unwrap())
                .unwrap();
        let key = ssh_key::PrivateKey::from(pair);
        let private = key.to_openssh(ssh_key::LineEnding::LF).unwrap().to_string();
        let key = KeyPair { private, public: String::new(), fingerprint: String::new() };
        Self {
            key,
            seed: fake_auth::chatgpt(),
            token: format!("sk-ant-oat01-{}", "home".repeat(20)),
        }
    }
}

#[test]
fn root_leaves_the_home_of_another_user_alone() {
    sandbox(|ws| {
        require("strace");
        let all = All::new();
        all.apply(ws).run().success();
        let before = ws.snapshot();
        // the sandbox has one uid only: the kernel's answer is replaced
        let as_root = |cmd: Cmd| {
            cmd.wrapped_in("strace", ["-qq", "-o", "/tmp/log", "-e", "inject=geteuid:retval=0"])
        };
        let output = as_root(all.apply(ws))
            .run()
            .fails(1)
            .stdout_has("this runs as root, but HOME `/home/coder` belongs to uid 1000: nothing was changed")
            .stdout_has("fix: run it as that user: `sudo -u '#1000' -H pushready apply`")
            .stdout_has("\nNOT READY home-other-owner home\n");
        canary::assert_absent("apply", output.to_string(), &[&all.token]);
        as_root(ws.pushready(&["remove"])).run().fails(1).stderr_has("belongs to uid 1000");
        assert!(before.written(&ws.snapshot()).is_empty());
    });
}

#[test]
fn a_read_only_home_is_named() {
    sandbox_with(&["--tmpfs", "/home/sealed", "--remount-ro", "/home/sealed"], |ws| {
        let all = All::new();
        let report = all
            .on(ws.pushready(&["apply", "--json"]))
            .env("HOME", "/home/sealed")
            .run()
            .fails(1)
            .json();
        assert_eq!(report["items"][0]["code"], "home-read-only");
        assert_eq!(report["ready"], false);
        all.apply(ws)
            .env("HOME", "/home/sealed")
            .run()
            .fails(1)
            .stdout_has("is on a filesystem that is mounted read-only")
            .stdout_has("fix: mount it writable, or name another folder (HOME, ")
            .stdout_has("\nNOT READY home-read-only home\n");
        // without permission it is the same
        fs::create_dir(ws.home().join("closed")).unwrap();
        ws.set_mode("closed", 0o500);
        all.apply(ws)
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
            logins(ws)
            .run()
            .fails(1)
            .stdout_has("codex: written")
            .stdout_has("FAIL  home-read-only claude: cannot use `/home/coder/.claude/.credentials.json`")
            .stdout_has("\nNOT READY home-read-only claude\n");
            assert!(ws.home().join(".codex/auth.json").exists());
        },
    );
}

#[test]
fn a_full_disk_is_named_nothing_is_torn_and_the_next_run_finishes() {
    sandbox_with(&["--size", "67108864", "--tmpfs", "/home/small"], |ws| {
        let all = All::new();
        let home = Path::new("/home/small");
        let fill = || {
            let file = fs::File::create(home.join("filler")).unwrap();
            let block = vec![1; 64 << 10];
            while std::io::Write::write_all(&mut &file, &block).is_ok() {}
        };
        let apply = || all.apply(ws).env("HOME", home).run();
        fs::write(home.join(".gitconfig"), "[user]\n\tname = Dev\n").unwrap();
        fill();
        let output = apply()
            .fails(1)
            .stdout_has("fix: free some space")
            .stdout_has("NOT READY home-disk-full");
        canary::assert_absent("apply", output.to_string(), &[&all.key.private, &all.token]);
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
        apply().success().stdout_has("nothing to write");
    });
}

#[test]
fn folders_that_the_own_group_may_write_are_safe_and_those_of_another_are_not() {
    sandbox(|ws| {
        require("strace");
        let all = All::new();
        // as `fs_group` in a pod leaves a volume: setgid, group-writable
        for folder in ["", ".codex", ".claude", ".ssh", ".local", ".local/state"] {
            fs::create_dir_all(ws.home().join(folder)).unwrap();
            ws.set_mode(folder, 0o2775);
        }
        all.apply(ws).run().success();
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
        all.apply(ws)
            .wrapped_in("strace", other)
            .run()
            .fails(1)
            .stdout_has("so other users could swap")
            .stdout_has("fix: remove the write access of others: `chmod go-w /home/coder/.codex`");
        assert!(!ws.home().join(".codex/auth.json").exists());
        // and for the world there is no group that could make it safe
        ws.set_mode(".codex", 0o777);
        all.apply(ws).run().fails(1).stdout_has("home-unsafe-place codex");
        assert!(ws.home().join(".claude/.credentials.json").exists(), "the rest goes on");
        // the verdict names that cause, and not a variable that was set
        all.apply(ws).env("PUSHREADY_REQUIRE", "codex").run().fails(1);
        let doctor = ["doctor", "--offline", "--required", "--short"];
        for args in [&doctor[..], &["status"]] {
            let output = ws.run(args).fails(1).stdout_has("home-unsafe-place codex");
            assert!(!output.stdout.contains("required-missing"), "{output}");
        }
    });
}

#[test]
fn without_git_and_ssh_on_path_the_logins_go_through() {
    sandbox(|ws| {
        let all = All::new();
        let bare = |cmd: Cmd| cmd.env("PATH", "/nothing");
        let pushready = |args: &[&str]| bare(ws.cmd("/run/rig/bin/pushready").args(args));
        all.on(pushready(&["apply"]))
            .run()
            .fails(1)
            .stdout_has("git is not on PATH")
            .stdout_has("FAIL  ssh-missing routing: there is no ssh client on PATH")
            .stdout_has("apt-get install openssh-client")
            .stdout_has("codex: written")
            .stdout_has("NOT READY ssh-missing routing");
        // ssh came with the next image
        all.apply(ws).run().success().stdout_has("ssh chooses the right key");
        let before = ws.snapshot();
        all.on(pushready(&["apply"])).run().fails(1);
        // the verdict is recorded, and nothing that works is taken away
        let changed = before.diff(&ws.snapshot());
        assert!(matches!(&*changed, [line] if line.contains("receipt.json")), "{changed:#?}");
        bare(ws.cmd("/run/rig/bin/pushready").args(["remove"])).run().success();
        assert!(!ws.home().join(".ssh").exists());
    });
}

#[test]
fn programs_of_the_current_folder_are_never_run() {
    sandbox(|ws| {
        let all = All::new();
        for program in ["git", "ssh", "sh", "bin/git", "bin/ssh"] {
            ws.write(&format!("repo/{program}"), "#!/bin/sh\ntouch /tmp/hijacked\nexit 0\n", 0o755);
        }
        for path in [
            format!(".:{PATH}"),
            format!(":{PATH}"),
            format!("bin:{PATH}:"),
            format!("./bin:{PATH}"),
        ] {
            all.apply(ws)
                .env("PATH", &path)
                .current_dir("repo")
                .run()
                .success()
                .stdout_has("note     PATH has relative or empty entries: pushready ignores them")
                .stdout_has("ssh chooses the right key");
            assert!(!Path::new("/tmp/hijacked").exists(), "{path}");
        }
        // nothing else in it: the system's own folders
        let all_relative = all.on(ws.cmd("/run/rig/bin/pushready").args(["apply"]));
        all_relative.env("PATH", ".:bin").current_dir("repo").run().success();
        assert!(!Path::new("/tmp/hijacked").exists());
    });
}

#[test]
fn variables_of_git_ssh_and_codex_do_not_lead_apply_astray() {
    sandbox(|ws| {
        let all = All::new();
        all.apply(ws).run().success();
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
                .fold(all.apply(ws), |apply, (name, value)| apply.env(name, *value));
            let output = apply
                .run()
                .success()
                .stdout_has("nothing to write")
                .stdout_has("ssh chooses the right key");
            canary::assert_absent("apply", output.to_string(), &["proxy-password"]);
            assert!(before.written(&ws.snapshot()).is_empty(), "{variables:?}");
        }
        all.apply(ws).env("GIT_CONFIG_COUNT", "bogus").run().fails(1).stdout_has(
            "git-config-invalid git: git does not take the configuration in its environment",
        );
        all.apply(ws)
            .env("CODEX_SANDBOX_NETWORK_DISABLED", "1")
            .run()
            .success()
            .stdout_has("note     network-sandboxed: this runs inside Codex's sandbox");
    });
}

#[test]
fn a_rule_of_the_user_is_seen_wherever_it_stands() {
    sandbox(|ws| {
        ws.write(
            "agent/gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n",
            0o644,
        );
        All::new()
            .apply(ws)
            .env("GIT_CONFIG_GLOBAL", "/home/coder/agent/gitconfig")
            .env("GIT_CONFIG", "/nowhere")
            .run()
            .success()
            .stdout_has("a rule of your own turns");
        ws.run(&["remove"]).success();
        All::new()
            .apply(ws)
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "url.git@github.com:.insteadOf")
            .env("GIT_CONFIG_VALUE_0", "https://github.com/")
            .run()
            .success()
            .stdout_has("a rule of your own turns");
    });
}

#[test]
fn the_global_git_configuration_may_be_named_and_is_given_back_wherever_it_was() {
    sandbox(|ws| {
        let all = All::new();
        ws.write(".gitconfig", "[user]\n\tname = Dev\n", 0o644);
        ws.write("agent/gitconfig", "[user]\n\tname = Agent\n", 0o644);
        let before = ws.snapshot();
        let named = |name: &str| all.apply(ws).env("GIT_CONFIG_GLOBAL", name).run().success();
        all.apply(ws).run().success();
        named("/home/coder/agent/gitconfig")
            .stdout_has("GIT_CONFIG_GLOBAL is set: the URL rules go to");
        for file in [".gitconfig", "agent/gitconfig"] {
            assert_eq!(ws.read(file).matches("[include]").count(), 1, "{file}");
        }
        // relative to where git runs, as git takes it
        named("agent/gitconfig").stdout_has("nothing to write");
        named("/dev/null")
            .stdout_has("git's global configuration is `/dev/null` here: no URL rules");
        all.apply(ws).run().success().stdout_has("nothing to write");
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
            logins(ws)
                .env("CODEX_HOME", "/home/coder/second")
                .env("CLAUDE_CONFIG_DIR", "/home/coder/second")
                .run()
        };
        logins(ws).run().success();
        second().success().stdout_has("codex: written").stdout_has("claude: written");
        second().success().stdout_has("nothing to write");
        logins(ws).run().success().stdout_has("nothing to write");
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
        logins(ws).run().fails(1).stdout_has("codex-auth-missing");
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
        let all = All::new();
        ws.git(&["init", "--quiet", "dotfiles"]).run().success();
        ws.write("dotfiles/gitconfig", "[user]\n\tname = Dev\n", 0o644);
        ws.write("dotfiles/ssh/config", "Host *\n  ServerAliveInterval 60\n", 0o644);
        ws.write("dotfiles/claude.json", "{\"theme\":\"dark\"}\n", 0o644);
        symlink("dotfiles/gitconfig", ws.home().join(".gitconfig")).unwrap();
        symlink("dotfiles/ssh", ws.home().join(".ssh")).unwrap();
        symlink("/home/coder/dotfiles/claude.json", ws.home().join(".claude.json")).unwrap();
        let before = ws.snapshot();
        all.apply(ws).run().success().stdout_has("ssh chooses the right key");
        for link in [".gitconfig", ".ssh", ".claude.json"] {
            assert!(ws.home().join(link).is_symlink(), "{link}");
        }
        assert!(ws.read("dotfiles/ssh/config").starts_with("Include "));
        assert!(ws.read("dotfiles/claude.json").contains("hasTrustDialogAccepted"));
        all.apply(ws).run().success().stdout_has("nothing to write");
        for name in fs::read_dir(ws.home().join("dotfiles")).unwrap() {
            let file = name.unwrap().path();
            if file.is_file() {
                canary::assert_absent(
                    "dotfiles",
                    fs::read(file).unwrap(),
                    &[&all.token, &all.seed.refresh_token],
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
        logins(ws)
            .run()
            .fails(1)
            .stdout_has("lies inside the git work tree `/home/coder/dotfiles`, from which it could be pushed")
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

/// What the codex module v4 does at each start (its scripts/install.sh, `add_auth_json`).
fn codex_v4(ws: &Workspace) {
    ws.write(".codex/auth.json", fake_auth::module_stub(), 0o644);
    ws.write(
        ".codex/config.toml",
        "sandbox_mode = \"workspace-write\"\napproval_policy = \"never\"\npreferred_auth_method = \"apikey\"\n\n\
         [sandbox_workspace_write]\nnetwork_access = true\n\n[projects.\"/home/coder/work\"]\ntrust_level = \"trusted\"\n",
        0o644,
    );
}

#[test]
fn the_codex_module_v4_before_between_and_after() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let refresh = || json_at(ws, ".codex/auth.json")["tokens"]["refresh_token"].clone();
        let valid =
            || assert!(ws.read(".codex/config.toml").parse::<toml_edit::DocumentMut>().is_ok());
        codex_v4(ws);
        logins(ws).run().success().stdout_has("a module had written a stub over it");
        assert_eq!((refresh(), ws.mode(".codex/auth.json")), (json!(seed.refresh_token), 0o600));
        assert_eq!(
            ws.read(".codex/config.toml").matches("[projects.").count(),
            1,
            "decided there already"
        );

        let refreshed = seed.clone().refreshed();
        ws.write(".codex/auth.json", refreshed.json(), 0o600);
        logins(ws).run().success().stdout_has("newer than the seed");
        codex_v4(ws);
        valid();
        logins(ws).run().success().stdout_has("warn  codex-auth-restored");
        assert_eq!(
            (refresh(), ws.mode(".codex/auth.json")),
            (json!(refreshed.refresh_token), 0o600)
        );

        // a key of the template's, which the module hands to every process as well, where the last
        // apply had a login
        let key = "{ \"OPENAI_API_KEY\": \"sk-module\" }\n";
        ws.write(".codex/auth.json", key, 0o644);
        logins(ws)
            .env("OPENAI_API_KEY", "sk-module")
            .run()
            .success()
            .stdout_has("a module had written an API key over it");
        assert_eq!(refresh(), json!(refreshed.refresh_token));

        // in a shell without the variables the stub is told
        codex_v4(ws);
        ws.run(&["apply"]).fails(1).stdout_has("FAIL  codex-auth-clobbered codex: left alone");
        logins(ws).run().success();
        ws.run(&["remove"]).success();
        assert_eq!(
            ws.read(".codex/auth.json"),
            key,
            "the last of what stood there and was not ours"
        );
        valid();
    });
}

/// What the codex module v5 does: its own block between markers, the rest kept from the second run
/// on.
fn codex_v5(ws: &Workspace) {
    let (open, close) =
        ("# >>> coder-managed: codex module >>>\n", "# <<< coder-managed: codex module <<<\n");
    let path = ".codex/config.toml";
    let old = if ws.home().join(path).exists() { ws.read(path) } else { String::new() };
    let kept = old.split_once(close).map_or("", |(_, kept)| kept).to_owned();
    let own = "preferred_auth_method = \"apikey\"\n\n[projects.\"/home/coder/work\"]\ntrust_level = \"trusted\"\n";
    ws.write(path, format!("{open}{own}{close}{kept}"), 0o644);
}

#[test]
fn the_codex_module_v5_before_between_and_after() {
    sandbox(|ws| {
        let config = || ws.read(".codex/config.toml");
        let valid = || assert!(config().parse::<toml_edit::DocumentMut>().is_ok(), "{}", config());
        let both = || {
            logins(ws)
                .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work:/srv/other")
                .run()
                .success()
        };
        both();
        assert_eq!(config().matches("[projects.").count(), 2);
        // a file without its markers is discarded, ours with it
        codex_v5(ws);
        assert_eq!(config().matches("[projects.").count(), 1);
        both();
        valid();
        assert!(config().contains("[projects.\"/srv/other\"]"), "{}", config());
        // between: ours stands outside its block, and stays
        codex_v5(ws);
        valid();
        both().stdout_has("nothing to write");

        // the module learns a folder that is ours already: the same table twice, until ours gives
        // way
        let twice = config().replacen(
            "# <<<",
            "[projects.\"/srv/other\"]\ntrust_level = \"untrusted\"\n# <<<",
            1,
        );
        ws.write(".codex/config.toml", twice, 0o644);
        assert!(config().parse::<toml_edit::DocumentMut>().is_err());
        both();
        valid();
        assert!(config().contains("untrusted"));
        ws.run(&["remove"]).success();
        valid();
        assert!(config().starts_with("# >>> coder-managed") && config().contains("untrusted"));
    });
}

#[test]
fn trust_is_not_forced_into_a_form_that_cannot_take_it() {
    sandbox(|ws| {
        let inline = "projects = { \"/other\" = { trust_level = \"trusted\" } }\n";
        ws.write(".codex/config.toml", inline, 0o644);
        logins(ws)
            .run()
            .success()
            .stdout_has("warn  codex-untrusted-folder codex trust: ")
            .stdout_has("codex: written");
        assert_eq!(ws.read(".codex/config.toml"), inline);
        ws.write(".codex/config.toml", "model = \n", 0o644);
        logins(ws).run().success().stdout_has("warn  codex-config-malformed codex trust: ");
        assert_eq!(ws.read(".codex/config.toml"), "model = \n");
    });
}

#[test]
fn the_claude_module_rewrites_the_configuration_between_two_applies() {
    sandbox(|ws| {
        require("jq");
        let module = || {
            let filter = ".hasCompletedOnboarding=true | .bypassPermissionsModeAccepted=true | .primaryApiKey=\"sk-ant-api-module\" \
                 | .projects[\"/home/coder/work\"].hasCompletedProjectOnboarding=true";
            let script = format!(
                "[ -e .claude.json ] || echo {{}} >.claude.json; jq '{filter}' .claude.json >.claude.json.tmp && mv .claude.json.tmp .claude.json && chmod 644 .claude.json"
            );
            ws.sh(&script).run().success();
        };
        let config = || json_at(ws, ".claude.json");
        module();
        logins(ws).run().success();
        assert_eq!(config()["projects"]["/home/coder/work"]["hasTrustDialogAccepted"], true);
        module();
        logins(ws).run().success().stdout_has("nothing to write");
        assert_eq!(
            (&config()["primaryApiKey"], ws.mode(".claude.json")),
            (&json!("sk-ant-api-module"), 0o644)
        );
        // written anew from nothing
        fs::remove_file(ws.home().join(".claude.json")).unwrap();
        module();
        logins(ws).run().success();
        assert_eq!(config()["projects"]["/home/coder/work"]["hasTrustDialogAccepted"], true);
        ws.run(&["remove"]).success();
        let left = config();
        assert_eq!(
            left["projects"]["/home/coder/work"],
            json!({"hasCompletedProjectOnboarding": true})
        );
        assert_eq!(left["primaryApiKey"], "sk-ant-api-module");
    });
}

/// What `coder exp mcp configure claude-code` does for the claude-code module v4: it reads the
/// file, sets its keys, and writes it anew, sorted, for everybody to read (coder/coder
/// cli/exp_mcp.go).
fn claude_v4(ws: &Workspace) {
    let path = ".claude.json";
    let mut config: serde_json::Map<String, Value> = if ws.home().join(path).exists() {
        serde_json::from_str(&ws.read(path)).unwrap()
    } else {
        serde_json::Map::new()
    };
    for (name, value) in [
        ("autoUpdaterStatus", json!("disabled")),
        ("bypassPermissionsModeAccepted", json!(true)),
        ("hasAcknowledgedCostThreshold", json!(true)),
        ("hasCompletedOnboarding", json!(true)),
    ] {
        config.insert(name.to_owned(), value);
    }
    let projects = config.entry("projects").or_insert(json!({}));
    projects["/home/coder/work"] = json!({
        "allowedTools": ["mcp__coder__coder_report_task"],
        "hasCompletedProjectOnboarding": true,
        "hasTrustDialogAccepted": true,
        "history": [],
        "mcpServers": {"coder": {"command": "coder", "args": ["exp", "mcp", "server"], "env": {"CODER_AGENT_TOKEN": "agent"}}},
    });
    let sorted: std::collections::BTreeMap<_, _> = config.into_iter().collect();
    ws.write(path, serde_json::to_string_pretty(&sorted).unwrap(), 0o644);
}

#[test]
fn the_claude_module_v4_before_between_and_after() {
    sandbox(|ws| {
        let config = || json_at(ws, ".claude.json");
        // it exports its variables empty
        let apply = || {
            logins(ws).env("CLAUDE_CODE_OAUTH_TOKEN", "").env("CLAUDE_API_KEY", "").run().success()
        };
        claude_v4(ws);
        let before = ws.read(".claude.json");
        apply().stdout_has("claude: written");
        assert_eq!(ws.read(".claude.json"), before, "all that we want is there");
        assert_eq!(ws.mode(".claude.json"), 0o644);
        for _ in 0..2 {
            claude_v4(ws);
            apply().stdout_has("nothing to write");
        }
        ws.run(&["remove"]).success();
        assert_eq!(ws.read(".claude.json"), before);

        // after: it takes over keys that we had set
        fs::remove_file(ws.home().join(".claude.json")).unwrap();
        apply();
        claude_v4(ws);
        apply().stdout_has("nothing to write");
        ws.run(&["remove"]).success();
        let left = config();
        assert_eq!(left["projects"]["/home/coder/work"]["mcpServers"]["coder"]["command"], "coder");
        assert_eq!(left["autoUpdaterStatus"], "disabled");
        assert!(left["hasCompletedOnboarding"].is_null(), "{left:#}");
    });
}

#[test]
fn a_user_who_logs_in_after_us_keeps_the_login() {
    sandbox(|ws| {
        logins(ws).run().success();
        let own = fake_auth::chatgpt().of_account(fake_auth::OTHER_ACCOUNT).json();
        ws.write(".codex/auth.json", &own, 0o600);
        let login = json!({"claudeAiOauth": {"accessToken": format!("sk-ant-oat01-{}", "user".repeat(20)),
            "refreshToken": "sk-ant-ort01-user", "expiresAt": 4_102_444_800_000_u64, "scopes": ["user:inference"]}});
        ws.write(".claude/.credentials.json", login.to_string(), 0o600);
        for _ in 0..2 {
            let output = logins(ws)
                .run()
                .success()
                .stdout_has("warn  codex-login-not-ours codex: kept: somebody logged in with another account")
                .stdout_has("warn  claude-auth-conflict claude: kept `~/.claude/.credentials.json`: somebody logged in with `/login`")
                .stdout_has("fix: to use the seed: `rm /home/coder/.codex/auth.json` and apply again");
            canary::assert_absent("apply", output.to_string(), &["sk-ant-ort01-user"]);
        }
        ws.run(&["apply"]).success().stdout_has("left alone: not the login of the last apply");
        assert_eq!(ws.read(".codex/auth.json"), own);
        ws.run(&["remove"])
            .fails(1)
            .stdout_has("~/.codex/auth.json: kept")
            .stdout_has("~/.claude/.credentials.json: kept");
        assert_eq!(ws.read(".codex/auth.json"), own);
        assert_eq!(json_at(ws, ".claude/.credentials.json"), login);
    });
}

#[test]
fn what_became_of_the_claude_login_is_told_where_no_token_is_set() {
    sandbox(|ws| {
        let path = ".claude/.credentials.json";
        logins(ws).run().success();
        ws.set_mode(path, 0o644);
        ws.run(&["apply"]).success().stdout_has("claude: kept from the last apply, good until");
        assert_eq!(ws.mode(path), 0o600);
        ws.write(
            path,
            "{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"\",\"expiresAt\":0}}",
            0o600,
        );
        ws.run(&["apply"])
            .fails(1)
            .stdout_has("FAIL  claude-auth-blanked claude: ")
            .stdout_has("fix: ");
        fs::remove_file(ws.home().join(path)).unwrap();
        ws.run(&["apply"]).fails(1).stdout_has("FAIL  claude-token-missing claude: ");
    });
}

#[test]
fn receipts_of_other_versions() {
    sandbox(|ws| {
        let all = All::new();
        all.apply(ws).run().success();
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
        all.apply(ws).run().success().stdout_has("ssh chooses the right key");
        ws.run(&["status"]).success();

        // a newer one: nothing is touched, and the way out is named
        let mut newer = receipt.clone();
        newer["schema_version"] = json!(99);
        newer["entries"] = json!("of another form");
        ws.write(path, newer.to_string(), 0o600);
        let touched = ws.snapshot();
        for args in [&["apply"][..], &["apply", "--dry-run"], &["remove"], &["status"]] {
            all.on(ws.pushready(args))
                .run()
                .fails(1)
                .stderr_has("is of schema version 99")
                .stderr_has("hint: nothing was changed; run the newer pushready");
        }
        let line = ws.run(&["status", "--line"]).success().stdout_has("not ready: the receipt `");
        line.stdout_has("is of schema version 99, and this pushready knows 1\n");
        assert!(touched.written(&ws.snapshot()).is_empty());

        // a damaged one
        ws.write(path, "{", 0o600);
        all.apply(ws)
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
        let all = All::new();
        ws.git(&["init", "--quiet", "work"]).run().success();
        ws.git(&["remote", "add", "origin", "https://github.com/acme/app"])
            .current_dir("work")
            .run()
            .success();
        for _ in 0..2 {
            let output = all
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
fn a_clone_whose_path_is_not_utf_8_is_passed_over_by_name() {
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
