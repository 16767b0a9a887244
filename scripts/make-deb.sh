#!/usr/bin/env bash
# Makes a Debian package out of an npm tarball, with dpkg-deb alone: scripts/make-deb.sh [TARBALL] [FOLDER]
# Without a tarball the checkout is packed first. The package goes into FOLDER (default: the current one).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v dpkg-deb >/dev/null || { echo 'make-deb: dpkg-deb is missing (package dpkg)' >&2; exit 4; }

tarball=${1-}
out=$(cd "${2-.}" && pwd)
if [ -z "$tarball" ]; then
  (cd "$root" && npm pack --silent --pack-destination "$work" >/dev/null)
  tarball=$(ls "$work"/imaging-*.tgz)
fi
tar -xzf "$tarball" -C "$work"
from=$work/package
[ -f "$from/dist/main.js" ] && [ -d "$from/man" ] && [ -d "$from/completions" ] || { echo "make-deb: $tarball is no package of imaging, or not whole" >&2; exit 4; }
version=$(node -p "require('$from/package.json').version")
architecture=all
# a library for one kind of machine makes the package one for that kind
if find "$from" -name '*.node' -print -quit | grep -q .; then architecture=$(dpkg --print-architecture); fi

to=$work/deb
mkdir -p "$to"/DEBIAN "$to"/usr/{bin,lib/imaging,lib/systemd/system,lib/tmpfiles.d,lib/sysusers.d} "$to"/usr/share/doc/imaging/examples \
  "$to"/usr/share/{man,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
cp -r "$from"/{bin,dist,package.json,etc,inventory,docs} "$to/usr/lib/imaging/"
if [ -d "$from/node_modules" ]; then cp -r "$from/node_modules" "$to/usr/lib/imaging/"; fi
chmod 755 "$to/usr/lib/imaging/bin/imaging.js"

mapfile -t names < <(node -p "Object.keys(require('$from/package.json').bin).join('\n')")
for name in "${names[@]}"; do
  ln -s ../lib/imaging/bin/imaging.js "$to/usr/bin/$name"
  # both look under the name of the command
  if [ "$name" != imaging ]; then
    ln -s imaging "$to/usr/share/bash-completion/completions/$name"
    ln -s imaging.fish "$to/usr/share/fish/vendor_completions.d/$name.fish"
  fi
done
cp "$from/completions/imaging.bash" "$to/usr/share/bash-completion/completions/imaging"
cp "$from/completions/_imaging" "$to/usr/share/zsh/vendor-completions/"
cp "$from/completions/imaging.fish" "$to/usr/share/fish/vendor_completions.d/"
cp -r "$from"/man/* "$to/usr/share/man/"
find "$to/usr/share/man" -type f -exec gzip -9n {} +
ln -s imaging-load.1.gz "$to/usr/share/man/man1/load-image.1.gz"
mv "$to"/usr/lib/imaging/etc/systemd/* "$to/usr/lib/systemd/system/"
mv "$to"/usr/lib/imaging/etc/tmpfiles.d/* "$to/usr/lib/tmpfiles.d/"
mv "$to"/usr/lib/imaging/etc/sysusers.d/* "$to/usr/lib/sysusers.d/"
rmdir "$to"/usr/lib/imaging/etc/{systemd,tmpfiles.d,sysusers.d}
cp "$from/etc/imaging.conf.example" "$from/inventory/example.json" "$to/usr/share/doc/imaging/examples/"
cp "$from"/README.md "$from"/CHANGELOG.md "$to/usr/share/doc/imaging/"
ln -s ../../../lib/imaging/docs "$to/usr/share/doc/imaging/docs"
{
  printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: imaging\n\nFiles: *\nLicense: Apache-2.0\n'
  printf 'Comment: the licences of the libraries in dist/ are in /usr/lib/imaging/dist, *.LEGAL.txt and *.LICENSE.txt\n\nLicense: Apache-2.0\n See /usr/share/common-licenses/Apache-2.0.\n'
} >"$to/usr/share/doc/imaging/copyright"

cat >"$to/DEBIAN/control" <<CONTROL
Package: imaging
Version: $version
Architecture: $architecture
Maintainer: the imaging project <root@localhost>
Installed-Size: $(du -sk "$to/usr" | cut -f1)
Depends: nodejs (>= 20.19), passwd
Recommends: iputils-ping, libdeflate0
Suggests: bash-completion, tftpd-hpa
Section: admin
Priority: optional
Description: operating-system images onto a testbed's machines and back
 Loads images onto any number of nodes at once by multicast, reboots them into
 them, and says of every single node how it went; saves, checks and compares
 images. The frisbee server is built in.
CONTROL

cat >"$to/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
getent group imaging >/dev/null || groupadd --system imaging
if command -v systemd-tmpfiles >/dev/null && systemd-tmpfiles --create /usr/lib/tmpfiles.d/imaging.conf 2>/dev/null; then :; else
  while read -r type path mode user group _; do
    if [ "$type" = d ] && [ ! -d "$path" ]; then install -d -m "$mode" -o "$user" -g "$group" "$path"; fi
  done </usr/lib/tmpfiles.d/imaging.conf
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  systemctl enable --now imaging-sweep.timer || true
fi
POSTINST
cat >"$to/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now imaging-sweep.timer || true; fi
PRERM
cat >"$to/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
# images and the history of runs are the site's: they stay, even when the package is purged
POSTRM
chmod 755 "$to"/DEBIAN/{postinst,prerm,postrm}
(cd "$to" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$to" -type d -exec chmod 755 {} +
find "$to/usr" -type f ! -name imaging.js -exec chmod 644 {} +
file=$out/imaging_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$to" "$file" >/dev/null
echo "$file"
