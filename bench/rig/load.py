# SPDX-License-Identifier: MIT
"""The load generator, tests/clients, and what it says."""

import json
import pathlib
import subprocess

from .processes import Failure
from .settings import CLIENTS


class Outcome:
    """Of one run: counts of connections by how they ended, rates, latencies."""

    def __init__(self, counts):
        self.counts = counts
        self.begun = counts["connections"] + counts["not_begun"]
        self.answered = counts["answered"]
        self.failed = self.begun - self.answered
        self.per_second = counts["per_second"]

    def latency_us(self, percentile):
        """percentile: "p50", "p99", "p999", "max"."""
        return self.counts["latency_us"][percentile]

    @property
    def unsticky_percent(self):
        return 100 * self.counts["unsticky"] / max(1, self.answered)


def command(port, *, sources, skip=None, concurrency=None, rate=None, seconds=None, each=None,
            deadline_s=None, http=True, trace=None):
    """rate: begun in a second, whether answered or not; else as fast as they end, `concurrency`
    at a time. seconds: for how long; each: or so many connections of each source. skip: addresses
    that are left out in front of theirs."""
    options = {"--sources": sources, "--skip": skip, "--concurrency": concurrency, "--rate": rate,
               "--duration": seconds, "--connections": each, "--trace": trace,
               "--deadline": deadline_s}
    return [str(CLIENTS), "--target", f"127.0.0.1:{port}", *(["--http"] if http else []),
            *(str(part) for name, value in options.items() if value is not None
              for part in (name, value))]


def read(text, what):
    try:
        return Outcome(json.loads(text.splitlines()[-1]))
    except (IndexError, ValueError) as error:
        raise Failure(f"{what}: {error}") from error


def run(port, **options):
    """Load, until it is over."""
    arguments = command(port, **options)
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return read(result.stdout, f"{' '.join(arguments)}: {result.stderr}")


class Running:
    """Load that goes on while something is done to the server; its trace is kept."""

    def __init__(self, port, trace, **options):
        self.trace = pathlib.Path(trace)
        self.arguments = command(port, trace=trace, **options)
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def is_over(self):
        return self.process.poll() is not None

    def finish(self):
        output, errors = self.process.communicate()
        return read(output, f"{' '.join(self.arguments)}: {errors}")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def connections(self):
        """Of each: (when it was due, by time.monotonic(); its latency in us; how it ended)."""
        with open(self.trace, encoding="ascii") as lines:
            for line in lines:
                due, latency, outcome = line.split()
                yield int(due) / 1e6, int(latency), outcome
