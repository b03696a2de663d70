//! What is put into a home: settings and the last receipt become desired resources, with an item
//! of the report on each.

pub mod claude;
pub mod codex;
pub mod deploy_keys;
pub mod recovery;
pub mod remotes;
pub mod routing;
pub mod trust;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::catalogue::{Actor, Code, Finding};
use crate::client::{Client, ClientRow, LoginFrom};
use crate::env::Env;
use crate::error::Result;
use crate::git::url::Repository;
use crate::home::Home;
use crate::proof::{BinaryPair, GitInputs};
use crate::resource::entry::{EntryId, EntryName};
use crate::resource::file::Kind;
use crate::resource::lock::Lock;
use crate::resource::mount;
use crate::resource::{Bytes, Edit, Resource, Target, Undo};
use crate::settings::{self, KnownHosts, Requirement, Settings};
use crate::state::receipt::{Desired, Receipt, Refused};
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::text::{nearest_name, shell};
use routing::{GitAnswer, Routing};

/// The status of one item of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    Ready,
    Warn,
    Fail,
}

/// Why an item failed, as far as it matters after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemCause {
    /// Something that this run met.
    Met,
    /// The value from there is refused, and stays so until another one is set.
    Value(Via),
    /// A login of the last apply is no longer there. It is not restored, for its user may have
    /// logged out.
    LostLogin,
}

/// One thing that is configured: what there is to report, and the files that it takes.
#[derive(Debug)]
pub struct Item {
    pub subject: Subject,
    pub status: ItemStatus,
    pub summary: String,
    /// The summary of a dry run, where it differs.
    pub planned: Option<String>,
    pub finding: Option<Finding>,
    pub cause: ItemCause,
    pub resources: Vec<Resource>,
}

impl Item {
    pub fn ready(subject: Subject, summary: impl Into<String>, resources: Vec<Resource>) -> Self {
        let (status, cause) = (ItemStatus::Ready, ItemCause::Met);
        let (summary, finding) = (summary.into(), None);
        Self { subject, status, summary, planned: None, finding, cause, resources }
    }

    pub fn fail(subject: Subject, finding: Finding) -> Self {
        Self { status: ItemStatus::Fail, ..Self::warn(subject, finding, Vec::new()) }
    }

    /// A login of the last apply that is gone: nothing is ready without it.
    pub fn lost(subject: Subject, finding: Finding) -> Self {
        Self { cause: ItemCause::LostLogin, ..Self::fail(subject, finding) }
    }

    /// What a dry run reports instead of the summary: `would be written`, not `written`.
    pub fn planned(self, summary: impl Into<String>) -> Self {
        Self { planned: Some(summary.into()), ..self }
    }

    /// It could not be put in place after all.
    pub fn fail_with(&mut self, finding: Finding) {
        self.status = ItemStatus::Fail;
        self.summary.clone_from(&finding.summary);
        self.finding = Some(finding);
    }

    /// What the receipt keeps of it where it failed.
    pub fn refused(&self) -> Option<Refused> {
        let finding = self.finding.as_ref().filter(|_| self.status == ItemStatus::Fail)?;
        let via = match &self.cause {
            ItemCause::Value(via) => Some(via.clone()),
            ItemCause::Met | ItemCause::LostLogin => None,
        };
        Some(Refused { item: self.subject.clone(), code: finding.code, via })
    }

    pub fn warn(subject: Subject, finding: Finding, resources: Vec<Resource>) -> Self {
        let summary = finding.summary.clone();
        let (status, cause) = (ItemStatus::Warn, ItemCause::Met);
        Self { subject, status, summary, planned: None, finding: Some(finding), cause, resources }
    }
}

/// What the stages work with: nothing in it changes during a run.
pub struct ProvisionContext<'a> {
    pub settings: &'a Settings,
    pub home: &'a Home,
    pub receipt: Option<&'a Receipt>,
    /// The hosts with which an earlier run has tested that ssh chooses the right key, where nothing
    /// that ssh depends on has changed since.
    pub proven: Option<usize>,
    /// What git's configuration depends on, where that is known.
    pub git: Option<&'a GitInputs>,
    /// ssh and the shell are what most machines have, and the test after all is written shows whether
    /// they work: they are not tried before.
    pub is_tested_after: bool,
    pub now: Timestamp,
}

impl ProvisionContext<'_> {
    /// What the last apply had configured.
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
    /// What there is to report in addition to the items.
    pub notes: Vec<String>,
    /// The routing that is there already passed its self-test, with so many hosts.
    pub tested: Option<usize>,
    /// What there is to remember of git's rules.
    pub git: Option<GitAnswer>,
    /// It was not tried whether ssh can ask for the key.
    pub untried: bool,
    /// The copy of pushready that is there has the bytes of the running binary.
    pub copy: Option<BinaryPair>,
}

/// Works out what is wanted. Looks at the home, changes nothing.
pub fn desired(context: &ProvisionContext) -> Result<Provision> {
    let mut desired = configured(context);
    let mut notes = context.settings.warnings.clone();
    let mut keys = deploy_keys::provision(context, &mut desired);
    let mut items = std::mem::take(&mut keys.items);
    let mut of_clones = Vec::new();
    let clones = remotes::observe(context, &desired, &keys.routed, &mut of_clones);
    let stored: Vec<_> = clones.iter().flat_map(|clone| clone.stored.clone()).collect();
    let Routing { items: of_routing, in_force, tested, git, untried, copy } =
        routing::provision(context, &desired, &keys.routed, &stored, &mut notes)?;
    items.extend(of_routing);
    items.extend(logins(context, &mut desired));
    notes.extend(of_clones);
    items.extend(remotes::provision(context, &keys, clones, &in_force));
    drop(in_force);
    notes.extend(claude::day_without_token(context, &desired));
    items.extend(keys.removals);
    items.extend(refused(context, &items, &mut desired));
    Ok(Provision { items, desired, notes, tested, git, untried, copy })
}

/// What of it the doctor restates: the same without routing and remotes, of which it asks ssh and
/// git themselves.
pub fn restated(context: &ProvisionContext) -> Provision {
    let mut desired = configured(context);
    let mut items = deploy_keys::provision(context, &mut desired).items;
    items.extend(logins(context, &mut desired));
    items.extend(refused(context, &items, &mut desired));
    Provision {
        items,
        desired,
        notes: Vec::new(),
        tested: None,
        git: None,
        untried: false,
        copy: None,
    }
}

/// The desired state of the last apply, with the plain settings that are set now.
fn configured(context: &ProvisionContext) -> Desired {
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
    desired.identity.set(&context.settings.identity);
    if let Some(require) = require {
        desired.require = require.iter().map(ToString::to_string).collect();
    }
    desired
}

fn logins(context: &ProvisionContext, desired: &mut Desired) -> Vec<Item> {
    let provision = |client: &Client| match client {
        Client::Codex => codex::provision(context, desired),
        Client::Claude => claude::provision(context, desired),
    };
    Client::ALL.iter().flat_map(provision).collect()
}

/// What cannot be put in place: refused by its value, now or by an earlier apply that was given it,
/// or a login that an interrupted run did not come to and that is not set here. `others`: the items
/// so far.
fn refused(context: &ProvisionContext, others: &[Item], desired: &mut Desired) -> Vec<Item> {
    let settings = context.settings;
    let is_refused_now =
        |subject: &Subject| settings.refused.iter().any(|refused| refused.item == *subject);
    let mut items: Vec<Item> = settings
        .refused
        .iter()
        .map(|refused| Item {
            cause: ItemCause::Value(refused.via.clone()),
            ..Item::fail(refused.item.clone(), refused.finding.clone())
        })
        .collect();
    for Refused { item, code, via } in &desired.refused {
        if is_refused_now(item) {
            continue;
        }
        match via {
            // a value that is set again is judged above
            Some(via) if !is_set(settings, item, via) => {
                let summary = "refused by the last apply that had a value for it; none is set here";
                let hint = "run `pushready apply` where its variable has a valid value; or undo everything: `pushready remove`";
                items.push(Item {
                    cause: ItemCause::Value(via.clone()),
                    ..Item::fail(item.clone(), Finding::new(*code, summary, hint))
                });
            }
            None if *code == Code::NotProvisioned
                && !others.iter().any(|other| other.subject == *item) =>
            {
                let summary =
                    "an apply was interrupted before it wrote this login, and it is not set here";
                let hint = "run `pushready apply` where its variable is set: restart the workspace";
                items.push(Item::fail(item.clone(), Finding::new(*code, summary, hint)));
            }
            _ => {}
        }
    }
    desired.refused = items.iter().filter_map(Item::refused).collect();
    items
}

/// Whether another value is set for what was refused, which came from `via`.
fn is_set(settings: &Settings, subject: &Subject, via: &Via) -> bool {
    match subject.first() {
        Subject::Login(client) => settings.logins.via(*client).is_some(),
        Subject::KnownHosts => !settings.known_hosts.is_empty(),
        key if settings.keys.iter().any(|sourced| *key == Subject::key(&sourced.value.0)) => true,
        _ => settings.key_origins.contains(&match via {
            Via::SeedFile(_) => SecretOrigin::SeedFolder,
            Via::Variable(_) => SecretOrigin::Variable,
        }),
    }
}

/// Whether anything is to be put in place by these settings. Without a receipt, nothing else is.
pub fn is_configured(settings: &Settings) -> bool {
    let Settings { keys, refused, known_hosts, trusted_folders, identity, .. } = settings;
    Client::ALL.iter().any(|client| settings.logins.via(*client).is_some())
        || !keys.is_empty()
        || !refused.is_empty()
        || !identity.is_empty()
        || known_hosts.values().any(|hosts| !hosts.lines.is_empty())
        || trusted_folders.as_ref().is_some_and(|folders| !folders.is_empty())
}

/// What the last apply put in place and is gone by now, or can no longer work. Looks at files
/// alone.
pub fn lost(env: &Env, home: &Home, receipt: &Receipt) -> Vec<Refused> {
    let settings =
        Settings { openai_api_key: settings::openai_api_key(env), ..Settings::default() };
    let context = ProvisionContext {
        settings: &settings,
        home,
        receipt: Some(receipt),
        proven: None,
        git: None,
        is_tested_after: false,
        now: env.now,
    };
    let mut desired = receipt.desired.clone();
    let items = Client::ALL.iter().filter_map(|client| match client {
        Client::Codex => codex::login(&context, &mut desired),
        Client::Claude => claude::login(&context, &mut desired),
    });
    let items: Vec<_> = items.collect();
    let logins = items.iter().filter_map(Item::refused);
    let keys = receipt.desired.repositories.iter().filter_map(|record| {
        let code = deploy_keys::lost(home, record)?;
        Some(Refused::new(Subject::key(&record.repository), code))
    });
    logins.chain(keys).chain(routing::lost(home, receipt)).collect()
}

/// Whether the client has a login in its place, ours or that of `codex login`.
pub fn has_login(home: &Home, client: Client, now: Timestamp) -> bool {
    match client {
        Client::Codex => codex::has_login(home, now),
        Client::Claude => claude::has_login(home),
    }
}

/// The requirements that are absent, each once: nothing was ever provisioned for them, nor has
/// somebody else logged in (`has_login`). What `is_refused` already has its own cause.
pub fn unmet(
    desired: &Desired,
    has_login: impl Fn(Client) -> bool,
    is_refused: impl Fn(&Subject) -> bool,
) -> Vec<Requirement> {
    let mut unmet: Vec<Requirement> = Vec::new();
    for requirement in desired.require.iter().map(|text| Requirement::parse(text)) {
        let is_met = match &requirement {
            Requirement::Login(client) => desired.logins.has(*client) || has_login(*client),
            Requirement::Push(repository) => {
                desired.repositories.iter().any(|record| record.repository.same_as(repository))
            }
            Requirement::Unknown(_) => false,
        };
        let subject = requirement.subject();
        let provider = match &requirement {
            Requirement::Push(repository) => Subject::key(repository),
            _ => subject.clone(),
        };
        // named twice is required once
        let is_known = || unmet.iter().any(|known| known.subject() == subject);
        if !is_met && !is_refused(&provider) && !is_known() {
            unmet.push(requirement);
        }
    }
    unmet
}

/// A requirement that nothing was ever provisioned for: a failure of its own, with the command that
/// creates what is missing.
pub fn missing(
    requirement: &Requirement,
    desired: &Desired,
    settings: &Settings,
    home: &Home,
) -> Item {
    let (say, fix) = match requirement {
        Requirement::Login(client) => {
            let ClientRow { id, login, login_from, seed: file, variable, .. } = client.row();
            (
                format!("required, but no {login} was ever provisioned"),
                format!(
                    "{}, or set {variable}",
                    create_secret(id, file, *login_from, settings, home)
                ),
            )
        }
        Requirement::Push(repository) => {
            let say = format!(
                "required, but no deploy key for {} was ever provisioned",
                repository.short()
            );
            let or_misspelt = misspelt(repository, desired).unwrap_or_default();
            (say, add_key(repository, desired, settings, home) + &or_misspelt)
        }
        Requirement::Unknown(_) => unknown_requirement(settings),
    };
    let is_remembered =
        settings.require.is_none() && !matches!(requirement, Requirement::Unknown(_));
    let fix = if is_remembered { format!("{fix}; {NOT_REQUIRED_ANY_MORE}") } else { fix };
    Item::fail(requirement.subject(), Finding::new(Code::RequiredMissing, say, fix))
}

/// For a requirement that only the receipt has, such as a name that was misspelt once.
const NOT_REQUIRED_ANY_MORE: &str = "or, if it is not required any more: PUSHREADY_REQUIRE is not set \
     here and an earlier apply had it, and `PUSHREADY_REQUIRE=, pushready apply` clears it";

/// Who can provide what is missing: a user secret is its user's, the rest is the template's.
pub fn provider_of(requirement: &Requirement, desired: &Desired) -> Actor {
    match requirement {
        Requirement::Login(_) => Actor::WorkspaceUser,
        Requirement::Push(_) if !keys_are_of_variable(desired) => Actor::WorkspaceUser,
        Requirement::Push(_) | Requirement::Unknown(_) => Actor::TemplateAdmin,
    }
}

fn keys_are_of_variable(desired: &Desired) -> bool {
    desired.repositories.iter().any(|record| record.origin == SecretOrigin::Variable)
}

/// How a repository gets a key, where the other keys come from.
fn add_key(repository: &Repository, desired: &Desired, settings: &Settings, home: &Home) -> String {
    let add = "add the repository and its private key to PUSHREADY_DEPLOY_KEYS";
    if keys_are_of_variable(desired) {
        return add.to_owned();
    }
    let (host, path) = (repository.host(), repository.path());
    let name = path.rsplit('/').next().unwrap_or(path);
    let file = format!("deploy-keys/{host}/{path}");
    format!("{}, or {add}", create_secret(name, &file, LoginFrom::File("KEY"), settings, home))
}

/// Whether a repository that is not required has a key, and nearly the name that is.
fn misspelt(repository: &Repository, desired: &Desired) -> Option<String> {
    let required = repository.short();
    let requirements: Vec<_> = desired.require.iter().map(|it| Requirement::parse(it)).collect();
    let is_required = |it: &Repository| {
        let is_it = |one: &_| matches!(one, Requirement::Push(known) if known.same_as(it));
        requirements.iter().any(is_it)
    };
    let keyed = desired.repositories.iter().map(|record| &record.repository);
    let names: Vec<_> = keyed.filter(|it| !is_required(it)).map(Repository::short).collect();
    let nearest = nearest_name(&required, names.iter().map(String::as_str))?;
    Some(format!("; or the name is misspelt: there is a key for {nearest}"))
}

/// The command for a user secret of Coder's that is a file of the seed folder.
fn create_secret(
    name: &str,
    file: &str,
    from: LoginFrom,
    settings: &Settings,
    home: &Home,
) -> String {
    let seed = home.shown(settings.seed.as_ref().unwrap_or(&home.seed));
    let create = format!("coder secret create {name} --file '{seed}/{file}'");
    let create = match from {
        LoginFrom::File(file) => format!("{create} <{file}"),
        LoginFrom::Line(variable) => format!("printf %s \"${variable}\" | {create}"),
    };
    format!("create the user secret with `{create}` and restart the workspace")
}

fn unknown_requirement(settings: &Settings) -> (String, String) {
    let names: Vec<_> = Client::ALL.iter().map(|client| format!("`{client}`")).collect();
    let known = format!("{} and `push:owner/repo`", names.join(", "));
    if settings.require.is_some() {
        let fix = format!("correct PUSHREADY_REQUIRE: it takes {known}, separated by commas");
        return ("PUSHREADY_REQUIRE contains an unknown name".to_owned(), fix);
    }
    let say = "an earlier apply was given this in PUSHREADY_REQUIRE, which is not set here: it is not known";
    let fix = format!(
        "run `PUSHREADY_REQUIRE=… pushready apply` with what is required ({known}), or \
         `PUSHREADY_REQUIRE=, pushready apply` to require nothing"
    );
    (say.to_owned(), fix)
}

/// `1 host`, `2 hosts`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
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
/// How the configured login comes into the place of another one. A mount of the file cannot be
/// removed.
pub fn to_use_seed(path: &Path) -> String {
    match mount::mount(path) {
        Some(_) => format!(
            "to use the seed: mount the folder `{}` instead of the file, and apply again",
            path.parent().unwrap_or(path).display()
        ),
        None => format!("to use the seed: `rm {}` and apply again", shell(path)),
    }
}

fn own(path: PathBuf, kind: Kind, bytes: Vec<u8>, mode: u32) -> Resource {
    let target = Target { path, kind, lock: Lock::None, malformed: Code::NotProvisioned };
    let edit = Edit::Whole { bytes: Bytes::of(kind, bytes), mode, expendable: false };
    Resource::unrecorded(target, edit)
}
