//! The request of `claude.request`, and the messages of the client.

use crate::catalogue::Code;
use crate::client::Client;
use crate::doctor::request::RequestProblem::{Busy, Limit, Login};
use crate::doctor::request::{ClientRequest, PROMPT, REFUSED};

/// Texts of Claude Code 2.1.330, on its standard output.
pub const REQUEST: ClientRequest = ClientRequest {
    client: Client::Claude,
    vendor: "Anthropic",
    no_retry: Some(("CLAUDE_CODE_MAX_RETRIES", "1")),
    arguments: &[
        "--print",
        PROMPT,
        "--tools",
        "",
        "--strict-mcp-config",
        "--no-session-persistence",
    ],
    messages: &[
        (
            "not logged in",
            Login(Code::ClaudeTokenMissing, "Claude Code finds no login that it would send"),
        ),
        ("oauth token has expired", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth token revoked", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth session expired", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("invalid bearer token", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("usage limit", Limit("the usage limit of the account to be reset")),
        ("api error: 429", Limit("the rate limit of the account to be reset")),
        ("api error: 5", Busy),
        ("529 overloaded", Busy),
        ("overloaded_error", Busy),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Fix;
    use crate::doctor::outcome::CheckStatus;
    use crate::doctor::request::judge;

    #[test]
    fn messages_prove_the_login_or_a_busy_server() {
        for (output, status, code) in [
            (
                "Failed to authenticate. API Error: 401 OAuth token has expired. Please obtain a new token.",
                CheckStatus::Fail,
                Some(Code::ClaudeTokenExpired),
            ),
            (
                "Not logged in \u{b7} Please run /login",
                CheckStatus::Fail,
                Some(Code::ClaudeTokenMissing),
            ),
            ("API Error: 529 {\"type\":\"overloaded_error\"}", CheckStatus::Unknown, None),
            ("API Error: Repeated 529 Overloaded errors", CheckStatus::Unknown, None),
            ("API Error: 500 internal server error", CheckStatus::Unknown, None),
            ("API Error: 429", CheckStatus::Unknown, None),
            ("", CheckStatus::Unknown, None),
        ] {
            let judgement = judge(&REQUEST, output, Fix::report("renew"));
            assert_eq!((judgement.status, judgement.code), (status, code), "{output}");
            // a server that is too busy has not looked at it
            let knows = judgement.summary.contains("knows the login");
            assert_eq!(knows, output.contains("429"), "{output}");
            let is_transient = output.contains("API Error: 4")
                || output.contains("API Error: 5")
                || output.contains("529");
            assert_eq!(judgement.transient, is_transient && code.is_none(), "{output}");
        }
    }
}
