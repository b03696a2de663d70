#!/bin/sh
# Runs COMMAND in a Debian 13 (git 2.47, OpenSSH 10, Python 3.13), which debootstrap installs first. It uses this machine's kernel,
# network and devices, and sees of its files the folders of --bind alone. Needs root; the processes of COMMAND end with it.
#   debian13.sh [--user NAME] [--bind FOLDER]... [--] COMMAND [ARGUMENT...]
#   --user NAME     an ordinary user of this machine, who is made there with the same number
#   --bind FOLDER   is there under the same path
#   PUSHREADY_DEBIAN13=FOLDER   where the Debian is installed (default: /var/lib/pushready-debian13)
set -eu
root=${PUSHREADY_DEBIAN13:-/var/lib/pushready-debian13}
user='' folders=''
while [ $# -gt 0 ]; do
  case $1 in
    --user) user=$2 && shift 2 ;;
    --bind) folders="$folders $2" && shift 2 ;;
    --) shift && break ;;
    -h | --help) sed -n '2,/^set -eu/{/^set -eu/!s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    -*) echo "error: unknown option $1; try --help" >&2 && exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo 'error: no command; try --help' >&2 && exit 2; }
[ "$(id -u)" = 0 ] || { echo 'error: not root' >&2 && exit 3; }
command -v debootstrap >/dev/null || { echo 'error: debootstrap not found' >&2 && exit 3; }

if [ ! -e "$root/installed" ]; then
  # from the mirror that this machine uses itself
  # shellcheck disable=SC2016 # apt's own variable
  mirror=$(apt-get indextargets --format '$(SITE)' | grep debian | grep -v security | sort -u | head -n 1)
  packages=$("$(dirname "$0")/install-test-tools.sh" --list-run | tr -s ' \n' ',')
  rm -rf "$root"
  debootstrap --variant=minbase --include="${packages%,}" trixie "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    echo "error: debootstrap failed; $root.log has its output" >&2
    exit 3
  }
  touch "$root/installed"
fi
if [ "$user" ]; then
  for file in passwd group; do
    grep -q "^$user:" "$root/etc/$file" || getent "$file" "$user" >>"$root/etc/$file"
  done
fi
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"

# pivot_root, not chroot alone: the kernel refuses user namespaces, which the tests need, to a process below a chroot
# shellcheck disable=SC2016 # for the inner shell
exec unshare --mount --propagation private --pid --fork --kill-child sh -euc '
  root=$1 user=$2 folders=$3 && shift 3
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  for folder in /dev /sys $folders; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
  done
  for folder in /tmp /run; do mount -t tmpfs -o mode=1777 tmpfs "$root$folder"; done
  here=$PWD
  cd "$root"
  pivot_root . mnt
  exec chroot . sh -euc '\''
    here=$1 user=$2 && shift 2
    umount -l /mnt
    cd "$here" 2>/dev/null || cd /
    [ -z "$user" ] || set -- setpriv --reuid="$user" --regid="$user" --init-groups "$@"
    exec "$@"
  '\'' sh "$here" "$user" "$@"
' sh "$root" "$user" "$folders" "$@"
