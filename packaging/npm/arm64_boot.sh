#!/bin/sh
# SPDX-License-Identifier: MIT
# Run the program for arm64 on a machine that qemu plays: a kernel of Debian, and no more files than
# the package, glibc and busybox.
#
#     arm64_boot.sh DIRECTORY PACKAGE LIBRARIES GUEST
#
# PACKAGE: the package for npm, unpacked; LIBRARIES: a tree with glibc; GUEST: one with the kernel and
# busybox. Exit status 0: it passed. What the machine has printed is DIRECTORY/boot.log.
set -eu

here=$(dirname "$0")
directory=$1 package=$2 libraries=$3 guest=$4
tree=$directory/boot

rm -rf "$tree"
mkdir -p "$tree/bin" "$tree/lib/aarch64-linux-gnu" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp"
cp "$guest/bin/busybox" "$tree/bin/"
cp -r "$package" "$tree/package"
cp "$here/arm64_init.sh" "$tree/init"
find "$libraries/lib/" -name ld-linux-aarch64.so.1 -exec cp -L {} "$tree/lib/" \;
for name in libc.so.6 libpthread.so.0; do
	find "$libraries/lib/" -name "$name" -exec cp -L {} "$tree/lib/aarch64-linux-gnu/" \;
done
(cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) >"$directory/boot.img"
kernel=$(find "$guest/boot" -name 'vmlinuz-*' | head -n 1)
timeout 300 qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 2 -m 1024 -nic none -nographic -no-reboot \
	-kernel "$kernel" -initrd "$directory/boot.img" -append 'console=ttyAMA0 quiet panic=-1' \
	</dev/null >"$directory/boot.log" 2>&1 || true
grep -q '^arm64: passed' "$directory/boot.log" && echo "arm64: passed" && exit
tail -n 40 "$directory/boot.log" >&2
exit 1
