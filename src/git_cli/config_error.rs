//! What is wrong with git's configuration. git reads all of it before anything else, so with one bad
//! line no git command works (config.c, die_bad_number and git_die_config; exit status 128).

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Place;
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::env;
use crate::git::config;
use crate::home::Home;
use crate::process::{self, Bounds, Failure, Output, Running};
use crate::resource::{file, place};
use crate::text::shell;

/// Far longer than git reads files.
const DEADLINE: Duration = Duration::from_secs(5);
const NEGOTIATION: &str = "unknown fetch negotiation algorithm '";
const DEPTH: &str = "exceeded maximum include depth";
/// How git ends what it prints about a file of patterns that it cannot read.
const AS_EXCLUDES: &str = " as an exclude file";
/// For a look at what the configuration includes, and how many files are looked at.
const LOOK: Duration = Duration::from_secs(1);
const MOST_FILES: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// git names a clone's own file by its path from the top of the work tree. `None`: the value
    /// is in a variable of the environment, or git does not name the file.
    pub file: Option<PathBuf>,
    pub line: Option<usize>,
    /// The variable whose value git rejects.
    key: Option<String>,
    /// git prints nothing: `file`, or a file that its configuration includes, is not a regular
    /// file, and no git command ends.
    blocking: bool,
    /// The line in which git reports it.
    pub message: String,
}

/// Which git commands fail.
#[derive(Clone, Copy, Debug)]
pub enum ErrorScope {
    Everywhere,
    /// Those in the clone whose own configuration it is.
    Clone,
}

impl ConfigError {
    /// Finds it in what any git command printed on standard error. Pure.
    pub fn parse(stderr: &str) -> Option<Self> {
        let message = stderr.lines().find(|line| {
            line.strip_prefix("fatal: ").is_some_and(|fatal| {
                [
                    "bad config line ",
                    "bad config variable ",
                    "bad numeric config value ",
                    "bad boolean config value ",
                    "bad boolean environment value ",
                    "bad zlib compression level",
                    "bad pack compression level",
                    "bad --ignore-submodules argument",
                    "problem with core.sharedRepository",
                    "invalid mode for object creation",
                    "invalid refspec '",
                    "failed to expand user dir in: ",
                    "Invalid cleanup mode ",
                    "bad push.recursesubmodules argument",
                    "bad pack.indexVersion=",
                    "invalid number of threads specified",
                    "unknown value for config '",
                    NEGOTIATION,
                ]
                .iter()
                .any(|words| fatal.starts_with(words))
                    || (fatal.starts_with("unable to parse ")
                        && fatal.ends_with("command-line config"))
                    || (fatal.starts_with("unable to access '")
                        && fatal.ends_with("': Permission denied"))
                    || fatal.ends_with(AS_EXCLUDES)
                    || fatal.starts_with(DEPTH)
                    || fatal.ends_with("while reading the configuration files")
            })
        })?;
        let number = |after: &str| {
            let digits =
                message.split_once(after)?.1.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        let key = ["bad config variable '", "' for '"]
            .iter()
            .find_map(|before| message.split_once(before));
        Some(Self {
            file: file(message).or_else(|| includer(stderr)).map(PathBuf::from),
            line: number("bad config line ").or_else(|| number("' at line ")),
            key: key
                .and_then(|(_, rest)| Some(rest.split_once('\'')?.0))
                .or_else(|| message.contains(NEGOTIATION).then_some("fetch.negotiationalgorithm"))
                .map(str::to_owned),
            blocking: false,
            message: message.to_owned(),
        })
    }

    /// One of git's global configuration files is not a regular file: a FIFO blocks every command.
    pub fn blocking(home: &Home) -> Option<Self> {
        let included = home.state.join("gitconfig");
        // `/dev/null` there means: no global configuration
        let mut read =
            home.git_reads.iter().chain([&included]).filter(|path| *path != Path::new("/dev/null"));
        read.find_map(|path| Self::blocking_at(home, path))
    }

    /// The same of one file.
    pub fn blocking_at(home: &Home, path: &Path) -> Option<Self> {
        let what = place::not_a_file(path)?;
        let message = format!("`{}` is {what}, not a regular file", home.shown(path));
        Some(Self { file: Some(path.to_owned()), line: None, key: None, blocking: true, message })
    }

    /// The variable whose value git rejects, as git names it, if that is a plain word.
    pub fn key(&self) -> Option<&str> {
        let is_plain =
            |key: &&str| key.bytes().all(|it| it.is_ascii_alphanumeric() || b".-".contains(&it));
        self.key.as_deref().filter(is_plain)
    }

    /// Every git command would wait for it.
    pub fn is_blocking(&self) -> bool {
        self.blocking
    }

    /// Asks git, outside of any clone, for something that takes its whole configuration.
    pub fn ask(home: &Home, deadline: Duration) -> Option<Self> {
        let answer = || Self::start(deadline).and_then(Running::end);
        Self::blocking(home).or_else(|| Self::judge(home, &answer()))
    }

    /// The same, for who does something else meanwhile. Where [`Self::blocking`] finds a file, git
    /// would not end.
    pub fn start(deadline: Duration) -> Result<Running, Failure> {
        let mut git = super::command(Place::Outside);
        git.args(["var", "GIT_AUTHOR_IDENT"]);
        process::start(Bounds::READING, git, deadline.min(DEADLINE))
    }

    /// What the answer of git shows. That there is none in time says nothing of the configuration,
    /// unless a file is found that git waits for.
    pub fn judge(home: &Home, answer: &Result<Output, Failure>) -> Option<Self> {
        match answer {
            Ok(output) if output.status.success() => None,
            Ok(output) => Self::parse(&output.stderr),
            Err(Failure::Deadline) => Self::blocking_at(home, &included_blocking(home)?),
            Err(_) => None,
        }
    }

    /// The same with the path from the top of the clone that git was asked in.
    pub fn within(self, top: &Path) -> Self {
        Self { file: self.file.map(|file| top.join(file)), ..self }
    }

    /// A line in a file of a clone that breaks git's grammar, in the words of git.
    pub fn in_file(file: &Path, line: usize) -> Self {
        let message = format!("fatal: bad config line {line} in file {}", file.display());
        Self { file: Some(file.to_owned()), line: Some(line), key: None, blocking: false, message }
    }

    pub fn finding(&self, home: &Home, scope: ErrorScope) -> Finding {
        let whose = match scope {
            ErrorScope::Everywhere => "",
            ErrorScope::Clone => " in that clone",
        };
        if let Some(file) = self.file.as_ref().filter(|_| self.blocking) {
            let word = shell(file);
            return Finding::new(
                Code::GitConfigInvalid,
                format!("{}, so no git command works{whose}", self.message),
                format!("move it away: `mv {word} {word}.away`"),
            );
        }
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("line {line} of `{}`", home.shown(file)),
            (Some(file), None) => format!("`{}`", home.shown(file)),
            (None, _) if self.variable().is_some() => {
                format!("the value of {}", self.variable().unwrap_or_default())
            }
            (None, _) if self.is_in_environment() => {
                "the configuration in its environment".to_owned()
            }
            (None, _) => "a value in its configuration".to_owned(),
        };
        Finding::new(
            Code::GitConfigInvalid,
            format!("git rejects {place}, so no git command works{whose}"),
            self.fix(home),
        )
    }

    /// What to do about it.
    pub fn fix(&self, home: &Home) -> String {
        match (&self.file, self.line) {
            (Some(file), _) if *file == home.state.join("gitconfig") => {
                "run `pushready apply`, which writes that file again".to_owned()
            }
            (Some(file), Some(line)) => {
                format!("fix or remove line {line} of `{}`", home.shown(file))
            }
            (Some(file), None) if self.message.contains(DEPTH) => {
                format!("remove the `include.path` that leads back, from `{}`", home.shown(file))
            }
            (Some(file), None) if self.message.ends_with(AS_EXCLUDES) => {
                let word = shell(file);
                format!(
                    "move it away: `mv {word} {word}.away`; or name another file in core.excludesFile"
                )
            }
            (Some(file), None) if self.message.ends_with("Permission denied") && file.exists() => {
                let (word, user) = (shell(file), rustix::process::geteuid().as_raw());
                let is_own = file.metadata().is_ok_and(|it| it.uid() == user);
                if is_own {
                    format!("the file is this user's: `chmod u+r {word}`")
                } else {
                    format!("give the file to this user: `sudo chown {user} {word}`")
                }
            }
            (Some(file), None) => {
                format!("fix `{}`: any git command prints what is wrong there", home.shown(file))
            }
            (None, _) if self.variable().is_some() => {
                let name = self.variable().unwrap_or_default();
                format!("unset {name} in the shell that runs git: `unset {name}`")
            }
            (None, _) if self.is_in_environment() => {
                "fix or unset GIT_CONFIG_COUNT with its GIT_CONFIG_KEY_… and GIT_CONFIG_VALUE_…, or \
                 GIT_CONFIG_PARAMETERS"
                    .to_owned()
            }
            (None, _) => format!("`{}` names the file: fix the value there", self.search().join(" ")),
        }
    }

    /// The command that names the file, where git itself did not.
    fn search(&self) -> Vec<&str> {
        // a subsection may contain anything
        match self.key() {
            Some(key) => vec!["git", "config", "--show-origin", "--get-all", key],
            None => vec!["git", "config", "--show-origin", "--list"],
        }
    }

    /// One of git's own variables, which it reports as if it were a key.
    fn variable(&self) -> Option<&str> {
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        self.key.as_deref().filter(|key| key.starts_with("GIT_") && key.bytes().all(is_name))
    }

    fn is_in_environment(&self) -> bool {
        self.message.contains("command-line config") || self.message.contains("in command line")
    }
}

/// The file with the include that git did not follow: the fourth line of what it prints then.
fn includer(stderr: &str) -> Option<&str> {
    let (_, rest) = stderr.split_once(DEPTH)?;
    rest.lines().nth(3).map(str::trim).filter(|path| path.starts_with('/'))
}

/// A file that the global configuration includes, by whichever condition, and that is not a regular
/// one.
fn included_blocking(home: &Home) -> Option<PathBuf> {
    let (sender, receiver) = mpsc::channel();
    let mut left = home.git_reads.clone();
    left.extend([home.state.join("gitconfig"), PathBuf::from("/etc/gitconfig")]);
    let home = home.path.clone();
    // stat(2) does not return for a file on a mount that is gone
    thread::spawn(move || {
        let _ = sender.send(blocking_among(left, &home));
    });
    receiver.recv_timeout(LOOK).ok()?
}

fn blocking_among(mut left: Vec<PathBuf>, home: &Path) -> Option<PathBuf> {
    let mut seen = BTreeSet::new();
    while let Some(path) = left.pop() {
        if seen.len() >= MOST_FILES || !seen.insert(path.clone()) {
            continue;
        }
        if place::not_a_file(&path).is_some() {
            return Some(path);
        }
        let text = file::text(&path);
        let variables = config::variables(text.as_bytes()).into_iter().flatten();
        let includes = variables.filter(|it| matches!(&*it.section, "include" | "includeif"));
        let paths = includes.filter(|it| it.key == "path").filter_map(|it| it.value);
        let folder = path.parent().unwrap_or(Path::new("/"));
        left.extend(paths.map(|it| folder.join(env::expand(it.as_ref(), home))));
    }
    None
}

/// `… in file /p`, `… in file '/p' at line 3`, `… in file /p: invalid unit`.
/// `unable to access '/p': Permission denied`.
fn file(message: &str) -> Option<&str> {
    if let Some((_, rest)) = message.split_once("unable to access '") {
        return rest.rsplit_once("': ").map(|(file, _)| file);
    }
    if let Some(rest) = message.strip_suffix(AS_EXCLUDES) {
        return rest.strip_prefix("fatal: cannot use ");
    }
    let rest = message.split_once(" in file ")?.1;
    if let Some((quoted, _)) =
        rest.strip_prefix('\'').and_then(|rest| rest.rsplit_once("' at line "))
    {
        return Some(quoted);
    }
    Some(if message.contains("config value '") {
        rest.rsplit_once(": ").map_or(rest, |(file, _)| file)
    } else {
        rest
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What the installed git prints about a global configuration, and what is read from it.
    fn error_of(config: &str) -> (tempfile::TempDir, String, Option<ConfigError>) {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("a file"), config).unwrap();
        let output = Command::new("git")
            .args(["var", "GIT_AUTHOR_IDENT"])
            .current_dir("/")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", home.path().join("a file"))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        let error = ConfigError::parse(&stderr);
        assert!(error.is_none() || output.status.code() == Some(128), "{output:?}");
        (home, stderr, error)
    }

    #[test]
    fn reads_the_message_about_a_line_and_about_a_value() {
        for (config, line, key) in [
            ("[user]\n\tname = D\n[broken\n", Some(3), None),
            ("[a]\nb = \"unclosed\n", Some(2), None),
            ("[user]\n\tname\n", Some(2), Some("user.name")),
            ("[push]\n\tdefault = maybe\n", Some(2), Some("push.default")),
            ("[core]\n\tcompression = lots\n", None, Some("core.compression")),
            ("[core]\n\tfilemode = maybe\n", None, Some("core.filemode")),
        ] {
            let (home, stderr, error) = error_of(config);
            let error = error.unwrap_or_else(|| panic!("{config:?}: git accepts it"));
            assert_eq!(error.line, line, "{config:?} {error:?}");
            // which of its messages name the file depends on its version
            let path = home.path().join("a file");
            let named = stderr.contains(path.to_str().unwrap());
            assert_eq!(error.file, named.then_some(path), "{config:?} {error:?}");
            assert_eq!(error.key.as_deref(), key, "{config:?} {error:?}");
        }
    }

    /// What the versions print that are in the field: Debian 12 has 2.39, Debian 13 has 2.47.
    #[test]
    fn reads_the_messages_of_old_and_new_versions() {
        for (message, file, line, key) in [
            // 2.39.5
            (
                "fatal: bad numeric config value 'lots' for 'core.compression': invalid unit",
                None,
                None,
                Some("core.compression"),
            ),
            (
                "fatal: bad boolean config value 'maybe' for 'core.filemode'",
                None,
                None,
                Some("core.filemode"),
            ),
            ("fatal: bad config line 3 in file /h/a file", Some("/h/a file"), Some(3), None),
            (
                "fatal: bad config variable 'user.name' in file '/h/a file' at line 2",
                Some("/h/a file"),
                Some(2),
                Some("user.name"),
            ),
            // 2.47.3
            (
                "fatal: bad numeric config value 'lots' for 'core.compression' in file /h/a file: invalid unit",
                Some("/h/a file"),
                None,
                Some("core.compression"),
            ),
        ] {
            let error = ConfigError::parse(message).unwrap();
            assert_eq!(error.file.as_deref(), file.map(Path::new), "{message}");
            assert_eq!(error.line, line, "{message}");
            assert_eq!(error.key.as_deref(), key, "{message}");
        }
    }

    #[test]
    fn a_missing_name_is_not_a_config_error() {
        assert_eq!(error_of("[user]\n\tuseConfigOnly = true\n").2, None);
        assert_eq!(
            ConfigError::parse(
                "fatal: not a git repository (or any of the parent directories): .git"
            ),
            None
        );
    }

    #[test]
    fn a_key_with_shell_syntax_is_in_no_command() {
        let message = "fatal: bad boolean config value 'x' for 'branch.$(id).rebase'";
        assert_eq!(ConfigError::parse(message).unwrap().search().last(), Some(&"--list"));
    }

    #[test]
    fn the_answer_of_git_is_judged() {
        use std::os::unix::process::ExitStatusExt as _;
        let answer = |code: i32, stderr: &str| {
            let status = std::process::ExitStatus::from_raw(code << 8);
            Ok(Output { status, stdout: String::new(), stderr: stderr.to_owned() })
        };
        let home = Home::at(tempfile::tempdir().unwrap().path());
        let bad = "fatal: bad config line 3 in file /h/.gitconfig\n";
        for (answer, blocking) in [
            (answer(0, bad), None),
            (answer(128, bad), Some(false)),
            (answer(128, "fatal: unable to auto-detect email address\n"), None),
            // a slow machine, or one that ends processes
            (Err(Failure::Deadline), None),
            (Err(Failure::Killed(9)), None),
            (Err(Failure::Missing), None),
        ] {
            let error = ConfigError::judge(&home, &answer);
            assert_eq!(error.map(|error| error.is_blocking()), blocking, "{answer:?}");
        }
    }
}
