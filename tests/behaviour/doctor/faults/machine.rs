//! Faults that take a sandbox of their own: the user's id, the disk, the network.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::doctor::table::{Fault, fault};
use crate::doctor::{Lab, token};
use crate::support::{Cmd, fake_auth, require, sandbox_with};

/// Only made in a sandbox of its own: the row is not run by the table.
pub const NO_PASSWD_ENTRY: Fault =
    fault("home-no-passwd-entry", "fail", "this uid has no passwd entry", |_| unreachable!());

/// A uid without a passwd entry, as random ones of OpenShift are.
#[test]
fn a_uid_without_a_passwd_entry() {
    sandbox_with(&["--uid", "4242"], |ws| {
        let apply =
            ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json());
        apply.run();
        let doctor =
            || ws.pushready(&["doctor", "--json", "--offline"]).env("GIT_AUTHOR_NAME", "D");
        let committer = |doctor: Cmd| {
            doctor.env("GIT_COMMITTER_NAME", "D").env("GIT_COMMITTER_EMAIL", "d@example.com")
        };
        let output = committer(doctor().env("GIT_AUTHOR_EMAIL", "d@example.com")).run();
        let wrong = NO_PASSWD_ENTRY.judge(&output);
        assert_eq!(wrong, None, "{}", wrong.as_deref().unwrap_or_default());
    });
}

pub const DISK_BROKEN: Fault =
    fault("home-io-error", "fail", "the disk cannot read .claude.json", |_| unreachable!());

#[test]
fn a_disk_that_cannot_be_read() {
    // user 0 owns what the kernel shows of a process that cannot be dumped, as pushready is one
    let passwd = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/behaviour/support/etc/passwd-root");
    let arguments = ["--uid", "0", "--gid", "0", "--ro-bind", passwd, "/etc/passwd"];
    sandbox_with(&arguments, |ws| {
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token());
        apply.run().success();
        fs::remove_file(ws.home().join(".claude.json")).unwrap();
        // a regular file to stat(2), and EIO to read(2)
        symlink("/proc/self/mem", ws.home().join(".claude.json")).unwrap();
        let doctor = ws.pushready(&["doctor", "--json", "--offline", "--skip", "git.commit"]);
        let output = doctor.run();
        let wrong = DISK_BROKEN.judge(&output);
        assert_eq!(wrong, None, "{}", wrong.as_deref().unwrap_or_default());
    });
}

pub const DISK_FULL: Fault =
    fault("home-disk-full", "fail", "the home's filesystem is full", |_| unreachable!());

#[test]
fn a_full_disk() {
    // twice the binary with its debug information, and little more
    sandbox_with(&["--perms", "0700", "--size", "201326592", "--tmpfs", "/home/coder"], |ws| {
        let lab = Lab::new(ws);
        let block = vec![0; 1 << 16];
        let mut filler = fs::File::create(ws.home().join("filler")).unwrap();
        while filler.write_all(&block).is_ok() {}
        let output = lab.doctor(&["--offline"]).run();
        let wrong = DISK_FULL.judge(&output);
        assert_eq!(wrong, None, "{}", wrong.as_deref().unwrap_or_default());
    });
}

pub const DROPPED: Fault =
    fault("ssh-port-blocked", "fail", "a firewall drops port 22", |_| unreachable!());

#[test]
fn a_port_that_is_dropped() {
    sandbox_with(&["--cap-add", "CAP_NET_ADMIN"], |ws| {
        require("nft");
        let lab = Lab::new(ws);
        let rules = "add table inet t\nadd chain inet t out { type filter hook output priority 0; }\n\
                     add rule inet t out tcp dport 22 drop\n";
        ws.cmd("nft").args(["-f", "-"]).stdin(rules).run().success();
        let start = Instant::now();
        let output = lab.doctor(&[]).run();
        // all probes wait at once, each for ssh's own deadline
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}: {output}", start.elapsed());
        let wrong = DROPPED.judge(&output);
        assert_eq!(wrong, None, "{}", wrong.as_deref().unwrap_or_default());
    });
}
