#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that systemd-analyze finds no mistake in the units below DIRECTORY. The Makefile makes its
# directories system/ and user/.
set -eu

export XDG_RUNTIME_DIR="$1/run"
mkdir -p "$XDG_RUNTIME_DIR"
for kind in system user; do
	# The instance's name comes from the file's.
	cp "$1/$kind/sticky@.service" "$1/$kind/sticky@web.service"
	said=$(systemd-analyze --$kind --man=no verify "$1/$kind/sticky@web.service" 2>&1) || failed=yes
	rm "$1/$kind/sticky@web.service"
	if [ -n "$said" ] || [ -n "${failed:-}" ]; then
		echo "systemd-analyze verify, the $kind's unit: $said" >&2
		exit 1
	fi
done
