#!/bin/sh
# SPDX-License-Identifier: MIT
# Boot systemd as PID 1 beside the machine's own init, and run one program under it.
#
#     boot.sh INSTALLED COMMAND [ARGUMENT...]
#
# systemd runs in namespaces of its own: mounts, processes, IPC, host name, cgroups, and a network
# with only a loopback interface. Its files are the machine's, or those of the tree that
# $SYSTEMD_ROOT names. An overlay in memory lies above them, with the tree INSTALLED in it, so that
# no change stays. The command is the only service that is started. It runs as root, in the
# directory from which boot.sh was called. Its output and its exit status become those of boot.sh.
# Exit status 77: systemd can't be booted here; stderr has the reason.
set -eu

skip() {
	echo "$1" >&2
	exit 77
}

# ---- Outside of the namespaces ---------------------------------------------------------

find_systemd() {
	for systemd in /lib/systemd/systemd /usr/lib/systemd/systemd; do
		[ ! -x "${SYSTEMD_ROOT:-}$systemd" ] || return 0
	done
	skip "systemd is not installed"
}

make_cgroup() {
	hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$hierarchy" ] || skip "no cgroup2 file system is mounted here"
	here=$hierarchy$(sed -n 's|^0::||p' /proc/self/cgroup)
	cgroup=$here/sticky-test-$$
	mkdir "$cgroup" 2>/dev/null || skip "no cgroup can be made in $here"
}

write_command() {
	{
		printf 'cd %s && PATH=%s && export PATH\n' "$(quote "$PWD")" "$(quote "$PATH")"
		[ -z "${BUILD:-}" ] || printf 'BUILD=%s && export BUILD\n' "$(quote "$BUILD")"
		for word; do
			printf '%s ' "$(quote "$word")"
		done
		printf '\necho $? >/run/outside/status\n'
	} >"$work/command"
}

quote() {
	printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

clean_up() {
	trap '' INT TERM # a second signal would end this script
	[ -z "${booted:-}" ] || kill -KILL "$booted" 2>/dev/null || true
	echo $$ >"$here/cgroup.procs"
	# The processes of the namespace end a moment after its PID 1.
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
		[ -e "$cgroup" ] || break
		sleep 0.2
	done
	rm -rf "$work"
}

boot() {
	find_systemd
	grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
		skip "this kernel has no overlayfs"
	make_cgroup
	work=$(mktemp -d)
	mkdir "$work/root" "$work/outside"
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	installed=$1
	shift
	work=$work/outside write_command "$@"
	: >"$work/outside/output"
	echo $$ >"$cgroup/cgroup.procs"
	unshare --mount --pid --ipc --uts --net --cgroup --fork --kill-child --propagation private \
		"$0" --inside "$systemd" "$work" "$installed" &
	booted=$!
	# This runs in the background: a trap would wait for the end of a program in the foreground.
	tail --follow --pid=$booted --sleep-interval=0.2 --lines=+1 "$work/outside/output" &
	wait $!
	wait $booted || true
	booted=
	[ -e "$work/outside/status" ] || skip "systemd did not boot"
	exit "$(cat "$work/outside/status")"
}

[ "$1" = --inside ] || boot "$@"

# ---- Inside ------------------------------------------------------------------------------

systemd=$2 work=$3 installed=$4 directory=$PWD root=$3/root

lay_files() {
	mount -t tmpfs -o mode=755 memory "$root"
	mkdir "$root/upper" "$root/work" "$root/root"
	mount -t overlay -o \
		"lowerdir=${SYSTEMD_ROOT:-/},upperdir=$root/upper,workdir=$root/work" overlay "$root/root"
	root=$root/root
	# Units and settings of this machine must not affect the checks.
	rm -rf "$root/etc/sticky" "$root/var/lib/sticky"
	mount -t tmpfs -o mode=755 units "$root/etc/systemd/system"
	cp -R --preserve=mode,links "$installed/." "$root"
	for place in "$directory" ${BUILD:+"$BUILD"}; do
		mkdir -p "$root$place"
		mount --rbind "$place" "$root$place"
	done
}

mount_kernel() {
	mount -t proc proc "$root/proc"
	# The settings of the network belong to the namespace. systemd would set others of the machine.
	mount --bind "$root/proc/sys" "$root/proc/sys"
	mount -o remount,bind,ro "$root/proc/sys"
	mount -t sysfs sysfs "$root/sys"
	mount -t bpf -o mode=700 bpf "$root/sys/fs/bpf"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mount -t tmpfs -o mode=755 run "$root/run"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mkdir "$root/run/outside"
	mount --bind "$work/outside" "$root/run/outside"
}

give_devices() {
	mount -t tmpfs -o mode=755 dev "$root/dev"
	for device in full null random tty urandom zero; do
		: >"$root/dev/$device"
		mount --bind "/dev/$device" "$root/dev/$device"
	done
	mkdir "$root/dev/pts" "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
}

write_service() {
	mkdir -p "$root/run/systemd/system"
	cat >"$root/run/systemd/system/sticky-test.service" <<-EOF
		[Unit]
		DefaultDependencies=no
		Requires=systemd-journald.socket
		After=systemd-journald.socket
		SuccessAction=exit-force
		FailureAction=exit-force
		[Service]
		Type=oneshot
		StandardOutput=append:/run/outside/output
		StandardError=append:/run/outside/output
		ExecStart=/bin/sh /run/outside/command
	EOF
}

lay_files
mount_kernel
give_devices
write_service
ip link set lo up
cd "$root"
pivot_root . .
umount -l .
# container=: it then leaves the machine's clock, its devices and its kernel modules alone.
exec env -i container=sticky-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	"$systemd" --system --unit=sticky-test.service --show-status=false
