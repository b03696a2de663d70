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

/// Reads the variables of a `.env` file, as dotenvy does for Codex.
pub fn dotenv(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let name = name.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        (!name.is_empty() && name.chars().all(is_name))
            .then(|| (name.to_owned(), unquoted(value.trim())))
    };
    text.lines().filter_map(line).collect()
}

/// A value without its quotes, or without the comment behind it.
fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or_default().to_owned();
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    let value = value.get(..end).unwrap_or(value).trim_end();
    if value.starts_with('#') { String::new() } else { value.to_owned() }
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
            ("HTTPS_PROXY=", Some("")),
            ("HTTPS_PROXY= # none", Some("")),
            ("# HTTPS_PROXY=http://p:1", None),
            ("HTTPS_PROXY", None),
            ("\u{feff}", None),
        ] {
            let found = dotenv(&format!("\nX=1\n{text}\r\nY=2\n"));
            assert_eq!(found.get("HTTPS_PROXY").map(String::as_str), expected, "{text}");
            assert_eq!((&*found["X"], &*found["Y"]), ("1", "2"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-Z =\"'#\n.é]{0,80}") {
            dotenv(&text);
        }
    }
}
