#!/bin/sh
# SPDX-License-Identifier: MIT
# Write the source archive BUILD/NAME.tar.gz: the last commit, or where there is no repository, the
# tree as it is, which was unpacked from such an archive then.
#
#     packaging/dist.sh NAME BUILD
#
# The same commit always gives the same bits: the order, the owner, the modes and the time of the
# files do not depend on who packs them. The time is that of the commit, or SOURCE_DATE_EPOCH.
set -eu

name=$1
build=$2
copy=$build/dist
umask 022

commit_time() {
	if [ -e .git ]; then
		git log -1 --format=%ct
	else
		stat -c %Y Makefile
	fi
}

copy_tree() {
	rm -rf "$copy"
	mkdir -p "$copy/$name"
	if [ -e .git ]; then
		git archive HEAD | tar -C "$copy/$name" -xf -
	else
		tar --exclude="./$(realpath --relative-to=. "$build")" -cf - . | tar -C "$copy/$name" -xf -
	fi
}

copy_tree
time=${SOURCE_DATE_EPOCH:-$(commit_time)}
tar -C "$copy" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=u+w,go-w,a+rX \
	--mtime="@$time" -cf - "$name" | gzip -9n >"$build/$name.tar.gz.part"
mv "$build/$name.tar.gz.part" "$build/$name.tar.gz"
rm -rf "$copy"
