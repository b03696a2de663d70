//! Why a run does not start: the form in which every cause is given, and the way to an outcome.

use jiff::SignedDuration;

use crate::catalogue::{Actor, Code, Finding, Fix, FixKind};
use crate::doctor::actions::facts::{ActionsFacts, Looked};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::github::model::Job;

/// Until then no runner need have taken a job.
pub const NORMAL: SignedDuration = SignedDuration::from_mins(2);
/// From then on hosted runners are slow.
pub const HOSTED_SUSPECT: SignedDuration = SignedDuration::from_mins(5);
/// GitHub cancels hosted jobs that no runner took after about 15 minutes (community#209578): what
/// waits longer is stuck.
pub const STUCK: SignedDuration = SignedDuration::from_mins(30);
/// A repository in which nothing ever ran, this long after the first attempt.
pub const FLAGGED: SignedDuration = SignedDuration::from_hours(2);
/// A runner has taken the job, and reports no step.
pub const SILENT: SignedDuration = SignedDuration::from_hours(2);
/// GitHub cancels every job that has waited for a day.
pub const LATE: SignedDuration = SignedDuration::from_hours(23);

/// Why a run does not start.
#[derive(Clone, Debug)]
pub struct RunVerdict {
    kind: VerdictKind,
    evidence: Vec<Evidence>,
    /// Who can fix it, where the code does not say so.
    actor: Option<Actor>,
}

#[derive(Clone, Debug)]
enum VerdictKind {
    /// It ends by itself.
    Passing(Finding),
    Unknown(Unknown),
    /// Nothing changes until somebody acts.
    Blocking(Finding),
}

/// GitHub did not answer.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// None where the network or a broken server is the cause: it says nothing about Actions.
    pub code: Option<Code>,
    pub summary: String,
    pub needs: String,
    pub fix: Fix,
    pub transient: bool,
}

impl RunVerdict {
    pub fn fail(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(VerdictKind::Blocking(Finding::new(code, summary, fix)))
    }

    pub fn warn(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(VerdictKind::Passing(Finding::new(code, summary, fix)))
    }

    pub fn unknown(unknown: Unknown) -> Self {
        Self::new(VerdictKind::Unknown(unknown))
    }

    fn new(kind: VerdictKind) -> Self {
        Self { kind, evidence: Vec::new(), actor: None }
    }

    pub fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Somebody else can fix this than the code says.
    pub fn fixed_by(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// The same under another summary: which question it leaves open.
    pub fn summarized(mut self, summary: impl Into<String>) -> Self {
        *match &mut self.kind {
            VerdictKind::Passing(finding) | VerdictKind::Blocking(finding) => &mut finding.summary,
            VerdictKind::Unknown(unknown) => &mut unknown.summary,
        } = summary.into();
        self
    }

    fn summary(&self) -> &str {
        match &self.kind {
            VerdictKind::Passing(finding) | VerdictKind::Blocking(finding) => &finding.summary,
            VerdictKind::Unknown(unknown) => &unknown.summary,
        }
    }

    fn code(&self) -> Option<Code> {
        match &self.kind {
            VerdictKind::Passing(finding) | VerdictKind::Blocking(finding) => Some(finding.code),
            VerdictKind::Unknown(unknown) => unknown.code,
        }
    }

    fn fix(&self) -> &Fix {
        match &self.kind {
            VerdictKind::Passing(finding) | VerdictKind::Blocking(finding) => &finding.fix,
            VerdictKind::Unknown(unknown) => &unknown.fix,
        }
    }

    /// Whether `other` reports the same of another run.
    fn is_cause_of(&self, other: &Self) -> bool {
        let of_cause = |verdict: &Self| -> Vec<Evidence> {
            let all = verdict.evidence.iter();
            all.filter(|evidence| !OF_ONE_RUN.contains(&evidence.label)).cloned().collect()
        };
        let same_fix = match (&self.fix().kind, &other.fix().kind) {
            // the page of the run itself
            (FixKind::Visit { .. }, FixKind::Visit { .. }) => {
                self.fix().message == other.fix().message
            }
            _ => self.fix() == other.fix(),
        };
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind)
            && (self.code(), self.summary()) == (other.code(), other.summary())
            && same_fix
            && of_cause(self) == of_cause(other)
    }

    pub fn outcome(self, subject: String) -> Judgement {
        // a file of the repository is the agent's to edit
        let in_a_file = matches!(self.fix().kind, FixKind::Edit { .. });
        let actor = self.actor.or(in_a_file.then_some(Actor::Agent));
        let mut outcome = match self.kind {
            VerdictKind::Passing(Finding { code, summary, fix }) => {
                Judgement::warn(code, summary, fix)
            }
            VerdictKind::Blocking(finding) => Judgement::found(finding),
            VerdictKind::Unknown(Unknown { code, summary, needs, fix, transient }) => {
                let mut outcome = Judgement::unknown(summary, needs);
                outcome.actor = Some(Actor::WorkspaceUser);
                let outcome = match code {
                    Some(code) => outcome.coded(code),
                    None => outcome,
                };
                Judgement { transient, ..outcome.fixed(fix) }
            }
        };
        if let Some(actor) = actor {
            outcome.actor = Some(actor);
            outcome.agent_may_fix = actor == Actor::Agent;
            outcome.stop_and_report &= actor != Actor::Agent;
        }
        outcome.with(self.evidence).about(subject)
    }
}

/// What blocks comes before what is unknown, and that before what ends by itself; else the first.
pub fn worst(verdicts: impl Iterator<Item = RunVerdict>) -> Option<RunVerdict> {
    let mut all: Vec<_> = verdicts.collect();
    all.sort_by_key(|verdict| match verdict.kind {
        VerdictKind::Blocking(_) => 0,
        VerdictKind::Unknown(_) => 1,
        VerdictKind::Passing(_) => 2,
    });
    let mut all = all.into_iter();
    let first = all.next()?;
    let other = all.find_map(|other| {
        other.code().filter(|code| Some(*code) != first.code()).map(|code| (code, other))
    });
    Some(first.with(
        other.map(|(code, other)| Evidence::new("also", format!("{code}: {}", other.summary()))),
    ))
}

/// Evidence about one run or job, which says nothing about the cause.
const OF_ONE_RUN: [&str; 9] =
    ["workflow", "run", "at", "job", "queued", "ended", "since", "jobs", "actor"];
const MOST_NAMED: usize = 6;

/// The verdicts on runs, each with the address and the subject of its run: a cause that several runs
/// have is reported once, for the first of them.
pub fn once_each(verdicts: Vec<(String, String, RunVerdict)>) -> Vec<Judgement> {
    let mut causes: Vec<(RunVerdict, String, Vec<String>)> = Vec::new();
    for (address, subject, verdict) in verdicts {
        match causes.iter_mut().find(|(first, ..)| first.is_cause_of(&verdict)) {
            Some((.., others)) => others.push(address),
            None => causes.push((verdict, subject, Vec::new())),
        }
    }
    let judged = causes.into_iter().map(|(verdict, subject, others)| {
        let count = (!others.is_empty())
            .then(|| Evidence::new("for the same reason", counted(others.len(), "other run")));
        let named = others.into_iter().take(MOST_NAMED);
        let named = named.map(|address| Evidence::new("other run", address));
        verdict.with(count).with(named).outcome(subject)
    });
    judged.collect()
}

pub fn run_subject(facts: &ActionsFacts, looked: &Looked) -> String {
    format!("{} run {}", facts.place.subject, looked.run.id)
}

pub fn named(job: &Job) -> Option<Evidence> {
    (!job.name.is_empty()).then(|| Evidence::foreign("job", &job.name))
}

pub fn run_url(facts: &ActionsFacts, run: i64) -> String {
    format!("{}/actions/runs/{run}", facts.place.web)
}

/// `1 runner`, `2 runners`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `gh` with these arguments, for this repository.
pub fn gh<'a>(facts: &'a ActionsFacts, arguments: &[&'a str]) -> Vec<&'a str> {
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
