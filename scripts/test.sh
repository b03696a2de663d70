#!/bin/sh
# Runs all checks: formatting, lints, dependencies, unit tests, behaviour tests, and a whole run from end to end.
#   test.sh             runs what the installed tools allow; names and counts what it had to skip
#   test.sh --install   installs the tools first (Debian and npm packages, pinned); a skip is then a failure, but for terraform's
set -eu
cd "$(dirname "$0")/.."
PUSHREADY_SKIPS=$(mktemp)
export PUSHREADY_SKIPS
trap 'rm -f "$PUSHREADY_SKIPS" "${picture:-}"' EXIT

step() { printf '\n=== %s\n' "$*"; }
skip() { echo "SKIPPED $1" | tee -a "$PUSHREADY_SKIPS" >&2; }
have() { PATH=$PATH:/usr/sbin command -v "$1" >/dev/null; }
# runs COMMAND if TOOL is installed: with TOOL COMMAND...
with() { if have "$1"; then shift && "$@"; else skip "$2: $1 not found"; fi; }

if [ "${1:-}" = --install ]; then
  step install
  scripts/install-test-tools.sh
  export PUSHREADY_NO_SKIP=1
fi

step format
cargo fmt --check
step lints
cargo clippy --quiet --locked --all-targets -- --deny warnings
with shellcheck shellcheck scripts/*.sh scripts/coder/*.sh tests/behaviour/support/sandbox.sh tests/behaviour/support/serve tests/behaviour/support/coder
# main.tf adds the first lines of these
with shellcheck shellcheck --shell=sh --exclude=SC2154 scripts/coder/scripts/*.sh
step dependencies
with python3 scripts/dependencies.py
step package
cargo package --quiet --locked --offline --no-verify --allow-dirty

step release
# the other machine's binary needs tools that not every developer has
case $(uname -m) in x86_64) other=aarch64 ;; *) other=x86_64 ;; esac
if ! have $other-linux-gnu-gcc; then
  skip "the $other binary: $other-linux-gnu-gcc not found"
elif ! rustup target add $other-unknown-linux-musl; then
  # a warning, not a failure: Rust's standard library does not come from the same source as all other tools
  lacking="Rust's $other-unknown-linux-musl cannot be installed here: the $other binary was neither built nor run"
else
  other=
fi
PUSHREADY_RELEASE=$PWD/target/release-files
export PUSHREADY_RELEASE
# shellcheck disable=SC2046,SC2086 # an option and its value, or none
scripts/release.sh ${other:+--only $(uname -m)}
# from here on, test the released binary, not the one with debug assertions
PUSHREADY_BIN=$(echo "$PUSHREADY_RELEASE"/pushready-*-"$(uname -m)"-linux)
export PUSHREADY_BIN
step test
# many tests wait: for a server that hangs, for a lock, for a child
RUST_TEST_THREADS=$(($(nproc) * 2)) cargo test --quiet --locked

step "a whole run, from end to end"
with bwrap scripts/try.sh
# and in a terminal, where git and other programs behave differently
picture=$(mktemp)
if have bwrap; then with python3 scripts/picture.py "$picture"; fi

step summary
skips=$(wc -l <"$PUSHREADY_SKIPS")
if [ "$skips" -gt 0 ]; then
  echo "$skips skipped:"
  sed 's/^/  /' "$PUSHREADY_SKIPS"
  echo "hint: scripts/test.sh --install installs what is missing"
  # terraform is in none of the registries in use
  if [ "${PUSHREADY_NO_SKIP:-}" ] && grep -qv ': terraform not found$' "$PUSHREADY_SKIPS"; then exit 1; fi
fi
[ -z "${lacking:-}" ] || echo "warning: $lacking" >&2
echo "all good, $skips skipped"
