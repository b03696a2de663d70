//! The workflow files of the work tree: what can be said without asking anybody.

use super::verdict::counted;
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::WORKFLOW_FILES;
use crate::doctor::actions::hosted_labels::HostedLabels;
use crate::doctor::actions::local::Local;
use crate::doctor::outcome::{Evidence, Outcome};

enum Problem<'a> {
    Broken(&'a str),
    Retired(&'a str),
    Slip(&'a str, &'a str),
}

pub fn workflow_files(subject: &str, local: &Local, labels: &HostedLabels) -> Outcome {
    let subject = Some(subject.to_owned());
    if local.workflows.is_empty() {
        return Outcome::skip(WORKFLOW_FILES, subject, "no workflow file in the work tree");
    }
    let mut problems = Vec::new();
    for workflow in &local.workflows {
        let broken = workflow.problem.as_deref().map(Problem::Broken);
        let of_labels = workflow
            .jobs
            .iter()
            .flat_map(|job| job.label_sets.iter())
            .filter_map(|set| problem(set, local, labels));
        problems.extend(
            broken.into_iter().chain(of_labels).map(|problem| (workflow.path.as_str(), problem)),
        );
    }
    let table = Evidence::new("table of hosted labels", format!("of {}", labels.date));
    let note = labels.problem.as_ref().map(|problem| Evidence::new("table", problem.clone()));
    let Some((path, first)) = problems.first() else {
        let text = format!(
            "{} asking for nothing that is known to be gone",
            counted(local.workflows.len(), "workflow file")
        );
        return Outcome::pass(WORKFLOW_FILES, subject, text).with([table]).with(note);
    };
    let edit = |say: String| Fix::edit(std::path::Path::new(path), say);
    let outcome = match first {
        Problem::Broken(why) => {
            let text = format!("a workflow file cannot be used: {why}");
            Outcome::fail(
                WORKFLOW_FILES,
                subject,
                Code::ActionsStartupFailure,
                text,
                edit("mend the workflow file".to_owned()),
            )
        }
        Problem::Retired(label) => {
            let retired = labels.retired(label);
            let (label, since, instead) = retired.map_or((*label, "", ""), |retired| {
                (&retired.label, &retired.since, &retired.instead)
            });
            let text = format!(
                "a job asks for `{label}`, which GitHub retired in {since}: it would wait a day and be cancelled"
            );
            Outcome::fail(
                WORKFLOW_FILES,
                subject,
                Code::ActionsLabelRetired,
                text,
                edit(format!("write `runs-on: {instead}`")),
            )
        }
        Problem::Slip(_, meant) => {
            let text = format!(
                "a label reads like one of GitHub's and is none; `{meant}` was probably meant"
            );
            let say = format!(
                "write `runs-on: {meant}`, or name the label in .github/actionlint.yaml if it is a runner of yours"
            );
            // the file is the agent's to edit, whoever's the runners are
            let outcome =
                Outcome::warn(WORKFLOW_FILES, subject, Code::ActionsLabelUnknown, text, edit(say));
            Outcome { actor: Some(Actor::Agent), agent_may_fix: true, ..outcome }
        }
    };
    let all = problems.iter().take(6).map(|(path, problem)| {
        let what = match problem {
            Problem::Broken(what) | Problem::Retired(what) | Problem::Slip(what, _) => what,
        };
        Evidence::foreign("file", &format!("{path}: {what}"))
    });
    outcome.with(all).with([table]).with(note)
}

fn problem<'a>(set: &'a [String], local: &Local, labels: &'a HostedLabels) -> Option<Problem<'a>> {
    if set.iter().any(|label| labels.is_self_hosted(label) || local.owns(label)) {
        return None;
    }
    set.iter().find_map(|label| {
        let retired = labels.retired(label).map(|_| Problem::Retired(label));
        retired.or_else(|| labels.meant(label).map(|meant| Problem::Slip(label, meant)))
    })
}
