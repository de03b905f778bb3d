#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages of the library: docs/man.py finds what would be on no page of them, and each name
of the interface is on one of them, in lines that fit."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
# pylint: disable=wrong-import-position
import tap
from cases import tests_of

HEADER = (ROOT / "include" / "sticky.h").read_text()
PAGES = ROOT / "docs" / "man"
ABI = (ROOT / "src" / "lib" / "libsticky.abi").read_text()
LIST_END = "#ifdef __cplusplus\n}\n"

# What is added in front of the last lines of the header, and what is said about it.
CASES = {
    "nothing": ("", ""),
    "a_comment_alone": ("/* Nobody declares this. */\n\n", "on no page: ['Nobody declares this.']"),
    "two_comments": ("/* Lost. */\n\n/* The slot. */\nint sticky_slot_x(void);\n", "on no page"),
    "a_section": ("/* ---- Other things -----\n *\n * Here.\n */\n", "no page for the section Other things"),
    "a_function": ("int sticky_slot_x(void);\n", "without a comment: int sticky_slot_x(void);"),
    "a_structure": ("struct sticky_slot_x {\n\tint x;\n};\n", "without a comment: struct sticky_slot_x"),
    "an_enum": ("enum sticky_slot_x {\n\tSTICKY_X\n};\n", "without a comment: enum sticky_slot_x"),
    "another_name": ("/* Does. */\nint sticky_other(void);\n", "no page for sticky_other"),
    "another_constant": ("#define STICKY_OTHER 1\n", "no page for STICKY_OTHER"),
    "another_type": ("struct sticky_other;\n", "no page for sticky_other"),
    "a_variable": ("/* It is there. */\nextern int sticky;\n", "what does this declare? extern int"),
    "a_new_function": ("/* Does. */\nint sticky_slot_x(void);\n", "differs from sticky.h: make man"),
}


@tests_of(CASES)
class Header(unittest.TestCase):
    def check(self, addition, message):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="sticky-man-"))
        self.addCleanup(shutil.rmtree, directory)
        header = directory / "sticky.h"
        header.write_text(HEADER.replace(LIST_END, f"{addition}\n{LIST_END}"))
        result = subprocess.run([sys.executable, "-B", ROOT / "docs" / "man.py", "--check", header],
                                check=False, text=True, capture_output=True)
        self.assertEqual(result.returncode, 1 if message else 0, result.stderr)
        self.assertIn(message, result.stderr)


@functools.cache
def all_pages():
    """Each page as it is on a terminal of 80 columns."""
    return {path.name: subprocess.run(
        ["man", "-l", path], check=True, text=True, capture_output=True,
        env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}).stdout for path in PAGES.glob("*.3")}


@unittest.skipIf(not shutil.which("man"), "man: not installed")
class Pages(unittest.TestCase):
    def setUp(self):
        self.pages = all_pages()
        self.text = "\n".join(self.pages.values())

    def test_each_name_is_on_a_page(self):
        names = re.findall(r"^symbol (\w+)|^struct \w+\.(\w+):|^#define (\w+)|\b(STICKY_\w+)(?= =|,| })",
                           ABI, re.MULTILINE)
        names = {name for each in names for name in each if name}
        self.assertGreater(len(names), 100)
        self.assertEqual([name for name in names if not re.search(rf"\b{name}\b", self.text)], [])

    def test_each_function_and_type_has_an_entry(self):
        aliases = {line.split()[0] for line in (PAGES / "aliases").read_text().splitlines()}
        names = re.findall(r"^(?:symbol|struct|enum) (sticky_\w+)(?=@| \{|;)", ABI, re.MULTILINE)
        for name in names:
            self.assertTrue(name in aliases or f"{name}.3" in self.pages, name)
            self.assertTrue(any(re.search(rf"NAME\n(?: .*\n)*? .*\b{name}\b", text)
                                for text in self.pages.values()), name)

    def test_lines_fit_and_marks_are_rendered(self):
        for name, text in self.pages.items():
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, f"{name}: {line}")
            self.assertNotIn("`", text, name)
            self.assertIsNone(re.search(r"\*(group|slots|worker|generation|dispatchers)\*", text))

    def test_introductions_are_there(self):
        for text in ("All connections of a proxy come", "For programs that stickyctl start runs",
                     "sticky_group_finish_adoption(group);", "sticky_process_open(&process);"):
            self.assertTrue(text in self.text, text)


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
