//! May this workspace read and write its repositories? Asked of the server itself, through the ssh
//! that the agent's git will run, without a clone and without touching a ref: the advertisement of
//! git-receive-pack, then a flush.

mod asking;
mod by_git;
mod live;
mod refused;
mod target;

use std::thread;

use super::clones::{InView, held, hold};
use super::git;
use super::outcome::{CheckStatus, Evidence, Judgement};
use super::pool;
use super::push_url::{PushUrl, SshUrl, Transit};
use super::ssh;
use super::ssh::command::{ChosenBy, SshChoice, SshCommand, WithoutValue};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::context::Context;
use crate::git::url::{GitUrl, Repository, SshTarget, redact, rewrite};
use crate::git_cli::effective_config::ConfigValue;
use crate::process::Output;
use crate::provision::routing;
use crate::push_message::{self, Greeting, Hints, classify};
use asking::{Answer, PushObstacle, advertises, ask, is_garbled};
use by_git::over_git;
pub use live::live;
pub use target::target;

/// Which half of access is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Access {
    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "git-upload-pack",
            Self::Write => "git-receive-pack",
        }
    }

    /// The setting of a remote that names another program than that.
    const fn key(self) -> &'static str {
        match self {
            Self::Read => ".uploadpack",
            Self::Write => ".receivepack",
        }
    }

    const fn granted(self) -> &'static str {
        match self {
            Self::Read => "read access confirmed",
            Self::Write => {
                "write access confirmed; branch rules, workflow files, secrets and sizes are judged only at a real push"
            }
        }
    }
}

pub fn read(context: &Context, url: &PushUrl) -> Judgement {
    probe(context, url, Access::Read)
}

pub fn write(context: &Context, url: &PushUrl) -> Judgement {
    probe(context, url, Access::Write)
}

fn probe(context: &Context, url: &PushUrl, access: Access) -> Judgement {
    if let Some(judgement) = git::keeps_from_pushing(context) {
        return judgement;
    }
    if access == Access::Write && !url.is_pushed_to {
        return Judgement::skip("no remote in view pushes there");
    }
    match &url.way {
        Transit::Ssh(url) => over_ssh(context, url, access),
        Transit::Git(url) => over_git(context, url, access),
    }
}

fn over_ssh(context: &Context, url: &SshUrl, access: Access) -> Judgement {
    let repository = &url.repository;
    let clones: Vec<&InView> = context.clones.of(repository).collect();
    if let Some(judgement) = git::forbids_ssh(context, &clones) {
        return judgement;
    }
    let at = match ssh_target(context, url, access, &clones) {
        Ok(at) => at,
        Err(shown) => return reversed(&shown),
    };
    let SshChoice { used, alternative } = match SshChoice::of(context, &clones) {
        Ok(choice) => choice,
        Err(WithoutValue) => return without_value(),
    };
    let program =
        held(&clones, |clone| clone.other_program(repository, access.key(), access.verb()));
    if let Some(setting) = program {
        return other_program(setting);
    }
    if !used.takes_ssh_options() {
        return other_options(&used);
    }
    let is_plain = used.by == ChosenBy::Plain;
    let by = (!is_plain).then(|| Evidence::new("ssh configured by", used.by.name()));
    let ask = |ssh: &SshCommand| {
        let ask = || ask(context, &at, access, ssh);
        context.connections.to(repository.host(), ask).unwrap_or_else(Answer::from)
    };
    let (answer, works) = thread::scope(|scope| {
        let works =
            alternative.as_ref().map(|other| pool::start(scope, move || ask(other).grants()));
        // a command of the repository's is not ours to run
        let answer = (used.by != ChosenBy::Clone).then(|| ask(&used));
        (answer, works.is_some_and(pool::Started::join))
    });
    let other = alternative.as_ref().map(|other| {
        let works = if works { "it works" } else { "it does not work" };
        Evidence::new("alternative", format!("with {} {works}", other.by.name()))
    });
    let Some(answer) = answer else { return of_clone(&used).with(by).with(other) };
    let outcome = judge(context, &PushQuestion { url, at: &at, access, clones: &clones }, &answer);
    let outcome = match &alternative {
        Some(other) if works && may_be_the_command(&outcome) => {
            used.broken(Some(other)).with(outcome.evidence)
        }
        // ssh itself is there
        Some(_) if answer.cannot_start() && !context.lacks_ssh() => {
            used.broken(None).with(outcome.evidence)
        }
        _ => outcome,
    };
    outcome.with(by).with(other)
}

/// What git hands ssh for the repository: as a clone in view has it, or its canonical remote by
/// git's rules. The error is what it becomes, safe to print, where that is nothing for ssh.
fn ssh_target(
    context: &Context,
    url: &SshUrl,
    access: Access,
    clones: &[&InView],
) -> Result<SshTarget, String> {
    let SshUrl { repository, written } = url;
    if let Some(written) = written {
        return Ok(written.target.clone());
    }
    if access == Access::Write {
        let rules = context.git_config_in(clones).url_rules("pushinsteadof", None);
        let becomes = rewrite(&rules, &repository.to_ssh());
        if GitUrl::parse(&becomes).is_ok_and(|url| !url.transport().is_ssh()) {
            return Err(redact(&becomes));
        }
    }
    Ok(SshTarget::canonical(repository, &routing::destination(repository)?))
}

/// The server would be asked to run another program, which our routing does not know, and the
/// doctor does not ask for.
fn other_program(program: &ConfigValue) -> Judgement {
    Judgement::unknown("a remote names another program for the server to run than git's own, which the doctor does not ask for",
        "`git push --dry-run` in the clone; or the setting taken out there",
    )
    .with([Evidence::foreign("setting", &program.key)])
}

/// git looks at this setting only when it connects, and ends there.
fn without_value() -> Judgement {
    Judgement::fail(
        Code::GitConfigInvalid,
        "core.sshCommand has no value in git's configuration, so git cannot connect over ssh",
        Fix::report(
            "`git config --show-origin --get-all core.sshCommand` names its file: take the line out there",
        ),
    )
}

/// What a server was asked.
struct PushQuestion<'a> {
    url: &'a SshUrl,
    at: &'a SshTarget,
    access: Access,
    /// The clones in view of this repository.
    clones: &'a [&'a InView],
}

/// What an answer means, whichever command brought it.
fn judge(context: &Context, asked: &PushQuestion, answer: &Answer) -> Judgement {
    let PushQuestion { access, clones, .. } = *asked;
    let Answer { said, obstacle, .. } = answer;
    let repository = &asked.url.repository;
    match obstacle {
        Some(PushObstacle::InputClosed(option)) => return ssh::input_closed(option),
        Some(PushObstacle::Port) => return without_port(),
        None => {}
    }
    match said {
        Err(failure) => ssh::unreachable(context, failure),
        Ok(output) if advertises(output) => {
            let offered = output.stdout.lines().next().unwrap_or_default();
            let wants_more = match clones {
                [] => context.git_config().wants_more_than(offered),
                clones => hold(clones, |clone| clone.config().wants_more_than(offered)),
            };
            if access == Access::Write && wants_more {
                let code = Code::PushOptionUnsupported;
                let summary = "git is set to sign pushes or to send options with them, and the server takes none";
                Judgement::fail(code, summary, push_message::fix(code, None))
            } else {
                Judgement::pass(access.granted())
            }
        }
        Ok(output) if is_garbled(output) => garbled(output),
        Ok(output) if output.stderr.trim().is_empty() => silent(output),
        Ok(output) => {
            let hints = hints(context, repository);
            let outcome = classify(&output.stderr, &hints).judgement();
            let may_be_routing =
                matches!(outcome.code, Some(Code::SshKeyRefused | Code::SshRouteBroken))
                    && context.has_key(repository);
            if let Some(cause) =
                may_be_routing.then(|| ssh::misrouted(context, repository)).flatten()
            {
                return cause.with(outcome.evidence);
            }
            if let Some(cause) = refused::cause(context, asked, answer, &outcome) {
                return cause.with(outcome.evidence);
            }
            if outcome.code == Some(Code::SshKeyRefused) && hints.key_is_ours == Some(true) {
                return withheld().with(outcome.evidence);
            }
            let is_of_key = outcome.actor == Some(Actor::RepoAdmin);
            outcome
                .with(is_of_key.then(|| ssh::installed(context, repository)).into_iter().flatten())
        }
    }
}

/// Whether the configured ssh command may be the cause: neither the server nor a known program
/// named another one, or the server refused a key or a right that it accepts with another command.
fn may_be_the_command(outcome: &Judgement) -> bool {
    match outcome.code {
        None => outcome.status == CheckStatus::Unknown,
        Some(code) => matches!(
            code,
            Code::PushUnrecognized
                | Code::PushTimeout
                | Code::SshMissing
                | Code::PushRepositoryNotFound
                | Code::PushKeyReadOnly
                | Code::PushDenied
                | Code::SshKeyRefused
                | Code::SshWrongKey
                | Code::SshInputClosed
                | Code::SshHostKeyUnknown
                | Code::SshHostKeyChanged
                | Code::SshRouteBroken
                | Code::SshConfigInvalid
                | Code::SshTooManyKeys
                | Code::SshProxyFailed
                | Code::SshOutputGarbled
        ),
    }
}

/// The server accepts the key where it is offered; routing names it, and another setting withholds
/// it.
fn withheld() -> Judgement {
    let summary = "the server accepts this repository's key, but a setting of ssh keeps it from being offered";
    let say = "see `ssh -G HOST`: PubkeyAcceptedAlgorithms, PubkeyAuthentication, CertificateFile or IdentitiesOnly";
    let outcome = Judgement::fail(Code::SshRouteBroken, summary, Fix::report(say));
    Judgement { actor: Some(Actor::WorkspaceUser), agent_may_fix: false, ..outcome }
}

/// git dies before it starts the command.
fn without_port() -> Judgement {
    Judgement::fail(
        Code::SshCommandBroken,
        "the remote has a port, and git passes no options to the configured ssh command, so it fails",
        Fix::report(
            "have the command answer to `-G` as ssh does, or set GIT_SSH_VARIANT=ssh if it accepts ssh's options",
        ),
    )
}

/// The refs are there, below something that is not git's.
fn garbled(output: &Output) -> Judgement {
    let first = output.stdout.lines().next().unwrap_or_default();
    let first: String = first.chars().take(80).collect();
    let code = Code::SshOutputGarbled;
    let summary = "something prints into the data that git reads from ssh";
    Judgement::fail(code, summary, push_message::fix(code, None))
        .with([Evidence::foreign("first printed", &first)])
}

/// There is no output that git could read.
fn silent(output: &Output) -> Judgement {
    let ended = match output.status.code() {
        Some(status) => format!("ended with status {status}"),
        None => "was killed".to_owned(),
    };
    let printed = if output.stdout.is_empty() { "nothing" } else { "nothing that git could read" };
    let first: String = output.stdout.lines().next().unwrap_or_default().chars().take(80).collect();
    Judgement::unknown(
        format!("the ssh that git starts printed {printed}, and {ended}"),
        "the same by hand: `git ls-remote URL`, with GIT_TRACE=1 to see which command git runs",
    )
    .coded(Code::PushUnrecognized)
    .fixed(Fix::report(
        "check the configured ssh command, and what the server does after the login",
    ))
    .with((!first.is_empty()).then(|| Evidence::foreign("first printed", &first)))
}

/// Whose key it was decides between neighbours: read-only here, or another repository's.
fn hints<'a>(context: &Context, repository: &'a Repository) -> Hints<'a> {
    let mut hints = Hints { remote: Some(repository), failed: true, ..Hints::default() };
    if context.has_key(repository) {
        let greeted = ssh::greet(context, repository).ok();
        hints.greeting = greeted.and_then(|output| Greeting::parse(&output.stderr));
        hints.key_is_ours = match &hints.greeting {
            Some(Greeting::Repository(name)) => Some(name.eq_ignore_ascii_case(repository.path())),
            Some(Greeting::User) | None => None,
        };
    }
    hints
}

fn reversed(shown: &str) -> Judgement {
    Judgement::fail(
        Code::RemoteReversed,
        "a rule of git's turns the SSH remote into another one, which ssh does not serve",
        Fix::report(super::git::TAKE_OUT),
    )
    .with([Evidence::foreign("becomes", shown)])
}

/// As plink's, or a command's that takes none.
fn other_options(used: &SshCommand) -> Judgement {
    Judgement::unknown(
        "git does not start the configured ssh command with ssh's options, so the doctor does not run it",
        "`git push --dry-run` in the clone; or GIT_SSH_VARIANT=ssh, if the command takes ssh's options",
    )
    .with([Evidence::foreign("command", &used.text)])
}

fn of_clone(used: &SshCommand) -> Judgement {
    Judgement::unknown("the clone names an ssh command of its own, which git runs there, and the doctor does not",
        "`git push --dry-run` in the clone, if you trust that command; or `git config --unset core.sshCommand` there",
    )
    .with([Evidence::foreign("core.sshCommand", &used.text)])
}
