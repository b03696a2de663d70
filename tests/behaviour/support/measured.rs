//! What a run of a command takes: memory, processor time, time.

use std::fs;

use super::{Cmd, Output, require};

/// A run is killed after this many seconds: twice the doctor's budget, since the machine is shared.
const DEADLINE: &str = "60";

pub struct Measured {
    pub output: Output,
    /// The most memory that the process, or one that it or a child of it started, had.
    pub mebibytes: u64,
    /// Of the processors.
    pub seconds: f64,
    /// From start to end, in seconds.
    pub elapsed: f64,
}

impl Measured {
    /// wait4(2) by python3: the peak memory of a process begins with that of the process that
    /// starts it, and a test may hold much. Who is killed with its parent is python3's child then,
    /// and counts as well (prctl(2), PR_SET_CHILD_SUBREAPER); who goes on is ended.
    pub fn run(command: Cmd) -> Self {
        require("python3");
        let log = tempfile::NamedTempFile::new().unwrap();
        let script = "import ctypes, os, signal, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
start = time.monotonic()
child = subprocess.Popen(sys.argv[3:])
signal.signal(signal.SIGALRM, lambda *_: child.kill())
signal.alarm(int(sys.argv[2]))
_, status, usage = os.wait4(child.pid, 0)
elapsed = time.monotonic() - start
def parent(process):
    try:
        return int(open(f'/proc/{process}/stat').read().rsplit(')', 1)[1].split()[1])
    except OSError:
        return None
usages = [usage]
while True:
    for process in filter(str.isdigit, os.listdir('/proc')):
        if parent(process) == os.getpid():
            os.kill(int(process), signal.SIGKILL)
    try:
        usages.append(os.wait4(-1, 0)[2])
    except ChildProcessError:
        break
memory = max(usage.ru_maxrss for usage in usages)
seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
open(sys.argv[1], 'w').write(f'{memory} {seconds} {elapsed}')
os._exit(os.waitstatus_to_exitcode(status) & 255)";
        let arguments = ["-c", script, log.path().to_str().unwrap(), DEADLINE];
        let output = command.wrapped_in("python3", arguments).run();
        let text = fs::read_to_string(log.path()).unwrap();
        let numbers: Vec<&str> = text.split(' ').collect();
        let [kilobytes, seconds, elapsed] = numbers[..] else { panic!("{output}") };
        let mebibytes = kilobytes.parse::<u64>().unwrap() / 1024;
        Self {
            output,
            mebibytes,
            seconds: seconds.parse().unwrap(),
            elapsed: elapsed.parse().unwrap(),
        }
    }
}
