//! Our keys in a JSON file that we share: spliced in and out, all other bytes untouched.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// A value at a path of object keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub path: Vec<String>,
    pub value: Value,
}

/// What a later removal must know of one key; its value only as a digest, for it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub path: Vec<String>,
    pub wrote: Digest,
    /// The value that stood there, as JSON.
    pub before: Option<String>,
    /// So many of the objects that hold it were made for it.
    pub made: usize,
}

/// Why a file cannot be spliced.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No JSON object; where the parser stopped.
    Malformed { line: usize, column: usize },
    /// Something else than an object stands at this key, where one is needed.
    NotAnObject(String),
}

/// Sets `keys` whose value is another. Nothing is changed where all are as wanted: the list is empty then.
pub fn set(old: Option<&str>, keys: &[Key]) -> Result<(String, Vec<Written>), Refusal> {
    let text = old.filter(|text| !text.trim().is_empty()).unwrap_or("{}\n");
    let root = parse(text)?;
    let mut written = Vec::new();
    for Key { path, value } in keys {
        let Some((name, parents)) = path.split_last() else { continue };
        let mut object = root.object_value().ok_or(Refusal::Malformed { line: 1, column: 1 })?;
        let mut made = 0;
        for parent in parents {
            made += usize::from(object.get(parent).is_none());
            object =
                object.object_value_or_create(parent).ok_or_else(|| Refusal::NotAnObject(parent.clone()))?;
        }
        let before = object.get(name);
        if before.as_ref().and_then(ToValue::to_value).as_ref() == Some(value) {
            continue;
        }
        let entry = Written {
            path: path.clone(),
            wrote: digest(value),
            before: before
                .as_ref()
                .and_then(jsonc_parser::cst::CstObjectProp::value)
                .map(|value| value.to_string()),
            made,
        };
        match before {
            Some(property) => property.set_value(input(value)),
            None => drop(object.append(name, input(value))),
        }
        written.push(entry);
    }
    Ok((root.to_string(), written))
}

/// Puts back what stood at the keys before. Returns the new text and the paths that the user has changed since: kept.
pub fn unset(old: &str, written: &[Written]) -> Result<(String, Vec<String>), Refusal> {
    let root = parse(old)?;
    let mut kept = Vec::new();
    for entry in written.iter().rev() {
        let Some((name, parents)) = entry.path.split_last() else { continue };
        let Some(mut holders) = root.object_value().map(|object| vec![object]) else { continue };
        for parent in parents {
            match holders.last().and_then(|object| object.object_value(parent)) {
                Some(object) => holders.push(object),
                None => break,
            }
        }
        let Some(object) = holders.last().filter(|_| holders.len() == entry.path.len()) else { continue };
        let Some(property) = object.get(name) else { continue };
        if property.to_value().map(|value| digest(&value)) != Some(entry.wrote.clone()) {
            kept.push(entry.path.join("."));
            continue;
        }
        if let Some(before) = entry.before.as_deref().and_then(|before| serde_json::from_str(before).ok()) {
            property.set_value(input(&before));
        } else {
            property.remove();
            remove_made(&holders, parents, entry.made);
        }
    }
    Ok((root.to_string(), kept))
}

/// Removes the objects that were made for a key, innermost first, while they are empty.
fn remove_made(holders: &[CstObject], parents: &[String], made: usize) {
    for (depth, name) in parents.iter().enumerate().rev().take(made) {
        let empty = holders.get(depth + 1).is_some_and(|object| object.properties().is_empty());
        match holders.get(depth).and_then(|holder| holder.get(name)) {
            Some(property) if empty => property.remove(),
            _ => break,
        }
    }
}

fn parse(text: &str) -> Result<CstRootNode, Refusal> {
    // the strict parser judges, the lossless one edits: it would take comments and loose commas
    let malformed =
        |error: serde_json::Error| Refusal::Malformed { line: error.line(), column: error.column() };
    serde_json::from_str::<serde_json::Map<String, Value>>(text).map_err(malformed)?;
    CstRootNode::parse(text, &ParseOptions::default()).map_err(|_| Refusal::Malformed { line: 1, column: 1 })
}

fn digest(value: &Value) -> Digest {
    Digest::of(value.to_string().as_bytes())
}

/// The value of a property, read strictly.
trait ToValue {
    fn to_value(&self) -> Option<Value>;
}

impl ToValue for jsonc_parser::cst::CstObjectProp {
    fn to_value(&self) -> Option<Value> {
        serde_json::from_str(&self.value()?.to_string()).ok()
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(values) => {
            CstInputValue::Object(values.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn key(path: &[&str], value: Value) -> Key {
        Key { path: path.iter().map(ToString::to_string).collect(), value }
    }

    #[test]
    fn makes_a_file_that_is_not_there() {
        let (text, _) = set(None, &[key(&["a"], json!(true)), key(&["p", "/d", "t"], json!(1))]).unwrap();
        assert_eq!(text, "{\n  \"a\": true,\n  \"p\": {\n    \"/d\": {\n      \"t\": 1\n    }\n  }\n}\n");
    }

    #[test]
    fn leaves_every_other_byte_alone() {
        let old = "{ \"x\" :1.50,\r\n\t\"u\": \"\\u00e9\\/\",\n \"o\":{} }";
        let (text, written) = set(Some(old), &[key(&["o", "k"], json!("v"))]).unwrap();
        assert!(text.starts_with("{ \"x\" :1.50,\r\n\t\"u\": \"\\u00e9\\/\",\n \"o\":{"), "{text}");
        assert_eq!(written.len(), 1);
    }

    #[test]
    fn says_nothing_when_all_is_as_wanted() {
        let old = "{\"a\":true}";
        assert_eq!(set(Some(old), &[key(&["a"], json!(true))]).unwrap(), (old.to_owned(), vec![]));
    }

    #[test]
    fn restores_what_it_replaced_and_keeps_what_was_changed_since() {
        let old = "{\"a\":false,\"b\":1}";
        let (text, written) = set(Some(old), &[key(&["a"], json!(true)), key(&["b"], json!(2))]).unwrap();
        assert_eq!(unset(&text, &written).unwrap(), (old.to_owned(), vec![]));
        let edited = text.replace('2', "3");
        let (text, kept) = unset(&edited, &written).unwrap();
        assert_eq!((text.as_str(), kept), ("{\"a\":false,\"b\":3}", vec!["b".to_owned()]));
    }

    #[test]
    fn refuses_what_is_no_json_object() {
        for old in ["[1]", "{\"a\":1,}", "// c\n{}", "{\"a\":", "\u{feff}{}", "null"] {
            assert!(matches!(set(Some(old), &[]), Err(Refusal::Malformed { .. })), "{old}");
        }
        assert_eq!(
            set(Some("{\"p\":[]}"), &[key(&["p", "q"], json!(1))]),
            Err(Refusal::NotAnObject("p".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn other_keys_survive_a_round_trip(names in prop::collection::btree_set("[a-e]{1,2}", 0..5), compact in any::<bool>()) {
            let value: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), json!({"k": [1, null]}))).collect();
            let old = if compact { serde_json::to_string(&value) } else { serde_json::to_string_pretty(&value) }.unwrap();
            let (text, written) = set(Some(&old), &[key(&["a", "new"], json!(true)), key(&["z", "y"], json!("x"))]).unwrap();
            let now: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&now["z"]["y"], &json!("x"));
            prop_assert_eq!(&now["a"]["new"], &json!(true));
            let (back, kept) = unset(&text, &written).unwrap();
            prop_assert!(kept.is_empty());
            prop_assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), Value::Object(value));
        }
    }
}
