//! Variables that a client's own file sets.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables that a file of the client sets.
#[derive(Clone, Debug, Default)]
pub struct VariableFile {
    pub path: PathBuf,
    pub values: BTreeMap<String, String>,
    /// It came with a repository: whoever can push to it can set it.
    pub of_project: bool,
}

/// Reads the variables of a `.env` file, as dotenvy 0.15 does for Codex. `outside` is the environment
/// that a value may refer to; what the file has set takes precedence there. A line that dotenvy does
/// not accept is ignored.
pub fn dotenv(text: &str, outside: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for line in joined_lines(text) {
        let known = |name: &str| values.get(name).cloned().or_else(|| outside(name));
        if let Some((name, value)) = assignment(line.trim(), known) {
            values.insert(name, value);
        }
    }
    values
}

/// Lines, of which one goes on where it ends in quotes.
fn joined_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut quote = None;
    for line in text.lines() {
        match lines.last_mut().filter(|_| quote.is_some()) {
            Some(last) => last.extend(["\n", line]),
            None => lines.push(line.to_owned()),
        }
        let (mut is_escaped, mut before) = (false, ' ');
        for c in line.chars() {
            match (quote, c) {
                _ if is_escaped => is_escaped = false,
                (_, '\\') => is_escaped = true,
                (None, '#') if before.is_whitespace() => break,
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                _ => {}
            }
            before = c;
        }
    }
    lines
}

/// `export NAME = value # comment`
fn assignment(line: &str, known: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !name.chars().all(is_name)
    {
        return None;
    }
    Some((name.to_owned(), expanded(value.trim(), known)?))
}

/// A value without quotes and comment, with the variables that it names. `$NAME` is letters and digits
/// alone, `${NAME}` anything.
fn expanded(value: &str, known: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut output = String::new();
    if value.starts_with('#') {
        return Some(output);
    }
    let mut chars = value.chars().peekable();
    let mut is_weak = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'n' => output.push('\n'),
                c @ ('\\' | '\'' | '"' | '$' | ' ') => output.push(c),
                _ => return None,
            },
            '$' if chars.next_if_eq(&'{').is_some() => {
                let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                // to the end of the value without `}`
                value.contains(&format!("{{{name}}}")).then_some(())?;
                output.extend(known(&name));
            }
            '$' => {
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric()) {
                    name.push(c);
                }
                output.extend(known(&name));
                // dotenvy takes what follows as it is, also the quote that would end here
                if let Some(c) = chars.next_if(|c| *c != '$') {
                    output.push(c);
                }
            }
            '"' => is_weak = !is_weak,
            '\'' if !is_weak => loop {
                match chars.next()? {
                    '\'' => break,
                    c => output.push(c),
                }
            },
            ' ' | '\t' if !is_weak => {
                let rest: String = chars.collect();
                let rest = rest.trim_start_matches([' ', '\t']);
                return (rest.is_empty() || rest.starts_with('#')).then_some(output);
            }
            c => output.push(c),
        }
    }
    (!is_weak).then_some(output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dotenv_file_is_read_line_by_line() {
        for (text, expected) in [
            ("HTTPS_PROXY=http://p:1", Some("http://p:1")),
            ("export HTTPS_PROXY = http://p:1 # ours", Some("http://p:1")),
            ("HTTPS_PROXY=\"http://p:1\" # ours", Some("http://p:1")),
            ("HTTPS_PROXY='http://u:#@p:1'", Some("http://u:#@p:1")),
            ("HTTPS_PROXY=http://p:1#x", Some("http://p:1#x")),
            ("HTTPS_PROXY=a b", None),
            ("HTTPS_PROXY=\"a", None),
            ("HTTPS_PROXY=a\\ b", Some("a b")),
            // what the file or the environment has, measured with Codex 0.169
            ("HTTPS_PROXY=$OF", Some("file")),
            ("HTTPS_PROXY=${OF}", Some("file")),
            ("HTTPS_PROXY=\"http://${OF}/\"", Some("http://file/")),
            ("HTTPS_PROXY=\"http://$OF/\"", Some("http://file/")),
            ("HTTPS_PROXY=http://$ENV:1", Some("http://environment:1")),
            ("HTTPS_PROXY=${ENV_2}", Some("second")),
            ("HTTPS_PROXY=$ENV_2", Some("environment_2")),
            ("HTTPS_PROXY=$OF$ENV", Some("fileenvironment")),
            ("HTTPS_PROXY=$NONE", Some("")),
            ("HTTPS_PROXY='$OF'", Some("$OF")),
            ("HTTPS_PROXY=\\$OF", Some("$OF")),
            ("HTTPS_PROXY=\"$OF\"", None),
            ("HTTPS_PROXY=${OF", None),
            ("HTTPS_PROXY: http://p:1", None),
            ("1HTTPS_PROXY=x", None),
            ("HTTPS_PROXY=", Some("")),
            ("HTTPS_PROXY= # none", Some("")),
            ("# HTTPS_PROXY=http://p:1", None),
            ("HTTPS_PROXY", None),
            ("\u{feff}", None),
        ] {
            let outside = |name: &str| match name {
                "ENV" | "OF" => Some("environment".to_owned()),
                "ENV_2" => Some("second".to_owned()),
                _ => None,
            };
            let found = dotenv(&format!("\nX='1\n1'\nOF=file\n{text}\r\nY=2\n"), outside);
            assert_eq!(found.get("HTTPS_PROXY").map(String::as_str), expected, "{text}");
            assert_eq!(&*found["X"], "1\n1", "{text}");
            // quotes that do not end take the rest of the file
            assert_eq!(found.contains_key("Y"), !text.ends_with("=\"a"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-Z =\"'#\n.é${}\\\\]{0,80}") {
            dotenv(&text, |_| None);
        }
    }
}
