//! Names that Coder accepts, and the names of the workspaces that are made for a chat: those can be
//! recognized later, because a workspace has no labels. Pure.

use sha2::{Digest as _, Sha256};

/// Coder's limit for tasks and workspaces.
const LONGEST: usize = 32;
/// Of the name, in the name of its workspace.
const OF_THE_NAME: usize = 23;

/// Why Coder does not accept a name.
pub fn fault(name: &str) -> Option<&'static str> {
    match () {
        () if name.is_empty() => Some("it is empty"),
        () if name.len() > LONGEST => Some("it is longer than 32 characters"),
        () if name == "new" || name == "create" => Some("it is a word that Coder keeps to itself"),
        () if slug(name, LONGEST) != name.to_ascii_lowercase() => {
            Some("it may have letters, digits and single hyphens between them")
        }
        () => None,
    }
}

/// Letters, digits and single hyphens of a text, in lower case, at most so many.
pub fn slug(text: &str, most: usize) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        if slug.len() >= most {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Some characters that follow from the texts.
pub fn mark(texts: &[&str], length: usize) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digit =
        |byte: &u8| DIGITS.get(usize::from(byte % 32)).map_or('a', |&digit| char::from(digit));
    hash.finalize().iter().map(digit).take(length).collect()
}

/// A name for a task that was given none.
pub fn generate(prompt: &str, random: &str) -> String {
    let slug = slug(prompt, LONGEST - 7);
    let slug = if slug.is_empty() { "task".to_owned() } else { slug };
    format!("{slug}-{}", mark(&["name", random], 6))
}

/// The name of the workspace that is made for the chat of this name: its last eight characters
/// follow from what is before them, from the owner and from the name.
pub fn workspace(owner_id: &str, name: &str) -> String {
    let slug = slug(name, OF_THE_NAME);
    let of_name = mark(&["name", name], 4);
    let check = mark(&["workspace", owner_id, &slug, &of_name], 4);
    format!("{slug}-{of_name}{check}")
}

/// Whether pushready made up this name for a workspace of this owner.
pub fn is_made_up(owner_id: &str, workspace: &str) -> bool {
    let Some((slug, marks)) = workspace.rsplit_once('-') else { return false };
    let Some((of_name, check)) = marks.split_at_checked(4) else { return false };
    mark(&["workspace", owner_id, slug, of_name], 4) == check
}

/// A value that a label may have: 1 to 256 bytes.
pub fn label(text: &str) -> String {
    let mut value = String::new();
    for character in text.chars().filter(|character| !character.is_control()) {
        if value.len() + character.len_utf8() > 256 {
            break;
        }
        value.push(character);
    }
    value
}

/// Why Coder does not accept a label.
pub fn label_fault(key: &str, value: &str) -> Option<&'static str> {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    match () {
        () if key.is_empty() || key.len() > 64 => Some("a key has 1 to 64 characters"),
        () if !key.bytes().all(is_of_key)
            || !key.starts_with(|first: char| first.is_ascii_alphanumeric()) =>
        {
            Some(
                "a key may have letters, digits, `.`, `_`, `/` and `-`, and begins with a letter or digit",
            )
        }
        () if value.is_empty() || value.len() > 256 => Some("a value has 1 to 256 bytes"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coders_rules_for_names() {
        for (name, ok) in [
            ("fix-42", true),
            ("Fix42", true),
            ("a", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a--b", false),
            ("a_b", false),
            ("new", false),
            ("create", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(fault(name).is_none(), ok, "{name}");
        }
    }

    #[test]
    fn a_made_up_workspace_is_recognized_by_its_name() {
        for name in ["fix-42", "Fix-42", "a-name-that-is-as-long-as-it-can", "acme-x1y-1-3f2a"] {
            let workspace = workspace("owner", name);
            assert_eq!(fault(&workspace), None, "{workspace}");
            assert!(is_made_up("owner", &workspace) && !is_made_up("other", &workspace));
        }
        assert_ne!(workspace("o", "Fix-42"), workspace("o", "fix-42"));
        for name in ["fix-42", "dev", "my-box-abcdefgh", "x-abcd"] {
            assert!(!is_made_up("owner", name), "{name}");
        }
    }

    #[test]
    fn a_generated_name_is_valid() {
        for prompt in ["Fix the login test!", "", "…", "new", "日本語", "--- a --- b"] {
            let name = generate(prompt, "1");
            assert_eq!(fault(&name), None, "{name}");
            assert_ne!(name, generate(prompt, "2"));
        }
    }

    #[test]
    fn labels_that_the_server_would_refuse() {
        for (key, value, ok) in [
            ("run", "77", true),
            ("a.b_c/d-e", "o/r:x", true),
            ("run", "", false),
            ("", "x", false),
            ("-a", "x", false),
            ("a b", "x", false),
        ] {
            assert_eq!(label_fault(key, value).is_none(), ok, "{key}={value}");
        }
        assert_eq!(label("a\nb\u{1b}"), "ab");
        assert_eq!(label(&"é".repeat(200)).len(), 256);
    }
}
