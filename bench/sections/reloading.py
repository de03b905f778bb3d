# SPDX-License-Identifier: MIT
"""Measures a reload every second, while clients come at half the rate that the way can serve.

The rate is found first, by a closed loop of the same way. Then an open loop begins connections at
half of that rate, and a reload begins each second, or when the previous one is over. A reload is
over when none of the previous processes is left. A connection counts as one of the reload if it was
open at any time of it. The ways take turns, in an order that is drawn anew.
"""

import bisect
import contextlib
import os
import pathlib
import signal
import time

from rig import load, processes, ways, world
from sections.serving import Measuring

PLACES = 8192       # connections open at a time, at most
RELOAD_EVERY_S = 1
RELOAD_MAX_S = 20
LOOK_S = 0.05       # period of looking whether processes of others have ended
BUCKET_S = 0.1      # width of a step of the timeline
PHASES = ("reload", "between")
CRASHED = "Segmentation fault"  # printed by HAProxy's master about its processes
PYTHON_APPLICATION = pathlib.Path(__file__).resolve().parents[1] / "python"


class Reloadable:
    """A base class of ways whose processes are replaced at a signal."""

    reload_signal = signal.SIGHUP

    def old_ones(self):
        return self.workers()

    def reload(self):
        before = set(self.old_ones())
        os.kill(self.main_process(), self.reload_signal)

        def replaced():
            now = set(self.old_ones())
            return len(now) >= len(before) and not now & before

        processes.wait_until(replaced, "a reload", RELOAD_MAX_S, LOOK_S)

    def main_process(self):
        return self.programs.running[-1].pid


class Gunicorn(Reloadable, ways.Way):
    """gunicorn. At HUP it starts new workers, and then tells the previous ones to finish."""

    workers_in = "Python"
    is_sticky = False
    needs = ("gunicorn",)

    def begin(self):
        process = self.programs.start(
            ways.find_program("gunicorn"), "--workers", self.worker_count, "--bind",
            f"127.0.0.1:{self.port}", "--backlog", "4096", "--log-level", "warning",
            "app:application", cwd=PYTHON_APPLICATION,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.programs.wait_for_port(process, self.port)
        processes.wait_until(lambda: len(self.workers()) == self.worker_count, "its workers")

    def workers(self):
        return processes.children(self.main_process())


class HAProxy(Reloadable, ways.HAProxy):
    """HAProxy. At USR2 a new process takes over the listening sockets; the workers stay."""

    reload_signal = signal.SIGUSR2

    def old_ones(self):
        return processes.children(self.main_process())


class Recluster(Reloadable, ways.NodePrimary):
    """recluster. At USR2 it calls reload(), as its documentation suggests."""

    reload_signal = signal.SIGUSR2


def all_ways(settings):
    workers = settings.workers
    return [
        ways.Stickyctl(ways.KERNEL, 3000, workers, "--ready", "notify"),
        ways.StickyctlNode(ways.NODE, 3100, workers),
        HAProxy(ways.HAPROXY, 3200, workers),
        Gunicorn("gunicorn", 3300, workers),
        Recluster(ways.LISTEN, 3400, workers, "sticky-listen.js"),
    ]


def reload_under_load(way, running):
    """Reload again and again. Return [(begin, end)] of the reloads, by time.monotonic()."""
    windows = []
    next_one = time.monotonic() + RELOAD_EVERY_S / 2
    while not running.is_over():
        now = time.monotonic()
        if now < next_one:
            time.sleep(min(next_one - now, 0.02))  # short, to see when the load is over
            continue
        way.reload()
        windows.append((now, time.monotonic()))
        next_one = max(next_one + RELOAD_EVERY_S, time.monotonic())
    return windows


class Phases:
    """Connections in two phases: those that were open during a reload, and the others."""

    def __init__(self):
        self.latencies = {phase: load.Latencies() for phase in PHASES}
        self.failed = {phase: 0 for phase in PHASES}
        self.timeline = []  # the longest latency of each BUCKET_S, answered or not
        self.reloads = []   # durations in s

    def add(self, windows, connections):
        """Add the connections of a turn. connections: [(due, latency in us, outcome)]."""
        began = min((due for due, _, _ in connections), default=0)
        offset = len(self.timeline)
        self.reloads += [end - begin for begin, end in windows]
        for due, latency_us, outcome in connections:
            phase = phase_of(windows, due, due + latency_us / 1e6)
            if outcome == "answered":
                self.latencies[phase].add([(latency_us, 1)])
            else:
                self.failed[phase] += 1
            self.draw(offset + int((due - began) / BUCKET_S), latency_us)

    def draw(self, bucket, latency_us):
        self.timeline += [0] * (bucket + 1 - len(self.timeline))
        self.timeline[bucket] = max(self.timeline[bucket], latency_us)


def phase_of(windows, due, end):
    """Return the phase of a connection. windows: ascending, none within another."""
    index = bisect.bisect_right(windows, (end, float("inf"))) - 1
    return "reload" if index >= 0 and windows[index][1] >= due else "between"


class Reloading(Measuring):
    """Measures the ways as serving does, with a reload every second."""

    def __init__(self, settings, figures, say, directory):
        super().__init__(settings, figures, say)
        self.trace = directory / "trace"
        self.rates, self.phases, self.outcomes = {}, {}, {}

    def half_of_what_it_can(self, way):
        if way.title not in self.rates:
            self.warm_up(way)
            saturated = load.saturate(way.port, sources=self.settings.sources,
                                      concurrency=self.settings.concurrency,
                                      seconds=self.settings.reload_saturate_s)
            self.rates[way.title] = max(1, int(saturated.per_second / 2))
        return self.rates[way.title]

    def turn(self, way):
        settings = self.settings
        running = load.Running(way.port, self.trace, sources=settings.sources,
                               rate=self.half_of_what_it_can(way),
                               concurrency=world.places(PLACES),
                               seconds=settings.reload_s / settings.reload_turns)
        try:
            windows = reload_under_load(way, running)
            outcome = running.finish()
        finally:
            running.stop()
        self.judge(way, outcome)
        self.outcomes.setdefault(way.title, []).append(outcome)
        self.phases.setdefault(way.title, Phases()).add(windows, list(running.connections()))

    def conclude(self):
        for way in self.running:
            self.note_way(way)

    def note_way(self, way):
        figures, title, phases = self.figures, way.title, self.phases[way.title]
        outcomes = self.outcomes[title]
        figures.add("reload_rate", "1/s", title, self.rates[title])
        figures.add("reload_connections", "", title, sum(each.begun for each in outcomes))
        figures.add("reload_moved", "", title, sum(each.unsticky for each in outcomes))
        figures.add("reload_crashes", "", title,
                    sum(text.count(CRASHED) for text in way.programs.printed()))
        figures.add("reload_not_begun", "", title,
                    sum(each.failed_how.get("not_begun", 0) for each in outcomes))
        for seconds in phases.reloads:
            figures.add("reload_ms", "ms", title, seconds * 1000)
        for phase in PHASES:
            figures.add("reload_failed", "", title, phases.failed[phase], phase=phase)
            if phases.latencies[phase].total:
                for name, share in (("p999", 0.999), ("max", 1)):
                    figures.add(f"reload_latency_{name}", "us", title,
                                phases.latencies[phase].at(share), phase=phase)
        for longest in phases.timeline:
            figures.add("reload_timeline", "us", title, longest, bucket_s=BUCKET_S)


def run(settings, figures, say):
    with world.directory() as directory, contextlib.ExitStack() as stack:
        measuring = Reloading(settings, figures, say, directory)
        measuring.start(directory, stack, all_ways(settings))
        for turn in range(settings.reload_turns):
            def measure(way, turn=turn):
                say(f"reloads, turn {turn + 1} of {settings.reload_turns}: {way.title}")
                measuring.turn(way)

            measuring.each(turn, measure)
        measuring.conclude()
