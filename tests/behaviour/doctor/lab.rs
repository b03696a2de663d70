//! A workspace in which everything works, and how a test damages and restores it.

use std::fs;

use crate::children::Started;
use crate::support::{
    Access, Cmd, GitHost, KeyPair, Output, Vendors, Workspace, canary, fake_auth,
};

/// A workspace in which everything is well: logins, a writable key, a clone, an author.
pub struct Lab<'ws> {
    pub ws: &'ws Workspace,
    pub host: GitHost,
    pub key: KeyPair,
    pub seed: fake_auth::ChatGpt,
    pub vendors: Option<Vendors>,
}

pub const URL: &str = "git@github.com:acme/app.git";
/// A copy of the healthy home.
const HEALTHY: &str = "/srv/healthy";

pub fn token() -> String {
    format!("sk-ant-oat01-{}", "rig".repeat(20))
}

impl<'ws> Lab<'ws> {
    pub fn new(ws: &'ws Workspace) -> Self {
        let host = GitHost::start();
        host.repository("acme/app");
        host.repository("acme/other");
        let key = host.deploy_key("acme/app", Access::Write);
        let lab = Self { ws, host, key, seed: fake_auth::chatgpt(), vendors: None };
        lab.ws.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n", 0o644);
        lab.ws.write("work/file", "", 0o644);
        lab.apply().run().success();
        lab.ws.git(&["clone", "--quiet", "https://github.com/acme/app", "src/app"]).run().success();
        lab.ws.cmd("cp").args(["-a", "/home/coder", HEALTHY]).run().success();
        lab
    }

    /// The home as it was when all was well.
    pub fn fresh(&self) {
        self.host.behave("acme/app");
        self.vendors.iter().for_each(Vendors::behave);
        self.ws.set_mode("", 0o700);
        for entry in fs::read_dir(self.ws.home()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                self.ws.cmd("chmod").args(["-R", "u+rwx"]).arg(&path).run();
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        self.ws.cmd("cp").args(["-a", &format!("{HEALTHY}/."), "/home/coder"]).run().success();
    }

    pub fn apply(&self) -> Cmd {
        self.ws
            .pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .env("PUSHREADY_DEPLOY_KEY", &*self.key.private)
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(&["github.com"]))
            .env("PUSHREADY_CODEX_AUTH_JSON", self.seed.json())
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token())
            .env("PUSHREADY_TRUSTED_FOLDERS", "~/work")
    }

    /// As an agent would run it: in the clone, without the template's variables.
    pub fn doctor(&self, arguments: &[&str]) -> Cmd {
        self.ws.pushready(&["doctor", "--json"]).args(arguments).current_dir("src/app")
    }

    /// Every value that must not be printed, whole and in parts.
    pub fn secrets(&self) -> Vec<String> {
        let key = self.key.private.lines().filter(|line| !line.starts_with('-'));
        let mut all = vec![self.key.private.clone(), key.collect(), token()];
        all.extend(self.seed.secrets());
        all
    }

    /// What of the secrets is in what a run printed, in a file of the state that is not there to
    /// hold them, or in what a child was given.
    pub fn leaks(&self, output: &Output, children: &[Started]) -> Vec<String> {
        let state = self.ws.home().join(".local/state/pushready");
        let files = ["receipt.json", "doctor.json", "known_hosts", "ssh_config", "gitconfig"];
        let files = files.map(|name| (name, fs::read(state.join(name)).unwrap_or_default()));
        let printed = [
            ("standard output", output.stdout.clone().into_bytes()),
            ("standard error", output.stderr.clone().into_bytes()),
        ];
        let given = children.iter().flat_map(|child| {
            [&child.arguments, &child.environment]
                .map(|text| (child.program.as_str(), text.clone().into_bytes()))
        });
        let mut found = Vec::new();
        for (place, bytes) in printed.into_iter().chain(files).chain(given) {
            for (number, secret) in self.secrets().iter().enumerate() {
                let encodings = canary::find(&bytes, secret);
                if !encodings.is_empty() {
                    found.push(format!("{place} has secret {number} as {encodings:?}"));
                }
            }
        }
        found
    }

    pub fn vendors(&self) -> &Vendors {
        self.vendors.as_ref().unwrap()
    }

    pub fn write(&self, path: &str, content: &str) {
        self.ws.write(path, content, 0o600);
    }

    pub fn append(&self, path: &str, content: &str) {
        let old = fs::read_to_string(self.ws.home().join(path)).unwrap_or_default();
        self.ws.write(path, old + content, 0o600);
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.ws.home().join(path)).unwrap();
    }

    pub fn key_file(&self) -> String {
        let keys = self.ws.home().join(".local/state/pushready/keys");
        let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
        key.strip_prefix(self.ws.home()).unwrap().to_str().unwrap().to_owned()
    }
}

/// The one check of this kind, on the repository with a key.
pub fn check(output: &Output, id: &str) -> serde_json::Value {
    let report = output.json();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let is_it = |check: &&serde_json::Value| check["id"] == id && check["subject"] == URL;
    checks.find(is_it).unwrap_or_else(|| panic!("no {id}\n{output}")).clone()
}

/// What a label of the evidence says.
pub fn evidence<'a>(check: &'a serde_json::Value, label: &str) -> &'a str {
    let mut evidence = check["evidence"].as_array().unwrap().iter();
    let found = evidence.find(|line| line["label"] == label);
    found.map_or("", |line| line["value"].as_str().unwrap())
}
