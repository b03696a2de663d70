//! Errors that end a command, how they are shown, and the exit status.

pub mod panic;
pub mod suggestion;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::catalogue::{Code, Finding};

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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ready => 0,
            Exit::NotReady => 1,
            Exit::Usage => 2,
            Exit::CouldNotRun => 3,
        })
    }
}

/// A path as a word of a command that the reader may paste into a shell.
pub fn shell(path: &Path) -> String {
    word(path.as_os_str().as_bytes())
}

/// The same of any bytes. What must not reach a terminal is written as `$'\x1b'`, which bash, ksh
/// and zsh read.
pub fn word(bytes: &[u8]) -> String {
    let plain = std::str::from_utf8(bytes).ok().filter(|text| !text.contains(is_obeyed));
    if let Some(Ok(word)) = plain.map(shlex::try_quote) {
        return word.into_owned();
    }
    let mut word = "$'".to_owned();
    let escape = |word: &mut String, bytes: &[u8]| {
        for byte in bytes {
            let _ = write!(word, "\\x{byte:02x}");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '\\' => word.extend(['\\', character]),
                odd if is_obeyed(odd) => escape(&mut word, odd.encode_utf8(&mut [0; 4]).as_bytes()),
                other => word.push(other),
            }
        }
        escape(&mut word, chunk.invalid());
    }
    word.push('\'');
    word
}

/// Whether a terminal acts on it instead of showing it: control characters, and those that turn
/// the direction of the text (Unicode, UAX 9).
fn is_obeyed(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line for people: the name of a folder may contain what a terminal acts on, or a line end.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| match character {
        odd if is_obeyed(odd) => odd.escape_default().collect::<String>(),
        other => other.to_string(),
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Adds a line for people to `text`.
pub fn add_line(text: &mut String, line: fmt::Arguments<'_>) {
    text.push_str(&plain(&line.to_string()));
    text.push('\n');
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
        let cause = self.cause.as_ref().map_or(String::new(), |cause| format!(": {cause}"));
        let hint = self.hint.clone().unwrap_or_default();
        self.code.map(|code| Finding::new(code, format!("{}{cause}", self.doing), hint))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_can_still_be_pasted() {
        assert_eq!(plain("a b\u{e9}"), "a b\u{e9}");
        assert_eq!(plain("a\u{1b}[31m\nb\u{202e}c"), "a\\u{1b}[31m\\nb\\u{202e}c");
        for (bytes, quoted) in [
            (&b"/plain"[..], "/plain"),
            (b"/a b", "'/a b'"),
            (b"/a\x1b[31m", "$'/a\\x1b[31m'"),
            (b"/a\nb'\\", "$'/a\\x0ab\\'\\\\'"),
            (b"/\xff\xc3\xa9", "$'/\\xff\u{e9}'"),
            ("/\u{202e}".as_bytes(), "$'/\\xe2\\x80\\xae'"),
        ] {
            assert_eq!(word(bytes), quoted);
            let echoed = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {quoted}")])
                .output();
            assert_eq!(echoed.unwrap().stdout, bytes);
        }
    }
}
