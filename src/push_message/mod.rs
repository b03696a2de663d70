//! Finds the code for what a failed `git push`, `fetch` or `clone` printed. Pure: one text in, the
//! nearest cause out.
//!
//! `explain --push` passes what a person or an agent pasted; the doctor's push checks pass what
//! git printed to them, and what else they know.

mod fix;
mod language;
mod lines;
mod prefix;
mod rules;
mod success;
#[cfg(test)]
mod tests;

use crate::catalogue::{Code, Finding, Fix};
use crate::git::url::Repository;
pub use fix::{add_key, fix};
pub use lines::LARGEST_TEXT;
use lines::Lines;
use rules::{Means, MessageRule, NO_SUCH_NAME, RULES};
pub use rules::{NO_GIT, NO_GIT_NEEDS};

/// A server must not flood the report.
const MOST_QUOTES: usize = 6;

/// What the caller knows in addition to the text.
#[derive(Clone, Debug, Default)]
pub struct Hints<'a> {
    /// The repository of the push; without it the text is searched for one.
    pub remote: Option<&'a Repository>,
    /// Whether the key that the server accepted is the one provisioned for this repository.
    /// `Some(false)`: there is one, and another was used. `None`: not known, or none is
    /// provisioned.
    pub key_is_ours: Option<bool>,
    /// Whose key it is, as `ssh -T` with that same key reports.
    pub greeting: Option<Greeting>,
    /// The command is known to have failed: the text is not judged as a success.
    pub failed: bool,
}

/// Whose key the server greeted: GitHub says `Hi owner/repo!` to a deploy key and `Hi login!` to a
/// user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The deploy key of the repository with this path.
    Repository(String),
    User,
}

impl Greeting {
    /// Finds GitHub's greeting in what `ssh -T` printed.
    pub fn parse(text: &str) -> Option<Self> {
        let greeted = |line: &str| {
            let name = line.trim().strip_prefix("Hi ")?.split_once('!')?.0.to_owned();
            (!name.contains(' ')).then_some(name)
        };
        let name = text.lines().find_map(greeted)?;
        Some(if name.contains('/') { Self::Repository(name) } else { Self::User })
    }
}

/// The nearest cause, and the lines that show it.
#[derive(Debug)]
pub struct Diagnosis {
    pub cause: Cause,
    /// The repository that the text is about, where it names one.
    pub remote: Option<Repository>,
    pub quotes: Vec<Quote>,
    pub again: Again,
    /// The bytes at the beginning of a long text, which were not read.
    pub omitted: usize,
}

/// What trying again changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// What holds for the code.
    AsOfItsCode,
    /// Nothing, unless a resolver or a proxy is still starting.
    AfterAStart,
    Nothing,
}

/// All sentences in it are ours: text from outside is in the quotes alone.
#[derive(Debug, PartialEq, Eq)]
pub enum Cause {
    /// The push went through.
    None,
    /// A fetch, a pull or a clone did: that is nothing about a push.
    Fetched,
    Found(Finding),
    /// The text does not prove the finding; `reason` says what would.
    Unproven {
        finding: Finding,
        reason: String,
    },
}

/// A line of the text, as its author printed it.
#[derive(Debug, PartialEq, Eq)]
pub struct Quote {
    pub author: Author,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// git or ssh, here.
    Client,
    Server,
}

/// Finds the nearest cause in what git, ssh and the server printed, on whichever of its outputs.
pub fn classify(text: &str, hints: &Hints<'_>) -> Diagnosis {
    let greeting = hints.greeting.clone().or_else(|| Greeting::parse(text));
    diagnose(&Lines::parse(text), greeting, hints)
}

fn diagnose(lines: &Lines, greeting: Option<Greeting>, hints: &Hints<'_>) -> Diagnosis {
    let remote = hints.remote.cloned().or_else(|| lines.repository());
    let mut again = Again::AsOfItsCode;
    let success = (!hints.failed).then(|| success::of(lines)).flatten();
    let (cause, quotes) = if let Some(cause) = success {
        (cause, lines.updates(MOST_QUOTES))
    } else if let Some(rule) = RULES.iter().find(|rule| lines.matches(rule)) {
        let key = whose_key(greeting, hints, remote.as_ref());
        again = after(rule, lines);
        let mut quotes = lines.evidence(rule, MOST_QUOTES);
        if matches!(rule.means, Means::GitsshFailed) && again == Again::Nothing {
            let refusal = rules::MessageRule { words: REFUSED, ..*rule };
            quotes.extend(lines.evidence(&refusal, MOST_QUOTES));
            quotes.truncate(MOST_QUOTES);
        }
        (judge(rule, key, lines, remote.as_ref()), quotes)
    } else {
        (unrecognized(lines), lines.spoken(MOST_QUOTES))
    };
    Diagnosis { cause, remote, quotes, again, omitted: lines.omitted }
}

/// What trying again changes where this rule matches.
fn after(rule: &MessageRule, lines: &Lines) -> Again {
    match rule.means {
        Means::GitsshFailed if lines.client_prints(REFUSED) => Again::Nothing,
        Means::NoSuchName => Again::AfterAStart,
        Means::WebUnreachable if lines.misses_proxy() => Again::AfterAStart,
        Means::Is(Code::SshProxyFailed, _) if lines.client_prints(LACKS_PROGRAM) => Again::Nothing,
        Means::Is(Code::SshProxyFailed, _) if lines.client_prints(NO_SUCH_NAME) => {
            Again::AfterAStart
        }
        _ => Again::AsOfItsCode,
    }
}

/// What the Coder server answers whom it does not let have the key.
const REFUSED: &[&str] = &[
    "forbidden.",
    "you don't have permission",
    "unauthorized",
    "resource not found or you do not have access",
];

/// What git, or the shell that it starts, names where ssh itself is not what is to be run.
const OTHER_COMMAND: &[&str] = &["cannot run ", "cannot exec '", ": 1: ", ": line 1: "];

/// What the shell reports that ssh starts for a ProxyCommand whose program is not installed: sh and
/// bash, zsh, fish, env. dash writes the beginning and the rest of its line apart, and a line of
/// `ssh -v` may come between.
const LACKS_PROGRAM: &[&str] = &[
    "sh: …not found",
    ": not found\n",
    "zsh:…not found",
    "unknown command",
    "sh: …no such file or directory",
    "zsh:…no such file or directory",
    "env: …no such file or directory",
    "exec: …permission denied",
    "sh: line …permission denied",
    "zsh:…permission denied",
];

/// ssh's warning where `CheckHostIP` finds another key for the address than for the name.
const OTHER_KEY_OF_ADDRESS: &str = "differs from the key for the ip address";

/// Whose the key is that the server accepted, as seen from the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptedKey {
    OfThisRepository,
    OfAnother,
    OfUser,
    Unknown,
}

fn whose_key(
    greeting: Option<Greeting>,
    hints: &Hints<'_>,
    remote: Option<&Repository>,
) -> AcceptedKey {
    match (greeting, remote) {
        (Some(Greeting::Repository(path)), Some(remote))
            if path.eq_ignore_ascii_case(remote.path()) =>
        {
            AcceptedKey::OfThisRepository
        }
        (Some(Greeting::Repository(_)), Some(_)) => AcceptedKey::OfAnother,
        // the repository has a key of its own, and a user's was used
        (_, _) if hints.key_is_ours == Some(false) => AcceptedKey::OfAnother,
        (Some(Greeting::User), _) => AcceptedKey::OfUser,
        _ if hints.key_is_ours == Some(true) => AcceptedKey::OfThisRepository,
        _ => AcceptedKey::Unknown,
    }
}

fn judge(
    rule: &MessageRule,
    key: AcceptedKey,
    lines: &Lines,
    remote: Option<&Repository>,
) -> Cause {
    let found = |code, summary| Cause::Found(Finding::new(code, summary, fix(code, remote)));
    let wrong_key =
        || found(Code::SshWrongKey, "the server accepted a key that is not this repository's");
    let read_only =
        || found(Code::PushKeyReadOnly, "the deploy key of this repository has read access only");
    match rule.means {
        Means::Is(code, summary) => found(code, summary),
        Means::MaybeIs(code, summary, reason) => Cause::Unproven {
            finding: Finding::new(code, summary, fix(code, remote)),
            reason: reason.to_owned(),
        },
        Means::GitsshFailed if lines.client_prints(REFUSED) => Cause::Found(Finding::new(
            Code::GitsshBlocked,
            "`coder gitssh`, which Coder runs instead of ssh, is refused the key by the Coder server",
            Fix::report(
                "set `git_ssh_command = \"ssh\"` in the Coder module (or GIT_SSH_COMMAND to `ssh` with coder_env): the \
                 deploy keys work without Coder's; or give the agent's `api_key_scope` access to user data",
            ),
        )),
        Means::GitsshFailed => found(
            Code::GitsshBlocked,
            "`coder gitssh`, which Coder runs instead of ssh, could not get its key from the Coder server",
        ),
        Means::Needs(code, summary, fix) => Cause::Found(Finding::new(code, summary, fix)),
        Means::Unlisted(summary, fix) => Cause::Unproven {
            finding: Finding::new(Code::PushUnrecognized, summary, fix),
            reason: "what the same command prints after the fix".to_owned(),
        },
        Means::HostKeyUnverified if lines.client_prints(&[OTHER_KEY_OF_ADDRESS]) => {
            found(Code::SshHostKeyChanged, "another host key is known for the server's address")
        }
        Means::HostKeyUnverified => found(
            Code::SshHostKeyUnknown,
            "no host key is known for the server, and ssh cannot prompt",
        ),
        Means::NoSuchName => Cause::Found(Finding::new(
            Code::SshHostUnresolved,
            "the resolver answers that no server has this name",
            "correct the name in the remote and in PUSHREADY_DEPLOY_KEYS: `getent hosts NAME` shows whether it \
             exists; an alias needs its `Host` block",
        )),
        Means::NotStarted if lines.client_prints(OTHER_COMMAND) => Cause::Found(Finding::new(
            Code::SshCommandBroken,
            "the ssh command that git is to run is missing, or cannot be executed",
            "correct or unset GIT_SSH_COMMAND, GIT_SSH or core.sshCommand: the keys that apply installs need no \
             such command",
        )),
        Means::NotStarted => found(Code::SshMissing, "git found no ssh to run"),
        Means::OtherOwner if lines.client_prints(&["could not read from remote repository"]) => {
            Cause::Found(owned_by_another_on_server())
        }
        Means::OtherOwner => found(
            Code::RepositoryOtherOwner,
            "git refuses the clone, because its folder belongs to another user",
        ),
        Means::WebUnreachable if lines.misses_proxy() => {
            found(Code::GitProxyRefused, "git cannot connect to the proxy that it is to use")
        }
        Means::WebUnreachable => {
            found(Code::GitUnreachable, "git over HTTPS makes no connection to the server")
        }
        Means::DeniedToDeployKey => match key {
            AcceptedKey::OfThisRepository => read_only(),
            AcceptedKey::OfAnother | AcceptedKey::OfUser => wrong_key(),
            AcceptedKey::Unknown => found(
                Code::PushDenied,
                "the deploy key that was used cannot push here: it has read access only, or belongs \
                 to another repository",
            ),
        },
        Means::NoWriteForDeployKey | Means::DeniedToUser if key == AcceptedKey::OfAnother => {
            wrong_key()
        }
        Means::NoWriteForDeployKey => read_only(),
        Means::DeniedToUser => found(
            Code::PushDenied,
            "the server knows the account of this credential, and it has no write access here",
        ),
        Means::TagExists => Cause::Found(Finding::new(
            Code::PushNonFastForward,
            "the remote has a tag of that name, at another commit",
            "give the tag another name; only somebody who can delete it on the server can move it",
        )),
        Means::NotFound if lines.port_in_path() => found(
            Code::RemotePortInPath,
            "the port in the remote was read as a folder: `git@host:22/…` means the path `22/…`",
        ),
        Means::NotFound if key == AcceptedKey::OfAnother => wrong_key(),
        Means::NotFound => found(
            Code::PushRepositoryNotFound,
            match key {
                AcceptedKey::OfUser => "the account of this key has no access to such a repository",
                _ => {
                    "the server finds no such repository for this credential; it reports a private \
                     one in the same words"
                }
            },
        ),
    }
}

/// git on the server refuses the repository there.
pub fn owned_by_another_on_server() -> Finding {
    Finding::new(
        Code::PushServerError,
        "git on the server refuses the repository there, because its folder belongs to another user",
        "the server's admin makes the user that runs git there the owner of the repository's folder",
    )
}

/// The text has no known cause; what would help depends on what it does have.
fn unrecognized(lines: &Lines) -> Cause {
    let (summary, reason) = if lines.is_empty() {
        (
            "there is no text to explain",
            "git prints to standard error: `git push 2>&1 | pushready explain --push -`",
        )
    } else if lines.is_dry_run() {
        ("the text is of a dry run, which sends nothing", "what git prints without `--dry-run`")
    } else if lines.is_foreign() {
        ("the text is not in English", "the same command run again with `LC_ALL=C` before it")
    } else if lines.refused_locally() {
        (
            "git stopped before it asked the server to change anything: probably a pre-push hook of \
             this clone failed",
            "what the hook printed, and the commands in `.git/hooks/pre-push`",
        )
    } else if success::has_updates(lines) {
        (
            "git reports that references were updated, among lines that are not known here",
            "the output of git alone, to its end",
        )
    } else if lines.speaks() {
        (
            "git failed in words that are not known here",
            "the whole output, and those of `git --version` and `ssh -V`",
        )
    } else {
        (
            "nothing in the text is from git or ssh",
            "all that the failed command printed: `git push 2>&1 | pushready explain --push -`",
        )
    };
    let code = Code::PushUnrecognized;
    let fix = if lines.is_empty() {
        Fix::report("run the command again, and give what it prints to standard error too")
    } else {
        fix(code, None)
    };
    Cause::Unproven { finding: Finding::new(code, summary, fix), reason: reason.to_owned() }
}
