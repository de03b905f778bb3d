#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages of the program. docs/manual/pages.py finds mistakes in a copy of them, man(1)
reads each page without a warning, and the files of sticky.yaml(5) are right."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e"), str(TESTS.parent / "docs" / "manual")]
# pylint: disable=wrong-import-position
import checks
import program as described
import tap
from slowness import scaled

ROOT = TESTS.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
PAGES = ROOT / "docs" / "man"


def run(*words, **variables):
    return subprocess.run([str(word) for word in words], check=False, text=True,
                          env=os.environ | {name: str(value) for name, value in variables.items()},
                          capture_output=True, timeout=scaled(60))


class TestCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sticky-pages-"))
        self.addCleanup(shutil.rmtree, self.dir)


class Check(TestCase):
    """Mistakes in a copy of the pages."""

    def setUp(self):
        super().setUp()
        self.pages = self.dir / "man"
        shutil.copytree(PAGES, self.pages)

    def check(self, build=BUILD):
        return run(sys.executable, "-B", ROOT / "docs" / "manual" / "pages.py", "--check",
                   BUILD=build, STICKYCTL_PAGES=self.pages)

    def refused(self, *words, build=BUILD):
        result = self.check(build)
        self.assertEqual(result.returncode, 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def edit(self, name, old, new):
        path = self.pages / name
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1))

    def describe(self, old, new):
        """Make a directory with a stickyctl whose table of options differs."""
        text = run(BUILD / "stickyctl", "describe").stdout
        self.assertIn(old, text)
        (self.dir / "table").write_text(text.replace(old, new, 1))
        program = self.dir / "stickyctl"
        program.write_text(f"#!/bin/sh\ncat {self.dir}/table\n")
        program.chmod(0o755)
        return self.dir

    def test_nothing_is_wrong(self):
        self.assertEqual(self.check().returncode, 0, self.check().stderr)

    def test_an_option_that_does_not_exist(self):
        self.edit("stickyctl-start.1.scd", "*--daemon* is given", "*--demon* is given")
        self.refused("stickyctl-start.1.scd: there is no option --demon")

    def test_an_option_of_another_command(self):
        self.edit("stickyctl-logs.1.scd", "logs --follow", "logs --wait")
        self.refused("stickyctl-logs.1.scd: stickyctl logs has no option --wait")

    def test_a_page_that_does_not_exist(self):
        self.edit("stickyctl.1.scd", "*sticky*(7)", "*sticky*(5)")
        self.refused("stickyctl.1.scd: there is no page sticky(5)")

    def test_a_command_without_a_page(self):
        (self.pages / "stickyctl-where.1.scd").unlink()
        self.refused("the command where has no page stickyctl-where.1.scd")

    def test_a_page_without_options(self):
        self.edit("stickyctl-where.1.scd", "@options", "None.")
        self.refused("stickyctl-where.1.scd: it does not list the options of its command")

    def test_an_option_without_a_text(self):
        self.refused("--admin has no text", build=self.describe(
            '"text": "Read-only HTTP', '"text": "", "unused": "'))

    def test_an_option_with_another_text(self):
        self.refused("stickyctl-start.1 is not what stickyctl-start.1.scd says: make man",
                     "sticky.yaml.5 is not what sticky.yaml.5.scd says: make man",
                     build=self.describe("Read-only HTTP", "HTTP"))

    def test_a_page_that_was_changed_by_hand(self):
        self.edit("stickyctl-top.1", "Look again now", "Look now")
        self.refused("stickyctl-top.1 is not what stickyctl-top.1.scd says: make man")


class Markdown(unittest.TestCase):
    """Commands in the other pages."""

    def check(self, text, *problems):
        self.assertEqual(list(checks.check_text(described.Program(), text)), list(problems))

    def test_right(self):
        self.check("    stickyctl start -w 4 --env A=b -- gunicorn --bind x\n")
        self.check("`stickyctl logs --follow` and curl's `--silent`, `stickyctl stop` by `--no`\n")

    def test_wrong(self):
        self.check("    stickyctl start --wrokers 4 \\\n      --demon -- node --x\n",
                   "stickyctl start has no option --wrokers",
                   "stickyctl start has no option --demon")
        self.check("`stickyctl logs --json` and `stickyctl stop --json`\n",
                   "stickyctl stop has no option --json")


class Pages(TestCase):
    @unittest.skipUnless(shutil.which("man"), "man: not installed")
    def test_no_warning(self):
        for page in sorted(PAGES.glob("*.[1357]")):
            result = run("man", "--warnings", "-l", page, MANWIDTH=80, LC_ALL="C.UTF-8")
            self.assertEqual((result.returncode, result.stderr), (0, ""), page.name)
            self.assertIn("NAME\n", result.stdout, page.name)

    def test_the_files_of_sticky_yaml_are_right(self):
        examples = re.findall(r"^```\n(.*?)^```$", (PAGES / "sticky.yaml.5.scd").read_text(),
                              re.MULTILINE | re.DOTALL)
        self.assertEqual(len(examples), 2)
        for name, text in (("node", "#!/bin/sh\n"), ("server.js", "")):
            (self.dir / name).write_text(text)
            (self.dir / name).chmod(0o755)
        for example in examples:
            (self.dir / "web.yaml").write_text(example)
            result = run(BUILD / "stickyctl", "check", "-c", self.dir / "web.yaml", "--chdir",
                         self.dir, PATH=f"{self.dir}:{os.environ['PATH']}")
            self.assertEqual((result.returncode, result.stderr), (0, ""), example)


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
