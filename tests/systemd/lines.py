# SPDX-License-Identifier: MIT
"""The result of the checks: a line for each."""

import unittest


class Lines(unittest.TextTestResult):
    """Prints a line for each check."""

    passed = 0

    def describe(self, word, test, reason=""):
        text = test.shortDescription() if hasattr(test, "shortDescription") else str(test)
        print(f"{word:4} {type(test).__name__}: {text}{reason}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.describe("ok", test)

    def complain(self, test, error):
        self.describe("FAIL", test)
        print("\n".join(f"     | {line}" for line in
                        self._exc_info_to_string(error, test).splitlines()), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.complain(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.complain(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.describe("skip", test, f" ({reason})")
