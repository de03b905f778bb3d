# SPDX-License-Identifier: MIT
"""What a running process uses: processor time and wake-ups."""

import os
import pathlib
import time

from world import wait_for


class Activity:
    """What a process has used since this object was made. A loop that spins shows in it."""

    TICKS = os.sysconf("SC_CLK_TCK")

    def __init__(self, pid):
        self.pid = pid
        self.began = time.monotonic(), *self._look()

    def _look(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        switches = 0
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            text = (task / "status").read_text()
            switches += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
        return (int(fields[11]) + int(fields[12])) / self.TICKS, switches

    def after(self, seconds):
        """Wait for this time. Returns the share of a processor, and how often a second the process
        went to sleep."""
        wait_for("time to pass", lambda: time.monotonic() > self.began[0] + seconds,
                 seconds + 5)
        passed = time.monotonic() - self.began[0]
        cpu, switches = self._look()
        return (cpu - self.began[1]) / passed, (switches - self.began[2]) / passed
