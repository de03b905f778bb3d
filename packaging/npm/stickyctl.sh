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

floor=@FLOOR@
need_glibc() {
	refuse "glibc $floor or newer is needed, and $1
use an image like node:22-slim; Debian 10, Ubuntu 18.04, RHEL 8 and all that are newer have it"
}

# $1: a version. Is it that of the floor, or newer?
is_new_enough() {
	major=${1%%.*} rest=${1#*.}
	minor=${rest%%.*}
	[ "$major" -gt "${floor%.*}" ] ||
		{ [ "$major" -eq "${floor%.*}" ] && [ "$minor" -ge "${floor#*.}" ]; }
}

glibc=$(getconf GNU_LIBC_VERSION 2>&1) || glibc=
case $glibc in
'glibc '*)
	is_new_enough "${glibc#glibc }" || need_glibc "this is $glibc"
	;;
*)
	for musl in /lib/ld-musl-*; do
		[ ! -e "$musl" ] || need_glibc "this system has musl (Alpine Linux)"
	done
	;;
esac
[ -e "$loader" ] || need_glibc "there is no $loader"
exec "$program" "$@"
