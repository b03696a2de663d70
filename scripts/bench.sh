#!/bin/sh
# Measures `doctor --offline`: bench.sh BINARY... runs each binary in turn, many times, in one throw-away home that the first
# of them provisioned: both logins, a key, a clone. Prints milliseconds. Compare two builds in one run only: then the load of the
# machine is the same for both.
set -eu
cd "$(dirname "$0")/.."
support=tests/behaviour/support
rounds=${ROUNDS:-60}

if [ "${1:-}" != --inside ]; then
  [ $# -gt 0 ] || set -- target/release/pushready
  nth=0
  mounts=
  for binary in "$@"; do
    nth=$((nth + 1))
    mounts="$mounts --ro-bind $(realpath "$binary") /run/rig/bin/$nth/pushready"
    echo "$nth: $binary"
  done
  # shellcheck disable=SC2086 # paths of binaries have no blanks here
  exec $support/sandbox.sh "$PWD" $mounts --setenv ROUNDS "$rounds" -- scripts/bench.sh --inside "$nth"
fi

# --- in the sandbox -------------------------------------------------------------------------------------------------------
mkdir -p /run/lab
ssh-keygen -q -t ed25519 -N '' -f /run/lab/key
base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
jwt() { printf '%s.%s.%s' "$(printf '{"alg":"none"}' | base64url)" "$(printf '%s' "$1" | base64url)" "$(printf none | base64url)"; }
claims="\"exp\":$(($(date +%s) + 864000)),\"iat\":$(date +%s),\"https://api.openai.com/auth\":{\"chatgpt_account_id\":\"lab\"}"
PUSHREADY_CODEX_AUTH_JSON=$(printf '{"auth_mode":"chatgpt","tokens":{"id_token":"%s","access_token":"%s","refresh_token":"lab","account_id":"lab"},"last_refresh":"%s"}' \
  "$(jwt "{$claims}")" "$(jwt "{$claims}")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)")
PUSHREADY_CLAUDE_OAUTH_TOKEN=sk-ant-oat01-$(head -c 60 /dev/urandom | base64 -w0 | tr -d '/+=')
PUSHREADY_REPOSITORY=acme/app PUSHREADY_DEPLOY_KEY=$(cat /run/lab/key)
export PUSHREADY_CODEX_AUTH_JSON PUSHREADY_CLAUDE_OAUTH_TOKEN PUSHREADY_REPOSITORY PUSHREADY_DEPLOY_KEY
git config --global user.name Lab
git config --global user.email lab@example.com
git init --quiet "$HOME/app"
git -C "$HOME/app" remote add origin git@github.com:acme/app.git
/run/rig/bin/1/pushready apply >/dev/null
unset PUSHREADY_CODEX_AUTH_JSON PUSHREADY_CLAUDE_OAUTH_TOKEN PUSHREADY_REPOSITORY PUSHREADY_DEPLOY_KEY
cd "$HOME/app"
/run/rig/bin/1/pushready doctor --offline
exec python3 - "$2" "$ROUNDS" <<'PYTHON'
import subprocess, sys, time
binaries, rounds = int(sys.argv[1]), int(sys.argv[2])
times = {nth: [] for nth in range(1, binaries + 1)}
for _ in range(rounds):
    for nth in times:
        start = time.perf_counter()
        subprocess.run([f"/run/rig/bin/{nth}/pushready", "doctor", "--offline", "--short"], stdout=subprocess.DEVNULL)
        times[nth].append((time.perf_counter() - start) * 1000)
for nth, found in times.items():
    found.sort()
    print(f"{nth}: least {found[0]:.1f} ms, median {found[len(found) // 2]:.1f} ms, of {rounds}")
PYTHON
