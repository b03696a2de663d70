//! `pushready status`: how the last apply and the last doctor ended, and how long ago; without the
//! network.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::metrics::{self, MetricsSummary};
use super::{json, print, print_report};
use crate::catalogue::Code;
use crate::cli;
use crate::client::{Client, PerClient};
use crate::doctor::check::area;
use crate::doctor::context::Depth;
use crate::doctor::outcome::CheckStatus;
use crate::doctor::requirement::{is_about, provides};
use crate::doctor::verdict::{CheckLine, Kept, Since, Verdict};
use crate::document::Header;
use crate::env::Env;
use crate::error::{Exit, Result};
use crate::home::Home;
use crate::provision::{self, counted, span, unmet};
use crate::settings::{Requirement, accepted, required};
use crate::state::receipt::{Desired, Receipt, Refused};
use crate::state::subject::Subject;
use crate::terminal::fitted_to_terminal;
use crate::text::plain;
use crate::variables;

/// A verdict older than this proves nothing any more.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// Clocks of machines that are set differ by less.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

#[derive(Serialize)]
struct StatusReport {
    #[serde(flatten)]
    header: Header,
    /// Nothing is known to be wrong. `state` says whether this was proven.
    ready: bool,
    state: Readiness,
    provisioned_at: Option<Timestamp>,
    provisioned_by: Option<String>,
    repositories: Vec<String>,
    #[serde(flatten)]
    logins: PerClient<bool>,
    git_identity: bool,
    /// Codes and items because of which this workspace is not ready.
    not_ready: Vec<String>,
    /// What the doctor could not prove because of a fault that may pass by itself, such as a
    /// server out of reach.
    unproven: Vec<String>,
    /// What failed and is not required.
    not_required: Vec<String>,
    /// The last whole run.
    doctor: Option<Verdict>,
    /// What a run of a few checks found to fail since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_since: Vec<Since>,
}

/// What is known of the workspace, in one word: the line begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    /// Proven over the network since the last apply, less than a day ago.
    Ready,
    NotReady,
    /// Everything is written, and that it works was not proven.
    Applied,
}

impl Readiness {
    const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not_ready",
            Self::Applied => "applied",
        }
    }
}

impl StatusReport {
    /// `lost`: what is no longer as the last apply left it. `unclaimed`: nothing is required of
    /// this workspace yet. `require`: what PUSHREADY_REQUIRE names here. `has_login`: whether a
    /// login is in its place, ours or another.
    fn new(
        mut receipt: Option<Receipt>,
        has_login: impl Fn(Client) -> bool,
        lost: &[Refused],
        require: Vec<String>,
        unclaimed: bool,
        accepted: &[Code],
        kept: Kept,
    ) -> Self {
        let Kept { whole: doctor, since } = kept;
        let fresh = doctor.as_ref().filter(|verdict| !verdict.stale);
        let only_required = fresh.is_some_and(|verdict| verdict.required.is_some());
        let require = all_required(require, receipt.as_ref(), fresh);
        if let Some(receipt) = &mut receipt {
            receipt.desired.require.clone_from(&require);
        }
        let counts = |refused: &Refused| !accepted.contains(&refused.code);
        let misses = !unclaimed && !accepted.contains(&Code::RequiredMissing);
        let required_missing =
            |it: &Requirement| format!("{} {}", Code::RequiredMissing, it.subject());
        let (mut not_ready, mut unproven, mut not_required) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(receipt) = &receipt {
            if receipt.removing {
                not_ready.push(
                    "not-provisioned: a removal was started and not finished: run `pushready remove` again"
                        .to_owned(),
                );
            }
            let Desired { refused, require, .. } = &receipt.desired;
            let requirements: Vec<_> =
                require.iter().map(|text| Requirement::parse(text)).collect();
            // the doctor reported these two as they were then
            for Refused { item, code, .. } in
                refused.iter().chain(lost).filter(|&refused| counts(refused))
            {
                let is_required =
                    requirements.iter().any(|requirement| provides(requirement, item));
                let list =
                    if only_required && !is_required { &mut not_required } else { &mut not_ready };
                list.push(format!("{code} {item}"));
            }
            let missing = unmet(&receipt.desired, has_login, |item| {
                refused.iter().any(|known| known.item == *item)
            });
            not_ready.extend(missing.iter().filter(|_| misses).map(required_missing));
            if receipt.under_way.is_some() {
                not_ready.push(
                    "an apply is running, or was interrupted: run `pushready apply`".to_owned(),
                );
            }
        } else {
            let desired = Desired { require, ..Desired::default() };
            let missing = unmet(&desired, has_login, |_| false);
            not_ready.extend(missing.iter().filter(|_| misses).map(required_missing));
            if not_ready.is_empty() && !accepted.contains(&Code::NotProvisioned) {
                not_ready.push("not-provisioned".to_owned());
            }
        }
        let (since, fixed): (Vec<_>, Vec<_>) =
            since.into_iter().partition(|known| known.check.status == CheckStatus::Fail);
        let is_fixed = |check: &CheckLine| {
            fixed.iter().any(|known| known.check.is_of(&check.id, check.subject.as_ref()))
        };
        let whole =
            fresh.into_iter().flat_map(|verdict| &verdict.checks).filter(|check| !is_fixed(check));
        let undecided = whole.clone().filter(|check| {
            check.status == CheckStatus::Unknown && (check.required || !only_required)
        });
        let undecided: Vec<_> = undecided.map(CheckLine::name).collect();
        let whole = whole.map(|check| (check, only_required));
        let since_then = since.iter().map(|failure| (&failure.check, failure.only_required));
        let failed = whole
            .chain(since_then)
            .filter(|(check, _)| check.status == CheckStatus::Fail && !check.accepted);
        for (check, only_required) in failed {
            let name = check.code.as_ref().unwrap_or(&check.id);
            if is_judged_by_now(check, lost) {
                continue;
            }
            // as apply names it: `codex`
            let subject = check.subject.as_deref().unwrap_or(area(&check.id));
            let list = match check {
                check if only_required && !check.required => &mut not_required,
                check if check.transient => &mut unproven,
                _ => &mut not_ready,
            };
            list.push(format!("{name} {subject}"));
        }
        unproven.extend(undecided);
        let mut seen = BTreeSet::new();
        for list in [&mut not_ready, &mut unproven, &mut not_required] {
            list.retain(|item| seen.insert(item.clone()));
        }
        let (at, by) = receipt
            .as_ref()
            .map(|receipt| (receipt.provisioned_at, receipt.version.clone()))
            .unzip();
        let desired = receipt.map(|receipt| receipt.desired).unwrap_or_default();
        let is_there = |login: Subject| !lost.iter().any(|lost| lost.item == login);
        let is_proof = |verdict: &Verdict| at.is_some_and(|applied| verdict.proves(applied));
        let state = match () {
            () if !not_ready.is_empty() => Readiness::NotReady,
            () if unproven.is_empty() && fresh.is_some_and(is_proof) => Readiness::Ready,
            () => Readiness::Applied,
        };
        Self {
            header: Header::new(),
            ready: not_ready.is_empty(),
            state,
            provisioned_at: at,
            provisioned_by: by,
            git_identity: !desired.identity.is_empty(),
            repositories: desired
                .repositories
                .into_iter()
                .map(|record| record.repository.to_ssh())
                .collect(),
            logins: PerClient::new(|client| {
                desired.logins.has(client) && is_there(Subject::Login(client))
            }),
            not_ready,
            unproven,
            not_required,
            doctor,
            failed_since: since,
        }
    }

    /// `ready · push 1/1 · codex · claude · checked 4 min ago`. It begins with the state, and programs
    /// read that.
    fn line(&self, now: Timestamp) -> String {
        let ago = |at: Timestamp| format!("{} ago", span(now.duration_since(at)));
        let listed = |what: &str, items: &[String]| match items {
            [] => None,
            [one] => Some(format!("{what}: {one}")),
            [first, rest @ ..] => Some(format!("{what}: {first} and {} more", rest.len())),
        };
        let proof = self.doctor.as_ref().filter(|verdict| verdict.depth > Depth::Offline);
        let is_before_apply =
            |verdict: &Verdict| self.provisioned_at.is_some_and(|at| at > verdict.finished_at);
        let applied = || {
            let at = self.provisioned_at.map_or(String::new(), |at| format!(" {}", ago(at)));
            match proof {
                None => format!("applied{at}, not checked yet"),
                Some(verdict) if is_before_apply(verdict) => {
                    format!("applied{at}, not checked since")
                }
                Some(_) => format!("applied{at}"),
            }
        };
        let mut parts = vec![match self.state {
            Readiness::NotReady => listed("not ready", &self.not_ready).unwrap_or_default(),
            Readiness::Ready => "ready".to_owned(),
            Readiness::Applied => applied(),
        }];
        parts.extend(listed("unproven", &self.unproven));
        parts.extend(listed("not required", &self.not_required));
        let proven = |verdict: &Verdict| {
            let is_write =
                |check: &&CheckLine| check.id == "push.write" && check.status != CheckStatus::Skip;
            let pushes = verdict.checks.iter().filter(is_write);
            let (all, good) = pushes.fold((0, 0), |(all, good), check| {
                (all + 1, good + usize::from(check.status == CheckStatus::Pass))
            });
            // one that is not required may fail where the workspace is ready: it is named above
            let is_shown = all > 0 && (good == all || self.state == Readiness::NotReady);
            is_shown.then(|| format!("push {good}/{all}"))
        };
        let counts = |verdict: &&Verdict| !verdict.stale && !is_before_apply(verdict);
        match proof.filter(counts).and_then(proven) {
            Some(push) => parts.push(push),
            None if !self.repositories.is_empty() => {
                parts.push(counted(self.repositories.len(), "key"));
            }
            None => {}
        }
        let logins = Client::ALL.iter().filter(|client| *self.logins.get(**client));
        parts.extend(logins.map(ToString::to_string));
        let has_any = |client: &Client| *self.logins.get(*client);
        if self.state == Readiness::Applied
            && self.repositories.is_empty()
            && !Client::ALL.iter().any(has_any)
        {
            parts.push("no login or key".to_owned());
        }
        let in_part = self.failed_since.iter().map(|failure| failure.finished_at).max();
        let in_part = in_part.map(|at| format!("checked in part {}", ago(at)));
        if let Some(verdict) = &self.doctor {
            let at = ago(verdict.finished_at);
            parts.push(match verdict {
                Verdict { stale: true, .. } => format!("stale: checked {at}"),
                Verdict { depth: Depth::Offline, .. } => format!("checked offline {at}"),
                // what failed then still counts: an apply may have had nothing to do with it
                verdict if is_before_apply(verdict) && self.state == Readiness::NotReady => {
                    format!("checked {at}, applied since")
                }
                _ => format!("checked {at}"),
            });
        } else if self.state == Readiness::NotReady
            && let Some(at) = self.provisioned_at
        {
            parts.push(format!("applied {}", ago(at)));
        }
        parts.extend(in_part);
        parts.join(" · ")
    }
}

/// Whether a failure of the doctor's is judged by what is there now.
fn is_judged_by_now(check: &CheckLine, lost: &[Refused]) -> bool {
    let is_code = |code: Code| check.code.as_deref() == Some(code.name());
    let is_lost = |lost: &Refused| {
        is_code(lost.code) && is_about(&lost.item, &check.id, check.subject.as_deref())
    };
    is_code(Code::NotProvisioned) || is_code(Code::RequiredMissing) || lost.iter().any(is_lost)
}

/// What PUSHREADY_REQUIRE names here, or else named at the last apply, and what it named for the
/// doctor since: a start script may set it for the doctor alone.
fn all_required(
    here: Vec<String>,
    receipt: Option<&Receipt>,
    verdict: Option<&Verdict>,
) -> Vec<String> {
    let applied = receipt.map(|receipt| receipt.provisioned_at);
    let is_later = |verdict: &&Verdict| applied.is_none_or(|at| at <= verdict.finished_at);
    let of_doctor = verdict.filter(is_later).map_or(&[][..], |verdict| &verdict.require);
    let mut all = match receipt {
        Some(receipt) if here.is_empty() => receipt.desired.require.clone(),
        _ => here,
    };
    for name in of_doctor {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

/// What the doctor found, with what is too old to prove anything marked, or left out.
fn kept(home: &Home, now: Timestamp) -> Kept {
    // one of the future was made by another clock, and nothing tells how old it is
    let is_stale = |at: Timestamp| !(-CLOCKS..STALE).contains(&now.duration_since(at));
    let Kept { whole, mut since } = Kept::read(&home.state);
    since.retain(|failure| !is_stale(failure.finished_at));
    let whole = whole.map(|verdict| Verdict { stale: is_stale(verdict.finished_at), ..verdict });
    Kept { whole, since }
}

/// What is accepted here, or was by the doctor.
fn accepted_by_now(env: &Env, verdict: Option<&Verdict>) -> Vec<Code> {
    let (mut codes, _) = accepted(env);
    let by_doctor =
        verdict.into_iter().flat_map(|verdict| &verdict.checks).filter(|check| check.accepted);
    codes.extend(by_doctor.filter_map(|check| check.code.as_deref()?.parse::<Code>().ok()));
    codes
}

pub fn run(arguments: &cli::Status) -> Result<Exit> {
    let env = Env::of_process();
    let loaded = Home::locate(&env).and_then(|home| {
        let receipt = Receipt::load(&home.state)?;
        let kept = kept(&home, env.now);
        let lost = receipt
            .as_ref()
            .map(|receipt| provision::lost(&env, &home, receipt))
            .unwrap_or_default();
        let accepted = accepted_by_now(&env, kept.whole.as_ref());
        Ok((home, lost, accepted, receipt, kept))
    });
    let (home, lost, accepted, receipt, kept) = match loaded {
        Ok(loaded) => loaded,
        // a metadata item must never turn red because of us; a verdict is in its line
        Err(error) if arguments.line && error.status() == Exit::NotReady => {
            print(&format!("not ready: {}\n", plain(error.for_json().message)));
            return Ok(Exit::Ready);
        }
        Err(_) if arguments.line => {
            print("not ready: run `pushready status` in the workspace\n");
            return Ok(Exit::Ready);
        }
        Err(error) => return Err(error),
    };
    let unclaimed = env.is_set(variables::UNCLAIMED);
    let has_login = |client| provision::has_login(&home, client, env.now);
    let status =
        StatusReport::new(receipt, has_login, &lost, required(&env), unclaimed, &accepted, kept);
    if arguments.metrics {
        let (provisioned_at, doctor) = (status.provisioned_at, status.doctor.as_ref());
        let state = status.state.name();
        print(&metrics::text(&MetricsSummary { state, provisioned_at, doctor }, env.now));
        return Ok(Exit::Ready);
    }
    if arguments.json {
        print(&json(&status));
    } else {
        let line = format!("{}\n", plain(&status.line(env.now)));
        if arguments.line {
            print(&line);
        } else {
            print_report(fitted_to_terminal(line));
            for (what, items) in [
                ("", &status.not_ready),
                ("unproven: ", &status.unproven),
                ("not required: ", &status.not_required),
            ] {
                // a single one is in the line
                for item in items.iter().filter(|_| items.len() > 1) {
                    print(&format!("  {what}{}\n", plain(item)));
                }
            }
        }
    }
    Ok(if status.ready || arguments.line { Exit::Ready } else { Exit::NotReady })
}
