//! A panic is an internal error, of any thread: it ends the run with one line that says where, never
//! what of, and with the exit status of what could not run. Nothing unwinds: a release has no
//! tables for it, which would be an eighth of the binary.

use std::panic::{self, Location};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::report_error;
use crate::error::Error;
use crate::process;
use crate::resource::private_folder;

/// The message of a panic may quote a secret: its place alone is reported.
fn internal_error(place: Option<&Location<'_>>) -> Error {
    let place =
        place.map_or(String::new(), |place| format!(", at {}:{}", place.file(), place.line()));
    Error::new(format!("pushready itself failed{place}")).hint("please report this as a bug")
}

static ENDING: AtomicBool = AtomicBool::new(false);
static IN_JSON: OnceLock<&str> = OnceLock::new();

/// From now on, a panic ends the run. Our children and private folders do not outlive it; a file
/// that was being replaced is left as after a kill, and the next run removes its temporary file.
pub fn end_the_run() {
    panic::set_hook(Box::new(|panic| {
        // the first alone reports
        while ENDING.swap(true, Ordering::Relaxed) {
            thread::park();
        }
        process::end_children();
        private_folder::remove_held();
        let error = internal_error(panic.location());
        report_error(&error, IN_JSON.get().copied());
        std::process::exit(error.status().status().into());
    }));
}

/// A command with `--json`: the report of a panic is JSON as well.
pub fn report_as(command: &'static str) {
    let _ = IN_JSON.set(command);
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Barrier;

    use super::*;
    use crate::error::Exit;
    use crate::resource::private_folder::PrivateFolder;

    const CHILD: &str = "PUSHREADY_TEST_PANICS";

    /// Runs only in a process of its own, which two panics end.
    #[test]
    fn two_threads_panic() {
        let Some(place) = std::env::var_os(CHILD) else { return };
        end_the_run();
        report_as("doctor");
        let _left = PrivateFolder::new_in(&[place.into()]).unwrap();
        let both = Barrier::new(2);
        let panic = || {
            both.wait();
            panic!("of a secret")
        };
        thread::scope(|scope| {
            scope.spawn(panic);
            scope.spawn(panic);
        });
    }

    #[test]
    fn a_panic_ends_the_run_once_and_quotes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "command::panic::tests::two_threads_panic", "--nocapture", "-q"]);
        let output = child.env(CHILD, place.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(Exit::CouldNotRun.status().into()), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("error: pushready itself failed, at src/command/panic.rs:"));
        assert!(stderr.ends_with("\n\nhint: please report this as a bug\n"), "{stderr}");
        assert_eq!(stderr.lines().count(), 3, "{stderr}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let json = &stdout[stdout.find('{').unwrap()..];
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["command"], "doctor");
        assert!(!(stdout + &stderr).contains("secret"));
        assert_eq!(place.path().read_dir().unwrap().count(), 0);
    }
}
