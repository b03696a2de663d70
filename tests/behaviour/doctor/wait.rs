//! How long a run lasts, and what it does again meanwhile.

use std::time::{Duration, Instant};

use super::Lab;
use crate::support::sandbox;

/// Refuses the first push, in the words of `~/refusal`, as a server or a name that is not up yet,
/// and notes each command.
const LATE: &str = r#"#!/bin/sh
for word; do last=$word; done
echo "$last" >>~/asked
case $last in
  git-receive-pack*) [ -e ~/up ] || { : >~/up; cat ~/refusal >&2; exit 255; } ;;
esac
exec ssh "$@"
"#;

#[test]
fn wait_asks_again_for_what_may_pass_and_for_nothing_else() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.install("late-ssh", LATE);
        let doctor = |refusal: &str| {
            lab.write("refusal", refusal);
            let doctor = lab.doctor(&["--only", "push,codex", "--wait", "60"]);
            doctor.env("GIT_SSH_COMMAND", "late-ssh").run().success().json()
        };
        // the name of a server whose network is starting
        let unknown = "ssh: Could not resolve hostname github.com: Name or service not known\n";
        assert_eq!(doctor(unknown)["overall"], "pass");
        lab.remove("asked");
        lab.remove("up");
        let report = doctor("ssh: connect to host github.com port 22: Connection refused\n");
        assert_eq!(report["overall"], "pass", "{report:#}");
        let asked = ws.read("asked");
        let count = |command: &str| asked.lines().filter(|line| line.starts_with(command)).count();
        // read access follows from write access, and from a connection that is not made
        assert_eq!((count("git-upload-pack"), count("git-receive-pack")), (0, 2), "{asked}");
        let pairs = |list: &str, id: &str| -> Vec<_> {
            report[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| (it[id].clone(), it["subject"].clone()))
                .collect()
        };
        assert_eq!(pairs("checks", "id"), pairs("examined", "id"));
        assert!(pairs("checks", "id").len() > 3, "the first look's are kept: {report:#}");
        // nobody waits so long, but some write so
        lab.doctor(&["--only", "push", "--wait", &u64::MAX.to_string()]).run().success();
    });
}

#[test]
fn a_run_that_looks_at_nothing_is_not_ready() {
    sandbox(|ws| {
        for selection in
            [&["--only", "push"][..], &["--only", "push", "--skip", "push"], &["--only", "codex"]]
        {
            let doctor = |more: &str| ws.pushready(&["doctor", more]).args(selection).run();
            doctor("--short").success().stdout_has("UNKNOWN (nothing was looked at) 0.");
            assert_eq!(doctor("--json").json()["overall"], "unknown");
            doctor("--strict").fails(1);
        }
    });
}

/// An apply that hangs, or another doctor, must not make the run longer than its budget.
#[test]
fn a_lock_that_another_holds_does_not_hold_the_doctor() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let start = Instant::now();
        let lock = ws.home().join(".local/state/pushready/lock");
        let held = lab
            .doctor(&["--offline"])
            .wrapped_in("flock", [lock.to_str().unwrap()])
            .run()
            .success();
        assert_eq!(held.json()["overall"], "pass", "{held}");
        held.stderr_has("another pushready is running");
        assert!(start.elapsed() < Duration::from_secs(30), "the budget of a whole run");
    });
}
