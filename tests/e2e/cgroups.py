# SPDX-License-Identifier: MIT
"""Cgroups with a limit, in which programs are started: of version 1 or 2, as the machine has them."""

import contextlib
import os
import pathlib
import time

from world import wait_for


def _parents(controller):
    """Directories in which a cgroup with such a limit may be made: version 1, then 2."""
    mounts = [line.split() for line in
              pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    own = [line.split(":", 2) for line in
           pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    for _, where, kind, options, *_ in mounts:
        if kind == "cgroup" and controller in options.split(","):
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


class Cgroup:
    """A new cgroup with a limit."""

    CONTROLLER = ""
    FILES = ()  # names of the file with the limit: of version 2, and of version 1 where it differs

    def __init__(self, path):
        self.path = path

    @property
    def file(self):
        return next(filter(pathlib.Path.exists, (self.path / name for name in self.FILES)), None)

    @classmethod
    def make(cls):
        """Make a cgroup. Returns None if this machine does not allow it."""
        for parent in _parents(cls.CONTROLLER):
            cgroup = cls(parent / f"sticky-e2e-{time.time_ns()}")
            with contextlib.suppress(OSError):
                cgroup.path.mkdir()
                if cgroup.file:
                    return cgroup
                cgroup.path.rmdir()
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
        self.file.write_text(f"{number}\n")


class DelegatedCgroup(Cgroup):
    """A new cgroup of version 2 without a limit, whose processes may divide it as with Delegate=."""

    FILES = ("cgroup.kill",)

    @classmethod
    def make(cls):
        cgroup = super().make()
        return cgroup.delegate() if cgroup else None

    @classmethod
    def make_below(cls, parent):
        """Make it where the limit of another one holds. Returns None if that is not possible."""
        control = parent.path / "cgroup.subtree_control"
        if not control.exists():
            return cls.make()  # the limit is of version 1: a process is in a cgroup of each
        control.write_text(f"+{parent.CONTROLLER}\n")
        cgroup = cls(parent.path / "below")
        cgroup.path.mkdir()
        return cgroup.delegate() if cgroup.file else None

    def delegate(self):
        """Mark it as systemd does. Returns it."""
        os.setxattr(self.path, "user.delegate", b"1")
        return self

    @property
    def below(self):
        """The names of the cgroups that were made in it."""
        return sorted(path.name for path in self.path.iterdir() if path.is_dir())

    def remove(self):
        def is_empty():
            for name in self.below:
                with contextlib.suppress(OSError):
                    (self.path / name).rmdir()
            return not self.below

        wait_for("the cgroups below to be empty", is_empty)
        super().remove()


class MemoryCgroup(Cgroup):
    """A new cgroup that limits the memory of its processes."""

    CONTROLLER, FILES = "memory", ("memory.max", "memory.limit_in_bytes")

    def limit(self, number):
        super().limit(number)
        with contextlib.suppress(OSError):  # version 2; version 1 counts both together
            (self.path / "memory.swap.max").write_text("0\n")
