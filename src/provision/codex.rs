//! Codex: its login, which Codex itself keeps renewing, and the folders that it should trust.
#![expect(clippy::disallowed_methods, reason = "the login is handed to the file that will hold it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::trust::{real, told};
use super::{Context, Item, Status, own, span};
use crate::catalogue::Code;
use crate::digest::Digest;
use crate::error::{Finding, shell};
use crate::receipt::{CodexRecord, Desired};
use crate::resource::file::{self, Content, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target, Undo, block, obstructed};
use crate::secret::{CodexAuth, Liveness, Mode};
use crate::settings::Sourced;

/// What stands at `auth.json`.
enum Live {
    Absent,
    /// Nothing that Codex could log in with: empty, damaged, or a module's stub.
    Wrecked(&'static str),
    Login(Box<CodexAuth>),
}

/// What to do about `auth.json`, and why.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
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

pub fn provision(context: &Context, desired: &mut Desired) -> Vec<Item> {
    let mut items: Vec<Item> = login(context, desired).into_iter().collect();
    items.extend(trust(context, desired));
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
    let live = match file::observe(&path, Kind::Secret) {
        Ok(content) => live(content.as_ref(), record.is_some(), context.now),
        Err(obstacle) => return Some(Item::fail("codex", obstructed(&obstacle, &path))),
    };
    // a copy that cannot be read is no copy
    let last_good = file::observe(&kept_path, Kind::Secret)
        .ok()
        .flatten()
        .and_then(|content| CodexAuth::parse(&content.bytes).ok());
    let Some(seed) = seed else {
        return Some(without_seed(context, &live, record.as_ref(), path, kept_path));
    };
    // unset leaves it as it was: a lease must not get its refresh token back in a shell without the variable
    let lease = context.settings.codex_lease.unwrap_or(record.as_ref().is_some_and(|record| record.lease));
    let now_recorded = CodexRecord {
        seed: Digest::from_hex(&seed.value.digest()),
        account: seed.value.account_digest().map(|hex| Digest::from_hex(&hex)),
        lease,
        origin: seed.origin,
    };
    let undo = context.written("codex.auth", &path);
    // known as ours from its copy alone: see `recovery`
    let recovered = record.is_none() && undo.is_some();
    if recovered {
        record = Some(now_recorded.clone());
    }
    let decision =
        decide(&seed.value, &now_recorded, &live, record.as_ref(), undo, last_good.as_ref(), context.now);
    let item = match decision {
        Decision::Seed(why) => {
            desired.codex = Some(now_recorded);
            written(context, seed, why, lease, path, kept_path)
        }
        Decision::Restore(why) => {
            desired.codex = Some(now_recorded);
            let restored = last_good.map(|auth| if lease { auth.without_refresh_token() } else { auth });
            let bytes = restored.map(|auth| auth.to_json().expose_secret().as_bytes().to_vec());
            Item::warn(
                "codex",
                Finding::new(
                    Code::CodexAuthRestored,
                    format!("the last good login put back: {why}"),
                    "it may be spent if Codex renewed it since; run apply at stop, by cron and before modules that write auth.json",
                ),
                vec![auth_file(context, path, bytes.unwrap_or_default())],
            )
        }
        Decision::Keep(why) => {
            // what the receipt says of the login in place stays true: a lesser source, or a lease that came too late
            // for a login that was renewed, changes nothing of it
            let late_lease = now_recorded.lease && record.as_ref().is_some_and(|record| !record.lease);
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
            let resources =
                if code == Code::CodexLoginNotOurs { Vec::new() } else { keep_copy(&live, kept_path) };
            Item::warn("codex", Finding::new(code, format!("kept: {why}"), hint), resources)
        }
        Decision::LoggedOut => Item::warn(
            "codex",
            Finding::new(
                Code::CodexAuthMissing,
                "not restored: auth.json is gone without a trace, as after `codex logout`",
                "give it a new seed to log in again",
            ),
            Vec::new(),
        ),
    };
    Some(item)
}

/// The freshness rule. Pure.
fn decide(
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
        Live::Wrecked(what) => match better_copy {
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
            // a lease that is asked for, or given up, since: the same seed is written in the other form
            if same_seed && record.lease != now_recorded.lease && !refreshed {
                return Decision::Seed(if now_recorded.lease {
                    "a lease from now on"
                } else {
                    "no lease any more"
                });
            }
            // the variables of the template are gone, and a lesser source shows through: not a new seed
            if same_seed || now_recorded.origin > record.origin {
                return Decision::Keep(if refreshed {
                    "newer than the seed"
                } else {
                    "same seed as last time"
                });
            }
            let dead = |auth: &CodexAuth| matches!(auth.state(now), Liveness::Dead);
            if dead(seed) && !dead(auth) {
                return Decision::KeepInstead(Code::CodexAuthStale, "the new seed has expired already");
            }
            if !auth.same_account(seed) {
                return Decision::Seed("a new seed of another account");
            }
            let untouched = matches!(written, Some(Undo::Whole { wrote, .. }) if *wrote == digest_of(auth));
            let as_new = untouched && !auth.newer_than(seed);
            if as_new || seed.newer_than(auth) || matches!(auth.state(now), Liveness::Dead) {
                Decision::Seed("a new seed")
            } else {
                Decision::KeepInstead(Code::CodexAuthStale, "the login in place is newer than the new seed")
            }
        }
    }
}

fn digest_of(auth: &CodexAuth) -> Digest {
    Digest::of(auth.to_json().expose_secret().as_bytes())
}

fn live(content: Option<&Content>, written_by_us: bool, now: Timestamp) -> Live {
    let Some(content) = content else { return Live::Absent };
    match CodexAuth::parse(&content.bytes) {
        Err(_) if content.bytes.trim_ascii().is_empty() => Live::Wrecked("auth.json was empty"),
        Err(_) => Live::Wrecked("auth.json was no file that Codex can read"),
        Ok(auth) => match auth.state(now) {
            Liveness::Stub => Live::Wrecked("a module had written a stub over it"),
            Liveness::Incomplete(_) => Live::Wrecked("auth.json held no usable login"),
            // only a module writes the bare form over a ChatGPT login: Codex itself names the mode
            _ if written_by_us && auth.is_bare_api_key() && !auth.names_its_mode() => {
                Live::Wrecked("a module had written an API key over it")
            }
            _ => Live::Login(Box::new(auth)),
        },
    }
}

fn without_seed(
    context: &Context,
    live: &Live,
    record: Option<&CodexRecord>,
    path: PathBuf,
    kept_path: PathBuf,
) -> Item {
    let ours = |auth: &CodexAuth| {
        record.is_some_and(|record| auth.account_digest().map(|hex| Digest::from_hex(&hex)) == record.account)
    };
    match live {
        Live::Login(auth) if ours(auth) => kept(context, live, "from the last apply", path, kept_path),
        Live::Login(_) => Item::ready("codex", "left alone: not the login of the last apply", Vec::new()),
        Live::Absent => Item::warn(
            "codex",
            Finding::new(
                Code::CodexAuthMissing,
                "left alone: the login of the last apply is gone, and no seed is set here",
                "to log in again, run `pushready apply` with a new seed",
            ),
            Vec::new(),
        ),
        Live::Wrecked(what) => Item::warn(
            "codex",
            Finding::new(
                Code::CodexAuthClobbered,
                format!("left alone: {what}, and no seed is set here"),
                "run `pushready apply` where PUSHREADY_CODEX_AUTH_JSON is set: restart the workspace",
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
    path: PathBuf,
    kept_path: PathBuf,
) -> Item {
    // a lease is parsed from its own text again: the seed is not cloned
    let json = seed.value.to_json();
    let leased = CodexAuth::parse(json.expose_secret().as_bytes()).ok().filter(|_| lease);
    let leased = leased.map(CodexAuth::without_refresh_token);
    let auth = leased.as_ref().unwrap_or(&seed.value);
    let json = auth.to_json();
    let bytes = json.expose_secret().as_bytes();
    let resources = vec![
        auth_file(context, path, bytes.to_vec()),
        own("codex.last-good", kept_path, Kind::Secret, bytes.to_vec(), 0o600),
    ];
    let say =
        format!("written: {} ({why}{})", described(auth, context.now), if lease { ", lease" } else { "" });
    alive(auth, say, context.now, resources)
}

/// Ready, as far as the file tells; a login that can no longer work is in its place all the same.
fn alive(auth: &CodexAuth, say: String, now: Timestamp, resources: Vec<Resource>) -> Item {
    const HINT: &str = "give it a new seed, made by `CODEX_HOME=$(mktemp -d) codex login --device-auth`";
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
        _ => return Item::ready("codex", say, resources),
    };
    Item { status, ..Item::warn("codex", finding, resources) }
}

fn kept(context: &Context, live: &Live, why: &str, path: PathBuf, kept_path: PathBuf) -> Item {
    let now = context.now;
    let Live::Login(auth) = live else { return Item::ready("codex", why, Vec::new()) };
    let refreshed = auth
        .last_refresh()
        .filter(|_| why == "newer than the seed")
        .map_or(String::new(), |at| format!("refreshed {} ago, ", span(now.duration_since(at))));
    let say = format!("kept: {refreshed}{why}; {}", described(auth, now));
    let mut resources = keep_copy(live, kept_path);
    resources.push(Resource { edit: Edit::Private, ..auth_file(context, path, Vec::new()) });
    alive(auth, say, now, resources)
}

/// Every good login of ours that is seen is kept, for the day on which a module overwrites it.
fn keep_copy(live: &Live, kept_path: PathBuf) -> Vec<Resource> {
    let Live::Login(auth) = live else { return Vec::new() };
    let bytes = auth.to_json().expose_secret().as_bytes().to_vec();
    vec![own("codex.last-good", kept_path, Kind::Secret, bytes, 0o600)]
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

fn auth_file(context: &Context, path: PathBuf, bytes: Vec<u8>) -> Resource {
    let id = context.id("codex.auth", &path);
    let mut resource = own(&id, path, Kind::Secret, bytes, 0o600);
    resource.target.lock = Lock::Codex;
    resource.recorded = true;
    resource
}

/// One block of `[projects]` tables at the end of config.toml, for the folders that are not decided there already.
fn trust(context: &Context, desired: &Desired) -> Option<Item> {
    const ID: &str = "codex.trust";
    let path = context.home.codex.join("config.toml");
    let undo = context.written(ID, &path);
    let written = match undo {
        Some(Undo::Block { written, .. }) => Some(written),
        _ => None,
    };
    if desired.trusted_folders.is_empty() && written.is_none() {
        return None;
    }
    let target = Target {
        path: path.clone(),
        kind: Kind::Shared,
        lock: Lock::None,
        malformed: Code::CodexConfigMalformed,
    };
    let content = match file::observe(&path, Kind::Shared) {
        Ok(content) => content,
        Err(obstacle) => return Some(Item::fail("codex trust", obstructed(&obstacle, &path))),
    };
    let bytes = content.as_ref().map_or(&[][..], |content| &content.bytes);
    // ours is judged apart: the same table twice is invalid TOML, and ours gives way
    let others = written.and_then(|written| block::remove(bytes, written)).unwrap_or_else(|| bytes.to_vec());
    let parsed =
        std::str::from_utf8(&others).ok().and_then(|text| text.parse::<toml_edit::DocumentMut>().ok());
    let Some(parsed) = parsed else {
        return Some(Item::warn(
            "codex trust",
            Finding::new(
                Code::CodexConfigMalformed,
                format!("`{}` does not parse, so no folder was added", path.display()),
                "run `codex login status`: it names the line",
            ),
            Vec::new(),
        ));
    };
    let decided =
        |folder: &String| parsed.get("projects").is_some_and(|projects| projects.get(folder).is_some());
    let mut text = String::new();
    let folders_by_name: BTreeSet<_> = desired.trusted_folders.iter().map(|folder| real(folder)).collect();
    for folder in folders_by_name.iter().filter(|folder| !decided(folder)) {
        let name = toml_edit::Value::from(folder);
        let _ = write!(
            text,
            "[projects.{name}]
trust_level = \"trusted\"
"
        );
    }
    let joined = [parsed.to_string(), text.clone()].join("\n");
    if joined.parse::<toml_edit::DocumentMut>().is_err() {
        return Some(Item::warn(
            "codex trust",
            Finding::new(
                Code::CodexUntrustedFolder,
                format!("`{}` has its projects in a form to which no table can be added", path.display()),
                "write them as `[projects.\"/folder\"]` tables, or trust the folder in Codex once",
            ),
            Vec::new(),
        ));
    }
    let edit = match (text.is_empty(), undo) {
        (true, Some(undo)) => Edit::Revert { undo: undo.clone(), saved: None, descendant: false },
        (true, None) => return None,
        (false, _) => Edit::Block { text, place: block::Place::Tail },
    };
    let resource = Resource { id: context.id(ID, &path), target, edit, recorded: true };
    Some(Item::ready("codex trust", told(&desired.trusted_folders), vec![resource]))
}
