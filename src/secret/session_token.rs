//! A session token of a Coder server.

use std::borrow::Cow;

use secrecy::SecretString;
use serde_json::Value;
use ureq::http::HeaderValue;

use super::reveal;
use super::text::{Repairs, unwrap};
use crate::json;

/// Coder's own are 33 characters long.
const LONGEST: usize = 1024;

/// A shorter one may be a word.
const SHORTEST: usize = 8;
const HIDDEN: &str = "***";
/// For one answer of a server.
const MOST_MEMORY: usize = 64 << 20;

/// Letters, digits and a little more; nothing that could end a header line.
#[derive(Clone, Debug)]
pub struct SessionToken(SecretString);

impl SessionToken {
    /// Errors with the reason, which quotes nothing.
    pub fn parse(text: &SecretString) -> Result<Self, &'static str> {
        let text = unwrap(reveal(text), &mut Repairs::default());
        if text.contains("://") {
            return Err("it is a URL, not a token");
        }
        if text.is_empty() || text.len() > LONGEST {
            return Err("it is not a token: too short or too long");
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~+/=".contains(&byte)) {
            return Err("it contains characters that are not allowed in a token");
        }
        Ok(Self(text.to_string().into()))
    }

    /// The value of a `Coder-Session-Token` header, marked as sensitive.
    pub fn header(&self) -> HeaderValue {
        // parse let nothing through that a header may not hold
        let mut value =
            HeaderValue::from_str(reveal(&self.0)).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// What the server sent, without the token where it is repeated, in one line or in several:
    /// error pages and logs of proxies quote whole requests, and what a server sends is printed.
    pub fn hidden_in<'t>(&self, sent: &'t str) -> Cow<'t, str> {
        let token = reveal(&self.0);
        if token.len() < SHORTEST {
            return Cow::Borrowed(sent);
        }
        let mut hidden = String::new();
        let mut rest = sent;
        while let Some((before, after)) = around(token, rest) {
            hidden.extend([before, HIDDEN]);
            rest = after;
        }
        if rest.len() == sent.len() { Cow::Borrowed(sent) } else { Cow::Owned(hidden + rest) }
    }

    /// The JSON that the server sent, without the token in any of its texts and names: JSON can
    /// escape a character, so the text alone does not show each token.
    pub fn read_json(&self, sent: &[u8]) -> serde_json::Result<Value> {
        let mut value = json::read(sent, &mut { MOST_MEMORY })?;
        self.hide_in(&mut value);
        Ok(value)
    }

    /// Recursion ends where `serde_json` refuses to read deeper: at 128 levels.
    fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(hidden) = self.hidden_in(text) {
                    *text = hidden;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_in(value)),
            Value::Object(fields) => {
                if fields.keys().any(|name| matches!(self.hidden_in(name), Cow::Owned(_))) {
                    let named = std::mem::take(fields).into_iter();
                    *fields =
                        named.map(|(name, it)| (self.hidden_in(&name).into_owned(), it)).collect();
                }
                fields.values_mut().for_each(|value| self.hide_in(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What is before the first occurrence of `token`, and after it. Pure.
fn around<'t>(token: &str, sent: &'t str) -> Option<(&'t str, &'t str)> {
    let first = token.chars().next()?;
    sent.match_indices(first).find_map(|(at, _)| {
        let (before, from) = sent.split_at_checked(at)?;
        Some((before, after(token, from)?))
    })
}

/// What follows the token that `sent` begins with. It may go on in a further line, indented.
fn after<'t>(token: &str, sent: &'t str) -> Option<&'t str> {
    let mut rest = sent;
    for (nth, character) in token.chars().enumerate() {
        if nth > 0 && rest.starts_with(['\r', '\n']) {
            rest = rest.trim_ascii_start();
        }
        rest = rest.strip_prefix(character)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_is_never_quoted() {
        let parse = |text: &str| SessionToken::parse(&text.to_owned().into());
        for text in ["not-a-token", " not-a-token\n", "\"not-a-token\"\r\n"] {
            let token = parse(text).unwrap();
            assert_eq!(token.header(), "not-a-token");
            assert!(!format!("{token:?} {:?}", token.header()).contains("not-a"));
            let sent = token.hidden_in("no access with not-a-token, not-a-token");
            assert_eq!(sent, "no access with ***, ***");
            assert_eq!(token.hidden_in("not-a-word"), "not-a-word");
        }
        let token = parse("not-a-token").unwrap();
        for (sent, printed) in [
            ("x not-a-\ntoken y", "x *** y"),
            ("no\r\n\r\n \tt-a-token\nnot-a-toke\nn\n", "***\n***\n"),
            ("not-not-a-token", "not-***"),
            ("not-a -token\nnot-a-\nword", "not-a -token\nnot-a-\nword"),
            ("\u{e4}n\u{e4}not-a-token\u{e4}", "\u{e4}n\u{e4}***\u{e4}"),
        ] {
            assert_eq!(token.hidden_in(sent), printed);
        }
        let sent =
            br#"{"no\u0074-a-token": [{"a": "x not-\u0061-token"}, "not-a-token", "not-a-word"]}"#;
        let read = token.read_json(sent).unwrap();
        assert_eq!(read.to_string(), r#"{"***":[{"a":"x ***"},"***","not-a-word"]}"#);
        for text in ["", " \n", "https://coder.example", "two words", "a\r\nX-Evil: 1", "é"] {
            let reason = parse(text).unwrap_err();
            assert!(text.trim().is_empty() || !reason.contains(text), "{reason}");
        }
    }
}
