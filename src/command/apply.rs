//! `pushready apply`: variables → settings → desired → observe → plan → apply → receipt.

use std::time::Instant;

use jiff::Timestamp;

use super::{Healed, heal, json, print, settled};
use crate::apply::plan::Plan;
use crate::apply::report::{Command, Report};
use crate::catalogue::Code;
use crate::cli::Apply;
use crate::env::Env;
use crate::error::{Error, Exit, Result, cure};
use crate::home::Home;
use crate::provision::{self, Context, Item, Provision, routing};
use crate::settings::Settings;
use crate::state::State;
use crate::state::receipt::{Receipt, Refused};
use crate::state::recovery;
use crate::state::subject::Subject;

/// A file that another program keeps writing is left to it after so many.
const ATTEMPTS: usize = 3;

pub fn run(arguments: &Apply, verbose: u8) -> Result<Exit> {
    let start = Instant::now();
    let report = match whole(arguments) {
        Ok(report) => report,
        // a home that cannot be used is a result, for the last line of the log and for JSON
        Err(error) => {
            let item = Item::fail(Subject::Home, error.finding().ok_or(error)?);
            let mut report = Report::new(Command::Apply, arguments.dry_run);
            report.add(&[item], &[]);
            report
        }
    };
    let report = report.finish(start.elapsed());
    print(&if arguments.json { json(&report) } else { report.text(verbose > 0) });
    Ok(report.exit())
}

fn whole(arguments: &Apply) -> Result<Report> {
    let env = Env::of_process();
    let home = Home::locate(&env)?;
    let mut stdin = std::io::stdin().lock();
    let settings = Settings::load(&env, &home, arguments.stdin.then_some(&mut stdin))?;
    if !arguments.dry_run {
        for _ in 1..ATTEMPTS {
            if let Done { report, outdated: false } = change(&env, &home, &settings)? {
                return Ok(report);
            }
        }
        return Ok(change(&env, &home, &settings)?.report);
    }
    let receipt = known(settled(&home.state)?.0, &home, &settings, env.now);
    let (plan, provision) = plan(&env, &home, &settings, receipt.as_ref())?;
    Ok(report(&plan, provision, &settings, &home, true))
}

/// What came of an apply.
struct Done {
    report: Report,
    /// Another program wrote a file meanwhile, which was left to it: to be planned anew.
    outdated: bool,
}

impl From<Report> for Done {
    fn from(report: Report) -> Self {
        Self { report, outdated: false }
    }
}

/// The receipt; where it is gone, what is known to be ours all the same.
fn known(
    receipt: Option<Receipt>,
    home: &Home,
    settings: &Settings,
    now: Timestamp,
) -> Option<Receipt> {
    let token = settings.claude.as_ref().map(|token| token.value.digest());
    match receipt {
        // it may have been made just now, and knows nothing but the folders that were made for it
        Some(new) if new.is_of_nothing() => match recovery::receipt(home, token.as_deref(), now) {
            Some(recovered) => Some(Receipt { folders: new.folders, ..recovered }),
            None => Some(new),
        },
        Some(receipt) => Some(receipt),
        None => recovery::receipt(home, token.as_deref(), now),
    }
}

fn plan(
    env: &Env,
    home: &Home,
    settings: &Settings,
    receipt: Option<&Receipt>,
) -> Result<(Plan, Provision)> {
    let mut provision = provision::desired(&Context { settings, home, receipt, now: env.now })?;
    let plan = Plan::new(std::mem::take(&mut provision.items), receipt);
    Ok((plan, provision))
}

fn change(env: &Env, home: &Home, settings: &Settings) -> Result<Done> {
    let fresh = || Receipt::new(env.now);
    let failed = |error: std::io::Error| {
        Error::io("record the changes in", &Receipt::path(&home.state), &error).hint(cure(&error))
    };
    let nothing_yet = known(settled(&home.state)?.0, home, settings, env.now);
    let (first, mut provision) = plan(env, home, settings, nothing_yet.as_ref())?;
    if nothing_yet.is_none() && first.items.is_empty() {
        // nothing is asked for, and nothing ever was: leave no trace
        let healed = Healed { swept: State::sweep(&home.state), unfinished: false };
        provision.notes.extend(healed.note(""));
        return Ok(report(&first, provision, settings, home, false).into());
    }
    let state = State::open(&home.state, || Receipt::beginning(env.now))?;
    // what was judged without the lock may be stale by now
    let (receipt, healed) = heal(home, &state)?;
    let recorded = receipt.is_some();
    let was_recovered = receipt.as_ref().is_some_and(|receipt| receipt.recovered);
    let receipt = known(receipt, home, settings, env.now);
    let (plan, mut provision) = plan(env, home, settings, receipt.as_ref())?;
    if !was_recovered && receipt.as_ref().is_some_and(|receipt| receipt.recovered) {
        provision
            .notes
            .push("the receipt was gone: what is known to be ours is in it again".to_owned());
    }
    let mut receipt = receipt.unwrap_or_else(fresh);
    if healed.unfinished && plan.items.is_empty() && receipt.is_of_nothing() {
        // what that run was asked for is not known, and nothing is asked for here: it stays
        // unfinished
        provision.notes.extend(healed.note("run `pushready apply` where the variables are set"));
        return Ok(report(&plan, provision, settings, home, false).into());
    }
    let before = receipt.clone();
    receipt.removing = false;
    receipt.desired = provision.desired.clone();
    let changes = plan.changes().count();
    if changes > 0 || !receipt.same(&before) {
        receipt.provisioned_at = env.now;
    }
    let plan = plan.apply(&state, &before, &mut receipt).map_err(failed)?;
    // status and doctor know only the receipt: what is accepted here is no failure there; a login
    // they look for themselves
    let is_of_value = |failure: &Refused| {
        let values = settings.refused.iter().map(|refused| &refused.item);
        let mut values = values.chain(before.desired.refused.iter().map(|refused| &refused.item));
        matches!(failure.code, Code::CodexAuthMalformed | Code::CodexAuthIncomplete)
            && values.any(|item| *item == failure.item)
    };
    let is_told = |failure: &Refused| {
        !settings.accept.contains(&failure.code)
            && (!provision::is_gone(failure.code) || is_of_value(failure))
    };
    receipt.desired.refused = plan.failures().filter(is_told).collect();
    for refused in &mut receipt.desired.refused {
        let here =
            settings.refused.iter().find(|here| here.item == refused.item).map(|here| &here.via);
        let last = before.desired.refused.iter().find(|last| last.item == refused.item);
        refused.via = here.or(last.and_then(|last| last.via.as_ref())).cloned();
    }
    let mut refused = receipt.desired.refused.iter();
    let is_moot = refused.any(|refused| matches!(refused.item, Subject::Routing | Subject::Git));
    let proof = if is_moot { Vec::new() } else { self_test(home, &receipt) };
    receipt.desired.refused.extend(proof.iter().filter_map(Item::refused).filter(is_told));
    if changes > 0 || healed.unfinished || state.just_made || !recorded || !receipt.same(&before) {
        receipt.save(&state.path).map_err(failed)?;
    }
    provision.desired.clone_from(&receipt.desired);
    provision.notes.extend(healed.note("its work is finished"));
    let mut report = report(&plan, provision, settings, home, false);
    report.add(&proof, &settings.accept);
    Ok(Done { report, outdated: plan.outdated })
}

/// The routing must hold for the ssh of this environment, not only on paper.
fn self_test(home: &Home, receipt: &Receipt) -> Vec<Item> {
    let routed: Vec<_> =
        receipt.desired.repositories.iter().map(|record| record.repository.clone()).collect();
    if routed.is_empty() || home.passwd.is_err() {
        return Vec::new();
    }
    match routing::self_test(home, &routed) {
        Ok(hosts) => {
            let say = format!(
                "ssh chooses the right key ({hosts} host{} asked)",
                if hosts == 1 { "" } else { "s" }
            );
            vec![Item::ready(Subject::SelfTest, say, Vec::new())]
        }
        Err(finding) => vec![Item::fail(Subject::SelfTest, finding)],
    }
}

fn report(
    plan: &Plan,
    provision: Provision,
    settings: &Settings,
    home: &Home,
    dry_run: bool,
) -> Report {
    let mut report = Report::of_plan(Command::Apply, dry_run, plan, home, &settings.accept);
    report.sources.clone_from(&settings.sources);
    report.notes = provision.notes;
    report.unclaimed = settings.unclaimed;
    if !settings.unclaimed {
        let unmet = provision::unmet(&provision.desired, |subject| report.fails(subject));
        report.add(&unmet, &settings.accept);
    }
    report.notes.splice(0..0, home.told());
    if plan.items.is_empty() && report.items.is_empty() {
        report.notes.push(
            "nothing is asked for: no variable, and nothing in the seed folder, has a login, a key or a folder to trust".to_owned(),
        );
    }
    report
}
