#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/html_links.py finds mistakes in HTML pages."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
# pylint: disable=wrong-import-position
import tap
from cases import tests_of

RIGHT = '<h1 id="top">A</h1><a href="docs/b.html#part">b</a> <a href="https://example.org/">c</a>'
OTHER = '<h2 id="part">B</h2><a href="../index.html#top">a</a>'
CASES = {
    "nothing": (RIGHT, ""),
    "no_page": (RIGHT + '<a href="c.html">c</a>', "index.html: no such page: c.html"),
    "no_anchor": (RIGHT + '<a href="#gone">d</a>', "index.html: no such anchor: #gone"),
    "no_anchor_there": (RIGHT + '<a href="docs/b.html#top">d</a>', "no such anchor"),
    "an_anchor_twice": (RIGHT + '<p id="top">', "index.html: two anchors #top"),
    "outside": (RIGHT + '<img src="https://example.org/x.png">', "index.html: it loads https:"),
    "no_style": (RIGHT + '<link rel="stylesheet" href="other.css">', "it loads other.css"),
    "a_scheme": (RIGHT + '<a href="javascript:x()">x</a>', "what is javascript:x()?"),
    "an_orphan": ('<h1 id="top">A</h1>', "docs/b.html: no page leads to it"),
}


@tests_of(CASES)
class Links(unittest.TestCase):
    def check(self, text, message):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="sticky-html-"))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "docs").mkdir()
        (directory / "index.html").write_text(text)
        (directory / "docs" / "b.html").write_text(OTHER)
        (directory / "style.css").write_text("")
        result = subprocess.run([sys.executable, "-B", TESTS / "html_links.py", directory],
                                check=False, text=True, capture_output=True)
        self.assertEqual(result.returncode, 1 if message else 0, result.stderr)
        self.assertIn(message, result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 1)


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
