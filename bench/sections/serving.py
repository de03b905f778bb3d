# SPDX-License-Identifier: MIT
"""Connections per second, latency, and what the balancer's processor time is for each connection.

Each way is started once. Each round measures every way, in an order that turns, so that whatever
disturbs the machine disturbs all. A closed loop begins a connection when another has ended: what the
way can do. An open loop begins them at fixed times, whether others were answered or not, and counts
latency from when they were due: what a client sees at a load that does not wait for the server.
"""

import contextlib

from rig import load, processes, ways, world
from rig.processes import Failure

# Connections begun in a second, by whom the workers are written in. In the short run the first.
OPEN_RATES = {"C": (5000, 15000, 25000), "Node.js": (2000, 5000, 10000)}
WARM_UP = 5000  # connections before the first round: a just-in-time compiler needs them
OPEN_PLACES = 4096  # open at a time, at most
PERCENTILES = {"p50": "latency_p50", "p99": "latency_p99", "p999": "latency_p999"}


def turned(items, turn):
    shift = turn % len(items)
    return items[shift:] + items[:shift]


class Usage:
    """Processor time of a way's balancer and workers while something runs."""

    def __init__(self, way):
        self.way = way
        self.balancer, self.workers = way.balancer(), way.workers()
        self.before = self.now()

    def now(self):
        return processes.cpu_of(self.balancer), processes.cpu_of(self.workers)

    def since(self):
        """Seconds: (the balancer's, the workers')."""
        return [after - before for after, before in zip(self.now(), self.before)]


def note(figures, way, outcome, **parameters):
    if not outcome.answered:
        raise Failure(f"{way.title}: nobody was answered: {outcome.counts}")
    for percentile, name in PERCENTILES.items():
        figures.add(name, "us", way.title, outcome.latency_us(percentile), **parameters)
    figures.add("failed", "", way.title, outcome.failed, **parameters)
    figures.add("moved_clients", "%", way.title, outcome.unsticky_percent, **parameters)
    if way.is_sticky and outcome.counts["unsticky"]:
        raise Failure(f"{way.title}: clients met another worker: {outcome.counts}")


def measure_closed(settings, figures, way):
    usage = Usage(way)
    outcome = load.run(way.port, sources=settings.sources, concurrency=settings.concurrency,
                       seconds=settings.round_s)
    balancer, workers = usage.since()
    note(figures, way, outcome, loop="closed")
    figures.add("connections_per_second", "1/s", way.title, outcome.per_second)
    figures.add("balancer_cpu", "us", way.title, balancer / outcome.answered * 1e6)
    figures.add("worker_cpu", "us", way.title, workers / outcome.answered * 1e6)


def measure_open(settings, figures, way, rate):
    outcome = load.run(way.port, sources=settings.sources, rate=rate, concurrency=OPEN_PLACES,
                       seconds=settings.round_s)
    note(figures, way, outcome, loop="open", rate=rate)


def run_rounds(settings, figures, running, say):
    for way in running:
        load.run(way.port, sources=settings.sources, each=WARM_UP // settings.sources or 1,
                 concurrency=settings.concurrency, deadline_s=60)
    for turn in range(settings.rounds):
        say(f"closed loop, round {turn + 1} of {settings.rounds}")
        for way in turned(running, turn):
            measure_closed(settings, figures, way)
    steps = 1 if settings.is_quick else 3
    for turn in range(settings.open_rounds):
        say(f"fixed rates, round {turn + 1} of {settings.open_rounds}")
        for step in range(steps):
            for way in turned(running, turn):
                measure_open(settings, figures, way, OPEN_RATES[way.workers_in][step])


def start(figures, directory, stack, every):
    """Those that could be started; the others are named, with the reason."""
    running = []
    for way in every:
        why = way.missing()
        if why:
            figures.leave_out(way.title, why)
            continue
        stack.callback(way.stop)
        way.start(directory)
        running.append(way)
    return running


def run(settings, figures, say):
    with world.directory() as directory, contextlib.ExitStack() as stack:
        running = start(figures, directory, stack, ways.all_ways(settings.workers))
        run_rounds(settings, figures, running, say)
