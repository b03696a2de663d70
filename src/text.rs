//! Text for people: what a terminal shows as it is, words that can be pasted into a shell, and the
//! known name that is nearest to a misspelt one.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// One letter in so many may be another.
const EDITED: usize = 4;

/// A path as a word of a command that the reader may paste into a shell.
pub fn shell(path: &Path) -> String {
    word(path.as_os_str().as_bytes())
}

/// The same of any bytes. What must not reach a terminal is written as `$'\x1b'`, which bash, ksh
/// and zsh read.
pub fn word(bytes: &[u8]) -> String {
    let plain = std::str::from_utf8(bytes).ok().filter(|text| !text.contains(is_obeyed));
    if let Some(Ok(word)) = plain.map(shlex::try_quote) {
        return word.into_owned();
    }
    let mut word = "$'".to_owned();
    let escape = |word: &mut String, bytes: &[u8]| {
        for byte in bytes {
            let _ = write!(word, "\\x{byte:02x}");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '\\' => word.extend(['\\', character]),
                odd if is_obeyed(odd) => escape(&mut word, odd.encode_utf8(&mut [0; 4]).as_bytes()),
                other => word.push(other),
            }
        }
        escape(&mut word, chunk.invalid());
    }
    word.push('\'');
    word
}

/// Whether a terminal acts on it instead of showing it: control characters, and those that turn
/// the direction of the text (Unicode, UAX 9).
fn is_obeyed(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line for people: the name of a folder may contain what a terminal acts on, or a line end.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| match character {
        odd if is_obeyed(odd) => odd.escape_default().collect::<String>(),
        other => other.to_string(),
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Text in which the runner of a GitHub workflow finds no command: it obeys what begins a line with
/// `::`, blanks aside, and `##[` anywhere in one (actions/runner, ActionCommand.cs). Pure.
pub fn without_commands(text: &str) -> Cow<'_, str> {
    const OLD: &str = "##[";
    let begins = |line: &str| line.trim_start().starts_with("::");
    if !text.contains(OLD) && !text.split(['\n', '\r']).any(begins) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive(['\n', '\r']) {
        let line = line.replace(OLD, "# #[");
        let at = line.len() - line.trim_start().len();
        match line.split_at_checked(at + 1).filter(|_| begins(&line)) {
            Some((head, rest)) => shown.extend([head, " ", rest]),
            None => shown.push_str(&line),
        }
    }
    Cow::Owned(shown)
}

/// JSON in which nothing is obeyed by a terminal or by the runner of a workflow, of JSON that was
/// written in the ordinary way. Pure.
pub fn plain_json(text: &str) -> Cow<'_, str> {
    let is_obeyed = |character: char| is_obeyed(character) && !character.is_ascii();
    if !text.contains("##[") && !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_obeyed(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else if character == '[' && shown.ends_with("##") {
            shown.push_str("\\u005b");
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Adds a line for people to `text`.
pub fn add_line(text: &mut String, line: fmt::Arguments<'_>) {
    text.push_str(&plain(&line.to_string()));
    text.push('\n');
}

/// The known name that takes the fewest edits, if those are few. Pure.
pub fn nearest_name<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, known) = known
        .map(|known| (strsim::levenshtein(known, text), known))
        .min_by_key(|(edits, _)| *edits)?;
    (edits * EDITED <= text.len()).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_obeys_nothing_that_is_printed() {
        for (text, shown) in [
            ("a::b\n ok", "a::b\n ok"),
            ("::set-output name=a::b", ": :set-output name=a::b"),
            ("agent: x\n  ::add-mask::a\n\u{a0}\t::b", "agent: x\n  : :add-mask::a\n\u{a0}\t: :b"),
            ("a\r::b", "a\r: :b"),
            ("x ##[set-output name=a]b", "x # #[set-output name=a]b"),
            ("###[a]##[b", "## #[a]# #[b"),
        ] {
            assert_eq!(without_commands(text), shown, "{text:?}");
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        for (text, shown) in [
            ("a ::b", r#""a ::b""#),
            ("x ##[a]", r#""x ##\u005ba]""#),
            ("\u{9b}1m\u{202e}\u{e9}\u{1f600}", "\"\\u009b1m\\u202e\u{e9}\u{1f600}\""),
        ] {
            let json = serde_json::to_string(text).unwrap();
            let plain = plain_json(&json);
            assert_eq!(plain, shown);
            assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), text);
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_shown_and_can_still_be_pasted() {
        assert_eq!(plain("a b\u{e9}"), "a b\u{e9}");
        assert_eq!(plain("a\u{1b}[31m\nb\u{202e}c"), "a\\u{1b}[31m\\nb\\u{202e}c");
        for (bytes, quoted) in [
            (&b"/plain"[..], "/plain"),
            (b"/a b", "'/a b'"),
            (b"/a\x1b[31m", "$'/a\\x1b[31m'"),
            (b"/a\nb'\\", "$'/a\\x0ab\\'\\\\'"),
            (b"/\xff\xc3\xa9", "$'/\\xff\u{e9}'"),
            ("/\u{202e}".as_bytes(), "$'/\\xe2\\x80\\xae'"),
        ] {
            assert_eq!(word(bytes), quoted);
            let echoed = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {quoted}")])
                .output();
            assert_eq!(echoed.unwrap().stdout, bytes);
        }
    }
}
