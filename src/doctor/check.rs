//! The checks: what each proves, how deep it looks, and the function that makes it.

use std::fmt;

use serde::Serialize;

use super::clones::InView;
use super::context::{Context, Depth};
use super::outcome::Judgement;
use super::push_url::PushUrl;
use super::{actions, claude, clock, codex, git, home, keys, leaks, network, push, ssh};
use crate::git::url::Repository;
use crate::state::receipt::RepositoryRecord;
use Depth::{Live, Network, Offline};
use Scope::{
    CloneInView, CurrentClone, InstalledKey, Key, OnRequest, Once, PushUrl as Url, Several,
};

/// One kind of check.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Dotted, stable.
    pub id: &'static str,
    /// What it proves, for `--list`.
    pub title: &'static str,
    /// The least depth at which it runs.
    pub depth: Depth,
    #[serde(skip)]
    pub scope: Scope,
}

/// What a check is made on, and the function that makes it. The runner calls it once for each
/// subject.
#[derive(Clone, Copy)]
pub enum Scope {
    /// The workspace.
    Once(fn(&Context) -> Judgement),
    /// The workspace, in which several things may be found: each judgement names its own subject.
    Several(fn(&Context) -> Vec<Judgement>),
    /// As `Several`, but only where `--only` names the check: each look costs requests of
    /// somebody's rate limit.
    OnRequest(fn(&Context) -> Vec<Judgement>),
    /// The clone of the current folder, or what git would do in that folder: each judgement names
    /// its own subject.
    CurrentClone(fn(&Context) -> Vec<Judgement>),
    /// A key that the last apply installed.
    InstalledKey(fn(&Context, &RepositoryRecord) -> Judgement),
    /// A repository that has a key.
    Key(fn(&Context, &Repository) -> Judgement),
    /// A place that the workspace pushes to.
    PushUrl(fn(&Context, &PushUrl) -> Judgement),
    /// A clone in view: each judgement names its own subject.
    CloneInView(fn(&Context, &InView) -> Vec<Judgement>),
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Once(_) => "once",
            Several(_) => "several",
            OnRequest(_) => "on request",
            CurrentClone(_) => "current clone",
            InstalledKey(_) => "installed key",
            Key(_) => "key",
            Url(_) => "push URL",
            CloneInView(_) => "clone",
        }
    }

    /// How many results one call may have: a clone can name any number of remotes.
    pub const fn most(self) -> usize {
        match self {
            CloneInView(_) => 25,
            // as many as there may be keys and folders
            _ => 2000,
        }
    }

    /// Whether it is made for each repository or clone, so that `--repo` limits it.
    pub const fn is_of_repository(self) -> bool {
        match self {
            Once(_) | Several(_) | OnRequest(_) => false,
            CurrentClone(_) | InstalledKey(_) | Key(_) | Url(_) | CloneInView(_) => true,
        }
    }

    /// Why a check of this kind found no subject.
    pub const fn nothing(self) -> &'static str {
        match self {
            Once(_) | Several(_) | OnRequest(_) | CurrentClone(_) => "there is nothing to check",
            InstalledKey(_) | Key(_) => "no key is installed",
            Url(_) => {
                "no repository has a key, and the current folder is in no clone: name one with --repo"
            }
            CloneInView(_) => "no clone in view has a remote of a repository with a key",
        }
    }
}

/// The area of a check: `push` of `push.write`.
pub fn area(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

impl Check {
    /// Whether a run without the network leaves it out, and a run with it does not.
    pub const fn is_left_out_offline(&self) -> bool {
        matches!(self.depth, Network) && !matches!(self.scope, OnRequest(_))
    }
}

/// Whether the check with this id asks a server.
pub fn asks_a_server(id: &str) -> bool {
    CHECKS.iter().any(|check| check.id == id && check.depth > Offline)
}

const fn check(id: &'static str, depth: Depth, scope: Scope, title: &'static str) -> Check {
    Check { id, title, depth, scope }
}

/// Every check, in the order of the report.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    check("home.folder", Offline, Once(home::folder), "HOME is the home that ssh uses, and belongs to this user"),
    check("home.writable", Offline, Once(home::writable), "the home is writable, and has free space"),
    check("home.provisioned", Offline, Several(home::provisioned), "apply has run, and what is required is there"),
    check("home.network", Offline, Once(home::network), "no agent sandbox denies the network"),
    check("home.clock", Offline, Once(clock::clock), "this clock agrees with the servers"),
    check("leaks.remotes", Offline, Once(leaks::remotes), "no git configuration contains a credential"),
    check("leaks.files", Offline, Several(leaks::files), "files that hold a secret are private"),
    check("leaks.environment", Offline, Once(leaks::environment), "the environment contains no seed"),
    check("leaks.session-token", Offline, Once(leaks::session_token), "the environment contains no Coder session token"),
    check("leaks.processes", Offline, Once(leaks::processes), "no command line contains a secret"),
    check("leaks.agent-log", Offline, Once(leaks::agent_log), "the agent's logs contain no secret"),
    check("codex.login", Offline, Once(codex::login), "auth.json holds a login that Codex can use"),
    check("codex.environment", Offline, Several(network::codex_environment), "no variable overrides auth.json, and those for authorities name a file"),
    check("codex.config", Offline, Several(codex::config), "no setting disables the login"),
    check("codex.trust", Offline, Several(codex::trust), "Codex trusts the configured folders"),
    check("codex.network", Network, Once(network::codex), "Codex reaches its model, by its own proxies and authorities"),
    check("codex.request", Live, Once(|context| codex::request(context, &network::codex(context))), "OpenAI accepts the login, and the configured model answers"),
    check("claude.login", Offline, Once(claude::login), "Claude Code has a token that it will send"),
    check("claude.environment", Offline, Several(network::claude_environment), "nothing overrides the token, and it goes to Anthropic"),
    check("claude.config", Offline, Several(claude::config), "no first-run prompt blocks a session"),
    check("claude.trust", Offline, Several(claude::trust), "Claude Code trusts the configured folders"),
    check("claude.network", Network, Once(network::claude), "Claude Code reaches its model, by its own proxies and authorities"),
    check("claude.request", Live, Once(|context| claude::request(context, &network::claude(context))), "Anthropic accepts the token, and the configured model answers"),
    check("keys.installed", Offline, InstalledKey(keys::installed), "the installed keys are complete and private"),
    check("ssh.client", Offline, Once(ssh::client), "ssh is installed"),
    check("ssh.config", Offline, Once(ssh::config), "ssh accepts its configuration"),
    check("ssh.route", Offline, Key(ssh::route), "ssh chooses each repository's own key"),
    check("ssh.known-hosts", Offline, Once(ssh::known_hosts), "known_hosts contradicts no pinned key"),
    check("ssh.identity", Network, Key(push::identity), "the server accepts the key for this repository"),
    check("git.client", Offline, Once(git::client), "git is installed"),
    check("git.config", Offline, Several(git::config), "git accepts its configuration"),
    check("git.clone", Offline, CurrentClone(git::clone), "the clone in the current folder is complete and can be written"),
    check("git.commit", Offline, CurrentClone(|context| vec![git::commit(context)]), "git would make a commit here"),
    check("git.programs", Offline, CurrentClone(git::programs), "the filters and hooks of the clone can run"),
    check("git.owner", Offline, CurrentClone(|context| vec![git::owner(context)]), "git accepts the clone in the current folder"),
    check("git.lfs", Network, CurrentClone(|context| vec![git::lfs(context)]), "git-lfs reaches its server, by its own proxies and authorities"),
    check("git.remotes", Offline, CloneInView(git::remotes), "remotes of keyed repositories push over SSH"),
    check("push.read", Network, Url(push::read), "the key has read access"),
    check("push.write", Network, Url(push::write), "the key has write access"),
    check("push.target", Offline, CurrentClone(|context| vec![push::target(context)]), "a plain `git push` goes to the branch of the same name"),
    check("push.live", Live, Url(push::live), "a throw-away branch can be pushed and deleted"),
    check("actions.runs", Network, OnRequest(actions::runs), "the newest runs of this commit start (only with --only actions)"),
    check("actions.workflow-files", Offline, OnRequest(actions::workflow_files), "workflow files ask for runners that exist (only with --only actions)"),
    check("actions.status-page", Network, OnRequest(actions::status_page), "GitHub reports no incident of Actions (only with --only actions)"),
];

/// Which checks were requested: ids (`push.write`) or their areas (`push`).
#[derive(Debug, Default)]
pub struct Selection {
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Selection {
    /// Whether the check runs at this depth.
    pub fn runs(&self, check: &Check, depth: Depth) -> bool {
        let is_named = !self.only.is_empty() || !matches!(check.scope, OnRequest(_));
        is_named && check.depth <= depth && self.includes(check.id)
    }

    pub fn includes(&self, id: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| is_named(id, name));
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// Why nothing of this name is checked at this depth.
    pub fn too_deep(name: &str, depth: Depth) -> Option<&'static str> {
        let least = CHECKS.iter().filter(|check| is_named(check.id, name)).map(|check| check.depth);
        match least.min()? {
            least if least <= depth => None,
            Live => Some("it makes a request or a push: add `--live`"),
            Network | Offline => Some("it asks a server: leave `--offline` out"),
        }
    }

    /// The names that are neither a check nor an area.
    pub fn unknown(&self) -> impl Iterator<Item = &String> {
        let is_known = |name: &str| CHECKS.iter().any(|check| is_named(check.id, name));
        self.only.iter().chain(&self.skip).filter(move |name| !is_known(name))
    }
}

/// Whether the name is the check's or its area's.
fn is_named(id: &str, name: &str) -> bool {
    id == name || id.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}
