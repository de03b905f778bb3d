#!/bin/sh
# SPDX-License-Identifier: MIT
# Build the Debian packages in BUILD/deb from the source archive, which becomes the upstream one.
#
#     packaging/debian.sh VERSION REVISION BUILD BUILD_DEPENDS
#
# The changelog is generated: its one entry refers to CHANGELOG.md, which says what changed, and the
# version is that of include/sticky.h. DEBFULLNAME and DEBEMAIL name who builds.
set -eu

version=$1
revision=$2
archive=$3/stickyctl-$version.tar.gz
directory=$3/deb
tree=$directory/stickyctl-$version
packager=$(sed -n 's/^Maintainer: //p' packaging/debian/control.in)
[ -z "${DEBEMAIL:-}" ] || packager="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"

write_changelog() {
	date=$(date -u -R -d "@$(stat -c %Y "$tree/Makefile")")
	cat <<-END
		stickyctl ($version-$revision) unstable; urgency=medium

		  * Version $version: see /usr/share/doc/stickyctl/changelog.gz.

		 -- $packager  $date
	END
}

# One dependency a line, as debhelper's own files have it.
write_control() {
	depends=$(echo "$1" | sed 's/ \+/,\\n /g')
	sed "s/@BUILD_DEPENDS@/$depends/" packaging/debian/control.in
}

rm -rf "$directory"
mkdir -p "$directory"
cp "$archive" "$directory/stickyctl_$version.orig.tar.gz"
tar -C "$directory" -xf "$archive"
cp -a "$tree/packaging/debian" "$tree/debian"
rm "$tree/debian/control.in"
write_control "$4" >"$tree/debian/control"
write_changelog >"$tree/debian/changelog"
cd "$tree"
exec dpkg-buildpackage -us -uc
