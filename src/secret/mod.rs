//! What logs in or signs: checked on entry, redacted ever after.
//!
//! A value is repaired where the repair is certain, and each repair is named; else it is refused
//! with a [`Finding`] that names what is wrong and never quotes a byte of it. Nothing in this folder
//! touches files, the network or the clock.
#![expect(clippy::disallowed_methods, reason = "this is the module of the secrets")]

mod api_token;
mod claude_credentials;
mod claude_token;
mod codex_auth;
mod codex_file;
mod codex_seed;
mod deploy_key;
mod json;
mod jwt;
mod session_token;
mod text;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub use api_token::ApiToken;
pub use claude_credentials::CredentialsFile;
pub use claude_token::{ClaudeToken, TokenForm};
pub use codex_auth::{CodexAuth, Liveness, Mode};
pub use deploy_key::DeployKey;
pub use session_token::SessionToken;
pub use text::decode_base64;

use crate::catalogue::{Code, Finding};

/// Larger credentials than this are not credentials; Codex and Claude Code write a few kilobytes.
const MAX_JSON: usize = 1 << 20;

/// Why a value is refused. The texts are ours alone, lower case, without a full stop: no byte of the
/// value can get into them.
fn finding(code: Code, summary: &'static str, fix: &'static str) -> Finding {
    Finding::new(code, summary, fix)
}

/// From an error about secret JSON, whose own text may quote a value: place and category only.
fn json_finding(
    code: Code,
    what: &'static str,
    error: &serde_json::Error,
    fix: &'static str,
) -> Finding {
    let category = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a value of the wrong kind, or a key given twice",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
    };
    let (line, column) = (error.line(), error.column());
    Finding::new(code, format!("{what}: {category} at line {line} column {column}"), fix)
}

/// A value that passed, and what had to be repaired in it, in the order found.
#[derive(Debug)]
pub struct Checked<T> {
    pub value: T,
    pub repairs: Vec<&'static str>,
}

/// The bytes of a file or of decoded base64 as text.
///
/// Errors with `code` (the malformed code of the kind that was expected).
pub fn utf8(bytes: &[u8], code: Code) -> Result<SecretString, Finding> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(SecretString::from(text));
    }
    let save = "save it again as plain UTF-8 text, or give it in base64";
    let (summary, fix) = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("the text is UTF-16", save),
        [0x1f, 0x8b, ..] => ("it is compressed (gzip)", "give the text itself, not compressed"),
        _ => ("the bytes are not UTF-8 text", save),
    };
    Err(finding(code, summary, fix))
}

/// The one place of this folder where a secret is looked at.
fn reveal(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// SHA-256 over length-prefixed fields, so that no two lists of fields collide, in lower-case hex.
fn digest(fields: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    format!("{:x}", hasher.finalize())
}

/// SHA-256 of one value, in lower-case hex: what `sha256sum` prints for it.
fn sha256(value: &[u8]) -> String {
    format!("{:x}", Sha256::digest(value))
}

#[cfg(test)]
pub mod codex_fixtures;
#[cfg(test)]
mod tests;
