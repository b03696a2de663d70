//! One small request to a vendor's model, through the agent's own client: with the login, the
//! settings and the environment that the agent will have, in an empty folder, so that nothing of a
//! repository is read or run.
//!
//! It proves that the vendor accepts the login now, for the configured model. It does not prove
//! that a quota lasts, nor what a repository's own settings change. Codex may renew its login
//! during the request, and writes it back to auth.json.

use std::process::Command;
use std::time::Duration;

use super::context::Context;
use super::outcome::{CheckStatus, Evidence, Judgement};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::client::Client;
use crate::env::Env;
use crate::process::{self, Failure, Program};
use crate::resource::private_folder::PrivateFolder;

/// No agent waits longer for an answer of one word.
const LONGEST: Duration = Duration::from_secs(60);
pub const PROMPT: &str = "Reply with the single word OK.";
/// The clients print more, which can be long; the error is at the end.
const LINES: usize = 3;

/// How a client makes the request, and what its messages prove.
pub struct ClientRequest {
    pub client: Client,
    pub vendor: &'static str,
    /// The variable with which it does not try again: a busy vendor is reported at once, and
    /// `--wait` asks again.
    pub no_retry: Option<(&'static str, &'static str)>,
    /// No tools, no servers of the user's, and the session is not saved.
    pub arguments: &'static [&'static str],
    /// Parts of its messages, in lower case.
    pub messages: &'static [(&'static str, RequestProblem)],
}

/// What a message of a client proves.
#[derive(Clone, Copy)]
pub enum RequestProblem {
    /// A new login fixes it.
    Login(Code, &'static str),
    /// Its configuration, and the fix.
    Configuration(Code, &'static str, &'static str),
    /// The account, or a policy about it; who can change that, and how.
    Account(Code, Actor, &'static str, &'static str),
    /// The server knows the login, and does not serve it now; the text is what it needs.
    Limit(&'static str),
    /// The server did not look at the login.
    Busy,
    /// The way to the server; the check of the network reports the cause.
    Network(Code, &'static str),
    /// One sentence for whatever keeps the client from the server.
    Hidden(&'static str),
}

use RequestProblem::{Account, Busy, Configuration, Hidden, Limit, Login, Network};

pub const REFUSED: &str =
    "the server does not accept this login any more, and the client cannot renew it";

/// Sends it, unless one of the `local` checks fails: Codex deletes a login at the start where a
/// setting forbids it, and Claude Code sends the token wherever a setting says.
pub fn send(
    context: &Context,
    request: &ClientRequest,
    local: &[Judgement],
    renew: Fix,
) -> Judgement {
    let ClientRequest { client, vendor, .. } = request;
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
    let folder = match PrivateFolder::new() {
        Ok(folder) => folder,
        Err(error) => {
            return Judgement::unknown(
                "no empty folder could be made for the request",
                error.to_string(),
            );
        }
    };
    let mut command = command(request, context.env);
    command.current_dir(folder.path());
    match process::run(command, context.deadline(LONGEST)) {
        Err(Failure::Missing) => Judgement::skip(format!("`{client}` is not on PATH")),
        Err(Failure::Deadline) if !context.has_ended() => {
            let reason = format!("an answer of {vendor} within {} s", LONGEST.as_secs());
            Judgement { transient: true, ..Judgement::unknown("no answer came in time", reason) }
        }
        Err(failure @ Failure::Deadline) => Judgement {
            transient: true,
            ..Judgement::unknown("no answer came in time", context.reason(&failure))
        },
        Err(failure @ (Failure::Killed(_) | Failure::Io(_))) => {
            let summary = format!("`{client}` could not be run");
            Judgement::unknown(summary, context.reason(&failure))
        }
        // Claude Code has ended so without having sent anything
        Ok(output) if output.status.success() && output.stdout.trim().is_empty() => {
            Judgement::unknown(
                format!("`{client}` ended without an answer, and reported no failure"),
                format!("an answer: what `{client}` prints when you run it yourself"),
            )
        }
        Ok(output) if output.status.success() => {
            let summary = format!("{vendor} accepts the login, and the configured model answers");
            Judgement::pass(summary)
        }
        Ok(output) => judge(request, &format!("{}\n{}", output.stderr, output.stdout), renew),
    }
}

/// The client, in the environment that the agent will have.
fn command(request: &ClientRequest, env: &Env) -> Command {
    let mut command = process::command_in(Program::Client(request.client), env);
    command.args(request.arguments).envs(request.no_retry);
    command
}

/// What the output of a client that failed proves. Pure.
pub fn judge(request: &ClientRequest, output: &str, renew: Fix) -> Judgement {
    let ClientRequest { client, vendor, messages, .. } = request;
    let lower = output.to_lowercase();
    let problem = messages.iter().find(|(text, _)| lower.contains(text)).map(|(_, found)| *found);
    let passing =
        |summary, needs| Judgement { transient: true, ..Judgement::unknown(summary, needs) };
    let outcome = match problem {
        Some(Login(code, summary)) => Judgement::fail(code, summary, renew),
        Some(Configuration(code, summary, fix)) => Judgement::fail(code, summary, Fix::report(fix)),
        Some(Account(code, actor, summary, fix)) => {
            let judgement = Judgement::fail(code, summary, Fix::report(fix));
            Judgement { actor: Some(actor), agent_may_fix: false, ..judgement }
        }
        Some(Network(code, summary)) => {
            let fix =
                format!("`pushready doctor --only {client}.network` names what is in the way");
            Judgement::fail(code, summary, Fix::report(fix))
        }
        Some(Hidden(summary)) => passing(
            summary.to_owned(),
            format!("the cause, as far as `pushready doctor --only {client}.network` shows it"),
        ),
        Some(Limit(needs)) => passing(
            format!("{vendor} knows the login, but does not serve it now"),
            needs.to_owned(),
        ),
        Some(Busy) => passing(
            format!("{vendor}'s servers fail or are too busy: they did not look at the login"),
            format!("{vendor}'s servers to answer again"),
        ),
        None => Judgement::unknown(
            format!("`{client}` failed with a message that the doctor does not know"),
            format!("what `{client}` prints when you run it yourself"),
        ),
    };
    let mut lines: Vec<_> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let proves = |line: &&str| messages.iter().any(|(text, _)| line.to_lowercase().contains(text));
    // the line that proves it, else the last ones
    let lines = match lines.iter().position(proves) {
        Some(at) => vec![lines.swap_remove(at)],
        None => lines.split_off(lines.len().saturating_sub(LINES)),
    };
    outcome.with(lines.into_iter().map(|line| Evidence::foreign("the client printed", line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_proves_it_is_quoted_or_else_the_last_lines() {
        const REQUEST: ClientRequest = ClientRequest {
            client: Client::Codex,
            vendor: "Vendor",
            no_retry: None,
            arguments: &[],
            messages: &[("too busy", Busy)],
        };
        for (output, lines) in [
            ("a\nToo busy\nb\nc\nd\n", &["Too busy"][..]),
            ("a\n\nb\nc\nd\n", &["b", "c", "d"]),
            ("", &[]),
        ] {
            let judgement = judge(&REQUEST, output, Fix::report("renew"));
            let quoted: Vec<_> = judgement.evidence.iter().map(|line| &*line.value).collect();
            assert_eq!(quoted, lines, "{output}");
        }
    }
}
