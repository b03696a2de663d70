//! YAML that a repository chose, as a tree of texts: bounded in depth and size, read in linear time.
//! An alias shares what it names, and counts as often as it is used.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Nobody nests a workflow deeper by hand.
const DEEPEST: usize = 64;
/// The bound of a tree, in bytes of its texts and `VALUE` for each value: a workflow file of the
/// largest size, written out.
const LARGEST: usize = 2 * 1024 * 1024;
const VALUE: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Yaml {
    #[default]
    Null,
    /// A scalar, whatever its type.
    Text(Rc<str>),
    List(Rc<[Yaml]>),
    /// In the order of the file.
    Map(Rc<[(Yaml, Yaml)]>),
}

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum YamlError {
    /// In this line.
    Invalid(usize),
    /// Deeper or larger than is read here: it may well be valid.
    TooLarge,
}

/// A list or a map that is not closed yet.
struct Open {
    anchor: usize,
    is_map: bool,
    items: Vec<Yaml>,
    size: usize,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Yaml, usize)>,
    root: Option<Yaml>,
    size: usize,
}

impl Yaml {
    /// The first document of a text; `Null` where there is none.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text) {
            // the parser's own bound of brackets, 255, is an error like any other
            let (event, span) = event.map_err(|error| YamlError::Invalid(error.marker().line()))?;
            match event {
                Event::Scalar(text, style, anchor, _) => {
                    let is_null =
                        style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                    let size = VALUE + if is_null { 0 } else { text.len() };
                    let value = if is_null { Self::Null } else { Self::Text(text.into()) };
                    builder.add(value, anchor, size)?;
                }
                Event::Alias(anchor) => {
                    // an anchor that is still open would contain itself
                    let named = builder.anchors.get(&anchor).cloned();
                    let (value, size) = named.ok_or(YamlError::Invalid(span.start.line()))?;
                    builder.add(value, 0, size)?;
                }
                Event::SequenceStart(anchor, _) => builder.open(anchor, false)?,
                Event::MappingStart(anchor, _) => builder.open(anchor, true)?,
                Event::SequenceEnd | Event::MappingEnd => builder.close()?,
                // a second document
                Event::DocumentStart(_) if builder.root.is_some() => break,
                _ => {}
            }
        }
        Ok(builder.root.unwrap_or_default())
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values of a list; none where it is not one.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map; none where it is not one.
    pub fn entries(&self) -> &[(Self, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key, even if it is null.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(own, _)| own.text() == Some(key)).map(|(_, value)| value)
    }
}

impl Builder {
    fn open(&mut self, anchor: usize, is_map: bool) -> Result<(), YamlError> {
        if self.open.len() >= DEEPEST {
            return Err(YamlError::TooLarge);
        }
        self.open.push(Open { anchor, is_map, items: Vec::new(), size: VALUE });
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(Open { anchor, is_map, items, size }) = self.open.pop() else { return Ok(()) };
        let value = if is_map {
            let mut items = items.into_iter();
            let pair = || Some((items.next()?, items.next().unwrap_or_default()));
            Yaml::Map(std::iter::from_fn(pair).collect())
        } else {
            Yaml::List(items.into())
        };
        // its values were counted when they came
        self.size = self.size.saturating_sub(size - VALUE);
        self.add(value, anchor, size)
    }

    fn add(&mut self, value: Yaml, anchor: usize, size: usize) -> Result<(), YamlError> {
        self.size += size;
        if self.size > LARGEST {
            return Err(YamlError::TooLarge);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut() {
            Some(open) => {
                open.items.push(value);
                open.size += size;
            }
            None => self.root = Some(value),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn shown(yaml: &Yaml) -> String {
        match yaml {
            Yaml::Null => "~".to_owned(),
            Yaml::Text(text) => text.to_string(),
            Yaml::List(items) => {
                format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
            }
            Yaml::Map(entries) => {
                let entries = entries.iter();
                let entries: Vec<_> = entries
                    .map(|(key, value)| format!("{}: {}", shown(key), shown(value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    #[test]
    fn a_tree_of_texts() {
        for (text, tree) in [
            ("", "~"),
            ("# only a comment", "~"),
            ("a", "a"),
            ("on: push\nyes: 1.0\n'null': \"~\"\n? x\n", "{on: push, yes: 1.0, null: ~, x: ~}"),
            ("a: [b, {c: d}, [], {}, null]", "{a: [b, {c: d}, [], {}, ~]}"),
            ("a: &x [1, 2]\nb: *x\nc: {d: *x}", "{a: [1, 2], b: [1, 2], c: {d: [1, 2]}}"),
            ("a: |\n  b\n  c\n", "{a: b\nc\n}"),
            ("--- a\n--- b", "a"),
            ("? [a, b]\n: c", "{[a, b]: c}"),
        ] {
            assert_eq!(Yaml::parse(text).map(|tree| shown(&tree)).as_deref(), Ok(tree), "{text}");
        }
        let tree = Yaml::parse("a: ~\nb: 'null'\na: 2").unwrap();
        assert_eq!((tree.get("a"), tree.get("c")), (Some(&Yaml::Null), None));
        assert_eq!(tree.get("b").and_then(Yaml::text), Some("null"));
    }

    #[test]
    fn what_is_not_yaml_is_named_by_its_line() {
        for (text, line) in
            [("a: [", 2), ("a: 1\nb: 2\n- c\n", 3), ("a: *b", 1), ("a: &x\n  b: *x", 2), ("\"", 1)]
        {
            assert_eq!(Yaml::parse(text), Err(YamlError::Invalid(line)), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Yaml::parse(&nested(DEEPEST)).is_ok());
        assert_eq!(Yaml::parse(&nested(DEEPEST + 1)), Err(YamlError::TooLarge));
        for open in ["[", "{", "- ", "? ", "{a: ", "a: [", "[a, ", "- {b: ", "[[", "[?"] {
            assert!(Yaml::parse(&open.repeat(100_000)).is_err(), "{open}");
        }
    }

    /// Anchors that name each other double with each line, and a long text counts wherever an alias
    /// repeats it.
    #[test]
    fn size_is_bounded_with_aliases_written_out() {
        let mut doubling = "a0: &a0 [x]\n".to_owned();
        for n in 1..100 {
            let _ = writeln!(doubling, "a{n}: &a{n} [*a{0}, *a{0}]", n - 1);
        }
        assert_eq!(Yaml::parse(&doubling), Err(YamlError::TooLarge));
        let aliases = |length: usize, count: usize| {
            format!("a: &a {}\nb: [{}]", "x".repeat(length), vec!["*a"; count].join(","))
        };
        assert_eq!(Yaml::parse(&aliases(100_000, 25)), Err(YamlError::TooLarge));
        assert!(Yaml::parse(&aliases(100_000, 15)).is_ok());
        let values = |count: usize| "- \n".repeat(count);
        assert_eq!(Yaml::parse(&values(LARGEST / VALUE + 1)), Err(YamlError::TooLarge));
        assert!(Yaml::parse(&values(LARGEST / VALUE - 10)).is_ok());
    }
}
