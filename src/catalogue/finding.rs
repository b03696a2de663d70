//! What is wrong, in one sentence, and what to do about it: the one form in which every part of the
//! program reports it.

use std::path::Path;

use serde::Serialize;

use super::Code;

/// Something that is wrong, but does not stop the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// What is wrong: lower case, without a full stop, never a value.
    pub summary: String,
    pub fix: Fix,
}

impl Finding {
    pub fn new(code: Code, summary: impl Into<String>, fix: impl Into<Fix>) -> Self {
        Self { code, summary: summary.into(), fix: fix.into() }
    }
}

/// What to do, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    #[serde(flatten)]
    pub kind: FixKind,
    /// One sentence for people.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FixKind {
    Run { argv: Vec<String> },
    Visit { url: String },
    Edit { path: String },
    Wait,
    Report,
}

impl Fix {
    pub fn run<S: Into<String>>(
        argv: impl IntoIterator<Item = S>,
        message: impl Into<String>,
    ) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self { kind: FixKind::Run { argv }, message: message.into() }
    }

    pub fn visit(url: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: FixKind::Visit { url: url.into() }, message: message.into() }
    }

    pub fn edit(path: &Path, message: impl Into<String>) -> Self {
        Self { kind: FixKind::Edit { path: path.display().to_string() }, message: message.into() }
    }

    pub fn wait(message: impl Into<String>) -> Self {
        Self { kind: FixKind::Wait, message: message.into() }
    }

    pub fn report(message: impl Into<String>) -> Self {
        Self { kind: FixKind::Report, message: message.into() }
    }
}

/// A sentence alone: a person has to carry it out.
impl<T: Into<String>> From<T> for Fix {
    fn from(message: T) -> Self {
        Self::report(message)
    }
}
