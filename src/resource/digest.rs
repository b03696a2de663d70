//! SHA-256 digests, as the receipt holds them instead of contents.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// `sha256:` and 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// From 64 hex digits, as the secrets give theirs.
    pub fn from_hex(hex: &str) -> Self {
        Self(format!("sha256:{hex}"))
    }

    /// The digits alone: a name for a file with this content.
    pub fn file_name(&self) -> &str {
        self.0.trim_start_matches("sha256:")
    }

    pub fn of(bytes: &[u8]) -> Self {
        let mut text = String::from("sha256:");
        for byte in digest(&SHA256, bytes).as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}
