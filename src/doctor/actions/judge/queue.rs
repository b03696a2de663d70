//! A queued job that no runner took: its labels say which runner should have.

use super::verdict::{
    FLAGGED, HOSTED_SUSPECT, LATE, NORMAL, RunVerdict, SILENT, STUCK, Unknown, age,
};
use super::{github_side, own};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::{ActionsFacts, Labels, Looked, Standing};
use crate::doctor::outcome::Evidence;
use crate::github::Forge;
use crate::github::model::Job;

/// Concurrent jobs of a free account; the larger plans have 40, 60 and 500 (docs, "Usage limits").
const FREE_SLOTS: u64 = 20;
/// Of them on macOS; 50 on the largest plan.
const MACOS_SLOTS: u64 = 5;

/// `None`: it waits no longer than usual.
pub(super) fn judge(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    let since = facts.age(job.created.or_else(|| looked.run.since()));
    let waited = since.unwrap_or_default();
    let queued =
        since.map(|waited| Evidence::new("queued", format!("{}, without a runner", age(waited))));
    let needs = looked.needs(&facts.local, job);
    if needs == Some(true) {
        return None;
    }
    let verdict = match Labels::of(&job.labels, &facts.labels) {
        Labels::Hosted if facts.forge == Forge::Cloud => {
            if let Some(verdict) = not_served(facts, looked, job).filter(|_| waited >= NORMAL) {
                return Some(labelled(verdict, job).with(queued));
            }
            let elsewhere = looked.jobs.as_ref().is_ok_and(|page| {
                page.items.iter().any(|other| other.id != job.id && other.status == "in_progress")
            });
            // it may wait for those that it needs
            if waited < HOSTED_SUSPECT || needs.is_none() && elsewhere && waited < STUCK {
                return None;
            }
            hosted(facts, job, waited)
        }
        Labels::Retired if !own::has_runner(facts, job) && !is_own(facts, job) => {
            retired(facts, job)?
        }
        Labels::None if waited < STUCK => return None,
        Labels::None => without_labels(facts, looked, job, waited)?,
        Labels::Own | Labels::Hosted | Labels::Retired => own::judge(facts, looked, job, waited)?,
    };
    Some(labelled(verdict, job).with(queued))
}

fn labelled(verdict: RunVerdict, job: &Job) -> RunVerdict {
    let labels =
        (!job.labels.is_empty()).then(|| Evidence::foreign("job requests", &job.labels.join(", ")));
    verdict.with(labels)
}

/// The configuration of actionlint names a label of the job as one of the repository's own.
fn is_own(facts: &ActionsFacts, job: &Job) -> bool {
    job.labels.iter().any(|label| facts.local.owns(label))
}

/// Labels that GitHub has, and that it does not serve to this job.
fn not_served(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    let different: std::collections::BTreeSet<_> =
        job.labels.iter().map(|label| label.to_lowercase()).collect();
    if different.len() > 1 {
        let fix = own::in_workflow(
            facts,
            looked,
            "name one label, or make a matrix of them: a list means a runner that has all of its labels",
        );
        let summary = "the job requests a runner that has several of GitHub's labels at once, and there is none";
        return Some(
            RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix)
                .with([github_side::table(facts)]),
        );
    }
    let larger = job.labels.iter().find(|label| facts.labels.is_larger(label))?;
    let of_a_person = facts.repo.as_ref().is_ok_and(|repo| !repo.organization);
    let summary = "the job requests a larger runner of GitHub's, and only organizations with a paid plan have them";
    let fix = match facts.labels.standard(larger) {
        Some(standard) => own::in_workflow(
            facts,
            looked,
            format!("write `runs-on: {standard}`, the standard runner of the same architecture"),
        ),
        None => Fix::report("use a standard label of the same architecture"),
    };
    of_a_person.then(|| {
        RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix).with([github_side::table(facts)])
    })
}

/// GitHub shows no label of the job: `runs-on` names a group alone, or its expression came out
/// empty.
fn without_labels(
    facts: &ActionsFacts,
    looked: &Looked,
    job: &Job,
    waited: jiff::SignedDuration,
) -> Option<RunVerdict> {
    let local = looked.in_file(&facts.local, job);
    if local.is_some_and(|local| local.group.is_some()) {
        return own::judge(facts, looked, job, waited);
    }
    if local.is_some_and(|local| local.computed) {
        let fix = own::in_workflow(
            facts,
            looked,
            "check the variables and inputs in `runs-on`: its value has no label, or a runner group alone",
        );
        let summary = "`runs-on` is an expression, and the job got no label from it";
        return Some(RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix));
    }
    Some(group_alone(facts))
}

/// `runs-on` may name a runner group and no label: no answer tells which one.
fn group_alone(facts: &ActionsFacts) -> RunVerdict {
    let owner = facts.repo.as_ref().map(|repo| repo.owner.as_str()).unwrap_or_default();
    let url = format!(
        "https://{}/organizations/{owner}/settings/actions/runner-groups",
        facts.place.host()
    );
    let fix = Fix::visit(
        url,
        "an owner must look whether the group admits this repository, and whether its runners are online",
    );
    let needs = "an owner of the organization, who can see the group and its runners".to_owned();
    RunVerdict::unknown(Unknown {
        code: None,
        summary: "the job names a runner group and no label, and no runner takes it".to_owned(),
        needs,
        fix,
        transient: false,
    })
    .fixed_by(Actor::OrgAdmin)
}

/// For the line that says that all is well.
pub(super) fn normal(facts: &ActionsFacts, looked: &Looked) -> Option<Evidence> {
    let page = looked.jobs.as_ref().ok()?;
    let job = page.items.iter().find(|job| Standing::of(job) == Standing::Queued)?;
    if looked.needs(&facts.local, job) == Some(true) {
        return Some(Evidence::foreign("waits for another job of the run", &job.name));
    }
    let waited = facts.age(job.created)?;
    Some(Evidence::new("queued", format!("{}, which is normal", age(waited))))
}

/// The same causes, seen after GitHub has ended the wait: after a day, or when the job's
/// `timeout-minutes` ran out.
pub(super) fn late(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    let verdict = match Labels::of(&job.labels, &facts.labels) {
        Labels::Retired if !own::has_runner(facts, job) && !is_own(facts, job) => {
            retired(facts, job)
        }
        Labels::Hosted if facts.forge == Forge::Cloud => {
            not_served(facts, looked, job).or_else(|| {
                Some(match facts.incident() {
                    Some(page) => github_side::incident(page),
                    None => github_side::unexplained(facts, "GitHub gave the job no runner"),
                })
            })
        }
        Labels::Own | Labels::Hosted | Labels::Retired => own::judge(facts, looked, job, LATE),
        Labels::None => without_labels(facts, looked, job, LATE),
    }?;
    let waited = job.created.zip(job.completed).map(|(from, to)| to.duration_since(from));
    let ended = waited.map(|waited| {
        Evidence::new("ended", format!("{} after {} without a runner", job.conclusion, age(waited)))
    });
    let labels = (!job.labels.is_empty())
        .then(|| Evidence::foreign("job requested", &job.labels.join(", ")));
    Some(verdict.with(labels).with(ended))
}

/// A runner has the job, and nothing of it has run.
pub(super) fn assigned(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    // a job that runs is shown with the time when a runner took it
    let taken = job.started.filter(|_| job.status == "in_progress").or(job.created);
    let waited = facts.age(taken.or_else(|| looked.run.since()))?;
    if waited < SILENT {
        return None;
    }
    let fix = Fix::visit(
        format!("{}/settings/actions/runners", facts.place.web),
        "restart the runner's service if it is one of yours; else cancel the run and start it again",
    );
    let summary = "a runner was given the job, and has not started a step of it";
    let runner = job.runner.as_ref().map(|runner| Evidence::foreign("runner", runner));
    Some(
        RunVerdict::fail(Code::ActionsGithubSide, summary, fix)
            .with(runner)
            .with([Evidence::new("since", age(waited))])
            .fixed_by(Actor::RepoAdmin),
    )
}

fn retired(facts: &ActionsFacts, job: &Job) -> Option<RunVerdict> {
    let retired = job.labels.iter().find_map(|label| facts.labels.retired(label))?;
    let message = format!(
        "replace `runs-on: {}` by `{}` in the workflow file",
        retired.label, retired.instead
    );
    let file = facts.local.workflows.iter().find(|workflow| {
        workflow
            .jobs
            .iter()
            .flat_map(|job| job.label_sets.iter().flatten())
            .any(|label| label.eq_ignore_ascii_case(&retired.label))
    });
    let fix = match file {
        Some(file) => Fix::edit(std::path::Path::new(&file.path), message),
        None => Fix::report(message),
    };
    let summary = format!(
        "GitHub retired `{}` in {}: no runner will take the job",
        retired.label, retired.since
    );
    Some(
        RunVerdict::fail(Code::ActionsLabelRetired, summary, fix).with([github_side::table(facts)]),
    )
}

/// A label that GitHub serves: what is left is on GitHub's side, or the account's.
fn hosted(facts: &ActionsFacts, job: &Job, waited: jiff::SignedDuration) -> RunVerdict {
    if let Some(page) = facts.incident() {
        return github_side::incident(page);
    }
    let macos = job.labels.iter().any(|label| is_macos(label));
    let (slots, used) = (if macos { MACOS_SLOTS } else { FREE_SLOTS }, in_progress(facts, macos));
    if used >= slots {
        let fix = Fix::visit(
            format!("{}/actions?query=is%3Ain_progress", facts.place.web),
            "wait, or cancel runs that are superseded; `concurrency` with `cancel-in-progress` does that by itself",
        );
        let summary = "the account's concurrent jobs are probably used up: the API shows neither limit nor use";
        let limits = "20 jobs (Free), 40 (Pro), 60 (Team), 500 (Enterprise); macOS 5, 5, 5, 50";
        return RunVerdict::warn(Code::ActionsSlotsSaturated, summary, fix).with([
            Evidence::new("jobs in progress in this repository, at least", used.to_string()),
            Evidence::new("limits", limits),
        ]);
    }
    let never = facts
        .more
        .any_runs
        .as_ref()
        .and_then(|answer| answer.as_ref().ok())
        .is_some_and(|page| page.total == 0);
    if never && waited >= FLAGGED {
        let fix = Fix::visit(
            "https://support.github.com",
            "ask GitHub's support: such a block shows in no API",
        );
        let summary = "no run of this repository ever finished, and GitHub gives it no runner: the account is probably flagged";
        return RunVerdict::fail(Code::ActionsAccountFlagged, summary, fix)
            .with([github_side::ruled_out(facts)]);
    }
    if waited < STUCK {
        let fix = Fix::wait("wait: GitHub cancels the job itself when no runner takes it in time");
        let summary = "GitHub's runners are slow to start, with no incident declared";
        return RunVerdict::warn(Code::ActionsHostedDelay, summary, fix)
            .with([github_side::ruled_out(facts)]);
    }
    github_side::unexplained(facts, "GitHub gives the job no runner, and nothing here explains it")
}

fn is_macos(label: &str) -> bool {
    let label = label.to_lowercase();
    ["macos", "xcode"].iter().any(|system| label.starts_with(system))
}

/// How many of GitHub's runners this repository uses, on macOS alone where `macos`: the jobs of the
/// runs that were looked at, and one for each other run, whose jobs are not known.
fn in_progress(facts: &ActionsFacts, macos: bool) -> u64 {
    let uses = |job: &&Job| {
        let hosted = Labels::of(&job.labels, &facts.labels) == Labels::Hosted;
        let counts = !macos || job.labels.iter().any(|label| is_macos(label));
        job.status == "in_progress" && hosted && counts
    };
    let jobs = facts.looked.iter().filter_map(|looked| looked.jobs.as_ref().ok());
    let known = jobs.flat_map(|page| &page.items).filter(uses).count();
    let listed = facts.more.in_progress.as_ref().and_then(|answer| answer.as_ref().ok());
    let looked = facts.looked.iter().filter(|looked| looked.run.status == "in_progress").count();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    listed.map_or(0, |page| page.total).saturating_sub(count(looked)) + count(known)
}
