//! Whether git-lfs reaches its server: asked of git-lfs itself, as the clone configures it, without a
//! credential. It has proxies and authorities of its own, which are not git's.

use super::executable::Programs;
use super::hooks::Hooks;
use super::programs::has_lfs_files;
use super::{blocked, effective_config, facts, own_subject, read_within, way};
use crate::catalogue::Code;
use crate::doctor::context::{Context, LOCAL, NETWORK};
use crate::doctor::outcome::{Evidence, Judgement, Reason};
use crate::git::url::{GitUrl, redact};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::scratch::{Hash, Scratch};
use crate::git_cli::{self, Place};
use crate::process::{self, Bounds, Failure};
use crate::push_message::{Hints, classify};
use crate::ssh_cli;
use crate::variables::observed;

/// Longer than a slow handshake. Without it git-lfs waits for 30 s.
const SECONDS: &str = "8";

/// What git-lfs prints where a server answered: it asks for a login, denies it, or knows no locks.
const ANSWERS: &[&str] = &[
    "git credentials for ",
    "could not read username",
    "authorization error",
    "repository or object not found",
    "not implemented",
    "http 501",
    "rate limit exceeded",
];

pub fn lfs(context: &Context) -> Judgement {
    let judgement = blocked(context).unwrap_or_else(|| judge(context));
    Judgement { subject: own_subject(context), ..judgement }
}

fn judge(context: &Context) -> Judgement {
    let Some(layout) = &facts(context).layout else {
        return Judgement::skip("the current folder is in no clone");
    };
    if layout.defect.is_some() {
        return Judgement::blocked(Code::GitCloneBroken);
    }
    let config = effective_config(context);
    let has_files = has_lfs_files(context, layout, config);
    let is_called = Hooks::of(context, layout, config).call_lfs();
    if !has_files && !is_called {
        return Judgement::skip("no file of this clone belongs in git-lfs");
    }
    let filter = ["filter.lfs.clean", "filter.lfs.process"];
    let is_set_up =
        filter.iter().any(|key| config.text(key).is_some_and(|command| !command.is_empty()));
    if !is_set_up && !is_called {
        return Judgement::skip("git-lfs is not set up: git stores the files themselves");
    }
    if !(Programs { context, top: &layout.top }).start("git-lfs") {
        return Judgement::skip("git-lfs is not installed");
    }
    if context.sandboxed() {
        let reason = "run the doctor outside of the agent's sandbox";
        return Judgement::unknown("the sandbox denies the network", reason);
    }
    let unnamed = |why: Reason| Judgement::unknown("git-lfs does not name its server", why);
    let mut git =
        git_cli::command(Place::AsAgent(context.folder.as_deref().unwrap_or(&layout.top)));
    git.args(["lfs", "env"]);
    // a limit of memory keeps a program in Go from its threads
    let listed = match read_within(Bounds::ASKING, context, git, b"") {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => return unnamed(output.first_error().into()),
        Err(failure) => return unnamed(context.reason(&failure)),
    };
    let Some(endpoint) = endpoint(&listed) else {
        return Judgement::skip("the files of git-lfs go to no server over HTTPS");
    };
    let is_sent = has_files && is_set_up;
    if !is_sent && !needs_locks(endpoint.url, config) {
        return Judgement::skip("no file of this clone belongs in git-lfs, and no lock is needed");
    }
    let judgement = match GitUrl::parse(endpoint.url) {
        Ok(url) => probe(context, url.without_credential()),
        Err(_) => return Judgement::skip("the files of git-lfs go to no server over HTTPS"),
    };
    if !endpoint.by_ssh {
        return judgement;
    }
    // `git-lfs-authenticate` answers with its URL and a login: which is not asked for
    let reason = "the ssh server names the server of git-lfs at each transfer";
    // a name of ssh's own configuration leads nowhere over HTTPS, and says nothing of that server
    if !judgement.code.is_some_and(way::is_of_network) || is_alias(context) {
        return Judgement::skip(reason);
    }
    let summary =
        "git-lfs does not reach the host of the remote over HTTPS, and asks it with each push";
    Judgement::unknown(summary, reason).with(judgement.evidence)
}

/// Whether ssh is configured to connect elsewhere than to the host in the URL of the remote.
fn is_alias(context: &Context) -> bool {
    let Some(repository) = context.clones.current() else { return false };
    let deadline = context.deadline(LOCAL);
    let host = ssh_cli::hostname(repository.ssh_user(), repository.host(), deadline);
    host.is_some_and(|host| !host.eq_ignore_ascii_case(repository.host()))
}

/// Whether a push fails where git-lfs cannot ask for locks, although it sends no object (git-lfs,
/// commands/lockverifier.go): that is configured, or the server is known to have them. Pure.
fn needs_locks(endpoint: &str, config: &EffectiveConfig) -> bool {
    let is_of = |url: &str| url == endpoint || endpoint.starts_with(&format!("{url}/"));
    let named = config.under("lfs.").filter(|value| {
        let rest = value.key.strip_prefix("lfs.");
        rest == Some("locksverify")
            || rest.and_then(|rest| rest.strip_suffix(".locksverify")).is_some_and(is_of)
    });
    match named.last() {
        Some(value) => value.is_true(),
        None => endpoint.starts_with("https://github.com/"),
    }
}

/// Where the files of git-lfs go.
#[derive(Debug, PartialEq, Eq)]
struct LfsEndpoint<'a> {
    url: &'a str,
    /// git-lfs made the URL of that of an ssh remote, and takes the one that the ssh server names.
    by_ssh: bool,
}

/// The server of the remote to which a plain push goes, as `git lfs env` prints it. Pure.
fn endpoint(listed: &str) -> Option<LfsEndpoint<'_>> {
    let mut lines = listed.lines();
    let line = lines.find_map(|line| line.strip_prefix("Endpoint="))?;
    let url = line.split(" (").next()?.trim();
    let by_ssh = lines.next().is_some_and(|next| next.trim_start().starts_with("SSH="));
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    is_http.then_some(LfsEndpoint { url, by_ssh })
}

fn probe(context: &Context, endpoint: &str) -> Judgement {
    let cannot = |why: Reason| Judgement::unknown("git-lfs could not be asked", why);
    let scratch = match Scratch::new(Hash::Sha1, || context.deadline(NETWORK)) {
        Ok(scratch) => scratch,
        Err(why) => return cannot(why.into()),
    };
    let config = effective_config(context);
    let way = way::settings(config).map(|it| (it.key, it.value.unwrap_or_default()));
    let own = [
        ("lfs.url", endpoint),
        ("lfs.dialtimeout", SECONDS),
        ("lfs.tlstimeout", SECONDS),
        ("lfs.activitytimeout", SECONDS),
    ];
    let settings: Vec<_> = way.chain(own).collect();
    let Some(mut git) = scratch.git_with(&settings, context.deadline(NETWORK)) else {
        return cannot("git 2.31 or newer, or `git lfs locks` in the clone".into());
    };
    git.env(observed::GIT_ASKPASS, "false").env("SSH_ASKPASS", "false");
    git.args(["lfs", "locks"]);
    let judgement = match process::run_within(Bounds::ASKING, git, context.deadline(NETWORK)) {
        Ok(output) if output.status.success() => pass(),
        Ok(output) => by_message(&output.stderr),
        Err(Failure::Deadline) => Judgement {
            transient: true,
            ..Judgement::unknown("the server of git-lfs does not answer in time", "a later try")
        },
        Err(failure) => return cannot(context.reason(&failure)),
    };
    let is_of_way = judgement.code.is_some_and(way::is_of_network);
    let evidence = is_of_way.then(|| way::evidence(context.env, config, &way::OF_LFS));
    judgement
        .with([Evidence::foreign("server", &redact(endpoint))])
        .with(evidence.into_iter().flatten())
}

fn pass() -> Judgement {
    Judgement::pass("git-lfs reaches its server, which was asked without a login")
}

/// What git-lfs prints of a request that failed. Pure.
fn by_message(text: &str) -> Judgement {
    let hints = Hints { failed: true, ..Hints::default() };
    let judgement = classify(text, &hints).judgement();
    if judgement.code.is_some_and(way::is_of_network) {
        return judgement;
    }
    let lower = text.to_lowercase();
    if ANSWERS.iter().any(|words| lower.contains(words)) {
        return pass();
    }
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let summary = "the server of git-lfs gives an answer that proves nothing";
    Judgement::unknown(summary, "`git lfs locks` in the clone")
        .with([Evidence::foreign("git-lfs", first)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus::{Fail, Pass, Unknown};

    #[test]
    fn the_server_is_the_one_that_git_lfs_prints() {
        let printed = "git-lfs/3.3.0\n\nEndpoint=https://h/o/r.git/info/lfs (auth=none)\n";
        for (listed, expected) in [
            (printed, Some(("https://h/o/r.git/info/lfs", false))),
            ("Endpoint=https://h/x (auth=basic)\n  SSH=git@h:x\n", Some(("https://h/x", true))),
            (
                "Endpoint=https://h/x (auth=none)\nEndpoint (fork)=https://g/x (auth=none)\n  SSH=git@g:x\n",
                Some(("https://h/x", false)),
            ),
            ("Endpoint=file:///srv/r (auth=none)", None),
            ("Endpoint (fork)=https://h/x (auth=none)", None),
            ("", None),
        ] {
            let expected = expected.map(|(url, by_ssh)| LfsEndpoint { url, by_ssh });
            assert_eq!(endpoint(listed), expected, "{listed}");
        }
    }

    #[test]
    fn locks_are_needed_where_that_is_configured_or_known() {
        let (github, other) = ("https://github.com/o/app.git/info/lfs", "https://h/o/app/info/lfs");
        for (endpoint, entry, expected) in [
            (github, "lfs.url\nx", true),
            (other, "lfs.url\nx", false),
            (github, "lfs.https://github.com/o/app.git/info/lfs.locksverify\nfalse", false),
            (other, "lfs.https://h/o/app/info/lfs.locksverify\ntrue", true),
            (other, "lfs.https://h/o/app.locksverify\ntrue", true),
            (other, "lfs.https://h/o/ap.locksverify\ntrue", false),
            (other, "lfs.locksverify\ntrue", true),
            (github, "lfs.locksverify\nfalse", false),
        ] {
            let config = EffectiveConfig::parse(format!("local\0file:.git/config\0{entry}\0"));
            assert_eq!(needs_locks(endpoint, &config), expected, "{endpoint} {entry}");
        }
    }

    /// As git-lfs 3.3.0 printed each.
    #[test]
    fn a_message_of_git_lfs_shows_whether_it_was_answered() {
        let get = |what: &str| {
            let url = "https://lfs.example/x/locks?refspec=refs%2Fheads%2F";
            format!("Error while retrieving locks: Get \"{url}\": {what}\n")
        };
        for (text, status, code) in [
            (get("proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused"), Fail, Some(Code::GitProxyRefused)),
            (get("Proxy Authentication Required"), Fail, Some(Code::GitProxyRefused)),
            (get("Forbidden"), Fail, Some(Code::GitProxyRefused)),
            (get("Bad Gateway"), Fail, Some(Code::GitProxyRefused)),
            (get("dial tcp: lookup lfs.example on 10.0.0.53:53: no such host"), Fail, Some(Code::GitUnreachable)),
            (get("dial tcp 127.0.0.1:9: connect: connection refused"), Fail, Some(Code::GitUnreachable)),
            (get("x509: certificate signed by unknown authority"), Fail, Some(Code::GitTlsUntrusted)),
            (get("http: server gave HTTP response to HTTPS client"), Unknown, None),
            ("Error while retrieving locks: Authorization error: https://h/x/locks\nCheck that you have proper access\n".into(), Pass, None),
            ("Error while retrieving locks: Repository or object not found: https://h/x/locks\n".into(), Pass, None),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled\nError while retrieving locks: Git credentials for https://h/x not found:\n".into(), Pass, None),
            ("Error while retrieving locks: Expected JSON type, got: \"text/html\"\n".into(), Unknown, None),
            ("Error while retrieving locks: Server error &{%!!(string=http)} from HTTP 511\n".into(), Unknown, None),
        ] {
            let found = by_message(&text);
            assert_eq!((found.status, found.code), (status, code), "{text}");
        }
    }
}
