#!/usr/bin/env bash
# Packs the project, installs the tarball into an empty prefix, and uses the commands it gives.
set -euo pipefail
cd "$(dirname "$0")/.."
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
for name in load save share resolve wait which status on off reset info usrpstatus usrpon usrpoff nodes list leases config inventory runs testbed demo; do
  "imaging-$name" --help | grep -q "imaging-$name" || fail "imaging-$name --help"
done
load-image --help | grep -q imaging-load || fail load-image
set +e
imaging nonsense 2>/dev/null; [ $? = 2 ] || fail 'an unknown command must exit 2'
set -e
imaging-testbed run 2 -- imaging-load -i demo 1-2 --progress quiet || fail 'a load on the emulated testbed'
# the native library of the file of leases is in the package, and without it everything else works
printf '[leases]\nbackend = local\nfile = %s/leases/leases.db\n' "$work" >leases.conf
IMAGING_CONFIG=leases.conf imaging-leases book now +1h | grep -q '^booked: all nodes' || fail 'a lease in a file'
find prefix -name 'libsql-*.node' -delete
set +e
IMAGING_CONFIG=leases.conf imaging-leases list 2>/dev/null; [ $? = 4 ] || fail 'a missing library must be named'
set -e
imaging-nodes 1 | grep -q fit01 || fail 'imaging-nodes without the library of leases'
echo "packaging: ok, $(du -k "$tarball" | cut -f1) kB"
