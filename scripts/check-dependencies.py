#!/usr/bin/env python3
"""Holds the crates in the program to its rules, without the network: licences, one version of each, no OpenSSL."""

import subprocess
import sys

LICENCES = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib",
            "Unicode-3.0", "Unlicense", "0BSD", "CC0-1.0"}
BANNED = {"openssl-sys", "native-tls"}


def allowed(expression: str) -> bool:
    """Whether one alternative of an SPDX expression is made of allowed licences only."""
    expression = expression.replace("/", " OR ").replace("(", "").replace(")", "")
    return any(all(part.strip() in LICENCES for part in choice.split(" AND ")) for choice in expression.split(" OR "))


tree = subprocess.check_output(
    ["cargo", "tree", "--locked", "--edges=normal", "--prefix=none", "--no-dedupe", "--format={p}|{l}"], text=True)
faults: list[str] = []
versions: dict[str, set[str]] = {}
for line in sorted(set(tree.splitlines())):
    package, licence = line.split("|")
    name, version = package.split()[:2]
    versions.setdefault(name, set()).add(version)
    if not allowed(licence):
        faults.append(f"{name}: licence {licence or 'unknown'}")
    if name in BANNED:
        faults.append(f"{name}: banned")
faults += [f"{name}: in versions {', '.join(sorted(found))}" for name, found in versions.items() if len(found) > 1]
for fault in faults:
    print(f"error: {fault}", file=sys.stderr)
print(f"{len(versions) - 1} crates, {len(faults)} faults")
sys.exit(bool(faults))
