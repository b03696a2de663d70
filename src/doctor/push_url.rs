//! Where the workspace pushes to.

use std::fmt;

use crate::git::url::{GitUrl, Repository};

/// A place that the workspace pushes to.
#[derive(Clone, Debug)]
pub enum PushUrl {
    /// A repository over SSH.
    Ssh(Repository),
    /// An HTTPS remote of a repository without a key.
    Https(GitUrl),
}

impl PushUrl {
    pub fn host(&self) -> &str {
        match self {
            Self::Ssh(repository) => repository.host(),
            Self::Https(url) => url.repository().map_or("", Repository::host),
        }
    }
}

impl fmt::Display for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh(repository) => f.write_str(&repository.to_ssh()),
            Self::Https(url) => url.fmt(f),
        }
    }
}
