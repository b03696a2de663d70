//! The right key for each repository, for every caller: blocks for ssh, rules for git, pinned host keys, our own copy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::{Context, Item, own};
use crate::catalogue::Code;
use crate::error::{Error, Finding, Result};
use crate::git_config;
use crate::git_url::{Repository, Rule, instead_of_rules};
use crate::home::Home;
use crate::process::{self, Failure};
use crate::receipt::Desired;
use crate::resource::file::Kind;
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target, block};
use crate::ssh_match;

/// Host keys of the public forges. A test holds each against the fingerprint that the provider publishes.
pub const PINNED: &str = include_str!("known_hosts");

const HEADER: &str =
    "# Written by pushready, overwritten by every `pushready apply`, removed by `pushready remove`.\n";

pub fn provision(
    context: &Context,
    desired: &Desired,
    routed: &[Repository],
    notes: &mut Vec<String>,
) -> Result<Vec<Item>> {
    let nothing_now = routed.is_empty() && desired.known_hosts.is_empty();
    let include = |name: &str| context.receipt.is_some_and(|receipt| receipt.entries.contains_key(name));
    let nothing_before = !include("ssh.include") && !include("git.include");
    if nothing_now && nothing_before {
        return Ok(Vec::new());
    }
    let home = context.home;
    let state = &home.state;
    let mut known_hosts = [HEADER, PINNED].concat();
    for line in &desired.known_hosts {
        known_hosts.push_str(line);
        known_hosts.push('\n');
    }
    let mut resources = vec![
        own("bin", state.join("bin/pushready"), Kind::Own, own_binary(state)?, 0o700),
        text("routes", state, routed.iter().map(ssh_match::route).collect()),
        text("known_hosts", state, known_hosts.clone()),
        text("ssh_config", state, ssh_config(state, routed, &known_hosts)),
    ];
    let rules = git_rules(home, routed, notes);
    resources.push(text("gitconfig", state, rules));
    let git_config = home.git_config.display();
    if home.git_config.exists() && !home.git_config.is_file() {
        // `/dev/null` there means: no global configuration; routing by ssh does without
        notes.push(format!(
            "git's global configuration is `{git_config}` here: no URL rules were added there"
        ));
    } else {
        if home.git_config_named {
            notes.push(format!(
                "GIT_CONFIG_GLOBAL is set: the URL rules go to `{git_config}`, which git without it does not read"
            ));
        }
        resources.push(git_include(context));
    }
    let passwd = match &home.passwd {
        Ok(passwd) => passwd,
        Err(finding) => {
            let mut item = Item::fail("routing", finding.clone());
            item.resources = resources;
            return Ok(vec![item]);
        }
    };
    resources.push(block(
        context,
        "ssh.include",
        passwd.join(".ssh/config"),
        Lock::None,
        format!("Include {}\n", ssh_quoted(&state.join("ssh_config"))),
        block::Place::Head,
    ));
    let mut items = Vec::new();
    for host in routed.iter().map(Repository::host).collect::<BTreeSet<_>>() {
        if !hosts(&known_hosts).iter().any(|pattern| matches(pattern, host)) {
            items.push(Item::warn(
                format!("host {host}"),
                Finding::new(
                    Code::SshHostKeyUnknown,
                    format!("no host key is pinned for {host}, so ssh will ask, and fail unattended"),
                    "put the server's known_hosts line into PUSHREADY_KNOWN_HOSTS",
                ),
                Vec::new(),
            ));
        }
    }
    let count = routed.len();
    let say = format!("{count} {}", if count == 1 { "repository" } else { "repositories" });
    items.push(Item::ready("routing", say, resources));
    Ok(items)
}

/// The image, `/tmp` and a restart may take the running binary away; routing names a copy that stays.
fn own_binary(state: &Path) -> Result<Vec<u8>> {
    let running = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let read = |path: &Path| std::fs::read(path).map_err(|error| Error::io("read", path, &error));
    read(Path::new("/proc/self/exe"))
        .or_else(|_| read(&running))
        .or_else(|_| read(&state.join("bin/pushready")))
}

fn ssh_config(state: &Path, routed: &[Repository], known_hosts: &str) -> String {
    let mut config = HEADER.to_owned();
    let binary = shell_quoted(&state.join("bin/pushready"));
    for repository in routed {
        let id = repository.id();
        let _ = write!(
            config,
            "\n# {}\nMatch originalhost {} exec \"exec {binary} ssh-match {id}\"\n  \
             IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  ControlPath none\n",
            repository.to_ssh(),
            repository.ssh_hosts().join(","),
            ssh_quoted(&state.join("keys").join(id.to_string())),
        );
    }
    let hosts = hosts(known_hosts);
    let _ = write!(
        config,
        "\nMatch originalhost {}\n  GlobalKnownHostsFile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2 {}\n  \
         StrictHostKeyChecking yes\n",
        hosts.into_iter().collect::<Vec<_>>().join(","),
        ssh_quoted_literally(&state.join("known_hosts")),
    );
    config
}

/// The host patterns for which the file vouches, without ports: `originalhost` knows none.
fn hosts(known_hosts: &str) -> BTreeSet<String> {
    known_hosts
        .lines()
        .filter(|line| !line.starts_with(['#', '@', '|']))
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|patterns| patterns.split(','))
        .map(|pattern| match pattern.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, _)) => host.to_owned(),
            None => pattern.to_owned(),
        })
        .filter(|host| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_*?:".contains(&byte))
        })
        .collect()
}

/// Whether a pattern of known_hosts with `*` and `?` covers a host (ssh_config(5), PATTERNS).
fn matches(pattern: &str, host: &str) -> bool {
    match (pattern.as_bytes(), host.as_bytes()) {
        ([], []) => true,
        ([b'*', rest @ ..], host) => (0..=host.len()).any(|skip| {
            let rest = std::str::from_utf8(rest).unwrap_or_default();
            host.get(skip..)
                .and_then(|tail| std::str::from_utf8(tail).ok())
                .is_some_and(|tail| matches(rest, tail))
        }),
        ([b'?', rest @ ..], [_, tail @ ..]) => matches_bytes(rest, tail),
        ([a, rest @ ..], [b, tail @ ..]) => a.eq_ignore_ascii_case(b) && matches_bytes(rest, tail),
        _ => false,
    }
}

fn matches_bytes(pattern: &[u8], host: &[u8]) -> bool {
    matches!((std::str::from_utf8(pattern), std::str::from_utf8(host)), (Ok(pattern), Ok(host)) if matches(pattern, host))
}

fn git_rules(home: &Home, routed: &[Repository], notes: &mut Vec<String>) -> String {
    let own = home.state.join("gitconfig");
    let user = match user_rules(&own) {
        Ok(Ok(rules)) => rules,
        Ok(Err(message)) => {
            notes.push(format!("git cannot read its configuration here, so no git command works: {message}"));
            Vec::new()
        }
        Err(Failure::Missing) => {
            notes.push(
                "git is not on PATH: URL rules are written, but could not be held against its own".to_owned(),
            );
            Vec::new()
        }
        Err(failure) => {
            notes.push(format!("git did not say which insteadOf rules are in force: {failure:?}"));
            Vec::new()
        }
    };
    let rules = instead_of_rules(routed, &user);
    for covered in &rules.covered {
        notes.push(format!(
            "a rule of your own already turns `{}` into `{}`: none of ours is written for it",
            covered.prefix, covered.effective
        ));
    }
    let mut config = HEADER.to_owned();
    let mut base = None;
    for Rule { base: to, prefix } in &rules.rules {
        if base != Some(to) {
            let _ = writeln!(config, "[url \"{}\"]", to.replace('\\', "\\\\").replace('"', "\\\""));
            base = Some(to);
        }
        let _ = writeln!(config, "\tinsteadOf = {}", git_config::quoted(prefix));
    }
    config
}

/// The insteadOf rules that are in force without ours, as the agent's git sees them outside any repository.
/// The inner error: git's own message, where it cannot read its configuration.
fn user_rules(own: &Path) -> std::result::Result<std::result::Result<Vec<Rule>, String>, Failure> {
    let mut git = process::caller("git");
    git.args(["config", "--null", "--show-origin", "--get-regexp", r"^url\..*\.insteadof$"]).current_dir("/");
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    // it would narrow `git config` to one file
    git.env_remove("GIT_CONFIG");
    let output = process::run(git, Duration::from_secs(5))?;
    // 1: nothing matches
    if output.status.code().is_none_or(|code| code > 1) {
        return Ok(Err(output
            .stderr
            .lines()
            .next()
            .unwrap_or("no message")
            .escape_debug()
            .take(200)
            .collect()));
    }
    let own = format!("file:{}", own.display());
    let mut fields = output.stdout.split('\0');
    let mut rules = Vec::new();
    while let (Some(origin), Some(entry)) = (fields.next(), fields.next()) {
        let Some((key, prefix)) = entry.split_once('\n') else { continue };
        let base = key.strip_prefix("url.").and_then(|key| key.strip_suffix(".insteadof"));
        if let Some(base) = base.filter(|_| origin != own) {
            rules.push(Rule { base: base.to_owned(), prefix: prefix.to_owned() });
        }
    }
    Ok(Ok(rules))
}

/// Asks the ssh of this environment which key it would use for each host's first repository.
pub fn self_test(home: &Home, routed: &[Repository]) -> std::result::Result<usize, Finding> {
    let mut asked = BTreeSet::new();
    for repository in routed {
        if !asked.insert(repository.host()) {
            continue;
        }
        let key = home.state.join("keys").join(repository.id().to_string());
        let mut ssh = process::caller("ssh");
        if let Some(port) = repository.ssh_port() {
            ssh.args(["-p", &port.to_string()]);
        }
        ssh.arg("-G").arg(format!("{}@{}", repository.ssh_user(), repository.host()));
        ssh.arg(format!("git-receive-pack '{}.git'", repository.path()));
        let broken = |why: String| {
            Finding::new(
                Code::SshRouteBroken,
                format!("ssh does not choose the key of {}: {why}", repository.short()),
                "run `ssh -v` to the host and see whether `Match exec` runs; SHELL must name a shell that exists",
            )
        };
        let output = match process::run(ssh, Duration::from_secs(10)) {
            Ok(output) => output,
            Err(failure) => return Err(broken(format!("`ssh -G` failed: {failure:?}"))),
        };
        if !output.status.success() {
            let first = output.stderr.lines().next().unwrap_or("no message").escape_debug().to_string();
            return Err(Finding::new(
                Code::SshConfigInvalid,
                format!("ssh rejects its configuration: {first}"),
                "mend the line that ssh names",
            ));
        }
        let first = output.stdout.lines().find_map(|line| line.strip_prefix("identityfile "));
        if first.map(Path::new) != Some(&*key) {
            return Err(broken(format!("it would use `{}`", first.unwrap_or("none"))));
        }
    }
    Ok(asked.len())
}

fn text(name: &str, state: &Path, text: String) -> Resource {
    own(name, state.join(name), Kind::Own, text.into_bytes(), 0o600)
}

fn git_include(context: &Context) -> Resource {
    let state = &context.home.state;
    block(
        context,
        "git.include",
        context.home.git_config.clone(),
        Lock::Git,
        // written as `git config --global --add include.path` writes it
        format!("[include]\n\tpath = {}\n", git_config::quoted(&state.join("gitconfig").to_string_lossy())),
        block::Place::Tail,
    )
}

fn block(
    context: &Context,
    name: &str,
    path: std::path::PathBuf,
    lock: Lock,
    text: String,
    place: block::Place,
) -> Resource {
    Resource {
        id: context.id(name, &path),
        target: Target { path, kind: Kind::Shared, lock, malformed: Code::SshConfigInvalid },
        edit: Edit::Block { text, place },
        recorded: true,
    }
}

/// A path as an argument of ssh_config, in which `%` is expanded.
fn ssh_quoted(path: &Path) -> String {
    ssh_quoted_literally(path).replace('%', "%%")
}

/// The same for the arguments in which it is not.
fn ssh_quoted_literally(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-%+@".contains(&byte));
    if plain { path.into_owned() } else { format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// A path inside the double-quoted command of `Match exec`: quoted for the shell, then for ssh_config.
fn shell_quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let shell =
        shlex::try_quote(&path).map_or_else(|_| path.clone().into_owned(), std::borrow::Cow::into_owned);
    shell.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints as the providers publish them; a wrong pin would lock every workspace out, or in with a stranger.
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

    #[test]
    fn host_patterns_lose_their_ports_and_keep_their_wildcards() {
        let known = "a.b,[c.d]:2222 ssh-ed25519 AAAA\n*.corp ssh-rsa AAAA\n|1|x|y ssh-rsa AAAA\n# no\n@revoked e ssh-rsa A\nx\"y z\n";
        assert_eq!(hosts(known), ["*.corp", "a.b", "c.d"].map(str::to_owned).into());
        assert!(
            matches("*.corp", "git.corp")
                && matches("g?t.corp", "git.corp")
                && matches("GIT.corp", "git.corp")
        );
        assert!(!matches("*.corp", "corp") && !matches("git", "git.corp") && !matches("git.corp", "git"));
    }

    #[test]
    fn paths_survive_both_quotings() {
        assert_eq!(ssh_quoted(Path::new("/a b/%d")), "\"/a b/%%d\"");
        assert_eq!(shell_quoted(Path::new("/a b/%d")), "'/a b/%%d'");
        assert_eq!(shell_quoted(Path::new("/plain/x")), "/plain/x");
    }
}
