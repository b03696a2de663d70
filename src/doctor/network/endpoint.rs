//! What is asked of which host: the question that a client's login and settings lead to. Pure.

use crate::http::Url;
use crate::http::probe::ProbeTarget;
use jiff::Timestamp;

/// One host, and what it answers to a question without login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub target: ProbeTarget,
    /// The statuses of the provider; `None`: a server of one's own, which may answer anything.
    pub answers: Option<&'static [u16]>,
    /// The setting that names the host, where it is not the vendor's.
    pub set_by: Option<String>,
}

/// A host that only renews the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    pub endpoint: Endpoint,
    /// When the login needs it; `None`: now.
    pub needed: Option<Timestamp>,
}

/// All that a client needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    pub model: Endpoint,
    pub renewal: Option<Renewal>,
    /// Where the client asks for a WebSocket.
    pub websocket: Option<ProbeTarget>,
}

fn target(host: &str, path: &str) -> ProbeTarget {
    ProbeTarget { tls: true, host: host.to_owned(), port: 443, path: path.to_owned() }
}

/// A host of the vendor's, and the statuses that it alone answers with.
pub fn official(host: &str, path: &str, answers: &'static [u16]) -> Endpoint {
    Endpoint { target: target(host, path), answers: Some(answers), set_by: None }
}

/// A server of one's own, asked at the path to which the client sends. `None`: the URL is none, or
/// has something behind its path, to which the client would add that.
pub fn own(base: &str, path: &str, set_by: impl Into<String>) -> Option<Endpoint> {
    let url = Url::parse(base).filter(|_| !base.contains(['?', '#']))?.below(path)?;
    let origin = url.origin();
    let target = ProbeTarget {
        tls: origin.is_https(),
        host: origin.host().to_owned(),
        port: origin.port(),
        path: url.path().to_owned(),
    };
    Some(Endpoint { target, answers: None, set_by: Some(set_by.into()) })
}

/// Below a base URL, where each client sends.
pub const OF_CODEX: &str = "/responses";
pub const OF_CLAUDE: &str = "/v1/messages";

/// How Codex logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodexLogin {
    ChatGpt { renews: bool, expires: Option<Timestamp> },
    ApiKey,
}

/// It renews an access token that ends within five minutes.
const RENEWS_BEFORE: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// What Codex needs with OpenAI's own hosts; `base`: another one for the model, with the setting
/// that names it.
pub fn codex(login: CodexLogin, base: Option<Endpoint>, now: Timestamp) -> Endpoints {
    let (model, websocket) = match login {
        CodexLogin::ChatGpt { .. } => {
            let path = "/backend-api/codex/responses";
            (official("chatgpt.com", path, &[405, 401]), target("chatgpt.com", path))
        }
        CodexLogin::ApiKey => (
            official("api.openai.com", "/v1/models", &[401]),
            target("api.openai.com", "/v1/responses"),
        ),
    };
    let renewal = match login {
        CodexLogin::ChatGpt { renews: true, expires } => Some(Renewal {
            endpoint: official("auth.openai.com", "/oauth/token", &[405, 404, 401, 400]),
            needed: renewal_at(expires, now),
        }),
        _ => None,
    };
    let websocket = Some(websocket).filter(|_| base.is_none());
    Endpoints { model: base.unwrap_or(model), renewal, websocket }
}

/// What Claude Code needs. `renews`: the login is one of a browser; `expires`: when it needs that.
pub fn claude(
    base: Option<Endpoint>,
    renews: bool,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Endpoints {
    let renewal = renews.then(|| Renewal {
        endpoint: official("platform.claude.com", "/v1/oauth/hello", &[200]),
        needed: renewal_at(expires, now),
    });
    let model = official("api.anthropic.com", "/v1/messages", &[405, 401]);
    Endpoints { model: base.unwrap_or(model), renewal, websocket: None }
}

/// When a login must be renewed; `None`: now.
fn renewal_at(expires: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    expires?.checked_sub(RENEWS_BEFORE).ok().filter(|at| *at > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(endpoints: &Endpoints) -> Vec<&str> {
        let renewal = endpoints.renewal.as_ref().map(|renewal| &*renewal.endpoint.target.host);
        [Some(&*endpoints.model.target.host), renewal].into_iter().flatten().collect()
    }

    #[test]
    fn each_login_needs_its_own_hosts_and_no_other() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let at = |minutes| Some(now + jiff::SignedDuration::from_mins(minutes));
        let chatgpt = |renews, expires| CodexLogin::ChatGpt { renews, expires };
        for (login, expected, is_needed_now) in [
            (chatgpt(true, at(600)), &["chatgpt.com", "auth.openai.com"][..], false),
            (chatgpt(true, at(4)), &["chatgpt.com", "auth.openai.com"], true),
            (chatgpt(true, Some(Timestamp::MIN)), &["chatgpt.com", "auth.openai.com"], true),
            (chatgpt(true, None), &["chatgpt.com", "auth.openai.com"], true),
            (chatgpt(false, at(600)), &["chatgpt.com"], false),
            (CodexLogin::ApiKey, &["api.openai.com"], false),
        ] {
            let found = codex(login, None, now);
            assert_eq!(hosts(&found), expected);
            assert!(found.websocket.is_some());
            let renewal = found.renewal.as_ref();
            assert_eq!(renewal.is_some_and(|it| it.needed.is_none()), is_needed_now, "{login:?}");
            let moved = codex(login, own("http://127.0.0.1:8080/v1/", OF_CODEX, "x"), now);
            assert_eq!(moved.model.target.host, "127.0.0.1");
            assert_eq!((moved.model.target.port, moved.model.target.tls), (8080, false));
            assert_eq!((&*moved.model.target.path, moved.websocket), ("/v1/responses", None));
        }
        assert_eq!(hosts(&claude(None, false, None, now)), ["api.anthropic.com"]);
        let browser = claude(None, true, at(60), now);
        assert_eq!(hosts(&browser), ["api.anthropic.com", "platform.claude.com"]);
        let own = |base| own(base, OF_CLAUDE, "x");
        assert_eq!(own("not a url"), None);
        assert_eq!(own("https://user:password@gateway.example"), None);
        assert_eq!(own("https://gateway.example").unwrap().target.path, "/v1/messages");
    }
}
