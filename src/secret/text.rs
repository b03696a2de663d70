//! How pasted text gets damaged on its way through terminals, templates and secret stores, and the
//! certain repairs.

use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

use super::finding;
use crate::catalogue::{Code, Finding};

/// Repairs made so far, each named once.
#[derive(Default)]
pub(super) struct Repairs(Vec<&'static str>);

impl Repairs {
    pub(super) fn note(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    pub(super) fn note_if(&mut self, found: bool, name: &'static str) {
        if found {
            self.note(name);
        }
    }

    pub(super) fn into_names(self) -> Vec<&'static str> {
        self.0
    }
}

/// Characters into a buffer that never moves, hence leaves no copy behind: `capacity` bytes must
/// suffice.
pub(super) fn gather(capacity: usize, characters: impl Iterator<Item = char>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    text.extend(characters);
    text
}

/// Without what is invisible, without blanks and quotes around it. White space at the ends is not
/// damage: files end in a newline, so it goes unsaid.
pub(super) fn unwrap(text: &str, repairs: &mut Repairs) -> Zeroizing<String> {
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => {
            repairs.note("byte order mark");
            rest
        }
        None => text,
    };
    repairs.note_if(text.contains(is_invisible), "zero-width characters");
    let visible = gather(text.len(), text.chars().filter(|character| !is_invisible(*character)));
    let mut inner = visible.trim();
    while let Some(quoted) = unquote(inner) {
        repairs.note("quotes around it");
        inner = quoted.trim();
    }
    Zeroizing::new(inner.to_owned())
}

/// Soft hyphen, zero-width space and joiners, direction marks, word joiner, and a byte order mark
/// within the text.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn unquote(text: &str) -> Option<&str> {
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')]
        .into_iter()
        .find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
}

/// Without a leading ASCII word, in whatever case.
pub(super) fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

/// The bytes that base64 in either alphabet encodes, padded or not, wrapped or not.
pub fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim_end().trim_end_matches('=');
    let is_allowed = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_') || c.is_whitespace()
    };
    // a map of many keys is long, and its first character shows that it is none
    if !text.chars().all(is_allowed) {
        return None;
    }
    let plain = gather(
        text.len(),
        text.chars().filter(|character| !character.is_whitespace()).map(
            |character| match character {
                '-' => '+',
                '_' => '/',
                other => other,
            },
        ),
    );
    let mut bytes = Zeroizing::new(vec![0; plain.len() / 4 * 3 + 3]);
    let length = Base64Unpadded::decode(plain.as_bytes(), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

/// What no secret is, whatever its kind: a template that nobody filled in, a word for nothing, a
/// path.
pub(super) fn placeholder(text: &str, code: Code) -> Option<Finding> {
    let text = text.trim();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    let one_word = !text.contains(char::is_whitespace);
    if starts(&["${", "$(", "$((", "%{", "{{", "<%"])
        || (one_word && starts(&["$", "var.", "data.", "<"]))
    {
        return Some(finding(
            code,
            "it is a template expression that was not evaluated",
            "look where the value is interpolated: the expression itself arrived, not its value",
        ));
    }
    if ["null", "undefined", "none", "nil", "(sensitive value)", "<nil>"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
    {
        return Some(finding(
            code,
            "it is a word for an empty value, such as null",
            "the source had no value when it was rendered: set it, or leave the variable unset",
        ));
    }
    if starts(&["$ANSIBLE_VAULT;", "ENC[", "age-encryption.org/"]) {
        return Some(finding(
            code,
            "it is encrypted for another tool (Ansible, SOPS, age)",
            "decrypt it where the value is set: pushready cannot",
        ));
    }
    if decode_base64(text).is_some_and(|bytes| is_utf16(&bytes)) {
        return Some(finding(
            code,
            "it is base64 of UTF-16 text, as PowerShell writes it",
            "encode the file's own bytes: `base64 -w0 < FILE`, or Terraform's filebase64()",
        ));
    }
    let drive = text.as_bytes().get(1..3) == Some(b":\\");
    if one_word
        && text.len() < 4096
        && (drive || starts(&["/", "~/", "./", "../", "file://", "~\\"]))
    {
        return Some(finding(
            code,
            "it is the path of a file, not the content",
            "give the content, or the path in the variable that ends in `_FILE`",
        ));
    }
    if one_word && starts(&["data:"]) {
        return Some(finding(
            code,
            "it is a `data:` URL, not the content",
            "give what follows the comma; if that is base64, in the variable that ends in `_BASE64`",
        ));
    }
    if one_word && text.len() < 4096 && has_scheme(text) {
        return Some(finding(
            code,
            "it is a URL, such as that of an entry in a secret store, not the content",
            "look it up where the value is set: pushready does not",
        ));
    }
    None
}

/// `vault:…`, `op://…`, `arn:…` (RFC 3986 §3.1, in lower case). No secret of ours holds a colon.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.bytes().all(rest)
}

/// A byte order mark, or a NUL in every second byte, as ASCII has there.
fn is_utf16(bytes: &[u8]) -> bool {
    let every_second = |from: usize| bytes.iter().skip(from).step_by(2).all(|byte| *byte == 0);
    bytes.len() >= 16
        && bytes.len().is_multiple_of(2)
        && (bytes.starts_with(&[0xff, 0xfe])
            || bytes.starts_with(&[0xfe, 0xff])
            || every_second(0)
            || every_second(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_both_alphabets() {
        let bytes = |text: &str| decode_base64(text).map(|bytes| bytes.to_vec());
        assert_eq!(bytes("+/+/\n+w==\n"), Some(vec![0xfb, 0xff, 0xbf, 0xfb]));
        assert_eq!(bytes("-_-_-w"), bytes("+/+/+w=="));
        for text in ["a", "+/+/+", "ab*d", "a=bc"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
