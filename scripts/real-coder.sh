#!/bin/bash
# Runs the whole cycle of `pushready task` against a real Coder deployment, and prints what differs from what is expected. For
# people who have one; not a part of test.sh. It uses names of its own, and removes only what it made.
#   CODER_URL=… CODER_SESSION_TOKEN=… scripts/real-coder.sh TEMPLATE [tasks|chats]
set -u
template=${1:?usage: real-coder.sh TEMPLATE [tasks|chats]}
pushready=${PUSHREADY:-pushready}
backend=()
[ $# -lt 2 ] || backend=(--backend "$2")
name=pushready-try-$(date +%s | tail -c 6)-$$
differences=0
made=

task() { "$pushready" task "$@" "${backend[@]}"; }

# expect STATUSES WORDS ARGUMENTS…: STATUSES is a list such as "0 5"
expect() {
  local statuses=$1 words=$2 out status
  shift 2
  out=$(task "$@" 2>&1 </dev/null)
  status=$?
  echo "== task $1: exit status $status"
  printf '%s\n' "$out" | sed 's/^/   /'
  case " $statuses " in
    *" $status "*) ;;
    *) echo "DIFFERS: expected exit status $statuses"; differences=$((differences + 1)) ;;
  esac
  if [ -n "$words" ] && ! grep -qF -- "$words" <<<"$out"; then
    echo "DIFFERS: expected the words: $words"
    differences=$((differences + 1))
  fi
}

clean_up() {
  [ -n "$made" ] || return 0
  echo "== clean-up of $name"
  task delete "$name" --yes || true
}
trap clean_up EXIT

expect 0 '' list
if task status "$name" >/dev/null 2>&1; then
  echo "the name $name is taken: run it again" >&2
  exit 1
fi
made=1
# an idle agent of Tasks cannot be distinguished from one that is done
expect '0 5' '' create 'Reply with the word ready, and do nothing else.' --template "$template" --name "$name" --wait --timeout 20m
expect 1 --reuse create 'x' --template "$template" --name "$name"
expect 0 "$name" status "$name"
expect 0 '"schema_version": 1' status "$name" --json
expect 0 '' send "$name" 'Reply with the word again, and do nothing else.'
expect '0 5' '' status "$name" --watch --timeout 10m
expect 0 'user:' logs "$name"
expect 0 "${CODER_URL:-http}" open "$name"
expect 0 '' delete "$name" --yes
made=
expect '0 2' '' delete "$name" --yes
expect 0 '' gc --dry-run
echo
if [ "$differences" = 0 ]; then echo "no differences"; else echo "$differences differences"; exit 1; fi
