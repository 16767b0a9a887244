#!/usr/bin/env bash
# In a bare Debian root with the network off: installs from the packed tarball, then from the Debian package, and each
# time uses imaging-doctor, completion, man imaging-load and a load on the emulated testbed. Needs root, mmdebstrap (or
# debootstrap) and this machine's mirror of Debian, for the root alone; says why and ends well where it cannot run.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
skip() { echo "bare root: skipped: $*"; exit 0; }
fail() { echo "bare root: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || skip 'needs root'
maker=$(command -v mmdebstrap || command -v debootstrap) || skip 'there is neither mmdebstrap nor debootstrap'
for program in unshare chroot ip dpkg-deb npm node; do command -v "$program" >/dev/null || skip "there is no $program"; done
[ -r /etc/os-release ] && . /etc/os-release
[ "${ID-}" = debian ] || skip 'the root is made from this machine'"'"'s own release of Debian, and this is none'
mirror=$(sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *(https?:[^ ]*debian\/?)( .*)?$/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -1 || true)
[ -n "$mirror" ] || skip 'apt names no mirror of Debian'
unshare -n true 2>/dev/null || skip 'network namespaces cannot be made here'

work=$(mktemp -d)
cleanup() {
  if mountpoint -q "$work/root/proc"; then umount -l "$work/root/proc"; fi
  if mountpoint -q "$work/root"; then umount -l "$work/root"; fi
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
root=$work/root
began=$SECONDS

npm pack --silent --pack-destination "$work" >/dev/null
tarball=$(ls "$work"/imaging-*.tgz)
deb=$("$repository/scripts/make-deb.sh" "$tarball" "$work")

# in memory: unpacking waits for the disk after each file
mkdir "$root"
mount -t tmpfs -o size=2g,mode=755 tmpfs "$root" || skip 'a tmpfs cannot be mounted here'
packages=man-db,bash-completion,libstdc++6,passwd
made=0
case $maker in
  *mmdebstrap) timeout 300 mmdebstrap --quiet --variant=apt --include="$packages" "$VERSION_CODENAME" "$root" "$mirror" ;;
  *) timeout 300 debootstrap --variant=minbase --include="$packages" "$VERSION_CODENAME" "$root" "$mirror" ;;
esac >"$work/made.log" 2>&1 || made=$?
if [ "$made" != 0 ]; then
  tail -3 "$work/made.log"
  skip "$maker could not make a root"
fi
echo "bare root: made in $((SECONDS - began)) s"

# Node.js is this machine's own: as a package, so that the dependency is satisfied as apt would
node=$(readlink -f "$(command -v node)")
mkdir -p "$work/nodejs/usr/bin" "$work/nodejs/DEBIAN"
cp "$node" "$work/nodejs/usr/bin/node"
printf 'Package: nodejs\nVersion: %s\nArchitecture: %s\nMaintainer: nobody <root@localhost>\nDescription: the binary of the machine that checks\n' \
  "$(node -p process.versions.node)" "$(dpkg --print-architecture)" >"$work/nodejs/DEBIAN/control"
dpkg-deb -Znone --root-owner-group --build "$work/nodejs" "$root/nodejs.deb" >/dev/null
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -r "$npm" "$root/opt/npm"
cp "$tarball" "$root/imaging.tgz"
cp "$deb" "$root/imaging.deb"
mkdir -p "$root/proc"
mount -t proc proc "$root/proc"

cat >"$root/try.sh" <<'TRY'
set -eu
fail() { echo "bare root: $1: $2" >&2; exit 1; }
how=$1 completions=$2
export LC_ALL=C.UTF-8 MANPAGER=cat MANWIDTH=100
cd /root
[ "$(imaging-nodes 1-3 ~2)" = 'fit01 fit03' ] || fail "$how" imaging-nodes
man imaging-load | grep 'by multicast' >/dev/null || fail "$how" 'man imaging-load'
man 5 imaging.conf | grep pattern_multicast >/dev/null || fail "$how" 'man imaging.conf'
# nothing is set up: the doctor finds what is missing, and names the fix
code=0; imaging-doctor >doctor.txt || code=$?
[ "$code" = 1 ] || { cat doctor.txt; fail "$how" "imaging-doctor exits $code without any setting"; }
grep -q 'FAIL  inventory.*there is no such file' doctor.txt && grep -q 'FAIL  tftp-folder.*there is no folder' doctor.txt || { cat doctor.txt; fail "$how" 'imaging-doctor does not name what is missing'; }
# and on a testbed that is, that all is well
imaging-testbed run 2 --on -- imaging-doctor 1-2 >doctor.txt || { cat doctor.txt; fail "$how" 'imaging-doctor on the emulated testbed'; }
grep -q 'ok    multicast' doctor.txt && grep -q 'ok    cmc' doctor.txt && grep -q 'ok    system-calls .*on: udp-batches' doctor.txt || { cat doctor.txt; fail "$how" 'imaging-doctor has not looked at everything'; }
imaging-testbed run 2 -- imaging-load -i demo 1-2 --progress quiet >/dev/null || fail "$how" 'a load on the emulated testbed'
cat >complete.sh <<COMPLETE
$completions
COMP_LINE='imaging-load -i de' COMP_POINT=18
_imaging
echo "\${COMPREPLY[*]}"
COMPLETE
[ "$(imaging-testbed run 2 -- bash complete.sh)" = 'demo default demo.img' ] || fail "$how" 'completion of images in bash'
echo "bare root: $how: ok"
TRY

# no network but lo, which this machine's ip brings up: the root has none
in_root() { unshare -n bash -c 'ip link set lo up; exec chroot "$0" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root bash -c "$1"' "$root" "$1"; }
in_root "dpkg -i /nodejs.deb >/dev/null && node /opt/npm/bin/npm-cli.js install --global --offline --no-audit --no-fund --prefix /usr/local /imaging.tgz >/dev/null" || fail 'npm install --offline'
in_root "bash /try.sh tarball 'eval \"\$(imaging completion bash)\"'"
in_root 'node /opt/npm/bin/npm-cli.js uninstall --global --prefix /usr/local imaging >/dev/null && ! command -v imaging-load >/dev/null' || fail 'npm uninstall'
in_root 'dpkg -i /imaging.deb >/dev/null' || fail 'dpkg -i'
in_root '[ "$(stat -c "%a %G" /var/lib/imaging/runs)" = "3775 imaging" ]' || fail 'folders of the Debian package'
# as a person's shell finds it: bash-completion loads it by the command's name
in_root "bash /try.sh deb '. /usr/share/bash-completion/bash_completion; _completion_loader imaging-load || :'"
in_root 'dpkg -r imaging >/dev/null && ! command -v imaging-load >/dev/null && [ -d /var/lib/imaging ]' || fail 'dpkg -r'
echo "bare root: ok, $((SECONDS - began)) s"
