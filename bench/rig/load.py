# SPDX-License-Identifier: MIT
"""The load generator, tests/clients, and what it says."""

import json
import pathlib
import subprocess

from .processes import Failure, spawn
from .settings import CLIENTS, CPUS

PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1}


class Latencies:
    """How many connections had which latency, in us, to 1/32 of it; those of several runs can be
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
        """The smallest that this share of them did not exceed."""
        rank = share * self.total
        seen = 0
        for us in sorted(self.counts):
            seen += self.counts[us]
            if seen >= rank:
                return us
        raise Failure("nobody was answered")


class Outcome:
    """Of a run, by one or several generators: how connections ended, rates, latencies."""

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
        """How many each worker answered."""
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
    """rate: begun in a second, whether answered or not; else as fast as they end, `concurrency`
    at a time. seconds: for how long; each: or so many connections of each source. skip: addresses
    that are left out in front of theirs. forwarded: as a proxy that tells of another client."""
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
    """What it said, read."""
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
    """Load by one generator, until it is over."""
    return Outcome([finish(start(command(port, **options)))])


def saturate(port, *, sources, concurrency, **options):
    """A closed loop by as many generators as there are processors, so that none of them is what
    limits the rate; together they are as many clients, and as many connections at a time."""
    generators = min(CPUS, concurrency, sources)
    own = [share(sources, generators, index) for index in range(generators)]
    running = [start(command(port, sources=own[index], skip=sum(own[:index]) or None,
                             concurrency=share(concurrency, generators, index), **options))
               for index in range(generators)]
    return Outcome([finish(process) for process in running])


def share(total, parts, index):
    """Of so many parts, as even as they can be."""
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
        """Of each: (when it was due, by time.monotonic(); its latency in us; how it ended)."""
        with open(self.trace, encoding="ascii") as lines:
            for line in lines:
                due, latency, outcome = line.split()
                yield int(due) / 1e6, int(latency), outcome
