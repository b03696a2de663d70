//! A job that requests a self-hosted runner, or a label that no runner has.

use super::verdict::{NORMAL, RunVerdict, counted};
use super::{github_side, groups, refused};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::{ActionsFacts, Labels, Looked};
use crate::doctor::outcome::Evidence;
use crate::github::Forge;
use crate::github::model::{Job, Runner};

/// Older runners cannot register (community#194762).
const OLDEST_RUNNER: (u32, u32) = (2, 329);

/// A label that is not one of GitHub's: who has runners with it, and why do they not take the job?
pub(super) fn judge(
    facts: &ActionsFacts,
    looked: &Looked,
    job: &Job,
    waited: jiff::SignedDuration,
) -> Option<RunVerdict> {
    let more = &facts.more;
    let lists = [more.repo_runners.as_ref(), more.org_runners.as_ref()];
    let [here, above] = lists.map(|answer| answer.and_then(|answer| answer.as_ref().ok()));
    let [here, above] = [here, above].map(|page| page.map_or(&[][..], |page| &page.items));
    let fits = |runner: &&Runner| {
        job.labels
            .iter()
            .all(|label| runner.labels.iter().any(|own| own.eq_ignore_ascii_case(label)))
    };
    let exclusion = |runner: &&Runner| groups::exclusion(facts, looked, runner);
    let (excluded, admitted): (Vec<_>, Vec<_>) =
        above.iter().filter(fits).partition(|runner| exclusion(runner).is_some());
    let fitting: Vec<&Runner> = here.iter().filter(fits).chain(admitted).collect();
    if !fitting.is_empty() {
        return not_taken(facts, &fitting, waited);
    }
    if let Some(why) = excluded.first().and_then(exclusion).filter(|_| waited >= NORMAL) {
        return Some(policy(facts).unwrap_or_else(|| groups::excluded(facts, &excluded, why)));
    }
    let runners: Vec<&Runner> = here.iter().chain(above).collect();
    let refusal = lists.into_iter().flatten().find_map(|answer| answer.as_ref().err());
    // a runner that this token has no access to may still take it
    if waited < NORMAL && refusal.is_some() {
        return None;
    }
    if let Some(verdict) = larger_runner(facts, job).or_else(|| misspelt(facts, looked, job)) {
        return Some(verdict);
    }
    if waited < NORMAL {
        return None;
    }
    if let Some(verdict) = policy(facts) {
        return Some(verdict);
    }
    if let Some(refusal) = refusal {
        let known = job.labels.iter().any(|label| facts.local.owns(label));
        let summary = "the job requests a self-hosted runner, and this token has no access to the list of runners";
        let verdict = refused::refused(facts, refusal).summarized(summary);
        return Some(
            verdict
                .with([github_side::table(facts)])
                .with(known.then(|| Evidence::new("actionlint.yaml", "knows the label"))),
        );
    }
    let (count, fix) = (
        runners.len(),
        Fix::visit(format!("{}/settings/actions/runners", facts.place.web), advice(facts, job)),
    );
    let summary = if facts.forge == Forge::Enterprise
        && Labels::of(&job.labels, &facts.labels) == Labels::Hosted
    {
        "the job requests a GitHub-hosted runner, and a GitHub Enterprise Server has none"
    } else if count == 0 {
        "no runner is registered now for the job's labels"
    } else {
        "no runner has the job's labels"
    };
    let seen = Evidence::new("runners available to this repository", count.to_string());
    let labels: std::collections::BTreeSet<_> =
        runners.iter().flat_map(|runner| &runner.labels).take(20).cloned().collect();
    let their_labels = (!labels.is_empty()).then(|| {
        Evidence::foreign("their labels", &labels.into_iter().collect::<Vec<_>>().join(", "))
    });
    Some(
        RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix)
            .with([seen])
            .with(their_labels)
            .with([github_side::table(facts)]),
    )
}

/// A label that resembles one of GitHub's. Beside `self-hosted`, `ubuntu` is a label like any
/// other.
fn misspelt(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    let own = |label: &String| facts.labels.is_self_hosted(label) || facts.local.owns(label);
    if job.labels.iter().any(own) {
        return None;
    }
    let meant = job.labels.iter().find_map(|label| facts.labels.meant(label))?;
    let message = format!("write `runs-on: {meant}`");
    let known = facts.local.workflows.iter().any(|workflow| workflow.path == looked.run.path);
    let fix = if known {
        Fix::edit(std::path::Path::new(&looked.run.path), message)
    } else {
        Fix::report(format!("{message} in the workflow file"))
    };
    let summary = format!(
        "no runner has the job's label, and it is not one of GitHub's: `{meant}` was probably meant"
    );
    Some(
        RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix).with([github_side::table(facts)]),
    )
}

fn advice(facts: &ActionsFacts, job: &Job) -> String {
    let vendors =
        ["blacksmith", "runs-on", "depot", "namespace", "buildjet", "warp", "ubicloud", "cirun"];
    let vendor = vendors
        .into_iter()
        .find(|vendor| job.labels.iter().any(|label| label.to_lowercase().starts_with(vendor)));
    match vendor {
        Some(vendor) => format!("install the App of the vendor (`{vendor}`) for this repository, or use one of GitHub's labels"),
        None if facts.forge == Forge::Enterprise => "register a runner with these labels, or change `runs-on`".to_owned(),
        None => "start a runner with these labels (autoscaled ones register on demand: check their controller), or change \
                 `runs-on`"
            .to_owned(),
    }
}

/// Runners that could take it, and do not.
fn not_taken(
    facts: &ActionsFacts,
    fitting: &[&Runner],
    waited: jiff::SignedDuration,
) -> Option<RunVerdict> {
    let url = format!("{}/settings/actions/runners", facts.place.web);
    let online: Vec<&Runner> = fitting.iter().copied().filter(|runner| runner.online).collect();
    let shown = if online.is_empty() { fitting } else { &online[..] };
    let names: Vec<_> = shown.iter().take(6).map(|runner| runner.name.as_str()).collect();
    let named = Evidence::foreign("runners with these labels", &names.join(", "));
    if waited < NORMAL && !online.is_empty() {
        return None;
    }
    if online.is_empty() {
        let old = fitting
            .iter()
            .find_map(|runner| runner.version.as_deref().filter(|version| is_old(version)));
        let message = match old {
            Some(_) => {
                "update the runner program: GitHub no longer accepts versions below 2.329.0; then start its service"
            }
            None => "start the runner's service, and check its network",
        };
        let version =
            old.map(|version| Evidence::foreign("version", version).expected("at least 2.329.0"));
        let summary = format!(
            "{} with the job's labels, and none is online",
            counted(fitting.len(), "runner")
        );
        return Some(
            RunVerdict::fail(Code::ActionsRunnerOffline, summary, Fix::visit(url, message))
                .with([named])
                .with(version),
        );
    }
    if online.iter().all(|runner| runner.busy) {
        let summary = format!(
            "{} online with the job's labels, and none is free",
            counted(online.len(), "runner")
        );
        let fix = Fix::wait("wait until one is free, or add a runner");
        return Some(RunVerdict::warn(Code::ActionsRunnerBusy, summary, fix).with([named]));
    }
    // a runner is idle
    policy(facts).or_else(|| {
        let fix = Fix::visit(
            url,
            "restart the idle runner's service; if it still takes no job, remove and register it again",
        );
        let summary = "an idle runner has the job's labels, and GitHub does not assign the job to it";
        Some(RunVerdict::fail(Code::ActionsGithubSide, summary, fix).with([named]).fixed_by(Actor::RepoAdmin))
    })
}

fn is_old(version: &str) -> bool {
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    parts.next().zip(parts.next()).is_some_and(|version| version < OLDEST_RUNNER)
}

/// The organization forbids self-hosted runners here.
fn policy(facts: &ActionsFacts) -> Option<RunVerdict> {
    let policy = facts.more.self_hosted_policy.as_ref()?.as_ref().ok()?;
    if policy.0 != "none" {
        return None;
    }
    let owner = &facts.repo.as_ref().ok()?.owner;
    let url = format!("https://{}/organizations/{owner}/settings/actions", facts.place.host());
    let fix = Fix::visit(
        url,
        "an owner of the organization must allow self-hosted runners for this repository",
    );
    let evidence =
        [Evidence::foreign("permissions/self-hosted-runners, enabled_repositories", &policy.0)];
    Some(
        RunVerdict::fail(
            Code::ActionsPolicy,
            "the organization does not allow self-hosted runners",
            fix,
        )
        .with(evidence),
    )
}

/// A larger runner is known by its name, which is its label.
fn larger_runner(facts: &ActionsFacts, job: &Job) -> Option<RunVerdict> {
    let page = facts.more.hosted_runners.as_ref()?.as_ref().ok()?;
    let runner = page
        .items
        .iter()
        .find(|runner| job.labels.iter().any(|label| label.eq_ignore_ascii_case(&runner.name)))?;
    if runner.status == "Ready" {
        return Some(github_side::unexplained(
            facts,
            "the larger runner is ready, and GitHub does not assign the job to it",
        ));
    }
    let owner = &facts.repo.as_ref().ok()?.owner;
    let fix = Fix::visit(
        format!("https://{}/organizations/{owner}/settings/actions/runners", facts.place.host()),
        "check the larger runner",
    );
    let evidence = [
        Evidence::foreign("hosted runner", &runner.name),
        Evidence::foreign("status", &runner.status).expected("Ready"),
    ];
    Some(
        RunVerdict::fail(
            Code::ActionsRunnerOffline,
            "the larger runner with the label is not ready",
            fix,
        )
        .with(evidence)
        .fixed_by(Actor::OrgAdmin),
    )
}
