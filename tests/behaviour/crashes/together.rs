//! Several runs at once, and other programs that write meanwhile.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

use super::{Bench, leftovers, receipt, restore};
use crate::support::strace::{own_steps, stop_own};
use crate::support::{Cmd, Everything, KeyPair, sandbox};

/// Waits for a child that `Cmd::spawn` started.
fn end(mut child: std::process::Child) -> (Option<i32>, String) {
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (output.status.code(), text)
}

#[test]
fn eight_at_once_end_well() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        restore(ws, "before");
        let other = KeyPair::generate("other");
        for round in 0..12 {
            let children: Vec<_> = (0..8)
                .map(|number| match (number + round) % 4 {
                    0 => bench.apply(),
                    1 => bench
                        .apply()
                        .env("PUSHREADY_REPOSITORY", "acme/other")
                        .env("PUSHREADY_DEPLOY_KEY", &*other.private)
                        .env("PUSHREADY_TRUSTED_FOLDERS", "~/elsewhere"),
                    2 => bench.remove(),
                    _ => ws.pushready(&["apply"]),
                })
                .map(Cmd::spawn)
                .collect();
            for child in children {
                let (code, text) = end(child);
                // an apply without variables in the middle of it all may find that there is no key
                // any more
                assert!(code == Some(0), "round {round}: {code:?}\n{text}");
            }
            assert!(leftovers(ws).is_empty(), "round {round}: {:?}", leftovers(ws));
            assert!(receipt(ws)["under_way"].is_null());
            if round % 2 == 0 {
                bench.apply().run().success();
                bench.assert_as_applied(&format!("round {round}"));
            }
            bench.remove().run().success();
            bench.assert_as_before(&format!("round {round}"));
        }
    });
}

/// What an apply wrote in the moment after a remove had seen nothing is not taken for the rest of a
/// lost receipt.
#[test]
fn an_apply_may_come_in_between_wherever_a_remove_is() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        let remove = || ws.pushready(&["remove"]);
        let steps = own_steps(remove());
        assert!(steps.iter().any(|step| step.syscall.starts_with("open")), "{steps:?}");
        for step in &steps {
            let (stopping, pid) = stop_own(remove(), step);
            everything.pushready(ws, &["apply"]).run().success();
            ws.cmd("kill").args(["-CONT", &pid]).run().success();
            let (code, text) = end(stopping);
            assert_eq!(code, Some(0), "{step:?}\n{text}");
            remove().run().success();
            before.assert_same(&ws.snapshot());
        }
    });
}

/// Runs `work` again and again while `during` runs; says how often.
fn meanwhile<T>(work: impl FnMut() + Send, during: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    let mut work = work;
    thread::scope(|scope| {
        let stop = &stop;
        let worker = scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                work();
            }
        });
        // a failed assertion must not leave the worker running
        let result = catch_unwind(AssertUnwindSafe(during));
        stop.store(true, Ordering::Relaxed);
        worker.join().unwrap();
        result.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

#[test]
fn git_and_claude_code_lose_nothing_meanwhile() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        restore(ws, "before");
        let (mut entries, mut refused, mut startups) = (0, 0, 3);
        let git = || {
            let value = format!("v{entries}");
            let set = ws.git(&["config", "--global", "--add", "rig.entry", &value]).run();
            if set.status.success() {
                entries += 1;
            } else {
                refused += 1;
                assert!(set.stderr.contains("could not lock config file"), "{set}");
            }
        };
        // what Claude Code does: `mkdir` of the lock, read, temporary file, rename, `rmdir`
        let claude = || {
            let (file, lock) =
                (ws.home().join(".claude.json"), ws.home().join(".claude.json.lock"));
            if fs::create_dir(&lock).is_err() {
                return;
            }
            let old = fs::read_to_string(&file).unwrap();
            serde_json::from_str::<Value>(&old).expect("whole at any time");
            thread::sleep(Duration::from_millis(2));
            let was = format!("\"numStartups\":{startups}");
            startups += 1;
            assert!(old.contains(&was), "an update was lost\n{old}");
            fs::write(
                file.with_extension("next"),
                old.replace(&was, &format!("\"numStartups\":{startups}")),
            )
            .unwrap();
            fs::rename(file.with_extension("next"), &file).unwrap();
            fs::remove_dir(&lock).unwrap();
            thread::sleep(Duration::from_millis(1));
        };
        meanwhile(git, || {
            meanwhile(claude, || {
                for _ in 0..12 {
                    bench.apply().run().success();
                    bench.remove().run().success();
                }
                bench.apply().run().success();
            });
        });
        eprintln!("{entries} entries, {refused} refused, {startups} startups");
        assert!(entries > 20 && startups > 20);
        assert!(refused * 20 <= entries, "{refused} of {entries} refused");
        let found =
            ws.git(&["config", "--global", "--get-all", "rig.entry"]).run().success().stdout;
        let expected: String = (0..entries).map(|number| format!("v{number}\n")).collect();
        assert_eq!(found, expected);
        let claude: Value = serde_json::from_str(&ws.read(".claude.json")).unwrap();
        assert_eq!(
            (&claude["numStartups"], &claude["hasCompletedOnboarding"]),
            (&startups.into(), &true.into())
        );
        bench.remove().run().success();
        // every byte that is not ours: what was there, and what the others wrote
        let [old, _] = &bench.contents[".claude.json"];
        let old = String::from_utf8_lossy(old)
            .replace("\"numStartups\":3", &format!("\"numStartups\":{startups}"));
        assert_eq!(ws.read(".claude.json"), old);
        let git = ws.read("dotfiles/gitconfig");
        assert!(
            !git.contains("pushready") && git.starts_with("[user]\n\tname = Dev # me\n"),
            "{git}"
        );
    });
}

#[test]
fn a_login_that_codex_saves_meanwhile_is_waited_for_and_kept() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        let newer = bench.everything.seed.clone().refreshed().json();
        let prepared = || {
            let entries = fs::read_dir(ws.home().join(".codex")).unwrap();
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(".pushready-tmp-"))
        };
        for lock in [".codex/auth.lock", ".codex/auth.json.lock"] {
            restore(ws, "before");
            let held = File::options().write(true).open(ws.home().join(lock)).unwrap();
            held.lock().unwrap();
            let child = bench.apply().spawn();
            // it has decided on the stub that is there, and has the seed ready to take its
            // place
            until(prepared);
            // Codex saves a login, as it does: under its lock
            ws.write(".codex/auth.json", &newer, 0o600);
            drop(held);
            let (code, text) = end(child);
            assert!(code == Some(0) && text.contains("codex: kept: "), "{code:?} {text}");
            assert_eq!(ws.read(".codex/auth.json"), newer);
            assert_eq!(ws.read(".local/state/pushready/codex/last-good.json"), newer);
            bench.apply().run().success().stdout_has("no changes needed");
        }
    });
}

/// Waits for what must come; a deadline far beyond all patience keeps a failing test from hanging.
#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_lock_that_somebody_else_left_is_named_and_not_taken() {
    sandbox(|ws| {
        let bench = Bench::new(ws);
        restore(ws, "before");
        ws.write("dotfiles/gitconfig.lock", "of another program", 0o600);
        // proper-lockfile counts a folder as abandoned after 10 seconds
        fs::create_dir(ws.home().join(".claude.json.lock")).unwrap();
        ws.sh("touch -d '1 minute ago' ~/.claude.json.lock").run().success();
        let output = bench
            .apply()
            .run()
            .fails(1)
            .stdout_has("home-file-locked")
            .stdout_has("dotfiles/gitconfig.lock");
        assert!(output.stdout.contains("fix: end that program"), "{output}");
        assert_eq!(ws.read("dotfiles/gitconfig.lock"), "of another program");
        assert!(
            ws.read(".claude.json").contains("hasCompletedOnboarding"),
            "the other items go through"
        );
        fs::remove_file(ws.home().join("dotfiles/gitconfig.lock")).unwrap();
        bench.apply().run().success();
        bench.assert_as_applied("after the lock was removed");
    });
}
