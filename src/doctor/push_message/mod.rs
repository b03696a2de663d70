//! What a failed `git push`, `fetch` or `clone` printed, told as a code. Pure: one text in, the
//! nearest cause out.
//!
//! `explain --push` reads what a person or an agent pasted; the doctor's own push probe asks the
//! same with what ssh printed and with the hints that it gathered.

mod lines;
mod remedy;
mod rules;
#[cfg(test)]
mod tests;

use super::outcome::{Evidence, Outcome};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::git::url::Repository;
use lines::Lines;
pub use remedy::fix;
use rules::{Means, RULES, Rule};
pub use rules::{NO_GIT, NO_GIT_NEEDS};

/// Nobody reads more; a server must not flood the report.
const MOST_EVIDENCE: usize = 6;

/// What the caller knows besides the text.
#[derive(Clone, Debug, Default)]
pub struct Hints<'a> {
    /// The repository that was asked for; else it is read from what git printed.
    pub remote: Option<&'a Repository>,
    /// Whether the key that the server accepted is the one provisioned for this repository.
    /// `Some(false)`: there is one, and another was used. `None`: not known, or the repository
    /// has none.
    pub key_is_ours: Option<bool>,
    /// Whose key it is, as `ssh -T` with that same key tells.
    pub greeting: Option<Greeting>,
    /// It is known that the command failed: words of success in the text are somebody else's.
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
    pub verdict: Verdict,
    /// The repository that the text is about, where that can be told.
    pub remote: Option<Repository>,
    pub evidence: Vec<Evidence>,
}

/// All sentences in it are ours: text from outside is evidence, and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The push, fetch or clone went through.
    Succeeded,
    Failed {
        code: Code,
        summary: String,
        fix: Fix,
    },
    /// The text does not prove it; `reason` says what would.
    Unknown {
        code: Code,
        summary: String,
        reason: String,
        fix: Fix,
    },
}

impl Diagnosis {
    /// The same as a check of the doctor.
    pub fn outcome(self, id: &'static str) -> Outcome {
        let subject = self.remote.map(|remote| remote.to_ssh());
        let outcome = match self.verdict {
            Verdict::Succeeded => Outcome::pass(id, subject, "git says that it went through"),
            Verdict::Failed { code, summary, fix } => {
                Outcome::fail(id, subject, code, summary, fix)
            }
            Verdict::Unknown { code, summary, reason, fix } => {
                Outcome::unknown(id, subject, summary, reason).coded(code).fixed(fix)
            }
        };
        outcome.with(self.evidence)
    }
}

/// Finds the nearest cause in what git, ssh and the server printed, on whichever of its outputs.
pub fn classify(text: &str, hints: &Hints<'_>) -> Diagnosis {
    let lines = Lines::of(text);
    let remote = hints.remote.cloned().or_else(|| lines.repository());
    let (verdict, evidence) = if !hints.failed && lines.succeeded() {
        (Verdict::Succeeded, lines.updates(MOST_EVIDENCE))
    } else if let Some(rule) = RULES.iter().find(|rule| lines.any(rule)) {
        let key = whose_key(text, hints, remote.as_ref());
        let verdict = judge(rule, key, &lines, remote.as_ref());
        (verdict, lines.evidence(rule, MOST_EVIDENCE))
    } else {
        (unrecognized(&lines), lines.spoken(MOST_EVIDENCE))
    };
    Diagnosis { verdict, remote, evidence }
}

/// Whose the key is that the server accepted, as seen from the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    OfThisRepository,
    OfAnother,
    OfUser,
    Unknown,
}

fn whose_key(text: &str, hints: &Hints<'_>, remote: Option<&Repository>) -> Key {
    match (hints.greeting.clone().or_else(|| Greeting::parse(text)), remote) {
        (Some(Greeting::Repository(path)), Some(remote))
            if path.eq_ignore_ascii_case(remote.path()) =>
        {
            Key::OfThisRepository
        }
        (Some(Greeting::Repository(_)), Some(_)) => Key::OfAnother,
        // the repository has a key of its own, and a user's was used
        (_, _) if hints.key_is_ours == Some(false) => Key::OfAnother,
        (Some(Greeting::User), _) => Key::OfUser,
        _ if hints.key_is_ours == Some(true) => Key::OfThisRepository,
        _ => Key::Unknown,
    }
}

fn judge(rule: &Rule, key: Key, lines: &Lines, remote: Option<&Repository>) -> Verdict {
    let failed = |code: Code, summary: &str| Verdict::Failed {
        code,
        summary: summary.to_owned(),
        fix: remedy::fix(code, remote),
    };
    let wrong_key = || {
        failed(
            Code::SshWrongKey,
            "the server accepted a key that is not the one of this repository",
        )
    };
    match rule.means {
        Means::Is(code, summary) => failed(code, summary),
        Means::MaybeIs(code, summary, reason) => Verdict::Unknown {
            code,
            summary: summary.to_owned(),
            reason: reason.to_owned(),
            fix: remedy::fix(code, remote),
        },
        Means::WebUnresolved => Verdict::Failed {
            code: Code::SshHostUnresolved,
            summary: "the server's name does not resolve".to_owned(),
            fix: Fix::wait(
                "try again; `getent hosts NAME` shows whether the name resolves: look at its spelling in the remote \
                 (also in `pushurl`), at the resolver and at the proxy",
            ),
        },
        Means::DeniedToDeployKey => match key {
            Key::OfThisRepository => {
                failed(Code::PushKeyReadOnly, "the deploy key of this repository may read but not write")
            }
            Key::OfAnother | Key::OfUser => wrong_key(),
            Key::Unknown => failed(
                Code::PushDenied,
                "a deploy key was accepted that may not push here: it is read-only, or belongs to another repository",
            ),
        },
        Means::NoWriteForDeployKey | Means::DeniedToUser if key == Key::OfAnother => wrong_key(),
        Means::NoWriteForDeployKey => {
            failed(Code::PushKeyReadOnly, "the deploy key of this repository may read but not write")
        }
        Means::DeniedToUser => failed(
            Code::PushDenied,
            "the server knows whose credential it is, and that account may not push here",
        ),
        Means::TagThere => Verdict::Failed {
            code: Code::PushNonFastForward,
            summary: "the remote has a tag of that name, at another commit".to_owned(),
            fix: Fix::report(
                "give the tag another name; one that is there is moved by whoever may delete it there",
            ),
        },
        Means::Untrusted => Verdict::Unknown {
            code: Code::PushServerError,
            summary: "the server's certificate is of an authority that is not trusted here".to_owned(),
            reason: "whether the server leaves out a part of its chain, or this image lacks the authority"
                .to_owned(),
            fix: Fix::report(
                "add the authority of the server to the image, or name its file in `http.sslCAInfo`; do not switch the check off",
            ),
        },
        Means::NotFound if lines.port_in_path() => failed(
            Code::RemotePortInPath,
            "the port in the remote was read as a folder: `git@host:22/…` means the path `22/…`",
        ),
        Means::NotFound if key == Key::OfAnother => wrong_key(),
        Means::NotFound => failed(
            Code::PushRepositoryNotFound,
            match key {
                Key::OfUser => "the account of this key does not see such a repository",
                _ => {
                    "the server knows no such repository for this credential; private ones hide from strangers so"
                }
            },
        ),
    }
}

/// Nothing known is in it; what would help to tell depends on what is there at all.
fn unrecognized(lines: &Lines) -> Verdict {
    let (summary, reason) = if lines.is_empty() {
        (
            "there is no text to explain",
            "what git prints goes to standard error: `git push 2>&1 | pushready explain --push -`",
        )
    } else if lines.is_foreign() {
        ("the text is not in English", "the same command run again with `LC_ALL=C` before it")
    } else if lines.refused_locally() {
        (
            "git gave up before the server was asked to change anything: likely a pre-push hook of this clone",
            "what the hook says; `git push --no-verify` skips it, if you may",
        )
    } else if lines.speaks() {
        (
            "git failed in words that are not known here",
            "the whole output, and those of `git --version` and `ssh -V`",
        )
    } else {
        (
            "nothing in the text comes from git or ssh",
            "all that the failed command printed: `git push 2>&1 | pushready explain --push -`",
        )
    };
    Verdict::Unknown {
        code: Code::PushUnrecognized,
        summary: summary.to_owned(),
        reason: reason.to_owned(),
        fix: remedy::fix(Code::PushUnrecognized, None),
    }
}
