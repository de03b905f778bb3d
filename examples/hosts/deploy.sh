#!/bin/sh
# SPDX-License-Identifier: MIT
# Deploys to one host after the other, from HAProxy's machine:  deploy.sh app1 app2 app3
# The hosts' names are those of HAProxy's servers. DRAIN=60: no new clients for a host meanwhile, and
# up to 60 s for the present ones. A reload needs none: it loses no connection, and nobody moves.
set -eu
COMMAND=${COMMAND:-stickyctl reload -n web --wait=drained} ON=${ON:-ssh} DRAIN=${DRAIN:-0}
SOCKET=${SOCKET:-/run/haproxy/admin.sock} BACKEND=${BACKEND:-app}

api() { echo "$1" | socat -t 5 - "UNIX-CONNECT:$SOCKET"; }
field() { api "show stat" | awk -F, -v b="$BACKEND" -v s="$1" -v n="$2" '$1 == b && $2 == s {print $n}'; }
# wait_until SECONDS HOST FIELD VALUE: false if it takes longer
wait_until() {
	left=$1
	until [ "$(field "$2" "$3")" = "$4" ]; do
		left=$((left - 1))
		[ "$left" -ge 0 ] || return 1
		sleep 1
	done
}
for host; do
	echo "$host: $COMMAND"
	if [ "$DRAIN" -gt 0 ]; then
		api "set server $BACKEND/$host state drain" >/dev/null
		wait_until "$DRAIN" "$host" 5 0 || echo "$host: connections are left"
	fi
	status=0
	$ON "$host" "$COMMAND" || status=$?
	api "set server $BACKEND/$host state ready" >/dev/null
	[ "$status" = 0 ] || { echo "$host: exit code $status; the others stay as they are" >&2; exit "$status"; }
	wait_until 30 "$host" 18 UP || { echo "$host: HAProxy does not find it ready" >&2; exit 1; }
done
