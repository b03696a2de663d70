//! The request of `codex.request`, and the messages of the client.

use crate::catalogue::Code;
use crate::client::Client;
use crate::doctor::request::RequestProblem::{Busy, Configuration, Limit, Login};
use crate::doctor::request::{ClientRequest, PROMPT, REFUSED};

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
        ("your access token could not be refreshed", Login(Code::CodexAuthExpired, REFUSED)),
        ("token_expired", Login(Code::CodexAuthExpired, REFUSED)),
        ("usage limit", Limit("the usage limit of the account to be reset")),
        ("429 too many requests", Limit("the rate limit of the account to be reset")),
        ("last status: 5", Busy),
    ],
};

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
        ] {
            let judgement = judge(&REQUEST, output, Fix::report("renew"));
            assert_eq!((judgement.status, judgement.code), (status, code), "{output}");
            let advice = judgement.fix.map_or(String::new(), |fix| fix.message);
            assert!(advice.starts_with(fix), "{output}: {advice}");
        }
    }
}
