//! May this workspace read and write its repositories? Asked of the server itself, through the ssh that the agent's git will
//! run, without a clone and without touching a ref: the advertisement of git-receive-pack, then a flush.

mod asking;
mod live;
mod scratch;

use std::thread;

use super::Context;
use super::clones::InView;
use super::git;
use super::git_settings::Setting;
use super::outcome::{Evidence, Fix, Outcome, Status};
use super::push_message::{self, Greeting, Hints, classify};
use super::runner::Gate;
use super::ssh::{self, NETWORK};
use super::ssh_command::{By, Choice, SshCommand, WithoutValue};
use crate::catalogue::{Actor, Code};
use crate::git_url::{GitUrl, Repository, SshTarget, redact, rewrite};
use crate::process::{self, Failure, Output};
use crate::provision::routing;
use crate::variables::observed;
use asking::{Answer, Obstacle, advertises, ask, is_garbled};
pub use live::live;
use scratch::{Hash, Scratch};

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

    /// What remotes of the clones have in the place of that.
    fn programs<'a>(self, clones: &'a [&InView]) -> impl Iterator<Item = &'a Setting> {
        let name = match self {
            Self::Read => ".uploadpack",
            Self::Write => ".receivepack",
        };
        let remotes = clones.iter().flat_map(|clone| clone.settings().under("remote."));
        remotes.filter(move |setting| {
            setting.key.ends_with(name) && setting.value.as_deref() != Some(self.verb())
        })
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
    let clones: Vec<&InView> = context.clones.of(repository).collect();
    if let Some(outcome) = git::forbids_ssh(context, id, subject.clone(), &clones) {
        return outcome;
    }
    let at = match target(context, repository, access, &clones) {
        Ok(at) => at,
        Err(shown) => return reversed(id, subject, &shown),
    };
    let Choice { wins, otherwise } = match Choice::of(context, &clones) {
        Ok(choice) => choice,
        Err(WithoutValue) => return without_value(id, subject),
    };
    if let Some(program) = access.programs(&clones).next() {
        return other_program(id, subject, program);
    }
    let by = Evidence::new("ssh decided by", wins.by.name());
    let ask = |ssh: &SshCommand| gate.pass(|| ask(context, &at, access, ssh));
    let (answer, works) = thread::scope(|scope| {
        let works = otherwise.as_ref().map(|other| scope.spawn(|| ask(other).grants()));
        // a command of the repository's is not ours to run
        let answer = (wins.by != By::Clone).then(|| ask(&wins));
        (answer, works.is_some_and(|works| works.join().unwrap_or(false)))
    });
    let other = otherwise.as_ref().map(|other| {
        let works = if works { "it works" } else { "it does not work" };
        Evidence::new("otherwise", format!("with {} {works}", other.by.name()))
    });
    let Some(answer) = answer else { return of_clone(id, subject, &wins).with([by]).with(other) };
    let outcome = judge(context, repository, access, &answer, gate, &clones);
    let outcome = match &otherwise {
        Some(other) if works && blames_nobody(&outcome) => {
            wins.broken(id, subject, Some(other)).with(outcome.evidence)
        }
        // ssh itself is there
        Some(_) if answer.is_no_program() && !context.lacks_ssh() => {
            wins.broken(id, subject, None).with(outcome.evidence)
        }
        _ => outcome,
    };
    outcome.with([by]).with(other)
}

/// What git hands ssh for the repository: as the clone names it, or its canonical remote by git's rules. The error is what
/// it becomes, safe to print, where that is nothing for ssh.
fn target(
    context: &Context,
    repository: &Repository,
    access: Access,
    clones: &[&InView],
) -> Result<SshTarget, String> {
    let named = context.named.iter().find(|url| url.repository() == Some(repository));
    if let Some(target) = named.and_then(GitUrl::ssh_target) {
        return Ok(target);
    }
    if access == Access::Write {
        let settings = clones.first().map_or_else(|| context.git_settings(), |clone| clone.settings());
        let becomes = rewrite(&settings.push_rules(), &repository.to_ssh());
        if GitUrl::parse(&becomes).is_ok_and(|url| !url.transport().is_ssh()) {
            return Err(redact(&becomes));
        }
    }
    Ok(SshTarget::canonical(repository, &routing::destination(repository)?))
}

/// The server would be asked to run another program, which our routing does not know, and the doctor does not ask for.
fn other_program(id: &'static str, subject: Option<String>, program: &Setting) -> Outcome {
    Outcome::unknown(
        id,
        subject,
        "a remote names another program for the server to run than git's own, which the doctor does not ask for",
        "`git push --dry-run` in the clone; or the setting taken out there",
    )
    .with([Evidence::foreign("setting", &program.key)])
}

/// git looks at this setting only when it connects, and ends there.
fn without_value(id: &'static str, subject: Option<String>) -> Outcome {
    Outcome::fail(
        id,
        subject,
        Code::GitConfigInvalid,
        "core.sshCommand stands in git's configuration without a value, so git reaches nothing over ssh",
        Fix::report(
            "`git config --show-origin --get-all core.sshCommand` names its file: take the line out there",
        ),
    )
}

/// What an answer means, whichever command brought it.
fn judge(
    context: &Context,
    repository: &Repository,
    access: Access,
    Answer { said, obstacle }: &Answer,
    gate: &Gate,
    clones: &[&InView],
) -> Outcome {
    let id = access.id();
    let subject = Some(repository.to_ssh());
    match obstacle {
        Some(Obstacle::Deaf(option)) => return ssh::deaf(id, subject, option),
        Some(Obstacle::Port) => return without_port(id, subject),
        None => {}
    }
    match said {
        Err(failure) => ssh::unreachable(id, subject, failure),
        Ok(output) if advertises(output) => {
            let offered = output.stdout.lines().next().unwrap_or_default();
            let in_clones = || clones.iter().any(|clone| clone.settings().wants_more_than(offered));
            if access == Access::Write && (context.git_settings().wants_more_than(offered) || in_clones()) {
                let code = Code::PushOptionUnsupported;
                let summary =
                    "git is set to sign pushes or to send options with them, and the server takes none";
                Outcome::fail(id, subject, code, summary, push_message::fix(code, None))
            } else {
                Outcome::pass(id, subject, access.granted())
            }
        }
        Ok(output) if is_garbled(output) => garbled(id, subject, output),
        Ok(output) if output.stderr.trim().is_empty() => silent(id, subject, output),
        Ok(output) => {
            let hints = hints(context, repository, gate);
            let outcome =
                Outcome { subject: subject.clone(), ..classify(&output.stderr, &hints).outcome(id) };
            let may_be_routing = matches!(outcome.code, Some(Code::SshKeyRefused | Code::SshRouteBroken))
                && context.has_key(repository);
            if let Some(cause) = may_be_routing.then(|| ssh::misrouted(context, repository)).flatten() {
                return Outcome { id, subject, ..cause }.with(outcome.evidence);
            }
            if outcome.code == Some(Code::SshKeyRefused) && hints.key_is_ours == Some(true) {
                return withheld(id, subject).with(outcome.evidence);
            }
            let is_of_key = outcome.actor == Some(Actor::RepoAdmin);
            outcome.with(is_of_key.then(|| ssh::installed(context, repository)).into_iter().flatten())
        }
    }
}

/// Whether it may be the command that stands for ssh: neither the server nor a known program said what is wrong, or the
/// server said it of a key or a right, and grants all to another way to start ssh.
fn blames_nobody(outcome: &Outcome) -> bool {
    match outcome.code {
        None => outcome.status == Status::Unknown,
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
        ),
    }
}

/// The server takes the key where it is offered; routing names it, and another setting keeps it back.
fn withheld(id: &'static str, subject: Option<String>) -> Outcome {
    let summary =
        "the server takes this repository's key, and a setting of ssh's keeps it from being offered";
    let say = "see `ssh -G HOST`: PubkeyAcceptedAlgorithms, PubkeyAuthentication, CertificateFile or IdentitiesOnly";
    let outcome = Outcome::fail(id, subject, Code::SshRouteBroken, summary, Fix::report(say));
    Outcome { actor: Some(Actor::WorkspaceUser), agent_may_fix: false, ..outcome }
}

/// git dies before it starts the command.
fn without_port(id: &'static str, subject: Option<String>) -> Outcome {
    Outcome::fail(
        id,
        subject,
        Code::SshCommandBroken,
        "the remote has a port, and git gives the command in the place of ssh no options, so it ends there",
        Fix::report(
            "have the command answer to `-G` as ssh does, or set GIT_SSH_VARIANT=ssh if it takes ssh's options",
        ),
    )
}

/// The refs are there, below something that is not git's.
fn garbled(id: &'static str, subject: Option<String>, output: &Output) -> Outcome {
    let first = output.stdout.lines().next().unwrap_or_default();
    let first: String = first.chars().take(80).collect();
    let code = Code::SshOutputGarbled;
    let summary = "something prints into the data that git reads from ssh";
    Outcome::fail(id, subject, code, summary, push_message::fix(code, None))
        .with([Evidence::foreign("first printed", &first)])
}

/// Nothing stands there to be read.
fn silent(id: &'static str, subject: Option<String>, output: &Output) -> Outcome {
    let ended = match output.status.code() {
        Some(status) => format!("ended with status {status}"),
        None => "was killed".to_owned(),
    };
    let printed = if output.stdout.is_empty() { "nothing" } else { "nothing that git could read" };
    let first: String = output.stdout.lines().next().unwrap_or_default().chars().take(80).collect();
    Outcome::unknown(
        id,
        subject,
        format!("the ssh that git starts printed {printed}, and {ended}"),
        "the same by hand: `git ls-remote URL`, with GIT_TRACE=1 to see which command git runs",
    )
    .coded(Code::PushUnrecognized)
    .fixed(Fix::report(
        "look at the command that stands for ssh, and at what the server does after the login",
    ))
    .with((!first.is_empty()).then(|| Evidence::foreign("first printed", &first)))
}

/// Whose key it was decides between neighbours: read-only here, or another repository's.
fn hints<'a>(context: &Context, repository: &'a Repository, gate: &Gate) -> Hints<'a> {
    let mut hints = Hints { remote: Some(repository), failed: true, ..Hints::default() };
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

/// Over HTTPS, with whatever credentials the agent's git would find; outside of any clone, whose configuration could name
/// a helper of its own.
pub fn over_https(context: &Context, url: &GitUrl, access: Access) -> Outcome {
    let id = access.id();
    let subject = Some(url.to_string());
    if let Some(outcome) = git::keeps_from_pushing(context, id, subject.clone()) {
        return outcome;
    }
    let cannot = |why: String| Outcome::unknown(id, subject.clone(), "the probe could not be made", why);
    let mut scratch = match Scratch::new(context, Hash::Sha1) {
        Ok(scratch) => scratch,
        Err(why) => return cannot(why),
    };
    let run = |command| process::run(command, context.deadline(NETWORK));
    let ask = |scratch: &Scratch| {
        let mut git = scratch.git();
        match access {
            Access::Read => {
                git.args(["ls-remote", "--quiet", "--exit-code", url.without_credential(), "HEAD"])
            }
            // asks for credentials and for the right to write, and sends nothing
            Access::Write => {
                let refspec = format!("{}:refs/heads/pushready-probe", scratch.commit);
                git.args(["push", "--quiet", "--dry-run", "--no-verify", url.without_credential(), &refspec])
            }
        };
        run(git)
    };
    let mut said = ask(&scratch);
    if said.as_ref().is_ok_and(Hash::is_another) {
        scratch = match Scratch::new(context, Hash::Sha256) {
            Ok(scratch) => scratch,
            Err(why) => return cannot(why),
        };
        said = ask(&scratch);
    }
    let output = match said {
        Ok(output) => output,
        Err(Failure::Deadline) => return hung(context, id, subject, &scratch, url.without_credential()),
        Err(failure) => return cannot(failure.to_string()),
    };
    if output.status.success() {
        return Outcome::pass(id, subject, access.granted());
    }
    // there is no HEAD: in an empty repository, or on any page that answers
    if access == Access::Read && output.status.code() == Some(2) {
        let mut git = scratch.git();
        git.args(["ls-remote", "--quiet", url.without_credential()]).env("GIT_TRACE_PACKET", "1");
        return if run(git).is_ok_and(|traced| traced.stderr.contains("packet:")) {
            Outcome::pass(id, subject, access.granted())
        } else {
            no_git(id, subject)
        };
    }
    let hints = Hints { remote: url.repository(), failed: true, ..Hints::default() };
    let outcome = Outcome { subject, ..classify(&output.stderr, &hints).outcome(id) };
    let outside = context.git_settings();
    // git in the clone may find a credential that git outside of it does not
    let differs = |clone: &InView| {
        ["credential.", "http."]
            .iter()
            .any(|section| clone.settings().under(section).ne(outside.under(section)))
    };
    let has_own = url.repository().is_some_and(|repository| context.clones.of(repository).any(differs));
    if outcome.code == Some(Code::PushNoCredentials) && (has_own || url.has_credential()) {
        return Outcome::unknown(
            id,
            outcome.subject,
            "the clone has a credential or a setting for HTTPS of its own, which the doctor does not use",
            "`git push --dry-run` in the clone",
        )
        .coded(Code::PushNoCredentials)
        .fixed(Fix::report("see that `git push --dry-run` in the clone goes through"));
    }
    outcome
}

/// A login page, or that of a captive network, answers to everything.
fn no_git(id: &'static str, subject: Option<String>) -> Outcome {
    let summary = "what answers there does not speak git: a login page, the page of a captive network, or a file server";
    Outcome::unknown(id, subject, summary, "what a browser shows at the remote's URL")
        .coded(Code::PushNoCredentials)
        .fixed(push_message::fix(Code::PushNoCredentials, None))
}

/// `coder gitaskpass` waits for a login in a browser, and never returns in a workspace without anybody. With an askpass that
/// knows nothing git ends at once, unless it is the server that does not answer.
fn hung(
    context: &Context,
    id: &'static str,
    subject: Option<String>,
    scratch: &Scratch,
    url: &str,
) -> Outcome {
    let askpass = context.env.text(observed::GIT_ASKPASS).filter(|_| {
        let mut git = scratch.git();
        git.args(["ls-remote", "--quiet", url, "HEAD"]).env(observed::GIT_ASKPASS, "true");
        process::run(git, context.deadline(NETWORK)).is_ok()
    });
    match askpass {
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
