//! Our keys in a JSON file that we share: spliced in and out, all other bytes untouched.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::{self, Object, Property, Trouble};
use crate::json::read;
use crate::resource::digest::Digest;

/// Of a value that is compared: ours have some hundred bytes.
const MOST_MEMORY: usize = 1 << 20;

/// A value at a path of object keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub path: Vec<String>,
    pub value: Value,
}

/// What a later removal must know of one key; its value only as a digest, for it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenKey {
    pub path: Vec<String>,
    pub wrote: Digest,
    /// The value that stood there, as JSON.
    pub before: Option<String>,
    /// So many of the objects that hold it were made for it.
    pub made: usize,
}

/// Why a file cannot be spliced.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No JSON: the first place at which it is none.
    Malformed { line: usize, column: usize },
    /// JSON, but no object.
    NoObject,
    /// An object with more properties than are kept.
    TooManyProperties,
    /// Something else than an object is at this key, where one is needed.
    NotAnObject(String),
}

/// Sets `keys` whose value is another. Nothing is changed where all are as wanted: the list is
/// empty then.
pub fn set(old: Option<&str>, keys: &[Key]) -> Result<(String, Vec<WrittenKey>), KeyError> {
    let mut text = old.filter(|text| !text.trim().is_empty()).unwrap_or("{\n}\n").to_owned();
    parse(&text)?;
    let mut written = Vec::new();
    for Key { path, value } in keys {
        let root = parse(&text)?;
        let (splice, before, made) = match find(&text, root, path) {
            FoundKey::There { way, .. } => {
                let Some(property) = way.last() else { continue };
                let before = of(&text, &property.value);
                if parsed(before).as_ref() == Some(value) {
                    continue;
                }
                let before = before.to_owned();
                ((property.value.clone(), value.to_string()), Some(before), 0)
            }
            FoundKey::Missing { object, rest } => {
                let Some((name, inner)) = rest.split_first() else { continue };
                let value =
                    inner.iter().rev().fold(value.clone(), |value, name| json!({ name: value }));
                (insertion(&text, &object, name, &value), None, inner.len())
            }
            FoundKey::Barred(name) => return Err(KeyError::NotAnObject(name.to_owned())),
        };
        text.replace_range(splice.0, &splice.1);
        written.push(WrittenKey { path: path.clone(), wrote: digest(value), before, made });
    }
    Ok((text, written))
}

/// What a later removal must know of a value that is there already, and is known to be ours.
pub fn adopt(text: &str, path: &[String]) -> Option<WrittenKey> {
    let root = parse(text).ok()?;
    let FoundKey::There { way, .. } = find(text, root, path) else { return None };
    let value = parsed(of(text, &way.last()?.value))?;
    Some(WrittenKey { path: path.to_vec(), wrote: digest(&value), before: None, made: 0 })
}

/// Puts back what stood at the keys before. Returns the new text and the paths that the user has
/// changed since: kept.
pub fn unset(old: &str, written: &[WrittenKey]) -> Result<(String, Vec<String>), KeyError> {
    let mut text = old.to_owned();
    parse(&text)?;
    let mut kept = Vec::new();
    for entry in written.iter().rev() {
        let root = parse(&text)?;
        let FoundKey::There { holders, way } = find(&text, root, &entry.path) else { continue };
        let Some(property) = way.last() else { continue };
        let now = of(&text, &property.value);
        let splice = if parsed(now).as_ref().map(digest).as_ref() == Some(&entry.wrote) {
            match &entry.before {
                Some(before) => (property.value.clone(), before.clone()),
                None => (removal(&holders, &way, entry.made), String::new()),
            }
        } else {
            // an interrupted removal may have put it back already
            let before = entry.before.as_deref().and_then(parsed);
            if before.is_none() || before != parsed(now) {
                kept.push(entry.path.join("."));
            }
            continue;
        };
        text.replace_range(splice.0, &splice.1);
    }
    Ok((text, kept))
}

/// Where a path leads.
enum FoundKey<'t, 'p> {
    /// To a property: the objects on the way to it, and in each the property that leads on.
    There { holders: Vec<Object<'t>>, way: Vec<Property<'t>> },
    /// As far as this object, in which the first name of `rest` is missing.
    Missing { object: Object<'t>, rest: &'p [String] },
    /// To something else than an object, at this name.
    Barred(&'p str),
}

fn find<'t, 'p>(text: &'t str, root: Object<'t>, path: &'p [String]) -> FoundKey<'t, 'p> {
    let (mut holders, mut way) = (Vec::new(), Vec::new());
    let mut object = root;
    for (depth, name) in path.iter().enumerate() {
        let Some(property) = object.get(name).cloned() else {
            return FoundKey::Missing { object, rest: path.get(depth..).unwrap_or_default() };
        };
        let inner = json::object_at(text, property.value.clone());
        way.push(property);
        holders.push(object);
        match inner {
            _ if depth + 1 == path.len() => break,
            Some(inner) => object = inner,
            None => return FoundKey::Barred(name),
        }
    }
    FoundKey::There { holders, way }
}

/// A new last property, laid out like the one before it.
fn insertion(text: &str, object: &Object, name: &str, value: &Value) -> (Range<usize>, String) {
    let inside = object.range.start + 1;
    let (at, comma, blank) = match object.properties.as_slice() {
        [] => {
            let line = text.get(..inside).unwrap_or_default().lines().last().unwrap_or_default();
            let indent = line.len() - line.trim_start().len();
            let on_lines =
                text.get(inside..object.range.end).is_some_and(|inner| inner.contains('\n'));
            (
                inside,
                "",
                if on_lines { format!("\n{}", " ".repeat(indent + 2)) } else { String::new() },
            )
        }
        [.., last] => {
            let before =
                object.properties.iter().rev().nth(1).map_or(inside, |property| property.range.end);
            let blank =
                text.get(before..last.range.start).unwrap_or_default().trim_start_matches(',');
            // blanks may stand before the comma, too
            let blank = blank.rsplit(',').next().unwrap_or_default();
            (last.range.end, ",", blank.to_owned())
        }
    };
    let value = match blank.rsplit_once('\n') {
        Some((_, indent)) => serde_json::to_string_pretty(value)
            .unwrap_or_default()
            .replace('\n', &format!("\n{indent}")),
        None => value.to_string(),
    };
    let colon = if blank.is_empty() { ":" } else { ": " };
    (at..at, format!("{comma}{blank}{}{colon}{value}", Value::from(name)))
}

/// The bytes of a property with one comma: the reverse of its insertion. With it go the objects
/// that were made for it, as far as they hold nothing else.
fn removal(holders: &[Object], way: &[Property], made: usize) -> Range<usize> {
    let goes =
        |depth: usize| holders.get(depth + 1).is_some_and(|object| object.properties.len() == 1);
    let depth = (0..made).fold(holders.len() - 1, |depth, _| {
        if depth > 0 && goes(depth - 1) { depth - 1 } else { depth }
    });
    let (Some(object), Some(property)) = (holders.get(depth), way.get(depth)) else { return 0..0 };
    let at = object.properties.iter().position(|other| other.range == property.range).unwrap_or(0);
    let previous = at.checked_sub(1).and_then(|at| object.properties.get(at));
    match (previous, object.properties.get(at + 1)) {
        (Some(previous), _) => previous.range.end..property.range.end,
        (None, Some(next)) => property.range.start..next.range.start,
        (None, None) => object.range.start + 1..property.range.end,
    }
}

fn parse(text: &str) -> Result<Object<'_>, KeyError> {
    json::object(text).map_err(|trouble| match trouble {
        Trouble::NotAnObject => KeyError::NoObject,
        Trouble::TooManyProperties => KeyError::TooManyProperties,
        Trouble::Malformed(at) => {
            let (line, column) = json::place(text.as_bytes(), at);
            KeyError::Malformed { line, column }
        }
    })
}

fn of<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or_default()
}

/// A value, read strictly. `None` also where it is larger than any that is written.
fn parsed(text: &str) -> Option<Value> {
    read(text.as_bytes(), &mut { MOST_MEMORY }).ok()
}

fn digest(value: &Value) -> Digest {
    Digest::of(value.to_string().as_bytes())
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
        let (text, _) =
            set(None, &[key(&["a"], json!(true)), key(&["p", "/d", "t"], json!(1))]).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\": true,\n  \"p\": {\n    \"/d\": {\n      \"t\": 1\n    }\n  }\n}\n"
        );
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
        let (text, written) =
            set(Some(old), &[key(&["a"], json!(true)), key(&["b"], json!(2))]).unwrap();
        assert_eq!(unset(&text, &written).unwrap(), (old.to_owned(), vec![]));
        let edited = text.replace('2', "3");
        let (text, kept) = unset(&edited, &written).unwrap();
        assert_eq!((text.as_str(), kept), ("{\"a\":false,\"b\":3}", vec!["b".to_owned()]));
    }

    #[test]
    fn refuses_what_is_not_a_json_object() {
        for old in ["[1]", "null"] {
            assert_eq!(set(Some(old), &[]), Err(KeyError::NoObject), "{old}");
        }
        for (old, line, column) in
            [("{\"a\":1,}", 1, 8), ("// c\n{}", 1, 1), ("{\n\"a\":", 2, 5), ("\u{feff}{}", 1, 1)]
        {
            assert_eq!(set(Some(old), &[]), Err(KeyError::Malformed { line, column }), "{old}");
        }
        assert_eq!(
            set(Some("{\"p\":[]}"), &[key(&["p", "q"], json!(1))]),
            Err(KeyError::NotAnObject("p".to_owned()))
        );
    }

    /// JSON objects in every layout, with awkward names and values.
    fn texts() -> impl Strategy<Value = String> {
        let blank = || prop::sample::select(vec!["", " ", "\n", "\n  ", "\r\n\t", " \n\n "]);
        let leaf = prop::sample::select(vec![
            "1.50",
            "\"\\u00e9\\/\"",
            "true",
            "[1, {} ,2]",
            "1e3",
            "\"a,b:}\"",
            "{}",
            "{ }",
            "{\n}",
            "\"\\ud83d\"",
        ]);
        let value = leaf.prop_map(str::to_owned).prop_recursive(3, 12, 4, move |inner| {
            let name = prop::sample::select(vec!["a", "p", "q", "\\u0070", "x,y", "\u{e9}"]);
            let property = (blank(), name, blank(), blank(), inner, blank());
            prop::collection::vec(property, 0..4).prop_map(|properties| {
                let texts = properties
                    .iter()
                    .map(|(b1, n, b2, b3, v, b4)| format!("{b1}\"{n}\"{b2}:{b3}{v}{b4}"));
                format!("{{{}}}", texts.collect::<Vec<_>>().join(","))
            })
        });
        value.prop_filter("an object", |text| text.starts_with('{'))
    }

    proptest! {
        #[test]
        fn removal_undoes_insertion_to_the_byte(old in texts()) {
            // serde_json takes no half of a surrogate pair
            let parse = |text: &str| -> Value {
                serde_json::from_str(&text.replace("\\ud83d", "half")).unwrap()
            };
            let keys = [key(&["a", "new"], json!(true)), key(&["p", "q", "t"], json!({"x": [1]})), key(&["p", "/d", "t"], json!(1)), key(&["z"], json!("x"))];
            if let Ok((text, written)) = set(Some(&old), &keys) {
                let now = parse(&text);
                prop_assert_eq!(&now["p"]["q"]["t"], &json!({"x": [1]}), "{}", text);
                prop_assert_eq!(&now["z"], &json!("x"));
                prop_assert_eq!(set(Some(&text), &keys).unwrap(), (text.clone(), vec![]), "a second time changes nothing");
                prop_assert_eq!(unset(&text, &written).unwrap(), (old.clone(), vec![]), "{}", text);
                // what came after ours in the meantime stays, too
                let Some(rest) = text.strip_suffix('}') else { return Ok(()) };
                let (back, kept) = unset(&format!("{rest}, \"later\" : 1}}"), &written).unwrap();
                let before = parse(&old);
                let mut after = parse(&back);
                prop_assert_eq!(after.as_object_mut().unwrap().remove("later"), Some(json!(1)));
                prop_assert_eq!((after, kept), (before, vec![]));
            }
        }
    }
}
