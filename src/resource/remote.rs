//! The URLs of git remotes in one configuration file: exchanged in place, all other bytes
//! untouched.

use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    Ok(config::variables(text)?.filter(|variable| {
        variable.section == "remote"
            && variable.subsection.is_some()
            && matches!(&*variable.key, "url" | "pushurl")
            && variable.value.is_some()
    }))
}

/// Exchanges the values that are still as expected. The list is empty where none was.
pub fn set(old: &[u8], exchanges: &[Exchange]) -> Result<(Vec<u8>, Vec<WrittenUrl>), Malformed> {
    let urls: Vec<_> = urls(old)?.collect();
    let mut values = Values::of(old, &urls);
    let mut written = Vec::new();
    for exchange in exchanges {
        let taken = values.take(&exchange.remote, &exchange.key, &exchange.from, 0);
        let Some((nth, raw)) = taken else { continue };
        let before = match &exchange.without_credential {
            Some(url) => config::quoted(url),
            None => String::from_utf8_lossy(raw).into_owned(),
        };
        values.put(config::quoted(&exchange.to));
        written.push(WrittenUrl {
            remote: exchange.remote.clone(),
            key: exchange.key.clone(),
            wrote: exchange.to.clone(),
            nth,
            before,
        });
    }
    Ok((values.text(), written))
}

/// Puts the former values back. Returns the new text and the remotes that the user has changed
/// since: kept.
pub fn unset(old: &[u8], written: &[WrittenUrl]) -> Result<(Vec<u8>, Vec<String>), Malformed> {
    let urls: Vec<_> = urls(old)?.collect();
    let mut values = Values::of(old, &urls);
    let mut kept = Vec::new();
    for entry in written.iter().rev() {
        match values.take(&entry.remote, &entry.key, &entry.wrote, entry.nth) {
            Some(_) => values.put(entry.before.clone()),
            // put back already by an interrupted removal, not yet written by an interrupted apply,
            // or gone
            None if !values.differ(entry) => {}
            None => kept.push(format!("remote.{}.{}", entry.remote, entry.key)),
        }
    }
    Ok((values.text(), kept))
}

/// The values of a configuration while some of them are exchanged. Each step takes the same time,
/// however many remotes there are.
struct Values<'a> {
    text: &'a [u8],
    urls: &'a [ConfigVariable],
    /// The values of one key of one remote, in order, by their place among `urls`.
    of_key: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    /// Those that were not exchanged, by remote, key and value.
    left: BTreeMap<(&'a str, &'a str, &'a str), BTreeSet<usize>>,
    /// How often a key has these bytes now.
    raw: BTreeMap<(&'a str, &'a str), BTreeMap<Vec<u8>, usize>>,
    /// What is written instead of a value.
    new: BTreeMap<usize, String>,
    /// The one that was taken last.
    taken: usize,
}

impl<'a> Values<'a> {
    fn of(text: &'a [u8], urls: &'a [ConfigVariable]) -> Self {
        let mut values = Self {
            text,
            urls,
            of_key: BTreeMap::new(),
            left: BTreeMap::new(),
            raw: BTreeMap::new(),
            new: BTreeMap::new(),
            taken: 0,
        };
        for (at, url) in urls.iter().enumerate() {
            let Some((remote, key)) = values.key(at) else { continue };
            let value = url.value.as_deref().unwrap_or_default();
            values.of_key.entry((remote, key)).or_default().push(at);
            values.left.entry((remote, key, value)).or_default().insert(at);
            let raw = values.raw_at(at).to_vec();
            *values.raw.entry((remote, key)).or_default().entry(raw).or_default() += 1;
        }
        values
    }

    fn key(&self, at: usize) -> Option<(&'a str, &'a str)> {
        let url = self.urls.get(at)?;
        Some((url.subsection.as_deref()?, &url.key))
    }

    fn raw_at(&self, at: usize) -> &'a [u8] {
        let place = self.urls.get(at).map(|url| url.place.clone());
        place.and_then(|place| self.text.get(place)).unwrap_or_default()
    }

    /// Takes a value to be exchanged: the one at place `nth` among those of its key if it is so,
    /// else the first that is. Returns its place and its bytes.
    fn take(
        &mut self,
        remote: &'a str,
        key: &'a str,
        value: &'a str,
        nth: usize,
    ) -> Option<(usize, &'a [u8])> {
        let of_key = self.of_key.get(&(remote, key))?;
        let left = self.left.get_mut(&(remote, key, value))?;
        let there = of_key.get(nth).copied().filter(|at| left.contains(at));
        let at = there.or_else(|| left.first().copied())?;
        left.remove(&at);
        self.taken = at;
        Some((of_key.binary_search(&at).ok()?, self.raw_at(at)))
    }

    /// Writes these bytes instead of the value that was taken last.
    fn put(&mut self, raw: String) {
        let Some(key) = self.key(self.taken) else { return };
        let old = self.raw_at(self.taken);
        let counts = self.raw.entry(key).or_default();
        if let Some(count) = counts.get_mut(old) {
            *count -= 1;
            if *count == 0 {
                counts.remove(old);
            }
        }
        *counts.entry(raw.clone().into_bytes()).or_default() += 1;
        self.new.insert(self.taken, raw);
    }

    /// Whether the remote has URLs, and the former one is not among them.
    fn differ(&self, entry: &WrittenUrl) -> bool {
        let raw = self.raw.get(&(&*entry.remote, &*entry.key));
        raw.is_some_and(|raw| !raw.contains_key(entry.before.as_bytes()))
    }

    fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text.len());
        let mut copied = 0;
        for (at, new) in &self.new {
            let Some(url) = self.urls.get(*at) else { continue };
            text.extend(self.text.get(copied..url.place.start).unwrap_or_default());
            text.extend(new.as_bytes());
            copied = url.place.end;
        }
        text.extend(self.text.get(copied..).unwrap_or_default());
        text
    }
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
