#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages of docs/quickstart: each of their commands is run, and must print what the page shows.

A page is Markdown. It is read like this:

- A block behind a paragraph that ends with "`NAME`:" is the file NAME.
- A block of the language `console` has commands, each behind "$ ", and below each its output,
  stdout and stderr. `...` stands for any text, and in a line of its own for any lines. The number
  behind "worker", "slot" or "thread" is any number. If the page repeats a number behind one of
  these words, the real number must be repeated, too.
- Each command ends with the status 0. A command that ends with a backslash goes on in the next
  line.
- A program that a page needs is named in this form: (`apt install ...`).
"""

import re
import unittest

import harness
from programs import BUILD
from test_examples import ROOT, ExampleTestCase, sanitizer

PAGES = ROOT / "docs" / "quickstart"
# Page -> the programs without which it is skipped.
NEEDS = {
    "nodejs": ["node"],
    "python": ["gunicorn"],
    "ruby": ["puma"],
    "go": ["go"],
    "nginx-haproxy": ["node", "gunicorn", "nginx", "haproxy"],
    "c": ["cc", "pkg-config"],
}
BLOCK = re.compile(r"(?:(?<=\n\n)|\A)(?P<before>(?:[^\n]+\n)*?)\n?"
                   r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+)`:$")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
NUMBER = re.compile(r"\b(worker|slot|thread)\\ (\d+)")  # in a line that was escaped
MARK = "\x01"  # between the outputs of two commands


def blocks(text):
    """Yields (name, text) of each file, and (None, text) of each block of commands."""
    for block in BLOCK.finditer(text):
        name = FILE.search(block["before"].strip())
        if block["language"] == "console":
            yield None, block["text"]
        elif name:
            yield name[1], block["text"]


def steps(text):
    """Yields the steps in order: ("write", name, text) and ("run", command, expected)."""
    for name, block in blocks(text):
        if name:
            yield "write", name, block
        else:
            yield from (("run", *each) for each in COMMAND.findall(block))


def pattern_of(expected, known):
    """Returns a regular expression for the output of a command. known: a number of the page -> the
    real one."""
    def number(match):
        group = f"is_{match[2]}"
        if group in known:
            return f"{match[1]}\\ {known[group]}"
        if group in seen:
            return f"{match[1]}\\ (?P={group})"
        seen.add(group)
        return f"{match[1]}\\ (?P<{group}>[0-9]+)"

    seen = set()
    parts = []
    for line in expected.splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        parts.append("(?:.*\n)*?" if line == "..." else NUMBER.sub(number, pattern) + "\n")
    return "".join(parts)


class Page(harness.TestCase):
    """The built program, in an empty directory."""

    def setUp(self):
        super().setUp()
        self.here = self.dir / "here"
        self.here.mkdir()
        # curl shows no progress on a terminal to which it writes its output, and must not do so
        # here.
        self.write(".curlrc", "no-progress-meter\n")

    def variables(self):
        """Returns the environment of the shell."""
        return {"PATH": f"{BUILD}:{harness.environment()['PATH']}", "HOME": self.dir,
                "no_proxy": "*"}

    def script_of(self, commands):
        """Write a script in which one shell runs all commands, so that each can use variables of
        those before it."""
        lines = ["exec 2>&1"]
        for command in commands:
            lines += [command, f"printf '{MARK}%d\\n' $?"]
        return self.write("page.sh", "\n".join(lines) + "\n")

    def outputs_of(self, commands):
        """Returns (output, status) of each command."""
        result = self.run_program("bash", self.script_of(commands), cwd=self.here,
                                  env=self.variables(), seconds=120)
        parts = re.split(rf"{MARK}(\d+)\n", result.stdout)
        return list(zip(parts[::2], map(int, parts[1::2])))

    def check_page(self, name):
        done = list(steps((PAGES / f"{name}.md").read_text()))
        for _, file, text in (step for step in done if step[0] == "write"):
            (self.here / file).write_text(text)
        ran = [step[1:] for step in done if step[0] == "run"]
        self.assertTrue(ran)
        known = {}
        for (command, expected), (output, status) in zip(ran, self.outputs_of(
                [command for command, _ in ran]), strict=True):
            match = re.fullmatch(pattern_of(expected, known), output)
            self.assertTrue(match and not status,
                            f"$ {command}\n{output}status {status}, known: {known}\n"
                            f"the page says:\n{expected}{self.log()}")
            known |= match.groupdict()

    def log(self):
        log = self.here / "stickyctl.log"
        return f"the log:\n{log.read_text()}" if log.exists() else ""


class QuickStart(Page):
    """The pages that need only the program."""


class Library(Page, ExampleTestCase):
    """The pages that need the installed library, too."""

    def variables(self):
        # The library may have been built with a sanitizer, which its users need, too.
        (self.dir / "tools").mkdir()
        self.write("tools/cc", f'#!/bin/sh\nexec gcc "$@" {sanitizer()}\n', 0o755)
        variables = super().variables()
        return variables | {"PATH": f"{self.dir}/tools:{variables['PATH']}",
                            "PKG_CONFIG_PATH": self.library / "pkgconfig",
                            "PKG_CONFIG_SYSROOT_DIR": self.tree, "LD_LIBRARY_PATH": self.library}


class Reading(unittest.TestCase):
    """Tests of how a page is read."""

    def test_numbers(self):
        pattern = pattern_of("worker 2, visit 1\nworker 2\n", {})
        match = re.fullmatch(pattern, "worker 7, visit 1\nworker 7\n")
        self.assertEqual(match.groupdict(), {"is_2": "7"})
        self.assertFalse(re.fullmatch(pattern, "worker 7, visit 1\nworker 6\n"))
        self.assertFalse(re.fullmatch(pattern_of("worker 2\n", {"is_2": "7"}), "worker 2\n"))

    def test_dots(self):
        self.assertTrue(re.fullmatch(pattern_of("...\nend of ...\n", {}), "a\nb\nend of it\n"))
        self.assertFalse(re.fullmatch(pattern_of("end.\n", {}), "ends\n"))

    def test_blocks(self):
        text = "Write `a.txt`:\n\n```\nA\n```\n\n```console\n$ cat a.txt\nA\n$ b \\\n  c\n```\n"
        self.assertEqual(list(steps(text)), [("write", "a.txt", "A\n"), ("run", "cat a.txt", "A\n"),
                                             ("run", "b \\\n  c", "")])

    def test_all_pages_are_run(self):
        self.assertEqual({page.stem for page in PAGES.glob("*.md")}, set(NEEDS))


def test_of(page, programs):
    @harness.needs(*programs)
    def test(self):
        self.check_page(page)
    return test


for each, needed in NEEDS.items():
    setattr(Library if each == "c" else QuickStart, f"test_{each.replace('-', '_')}",
            test_of(each, needed))

if __name__ == "__main__":
    harness.main()
