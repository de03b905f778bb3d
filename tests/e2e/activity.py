# SPDX-License-Identifier: MIT
"""The processor time and the wake-ups of a running process."""

import os
import pathlib
import time

from world import wait_for


class Activity:
    """The resources that a process has used since this object was made. A loop that spins is seen
    there."""

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
        """Wait for this time. Returns the share of a processor that the process used, and how often
        it went to sleep in a second."""
        wait_for("time to pass", lambda: time.monotonic() > self.began[0] + seconds,
                 seconds + 5)
        passed = time.monotonic() - self.began[0]
        cpu, switches = self._look()
        return (cpu - self.began[1]) / passed, (switches - self.began[2]) / passed
