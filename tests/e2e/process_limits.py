# SPDX-License-Identifier: MIT
"""Limits the number of processes of a running program, by resource limits and cgroups."""

import pathlib
import subprocess

from cgroups import Cgroup


def soft_limit(pid, name):
    """A soft limit as in /proc/PID/limits, which is the one that the kernel uses."""
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith(name):
            return line[len(name):].split()[0]
    raise AssertionError(name)


def set_nproc(pid, soft, prefix=()):
    """Set RLIMIT_NPROC of a process. Without CAP_SYS_RESOURCE this needs the process's user:
    `prefix`."""
    subprocess.run([*prefix, "prlimit", "--pid", str(pid), f"--nproc={soft}:"], check=True)
    assert soft_limit(pid, "Max processes") == str(soft)


class PidsCgroup(Cgroup):
    """A new cgroup that limits the number of its processes."""

    CONTROLLER, FILES = "pids", ("pids.max",)

    @property
    def refusals(self):
        """The number of forks that the kernel has refused in this cgroup."""
        words = (self.path / "pids.events").read_text().split()
        return int(words[words.index("max") + 1])
