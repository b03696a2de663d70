#!/bin/sh
# Shows that the binary is built from its vendored sources alone, without a network, and that two builds in different folders
# give the same bytes: `cargo vendor`, then scripts/release.sh in two copies of the commit, each with an empty CARGO_HOME.
#   reproduce.sh [FOLDER]   FOLDER has 4 GB of space and no blank in its path; default: a temporary folder, removed at the end
# Prints the SHA-256 of the binary: compare it with that of a release.
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
cd "$(dirname "$0")/.."
folder=${1:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
machine=$(uname -m)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# the same for both builds, whatever is committed meanwhile
commit=$(git rev-parse HEAD)
echo "vendor the sources of $commit"
settings=$(cargo vendor --locked "$folder/vendor" 2>"$folder/vendor.log")
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH

# what a build needs and CARGO_HOME does not have cannot be downloaded
build() {
  mkdir -p "$1/.cargo"
  git archive "$commit" | tar -x -C "$1"
  cp -R "$folder/vendor" "$1/vendor"
  echo "$settings" | sed 's|^directory = .*|directory = "vendor"|' >"$1/.cargo/config.toml"
  echo "build in $1"
  env CARGO_HOME="$1.home" CARGO_NET_OFFLINE=true "$1/scripts/release.sh" --only "$machine" --binaries "$1/release"
}

for source in "$folder/first" "$folder/a-longer-name/second"; do build "$source"; done
set -- "$folder"/first/release/pushready-* "$folder"/a-longer-name/second/release/pushready-*
cmp "$1" "$2"
echo "two builds without a network have the same bytes:"
name=$(basename "$1")
sum=$(sha256sum <"$1")
echo "${sum%% *}  $name"
