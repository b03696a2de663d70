//! A sandbox per test, made by bubblewrap without privileges: user `coder` (1000) with an empty
//! home, a read-only system and a network of its own, in which github.com and the vendors are
//! loopback addresses. All that a test starts dies with it.

use super::Workspace;
use super::network::serve_providers;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

const INSIDE: &str = "PUSHREADY_SANDBOX";
/// A test that hangs is killed; no honest one takes as long, apart from those that are started by hand
/// with `PUSHREADY_DEADLINE`.
const DEADLINE_SECONDS: &str = "300";

/// Runs `test` in a sandbox of its own, in which this test binary is started again for exactly this
/// test.
pub fn sandbox<F: FnOnce(&Workspace)>(test: F) {
    sandbox_with(&[], test);
}

/// The same with more arguments for bubblewrap: another uid, a small or a read-only filesystem.
pub fn sandbox_with<F: FnOnce(&Workspace)>(arguments: &[&str], test: F) {
    sandbox_of(test_name::<F>(), arguments, test);
}

/// The same for the test of this name.
pub fn sandbox_of(name: &str, arguments: &[&str], test: impl FnOnce(&Workspace)) {
    if is_inside() { inside(name, test) } else { outside(name, arguments) }
}

/// Bubblewrap's arguments for folders in `/etc` that a test may fill. The system's `/etc` is
/// read-only, so another one with the same content takes its place.
pub fn with_etc(folders: &[&str]) -> Vec<String> {
    let own = format!("{}/tests/behaviour/support/etc", env!("CARGO_MANIFEST_DIR"));
    let mut arguments = vec!["--tmpfs".to_owned(), "/etc".to_owned()];
    let mut add = |option: &str, from: &str, to: &str| {
        arguments.extend([option, from, to].map(ToOwned::to_owned));
    };
    for entry in fs::read_dir("/etc").unwrap().map(Result::unwrap) {
        let path = entry.path();
        let (name, path) = (entry.file_name(), path.to_str().unwrap());
        match name.to_str().unwrap() {
            "ssh" => {}
            name if folders.contains(&name) => {}
            name @ ("passwd" | "group" | "hosts") => {
                add("--ro-bind", &format!("{own}/{name}"), path);
            }
            "resolv.conf" | "gitconfig" => add("--ro-bind", &format!("{own}/empty"), path),
            _ => match fs::read_link(path) {
                Ok(target) => add("--symlink", target.to_str().unwrap(), path),
                Err(_) => add("--ro-bind", path, path),
            },
        }
    }
    add("--ro-bind", &format!("{own}/empty"), "/etc/ssh/ssh_known_hosts");
    add("--ro-bind", &format!("{own}/ssh_config"), "/etc/ssh/ssh_config");
    arguments.extend(["--tmpfs", "/etc/ssl/certs"].map(ToOwned::to_owned));
    for folder in folders {
        arguments.extend(["--dir".to_owned(), format!("/etc/{folder}")]);
    }
    arguments
}

/// Whether this process runs in a sandbox.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

struct Skip(String);

/// Ends the running test as skipped.
pub fn skip(reason: impl Into<String>) -> ! {
    // resume_unwind, because a panic would print a backtrace
    resume_unwind(Box::new(Skip(reason.into())))
}

/// `behaviour::area::test::{{closure}}`, the type of the closure in a test, without what libtest
/// does not know.
pub fn test_name<F>() -> &'static str {
    let path = std::any::type_name::<F>();
    let path = path.split_once("::{{closure}}").map_or(path, |(test, _)| test);
    path.split_once("::").expect("a test is in a module").1
}

fn inside(name: &str, test: impl FnOnce(&Workspace)) {
    // what a whole doctor asks has to answer
    serve_providers();
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&Workspace::new()))) else { return };
    match panic.downcast::<Skip>() {
        Ok(skip) => eprintln!("SKIPPED {name}: {}", skip.0),
        Err(panic) => resume_unwind(panic),
    }
}

fn outside(name: &str, arguments: &[&str]) {
    let start = Instant::now();
    let output = bubblewrap(name, arguments).output().unwrap();
    record_time(name, start);
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if let Some(skip) = stderr.lines().find_map(|line| line.strip_prefix("SKIPPED ")) {
        return skipped(skip);
    }
    // it may be missing, and containers may forbid user namespaces
    // it warns of a second --uid, and the test runs all the same
    let refused =
        stderr.lines().find(|line| !line.starts_with("bwrap: Only the last ")).unwrap_or_default();
    if !output.status.success()
        && (refused.starts_with("bwrap: ") || refused.starts_with("bwrap not found"))
    {
        return skipped(&format!("{name}: {}", stderr.trim_end()));
    }
    print!("{stdout}");
    eprint!("{stderr}");
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "{name} failed in its sandbox: {} (output above)", output.status);
}

/// Which tests take long: `PUSHREADY_TIMES=FILE` gets a line `seconds name` for each.
fn record_time(name: &str, start: Instant) {
    if let Some(file) = env::var_os("PUSHREADY_TIMES") {
        append(&file, &format!("{:7.2} {name}\n", start.elapsed().as_secs_f64()));
    }
}

/// One write per line, because tests run side by side.
fn append(file: &OsStr, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// Counts a test as skipped, past libtest, which would swallow what a passing test prints.
pub fn skipped(what: &str) {
    // no registry that we use has terraform; what needs root is run by root as well
    let excused = [": terraform not found", ": needs root"].iter().any(|end| what.ends_with(end));
    assert!(
        excused || env::var_os("PUSHREADY_NO_SKIP").is_none_or(|value| value != "1"),
        "SKIPPED {what}"
    );
    io::stderr().write_all(format!("SKIPPED {what}\n").as_bytes()).unwrap();
    if let Some(file) = env::var_os("PUSHREADY_SKIPS") {
        append(&file, &format!("{what}\n"));
    }
}

/// The binary that cargo built. Two thirds of it are symbols and debug information, and every apply
/// reads, copies and compares it. Whoever wants names in a backtrace sets `PUSHREADY_BIN`.
static BINARY: LazyLock<OsString> = LazyLock::new(|| {
    let built = OsString::from(env!("CARGO_BIN_EXE_pushready"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stripped = folder.join("pushready");
    // renamed into place, because another run of the tests may be using the file
    let next = tempfile::NamedTempFile::new_in(folder).unwrap().into_temp_path();
    let strip = Command::new("strip").arg("-o").args([next.as_os_str(), &built]).output();
    let is_stripped = strip.is_ok_and(|strip| strip.status.success());
    fs::set_permissions(&next, Permissions::from_mode(0o755)).unwrap();
    if is_stripped && next.persist(&stripped).is_ok() { stripped.into() } else { built }
});

fn bubblewrap(test: &str, arguments: &[&str]) -> Command {
    let source = env!("CARGO_MANIFEST_DIR");
    let binary = env::var_os("PUSHREADY_BIN").unwrap_or_else(|| BINARY.clone());
    let clients = env::var_os("PUSHREADY_CLIENTS_DIR")
        .unwrap_or_else(|| format!("{source}/target/clients").into());

    let mut bwrap = Command::new(format!("{source}/tests/behaviour/support/sandbox.sh"));
    bwrap.args([source, "--new-session"]);
    // homes on a disk that is nearly full, and on one that is read-only
    bwrap.args(
        "--perms 0700 --size 65536 --tmpfs /srv/small --tmpfs /srv/read-only --remount-ro /srv/read-only"
            .split(' '),
    );
    bwrap
        .arg("--ro-bind")
        .args([env::current_exe().unwrap().as_os_str(), "/run/rig/tests".as_ref()]);
    bwrap.arg("--ro-bind").args([&*binary, "/run/rig/bin/pushready".as_ref()]);
    bwrap.arg("--ro-bind-try").args([&*clients, "/run/rig/clients".as_ref()]);
    bwrap.args(["--setenv", INSIDE, "1"]);
    for name in ["RUST_BACKTRACE", "PUSHREADY_FAULT", "PUSHREADY_ROWS"] {
        if let Ok(value) = env::var(name) {
            bwrap.args(["--setenv", name, &value]);
        }
    }
    bwrap.args(arguments);
    bwrap.args([
        "--",
        "timeout",
        "--signal=KILL",
        &env::var("PUSHREADY_DEADLINE").unwrap_or_else(|_| DEADLINE_SECONDS.to_owned()),
        "/run/rig/tests",
        "--exact",
        test,
    ]);
    bwrap.args(["--include-ignored", "--nocapture", "--test-threads=1"]);
    bwrap
}
