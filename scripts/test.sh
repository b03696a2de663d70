#!/bin/sh
# Runs all checks: formatting, lints, dependencies, the release build, unit tests, behaviour tests, and a whole run from end to
# end. A green run prints less than a screen.
set -eu
cd "$(dirname "$0")/.."

usage() {
  cat <<'HELP'
usage: scripts/test.sh [--install]

Runs all checks and tests on the release binary, which it builds first. What a
missing tool would have tested is skipped, named and counted.

  --install   install the tools first (Debian and npm packages, pinned; as root,
              or with sudo); a skip is then a failure, except for terraform, which
              is in none of the registries in use, and for what needs root
  --help      print this

Times are for two cores and an empty target folder: 15 to 20 minutes to build, 8
to test. A later run builds only what changed.

PUSHREADY_TIMES=FILE   append the seconds that each behaviour test takes
PUSHREADY_FAULT=TEXT   of the doctor's fault tables, run the rows alone whose code
                       or description contains TEXT
PUSHREADY_CLIENTS_DIR, PUSHREADY_PRISM_DIR, PUSHREADY_TERRAFORM_DIR
                       folders of installed tools, instead of those below target
HELP
}

install=
case ${1:-} in
  '') ;;
  --install) install=1 ;;
  -h | --help) usage && exit 0 ;;
  *)
    usage >&2
    echo "error: unknown argument $1" >&2
    exit 2
    ;;
esac

PUSHREADY_SKIPS=$(mktemp)
output=$(mktemp)
export PUSHREADY_SKIPS
trap 'rm -f "$PUSHREADY_SKIPS" "$output" "${picture:-}"' EXIT

step() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
skip() { echo "SKIPPED $1" | tee -a "$PUSHREADY_SKIPS" >&2; }
have() { PATH=$PATH:/usr/sbin command -v "$1" >/dev/null; }
# runs COMMAND if TOOL is installed: with TOOL COMMAND...
with() { if have "$1"; then shift && "$@"; else skip "$2: $1 not found"; fi; }
# runs COMMAND and prints its output only if it fails
quietly() {
  status=0
  "$@" >"$output" 2>&1 || status=$?
  [ "$status" = 0 ] || cat "$output" >&2
  return "$status"
}

if [ "$install" ]; then
  step "install the test tools (up to 5 minutes where nothing is installed)"
  quietly scripts/install-test-tools.sh
  export PUSHREADY_NO_SKIP=1
fi

step "format, lints, dependencies, package (up to 5 minutes)"
cargo fmt --check
cargo clippy --quiet --locked --all-targets -- --deny warnings
with shellcheck shellcheck scripts/*.sh scripts/coder/*.sh tests/behaviour/support/sandbox.sh tests/behaviour/support/serve tests/behaviour/support/coder
# main.tf adds the first lines of these
with shellcheck shellcheck --shell=sh --exclude=SC2154 scripts/coder/scripts/*.sh
quietly with python3 scripts/dependencies.py
cargo package --quiet --locked --offline --no-verify --allow-dirty

# the other machine's binary needs tools that not every developer has
case $(uname -m) in x86_64) other=aarch64 ;; *) other=x86_64 ;; esac
if ! have $other-linux-gnu-gcc; then
  skip "the $other binary: $other-linux-gnu-gcc not found"
elif ! quietly rustup target add $other-unknown-linux-musl; then
  # a warning, not a failure: Rust's standard library does not come from the same source as all other tools
  lacking="Rust's $other-unknown-linux-musl cannot be installed here: the $other binary was neither built nor run"
else
  other=
fi
PUSHREADY_RELEASE=$PWD/target/release-files
export PUSHREADY_RELEASE
step "build the release (up to 6 minutes for each machine)"
# shellcheck disable=SC2046,SC2086 # an option and its value, or none
quietly scripts/release.sh ${other:+--only $(uname -m)}
# from here on, test the released binary, not the one with debug assertions
PUSHREADY_BIN=$(echo "$PUSHREADY_RELEASE"/pushready-*-"$(uname -m)"-linux)
export PUSHREADY_BIN

step "unit and behaviour tests (3 minutes to build, 8 to run)"
# many tests wait: for a server that hangs, for a lock, for a child
RUST_TEST_THREADS=$(($(nproc) * 2)) quietly cargo test --quiet --locked --no-fail-fast

step "a whole run, from end to end (scripts/try.sh)"
quietly with bwrap scripts/try.sh
# and in a terminal, where git and other programs behave differently
picture=$(mktemp)
if have bwrap; then quietly with python3 scripts/picture.py "$picture"; fi

step "what it costs: each row of the benchmark, and the instructions"
if have bwrap && have jq; then quietly scripts/bench.sh --quick "$PUSHREADY_BIN"; else skip "scripts/bench.sh: bwrap or jq not found"; fi
case $(uname -m) in
  x86_64) if have bwrap; then quietly with valgrind scripts/instructions.py "$PUSHREADY_BIN"; fi ;;
  *) echo "the instructions are compared on x86_64 alone" ;;
esac

skips=$(wc -l <"$PUSHREADY_SKIPS")
if [ "$skips" -gt 0 ]; then
  echo "$skips skipped:"
  sed 's/^/  /' "$PUSHREADY_SKIPS"
  [ "$install" ] || echo "hint: scripts/test.sh --install installs what is missing"
  if [ "$install" ] && grep -Eqv ': (terraform not found|needs root)$' "$PUSHREADY_SKIPS"; then exit 1; fi
fi
[ -z "${lacking:-}" ] || echo "warning: $lacking" >&2
step "all good, $skips skipped"
