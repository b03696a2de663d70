//! GitHub did not answer: what it would take. Never a failure, for nothing is proved.

use super::verdict::{Kind, Verdict};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::actions::facts::Facts;
use crate::doctor::outcome::Evidence;
use crate::github::{Need, Refusal, trust};
use crate::http::Failure;
use crate::variables::GITHUB_TOKEN;

/// The least token that opens everything asked here.
const LEAST: &str = "a fine-grained token for this repository with `Actions: read` (and `Administration: read` for policies and runners)";

pub(super) fn refused(facts: &Facts, refusal: &Refusal) -> Verdict {
    let told = match refusal {
        Refusal::Forbidden { message, .. } | Refusal::Status { message, .. }
            if !message.is_empty() =>
        {
            Some(Evidence::foreign("server said", message))
        }
        _ => None,
    };
    let answer = Evidence::new("answer", refusal.to_string());
    let deploy_key = (facts.asked.deploy_key && facts.asked.token.is_none()).then(|| {
        Evidence::new("deploy key", "it pushes, and cannot call the API: that takes a token")
    });
    let Unanswered { code, summary, needs, fix, transient } = explain(facts, refusal);
    let kind = Kind::Unknown { code, needs, transient };
    Verdict::new(kind, summary, fix).with([answer]).with(told).with(deploy_key)
}

struct Unanswered {
    code: Option<Code>,
    summary: &'static str,
    needs: String,
    fix: Fix,
    transient: bool,
}

fn explain(facts: &Facts, refusal: &Refusal) -> Unanswered {
    let anonymous = facts.asked.token.is_none();
    let coded = |code, summary, needs: &str, fix| {
        let transient = code == Code::ActionsRateLimited;
        Unanswered { code: Some(code), summary, needs: needs.to_owned(), fix, transient }
    };
    let put = |what: &str| Fix::report(format!("put {what} into {GITHUB_TOKEN}"));
    let no_token = Code::ActionsNoToken;
    let forbidden = |needs: &str, fix| {
        coded(Code::ActionsForbidden, "GitHub does not let this token see the runs", needs, fix)
    };
    match refusal {
        Refusal::RateLimited { until } => {
            let needs = until.map_or_else(
                || "the limit to be reset".to_owned(),
                |until| format!("the limit to be reset at {until}"),
            );
            let fix = if anonymous && facts.asked.trusted {
                Fix::report(format!(
                    "put {LEAST} into {GITHUB_TOKEN}: without one, everybody behind this address shares 60 requests an hour"
                ))
            } else {
                Fix::wait("wait until the limit is reset")
            };
            coded(
                Code::ActionsRateLimited,
                "the rate limit of GitHub's API is used up",
                &needs,
                fix,
            )
        }
        Refusal::NotFound | Refusal::BadCredentials if !facts.asked.trusted => {
            let summary =
                "the server shows the runs only with a token, and it is not trusted with one";
            let fix = Fix::report(trust(facts.place.host()));
            coded(no_token, summary, "a server that is trusted with a token", fix)
        }
        Refusal::NotFound | Refusal::BadCredentials if anonymous => {
            let summary = "GitHub shows the runs to nobody without a token, and no source has one that it accepts";
            coded(no_token, summary, "a token that may read Actions", put(LEAST))
        }
        Refusal::NotFound => {
            let say = format!(
                "give the token access to this repository, or put {LEAST} into {GITHUB_TOKEN}"
            );
            forbidden("a token that sees this repository", Fix::report(say))
        }
        Refusal::BadCredentials => coded(
            no_token,
            "GitHub does not accept the token",
            "a token that GitHub accepts",
            put(LEAST),
        ),
        Refusal::SingleSignOn { url } => {
            let say = "authorise the token for the organisation's single sign-on (token settings, Configure SSO)";
            let own = format!("https://{}/", facts.place.host());
            let url = url.as_ref().filter(|url| url.starts_with(&own));
            let fix = url.map_or_else(|| Fix::report(say), |url| Fix::visit(url.clone(), say));
            forbidden("a token that is authorised for the organisation's single sign-on", fix)
        }
        Refusal::AddressNotAllowed => {
            let say = "ask an owner of the organisation to add this address to its allow list";
            forbidden("an address that the organisation allows", Fix::report(say))
        }
        Refusal::Forbidden { need, .. } => {
            let needs = match need {
                Need::Permission(permission) => format!("a token with `{permission}`"),
                Need::Scope { needs, .. } => format!("a token with one of the scopes `{needs}`"),
                Need::Admin => "a token of an admin with `Administration: read`".to_owned(),
                Need::Unknown => LEAST.to_owned(),
            };
            forbidden(&needs, put(&needs))
        }
        Refusal::Network(failure) => Unanswered {
            code: None,
            summary: "GitHub's API cannot be reached",
            needs: "GitHub's API through this network".to_owned(),
            fix: cure(failure),
            transient: failure.is_transient(),
        },
        Refusal::Status { .. } | Refusal::Broken(_) | Refusal::TooManyRequests => Unanswered {
            code: None,
            summary: "GitHub's API gives no usable answer",
            needs: "an answer of GitHub's API".to_owned(),
            fix: Fix::wait("try again"),
            transient: true,
        },
    }
}

fn cure(failure: &Failure) -> Fix {
    match failure {
        Failure::UnknownIssuer => Fix::report(
            "behind a proxy that opens TLS, set SSL_CERT_FILE to the file of its certificate authority",
        ),
        Failure::Tls(_) => {
            Fix::report("look at the clock, and at the certificate that this network shows")
        }
        Failure::Proxy(_) => Fix::report("look at HTTPS_PROXY and NO_PROXY"),
        Failure::Elsewhere(_) => {
            Fix::report("set PUSHREADY_GITHUB_API_URL to the API's own address")
        }
        Failure::Resolve(_) => Fix::report("look at the network's name server, or set HTTPS_PROXY"),
        Failure::Deadline | Failure::Connect(_) | Failure::TooLarge | Failure::Broken(_) => {
            Fix::wait("try again; if it stays so, look at the network, HTTPS_PROXY and NO_PROXY")
        }
    }
}
