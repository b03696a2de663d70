//! What the first round gives reason to ask.

use crate::doctor::actions::facts::{ActionsFacts, Labels, Looked, Standing};
use crate::doctor::actions::judge;
use crate::github::Forge;
use crate::github::model::Job;

/// What the runs give reason to ask.
#[expect(clippy::struct_excessive_bools, reason = "independent questions")]
pub(super) struct Reasons {
    pub(super) no_run: bool,
    /// A workflow has none, beside others that have.
    pub(super) missing: bool,
    /// The default branch, if a merge queue there would wait for checks that never run.
    pub(super) merge_queue: Option<String>,
    pub(super) policy: bool,
    /// Only a pull request could have made one.
    pub(super) pull: bool,
    /// The pull requests of a fork run in the repository that it is a fork of.
    pub(super) upstream: bool,
    pub(super) approval: bool,
    pub(super) runners: bool,
    /// A runner of the repository's own may have a label that GitHub has retired.
    pub(super) retired: bool,
    /// The labels say so themselves.
    pub(super) self_hosted: bool,
    pub(super) hosted: bool,
}

impl Reasons {
    pub(super) fn of(facts: &ActionsFacts) -> Self {
        let stuck = |looked: &Looked, job: &Job| match Standing::of(job) {
            Standing::Queued => looked.needs(&facts.local, job) != Some(true),
            Standing::NeverRan => {
                job.conclusion == "cancelled" || judge::had_no_runner(looked, job)
            }
            _ => false,
        };
        let jobs = || {
            facts.looked.iter().flat_map(move |looked| {
                let page = looked.jobs.as_ref().ok();
                let jobs = page.into_iter().flat_map(|page| &page.items);
                jobs.filter(move |job| stuck(looked, job)).map(move |job| (looked, job))
            })
        };
        let kind = |job: &Job| Labels::of(&job.labels, &facts.labels);
        let pushed = facts.head.as_ref().is_some_and(|head| head.pushed);
        let no_run = facts.own_runs().is_empty() && pushed;
        let failed = facts.looked.iter().any(|looked| {
            let empty = looked.jobs.as_ref().is_ok_and(|page| page.items.is_empty());
            looked.run.conclusion == "startup_failure"
                || looked.run.conclusion == "failure" && empty
        });
        let own = |(looked, job): &(&Looked, &Job)| match kind(job) {
            Labels::Own => true,
            Labels::Retired => false,
            Labels::Hosted => facts.forge == Forge::Enterprise,
            Labels::None => {
                looked.in_file(&facts.local, job).is_some_and(|job| job.group.is_some())
            }
        };
        Self {
            no_run,
            missing: !judge::missing(facts).is_empty(),
            merge_queue: facts
                .repo
                .as_ref()
                .ok()
                .and_then(|repo| repo.default_branch.clone())
                .filter(|_| pushed && !no_run && judge::lacks_merge_group(facts).is_some())
                .filter(|default| {
                    let branch = facts.head.as_ref().and_then(|head| head.branch.as_ref());
                    branch.is_some_and(|branch| branch != default)
                }),
            policy: no_run || failed,
            pull: no_run && judge::needs_pull_request(facts),
            upstream: no_run,
            approval: facts
                .looked
                .iter()
                .any(|looked| looked.run.conclusion == "action_required" && looked.run.from_fork),
            runners: jobs().any(|found| own(&found)),
            retired: jobs().any(|(_, job)| kind(job) == Labels::Retired),
            self_hosted: jobs()
                .filter(own)
                .any(|(_, job)| job.labels.iter().any(|label| facts.labels.is_self_hosted(label))),
            hosted: jobs().any(|(_, job)| {
                kind(job) == Labels::Hosted
                    && job.status != "completed"
                    && facts.age(job.created).is_some_and(|age| age >= judge::HOSTED_SUSPECT)
            }),
        }
    }
}
