#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's init in its root file system: it prepares what the tests need, runs the suites and
# writes their output to the third disk, as a tar archive, after each of them. The settings are
# those of the host: SUITES, ONLY, LIMIT_S, UNPRIVILEGED_BPF, REPEAT_FAILED_ONCE.

# The tests do not trace the kernel, as the guest's processors may be emulated: see
# tests/e2e/resets.py.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 STICKY_TEST_NO_TRACE=1
export PATH HOME LANG PYTHONDONTWRITEBYTECODE STICKY_TEST_NO_TRACE
. /run/settings

mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/pts /dev/shm /run/lock /run/results
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +pids +cpu' >/sys/fs/cgroup/cgroup.subtree_control
mount -t bpf bpf /sys/fs/bpf
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
[ -c /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; } 2>/dev/null
hostname guest
printf '127.0.0.1 localhost guest\n::1 localhost\n' >/etc/hosts
ip link set lo up
# This is Debian's default. A kernel that was not built by Debian has another one.
[ -z "$UNPRIVILEGED_BPF" ] || sysctl -q -w "kernel.unprivileged_bpf_disabled=$UNPRIVILEGED_BPF"
# A login session under systemd has a limit like this.
ulimit -n 20000

results=/run/results
uname -r >$results/release
sysctl kernel.unprivileged_bpf_disabled >$results/sysctl 2>&1

keep_results() {
	tar -C /run -cf /dev/vdc results
	sync
}

cd /srv || poweroff -f
export ONLY REPEAT_FAILED_ONCE
for suite in $SUITES; do
	echo "guest: $suite"
	[ "$suite" != hosts ] || export EACH=1 # its figures are shown
	began=$(cut -d. -f1 /proc/uptime)
	# The output is kept even if the suite is cut off, by the limit or by the end of the guest.
	left=$((LIMIT_S > began ? LIMIT_S - began : 1))
	while sleep 30; do keep_results; done &
	keeper=$!
	{
		if [ "$suite" = doctor ]; then
			build/stickyctl doctor
		elif [ "$suite" = bench ]; then
			BUILD=/srv/build timeout -k 5 "$left" python3 -B bench/bench.py --quick serving
		else
			BUILD=/srv/build timeout -k 5 "$left" python3 -B tests/run.py "$suite"
		fi
		echo $? >$results/"$suite".status
	} 2>&1 | tee $results/"$suite".log | sed -un '/^\(ok\|FAIL\|skip\) *[a-z0-9]*\/\|^AGAIN \|^FLAKY \|^# \|^     \(ok\|#\) /s/^/guest:   /p'
	echo $(($(cut -d. -f1 /proc/uptime) - began)) >$results/"$suite".seconds
	dmesg >$results/dmesg
	kill $keeper
	wait $keeper
	keep_results
	echo "guest: $suite ended: $(tail -n 1 $results/"$suite".log)"
done
echo "guest: done"
echo o >/proc/sysrq-trigger
sleep 60
poweroff -f
