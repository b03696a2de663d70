//! What is kept of the doctor's runs for `status`, in `doctor.json`: the last whole report as it is
//! printed, and beside its fields what other runs found to fail and it did not look at. Readers of
//! either ignore the other.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check::{area, asks_a_server};
use super::context::Depth;
use super::outcome::{CheckStatus, Outcome};
use super::report::{Overall, Report};
use crate::error::{Error, Result};
use crate::json;
use crate::resource::file::{self, Kind};
use crate::state::State;

/// Some tens of thousands of results. Of a larger file, nothing is known.
const LARGEST: u64 = 32 << 20;
const MOST_MEMORY: usize = 64 << 20;

#[derive(Default)]
pub struct Kept {
    pub whole: Option<Verdict>,
    pub since: Vec<Since>,
}

/// The part of the last whole report that matters later.
#[derive(Serialize, Deserialize)]
pub struct Verdict {
    pub finished_at: Timestamp,
    /// The apply whose work was looked at.
    #[serde(default, skip_serializing)]
    pub provisioned_at: Option<Timestamp>,
    pub overall: Overall,
    #[serde(default)]
    pub stale: bool,
    #[serde(default = "network")]
    pub depth: Depth,
    /// What PUSHREADY_REQUIRE names and that run did not test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_tested: Vec<String>,
    /// The doctor ran with `--required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Overall>,
    /// What PUSHREADY_REQUIRE named then.
    #[serde(default, skip_serializing)]
    pub require: Vec<String>,
    pub checks: Vec<CheckLine>,
}

/// The depth of a report that names none.
const fn network() -> Depth {
    Depth::Network
}

#[derive(Clone, Serialize, Deserialize)]
pub struct CheckLine {
    pub id: String,
    pub subject: Option<String>,
    pub status: CheckStatus,
    pub code: Option<String>,
    #[serde(default)]
    pub transient: bool,
    #[serde(default)]
    pub accepted: bool,
    #[serde(default)]
    pub required: bool,
}

/// What a run of a few checks or a deeper one met, until these checks are run again: a failure, or
/// that one is fixed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Since {
    pub finished_at: Timestamp,
    /// That run was one with `--required`.
    #[serde(default)]
    pub only_required: bool,
    #[serde(flatten)]
    pub check: CheckLine,
}

/// How a whole report is written: readers of its schema ignore the fields that it does not have.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    require: Vec<String>,
    #[serde(skip_serializing_if = "<[Since]>::is_empty")]
    since: &'a [Since],
}

impl Kept {
    pub fn read(state: &Path) -> Self {
        Self::of(content(state))
    }

    fn of(mut content: Map<String, Value>) -> Self {
        let since = content.remove("since").and_then(|since| serde_json::from_value(since).ok());
        let whole = serde_json::from_value(Value::Object(content)).ok();
        Self { whole, since: since.unwrap_or_default() }
    }
}

fn content(state: &Path) -> Map<String, Value> {
    let file = file::observe_up_to(LARGEST, &state.join("doctor.json"), Kind::Own).ok().flatten();
    match file.map(|file| json::read(&file.bytes, &mut { MOST_MEMORY })) {
        Some(Ok(Value::Object(content))) => content,
        _ => Map::new(),
    }
}

/// What is known in addition to the whole verdict: what fails in checks that this run did not look at or
/// could not tell, and what passed since a whole run failed. Pure.
fn since(before: Kept, report: &Report, whole: bool) -> Vec<Since> {
    let mut since = before.since;
    let last: Vec<Since> = before.whole.into_iter().flat_map(Verdict::failures).collect();
    // Actions are not part of a whole run, and nothing in the workspace
    let is_new = |check: &&Outcome| match check.status {
        _ if whole || check.id.starts_with("actions.") => false,
        CheckStatus::Pass | CheckStatus::Warn | CheckStatus::Accepted => {
            last.iter().any(|failure| failure.check.is_of(check.id, check.subject.as_ref()))
        }
        status => status == CheckStatus::Fail && !check.accepted,
    };
    let new: Vec<_> =
        report.checks.iter().filter(is_new).map(|check| Since::of(check, report)).collect();
    if whole {
        since.retain(|known| known.check.status == CheckStatus::Fail);
        since.extend(last);
    }
    let now = |known: &CheckLine| {
        report.checks.iter().find(|check| known.is_of(check.id, check.subject.as_ref()))
    };
    since.retain(|known| match now(&known.check) {
        Some(check) => check.status == CheckStatus::Unknown,
        // of a few repositories, others may not have been looked at
        None if !whole && ["push", "ssh"].contains(&area(&known.check.id)) => true,
        None if !report.limited_to.is_empty() && known.check.subject.is_some() => true,
        None => !report.requested.iter().any(|id| *id == known.check.id),
    });
    since.extend(new);
    since
}

impl CheckLine {
    /// The check and what it is about.
    pub fn name(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{} {subject}", self.id),
            None => self.id.clone(),
        }
    }

    /// A result is identified by its check and subject.
    pub fn is_of(&self, id: &str, subject: Option<&String>) -> bool {
        self.id == id && self.subject.as_ref() == subject
    }
}

impl Verdict {
    /// Whether it proved over the network all that it was to prove, as far as no check failed. Where
    /// there was no server to ask, nothing was proven.
    fn is_proof(&self) -> bool {
        let asked =
            |check: &CheckLine| check.status != CheckStatus::Skip && asks_a_server(&check.id);
        self.depth > Depth::Offline && self.not_tested.is_empty() && self.checks.iter().any(asked)
    }

    /// Whether it proved the work of the apply of that time: another one may have ended while the
    /// doctor ran.
    pub fn proves(&self, applied: Timestamp) -> bool {
        self.is_proof()
            && applied <= self.finished_at
            && self.provisioned_at.is_none_or(|seen| seen == applied)
    }

    fn failures(self) -> impl Iterator<Item = Since> {
        let (finished_at, only_required) = (self.finished_at, self.required.is_some());
        let failed = self
            .checks
            .into_iter()
            .filter(|check| check.status == CheckStatus::Fail && !check.accepted);
        failed.map(move |check| Since { finished_at, only_required, check })
    }
}

impl Since {
    fn of(check: &Outcome, report: &Report) -> Self {
        let check = CheckLine {
            id: check.id.to_owned(),
            subject: check.subject.clone(),
            status: check.status,
            code: check.code.map(|code| code.name().to_owned()),
            transient: check.transient,
            accepted: check.accepted,
            required: check.required,
        };
        Self { finished_at: report.finished_at, only_required: report.required.is_some(), check }
    }
}

/// Keeps a report; `whole`: it is of every check of its depth, for a run of a few must not pass for
/// that, nor one without the network for a proof that needed it. Under the lock, so that a running removal is not followed by a file that nothing would remove; where
/// the state folder is gone meanwhile there is nothing to tell.
pub fn keep(report: &Report, whole: bool, state: &Path) -> Result<()> {
    let Some(state) = State::open_promptly(state)? else { return Ok(()) };
    let mut content = content(&state.path);
    let before = Kept::of(content.clone());
    let is_proof = |depth| depth > Depth::Offline;
    let has_proof = before.whole.as_ref().is_some_and(|verdict| is_proof(verdict.depth));
    let whole = whole && (is_proof(report.depth) || !has_proof);
    let had_any = !before.since.is_empty();
    let since = since(before, report, whole);
    let text = if whole {
        let require = report.requirements.iter().map(ToString::to_string).collect();
        serde_json::to_string_pretty(&Written { report, require, since: &since })
    } else if had_any || !since.is_empty() {
        content.insert("since".to_owned(), serde_json::json!(since));
        serde_json::to_string_pretty(&content)
    } else {
        return Ok(());
    };
    let path = state.path.join("doctor.json");
    text.map_err(std::io::Error::other)
        .and_then(|text| file::write(&path, format!("{text}\n").as_bytes(), 0o600))
        .map_err(|error| Error::io("keep the verdict in", &path, &error))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Judgement;
    use super::super::report::tests::report;
    use super::*;
    use crate::catalogue::{Code, Fix};
    use CheckStatus::{Accepted, Fail, Pass, Skip, Unknown, Warn};

    type Line = (&'static str, Option<&'static str>, CheckStatus);

    const LOGIN: &str = "codex.login";
    const REQUEST: &str = "codex.request";
    const WRITE: &str = "push.write";
    const APP: Option<&str> = Some("git@h:o/app.git");
    const LIB: Option<&str> = Some("git@h:o/lib.git");

    /// What was known, the last whole run and then what other runs failed; a run; what is kept.
    struct Row {
        what: &'static str,
        whole: &'static [Line],
        since: &'static [Line],
        run: &'static [Line],
        is_whole: bool,
        kept: &'static [Line],
    }

    const PART: Row =
        Row { what: "", whole: &[], since: &[], run: &[], is_whole: false, kept: &[] };

    const ROWS: &[Row] = &[
        Row {
            what: "the first failure of a part",
            run: &[(LOGIN, None, Fail)],
            kept: &[(LOGIN, None, Fail)],
            ..PART
        },
        Row { what: "a pass of what never failed", run: &[(LOGIN, None, Pass)], ..PART },
        Row {
            what: "a part passes what the whole run failed",
            whole: &[(LOGIN, None, Fail)],
            run: &[(LOGIN, None, Pass)],
            kept: &[(LOGIN, None, Pass)],
            ..PART
        },
        Row {
            what: "a part warns where the whole run failed",
            whole: &[(LOGIN, None, Fail)],
            run: &[(LOGIN, None, Warn)],
            kept: &[(LOGIN, None, Warn)],
            ..PART
        },
        Row {
            what: "what the whole run failed is accepted since",
            whole: &[(LOGIN, None, Fail)],
            run: &[(LOGIN, None, Accepted)],
            kept: &[(LOGIN, None, Accepted)],
            ..PART
        },
        Row {
            what: "a part passes what a part failed",
            since: &[(LOGIN, None, Fail)],
            run: &[(LOGIN, None, Pass)],
            ..PART
        },
        Row {
            what: "what could not be judged keeps the failure",
            since: &[(LOGIN, None, Fail)],
            run: &[(LOGIN, None, Unknown)],
            kept: &[(LOGIN, None, Fail)],
            ..PART
        },
        Row {
            what: "what is skipped does not keep it",
            since: &[(LOGIN, None, Fail)],
            run: &[(LOGIN, None, Skip)],
            ..PART
        },
        Row {
            what: "another check keeps it",
            since: &[(REQUEST, None, Fail)],
            run: &[(LOGIN, None, Pass)],
            kept: &[(REQUEST, None, Fail)],
            ..PART
        },
        Row {
            what: "a push to another repository keeps it",
            since: &[(WRITE, APP, Fail)],
            run: &[(WRITE, LIB, Pass)],
            kept: &[(WRITE, APP, Fail)],
            ..PART
        },
        Row {
            what: "a whole run looks at every repository",
            since: &[(WRITE, APP, Fail)],
            run: &[(WRITE, LIB, Pass)],
            is_whole: true,
            ..PART
        },
        Row {
            what: "a whole run keeps what a deeper one failed",
            whole: &[(REQUEST, None, Fail)],
            run: &[(LOGIN, None, Pass)],
            is_whole: true,
            kept: &[(REQUEST, None, Fail)],
            ..PART
        },
        Row {
            what: "a whole run drops what is fixed",
            since: &[(REQUEST, None, Pass)],
            run: &[(LOGIN, None, Pass)],
            is_whole: true,
            ..PART
        },
        Row { what: "Actions are not kept", run: &[("actions.runs", None, Fail)], ..PART },
    ];

    fn judgement(status: CheckStatus) -> Judgement {
        let fix = || Fix::report("fix");
        match status {
            Pass => Judgement::pass("pass"),
            Skip => Judgement::skip("skip"),
            Unknown => Judgement::unknown("unknown", "reason"),
            Warn => Judgement::warn(Code::HomeReadOnly, "warn", fix()),
            Fail => Judgement::fail(Code::HomeReadOnly, "fail", fix()),
            Accepted => Judgement {
                status: Accepted,
                ..Judgement::fail(Code::HomeReadOnly, "accepted", fix())
            },
        }
    }

    /// The report of a run that looked at these and at nothing else.
    fn run(lines: &[Line]) -> Report {
        let outcome = |&(id, subject, status): &Line| {
            let judgement = judgement(status);
            let judgement = match subject {
                Some(subject) => judgement.about(subject),
                None => judgement,
            };
            Outcome::new(id, judgement)
        };
        let mut report = report(lines.iter().map(outcome).collect());
        report.requested = lines.iter().map(|(id, ..)| *id).collect();
        report
    }

    fn known(row: &Row) -> Kept {
        let other = run(row.since);
        let since = other.checks.iter().map(|check| Since::of(check, &other)).collect();
        let whole = serde_json::to_value(run(row.whole)).unwrap();
        Kept { whole: Some(serde_json::from_value(whole).unwrap()), since }
    }

    #[test]
    fn a_failure_is_kept_until_its_own_check_has_run_again() {
        for row in ROWS {
            let since = since(known(row), &run(row.run), row.is_whole);
            let line = |since: &Since| {
                (since.check.id.clone(), since.check.subject.clone(), since.check.status)
            };
            let expected = row.kept.iter().map(|(id, subject, status)| {
                ((*id).to_owned(), subject.map(str::to_owned), *status)
            });
            let found: Vec<_> = since.iter().map(line).collect();
            assert_eq!(found, expected.collect::<Vec<_>>(), "{}", row.what);
        }
    }
}
