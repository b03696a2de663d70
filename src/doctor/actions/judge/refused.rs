//! GitHub did not answer, or refused: what an answer needs. Never a failure, since it proves
//! nothing.

use super::verdict::{RunVerdict, Unknown};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::actions::facts::ActionsFacts;
use crate::doctor::outcome::Evidence;
use crate::github::{GithubRefusal, Need, trust};
use crate::http::HttpError;
use crate::variables::GITHUB_TOKEN;

/// The tokens that give access to everything that is requested here. A fine-grained one cannot read
/// the annotations in which GitHub names billing and policies.
const LEAST: &str = "the token of `gh auth token`, a classic token with `repo`, or an App's with Actions, Administration and Checks: read (a fine-grained token cannot read annotations)";

pub(super) fn refused(facts: &ActionsFacts, refusal: &GithubRefusal) -> RunVerdict {
    let message = match refusal {
        GithubRefusal::Forbidden { message, .. } | GithubRefusal::Status { message, .. }
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
    let verdict = match suspended(refusal) {
        Some(verdict) => verdict,
        None => RunVerdict::unknown(explain(facts, refusal)),
    };
    let incident = facts.incident().map(|page| {
        Evidence::foreign("status page, Actions", &page.status).expected("operational")
    });
    verdict.with(incident).with([answer]).with(message).with(deploy_key)
}

/// GitHub's own words for an account or a repository that it has closed: no other token helps.
fn suspended(refusal: &GithubRefusal) -> Option<RunVerdict> {
    let (GithubRefusal::Forbidden { message, .. } | GithubRefusal::Status { message, .. }) =
        refusal
    else {
        return None;
    };
    let message = message.to_lowercase();
    let summary = match () {
        () if message.contains("account was suspended") => "GitHub has suspended the account",
        () if message.contains("repository access blocked") => {
            "GitHub has blocked access to the repository"
        }
        () => return None,
    };
    let fix = Fix::visit("https://support.github.com", "appeal to GitHub's support");
    Some(RunVerdict::fail(Code::ActionsAccountFlagged, summary, fix))
}

fn explain(facts: &ActionsFacts, refusal: &GithubRefusal) -> Unknown {
    let anonymous = facts.asked.token.is_none();
    let coded = |code, summary: &str, needs: &str, fix| {
        let transient = code == Code::ActionsRateLimited;
        let summary = summary.to_owned();
        Unknown { code: Some(code), summary, needs: needs.to_owned(), fix, transient }
    };
    let uncoded = |summary: &str, needs: &str, fix, transient| Unknown {
        code: None,
        summary: summary.to_owned(),
        needs: needs.to_owned(),
        fix,
        transient,
    };
    let put = |what: &str| Fix::report(format!("set {GITHUB_TOKEN} to {what}"));
    let no_token = Code::ActionsNoToken;
    let forbidden = |needs: &str, fix| {
        coded(Code::ActionsForbidden, "this token has no access to the runs", needs, fix)
    };
    match refusal {
        GithubRefusal::RateLimited { until } => {
            let needs = until.map_or_else(
                || "the limit to be reset".to_owned(),
                |until| format!("the limit to be reset at {until}"),
            );
            let fix = if anonymous && facts.asked.trusted {
                Fix::report(format!(
                    "set {GITHUB_TOKEN} to {LEAST}: without a token, all users behind this address share 60 requests an hour"
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
        GithubRefusal::NotFound | GithubRefusal::BadCredentials if !facts.asked.trusted => {
            let summary =
                "the server shows the runs only with a token, and it is not trusted with one";
            let fix = Fix::report(trust(facts.place.host()));
            coded(no_token, summary, "a server that is trusted with a token", fix)
        }
        GithubRefusal::NotFound | GithubRefusal::BadCredentials if anonymous => {
            let summary =
                "GitHub shows the runs only with a token, and no source has one that it accepts";
            coded(no_token, summary, "a token with read access to Actions", put(LEAST))
        }
        GithubRefusal::NotFound => {
            let message = format!(
                "give the token access to this repository, or set {GITHUB_TOKEN} to {LEAST}"
            );
            forbidden("a token with access to this repository", Fix::report(message))
        }
        GithubRefusal::BadCredentials => coded(
            no_token,
            "GitHub does not accept the token",
            "a token that GitHub accepts",
            put(LEAST),
        ),
        GithubRefusal::SingleSignOn { url } => {
            let message = "authorize the token for the organization's single sign-on (token settings, Configure SSO)";
            let own = format!("https://{}/", facts.place.host());
            let url = url.as_ref().filter(|url| url.starts_with(&own));
            let fix =
                url.map_or_else(|| Fix::report(message), |url| Fix::visit(url.clone(), message));
            forbidden("a token that is authorized for the organization's single sign-on", fix)
        }
        GithubRefusal::AddressNotAllowed => {
            let message = "ask an owner of the organization to add this address to its allow list";
            forbidden("an address that the organization allows", Fix::report(message))
        }
        GithubRefusal::Forbidden { message, .. } if message.contains("token (classic)") => {
            let needs = "a fine-grained token with Actions: read, or an App's: the organization forbids classic tokens";
            forbidden(needs, put(needs))
        }
        GithubRefusal::Forbidden { message, .. } if message.contains("token's lifetime") => {
            let message = "shorten the token's lifetime to what the organization allows, or use a token that expires sooner";
            forbidden("a token with a lifetime that the organization allows", Fix::report(message))
        }
        GithubRefusal::Forbidden { need, .. } => {
            let fine_grained =
                facts.asked.token.as_ref().is_some_and(|token| token.starts_with("fine-grained"));
            if let (Need::Permission(permission), true) = (need, fine_grained) {
                let needs = format!("a token with `{permission}`");
                let message = format!(
                    "add `{permission}` to the permissions of the fine-grained token, or set {GITHUB_TOKEN} to {LEAST}"
                );
                return forbidden(&needs, Fix::report(message));
            }
            let needs = match need {
                Need::Permission(permission) => format!("a token with `{permission}`"),
                Need::Scope { needs, .. } => format!("a token with one of the scopes `{needs}`"),
                Need::Admin => "a token of an admin with `Administration: read`".to_owned(),
                Need::Unknown => LEAST.to_owned(),
            };
            forbidden(&needs, put(&needs))
        }
        GithubRefusal::Network(error) => uncoded(
            "GitHub's API cannot be reached",
            "GitHub's API through this network",
            network_fix(error),
            error.is_transient(),
        ),
        GithubRefusal::Status { .. }
        | GithubRefusal::Broken(_)
        | GithubRefusal::TooManyRequests => uncoded(
            "GitHub's API gives no usable answer",
            "an answer of GitHub's API",
            Fix::wait("try again"),
            true,
        ),
    }
}

fn network_fix(error: &HttpError) -> Fix {
    match error {
        HttpError::UnknownIssuer => Fix::report(
            "behind a proxy that inspects TLS, set SSL_CERT_FILE to the file of its certificate authority",
        ),
        HttpError::Tls(_) => {
            Fix::report("check the clock, and the certificate that this network presents")
        }
        HttpError::Proxy(_) => Fix::report("check HTTPS_PROXY and NO_PROXY"),
        HttpError::Elsewhere(_) => {
            Fix::report("set PUSHREADY_GITHUB_API_URL to the address of the API")
        }
        HttpError::Resolve(_) => Fix::report("check the network's name server, or set HTTPS_PROXY"),
        HttpError::Deadline
        | HttpError::Connect(_)
        | HttpError::TooLarge
        | HttpError::Broken(_) => {
            Fix::wait("try again; if it still fails, check the network, HTTPS_PROXY and NO_PROXY")
        }
    }
}
