//! Runner groups: a runner of the organization takes only jobs of the repositories and workflows
//! that its group admits.

use super::verdict::RunVerdict;
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::{ActionsFacts, Looked};
use crate::doctor::outcome::Evidence;
use crate::github::model::{Run, Runner, RunnerGroup};

/// Why a group excludes a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exclusion<'a> {
    /// It is for other repositories.
    Elsewhere(Option<i64>),
    /// It is for private repositories only, and this one is public.
    Public(&'a RunnerGroup),
    /// It is for other workflows.
    Workflows(&'a RunnerGroup),
}

/// `None`: no group that this token has access to excludes this run from the organization's
/// `runner`.
pub(super) fn exclusion<'a>(
    facts: &'a ActionsFacts,
    looked: &Looked,
    runner: &Runner,
) -> Option<Exclusion<'a>> {
    let groups = facts.more.runner_groups.as_ref()?.as_ref().ok()?;
    // a group may be on a page that was not read
    let whole = groups.total == u64::try_from(groups.items.len()).unwrap_or_default();
    let excludes = |group: &'a RunnerGroup| {
        let public =
            facts.repo.as_ref().is_ok_and(|repo| !repo.private) && !group.public_repositories;
        let workflows = group
            .workflows
            .as_ref()
            .is_some_and(|workflows| !admits(facts, workflows, &looked.run));
        match () {
            () if public => Some(Exclusion::Public(group)),
            () if workflows => Some(Exclusion::Workflows(group)),
            () => None,
        }
    };
    match runner.group {
        Some(id) => match groups.items.iter().find(|group| group.id == id) {
            Some(group) => excludes(group),
            None => whole.then_some(Exclusion::Elsewhere(Some(id))),
        },
        // its group is one of these
        None if whole => {
            let all: Option<Vec<_>> = groups.items.iter().map(excludes).collect();
            all.map(|all| all.first().copied().unwrap_or(Exclusion::Elsewhere(None)))
        }
        None => None,
    }
}

/// `octo/app/.github/workflows/ci.yml@refs/heads/main`: the file must match, and for a push its branch.
fn admits(facts: &ActionsFacts, workflows: &[String], run: &Run) -> bool {
    let repository = facts.place.web.splitn(4, '/').nth(3).unwrap_or_default();
    let path = format!("{repository}/{}", run.path.split('@').next().unwrap_or_default());
    workflows.iter().any(|workflow| {
        let (file, at) = workflow.split_once('@').unwrap_or((workflow, ""));
        let branch = at.strip_prefix("refs/heads/").unwrap_or(at);
        // a tag or a commit may be the branch's
        let elsewhere = run.event == "push"
            && at.starts_with("refs/heads/")
            && run.branch.as_deref().is_some_and(|own| own != branch);
        file.eq_ignore_ascii_case(&path) && !elsewhere
    })
}

pub(super) fn excluded(
    facts: &ActionsFacts,
    runners: &[&Runner],
    why: Exclusion<'_>,
) -> RunVerdict {
    let owner = facts.repo.as_ref().map(|repo| repo.owner.as_str()).unwrap_or_default();
    let page = |group: Option<i64>| {
        let one = group.map_or_else(String::new, |id| format!("/{id}"));
        format!(
            "https://{}/organizations/{owner}/settings/actions/runner-groups{one}",
            facts.place.host()
        )
    };
    let names: Vec<_> = runners.iter().take(6).map(|runner| runner.name.as_str()).collect();
    let named = Evidence::foreign("runners with these labels", &names.join(", "));
    let (summary, fix, evidence) = match why {
        Exclusion::Elsewhere(group) => (
            "runners have the job's labels, and their group does not admit this repository",
            Fix::visit(
                page(group),
                "an owner must add this repository to the group, under Repository access",
            ),
            group.map(|id| Evidence::new("runner_group_id", id.to_string())),
        ),
        Exclusion::Public(group) => (
            "the repository is public, and the group of the runners with the job's labels does not admit public ones",
            Fix::visit(
                page(Some(group.id)),
                "enable Allow public repositories in the group, if code of strangers may run on those machines; or use GitHub's \
                 runners",
            ),
            Some(Evidence::foreign("allows_public_repositories false", &group.name)),
        ),
        Exclusion::Workflows(group) => {
            let workflows = group.workflows.as_deref().unwrap_or_default().join(", ");
            (
                "the group of the runners with the job's labels admits only other workflows",
                Fix::visit(
                    page(Some(group.id)),
                    "add this workflow to the group's selected workflows",
                ),
                Some(Evidence::foreign(
                    "group admits",
                    &format!("{}: {}", group.name, workflows.replace('@', " at ")),
                )),
            )
        }
    };
    RunVerdict::fail(Code::ActionsRunnerGroup, summary, fix)
        .with([named])
        .with(evidence)
        .fixed_by(Actor::OrgAdmin)
}
