//! What every JSON document of pushready begins with.

use serde::Serialize;

/// To be flattened into a document, as its first field.
#[derive(Debug, Serialize)]
pub struct Header {
    schema_version: u32,
    tool: &'static str,
    version: &'static str,
}

impl Header {
    pub fn new() -> Self {
        Self { schema_version: 1, tool: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    }
}
