//! The text, line by line: without escapes, progress and prefixes, each line with its author.
//!
//! Every question is answered in time linear in the text: a phrase is searched in the whole text at
//! once, and not line by line.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use super::rules::{MessageRule, REF_REFUSED, Voice};
use super::{Author, Quote, language, prefix};
use crate::git::url::{GitUrl, Repository};

/// More than any push prints. Of a longer text the end is read: git reports a failure last.
pub const LARGEST_TEXT: usize = 1 << 20;
/// Before the first line that a command printed, in what an agent shows of its run.
const FRAMES: [char; 2] = ['⎿', '└'];
const NO_BREAK: char = '\u{a0}';
/// URLs that are compared, the last ones of the text.
const MOST_URLS: usize = 64;

pub(super) struct Lines {
    /// The lines that count, each with `\n` at its end.
    text: String,
    /// The same in lower case where a letter is ASCII, so that offsets agree.
    lower: String,
    list: Vec<Line>,
    /// The bytes at the beginning that were not read.
    pub omitted: usize,
    refused_locally: bool,
    /// The server decided about a reference, and refused.
    ref_refused: bool,
    /// git, ssh or a server prints something, notices apart.
    speaks: bool,
    /// Bytes that were searched and lines that were visited: a test holds that this is linear.
    work: Cell<usize>,
}

struct Line {
    range: Range<usize>,
    /// git puts `remote:` before the server's words.
    author: Author,
    /// A reference was updated.
    update: bool,
    /// About a helper that git looked for on the way: never the cause of a failure.
    notice: bool,
}

/// git's last words after every failure of ssh; they name no cause.
const GIT_TAIL: [&str; 3] = [
    "could not read from remote repository",
    "please make sure you have the correct access rights",
    "and the repository exists.",
];
/// Ways around a rule, which we do not pass on: they let a secret through, or leave objects behind.
const BYPASSES: [&str; 6] = [
    "/unblock-secret/",
    "secret_push_protection.skip",
    "to skip secret push protection",
    "--no-verify",
    "lfs.allowincompletepush",
    "remove this hook by deleting",
];
/// Before a list of what may have been the cause, as GitHub Desktop prints it below every failure.
const REASONS: &str = "common reasons include:";
/// How a line begins that git, Git LFS, ssh or the server prints. Other lines may be anything and are never
/// quoted: a secret, or the advice about its key that `coder gitssh` prints whatever ssh failed of
/// (coder/coder cli/gitssh.go).
const SPEAKERS: [&str; 10] = [
    "fatal:",
    "error:",
    "warning:",
    "ssh:",
    "! [",
    "!\t",
    "git:",
    // Git LFS
    "lfs:",
    "batch request:",
    "batch response:",
];
/// Lines that say nothing about a push: what PowerShell adds to a program's standard error, helpers
/// that could not store a credential, and the upstream that `git push -u` records, in languages
/// whose letters would show a text in another language.
const NOISE: [&str; 11] = [
    "At line:…char:",
    "+ ~~~~",
    "+ CategoryInfo ",
    "+ FullyQualifiedErrorId ",
    "fatal: Failed to write item to store",
    "fatal: The array bounds are invalid",
    "fatal: unable to connect to cache daemon",
    "设置为跟踪",
    "設定為追蹤",
    "ще следи",
    "##[warning]",
];
const PROGRESS: [&str; 6] = [
    "enumerating objects",
    "counting objects",
    "compressing objects",
    "resolving deltas",
    "total ",
    "processing changes",
];
const UPDATES: [&str; 11] = [
    "[new branch]",
    "[new tag]",
    "[new reference]",
    "[deleted]",
    "[up to date]",
    "(forced update)",
    "everything up-to-date",
    "already up to date",
    "successfully rebased and updated",
    "-> fetch_head",
    "receiving objects: 100%",
];
/// A missing credential helper or askpass, of which git reports each before it tries the next.
const NOTICES: [&str; 8] = [
    "git: 'credential-…is not a git command",
    "the most similar command is",
    "git-credential…not found",
    "git-credential…no such file",
    "credential-manager…not found",
    "cannot run…askpass…no such file",
    "ssh_askpass: exec(",
    "no credential store has been selected",
];

impl Lines {
    pub fn parse(text: &str) -> Self {
        let (text, omitted) = last_part(text);
        // the blanks of a web page
        let text = if text.contains(NO_BREAK) {
            Cow::Owned(text.replace(NO_BREAK, " "))
        } else {
            Cow::Borrowed(text)
        };
        // a progress line overwrites itself
        let mut raw: Vec<_> = text.split(['\n', '\r']).map(without_escapes).collect();
        prefix::strip(&mut raw);
        let mut text = String::with_capacity(text.len());
        let mut list = Vec::new();
        let mut is_advice = false;
        for line in raw {
            let line = line.trim().trim_start_matches(FRAMES).trim_start();
            // PowerShell puts the name of the program before the first line that it prints
            let line = line.strip_prefix("git : ").unwrap_or(line);
            is_advice =
                line.contains(REASONS) || is_advice && (line.is_empty() || line.starts_with("- "));
            if is_advice || NOISE.iter().any(|words| contains_in_order(line, words)) {
                continue;
            }
            let (author, words) = match line.strip_prefix("remote:") {
                Some(words) => (Author::Server, words.trim()),
                None => (Author::Client, line),
            };
            // what `ssh -v` prints about its work
            let is_debug = ["debug1:", "debug2:", "debug3:"].iter().any(|it| words.starts_with(it));
            if words.is_empty() || is_debug {
                continue;
            }
            let start = text.len();
            text.push_str(words);
            list.push(Line { range: start..text.len(), author, update: false, notice: false });
            text.push('\n');
        }
        let lower = text.to_ascii_lowercase();
        let mut lines = Self {
            text,
            lower,
            list,
            omitted,
            refused_locally: false,
            ref_refused: false,
            speaks: false,
            work: Cell::new(0),
        };
        lines.mark(&UPDATES, |line| line.update = true);
        lines.mark(&language::SUCCESSES, |line| line.update = true);
        lines.mark(&NOTICES, |line| line.notice = true);
        for number in 0..lines.list.len() {
            let update = lines.lower(number).split_whitespace().take(4).any(is_range);
            if let Some(line) = lines.list.get_mut(number).filter(|_| update) {
                line.update = true;
            }
        }
        let speaks = lines.visit().any(|(number, line)| !line.notice && lines.is_spoken(number));
        lines.speaks = speaks;
        let has = |phrase| lines.first(&[phrase], |_| true).is_some();
        // git stopped and prints no reason: the clone's own pre-push hook refused
        let refused_locally = has("error: failed to push some refs")
            && !has("rejected]")
            && !has("updates were rejected")
            && !lines.visit().any(|(number, line)| {
                line.author == Author::Server || lines.lower(number).starts_with("fatal:")
            });
        lines.refused_locally = refused_locally;
        lines.ref_refused = lines.client_prints(&REF_REFUSED);
        lines
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a rule matches. Where git stopped without the server, only what git itself prints
    /// counts: all else is the hook's.
    pub fn matches(&self, rule: &MessageRule) -> bool {
        self.first(rule.words, |number| self.concerns(number, rule)).is_some()
    }

    fn concerns(&self, number: usize, rule: &MessageRule) -> bool {
        let Some(line) = self.list.get(number) else { return false };
        match rule.voice {
            Voice::Notice => line.notice && !self.speaks,
            Voice::LocalHook => !line.notice && line.author == Author::Client,
            Voice::Client | Voice::Server => {
                let may_be_server =
                    rule.voice == Voice::Server && (rule.about_ref || !self.ref_refused);
                !line.notice
                    && (may_be_server || line.author == Author::Client)
                    && (!self.refused_locally || self.is_spoken(number))
            }
        }
    }

    /// Whether the last command of the text that pushes, as a shell or a log shows it, sends nothing.
    pub fn is_dry_run(&self) -> bool {
        let pushes = |(_, line): (usize, LineView<'_>)| {
            let (_, options) = line.text.split_once("git push")?;
            let is_command = options.is_empty() || options.starts_with(' ');
            is_command.then(|| options.split(' ').any(|word| matches!(word, "-n" | "--dry-run")))
        };
        self.local().rev().find_map(pushes).unwrap_or(false)
    }

    /// Whether git, here, prints one of the phrases in this line or below it.
    pub fn client_prints_from(&self, first: usize, phrases: &[&str]) -> bool {
        let accepts = |number| number >= first && self.author(number) == Some(Author::Client);
        self.first(phrases, accepts).is_some()
    }

    /// Whether git, here, prints one of the phrases.
    pub fn client_prints(&self, phrases: &[&str]) -> bool {
        self.first(phrases, |number| self.author(number) == Some(Author::Client)).is_some()
    }

    pub fn updates(&self, most: usize) -> Vec<Quote> {
        let updates = self.visit().filter(|(_, line)| line.author == Author::Client && line.update);
        updates.take(most).map(|(number, _)| self.quote(number)).collect()
    }

    /// The lines that a rule matches, and what the server printed around them.
    pub fn evidence(&self, rule: &MessageRule, most: usize) -> Vec<Quote> {
        let mut found = Vec::new();
        for phrase in rule.words {
            let mut left = most;
            self.search(phrase, |number| {
                if self.concerns(number, rule) && self.may_be_quoted(number) {
                    found.push(number);
                    left -= 1;
                }
                left > 0
            });
        }
        found.sort_unstable();
        found.dedup();
        let around = self.visit().filter(|(number, line)| {
            (line.author == Author::Server || rule.voice == Voice::Server)
                && !found.contains(number)
                && self.is_worth_quoting(*number)
        });
        let around: Vec<_> = around.take(most).map(|(number, _)| number).collect();
        found.iter().chain(&around).take(most).map(|number| self.quote(*number)).collect()
    }

    /// The last lines of which the author is known.
    pub fn spoken(&self, most: usize) -> Vec<Quote> {
        let numbers = (0..self.list.len()).rev();
        let mut spoken: Vec<_> =
            numbers.filter(|number| self.is_worth_quoting(*number)).take(most).collect();
        spoken.reverse();
        spoken.iter().map(|number| self.quote(*number)).collect()
    }

    /// Whether git, ssh or a server prints anything, notices apart.
    pub const fn speaks(&self) -> bool {
        self.speaks
    }

    /// git stopped without a reason: the clone's own pre-push hook refused.
    pub const fn refused_locally(&self) -> bool {
        self.refused_locally
    }

    pub fn is_foreign(&self) -> bool {
        let is_foreign = |number: usize| {
            let text = self.text(number);
            let is_spoken = || {
                ["fatal", "error", "hint"].iter().any(|word| self.lower(number).starts_with(word))
            };
            let foreign_letter = |c: char| c.is_alphabetic() && !c.is_ascii();
            // the whole line in another script, as `致命错误：…` is
            text.starts_with(|c: char| c.is_alphabetic() && c as u32 > 0x36f)
                || self.begins_abroad(number, &language::REMARKS)
                || text.contains(foreign_letter) && is_spoken()
        };
        // `From URL`, above what was fetched, is translated
        let header =
            |line: &LineView<'_>| ["To ", "From "].iter().any(|start| line.text.starts_with(start));
        let fetched_abroad = || {
            self.local().any(|(_, line)| line.update && line.text.contains(" -> "))
                && !self.local().any(|(_, line)| header(&line))
        };
        self.fails_abroad()
            || fetched_abroad()
            || self.client_prints(&language::SENTENCES)
            || self.local().any(|(number, _)| is_foreign(number))
    }

    /// Whether git reports a failure in a language other than English.
    pub fn fails_abroad(&self) -> bool {
        self.local().any(|(number, _)| self.begins_abroad(number, &language::FAILURES))
    }

    fn begins_abroad(&self, number: usize, starts: &[&str]) -> bool {
        starts.iter().any(|start| self.lower(number).starts_with(start))
    }

    /// The repository of `To URL`, `From URL` or of a URL that git quotes; of several that were
    /// pushed to, the one that refused. A server's own words do not count.
    pub fn repository(&self) -> Option<Repository> {
        let named = self.urls();
        let first = named.iter().find(|named| named.is_blamed).or_else(|| {
            let took = |url: &GitUrl| {
                named.iter().any(|other| other.took && other.url.to_string() == url.to_string())
            };
            named.iter().find(|named| !took(&named.url))
        });
        first?.url.repository().cloned()
    }

    /// Whether git could not connect to another host than that of the URL, which is then a proxy.
    pub fn misses_proxy(&self) -> bool {
        let host_in = |text: &str| {
            let (_, url) = text.split_once("://")?;
            let authority = url.split(['/', '\'']).next().unwrap_or(url);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            Some(host.split_once(':').map_or(host, |(host, _)| host).to_owned())
        };
        self.local().any(|(number, line)| {
            let Some((before, after)) = line.lower.split_once("failed to connect to ") else {
                return false;
            };
            // an address without a port is the server's
            let Some((host, rest)) = after.split_once(" port ") else { return false };
            // the line may be broken before these words
            let above = || number.checked_sub(1).and_then(|number| host_in(self.lower(number)));
            let to = host_in(before).or_else(above);
            rest.contains(" via ") || to.is_some_and(|to| to != host)
        })
    }

    pub fn port_in_path(&self) -> bool {
        self.urls().iter().any(|named| named.url.port_in_path().is_some())
    }

    /// The URLs in git's own lines, in their order.
    fn urls(&self) -> Vec<NamedUrl> {
        let mut named = Vec::new();
        // what follows below a URL, seen from the end of the text
        let (mut updated, mut refused) = (false, false);
        for (number, line) in self.local().rev() {
            let text = self.text(number);
            if let Some((url, is_blamed)) = url_in(text) {
                named.push(NamedUrl { url, is_blamed, took: updated && !refused });
                if named.len() == MOST_URLS {
                    break;
                }
            }
            if STARTS.iter().any(|start| text.starts_with(start)) {
                (updated, refused) = (false, false);
            } else {
                updated |= line.update;
                refused |= text.starts_with('!');
            }
        }
        named.reverse();
        named
    }

    /// The lines of git and ssh, without the server's.
    pub fn local(&self) -> impl DoubleEndedIterator<Item = (usize, LineView<'_>)> {
        self.visit().filter(|(_, line)| line.author == Author::Client).map(|(number, line)| {
            let view = LineView {
                text: self.text(number),
                lower: self.lower(number),
                update: line.update,
            };
            (number, view)
        })
    }

    fn visit(&self) -> impl DoubleEndedIterator<Item = (usize, &Line)> {
        self.list.iter().enumerate().inspect(|_| self.add_work(1))
    }

    fn add_work(&self, amount: usize) {
        self.work.set(self.work.get() + amount);
    }

    #[cfg(test)]
    pub const fn work(&self) -> usize {
        self.work.get()
    }

    fn mark(&mut self, phrases: &[&str], set: impl Fn(&mut Line)) {
        for phrase in phrases {
            let mut found = Vec::new();
            self.search(phrase, |number| {
                found.push(number);
                true
            });
            for number in found {
                if let Some(line) = self.list.get_mut(number) {
                    set(line);
                }
            }
        }
    }

    /// The first line that contains one of the phrases and that `accepts` takes.
    fn first(&self, phrases: &[&str], accepts: impl Fn(usize) -> bool) -> Option<usize> {
        phrases.iter().find_map(|phrase| {
            let mut first = None;
            self.search(phrase, |number| {
                first = accepts(number).then_some(number);
                first.is_none()
            });
            first
        })
    }

    /// Calls `found` with each line that contains the phrase, until it returns false.
    fn search(&self, phrase: &str, mut found: impl FnMut(usize) -> bool) {
        let start = phrase.split('…').next().unwrap_or(phrase);
        let mut at = 0;
        while let Some(rest) = self.lower.get(at..) {
            let Some(offset) = rest.find(start) else {
                self.add_work(rest.len());
                return;
            };
            at += offset;
            let number = self.list.partition_point(|line| line.range.end <= at);
            let Some(line) = self.list.get(number) else { return };
            self.add_work(offset + line.range.end - at);
            let matches =
                contains_in_order(self.lower.get(at..=line.range.end).unwrap_or_default(), phrase);
            if matches && !found(number) {
                return;
            }
            at = line.range.end + 1;
        }
    }

    fn author(&self, number: usize) -> Option<Author> {
        self.list.get(number).map(|line| line.author)
    }

    fn text(&self, number: usize) -> &str {
        let line = self.list.get(number);
        line.and_then(|line| self.text.get(line.range.clone())).unwrap_or_default()
    }

    fn lower(&self, number: usize) -> &str {
        let line = self.list.get(number);
        line.and_then(|line| self.lower.get(line.range.clone())).unwrap_or_default()
    }

    fn is_spoken(&self, number: usize) -> bool {
        self.author(number) == Some(Author::Server)
            || SPEAKERS.iter().any(|speaker| self.lower(number).starts_with(speaker))
    }

    fn may_be_quoted(&self, number: usize) -> bool {
        let lower = self.lower(number);
        // Git LFS prints URLs that are signed
        let secrets = ["authorization:", "signature=", "&sig="];
        !BYPASSES.iter().chain(&secrets).any(|part| lower.contains(part))
    }

    /// Not progress, not a frame of `====`, not git's tail.
    fn is_worth_quoting(&self, number: usize) -> bool {
        let lower = self.lower(number);
        self.is_spoken(number)
            && self.text(number).chars().filter(|c| c.is_alphabetic()).take(6).count() == 6
            && !PROGRESS.iter().any(|progress| lower.starts_with(progress))
            && !GIT_TAIL.iter().any(|tail| lower.contains(tail))
            && self.may_be_quoted(number)
    }

    fn quote(&self, number: usize) -> Quote {
        let author = self.author(number).unwrap_or(Author::Client);
        Quote { author, text: self.text(number).to_owned() }
    }
}

/// A line of git or ssh.
pub(super) struct LineView<'a> {
    pub text: &'a str,
    /// The same in lower case.
    pub lower: &'a str,
    /// A reference was updated.
    pub update: bool,
}

/// A URL in a line of git's.
struct NamedUrl {
    url: GitUrl,
    /// It is the one that git could not push to.
    is_blamed: bool,
    /// It is above updates, and no refusal.
    took: bool,
}

/// How a line begins that is not about the URL above it.
const STARTS: [&str; 6] = ["To ", "From ", "fatal:", "error:", "ERROR:", "Pushing to"];

/// The URL that git names in a line, and whether that is the one that it could not push to.
fn url_in(line: &str) -> Option<(GitUrl, bool)> {
    let url = match line.split_once(' ')? {
        ("To" | "From", url) => url,
        // with --verbose, before the server is asked anything
        ("Pushing", to) => to.strip_prefix("to ")?,
        ("fatal:" | "error:", _) => line.split('\'').nth(1)?,
        _ => return None,
    };
    let is_blamed = line.starts_with("error: failed to push some refs to ");
    Some((GitUrl::parse(url.trim()).ok()?, is_blamed))
}

/// The end of the text, from the beginning of a line, and the bytes before it.
fn last_part(text: &str) -> (&str, usize) {
    let mut start = text.len().saturating_sub(LARGEST_TEXT);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    if start > 0 {
        // a part of a line could read as another one
        let rest = text.get(start..).unwrap_or_default();
        start += rest.find('\n').map_or(0, |end| end + 1);
    }
    (text.get(start..).unwrap_or_default(), start)
}

/// `old..new`, as git names an update of a reference.
fn is_range(word: &str) -> bool {
    let is_id = |id: &str| id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    word.split_once("..").is_some_and(|(old, new)| is_id(old) && is_id(new.trim_start_matches('.')))
}

/// Whether `text` contains all the parts of `phrase`, which `…` separates, one after the other.
pub(super) fn contains_in_order(text: &str, phrase: &str) -> bool {
    let mut rest = text;
    phrase.split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// The line without its terminal escapes: git colours `error` and `hint`, and clears to the end of
/// each `remote:` line. A byte order mark before it goes too.
fn without_escapes(line: &str) -> Cow<'_, str> {
    let line = line.trim_start_matches('\u{feff}');
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => chars.by_ref().find(|c| ('@'..='~').contains(c)),
            // a link
            Some(']') => chars.by_ref().find(|c| matches!(c, '\u{7}' | '\\')),
            _ => None,
        };
    }
    Cow::Owned(text)
}
