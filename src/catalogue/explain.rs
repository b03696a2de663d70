//! The long form of every code: cause, how it was found, fix. The texts are in `explain/`, one page
//! of Markdown per area, and are printed as they are.

use super::{AREAS, Code};
use crate::text::nearest_name;

/// A shorter text is part of too many codes to name one.
const SHORTEST: usize = 3;

/// Paragraphs of lines that fit a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    pub area: &'static str,
    pub cause: &'static str,
    /// How the doctor or apply detects it, and distinguishes it from similar codes.
    pub found: &'static str,
    pub fix: &'static str,
}

impl Code {
    /// Its entry. A test verifies that there is one, with all parts.
    pub fn explanation(self) -> Explanation {
        AREAS.iter().find_map(|(area, page)| entry(area, page, self.name())).unwrap_or_default()
    }

    /// The code that was probably meant: one that contains the text, else the one at the smallest
    /// edit distance, if that is small.
    pub fn nearest(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase().replace(['_', ' '], "-");
        let contains_text = |code: &&Self| text.len() >= SHORTEST && code.name().contains(&text);
        let by_edits =
            || nearest_name(&text, Self::ALL.iter().map(|code| code.name()))?.parse().ok();
        Self::ALL.iter().find(contains_text).copied().or_else(by_edits)
    }
}

/// An entry is `# code`, then paragraphs that begin with `**Cause.**`, `**Found.**` and `**Fix.**`.
fn entry(area: &'static str, page: &'static str, name: &str) -> Option<Explanation> {
    let text = page
        .trim_start_matches("# ")
        .split("\n# ")
        .find_map(|entry| entry.strip_prefix(name)?.strip_prefix('\n'))?;
    let (_, text) = text.split_once("**Cause.** ")?;
    let (cause, text) = text.split_once("**Found.** ")?;
    let (found, fix) = text.split_once("**Fix.** ")?;
    Some(Explanation { area, cause: cause.trim(), found: found.trim(), fix: fix.trim() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Programs whose names look like codes.
    const PROGRAMS: [&str; 10] = [
        "ssh-keygen",
        "ssh-add",
        "ssh-agent",
        "ssh-match",
        "ssh-keyscan",
        "git-lfs",
        "git-receive-pack",
        "git-upload-pack",
        "claude-code",
        "codex-auth",
    ];

    #[test]
    fn every_code_is_explained_on_one_screen() {
        for code in Code::ALL {
            let Explanation { cause, found, fix, .. } = code.explanation();
            for (part, text) in [("cause", cause), ("found", found), ("fix", fix)] {
                assert!(
                    text.split_whitespace().count() >= 5,
                    "{code}: {part} is too short: {text:?}"
                );
                assert!(
                    !text.contains("**") && !text.contains("\n# "),
                    "{code}: {part} contains the next one: {text:?}"
                );
            }
            // the command adds the title, three headings, blank lines and who fixes it
            let lines: Vec<_> = [cause, found, fix].into_iter().flat_map(str::lines).collect();
            assert!(lines.len() + 9 <= 25, "{code} is longer than a screen");
            for line in lines {
                assert!(line.chars().count() <= 98, "{code}: {line}");
            }
        }
    }

    #[test]
    fn the_pages_contain_the_catalogue_in_its_order_and_nothing_else() {
        let names: Vec<_> = AREAS
            .iter()
            .flat_map(|(_, page)| page.lines().filter_map(|line| line.strip_prefix("# ")))
            .collect();
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names, codes);
    }

    #[test]
    fn codes_that_the_pages_mention_exist() {
        let areas: BTreeSet<_> =
            Code::ALL.iter().filter_map(|code| code.name().split('-').next()).collect();
        let mut seen = 0;
        for (area, page) in AREAS {
            for word in page.split('`').skip(1).step_by(2) {
                let of_an_area =
                    word.split_once('-').is_some_and(|(first, _)| areas.contains(first));
                let looks_like_one =
                    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if of_an_area && looks_like_one && !PROGRAMS.contains(&word) {
                    assert!(word.parse::<Code>().is_ok(), "{area}: `{word}` is not a code");
                    seen += 1;
                }
            }
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn a_misspelt_code_has_a_nearest() {
        for (text, nearest) in [
            ("push-key-readonly", "push-key-read-only"),
            ("PUSH_KEY_READ_ONLY", "push-key-read-only"),
            ("too-many", "ssh-too-many-keys"),
            ("clockskew", "clock-skew"),
            ("codex-auth-mising", "codex-auth-missing"),
        ] {
            assert_eq!(Code::nearest(text).map(Code::name), Some(nearest), "{text}");
        }
        for text in ["nosuch", "", "x", "\u{1F512}", "definitely-not-a-code"] {
            assert_eq!(Code::nearest(text), None, "{text}");
        }
    }
}
