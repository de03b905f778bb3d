#!/bin/sh
# SPDX-License-Identifier: MIT
# Make a tree of files with a fresh installation of a Debian release, and git and make.
#
#     tree.sh 13 DIRECTORY        the tree is DIRECTORY/tree
#
# The archive that mmdebstrap makes is kept in DIRECTORY/base.tar, so that the next tree takes some
# seconds. The mirror is the one that this machine's apt uses. Exit status 77: no tree can be made
# here; the last line of stderr is the reason.
set -eu

case $1 in
12) release=bookworm ;;
13) release=trixie ;;
*)
	echo "tests/distros/tree.sh does not know Debian $1" >&2
	exit 2
	;;
esac
directory=$2

skip() {
	echo "Debian $1 was not tried: $2." >&2
	exit 77
}

find_mirror() {
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
		'Label: Debian' 2>/dev/null | head -n 1
}

make_base() {
	command -v mmdebstrap >/dev/null || skip "$1" "mmdebstrap is not installed"
	mirror=$(find_mirror)
	[ -n "$mirror" ] || skip "$1" "no mirror of Debian is among the sources of this machine's apt"
	mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,make --format=tar "$release" \
		"$directory/base.part" "$mirror" >"$directory/mmdebstrap.log" 2>&1 ||
		skip "$1" "mmdebstrap failed, see $directory/mmdebstrap.log"
	mv "$directory/base.part" "$directory/base.tar"
}

mkdir -p "$directory"
[ -e "$directory/base.tar" ] || make_base "$1"
rm -rf --one-file-system "$directory/tree"
mkdir "$directory/tree"
# Device files come from the machine, see enter.sh.
tar -C "$directory/tree" --exclude='./dev/*' --numeric-owner -xf "$directory/base.tar"
# The connection to npm may need certificates of authorities that only this machine knows.
authorities=etc/ssl/certs/ca-certificates.crt
[ ! -e /$authorities ] || cp -L /$authorities "$directory/tree/$authorities"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$directory/tree/etc/hosts"
