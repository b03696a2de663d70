//! Why git refuses to make a commit, from what it prints. Pure.

use super::cause;
use crate::catalogue::Code;

/// Why git has no author or committer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `GIT_AUTHOR_DATE` or `GIT_COMMITTER_DATE`.
    Date,
    Identity,
    /// Another check reports it.
    Clone(Code),
    Unknown,
}

/// Why `git var` refused, by its message. Pure.
pub fn refusal(stderr: &str) -> Refusal {
    let says = |words: &str| stderr.contains(words);
    if let Some(code) = cause(stderr) {
        return Refusal::Clone(code);
    }
    match () {
        () if says("invalid date format") => Refusal::Date,
        () if says("Please tell me who you are")
            || says("empty ident name")
            || says("disallowed characters")
            || says("auto-detection is disabled")
            || says("unable to auto-detect")
            || says("empty email") =>
        {
            Refusal::Identity
        }
        () => Refusal::Unknown,
    }
}
