//! Makes each check on each of its subjects, side by side. Each has its own duration, and its own
//! panic.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Instant;

use super::check::{CHECKS, Check, Scope, Selection};
use super::clones::InView;
use super::connections;
use super::context::{Context, Depth};
use super::outcome::{Judgement, Outcome};
use super::pool::Pool;
use super::push_url::PushUrl;
use crate::git::url::Repository;
use crate::state::receipt::RepositoryRecord;
use crate::terminal::wait_for;

/// One check on one subject.
struct CheckJob<'a> {
    check: &'a Check,
    /// Where the judgements name none of their own.
    subject: Option<String>,
    /// The server that it asks. A host that does not answer must not occupy all workers.
    host: Option<&'a str>,
    /// It is made before those that are not, where the time is short.
    is_first: bool,
    run: Box<dyn Fn() -> Vec<Judgement> + Sync + 'a>,
}

/// Makes the checks that were selected, each on all of its subjects.
pub fn run(context: &Context, selection: &Selection) -> Vec<Outcome> {
    let selected = || CHECKS.iter().filter(|check| selection.runs(check, context.depth));
    let mut jobs: Vec<_> = selected().flat_map(|check| jobs(check, context)).collect();
    jobs.sort_by_key(|job| !job.is_first);
    let workers = if context.depth == Depth::Offline { OFFLINE_WORKERS } else { WORKERS };
    let mut outcomes = run_all(Pool::new(workers), &jobs, context.end);
    for check in CHECKS {
        if let Some(reason) = why_silent(check, context, selection, &outcomes) {
            outcomes.push(Outcome::new(check.id, Judgement::skip(reason)));
        }
    }
    outcomes
}

fn jobs<'a>(check: &'a Check, context: &'a Context) -> Vec<CheckJob<'a>> {
    let job = |subject, run| CheckJob { check, subject, host: None, is_first: false, run };
    let is_first = |of: &Repository| context.first.iter().any(|first| first.same_as(of));
    let asks_server = check.depth > Depth::Offline;
    let host = |host: &'a str| asks_server.then_some(host);
    match check.scope {
        Scope::Once(run) => vec![job(None, Box::new(move || vec![run(context)]))],
        Scope::Several(run) | Scope::OnRequest(run) => {
            vec![job(None, Box::new(move || run(context)))]
        }
        Scope::CurrentClone(run) => {
            let on = || job(None, Box::new(move || run(context)));
            context.concerns_current_clone().then(on).into_iter().collect()
        }
        Scope::InstalledKey(run) => {
            let records = context.receipt.map(|receipt| &receipt.desired.repositories[..]);
            let on = |record| {
                let run = Box::new(move || vec![run(context, record)]);
                job(Some(record.repository.to_ssh()), run)
            };
            let concerned = |record: &&RepositoryRecord| context.concerns(&record.repository);
            records.unwrap_or_default().iter().filter(concerned).map(on).collect()
        }
        Scope::Key(run) => {
            let on = |repository: &'a Repository| {
                let run = Box::new(move || vec![run(context, repository)]);
                let host = host(repository.host());
                let is_first = is_first(repository);
                CheckJob { host, is_first, ..job(Some(repository.to_ssh()), run) }
            };
            context.keyed().filter(|repository| context.concerns(repository)).map(on).collect()
        }
        Scope::PushUrl(run) => {
            let on = |url: &'a PushUrl| {
                let run = Box::new(move || vec![run(context, url)]);
                let is_first = url.over_ssh().is_some_and(|url| is_first(&url.repository));
                CheckJob { host: host(url.host()), is_first, ..job(Some(url.to_string()), run) }
            };
            let left_out = (context.left_out > 0).then(|| {
                let left_out = || vec![left_out(context.left_out)];
                job(Some(format!("{} others", context.left_out)), Box::new(left_out))
            });
            context.push_urls.iter().map(on).chain(left_out).collect()
        }
        Scope::CloneInView(run) => {
            let on = |clone| job(None, Box::new(move || run(context, clone)));
            let concerned = |clone: &&InView| context.concerns_clone(clone);
            context.clones.in_view().iter().filter(concerned).map(on).collect()
        }
    }
}

/// Of the push URLs that are not asked.
fn left_out(count: usize) -> Judgement {
    Judgement::unknown(
        format!("the clones in view push to {count} more places than are asked in one run"),
        "`--repo` for one of them, or the doctor in a clone with fewer remotes",
    )
}

/// Why a check has no outcome.
fn why_silent(
    check: &Check,
    context: &Context,
    selection: &Selection,
    outcomes: &[Outcome],
) -> Option<&'static str> {
    const ON_REQUEST: &str = "not looked at, since each look spends requests of a rate limit: ask with `pushready doctor --only actions`";
    const NOT_OF_REPO: &str = "the repository that --repo names has nothing of the kind";
    if outcomes.iter().any(|outcome| outcome.id == check.id) {
        return None;
    }
    match check.scope {
        _ if selection.runs(check, context.depth) => {
            let is_limited = !context.limited_to.is_empty() && check.scope.is_of_repository();
            Some(if is_limited { NOT_OF_REPO } else { check.scope.nothing() })
        }
        Scope::OnRequest(_) if check.depth <= context.depth && selection.includes(check.id) => {
            Some(ON_REQUEST)
        }
        _ => None,
    }
}

/// Enough to wait for several slow hosts at once, few enough for a small limit on processes.
const WORKERS: usize = 24;
/// No host is waited for, and to start a thread costs as much as most of these checks.
const OFFLINE_WORKERS: usize = 12;

fn run_all(pool: Pool, jobs: &[CheckJob<'_>], end: Instant) -> Vec<Outcome> {
    let outcomes = pool.map_lanes(jobs, connections::AT_ONCE, |job| job.host, |job| job.run(end));
    outcomes.into_iter().flatten().collect()
}

impl CheckJob<'_> {
    fn run(&self, end: Instant) -> Vec<Outcome> {
        let Self { check, subject, run, .. } = self;
        let start = Instant::now();
        let _wait = wait_for(|| match subject {
            Some(subject) => format!("{} {subject}", check.id),
            None => check.id.to_owned(),
        });
        let judgements = if start >= end {
            vec![Judgement::run_ended("the run ended before this was checked")]
        } else {
            run()
        };
        let judgements = bounded(judgements, check.scope.most());
        tracing::info!(results = judgements.len(), elapsed = ?start.elapsed(), "{}", check.id);
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = |judgement: Judgement| {
            let subject = judgement.subject.clone().or_else(|| subject.clone());
            Outcome { duration_ms, ..Outcome::new(check.id, Judgement { subject, ..judgement }) }
        };
        judgements.into_iter().map(outcome).collect()
    }
}

/// No more than `most` judgements, in their order: of a larger number the worst, and one that
/// counts the others. Pure.
fn bounded(judgements: Vec<Judgement>, most: usize) -> Vec<Judgement> {
    if judgements.len() <= most {
        return judgements;
    }
    let mut order: Vec<_> = judgements.iter().map(|it| it.status).enumerate().collect();
    order.sort_by_key(|(at, status)| (Reverse(*status), *at));
    let (kept, others) = order.split_at(most.saturating_sub(1));
    let kept: BTreeSet<_> = kept.iter().map(|(at, _)| *at).collect();
    let worst = others.first().and_then(|(at, _)| judgements.get(*at)).map(|worst| Judgement {
        subject: Some(format!("{} others", others.len())),
        summary: format!("{} others, the first: {}", others.len(), worst.summary),
        evidence: Vec::new(),
        ..worst.clone()
    });
    let kept = judgements.into_iter().enumerate().filter(|(at, _)| kept.contains(at));
    kept.map(|(_, judgement)| judgement).chain(worst).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::outcome::CheckStatus;
    use crate::doctor::pool::no_thread;

    fn jobs(run: &(dyn Fn(usize) -> Vec<Judgement> + Sync)) -> Vec<CheckJob<'_>> {
        let job = |(nth, check)| {
            let run: Box<dyn Fn() -> Vec<Judgement> + Sync> = Box::new(move || run(nth));
            CheckJob {
                check,
                subject: Some(format!("{nth}")),
                host: Some("github.com"),
                is_first: false,
                run,
            }
        };
        CHECKS.iter().enumerate().map(job).collect()
    }

    fn statuses(outcomes: &[Outcome]) -> Vec<CheckStatus> {
        outcomes.iter().map(|outcome| outcome.status).collect()
    }

    #[test]
    fn many_results_of_one_call_are_the_worst_and_a_count() {
        let judgement = |nth: usize| match nth {
            7 | 9 => Judgement::unknown(format!("{nth}"), "x"),
            _ => Judgement::pass(format!("{nth}")),
        };
        let summaries = |count, most| -> Vec<(String, CheckStatus)> {
            let judgements = bounded((0..count).map(judgement).collect(), most);
            judgements.into_iter().map(|it| (it.summary, it.status)).collect()
        };
        let (pass, unknown) = (CheckStatus::Pass, CheckStatus::Unknown);
        assert_eq!(summaries(10, 10).len(), 10);
        let expected = |rows: &[(&str, CheckStatus)]| -> Vec<_> {
            rows.iter().map(|(summary, status)| ((*summary).to_owned(), *status)).collect()
        };
        let others = "8 others, the first: 1";
        let rows = [("0", pass), ("7", unknown), ("9", unknown), (others, pass)];
        assert_eq!(summaries(11, 4), expected(&rows));
        let rows = [("7", unknown), ("10 others, the first: 9", unknown)];
        assert_eq!(summaries(11, 2), expected(&rows));
    }

    const POOLS: [Pool; 2] = [Pool::new(WORKERS), Pool { width: WORKERS, thread: no_thread }];

    #[test]
    fn each_check_gives_its_results_in_order() {
        let end = Instant::now() + Duration::from_secs(60);
        for pool in POOLS {
            let run = |_| vec![Judgement::pass("x").about("own"), Judgement::pass("y")];
            let outcomes = run_all(pool, &jobs(&run), end);
            assert_eq!(outcomes.len(), 2 * CHECKS.len());
            for (nth, outcomes) in outcomes.chunks(2).enumerate() {
                let about: Vec<_> = outcomes.iter().map(|it| (it.id, it.subject.clone())).collect();
                let id = CHECKS[nth].id;
                let expected = [(id, Some("own".to_owned())), (id, Some(format!("{nth}")))];
                assert_eq!(about, expected);
            }
        }
    }

    #[test]
    fn after_the_end_nothing_is_checked() {
        for pool in POOLS {
            let outcomes = run_all(pool, &jobs(&|_| panic!("it is checked")), Instant::now());
            assert_eq!(statuses(&outcomes), vec![CheckStatus::Unknown; CHECKS.len()]);
            assert!(outcomes.iter().all(|outcome| outcome.transient && outcome.code.is_none()));
            assert!(
                outcomes[0].summary.contains("the run ended before"),
                "{}",
                outcomes[0].summary
            );
        }
    }
}
