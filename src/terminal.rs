//! What of the output depends on the terminal: its colours, its width, and the line that shows what
//! a run waits for. Without a terminal there are no colours and no such line, and prose is 80
//! columns wide.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::termios::{Winsize, tcgetwinsize};

use crate::env::Env;
use crate::text::{plain, without_commands};
use crate::variables::observed;

/// Without a terminal, and where it does not tell.
const DEFAULT_WIDTH: usize = 80;
/// In fewer columns nobody reads prose: some terminals report 0.
const LEAST_WIDTH: usize = 40;
/// A run that is over by then shows nothing.
/// How a command on a line of its own begins in prose, and nothing else does.
const COMMAND: &str = "      ";
const QUIET: Duration = Duration::from_millis(500);
const REFRESH: Duration = Duration::from_millis(200);

#[expect(clippy::struct_excessive_bools, reason = "four facts, each asked for by itself")]
struct Terminal {
    out: bool,
    err: bool,
    width: Option<usize>,
    /// Of standard error.
    err_width: Option<usize>,
    /// Whether standard error is a terminal that moves its cursor.
    shows_progress: bool,
    /// A runner reads what is printed, and obeys some of it.
    in_workflow: bool,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Decides once, before anything is printed. `forced`: whether to use colours, where the command
/// line says so.
pub fn set_up(forced: Option<bool>, env: &Env) {
    let is_dumb = env.text(observed::TERM).is_none_or(|term| term == "dumb");
    // https://no-color.org: set, and not empty
    let unwanted = env.raw(observed::NO_COLOR).is_some_and(|value| !value.is_empty());
    let colours = |is_terminal: bool| forced.unwrap_or(is_terminal && !is_dumb && !unwanted);
    let (out, err) = (io::stdout(), io::stderr());
    let columns = |size: rustix::io::Result<Winsize>| {
        Some(usize::from(size.ok()?.ws_col)).filter(|width| *width > 0)
    };
    let _ = TERMINAL.set(Terminal {
        out: colours(out.is_terminal()),
        err: colours(err.is_terminal()),
        width: out.is_terminal().then(|| columns(tcgetwinsize(&out))).flatten(),
        err_width: err.is_terminal().then(|| columns(tcgetwinsize(&err))).flatten(),
        shows_progress: err.is_terminal() && !is_dumb,
        in_workflow: env.raw(observed::GITHUB_ACTIONS).is_some(),
    });
}

/// Text as it is printed: a workflow's runner obeys nothing in it.
pub fn printable(text: &str) -> Cow<'_, str> {
    let in_workflow = TERMINAL.get().is_some_and(|terminal| terminal.in_workflow);
    if in_workflow { without_commands(text) } else { text.into() }
}

/// A report for standard output: with colours, where they are wanted.
pub fn for_stdout(text: String) -> String {
    if TERMINAL.get().is_some_and(|terminal| terminal.out) { painted(&text) } else { text }
}

/// The same for standard error, in lines that fit its terminal.
pub fn for_stderr(text: String) -> String {
    let text = match TERMINAL.get().and_then(|terminal| terminal.err_width) {
        Some(width) => wrapped(&text, width.max(LEAST_WIDTH), 2),
        None => text,
    };
    if TERMINAL.get().is_some_and(|terminal| terminal.err) { painted(&text) } else { text }
}

/// A report in lines that fit, be it into 80 columns: the rest of a long line is set off.
pub fn fitted(text: &str) -> String {
    wrapped(text, width(), 2)
}

/// The same of prose, where it is not. Commands on lines of their own stay whole: a terminal breaks
/// them, and a reader copies them as one line.
pub fn fitted_prose(text: &str) -> String {
    let mut fitted = String::with_capacity(text.len());
    for line in text.lines() {
        if line.is_empty() || line.starts_with(COMMAND) {
            fitted.push_str(line);
            fitted.push('\n');
        } else {
            fitted.push_str(&wrapped(line, width(), 0));
        }
    }
    fitted
}

fn width() -> usize {
    let of_terminal = TERMINAL.get().and_then(|terminal| terminal.width);
    of_terminal.unwrap_or(DEFAULT_WIDTH).max(LEAST_WIDTH)
}

/// Lines that a log keeps whole, and that only a terminal breaks.
pub fn fitted_to_terminal(text: String) -> String {
    match TERMINAL.get().and_then(|terminal| terminal.width) {
        Some(width) => wrapped(&text, width.max(LEAST_WIDTH), 2),
        None => text,
    }
}

/// Breaks long lines at blanks. What a reader copies stays whole: a command after `$`, and what is
/// between backticks. `more`: how much further the rest of a line is indented. Pure.
fn wrapped(text: &str, width: usize, more: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.lines() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if line.chars().count() <= width || body.starts_with("$ ") {
            wrapped.push_str(line);
            wrapped.push('\n');
            continue;
        }
        let hanging = match after_name(body) {
            _ if indent == 0 => after_mark(line),
            Some(column) if indent + column <= width / 2 => indent + column,
            _ => indent + more,
        };
        let mut column = indent;
        wrapped.push_str(line.get(..indent).unwrap_or_default());
        for (nth, word) in words(body).into_iter().enumerate() {
            let length = word.chars().count();
            // a mark has more than one blank behind it
            let begins = nth == 0;
            let visible = word.trim_end().chars().count();
            if !begins && column + visible > width && column > hanging {
                while wrapped.ends_with(' ') {
                    wrapped.pop();
                }
                wrapped.push('\n');
                wrapped.extend(std::iter::repeat_n(' ', hanging));
                column = hanging;
            }
            wrapped.push_str(word);
            column += length;
        }
        while wrapped.ends_with(' ') {
            wrapped.pop();
        }
        wrapped.push('\n');
    }
    wrapped
}

/// Where the text of a line begins that starts with a mark in a column of its own.
fn after_mark(line: &str) -> usize {
    const MARK: usize = 9;
    match line.get(..MARK) {
        Some(mark) if mark.ends_with(' ') && !mark.trim_end().contains(' ') => MARK,
        _ => 2,
    }
}

/// Where the text of a row begins whose name is a word in a column of its own.
fn after_name(row: &str) -> Option<usize> {
    let (name, rest) = row.split_once("  ")?;
    let text = rest.trim_start();
    (!name.contains(' ') && !text.is_empty()).then_some(row.len() - text.len())
}

/// The words of a line, each with the blanks behind it.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut start, mut quoted, mut blank) = (Vec::new(), 0, false, false);
    // one that is not closed quotes nothing
    let pairs = line.matches('`').count() / 2 * 2;
    let mut seen = 0;
    for (at, character) in line.char_indices() {
        if blank && character != ' ' {
            words.push(line.get(start..at).unwrap_or_default());
            start = at;
        }
        if character == '`' && seen < pairs {
            quoted = !quoted;
            seen += 1;
        }
        blank = character == ' ' && !quoted;
    }
    words.push(line.get(start..).unwrap_or_default());
    words
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[32m";
const BRIGHT_GREEN: &str = "\u{1b}[1;32m";
const YELLOW: &str = "\u{1b}[33m";
const BRIGHT_YELLOW: &str = "\u{1b}[1;33m";
const CYAN: &str = "\u{1b}[36m";
const RESET: &str = "\u{1b}[0m";

/// How a line of a report begins, longest first where one begins with another.
const PAINTS: &[(&str, &str)] = &[
    ("FAIL ", RED),
    ("warn ", YELLOW),
    ("unknown ", YELLOW),
    ("accepted ", CYAN),
    ("ok ", GREEN),
    ("skip ", DIM),
    ("note ", DIM),
    ("sources ", DIM),
    ("error:", RED),
    ("warning:", YELLOW),
    ("hint:", CYAN),
    ("NOT READY", RED),
    ("NOT ALL REMOVED", RED),
    ("not ready", RED),
    ("READY", BRIGHT_GREEN),
    ("ready", BRIGHT_GREEN),
    ("REMOVED", BRIGHT_GREEN),
    ("OFFLINE CHECKS PASSED", BRIGHT_YELLOW),
    ("CHECKS PASSED", BRIGHT_YELLOW),
    ("NOTHING REQUIRED WAS CHECKED", BRIGHT_YELLOW),
    ("NOTHING CONFIGURED", BRIGHT_YELLOW),
    ("NOTHING TO UNDO", BRIGHT_YELLOW),
    ("UNKNOWN", BRIGHT_YELLOW),
    ("UNCLAIMED", BRIGHT_YELLOW),
    ("WOULD BE READY", BRIGHT_YELLOW),
    ("WOULD REMOVE", BRIGHT_YELLOW),
    ("applied ", BRIGHT_YELLOW),
];

/// The text with the first word of its lines in colour. Nothing depends on it. Text from outside
/// never begins a line. Pure.
fn painted(text: &str) -> String {
    let mut painted = String::with_capacity(text.len() + 200);
    for line in text.split_inclusive('\n') {
        let body = line.trim_start_matches(' ');
        let indent = line.len() - body.len();
        let paint = match indent {
            0 => PAINTS.iter().find(|(begin, _)| line.starts_with(begin)).copied(),
            _ if body.starts_with("fix (") || body.starts_with("fix:") => {
                let end = body.find(':').map_or(0, |at| at + 1);
                Some((body.get(..end).unwrap_or_default(), BOLD))
            }
            _ => None,
        };
        match paint {
            Some((begin, colour)) => {
                let begin = begin.trim_end();
                painted.push_str(line.get(..indent).unwrap_or_default());
                for part in [colour, begin, RESET, body.get(begin.len()..).unwrap_or_default()] {
                    painted.push_str(part);
                }
            }
            None => painted.push_str(line),
        }
    }
    painted
}

/// What the run waits for, oldest first.
static WAITS: Mutex<Vec<(usize, String)>> = Mutex::new(Vec::new());
static NEXT: AtomicUsize = AtomicUsize::new(0);
static SHOWN: AtomicBool = AtomicBool::new(false);
/// Whether the line is on the screen at this moment.
static DRAWN: Mutex<bool> = Mutex::new(false);

/// Something that the run waits for, until it is dropped.
pub struct Wait(Option<usize>);

/// Notes what is waited for, where it may be shown.
pub fn wait_for(what: impl FnOnce() -> String) -> Wait {
    if !SHOWN.load(Ordering::Relaxed) {
        return Wait(None);
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    waits().push((number, what()));
    Wait(Some(number))
}

fn waits() -> MutexGuard<'static, Vec<(usize, String)>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            waits().retain(|(other, _)| *other != number);
        }
    }
}

/// The line on standard error that shows what a long run waits for; it is removed when this is
/// dropped. Nothing where standard error is not a terminal.
pub struct Progress(Option<JoinHandle<()>>);

static ENDED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Removes the line for what is printed while the result is held: it is drawn again after that.
#[must_use]
pub fn hide_progress() -> Option<MutexGuard<'static, bool>> {
    if !SHOWN.load(Ordering::Relaxed) {
        return None;
    }
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    erase(&mut drawn);
    Some(drawn)
}

fn erase(drawn: &mut bool) {
    if std::mem::take(drawn) {
        let _ = write!(io::stderr(), "\r\u{1b}[K");
        let _ = io::stderr().flush();
    }
}

impl Progress {
    /// `quiet`: something else is printed there. `otherwise`: what the run waits for where nothing
    /// else is noted.
    pub fn show(quiet: bool, otherwise: &'static str) -> Self {
        let shows = TERMINAL.get().is_some_and(|terminal| terminal.shows_progress);
        if quiet || !shows {
            return Self(None);
        }
        SHOWN.store(true, Ordering::Relaxed);
        Self(thread::Builder::new().spawn(move || draw(otherwise)).ok())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        SHOWN.store(false, Ordering::Relaxed);
        *ENDED.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        ENDED.1.notify_all();
        let _ = thread.join();
    }
}

fn draw(otherwise: &str) {
    const LONGEST: usize = 60;
    let mut pause = QUIET;
    let mut ended = ENDED.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*ended {
        let waited = ENDED.1.wait_timeout(ended, pause);
        ended = waited.unwrap_or_else(PoisonError::into_inner).0;
        if *ended {
            break;
        }
        pause = REFRESH;
        let what = waits().first().map(|(_, what)| what.clone());
        let what = what.unwrap_or_else(|| otherwise.to_owned());
        let what: String = plain(&what).chars().take(LONGEST).collect();
        let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(io::stderr(), "\r\u{1b}[Kwaiting for {what}");
        let _ = io::stderr().flush();
        *drawn = true;
    }
    erase(&mut DRAWN.lock().unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_where_a_reader_copies_nothing() {
        for (what, text, expected) in [
            ("it fits", "a b c\n", "a b c\n"),
            ("an indent", "  one two three four\n", "  one two three\n    four\n"),
            (
                "a mark",
                "FAIL     code git@host:o/r.git\n",
                "FAIL     code\n         git@host:o/r.git\n",
            ),
            ("a row", "  ab   one two three\n", "  ab   one two\n       three\n"),
            ("a wide row", "  abcdefgh   one two\n", "  abcdefgh\n    one two\n"),
            ("a verdict", "NOT READY code of it (x)\n", "NOT READY code\n  of it (x)\n"),
            ("a command", "  $ one two three four five\n", "  $ one two three four five\n"),
            (
                "backticks",
                "  run `a b c d e f g h` now\n",
                "  run\n    `a b c d e f g h`\n    now\n",
            ),
            ("one backtick", "  run `a bb ccc dddd ee\n", "  run `a bb ccc\n    dddd ee\n"),
            (
                "a long word",
                "  https://example.com/long/path\n",
                "  https://example.com/long/path\n",
            ),
        ] {
            assert_eq!(wrapped(text, 15, 2), expected, "{what}");
        }
    }

    #[test]
    fn a_command_on_a_line_of_its_own_stays_whole_in_prose() {
        let text = format!("fix\n\n  {0}\n\n      git {0}\n", "word ".repeat(20).trim_end());
        let fitted = fitted_prose(&text);
        let lines: Vec<_> = fitted.lines().collect();
        assert_eq!((lines.len(), lines.first()), (6, Some(&"fix")), "{fitted}");
        assert!(lines.last().is_some_and(|line| line.len() > DEFAULT_WIDTH), "{fitted}");
    }

    #[test]
    fn the_beginning_of_a_line_is_painted_and_nothing_else() {
        for (line, expected) in [
            ("FAIL     code x\n", "\u{1b}[1;31mFAIL\u{1b}[0m     code x\n"),
            ("READY 0.1s\n", "\u{1b}[1;32mREADY\u{1b}[0m 0.1s\n"),
            ("   fix (agent): x: y\n", "   \u{1b}[1mfix (agent):\u{1b}[0m x: y\n"),
            ("   FAIL text of a server\n", "   FAIL text of a server\n"),
            ("failure\n", "failure\n"),
        ] {
            assert_eq!(painted(line), expected);
        }
    }
}
