//! Removes what a log puts before each line: a time, a bar, the name of a container or a step.
//!
//! A prefix is removed only where git's own lines have one too: a pre-push hook may print a log of
//! its own above git's bare lines.

use std::borrow::Cow;

/// How a line begins that git prints, or that it passes on from the server.
const OF_GIT: [&str; 11] = [
    "fatal:",
    "error:",
    "remote:",
    "hint:",
    "warning:",
    "To ",
    "From ",
    "! [",
    "!\t",
    "Everything up-to-date",
    "ERROR: ",
];
/// Of these, what other programs begin their own last line with.
const ALSO_OF_OTHERS: [&str; 1] = ["ERROR: "];
/// Longer than any prefix of a log.
const LONGEST: usize = 200;
/// Lines with an unknown prefix before git's words that are tried: each costs one pass.
const MOST_CANDIDATES: usize = 4;

pub(super) fn strip(lines: &mut [Cow<'_, str>]) {
    let is_bare = |line: &Cow<'_, str>| {
        let line = line.trim_start();
        OF_GIT.iter().any(|start| !ALSO_OF_OTHERS.contains(start) && line.starts_with(start))
    };
    if lines.iter().any(is_bare) {
        return;
    }
    for line in lines.iter_mut() {
        let length = known_prefix(line);
        cut(line, length);
    }
    if lines.iter().any(is_bare) {
        return;
    }
    let candidates: Vec<String> =
        lines.iter().filter_map(|line| unknown_prefix(line)).take(MOST_CANDIDATES).collect();
    let is_text = |line: &&mut Cow<'_, str>| !line.trim().is_empty();
    for prefix in candidates {
        let all = lines.iter_mut().filter(is_text).count();
        let with = lines.iter().filter(|line| shared(line, &prefix).is_some()).count();
        if with * 2 > all {
            for line in lines.iter_mut() {
                let length = shared(line, &prefix).unwrap_or_default();
                cut(line, length);
            }
            return;
        }
    }
}

fn cut(line: &mut Cow<'_, str>, length: usize) {
    if length == 0 {
        return;
    }
    match line {
        Cow::Borrowed(text) => *text = text.get(length..).unwrap_or_default(),
        Cow::Owned(text) => {
            text.drain(..length.min(text.len()));
        }
    }
}

/// What is before git's words in a line, where that ends in a separator.
fn unknown_prefix(line: &str) -> Option<String> {
    let head = head(line);
    let at = OF_GIT.iter().filter_map(|start| head.find(start)).min().filter(|at| *at > 0)?;
    let prefix = head.get(..at)?;
    prefix.ends_with([' ', '\t', ':', '|', ']', ')', '>']).then(|| prefix.to_owned())
}

/// The part of a line that may be a prefix.
fn head(line: &str) -> &str {
    let mut end = line.len().min(LONGEST);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or_default()
}

/// The length of the prefix in this line, whichever its numbers are. A line without text may lack
/// the blanks at the prefix's end.
fn shared(line: &str, prefix: &str) -> Option<usize> {
    let (mut rest, mut wanted) = (line, prefix);
    while let Some(c) = wanted.chars().next() {
        if c.is_ascii_digit() {
            let digits = |text: &str| text.len() - text.trim_start_matches(is_digit).len();
            if digits(rest) == 0 {
                return None;
            }
            rest = rest.trim_start_matches(is_digit);
            wanted = wanted.trim_start_matches(is_digit);
        } else if let Some(after) = rest.strip_prefix(c) {
            rest = after;
            wanted = wanted.get(c.len_utf8()..).unwrap_or_default();
        } else {
            return (rest.is_empty() && wanted.trim().is_empty()).then_some(line.len());
        }
    }
    Some(line.len() - rest.len())
}

const fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// The length of what well-known logs put before a line. The parts may follow one another:
/// `web-1  | 2026-11-29T09:44:11Z fatal: …`.
fn known_prefix(line: &str) -> usize {
    let mut rest = head(line);
    let whole = rest.len();
    let mut after_time = false;
    loop {
        let text = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let next = github_step(text)
            .or_else(|| time(text).inspect(|_| after_time = true))
            .or_else(|| if after_time { stream_or_program(text) } else { None })
            .or_else(|| bar(text))
            .or_else(|| marker(text))
            .or_else(|| container(text));
        match next {
            Some(after) => rest = after,
            None if text.len() == whole => return 0,
            // the blanks before a bare line are its own
            None if rest.len() == whole => return 0,
            None => return whole - text.len(),
        }
    }
}

/// `job<TAB>step<TAB>` of `gh run view --log`, before a time.
fn github_step(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('\t')?;
    let (_, rest) = rest.split_once('\t')?;
    let rest = rest.trim_start_matches('\u{feff}');
    time(rest).map(|_| rest)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date and a time, or one of them: `2026-11-29T09:44:11.1234567Z`, `Nov 29 09:44:11`,
/// `[09:44:11]`, `#12 0.345` and `0.345` of BuildKit.
fn time(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        return time(inner).filter(|rest| rest.trim().is_empty()).map(|_| after);
    }
    let (word, rest) = word(text);
    if is_clock(word) {
        return Some(rest);
    }
    if is_date(word) {
        let (clock, after) = self::word(rest.trim_start());
        return Some(if is_clock(clock) { after } else { rest });
    }
    if word.starts_with('#') && word.len() > 1 && word.get(1..)?.chars().all(is_digit) {
        let (seconds, after) = self::word(rest.trim_start());
        return Some(if is_seconds(seconds) { after } else { rest });
    }
    if is_seconds(word) {
        return Some(rest);
    }
    // `Nov 29 09:44:11`
    if MONTHS.contains(&word) {
        let (day, rest) = self::word(rest.trim_start());
        let (clock, after) = self::word(rest.trim_start());
        return (day.chars().all(is_digit) && is_clock(clock)).then_some(after);
    }
    None
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// `09:44:11`, with a date before it or a fraction and a zone after it.
fn is_clock(word: &str) -> bool {
    let digits = word.chars().filter(|c| is_digit(*c)).count();
    digits >= 4
        && word.matches(':').count() >= 2
        && word.starts_with(is_digit)
        && word.chars().all(|c| is_digit(c) || "-/:.,+TZ".contains(c))
}

/// `2026-11-29`, `2026/11/29`.
fn is_date(word: &str) -> bool {
    let parts: Vec<_> = word.split(['-', '/']).collect();
    parts.len() == 3 && parts.iter().all(|part| part.len() >= 2 && part.chars().all(is_digit))
}

/// `0.345`: BuildKit's seconds always have three digits after the point.
fn is_seconds(word: &str) -> bool {
    word.split_once('.').is_some_and(|(seconds, fraction)| {
        !seconds.is_empty()
            && fraction.len() == 3
            && seconds.chars().all(is_digit)
            && fraction.chars().all(is_digit)
    })
}

/// After a time: `host program[12]:` of a journal, `stdout F` of a container, `01E` of a GitLab
/// runner, or a level.
fn stream_or_program(text: &str) -> Option<&str> {
    const LEVELS: [&str; 11] =
        ["TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "stdout", "stderr", "F", "P", "-"];
    let (first, rest) = word(text);
    if LEVELS.contains(&first) {
        return Some(rest);
    }
    let is_runner_stream = first.len() >= 3
        && first.get(..2).is_some_and(|stream| stream.bytes().all(|b| b.is_ascii_hexdigit()))
        && first.get(2..).is_some_and(|kind| matches!(kind, "O" | "E" | "O+" | "E+"));
    if is_runner_stream {
        return Some(rest);
    }
    let (second, after) = word(rest.trim_start());
    let is_program = |word: &str| {
        let name = word.strip_suffix(':').unwrap_or_default();
        let name = name.strip_suffix(']').and_then(|name| name.split_once('['));
        name.is_some_and(|(_, id)| !id.is_empty() && id.chars().all(is_digit))
    };
    if is_program(first) {
        return Some(rest);
    }
    is_program(second).then_some(after)
}

/// The bar of a frame, or of a quotation.
fn bar(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(['│', '┃', '║', '╷', '╵', '|', '>'])?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// `[ERROR]`, `##[error]` and `::error::`.
fn marker(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("::error") {
        return rest.split_once("::").map(|(_, rest)| rest);
    }
    let rest = text.trim_start_matches('#').strip_prefix('[')?;
    let (name, rest) = rest.split_once(']')?;
    let is_name =
        name.len() <= 60 && name.chars().all(|c| c.is_alphanumeric() || "-_/.: ".contains(c));
    (is_name && !rest.trim().is_empty()).then_some(rest)
}

/// `web-1  | ` of compose. A line of a diffstat (` f | 2 +-`) is not one.
fn container(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once('|')?;
    let name = name.trim_end();
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let (count, graph) = word(rest.trim());
    let is_diffstat = !count.is_empty()
        && count.chars().all(is_digit)
        && graph.chars().all(|c| " +-".contains(c))
        || count == "Bin";
    (is_name && !is_diffstat && (rest.is_empty() || rest.starts_with(' '))).then_some(rest)
}
