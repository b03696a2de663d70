//! One question to a server, through one way to start ssh, as git would put it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use super::Access;
use crate::doctor::connections::RunEnded;
use crate::doctor::context::Context;
use crate::doctor::context::NETWORK;
use crate::doctor::pool::{self, Started};
use crate::doctor::ssh;
use crate::doctor::ssh::command::{ChosenBy, SshCommand};
use crate::doctor::ssh::log::Logged;
use crate::git::is_object_id;
use crate::git::url::SshTarget;
use crate::process::{self, Bounds, Failure, Output};

/// Tells the server that nothing more comes (gitprotocol-pack(5), flush-pkt).
const FLUSH: &[u8] = b"0000";

/// The result.
pub struct Answer {
    pub said: Result<Output, Failure>,
    pub obstacle: Option<PushObstacle>,
    /// What the ssh that was asked prints of its configuration for this host.
    pub effective: Option<Arc<str>>,
    /// The fingerprint of the key that the server accepted, where ssh logs it.
    pub accepted: Option<String>,
}

/// What keeps git from going on, whatever the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushObstacle {
    /// The option, by its name in ssh_config(5), that keeps the server from receiving what git
    /// sends next.
    InputClosed(&'static str),
    /// The remote has a port, and git gives the command no options, so it dies (connect.c,
    /// `push_ssh_options`).
    Port,
}

impl From<RunEnded> for Answer {
    fn from(ended: RunEnded) -> Self {
        Self { said: Err(ended.into()), obstacle: None, effective: None, accepted: None }
    }
}

impl Answer {
    /// Whether the server offers what was requested, and would receive what git sends.
    pub fn grants(&self) -> bool {
        self.obstacle.is_none() && self.said.as_ref().is_ok_and(advertises)
    }

    /// Whether the server accepted the login and then ended the session: ssh itself ends with 255.
    pub fn is_refusal(&self) -> bool {
        let ended = |output: &Output| output.status.code().is_some_and(|code| code != 255);
        self.accepted.is_some() && self.said.as_ref().is_ok_and(ended)
    }

    /// Whether the command could not be started: neither by us nor by the shell (126 and 127 of
    /// sh(1), which a server may end with too).
    pub fn cannot_start(&self) -> bool {
        match &self.said {
            Err(Failure::Missing | Failure::Io(_)) => true,
            Err(Failure::Deadline | Failure::Killed(_)) => false,
            Ok(output) => {
                let of_server = |line: &str| {
                    line.contains("git-receive-pack") || line.contains("git-upload-pack")
                };
                let of_shell = |line: &str| {
                    [
                        "not found",
                        "No such file or directory",
                        "Permission denied",
                        "Is a directory",
                    ]
                    .iter()
                    .any(|words| line.trim_end().ends_with(words))
                };
                matches!(output.status.code(), Some(126 | 127))
                    && output.stderr.lines().any(|line| of_shell(line) && !of_server(line))
            }
        }
    }
}

/// What a server says to one half of access.
pub fn ask(context: &Context, at: &SshTarget, access: Access, ssh: &SshCommand) -> Answer {
    let verb = access.verb();
    let run =
        |command| process::run_with_input(Bounds::PROBE, command, FLUSH, context.deadline(NETWORK));
    let is_proven = ssh.by == ChosenBy::Plain
        && at.user().is_some_and(|user| ssh::is_as_probe(context, at.host(), user));
    let (said, effective) = thread::scope(|scope| {
        // ssh takes as long for it as for the question to the server, all but the connection
        let effective = (!is_proven).then(|| pool::start(scope, || effective(context, at, ssh)));
        (run(ssh.call(context, at, verb)), effective.map(Started::join))
    });
    let has_left = |said: &Output| said.status.success() && said.stdout.is_empty();
    let said = match said {
        Ok(said) if has_left(&said) && ssh.takes_ssh_options() => {
            let stays = run(ssh.call_in_foreground(context, at, verb));
            Ok(stays.ok().filter(advertises).unwrap_or(said))
        }
        said => said,
    };
    let mut answer = Answer { said, obstacle: None, effective: None, accepted: None };
    if let Ok(output) = &mut answer.said {
        let Logged { stderr, accepted } = Logged::parse(&output.stderr);
        (output.stderr, answer.accepted) = (stderr, accepted);
    }
    let effective = match effective {
        None if answer.grants() => return answer,
        effective => effective.unwrap_or_else(|| self::effective(context, at, ssh)),
    };
    let is_found_simple = ssh.may_be_simple() && matches!(effective, Effective::Refused);
    if is_found_simple && at.port.is_some() {
        return Answer { obstacle: Some(PushObstacle::Port), ..answer };
    }
    if is_found_simple && answer.said.as_ref().is_ok_and(|output| !advertises(output)) {
        let simply = run(ssh.simple_call(context, at, verb));
        if simply.as_ref().is_ok_and(advertises) {
            return Answer { said: simply, accepted: None, ..answer };
        }
    }
    if let Effective::Printed(settings) = effective {
        answer.obstacle = ssh::closing_option(&settings).map(PushObstacle::InputClosed);
        answer.effective = Some(settings);
    }
    answer
}

/// What an ssh command answers to `-G`.
#[derive(Clone)]
enum Effective {
    Printed(Arc<str>),
    /// It ended with another status than 0.
    Refused,
    /// It could not be started, or did not end.
    Unknown,
}

/// A command, and where it was to connect to.
type AskedEffective = (SshCommand, String);

/// The answers of one run.
#[derive(Default)]
struct EffectiveFacts(Mutex<BTreeMap<AskedEffective, Arc<OnceLock<Effective>>>>);

/// What the command would do at that host, asked once: ssh starts a program for each key of the
/// host, and git gives it no repository for this question.
fn effective(context: &Context, at: &SshTarget, ssh: &SshCommand) -> Effective {
    let facts = context.gathered.get(EffectiveFacts::default);
    let mut answers = facts.0.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = Arc::clone(answers.entry((ssh.clone(), at.to.clone())).or_default());
    drop(answers);
    let ask = || match process::run(ssh.effective(context, at), context.deadline(NETWORK)) {
        Ok(output) if output.status.success() => Effective::Printed(output.stdout.into()),
        Ok(_) => Effective::Refused,
        Err(_) => Effective::Unknown,
    };
    answer.get_or_init(ask).clone()
}

/// Whether standard output is what git reads first from a server.
pub fn advertises(output: &Output) -> bool {
    let stdout = &*output.stdout;
    // where ssh passes GIT_PROTOCOL on, the server sends its version first; with version 2 it sends
    // refs on request
    stdout.starts_with("000eversion 2\n")
        || is_refs(head(stdout.strip_prefix("000eversion 1\n").unwrap_or(stdout).as_bytes()))
}

/// Whether the refs are there, and other text precedes them.
pub fn is_garbled(output: &Output) -> bool {
    !advertises(output) && heads(&output.stdout).any(is_refs)
}

/// What a pkt-line of refs begins with at most: its length, an object id, and a blank.
const LONGEST_HEAD: usize = 4 + 64 + 1;

/// Wherever a pkt-line may begin in the text, so much of it as is to be judged.
fn heads(text: &str) -> impl Iterator<Item = &[u8]> {
    text.match_indices("00").map(|(at, _)| head(text.as_bytes().get(at..).unwrap_or_default()))
}

fn head(line: &[u8]) -> &[u8] {
    line.get(..LONGEST_HEAD).unwrap_or(line)
}

/// The head of a pkt-line of refs (gitprotocol-pack(5)): four hex digits of its length, an object
/// id of SHA-1 or SHA-256 (zeroes from an empty repository), a blank. What a shell or a banner
/// prints is none.
fn is_refs(head: &[u8]) -> bool {
    let hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    let Some((length, rest)) = head.split_at_checked(4) else { return false };
    let Some(id) = rest.iter().position(|byte| *byte == b' ').and_then(|at| rest.get(..at)) else {
        return false;
    };
    let number = std::str::from_utf8(length).ok().and_then(|n| u16::from_str_radix(n, 16).ok());
    let is_long_enough = number.is_some_and(|length| usize::from(length) > 4 + id.len());
    hex(length) && is_long_enough && is_object_id(id)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn the_work_grows_with_what_the_server_sends() {
        for text in ["00", "00a", "003f", "0000 "] {
            let work = |count| heads(&text.repeat(count)).map(<[u8]>::len).sum::<usize>();
            let (half, whole) = (work(10_000), work(20_000));
            assert!(whole <= 2 * half + LONGEST_HEAD * LONGEST_HEAD, "{text}: {half}, {whole}");
        }
    }

    #[test]
    fn only_refs_are_an_advertisement() {
        let id = "1234567890abcdef1234567890abcdef12345678";
        let zeroes = "0".repeat(64);
        for (stdout, is) in [
            (format!("003f{id} refs/heads/main\n"), true),
            (format!("00b1{id} refs/heads/main\0report-status"), true),
            (format!("00a1{zeroes} capabilities^{{}}\0report-status"), true),
            ("Access denied: account disabled".to_owned(), false),
            ("2026-11-25 the git service is down".to_owned(), false),
            ("003cERR access denied or repository not exported".to_owned(), false),
            (format!("0001{id} refs/heads/main"), false),
            ("0000".to_owned(), false),
            (String::new(), false),
            ("000eversion 2\n0015agent=git/2.47".to_owned(), true),
            (format!("000eversion 1\n003f{id} refs/heads/main\n"), true),
            ("000eversion 1\n003cERR denied".to_owned(), false),
        ] {
            let output = Output { status: ExitStatus::from_raw(0), stdout, stderr: String::new() };
            assert_eq!(advertises(&output), is, "{:?}", output.stdout);
            assert!(!is_garbled(&output), "{:?}", output.stdout);
            let stdout = format!("Welcome to 2000 hosts\n{}", output.stdout);
            let garbled = Output { status: ExitStatus::from_raw(0), stdout, stderr: String::new() };
            let has_refs =
                is && output.stdout.contains(" refs/") || output.stdout.contains(" capabilities");
            assert_eq!(is_garbled(&garbled), has_refs, "{:?}", garbled.stdout);
        }
    }
}
