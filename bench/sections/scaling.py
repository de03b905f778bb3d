# SPDX-License-Identifier: MIT
"""Measures stickyctl with many slots, many clients, and many waiting connections.

    slots      number of workers of an instance: connections per second, the duration of a change of
               the table (also with waiting connections), the controller's memory, and its activity
               when nothing happens
    addresses  number of clients: connections per second
    waiting    number of connections that wait for a slot that is away, in its holding queue
               (kernel) or in the controller (user): connections per second of the others meanwhile,
               memory, and the time until all are answered once the slot is back
"""

import contextlib
import json
import subprocess
import time

from rig import load, processes, ways, world
from rig.processes import Failure
from rig.settings import BUILD

SLOTS = ((1, 8, 64, 256, 1024), (1, 64))        # full, quick
ADDRESSES = ((1, 1000, 1000000), (1, 50000))
HOLDING = ((0, 256, 1024, 4096), (0, 1024))
IN_HAND = ((0, 500, 5000), (0, 1000))
IDLE_S = (5, 1)
SETTLE_S = 0.5  # time for the effects of earlier actions to end
TABLE_SLOTS_MAX = 1023  # one less than the limit, as a slot is added
TABLE_WAITING = 4096
START_MANY_S = 60
BACK_S = 30

# Waiting clients come from 127.1/16, which is one key. The others come from a network of the other
# slot.
WAITING_NETWORK = 1
NETWORK_SIZE = 1 << 16
PREFIX = ("--v4-prefix", "16")
WAIT_LONG = ("--max-retries", "1000", "--retry-delay", "1s")


def pick(settings, pair):
    return pair[1 if settings.is_quick else 0]


def controller(title, port, workers, *options, **others):
    return ways.Stickyctl(title, port, workers, "--ready", "notify", *options, **others)


# ---- Slots -----------------------------------------------------------------------------


def measure_idle(settings, figures, way, **parameters):
    seconds = pick(settings, IDLE_S)
    time.sleep(SETTLE_S)
    before = processes.wake_ups(way.controller), processes.cpu_seconds(way.controller)
    time.sleep(seconds)  # nothing must happen in this time
    after = processes.wake_ups(way.controller), processes.cpu_seconds(way.controller)
    figures.add("idle_wake_ups", "1/s", "controller", (after[0] - before[0]) / seconds,
                **parameters)
    figures.add("idle_cpu", "ms/s", "controller", (after[1] - before[1]) * 1000 / seconds,
                **parameters)
    figures.add("memory", "MB", "controller", processes.memory_bytes(way.controller) / 1e6,
                **parameters)


def measure_table(settings, figures, slots, waiting):
    program = [BUILD / "bench" / "table", str(slots), str(3 * settings.scale_rounds), str(waiting)]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failure(f"table: {result.stderr}")
    for change, values in json.loads(result.stdout).items():
        for value in values:
            figures.add("table_change", "ms", change, value, slots=slots, waiting=waiting)


def measure_slots(settings, figures, slots):
    with world.directory() as directory, contextlib.ExitStack() as stack:
        way = controller(ways.KERNEL, 3000, slots, start_s=START_MANY_S)
        stack.callback(way.stop)
        way.start(directory)
        measure_idle(settings, figures, way, slots=slots)
        for _ in range(settings.scale_rounds):
            outcome = load.saturate(way.port, sources=max(settings.sources, 10 * slots),
                                    concurrency=settings.concurrency, seconds=settings.round_s)
            check(way, outcome)
            figures.add("scale_rate", "1/s", way.title, outcome.per_second, slots=slots)
    for waiting in (0, TABLE_WAITING):
        measure_table(settings, figures, min(slots, TABLE_SLOTS_MAX), waiting)


def check(way, outcome):
    if outcome.failed or outcome.unsticky:
        raise Failure(f"{way.title}: lost or moved connections: {outcome}")


# ---- Addresses --------------------------------------------------------------------------


def measure_addresses(settings, figures):
    """Measure sets of addresses. Each address comes at least once; those of a small set come again.
    A set of one address has one worker."""
    counts = pick(settings, ADDRESSES)
    with world.directory() as directory, contextlib.ExitStack() as stack:
        way = controller(ways.KERNEL, 3000, settings.workers)
        stack.callback(way.stop)
        way.start(directory)
        for _ in range(settings.scale_rounds):
            for addresses in counts:
                outcome = load.saturate(way.port, sources=addresses,
                                        each=max(1, 50000 // addresses),
                                        concurrency=settings.concurrency, deadline_s=300)
                check(way, outcome)
                figures.add("scale_rate", "1/s", way.title, outcome.per_second,
                            addresses=addresses)


# ---- Waiting connections ------------------------------------------------------------------


class Waiting:
    """An instance with two slots, one of which is away while its clients connect."""

    def __init__(self, settings, figures, way, where):
        self.settings, self.figures, self.way, self.where = settings, figures, way, where
        self.away = self.slot_of(WAITING_NETWORK)
        self.others = next(network for network in range(2, 250)
                           if self.slot_of(network) != self.away)

    def slot_of(self, network):
        answer = self.way.command_line("where", f"127.{network}.0.1", "--json")
        return json.loads(answer.stdout)["slot"]

    def order(self, command):
        result = self.way.command_line(command, self.away)
        if result.returncode:
            raise Failure(f"{command}: {result.stderr}")

    def begin(self, count):
        """Begin connections that wait. Return the program that makes them."""
        arguments = load.command(self.way.port, sources=count, deadline_s=600) + ["--hold"]
        return load.start(arguments)

    def wait_for_all(self, program, count):
        program.stdout.readline()  # the line says that all are connected
        processes.wait_until(lambda: self.way.status()["held"] >= count, "all to be held")

    def measure_others(self, count):
        outcome = load.run(self.way.port, sources=self.settings.sources,
                           skip=(self.others - WAITING_NETWORK) * NETWORK_SIZE,
                           concurrency=self.settings.concurrency, seconds=self.settings.round_s)
        check(self.way, outcome)
        self.figures.add("scale_rate", "1/s", self.way.title, outcome.per_second,
                         **{self.where: count})

    def come_back(self, program, count):
        began = time.monotonic()
        self.order("ready")
        outcome = load.Outcome([load.finish(program, BACK_S)])
        self.figures.add("released_ms", "ms", self.way.title, (time.monotonic() - began) * 1000,
                         **{self.where: count})
        check(self.way, outcome)

    def measure(self, count):
        self.order("drain")
        program = self.begin(count) if count else None
        try:
            if program:
                self.wait_for_all(program, count)
            self.measure_others(count)
            measure_idle(self.settings, self.figures, self.way, **{self.where: count})
            if program:
                self.come_back(program, count)
            else:
                self.order("ready")
        finally:
            if program and program.poll() is None:
                program.kill()
                program.communicate()
        processes.wait_until(lambda: all(worker["state"] == "ready" for worker in
                                         self.way.status()["workers"]), "the slot to be back")


def measure_waiting(settings, figures, title, where, counts, *options):
    with world.directory() as directory, contextlib.ExitStack() as stack:
        way = controller(title, 3000, 2, *PREFIX, *WAIT_LONG, *options)
        stack.callback(way.stop)
        way.start(directory)
        waiting = Waiting(settings, figures, way, where)
        for _ in range(settings.scale_rounds):
            for count in counts:
                waiting.measure(count)


def run(settings, figures, say):
    for slots in pick(settings, SLOTS):
        say(f"{slots} slots")
        measure_slots(settings, figures, slots)
    say("addresses")
    measure_addresses(settings, figures)
    say("waiting in a holding queue")
    measure_waiting(settings, figures, ways.KERNEL, "holding", pick(settings, HOLDING))
    say("waiting in the controller's hands")
    measure_waiting(settings, figures, ways.USER, "in_hand", pick(settings, IN_HAND),
                    "--steering", "user")
