#!/bin/sh
# Installs the unmodified agent clients that the behaviour tests run, from npm, at exactly these versions.
#   install-clients.sh [FOLDER]     default: $PUSHREADY_CLIENTS_DIR, else target/clients
# After a change of a version: cargo test --test behaviour clients:: -- --ignored
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
codex=0.169.0
claude=2.1.330

folder=${1:-${PUSHREADY_CLIENTS_DIR:-$(dirname "$0")/../target/clients}}
modules=$folder/node_modules

# the version that a client prints, not the one that npm records; $HOME, because both clients write there
says() { home=$(mktemp -d) && HOME=$home "$1" --version 2>/dev/null; status=$?; rm -rf "$home"; return $status; }
installed() {
  [ "$(says "$modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")" = "codex-cli $codex" ] &&
    [ "$(says "$modules/@anthropic-ai/claude-code-linux-x64/claude")" = "$claude (Claude Code)" ]
}

case $(uname -s)-$(uname -m) in
  Linux-x86_64) ;;
  *) echo "error: the clients are pinned for linux-x64 only" >&2; exit 1 ;;
esac
if installed; then exit 0; fi
mkdir -p "$folder"
# the platform packages alone: the outer packages only select one, and npm would select an older claude under Node 20
npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error --ignore-scripts \
  "@openai/codex-linux-x64@npm:@openai/codex@$codex-linux-x64" "@anthropic-ai/claude-code-linux-x64@$claude"
installed || { echo "error: $folder does not contain codex $codex and claude $claude" >&2; exit 1; }
