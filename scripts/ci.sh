#!/bin/sh
# Runs all checks as CI does. Started as root, it installs the Debian packages, and then runs
#   1. scripts/test.sh, as an ordinary user that it makes, in that user's copy of this folder
#   2. as root, the tests that can differ for root: the unit tests, and the behaviour tests of files of other users and of homes.
#      (All other behaviour tests run in a sandbox without privileges, where root is an ordinary user as well.)
#   3. all tests once more in a Debian 13, which has git 2.47, OpenSSH 10 and Python 3.13
# Started as an ordinary user, it runs scripts/test.sh --install.
# Two cores need about 35 minutes where nothing is built. No step reads standard input.
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || exec scripts/test.sh --install

root_tests='inputs:: homes:: doctor::faults::home:: undo::'
user=pushready-ci
home=/home/$user
tree=$home/pushready

step() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
# the environment of the user, in words
environment="env HOME=$home USER=$user LOGNAME=$user SHELL=/bin/sh"
environment="$environment PATH=$home/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# shellcheck disable=SC2086
as_user() { setpriv --reuid="$user" --regid="$user" --init-groups $environment "$@"; }
# shellcheck disable=SC2086
in_debian13() { scripts/debian13.sh --user "$user" --bind "$home" -- $environment "$@"; }

# the user, with a copy of root's Rust: nobody else can read a folder below /root
make_user() {
  id "$user" >/dev/null 2>&1 || useradd --create-home --home-dir "$home" --shell /bin/sh "$user"
  sysroot=$(rustc --print sysroot)
  toolchain=$home/.rustup/toolchains/$(basename "$sysroot")
  if [ ! -e "$toolchain" ]; then
    mkdir -p "$toolchain.copy"
    tar -C "$sysroot" --exclude=./share/doc -cf - . | tar -C "$toolchain.copy" -xf -
    mv "$toolchain.copy" "$toolchain"
  fi
  printf 'default_toolchain = "%s"\nprofile = "minimal"\nversion = "12"\n' "$(basename "$sysroot")" >"$home/.rustup/settings.toml"
  [ -e "$home/.cargo" ] || cp -a "${CARGO_HOME:-$HOME/.cargo}" "$home/.cargo"
  # a second run builds what changed
  mkdir -p "$tree/target"
  find "$tree" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
  tar --exclude=./target -cf - . | tar -C "$tree" -xf -
  for tools in clients prism; do
    if [ -e "target/$tools" ] && [ ! -e "$tree/target/$tools" ]; then cp -a "target/$tools" "$tree/target/$tools"; fi
  done
  chown -R "$user:" "$home"
}

step "install the Debian packages, make the user $user"
scripts/install-test-tools.sh --packages >/dev/null
make_user
unset CARGO_HOME RUSTUP_HOME XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME
cd "$tree"
as_user scripts/test.sh --install

# what test.sh built
PUSHREADY_NO_SKIP=1
PUSHREADY_RELEASE=$tree/target/release-files
PUSHREADY_BIN=$(echo "$PUSHREADY_RELEASE"/pushready-*-"$(uname -m)"-linux)
RUST_TEST_THREADS=$(($(nproc) * 2))
export PUSHREADY_NO_SKIP PUSHREADY_RELEASE PUSHREADY_BIN RUST_TEST_THREADS
built=$(as_user cargo test --quiet --locked --no-run --message-format=json | jq --raw-output 'select(.profile.test and .executable).executable')
output=$(mktemp)
trap 'rm -f "$output"' EXIT
# prints what COMMAND prints only if it fails; all tests run, and the first failure is remembered
failed=
quietly() { "$@" >"$output" 2>&1 || { cat "$output" >&2; failed=1; }; }

step "tests as root"
for test in $built; do
  # shellcheck disable=SC2086 # one word each
  case ${test##*/} in
    pushready-*) quietly "$test" --quiet ;;
    behaviour-*) quietly "$test" --quiet $root_tests ;;
  esac
done

if grep -qs '^VERSION_ID="13"' /etc/os-release; then
  [ -z "$failed" ] && step "all good"
  exit "${failed:-0}"
fi
step "all tests in a Debian 13 (up to 3 minutes to install it, 10 to run)"
if ! scripts/debian13.sh true >"$output" 2>&1; then
  # a warning, not a failure: whether a mirror of it can be reached is not this project's fault
  cat "$output" >&2
  echo "warning: no Debian 13 here: nothing was tested with its newer git and ssh" >&2
else
  # the folder that both see
  PUSHREADY_SKIPS=$home/skips PUSHREADY_NO_SKIP=0
  export PUSHREADY_SKIPS PUSHREADY_NO_SKIP
  as_user truncate --size=0 "$PUSHREADY_SKIPS"
  for test in $built; do
    quietly in_debian13 "$test" --quiet
  done
  # npm would bring 400 packages; neither it nor the other machine's binary depends on git's version
  if grep -Ev ': (terraform not found|npm not found|qemu-.*-static not found|needs root)$' "$PUSHREADY_SKIPS" >&2; then failed=1; fi
fi
[ -z "$failed" ] || exit 1
step "all good"
