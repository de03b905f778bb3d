#!/bin/sh
# SPDX-License-Identifier: MIT
# Becomes the program for this machine's processor. The process stays the same one: signals reach
# stickyctl itself, also as PID 1. npm calls this file by a symbolic link.
set -eu

refuse() {
	echo "stickyctl: $1" >&2
	exit 1
}

case $(uname -m) in
x86_64) cpu=x64 loader=/lib64/ld-linux-x86-64.so.2 ;;
aarch64) cpu=arm64 loader=/lib/ld-linux-aarch64.so.1 ;;
*) refuse "this package has no program for $(uname -m): build stickyctl from its source" ;;
esac
self=$(readlink -f "$0")
program=${self%/bin/*}/linux-$cpu/stickyctl
[ -e "$program" ] || refuse "this package has no program for $cpu: build stickyctl from its source"

wanted="glibc @FLOOR@ or newer is needed"
advice="use an image or a system with a newer glibc: node:22-slim, Debian 10, Ubuntu 18.04, RHEL 8 or later"
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || glibc=
case $glibc in
'glibc '*)
	version=${glibc#glibc }
	minor=${version#*.}
	floor=@FLOOR@
	[ "${version%%.*}" -gt "${floor%%.*}" ] || [ "${minor%%.*}" -ge "${floor#*.}" ] ||
		refuse "$wanted, this is $glibc; $advice"
	;;
*)
	for musl in /lib/ld-musl-*; do
		[ ! -e "$musl" ] || refuse "$wanted, this system has musl (Alpine Linux); $advice"
	done
	;;
esac
[ -e "$loader" ] || refuse "$wanted, $loader is missing; $advice"
exec "$program" "$@"
