#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion: the words that stickyctl offers, and the script of each shell, run by that shell."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
# pylint: disable=wrong-import-position
import tap
from cases import tests_of
from slowness import scaled

BUILD = pathlib.Path(os.environ.get("BUILD", TESTS.parent / "build")).resolve()
STICKYCTL = BUILD / "stickyctl"
# In this directory there is no instance, whatever runs on this machine.
NOWHERE = tempfile.gettempdir() + "/sticky-no-instances"
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith("STICKYCTL_")} | {
                   "PATH": f"{BUILD}:{os.environ['PATH']}", "STICKYCTL_RUN_DIR": NOWHERE,
                   "TERM": "dumb"}

# Each case: the line up to the cursor, words that are offered, words that are not.
CASES = {
    "commands": ("stickyctl st", {"start", "status", "stop"}, {"reload"}),
    "options_of_a_command": ("stickyctl status --", {"--json", "--ready", "--name", "--help"},
                             {"--workers"}),
    "options_of_start": ("stickyctl start --when", {"--when-down"}, {"--workers"}),
    "options_of_check": ("stickyctl check --pri", {"--print"}, {"--proxy-header"}),
    "choices": ("stickyctl start --when-down ", {"hold", "spill"}, {"--when-down"}),
    "modes": ("stickyctl start --worker nod", {"node", "node:sticky-listen"}, {"bind"}),
    "help": ("stickyctl help rel", {"reload"}, {"restart"}),
    "shells": ("stickyctl completion ", {"bash", "zsh", "fish"}, {"status"}),
    "files": ("stickyctl check -c /etc/hos", {"/etc/hosts"}, {"/etc/passwd"}),
    "directories": ("stickyctl start --chdir /us", {"/usr"}, {"/etc"}),
    "users": ("stickyctl start --user roo", {"root"}, {"nobody"}),
    "programs": ("stickyctl start -- slee", {"sleep"}, {"status"}),
}


def needs(shell):
    return unittest.skipUnless(shutil.which(shell), f"{shell}: not installed")


def run(*words, **options):
    return subprocess.run([str(word) for word in words], env=ENVIRONMENT, check=True, text=True,
                          capture_output=True, timeout=scaled(20), **options).stdout


def offered(*words):
    """Returns {word: its description}."""
    lines = run(STICKYCTL, "complete-words", *words).splitlines()
    return dict(line.split("\t", 1) for line in lines)


class Words(unittest.TestCase):
    def test_each_command_has_its_options(self):
        """The words are the options that --help shows, and no others: both come from the same
        tables."""
        for command in offered(""):
            shown = set(re.findall(r"^ .{5}(--[a-z0-9-]+)",
                                   run(STICKYCTL, "help", command), re.MULTILINE))
            words = set(offered(command, "--"))
            if command == "check":  # it also has those of start, which its help does not list
                self.assertLessEqual(shown - {"--usage"}, words)
                self.assertLessEqual(set(offered("start", "--")), words)
            elif command != "help":
                self.assertEqual(words, shown - {"--usage"}, command)

    def test_each_word_is_described(self):
        for words in ([""], ["start", "--"], ["status", "--"]):
            for word, description in offered(*words).items():
                self.assertTrue(0 < len(description) <= 60, (word, description))

    def test_values(self):
        self.assertEqual(set(offered("start", "--on-hang", "")), {"report", "spill", "restart"})
        self.assertEqual(set(offered("start", "--on-hang=re")), {"report", "restart"})
        self.assertEqual(set(offered("reload", "--wait=")), {"ready", "drained"})
        self.assertEqual(offered("start", "-w", ""), {})

    def test_behind_the_command_of_workers_no_option_is_ours(self):
        self.assertEqual(set(offered("start", "-w", "2", "node", "--")), {":files"})
        self.assertEqual(set(offered("start", "--", "--")), {":commands"})

    def test_where_nothing_runs_there_is_no_slot_and_no_name(self):
        self.assertEqual(offered("drain", ""), {})
        self.assertEqual(offered("status", "-n", ""), {})

    def test_what_is_wrong_offers_nothing(self):
        for words in (["nonsense", ""], ["bind-keeper", ""], ["status", "--nonsense="],
                      ["status", "-n", "a/b", "--run-dir", "", ""]):
            self.assertEqual(offered(*words), {})
        self.assertEqual(run(STICKYCTL, "complete-words"), "")


BASH = r"""
eval "$(stickyctl completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
compopt() { :; }  # works only while bash itself completes
_stickyctl
printf '%s\n' "${COMPREPLY[@]}"
complete -p stickyctl >&2
"""


@needs("bash")
@tests_of(CASES)
class Bash(unittest.TestCase):
    def complete(self, line):
        return run("bash", "--norc", "-c", BASH, "bash", line).split("\n")

    def check(self, line, words, others):
        found = {word.rstrip("/") for word in self.complete(line)}
        self.assertLessEqual(words, found)
        self.assertFalse(others & found)

    def test_behind_equals_and_colon(self):
        """bash only replaces the part behind these characters."""
        self.assertIn("hold", self.complete("stickyctl start --when-down="))
        self.assertIn("sticky-listen", self.complete("stickyctl start --worker=node:st"))
        self.assertIn("sticky-listen", self.complete("stickyctl start --worker node:st"))


@needs("fish")
@tests_of(CASES)
class Fish(unittest.TestCase):
    def complete(self, line):
        script = "stickyctl completion fish | source; complete -C $argv[1]"
        # HOME decides where fish has its directories.
        with tempfile.TemporaryDirectory() as home:
            lines = run("env", f"HOME={home}", "fish", "--no-config", "-c", script, line)
        return {each.split("\t")[0].rstrip("/") for each in lines.splitlines()}

    def check(self, line, words, others):
        found = self.complete(line)
        self.assertLessEqual(words, found)
        self.assertFalse(others & found)

    def test_behind_equals(self):
        self.assertEqual(self.complete("stickyctl start --when-down="),
                         {"--when-down=hold", "--when-down=spill"})


class Terminal:
    """An interactive shell, at a terminal of its own."""

    def __init__(self, *command):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, ENVIRONMENT | {"PS1": "% "})

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, *words):
        """Read until all words are on the screen. Text up to the first word is forgotten."""
        deadline = time.monotonic() + scaled(20)
        while not all(word in self.text for word in words):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"not {words} in {self.text!r}")
            self.text += os.read(self.fd, 65536).decode(errors="replace")
        self.text = self.text.partition(words[0])[2]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


# Lines with TABs in them, and what the completed lines print.
TYPED = (("stickyctl versi\t\n", "stickyctl 0."),
         ("stickyctl help versi\t\n", "Usage: stickyctl version"),
         ("stickyctl check --pri\t -- sleep\n", "# default"),
         ("stickyctl start --when-down=ho\t --hel\t\n", "Usage: stickyctl"),
         ("stickyctl check -c /etc/host\tname\n", "/etc/hostname:1:1:"))


class Interactive(unittest.TestCase):
    """The completed line is run. Its output tells how it was completed."""

    def check(self, begin, *command):
        shell = Terminal(*command)
        self.addCleanup(shell.close)
        shell.type(f"{begin}; echo rea''dy\n")
        shell.wait_for("ready\r\n")
        for line, printed in TYPED:
            shell.type(line)
            shell.wait_for(printed)
        shell.type("stickyctl completion \t\t")
        shell.wait_for("bash", "zsh", "fish")

    @needs("zsh")
    def test_zsh(self):
        self.check("autoload -Uz compinit && compinit -u -D; source <(stickyctl completion zsh)",
                   "zsh", "-f", "-i")

    @needs("bash")
    def test_bash(self):
        self.check('eval "$(stickyctl completion bash)"', "bash", "--norc", "-i")


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
