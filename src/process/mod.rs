//! The one way to run a child: its own environment, no standard input, a deadline, capped output.

mod program;

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, getpid, getrlimit, kill_process,
    kill_process_group, pidfd_open, prlimit, set_child_subreaper, waitpid,
};

use crate::terminal::{Wait, wait_for};
pub use program::{Program, command, command_in, environment, is_relative};

/// What a child may use of the machine. What it prints beyond its bound is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of standard output that are kept.
    output: usize,
    /// Bytes of its own memory, less the files that it maps.
    memory: Option<u64>,
    /// Bytes of each file that it writes.
    file: Option<u64>,
    /// They hold from its first instruction on.
    from_start: bool,
    /// Bytes in memory of each process of git in its group. Looked at now and then: a limit would
    /// also apply to a program in Go, such as `coder gitssh`, which takes more at its start than it
    /// uses.
    resident: Option<u64>,
}

/// A shell sets limits of its own, and then becomes the program. In KiB, and in blocks of 512 bytes.
const LIMIT_OF_MEMORY: (&str, u64) = ("ulimit -d", 1 << 10);
const LIMIT_OF_FILES: (&str, u64) = ("ulimit -f", 512);
/// What a shell that cannot find the program ends with. git does not.
const NOT_FOUND: i32 = 127;

impl Bounds {
    /// Of who asks a server or a tool: what a hostile server sends is in memory for many remotes at
    /// once, and the end of a long answer decides nothing.
    pub const PROBE: Self =
        Self { output: 256 << 10, memory: None, file: None, from_start: false, resident: None };
    /// Of a tool that prints one JSON document, which is nothing without its end.
    pub const DOCUMENT: Self =
        Self { output: 1 << 20, memory: None, file: None, from_start: false, resident: None };
    /// Of git where it asks a server: it keeps the whole list of refs, and an answer over HTTP.
    pub const ASKING: Self = Self { resident: Some(80 << 20), ..Self::PROBE };
    /// Of git where it reads configuration and refs: it takes memory as it reads, so that a bound
    /// that comes a moment after its start ends it at its next allocation. No answer that we need is
    /// longer (the configuration of git with the rules of 64 keys is 3 MB). It starts no other
    /// program: a credential helper may need more memory.
    pub const READING: Self = Self {
        output: 8 << 20,
        memory: Some(96 << 20),
        file: None,
        from_start: false,
        resident: None,
    };
    /// Of git where it reads the objects or the index of a clone: it takes the whole size of an
    /// object at once, in its first milliseconds, and an index of 400,000 files fits.
    pub const OBJECTS: Self = Self { from_start: true, ..Self::READING };

    /// Bounded in each file that it writes: what a server sends may have no end.
    #[must_use]
    pub const fn writing(self, most: u64) -> Self {
        Self { file: Some(most), from_start: true, ..self }
    }

    /// The bounds that the system enforces, no higher than our own.
    fn limits(self) -> impl Iterator<Item = (Resource, u64)> {
        let limits = [(Resource::Data, self.memory), (Resource::Fsize, self.file)];
        limits.into_iter().filter_map(|(resource, most)| {
            let own = getrlimit(resource).maximum;
            most.map(|most| (resource, own.map_or(most, |own| own.min(most))))
        })
    }

    /// The command with these bounds. To set them between fork and exec is unsafe, and in ourselves
    /// would be for all our threads, so a shell does it.
    fn around(self, command: Command) -> Command {
        if !self.from_start {
            return command;
        }
        let set = self.limits().map(|(resource, most)| {
            let (set, unit) =
                if resource == Resource::Data { LIMIT_OF_MEMORY } else { LIMIT_OF_FILES };
            format!("{set} {} && ", most / unit)
        });
        let script = format!("{}exec \"$@\"", set.collect::<String>());
        program::in_shell(&script, &command)
    }

    /// Sets the bounds of a child that is running.
    fn set(self, child: Pid) {
        if self.from_start {
            return;
        }
        for (resource, most) in self.limits() {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            if let Err(error) = prlimit(Some(child), resource, limit) {
                tracing::debug!(%error, ?resource, "no bound is set");
            }
        }
    }
}

/// No more of what a child prints on standard error is kept.
const ERROR_CAP: usize = 256 << 10;

/// A message quotes no more of a line.
const LONGEST_LINE: usize = 200;

/// pipe(7), "Pipe capacity", unless it was changed.
const PIPE_CAPACITY: usize = 64 * 1024;

/// What a child printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Whether it could not start what it runs, since the machine has no place for it: with glibc's
    /// words.
    pub fn is_of_the_machine(&self) -> bool {
        let words =
            ["Resource temporarily unavailable", "Cannot allocate memory", "Too many open files"];
        words.iter().any(|words| self.stderr.contains(words))
    }

    /// The first line on standard error, safe to print in a message.
    pub fn first_error(&self) -> String {
        let line = self.stderr.lines().next().unwrap_or("no message");
        line.escape_debug().take(LONGEST_LINE).collect()
    }
}

/// Why there is no output.
#[derive(Debug)]
pub enum Failure {
    /// The program is not on PATH.
    Missing,
    /// It did not end in time, and was killed with its process group.
    Deadline,
    /// Somebody else, or the kernel, ended it by this signal: what it printed is not an answer.
    Killed(i32),
    Io(io::Error),
}

impl Failure {
    /// It was ended because it took more memory than it is given.
    pub fn is_of_memory(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::OutOfMemory)
    }

    /// The same may succeed later: the machine was busy, or another program ended it.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Deadline | Self::Killed(_))
    }

    /// No process can be started just now, whichever it is.
    pub fn is_of_the_machine(&self) -> bool {
        let limits = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
        let Self::Io(error) = self else { return false };
        limits.iter().any(|limit| error.raw_os_error() == Some(limit.raw_os_error()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not on PATH"),
            Self::Deadline => f.write_str("it did not end in time"),
            Self::Killed(signal) => write!(f, "it was ended by signal {signal}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A path by which others can run what is running. While it runs, an update may have put a newer
/// file there: proc(5) then shows the path with a suffix. `None`: without /proc, or when the file
/// is gone.
pub fn own_path() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    let replaced = path.as_os_str().as_bytes().strip_suffix(b" (deleted)").map(OsStr::from_bytes);
    [Some(&*path), replaced.map(Path::new)]
        .into_iter()
        .flatten()
        .find(|path| path.exists())
        .map(Path::to_owned)
}

/// What came of a child.
pub type Completed = Result<Output, Failure>;

/// Runs `command` to its end, or kills it and its children at the deadline.
pub fn run(command: Command, deadline: Duration) -> Completed {
    run_within(Bounds::PROBE, command, deadline)
}

/// The same within other bounds.
pub fn run_within(bounds: Bounds, command: Command, deadline: Duration) -> Completed {
    start(bounds, command, deadline)?.end()
}

/// The same, with a few bytes on its standard input: no more than a pipe holds.
pub fn run_with_input(
    bounds: Bounds,
    command: Command,
    input: &[u8],
    deadline: Duration,
) -> Completed {
    Running::start(bounds, command, input, deadline)?.end()
}

/// Runs git to read an answer that is nothing without its end: it fails where there are more than
/// `most` bytes of it.
pub fn run_up_to(most: usize, command: Command, deadline: Duration) -> Completed {
    let bounds = Bounds { output: most.min(Bounds::READING.output), ..Bounds::READING };
    match Running::start(bounds, command, b"", deadline)?.end_of_all()? {
        (_, true) => Err(io::Error::other(format!("it printed more than {most} bytes")).into()),
        (output, false) => Ok(output),
    }
}

/// Starts `command`, to do something else while it runs. Its deadline begins now.
pub fn start(bounds: Bounds, command: Command, deadline: Duration) -> Result<Running, Failure> {
    Running::start(bounds, command, b"", deadline)
}

/// A child that was started. It is killed with its children where its end is not waited for.
pub struct Running {
    child: Kill,
    stdout: Stream,
    stderr: Stream,
    /// Becomes readable when the child has ended. `None`: this system has no such descriptors.
    exit: Option<OwnedFd>,
    bounds: Bounds,
    start: Instant,
    end: Instant,
    shown: String,
    _wait: Wait,
}

impl Running {
    fn start(
        bounds: Bounds,
        command: Command,
        input: &[u8],
        deadline: Duration,
    ) -> Result<Self, Failure> {
        let start = Instant::now();
        // to start it, and to end it at once, takes a while where there are many
        if deadline.is_zero() {
            return Err(Failure::Deadline);
        }
        let wait = wait_for(|| command.get_program().to_string_lossy().into_owned());
        let shown = format!(
            "{} {:?}",
            command.get_program().display(),
            command.get_args().collect::<Vec<_>>()
        );
        let mut command = bounds.around(command);
        command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = Kill::spawn(&mut command).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Missing,
            _ => Failure::Io(error),
        })?;
        bounds.set(Pid::from_child(&child.0));
        if let Some(mut pipe) = child.0.stdin.take() {
            // a child that ended without reading it is not an error
            let _ = pipe.write_all(input);
        }
        let stdout = Stream::new(child.0.stdout.take().map(OwnedFd::from), bounds.output)?;
        let stderr = Stream::new(child.0.stderr.take().map(OwnedFd::from), ERROR_CAP)?;
        let exit = match pidfd_open(Pid::from_child(&child.0), PidfdFlags::empty()) {
            Ok(exit) => Some(exit),
            // a kernel before 5.3, or a sandbox that replaces one
            Err(Errno::NOSYS | Errno::PERM) => None,
            Err(error) => return Err(error.into()),
        };
        let end = start + deadline;
        Ok(Self { child, stdout, stderr, exit, bounds, start, end, shown, _wait: wait })
    }

    /// Waits for its end, or kills it at the deadline.
    pub fn end(self) -> Completed {
        self.end_of_all().map(|(output, _)| output)
    }

    /// The same, and whether standard output had more bytes than are kept.
    fn end_of_all(mut self) -> Result<(Output, bool), Failure> {
        let pause = match (&self.exit, self.bounds.resident) {
            (None, _) => Some(LOOK_AGAIN),
            (_, Some(_)) => Some(WATCH),
            _ => None,
        };
        let mut group = Group { id: self.child.0.id(), others: HashSet::new() };
        while !ready(self.exit.as_ref(), pause, [&self.stdout, &self.stderr], self.end)? {
            if let Some(most) = self.bounds.resident
                && group.has_larger(most)
            {
                return Err(out_of_memory());
            }
            if self.exit.is_none() && self.child.0.try_wait()?.is_some() {
                break;
            }
            self.stdout.read()?;
            self.stderr.read()?;
        }
        let status = self.child.0.wait()?;
        self.child.end_group();
        // all that it wrote is in the pipes by now; end of file is not waited for, since a daemon
        // may hold them open
        self.stdout.read()?;
        self.stderr.read()?;
        tracing::debug!(%status, elapsed = ?self.start.elapsed(), "{}", self.shown);
        if self.bounds.from_start && status.code() == Some(NOT_FOUND) {
            return Err(Failure::Missing);
        }
        let is_cut = self.stdout.is_cut;
        let stderr = self.stderr.text();
        let is_of_memory = |line: &str| {
            ["ut of memory", "annot allocate memory"].iter().any(|words| line.contains(words))
        };
        if self.bounds.memory.is_some() && !status.success() && stderr.lines().any(is_of_memory) {
            return Err(out_of_memory());
        }
        if let Some(signal) = status.signal() {
            return Err(Failure::Killed(signal));
        }
        Ok((Output { status, stdout: self.stdout.text(), stderr }, is_cut))
    }
}

/// The daemons that GnuPG starts for itself, and that outlive the command.
const DAEMONS: &[&str] = &["gpg-agent", "keyboxd", "dirmngr", "scdaemon"];
/// A daemon that was asked to end does so at once.
const DAEMON_PATIENCE: Duration = Duration::from_secs(1);

/// Runs `command` to its end, and ends what it left running of [`DAEMONS`].
pub fn run_without_daemons(command: Command, deadline: Duration) -> Completed {
    // a daemon whose parent has ended then is our child
    set_child_subreaper(Some(getpid()))?;
    let output = run(command, deadline);
    end_daemons();
    output
}

fn end_daemons() {
    let end = Instant::now() + DAEMON_PATIENCE;
    for daemon in own_daemons() {
        let _ = kill_process(daemon, Signal::TERM);
        let ended = || waitpid(Some(daemon), WaitOptions::NOHANG).map_or(true, |it| it.is_some());
        while !ended() {
            if Instant::now() >= end {
                let _ = kill_process(daemon, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Those that are children of ours, because what started them has ended.
fn own_daemons() -> Vec<Pid> {
    #[expect(clippy::disallowed_methods, reason = "proc(5) has a line of bounded length there")]
    let is_own = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        daemon_parent(&stat) == Some(getpid().as_raw_pid())
    };
    processes().filter(is_own).filter_map(Pid::from_raw).collect()
}

/// The ids of all that /proc shows.
fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent in `1234 (gpg-agent) S 1 …` (proc(5)), if the process is a daemon. Pure.
fn daemon_parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let parent = rest.split(' ').nth(1)?.parse().ok()?;
    DAEMONS.contains(&name).then_some(parent)
}

/// How often a child is looked at whose end cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How often the memory of a group is looked at. git takes some ten MiB meanwhile.
const WATCH: Duration = Duration::from_millis(10);

fn out_of_memory() -> Failure {
    io::Error::new(io::ErrorKind::OutOfMemory, "it needs more memory than it is given").into()
}

/// A process group that is looked at again and again.
struct Group {
    id: u32,
    /// Processes that were there and are not of the group.
    others: HashSet<i32>,
}

impl Group {
    /// Whether a process of git in it has more bytes in memory.
    fn has_larger(&mut self, most: u64) -> bool {
        #[expect(clippy::disallowed_methods, reason = "proc(5) has a few lines there")]
        let status = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/status")).ok();
        processes().any(|pid| {
            if self.others.contains(&pid) {
                return false;
            }
            let Some(status) = status(pid) else { return false };
            if !is_in(self.id, &status) {
                self.others.insert(pid);
                return false;
            }
            is_of_git(&status) && resident(&status).is_some_and(|size| size > most)
        })
    }
}

/// A field of `/proc/PID/status`, to its first blank.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()
}

/// Whether `/proc/PID/status` is of a process of the group. Pure.
fn is_in(group: u32, status: &str) -> bool {
    field(status, "NSpgid").is_some_and(|id| id.parse() == Ok(group))
}

/// Whether it is git itself, or a program of git's that keeps what a server sends: not a helper of
/// the user's, nor ssh, which passes it on. Pure.
fn is_of_git(status: &str) -> bool {
    field(status, "Name")
        .is_some_and(|name| matches!(name, "git" | "git-lfs") || name.starts_with("git-remote-"))
}

/// The bytes in memory. Pure.
fn resident(status: &str) -> Option<u64> {
    Some(field(status, "VmRSS")?.parse::<u64>().ok()? << 10)
}

/// Waits until the child has ended (`true`) or has written something, no longer than a pause.
fn ready(
    exit: Option<&OwnedFd>,
    pause: Option<Duration>,
    streams: [&Stream; 2],
    end: Instant,
) -> Result<bool, Failure> {
    let mut left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Failure::Deadline);
    }
    if let Some(pause) = pause {
        left = left.min(pause);
    }
    let timeout =
        Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
    let open = streams.iter().filter_map(|stream| stream.pipe.as_ref());
    let mut polled: Vec<_> =
        exit.into_iter().chain(open).map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) => {
            let first = polled.first().filter(|_| exit.is_some());
            Ok(first.is_some_and(|exit| !exit.revents().is_empty()))
        }
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// One of the child's output streams.
struct Stream {
    /// Until its end was seen.
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
    /// No more bytes are kept.
    most: usize,
    is_cut: bool,
}

impl Stream {
    fn new(pipe: Option<OwnedFd>, most: usize) -> Result<Self, Failure> {
        pipe.iter().try_for_each(|pipe| ioctl_fionbio(pipe, true))?;
        Ok(Self { pipe, kept: Vec::new(), most, is_cut: false })
    }

    /// Reads what is there, without waiting for more. Reads no more than a pipe holds, since a child
    /// that writes without end must not keep us from the deadline.
    fn read(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..PIPE_CAPACITY.div_ceil(buffer.len()) {
            let Some(pipe) = &self.pipe else { break };
            match rustix::io::read(pipe, &mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let left = self.most - self.kept.len();
                    self.kept.extend(buffer.iter().take(count.min(left)));
                    self.is_cut |= count > left;
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn text(self) -> String {
        String::from_utf8(self.kept).unwrap_or_else(|error| {
            // up to three times as long
            let text = String::from_utf8_lossy(error.as_bytes());
            let end = (0..=self.most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            end.and_then(|end| text.get(..end)).unwrap_or_default().to_owned()
        })
    }
}

/// The groups of the children that run now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// From here on, a signal that ends us (SIGINT, SIGTERM, SIGHUP) ends our children as well: each
/// has a process group of its own, which a terminal's Ctrl-C does not reach. Then calls `clean`.
pub fn end_children_with_us(clean: fn()) {
    let ended = ctrlc::set_handler(move || {
        // it is the editor's signal
        if ON_TERMINAL.load(Ordering::Relaxed) {
            return;
        }
        end_children();
        clean();
        if let Some(words) = &*LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = io::stderr().lock().write_all(words.as_bytes());
        }
        // as a shell reports SIGINT
        std::process::exit(130);
    });
    if let Err(error) = ended {
        tracing::warn!(%error, "no handler for signals");
    }
}

/// Ends the children that run now. No other is started from here on.
pub fn end_children() {
    if let Some(running) = lock_for_good(&RUNNING) {
        running.iter().copied().for_each(end_group);
    }
    end_daemons();
}

/// Longer than anything is locked that a run which ends must know.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// What is locked, for a run that ends now: no other thread gets it again. `None` if it is not
/// free, as where the thread that ends the run by a panic holds it.
pub fn lock_for_good<T>(mutex: &'static Mutex<T>) -> Option<ManuallyDrop<MutexGuard<'static, T>>> {
    for _ in 0..LOCK_TRIES {
        match mutex.try_lock() {
            Ok(guard) => return Some(ManuallyDrop::new(guard)),
            Err(TryLockError::Poisoned(guard)) => {
                return Some(ManuallyDrop::new(guard.into_inner()));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
    None
}

/// What a signal that ends us prints.
static LAST_WORDS: Mutex<Option<String>> = Mutex::new(None);

/// From here on, a signal that ends us prints `words` first.
pub fn print_when_ended(words: String) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
}

/// A program uses the terminal, and gets its signals.
static ON_TERMINAL: AtomicBool = AtomicBool::new(false);

/// Runs a program that uses the terminal, such as an editor, to its end. A Ctrl-C is for it alone.
pub fn run_on_terminal(mut command: Command) -> io::Result<ExitStatus> {
    ON_TERMINAL.store(true, Ordering::Relaxed);
    let status = command.status();
    ON_TERMINAL.store(false, Ordering::Relaxed);
    status
}

fn end_group(leader: u32) {
    if let Some(group) = Pid::from_raw(leader.cast_signed()) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

struct Kill(Child);

impl Kill {
    /// Starts the child and lists it in one step: a signal that arrives between the two would leave
    /// it running.
    fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        running.insert(child.id());
        Ok(Self(child))
    }

    fn end_group(&self) {
        end_group(self.0.id());
    }
}

impl Drop for Kill {
    fn drop(&mut self) {
        self.end_group();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0.id());
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = command(Program::Shell);
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_answer_that_is_nothing_without_its_end_fails_where_it_is_cut() {
        let seconds = Duration::from_secs(60);
        let answer = run_up_to(3, sh("printf abc; printf abcd >&2"), seconds).unwrap();
        assert_eq!((&*answer.stdout, &*answer.stderr), ("abc", "abcd"));
        let failure = run_up_to(3, sh("printf abcd"), seconds).unwrap_err();
        assert_eq!(failure.to_string(), "it printed more than 3 bytes");
    }

    #[test]
    fn the_first_error_is_one_escaped_line_of_bounded_length() {
        let long = "x".repeat(300);
        for (stderr, line) in [
            ("fatal: no\nmore\n", "fatal: no"),
            ("\x1b[31mred\r\n", "\\u{1b}[31mred"),
            ("", "no message"),
            (&*long, &long[..200]),
        ] {
            let script = r#"printf %s "$1" >&2"#;
            let mut command = sh(script);
            command.args(["sh", stderr]);
            let output = run(command, Duration::from_secs(5)).unwrap();
            assert_eq!(output.first_error(), line);
        }
    }

    #[test]
    fn returns_status_and_both_streams() {
        let output = run(sh("echo out; echo err >&2; exit 3"), Duration::from_secs(5)).unwrap();
        assert_eq!(
            (output.status.code(), &*output.stdout, &*output.stderr),
            (Some(3), "out\n", "err\n")
        );
    }

    #[test]
    fn a_child_that_outlives_the_deadline_is_killed_with_its_children() {
        let start = Instant::now();
        let result = run(sh("sleep 60 & sleep 60"), Duration::from_millis(50));
        assert!(matches!(result, Err(Failure::Deadline)), "{result:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "the pipes must not be waited for");
    }

    #[test]
    fn a_background_child_does_not_hold_the_result_back() {
        let start = Instant::now();
        let output = run(sh("sleep 60 & echo done"), Duration::from_secs(20)).unwrap();
        assert_eq!(output.stdout, "done\n");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_daemon_that_left_the_group_does_not_hold_the_result_back() {
        let start = Instant::now();
        let output = run(
            sh("setsid sleep 60 & while [ $(cut -d' ' -f5 /proc/$!/stat) != $! ]; do :; done; echo $!"),
            Duration::from_secs(20),
        )
        .unwrap();
        let daemon = Pid::from_raw(output.stdout.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(daemon, Signal::KILL).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_a_killed_child_printed_is_not_an_answer() {
        let result = run(sh("echo half; kill -9 $$"), Duration::from_secs(20));
        assert!(matches!(result, Err(Failure::Killed(9))), "{result:?}");
    }

    #[test]
    fn a_child_that_writes_without_end_is_killed_at_the_deadline() {
        let result = run(sh("exec cat /dev/zero"), Duration::from_millis(50));
        assert!(matches!(result, Err(Failure::Deadline)), "{result:?}");
    }

    #[test]
    fn output_beyond_the_cap_is_dropped_without_blocking_the_child() {
        for bounds in [Bounds::PROBE, Bounds::READING] {
            let script = sh("head -c 10000000 /dev/zero; echo >&2 end");
            let output = run_within(bounds, script, Duration::from_secs(20)).unwrap();
            assert_eq!((output.stdout.len(), &*output.stderr), (bounds.output, "end\n"));
        }
        let script = sh("head -c 10000000 /dev/zero >&2");
        assert_eq!(run(script, Duration::from_secs(20)).unwrap().stderr.len(), ERROR_CAP);
    }

    #[test]
    fn a_child_has_no_more_memory_than_its_bound() {
        let wait = "while [ $(ulimit -d) = unlimited ]; do :; done;";
        for (bounds, wait) in [(Bounds::READING, wait), (Bounds::OBJECTS, "")] {
            let script =
                format!("{wait} cd /; head -c 300000000 /dev/zero | git hash-object --stdin");
            let failure = run_within(bounds, sh(&script), Duration::from_secs(20)).unwrap_err();
            assert_eq!(failure.to_string(), "it needs more memory than it is given");
        }
    }

    /// Before it has a process, so that nothing depends on which of the two is faster.
    #[test]
    fn bounds_from_the_start_are_set_before_the_program_is_there() {
        for (bounds, expected) in [
            (Bounds::OBJECTS, Some("ulimit -d 98304 && exec \"$@\"")),
            (Bounds::PROBE.writing(1 << 20), Some("ulimit -f 2048 && exec \"$@\"")),
            (Bounds::READING, None),
        ] {
            let mut git = command(Program::Git);
            git.args(["config", "a b"]).env("ADDED", "value").current_dir("/");
            let started = bounds.around(git);
            let given = started.get_args().map(|it| it.to_str().unwrap()).collect::<Vec<_>>();
            match expected {
                Some(script) => assert_eq!(given, ["-c", script, "sh", "git", "config", "a b"]),
                None => assert_eq!(given, ["config", "a b"]),
            }
            assert_eq!(started.get_current_dir(), Some(Path::new("/")));
            assert!(started.get_envs().any(|it| it == ("ADDED".as_ref(), Some("value".as_ref()))));
        }
    }

    #[test]
    fn what_a_program_is_given_passes_through_the_shell() {
        let mut script = sh("printf '%s|' \"$@\" \"$ADDED\" \"$HOME\"; pwd; exit 3");
        script.args(["sh", "a b", "", "$x"]).env("ADDED", "it's").env_remove("HOME");
        script.current_dir("/usr");
        let output = run_within(Bounds::OBJECTS, script, Duration::from_secs(20)).unwrap();
        assert_eq!((&*output.stdout, output.status.code()), ("a b||$x|it's||/usr\n", Some(3)));
    }

    #[test]
    fn a_group_has_no_more_memory_than_its_bound() {
        let run = |script| run_within(Bounds::ASKING, sh(script), Duration::from_secs(30));
        let failure = run("cd /; head -c 300000000 /dev/zero | git hash-object --stdin; :");
        assert_eq!(failure.unwrap_err().to_string(), "it needs more memory than it is given");
        // tail keeps all that it reads of a line without an end, and is not git's
        let said = run("head -c 300000000 /dev/zero | tail -n 1 | wc -c; :").unwrap();
        assert_eq!(said.stdout.trim(), "300000000");
    }

    #[test]
    fn a_status_names_the_group_and_the_size() {
        let status = "Name:\tgit\nNSpgid:\t12\t1\nVmRSS:\t    2048 kB\n";
        assert!(is_in(12, status) && !is_in(1, status) && !is_in(120, status));
        assert_eq!(resident(status), Some(2 << 20));
        assert_eq!(resident("NSpgid:\t12\nState:\tZ (zombie)\n"), None);
        for (name, is_watched) in [
            ("git", true),
            ("git-remote-http", true),
            ("git-lfs", true),
            ("git-credential-", false),
            ("gitg", false),
            ("ssh", false),
            ("coder", false),
        ] {
            assert_eq!(is_of_git(&format!("Name:\t{name}\n")), is_watched, "{name}");
        }
        // a group of its own: the group of the tests may have no number here, as in a container
        let mut cat = Command::new("cat");
        cat.arg("/proc/self/status").process_group(0).stdout(std::process::Stdio::piped());
        let cat = cat.spawn().unwrap();
        let group = cat.id();
        let status = String::from_utf8(cat.wait_with_output().unwrap().stdout).unwrap();
        assert!(is_in(group, &status) && resident(&status).is_some(), "{group}: {status}");
    }

    #[test]
    fn a_child_writes_no_larger_file_than_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut script = sh("(head -c 300000 /dev/zero >file); wc -c <file");
        script.current_dir(folder.path());
        let bounds = Bounds::PROBE.writing(102_400);
        let output = run_within(bounds, script, Duration::from_secs(20)).unwrap();
        assert_eq!(output.stdout.trim(), "102400", "{output:?}");
    }

    #[test]
    fn a_missing_program_has_its_own_failure() {
        for bounds in [Bounds::PROBE, Bounds::OBJECTS] {
            let missing = command(Program::GitSsh("no-such-program"));
            let result = run_within(bounds, missing, Duration::from_secs(5));
            assert!(matches!(result, Err(Failure::Missing)), "{result:?}");
        }
    }
}
