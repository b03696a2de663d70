//! Which key ssh would choose for each repository: asked of ssh itself, which connects nowhere for
//! that.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use super::{SshFacts, closing_option};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::context::LOCAL;
use crate::doctor::home::PROVISIONED;
use crate::doctor::outcome::{self, CheckStatus, Evidence, Judgement};
use crate::git::url::Repository;
use crate::process::{self, Failure, Output};
use crate::proof::OtherSections;
use crate::provision::routing;
use crate::resource::entry::EntryName;
use crate::resource::file;
use crate::ssh_cli;
use crate::ssh_match;
use crate::state::subject::Subject;

pub type Printed = Result<Output, Failure>;

/// What ssh prints of what it would do. It connects nowhere.
pub fn effective(context: &Context, arguments: &[String]) -> Printed {
    let mut ssh = ssh_cli::effective();
    ssh.args(arguments);
    process::run(ssh, context.deadline(LOCAL))
}

/// The repository at the server itself, where its host is an alias of ssh's.
pub fn behind_alias(context: &Context, repository: &Repository) -> Option<Repository> {
    let deadline = context.deadline(LOCAL);
    let host = ssh_cli::hostname(repository.ssh_user(), repository.host(), deadline)?;
    let at_server = repository.at_host(&host)?;
    (at_server.host() != repository.host()).then_some(at_server)
}

/// What ssh prints for a repository, or for the alias of its own to which git's rules lead it.
pub struct Chosen {
    pub printed: Printed,
}

/// What ssh would do for the repository. `None`: it has no key.
pub fn chosen<'c>(context: &'c Context, repository: &Repository) -> Option<&'c Chosen> {
    let unasked = || context.keyed().map(|keyed| (keyed.clone(), OnceLock::new())).collect();
    let all = context.gathered.get(SshFacts::default).chosen.get_or_init(unasked);
    let (keyed, chosen) = all.iter().find(|(keyed, _)| keyed.same_as(repository))?;
    Some(chosen.get_or_init(|| ask(context, keyed)))
}

fn ask(context: &Context, repository: &Repository) -> Chosen {
    let rules = file::text(&context.home.state.join("gitconfig"));
    // git is asked only where rules of ours for an alias are in force
    let has_alias = rules.contains(&repository.to_alias());
    let alias = has_alias.then(|| routing::destination(repository).ok()).flatten();
    let at = alias.unwrap_or_else(|| repository.clone());
    let printed = effective(context, &ssh_cli::push(&at, repository));
    Chosen { printed }
}

/// The repositories about which ssh is asked: those that a clone in view has a remote of, those that
/// `--repo` names, and the first of each server where the repository that exists nowhere does not
/// stand for it.
///
/// `ssh -G` starts a process for each key of the host, so asking about every key takes time that
/// grows with the square of their number.
pub fn representatives<'c>(context: &'c Context) -> &'c [Repository] {
    let select = || {
        let mut servers = BTreeSet::new();
        let mut asked = Vec::new();
        for repository in context.keyed() {
            if servers.insert((repository.host(), repository.ssh_port()))
                && judge_by_probe(context, repository).is_none()
                || context.limited_to.iter().any(|named| named.same_as(repository))
                || context.clones.of(repository).next().is_some()
            {
                asked.push(repository.clone());
            }
        }
        asked
    };
    context.gathered.get(SshFacts::default).representatives.get_or_init(select)
}

fn is_as_written(context: &Context) -> bool {
    let compare = || routing::is_as_applied(context.home, context.desired);
    *context.gathered.get(SshFacts::default).is_as_written.get_or_init(compare)
}

/// What ssh was seen to make of the repository that exists nowhere: it follows our routing, in this
/// environment, to the program that it asks and to the key. `None`: it does not, or our files are
/// not byte for byte what apply writes.
fn followed<'c>(context: &'c Context) -> Option<&'c OtherSections> {
    let follow = || {
        let printed = &context.home.probed.as_ref()?.stdout;
        let key = context.home.key(&ssh_match::probe()?);
        let chosen = ssh_cli::value(printed, "identityfile").map(Path::new);
        // rules for an alias lead elsewhere
        let has_alias = || {
            let rules = file::text(&context.home.state.join("gitconfig"));
            rules.contains(".pushready.invalid")
        };
        if chosen != Some(&*key)
            || closing_option(printed).is_some()
            || !is_as_written(context)
            || has_alias()
        {
            return None;
        }
        let home = context.home.passwd.as_ref().ok()?;
        OtherSections::of(context.env, home, &context.home.state)
    };
    context.gathered.get(SshFacts::default).followed.get_or_init(follow).as_ref()
}

/// Whether ssh does for this user of this host what it was seen to do for the repository that exists
/// nowhere, but for the key: nothing in that keeps from a server what git sends.
pub fn is_as_probe(context: &Context, host: &str, user: &str) -> bool {
    let proof = followed(context).zip(ssh_match::probe());
    proof.is_some_and(|(sections, probe)| {
        sections.treat_alike(host, probe.host()) && user == probe.ssh_user()
    })
}

/// What this proves of a repository: its block differs from that of the other in names alone, and no
/// other configuration treats its host differently. `None`: it proves nothing.
pub fn judge_by_probe(context: &Context, repository: &Repository) -> Option<Judgement> {
    let is_alike = is_as_probe(context, repository.host(), repository.ssh_user());
    (is_alike && context.home.key(repository).exists()).then(|| {
        let proof = "the routing is as apply writes it, ssh follows it, and no other configuration \
                     treats this host differently";
        Judgement::pass("ssh chooses this repository's key").with([Evidence::new("proof", proof)])
    })
}

/// What the answer about the server's first repository proves of the others: our files are byte
/// for byte what apply writes, and ssh follows them. `None`: it proves nothing.
pub fn judge_by_representative(context: &Context, repository: &Repository) -> Option<Judgement> {
    let same_server = |other: &&Repository| {
        (other.host(), other.ssh_port()) == (repository.host(), repository.ssh_port())
    };
    let first = context.keyed().find(same_server)?;
    let proven = is_as_written(context)
        && judge(context, first, chosen(context, first)?).status == CheckStatus::Pass;
    proven.then(|| {
        let proof = format!(
            "the routing is as apply writes it, and ssh chooses the key of {}",
            first.short()
        );
        Judgement::pass("ssh chooses this repository's key").with([Evidence::new("proof", proof)])
    })
}

/// Routing that apply has never written cannot be broken: what kept apply from it is the cause, and
/// reported once.
pub fn unwritten(context: &Context) -> Option<Judgement> {
    let (code, summary, fix) = match context.receipt {
        None => (
            Code::NotProvisioned,
            "`pushready apply` never ran, so no routing was written",
            Fix::run(["pushready", "apply"], "run apply where the variables are set"),
        ),
        Some(receipt) if receipt.knows(&EntryName::SshInclude) => return None,
        Some(receipt) => {
            let refused =
                receipt.desired.refused.iter().find(|refused| refused.item == Subject::Routing)?;
            (
                refused.code,
                "the last apply could not write the routing",
                outcome::explained(refused.code),
            )
        }
    };
    Some(Judgement::fail(code, summary, fix).reported_by(PROVISIONED))
}

/// The copy of pushready that ssh asks for the key is not there, or is not a program: a shell runs an
/// empty file, which answers yes for each key.
pub fn copy_gone(context: &Context) -> Option<Judgement> {
    let is_asked = context.receipt.is_some_and(|receipt| receipt.knows(&EntryName::SshInclude));
    // our configuration is as long as there are keys, and each of them asks
    let look = || routing::lacking_copy(context.home);
    let facts = context.gathered.get(SshFacts::default);
    let binary = facts.lacking_copy.get_or_init(look).as_ref().filter(|_| is_asked)?;
    let summary =
        "the copy of pushready that ssh runs is missing or damaged, or cannot be executed";
    let fix = Fix::run(["pushready", "apply"], "run apply: it writes the routing again");
    let file = Evidence::new("file", binary.display().to_string());
    Some(Judgement::fail(Code::RouteBinaryGone, summary, fix).with([file]))
}

/// Which key the ssh of this environment would offer first for the repository.
pub fn judge(context: &Context, repository: &Repository, chosen: &Chosen) -> Judgement {
    let Chosen { printed } = chosen;
    let apply = || Fix::run(["pushready", "apply"], "run apply: it writes the routing again");
    if let Some(gone) = copy_gone(context) {
        return gone;
    }
    let chosen = match printed {
        Ok(output) => &output.stdout,
        Err(failure) => {
            return Judgement::unknown(
                "ssh did not report which key it would use",
                context.reason(failure),
            );
        }
    };
    let home = context.home.passwd.as_deref().ok();
    let offered = ssh_cli::identities(chosen, home);
    let chosen = offered.first().copied().unwrap_or("none");
    let wanted = context.home.key(repository);
    if file::is_same(Path::new(chosen), &wanted) {
        return Judgement::pass("ssh chooses this repository's key");
    }
    if offered.iter().any(|named| file::is_same(Path::new(named), &wanted)) {
        // a server that knows the other key is asked by the checks of the network
        let summary = "ssh offers another key before this repository's: a server that knows that \
                       one does not ask for ours";
        return Judgement::warn(Code::SshRouteBroken, summary, apply()).with([Evidence::new(
            "offers first",
            chosen,
        )
        .expected(wanted.display().to_string())]);
    }
    Judgement::fail(Code::SshRouteBroken, "ssh does not choose this repository's key", apply())
        .with([Evidence::new("would use", chosen).expected(wanted.display().to_string())])
}
