//! Host aliases, where `Match exec` cannot work, and shells and versions of ssh where it can.

use std::fs;

use super::{HOSTS, Lab, git, holds_for_all_three};
use crate::support::{require, sandbox, skip, use_openssh_10};

#[test]
fn where_the_shell_cannot_run_commands_host_aliases_take_over_until_it_can() {
    sandbox(|ws| {
        let lab = Lab::github();
        let bash = [("SHELL", "/bin/bash")];
        lab.apply(ws, &bash).success().stdout_has("ok       routing");
        let by_exec = ws.snapshot();
        for shell in ["/usr/sbin/nologin", "/nonexistent/shell"] {
            let environment = [("SHELL", shell)];
            let dry = lab.pushready(ws, &["apply", "--dry-run"], &environment).success();
            dry.stdout_has("warn     ssh-route-broken routing: `Match exec` cannot work here")
                .stdout_has("would change");
            lab.apply(ws, &environment).success().stdout_has("host aliases").stdout_has("\nREADY ");
            let by_alias = ws.snapshot();
            lab.apply(ws, &environment).success().stdout_has("no changes needed");
            assert!(by_alias.written(&ws.snapshot()).is_empty());
            let doctor = ["doctor", "--offline", "--only", "ssh.route"];
            lab.pushready(ws, &doctor, &environment).success().stdout_has("3 ok");
            // what is stored stays canonical
            let remote = "git@github.com:acme/app.git";
            let folder = shell.rsplit('/').next().unwrap();
            let clone = ws.git(&["clone", "--quiet", remote, folder]).env("SHELL", shell);
            lab.uses(&["acme/app"], || drop(clone.run().success()));
            assert_eq!(git(ws, &["config", "remote.origin.url"], folder).stdout.trim_end(), remote);
            holds_for_all_three(ws, &lab);
            fs::remove_dir_all(ws.home().join(folder)).unwrap();
            lab.apply(ws, &bash).success().stdout_has("ok       routing");
            let diff = by_exec.diff(&ws.snapshot());
            assert!(diff.iter().all(|line| line.contains("receipt.json")), "{diff:#?}");
        }
        lab.apply(ws, &[("SHELL", "/usr/sbin/nologin")]).success();
        let (coder, key) = lab.coder();
        let under_coder = |url: &str| {
            ws.git(&["ls-remote", url])
                .env("GIT_SSH_COMMAND", coder.git_ssh_command())
                .run()
                .success();
        };
        lab.uses(&["acme/app"], || under_coder("https://github.com/acme/app"));
        let third = lab.key_of(|| under_coder("git@github.com:acme/third.git"));
        assert_eq!(third, Some(key.fingerprint.clone()));
    });
}

#[test]
fn aliases_reach_the_host_as_the_users_own_configuration_does() {
    sandbox(|ws| {
        let lab = Lab::github();
        ws.write(".ssh/config", "Host github.com\n  HostName ssh.github.com\n  Port 443\n", 0o600);
        ws.write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n",
            0o644,
        );
        let environment = [("SHELL", "/usr/sbin/nologin")];
        lab.apply(ws, &environment).success().stdout_has("host aliases");
        let log = || {
            fs::read_to_string("/srv/git/sshd.log")
                .unwrap()
                .matches("on 127.0.0.2 port 443")
                .count()
        };
        let before = log();
        lab.uses(&["acme/app"], || {
            drop(git(ws, &["ls-remote", "https://github.com/acme/app"], ""));
        });
        assert_eq!(log() - before, 1);
        lab.apply(ws, &environment).success().stdout_has("no changes needed");
    });
}

#[test]
fn fish_runs_the_match_as_other_shells_do() {
    sandbox(|ws| {
        require("fish");
        let lab = Lab::github();
        lab.apply(ws, &[("SHELL", "/usr/bin/fish")]).success().stdout_has("ok       routing");
        let list =
            ws.git(&["ls-remote", "git@github.com:acme/app-lib.git"]).env("SHELL", "/usr/bin/fish");
        lab.uses(&["acme/app-lib"], || drop(list.run().success()));
    });
}

#[test]
fn openssh_10_routes_as_its_elders_do() {
    sandbox(|ws| {
        use_openssh_10();
        assert!(ws.cmd("ssh").arg("-V").run().stderr.starts_with("OpenSSH_10."));
        let lab = Lab::github();
        lab.apply(ws, &[]).success().stdout_has("ok       routing");
        holds_for_all_three(ws, &lab);
        lab.apply(ws, &[("SHELL", "/usr/sbin/nologin")]).success().stdout_has("host aliases");
        holds_for_all_three(ws, &lab);
    });
}

/// Mounts something where only the script sees it. The kernel lets everybody do so in a user
/// namespace; there a process has no uid of its own before somebody gives it one, which takes a
/// /proc that can be written: it is `nobody`, with a passwd entry that says otherwise.
const MOUNTED: &str = r#"
import ctypes, os, sys
mount = lambda source, target, flags: ctypes.CDLL(None, use_errno=True).mount(
    source and source.encode(), target.encode(), None, flags, None) == 0 or sys.exit("SKIP")
BIND, REMOUNT, NOEXEC, NODEV, NOSUID = 4096, 32, 8, 4, 2
mount("/home/coder/passwd", "/etc/passwd", BIND)
if sys.argv[1] == "noexec":
    mount("/home/coder/.local", "/home/coder/.local", BIND)
    mount(None, "/home/coder/.local", BIND | REMOUNT | NOEXEC | NODEV | NOSUID)
else:
    mount("/home/coder/nothing", "/proc", BIND)
os.execv("/bin/sh", ["sh", "-c", sys.argv[2]])
"#;

#[test]
fn a_home_mounted_noexec_and_a_missing_proc_are_met_by_aliases() {
    sandbox(|ws| {
        require("python3");
        let lab = Lab::github();
        ws.write("keys.json", lab.declared.to_string(), 0o600);
        ws.write("passwd", "coder:x:65534:65534::/home/coder:/bin/bash\n", 0o644);
        ws.sh("mkdir .local nothing").run().success();
        let script = "export PUSHREADY_DEPLOY_KEYS_FILE=~/keys.json
            pushready apply && pushready apply && git ls-remote git@github.com:acme/app-lib.git";
        for (mount, why) in [
            ("noexec", "`/home/coder/.local/state/pushready` is mounted noexec"),
            ("no proc", "/proc is not mounted"),
        ] {
            lab.uses(&["acme/app-lib"], || {
                let unshare = ws.cmd("unshare").args(["--user", "--mount", "--keep-caps"]);
                let unshare = unshare.env("PUSHREADY_KNOWN_HOSTS", lab.host.known_hosts(HOSTS));
                let ran = unshare.args(["/usr/bin/python3", "-c", MOUNTED, mount, script]).run();
                if ran.stderr.contains("SKIP") || ran.stderr.contains("unshare failed") {
                    skip("user namespaces in user namespaces are not allowed here");
                }
                ran.success()
                    .stdout_has(why)
                    .stdout_has("host aliases")
                    .stdout_has("no changes needed");
            });
            ws.sh("rm -rf .local/* .ssh .gitconfig").run().success();
        }
    });
}
