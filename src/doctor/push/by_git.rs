//! Asked of git itself, as over HTTPS: with whatever credentials the agent's git would find.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::Access;
use super::https_way::OwnWay;
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::doctor::clones::InView;
use crate::doctor::connections::RunEnded;
use crate::doctor::context::Context;
use crate::doctor::context::NETWORK;
use crate::doctor::git::{self, way};
use crate::doctor::outcome::{Evidence, Judgement, Reason};
use crate::doctor::ssh;
use crate::git::url::{GitUrl, Repository};
use crate::git_cli::scratch::{Hash, Scratch};
use crate::process::{self, Bounds, Failure};
use crate::push_message::{self, Hints, classify};
use crate::variables::{self, observed};

/// Whether the clone's own way to the server is still to be asked: it is the same for both halves of
/// access.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CloneWay {
    Unknown,
    LeadsThere,
}

/// Outside of any clone, whose configuration could name a helper of its own.
pub fn over_git(context: &Context, url: &GitUrl, access: Access, way: CloneWay) -> Judgement {
    if url.repository().is_some_and(|repository| context.has_key(repository)) {
        return git::still_https().reported_by(git::REMOTES);
    }
    let host = url.repository().map_or("", Repository::host);
    let ended = |RunEnded| ssh::unreachable(context, &RunEnded.into());
    context.connections.to(host, || probe(context, url, access, way)).unwrap_or_else(ended)
}

/// The repositories that git asks from, by their hash: nothing is written into one, so that one serves
/// for all servers.
#[derive(Default)]
struct Scratches(Mutex<BTreeMap<Hash, Arc<Scratch>>>);

impl Scratches {
    fn get(context: &Context, hash: Hash) -> Result<Arc<Scratch>, String> {
        let Self(made) = context.gathered.get(Self::default);
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scratch) = made.get(&hash) {
            return Ok(Arc::clone(scratch));
        }
        let scratch = Arc::new(Scratch::new(hash, || context.deadline(NETWORK))?);
        made.insert(hash, Arc::clone(&scratch));
        Ok(scratch)
    }
}

fn probe(context: &Context, url: &GitUrl, access: Access, way: CloneWay) -> Judgement {
    let cannot = |why: Reason| Judgement::unknown("the probe could not be made", why);
    let mut scratch = match Scratches::get(context, Hash::Sha1) {
        Ok(scratch) => scratch,
        Err(why) => return cannot(why.into()),
    };
    let own_way = url.repository().map(|repository| OwnWay::of(context, repository, url));
    let own_way = own_way.filter(|own| !own.is_empty());
    let asked = own_way.as_ref().filter(|_| way == CloneWay::Unknown);
    if let Some(judgement) = asked.and_then(|own| own.ask(context, &scratch, url)) {
        return judgement;
    }
    let run = |command| process::run_within(Bounds::ASKING, command, context.deadline(NETWORK));
    let mut said = run(question(&scratch, url, access));
    if said.as_ref().is_ok_and(Hash::is_another) {
        scratch = match Scratches::get(context, Hash::Sha256) {
            Ok(scratch) => scratch,
            Err(why) => return cannot(why.into()),
        };
        said = run(question(&scratch, url, access));
    }
    match said {
        Ok(output) if output.status.success() => Judgement::pass(access.granted()),
        // there is no HEAD: in an empty repository, or on any page that answers
        Ok(output) if access == Access::Read && output.status.code() == Some(2) => {
            let mut git = scratch.git();
            git.args(["ls-remote", "--quiet", url.without_credential()]);
            git.env("GIT_TRACE_PACKET", "1");
            if run(git).is_ok_and(|traced| traced.stderr.contains("packet:")) {
                Judgement::pass(access.granted())
            } else {
                no_git()
            }
        }
        Ok(output) => refusal(context, url, own_way.as_ref(), &output.stderr),
        Err(Failure::Deadline) => hung(context, &scratch, url.without_credential()),
        Err(failure) if failure.is_of_memory() => ssh::unreachable(context, &failure),
        Err(failure) => cannot(context.reason(&failure)),
    }
}

/// What git is run with: it asks for a credential and for the right, and sends nothing.
fn question(scratch: &Scratch, url: &GitUrl, access: Access) -> Command {
    let mut git = scratch.git();
    let url = url.without_credential();
    match access {
        Access::Read => git.args(["ls-remote", "--quiet", "--exit-code", url, "HEAD"]),
        Access::Write => {
            let refspec = format!("{}:refs/heads/pushready-probe", scratch.commit);
            git.args(["push", "--quiet", "--dry-run", "--no-verify", url, &refspec])
        }
    };
    git
}

/// Why git failed, as far as git in the clone would fail in the same way.
fn refusal(context: &Context, url: &GitUrl, own_way: Option<&OwnWay>, said: &str) -> Judgement {
    let hints = Hints { remote: url.repository(), failed: true, ..Hints::default() };
    let outcome = classify(said, &hints).judgement();
    if outcome.code.is_some_and(way::is_of_network) {
        return match own_way {
            // the clone's own proxy or authorities lead there, and those of others do not
            Some(own) => unproven(
                "the clone has a proxy or authorities of its own, which the doctor uses without a credential only",
            )
            .with(own.evidence()),
            None => outcome.with(way::evidence(context.env, context.git_config(), &way::OF_GIT)),
        };
    }
    if outcome.code != Some(Code::PushNoCredentials) {
        return outcome;
    }
    // a helper such as `gh auth git-credential` would find it
    if let Some(name) = variables::forge_tokens().find(|name| context.env.get(name).is_some()) {
        return unproven(format!(
            "{name} is set: a credential helper of git may use it, but the doctor passes it to no program"
        ));
    }
    let outside = context.git_config();
    // git in the clone may find a credential that git outside of it does not
    let differs = |clone: &InView| {
        ["credential.", "http."]
            .iter()
            .any(|section| clone.config().under(section).ne(outside.under(section)))
    };
    let has_own =
        url.repository().is_some_and(|repository| context.clones.of(repository).any(differs));
    if has_own || url.has_credential() {
        return unproven(
            "the clone has a credential or a setting for HTTPS of its own, which the doctor does not use",
        );
    }
    outcome
}

/// The agent's git may find a credential that the doctor's does not.
fn unproven(summary: impl Into<String>) -> Judgement {
    Judgement::unknown(summary, "`git push --dry-run` in the clone")
        .coded(Code::PushNoCredentials)
        .fixed(Fix::report("check that `git push --dry-run` in the clone succeeds"))
}

/// A login page, or that of a captive network, answers to everything.
fn no_git() -> Judgement {
    Judgement::unknown(push_message::NO_GIT, push_message::NO_GIT_NEEDS)
        .coded(Code::PushNoCredentials)
        .fixed(push_message::fix(Code::PushNoCredentials, None))
}

/// `coder gitaskpass` waits for a login in a browser, and never returns in a workspace without
/// anybody. With an askpass that knows nothing git ends at once, unless it is the server that does
/// not answer.
pub fn hung(context: &Context, scratch: &Scratch, url: &str) -> Judgement {
    let askpass = context.env.text(observed::GIT_ASKPASS).filter(|_| {
        let mut git = scratch.git();
        git.args(["ls-remote", "--quiet", url, "HEAD"]).env(observed::GIT_ASKPASS, "true");
        process::run_within(Bounds::ASKING, git, context.deadline(NETWORK / 2)).is_ok()
    });
    match askpass {
        Some(askpass) => Judgement::fail(Code::PushNoCredentials,
            "the askpass never returns: it waits for somebody to log in in a browser, so git would hang here",
            Fix::report("log in to the git provider in Coder (external authentication), or give the repository a deploy key"),
        )
        .with([Evidence::foreign("GIT_ASKPASS", &askpass)]),
        None => ssh::unreachable(context, &Failure::Deadline),
    }
}
