//! Which outcomes stand between the workspace and what PUSHREADY_REQUIRE names: for a start script,
//! nothing else is red.

use super::check::area;
use super::outcome::Outcome;
use crate::git::url::Repository;
use crate::settings::Requirement;
use crate::state::receipt::Desired;
use crate::state::subject::Subject;

/// Marks what is required.
pub fn mark(outcomes: &mut [Outcome], desired: &Desired) {
    let requirements: Vec<_> =
        desired.require.iter().map(|text| Requirement::parse(text)).collect();
    for outcome in outcomes {
        outcome.required = requirements.iter().any(|requirement| rests_on(requirement, outcome));
    }
}

/// Whether the requirement cannot be met while this outcome is a failure.
fn rests_on(requirement: &Requirement, outcome: &Outcome) -> bool {
    let subject = outcome.subject.as_deref();
    match area(outcome.id) {
        // a home in which nothing works is everybody's; of what apply could not provide, each
        // answers for itself
        "home" => subject.is_none_or(|subject| provides(requirement, &subject.into())),
        "codex" => *requirement == Requirement::Codex,
        "claude" => *requirement == Requirement::Claude,
        "keys" | "ssh" | "push" => is_push(requirement, subject),
        "git" => outcome.id != "git.owner" && is_push(requirement, subject),
        _ => false,
    }
}

/// A push rests on its own repository's outcomes, and on those that name none: is ssh there at all?
fn is_push(requirement: &Requirement, subject: Option<&str>) -> bool {
    let Requirement::Push(required) = requirement else { return false };
    // of a remote, its name follows: `git@github.com:o/app.git (origin in ~/app)`
    subject.is_none_or(|subject| {
        let url = subject.split_once(' ').map_or(subject, |(url, _)| url);
        Repository::parse_declared(url).is_ok_and(|repository| repository.same_as(required))
    })
}

/// Whether the requirement rests on an item of apply's: on that of its own name, `codex` or
/// `push:o/app`, on its `key o/app`, or on what every push takes.
pub fn provides(requirement: &Requirement, item: &Subject) -> bool {
    match (requirement, item) {
        (_, Subject::Home)
        | (Requirement::Push(_), Subject::Routing | Subject::SelfTest | Subject::Git) => true,
        (Requirement::Push(_), Subject::Key(name)) => is_push(requirement, Some(name)),
        _ => *item == requirement.subject(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::Judgement;

    #[test]
    fn each_requirement_answers_for_its_own() {
        let app = "git@github.com:o/app.git";
        for (requirement, id, subject, rests) in [
            ("codex", "codex.login", None, true),
            ("codex", "claude.login", None, false),
            ("codex", "home.writable", None, true),
            ("codex", "home.provisioned", Some("codex"), true),
            ("codex", "home.provisioned", Some("claude"), false),
            ("codex", "leaks.files", None, false),
            ("codex", "push.write", Some(app), false),
            ("codex", "ssh.client", None, false),
            ("claude", "claude.trust", Some("/home/coder/work"), true),
            ("push:O/App", "push.write", Some(app), true),
            ("push:o/app", "push.write", Some("git@github.com:o/app-two.git"), false),
            ("push:o/app", "git.remotes", Some("git@github.com:o/app.git (origin in ~/app)"), true),
            ("push:o/app", "home.provisioned", Some("key o/app"), true),
            ("push:o/app", "home.provisioned", Some("key o/lib"), false),
            ("push:o/app", "home.provisioned", Some("routing"), true),
            ("codex", "home.provisioned", Some("routing"), false),
            ("codex", "home.provisioned", Some("home"), true),
            ("push:o/app", "home.provisioned", Some("push:o/app"), true),
            ("push:o/app", "ssh.config", None, true),
            ("push:o/app", "codex.login", None, false),
            ("push:o/app", "git.owner", Some("/home/coder/other"), false),
            // of no known kind: what is said of it is its own
            ("pusch:o/app", "home.provisioned", Some("pusch:o/app"), true),
            ("pusch:o/app", "push.write", Some(app), false),
        ] {
            let judgement =
                Judgement { subject: subject.map(str::to_owned), ..Judgement::pass("") };
            let outcome = Outcome::new(id, judgement);
            let requirement = Requirement::parse(requirement);
            assert_eq!(
                rests_on(&requirement, &outcome),
                rests,
                "{requirement} on {id} {subject:?}"
            );
        }
    }
}
