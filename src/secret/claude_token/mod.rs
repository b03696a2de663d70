//! The token that `claude setup-token` prints: lives a year, cannot be refreshed, infers only.

use std::fmt;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::text::{Repairs, decode_base64, gather, placeholder, strip_word, unwrap};
use super::{Checked, finding, reveal, sha256};
use crate::catalogue::{Code, Finding};

/// Length of the tokens seen in the wild. A first line at least as long was not wrapped, so nothing
/// is joined to it.
const USUAL_LENGTH: usize = 108;
/// Far longer than any token; far shorter than a pasted log.
const MAX_TOKEN: usize = 16 << 10;
const MIN_BODY: usize = 16;
/// Of a terminal, less a margin that it may have: what of a line that it broke is left at most.
const WIDTHS: [usize; 2] = [80, 100];
const MARGIN: usize = 4;

const MAKE_ONE: &str =
    "run `claude setup-token` and give the token that it prints, which begins with `sk-ant-oat`";

/// An OAuth token of Claude Code, of the kind that needs no refresh.
pub struct ClaudeToken(SecretString);

impl ClaudeToken {
    /// Repairs and checks one token. A blank value is the caller's to treat as unset.
    pub fn parse(input: &SecretString) -> Result<Checked<Self>, Finding> {
        let input = reveal(input);
        if input.len() > MAX_TOKEN {
            return malformed("it is longer than 16 KiB", MAKE_ONE);
        }
        let mut repairs = Repairs::default();
        let mut text = strip_wrapping(input, &mut repairs);
        if !text.starts_with("sk-")
            && let Some(inner) = unwrapped_base64(&text)
        {
            repairs.note("base64 wrapping");
            text = strip_wrapping(&inner, &mut repairs);
        }
        if let Some(finding) = other_kind(&text) {
            return Err(finding);
        }
        let token = join(&text, &mut repairs)?;
        let body = body(&token).unwrap_or_default();
        if body.contains("sk-ant-") {
            return malformed("more than one token in it", "give the token alone");
        }
        if body.contains('\0') {
            return malformed("it contains a NUL byte", "give the token alone, without padding");
        }
        if !body.chars().all(is_token_character) {
            return malformed("it contains characters that are not allowed in a token", MAKE_ONE);
        }
        if body.len() < MIN_BODY {
            return malformed("it is truncated: only its beginning is there", MAKE_ONE);
        }
        Ok(Checked {
            value: Self(SecretString::from(token.as_str())),
            repairs: repairs.into_names(),
        })
    }

    /// Whether it may be the first line of a token that a terminal broke: as long as a line there,
    /// and shorter than a token.
    pub fn may_be_cut(&self) -> bool {
        may_be_cut(reveal(&self.0))
    }

    /// The token itself; looked at only through secrecy.
    #[cfg(test)]
    pub fn expose(&self) -> &SecretString {
        &self.0
    }

    /// SHA-256 of the token in hex, for the receipt; equals [`super::CredentialsFile`]'s digest of
    /// a file that holds it.
    pub fn digest(&self) -> String {
        sha256(reveal(&self.0).as_bytes())
    }

    /// The value of `claudeAiOauth`: no refresh token, no expiry, no invented plan (measured on
    /// Claude Code 2.1.330). For a file whose other keys (`mcpOAuth`) must survive.
    pub fn oauth_json(&self) -> SecretString {
        // A checked token holds no character that JSON escapes.
        let token = reveal(&self.0);
        let parts = [
            r#"{"accessToken":""#,
            token,
            r#"","refreshToken":null,"expiresAt":null,"scopes":["user:inference"]}"#,
        ];
        concat(&parts)
    }

    /// The content of a whole `.credentials.json`.
    #[cfg(test)]
    pub fn credentials_json(&self) -> SecretString {
        concat(&[r#"{"claudeAiOauth":"#, reveal(&self.oauth_json()), "}"])
    }
}

impl fmt::Debug for ClaudeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaudeToken").finish_non_exhaustive()
    }
}

fn concat(parts: &[&str]) -> SecretString {
    let length = parts.iter().map(|part| part.len()).sum();
    let text = gather(length, parts.iter().flat_map(|part| part.chars()));
    SecretString::from(text.as_str())
}

fn malformed<T>(reason: &'static str, hint: &'static str) -> Result<T, Finding> {
    Err(finding(Code::ClaudeTokenMalformed, reason, hint))
}

/// Without quotes, literal `\n` at the end, and what is before a token in a shell or a header.
fn strip_wrapping(input: &str, repairs: &mut Repairs) -> Zeroizing<String> {
    let mut text = unwrap(input, repairs);
    loop {
        let length = text.len();
        if let Some(rest) = without_assignment(&text) {
            repairs.note("assignment before it");
            text = unwrap(rest, repairs);
        }
        if let Some(rest) = strip_word(&text, "authorization:") {
            repairs.note("header name before it");
            text = unwrap(rest, repairs);
        }
        if let Some(rest) = strip_word(&text, "bearer ") {
            repairs.note("Bearer prefix");
            text = unwrap(rest, repairs);
        }
        if let Some(rest) = text.strip_suffix("\\n").or_else(|| text.strip_suffix("\\r")) {
            repairs.note("literal \\n");
            text = unwrap(rest, repairs);
        }
        if text.len() == length {
            return text;
        }
    }
}

/// `claude setup-token` ends by suggesting `export CLAUDE_CODE_OAUTH_TOKEN=…`, which is what many
/// people paste.
fn without_assignment(text: &str) -> Option<&str> {
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    let (name, value) = text.split_once('=')?;
    ["CLAUDE_CODE_OAUTH_TOKEN", "PUSHREADY_CLAUDE_OAUTH_TOKEN"]
        .contains(&name.trim_end())
        .then_some(value)
}

fn unwrapped_base64(text: &str) -> Option<Zeroizing<String>> {
    let bytes = decode_base64(text)?;
    let inner = std::str::from_utf8(&bytes).ok()?;
    let known = inner.contains("sk-ant-") || inner.contains("claudeAiOauth");
    known.then(|| Zeroizing::new(inner.to_owned()))
}

/// How a token looks that Claude Code sends as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenForm {
    Right {
        /// [`ClaudeToken::digest`].
        digest: String,
    },
    /// As [`ClaudeToken::may_be_cut`].
    MayBeCut,
    /// Why the server refuses it.
    Wrong(String),
}

impl TokenForm {
    pub fn of(token: &SecretString) -> Self {
        match ClaudeToken::parse(token) {
            Err(finding) => Self::Wrong(finding.summary),
            Ok(checked) if !checked.repairs.is_empty() => {
                Self::Wrong(format!("it is sent unchanged: {}", checked.repairs.join(", ")))
            }
            Ok(checked) if checked.value.may_be_cut() => Self::MayBeCut,
            Ok(checked) => Self::Right { digest: checked.value.digest() },
        }
    }
}

fn may_be_cut(token: &str) -> bool {
    let length = token.trim().len();
    WIDTHS.iter().any(|width| (width - MARGIN..=*width).contains(&length))
}

/// Other things that people take for the token.
fn other_kind(text: &str) -> Option<Finding> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    let (reason, hint) = if body(text).is_some() {
        return None;
    } else if starts(&["sk-ant-api"]) {
        ("an API key of Anthropic, which is billed by use, not a subscription's token", MAKE_ONE)
    } else if starts(&["sk-ant-ort"]) {
        ("a refresh token, which can be used once and then logs out its other users", MAKE_ONE)
    } else if starts(&["sk-ant-admin"]) {
        ("an administration key of Anthropic", MAKE_ONE)
    } else if starts(&["sk-ant-sid"]) {
        ("the session cookie of a browser", MAKE_ONE)
    } else if starts(&["sk-ant-"]) {
        ("a key of Anthropic of another kind", MAKE_ONE)
    } else if starts(&["sk-"]) {
        ("an API key, not a token of Claude Code", MAKE_ONE)
    } else if starts(&["{{"]) {
        return placeholder(text, Code::ClaudeTokenMalformed);
    } else if text.starts_with('{') && text.contains("claudeAiOauth") {
        (
            "a whole `.credentials.json`: its login expires after hours and its refresh token can be used once",
            MAKE_ONE,
        )
    } else if text.starts_with('{') {
        ("a JSON document, not a token", MAKE_ONE)
    } else if text.contains("BEGIN ") {
        ("a key block, not a token", MAKE_ONE)
    } else if let Some(finding) = placeholder(text, Code::ClaudeTokenMalformed) {
        return Some(finding);
    } else if text.contains("sk-ant-oat") {
        ("it contains other text before the token", "give the token alone")
    } else if text.contains('#') && text.chars().all(|c| is_token_character(c) || c == '#') {
        ("the code that the browser showed, not the token", MAKE_ONE)
    } else {
        ("it does not begin as a token of `claude setup-token` does", MAKE_ONE)
    };
    Some(finding(Code::ClaudeTokenMalformed, reason, hint))
}

/// What follows `sk-ant-oatNN-`.
fn body(token: &str) -> Option<&str> {
    let (version, body) = token.strip_prefix("sk-ant-oat")?.split_at_checked(2)?;
    version.bytes().all(|byte| byte.is_ascii_digit()).then_some(body)?.strip_prefix('-')
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

/// One line for what a terminal wrapped: every line of the token's alphabet, all but the last
/// equally long, and the first too short to be the whole.
fn join(text: &str, repairs: &mut Repairs) -> Result<Zeroizing<String>, Finding> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (Some((first, rest)), Some((last, init))) = (lines.split_first(), lines.split_last())
    else {
        return malformed("it is empty", MAKE_ONE);
    };
    if rest.iter().any(|line| line.contains("sk-ant-")) {
        return malformed("more than one token in it", "give the token alone");
    }
    if first.contains(char::is_whitespace) {
        return malformed("it contains a space", "give the token alone, copied in one piece");
    }
    if rest.is_empty() {
        return Ok(Zeroizing::new((*first).to_owned()));
    }
    let wrapped = first.len() < USUAL_LENGTH
        && init.iter().all(|line| line.len() == first.len())
        && last.len() <= first.len()
        && lines.iter().all(|line| line.chars().all(is_token_character));
    if !wrapped {
        return malformed(
            "it contains other text after the token",
            "give the token alone, on one line",
        );
    }
    repairs.note("line breaks inside");
    Ok(gather(text.len(), lines.iter().flat_map(|line| line.chars())))
}

#[cfg(test)]
mod tests;
