//! ARCHITECTURE.md names files and folders that exist.

use std::path::Path;

#[test]
fn every_path_in_the_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = include_str!("../ARCHITECTURE.md");
    let roots = ["src/", "tests/", "scripts/", "schema/", "examples/", "docs/"];
    let is_path = |word: &&str| {
        let is_document = |end| Path::new(word).extension().is_some_and(|found| found == end);
        roots.iter().any(|root| word.starts_with(root)) || is_document("toml") || is_document("md")
    };
    let paths: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !word.contains(' '))
        .filter(is_path)
        .collect();
    assert!(paths.len() > 60, "{}", paths.len());
    let missing: Vec<_> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what does not exist: {missing:?}");
}

#[test]
fn every_module_is_in_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = include_str!("../ARCHITECTURE.md");
    for entry in std::fs::read_dir(root.join("src")).into_iter().flatten().flatten() {
        let mut name = format!("src/{}", entry.file_name().display());
        if entry.path().is_dir() {
            name.push('/');
        }
        assert!(text.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {name}");
    }
}
