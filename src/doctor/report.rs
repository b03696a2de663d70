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
    /// With `--required`: the same of what PUSHREADY_REQUIRE names alone, where a server out of reach has not said no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Overall>,
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
        Self::worst(outcomes.iter().filter(|outcome| !outcome.accepted).map(|outcome| outcome.status))
    }

    /// The worst of what is required; there a failure that may pass by itself, such as a server out of reach, is no verdict.
    pub fn of_required(outcomes: &[Outcome]) -> Self {
        let counted = outcomes.iter().filter(|outcome| outcome.required && !outcome.accepted);
        Self::worst(counted.map(|outcome| match outcome.status {
            Status::Fail if outcome.transient => Status::Unknown,
            status => status,
        }))
    }

    fn worst(statuses: impl Iterator<Item = Status>) -> Self {
        match statuses.max() {
            Some(Status::Fail) => Self::Fail,
            Some(Status::Unknown) => Self::Unknown,
            Some(Status::Warn) => Self::Warn,
            Some(Status::Pass | Status::Skip) | None => Self::Pass,
        }
    }
}

impl Report {
    /// What the exit status and the last line tell.
    fn verdict(&self) -> Overall {
        self.required.unwrap_or(self.overall)
    }

    pub fn exit(&self, strict: bool) -> Exit {
        match self.verdict() {
            Overall::Fail => Exit::NotReady,
            Overall::Unknown if strict => Exit::NotReady,
            _ => Exit::Ready,
        }
    }

    /// What keeps the verdict from being a pass.
    fn in_the_way(&self) -> impl Iterator<Item = &Outcome> {
        self.checks.iter().filter(|outcome| {
            matches!(outcome.status, Status::Fail | Status::Unknown)
                && !outcome.accepted
                && (outcome.required || self.required.is_none())
        })
    }

    /// Whether another try may end better: something is in the way, and nothing of it is there to stay.
    pub fn may_pass(&self) -> bool {
        self.in_the_way().next().is_some() && self.in_the_way().all(|outcome| outcome.transient)
    }

    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// What is wrong first comes last, where the eye rests; what passed is one line an area unless `verbose`.
    pub fn text(&self, verbose: bool) -> String {
        let mut text = String::new();
        let mut told: Vec<&Outcome> = Vec::new();
        for outcome in &self.checks {
            let quiet = matches!(outcome.status, Status::Pass | Status::Skip) && !verbose;
            if quiet || told.iter().any(|other| says_the_same(other, outcome)) {
                continue;
            }
            let same: Vec<_> = self.checks.iter().filter(|other| says_the_same(outcome, other)).collect();
            render(&mut text, outcome, verbose);
            if same.len() > 1 {
                let ids: Vec<_> = same.iter().map(|outcome| outcome.id).collect();
                let _ = writeln!(text, "        checks: {}", ids.join(", "));
            }
            told.extend(same);
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
        let verdict = self.verdict();
        let told = |outcome: &&Outcome| match verdict {
            Overall::Fail => outcome.status == Status::Fail,
            Overall::Unknown => true,
            Overall::Warn | Overall::Pass => false,
        };
        let mut parts: Vec<String> = Vec::new();
        for part in self.in_the_way().filter(told).map(told_shortly) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        if self.required.is_some() {
            let besides =
                |outcome: &&Outcome| outcome.status == Status::Fail && !outcome.accepted && !outcome.required;
            let mut besides: Vec<_> = self.checks.iter().filter(besides).map(name).collect();
            besides.dedup();
            if !besides.is_empty() {
                parts.push(format!("not required: {}", besides.join(", ")));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let seconds = self.duration_ms as f64 / 1000.0;
        let mut line = self.word().to_owned();
        if !parts.is_empty() {
            let _ = write!(line, " {}", parts.join(" · "));
        }
        format!("{line} {seconds:.1}s\n")
    }

    fn word(&self) -> &'static str {
        match self.verdict() {
            Overall::Fail => "NOT READY",
            Overall::Unknown => "UNKNOWN",
            Overall::Warn | Overall::Pass if self.saw_nothing_required() => {
                "READY (nothing required was looked at)"
            }
            Overall::Warn | Overall::Pass => "READY",
        }
    }

    fn saw_nothing_required(&self) -> bool {
        let looked = |outcome: &Outcome| outcome.required && outcome.status != Status::Skip;
        self.required.is_some() && !self.checks.iter().any(looked)
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
        format!("{}: {} in {seconds:.2} s", self.word(), parts.join(", "))
    }
}

/// The code, or where there is none the check, and what it is about.
fn name(outcome: &Outcome) -> String {
    let name = outcome.code.map_or(outcome.id, |code| code.name());
    let area = outcome.id.split('.').next().unwrap_or_default();
    match (&outcome.subject, outcome.code) {
        (Some(subject), _) => format!("{name} {subject}"),
        // `home-unsafe-place`: of which of them?
        (None, Some(code)) if code.explanation().area != area => format!("{name} {area}"),
        (None, _) => name.to_owned(),
    }
}

/// Whether two checks met one fault: by its code, what it is about, and the fix.
fn says_the_same(one: &Outcome, other: &Outcome) -> bool {
    let what = |outcome: &Outcome| (outcome.code, outcome.status, outcome.accepted);
    one.code.is_some()
        && one.subject.is_some()
        && what(one) == what(other)
        && one.subject == other.subject
        && one.fix == other.fix
}

fn told_shortly(outcome: &Outcome) -> String {
    let say = outcome.fix.as_ref().map(|fix| &fix.say).or(outcome.reason.as_ref());
    say.map_or(name(outcome), |say| format!("{} ({say})", name(outcome)))
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
    let accepted = if outcome.accepted { " (accepted)" } else { "" };
    let _ = writeln!(text, "{mark:<7} {}{accepted}", name(outcome));
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
