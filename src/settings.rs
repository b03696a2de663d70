//! Environment, files and standard input, parsed once into values that are valid.
#![expect(clippy::disallowed_methods, reason = "this is the room that opens secrets")]

mod api_tokens;
mod source;

pub use api_tokens::ApiTokens;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use walkdir::WalkDir;

use crate::catalogue::Code;
use crate::env::{Env, expand};
use crate::error::{Finding, Result};
use crate::git_url::Repository;
use crate::home::Home;
use crate::receipt::Origin;
use crate::secret::{Checked, ClaudeToken, CodexAuth, Defect, DeployKey};
use crate::variables;
use source::{Pairs, Source, decode, key_map, place, read_stdin, source_file, text};

const SEED_DEPTH: usize = 12;

/// A value with where it came from.
#[derive(Debug)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: Origin,
    /// The variable or file, as it is shown.
    pub via: String,
}

/// Everything that was asked for in this run. `None`: the variable is unset, and its kind stays as it is.
#[derive(Debug, Default)]
pub struct Settings {
    pub codex: Option<Sourced<CodexAuth>>,
    /// `None`: as the last apply was told.
    pub codex_lease: Option<bool>,
    pub claude: Option<Sourced<ClaudeToken>>,
    pub claude_created: Option<Date>,
    pub keys: Vec<Sourced<(Repository, DeployKey)>>,
    /// Repositories that are named with a blank key: unset, so what is installed for them stays.
    pub keys_unset: Vec<Repository>,
    /// The origins that name deploy keys in this run, and so are the whole truth about theirs.
    pub key_origins: BTreeSet<Origin>,
    pub known_hosts: Option<Vec<String>>,
    pub trusted_folders: Option<Vec<PathBuf>>,
    pub remotes_roots: Option<Vec<PathBuf>>,
    pub require: Option<Vec<Requirement>>,
    pub accept: Vec<Code>,
    pub unclaimed: bool,
    /// Items that were refused, each named without its content.
    pub refused: Vec<RefusedItem>,
    /// What was repaired, what was passed over: for the reader, not failures.
    pub warnings: Vec<String>,
    /// The sources in use.
    pub sources: Vec<String>,
}

/// A value that cannot be used.
#[derive(Debug)]
pub struct RefusedItem {
    /// `codex`, `claude`, `key o/app`.
    pub item: String,
    pub finding: Finding,
    /// The repository whose key it was: what is installed for it stays.
    pub repository: Option<Repository>,
}

/// What must be there for the workspace to count as ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    Codex,
    Claude,
    Push(Repository),
    /// Not understood: never silently met.
    Unknown(String),
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codex => f.write_str("codex"),
            Self::Claude => f.write_str("claude"),
            Self::Push(repository) => write!(f, "push:{}", repository.short()),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl Requirement {
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            None if text == "codex" => Self::Codex,
            None if text == "claude" => Self::Claude,
            Some(("push", repository)) => Repository::parse_declared(repository)
                .map_or_else(|_| Self::Unknown(crate::git_url::redact(text)), Self::Push),
            _ => Self::Unknown(crate::git_url::redact(text)),
        }
    }
}

/// One place in which a secret was found.
struct Found<T = SecretString> {
    text: T,
    origin: Origin,
    via: String,
}

/// A kind of secret: its variables, best first, its file in the seed folder, and how it is named when it is refused.
struct Wanted<'a> {
    item: &'a str,
    repository: Option<&'a Repository>,
    names: &'a [&'a str],
    seed: Option<PathBuf>,
    malformed: Code,
}

/// Reads the sources in their order and gathers what there is to tell about them.
struct Reader<'a> {
    env: &'a Env,
    home: &'a Home,
    stdin: BTreeMap<String, SecretString>,
    seed: PathBuf,
    settings: Settings,
}

impl Settings {
    /// Parses everything that stands in the environment, in the files that it names, in the seed folder and, when
    /// given, in the JSON object on standard input.
    pub fn load(env: &Env, home: &Home, stdin: Option<&mut dyn std::io::Read>) -> Result<Self> {
        let stdin = stdin.map(read_stdin).transpose()?.unwrap_or_default();
        let seed = env
            .get(variables::SEED_DIR)
            .map_or_else(|| home.seed.clone(), |value| expand(&value, &home.path));
        let mut reader = Reader { env, home, stdin, seed, settings: Self::default() };
        reader.settings.unclaimed = env.is_set(variables::UNCLAIMED);
        reader.settings.codex_lease =
            env.text(variables::CODEX_LEASE).map(|_| env.is_set(variables::CODEX_LEASE));
        if !reader.settings.unclaimed {
            reader.codex();
            reader.claude();
        }
        reader.deploy_keys();
        reader.plain();
        reader.unknown_on_stdin();
        reader.guards();
        Ok(reader.settings)
    }
}

impl Reader<'_> {
    fn codex(&mut self) {
        let wanted = Wanted {
            item: "codex",
            repository: None,
            names: &[variables::CODEX_AUTH_JSON],
            seed: Some(self.seed.join("codex-auth.json")),
            malformed: Code::CodexAuthMalformed,
        };
        let Some(found) = self.first(&wanted) else { return };
        let now = self.env.now;
        self.settings.codex = self.check("codex", None, found, |text| CodexAuth::parse_seed(text, now));
    }

    fn claude(&mut self) {
        let wanted = Wanted {
            item: "claude",
            repository: None,
            names: &[variables::CLAUDE_OAUTH_TOKEN, variables::CLAUDE_CODE_OAUTH_TOKEN],
            seed: Some(self.seed.join("claude-oauth-token")),
            malformed: Code::ClaudeTokenMalformed,
        };
        if let Some(found) = self.first(&wanted) {
            self.settings.claude = self.check("claude", None, found, ClaudeToken::parse);
        }
        if let Some(text) = self.env.text(variables::CLAUDE_TOKEN_CREATED) {
            match text.parse() {
                Ok(date) => self.settings.claude_created = Some(date),
                Err(_) => self.warn(format!(
                    "{} is not a date like 2026-01-31: passed over",
                    variables::CLAUDE_TOKEN_CREATED
                )),
            }
        }
    }

    fn deploy_keys(&mut self) {
        let refused = self.settings.refused.len();
        if let Some(found) = self.first(&key_source("deploy keys", None, &[variables::DEPLOY_KEYS])) {
            self.key_map(&found);
        }
        self.single_key();
        self.seeded_keys();
        // what was refused without a name may have named any repository: then nothing that is installed goes
        if self.settings.refused.iter().skip(refused).any(|item| item.repository.is_none()) {
            self.settings.key_origins.clear();
        }
    }

    fn key_map(&mut self, found: &Found) {
        let via = &found.via;
        let (Pairs(pairs), repairs) = match key_map(found.text.expose_secret()) {
            Ok(map) => map,
            Err(error) => {
                return self.refuse(
                    "deploy keys",
                    None,
                    Code::KeyMalformed,
                    format!("{via} is no JSON object: {}", place(&error)),
                    "build it with Terraform's `jsonencode({ \"owner/repo\" = var.key })`",
                );
            }
        };
        if !repairs.is_empty() {
            self.warn(format!("deploy keys: repaired: {} (in {via})", repairs.join(", ")));
        }
        self.settings.key_origins.insert(Origin::Variable);
        for (name, value) in pairs {
            match value {
                Value::String(text) if !text.trim().is_empty() => {
                    self.key(&name, text.into(), Origin::Variable, via.clone());
                }
                other => self.no_key(&name, &other, via),
            }
        }
    }

    /// A repository in the map with something else than a key: blank is unset, the rest is refused.
    fn no_key(&mut self, name: &str, value: &Value, via: &str) {
        let repository = Repository::parse_declared(name).ok();
        let item = repository.as_ref().map_or_else(|| shown_name(name), Repository::short);
        if matches!(value, Value::String(_) | Value::Null) {
            self.warn(format!("key {item}: blank in {via}: left as it is"));
            self.settings.keys_unset.extend(repository);
            return;
        }
        self.refuse(
            &format!("key {item}"),
            repository.as_ref(),
            Code::KeyMalformed,
            format!("its value in {via} is not a string"),
            "give the private key as one JSON string (Terraform: jsonencode)",
        );
    }

    fn single_key(&mut self) {
        let repository = self.env.text(variables::REPOSITORY);
        let parsed = repository.as_deref().and_then(|name| Repository::parse_declared(name).ok());
        let item = parsed.as_ref().map_or_else(|| "key".to_owned(), |known| format!("key {}", known.short()));
        let wanted = key_source(&item, parsed.as_ref(), &[variables::DEPLOY_KEY]);
        let refused = self.settings.refused.len();
        match (self.first(&wanted), repository) {
            (Some(found), Some(name)) => {
                self.settings.key_origins.insert(Origin::Variable);
                self.key(&name, found.text, found.origin, found.via);
            }
            (Some(found), None) => self.refuse(
                "key",
                None,
                Code::KeyMalformed,
                format!("{} is set, but {} is not", found.via, variables::REPOSITORY),
                format!("set {}=owner/repo", variables::REPOSITORY),
            ),
            (None, Some(name)) if self.settings.refused.len() == refused => self.warn(format!(
                "{} names {}, but {} is not set: no key for it from there",
                variables::REPOSITORY,
                shown_name(&name),
                variables::DEPLOY_KEY
            )),
            (None, _) => {}
        }
    }

    /// `deploy-keys/HOST/PATH`; Kubernetes puts its `..data` folders and links beside them.
    fn seeded_keys(&mut self) {
        let root = self.seed.join("deploy-keys");
        if !root.is_dir() {
            return;
        }
        let hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with("..")
        };
        let entries: Vec<_> = WalkDir::new(&root)
            .follow_links(true)
            .max_depth(SEED_DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !hidden(entry))
            .collect();
        self.settings.key_origins.insert(Origin::SeedFolder);
        for entry in entries {
            let (path, source) = match entry {
                Ok(entry) if entry.file_type().is_dir() => continue,
                // `ssh-keygen -f` leaves the public half beside the key
                Ok(entry)
                    if entry.path().extension().is_some_and(|extension| extension == "pub")
                        && entry.path().with_extension("").is_file() =>
                {
                    continue;
                }
                Ok(entry) => {
                    let path = entry.into_path();
                    let source = source_file(&path);
                    (path, source)
                }
                Err(error) => {
                    let path = error.path().unwrap_or(&root).display();
                    let cause =
                        error.io_error().map_or_else(|| "a loop of links".to_owned(), ToString::to_string);
                    let say = format!("cannot read `{path}`: {cause}");
                    self.refuse("deploy keys", None, Code::KeyMalformed, say, "mend it, or take it away");
                    continue;
                }
            };
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let via = self.home.shown(&path);
            match source {
                None => {}
                Some(Ok(text)) => {
                    self.use_source(&self.home.shown(&root));
                    self.key(&name, text, Origin::SeedFolder, via);
                }
                Some(Err((say, hint))) => {
                    let repository = Repository::parse_declared(&name).ok();
                    let item = repository.as_ref().map_or_else(|| shown_name(&name), Repository::short);
                    self.refuse(&format!("key {item}"), repository.as_ref(), Code::KeyMalformed, say, hint);
                }
            }
        }
    }

    fn key(&mut self, name: &str, text: SecretString, origin: Origin, via: String) {
        let repository = match Repository::parse_declared(name) {
            Ok(repository) => repository,
            Err(error) => {
                return self.refuse(
                    &format!("key {}", shown_name(name)),
                    None,
                    Code::KeyMalformed,
                    error.to_string(),
                    "name the repository as `owner/repo`, `host/path/repo` or by its git URL",
                );
            }
        };
        let item = format!("key {}", repository.short());
        let found = Found { text, origin, via };
        let checked = self.check(&item, Some(&repository), found, |text| {
            let Checked { value, mut repairs } = DeployKey::parse(text)?;
            // base64 is a form that we offer, not damage
            repairs.retain(|repair| *repair != "base64 wrapping");
            Ok(Checked { value, repairs })
        });
        let Some(Sourced { value: key, origin, via }) = checked else { return };
        match self.settings.keys.iter().find(|known| known.value.0 == repository) {
            None => self.settings.keys.push(Sourced { value: (repository, key), origin, via }),
            Some(known) if known.value.1.fingerprint() == key.fingerprint() => {}
            Some(known) => {
                let text = format!("{item}: {via} has another key than {}, which is used", known.via);
                self.warn(text);
            }
        }
    }

    fn plain(&mut self) {
        let list = |name: &str, separator: char| -> Option<Vec<String>> {
            let text = self.env.text(name)?;
            Some(
                text.split(separator)
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect(),
            )
        };
        let paths = |name: &str| -> Option<Vec<PathBuf>> {
            let parts = list(name, ':')?;
            Some(parts.iter().map(|part| expand(OsStr::new(part), &self.home.path)).collect())
        };
        self.settings.trusted_folders = paths(variables::TRUSTED_FOLDERS);
        self.settings.remotes_roots = paths(variables::REMOTES_ROOTS);
        self.settings.require = list(variables::REQUIRE, ',')
            .map(|names| names.iter().map(|name| Requirement::parse(name)).collect());
        for name in list(variables::ACCEPT, ',').unwrap_or_default() {
            match name.parse() {
                Ok(code) => self.settings.accept.push(code),
                Err(()) => {
                    self.warn(format!("{} names no known code: {}", variables::ACCEPT, shown_name(&name)));
                }
            }
        }
        self.known_hosts();
    }

    /// What of this environment is not as the agent's will be, or should not be as it is.
    fn guards(&mut self) {
        if let Some(path) = self.env.get(variables::PATH)
            && std::env::split_paths(&path).any(|folder| !folder.is_absolute())
        {
            self.warn(
                "PATH has relative or empty entries: passed over here, but the agent's git and ssh may come from them"
                    .to_owned(),
            );
        }
        if self.env.is_set(variables::CODEX_SANDBOX_NETWORK_DISABLED)
            || self.env.is_set(variables::CODEX_SANDBOX)
        {
            self.warn(format!(
                "{}: this runs inside Codex's sandbox: what fails here may work in a shell of the workspace",
                Code::NetworkSandboxed
            ));
        }
    }

    fn known_hosts(&mut self) {
        let seed = self.seed.join("known_hosts");
        let shown = self.home.shown(&seed);
        let from_seed = match source_file(&seed) {
            None => None,
            Some(Ok(text)) => Some((shown, text.expose_secret().to_owned())),
            Some(Err((say, hint))) => {
                return self.refuse("known_hosts", None, Code::SshHostKeyUnknown, say, hint);
            }
        };
        let from_env =
            self.env.text(variables::KNOWN_HOSTS).map(|text| (variables::KNOWN_HOSTS.to_owned(), text));
        let mut lines = Vec::new();
        let mut any = false;
        for (via, text) in [from_env, from_seed].into_iter().flatten() {
            any = true;
            let text = text.replace("\\n", "\n");
            for (number, line) in text.lines().map(str::trim).enumerate() {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                match line.parse::<ssh_key::known_hosts::Entry>() {
                    Ok(_) if !line.contains(char::is_control) => lines.push(line.to_owned()),
                    _ => self.refuse(
                        "known_hosts",
                        None,
                        Code::SshHostKeyUnknown,
                        format!("line {} of {via} is no known_hosts line", number + 1),
                        "take the line from the server's administrator: `HOST KEYTYPE BASE64`",
                    ),
                }
            }
        }
        if any {
            self.settings.known_hosts = Some(lines);
        }
    }

    /// The first source that is set; others with a different value are named. A first source that cannot be read is
    /// refused, for what stands below it was not meant.
    fn first(&mut self, wanted: &Wanted) -> Option<Found> {
        let mut all = self.all(wanted).into_iter();
        let Found { text, origin, via } = all.next()?;
        for other in all {
            match (&other.text, &text) {
                (Ok(other), Ok(text)) if other.expose_secret().trim() == text.expose_secret().trim() => {}
                _ => self.warn(format!("{} differs from {via}, which is used", other.via)),
            }
        }
        self.use_source(&via);
        match text {
            Ok(text) => Some(Found { text, origin, via }),
            Err((say, hint)) => {
                self.refuse(
                    wanted.item,
                    wanted.repository,
                    wanted.malformed,
                    format!("{say} (in {via})"),
                    hint,
                );
                None
            }
        }
    }

    fn all(&mut self, wanted: &Wanted) -> Vec<Found<Source>> {
        let mut all = Vec::new();
        let mut add = |source: Option<Source>, origin, via: String| {
            all.extend(source.map(|text| Found { text, origin, via }));
        };
        for &name in wanted.names {
            let file_name = format!("{name}_FILE");
            if let Some(value) = self.env.get(&file_name) {
                let path = expand(&value, &self.home.path);
                let source = if source::is_no_path(&value) {
                    Some(Err((
                        "it holds the value itself, and should name a file".to_owned(),
                        format!("set {name} to the value, or {file_name} to the path of a file with it"),
                    )))
                } else {
                    source_file(&path)
                };
                if source.is_none() {
                    let path = crate::git_url::redact(&path.to_string_lossy());
                    self.settings.warnings.push(format!(
                        "{file_name} names `{path}`, which is not there or blank: as if it were unset"
                    ));
                }
                add(source, Origin::Variable, file_name);
            }
            let base64_name = format!("{name}_BASE64");
            if let Some(value) = self.env.text(&base64_name) {
                let source = match decode(&value) {
                    Some(bytes) => text(bytes),
                    None => Some(Err((
                        "it is not base64".to_owned(),
                        "encode it in one piece: `base64 -w0 < FILE`, or Terraform's base64encode()"
                            .to_owned(),
                    ))),
                };
                add(source, Origin::Variable, base64_name);
            }
            if let Some(value) = self.env.get(name) {
                add(text(value.into_encoded_bytes()), Origin::Variable, name.to_owned());
            }
            if let Some(text) = self.stdin.remove(name).filter(|text| !text.expose_secret().trim().is_empty())
            {
                add(Some(Ok(text)), Origin::Variable, format!("{name} on standard input"));
            }
        }
        if let Some(path) = &wanted.seed {
            add(source_file(path), Origin::SeedFolder, self.home.shown(path));
        }
        all
    }

    fn check<T>(
        &mut self,
        item: &str,
        repository: Option<&Repository>,
        found: Found,
        parse: impl FnOnce(&SecretString) -> std::result::Result<Checked<T>, Defect>,
    ) -> Option<Sourced<T>> {
        let Found { text, origin, via } = found;
        match parse(&text) {
            Ok(Checked { value, repairs }) => {
                if !repairs.is_empty() {
                    self.warn(format!("{item}: repaired: {} (in {via})", repairs.join(", ")));
                }
                Some(Sourced { value, origin, via })
            }
            Err(defect) => {
                self.refuse(
                    item,
                    repository,
                    defect.code,
                    format!("{} (in {via})", defect.reason),
                    defect.hint,
                );
                None
            }
        }
    }

    fn use_source(&mut self, via: &str) {
        if !self.settings.sources.iter().any(|known| known == via) {
            self.settings.sources.push(via.to_owned());
        }
    }

    fn refuse(
        &mut self,
        item: &str,
        repository: Option<&Repository>,
        code: Code,
        say: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let finding = Finding::new(code, say, hint);
        self.settings.refused.push(RefusedItem {
            item: item.to_owned(),
            finding,
            repository: repository.cloned(),
        });
    }

    fn warn(&mut self, text: String) {
        self.settings.warnings.push(text);
    }

    fn unknown_on_stdin(&mut self) {
        let left: Vec<_> = self.stdin.keys().filter(|name| !known(name)).cloned().collect();
        for name in left {
            self.warn(format!("standard input names `{}`, which is no secret variable", shown_name(&name)));
        }
    }
}

/// Deploy keys are read from variables one by one; the seed folder has a tree of them.
fn key_source<'a>(item: &'a str, repository: Option<&'a Repository>, names: &'a [&'a str]) -> Wanted<'a> {
    Wanted { item, repository, names, seed: None, malformed: Code::KeyMalformed }
}

fn known(name: &str) -> bool {
    variables::ALL.iter().any(|variable| variable.secret && !variable.shared && variable.name == name)
}

/// A name from outside, in a message: a URL may hold a credential.
fn shown_name(name: &str) -> String {
    let shown: String = crate::git_url::redact(name).escape_debug().take(80).collect();
    format!("`{shown}`")
}
