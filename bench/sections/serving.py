# SPDX-License-Identifier: MIT
"""Measures connections per second, latency, and the processor time that a connection costs.

Each way is started once. Each round measures every way, in an order that is drawn anew, so that a
disturbance of the machine affects all ways. A closed loop begins a connection when another has
ended: it measures the rate that the way can serve. An open loop begins connections at fixed times,
whether others were answered or not, and measures latency from the due time: this is what a client
sees at a load that does not wait for the server.
"""

import contextlib
import random

from rig import load, processes, ways, world
from rig.processes import Failure

# Rates of connections begun in a second, by the language of the workers. A short run has only the
# first.
OPEN_RATES = {"C": (5000, 10000, 20000), "Node.js": (1000, 2000, 4000)}
OPEN_PLACES = 4096   # connections open at a time, at most


class Usage:
    """Processor time of a way's balancer and workers while something runs."""

    def __init__(self, way):
        self.way = way
        self.balancer, self.workers = way.balancer(), way.workers()
        self.before = self.now()

    def now(self):
        return processes.cpu_of(self.balancer), processes.cpu_of(self.workers)

    def since(self):
        """Return the seconds of (the balancer, the workers)."""
        after = self.now()
        if not all(map(processes.is_running, [*self.balancer, *self.workers])):
            raise Failure(f"{self.way.title}: a process of it ended")
        return [now - before for now, before in zip(after, self.before)]


class Measuring:
    """The ways that run, and their measurements."""

    def __init__(self, settings, figures, say):
        self.settings, self.figures, self.say = settings, figures, say
        self.running = []
        self.latencies = {}  # (title, rate; None: closed loop) -> latencies of all rounds

    def drop(self, way, why):
        """Stop measuring a way, and note why."""
        if way.is_ours:
            self.figures.fail(way.title, why)
        else:
            self.figures.leave_out(way.title, why)
        self.running = [each for each in self.running if each is not way]

    def start(self, directory, stack, every):
        for way in every:
            why = way.missing()
            if why:
                self.figures.leave_out(way.title, why)
                continue
            stack.callback(way.stop)
            try:
                way.start(directory)
                self.running.append(way)
            except Failure as error:
                self.drop(way, str(error))

    def each(self, turn, measure):
        """Call measure(way) for all ways that run, in another order in each turn."""
        for way in random.Random(turn).sample(self.running, len(self.running)):
            try:
                measure(way)
            except Failure as error:
                self.drop(way, str(error))

    # ---- One way, once

    def warm_up(self, way):
        settings = self.settings
        outcome = load.saturate(way.port, sources=settings.sources,
                                each=settings.warm_up // settings.sources + 1,
                                concurrency=settings.concurrency, deadline_s=60,
                                forwarded=way.forwarded)
        self.judge(way, outcome)

    def judge(self, way, outcome):
        if not outcome.answered:
            raise Failure(f"nobody was answered: {outcome}")
        if way.is_ours and outcome.unsticky:
            raise Failure(f"clients met another worker: {outcome}")

    def note(self, way, rate, outcome):
        self.judge(way, outcome)
        self.latencies.setdefault((way.title, rate), load.Latencies()).merge(outcome.latencies)
        parameters = {"rate": rate} if rate else {}
        for name, value in (("begun", outcome.begun), ("failed", outcome.failed),
                            ("unsticky", outcome.unsticky)):
            self.figures.add(name, "", way.title, value, **parameters)
        self.figures.add("p99_of_round", "us", way.title, outcome.latencies.at(0.99), **parameters)

    def closed(self, way):
        usage = Usage(way)
        outcome = load.saturate(way.port, sources=self.settings.sources,
                                concurrency=self.settings.concurrency,
                                seconds=self.settings.round_s, forwarded=way.forwarded)
        balancer, workers = usage.since()
        self.note(way, None, outcome)
        self.figures.add("connections_per_second", "1/s", way.title, outcome.per_second)
        for name, seconds in (("balancer_cpu", balancer), ("worker_cpu", workers),
                              ("client_cpu", outcome.cpu_seconds)):
            self.figures.add(name, "us", way.title, seconds / outcome.answered * 1e6)
        slots = outcome.slots()
        self.figures.add("fullest_worker", "%", way.title,
                         100 * max(slots.values()) / sum(slots.values()))

    def open(self, way, step):
        rate = OPEN_RATES[way.workers_in][step]
        outcome = load.run(way.port, sources=self.settings.sources, rate=rate,
                           concurrency=world.places(OPEN_PLACES), seconds=self.settings.round_s,
                           forwarded=way.forwarded)
        self.note(way, rate, outcome)
        self.figures.add("answered_per_second", "1/s", way.title, outcome.per_second, rate=rate)

    # ---- All ways

    def run(self):
        settings = self.settings
        self.each(0, self.warm_up)
        for turn in range(settings.rounds):
            self.say(f"closed loop, round {turn + 1} of {settings.rounds}")
            self.each(turn, self.closed)
        for turn in range(settings.open_rounds):
            self.say(f"fixed rates, round {turn + 1} of {settings.open_rounds}")
            for step in range(1 if settings.is_quick else 3):
                self.each(turn, lambda way, step=step: self.open(way, step))
        self.conclude()

    def conclude(self):
        """Add percentiles of all rounds together, so that a stall in one round is not lost."""
        for (title, rate), latencies in self.latencies.items():
            parameters = {"rate": rate} if rate else {}
            for name, share in load.PERCENTILES.items():
                self.figures.add(f"latency_{name}", "us", title, latencies.at(share), **parameters)


def run(settings, figures, say):
    measuring = Measuring(settings, figures, say)
    with world.directory() as directory, contextlib.ExitStack() as stack:
        measuring.start(directory, stack, ways.all_ways(settings.workers))
        measuring.run()
