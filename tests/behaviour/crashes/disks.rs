//! A disk that is full or broken, at every step.

use std::collections::BTreeMap;
use std::path::Path;

use walkdir::WalkDir;

use super::{Bench, leftovers, restore};
use crate::support::strace::{Step, inject_own, own_steps};
use crate::support::{Everything, Output, Snapshot, Workspace, sandbox};

/// The steps at which a disk can fail. (Taking something away again always works, or nothing could
/// be promised.)
fn can_fail(step: &Step) -> bool {
    !step.syscall.starts_with("unlink")
}

/// What a full disk and a broken one say, in turn: what apply does does not depend on which.
const FAILING: [(&str, &str); 2] = [("ENOSPC", "os error 28"), ("EIO", "os error 5")];

fn failing_apply(ws: &Workspace, failing: &[(&str, &str)]) {
    let bench = Bench::new(ws);
    restore(ws, "before");
    let steps = own_steps(bench.apply());
    restore(ws, "before");
    let mut codes = BTreeMap::<_, usize>::new();
    let steps_that_fail = steps.iter().filter(|step| can_fail(step)).enumerate();
    for ((number, step), (error, says)) in steps_that_fail.zip(failing.iter().cycle()) {
        let when = format!("{error} at {step:?}");
        let output = inject_own(bench.apply(), step, &format!("error={error}")).run();
        *codes.entry(output.status.code()).or_default() += 1;
        let when = format!("{when}\n{output}");
        bench.assert_whole(&when);
        match output.status.code() {
            // what failed was the report itself
            Some(3)
                if output
                    .stderr
                    .starts_with("error: cannot write the report to standard output") =>
            {
                bench.assert_as_applied(&when);
            }
            Some(0) => bench.assert_as_applied(&when),
            Some(1 | 3) => {
                explains(&output, says);
                bench.assert_ready_is_true(&when);
            }
            _ => panic!("{when}"),
        }
        assert!(leftovers(ws).is_empty(), "{when}: {:?}", leftovers(ws));
        bench.assert_honest(&when);
        if number % 3 == 0 {
            bench.apply().run().success();
            bench.assert_as_applied(&when);
        }
        bench.remove().run().success();
        bench.assert_as_before(&when);
    }
    eprintln!("{} steps, exit {codes:?}", steps.len());
}

/// What went wrong, where, and the fix.
fn explains(output: &Output, says: &str) {
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains(says), "{says}?\n{output}");
    assert!(text.contains("/home/coder/") || text.contains("~/"), "where?\n{output}");
    assert!(text.contains("fix: ") || text.contains("hint: "), "what to do?\n{output}");
}

#[test]
fn apply_finds_the_disk_full_or_broken_at_any_step() {
    sandbox(|ws| failing_apply(ws, &FAILING));
}

#[test]
fn remove_finds_the_disk_broken_at_any_step() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        let steps = own_steps(bench.remove());
        for step in &steps {
            restore(ws, "after");
            let output = inject_own(bench.remove(), step, "error=EIO").run();
            let when = format!("EIO at {step:?}\n{output}");
            bench.assert_whole(&when);
            match output.status.code() {
                Some(0 | 1 | 3) => {}
                _ => panic!("{when}"),
            }
            if output.status.code() == Some(0) {
                let left = bench.before.diff(&ws.snapshot());
                assert!(
                    left.iter().all(|line| line.contains(".pushready-")),
                    "{when}\n{}",
                    left.join("\n")
                );
            }
            let again = bench.remove().run().success();
            bench.assert_as_before(&format!("{when}\n{again}"));
        }
        eprintln!("{} steps", steps.len());
    });
}

#[test]
fn a_disk_that_is_too_small_takes_what_fits() {
    sandbox(|ws| {
        let everything = Everything::new();
        let home = Path::new("/srv/small");
        let small = |args: &[&str]| everything.pushready(ws, args).env("HOME", home);
        let before = (Snapshot::take(home), ws.snapshot());
        small(&["apply"])
            .run()
            .fails(1)
            .stdout_has("home-disk-full")
            .stdout_has("/srv/small/.local/state/pushready/bin/pushready")
            .stdout_has("free some space");
        for login in [".codex/auth.json", ".claude/.credentials.json"] {
            assert!(home.join(login).exists(), "{login} fits");
        }
        assert!(!home.join(".gitconfig").exists(), "nothing points to rules that are not there");
        assert!(
            !WalkDir::new(home).into_iter().any(|e| e
                .unwrap()
                .path()
                .display()
                .to_string()
                .contains(".pushready-"))
        );
        small(&["remove"]).run().success();
        before.0.assert_same(&Snapshot::take(home));
        before.1.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    sandbox(|ws| {
        let everything = Everything::new();
        let run =
            |args: &[&str], home: &str| everything.pushready(ws, args).env("HOME", home).run();
        run(&["apply"], "/srv/read-only")
            .fails(1)
            .stdout_has("/srv/read-only/.local/state/pushready")
            .stdout_has("is on a filesystem that is mounted read-only")
            .stdout_has("fix: mount it writable")
            .stdout_has("NOT READY home-read-only home");
        ws.set_mode("", 0o500);
        run(&["apply"], "/home/coder").fails(1).stdout_has("Permission denied").stdout_has("fix: ");
        ws.set_mode("", 0o700);
    });
}
