#!/usr/bin/env bash
# Packs the project, installs the tarball into an empty prefix, and uses the commands it gives.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm pack --silent --pack-destination "$work" >/dev/null
tarball=$(ls "$work"/imaging-*.tgz)
npm install --silent --global --offline --prefix "$work/prefix" "$tarball"
export PATH=$work/prefix/bin:$PATH
cd "$work"

fail() { echo "packaging: $*" >&2; exit 1; }
[ "$(imaging-nodes 1-3 ~2)" = 'fit01 fit03' ] || fail 'imaging-nodes'
[ "$(imaging nodes --folded 1-3,7)" = '1-3,7' ] || fail 'imaging nodes'
commands='load save wait which status on off reset info usrpstatus usrpon usrpoff monitor nodes runs list share resolve image inventory leases config doctor sweep completion testbed demo' # npm run generate
for name in $commands; do
  "imaging-$name" --help | grep -q "imaging-$name" || fail "imaging-$name --help"
done
load-image --help | grep -q imaging-load || fail load-image
set +e
imaging nonsense 2>/dev/null; [ $? = 2 ] || fail 'an unknown command must exit 2'
set -e
package=$work/prefix/lib/node_modules/imaging
for shell in bash:imaging.bash zsh:_imaging fish:imaging.fish; do
  imaging completion "${shell%%:*}" | cmp -s - "$package/completions/${shell##*:}" || fail "completions/${shell##*:} is not what imaging completion ${shell%%:*} prints"
done
for name in "$work"/prefix/bin/imaging*; do
  [ -s "$work/prefix/share/man/man1/$(basename "$name").1" ] || fail "no manual page of $(basename "$name") beside its command"
done
[ -s "$work/prefix/share/man/man5/imaging.conf.5" ] || fail 'no manual page of imaging.conf'
if command -v man >/dev/null; then MANPATH=$work/prefix/share/man man imaging-load | grep 'by multicast' >/dev/null || fail 'man imaging-load'; fi
for file in systemd/imaging-sweep.service systemd/imaging-sweep.timer tmpfiles.d/imaging.conf sysusers.d/imaging.conf; do [ -s "$package/etc/$file" ] || fail "no etc/$file"; done
if command -v systemd-analyze >/dev/null; then
  PATH=$PATH:/usr/bin systemd-analyze verify --man=no "$package/etc/systemd/imaging-sweep.timer" 2>&1 | grep -v 'is not executable\|not found' | grep imaging && fail 'systemd does not like the units'
fi
imaging-testbed run 2 -- imaging-doctor >"$work/doctor" || { cat "$work/doctor"; fail 'imaging-doctor on the emulated testbed'; }
case "$(uname -sm)" in Linux\ x86_64 | Linux\ aarch64)
  grep -q 'ok    system-calls .*on: udp-batches' "$work/doctor" || { cat "$work/doctor"; fail 'system calls are off, although the library is there'; } ;;
esac
for library in koffi libsql; do [ -s "$package/dist/$library.LICENSE.txt" ] || fail "no licence of $library"; done
if command -v dpkg-deb >/dev/null; then
  deb=$("$repository/scripts/make-deb.sh" "$tarball" "$work")
  dpkg-deb --contents "$deb" >"$work/contents"
  grep -q './usr/bin/imaging-load -> ../lib/imaging/bin/imaging.js' "$work/contents" || fail "$deb holds no imaging-load"
fi
imaging-testbed run 2 -- imaging-load -i demo 1-2 --progress quiet || fail 'a load on the emulated testbed'
# the native library of the file of leases is in the package, and without it everything else works
printf '[leases]\nbackend = local\nfile = %s/leases/leases.db\n' "$work" >leases.conf
IMAGING_CONFIG=leases.conf imaging-leases book now +1h | grep -q '^booked: all nodes' || fail 'a lease in a file'
find prefix -name 'libsql-*.node' -delete
set +e
IMAGING_CONFIG=leases.conf imaging-leases list 2>/dev/null; [ $? = 4 ] || fail 'a missing library must be named'
set -e
imaging-nodes 1 | grep -q fit01 || fail 'imaging-nodes without the library of leases'
find prefix -name 'koffi-*.node' -delete
imaging-testbed run 2 -- imaging-doctor >"$work/doctor" || { cat "$work/doctor"; fail 'imaging-doctor without the library of system calls'; }
grep -q 'ok    system-calls .*on: direct-io; off: udp-batches (no library' "$work/doctor" || { cat "$work/doctor"; fail 'a missing library of system calls must be told'; }
imaging-testbed run 2 -- imaging-load -i demo 1-2 --progress quiet || fail 'a load without system calls'
echo "packaging: ok, $(du -k "$tarball" | cut -f1) kB"
