# SPDX-License-Identifier: MIT
"""Taking file descriptors away from a program that runs, and giving them back."""

import contextlib
import os
import resource
import time

from process_limits import soft_limit
from world import wait_for

SETTLED_S = 0.05  # sockets that were replaced are closed 5 ms later
LOG_BYTES_MAX = 16 << 20  # of a program that complains without end: SIGXFSZ, and no full disk


def descriptors(pid):
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


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
    previous = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    file_size = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    has = settled_descriptors(pid)
    limit = [number for number in range(len(has) + free + 1) if number not in has][free]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (LOG_BYTES_MAX, file_size[1]))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, previous[1]))
    assert soft_limit(pid, "Max open files") == str(limit)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, previous)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, file_size)
