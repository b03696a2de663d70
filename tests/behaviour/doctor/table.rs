//! The doctor's confusion matrix, row by row.

use std::collections::BTreeSet;

use super::Lab;
use crate::support::{Cmd, Output};

/// One row: the fault, what must be said of it, and what it entails besides.
pub struct Fault {
    pub code: &'static str,
    what: &'static str,
    /// Breaks the workspace, and runs the doctor in it.
    run: fn(&Lab) -> Cmd,
    status: &'static str,
    entailed: &'static [&'static str],
}

pub const fn fault(
    code: &'static str,
    status: &'static str,
    what: &'static str,
    run: fn(&Lab) -> Cmd,
) -> Fault {
    Fault { code, what, run, status, entailed: &[] }
}

impl Fault {
    pub const fn entails(self, codes: &'static [&'static str]) -> Self {
        Self { entailed: codes, ..self }
    }
}

/// What was found that is not well: (status, code or id).
pub fn findings(report: &serde_json::Value) -> BTreeSet<(String, String)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| !matches!(check["status"].as_str(), Some("pass" | "skip")))
        .map(|check| {
            let name = check["code"].as_str().or(check["id"].as_str()).unwrap();
            (check["status"].as_str().unwrap().to_owned(), name.to_owned())
        })
        .collect()
}

/// Runs the rows, prints the table, and fails on any false green, wrong cause, or failure without a
/// fix.
pub fn matrix(lab: &Lab, faults: &[Fault]) {
    let mut wrong = Vec::new();
    for row in faults {
        lab.fresh();
        let doctor = (row.run)(lab);
        let output = doctor.clone().run();
        wrong.extend(row.judge(&output));
        wrong.extend(row.mend(lab, &output, doctor));
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows are wrong:\n{}",
        wrong.len(),
        faults.len(),
        wrong.join("\n")
    );
}

impl Fault {
    /// What an agent may run as it stands, it will: that must be the end of the fault.
    fn mend(&self, lab: &Lab, output: &Output, doctor: Cmd) -> Option<String> {
        let report = output.json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let ours = |check: &&serde_json::Value| {
            check["code"] == self.code
                && check["agent_may_fix"] == true
                && check["fix"]["kind"] == "run"
        };
        let argv: Vec<String> =
            serde_json::from_value(checks.find(ours)?["fix"]["argv"].clone()).unwrap();
        let cure = match &argv[..] {
            [program, command] if program == "pushready" && command == "apply" => lab.apply(),
            [program, arguments @ ..] => lab.ws.cmd(program).args(arguments),
            [] => panic!("{output}"),
        };
        let cured = cure.run();
        let after = doctor.run();
        let still = findings(&after.json()).iter().any(|(_, name)| name == self.code);
        still.then(|| {
            format!("{} ({}): {argv:?} did not mend it\n{cured}\n{after}", self.code, self.what)
        })
    }

    /// Prints the row; returns what is wrong with it.
    pub fn judge(&self, output: &Output) -> Option<String> {
        let report = output.json();
        let found = findings(&report);
        let said: Vec<_> = found.iter().map(|(status, name)| format!("{status} {name}")).collect();
        let said = said.join(", ");
        println!("{:<28} {:<62} {said}", self.code, self.what);
        let expected = (self.status.to_owned(), self.code.to_owned());
        let others = found.iter().filter(|finding| **finding != expected);
        let mut wrong: Vec<String> = Vec::new();
        if !found.contains(&expected) {
            wrong.push("not found".to_owned());
        }
        let unentailed = others.filter(|(_, name)| !self.entailed.contains(&&**name));
        wrong.extend(unentailed.map(|(status, name)| format!("{status} {name} is wrong")));
        for check in
            report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "fail")
        {
            if check["fix"]["message"].as_str().is_none_or(str::is_empty)
                || !check["actor"].is_string()
            {
                wrong.push(format!("nobody can mend {check}"));
            }
        }
        wrong.extend(super::document::faults(&report));
        let fails = found.iter().any(|(status, _)| status == "fail");
        if output.status.code() != Some(i32::from(fails)) {
            wrong.push("the exit status is wrong".to_owned());
        }
        (!wrong.is_empty())
            .then(|| format!("{} ({}): {}\n{output}", self.code, self.what, wrong.join("; ")))
    }
}
