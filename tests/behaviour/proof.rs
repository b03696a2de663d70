//! What apply remembers of ssh: it asks again where something has changed, and only there.

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

/// One question to git: which rules are in its configuration. Here it has no value that git could
/// reject.
const LEAST: usize = 1;

#[test]
fn ssh_is_asked_again_only_where_something_has_changed() {
    sandbox(|ws| {
        let rig = Rig::new(ws);
        rig.apply().run().success();
        let again = |what: &str| {
            let (output, started) = Rig::traced(rig.apply());
            assert!(output.status.success(), "{what}\n{output}");
            assert!(output.stdout.contains("tested with 2 hosts"), "{what}\n{output}");
            started
        };
        assert_eq!(again("nothing"), LEAST);
        let config = ws.read(".ssh/config");
        let changes: [(&str, &dyn Fn()); 4] = [
            ("a line of the user", &|| {
                ws.write(".ssh/config", format!("{config}Host *\n  Compression yes\n"), 0o600);
            }),
            ("a file that the user includes", &|| {
                ws.write(".ssh/config", format!("{config}Host x\n  Include more\n"), 0o600);
                ws.write(".ssh/more", "Port 22\n", 0o600);
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
            assert!(again(what) > LEAST, "{what}");
            assert_eq!(again(what), LEAST, "{what}");
        }
        let (output, started) = Rig::traced(rig.apply().env("VISIBLE", "1"));
        assert!(output.status.success() && started > LEAST, "{output}");
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
