#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot other kernels in qemu and run the test suites in them.

    BUILD=build tests/kernels/run.py --packages "python3 iproute2 ..."
    KERNELS="6.1-oldest newest dir/bzImage"   the kernels, see kernels.py
    SUITES="doctor unit kernel e2e" ONLY=...  the suites and tests, see tests/run.py

Downloads, disks and results are kept below $BUILD/kernels. The exit status is 1 if anything failed.
If a kernel is not available, its name is printed with the reason; that is no failure.
"""

import argparse
import datetime
import os
import pathlib
import shlex
import shutil
import sys
import time

import images
import kernels
import machine
import older
import results
import short
import table
from archive import Archive
from unavailable import Unavailable

HERE = pathlib.Path(__file__).resolve().parent
KERNELS = "5.10-newest 6.1-oldest 6.1-newest 6.12-oldest 6.12-newest 6.16-oldest newest"
SUITES = "doctor unit kernel e2e"
ENDING_S = 60  # time after the limit in which the guest must end


def say(text):
    print(text, flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", default="", help="Debian packages of the guest")
    parser.add_argument("--page", help="the table is written to this file as well")
    parser.add_argument("--limit", type=int, default=4 * 3600, help="seconds for each kernel")
    parser.add_argument("--short", action="store_true", help="one kernel and some tests: short.py")
    parser.add_argument("--memory", type=int, default=4096, help="MiB of each guest")
    arguments = parser.parse_args()
    arguments.kernels = (os.environ.get("KERNELS") or KERNELS).split()
    arguments.suites = (os.environ.get("SUITES") or SUITES).split()
    arguments.only = os.environ.get("ONLY", "")
    # The page shows whole suites. If only some tests are chosen, it is not written.
    if arguments.only:
        arguments.page = None
    if arguments.short:
        arguments.kernels, arguments.suites = short.KERNELS, short.SUITES
        arguments.only, arguments.limit = " ".join(short.ONLY), short.LIMIT_S
    arguments.build = pathlib.Path(os.environ.get("BUILD", HERE.parents[1] / "build")).resolve()
    return arguments


def chosen_tests(arguments, kernel):
    """Returns the tests to run on this kernel, as the variable ONLY; "" stands for all."""
    if arguments.only or results.supported(kernel.version):
        return arguments.only
    return " ".join(older.ONLY)


def settings(arguments, kernel):
    """Returns shell variables for guest.sh."""
    values = {"SUITES": " ".join(arguments.suites), "ONLY": chosen_tests(arguments, kernel),
              "LIMIT_S": str(arguments.limit),
              "UNPRIVILEGED_BPF": "2" if kernel.modules is None else "",
              "REPEAT_FAILED_ONCE": os.environ.get("REPEAT_FAILED_ONCE", "")}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def try_kernel(kernel, host, arguments, directory):
    """Boot one kernel. Returns its outcome."""
    outcome = results.Outcome(kernel.name, kernel.version)
    if kernel.problem:
        outcome.problem, outcome.unavailable = kernel.problem, True
        say(f"{kernel.name}: cannot be had: {kernel.problem}")
        return outcome
    place = directory / "results" / kernel.name.strip("/").replace("/", "-")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    say(f"{kernel.name}: {kernel.version}")
    began = time.monotonic()
    # The guest ends its suites at the limit, and writes the results so far. The host waits for
    # that.
    outcome.problem = host.run(kernel, place, settings(arguments, kernel),
                               arguments.limit + ENDING_S, lambda line: say(f"  {line}"))
    results.unpack(place)
    results.collect(outcome, place, arguments.suites)
    say(f"  {time.monotonic() - began:.0f} s; results in {place}")
    return outcome


def run(arguments):
    directory = arguments.build / "kernels"
    directory.mkdir(parents=True, exist_ok=True)
    machine.check_programs()
    root = images.root_image(directory, sorted(arguments.packages.split()))
    host = machine.Machine(directory, root, images.tree_image(directory, arguments.build),
                           arguments.memory)
    archive = Archive(directory)
    outcomes = [try_kernel(kernels.find(archive, directory, name), host, arguments, directory)
                for name in arguments.kernels]
    say("")
    say(table.terminal(outcomes, arguments.suites))
    if arguments.page:
        pathlib.Path(arguments.page).write_text(
            table.markdown(outcomes, arguments.suites, datetime.date.today()), encoding="utf-8")
    return outcomes


def main():
    arguments = parse()
    passed = failed = skipped = 0
    try:
        for outcome in run(arguments):
            passed += sum(suite.passed for suite in outcome.suites.values())
            failed += outcome.failed
            skipped += sum(suite.skipped for suite in outcome.suites.values()) + \
                outcome.unavailable
    except Unavailable as unavailable:
        say(f"no other kernel was tried: {unavailable}")
        skipped += 1
    say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
