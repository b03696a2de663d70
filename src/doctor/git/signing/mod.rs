//! Would git sign a commit here, where it is configured to? What the settings, the key and the
//! agents show is read first; where that does not decide it, one commit object is signed
//! (`commit_object.rs`), so that nothing can prompt. A program that the clone's own configuration
//! names is never run, and a key that only an agent holds is listed, never used.

mod keyring;
mod openpgp;
mod ssh;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub use keyring::Keyring;
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::executable::{can_run, is_on_path};
use super::setting::{self, SettingChange};
use super::{environment, facts};
use crate::catalogue::{Actor, Code, Fix, FixKind};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::env;
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::process::{self, Completed, Program, is_relative};
use crate::text::shell;

/// For all that is asked about the signature of one commit.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// `gpg.format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenPgp,
    X509,
    Ssh,
}

impl Format {
    fn named(name: Option<&str>) -> Self {
        match name {
            Some("x509") => Self::X509,
            Some("ssh") => Self::Ssh,
            // git accepts no other name, which `git.config` reports
            _ => Self::OpenPgp,
        }
    }

    /// The keys that name its program; the last one counts.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::OpenPgp => &["gpg.program", "gpg.openpgp.program"],
            Self::X509 => &["gpg.x509.program"],
            Self::Ssh => &["gpg.ssh.program"],
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::OpenPgp => "gpg",
            Self::X509 => "gpgsm",
            Self::Ssh => "ssh-keygen",
        }
    }

    /// Debian's package of that program.
    const fn package(self) -> &'static str {
        match self {
            Self::OpenPgp => "gnupg",
            Self::X509 => "gpgsm",
            Self::Ssh => "openssh-client",
        }
    }
}

/// How commits are to be signed.
#[derive(Debug)]
pub struct SigningSetting<'c> {
    pub format: Format,
    pub program: &'c str,
    /// The setting that names the program.
    named_by: Option<ConfigValue<'c>>,
    /// `user.signingKey`.
    key: Option<&'c str>,
    /// `gpg.ssh.defaultKeyCommand`, where it counts.
    key_command: Option<ConfigValue<'c>>,
}

impl<'c> SigningSetting<'c> {
    /// `None`: commits are not to be signed. Pure.
    pub fn of(config: &'c EffectiveConfig) -> Option<Self> {
        if !config.is_true("commit.gpgsign") {
            return None;
        }
        let format = Format::named(config.text("gpg.format"));
        let named = config.under("gpg.").filter(|value| format.keys().contains(&value.key));
        let named_by = named.last();
        let program = named_by.and_then(|value| value.value);
        let key = config.text("user.signingkey").filter(|key| !key.is_empty());
        let key_command = config.last("gpg.ssh.defaultkeycommand");
        Some(Self {
            format,
            program: program.unwrap_or(format.program()),
            named_by,
            key,
            key_command: key_command.filter(|_| key.is_none() && format == Format::Ssh),
        })
    }

    /// Whether the program is the one that git starts without a setting.
    fn is_default(&self) -> bool {
        self.program == self.format.program()
    }

    /// What the repository chose and git would run: never run here. Pure.
    fn of_clone(&self) -> Option<&'static str> {
        let is_own = |value: Option<ConfigValue>| value.is_some_and(|value| value.is_own);
        // a relative path is the work tree's own, whoever names it
        if !self.is_default() && (is_own(self.named_by) || is_relative(self.program)) {
            return Some(
                "the signing program is named by the clone, and a program of the clone's is not run",
            );
        }
        let command = self.key_command.and_then(|value| value.value).unwrap_or_default();
        let program = command.split_whitespace().next().unwrap_or_default();
        (is_own(self.key_command) || is_relative(program))
            .then_some("gpg.ssh.defaultKeyCommand names a program of the clone's, which is not run")
    }
}

/// How it can be known whether a commit would be signed.
#[derive(Debug)]
pub enum SigningWay {
    Broken(Box<Judgement>),
    /// An agent lists the key; asking it to sign may prompt somebody.
    Held,
    NotTried(&'static str),
    /// By signing one commit object.
    Try,
    /// The same. The key of GnuPG has a passphrase, which the agent that runs may hold, or ask for
    /// with a program of its own.
    TryProtected {
        asks_elsewhere: bool,
    },
}

/// What is known before a commit object is signed.
pub fn way(context: &Context, setting: &SigningSetting, end: Instant) -> SigningWay {
    match known(context, setting, end) {
        SigningWay::Broken(judgement) => SigningWay::broken(or_turn_off(context, *judgement)),
        way => way,
    }
}

fn known(context: &Context, setting: &SigningSetting, end: Instant) -> SigningWay {
    let is_installed = is_installed(context, setting.program);
    if !is_installed && (setting.is_default() || setting.program.starts_with('/')) {
        return SigningWay::broken(program_missing(context, setting));
    }
    if let Some(why) = setting.of_clone() {
        return SigningWay::NotTried(why);
    }
    match setting.format {
        Format::Ssh => match no_temporary_file(context) {
            Some(judgement) => SigningWay::broken(judgement),
            None => ssh::way(context, setting, end),
        },
        Format::OpenPgp if is_gpg(setting.program) => openpgp::way(context, setting, end),
        Format::OpenPgp | Format::X509 => SigningWay::Try,
    }
}

/// git writes what ssh-keygen is to sign into a file of this folder (gpg-interface.c).
fn no_temporary_file(context: &Context) -> Option<Judgement> {
    let named = context.env.get("TMPDIR").map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| PathBuf::from("/tmp"));
    let errno = access(&folder, Access::WRITE_OK).err()?;
    if named.is_some() || errno != Errno::ROFS {
        return Some(environment::temporary(named.as_deref()));
    }
    let summary = "/tmp is mounted read-only, so git cannot make a file there and signs no commit";
    let fix = "mount it writable, or name another folder: `export TMPDIR=FOLDER` in the shell that \
               runs git";
    Some(Judgement::fail(Code::GitEnvironmentBroken, summary, Fix::report(fix)))
}

impl SigningWay {
    fn broken(judgement: Judgement) -> Self {
        Self::Broken(Box::new(judgement))
    }
}

/// Whether it takes the options of GnuPG; a wrapper may take those alone that git gives it.
fn is_gpg(program: &str) -> bool {
    matches!(Path::new(program).file_name().and_then(|name| name.to_str()), Some("gpg" | "gpg2"))
}

/// Whether the program is found as git finds it: by its path, or on PATH.
fn is_installed(context: &Context, program: &str) -> bool {
    if program.contains('/') { can_run(Path::new(program)) } else { is_on_path(context, program) }
}

fn program_missing(context: &Context, setting: &SigningSetting) -> Judgement {
    let summary = "commits are to be signed, and the signing program is not installed";
    let program = Evidence::foreign("program", setting.program);
    let Some(named_by) = setting.named_by.filter(|_| !setting.is_default()) else {
        let package = setting.format.package();
        let fix = Fix::report(format!("install it in the image: `apt-get install -y {package}`"));
        let judgement = failed(summary, fix).with([program]);
        return Judgement { actor: Some(Actor::TemplateAdmin), ..judgement };
    };
    let message = "remove the setting that names it: git then uses the installed program";
    let config = super::effective_config(context);
    let fix = setting::change(context, config, named_by.key, SettingChange::Remove, message);
    failed(summary, fix).with([program, Evidence::foreign("set in", named_by.origin)])
}

fn failed(summary: impl Into<String>, fix: Fix) -> Judgement {
    Judgement::fail(Code::GitSigningBroken, summary, fix)
}

/// For whom the key is: git asks for the committer's where none is configured.
fn committer(context: &Context) -> Option<String> {
    let output = super::committer(context, super::effective_config(context)).as_ref().ok()?;
    let (identity, _) = output.stdout.trim_end().rsplit_once('>')?;
    Some(format!("{identity}>"))
}

/// The other fix of each fault: not to sign, where that is set.
fn or_turn_off(context: &Context, judgement: Judgement) -> Judgement {
    let Some(Fix { kind: FixKind::Report, message }) = &judgement.fix else { return judgement };
    let config = super::effective_config(context);
    let off = setting::change_words(context, config, "commit.gpgSign", SettingChange::To("false"));
    let fix = Fix::report(format!("{message}, or turn signing off: {off}"));
    judgement.fixed(fix)
}

/// Without these a program has nowhere to prompt, and no agent of ssh's to use.
const ASKING: &[&str] = &[
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "GPG_TTY",
    "DBUS_SESSION_BUS_ADDRESS",
    "PINENTRY_USER_DATA",
    "INSIDE_EMACS",
    "SSH_AUTH_SOCK",
];

/// A program that signs, or that says with what; it cannot prompt.
fn program(name: &str) -> Command {
    let mut command = process::command(Program::Signer(name));
    cannot_prompt(&mut command);
    command
}

pub fn cannot_prompt(command: &mut Command) {
    for name in ASKING {
        command.env_remove(name);
    }
    // ssh-keygen asks this one, and not the terminal; before OpenSSH 8.4 only with a DISPLAY
    command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
}

fn left(context: &Context, end: Instant) -> Duration {
    context.deadline(end.saturating_duration_since(Instant::now()))
}

/// Why git did not sign the commit object.
pub fn refused(
    context: &Context,
    setting: &SigningSetting,
    way: &SigningWay,
    answer: &Completed,
) -> Judgement {
    or_turn_off(context, refused_by(context, setting, way, answer))
}

fn refused_by(
    context: &Context,
    setting: &SigningSetting,
    way: &SigningWay,
    answer: &Completed,
) -> Judgement {
    let output = match answer {
        Ok(output) => output,
        Err(process::Failure::Deadline) if !context.has_ended() => {
            let fix = format!("see what {} waits for", shell(Path::new(setting.program)));
            return failed(
                "signing a commit does not end, so every commit hangs",
                Fix::report(fix),
            );
        }
        Err(failure) => {
            return Judgement::unknown("signing a commit was not tried", context.reason(failure));
        }
    };
    let said = output.stderr.lines().filter(|line| !line.trim().is_empty());
    let said = said.collect::<Vec<_>>().join(" ");
    let prompts = |name: &str| context.env.get(name).is_some();
    let has_askpass =
        is_installed(
            context,
            &context.env.get("SSH_ASKPASS").unwrap_or_default().to_string_lossy(),
        ) && ["DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS_REQUIRE"].iter().any(|it| prompts(it));
    let temporary = context.env.get("TMPDIR").map(PathBuf::from);
    if setting.format == Format::Ssh && said.contains("could not create temporary file") {
        return environment::temporary(temporary.as_deref())
            .with([Evidence::foreign("git said", &said)]);
    }
    let git_said = Evidence::foreign("git said", &said);
    match way {
        SigningWay::TryProtected { asks_elsewhere } if said.contains("failed to sign") => {
            openpgp::not_held(*asks_elsewhere)
        }
        _ => {
            let key = ssh::private_key(context, setting);
            judge_refusal(setting, &said, has_askpass, key.as_deref())
        }
    }
    .with([git_said])
}

/// Pure.
fn judge_refusal(
    setting: &SigningSetting,
    said: &str,
    has_askpass: bool,
    key: Option<&Path>,
) -> Judgement {
    let has = |words: &str| said.contains(words);
    let file = key.map_or_else(|| "KEY".to_owned(), shell);
    match setting.format {
        _ if has("cannot run") || has("cannot exec") => failed(
            "commits are to be signed, and git cannot run the signing program",
            Fix::report(
                "correct the setting that names it: `git config --show-origin --get-regexp \
                 '^gpg.*program$'` names the file",
            ),
        ),
        Format::Ssh if has("incorrect passphrase") && has_askpass => Judgement::unknown(
            "the signing key has a passphrase, which SSH_ASKPASS may supply",
            "load the key into an ssh-agent, then run the doctor again",
        ),
        Format::Ssh if has("incorrect passphrase") => failed(
            "the signing key has a passphrase, and no agent holds the key, so every commit fails",
            Fix::report(format!("load the key with `ssh-add {file}`")),
        ),
        Format::Ssh if has("UNPROTECTED PRIVATE KEY") => failed(
            "other users can read the signing key, so ssh-keygen ignores it and every commit fails",
            match key.and_then(Path::to_str) {
                Some(path) => Fix::run(["chmod", "600", path], "let nobody else read the key"),
                None => Fix::report(format!("`chmod 600 {file}`")),
            },
        ),
        _ => failed(
            "the signing program does not sign, so every commit fails",
            Fix::report("bring the private key into this workspace"),
        ),
    }
}

/// A path of the configuration: `~` is the home; `None` where another user's is named.
fn path_of(context: &Context, text: &str) -> Option<PathBuf> {
    let is_anothers = text.starts_with('~') && text != "~" && !text.starts_with("~/");
    let top = facts(context).layout.as_ref().map(|layout| layout.top.clone());
    if is_anothers {
        return None;
    }
    let path = if text.starts_with('~') {
        env::expand(text.as_ref(), &context.home.path)
    } else {
        PathBuf::from(text)
    };
    // git resolves it from the top of the work tree
    Some(top.map_or_else(|| path.clone(), |top| top.join(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    fn config(entries: &[(&str, &str)]) -> EffectiveConfig {
        let entry = |(scope, entry): &(&str, &str)| format!("{scope}\0file:/h/{scope}\0{entry}\0");
        EffectiveConfig::parse(entries.iter().map(entry).collect::<String>())
    }

    #[test]
    fn the_last_program_of_the_format_counts() {
        let on = ("global", "commit.gpgsign\ntrue");
        for (entries, expected) in [
            (vec![], None),
            (vec![("global", "commit.gpgsign\nfalse")], None),
            (vec![on, ("local", "commit.gpgsign\nno")], None),
            (vec![on], Some((Format::OpenPgp, "gpg"))),
            (vec![on, ("global", "gpg.program\n/a")], Some((Format::OpenPgp, "/a"))),
            (
                vec![on, ("global", "gpg.program\n/a"), ("global", "gpg.openpgp.program\n/b")],
                Some((Format::OpenPgp, "/b")),
            ),
            (
                vec![on, ("global", "gpg.format\nssh"), ("global", "gpg.program\n/a")],
                Some((Format::Ssh, "ssh-keygen")),
            ),
            (vec![on, ("global", "gpg.format\nx509")], Some((Format::X509, "gpgsm"))),
        ] {
            let config = config(&entries);
            let setting = SigningSetting::of(&config);
            let found = setting.map(|setting| (setting.format, setting.program.to_owned()));
            let expected = expected.map(|(format, program)| (format, program.to_owned()));
            assert_eq!(found, expected, "{entries:?}");
        }
    }

    #[test]
    fn a_program_of_the_clone_is_not_run() {
        let of_clone = |entries: &[(&str, &str)]| {
            let on = [("global", "commit.gpgsign\ntrue")];
            let config = config(&[&on[..], entries].concat());
            SigningSetting::of(&config).unwrap().of_clone().is_some()
        };
        for (entries, expected) in [
            (&[][..], false),
            (&[("global", "gpg.program\n/a")], false),
            (&[("command", "gpg.program\n/a")], false),
            (&[("local", "gpg.program\n/a")], true),
            (&[("worktree", "gpg.program\n/a")], true),
            (&[("local", "gpg.program\ngpg")], false),
            (&[("global", "gpg.program\n./tools/sign")], true),
            (&[("global", "gpg.format\nssh"), ("local", "gpg.ssh.defaultkeycommand\nx")], true),
            (&[("global", "gpg.format\nssh"), ("global", "gpg.ssh.defaultkeycommand\nx")], false),
            (
                &[("global", "gpg.format\nssh"), ("global", "gpg.ssh.defaultkeycommand\nt/key -L")],
                true,
            ),
            (
                &[
                    ("global", "gpg.format\nssh"),
                    ("global", "user.signingkey\n/k"),
                    ("local", "gpg.ssh.defaultkeycommand\nx"),
                ],
                false,
            ),
        ] {
            assert_eq!(of_clone(entries), expected, "{entries:?}");
        }
    }

    #[test]
    fn why_a_key_does_not_sign_is_read_from_what_git_said() {
        let config = config(&[("global", "commit.gpgsign\ntrue"), ("global", "gpg.format\nssh")]);
        let setting = SigningSetting::of(&config).unwrap();
        for (said, has_askpass, status, words) in [
            ("fatal: cannot run /x: No such file", false, CheckStatus::Fail, "cannot run"),
            ("incorrect passphrase supplied", false, CheckStatus::Fail, "passphrase"),
            ("incorrect passphrase supplied", true, CheckStatus::Unknown, "SSH_ASKPASS"),
            ("WARNING: UNPROTECTED PRIVATE KEY FILE!", false, CheckStatus::Fail, "other users"),
            ("error: gpg failed to sign the data", false, CheckStatus::Fail, "does not sign"),
        ] {
            let judgement = judge_refusal(&setting, said, has_askpass, Some(Path::new("/k")));
            assert_eq!(judgement.status, status, "{said}");
            assert!(judgement.summary.contains(words), "{said}: {judgement:?}");
        }
    }
}
