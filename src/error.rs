//! Errors that end a command, how they are shown, and the exit status.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::catalogue::{Code, Finding};
use crate::text::add_line;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything that is configured is in place.
    Ready,
    /// Something is not ready.
    NotReady,
    /// The command line is wrong.
    Usage,
    /// The command could not run.
    CouldNotRun,
    /// `task`: not logged in, or not permitted.
    NotPermitted,
    /// `task`: the agent needs input.
    NeedsInput,
    /// `task`: the time is over, and the task goes on.
    TimedOut,
    /// `task`: this version of Coder does not serve it.
    NotServed,
}

impl Exit {
    pub const fn status(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::NotReady => 1,
            Self::Usage => 2,
            Self::CouldNotRun => 3,
            Self::NotPermitted => 4,
            Self::NeedsInput => 5,
            Self::TimedOut => 6,
            Self::NotServed => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// What to do about an error of the filesystem.
pub fn fix_for(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => {
            "free some space (`df -h` and `quota` show it) and run it again"
        }
        Kind::ReadOnlyFilesystem => {
            "mount it writable, or name another folder (HOME, XDG_STATE_HOME, CODEX_HOME and CLAUDE_CONFIG_DIR do)"
        }
        Kind::PermissionDenied => {
            "make it writable for this user (`ls -ld` shows its owner and mode)"
        }
        Kind::WouldBlock => {
            "end that program, or wait for it, and run it again; a lock that no program holds can be removed"
        }
        Kind::NotADirectory => "a file is where a folder is needed: move it away",
        Kind::AlreadyExists => "remove what is where the folder is needed (`ls -ld` shows it)",
        _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            "the disk reports an error (`dmesg` shows more): fix it and run it again"
        }
        _ => "see the cause above, and run it again",
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub struct Error {
    /// What was being done, and to which path.
    doing: String,
    cause: Option<String>,
    hint: Option<String>,
    /// What it is in the catalogue: then it is a result, not a failure to run.
    code: Option<Code>,
    exit: Exit,
}

impl Error {
    pub fn new(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), cause: None, hint: None, code: None, exit: Exit::CouldNotRun }
    }

    /// An input or output error at `path` while `verb`ing it (`write`, `read`).
    pub fn io(verb: &str, path: &Path, cause: &io::Error) -> Self {
        let error =
            Self::new(format!("cannot {verb} `{}`", path.display())).because(cause.to_string());
        match cause.kind() {
            io::ErrorKind::ReadOnlyFilesystem => error.code(Code::HomeReadOnly),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                error.code(Code::HomeDiskFull)
            }
            _ => error,
        }
    }

    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Exit status 1: something is not ready, and it has a name.
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self.exit(Exit::NotReady)
    }

    /// The same as a finding, where it is one.
    pub fn finding(&self) -> Option<Finding> {
        let hint = self.hint.clone().unwrap_or_default();
        self.code.map(|code| Finding::new(code, self.line(), hint))
    }

    /// What was not done and why, in one line.
    pub fn line(&self) -> String {
        let cause = self.cause.as_ref().map_or(String::new(), |cause| format!(": {cause}"));
        format!("{}{cause}", self.doing)
    }

    /// The same for JSON.
    pub fn for_json(&self) -> ErrorJson<'_> {
        let Self { doing, cause, hint, code, .. } = self;
        ErrorJson { message: doing, cause: cause.as_deref(), hint: hint.as_deref(), code: *code }
    }

    pub fn status(&self) -> Exit {
        self.exit
    }

    /// `error: …`, `  caused by: …`, a blank line, `hint: …`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        add_line(&mut text, format_args!("error: {}", self.doing));
        if let Some(cause) = &self.cause {
            add_line(&mut text, format_args!("  caused by: {cause}"));
        }
        if let Some(hint) = &self.hint {
            text.push('\n');
            add_line(&mut text, format_args!("hint: {hint}"));
        }
        text
    }
}

/// An error as JSON has it.
#[derive(Debug, Serialize)]
pub struct ErrorJson<'a> {
    pub message: &'a str,
    cause: Option<&'a str>,
    hint: Option<&'a str>,
    code: Option<Code>,
}

pub type Result<T> = std::result::Result<T, Error>;
