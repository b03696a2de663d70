//! What keeps a run from starting, and the words in which verdicts are given.

use jiff::SignedDuration;

use crate::catalogue::{Actor, Code};
use crate::catalogue::{Fix, FixKind};
use crate::doctor::actions::facts::{Facts, Looked};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::github::model::Job;

/// Runners take a moment; nobody need look before.
pub const NORMAL: SignedDuration = SignedDuration::from_mins(2);
/// Hosted runners are slow from here on.
pub const HOSTED_SUSPECT: SignedDuration = SignedDuration::from_mins(5);
/// GitHub cancels hosted jobs that nobody took after about 15 minutes (community#209578): what
/// waits longer is stuck.
pub const STUCK: SignedDuration = SignedDuration::from_mins(30);
/// A new account with no finished run, this long after.
pub const FLAGGED: SignedDuration = SignedDuration::from_hours(2);
/// All that wait are cancelled after a day.
pub const LATE: SignedDuration = SignedDuration::from_hours(23);

/// What keeps a run from starting.
#[derive(Clone, Debug)]
pub struct Verdict {
    kind: Kind,
    summary: String,
    evidence: Vec<Evidence>,
    fix: Fix,
    /// Where it is not whom the code names.
    mender: Option<Actor>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It will move by itself.
    Passes(Code),
    /// GitHub did not answer; no code where the network or a broken server is at fault, which
    /// proves nothing of Actions.
    Unknown { code: Option<Code>, needs: String, transient: bool },
    /// Nothing moves until somebody acts.
    Blocks(Code),
}

impl Verdict {
    pub fn new(kind: Kind, summary: impl Into<String>, fix: Fix) -> Self {
        Self { kind, summary: summary.into(), evidence: Vec::new(), fix, mender: None }
    }

    pub fn fail(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(Kind::Blocks(code), summary, fix)
    }

    pub fn warn(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(Kind::Passes(code), summary, fix)
    }

    pub fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Another than the code names can mend this.
    pub fn mended_by(self, actor: Actor) -> Self {
        Self { mender: Some(actor), ..self }
    }

    /// The same, told from the question that it leaves open.
    pub fn renamed(self, summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..self }
    }

    fn code(&self) -> Option<Code> {
        match self.kind {
            Kind::Passes(code) | Kind::Blocks(code) => Some(code),
            Kind::Unknown { code, .. } => code,
        }
    }

    pub fn outcome(self, subject: String) -> Judgement {
        let in_the_work_tree = matches!(self.fix.kind, FixKind::Edit { .. });
        let mender = self.mender.or(in_the_work_tree.then_some(Actor::Agent));
        let mut outcome = match self.kind {
            Kind::Passes(code) => Judgement::warn(code, self.summary, self.fix),
            Kind::Blocks(code) => Judgement::fail(code, self.summary, self.fix),
            Kind::Unknown { code, needs, transient } => {
                let mut outcome = Judgement::unknown(self.summary, needs);
                outcome.transient = transient;
                outcome.actor = Some(Actor::WorkspaceUser);
                match code {
                    Some(code) => outcome.coded(code),
                    None => outcome,
                }
                .fixed(self.fix)
            }
        };
        if let Some(actor) = mender {
            outcome.actor = Some(actor);
            outcome.agent_may_fix = actor == Actor::Agent;
            outcome.stop_and_report &= actor != Actor::Agent;
        }
        outcome.with(self.evidence).about(subject)
    }
}

/// What blocks comes before what could not be told, and that before what passes by itself; else the
/// first.
pub fn worst(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
    let mut all: Vec<_> = verdicts.collect();
    all.sort_by_key(|verdict| match verdict.kind {
        Kind::Blocks(_) => 0,
        Kind::Unknown { .. } => 1,
        Kind::Passes(_) => 2,
    });
    let mut all = all.into_iter();
    let first = all.next()?;
    let other = all.find_map(|other| {
        other.code().filter(|code| Some(*code) != first.code()).map(|code| (code, other))
    });
    Some(first.with(
        other.map(|(code, other)| Evidence::new("also", format!("{code}: {}", other.summary))),
    ))
}

pub fn run_subject(facts: &Facts, looked: &Looked) -> String {
    format!("{} run {}", facts.place.subject, looked.run.id)
}

pub fn named(job: &Job) -> Option<Evidence> {
    (!job.name.is_empty()).then(|| Evidence::foreign("job", &job.name))
}

pub fn run_url(facts: &Facts, run: i64) -> String {
    format!("{}/actions/runs/{run}", facts.place.web)
}

/// `1 runner`, `2 runners`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `gh` with these arguments, for this repository.
pub fn gh<'a>(facts: &'a Facts, arguments: &[&'a str]) -> Vec<&'a str> {
    let repository = facts
        .place
        .web
        .strip_prefix("https://github.com/")
        .or_else(|| facts.place.web.strip_prefix("https://"));
    ["gh"]
        .iter()
        .chain(arguments)
        .copied()
        .chain(["--repo", repository.unwrap_or_default()])
        .collect()
}

/// `3 d 4 h`, `2 h 10 min`, `12 min`, `40 s`.
pub fn age(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if days > 1 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}
