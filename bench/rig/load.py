# SPDX-License-Identifier: MIT
"""Runs the load generator, tests/clients, and reads its output."""

import json
import pathlib
import subprocess

from .processes import Failure, spawn
from .settings import CLIENTS, CPUS

PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1}


class Latencies:
    """The number of connections of each latency, in us, to 1/32 of it. Those of several runs can be
    added."""

    def __init__(self, histogram=()):
        self.counts = {}
        self.add(histogram)

    def add(self, histogram):
        """histogram: [(us, count)]."""
        for us, count in histogram:
            self.counts[us] = self.counts.get(us, 0) + count

    def merge(self, other):
        self.add(other.counts.items())

    @property
    def total(self):
        return sum(self.counts.values())

    def at(self, share):
        """Return the smallest latency that this share of the connections did not exceed."""
        rank = share * self.total
        seen = 0
        for us in sorted(self.counts):
            seen += self.counts[us]
            if seen >= rank:
                return us
        raise Failure("nobody was answered")


class Outcome:
    """The result of one or several generators: how connections ended, rates, latencies."""

    def __init__(self, parts):
        def total(name):
            return sum(part[name] for part in parts)

        self.parts = parts
        self.begun = total("connections") + total("not_begun")
        self.answered = total("answered")
        self.failed = self.begun - self.answered
        self.failed_how = {name: total(name) for name in (
            "refused", "reset", "timeout", "empty", "other_errors", "not_begun") if total(name)}
        self.unsticky = total("unsticky")
        self.per_second = total("per_second")
        self.cpu_seconds = total("cpu_seconds")
        self.latencies = Latencies()
        for part in parts:
            self.latencies.add(part["histogram"])

    def slots(self):
        """Return how many connections each worker answered."""
        counts = {}
        for part in self.parts:
            for slot, count in part["per_slot"].items():
                counts[slot] = counts.get(slot, 0) + count
        return counts

    def __str__(self):
        return f"{self.begun} connections, {self.answered} answered, {self.unsticky} by another " \
               f"worker, {self.failed_how or 'none failed'}"


def command(port, *, sources, skip=None, concurrency=None, rate=None, seconds=None, each=None,
            deadline_s=None, forwarded=False, trace=None):
    """Return a generator's command line.

    rate       connections to begin in a second, whether others were answered or not; without it a
               connection begins when another one ends, `concurrency` at a time
    seconds    duration; or `each`: number of connections of each source
    skip       number of addresses that are left out before the first one
    forwarded  connect as a proxy that names another client
    """
    options = {"--sources": sources, "--skip": skip, "--concurrency": concurrency, "--rate": rate,
               "--duration": seconds, "--connections": each, "--trace": trace,
               "--deadline": deadline_s}
    return [str(CLIENTS), "--target", f"127.0.0.1:{port}",
            "--forwarded" if forwarded else "--http",
            *(str(part) for name, value in options.items() if value is not None
              for part in (name, value))]


def start(arguments):
    return spawn(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, seconds=None):
    """Wait for a generator, and return its output, read from JSON."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise Failure(f"{' '.join(process.args)}: not over within {seconds} s") from None
    try:
        return json.loads(output.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise Failure(f"{' '.join(process.args)}: {errors.strip() or error}") from error


def run(port, **options):
    """Run one generator until it ends."""
    return Outcome([finish(start(command(port, **options)))])


def saturate(port, *, sources, concurrency, **options):
    """Run a closed loop by as many generators as there are processors, so that no generator limits
    the rate. Together they have `sources` clients, and `concurrency` connections at a time."""
    generators = min(CPUS, concurrency, sources)
    own = [share(sources, generators, index) for index in range(generators)]
    running = [start(command(port, sources=own[index], skip=sum(own[:index]) or None,
                             concurrency=share(concurrency, generators, index), **options))
               for index in range(generators)]
    return Outcome([finish(process) for process in running])


def share(total, parts, index):
    """Return one of `parts` parts of a total, which are as even as possible."""
    return total // parts + (index < total % parts)


class Running:
    """Load that goes on while something is done to the server; its trace is kept."""

    def __init__(self, port, trace, **options):
        self.trace = pathlib.Path(trace)
        self.process = start(command(port, trace=trace, **options))

    def is_over(self):
        return self.process.poll() is not None

    def finish(self):
        return Outcome([finish(self.process)])

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def connections(self):
        """Yield for each: (due time, by time.monotonic(); latency in us; how it ended)."""
        with open(self.trace, encoding="ascii") as lines:
            for line in lines:
                due, latency, outcome = line.split()
                yield int(due) / 1e6, int(latency), outcome
