//! A panic is an internal error: one line that says where, never what of, and the exit status of
//! what could not run.

use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};

use crate::command;
use crate::error::{Error, Exit, Result};

/// What a panic was about may quote a secret: its place alone is told.
fn told(place: Option<&Location<'_>>) -> Error {
    let place =
        place.map_or(String::new(), |place| format!(", at {}:{}", place.file(), place.line()));
    Error::new(format!("pushready itself failed{place}")).hint("please report this as a bug")
}

/// For every thread, from now on.
pub fn announce_panics() {
    panic::set_hook(Box::new(|panic| command::complain(&told(panic.location()))));
}

/// Runs a command to its exit status, whatever happens. `in_json`: the name of one that answers so.
pub fn contained(in_json: Option<&str>, run: impl FnOnce() -> Result<Exit>) -> Exit {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            command::fail(&error, in_json);
            error.status()
        }
        Err(_) => {
            let error = told(None);
            command::answer(&error, in_json);
            error.status()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_could_not_run_and_quotes_nothing() {
        assert_eq!(contained(None, || panic!("of a secret")), Exit::CouldNotRun);
        assert_eq!(contained(None, || Ok(Exit::NotReady)), Exit::NotReady);
        assert_eq!(contained(None, || Err(Error::new("x").exit(Exit::Usage))), Exit::Usage);
        let here = Location::caller();
        let line = format!("error: pushready itself failed, at {}:{}\n", here.file(), here.line());
        assert_eq!(told(Some(here)).render(), line + "\nhint: please report this as a bug\n");
    }
}
