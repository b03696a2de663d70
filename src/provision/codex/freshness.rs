//! Whose login is in `auth.json`, and whether the seed replaces it.
#![expect(clippy::disallowed_methods, reason = "a login is compared by its digest")]

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::catalogue::Code;
use crate::resource::Undo;
use crate::resource::digest::Digest;
use crate::resource::file::Content;
use crate::secret::{CodexAuth, Liveness};
use crate::state::logins::CodexRecord;

/// What is in `auth.json`.
#[derive(Debug)]
pub enum Live {
    Absent,
    Wrecked(Wreck),
    Login(Box<CodexAuth>),
}

/// Nothing that Codex could log in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wreck {
    Empty,
    /// What a registry module writes where it has no key.
    Stub,
    /// The API key that the template gives to every process, written by a module.
    TemplateKey,
    /// It does not parse, with this code.
    Unreadable(Code),
    /// It parses, and no credential in it can be sent.
    NoLogin(Code),
}

impl Wreck {
    pub fn code(self) -> Code {
        match self {
            Self::Empty | Self::Stub | Self::TemplateKey => Code::CodexAuthClobbered,
            Self::Unreadable(code) | Self::NoLogin(code) => code,
        }
    }

    /// Whether nobody will want it back.
    pub fn is_expendable(self) -> bool {
        matches!(self, Self::Empty | Self::Stub)
    }
}

impl fmt::Display for Wreck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "auth.json was empty",
            Self::Stub => "a module had written a stub over it",
            Self::TemplateKey => "a module had written an API key over it",
            Self::Unreadable(_) => "auth.json was not a file that Codex can read",
            Self::NoLogin(_) => "auth.json contained no usable login",
        })
    }
}

/// What to do about `auth.json`, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodexDecision {
    Seed(SeedReason),
    /// Write the last good login again: newer than the seed, but it may be spent.
    Restore(Wreck),
    /// The login in place stays: it is ours.
    Keep(CodexKeepReason),
    /// It stays, and the reader should know why the seed is not used.
    Conflict(Conflict),
    LoggedOut,
}

/// Why the seed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedReason {
    Absent,
    /// The receipt is gone, or is of another folder.
    InPlace,
    Wrecked(Wreck),
    LeaseBegins,
    LeaseEnds,
    OtherAccount,
    NewSeed,
}

impl fmt::Display for SeedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrecked(wreck) => return wreck.fmt(f),
            Self::Absent => "there was no login",
            Self::InPlace => "the same login was in place",
            Self::LeaseBegins => "a lease from now on",
            Self::LeaseEnds => "no lease any more",
            Self::OtherAccount => "a new seed of another account",
            Self::NewSeed => "a new seed",
        })
    }
}

/// Why a login of ours stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodexKeepReason {
    /// Codex has refreshed it since.
    NewerThanSeed,
    SameSeed,
    /// No seed is set here.
    LastApply,
}

impl fmt::Display for CodexKeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewerThanSeed => "newer than the seed",
            Self::SameSeed => "same seed as last time",
            Self::LastApply => "from the last apply",
        })
    }
}

/// Why the seed is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    NeverWritten,
    OtherAccount,
    SeedExpired,
    SeedOlder,
}

impl Conflict {
    pub fn code(self) -> Code {
        match self {
            Self::NeverWritten | Self::OtherAccount => Code::CodexLoginNotOurs,
            Self::SeedExpired | Self::SeedOlder => Code::CodexAuthStale,
        }
    }

    /// Whether the login in place is ours all the same.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::SeedExpired | Self::SeedOlder)
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverWritten => "a login that pushready never wrote is in place",
            Self::OtherAccount => "somebody logged in with another account",
            Self::SeedExpired => "the new seed has expired already",
            Self::SeedOlder => "the login in place is newer than the new seed",
        })
    }
}

/// What the freshness rule decides on.
pub struct LoginFacts<'a> {
    pub seed: &'a CodexAuth,
    /// What the receipt will say once the seed is written.
    pub wanted: &'a CodexRecord,
    pub live: &'a Live,
    /// What the receipt says of the last seed.
    pub record: Option<&'a CodexRecord>,
    /// How the receipt would undo what was written to this file.
    pub written: Option<&'a Undo>,
    pub last_good: Option<&'a CodexAuth>,
    pub now: Timestamp,
}

/// The freshness rule. Pure.
pub fn decide(facts: &LoginFacts) -> CodexDecision {
    let LoginFacts { seed, wanted, live, record, written, last_good, now } = *facts;
    let same_seed = record.is_some_and(|record| record.seed == wanted.seed);
    let is_dead = |auth: &CodexAuth| matches!(auth.state(now), Liveness::Dead);
    match live {
        Live::Absent if same_seed && written.is_some() => CodexDecision::LoggedOut,
        Live::Absent => CodexDecision::Seed(SeedReason::Absent),
        Live::Wrecked(wreck) => {
            let is_better = |copy: &&CodexAuth| {
                copy.same_account(seed) && copy.newer_than(seed) && !is_dead(copy)
            };
            match last_good.filter(is_better) {
                Some(_) => CodexDecision::Restore(*wreck),
                None => CodexDecision::Seed(SeedReason::Wrecked(*wreck)),
            }
        }
        Live::Login(auth) => {
            let Some(record) = record.filter(|_| written.is_some()) else {
                return if digest_of(auth) == digest_of(seed) {
                    CodexDecision::Seed(SeedReason::InPlace)
                } else {
                    CodexDecision::Conflict(Conflict::NeverWritten)
                };
            };
            if account(auth) != record.account {
                return CodexDecision::Conflict(Conflict::OtherAccount);
            }
            let refreshed = auth.newer_than(seed);
            // a lease begun, or ended, since: the same seed is written in the other form
            if same_seed && record.lease != wanted.lease && !refreshed {
                return CodexDecision::Seed(if wanted.lease {
                    SeedReason::LeaseBegins
                } else {
                    SeedReason::LeaseEnds
                });
            }
            // the template's variables are not set here, so a lesser source is read: not a new seed
            if same_seed || wanted.origin > record.origin {
                return CodexDecision::Keep(if refreshed {
                    CodexKeepReason::NewerThanSeed
                } else {
                    CodexKeepReason::SameSeed
                });
            }
            if is_dead(seed) && !is_dead(auth) {
                return CodexDecision::Conflict(Conflict::SeedExpired);
            }
            if !auth.same_account(seed) {
                return CodexDecision::Seed(SeedReason::OtherAccount);
            }
            let untouched =
                matches!(written, Some(Undo::Whole { wrote, .. }) if *wrote == digest_of(auth));
            if untouched && !refreshed || seed.newer_than(auth) || is_dead(auth) {
                CodexDecision::Seed(SeedReason::NewSeed)
            } else {
                CodexDecision::Conflict(Conflict::SeedOlder)
            }
        }
    }
}

/// The account of a login, as the receipt has it.
pub fn account(auth: &CodexAuth) -> Option<Digest> {
    auth.account_digest().map(|hex| Digest::from_hex(&hex))
}

fn digest_of(auth: &CodexAuth) -> Digest {
    Digest::of(auth.to_json().expose_secret().as_bytes())
}

/// Judges the file. `ours`: the last apply wrote a login there. `template_key`: the API key that
/// the template gives to every process.
pub fn live(
    content: Option<&Content>,
    ours: bool,
    template_key: Option<&SecretString>,
    now: Timestamp,
) -> Live {
    let Some(content) = content else { return Live::Absent };
    if content.bytes.trim_ascii().is_empty() {
        return Live::Wrecked(Wreck::Empty);
    }
    if CodexAuth::is_stub(&content.bytes) {
        return Live::Wrecked(Wreck::Stub);
    }
    let auth = match CodexAuth::parse(&content.bytes) {
        Ok(auth) => auth,
        Err(finding) => return Live::Wrecked(Wreck::Unreadable(finding.code)),
    };
    match auth.state(now) {
        Liveness::Stub => Live::Wrecked(Wreck::NoLogin(Code::CodexAuthClobbered)),
        Liveness::Incomplete(_) => Live::Wrecked(Wreck::NoLogin(Code::CodexAuthIncomplete)),
        _ if ours && auth.is_key_of_template(template_key) => Live::Wrecked(Wreck::TemplateKey),
        _ => Live::Login(Box::new(auth)),
    }
}

impl Live {
    /// Whether nothing is lost when it is overwritten.
    pub fn is_expendable(&self) -> bool {
        !matches!(self, Self::Wrecked(wreck) if !wreck.is_expendable())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::resource::Before;
    use crate::secret::codex_fixtures as fixtures;
    use crate::state::via::SecretOrigin;

    const OLD: &str = "2026-11-19T10:00:00Z";
    const SEED: &str = "2026-11-20T10:00:00Z";
    const NEW: &str = "2026-11-21T10:00:00Z";

    fn file(refreshed: &str, account: u8, changes: &[(&str, Value)]) -> CodexAuth {
        let id = fixtures::account(account);
        let of_account = [
            ("/last_refresh", json!(refreshed)),
            ("/tokens/id_token", json!(fixtures::jwt(&fixtures::claims(3600, &id, "user-1")))),
            ("/tokens/account_id", json!(id)),
            ("/tokens/refresh_token", json!(format!("rt_{refreshed}"))),
        ];
        let file = fixtures::with(&[&of_account[..], changes].concat());
        CodexAuth::parse(&fixtures::bytes(&file)).unwrap()
    }

    fn auth(refreshed: &str, account: u8) -> CodexAuth {
        file(refreshed, account, &[])
    }

    /// The access token has expired, and nothing can renew it.
    fn dead(refreshed: &str) -> CodexAuth {
        let expired =
            [("/tokens/access_token", fixtures::access(-1)), ("/tokens/refresh_token", json!(""))];
        file(refreshed, 1, &expired)
    }

    fn login(auth: CodexAuth) -> Live {
        Live::Login(Box::new(auth))
    }

    fn record(seed: &CodexAuth, lease: bool, origin: SecretOrigin) -> CodexRecord {
        let digest = Digest::from_hex(&seed.digest());
        CodexRecord { seed: digest, account: account(seed), lease, origin, via: None }
    }

    fn wrote(auth: &CodexAuth) -> Undo {
        Undo::Whole { before: Before::Absent, wrote: digest_of(auth) }
    }

    /// A login, or nothing, that was never ours: there is no record of one.
    #[test]
    fn a_login_that_was_never_written_stays() {
        let seed = auth(SEED, 1);
        let other = auth(NEW, 2);
        let undo = wrote(&other);
        for (live, recorded, written, decision) in [
            (Live::Absent, false, false, CodexDecision::Seed(SeedReason::Absent)),
            (login(auth(OLD, 1)), false, false, CodexDecision::Conflict(Conflict::NeverWritten)),
            // the receipt is lost
            (login(auth(SEED, 1)), false, false, CodexDecision::Seed(SeedReason::InPlace)),
            // in another CODEX_HOME than that of the last apply
            (login(auth(OLD, 1)), true, false, CodexDecision::Conflict(Conflict::NeverWritten)),
            (Live::Absent, true, false, CodexDecision::Seed(SeedReason::Absent)),
            // somebody logged in since, with another account
            (login(auth(OLD, 2)), true, true, CodexDecision::Conflict(Conflict::OtherAccount)),
        ] {
            let wanted = record(&seed, false, SecretOrigin::Variable);
            let facts = LoginFacts {
                seed: &seed,
                wanted: &wanted,
                live: &live,
                record: recorded.then_some(&wanted),
                written: written.then_some(&undo),
                last_good: None,
                now: fixtures::now(),
            };
            assert_eq!(decide(&facts), decision, "{live:?} {recorded} {written}");
        }
    }

    #[test]
    fn with_the_same_seed_our_login_stays_and_a_logout_too() {
        let seed = auth(SEED, 1);
        let written = wrote(&seed);
        let last = record(&seed, false, SecretOrigin::Variable);
        let leased = record(&seed, true, SecretOrigin::Variable);
        for (live, was, is, decision) in [
            (Live::Absent, &last, &last, CodexDecision::LoggedOut),
            (login(auth(SEED, 1)), &last, &last, CodexDecision::Keep(CodexKeepReason::SameSeed)),
            (
                login(auth(NEW, 1)),
                &last,
                &last,
                CodexDecision::Keep(CodexKeepReason::NewerThanSeed),
            ),
            (login(auth(SEED, 1)), &last, &leased, CodexDecision::Seed(SeedReason::LeaseBegins)),
            (login(auth(SEED, 1)), &leased, &last, CodexDecision::Seed(SeedReason::LeaseEnds)),
            // the refresh token of a refreshed login is the only one that works
            (
                login(auth(NEW, 1)),
                &last,
                &leased,
                CodexDecision::Keep(CodexKeepReason::NewerThanSeed),
            ),
        ] {
            let facts = LoginFacts {
                seed: &seed,
                wanted: is,
                live: &live,
                record: Some(was),
                written: Some(&written),
                last_good: None,
                now: fixtures::now(),
            };
            assert_eq!(decide(&facts), decision, "{live:?} {was:?} {is:?}");
        }
    }

    #[test]
    fn a_new_seed_replaces_an_older_login_of_ours() {
        let first = auth(OLD, 1);
        let last = record(&first, false, SecretOrigin::Variable);
        for (live, seed, origin, decision) in [
            (
                Live::Absent,
                auth(SEED, 1),
                SecretOrigin::Variable,
                CodexDecision::Seed(SeedReason::Absent),
            ),
            (
                login(auth(OLD, 1)),
                auth(SEED, 1),
                SecretOrigin::Variable,
                CodexDecision::Seed(SeedReason::NewSeed),
            ),
            // untouched since it was written, and no older seed: of the same age
            (
                login(auth(OLD, 1)),
                file(OLD, 1, &[("/tokens/refresh_token", json!("rt_other"))]),
                SecretOrigin::Variable,
                CodexDecision::Seed(SeedReason::NewSeed),
            ),
            (
                login(auth(NEW, 1)),
                auth(SEED, 1),
                SecretOrigin::Variable,
                CodexDecision::Conflict(Conflict::SeedOlder),
            ),
            (
                login(auth(OLD, 1)),
                auth(SEED, 2),
                SecretOrigin::Variable,
                CodexDecision::Seed(SeedReason::OtherAccount),
            ),
            (
                login(auth(OLD, 1)),
                dead(SEED),
                SecretOrigin::Variable,
                CodexDecision::Conflict(Conflict::SeedExpired),
            ),
            // a dead login is worth nothing, whatever its age
            (
                login(dead(NEW)),
                auth(SEED, 1),
                SecretOrigin::Variable,
                CodexDecision::Seed(SeedReason::NewSeed),
            ),
            // the variable of the last apply is not set here, and the seed folder has another login
            (
                login(auth(OLD, 1)),
                auth(SEED, 2),
                SecretOrigin::SeedFolder,
                CodexDecision::Keep(CodexKeepReason::SameSeed),
            ),
            (
                login(auth(NEW, 1)),
                auth(SEED, 1),
                SecretOrigin::SeedFolder,
                CodexDecision::Keep(CodexKeepReason::NewerThanSeed),
            ),
        ] {
            let written = wrote(&first);
            let facts = LoginFacts {
                seed: &seed,
                wanted: &record(&seed, false, origin),
                live: &live,
                record: Some(&last),
                written: Some(&written),
                last_good: None,
                now: fixtures::now(),
            };
            assert_eq!(decide(&facts), decision, "{live:?} {origin:?}");
        }
    }

    #[test]
    fn over_a_wreck_the_better_of_copy_and_seed_is_written() {
        let seed = auth(SEED, 1);
        let seeded = CodexDecision::Seed(SeedReason::Wrecked(Wreck::Stub));
        for (copy, decision) in [
            (None, seeded),
            (Some(auth(NEW, 1)), CodexDecision::Restore(Wreck::Stub)),
            (Some(auth(OLD, 1)), CodexDecision::Seed(SeedReason::Wrecked(Wreck::Stub))),
            (Some(auth(NEW, 2)), CodexDecision::Seed(SeedReason::Wrecked(Wreck::Stub))),
            (Some(dead(NEW)), CodexDecision::Seed(SeedReason::Wrecked(Wreck::Stub))),
        ] {
            let wanted = record(&seed, false, SecretOrigin::Variable);
            let written = wrote(&seed);
            let facts = LoginFacts {
                seed: &seed,
                wanted: &wanted,
                live: &Live::Wrecked(Wreck::Stub),
                record: Some(&wanted),
                written: Some(&written),
                last_good: copy.as_ref(),
                now: fixtures::now(),
            };
            assert_eq!(decide(&facts), decision, "{copy:?}");
        }
    }

    #[test]
    fn a_file_without_a_login_is_a_wreck() {
        let key = fixtures::key();
        let module = format!("{{\n  \"OPENAI_API_KEY\": \"{key}\"\n}}\n");
        for (text, ours, wreck) in [
            ("", true, Some(Wreck::Empty)),
            (" \n", false, Some(Wreck::Empty)),
            ("{}", false, Some(Wreck::Stub)),
            (
                "{\"tokens\": {\"access_token\": \"half",
                true,
                Some(Wreck::Unreadable(Code::CodexAuthMalformed)),
            ),
            ("{\"note\": \"mine\"}", true, Some(Wreck::NoLogin(Code::CodexAuthClobbered))),
            (&module, true, Some(Wreck::TemplateKey)),
            // nobody's login was there, so that key may be the user's
            (&module, false, None),
        ] {
            let content = Content { bytes: text.as_bytes().to_vec().into(), mode: 0o600 };
            let template_key = key.clone().into();
            let live = live(Some(&content), ours, Some(&template_key), fixtures::now());
            match (&live, wreck) {
                (Live::Wrecked(found), Some(wreck)) => assert_eq!(*found, wreck, "{text}"),
                (Live::Login(_), None) => {}
                _ => panic!("{text}: {live:?}"),
            }
        }
        assert!(matches!(live(None, true, None, fixtures::now()), Live::Absent));
    }
}
