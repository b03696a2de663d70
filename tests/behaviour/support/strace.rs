//! Runs a command under strace: which steps change something, and what if one of them fails or is
//! the last.

use super::require;
use super::workspace::Cmd;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Child;

/// System calls that change a file or a folder; `?` because an architecture need not have them all.
/// musl opens by `open`.
const WRITES: &str = "openat,?open,write,?pwrite64,?writev,?ftruncate,fsync,?fdatasync,?rename,?renameat,renameat2,?link,linkat,\
                      ?unlink,unlinkat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,?symlink,symlinkat";

/// The `nth` call of `syscall`, from 1, in each process that comes so far: what strace calls
/// `when`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    pub syscall: String,
    pub nth: usize,
}

/// Runs `cmd`, which must succeed, and names each step of it that changes files.
pub fn steps(cmd: Cmd) -> BTreeSet<Step> {
    require("strace");
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = ["-f", "-qq", "-e", &format!("trace={WRITES}"), "-e", "signal=none", "-o"];
    cmd.wrapped_in("strace", options.map(AsRef::as_ref).iter().chain([&log.path().as_os_str()]))
        .run()
        .success();
    parse(&fs::read_to_string(log.path()).unwrap())
}

/// The steps of the command's first thread alone: no child of it is traced, which is a good deal
/// faster.
pub fn own_steps(cmd: Cmd) -> BTreeSet<Step> {
    require("strace");
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = ["-qq", "-e", &format!("trace={WRITES}"), "-e", "signal=none", "-o"];
    cmd.wrapped_in("strace", options.map(AsRef::as_ref).iter().chain([&log.path().as_os_str()]))
        .run()
        .success();
    let log = fs::read_to_string(log.path()).unwrap();
    parse(&log.lines().map(|line| format!("1 {line}\n")).collect::<String>())
}

/// Like `inject`, in the command's first thread alone.
pub fn inject_own(cmd: Cmd, step: &Step, fault: &str) -> Cmd {
    let Step { syscall, nth } = step;
    let inject = format!("inject={syscall}:{fault}:when={nth}");
    cmd.wrapped_in(
        "strace",
        ["-qq", "-o", "/dev/null", "-e", &format!("trace={syscall}"), "-e", &inject],
    )
}

/// Starts `cmd` and lets it come to a stop right after `step`: strace, and the process that goes on
/// with SIGCONT.
pub fn stop_own(cmd: Cmd, step: &Step) -> (Child, String) {
    let Step { syscall, nth } = step;
    let log = tempfile::NamedTempFile::new().unwrap();
    let (trace, inject) =
        (format!("trace={syscall}"), format!("inject={syscall}:signal=STOP:when={nth}"));
    let options = ["-qq", "-e", &trace, "-e", &inject, "-o"];
    let strace = cmd
        .wrapped_in("strace", options.map(AsRef::as_ref).iter().chain([&log.path().as_os_str()]))
        .spawn();
    while !fs::read_to_string(log.path()).unwrap().contains("--- stopped by SIGSTOP ---") {
        std::thread::yield_now();
    }
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let process = fs::read_to_string(children).unwrap().trim().to_owned();
    (strace, process)
}

/// `fault` as strace's inject takes it: `signal=KILL`, `error=ENOSPC`.
pub fn inject(cmd: Cmd, step: &Step, fault: &str) -> Cmd {
    let Step { syscall, nth } = step;
    let inject = format!("inject={syscall}:{fault}:when={nth}");
    cmd.wrapped_in(
        "strace",
        ["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={syscall}"), "-e", &inject],
    )
}

/// Lines are `PID syscall(arguments) = result`; a call that another process interrupted is there
/// twice, `resumed` the second time.
fn parse(log: &str) -> BTreeSet<Step> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut steps = BTreeSet::new();
    for line in log.lines() {
        let Some((process, call)) = line.split_once(char::is_whitespace) else { continue };
        let Some((syscall, arguments)) = call.trim_start().split_once('(') else { continue };
        if syscall.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            continue;
        }
        let nth = counts.entry((process, syscall)).or_default();
        *nth += 1;
        // of a non-dumpable process strace sees numbers only, not which file: so each write counts,
        // be it to a pipe
        let changes_files = !matches!(syscall, "openat" | "open")
            || arguments.contains("O_CREAT")
            || arguments.contains("O_TRUNC");
        if changes_files {
            steps.insert(Step { syscall: syscall.to_owned(), nth: *nth });
        }
    }
    steps
}
