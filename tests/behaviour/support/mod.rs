//! The rig: a sandbox per test, and in it a workspace, a git host that answers as github.com, and
//! the vendors' servers.

pub mod canary;
pub mod clients;
mod coder;
mod everything;
pub mod fake_auth;
mod git_host;
mod measured;
mod mirror;
pub mod network;
mod sandbox;
pub mod schema;
mod snapshot;
pub mod strace;
mod template;
mod vendors;
mod workspace;

pub use clients::Clients;
pub use coder::Coder;
pub use everything::{Everything, apply_logins, home_in_use};
pub use git_host::{Access, GitHost, KeyPair, Session};
pub use measured::Measured;
pub use mirror::{Answer, Mirror};
pub use sandbox::{is_inside, sandbox, sandbox_with, skip, skipped, with_etc};
pub use snapshot::Snapshot;
pub use template::{AGENT_PATH, Agent, Release, Template};
pub use vendors::{Request, Vendors};
pub use workspace::{Cmd, Output, Workspace, without_lfs};

use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

/// Where the sandbox shows this crate: scripts and fixtures are read from here.
pub const CRATE: &str = "/run/rig/crate";
/// The rig's own files, scripts and configuration.
pub const SUPPORT: &str = "/run/rig/crate/tests/behaviour/support";
/// First in `PATH`: pushready itself and the programs that a test installs.
pub const BIN: &str = "/run/rig/bin";
pub const PATH: &str = "/run/rig/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Skips the test, and reports it, unless `tool` is installed.
pub fn require(tool: &str) {
    if !PATH.split(':').any(|folder| std::path::Path::new(folder).join(tool).exists()) {
        skip(format!("{tool} not found"));
    }
}

/// Puts OpenSSH 10 first in `PATH`, or skips the test.
pub fn use_openssh_10() {
    let ssh = std::path::Path::new("/run/rig/clients/openssh-10/ssh");
    if !ssh.exists() {
        skip("OpenSSH 10 not found (scripts/install-openssh10.sh fetches it)");
    }
    std::os::unix::fs::symlink(ssh, format!("{BIN}/ssh")).unwrap();
}

/// Waits until `server` accepts connections at `address`.
pub fn await_listening(server: &mut Child, address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        if let Some(status) = server.try_wait().unwrap() {
            panic!("the server for {address} ended: {status}");
        }
        assert!(Instant::now() < deadline, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
