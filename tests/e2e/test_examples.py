#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""The examples of the library: built against the installed files alone, and run under load.

TIMES is the number of seconds of load in the tests of examples/threads (5; `make soak`: 60). SEED=N
repeats a run.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
import unittest

import harness
import world
from programs import BUILD, CLIENTS
from world import wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ADDRESS = "127.0.0.1:3000"
SLOTS = 4
SECONDS = float(os.environ.get("TIMES") or 5)
SEED = int(os.environ.get("SEED") or time.time())
RATE = 1000


def sanitizer():
    """The flags with which the library was built: its users need them, too."""
    symbols = subprocess.run(["nm", "-D", BUILD / "libsticky.so.0"], check=True,
                             capture_output=True, text=True).stdout
    if "__tsan_" in symbols:
        return "-fsanitize=thread"
    return "-fsanitize=address,undefined" if "__asan_" in symbols else ""


class ExampleTestCase(harness.TestCase):
    def setUp(self):
        """Install the library into an empty tree, and copy the examples out of the project."""
        super().setUp()
        self.tree = self.dir / "tree"
        subprocess.run(["make", "--silent", "-C", ROOT, "install", f"BUILD={BUILD}",
                        "PREFIX=/opt/sticky", f"DESTDIR={self.tree}", "LIBDIR=/opt/sticky/lib"],
                       check=True, stdout=subprocess.DEVNULL, env=harness.environment())
        self.library = self.tree / "opt/sticky/lib"
        shutil.copytree(ROOT / "examples", self.tree / "examples",
                        ignore=shutil.ignore_patterns("socketio", "server"))

    def build(self, example):
        """Build an example by its own makefile. Returns the program."""
        directory = self.tree / "examples" / example
        flags = f"-O1 -g -Wall -Wextra -Werror {sanitizer()}"
        result = self.run_program(
            "make", "-C", directory, f"CFLAGS={flags}", f"CXXFLAGS={flags}", "CC=gcc", "CXX=g++",
            env={"PKG_CONFIG_PATH": self.library / "pkgconfig",
                 "PKG_CONFIG_SYSROOT_DIR": self.tree}, seconds=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        return directory / "server"

    def start_example(self, *arguments):
        """Start an example until it is ready. Its stdin is a pipe: see command()."""
        pipe = self.dir / "commands"
        os.mkfifo(pipe)
        self.server = self.program(
            "sh", "-c", f'exec "$@" <>{pipe}', "sh", *arguments,
            env={"LD_LIBRARY_PATH": self.library})
        wait_for("it is ready", lambda: "ready\n" in self.server.output or not self.server.runs)
        self.commands = open(pipe, "w", buffering=1)
        self.addCleanup(self.commands.close)
        return self.server

    def begin_load(self, seconds):
        return self.program(CLIENTS, "--target", ADDRESS, "--http", "--sources", 500, "--rate", RATE,
                            "--duration", seconds, "--concurrency", 512)

    def counts_of(self, load):
        load.wait(SECONDS + 60)
        return json.loads(load.output.splitlines()[-1])

    def assert_all_answered(self, counts, sticky=True):
        self.assertGreater(counts["connections"], 100)
        self.assertEqual(counts["answered"], counts["connections"], counts)
        if sticky:
            self.assertEqual((counts["unsticky"], counts["mismatched"]), (0, 0), counts)

    def end(self):
        self.server.send(signal.SIGTERM)
        self.assertEqual(self.server.wait(), 0, self.server.errors)


class Threads(ExampleTestCase):
    def setUp(self):
        super().setUp()
        signal.alarm(round(4 * SECONDS) + 200)
        self.chance = random.Random(SEED)
        print(f"# SEED={SEED}", flush=True)
        self.start_example(self.build("threads"), ADDRESS, SLOTS)

    def command(self, word, slot):
        done = self.server.output.count("done ")
        self.commands.write(f"{word} {slot}\n")
        wait_for("the command is done", lambda: self.server.output.count("done ") > done)

    def drain_and_ready(self):
        slot = self.chance.randrange(SLOTS)
        self.command("drain", slot)
        self.command("ready", slot)

    def replace(self):
        self.command("replace", self.chance.randrange(SLOTS))

    def replace_all(self):
        self.server.send(signal.SIGHUP)

    def operate(self, operations, seconds):
        """Do these things at random for so long. Returns how many."""
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            self.chance.choice(operations)()
            count += 1
        return count

    def test_threads_come_and_go_at_random(self):
        load = self.begin_load(SECONDS)
        count = self.operate([self.replace, self.replace, self.drain_and_ready, self.replace_all],
                             SECONDS - 0.5)
        self.assertGreater(count, 5)
        self.assert_all_answered(self.counts_of(load))
        self.end()
        self.assertIn("in another slot than that of the look-up: 0\n", self.server.output)
        self.assertEqual(self.server.errors, "")

    def test_slots_come_and_go(self):
        load = self.begin_load(SECONDS)
        for number in [signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2] * round(SECONDS):
            self.server.send(number)
            self.drain_and_ready()
        self.assert_all_answered(self.counts_of(load), sticky=False)
        self.end()
        self.assertEqual(self.server.errors, "")


class Others(ExampleTestCase):
    def test_prefork_is_taken_over_by_the_next_program(self):
        pins = pathlib.Path(world.BPFFS) / "prefork"
        pins.mkdir()
        self.addCleanup(pins.rmdir)
        self.start_example(self.build("prefork"), ADDRESS, SLOTS, pins)
        load = self.begin_load(4)
        for number, text in ((signal.SIGHUP, None), (signal.SIGUSR2, "taken over\n"),
                             (signal.SIGHUP, None), (signal.SIGUSR2, "taken over\n" * 2)):
            self.server.send(number)
            if text:
                wait_for(text, lambda: text in self.server.output.replace("ready\n", ""))
        self.assert_all_answered(self.counts_of(load))
        self.end()
        self.assertEqual(list(pins.iterdir()), [])
        self.assertEqual(self.server.errors, "")

    def check(self, example):
        self.start_example(self.build(example), ADDRESS, SLOTS)
        if self.server.process.poll() == 77:
            self.skipTest(self.server.errors)
        self.assert_all_answered(self.counts_of(self.begin_load(2)))
        self.end()
        self.assertEqual(self.server.errors, "")

    @unittest.skipIf(subprocess.run(["pkg-config", "--exists", "liburing"], check=False).returncode,
                     "liburing-dev: not installed")
    def test_io_uring(self):
        self.check("io_uring")

    @harness.needs("g++")
    def test_cpp(self):
        self.check("cpp")


if __name__ == "__main__":
    harness.main()
