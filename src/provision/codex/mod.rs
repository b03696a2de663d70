//! Codex: its login, which Codex itself keeps renewing, and the folders that it should trust.
#![expect(clippy::disallowed_methods, reason = "the login is handed to the file that will hold it")]

mod freshness;
mod trust;

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::{Context, Item, Status, own, span};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::error::shell;
use crate::resource::digest::Digest;
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target};
use crate::secret::{CodexAuth, Liveness, Mode};
use crate::settings::Sourced;
use crate::state::receipt::{CodexRecord, Desired};
use crate::state::subject::Subject;
use crate::variables;
use freshness::{Decision, Live, decide, live};

pub fn provision(context: &Context, desired: &mut Desired) -> Vec<Item> {
    let mut items: Vec<Item> = login(context, desired).into_iter().collect();
    items.extend(trust::trust(context, desired));
    items
}

pub(super) fn login(context: &Context, desired: &mut Desired) -> Option<Item> {
    let path = context.home.codex.join("auth.json");
    let kept_path = context.home.state.join("codex/last-good.json");
    let mut record = desired.codex.clone();
    let seed = context.settings.codex.as_ref();
    if seed.is_none() && record.is_none() {
        return None;
    }
    let content = match file::observe(&path, Kind::Secret) {
        Ok(content) => content,
        Err(obstacle) => return Some(Item::fail(Subject::Codex, obstacle.finding(&path))),
    };
    let live = live(
        content.as_ref(),
        record.is_some(),
        context.settings.openai_api_key.as_ref(),
        context.now,
    );
    let overwritten_by = |bytes: Vec<u8>| {
        let edit =
            Edit::Whole { bytes: bytes.into(), mode: 0o600, expendable: live.is_expendable() };
        auth_file(context, path.clone(), edit).on(content.as_ref())
    };
    // a copy that cannot be read is no copy
    let last_good = file::observe(&kept_path, Kind::Secret)
        .ok()
        .flatten()
        .and_then(|content| CodexAuth::parse(&content.bytes).ok());
    let Some(seed) = seed else {
        return Some(without_seed(context, &live, record.as_ref(), path, kept_path));
    };
    // unset leaves it as it was: a lease must not get its refresh token back in a shell without the
    // variable
    let lease =
        context.settings.codex_lease.unwrap_or(record.as_ref().is_some_and(|record| record.lease));
    let now_recorded = CodexRecord {
        seed: Digest::from_hex(&seed.value.digest()),
        account: seed.value.account_digest().map(|hex| Digest::from_hex(&hex)),
        lease,
        origin: seed.origin,
        via: Some(seed.via.clone()),
    };
    let undo = context.written(EntryName::CodexAuth, &path);
    // known as ours from its copy alone: see `recovery`
    let recovered = record.is_none() && undo.is_some();
    if recovered {
        record = Some(now_recorded.clone());
    }
    let decision = decide(
        &seed.value,
        &now_recorded,
        &live,
        record.as_ref(),
        undo,
        last_good.as_ref(),
        context.now,
    );
    let mut item = match decision {
        Decision::Seed(why) => {
            desired.codex = Some(now_recorded);
            written(context, seed, why, lease, overwritten_by, kept_path)
        }
        Decision::Restore(why) => {
            desired.codex = Some(now_recorded);
            let restored =
                last_good.map(|auth| if lease { auth.without_refresh_token() } else { auth });
            let bytes = restored.map(|auth| auth.to_json().expose_secret().as_bytes().to_vec());
            Item::warn(
                Subject::Codex,
                Finding::new(
                    Code::CodexAuthRestored,
                    format!("the last good login put back: {why}"),
                    "it may be spent if Codex renewed it since; run apply at stop, by cron and before modules that write auth.json",
                ),
                vec![overwritten_by(bytes.unwrap_or_default())],
            )
        }
        Decision::Keep(why) => {
            // what the receipt says of the login in place stays true: a lesser source, or a lease
            // that came too late for a login that was renewed, changes nothing of it
            let late_lease =
                now_recorded.lease && record.as_ref().is_some_and(|record| !record.lease);
            if desired.codex.is_none() {
                desired.codex = Some(now_recorded);
            }
            let mut item = kept(context, &live, why, path, kept_path);
            if late_lease {
                item.say.push_str(
                    "; no lease: Codex has renewed this login since, and its refresh token is the only one that lives",
                );
            }
            item
        }
        Decision::KeepInstead(code, why) => {
            let hint = match code {
                Code::CodexLoginNotOurs => {
                    format!("to use the seed: `rm {}` and apply again", shell(&path))
                }
                _ => "give it a newer seed, made by `CODEX_HOME=$(mktemp -d) codex login --device-auth`"
                    .to_owned(),
            };
            let resources = if code == Code::CodexLoginNotOurs {
                Vec::new()
            } else {
                keep_copy(&live, kept_path)
            };
            Item::warn(Subject::Codex, Finding::new(code, format!("kept: {why}"), hint), resources)
        }
        Decision::LoggedOut => Item::warn(
            Subject::Codex,
            Finding::new(
                Code::CodexAuthMissing,
                "not restored: auth.json is gone without a trace, as after `codex logout`",
                "give it a new seed to log in again",
            ),
            Vec::new(),
        ),
    };
    let overwritten =
        item.resources.iter().any(|resource| matches!(&resource.edit, Edit::Whole { .. }));
    if overwritten && !live.is_expendable() {
        item.say.push_str("; what stood there comes back with `pushready remove`");
    }
    Some(item)
}

fn without_seed(
    context: &Context,
    live: &Live,
    record: Option<&CodexRecord>,
    path: PathBuf,
    kept_path: PathBuf,
) -> Item {
    let ours = |auth: &CodexAuth| {
        record.is_some_and(|record| {
            auth.account_digest().map(|hex| Digest::from_hex(&hex)) == record.account
        })
    };
    match live {
        Live::Login(auth) if ours(auth) => {
            kept(context, live, "from the last apply", path, kept_path)
        }
        Live::Login(_) => {
            Item::ready(Subject::Codex, "left alone: not the login of the last apply", Vec::new())
        }
        Live::Absent => Item::warn(
            Subject::Codex,
            Finding::new(
                Code::CodexAuthMissing,
                "left alone: the login of the last apply is gone, and no seed is set here",
                "to log in again, run `pushready apply` with a new seed",
            ),
            Vec::new(),
        ),
        Live::Wrecked { code, what, .. } => Item::warn(
            Subject::Codex,
            Finding::new(
                *code,
                format!("left alone: {what}, and no seed is set here"),
                format!(
                    "run `pushready apply` where {} is set: restart the workspace",
                    record
                        .and_then(|record| record.via.as_ref())
                        .map_or_else(|| variables::CODEX_AUTH_JSON.to_owned(), ToString::to_string)
                ),
            ),
            Vec::new(),
        ),
    }
}

fn written(
    context: &Context,
    seed: &Sourced<CodexAuth>,
    why: &str,
    lease: bool,
    overwritten_by: impl FnOnce(Vec<u8>) -> Resource,
    kept_path: PathBuf,
) -> Item {
    // a lease is parsed from its own text again: the seed is not cloned
    let json = seed.value.to_json();
    let leased = CodexAuth::parse(json.expose_secret().as_bytes()).ok().filter(|_| lease);
    let leased = leased.map(CodexAuth::without_refresh_token);
    let auth = leased.as_ref().unwrap_or(&seed.value);
    let json = auth.to_json();
    let bytes = json.expose_secret().as_bytes();
    let resources =
        vec![overwritten_by(bytes.to_vec()), own(kept_path, Kind::Secret, bytes.to_vec(), 0o600)];
    let say = format!(
        "written: {} ({why}{})",
        described(auth, context.now),
        if lease { ", lease" } else { "" }
    );
    alive(auth, say, context.now, resources)
}

/// Ready, as far as the file tells; a login that can no longer work is in its place all the same.
fn alive(auth: &CodexAuth, say: String, now: Timestamp, resources: Vec<Resource>) -> Item {
    const HINT: &str =
        "give it a new seed, made by `CODEX_HOME=$(mktemp -d) codex login --device-auth`";
    let soon = SignedDuration::from_hours(24);
    let (status, finding) = match auth.state(now) {
        Liveness::Dead => {
            let say = format!("{say}, and nothing can renew it");
            (Status::Fail, Finding::new(Code::CodexAuthExpired, say, HINT))
        }
        Liveness::Incomplete(what) => {
            let say = format!("{say}, but Codex will send no credential: {what}");
            (Status::Fail, Finding::new(Code::CodexAuthIncomplete, say, HINT))
        }
        _ if !auth.has_refresh_token()
            && auth.access_expires().is_some_and(|end| end.duration_since(now) < soon) =>
        {
            let say = format!("{say}, and nothing renews it");
            (Status::Warn, Finding::new(Code::CodexLeaseExpiring, say, HINT))
        }
        _ => return Item::ready(Subject::Codex, say, resources),
    };
    Item { status, ..Item::warn(Subject::Codex, finding, resources) }
}

fn kept(context: &Context, live: &Live, why: &str, path: PathBuf, kept_path: PathBuf) -> Item {
    let now = context.now;
    let Live::Login(auth) = live else { return Item::ready(Subject::Codex, why, Vec::new()) };
    let refreshed = auth
        .last_refresh()
        .filter(|_| why == "newer than the seed")
        .map_or(String::new(), |at| format!("refreshed {} ago, ", span(now.duration_since(at))));
    let say = format!("kept: {refreshed}{why}; {}", described(auth, now));
    let mut resources = keep_copy(live, kept_path);
    resources.push(auth_file(context, path, Edit::Private));
    alive(auth, say, now, resources)
}

/// Every good login of ours that is seen is kept, for the day on which a module overwrites it.
fn keep_copy(live: &Live, kept_path: PathBuf) -> Vec<Resource> {
    let Live::Login(auth) = live else { return Vec::new() };
    let bytes = auth.to_json().expose_secret().as_bytes().to_vec();
    vec![own(kept_path, Kind::Secret, bytes, 0o600)]
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
fn auth_file(context: &Context, path: PathBuf, edit: Edit) -> Resource {
    let id = context.id(EntryName::CodexAuth, &path);
    let target =
        Target { path, kind: Kind::Secret, lock: Lock::Codex, malformed: Code::NotProvisioned };
    Resource::recorded(id, target, edit)
}
