//! Lists, page by page.

use serde_json::Value;

use super::{GitHub, GithubAnswer, Read};

/// Three pages of a hundred. `Page::total` shows that there are more.
const MOST_PAGES: usize = 3;

/// The elements that could be read.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// How many there are by the server's count; larger than `items` where pages were left out.
    pub total: u64,
    /// Elements of a shape that is not known.
    pub skipped: usize,
}

impl GitHub<'_> {
    /// The first page of the list under `key` (or of the answer itself, where it is a list), and
    /// how many there are.
    pub fn page<T: Read>(&self, path: &str, key: &str) -> GithubAnswer<Page<T>> {
        self.pages(path, key, 1)
    }

    /// The same, page after page.
    pub fn list<T: Read>(&self, path: &str, key: &str) -> GithubAnswer<Page<T>> {
        self.pages(path, key, MOST_PAGES)
    }

    fn pages<T: Read>(&self, path: &str, key: &str, most: usize) -> GithubAnswer<Page<T>> {
        let mut page = Page { items: Vec::new(), total: 0, skipped: 0 };
        let mut next = Some(self.url(path)?);
        for number in 0..most {
            let Some(url) = next else { break };
            // what the first pages say is worth having without the rest
            let (value, following) = match self.value(&url) {
                Ok(found) => found,
                Err(refusal) if number == 0 => return Err(refusal),
                Err(_) => break,
            };
            let elements =
                value.get(key).unwrap_or(&*value).as_array().map_or(&[][..], Vec::as_slice);
            for element in elements {
                match T::read(element) {
                    Some(item) => page.items.push(item),
                    None => page.skipped += 1,
                }
            }
            page.total = value.get("total_count").and_then(Value::as_u64).unwrap_or(page.total);
            next = following;
        }
        let read = u64::try_from(page.items.len() + page.skipped).unwrap_or(u64::MAX);
        page.total = page.total.max(read);
        Ok(page)
    }
}

/// The target of `rel="next"` in a Link header (RFC 8288, as far as GitHub uses it).
pub fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.split_once(';')?;
        let is_next = parameters
            .split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        target.trim().strip_prefix('<')?.strip_suffix('>').filter(|_| is_next)
    })
}
