//! JSON of others, read within a bound of memory: an object of seven bytes takes some hundred once
//! it is read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// About what a value and its place in a list or object take in memory.
pub const VALUE: usize = 128;
/// An object with a first entry: its tables begin with four.
pub const OBJECT: usize = 600;
/// Less than what `serde_json` refuses as a syntax error.
const DEEPEST: usize = 120;

/// Reads a whole text, and takes what it needs in memory off the bytes that are `left`. An error
/// that is one of data means: it needs more, or it is too deep. Of equal names the last one counts.
pub fn read(text: &[u8], left: &mut usize) -> serde_json::Result<Value> {
    whole(text, Bounded::new(left))
}

/// The same of the fields with these names alone, at any depth.
pub fn read_fields(text: &[u8], names: &[&str], left: &mut usize) -> serde_json::Result<Value> {
    whole(text, Bounded { names: Some(names), ..Bounded::new(left) })
}

fn whole(text: &[u8], bounded: Bounded) -> serde_json::Result<Value> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = bounded.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Reads a value that is a part of something else.
pub struct Bounded<'a> {
    /// `None`: all.
    names: Option<&'a [&'a str]>,
    left: &'a mut usize,
    depth: usize,
}

impl<'a> Bounded<'a> {
    pub const fn new(left: &'a mut usize) -> Self {
        Self { names: None, left, depth: 0 }
    }

    const fn inner(&mut self) -> Bounded<'_> {
        Bounded { names: self.names, left: self.left, depth: self.depth + 1 }
    }

    fn spend<E: serde::de::Error>(&mut self, size: usize) -> Result<(), E> {
        let left = self.left.checked_sub(size).filter(|_| self.depth < DEEPEST);
        *self.left = left.ok_or_else(|| E::custom("larger than what is read"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner())? {
            self.spend(VALUE)?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut map = Map::new();
        while let Some(name) = entries.next_key_seed(KeptName(self.names))? {
            let Some(name) = name else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            self.spend(name.len() + if map.is_empty() { OBJECT } else { VALUE })?;
            let value = entries.next_value_seed(self.inner())?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// The name of a field. `None`: it is not one of these.
struct KeptName<'a>(Option<&'a [&'a str]>);

impl<'de> DeserializeSeed<'de> for KeptName<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeptName<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.is_none_or(|names| names.contains(&name)).then(|| name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let objects = format!("[{}0]", "{\"a\":0},".repeat(1000));
        let size = 1001 * VALUE + 1000 * (OBJECT + 1);
        for (text, size) in [
            ("0", 0),
            (r#""abc""#, 3),
            ("[0,[],{}]", 3 * VALUE),
            (r#"{"a":"xy","bc":0}"#, OBJECT + VALUE + 5),
            // each of equal names is counted
            (r#"{"a":0,"a":1}"#, OBJECT + VALUE + 2),
            (&objects, size),
        ] {
            let mut left = size;
            let value = read(text.as_bytes(), &mut left).unwrap();
            assert_eq!((left, Some(value)), (0, serde_json::from_str(text).ok()), "{text}");
            if let Some(mut less) = size.checked_sub(1) {
                assert!(read(text.as_bytes(), &mut less).unwrap_err().is_data(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_too_deep_is_not_malformed() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for (depth, is_read) in [(DEEPEST, true), (DEEPEST + 1, false), (10_000, false)] {
                let text = format!("{}0{}", open.repeat(depth), close.repeat(depth));
                let value = read(text.as_bytes(), &mut (1 << 20));
                assert_eq!(value.is_ok(), is_read, "{open} {depth}");
                assert!(value.err().is_none_or(|error| error.is_data()), "{open} {depth}");
            }
        }
    }

    #[test]
    fn what_is_not_json_is_an_error_of_another_kind() {
        for text in ["", "{", "{} x", "[1,]", "{\"a\":}", "nul", "\"\\ud83d\"", "1e999"] {
            let error = read(text.as_bytes(), &mut 1000).unwrap_err();
            assert!(!error.is_data(), "{text}: {error}");
        }
    }

    #[test]
    fn of_named_fields_the_others_are_not_kept() {
        let text = r#"{"jobs":[{"id":1,"url":"x","steps":[{},null]}],"x":[[["y"]]]}"#;
        let mut left = 10_000;
        let read = read_fields(text.as_bytes(), &["jobs", "id", "steps"], &mut left).unwrap();
        assert_eq!(read.to_string(), r#"{"jobs":[{"id":1,"steps":[{},null]}]}"#);
        // of what is not kept the depth does not count
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(read_fields(deep.as_bytes(), &["a"], &mut 0).unwrap().to_string(), "{}");
    }
}
