//! Where the values of a JSON text stand. It takes exactly what `JSON.parse` takes, which wrote the
//! file: half a surrogate pair, any number, any depth. No value is decoded, so none is too odd.

use std::borrow::Cow;
use std::ops::Range;

/// An object, with the place of its braces and what is in them.
#[derive(Debug, PartialEq, Eq)]
pub struct Object<'a> {
    pub range: Range<usize>,
    pub properties: Vec<Property<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// From its name to the end of its value.
    pub range: Range<usize>,
    pub name: Cow<'a, str>,
    pub value: Range<usize>,
}

impl<'a> Object<'a> {
    /// Of equal names the last one counts, as in every client.
    pub fn get(&self, name: &str) -> Option<&Property<'a>> {
        self.properties.iter().rfind(|property| property.name == name)
    }
}

/// Why there is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The byte at which it is not JSON.
    Malformed(usize),
    /// JSON, but not an object.
    NotAnObject,
    /// An object with more properties than are kept.
    TooManyProperties,
}

/// An object of a client's configuration has some hundred properties; each that is kept takes ten
/// times the bytes that an empty one has in the text.
pub const MOST_PROPERTIES: usize = 100_000;

/// The object that is the whole text.
pub fn object(text: &str) -> Result<Object<'_>, Trouble> {
    let mut scanner = Scanner { text: text.as_bytes(), at: 0 };
    let range = scanner.document().ok_or(Trouble::Malformed(scanner.at))?;
    scan_object(text, range)?.ok_or(Trouble::NotAnObject)
}

/// The object at the place of a value in a text. `None`: the value is not an object, or one with
/// more properties than are kept.
pub fn object_at(text: &str, range: Range<usize>) -> Option<Object<'_>> {
    scan_object(text, range).ok()?
}

fn scan_object(text: &str, range: Range<usize>) -> Result<Option<Object<'_>>, Trouble> {
    let mut properties = Vec::new();
    let mut is_full = false;
    let end = scan_properties(text, range.start, |property| {
        is_full = properties.len() == MOST_PROPERTIES;
        (!is_full).then(|| properties.push(property))
    });
    if is_full {
        return Err(Trouble::TooManyProperties);
    }
    Ok(end.map(|end| Object { range: range.start..end, properties }))
}

/// Calls `keep` for each property of the object at `start`, until it returns `None`. Returns the
/// end of the object.
fn scan_properties<'a>(
    text: &'a str,
    start: usize,
    mut keep: impl FnMut(Property<'a>) -> Option<()>,
) -> Option<usize> {
    let mut scanner = Scanner { text: text.as_bytes(), at: start };
    scanner.take(b'{')?;
    scanner.blanks();
    if scanner.take(b'}').is_none() {
        loop {
            let name = scanner.name()?;
            let value = scanner.value()?;
            let range = name.start..value.end;
            keep(Property { range, name: unescaped(text.get(name)?), value })?;
            scanner.blanks();
            if scanner.take(b',').is_none() {
                break scanner.take(b'}')?;
            }
            scanner.blanks();
        }
    }
    Some(scanner.at)
}

/// The line and column of a byte, each from 1.
pub fn place(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.split(|&byte| byte == b'\n').count();
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    (line, column)
}

/// A name without its quotes and escapes. Half a surrogate pair equals no name that is looked for.
fn unescaped(quoted: &str) -> Cow<'_, str> {
    let plain = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    if !plain.contains('\\') {
        return Cow::Borrowed(plain);
    }
    serde_json::from_str(quoted).map_or(Cow::Borrowed(quoted), Cow::Owned)
}

/// ECMA-404, over bytes: all that it tells apart is ASCII.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Option<Range<usize>> {
        self.blanks();
        let value = self.value()?;
        self.blanks();
        (self.at == self.text.len()).then_some(value)
    }

    /// Steps over one value. It keeps the open brackets itself: the depth of a file must not
    /// use up our stack.
    fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    self.blanks();
                    let close = bracket + 2;
                    if self.take(close).is_none() {
                        open.push(close);
                        self.lead(close)?;
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // a value has ended, and with it those whose last it was
            loop {
                let Some(&close) = open.last() else { return Some(start..self.at) };
                self.blanks();
                if self.take(b',').is_some() {
                    self.blanks();
                    self.lead(close)?;
                    break;
                }
                self.take(close)?;
                open.pop();
            }
        }
    }

    /// What is before a value between brackets that end so.
    fn lead(&mut self, close: u8) -> Option<()> {
        if close == b'}' { self.name().map(drop) } else { Some(()) }
    }

    /// A name and its colon, up to the value.
    fn name(&mut self) -> Option<Range<usize>> {
        let name = self.string()?;
        self.blanks();
        self.take(b':')?;
        self.blanks();
        Some(name)
    }

    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at);
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.peek()? {
            b'u' => {
                self.at += 1;
                (0..4).try_for_each(|_| self.take_if(|byte| byte.is_ascii_hexdigit()))
            }
            _ => self.take_if(|byte| b"\"\\/bfnrt".contains(&byte)),
        }
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take_if(|byte| byte | 0x20 == b'e').is_some() {
            let _ = self.take_if(|byte| b"+-".contains(&byte));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let digit = |byte: u8| byte.is_ascii_digit();
        self.take_if(digit)?;
        while self.take_if(digit).is_some() {}
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        word.iter().try_for_each(|&byte| self.take(byte))
    }

    fn blanks(&mut self) {
        while self.take_if(|byte| b" \t\r\n".contains(&byte)).is_some() {}
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        self.take_if(|byte| byte == wanted)
    }

    fn take_if(&mut self, is_wanted: impl Fn(u8) -> bool) -> Option<()> {
        is_wanted(self.peek()?).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::http::tests::skip;

    #[test]
    fn tells_the_places_of_names_and_values() {
        let text = " { \"a\\u0062\" : [1, {\"x\":2}] ,\"c\":{\n} } ";
        let Object { range, properties } = object(text).unwrap();
        assert_eq!(&text[range], text.trim());
        let found: Vec<_> =
            properties.iter().map(|it| (&*it.name, &text[it.value.clone()])).collect();
        assert_eq!(found, [("ab", "[1, {\"x\":2}]"), ("c", "{\n}")]);
        assert_eq!(&text[properties[1].range.clone()], "\"c\":{\n}");
    }

    #[test]
    fn what_is_not_an_object_is_distinguished_from_what_is_not_json() {
        for text in ["[]", "null", "\"{}\"", " 1 "] {
            assert_eq!(object(text), Err(Trouble::NotAnObject), "{text}");
        }
        for (text, at) in
            [("", 0), ("{\"a\":}", 5), ("{} x", 3), ("{\"a\" 1}", 5), ("{\"a\":1,}", 7)]
        {
            assert_eq!(object(text), Err(Trouble::Malformed(at)), "{text}");
        }
    }

    #[test]
    fn an_object_with_too_many_properties_is_refused() {
        let of = |count| format!("{{{}}}", vec!["\"\":0"; count].join(","));
        let full = of(MOST_PROPERTIES);
        assert_eq!(object(&full).map(|object| object.properties.len()), Ok(MOST_PROPERTIES));
        let over = of(MOST_PROPERTIES + 1);
        assert_eq!(object(&over), Err(Trouble::TooManyProperties));
        assert_eq!(object_at(&over, 0..over.len()), None);
        // a value is stepped over, whatever it has in it
        assert!(object(&format!("{{\"a\":{over}}}")).is_ok());
    }

    /// Pieces in any order: seldom JSON. And JSON with one piece of it changed: often.
    fn texts() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\\ud83d\"",
            "\"\\udc00\\ud800x\"",
            "\"\\u12\"",
            "\"\\x\"",
            "\"\t\"",
            "\"\u{7f}\u{e9}\"",
            "1e999",
            "-0",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1E+2",
            "0x1",
            "true",
            "nul",
            "null",
            "NaN",
            " ",
            "\n",
            "\u{a0}",
            "\u{feff}",
            "\u{0c}",
            "'a'",
            "//\n",
            "\"__proto__\"",
            "\\",
        ];
        let piece = || prop::sample::select(PIECES);
        let value = prop::sample::select(
            &[
                "1e999",
                "-0.5E-7",
                "true",
                "null",
                "\"\\ud83d\"",
                "\"\\\"\\\\\\/\\b\"",
                "\"\u{e9}\"",
                "[]",
                "{ }",
            ][..],
        );
        let json = value.prop_map(str::to_owned).prop_recursive(5, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| format!("[{}]", values.join(" ,"))),
                prop::collection::vec(inner, 0..4).prop_map(|values| {
                    let members = values.iter().map(|value| format!("\"k\\u0061\"\n:{value}"));
                    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
                }),
            ]
        });
        let changed =
            (json.clone(), any::<prop::sample::Index>(), piece()).prop_map(|(text, at, piece)| {
                let mut characters: Vec<_> = text.chars().map(String::from).collect();
                let at = at.index(characters.len());
                characters[at] = piece.to_owned();
                characters.concat()
            });
        prop_oneof![
            prop::collection::vec(piece(), 0..6).prop_map(|pieces| pieces.concat()),
            json,
            changed,
        ]
    }

    #[test]
    fn takes_what_json_parse_takes_and_nothing_else() {
        const JUDGE: &str = "const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
            const sort = text => { try { const value = JSON.parse(text);
                return value !== null && typeof value === 'object' && !Array.isArray(value) ? 'o' : 'v'; }
                catch { return 'x'; } };
            process.stdout.write(texts.map(sort).join(''));";
        let mut runner = TestRunner::deterministic();
        let mut all: Vec<String> =
            (0..4000).map(|_| texts().new_tree(&mut runner).unwrap().current()).collect();
        all.push(format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000)));
        let Ok(mut node) = Command::new("node")
            .args(["-e", JUDGE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            return skip("takes_what_json_parse_takes_and_nothing_else", "node not found");
        };
        node.stdin.take().unwrap().write_all(&serde_json::to_vec(&all).unwrap()).unwrap();
        let verdicts = String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(verdicts.len(), all.len());
        for (text, verdict) in all.iter().zip(verdicts.chars()) {
            let ours = match object(text) {
                Ok(_) => 'o',
                Err(Trouble::NotAnObject) => 'v',
                Err(Trouble::Malformed(_)) => 'x',
                Err(Trouble::TooManyProperties) => panic!("{text}"),
            };
            assert_eq!(ours, verdict, "{text}");
        }
        for verdict in ['o', 'v', 'x'] {
            assert!(verdicts.matches(verdict).count() > 300, "{verdict} is tried too seldom");
        }
    }
}
