//! kill -9 at every step, a disk that fails at every step, and many runs at once: the old file or
//! the new one, whole, and the next run heals what is left.
//!
//! Much of the time is spent in copying pushready itself: `PUSHREADY_BIN` should name a release
//! binary.

mod disks;
mod kills;
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::{Cmd, Everything, Snapshot, Workspace, home_in_use};

const RECEIPT: &str = ".local/state/pushready/receipt.json";
const PROOF: &str = ".local/state/pushready/proof";

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
    everything: Everything,
    before: Snapshot,
    after: Snapshot,
    receipt: Value,
    contents: BTreeMap<&'static str, [Vec<u8>; 2]>,
}

impl<'a> Bench<'a> {
    fn new(ws: &'a Workspace) -> Self {
        let everything = Everything::new();
        home_in_use(ws);
        // Codex has been here: its lock files are not a trace of ours
        ws.write(".codex/auth.lock", "", 0o644);
        ws.write(".codex/auth.json.lock", "", 0o600);
        store(ws, "before");
        let before = ws.snapshot();
        let old = SHARED
            .iter()
            .map(|(path, _)| fs::read(ws.home().join(path)).unwrap())
            .collect::<Vec<_>>();
        everything.pushready(ws, &["apply"]).run().success();
        store(ws, "after");
        let pairs = SHARED.iter().zip(old).map(|((path, _), old)| {
            let new = fs::read(ws.home().join(path)).unwrap();
            assert_ne!(old, new, "{path} takes part");
            (*path, [old, new])
        });
        let contents = pairs.collect();
        Self { ws, everything, before, after: ws.snapshot(), receipt: receipt(ws), contents }
    }

    fn apply(&self) -> Cmd {
        self.everything.pushready(self.ws, &["apply"])
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
        // it contains the time; what ssh has proven may be missing
        diff.retain(|line| {
            !line.starts_with(&format!("~ {RECEIPT}: file of")) && !line.contains(PROOF)
        });
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
