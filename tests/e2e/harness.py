# SPDX-License-Identifier: MIT
"""The common part of the end-to-end tests: namespaces, instances, clients, TAP.

A test file ends with `harness.main()`, and is run by tests/run.py as PID 1 of fresh
network, mount and PID namespaces; run by hand it makes them itself:

    BUILD=build tests/e2e/test_start.py [Class[.test] ...]

Every test gets a directory of its own under /tmp with `run` and `state` in it, where
stickyctl puts its files, and must leave nothing behind: no process, no listening
socket, no file in the run directory, no BPF program, map or pin, no word of a
sanitizer. That is checked after each test, and a test that leaves something fails.

No function sleeps for luck: wait_for() polls a condition up to a deadline.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import tap
import world
from cases import tests_of  # pylint: disable=unused-import
from listening import listening_sockets
from programs import CLIENTS, STICKYCTL, Instance, LogLine, Program, environment
from world import DEADLINE_S, wait_for

SANITIZER = re.compile(r"ERROR: AddressSanitizer|LeakSanitizer|runtime error:"
                       r"|(WARNING|ERROR|FATAL): ThreadSanitizer")


def needs(*programs):
    """Skip the test if a program that is not part of this project is not installed."""
    missing = [program for program in programs
               if not shutil.which(program, path=environment()["PATH"])]
    return unittest.skipIf(missing, f"{', '.join(missing)}: not installed")


class TestCase(unittest.TestCase):
    """A test with a directory of its own, which must leave nothing behind."""

    maxDiff = 4000

    def setUp(self):
        self.programs = []
        self.diagnostics = []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sticky-e2e-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.run_dir = self.dir / "run"
        self.state_dir = self.dir / "state"
        # Cleanups run from the last to the first: what the test has started ends before the checks.
        self.addCleanup(shutil.rmtree, self.dir)
        self.addCleanup(self._keep_diagnostics)
        self.addCleanup(self._check_sanitizers)
        self.addCleanup(self._check_leftovers)

    # Functions for tests.

    def environment(self, **variables):
        return environment(**{"STICKYCTL_RUN_DIR": self.run_dir,
                              "STICKYCTL_STATE_DIR": self.state_dir, **variables})

    def start(self, *arguments, **options):
        """Run `stickyctl start`. It may fail, or never get ready."""
        return Instance(self, *arguments, **options)

    def serve(self, *arguments, **options):
        """Run `stickyctl start` until all its workers are ready."""
        return self.start(*arguments, **options).ready()

    def program(self, *arguments, env=None, **options):
        return Program(self, arguments, env=self.environment(**(env or {})), **options)

    def run_program(self, *arguments, seconds=DEADLINE_S, **options):
        """Run a program until it ends. Returns its exit status, stdout and stderr."""
        program = self.program(*arguments, **options)
        program.wait(seconds)
        return program.result()

    def stickyctl(self, *arguments, prefix=(), program=STICKYCTL, **options):
        return self.run_program(*prefix, program, *arguments, **options)

    def clients(self, *arguments, seconds=60):
        """Run tests/peers/clients. Returns its counts."""
        result = self.run_program(CLIENTS, *arguments, seconds=seconds)
        lines = result.stdout.splitlines()
        self.assertTrue(lines and lines[-1].startswith("{"), result)
        return json.loads(lines[-1])

    def write(self, name, text, mode=0o644):
        """Write a file in the test's directory."""
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def script(self, name, text):
        """Write a shell script that other users can also run."""
        return self.write(name, f"#!/bin/sh\n{text}\n", 0o755)

    def mount(self, *arguments):
        """Mount a file system in the test's mount namespace, until the end of the test."""
        subprocess.run(["mount", *map(str, arguments)], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(arguments[-1])], check=True)

    def assert_message(self, result, *words, code):
        """Check an error message of stickyctl: its exit code, one to three lines, and these words
        in them."""
        lines = [line for line in result.stderr.splitlines() if not LogLine.parse(line)]
        text = "\n".join(lines)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertTrue(1 <= len(lines) <= 3, f"one to three lines: {result.stderr}")
        self.assertTrue(lines[0].startswith("stickyctl"), lines[0])
        for word in words:
            self.assertIn(word, text)

    # Checks after each test.

    def _check_leftovers(self):
        found = []
        try:
            wait_for("no process", lambda: not world.other_processes(), 5)
        except AssertionError:
            processes = world.other_processes()
            found.append(f"processes: {', '.join(processes.values())}")
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_for("no process", lambda: not world.other_processes())
        try:  # the kernel closes sockets of io_uring a moment after the end of their process
            wait_for("no listening socket", lambda: not listening_sockets(), 5)
        except AssertionError:
            found.append(f"listening sockets: {listening_sockets()}")
        if world.files_below(self.run_dir):
            found.append(f"files: {world.files_below(self.run_dir)}")
        temporary = [path for path in world.files_below(self.state_dir) if "/.seed" in path]
        if temporary:
            found.append(f"files: {temporary}")
        if world.pins():
            found.append(f"world.pins: {world.pins()}")
        found += self._remaining_bpf_objects()
        self.assertFalse(found, "left behind: " + "; ".join(found))

    def _remaining_bpf_objects(self):
        # The objects are compared by id, as other tests on this machine run programs of the same
        # name. The kernel frees them a grace period after the last descriptor and socket.
        objects = set().union(*(program.bpf_objects for program in self.programs
                                if isinstance(program, Instance)))
        with contextlib.suppress(AssertionError):
            wait_for("no BPF object", lambda: not any(
                world.bpf_object_exists(*each) for each in objects), 5)
        return [f"BPF {kind} {number}" for kind, number in sorted(objects)
                if world.bpf_object_exists(kind, number)]

    def _check_sanitizers(self):
        for program in self.programs:
            for text in (program.errors, program.output):
                found = SANITIZER.search(text)
                self.assertIsNone(found, f"a sanitizer's report: {program.arguments}")

    def _keep_diagnostics(self):
        for program in self.programs:
            self.diagnostics += program.describe()


def run_tests():
    sys.stdout.reconfigure(errors="backslashreplace")  # a program may print any bytes
    world.set_up_network()
    world.set_up_bpffs()
    program = unittest.main(module="__main__", testRunner=tap.TapRunner(), exit=False)
    return 0 if program.result.wasSuccessful() else 1


def main():
    """Run the tests of the calling file, in namespaces of their own."""
    if os.getpid() != 1:
        os.execvp(world.NAMESPACES[0], [*world.NAMESPACES, sys.executable, "-B", *sys.argv])
    child = os.fork()
    if child:
        status = world.reap_until_end_of(child)
        sys.exit(status if status >= 0 else 128 - status)
    # PID 1 ignores signals for which it has no handler. The programs that it starts do not.
    sys.exit(run_tests())
