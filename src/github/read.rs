//! Reading JSON leniently: a field that is missing, null or of another type is absent, and costs
//! nothing but itself. Typed clients lose a whole page to one null (octocrab 0.54 rejects 13 of 20
//! payloads that GitHub really sends).

use jiff::Timestamp;
use serde_json::Value;

use super::json::FIELDS;

/// What can be read from a JSON value. `None`: not even what identifies it is there.
pub trait Read: Sized {
    fn read(value: &Value) -> Option<Self>;
}

/// `field` is a name, or a path such as `actor/login`.
fn at<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('/').try_fold(value, |value, name| {
        // any other field is dropped while the answer is read
        debug_assert!(FIELDS.contains(&name), "{name} is missing in FIELDS");
        value.get(name)
    })
}

pub(crate) fn text(value: &Value, field: &str) -> Option<String> {
    at(value, field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Text, or the empty string.
pub(super) fn word(value: &Value, field: &str) -> String {
    text(value, field).unwrap_or_default()
}

pub(super) fn integer(value: &Value, field: &str) -> Option<i64> {
    at(value, field)?.as_i64()
}

/// An id: GitHub says "none" with 0 and with null (community#212627).
pub(super) fn id(value: &Value, field: &str) -> Option<i64> {
    integer(value, field).filter(|id| *id != 0)
}

pub(super) fn flag(value: &Value, field: &str) -> Option<bool> {
    at(value, field)?.as_bool()
}

pub(super) fn time(value: &Value, field: &str) -> Option<Timestamp> {
    at(value, field)?.as_str()?.parse().ok()
}

/// The elements that can be read; `None` where there is no list.
pub fn list<T: Read>(value: &Value, field: &str) -> Option<Vec<T>> {
    Some(at(value, field)?.as_array()?.iter().filter_map(T::read).collect())
}

impl Read for String {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}
