#!/usr/bin/env bash
# make_deb.sh VERSION ARCHITECTURE PROGRAM FOLDER: FOLDER/slipway_VERSION_ARCHITECTURE.deb. SOURCE_DATE_EPOCH dates what is in it.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$here")
version=$1 arch=$2 program=$3 out=$4
umask 022
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
doc=$tree/usr/share/doc/slipway

install -D -m 755 "$program" "$tree/usr/bin/slipway"
install -D -m 644 "$top/docs/slipway.1" "$tree/usr/share/man/man1/slipway.1"
gzip -9n "$tree/usr/share/man/man1/slipway.1"
mkdir -p "$doc" "$tree/DEBIAN" "$tree/usr/share/lintian/overrides"
{
	printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: slipway\n\n'
	printf 'Files: *\nCopyright: 2026 the slipway developers\nLicense: Apache-2.0\n On Debian systems the text is /usr/share/common-licenses/Apache-2.0.\n'
	printf 'Comment: Libraries are linked into the program: licenses.txt.gz names them, with their terms.\n'
} >"$doc/copyright"
gzip -9nc "$program.licenses.txt" >"$doc/licenses.txt.gz"
printf 'slipway (%s) unstable; urgency=medium\n\n  * Release %s: see the CHANGELOG.md of the source.\n\n -- %s  %s\n' "$version" "$version" \
	"slipway developers <slipway@example.org>" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9nc >"$doc/changelog.gz"
# What it is for; a program at a random address without a loader looks like a library.
printf 'slipway: %s\n' statically-linked-binary embedded-library shared-library-lacks-prerequisites >"$tree/usr/share/lintian/overrides/slipway"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$arch/" -e "s/@SIZE@/$(du -sk --apparent-size "$tree/usr" | cut -f1)/" \
	"$here/control.in" >"$tree/DEBIAN/control"
(cd "$tree" && find usr -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/slipway_${version}_$arch.deb" >/dev/null
