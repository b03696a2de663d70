//! GitHub did not answer: what it would take. Never a failure, for nothing is proved.

use super::verdict::{Kind, Verdict};
use crate::catalogue::Code;
use crate::doctor::actions::facts::Facts;
use crate::doctor::outcome::{Evidence, Fix};
use crate::github::{Need, Refusal};
use crate::variables::GITHUB_TOKEN;

/// The least token that opens everything asked here.
const LEAST: &str = "a fine-grained token for this repository with `Actions: read` (and `Administration: read` for policies and runners)";

pub(super) fn refused(facts: &Facts, refusal: &Refusal) -> Verdict {
    let (code, needs, fix) = explain(facts, refusal);
    let summary = "GitHub did not answer, so the runs are not known";
    let told = match refusal {
        Refusal::Forbidden { message, .. } | Refusal::Status { message, .. } if !message.is_empty() => {
            Some(Evidence::foreign("server said", message))
        }
        _ => None,
    };
    let answer = Evidence::new("answer", refusal.to_string());
    let deploy_key = (facts.asked.deploy_key && facts.asked.token.is_none())
        .then(|| Evidence::new("deploy key", "it pushes, and cannot call the API: that takes a token"));
    Verdict::new(Kind::Unknown { code, needs }, summary, fix).with([answer]).with(told).with(deploy_key)
}

fn explain(facts: &Facts, refusal: &Refusal) -> (Option<Code>, String, Fix) {
    let give = |say: String| Fix::report(say);
    let set = || give(format!("put {LEAST} into {GITHUB_TOKEN}"));
    let anonymous = facts.asked.token.is_none();
    match refusal {
        Refusal::RateLimited { until } => {
            let needs = until.map_or_else(
                || "the limit to be reset".to_owned(),
                |until| format!("the limit to be reset at {until}"),
            );
            let fix = if anonymous {
                give(format!(
                    "put {LEAST} into {GITHUB_TOKEN}: without one, everybody behind this address shares 60 requests an hour"
                ))
            } else {
                Fix::wait("wait until the limit is reset")
            };
            (Some(Code::ActionsRateLimited), needs, fix)
        }
        Refusal::NotFound | Refusal::BadCredentials if anonymous => {
            (Some(Code::ActionsNoToken), format!("{LEAST} in {GITHUB_TOKEN}"), set())
        }
        Refusal::NotFound => {
            let say = format!("give the token access to this repository, or put {LEAST} into {GITHUB_TOKEN}");
            (Some(Code::ActionsForbidden), "a token that sees this repository".to_owned(), give(say))
        }
        Refusal::BadCredentials => {
            (Some(Code::ActionsNoToken), "a token that GitHub accepts".to_owned(), set())
        }
        Refusal::SingleSignOn { url } => {
            let say =
                "authorise the token for the organisation's single sign-on (token settings, Configure SSO)";
            let fix = url.as_ref().map_or_else(|| give(say.to_owned()), |url| Fix::visit(url.clone(), say));
            (
                Some(Code::ActionsForbidden),
                "a token that is authorised for the organisation's single sign-on".to_owned(),
                fix,
            )
        }
        Refusal::AddressNotAllowed => {
            let say = "ask an owner of the organisation to add this address to its allow list";
            (
                Some(Code::ActionsForbidden),
                "an address that the organisation allows".to_owned(),
                give(say.to_owned()),
            )
        }
        Refusal::Forbidden { need, .. } => {
            let needs = match need {
                Need::Permission(permission) => format!("a token with `{}`", shown(permission)),
                Need::Scope { needs, .. } => format!("a token with one of the scopes `{}`", shown(needs)),
                Need::Admin => "a token of an admin, with `Administration: read`".to_owned(),
                Need::Unknown => LEAST.to_owned(),
            };
            (Some(Code::ActionsForbidden), needs.clone(), give(format!("put {needs} into {GITHUB_TOKEN}")))
        }
        Refusal::Network(failure) => (
            None,
            format!("GitHub's API through this network: {failure}"),
            Fix::wait("try again; then look at proxy and certificates"),
        ),
        Refusal::Status { .. } | Refusal::Broken(_) | Refusal::TooManyRequests => {
            (None, "an answer of GitHub's API".to_owned(), Fix::wait("try again"))
        }
    }
}

fn shown(text: &str) -> String {
    text.escape_debug().take(120).collect()
}
