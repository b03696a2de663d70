//! What holds for every document of `doctor --json`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::schema;

/// A result is identified by these.
fn name(result: &Value) -> (String, String) {
    (result["id"].to_string(), result["subject"].to_string())
}

/// In which ways a document breaks the contract.
pub fn faults(report: &Value) -> Vec<String> {
    let mut faults: Vec<_> = schema::fault("doctor", report)
        .map(|fault| format!("not of its schema: {fault}"))
        .into_iter()
        .collect();
    let Some(checks) = report["checks"].as_array() else { return faults };
    let mut names = BTreeSet::new();
    faults.extend(
        checks
            .iter()
            .map(name)
            .filter(|name| !names.insert(name.clone()))
            .map(|name| format!("{name:?} is there twice")),
    );
    let requested: BTreeSet<_> =
        report["requested"].as_array().unwrap().iter().map(Value::to_string).collect();
    let reported: BTreeSet<_> = checks.iter().map(|check| check["id"].to_string()).collect();
    faults.extend(
        requested.difference(&reported).map(|id| format!("{id} was requested, and has no result")),
    );
    let looked = checks.iter().filter(|check| check["status"] != "skip").map(name);
    let looked: BTreeSet<_> = looked.filter(|(id, _)| requested.contains(id)).collect();
    let examined: BTreeSet<_> = report["examined"].as_array().unwrap().iter().map(name).collect();
    faults.extend(
        examined
            .symmetric_difference(&looked)
            .map(|name| format!("{name:?} is in one of examined and checks")),
    );
    faults
}
