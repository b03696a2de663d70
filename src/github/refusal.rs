//! Why GitHub did not answer. Its status 403 has five meanings, which the checks distinguish.

use std::fmt;

use jiff::Timestamp;

use super::{reduce, text};
use crate::http::{HttpError, Response};

/// A message is a sentence or two.
const MOST_OF_A_REFUSAL: usize = 16 * 1024;

/// What would make GitHub answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// `X-Accepted-GitHub-Permissions`, as the server wrote it: `;` separates alternatives.
    Permission(String),
    /// Scopes of a classic or OAuth token: what is needed, what is there.
    Scope {
        needs: String,
        has: String,
    },
    /// The user is not an admin of the repository or organization.
    Admin,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GithubRefusal {
    /// 401: no token is accepted.
    BadCredentials,
    RateLimited {
        until: Option<Timestamp>,
    },
    SingleSignOn {
        url: Option<String>,
    },
    AddressNotAllowed,
    Forbidden {
        need: Need,
        message: String,
    },
    /// Also what a private repository looks like to those who may not see it.
    NotFound,
    /// Any other status.
    Status {
        status: u16,
        message: String,
    },
    /// Our own limit.
    TooManyRequests,
    Network(HttpError),
    Broken(&'static str),
}

impl GithubRefusal {
    pub(super) fn broken(why: &'static str) -> Self {
        Self::Broken(why)
    }

    /// Rate limits come first: they too are 403. `remaining: 0` alone proves nothing, for it also
    /// rides on plain refusals, so the message decides where there is one.
    pub(super) fn of(response: &Response) -> Self {
        let body = reduce(&response.body, MOST_OF_A_REFUSAL).map(|body| body.value);
        let message = body.and_then(|body| text(&body, "message")).unwrap_or_default();
        let lower = message.to_lowercase();
        match response.status {
            401 => Self::BadCredentials,
            404 => Self::NotFound,
            403 | 429 if is_rate_limit(response, &lower) => {
                Self::RateLimited { until: limit_ends(response) }
            }
            403 => match response.header("x-github-sso") {
                Some(sso) => Self::SingleSignOn { url: sso_url(sso) },
                None if lower.contains("saml") => Self::SingleSignOn { url: None },
                None if lower.contains("ip allow list")
                    || lower.contains("ip address is not permitted") =>
                {
                    Self::AddressNotAllowed
                }
                None => Self::Forbidden { need: need(response, &lower), message },
            },
            status => Self::Status { status, message },
        }
    }
}

fn is_rate_limit(response: &Response, message: &str) -> bool {
    let spent = response.header("x-ratelimit-remaining") == Some("0");
    let other = ["resource not accessible", "must have admin rights", "saml", "not permitted"];
    response.status == 429
        || message.contains("rate limit")
        || response.header("retry-after").is_some()
        || (spent && !other.iter().any(|words| message.contains(words)))
}

/// `retry-after` counts seconds (secondary limits), `x-ratelimit-reset` is an instant (primary).
fn limit_ends(response: &Response) -> Option<Timestamp> {
    let number = |name: &str| response.header(name)?.trim().parse::<i64>().ok();
    let date = response.header("date").and_then(super::parse_date);
    match number("retry-after") {
        Some(seconds) => Some(date?.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()?),
        None => Timestamp::from_second(number("x-ratelimit-reset")?).ok(),
    }
}

/// `required; url=https://github.com/orgs/o/sso?authorization_request=…`: the query is a one-time code, and left out.
fn sso_url(header: &str) -> Option<String> {
    let url = header.split(';').find_map(|part| part.trim().strip_prefix("url="))?;
    let url = url.split('?').next()?;
    crate::http::Url::parse(url).map(|url| url.to_string())
}

fn need(response: &Response, message: &str) -> Need {
    // names of permissions and scopes alone: they become part of messages
    let named = |name| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_:=;, -".contains(&byte);
        let text = response.header(name).unwrap_or_default();
        if text.len() <= 200 && text.bytes().all(plain) { text.to_owned() } else { String::new() }
    };
    let permissions = named("x-accepted-github-permissions");
    if !permissions.is_empty() {
        return Need::Permission(permissions);
    }
    let (needs, has) = (named("x-accepted-oauth-scopes"), named("x-oauth-scopes"));
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(|scope| scope.trim().to_owned()).collect()
    };
    let lacks = !needs.is_empty() && !list(&needs).iter().any(|need| list(&has).contains(need));
    match () {
        () if lacks => Need::Scope { needs, has },
        () if message.contains("must have admin rights") => Need::Admin,
        () => Need::Unknown,
    }
}

impl fmt::Display for GithubRefusal {
    /// What was answered, in one line. Texts of the server are not in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCredentials => f.write_str("401: the token is not accepted"),
            Self::RateLimited { until: Some(until) } => {
                write!(f, "the rate limit is used up until {}", until.strftime("%H:%M:%SZ"))
            }
            Self::RateLimited { until: None } => f.write_str("the rate limit is used up"),
            Self::SingleSignOn { .. } => {
                f.write_str("403: the organization requires single sign-on for this token")
            }
            Self::AddressNotAllowed => {
                f.write_str("403: the organization's allow list excludes this address")
            }
            Self::Forbidden { need: Need::Permission(permission), .. } => {
                write!(f, "403: the token lacks `{permission}`")
            }
            Self::Forbidden { need: Need::Scope { needs, has }, .. } => {
                write!(f, "403: the token has the scopes `{has}`, one of `{needs}` is needed")
            }
            Self::Forbidden { need: Need::Admin, .. } => {
                f.write_str("403: only an admin has access")
            }
            Self::Forbidden { need: Need::Unknown, .. } => f.write_str("403: not allowed"),
            Self::NotFound => {
                f.write_str("404: it does not exist, or this token has no access to it")
            }
            Self::Status { status, .. } => write!(f, "status {status}"),
            Self::TooManyRequests => f.write_str("not requested: too many requests in one run"),
            Self::Network(failure) => write!(f, "{failure}"),
            Self::Broken(why) => write!(f, "the answer is broken: {why}"),
        }
    }
}
