# SPDX-License-Identifier: MIT
"""Runs stickyctl as nobody, with an empty bounding set. Tests of other files are run like this,
without privilege.

A class of tests is combined with an engine:

    class Steering(unprivileged.Classic, test_steering.Steering):
"""

import functools
import pathlib
import re
import subprocess

import nodejs
from passing import TAKER
from privilege import as_nobody, copy_program, give_to_nobody
from programs import STICKYCTL
from world import scaled


@functools.cache
def kernel_fault():
    """Returns why programs must not be replaced under load, as the whole machine could crash.
    Returns None if they may be replaced."""
    result = subprocess.run([STICKYCTL, "doctor"], capture_output=True, text=True, check=False)
    found = re.search(r"CVE-\d+-\d+", result.stdout)
    return f"this kernel lacks the fix of {found[0]}" if found else None


class Nobody:
    """stickyctl runs as nobody, with an empty bounding set."""

    HOW = ()  # further options of start

    def setUp(self):
        super().setUp()
        give_to_nobody(self.dir, self.run_dir, self.state_dir)
        self.program_copy = copy_program(STICKYCTL, self.dir)

    def prefix(self):
        return [*as_nobody(), "--bounding-set=-all"]

    def start(self, *arguments, prefix=(), **options):
        options.setdefault("program", self.program_copy)
        return super().start(*self.HOW, *arguments, prefix=[*self.prefix(), *prefix], **options)

    def assert_unprivileged(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
            self.assertIn(f"{name}:\t0000000000000000", status)
        self.assertIn("Uid:\t65534\t65534\t65534\t65534", status)


class Classic(Nobody):
    """A classic BPF program steers."""

    HOW = ("--steering", "classic")

    def setUp(self):
        super().setUp()
        if kernel_fault():
            self.skipTest(kernel_fault())


class User(Nobody):
    """The controller accepts every connection and passes it on. The workers take passed
    connections."""

    HOW = ("--steering", "user")
    COMMAND = (TAKER,)


class Unchanged(nodejs.NodeTestCase):
    """An unchanged application of Node.js. The class is combined with an engine."""

    def assert_served(self, instance):
        if self.HOW == User.HOW:
            self.assert_slots(instance)
        else:
            self.assert_steered(instance)

    def test_unchanged(self):
        instance = self.serve_node(self.plain("3000"), "--ready-timeout", f"{scaled(30)}s", slots=3,
                                   cwd="/")
        self.assertIn(instance.status()["steering"], self.HOW)
        self.assert_served(instance)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assert_served(instance)
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 3, slot=1)
        self.assert_served(instance)
        self.assertEqual(instance.terminate(), 0)
