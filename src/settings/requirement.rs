//! What must be there for the workspace to count as ready.

use std::fmt;

use crate::git::url::Repository;
use crate::state::subject::Subject;

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
    /// The item that says that it is missing.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Codex => Subject::Codex,
            Self::Claude => Subject::Claude,
            Self::Push(repository) => Subject::Push(repository.short()),
            Self::Unknown(text) => Subject::Other(text.clone()),
        }
    }

    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            None if text == "codex" => Self::Codex,
            None if text == "claude" => Self::Claude,
            Some(("push", repository)) => Repository::parse_declared(repository)
                .map_or_else(|_| Self::Unknown(crate::git::url::redact(text)), Self::Push),
            _ => Self::Unknown(crate::git::url::redact(text)),
        }
    }
}
