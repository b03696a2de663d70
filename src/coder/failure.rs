//! Why a request to a Coder server has no answer that can be used, and what to do about it.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Exit};
use crate::http::HttpError;
use crate::text::plain;

/// What the server says where a path is not served at all. Any other 404 means the thing.
const NOT_SERVED: &str = "Route not found.";

#[derive(Clone, Debug)]
pub struct CoderFailure {
    /// `GET /api/v2/users/me`.
    pub request: String,
    pub cause: FailureCause,
}

#[derive(Clone, Debug)]
pub enum FailureCause {
    Network(HttpError),
    /// The server said no, in its own words.
    Refused(Box<CoderRefusal>),
    /// A web page came instead of JSON.
    Page {
        status: u16,
        kind: PageKind,
    },
    /// A redirect, which is not followed: the token belongs to one origin.
    Redirect {
        to: String,
        to_login: bool,
    },
    /// Complete, and not what this request is answered with.
    Unreadable(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    Login,
    Dashboard,
    Other,
}

#[derive(Clone, Debug, Default)]
pub struct CoderRefusal {
    pub status: u16,
    pub message: String,
    pub detail: String,
    /// Field and what is wrong with it.
    pub fields: Vec<(String, String)>,
    pub retry_after: Option<Duration>,
    /// Of a spend limit: spent, limit (millionths of a dollar) and when it resets.
    pub limit: Option<(i64, i64, String)>,
}

/// Of the fields that a refusal names; what is printed of them has no place for more.
const MOST_FIELDS: usize = 8;

impl CoderRefusal {
    pub fn of(status: u16, body: &Value, retry_after: Option<Duration>) -> Self {
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let fields = body.get("validations").and_then(Value::as_array).into_iter().flatten();
        let fields = fields.take(MOST_FIELDS);
        let fields = fields.map(|field| (text(field, "field"), text(field, "detail"))).collect();
        let micros = |name: &str| body.get(name).and_then(Value::as_i64);
        let limit = micros("spent_micros")
            .zip(micros("limit_micros"))
            .map(|(spent, limit)| (spent, limit, text(body, "resets_at")));
        Self {
            status,
            message: text(body, "message"),
            detail: text(body, "detail"),
            fields,
            retry_after,
            limit,
        }
    }

    /// The server's words in one line, without a full stop at the end.
    pub fn words(&self) -> String {
        let mut words = if self.message.is_empty() {
            format!("status {}", self.status)
        } else {
            self.message.trim_end_matches('.').to_owned()
        };
        let detail = self.detail.trim_end_matches('.');
        if !detail.is_empty() && detail != words {
            words = format!("{words}: {detail}");
        }
        for (field, detail) in &self.fields {
            words = format!("{words}; {field}: {}", detail.trim_end_matches('.'));
        }
        shortened(&words)
    }

    /// A rate limit of the server; the other 429 is a chat's full queue.
    pub fn is_rate_limit(&self) -> bool {
        self.status == 429 && !self.message.starts_with("Message queue is full")
    }

    /// The feature is switched off in this deployment: no fault that passes.
    fn is_switched_off(&self) -> bool {
        let starts = |start: &str| self.message.starts_with(start);
        starts("AI Gateway must be enabled") || starts("Chat processor is unavailable")
    }
}

/// Words of a server in a message: one line, of bounded length.
pub fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let line = plain(text.trim());
    if line.chars().count() <= MOST {
        return line.into_owned();
    }
    line.chars().take(MOST).chain("…".chars()).collect()
}

impl CoderFailure {
    pub fn refused(&self) -> Option<&CoderRefusal> {
        match &self.cause {
            FailureCause::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    pub fn status(&self) -> Option<u16> {
        self.refused().map(|refusal| refusal.status)
    }

    /// The path is not served by this version: exactly these words, and no other 404.
    pub fn is_not_served(&self) -> bool {
        self.refused().is_some_and(|refusal| refusal.status == 404 && refusal.message == NOT_SERVED)
    }

    /// The thing does not exist, or is not the caller's.
    pub fn is_gone(&self) -> bool {
        matches!(self.status(), Some(404 | 410)) && !self.is_not_served()
    }

    /// Whether a message begins so.
    pub fn says(&self, start: &str) -> bool {
        self.refused().is_some_and(|refusal| refusal.message.starts_with(start))
    }

    /// The request surely did not take effect, and the same request may succeed later.
    pub fn is_harmless(&self) -> bool {
        match &self.cause {
            FailureCause::Network(error) => {
                matches!(error, HttpError::Connect(_) | HttpError::Resolve(_))
            }
            FailureCause::Refused(refusal) => refusal.is_rate_limit(),
            _ => false,
        }
    }

    /// Whether the request took effect is not known.
    pub fn is_uncertain(&self) -> bool {
        match &self.cause {
            FailureCause::Network(error) => {
                matches!(error, HttpError::Deadline | HttpError::Broken(_) | HttpError::TooLarge)
            }
            FailureCause::Refused(refusal) => {
                matches!(refusal.status, 500 | 502 | 503 | 504) && !refusal.is_switched_off()
            }
            FailureCause::Page { status, .. } => *status >= 500,
            FailureCause::Unreadable(_) => true,
            FailureCause::Redirect { .. } => false,
        }
    }

    /// A read may succeed when it is repeated.
    pub fn may_pass(&self) -> bool {
        self.is_harmless()
            || (self.is_uncertain() && !matches!(self.cause, FailureCause::Unreadable(_)))
    }

    /// The connection ended before an answer, or nothing came.
    pub fn ended_before_tls(&self) -> bool {
        matches!(&self.cause, FailureCause::Network(HttpError::Broken(_) | HttpError::Deadline))
    }

    /// How the command ends with it.
    pub fn exit(&self) -> Exit {
        match &self.cause {
            FailureCause::Page { kind: PageKind::Login, .. }
            | FailureCause::Redirect { to_login: true, .. } => Exit::NotPermitted,
            FailureCause::Network(_)
            | FailureCause::Unreadable(_)
            | FailureCause::Page { .. }
            | FailureCause::Redirect { .. } => Exit::CouldNotRun,
            FailureCause::Refused(refusal) => match refusal.status {
                _ if self.is_not_served() || refusal.is_switched_off() => Exit::NotServed,
                403 if refusal.is_deprecated() => Exit::NotReady,
                401 | 403 => Exit::NotPermitted,
                400 if refusal.is_of_the_state() => Exit::NotReady,
                400 | 404 | 410 | 413 | 422 => Exit::Usage,
                429 if !refusal.is_rate_limit() => Exit::NotReady,
                429 => Exit::CouldNotRun,
                status if status < 500 => Exit::NotReady,
                _ => Exit::CouldNotRun,
            },
        }
    }

    /// In one line.
    pub fn cause_text(&self) -> String {
        match &self.cause {
            FailureCause::Network(error) => error.to_string(),
            FailureCause::Refused(refusal) => refusal.words(),
            FailureCause::Page { status, kind } => {
                let page = match kind {
                    PageKind::Login => "a login page",
                    PageKind::Dashboard => "the page of Coder's dashboard",
                    PageKind::Other => "a web page",
                };
                format!("{page} came instead of JSON (status {status})")
            }
            FailureCause::Redirect { to, .. } => {
                format!("it redirects to `{}`, which was not followed", plain(to))
            }
            FailureCause::Unreadable(why) => format!("the answer could not be read: {why}"),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.cause {
            FailureCause::Network(HttpError::Tls(why)) if why.contains("corrupt message") => {
                "the server does not speak TLS on this port: if http:// is meant, set CODER_URL so (elsewhere than on loopback it needs --insecure-http)"
            }
            FailureCause::Network(HttpError::UnknownIssuer) => {
                "if a proxy inspects TLS here, name its authority in SSL_CERT_FILE"
            }
            FailureCause::Network(_) => {
                "check CODER_URL, the network and the proxy, and run it again"
            }
            FailureCause::Page { kind: PageKind::Login, .. }
            | FailureCause::Redirect { to_login: true, .. } => {
                "a proxy in front of Coder wants a login of its own: log in to it, or use a network from which Coder answers directly"
            }
            FailureCause::Page { kind: PageKind::Dashboard, .. } => {
                "CODER_URL should be the root of the Coder server, without a path"
            }
            FailureCause::Page { .. } => {
                "another server or a proxy answers at this URL: check CODER_URL"
            }
            FailureCause::Redirect { .. } => "set CODER_URL to the URL that the server itself uses",
            FailureCause::Unreadable(_) => "a proxy may have changed it; -vv logs the requests",
            FailureCause::Refused(refusal) => return refusal.hint(&self.request),
        };
        Some(hint.to_owned())
    }

    /// The same of what every Coder server has: where it is missing, something else answers.
    pub fn into_error_of_server(self, doing: impl Into<String>) -> Error {
        let is_other = self.is_gone();
        let error = self.into_error(doing);
        if is_other {
            return error
                .hint("another server or a proxy answers at this URL: check CODER_URL")
                .exit(Exit::CouldNotRun);
        }
        error
    }

    /// As an error that ends the command. `doing`: what was not done.
    pub fn into_error(self, doing: impl Into<String>) -> Error {
        let error = Error::new(doing)
            .because(format!("{} ({})", self.cause_text(), self.request))
            .exit(self.exit());
        match self.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl CoderRefusal {
    /// The template is: a rule, not a permission.
    fn is_deprecated(&self) -> bool {
        self.message.contains("has been deprecated")
    }

    /// A 400 that is not about the request, but about what the deployment or the thing is like.
    fn is_of_the_state(&self) -> bool {
        [
            "No chat model is available",
            "No default chat model config",
            "Cannot send messages to an archived chat",
            "Task must be active",
            "Task status must be active",
            "Chat is already archived",
            "Cannot interrupt",
        ]
        .iter()
        .any(|start| self.message.starts_with(start))
    }

    fn hint(&self, request: &str) -> Option<String> {
        let starts = |start: &str| self.message.starts_with(start);
        if let Some((spent, limit, resets)) = &self.limit {
            return Some(format!(
                "{} of {} are spent; the limit resets at {}",
                dollars(*spent),
                dollars(*limit),
                plain(resets)
            ));
        }
        let hint = match self.status {
            401 if starts("User is not active") => "ask an administrator to activate the account",
            401 => {
                "log in again: `coder login URL`, or set CODER_SESSION_TOKEN (`coder tokens create --lifetime 720h`; an administrator's own token lasts 7 days at most by default)"
            }
            // the list of chats shows no missing role, only their creation does
            403 if starts("Forbidden")
                && request.starts_with("POST")
                && request.ends_with("/chats") =>
            {
                "ask an administrator for the organization role agents-access"
            }
            403 if starts("You are not a member") => "name an organization of yours with --org",
            403 if starts("Only the chat owner") => "only the owner of a chat may send to it",
            403 if self.is_deprecated() => "name another one with --template",
            403 => "ask its owner or an administrator for the permission",
            404 if self.message == NOT_SERVED => "this version of Coder does not serve it",
            404 => "it does not exist, or is not yours: `pushready task list --all` lists what is",
            _ if self.is_switched_off() => {
                "an administrator has to enable it; reading works meanwhile"
            }
            400 if starts("No chat model") || starts("No default chat model") => {
                "ask an organization administrator to set up a model"
            }
            400 if starts("Cannot send messages to an archived chat") => {
                "start a new one: `pushready task create`"
            }
            400 if starts("Template does not have a valid") => {
                "the template needs a coder_ai_task whose count is above 0 at import: `count = data.coder_workspace.me.start_count`"
            }
            409 if starts("Chat is not in a state") => {
                "its turn may be ending: `pushready task status` shows its state; send the message again when it is idle"
            }
            409 if starts("Chat is in an invalid state") => {
                "it takes no more messages: start a new one with `pushready task create`"
            }
            409 if starts("A workspace build is already active") => {
                "run it again when the build has ended"
            }
            413 => "the prompt is too long",
            400 if self.detail.contains("request body too large") => {
                "the prompt is too long: a server takes 256 KiB"
            }
            429 if !self.is_rate_limit() => "wait until the agent has taken some of the messages",
            429 => "the server limits the rate of requests: run it again in a minute",
            500..=599 => "the server or a proxy in front of it failed: run it again later",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Coder counts millionths of a dollar.
fn dollars(micros: i64) -> String {
    format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(status: u16, body: &Value) -> CoderFailure {
        let cause = FailureCause::Refused(Box::new(CoderRefusal::of(status, body, None)));
        CoderFailure { request: "GET /x".to_owned(), cause }
    }

    #[test]
    fn each_refusal_ends_with_its_exit_status() {
        for (status, message, exit) in [
            (404, "Route not found.", Exit::NotServed),
            (404, "Resource not found or you do not have access to this resource", Exit::Usage),
            (401, "You are signed out or your session has expired.", Exit::NotPermitted),
            (403, "Forbidden.", Exit::NotPermitted),
            (403, "Only the chat owner may send messages.", Exit::NotPermitted),
            (400, "Invalid labels.", Exit::Usage),
            (400, "No chat model is available in this organization.", Exit::NotReady),
            (400, "No default chat model config is configured.", Exit::NotReady),
            (400, "Cannot send messages to an archived chat.", Exit::NotReady),
            (409, "Chat usage limit exceeded.", Exit::NotReady),
            (429, "Message queue is full.", Exit::NotReady),
            (429, "You've been rate limited", Exit::CouldNotRun),
            (500, "Chat processor is unavailable.", Exit::NotServed),
            (503, "AI Gateway must be enabled for Coder Agents", Exit::NotServed),
            (503, "Service unavailable", Exit::CouldNotRun),
            (502, "Failed to reach task app endpoint.", Exit::CouldNotRun),
        ] {
            assert_eq!(refused(status, &json!({"message": message})).exit(), exit, "{message}");
        }
    }

    #[test]
    fn a_create_is_repeated_only_where_it_had_no_effect() {
        let of =
            |error| CoderFailure { request: String::new(), cause: FailureCause::Network(error) };
        for (failure, harmless, uncertain) in [
            (of(HttpError::Connect("refused".to_owned())), true, false),
            (of(HttpError::Deadline), false, true),
            (of(HttpError::Broken("cut".to_owned())), false, true),
            (of(HttpError::Tls("x".to_owned())), false, false),
            (refused(429, &json!({"message": "You've been rate limited"})), true, false),
            (refused(429, &json!({"message": "Message queue is full."})), false, false),
            (refused(502, &json!({})), false, true),
            (refused(409, &json!({})), false, false),
        ] {
            assert_eq!((failure.is_harmless(), failure.is_uncertain()), (harmless, uncertain));
        }
    }

    #[test]
    fn the_words_of_the_server_are_one_escaped_line() {
        let body = json!({"message": "Unable to \u{1b}[31m validate.", "detail": "no\nway.",
            "validations": [{"field": "repo", "detail": "Required parameter not provided"}]});
        let words = CoderRefusal::of(400, &body, None).words();
        assert_eq!(
            words,
            "Unable to \\u{1b}[31m validate: no\\nway; repo: Required parameter not provided"
        );
        let many = vec![json!({"field": "a", "detail": "b"}); 100_000];
        let refusal = CoderRefusal::of(400, &json!({"validations": many}), None);
        assert_eq!(refusal.fields.len(), MOST_FIELDS);
        let limit = json!({"message": "Chat usage limit exceeded.", "spent_micros": 5_250_000,
            "limit_micros": 5_000_000, "resets_at": "2026-12-01T00:00:00Z"});
        let hint = CoderRefusal::of(409, &limit, None).hint("POST /x").unwrap();
        assert_eq!(hint, "$5.25 of $5.00 are spent; the limit resets at 2026-12-01T00:00:00Z");
    }
}
