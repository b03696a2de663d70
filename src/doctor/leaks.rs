//! Places that should not contain a secret: remotes, modes, environment, command lines, the log of
//! the workspace agent.

use std::cmp::Reverse;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::geteuid;

use super::context::Context;
use super::credentials;
use super::outcome::{Evidence, Judgement};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;
use crate::variables;

/// What marks a credential: how the vendors' tokens begin, and the armour of a
/// private key.
const MARKS: &[&str] = &[
    concat!("sk-ant-", "oat"),
    concat!("sk-ant-", "api"),
    ARMOUR,
    concat!("github_", "pat_"),
    concat!("gh", "p_"),
    concat!("sk-", "proj-"),
    concat!("gh", "o_"),
    concat!("gh", "s_"),
    concat!("gl", "pat-"),
    REFRESH,
];
const ARMOUR: &str = concat!("PRIVATE ", "KEY-----");
const REFRESH: &str = concat!("\"refresh_", "token\"");
/// No report lists more of the places that were found.
const MOST: usize = 100;
/// What follows a mark in a credential, at least: who searches for the mark has no secret.
const LEAST: usize = 16;
/// More than a token needs until its first digit.
const LOOKED_AT: usize = 512;
/// The kernel gives a command line more space than that only where its limits were raised.
const COMMAND_LINE_CAP: u64 = 4 * 1024 * 1024;
/// Of all logs: that of a long-lived agent can be large, and its newest part tells enough.
const LOG_CAP: u64 = 32 * 1024 * 1024;

pub fn session_token(context: &Context) -> Judgement {
    if context.env.get(variables::CODER_SESSION_TOKEN).is_none() {
        return Judgement::pass("the environment contains no Coder session token");
    }
    Judgement::warn(
        Code::LeakSessionToken,
        "CODER_SESSION_TOKEN gives every process here, the agent included, all rights of its owner on the Coder server",
        Fix::report("remove the module `coder-login` from the template if nothing needs it"),
    )
}

/// What a search through files or processes came to.
#[derive(Default)]
struct LeakSearch {
    found: Vec<Evidence>,
    /// What was not looked at, and what it takes.
    unread: Option<(String, &'static str)>,
    ended: bool,
}

impl LeakSearch {
    /// Calls `look` for each until the run ends, or as much was found as fits into a report.
    fn through<T>(
        end: Instant,
        all: impl IntoIterator<Item = T>,
        mut look: impl FnMut(T, &mut Self),
    ) -> Self {
        let mut looked = Self::default();
        for one in all {
            if looked.found.len() >= MOST {
                break;
            }
            if Instant::now() >= end {
                looked.ended = true;
                break;
            }
            look(one, &mut looked);
        }
        looked.found.truncate(MOST);
        looked
    }

    fn leave(&mut self, summary: String, needs: &'static str) {
        self.unread.get_or_insert((summary, needs));
    }

    /// The judgement where nothing was found: what was not looked at is never a pass.
    fn conclude(self, what: &str, pass: String) -> Judgement {
        match self.unread {
            Some((summary, needs)) => Judgement::unknown(summary, needs),
            None if self.ended => {
                Judgement::run_ended(format!("the run ended before all {what} were looked at"))
            }
            None => Judgement::pass(pass),
        }
    }
}

pub fn remotes(context: &Context) -> Judgement {
    let search = context.clones.found();
    // `.gitmodules` is where `git submodule init` takes its URLs from
    let modules = search
        .configs
        .iter()
        .filter_map(|config| Some(config.parent()?.with_file_name(".gitmodules")));
    let files = search.configs.iter().cloned().chain(modules).chain(context.home.git_reads.clone());
    // it means: no global configuration
    let files = files.filter(|path| path != Path::new("/dev/null"));
    let mut looked = LeakSearch::through(context.end, files, |path, looked| {
        let content = match file::observe(&path, Kind::Shared) {
            Err(Obstacle::Io(error)) if is_absence(error.kind()) => return,
            Err(obstacle) => {
                let needs = "git configurations that are readable regular files of normal size";
                return looked.leave(obstacle.finding(&path).summary, needs);
            }
            Ok(content) => content,
        };
        let leaks = content.map(|content| credentials::of(&content.bytes)).unwrap_or_default();
        let shown = context.home.shown(&path);
        looked.found.extend(
            leaks
                .into_iter()
                .map(|leak| Evidence::foreign("git configuration", &format!("{leak} in {shown}"))),
        );
    });
    if !looked.found.is_empty() {
        return Judgement::warn(Code::LeakRemoteUrl,
            "a git configuration contains a credential",
            Fix::report(
                "revoke that token, then remove it: `git remote set-url NAME URL` for a remote, `git config --edit` or \
                 an editor for the rest",
            ),
        )
        .with(looked.found);
    }
    if !search.complete {
        let needs = "PUSHREADY_REMOTES_ROOTS narrows the search";
        looked.leave("not all clones could be checked in time".to_owned(), needs);
    }
    let clones = search.configs.len();
    let pass = format!("the configuration of {clones} clones contains no credential");
    looked.conclude("git configurations", pass)
}

pub fn files(context: &Context) -> Vec<Judgement> {
    let clients = Client::ALL.iter().map(|client| context.home.clients.get(*client));
    let mut holders: Vec<_> = clients.map(|paths| paths.login.clone()).collect();
    holders.push(context.home.codex_copy.clone());
    holders.extend([".git-credentials", ".netrc"].map(|name| context.home.path.join(name)));
    let open = |path: &PathBuf| {
        let shown = context.home.shown(path);
        // the content does not matter, nor how much of it would be read
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if is_absence(error.kind()) => return None,
            Err(error) => {
                let summary = format!("cannot look at `{shown}`: {}", error.kind());
                let needs = "access to the folder for this user";
                return Some(Judgement::unknown(summary, needs).about(shown));
            }
        };
        let mode = metadata.mode() & 0o7777;
        let is_open = mode & 0o077 != 0;
        if !metadata.is_file() || metadata.len() == 0 || !is_open {
            return None;
        }
        let summary = format!("`{shown}` can be read by other users");
        let fix = Fix::run(["chmod", "600", &path.display().to_string()], "make it private");
        let fail = Judgement::fail(Code::LeakFileMode, summary, fix).about(shown);
        Some(fail.with([Evidence::new("mode", format!("{mode:04o}")).expected("0600")]))
    };
    let mut outcomes: Vec<_> = holders.iter().filter_map(open).collect();
    if outcomes.is_empty() {
        outcomes.push(Judgement::pass("files that hold a secret are private"));
    }
    outcomes
}

fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub fn environment(context: &Context) -> Judgement {
    let set: Vec<_> =
        variables::secret_names().filter(|name| context.env.get(name).is_some()).collect();
    if set.is_empty() {
        return Judgement::pass("the environment contains no seed");
    }
    Judgement::warn(Code::LeakEnv,
        "seeds are in the environment of every process of this workspace, and, if a template set them, in Terraform's state",
        Fix::report("provide them as user secrets or in a mounted folder instead: the seed folder, PUSHREADY_SEED_DIR"),
    )
    .with([Evidence::new("variables", set.join(", "))])
}

/// Looks through the command lines of this user's processes; a process that is gone meanwhile shows
/// nothing.
pub fn processes(context: &Context) -> Judgement {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let entries = entries.filter(|entry| {
        entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())
    });
    let mut leaking = None;
    let looked = LeakSearch::through(context.end, entries, |entry, looked| {
        if leaking.is_some() {
            return;
        }
        let Ok(line) = file::head(&entry.path().join("cmdline"), COMMAND_LINE_CAP) else { return };
        if holds_mark(&line, false) {
            let program = line.split(|&byte| byte == 0).next().unwrap_or_default();
            leaking = Some([
                Evidence::new("process", entry.file_name().to_string_lossy()),
                Evidence::foreign("program", &String::from_utf8_lossy(program)),
            ]);
        } else if line.len() as u64 == COMMAND_LINE_CAP {
            let summary = "the command line of a process was not read to its end";
            looked.leave(summary.to_owned(), "command lines of an ordinary length");
        }
    });
    let Some(leaking) = leaking else {
        return looked.conclude("processes", "no command line contains a secret".to_owned());
    };
    Judgement::warn(
        Code::LeakArgv,
        "the command line of a process contains a secret, which every user can read",
        Fix::report(
            "pass the secret to that program in a file, in a variable or on standard input",
        ),
    )
    .with(leaking)
}

/// Coder's agent logs the whole text of every script, and with it whatever Terraform put into that
/// text.
pub fn agent_log(context: &Context) -> Judgement {
    let folder = Path::new("/tmp");
    let logs = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let is_log = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("coder-") && path.extension().is_some_and(|extension| extension == "log")
    };
    // somebody else's log has nothing of this user's agent
    let is_own = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        (metadata.uid() == geteuid().as_raw()).then_some((metadata, path))
    };
    let mut logs: Vec<_> = logs.filter(is_log).filter_map(is_own).collect();
    logs.sort_by_key(|(metadata, _)| Reverse(metadata.mtime()));
    let (mut unread, mut left) = (None, LOG_CAP);
    for (metadata, path) in logs {
        if left == 0 && metadata.len() > 0 {
            unread = Some(path);
            break;
        }
        let part = left.min(metadata.len());
        left -= part;
        match log_holds_mark(&path, metadata.len() - part, context.end) {
            Some(true) => {
                return Judgement::warn(Code::LeakAgentLog,
                    "a log of the workspace agent contains a secret",
                    Fix::report(
                        "take the secret out of the script's text in the template (coder_env instead), and rotate it",
                    ),
                )
                .with([Evidence::foreign("log", &path.to_string_lossy())]);
            }
            Some(false) => {}
            None => unread = Some(path),
        }
    }
    match unread {
        Some(path) => Judgement::unknown(
            "a log of the workspace agent was not read",
            "access to the agent's logs in /tmp, logs of an ordinary size, and time to read them",
        )
        .with([Evidence::foreign("log", &path.to_string_lossy())]),
        None => Judgement::pass("the agent's logs contain no secret"),
    }
}

/// From this byte on. `None`: it cannot be read, or not before the run ends.
fn log_holds_mark(path: &Path, start: u64, end: Instant) -> Option<bool> {
    let (mut file, _) = file::open(path).ok()?;
    file.seek(SeekFrom::Start(start)).ok()?;
    for line in BufReader::new(file.take(LOG_CAP)).split(b'\n') {
        if holds_mark(&line.ok()?, true) {
            return Some(true);
        }
        if Instant::now() >= end {
            return None;
        }
    }
    Some(false)
}

/// Whether the text contains a mark with something behind it that may be the secret itself.
/// In a log, the lines of a key follow its armour.
pub fn holds_mark(text: &[u8], in_log: bool) -> bool {
    let filler: &[u8] = b" :\"\\\r\n\0rn";
    MARKS.iter().any(|mark| {
        following(text, mark.as_bytes()).any(|(before, rest)| {
            // a name or an armour, which precedes what it belongs to
            if [REFRESH, ARMOUR].contains(mark) {
                let start =
                    rest.iter().position(|byte| !filler.contains(byte)).unwrap_or(rest.len());
                let goes_on = *mark == ARMOUR && in_log && rest.is_empty();
                return goes_on || is_secret(rest.get(start..).unwrap_or_default(), b"_-+/=.");
            }
            // no part of a word, as `_ghs_` is of a file's name
            !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && is_secret(rest, b"_-")
        })
    })
}

/// At each mark: the byte before it, and what follows it. No more than `LOOKED_AT` bytes of that,
/// so that the work grows with the text, however many marks it contains.
fn following<'t>(
    text: &'t [u8],
    mark: &'t [u8],
) -> impl Iterator<Item = (Option<u8>, &'t [u8])> + 't {
    text.windows(mark.len()).enumerate().filter(move |(_, window)| *window == mark).map(
        move |(at, _)| {
            let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
            let rest = text.get(at + mark.len()..).unwrap_or_default();
            (before, rest.get(..LOOKED_AT).unwrap_or(rest))
        },
    )
}

/// Whether a text begins with what may be the secret itself: long enough, and no word.
fn is_secret(text: &[u8], extra: &[u8]) -> bool {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || extra.contains(byte);
    let body: Vec<_> = text.iter().take_while(is_part).collect();
    body.len() >= LEAST && body.iter().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::outcome::CheckStatus;

    /// Looks at ten places, of which the third cannot be read.
    fn looked(end: Instant, has_found: bool) -> (usize, Judgement) {
        let mut count = 0;
        let looked = LeakSearch::through(end, 0..10, |nth, looked| {
            count += 1;
            if nth == 2 && !has_found {
                looked.leave("2 was not read".to_owned(), "x");
            }
            let found = std::iter::repeat_n(Evidence::new("x", "y"), MOST);
            looked.found.extend(found.filter(|_| has_found));
        });
        assert!(looked.found.len() <= MOST);
        (count, looked.conclude("places", "clean".to_owned()))
    }

    #[test]
    fn what_was_not_looked_at_never_passes() {
        let later = Instant::now() + Duration::from_secs(600);
        let (count, judgement) = looked(later, false);
        assert_eq!((count, judgement.status), (10, CheckStatus::Unknown), "{judgement:?}");
        let (count, judgement) = looked(Instant::now(), false);
        assert_eq!((count, judgement.status), (0, CheckStatus::Unknown), "{judgement:?}");
        assert!(judgement.transient && judgement.summary.contains("the run ended"));
        // as much as fits into a report
        assert_eq!(looked(later, true).0, 1);
    }

    #[test]
    fn a_log_that_was_not_read_to_its_end_is_unread() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("coder-agent.log");
        std::fs::write(&log, "a\nb\n").unwrap();
        let later = Instant::now() + Duration::from_secs(600);
        assert_eq!(log_holds_mark(&log, 0, later), Some(false));
        assert_eq!(log_holds_mark(&log, 0, Instant::now()), None);
    }

    #[test]
    fn the_work_grows_with_the_text() {
        for mark in MARKS {
            let work = |count: usize| -> usize {
                let text = mark.repeat(count);
                following(text.as_bytes(), mark.as_bytes()).map(|(_, rest)| rest.len()).sum()
            };
            assert!(work(20_000) <= 2 * work(10_000) + LOOKED_AT * LOOKED_AT, "{mark}");
        }
        // a token that is longer than what is looked at is one
        let long = format!("{}{}", concat!("gl", "pat-"), "a1".repeat(LOOKED_AT));
        assert!(holds_mark(long.as_bytes(), false));
    }

    #[test]
    fn marks_are_found_anywhere_in_a_line() {
        let secret = "a1B2".repeat(5);
        for mark in MARKS {
            assert!(holds_mark(format!("curl -H x:{mark}{secret} y").as_bytes(), false), "{mark}");
            // who looks for it
            assert!(!holds_mark(format!("grep\0-r\0{mark}\0.\0").as_bytes(), false), "{mark}");
        }
        assert!(holds_mark(format!("{{{REFRESH}: \"{secret}\"}}").as_bytes(), false));
        assert!(holds_mark(format!("-----BEGIN OPENSSH {ARMOUR}\\n{secret}\\n").as_bytes(), false));
        // parts of words and of paths
        for harmless in [
            "scipy/optimize/_highs/_highs_constants.cpython-312-x86_64-linux-gnu.so",
            "cd /home/coder/task-proj-frontend-migration-2 && npm install",
            "weighs_and_measures_dataset_2024.csv",
            "logho_utils_v2_release_linux_amd64.tgz",
        ] {
            assert!(!holds_mark(harmless.as_bytes(), true), "{harmless}");
        }
        // the log has a line of it at a time
        assert!(holds_mark(format!("-----BEGIN OPENSSH {ARMOUR}").as_bytes(), true));
        assert!(!holds_mark(b"git push origin main", true));
    }
}
