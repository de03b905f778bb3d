#!/bin/sh
# SPDX-License-Identifier: MIT
# The first steps of README.md, inside a tree: start the demo, connect as a client, stop it.
set -eu

PAGE=http://localhost:8080/
DEADLINE_SECONDS=60

complain() {
	echo "$1; what the demo said:"
	cat demo.log
	exit 1
}

wait_for_page() {
	deadline=$(($(date +%s) + DEADLINE_SECONDS))
	until curl --silent --fail --max-time 2 --output page.html "$PAGE"; do
		[ "$(date +%s)" -lt $deadline ] || complain "no page came"
		kill -0 "$demo" 2>/dev/null || complain "it ended by itself"
		sleep 0.2
	done
}

ip link set lo up
make start >demo.log 2>&1 &
demo=$!
wait_for_page
grep -q 'You were sent to slot' page.html || complain "the page does not say which worker"
build/stickyctl status
build/stickyctl stop
wait "$demo" || complain "it ended with status $?"
curl --silent --max-time 2 "$PAGE" >/dev/null && complain "somebody still serves"
echo "started, served and stopped"
