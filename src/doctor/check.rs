//! The checks by name: what each proves, how deep it looks, and which were asked for.

use super::actions;
use Depth::{Live, Network, Offline};

/// How deep the doctor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Files and configuration.
    Offline,
    /// The network too, read-only.
    Network,
    /// A throw-away branch, and one request per agent.
    Live,
}

impl Depth {
    pub const fn name(self) -> &'static str {
        match self {
            Offline => "offline",
            Network => "network",
            Live => "live",
        }
    }
}

/// One kind of check.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Check {
    /// Dotted, stable.
    pub id: &'static str,
    /// What it proves, for `--list`.
    pub title: &'static str,
    /// The least depth at which it runs.
    pub depth: Depth,
}

/// The area of a check: `push` of `push.write`.
pub fn area(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

const fn check(id: &'static str, depth: Depth, title: &'static str) -> Check {
    Check { id, title, depth }
}

/// Every check, in the order of the report.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    check("home.folder", Offline, "HOME is the home that ssh uses, and belongs to this user"),
    check("home.writable", Offline, "the home can be written, and has room"),
    check("home.provisioned", Offline, "apply has run, and what is required is there"),
    check("home.network", Offline, "no agent sandbox denies the network"),
    check("home.clock", Offline, "this clock shows the time that servers show"),
    check("leaks.remotes", Offline, "no credential stands in a git configuration"),
    check("leaks.files", Offline, "files that hold a secret are private"),
    check("leaks.environment", Offline, "no seed stands in the environment"),
    check("leaks.session-token", Offline, "no Coder session token stands in the environment"),
    check("leaks.processes", Offline, "no secret stands in a command line"),
    check("leaks.agent-log", Offline, "no secret stands in the agent's logs"),
    check("codex.login", Offline, "auth.json holds a login that Codex can use"),
    check("codex.environment", Offline, "no variable beats auth.json"),
    check("codex.config", Offline, "no setting defeats the login"),
    check("codex.trust", Offline, "Codex trusts the folders asked for"),
    check("codex.request", Live, "OpenAI takes the login, and the configured model answers"),
    check("claude.login", Offline, "Claude Code has a token that it will send"),
    check("claude.environment", Offline, "nothing beats the token, and it goes to Anthropic"),
    check("claude.config", Offline, "no first-run prompt is in the way"),
    check("claude.trust", Offline, "Claude Code trusts the folders asked for"),
    check("claude.request", Live, "Anthropic takes the token, and the configured model answers"),
    check("keys.installed", Offline, "the installed keys are whole and private"),
    check("ssh.client", Offline, "ssh is there"),
    check("ssh.config", Offline, "ssh accepts its configuration"),
    check("ssh.route", Offline, "ssh chooses each repository's own key"),
    check("ssh.known-hosts", Offline, "known_hosts contradicts no pinned key"),
    check("ssh.identity", Network, "the server takes the key for this repository's"),
    check("git.client", Offline, "git is there"),
    check("git.config", Offline, "git takes its configuration"),
    check("git.identity", Offline, "git has an author for commits"),
    check("git.owner", Offline, "git accepts the clone in the current folder"),
    check("git.remotes", Offline, "remotes of keyed repositories push over SSH"),
    check("push.read", Network, "the key may read"),
    check("push.write", Network, "the key may write"),
    check("push.live", Live, "a throw-away branch can be pushed and deleted"),
    actions::CHECKS[0],
    actions::CHECKS[1],
    actions::CHECKS[2],
];

/// Which checks were asked for: ids (`push.write`) or their areas (`push`).
#[derive(Debug, Default)]
pub struct Selection {
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Selection {
    pub fn includes(&self, id: &str) -> bool {
        let named = |names: &[String]| {
            names.iter().any(|name| {
                id == name || id.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('.'))
            })
        };
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// The names that are no check and no area.
    pub fn unknown(&self) -> impl Iterator<Item = &String> {
        let is_known = |name: &str| {
            let one = Self { only: vec![name.to_owned()], skip: Vec::new() };
            CHECKS.iter().any(|check| one.includes(check.id))
        };
        self.only.iter().chain(&self.skip).filter(move |name| !is_known(name))
    }
}
