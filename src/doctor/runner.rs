//! Makes each check on each of its subjects, side by side. Each has its own duration, and its own
//! panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::check::{CHECKS, Check, Scope, Selection};
use super::context::Context;
use super::outcome::{Judgement, Outcome};
use super::push::PushUrl;
use crate::git::url::Repository;

/// One check on one subject.
struct Job<'a> {
    check: &'a Check,
    /// Where the judgements name none of their own.
    subject: Option<String>,
    run: Box<dyn FnOnce() -> Vec<Judgement> + Send + 'a>,
}

/// Makes the checks that were selected, each on all of its subjects.
pub fn run(context: &Context, selection: &Selection) -> Vec<Outcome> {
    let selected = || CHECKS.iter().filter(|check| selection.runs(check, context.depth));
    let mut outcomes = run_all(selected().flat_map(|check| jobs(check, context)).collect());
    for check in CHECKS {
        if let Some(reason) = why_silent(check, context, selection, &outcomes) {
            outcomes.push(Outcome::new(check.id, Judgement::skip(reason)));
        }
    }
    outcomes
}

fn jobs<'a>(check: &'a Check, context: &'a Context) -> Vec<Job<'a>> {
    let job = |subject, run| Job { check, subject, run };
    match check.scope {
        Scope::Once(run) => vec![job(None, Box::new(move || vec![run(context)]))],
        Scope::Several(run) | Scope::OnRequest(run) => {
            vec![job(None, Box::new(move || run(context)))]
        }
        Scope::InstalledKey(run) => {
            let records = context.receipt.map(|receipt| &receipt.desired.repositories[..]);
            let on = |record| {
                let run = Box::new(move || vec![run(context, record)]);
                job(Some(record.repository.to_ssh()), run)
            };
            records.unwrap_or_default().iter().map(on).collect()
        }
        Scope::Key(run) => {
            let on = |repository: &'a Repository| {
                let run = Box::new(move || vec![run(context, repository)]);
                job(Some(repository.to_ssh()), run)
            };
            context.keyed().map(on).collect()
        }
        Scope::PushUrl(run) => {
            let on = |url: &'a PushUrl| {
                job(Some(url.to_string()), Box::new(move || vec![run(context, url)]))
            };
            context.push_urls.iter().map(on).collect()
        }
        Scope::CloneInView(run) => {
            let on = |clone| job(None, Box::new(move || run(context, clone)));
            context.clones.in_view().iter().map(on).collect()
        }
    }
}

/// Why a check has no outcome.
fn why_silent(
    check: &Check,
    context: &Context,
    selection: &Selection,
    outcomes: &[Outcome],
) -> Option<&'static str> {
    const ON_REQUEST: &str = "not looked at, since each look spends requests of a rate limit: ask with `pushready doctor --only actions`";
    if outcomes.iter().any(|outcome| outcome.id == check.id) {
        return None;
    }
    match check.scope {
        _ if selection.runs(check, context.depth) => Some(check.scope.nothing()),
        Scope::OnRequest(_) if check.depth <= context.depth && selection.includes(check.id) => {
            Some(ON_REQUEST)
        }
        _ => None,
    }
}

fn run_all(jobs: Vec<Job<'_>>) -> Vec<Outcome> {
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for job in jobs {
            let found = &found;
            scope.spawn(move || {
                let outcomes = job.run();
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(outcomes);
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Job<'_> {
    fn run(self) -> Vec<Outcome> {
        let Self { check, subject, run } = self;
        let start = Instant::now();
        let judgements = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            vec![Judgement::unknown("the check itself failed", "please report this as a bug")]
        });
        tracing::info!(results = judgements.len(), elapsed = ?start.elapsed(), "{}", check.id);
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = |judgement: Judgement| {
            let subject = judgement.subject.clone().or_else(|| subject.clone());
            Outcome { duration_ms, ..Outcome::new(check.id, Judgement { subject, ..judgement }) }
        };
        judgements.into_iter().map(outcome).collect()
    }
}
