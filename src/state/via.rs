//! Where a value came from, as it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a secret came from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretOrigin {
    /// A variable, in any of its forms, or standard input.
    Variable,
    SeedFolder,
    /// A variable of another program, which anybody's shell may have.
    OtherVariable,
}

/// The variable or the file of the seed folder that has a value. In JSON it is the text alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Via {
    /// A variable in any of its forms: `NAME_FILE`, `NAME on standard input`.
    Variable(String),
    /// The path of a file in the seed folder, the home as `~`.
    SeedFile(String),
}

impl Via {
    pub fn variable(name: impl Into<String>) -> Self {
        Self::Variable(name.into())
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Variable(text) | Self::SeedFile(text)) = self;
        f.write_str(text)
    }
}

impl From<Via> for String {
    fn from(via: Via) -> Self {
        let (Via::Variable(text) | Via::SeedFile(text)) = via;
        text
    }
}

/// No variable has a slash in its name, and the path of every file in the seed folder has one.
impl From<String> for Via {
    fn from(text: String) -> Self {
        if text.contains('/') { Self::SeedFile(text) } else { Self::Variable(text) }
    }
}
