//! The rig itself: that its parts behave as what they stand for.

use crate::support::{
    Access, Clients, Coder, GitHost, KeyPair, Output, Session, Snapshot, Vendors, Workspace,
    canary, fake_auth, require, sandbox, strace,
};
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// ssh with exactly these keys, in this order.
fn ssh_command(workspace: &Workspace, host: &GitHost, keys: &[&KeyPair]) -> String {
    workspace.write(
        ".ssh/known_hosts",
        host.known_hosts(&["github.com", "[ssh.github.com]:443"]),
        0o644,
    );
    let mut command = "ssh -o BatchMode=yes -o IdentitiesOnly=yes".to_owned();
    for (number, key) in keys.iter().enumerate() {
        let file = workspace.home().join(format!(".ssh/key{number}"));
        std::fs::remove_file(&file).ok();
        key.write_to(&file);
        command = format!("{command} -i {}", file.display());
    }
    command
}

const URL: &str = "git@github.com:acme/app.git";
const MARKER: &str = "/home/coder/marker";

#[test]
fn the_sandbox_is_an_empty_workspace() {
    sandbox(|workspace| {
        let who = workspace
            .sh("id -un; echo ~; getent hosts github.com | cut -d' ' -f1; ls -A")
            .run()
            .success();
        assert_eq!(who.stdout, "coder\n/home/coder\n127.0.0.1\n");
        assert_eq!(workspace.mode(""), 0o700);
        let outside = workspace.cmd("getent").args(["hosts", "example.com"]).run();
        assert_eq!(outside.status.code(), Some(2), "{outside}");
        for place in ["/etc/rig", "/proc/sys/kernel/core_pattern", "/run/rig/crate/rig"] {
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(place);
            assert!(opened.is_err(), "{place} can be written");
        }
        assert!(std::fs::metadata("/run/rig/bin/pushready").unwrap().mode() & 0o111 != 0);
    });
}

// each of the two would see the other's file, did they share anything
#[test]
fn a_sandbox_is_its_own() {
    sandbox(|_| {
        std::fs::OpenOptions::new().create_new(true).write(true).open(MARKER).map(drop).unwrap();
    });
}

#[test]
fn another_sandbox_is_its_own() {
    sandbox(|_| {
        std::fs::OpenOptions::new().create_new(true).write(true).open(MARKER).map(drop).unwrap();
    });
}

#[test]
#[should_panic(expected = "failed in its sandbox")]
fn a_failure_in_the_sandbox_is_one_outside() {
    sandbox(|_| panic!("on purpose: the test of a failing test"));
}

#[test]
fn without_bubblewrap_a_skipped_test_is_reported() {
    let skips = tempfile::NamedTempFile::new().unwrap();
    let run = |no_skip| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rig::a_sandbox_is_its_own"])
            .env("PATH", "/nonexistent")
            .env("PUSHREADY_SKIPS", skips.path())
            .env("PUSHREADY_NO_SKIP", no_skip)
            .output()
            .unwrap()
    };
    let skipped = run("0");
    assert!(skipped.status.success(), "{skipped:?}");
    let stderr = String::from_utf8(skipped.stderr).unwrap();
    assert_eq!(stderr, "SKIPPED rig::a_sandbox_is_its_own: bwrap not found\n");
    let listed = std::fs::read_to_string(skips.path()).unwrap();
    assert_eq!(listed, "rig::a_sandbox_is_its_own: bwrap not found\n");
    assert!(!run("1").status.success());
}

#[test]
fn a_command_has_four_variables_and_gets_its_stdin() {
    sandbox(|workspace| {
        let env = workspace.cmd("env").env("EXTRA", "1").env_remove("USER").run().success();
        let mut names: Vec<_> =
            env.stdout.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["EXTRA", "HOME", "LANG", "PATH"]);
        let large = "x".repeat(1 << 20);
        assert_eq!(workspace.cmd("cat").stdin(large.as_str()).run().success().stdout, large);
        assert_eq!(workspace.cmd("true").stdin(large).run().success().stdout, "");
        workspace.install("bd", "#!/bin/sh\necho '{\"id\": 7}'; exit 3\n");
        assert_eq!(workspace.cmd("bd").run().fails(3).json(), json!({"id": 7}));
        workspace.run(&["--version"]).success();
    });
}

#[test]
fn clone_and_push_with_the_right_key() {
    sandbox(|workspace| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        let ssh = ssh_command(workspace, &host, &[&key]);
        let git = |args: &[&str]| workspace.git(args).env("GIT_SSH_COMMAND", ssh.as_str());

        git(&["clone", "--quiet", URL]).run().success();
        assert_eq!(workspace.read("app/README.md"), "# acme/app\n");
        let before = host.head("acme/app", "refs/heads/main");
        git(&["commit", "--quiet", "--allow-empty", "--message=more"])
            .current_dir("app")
            .run()
            .success();
        git(&["push"]).current_dir("app").run().success();
        assert_ne!(host.head("acme/app", "refs/heads/main"), before);
        assert_eq!(host.head("acme/app", "refs/heads/other"), None);

        let sessions = host.sessions();
        assert!(
            sessions
                .iter()
                .all(|session| session.key == key.fingerprint && session.verdict == "ok")
        );
        let commands: Vec<_> = sessions.iter().map(|session| session.command.as_str()).collect();
        assert_eq!(commands, ["git-upload-pack 'acme/app.git'", "git-receive-pack 'acme/app.git'"]);

        // names do not depend on case; the other port is another name
        git(&["ls-remote", "ssh://git@ssh.github.com:443/Acme/App"])
            .run()
            .success()
            .stdout_has("refs/heads/main");
    });
}

/// One command over SSH, as git would send it.
fn ask(workspace: &Workspace, host: &GitHost, key: &KeyPair, command: &str) -> Output {
    let ssh = ssh_command(workspace, host, &[key]);
    workspace.sh(&format!("{ssh} -T git@github.com \"$0\"")).arg(command).stdin("0000").run()
}

#[test]
fn the_host_refuses_in_githubs_words() {
    sandbox(|workspace| {
        let host = GitHost::start();
        for name in ["acme/app", "acme/other", "acme/archived", "acme/sso"] {
            host.repository(name);
        }
        host.public_repository("acme/lib");
        let archived = "ERROR: This repository was archived so it is read-only.";
        host.refuse_push("acme/archived", archived);
        let sso = "ERROR: The 'acme' organization has enabled or enforced SAML SSO.";
        host.refuse("acme/sso", sso);
        let write = host.deploy_key("acme/app", Access::Write);
        let read = host.deploy_key("acme/app", Access::Read);
        let archive = host.deploy_key("acme/archived", Access::Write);
        let user =
            host.user_key("octocat", &[("acme/app", Access::Read), ("acme/sso", Access::Write)]);

        let app = "Hi acme/app! You've successfully authenticated, but GitHub does not provide shell access.";
        let octocat = "Hi octocat! You've successfully authenticated, but GitHub does not provide shell access.";
        let not_found = "ERROR: Repository not found.";
        let read_only = "ERROR: The key you are authenticating with has been marked as read only.";
        let to_deploy_key = "ERROR: Permission to acme/lib.git denied to deploy key";
        let to_user = "ERROR: Permission to acme/app.git denied to octocat.";
        for (key, command, answer) in [
            (&write, "", app),
            (&user, "", octocat),
            (&write, "git-upload-pack 'acme/other.git'", not_found),
            (&write, "git-receive-pack 'acme/other.git'", not_found),
            (&write, "git-upload-pack 'acme/none.git'", not_found),
            (&read, "git-receive-pack 'acme/app.git'", read_only),
            (&read, "git-lfs-authenticate acme/app.git upload", read_only),
            (&write, "git-receive-pack 'acme/lib.git'", to_deploy_key),
            (&user, "git-receive-pack 'acme/app.git'", to_user),
            (&user, "git-upload-pack 'acme/sso'", sso),
            (&archive, "git-receive-pack '/acme/archived'", archived),
            (&write, "ls -l", "Invalid command: 'ls -l'"),
        ] {
            let output = ask(workspace, &host, key, command).fails(1);
            assert_eq!(output.stderr, format!("{answer}\n"), "{command}");
            let session = Session {
                key: key.fingerprint.clone(),
                command: command.into(),
                verdict: answer.into(),
            };
            assert_eq!(host.sessions().last(), Some(&session));
        }
        let output =
            ask(workspace, &host, &KeyPair::generate("unknown"), "git-upload-pack 'acme/lib'");
        output.fails(255).stderr_has("git@github.com: Permission denied (publickey).");
    });
}

#[test]
fn the_host_serves_what_a_key_may_use() {
    sandbox(|workspace| {
        let host = GitHost::start();
        for name in ["acme/app", "Acme/group/nested", "~me/dot"] {
            host.repository(name);
        }
        host.public_repository("acme/lib");
        let read = host.deploy_key("acme/app", Access::Read);
        let nested = host.deploy_key("acme/group/nested", Access::Write);
        let tilde = host.deploy_key("~me/dot", Access::Write);
        for (key, command) in [
            (&read, "git-upload-pack 'acme/app.git'"),
            (&read, "git-upload-pack 'acme/lib.git'"),
            (&nested, "git-receive-pack '/acme/Group/nested.git'"),
            (&tilde, "git-upload-pack '~me/dot'"),
        ] {
            ask(workspace, &host, key, command).success().stdout_has("refs/heads/main");
        }
        let lfs =
            ask(workspace, &host, &nested, "git-lfs-authenticate acme/group/nested.git upload")
                .success()
                .json();
        assert_eq!(lfs["href"], "https://github.com/acme/group/nested.git/info/lfs");
    });
}

#[test]
fn the_first_key_that_the_host_knows_decides() {
    sandbox(|workspace| {
        let host = GitHost::start();
        host.repository("acme/app");
        host.repository("acme/other");
        let app = host.deploy_key("acme/app", Access::Write);
        let other = host.deploy_key("acme/other", Access::Write);
        let unknown = KeyPair::generate("unknown");
        let ls = |keys: &[&KeyPair]| {
            let ssh = ssh_command(workspace, &host, keys);
            workspace.git(&["ls-remote", URL]).env("GIT_SSH_COMMAND", ssh).run()
        };
        ls(&[&unknown, &app, &other]).success();
        ls(&[&other, &app]).fails(128).stderr_has("ERROR: Repository not found.");
        let keys: Vec<_> = host.sessions().into_iter().map(|session| session.key).collect();
        assert_eq!(keys, [app.fingerprint, other.fingerprint]);
    });
}

#[test]
fn a_server_hook_declines_a_push() {
    sandbox(|workspace| {
        let host = GitHost::start();
        host.repository("acme/app");
        host.install_hook(
            "acme/app",
            "pre-receive",
            "#!/bin/sh\necho 'error: GH006: Protected branch' >&2\nexit 1\n",
        );
        let key = host.deploy_key("acme/app", Access::Write);
        let ssh = ssh_command(workspace, &host, &[&key]);
        let git = |args: &[&str]| workspace.git(args).env("GIT_SSH_COMMAND", ssh.as_str());
        git(&["clone", "--quiet", URL]).run().success();
        let push =
            git(&["push", "origin", "HEAD:refs/heads/new"]).current_dir("app").run().fails(1);
        push.stderr_has("remote: error: GH006: Protected branch")
            .stderr_has("(pre-receive hook declined)");
        assert_eq!(host.head("acme/app", "refs/heads/new"), None);
    });
}

#[test]
fn coder_gitssh_offers_keys_of_ssh_config_first() {
    sandbox(|workspace| {
        let host = GitHost::start();
        host.repository("acme/app");
        host.repository("acme/mine");
        let deploy = host.deploy_key("acme/app", Access::Write);
        let user = host.user_key("octocat", &[("acme/mine", Access::Write)]);
        let coder = Coder::install(Some(&user));
        workspace.write(".ssh/known_hosts", host.known_hosts(&["github.com"]), 0o644);
        let ls = |url: &str| {
            workspace.git(&["ls-remote", url]).env("GIT_SSH_COMMAND", coder.git_ssh_command()).run()
        };

        ls("git@github.com:acme/mine.git").success();
        deploy.write_to(&workspace.home().join(".ssh/id_ed25519"));
        ls(URL).success();
        ls("git@github.com:acme/mine.git").fails(128).stderr_has("run ssh command: exit status 1");
        let keys: Vec<_> = host.sessions().into_iter().map(|session| session.key).collect();
        assert_eq!(keys, [user.fingerprint, deploy.fingerprint.clone(), deploy.fingerprint]);

        workspace.write(".ssh/known_hosts", "", 0o644);
        ls(URL)
            .fails(128)
            .stderr_has("Host key verification failed.")
            .stderr_has("Coder authenticates with git");
    });
}

#[test]
fn coder_gitssh_fails_without_coderd() {
    sandbox(|workspace| {
        let coder = Coder::install(None);
        let output = workspace
            .git(&["ls-remote", URL])
            .env("GIT_SSH_COMMAND", coder.git_ssh_command())
            .run();
        output.fails(128).stderr_has("get agent git ssh token: ");
    });
}

#[test]
fn codex_completes_a_turn_with_exactly_these_credentials() {
    sandbox(|workspace| {
        let vendors = Vendors::start();
        let clients = Clients::install(workspace, &vendors);
        let login = fake_auth::chatgpt();
        workspace.write(".codex/auth.json", login.json(), 0o600);

        let turn = clients
            .codex(&["exec", "--skip-git-repo-check", "hi"])
            .run()
            .success()
            .stdout_has("MOCK-OK");
        canary::assert_absent("the turn", turn.to_string(), &login.secrets());
        let requests = vendors.requests();
        let turn = requests
            .iter()
            .find(|request| request.method == "POST" && request.path.ends_with("/responses"));
        let turn = turn.unwrap_or_else(|| panic!("no turn among {requests:#?}"));
        assert_eq!(turn.headers["authorization"], format!("Bearer {}", login.access_token()));
        assert_eq!(turn.headers["chatgpt-account-id"], fake_auth::ACCOUNT);
        assert!(
            requests.iter().all(|request| request.path != "/oauth/token"),
            "a fresh login was refreshed"
        );
        assert_eq!(workspace.read(".codex/auth.json"), login.json());
    });
}

#[test]
fn codex_rotates_an_expired_login_once() {
    sandbox(|workspace| {
        let vendors = Vendors::start();
        let clients = Clients::install(workspace, &vendors);
        let login = fake_auth::chatgpt().expired();
        workspace.write(".codex/auth.json", login.json(), 0o600);
        let turn = || clients.codex(&["exec", "--skip-git-repo-check", "hi"]).run();
        turn().success().stdout_has("MOCK-OK");
        let refresh =
            vendors.requests().into_iter().find(|request| request.path == "/oauth/token").unwrap();
        assert_eq!(refresh.host, "auth.openai.com");
        assert!(refresh.body.contains(&login.refresh_token), "{}", refresh.body);
        let live: serde_json::Value =
            serde_json::from_str(&workspace.read(".codex/auth.json")).unwrap();
        assert_eq!(live["tokens"]["refresh_token"], "rt_rotated_1");

        // the seed is spent now
        workspace.write(".codex/auth.json", login.json(), 0o600);
        vendors.reply(
            "chatgpt.com/backend-api/codex/responses",
            401,
            &json!({"error": {"code": "token_expired"}}),
        );
        turn().fails(1).stderr_has("refresh token was already used");
    });
}

#[test]
fn claude_completes_a_turn_with_exactly_this_token() {
    sandbox(|workspace| {
        let vendors = Vendors::start();
        let clients = Clients::install(workspace, &vendors);
        let token = "sk-ant-oat01-rig-0001";
        let turn = clients.claude(&["-p", "hi"]).env("CLAUDE_CODE_OAUTH_TOKEN", token).run();
        turn.success().stdout_has("MOCK-OK");
        let requests = vendors.requests();
        let turn = requests.iter().find(|request| request.path == "/v1/messages").unwrap();
        assert_eq!((turn.method.as_str(), turn.host.as_str()), ("POST", "api.anthropic.com"));
        assert_eq!(turn.headers["authorization"], format!("Bearer {token}"));
    });
}

#[test]
fn fake_logins_differ_where_they_should() {
    let seed = fake_auth::chatgpt();
    assert_eq!(seed.json(), fake_auth::chatgpt().json());
    let [expired, refreshed] = [seed.clone().expired(), seed.clone().refreshed()];
    assert_eq!(expired.refresh_token, seed.refresh_token);
    for other in [expired, refreshed, seed.clone().of_account(fake_auth::OTHER_ACCOUNT)] {
        assert_ne!(other.access_token(), seed.access_token());
        assert_ne!(other.id_token(), seed.id_token());
    }
    for json in [fake_auth::api_key("sk-proj-rig"), fake_auth::module_stub().to_owned()] {
        assert!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap()["OPENAI_API_KEY"].is_string()
        );
    }
}

#[test]
fn a_snapshot_sees_every_change() {
    sandbox(|workspace| {
        workspace.write("a/file", "one\ntwo\n", 0o644);
        workspace.write("a/gone", "", 0o600);
        std::os::unix::fs::symlink("file", workspace.home().join("a/link")).unwrap();
        let before = workspace.snapshot();
        before.assert_same(&workspace.snapshot());
        assert!(before.written(&workspace.snapshot()).is_empty());

        // the same bytes, written again
        workspace.write("a/file", "one\ntwo\n", 0o644);
        before.assert_same(&workspace.snapshot());
        let written = before.written(&workspace.snapshot());
        assert_eq!(written, [std::path::PathBuf::from("a/file")]);

        workspace.write("a/file", "one\nthree\n", 0o600);
        std::fs::remove_file(workspace.home().join("a/gone")).unwrap();
        std::fs::remove_file(workspace.home().join("a/link")).unwrap();
        std::os::unix::fs::symlink("gone", workspace.home().join("a/link")).unwrap();
        workspace.write("a/new", "x", 0o640);
        workspace.set_mode("", 0o755);
        let after = Snapshot::take(workspace.home());
        assert_eq!(
            before.diff(&after),
            [
                "~ .: mode 0700 -> 0755",
                "~ a/file: mode 0644 -> 0600",
                r#"~ a/file: file of 8 bytes -> file of 10 bytes, line 2: Some("two\n") -> Some("three\n")"#,
                "- a/gone: file of 0 bytes 0600",
                "~ a/link: link to file -> link to gone",
                "+ a/new: file of 1 bytes 0640",
            ]
        );
        assert_eq!(after.paths().count(), 5);
    });
}

#[test]
fn a_canary_is_found_in_every_encoding() {
    use base64ct::{Base64, Base64Url, Encoding};
    let secret = "sk-\"canary\"/é?\n0123456789abcdef+\n";
    let hex = "736B2D2263616E617279222FC3A93F0A303132333435363738396162636465662B";
    for (text, encoding) in [
        (format!("x{secret}x"), "raw"),
        (json!({"a": secret}).to_string(), "JSON"),
        (format!("{secret:?}"), "debug"),
        (format!("<{}>", hex.to_lowercase()), "hex"),
        (hex.into(), "hex"),
        ("sk-%22canary%22%2F%C3%A9%3F%0A0123456789abcdef%2B".into(), "url"),
        ("sk-%22canary%22%2f%c3%a9%3f%0a0123456789abcdef%2b".into(), "url"),
        (Base64::encode_string(secret.as_bytes()), "base64"),
        (Base64::encode_string(format!("1{secret}1").as_bytes()), "base64"),
        (Base64::encode_string(format!("12{secret}12").as_bytes()), "base64"),
        (Base64Url::encode_string(format!("12{secret}1").as_bytes()), "base64url"),
    ] {
        assert!(canary::find(text.as_bytes(), secret).contains(&encoding), "{encoding} in {text}");
    }
    let key = "-----BEGIN KEY-----\n0123456789abcdefghijklmno\nx\n-----END KEY-----\n";
    assert_eq!(canary::find(b"log: 0123456789abcdefghijklmno", key), ["a line"]);
    canary::assert_absent("output", "sk-canary -----BEGIN KEY-----", &[secret, key]);
}

#[test]
fn a_command_is_killed_at_each_step_that_changes_files() {
    sandbox(|workspace| {
        let script = "exec 3>new; echo secret >&3; chmod 600 new; mv new file; mkdir folder; sh -c 'ln -s a folder/link'";
        let command = || workspace.sh(script);
        let steps = strace::steps(command());
        for syscall in ["openat", "write", "fchmodat", "mkdir", "symlinkat"] {
            assert!(
                steps.iter().any(|step| step.syscall == syscall),
                "{syscall} is not among {steps:?}"
            );
        }
        let mut left = std::collections::BTreeSet::new();
        for step in &steps {
            for entry in ["new", "file", "folder"] {
                let entry = workspace.home().join(entry);
                std::fs::remove_dir_all(&entry).or_else(|_| std::fs::remove_file(&entry)).ok();
            }
            strace::inject(command(), step, "signal=KILL").run();
            left.insert(
                workspace
                    .snapshot()
                    .paths()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>(),
            );
        }
        assert!(left.len() >= 4, "the command always came as far: {left:?}");
        let mkdir = steps.iter().find(|step| step.syscall == "mkdir").unwrap();
        strace::inject(command(), mkdir, "error=ENOSPC")
            .run()
            .stderr_has("No space left on device");
    });
}

// pushready is such a process from its first line on
#[test]
fn the_steps_of_a_process_that_cannot_be_traced_are_seen() {
    sandbox(|workspace| {
        require("python3");
        let script = "import ctypes, os\n\
                      ctypes.CDLL(None).prctl(4, 0)\n\
                      os.write(os.open('file', os.O_CREAT | os.O_WRONLY, 0o600), b'x')\n\
                      os.rename('file', 'renamed')";
        let command = || workspace.cmd("python3").args(["-I", "-c", script]);
        let steps = strace::steps(command());
        for (syscall, left) in [("write", "file"), ("rename", "file")] {
            let step = steps.iter().rfind(|step| step.syscall == syscall).unwrap();
            std::fs::remove_file(workspace.home().join("renamed")).ok();
            strace::inject(command(), step, "signal=KILL").run();
            assert!(
                workspace.home().join(left).exists() && !workspace.home().join("renamed").exists()
            );
        }
    });
}
