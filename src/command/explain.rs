//! `pushready explain`: a code in full, a check, or the code for what a failed push printed.
//! Offline; changes nothing.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;

use super::{json, print, print_report};
use crate::catalogue::explain::Explanation;
use crate::catalogue::{AREAS, Actor, Code, Traits};
use crate::cli::Explain;
use crate::doctor::check::{CHECKS, Check, area};
use crate::doctor::context::Depth;
use crate::doctor::outcome::Outcome;
use crate::doctor::report::{Overall, render};
use crate::document::Header;
use crate::error::{Error, Exit, Result};
use crate::git::url::redact;
use crate::push_message::{Hints, LARGEST_TEXT, classify};
use crate::terminal::{fitted, fitted_prose};
use crate::text::nearest_name;

/// A log of CI is smaller; what follows is not read, so that an endless input has an end.
const LARGEST_INPUT: u64 = 64 << 20;

pub fn run(arguments: &Explain) -> Result<Exit> {
    match (&arguments.push, &arguments.code) {
        (Some(file), _) => message(file, arguments.json),
        (None, Some(name)) => one(name, arguments.json),
        (None, None) => {
            print_prose(arguments.json.then(|| json(&Codes::new())), list);
            Ok(Exit::Ready)
        }
    }
}

#[derive(Serialize)]
struct CodeEntry {
    code: Code,
    area: &'static str,
    condition: &'static str,
    actor: Actor,
    agent_may_fix: bool,
    stop_and_report: bool,
    transient: bool,
}

impl CodeEntry {
    fn of(code: Code) -> Self {
        let Traits { actor, agent_may_fix, stop_and_report, transient } = code.traits();
        let Explanation { area, .. } = code.explanation();
        Self {
            code,
            area,
            condition: code.condition(),
            actor,
            agent_may_fix,
            stop_and_report,
            transient,
        }
    }
}

#[derive(Serialize)]
struct Codes {
    #[serde(flatten)]
    header: Header,
    codes: Vec<CodeEntry>,
}

impl Codes {
    fn new() -> Self {
        Self {
            header: Header::new(),
            codes: Code::ALL.iter().copied().map(CodeEntry::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    header: Header,
    #[serde(flatten)]
    entry: CodeEntry,
    cause: &'static str,
    found: &'static str,
    fix: &'static str,
}

impl Explained {
    fn of(code: Code) -> Self {
        let Explanation { cause, found, fix, .. } = code.explanation();
        Self { header: Header::new(), entry: CodeEntry::of(code), cause, found, fix }
    }
}

/// Prints the document, or else the text.
fn print_prose(document: Option<String>, text: impl FnOnce() -> String) {
    match document {
        Some(document) => print(&document),
        None => print_report(fitted_prose(&text())),
    }
}

fn one(name: &str, as_json: bool) -> Result<Exit> {
    if let Ok(code) = name.parse::<Code>() {
        print_prose(as_json.then(|| json(&Explained::of(code))), || explain_code(code));
    } else if let Some(check) = CHECKS.iter().find(|check| check.id == name) {
        print_prose(as_json.then(|| json(&ExplainedCheck::of(check))), || explain_check(check));
    } else {
        let nearest = match nearest(name) {
            _ if CHECKS.iter().any(|check| area(check.id) == name) => format!(
                "`{name}` is an area of checks: `pushready doctor --only {name}` makes them; "
            ),
            Some(known) => format!("the nearest is `{known}`; "),
            None => String::new(),
        };
        return Err(Error::new(format!("there is no code or check `{}`", redact(name)))
            .hint(format!(
                "{nearest}`pushready explain` lists the codes, `pushready doctor --list` the checks"
            ))
            .exit(Exit::Usage));
    }
    Ok(Exit::Ready)
}

/// A name with a dot is meant as a check's.
fn nearest(name: &str) -> Option<&'static str> {
    let check = || nearest_name(name, CHECKS.iter().map(|check| check.id));
    let code = || Code::nearest(name).map(Code::name);
    if name.contains('.') { check().or_else(code) } else { code().or_else(check) }
}

fn explain_code(code: Code) -> String {
    let Explanation { cause, found, fix, .. } = code.explanation();
    let who = code.traits().actor.title();
    let mut text = format!("{code}\n  {}\n", code.condition());
    for (heading, section) in
        [("cause", cause), ("how it is found", found), (&format!("fix (by: {who})"), fix)]
    {
        let _ = write!(text, "\n{heading}\n");
        for line in paragraphs(section).lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    let _ = writeln!(text, "\n{}", rights(code.traits()));
    text
}

/// The lines of a paragraph as one; commands and points of a list have lines of their own. Pure.
fn paragraphs(section: &str) -> String {
    let mut text = String::new();
    let mut joins = false;
    for line in section.lines() {
        let is_whole = line.is_empty() || line.starts_with("    ") || line.starts_with('|');
        let begins = line.starts_with("- ") || line.starts_with(|c: char| c.is_ascii_digit());
        if !text.is_empty() {
            text.push(if joins && !is_whole && !begins { ' ' } else { '\n' });
        }
        text.push_str(if is_whole { line } else { line.trim() });
        joins = !is_whole;
    }
    text
}

#[derive(Serialize)]
struct ExplainedCheck {
    #[serde(flatten)]
    header: Header,
    check: &'static str,
    title: &'static str,
    depth: Depth,
    /// Of the check's area: the check reports some of them.
    codes: Vec<Code>,
}

impl ExplainedCheck {
    fn of(check: &'static Check) -> Self {
        Self {
            header: Header::new(),
            check: check.id,
            title: check.title,
            depth: check.depth,
            codes: codes_of_area(check.id),
        }
    }
}

/// The codes in the area of a check: `ssh` of `ssh.route`.
fn codes_of_area(id: &str) -> Vec<Code> {
    let of_area = |code: &Code| code.explanation().area == area(id);
    Code::ALL.iter().copied().filter(of_area).collect()
}

fn explain_check(check: &Check) -> String {
    let runs = match check.depth {
        Depth::Offline => {
            "in every run of doctor; it reads files and configuration, and uses no network"
        }
        Depth::Network => {
            "in every run of doctor without `--offline`; it asks a server, and changes nothing"
        }
        Depth::Live => {
            "only with `--live`: it changes something on a server, or uses a request of the plan"
        }
    };
    let mut text = format!("{}\n  passes when: {}\n\nruns\n  {runs}\n", check.id, check.title);
    let _ = writeln!(text, "\nalone\n  pushready doctor --only {}", check.id);
    let _ = writeln!(text, "\ncodes of its area ({})", area(check.id));
    for code in codes_of_area(check.id) {
        let _ = writeln!(text, "  {:<28} {}", code.name(), code.condition());
    }
    text.push_str("\n`pushready explain CODE` explains each\n");
    text
}

/// What an agent may do about it.
fn rights(traits: Traits) -> &'static str {
    match traits {
        Traits { stop_and_report: true, .. } => {
            "an agent should stop here and report this, not look for other credentials"
        }
        Traits { agent_may_fix: true, .. } => "an agent may do this by itself",
        Traits { transient: true, .. } => {
            "an agent may wait and try again; it should change nothing"
        }
        _ => "an agent should report this and may continue; somebody else makes the fix",
    }
}

fn list() -> String {
    let mut text = String::new();
    for (area, _) in AREAS {
        let _ = writeln!(text, "{area}");
        for code in Code::ALL.iter().filter(|code| code.explanation().area == *area) {
            let _ = writeln!(text, "  {:<28} {}", code.name(), code.condition());
        }
    }
    text.push_str("\n`pushready explain CODE` explains each\n");
    text
}

#[derive(Serialize)]
struct MessageDocument {
    #[serde(flatten)]
    header: Header,
    overall: Overall,
    checks: [Outcome; 1],
}

/// Exit 0 only where the text proves that git succeeded.
fn message(file: &Path, as_json: bool) -> Result<Exit> {
    let (text, skipped) = read(file)?;
    let mut diagnosis = classify(&text, &Hints::default());
    if diagnosis.omitted > 0 {
        diagnosis.omitted += skipped;
    }
    let outcome = diagnosis.outcome("push.message");
    let checks = [outcome];
    let overall = Overall::of(&checks);
    if as_json {
        print(&json(&MessageDocument { header: Header::new(), overall, checks }));
    } else {
        let mut text = String::new();
        for outcome in &checks {
            render(&mut text, outcome, true);
        }
        print_report(fitted(&text));
    }
    Ok(if overall == Overall::Pass { Exit::Ready } else { Exit::NotReady })
}

/// The end of the text, and the number of bytes before it. What is not UTF-8 is replaced.
fn read(file: &Path) -> Result<(String, usize)> {
    #[expect(clippy::disallowed_methods, reason = "the caller may name the FIFO of a shell")]
    let read = if file == Path::new("-") {
        read_end(std::io::stdin().lock())
    } else {
        File::open(file).and_then(|file| {
            let skipped = file.metadata()?.len().saturating_sub(LARGEST_INPUT);
            if skipped > 0 {
                (&file).seek(SeekFrom::Start(skipped))?;
            }
            let (bytes, before) = read_end(file)?;
            Ok((bytes, before + usize::try_from(skipped).unwrap_or(usize::MAX)))
        })
    };
    let (bytes, skipped) = read.map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::Usage } else { Exit::CouldNotRun };
        Error::io("read", Path::new(&redact(&file.to_string_lossy())), &error)
            .hint(
                "name a file with what git printed, or pipe it: `git push 2>&1 | pushready explain --push -`",
            )
            .exit(exit)
    })?;
    Ok((decoded(&bytes), skipped))
}

/// UTF-8, or the UTF-16 that PowerShell writes to a file. What is neither is replaced.
fn decoded(bytes: &[u8]) -> String {
    let (rest, order): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        // without a mark, of a text that begins in ASCII
        [first, 0, ..] if *first != 0 => (bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => (bytes, u16::from_be_bytes),
        _ => return String::from_utf8_lossy(bytes).into_owned(),
    };
    let units = rest.as_chunks().0.iter().map(|pair| order(*pair));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Reads at most `LARGEST_INPUT` bytes, and keeps the last ones: one more than are explained, so
/// that a text that was cut is known as such.
fn read_end(mut input: impl Read) -> std::io::Result<(Vec<u8>, usize)> {
    const KEPT: usize = LARGEST_TEXT + 1;
    let (mut bytes, mut skipped, mut total) = (Vec::new(), 0, 0);
    loop {
        let read = input.by_ref().take(KEPT as u64).read_to_end(&mut bytes)?;
        let surplus = bytes.len().saturating_sub(KEPT);
        bytes.drain(..surplus);
        skipped += surplus;
        total += read as u64;
        if read == 0 || total >= LARGEST_INPUT {
            return Ok((bytes, skipped));
        }
    }
}
