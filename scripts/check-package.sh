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
for name in load save share resolve wait which status on off reset info usrpstatus usrpon usrpoff nodes monitor list leases config inventory runs testbed demo; do
  "imaging-$name" --help | grep -q "imaging-$name" || fail "imaging-$name --help"
done
load-image --help | grep -q imaging-load || fail load-image
set +e
imaging nonsense 2>/dev/null; [ $? = 2 ] || fail 'an unknown command must exit 2'
set -e
imaging-testbed run 2 -- imaging-load -i demo 1-2 --progress quiet || fail 'a load on the emulated testbed'
echo "packaging: ok, $(du -k "$tarball" | cut -f1) kB"
