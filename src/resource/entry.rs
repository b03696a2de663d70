//! The names of the receipt's entries.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Which change an entry of the receipt undoes. In JSON it is `codex.auth`, or
/// `codex.auth:/other/folder/auth.json` where there is more than one such file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct EntryId {
    pub name: EntryName,
    /// The file, where the name alone does not tell which it is.
    pub path: Option<PathBuf>,
}

/// What was changed. In the order of the names: a removal goes through it from the last on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryName {
    ClaudeConfig,
    ClaudeCredentials,
    CodexAuth,
    CodexTrust,
    GitInclude,
    /// The remotes of one clone.
    Remotes,
    SshInclude,
    /// An entry that another version wrote: it is kept, and undone like any other.
    Unknown(String),
}

impl EntryName {
    const KNOWN: [Self; 7] = [
        Self::ClaudeConfig,
        Self::ClaudeCredentials,
        Self::CodexAuth,
        Self::CodexTrust,
        Self::GitInclude,
        Self::Remotes,
        Self::SshInclude,
    ];

    fn as_str(&self) -> &str {
        match self {
            Self::ClaudeConfig => "claude.config",
            Self::ClaudeCredentials => "claude.credentials",
            Self::CodexAuth => "codex.auth",
            Self::CodexTrust => "codex.trust",
            Self::GitInclude => "git.include",
            Self::Remotes => "remotes",
            Self::SshInclude => "ssh.include",
            Self::Unknown(name) => name,
        }
    }

    /// Whether a removal with `--keep-logins` leaves it.
    pub fn is_login(&self) -> bool {
        matches!(self, Self::CodexAuth | Self::ClaudeCredentials)
    }
}

impl EntryId {
    pub fn remotes(config: &Path) -> Self {
        Self { name: EntryName::Remotes, path: Some(config.to_owned()) }
    }
}

impl From<EntryName> for EntryId {
    fn from(name: EntryName) -> Self {
        Self { name, path: None }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, ":{}", path.display()))
    }
}

impl From<EntryId> for String {
    fn from(id: EntryId) -> Self {
        id.to_string()
    }
}

impl From<String> for EntryId {
    fn from(text: String) -> Self {
        let (name, path) = match text.split_once(':') {
            Some((name, path)) => (name, Some(PathBuf::from(path))),
            None => (&*text, None),
        };
        match EntryName::KNOWN.into_iter().find(|known| known.as_str() == name) {
            Some(name) => Self { name, path },
            None => EntryName::Unknown(text).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_written_and_read_back_in_the_order_of_the_text() {
        let texts = [
            "claude.config",
            "claude.credentials",
            "claude.credentials:/other/.credentials.json",
            "codex.auth",
            "codex.auth:/with:colon/auth.json",
            "codex.trust",
            "git.include",
            "remotes:/home/coder/app/.git/config",
            "ssh.include",
            // of another version
            "unknown.kind",
            "unknown.kind:/a/file",
        ];
        let ids: Vec<EntryId> = texts.map(|text| text.to_owned().into()).to_vec();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
        assert_eq!(ids[4].name, EntryName::CodexAuth);
        assert_eq!(ids[4].path.as_deref(), Some(Path::new("/with:colon/auth.json")));
        assert_eq!(ids[10], EntryName::Unknown(texts[10].to_owned()).into());
    }
}
