//! One small request to each vendor's model, through the agent's own client: with the login, the
//! settings and the environment that the agent will have, in an empty folder, so that nothing of a
//! repository is read or run.
//!
//! It proves that the vendor takes the login now, for the model that is configured. It does not
//! prove that a quota lasts, nor what a repository's own settings change. Codex may renew its login
//! on the way, and writes it back to auth.json.

use std::process::Command;
use std::time::Duration;

use super::context::Context;
use super::outcome::{CheckStatus, Evidence, Judgement};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::env::Env;
use crate::process::{self, Failure, Program};
use crate::resource::file;

/// A model that thinks long about one word is none that an agent waits for.
const PATIENCE: Duration = Duration::from_secs(60);
const PROMPT: &str = "Reply with the single word OK.";
/// The clients print more, which can be long; the error is at its end.
const LINES: usize = 3;

/// An agent's client, and what its failures mean.
pub struct ClientRequest {
    program: Program<'static>,
    vendor: &'static str,
    /// Asked once: a busy vendor is reported at once, and `--wait` asks again.
    once: Option<(&'static str, &'static str)>,
    /// No tools, no servers of the user's, nothing kept of the session.
    arguments: &'static [&'static str],
    /// What it prints, in lower case, and what that proves.
    says: &'static [(&'static str, Means)],
}

#[derive(Clone, Copy)]
enum Means {
    Is(Code, &'static str),
    /// The login is known and may not be used now; the sentence is what it would need.
    Passing(&'static str),
    /// The server had not looked at the login.
    Busy,
}

use Means::{Busy, Is, Passing};

const REFUSED: &str = "the server does not take this login any more, and nothing renews it";

/// Texts of codex-cli 0.169 (codex-rs/login/src/auth/manager.rs) and of OpenAI's servers, as
/// openai/codex issues quote them.
pub const CODEX: ClientRequest = ClientRequest {
    program: Program::Client(Client::Codex),
    vendor: "OpenAI",
    // it has no such setting for the built-in provider
    once: None,
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
    says: &[
        (
            "model is not supported when using codex with a chatgpt account",
            Is(
                Code::CodexModelUnsupported,
                "the server does not offer the configured model to this login",
            ),
        ),
        (
            "error loading config.toml",
            Is(Code::CodexConfigMalformed, "Codex does not start with its configuration"),
        ),
        (
            "error loading rules",
            Is(Code::CodexConfigMalformed, "Codex does not start with its rules (`rules/*.rules`)"),
        ),
        ("your access token could not be refreshed", Is(Code::CodexAuthExpired, REFUSED)),
        ("token_expired", Is(Code::CodexAuthExpired, REFUSED)),
        ("usage limit", Passing("the usage limit of the account to be reset")),
        ("429 too many requests", Passing("the rate limit of the account to be reset")),
        ("last status: 5", Busy),
    ],
};

/// Texts of Claude Code 2.1.330, on its standard output.
pub const CLAUDE: ClientRequest = ClientRequest {
    program: Program::Client(Client::Claude),
    vendor: "Anthropic",
    once: Some(("CLAUDE_CODE_MAX_RETRIES", "1")),
    arguments: &[
        "--print",
        PROMPT,
        "--tools",
        "",
        "--strict-mcp-config",
        "--no-session-persistence",
    ],
    says: &[
        (
            "not logged in",
            Is(Code::ClaudeTokenMissing, "Claude Code finds no login that it would send"),
        ),
        ("oauth token has expired", Is(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth token revoked", Is(Code::ClaudeTokenExpired, REFUSED)),
        ("oauth session expired", Is(Code::ClaudeTokenExpired, REFUSED)),
        ("invalid bearer token", Is(Code::ClaudeTokenExpired, REFUSED)),
        ("usage limit", Passing("the usage limit of the account to be reset")),
        ("api error: 429", Passing("the rate limit of the account to be reset")),
        ("api error: 5", Busy),
        ("529 overloaded", Busy),
        ("overloaded_error", Busy),
    ],
};

/// Sends it, unless one of the `local` checks fails: Codex deletes a login at the start where a
/// setting forbids it, and Claude Code sends the token wherever a setting says.
pub fn send(
    context: &Context,
    client: &ClientRequest,
    local: &[Judgement],
    renew: Fix,
) -> Judgement {
    let ClientRequest { program, vendor, .. } = *client;
    if let Some(outcome) = local.iter().find(|outcome| outcome.status == CheckStatus::Fail) {
        let needs = outcome.code.map_or_else(
            || "a local check fails: fix that first".to_owned(),
            |code| format!("fix `{code}` first"),
        );
        return Judgement::unknown(format!("no request was made to {vendor}"), needs);
    }
    if context.sandboxed() {
        let reason = "run the doctor outside of the agent's sandbox";
        return Judgement::unknown("the sandbox denies the network", reason);
    }
    let folder = match file::temporary_folder(&std::env::temp_dir()) {
        Ok(folder) => folder,
        Err(error) => {
            return Judgement::unknown("there is no empty folder to ask from", error.to_string());
        }
    };
    let mut command = command(client, context.env);
    command.current_dir(folder.path());
    match process::run(command, context.deadline(PATIENCE)) {
        Err(Failure::Missing) => Judgement::skip(format!("there is no `{program}` on PATH")),
        Err(Failure::Deadline) => {
            let reason = format!("an answer of {vendor}'s within {} s", PATIENCE.as_secs());
            Judgement { transient: true, ..Judgement::unknown("no answer came in time", reason) }
        }
        Err(Failure::Io(error)) => {
            Judgement::unknown(format!("`{program}` could not be run"), error.to_string())
        }
        Ok(output) if output.status.success() => {
            Judgement::pass(format!("{vendor} takes the login, and the configured model answers"))
        }
        Ok(output) => judge(client, &format!("{}\n{}", output.stderr, output.stdout), renew),
    }
}

/// The client, in the environment that the agent will have.
fn command(client: &ClientRequest, env: &Env) -> Command {
    let mut command = process::command_in(client.program, env);
    command.args(client.arguments).envs(client.once);
    command
}

/// What the client's last words prove. Pure.
fn judge(client: &ClientRequest, said: &str, renew: Fix) -> Judgement {
    let ClientRequest { program, vendor, says, .. } = *client;
    let lower = said.to_lowercase();
    let means = says.iter().find(|(words, _)| lower.contains(words)).map(|(_, means)| *means);
    let outcome = match means {
        Some(Is(Code::CodexModelUnsupported, summary)) => Judgement::fail(
            Code::CodexModelUnsupported,
            summary,
            Fix::report("take `model` out of config.toml: the default moves with the client"),
        ),
        Some(Is(code, summary)) => Judgement::fail(code, summary, renew),
        Some(Passing(reason)) => Judgement {
            transient: true,
            ..Judgement::unknown(
                format!("{vendor} knows the login, and does not answer it now"),
                reason,
            )
        },
        Some(Busy) => Judgement {
            transient: true,
            ..Judgement::unknown(
                format!(
                    "{vendor}'s servers are out of order or too busy: they did not look at the login"
                ),
                format!("{vendor}'s servers to answer again"),
            )
        },
        None => Judgement::unknown(
            format!("`{program}` failed in words that are not known here"),
            format!("what `{program}` says when it is run by hand"),
        ),
    };
    let mut lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    // the line that proves it, else the last ones
    let proof = lines
        .iter()
        .position(|line| says.iter().any(|(words, _)| line.to_lowercase().contains(words)));
    let lines = match proof {
        Some(at) => vec![lines.swap_remove(at)],
        None => lines.split_off(lines.len().saturating_sub(LINES)),
    };
    outcome.with(lines.into_iter().map(|line| Evidence::foreign("the client said", line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_client_printed_is_proof() {
        let fix = Fix::report("renew");
        for (client, said, status, code) in [
            (
                &CODEX,
                "ERROR: {\"detail\":\"The 'gpt-5.2-codex' model is not supported when using Codex with a ChatGPT account.\"}",
                CheckStatus::Fail,
                Some(Code::CodexModelUnsupported),
            ),
            (
                &CODEX,
                "x\nYour access token could not be refreshed because your refresh token was already used. Please log out and sign in again.\n",
                CheckStatus::Fail,
                Some(Code::CodexAuthExpired),
            ),
            (&CODEX, "stream disconnected before completion", CheckStatus::Unknown, None),
            (
                &CLAUDE,
                "Failed to authenticate. API Error: 401 OAuth token has expired. Please obtain a new token.",
                CheckStatus::Fail,
                Some(Code::ClaudeTokenExpired),
            ),
            (
                &CLAUDE,
                "Not logged in · Please run /login",
                CheckStatus::Fail,
                Some(Code::ClaudeTokenMissing),
            ),
            (&CLAUDE, "API Error: 529 {\"type\":\"overloaded_error\"}", CheckStatus::Unknown, None),
            (&CLAUDE, "API Error: 500 internal server error", CheckStatus::Unknown, None),
            (&CLAUDE, "", CheckStatus::Unknown, None),
        ] {
            let outcome = judge(client, said, fix.clone());
            assert_eq!((outcome.status, outcome.code), (status, code), "{said}");
            assert!(outcome.evidence.len() <= LINES);
        }
    }

    #[test]
    fn who_is_overloaded_has_not_looked_at_the_login() {
        let fix = || Fix::report("renew");
        for (client, said) in [
            (
                &CLAUDE,
                "API Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
            ),
            (&CLAUDE, "API Error: Repeated 529 Overloaded errors"),
            (&CODEX, "exceeded retry limit, last status: 503 Service Unavailable"),
        ] {
            let outcome = judge(client, said, fix());
            assert_eq!((outcome.status, outcome.transient), (CheckStatus::Unknown, true), "{said}");
            assert!(!outcome.summary.contains("knows the login"), "{said}: {}", outcome.summary);
        }
        assert!(judge(&CLAUDE, "API Error: 429", fix()).summary.contains("knows the login"));
    }
}
