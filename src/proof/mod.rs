//! What the answers of programs depend on, so that what was proven once stays proven while nothing of
//! it has changed: that ssh chooses the right key, and that git's rules are the right ones.
//!
//! All of it is compared, byte for byte or by what stat(2) says of a file. Where an answer may depend
//! on anything else (another program, a server, a shell that reads files of its own), nothing is
//! remembered, and the program is asked each time. The doctor asks each time anyway.

mod git;
mod ssh;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::env::Env;
use crate::process::{self, Program};
use crate::resource::digest::Digest;
use crate::resource::file::{self, Kind};
use crate::variables;

pub use git::{GitInputs, GitProof};
pub use ssh::{OtherSections, SshInputs, home_of_passwd, runs_commands};

/// In the state folder. A file that is missing, old or damaged is one that proves nothing.
pub const NAME: &str = "proof";

/// Where the files of the system are.
const SYSTEM: &str = "/";

/// The running binary and its copy in the state folder, as stat(2) sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryPair(Digest);

impl BinaryPair {
    /// `None`: one of them is missing.
    pub fn now(state: &Path) -> Option<Self> {
        let mut inputs = SeenInputs::default();
        inputs.stat(Path::new(RUNNING))?;
        inputs.stat(&state.join("bin/pushready"))?;
        Some(Self(inputs.digest()))
    }

    /// Whether an earlier run read both and found the same bytes.
    pub fn is_known(&self, state: &Path) -> bool {
        read(state).binary.as_ref() == Some(&self.0)
    }
}

const RUNNING: &str = "/proc/self/exe";

/// What a run has proven.
#[derive(Debug, Default)]
pub struct Proven {
    /// The inputs with which the choice of the key was tested, and with how many hosts.
    pub ssh: Option<(SshInputs, usize)>,
    /// What git's rules were made from.
    pub git: Option<GitProof>,
    /// Two files with the same bytes.
    pub copy: Option<BinaryPair>,
}

impl Proven {
    /// Keeps it, and nothing of earlier runs. An error is ignored: then the next run asks again.
    pub fn save(self, state: &Path) {
        let proof = Proof {
            ssh: self.ssh.map(|(inputs, hosts)| (inputs.digest, hosts)),
            git: self.git.map(|GitProof(digest)| digest),
            binary: self.copy.map(|BinaryPair(digest)| digest),
        };
        if proof != read(state) {
            let _ = file::write_in_part(&state.join(NAME), proof.text().as_bytes());
        }
    }
}

/// The content of the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Proof {
    ssh: Option<(Digest, usize)>,
    git: Option<Digest>,
    binary: Option<Digest>,
}

impl Proof {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some((digest, hosts)) = &self.ssh {
            let _ = writeln!(text, "ssh {} {hosts}", digest.file_name());
        }
        for (name, digest) in [("git", &self.git), ("binary", &self.binary)] {
            if let Some(digest) = digest {
                let _ = writeln!(text, "{name} {}", digest.file_name());
            }
        }
        text
    }

    fn parse(text: &str) -> Self {
        let mut proof = Self::default();
        // a line without an end was not written to its end
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["ssh", digest, hosts] => {
                    proof.ssh = hosts.parse().ok().map(|hosts| (Digest::from_hex(digest), hosts));
                }
                ["git", digest] => proof.git = Some(Digest::from_hex(digest)),
                ["binary", digest] => proof.binary = Some(Digest::from_hex(digest)),
                _ => {}
            }
        }
        proof
    }
}

fn read(state: &Path) -> Proof {
    let content = file::observe(&state.join(NAME), Kind::Own).ok().flatten();
    content.map(|it| Proof::parse(&String::from_utf8_lossy(&it.bytes))).unwrap_or_default()
}

/// Variables that differ between sessions, and that neither git nor ssh nor a shell without a
/// terminal reads.
const HARMLESS: &[&str] = &[
    "COLORTERM",
    "OLDPWD",
    "PWD",
    "SHLVL",
    "SSH_CONNECTION",
    "SSH_TTY",
    "TERM",
    "TERM_PROGRAM",
    "_",
];
/// Begin of such names: Coder's, with a new token at each start.
const HARMLESS_PREFIX: &str = "CODER_";
/// Variables that make a program or the shell load files which are not looked at here.
/// (with SSH_CLIENT, the bash of some systems reads ~/.bashrc).
const LOADING: &[&str] = &["BASH_ENV", "ENV", "SSH2_CLIENT", "SSH_CLIENT"];
const LOADING_PREFIXES: &[&str] = &["LD_", "NSS_"];

/// Everything that was looked at, one after the other.
#[derive(Default)]
struct SeenInputs(Vec<u8>);

impl SeenInputs {
    fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Each part with its length, so that no two inputs look the same.
    fn put(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.0.extend(part.len().to_le_bytes());
            self.0.extend(*part);
        }
    }

    fn stat(&mut self, path: &Path) -> Option<()> {
        let it = std::fs::metadata(path).ok()?;
        let numbers = [
            it.dev().cast_signed(),
            it.ino().cast_signed(),
            it.size().cast_signed(),
            i64::from(it.mode()),
            i64::from(it.uid()),
            it.mtime(),
            it.mtime_nsec(),
            it.ctime(),
            it.ctime_nsec(),
        ];
        self.put(&[path.as_os_str().as_encoded_bytes()]);
        for number in numbers {
            self.0.extend(number.to_le_bytes());
        }
        Some(())
    }

    /// The same of a file that may be missing.
    fn stat_if_there(&mut self, path: &Path) {
        if self.stat(path).is_none() {
            self.put(&[path.as_os_str().as_encoded_bytes(), b"missing"]);
        }
    }

    /// What the program gets. `None`: it loads more files.
    fn environment(&mut self, program: Program, env: &Env) -> Option<()> {
        let given: BTreeSet<_> = process::environment(program, env).into_iter().collect();
        for (name, value) in given {
            let text = name.to_str()?;
            if LOADING.contains(&text) || LOADING_PREFIXES.iter().any(|it| text.starts_with(it)) {
                return None;
            }
            if !HARMLESS.contains(&text) && !text.starts_with(HARMLESS_PREFIX) {
                self.put(&[name.as_encoded_bytes(), value.as_encoded_bytes()]);
            }
        }
        Some(())
    }

    /// The program of this name that the system brings. `None`: it is another one, which may read its
    /// configuration elsewhere, or a script, which may read anything.
    fn program(&mut self, name: &str, system: &Path, env: &Env) -> Option<()> {
        let path = env.raw(variables::PATH)?;
        let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        let found = folders.find_map(|folder| folder.join(name).canonicalize().ok())?;
        if found != system.join("usr/bin").join(name) || !is_program(&found) {
            return None;
        }
        self.stat(&found)?;
        self.loader(system);
        Some(())
    }

    /// What decides which libraries a program loads.
    fn loader(&mut self, system: &Path) {
        for name in ["ld.so.cache", "ld.so.preload", "ld-musl-x86_64.path", "ld-musl-aarch64.path"]
        {
            self.stat_if_there(&system.join("etc").join(name));
        }
    }
}

/// Whether a file begins as programs do, unlike scripts.
fn is_program(path: &Path) -> bool {
    file::head(path, 4).is_ok_and(|head| head == b"\x7fELF")
}

/// Whether the name of a file is one of these.
fn is_named(path: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| path.file_name() == Some(OsStr::new(name)))
}
