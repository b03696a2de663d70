//! A job that requests a self-hosted runner, or a label that no runner has.

use jiff::SignedDuration;

use super::groups::NamedGroup;
use super::verdict::{NORMAL, RunVerdict, Unknown, counted};
use super::{github_side, groups, refused};
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::actions::facts::{ActionsFacts, Labels, Looked};
use crate::doctor::outcome::Evidence;
use crate::github::model::{AdmittedRepository, HostedRunner, Job, Runner};
use crate::github::{Forge, GithubAnswer, Page};

/// A label that is not one of GitHub's: who has runners with it, and why do they not take the job?
pub(super) fn judge(
    facts: &ActionsFacts,
    looked: &Looked,
    job: &Job,
    waited: SignedDuration,
) -> Option<RunVerdict> {
    let candidates = Candidates::of(facts, looked, job);
    if !candidates.fitting.is_empty() {
        return not_taken(facts, &candidates.fitting, waited);
    }
    let refusal = runner_lists(facts).into_iter().flatten().find_map(|list| list.as_ref().err());
    // a runner that this token has no access to may still take it
    if waited < NORMAL && refusal.is_some() {
        return None;
    }
    if let Some(verdict) = larger_runner(facts, looked, job, candidates.group) {
        return Some(verdict);
    }
    if waited >= NORMAL
        && let Some(verdict) = group_excludes(facts, looked, &candidates)
    {
        return Some(verdict);
    }
    if let Some(verdict) = misspelt(facts, looked, job) {
        return Some(verdict);
    }
    if waited < NORMAL {
        return None;
    }
    if let Some(verdict) = policy(facts, false) {
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
    if let Some(verdict) = of_a_set(facts, looked, job) {
        return Some(verdict);
    }
    enterprise(facts, &candidates).or_else(|| Some(nobody(facts, job)))
}

/// The lists of runners of the repository and its organization.
fn runner_lists(facts: &ActionsFacts) -> [Option<&GithubAnswer<Page<Runner>>>; 2] {
    [facts.more.repo_runners.as_ref(), facts.more.org_runners.as_ref()]
}

fn listed(facts: &ActionsFacts) -> [&[Runner]; 2] {
    runner_lists(facts)
        .map(|list| list.and_then(|list| list.as_ref().ok()))
        .map(|page| page.map_or(&[][..], |page| &page.items))
}

/// Whether a runner that is registered here has the job's labels.
pub(super) fn has_runner(facts: &ActionsFacts, job: &Job) -> bool {
    listed(facts).into_iter().flatten().any(|runner| runner.fits(&job.labels))
}

/// The runners with the job's labels.
struct Candidates<'a> {
    /// The group that the job names.
    group: Option<NamedGroup<'a>>,
    group_name: Option<&'a str>,
    fitting: Vec<Candidate<'a>>,
    /// Of the organization, in a group that does not admit the run.
    excluded: Vec<&'a Runner>,
    /// In another group than the one that the job names.
    elsewhere: Vec<&'a Runner>,
}

#[derive(Clone, Copy)]
struct Candidate<'a> {
    runner: &'a Runner,
    /// It is registered at the repository itself.
    of_repository: bool,
}

impl<'a> Candidates<'a> {
    fn of(facts: &'a ActionsFacts, looked: &Looked, job: &Job) -> Self {
        let [here, above] = listed(facts);
        let group_name = looked.in_file(&facts.local, job).and_then(|job| job.group.as_deref());
        let group = group_name
            .filter(|name| !name.eq_ignore_ascii_case("default"))
            .map(|name| groups::named(facts, name));
        let fits = |runner: &&'a Runner| runner.fits(&job.labels);
        let (excluded, admitted): (Vec<_>, Vec<_>) = above
            .iter()
            .filter(fits)
            .partition(|runner| groups::exclusion(facts, looked, runner.group).is_some());
        let all = here.iter().filter(fits).map(|runner| (runner, true));
        let all = all.chain(admitted.into_iter().map(|runner| (runner, false)));
        // the runners of a repository are in no group but the default one
        let (fitting, elsewhere): (Vec<_>, Vec<_>) =
            all.partition(|(runner, of_repository)| match group {
                Some(NamedGroup::Group(group)) => {
                    !of_repository && runner.group.is_none_or(|id| id == group.id)
                }
                Some(NamedGroup::Absent) => false,
                Some(NamedGroup::Unread) => !of_repository,
                None => true,
            });
        let candidate = |(runner, of_repository)| Candidate { runner, of_repository };
        Self {
            group,
            group_name,
            fitting: fitting.into_iter().map(candidate).collect(),
            excluded,
            elsewhere: elsewhere.into_iter().map(|(runner, _)| runner).collect(),
        }
    }
}

fn names<'a>(runners: &[&'a Runner]) -> Vec<&'a str> {
    runners.iter().map(|runner| runner.name.as_str()).collect()
}

/// Runners have the job's labels, and a group keeps them from it.
fn group_excludes(
    facts: &ActionsFacts,
    looked: &Looked,
    candidates: &Candidates<'_>,
) -> Option<RunVerdict> {
    let first = candidates.excluded.first();
    if let Some(why) = first.and_then(|runner| groups::exclusion(facts, looked, runner.group)) {
        let excluded = || groups::excluded(facts, &names(&candidates.excluded), why);
        return Some(policy(facts, false).unwrap_or_else(excluded));
    }
    match (candidates.group?, candidates.group_name?) {
        (NamedGroup::Absent, name) => Some(groups::absent(facts, name)),
        (NamedGroup::Group(group), _) if !candidates.elsewhere.is_empty() => {
            Some(groups::elsewhere(facts, group, &names(&candidates.elsewhere)))
        }
        _ => None,
    }
}

/// `[self-hosted, NAME]`, where NAME is a scale set: its runners have no labels.
fn of_a_set(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    let mut all = listed(facts).into_iter().flatten();
    let runner = all.find(|runner| {
        job.labels.len() > 1 && job.labels.iter().any(|label| runner.is_of_set(label))
    })?;
    let set = job.labels.iter().find(|label| runner.is_of_set(label))?;
    let fix = in_workflow(
        facts,
        looked,
        "name the scale set alone in `runs-on`, without other labels: its runners have none",
    );
    let summary = "the job names a scale set beside other labels, and the runners of a scale set have no labels";
    let evidence = [Evidence::foreign("scale set", set), Evidence::foreign("runner", &runner.name)];
    Some(RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix).with(evidence))
}

/// The runners of an enterprise are in none of the lists that were read.
fn enterprise(facts: &ActionsFacts, candidates: &Candidates<'_>) -> Option<RunVerdict> {
    let inherited: Vec<_> = match candidates.group {
        Some(NamedGroup::Group(group)) if group.inherited => vec![group],
        Some(NamedGroup::Group(_) | NamedGroup::Absent) => return None,
        Some(NamedGroup::Unread) | None => groups::inherited(facts),
    };
    let names: Vec<_> = inherited.iter().take(6).map(|group| group.name.as_str()).collect();
    let first = names.first()?;
    let needs = "an owner of the enterprise, who can see the runners of its groups".to_owned();
    let fix = Fix::report(
        "an owner of the enterprise must look whether a runner of the group has the job's labels, and is online",
    );
    let verdict = RunVerdict::unknown(Unknown {
        code: None,
        summary: "no runner that the organization lists has the job's labels; a group of the enterprise admits the repository, and its runners cannot be seen".to_owned(),
        needs,
        fix,
        transient: false,
    });
    let shown = if names.len() > 1 { names.join(", ") } else { (*first).to_owned() };
    Some(
        verdict
            .with([Evidence::foreign("groups of the enterprise", &shown)])
            .fixed_by(Actor::OrgAdmin),
    )
}

/// No runner that is known has the job's labels.
fn nobody(facts: &ActionsFacts, job: &Job) -> RunVerdict {
    let runners: Vec<&Runner> = listed(facts).into_iter().flatten().collect();
    let (count, fix) = (
        runners.len(),
        Fix::visit(format!("{}/settings/actions/runners", facts.place.web), advice(facts, job)),
    );
    let summary = if facts.forge == Forge::Enterprise
        && Labels::of(&job.labels, &facts.labels) == Labels::Hosted
    {
        "the job requests a GitHub-hosted runner, and a GitHub Enterprise Server has none"
    } else if job.labels.is_empty() {
        "no runner is registered now in the group that the job names"
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
    RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix)
        .with([seen])
        .with(their_labels)
        .with([github_side::table(facts)])
}

/// An edit of the workflow file, where that is in the commit.
pub(super) fn in_workflow(
    facts: &ActionsFacts,
    looked: &Looked,
    message: impl Into<String>,
) -> Fix {
    let mut files = facts.local.workflows.iter();
    match files.find(|workflow| looked.run.is_of(&workflow.path)) {
        Some(file) => Fix::edit(std::path::Path::new(&file.path), message),
        None => Fix::report(message),
    }
}

/// A label that resembles one of GitHub's. Beside `self-hosted`, `ubuntu` is a label like any
/// other.
fn misspelt(facts: &ActionsFacts, looked: &Looked, job: &Job) -> Option<RunVerdict> {
    let own = |label: &String| facts.labels.is_self_hosted(label) || facts.local.owns(label);
    if job.labels.iter().any(own) {
        return None;
    }
    if let [label] = &job.labels[..]
        && label.contains(',')
    {
        let message =
            "write a list: `runs-on: [self-hosted, linux]`; one text with commas is one label";
        let summary = "the job's label contains a comma, and no runner has such a label";
        let fix = in_workflow(facts, looked, message);
        return Some(RunVerdict::fail(Code::ActionsLabelUnknown, summary, fix));
    }
    let meant = job.labels.iter().find_map(|label| facts.labels.meant(label))?;
    let fix = in_workflow(facts, looked, format!("write `runs-on: {meant}`"));
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
    fitting: &[Candidate<'_>],
    waited: SignedDuration,
) -> Option<RunVerdict> {
    let url = format!("{}/settings/actions/runners", facts.place.web);
    let online: Vec<_> = fitting.iter().filter(|candidate| candidate.runner.online).collect();
    if waited < NORMAL && !online.is_empty() {
        return None;
    }
    let old = |candidate: &&Candidate<'_>| too_old(facts, candidate.runner);
    if online.is_empty() {
        let outdated = fitting.iter().find_map(|candidate| old(&candidate));
        let message = match outdated {
            Some(_) => "update the runner program, then start its service",
            None => "start the runner's service, and check its network",
        };
        let summary = format!(
            "{} with the job's labels, and none is online",
            counted(fitting.len(), "runner")
        );
        let runners: Vec<_> = fitting.iter().map(|candidate| candidate.runner).collect();
        return Some(
            RunVerdict::fail(Code::ActionsRunnerOffline, summary, Fix::visit(url, message))
                .with([with_labels(&runners)])
                .with(outdated),
        );
    }
    let runners: Vec<_> = online.iter().map(|candidate| candidate.runner).collect();
    let named = with_labels(&runners);
    let idle: Vec<_> = online.into_iter().filter(|candidate| !candidate.runner.busy).collect();
    if idle.is_empty() {
        let summary = format!(
            "{} online with the job's labels, and none is free",
            counted(runners.len(), "runner")
        );
        let fix = Fix::wait("wait until one is free, or add a runner");
        return Some(RunVerdict::warn(Code::ActionsRunnerBusy, summary, fix).with([named]));
    }
    let of_repository = idle.iter().all(|candidate| candidate.of_repository);
    if let Some(verdict) = policy(facts, of_repository) {
        return Some(verdict);
    }
    if let Some(page) = facts.incident() {
        return Some(github_side::incident(page).with([named]));
    }
    let outdated: Option<Vec<_>> = idle.iter().map(old).collect();
    if let Some(first) = outdated.and_then(|all| all.into_iter().next()) {
        let summary = "the runner program of each idle runner with the job's labels is too old, and GitHub gives it no jobs";
        let fix = Fix::visit(
            url,
            "update the runner program: GitHub gives jobs to a version that is at most 30 days behind",
        );
        return Some(
            RunVerdict::fail(Code::ActionsRunnerOffline, summary, fix).with([named]).with([first]),
        );
    }
    let version = idle.iter().find_map(|candidate| candidate.runner.version.as_deref());
    let version =
        version.map(|version| Evidence::foreign("version of the runner program", version));
    let fix = Fix::visit(
        url,
        "update the runner program and restart its service; if it still takes no job, remove and register it again",
    );
    let summary = "an idle runner has the job's labels, and GitHub does not assign the job to it";
    Some(
        RunVerdict::fail(Code::ActionsGithubSide, summary, fix)
            .with([named])
            .with(version)
            .fixed_by(Actor::RepoAdmin),
    )
}

fn with_labels(runners: &[&Runner]) -> Evidence {
    let names: Vec<_> = names(runners).into_iter().take(6).collect();
    Evidence::foreign("runners with these labels", &names.join(", "))
}

/// The version of a runner to which GitHub gives no jobs. A server of one's own has other limits.
fn too_old(facts: &ActionsFacts, runner: &Runner) -> Option<Evidence> {
    let version = runner.version.as_deref().filter(|_| facts.forge == Forge::Cloud)?;
    let oldest = facts.labels.too_old(version, facts.now)?;
    let evidence = Evidence::foreign("version of the runner program", version);
    Some(evidence.expected(format!("at least {oldest}")))
}

/// The organization forbids self-hosted runners here: all, or those that are registered at a
/// repository that it has not selected.
fn policy(facts: &ActionsFacts, of_repository: bool) -> Option<RunVerdict> {
    let more = &facts.more;
    let policy = more.self_hosted_policy.as_ref()?.as_ref().ok()?;
    let repo = facts.repo.as_ref().ok()?;
    let selected = more.self_hosted_repositories.as_ref().and_then(|answer| answer.as_ref().ok());
    let full_name = facts.place.web.splitn(4, '/').nth(3).unwrap_or_default();
    let summary = match &*policy.0 {
        "none" => "the organization does not allow self-hosted runners",
        "selected" if of_repository && selected.is_some_and(|page| excludes(page, full_name)) => {
            "the organization allows the runners of selected repositories, and not those of this one"
        }
        _ => return None,
    };
    let url =
        format!("https://{}/organizations/{}/settings/actions", facts.place.host(), repo.owner);
    let fix = Fix::visit(
        url,
        "an owner of the organization must allow self-hosted runners for this repository",
    );
    let evidence =
        [Evidence::foreign("permissions/self-hosted-runners, enabled_repositories", &policy.0)];
    Some(RunVerdict::fail(Code::ActionsPolicy, summary, fix).with(evidence))
}

/// The whole list is known, and the repository is not in it.
fn excludes(page: &Page<AdmittedRepository>, full_name: &str) -> bool {
    page.total == u64::try_from(page.items.len()).unwrap_or_default()
        && page.items.iter().all(|admitted| !admitted.0.eq_ignore_ascii_case(full_name))
}

/// A larger runner is known by its name, which is its label, or by its group alone.
fn larger_runner(
    facts: &ActionsFacts,
    looked: &Looked,
    job: &Job,
    group: Option<NamedGroup<'_>>,
) -> Option<RunVerdict> {
    let page = facts.more.hosted_runners.as_ref()?.as_ref().ok()?;
    let in_group = |runner: &HostedRunner| match group {
        Some(NamedGroup::Group(group)) => runner.group == Some(group.id),
        Some(NamedGroup::Absent) => false,
        Some(NamedGroup::Unread) | None => !job.labels.is_empty(),
    };
    let labelled = |runner: &HostedRunner| {
        job.labels.iter().all(|label| label.eq_ignore_ascii_case(&runner.name))
    };
    let named = page.items.iter().filter(|runner| labelled(runner));
    let runner = named
        .clone()
        .find(|runner| in_group(runner))
        .or_else(|| named.clone().find(|_| !job.labels.is_empty()))?;
    let shown = Evidence::foreign("larger runner", &runner.name);
    if let (false, Some(NamedGroup::Group(group))) = (in_group(runner), group) {
        return Some(groups::elsewhere(facts, group, &[&runner.name]));
    }
    if let Some(why) = groups::exclusion(facts, looked, runner.group) {
        return Some(groups::excluded(facts, &[&runner.name], why));
    }
    if runner.status == "Ready" {
        if let Some(page) = facts.incident() {
            return Some(github_side::incident(page).with([shown]));
        }
        let most =
            runner.most.map(|most| Evidence::new("at most at the same time", most.to_string()));
        let summary = "the larger runner is ready, and GitHub does not assign the job to it: all of them may be in use";
        return Some(github_side::unexplained(facts, summary).with([shown]).with(most));
    }
    let owner = &facts.repo.as_ref().ok()?.owner;
    let fix = Fix::visit(
        format!("https://{}/organizations/{owner}/settings/actions/runners", facts.place.host()),
        "check the larger runner",
    );
    let evidence = [shown, Evidence::foreign("status", &runner.status).expected("Ready")];
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
