//! What a `task` command prints: lines for people, the id alone, or one JSON document.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::coder::Backend;
use crate::command::{json, print, print_error};
use crate::document::Header;
use crate::error::{Error, ErrorJson, Exit};
use crate::terminal::{hide_progress, printable};
use crate::text::plain;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    Text,
    Quiet,
    Json,
}

/// The word of an exit status in JSON.
pub const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Ready => "done",
        Exit::NotReady => "failed",
        Exit::Usage => "usage",
        Exit::CouldNotRun => "unavailable",
        Exit::NotPermitted => "auth",
        Exit::NeedsInput => "needs-input",
        Exit::TimedOut => "timed-out",
        Exit::NotServed => "not-served",
    }
}

#[derive(Serialize)]
struct Server {
    url: String,
    version: String,
}

/// The document of every command: the same head, then what the command has to report.
#[derive(Serialize)]
struct Document<'a, T> {
    #[serde(flatten)]
    header: Header,
    command: &'a str,
    server: Option<Server>,
    result: &'static str,
    exit_status: u8,
    #[serde(flatten)]
    body: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson<'a>>,
}

#[derive(Serialize)]
struct Nothing {}

/// Prints the document of a command that came to its end.
pub fn document(command: &str, backend: &Backend, exit: Exit, body: impl Serialize) {
    let server = Server { url: backend.coder.url(), version: backend.version.clone() };
    print(&json(&Document {
        header: Header::new(),
        command,
        server: Some(server),
        result: word(exit),
        exit_status: exit.status(),
        body,
        error: None,
    }));
}

/// Reports an error that ended a command.
pub fn report(command: &str, mode: OutputMode, error: &Error) -> Exit {
    let exit = error.status();
    if mode == OutputMode::Json {
        print(&json(&Document {
            header: Header::new(),
            command,
            server: None,
            result: word(exit),
            exit_status: exit.status(),
            body: Nothing {},
            error: Some(error.for_json()),
        }));
    }
    print_error(error);
    exit
}

/// A line about what goes on: on standard error where standard output is the id or JSON.
pub fn progress(mode: OutputMode, line: &str) {
    let line = format!("{}\n", plain(line));
    match mode {
        OutputMode::Text => print(&line),
        OutputMode::Quiet | OutputMode::Json => {
            let _hidden = hide_progress();
            let _ = std::io::stderr().lock().write_all(printable(&line).as_bytes());
        }
    }
}

/// A warning about the run itself.
pub fn warn(line: &str) {
    let _hidden = hide_progress();
    let line = format!("warning: {}\n", plain(line));
    let _ = std::io::stderr().lock().write_all(printable(&line).as_bytes());
}

/// Text of an agent or a user: its lines, each escaped and on a terminal wrapped, after a head.
pub fn block(head: &str, text: &str) -> String {
    let width = width();
    let mut out = String::new();
    for (index, line) in text.trim_end().lines().enumerate() {
        let line = line.trim_end().replace('\t', "    ");
        let line = plain(&line);
        let first = if index == 0 { head } else { "  " };
        for (number, piece) in
            wrap(&line, width.map(|width| width.saturating_sub(head.len().max(2))))
                .iter()
                .enumerate()
        {
            out.push_str(if number == 0 { first } else { "  " });
            out.push_str(piece);
            out.push('\n');
        }
    }
    out
}

/// The width of the terminal, if the result goes to one.
fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stdout).ok()?;
    (size.ws_col > 20).then(|| usize::from(size.ws_col))
}

/// The pieces of a line of at most so many characters, divided at blanks where there are any.
fn wrap(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| *width > 0) else { return vec![line.to_owned()] };
    let mut pieces = Vec::new();
    let mut rest = line;
    // a line may be megabytes long
    while let Some((end, _)) = rest.char_indices().nth(width) {
        let head = rest.get(..end).unwrap_or(rest);
        let cut = head.rfind(' ').filter(|cut| *cut > 0).unwrap_or(end);
        pieces.push(rest.get(..cut).unwrap_or(rest).to_owned());
        rest = rest.get(cut..).unwrap_or_default().trim_start();
    }
    pieces.push(rest.to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_divided_at_blanks() {
        assert_eq!(wrap("one two three", Some(8)), ["one two", "three"]);
        assert_eq!(wrap("éééééééééé", Some(4)), ["éééé", "éééé", "éé"]);
        assert_eq!(wrap("one two three", None), ["one two three"]);
        assert_eq!(wrap("", Some(4)), [""]);
        // in linear time
        let start = std::time::Instant::now();
        assert_eq!(wrap(&"a".repeat(1 << 24), Some(64)).len(), 1 << 18);
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    }

    #[test]
    fn text_of_an_agent_cannot_control_the_terminal() {
        assert_eq!(
            block("agent: ", "a\u{1b}[2J\nb\tc\u{7}\n"),
            "agent: a\\u{1b}[2J\n  b    c\\u{7}\n"
        );
    }
}
