#!/bin/sh
# SPDX-License-Identifier: MIT
# Unpack libraries for arm64 of this machine's Debian release, to link a program for arm64 here.
#
#     arm64_root.sh DIRECTORY PACKAGES...
#
# Nothing in there is run, and nothing is installed on this machine. The packages come from where
# this machine's apt has its own, security updates included.
set -eu

directory=$1
shift
# shellcheck source=/dev/null
. /etc/os-release
# shellcheck disable=SC2016 # the variables are apt's
sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	'Created-By: Packages' 'Origin: Debian' | grep " $VERSION_CODENAME" | sort -u) || {
	echo "arm64: no mirror of Debian is among the sources of this machine's apt" >&2
	exit 1
}
rm -rf --one-file-system "$directory"
mkdir -p "${directory%/*}"
echo "$sources" | mmdebstrap --quiet --variant=extract --architectures=arm64 \
	--include="$(echo "$*" | tr ' ' ,)" "$VERSION_CODENAME" "$directory" -
