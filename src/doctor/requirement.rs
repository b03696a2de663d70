//! Which outcomes stand between the workspace and what PUSHREADY_REQUIRE names: for a start script,
//! nothing else is red.

use super::check::area;
use super::outcome::{CheckStatus, Outcome};
use crate::client::Client;
use crate::git::url::Repository;
use crate::settings::Requirement;
use crate::state::receipt::Desired;
use crate::state::subject::Subject;

/// What the settings and the last apply require.
pub fn all(desired: &Desired) -> Vec<Requirement> {
    desired.require.iter().map(|text| Requirement::parse(text)).collect()
}

/// The repository of the current clone, where its remote names the server by an alias of ssh's.
pub struct AliasedRepository {
    pub named: Repository,
    pub at_server: Repository,
}

/// Marks what is required.
pub fn mark(
    outcomes: &mut [Outcome],
    requirements: &[Requirement],
    aliased: Option<&AliasedRepository>,
) {
    for outcome in outcomes {
        outcome.required =
            requirements.iter().any(|requirement| rests_on(requirement, outcome, aliased));
    }
}

/// The requirements of which nothing is known: no check proved them, and none failed, or its failure
/// is accepted.
pub fn not_tested<'r>(
    requirements: &'r [Requirement],
    outcomes: &[Outcome],
) -> impl Iterator<Item = &'r Requirement> {
    requirements.iter().filter(|requirement| {
        let of_it = || outcomes.iter().filter(|outcome| rests_on(requirement, outcome, None));
        let is_decided = |outcome: &Outcome| match outcome.status {
            CheckStatus::Fail | CheckStatus::Unknown => true,
            CheckStatus::Pass | CheckStatus::Warn => proves(outcome.id, requirement),
            // that it fails is accepted, which proves nothing
            CheckStatus::Accepted | CheckStatus::Skip => false,
        };
        !of_it().any(is_decided)
    })
}

/// Whether the check of this id proves the requirement.
fn proves(id: &str, requirement: &Requirement) -> bool {
    match requirement {
        Requirement::Login(client) => id.strip_prefix(client.row().id) == Some(".login"),
        Requirement::Push(_) => id == "push.write",
        Requirement::Unknown(_) => false,
    }
}

/// Whether the requirement cannot be met while this outcome is a failure.
fn rests_on(
    requirement: &Requirement,
    outcome: &Outcome,
    aliased: Option<&AliasedRepository>,
) -> bool {
    let subject = outcome.subject.as_deref();
    let is_push = |requirement, subject| is_push_of(requirement, subject, aliased);
    match area(outcome.id) {
        // a home in which nothing works is everybody's; of what apply could not provide, each
        // answers for itself
        "home" => subject.is_none_or(|subject| provides(requirement, &subject.into())),
        "keys" | "ssh" | "push" => is_push(requirement, subject),
        "git" => match outcome.id {
            "git.owner" => false,
            // of the clone that the doctor runs in
            "git.clone" | "git.commit" | "git.programs" => {
                subject.is_some() && is_push(requirement, subject)
            }
            _ => is_push(requirement, subject),
        },
        area => Client::of_id(area).is_some_and(|of| *requirement == Requirement::Login(of)),
    }
}

/// A push rests on its own repository's outcomes, and on those that name none: is ssh there at all?
fn is_push_of(
    requirement: &Requirement,
    subject: Option<&str>,
    aliased: Option<&AliasedRepository>,
) -> bool {
    let Requirement::Push(required) = requirement else { return false };
    // of a remote, its name follows: `git@github.com:o/app.git (origin in ~/app)`
    subject.is_none_or(|subject| {
        let url = subject.split_once(' ').map_or(subject, |(url, _)| url);
        Repository::parse_declared(url).is_ok_and(|repository| {
            let aliased = aliased.filter(|aliased| aliased.named.same_as(&repository));
            aliased.map_or(&repository, |aliased| &aliased.at_server).same_as(required)
        })
    })
}

/// Whether the requirement rests on an item of apply's: on that of its own name, `codex` or
/// `push:o/app`, on its `key o/app`, or on what every push takes.
pub fn provides(requirement: &Requirement, item: &Subject) -> bool {
    match (requirement, item.first()) {
        (_, Subject::Home)
        | (Requirement::Push(_), Subject::Routing | Subject::SelfTest | Subject::Git) => true,
        (Requirement::Push(_), Subject::Key(name)) => is_push_of(requirement, Some(name), None),
        (_, item) => *item == requirement.subject(),
    }
}

/// Whether a check's subject is what an item of apply's is about: `git@github.com:o/app.git` and
/// `key o/app`. Without a subject the check is about its area, `codex`.
pub fn is_about(item: &Subject, id: &str, subject: Option<&str>) -> bool {
    match (item.first(), subject) {
        (Subject::Key(name), Some(subject)) => {
            let of_key = Requirement::parse(&format!("push:{name}"));
            *item.to_string() == *subject || is_push_of(&of_key, Some(subject), None)
        }
        (_, subject) => *item.to_string() == *subject.unwrap_or(area(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Code, Fix};
    use crate::doctor::outcome::Judgement;

    #[test]
    fn an_item_of_apply_is_what_a_check_is_about() {
        for (item, id, subject, expected) in [
            ("key o/app", "push.write", Some("git@github.com:o/app.git"), true),
            ("key o/app", "home.provisioned", Some("key o/app"), true),
            ("key o/lib", "push.write", Some("git@github.com:o/app.git"), false),
            ("key o/lib", "ssh.route", None, false),
            ("codex", "codex.login", None, true),
            ("codex", "claude.login", None, false),
            ("routing", "home.provisioned", Some("routing"), true),
            ("routing", "ssh.route", Some("git@github.com:o/app.git"), false),
        ] {
            let found = is_about(&item.into(), id, subject);
            assert_eq!(found, expected, "{item} {id} {subject:?}");
        }
    }

    #[test]
    fn each_requirement_answers_for_its_own() {
        let app = "git@github.com:o/app.git";
        let named = |text: &str| Repository::parse_declared(text).unwrap();
        let aliased = AliasedRepository {
            named: named("git@github-work:o/app.git"),
            at_server: named("o/app"),
        };
        for (requirement, id, subject, rests) in [
            ("push:o/app", "git.clone", Some("git@github-work:o/app.git (~/app)"), true),
            ("push:o/app", "push.write", Some("git@github-work:o/app.git"), true),
            ("push:o/app", "push.write", Some("git@github-home:o/app.git"), false),
            ("push:o/lib", "git.clone", Some("git@github-work:o/app.git (~/app)"), false),
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
            ("push:o/app", "git.commit", Some("git@github.com:o/app.git (~/app)"), true),
            ("push:o/app", "git.commit", Some("git@github.com:o/lib.git (~/lib)"), false),
            ("push:o/app", "git.commit", Some("~/work"), false),
            ("push:o/app", "git.commit", None, false),
            // of an unknown kind: its own outcomes count
            ("pusch:o/app", "home.provisioned", Some("pusch:o/app"), true),
            ("pusch:o/app", "push.write", Some(app), false),
            ("push:", "home.provisioned", Some("push:"), true),
            ("push:o/app;codex", "home.provisioned", Some("push:o/app;codex"), true),
            ("push:o/*", "home.provisioned", Some("push:o/*"), true),
            ("push:o/*", "home.provisioned", Some("push:o/app"), false),
        ] {
            let judgement =
                Judgement { subject: subject.map(str::to_owned), ..Judgement::pass("") };
            let outcome = Outcome::new(id, judgement);
            let requirement = Requirement::parse(requirement);
            assert_eq!(
                rests_on(&requirement, &outcome, Some(&aliased)),
                rests,
                "{requirement} on {id} {subject:?}"
            );
        }
    }

    #[test]
    fn a_requirement_is_tested_where_its_proof_ran_or_something_failed() {
        let fail = || Judgement::fail(Code::CodexAuthMissing, "x", Fix::report("y"));
        for (outcomes, is_tested) in [
            (vec![], false),
            (vec![("codex.login", Judgement::pass("x"))], true),
            (vec![("codex.login", Judgement::skip("x"))], false),
            (vec![("codex.trust", Judgement::pass("x"))], false),
            (vec![("codex.trust", Judgement::pass("x")), ("codex.login", fail())], true),
            (vec![("codex.environment", fail())], true),
            (vec![("codex.login", Judgement::unknown("x", "y"))], true),
            (vec![("claude.login", Judgement::pass("x"))], false),
        ] {
            let outcomes: Vec<_> =
                outcomes.into_iter().map(|(id, judgement)| Outcome::new(id, judgement)).collect();
            let requirements = [Requirement::Login(Client::Codex)];
            let not_tested = not_tested(&requirements, &outcomes).count();
            assert_eq!(not_tested == 0, is_tested, "{outcomes:?}");
        }
    }
}
