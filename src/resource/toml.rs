//! TOML of others, decoded within a bound.

use toml_edit::{DocumentMut, TomlError};

/// So many keys, values and tables are decoded of the files that are judged together. toml_edit
/// takes three hundred bytes for each, and the largest config.toml in the field has some thousands.
pub const PARTS: usize = 100_000;

/// Why a text was not decoded.
#[derive(Debug)]
pub enum TomlRefusal {
    TooManyParts,
    NotToml(TomlError),
}

/// Decodes `text`, and takes its parts off those that are `left`. What separates two parts is
/// counted, in strings and comments too: there are at most so many.
pub fn parse(text: &str, left: &mut usize) -> Result<DocumentMut, TomlRefusal> {
    let parts = text.bytes().filter(|byte| b".=,[{".contains(byte)).count();
    *left = left.checked_sub(parts).ok_or(TomlRefusal::TooManyParts)?;
    text.parse().map_err(TomlRefusal::NotToml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_every_form_are_counted_before_they_are_decoded() {
        for (text, parts) in [
            ("", 0),
            ("# a comment", 0),
            ("a = 1\nb = 2", 2),
            ("a.b.c = 1", 3),
            ("[a]\n[b.c]", 3),
            ("[[a]]", 2),
            ("a = [1, 2, 3]", 4),
            ("a = {b = 1, c = 2}", 5),
        ] {
            let mut left = 10;
            parse(text, &mut left).unwrap();
            assert_eq!(10 - left, parts, "{text}");
            let mut left = parts;
            parse(text, &mut left).unwrap();
            if let Some(mut less) = parts.checked_sub(1) {
                let refused = parse(text, &mut less);
                assert!(matches!(refused, Err(TomlRefusal::TooManyParts)), "{text}");
            }
        }
        assert!(matches!(parse("a = [", &mut 10), Err(TomlRefusal::NotToml(_))));
    }
}
