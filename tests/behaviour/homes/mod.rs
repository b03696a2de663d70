//! Homes as they come: elsewhere, of another, full, read-only, linked, with other programs running
//! in them, and environments that are not what they should be.

mod environment;
mod modules;
mod places;

use serde_json::Value;

use crate::support::Workspace;

fn json_at(ws: &Workspace, path: &str) -> Value {
    serde_json::from_str(&ws.read(path)).unwrap()
}
