//! Workspaces that are made for a chat, and how a workspace is removed.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::names;
use super::output::{OutputMode, progress};
use super::watch::Outage;
use super::work::workspace;
use crate::coder::model::Workspace;
use crate::coder::{Backend, CoderAnswer, CoderFailure, shortened};
use crate::error::{Error, Exit, Result};
use crate::http::segment;
use crate::terminal::wait_for;

/// A workspace by the name of its owner and its own.
pub fn by_name(backend: &Backend, owner: &str, name: &str) -> CoderAnswer<Option<Workspace>> {
    let path = format!(
        "/api/v2/users/{}/workspace/{}?include_deleted=true",
        segment(owner),
        segment(name)
    );
    match backend.coder.get(&path) {
        Ok(value) => Ok(Workspace::of(&value).filter(|found| !found.is_deleted())),
        Err(failure) if failure.is_gone() => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub struct Made {
    pub workspace: Workspace,
    /// In this run: an earlier one may have made it for the same name and ended too early.
    pub is_new: bool,
}

/// The workspace for the task of this name. A create whose answer was lost is looked up.
pub fn make(backend: &Backend, name: &str, mut body: Value) -> Result<Made> {
    let own = names::workspace(&backend.user.id, name);
    let failed = |failure: CoderFailure| creation_error(failure, &own);
    if let Some(found) = by_name(backend, "me", &own).map_err(failed)? {
        return Ok(Made { workspace: restarted(backend, found)?, is_new: false });
    }
    if let Some(fields) = body.as_object_mut() {
        fields.insert("name".to_owned(), json!(own));
    }
    let mut again = true;
    loop {
        match backend.coder.post("/api/v2/users/me/workspaces", Some(&body)) {
            Ok(value) => {
                let made = Workspace::of(&value).ok_or_else(|| {
                    Error::new("the server made no workspace")
                        .because("its answer is not a workspace")
                        .hint("`coder list` shows whether it is there")
                })?;
                return Ok(Made { workspace: made, is_new: true });
            }
            Err(failure) if failure.is_uncertain() || failure.status() == Some(409) => {
                if let Some(found) = looked_up(|| by_name(backend, "me", &own)).map_err(failed)? {
                    return Ok(Made { workspace: found, is_new: failure.is_uncertain() });
                }
                if !again || !failure.is_uncertain() {
                    return Err(failed(failure));
                }
                again = false;
            }
            Err(failure) => return Err(failed(failure)),
        }
    }
}

fn creation_error(failure: CoderFailure, name: &str) -> Error {
    let fields = failure.refused().map(|refusal| refusal.fields.clone()).unwrap_or_default();
    let error = failure.into_error(format!("cannot make the workspace `{name}`"));
    if fields.is_empty() {
        return error;
    }
    let options: Vec<_> =
        fields.iter().map(|(field, _)| format!("--param {}=VALUE", shortened(field))).collect();
    error.hint(format!("give {}", options.join(" "))).exit(Exit::Usage)
}

/// Looks several times: a request whose answer was lost may still be running.
pub fn looked_up<T>(look: impl Fn() -> CoderAnswer<Option<T>>) -> CoderAnswer<Option<T>> {
    for pause in [500, 1500, 3000] {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        thread::sleep(Duration::from_millis(pause));
    }
    look()
}

/// The same workspace, started if it does not run.
pub fn restarted(backend: &Backend, workspace: Workspace) -> Result<Workspace> {
    if workspace.build.transition == "start" && !workspace.build.has_failed() {
        return Ok(workspace);
    }
    build(backend, &workspace.id, "start").map_err(|failure| {
        failure.into_error(format!("cannot start `{}`", workspace.full_name()))
    })?;
    Ok(workspace)
}

fn build(backend: &Backend, id: &str, transition: &str) -> CoderAnswer<Value> {
    let path = format!("/api/v2/workspaces/{}/builds", segment(id));
    backend.coder.post(&path, Some(&json!({"transition": transition})))
}

/// What became of a workspace that was to be removed or stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Removed {
    Done,
    /// The build failed, twice if it is a delete.
    Failed(String),
    TimedOut,
}

/// Stops a workspace, and waits until it is.
pub fn stop(backend: &Backend, id: &str, end: Instant, mode: OutputMode) -> Result<Removed> {
    bring(backend, id, "stop", 1, end, mode)
}

/// Removes a workspace, and waits until it is gone. A build that runs is waited for; at most
/// `builds` delete builds are started, one after another failed.
pub fn remove(
    backend: &Backend,
    id: &str,
    builds: usize,
    end: Instant,
    mode: OutputMode,
) -> Result<Removed> {
    bring(backend, id, "delete", builds, end, mode)
}

fn bring(
    backend: &Backend,
    id: &str,
    transition: &'static str,
    most: usize,
    end: Instant,
    mode: OutputMode,
) -> Result<Removed> {
    let doing = || format!("cannot {transition} the workspace");
    let (mut outage, mut said) = (Outage::default(), String::new());
    let mut started = 0;
    let _line = wait_for(|| format!("the {transition} build of the workspace"));
    loop {
        let found = match workspace(backend, id) {
            Ok(found) => found,
            Err(failure) => {
                outage.wait(failure, mode, end).map_err(|failure| failure.into_error(doing()))?;
                continue;
            }
        };
        outage.is_over();
        let Some(found) = found.filter(|found| !found.is_deleted()) else {
            return Ok(Removed::Done);
        };
        let build = &found.build;
        let is_wanted = build.transition == transition;
        let why = build.error.as_deref().unwrap_or("no reason is given");
        match () {
            () if transition == "stop"
                && is_wanted
                && matches!(&*build.status, "stopped" | "succeeded") =>
            {
                return Ok(Removed::Done);
            }
            () if build.is_running() => {
                let what = format!("the workspace {} is {}", found.full_name(), build.status);
                if said != what {
                    progress(mode, &what);
                    said = what;
                }
            }
            () if is_wanted && build.has_failed() && started >= most => {
                return Ok(Removed::Failed(shortened(why)));
            }
            // what it was before a build of ours is seen
            () if started >= most => {}
            () => match self::build(backend, id, transition) {
                Ok(_) => started += 1,
                // another build was faster, or the answer was lost: the next look tells
                Err(failure) if failure.status() == Some(409) => {}
                Err(failure) if failure.is_gone() => return Ok(Removed::Done),
                Err(failure) if failure.is_uncertain() => {
                    started += 1;
                    progress(
                        mode,
                        &format!("no certain answer ({}): looking again", failure.request),
                    );
                }
                Err(failure) => return Err(failure.into_error(doing())),
            },
        }
        if Instant::now() >= end {
            return Ok(Removed::TimedOut);
        }
        thread::sleep(Duration::from_secs(1));
    }
}
