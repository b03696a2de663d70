//! Every scenario of `tests/actions/scenarios`, against a server in this process.

mod contract;
mod scenario;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use scenario::Scenario;

#[test]
fn every_scenario_ends_in_its_verdict() {
    let mut failures = Vec::new();
    let mut table = format!("{:44} {:>8} {:>8}  verdict\n", "scenario", "requests", "ms");
    for scenario in Scenario::all() {
        let start = Instant::now();
        let play = scenario.play(None);
        let elapsed = start.elapsed().as_millis();
        let _ =
            writeln!(table, "{:44} {:>8} {elapsed:>8}  {}", scenario.name, play.requests(), play.verdict());
        failures.extend(play.check(&scenario));
    }
    // past the capture of the test harness: these numbers are to be seen
    let _ = std::io::stderr().write_all(table.as_bytes());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_code_of_the_group_has_a_scenario() {
    let expected: Vec<String> = Scenario::all().iter().flat_map(Scenario::codes).collect();
    let missing: Vec<_> = crate::catalogue::Code::ALL
        .iter()
        .map(|code| code.name())
        .filter(|name| name.starts_with("actions-") && !expected.iter().any(|code| code == name))
        .collect();
    assert!(missing.is_empty(), "no scenario ends in {missing:?}");
}
