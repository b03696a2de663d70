//! Parts of JSON documents that hold secrets: wiped when dropped.

use std::fmt;

use secrecy::SecretString;
use serde::de::{DeserializeSeed as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::json::Bounded;

/// A JSON string that is wiped when dropped.
pub(super) struct SecretText(pub(super) SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = SecretText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(SecretString::from(text)))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// A credential of a kind that we hand through unread; its strings are wiped when dropped.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Opaque(pub(super) serde_json::Value);

/// Of each, which has some hundred bytes.
const MOST_MEMORY: usize = 1 << 20;

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bounded::new(&mut { MOST_MEMORY }).deserialize(deserializer).map(Self)
    }
}

impl Opaque {
    pub(super) fn json(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string())
    }
}

impl Drop for Opaque {
    fn drop(&mut self) {
        let mut values = vec![&mut self.0];
        while let Some(value) = values.pop() {
            match value {
                serde_json::Value::String(text) => text.zeroize(),
                serde_json::Value::Array(items) => values.extend(items),
                serde_json::Value::Object(entries) => values.extend(entries.values_mut()),
                _ => {}
            }
        }
    }
}
