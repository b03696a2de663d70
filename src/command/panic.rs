//! A panic is an internal error: one line that says where, never what of, and the exit status of
//! what could not run.

use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};

use super::{print_error, print_failure, report_error};
use crate::error::{Error, Exit, Result};

/// The message of a panic may quote a secret: its place alone is reported.
fn internal_error(place: Option<&Location<'_>>) -> Error {
    let place =
        place.map_or(String::new(), |place| format!(", at {}:{}", place.file(), place.line()));
    Error::new(format!("pushready itself failed{place}")).hint("please report this as a bug")
}

/// For every thread, from now on.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| print_error(&internal_error(panic.location()))));
}

/// Runs a command to its exit status, whatever happens. `in_json`: the name of a command with
/// `--json`.
pub fn run_contained(in_json: Option<&str>, run: impl FnOnce() -> Result<Exit>) -> Exit {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            report_error(&error, in_json);
            error.status()
        }
        Err(_) => {
            let error = internal_error(None);
            print_failure(&error, in_json);
            error.status()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_could_not_run_and_quotes_nothing() {
        assert_eq!(run_contained(None, || panic!("of a secret")), Exit::CouldNotRun);
        assert_eq!(run_contained(None, || Ok(Exit::NotReady)), Exit::NotReady);
        assert_eq!(run_contained(None, || Err(Error::new("x").exit(Exit::Usage))), Exit::Usage);
        let here = Location::caller();
        let line = format!("error: pushready itself failed, at {}:{}\n", here.file(), here.line());
        assert_eq!(
            internal_error(Some(here)).render(),
            line + "\nhint: please report this as a bug\n"
        );
    }
}
