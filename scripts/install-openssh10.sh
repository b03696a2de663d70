#!/bin/sh
# Downloads the ssh of OpenSSH 10 from Debian trixie, with the libraries that it needs, for the behaviour tests on an older
# Debian. It changes nothing else on the machine: apt uses a separate folder.
#   install-openssh10.sh [FOLDER]     default: $PUSHREADY_CLIENTS_DIR, else target/clients
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
folder=${1:-${PUSHREADY_CLIENTS_DIR:-$(dirname "$0")/../target/clients}}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)/openssh-10
# where the tests find it; the binary contains the loader's path
inside=/run/rig/clients/openssh-10
libraries=/usr/lib/x86_64-linux-gnu

if [ -x "$folder/ssh" ]; then exit 0; fi
[ "$(dpkg --print-architecture)" = amd64 ] || { echo 'error: pinned for amd64 only' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root" "$work/tools"
# from the mirror that this machine uses itself
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | sort -u | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "$mirror" >"$work/sources.list"
apt() {
  apt-get --quiet --quiet -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User= "$@"
}
cd "$work/debs"
apt update
apt download openssh-client libc6 libedit2 libtinfo6 libbsd0 libmd0 libfido2-1 libcbor0.10 libudev1 libcap2 \
  libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libselinux1 libpcre2-8-0 \
  libssl3t64 libzstd1 zlib1g
for deb in *.deb; do dpkg-deb --extract "$deb" "$work/root"; done
# an installed patchelf would do; this one needs no installation
apt download patchelf libstdc++6 libgcc-s1
for deb in patchelf_*.deb libstdc++6_*.deb libgcc-s1_*.deb libc6_*.deb; do dpkg-deb --extract "$deb" "$work/tools"; done
patchelf() {
  "$work/root$libraries/ld-linux-x86-64.so.2" --library-path "$work/tools$libraries:$work/root$libraries" \
    "$work/tools/usr/bin/patchelf" "$@"
}
cp "$work/root/usr/bin/ssh" "$work/ssh"
# ssh must be the process's own program, not an argument of the loader: its command line is read
patchelf --set-interpreter "$inside/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$inside/lib" "$work/ssh"
mkdir -p "$folder/lib"
cp --dereference "$work/root$libraries"/*.so.* "$folder/lib/"
cp "$work/ssh" "$folder/ssh"
