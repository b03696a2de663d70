//! Whose login stands at `auth.json`, and whether the seed takes its place.
#![expect(clippy::disallowed_methods, reason = "a login is held against its digest")]

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::catalogue::Code;
use crate::resource::Undo;
use crate::resource::digest::Digest;
use crate::resource::file::Content;
use crate::secret::{CodexAuth, Liveness};
use crate::state::receipt::CodexRecord;

/// What stands at `auth.json`.
pub enum Live {
    Absent,
    /// Nothing that Codex could log in with: empty, damaged, or what a module writes. `somebodys`:
    /// there is more in it than in a stub, and somebody may want it back.
    Wrecked {
        code: Code,
        what: &'static str,
        somebodys: bool,
    },
    Login(Box<CodexAuth>),
}

/// What to do about `auth.json`, and why.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write the seed.
    Seed(&'static str),
    /// Put the last good login back: newer than the seed, but it may be spent.
    Restore(&'static str),
    /// The login in place stays: it is ours.
    Keep(&'static str),
    /// It stays, and the reader should know why the seed is not used.
    KeepInstead(Code, &'static str),
    /// The user logged out.
    LoggedOut,
}

/// The freshness rule. Pure.
pub fn decide(
    seed: &CodexAuth,
    now_recorded: &CodexRecord,
    live: &Live,
    record: Option<&CodexRecord>,
    written: Option<&Undo>,
    last_good: Option<&CodexAuth>,
    now: Timestamp,
) -> Decision {
    let same_seed = record.is_some_and(|record| record.seed == now_recorded.seed);
    let better_copy = last_good.filter(|copy| copy.same_account(seed) && copy.newer_than(seed));
    match live {
        Live::Absent if same_seed && written.is_some() => Decision::LoggedOut,
        Live::Absent => Decision::Seed("no login was there"),
        Live::Wrecked { what, .. } => match better_copy {
            Some(copy) if !matches!(copy.state(now), Liveness::Dead) => Decision::Restore(what),
            _ => Decision::Seed(what),
        },
        Live::Login(auth) => {
            let Some(record) = record.filter(|_| written.is_some()) else {
                return Decision::KeepInstead(
                    Code::CodexLoginNotOurs,
                    "a login that pushready never wrote is in place",
                );
            };
            let ours = auth.account_digest().map(|hex| Digest::from_hex(&hex)) == record.account;
            if !ours {
                return Decision::KeepInstead(
                    Code::CodexLoginNotOurs,
                    "somebody logged in with another account",
                );
            }
            let refreshed = auth.newer_than(seed);
            // a lease that is asked for, or given up, since: the same seed is written in the other
            // form
            if same_seed && record.lease != now_recorded.lease && !refreshed {
                return Decision::Seed(if now_recorded.lease {
                    "a lease from now on"
                } else {
                    "no lease any more"
                });
            }
            // the variables of the template are gone, and a lesser source shows through: not a new
            // seed
            if same_seed || now_recorded.origin > record.origin {
                return Decision::Keep(if refreshed {
                    "newer than the seed"
                } else {
                    "same seed as last time"
                });
            }
            let dead = |auth: &CodexAuth| matches!(auth.state(now), Liveness::Dead);
            if dead(seed) && !dead(auth) {
                return Decision::KeepInstead(
                    Code::CodexAuthStale,
                    "the new seed has expired already",
                );
            }
            if !auth.same_account(seed) {
                return Decision::Seed("a new seed of another account");
            }
            let untouched =
                matches!(written, Some(Undo::Whole { wrote, .. }) if *wrote == digest_of(auth));
            let as_new = untouched && !auth.newer_than(seed);
            if as_new || seed.newer_than(auth) || matches!(auth.state(now), Liveness::Dead) {
                Decision::Seed("a new seed")
            } else {
                Decision::KeepInstead(
                    Code::CodexAuthStale,
                    "the login in place is newer than the new seed",
                )
            }
        }
    }
}

fn digest_of(auth: &CodexAuth) -> Digest {
    Digest::of(auth.to_json().expose_secret().as_bytes())
}

/// Judges the file. `ours`: the last apply wrote a login there. `template_key`: the API key that
/// the template hands to every process.
pub fn live(
    content: Option<&Content>,
    ours: bool,
    template_key: Option<&SecretString>,
    now: Timestamp,
) -> Live {
    let Some(content) = content else { return Live::Absent };
    let wrecked = |code, what| Live::Wrecked { code, what, somebodys: true };
    let stub = |what| Live::Wrecked { code: Code::CodexAuthClobbered, what, somebodys: false };
    if content.bytes.trim_ascii().is_empty() {
        return stub("auth.json was empty");
    }
    if CodexAuth::is_stub(&content.bytes) {
        return stub("a module had written a stub over it");
    }
    let auth = match CodexAuth::parse(&content.bytes) {
        Ok(auth) => auth,
        Err(finding) => return wrecked(finding.code, "auth.json was no file that Codex can read"),
    };
    match auth.state(now) {
        Liveness::Stub => wrecked(Code::CodexAuthClobbered, "auth.json held no usable login"),
        Liveness::Incomplete(_) => {
            wrecked(Code::CodexAuthIncomplete, "auth.json held no usable login")
        }
        _ if ours && auth.is_key_of_template(template_key) => {
            wrecked(Code::CodexAuthClobbered, "a module had written an API key over it")
        }
        _ => Live::Login(Box::new(auth)),
    }
}

impl Live {
    /// Nothing that somebody may want back stands there.
    pub fn is_expendable(&self) -> bool {
        !matches!(self, Self::Wrecked { somebodys: true, .. })
    }
}
