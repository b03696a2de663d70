//! The SBOM: what `scripts/dependencies.py --sbom` writes for a release.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{ROOT, read};

const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

fn sbom(folder: &Path, epoch: &str) -> String {
    let file = folder.join("sbom.cdx.json");
    let made = Command::new("python3")
        .args(["scripts/dependencies.py", "--sbom"])
        .arg(&file)
        .args(TARGETS)
        .env("SOURCE_DATE_EPOCH", epoch)
        .env("CARGO_NET_OFFLINE", "true")
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::read_to_string(file).unwrap()
}

/// `name version` → checksum, as Cargo.lock has them.
fn checksums() -> BTreeMap<String, String> {
    let lock = read("Cargo.lock");
    let packages = lock.split("[[package]]\n").skip(1).filter_map(|package| {
        let field = |name: &str| {
            let line = package.lines().find(|line| line.starts_with(&format!("{name} = ")))?;
            Some(line.split('"').nth(1)?.to_owned())
        };
        Some((format!("{} {}", field("name")?, field("version")?), field("checksum")?))
    });
    packages.collect()
}

#[test]
fn every_crate_in_the_binaries_has_its_version_licence_and_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let text = sbom(folder.path(), "1700000000");
    let bom: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&bom["bomFormat"], &bom["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert_eq!(bom["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    let program = &bom["metadata"]["component"];
    assert_eq!(program["purl"], format!("pkg:cargo/pushready@{}", env!("CARGO_PKG_VERSION")));

    let locked = checksums();
    let components = bom["components"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for component in components {
        let field = |name: &str| component[name].as_str().unwrap().to_owned();
        let (name, version) = (field("name"), field("version"));
        assert_eq!(field("bom-ref"), field("purl"));
        let licence = component["licenses"][0]["expression"].as_str().unwrap();
        assert!(!licence.is_empty() && !licence.contains('/'), "{name}: {licence}");
        assert!(names.insert(field("purl")), "{name} twice");
        if name == "rust-std" {
            continue;
        }
        assert_eq!(field("purl"), format!("pkg:cargo/{name}@{version}"));
        let sum = component["hashes"][0]["content"].as_str().unwrap();
        assert_eq!((sum, sum.len()), (&*locked[&format!("{name} {version}")], 64), "{name}");
    }
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(has("rustls") && has("clap") && has("rust-std"), "{names:?}");
    assert!(!has("proptest") && !has("serde_derive") && !has("cc"), "not in the binaries");

    // the graph names what is there, and leads to everything
    let graph: BTreeMap<_, Vec<_>> = bom["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let needed = entry["dependsOn"].as_array().unwrap();
            (entry["ref"].as_str().unwrap(), needed.iter().map(|it| it.as_str().unwrap()).collect())
        })
        .collect();
    let mut reached = BTreeSet::new();
    let mut next = vec![program["purl"].as_str().unwrap()];
    while let Some(reference) = next.pop() {
        if reached.insert(reference) {
            next.extend(&graph[reference]);
        }
    }
    let missed: Vec<_> = names.iter().filter(|name| !reached.contains(&***name)).collect();
    assert!(matches!(&missed[..], [only] if only.contains("rust-std")), "{missed:?}");
}

#[test]
fn the_same_lock_file_and_date_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let first = sbom(folder.path(), "1700000000");
    assert!(first == sbom(folder.path(), "1700000000"));
    let later = sbom(folder.path(), "1700000001");
    let differ = first.lines().zip(later.lines()).filter(|(one, other)| one != other);
    let differ: Vec<_> = differ.map(|(one, _)| one.trim()).collect();
    assert_eq!(differ.len(), 2, "{differ:?}");
    assert!(differ[0].starts_with("\"serialNumber\": \"urn:uuid:"), "{differ:?}");
    assert!(differ[1].starts_with("\"timestamp\""), "{differ:?}");
}
