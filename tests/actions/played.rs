//! The result of a scenario, and how it differs from what is expected.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::scenario::{Expected, Scenario, TOKEN};
use super::server::Request;

const CHECKS: [&str; 3] = ["actions.runs", "actions.workflow-files", "actions.status-page"];

/// The result of a scenario.
pub struct Played {
    /// As in the report.
    pub outcomes: Vec<Value>,
    /// Those of `--offline`, where it was played.
    pub offline: Vec<Value>,
    pub api: Vec<Request>,
    pub status: Vec<Request>,
    pub elapsed: Duration,
}

impl Played {
    pub fn requests(&self) -> usize {
        self.api.len() + self.status.len()
    }

    /// The codes of this play, or its best status.
    pub fn verdict(&self) -> String {
        let runs = self.outcomes.iter().filter(|outcome| outcome["id"] == "actions.runs");
        let names: Vec<_> = runs
            .map(|outcome| outcome["code"].as_str().or(outcome["status"].as_str()).unwrap())
            .collect();
        names.join(" ")
    }

    /// A line of the table that the tests print.
    pub fn line(&self, scenario: &Scenario) -> String {
        let mut line = String::new();
        let (cause, elapsed) = (scenario.cause.as_deref().unwrap_or("-"), self.elapsed.as_millis());
        let (requests, verdict) = (self.requests(), self.verdict());
        let _ =
            writeln!(line, "{cause:5} {:30} {requests:>8} {elapsed:>6}  {verdict}", scenario.name);
        line
    }

    pub fn heading() -> String {
        format!("{:5} {:30} {:>8} {:>6}  verdict\n", "cause", "scenario", "requests", "ms")
    }

    /// Each difference from what is expected.
    pub fn check(&self, scenario: &Scenario) -> Vec<String> {
        let mut failures = Vec::new();
        let mut fail = |text: String| failures.push(format!("{}: {text}", scenario.name));
        for expected in &scenario.expect {
            let found = self.outcomes.iter().filter(|outcome| {
                outcome["id"] == *expected.id
                    && expected
                        .subject
                        .as_ref()
                        .is_none_or(|subject| outcome["subject"] == **subject)
            });
            if !found.clone().any(|outcome| expected.fits(outcome)) {
                let found: Vec<_> = found.map(Value::to_string).collect();
                let wanted = (&expected.status, &expected.code, &expected.says, &expected.silent);
                fail(format!("expected {wanted:?}, found\n{}", found.join("\n")));
            }
        }
        for outcome in &self.offline {
            let same = |other: &&Value| {
                (&other["id"], &other["summary"]) == (&outcome["id"], &outcome["summary"])
            };
            if self.outcomes.iter().find(same).is_none() {
                fail(format!("reported offline alone: {}", outcome["summary"]));
            }
        }
        for outcome in &self.outcomes {
            if !CHECKS.iter().any(|id| outcome["id"] == *id) {
                fail(format!("{} is not a check", outcome["id"]));
            }
            let named =
                |expected: &Expected| outcome["id"] == *expected.id && expected.fits(outcome);
            if outcome["status"] != "pass"
                && outcome["status"] != "skip"
                && !scenario.expect.iter().any(named)
            {
                fail(format!("not expected: {outcome}"));
            }
            let subject = |other: &Value| (other["id"].clone(), other["subject"].clone());
            if self.outcomes.iter().filter(|other| subject(other) == subject(outcome)).count() > 1 {
                fail(format!("two outcomes for {:?}", subject(outcome)));
            }
        }
        if Value::from(self.outcomes.clone()).to_string().contains(TOKEN) {
            fail("an outcome contains the token".to_owned());
        }
        if self.requests() > scenario.requests {
            fail(format!(
                "{} requests, {} allowed: {:#?}",
                self.requests(),
                scenario.requests,
                self.targets()
            ));
        }
        for request in self.api.iter().chain(&self.status) {
            if request.method != "GET" {
                fail(format!("{} is not a read", request.method));
            }
        }
        let authorized = |request: &Request, token: &str| {
            request.headers.get("authorization").is_some_and(|sent| sent == token)
        };
        let bearer = format!("Bearer {TOKEN}");
        for request in
            self.api.iter().filter(|request| scenario.token && !authorized(request, &bearer))
        {
            fail(format!("requested without the token: {}", request.target));
        }
        if self.status.iter().any(|request| request.headers.contains_key("authorization")) {
            fail("the status page was sent a token".to_owned());
        }
        failures
    }

    pub fn targets(&self) -> Vec<&str> {
        self.api.iter().chain(&self.status).map(|request| &*request.target).collect()
    }
}
