#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`stickyctl top` on a terminal of the test: it draws, resizes, orders, and gives the terminal back."""

import contextlib
import fcntl
import os
import re
import signal
import struct
import termios

import harness
from lifecycle import LifecycleTestCase
from programs import FAILED, NOT_RUNNING, STICKYCTL, USAGE, Program
from world import wait_for

LEAVES = "\033[?1049l"  # xterm: back to the screen before
ROW = "\033[{};1H"  # to the first column of a row


class Terminal:
    """A pseudo-terminal with `stickyctl top` on it, and what it has written."""

    def __init__(self, test, *arguments, rows=24, columns=80, **env):
        self.master, self.slave = os.openpty()
        test.addCleanup(self.close)
        os.set_blocking(self.master, False)
        self.resize(rows, columns)
        self.attributes = termios.tcgetattr(self.slave)
        self.text = ""
        self.program = Program(
            test, [STICKYCTL, "top", *arguments],
            env=test.environment(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", **env}),
            stdout=self.slave, stderr=self.slave, preexec_fn=self.take, start_new_session=True)

    def take(self):
        os.dup2(self.slave, 0)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.master, 65536):
                self.text += part.decode(errors="replace")
        return self.text

    def wait(self, *words):
        """Wait until all these words have been written. Forgets what was written."""
        wait_for(lambda: f"{words} in {self.text!r}",
                 lambda: all(word in self.read() for word in words))
        self.text = ""

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """Wait for the end. Returns the exit status."""
        def has_ended():
            self.read()  # else the program would wait for room on the terminal
            return not self.program.runs

        wait_for(lambda: f"its end; {self.text!r}", has_ended)
        self.read()
        return self.program.wait()

    def close(self):
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)


class Top(LifecycleTestCase):
    def assert_given_back(self, terminal):
        self.assertIn(LEAVES, terminal.text)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.attributes)

    def test_draws_resizes_and_quits(self):
        self.serve_workers(2)
        terminal = Terminal(self)
        terminal.wait("default: running", "SLOT", "\033[32mready", ROW.format(24), "q quit")
        self.assertNotEqual(termios.tcgetattr(terminal.slave), terminal.attributes)
        terminal.resize(40, 120)
        terminal.wait("default: running", ROW.format(40))
        for rows, columns in ((1, 1), (2, 5), (3, 200)):
            terminal.resize(rows, columns)
            terminal.wait("\033[")
        terminal.resize(24, 80)
        terminal.wait("default: running")
        terminal.type("?")
        terminal.wait("bring a drained or failed slot back")
        terminal.type("qq")  # the first goes back
        self.assertEqual(terminal.end(), 0)
        self.assert_given_back(terminal)

    def test_orders_are_asked_back(self):
        instance = self.serve_workers(2)
        terminal = Terminal(self)
        terminal.wait("default: running")
        terminal.type("d1\r")
        terminal.wait("drain slot 1? y")
        terminal.type("n")
        terminal.type("r")
        terminal.wait("reload all slots? y")
        terminal.type("\033")
        terminal.type("d1\ry")
        instance.wait_status("slot 1 to be drained", lambda status: status["workers"][1][
            "state"] == "drained")
        terminal.wait("drain slot 1: it has begun", "'stickyctl ready 1'")
        terminal.type("e1\ry")
        self.wait_generation(instance, 2, slot=1)
        terminal.type("ry")
        terminal.wait("reload 1: begun")
        self.wait_generation(instance, 2, slot=0)
        self.wait_generation(instance, 3, slot=1)
        terminal.type("x7\r")
        terminal.wait("there is no slot 7; the slots are 0 to 1")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_a_signal_gives_the_terminal_back(self):
        self.serve_workers(1)
        for number, key in ((signal.SIGTERM, None), (signal.SIGINT, "\x03")):
            terminal = Terminal(self)
            terminal.wait("default: running")
            if key:
                terminal.type(key)
            else:
                terminal.program.send(number)
            self.assertEqual(terminal.end(), -number)
            self.assert_given_back(terminal)

    def test_a_terminal_that_goes_away(self):
        self.serve_workers(1)
        terminal = Terminal(self)
        terminal.wait("default: running")
        terminal.close()
        self.assertIn(terminal.program.wait(), (FAILED, -signal.SIGHUP))

    def test_the_instance_ends_and_comes_back(self):
        instance = self.serve_workers(1)
        terminal = Terminal(self)
        terminal.wait("default: running")
        self.assertEqual(instance.stop(), 0)
        terminal.wait("the instance is not running")
        instance = self.serve_workers(3)
        terminal.type(" ??")  # look again, and draw all of it anew
        terminal.wait(f"pid {instance.pid}")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_terminals(self):
        self.serve_workers(1)
        for name in ("screen", "tmux", "vt100"):
            terminal = Terminal(self, TERM=name, NO_COLOR="1", LC_ALL="C")
            terminal.wait("default: running", "q quit")
            terminal.type("q")
            self.assertEqual(terminal.end(), 0)
            self.assertIsNone(re.search(r"\033\[3[0-7]m", terminal.text))
        for name in ("dumb", "no-such-terminal", ""):
            terminal = Terminal(self, TERM=name)
            self.assertEqual(terminal.end(), FAILED)
            self.assertIn("TERM=xterm", terminal.text)
            self.assertEqual(termios.tcgetattr(terminal.slave), terminal.attributes)

    def test_without_a_terminal_or_an_instance(self):
        self.assertEqual(self.stickyctl("top").returncode, NOT_RUNNING)
        self.serve_workers(1)
        self.assert_message(self.stickyctl("top"), "no terminal", "status --watch", code=USAGE)


if __name__ == "__main__":
    harness.main()
