//! The names of the receipt's entries.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::Client;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryName {
    Login(Client),
    /// The configuration of a client: trusted folders, answers to its first prompts.
    Config(Client),
    GitInclude,
    /// The remotes of one clone.
    Remotes,
    SshInclude,
    /// An entry that another version wrote: it is kept, and undone like any other.
    Unknown(String),
}

impl EntryName {
    /// Every name that this version writes.
    fn known() -> impl Iterator<Item = Self> {
        let of_client = |&client| [Self::Login(client), Self::Config(client)];
        let others = [Self::GitInclude, Self::Remotes, Self::SshInclude];
        Client::ALL.iter().flat_map(of_client).chain(others)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Login(client) => client.row().login_entry,
            Self::Config(client) => client.row().config_entry,
            Self::GitInclude => "git.include",
            Self::Remotes => "remotes",
            Self::SshInclude => "ssh.include",
            Self::Unknown(name) => name,
        }
    }

    /// Whether a removal with `--keep-logins` leaves it.
    pub fn is_login(&self) -> bool {
        matches!(self, Self::Login(_))
    }
}

impl Ord for EntryName {
    fn cmp(&self, other: &Self) -> Ordering {
        // what another version wrote comes last
        let is_unknown = |name: &Self| matches!(name, Self::Unknown(_));
        (is_unknown(self), self.as_str()).cmp(&(is_unknown(other), other.as_str()))
    }
}

impl PartialOrd for EntryName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
        match EntryName::known().find(|known| known.as_str() == name) {
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
        assert_eq!(ids[4].name, EntryName::Login(Client::Codex));
        assert_eq!(ids[4].path.as_deref(), Some(Path::new("/with:colon/auth.json")));
        assert_eq!(ids[10], EntryName::Unknown(texts[10].to_owned()).into());
    }
}
