//! Places that hold something else than is expected: FIFOs, folders, devices, sockets, links
//! that lead nowhere or everywhere, folders that others may write. Each is named at once; nothing
//! hangs, and nothing is written elsewhere.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::support::{
    Cmd, Everything, KeyPair, Output, Workspace, fake_auth, sandbox, sandbox_with,
};

/// Far longer than a run takes, far shorter than any patience of ours with a lock.
const AT_ONCE: &str = "20";

/// Runs a command that must not wait for what it meets.
fn at_once(cmd: Cmd) -> Output {
    cmd.wrapped_in("timeout", [AT_ONCE]).run()
}

fn codex(ws: &Workspace) -> Cmd {
    ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
}

fn keyed(ws: &Workspace, key: &KeyPair) -> Cmd {
    ws.pushready(&["apply"])
        .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": key.private}).to_string())
}

fn fifo(ws: &Workspace, path: &str) {
    let path = ws.home().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ws.cmd("mkfifo").arg(path).run().success();
}

/// The lock files of Codex are plain ones: whatever else is there is neither waited for nor
/// followed.
#[test]
fn what_is_where_codex_s_locks_belong_is_named_at_once() {
    sandbox(|ws| {
        for lock in [".codex/auth.lock", ".codex/auth.json.lock"] {
            fs::create_dir_all(ws.home().join(".codex")).unwrap();
            ws.set_mode(".codex", 0o700);
            fs::remove_file(ws.home().join(lock)).ok();
            fifo(ws, lock);
            let say = format!(
                "home-unsafe-place codex: `/home/coder/{lock}` is a FIFO, not a regular file"
            );
            at_once(codex(ws))
                .fails(1)
                .stdout_has(&say)
                .stdout_has(&format!("mv /home/coder/{lock}"));
            fs::remove_file(ws.home().join(lock)).unwrap();
            symlink("../elsewhere", ws.home().join(lock)).unwrap();
            let say = format!("home-unsafe-place codex: `/home/coder/{lock}` is a symlink");
            at_once(codex(ws)).fails(1).stdout_has(&say);
            assert!(!ws.home().join("elsewhere").exists(), "a link at {lock} is not followed");
            fs::remove_file(ws.home().join(lock)).unwrap();
            at_once(codex(ws)).success();
            fs::remove_file(ws.home().join(lock)).unwrap();
            fifo(ws, lock);
            at_once(ws.pushready(&["remove"]))
                .fails(1)
                .stdout_has(&format!("`/home/coder/{lock}` is a FIFO, not a regular file"));
            fs::remove_file(ws.home().join(lock)).unwrap();
            ws.run(&["remove"]).success();
        }
    });
}

/// ssh expands `${NAME}` in the file names of its configuration, after `ssh -G` has shown them
/// (ssh_config(5), TOKENS).
#[test]
fn a_path_in_which_ssh_would_expand_a_variable_is_refused() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        keyed(ws, &key)
            .env("XDG_STATE_HOME", "/home/coder/${HOME}/st")
            .run()
            .fails(1)
            .stdout_has("ssh-route-broken routing: the path of the state folder contains `${`")
            .stdout_has("XDG_STATE_HOME");
        for odd in ['\'', '"', '*', '\\', '['] {
            keyed(ws, &key)
                .env("XDG_STATE_HOME", format!("/home/coder/a{odd}b"))
                .run()
                .fails(1)
                .stdout_has(&format!("contains `{odd}`"));
        }
        keyed(ws, &key).env("XDG_STATE_HOME", "/home/coder/$HOME/st").run().success();
    });
}

#[test]
fn a_folder_of_ssh_that_others_can_write_is_named_by_apply_and_doctor() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        fs::create_dir(ws.home().join(".ssh")).unwrap();
        for mode in [0o777, 0o1777, 0o772] {
            ws.set_mode(".ssh", mode);
            keyed(ws, &key)
                .run()
                .fails(1)
                .stdout_has(&format!(
                    "home-unsafe-place routing: `/home/coder/.ssh` has mode {mode:04o}"
                ))
                .stdout_has("chmod go-w /home/coder/.ssh");
        }
        ws.set_mode(".ssh", 0o700);
        keyed(ws, &key).run().success();
        ws.set_mode(".ssh", 0o777);
        let report = ws.run(&["doctor", "--offline", "--json"]).fails(1).json();
        let check = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|check| check["id"] == "ssh.config")
            .unwrap();
        assert_eq!(
            (&check["status"], &check["code"], &check["fix"]["argv"]),
            (
                &json!("fail"),
                &json!("home-unsafe-place"),
                &json!(["chmod", "go-w", "/home/coder/.ssh"])
            ),
            "{check:#}"
        );
    });
}

#[test]
fn a_global_git_configuration_that_is_not_a_file_is_named_at_once_by_apply_and_doctor() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        for (name, what) in [
            (".gitconfig", "a FIFO"),
            (".gitconfig", "a directory"),
            // git reads it beside the other
            (".config/git/config", "a FIFO"),
            (".config/git/config", "a directory"),
        ] {
            let path = ws.home().join(name);
            if name != ".gitconfig" {
                ws.write(".gitconfig", "", 0o644);
            }
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if what == "a FIFO" {
                fifo(ws, name);
            } else {
                fs::create_dir(&path).unwrap();
            }
            let say = format!("`~/{name}` is {what}, not a regular file");
            at_once(keyed(ws, &key))
                .fails(1)
                .stdout_has("git-config-invalid git: ")
                .stdout_has(&say);
            let doctor = at_once(ws.pushready(&["doctor", "--offline", "--json"])).fails(1);
            let report = doctor.json();
            let checks = report["checks"].as_array().unwrap();
            let check = checks.iter().find(|check| check["id"] == "git.config").unwrap();
            assert_eq!(
                (&check["status"], &check["code"]),
                (&json!("fail"), &json!("git-config-invalid")),
                "{check:#}"
            );
            assert!(check["summary"].as_str().unwrap().contains(&say), "{check:#}");
            assert!(!checks.iter().any(|check| check["reason"] == "Deadline"), "{doctor}");
            if what == "a FIFO" {
                fs::remove_file(&path).unwrap();
            } else {
                fs::remove_dir(&path).unwrap();
            }
            ws.run(&["remove"]).success();
        }
        // no configuration at all is a choice
        keyed(ws, &key).env("GIT_CONFIG_GLOBAL", "/dev/null").run().success();
    });
}

/// git itself would wait for ever; it is given one deadline.
#[test]
fn a_git_configuration_that_includes_a_fifo_is_reported() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        fifo(ws, "waiting");
        ws.write(".gitconfig", "[include]\n\tpath = ~/waiting\n", 0o644);
        let said = "`~/waiting` is a FIFO, not a regular file, so no git command works";
        at_once(keyed(ws, &key)).fails(1).stdout_has("git-config-invalid git: ").stdout_has(said);
        at_once(ws.pushready(&["doctor", "--only", "git,push"])).fails(1).stdout_has(said);
    });
}

#[test]
fn a_clone_whose_configuration_is_not_a_file_is_named_at_once() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        ws.git(&["init", "--quiet", "app"]).run().success();
        fs::remove_file(ws.home().join("app/.git/config")).unwrap();
        fifo(ws, "app/.git/config");
        at_once(keyed(ws, &key))
            .fails(1)
            .stdout_has("git-config-invalid")
            .stdout_has("`~/app/.git/config` is a FIFO, not a regular file");
    });
}

/// Kubernetes mounts are links, so links are followed; as far as a key can lie, and not all over
/// the disk.
#[test]
fn a_link_to_everything_among_the_seeded_keys_is_named_at_once() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        ws.write(".config/pushready/seed/deploy-keys/github.com/acme/app", &key.private, 0o600);
        let many = ws.home().join("many");
        for folder in 0..40 {
            fs::create_dir_all(many.join(format!("{folder}"))).unwrap();
            for file in 0..100 {
                fs::write(many.join(format!("{folder}/{file}")), "x").unwrap();
            }
        }
        symlink(
            "/home/coder/many",
            ws.home().join(".config/pushready/seed/deploy-keys/github.com/root"),
        )
        .unwrap();
        let apply = at_once(ws.pushready(&["apply"]))
            .fails(1)
            .stdout_has("key-malformed deploy keys: ")
            .stdout_has("more than 1000 files")
            .stdout_has("seed/deploy-keys/github.com/root/");
        assert!(apply.stdout.contains("key acme/app"), "{apply}");
        assert!(apply.stdout.lines().count() < 200, "{apply}");
    });
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    sandbox(|ws| {
        codex(ws).run().success();
        for command in [
            "apply",
            "doctor --offline",
            "doctor --list",
            "status",
            "agents-md",
            "remove --dry-run",
        ] {
            ws.sh(&format!("exec pushready {command} >/dev/full"))
                .run()
                .fails(3)
                .stderr_has("error: cannot write the report to standard output")
                .stderr_has("No space left on device");
            let piped = ws.sh(&format!("pushready {command} | true")).run().success();
            assert_eq!(piped.stderr, "", "a reader that went away is not an error");
        }
        // always 0: it is an item of the workspace agent's metadata
        ws.sh("exec pushready status --line >/dev/full")
            .run()
            .success()
            .stderr_has("standard output");
    });
}

/// A JavaScript program that cuts a text in the middle of a surrogate pair writes half of it, and
/// reads it back.
#[test]
fn what_claude_code_writes_is_taken_as_it_reads_it() {
    sandbox(|ws| {
        let token = format!("sk-ant-oat01-{}", "half".repeat(20));
        let apply =
            |ws: &Workspace| ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &*token);
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        for value in [r#"[{"display":"hi \ud83d"}]"#, "1e999", &deep] {
            let old = format!("{{\"projects\":{{\"/w\":{{\"history\":{value}}}}}}}");
            ws.write(".claude.json", &old, 0o600);
            apply(ws).run().success();
            let now = ws.read(".claude.json");
            assert!(now.contains(value) && now.contains("hasCompletedOnboarding"), "{now}");
            let doctor = ws.run(&["doctor", "--offline", "--only", "claude.config"]).success();
            doctor.stdout_has("ok       claude.config");
            ws.run(&["remove"]).success();
            assert_eq!(ws.read(".claude.json"), old);
        }
        for no_object in ["[]", "null"] {
            ws.write(".claude.json", no_object, 0o600);
            apply(ws)
                .run()
                .fails(1)
                .stdout_has("claude-config-malformed")
                .stdout_has("is not a JSON object");
        }
    });
}

/// A secret is written to a plain file of its own in a folder of its own.
#[test]
fn no_secret_goes_where_others_can_see_or_swap_it() {
    sandbox(|ws| {
        let auth = ws.home().join(".codex/auth.json");
        let fresh = |mode: u32| {
            fs::create_dir_all(ws.home().join(".codex")).unwrap();
            ws.set_mode(".codex", mode);
        };
        let refused = |say: &str| {
            let apply = at_once(codex(ws)).fails(1).stdout_has("home-unsafe-place codex: ");
            assert!(apply.stdout.contains(say), "stdout lacks {say:?}\n{apply}");
        };
        fresh(0o700);
        ws.write("twin", "{}", 0o600);
        fs::hard_link(ws.home().join("twin"), &auth).unwrap();
        refused("has a second name (hard link)");
        assert_eq!(ws.read("twin"), "{}");
        fs::remove_file(&auth).unwrap();

        fifo(ws, ".codex/auth.json");
        refused("is a FIFO, not a regular file");
        fs::remove_file(&auth).unwrap();

        let socket = UnixListener::bind(&auth).unwrap();
        refused("is a socket, not a regular file");
        drop(socket);
        fs::remove_file(&auth).unwrap();

        symlink("/dev/null", &auth).unwrap();
        refused("is a symlink");
        fs::remove_file(&auth).unwrap();

        // sticky or not: in a folder that all can write, a file is anybody's to make first
        for mode in [0o777, 0o1777] {
            fresh(mode);
            refused(&format!("has mode {mode:04o}"));
        }
        assert!(!auth.exists());
    });
}

#[test]
fn a_device_where_a_login_belongs_is_refused() {
    let devices = ["/home/coder/.codex/auth.json", "/home/coder/.claude/.credentials.json"];
    let bound = devices.map(|path| ["--dev-bind", "/dev/zero", path]).concat();
    sandbox_with(&bound, |ws| {
        // a folder that bubblewrap made for the device is not an open one
        let token = format!("sk-ant-oat01-{}", "A".repeat(60));
        at_once(codex(ws).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token))
            .fails(1)
            .stdout_has("home-unsafe-place codex: `/home/coder/.codex/auth.json` is a device, not a regular file")
            .stdout_has(
                "home-unsafe-place claude: `/home/coder/.claude/.credentials.json` is a device, not a regular file",
            );
        at_once(ws.pushready(&["doctor", "--offline"]))
            .fails(1)
            .stdout_has("is a device, not a regular file");
    });
}

/// The folder itself may be a link: what counts is where it leads.
#[test]
fn a_codex_home_behind_a_link_is_judged_by_its_target() {
    sandbox(|ws| {
        let auth = "real/auth.json";
        fs::create_dir(ws.home().join("real")).unwrap();
        symlink("real", ws.home().join(".codex")).unwrap();
        ws.set_mode("real", 0o700);
        codex(ws).run().success();
        assert_eq!(ws.mode(auth), 0o600);
        ws.run(&["remove"]).success();
        assert!(!ws.home().join(auth).exists());
        // one that leads nowhere is not a folder, and none is made for it
        fs::rename(ws.home().join("real"), ws.home().join("away")).unwrap();
        codex(ws).run().fails(1).stdout_has("`/home/coder/.codex` is a symlink to a missing file");
        fs::rename(ws.home().join("away"), ws.home().join("real")).unwrap();
        ws.set_mode("real", 0o777);
        at_once(codex(ws))
            .fails(1)
            .stdout_has("home-unsafe-place codex: `/home/coder/real` has mode 0777");
        assert!(!ws.home().join(auth).exists());
    });
}

/// Our own files are not an exception: nothing hangs on what another put there, and nothing of it is
/// followed.
#[test]
fn what_is_where_our_own_files_belong_is_named_at_once() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        for name in ["known_hosts", "ssh_config", "routes", "gitconfig"] {
            let path = format!(".local/state/pushready/{name}");
            keyed(ws, &key).run().success();
            fs::remove_file(ws.home().join(&path)).unwrap();
            fifo(ws, &path);
            at_once(keyed(ws, &key))
                .fails(1)
                .stdout_has(&format!("`/home/coder/{path}` is a FIFO, not a regular file"));
            fs::remove_file(ws.home().join(&path)).unwrap();
            let socket = UnixListener::bind(ws.home().join(&path)).unwrap();
            at_once(keyed(ws, &key))
                .fails(1)
                .stdout_has(&format!("`/home/coder/{path}` is a socket, not a regular file"));
            drop(socket);
            fs::remove_file(ws.home().join(&path)).unwrap();
            ws.write("mine", "mine", 0o600);
            symlink(ws.home().join("mine"), ws.home().join(&path)).unwrap();
            at_once(keyed(ws, &key)).fails(1).stdout_has("is a symlink");
            assert_eq!(ws.read("mine"), "mine");
            fs::remove_file(ws.home().join(&path)).unwrap();
            keyed(ws, &key).run().success();
        }
    });
}

/// Whoever can rename a folder above ours can put another one in its place.
#[test]
fn a_folder_above_that_others_may_write_is_refused() {
    sandbox(|ws| {
        let everything = Everything::new();
        for (variable, item) in
            [("CODEX_HOME", "codex"), ("CLAUDE_CONFIG_DIR", "claude"), ("XDG_STATE_HOME", "home")]
        {
            let folder = ws.home().join("open").join(item);
            fs::create_dir_all(&folder).unwrap();
            ws.set_mode(&format!("open/{item}"), 0o700);
            let run = |args: &[&str]| everything.pushready(ws, args).env(variable, &folder).run();
            ws.set_mode("open", 0o777);
            run(&["apply"])
                .fails(1)
                .stdout_has(&format!("home-unsafe-place {item}: `/home/coder/open` has mode 0777"))
                .stdout_has("chmod go-w /home/coder/open");
            for secret in ["auth.json", ".credentials.json", "pushready"] {
                assert!(!folder.join(secret).exists(), "{item}");
            }
            // with the sticky bit everybody can rename only what is his own
            for mode in [0o1777, 0o755] {
                ws.set_mode("open", mode);
                run(&["apply"]).success();
                run(&["remove"]).success();
            }
        }
    });
}

/// What a repository or another program leaves may be of any size: it is named, and not read.
#[test]
fn a_file_of_an_absurd_size_is_named_and_not_read() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let large = |path: &str, megabytes: u64| {
            ws.write(path, "", 0o600);
            let file = fs::File::options().write(true).open(ws.home().join(path)).unwrap();
            file.set_len(megabytes << 20).unwrap();
        };
        let removed = |path: &str| fs::remove_file(ws.home().join(path)).unwrap();
        large(".codex/config.toml", 2);
        ws.set_mode(".codex", 0o700);
        at_once(codex(ws).env("PUSHREADY_TRUSTED_FOLDERS", "~/app"))
            .fails(1)
            .stdout_has("`/home/coder/.codex/config.toml` is larger than 1 MiB");
        at_once(ws.pushready(&["doctor", "--offline"]))
            .stdout_has("`/home/coder/.codex/config.toml` is larger than 1 MiB");
        removed(".codex/config.toml");
        large(".ssh/config", 5);
        ws.set_mode(".ssh", 0o700);
        at_once(keyed(ws, &key))
            .fails(1)
            .stdout_has("`/home/coder/.ssh/config` is larger than 4 MiB");
        removed(".ssh/config");
        ws.cmd("git").args(["init", "--quiet", "app"]).run().success();
        large("app/.gitmodules", 90);
        at_once(ws.pushready(&["doctor", "--offline", "--only", "leaks.remotes"]))
            .stdout_has("`/home/coder/app/.gitmodules` is larger than 4 MiB");
    });
}

/// Mounts a new file of this content at a path of the home, in the sandbox of the test.
fn mounted(how: &str, content: &str, at: &str, test: impl FnOnce(&Workspace)) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let file = file.path().to_str().unwrap().to_owned();
    sandbox_with(&[how, &file, at], test);
}

/// `docker -v FILE:FILE` and subPath of Kubernetes: nothing can replace the file, and Claude Code
/// writes it in place.
#[test]
fn a_claude_json_that_is_a_mount_is_written_in_place() {
    let file = "/home/coder/.claude.json";
    mounted("--bind", "{\"numStartups\": 3}\n", file, |ws| {
        let token = format!("sk-ant-oat01-{}", "A".repeat(60));
        let apply = || ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &*token);
        apply().run().success();
        let written = ws.read(".claude.json");
        assert!(
            written.contains("hasCompletedOnboarding") && written.contains("numStartups"),
            "{written}"
        );
        apply().run().success().stdout_has("no changes needed");
        ws.run(&["remove"]).success();
        assert_eq!(ws.read(".claude.json"), "{\"numStartups\": 3}\n");
    });
}

#[test]
fn a_read_only_mount_is_named_and_left_alone() {
    mounted("--ro-bind", "{}", "/home/coder/.claude.json", |ws| {
        let token = format!("sk-ant-oat01-{}", "A".repeat(60));
        let apply = || ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &*token);
        let output = apply().run().fails(1);
        output.stdout_has("`/home/coder/.claude.json` is a read-only mount of its own");
        assert_eq!(ws.read(".claude.json"), "{}");
    });
}

/// Codex would renew the login with `--live`, and could not save the new one.
#[test]
fn an_auth_json_that_is_a_mount_fails_before_codex_renews_it() {
    let login = fake_auth::chatgpt().json();
    mounted("--bind", &login, "/home/coder/.codex/auth.json", |ws| {
        let doctor = |depth: &str| ws.pushready(&["doctor", "--json", depth, "--only", "codex"]);
        let codes = |report: serde_json::Value| -> Vec<_> {
            let checks = report["checks"].as_array().unwrap().iter();
            let found =
                checks.filter(|check| check["status"] != "pass" && check["status"] != "skip");
            found.map(|check| format!("{} {}", check["status"], check["code"])).collect()
        };
        let unwritable = "\"fail\" \"codex-home-unwritable\"";
        assert_eq!(codes(doctor("--offline").run().fails(1).json()), [unwritable]);
        ws.install("codex", "#!/bin/sh\ntouch ~/started\n");
        let live = codes(doctor("--live").run().fails(1).json());
        assert!(live.contains(&unwritable.to_owned()), "{live:?}");
        assert!(!ws.home().join("started").exists());
        // and apply, which has a newer login, names the mount
        let seed = fake_auth::chatgpt().refreshed().json();
        let output = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", seed).run();
        assert!(!output.stdout.contains("home-io-error"), "{output}");
        // an API key is never renewed
        fs::write(ws.home().join(".codex/auth.json"), fake_auth::api_key("sk-proj-rig")).unwrap();
        doctor("--offline").run().success();
    });
}
