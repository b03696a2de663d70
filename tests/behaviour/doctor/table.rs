//! The doctor's confusion matrix, row by row.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use super::Lab;
use crate::children;
use crate::support::{Cmd, Output, Workspace};

/// One row: the fault, how it must be reported, and what else it causes.
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
    /// Whether `PUSHREADY_FAULT` is a part of the row's code or description; unset, it selects all.
    pub fn is_selected(&self) -> bool {
        let text = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
        self.code.contains(&text) || self.what.contains(&text)
    }

    pub const fn entails(self, codes: &'static [&'static str]) -> Self {
        Self { entailed: codes, ..self }
    }
}

/// The doctor where PATH has these programs and pushready alone.
pub fn doctor_with_only(lab: &Lab, tools: &[&str]) -> Cmd {
    let folder = lab.ws.home().join("bin");
    fs::create_dir(&folder).unwrap();
    for tool in tools {
        symlink(format!("/usr/bin/{tool}"), folder.join(tool)).unwrap();
    }
    symlink("/run/rig/bin/pushready", folder.join("pushready")).unwrap();
    lab.ws
        .cmd(folder.join("pushready"))
        .args(["doctor", "--json", "--offline"])
        .current_dir("src/app")
        .env("PATH", folder)
}

/// The status, and the code or id, of every check that neither passed nor was skipped.
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

/// The programs of which the arguments and the environment are recorded.
const CHILDREN: &[&str] = &["git", "ssh", "ssh-keygen", "sh"];

/// Runs the selected rows, each in a healthy workspace, and fails on any false green, wrong cause,
/// or failure without a fix.
pub fn matrix(ws: &Workspace, rows: &[Fault]) {
    matrix_in(|| Lab::new(ws), rows);
}

/// The same in a workspace of the caller's, which is made only if a row is selected.
pub fn matrix_in<'ws>(make_lab: impl FnOnce() -> Lab<'ws>, rows: &[Fault]) {
    let rows: Vec<_> = rows.iter().filter(|row| row.is_selected()).collect();
    if rows.is_empty() {
        return;
    }
    let lab = make_lab();
    children::record_all(lab.ws, CHILDREN);
    let mut wrong = Vec::new();
    let mut recorded = 0;
    for row in &rows {
        lab.fresh();
        let doctor = (row.run)(&lab);
        children::started();
        let output = doctor.clone().arg("-vvv").run();
        let children = children::started();
        recorded += children.len();
        wrong.extend(row.judge(&output));
        // whatever is broken, no secret is printed, written, or given to a program
        let leaks = lab.leaks(&output, &children);
        wrong.extend(leaks.iter().map(|leak| format!("{} ({}): {leak}", row.code, row.what)));
        wrong.extend(row.run_fix(&lab, &output, doctor));
    }
    assert!(recorded > 0, "no program was started in {} rows", rows.len());
    assert!(
        wrong.is_empty(),
        "{} of {} rows are wrong:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

impl Fault {
    /// An agent runs every fix that it may run: the fault must then be gone.
    fn run_fix(&self, lab: &Lab, output: &Output, doctor: Cmd) -> Option<String> {
        let report = output.json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let ours = |check: &&serde_json::Value| {
            check["code"] == self.code
                && check["agent_may_fix"] == true
                && check["fix"]["kind"] == "run"
        };
        let argv: Vec<String> =
            serde_json::from_value(checks.find(ours)?["fix"]["argv"].clone()).unwrap();
        let fix = match &argv[..] {
            [program, command] if program == "pushready" && command == "apply" => lab.apply(),
            [program, arguments @ ..] => lab.ws.cmd(program).args(arguments),
            [] => panic!("{output}"),
        };
        let fixed = fix.run();
        let after = doctor.run();
        let still = findings(&after.json()).iter().any(|(_, name)| name == self.code);
        still.then(|| {
            format!("{} ({}): {argv:?} did not fix it\n{fixed}\n{after}", self.code, self.what)
        })
    }

    /// Prints the row; returns what is wrong with it.
    pub fn judge(&self, output: &Output) -> Option<String> {
        let report = output.json();
        let found = findings(&report);
        let names: Vec<_> = found.iter().map(|(status, name)| format!("{status} {name}")).collect();
        println!("{:<28} {:<62} {}", self.code, self.what, names.join(", "));
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
                wrong.push(format!("no fix or no actor: {check}"));
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
