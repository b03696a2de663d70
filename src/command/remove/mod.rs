//! `pushready remove`: the receipt, reversed, through the same plan.

mod reverse;

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use super::{json, print, print_report};
use crate::apply::plan::{Plan, Planned};
use crate::apply::report::{ApplyReport, ReportCommand};
use crate::cli::Remove;
use crate::client::Client;
use crate::env::Env;
use crate::error::{Error, Exit, Result, fix_for};
use crate::home::Home;
use crate::provision::Item;
use crate::provision::recovery;
use crate::resource::entry::EntryName;
use crate::resource::file;
use crate::resource::{EditVerdict, FileChange};
use crate::state::State;
use crate::state::heal::{Healed, heal, restore_access, settled};
use crate::state::receipt::{Desired, Receipt};
use crate::state::subject::Subject;
use crate::terminal::fitted_to_terminal;
use reverse::kept;

pub fn run(arguments: &Remove, verbose: u8) -> Result<Exit> {
    let start = Instant::now();
    let env = Env::of_process();
    let home = Home::locate(&env)?;
    let removal = Removal { home: &home, keep_logins: arguments.keep_logins, now: env.now };
    let report = if arguments.dry_run { removal.dry_run()? } else { removal.run()? };
    let report = report.finish(start.elapsed());
    if arguments.json {
        print(&json(&report));
    } else {
        print_report(fitted_to_terminal(report.text(verbose > 0)));
    }
    Ok(report.exit())
}

struct Removal<'a> {
    home: &'a Home,
    keep_logins: bool,
    now: Timestamp,
}

/// What a removal works from.
struct KnownReceipt {
    receipt: Receipt,
    /// The receipt was put together from what is known to be ours, now or by an apply that found
    /// none.
    recovered: bool,
}

impl Removal<'_> {
    fn known(&self, receipt: Option<Receipt>) -> Option<KnownReceipt> {
        if let Some(receipt) = receipt {
            let recovered = receipt.recovered;
            return Some(KnownReceipt { receipt, recovered });
        }
        let receipt = recovery::receipt(self.home, None, self.now);
        let there = receipt.is_some() || self.home.state.is_dir();
        there.then(|| KnownReceipt {
            receipt: receipt.unwrap_or_else(|| Receipt::new(self.now)),
            recovered: true,
        })
    }

    /// Whether some logins stay, and with them the receipt that knows them as ours.
    fn keeps(&self, receipt: &Receipt) -> bool {
        self.keep_logins && receipt.entries.keys().any(|id| id.name.is_login())
    }

    fn dry_run(&self) -> Result<ApplyReport> {
        let Some(KnownReceipt { receipt, recovered }) = self.known(settled(&self.home.state)?.0)
        else {
            return Ok(self.nothing(true));
        };
        let keeps = self.keeps(&receipt);
        let mut plan = Plan::observe(reverse::items(self.home, &receipt, keeps), Some(&receipt));
        name_what_was_kept(&mut plan);
        let own = reverse::own_files(self.home, keeps || recovered, keeps);
        let ours: Vec<_> =
            own.resources.iter().map(|resource| resource.target.path.clone()).collect();
        plan.items.extend(Plan::observe(vec![own], None).items);
        let mut report = self.report(&plan, true);
        report.add(&self.rest(&receipt, recovered), &[]);
        if !keeps {
            for path in State::foreign(&self.home.state, &ours) {
                report.add(&[reverse::left(self.home, &path)], &[]);
            }
        }
        Ok(report)
    }

    fn run(&self) -> Result<ApplyReport> {
        let home = self.home;
        restore_access(&home.state);
        let (state, known, healed) = if let Some(state) = State::open_existing(&home.state)? {
            let (receipt, healed) = heal(home, &state)?;
            (state, self.known(receipt), healed)
        } else {
            let healed = Healed { swept: State::sweep(&home.state), unfinished: false };
            let Some(KnownReceipt { receipt, .. }) = self.known(None) else {
                let mut report = self.nothing(false);
                report.notes.extend(healed.note(""));
                return Ok(report);
            };
            let state = State::open(&home.state, || Receipt { removing: true, ..receipt.clone() })?;
            let (receipt, _) = heal(home, &state)?;
            // an apply may have made the folder meanwhile, with a receipt of its own
            let known = match receipt {
                Some(receipt) if state.just_made => Some(KnownReceipt { receipt, recovered: true }),
                receipt => self.known(receipt),
            };
            (state, known, healed)
        };
        let KnownReceipt { mut receipt, recovered } = known
            .unwrap_or_else(|| KnownReceipt { receipt: Receipt::new(self.now), recovered: true });
        let rest = self.rest(&receipt, recovered);
        let mut report = self.undo(state, &mut receipt, recovered)?;
        report.notes.extend(healed.note("its changes were undone"));
        report.add(&rest, &[]);
        Ok(report)
    }

    fn undo(&self, state: State, receipt: &mut Receipt, recovered: bool) -> Result<ApplyReport> {
        let home = self.home;
        let failed = |error: std::io::Error| {
            Error::io("undo what is recorded in", &Receipt::path(&home.state), &error)
                .hint(fix_for(&error))
        };
        let before = receipt.clone();
        let keeps = self.keeps(receipt);
        let plan = Plan::observe(reverse::items(home, receipt, keeps), Some(receipt));
        let nothing_left = keeps && plan.changes().next().is_none() && !receipt.removing;
        let announced = !nothing_left;
        if announced {
            receipt.removing = true;
            // for the next run and `status`, if this run does not come to its end; that it cannot be
            // saved stops nothing
            let _ = receipt.save(&state.path);
        }
        let mut plan = plan.take(&state, &before, receipt);
        let reverted = plan.failures().next().is_none();
        name_what_was_kept(&mut plan);
        // the routing no longer names them by now
        let spare_undo = !reverted || keeps || recovered;
        let own = Plan::observe(vec![reverse::own_files(home, spare_undo, keeps)], None)
            .take(&state, &before, receipt);
        let done = reverted && own.failures().next().is_none();
        plan.items.extend(own.items);
        let mut report = self.report(&plan, false);

        receipt.settle();
        receipt.forget_removed_logins();
        receipt.desired = Desired { logins: receipt.desired.logins.clone(), ..Desired::default() };
        receipt.removing = !done;
        if done && !keeps {
            let folders = receipt.folders.clone();
            for folder in folders.iter().rev().filter(|folder| !home.state.starts_with(folder)) {
                forget_lock_files(folder);
                // one that somebody else uses stays
                let _ = file::remove_folder(folder);
            }
            for path in state.remove(&folders).map_err(failed)? {
                report.add(&[reverse::left(home, &path)], &[]);
            }
            return Ok(report);
        }
        if done {
            reverse::clear(home);
            for folder in receipt.folders.iter().rev() {
                let _ = file::remove_folder(folder);
            }
            receipt.folders.retain(|folder| folder.exists());
        } else {
            report.notes.push(
                "what failed is still in the receipt: fix it, and run `pushready remove` again"
                    .to_owned(),
            );
        }
        if announced || !receipt.same(&before) {
            receipt.save(&state.path).map_err(failed)?;
        }
        Ok(report)
    }

    /// What stays that no verdict on a file names.
    fn rest(&self, receipt: &Receipt, recovered: bool) -> Vec<Item> {
        let mut rest = Vec::new();
        if self.keeps(receipt) {
            let clients = Client::ALL.iter().copied();
            let kept = clients.filter(|client| receipt.knows(&EntryName::Login(*client)));
            rest.extend(kept.map(|client| {
                let summary = "left in place, still recorded in the receipt";
                Item::ready(Subject::Login(client), summary, Vec::new())
            }));
        }
        if recovered {
            rest.extend(reverse::unrecorded(self.home, receipt));
        }
        rest
    }

    fn nothing(&self, dry_run: bool) -> ApplyReport {
        let mut report = self.report(&Plan::default(), dry_run);
        let state = self.home.shown(&self.home.state);
        report.notes.insert(0, format!("there is no receipt in `{state}`"));
        report.nothing = true;
        report
    }

    fn report(&self, plan: &Plan, dry_run: bool) -> ApplyReport {
        let mut report = ApplyReport::of_plan(ReportCommand::Remove, dry_run, plan, self.home, &[]);
        report.notes.extend(self.home.notes_as_lines());
        report
    }
}

/// The lock files of a client are empty; where nothing but them is in a folder that we made, the
/// client never ran there.
fn forget_lock_files(folder: &Path) {
    let names = Client::ALL.iter().flat_map(|client| client.row().lock_files);
    let locks: Vec<_> = names.map(|name| folder.join(name)).collect();
    let only_locks = std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.filter_map(std::result::Result::ok).all(|entry| locks.contains(&entry.path()))
    });
    if only_locks {
        for lock in &locks {
            let _ = file::remove(lock);
        }
    }
}

/// What somebody has changed since is the user's now, and is reported.
fn name_what_was_kept(plan: &mut Plan) {
    for Planned { item, steps } in &mut plan.items {
        if let Some(why) = steps.iter().find_map(|step| match &step.verdict {
            EditVerdict::Kept(why) | EditVerdict::Change(FileChange { kept: Some(why), .. }) => {
                Some(why.clone())
            }
            _ => None,
        }) {
            *item = kept(item.subject.clone(), &why);
        }
    }
}
