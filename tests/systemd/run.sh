#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the units in the tree INSTALLED: run.sh INSTALLED [Class[.test] ...]. Prints a line for each
# check, and "N passed, N failed, N skipped" last. If no check ran, that is a failure.
set -eu

installed=$1
shift
here=$(dirname "$0")
reason=$(mktemp)
trap 'rm -f "$reason"' EXIT
status=0
"$here/boot.sh" "$installed" python3 -B "$here/checks.py" "$@" 2>"$reason" || status=$?
cat "$reason" >&2
if [ $status = 77 ]; then
	echo "skip $(cat "$reason")"
	echo "0 passed, 0 failed, 1 skipped"
	exit 1
fi
exit $status
