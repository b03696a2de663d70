#!/bin/bash
# Runs the whole cycle of `pushready task` against a real Coder deployment, and prints what differs from what is expected, and
# from the description of the API. For people who have one; not a part of test.sh. It uses names of its own, and removes only
# what it made.
#   CODER_URL=… CODER_SESSION_TOKEN=… scripts/real-coder.sh TEMPLATE [tasks|chats]
set -u
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
template=${1:?usage: real-coder.sh TEMPLATE [tasks|chats]}
pushready=${PUSHREADY:-pushready}
backend=()
[ $# -lt 2 ] || backend=(--backend "$2")
here=$(cd "$(dirname "$0")" && pwd)
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

# The answers of the server, as the description has them.
compare_answers() {
  local json id kind prefix workspace
  if ! command -v python3 >/dev/null || [ -z "${CODER_URL:-}" ] || [ -z "${CODER_SESSION_TOKEN:-}" ]; then
    echo "== answers are not compared: that needs python3, CODER_URL and CODER_SESSION_TOKEN"
    return 0
  fi
  json=$(task status "$name" --json 2>/dev/null </dev/null)
  read -r kind id workspace < <(python3 -c 'import json, sys
task = json.load(sys.stdin)["task"]
print(task["backend"], task["id"], (task["workspace"] or {}).get("id", ""))' <<<"$json")
  prefix=/api/v2
  # before 2.37 the chats are experimental
  if [ "$kind" = chats ] && task list -v 2>&1 </dev/null | grep -q '/api/experimental/chats'; then prefix=/api/experimental; fi
  set -- /api/v2/buildinfo /api/v2/users/me /api/v2/users/me/organizations /api/v2/templates
  case $kind in
    chats) set -- "$@" "$prefix/chats?limit=1" "$prefix/chats/$id" "$prefix/chats/$id/messages?limit=10" ;;
    tasks) set -- "$@" "/api/v2/tasks?q=owner:me" "/api/v2/tasks/me/$id" "/api/v2/tasks/me/$id/logs" ;;
  esac
  [ -z "$workspace" ] || set -- "$@" "/api/v2/workspaces/$workspace"
  "$here/coder-answers.py" "$here/../tests/task/coder-openapi.json" "$@" || differences=$((differences + 1))
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
compare_answers
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
