#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`stickyctl top` on a terminal of the test: it draws, resizes, sends commands, and restores the
terminal."""

import os
import re
import signal
import termios

import harness
from lifecycle import LifecycleTestCase
from programs import FAILED, NOT_RUNNING, STICKYCTL, USAGE
from terminal import Terminal
from world import wait_for

LEAVES = "\033[?1049l"  # xterm: return to the previous screen
KEYS = "q quit  ? help  r reload"


class Top(LifecycleTestCase):
    def top(self, **options):
        return Terminal(self, STICKYCTL, "top", **options)

    def assert_given_back(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.attributes)

    def wait_state(self, instance, slot, state):
        instance.wait_status(f"slot {slot} to be {state}", lambda status: status["workers"][slot][
            "state"] == state)

    def check_draws_resizes_quits(self):
        terminal = self.top()
        terminal.wait("default: running", "SLOT", KEYS)
        lines = terminal.screen.lines()
        self.assertTrue(lines[0].startswith("default: running"), lines)
        self.assertIn(KEYS, lines[23])
        self.assertNotEqual(termios.tcgetattr(terminal.slave), terminal.attributes)
        terminal.resize(40, 120)
        wait_for(lambda: f"the keys on the last line of\n{terminal.read()}",
                 lambda: KEYS in terminal.read().split("\n")[39])
        terminal.wait("default: running")
        for rows, columns in ((1, 1), (2, 5), (5, 30)):
            terminal.resize(rows, columns)
            terminal.wait("d")
        terminal.wait("lines 1 to 3 of 7", "default: running")
        terminal.type("\033B")  # VT52's key "down"
        terminal.wait("lines 2 to 4 of 7", "listening on")
        terminal.resize(24, 80)
        terminal.type("?")
        terminal.wait("bring a drained or failed slot back")
        terminal.type("?")
        terminal.wait("default: running")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        self.assert_given_back(terminal)

    def check_orders(self, instance):
        terminal = self.top()
        terminal.wait("default: running")
        terminal.type("d1\r")
        terminal.wait("drain slot 1? y: yes, other keys: no")
        terminal.type("nr")
        terminal.wait("reload all slots? y")
        terminal.type("nd1\ry")
        self.wait_state(instance, 1, "drained")
        self.assertEqual(instance.status()["reload"]["state"], "idle")
        terminal.wait("slot 1 is drained: 'stickyctl ready 1'", "drain slot 1: it has begun")
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

    def check_signal(self, number, key=None):
        terminal = self.top(TERM="xterm")
        terminal.wait("quit")
        if key:
            terminal.type(key)
        else:
            terminal.program.send(number)
        self.assertEqual(terminal.end(), -number)
        self.assertIn(LEAVES, terminal.bytes)
        self.assert_given_back(terminal)

    def check_terminal_goes_away(self):
        terminal = self.top()
        terminal.wait(KEYS)
        terminal.close()
        self.assertIn(terminal.program.wait(), (FAILED, -signal.SIGHUP))

    def test_a_screen(self):
        instance = self.serve_workers(2)
        self.check_draws_resizes_quits()
        self.check_orders(instance)
        self.check_signal(signal.SIGTERM)
        self.check_signal(signal.SIGINT, "\x03")
        self.check_terminal_goes_away()

    def test_the_instance_hangs_ends_and_comes_back(self):
        """The last state stays on the screen. The line above the keys tells why."""
        instance = self.serve_workers(1)
        terminal = self.top()
        terminal.wait("default: running")
        instance.send(signal.SIGSTOP)
        terminal.type(" ")
        terminal.wait("the controller does not answer", "default: running")
        instance.send(signal.SIGCONT)
        terminal.type(" ")
        wait_for("the message to go", lambda: "not answer" not in terminal.read())
        self.assertEqual(instance.stop(), 0)
        terminal.type(" ")
        terminal.wait("the instance is not running", "default: running")
        instance = self.serve_workers(3)
        terminal.type(" ")
        terminal.wait(f"pid {instance.pid}")
        wait_for("the message to go", lambda: "not running" not in terminal.read())
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_terminals(self):
        self.serve_workers(1)
        for name, colour in (("xterm", True), ("screen", True), ("tmux", True), ("vt100", False)):
            for no_color in ("", "1"):
                terminal = self.top(TERM=name, NO_COLOR=no_color)
                terminal.type("q")
                self.assertEqual(terminal.end(), 0)
                self.assertIn("default: running", terminal.bytes)
                self.assertEqual(bool(re.search(r"\033\[3[1-7]m", terminal.bytes)),
                                 colour and not no_color, (name, no_color, terminal.bytes))
        for name in ("dumb", "no-such-terminal", ""):
            terminal = self.top(TERM=name)
            self.assertEqual(terminal.end(), FAILED)
            self.assertIn("TERM=xterm", terminal.bytes)
            self.assert_given_back(terminal)
        self.assert_message(self.stickyctl("top"), "no terminal", "status --watch", code=USAGE)

    def test_without_terminfo(self):
        """Small images of containers have no terminfo. Most terminals are then treated as an
        xterm."""
        self.serve_workers(1)
        for place in ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"):
            if os.path.isdir(place):
                self.mount("-t", "tmpfs", "none", place)
        for name in ("xterm-256color", "tmux", "linux"):
            terminal = self.top(TERM=name, HOME=self.dir)
            terminal.type("q")
            self.assertEqual(terminal.end(), 0)
            self.assertIn("default: running", terminal.bytes)
        terminal = self.top(TERM="vt100", HOME=self.dir)
        self.assertEqual(terminal.end(), FAILED)

    def test_without_an_instance(self):
        self.assertEqual(self.stickyctl("top").returncode, NOT_RUNNING)


if __name__ == "__main__":
    harness.main()
