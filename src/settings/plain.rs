//! What is not a secret, and what is wrong in this environment.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::{Reader, Requirement, shown_name, source};
use crate::catalogue::Code;
use crate::env::{Env, NotASwitch, expand};
use crate::git::url::contains_token;
use crate::state::git_identity::GitIdentity;
use crate::variables;

fn list(env: &Env, name: &str, separator: char) -> Option<Vec<String>> {
    let text = env.text(name)?;
    let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
    Some(parts.map(str::to_owned).collect())
}

/// The codes that are accepted here, and what is not a code.
pub fn accepted(env: &Env) -> (Vec<Code>, Vec<String>) {
    let (mut codes, mut unknown) = (Vec::new(), Vec::new());
    for name in list(env, variables::ACCEPT, ',').unwrap_or_default() {
        match name.parse() {
            Ok(code) => codes.push(code),
            Err(()) => unknown.push(name),
        }
    }
    (codes, unknown)
}

/// What PUSHREADY_REQUIRE names here.
pub fn required(env: &Env) -> Vec<String> {
    list(env, variables::REQUIRE, ',').unwrap_or_default()
}

/// Names and addresses have some 30 bytes; an address has 254 at most (RFC 5321).
const LONGEST_IDENTITY: usize = 254;

impl Reader<'_> {
    pub(super) fn plain(&mut self) {
        let (trusted, roots) =
            (self.folders(variables::TRUSTED_FOLDERS), self.folders(variables::REMOTES_ROOTS));
        self.settings.trusted_folders = trusted;
        self.settings.remotes_roots = roots;
        self.settings.require = list(self.env, variables::REQUIRE, ',')
            .map(|names| names.iter().map(|name| Requirement::parse(name)).collect());
        self.identity();
        let (accept, unknown) = accepted(self.env);
        self.settings.accept = accept;
        for name in unknown {
            self.warn(format!(
                "{} contains an unknown code: {}",
                variables::ACCEPT,
                shown_name(&name)
            ));
        }
        self.known_hosts();
    }

    /// Who commits. Before a workspace is claimed, its user is not the one who will commit.
    fn identity(&mut self) {
        if self.settings.unclaimed {
            return;
        }
        let name = self.of_identity(variables::GIT_NAME);
        let email = self.of_identity(variables::GIT_EMAIL);
        // git takes it where no configuration has one, and ours would take precedence
        let by_variable = self.env.get(variables::observed::EMAIL).is_some();
        let email = email.filter(|_| !by_variable);
        self.settings.identity = GitIdentity { name, email };
    }

    fn of_identity(&mut self, name: &str) -> Option<String> {
        let text = self.env.text(name)?;
        // git leaves these out at both ends, and refuses what has no other character (ident.c)
        let is_left_out = |c: char| c.is_whitespace() || ".,:;\"\\'".contains(c);
        // these everywhere: `Jane <jane>` of an identity provider becomes `Jane jane`
        let text: String = text.replace('\t', " ").replace(['<', '>', '\n', '\r'], "");
        let text = text.trim().to_owned();
        if text.contains(char::is_control) || text.chars().all(is_left_out) {
            self.warn(format!("{name} is ignored: git cannot use it for commits"));
            return None;
        }
        // it would be in every commit
        if text.len() > LONGEST_IDENTITY || contains_token(&text) {
            self.warn(format!("{name} is ignored: it contains a token, or is too long"));
            return None;
        }
        Some(text)
    }

    /// A switch; `None`: it is unset. Any other value counts as on: a lease gives no refresh token
    /// out, and a workspace that is not claimed gets nobody's login.
    pub(super) fn switch(&mut self, name: &str) -> Option<bool> {
        self.env.switch(name).unwrap_or_else(|NotASwitch| {
            self.warn(format!(
                "{name} is neither 1, true, yes, on nor 0, false, no, off: it is treated as 1"
            ));
            Some(true)
        })
    }

    /// One that is named should be there. (One that cannot be read is reported with each thing that is
    /// looked for in it.)
    pub(super) fn seed_folder(&mut self) {
        if let Some(value) =
            self.env.get(variables::SEED_DIR).filter(|value| source::is_not_a_path(value))
        {
            self.warn(format!(
                "{} is not the path of a folder ({}): it is treated as unset",
                variables::SEED_DIR,
                source::redacted(&value)
            ));
            return;
        }
        let Some(seed) = self.seed.clone() else { return };
        let error = std::fs::metadata(&seed).err().map(|error| error.kind());
        let value = self.env.get(variables::SEED_DIR);
        if value.is_none() && error == Some(std::io::ErrorKind::PermissionDenied) {
            // nobody said that there is one; what was seeded before stays as it is
            self.seed = None;
            self.warn(format!(
                "this user cannot enter a folder above `{}`: no seeds are read",
                self.home.shown(&seed)
            ));
        }
        if let Some(value) = value
            && error == Some(std::io::ErrorKind::NotFound)
        {
            let shown = if source::is_printable_path(&value) {
                format!("`{}`", self.home.shown(&seed))
            } else {
                source::redacted(&value)
            };
            self.warn(format!(
                "{} names {shown}, which does not exist: no seeds are read",
                variables::SEED_DIR
            ));
        }
    }

    /// Folders, `:`-separated as in PATH.
    fn folders(&mut self, name: &str) -> Option<Vec<PathBuf>> {
        let value = self.env.get(name)?;
        let parts = value.as_bytes().split(|&byte| byte == b':').map(<[u8]>::trim_ascii);
        let parts = parts.filter(|part| !part.is_empty());
        let is_path =
            |part: &&[u8]| part.starts_with(b"/") || *part == b"~" || part.starts_with(b"~/");
        let (paths, others): (Vec<_>, Vec<_>) = parts.partition(is_path);
        for other in others {
            let other = OsStr::from_bytes(other);
            let text = other.to_string_lossy();
            let shown = if source::is_not_a_path(other) || !text.contains('/') {
                source::redacted(other)
            } else {
                shown_name(&text)
            };
            self.warn(format!(
                "{name}: {shown} is ignored: the path of a folder starts with `/` or `~/`"
            ));
        }
        let folders =
            paths.into_iter().map(|part| expand(OsStr::from_bytes(part), &self.home.path));
        let (named, nameless): (Vec<_>, Vec<_>) =
            folders.partition(|folder| folder.to_str().is_some());
        for folder in nameless {
            self.warn(format!("{name}: `{}` is ignored: its path is not UTF-8", folder.display()));
        }
        Some(named)
    }

    /// What of this environment is not as the agent's will be, or should not be as it is.
    pub(super) fn guards(&mut self) {
        if let Some(path) = self.env.get(variables::PATH)
            && std::env::split_paths(&path).any(|folder| !folder.is_absolute())
        {
            self.warn(
                "PATH has relative or empty entries: pushready ignores them, but the agent's git and ssh may come from them"
                    .to_owned(),
            );
        }
        if self.env.is_set(variables::CODEX_SANDBOX_NETWORK_DISABLED)
            || self.env.is_set(variables::CODEX_SANDBOX)
        {
            self.warn(format!(
                "{}: pushready runs inside Codex's sandbox: what fails here may work in a shell of the workspace",
                Code::NetworkSandboxed
            ));
        }
    }
}
