//! Claude Code's `.credentials.json` as found: whose login is in it, if any (measured on Claude
//! Code 2.1.330).

use jiff::Timestamp;
use serde::Deserialize;

use super::jwt::epoch;
use super::text::Text;
use super::{MAX_JSON, reveal, sha256};

/// The verdict on a file. Holds digests, no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsFile {
    /// No login in it: absent for our purpose. Other keys (`mcpOAuth`) may be there and must
    /// survive a rewrite.
    Blank {
        /// Claude Code emptied the tokens after a failed refresh.
        by_client: bool,
    },
    /// A token without means to refresh it and without expiry: the form in which we write, or a
    /// person did.
    SetupToken {
        /// Equals `ClaudeToken::digest` of the same token.
        digest: String,
        /// False: Claude Code ignores the file, because `scopes` lacks `user:inference`.
        inference: bool,
    },
    /// What `/login` wrote.
    Login { digest: String, inference: bool, refreshable: bool, expires: Option<Timestamp> },
    /// Not JSON of the known shape. Claude Code takes it for logged out, but somebody may want it
    /// back. Place of the first error, from 1; 0 where there is none.
    Malformed { line: usize, column: usize },
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "claudeAiOauth")]
    oauth: Option<Oauth>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Oauth {
    access_token: Option<Text>,
    refresh_token: Option<Text>,
    expires_at: Option<serde_json::Number>,
    scopes: Option<Vec<String>>,
}

impl CredentialsFile {
    pub fn parse(bytes: &[u8]) -> Self {
        if bytes.len() > MAX_JSON {
            return Self::Malformed { line: 0, column: 0 };
        }
        if bytes.trim_ascii().is_empty() {
            return Self::Blank { by_client: false };
        }
        // serde would take an array for the struct.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Self::Malformed { line: 1, column: 1 };
        }
        let file: File = match serde_json::from_slice(bytes) {
            Ok(file) => file,
            Err(error) => return Self::Malformed { line: error.line(), column: error.column() },
        };
        let Some(Oauth { access_token, refresh_token, expires_at, scopes }) = file.oauth else {
            return Self::Blank { by_client: false };
        };
        let by_client = access_token.is_some();
        let refreshable = refresh_token.is_some_and(|token| !is_blank(&token));
        let Some(token) = access_token.filter(|token| !is_blank(token)) else {
            return if refreshable {
                Self::Malformed { line: 0, column: 0 }
            } else {
                Self::Blank { by_client }
            };
        };
        let digest = sha256(reveal(&token.0).as_bytes());
        let inference =
            scopes.is_some_and(|scopes| scopes.iter().any(|scope| scope == "user:inference"));
        if !refreshable && expires_at.is_none() {
            return Self::SetupToken { digest, inference };
        }
        // Milliseconds as JavaScript counts them; beyond 2^53 it is no time.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and epoch() checks the range"
        )]
        let expires = expires_at.and_then(|at| at.as_f64()).and_then(|at| epoch(at as i64));
        Self::Login { digest, inference, refreshable, expires }
    }
}

fn is_blank(token: &Text) -> bool {
    reveal(&token.0).trim().is_empty()
}

#[cfg(test)]
#[path = "claude_credentials_tests.rs"]
mod tests;
