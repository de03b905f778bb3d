#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Process groups: a worker that leaves its own, its processes that do, and those that join another
worker's."""

import contextlib
import os
import signal
import sys

import harness
from clients import LISTEN
from test_takeover import TakeoverTestCase
from workers import WorkerTestCase
from world import command_line, other_processes, wait_for

# Moves into another process group, and ignores every polite signal.
RUNAWAY = """
import os, signal, socket, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = os.fork()
if not child:
    signal.pause()
os.setpgid(child, child)
os.setpgid(0, child)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(sys.argv[1].encode(), os.environ["NOTIFY_SOCKET"])
open(sys.argv[2], "w").close()
while True:
    signal.pause()
"""

# Joins the process group of another worker, and speaks in its name.
FORGER = """
import os, socket, sys
os.setpgid(0, int(sys.argv[1]))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(b"STATUS=forged\\nREADY=1", os.environ["NOTIFY_SOCKET"])
    out.sendto(b"STOPPING=1", os.environ["NOTIFY_SOCKET"])
"""


class Runaway(TakeoverTestCase, WorkerTestCase):
    """A worker that has left its process group."""

    def runaway(self, word="READY=1"):
        return [sys.executable, self.write("runaway.py", RUNAWAY), word, self.dir / "moved"]

    def serve_runaway(self, *arguments):
        instance = self.serve("-w", "1", *LISTEN, "--hard-shutdown-delay", "300ms", *arguments,
                              "--", *self.runaway())
        pid = instance.workers()[0]["pid"]
        self.assertNotEqual(os.getpgid(pid), pid)
        return instance, pid

    def assert_gone(self, pid):
        """It has ended. An orphan is a zombie until PID 1 has reaped it."""
        self.assertIn("[Z", command_line(pid) or "[Z")

    def test_stop(self):
        """It is killed at the hard-shutdown delay."""
        instance, pid = self.serve_runaway()
        self.assertEqual(instance.stop(), 4)
        self.assert_gone(pid)
        self.assertEqual(instance.log_lines("kill_failed"), [])

    def test_stop_after_a_takeover(self):
        instance, pid = self.serve_runaway()
        self.kill_controller(instance)
        successor = self.serve("-w", "1", *LISTEN, "--hard-shutdown-delay", "300ms", "--",
                               *self.runaway())
        self.assertEqual(successor.workers()[0]["pid"], pid)
        self.assertEqual(successor.stop(), 4)
        self.assert_gone(pid)

    def test_a_takeover_of_one_that_starts(self):
        """It is replaced: the previous one must not live on beside the new one."""
        arguments = ("-w", "1", *LISTEN, "--ready", "notify", "--")
        instance = self.start(*arguments, *self.runaway("STATUS=starting"))
        wait_for("the worker to move", (self.dir / "moved").exists)
        pid = instance.workers()[0]["pid"]
        self.kill_controller(instance)
        successor = self.serve(*arguments, *self.runaway())
        self.assert_gone(pid)
        self.assertEqual(successor.stop("--now"), 0)


class Left(WorkerTestCase):
    """A process of a worker that lives on when the worker has ended."""

    def serve_leaver(self, words="setsid sleep 1234"):
        instance = self.serve("-w", "1", *LISTEN, "--", self.script_worker(
            f"{words} &\nexec $WORKER --notify"))
        self.left, = wait_for("the process to leave", self.find_left)
        self.addCleanup(self.end_left)
        return instance

    def find_left(self):
        return [pid for pid, text in other_processes().items()
                if text.startswith(f"{pid} sleep 1234 ")]

    def end_left(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.left, signal.SIGKILL)

    def check(self, instance, *arguments):
        worker = instance.workers()[0]["pid"]
        self.assertEqual(instance.stop(*arguments), 0)
        line, = instance.log_lines("process_left")
        self.assertEqual((line.fields["pid"], line.fields["of"], line.fields["command"]),
                         (str(self.left), str(worker), "sleep 1234"))
        self.assertIsNotNone(command_line(self.left))

    def test_is_named_at_a_stop(self):
        self.check(self.serve_leaver())

    def test_is_named_at_a_stop_at_once(self):
        self.check(self.serve_leaver(), "--now")

    def test_is_found_below_another_process(self):
        self.check(self.serve_leaver("(setsid sleep 1234; true)"))


class Forged(WorkerTestCase):
    def test_a_process_in_the_group_of_another_worker_is_not_believed(self):
        forger = self.write("forger.py", FORGER)
        instance = self.serve("-w", "2", *LISTEN, "--", self.script_worker(
            f'[ $STICKY_SLOT = 1 ] && (until [ -e {self.dir}/go ]; do sleep 0.01; done; '
            f'{sys.executable} {forger} $(cat {self.dir}/go); touch {self.dir}/sent) &\n'
            f"exec $WORKER --notify"))
        before = [(worker["pid"], worker["generation"], "ready", "")
                  for worker in instance.workers()]
        (self.dir / "new").write_text(str(before[0][0]))
        (self.dir / "new").rename(self.dir / "go")
        wait_for("the notifications", (self.dir / "sent").exists)
        for _ in range(3):  # each status is a turn of the loop
            self.assertEqual([(worker["pid"], worker["generation"], worker["state"],
                               worker["status"]) for worker in instance.workers()], before)
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
