//! Claude Code: its token in the form of `claude setup-token`, and the first-run prompts that would
//! block a session.
#![expect(clippy::disallowed_methods, reason = "the token is handed to the file that will hold it")]

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::civil::Date;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::trust::{self, Without};
use super::{Context, Item, Status, span};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::error::shell;
use crate::resource::digest::Digest;
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Content, Kind};
use crate::resource::json::{object, object_at};
use crate::resource::keys::Key;
use crate::resource::lock::Lock;
use crate::resource::place::Obstacle;
use crate::resource::{Edit, Resource, Target};
use crate::secret::{ClaudeToken, CredentialsFile};
use crate::settings::Sourced;
use crate::state::receipt::{ClaudeRecord, Desired};
use crate::state::subject::Subject;
use crate::state::via::Via;
use crate::variables;

/// `claude setup-token` makes tokens that live a year.
pub const LIFETIME_DAYS: i64 = 365;

pub fn provision(context: &Context, desired: &mut Desired) -> Vec<Item> {
    let login = login(context, desired);
    let prompts = prompts(context, desired);
    match (login, prompts) {
        // one line for both, as long as there is nothing to say about the prompts
        (Some(mut login), Some(mut prompts)) if prompts.finding.is_none() => {
            login.resources.append(&mut prompts.resources);
            vec![login]
        }
        (login, prompts) => login.into_iter().chain(prompts).collect(),
    }
}

/// What to do about `.credentials.json`.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Write,
    InPlace,
    Keep(&'static str),
}

/// Absent, blank or a token that we wrote: write. Anything else is somebody's. Pure.
fn decide(file: &CredentialsFile, wanted: &Digest, last: Option<&ClaudeRecord>) -> Decision {
    match file {
        CredentialsFile::Blank { .. } => Decision::Write,
        CredentialsFile::SetupToken { digest, inference } => {
            let digest = Digest::from_hex(digest);
            match () {
                () if digest == *wanted && *inference => Decision::InPlace,
                () if digest == *wanted || last.is_some_and(|last| last.token == digest) => {
                    Decision::Write
                }
                () => Decision::Keep("another token is in place that pushready never wrote"),
            }
        }
        CredentialsFile::Login { .. } => Decision::Keep("somebody logged in with `/login`"),
        CredentialsFile::Malformed { .. } => {
            Decision::Keep("it holds no login that Claude Code can read, and may be wanted back")
        }
    }
}

pub(super) fn login(context: &Context, desired: &mut Desired) -> Option<Item> {
    let path = context.home.claude.join(".credentials.json");
    // a lesser source that shows through where the better one is gone is no new token
    let lesser = |seed: &Sourced<ClaudeToken>| {
        desired.claude.as_ref().is_some_and(|record| record.origin < seed.origin)
    };
    let Some(seed) = context.settings.claude.as_ref().filter(|seed| !lesser(seed)) else {
        return without_token(
            desired.claude.as_ref()?,
            &file::observe(&path, Kind::Secret),
            context,
            path,
        );
    };
    let wanted = Digest::from_hex(&seed.value.digest());
    let last = desired.claude.clone();
    let content = match file::observe(&path, Kind::Secret) {
        Ok(content) => content,
        Err(obstacle) => return Some(Item::fail(Subject::Claude, obstacle.finding(&path))),
    };
    let file = content.as_ref().map_or(CredentialsFile::Blank { by_client: false }, |content| {
        CredentialsFile::parse(&content.bytes)
    });
    let decision = decide(&file, &wanted, last.as_ref());
    if let Decision::Keep(why) = decision {
        return Some(Item::warn(
            Subject::Claude,
            Finding::new(
                Code::ClaudeAuthConflict,
                format!("kept `{}`: {why}", context.home.shown(&path)),
                format!("to use the seed: `rm {}` and apply again", shell(&path)),
            ),
            Vec::new(),
        ));
    }
    let today = context.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let known = last.filter(|last| last.token == wanted).map(|last| last.created);
    let record = ClaudeRecord {
        token: wanted,
        created: context.settings.claude_created.or(known).unwrap_or(today),
        origin: seed.origin,
        via: Some(seed.via.clone()),
    };
    let oauth = seed.value.oauth_json();
    let value: Value = serde_json::from_str(oauth.expose_secret()).unwrap_or_default();
    let edit = Edit::Keys(vec![Key { path: vec!["claudeAiOauth".to_owned()], value }]);
    let resource = credentials(context, path, edit).on(content.as_ref());
    let verb = if decision == Decision::Write { "written" } else { "in place" };
    let say = format!("{verb}: token from {}{}", seed.via, age(&record, context));
    let item = aged(say, &record, context, vec![resource]);
    desired.claude = Some(record);
    Some(item)
}

/// No variable names a token: what the last apply wrote stays, and what became of it is told.
fn without_token(
    record: &ClaudeRecord,
    found: &Result<Option<Content>, Obstacle>,
    context: &Context,
    path: PathBuf,
) -> Option<Item> {
    let warn = |code, say: &str| {
        let variable = || Via::variable(variables::CLAUDE_OAUTH_TOKEN);
        let via = record.via.clone().unwrap_or_else(variable);
        let hint = format!("run `pushready apply` where {via} is set: restart the workspace");
        Some(Item::warn(Subject::Claude, Finding::new(code, say, hint), Vec::new()))
    };
    let content = match found {
        Ok(content) => content,
        Err(obstacle) => return Some(Item::fail(Subject::Claude, obstacle.finding(&path))),
    };
    match content.as_ref().map(|content| CredentialsFile::parse(&content.bytes)) {
        None => warn(
            Code::ClaudeTokenMissing,
            "left alone: the token of the last apply is gone, and none is set here",
        ),
        Some(CredentialsFile::Blank { .. }) => warn(
            Code::ClaudeAuthBlanked,
            "left alone: the token of the last apply was blanked, and none is set here",
        ),
        Some(CredentialsFile::SetupToken { digest, .. })
            if Digest::from_hex(&digest) == record.token =>
        {
            let say = format!("kept from the last apply{}", age(record, context));
            Some(aged(say, record, context, vec![private(context, path)]))
        }
        Some(_) => Some(Item::ready(
            Subject::Claude,
            "left alone: not the token of the last apply",
            Vec::new(),
        )),
    }
}

/// Ready, unless the token must have expired by now.
fn aged(say: String, record: &ClaudeRecord, context: &Context, resources: Vec<Resource>) -> Item {
    if !expires_in(record, context).is_negative() {
        return Item::ready(Subject::Claude, say, resources);
    }
    let hint = "make a new one: `claude setup-token`; if its date is wrong, set PUSHREADY_CLAUDE_TOKEN_CREATED";
    let item =
        Item::warn(Subject::Claude, Finding::new(Code::ClaudeTokenExpired, say, hint), resources);
    Item { status: Status::Fail, ..item }
}

/// The file as it is, kept private.
fn private(context: &Context, path: PathBuf) -> Resource {
    credentials(context, path, Edit::Private)
}

fn credentials(context: &Context, path: PathBuf, edit: Edit) -> Resource {
    let id = context.id(EntryName::ClaudeCredentials, &path);
    let target = Target {
        path,
        kind: Kind::Secret,
        lock: Lock::None,
        malformed: Code::ClaudeConfigMalformed,
    };
    Resource::recorded(id, target, edit)
}

fn expires_in(record: &ClaudeRecord, context: &Context) -> SignedDuration {
    let today = context.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    end(record).duration_since(today)
}

fn end(record: &ClaudeRecord) -> Date {
    record.created.saturating_add(jiff::Span::new().days(LIFETIME_DAYS))
}

/// `, good until about 2027-11-22`: the token cannot be asked.
fn age(record: &ClaudeRecord, context: &Context) -> String {
    let left = expires_in(record, context);
    if left.is_negative() {
        format!(", expired {} ago", span(left))
    } else {
        format!(", good until about {}", end(record))
    }
}

/// Onboarding and trust in `.claude.json`: also where the login comes from
/// `CLAUDE_CODE_OAUTH_TOKEN` alone.
fn prompts(context: &Context, desired: &Desired) -> Option<Item> {
    let logged_in = desired.claude.is_some();
    if !logged_in && desired.trusted_folders.is_empty() {
        return None;
    }
    let mut keys = Vec::new();
    if logged_in {
        keys.push(Key { path: vec!["hasCompletedOnboarding".to_owned()], value: json!(true) });
    }
    let (folders, nameless) = trust::names(&desired.trusted_folders);
    let claude_json = file::text(&context.home.claude_json);
    let (odd, folders): (Vec<_>, Vec<_>) =
        folders.into_iter().partition(|folder| barred(&claude_json, folder));
    for folder in &folders {
        keys.push(Key {
            path: vec!["projects".to_owned(), folder.clone(), "hasTrustDialogAccepted".to_owned()],
            value: json!(true),
        });
    }
    let path = context.home.claude_json.clone();
    let id = context.id(EntryName::ClaudeConfig, &path);
    let target = Target {
        path,
        kind: Kind::Shared,
        lock: Lock::Claude,
        malformed: Code::ClaudeConfigMalformed,
    };
    let resource = Resource::recorded(id, target, Edit::Keys(keys));
    let odd =
        Without::of(&odd, "for which `.claude.json` holds something else than an object", BARRED);
    let without = nameless.into_iter().chain(odd);
    Some(trust::item(
        Subject::ClaudeTrust,
        Code::ClaudeUntrustedFolder,
        folders.len(),
        without,
        vec![resource],
    ))
}

/// What mends a folder whose place is taken: see [`barred`].
pub const BARRED: &str =
    "put an object in its place among `projects` in `.claude.json`, or nothing";

/// Whether `.claude.json` has something at a folder's place in which nothing can be put.
pub fn barred(claude_json: &str, folder: &str) -> bool {
    let projects =
        object(claude_json).ok().and_then(|root| Some(root.get("projects")?.value.clone()));
    let Some(projects) = projects else { return false };
    let Some(projects) = object_at(claude_json, projects) else { return true };
    projects
        .get(folder)
        .is_some_and(|project| object_at(claude_json, project.value.clone()).is_none())
}
