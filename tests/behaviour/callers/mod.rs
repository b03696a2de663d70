//! The right key for whoever calls git: submodules, git-lfs, package managers, every forge and
//! every spelling, in homes that are full of settings already, and where `Match exec` cannot work.

mod aliases;
mod clones;
mod conditions;
mod programs;
mod rules;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::support::{Access, Coder, GitHost, KeyPair, Output, Workspace};

const HOSTS: &[&str] = &[
    "github.com",
    "[ssh.github.com]:443",
    "gitlab.com",
    "bitbucket.org",
    "git.sr.ht",
    "ssh.dev.azure.com",
    "ghe.corp.test",
    "[git.corp.test]:2222",
    "[git.corp.test]:7999",
];

/// A git host, and a deploy key for each of some repositories.
struct Lab {
    host: GitHost,
    /// By the path on the host.
    keys: BTreeMap<String, KeyPair>,
    /// What PUSHREADY_DEPLOY_KEYS is set to.
    declared: Value,
}

impl Lab {
    fn new() -> Self {
        Self { host: GitHost::start(), keys: BTreeMap::new(), declared: Value::Object(Map::new()) }
    }

    /// Three repositories on github.com, each with a key: `acme/app` and two whose names begin with
    /// its name. A fourth, `acme/third`, has none.
    fn github() -> Self {
        let mut lab = Self::new();
        for name in ["acme/app", "acme/app-lib", "acme/app.github.io"] {
            lab.host.repository(name);
            lab.key(name, name);
        }
        lab.host.repository("acme/third");
        lab
    }

    /// A key for the repository that is at `path` on the host, under the name that the user
    /// gives it.
    fn key(&mut self, declared: &str, path: &str) {
        let key = self.host.deploy_key(path, Access::Write);
        self.declared[declared] = Value::String(key.private.clone());
        self.keys.insert(path.to_lowercase(), key);
    }

    fn apply(&self, ws: &Workspace, environment: &[(&str, &str)]) -> Output {
        self.pushready(ws, &["apply"], environment)
    }

    fn pushready(&self, ws: &Workspace, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let apply = ws
            .pushready(args)
            .env("PUSHREADY_DEPLOY_KEYS", self.declared.to_string())
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(HOSTS));
        environment.iter().fold(apply, |apply, (name, value)| apply.env(name, *value)).run()
    }

    /// The user's own Coder key, which may use `acme/third`.
    fn coder(&self) -> (Coder, KeyPair) {
        let key = self.host.user_key("dev", &[("acme/third", Access::Write)]);
        (Coder::install(Some(&key)), key)
    }

    /// Runs `act`; every session that it opened must have used the key of its own repository, and
    /// all must be `paths`'.
    #[track_caller]
    fn uses(&self, paths: &[&str], act: impl FnOnce()) {
        let before = self.host.sessions().len();
        act();
        let sessions = self.host.sessions().split_off(before);
        let mut used: Vec<String> = Vec::new();
        for session in &sessions {
            let path = path_of(&session.command);
            let key = self.keys.get(&path).unwrap_or_else(|| panic!("no key for {session:?}"));
            assert_eq!(session.key, key.fingerprint, "{session:?}");
            used.push(path);
        }
        used.sort();
        used.dedup();
        let mut expected: Vec<String> = paths.iter().map(|path| path.to_lowercase()).collect();
        expected.sort();
        assert_eq!(used, expected, "{sessions:#?}");
    }

    /// The key of the only session that `act` opens, or `None` where it opens none.
    fn key_of(&self, act: impl FnOnce()) -> Option<String> {
        let before = self.host.sessions().len();
        act();
        self.host.sessions().split_off(before).pop().map(|session| session.key)
    }
}

/// The repository of an ssh command, as the host names it.
fn path_of(command: &str) -> String {
    let path = match command.split_once('\'') {
        Some((_, quoted)) => quoted.trim_end_matches('\''),
        None => command.split(' ').nth(1).unwrap_or_default(),
    };
    let path = path.trim_start_matches('/').trim_end_matches('/').trim_end_matches(".git");
    path.replace(' ', "%20").to_lowercase()
}

#[track_caller]
fn git(ws: &Workspace, args: &[&str], folder: &str) -> Output {
    ws.git(args).current_dir(folder).env("GIT_TERMINAL_PROMPT", "0").run().success()
}

fn effective(ws: &Workspace, url: &str) -> String {
    git(ws, &["ls-remote", "--get-url", url], "").stdout.trim_end().to_owned()
}

/// Its own key for each of the three by all of these, and none of them for the neighbour.
fn holds_for_all_three(ws: &Workspace, lab: &Lab) {
    for (path, url) in [
        ("acme/app", "git@github.com:acme/app.git"),
        ("acme/app", "https://github.com/acme/app"),
        ("acme/app-lib", "ssh://git@github.com/acme/app-lib"),
        ("acme/app.github.io", "https://github.com/acme/app.github.io.git"),
        ("acme/app", "ssh://git@ssh.github.com:443/acme/app.git"),
    ] {
        lab.uses(&[path], || drop(git(ws, &["ls-remote", url], "")));
    }
    ws.git(&["ls-remote", "git@github.com:acme/third.git"]).run().fails(128);
    assert_eq!(effective(ws, "https://github.com/acme/third"), "https://github.com/acme/third");
}
