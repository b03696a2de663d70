//! The doctor: proves readiness, names the cause, says who can mend it. It never repairs, and runs nothing that a repository
//! controls. Each area gathers facts and then judges them; only gathering touches the world.

mod actions;
mod claude;
mod codex;
mod git;
mod home;
mod keys;
mod leaks;
pub mod outcome;
mod push;
pub mod push_message;
pub mod report;
mod ssh;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::catalogue::Code;
use crate::git_url::{GitUrl, Repository};
use crate::home::Home;
use crate::plan::{Plan, Planned};
use crate::provision::remotes;
use crate::receipt::{Desired, Receipt};
use crate::resource::file::{self, Kind};
use crate::resource::{Undo, remote};
use crate::settings::{Env, Settings};
use crate::variables;
use outcome::Outcome;
use push::Access;
use ssh::EffectiveSsh;

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

/// One kind of check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Dotted, stable.
    pub id: &'static str,
    /// What it proves, for `--list`.
    pub title: &'static str,
    /// The least depth at which it runs.
    pub depth: Depth,
}

/// Every check, in the order of the report.
pub const CHECKS: &[Check] = &[
    Check {
        id: "home.folder",
        title: "HOME is the home that ssh uses, and belongs to this user",
        depth: Depth::Offline,
    },
    Check { id: "home.writable", title: "the home can be written, and has room", depth: Depth::Offline },
    Check {
        id: "home.provisioned",
        title: "apply has run, and what is required is there",
        depth: Depth::Offline,
    },
    Check { id: "home.network", title: "no agent sandbox denies the network", depth: Depth::Offline },
    Check {
        id: "leaks.remotes",
        title: "no credential stands in the URL of a remote",
        depth: Depth::Offline,
    },
    Check { id: "leaks.files", title: "files that hold a secret are private", depth: Depth::Offline },
    Check { id: "leaks.environment", title: "no seed stands in the environment", depth: Depth::Offline },
    Check {
        id: "leaks.session-token",
        title: "no Coder session token stands in the environment",
        depth: Depth::Offline,
    },
    Check { id: "leaks.processes", title: "no secret stands in a command line", depth: Depth::Offline },
    Check { id: "leaks.agent-log", title: "no secret stands in the agent's logs", depth: Depth::Offline },
    Check { id: "codex.login", title: "auth.json holds a login that Codex can use", depth: Depth::Offline },
    Check { id: "codex.environment", title: "no variable beats auth.json", depth: Depth::Offline },
    Check { id: "codex.config", title: "no setting defeats the login", depth: Depth::Offline },
    Check { id: "codex.trust", title: "Codex trusts the folders asked for", depth: Depth::Offline },
    Check { id: "claude.login", title: "Claude Code has a token that it will send", depth: Depth::Offline },
    Check {
        id: "claude.environment",
        title: "nothing beats the token, and it goes to Anthropic",
        depth: Depth::Offline,
    },
    Check { id: "claude.config", title: "no first-run prompt is in the way", depth: Depth::Offline },
    Check { id: "claude.trust", title: "Claude Code trusts the folders asked for", depth: Depth::Offline },
    Check { id: "keys.installed", title: "the installed keys are whole and private", depth: Depth::Offline },
    Check { id: "ssh.client", title: "ssh is there", depth: Depth::Offline },
    Check { id: "ssh.config", title: "ssh accepts its configuration", depth: Depth::Offline },
    Check { id: "ssh.route", title: "ssh chooses each repository's own key", depth: Depth::Offline },
    Check { id: "ssh.known-hosts", title: "known_hosts contradicts no pinned key", depth: Depth::Offline },
    Check {
        id: "ssh.identity",
        title: "the server takes the key for this repository's",
        depth: Depth::Network,
    },
    Check { id: "git.client", title: "git is there", depth: Depth::Offline },
    Check { id: "git.identity", title: "git has an author for commits", depth: Depth::Offline },
    Check { id: "git.owner", title: "git accepts the clone in the current folder", depth: Depth::Offline },
    Check { id: "git.remotes", title: "remotes of keyed repositories push over SSH", depth: Depth::Offline },
    Check { id: "push.read", title: "the key may read", depth: Depth::Network },
    Check { id: "push.write", title: "the key may write", depth: Depth::Network },
    Check { id: "push.live", title: "a throw-away branch can be pushed and deleted", depth: Depth::Live },
    actions::CHECKS[0],
    actions::CHECKS[1],
    actions::CHECKS[2],
];

/// What all checks see: facts that are gathered once.
pub struct Context<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub settings: &'a Settings,
    pub receipt: Option<&'a Receipt>,
    /// What is asked for now, or was by the last apply.
    pub desired: &'a Desired,
    /// What apply would do now: its verdicts are restated, never contradicted.
    pub plan: &'a Plan,
    /// The repositories to look at: those with a key, the current folder's, those asked for.
    pub repositories: &'a [Repository],
    /// The repository that `--repo` names.
    pub asked: Option<&'a Repository>,
    /// The HTTPS remotes of the clones in view, of repositories without a key.
    pub https: &'a [GitUrl],
    /// Every clone that is found, not only the current folder's.
    pub all: bool,
    /// The current folder.
    pub folder: Option<PathBuf>,
    pub depth: Depth,
    /// When the whole run must have ended.
    pub end: Instant,
    pub selected: &'a Selection,
    /// What GitHub's API told in earlier looks of `--wait`.
    pub github: &'a crate::github::Memory,
}

impl Context<'_> {
    /// Whether a check runs: asked for, not skipped, and not too deep.
    pub fn wants(&self, id: &str) -> bool {
        let check = CHECKS.iter().find(|check| check.id == id);
        // each look costs requests of somebody's rate limit: only where it was asked for
        if id.starts_with("actions.") && self.selected.only.is_empty() {
            return false;
        }
        check.is_some_and(|check| check.depth <= self.depth) && self.selected.includes(id)
    }

    /// The repositories that have a key.
    pub fn keyed(&self) -> impl Iterator<Item = &Repository> {
        self.desired.repositories.iter().map(|record| &record.repository)
    }

    /// Where the key of a repository lies.
    pub fn key_path(&self, repository: &Repository) -> PathBuf {
        self.home.state.join("keys").join(repository.id().to_string())
    }

    /// The folders that are searched for clones.
    pub fn roots(&self) -> Vec<PathBuf> {
        match &self.desired.remotes_roots[..] {
            [] => vec![self.home.path.clone()],
            roots => roots.to_vec(),
        }
    }

    /// How the receipt would undo what apply wrote under this name.
    pub fn written(&self, id: &str) -> Option<&Undo> {
        Some(&self.receipt?.entries.get(id)?.undo)
    }

    /// What apply would say of an item now.
    pub fn planned(&self, subject: &str) -> Option<&Planned> {
        self.plan.items.iter().find(|planned| planned.item.subject == subject)
    }

    /// Whether an agent's sandbox has told that there is no network (Codex sets the variable).
    pub fn sandboxed(&self) -> bool {
        self.env.get(variables::observed::CODEX_SANDBOX_NETWORK_DISABLED).is_some()
    }

    /// The time that a probe may take: its own, but no longer than what is left of the whole.
    pub fn deadline(&self, own: Duration) -> Duration {
        own.min(self.end.saturating_duration_since(Instant::now()))
    }
}

/// Which checks were asked for: ids (`push.write`) or their areas (`push`).
#[derive(Debug, Default)]
pub struct Selection {
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Selection {
    pub fn includes(&self, id: &str) -> bool {
        let named = |names: &[String]| {
            names
                .iter()
                .any(|name| id == name || id.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('.')))
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

/// One piece of work that runs beside the others.
type Probe<'a> = Box<dyn FnOnce() -> Vec<Outcome> + Send + 'a>;

/// The checks of an area that need no network.
type Area = fn(&Context) -> Vec<Outcome>;

/// No more connections than this to one host at once: servers drop what comes faster (sshd_config(5), MaxStartups).
const AT_ONCE: usize = 4;

/// Runs every check that is wanted, all at once.
pub fn run(context: &Context) -> Vec<Outcome> {
    let areas: [(&'static str, Area); 7] = [
        ("home.folder", home::check),
        ("leaks.files", leaks::check),
        ("codex.login", codex::check),
        ("claude.login", claude::check),
        ("keys.installed", keys::check),
        ("ssh.config", ssh::check),
        ("git.remotes", git::check),
    ];
    let effective = OnceLock::new();
    let current = git::current(context);
    let mut probes: Vec<(&'static str, Probe)> = Vec::new();
    for (id, check) in areas {
        let area = id.split('.').next().unwrap_or(id);
        if CHECKS.iter().any(|check| check.id.starts_with(area) && context.wants(check.id)) {
            probes.push((id, Box::new(move || check(context))));
        }
    }
    let gates = Gates::default();
    for repository in context.repositories {
        let keyed = context.keyed().any(|known| known.same_as(repository));
        let gate = gates.of(repository.host());
        if keyed && context.wants("ssh.identity") {
            let gate = Arc::clone(&gate);
            probes.push((
                "ssh.identity",
                Box::new(move || gate.pass(|| vec![ssh::identity(context, repository)])),
            ));
        }
        for access in [Access::Read, Access::Write] {
            if context.wants(access.id()) {
                let (gate, effective) = (Arc::clone(&gate), &effective);
                probes.push((
                    access.id(),
                    Box::new(move || {
                        let effective = effective.get_or_init(|| EffectiveSsh::of(context));
                        gate.pass(|| vec![push::probe(context, repository, access, effective)])
                    }),
                ));
            }
        }
    }
    for url in context.https {
        let gate = gates.of(url.repository().map_or("", Repository::host));
        for access in [Access::Read, Access::Write] {
            if context.wants(access.id()) {
                let gate = Arc::clone(&gate);
                probes.push((
                    access.id(),
                    Box::new(move || gate.pass(|| vec![push::over_https(context, url, access)])),
                ));
            }
        }
    }
    if context.wants("push.live") {
        for repository in context.repositories {
            let gate = gates.of(repository.host());
            probes.push(("push.live", Box::new(move || gate.pass(|| vec![push::live(context, repository)]))));
        }
    }
    if CHECKS.iter().any(|check| check.id.starts_with("actions.") && context.wants(check.id)) {
        let current = current.as_ref();
        probes.push((
            "actions.runs",
            Box::new(move || {
                let Some(repository) = context.asked.or(current) else {
                    let reason = "the current folder is in no clone; name a repository with --repo";
                    return vec![Outcome::skip("actions.runs", None, reason)];
                };
                let work_tree = context.folder.as_deref().filter(|_| current == Some(repository));
                let inputs = actions::Inputs {
                    env: context.env,
                    home: context.home,
                    repository,
                    work_tree,
                    head: work_tree.and_then(actions::Head::of),
                    deploy_key: context.keyed().any(|known| known.same_as(repository)),
                    memory: context.github,
                    end: context.end,
                };
                let mut outcomes = match context.depth {
                    Depth::Offline => actions::probe_offline(&inputs),
                    Depth::Network | Depth::Live => actions::probe(&inputs),
                };
                outcomes.retain(|outcome| context.wants(outcome.id));
                outcomes
            }),
        ));
    } else if let Some(repository) = context.asked.or(current.as_ref())
        && context.depth >= Depth::Network
        && context.selected.includes("actions.runs")
    {
        probes.push((
            "actions.runs",
            Box::new(move || actions::not_asked(context.env, repository).into_iter().collect()),
        ));
    }
    let mut outcomes = run_all(probes);
    accept(&mut outcomes, &context.settings.accept);
    outcomes
}

/// Lets a few through at a time, for each host.
#[derive(Default)]
struct Gates(Mutex<BTreeMap<String, Arc<Gate>>>);

#[derive(Default)]
struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

impl Gates {
    fn of(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(host.to_owned()).or_default())
    }
}

impl Gate {
    fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside =
            self.left.wait_while(inside, |inside| *inside >= AT_ONCE).unwrap_or_else(PoisonError::into_inner);
        *inside += 1;
        drop(inside);
        let result = work();
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.left.notify_one();
        result
    }
}

/// Runs all probes at once, and sorts what they found into the order of the checks. A probe that panics could not tell.
fn run_all(probes: Vec<(&'static str, Probe<'_>)>) -> Vec<Outcome> {
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (id, probe) in probes {
            let found = &found;
            scope.spawn(move || {
                let start = Instant::now();
                let mut outcomes = catch_unwind(AssertUnwindSafe(probe)).unwrap_or_else(|_| {
                    vec![Outcome::unknown(id, None, "the check itself failed", "please report this as a bug")]
                });
                let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                for outcome in &mut outcomes {
                    outcome.duration_ms = elapsed;
                }
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(outcomes);
            });
        }
    });
    let mut outcomes = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rank = |outcome: &Outcome| CHECKS.iter().position(|check| check.id == outcome.id);
    outcomes.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.subject.cmp(&b.subject)));
    outcomes
}

/// Marks what PUSHREADY_ACCEPT names.
fn accept(outcomes: &mut [Outcome], accepted: &[Code]) {
    let accepted: BTreeSet<_> = accepted.iter().collect();
    for outcome in outcomes {
        outcome.accepted = outcome.code.is_some_and(|code| accepted.contains(&code));
    }
}

/// The remotes of the clone around a folder, or of every clone, that belong to repositories without a key.
pub fn keyless_remotes(folder: Option<&Path>, all: bool, desired: &Desired, home: &Home) -> Vec<GitUrl> {
    let home_alone = [home.path.clone()];
    let roots = if desired.remotes_roots.is_empty() { &home_alone[..] } else { &desired.remotes_roots };
    let mut configs = if all { remotes::clones(roots).configs } else { Vec::new() };
    configs.extend(folder.and_then(git::config_of));
    let mut found: Vec<GitUrl> = Vec::new();
    for config in configs {
        let Ok(Some(content)) = file::observe(&config, Kind::Shared) else { continue };
        for variable in remote::urls(&content.bytes).into_iter().flatten() {
            let Some(Ok(url)) = variable.value.map(|value| GitUrl::parse(&value)) else { continue };
            let Some(repository) = url.repository() else { continue };
            let keyed = desired.repositories.iter().any(|record| record.repository.same_as(repository));
            let known = |other: &GitUrl| other.to_string() == url.to_string();
            if !keyed && !found.iter().any(known) {
                found.push(url);
            }
        }
    }
    found
}
