//! A case, its ceilings, and the run that measures it.

use std::fmt::Write as _;

use crate::support::{Cmd, Measured, Workspace, fake_auth};

/// What a run may use at most.
#[derive(Clone, Copy)]
pub struct Ceiling {
    /// Of memory, by the process or by a child of it.
    pub mebibytes: u64,
    /// Of the processors: the tests run side by side, and other programs with them.
    pub seconds: f64,
    /// Bytes on standard output.
    pub output: usize,
}

/// In seconds: whatever waits for something is over then. Longer than is promised, since the tests
/// run side by side.
const PATIENCE: f64 = 60.0;

/// What is promised for all input: a small workspace's memory, and the doctor's budget.
const PROMISED: Ceiling = Ceiling { mebibytes: 128, seconds: 30.0, output: 50_000 };
pub struct Case {
    what: &'static str,
    /// Writes the hostile bytes, and returns the command that reads them.
    run: fn(&Workspace) -> Cmd,
    /// A part of the output, which proves that the bytes were read, or why they were not.
    reports: &'static str,
    ceiling: Ceiling,
    /// The highest exit status that is expected. 3 is also that of a failure of pushready itself.
    status: i32,
}

pub const fn case(what: &'static str, reports: &'static str, run: fn(&Workspace) -> Cmd) -> Case {
    Case { what, run, reports, ceiling: PROMISED, status: 2 }
}

impl Case {
    /// It has a result for each of many subjects, so that its report is longer.
    pub const fn with_results(mut self, count: usize) -> Self {
        self.ceiling.output += 1200 * count;
        self
    }

    /// It ends so where the server cannot be used.
    pub const fn with_status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }
}

/// Runs the selected cases, each in an empty home, and fails with all that are above a ceiling.
pub fn hold(ws: &Workspace, cases: &[Case]) {
    let selected = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let mut failures = String::new();
    for case in cases.iter().filter(|case| case.what.contains(&selected)) {
        ws.sh("find . -mindepth 1 -delete; rm -f /tmp/coder-*.log").run().success();
        let Measured { output, mebibytes, seconds, elapsed } = Measured::run((case.run)(ws));
        let size = output.stdout.len();
        eprintln!(
            "{}: {mebibytes} MiB, {seconds:.1} s of {elapsed:.1} s, {size} bytes of output",
            case.what
        );
        let mut fail = |what: String| {
            let _ = writeln!(failures, "{}: {what}", case.what);
        };
        if mebibytes >= case.ceiling.mebibytes {
            fail(format!("{mebibytes} MiB of memory"));
        }
        if seconds >= case.ceiling.seconds {
            fail(format!("{seconds:.1} s of the processors"));
        }
        if elapsed >= PATIENCE {
            fail(format!("{elapsed:.1} s"));
        }
        if output.status.code().is_none_or(|code| code > case.status) {
            fail(format!("{} after {elapsed:.1} s\n{}", output.status, output.stderr));
        } else if !output.stdout.contains(case.reports) && !output.stderr.contains(case.reports) {
            let shown: String = output.stdout.chars().take(4000).collect();
            fail(format!("the output lacks {:?}\n{shown}\n{}", case.reports, output.stderr));
        }
        if size >= case.ceiling.output {
            fail(format!("{size} bytes of output"));
        }
    }
    assert!(failures.is_empty(), "above a ceiling:\n{failures}");
}

/// Logins and a trusted folder, so that the doctor looks at the files of the clients.
pub fn provision(ws: &Workspace) {
    ws.write("src/app/README.md", "", 0o644);
    ws.pushready(&["apply"])
        .env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
        .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", format!("sk-ant-oat01-{}", "rig".repeat(20)))
        .env("PUSHREADY_TRUSTED_FOLDERS", "~/src/app")
        .run()
        .success();
}

/// `unit` again and again, up to `size` bytes.
pub fn fill(unit: &str, size: usize) -> String {
    unit.repeat(size / unit.len())
}

/// A list of as many small objects as fit: each takes a hundred times its bytes once it is read.
pub fn objects(size: usize) -> String {
    format!("[{}0]", fill("{\"id\":0},", size - 20))
}

pub const MEBIBYTE: usize = 1 << 20;
