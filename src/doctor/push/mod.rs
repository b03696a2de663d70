//! May this workspace read and write its repositories? Asked of the server itself, through the ssh that the agent's git will
//! run, without a clone and without touching a ref: the advertisement of git-receive-pack, then a flush.

mod live;
mod scratch;

use std::thread;

use super::Context;
use super::git;
use super::outcome::{Evidence, Fix, Outcome, Status};
use super::push_message::{Greeting, Hints, classify};
use super::runner::Gate;
use super::ssh::{self, NETWORK};
use super::ssh_command::{By, Choice, SshCommand};
use crate::catalogue::{Actor, Code};
use crate::git_url::{GitUrl, Repository};
use crate::process::{self, Failure, Output};
use crate::provision::routing;
pub use live::live;
use scratch::Scratch;

/// Tells the server that nothing more comes (gitprotocol-pack(5), flush-pkt).
const FLUSH: &[u8] = b"0000";

/// Which half of access is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Access {
    pub const BOTH: [Self; 2] = [Self::Read, Self::Write];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Read => "push.read",
            Self::Write => "push.write",
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "git-upload-pack",
            Self::Write => "git-receive-pack",
        }
    }

    const fn granted(self) -> &'static str {
        match self {
            Self::Read => "the repository may be read",
            Self::Write => {
                "the repository may be written; branch rules, workflow files, secrets and sizes are judged only at a real push"
            }
        }
    }
}

/// Over SSH.
pub fn probe(context: &Context, repository: &Repository, access: Access, gate: &Gate) -> Outcome {
    let id = access.id();
    let subject = Some(repository.to_ssh());
    if let Some(outcome) = git::keeps_from_pushing(context, id, subject.clone()) {
        return outcome;
    }
    let at = match routing::destination(repository) {
        Ok(at) => at,
        Err(shown) => return reversed(id, subject, &shown),
    };
    let Choice { wins, otherwise } = Choice::of(context, repository);
    let by = Evidence::new("ssh decided by", wins.by.name());
    let ask = |ssh: &SshCommand| gate.pass(|| ask(context, repository, &at, access, ssh));
    let (said, works) = thread::scope(|scope| {
        let works = otherwise
            .as_ref()
            .map(|other| scope.spawn(|| ask(other).is_ok_and(|output| advertises(&output))));
        // a command of the repository's is not ours to run
        let said = (wins.by != By::Clone).then(|| ask(&wins));
        (said, works.is_some_and(|works| works.join().unwrap_or(false)))
    });
    let other = otherwise.as_ref().map(|other| {
        let works = if works { "it works" } else { "it does not work" };
        Evidence::new("otherwise", format!("with {} {works}", other.by.name()))
    });
    let Some(said) = said else { return of_clone(id, subject, &wins).with([by]).with(other) };
    let outcome = match &said {
        Err(failure) => ssh::unreachable(id, subject.clone(), failure),
        Ok(output) if advertises(output) => Outcome::pass(id, subject.clone(), access.granted()),
        Ok(output) if output.stderr.trim().is_empty() => silent(id, subject.clone(), output),
        Ok(output) => {
            let hints = hints(context, repository, gate);
            let outcome =
                Outcome { subject: subject.clone(), ..classify(&output.stderr, &hints).outcome(id) };
            let is_of_key = outcome.actor == Some(Actor::RepoAdmin);
            outcome.with(is_of_key.then(|| ssh::installed(context, repository)).into_iter().flatten())
        }
    };
    let outcome = match &otherwise {
        Some(other) if works && blames_nobody(&outcome) => {
            wins.broken(id, subject, Some(other)).with(outcome.evidence)
        }
        // ssh itself is there
        Some(_) if outcome.code == Some(Code::SshMissing) && !context.lacks_ssh() => {
            wins.broken(id, subject, None).with(outcome.evidence)
        }
        _ => outcome,
    };
    outcome.with([by]).with(other)
}

/// What a server says to one half of access, through one way to start ssh.
fn ask(
    context: &Context,
    repository: &Repository,
    at: &Repository,
    access: Access,
    ssh: &SshCommand,
) -> Result<Output, Failure> {
    let command = ssh.call(at, &repository.to_ssh_path(), access.verb());
    process::run_with_input(command, FLUSH, context.deadline(NETWORK))
}

/// Whether neither the server nor a known program said what is wrong: then it may be the command that stands for ssh.
fn blames_nobody(outcome: &Outcome) -> bool {
    match outcome.code {
        None => outcome.status == Status::Unknown,
        Some(code) => matches!(code, Code::PushUnrecognized | Code::PushTimeout | Code::SshMissing),
    }
}

/// Nothing stands there to be read.
fn silent(id: &'static str, subject: Option<String>, output: &Output) -> Outcome {
    let ended = match output.status.code() {
        Some(status) => format!("ended with status {status}"),
        None => "was killed".to_owned(),
    };
    Outcome::unknown(
        id,
        subject,
        format!("the ssh that git starts printed nothing, and {ended}"),
        "the same by hand: `git ls-remote URL`, with GIT_TRACE=1 to see which command git runs",
    )
    .coded(Code::PushUnrecognized)
    .fixed(Fix::report(
        "look at the command that stands for ssh, and at what the server does after the login",
    ))
}

/// Whose key it was decides between neighbours: read-only here, or another repository's.
fn hints<'a>(context: &Context, repository: &'a Repository, gate: &Gate) -> Hints<'a> {
    let mut hints = Hints { remote: Some(repository), ..Hints::default() };
    if context.has_key(repository) {
        let greeted = gate.pass(|| ssh::greet(context, repository)).ok();
        hints.greeting = greeted.and_then(|output| Greeting::parse(&output.stderr));
        hints.key_is_ours = match &hints.greeting {
            Some(Greeting::Repository(name)) => Some(name.eq_ignore_ascii_case(repository.path())),
            Some(Greeting::User) | None => None,
        };
    }
    hints
}

fn reversed(id: &'static str, subject: Option<String>, shown: &str) -> Outcome {
    Outcome::fail(
        id,
        subject,
        Code::RemoteReversed,
        "a rule of git's turns the SSH remote into another one, which ssh does not serve",
        Fix::report(super::git::TAKE_OUT),
    )
    .with([Evidence::foreign("becomes", shown)])
}

fn of_clone(id: &'static str, subject: Option<String>, wins: &SshCommand) -> Outcome {
    Outcome::unknown(
        id,
        subject,
        "the clone names an ssh command of its own, which git runs there, and the doctor does not",
        "`git push --dry-run` in the clone, if you trust that command; or `git config --unset core.sshCommand` there",
    )
    .with([Evidence::foreign("core.sshCommand", &wins.text)])
}

/// A pkt-line of refs: four hex digits of length, then an object id or, from an empty repository, zeroes.
fn advertises(output: &Output) -> bool {
    output.stdout.get(..4).is_some_and(|length| length.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Over HTTPS, with whatever credentials the agent's git would find; outside of any clone, whose configuration could name
/// a helper of its own.
pub fn over_https(context: &Context, url: &GitUrl, access: Access) -> Outcome {
    let id = access.id();
    let subject = Some(url.to_string());
    if let Some(outcome) = git::keeps_from_pushing(context, id, subject.clone()) {
        return outcome;
    }
    let cannot = |why: String| Outcome::unknown(id, subject.clone(), "the probe could not be made", why);
    let scratch = match Scratch::new(context) {
        Ok(scratch) => scratch,
        Err(why) => return cannot(why),
    };
    let mut git = scratch.git();
    match access {
        Access::Read => git.args(["ls-remote", "--quiet", "--exit-code", url.without_credential(), "HEAD"]),
        // asks for credentials and for the right to write, and sends nothing
        Access::Write => {
            let refspec = format!("{}:refs/heads/pushready-probe", scratch.commit);
            git.args(["push", "--quiet", "--dry-run", "--no-verify", url.without_credential(), &refspec])
        }
    };
    let output = match process::run(git, context.deadline(NETWORK)) {
        Ok(output) => output,
        Err(Failure::Deadline) => return hung(context, id, subject),
        Err(failure) => return cannot(failure.to_string()),
    };
    // 2: there is no HEAD, in a repository that could be read
    if output.status.success() || (access == Access::Read && output.status.code() == Some(2)) {
        return Outcome::pass(id, subject, access.granted());
    }
    let hints = Hints { remote: url.repository(), ..Hints::default() };
    Outcome { subject, ..classify(&output.stderr, &hints).outcome(id) }
}

/// `coder gitaskpass` waits for a login in a browser, and never returns in a workspace without anybody.
fn hung(context: &Context, id: &'static str, subject: Option<String>) -> Outcome {
    match context.env.text(crate::variables::observed::GIT_ASKPASS) {
        Some(askpass) => Outcome::fail(
            id,
            subject,
            Code::PushNoCredentials,
            "the askpass never returns: it waits for somebody to log in in a browser, so git would hang here",
            Fix::report("log in to the git provider in Coder (external authentication), or give the repository a deploy key"),
        )
        .with([Evidence::foreign("GIT_ASKPASS", &askpass)]),
        None => ssh::unreachable(id, subject, &Failure::Deadline),
    }
}
