#!/usr/bin/env python3
"""Makes a release of this commit: one command, nothing is published.

new-release.py [--dry-run] [--no-build] VERSION
  VERSION      greater than every released one, such as 0.2.0 or 1.0.0-rc.1
  --dry-run    checks everything and prints what would change; changes nothing
  --no-build   leaves the build to the workflow release.yml, which runs when the tag is pushed

It checks that the tree is clean, that the version is greater and that CHANGELOG.md's Unreleased has entries; writes the version into
Cargo.toml, Cargo.lock, the changelog and the examples; commits; runs scripts/release.sh (about 6 minutes for each machine); makes the
tag; and prints the next steps. Interrupted or failed, it removes its commit again; killed between commit and tag, the same command
continues. docs/releasing.md has the checklist.
"""

import difflib
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
                    r"(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?")
# they name the version in an address or in an image
EXAMPLES = ["scripts/coder/README.md", "examples/pod/pod.yaml"]


class Refused(Exception):
    """Nothing was changed, and the message says what is needed."""


def git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], text=True).strip()


def order(version: str) -> tuple:
    """The precedence of SemVer: a pre-release is before its release, its numbers are before its words."""
    parts = SEMVER.fullmatch(version)
    if not parts:
        raise Refused(f"{version!r} is not a version like 0.2.0 or 1.0.0-rc.1")
    numbers = tuple(int(part) for part in parts.groups()[:3])
    words = [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in (parts[4] or "").split(".") if word]
    return (*numbers, not words, words)


def constant(name: str) -> str:
    found = re.search(rf'^{name} = "(.*)"$', Path("Cargo.toml").read_text(), re.MULTILINE)
    if not found:
        raise Refused(f"Cargo.toml has no {name}")
    return found[1]


def subject(version: str) -> str:
    return f"release: {version}"


def check(version: str) -> None:
    current, tags = constant("version"), git("tag", "--list", "v*").splitlines()
    released = [tag[1:] for tag in tags if SEMVER.fullmatch(tag[1:])]
    order(version)
    if changed := git("status", "--porcelain"):
        raise Refused(f"the tree has changes: commit or remove them first\n{changed}")
    if f"v{version}" in tags:
        raise Refused(f"v{version} is a tag already")
    for other in released:
        if order(version) < order(other):
            raise Refused(f"{version} is not greater than {other}, which is released")
    if order(version) < order(current):
        raise Refused(f"{version} is smaller than {current} of Cargo.toml")


def once(text: str, old: str, new: str, place: str) -> str:
    if text.count(old) != 1:
        raise Refused(f"{place}: {old.strip()!r} is there {text.count(old)} times, not once")
    return text.replace(old, new)


def entries() -> str:
    """What the changelog has under Unreleased."""
    found = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", Path("CHANGELOG.md").read_text(), re.MULTILINE | re.DOTALL)
    if not found or not re.search(r"^- \S", found[1], re.MULTILINE):
        raise Refused("CHANGELOG.md has no entries under Unreleased: what is in this release?")
    return found[1].strip()


def edits(version: str) -> dict[Path, str]:
    """Every file that the release changes, with its new text."""
    current, today = constant("version"), datetime.now(UTC).strftime("%Y-%m-%d")
    entries()
    new = {}

    def edit(name: str, old: str, replacement: str) -> None:
        new[Path(name)] = once(Path(name).read_text(), old, replacement, name)

    edit("CHANGELOG.md", "## Unreleased\n", f"## Unreleased\n\n## {version} - {today}\n")
    if version != current:
        edit("Cargo.toml", f'\nversion = "{current}"\n', f'\nversion = "{version}"\n')
        package = 'name = "pushready"\nversion = '
        edit("Cargo.lock", f'{package}"{current}"\n', f'{package}"{version}"\n')
        for name in EXAMPLES:
            text = Path(name).read_text()
            new[Path(name)] = re.sub(rf"(?<![\w.]){re.escape(current)}(?![\w.])|(?<=v){re.escape(current)}(?![\w.])", version, text)
    return {path: text for path, text in new.items() if text != path.read_text()}


def show(new: dict[Path, str]) -> None:
    for path, text in new.items():
        lines = difflib.unified_diff(path.read_text().splitlines(True), text.splitlines(True), str(path), str(path), n=1)
        print("".join(lines), end="")


def write(new: dict[Path, str]) -> None:
    for path, text in new.items():
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text)
        temporary.chmod(path.stat().st_mode)
        os.replace(temporary, path)


def build(version: str) -> None:
    print("build the binaries (about 6 minutes for each machine)", flush=True)
    subprocess.run(["scripts/release.sh"], check=True)
    # of this commit, not of an earlier one
    provenance = Path("target/release-files/PROVENANCE.txt").read_text()
    if git("rev-parse", "HEAD") not in provenance or not list(Path("target/release-files").glob(f"pushready-{version}-*-linux")):
        raise Refused("target/release-files does not contain this commit's release")


def tag(version: str) -> None:
    text = Path("CHANGELOG.md").read_text()
    section = re.search(rf"^## {re.escape(version)} [^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    notes = section[1].strip() if section else ""
    # a line of the notes that begins with # is a heading
    subprocess.run(["git", "tag", "--annotate", f"v{version}", "--cleanup=whitespace", "--file=-"],
                   input=f"pushready {version}\n\n{notes}\n", text=True, check=True)


def next_steps(version: str, built: bool) -> None:
    address = constant("repository")
    branch = git("branch", "--show-current") or "main"
    print(f"\nv{version} is made here, and nothing is published. Next:")
    print(f"  git show v{version}")
    if "/OWNER/" in address:
        print(f"  replace OWNER of `repository` in Cargo.toml: without it install.sh has no address ({address})")
    if built:
        print("  (cd target/release-files && sha256sum --check --quiet SHA256SUMS)")
    print(f"  git push origin {branch} v{version}    # the workflow release.yml builds it again and drafts the release")
    print("  docs/releasing.md has the rest of the checklist")
    print(f"To undo it before that: git tag -d v{version} && git reset --hard HEAD~1")


def release(version: str, built: bool) -> None:
    before = git("rev-parse", "HEAD")
    resumed = git("log", "-1", "--format=%s") == subject(version)
    if resumed:
        check_resumed(version)
        before = git("rev-parse", "HEAD~1")
        print(f"continue with the commit {git('rev-parse', '--short', 'HEAD')}, which has no tag")
    else:
        check(version)
        new = edits(version)
    done = False
    try:
        if not resumed:
            write(new)
            # the lock file agrees with the manifest, and no network is needed for it
            subprocess.run(["cargo", "metadata", "--locked", "--offline", "--format-version=1"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["git", "commit", "--quiet", "--message", subject(version), "--", *map(str, new)], check=True)
        if built:
            build(version)
        tag(version)
        done = True
    finally:
        if not done:
            # the tree was clean, and the commit is this program's own
            subprocess.run(["git", "reset", "--quiet", "--hard", before], check=True)
            print(f"undone: HEAD is {before[:9]} again", file=sys.stderr)


def check_resumed(version: str) -> None:
    if f"v{version}" in git("tag", "--list").splitlines():
        raise Refused(f"v{version} is a tag already")
    if changed := git("status", "--porcelain"):
        raise Refused(f"the tree has changes: commit or remove them first\n{changed}")


def main() -> int:
    arguments = sys.argv[1:]
    options = {argument for argument in arguments if argument.startswith("-")}
    versions = [argument for argument in arguments if not argument.startswith("-")]
    if options & {"-h", "--help"}:
        print(__doc__, end="")
        return 0
    if options - {"--dry-run", "--no-build"} or len(versions) != 1:
        print("usage: new-release.py [--dry-run] [--no-build] VERSION", file=sys.stderr)
        return 2
    version, built = versions[0].removeprefix("v"), "--no-build" not in options
    os.chdir(Path(__file__).resolve().parent.parent)
    # so that what was begun is undone
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        if "--dry-run" in options:
            check(version)
            show(edits(version))
            print(f"would commit this as {subject(version)!r}, {'run scripts/release.sh, ' if built else ''}and make the tag v{version}")
            return 0
        release(version, built)
    except (Refused, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    next_steps(version, built)
    return 0


sys.exit(main())
