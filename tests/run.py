#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tests, print one line for each file, and count the results.

    BUILD=build tests/run.py unit kernel e2e
    BUILD=build ONLY=handover tests/run.py kernel   files with "handover" in their name
    BUILD=build ONLY="kernel/ e2e/test_user:Takes.test_gunicorn" tests/run.py   several, and single
                                                    end-to-end tests of a file: file:Class[.test]
    BUILD=build JOBS=1 tests/run.py e2e             one file after the other
    STICKY_TEST_SLOWNESS=4 tests/run.py             as on a machine that is so slow, see slowness.py
    EACH=1 tests/run.py hosts                       also a line for each test, and its figures
    REPEAT_FAILED_ONCE=1 tests/run.py               set only by .ci/run, see below

Every test is a program that prints TAP (https://testanything.org): the C tests under
$BUILD/tests/{unit,kernel}, and the Python tests under tests/unit and tests/e2e. Each end-to-end
test runs in namespaces of its own. A file that ends with status 77 is skipped as a whole. Each of
these counts as one failure: a crash, a timeout, a test that was announced and not run, a failing
status without a "not ok", and a file without any test (judging.py).

The last line is always "N passed, N failed, N skipped". The exit status is 1 if a test failed, or
if no test ran: a run in which all tests are skipped is not a success.

With REPEAT_FAILED_ONCE set, each failed file runs a second time at the very end, when no other file
is left, and the second result counts. If such a file passes, a line "FLAKY <file>" before the last
line names it. The output of its first run is kept in $BUILD/flaky/<file>.log.

prove(1), which reads TAP too, is not used: it knows no timeout, prints no counts for a file and no
reason for a single skipped test, counts skipped tests as passed in its last line, and takes exit
status 77 for a failure. Namespaces and files that run alone would need a script around it.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import slowness
from judging import Result, judge

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent / "build")).resolve()
ONLY = os.environ.get("ONLY", "").split()
EACH = os.environ.get("EACH")

SUITES = ("unit", "kernel", "e2e")
# These run only if they are named: they need programs that `make deps-test` does not install.
OTHERS = ("hosts", "alerts")
TIMEOUT_SECONDS = {"unit": 120, "kernel": 120, "e2e": 240, "hosts": 1200, "alerts": 240}

PYTHON = [sys.executable, "-B"]
# --kill-child: all processes that a test leaves behind end with its namespace.
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
              "--mount-proc", "--"]

# Lines in a file's source that tell how to run it.
ALONE = "Runs alone: "  # other tests would disturb it; the reason follows
FIRST = "Takes long."  # started before others, so that the run does not end with it
COMMENTS = ("# ", "/* ", "// ")


@dataclasses.dataclass
class TestFile:
    """A file of a suite, and how to run it."""
    suite: str
    name: str  # suite/test_x
    source: pathlib.Path
    command: list

    @property
    def timeout(self):
        return slowness.scaled(TIMEOUT_SECONDS[self.suite])

    def says(self, line):
        """Does a comment of the source begin with this text?"""
        beginnings = tuple(comment + line for comment in COMMENTS)
        return any(text.startswith(beginnings) for text in self.source.read_text().splitlines())


# ---- The files of a suite -----------------------------------------------------------------


def python_file(suite, path):
    namespaces = [] if suite == "unit" else NAMESPACES
    return TestFile(suite, f"{suite}/{path.stem}", path, [*namespaces, *PYTHON, str(path)])


def c_file(suite, path):
    return TestFile(suite, f"{suite}/{path.stem}", path, [str(BUILD / "tests" / suite / path.stem)])


def suite_files(suite):
    # Tests are listed by their sources: a program in the build directory whose source was removed
    # does not run.
    programs = [c_file(suite, path) for path in sorted((HERE / suite).glob("test_*.c"))]
    return [file for file in programs if os.access(file.command[0], os.X_OK)] + \
        [python_file(suite, path) for path in sorted((HERE / suite).glob("test_*.py"))]


def choose(file, only):
    """Returns the file, with the command for the tests that ONLY chooses. Returns None if ONLY
    chooses none of its tests."""
    words = [word.partition(":") for word in only]
    if not words or any(part in file.name for part, _, case in words if not case):
        return file
    cases = [case for part, _, case in words if case and file.name.endswith(part)]
    return dataclasses.replace(file, command=file.command + cases) if cases else None


def chosen_files(suite):
    return [file for each in suite_files(suite) if (file := choose(each, ONLY))]


def why_not(suite):
    """Returns why a suite can't run here, or None."""
    if suite != "unit" and os.geteuid() != 0:
        return "needs root"
    return None


# ---- Running one file ---------------------------------------------------------------------


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_program(command, timeout):
    """Run a program. Returns its output and its status, which is None after a timeout."""
    environment = dict(os.environ, BUILD=str(BUILD), CMOCKA_MESSAGE_OUTPUT="TAP")
    environment.pop("CMOCKA_XML_FILE", None)
    # The output goes to a file and not to a pipe: processes that a test leaves running would keep a
    # pipe open.
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
    elif EACH:
        lines += [f"     {line}" for line in output.splitlines() if line.startswith(("ok ", "# "))]
    # This is one write, as another file may end at the same time.
    print("\n".join(lines), flush=True)


def run_file(file):
    """Run a file, and print its result. Returns the result and the output."""
    start = time.monotonic()
    output, status = run_program(file.command, file.timeout)
    result = judge(output, status)
    report(file.name, result, time.monotonic() - start, output)
    return result, output


# ---- Running many -------------------------------------------------------------------------


def jobs():
    """Returns how many files run at a time. On an ordinary machine they wait more than they
    compute. On a slow machine, under software emulation, they compute."""
    cpus = os.cpu_count() or 1
    ordinary = min(2 * cpus + 1, 8) if slowness.slowness() < 4 else cpus
    return int(os.environ.get("JOBS", 0)) or ordinary


def run_beside_each_other(files):
    """Run files in parallel. Yields (file, result, output) for each, as they end."""
    with concurrent.futures.ThreadPoolExecutor(jobs()) as pool:
        runs = {pool.submit(run_file, file): file for file in files}
        for run in concurrent.futures.as_completed(runs):
            yield runs[run], *run.result()


def run_files(files):
    """Run the files of all suites. Yields (file, result, output) for each.

    Each file of "kernel" and "e2e" has namespaces of its own, and those of "unit" share nothing. So
    files of all suites can run beside each other."""
    alone = [file for file in files if file.says(ALONE)]
    beside = [file for file in files if file not in alone]
    yield from run_beside_each_other(sorted(beside, key=lambda file: not file.says(FIRST)))
    for file in alone:
        yield file, *run_file(file)


# ---- The second run of failed files: REPEAT_FAILED_ONCE -----------------------------------


class Repeating:
    """The failed files, which run again at the end, and those that then pass (flaky ones)."""

    def __init__(self, directory, run=run_file):
        self.directory = directory
        self.run = run
        self.failed = []
        self.flaky = []

    def keep(self, file, output):
        self.failed.append((file, output))

    def _note_flaky(self, file, output):
        path = self.directory / f"{file.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output)
        self.flaky.append(file.name)

    def results(self):
        """Yields the result of the second run of each failed file."""
        for file, output in self.failed:
            print(f"AGAIN {file.name}: it failed, see above; its second run follows", flush=True)
            result, _ = self.run(file)
            if not result.failed:
                self._note_flaky(file, output)
            yield result

    def report(self):
        for name in self.flaky:
            print(f"FLAKY {name}", flush=True)


def skip(suites):
    """Print why suites can't run here. Yields the result of each."""
    for suite in suites:
        result = Result(reasons=[why_not(suite)])
        report(suite, result, 0, "")
        yield result


def run_suites(suites, repeating):
    """Yields the final result of each file. If repeating is None, failed files are not run
    again."""
    chosen = {suite: files for suite in suites if (files := chosen_files(suite))}
    yield from skip(suite for suite in chosen if why_not(suite))
    runnable = [file for suite in chosen if not why_not(suite) for file in chosen[suite]]
    for file, result, output in run_files(runnable):
        if repeating and result.failed:
            repeating.keep(file, output)
        else:
            yield result
    if repeating:
        yield from repeating.results()
        repeating.report()


def main():
    suites = sys.argv[1:] or SUITES
    unknown = [suite for suite in suites if suite not in SUITES + OTHERS]
    repeating = Repeating(BUILD / "flaky") if os.environ.get("REPEAT_FAILED_ONCE") else None
    passed = failed = skipped = 0
    slowness.export()
    if slowness.slowness() > 1:
        print(f"# a slow machine: deadlines are {slowness.slowness():g} times as long", flush=True)
    try:
        if unknown:
            print(f"unknown suite: {unknown[0]}; there are: {', '.join(SUITES + OTHERS)}",
                  file=sys.stderr)
            return 2
        for result in run_suites(suites, repeating):
            passed += result.passed
            failed += result.failed
            skipped += result.skipped
    finally:
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
