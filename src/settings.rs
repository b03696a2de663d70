//! Environment, files and standard input, parsed once into values that are valid. Nothing else reads the environment.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment and opens secrets"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use jiff::civil::Date;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use walkdir::WalkDir;

use crate::catalogue::Code;
use crate::error::{Error, Exit, Finding, Result};
use crate::git_url::Repository;
use crate::home::Home;
use crate::receipt::Origin;
use crate::resource::file::{self, Kind};
use crate::secret::{self, Checked, ClaudeToken, CodexAuth, Defect, DeployKey};
use crate::variables;

/// Larger than any credential; what is larger is not one.
const STDIN_CAP: u64 = 4 * 1024 * 1024;
const SEED_DEPTH: usize = 12;

/// The environment as it was at the start, and the time.
pub struct Env {
    variables: BTreeMap<OsString, OsString>,
    pub now: Timestamp,
}

impl Env {
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect(), now: Timestamp::now() }
    }

    /// The value of a variable; blank is unset, for Coder's modules export empty ones.
    pub fn get(&self, name: &str) -> Option<OsString> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.to_string_lossy().trim().is_empty()).then(|| value.clone())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.to_string_lossy().trim().to_owned())
    }

    fn is_set(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| !matches!(&*value, "0" | "false" | "no"))
    }
}

/// A path with `~` for the home; relative ones are taken from the current folder.
pub fn expand(value: &OsStr, home: &Path) -> PathBuf {
    let path = Path::new(value);
    match path.strip_prefix("~") {
        Ok(rest) if rest.as_os_str().is_empty() => home.to_owned(),
        Ok(rest) => home.join(rest),
        Err(_) => std::path::absolute(path).unwrap_or_else(|_| home.join(path)),
    }
}

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
    pub codex_lease: bool,
    pub claude: Option<Sourced<ClaudeToken>>,
    pub claude_created: Option<Date>,
    pub keys: Vec<Sourced<(Repository, DeployKey)>>,
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
                .map_or_else(|_| Self::Unknown(text.escape_debug().to_string()), Self::Push),
            _ => Self::Unknown(text.escape_debug().to_string()),
        }
    }
}

/// One place in which a secret was found.
struct Found {
    text: SecretString,
    origin: Origin,
    via: String,
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
        reader.settings.codex_lease = env.is_set(variables::CODEX_LEASE);
        if !reader.settings.unclaimed {
            reader.codex();
            reader.claude();
        }
        reader.deploy_keys();
        reader.plain();
        reader.unknown_on_stdin();
        Ok(reader.settings)
    }
}

impl Reader<'_> {
    fn codex(&mut self) {
        let seed = self.seed.join("codex-auth.json");
        let Some(found) = self.first(variables::CODEX_AUTH_JSON, Some(&seed)) else { return };
        let now = self.env.now;
        self.settings.codex = self.check("codex", None, found, |text| CodexAuth::parse_seed(text, now));
    }

    fn claude(&mut self) {
        let seed = self.seed.join("claude-oauth-token");
        let found = self.first(variables::CLAUDE_OAUTH_TOKEN, Some(&seed)).or_else(|| {
            let text = self.env.text(variables::CLAUDE_CODE_OAUTH_TOKEN)?;
            Some(self.used(text.into(), Origin::Variable, variables::CLAUDE_CODE_OAUTH_TOKEN.to_owned()))
        });
        if let Some(found) = found {
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
        if let Some(found) = self.first(variables::DEPLOY_KEYS, None) {
            self.settings.key_origins.insert(Origin::Variable);
            match serde_json::from_str::<Pairs>(found.text.expose_secret()) {
                Ok(Pairs(pairs)) => {
                    for (name, value) in pairs {
                        let via = found.via.clone();
                        match value {
                            Value::String(text) if text.trim().is_empty() => {}
                            Value::String(text) => self.key(&name, text.into(), Origin::Variable, via),
                            _ => self.refuse(
                                &format!("key {}", shown_name(&name)),
                                None,
                                Code::KeyMalformed,
                                "its value is not a string",
                                "give the private key as one JSON string (Terraform: jsonencode)",
                            ),
                        }
                    }
                }
                Err(error) => self.refuse(
                    "deploy keys",
                    None,
                    Code::KeyMalformed,
                    format!("{} is no JSON object: {}", found.via, place(&error)),
                    "build it with Terraform's `jsonencode({ \"owner/repo\" = var.key })`",
                ),
            }
        }
        self.single_key();
        self.seeded_keys();
    }

    fn single_key(&mut self) {
        let repository = self.env.text(variables::REPOSITORY);
        match (self.first(variables::DEPLOY_KEY, None), repository) {
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
            (None, _) => {}
        }
    }

    /// `deploy-keys/HOST/PATH`; Kubernetes puts its `..data` folders and links beside them.
    fn seeded_keys(&mut self) {
        let root = self.seed.join("deploy-keys");
        if !root.is_dir() {
            return;
        }
        self.settings.key_origins.insert(Origin::SeedFolder);
        let hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with("..")
        };
        let files: Vec<_> = WalkDir::new(&root)
            .follow_links(true)
            .max_depth(SEED_DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !hidden(entry))
            .filter_map(std::result::Result::ok)
            .filter(|entry| !entry.file_type().is_dir())
            .map(walkdir::DirEntry::into_path)
            .collect();
        for path in files {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let via = self.home.shown(&path);
            if let Some(text) = self.file(&path, &via) {
                let found = self.used(text, Origin::SeedFolder, via);
                self.key(&name, found.text, found.origin, found.via);
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
                    self.warn(format!(
                        "{} names no known code: `{}`",
                        variables::ACCEPT,
                        name.escape_debug()
                    ));
                }
            }
        }
        self.known_hosts();
    }

    fn known_hosts(&mut self) {
        let seed = self.seed.join("known_hosts");
        let shown = self.home.shown(&seed);
        let from_seed = self.file(&seed, &shown).map(|text| (shown, text.expose_secret().to_owned()));
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

    /// The first source that has the secret; others with a different value are named.
    fn first(&mut self, name: &str, seed: Option<&Path>) -> Option<Found> {
        let mut all = self.all(name, seed).into_iter();
        let first = all.next()?;
        for other in all {
            if other.text.expose_secret().trim() != first.text.expose_secret().trim() {
                self.warn(format!("{} differs from {}, which is used", other.via, first.via));
            }
        }
        Some(self.used(first.text, first.origin, first.via))
    }

    fn all(&mut self, name: &str, seed: Option<&Path>) -> Vec<Found> {
        let mut all = Vec::new();
        let mut add = |text: SecretString, origin, via: String| {
            if !text.expose_secret().trim().is_empty() {
                all.push(Found { text, origin, via });
            }
        };
        let file_name = format!("{name}_FILE");
        if let Some(value) = self.env.get(&file_name) {
            let path = expand(&value, &self.home.path);
            match self.file(&path, &file_name) {
                Some(text) => add(text, Origin::Variable, file_name),
                None => {
                    self.warn(format!("{file_name} names `{}`, which is not there: unset", path.display()));
                }
            }
        }
        let base64_name = format!("{name}_BASE64");
        if let Some(value) = self.env.text(&base64_name) {
            match decode(&value) {
                Some(bytes) => match secret::utf8(bytes, Code::KeyMalformed) {
                    Ok(text) => add(text, Origin::Variable, base64_name),
                    Err(defect) => self.warn(format!("{base64_name}: {}: passed over", defect.reason)),
                },
                None => self.warn(format!("{base64_name} is not base64: passed over")),
            }
        }
        if let Some(value) = self.env.get(name) {
            match value.into_string() {
                Ok(text) => add(text.into(), Origin::Variable, name.to_owned()),
                Err(_) => self.warn(format!("{name} is not UTF-8: passed over")),
            }
        }
        if let Some(text) = self.stdin.remove(name) {
            add(text, Origin::Variable, format!("{name} on standard input"));
        }
        if let Some(path) = seed {
            let shown = self.home.shown(path);
            if let Some(text) = self.file(path, &shown) {
                add(text, Origin::SeedFolder, shown);
            }
        }
        all
    }

    /// The text of a source file, whoever owns it and through whatever links (Kubernetes secrets are links).
    fn file(&mut self, path: &Path, via: &str) -> Option<SecretString> {
        let content = match file::observe(path, Kind::Shared) {
            Ok(content) => content?,
            Err(obstacle) => {
                let (say, _) = obstacle.explain(path);
                self.warn(format!("{via}: {say}: passed over"));
                return None;
            }
        };
        match secret::utf8(content.bytes.to_vec(), Code::KeyMalformed) {
            Ok(text) if text.expose_secret().trim().is_empty() => None,
            Ok(text) => Some(text),
            Err(defect) => {
                self.warn(format!("{via}: {}: passed over", defect.reason));
                None
            }
        }
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

    fn used(&mut self, text: SecretString, origin: Origin, via: String) -> Found {
        if !self.settings.sources.contains(&via) {
            self.settings.sources.push(via.clone());
        }
        Found { text, origin, via }
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

fn known(name: &str) -> bool {
    variables::ALL.iter().any(|variable| variable.secret && variable.name == name)
}

fn read_stdin(stdin: &mut dyn std::io::Read) -> Result<BTreeMap<String, SecretString>> {
    let usage = |cause: String| {
        Error::new("cannot use standard input")
            .because(cause)
            .hint("give one JSON object: {\"PUSHREADY_CODEX_AUTH_JSON\": \"…\"}")
            .exit(Exit::Usage)
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    stdin.take(STDIN_CAP).read_to_string(&mut text).map_err(|error| usage(error.to_string()))?;
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let Pairs(pairs) = serde_json::from_str(&text).map_err(|error| usage(place(&error)))?;
    Ok(pairs
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text.into())),
            // an auth.json or a map of keys may stand there as JSON itself
            value => Some((name, value.to_string().into())),
        })
        .collect())
}

/// serde_json's own texts quote values; the place does not.
fn place(error: &serde_json::Error) -> String {
    let category = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "not an object of distinct names",
        _ => "syntax error",
    };
    format!("{category} at line {}, column {}", error.line(), error.column())
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    compact = compact.replace('-', "+").replace('_', "/");
    while !compact.len().is_multiple_of(4) {
        compact.push('=');
    }
    Base64::decode_vec(&compact).ok()
}

/// A name from outside, in a message: a URL may hold a credential.
fn shown_name(name: &str) -> String {
    let shown: String = crate::git_url::redact(name).escape_debug().take(80).collect();
    format!("`{shown}`")
}

/// A JSON object as the list of its members; a name given twice is an error, not a silent choice.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a name is given twice"));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
