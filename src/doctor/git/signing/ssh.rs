//! A signature by ssh-keygen: which key it is, and whether an agent holds it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{
    SigningSetting, SigningWay, cannot_prompt, failed, is_installed, left, path_of, program,
};
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::outcome::Evidence;
use crate::process::{self, Completed, Failure, Program};
use crate::resource::file;
use crate::variables::observed;

/// What the agent of SSH_AUTH_SOCK answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Agent {
    None,
    /// It accepts a connection and does not answer: ssh-keygen waits for it without end.
    Silent,
    /// The public keys that it lists, without their types and comments.
    Lists(Vec<String>),
}

/// The key, as far as files show it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SigningKey {
    /// Neither user.signingKey nor a command that names one.
    Unset,
    /// The command names none.
    NotNamed,
    /// The program of that command is not there.
    CommandGone(String),
    /// The public key itself: only an agent can hold the private one.
    Literal(String),
    /// No file is at the path.
    Missing(PathBuf),
    File {
        /// `None`: the file does not show it.
        public: Option<String>,
        has_private: bool,
        /// It is on a device that somebody has to touch.
        is_on_device: bool,
    },
    /// A path that only git resolves.
    Unresolved,
}

pub fn way(context: &Context, setting: &SigningSetting, end: Instant) -> SigningWay {
    let key = key(context, setting, end);
    let agent = agent(context, end);
    // a device of U2F is one of these
    let has_device = std::fs::read_dir("/sys/class/hidraw").is_ok_and(|mut it| it.next().is_some());
    judge(setting, &key, &agent, has_device)
}

/// Pure.
fn judge(
    setting: &SigningSetting,
    key: &SigningKey,
    agent: &Agent,
    has_device: bool,
) -> SigningWay {
    let is_keygen = Path::new(setting.program).file_name().is_some_and(|name| name == "ssh-keygen");
    let name_key = || {
        let example = "git config --global user.signingKey ~/.ssh/KEY.pub";
        Fix::report(format!("name the key: `{example}`"))
    };
    let bring = || Fix::report("bring the key or its ssh-agent into this workspace");
    let lists =
        |public: &str| matches!(agent, Agent::Lists(keys) if keys.iter().any(|it| it == public));
    let public = match key {
        SigningKey::Literal(public) | SigningKey::File { public: Some(public), .. } => {
            Some(&**public)
        }
        _ => None,
    };
    match key {
        SigningKey::Unset => {
            let summary = "commits are to be signed with an ssh key, and none is configured";
            return SigningWay::broken(failed(summary, name_key()));
        }
        SigningKey::NotNamed => {
            let summary = "gpg.ssh.defaultKeyCommand names no key, so every commit fails";
            return SigningWay::broken(failed(summary, name_key()));
        }
        SigningKey::CommandGone(program) => {
            let summary =
                "the program of gpg.ssh.defaultKeyCommand is not installed, so every commit fails";
            let fix = "install it, or name the key: `git config --global user.signingKey \
                       ~/.ssh/KEY.pub`";
            let program = Evidence::foreign("program", program);
            return SigningWay::broken(failed(summary, Fix::report(fix)).with([program]));
        }
        SigningKey::Missing(path) => {
            let summary = "user.signingKey names a file that does not exist, so every commit fails";
            let path = Evidence::new("path", path.display().to_string());
            return SigningWay::broken(failed(summary, bring()).with([path]));
        }
        _ => {}
    }
    if *agent == Agent::Silent && is_keygen {
        let fix =
            "unset SSH_AUTH_SOCK where it is set, or end what keeps that agent from answering";
        let summary = "the ssh-agent does not answer, so signing a commit hangs";
        return SigningWay::broken(failed(summary, Fix::report(fix)));
    }
    if public.is_some_and(lists) {
        return SigningWay::Held;
    }
    if !is_keygen {
        let is_desktop = setting.program.ends_with("op-ssh-sign");
        if is_desktop {
            return SigningWay::NotTried(
                "the signing program asks on the desktop, so it is not run",
            );
        }
        return SigningWay::Try;
    }
    match key {
        SigningKey::Literal(_) | SigningKey::File { has_private: false, public: Some(_), .. } => {
            SigningWay::broken(failed(
                "only the public signing key is here, and no agent holds the private one",
                bring(),
            ))
        }
        SigningKey::File { is_on_device: true, .. } if has_device => {
            SigningWay::NotTried("the signing key is on a device that somebody has to touch")
        }
        SigningKey::File { is_on_device: true, .. } => SigningWay::broken(failed(
            "the signing key is on a device that is not connected, so every commit fails",
            bring(),
        )),
        _ => SigningWay::Try,
    }
}

fn key(context: &Context, setting: &SigningSetting, end: Instant) -> SigningKey {
    match (setting.key, setting.key_command) {
        (Some(text), _) => match literal(text) {
            Some(public) => SigningKey::Literal(public),
            None => path_of(context, text).map_or(SigningKey::Unresolved, |path| of_file(&path)),
        },
        (None, Some(command)) => {
            let command = command.value.unwrap_or_default();
            let mut words = split(command).unwrap_or_default().into_iter();
            if let Some(program) = words.next().filter(|it| !is_installed(context, it)) {
                return SigningKey::CommandGone(program);
            }
            let named = named(context, command, end);
            named.map_or(SigningKey::NotNamed, SigningKey::Literal)
        }
        (None, None) => SigningKey::Unset,
    }
}

/// As git splits a command without a shell: quotes keep blanks, and `\` keeps the next character
/// (alias.c, `split_cmdline`). Pure.
fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.trim().chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// What the user's own command names: the first line that it prints (git-config(1)).
fn named(context: &Context, command: &str, end: Instant) -> Option<String> {
    let mut words = split(command)?.into_iter();
    let mut command = process::command(Program::KeyCommand(&words.next()?));
    cannot_prompt(&mut command);
    if let Some(socket) = context.env.raw(observed::SSH_AUTH_SOCK) {
        // which the command lists
        command.env(observed::SSH_AUTH_SOCK, socket);
    }
    command.args(words);
    let output = process::run(command, left(context, end)).ok()?;
    literal(output.stdout.lines().next().filter(|_| output.status.success())?)
}

/// A public key in place of a path (git-config(1), user.signingKey). Pure.
fn literal(text: &str) -> Option<String> {
    let text = text.trim();
    let key = text.strip_prefix("key::").or_else(|| text.starts_with("ssh-").then_some(text))?;
    Some(public(key).unwrap_or_default())
}

/// The key of `ssh-ed25519 AAAA… comment`. Pure.
fn public(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let kind = words.next()?;
    let is_kind = ["ssh-", "ecdsa-", "sk-"].iter().any(|start| kind.starts_with(start));
    words.next().filter(|_| is_kind).map(str::to_owned)
}

/// The file of the private key, where the setting names it or the public key beside it.
pub fn private_key(context: &Context, setting: &SigningSetting) -> Option<PathBuf> {
    let text = setting.key.filter(|text| literal(text).is_none())?;
    let path = path_of(context, text)?;
    let is_public = public(&file::text(&path)).is_some();
    let private = if is_public { path.with_extension("") } else { path };
    private.exists().then_some(private)
}

fn of_file(path: &Path) -> SigningKey {
    if !path.exists() {
        return SigningKey::Missing(path.to_owned());
    }
    let text = file::text(path);
    if let Some(public) = public(&text) {
        // ssh-keygen looks for the private key beside it, and beside a certificate
        let name = path.to_str().and_then(|path| path.strip_suffix(".pub"));
        let has_private = name.is_some_and(|name| {
            [name, name.strip_suffix("-cert").unwrap_or(name)]
                .iter()
                .any(|it| Path::new(it).exists())
        });
        return SigningKey::File {
            public: Some(public),
            has_private,
            is_on_device: text.starts_with("sk-"),
        };
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let line = file::text(Path::new(&beside));
    let is_on_device = line.starts_with("sk-");
    SigningKey::File { public: public(&line), has_private: true, is_on_device }
}

fn agent(context: &Context, end: Instant) -> Agent {
    let Some(socket) = context.env.get(observed::SSH_AUTH_SOCK) else { return Agent::None };
    let mut list = program("ssh-add");
    list.arg("-L").env(observed::SSH_AUTH_SOCK, socket);
    answer(&process::run(list, left(context, end)))
}

/// What `ssh-add -L` says. Pure.
fn answer(listed: &Completed) -> Agent {
    match listed {
        Ok(output) if output.status.success() => {
            Agent::Lists(output.stdout.lines().filter_map(public).collect())
        }
        Ok(output) if output.status.code() == Some(1) => Agent::Lists(Vec::new()),
        Err(Failure::Deadline) => Agent::Silent,
        Ok(_) | Err(_) => Agent::None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;
    use crate::git_cli::effective_config::EffectiveConfig;
    use crate::process::Output;

    fn way_of(program: &str, key: &SigningKey, agent: &Agent, has_device: bool) -> &'static str {
        let listed = format!(
            "global\0file:/h\0commit.gpgsign\ntrue\0global\0file:/h\0gpg.format\nssh\0\
             global\0file:/h\0gpg.ssh.program\n{program}\0"
        );
        let config = EffectiveConfig::parse(listed);
        match judge(&SigningSetting::of(&config).unwrap(), key, agent, has_device) {
            SigningWay::Broken(_) => "broken",
            SigningWay::Held => "held",
            SigningWay::NotTried(_) => "not tried",
            SigningWay::Try | SigningWay::TryProtected { .. } => "try",
        }
    }

    #[test]
    fn a_key_that_an_agent_holds_is_listed_and_one_on_disk_is_tried() {
        let file = |has_private, is_on_device| SigningKey::File {
            public: Some("AAAA".to_owned()),
            has_private,
            is_on_device,
        };
        let literal = SigningKey::Literal("AAAA".to_owned());
        let lists = |key: &str| Agent::Lists(vec![key.to_owned()]);
        for (program, key, agent, has_device, expected) in [
            ("ssh-keygen", SigningKey::Unset, Agent::None, false, "broken"),
            ("ssh-keygen", SigningKey::CommandGone("x".into()), Agent::None, false, "broken"),
            ("ssh-keygen", SigningKey::NotNamed, Agent::None, false, "broken"),
            ("ssh-keygen", SigningKey::Missing("/k".into()), lists("AAAA"), false, "broken"),
            ("ssh-keygen", file(true, false), Agent::None, false, "try"),
            ("ssh-keygen", file(true, false), lists("BBBB"), false, "try"),
            ("ssh-keygen", file(true, false), lists("AAAA"), false, "held"),
            ("ssh-keygen", file(true, false), Agent::Silent, false, "broken"),
            ("ssh-keygen", file(false, false), Agent::None, false, "broken"),
            ("ssh-keygen", file(false, false), lists("AAAA"), false, "held"),
            ("ssh-keygen", file(true, true), Agent::None, false, "broken"),
            ("ssh-keygen", file(true, true), Agent::None, true, "not tried"),
            ("ssh-keygen", literal.clone(), Agent::None, false, "broken"),
            ("ssh-keygen", literal.clone(), lists("AAAA"), false, "held"),
            ("ssh-keygen", SigningKey::Unresolved, Agent::None, false, "try"),
            ("/opt/1Password/op-ssh-sign", literal.clone(), Agent::None, false, "not tried"),
            ("/opt/sign", literal, Agent::Silent, false, "try"),
        ] {
            let found = way_of(program, &key, &agent, has_device);
            assert_eq!(found, expected, "{program} {key:?} {agent:?} {has_device}");
        }
    }

    #[test]
    fn a_key_is_known_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        write("both", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
        write("both.pub", "ssh-ed25519 AAAA me\n");
        write("only.pub", "sk-ssh-ed25519@openssh.com CCCC me\n");
        write("plain", "ssh-ed25519 AAAA me\n");
        write("alone", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
        let key = |public: Option<&str>, has_private, is_on_device| SigningKey::File {
            public: public.map(str::to_owned),
            has_private,
            is_on_device,
        };
        for (name, expected) in [
            ("both", key(Some("AAAA"), true, false)),
            ("both.pub", key(Some("AAAA"), true, false)),
            ("only.pub", key(Some("CCCC"), false, true)),
            ("plain", key(Some("AAAA"), false, false)),
            ("alone", key(None, true, false)),
            ("gone", SigningKey::Missing(at("gone"))),
        ] {
            assert_eq!(of_file(&at(name)), expected, "{name}");
        }
    }

    #[test]
    fn keys_are_read_as_git_and_ssh_add_write_them() {
        for (text, expected) in [
            ("ssh-ed25519 AAAA me", Some("AAAA")),
            ("key::ecdsa-sha2-nistp256 AAAA", Some("AAAA")),
            ("ecdsa-sha2-nistp256 AAAA", None),
            ("~/.ssh/id.pub", None),
            ("ssh-", Some("")),
        ] {
            assert_eq!(literal(text).as_deref(), expected, "{text}");
        }
        let listed = |status: i32, stdout: &str| {
            let status = ExitStatus::from_raw(status << 8);
            answer(&Ok(Output { status, stdout: stdout.to_owned(), stderr: String::new() }))
        };
        assert_eq!(listed(0, "ssh-ed25519 AAAA me\n"), Agent::Lists(vec!["AAAA".to_owned()]));
        assert_eq!(listed(1, "The agent has no identities.\n"), Agent::Lists(Vec::new()));
        assert_eq!(listed(2, ""), Agent::None);
        assert_eq!(answer(&Err(Failure::Deadline)), Agent::Silent);
    }
}
