//! Names as a program of the system's C library looks them up: by nsswitch.conf, with the search
//! domains and the order of the resolvers. This program is static, and its own library has other
//! rules for resolvers that disagree or fail in part.

use std::net::IpAddr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use crate::http::probe::{self, ConnectFault};
use crate::process::{self, Failure, Program};

/// Where getent(1) has no answer by then, the addresses of our own library count: a resolver that
/// is silent is asked again and again by it, and a client waits for that longer than we do.
const PART_FOR_GETENT: u32 = 2;

/// By getent(1); by our own library where it is not installed, or not done in time.
pub fn as_the_system_does(host: &str, end: Instant) -> Result<Vec<IpAddr>, ConnectFault> {
    let (sender, receiver) = channel();
    let name = host.to_owned();
    let own = move || drop(sender.send(probe::look_up(&name, end)));
    let started = thread::Builder::new().spawn(own).is_ok();
    let left = || end.saturating_duration_since(Instant::now());
    let by_own_library = || {
        if !started {
            return probe::look_up(host, end);
        }
        receiver.recv_timeout(left()).unwrap_or(Err(ConnectFault::Unanswered))
    };
    let mut getent = process::command(Program::Resolver);
    getent.args(["ahosts", host]);
    match process::run(getent, left() / PART_FOR_GETENT) {
        Ok(output) if output.status.success() => Ok(addresses(&output.stdout)),
        Ok(_) => Err(ConnectFault::Unresolved),
        Err(Failure::Deadline) => by_own_library().map_err(|_| ConnectFault::Unanswered),
        Err(Failure::Missing | Failure::Killed(_) | Failure::Io(_)) => by_own_library(),
    }
}

/// `192.0.2.7       STREAM api.example`, and the same for each other type of socket. Pure.
fn addresses(text: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        (words.next() == Some("STREAM")).then_some(address)
    };
    text.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_read_once() {
        let printed = "2001:db8::7     STREAM api.example\n2001:db8::7     DGRAM\n\
                       2001:db8::7     RAW\n192.0.2.7       STREAM\n192.0.2.7       DGRAM\n";
        let expected: [IpAddr; 2] = ["2001:db8::7".parse().unwrap(), "192.0.2.7".parse().unwrap()];
        assert_eq!(addresses(printed), expected);
        assert_eq!(addresses(""), [] as [IpAddr; 0]);
    }
}
