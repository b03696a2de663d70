//! `pushready apply`: its arguments, its settings, its report.

use std::time::Instant;

use super::{json, print, print_report};
use crate::apply::report::{ApplyReport, ReportCommand};
use crate::apply::run::ApplyRun;
use crate::cli;
use crate::env::Env;
use crate::error::{Exit, Result};
use crate::home::Home;
use crate::provision::Item;
use crate::settings::Settings;
use crate::state::heal::restore_access;
use crate::state::subject::Subject;
use crate::terminal::{Progress, fitted_to_terminal};

pub fn run(arguments: &cli::Apply, verbose: u8) -> Result<Exit> {
    let start = Instant::now();
    let progress = Progress::show(verbose > 0, "the files of this home");
    let report = match report(arguments) {
        Ok(report) => report,
        // a home that cannot be used is a result, for the last line of the log and for JSON
        Err(error) => {
            let item = Item::fail(Subject::Home, error.finding().ok_or(error)?);
            let mut report = ApplyReport::new(ReportCommand::Apply, arguments.dry_run);
            report.add(&[item], &[]);
            report
        }
    };
    let report = report.finish(start.elapsed());
    drop(progress);
    if arguments.json {
        print(&json(&report));
    } else {
        print_report(fitted_to_terminal(report.text(verbose > 0)));
    }
    Ok(report.exit())
}

fn report(arguments: &cli::Apply) -> Result<ApplyReport> {
    let env = Env::of_process();
    let mut home = Home::locate(&env)?;
    let restored = if arguments.dry_run { 0 } else { restore_access(&home.state) };
    if restored > 0 {
        // ssh and git read them too
        home = Home::locate(&env)?;
    }
    let mut stdin = std::io::stdin().lock();
    let settings = Settings::load(&env, &home, arguments.stdin.then_some(&mut stdin))?;
    let apply = ApplyRun { env: &env, home: &home, settings: &settings };
    let mut report = if arguments.dry_run { apply.dry_run() } else { apply.run() }?;
    report.notes.extend((restored > 0).then(|| {
        format!("this user could not read {restored} files or folders of the state folder: their modes are restored")
    }));
    Ok(report)
}
