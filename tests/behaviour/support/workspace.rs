//! The workspace: the home of user `coder` and the commands run in it.

use super::{BIN, PATH, Snapshot};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

pub struct Workspace {
    home: PathBuf,
    bin: PathBuf,
}

impl Workspace {
    pub(super) fn new() -> Self {
        Self { home: "/home/coder".into(), bin: BIN.into() }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Runs pushready.
    pub fn run(&self, args: &[&str]) -> Output {
        self.pushready(args).run()
    }

    pub fn pushready(&self, args: &[&str]) -> Cmd {
        self.cmd("pushready").args(args)
    }

    pub fn git(&self, args: &[&str]) -> Cmd {
        let mut git = self.cmd("git").args(args);
        for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
            git = git.env(name, "Coder");
        }
        for name in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            git = git.env(name, "coder@example.com");
        }
        git
    }

    /// A script; its arguments start at `$0`.
    pub fn sh(&self, script: &str) -> Cmd {
        self.cmd("/bin/sh").args(["-c", script])
    }

    /// Any command, in the home, with an environment of four variables: `HOME`, `USER`, `LANG`,
    /// `PATH`.
    pub fn cmd(&self, program: impl Into<OsString>) -> Cmd {
        Cmd {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            stdin: None,
            current_dir: self.home.clone(),
        }
        .env("HOME", &self.home)
        .env("USER", "coder")
        .env("LANG", "C.UTF-8")
        .env("PATH", PATH)
    }

    /// Puts a program first in `PATH`.
    pub fn install(&self, name: &str, script: &str) {
        let program = self.bin.join(name);
        fs::write(&program, script).unwrap();
        fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
    }

    /// `path` is relative to the home here and below.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>, mode: u32) {
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        let path = self.home.join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.home.join(path)).unwrap().permissions().mode() & 0o7777
    }

    pub fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.home.join(path), Permissions::from_mode(mode)).unwrap();
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.home)
    }
}

/// A PATH with all programs of the machine but git-lfs.
pub fn without_lfs(ws: &Workspace) -> String {
    let script = "[ -d /tmp/without-lfs ] || { mkdir /tmp/without-lfs
        ln -s /usr/bin/* /tmp/without-lfs; rm -f /tmp/without-lfs/git-lfs; }";
    ws.sh(script).run().success();
    format!("{BIN}:/tmp/without-lfs")
}

#[derive(Clone)]
#[must_use]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    stdin: Option<Vec<u8>>,
    current_dir: PathBuf,
}

impl Cmd {
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.env.remove(OsStr::new(name));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.current_dir = self.current_dir.join(folder);
        self
    }

    /// The same command as the last arguments of another one: `strace …`, `timeout 5`.
    pub fn wrapped_in<I: IntoIterator<Item: AsRef<OsStr>>>(self, program: &str, args: I) -> Self {
        let Self { program: wrapped, args: wrapped_args, .. } = self;
        Self { program: program.into(), args: Vec::new(), ..self }
            .args(args)
            .arg(wrapped)
            .args(wrapped_args)
    }

    pub fn run(self) -> Output {
        let mut command = format!("{}", self.program.display());
        for arg in &self.args {
            // a script's text is long, and seldom what a reader looks for
            let (arg, more) = (arg.to_string_lossy(), arg.len() > 500);
            let shown = if more { arg.lines().next().unwrap_or_default() } else { &arg };
            command = format!("{command} {shown}{}", if more { " …" } else { "" });
        }
        let stdin = self.stdin.clone();
        let mut child = self.spawn();
        let mut pipe = child.stdin.take().unwrap();
        // a thread, because a child may fill its own pipes before it reads this one, or never read
        // it
        std::thread::spawn(move || pipe.write_all(&stdin.unwrap_or_default()).ok());
        let output = child.wait_with_output().unwrap();
        Output {
            command,
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the command with all three streams as pipes.
    pub fn spawn(self) -> Child {
        let mut command = Command::new(&self.program);
        command.args(self.args).env_clear().envs(self.env).current_dir(self.current_dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }
}

#[derive(Debug)]
pub struct Output {
    pub command: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    #[track_caller]
    pub fn success(self) -> Self {
        self.fails(0)
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert!(self.status.code() == Some(code), "expected exit status {code}\n{self}");
        self
    }

    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout lacks {text:?}\n{self}");
        self
    }

    /// The same of a sentence, which may be broken into lines.
    #[track_caller]
    pub fn stdout_says(self, sentence: &str) -> Self {
        let words: Vec<_> = self.stdout.split_whitespace().collect();
        assert!(words.join(" ").contains(sentence), "stdout lacks {sentence:?}\n{self}");
        self
    }

    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}\n{self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "$ {command}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
