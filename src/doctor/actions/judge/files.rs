//! The workflow files: what can be said without asking a server.

use std::collections::BTreeMap;
use std::path::Path;

use super::verdict::counted;
use crate::catalogue::{Actor, Code, Finding, Fix};
use crate::doctor::actions::hosted_labels::HostedLabels;
use crate::doctor::actions::local::Local;
use crate::doctor::actions::workflow::{WorkflowFile, WorkflowProblem};
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement};

/// Each is compared with every pattern and every hosted label.
const MOST_LABELS: usize = 500;
const MOST_NAMED: usize = 6;

/// What is wrong with a file.
#[derive(Clone, Copy)]
enum FileFault<'a> {
    Invalid(&'a str),
    Retired(&'a str),
    /// A label, and the one that was probably meant.
    Misspelt(&'a str, &'a str),
    /// A job requests this label of GitHub's beside others of them: no runner has several.
    Several(&'a str),
}

pub fn workflow_files(
    subject: &str,
    local: &Local,
    labels: &HostedLabels,
    now: jiff::Timestamp,
) -> Judgement {
    if local.workflows.is_empty() {
        let outcome = Judgement::skip("the commit has no workflow file").about(subject);
        return outcome.with(outside(local));
    }
    let mut known = KnownLabels { local, labels, labels_seen: BTreeMap::new() };
    let faults: Vec<_> =
        local.workflows.iter().flat_map(|workflow| known.faults(workflow)).collect();
    let not_read: Vec<_> = local
        .workflows
        .iter()
        .filter(|file| file.problem == Some(WorkflowProblem::NotRead))
        .collect();
    let table = Evidence::new("table of hosted labels", labels.dated(now));
    let note = labels.problem.as_ref().map(|problem| Evidence::new("table", problem.clone()));
    let skipped = not_read.iter().take(MOST_NAMED).map(|file| {
        Evidence::foreign("not read", &format!("{}: too large or too deep", file.path))
    });
    let outcome = match faults.first() {
        Some((path, first)) => judged(path, *first, labels),
        None if !not_read.is_empty() => Judgement::unknown(
            "a workflow file is larger or deeper than what is read",
            "smaller workflow files",
        ),
        None => {
            let count = counted(local.workflows.len(), "workflow file");
            let text = format!("{count}: no label that is known to be retired or misspelt");
            Judgement::pass(text)
        }
    };
    let all = faults.iter().take(MOST_NAMED).map(|(path, fault)| {
        let (FileFault::Invalid(what)
        | FileFault::Retired(what)
        | FileFault::Misspelt(what, _)
        | FileFault::Several(what)) = fault;
        Evidence::foreign("file", &format!("{path}: {what}"))
    });
    outcome
        .with(all)
        .with(deprecated(local, labels))
        .with(skipped)
        .with(outside(local))
        .with([table])
        .with(note)
        .about(subject)
}

/// Labels that GitHub still serves, and has announced the end of.
fn deprecated(local: &Local, labels: &HostedLabels) -> Vec<Evidence> {
    let jobs = local.workflows.iter().flat_map(|workflow| &workflow.jobs);
    let used = jobs.flat_map(|job| job.label_sets.iter().flatten());
    let found: BTreeMap<_, _> = used
        .take(MOST_LABELS)
        .filter_map(|label| labels.deprecated(label))
        .map(|found| (&found.label, found))
        .collect();
    let shown = found.values().take(MOST_NAMED).map(|found| {
        let end = format!("`{}` ends on {}: write `{}`", found.label, found.since, found.instead);
        Evidence::new("deprecated", end)
    });
    shown.collect()
}

/// What the judgement leaves out.
fn outside(local: &Local) -> impl Iterator<Item = Evidence> {
    local
        .outside
        .iter()
        .map(|file| Evidence::foreign("file", &format!("{}: {}", file.path, file.why.shown())))
}

fn judged(path: &str, fault: FileFault<'_>, labels: &HostedLabels) -> Judgement {
    let edit = |message: String| Fix::edit(Path::new(path), message);
    let (code, summary, fix) = match fault {
        FileFault::Invalid(why) => (
            Code::ActionsStartupFailure,
            format!("a workflow file is invalid: {why}"),
            edit("fix the workflow file".to_owned()),
        ),
        FileFault::Retired(label) => {
            let retired = labels.retired(label);
            let (label, since, instead) = retired.map_or((label, "", ""), |retired| {
                (&retired.label, &retired.since, &retired.instead)
            });
            let summary = format!(
                "a job requests `{label}`, which GitHub retired in {since}: it would wait for a day and be cancelled"
            );
            (Code::ActionsLabelRetired, summary, edit(format!("write `runs-on: {instead}`")))
        }
        FileFault::Misspelt(_, meant) => {
            let summary = format!(
                "a label resembles one of GitHub's and is not one; `{meant}` was probably meant"
            );
            let message = format!(
                "write `runs-on: {meant}`, or name the label in .github/actionlint.yaml if it is a runner of yours"
            );
            (Code::ActionsLabelUnknown, summary, edit(message))
        }
        FileFault::Several(_) => (
            Code::ActionsLabelUnknown,
            "a job requests a runner that has several of GitHub's labels at once, and there is none"
                .to_owned(),
            edit("name one label, or make a matrix of them: a list means a runner that has all of its labels".to_owned()),
        ),
    };
    let outcome = Judgement::found(Finding::new(code, summary, fix));
    match fault {
        // the file is the agent's to edit, whoever owns the runners
        FileFault::Misspelt(..) | FileFault::Several(_) => Judgement {
            status: CheckStatus::Warn,
            actor: Some(Actor::Agent),
            agent_may_fix: true,
            stop_and_report: false,
            ..outcome
        },
        FileFault::Invalid(_) | FileFault::Retired(_) => outcome,
    }
}

/// What is known about labels, each judged once.
struct KnownLabels<'a> {
    local: &'a Local,
    labels: &'a HostedLabels,
    labels_seen: BTreeMap<&'a str, Label<'a>>,
}

#[derive(Clone, Copy)]
enum Label<'a> {
    /// Of the repository's own runners: so is the job.
    Own,
    Faulty(FileFault<'a>),
    Fine,
}

impl<'a> KnownLabels<'a> {
    fn faults(&mut self, workflow: &'a WorkflowFile) -> Vec<(&'a str, FileFault<'a>)> {
        let invalid = match &workflow.problem {
            Some(WorkflowProblem::Invalid(why)) => Some(FileFault::Invalid(why)),
            Some(WorkflowProblem::NotRead) | None => None,
        };
        let sets = workflow.jobs.iter().flat_map(|job| job.label_sets.iter());
        let of_labels = sets.filter_map(|set| self.fault(set));
        let path = workflow.path.as_str();
        invalid.into_iter().chain(of_labels).map(|fault| (path, fault)).collect()
    }

    fn fault(&mut self, set: &'a [String]) -> Option<FileFault<'a>> {
        let labels: Vec<_> = set.iter().map(|label| self.label(label)).collect();
        if labels.iter().any(|label| matches!(label, Label::Own)) {
            return None;
        }
        let faulty = labels.into_iter().find_map(|label| match label {
            Label::Faulty(fault) => Some(fault),
            Label::Own | Label::Fine => None,
        });
        let hosted = || set.iter().filter(|label| self.labels.is_current(label));
        let several = || {
            let first = hosted().next()?;
            let other = hosted().any(|label| !label.eq_ignore_ascii_case(first));
            other.then_some(FileFault::Several(first))
        };
        faulty.or_else(several)
    }

    fn label(&mut self, label: &'a str) -> Label<'a> {
        if let Some(known) = self.labels_seen.get(label) {
            return *known;
        }
        if self.labels_seen.len() >= MOST_LABELS {
            return Label::Fine;
        }
        let (labels, local) = (self.labels, self.local);
        let judged = if labels.is_self_hosted(label) || local.owns(label) {
            Label::Own
        } else if labels.retired(label).is_some() {
            Label::Faulty(FileFault::Retired(label))
        } else if let Some(meant) = labels.meant(label) {
            Label::Faulty(FileFault::Misspelt(label, meant))
        } else {
            Label::Fine
        };
        self.labels_seen.insert(label, judged);
        judged
    }
}
