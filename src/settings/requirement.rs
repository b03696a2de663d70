//! What must be there for the workspace to count as ready.

use std::fmt;

use crate::client::Client;
use crate::git::url::Repository;
use crate::state::subject::Subject;

/// What must be there for the workspace to count as ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    Login(Client),
    Push(Repository),
    /// Not understood: never silently met.
    Unknown(String),
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(client) => client.fmt(f),
            Self::Push(repository) => write!(f, "push:{}", repository.short()),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl Requirement {
    /// The item that says that it is missing.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Login(client) => Subject::Login(*client),
            Self::Push(repository) => Subject::Push(repository.short()),
            // it may begin like one that is understood: `push:`
            Self::Unknown(text) => Subject::from(text.as_str()),
        }
    }

    pub fn parse(text: &str) -> Self {
        if let Some(client) = Client::of_id(text) {
            return Self::Login(client);
        }
        match text.split_once(':') {
            Some(("push", repository)) => Repository::parse_declared(repository)
                .map_or_else(|_| Self::Unknown(super::redacted_name(text)), Self::Push),
            _ => Self::Unknown(super::redacted_name(text)),
        }
    }
}
