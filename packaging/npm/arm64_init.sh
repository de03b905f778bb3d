#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# The first process of the arm64 machine of arm64_boot.sh: is the package's program good there? It prints
# what it sees, and at the end one line with "passed" or "failed".
set -u

prepare() {
	/bin/busybox --install -s /bin
	export PATH=/bin TERM=linux STICKYCTL_RUN_DIR=/tmp/run STICKYCTL_STATE_DIR=/tmp/state
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	mount -t tmpfs tmp /tmp
	ip link set lo up
}

finish() {
	echo "arm64: $1"
	poweroff -f
	sleep 60
}

must() {
	"$@" || finish "failed: $*"
}

wait_for() {
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	cat /tmp/log
	finish "failed: $*"
}

# The same client comes to the same slot, and to the one that `where` names, also over a reload.
ask() {
	wget -q -O - --header 'Accept: application/json' http://127.0.0.1:8080/
}

serve_demo() {
	stickyctl start -w 3 -l 127.0.0.1:8080 --steering="$1" >/tmp/log 2>&1 &
	wait_for stickyctl status --ready
	slot=$(stickyctl where 127.0.0.1 | sed -n 's/.* to slot \([0-9]\).*/\1/p')
	for _ in 1 2 3 4; do
		ask | must grep "\"slot\":$slot,"
		must stickyctl reload --wait
	done
	must stickyctl status
	must stickyctl stop
}

serve_bound() {
	stickyctl start -w 2 -l 127.0.0.1:8080 -- busybox httpd -f -p 127.0.0.1:8080 -h / >/tmp/log 2>&1 &
	wait_for stickyctl status --ready
	wget -q -O - http://127.0.0.1:8080/init | must grep -q 'SPDX'
	must stickyctl stop
}

prepare
ln -s /package/bin/stickyctl /bin/stickyctl
uname -a
must stickyctl version
must stickyctl doctor
serve_demo kernel
serve_demo classic
serve_bound
finish passed
