//! kill -9 at every step, a disk that fails at every step, and many runs at once: the old file or
//! the new one, whole, and the next run heals what is left.
//!
//! Much of the time is spent in copying pushready itself: `PUSHREADY_BIN` should name a release
//! binary.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::strace::{Step, inject_own, own_steps, stop_own};
use crate::support::{Cmd, KeyPair, Output, Snapshot, Workspace, sandbox};
use crate::undo::{All, lived_in};

const RECEIPT: &str = ".local/state/pushready/receipt.json";

/// The files that we share with other programs, and the entries of the receipt about them.
const SHARED: &[(&str, &str)] = &[
    (".ssh/config", "ssh.include"),
    ("dotfiles/gitconfig", "git.include"),
    ("src/app/.git/config", "remotes:/home/coder/src/app/.git/config"),
    (".claude.json", "claude.config"),
    (".claude/.credentials.json", "claude.credentials"),
    (".codex/config.toml", "codex.trust"),
    (".codex/auth.json", "codex.auth"),
];

/// A home that can be brought back to what it was, before and after an undisturbed apply.
struct Bench<'a> {
    ws: &'a Workspace,
    all: All,
    before: Snapshot,
    after: Snapshot,
    receipt: Value,
    contents: BTreeMap<&'static str, [Vec<u8>; 2]>,
}

impl<'a> Bench<'a> {
    fn new(ws: &'a Workspace) -> Self {
        let all = All::new();
        lived_in(ws);
        // Codex has been here: its lock files are no trace of ours
        ws.write(".codex/auth.lock", "", 0o644);
        ws.write(".codex/auth.json.lock", "", 0o600);
        store(ws, "before");
        let before = ws.snapshot();
        let old = SHARED
            .iter()
            .map(|(path, _)| fs::read(ws.home().join(path)).unwrap())
            .collect::<Vec<_>>();
        all.pushready(ws, &["apply"]).run().success();
        store(ws, "after");
        let pairs = SHARED.iter().zip(old).map(|((path, _), old)| {
            let new = fs::read(ws.home().join(path)).unwrap();
            assert_ne!(old, new, "{path} takes part");
            (*path, [old, new])
        });
        let contents = pairs.collect();
        Self { ws, all, before, after: ws.snapshot(), receipt: receipt(ws), contents }
    }

    fn apply(&self) -> Cmd {
        self.all.pushready(self.ws, &["apply"])
    }

    fn remove(&self) -> Cmd {
        self.ws.pushready(&["remove"])
    }

    fn assert_as_before(&self, when: &str) {
        let diff = self.before.diff(&self.ws.snapshot());
        assert!(diff.is_empty(), "{when}, the home is not as it was:\n{}", diff.join("\n"));
    }

    fn assert_as_applied(&self, when: &str) {
        let mut diff = self.after.diff(&self.ws.snapshot());
        // the time stands in it
        diff.retain(|line| !line.starts_with(&format!("~ {RECEIPT}: file of")));
        assert!(
            diff.is_empty(),
            "{when}, the home is not as apply leaves it:\n{}",
            diff.join("\n")
        );
        assert_eq!(receipt(self.ws), self.receipt, "{when}");
    }

    /// Every shared file is wholly old or wholly new.
    fn assert_whole(&self, when: &str) {
        for (path, [old, new]) in &self.contents {
            let now = fs::read(self.ws.home().join(path))
                .unwrap_or_else(|error| panic!("{when}: {path}: {error}"));
            assert!(
                now == *old || now == *new,
                "{when}: {path}:\n{}",
                String::from_utf8_lossy(&now)
            );
        }
    }

    /// `status` says ready only where everything is in place.
    fn assert_ready_is_true(&self, when: &str) {
        let status = self.ws.run(&["status"]);
        if status.status.success() {
            self.assert_as_applied(&format!("{when}, and status says ready\n{status}"));
        }
    }

    /// What the receipt lists is what was changed.
    fn assert_honest(&self, when: &str) {
        let receipt = receipt(self.ws);
        let under_way = !receipt["under_way"].is_null();
        for (path, id) in SHARED {
            let changed = fs::read(self.ws.home().join(path)).unwrap() != self.contents[path][0];
            let listed = !receipt["entries"][id].is_null();
            assert!(
                listed == changed || under_way && listed,
                "{when}: {path} changed: {changed}, listed: {listed}\n{receipt:#}"
            );
        }
    }
}

fn receipt(ws: &Workspace) -> Value {
    let Ok(text) = fs::read(ws.home().join(RECEIPT)) else { return Value::Null };
    let mut receipt: Value = serde_json::from_slice(&text).expect("the receipt parses");
    receipt.as_object_mut().unwrap().remove("provisioned_at");
    receipt
}

/// Keeps the home as it is now.
fn store(ws: &Workspace, name: &str) {
    ws.sh(&format!("rm -rf /srv/{name}; cp -a /home/coder /srv/{name}")).run().success();
}

fn restore(ws: &Workspace, name: &str) {
    ws.sh(&format!("find /home/coder -mindepth 1 -delete; cp -a /srv/{name}/. /home/coder"))
        .run()
        .success();
}

/// Temporary files, and locks other than those that Codex itself leaves.
fn leftovers(ws: &Workspace) -> Vec<String> {
    let entries = WalkDir::new(ws.home())
        .into_iter()
        .map(|entry| entry.unwrap().path().display().to_string());
    entries
        .filter(|path| path.contains("/.pushready-") || is_lock(path) && !path.contains("/.codex/"))
        .collect()
}

fn is_lock(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "lock")
}

fn secrets_are_private(ws: &Workspace, when: &str) {
    for entry in WalkDir::new(ws.home()).into_iter().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy();
        if name.starts_with(".pushready-") && entry.file_type().is_dir() {
            assert_eq!(
                entry.metadata().unwrap().mode() & 0o077,
                0,
                "{when}: {}",
                entry.path().display()
            );
        } else if name.starts_with(".pushready-") {
            // only what is to be a shared file is ever readable for others
            let folder = entry.path().parent().unwrap().strip_prefix(ws.home()).unwrap();
            let shared = SHARED.iter().any(|(path, _)| Path::new(path).parent() == Some(folder));
            let mode = entry.metadata().unwrap().mode() & 0o777;
            assert!(
                mode == 0o600 || mode == 0o700 || shared || folder.as_os_str().is_empty(),
                "{when}: {}",
                entry.path().display()
            );
        }
    }
}

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

/// The state folder is made with a receipt in it, before anything else.
#[test]
fn an_apply_that_got_no_further_than_its_folder_has_provisioned_nothing() {
    sandbox(|ws| {
        let all = All::new();
        let apply = || all.pushready(ws, &["apply"]);
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
        unfinished("an apply is at work, or was interrupted");
        // a shell without the variables cannot finish it
        ws.run(&["apply"]).success().stdout_has("nothing is asked for").stdout_has(
            "an earlier run was interrupted: run `pushready apply` where the variables are set",
        );
        unfinished("an apply is at work, or was interrupted");
        apply().run().success().stdout_has("an earlier run was interrupted: its work is finished");
        ws.run(&["status"]).success();
        let again = apply().run().success().stdout_has("nothing to write");
        assert!(!again.stdout.contains("interrupted"), "{again}");
        ws.run(&["remove"]).success();
        // an apply that could put nothing in place, and was told that this is no failure, has run
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
        let all = All::new();
        let apply = || all.pushready(ws, &["apply"]);
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
                    again.stdout.contains("nothing to write"),
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

/// What went wrong, where, and the cure.
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
        let all = All::new();
        let home = Path::new("/srv/small");
        let small = |args: &[&str]| all.pushready(ws, args).env("HOME", home);
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
        let all = All::new();
        let run = |args: &[&str], home: &str| all.pushready(ws, args).env("HOME", home).run();
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
        let all = All::new();
        let before = ws.snapshot();
        let remove = || ws.pushready(&["remove"]);
        let steps = own_steps(remove());
        assert!(steps.iter().any(|step| step.syscall.starts_with("open")), "{steps:?}");
        for step in &steps {
            let (stopping, pid) = stop_own(remove(), step);
            all.pushready(ws, &["apply"]).run().success();
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
        // a failed assertion must not leave the worker at work
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
        let newer = bench.all.seed.clone().refreshed().json();
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
            // it has decided on the stub that stands there, and has the seed ready to take its
            // place
            until(prepared);
            // Codex saves a login, as it does: under its lock
            ws.write(".codex/auth.json", &newer, 0o600);
            drop(held);
            let (code, text) = end(child);
            assert!(code == Some(0) && text.contains("codex: kept: "), "{code:?} {text}");
            assert_eq!(ws.read(".codex/auth.json"), newer);
            assert_eq!(ws.read(".local/state/pushready/codex/last-good.json"), newer);
            bench.apply().run().success().stdout_has("nothing to write");
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

#[test]
fn a_bare_home_survives_the_same() {
    sandbox(|ws| {
        let all = All::new();
        let before = ws.snapshot();
        let as_before = |when: &str| {
            let diff = before.diff(&ws.snapshot());
            assert!(diff.is_empty(), "{when}, the home is not as it was:\n{}", diff.join("\n"));
        };
        let (apply, remove) = (|| all.pushready(ws, &["apply"]), || ws.pushready(&["remove"]));
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
        let all = All::new();
        all.pushready(ws, &["apply"]).run().success();
        // as if remove had been killed after it moved `.local` aside, in which somebody had just
        // made a file; by then all else is taken back
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
