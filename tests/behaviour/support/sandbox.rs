//! A sandbox per test, made by bubblewrap without privileges: user `coder` (1000) with an empty home, a read-only system
//! and a network of its own, in which github.com and the vendors are loopback addresses. All that a test starts dies with it.

use super::{CRATE, PATH, Workspace};
use std::env;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

const INSIDE: &str = "PUSHREADY_SANDBOX";
/// A test that hangs is killed; no honest one takes as long.
const DEADLINE_SECONDS: &str = "300";

/// Runs `test` in a sandbox of its own, in which this test binary is started again for exactly this test.
pub fn sandbox<F: FnOnce(&Workspace)>(test: F) {
    let name = test_name::<F>();
    if env::var_os(INSIDE).is_some() { inside(name, test) } else { outside(name) }
}

struct Skip(String);

/// Ends the running test as skipped.
pub fn skip(reason: impl Into<String>) -> ! {
    // resume_unwind, because a panic would print a backtrace
    resume_unwind(Box::new(Skip(reason.into())))
}

/// `behaviour::area::test::{{closure}}`, the type of the closure in a test, without what libtest does not know.
fn test_name<F>() -> &'static str {
    let path = std::any::type_name::<F>();
    let path = path.split_once("::{{closure}}").map_or(path, |(test, _)| test);
    path.split_once("::").expect("a test stands in a module").1
}

fn inside(name: &str, test: impl FnOnce(&Workspace)) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&Workspace::new()))) else { return };
    match panic.downcast::<Skip>() {
        Ok(skip) => eprintln!("SKIPPED {name}: {}", skip.0),
        Err(panic) => resume_unwind(panic),
    }
}

fn outside(name: &str) {
    let output = match bubblewrap(name).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return skipped(&format!("{name}: bwrap not found"));
        }
        output => output.unwrap(),
    };
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if let Some(skip) = stderr.lines().find_map(|line| line.strip_prefix("SKIPPED ")) {
        return skipped(skip);
    }
    // containers may forbid user namespaces
    if !output.status.success() && stderr.starts_with("bwrap: ") {
        return skipped(&format!("{name}: {}", stderr.trim_end()));
    }
    print!("{stdout}");
    eprint!("{stderr}");
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "{name} failed in its sandbox: {} (output above)", output.status);
}

/// Says so past libtest, which would swallow what a passing test prints.
fn skipped(what: &str) {
    assert!(env::var_os("PUSHREADY_NO_SKIP").is_none_or(|value| value != "1"), "SKIPPED {what}");
    io::stderr().write_all(format!("SKIPPED {what}\n").as_bytes()).unwrap();
    if let Some(file) = env::var_os("PUSHREADY_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{what}").unwrap();
    }
}

fn bubblewrap(test: &str) -> Command {
    let source = env!("CARGO_MANIFEST_DIR");
    let etc = format!("{source}/tests/behaviour/support/etc");
    let binary = env::var_os("PUSHREADY_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_pushready").into());
    let clients =
        env::var_os("PUSHREADY_CLIENTS_DIR").unwrap_or_else(|| format!("{source}/target/clients").into());

    let mut bwrap = Command::new("bwrap");
    bwrap.args("--unshare-user --uid 1000 --gid 1000 --unshare-pid --unshare-net --unshare-ipc".split(' '));
    bwrap.args("--die-with-parent --new-session --clearenv".split(' '));
    // so that a real sshd answers on github.com's own port
    bwrap.args("--cap-drop ALL --cap-add CAP_NET_BIND_SERVICE".split(' '));
    bwrap.args(
        "--ro-bind / / --perms 1777 --tmpfs /tmp --tmpfs /run --tmpfs /srv --tmpfs /etc/ssh".split(' '),
    );
    bwrap.args("--tmpfs /home --perms 0700 --dir /home/coder".split(' '));
    // read-only, because to the kernel a test that root runs is root: it could set the machine's sysctls
    bwrap.args("--proc /proc --remount-ro /proc".split(' '));
    // not bwrap's own --dev: for its pts it adds a second user namespace, and the port below 1024 belongs to the first
    bwrap.args("--tmpfs /dev --perms 1777 --tmpfs /dev/shm --symlink /proc/self/fd /dev/fd".split(' '));
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
        bwrap.args(["--dev-bind", device, device]);
    }
    for (file, place) in [
        ("passwd", "/etc/passwd"),
        ("group", "/etc/group"),
        ("hosts", "/etc/hosts"),
        ("empty", "/etc/resolv.conf"),
        ("empty", "/etc/gitconfig"),
        ("empty", "/usr/local/etc/gitconfig"),
        ("empty", "/etc/ssh/ssh_known_hosts"),
        ("ssh_config", "/etc/ssh/ssh_config"),
    ] {
        // the system is read-only: a file can be covered, not added
        if place.starts_with("/etc/ssh/") || Path::new(place).exists() {
            bwrap.args(["--ro-bind", &format!("{etc}/{file}"), place]);
        }
    }
    bwrap.args(["--ro-bind", source, CRATE, "--chdir", CRATE]);
    bwrap.arg("--ro-bind").args([env::current_exe().unwrap().as_os_str(), "/run/rig/tests".as_ref()]);
    bwrap.arg("--ro-bind").args([&*binary, "/run/rig/bin/pushready".as_ref()]);
    bwrap.arg("--ro-bind-try").args([&*clients, "/run/rig/clients".as_ref()]);
    for (name, value) in [
        (INSIDE, "1"),
        ("PATH", PATH),
        ("HOME", "/home/coder"),
        ("USER", "coder"),
        ("LANG", "C.UTF-8"),
        // insta would ask cargo, and would write beside the sources
        ("INSTA_WORKSPACE_ROOT", CRATE),
        ("INSTA_UPDATE", "no"),
    ] {
        bwrap.args(["--setenv", name, value]);
    }
    if let Ok(backtrace) = env::var("RUST_BACKTRACE") {
        bwrap.args(["--setenv", "RUST_BACKTRACE", &backtrace]);
    }
    bwrap.args(["--", "timeout", "--signal=KILL", DEADLINE_SECONDS, "/run/rig/tests", "--exact", test]);
    bwrap.args(["--include-ignored", "--nocapture", "--test-threads=1"]);
    bwrap
}
