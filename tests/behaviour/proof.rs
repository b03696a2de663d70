//! What apply remembers of ssh and git: it asks again where something has changed, and only there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Cmd, KeyPair, Output, Workspace, require, sandbox};

const KEYS: &str = "PUSHREADY_DEPLOY_KEYS";
const STATE: &str = ".local/state/pushready";

struct Rig<'a> {
    ws: &'a Workspace,
    keys: String,
}

impl<'a> Rig<'a> {
    fn new(ws: &'a Workspace) -> Self {
        let [app, docs] = ["app", "docs"].map(|name| KeyPair::generate(name).private);
        let keys = serde_json::json!({"acme/app": app, "gitlab.com/acme/docs": docs}).to_string();
        Self { ws, keys }
    }

    fn apply(&self) -> Cmd {
        self.ws.pushready(&["apply"]).env(KEYS, &self.keys)
    }

    /// The result, and how many programs pushready itself started.
    fn traced(apply: Cmd) -> (Output, usize) {
        require("strace");
        let calls = "/tmp/calls";
        let options = ["-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", calls];
        let output = apply.wrapped_in("strace", options).run();
        // of a process that nobody may trace, strace sees no arguments
        let calls = fs::read_to_string(calls).unwrap();
        // the end of a call that another process interrupts is on a line of its own
        let mut interrupted = BTreeSet::new();
        let own = calls.lines().filter(|line| {
            let process = line.split(' ').next().unwrap();
            let is_own = line.contains("execve(0x")
                || line.contains("execve resumed") && interrupted.remove(process);
            if is_own && line.ends_with("<unfinished ...>") {
                interrupted.insert(process);
            }
            is_own && line.ends_with("= 0")
        });
        let own = own.count();
        (output, own)
    }
}

/// What the first apply asks: git before and after its changes, and ssh about each of two hosts.
const FIRST: usize = 4;

#[test]
fn programs_are_asked_again_only_where_something_has_changed() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        let (first, started) = Rig::traced(rig.apply());
        first.success();
        assert_eq!(started, FIRST);
        let again = |what: &str| {
            let (output, started) = Rig::traced(rig.apply());
            assert!(output.status.success(), "{what}\n{output}");
            assert!(output.stdout.contains("tested with 2 hosts"), "{what}\n{output}");
            started
        };
        assert_eq!(again("nothing"), 0);
        let config = ws.read(".ssh/config");
        let git_config = ws.read(".gitconfig");
        let changes: [(&str, &dyn Fn()); 9] = [
            ("a line of the user", &|| {
                ws.write(".ssh/config", format!("{config}Host *\n  Compression yes\n"), 0o600);
            }),
            ("a file that the user includes", &|| {
                ws.write(".ssh/config", format!("{config}Host x\n  Include more\n"), 0o600);
                ws.write(".ssh/more", "Port 22\n", 0o600);
            }),
            ("a value of the user in git's configuration", &|| {
                ws.write(".gitconfig", format!("{git_config}[init]\n\tdefaultBranch = x\n"), 0o600);
            }),
            ("a file that git's configuration includes", &|| {
                ws.write(".gitconfig", format!("{git_config}[include]\n\tpath = more\n"), 0o600);
            }),
            ("a file that it includes, and that was missing", &|| {
                ws.write("more", "[init]\n\tdefaultBranch = x\n", 0o600);
            }),
            ("our rules, written again", &|| {
                let rules = ws.read(&format!("{STATE}/gitconfig"));
                ws.write(&format!("{STATE}/gitconfig"), rules, 0o600);
            }),
            ("rules that are gone", &|| {
                fs::remove_file(ws.home().join(STATE).join("gitconfig")).unwrap();
            }),
            ("our key, written again", &|| {
                let keys = ws.home().join(STATE).join("keys");
                let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
                let text = fs::read(&key).unwrap();
                fs::write(&key, text).unwrap();
            }),
            ("a proof that is gone", &|| {
                fs::remove_file(ws.home().join(STATE).join("proof")).unwrap();
            }),
        ];
        for (what, change) in changes {
            change();
            assert!(again(what) > 0, "{what}");
            assert_eq!(again(what), 0, "{what}");
        }
        let (output, started) = Rig::traced(rig.apply().env("VISIBLE", "1"));
        assert!(output.status.success() && started > 0, "{output}");
        // rules for other repositories, or by another identity, are made again
        let one = serde_json::json!({"acme/app": KeyPair::generate("other").private}).to_string();
        for apply in [rig.apply().env("PUSHREADY_GIT_NAME", "A"), rig.apply().env(KEYS, &one)] {
            let (output, started) = Rig::traced(apply);
            assert!(output.status.success() && started > 0, "{output}");
        }
        assert!(!ws.read(&format!("{STATE}/gitconfig")).contains("acme/docs"));
    });
}

/// The rules that are there hold for every clone, also where git was not asked for them.
#[test]
fn a_rule_of_a_clone_against_ours_is_found_without_new_rules() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        rig.apply().run().success();
        assert_eq!(Rig::traced(rig.apply()).1, 0);
        ws.write(
            "src/app/.git/config",
            "[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n\
             [remote \"origin\"]\n\turl = git@github.com:acme/app.git\n",
            0o600,
        );
        for name in ["HEAD", "objects/x", "refs/x"] {
            ws.write(&format!("src/app/.git/{name}"), "ref: refs/heads/main\n", 0o600);
        }
        let output = rig.apply().run();
        assert!(output.stdout.contains("remote-reversed"), "{output}");
    });
}

/// What most machines have is not tried before it is used: the test afterwards shows it.
#[test]
fn a_shell_that_runs_nothing_is_found_after_the_first_apply() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        let shell = ws.home().join("bash");
        fs::copy("/bin/false", &shell).unwrap();
        let output = rig.apply().env("SHELL", shell.to_str().unwrap()).run();
        assert!(output.stdout.contains("aliases"), "{output}");
        assert!(ws.read(&format!("{STATE}/ssh_config")).contains("Host "), "{output}");
    });
}

/// A proof never hides what is broken since.
#[test]
fn what_is_broken_since_is_reported() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        rig.apply().run().success();
        rig.apply().run().success();
        let config = ws.read(".ssh/config");
        ws.write(".ssh/config", format!("{config}Bogus yes\n"), 0o600);
        let output = rig.apply().run();
        assert_eq!(output.status.code(), Some(1), "{output}");
        assert!(output.stdout.contains("ssh-config-invalid"), "{output}");
        ws.write(".ssh/config", &config, 0o600);
        rig.apply().run().success();
        // a shell that runs nothing: ssh would use none of our keys
        let output = rig.apply().env("SHELL", "/bin/false").run();
        assert!(output.stdout.contains("aliases"), "{output}");
        rig.apply().run().success();
        // git leads elsewhere
        ws.write(
            ".gitconfig",
            format!(
                "{}[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:acme/app.git\n",
                ws.read(".gitconfig")
            ),
            0o600,
        );
        let output = rig.apply().run();
        assert!(output.stdout.contains("remote-reversed"), "{output}");
    });
}

/// Another text of the same length in the same file, whose times are put back.
fn alter(path: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(path).unwrap();
    let mut windows = bytes.windows(from.len());
    let at = windows.position(|window| window == from).unwrap();
    bytes[at..at + from.len()].copy_from_slice(to);
    let metadata = fs::metadata(path).unwrap();
    fs::write(path, &bytes).unwrap();
    let times = fs::FileTimes::new()
        .set_accessed(metadata.accessed().unwrap())
        .set_modified(metadata.modified().unwrap());
    fs::File::options().write(true).open(path).unwrap().set_times(times).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The files of ours, each with its mode. What is remembered is not among them.
fn files(ws: &Workspace) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let state = ws.home().join(STATE);
    let keys = fs::read_dir(state.join("keys")).unwrap().map(|it| it.unwrap().path());
    let mut all: Vec<_> = keys.collect();
    let own = ["bin/pushready", "gitconfig", "known_hosts", "receipt.json", "routes", "ssh_config"];
    all.extend(own.map(|name| state.join(name)));
    all.extend([".ssh/config", ".gitconfig"].map(|name| ws.home().join(name)));
    all.sort();
    let file = |path: PathBuf| {
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.is_file(), "{}", path.display());
        let mut bytes = fs::read(&path).unwrap();
        if path.ends_with("receipt.json") {
            let mut receipt: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            // when it was written last
            receipt.as_object_mut().unwrap().remove("provisioned_at").unwrap();
            bytes = serde_json::to_vec(&receipt).unwrap();
        }
        (path, metadata.permissions().mode(), bytes)
    };
    all.into_iter().map(file).collect()
}

/// Whatever changes in what is ours, the next apply puts it right.
#[test]
fn a_change_of_each_file_is_seen() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        for _ in 0..2 {
            rig.apply().run().success();
        }
        let before = files(ws);
        let state = ws.home().join(STATE);
        let key = fs::read_dir(state.join("keys")).unwrap().next().unwrap().unwrap().path();
        let key = key.as_path();
        let other = state.join("other");
        let replace = |path: &Path, by: &dyn Fn(&Path)| {
            fs::rename(path, &other).unwrap();
            by(path);
            fs::remove_file(&other).unwrap();
        };
        let changes: &[(&str, &dyn Fn())] = &[
            ("a key", &|| alter(key, b"AAAAB", b"AAAAC")),
            ("the mode of a key", &|| mode(key, 0o640)),
            ("a key that nobody can read", &|| mode(key, 0o000)),
            ("a key that is gone", &|| fs::remove_file(key).unwrap()),
            ("an empty key", &|| fs::write(key, "").unwrap()),
            ("a key of another size", &|| fs::write(key, "-----BEGIN").unwrap()),
            ("another file instead of a key", &|| {
                replace(key, &|path| fs::write(path, KeyPair::generate("other").private).unwrap());
            }),
            ("a route", &|| alter(&state.join("routes"), b"acme/app", b"acme/apq")),
            ("the configuration of ssh", &|| {
                alter(&state.join("ssh_config"), b"IdentitiesOnly yes", b"IdentitiesOnly no ");
            }),
            ("a pinned key", &|| alter(&state.join("known_hosts"), b"AAAAC3", b"AAAAC4")),
            ("a rule of git", &|| alter(&state.join("gitconfig"), b"acme/app", b"acme/apq")),
            ("the copy", &|| alter(&state.join("bin/pushready"), b"ssh-match", b"ssh-hctam")),
            ("the mode of the copy", &|| mode(&state.join("bin/pushready"), 0o600)),
            ("another copy", &|| {
                replace(&state.join("bin/pushready"), &|path| {
                    fs::copy("/bin/true", path).unwrap();
                    mode(path, 0o700);
                });
            }),
            ("our line in ssh's configuration", &|| ws.write(".ssh/config", "", 0o600)),
            ("our line in git's configuration", &|| {
                let config = ws.read(".gitconfig");
                let (own, _) = config.split_once("[include]").unwrap();
                ws.write(".gitconfig", own, 0o600);
            }),
            ("a fingerprint in the receipt", &|| {
                alter(&state.join("receipt.json"), b"\"SHA256:", b"\"SHA257:");
            }),
            ("a repository in the receipt", &|| {
                alter(&state.join("receipt.json"), b"acme/docs", b"acme/docx");
            }),
        ];
        for (what, change) in changes {
            change();
            let output = rig.apply().run();
            let is_seen = output.status.success() && files(ws) == before;
            assert!(is_seen, "{what}\n{output}");
        }
    });
}

type Step<'a> = &'a dyn Fn();

/// Where a key cannot lie, or ssh is another one, no proof of an earlier run counts.
#[test]
fn what_cannot_be_put_right_is_refused_each_time() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        for _ in 0..2 {
            rig.apply().run().success();
        }
        let keys = ws.home().join(STATE).join("keys");
        let key = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().path();
        let copy = ws.home().join(STATE).join("bin/pushready");
        let away = ws.home().join("away");
        let own_ssh = ws.home().join("bin/ssh");
        let changes: &[(&str, &str, Step<'_>, Step<'_>)] = &[
            (
                "a link instead of a key",
                "home-unsafe-place",
                &|| {
                    fs::rename(&key, &away).unwrap();
                    symlink(&away, &key).unwrap();
                },
                &|| fs::rename(&away, &key).unwrap(),
            ),
            (
                "a second name of a key",
                "home-unsafe-place",
                &|| fs::hard_link(&key, &away).unwrap(),
                &|| fs::remove_file(&away).unwrap(),
            ),
            (
                "a folder that others can write to",
                "home-unsafe-place",
                &|| mode(&keys, 0o777),
                &|| mode(&keys, 0o700),
            ),
            (
                "a link instead of the copy",
                "home-unsafe-place",
                &|| {
                    fs::rename(&copy, &away).unwrap();
                    symlink("/bin/true", &copy).unwrap();
                },
                &|| fs::rename(&away, &copy).unwrap(),
            ),
            (
                "another ssh",
                "ssh-config-invalid",
                &|| {
                    fs::create_dir_all(own_ssh.parent().unwrap()).unwrap();
                    fs::write(&own_ssh, "#!/bin/sh\nexit 255\n").unwrap();
                    mode(&own_ssh, 0o755);
                },
                &|| fs::remove_file(&own_ssh).unwrap(),
            ),
        ];
        let path = format!("{}:/run/rig/bin:/usr/bin:/bin", ws.home().join("bin").display());
        let apply = || rig.apply().env("PATH", &path).run();
        for (what, code, change, undo) in changes {
            apply().success();
            change();
            for _ in 0..2 {
                let output = apply();
                assert!(output.stdout.contains(code), "{what}\n{output}");
                // nor is it taken for something else
                assert!(!output.stdout.contains("no longer configured"), "{what}\n{output}");
            }
            undo();
        }
        apply().success();
    });
}

/// A kernel, or a sandbox that replaces one, need not have descriptors of processes.
#[test]
fn children_are_waited_for_without_a_descriptor_of_them() {
    sandbox(|ws| {
        require("strace");
        let rig = Rig::new(ws);
        let inject = [
            "-qq",
            "-o",
            "/tmp/calls",
            "-e",
            "trace=pidfd_open",
            "-e",
            "inject=pidfd_open:error=ENOSYS",
        ];
        rig.apply().wrapped_in("strace", inject).run().success();
        assert!(fs::read_to_string("/tmp/calls").unwrap().contains("INJECTED"));
    });
}
