# SPDX-License-Identifier: MIT
"""Interprets the output (TAP, https://testanything.org) and the exit status of a test program.
Pure."""

import dataclasses
import re
import signal

STATUS_SKIPPED = 77

# cmocka indents its lines, and prints "not ok N # SKIP name" for a skipped test.
PLAN = re.compile(r"^\s*1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?$", re.IGNORECASE)
RESULT = re.compile(r"^\s*(not )?ok\b(.*)$")
SKIP = re.compile(r"#\s*skip\S*\s*(.*)$", re.IGNORECASE)


@dataclasses.dataclass
class Result:
    """The counts of one file."""
    passed: int = 0
    failed: int = 0
    reasons: list = dataclasses.field(default_factory=list)  # why tests were skipped
    # faults of the file as a whole
    faults: list = dataclasses.field(default_factory=list)

    def fault(self, what):
        self.failed += 1
        self.faults.append(what)

    def skip(self, reason):
        self.reasons.append(reason or "no reason given")

    @property
    def skipped(self):
        return len(self.reasons)


def describe_status(status):
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def count_line(line, result):
    """Count a line of TAP. If the line announces the number of tests, returns that number."""
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
    """Returns the result of a file. `status` is that of subprocess; None: there was a timeout."""
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
