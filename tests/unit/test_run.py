#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The runner of the tests: how it counts, how it chooses tests, and which files run a second
time."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
# pylint: disable=wrong-import-position
import run
import tap
from judging import Result, judge

TIMEOUT = None  # the status of a file that reached its deadline


class Judge(unittest.TestCase):
    """The judgement about the output and status of a file."""

    def check(self, output, status, counts, faults=(), reasons=()):
        result = judge(output, status)
        self.assertEqual((result.passed, result.failed, result.skipped), counts)
        self.assertEqual(result.faults, list(faults))
        self.assertEqual(result.reasons, list(reasons))

    def test_passed(self):
        self.check("1..2\nok 1 - a\nok 2 - b\n", 0, (2, 0, 0))

    def test_failed(self):
        self.check("1..2\nok 1 - a\nnot ok 2 - b\n# why\n", 1, (1, 1, 0))

    def test_a_skipped_test(self):
        self.check("1..2\nok 1 - a\nok 2 - b # SKIP no npm\n", 0, (1, 0, 1), reasons=["no npm"])

    def test_cmockas_skipped_test(self):
        self.check("\t1..1\n\tnot ok 1 # SKIP b\n", 0, (0, 0, 1), reasons=["b"])

    def test_a_skipped_plan(self):
        self.check("1..0 # SKIP no IPv6\n", 0, (0, 0, 1), reasons=["no IPv6"])

    def test_a_skipped_file(self):
        self.check("# needs CAP_BPF\n", 77, (0, 0, 1), reasons=["needs CAP_BPF"])

    def test_a_skipped_file_without_a_reason(self):
        self.check("", 77, (0, 0, 1), reasons=["no reason given"])

    def test_skipped_by_status_although_tests_ran(self):
        self.check("ok 1 - a\n", 77, (1, 1, 0),
                   ["exit status 77 (skipped) although tests ran"])

    def test_timeout(self):
        self.check("1..2\nok 1 - a\n", TIMEOUT, (1, 1, 0), ["timeout"])

    def test_crash(self):
        self.check("1..1\nok 1 - a\n", -11, (1, 1, 0), ["killed by SIGSEGV"])

    def test_an_unknown_signal(self):
        self.check("", -99, (0, 1, 0), ["killed by signal 99"])

    def test_a_status_without_a_failed_test(self):
        self.check("1..1\nok 1 - a\n", 3, (1, 1, 0), ["exit status 3 without a failed test"])

    def test_no_tests(self):
        self.check("", 0, (0, 1, 0), ["no tests"])

    def test_fewer_than_announced(self):
        self.check("1..3\nok 1 - a\n", 0, (1, 1, 0), ["3 tests announced, 1 ran"])

    def test_a_plan_at_the_end(self):
        self.check("ok 1 - a\n1..2\n", 0, (1, 1, 0), ["2 tests announced, 1 ran"])


def a_file(name="e2e/test_user"):
    return run.TestFile("e2e", name, pathlib.Path(f"{name}.py"), ["python3", f"{name}.py"])


class Choose(unittest.TestCase):
    """The choice by ONLY."""

    def command(self, *only):
        chosen = run.choose(a_file(), only)
        return chosen and chosen.command

    def test_everything(self):
        self.assertEqual(self.command(), a_file().command)

    def test_a_part_of_the_name(self):
        self.assertEqual(self.command("kernel/", "user"), a_file().command)

    def test_another_file(self):
        self.assertIsNone(self.command("kernel/", "reload"))

    def test_single_tests(self):
        self.assertEqual(self.command("test_user:A.b", "other:C", "e2e/test_user:D"),
                         a_file().command + ["A.b", "D"])

    def test_a_single_test_of_another_file(self):
        self.assertIsNone(self.command("test_reload:A.b"))


class Lines(unittest.TestCase):
    """The lines of a file that say how to run it."""

    def says(self, text, line, suffix=".py"):
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / f"test_x{suffix}"
        path.write_text(text)
        return run.TestFile("kernel", "kernel/test_x", path, []).says(line)

    def test_alone(self):
        self.assertTrue(self.says("#!/usr/bin/env python3\n# Runs alone: it measures.\n", run.ALONE))

    def test_in_the_middle_of_a_line(self):
        self.assertFalse(self.says("text = '# Runs alone: not this one'\n", run.ALONE))

    def test_a_program(self):
        self.assertTrue(self.says("/* Takes long. */\nint main(void);\n", run.FIRST, ".c"))
        self.assertFalse(self.says("int main(void);\n", run.FIRST, ".c"))


class SuitesThatCannotRun(unittest.TestCase):
    """A suite that can't run here is one skipped test."""

    def test_without_root(self):
        self.enterContext(unittest.mock.patch("os.geteuid", lambda: 1000))
        self.enterContext(unittest.mock.patch("run.ONLY", []))
        self.enterContext(unittest.mock.patch("run.run_files", self.fail_if_any))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            results = list(run.run_suites(["kernel", "e2e"], None))
        self.assertEqual([result.skipped for result in results], [1, 1])
        self.assertIn("skipped: needs root", printed.getvalue())

    def fail_if_any(self, files):
        self.assertEqual(files, [])
        return files


class Repeat(unittest.TestCase):
    """The second run by REPEAT_FAILED_ONCE."""

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.first = [(a_file("e2e/test_good"), Result(passed=2), "fine"),
                      (a_file("e2e/test_bad"), Result(passed=1, failed=1), "why"),
                      (a_file("e2e/test_skipped"), Result(reasons=["no npm"]), "")]
        self.second = Result(passed=2)
        self.runs = []
        self.enterContext(unittest.mock.patch("run.run_files", self.run_files))

    def run_files(self, files):
        for each in self.first:
            self.runs.append(each[0].name)
            yield each

    def run_again(self, file):
        self.runs.append(f"again {file.name}")
        return self.second, "output of the second run"

    def results(self, repeating):
        """Returns the final results, and the lines that were printed."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            results = list(run.run_suites(["e2e"], repeating))
        return results, printed.getvalue().splitlines()

    def repeated(self):
        return self.results(run.Repeating(self.directory, self.run_again))

    def test_not_without_being_told(self):
        results, printed = self.results(None)
        self.assertEqual(sum(result.failed for result in results), 1)
        self.assertEqual(printed, [])
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_after_all_others_and_once(self):
        self.repeated()
        self.assertEqual(self.runs, ["e2e/test_good", "e2e/test_bad", "e2e/test_skipped",
                                     "again e2e/test_bad"])

    def test_flaky(self):
        results, printed = self.repeated()
        self.assertEqual([(result.passed, result.failed, result.skipped) for result in results],
                         [(2, 0, 0), (0, 0, 1), (2, 0, 0)])
        self.assertEqual(printed[-1], "FLAKY e2e/test_bad")
        self.assertEqual((self.directory / "e2e/test_bad.log").read_text(), "why")

    def test_failed_twice(self):
        self.second = Result(passed=1, failed=1)
        results, printed = self.repeated()
        self.assertEqual(sum(result.failed for result in results), 1)
        self.assertNotIn("FLAKY e2e/test_bad", printed)
        self.assertEqual(list(self.directory.iterdir()), [])


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
