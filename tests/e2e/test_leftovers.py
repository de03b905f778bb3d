#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The controller was killed, and its workers live on: the commands know them, and `stop` ends them."""

import os
import signal
import sys
import time

import harness
from clients import HERE, ask, is_refused
from listening import listening_sockets
from privilege import copy_program, without
from programs import ALREADY_RUNNING, NOT_RUNNING, WORKER
from test_kept_sockets import KEEPER
from test_takeover import TakeoverTestCase
from world import command_line, other_processes, wait_for


# Says that it is ready, and ends by SIGQUIT alone; then it makes a file.
QUITS = """
import os, signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGQUIT])
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.sigwait([signal.SIGQUIT])
open(sys.argv[1], "w").close()
"""


class Leftovers(TakeoverTestCase):
    """What is left in the end, in the run directory and of pins, is checked after each test."""

    def serve_without(self, slots, *arguments, command=(WORKER, "--notify")):
        """Workers whose controller was killed."""
        instance = self.serve_workers(slots, *arguments, command=command)
        self.left = self.pids(instance)
        self.kill_controller(instance)
        self.assertIn(ask(HERE)["pid"], self.left)
        return instance

    def assert_ended(self):
        # They are zombies until PID 1 has reaped them.
        wait_for(lambda: f"the end of {[command_line(pid) for pid in self.left]}",
                 lambda: not any(command_line(pid) for pid in self.left))
        self.assertTrue(is_refused(HERE))

    def test_status(self):
        instance = self.serve_without(2)
        for command in ("status", "reload", "scale"):
            words = ("2",) if command == "scale" else ()
            result = instance.run(command, *words)
            self.assert_message(result, "has died", *(f"slot {slot} pid {pid}" for slot, pid in
                                                      enumerate(self.left)),
                                "stickyctl start", "stickyctl stop", code=NOT_RUNNING)
        self.assertEqual(instance.run("stop").returncode, 0)

    def test_stop(self):
        instance = self.serve_without(2)
        result = instance.run("stop")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("had died", result.stderr)
        self.assert_ended()
        for command in ("status", "stop"):
            self.assert_message(instance.run(command), "no instance", code=NOT_RUNNING)

    def test_one_that_ignores_the_signal(self):
        """It is killed after the delay that its controller had."""
        instance = self.serve_without(1, "--hard-shutdown-delay", "300ms",
                                      command=(WORKER, "--notify", "--ignore-term"))
        result = instance.run("stop")
        self.assert_message(result, "--hard-shutdown-delay", code=4)
        self.assert_ended()

    def test_stop_at_once(self):
        instance = self.serve_without(1, command=(WORKER, "--notify", "--ignore-term",
                                                  "--fork-child"))
        begun = time.monotonic()
        self.assertEqual(instance.run("stop", "--now").returncode, 0)
        self.assertLess(time.monotonic() - begun, 30)
        self.assert_ended()
        wait_for("the worker's child to end", lambda: not other_processes())

    def serve_keeper(self, worker=WORKER, arguments=()):
        """A worker that has begun a program, which has inherited the listening socket."""
        command = (self.script("keeper.sh", f"{KEEPER}exec {worker} --notify"),)
        instance = self.serve_workers(1, *arguments, command=command)
        self.left = self.pids(instance)
        kept, = wait_for("the program", lambda: [pid for pid, text in other_processes().items()
                                                 if text.startswith(f"{pid} sleep 1000")])
        self.addCleanup(self.kill_everybody)
        self.kill_controller(instance)
        return instance, kept

    def test_a_program_that_keeps_the_listening_socket(self):
        """The address is free after the stop, and the program is named."""
        for words in ((), ("--now",)):
            with self.subTest(words=words):
                instance, kept = self.serve_keeper()
                result = instance.run("stop", *words)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn(f"pid {kept} (sleep 1000) kept the listening socket", result.stderr)
                self.assertIn("port 3000 is free", result.stderr)
                self.assertIn("close_fds=True", result.stderr)
                self.assertIn(f"'kill {kept}' ends it", result.stderr)
                self.assertEqual(listening_sockets(), [])
                self.assertIsNotNone(command_line(kept))
                os.kill(kept, signal.SIGKILL)

    def test_workers_that_have_died_too(self):
        """Nobody serves any more, but the address is taken."""
        instance, kept = self.serve_keeper()
        self.kill_process(self.left[0])
        result = instance.run("stop")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"pid {kept} (sleep 1000) kept the listening socket", result.stderr)
        self.assertEqual(listening_sockets(), [])

    def test_a_program_that_cannot_be_reached(self):
        """Without CAP_SYS_PTRACE the descriptors of another user's process can't be had."""
        instance, kept = self.serve_keeper(copy_program(WORKER, self.dir),
                                           arguments=("--user", "nobody"))
        result = self.stickyctl("stop", prefix=without("sys_ptrace"))
        self.assert_message(result, "keeps the listening socket", "port 3000", "ss -ltnp",
                            f"pid {kept} (sleep 1000)", code=4)

    def test_the_stop_signal_of_the_instance(self):
        command = (sys.executable, self.write("quits.py", QUITS), self.dir / "got")
        instance = self.serve_workers(1, "--stop-signal", "QUIT", command=command)
        self.kill_controller(instance)
        self.assertEqual(instance.run("stop").returncode, 0)
        self.assertTrue((self.dir / "got").exists())
        wait_for("the worker to be reaped", lambda: not other_processes())

    def test_a_start_during_the_stop(self):
        """The name is taken until all have ended."""
        instance = self.serve_without(1, "--hard-shutdown-delay", "3s",
                                      command=(WORKER, "--notify", "--ignore-term"))
        stop = self.program(*self.stop_command())
        wait_for("the name", lambda: (instance.directory / "pid").read_text() == f"{stop.pid}\n")
        successor = self.start_again(instance)
        self.assertEqual(successor.wait(), ALREADY_RUNNING)
        self.assertEqual(stop.wait(), 4)
        self.assert_ended()

    def stop_command(self):
        return [self.programs[0].arguments[0], "stop"]

    def test_none_is_left(self):
        """Then it is an instance that does not run; the next start cleans up."""
        instance = self.serve_without(2)
        for pid in self.left:
            self.kill_process(pid)
        for command in ("status", "stop"):
            self.assert_message(instance.run(command), "no instance", code=NOT_RUNNING)
        self.assertEqual(self.start_again(instance).ready().stop(), 0)

    def kill_process(self, pid):
        os.kill(pid, signal.SIGKILL)
        self.wait_gone(pid)


if __name__ == "__main__":
    harness.main()
