# SPDX-License-Identifier: MIT
"""The results for a release: counts for each column, read from the logs, and the table of them."""

import dataclasses
import re

# A line of tests/run.py for a file, and the line with the reason for a skipped test.
FILE = re.compile(r"^(?:ok|FAIL|skip) +((\w+)/\w+) +(.*)  \(\d+\.\d s\)$")
COUNT = re.compile(r"(\d+) (passed|failed|skipped)")
SKIPPED = re.compile(r"^ +skipped: (.*)$")


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        named = [(self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped")]
        return ", ".join(f"{count} {word}" for count, word in named if count) or "not run"


class Step(Counts):
    """A step that contains no tests: one of the three counts is 1."""

    def __str__(self):
        return "passed" if self.passed else "failed" if self.failed else "skipped"


class Log:
    """The output of tests/run.py. If a file was run twice, the second run counts."""

    def __init__(self, text):
        self.files = {}  # name: (suite, counts, the lines that it printed)
        self.flaky = [line for line in text.splitlines() if line.startswith("FLAKY ")]
        name = None
        for line in text.splitlines():
            found = FILE.match(line)
            if found:
                name = found[1]
                counts = Counts(**{word: int(count) for count, word in COUNT.findall(found[3])})
                self.files[name] = (found[2], counts, [line])
            elif name and line.startswith("     "):
                self.files[name][2].append(line)
            else:
                name = None

    def suite(self, wanted):
        total = Counts()
        for suite, counts, _ in self.files.values():
            if suite == wanted:
                total.add(counts)
        return total

    def failures(self):
        """The lines of files that failed."""
        return [line for _, counts, lines in self.files.values() if counts.failed
                for line in lines]

    def skip_reasons(self):
        """Returns {reason: the number of tests that were skipped for it}."""
        reasons = {}
        for _, _, lines in self.files.values():
            for line in lines:
                found = SKIPPED.match(line)
                if found:
                    reasons[found[1]] = reasons.get(found[1], 0) + 1
        return reasons


def print_table(columns, rows):
    """Print the table. `rows` are (name, {column: counts}). The last line of the table is the
    sum."""
    total = Counts()
    lines = [["", *columns]]
    for name, cells in rows:
        lines.append([name, *(str(cells.get(column, "not run")) for column in columns)])
        for counts in cells.values():
            total.add(counts)
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    return total
