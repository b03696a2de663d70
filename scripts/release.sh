#!/bin/sh
# Builds a release into target/release-files, or into FOLDER: a static binary for each machine, the install.sh that pins them,
# the manual, the schemas of --json, the contents of the binaries with their licences and as CycloneDX (SBOM), how it was built
# (PROVENANCE.txt), and the SHA-256 of every file.
#   release.sh [--only x86_64|aarch64] [--twice] [--binaries] [FOLDER]
#   --only    one machine's binary alone
#   --binaries   the binaries alone, without manual, licences and sums
#   --twice   builds everything a second time, in another folder, and requires the same bytes
#   PUSHREADY_RELEASE_URL   where the release will be published: install.sh downloads from this address followed by /vVERSION/FILE;
#                           default: the releases of `repository` in Cargo.toml, once that has an owner
set -eu
cd "$(dirname "$0")/.."
machines='x86_64 aarch64' twice='' binaries='' folder=target/release-files
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;;
    --only)
      case ${2:-} in
        x86_64 | aarch64) machines=$2 && shift ;;
        *) echo 'error: --only takes x86_64 or aarch64' >&2 && exit 2 ;;
      esac
      ;;
    --twice) twice=1 ;;
    --binaries) binaries=1 ;;
    -*) echo "error: unknown option $1; try --help" >&2 && exit 2 ;;
    *) folder=$1 ;;
  esac
  shift
done
command -v cargo >/dev/null || { echo 'error: cargo not found
hint: Rust comes from https://rustup.rs; after its installation, open a new shell' >&2 && exit 3; }
constant() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" Cargo.toml | head -n 1; }
version=$(constant version)
repository=$(constant repository)
case $repository in
  '' | */OWNER/*) published=${PUSHREADY_RELEASE_URL:-} ;;
  *) published=${PUSHREADY_RELEASE_URL:-$repository/releases/download} ;;
esac
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# programs that use the clock get the commit's date
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

# musl, because a static glibc still loads modules of the machine for its name service; without musl, glibc
target_of() {
  musl=$1-unknown-linux-musl
  if { rustup target list --installed | grep -qx "$musl" || rustup target add "$musl" >&2; } && compiler_of "$musl" >/dev/null; then
    echo "$musl"
  elif [ "$(uname -m)" = "$1" ]; then
    echo "warning: no musl for want of the above: $1 is linked with a static glibc" >&2
    echo "$1-unknown-linux-gnu"
  else
    return 1
  fi
}

# the C compiler for a target. It also links, except musl-gcc, which would name a loader in the static binary.
compiler_of() {
  case $1 in
    "$(uname -m)-unknown-linux-musl") set -- musl-gcc musl-tools ;;
    "$(uname -m)"-*) set -- cc gcc ;;
    *) set -- "${1%%-*}-linux-gnu-gcc" "gcc-$(echo "${1%%-*}" | tr _ -)-linux-gnu" ;;
  esac
  command -v "$1" || { echo "error: $1 not found
hint: apt-get install $2" >&2 && return 1; }
}

# build SOURCE TARGET: prints the path of the binary, which must contain no path of this machine, from Rust or from C.
build() {
  target=$2 compiler=$(compiler_of "$2")
  upper=$(echo "$target" | tr a-z- A-Z_) lower=$(echo "$target" | tr - _)
  separator=$(printf '\037')
  sysroot=$(rustc --print sysroot)
  (
    cd "$1"
    source=$PWD
    linker=$compiler
    case $compiler in */musl-gcc) linker=cc ;; esac
    export "CARGO_TARGET_${upper}_LINKER=$linker" "CC_$lower=$compiler"
    export "CFLAGS_$lower=-ffile-prefix-map=$source=. -ffile-prefix-map=$cargo_home=cargo"
    CARGO_ENCODED_RUSTFLAGS=-Ctarget-feature=+crt-static$separator-Clink-arg=-Wl,--build-id=none
    # a relative path, so that two folders give the same bytes: cargo starts the compiler in the source folder
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator-Clink-arg=-Wl,-T,scripts/release.ld
    # 0.3 MB of relocations become a few kB; a linker that cannot do this for the machine warns and goes on
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator-Clink-arg=-Wl,-z,pack-relative-relocs
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator--remap-path-prefix=$source=.
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator--remap-path-prefix=$cargo_home=cargo
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator--remap-path-prefix=$sysroot=rust
    export CARGO_ENCODED_RUSTFLAGS
    cargo build --quiet --locked --release --target "$target" --target-dir target/release-build >&2
    echo "$source/target/release-build/$target/release/pushready"
  )
}

# checks what the documentation says about the binaries
inspect() {
  if LC_ALL=C readelf --wide --program-headers "$1" | grep -q INTERP; then
    echo "error: $1 is not static" >&2 && return 1
  fi
  for path in "$PWD" "$cargo_home" "$(rustc --print sysroot)" "$HOME/"; do
    if grep --quiet --text --fixed-strings "$path" "$1"; then
      echo "error: $1 contains the path $path" >&2 && return 1
    fi
  done
}

# from what and with what the binaries were built, and how somebody else gets the same bytes
provenance() {
  commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit, with changes that are not committed"
  echo "pushready $version"
  echo "source: $repository"
  echo "commit: $commit"
  echo "SOURCE_DATE_EPOCH: $SOURCE_DATE_EPOCH ($(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ))"
  echo "rustc: $(rustc --version)"
  echo "cargo: $(cargo --version)"
  for target in $targets; do
    compiler=$(compiler_of "$target")
    echo "cc of $target: $(basename "$compiler"), $("$compiler" --version | head -n 1)"
  done
  echo "built on: $(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release 2>/dev/null)"
  cat <<'END'

To reproduce the binaries, on Linux with this rustc and these C compilers:
  git clone SOURCE pushready && cd pushready && git checkout COMMIT
  scripts/release.sh && sha256sum target/release-files/pushready-*
and compare with SHA256SUMS. The folder of the build and CARGO_HOME do not matter. scripts/reproduce.sh builds from vendored sources,
without a network.
END
}

mkdir -p "$folder"
if [ -f "$folder/SHA256SUMS" ]; then rm -rf "${folder:?}"/*; fi
[ -z "$(ls -A "$folder")" ] || { echo "error: $folder contains other files than a release" >&2 && exit 1; }
: >"$folder/SHA256SUMS" # marks the folder as a release from the start
targets='' again=''
if [ "$twice" ]; then
  again=$(mktemp -d)
  trap 'rm -rf "$again"' EXIT
  git ls-files -z | xargs -0 cp --parents --target-directory "$again"
fi
for machine in $machines; do
  target=$(target_of "$machine")
  targets="$targets $target"
  echo "building for $target (two cores and an empty target folder: up to 6 minutes)" >&2
  binary=$folder/pushready-$version-$machine-linux
  built=$(build . "$target")
  cp "$built" "$binary"
  inspect "$binary"
  if [ "$twice" ]; then
    built=$(build "$again" "$target")
    cmp "$built" "$binary"
    echo "$target: built twice with the same bytes"
  fi
done

[ -z "$binaries" ] || exit 0

# shellcheck disable=SC2086 # one word each
scripts/dependencies.py --licences "$folder/LICENCES.txt" $targets
# shellcheck disable=SC2086 # one word each
scripts/dependencies.py --sbom "$folder/sbom.cdx.json" $targets
provenance >"$folder/PROVENANCE.txt"
cargo run --quiet --locked --example manual -- "$folder/manual"
manual=pushready-$version-manual.tar.gz
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=a=rX,u+w -C "$folder/manual" -cf - . |
  gzip --no-name --best >"$folder/$manual"
cp -R schema "$folder/schema"

sum_of() { [ ! -f "$folder/$1" ] || sha256sum <"$folder/$1" | cut -d' ' -f1; }
binary_sum() { sum_of "pushready-$version-$1-linux"; }
sed "s|^version=\$|version=$version|; s|^url=\$|url=$published|; s|^x86_64=\$|x86_64=$(binary_sum x86_64)|; s|^aarch64=\$|aarch64=$(binary_sum aarch64)|; s|^manual=\$|manual=$(sum_of "$manual")|" \
  scripts/install.sh >"$folder/install.sh"
chmod 755 "$folder/install.sh"
if [ -d scripts/coder ]; then
  cp -R scripts/coder "$folder/coder-module"
  cp "$folder/install.sh" "$folder/coder-module/install.sh"
fi
[ "$published" ] || echo 'note: no address (PUSHREADY_RELEASE_URL, or an owner of repository in Cargo.toml), so install.sh requires PUSHREADY_DOWNLOAD_URL' >&2
(
  cd "$folder"
  sums=$(find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs sha256sum)
  echo "$sums" >SHA256SUMS
  find . -type f -printf '%10s  %P\n' | LC_ALL=C sort -k2
)
