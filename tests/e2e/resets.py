# SPDX-License-Identifier: MIT
"""The resets that the kernel sent, counted by their reasons: the tracepoint tcp:tcp_send_reset.

    with ResetTrace(address, port) as trace:
        ...
    print(trace.counts)     # or trace.why_not, if there is no such trace

The trace covers the whole machine, in an instance of tracefs of its own. Only resets that the
server at this address and port has sent are counted.
"""

import collections
import contextlib
import os
import pathlib
import re
import subprocess
import threading

# This variable is set where a kernel must not change its own code while it runs: an emulated
# processor of several threads may run half of the change, and the kernel panics (seen with Linux
# 5.15 in qemu).
NO_TRACE = "STICKY_TEST_NO_TRACE"
TRACEFS = pathlib.Path("/sys/kernel/tracing")
INSTANCES = TRACEFS / "instances"
PREFIX = "sticky-test-"
BUFFER_KB = 4096  # for each processor
PAUSE_S = 0.05  # between two reads of the buffer
TRIES = 10


def mount_tracefs():
    """Mount tracefs in the mount namespace of the test. Returns why that is not possible, or
    None."""
    if INSTANCES.is_dir():
        return None
    result = subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACEFS], text=True,
                            capture_output=True)
    return f"no tracefs: {result.stderr.strip()}" if result.returncode else None


def remove_abandoned():
    """Remove trace instances of tests that were killed. The kernel keeps an instance whose trace is
    open."""
    for path in INSTANCES.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            path.rmdir()


def pattern_of(address, port):
    """Returns a pattern for the line of the trace about a reset of that server, in the form before
    Linux 6.9 and in the form since then."""
    address = re.escape(address)
    server = rf"(?: src={address}:{port} | sport={port} .*saddr={address} )"
    return re.compile(rf"tcp_send_reset:.*{server}.*?state=(\w+)(?: reason=(\w+))?")


class ResetTrace:
    """A trace of resets. counts: how many resets there were, by "REASON in STATE". lost: number of
    events that the reader of the trace missed. why_not: why there is no trace, or None."""

    def __init__(self, address, port):
        self.pattern = pattern_of(address, port)
        self.counts = collections.Counter()
        self.lost = 0
        self.why_not = None
        self.stopping = threading.Event()

    def __enter__(self):
        self.why_not = self._open()
        if not self.why_not:
            self.reader = threading.Thread(target=self._read)
            self.reader.start()
        return self

    def __exit__(self, *exception):
        if self.why_not:
            return
        self.stopping.set()
        self.reader.join()
        (self.path / "events/tcp/tcp_send_reset/enable").write_text("0")
        os.close(self.pipe)
        self.path.rmdir()

    def _open(self):
        """Open the trace. Returns why there is none, or None."""
        if os.environ.get(NO_TRACE):
            return f"{NO_TRACE} is set"
        if why_not := mount_tracefs():
            return why_not
        if not (TRACEFS / "events/tcp/tcp_send_reset").is_dir():
            return "no tracepoint tcp:tcp_send_reset"
        remove_abandoned()
        for number in range(TRIES):
            self.path = INSTANCES / f"{PREFIX}{os.urandom(4).hex()}"
            self.path.mkdir()
            # Another test may have removed the instance: it counts as abandoned until its trace is
            # open.
            with contextlib.suppress(FileNotFoundError):
                self.pipe = os.open(self.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
                break
        else:
            return "other tests removed the trace"
        (self.path / "buffer_size_kb").write_text(str(BUFFER_KB))
        (self.path / "events/tcp/tcp_send_reset/enable").write_text("1")
        return None

    def _read(self):
        is_last = False
        while not is_last:
            is_last = self.stopping.wait(PAUSE_S)
            self._count(self._drain())

    def _drain(self):
        parts = []
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.pipe, 65536):
                parts.append(part)
        return b"".join(parts).decode(errors="replace")

    def _count(self, text):
        for state, reason in self.pattern.findall(text):
            self.counts[f"{reason or 'unknown reason'} in {state}"] += 1
        self.lost += sum(map(int, re.findall(r"\[LOST (\d+) EVENTS\]", text)))

    def describe(self):
        """Returns the counts in a few words."""
        if self.why_not:
            return f"resets not counted: {self.why_not}"
        words = [f"{count} {what}" for what, count in self.counts.most_common()] or ["none"]
        words += [f"{self.lost} events of the trace were lost"] if self.lost else []
        return "resets of the server: " + ", ".join(words)
