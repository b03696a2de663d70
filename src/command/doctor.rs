//! `pushready doctor`: gathers what is there, runs the checks side by side, reports.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::{json, print, print_report};
use crate::apply::plan::Plan;
use crate::cli;
use crate::doctor::check::{CHECKS, Check, Selection, area};
use crate::doctor::clones::{Clones, is_among};
use crate::doctor::connections::Connections;
use crate::doctor::context::{Context, Depth};
use crate::doctor::gathered::Gathered;
use crate::doctor::push_url::{MOST, leave_out, push_urls};
use crate::doctor::report::{Examined, Overall, Report};
use crate::doctor::{self, requirement, verdict};
use crate::document::Header;
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::git::url::{Repository, contains_token, redact};
use crate::github::Memory;
use crate::home::Home;
use crate::process;
use crate::provision;
use crate::resource::private_folder;
use crate::settings::{Requirement, Settings, accepted, shown_name};
use crate::state::State;
use crate::state::heal::settled;
use crate::terminal::{Progress, fitted, wait_for};
use crate::text::nearest_name;

/// No probe is allowed to make the whole run longer.
const BUDGET: Duration = Duration::from_secs(30);
/// A model may take a minute.
const LIVE_BUDGET: Duration = Duration::from_secs(90);
/// Between two tries of `--wait`.
const PAUSE: Duration = Duration::from_secs(2);
/// What GitHub or a model tells changes in minutes, and each look costs requests.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const fn budget(depth: Depth) -> Duration {
    match depth {
        Depth::Offline | Depth::Network => BUDGET,
        Depth::Live => LIVE_BUDGET,
    }
}

pub fn run(arguments: &cli::Doctor, verbose: u8) -> Result<Exit> {
    if arguments.list {
        print(&if arguments.json { json(&Listed::new()) } else { list() });
        return Ok(Exit::Ready);
    }
    let selection = Selection { only: arguments.only.clone(), skip: arguments.skip.clone() };
    if let Some(name) = selection.unknown().next() {
        let known = CHECKS.iter().flat_map(|check| [area(check.id), check.id]);
        let nearest = nearest_name(name, known)
            .map_or(String::new(), |known| format!("the nearest is `{known}`; "));
        return Err(Error::new(format!("there is no check or area `{}`", redact(name)))
            .hint(format!("{nearest}see them all: `pushready doctor --list`"))
            .exit(Exit::Usage));
    }
    for name in &selection.only {
        if let Some(too_deep) = Selection::too_deep(name, depth(arguments)) {
            return Err(Error::new(format!("`{}` is not checked here", redact(name)))
                .because(too_deep)
                .exit(Exit::Usage));
        }
    }
    let named = RepositoryOptions {
        only: repositories("--repo", &arguments.repo)?,
        also: repositories("--also", &arguments.also)?,
    };
    let mut home = Home::locate_afresh(&Env::of_process())?;
    process::end_children_with_us(private_folder::remove_held);
    let swept = private_folder::sweep(&home.state);
    tracing::debug!(swept, "folders of interrupted runs");
    let progress = Progress::show(verbose > 0, "the files of this home");
    let (start, patience) = (Instant::now(), Duration::from_secs(arguments.wait));
    let github = Memory::default();
    let mut pause = PAUSE;
    let mut report = examine(arguments, &selection, &named, &github, &home)?;
    while let Some(rest) = next_pause(pause, start.elapsed(), patience)
        && report.may_pass()
    {
        let wait = wait_for(|| format!("the next look, in {} s", rest.as_secs()));
        thread::sleep(rest);
        drop(wait);
        home = Home::locate_afresh(&Env::of_process())?;
        let again = report.to_try_again().map(|outcome| outcome.id);
        let again = Selection { only: again.map(str::to_owned).collect(), skip: Vec::new() };
        if again.only.iter().any(|id| id.starts_with("actions.") || id.ends_with(".request")) {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        report = report.renewed(examine(arguments, &again, &named, &github, &home)?);
    }
    if report.provisioned_at.is_some() {
        let whole = selection.only.is_empty() && selection.skip.is_empty() && named.only.is_empty();
        if let Err(error) = verdict::keep(&report, whole, &home.state) {
            super::print_error(&error);
        }
    }
    drop(progress);
    match () {
        () if arguments.json => print(&json(&report)),
        () if arguments.short => print_report(report.short()),
        () => print_report(fitted(&report.text(verbose > 0, !arguments.only.is_empty()))),
    }
    Ok(report.exit(arguments.strict))
}

/// The pause before the next look: the last one ends when `--wait` does.
fn next_pause(pause: Duration, elapsed: Duration, patience: Duration) -> Option<Duration> {
    let left = patience.checked_sub(elapsed)?;
    (!left.is_zero()).then(|| pause.min(left))
}

const fn depth(arguments: &cli::Doctor) -> Depth {
    match arguments {
        cli::Doctor { offline: true, .. } => Depth::Offline,
        cli::Doctor { live: true, .. } => Depth::Live,
        _ => Depth::Network,
    }
}

/// The repositories that the command line names.
struct RepositoryOptions {
    /// With `--repo`: no other is checked.
    only: Vec<Repository>,
    /// With `--also`: in addition to those that are checked anyway.
    also: Vec<Repository>,
}

fn repositories(option: &str, names: &[String]) -> Result<Vec<Repository>> {
    let parse = |name: &String| {
        // it would be in the report, in doctor.json and in the arguments of git
        if contains_token(name) {
            return Err(Error::new(format!("{option} contains what looks like a token"))
                .hint("name the repository: `owner/repo`, or its URL without a credential")
                .exit(Exit::Usage));
        }
        Repository::parse_declared(name).map_err(|error| {
            Error::new(format!("{option} names no repository"))
                .because(error.to_string())
                .exit(Exit::Usage)
        })
    };
    names.iter().map(parse).collect()
}

fn examine(
    arguments: &cli::Doctor,
    selection: &Selection,
    named: &RepositoryOptions,
    github: &Memory,
    home: &Home,
) -> Result<Report> {
    let start = Instant::now();
    let env = Env::of_process();
    let settings = Settings::load(&env, home, None)?;
    let (receipt, under_way) = match settled(&home.state)? {
        (_, true) => {
            // an apply that is running ends soon, and then there is more to examine
            drop(State::open_promptly(&home.state));
            settled(&home.state)?
        }
        settled => settled,
    };
    let mut provision = provision::restated(&provision::ProvisionContext {
        settings: &settings,
        home,
        receipt: receipt.as_ref(),
        proven: None,
        git: None,
        is_tested_after: false,
        now: env.now,
    });
    let plan = Plan::observe(std::mem::take(&mut provision.items), receipt.as_ref());
    let folder = std::env::current_dir().ok();
    let depth = depth(arguments);
    let RepositoryOptions { only, also } = named;
    let limited_to: Vec<Repository> = match &only[..] {
        [] => Vec::new(),
        only => only.iter().chain(also).cloned().collect(),
    };
    let end = start + budget(depth);
    let keyed = || provision.desired.repositories.iter().map(|record| &record.repository);
    let mut repositories: Vec<Repository> =
        keyed().filter(|repository| is_among(&limited_to, repository)).cloned().collect();
    repositories.extend(only.iter().chain(also).cloned());
    let roots = provision.desired.roots(home);
    let git_dir = env.raw("GIT_DIR").map(PathBuf::from);
    let clones = Clones::new(roots, folder.clone(), git_dir, arguments.all, end);
    // others are asked over the network alone, and where none are named
    let others = if depth > Depth::Offline && limited_to.is_empty() { MOST } else { 0 };
    let clones = clones.concerned_with(keyed().chain(only).chain(also).cloned().collect(), others);
    repositories.sort();
    repositories.dedup();
    // they are asked over the network alone
    let mut remotes = if depth == Depth::Offline { Vec::new() } else { clones.effective() };
    let of_these =
        |repository: Option<&Repository>| repository.is_some_and(|it| is_among(&limited_to, it));
    remotes.retain(|remote| limited_to.is_empty() || of_these(remote.url.repository()));
    let mut push_urls = push_urls(&repositories, &remotes);
    let mut requirements = requirement::all(&provision.desired);
    // logins come with the claim
    requirements.retain(|it| !settings.unclaimed || matches!(it, Requirement::Push(_)));
    let required = requirements.iter().filter(|_| arguments.required).filter_map(|it| match it {
        Requirement::Push(repository) => Some(repository.clone()),
        _ => None,
    });
    let first: Vec<_> = required.collect();
    let is_first = |of: &Repository| first.iter().any(|first| first.same_as(of));
    push_urls.sort_by_key(|url| !url.over_ssh().is_some_and(|url| is_first(&url.repository)));
    let left_out = clones.left_out() + leave_out(&mut push_urls, &repositories);
    drop(remotes);
    let context = Context {
        env: &env,
        home,
        settings: &settings,
        receipt: receipt.as_ref(),
        under_way,
        desired: &provision.desired,
        plan: &plan,
        limited_to: &limited_to,
        first: &first,
        push_urls: &push_urls,
        left_out,
        clones: &clones,
        folder,
        is_new_clone: false,
        depth,
        end,
        github,
        connections: Connections::until(end),
        gathered: &Gathered::default(),
    };
    let checks = doctor::run(&context, selection, &requirements);
    let requested = CHECKS.iter().filter(|check| selection.runs(check, depth));
    let requested: Vec<_> = requested.map(|check| check.id).collect();
    let mut report = Report {
        header: Header::new(),
        binary_path: process::own_path().map_or(String::new(), |path| path.display().to_string()),
        finished_at: Timestamp::now(),
        provisioned_at: receipt.as_ref().map(|receipt| receipt.provisioned_at),
        overall: Overall::Unknown,
        required: arguments.required.then_some(Overall::Unknown),
        not_tested: Vec::new(),
        requirements,
        not_codes: accepted(&env).1.iter().map(|name| shown_name(name)).collect(),
        limited_to: limited_to.iter().map(Repository::to_ssh).collect(),
        depth,
        examined: Examined::of(&checks, &requested),
        requested,
        checks,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    report.judge();
    Ok(report)
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    header: Header,
    checks: &'static [Check],
}

impl Listed {
    fn new() -> Self {
        Self { header: Header::new(), checks: CHECKS }
    }
}

fn list() -> String {
    CHECKS
        .iter()
        .map(|check| format!("{:<22} {:<8} {}\n", check.id, check.depth.name(), check.title))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_looks_again_until_its_time_is_over() {
        let seconds = Duration::from_secs;
        for (pause, elapsed, patience, next) in [
            (2, 0, 60, Some(2)),
            (30, 30, 60, Some(30)),
            (30, 31, 60, Some(29)),
            (30, 59, 60, Some(1)),
            (30, 60, 60, None),
            (30, 61, 60, None),
            (2, 0, 0, None),
        ] {
            let found = next_pause(seconds(pause), seconds(elapsed), seconds(patience));
            assert_eq!(found, next.map(seconds), "{pause} {elapsed} {patience}");
        }
    }

    #[test]
    fn a_start_script_waits_half_a_minute_at_most() {
        for (depth, seconds) in [(Depth::Offline, 30), (Depth::Network, 30), (Depth::Live, 90)] {
            assert_eq!(budget(depth), Duration::from_secs(seconds), "{}", depth.name());
        }
    }
}
