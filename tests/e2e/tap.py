# SPDX-License-Identifier: MIT
"""The results of unittest as TAP (https://testanything.org): one line for each test, and
diagnostics behind a failed one."""

import os
import signal
import sys
import time
import traceback
import unittest

from world import scaled

TEST_LIMIT_S = scaled(90)


class Alarm:
    """Ends a test that hangs, with a trace of the place where it hung."""

    def __enter__(self):
        signal.signal(signal.SIGALRM, self._ring)
        signal.alarm(TEST_LIMIT_S)

    def __exit__(self, *exception):
        signal.alarm(0)

    @staticmethod
    def _ring(number, frame):
        raise TimeoutError(f"the test took longer than {TEST_LIMIT_S} s")


class TapResult(unittest.TestResult):
    """Prints one line for each test, followed by diagnostics."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.count = 0

    def say(self, text):
        self.stream.write(text + "\n")
        self.stream.flush()

    def startTest(self, test):
        super().startTest(test)
        self.count += 1
        self.problems = []
        self.skip_reason = None
        self.began = time.monotonic()

    def _note(self, error):
        self.problems.append("".join(traceback.format_exception(*error)))

    def addError(self, test, error):
        super().addError(test, error)
        self._note(error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._note(error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.problems.append(f"in {subtest._subDescription()}")
            self._note(error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skip_reason = reason

    def stopTest(self, test):
        super().stopTest(test)
        name = test.id().removeprefix("__main__.")
        seconds = time.monotonic() - self.began
        if self.problems:
            self.say(f"not ok {self.count} - {name}")
            diagnostics = getattr(test, "diagnostics", [])
            for line in "\n".join(self.problems + diagnostics).splitlines():
                self.say(f"# {line}")
        elif self.skip_reason:
            self.say(f"ok {self.count} - {name} # SKIP {self.skip_reason}")
        else:
            self.say(f"ok {self.count} - {name}")
        if os.environ.get("TIMES"):
            self.say(f"# {seconds:.1f} s")


class TapRunner:
    def run(self, suite):
        result = TapResult(sys.stdout)
        tests = list(flatten(suite))
        result.say(f"1..{len(tests)}")
        for test in tests:
            with Alarm():
                test(result)
        return result


def flatten(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flatten(each)
        else:
            yield each
