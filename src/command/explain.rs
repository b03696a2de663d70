//! `pushready explain`: a code in full, or the code for what a failed push printed. Offline;
//! changes nothing.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Serialize;

use super::{json, print};
use crate::catalogue::explain::{AREAS, Explanation};
use crate::catalogue::{Actor, Code, Traits};
use crate::cli::Explain;
use crate::doctor::outcome::Outcome;
use crate::doctor::report::{Overall, render};
use crate::document::Header;
use crate::error::{Error, Exit, Result};
use crate::git::url::redact;
use crate::push_message::{Hints, classify};

/// More than any push prints; what follows is not read.
const LARGEST_MESSAGE: u64 = 1 << 20;

pub fn run(arguments: &Explain) -> Result<Exit> {
    match (&arguments.push, &arguments.code) {
        (Some(file), _) => message(file, arguments.json),
        (None, Some(name)) => one(name, arguments.json),
        (None, None) => {
            print(&if arguments.json { json(&Codes::new()) } else { list() });
            Ok(Exit::Ready)
        }
    }
}

#[derive(Serialize)]
struct Entry {
    code: Code,
    area: &'static str,
    condition: &'static str,
    actor: Actor,
    agent_may_fix: bool,
    stop_and_report: bool,
    transient: bool,
}

impl Entry {
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
    codes: Vec<Entry>,
}

impl Codes {
    fn new() -> Self {
        Self { header: Header::new(), codes: Code::ALL.iter().copied().map(Entry::of).collect() }
    }
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    header: Header,
    #[serde(flatten)]
    entry: Entry,
    cause: &'static str,
    found: &'static str,
    fix: &'static str,
}

fn one(name: &str, as_json: bool) -> Result<Exit> {
    let Ok(code) = name.parse::<Code>() else {
        let nearest =
            Code::nearest(name).map_or(String::new(), |code| format!("the nearest is `{code}`; "));
        return Err(Error::new(format!("there is no code `{}`", redact(name)))
            .hint(format!("{nearest}`pushready explain` lists them all"))
            .exit(Exit::Usage));
    };
    let Explanation { cause, found, fix, .. } = code.explanation();
    print(&if as_json {
        json(&Explained { header: Header::new(), entry: Entry::of(code), cause, found, fix })
    } else {
        let who = code.traits().actor.title();
        let mut text = format!("{code}\n  {}\n", code.condition());
        for (heading, section) in
            [("cause", cause), ("how it is found", found), (&format!("fix (by: {who})"), fix)]
        {
            let _ = write!(text, "\n{heading}\n");
            for line in section.lines() {
                text.push_str(format!("  {line}").trim_end());
                text.push('\n');
            }
        }
        let _ = writeln!(text, "\n{}", rights(code.traits()));
        text
    });
    Ok(Exit::Ready)
}

/// What an agent may do about it.
fn rights(traits: Traits) -> &'static str {
    match traits {
        Traits { stop_and_report: true, .. } => {
            "an agent should stop here and report this, not look for other credentials"
        }
        Traits { agent_may_fix: true, .. } => "an agent may carry this out by itself",
        Traits { transient: true, .. } => {
            "an agent may wait and try again; it may not change anything"
        }
        _ => "an agent should report this and may go on; the fix is not its own to make",
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
    text.push_str("\n`pushready explain CODE` says more of each\n");
    text
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    header: Header,
    overall: Overall,
    checks: [Outcome; 1],
}

/// Exit 0 only where the text shows that git succeeded.
fn message(file: &Path, as_json: bool) -> Result<Exit> {
    let text = read(file)?;
    let outcome = classify(&text, &Hints::default()).outcome("push.message");
    let checks = [outcome];
    let overall = Overall::of(&checks);
    print(&if as_json {
        json(&Answer { header: Header::new(), overall, checks })
    } else {
        let mut text = String::new();
        for outcome in &checks {
            render(&mut text, outcome, true);
        }
        text
    });
    Ok(if overall == Overall::Pass { Exit::Ready } else { Exit::NotReady })
}

/// The bytes may be anything: what is no UTF-8 is replaced.
fn read(file: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(LARGEST_MESSAGE).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(LARGEST_MESSAGE).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::Usage } else { Exit::CouldNotRun };
        Error::io("read", Path::new(&redact(&file.to_string_lossy())), &error)
            .hint(
                "name a file with what git printed, or pipe it: `git push 2>&1 | pushready explain --push -`",
            )
            .exit(exit)
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
