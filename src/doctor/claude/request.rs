//! The request of `claude.request`, and the messages of the client.

use crate::catalogue::{Actor, Code};
use crate::client::Client;
use crate::doctor::request::RequestProblem;
use crate::doctor::request::RequestProblem::{Account, Busy, Configuration, Limit, Login, Network};
use crate::doctor::request::{ClientRequest, PROMPT, REFUSED};

const ORGANIZATION: RequestProblem = Account(
    Code::ClaudeAccountRefused,
    Actor::OrgAdmin,
    "the organization of the token does not allow Claude Code with a subscription",
    "have an admin of the organization allow it, or use another account",
);
const SUSPENDED: RequestProblem = Account(
    Code::ClaudeAccountRefused,
    Actor::WorkspaceUser,
    "the Anthropic account is disabled or suspended",
    "see the mail of Anthropic to the owner of the account, or use another account",
);
const REGION: RequestProblem = Account(
    Code::ClaudeAccountRefused,
    Actor::TemplateAdmin,
    "Anthropic does not serve the region from which the workspace connects",
    "run the workspace in a supported region, or let it connect from one",
);
const MISSING_SCOPE: RequestProblem = Account(
    Code::ClaudeAccountRefused,
    Actor::WorkspaceUser,
    "the token lacks a scope that the request needs",
    "make a new token with `claude setup-token`, or log in with `claude auth login`",
);
const FORBIDDEN: RequestProblem = Account(
    Code::ClaudeAuthConflict,
    Actor::TemplateAdmin,
    "an administrator's settings forbid this kind of login",
    "allow it in the managed settings, or give the workspace a login that they allow",
);

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
        ("disabled claude subscription access", ORGANIZATION),
        ("organization has been disabled", ORGANIZATION),
        ("not allowed for this organization", ORGANIZATION),
        ("no longer a member of the organization", ORGANIZATION),
        ("account has been disabled", SUSPENDED),
        ("account has been suspended", SUSPENDED),
        ("account is suspended", SUSPENDED),
        ("account_suspended", SUSPENDED),
        ("country, region, or territory", REGION),
        ("not available in your country", REGION),
        ("not available in your region", REGION),
        ("unsupported_country", REGION),
        ("403 request not allowed", REGION),
        ("\"message\":\"request not allowed\"", REGION),
        ("does not meet scope requirement", MISSING_SCOPE),
        ("missing scope", MISSING_SCOPE),
        (
            "unable to verify organization",
            Account(
                Code::ClaudeAuthConflict,
                Actor::TemplateAdmin,
                "an administrator's settings demand an organization, of which the token could not be shown to be",
                "name the organization of the token in `forceLoginOrgUUID`, or give a token of that organization",
            ),
        ),
        ("no organizations are permitted", FORBIDDEN),
        ("not signed in to the cloud gateway", FORBIDDEN),
        (
            "older than the minimum version",
            Account(
                Code::ClaudeAccountRefused,
                Actor::TemplateAdmin,
                "an administrator demands a newer Claude Code than the one that is installed",
                "install a newer Claude Code in the image",
            ),
        ),
        (
            "managed settings document could not be parsed",
            Configuration(
                Code::ClaudeConfigMalformed,
                "Claude Code does not start with an administrator's settings",
                "correct the file that Claude Code names",
            ),
        ),
        ("oauth access token is invalid", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth token is invalid", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth token has been revoked", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth token has expired", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth token revoked", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth session expired", Login(Code::ClaudeTokenExpired, REFUSED)),
        ("invalid bearer token", Login(Code::ClaudeTokenExpired, REFUSED)),
        (
            "credit balance is too low",
            Account(
                Code::ClaudeAccountRefused,
                Actor::WorkspaceUser,
                "the account of the API key has no credit left",
                "buy credit for that account, or use a login with a subscription",
            ),
        ),
        (
            "issue with the selected model",
            Account(
                Code::ClaudeAccountRefused,
                Actor::WorkspaceUser,
                "the server has no such model for this login",
                "remove `model` from settings.json and ANTHROPIC_MODEL: Claude Code then uses its default model",
            ),
        ),
        ("usage limit", Limit("the usage limit of the account to be reset")),
        ("api error: 429", Limit("the rate limit of the account to be reset")),
        ("api error: 5", Busy),
        // 2.1.330, then 2.1.197
        ("must be a complete url including the scheme", Network(Code::ClaudeProxyRefused, PROXY)),
        ("check the proxy set in", Network(Code::ClaudeProxyRefused, PROXY)),
        ("(err_proxy_tunnel)", Network(Code::ClaudeProxyRefused, PROXY)),
        ("unsupportedproxyprotocol", Network(Code::ClaudeProxyRefused, PROXY)),
        ("ssl certificate verification failed", Network(Code::ClaudeTlsUntrusted, UNTRUSTED)),
        ("self-signed certificate detected", Network(Code::ClaudeTlsUntrusted, UNTRUSTED)),
        ("ssl certificate has expired", Network(Code::ClaudeTlsInvalid, INVALID)),
        ("ssl certificate is not yet valid", Network(Code::ClaudeTlsInvalid, INVALID)),
        ("ssl certificate hostname mismatch", Network(Code::ClaudeTlsInvalid, INVALID)),
        ("just a moment...", Network(Code::ClaudeBlocked, BLOCKED)),
        ("empty or malformed response (http 200)", Network(Code::ClaudeBlocked, BLOCKED)),
        ("(connectionrefused)", Network(Code::ClaudeUnreachable, UNREACHABLE)),
        ("(econnrefused)", Network(Code::ClaudeUnreachable, UNREACHABLE)),
        ("(econnreset)", Network(Code::ClaudeUnreachable, UNREACHABLE)),
        ("(failedtoopensocket)", Network(Code::ClaudeUnreachable, UNREACHABLE)),
        ("check your internet or dns", Network(Code::ClaudeUnreachable, UNREACHABLE)),
        ("(eproto)", Network(Code::ClaudeTlsInvalid, INVALID)),
        ("529 overloaded", Busy),
        ("overloaded_error", Busy),
    ],
};

const PROXY: &str = "Claude Code cannot use the proxy that is configured";
const UNTRUSTED: &str = "Claude Code does not have the authority of the server's certificate";
const INVALID: &str = "Claude Code refuses the server's certificate";
const BLOCKED: &str = "something else answers instead of Anthropic";
const UNREACHABLE: &str = "Claude Code does not reach Anthropic";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Fix;
    use crate::doctor::outcome::CheckStatus;
    use crate::doctor::request::judge;

    #[test]
    fn messages_of_the_network_are_causes() {
        for (output, code) in [
            (
                "API Error: Connection refused \u{2014} a firewall or proxy may be blocking it (ECONNREFUSED)",
                Code::ClaudeUnreachable,
            ),
            (
                "API Error: Connection dropped (ECONNRESET). Check the proxy set in HTTPS_PROXY, then try again.",
                Code::ClaudeProxyRefused,
            ),
            (
                "Proxy settings must be a complete URL including the scheme, e.g. \"http://proxy.example.com:8080\".",
                Code::ClaudeProxyRefused,
            ),
            (
                "API Error: Unable to connect to API: SSL certificate verification failed (UNABLE_TO_VERIFY_LEAF_SIGNATURE).",
                Code::ClaudeTlsUntrusted,
            ),
            (
                "API Error: Unable to connect to API: SSL certificate hostname mismatch",
                Code::ClaudeTlsInvalid,
            ),
            (
                "API Error: Couldn't connect through your proxy (ERR_PROXY_TUNNEL) \u{2014} the proxy refused the tunnel: check its credentials and that it allows this host",
                Code::ClaudeProxyRefused,
            ),
            (
                "API Error: Can't reach the API server \u{2014} check your internet or DNS (EAI_AGAIN)",
                Code::ClaudeUnreachable,
            ),
            ("API Error: Unable to connect to API (EPROTO)", Code::ClaudeTlsInvalid),
            // the region: an answer about the account, which no other way through the network changes
            (
                "Failed to authenticate. API Error: 403 Request not allowed",
                Code::ClaudeAccountRefused,
            ),
        ] {
            let judgement = judge(&REQUEST, output, Fix::report("renew"));
            assert_eq!(judgement.code, Some(code), "{output}");
            assert_eq!(judgement.transient, code == Code::ClaudeUnreachable, "{output}");
        }
    }

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
            ("Credit balance is too low", CheckStatus::Fail, Some(Code::ClaudeAccountRefused)),
            (
                "There's an issue with the selected model (x). It may not exist or you may not have access to it. Run --model to pick a different model.",
                CheckStatus::Fail,
                Some(Code::ClaudeAccountRefused),
            ),
            ("", CheckStatus::Unknown, None),
            (
                "Failed to authenticate. API Error: 401 OAuth access token is invalid.",
                CheckStatus::Fail,
                Some(Code::ClaudeTokenExpired),
            ),
            (
                "Your organization has disabled Claude subscription access for Claude Code \u{b7} Use an Anthropic API key instead",
                CheckStatus::Fail,
                Some(Code::ClaudeAccountRefused),
            ),
            (
                "Unable to verify organization for the current authentication token.",
                CheckStatus::Fail,
                Some(Code::ClaudeAuthConflict),
            ),
            (
                "Claude Code 2.1.330 is older than the minimum version required by your organization (99.0.0).",
                CheckStatus::Fail,
                Some(Code::ClaudeAccountRefused),
            ),
            (
                "API Error: 403 OAuth token does not meet scope requirement user:inference",
                CheckStatus::Fail,
                Some(Code::ClaudeAccountRefused),
            ),
            (
                "API Error: 403 Country, region, or territory not supported",
                CheckStatus::Fail,
                Some(Code::ClaudeAccountRefused),
            ),
            (
                "API Error: Not signed in to the Cloud gateway \u{2014} run /login.",
                CheckStatus::Fail,
                Some(Code::ClaudeAuthConflict),
            ),
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
