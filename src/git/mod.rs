//! What git reads: remote URLs and configuration files. Pure, and the lowest layer: nothing here
//! starts a program.

pub mod config;
pub mod url;

/// Whether the text is a whole object id, of SHA-1 or SHA-256.
pub fn is_object_id(text: impl AsRef<[u8]>) -> bool {
    let text = text.as_ref();
    matches!(text.len(), 40 | 64) && text.iter().all(u8::is_ascii_hexdigit)
}
