//! One run: the most likely of the causes that its jobs show.

use jiff::{SignedDuration, Timestamp};

use super::verdict::{HOSTED_SUSPECT, RunVerdict, STUCK, age, gh, named, run_url, worst};
use super::{ended, github_side, queue, refused};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::actions::facts::{ActionsFacts, Looked, Standing};
use crate::doctor::outcome::Evidence;
use crate::github::model::{Job, Member, PendingDeployment};
use crate::github::{Forge, Page};

const MOST_NAMED: usize = 6;

/// `None`: it runs, ran, or will start in time.
pub(super) fn judge(facts: &ActionsFacts, looked: &Looked) -> Option<RunVerdict> {
    let run = &looked.run;
    let verdict = if run.conclusion == "action_required" {
        Some(ended::approval(facts, looked))
    } else {
        match &looked.jobs {
            Err(refusal) => Some(refused::refused(facts, refusal)),
            Ok(jobs) if run.is_finished() => ended::judge(facts, looked, jobs),
            Ok(jobs) if jobs.items.is_empty() => without_jobs(facts, looked),
            Ok(jobs) => jobs_of(facts, looked, jobs),
        }
    };
    verdict.map(|verdict| verdict.with(about(facts, looked)))
}

/// The run, its state and its address.
fn about(facts: &ActionsFacts, looked: &Looked) -> Vec<Evidence> {
    let run = &looked.run;
    let state = if run.is_finished() { &run.conclusion } else { &run.status };
    let waited =
        facts.age(run.since()).map_or_else(String::new, |since| format!(", {} old", age(since)));
    let name = run.name.as_ref().map(|name| Evidence::foreign("workflow", name));
    let evidence = [
        Evidence::foreign("run", &format!("{state}{waited}")),
        Evidence::new("at", run_url(facts, run.id)),
    ];
    name.into_iter().chain(evidence).collect()
}

fn jobs_of(facts: &ActionsFacts, looked: &Looked, jobs: &Page<Job>) -> Option<RunVerdict> {
    let each = jobs.items.iter().filter_map(|job| {
        let verdict = match Standing::of(job) {
            Standing::Queued => queue::judge(facts, looked, job),
            Standing::Assigned => queue::assigned(facts, looked, job),
            Standing::Waiting => Some(environment(facts, looked)),
            Standing::Pending => Some(concurrency(facts, looked)),
            // a job that failed without starting decides the run before it has ended
            Standing::NeverRan => ended::job(facts, looked, job),
            Standing::Fine => None,
        }?;
        Some(verdict.with(named(job)))
    });
    let found = worst(each);
    // older servers show it on the run alone
    found.or_else(|| match &*looked.run.status {
        "waiting" => Some(environment(facts, looked)),
        "pending" => Some(concurrency(facts, looked)),
        _ => None,
    })
}

/// Queued, and no job exists: a concurrency group, or what an incident left behind
/// (community#212780).
fn without_jobs(facts: &ActionsFacts, looked: &Looked) -> Option<RunVerdict> {
    let run = &looked.run;
    if holder(looked).is_some() || run.status == "pending" {
        return Some(concurrency(facts, looked));
    }
    if run.status == "waiting" {
        return Some(environment(facts, looked));
    }
    let since = facts.age(run.since())?;
    let evidence = [Evidence::new("jobs", format!("total_count 0 after {}", age(since)))];
    if since < HOSTED_SUSPECT {
        return None;
    }
    if let Some(page) = facts.incident().filter(|_| since < STUCK) {
        return Some(github_side::incident(page).with(evidence));
    }
    if since < STUCK {
        let fix = Fix::wait("wait: GitHub is slow to make the run's jobs");
        return Some(
            RunVerdict::warn(Code::ActionsHostedDelay, "the run has no jobs yet", fix)
                .with(evidence),
        );
    }
    let id = run.id.to_string();
    let argv = gh(facts, &["run", "cancel", &id]);
    let elsewhere = match facts.place.host() {
        "github.com" => String::new(),
        host => format!(" --hostname {host}"),
    };
    let message = format!(
        "cancel the run and push a new commit: a run that an incident left behind never starts. Where that answers 409: \
         `gh api{elsewhere} --method POST` with the run's `force-cancel`; else give GitHub's support the run id"
    );
    let summary = "the run is queued and has no jobs: an incident at GitHub left it behind";
    Some(
        RunVerdict::fail(Code::ActionsOrphanedRun, summary, Fix::run(argv, message)).with(evidence),
    )
}

/// Who is ahead in the group where a run waits.
struct Holder<'a> {
    group: &'a str,
    run: i64,
    /// Where it is a job of the same run.
    own_job: Option<&'a str>,
}

fn holder(looked: &Looked) -> Option<Holder<'_>> {
    let groups = looked.groups.as_ref()?.as_ref().ok()?;
    let own = looked.run.id;
    let waits = |member: &&Member| member.status == "pending" && member.run == own;
    let group =
        groups.items.iter().find(|group| group.members.iter().any(|member| waits(&member)))?;
    let ahead = looked.ahead.as_ref().and_then(|ahead| ahead.as_ref().ok());
    let members = ahead.iter().flat_map(|ahead| &ahead.members).chain(&group.members);
    // another job of the same run may hold it
    let mut others = members
        .filter(|member| member.run != own || member.job.is_some() && member.status != "pending");
    let first =
        others.clone().find(|member| member.status == "in_progress").or_else(|| others.next())?;
    let own_job = (first.run == own).then(|| {
        let listed = looked.jobs.as_ref().ok().into_iter().flat_map(|page| &page.items);
        let mut jobs = listed.filter(|job| Some(job.id) == first.job);
        first.job_name.as_deref().or_else(|| jobs.next().map(|job| &*job.name)).unwrap_or_default()
    });
    Some(Holder { group: &group.name, run: first.run, own_job })
}

fn concurrency(facts: &ActionsFacts, looked: &Looked) -> RunVerdict {
    let code = Code::ActionsConcurrency;
    if let Some(Holder { group, run, own_job }) = holder(looked) {
        let group = Evidence::foreign("group", group);
        if let Some(job) = own_job {
            let fix = Fix::wait("wait until that job has ended");
            let summary =
                "a job waits for another job of its run, which holds its concurrency group";
            return RunVerdict::warn(code, summary, fix)
                .with([Evidence::foreign("held by the job", job), group]);
        }
        let fix = Fix::wait(format!(
            "wait until run {run} has ended; who is responsible for that run may cancel it"
        ));
        let phantom = "if the holder has ended, rename the group: GitHub sometimes keeps a cancelled run in it";
        return RunVerdict::warn(
            code,
            format!("it waits for run {run}, which holds its concurrency group"),
            fix,
        )
        .with([
            Evidence::new("holder", run_url(facts, run)),
            group,
            Evidence::new("note", phantom),
        ]);
    }
    // GHES has no such endpoint; the newest run in progress of the same workflow is the likely
    // holder
    let page = facts.runs.as_ref().ok();
    let likely = page.into_iter().flat_map(|page| &page.items).find(|other| {
        other.id != looked.run.id
            && other.workflow == looked.run.workflow
            && other.status == "in_progress"
    });
    let fix = Fix::visit(
        format!("{}/actions", facts.place.web),
        "wait for the run that holds the group, or cancel it",
    );
    let why = match looked.groups.as_ref() {
        Some(Err(refusal)) if facts.forge == Forge::Cloud => {
            Some(Evidence::new("concurrency_groups", refusal.to_string()))
        }
        Some(Err(_)) => Some(Evidence::new("concurrency_groups", "not on this server")),
        _ => None,
    };
    let holder = likely.map(|run| Evidence::new("probably held by", run_url(facts, run.id)));
    RunVerdict::warn(code, "it waits for another run of its concurrency group", fix)
        .with(holder)
        .with(why)
}

fn environment(facts: &ActionsFacts, looked: &Looked) -> RunVerdict {
    let code = Code::ActionsEnvironmentWait;
    let visit = |message: String| Fix::visit(run_url(facts, looked.run.id), message);
    let pending = match &looked.deployments {
        Some(Ok(page)) => &page.items[..],
        Some(Err(refusal)) => {
            let fix = visit("open the run: its page names who must approve".to_owned());
            let evidence = [Evidence::new("pending_deployments", refusal.to_string())];
            return RunVerdict::fail(
                code,
                "a job waits for an environment's protection rules",
                fix,
            )
            .with(evidence);
        }
        None => &[],
    };
    let Some(first) = pending.first() else {
        let fix = visit("open the run: its page names the rule".to_owned());
        return RunVerdict::fail(
            code,
            "a job waits for a protection rule that the API does not name",
            fix,
        );
    };
    // a person comes before a rule of an App, and that before what ends by itself
    let reviewed: Vec<_> =
        pending.iter().filter(|pending| !pending.reviewers.is_empty()).take(MOST_NAMED).collect();
    let timers = pending.iter().filter_map(|pending| {
        let left = timer_left(facts, pending)?;
        Some(Evidence::foreign("timer", &format!("{}: {} left", pending.environment, age(left))))
    });
    if !reviewed.is_empty() {
        let named = reviewed.iter().flat_map(|pending| {
            let reviewers = pending.reviewers.iter().take(MOST_NAMED);
            [Evidence::foreign("environment", &pending.environment)]
                .into_iter()
                .chain(reviewers.map(|reviewer| Evidence::foreign("reviewer", reviewer)))
        });
        let allowed = if reviewed.iter().all(|pending| pending.may_approve) { "yes" } else { "no" };
        let fix =
            visit("one of the reviewers must approve the deployment on the run's page".to_owned());
        return RunVerdict::fail(code, "a job waits for a reviewer of its environment", fix)
            .with(named)
            .with(timers)
            .with([Evidence::new("this token may approve", allowed)]);
    }
    let ruled = pending.iter().find(|pending| timer_left(facts, pending).is_none());
    if let Some(ruled) = ruled {
        let fix = visit(
            "the App behind the environment's custom rule must answer; deployments wait 30 days at most"
                .to_owned(),
        );
        return RunVerdict::fail(code, "a job waits for an App's deployment protection rule", fix)
            .with([Evidence::foreign("environment", &ruled.environment)]);
    }
    let longest = pending.iter().filter_map(|pending| timer_left(facts, pending)).max();
    let message =
        format!("wait: the environment's timer ends in {}", age(longest.unwrap_or_default()));
    RunVerdict::warn(code, "a job waits for an environment's timer", Fix::wait(message))
        .with([Evidence::foreign("environment", &first.environment)])
        .with(timers)
}

/// What is left of the timer, when that is all it waits for.
fn timer_left(facts: &ActionsFacts, pending: &PendingDeployment) -> Option<SignedDuration> {
    let started = pending.timer_started.filter(|_| pending.wait_minutes > 0)?;
    let end = timer_end(started, pending.wait_minutes)?;
    Some(end.duration_since(facts.now)).filter(|left| left.as_secs() > 0)
}

/// `None`: beyond all times, as no server of GitHub has it.
fn timer_end(started: Timestamp, minutes: i64) -> Option<Timestamp> {
    started.checked_add(SignedDuration::from_secs(minutes.checked_mul(60)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_may_have_any_length() {
        let started = Timestamp::UNIX_EPOCH;
        assert_eq!(timer_end(started, 2), Timestamp::from_second(120).ok());
        for minutes in [i64::MAX, i64::MIN, i64::MAX / 60] {
            assert_eq!(timer_end(started, minutes), None, "{minutes}");
        }
    }
}
