//! What git has against its own configuration. It reads all of it before anything else, so with one
//! bad line no command of its works (config.c, die_bad_number and git_die_config; exit status 128).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::error::shell;
use crate::home::Home;
use crate::process::{self, Failure, Program};
use crate::resource::place;

/// Far longer than git reads files.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Of a clone's own file git gives the path from the top of the work tree. `None`: it stands
    /// in a variable of the environment, or git does not say where.
    pub file: Option<PathBuf>,
    pub line: Option<usize>,
    /// The variable whose value git does not take.
    key: Option<String>,
    /// It is not that git says something: something else than a file stands in the place of
    /// `file`, or of one that git is led to, and no command ends.
    standing: bool,
    /// The line in which git says so.
    pub said: String,
}

/// Which commands of git's end with it.
#[derive(Clone, Copy, Debug)]
pub enum Scope {
    Everywhere,
    /// Those in the clone whose own configuration it is.
    Clone,
}

impl Complaint {
    /// Finds it in what any command of git's printed on standard error. Pure.
    pub fn parse(stderr: &str) -> Option<Self> {
        let said = stderr.lines().find(|line| {
            line.strip_prefix("fatal: ").is_some_and(|fatal| {
                [
                    "bad config line ",
                    "bad config variable ",
                    "bad numeric config value ",
                    "bad boolean config value ",
                ]
                .iter()
                .any(|words| fatal.starts_with(words))
                    || (fatal.starts_with("unable to parse ")
                        && fatal.ends_with("command-line config"))
                    || fatal.starts_with("exceeded maximum include depth")
                    || fatal.ends_with("while reading the configuration files")
            })
        })?;
        let number = |after: &str| {
            let digits = said.split_once(after)?.1.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        let key =
            ["bad config variable '", "' for '"].iter().find_map(|before| said.split_once(before));
        Some(Self {
            file: file(said).map(PathBuf::from),
            line: number("bad config line ").or_else(|| number("' at line ")),
            key: key.and_then(|(_, rest)| Some(rest.split_once('\'')?.0.to_owned())),
            standing: false,
            said: said.to_owned(),
        })
    }

    /// Something else than a file stands where git would read its global configuration: a FIFO
    /// hangs every command.
    pub fn standing(home: &Home) -> Option<Self> {
        let included = home.state.join("gitconfig");
        // `/dev/null` there means: no global configuration
        let mut read =
            home.git_reads.iter().chain([&included]).filter(|path| *path != Path::new("/dev/null"));
        read.find_map(|path| Self::standing_at(home, path))
    }

    /// The same of one file.
    pub fn standing_at(home: &Home, path: &Path) -> Option<Self> {
        let what = place::not_a_file(path)?;
        let said = format!("`{}` is {what}, not a regular file", home.shown(path));
        Some(Self { file: Some(path.to_owned()), line: None, key: None, standing: true, said })
    }

    /// Every command of git's would hang on it.
    pub fn is_standing(&self) -> bool {
        self.standing
    }

    /// Asks git, outside of any clone, for something that takes its whole configuration.
    pub fn of_home(home: &Home, deadline: Duration) -> Option<Self> {
        if let Some(standing) = Self::standing(home) {
            return Some(standing);
        }
        let mut git = process::command(Program::Git);
        git.args(["var", "GIT_AUTHOR_IDENT"]).current_dir("/");
        git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        match process::run(git, deadline.min(PATIENCE)) {
            Ok(output) if output.status.success() => None,
            Ok(output) => Self::parse(&output.stderr),
            Err(Failure::Deadline) => Some(Self::hung()),
            Err(_) => None,
        }
    }

    /// No command of git's ends: it waits for a file that its configuration leads it to.
    fn hung() -> Self {
        Self {
            file: None,
            line: None,
            key: None,
            standing: true,
            said: "git does not end".to_owned(),
        }
    }

    /// The same with the path from the top of the clone that git was asked in.
    pub fn within(self, top: &Path) -> Self {
        Self { file: self.file.map(|file| top.join(file)), ..self }
    }

    /// A line in a file of a clone that breaks git's grammar, as git would say it.
    pub fn at(file: &Path, line: usize) -> Self {
        let said = format!("fatal: bad config line {line} in file {}", file.display());
        Self { file: Some(file.to_owned()), line: Some(line), key: None, standing: false, said }
    }

    pub fn finding(&self, home: &Home, scope: Scope) -> Finding {
        let whose = match scope {
            Scope::Everywhere => "",
            Scope::Clone => " in that clone",
        };
        if let Some(file) = self.file.as_ref().filter(|_| self.standing) {
            let word = shell(file);
            return Finding::new(
                Code::GitConfigInvalid,
                format!("{}, so no git command works{whose}", self.said),
                format!("move it away: `mv {word} {word}.away`"),
            );
        }
        if self.standing {
            return Finding::new(
                Code::GitConfigInvalid,
                format!(
                    "git reads its configuration and does not end, so no git command works{whose}"
                ),
                "look at what it includes (`include.path`, `includeIf`): a FIFO, or a file on a mount that is gone",
            );
        }
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("line {line} of `{}`", home.shown(file)),
            (Some(file), None) => format!("`{}`", home.shown(file)),
            (None, _) if self.is_in_environment() => {
                "the configuration in its environment".to_owned()
            }
            (None, _) => "a value in its configuration".to_owned(),
        };
        Finding::new(
            Code::GitConfigInvalid,
            format!("git does not take {place}, so no git command works{whose}"),
            self.cure(home),
        )
    }

    fn cure(&self, home: &Home) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => {
                format!("mend line {line} of `{}`, or take it out", home.shown(file))
            }
            (Some(file), None) => {
                format!("mend `{}`: a git command says what is wrong there", home.shown(file))
            }
            (None, _) if self.is_in_environment() => {
                "mend or unset GIT_CONFIG_COUNT with its GIT_CONFIG_KEY_… and GIT_CONFIG_VALUE_…, or \
                 GIT_CONFIG_PARAMETERS"
                    .to_owned()
            }
            (None, _) => format!("`{}` names the file: mend the value there", self.search().join(" ")),
        }
    }

    /// The command that shows where it stands, which git itself did not say.
    fn search(&self) -> Vec<&str> {
        // a subsection may hold anything
        let plain = |key: &&str| {
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        match self.key.as_deref().filter(plain) {
            Some(key) => vec!["git", "config", "--show-origin", "--get-all", key],
            None => vec!["git", "config", "--show-origin", "--list"],
        }
    }

    fn is_in_environment(&self) -> bool {
        self.said.contains("command-line config") || self.said.contains("in command line")
    }
}

/// `… in file /p`, `… in file '/p' at line 3`, `… in file /p: invalid unit`.
fn file(said: &str) -> Option<&str> {
    let rest = said.split_once(" in file ")?.1;
    if let Some((quoted, _)) =
        rest.strip_prefix('\'').and_then(|rest| rest.rsplit_once("' at line "))
    {
        return Some(quoted);
    }
    Some(if said.contains("config value '") {
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
    fn complaint(config: &str) -> (tempfile::TempDir, String, Option<Complaint>) {
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
        let complaint = Complaint::parse(&stderr);
        assert!(complaint.is_none() || output.status.code() == Some(128), "{output:?}");
        (home, stderr, complaint)
    }

    #[test]
    fn reads_what_git_says_of_a_line_and_of_a_value() {
        for (config, line, key) in [
            ("[user]\n\tname = D\n[broken\n", Some(3), None),
            ("[a]\nb = \"unclosed\n", Some(2), None),
            ("[user]\n\tname\n", Some(2), Some("user.name")),
            ("[push]\n\tdefault = maybe\n", Some(2), Some("push.default")),
            ("[core]\n\tcompression = lots\n", None, Some("core.compression")),
            ("[core]\n\tfilemode = maybe\n", None, Some("core.filemode")),
        ] {
            let (home, stderr, complaint) = complaint(config);
            let complaint = complaint.unwrap_or_else(|| panic!("{config:?}: git accepts it"));
            assert_eq!(complaint.line, line, "{config:?} {complaint:?}");
            // which of its messages name the file depends on its version
            let path = home.path().join("a file");
            let named = stderr.contains(path.to_str().unwrap());
            assert_eq!(complaint.file, named.then_some(path), "{config:?} {complaint:?}");
            assert_eq!(complaint.key.as_deref(), key, "{config:?} {complaint:?}");
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
            let complaint = Complaint::parse(message).unwrap();
            assert_eq!(complaint.file.as_deref(), file.map(Path::new), "{message}");
            assert_eq!(complaint.line, line, "{message}");
            assert_eq!(complaint.key.as_deref(), key, "{message}");
        }
    }

    #[test]
    fn who_has_no_name_has_no_bad_configuration() {
        assert_eq!(complaint("[user]\n\tuseConfigOnly = true\n").2, None);
        assert_eq!(
            Complaint::parse(
                "fatal: not a git repository (or any of the parent directories): .git"
            ),
            None
        );
    }

    #[test]
    fn a_key_that_a_shell_would_obey_is_in_no_command() {
        let said = "fatal: bad boolean config value 'x' for 'branch.$(id).rebase'";
        assert_eq!(Complaint::parse(said).unwrap().search().last(), Some(&"--list"));
    }
}
