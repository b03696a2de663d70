//! Why an agent has not begun, or cannot: what the build, the agent and their logs say.

use crate::coder::model::{Workspace, WorkspaceAgent, list, text};
use crate::coder::{Backend, shortened};
use crate::http::segment;

/// How many lines of a log are quoted.
const LINES: usize = 5;

/// Why the workspace's agent does not work, as far as the workspace shows it. `None`: it does.
pub fn pending(workspace: &Workspace) -> Option<String> {
    let build = &workspace.build;
    let why = match &*build.status {
        "pending" => "the build of the workspace waits for a provisioner".to_owned(),
        "starting" => "the workspace is being built".to_owned(),
        "failed" => format!(
            "the build of the workspace failed: {}",
            shortened(build.error.as_deref().unwrap_or("no reason is given"))
        ),
        "running" | "succeeded" => return build.agents.first().and_then(pending_agent),
        other => format!("the workspace is {other}"),
    };
    Some(why)
}

fn pending_agent(agent: &WorkspaceAgent) -> Option<String> {
    let why = match (&*agent.status, &*agent.lifecycle) {
        ("connecting", _) => "the workspace's agent has not connected yet".to_owned(),
        ("timeout", _) => "the workspace's agent does not connect".to_owned(),
        ("disconnected", _) => "the workspace's agent has lost its connection".to_owned(),
        (_, "created" | "starting") => "the start scripts of the workspace are running".to_owned(),
        (_, "start_error") => "a start script of the workspace failed".to_owned(),
        (_, "start_timeout") => "a start script of the workspace takes too long".to_owned(),
        _ => agent.unhealthy.clone()?,
    };
    Some(why)
}

/// Whether the build failed because the owner may not have more.
pub fn is_quota(workspace: &Workspace) -> bool {
    let build = &workspace.build;
    build.error_code.as_deref() == Some("INSUFFICIENT_QUOTA")
        || build.error.as_deref().is_some_and(|error| error.contains("insufficient quota"))
}

/// The last lines of the log that belongs to the trouble: those of errors, if it has any.
pub fn log(backend: &Backend, workspace: &Workspace) -> Vec<String> {
    let build = &workspace.build;
    let agent = build.agents.iter().find(|agent| {
        matches!(&*agent.lifecycle, "start_error" | "start_timeout") || agent.unhealthy.is_some()
    });
    let (path, level) = match agent {
        _ if build.has_failed() => {
            (format!("/api/v2/workspacebuilds/{}/logs", segment(&build.id)), "log_level")
        }
        Some(agent) => (format!("/api/v2/workspaceagents/{}/logs", segment(&agent.id)), "level"),
        None => return Vec::new(),
    };
    let Ok(log) = backend.coder.get(&path) else { return Vec::new() };
    let lines = |only_errors: bool| {
        let is_wanted =
            |line: &&serde_json::Value| !only_errors || text(line, level) == Some("error");
        list(&log)
            .iter()
            .filter(is_wanted)
            .filter_map(|line| text(line, "output"))
            .map(shortened)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
    };
    let mut lines =
        Some(lines(true)).filter(|errors| !errors.is_empty()).unwrap_or_else(|| lines(false));
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}
