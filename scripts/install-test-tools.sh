#!/bin/sh
# Installs the Debian packages that the tests need, those that are missing; then the agent clients, and Prism, which judges
# our requests to GitHub by GitHub's own description.
set -eu
# the last one for Node.js 20
prism=5.14.2

test_tools() {
  echo bubblewrap ca-certificates fish git git-lfs nftables openssh-client openssh-server openssl python3 python3-pip shellcheck strace
  # a newer Node.js than Debian's brings its own npm, which Debian's package would not go with
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
  set -- $(missing_packages $(test_tools))
  [ $# -gt 0 ] || return 0
  echo "installing: $*"
  as_root apt-get update --quiet
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "$@"
}

install_prism() {
  folder=${PUSHREADY_PRISM_DIR:-$(dirname "$0")/../target/prism}
  package=$folder/node_modules/@stoplight/prism-cli/package.json
  if grep --quiet --no-messages "\"version\": \"$prism\"" "$package"; then return 0; fi
  mkdir -p "$folder"
  npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error --ignore-scripts "@stoplight/prism-cli@$prism"
}

install_test_tools
install_prism
"$(dirname "$0")/install-clients.sh"
# only Debian's newest has it; without it the tests that need it are skipped
"$(dirname "$0")/install-openssh10.sh" || echo 'warning: no OpenSSH 10' >&2
