#!/bin/sh
# Shows a whole run from end to end: in a throw-away home, without privileges, with
# its own git host (a real sshd) that answers as github.com. It changes nothing
# outside of the sandbox, and does not use the network.
#   --install            installs the Debian packages that it needs first (as root,
#                        or with sudo)
#   PUSHREADY_BIN=FILE   runs this binary, instead of building one first
set -eu
install=
case ${1:-} in
  '' | --inside) ;;
  --install) install=1 ;;
  -h | --help) sed -n '2,/^set -eu/{/^set -eu/!s/^# \{0,1\}//p}' "$0" && exit 0 ;;
  *) echo "error: unknown argument $1; try --help" >&2 && exit 2 ;;
esac
cd "$(dirname "$0")/.."
support=tests/behaviour/support

if [ "${1:-}" != --inside ]; then
  packages='bubblewrap gcc git libc6-dev openssh-client openssh-server'
  if [ "$install" ]; then
    as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
    as_root apt-get -qq update
    # shellcheck disable=SC2086 # names of packages are single words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $packages >/dev/null
  fi
  # a binary that exists needs no compiler
  build_tools='cargo cc'
  [ -z "${PUSHREADY_BIN:-}" ] || build_tools=
  missing=
  for tool in $build_tools bwrap git ssh ssh-keygen sshd; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] || {
    echo "error: not found:$missing" >&2
    echo "hint: scripts/try.sh --install, or: apt-get install $packages; cargo comes from https://rustup.rs" >&2
    exit 3
  }
  bwrap --ro-bind / / --unshare-user --unshare-net true 2>/dev/null || {
    echo 'error: this machine refuses user namespaces, in which the throw-away home and network are made' >&2
    echo 'hint: in a container, run it with --privileged or on the host; on Ubuntu, sysctl kernel.apparmor_restrict_unprivileged_userns=0' >&2
    exit 3
  }
  if [ -z "${PUSHREADY_BIN:-}" ]; then
    echo 'building the release binary (two cores and an empty target folder: up to 6 minutes)' >&2
    cargo build --quiet --release --locked
  fi
  exec $support/sandbox.sh "$PWD" --ro-bind "${PUSHREADY_BIN:-target/release/pushready}" /run/rig/bin/pushready --setenv TERM "${TERM:-dumb}" ${NO_COLOR:+--setenv NO_COLOR 1} -- scripts/try.sh --inside
fi

# --- in the sandbox -------------------------------------------------------------------------------------------------------
# ssh does not use HOME, but the home in the passwd entry: only ssh's own output is proof
home=$(ssh -T -F none -o ControlPath=%d/ -G host | sed -n 's/^controlpath \(.*[^/]\)\/*$/\1/p')
{ [ "$home" = /home/coder ] && [ "$HOME" = "$home" ] && [ -z "$(ls -A "$home")" ]; } || {
  echo "error: ssh would use the home '$home', which is not the empty, throw-away one: nothing was changed" >&2
  exit 3
}

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m'); fi
heading() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; "$@"; }
# a step that must fail
fails() { if run "$@"; then echo "error: that should have failed" >&2; exit 1; fi; }

# the git host: two private repositories, of which one has a writable deploy key and one a read-only key
mkdir -p /srv/git /run/lab
ssh-keygen -q -t ed25519 -N '' -C host -f /srv/git/host_key
for repository in app docs; do
  ssh-keygen -q -t ed25519 -N '' -C "$repository" -f "/run/lab/$repository"
  git init --quiet --bare --initial-branch=main "/srv/git/acme/$repository.git"
  {
    printf 'commit refs/heads/main\ncommitter Lab <lab@example.com> 1700000000 +0000\ndata 5\nStart\n'
    printf 'M 100644 inline README.md\ndata 6\n# lab\n\n'
  } | git -C "/srv/git/acme/$repository.git" fast-import --quiet
done
authorize() {
  printf 'restrict,command="%s/serve %s deploy-key acme/%s acme/%s %s" %s\n' "$PWD/$support" "$1" "$1" "$1" "$2" "$(cat "/run/lab/$1.pub")"
}
{ authorize app write; authorize docs read; } >/srv/git/authorized_keys
/usr/sbin/sshd -D -f "$PWD/$support/sshd_config" -E /srv/git/log &
trap 'kill $!' EXIT
until ssh-keyscan -t ed25519 github.com >/dev/null 2>&1; do :; done
PUSHREADY_KNOWN_HOSTS="github.com $(cut -d' ' -f1,2 /srv/git/host_key.pub)"
export PUSHREADY_KNOWN_HOSTS
export GIT_AUTHOR_NAME=Lab GIT_AUTHOR_EMAIL=lab@example.com GIT_COMMITTER_NAME=Lab GIT_COMMITTER_EMAIL=lab@example.com
export GIT_TERMINAL_PROMPT=0 GIT_PAGER=cat
cd "$home"
find . | LC_ALL=C sort >/run/lab/before

heading "A bare home: the private repository cannot be cloned"
fails git clone --quiet https://github.com/acme/app

heading "The secrets come from variables, as a template would set them"
b64() { base64 -w0; }
PUSHREADY_DEPLOY_KEYS_BASE64=$(
  printf '{"acme/app": "%s", "acme/docs": "%s"}' "$(b64 </run/lab/app)" "$(b64 </run/lab/docs)" | b64
)
base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
jwt() { printf '%s.%s.%s' "$(printf '{"alg":"none"}' | base64url)" "$(printf '%s' "$1" | base64url)" "$(printf none | base64url)"; }
claims="\"exp\":$(($(date +%s) + 864000)),\"iat\":$(date +%s),\"email\":\"dev@example.com\""
claims="{$claims,\"https://api.openai.com/auth\":{\"chatgpt_account_id\":\"lab\",\"chatgpt_plan_type\":\"plus\"}}"
PUSHREADY_CODEX_AUTH_JSON=$(printf '{"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{"id_token":"%s","access_token":"%s","refresh_token":"lab","account_id":"lab"},"last_refresh":"%s"}' \
  "$(jwt "$claims")" "$(jwt "$claims")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)")
PUSHREADY_CLAUDE_OAUTH_TOKEN=sk-ant-oat01-$(head -c 60 /dev/urandom | base64 -w0 | tr -d '/+=')
export PUSHREADY_DEPLOY_KEYS_BASE64 PUSHREADY_CODEX_AUTH_JSON PUSHREADY_CLAUDE_OAUTH_TOKEN
run pushready apply --dry-run
run pushready apply
heading "A second run changes nothing"
run pushready apply

heading "Clone by the HTTPS URL, commit, push: everything uses SSH with this repository's own key"
run git clone --quiet https://github.com/acme/app
cd app
echo change >>README.md
run git commit --quiet --all --message "A change"
run git push origin HEAD
run git -C /srv/git/acme/app.git log --oneline

heading "The doctor proves it, here for this repository alone"
run pushready doctor --only ssh,push --repo acme/app

heading "The other repository gets the other key, which has read access only: a push fails"
cd "$home"
run git clone --quiet git@github.com:acme/docs.git
cd docs
run git commit --quiet --allow-empty --message "A change"
fails git push origin HEAD
heading "The doctor's report, for a person and for a program"
fails pushready doctor --repo acme/docs --only push.write
fails pushready doctor --only push --short
heading "The same from git's output alone"
git push origin HEAD >/run/lab/push 2>&1 || true
fails pushready explain --push /run/lab/push

cd "$home"
heading "The status"
fails pushready status
heading "Remove undoes everything"
rm -rf app docs
run pushready remove
find . | LC_ALL=C sort | cmp - /run/lab/before && echo "the home is unchanged"
