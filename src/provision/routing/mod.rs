//! The right key for each repository, for every caller: blocks for ssh, rules for git, pinned host
//! keys, our own copy.
//!
//! What it costs (OpenSSH 9.2, two cores): each start of ssh to a host with keys takes 2 ms more
//! for each of them (7 ms with one key, 27 with 10, 120 with 50), other hosts nothing; each call of
//! git takes 0.5 ms more for each key (26 ms with 50). With host aliases ssh starts at once, and
//! git pays: 33 ms with 10 keys, 190 with 50.

mod git;
pub mod pins;
mod probe;
mod ssh;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Item, ProvisionContext, own};
use rustix::fs::{Access, access};

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::error::{Error, Result};
use crate::git::config;
use crate::git::url::{Repository, StoredUrl};
use crate::home::Home;
use crate::proof::BinaryPair;
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target, block, place};
use crate::ssh_match;
use crate::state::git_identity::GitIdentity;
use crate::state::receipt::{Desired, Receipt, Refused};
use crate::state::subject::Subject;

use git::WrittenIdentity;
pub use git::{AskedGit, GitAnswer, InForce, RulesInForce};
use pins::Pins;
pub use pins::contradicts_pins;
pub use probe::{destination, destination_by, refuses_commands, self_test};
use ssh::{Method, ssh_quoted};

/// Host keys of the public forges. A test holds each against the fingerprint that the provider
/// publishes.
pub const PINNED: &str = include_str!("known_hosts");

/// The binary that is running, be its file replaced or removed (proc(5)).
const RUNNING: &str = "/proc/self/exe";

const HEADER: &str = "# Written by pushready, overwritten by every `pushready apply`, removed by `pushready remove`.\n";

#[derive(Default)]
pub struct Routing<'a> {
    pub items: Vec<Item>,
    /// git's URL rules when all this is in place.
    pub in_force: RulesInForce<'a>,
    /// The routing that is there already passed its self-test, with so many hosts.
    pub tested: Option<usize>,
    /// What there is to remember of git's rules.
    pub git: Option<GitAnswer>,
    /// It was not tried whether ssh can ask for the key.
    pub untried: bool,
    /// The copy of pushready that is there has the bytes of the running binary.
    pub copy: Option<BinaryPair>,
}

pub fn provision<'a>(
    context: &ProvisionContext<'a>,
    desired: &Desired,
    routed: &'a [Repository],
    stored: &'a [StoredUrl],
    notes: &mut Vec<String>,
) -> Result<Routing<'a>> {
    if is_moot(context, desired, routed) {
        return Ok(identity_alone(context, desired, stored, notes));
    }
    let home = context.home;
    let known_hosts = known_hosts(desired);
    let pins = Pins::of(&known_hosts, routed);
    notes.extend(pins.note());
    if let Some(finding) = unusable(home) {
        let items = vec![Item::fail(Subject::Routing, finding)];
        return Ok(Routing { items, ..Routing::default() });
    }
    // what is written and works shows more than a trial with another configuration would
    let wanted = Files::asking(home, routed, &known_hosts, &pins);
    let is_there = home.passwd.is_ok() && wanted.are_there(home);
    let question = git::question(routed, stored, &desired.identity);
    let is_known = is_there
        && context.proven.is_some()
        && context.git.is_some_and(|it| it.proof(&question).is_known(&home.state));
    let git = AskedGit::new(home);
    if !is_known {
        // git answers while ssh is asked
        git.start();
    }
    let proven = context.proven.filter(|_| is_known || is_there && git.keeps(routed));
    let tested = proven.or_else(|| is_there.then(|| self_test(home, routed, &git).ok()).flatten());
    let is_asked = home.passwd.is_ok() && !routed.is_empty() && tested.is_none();
    let untried = is_asked && !is_there && context.is_tested_after;
    let method = if is_asked { probe::method(&home.state, untried) } else { Method::MatchExec };
    let who = desired.identity.clone();
    let (rules, answer) = if is_known {
        let answer = GitAnswer::known(question);
        (git::known_rules(home, git, routed, stored, who), Some(answer))
    } else {
        let rules = git::rules(home, &git, routed, stored, &method, &who);
        let answer = GitAnswer::of(question, &rules, &git, context.git, routed);
        (rules, answer.filter(|_| matches!(method, Method::MatchExec)))
    };
    notes.extend(rules.notes);
    let Files { mut ssh_config, routes } = wanted;
    if !matches!(method, Method::MatchExec) {
        ssh_config = ssh::config(home, routed, &known_hosts, &pins, &method);
    }
    let (mut resources, copy) = binary(&home.state, &method)?;
    resources.extend([
        text("routes", &home.state, routes),
        text("known_hosts", &home.state, known_hosts.clone()),
        text("ssh_config", &home.state, ssh_config),
        text("gitconfig", &home.state, rules.config),
    ]);
    // what cannot be written ends the list: without git's rules SSH remotes work, and git's rules
    // without ssh's configuration would lead to SSH without a key
    if home.passwd.is_ok() {
        resources.extend(include(context, EntryName::SshInclude, None));
    }
    resources.extend(git_include(context, (rules.written, rules.reads_ours), notes));
    let mut items: Vec<_> = identity(desired, rules.written, Vec::new()).into_iter().collect();
    if let Err(finding) = &home.passwd {
        let failed = Item::fail(Subject::Routing, finding.clone());
        items.push(Item { resources, ..failed });
        items.extend(rules.unreadable);
    } else {
        items.extend(unpinned(&known_hosts, routed));
        items.push(item(routed.len(), method, resources));
        items.extend(rules.unreadable);
        items.extend(rules.reversed);
    }
    Ok(Routing { items, in_force: rules.in_force, tested, git: answer, untried, copy })
}

/// Who commits, where there is nothing to route: ssh's configuration is left alone.
fn identity_alone<'a>(
    context: &ProvisionContext,
    desired: &Desired,
    stored: &[StoredUrl],
    notes: &mut Vec<String>,
) -> Routing<'a> {
    let home = context.home;
    if desired.identity.is_empty() && !home.state.join("gitconfig").exists() {
        return Routing::default();
    }
    let git = AskedGit::new(home);
    let rules = git::rules(home, &git, &[], stored, &Method::MatchExec, &desired.identity);
    notes.extend(rules.notes);
    let found = (rules.written, rules.reads_ours);
    let mut resources = vec![text("gitconfig", &home.state, rules.config)];
    resources.extend(git_include(context, found, notes));
    let mut items: Vec<_> = identity(desired, rules.written, resources).into_iter().collect();
    items.extend(rules.unreadable);
    Routing { items, in_force: rules.in_force, ..Routing::default() }
}

/// What there is to report about the identity for commits.
fn identity(desired: &Desired, written: WrittenIdentity, resources: Vec<Resource>) -> Option<Item> {
    let GitIdentity { name, email } = &desired.identity;
    let parts = [
        name.is_some().then_some(("user.name", written.name)),
        email.is_some().then_some(("user.email", written.email)),
    ];
    let (ours, others): (Vec<_>, Vec<_>) =
        parts.into_iter().flatten().partition(|(_, is_written)| *is_written);
    let names = |parts: &[(&str, bool)]| {
        parts.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(" and ")
    };
    let summary = match (&ours[..], &others[..]) {
        ([], []) => return None,
        (ours, []) => names(ours),
        ([], others) => format!("git has {} from elsewhere, which is kept", names(others)),
        (ours, others) => {
            format!("{}; git has {} from elsewhere, which is kept", names(ours), names(others))
        }
    };
    Some(Item::ready(Subject::GitIdentity, summary, resources))
}

/// Whether there is nothing to route, and nothing was.
fn is_moot(context: &ProvisionContext, desired: &Desired, routed: &[Repository]) -> bool {
    let is_there = |name: EntryName| {
        context.receipt.is_some_and(|receipt| receipt.entries.contains_key(&name.into()))
    };
    routed.is_empty() && desired.host_keys.is_empty() && !is_there(EntryName::SshInclude)
}

fn known_hosts(desired: &Desired) -> String {
    let mut text = [HEADER, PINNED].concat();
    for line in desired.known_hosts() {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Why ssh cannot be made to read our files.
fn unusable(home: &Home) -> Option<Finding> {
    if let Some(odd) = ssh::unquotable(&home.state) {
        return Some(Finding::new(
            Code::SshRouteBroken,
            format!(
                "the path of the state folder contains `{odd}`, which ssh's configuration does not allow"
            ),
            "set XDG_STATE_HOME to another folder",
        ));
    }
    // whoever can put another file in its place decides what ssh runs
    open_to_others(&home.ssh_folder()?)
}

/// The copy of pushready that the configuration names, to be written before it; or the proof that it
/// is there.
fn binary(state: &Path, method: &Method) -> Result<(Vec<Resource>, Option<BinaryPair>)> {
    const MODE: u32 = 0o700;
    let copy = state.join("bin/pushready");
    let pair = BinaryPair::now(state);
    let is_known = pair.as_ref().is_some_and(|pair| pair.is_known(state));
    if is_known || file::is_copy(&copy, Path::new(RUNNING), MODE).unwrap_or(false) {
        return Ok((Vec::new(), pair));
    }
    match (own_binary(&copy), method) {
        (Ok(from), _) => {
            let target = Target {
                path: copy,
                kind: Kind::Own,
                lock: Lock::None,
                malformed: Code::NotProvisioned,
            };
            Ok((vec![Resource::unrecorded(target, Edit::Copy { from, mode: MODE })], None))
        }
        // nothing names it
        (Err(_), Method::Aliases(_)) => Ok((Vec::new(), None)),
        (Err(error), Method::MatchExec) => Err(error),
    }
}

/// Our line in git's global configuration, where there is one. `reads_ours`: git reads our file by now.
fn git_include(
    context: &ProvisionContext,
    (written, reads_ours): (WrittenIdentity, bool),
    notes: &mut Vec<String>,
) -> Option<Resource> {
    let home = context.home;
    let path = home.git_config.display();
    // whoever makes the user's configuration, such as home-manager, has added the line
    let is_ours = context.receipt.is_some_and(|receipt| receipt.knows(&EntryName::GitInclude));
    if (reads_ours || is_included_by_hand(home)) && !is_ours {
        return None;
    }
    if home.git_config.exists() && !home.git_config.is_file() {
        // `/dev/null` there means: no global configuration; routing by ssh does without
        notes.push(format!(
            "git's global configuration is `{path}` here: no URL rules were added there"
        ));
        return None;
    }
    if home.git_config_named {
        notes.push(format!(
            "GIT_CONFIG_GLOBAL is set: the URL rules go to `{path}`, which git without it does not read"
        ));
    }
    // an identity that the user has for some folders, or sets later, takes precedence over ours:
    // git writes it into the section that the file has, or else at the end. At the head of the
    // file our section is the one to which `git config --add include.path` adds, above the values
    // of the user: so only where it is needed
    let may_name = || may_name_user(&file::text(&home.git_config));
    let place = (written.any() && may_name()).then_some(block::Position::Head);
    include(context, EntryName::GitInclude, place)
}

/// Whether the file has a section of the user, or includes a file that may have one: one for the
/// clones of some folder names nobody outside of them. Pure.
fn may_name_user(config: &str) -> bool {
    let mut sections = config.lines().map(|line| line.trim_start().to_ascii_lowercase());
    sections.any(|line| line.starts_with("[user]") || line.starts_with("[include"))
}

fn item(count: usize, method: Method, resources: Vec<Resource>) -> Item {
    let repositories =
        if count == 1 { "1 repository".to_owned() } else { format!("{count} repositories") };
    match method {
        Method::MatchExec => Item::ready(Subject::Routing, repositories, resources),
        Method::Aliases(why) => {
            let finding = Finding::new(
                Code::SshRouteBroken,
                format!(
                    "`Match exec` cannot work here ({why}): {repositories} reached through host \
                     aliases, which other spellings of a URL do not use"
                ),
                "set SHELL to a shell that works, or move the home to where programs run; then apply again",
            );
            Item::warn(Subject::Routing, finding, resources)
        }
    }
}

/// The hosts of which no key is known.
fn unpinned(known_hosts: &str, routed: &[Repository]) -> Vec<Item> {
    let mut asked = BTreeSet::new();
    let first = routed.iter().filter(|repository| asked.insert(repository.host()));
    let unknown = first.filter(|repository| {
        let host = repository.host();
        let is_pinned = |port| Pins::is_pinned(known_hosts, repository, host, port);
        // ssh is asked for the port only where it decides
        !is_pinned(None) || {
            let port = repository
                .ssh_port()
                .or_else(|| if is_pinned(Some(22)) { Some(22) } else { ssh::port(host) });
            !is_pinned(port)
        }
    });
    let items = unknown.map(Repository::host).map(|host| {
        let finding = Finding::new(
            Code::SshHostKeyUnknown,
            format!("no host key is pinned for {host} at its port, so ssh will ask, and fail unattended"),
            "put the server's known_hosts line into PUSHREADY_KNOWN_HOSTS: `HOST`, or `[HOST]:PORT`, as the repository has it",
        );
        Item::warn(Subject::Host(host.to_owned()), finding, Vec::new())
    });
    items.collect()
}

/// A folder of ssh's that others may write.
pub fn open_to_others(folder: &Path) -> Option<Finding> {
    let metadata = std::fs::metadata(folder).ok()?;
    let obstacle = place::open(folder, &metadata).ok()??;
    Some(obstacle.finding(&folder.join("config")))
}

/// The image, `/tmp` and a restart may remove the running binary; routing names a copy that stays.
fn own_binary(copy: &Path) -> Result<PathBuf> {
    let readable = |path: &Path| {
        let read = file::head(path, 1).map_err(|error| Error::io("read", path, &error));
        read.map(|_| path.to_owned())
    };
    // without /proc the copy of an earlier run is as good
    readable(Path::new(RUNNING)).or_else(|_| readable(copy))
}

fn text(name: &str, state: &Path, text: String) -> Resource {
    own(state.join(name), Kind::Own, text.into_bytes(), 0o600)
}

/// A line of ours in a file that we share: it names a file in our state folder.
pub struct Include {
    pub name: EntryName,
    pub target: Target,
    pub text: String,
    place: block::Position,
}

/// What ssh reads of ours, and the program that it asks.
struct Files {
    ssh_config: String,
    routes: String,
}

impl Files {
    /// Those that apply writes where ssh can ask.
    fn asking(home: &Home, routed: &[Repository], known_hosts: &str, pins: &Pins) -> Self {
        let ssh_config = ssh::config(home, routed, known_hosts, pins, &Method::MatchExec);
        Self { ssh_config, routes: ssh_match::routes(routed) }
    }

    /// Whether the files that are there are these, byte for byte. Starts no program.
    fn are_there(&self, home: &Home) -> bool {
        let is = |name, text: &str| file::text(&home.state.join(name)) == text;
        is("ssh_config", &self.ssh_config) && is("routes", &self.routes)
    }
}

/// The same for the keys that the last apply installed.
pub fn is_as_applied(home: &Home, desired: &Desired) -> bool {
    let routed: Vec<_> =
        desired.repositories.iter().map(|record| record.repository.clone()).collect();
    let known_hosts = known_hosts(desired);
    Files::asking(home, &routed, &known_hosts, &Pins::of(&known_hosts, &routed)).are_there(home)
}

/// Whether git's own files no longer name the rules for URLs of the last apply. What they include
/// may: git knows.
pub fn may_lack_rules(home: &Home, receipt: &Receipt) -> bool {
    let mut includes = includes(home).into_iter();
    let include = includes.find(|include| include.name == EntryName::GitInclude);
    let include = include.filter(|include| receipt.knows(&include.name));
    let Some(include) = include.filter(|_| !receipt.desired.repositories.is_empty()) else {
        return false;
    };
    let rules = home.state.join("gitconfig");
    let names = [rules.display().to_string(), home.shown(&rules)];
    let is_named = |path: &PathBuf| {
        let text = file::text(path);
        names.iter().any(|name| text.contains(name))
    };
    let mut files = home.git_reads.iter().chain([&include.target.path]);
    file::text(&rules).is_empty() || !files.any(is_named)
}

/// Whether ssh no longer reads what the last apply wrote for it.
pub fn lost(home: &Home, receipt: &Receipt) -> Option<Refused> {
    let include =
        includes(home).into_iter().find(|include| include.name == EntryName::SshInclude)?;
    if !receipt.knows(&include.name) || receipt.desired.repositories.is_empty() {
        return None;
    }
    let config = file::text(&home.state.join("ssh_config"));
    let included = home.state.join("ssh_config");
    let is_ours = |line: &str| {
        line.trim_end() == include.text.trim_end()
            // by another path, where a folder above it is a link
            || line.trim().strip_prefix("Include ").is_some_and(|named| {
                file::is_same(Path::new(named.trim_matches('"')), &included)
            })
    };
    if config.is_empty()
        || file::text(&home.state.join("known_hosts")).is_empty()
        || !file::text(&include.target.path).lines().any(is_ours)
    {
        return Some(Refused::new(Subject::Routing, Code::SshRouteBroken));
    }
    lacking_copy(home).map(|_| Refused::new(Subject::Routing, Code::RouteBinaryGone))
}

/// How a program of Linux begins (elf(5)).
const ELF: &[u8] = b"\x7fELF";

/// The copy of pushready, where ssh is to run it and it is not a program that can be run. `Match exec`
/// is not used everywhere: where it cannot work, nothing names the copy.
pub fn lacking_copy(home: &Home) -> Option<PathBuf> {
    let binary = home.state.join("bin/pushready");
    let config = file::text(&home.state.join("ssh_config"));
    let is_asked = config.contains(&*binary.to_string_lossy());
    let is_program = || {
        access(&binary, Access::EXEC_OK).is_ok()
            && file::head(&binary, ELF.len() as u64).is_ok_and(|head| head == ELF)
    };
    (is_asked && !is_program()).then_some(binary)
}

/// The state folder of another run of apply, to which ssh's configuration leads: XDG_STATE_HOME or
/// HOME was another one then.
pub fn other_state(home: &Home) -> Option<PathBuf> {
    let config = file::text(&home.ssh_folder()?.join("config"));
    let named = |line: &str| {
        let rest = line.trim().strip_prefix("Include ")?;
        let path = PathBuf::from(shlex::split(rest)?.into_iter().next()?);
        let folder = path.parent()?.to_owned();
        let is_it = path.file_name()? == "ssh_config"
            && folder.file_name()? == "pushready"
            && folder != home.state
            && folder.join("receipt.json").exists();
        is_it.then_some(folder)
    };
    config.lines().find_map(named)
}

/// Whether a file of git's names our rules in a line that somebody wrote by hand.
fn is_included_by_hand(home: &Home) -> bool {
    let rules = home.state.join("gitconfig");
    let names = [rules.display().to_string(), home.shown(&rules)];
    let is_ours = |line: &str| {
        let Some((key, value)) = line.split_once('=') else { return false };
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case("path") && names.iter().any(|name| name == value)
    };
    home.git_reads.iter().any(|path| file::text(path).lines().any(is_ours))
}

/// The one in ssh's configuration, where ssh has a home, and the one in git's.
pub fn includes(home: &Home) -> Vec<Include> {
    let state = &home.state;
    let target =
        |path, lock| Target { path, kind: Kind::Shared, lock, malformed: Code::SshConfigInvalid };
    let ssh = home.ssh_folder().map(|folder| Include {
        name: EntryName::SshInclude,
        target: target(folder.join("config"), Lock::None),
        text: format!("Include {}\n", ssh_quoted(&state.join("ssh_config"))),
        place: block::Position::Head,
    });
    let git = Include {
        name: EntryName::GitInclude,
        target: target(home.git_config.clone(), Lock::Git),
        // written as `git config --global --add include.path` writes it
        text: format!(
            "[include]\n\tpath = {}\n",
            config::quoted(&state.join("gitconfig").to_string_lossy())
        ),
        place: block::Position::Tail,
    };
    ssh.into_iter().chain([git]).collect()
}

/// The files that include the state folder's: what shows that a home was provisioned where the
/// folder is gone.
pub fn including(home: &Home) -> Vec<std::path::PathBuf> {
    let names = |Include { target, text, .. }: Include| {
        let content = file::observe(&target.path, target.kind).ok()??;
        let line = text.trim_end();
        let text = String::from_utf8_lossy(&content.bytes);
        text.contains(line).then_some(target.path)
    };
    includes(home).into_iter().filter_map(names).collect()
}

fn include(
    context: &ProvisionContext,
    name: EntryName,
    elsewhere: Option<block::Position>,
) -> Option<Resource> {
    let Include { target, text, place, .. } =
        includes(context.home).into_iter().find(|include| include.name == name)?;
    let id = context.id(name, &target.path);
    Some(Resource::recorded(id, target, Edit::Block { text, place: elsewhere.unwrap_or(place) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints as the providers publish them; a wrong pin would lock every workspace out, or
    /// in with a stranger.
    #[test]
    fn every_pinned_key_has_its_published_fingerprint() {
        let published: BTreeSet<&str> = [
            "uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
            "p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
            "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
            "HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
            "eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
            "ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
            "46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
            "FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
            "ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
            "ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og",
            "mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
            "T9FYDEHELhVkulEKKwge5aVhVTbqCW0MIRwAfpARs/E",
            "6QQmYi4ppFS4/+zSZ5S4IU+4sa6rwvQ4PbhCtPEBekQ",
            "WXXNZu0YyoE3KBl5qh4GsnF1vR0NeEPYJAiPME+P09g",
            "1nUUjsHH0qwfjI3dYFWlXTjPUP/Un1oo6wfu9YL8tCQ",
            "rvz/I0S1T/9If9+/CU0HDTF8AV4MPu5Gkkxsb7vUTH4",
        ]
        .into();
        for line in PINNED.lines() {
            let entry: ssh_key::known_hosts::Entry = line.parse().unwrap();
            let fingerprint = entry.public_key().fingerprint(ssh_key::HashAlg::Sha256).to_string();
            assert!(published.contains(&fingerprint["SHA256:".len()..]), "{line}");
        }
        assert_eq!(PINNED.lines().count(), 20);
    }

    /// A routed name without a pinned key is refused by ssh without a terminal. Bitbucket does not
    /// publish the host keys of its address for port 443.
    #[test]
    fn every_routed_name_of_a_public_forge_is_pinned() {
        for host in ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"] {
            let repository = Repository::parse_declared(&format!("{host}/o/r")).unwrap();
            let names = repository.ssh_hosts();
            assert!(names.contains(&&*format!("www.{host}")), "{names:?}");
            for name in names {
                let is_pinned = Pins::is_pinned(PINNED, &repository, name, None);
                assert_eq!(is_pinned, name != "altssh.bitbucket.org", "{name}");
            }
        }
    }
}
