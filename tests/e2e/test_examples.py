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
import socket
import subprocess
import time
import unittest

import harness
import world
from cases import tests_of
from programs import BUILD, CLIENTS
from world import wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ADDRESS = "127.0.0.1:3000"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOTS = 4
SECONDS = float(os.environ.get("TIMES") or 5)
SEED = int(os.environ.get("SEED") or time.time())
RATE = 1000
NO_URING = subprocess.run(["pkg-config", "--exists", "liburing"], check=False).returncode

# A library that comes first: sticky_worker_ready() fails while there is the file that FAILS names.
FAILING = """
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
struct sticky_worker;
int sticky_worker_ready(struct sticky_worker *worker)
{
	int (*real)(struct sticky_worker *) = dlsym(RTLD_NEXT, "sticky_worker_ready");

	return access(getenv("FAILS"), F_OK) ? real(worker) : -ENFILE;
}
"""


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

    def compile(self, program, source, *arguments, compiler="gcc"):
        """Compile a file against the installed library."""
        found = self.run_program(
            "pkg-config", "--cflags", "--libs", "libsticky",
            env={"PKG_CONFIG_PATH": self.library / "pkgconfig",
                 "PKG_CONFIG_SYSROOT_DIR": self.tree})
        result = self.run_program(
            compiler, "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", *sanitizer().split(), source,
            *arguments, *found.stdout.split(), "-lpthread", "-o", program, seconds=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        return program

    def start_example(self, *arguments, env=None):
        """Start an example until it is ready. Its stdin is a pipe: see command()."""
        pipe = self.dir / "commands"
        os.mkfifo(pipe)
        self.server = self.program(
            "sh", "-c", f'exec "$@" <>{pipe}', "sh", *arguments,
            env={"LD_LIBRARY_PATH": self.library, **(env or {})})
        wait_for("it is ready", lambda: "ready\n" in self.server.output or not self.server.runs)
        self.commands = os.fdopen(os.open(pipe, os.O_RDWR), "w", buffering=1)
        self.addCleanup(self.commands.close)
        return self.server

    def failing(self):
        """The environment in which sticky_worker_ready() fails, and the file by which it does."""
        library = self.compile(self.dir / "failing.so", self.write("failing.c", FAILING), "-shared",
                               "-fPIC")
        fails = self.dir / "fails"
        return {"LD_PRELOAD": library, "FAILS": fails}, fails

    def pins(self):
        """An empty directory for the maps, which a server that has ended leaves empty."""
        pins = pathlib.Path(world.BPFFS) / "prefork"
        pins.mkdir()
        self.addCleanup(shutil.rmtree, pins)
        return pins

    def connect(self):
        client = socket.create_connection(("127.0.0.1", 3000), timeout=world.DEADLINE_S)
        self.addCleanup(client.close)
        return client

    def answer_to(self, client):
        client.sendall(REQUEST)
        self.assertIn(b"\r\n\r\nslot=", client.recv(4096))

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
        self.assertEqual([pin for pin in world.pins() if "prefork/" in pin], [])


class Threads(ExampleTestCase):
    def setUp(self):
        super().setUp()
        signal.alarm(round(4 * SECONDS) + 200)
        self.chance = random.Random(SEED)
        print(f"# SEED={SEED}", flush=True)
        source = self.tree / "examples" / "threads" / "commands.c"
        shutil.copy(ROOT / "tests" / "examples" / "threads.c", source)
        program = self.compile(source.with_suffix(""), source, "-O1", "-g", "-std=gnu11")
        self.start_example(program, ADDRESS, SLOTS)

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


def children(pid):
    """The states of a process's children, by their pids."""
    found = {}
    for other in world.pids():
        try:
            status = world.status_of(other)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if status["PPid"] == str(pid):
            found[other] = status["State"][0]
    return found


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Prefork(ExampleTestCase):
    def start_prefork(self, slots=SLOTS, **options):
        self.start_example(self.build("prefork"), ADDRESS, slots, self.pins(), **options)

    def wait_for_children(self, count):
        wait_for(lambda: f"{count} children: {children(self.server.pid)}",
                 lambda: sorted(children(self.server.pid).values()) == ["S"] * count)

    def test_is_taken_over_by_the_next_program(self):
        self.start_prefork()
        load = self.begin_load(4)
        for number, text in ((signal.SIGHUP, None), (signal.SIGUSR2, "taken over\n"),
                             (signal.SIGHUP, None), (signal.SIGUSR2, "taken over\n" * 2)):
            self.server.send(number)
            if text:
                wait_for(text, lambda: text in self.server.output.replace("ready\n", ""))
        self.assert_all_answered(self.counts_of(load))
        self.end()
        self.assertEqual(self.server.errors, "")

    def test_grows_and_shrinks(self):
        self.start_prefork(slots=1)
        load = self.begin_load(4)
        for number, count in ((signal.SIGTTIN, 2), (signal.SIGTTIN, 3), (signal.SIGTTOU, 2),
                              (signal.SIGTTOU, 1)):
            self.server.send(number)
            self.wait_for_children(count)
        self.server.send(signal.SIGTTOU)
        wait_for("the last slot stays", lambda: "0 slots: " in self.server.errors)
        self.assert_all_answered(self.counts_of(load), sticky=False)
        self.end()

    def test_the_next_program_has_the_children_that_leave(self):
        """They are not zombies afterwards, and it waits for them at the end without spinning."""
        self.start_prefork()
        idle = self.connect()
        self.server.send(signal.SIGHUP)
        wait_for("all are replaced", lambda: len(children(self.server.pid)) > SLOTS)
        self.server.send(signal.SIGUSR2)
        wait_for("it is taken over", lambda: "taken over\n" in self.server.output)
        self.wait_for_children(SLOTS + 1)  # one has the idle client
        self.answer_to(idle)
        self.wait_for_children(SLOTS)
        self.server.send(signal.SIGHUP)
        self.server.send(signal.SIGUSR2)
        wait_for("it is taken over", lambda: "taken over\n" * 2 in
                 self.server.output.replace("ready\n", ""))
        self.connect()
        self.server.send(signal.SIGTERM)
        used = 0
        while self.server.runs:
            used = processor_seconds(self.server.pid) or used
            time.sleep(0.02)
        self.assertLess(used, world.scaled(1))
        self.assertEqual(self.server.wait(), 0)
        self.assertEqual(self.server.errors, "")

    def test_a_program_that_is_not_there(self):
        """The parent goes on."""
        self.start_prefork()
        (self.tree / "examples" / "prefork" / "server").unlink()
        self.server.send(signal.SIGUSR2)
        wait_for("it says so", lambda: "No such file" in self.server.errors)
        self.server.send(signal.SIGHUP)
        self.answer_to(self.connect())
        self.end()

    @unittest.skipIf(sanitizer(), "a sanitizer comes first")
    def test_a_child_that_can_not_get_its_slot(self):
        """It is killed, and its predecessor goes on."""
        environment, fails = self.failing()
        self.start_prefork(env=environment)
        fails.touch()
        self.server.send(signal.SIGHUP)
        wait_for("each has failed", lambda: self.server.errors.count("slot ") == SLOTS)
        self.wait_for_children(SLOTS)
        os.kill(min(children(self.server.pid)), signal.SIGKILL)
        wait_for("it is not replaced", lambda: self.server.errors.count("slot ") > SLOTS)
        fails.unlink()
        self.wait_for_children(SLOTS)
        self.answer_to(self.connect())
        self.end()


class Cpp(ExampleTestCase):
    @harness.needs("g++")
    @unittest.skipIf(sanitizer(), "a sanitizer comes first")
    def test_a_thread_that_fails_ends_the_server(self):
        environment, fails = self.failing()
        fails.touch()
        self.start_example(self.build("cpp"), ADDRESS, SLOTS, env=environment)
        self.assertEqual(self.server.wait(), 1)
        for slot in range(SLOTS):
            self.assertIn(f"slot {slot}: sticky_worker_ready: ", self.server.errors)

    @harness.needs("g++")
    def test_a_worker_keeps_its_group_open(self):
        source = self.write("moved.cpp", """
#include <sticky.hpp>
int main()
{
	auto group = std::make_unique<sticky::Group>(2);
	group->listen("127.0.0.1:0");
	sticky::Worker first(*group, 0), second(*group, 1);
	sticky::Group moved(std::move(*group));
	group.reset();
	first.ready();
	moved = sticky::Group(1);
	second.ready();
	second = std::move(first);
	return second.slot() + (second.fd() < 0);
}
""")
        program = self.compile(self.dir / "moved", source, "-std=c++17",
                               f"-I{self.tree}/examples/cpp", compiler="g++")
        result = self.run_program(program, env={"LD_LIBRARY_PATH": self.library})
        self.assertEqual((result.returncode, result.stderr), (0, ""))


CASES = {name: (name,) for name in ("threads", "prefork", "io_uring", "cpp")}


class Each(ExampleTestCase):
    def start_each(self, example):
        if example == "io_uring" and NO_URING:
            self.skipTest("liburing-dev: not installed")
        if example == "cpp" and not shutil.which("g++"):
            self.skipTest("g++: not installed")
        pins = [self.pins()] if example == "prefork" else []
        self.start_example(self.build(example), ADDRESS, SLOTS, *pins)
        if self.server.process.poll() == 77:
            self.skipTest(self.server.errors)


@tests_of(CASES)
class Load(Each):
    def check(self, example):
        self.start_each(example)
        self.assert_all_answered(self.counts_of(self.begin_load(2)))
        self.end()
        self.assertEqual(self.server.errors, "")


@tests_of(CASES)
class Idle(Each):
    def check(self, example):
        """A client that asks nothing keeps nobody waiting; one that was there before SIGTERM is
        answered after it; and the server ends although one of them never asks."""
        self.start_each(example)
        idle, other, patient = self.connect(), self.connect(), self.connect()
        other.settimeout(world.scaled(2))
        self.answer_to(other)
        self.server.send(signal.SIGTERM)
        time.sleep(1)
        self.assertTrue(self.server.runs)
        self.answer_to(patient)
        self.assertEqual(self.server.wait(), 0, self.server.errors)
        self.assertEqual(idle.recv(1), b"")


if __name__ == "__main__":
    harness.main()
