//! Actions that the repository does not allow: they stop a run at its start (docs, "Managing GitHub
//! Actions settings for a repository").

use super::verdict::RunVerdict;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::actions::facts::{ActionsFacts, Looked};
use crate::doctor::actions::trigger::matches;
use crate::doctor::actions::workflow::WorkflowFile;
use crate::doctor::outcome::Evidence;
use crate::github::model::{Permissions, SelectedActions};

const MOST_NAMED: usize = 6;
pub(super) const NOT_PINNED: &str = "the policy requires actions to be pinned to a full commit";
pub(super) const PIN: &str = "write the commit's 40 digits after `@`";
pub(super) const NOT_ALLOWED: &str = "the policy does not allow an action that the workflow uses";
pub(super) const ALLOW: &str = "allow the action, or do without it";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Yes,
    /// Whether an author is verified cannot be asked.
    IfVerified,
    No,
}

/// What the policy certainly forbids.
pub(super) fn judge(facts: &ActionsFacts, looked: &Looked) -> Option<RunVerdict> {
    let permissions = facts.more.permissions.as_ref()?.as_ref().ok()?;
    workflows(facts, looked).find_map(|workflow| judge_one(facts, permissions, workflow))
}

fn judge_one(
    facts: &ActionsFacts,
    permissions: &Permissions,
    workflow: &WorkflowFile,
) -> Option<RunVerdict> {
    let refused: Vec<_> =
        used(workflow).filter(|uses| allowed(facts, uses) == Allowed::No).collect();
    let unpinned: Vec<_> =
        used(workflow).filter(|uses| permissions.sha_pinning && !is_pinned(uses)).collect();
    let (found, summary, fix) = match (&refused[..], &unpinned[..]) {
        ([], []) => return None,
        ([], _) => (unpinned, NOT_PINNED, Fix::edit(std::path::Path::new(&workflow.path), PIN)),
        _ => (
            refused,
            NOT_ALLOWED,
            Fix::visit(format!("{}/settings/actions", facts.place.web), ALLOW),
        ),
    };
    let named = found.into_iter().take(MOST_NAMED).map(|uses| shown("uses", uses));
    Some(
        RunVerdict::fail(Code::ActionsPolicy, summary, fix)
            .with(named)
            .with(rules(facts, permissions)),
    )
}

/// What the policy may forbid, for a run whose reason is not known otherwise.
pub(super) fn doubtful(facts: &ActionsFacts, looked: &Looked) -> Vec<Evidence> {
    let used = workflows(facts, looked).flat_map(used);
    used.filter(|uses| allowed(facts, uses) == Allowed::IfVerified)
        .take(MOST_NAMED)
        .map(|uses| shown("allowed only if its author is verified", uses))
        .collect()
}

/// The file of the run; a run that could not begin (`BuildFailed`) does not name it.
fn workflows<'a>(
    facts: &'a ActionsFacts,
    looked: &'a Looked,
) -> impl Iterator<Item = &'a WorkflowFile> {
    let run = &looked.run;
    let workflows = facts.local.workflows.iter();
    workflows.filter(|workflow| !run.names_file() || run.is_of(&workflow.path))
}

fn used(workflow: &WorkflowFile) -> impl Iterator<Item = &str> {
    workflow
        .jobs
        .iter()
        .flat_map(|job| &job.uses)
        .map(String::as_str)
        .filter(|uses| !uses.starts_with("docker://"))
}

fn selected(facts: &ActionsFacts) -> Option<&SelectedActions> {
    facts.more.selected.as_ref()?.as_ref().ok()
}

fn allowed(facts: &ActionsFacts, uses: &str) -> Allowed {
    let Some(Ok(permissions)) = &facts.more.permissions else { return Allowed::Yes };
    let owner = facts.repo.as_ref().map(|repo| repo.owner.as_str()).unwrap_or_default();
    if uses.split('/').next().is_some_and(|first| first.eq_ignore_ascii_case(owner)) {
        return Allowed::Yes;
    }
    match (&*permissions.allowed_actions, selected(facts)) {
        ("local_only", _) => Allowed::No,
        ("selected", Some(selected)) => {
            let named = |pattern: &&String| names(pattern, uses);
            let blocked = selected.patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
            let of_github = uses.starts_with("actions/") || uses.starts_with("github/");
            match () {
                () if blocked.into_iter().any(|pattern| names(pattern, uses)) => Allowed::No,
                () if of_github && selected.github_owned => Allowed::Yes,
                () if selected.patterns.iter().any(|pattern| named(&pattern)) => Allowed::Yes,
                () if selected.verified => Allowed::IfVerified,
                () => Allowed::No,
            }
        }
        _ => Allowed::Yes,
    }
}

/// `*` is anything here, and without `@` any version; case does not count. In doubt it names the
/// action, for a refusal has to be certain.
fn names(pattern: &str, uses: &str) -> bool {
    let quoted: String = pattern
        .to_lowercase()
        .chars()
        .flat_map(|c| match c {
            '*' => vec!['*', '*'],
            '?' | '+' | '[' | '\\' => vec!['\\', c],
            _ => vec![c],
        })
        .collect();
    let uses = uses.to_lowercase();
    let bare = uses.split('@').next().unwrap_or_default();
    matches(&quoted, &uses) || !pattern.contains('@') && matches(&quoted, bare)
}

/// Reusable workflows need not be.
fn is_pinned(uses: &str) -> bool {
    uses.contains("/.github/workflows/")
        || uses.rsplit_once('@').is_some_and(|(_, at)| {
            at.len() == 40 && at.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn rules(facts: &ActionsFacts, permissions: &Permissions) -> Vec<Evidence> {
    let mut rules = vec![Evidence::foreign(
        "actions/permissions, allowed_actions",
        &permissions.allowed_actions,
    )];
    if let Some(selected) = selected(facts) {
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let patterns: Vec<_> = selected.patterns.iter().take(12).map(String::as_str).collect();
        rules.push(Evidence::new("GitHub's own actions", yes_no(selected.github_owned)));
        rules.push(Evidence::new("those of verified authors", yes_no(selected.verified)));
        rules.push(shown("patterns_allowed", &patterns.join(", ")));
    }
    rules
}

/// An `@` reads like a user in a URL, which would be hidden.
fn shown(label: &'static str, text: &str) -> Evidence {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@*!, ".contains(&byte);
    if text.len() <= 300 && text.bytes().all(plain) {
        Evidence::new(label, text)
    } else {
        Evidence::foreign(label, &text.replace('@', " at "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_actions() {
        for (pattern, uses, named) in [
            ("docker/*", "docker/login-action@v3", true),
            ("docker/*", "Docker/build/sub@v3", true),
            ("docker/login-action@v3", "docker/login-action@v3", true),
            ("docker/login-action@v3", "docker/login-action@v4", false),
            ("docker/login-action", "docker/login-action@v4", true),
            ("*/octo**@*", "a/octopus@v1", true),
            ("docker/*", "dockers/x@v1", false),
            ("a+b/*", "aab/x@v1", false),
        ] {
            assert_eq!(names(pattern, uses), named, "{pattern} {uses}");
        }
        assert!(is_pinned(&format!("a/b@{}", "0f".repeat(20))) && !is_pinned("a/b@v1"));
        assert!(is_pinned("o/r/.github/workflows/x.yml@v1"));
    }
}
