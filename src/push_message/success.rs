//! Whether the text proves that the push, fetch or pull went through, in any language of git's.
//!
//! What a push prints of its references, and `From URL` in English, is the same everywhere or
//! known, and git's failures are known with it. A fetch or a pull in another language may end in a
//! sentence that nothing here knows: it proves a success only if every line of it is known.

use std::collections::HashSet;

use super::Cause;
use super::language;
use super::lines::{LineView, Lines, contains_in_order};

/// What git, in English, and ssh, in every language, print of a failure.
const FAILURES: [&str; 22] = [
    "fatal:",
    "error: failed to push",
    "conflict (",
    "automatic merge failed",
    "merge with strategy",
    "no merge strategy handled",
    "could not apply",
    "would be overwritten by",
    "there is no tracking information for",
    "please specify which branch you want to",
    "no such ref was fetched",
    "need to specify how to reconcile",
    "rejected]",
    "[remote failure]",
    "(unable to update local ref)",
    "unresolved conflict",
    "checkout failed",
    "permission denied (",
    "verification failed",
    // in every language: these are ssh's
    "ssh: connect to host",
    "ssh: could not resolve",
    "connection closed by",
];
/// What git prints in English of a pull that went well, in every language.
const MERGED: [&str; 4] =
    ["fast-forward", "merge made by the", "already up to date", "successfully rebased and updated"];

/// What a push of the same references overcomes, once it goes through.
const OVERCOME: [&str; 6] = [
    "conflict (",
    "automatic merge failed",
    "error: could not apply",
    "need to specify how to reconcile",
    "not possible to fast-forward",
    "would be overwritten by",
];

/// What the managers of hooks print where a commit failed, after which nothing was left to push.
const COMMIT_FAILURES: [&str; 4] =
    ["hook id: ", "script failed", "hook failed", "hook exited with"];
/// What shells and build tools print of a command that failed.
const FAILURE_WORDS: [&str; 10] = [
    "error",
    "fail",
    "killed",
    "terminated",
    "aborted",
    "cancel",
    "signal",
    "timed out",
    "timeout",
    "exit ",
];

/// References were updated, and no line allows for a failure. A server may well remark on a
/// push that it accepts. `None`: that is not proven.
pub(super) fn of(lines: &Lines) -> Option<Cause> {
    let (last, _) = lines.local().rev().find(|(_, line)| line.update)?;
    let start = last_try(lines).unwrap_or_default();
    // a hook of the clone may have reported something before the push, which git then made
    let first_update =
        lines.local().find(|(number, line)| *number >= start && line.text.starts_with("To "));
    let first_update = first_update.map_or(0, |(number, _)| number);
    if lines.is_dry_run()
        || lines.client_prints_from(start, &FAILURES)
        || lines.client_prints_from(first_update, &["error:"])
        || lines.fails_abroad()
        || lines.local().any(|(number, line)| number >= start && is_refusal(line.text))
    {
        return None;
    }
    let begins = |start: &str| lines.local().any(|(_, line)| line.text.starts_with(start));
    if begins("To ") {
        // of several remotes, a later one may have failed
        let is_whole = !lines.is_foreign()
            && !lines.local().any(|(number, line)| number > last && is_remark(line.lower));
        return is_whole.then_some(Cause::None);
    }
    let is_pushed = lines.client_prints(&["everything up-to-date"]);
    // the push was complete; what follows is of another command, which may have failed
    let fails = |line: &LineView<'_>| {
        is_remark(line.lower) || FAILURE_WORDS.iter().any(|it| line.lower.contains(it))
    };
    let is_whole = if is_pushed {
        !lines.is_foreign()
            && !lines.client_prints(&COMMIT_FAILURES)
            && !lines.local().any(|(at, line)| at > last && fails(&line))
    } else if begins("From ")
        || lines.client_prints(&["receiving objects: 100%"])
        || lines.local().all(|(_, line)| line.lower.contains("already up to date"))
    {
        // a push may have been ended after it, before it printed anything
        !lines.is_foreign() && lines.local().all(|(at, line)| at <= last || ends_a_pull(&line))
    } else {
        every_line_is_known(lines) && !lines.local().any(|(at, line)| at > last && sends(&line))
    };
    is_whole.then_some(if is_pushed { Cause::None } else { Cause::Fetched })
}

/// The line of the last push, if it updated every reference that earlier pushes to the same URL
/// could not, and nothing else failed before it.
fn last_try(lines: &Lines) -> Option<usize> {
    let (start, header) = lines.local().rev().find(|(_, line)| line.text.starts_with("To "))?;
    let (mut above, mut refused, mut taken) = ("", HashSet::new(), HashSet::new());
    for (number, line) in lines.local() {
        if number > start {
            taken.extend(line.update.then(|| destination(line.text)).flatten());
        } else if line.text.starts_with("To ") || line.text.starts_with("From ") {
            above = line.text;
        } else if is_refusal(line.text) {
            let same = above == header.text;
            refused.insert(same.then(|| destination(line.text)).flatten()?);
        } else {
            let url = header.text.trim_start_matches("To ");
            let of_this_push =
                line.lower.starts_with("error: failed to push") && line.text.contains(url);
            let contains = |words: &&str| contains_in_order(line.lower, words);
            let fails = line.lower.starts_with("error:") && !above.is_empty()
                || FAILURES.iter().any(contains);
            if fails && !of_this_push && !OVERCOME.iter().any(contains) {
                return None;
            }
        }
    }
    (!refused.is_empty() && refused.is_subset(&taken)).then_some(start)
}

fn is_refusal(line: &str) -> bool {
    line.starts_with("! [") || line.starts_with("!\t")
}

/// The reference of the remote in a line about an update, with or without `--porcelain`.
fn destination(line: &str) -> Option<&str> {
    let name = match line.split_once(" -> ") {
        Some((_, to)) => to.split_whitespace().next()?,
        None => line.split('\t').find(|part| part.contains(":refs/"))?.rsplit_once(':')?.1,
    };
    Some(name.strip_prefix("refs/heads/").unwrap_or(name))
}

/// Whether the output is of a push that updated references.
pub(super) fn has_updates(lines: &Lines) -> bool {
    lines.local().any(|(_, line)| line.text.starts_with("To "))
        && lines.local().any(|(_, line)| line.update)
}

/// A percentage below the references that a fetch updated is of a push that began, unless it is of
/// the work tree.
fn sends(line: &LineView<'_>) -> bool {
    let of_work_tree = ["updating files", "checking out files", "filtering content"];
    line.text.contains('%') && !of_work_tree.iter().any(|start| line.lower.starts_with(start))
}

/// What git prints in English after the references that a fetch or a pull updated.
fn ends_a_pull(line: &LineView<'_>) -> bool {
    const STARTS: [&str; 14] = [
        "updating ",
        "applying: ",
        "auto-merging ",
        "created autostash",
        "applied autostash",
        "current branch ",
        "first, rewinding head",
        "fast-forwarded ",
        "fetching ",
        "rebasing ",
        "submodule path ",
        "warning:",
        "hint:",
        "resolving deltas",
    ];
    is_progress(line.text) && !sends(line)
        || is_diffstat(line.text)
        || MERGED.iter().chain(&STARTS).any(|words| line.lower.starts_with(words))
}

/// A word and a colon, as `fatal:` is in every language, and neither what git prints of no failure
/// nor an English word for something else.
fn is_remark(line: &str) -> bool {
    let Some((word, rest)) = line.split_once(':') else { return false };
    let word = word.trim_end();
    rest.starts_with(' ')
        && word.chars().count() >= 3
        && word.chars().all(char::is_alphabetic)
        && (!word.is_ascii()
            || ["err", "hata", "fel", "fehler", "kesalahan"].contains(&word)
            || ["error", "erreur", "fail", "fatal", "abort", "exception", "panic"]
                .iter()
                .any(|part| word.contains(part)))
}

/// A fetch or a pull in a language other than English.
fn every_line_is_known(lines: &Lines) -> bool {
    let lines: Vec<_> = lines.local().map(|(_, line)| line).collect();
    let mut next_is_update = lines.iter().skip(1).map(|line| line.update);
    let known = |line: &LineView<'_>| {
        let is_header = next_is_update.next() == Some(true) && names_a_url(line.text);
        line.update
            || is_header
            || is_progress(line.text)
            || is_diffstat(line.text)
            || MERGED.iter().any(|words| line.lower.starts_with(words))
            || language::SUCCESSES.iter().any(|words| contains_in_order(line.lower, words))
    };
    lines.iter().all(known)
}

/// `From URL`, whatever the word for it.
fn names_a_url(line: &str) -> bool {
    line.split_whitespace().any(|word| word.contains(['/', ':']) && word.len() > 3)
}

/// `…: 100% (3/3)`, and `… (1/2)` of a rebase.
fn is_progress(line: &str) -> bool {
    let is_count = |word: &str| {
        let word = word.trim_end_matches([',', '.', ')']).trim_start_matches('(');
        word.split_once('/').is_some_and(|(done, all)| {
            [done, all]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    line.split_whitespace().any(|word| word.starts_with('(') && is_count(word))
}

/// `f | 2 +-`, `1 file changed, …` and `create mode …`: git does not translate them.
fn is_diffstat(line: &str) -> bool {
    let is_number = |word: Option<&str>| {
        word.is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    };
    let of_a_file = line.rsplit_once(" | ").is_some_and(|(_, counts)| {
        let mut words = counts.split_whitespace();
        matches!(words.next(), Some("Bin")) || is_number(counts.split_whitespace().next())
    });
    let of_all = is_number(line.split(' ').next())
        && (line.contains(" file changed") || line.contains(" files changed"));
    let of_a_mode = ["create mode ", "delete mode ", "rename ", "mode change ", "copy "]
        .iter()
        .any(|start| line.starts_with(start));
    of_a_file || of_all || of_a_mode
}
