#!/usr/bin/env python3
"""Checks the rules for the crates in the program, without the network: licences, one version of each, no OpenSSL.

dependencies.py                             the check, for every machine that releases are made for
dependencies.py --licences FILE TARGET...   a report for a release: the crates in its binaries, and their licence texts
dependencies.py --sbom FILE TARGET...       the same crates as CycloneDX JSON, with their checksums; the same bytes for the same
                                            Cargo.lock, compiler and SOURCE_DATE_EPOCH
"""

import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

LICENCES = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib",
            "Unicode-3.0", "Unlicense", "0BSD", "CC0-1.0"}
BANNED = {"openssl-sys", "native-tls"}
# ring has an older one than the random numbers of tungstenite
TWICE = {"getrandom"}
# of releases: musl, and glibc where there is no musl
TARGETS = [f"{machine}-unknown-linux-{libc}" for machine in ("x86_64", "aarch64") for libc in ("musl", "gnu")]
TEXTS = ("licen", "copying", "notice", "copyright", "unlicense")


def crates(targets: list[str], edges: str) -> dict[tuple[str, str], str]:
    """What the program needs on any of these targets, without pushready itself: (name, version) → SPDX expression."""
    found: dict[tuple[str, str], str] = {}
    for target in targets:
        tree = subprocess.check_output(
            ["cargo", "tree", "--locked", f"--edges={edges}", "--prefix=none", "--no-dedupe",
             f"--target={target}", "--format={p}|{l}"], text=True)
        for line in tree.splitlines()[1:]:
            package, licence = line.split("|")
            name, version = package.split()[:2]
            found[name, version.removeprefix("v")] = licence
    return found


def allowed(expression: str) -> bool:
    """Whether one alternative of an SPDX expression is made of allowed licences only."""
    expression = expression.replace("/", " OR ").replace("(", "").replace(")", "")
    return any(all(part.strip() in LICENCES for part in choice.split(" AND ")) for choice in expression.split(" OR "))


def check() -> int:
    found = crates(TARGETS, "normal")
    faults = [f"{name}: licence {licence or 'unknown'}" for (name, _), licence in found.items() if not allowed(licence)]
    faults += [f"{name}: banned" for name, _ in found if name in BANNED]
    # a macro of an older version is in no binary
    names = [name for name, _ in crates(TARGETS, "normal,no-proc-macro")]
    faults += [f"{name}: in several versions" for name in sorted(set(names) - TWICE) if names.count(name) > 1]
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    print(f"{len(found)} crates, {len(faults)} faults")
    return bool(faults)


def report(file: Path, targets: list[str]) -> None:
    """Every crate with its licence; then each text once, under the crates that ship it."""
    metadata = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--locked", "--format-version=1", *(f"--filter-platform={target}" for target in targets)]))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    out = [f"What is in the binaries of pushready ({', '.join(targets)}) in addition to its own code,",
           "which is under MIT or Apache-2.0, and the standard library of Rust (MIT or Apache-2.0).", ""]
    texts: dict[str, list[str]] = {}
    for (name, version), licence in sorted(crates(targets, "normal,no-proc-macro").items()):
        package = packages[name, version]
        shipped = sorted(path for path in Path(package["manifest_path"]).parent.iterdir()
                         if path.is_file() and path.name.lower().startswith(TEXTS))
        for path in shipped:
            texts.setdefault(path.read_text("utf-8", "replace").strip(), []).append(f"{name} {version}: {path.name}")
        without = "" if shipped else f"  (ships no text: {package['repository']})"
        out.append(f"{name} {version}: {licence}{without}")
    musl = Path("/usr/share/doc/musl/copyright")
    if any(target.endswith("musl") for target in targets) and musl.exists():
        texts.setdefault(musl.read_text().strip(), []).append("musl")
    for text, shippers in sorted(texts.items(), key=lambda item: item[1]):
        out += ["", "=" * 100, *shippers, "-" * 100, text]
    file.write_text("\n".join(out) + "\n")


def component(kind: str, name: str, version: str, licence: str, more: dict) -> dict:
    """A component of CycloneDX 1.6 that is referred to by its package URL."""
    purl = f"pkg:{more.pop('purl', f'cargo/{name}@{version}')}"
    # crates of before 2018 write OR as a slash
    licences = [{"expression": licence.replace("/", " OR ")}]
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "licenses": licences, "purl": purl, **more}


def sbom(file: Path, targets: list[str]) -> None:
    """The crates in the binaries, and Rust's standard library, as CycloneDX 1.6."""
    metadata = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--locked", "--format-version=1", *(f"--filter-platform={target}" for target in targets)]))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    lock = tomllib.loads(Path("Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    found = crates(targets, "normal,no-proc-macro")

    components = []
    for (name, version), licence in sorted(found.items()):
        more: dict = {}
        if checksum := checksums[name, version]:
            more["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if repository := packages[name, version]["repository"]:
            more["externalReferences"] = [{"type": "vcs", "url": repository}]
        components.append(component("library", name, version, licence, more))
    rust = subprocess.check_output(["rustc", "--version"], text=True).split()[1]
    std = {"purl": f"generic/rust-std@{rust}", "description": "Rust's standard library, with musl where the target is musl",
           "externalReferences": [{"type": "vcs", "url": "https://github.com/rust-lang/rust"}]}
    components.append(component("library", "rust-std", rust, "MIT OR Apache-2.0", std))

    root = metadata["resolve"]["root"]
    own = next(package for package in metadata["packages"] if package["id"] == root)
    program = component("application", own["name"], own["version"], own["license"], {"description": own["description"]})
    keys = {package["id"]: key for key, package in packages.items()}
    references = {key: f"pkg:cargo/{key[0]}@{key[1]}" for key in found} | {keys[root]: program["bom-ref"]}
    graph = []
    for node in metadata["resolve"]["nodes"]:
        if (key := keys[node["id"]]) in references:
            # not what only tests and build scripts need
            needed = {keys[need["pkg"]] for need in node["deps"] if any(kind["kind"] is None for kind in need["dep_kinds"])}
            graph.append({"ref": references[key], "dependsOn": sorted(references[key] for key in needed & set(found))})

    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": program,
            "properties": [{"name": "pushready:target", "value": target} for target in sorted(targets)],
        },
        "components": components,
        "dependencies": sorted(graph, key=lambda entry: entry["ref"]),
    }
    # of the content, so that it is the same for the same content
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))
    file.write_text(json.dumps({"serialNumber": serial.urn, **bom}, indent=2) + "\n")


if sys.argv[1:] in (["-h"], ["--help"]):
    sys.exit(print(__doc__))
if sys.argv[1:2] == ["--licences"]:
    report(Path(sys.argv[2]), sys.argv[3:])
elif sys.argv[1:2] == ["--sbom"]:
    sbom(Path(sys.argv[2]), sys.argv[3:])
else:
    sys.exit(check())
