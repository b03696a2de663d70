//! The doctor's report: one structure, printed as JSON (schema/doctor.schema.json) or as text for
//! people.

mod text;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::assembly;
use super::context::Depth;
use super::outcome::{CheckStatus, Outcome};
use super::requirement;
use crate::document::Header;
use crate::error::Exit;
use crate::settings::Requirement;

pub use text::render;

#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub header: Header,
    pub binary_path: String,
    pub finished_at: Timestamp,
    pub provisioned_at: Option<Timestamp>,
    pub overall: Overall,
    /// With `--required`: the same of what PUSHREADY_REQUIRE names alone, where a server out of
    /// reach has not said no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Overall>,
    /// What PUSHREADY_REQUIRE names and this run did not test.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_tested: Vec<String>,
    #[serde(skip)]
    pub requirements: Vec<Requirement>,
    /// What PUSHREADY_ACCEPT names and is not a code.
    #[serde(skip)]
    pub not_codes: Vec<String>,
    /// The repositories that `--repo` limited this run to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limited_to: Vec<String>,
    pub depth: Depth,
    /// The checks that were requested.
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

impl Examined {
    pub fn of(outcomes: &[Outcome], requested: &[&str]) -> Vec<Self> {
        let looked = outcomes.iter().filter(|outcome| {
            outcome.status != CheckStatus::Skip && requested.contains(&outcome.id)
        });
        looked.map(|outcome| Self { id: outcome.id, subject: outcome.subject.clone() }).collect()
    }
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
        match Self::worst(outcomes.iter().map(|outcome| outcome.status)) {
            Self::Pass if saw_nothing(outcomes) => Self::Unknown,
            overall => overall,
        }
    }

    /// The worst of what is required; there a failure that may pass by itself, such as a server out
    /// of reach, is not a verdict. What was not tested is unknown.
    pub fn of_required(outcomes: &[Outcome], not_tested: &[String]) -> Self {
        let counted = outcomes.iter().filter(|outcome| outcome.required);
        let statuses = counted.map(|outcome| match outcome.status {
            CheckStatus::Fail if outcome.transient => CheckStatus::Unknown,
            status => status,
        });
        Self::worst(statuses.chain(not_tested.iter().map(|_| CheckStatus::Unknown)))
    }

    fn worst(statuses: impl Iterator<Item = CheckStatus>) -> Self {
        match statuses.max() {
            Some(CheckStatus::Fail) => Self::Fail,
            Some(CheckStatus::Unknown) => Self::Unknown,
            Some(CheckStatus::Warn) => Self::Warn,
            Some(CheckStatus::Pass | CheckStatus::Skip | CheckStatus::Accepted) | None => {
                Self::Pass
            }
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

    /// With what a second look at some of its checks found in their place.
    pub fn renewed(mut self, by: Self) -> Self {
        self.checks.retain(|old| !by.requested.contains(&old.id));
        self.checks.extend(by.checks);
        assembly::sort(&mut self.checks);
        self.examined = Examined::of(&self.checks, &self.requested);
        self.judge();
        self.finished_at = by.finished_at;
        self.duration_ms += by.duration_ms;
        self
    }

    /// Judges the checks as a whole.
    pub fn judge(&mut self) {
        let not_tested = requirement::not_tested(&self.requirements, &self.checks);
        self.not_tested = not_tested.map(ToString::to_string).collect();
        self.overall = Overall::of(&self.checks);
        let required = |_| Overall::of_required(&self.checks, &self.not_tested);
        self.required = self.required.map(required);
    }

    /// What keeps the verdict from being a pass.
    pub fn in_the_way(&self) -> impl Iterator<Item = &Outcome> {
        self.checks.iter().filter(|outcome| {
            matches!(outcome.status, CheckStatus::Fail | CheckStatus::Unknown)
                && (outcome.required || self.required.is_none())
        })
    }

    /// What another try looks at: what is in the way, and where a requirement is not proven, what
    /// is accepted of it.
    pub fn to_try_again(&self) -> impl Iterator<Item = &Outcome> {
        let is_unproven = |outcome: &&Outcome| {
            outcome.status == CheckStatus::Accepted
                && outcome.required
                && !self.not_tested.is_empty()
        };
        self.in_the_way().chain(self.checks.iter().filter(is_unproven))
    }

    /// Whether another try may end better: something is in the way, and nothing of it is there to
    /// stay.
    pub fn may_pass(&self) -> bool {
        self.to_try_again().next().is_some()
            && self.to_try_again().all(|outcome| outcome.is_retried())
    }
}

/// Whether nothing was looked at.
fn saw_nothing(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| outcome.status == CheckStatus::Skip)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalogue::Code;
    use crate::catalogue::Fix;
    use crate::doctor::outcome::Judgement;

    /// One of these checks.
    pub fn report(checks: Vec<Outcome>) -> Report {
        Report {
            header: Header::new(),
            binary_path: String::new(),
            finished_at: Timestamp::UNIX_EPOCH,
            provisioned_at: None,
            overall: Overall::of(&checks),
            required: None,
            not_tested: Vec::new(),
            requirements: Vec::new(),
            not_codes: Vec::new(),
            limited_to: Vec::new(),
            depth: Depth::Network,
            requested: Vec::new(),
            examined: Vec::new(),
            checks,
            duration_ms: 40,
        }
    }

    #[test]
    fn another_try_is_made_where_nothing_is_there_to_stay() {
        let passing = || {
            Outcome::new("push.read", Judgement::fail(Code::PushServerError, "x", Fix::wait("y")))
        };
        let lasting =
            || Outcome::new("home.folder", Judgement::fail(Code::HomeUnset, "x", Fix::report("y")));
        let may_pass = |checks| report(checks).may_pass();
        assert!(may_pass(vec![passing()]));
        assert!(!may_pass(vec![passing(), lasting()]), "one that passes does not help the other");
        assert!(!may_pass(vec![lasting()]));
        assert!(!may_pass(vec![Outcome::new("push.read", Judgement::pass("x"))]));
        let mut accepted = lasting();
        accepted.status = CheckStatus::Accepted;
        assert!(may_pass(vec![passing(), accepted]));
        // it is a verdict, and what is missing may be starting
        let mut starting = passing();
        starting.judgement = starting.judgement.until_started();
        assert!(!starting.transient && may_pass(vec![starting]));
        // it is accepted, which proves nothing of what is required
        let (mut required, mut whole) = (passing(), report(Vec::new()));
        (required.status, required.required) = (CheckStatus::Accepted, true);
        whole.checks = vec![required];
        assert!(!whole.may_pass());
        whole.not_tested = vec!["push:o/app".to_owned()];
        assert!(whole.may_pass());
    }
}
