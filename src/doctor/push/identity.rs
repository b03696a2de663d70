//! Whose key the server takes ours for: as the log of the write probe shows, or by its greeting.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::{WriteAnswer, is_unreachable, written};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::git;
use crate::doctor::keys;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::doctor::push_url::PushUrl;
use crate::doctor::ssh;
use crate::git::url::Repository;
use crate::provision::deploy_keys::AGAIN;
use crate::push_message::{self, Hints};

pub fn identity(context: &Context, repository: &Repository) -> Judgement {
    let is_gone = |path: PathBuf| {
        path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    if context.has_key(repository) && is_gone(context.home.key(repository)) {
        let (code, summary) = (Code::SshRouteBroken, "the installed key is missing");
        return Judgement::fail(code, summary, Fix::report(AGAIN)).reported_by(keys::INSTALLED);
    }
    by_write(context, repository).unwrap_or_else(|| by_greeting(context, repository))
}

/// What the answer about write access shows. `None`: the server is to be asked whose key it is.
fn by_write(context: &Context, repository: &Repository) -> Option<Judgement> {
    if git::keeps_from_pushing(context).is_some() {
        return None;
    }
    let is_its = |url: &&PushUrl| {
        url.is_pushed_to && url.over_ssh().is_some_and(|url| url.repository.same_as(repository))
    };
    let written = written(context, context.push_urls.iter().find(is_its)?)?;
    judge(written, context.fingerprint(repository)?)
}

/// Pure.
fn judge(written: &WriteAnswer, ours: &str) -> Option<Judgement> {
    if let Some(code) = written.judgement.code.filter(|code| is_unreachable(*code)) {
        return Some(Judgement::blocked(code));
    }
    let is_ours = written.is_granted && written.accepted.as_deref() == Some(ours);
    is_ours.then(|| {
        let by = Evidence::new("proven by", "write access, for which the server accepted this key");
        let key = Evidence::new("accepted key", ours);
        Judgement::pass("the server accepts the key for this repository").with([by, key])
    })
}

fn by_greeting(context: &Context, repository: &Repository) -> Judgement {
    let output = match ssh::greet(context, repository) {
        Some(Ok(output)) => output,
        Some(Err(failure)) => return ssh::unreachable(context, failure),
        None => return Judgement::skip("the repository has no key"),
    };
    let greeting = ssh::greeting(&output.stderr);
    let said = Evidence::foreign("server said", greeting.unwrap_or(&output.stderr));
    match greeting.and_then(|greeting| greeting.strip_prefix("Hi ")?.split_once('!')) {
        Some((name, _)) if !name.contains('/') => Judgement::pass(
            "the key belongs to a user: it gives access to everything that this user can access",
        )
        .with([said]),
        Some((name, _)) if name.eq_ignore_ascii_case(repository.path()) => {
            Judgement::pass("the key belongs to this repository").with([said])
        }
        Some((name, _)) => Judgement::fail(
            Code::SshWrongKey,
            "the key belongs to another repository",
            ssh::wrong_key_fix(repository, name),
        )
        .with([said])
        .with(ssh::installed(context, repository)),
        // be it the server that refuses the key, or ssh that does not offer it
        None if output.stderr.contains("Permission denied (publickey") => {
            let hints = Hints { remote: Some(repository), failed: true, ..Hints::default() };
            push_message::classify(&output.stderr, &hints)
                .judgement()
                .with(ssh::installed(context, repository))
        }
        None => Judgement::skip("this server does not report who owns the key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    #[test]
    fn the_server_is_asked_whose_key_it_is_unless_the_log_shows_it() {
        let pass = || Judgement::pass("granted");
        let fail = |code| Judgement::fail(code, "refused", Fix::wait("wait"));
        for (judgement, is_granted, accepted, status) in [
            (pass(), true, Some("SHA256:ours"), Some(CheckStatus::Pass)),
            (pass(), true, Some("SHA256:other"), None),
            (pass(), true, None, None),
            (fail(Code::PushKeyReadOnly), false, Some("SHA256:ours"), None),
            (fail(Code::SshKeyRefused), false, None, None),
            // the server was reached, and another setting prevents a push
            (fail(Code::PushOptionUnsupported), true, Some("SHA256:ours"), Some(CheckStatus::Pass)),
            // a greeting would be waited for as long again
            (fail(Code::PushTimeout), false, None, Some(CheckStatus::Skip)),
            (fail(Code::SshPortBlocked), false, None, Some(CheckStatus::Skip)),
        ] {
            let accepted = accepted.map(str::to_owned);
            let code = judgement.code;
            let written =
                WriteAnswer { judgement, asked: None, is_granted, accepted, branch: None };
            let judged = judge(&written, "SHA256:ours").map(|judgement| judgement.status);
            assert_eq!(judged, status, "{code:?} {is_granted} {:?}", written.accepted);
        }
    }
}
