# SPDX-License-Identifier: MIT
"""A reload every second, while clients come at half the rate that the way can take.

The rate is found first, by a closed loop of the same way; then an open loop begins connections at
half of it, and each second a reload is begun: where the former one is not over by then, once it is. A
connection counts as one of the reload if it was open at any time between its begin and its end; a
reload ends when the former workers have.
"""

import bisect
import contextlib
import os
import pathlib
import signal
import time

from rig import load, processes, ways, world
from rig.processes import Failure

PLACES = 8192       # connections open at a time, at most
RELOAD_EVERY_S = 1
RELOAD_MAX_S = 20
BUCKET_S = 0.1      # of the timeline
PYTHON_APPLICATION = pathlib.Path(__file__).resolve().parents[1] / "python"


class Reloadable:
    """Mixed into a way whose workers are replaced by a signal: over when none of them is left."""

    reload_signal = signal.SIGHUP

    def old_ones(self):
        return self.workers()

    def reload(self):
        before = set(self.old_ones())
        os.kill(self.main_process(), self.reload_signal)

        def replaced():
            now = set(self.old_ones())
            return len(now) >= len(before) and not now & before

        processes.wait_until(replaced, f"the reload of {self.title}", RELOAD_MAX_S)

    def main_process(self):
        return self.programs.running[-1].pid


class Gunicorn(Reloadable, ways.Way):
    """HUP: new workers, then the old ones are told to finish."""

    workers_in = "Python"
    is_sticky = False
    needs = ("gunicorn",)

    def begin(self):
        process = self.programs.start(
            ways.find_program("gunicorn"), "--workers", self.worker_count, "--bind",
            f"127.0.0.1:{self.port}", "--log-level", "warning", "app:application",
            cwd=PYTHON_APPLICATION, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.programs.wait_for_port(process, self.port)
        processes.wait_until(lambda: len(self.workers()) == self.worker_count, "its workers")

    def workers(self):
        return processes.children(self.main_process())


class HAProxy(Reloadable, ways.HAProxy):
    """USR2 to the master: a new process takes over the listening sockets; the workers stay."""

    reload_signal = signal.SIGUSR2

    def old_ones(self):
        return processes.children(self.main_process())


class Recluster(Reloadable, ways.NodePrimary):
    """recluster's reload(), which its documentation ties to USR2."""

    reload_signal = signal.SIGUSR2


def all_ways(settings):
    workers = settings.workers
    return [
        ways.Stickyctl(ways.KERNEL, 3000, workers, "--ready", "notify"),
        ways.StickyctlNode(ways.NODE, 3100, workers),
        HAProxy(ways.HAPROXY, 3200, workers, "93"),
        Gunicorn("gunicorn", 3300, workers),
        Recluster(ways.LISTEN, 3400, workers, "sticky-listen.js"),
    ]


def reload_under_load(way, running):
    """[(begin, end)] of the reloads, by time.monotonic()."""
    windows = []
    next_one = time.monotonic() + RELOAD_EVERY_S / 2
    while not running.is_over():
        now = time.monotonic()
        if now < next_one:
            time.sleep(min(next_one - now, 0.02))  # to see the load's end
            continue
        way.reload()
        windows.append((now, time.monotonic()))
        next_one = max(next_one + RELOAD_EVERY_S, time.monotonic())
    return windows


class Phases:
    """Latencies of connections, by whether a reload was under way."""

    def __init__(self, windows):
        self.windows = windows
        self.latencies = {"reload": [], "between": []}
        self.outcomes = {}
        self.timeline = []  # the longest latency of each BUCKET_S
        self.began = None

    def of(self, due, end):
        """Was a reload under way while it was open?"""
        index = bisect.bisect_right(self.windows, (end, float("inf"))) - 1
        return "reload" if index >= 0 and self.windows[index][1] >= due else "between"

    def add(self, due, latency_us, outcome):
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome != "answered":
            return
        self.latencies[self.of(due, due + latency_us / 1e6)].append(latency_us)
        self.began = due if self.began is None else min(self.began, due)
        bucket = max(0, int((due - self.began) / BUCKET_S))
        self.timeline += [0] * (bucket + 1 - len(self.timeline))
        self.timeline[bucket] = max(self.timeline[bucket], latency_us)


def percentile(values, share):
    """values ascending, not empty."""
    return values[min(len(values) - 1, int(len(values) * share))]


def note(figures, way, rate, outcome, phases):
    title = way.title
    figures.add("reload_rate", "1/s", title, rate)
    figures.add("reload_connections", "", title, outcome.begun)
    figures.add("reload_failed", "", title, outcome.failed)
    for kind, count in sorted(phases.outcomes.items()):
        if kind != "answered":
            figures.add("reload_failed_how", "", title, count, outcome=kind)
    for begin, end in phases.windows:
        figures.add("reload_ms", "ms", title, (end - begin) * 1000)
    for phase, latencies in phases.latencies.items():
        latencies.sort()
        if latencies:
            figures.add("reload_latency_p999", "us", title, percentile(latencies, 0.999),
                        phase=phase)
            figures.add("reload_latency_max", "us", title, latencies[-1], phase=phase)
    for longest in phases.timeline:
        figures.add("reload_timeline", "us", title, longest, bucket_s=BUCKET_S)


def measure(settings, figures, way, directory):
    saturated = load.run(way.port, sources=settings.sources, concurrency=settings.concurrency,
                         seconds=settings.reload_saturate_s)
    rate = max(1, int(saturated.per_second / 2))
    running = load.Running(way.port, directory / "trace", sources=settings.sources, rate=rate,
                           concurrency=PLACES, seconds=settings.reload_s)
    try:
        phases = Phases(reload_under_load(way, running))
        outcome = running.finish()
    finally:
        running.stop()
    for connection in running.connections():
        phases.add(*connection)
    if way.is_sticky and outcome.counts["unsticky"]:
        raise Failure(f"{way.title}: clients met another worker: {outcome.counts}")
    note(figures, way, rate, outcome, phases)


def run(settings, figures, say):
    for way in all_ways(settings):
        why = way.missing()
        if why:
            figures.leave_out(f"{way.title}, reload", why)
            continue
        say(f"reloads: {way.title}")
        with world.directory() as directory, contextlib.ExitStack() as stack:
            stack.callback(way.stop)
            way.start(directory)
            measure(settings, figures, way, directory)
