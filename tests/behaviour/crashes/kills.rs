//! kill -9 at every step.

use std::collections::BTreeMap;

use super::{Bench, RECEIPT, is_lock, leftovers, receipt, restore, secrets_are_private, store};
use crate::support::strace::{Step, inject_own, own_steps};
use crate::support::{Everything, sandbox};

#[test]
fn apply_may_be_killed_at_any_step() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        restore(ws, "before");
        let steps = own_steps(bench.apply());
        assert!(steps.len() > 80, "{steps:?}");
        restore(ws, "before");
        let mut locked: BTreeMap<String, Vec<&Step>> = BTreeMap::new();
        for step in &steps {
            let when = format!("killed at {step:?}");
            inject_own(bench.apply(), step, "signal=KILL").run();
            bench.assert_whole(&when);
            bench.assert_ready_is_true(&when);
            secrets_are_private(ws, &when);
            for path in leftovers(ws).into_iter().filter(|path| is_lock(path)) {
                locked.entry(path).or_default().push(step);
            }
            let to_heal = !leftovers(ws).is_empty() || !receipt(ws)["under_way"].is_null();
            store(ws, "killed");

            let healed = bench.apply().run().success();
            assert!(leftovers(ws).is_empty(), "{when}: {:?}", leftovers(ws));
            bench.assert_as_applied(&when);
            assert_eq!(
                healed.stdout.contains("an earlier run was interrupted"),
                to_heal,
                "{when}\n{healed}"
            );
            bench.remove().run().success();
            bench.assert_as_before(&format!("{when}, applied and removed"));

            restore(ws, "killed");
            bench.remove().run().success();
            bench.assert_as_before(&format!("{when}, removed"));
        }
        eprintln!("{} steps; locks left behind: {locked:#?}", steps.len());
        // of the link, the second look, the rename and the unlink: never while anything is being
        // written
        for (path, steps) in locked {
            assert!(
                steps
                    .iter()
                    .all(|step| !matches!(&*step.syscall, "write" | "fsync" | "open" | "openat")),
                "{path}: {steps:?}"
            );
        }
    });
}

/// The home of a workspace that has no key: another part of apply writes git's configuration.
#[test]
fn an_apply_of_the_identity_may_be_killed_at_any_step() {
    sandbox(|ws| {
        for file in ["[core]\n\teditor = vi", "[user]\n\tsigningKey = x\n"] {
            ws.write(".gitconfig", file, 0o644);
            store(ws, "before");
            let before = ws.snapshot();
            let apply = || {
                let apply = ws.pushready(&["apply"]).env("PUSHREADY_GIT_NAME", "Ada");
                apply.env("PUSHREADY_GIT_EMAIL", "ada@example.com")
            };
            let committer = || ws.sh("git var GIT_COMMITTER_IDENT").run().success().stdout;
            let steps = own_steps(apply());
            assert!(steps.len() > 10, "{steps:?}");
            for step in &steps {
                let when = format!("killed at {step:?}");
                restore(ws, "before");
                inject_own(apply(), step, "signal=KILL").run();
                let config = ws.read(".gitconfig");
                assert!(config.contains(file.trim_end()), "{when}: {config}");
                store(ws, "killed");

                apply().run().success();
                assert!(committer().starts_with("Ada <ada@example.com>"), "{when}");
                assert!(leftovers(ws).is_empty(), "{when}: {:?}", leftovers(ws));
                ws.run(&["remove"]).success();
                let diff = before.diff(&ws.snapshot());
                assert!(diff.is_empty(), "{when}, applied and removed: {diff:?}");

                restore(ws, "killed");
                ws.run(&["remove"]).success();
                let diff = before.diff(&ws.snapshot());
                assert!(diff.is_empty(), "{when}, removed: {diff:?}");
            }
        }
    });
}

/// The state folder is made with a receipt in it, before anything else.
#[test]
fn an_apply_that_got_no_further_than_its_folder_has_provisioned_nothing() {
    sandbox(|ws| {
        let everything = Everything::new();
        let apply = || everything.pushready(ws, &["apply"]);
        let begun = || {
            let steps = own_steps(apply());
            ws.run(&["remove"]).success();
            let killed = steps.iter().filter(|step| step.syscall == "fsync").any(|step| {
                inject_own(apply(), step, "signal=KILL").run();
                ws.home().join(RECEIPT).exists()
            });
            assert!(killed && !ws.home().join(".local/state/pushready/keys").exists());
        };
        let unfinished = |says: &str| {
            ws.run(&["status"]).fails(1).stdout_has("not ready").stdout_has(says);
            ws.run(&["doctor", "--offline", "--short"]).fails(1).stdout_has("not-provisioned");
        };
        begun();
        unfinished("an apply is running, or was interrupted");
        // a shell without the variables cannot finish it
        ws.run(&["apply"]).success().stdout_has("nothing is configured").stdout_has(
            "an earlier run was interrupted: run `pushready apply` where the variables are set",
        );
        unfinished("an apply is running, or was interrupted");
        apply().run().success().stdout_has("an earlier run was interrupted: its work is finished");
        ws.run(&["status"]).success();
        let again = apply().run().success().stdout_has("no changes needed");
        assert!(!again.stdout.contains("interrupted"), "{again}");
        ws.run(&["remove"]).success();
        // an apply that could put nothing in place, and got no failure for it, has run
        // all the same
        let first = ws
            .pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", "sk-ant-api03-of-another-kind")
            .env("PUSHREADY_ACCEPT", "claude-token-malformed")
            .run()
            .success();
        assert!(!first.stdout.contains("interrupted"), "{first}");
        ws.run(&["status"]).success();
    });
}

#[test]
fn a_shell_without_the_variables_does_not_end_what_it_cannot_finish() {
    sandbox(|ws| {
        let everything = Everything::new();
        let apply = || everything.pushready(ws, &["apply"]);
        let steps = own_steps(apply());
        let mut unfinished = 0;
        for step in steps.iter().filter(|step| step.syscall.starts_with("rename")) {
            ws.run(&["remove"]).success();
            inject_own(apply(), step, "signal=KILL").run();
            ws.run(&["apply"]);
            let status = ws.run(&["status"]);
            if status.status.success() {
                let again = apply().run().success();
                assert!(
                    again.stdout.contains("no changes needed"),
                    "killed at {step:?}\n{status}\n{again}"
                );
                continue;
            }
            unfinished += 1;
            let again = apply().run().success();
            assert!(!again.stdout.contains("not-provisioned"), "killed at {step:?}\n{again}");
            ws.run(&["status"]).success();
        }
        assert!(unfinished > 3, "{unfinished}");
    });
}

#[test]
fn remove_may_be_killed_at_any_step() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        let steps = own_steps(bench.remove());
        assert!(steps.len() > 40, "{steps:?}");
        for (number, step) in steps.iter().enumerate() {
            let when = format!("killed at {step:?}");
            restore(ws, "after");
            inject_own(bench.remove(), step, "signal=KILL").run();
            bench.assert_whole(&when);
            // the receipt of a half-finished removal serves an apply as well
            if number % 2 == 0 {
                bench.apply().run().success();
                bench.assert_as_applied(&when);
            }
            bench.remove().run().success();
            bench.assert_as_before(&format!("{when}, removed again"));
        }
        eprintln!("{} steps", steps.len());
    });
}

#[test]
fn a_bare_home_survives_the_same() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        let as_before = |when: &str| {
            let diff = before.diff(&ws.snapshot());
            assert!(diff.is_empty(), "{when}, the home is not as it was:\n{}", diff.join("\n"));
        };
        let (apply, remove) =
            (|| everything.pushready(ws, &["apply"]), || ws.pushready(&["remove"]));
        for (number, step) in own_steps(apply()).iter().enumerate() {
            remove().run().success();
            let when = format!("apply killed at {step:?}");
            as_before(&when);
            inject_own(apply(), step, "signal=KILL").run();
            if number % 3 == 0 {
                apply().run().success();
            }
        }
        remove().run().success();
        apply().run().success();
        for step in own_steps(remove()) {
            apply().run().success();
            inject_own(remove(), &step, "signal=KILL").run();
            remove().run().success();
            as_before(&format!("remove killed at {step:?}"));
        }
    });
}

#[test]
fn what_another_program_put_beside_the_state_folder_goes_back() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        // as if remove had been killed after it moved `.local` aside, in which somebody had just
        // made a file; by then all else is undone
        ws.write(".local/share/mine", "mine", 0o644);
        ws.sh("rm -r .ssh .gitconfig .codex .claude .claude.json; mv .local .pushready-tmp-Ab12Cd; cd .pushready-tmp-Ab12Cd/state/pushready; ls -A | grep -vx -e receipt.json -e lock | xargs rm -r")
            .run()
            .success();
        ws.run(&["remove"]).success().stdout_has("an earlier run was interrupted");
        assert_eq!(ws.read(".local/share/mine"), "mine");
        assert!(
            !ws.home().join(".local/state").exists() && leftovers(ws).is_empty(),
            "{:?}",
            leftovers(ws)
        );
    });
}

/// A login that a removal has removed is not one that the user logged out of.
#[test]
fn an_apply_after_a_killed_removal_logs_in_again() {
    sandbox(|ws| {
        let everything = Everything::new();
        let apply = || everything.pushready(ws, &["apply"]);
        let remove = || ws.pushready(&["remove"]);
        let login = ws.home().join(".codex/auth.json");
        apply().run().success();
        let steps = own_steps(remove());
        let mut removed = 0;
        for step in steps.iter().filter(|step| step.syscall.starts_with("unlink")) {
            apply().run().success();
            inject_own(remove(), step, "signal=KILL").run();
            removed += usize::from(!login.exists() && ws.home().join(RECEIPT).exists());
            // a shell without the variables does not make a logout of it either
            if removed % 2 == 0 {
                ws.run(&["apply"]);
            }
            apply().run().success();
            assert!(login.exists(), "killed at {step:?}");
            ws.run(&["status"]).success();
        }
        assert!(removed > 3, "{removed} of {steps:?}");
    });
}
