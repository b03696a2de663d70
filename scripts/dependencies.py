#!/usr/bin/env python3
"""Checks the rules for the crates in the program, without the network: licences, one version of each, no OpenSSL.

dependencies.py                             the check, for every machine that releases are made for
dependencies.py --licences FILE TARGET...   a report for a release: the crates in its binaries, and their licence texts
"""

import json
import subprocess
import sys
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


if sys.argv[1:2] == ["--licences"]:
    report(Path(sys.argv[2]), sys.argv[3:])
else:
    sys.exit(check())
