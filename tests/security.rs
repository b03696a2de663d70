//! Every test that SECURITY.md names exists.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

#[test]
fn every_promise_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let (before, test) = line.strip_suffix("` |")?.rsplit_once("` | `")?;
            Some((before.rsplit_once('`')?.1, test))
        })
        .collect();
    assert!(rows.len() > 10, "{rows:?}");
    for (file, test) in rows {
        let source = fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(
            source.contains(&format!("#[test]\nfn {test}("))
                || source.contains(&format!("#[test]\n    fn {test}(")),
            "{file} has no test {test}"
        );
    }
}
