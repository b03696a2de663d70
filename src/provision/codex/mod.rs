//! Codex: its login, which Codex itself keeps renewing, and the folders that it should trust.
#![expect(clippy::disallowed_methods, reason = "the login is handed to the file that will hold it")]

mod freshness;
mod trust;

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::{Item, ItemStatus, ProvisionContext, own, span};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::client::Client;
use crate::home::Home;
use crate::resource::digest::Digest;
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Content, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target};
use crate::secret::{CodexAuth, Liveness, Mode};
use crate::state::logins::CodexRecord;
use crate::state::receipt::Desired;
use crate::state::subject::Subject;
use crate::state::via::Via;
use crate::variables;
use freshness::{
    CodexDecision, CodexKeepReason, Live, LoginFacts, SeedReason, Wreck, account, decide, live,
};

pub fn provision(context: &ProvisionContext, desired: &mut Desired) -> Vec<Item> {
    let mut items: Vec<Item> = login(context, desired).into_iter().collect();
    items.extend(trust::trust(context, desired));
    items
}

/// Whether `auth.json` has a login, whoever wrote it.
pub(super) fn has_login(home: &Home, now: Timestamp) -> bool {
    let content = file::observe(&home.clients.codex.login, Kind::Secret).ok().flatten();
    matches!(live(content.as_ref(), false, None, now), Live::Login(_))
}

/// What is there, observed once.
struct ObservedLogin {
    path: PathBuf,
    content: Option<Content>,
    live: Live,
    /// Where every good login of ours is copied to.
    copy_path: PathBuf,
    copy: Option<CodexAuth>,
}

pub(super) fn login(context: &ProvisionContext, desired: &mut Desired) -> Option<Item> {
    let seed = context.settings.logins.codex.as_ref();
    let record = desired.logins.codex.clone();
    if seed.is_none() && record.is_none() {
        return None;
    }
    let seen = match observe(context, record.is_some()) {
        Ok(seen) => seen,
        Err(finding) => return Some(Item::fail(Subject::Login(Client::Codex), finding)),
    };
    let Some(seed) = seed else {
        return Some(without_seed(context, &seen, record.as_ref()));
    };
    // unset leaves it as it was: a lease must not get its refresh token back in a shell without the
    // variable
    let was_lease = record.as_ref().is_some_and(|record| record.lease);
    let lease = context.settings.logins.codex_lease.unwrap_or(was_lease);
    let wanted = CodexRecord {
        seed: Digest::from_hex(&seed.value.digest()),
        account: account(&seed.value),
        lease,
        origin: seed.origin,
        via: Some(seed.via.clone()),
    };
    let written = context.written(EntryName::Login(Client::Codex), &seen.path);
    // without a record it is known as ours from its copy alone: see `recovery`
    let known = record.as_ref().or_else(|| written.map(|_| &wanted));
    let decision = decide(&LoginFacts {
        seed: &seed.value,
        wanted: &wanted,
        live: &seen.live,
        record: known,
        written,
        last_good: seen.copy.as_ref(),
        now: context.now,
    });
    let late_lease = lease && known.is_some_and(|record| !record.lease);
    match decision {
        CodexDecision::Seed(_) | CodexDecision::Restore(_) => desired.logins.codex = Some(wanted),
        // what the receipt says of the login in place stays true: a lesser source, or a lease that
        // came too late for a login that was renewed, changes nothing of it
        CodexDecision::Keep(_) => {
            desired.logins.codex = desired.logins.codex.take().or(Some(wanted));
        }
        CodexDecision::Conflict(_) | CodexDecision::LoggedOut => {}
    }
    Some(act(context, seen, &seed.value, lease, late_lease, decision))
}

/// Looks at `auth.json` and at its copy. `ours`: the last apply wrote a login.
fn observe(context: &ProvisionContext, ours: bool) -> Result<ObservedLogin, Finding> {
    let path = context.home.clients.codex.login.clone();
    let content = file::observe(&path, Kind::Secret).map_err(|obstacle| obstacle.finding(&path))?;
    let template_key = context.settings.openai_api_key.as_ref();
    let live = live(content.as_ref(), ours, template_key, context.now);
    let copy_path = context.home.codex_copy.clone();
    // a copy that cannot be read counts as none
    let copy = file::observe(&copy_path, Kind::Secret).ok().flatten();
    let copy = copy.and_then(|content| CodexAuth::parse(&content.bytes).ok());
    Ok(ObservedLogin { path, content, live, copy_path, copy })
}

/// The item of a decision, with the files that it takes.
fn act(
    context: &ProvisionContext,
    seen: ObservedLogin,
    seed: &CodexAuth,
    lease: bool,
    late_lease: bool,
    decision: CodexDecision,
) -> Item {
    let may_be_wanted = !seen.live.is_expendable()
        && matches!(decision, CodexDecision::Seed(_) | CodexDecision::Restore(_));
    let mut item = match decision {
        CodexDecision::Seed(why) => written(context, seen, seed, why, lease),
        CodexDecision::Restore(wreck) => restored(context, seen, wreck, lease),
        CodexDecision::Keep(why) => {
            let mut item = kept(context, &seen, why);
            if late_lease {
                item.summary.push_str(
                    "; no lease: Codex has renewed this login since, and only its refresh token is valid",
                );
            }
            item
        }
        CodexDecision::Conflict(conflict) => {
            let hint = if conflict.is_ours() {
                "give it a newer seed, `$d/auth.json` of `d=$(mktemp -d); CODEX_HOME=$d codex login --device-auth`"
                    .to_owned()
            } else {
                super::to_use_seed(&seen.path)
            };
            let resources = if conflict.is_ours() { copied(&seen) } else { Vec::new() };
            let finding = Finding::new(conflict.code(), format!("kept: {conflict}"), hint);
            Item::warn(Subject::Login(Client::Codex), finding, resources)
        }
        CodexDecision::LoggedOut => Item::lost(
            Subject::Login(Client::Codex),
            Finding::new(
                Code::CodexAuthMissing,
                "not restored: auth.json is missing, as after `codex logout`",
                "give it a new seed to log in again",
            ),
        ),
    };
    if may_be_wanted {
        item.summary.push_str("; `pushready remove` restores the previous content");
    }
    item
}

fn without_seed(
    context: &ProvisionContext,
    seen: &ObservedLogin,
    record: Option<&CodexRecord>,
) -> Item {
    let is_ours = |auth: &CodexAuth| record.is_some_and(|record| account(auth) == record.account);
    match &seen.live {
        Live::Login(auth) if is_ours(auth) => kept(context, seen, CodexKeepReason::LastApply),
        Live::Login(_) => Item::ready(
            Subject::Login(Client::Codex),
            "left alone: not the login of the last apply",
            Vec::new(),
        ),
        Live::Absent => Item::lost(
            Subject::Login(Client::Codex),
            Finding::new(
                Code::CodexAuthMissing,
                "left alone: the login of the last apply is gone, and no seed is set here",
                "to log in again, run `pushready apply` with a new seed",
            ),
        ),
        Live::Wrecked(wreck) => {
            let via = record.and_then(|record| record.via.clone());
            let via = via.unwrap_or_else(|| Via::variable(variables::CODEX_AUTH_JSON));
            Item::lost(
                Subject::Login(Client::Codex),
                Finding::new(
                    wreck.code(),
                    format!("left alone: {wreck}, and no seed is set here"),
                    format!("run `pushready apply` where {via} is set: restart the workspace"),
                ),
            )
        }
    }
}

fn written(
    context: &ProvisionContext,
    seen: ObservedLogin,
    seed: &CodexAuth,
    why: SeedReason,
    lease: bool,
) -> Item {
    // a lease is parsed from its own text again: the seed is not cloned
    let json = seed.to_json();
    let leased = CodexAuth::parse(json.expose_secret().as_bytes()).ok().filter(|_| lease);
    let leased = leased.map(CodexAuth::without_refresh_token);
    let auth = leased.as_ref().unwrap_or(seed);
    let note = if lease { ", lease" } else { "" };
    let say = format!("written: {} ({why}{note})", described(auth, context.now));
    let bytes = bytes_of(auth);
    let resources = vec![
        seen.overwritten(context, bytes.clone()),
        own(seen.copy_path, Kind::Secret, bytes, 0o600),
    ];
    let item = alive(auth, say, context.now, resources);
    let planned = format!("would be {}", item.summary);
    item.planned(planned)
}

fn restored(
    context: &ProvisionContext,
    mut seen: ObservedLogin,
    wreck: Wreck,
    lease: bool,
) -> Item {
    let finding = Finding::new(
        Code::CodexAuthRestored,
        format!("restored the last good login: {wreck}"),
        "it may be spent if Codex renewed it since; run apply at stop, by cron and before modules that write auth.json",
    );
    let copy = seen.copy.take();
    let copy = copy.map(|auth| if lease { auth.without_refresh_token() } else { auth });
    let resources = copy.map(|auth| seen.overwritten(context, bytes_of(&auth)));
    Item::warn(Subject::Login(Client::Codex), finding, resources.into_iter().collect())
        .planned(format!("would restore the last good login: {wreck}"))
}

fn bytes_of(auth: &CodexAuth) -> Vec<u8> {
    auth.to_json().expose_secret().as_bytes().to_vec()
}

impl ObservedLogin {
    /// `auth.json` with this content in place of what was judged.
    fn overwritten(&self, context: &ProvisionContext, bytes: Vec<u8>) -> Resource {
        let expendable = self.live.is_expendable();
        let edit = Edit::Whole { bytes: bytes.into(), mode: 0o600, expendable };
        auth_file(context, self.path.clone(), edit).on(self.content.as_ref())
    }
}

/// Ready, as far as the file tells; a login that can no longer work is in its place all the same.
fn alive(auth: &CodexAuth, say: String, now: Timestamp, resources: Vec<Resource>) -> Item {
    const HINT: &str = "give it a new seed, `$d/auth.json` of `d=$(mktemp -d); CODEX_HOME=$d codex login --device-auth`";
    let soon = SignedDuration::from_hours(24);
    let (status, finding) = match auth.state(now) {
        Liveness::Dead => {
            let say = format!("{say}, and nothing can renew it");
            (ItemStatus::Fail, Finding::new(Code::CodexAuthExpired, say, HINT))
        }
        Liveness::Incomplete(what) => {
            let say = format!("{say}, but Codex will send no credential: {what}");
            (ItemStatus::Fail, Finding::new(Code::CodexAuthIncomplete, say, HINT))
        }
        _ if !auth.has_refresh_token()
            && auth.access_expires().is_some_and(|end| end.duration_since(now) < soon) =>
        {
            let say = format!("{say}, and nothing renews it");
            (ItemStatus::Warn, Finding::new(Code::CodexLeaseExpiring, say, HINT))
        }
        _ => return Item::ready(Subject::Login(Client::Codex), say, resources),
    };
    Item { status, ..Item::warn(Subject::Login(Client::Codex), finding, resources) }
}

fn kept(context: &ProvisionContext, seen: &ObservedLogin, why: CodexKeepReason) -> Item {
    let now = context.now;
    let Live::Login(auth) = &seen.live else {
        return Item::ready(Subject::Login(Client::Codex), why.to_string(), Vec::new());
    };
    let refreshed = auth
        .last_refresh()
        .filter(|_| why == CodexKeepReason::NewerThanSeed)
        .map_or(String::new(), |at| format!("refreshed {} ago, ", span(now.duration_since(at))));
    let say = format!("kept: {refreshed}{why}; {}", described(auth, now));
    let mut resources = copied(seen);
    resources.push(auth_file(context, seen.path.clone(), Edit::Private));
    alive(auth, say, now, resources)
}

/// Every good login of ours that is seen is copied, for the day on which a module overwrites it.
fn copied(seen: &ObservedLogin) -> Vec<Resource> {
    let Live::Login(auth) = &seen.live else { return Vec::new() };
    vec![own(seen.copy_path.clone(), Kind::Secret, bytes_of(auth), 0o600)]
}

/// Who, by which way, until when. Never a token.
pub fn described(auth: &CodexAuth, now: Timestamp) -> String {
    let mut text = match auth.mode() {
        Mode::ChatGpt | Mode::ChatGptAuthTokens => "ChatGPT login",
        Mode::ApiKey => "API key",
        Mode::PersonalAccessToken => "access token",
        _ => "login",
    }
    .to_owned();
    if let Some(email) = auth.email_masked() {
        let _ = write!(text, " {}", email.escape_debug());
    }
    if let Some(plan) = auth.plan() {
        let _ = write!(text, " ({})", plan.escape_debug());
    }
    if let Some(expires) = auth.access_expires() {
        let left = expires.duration_since(now);
        let _ = if left.is_negative() {
            write!(text, ", access token expired {} ago", span(left))
        } else {
            write!(text, ", access token valid {}", span(left))
        };
    }
    text
}

/// `auth.json`, and what is wanted of it.
fn auth_file(context: &ProvisionContext, path: PathBuf, edit: Edit) -> Resource {
    let id = context.id(EntryName::Login(Client::Codex), &path);
    let target =
        Target { path, kind: Kind::Secret, lock: Lock::Codex, malformed: Code::NotProvisioned };
    Resource::recorded(id, target, edit)
}
