//! Environment, files and standard input, parsed once into values that are valid.

mod api_tokens;
mod deploy_keys;
mod known_hosts;
mod logins;
mod names;
mod plain;
mod reader;
mod requirement;
pub mod source;

pub use api_tokens::ApiTokens;
pub use logins::LoginSettings;
pub use plain::{accepted, required};
pub use requirement::Requirement;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use secrecy::SecretString;

use crate::catalogue::{Code, Finding};
use crate::env::Env;
use crate::error::Result;
use crate::git::url::Repository;
use crate::home::Home;
use crate::secret::DeployKey;
use crate::state::git_identity::GitIdentity;
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::variables;
use source::read_stdin;

/// A value with where it came from.
#[derive(Debug)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: SecretOrigin,
    pub via: Via,
}

/// The lines for known_hosts of one origin.
#[derive(Debug, Default)]
pub struct KnownHosts {
    pub lines: Vec<String>,
    /// Some were refused: the good ones that they were to replace stay.
    pub damaged: bool,
}

/// Everything that was requested in this run. `None`: the variable is unset, and its kind stays as
/// it is.
#[derive(Debug, Default)]
pub struct Settings {
    pub logins: LoginSettings,
    /// The API key that a template hands to every process: what Coder's codex module writes to
    /// `auth.json`, it puts here too.
    pub openai_api_key: Option<SecretString>,
    pub keys: Vec<Sourced<(Repository, DeployKey)>>,
    /// Repositories that are named with a blank key: unset, so what is installed for them stays.
    pub keys_unset: Vec<Repository>,
    /// The origins that name deploy keys in this run, and so are the whole truth about theirs.
    pub key_origins: BTreeSet<SecretOrigin>,
    /// What each origin that is set has for known_hosts.
    pub known_hosts: BTreeMap<SecretOrigin, KnownHosts>,
    pub trusted_folders: Option<Vec<PathBuf>>,
    pub remotes_roots: Option<Vec<PathBuf>>,
    pub require: Option<Vec<Requirement>>,
    pub identity: GitIdentity,
    pub accept: Vec<Code>,
    pub unclaimed: bool,
    /// Items that were refused, each named without its content.
    pub refused: Vec<RefusedItem>,
    /// What was repaired, what was ignored: for the reader, not failures.
    pub warnings: Vec<String>,
    /// The sources in use.
    pub sources: Vec<String>,
    /// The seed folder, where it is another than the home's.
    pub seed: Option<PathBuf>,
}

/// A value that cannot be used.
#[derive(Debug)]
pub struct RefusedItem {
    pub item: Subject,
    pub finding: Finding,
    /// The repository whose key it was: what is installed for it stays.
    pub repository: Option<Repository>,
    pub via: Via,
}

/// One place in which a secret was found.
struct FoundSecret<T = SecretString> {
    text: T,
    origin: SecretOrigin,
    via: Via,
}

/// A kind of secret: its variables, best first, its file in the seed folder, the variables of
/// others that may have it too, and how it is named when it is refused.
struct SecretKind<'a> {
    item: Subject,
    repository: Option<&'a Repository>,
    names: &'a [&'a str],
    seed: Option<PathBuf>,
    fallback: &'a [&'a str],
    malformed: Code,
}

/// Reads the sources in their order and gathers what there is to tell about them.
struct Reader<'a> {
    env: &'a Env,
    home: &'a Home,
    stdin: BTreeMap<String, SecretString>,
    /// `None`: this user cannot enter a folder above the usual one, so that nothing is known of it.
    seed: Option<PathBuf>,
    settings: Settings,
    /// Repositories of which one source has two keys.
    ambiguous: Vec<Repository>,
}

impl Settings {
    /// Parses everything that is in the environment, in the files that it names, in the seed
    /// folder and, when given, in the JSON object on standard input.
    pub fn load(env: &Env, home: &Home, stdin: Option<&mut dyn std::io::Read>) -> Result<Self> {
        let stdin = stdin.map(read_stdin).transpose()?.unwrap_or_default();
        names::check_stdin(&stdin)?;
        let mut reader = Reader::new(env, home, stdin);
        reader.settings.openai_api_key = openai_api_key(env);
        reader.settings.unclaimed = reader.switch(variables::UNCLAIMED).unwrap_or(false);
        reader.seed_folder();
        reader.logins();
        reader.deploy_keys();
        reader.plain();
        reader.misnamed();
        reader.guards();
        Ok(reader.settings)
    }
}

/// What `OPENAI_API_KEY` holds.
pub fn openai_api_key(env: &Env) -> Option<SecretString> {
    env.text(variables::observed::OPENAI_API_KEY).map(Into::into)
}

/// The name of a repository, in a message. One that names none may be a secret that was set in its
/// place.
fn shown_repository(name: &str) -> String {
    match Repository::parse_declared(name) {
        Ok(repository) => format!("`{}`", repository.short()),
        Err(_) if !name.contains('/') || has_user(name) => source::redacted(name.as_ref()),
        Err(_) => shown_name(name),
    }
}

/// Whether a URL has a user, which may be a token, other than the `git` of SSH.
fn has_user(url: &str) -> bool {
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    address.split_once('@').is_some_and(|(user, _)| user != "git")
}

/// A name from outside, in a message.
pub fn shown_name(name: &str) -> String {
    // escaped already
    let shown: String = redacted_name(name).chars().take(80).collect();
    format!("`{shown}`")
}

/// A name as it may be printed: a URL may contain a credential, and of a piece of JSON any part may
/// be the secret.
fn redacted_name(name: &str) -> String {
    if name.contains(['"', '{', '}']) {
        return format!("<{} bytes, not shown>", name.len());
    }
    crate::git::url::redact(name)
}
