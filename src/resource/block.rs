//! Our lines in a text file that we share: at its head or at its tail, and every other byte
//! untouched.

use serde::{Deserialize, Serialize};

/// Where our lines stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Before anything else: an `Include` below a `Host` line would hold for that host alone
    /// (ssh_config(5)).
    Head,
    Tail,
}

/// What a later removal must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenBlock {
    /// Whole lines, with their line ends; an empty one before ours where the line above goes on.
    pub text: String,
    /// A line end was put before our lines, because the file's last line had none.
    pub joined: bool,
}

impl WrittenBlock {
    fn ours(&self) -> &str {
        self.text.trim_start_matches('\n')
    }
}

/// Puts `text` in its place, in exchange for what was `written` there before. `None`: it is
/// there already.
pub fn insert(
    old: &[u8],
    text: &str,
    place: Position,
    written: Option<&WrittenBlock>,
) -> Option<(Vec<u8>, WrittenBlock)> {
    let there = match place {
        Position::Head => old.starts_with(text.as_bytes()),
        // what was written before may begin with what is wanted now
        Position::Tail => {
            contains_lines(old, text) && written.is_none_or(|written| written.ours() == text)
        }
    };
    if there {
        return None;
    }
    let cleared = written.and_then(|written| remove(old, written));
    let old = cleared.as_deref().unwrap_or(old);
    // a stray copy of ours further down would otherwise stay there
    let without = remove(old, &WrittenBlock { text: text.to_owned(), joined: false });
    let old = without.as_deref().unwrap_or(old);
    let joined = place == Position::Tail && old.last().is_some_and(|&byte| byte != b'\n');
    let gap = if place == Position::Tail && goes_on(old) { "\n" } else { "" };
    let text = format!("{gap}{text}");
    let new = match place {
        Position::Head => [text.as_bytes(), old].concat(),
        Position::Tail if joined => [old, b"\n", text.as_bytes()].concat(),
        Position::Tail => [old, text.as_bytes()].concat(),
    };
    Some((new, WrittenBlock { text, joined }))
}

/// Takes our lines out again. `None`: they are not there. Where somebody has added to our last
/// section, as `git config --add` does, its header stays: without it the line would be of the
/// section above.
pub fn remove(old: &[u8], written: &WrittenBlock) -> Option<Vec<u8>> {
    // somebody may have taken the empty line away
    let lines = [&*written.text, written.ours()];
    let (start, text) = lines.into_iter().find_map(|text| Some((find(old, text)?, text)))?;
    let end = start + text.len();
    let (mut head, tail) = (old.get(..start)?, old.get(end..)?);
    if written.joined && tail.is_empty() {
        head = head.strip_suffix(b"\n").unwrap_or(head);
    }
    let header = last_header(text).filter(|_| goes_on_in_section(tail)).unwrap_or_default();
    Some([head, header.as_bytes(), tail].concat())
}

/// The last line that begins a section, as in git's configuration and in TOML.
fn last_header(text: &str) -> Option<&str> {
    text.split_inclusive('\n').rfind(|line| line.starts_with('['))
}

/// Whether what follows a section begins with more of it.
fn goes_on_in_section(tail: &[u8]) -> bool {
    let first =
        tail.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !is_blank(line));
    first.is_some_and(|line| !line.starts_with(b"["))
}

fn is_blank(line: &[u8]) -> bool {
    line.is_empty() || line.starts_with(b"#") || line.starts_with(b";")
}

/// Whether a line of ours is still there, although our lines as a whole are not: one that names a
/// path.
pub fn names_ours(old: &[u8], written: &WrittenBlock) -> bool {
    let contains = |ours: &str| {
        let mut lines = old.split(|&byte| byte == b'\n');
        lines.any(|line| line.trim_ascii_end() == ours.as_bytes().trim_ascii_end())
    };
    written.text.lines().any(|line| line.contains('/') && contains(line))
}

/// The offset of `text` at the start of a line.
fn find(old: &[u8], text: &str) -> Option<usize> {
    places(old, text).next()
}

/// Whether `text` is somewhere as lines of their own, not as the rest of the line above.
fn contains_lines(old: &[u8], text: &str) -> bool {
    places(old, text).any(|start| !old.get(..start).is_some_and(goes_on))
}

fn places(old: &[u8], text: &str) -> impl Iterator<Item = usize> {
    let at_line_start = |&start: &usize| start == 0 || old.get(start - 1) == Some(&b'\n');
    let starts = 0..(old.len() + 1).saturating_sub(text.len());
    starts
        .filter(at_line_start)
        .filter(move |&start| old.get(start..start + text.len()) == Some(text.as_bytes()))
}

/// Whether the last line ends in a backslash that joins it with the next one (git-config(1)). Where
/// it does not join, as at the end of a comment, an empty line does no harm.
fn goes_on(text: &[u8]) -> bool {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_at_the_head_or_the_tail() {
        let (head, _) = insert(b"Host x\n", "Include a\n", Position::Head, None).unwrap();
        assert_eq!(head, b"Include a\nHost x\n");
        let (tail, written) = insert(b"no line end", "[a]\n", Position::Tail, None).unwrap();
        assert_eq!((&*tail, written.joined), (&b"no line end\n[a]\n"[..], true));
    }

    #[test]
    fn is_found_only_as_whole_lines() {
        assert!(insert(b"# Include a\n", "Include a\n", Position::Tail, None).is_some());
    }

    #[test]
    fn moves_to_the_head_when_something_came_before_it() {
        let (new, _) = insert(b"Host x\nInclude a\n", "Include a\n", Position::Head, None).unwrap();
        assert_eq!(new, b"Include a\nHost x\n");
    }

    #[test]
    fn replaces_what_was_written_before() {
        let old = WrittenBlock { text: "Include old\n".to_owned(), joined: false };
        let (new, _) =
            insert(b"Include old\nHost x\n", "Include new\n", Position::Head, Some(&old)).unwrap();
        assert_eq!(new, b"Include new\nHost x\n");
    }

    #[test]
    fn shrinks_to_its_own_beginning() {
        let old = WrittenBlock { text: "[a]\n[b]\n".to_owned(), joined: false };
        let (new, _) = insert(b"x\n[a]\n[b]\n", "[a]\n", Position::Tail, Some(&old)).unwrap();
        assert_eq!(new, b"x\n[a]\n");
    }

    #[test]
    fn a_changed_line_of_ours_is_known_by_its_path() {
        let written = WrittenBlock { text: "[p.\"/d\"]\nt = 1\n".to_owned(), joined: false };
        assert!(names_ours(b"[p.\"/d\"]\nt = 2\n", &written));
        assert!(!names_ours(b"[p.\"/e\"]\nt = 1\n", &written));
    }

    #[test]
    fn what_the_user_added_below_survives_the_removal() {
        let written = WrittenBlock { text: "[a]\n".to_owned(), joined: true };
        assert_eq!(remove(b"x\n[a]\n[b]\n", &written).unwrap(), b"x\n[b]\n");
        assert_eq!(remove(b"x\n[a]\n", &written).unwrap(), b"x");
        assert_eq!(remove(b"x\n[a] \n", &written), None);
    }

    #[test]
    fn what_was_added_to_our_section_keeps_its_header() {
        let written = WrittenBlock {
            text: "[a \"x\"]\n\tk = /1\n[a \"y\"]\n\tk = /2\n".to_owned(),
            joined: false,
        };
        for (added, header) in [
            ("", ""),
            ("\n# more\n[b]\n\tk = 3\n", ""),
            ("\tk = 3\n", "[a \"y\"]\n"),
            ("\n; more\n\tk = 3\n[b]\n", "[a \"y\"]\n"),
        ] {
            let old = format!("[user]\n\tname = D\n{}{added}", written.text);
            let rest = format!("[user]\n\tname = D\n{header}{added}");
            assert_eq!(String::from_utf8(remove(old.as_bytes(), &written).unwrap()).unwrap(), rest);
            assert!(!names_ours(rest.as_bytes(), &written));
        }
    }

    #[test]
    fn a_line_of_ours_is_known_with_other_line_ends() {
        let written = WrittenBlock { text: "Include /a\n".to_owned(), joined: false };
        assert!(names_ours(b"Include /a\r\nHost x\r\n", &written));
        assert!(!names_ours(b"Include /ab\r\n", &written));
    }

    proptest! {
        #[test]
        fn removal_undoes_insertion(old in "[ab\n\r\\\\\\[\\]]{0,12}", head in any::<bool>()) {
            // at the head there is no section: what follows would be of it
            let (place, ours) = if head { (Position::Head, "ours\n") } else { (Position::Tail, "[ours]\n") };
            match insert(old.as_bytes(), ours, place, None) {
                Some((new, written)) => {
                    prop_assert!(insert(&new, ours, place, None).is_none(), "a second time changes nothing");
                    prop_assert_eq!(remove(&new, &written).unwrap(), old.as_bytes());
                }
                None => prop_assert!(old.contains(ours)),
            }
        }
    }
}
