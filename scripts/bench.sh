#!/bin/sh
# Measures what pushready costs, beside a start script as people write it by hand and beside the least that can be:
# bench.sh [--quick] [BINARY]. All in one run, each step in turn, so that the load of the machine is the same for all.
#
# Writes docs/performance.md and docs/performance.svg. --quick: small sizes, few rounds; writes nothing, and checks that the
# table has all rows. Needs bubblewrap, python3 and jq.
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
cd "$(dirname "$0")/.."
quick=
if [ "${1:-}" = --quick ]; then
  quick=--quick
  shift
fi
binary=$(realpath "${1:-target/release/pushready}")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck disable=SC2086 # nothing, or one word
tests/behaviour/support/sandbox.sh "$PWD" --ro-bind "$binary" /run/rig/bin/pushready --bind "$out" /run/out -- \
  /usr/bin/python3 scripts/bench.py $quick
if [ -z "$quick" ]; then cp "$out/performance.md" "$out/performance.svg" docs/; fi
