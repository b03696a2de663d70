//! `pushready remove`: the receipt, reversed, through the same plan.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Healed, heal, print, settled};
use crate::catalogue::Code;
use crate::cli::Remove;
use crate::digest::Digest;
use crate::env::Env;
use crate::error::{Error, Exit, Result, cure};
use crate::home::Home;
use crate::plan::{Plan, Planned};
use crate::provision::{Item, Status};
use crate::receipt::{Entry, Receipt};
use crate::report::Report;
use crate::resource::file::{self, Kind};
use crate::resource::lock::Lock;
use crate::resource::{Before, Change, Edit, Resource, Target, Undo, Verdict};
use crate::secret::CodexAuth;
use crate::state::State;

const LOGINS: &[&str] = &["codex.auth", "claude.credentials"];

pub fn run(arguments: &Remove, verbose: u8) -> Result<Exit> {
    let start = Instant::now();
    let env = Env::of_process();
    let home = Home::locate(&env)?;
    let report = if arguments.dry_run {
        let receipt = settled(&home.state)?;
        let plan = receipt.map(|receipt| {
            let mut plan = Plan::new(reverts(&home, &receipt, arguments.keep_logins), None);
            name_what_was_kept(&mut plan);
            plan.items.extend(Plan::new(vec![own_files(&home, true)], None).items);
            plan
        });
        report(plan, &home, true)
    } else {
        take_back(&home, arguments.keep_logins, env.now)?
    };
    let report = report.finish(start.elapsed());
    print(&if arguments.json { report.json() } else { report.text(verbose > 0) });
    Ok(report.exit())
}

fn take_back(home: &Home, keep_logins: bool, now: Timestamp) -> Result<Report> {
    let failed = |error: std::io::Error| {
        Error::io("take back what is recorded in", &Receipt::path(&home.state), &error).hint(cure(&error))
    };
    let Some(state) = State::open_existing(&home.state)? else {
        let healed = Healed { swept: State::sweep(&home.state), unfinished: false };
        let mut report = report(None, home, false);
        report.notes.extend(healed.note(""));
        return Ok(report);
    };
    let (receipt, healed) = heal(home)?;
    let mut receipt = receipt.unwrap_or_else(|| Receipt::new(now));
    let before = receipt.clone();
    let mut plan = Plan::new(reverts(home, &receipt, keep_logins), None).take(&state, &before, &mut receipt);
    let reverted = plan.failures().next().is_none();
    name_what_was_kept(&mut plan);
    // the routing no longer names them by now
    let own = Plan::new(vec![own_files(home, reverted)], None).take(&state, &before, &mut receipt);
    let done = reverted && own.failures().next().is_none();
    plan.items.extend(own.items);
    let mut report = report(Some(plan), home, false);
    report.notes.extend(healed.note("what it had done is taken back"));

    if done {
        let folders = receipt.folders.clone();
        for folder in folders.iter().rev().filter(|folder| !home.state.starts_with(folder)) {
            forget_lock_files(folder);
            // one that somebody else uses by now stays
            let _ = file::remove_folder(folder);
        }
        for path in state.remove(&folders).map_err(failed)? {
            report.add(&[kept(&path.display().to_string(), "pushready did not put it there")], &[]);
        }
    } else {
        receipt.save(&state.path).map_err(failed)?;
        report.notes.push(
            "what failed is still in the receipt: mend it, and run `pushready remove` again".to_owned(),
        );
    }
    Ok(report)
}

/// Codex's lock files are empty; where nothing but them is in a folder that we made, Codex never ran there.
fn forget_lock_files(folder: &std::path::Path) {
    let locks = ["auth.lock", "auth.json.lock"].map(|name| folder.join(name));
    let only_locks = std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.filter_map(std::result::Result::ok).all(|entry| locks.contains(&entry.path()))
    });
    if only_locks {
        for lock in &locks {
            let _ = file::remove(lock);
        }
    }
}

fn reverts(home: &Home, receipt: &Receipt, keep_logins: bool) -> Vec<Item> {
    let entries = receipt.entries.iter().rev().filter(|(id, _)| !(keep_logins && is_login(id)));
    entries.map(|(id, entry)| revert(home, receipt, id, entry)).collect()
}

/// What somebody has changed since is the user's now, and the reader learns it.
fn name_what_was_kept(plan: &mut Plan) {
    for Planned { item, steps } in &mut plan.items {
        if let Some(why) = steps.iter().find_map(|step| match &step.verdict {
            Verdict::Kept(why) | Verdict::Change(Change { kept: Some(why), .. }) => Some(why.clone()),
            _ => None,
        }) {
            *item = kept(&item.subject, &why);
        }
    }
}

/// Whether an entry goes by this name, for whichever folder.
fn is_entry(id: &str, name: &str) -> bool {
    id.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn is_login(id: &str) -> bool {
    LOGINS.iter().any(|name| is_entry(id, name))
}

fn revert(home: &Home, receipt: &Receipt, id: &str, entry: &Entry) -> Item {
    let saved = match entry.undo.before() {
        Some(Before::Saved { content, .. }) => {
            let path = home.state.join("undo").join(content.file_name());
            file::observe(&path, Kind::Secret)
                .ok()
                .flatten()
                .filter(|found| Digest::of(&found.bytes) == *content)
                .map(|found| Zeroizing::new(found.bytes.to_vec()))
        }
        _ => None,
    };
    let descendant = is_entry(id, "codex.auth") && descends(receipt, entry);
    let resource = Resource {
        id: id.to_owned(),
        target: entry.target.clone(),
        edit: Edit::Revert { undo: entry.undo.clone(), saved, descendant },
        recorded: true,
    };
    Item::ready(home.shown(&entry.target.path), what(&entry.undo), vec![resource])
}

/// A login that was refreshed since is still the seed's, as long as the account is the same.
fn descends(receipt: &Receipt, entry: &Entry) -> bool {
    let Ok(Some(content)) = file::observe(&entry.target.path, Kind::Secret) else { return false };
    let Ok(auth) = CodexAuth::parse(&content.bytes) else {
        // a stub that a module wrote over it is nobody's edit
        return true;
    };
    let account = auth.account_digest().map(|hex| Digest::from_hex(&hex));
    let seeded = receipt.desired.codex.as_ref();
    seeded.is_some_and(|record| account == record.account)
        || (auth.is_bare_api_key() && !auth.names_its_mode())
}

fn what(undo: &Undo) -> &'static str {
    match undo {
        Undo::Whole { before: Before::Absent, .. } => "taken away",
        Undo::Whole { .. } => "put back as it was",
        Undo::Block { .. } => "our lines taken out",
        Undo::Keys { .. } => "our keys taken out",
        Undo::Remotes { .. } => "remotes put back",
    }
}

/// Everything of ours in the state folder, except what says how to go on after an interruption. `reverted`: nothing in the
/// undo folder is needed any more.
fn own_files(home: &Home, reverted: bool) -> Item {
    let in_folder = |name: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(home.state.join(name)).into_iter().flatten();
        entries.filter_map(std::result::Result::ok).map(|entry| entry.path()).collect()
    };
    let mut paths = in_folder("keys");
    paths.extend(
        ["routes", "known_hosts", "ssh_config", "gitconfig", "bin/pushready", "codex/last-good.json"]
            .map(|name| home.state.join(name)),
    );
    if reverted {
        paths.extend(in_folder("undo"));
    }
    let resources: Vec<_> = paths
        .into_iter()
        .map(|path| Resource {
            id: format!("own:{}", path.display()),
            target: Target { path, kind: Kind::Own, lock: Lock::None, malformed: Code::NotProvisioned },
            edit: Edit::Delete,
            recorded: false,
        })
        .collect();
    Item::ready(home.shown(&home.state), "taken away", resources)
}

fn kept(subject: &str, why: &str) -> Item {
    Item {
        subject: subject.to_owned(),
        status: Status::Fail,
        say: format!("kept: {why}"),
        finding: None,
        resources: Vec::new(),
    }
}

fn report(plan: Option<Plan>, home: &Home, dry_run: bool) -> Report {
    let found = plan.is_some();
    let plan = plan.unwrap_or(Plan { items: Vec::new() });
    let mut report = Report::of_plan("remove", dry_run, &plan, home, &[]);
    if !found {
        report
            .notes
            .push(format!("there is no receipt in `{}`: nothing to take back", home.shown(&home.state)));
    }
    report.notes.extend(home.told());
    report
}
