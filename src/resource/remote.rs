//! The URLs of git remotes in one configuration file: exchanged in place, all other bytes
//! untouched.

use serde::{Deserialize, Serialize};

use crate::git::config::{self, ConfigVariable, Malformed};

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
pub struct WrittenUrl {
    pub remote: String,
    pub key: String,
    pub wrote: String,
    /// Which of the values of this key it is, from 0: one remote may have two URLs of one
    /// repository.
    #[serde(default)]
    pub nth: usize,
    /// The bytes that stood instead of the value, quotes and all.
    pub before: String,
}

/// The remotes' URLs of a configuration, in order.
pub fn urls(text: &[u8]) -> Result<impl Iterator<Item = ConfigVariable>, Malformed> {
    Ok(config::variables(text)?.into_iter().filter(|variable| {
        variable.section == "remote"
            && variable.subsection.is_some()
            && matches!(&*variable.key, "url" | "pushurl")
            && variable.value.is_some()
    }))
}

/// Exchanges the values that are still as expected. The list is empty where none was.
pub fn set(old: &[u8], exchanges: &[Exchange]) -> Result<(Vec<u8>, Vec<WrittenUrl>), Malformed> {
    let mut text = old.to_vec();
    let mut written = Vec::new();
    for exchange in exchanges {
        let found = locate(&text, &exchange.remote, &exchange.key, &exchange.from, 0)?;
        let Some((nth, variable)) = found else { continue };
        let before = match &exchange.without_credential {
            Some(url) => config::quoted(url),
            None => String::from_utf8_lossy(text.get(variable.place.clone()).unwrap_or_default())
                .into_owned(),
        };
        text.splice(variable.place, config::quoted(&exchange.to).into_bytes());
        written.push(WrittenUrl {
            remote: exchange.remote.clone(),
            key: exchange.key.clone(),
            wrote: exchange.to.clone(),
            nth,
            before,
        });
    }
    Ok((text, written))
}

/// Puts the former values back. Returns the new text and the remotes that the user has changed
/// since: kept.
pub fn unset(old: &[u8], written: &[WrittenUrl]) -> Result<(Vec<u8>, Vec<String>), Malformed> {
    let mut text = old.to_vec();
    let mut kept = Vec::new();
    for entry in written.iter().rev() {
        match locate(&text, &entry.remote, &entry.key, &entry.wrote, entry.nth)? {
            Some((_, variable)) => drop(text.splice(variable.place, entry.before.bytes())),
            // put back already by an interrupted removal, not yet written by an interrupted apply,
            // or gone
            None if !differs(&text, entry)? => {}
            None => kept.push(format!("remote.{}.{}", entry.remote, entry.key)),
        }
    }
    Ok((text, kept))
}

/// Whether the remote has URLs, and the former one is not among them.
fn differs(text: &[u8], entry: &WrittenUrl) -> Result<bool, Malformed> {
    let mut there = urls(text)?
        .filter(|url| url.subsection.as_ref() == Some(&entry.remote) && url.key == entry.key)
        .peekable();
    Ok(there.peek().is_some()
        && there.all(|url| text.get(url.place) != Some(entry.before.as_bytes())))
}

/// Where a value is among those of its key: at place `nth` if it is there, else the first of
/// its kind.
fn locate(
    text: &[u8],
    remote: &str,
    key: &str,
    value: &str,
    nth: usize,
) -> Result<Option<(usize, ConfigVariable)>, Malformed> {
    let of_key = |variable: &ConfigVariable| {
        variable.subsection.as_deref() == Some(remote) && variable.key == key
    };
    let mut matching: Vec<_> = urls(text)?
        .filter(of_key)
        .enumerate()
        .filter(|(_, variable)| variable.value.as_deref() == Some(value))
        .collect();
    let at = matching.iter().position(|(place, _)| *place == nth).unwrap_or(0);
    Ok((at < matching.len()).then(|| matching.swap_remove(at)))
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
        let (new, written) = set(
            CONFIG.as_bytes(),
            &[exchange("url", "https://h/o/r"), exchange("pushurl", "https://h/o/r")],
        )
        .unwrap();
        let expected = CONFIG
            .replace("\"https://h/o/r\"", "git@h:o/r.git")
            .replace("pushurl = https://h/o/r", "pushurl = git@h:o/r.git");
        assert_eq!(String::from_utf8_lossy(&new), expected);
        assert_eq!(unset(&new, &written).unwrap(), (CONFIG.as_bytes().to_vec(), vec![]));
    }

    #[test]
    fn two_urls_of_one_repository_come_back_in_their_order() {
        let old = "[remote \"origin\"]\n\turl = https://h/o/r.git\n\turl = https://h/o/r\n\turl = git@h:o/r.git\n";
        let exchanges = [exchange("url", "https://h/o/r.git"), exchange("url", "https://h/o/r")];
        let (new, written) = set(old.as_bytes(), &exchanges).unwrap();
        assert_eq!(String::from_utf8_lossy(&new).matches("git@h:o/r.git").count(), 3);
        let (back, kept) = unset(&new, &written).unwrap();
        assert_eq!((String::from_utf8(back).unwrap(), kept), (old.to_owned(), vec![]));
    }

    #[test]
    fn keeps_what_the_user_changed_since() {
        let (new, written) = set(CONFIG.as_bytes(), &[exchange("url", "https://h/o/r")]).unwrap();
        let edited =
            String::from_utf8(new).unwrap().replace("git@h:o/r.git", "git@elsewhere:o/r.git");
        let (after, kept) = unset(edited.as_bytes(), &written).unwrap();
        assert_eq!(
            (String::from_utf8(after).unwrap(), kept),
            (edited, vec!["remote.origin.url".to_owned()])
        );
    }

    #[test]
    fn a_credential_is_not_remembered() {
        let secret = format!("https://{}@h/o/r", "canary");
        let old = format!("[remote \"origin\"]\n\turl = {secret}\n");
        let exchange = Exchange {
            without_credential: Some("https://h/o/r".to_owned()),
            ..exchange("url", &secret)
        };
        let (new, written) = set(old.as_bytes(), &[exchange]).unwrap();
        assert!(!format!("{written:?}").contains("canary"));
        let (back, _) = unset(&new, &written).unwrap();
        assert_eq!(
            String::from_utf8(back).unwrap(),
            "[remote \"origin\"]\n\turl = https://h/o/r\n"
        );
    }

    #[test]
    fn a_value_that_is_gone_is_ignored() {
        assert_eq!(
            set(CONFIG.as_bytes(), &[exchange("url", "https://h/other")]).unwrap(),
            (CONFIG.as_bytes().to_vec(), vec![])
        );
    }
}
