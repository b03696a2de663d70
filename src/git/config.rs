//! git's configuration files, read with the exact place of each value, so that one value can be
//! replaced and every other byte stays. (libgit2 and gix-config give values without their places.)
//! Grammar: git's config.c.

use std::ops::Range;

/// One `key = value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVariable {
    /// Lower case.
    pub section: String,
    /// As written, escapes resolved; `None` for `[section]`.
    pub subsection: Option<String>,
    /// Lower case.
    pub key: String,
    /// Quotes, escapes, continuation lines and comments resolved; `None` for a key without `=`.
    pub value: Option<String>,
    /// Where the value is in the file, without surrounding blanks; empty without `=`.
    pub place: Range<usize>,
}

/// The file breaks git's grammar on this line, so git itself refuses it.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
}

/// Every variable of a file, in order. Includes are not followed. The file is judged as a whole
/// before, and read again by the iterator: all variables at once take many times its size.
pub fn variables(text: &[u8]) -> Result<impl Iterator<Item = ConfigVariable>, Malformed> {
    let lexer = || {
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        // git takes variables before the first section, and gives them names without one
        Lexer { text, at, header: (String::new(), None) }
    };
    match lexer().find_map(Result::err) {
        None => Ok(lexer().map_while(Result::ok)),
        Some(at) => {
            Err(Malformed { line: 1 + text.iter().take(at).filter(|&&byte| byte == b'\n').count() })
        }
    }
}

/// Whether git reads the value as true (git-config(1), Values); a key without one is.
pub fn is_true(value: Option<&str>) -> bool {
    value.is_none_or(|text| {
        let is_word = |word: &&str| text.eq_ignore_ascii_case(word);
        ["true", "yes", "on"].iter().any(is_word)
            || text.trim().parse::<i64>().is_ok_and(|number| number != 0)
    })
}

/// `value` as it must be written after `key = ` to be read back unchanged.
pub fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && !value.bytes().any(|byte| b"\"\\#;\n\t\x08\r".contains(&byte));
    if plain {
        return value.to_owned();
    }
    let escaped = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace('\u{8}', "\\b");
    format!("\"{escaped}\"")
}

/// Errors are the offset of the offending byte; nothing is read after one.
struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// The section of what follows, and its subsection.
    header: (String, Option<String>),
}

impl Iterator for Lexer<'_> {
    type Item = Result<ConfigVariable, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        self.variable().transpose()
    }
}

impl Lexer<'_> {
    fn variable(&mut self) -> Result<Option<ConfigVariable>, usize> {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.at += 1,
                b'#' | b';' => self.skip_line(),
                b'[' => self.header = self.header()?,
                byte if byte.is_ascii_alphabetic() => {
                    let (section, subsection) = self.header.clone();
                    let key = self.word(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                    let (value, place) = self.assignment()?;
                    return Ok(Some(ConfigVariable { section, subsection, key, value, place }));
                }
                _ => return Err(self.at),
            }
        }
        Ok(None)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)) {
            self.at += 1;
        }
    }

    fn word(&mut self, belongs: impl Fn(u8) -> bool) -> String {
        let mut word = String::new();
        while let Some(byte) = self.peek().filter(|&byte| belongs(byte)) {
            word.push(byte.to_ascii_lowercase().into());
            self.at += 1;
        }
        word
    }

    fn header(&mut self) -> Result<(String, Option<String>), usize> {
        self.at += 1;
        let name = self.word(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        let subsection =
            if self.peek().is_some_and(|byte| byte.is_ascii_whitespace() && byte != b'\n') {
                self.skip_blanks();
                Some(self.subsection()?)
            } else {
                None
            };
        if self.peek() != Some(b']') {
            return Err(self.at);
        }
        self.at += 1;
        // the old form `[section.sub]`, in which case is folded
        Ok(match (subsection, name.split_once('.')) {
            (None, Some((section, subsection))) => {
                (section.to_owned(), Some(subsection.to_owned()))
            }
            (subsection, _) => (name, subsection),
        })
    }

    fn subsection(&mut self) -> Result<String, usize> {
        if self.peek() != Some(b'"') {
            return Err(self.at);
        }
        let mut bytes = Vec::new();
        loop {
            self.at += 1;
            match self.peek().ok_or(self.at)? {
                b'"' => break,
                b'\n' => return Err(self.at),
                b'\\' => {
                    self.at += 1;
                    bytes.push(self.peek().filter(|&byte| byte != b'\n').ok_or(self.at)?);
                }
                byte => bytes.push(byte),
            }
        }
        self.at += 1;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn assignment(&mut self) -> Result<(Option<String>, Range<usize>), usize> {
        self.skip_blanks();
        match self.peek() {
            Some(b'=') => self.at += 1,
            None | Some(b'\n') => return Ok((None, self.at..self.at)),
            Some(b'\r') if self.text.get(self.at + 1) == Some(&b'\n') => {
                return Ok((None, self.at..self.at));
            }
            // git takes a comment here as well, though its manual does not say so
            Some(_) => return Err(self.at),
        }
        self.skip_blanks();
        let start = self.at;
        let (mut end, mut kept, mut value, mut in_quotes) = (start, 0, Vec::new(), false);
        loop {
            match self.peek() {
                None | Some(b'\n') if in_quotes => return Err(self.at),
                None | Some(b'\n') => break,
                Some(b'\r') if self.text.get(self.at + 1) == Some(&b'\n') && !in_quotes => break,
                Some(b'#' | b';') if !in_quotes => {
                    self.skip_line();
                    break;
                }
                Some(byte) if byte.is_ascii_whitespace() && !in_quotes => {
                    // blanks count only between other bytes
                    if !value.is_empty() {
                        value.push(byte);
                    }
                    self.at += 1;
                    continue;
                }
                Some(b'"') => in_quotes = !in_quotes,
                Some(b'\\') => {
                    self.at += 1;
                    if self.peek() == Some(b'\r') && self.text.get(self.at + 1) == Some(&b'\n') {
                        self.at += 1;
                    }
                    match self.peek().unwrap_or(b'\n') {
                        b'\n' => {
                            // past the end at most; git keeps the blanks before a continuation
                            self.at += 1;
                            end = self.at.min(self.text.len());
                            kept = value.len();
                            continue;
                        }
                        b't' => value.push(b'\t'),
                        b'b' => value.push(0x08),
                        b'n' => value.push(b'\n'),
                        byte @ (b'\\' | b'"') => value.push(byte),
                        _ => return Err(self.at),
                    }
                }
                Some(byte) => value.push(byte),
            }
            self.at += 1;
            end = self.at;
            kept = value.len();
        }
        value.truncate(kept);
        Ok((Some(String::from_utf8_lossy(&value).into_owned()), start..end))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What the real git reads: `None` where it refuses the file.
    fn git(text: &[u8]) -> Values {
        let mut child = Command::new("git")
            .args(["config", "--file", "-", "--null", "--list", "--no-includes"])
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text).unwrap();
        let output = child.wait_with_output().unwrap();
        output.status.success().then(|| {
            String::from_utf8_lossy(&output.stdout)
                .split_terminator('\0')
                .map(|entry| match entry.split_once('\n') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (entry.to_owned(), None),
                })
                .collect()
        })
    }

    type Values = Option<Vec<(String, Option<String>)>>;

    /// Whether the installed git reads blanks within a value as spaces, as all do before 2.45
    /// (config.c, `parse_value`).
    fn reads_blanks_as_spaces() -> bool {
        static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *ANSWER.get_or_init(|| {
            let value = git(b"[a]\nb = x\ty\n").unwrap()[0].1.clone().unwrap();
            assert!(value == "x\ty" || value == "x y", "{value:?}");
            value == "x y"
        })
    }

    /// The same on both sides, where the installed git does not keep the kind of a blank.
    fn comparable(values: Values) -> Values {
        let spaces = |value: String| value.replace(['\t', '\r'], " ");
        if !reads_blanks_as_spaces() {
            return values;
        }
        values.map(|all| all.into_iter().map(|(key, value)| (key, value.map(spaces))).collect())
    }

    fn ours(text: &[u8]) -> Values {
        let name = |variable: &ConfigVariable| match &variable.subsection {
            Some(subsection) => format!("{}.{subsection}.{}", variable.section, variable.key),
            None if variable.section.is_empty() => variable.key.clone(),
            None => format!("{}.{}", variable.section, variable.key),
        };
        Some(variables(text).ok()?.map(|variable| (name(&variable), variable.value)).collect())
    }

    const FILES: &[&str] = &[
        "",
        "\u{feff}[core]\n\tbare = false\n",
        "[remote \"origin\"]\n\turl = https://github.com/o/r ; note\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
        "[remote \"a\\\"b\\\\c\"] url = \"x # y\" # z\n",
        "[Section.Sub]\nKey=Value\n[SECTION \"Sub\"]\nKEY\n",
        "[a]\n\tb = one \\\n  two\\\n\n\tc=\"q\\t\\n\\\"\"rest  \n",
        "[a]\r\nb = c\r\nd\r\n",
        "[a] b = c [d]\n e = f\n",
        "[a]\nb = \"unclosed\n",
        "[a]\nb = bad\\x\n",
        "[a\nb = c\n",
        "b = c\n",
        "[a]\n1b = c\n",
        "[a]\nb c\n",
        "[a]\nb # comment\n",
        "[a]\nb =\n c = \n",
        "[a]\nb = c", // no final newline
        "[a]\nb = x\\",
        "[a]\nb = one\ttwo \t three\t\n",
    ];

    #[test]
    fn agrees_with_git_on_every_corner() {
        for text in FILES {
            assert_eq!(
                comparable(ours(text.as_bytes())),
                comparable(git(text.as_bytes())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_place_of_a_value_is_exact() {
        let text = "[remote \"o\"]\n\turl = \"https://h/o/r\"  ; kept\n";
        let found: Vec<_> = variables(text.as_bytes()).unwrap().collect();
        assert_eq!(&text[found[0].place.clone()], "\"https://h/o/r\"");
    }

    #[test]
    fn a_malformed_line_is_named() {
        let malformed = variables(b"[a]\nb = c\n\n!\n").err();
        assert_eq!(malformed, Some(Malformed { line: 4 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn agrees_with_git_on_shuffled_tokens(tokens in prop::collection::vec(prop::sample::select(vec![
            "[a]", "[b \"C\"]", "[d.E]", "key", "K2", " = ", "=", "value", "\"q q\"", "\\\n", "\\\\", "\\\"", "\\t",
            "#c", ";", " ", "\t", "\n", "\n", "\n", "\r\n", "url = x\n", "[a]\nb = c\n",
        ]), 0..14)) {
            let text = tokens.concat();
            let (ours, git) = (ours(text.as_bytes()), git(text.as_bytes()));
            prop_assert_eq!(comparable(ours), comparable(git), "{:?}", text);
        }

        #[test]
        fn a_quoted_value_reads_back(value in "[ -~\t\n]{0,30}") {
            let text = format!("[a]\n\tb = {}\n", quoted(&value));
            let found: Vec<_> = variables(text.as_bytes()).unwrap().collect();
            prop_assert_eq!(found[0].value.as_deref(), Some(&*value));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = variables(&bytes).map(Iterator::count);
        }
    }
}
