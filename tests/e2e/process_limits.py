# SPDX-License-Identifier: MIT
"""Limits the number of processes of a running program, by resource limits and cgroups."""

import contextlib
import pathlib
import subprocess
import time

from privilege import as_nobody
from world import wait_for


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


def set_nproc_of_nobody(pid, soft):
    set_nproc(pid, soft, as_nobody())


def _pids_parents():
    """Directories in which a cgroup with a limit of processes may be made: version 1, then 2."""
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
            # A cgroup of version 2 can't limit its children while it contains a process, such as
            # this one. Its parents may.
            while here != pathlib.Path(where):
                yield here
                here = here.parent
            yield here


class PidsCgroup:
    """A new cgroup that limits the number of its processes."""

    def __init__(self, path):
        self.path = path

    @classmethod
    def make(cls):
        """Make a cgroup. Returns None if this machine does not allow it."""
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
        """The beginning of a command line that runs a command in the cgroup."""
        return ["sh", "-c", f'echo 0 > {self.path}/cgroup.procs; exec "$@"', "sh"]

    def limit(self, number):
        (self.path / "pids.max").write_text(f"{number}\n")

    @property
    def refusals(self):
        """The number of forks that the kernel has refused in this cgroup."""
        words = (self.path / "pids.events").read_text().split()
        return int(words[words.index("max") + 1])
