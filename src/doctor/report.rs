//! The doctor's report: one structure, as JSON (schema/doctor.schema.json), as text for people, and in short.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Depth;
use super::outcome::{Evidence, FixKind, Outcome, Status};
use crate::error::Exit;

#[derive(Debug, Serialize)]
pub struct Report {
    pub schema_version: u32,
    pub tool: &'static str,
    pub version: &'static str,
    pub binary_path: String,
    pub finished_at: Timestamp,
    pub provisioned_at: Option<Timestamp>,
    pub overall: Overall,
    pub depth: Depth,
    /// The checks that were asked for.
    pub requested: Vec<&'static str>,
    /// What was really looked at.
    pub examined: Vec<Examined>,
    pub checks: Vec<Outcome>,
    pub duration_ms: u64,
}

#[derive(Debug, Serialize)]
pub struct Examined {
    pub id: &'static str,
    pub subject: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    Pass,
    Warn,
    Fail,
    Unknown,
}

impl Overall {
    /// The worst of the outcomes; what was accepted does not count, and `unknown` is never a pass.
    pub fn of(outcomes: &[Outcome]) -> Self {
        match outcomes.iter().filter(|outcome| !outcome.accepted).map(|outcome| outcome.status).max() {
            Some(Status::Fail) => Self::Fail,
            Some(Status::Unknown) => Self::Unknown,
            Some(Status::Warn) => Self::Warn,
            Some(Status::Pass | Status::Skip) | None => Self::Pass,
        }
    }
}

impl Report {
    pub fn exit(&self, strict: bool) -> Exit {
        match self.overall {
            Overall::Fail => Exit::NotReady,
            Overall::Unknown if strict => Exit::NotReady,
            _ => Exit::Ready,
        }
    }

    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// What is wrong first comes last, where the eye rests; what passed is one line an area unless `verbose`.
    pub fn text(&self, verbose: bool) -> String {
        let mut text = String::new();
        for outcome in &self.checks {
            let quiet = matches!(outcome.status, Status::Pass | Status::Skip) && !verbose;
            if !quiet {
                render(&mut text, outcome, verbose);
            }
        }
        if !verbose {
            let mut areas: Vec<&str> = Vec::new();
            for outcome in self.checks.iter().filter(|outcome| outcome.status == Status::Pass) {
                let area = outcome.id.split('.').next().unwrap_or(outcome.id);
                if !areas.contains(&area) {
                    areas.push(area);
                }
            }
            if !areas.is_empty() {
                let _ = writeln!(text, "ok      {}", areas.join(" · "));
            }
        }
        let _ = writeln!(text, "{}", self.counts());
        text
    }

    /// One line for a log or a chat: the verdict, and each failure with its fix.
    pub fn short(&self) -> String {
        let mut text = match self.overall {
            Overall::Fail => "NOT READY",
            Overall::Unknown => "UNKNOWN",
            Overall::Warn | Overall::Pass => "READY",
        }
        .to_owned();
        let told = |outcome: &&Outcome| match self.overall {
            Overall::Fail => outcome.status == Status::Fail && !outcome.accepted,
            Overall::Unknown => outcome.status == Status::Unknown && !outcome.accepted,
            _ => false,
        };
        for outcome in self.checks.iter().filter(told) {
            let name = outcome.code.map_or(outcome.id, |code| code.name());
            let _ = write!(text, " {name}");
            if let Some(subject) = &outcome.subject {
                let _ = write!(text, " {subject}");
            }
            if let Some(fix) = &outcome.fix {
                let _ = write!(text, " ({})", fix.say);
            } else if let Some(reason) = &outcome.reason {
                let _ = write!(text, " ({reason})");
            }
            text.push_str(" ·");
        }
        let text = text.trim_end_matches(" ·");
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let seconds = self.duration_ms as f64 / 1000.0;
        format!("{text} {seconds:.1}s\n")
    }

    fn counts(&self) -> String {
        let count = |status| self.checks.iter().filter(|outcome| outcome.status == status).count();
        let mut parts = Vec::new();
        for (status, name) in [
            (Status::Fail, "failed"),
            (Status::Unknown, "unknown"),
            (Status::Warn, "warnings"),
            (Status::Pass, "ok"),
            (Status::Skip, "skipped"),
        ] {
            let count = count(status);
            if count > 0 {
                parts.push(format!("{count} {name}"));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let seconds = self.duration_ms as f64 / 1000.0;
        format!("{} in {seconds:.2} s", parts.join(", "))
    }
}

/// One outcome; `verbose` also shows the evidence of what passed.
pub fn render(text: &mut String, outcome: &Outcome, verbose: bool) {
    let mark = match outcome.status {
        Status::Pass => "ok",
        Status::Skip => "skip",
        Status::Warn => "warn",
        Status::Unknown => "unknown",
        Status::Fail => "FAIL",
    };
    let name = outcome.code.map_or(outcome.id, |code| code.name());
    let subject = outcome.subject.as_ref().map_or(String::new(), |subject| format!(" {subject}"));
    let accepted = if outcome.accepted { " (accepted)" } else { "" };
    let _ = writeln!(text, "{mark:<7} {name}{subject}{accepted}");
    let _ = writeln!(text, "        {}", outcome.summary);
    let quiet = matches!(outcome.status, Status::Pass | Status::Skip);
    if !quiet || verbose {
        for Evidence { label, value, expected } in &outcome.evidence {
            let expected =
                expected.as_ref().map_or(String::new(), |expected| format!(" (expected {expected})"));
            let _ = writeln!(text, "          {label}: {value}{expected}");
        }
    }
    if let Some(reason) = outcome.reason.as_ref().filter(|reason| **reason != outcome.summary) {
        let _ = writeln!(text, "        needs: {reason}");
    }
    if let Some(fix) = &outcome.fix {
        let who = outcome.actor.map_or("", |actor| actor.title());
        let _ = writeln!(text, "        fix ({who}): {}", fix.say);
        match &fix.kind {
            FixKind::Run { argv } => {
                let argv: Vec<_> = argv.iter().map(String::as_str).collect();
                let _ = writeln!(text, "          $ {}", shlex::try_join(argv).unwrap_or_default());
            }
            FixKind::Visit { url } => {
                let _ = writeln!(text, "          {url}");
            }
            FixKind::Edit { path } => {
                let _ = writeln!(text, "          {path}");
            }
            FixKind::Wait | FixKind::Report => {}
        }
    }
    if outcome.stop_and_report {
        text.push_str("        an agent should stop here and report this, not look for other credentials\n");
    }
}
