//! The offline depth: files and configuration, as few children as suffice, and no network.

use std::fs;

use serde_json::json;

use super::{Lab, URL};
use crate::support::{KeyPair, require, sandbox};

/// What a run started and connected to.
struct Trace {
    /// As each wrapper noted itself.
    children: Vec<String>,
    /// As strace saw it, who of pushready sees no more than numbers.
    calls: String,
}

impl Trace {
    fn of(lab: &Lab, arguments: &[&str]) -> Self {
        require("strace");
        let [calls, children] = ["/tmp/calls", "/tmp/children"];
        fs::write(children, "").unwrap();
        let doctor = lab.ws.pushready(&["doctor"]).args(arguments).current_dir("src/app");
        let strace = ["-f", "-qq", "-e", "trace=execve,socket", "-e", "signal=none", "-o", calls];
        doctor.wrapped_in("strace", strace).run().success();
        let mut children: Vec<_> =
            fs::read_to_string(children).unwrap().lines().map(str::to_owned).collect();
        children.sort();
        Self { children, calls: fs::read_to_string(calls).unwrap() }
    }

    /// How many programs pushready itself started: of a process that nobody may trace, strace sees
    /// no arguments.
    fn started(&self) -> usize {
        // the wrappers are first in PATH; a call that another thread interrupts has its end on
        // another line
        self.calls.lines().filter(|line| line.contains("execve(0x")).count()
    }
}

#[test]
fn no_child_that_is_not_needed_and_no_network() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for name in ["git", "ssh"] {
            let note = "for word; do case $word in var|remote|config|diff-index|for-each-ref|ls-files|-G) printf '%s' \" $word\" ;; esac; done";
            let script = format!(
                "#!/bin/sh\necho \"{name}$({note})\" >>/tmp/children\nexec /usr/bin/{name} \"$@\"\n"
            );
            ws.install(name, &script);
        }
        let trace = Trace::of(&lab, &["--offline"]);
        // git's configuration, HEAD, the index and the attributes, where a push goes and where the clone's remotes
        // lead, the author and the committer; the home that ssh uses, and the key that it chooses
        assert_eq!(
            trace.children,
            [
                "git config",
                "git diff-index",
                "git for-each-ref",
                "git ls-files",
                "git remote",
                "git var",
                "git var",
                "ssh -G",
                "ssh -G"
            ],
            "{}",
            trace.calls
        );
        assert_eq!(trace.started(), trace.children.len(), "{}", trace.calls);
        assert!(!trace.calls.contains("AF_INET"), "{}", trace.calls);
        // and the sight is keen enough to see it
        let online = Trace::of(&lab, &["--only", "push"]);
        assert!(online.calls.contains("AF_INET"), "{}", online.calls);
        assert!(online.started() > online.children.len() / 2, "{}", online.calls);
    });
}

/// ssh starts a process for each key of the host: it is asked once for each server, and the others
/// follow from files that are as apply writes them.
#[test]
fn ssh_is_asked_once_for_each_server() {
    sandbox(|ws| {
        const KEYS: usize = 12;
        let keys: serde_json::Map<_, _> = (0..KEYS)
            .map(|number| {
                let host = ["github.com", "gitlab.com"][number % 2];
                let key = KeyPair::generate(&format!("k{number}")).private;
                (format!("{host}/acme/app{number}"), key.into())
            })
            .collect();
        let apply = ws.pushready(&["apply"]);
        apply.env("PUSHREADY_DEPLOY_KEYS", json!(keys).to_string()).run().success();
        ws.install("ssh", "#!/bin/sh\necho \"$*\" >>/tmp/ssh\nexec /usr/bin/ssh \"$@\"\n");
        let routes = || {
            fs::write("/tmp/ssh", "").unwrap();
            let report = ws.run(&["doctor", "--offline", "--json", "--only", "ssh.route"]).json();
            let checks = report["checks"].as_array().unwrap().iter();
            let failed = checks.clone().filter(|check| check["code"] == "ssh-route-broken").count();
            let asked = fs::read_to_string("/tmp/ssh").unwrap().matches("git-receive-pack").count();
            assert_eq!(checks.count(), KEYS, "{report:#}");
            (failed, asked)
        };
        assert_eq!(routes(), (0, 2));
        // a file that is not as apply writes it proves nothing of the others
        let config = ".local/state/pushready/ssh_config";
        let good = ws.read(config);
        let last = good.rfind("IdentityFile").unwrap();
        let (kept, changed) = good.split_at(last);
        ws.write(config, format!("{kept}{}", changed.replacen("/keys/", "/other/", 1)), 0o600);
        assert_eq!(routes(), (1, KEYS));
        ws.write(config, &good, 0o600);
        // nor does a server on which ssh does not choose the first key
        let own = "Host github.com\n  IdentityFile ~/.ssh/mine\nHost *\n";
        ws.write(".ssh/config", format!("{own}{}", ws.read(".ssh/config")), 0o600);
        ws.write(".ssh/mine", KeyPair::generate("mine").private, 0o600);
        assert_eq!(routes(), (KEYS / 2, 1 + KEYS / 2));
    });
}

/// Neither waits for the other for long, and the verdict that stays is a whole one.
#[test]
fn two_at_once_both_end_well() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let doctors: Vec<_> = (0..4).map(|_| lab.doctor(&[]).spawn()).collect();
        let apply = lab.apply().spawn();
        for child in doctors.into_iter().chain([apply]) {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
        let verdict: serde_json::Value =
            serde_json::from_str(&ws.read(".local/state/pushready/doctor.json")).unwrap();
        assert_eq!(verdict["overall"], "pass");
        assert!(verdict["examined"].to_string().contains(URL));
        // after a removal no late verdict brings the state folder back
        let doctors: Vec<_> = (0..4).map(|_| lab.doctor(&["--offline"]).spawn()).collect();
        ws.run(&["remove"]).success();
        for child in doctors {
            child.wait_with_output().unwrap();
        }
        let state = ws.home().join(".local/state/pushready");
        assert!(!state.exists(), "{:?}", fs::read_dir(state).map(Iterator::count));
    });
}

#[test]
fn a_fifo_where_a_file_belongs_hangs_no_command() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let state = ".local/state/pushready";
        for path in [".ssh/known_hosts", ".codex/models_cache.json", &format!("{state}/gitconfig")]
        {
            lab.fresh();
            let place = ws.home().join(path);
            fs::remove_file(&place).ok();
            ws.cmd("mkfifo").arg(&place).run().success();
            // ssh itself reads known_hosts only when it connects; git would read its configuration,
            // which is not ours to fix
            let only =
                if path.ends_with("gitconfig") { "codex,ssh" } else { "codex,ssh,git,leaks" };
            let doctor = lab
                .doctor(&["--offline", "--only", only])
                .current_dir("/")
                .wrapped_in("timeout", ["20"]);
            let output = doctor.run();
            assert!(matches!(output.status.code(), Some(0 | 1)), "{path}\n{output}");
        }
        // the lock of the state folder
        lab.fresh();
        let lock = ws.home().join(state).join("lock");
        fs::remove_file(&lock).unwrap();
        ws.cmd("mkfifo").arg(&lock).run().success();
        lab.apply().wrapped_in("timeout", ["20"]).run().fails(3);
    });
}
