#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The parts of `make test-kernels` that need no boot: which kernel a name stands for, and how
results are read."""

import pathlib
import sys

import harness
from harness import TestCase

HERE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE), str(HERE / "kernels")]

import initramfs  # pylint: disable=wrong-import-position
import kernels
import results
import slowness
import table
from archive import Package
from unavailable import Unavailable

PACKAGES = [Package(f"linux-image-{version}-cloud-amd64", version)
            for version in ("5.10.218-1", "6.1.170-3", "6.1.192-2", "6.12.43-1~bpo12+1", "7.3.4-1")]
LOG = """\
ok   kernel/test_adopt            6 passed  (4.2 s)
FAIL kernel/test_faults           4 passed, 1 failed  (1.8 s)
     | ok 1 - one
     | not ok 3 - overflows
     | # 0x3 != 0x1
skip kernel/test_load             1 skipped  (0.1 s)
     skipped: no such feature
"""
NOTES = ["FAIL kernel/test_faults           4 passed, 1 failed  (1.8 s)", "  | not ok 3 - overflows",
         "kernel/test_load: skipped: no such feature"]


class Kernels(TestCase):
    def test_oldest_and_newest_of_a_series(self):
        for name, version in (("6.1-oldest", "6.1.170-3"), ("6.1-newest", "6.1.192-2"),
                              ("6.12-newest", "6.12.43-1~bpo12+1"), ("newest", "7.3.4-1"),
                              ("oldest", "5.10.218-1")):
            self.assertEqual(kernels.choose(PACKAGES, name).version, version)

    def test_what_cannot_be_had_is_said(self):
        for name, words in (("6.16-oldest", "no kernel of the series 6.16"),
                            ("latest", "no name of a kernel"), ("6-oldest", "no name")):
            with self.assertRaisesRegex(Unavailable, words):
                kernels.choose(PACKAGES, name)
        self.assertIn("no file", kernels.find(None, self.dir, f"{self.dir}/bzImage").problem)

    def test_a_cpio_entry_is_padded(self):
        for data in (b"", b"1", b"1234"):
            entry = initramfs.entry("init", 0o100755, data, 1)
            self.assertEqual(len(entry) % 4, 0)
            self.assertEqual(entry[:6], b"070701")


class Results(TestCase):
    def test_a_suite_that_ended(self):
        suite = results.judge_suite("kernel", LOG + "10 passed, 1 failed, 1 skipped\n")
        self.assertEqual(suite.counts(), "10/1/1")
        self.assertEqual(suite.notes, NOTES)

    def test_a_suite_that_was_cut_off(self):
        """The tests so far count, plus one failure for the missing end."""
        suite = results.judge_suite("kernel", LOG)
        self.assertEqual(suite.counts(), "10/2/1")
        self.assertIn("did not end", suite.notes[0])
        self.assertEqual(results.judge_suite("kernel", "").counts(), "0/1/0")

    def test_the_doctor_knows_what_is_needed(self):
        sentence = "missing  kernel   Linux 5.14 or later is needed; this is 5.10.0-46-cloud-amd64\n"
        good = "ok       steering              kernel: the program loads here\n"
        for text, status, release, counts in (
                (good, "0", "6.1.0-47-cloud-amd64", "1/0/0"),
                (good, "1", "6.1.0-47-cloud-amd64", "0/1/0"),
                (sentence, "1", "5.10.0-46-cloud-amd64", "1/0/0"),
                (sentence, "0", "5.10.0-46-cloud-amd64", "0/1/0"),
                (good, "1", "5.10.0-46-cloud-amd64", "0/1/0"), ("", "", "5.15.135", "0/1/0")):
            self.assertEqual(results.judge_doctor(text, status, release).counts(), counts)

    def test_the_table(self):
        outcome = results.Outcome("6.1-oldest", "6.1.170-3 (cloud-amd64)")
        outcome.suites = {"kernel": results.judge_suite("kernel", LOG)}
        outcome.doctor = {"wake-ups": "ok: not by this kernel: stickyctl wakes the acceptor",
                          "bpf program": "ok: loads"}
        away = results.Outcome("9.9-oldest", "", problem="not there", unavailable=True)
        text = table.terminal([outcome, away], ["doctor", "kernel"])
        self.assertIn("6.1-oldest  6.1.170-3 (cloud-amd64)  -       10/2/1\n", text)
        self.assertIn("9.9-oldest:\n  not there", text)
        page = table.markdown([outcome, away], ["kernel"], "2000-01-01")
        self.assertIn("| 6.1.170-3 (cloud-amd64) | yes | no | 10/2/1 |\n", page)
        self.assertIn("- 9.9-oldest: not there\n", page)
        self.assertEqual((outcome.failed, away.failed), (2, 0))


class Slowness(TestCase):
    def test_an_ordinary_machine_is_not_scaled(self):
        self.assertGreaterEqual(slowness.measure(), 1)
        if slowness.slowness() == 1:
            self.assertEqual(slowness.scaled(0.3), 0.3)


if __name__ == "__main__":
    harness.main()
