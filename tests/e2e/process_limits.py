# SPDX-License-Identifier: MIT
"""How many processes a program that runs may have: resource limits and cgroups."""

import contextlib
import pathlib
import subprocess
import time

from privilege import as_nobody
from world import wait_for


def soft_limit(pid, name):
    """As /proc/PID/limits tells it: what the kernel goes by."""
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith(name):
            return line[len(name):].split()[0]
    raise AssertionError(name)


def set_nproc(pid, soft, prefix=()):
    """RLIMIT_NPROC of a process. Who lacks CAP_SYS_RESOURCE must be its user: `prefix`."""
    subprocess.run([*prefix, "prlimit", "--pid", str(pid), f"--nproc={soft}:"], check=True)
    assert soft_limit(pid, "Max processes") == str(soft)


def set_nproc_of_nobody(pid, soft):
    set_nproc(pid, soft, as_nobody())


def _pids_parents():
    """Where a cgroup with a limit of processes may be made: version 1, then 2."""
    mounts = [line.split() for line in
              pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    own = [line.split(":", 2) for line in
           pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    for _, where, kind, options, *_ in mounts:
        if kind == "cgroup" and "pids" in options.split(","):
            yield pathlib.Path(where)
        elif kind == "cgroup2":
            path = next((path for number, _, path in own if number == "0"), "/")
            here = pathlib.Path(where + path)
            # Below its own cgroup nothing can be limited while we are in it: its parents.
            while here != pathlib.Path(where):
                yield here
                here = here.parent
            yield here


class PidsCgroup:
    """A cgroup of our own whose processes are limited."""

    def __init__(self, path):
        self.path = path

    @classmethod
    def make(cls):
        """None where this machine lets us have none."""
        for parent in _pids_parents():
            path = parent / f"sticky-e2e-{time.time_ns()}"
            with contextlib.suppress(OSError):
                path.mkdir()
                if (path / "pids.max").exists():
                    return cls(path)
                path.rmdir()
        return None

    def remove(self):
        def try_to():
            with contextlib.suppress(OSError):
                self.path.rmdir()
            return not self.path.exists()

        wait_for("the cgroup to be empty", try_to)

    @property
    def prefix(self):
        """Of a command, to run it in there."""
        return ["sh", "-c", f'echo 0 > {self.path}/cgroup.procs; exec "$@"', "sh"]

    def limit(self, number):
        (self.path / "pids.max").write_text(f"{number}\n")

    @property
    def refusals(self):
        """How many forks the kernel has refused here."""
        words = (self.path / "pids.events").read_text().split()
        return int(words[words.index("max") + 1])
