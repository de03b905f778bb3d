#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Try this project on releases of Debian, each in a clean tree of files.

    BUILD=build tests/distros/distros.py 12 13       the steps of README.md: build, demo, all tests
    BUILD=build tests/distros/distros.py --short 13  gcc and clang without a warning, unit and
                                                     kernel tests

The source is $BUILD/distros/source.tar. Logs, trees and downloaded packages are kept in
$BUILD/distros/12 and so on. In the tree, the Makefile installs the packages that it needs.

The last line is always "N passed, N failed, N skipped". A step that contains no tests counts as
one. The exit status is 1 if anything failed, or if nothing ran. With --short it is not a failure if
nothing ran: that part of `make check` is skipped where no tree can be made.
"""

import os
import pathlib
import sys

from release import Release, show_tail
from results import Counts, Log, Step, print_table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build")).resolve() / "distros"
JOBS = f"-j{os.cpu_count() or 1}"
STATUS_SKIPPED = 77

# (column, command, is it alone in its network?)
FULL_STEPS = (
    ("build", f"make deps && make {JOBS} && make deps-test", False),
    ("start", "tests/distros/demo.sh", True),
)
FULL_TESTS = (("unit", "kernel", "e2e"), f"make {JOBS} test")
SHORT_STEPS = (
    ("gcc", f"make deps-test-c && make {JOBS} BUILD=build/gcc CC=gcc WERROR=1 programs", False),
    ("clang", f"make {JOBS} BUILD=build/clang CC=clang WERROR=1 programs", False),
    ("consumer", "make BUILD=build/gcc CC=gcc WERROR=1 consumer", False),
)
# The command runs in a clean environment.
REPEAT = "REPEAT_FAILED_ONCE=1 " if os.environ.get("REPEAT_FAILED_ONCE") else ""
SHORT_TESTS = (("unit", "kernel"),
               f"BUILD=build/gcc {REPEAT}python3 -B tests/run.py unit kernel")


class TestedRelease(Release):
    """One release of Debian, and the results of its tests."""

    def run_tests(self, suites, command):
        passed, text = self.run("test", command, False)
        log = Log(text)
        for suite in suites:
            self.cells[suite] = log.suite(suite)
        for line in log.failures() + log.flaky:
            print(line)
        for reason, count in log.skip_reasons().items():
            self.say(f"skipped: {reason}" + (f" ({count} times)" if count > 1 else ""))
        if not passed and not any(self.cells[suite].failed for suite in suites):
            self.cells["test"] = Step(failed=1)
            show_tail(text)


def try_release(number, is_short):
    release = TestedRelease(number, ROOT / number, ROOT / "source.tar")
    status = release.make_tree()
    steps, tests = (SHORT_STEPS, SHORT_TESTS) if is_short else (FULL_STEPS, FULL_TESTS)
    if status == STATUS_SKIPPED:
        release.cells[steps[0][0]] = Step(skipped=1)
    elif status:
        release.cells[steps[0][0]] = Step(failed=1)
    elif release.run_steps(steps):
        release.run_tests(*tests)
    return release


def main():
    arguments = sys.argv[1:]
    is_short = "--short" in arguments
    numbers = [argument for argument in arguments if argument != "--short"]
    steps, tests = (SHORT_STEPS, SHORT_TESTS) if is_short else (FULL_STEPS, FULL_TESTS)
    columns = [step[0] for step in steps] + list(tests[0])
    total = Counts()
    try:
        releases = [try_release(number, is_short) for number in numbers]
        total = print_table(columns, [(release.name, release.cells) for release in releases])
    finally:
        print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed or not (total.passed or is_short) else 0


if __name__ == "__main__":
    sys.exit(main())
