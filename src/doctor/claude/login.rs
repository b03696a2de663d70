//! The token that Claude Code will send: is it there, of the right form, and young enough?

use std::path::Path;

use rustix::fs::{Access, access};

use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::doctor::context::Context;
use crate::doctor::login_folder;
use crate::doctor::outcome::{self, Evidence, Judgement, source};
use crate::provision::claude::LIFETIME_DAYS;
use crate::provision::to_use_seed;
use crate::resource::digest::Digest;
use crate::resource::mount;
use crate::secret::{CredentialsFile, TokenForm};
use crate::variables;

pub fn new_token(context: &Context) -> Fix {
    Fix::report(format!(
        "create one with `claude setup-token` and set it as {}",
        source(context.login_via(Client::Claude), variables::CLAUDE_OAUTH_TOKEN)
    ))
}

/// Why Claude Code could not save a login that it renews: the old one is used up then.
pub fn unwritable(context: &Context, path: &Path) -> Option<Judgement> {
    let folder = path.parent()?;
    let mount = mount::mount(path);
    let (summary, fix) = match mount {
        Some(mount) if mount.read_only => (
            "the credentials file is a read-only mount: Claude Code would renew the login, and lose the new one",
            "mount its folder, writable; or give the token of `claude setup-token` instead, which is not renewed",
        ),
        _ if access(folder, Access::WRITE_OK).is_err() => (
            "Claude Code cannot write its folder: it would renew the login, and lose the new one",
            "give the folder to the workspace user, writable; or give the token of `claude setup-token` instead, which is not renewed",
        ),
        _ => return None,
    };
    let folder = context.home.shown(folder);
    let fail = Judgement::fail(Code::ClaudeHomeUnwritable, summary, Fix::report(fix));
    Some(fail.with([Evidence::new("folder", folder)]))
}

/// The token that Claude Code will send if nothing overrides it: the variable, else the file.
pub fn login(context: &Context, file: Option<&CredentialsFile>) -> Judgement {
    if let Some(token) = context.env.text(variables::CLAUDE_CODE_OAUTH_TOKEN) {
        return judge_token(context, &TokenForm::of(&token.into()), VARIABLE);
    }
    let apply =
        || outcome::apply_again(context.login_via(Client::Claude), variables::CLAUDE_OAUTH_TOKEN);
    match file {
        None | Some(CredentialsFile::Blank { by_client: false }) => {
            login_folder::judge(context, Client::Claude, Code::ClaudeTokenMissing).unwrap_or_else(
                || {
                    Judgement::fail(
                        Code::ClaudeTokenMissing,
                        "there is no token, neither in a variable nor in the file",
                        apply(),
                    )
                },
            )
        }
        Some(CredentialsFile::Blank { by_client: true }) => Judgement::fail(
            Code::ClaudeAuthBlanked,
            "Claude Code emptied the stored login after it could not renew it",
            apply(),
        ),
        Some(CredentialsFile::Malformed { line, column }) => Judgement::fail(
            Code::ClaudeTokenMalformed,
            format!(
                "the credentials file does not parse at line {line}, column {column}: Claude Code treats this as logged out"
            ),
            Fix::report("remove the file and run `pushready apply`"),
        ),
        Some(
            CredentialsFile::SetupToken { inference: false, .. }
            | CredentialsFile::Login { inference: false, .. },
        ) => Judgement::fail(
            Code::ClaudeTokenMalformed,
            "the stored login lacks the scope `user:inference`, so Claude Code ignores it",
            new_token(context),
        ),
        Some(CredentialsFile::SetupToken { form, .. }) => judge_token(context, form, FILE),
        Some(CredentialsFile::Login { refreshable, expires, .. }) => {
            let expired = expires.is_some_and(|expires| expires < context.env.now);
            if expired && !refreshable {
                return Judgement::fail(
                    Code::ClaudeTokenExpired,
                    "the stored login has expired, and nothing can renew it",
                    new_token(context),
                );
            }
            if context.desired.logins.claude.is_some() {
                return Judgement::warn(
                    Code::ClaudeAuthConflict,
                    "somebody logged in with `/login`; the configured token is not used",
                    Fix::report(to_use_seed(&context.home.clients.claude.login)),
                );
            }
            Judgement::pass("logged in with `/login`")
        }
    }
}

/// Where a token is found.
const VARIABLE: &str = "CLAUDE_CODE_OAUTH_TOKEN";
const FILE: &str = "the credentials file";

/// A token that is sent as it is, quotes and all.
fn judge_token(context: &Context, form: &TokenForm, place: &str) -> Judgement {
    let code = Code::ClaudeTokenMalformed;
    match form {
        TokenForm::Right { digest } => aged(context, digest, place),
        TokenForm::Wrong(why) => {
            let summary = format!("the token in {place} cannot work: {why}");
            Judgement::fail(code, summary, new_token(context))
        }
        // copied from a terminal that broke it into lines
        TokenForm::MayBeCut => Judgement::warn(
            code,
            format!(
                "the token in {place} is as long as one line of a terminal: the rest may be missing"
            ),
            new_token(context),
        ),
    }
}

/// A setup-token cannot be asked for its age; the receipt knows when ours was made or first seen.
fn aged(context: &Context, digest: &str, place: &str) -> Judgement {
    let record = context
        .desired
        .logins
        .claude
        .as_ref()
        .filter(|record| record.token == Digest::from_hex(digest));
    let Some(record) = record else {
        return Judgement::pass(format!(
            "a token of the right form is in {place}; not sent anywhere"
        ));
    };
    let end = record.created.saturating_add(jiff::Span::new().days(LIFETIME_DAYS));
    let today = context.env.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let evidence = [
        Evidence::new("made or first seen", record.created.to_string()),
        Evidence::new("good until about", end.to_string()),
    ];
    if end < today {
        return Judgement::fail(
            Code::ClaudeTokenExpired,
            "the token is more than a year old",
            new_token(context),
        )
        .with(evidence);
    }
    Judgement::pass(format!(
        "the token in {place} has the right form and is less than a year old; not sent anywhere"
    ))
    .with(evidence)
}
