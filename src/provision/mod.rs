//! What is put into a home: settings and the last receipt become desired resources, with a line on
//! each for the reader.

pub mod claude;
pub mod codex;
pub mod deploy_keys;
pub mod remotes;
pub mod routing;
pub mod trust;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::env::Env;
use crate::error::Result;
use crate::home::Home;
use crate::resource::entry::{EntryId, EntryName};
use crate::resource::file::Kind;
use crate::resource::lock::Lock;
use crate::resource::{Edit, Resource, Target, Undo};
use crate::settings::{self, KnownHosts, Requirement, Settings};
use crate::state::receipt::{Desired, Origin, Receipt, Refused};
use crate::state::subject::Subject;
use crate::state::via::Via;

/// How one item of the report stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ready,
    Warn,
    Fail,
}

/// One thing that was asked for: what there is to say, and the files that it takes.
#[derive(Debug)]
pub struct Item {
    pub subject: Subject,
    pub status: Status,
    pub say: String,
    pub finding: Option<Finding>,
    pub resources: Vec<Resource>,
}

impl Item {
    pub fn ready(subject: Subject, say: impl Into<String>, resources: Vec<Resource>) -> Self {
        Self { subject, status: Status::Ready, say: say.into(), finding: None, resources }
    }

    pub fn fail(subject: Subject, finding: Finding) -> Self {
        Self { status: Status::Fail, ..Self::warn(subject, finding, Vec::new()) }
    }

    /// What the receipt keeps of it where it failed.
    pub fn refused(&self) -> Option<Refused> {
        let finding = self.finding.as_ref().filter(|_| self.status == Status::Fail)?;
        Some(Refused::new(self.subject.clone(), finding.code))
    }

    pub fn warn(subject: Subject, finding: Finding, resources: Vec<Resource>) -> Self {
        let say = finding.summary.clone();
        Self { subject, status: Status::Warn, say, finding: Some(finding), resources }
    }
}

/// What the stages work with: nothing in it changes during a run.
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub home: &'a Home,
    pub receipt: Option<&'a Receipt>,
    pub now: Timestamp,
}

impl Context<'_> {
    /// What the last apply was asked for.
    fn last(&self) -> Desired {
        self.receipt.map(|receipt| receipt.desired.clone()).unwrap_or_default()
    }

    /// How the receipt would undo what we wrote under this name to this file.
    pub fn written(&self, name: EntryName, path: &Path) -> Option<&Undo> {
        let receipt = self.receipt?;
        Some(&receipt.entries.get(&receipt.id(name, path))?.undo)
    }

    /// The name under which the receipt knows, or will know, the change of this file.
    pub fn id(&self, name: EntryName, path: &Path) -> EntryId {
        match self.receipt {
            Some(receipt) => receipt.id(name, path),
            None => name.into(),
        }
    }
}

/// Everything that is wanted, in the order in which it is to be written.
pub struct Provision {
    pub items: Vec<Item>,
    pub desired: Desired,
    /// What there is to tell besides the items.
    pub notes: Vec<String>,
}

/// Works out what is wanted. Looks at the home, changes nothing.
pub fn desired(context: &Context) -> Result<Provision> {
    let mut desired = asked(context);
    let mut notes = context.settings.warnings.clone();
    let mut keys = deploy_keys::provision(context, &mut desired);
    let mut items = std::mem::take(&mut keys.items);
    let routing = routing::provision(context, &desired, &keys.routed, &mut notes)?;
    items.extend(routing.items);
    items.extend(logins(context, &mut desired));
    items.extend(remotes::provision(context, &desired, &keys, &routing.in_force, &mut notes));
    if context.settings.claude_created.is_some()
        && desired.claude.is_none()
        && !context.settings.refused.iter().any(|refused| refused.item == Subject::Claude)
    {
        notes.push(
            "PUSHREADY_CLAUDE_TOKEN_CREATED is set, but there is no token: PUSHREADY_CLAUDE_OAUTH_TOKEN is not set"
                .to_owned(),
        );
    }
    items.extend(keys.farewells);
    items.extend(refused(context, &items, &mut desired));
    Ok(Provision { items, desired, notes })
}

/// What of it the doctor restates: the same without routing and remotes, of which it asks ssh and
/// git themselves.
pub fn restated(context: &Context) -> Provision {
    let mut desired = asked(context);
    let mut items = deploy_keys::provision(context, &mut desired).items;
    items.extend(logins(context, &mut desired));
    items.extend(refused(context, &items, &mut desired));
    Provision { items, desired, notes: Vec::new() }
}

/// The desired state of the last apply, with the plain settings that are set now.
fn asked(context: &Context) -> Desired {
    let Settings { known_hosts, trusted_folders, remotes_roots, require, .. } = context.settings;
    let mut desired = context.last();
    for (origin, KnownHosts { lines, damaged }) in known_hosts {
        let known = desired.host_keys.entry(*origin).or_default();
        if !damaged {
            known.clear();
        }
        known.extend(lines.iter().cloned());
        known.sort();
        known.dedup();
    }
    desired.host_keys.retain(|_, lines| !lines.is_empty());
    if let Some(folders) = trusted_folders {
        desired.trusted_folders.clone_from(folders);
    }
    if let Some(roots) = remotes_roots {
        desired.remotes_roots.clone_from(roots);
    }
    if let Some(require) = require {
        desired.require = require.iter().map(ToString::to_string).collect();
    }
    desired
}

fn logins(context: &Context, desired: &mut Desired) -> Vec<Item> {
    let mut items: Vec<Item> = codex::provision(context, desired).into_iter().collect();
    items.extend(claude::provision(context, desired));
    items.iter_mut().for_each(gone_is_failed);
    items
}

/// What cannot be put in place: refused by its value, now or by an earlier apply that was given it,
/// or a login that an interrupted run did not come to and that nobody here can give. `others`: the
/// items that stand already.
fn refused(context: &Context, others: &[Item], desired: &mut Desired) -> Vec<Item> {
    let refused = &context.settings.refused;
    let by_value = refused.iter().map(|item| (item.item.clone(), item.finding.clone()));
    let told = |subject: &Subject| {
        others.iter().any(|item| item.subject == *subject)
            || refused.iter().any(|item| item.item == *subject)
    };
    let cut_off = desired
        .refused
        .iter()
        .filter(|item| item.code == Code::NotProvisioned && !told(&item.item));
    let settings = context.settings;
    // a value that is set again is judged above
    let is_given = |Refused { item, via, .. }: &Refused| match item.first() {
        Subject::Codex => settings.codex.is_some(),
        Subject::Claude => settings.claude.is_some(),
        Subject::KnownHosts => !settings.known_hosts.is_empty(),
        item if settings.keys.iter().any(|key| *item == Subject::key(&key.value.0)) => true,
        _ => match via {
            None => !settings.key_origins.is_empty(),
            Some(Via::SeedFile(_)) => settings.key_origins.contains(&Origin::SeedFolder),
            Some(Via::Variable(_)) => settings.key_origins.contains(&Origin::Variable),
        },
    };
    let standing = desired.refused.iter().filter(|last| {
        is_of_value(last.code)
            && !is_given(last)
            && !refused.iter().any(|now| now.item == last.item)
    });
    let standing = standing.map(|Refused { item, code, .. }| {
        let say = "refused by the last apply that was given a value for it; none is set here";
        let hint = "run `pushready apply` where its variable is set, to a good value; or give all up: `pushready remove`";
        (item.clone(), Finding::new(*code, say, hint))
    });
    let cut_off = cut_off.map(|Refused { item, code, .. }| {
        let say = "an apply was interrupted before it wrote this login, and it is not set here";
        let hint = "run `pushready apply` where its variable is set: restart the workspace";
        (item.clone(), Finding::new(*code, say, hint))
    });
    let all: Vec<_> = by_value.chain(standing).chain(cut_off).collect();
    desired.refused =
        all.iter().map(|(item, Finding { code, .. })| Refused::new(item.clone(), *code)).collect();
    all.into_iter().map(|(item, finding)| Item::fail(item, finding)).collect()
}

/// A login that was asked for and is gone: not restored, for its user may have logged out, and
/// nothing is ready without it.
fn gone_is_failed(item: &mut Item) {
    if item.finding.as_ref().is_some_and(|finding| is_gone(finding.code)) {
        item.status = Status::Fail;
    }
}

/// Whether the code is of a value: it stands until another one is given.
fn is_of_value(code: Code) -> bool {
    matches!(
        code,
        Code::CodexAuthMalformed
            | Code::ClaudeTokenMalformed
            | Code::KeyMalformed
            | Code::KeyFormatUnsupported
            | Code::KeyEncrypted
            | Code::KeyWeak
            | Code::SshHostKeyUnknown
    )
}

/// Whether the code says that a login of the last apply is no longer there: what holds now, and not
/// what apply met.
pub fn is_gone(code: Code) -> bool {
    matches!(
        code,
        Code::CodexAuthMissing
            | Code::CodexAuthClobbered
            | Code::CodexAuthMalformed
            | Code::CodexAuthIncomplete
            | Code::ClaudeTokenMissing
            | Code::ClaudeAuthBlanked
    )
}

/// What the last apply put in place and is gone by now, or can no longer work. Looks at files
/// alone.
pub fn lost(env: &Env, home: &Home, receipt: &Receipt) -> Vec<Refused> {
    let settings =
        Settings { openai_api_key: settings::openai_api_key(env), ..Settings::default() };
    let context = Context { settings: &settings, home, receipt: Some(receipt), now: env.now };
    let mut desired = receipt.desired.clone();
    let items = [codex::login(&context, &mut desired), claude::login(&context, &mut desired)];
    let mut items: Vec<_> = items.into_iter().flatten().collect();
    items.iter_mut().for_each(gone_is_failed);
    let logins = items.iter().filter_map(Item::refused);
    let keys = receipt.desired.repositories.iter().filter_map(|record| {
        let code = deploy_keys::lost(home, record)?;
        Some(Refused::new(Subject::key(&record.repository), code))
    });
    logins.chain(keys).chain(routing::lost(home, receipt)).collect()
}

/// Whether what is required is there; a requirement that nobody provisioned is a failure of its
/// own. What `is_refused` already has its own cause.
pub fn unmet(desired: &Desired, is_refused: impl Fn(&Subject) -> bool) -> Vec<Item> {
    let mut missing: Vec<Item> = Vec::new();
    for requirement in desired.require.iter().map(|text| Requirement::parse(text)) {
        let (say, hint) = match &requirement {
            Requirement::Codex if desired.codex.is_none() => (
                "required, but no Codex login was ever provisioned".to_owned(),
                "set PUSHREADY_CODEX_AUTH_JSON, or create the user secret `codex-auth.json` in the seed folder",
            ),
            Requirement::Claude if desired.claude.is_none() => (
                "required, but no Claude Code token was ever provisioned".to_owned(),
                "set PUSHREADY_CLAUDE_OAUTH_TOKEN to the output of `claude setup-token`",
            ),
            Requirement::Push(repository)
                if !desired
                    .repositories
                    .iter()
                    .any(|record| record.repository.same_as(repository)) =>
            {
                let name = repository.short();
                (
                    format!("required, but no deploy key for {name} was ever provisioned"),
                    "add the repository and its private key to PUSHREADY_DEPLOY_KEYS",
                )
            }
            Requirement::Unknown(_) => (
                "PUSHREADY_REQUIRE does not know this".to_owned(),
                "write `codex`, `claude` or `push:owner/repo`, separated by commas",
            ),
            _ => continue,
        };
        let subject = requirement.subject();
        let provider = match &requirement {
            Requirement::Push(repository) => Subject::key(repository),
            _ => subject.clone(),
        };
        // named twice is required once
        if !is_refused(&provider) && !missing.iter().any(|item| item.subject == subject) {
            missing.push(Item::fail(subject, Finding::new(Code::RequiredMissing, say, hint)));
        }
    }
    missing
}

/// `3 h`, `9 d`: a span as people say it.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.abs().as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A file of ours in the state folder.
fn own(path: PathBuf, kind: Kind, bytes: Vec<u8>, mode: u32) -> Resource {
    let target = Target { path, kind, lock: Lock::None, malformed: Code::NotProvisioned };
    let edit = Edit::Whole { bytes: bytes.into(), mode, expendable: false };
    Resource::unrecorded(target, edit)
}
