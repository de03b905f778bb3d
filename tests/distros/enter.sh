#!/bin/sh
# SPDX-License-Identifier: MIT
# Run a command in a tree of files, as on a machine of its own.
#
#     enter.sh [--alone] TREE COMMAND...
#
# The command has mount, process, IPC and host name namespaces of its own, and with --alone a network
# with nothing but a loopback interface. Without --alone the network is this machine's. The command
# begins in /srv/stickyctl, with a clean environment. Its processes and mounts end with it.
set -eu

if [ "$1" != --inside ]; then
	network=
	if [ "$1" = --alone ]; then
		network=--net
		shift
	fi
	exec unshare --mount --pid --ipc --uts $network --fork --kill-child --propagation private \
		"$0" --inside "$@"
fi
tree=$2
shift 2

give_devices() {
	mount -t tmpfs -o mode=755 dev "$tree/dev"
	for device in full null random tty urandom zero; do
		: >"$tree/dev/$device"
		mount --bind "/dev/$device" "$tree/dev/$device"
	done
	mkdir "$tree/dev/net" "$tree/dev/pts" "$tree/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$tree/dev/pts"
	mount -t tmpfs -o mode=1777 shm "$tree/dev/shm"
	ln -s pts/ptmx "$tree/dev/ptmx"
	ln -s /proc/self/fd "$tree/dev/fd"
	ln -s /proc/self/fd/0 "$tree/dev/stdin"
	ln -s /proc/self/fd/1 "$tree/dev/stdout"
	ln -s /proc/self/fd/2 "$tree/dev/stderr"
	# This does not exist on every machine. A test that needs it prints what it lacks.
	if [ -e /dev/net/tun ]; then
		: >"$tree/dev/net/tun"
		mount --bind /dev/net/tun "$tree/dev/net/tun"
	fi
}

mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount -t sysfs sysfs "$tree/sys"
mount -t bpf -o mode=700 bpf "$tree/sys/fs/bpf"
mount --rbind /sys/fs/cgroup "$tree/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$tree/run"
mkdir "$tree/run/lock"
give_devices
hostname debian
cp -L /etc/resolv.conf "$tree/etc/resolv.conf"

# chroot alone is not enough: a process in one can't make user namespaces, or have mounts of its own.
cd "$tree"
pivot_root . .
umount -l .
cd /srv/stickyctl
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
	LANG=C.UTF-8 ${http_proxy+"http_proxy=$http_proxy"} ${https_proxy+"https_proxy=$https_proxy"} "$@"
