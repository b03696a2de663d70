//! What a source holds, read and unwrapped: a file, a base64 text, a JSON object.
#![expect(clippy::disallowed_methods, reason = "this is the module that opens secrets")]

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::catalogue::{Code, Finding};
use crate::error::{Error, Exit, Result};
use crate::json::Bounded;
use crate::resource::file::{self, Kind};
use crate::secret;

/// Larger than any map of keys; what is larger is not a source.
const SOURCE_CAP: u64 = 4 * 1024 * 1024;
/// Of the values of a JSON object.
const MOST_MEMORY: usize = 16 << 20;

/// What a source that is set holds, or why it cannot be read and what to do: never as good as
/// unset.
pub(super) type SourceText = std::result::Result<SecretString, Finding>;

/// How a value is shown that may be a secret.
pub(super) fn redacted(value: &OsStr) -> String {
    format!("<{} bytes, not shown>", value.len())
}

/// Whether a value may be printed as a path. One that does not look like a path may be a secret
/// that was set in its place: a token without a slash, or base64 that happens to contain one.
pub(super) fn is_printable_path(value: &OsStr) -> bool {
    let text = value.to_string_lossy();
    let is_explicit = ["/", "~/", "./", "../"].iter().any(|start| text.starts_with(start));
    (is_explicit || text == "~") && !is_not_a_path(value)
}

/// Whether a value looks like the secret itself where a path is wanted.
pub(super) fn is_not_a_path(value: &OsStr) -> bool {
    let text = value.to_string_lossy();
    let text = text.trim();
    // the longest name that Linux takes, in no folder: a token or base64
    let one_long_word = text.len() > 255 && !text.contains('/');
    text.len() > 4096
        || one_long_word
        || text.contains(char::is_control)
        || text.starts_with(['{', '"'])
        || text.split('/').any(|part| part.len() > 255)
        || crate::git::url::redact(text).contains("***")
        || text.contains("PRIVATE KEY")
}

/// The text of a source file, whoever owns it and through whatever links (Kubernetes secrets are
/// links). `None`: it is not there, or blank.
pub(super) fn source_file(path: &Path, malformed: Code) -> Option<SourceText> {
    let refused = |summary: String| {
        let fix = "name a regular file that this user can read, or unset the variable";
        Some(Err(Finding::new(malformed, summary, fix)))
    };
    match file::observe_up_to(SOURCE_CAP, path, Kind::Shared) {
        Ok(content) => text(&content?.bytes, malformed),
        Err(obstacle) => refused(obstacle.finding(path).summary),
    }
}

/// The bytes of a source as text; `None`: they are blank.
pub(super) fn text(bytes: &[u8], malformed: Code) -> Option<SourceText> {
    match secret::utf8(bytes, malformed) {
        Ok(text) if text.expose_secret().trim().is_empty() => None,
        result => Some(result),
    }
}

/// The map of deploy keys, unwrapped, and what had to be repaired in it.
pub fn key_map(text: &str) -> serde_json::Result<(Pairs, Vec<&'static str>)> {
    let mut repairs = Vec::new();
    let mut text = Zeroizing::new(text.trim().to_owned());
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        text = Zeroizing::new(rest.trim().to_owned());
        repairs.push("byte order mark");
    }
    if let Ok(inner) = serde_json::from_str::<String>(&text) {
        text = Zeroizing::new(inner);
        repairs.push("JSON string around it");
    } else if let Some(inner) = secret::decode_base64(&text)
        .and_then(|bytes| Some(Zeroizing::new(std::str::from_utf8(&bytes).ok()?.to_owned())))
    {
        text = inner;
        repairs.push("base64 wrapping");
    }
    match serde_json::from_str(&text) {
        Ok(pairs) => Ok((pairs, repairs)),
        // a key pasted between the quotes brings its line breaks along, which no JSON string may
        // hold
        Err(error) => {
            let pairs = serde_json::from_str(&escaped_line_breaks(&text)).map_err(|_| error)?;
            repairs.push("line breaks inside JSON strings");
            Ok((pairs, repairs))
        }
    }
}

fn escaped_line_breaks(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(text.len() * 2));
    let (mut inside, mut after_backslash) = (false, false);
    for character in text.chars() {
        match character {
            '\n' if inside => escaped.push_str("\\n"),
            '\r' if inside => escaped.push_str("\\r"),
            other => escaped.push(other),
        }
        inside ^= character == '"' && !after_backslash;
        after_backslash = character == '\\' && !after_backslash;
    }
    escaped
}

pub(super) fn read_stdin(stdin: &mut dyn std::io::Read) -> Result<BTreeMap<String, SecretString>> {
    let usage = |cause: String| {
        Error::new("cannot use standard input")
            .because(cause)
            .hint("give one JSON object: {\"PUSHREADY_CODEX_AUTH_JSON\": \"…\"}")
            .exit(Exit::Usage)
    };
    let mut text = Zeroizing::new(String::new());
    let length = stdin
        .take(SOURCE_CAP + 1)
        .read_to_string(&mut text)
        .map_err(|error| usage(error.to_string()))?;
    if length as u64 > SOURCE_CAP {
        return Err(usage(format!("it is larger than {} MiB", SOURCE_CAP >> 20)));
    }
    if text.trim().is_empty() {
        // a pipe whose first program failed must not pass for a workspace without secrets
        return Err(Error::new("standard input is empty")
            .because("`--stdin` was given, and no secret came: the command before the pipe may have failed")
            .hint("run that command alone and read its output; nothing was written")
            .exit(Exit::NotReady));
    }
    let text = text.trim_start_matches('\u{feff}');
    let Pairs(pairs) = serde_json::from_str(text).map_err(|error| usage(place(&error)))?;
    Ok(pairs
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text.into())),
            // an auth.json or a map of keys may stand there as JSON itself
            value => Some((name, value.to_string().into())),
        })
        .collect())
}

/// serde_json's own texts quote values; the place does not.
pub(super) fn place(error: &serde_json::Error) -> String {
    let category = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "not an object of distinct names, or too large",
        _ => "syntax error",
    };
    format!("{category} at line {}, column {}", error.line(), error.column())
}

/// A JSON object as the list of its members; a name given twice is an error, not a silent choice.
pub struct Pairs(pub(super) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                let mut names = HashSet::new();
                let mut left = MOST_MEMORY;
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value_seed(Bounded::new(&mut left))?;
                    if !names.insert(name.clone()) {
                        return Err(serde::de::Error::custom("a name is given twice"));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
