#!/bin/sh
# Installs pushready: downloads the static binary for this machine, compares its SHA-256 with the pinned one, and only then
# makes it executable. No root. If the right binary is installed, nothing is downloaded. Variables, all optional:
#   PUSHREADY_INSTALL_DIR   the folder for the binary, default ~/.local/bin
#   PUSHREADY_DOWNLOAD_URL  URL or path of a folder with a release's files, or of the file itself (in a URL with its own name)
#   PUSHREADY_VERSION       another version than the pinned one; needs its sum:
#   PUSHREADY_SHA256        of this machine's file; or for each machine: PUSHREADY_SHA256_X86_64, PUSHREADY_SHA256_AARCH64
#   PUSHREADY_DOWNLOAD_TIMEOUT  seconds, default 300
# Proxies and ~/.netrc are honoured as curl and wget do. The text also works as `sh -c TEXT` and with `sh -s`.
set -eu
case ${1:-} in
  -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" || echo 'its first lines are its help' && exit 0 ;;
esac

# filled in by scripts/release.sh
version=
url=
x86_64=
aarch64=
manual=

fail() {
  printf 'error: %s\n\nhint: %s\n' "$1" "$2" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# whether FILE is the pinned one; the fastest tool first
verified() {
  sum=$({ openssl dgst -sha256 -r || sha256sum || shasum -a 256 || busybox sha256sum; } <"$1" 2>/dev/null) ||
    fail 'no sha256sum, shasum, openssl or busybox: nothing is installed without verification' 'install one of them'
  sum=${sum%% *}
  [ "$sum" = "$expected" ]
}

# whether others can replace this folder, or one above it
is_open() {
  part=$1
  while [ "$part" ]; do
    # the ninth is the write permission of others, the tenth the sticky bit
    case $(ls -ldn "$part/" 2>/dev/null) in d???????w[!tT]*) return ;; esac
    part=${part%/*}
  done
  return 1
}

fetch() {
  seconds=${PUSHREADY_DOWNLOAD_TIMEOUT:-300}
  if have curl; then
    set -- curl -fsSL --netrc-optional --proto "=$1" --connect-timeout 20 -m "$seconds" --retry 2 -o "$new" "$from"
  elif have wget; then set -- wget -q -t 3 -O "$new" "$from"
  elif have busybox; then set -- busybox wget -q -O "$new" "$from"
  else fail 'no curl, wget or busybox' 'install one, or set PUSHREADY_DOWNLOAD_URL to a path'
  fi
  tool=$1
  # wget limits only each single wait for the network, and busybox 1.35 crashes with that option
  if have timeout; then set -- timeout "$seconds" "$@"
  elif have busybox; then set -- busybox timeout "$seconds" "$@"
  fi
  # no binary is larger than 64 MiB; the number is in blocks of 512 bytes, in bash of 1024
  ulimit -f 131072
  # in the background: a shell handles a signal only after its foreground child has ended
  "$@" >/dev/null &
  child=$! status=0
  wait "$child" || status=$?
  child=
  case $tool/$status in
    */0) return ;;
    */124 | */143 | curl/28) why="not done in $seconds s (PUSHREADY_DOWNLOAD_TIMEOUT)" ;;
    curl/23 | wget/3) why="cannot write to $folder, is the disk full?" ;;
    curl/22 | wget/8) why='the server has no such file, or refuses it' ;;
    curl/60 | wget/5) why='its certificate is not trusted here: is the CA installed?' ;;
    curl/6 | curl/7 | wget/4) why='it cannot be reached' ;;
    *) why="$tool ended with status $status" ;;
  esac
  fail "cannot fetch $from: $why" 'check the address and https_proxy, or set PUSHREADY_DOWNLOAD_URL to a mirror or a path'
}

# FILE or URL to $new
get() {
  case $from in
    *://*@*) fail 'a user in PUSHREADY_DOWNLOAD_URL' 'the process list would show a password: use ~/.netrc; an @ elsewhere is %40' ;;
    https://*) fetch https ;;
    http://localhost[:/]* | http://127.0.0.1[:/]* | 'http://[::1]'[:/]*) fetch http,https ;;
    *://*) fail "not HTTPS: $from" 'set PUSHREADY_DOWNLOAD_URL to an https:// address or a path' ;;
    *) cat "$from" >"$new" || fail "cannot copy $from to $folder" 'check PUSHREADY_DOWNLOAD_URL and the space on the disk' ;;
  esac
}

# the manual, where man looks for it: beside the folder of the binary. The installation never fails because of it.
install_manual() {
  case $manual/$from/$folder in /* | *[?#]*) return ;; */"$name"/*/bin) ;; *) return ;; esac
  { have man && have tar && have gzip; } || return 0
  (
    expected=$manual from=${from%/"$name"}/pushready-$version-manual.tar.gz new=$work/manual pages=${folder%bin}share/man/man1
    get && verified "$new" && mkdir -p "$pages" && gzip -dc <"$new" | tar -xf - -C "$pages"
  ) 2>/dev/null || echo "warning: no manual: pushready-$version-manual.tar.gz is not where the binary came from" >&2
}

clean() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || :
  [ -z "$work" ] || rm -rf "$work"
}

# on the PATH of all processes of a Coder workspace, but lost at a restart
link() {
  # shellcheck disable=SC3013 # dash, busybox, bash and ksh have -ef, and POSIX has it since 2024
  if [ -z "${CODER_SCRIPT_BIN_DIR:-}" ] || [ "$CODER_SCRIPT_BIN_DIR/pushready" -ef "$target" ]; then return; fi
  link=$CODER_SCRIPT_BIN_DIR/.pushready.$$
  # mv would put it into a folder that a link leads to
  [ ! -h "$CODER_SCRIPT_BIN_DIR/pushready" ] || rm -f "$CODER_SCRIPT_BIN_DIR/pushready"
  { mkdir -p "$CODER_SCRIPT_BIN_DIR" && ln -sf "$target" "$link" && mv -f "$link" "$CODER_SCRIPT_BIN_DIR/pushready"; } ||
    fail "cannot link $target into $CODER_SCRIPT_BIN_DIR" 'check CODER_SCRIPT_BIN_DIR'
}

main() {
  child='' work=''
  trap clean EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM

  case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-amd64) machine=x86_64 pinned=$x86_64 given=${PUSHREADY_SHA256_X86_64:-} ;;
    Linux-aarch64 | Linux-arm64) machine=aarch64 pinned=$aarch64 given=${PUSHREADY_SHA256_AARCH64:-} ;;
    *) fail "no release for $(uname -sm)" 'releases are for Linux on x86_64 and aarch64' ;;
  esac
  if [ "${PUSHREADY_VERSION:-$version}" != "$version" ]; then version=$PUSHREADY_VERSION pinned='' manual=''; fi
  expected=$(printf %s "${PUSHREADY_SHA256:-${given:-$pinned}}" | tr A-F a-f)
  [ "${version:+$expected}" ] || fail "no SHA-256 is pinned for pushready ${version:-(no version)} on $machine" \
    'use install.sh of a release, or set PUSHREADY_VERSION and PUSHREADY_SHA256 from its SHA256SUMS'

  folder=${PUSHREADY_INSTALL_DIR:-${HOME:?is not set: set it or PUSHREADY_INSTALL_DIR}/.local/bin}
  case $folder in
    /*) ;;
    [~]/*) folder=$HOME${folder#?} ;; # Terraform does not expand it
    *) folder=$PWD/$folder ;;
  esac
  target=$folder/pushready
  [ ! -d "$target" ] || fail "$target is a folder" 'move it away, or set PUSHREADY_INSTALL_DIR'
  if [ -f "$target" ] && [ -x "$target" ] && [ -r "$target" ] && verified "$target"; then
    link
    return
  fi
  verified /dev/null || : # fails before the download if this machine cannot verify

  name=pushready-$version-$machine-linux
  from=${PUSHREADY_DOWNLOAD_URL:-${url:+$url/v$version}}
  from=${from#file://}
  [ "$from" ] || fail 'nowhere to fetch from' 'set PUSHREADY_DOWNLOAD_URL to a URL or path with the release'
  case ${from%%[?#]*} in
    */"$name") ;; # the URL of the file itself, perhaps a signed one
    *://*) from=${from%/}/$name ;;
    *) [ ! -d "$from" ] || from=${from%/}/$name ;;
  esac

  # all users can read the binary and new folders, only this user can write to them
  umask 022
  { mkdir -p "$folder" && work=$(mktemp -d "$folder/.pushready.XXXXXX"); } ||
    fail "cannot write to $folder" 'set PUSHREADY_INSTALL_DIR to a folder that you can write to'
  if is_open "$folder" || is_open "$(cd -P "$folder" && pwd -P)"; then
    fail "other users can write to $folder, or to a folder above it" \
      'they could replace what is installed: remove that permission (chmod o-w), or set PUSHREADY_INSTALL_DIR'
  fi
  new=$work/pushready
  get
  if ! verified "$new"; then
    start=
    IFS= read -r start <"$new" || :
    case $start in '<'*) is='a web page (from a proxy or a login page?)' ;; *) is='cut off, or another file' ;; esac
    fail "$from has SHA-256 $sum, not $expected" "nothing was installed: the download is $is"
  fi
  chmod 755 "$new"
  "$new" --version >/dev/null || fail "cannot run programs in $folder" 'mounted noexec? set PUSHREADY_INSTALL_DIR'
  mv -f "$new" "$target"
  link
  install_manual
  echo "pushready $version installed in $folder"
}
main
