#!/bin/sh
# Runs the fuzzer: each target of fuzz/parsers.rs, or the named ones, for some seconds.
set -eu
cd "$(dirname "$0")/.."

usage() {
  cat <<'HELP'
usage: scripts/fuzz.sh SECONDS [TARGET...]

Runs each target for SECONDS, from the committed inputs of fuzz/corpus/TARGET. New inputs are kept in fuzz/target/corpus, an
input that fails in fuzz/artifacts/TARGET. Needs a nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz`).
`cargo test` runs the committed inputs without them.
HELP
}

case ${1:-} in
  '' | -h | --help) usage && exit 0 ;;
esac
seconds=$1
shift
# shellcheck disable=SC2046 # a list of words
[ $# -gt 0 ] || set -- $(sed -n 's/^    parser("\([a-z_]*\)",.*/\1/p' fuzz/parsers.rs)

# the versions of the program's own dependencies
cp Cargo.lock fuzz/Cargo.lock
machine=$(rustc +nightly -vV | sed -n 's/^host: //p')
cargo +nightly fuzz build --sanitizer none --target "$machine"
failed=
for target; do
  mkdir -p "fuzz/target/corpus/$target" "fuzz/artifacts/$target"
  log=fuzz/target/$target.log
  # the program itself, since `cargo fuzz run` builds again where a source has changed meanwhile
  if "fuzz/target/$machine/release/$target" "fuzz/target/corpus/$target" "fuzz/corpus/$target" \
    -artifact_prefix="fuzz/artifacts/$target/" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 \
    >"$log" 2>&1; then
    echo "$target: $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\1 runs in \2 s/p' "$log")"
  else
    echo "$target: FAILED, see $log"
    failed=1
  fi
done
[ -z "$failed" ]
