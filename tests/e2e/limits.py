# SPDX-License-Identifier: MIT
"""Taking descriptors and processes away from a program that runs, and giving them back."""

import contextlib
import os
import pathlib
import resource
import subprocess
import time

from privilege import as_nobody
from world import wait_for

SETTLED_S = 0.05  # sockets that were replaced are closed 5 ms later
LOG_BYTES_MAX = 16 << 20  # of a program that complains without end: SIGXFSZ, and no full disk

# ---- What a program has and does --------------------------------------------------------


def descriptors(pid):
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def soft_limit(pid, name):
    """As /proc/PID/limits tells it: what the kernel goes by."""
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith(name):
            return line[len(name):].split()[0]
    raise AssertionError(name)


class Activity:
    """What a process has used from here on: a loop that spins is seen by it."""

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
        """Once so much time has passed: the share of a processor, and how often a second it
        went to sleep."""
        wait_for("time to pass", lambda: time.monotonic() > self.began[0] + seconds,
                 seconds + 5)
        passed = time.monotonic() - self.began[0]
        cpu, switches = self._look()
        return (cpu - self.began[1]) / passed, (switches - self.began[2]) / passed


# ---- Descriptors ------------------------------------------------------------------------


def settled_descriptors(pid):
    """What it has open once nothing of that changes any more."""
    last, since = None, 0

    def look():
        nonlocal last, since
        now = descriptors(pid)
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > SETTLED_S

    wait_for(lambda: f"descriptors to settle: {last}", look)
    return last


@contextlib.contextmanager
def few_descriptors(pid, free):
    """While the block runs, the program can have this many descriptors besides those that it
    has open. New ones get the lowest numbers, so that those count which are not in use."""
    former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    file_size = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    has = settled_descriptors(pid)
    limit = [number for number in range(len(has) + free + 1) if number not in has][free]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (LOG_BYTES_MAX, file_size[1]))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, former[1]))
    assert soft_limit(pid, "Max open files") == str(limit)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, former)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, file_size)


# ---- Processes --------------------------------------------------------------------------


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
