//! May this workspace read and write its repositories? Asked of the server itself, through the ssh
//! that the agent's git will run, without a clone and without touching a ref: the advertisement of
//! git-receive-pack, then a flush.

mod asking;
mod by_git;
mod foreseen;
mod https_way;
mod identity;
mod live;
mod refused;
mod server_branch;
mod target;

use std::sync::OnceLock;
use std::thread;

use super::clones::{InView, held, hold};
use super::git;
use super::git::setting::SettingChange;
use super::outcome::{CheckStatus, Evidence, Judgement};
use super::pool;
use super::push_url::{PushUrl, SshUrl, Transit};
use super::ssh;
use super::ssh::command::{ChosenBy, SshChoice, SshCommand, WithoutValue};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::context::Context;
use crate::git::url::{GitUrl, Repository, SshTarget, UrlRule, redact, rewrite};
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::ConfigValue;
use crate::process::Output;
use crate::provision::routing;
use crate::push_message::{self, Greeting, Hints, classify};
use asking::{Answer, PushObstacle, advertises, ask, is_garbled};
use by_git::{CloneWay, over_git};
pub use identity::identity;
pub use live::live;
use server_branch::ServerBranch;
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

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
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
    context.gathered.get(|| ask_git(context));
    if let Some(judgement) = git::keeps_from_pushing(context) {
        return judgement;
    }
    if access == Access::Write && !url.is_pushed_to {
        return Judgement::skip("no remote in view pushes there");
    }
    match (access, written(context, url)) {
        (Access::Write, Some(written)) => written.judgement.clone(),
        (Access::Read, Some(written)) => match written.read(context, url) {
            Some(judgement) => judgement,
            None => ask_server(context, url, access, CloneWay::LeadsThere).judgement,
        },
        (_, None) => ask_server(context, url, access, CloneWay::Unknown).judgement,
    }
}

/// git was asked all on which a question to a server depends.
struct GitAsked;

/// Side by side, so that no server waits for git twice.
fn ask_git(context: &Context) -> GitAsked {
    // git would not end
    if ConfigError::blocking(context.home).is_none() {
        thread::scope(|scope| {
            let error = pool::start(scope, || context.git_config_error().is_some());
            let forbidden = git::forbids_ssh(context, &[]).is_some();
            let _ = (error.join(), forbidden);
        });
    }
    GitAsked
}

/// What the servers answered about write access: each push URL is asked about once.
#[derive(Default)]
struct WriteFacts(OnceLock<Vec<(String, OnceLock<WriteAnswer>)>>);

/// The judgement on write access.
struct WriteAnswer {
    judgement: Judgement,
    /// Where ssh connected to; the same for git as the URL.
    asked: Option<SshTarget>,
    is_granted: bool,
    /// The fingerprint of the key that the server accepted, where ssh logs it.
    accepted: Option<String>,
    /// What the server has beside the branch of the current clone.
    branch: Option<ServerBranch>,
}

/// The fact of one push URL. `None`: nothing pushes there.
fn written<'c>(context: &'c Context, url: &PushUrl) -> Option<&'c WriteAnswer> {
    let all = context.gathered.get(WriteFacts::default).0.get_or_init(|| {
        let pushed = context.push_urls.iter().filter(|url| url.is_pushed_to);
        pushed.map(|url| (url.text(), OnceLock::new())).collect()
    });
    let text = url.text();
    let (_, written) = all.iter().find(|(known, _)| *known == text)?;
    Some(written.get_or_init(|| ask_server(context, url, Access::Write, CloneWay::Unknown)))
}

impl WriteAnswer {
    /// What it says about read access. `None`: the server is to be asked.
    fn read(&self, context: &Context, url: &PushUrl) -> Option<Judgement> {
        let Self { judgement, asked, is_granted, .. } = self;
        let is_read_there = || match &url.way {
            Transit::Ssh(url) => asked.as_ref().is_some_and(|at| is_read_there(context, url, at)),
            Transit::Git(_) => true,
        };
        let decides = *is_granted || judgement.code.is_some_and(is_before_access);
        if !decides || !is_read_there() {
            return None;
        }
        if !is_granted {
            return Some(judgement.clone());
        }
        // on every forge that is known
        let by = Evidence::new("proven by", "write access, which implies read access");
        Some(Judgement::pass(Access::Read.granted()).with([by]))
    }
}

/// Whether the server was not reached, or does not answer: each further question would be waited for
/// as long again.
fn is_unreachable(code: Code) -> bool {
    git::way::is_of_network(code)
        || matches!(
            code,
            Code::PushTimeout
                | Code::SshPortBlocked
                | Code::SshHostUnresolved
                | Code::SshProxyFailed
                | Code::NetworkSandboxed
        )
}

/// Whether it shows before the server knows which access is asked for: then the cause of both is one,
/// with one evidence.
fn is_before_access(code: Code) -> bool {
    is_unreachable(code)
        || matches!(
            code,
            Code::SshHostKeyUnknown
                | Code::SshHostKeyChanged
                | Code::SshConfigInvalid
                | Code::SshConfigPermissions
                | Code::SshControlPath
                | Code::SshMissing
                | Code::GitsshBlocked
                | Code::SshKeyRefused
                | Code::SshTooManyKeys
                | Code::KeyPermissions
                | Code::KeyEncrypted
                | Code::KeyMalformed
        )
}

/// Whether git reads from the server at which it was asked about write access.
fn is_read_there(context: &Context, url: &SshUrl, written_to: &SshTarget) -> bool {
    let clones: Vec<&InView> = context.clones.of(&url.repository).collect();
    question(context, url, Access::Read, &clones).is_ok_and(|(at, _)| at == *written_to)
}

fn ask_server(context: &Context, url: &PushUrl, access: Access, way: CloneWay) -> WriteAnswer {
    match &url.way {
        Transit::Ssh(url) => ask_over_ssh(context, url, access),
        Transit::Git(url) => {
            let judgement = over_git(context, url, access, way);
            let is_granted = judgement.status == CheckStatus::Pass;
            WriteAnswer { judgement, asked: None, is_granted, accepted: None, branch: None }
        }
    }
}

fn ask_over_ssh(context: &Context, url: &SshUrl, access: Access) -> WriteAnswer {
    let clones: Vec<&InView> = context.clones.of(&url.repository).collect();
    let (at, choice) = match question(context, url, access, &clones) {
        Ok(question) => question,
        Err(judgement) => {
            let judgement = *judgement;
            let (asked, accepted, branch) = (None, None, None);
            return WriteAnswer { judgement, asked, is_granted: false, accepted, branch };
        }
    };
    let asked = PushQuestion { url, at: &at, access, clones: &clones };
    let (answer, alternative_works) = answers(context, &asked, &choice);
    let is_granted = answer.as_ref().is_some_and(Answer::grants);
    let accepted = answer.as_ref().and_then(|answer| answer.accepted.clone());
    let listed = answer.as_ref().filter(|_| is_granted && access == Access::Write);
    let head = listed.filter(|_| clones.iter().any(|clone| clone.is_current));
    let branch = head.and_then(|answer| {
        let branch = &git::of_head(context)?.name;
        Some(ServerBranch::of(branch, &answer.said.as_ref().ok()?.stdout))
    });
    let answered = answer.map(|answer| Answered {
        // ssh itself is installed
        cannot_start: answer.cannot_start() && !context.lacks_ssh(),
        judgement: judge(context, &asked, &answer),
    });
    let is_missing = answered.is_none() && choice.used.is_missing(context);
    let judgement = if is_missing {
        choice.used.broken(None)
    } else {
        conclude(&choice, access, answered, alternative_works)
    };
    let judgement = led_away(url, &at, judgement);
    let key = accepted.as_ref().filter(|_| is_granted).map(|accepted| {
        let key = Evidence::new("accepted key", accepted);
        let other = context.fingerprint(&url.repository).filter(|ours| ours != accepted);
        other.map_or(key.clone(), |ours| key.expected(ours))
    });
    WriteAnswer { judgement: judgement.with(key), asked: Some(at), is_granted, accepted, branch }
}

/// What git would connect to, and with which ssh. The error is why the server is not asked.
fn question(
    context: &Context,
    url: &SshUrl,
    access: Access,
    clones: &[&InView],
) -> Result<(SshTarget, SshChoice), Box<Judgement>> {
    if let Some(judgement) = git::forbids_ssh(context, clones) {
        return Err(Box::new(judgement));
    }
    let at = ssh_target(context, url, access, clones)?;
    let choice = SshChoice::of(context, clones).map_err(|WithoutValue| without_value())?;
    let is_other =
        |clone| InView::other_program(clone, &url.repository, access.key(), access.verb());
    if let Some(setting) = held(clones, is_other) {
        return Err(Box::new(other_program(setting)));
    }
    if !choice.used.takes_ssh_options() {
        let is_missing = choice.used.is_missing(context);
        let used = &choice.used;
        return Err(Box::new(if is_missing { used.broken(None) } else { other_options(used) }));
    }
    Ok((at, choice))
}

/// Asks the server with the configured ssh command, and at the same time with the alternative:
/// whether that one works. `None`: a command of the repository is not ours to run.
fn answers(context: &Context, asked: &PushQuestion, choice: &SshChoice) -> (Option<Answer>, bool) {
    let ask = |ssh: &SshCommand| {
        let ask = || ask(context, asked.at, asked.access, ssh);
        context.connections.to(asked.url.repository.host(), ask).unwrap_or_else(Answer::from)
    };
    thread::scope(|scope| {
        let alternative = choice.alternative.as_ref();
        let works = alternative.map(|other| pool::start(scope, move || ask(other).grants()));
        let answer = (choice.used.by != ChosenBy::Clone).then(|| ask(&choice.used));
        (answer, works.is_some_and(pool::Started::join))
    })
}

/// What the configured ssh command brought.
struct Answered {
    judgement: Judgement,
    cannot_start: bool,
}

/// Whether the configured ssh command is the cause, and what is known of it. Pure.
fn conclude(
    choice: &SshChoice,
    access: Access,
    answered: Option<Answered>,
    alternative_works: bool,
) -> Judgement {
    let SshChoice { used, alternative } = choice;
    let judgement = match (answered, alternative) {
        (None, _) => of_clone(used),
        (Some(Answered { judgement, .. }), Some(other))
            if alternative_works && may_be_the_command(&judgement) =>
        {
            used.broken(Some(other)).with(judgement.evidence)
        }
        (Some(Answered { judgement, cannot_start: true }), Some(_)) => {
            used.broken(None).with(judgement.evidence)
        }
        (Some(Answered { judgement, .. }), _) => judgement,
    };
    let is_plain = used.by == ChosenBy::Plain;
    let by = (!is_plain).then(|| Evidence::new("ssh configured by", used.by.name()));
    let other = alternative.as_ref().map(|other| {
        let (half, works) = (access.name(), if alternative_works { "works" } else { "fails" });
        Evidence::new("alternative", format!("with {} {half} access {works}", other.by.name()))
    });
    judgement.with(by).with(other)
}

/// What git hands ssh for the repository: as a clone in view has it, or its canonical remote by
/// git's rules. The error is what it becomes, safe to print, where that is nothing for ssh.
fn ssh_target(
    context: &Context,
    url: &SshUrl,
    access: Access,
    clones: &[&InView],
) -> Result<SshTarget, Box<Judgement>> {
    let SshUrl { repository, written } = url;
    if let Some(written) = written {
        return Ok(written.target.clone());
    }
    if access == Access::Write {
        let rules = context.git_config_in(clones).url_rules("pushinsteadof", None);
        let canonical = repository.to_ssh();
        let becomes = rewrite(&rules, &canonical);
        if becomes != canonical {
            // another server of the repository says whether it takes the push
            let url = GitUrl::parse(&becomes).ok();
            let is_it = url
                .as_ref()
                .and_then(GitUrl::repository)
                .is_some_and(|it| it.path().eq_ignore_ascii_case(repository.path()));
            return match url.and_then(|url| url.ssh_target()) {
                Some(target) if is_it => Ok(target),
                Some(_) => Err(Box::new(elsewhere(&becomes))),
                None => Err(Box::new(reversed(&redact(&becomes)))),
            };
        }
    }
    let destination =
        destination(context, repository).map_err(|shown| Box::new(reversed(&shown)))?;
    Ok(SshTarget::canonical(repository, &destination))
}

/// A rule of the user's leads the repository's own remote to another server, which refuses: nearer
/// than what that server or ssh says. Pure.
fn led_away(url: &SshUrl, at: &SshTarget, judgement: Judgement) -> Judgement {
    let repository = &url.repository;
    let is_own = repository.ssh_hosts().contains(&at.host())
        || repository.alias(repository.host()) == at.host();
    if url.written.is_some() || is_own || judgement.status != CheckStatus::Fail {
        return judgement;
    }
    let summary =
        "an insteadOf or pushInsteadOf rule leads this remote to another server, which refuses";
    let code = judgement.code.map(|code| Evidence::new("refused with", code.to_string()));
    Judgement::fail(Code::RemoteReversed, summary, Fix::report(super::git::REMOVE_RULE))
        .with([Evidence::foreign("becomes", &format!("{}:{}", at.to, at.path))])
        .with(code)
        .with(judgement.evidence)
}

/// git's rules outside of any clone, which each question about a repository reads.
struct RulesOutside(Vec<UrlRule>);

/// Where git leads a repository's canonical remote outside of any clone.
fn destination(context: &Context, repository: &Repository) -> Result<Repository, String> {
    let config = context.git_config();
    if config.is_empty() {
        return routing::destination(repository);
    }
    let rules = context.gathered.get(|| RulesOutside(config.url_rules("insteadof", None)));
    routing::destination_by(&rules.0, repository)
}

/// The server would be asked to run another program, which our routing does not know, and the
/// doctor does not ask for.
fn other_program(program: ConfigValue) -> Judgement {
    Judgement::unknown(
        "a remote sets another program for the server to run, and the doctor does not request that",
        "`git push --dry-run` in the clone; or that setting removed there",
    )
    .with([Evidence::foreign("setting", program.key)])
}

/// git looks at this setting only when it connects, and ends there.
fn without_value() -> Judgement {
    Judgement::fail(
        Code::GitConfigInvalid,
        "core.sshCommand has no value in git's configuration, so git cannot connect over ssh",
        Fix::report(
            "`git config --show-origin --get-all core.sshCommand` shows its file: remove the line there",
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
        Ok(output) if advertises(output) && is_other_host(&output.stderr) => {
            let code = Code::SshHostKeyChanged;
            let summary = "the server's host key is not the known one, and ssh goes on all the same: strict checking is switched off";
            Judgement::fail(code, summary, push_message::fix(code, Some(repository)))
        }
        Ok(output) if advertises(output) => {
            let offered = output.stdout.lines().next().unwrap_or_default();
            let wants_more = match clones {
                [] => context.git_config().wants_more_than(offered),
                clones => hold(clones, |clone| clone.config().wants_more_than(offered)),
            };
            if access == Access::Write
                && let Some(hash) = hold_hash(clones).filter(|hash| !takes_hash(offered, hash))
            {
                return other_hash(hash);
            }
            if access == Access::Write && wants_more {
                let code = Code::PushOptionUnsupported;
                let summary = "git is configured to sign pushes or to send push options, which the server does not support";
                let fix = without_option(context, clones, offered);
                let fix = fix.unwrap_or_else(|| push_message::fix(code, None));
                Judgement::fail(code, summary, fix)
            } else {
                Judgement::pass(access.granted())
            }
        }
        Ok(output) if is_garbled(output) => garbled(output),
        Ok(output) if output.stderr.trim().is_empty() && answer.is_refusal() => {
            refused::in_unknown_words().with(silent(output).evidence)
        }
        Ok(output) if output.stderr.trim().is_empty() => silent(output),
        Ok(output) => {
            let hints = hints(context, repository);
            let outcome = classify(&output.stderr, &hints).judgement();
            // which knows the folder
            let shown = || ssh::config(context).fix.filter(|_| !context.lacks_ssh());
            let outcome = match outcome.code {
                Some(Code::SshControlPath) => match shown() {
                    Some(fix) => outcome.fixed(fix),
                    None => outcome,
                },
                _ => outcome,
            };
            let may_be_routing = outcome.code.is_some_and(is_of_key) && context.has_key(repository);
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
            let outcome = match (outcome.code, &hints.greeting) {
                // these are the words of the server
                (Some(Code::RepositoryOtherOwner), _) => {
                    let found = Judgement::found(push_message::owned_by_another_on_server());
                    Judgement { transient: false, ..found }.with(outcome.evidence)
                }
                // ssh and the server share no algorithm, which no waiting changes
                (Some(Code::PushUnrecognized), _)
                    if output.stderr.contains("Unable to negotiate with") =>
                {
                    Judgement { status: CheckStatus::Fail, ..outcome }
                }
                (Some(Code::PushUnrecognized), _) if answer.is_refusal() => {
                    refused::in_unknown_words().with(outcome.evidence)
                }
                (Some(Code::SshWrongKey), Some(Greeting::Repository(owner))) => {
                    outcome.fixed(ssh::wrong_key_fix(repository, owner))
                }
                _ => outcome,
            };
            let is_of_key = outcome.actor == Some(Actor::RepoAdmin);
            outcome
                .with(is_of_key.then(|| ssh::installed(context, repository)).into_iter().flatten())
        }
    }
}

/// Whether the server, or ssh, may report so because ssh offered another key than this
/// repository's, or none.
const fn is_of_key(code: Code) -> bool {
    matches!(
        code,
        Code::SshKeyRefused
            | Code::SshRouteBroken
            | Code::SshWrongKey
            | Code::PushRepositoryNotFound
    )
}

/// Whether ssh warns of another host key than the known one.
fn is_other_host(stderr: &str) -> bool {
    stderr.to_ascii_lowercase().contains("remote host identification has changed")
}

/// How the clone names its objects.
fn hold_hash<'a>(clones: &[&'a InView]) -> Option<&'a str> {
    held(clones, |clone| Some(clone.config().own_text("extensions.objectformat").unwrap_or(SHA1)))
}

/// What git and servers use where nothing names another (gitprotocol-capabilities(5)).
const SHA1: &str = "sha1";

/// Whether the server, by the first line of its refs, takes objects of this hash. Pure.
fn takes_hash(offered: &str, hash: &str) -> bool {
    let mut formats = offered
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("object-format="))
        .peekable();
    match formats.peek() {
        Some(_) => formats.any(|format| format.eq_ignore_ascii_case(hash)),
        // the first line of protocol version 2 names no capabilities
        None => hash.eq_ignore_ascii_case(SHA1) || offered.starts_with("000eversion"),
    }
}

/// Removes the setting of a push that the server does not support, where that is of the current clone
/// or of every one.
fn without_option(context: &Context, clones: &[&InView], offered: &str) -> Option<Fix> {
    let config = match clones.iter().find(|clone| clone.is_current) {
        Some(clone) => clone.config(),
        None => context.git_config(),
    };
    let signs = config.is_true("push.gpgsign") && !offered.contains("push-cert");
    let key = if signs { "push.gpgSign" } else { "push.pushOption" };
    config.wants_more_than(offered).then(|| {
        git::setting::change(context, config, key, SettingChange::Remove, "remove the setting")
    })
}

fn other_hash(hash: &str) -> Judgement {
    let code = Code::GitCloneBroken;
    let summary = "the clone names its objects by another hash than the server, so no push works";
    Judgement::fail(code, summary, push_message::fix(code, None))
        .with([Evidence::foreign("hash of the clone", hash)])
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
    let summary = "the server accepts this repository's key, but a setting of ssh prevents ssh from offering it";
    let say = "see `ssh -G HOST`: PubkeyAcceptedAlgorithms, PubkeyAuthentication, CertificateFile or IdentitiesOnly";
    let outcome = Judgement::fail(Code::SshRouteBroken, summary, Fix::report(say));
    Judgement { actor: Some(Actor::WorkspaceUser), agent_may_fix: false, ..outcome }
}

/// git dies before it starts the command.
fn without_port() -> Judgement {
    Judgement::fail(
        Code::SshCommandBroken,
        "the remote has a port, but git passes no options to the configured ssh command, so it cannot connect",
        Fix::report(
            "make the command answer `-G` as ssh does, or set GIT_SSH_VARIANT=ssh if it accepts ssh's options",
        ),
    )
}

/// The refs are in the output, after something that is not git's.
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

/// Whose key the server accepted: this decides between a read-only key and the key of another
/// repository.
fn hints<'a>(context: &Context, repository: &'a Repository) -> Hints<'a> {
    let mut hints = Hints { remote: Some(repository), failed: true, ..Hints::default() };
    if context.has_key(repository) {
        let greeted = ssh::greet(context, repository).and_then(|said| said.as_ref().ok());
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
        "an insteadOf rule rewrites the SSH remote to a URL that does not use SSH",
        Fix::report(super::git::REMOVE_RULE),
    )
    .with([Evidence::foreign("becomes", shown)])
}

/// No push reaches the repository, be it on purpose.
fn elsewhere(becomes: &str) -> Judgement {
    Judgement::warn(
        Code::RemotePushElsewhere,
        "a pushInsteadOf rule leads pushes to another repository",
        Fix::report(super::git::REMOVE_RULE),
    )
    .with([Evidence::foreign("becomes", &redact(becomes))])
}

/// Options of plink, or a command that takes none.
fn other_options(used: &SshCommand) -> Judgement {
    Judgement::unknown(
        "git does not start the configured ssh command with ssh's options, so the doctor does not run it",
        "`git push --dry-run` in the clone; or GIT_SSH_VARIANT=ssh, if the command takes ssh's options",
    )
    .with([Evidence::foreign("command", &used.text)])
}

fn of_clone(used: &SshCommand) -> Judgement {
    Judgement::unknown(
        "the clone configures its own ssh command, which git runs there, and the doctor does not",
        "`git push --dry-run` in the clone, if you trust that command; or `git config --unset core.sshCommand` there",
    )
    .with([Evidence::foreign("core.sshCommand", &used.text)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_the_cause_where_another_one_works_or_it_cannot_start() {
        use ChosenBy::{Clone, Plain, Variable};
        let broken = Some(Code::SshCommandBroken);
        let refused = || Judgement::fail(Code::SshKeyRefused, "refused", Fix::wait("fix"));
        let hook = || Judgement::fail(Code::PushHookDeclined, "hook", Fix::wait("fix"));
        let pass = || Judgement::pass("pass");
        let unknown = || Judgement::unknown("unknown", "more");
        let answered = |judgement, cannot_start| Some(Answered { judgement, cannot_start });
        for (by, has_other, answered, works, code, status) in [
            (Plain, false, answered(pass(), false), false, None, CheckStatus::Pass),
            (
                Plain,
                false,
                answered(refused(), false),
                false,
                Some(Code::SshKeyRefused),
                CheckStatus::Fail,
            ),
            (Variable, true, answered(pass(), false), true, None, CheckStatus::Pass),
            (Variable, true, answered(refused(), false), true, broken, CheckStatus::Fail),
            (
                Variable,
                true,
                answered(refused(), false),
                false,
                Some(Code::SshKeyRefused),
                CheckStatus::Fail,
            ),
            // the server declined it, whichever command brought it there
            (
                Variable,
                true,
                answered(hook(), false),
                true,
                Some(Code::PushHookDeclined),
                CheckStatus::Fail,
            ),
            (Variable, true, answered(unknown(), false), true, broken, CheckStatus::Fail),
            (Variable, true, answered(unknown(), true), false, broken, CheckStatus::Fail),
            (Variable, false, answered(unknown(), true), false, None, CheckStatus::Unknown),
            (Clone, true, None, true, None, CheckStatus::Unknown),
            (Clone, true, None, false, None, CheckStatus::Unknown),
        ] {
            let choice = SshChoice {
                used: SshCommand::of(by, "command"),
                alternative: has_other.then(|| SshCommand::of(Plain, "ssh")),
            };
            let judgement = conclude(&choice, Access::Write, answered, works);
            assert_eq!((judgement.code, judgement.status), (code, status), "{by:?} {works}");
            let labels: Vec<_> = judgement.evidence.iter().map(|line| line.label).collect();
            assert_eq!(labels.contains(&"ssh configured by"), by != Plain, "{by:?}");
            assert_eq!(labels.contains(&"alternative"), has_other, "{by:?}");
        }
    }
}
