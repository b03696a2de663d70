//! The words of the project: texts, comments and names use the right column of the glossary in
//! CONTRIBUTING.md. Add a row there when you add one here.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

/// Files and folders whose texts are held to the glossary.
const SCOPE: &[&str] = &[
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "ARCHITECTURE.md",
    "docs",
    "schema",
    "scripts",
    "src",
    "tests/behaviour",
    "tests/hostile",
];

/// Not to be used, and what to write instead. `_` in a name counts as a blank, letter case does
/// not count, and words match whole.
const PHRASES: &[(&[&str], &str)] = &[
    (&["mend", "mends", "mended", "mending", "mender", "cure", "cures", "cured"], "fix"),
    (&["told", "untold", "aloud", "is said", "are said"], "report, print, configure"),
    (&["take back", "takes back", "taken back", "taking back"], "undo, remove, restore"),
    (&["takes everything back", "take everything back", "takes it back"], "undo, remove"),
    (&["take away", "takes away", "taken away", "took away"], "remove, undo"),
    (&["give back", "gives back", "given back", "gives the home back"], "restore"),
    (&["pass over", "passes over", "passed over", "passing over"], "ignore, skip"),
    (&["beats", "outdo", "outdoes", "outdone"], "override, take precedence"),
    (&["at work"], "running"),
    (&["stands", "lies in", "lies at", "lies there", "lies below", "lies beside"], "is, contains"),
    (&["bears", "bears out", "bear out"], "is, contains, confirms"),
    (&["vouch", "vouches", "vouched"], "confirm, verify"),
    (&["in the place of"], "instead of, replaces"),
    (&["nothing is asked for", "nothing asked for", "everything asked for"], "configured"),
    (&["was asked for", "were asked for", "asked for or provisioned"], "configured, requested"),
    (&["as it should be"], "no changes needed, correct"),
    (&["any other word"], "any other value"),
    (&["nobody is there", "no one is there"], "cannot prompt"),
    (&["put on ssh"], "switched to SSH"),
    (&["decided by", "by whom"], "configured by, who"),
    (&["may be read"], "can be read, read access confirmed"),
    (&["takes the key for"], "accepts the key for"),
    (&["does not know by"], "no … configured"),
    (&["public half", "private half"], "public key, private key"),
    (&["besides"], "also, in addition to"),
    (&["room", "rooms"], "module, file, space"),
    (&["unspeakable", "misused", "blames nobody", "farewell", "farewells", "deaf"], "a plain name"),
    (&["complain", "complains", "complained", "complaint", "complaints"], "report, error"),
    (&["enum by", "struct by", "struct said", "enum said", "enum led"], "a plain name"),
];

/// `is no X`, which is `is not a X`; these go on being English.
const IS_NO: &[&str] = &["is no", "are no", "was no", "were no"];
const IS_NO_BEFORE: &[&str] = &["there"];
const IS_NO_AFTER: &[&str] =
    &["longer", "more", "less", "different", "larger", "greater", "newer", "break", "tracking"];

/// One word, its line, and whether only blanks are between it and the word before.
struct Word<'a> {
    text: &'a str,
    line: usize,
    follows: bool,
}

#[test]
fn texts_comments_and_names_use_the_words_of_the_glossary() {
    let mut found = String::new();
    for path in files() {
        let text = fs::read_to_string(root().join(&path)).unwrap().to_lowercase().replace('_', " ");
        let text = if path == "CONTRIBUTING.md" { without_the_table(&text) } else { text };
        for (line, phrase, replacement) in phrases(&text) {
            let _ = writeln!(found, "{path}:{line}: \"{phrase}\": write {replacement}");
        }
    }
    assert!(found.is_empty(), "see the glossary in CONTRIBUTING.md\n{found}");
}

#[test]
fn a_phrase_is_found_over_a_line_end_and_in_a_name() {
    let found = |text: &str| {
        phrases(&text.to_lowercase().replace('_', " "))
            .into_iter()
            .map(|(line, phrase, _)| (line, phrase))
            .collect::<Vec<_>>()
    };
    assert_eq!(found("/// another run is still at\n/// work"), [(1, "at work")]);
    assert_eq!(found("fn a_fifo_stands_there() {}"), [(1, "stands")]);
    assert_eq!(found("one\ntwo: it IS no file"), [(2, "is no")]);
    assert_eq!(found("it was mended."), [(1, "mended")]);
    assert!(found("there is no file, it is no longer there, recommended, understands").is_empty());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All text files of [`SCOPE`], relative to the crate.
fn files() -> Vec<String> {
    let mut files: Vec<_> = SCOPE
        .iter()
        .flat_map(|place| WalkDir::new(root().join(place)))
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .filter(|path| Path::new(path).extension() != Some("svg".as_ref()))
        // what other programs print
        .filter(|path| !path.starts_with("src/push_message/") || !path.ends_with("others.json"))
        .collect();
    files.sort();
    files
}

/// The glossary names the words that it replaces.
fn without_the_table(text: &str) -> String {
    let lines = text.lines().map(|line| if line.starts_with('|') { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every phrase, by the line where it begins. Comment markers at the start of a line are skipped,
/// so that a phrase is found over a line end.
fn phrases(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut rows: HashMap<&str, Vec<(&'static str, &'static str)>> = HashMap::new();
    let all = PHRASES.iter().flat_map(|(forms, wanted)| forms.iter().map(|form| (*form, *wanted)));
    for (phrase, replacement) in all.chain(IS_NO.iter().map(|form| (*form, "\"is not a\""))) {
        let first = phrase.split(' ').next().unwrap_or_default();
        rows.entry(first).or_default().push((phrase, replacement));
    }
    let words = words(text);
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for (phrase, replacement) in rows.get(word.text).into_iter().flatten() {
            let wanted: Vec<_> = phrase.split(' ').collect();
            let here = words.get(index..index + wanted.len()).unwrap_or_default();
            let matches = !here.is_empty()
                && here.iter().map(|word| word.text).eq(wanted.iter().copied())
                && here.iter().skip(1).all(|word| word.follows);
            let before = index.checked_sub(1).map_or("", |before| words[before].text);
            let after = words.get(index + wanted.len()).map_or("", |word| word.text);
            let english = IS_NO.contains(phrase)
                && (IS_NO_BEFORE.contains(&before) || IS_NO_AFTER.contains(&after));
            if matches && !english {
                found.push((word.line, *phrase, *replacement));
            }
        }
    }
    found
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches(['/', '!', '#', '*', '>']);
        let mut rest = line;
        while let Some(start) = rest.find(char::is_alphanumeric) {
            let follows = rest[..start].trim().is_empty();
            rest = &rest[start..];
            let end =
                rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
            words.push(Word { text: &rest[..end], line: number + 1, follows });
            rest = &rest[end..];
        }
    }
    words
}
