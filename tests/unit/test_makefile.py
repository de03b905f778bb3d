#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The directory in which the Makefile builds."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]
# pylint: disable=wrong-import-position
import tap

CASES = {
    "ordinary": ((), "build"),
    "debug": (("DEBUG=1",), "build/debug"),
    "no_debug": (("DEBUG=0",), "build"),
    "debug_elsewhere": (("DEBUG=1", "BUILD=x"), "x"),
}


@unittest.skipUnless(shutil.which("make"), "make: not installed")
class Build(unittest.TestCase):
    """A library for debugging has other objects, and so a directory of its own."""

    def build_of(self, *words):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("BUILD", "DEBUG", "MAKEFLAGS", "MAKEOVERRIDES")}
        return subprocess.run(
            ["make", "-s", "-C", ROOT, "--eval=told: ; @echo $(BUILD)", *words, "told"],
            check=True, capture_output=True, text=True, env=environment).stdout.strip()

    def test_build(self):
        for name, (words, directory) in CASES.items():
            with self.subTest(name):
                self.assertEqual(self.build_of(*words), directory)


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
