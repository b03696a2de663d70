//! Every scenario of `tests/actions/scenarios`, against a server in this process.

mod contract;
mod play;

use std::io::Write as _;

use crate::github_rig::causes::incomplete;
use crate::github_rig::played::Played;
use crate::github_rig::scenario::Scenario;
use play::play;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_scenario_ends_in_its_verdict() {
    let mut failures = Vec::new();
    let mut table = Played::heading();
    for scenario in Scenario::all(CRATE) {
        let played = play(&scenario, None);
        table += &played.line(&scenario);
        failures.extend(played.check(&scenario));
    }
    // past the capture of the test harness: these numbers are to be seen
    let _ = std::io::stderr().write_all(table.as_bytes());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_cause_and_every_code_has_a_scenario() {
    let all = Scenario::all(CRATE);
    assert_eq!(incomplete(&all), Vec::<String>::new());
    let expected: Vec<String> = all.iter().flat_map(Scenario::codes).collect();
    let missing: Vec<_> = crate::catalogue::Code::ALL
        .iter()
        .map(|code| code.name())
        .filter(|name| name.starts_with("actions-") && !expected.iter().any(|code| code == name))
        .collect();
    assert!(missing.is_empty(), "no scenario ends in {missing:?}");
}
