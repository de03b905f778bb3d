# SPDX-License-Identifier: MIT
"""One release of Debian in a clean tree of files: the tree, the commands that run in it, and the
results."""

import pathlib
import shutil
import subprocess

from results import Step

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 3600
TAIL_LINES = 40  # of the log of a failed step


def show_tail(text):
    print("\n".join("     | " + line for line in text.splitlines()[-TAIL_LINES:]))


class Release:
    def __init__(self, number, directory, source):
        """Prepare for a tree in directory/tree, in which the archive `source` is unpacked."""
        self.number = number
        self.name = f"Debian {number}"
        self.directory = directory
        self.source = source
        self.cells = {}

    def say(self, text):
        print(f"{self.name}: {text}", flush=True)

    def make_tree(self):
        """Make the tree. Returns the exit status of tree.sh."""
        done = subprocess.run([HERE / "tree.sh", self.number, self.directory],
                              stderr=subprocess.PIPE, text=True, check=False)
        print(done.stderr, end="", flush=True)
        if done.returncode == 0:
            source = self.directory / "tree" / "srv" / "stickyctl"
            source.mkdir(parents=True)
            shutil.unpack_archive(self.source, source)
        return done.returncode

    def run(self, name, command, alone):
        """Run a command in the tree. Returns whether it succeeded, and what it printed."""
        self.say(name)
        log = self.directory / f"{name}.log"
        enter = [HERE / "enter.sh", *(["--alone"] if alone else []), self.directory / "tree"]
        with open(log, "wb") as output:
            try:
                status = subprocess.run([*enter, "sh", "-c", command], stdin=subprocess.DEVNULL,
                                        stdout=output, stderr=subprocess.STDOUT, check=False,
                                        timeout=TIMEOUT_S).returncode
            except subprocess.TimeoutExpired:
                status = f"none: it took longer than {TIMEOUT_S} s"
        text = log.read_text(errors="replace")
        if status != 0:
            self.say(f"{name} failed, exit status {status}, see {log}")
        return status == 0, text

    def run_steps(self, steps):
        """Run the steps (column, command, is it alone in its network?) one after the other. Returns
        False if one failed, as the next ones need it."""
        for column, command, alone in steps:
            passed, text = self.run(column, command, alone)
            self.cells[column] = Step(passed=1) if passed else Step(failed=1)
            if not passed:
                show_tail(text)
                return False
        return True
