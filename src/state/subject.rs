//! What an item of apply's report, and a refused value in the receipt, is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::via::Via;
use crate::client::Client;
use crate::git::url::Repository;

/// What an item is about. It identifies the item; in JSON and for people it is the name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Subject {
    Home,
    Login(Client),
    /// The folders that a client trusts.
    Trust(Client),
    /// The deploy key of a repository, by the repository's short name: `key o/app`.
    Key(String),
    /// `PUSHREADY_DEPLOY_KEY` without a repository.
    KeyOfNoRepository,
    /// All keys in one line of the report.
    Keys,
    /// The map or the folder of deploy keys as a whole.
    DeployKeys,
    /// A key that is no longer configured, and is removed.
    RemovedKey(String),
    KnownHosts,
    Routing,
    SelfTest,
    Git,
    /// Who commits.
    GitIdentity,
    Remotes,
    /// A clone, by its folder.
    Clone(String),
    /// A server of which no host key is known.
    Host(String),
    /// A required repository without a key, by its short name: `push:o/app`.
    Push(String),
    GithubToken,
    /// What another source has for the same subject: `known_hosts (~/seed/known_hosts)`.
    Second(Box<Self>, Via),
    /// Anything else, by its name: a file in a removal, a requirement that is not understood.
    Other(String),
}

impl Subject {
    pub fn key(repository: &Repository) -> Self {
        Self::Key(repository.short())
    }

    /// The subject itself, whichever source it is about.
    pub fn first(&self) -> &Self {
        match self {
            Self::Second(subject, _) => subject.first(),
            subject => subject,
        }
    }

    /// The name in a list of failures, where `key` goes without saying.
    pub fn short(&self) -> String {
        match self {
            Self::Key(name) => name.clone(),
            subject => subject.to_string(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Home => "home",
            Self::Login(client) => client.row().id,
            Self::Trust(client) => return write!(f, "{client} trust"),
            Self::KeyOfNoRepository => "key",
            Self::Keys => "keys",
            Self::DeployKeys => "deploy keys",
            Self::KnownHosts => "known_hosts",
            Self::Routing => "routing",
            Self::SelfTest => "self-test",
            Self::Git => "git",
            Self::GitIdentity => "git identity",
            Self::Remotes => "remotes",
            Self::GithubToken => "GitHub token",
            Self::Other(name) => name,
            Self::Key(name) => return write!(f, "key {name}"),
            Self::RemovedKey(name) => return write!(f, "removed key {name}"),
            Self::Clone(folder) => return write!(f, "clone {folder}"),
            Self::Host(name) => return write!(f, "host {name}"),
            Self::Push(name) => return write!(f, "push:{name}"),
            Self::Second(subject, via) => return write!(f, "{subject} ({via})"),
        })
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl From<&str> for Subject {
    fn from(text: &str) -> Self {
        const PLAIN: [Subject; 11] = [
            Subject::Home,
            Subject::KeyOfNoRepository,
            Subject::Keys,
            Subject::DeployKeys,
            Subject::KnownHosts,
            Subject::Routing,
            Subject::SelfTest,
            Subject::Git,
            Subject::GitIdentity,
            Subject::Remotes,
            Subject::GithubToken,
        ];
        let of_client = |&client| [Self::Login(client), Self::Trust(client)];
        let mut plain = Client::ALL.iter().flat_map(of_client).chain(PLAIN);
        if let Some(plain) = plain.find(|plain| plain.to_string() == text) {
            return plain;
        }
        if let Some((subject, via)) = text.strip_suffix(')').and_then(|text| text.split_once(" ("))
        {
            let via = Via::from(via.to_owned());
            return Self::Second(Box::new(subject.into()), via);
        }
        let named = |prefix| text.strip_prefix(prefix).map(str::to_owned);
        named("key ")
            .map(Self::Key)
            .or_else(|| named("removed key ").map(Self::RemovedKey))
            .or_else(|| named("clone ").map(Self::Clone))
            .or_else(|| named("host ").map(Self::Host))
            .or_else(|| named("push:").map(Self::Push))
            .unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_written_and_read_back() {
        let seed = "~/seed/known_hosts".to_owned();
        for (text, subject) in [
            ("home", Subject::Home),
            ("codex", Subject::Login(Client::Codex)),
            ("codex trust", Subject::Trust(Client::Codex)),
            ("claude", Subject::Login(Client::Claude)),
            ("claude trust", Subject::Trust(Client::Claude)),
            ("key o/app", Subject::Key("o/app".to_owned())),
            ("key `odd (name)`", Subject::Key("`odd (name)`".to_owned())),
            ("key", Subject::KeyOfNoRepository),
            ("keys", Subject::Keys),
            ("deploy keys", Subject::DeployKeys),
            ("removed key o/app", Subject::RemovedKey("o/app".to_owned())),
            ("known_hosts", Subject::KnownHosts),
            (
                "known_hosts (~/seed/known_hosts)",
                Subject::Second(Box::new(Subject::KnownHosts), Via::SeedFile(seed)),
            ),
            ("routing", Subject::Routing),
            ("self-test", Subject::SelfTest),
            ("git", Subject::Git),
            ("git identity", Subject::GitIdentity),
            ("remotes", Subject::Remotes),
            ("clone ~/app", Subject::Clone("~/app".to_owned())),
            ("host git.example.com", Subject::Host("git.example.com".to_owned())),
            ("push:o/app", Subject::Push("o/app".to_owned())),
            ("GitHub token", Subject::GithubToken),
            ("~/.codex/auth.json", Subject::Other("~/.codex/auth.json".to_owned())),
        ] {
            assert_eq!(Subject::from(text), subject);
            assert_eq!(subject.to_string(), text);
        }
    }
}
