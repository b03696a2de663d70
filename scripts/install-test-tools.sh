#!/bin/sh
# Installs the Debian packages that the tests need and that are missing; then the agent clients; Prism, which checks requests
# to GitHub against GitHub's own description; and the Python packages of a terraform provider. terraform must be installed.
#   --packages     installs the Debian packages alone (as root, or with sudo)
#   --list-run     prints the Debian packages that the tests run, without those that the tests and the release are built with
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
# Prism requires its server by a range, and newer versions of that need a newer Node.js than Debian 12 has
prism=5.14.2 prism_server=5.12.2 prism_core=5.8.0

run_tools() {
  echo bubblewrap busybox-static ca-certificates curl dash fish git git-lfs gnupg gpgsm jq nftables nodejs openssh-client \
    openssh-server openssl perl python3 python3-pip python3-venv strace wget
}
build_tools() {
  # scripts/ci.sh makes a newer Debian with debootstrap; qemu runs the other machine's binary
  echo debootstrap gcc libc6-dev musl-tools qemu-user-static shellcheck valgrind
  case $(uname -m) in x86_64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;; esac
  # a newer Node.js than Debian's has its own npm, which conflicts with Debian's package
  command -v npm >/dev/null || echo npm
}

missing_packages() {
  for package in "$@"; do
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_test_tools() {
  # shellcheck disable=SC2046 # names of packages are single words
  set -- $(missing_packages $(run_tools) $(build_tools))
  [ $# -gt 0 ] || return 0
  echo "installing: $*"
  as_root apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@"
}

install_prism() {
  folder=${PUSHREADY_PRISM_DIR:-$(dirname "$0")/../target/prism}
  package=$folder/node_modules/@stoplight/prism-http-server/package.json
  if grep --quiet --no-messages "\"version\": \"$prism_server\"" "$package"; then return 0; fi
  mkdir -p "$folder"
  npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error --ignore-scripts \
    "@stoplight/prism-cli@$prism" "@stoplight/prism-http-server@$prism_server" "@stoplight/prism-core@$prism_core"
}

install_provider_protocol() {
  wanted=$(dirname "$0")/../tests/terraform/requirements.txt
  folder=${PUSHREADY_TERRAFORM_DIR:-$(dirname "$0")/../target/terraform}
  if cmp --silent "$wanted" "$folder/installed.txt" && [ -x "$folder/venv/bin/python" ]; then return 0; fi
  python3 -m venv --clear "$folder/venv"
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$wanted"
  cp "$wanted" "$folder/installed.txt"
}

case ${1:-} in
  '') ;;
  --list-run) run_tools && exit 0 ;;
  --packages) install_test_tools && exit 0 ;;
  *) echo "error: unknown argument $1" >&2 && exit 2 ;;
esac
install_test_tools
install_prism
install_provider_protocol
"$(dirname "$0")/install-clients.sh"
# only the newest Debian has it; without it, the tests that need it are skipped
"$(dirname "$0")/install-openssh10.sh" || echo 'warning: no OpenSSH 10' >&2
