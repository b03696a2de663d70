//! Our own line in the workspace's metadata: whether an agent there could push.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::judge::Ended;
use super::output::{OutputMode, progress};
use super::trouble;
use super::watch::{Outage, with_log};
use super::work::workspace;
use crate::catalogue::Code;
use crate::coder::model::{Metadata, Workspace, WorkspaceAgent, list};
use crate::coder::{Backend, CoderAnswer, shortened};
use crate::error::{Exit, Result};
use crate::http::segment;
use crate::terminal::wait_for;

/// The key of the item.
const KEY: &str = "pushready";
/// A script of the metadata may take as long, and then some.
const SLACK: Duration = Duration::from_secs(20);
/// No interval that is longer is waited for.
const LONGEST_INTERVAL: u64 = 180;

/// What an agent's metadata says. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ReadinessLine {
    /// No item of ours.
    Missing,
    /// Collected before the start scripts had ended, or never.
    Early(Duration),
    Says(String),
}

fn judge(items: &[Metadata], started: Option<Timestamp>) -> ReadinessLine {
    let Some(item) = items.iter().find(|item| item.key == KEY) else {
        return ReadinessLine::Missing;
    };
    let interval = u64::try_from(item.interval).unwrap_or(60).clamp(1, LONGEST_INTERVAL);
    let is_late = |at: Timestamp| started.is_none_or(|started| at >= started);
    if !item.collected_at.is_some_and(is_late) {
        return ReadinessLine::Early(Duration::from_secs(interval));
    }
    // pushready is still starting there
    if item.value.starts_with("starting") {
        return ReadinessLine::Early(Duration::from_secs(interval));
    }
    let error = (!item.error.is_empty()).then(|| format!(" ({})", item.error));
    ReadinessLine::Says(format!("{}{}", item.value.trim(), error.unwrap_or_default()))
}

/// The items of an agent, until `take` has enough of them.
fn items<T>(
    backend: &Backend,
    agent: &WorkspaceAgent,
    patience: Duration,
    mut take: impl FnMut(&[Metadata]) -> ControlFlow<T>,
) -> CoderAnswer<Option<T>> {
    let path = format!("/api/v2/workspaceagents/{}/watch-metadata", segment(&agent.id));
    backend.coder.events(&path, patience, |event| {
        take(&list(event).iter().filter_map(Metadata::of).collect::<Vec<_>>())
    })
}

/// ` (6 s ago)`.
pub fn age_text(age: i64) -> String {
    match age {
        ..0 => String::new(),
        0..120 => format!(" (reported {age} s ago)"),
        120..7200 => format!(" (reported {} min ago)", age / 60),
        _ => format!(" (reported {} h ago)", age / 3600),
    }
}

fn age(items: &[Metadata]) -> i64 {
    items.iter().find(|item| item.key == KEY).and_then(|item| item.age).unwrap_or(-1)
}

/// What the line says at this moment, for `status`, and its age in seconds, or -1. `None`: there is
/// no such item.
pub fn now(backend: &Backend, workspace: &Workspace) -> Option<(String, i64)> {
    let agents = workspace.build.agents.iter().filter(|agent| agent.status == "connected");
    let said = agents.filter_map(|agent| {
        let patience = Duration::from_secs(3);
        let items = items(backend, agent, patience, |items| ControlFlow::Break(items.to_vec()));
        let items = items.ok()??;
        match judge(&items, None) {
            ReadinessLine::Missing => None,
            ReadinessLine::Early(_) => Some(("nothing was reported yet".to_owned(), -1)),
            ReadinessLine::Says(line) => Some((shortened(&line), age(&items))),
        }
    });
    said.into_iter().next()
}

/// Waits until the workspace is built. `Err`: it failed.
pub fn wait_for_build(
    backend: &Backend,
    id: &str,
    end: Instant,
    mode: OutputMode,
) -> Result<std::result::Result<Workspace, Ended>> {
    wait(backend, id, end, mode, |workspace| {
        matches!(&*workspace.build.status, "running" | "succeeded")
    })
}

fn wait(
    backend: &Backend,
    id: &str,
    end: Instant,
    mode: OutputMode,
    is_there: impl Fn(&Workspace) -> bool,
) -> Result<std::result::Result<Workspace, Ended>> {
    let (mut outage, mut said, mut line) = (Outage::default(), String::new(), None);
    loop {
        let gone = || Ended::new(Exit::NotReady, "the workspace was deleted");
        match workspace(backend, id) {
            Ok(None) => return Ok(Err(gone())),
            Ok(Some(found)) => {
                outage.is_over();
                if found.is_deleted() || found.build.transition == "delete" {
                    return Ok(Err(gone()));
                }
                if found.build.has_failed() {
                    let ended = Ended::new(Exit::NotReady, "the workspace cannot be used");
                    return Ok(Err(with_log(backend, &found, ended)));
                }
                if is_there(&found) {
                    return Ok(Ok(found));
                }
                let why = trouble::pending(&found).unwrap_or_default();
                if why != said {
                    progress(mode, &why);
                    said = why;
                }
                line.replace(wait_for(|| format!("{}: {said}", found.full_name())));
            }
            Err(failure) => outage
                .wait(failure, mode, end)
                .map_err(|failure| failure.into_error("cannot read the workspace"))?,
        }
        if Instant::now() >= end {
            let reason = format!("the time is over: {said}");
            return Ok(Err(Ended::new(Exit::TimedOut, reason)));
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// Waits until the start scripts have ended and our line was collected after that. `Ok`: it begins
/// with `ready`.
pub fn require(
    backend: &Backend,
    id: &str,
    end: Instant,
    mode: OutputMode,
) -> Result<std::result::Result<String, Ended>> {
    let built = match wait_for_build(backend, id, end, mode)? {
        Ok(built) => built,
        Err(ended) => return Ok(Err(ended)),
    };
    if built.build.agents.is_empty() {
        return Ok(Err(Ended::new(Exit::NotReady, "the workspace has no agent")));
    }
    let has_started = |workspace: &Workspace| {
        workspace
            .build
            .agents
            .iter()
            .any(|agent| agent.status == "connected" && agent.has_started())
    };
    let workspace = match wait(backend, id, end, mode, has_started)? {
        Ok(workspace) => workspace,
        Err(ended) => return Ok(Err(ended)),
    };
    let started = workspace.build.agents.iter().filter(|agent| agent.has_started());
    let mut missing = true;
    let mut late = None;
    for agent in started {
        let left = end.saturating_duration_since(Instant::now());
        let begin = Instant::now();
        let said = items(backend, agent, left, |items| match judge(items, agent.ready_at) {
            ReadinessLine::Missing => ControlFlow::Break(None),
            ReadinessLine::Says(line) => {
                ControlFlow::Break(Some(Some((line, age_text(age(items))))))
            }
            ReadinessLine::Early(interval) if begin.elapsed() > interval + SLACK => {
                ControlFlow::Break(Some(None))
            }
            ReadinessLine::Early(_) => ControlFlow::Continue(()),
        });
        match said.map_err(|failure| failure.into_error("cannot read the workspace's metadata"))? {
            Some(None) => {}
            Some(Some(Some((line, age)))) => {
                return Ok(verdict(&line, &workspace).map(|line| format!("{line}{age}")));
            }
            Some(Some(None)) | None => {
                missing = false;
                late = Some(Instant::now() >= end);
            }
        }
    }
    let name = workspace.full_name();
    Ok(Err(if missing {
        Ended::new(Exit::NotReady, "the workspace does not report whether it is ready")
            .hint("add pushready's metadata item to the template's coder_agent: a `dynamic \"metadata\"` block over module.pushready.metadata, as in examples/coder-agents/main.tf")
    } else if late == Some(true) {
        Ended::new(
            Exit::TimedOut,
            "the time is over, and the workspace has not reported whether it is ready",
        )
    } else {
        Ended::new(
            Exit::NotReady,
            "the workspace has reported nothing since its start scripts ended",
        )
        .hint(format!("look there: `coder ssh {name} -- pushready status`"))
    }))
}

fn verdict(line: &str, workspace: &Workspace) -> std::result::Result<String, Ended> {
    let line = shortened(line);
    if line.starts_with("ready") {
        return Ok(line);
    }
    let mut code = line.split(|it: char| !(it.is_ascii_alphanumeric() || it == '-'));
    let code = code.find_map(|word| word.parse::<Code>().ok());
    let name = workspace.full_name();
    let hint = match code {
        Some(code) => format!(
            "`pushready explain {code}` has the fix; `coder ssh {name} -- pushready doctor` proves it"
        ),
        None => format!("`coder ssh {name} -- pushready doctor` says what to fix"),
    };
    let line = if line.is_empty() { "it reports an empty line".to_owned() } else { line };
    Err(Ended::new(Exit::NotReady, format!("the workspace is not ready: {line}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn item(key: &str, collected: &str, value: &str) -> Value {
        json!({"result": {"collected_at": collected, "value": value, "error": "", "age": 6},
            "description": {"key": key, "interval": 60}})
    }

    #[test]
    fn only_a_line_from_after_the_start_scripts_counts() {
        let minute = Duration::from_secs(60);
        let started = Some("2026-11-20T10:00:00Z".parse().unwrap());
        let says = |text: &str| ReadinessLine::Says(text.to_owned());
        for (items, line) in [
            (vec![], ReadinessLine::Missing),
            (vec![item("cpu", "2026-11-20T10:05:00Z", "ready")], ReadinessLine::Missing),
            (vec![item("pushready", "0001-01-01T00:00:00Z", "")], ReadinessLine::Early(minute)),
            (
                vec![item("pushready", "2026-11-20T09:59:59Z", "ready · push 1/1")],
                ReadinessLine::Early(minute),
            ),
            (
                vec![item("pushready", "2026-11-20T10:00:00Z", "ready · push 1/1")],
                says("ready · push 1/1"),
            ),
            (
                vec![item("pushready", "2026-11-20T10:05:00Z", "starting")],
                ReadinessLine::Early(minute),
            ),
            (vec![item("pushready", "2026-11-20T10:05:00Z", "not ready")], says("not ready")),
        ] {
            let read: Vec<_> = items.iter().filter_map(Metadata::of).collect();
            assert_eq!(judge(&read, started), line, "{items:?}");
        }
    }
}
