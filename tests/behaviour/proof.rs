//! What apply remembers of ssh and git: it asks again where something has changed, and only there.

use std::collections::BTreeSet;
use std::fs;

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
