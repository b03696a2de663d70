//! Why a server refuses every key, where the URL itself explains it.

use super::PushQuestion;
use super::asking::Answer;
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::git;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::Repository;
use crate::push_message;
use crate::ssh_cli;

/// What decides it.
struct RefusalFacts<'a> {
    /// As the URL names it.
    repository: &'a Repository,
    /// A key of this repository is provisioned.
    has_key: bool,
    /// The user with which ssh logs in.
    user: Option<&'a str>,
    /// The repository of the same path at the host to which ssh connects, if that is another name.
    led_to: Option<&'a Repository>,
    /// A key of that one is provisioned.
    led_to_has_key: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum RefusalCause {
    /// The key is there, and ssh logs in as a user that the server does not know it for.
    User,
    /// The name is an alias of the user's, for which our routing offers no key.
    Alias,
    /// No key of the repository is provisioned.
    NoKey,
}

/// Pure.
fn decide(facts: &RefusalFacts) -> Option<RefusalCause> {
    let RefusalFacts { repository, has_key, user, led_to_has_key, .. } = *facts;
    match () {
        () if led_to_has_key => Some(RefusalCause::Alias),
        () if !has_key => Some(RefusalCause::NoKey),
        () if user.is_some_and(|user| user != repository.ssh_user()) => Some(RefusalCause::User),
        () => None,
    }
}

/// The server accepted the login, and ended git there without a ref.
pub fn in_unknown_words() -> Judgement {
    Judgement::fail(
        Code::PushUnrecognized,
        "the server accepts the login and refuses git, in words that are not known here",
        Fix::report("ask the server's admin what its words mean: no push works until then"),
    )
}

/// The nearer cause of a refused key. `None`: the server's own words say it.
pub fn cause(
    context: &Context,
    asked: &PushQuestion,
    answer: &Answer,
    outcome: &Judgement,
) -> Option<Judgement> {
    let code = outcome
        .code
        .filter(|code| matches!(code, Code::SshKeyRefused | Code::SshHostKeyUnknown))?;
    let repository = &asked.url.repository;
    let setting = |keyword| ssh_cli::value(answer.effective.as_deref()?, keyword);
    let led_to = setting("hostname")
        .and_then(|host| repository.at_host(host))
        .filter(|led_to| led_to.host() != repository.host());
    let has_key = |repository: &Repository| context.has_key(repository);
    let facts = RefusalFacts {
        repository,
        has_key: has_key(repository),
        user: setting("user").or_else(|| asked.at.user()),
        led_to: led_to.as_ref(),
        led_to_has_key: led_to.as_ref().is_some_and(has_key),
    };
    let written = asked.url.text();
    let set_url = |to: &str, say| git::set_push_url(asked.clones, &written, to, say);
    let by_remote = |summary: String, fix| {
        let judgement = Judgement::fail(code, summary, fix);
        let actor = Some(Actor::WorkspaceUser);
        Judgement { actor, agent_may_fix: true, stop_and_report: false, ..judgement }
    };
    let decided = decide(&facts);
    // what the server would say of the keys, it was not asked
    let decided =
        decided.filter(|cause| code == Code::SshKeyRefused || *cause == RefusalCause::Alias);
    Some(match decided? {
        RefusalCause::User => by_remote(
            format!(
                "ssh logs in as another user than `{}`, for whom the server does not know the key",
                repository.ssh_user()
            ),
            set_url(
                &with_port(repository, asked.at.port),
                "put the user of the server's keys into the remote",
            ),
        )
        .with(facts.user.map(|user| Evidence::foreign("logs in as", user))),
        RefusalCause::Alias => {
            let to = facts.led_to.unwrap_or(repository);
            by_remote(
                format!(
                    "`{}` is an alias for {}, and the key of {} is offered under the real name alone",
                    repository.host(),
                    to.host(),
                    to.short()
                ),
                set_url(
                    &to.to_ssh(),
                    "name the server itself in the remote: ssh then chooses the key",
                ),
            )
        }
        RefusalCause::NoKey => {
            let named = facts.led_to.unwrap_or(repository);
            let judgement = Judgement::fail(
                Code::SshKeyRefused,
                format!(
                    "no deploy key for {} is provisioned here, and the server accepts no other key",
                    named.short()
                ),
                push_message::add_key(named),
            );
            Judgement { actor: Some(Actor::TemplateAdmin), ..judgement }
        }
    })
}

/// The canonical remote at the port of the written one.
fn with_port(repository: &Repository, port: Option<u16>) -> String {
    let Some(port) = port.filter(|_| repository.ssh_port().is_none()) else {
        return repository.to_ssh();
    };
    let (user, host) = (repository.ssh_user(), repository.host());
    format!("ssh://{user}@{host}:{port}/{}", repository.to_ssh_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_explains_a_refusal_where_it_can() {
        let named = |text: &str| Repository::parse_declared(text).unwrap();
        let app = named("o/app");
        for (host, has_key, user, leads_to_keyed, cause) in [
            ("github.com", true, Some("git"), false, None),
            ("github.com", true, None, false, None),
            ("github.com", true, Some("someone"), false, Some(RefusalCause::User)),
            ("github.com", false, Some("someone"), false, Some(RefusalCause::NoKey)),
            ("github.com", false, Some("git"), false, Some(RefusalCause::NoKey)),
            ("github.com-work", false, Some("git"), true, Some(RefusalCause::Alias)),
            ("github.com-work", false, Some("git"), false, Some(RefusalCause::NoKey)),
        ] {
            let repository = named(&format!("git@{host}:o/app.git"));
            let facts = RefusalFacts {
                repository: &repository,
                has_key,
                user,
                led_to: leads_to_keyed.then_some(&app),
                led_to_has_key: leads_to_keyed,
            };
            assert_eq!(decide(&facts), cause, "{host} {has_key} {user:?} {leads_to_keyed}");
        }
    }

    #[test]
    fn the_port_of_the_remote_is_kept() {
        let app = Repository::parse_declared("o/app").unwrap();
        assert_eq!(with_port(&app, None), "git@github.com:o/app.git");
        assert_eq!(with_port(&app, Some(443)), "ssh://git@github.com:443/o/app.git");
    }
}
