#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tests, one line a file, and count.

    BUILD=build tests/run.py unit kernel e2e
    BUILD=build ONLY=hands tests/run.py kernel      files with "hands" in their name
    BUILD=build ONLY="kernel/ e2e/test_user:Takes.test_gunicorn" tests/run.py   several, and single
                                                    end-to-end tests of a file: file:Class[.test]
    BUILD=build JOBS=1 tests/run.py e2e             one file after the other
    STICKY_TEST_SLOWNESS=4 tests/run.py             as on a machine that is so slow, see slowness.py

Every test is a program that prints TAP (https://testanything.org): the C tests
under $BUILD/tests/{unit,kernel}, the Python ones under tests/e2e, each of these in
namespaces of its own. A file that ends with status 77 is skipped as a whole. A
crash, a timeout, a test that was announced and not run, a failing status without a
"not ok" and a file without any test count as one failure each.

The last line is always "N passed, N failed, N skipped". The exit status is 1 when
anything failed, and when nothing ran: skipping everything is not a success.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import slowness

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent / "build")).resolve()
ONLY = os.environ.get("ONLY", "").split()

SUITES = ("unit", "kernel", "e2e")
TIMEOUT_SECONDS = {"unit": 120, "kernel": 120, "e2e": 240}
STATUS_SKIPPED = 77

# --kill-child: whatever a test leaves behind dies with its namespace.
E2E_COMMAND = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
               "--mount-proc", "--", sys.executable, "-B"]

# cmocka indents its lines, and says "not ok N # SKIP name" of a test that was skipped.
PLAN = re.compile(r"^\s*1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?$", re.IGNORECASE)
RESULT = re.compile(r"^\s*(not )?ok\b(.*)$")
SKIP = re.compile(r"#\s*skip\S*\s*(.*)$", re.IGNORECASE)


@dataclasses.dataclass
class Result:
    """What became of one file."""
    passed: int = 0
    failed: int = 0
    reasons: list = dataclasses.field(default_factory=list)  # why tests were skipped
    faults: list = dataclasses.field(default_factory=list)   # what was wrong with the file

    def fault(self, what):
        self.failed += 1
        self.faults.append(what)

    def skip(self, reason):
        self.reasons.append(reason or "no reason given")

    @property
    def skipped(self):
        return len(self.reasons)


# Whole programs are given times to keep to, and a busy machine may stop for longer: some files of
# a run are tried a second time, and said to be. A fault fails them twice.
AGAIN_MAX = 3


def jobs():
    """End-to-end files that run at a time: they wait more than they compute, but for those on a
    slow machine, under software emulation."""
    cpus = os.cpu_count() or 1
    ordinary = min(2 * cpus, 8) if slowness.slowness() < 4 else cpus
    return int(os.environ.get("JOBS", 0)) or ordinary


ALONE = "# Runs alone: "  # a line of a file that what runs beside it would disturb, with the reason


def describe_status(status):
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def count_line(line, result):
    """Count a line of TAP; returns the number of tests where the line announces it."""
    found = PLAN.match(line)
    if found:
        if found[1] == "0" and found[2] is not None:
            result.skip(found[2])
        return int(found[1])
    found = RESULT.match(line)
    if not found:
        return None
    skipped = SKIP.search(found[2])
    if skipped:
        result.skip(skipped[1])
    elif found[1]:
        result.failed += 1
    else:
        result.passed += 1
    return None


def judge(output, status):
    """The result of a file; `status` as subprocess has it, None after a timeout."""
    result = Result()
    plan = None
    for line in output.splitlines():
        announced = count_line(line, result)
        plan = announced if announced is not None else plan
    ran = result.passed + result.failed + result.skipped
    if status == STATUS_SKIPPED:
        if not ran:
            reason = output.strip().splitlines()
            result.skip(reason[-1].lstrip("# ") if reason else "")
        elif result.passed or result.failed:
            result.fault("exit status 77 (skipped) although tests ran")
        return result
    if status is None:
        result.fault("timeout")
    elif status < 0:
        result.fault(describe_status(status))
    elif status > 0 and not result.failed:
        result.fault(describe_status(status) + " without a failed test")
    elif not ran:
        result.fault("no tests")
    elif plan and ran < plan:
        result.fault(f"{plan} tests announced, {ran} ran")
    return result


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_program(command, timeout):
    """Returns the output and the status, None after a timeout."""
    environment = dict(os.environ, BUILD=str(BUILD), CMOCKA_MESSAGE_OUTPUT="TAP")
    environment.pop("CMOCKA_XML_FILE", None)
    # A file and not a pipe: what a test leaves running must not keep us waiting.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, env=environment,
                                       start_new_session=True)
        except OSError as error:
            return f"{command[0]}: {error.strerror}\n", 126
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            kill_group(process)
            process.wait()
        output.seek(0)
        return output.read().decode(errors="replace"), status


def suite_commands(suite):
    """The files of a suite: (name, command) each."""
    if suite == "e2e":
        files = sorted((HERE / suite).glob("test_*.py"))
        return [(f"{suite}/{file.stem}", E2E_COMMAND + [str(file)]) for file in files]
    # By their sources: what is left in the build directory of a test that is gone is not run.
    names = sorted(file.stem for file in (HERE / suite).glob("test_*.c"))
    files = [BUILD / "tests" / suite / name for name in names]
    return [(f"{suite}/{file.name}", [str(file)]) for file in files if os.access(file, os.X_OK)]


def chosen(name, command):
    """The command that runs what ONLY chooses of a file; None where it chooses nothing of it."""
    words = [word.partition(":") for word in ONLY]
    if not words or any(part in name for part, _, case in words if not case):
        return command
    cases = [case for part, _, case in words if case and name.endswith(part)]
    return command + cases if cases else None


def why_not(suite):
    """Why a suite can't run here, or None."""
    if suite != "unit" and os.geteuid() != 0:
        return "needs root"
    return None


def report(name, result, seconds, output):
    counts = f"{result.passed} passed"
    counts += f", {result.failed} failed" if result.failed else ""
    counts += f", {result.skipped} skipped" if result.skipped else ""
    state = "FAIL" if result.failed else "ok" if result.passed else "skip"
    lines = [f"{state:4} {name:28} {counts}  ({seconds:.1f} s)"]
    lines += [f"     skipped: {reason}" for reason in result.reasons]
    lines += [f"     {fault}" for fault in result.faults]
    if result.failed:
        lines += [f"     | {line}" for line in output.splitlines()]
    # In one go: files that run beside each other end when they like.
    print("\n".join(lines), flush=True)


def run_file(name, command, timeout):
    start = time.monotonic()
    output, status = run_program(command, timeout)
    result = judge(output, status)
    report(name, result, time.monotonic() - start, output)
    return result


def runs_alone(command):
    """Does the file say that nothing else may run beside it?"""
    sources = [pathlib.Path(word) for word in command if word.endswith(".py")]
    return any(ALONE in source.read_text() for source in sources)


def run_beside_each_other(commands, timeout):
    """Yields (name, command, result) for each, as they end."""
    with concurrent.futures.ThreadPoolExecutor(jobs()) as pool:
        runs = {pool.submit(run_file, *each, timeout): each for each in commands}
        for run in concurrent.futures.as_completed(runs):
            yield *runs[run], run.result()


def run_e2e(commands, timeout):
    """Each file has namespaces of its own: several run at a time. Yields results."""
    alone = [each for each in commands if runs_alone(each[1])]
    beside = [each for each in commands if each not in alone]
    failed = []
    for name, command, result in run_beside_each_other(beside, timeout):
        if result.failed:
            failed.append((name, command, result))
        else:
            yield result
    for name, command in alone:
        result = run_file(name, command, timeout)
        if result.failed:
            failed.append((name, command, result))
        else:
            yield result
    for count, (name, command, result) in enumerate(failed):
        if count < AGAIN_MAX:
            print(f"AGAIN {name}: it failed, see above; what follows is its second try, alone")
            result = run_file(name, command, timeout)
        yield result


def run_suite(suite):
    """Yields a result for each file."""
    commands = [(name, command) for name, whole in suite_commands(suite)
                if (command := chosen(name, whole))]
    timeout = slowness.scaled(TIMEOUT_SECONDS[suite])
    reason = why_not(suite) if commands else None
    if reason:
        result = Result(reasons=[reason])
        report(suite, result, 0, "")
        yield result
    elif suite == "e2e":
        yield from run_e2e(commands, timeout)
    else:
        for name, command in commands:
            yield run_file(name, command, timeout)


def main():
    suites = sys.argv[1:] or SUITES
    unknown = [suite for suite in suites if suite not in SUITES]
    passed = failed = skipped = 0
    slowness.export()
    if slowness.slowness() > 1:
        print(f"# a slow machine: deadlines are {slowness.slowness():g} times as long", flush=True)
    try:
        if unknown:
            print(f"unknown suite: {unknown[0]}; there are: {', '.join(SUITES)}",
                  file=sys.stderr)
            return 2
        for suite in suites:
            for result in run_suite(suite):
                passed += result.passed
                failed += result.failed
                skipped += result.skipped
    finally:
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
