//! Claude Code: its token in the form of `claude setup-token`, and the first-run prompts that would
//! block a session.
#![expect(clippy::disallowed_methods, reason = "the token is handed to the file that will hold it")]

use std::fmt;
use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::civil::Date;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::trust::{self, Without};
use super::{Item, ItemStatus, ProvisionContext, span};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::client::Client;
use crate::home::Home;
use crate::resource::digest::Digest;
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Kind};
use crate::resource::json::{object, object_at};
use crate::resource::keys::Key;
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target};
use crate::secret::{ClaudeToken, CredentialsFile};
use crate::settings::Sourced;
use crate::state::logins::ClaudeRecord;
use crate::state::receipt::Desired;
use crate::state::subject::Subject;
use crate::state::via::Via;
use crate::variables;

/// `claude setup-token` makes tokens that live a year.
pub const LIFETIME_DAYS: i64 = 365;

/// The day of a token that is not configured.
pub fn day_without_token(context: &ProvisionContext, desired: &Desired) -> Option<String> {
    let settings = context.settings;
    let is_refused =
        settings.refused.iter().any(|refused| refused.item == Subject::Login(Client::Claude));
    let is_alone = settings.logins.claude_created.is_some() && desired.logins.claude.is_none();
    (is_alone && !is_refused).then(|| {
        "PUSHREADY_CLAUDE_TOKEN_CREATED is set, but there is no token: PUSHREADY_CLAUDE_OAUTH_TOKEN is not set"
            .to_owned()
    })
}

pub fn provision(context: &ProvisionContext, desired: &mut Desired) -> Vec<Item> {
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

/// Whether `.credentials.json` has a login, whoever wrote it.
pub(super) fn has_login(home: &Home) -> bool {
    let content = file::observe(&home.clients.claude.login, Kind::Secret).ok().flatten();
    matches!(
        content.map(|content| CredentialsFile::parse(&content.bytes)),
        Some(CredentialsFile::SetupToken { .. } | CredentialsFile::Login { .. })
    )
}

/// What to do about `.credentials.json`.
#[derive(Debug, PartialEq, Eq)]
enum ClaudeDecision {
    Write,
    InPlace,
    Keep(ClaudeKeepReason),
}

/// Why the file is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaudeKeepReason {
    OtherToken,
    UserLogin,
    Unreadable,
}

impl fmt::Display for ClaudeKeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherToken => "another token is in place that pushready never wrote",
            Self::UserLogin => "somebody logged in with `/login`",
            Self::Unreadable => {
                "it contains no login that Claude Code can read, and somebody may need it"
            }
        })
    }
}

/// Absent, blank or a token that we wrote: write. Anything else belongs to somebody. Pure.
fn decide(
    file: Option<&CredentialsFile>,
    wanted: &Digest,
    last: Option<&ClaudeRecord>,
) -> ClaudeDecision {
    match file {
        None | Some(CredentialsFile::Blank { .. }) => ClaudeDecision::Write,
        Some(CredentialsFile::SetupToken { digest, inference, .. }) => {
            let digest = Digest::from_hex(digest);
            match () {
                () if digest == *wanted && *inference => ClaudeDecision::InPlace,
                () if digest == *wanted || last.is_some_and(|last| last.token == digest) => {
                    ClaudeDecision::Write
                }
                () => ClaudeDecision::Keep(ClaudeKeepReason::OtherToken),
            }
        }
        Some(CredentialsFile::Login { .. }) => ClaudeDecision::Keep(ClaudeKeepReason::UserLogin),
        Some(CredentialsFile::Malformed { .. }) => {
            ClaudeDecision::Keep(ClaudeKeepReason::Unreadable)
        }
    }
}

/// What became of the token of the last apply.
#[derive(Debug, PartialEq, Eq)]
enum LastToken {
    Missing,
    Blanked,
    InPlace,
    Replaced,
}

/// Pure.
fn last_token(file: Option<&CredentialsFile>, record: &ClaudeRecord) -> LastToken {
    match file {
        None => LastToken::Missing,
        Some(CredentialsFile::Blank { .. }) => LastToken::Blanked,
        Some(CredentialsFile::SetupToken { digest, .. })
            if Digest::from_hex(digest) == record.token =>
        {
            LastToken::InPlace
        }
        Some(_) => LastToken::Replaced,
    }
}

pub(super) fn login(context: &ProvisionContext, desired: &mut Desired) -> Option<Item> {
    let path = context.home.clients.claude.login.clone();
    let last = desired.logins.claude.clone();
    // where the better source of the last apply is not set, a lesser one gives no new token
    let is_lesser = |seed: &&Sourced<ClaudeToken>| {
        last.as_ref().is_some_and(|record| record.origin < seed.origin)
    };
    let seed = context.settings.logins.claude.as_ref().filter(|seed| !is_lesser(seed));
    if seed.is_none() && last.is_none() {
        return None;
    }
    let content = match file::observe(&path, Kind::Secret) {
        Ok(content) => content,
        Err(obstacle) => {
            return Some(Item::fail(Subject::Login(Client::Claude), obstacle.finding(&path)));
        }
    };
    let file = content.as_ref().map(|content| CredentialsFile::parse(&content.bytes));
    let Some(seed) = seed else {
        return last.map(|record| without_token(context, path, file.as_ref(), &record));
    };
    let wanted = Digest::from_hex(&seed.value.digest());
    let (verb, will) = match decide(file.as_ref(), &wanted, last.as_ref()) {
        ClaudeDecision::Write => ("written", "would be "),
        ClaudeDecision::InPlace => ("in place", ""),
        ClaudeDecision::Keep(why) => {
            let finding = Finding::new(
                Code::ClaudeAuthConflict,
                format!("kept `{}`: {why}", context.home.shown(&path)),
                super::to_use_seed(&path),
            );
            return Some(Item::warn(Subject::Login(Client::Claude), finding, Vec::new()));
        }
    };
    let today = context.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let known = last.filter(|last| last.token == wanted).map(|last| last.created);
    let record = ClaudeRecord {
        token: wanted,
        created: context.settings.logins.claude_created.or(known).unwrap_or(today),
        origin: seed.origin,
        via: Some(seed.via.clone()),
    };
    let oauth = seed.value.oauth_json();
    let value: Value = serde_json::from_str(oauth.expose_secret()).unwrap_or_default();
    let edit = Edit::Keys(vec![Key { path: vec!["claudeAiOauth".to_owned()], value }]);
    let resource = credentials(context, path, edit).on(content.as_ref());
    let say = format!("{verb}: token from {}{}", seed.via, age(&record, context));
    let item = aged(say, &record, context, vec![resource]);
    desired.logins.claude = Some(record);
    let item = if seed.value.may_be_cut() { cut(item) } else { item };
    let planned = format!("{will}{}", item.summary);
    Some(item.planned(planned))
}

/// No variable names a token: what the last apply wrote stays, and what became of it is reported.
fn without_token(
    context: &ProvisionContext,
    path: PathBuf,
    file: Option<&CredentialsFile>,
    record: &ClaudeRecord,
) -> Item {
    let lost = |code, summary: &str| {
        let variable = || Via::variable(variables::CLAUDE_OAUTH_TOKEN);
        let via = record.via.clone().unwrap_or_else(variable);
        let hint = format!("run `pushready apply` where {via} is set: restart the workspace");
        Item::lost(Subject::Login(Client::Claude), Finding::new(code, summary, hint))
    };
    match last_token(file, record) {
        LastToken::Missing => lost(
            Code::ClaudeTokenMissing,
            "left alone: the token of the last apply is gone, and none is set here",
        ),
        LastToken::Blanked => lost(
            Code::ClaudeAuthBlanked,
            "left alone: the token of the last apply was blanked, and none is set here",
        ),
        LastToken::InPlace => {
            let say = format!("kept from the last apply{}", age(record, context));
            aged(say, record, context, vec![private(context, path)])
        }
        LastToken::Replaced => Item::ready(
            Subject::Login(Client::Claude),
            "left alone: not the token of the last apply",
            Vec::new(),
        ),
    }
}

/// Ready, unless the token must have expired by now.
fn aged(
    say: String,
    record: &ClaudeRecord,
    context: &ProvisionContext,
    resources: Vec<Resource>,
) -> Item {
    if !expires_in(record, context).is_negative() {
        return Item::ready(Subject::Login(Client::Claude), say, resources);
    }
    let hint = "make a new one: `claude setup-token`; if its date is wrong, set PUSHREADY_CLAUDE_TOKEN_CREATED";
    let item = Item::warn(
        Subject::Login(Client::Claude),
        Finding::new(Code::ClaudeTokenExpired, say, hint),
        resources,
    );
    Item { status: ItemStatus::Fail, ..item }
}

/// Written, but perhaps copied from a terminal that broke the token into lines.
fn cut(item: Item) -> Item {
    if item.finding.is_some() {
        return item;
    }
    let summary = format!(
        "{}; it is as long as one line of a terminal: the rest may be missing",
        item.summary
    );
    let hint =
        "compare it with what `claude setup-token` printed, which may go on in a second line";
    Item::warn(
        item.subject,
        Finding::new(Code::ClaudeTokenMalformed, summary, hint),
        item.resources,
    )
}

/// The file as it is, kept private.
fn private(context: &ProvisionContext, path: PathBuf) -> Resource {
    credentials(context, path, Edit::Private)
}

fn credentials(context: &ProvisionContext, path: PathBuf, edit: Edit) -> Resource {
    let id = context.id(EntryName::Login(Client::Claude), &path);
    let target = Target {
        path,
        kind: Kind::Secret,
        lock: Lock::None,
        malformed: Code::ClaudeConfigMalformed,
    };
    Resource::recorded(id, target, edit)
}

fn expires_in(record: &ClaudeRecord, context: &ProvisionContext) -> SignedDuration {
    let today = context.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    end(record).duration_since(today)
}

fn end(record: &ClaudeRecord) -> Date {
    record.created.saturating_add(jiff::Span::new().days(LIFETIME_DAYS))
}

/// `, good until about 2027-11-22`: the token cannot be asked.
fn age(record: &ClaudeRecord, context: &ProvisionContext) -> String {
    let left = expires_in(record, context);
    if left.is_negative() {
        format!(", expired {} ago", span(left))
    } else {
        format!(", good until about {}", end(record))
    }
}

/// Onboarding and trust in `.claude.json`: also where the login comes from
/// `CLAUDE_CODE_OAUTH_TOKEN` alone.
fn prompts(context: &ProvisionContext, desired: &Desired) -> Option<Item> {
    let logged_in = desired.logins.claude.is_some();
    if !logged_in && desired.trusted_folders.is_empty() {
        return None;
    }
    let mut keys = Vec::new();
    if logged_in {
        keys.push(Key { path: vec!["hasCompletedOnboarding".to_owned()], value: json!(true) });
    }
    let (folders, nameless) = trust::names(&desired.trusted_folders);
    let claude_json = file::text(&context.home.clients.claude.config);
    let (odd, folders): (Vec<_>, Vec<_>) =
        folders.into_iter().partition(|folder| barred(&claude_json, folder));
    for folder in &folders {
        keys.push(Key {
            path: vec!["projects".to_owned(), folder.clone(), "hasTrustDialogAccepted".to_owned()],
            value: json!(true),
        });
    }
    let path = context.home.clients.claude.config.clone();
    let id = context.id(EntryName::Config(Client::Claude), &path);
    let target = Target {
        path,
        kind: Kind::Shared,
        lock: Lock::Claude,
        malformed: Code::ClaudeConfigMalformed,
    };
    let resource = Resource::recorded(id, target, Edit::Keys(keys));
    let odd = Without::of(&odd, "whose entry in `.claude.json` is not an object", BARRED);
    let without = nameless.into_iter().chain(odd);
    Some(trust::item(
        Subject::Trust(Client::Claude),
        Code::ClaudeUntrustedFolder,
        folders.len(),
        without,
        vec![resource],
    ))
}

/// The fix for a folder whose place is taken: see [`barred`].
pub const BARRED: &str = "make its entry in `projects` of `.claude.json` an object, or remove it";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::TokenForm;
    use crate::state::via::SecretOrigin;

    fn hex(token: u8) -> String {
        format!("{token:064x}")
    }

    fn record(token: u8) -> ClaudeRecord {
        ClaudeRecord {
            token: Digest::from_hex(&hex(token)),
            created: jiff::civil::date(2026, 11, 1),
            origin: SecretOrigin::Variable,
            via: None,
        }
    }

    fn setup_token(token: u8, inference: bool) -> CredentialsFile {
        CredentialsFile::SetupToken {
            digest: hex(token),
            inference,
            form: TokenForm::Right { digest: hex(token) },
        }
    }

    fn login(token: u8) -> CredentialsFile {
        let digest = hex(token);
        CredentialsFile::Login { digest, inference: true, refreshable: true, expires: None }
    }

    const BLANK: Option<CredentialsFile> = Some(CredentialsFile::Blank { by_client: false });
    const BLANKED: Option<CredentialsFile> = Some(CredentialsFile::Blank { by_client: true });
    const MALFORMED: Option<CredentialsFile> =
        Some(CredentialsFile::Malformed { line: 1, column: 2 });

    /// The token that is wanted is 1, the one of the last apply is 2.
    #[test]
    fn only_an_absent_a_blank_or_an_own_token_is_written() {
        for (file, last, decision) in [
            (None, false, ClaudeDecision::Write),
            (None, true, ClaudeDecision::Write),
            (BLANK, false, ClaudeDecision::Write),
            (BLANKED, true, ClaudeDecision::Write),
            (Some(setup_token(1, true)), false, ClaudeDecision::InPlace),
            (Some(setup_token(1, true)), true, ClaudeDecision::InPlace),
            // Claude Code ignores a token without that scope
            (Some(setup_token(1, false)), false, ClaudeDecision::Write),
            (Some(setup_token(2, true)), true, ClaudeDecision::Write),
            (Some(setup_token(2, true)), false, ClaudeDecision::Keep(ClaudeKeepReason::OtherToken)),
            (Some(setup_token(3, true)), true, ClaudeDecision::Keep(ClaudeKeepReason::OtherToken)),
            (Some(login(1)), true, ClaudeDecision::Keep(ClaudeKeepReason::UserLogin)),
            (Some(login(2)), true, ClaudeDecision::Keep(ClaudeKeepReason::UserLogin)),
            (MALFORMED, true, ClaudeDecision::Keep(ClaudeKeepReason::Unreadable)),
        ] {
            let last = last.then(|| record(2));
            let wanted = Digest::from_hex(&hex(1));
            assert_eq!(
                decide(file.as_ref(), &wanted, last.as_ref()),
                decision,
                "{file:?} {last:?}"
            );
        }
    }

    #[test]
    fn the_token_of_the_last_apply_is_known_by_its_digest() {
        for (file, found) in [
            (None, LastToken::Missing),
            (BLANK, LastToken::Blanked),
            (BLANKED, LastToken::Blanked),
            (Some(setup_token(2, true)), LastToken::InPlace),
            (Some(setup_token(2, false)), LastToken::InPlace),
            (Some(setup_token(3, true)), LastToken::Replaced),
            (Some(login(2)), LastToken::Replaced),
            (MALFORMED, LastToken::Replaced),
        ] {
            assert_eq!(last_token(file.as_ref(), &record(2)), found, "{file:?}");
        }
    }
}
