# SPDX-License-Identifier: MIT
"""A pseudo-terminal for programs that draw on the whole screen, and the text that is seen on it.

The screen understands the few sequences of a VT52, which are enough for TERM=vt52. For other
terminals only the bytes are kept."""

import contextlib
import fcntl
import os
import struct
import termios

from programs import Program
from world import wait_for


class Screen:
    """The characters on a VT52 of any size."""

    def __init__(self, rows, columns):
        self.resize(rows, columns)
        self.rest = ""

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def _clear(self, whole):
        self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        for row in range(self.row + 1, self.rows if whole else 0):
            self.cells[row] = [" "] * self.columns

    def _line_feed(self):
        if self.row == self.rows - 1:
            self.cells = [*self.cells[1:], [" "] * self.columns]
        self.row = min(self.row + 1, self.rows - 1)

    def _move(self, row, column):
        self.row = max(0, min(row, self.rows - 1))
        self.column = max(0, min(column, self.columns - 1))

    def _escape(self, text):
        """Handle a sequence behind its escape. Returns its length, or 0 if it is not complete."""
        if text[0] == "Y":
            if len(text) < 3:
                return 0
            self._move(ord(text[1]) - 32, ord(text[2]) - 32)
            return 3
        steps = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}
        if text[0] in steps:
            down, right = steps[text[0]]
            self._move(self.row + down, self.column + right)
        elif text[0] == "H":
            self._move(0, 0)
        elif text[0] in "JK":
            self._clear(text[0] == "J")
        return 1

    def _character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._line_feed()
        elif character == "\b":
            self._move(self.row, self.column - 1)
        elif character == "\t":
            self._move(self.row, (self.column // 8 + 1) * 8)
        elif character >= " ":
            self.cells[self.row][self.column] = character
            self._move(self.row, self.column + 1)

    def write(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            length = 1
            if text[0] == "\033":
                length = 1 + self._escape(text[1:]) if len(text) > 1 else 1
                if length == 1:
                    self.rest = text
                    return
            else:
                self._character(text[0])
            text = text[length:]


class Terminal:
    """A program on a terminal of its own. `bytes` is its whole output, `screen` the visible
    part."""

    def __init__(self, test, *command, rows=24, columns=80, **env):
        self.master, self.slave = os.openpty()
        test.addCleanup(self.close)
        os.set_blocking(self.master, False)
        self.screen = Screen(rows, columns)
        self.bytes = ""
        self.resize(rows, columns)
        self.attributes = termios.tcgetattr(self.slave)
        self.program = Program(test, command, stdout=self.slave, stderr=self.slave,
                               env=test.environment(**{"TERM": "vt52", **env}),
                               preexec_fn=self._take, start_new_session=True)

    def _take(self):
        os.dup2(self.slave, 0)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """Read all output so far. Returns the text of the screen."""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.master, 65536).decode(errors="replace"):
                self.bytes += part
                self.screen.write(part)
        return "\n".join(self.screen.lines())

    def wait(self, *words):
        """Wait until all these words are seen."""
        wait_for(lambda: f"{words} in\n{self.read()}",
                 lambda: all(word in self.read() for word in words))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """Wait for the end of the program. Returns its exit status."""
        def has_ended():
            self.read()  # otherwise the program would wait for room on the terminal
            return not self.program.runs

        wait_for(lambda: f"the end of the program\n{self.read()}", has_ended)
        self.read()
        return self.program.wait()

    def close(self):
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)
