//! The text, line by line: escapes and progress taken out, each line with its speaker.

use super::rules::{Rule, Voice};
use super::{Author, Quote};
use crate::git::url::{GitUrl, Repository};

pub(super) struct Lines(Vec<Line>);

struct Line {
    /// Less `remote:` and blanks at both ends.
    text: String,
    lower: String,
    /// git put `remote:` before it: the server's words, not those of git or ssh here.
    remote: bool,
}

/// git's last words after every failure of ssh; they tell nothing.
const GIT_TAIL: [&str; 3] = [
    "could not read from remote repository",
    "please make sure you have the correct access rights",
    "and the repository exists.",
];
/// Ways around a rule, which are not for us to hand on: they let a secret through.
const BYPASSES: [&str; 3] =
    ["/unblock-secret/", "secret_push_protection.skip", "to skip secret push protection"];
/// How a line begins that git, ssh or the server says. Other lines may be anything and are never
/// quoted: a secret, or the advice about its key that `coder gitssh` prints whatever ssh failed of
/// (coder/coder cli/gitssh.go).
const SPEAKERS: [&str; 7] = ["fatal:", "error:", "warning:", "ssh:", "! [", "!\t", "git:"];
const PROGRESS: [&str; 6] = [
    "enumerating objects",
    "counting objects",
    "compressing objects",
    "resolving deltas",
    "total ",
    "processing changes",
];
const UPDATES: [&str; 10] = [
    "[new branch]",
    "[new tag]",
    "[new reference]",
    "[deleted]",
    "[up to date]",
    "(forced update)",
    "everything up-to-date",
    "already up to date",
    "-> fetch_head",
    "receiving objects: 100%",
];
const FAILURES: [&str; 12] = [
    "fatal:",
    "error:",
    "conflict (",
    "automatic merge failed",
    "would be overwritten by merge",
    "[rejected]",
    "[remote rejected]",
    "[remote failure]",
    "permission denied",
    "verification failed",
    // in every language: these are ssh's
    "ssh: connect to host",
    "ssh: could not resolve",
];
/// Beginnings and words of git's messages in its larger translations.
const FOREIGN: [&str; 19] = [
    "fehler:",
    "schwerwiegend:",
    "fatal :",
    "ölümcül:",
    "konnte nicht",
    "hinweis:",
    "erreur",
    "impossible de",
    "astuce",
    "no se pudo",
    "ayuda:",
    "não foi possível",
    "erro:",
    "errore:",
    "impossibile",
    "ipucu:",
    "podpowiedź:",
    "lỗi:",
    "gợi ý:",
];

impl Lines {
    pub fn of(text: &str) -> Self {
        // a progress line overwrites itself
        let lines = text.split(['\n', '\r']).map(without_escapes).filter_map(|line| {
            let line = line.trim();
            let (remote, said) = match line.strip_prefix("remote:") {
                Some(said) => (true, said.trim()),
                None => (false, line),
            };
            let lower = said.to_lowercase();
            // what `ssh -v` tells of its doings
            let is_debug =
                ["debug1:", "debug2:", "debug3:"].iter().any(|level| lower.starts_with(level));
            (!said.is_empty() && !is_debug).then(|| Line { text: said.to_owned(), lower, remote })
        });
        Self(lines.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where git gave up without the server, only what git itself says counts: all else is the
    /// hook's.
    pub fn any(&self, rule: &Rule) -> bool {
        let by_hook = self.refused_locally();
        self.0.iter().any(|line| line.matches(rule) && (!by_hook || line.is_spoken()))
    }

    /// References were updated, and nothing says that anything failed: a server may well remark on
    /// a push that it takes. What git says below the last update of a push, in whichever
    /// language, is why another one failed.
    pub fn succeeded(&self) -> bool {
        let local = || self.0.iter().filter(|line| !line.remote);
        let failed = |line: &Line| FAILURES.iter().any(|failure| line.lower.contains(failure));
        let is_push = local().any(|line| line.text.starts_with("To "));
        let mut below = local().rev().take_while(|line| !line.is_update());
        let ends_well = !is_push || !below.any(Line::is_said_abroad);
        local().any(Line::is_update) && ends_well && !local().any(failed) && !self.is_foreign()
    }

    pub fn updates(&self, most: usize) -> Vec<Quote> {
        let updates = self.0.iter().filter(|line| !line.remote && line.is_update());
        updates.take(most).map(Line::quote).collect()
    }

    /// The lines that a rule found, and what the server said around them.
    pub fn evidence(&self, rule: &Rule, most: usize) -> Vec<Quote> {
        let found = self.0.iter().filter(|line| line.matches(rule) && line.may_be_quoted());
        let around = self.0.iter().filter(|line| {
            (line.remote || rule.voice == Voice::Server)
                && line.is_worth_quoting()
                && !line.matches(rule)
        });
        found.chain(around).take(most).map(Line::quote).collect()
    }

    /// The last lines of which the speaker is known.
    pub fn spoken(&self, most: usize) -> Vec<Quote> {
        let spoken: Vec<_> = self.0.iter().filter(|line| line.is_worth_quoting()).collect();
        spoken.iter().skip(spoken.len().saturating_sub(most)).map(|line| line.quote()).collect()
    }

    /// Whether git, ssh or a server speaks at all.
    pub fn speaks(&self) -> bool {
        self.0.iter().any(Line::is_spoken)
    }

    /// git gave up without a word of why: the clone's own pre-push hook refused.
    pub fn refused_locally(&self) -> bool {
        let has = |text| self.0.iter().any(|line| line.lower.contains(text));
        has("error: failed to push some refs")
            && !has("rejected]")
            && !has("fatal:")
            && !self.0.iter().any(|line| line.remote)
    }

    pub fn is_foreign(&self) -> bool {
        let spoken_abroad = |line: &Line| {
            let is_spoken =
                ["fatal", "error", "hint"].iter().any(|word| line.lower.starts_with(word));
            let foreign_script = |c: char| c.is_alphabetic() && !c.is_ascii();
            FOREIGN.iter().any(|words| line.lower.contains(words))
                || is_spoken && line.text.contains(foreign_script)
                // the whole line in another script, as `致命错误：…` is
                || line.text.starts_with(|c: char| c.is_alphabetic() && c as u32 > 0x36f)
        };
        self.0.iter().any(|line| !line.remote && spoken_abroad(line))
    }

    /// The repository of `To URL`, `From URL` or of a URL that git quotes; of several pushed to,
    /// the one that refused. A server's own words do not count.
    pub fn repository(&self) -> Option<Repository> {
        let mut urls = self.urls();
        let blamed = self.urls().find(|named| named.is_blamed);
        let took = |url: &GitUrl| {
            self.urls().any(|named| {
                named.url.to_string() == url.to_string() && self.is_above_updates(&named)
            })
        };
        let named = blamed.or_else(|| urls.find(|named| !took(&named.url)))?;
        named.url.repository().cloned()
    }

    /// Whether below `To URL` stand updates alone.
    fn is_above_updates(&self, &Named { line, .. }: &Named) -> bool {
        let below = self.0.get(line + 1..).unwrap_or_default().iter().filter(|line| !line.remote);
        let mut below = below.take_while(|line| {
            ["To ", "From ", "fatal:", "error:", "ERROR:", "Pushing to"]
                .iter()
                .all(|start| !line.text.starts_with(start))
        });
        let mut updated = false;
        let refused = below.any(|line| {
            updated |= line.is_update();
            line.text.starts_with('!')
        });
        updated && !refused
    }

    pub fn port_in_path(&self) -> bool {
        self.urls().any(|named| named.url.port_in_path().is_some())
    }

    fn urls(&self) -> impl Iterator<Item = Named> {
        let local = self.0.iter().enumerate().filter(|(_, line)| !line.remote);
        local.filter_map(|(number, line)| {
            let url = match line.text.split_once(' ') {
                Some(("To" | "From", url)) => url,
                // with --verbose, before anything is asked of the server
                Some(("Pushing", to)) => to.strip_prefix("to ")?,
                Some(("fatal:" | "error:", _)) => line.text.split('\'').nth(1)?,
                _ => return None,
            };
            let is_blamed = line.text.starts_with("error: failed to push some refs to ");
            Some(Named { line: number, url: GitUrl::parse(url.trim()).ok()?, is_blamed })
        })
    }
}

/// A URL in a line of git's.
struct Named {
    line: usize,
    url: GitUrl,
    /// It is the one that git could not push to.
    is_blamed: bool,
}

impl Line {
    fn matches(&self, rule: &Rule) -> bool {
        (rule.voice == Voice::Server || !self.remote)
            && rule.words.iter().any(|words| contains_in_order(&self.lower, words))
    }

    /// `old..new  branch -> branch`, or one of the words that git marks an update with.
    fn is_update(&self) -> bool {
        let is_range = |word: &str| {
            let is_id = |id: &str| id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            word.split_once("..")
                .is_some_and(|(old, new)| is_id(old) && is_id(new.trim_start_matches('.')))
        };
        UPDATES.iter().any(|update| self.lower.contains(update))
            || self.lower.split_whitespace().take(3).any(is_range)
    }

    /// A word and a colon, as `fatal:` is in every language, and not what git says of no failure.
    fn is_said_abroad(&self) -> bool {
        let Some((word, rest)) = self.lower.split_once(':') else { return false };
        let word = word.trim_end();
        rest.starts_with(' ')
            && word.chars().count() >= 4
            && word.chars().all(char::is_alphabetic)
            && !["warning", "hint", "note"].contains(&word)
    }

    fn is_spoken(&self) -> bool {
        self.remote || SPEAKERS.iter().any(|speaker| self.lower.starts_with(speaker))
    }

    fn may_be_quoted(&self) -> bool {
        !BYPASSES.iter().any(|bypass| self.lower.contains(bypass))
            && !self.lower.contains("authorization:")
    }

    /// Not progress, not a frame of `====`, not git's tail.
    fn is_worth_quoting(&self) -> bool {
        self.is_spoken()
            && self.may_be_quoted()
            && self.text.chars().filter(|c| c.is_alphabetic()).count() >= 6
            && !PROGRESS.iter().any(|progress| self.lower.starts_with(progress))
            && !GIT_TAIL.iter().any(|tail| self.lower.contains(tail))
    }

    fn quote(&self) -> Quote {
        let author = if self.remote { Author::Server } else { Author::Client };
        Quote { author, text: self.text.clone() }
    }
}

/// Whether all the parts of `words`, which `…` separates, stand in `text` one after the other.
fn contains_in_order(text: &str, words: &str) -> bool {
    let mut rest = text;
    words.split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// The line less its terminal escapes: git colours `error` and `hint`, and clears to the end of
/// each `remote:` line.
fn without_escapes(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            text.push(c);
        } else if chars.next() == Some('[') {
            chars.by_ref().find(|c| ('@'..='~').contains(c));
        }
    }
    text
}
