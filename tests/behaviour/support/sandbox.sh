#!/bin/sh
# sandbox.sh CRATE [BWRAP-OPTION...] -- COMMAND...: runs COMMAND as user `coder` (1000) with an empty home, a read-only system
# and a network of its own, in which github.com and the vendors are loopback addresses. Needs bubblewrap, no privileges.
set -eu
command -v bwrap >/dev/null || { echo "bwrap not found" >&2; exit 127; }
crate=$1
shift
etc=$crate/tests/behaviour/support/etc

# the system is read-only: a file can be covered, not added
cover() { [ ! -e "$2" ] || printf '%s\n' --ro-bind "$etc/$1" "$2"; }
# shellcheck disable=SC2046 # one word a line, and none has blanks but the path of the crate, which IFS leaves whole
set_covers() {
  IFS='
'
  covers=$(cover passwd /etc/passwd; cover group /etc/group; cover hosts /etc/hosts; cover empty /etc/resolv.conf
    cover empty /etc/gitconfig; cover empty /usr/local/etc/gitconfig)
}
set_covers
# So that a real sshd answers on github.com's own port: CAP_NET_BIND_SERVICE. /proc is read-only, because to the kernel a
# sandbox that root starts is root: it could set the machine's sysctls. /dev is made by hand, because for the pts of its own
# --dev bwrap adds a second user namespace, and the ports below 1024 belong to the first.
# shellcheck disable=SC2086 # one option a line
exec bwrap --unshare-user --uid 1000 --gid 1000 --unshare-pid --unshare-net --unshare-ipc \
  --die-with-parent --clearenv --cap-drop ALL --cap-add CAP_NET_BIND_SERVICE \
  --ro-bind / / --perms 1777 --tmpfs /tmp --tmpfs /run --tmpfs /srv --tmpfs /etc/ssh --tmpfs /etc/ssl/certs \
  --tmpfs /home --perms 0700 --dir /home/coder \
  --proc /proc --remount-ro /proc \
  --tmpfs /dev --perms 1777 --tmpfs /dev/shm --symlink /proc/self/fd /dev/fd \
  --dev-bind /dev/null /dev/null --dev-bind /dev/zero /dev/zero --dev-bind /dev/full /dev/full \
  --dev-bind /dev/random /dev/random --dev-bind /dev/urandom /dev/urandom \
  $covers \
  --ro-bind "$etc/empty" /etc/ssh/ssh_known_hosts --ro-bind "$etc/ssh_config" /etc/ssh/ssh_config \
  --ro-bind "$crate" /run/rig/crate --chdir /run/rig/crate \
  --setenv HOME /home/coder --setenv USER coder --setenv LANG C.UTF-8 \
  --setenv PATH /run/rig/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$@"
