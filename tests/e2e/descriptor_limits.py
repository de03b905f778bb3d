# SPDX-License-Identifier: MIT
"""Takes file descriptors away from a running program, and gives them back."""

import contextlib
import os
import resource
import time

from process_limits import soft_limit
from world import wait_for

SETTLED_S = 0.05  # sockets that were replaced are closed 5 ms later
# limit for a program that logs without end: it gets SIGXFSZ, and the disk does not fill up
LOG_BYTES_MAX = 16 << 20


def descriptors(pid):
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def settled_descriptors(pid):
    """Returns the descriptors that the program has open, once they do not change any more."""
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
    """Let the program open only this many more descriptors while the block runs. Yields how many it
    has open. New descriptors get the lowest free numbers, so the limit takes gaps into account."""
    previous = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    file_size = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    has = settled_descriptors(pid)
    limit = [number for number in range(len(has) + free + 1) if number not in has][free]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (LOG_BYTES_MAX, file_size[1]))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, previous[1]))
    assert soft_limit(pid, "Max open files") == str(limit)
    try:
        yield len(has)
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, previous)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, file_size)
