//! The URLs of git remotes in one configuration file: exchanged in place, all other bytes untouched.

use serde::{Deserialize, Serialize};

use crate::git_config::{self, Malformed, Variable};

/// One `url` or `pushurl` of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub remote: String,
    /// `url` or `pushurl`.
    pub key: String,
    /// The value as git reads it.
    pub from: String,
    pub to: String,
    /// What a removal puts back when `from` holds a credential, which must stand nowhere else.
    pub without_credential: Option<String>,
}

/// What a later removal must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub remote: String,
    pub key: String,
    pub wrote: String,
    /// The bytes that stood in the place of the value, quotes and all.
    pub before: String,
}

/// The remotes' URLs of a configuration, in order.
pub fn urls(text: &[u8]) -> Result<impl Iterator<Item = Variable>, Malformed> {
    Ok(git_config::variables(text)?.into_iter().filter(|variable| {
        variable.section == "remote"
            && variable.subsection.is_some()
            && matches!(&*variable.key, "url" | "pushurl")
            && variable.value.is_some()
    }))
}

/// Exchanges the values that are still as expected. The list is empty where none was.
pub fn set(old: &[u8], exchanges: &[Exchange]) -> Result<(Vec<u8>, Vec<Written>), Malformed> {
    let mut text = old.to_vec();
    let mut written = Vec::new();
    for exchange in exchanges {
        let Some(variable) = locate(&text, &exchange.remote, &exchange.key, &exchange.from)? else {
            continue;
        };
        let before = match &exchange.without_credential {
            Some(url) => git_config::quoted(url),
            None => {
                String::from_utf8_lossy(text.get(variable.place.clone()).unwrap_or_default()).into_owned()
            }
        };
        text.splice(variable.place, git_config::quoted(&exchange.to).into_bytes());
        written.push(Written {
            remote: exchange.remote.clone(),
            key: exchange.key.clone(),
            wrote: exchange.to.clone(),
            before,
        });
    }
    Ok((text, written))
}

/// Puts the former values back. Returns the new text and the remotes that the user has changed since: kept.
pub fn unset(old: &[u8], written: &[Written]) -> Result<(Vec<u8>, Vec<String>), Malformed> {
    let mut text = old.to_vec();
    let mut kept = Vec::new();
    for entry in written.iter().rev() {
        match locate(&text, &entry.remote, &entry.key, &entry.wrote)? {
            Some(variable) => drop(text.splice(variable.place, entry.before.bytes())),
            // put back already by an interrupted removal, not yet written by an interrupted apply, or gone
            None if !differs(&text, entry)? => {}
            None => kept.push(format!("remote.{}.{}", entry.remote, entry.key)),
        }
    }
    Ok((text, kept))
}

/// Whether the remote has URLs, and the former one is not among them.
fn differs(text: &[u8], entry: &Written) -> Result<bool, Malformed> {
    let mut there = urls(text)?
        .filter(|url| url.subsection.as_ref() == Some(&entry.remote) && url.key == entry.key)
        .peekable();
    Ok(there.peek().is_some() && there.all(|url| text.get(url.place) != Some(entry.before.as_bytes())))
}

fn locate(text: &[u8], remote: &str, key: &str, value: &str) -> Result<Option<Variable>, Malformed> {
    Ok(urls(text)?.find(|variable| {
        variable.subsection.as_deref() == Some(remote)
            && variable.key == key
            && variable.value.as_deref() == Some(value)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[core]\n\tbare = false # kept\n[remote \"origin\"]\n\turl = \"https://h/o/r\"  ; mine\n\turl = https://h/o/r2\n\tpushurl = https://h/o/r\n[branch \"main\"]\n\tremote = origin\n";

    fn exchange(key: &str, from: &str) -> Exchange {
        Exchange {
            remote: "origin".to_owned(),
            key: key.to_owned(),
            from: from.to_owned(),
            to: "git@h:o/r.git".to_owned(),
            without_credential: None,
        }
    }

    #[test]
    fn exchanges_one_value_and_gives_it_back_to_the_byte() {
        let (new, written) =
            set(CONFIG.as_bytes(), &[exchange("url", "https://h/o/r"), exchange("pushurl", "https://h/o/r")])
                .unwrap();
        let expected = CONFIG
            .replace("\"https://h/o/r\"", "git@h:o/r.git")
            .replace("pushurl = https://h/o/r", "pushurl = git@h:o/r.git");
        assert_eq!(String::from_utf8_lossy(&new), expected);
        assert_eq!(unset(&new, &written).unwrap(), (CONFIG.as_bytes().to_vec(), vec![]));
    }

    #[test]
    fn keeps_what_the_user_changed_since() {
        let (new, written) = set(CONFIG.as_bytes(), &[exchange("url", "https://h/o/r")]).unwrap();
        let edited = String::from_utf8(new).unwrap().replace("git@h:o/r.git", "git@elsewhere:o/r.git");
        let (after, kept) = unset(edited.as_bytes(), &written).unwrap();
        assert_eq!((String::from_utf8(after).unwrap(), kept), (edited, vec!["remote.origin.url".to_owned()]));
    }

    #[test]
    fn a_credential_is_not_remembered() {
        let secret = format!("https://{}@h/o/r", "canary");
        let old = format!("[remote \"origin\"]\n\turl = {secret}\n");
        let exchange =
            Exchange { without_credential: Some("https://h/o/r".to_owned()), ..exchange("url", &secret) };
        let (new, written) = set(old.as_bytes(), &[exchange]).unwrap();
        assert!(!format!("{written:?}").contains("canary"));
        let (back, _) = unset(&new, &written).unwrap();
        assert_eq!(String::from_utf8(back).unwrap(), "[remote \"origin\"]\n\turl = https://h/o/r\n");
    }

    #[test]
    fn a_value_that_is_gone_is_passed_over() {
        assert_eq!(
            set(CONFIG.as_bytes(), &[exchange("url", "https://h/other")]).unwrap(),
            (CONFIG.as_bytes().to_vec(), vec![])
        );
    }
}
