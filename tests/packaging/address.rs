//! The project has one address, and one place that names it.

use std::fs;
use std::path::Path;

use super::{ROOT, files};

#[test]
fn the_address_of_the_project_is_in_cargo_toml_alone() {
    let address = env!("CARGO_PKG_REPOSITORY");
    let name = address.strip_prefix("https://github.com/").unwrap();
    let (owner, repository) = name.split_once('/').unwrap();
    assert!(!owner.is_empty() && repository == "pushready", "{address}");
    let with_it: Vec<_> = files()
        .into_iter()
        .filter(|file| {
            let bytes = fs::read(Path::new(ROOT).join(file)).unwrap_or_default();
            bytes.windows(name.len()).any(|part| part == name.as_bytes())
        })
        .collect();
    assert_eq!(with_it, [Path::new("Cargo.toml")], "they take it from there, or do without");
}
