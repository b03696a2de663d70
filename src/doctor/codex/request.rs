//! The request of `codex.request`, and the messages of the client.

use crate::catalogue::{Actor, Code};
use crate::client::Client;
use crate::doctor::request::RequestProblem;
use crate::doctor::request::RequestProblem::{
    Account, Busy, Configuration, Hidden, Limit, Login, Network,
};
use crate::doctor::request::{ClientRequest, PROMPT, REFUSED};

const MISSING_SCOPE: RequestProblem = Account(
    Code::CodexAccountRefused,
    Actor::WorkspaceUser,
    "the login or key lacks a scope that Codex needs",
    "log in again with `codex login`, or give the key the scope that OpenAI names",
);
const SUSPENDED: RequestProblem = Account(
    Code::CodexAccountRefused,
    Actor::WorkspaceUser,
    "the OpenAI account is deactivated or suspended",
    "see the mail of OpenAI to the owner of the account, or use another account",
);

/// Texts of codex-cli 0.169 (codex-rs/login/src/auth/manager.rs) and of OpenAI's servers, as
/// openai/codex issues quote them.
pub const REQUEST: ClientRequest = ClientRequest {
    client: Client::Codex,
    vendor: "OpenAI",
    // it has no such setting for the built-in provider
    no_retry: None,
    arguments: &[
        "exec",
        "--skip-git-repo-check",
        "--ephemeral",
        "--sandbox",
        "read-only",
        "--color",
        "never",
        "-c",
        "mcp_servers={}",
        PROMPT,
    ],
    messages: &[
        (
            "model is not supported when using codex with a chatgpt account",
            Configuration(
                Code::CodexModelUnsupported,
                "the server does not offer the configured model to this login",
                "remove `model` from config.toml: the client then uses its default model",
            ),
        ),
        (
            "error loading config.toml",
            Configuration(
                Code::CodexConfigMalformed,
                "Codex does not start with its configuration",
                "correct what `codex` reports about its configuration",
            ),
        ),
        (
            "error loading rules",
            Configuration(
                Code::CodexConfigMalformed,
                "Codex does not start with its rules (`rules/*.rules`)",
                "correct what `codex` reports about its rules",
            ),
        ),
        (
            "deactivated_workspace",
            Account(
                Code::CodexAccountRefused,
                Actor::OrgAdmin,
                "the workspace of the ChatGPT account is deactivated",
                "have an owner of the workspace activate it, or log in to another one",
            ),
        ),
        (
            "country, region, or territory not supported",
            Account(
                Code::CodexAccountRefused,
                Actor::TemplateAdmin,
                "OpenAI does not serve the region from which the workspace connects",
                "run the workspace in a supported region, or let it connect from one",
            ),
        ),
        (
            "unsupported_country_region_territory",
            Account(
                Code::CodexAccountRefused,
                Actor::TemplateAdmin,
                "OpenAI does not serve the region from which the workspace connects",
                "run the workspace in a supported region, or let it connect from one",
            ),
        ),
        ("missing scopes", MISSING_SCOPE),
        ("insufficient permissions for this operation", MISSING_SCOPE),
        // what the plan does not contain
        ("usage_not_included", PLAN),
        ("upgrade to plus", PLAN),
        ("account_deactivated", SUSPENDED),
        ("has been deactivated", SUSPENDED),
        ("account has been suspended", SUSPENDED),
        ("account is suspended", SUSPENDED),
        ("workspace routing discovery unauthorized", Login(Code::CodexAuthExpired, REFUSED)),
        // the same for a name that does not resolve, a proxy, a certificate, a page, and 429
        ("workspace routing discovery failed", Hidden(ROUTING)),
        ("workspace routing discovery timed out", Hidden(ROUTING)),
        ("timed out waiting for cloud config bundle", Hidden(ROUTING)),
        ("has been invalidated", Login(Code::CodexAuthExpired, REFUSED)),
        ("token_invalidated", Login(Code::CodexAuthExpired, REFUSED)),
        ("token_revoked", Login(Code::CodexAuthExpired, REFUSED)),
        ("incorrect api key provided", Login(Code::CodexAuthExpired, REFUSED)),
        ("your access token could not be refreshed", Login(Code::CodexAuthExpired, REFUSED)),
        ("token_expired", Login(Code::CodexAuthExpired, REFUSED)),
        ("usage limit", Limit("the usage limit of the account to be reset")),
        ("429 too many requests", Limit("the rate limit of the account to be reset")),
        ("last status: 5", Busy),
        ("unexpected status 5", Busy),
        // Codex has tried to renew the login by then
        ("unexpected status 401", Login(Code::CodexAuthExpired, REFUSED)),
        ("last status: 401", Login(Code::CodexAuthExpired, REFUSED)),
        ("unexpected status 403 forbidden: <", Network(Code::CodexBlocked, BLOCKED)),
        ("unexpected status 403", FORBIDDEN),
    ],
};

const BLOCKED: &str = "something else answers instead of OpenAI";
const PLAN: RequestProblem = Account(
    Code::CodexAccountRefused,
    Actor::WorkspaceUser,
    "the plan of the account does not contain Codex",
    "use an account whose plan contains it, or an API key",
);
const FORBIDDEN: RequestProblem = Account(
    Code::CodexAccountRefused,
    Actor::WorkspaceUser,
    "the server knows the login, and refuses the request (403)",
    "see what the account may do at chatgpt.com; where a proxy answers in its place, `pushready doctor --only codex.network` says so",
);

const ROUTING: &str =
    "Codex gets no answer about the workspace of the account, and does not print why";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Fix;
    use crate::doctor::outcome::CheckStatus;
    use crate::doctor::request::judge;

    #[test]
    fn messages_prove_the_login_the_configuration_or_a_busy_server() {
        for (output, status, code, fix) in [
            (
                "ERROR: {\"detail\":\"The 'gpt-5.2-codex' model is not supported when using Codex with a ChatGPT account.\"}",
                CheckStatus::Fail,
                Some(Code::CodexModelUnsupported),
                "remove `model`",
            ),
            (
                "x\nYour access token could not be refreshed because your refresh token was already used. Please log out and sign in again.\n",
                CheckStatus::Fail,
                Some(Code::CodexAuthExpired),
                "renew",
            ),
            (
                "Error loading config.toml: invalid type",
                CheckStatus::Fail,
                Some(Code::CodexConfigMalformed),
                "correct what",
            ),
            (
                "exceeded retry limit, last status: 503 Service Unavailable",
                CheckStatus::Unknown,
                None,
                "",
            ),
            ("stream disconnected before completion", CheckStatus::Unknown, None, ""),
            (
                "ERROR: unexpected status 500 Internal Server Error: x",
                CheckStatus::Unknown,
                None,
                "",
            ),
            (
                "ERROR: unexpected status 401 Unauthorized: token revoked, url: x",
                CheckStatus::Fail,
                Some(Code::CodexAuthExpired),
                "renew",
            ),
            (
                "ERROR: unexpected status 403 Forbidden: forbidden, url: x",
                CheckStatus::Fail,
                Some(Code::CodexAccountRefused),
                "see what",
            ),
            (
                "ERROR: To use Codex with your ChatGPT plan, upgrade to Plus: https://x",
                CheckStatus::Fail,
                Some(Code::CodexAccountRefused),
                "use an account",
            ),
            (
                "ERROR: workspace routing discovery unauthorized (401)",
                CheckStatus::Fail,
                Some(Code::CodexAuthExpired),
                "renew",
            ),
            (
                "ERROR: Reconnecting... 5/5\nERROR: workspace routing discovery failed",
                CheckStatus::Unknown,
                None,
                "",
            ),
            ("ERROR: workspace routing discovery timed out", CheckStatus::Unknown, None, ""),
            (
                "unexpected status 401 Unauthorized: Your authentication token has been invalidated. Please try signing in again.",
                CheckStatus::Fail,
                Some(Code::CodexAuthExpired),
                "renew",
            ),
            (
                "unexpected status 402 Payment Required: {\"detail\":{\"code\":\"deactivated_workspace\"}}",
                CheckStatus::Fail,
                Some(Code::CodexAccountRefused),
                "have an owner",
            ),
            (
                "unexpected status 403 Forbidden: {\"error\":{\"code\":\"unsupported_country_region_territory\",\"message\":\"Country, region, or territory not supported\"}}",
                CheckStatus::Fail,
                Some(Code::CodexAccountRefused),
                "run the workspace",
            ),
            (
                "unexpected status 401 Unauthorized: You have insufficient permissions for this operation. Missing scopes: api.responses.write.",
                CheckStatus::Fail,
                Some(Code::CodexAccountRefused),
                "log in again",
            ),
            (
                "Your OpenAI account has been deactivated, please check your email for more information.",
                CheckStatus::Fail,
                Some(Code::CodexAccountRefused),
                "see the mail",
            ),
        ] {
            let judgement = judge(&REQUEST, output, Fix::report("renew"));
            assert_eq!((judgement.status, judgement.code), (status, code), "{output}");
            let is_known = !judgement.summary.contains("does not know");
            assert_eq!(is_known, !output.starts_with("stream"), "{output}");
            let advice = judgement.fix.map_or(String::new(), |fix| fix.message);
            assert!(advice.starts_with(fix), "{output}: {advice}");
        }
    }
}
