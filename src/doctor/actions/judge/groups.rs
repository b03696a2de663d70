//! Runner groups: a runner of the organization takes only jobs of the repositories and workflows
//! that its group admits.

use super::verdict::RunVerdict;
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::actions::facts::{ActionsFacts, Looked};
use crate::doctor::outcome::Evidence;
use crate::github::model::{Run, RunnerGroup};

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

/// The groups that admit the repository, and whether all of them are known.
fn known(facts: &ActionsFacts) -> Option<(&[RunnerGroup], bool)> {
    let groups = facts.more.runner_groups.as_ref()?.as_ref().ok()?;
    // a group may be on a page that was not read
    let whole = groups.total == u64::try_from(groups.items.len()).unwrap_or_default();
    Some((&groups.items, whole))
}

/// A group that `runs-on` names.
#[derive(Clone, Copy, Debug)]
pub(super) enum NamedGroup<'a> {
    /// Unknown: the list of groups cannot be read as a whole.
    Unread,
    /// It does not exist, or does not admit this repository.
    Absent,
    Group(&'a RunnerGroup),
}

/// `name` may say whose it is (`org/big`, `ent/big`).
pub(super) fn named<'a>(facts: &'a ActionsFacts, name: &str) -> NamedGroup<'a> {
    let Some((groups, whole)) = known(facts) else { return NamedGroup::Unread };
    let bare = ["organization/", "org/", "enterprise/", "ent/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    match groups.iter().find(|group| group.name.eq_ignore_ascii_case(bare)) {
        Some(group) => NamedGroup::Group(group),
        None if whole => NamedGroup::Absent,
        None => NamedGroup::Unread,
    }
}

/// The enterprise's groups: no list that an organization has shows their runners.
pub(super) fn inherited(facts: &ActionsFacts) -> Vec<&RunnerGroup> {
    let groups = known(facts).map_or(&[][..], |(groups, _)| groups);
    groups.iter().filter(|group| group.inherited).collect()
}

/// `None`: no group that this token has access to excludes this run from the organization's runner
/// that is in the group `of`.
pub(super) fn exclusion<'a>(
    facts: &'a ActionsFacts,
    looked: &Looked,
    of: Option<i64>,
) -> Option<Exclusion<'a>> {
    let (groups, whole) = known(facts)?;
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
    match of {
        Some(id) => match groups.iter().find(|group| group.id == id) {
            Some(group) => excludes(group),
            None => whole.then_some(Exclusion::Elsewhere(Some(id))),
        },
        // its group is one of these
        None if whole => {
            let all: Option<Vec<_>> = groups.iter().map(excludes).collect();
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

/// The page of one group, or of all.
fn page(facts: &ActionsFacts, group: Option<i64>) -> String {
    let owner = facts.repo.as_ref().map(|repo| repo.owner.as_str()).unwrap_or_default();
    let one = group.map_or_else(String::new, |id| format!("/{id}"));
    let host = facts.place.host();
    format!("https://{host}/organizations/{owner}/settings/actions/runner-groups{one}")
}

/// The group that the job names is not one of those that admit the repository.
pub(super) fn absent(facts: &ActionsFacts, name: &str) -> RunVerdict {
    let fix = Fix::visit(
        page(facts, None),
        "an owner must add this repository to the group, under Repository access; or the workflow must name another group",
    );
    let summary =
        "the job names a runner group that does not exist or does not admit this repository";
    RunVerdict::fail(Code::ActionsRunnerGroup, summary, fix)
        .with([Evidence::foreign("group", name)])
        .fixed_by(Actor::OrgAdmin)
}

/// Runners have the job's labels, and none of them is in the group that it names.
pub(super) fn elsewhere(facts: &ActionsFacts, group: &RunnerGroup, runners: &[&str]) -> RunVerdict {
    let fix = Fix::visit(
        page(facts, Some(group.id)),
        "an owner must move a runner with these labels into the group, or the workflow must name the group of the runners",
    );
    let summary =
        "runners have the job's labels, and none of them is in the group that the job names";
    let names: Vec<_> = runners.iter().take(6).copied().collect();
    RunVerdict::fail(Code::ActionsRunnerGroup, summary, fix)
        .with([
            Evidence::foreign("group", &group.name),
            Evidence::foreign("runners with these labels", &names.join(", ")),
        ])
        .fixed_by(Actor::OrgAdmin)
}

pub(super) fn excluded(facts: &ActionsFacts, runners: &[&str], why: Exclusion<'_>) -> RunVerdict {
    let page = |group: Option<i64>| page(facts, group);
    let names: Vec<_> = runners.iter().take(6).copied().collect();
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
