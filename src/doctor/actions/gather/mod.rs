//! Asks GitHub: the newest runs, then their jobs, then what those give reason to ask. Requests that
//! do not depend on another answer run at the same time.

mod reasons;

use std::collections::BTreeMap;
use std::thread;

use jiff::Timestamp;

use super::facts::{ActionsFacts, Looked, More, Standing};
use super::{Session, judge, status_page};
use crate::doctor::actions::hosted_labels::HostedLabels;
use crate::doctor::pool::{Started, start};
use crate::github::model::{ConcurrencyGroup, Job, OrgPolicy, Permissions, PullRequest, Repo, Run};
use crate::github::{Forge, GithubAnswer, GithubRefusal, Page};
use crate::http::segment;
use reasons::Reasons;

/// A push seldom starts more workflows, and each costs a request.
const MOST_RUNS: usize = 8;
/// With more runs than this, one page of jobs of each must do.
const PAGED_RUNS: usize = 2;
const MOST_ANNOTATED: usize = 2;

pub(super) fn gather(session: &Session<'_>) -> ActionsFacts {
    let hub = &session.github;
    let head = session.inputs.head.clone();
    let (repo, runs, status) = thread::scope(|scope| {
        let status = session
            .status
            .as_ref()
            .map(|base| start(scope, || status_page::ask(&session.http, base)));
        let runs = start(scope, || newest_runs(session));
        let repo = hub.object::<Repo>(&session.repo_path(""));
        (repo, runs.join(), status.map(Started::join))
    });
    let mut facts = ActionsFacts {
        place: session.place.clone(),
        forge: session.forge,
        now: hub.now().unwrap_or(session.inputs.env.now),
        local_now: session.inputs.env.now,
        head,
        local: session.inputs.work_tree.map(super::local::Local::read).unwrap_or_default(),
        labels: HostedLabels::load(session.labels_file.as_deref(), session.inputs.env.now),
        repo,
        runs,
        looked: Vec::new(),
        not_looked: 0,
        status,
        more: More::default(),
        asked: super::facts::Asked::default(),
    };
    (facts.looked, facts.not_looked) = look(session, &facts);
    facts.more = more(session, &facts);
    facts.asked = session.asked();
    facts
}

fn newest_runs(session: &Session<'_>) -> GithubAnswer<Page<Run>> {
    let filter = match &session.inputs.head {
        Some(head) if head.pushed => format!("head_sha={}", segment(&head.sha)),
        Some(head) => head
            .branch
            .as_ref()
            .map_or_else(String::new, |branch| format!("branch={}", segment(branch))),
        None => String::new(),
    };
    session.github.page(
        &session.repo_path(&format!("/actions/runs?{filter}&per_page=100").replace("?&", "?")),
        "workflow_runs",
    )
}

/// The runs that may not start, the most telling ones first, and how many were left out.
fn look(session: &Session<'_>, facts: &ActionsFacts) -> (Vec<Looked>, usize) {
    let mut seen = Vec::new();
    let mut chosen: Vec<(usize, &Run)> = Vec::new();
    for (index, run) in facts.own_runs().into_iter().enumerate() {
        let key = (run.workflow, &run.event, &run.path, &run.branch);
        let replaced = seen.contains(&key);
        seen.push(key);
        let went_well = matches!(&*run.conclusion, "success" | "skipped" | "neutral" | "timed_out");
        // what waits is stuck even where a newer run exists
        if !(went_well || replaced && run.is_finished()) {
            chosen.push((index, run));
        }
    }
    chosen.sort_by_key(|(index, run)| match rank(run) {
        QUEUED => (QUEUED, run.since().map_or(i64::MAX, Timestamp::as_second), *index),
        rank => (rank, 0, *index),
    });
    let left_out = chosen.len().saturating_sub(MOST_RUNS);
    chosen.truncate(MOST_RUNS);
    let few = chosen.len() <= PAGED_RUNS;
    let looked = thread::scope(|scope| {
        let looks: Vec<_> = chosen
            .iter()
            .map(|(_, run)| start(scope, move || look_at(session, run, few)))
            .collect();
        looks.into_iter().map(Started::join).collect()
    });
    (looked, left_out)
}

const QUEUED: u8 = 4;

/// What the list of runs itself shows comes first, then what waits longest.
fn rank(run: &Run) -> u8 {
    match (&*run.status, &*run.conclusion) {
        (_, "action_required") => 0,
        (_, "startup_failure") => 1,
        ("waiting", _) => 2,
        ("pending", _) => 3,
        ("in_progress", _) => 5,
        ("completed", "cancelled") => 6,
        ("completed", _) => 7,
        _ => QUEUED,
    }
}

fn look_at(session: &Session<'_>, run: &Run, all_pages: bool) -> Looked {
    let hub = &session.github;
    let path = |rest: &str| session.repo_path(&format!("/actions/runs/{}{rest}", run.id));
    let of_jobs = path("/jobs?filter=latest&per_page=100");
    let jobs = if all_pages {
        hub.list::<Job>(&of_jobs, "jobs")
    } else {
        hub.page::<Job>(&of_jobs, "jobs")
    };
    let mut looked = Looked {
        run: run.clone(),
        jobs,
        deployments: None,
        groups: None,
        ahead: None,
        annotations: BTreeMap::new(),
    };
    let Ok(page) = &looked.jobs else { return looked };
    let has = |standing| page.items.iter().any(|job| Standing::of(job) == standing);
    let waiting = run.status == "waiting" || has(Standing::Waiting);
    let empty = page.items.is_empty() && !run.is_finished();
    let pending = run.status == "pending" || has(Standing::Pending) || empty;
    let asked = |job: &&Job| {
        let late = job
            .created
            .zip(job.completed)
            .is_some_and(|(from, to)| to.duration_since(from) >= judge::LATE);
        // what waited for a day needs no other reason
        Standing::of(job) == Standing::NeverRan && !(job.conclusion == "cancelled" && late)
    };
    let never: Vec<i64> =
        page.items.iter().filter(asked).map(|job| job.id).take(MOST_ANNOTATED).collect();
    thread::scope(|scope| {
        let deployments =
            waiting.then(|| start(scope, || hub.list(&path("/pending_deployments"), "")));
        let groups = pending.then(|| start(scope, || groups(session, run)));
        let annotations: Vec<_> = never
            .iter()
            .map(|id| {
                let path = session.repo_path(&format!("/check-runs/{id}/annotations"));
                (*id, start(scope, move || hub.list(&path, "")))
            })
            .collect();
        looked.deployments = deployments.map(Started::join);
        if let Some((groups, ahead)) = groups.map(Started::join) {
            looked.groups = Some(groups);
            looked.ahead = ahead;
        }
        looked.annotations =
            annotations.into_iter().map(|(id, answer)| (id, answer.join())).collect();
    });
    looked
}

/// The concurrency groups of a run, and who is ahead of it in the one where it waits.
fn groups(
    session: &Session<'_>,
    run: &Run,
) -> (GithubAnswer<Page<ConcurrencyGroup>>, Option<GithubAnswer<ConcurrencyGroup>>) {
    let hub = &session.github;
    let list = hub.list::<ConcurrencyGroup>(
        &session.repo_path(&format!("/actions/runs/{}/concurrency_groups", run.id)),
        "concurrency_groups",
    );
    let waits = |group: &&ConcurrencyGroup| {
        let mut members = group.members.iter();
        members.any(|member| member.status == "pending" && member.run == run.id)
    };
    let ahead = list.as_ref().ok().and_then(|page| page.items.iter().find(waits)).map(|group| {
        let name = segment(&group.name);
        let mut members = group.members.iter();
        let own = members.find(|member| member.status == "pending" && member.run == run.id);
        // a job may be a member by itself
        let of = match own.and_then(|member| member.job) {
            Some(job) => format!("ahead_of_job={job}"),
            None => format!("ahead_of_run={}", run.id),
        };
        hub.object(&session.repo_path(&format!("/actions/concurrency_groups/{name}?{of}")))
    });
    (list, ahead)
}

/// The second round, about the repository and its organization.
fn more(session: &Session<'_>, facts: &ActionsFacts) -> More {
    let hub = &session.github;
    if let (Ok(_), Err(GithubRefusal::NotFound)) = (&facts.repo, &facts.runs) {
        let permissions = hub.object(&session.repo_path("/actions/permissions"));
        return More { permissions: Some(permissions), ..More::default() };
    }
    if facts.runs.is_err() {
        return More::default();
    }
    if facts.repo.as_ref().is_ok_and(|repo| repo.off.is_some()) {
        return More::default();
    }
    let reasons = Reasons::of(facts);
    let repo = facts.repo.as_ref().ok();
    let organization = repo.filter(|repo| repo.organization).map(|repo| segment(&repo.owner));
    let org = |rest: &str| organization.as_ref().map(|owner| format!("/orgs/{owner}{rest}"));
    let here = move |rest: &str| session.repo_path(rest);
    let name = segment(session.name());
    thread::scope(|scope| {
        let runners = reasons.runners.then_some(());
        let workflows = (reasons.no_run || reasons.missing).then(|| {
            start(scope, || hub.list(&here("/actions/workflows?per_page=100"), "workflows"))
        });
        let permissions =
            reasons.policy.then(|| start(scope, || hub.object(&here("/actions/permissions"))));
        let count = |filter: &'static str| {
            move || hub.page(&here(&format!("/actions/runs?{filter}per_page=1")), "workflow_runs")
        };
        let any_runs = if reasons.no_run {
            Some(start(scope, count("")))
        } else {
            reasons.hosted.then(|| start(scope, count("status=completed&")))
        };
        let in_progress = reasons.hosted.then(|| start(scope, count("status=in_progress&")));
        let private = repo.is_some_and(|repo| repo.private);
        let fork_policy = (reasons.approval && !private).then(|| {
            start(scope, || hub.object(&here("/actions/permissions/fork-pr-contributor-approval")))
        });
        let private_fork_policy = (reasons.approval && private).then(|| {
            start(scope, || {
                hub.object(&here("/actions/permissions/fork-pr-workflows-private-repos"))
            })
        });
        let rules = reasons.merge_queue.as_ref().map(|branch| {
            let path = here(&format!("/rules/branches/{}", segment(branch)));
            start(scope, move || hub.list(&path, ""))
        });
        let pull = reasons.pull.then(|| start(scope, || pull_request(session, facts)));
        let upstream = repo
            .and_then(|repo| repo.parent.as_deref())
            .filter(|_| reasons.upstream)
            .and_then(|parent| upstream_runs(facts, parent))
            .map(|path| start(scope, move || hub.page::<Run>(&path, "workflow_runs")));
        let listed = (reasons.runners || reasons.retired).then_some(());
        let repo_runners = listed
            .map(|()| start(scope, || hub.list(&here("/actions/runners?per_page=100"), "runners")));
        let org_runners = listed
            .and_then(|()| org("/actions/runners?per_page=100"))
            .map(|path| start(scope, move || hub.list(&path, "runners")));
        let groups = format!("/actions/runner-groups?visible_to_repository={name}&per_page=100");
        let runner_groups = runners
            .and_then(|()| org(&groups))
            .map(|path| start(scope, move || hub.list(&path, "runner_groups")));
        let self_hosted_policy = (reasons.runners && reasons.self_hosted)
            .then(|| org("/actions/permissions/self-hosted-runners"))
            .flatten()
            .map(|path| start(scope, move || hub.object(&path)));
        // GitHub Enterprise Server has none
        let hosted_runners =
            (reasons.runners && !reasons.self_hosted && facts.forge == Forge::Cloud)
                .then(|| org("/actions/hosted-runners?per_page=100"))
                .flatten()
                .map(|path| start(scope, move || hub.list(&path, "runners")));
        let permissions: Option<GithubAnswer<Permissions>> = permissions.map(Started::join);
        let known = permissions.as_ref().and_then(|answer| answer.as_ref().ok());
        let org_permissions = known
            .filter(|permissions| permissions.enabled == Some(false))
            .and_then(|_| org("/actions/permissions"))
            .map(|path| hub.object(&path));
        let self_hosted_policy: Option<GithubAnswer<OrgPolicy>> =
            self_hosted_policy.map(Started::join);
        let self_hosted_repositories = self_hosted_policy
            .as_ref()
            .and_then(|answer| answer.as_ref().ok())
            .filter(|policy| policy.0 == "selected")
            .and_then(|_| org("/actions/permissions/self-hosted-runners/repositories?per_page=100"))
            .map(|path| hub.list(&path, "repositories"));
        let selected = known
            .filter(|permissions| permissions.allowed_actions == "selected")
            .map(|_| hub.object(&here("/actions/permissions/selected-actions")));
        More {
            workflows: workflows.map(Started::join),
            permissions,
            selected,
            org_permissions,
            any_runs: any_runs.map(Started::join),
            in_progress: in_progress.map(Started::join),
            repo_runners: repo_runners.map(Started::join),
            org_runners: org_runners.map(Started::join),
            runner_groups: runner_groups.map(Started::join),
            self_hosted_policy,
            self_hosted_repositories,
            hosted_runners: hosted_runners.map(Started::join),
            fork_policy: fork_policy.map(Started::join),
            private_fork_policy: private_fork_policy.map(Started::join),
            branch_rules: rules.map(Started::join),
            pull: pull.and_then(Started::join),
            upstream_runs: upstream.map(Started::join),
        }
    })
}

/// Where the runs of the commit are listed in the repository that this one is a fork of.
fn upstream_runs(facts: &ActionsFacts, parent: &str) -> Option<String> {
    let (owner, name) = parent.split_once('/')?;
    let sha = segment(&facts.head.as_ref()?.sha);
    let (owner, name) = (segment(owner), segment(name));
    Some(format!("/repos/{owner}/{name}/actions/runs?head_sha={sha}&per_page=20"))
}

/// The open pull request of the branch: lists do not show whether it can be merged. `None`: it has
/// none.
fn pull_request(session: &Session<'_>, facts: &ActionsFacts) -> Option<GithubAnswer<PullRequest>> {
    let hub = &session.github;
    let (owner, branch) = (&facts.repo.as_ref().ok()?.owner, facts.head.as_ref()?.branch.as_ref()?);
    let head = segment(&format!("{owner}:{branch}"));
    let path = session.repo_path(&format!("/pulls?state=open&head={head}&per_page=1"));
    match hub.page::<PullRequest>(&path, "") {
        Ok(page) => {
            let number = page.items.first()?.number;
            Some(hub.object(&session.repo_path(&format!("/pulls/{number}"))))
        }
        Err(refusal) => Some(Err(refusal)),
    }
}
