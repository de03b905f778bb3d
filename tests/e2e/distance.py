# SPDX-License-Identifier: MIT
"""The common part of the tests over a distance: operations on an instance follow each other without
a pause, while clients connect through a delay line."""

import dataclasses
import subprocess
import time

from delay import DelayLine
from lifecycle import LifecycleTestCase
from programs import STICKYCTL, WORKER
from resets import ResetTrace
from world import DEADLINE_S, scaled

SLOTS = 2
RATE = 1000  # connections begun in a second
# The load is stopped after the operations. Otherwise it ends by itself, this much later.
SPARE_S = 120
READY_BY = ("--ready", "notify", "--min-uptime", "5ms", "--max-retries", str(scaled(20)))

NODE_SERVER = """
require('http').createServer((request, response) =>
  response.end(`slot=${process.env.STICKY_SLOT} gen=${process.env.STICKY_GENERATION}\\n`))
  .listen(%d, '%s');
"""


# ---- The workers: each function gives the words of `stickyctl start` behind -w ------------------


def drains(_, line):
    """A worker that at its stop signal closes its listening socket, and serves the connections that
    it has accepted."""
    return (*line.listen, *READY_BY, "--", WORKER, "--notify")


def stops_at_once(_, line):
    """A worker that ends at its stop signal, even if it has accepted connections."""
    return (*drains(_, line), "--term-exit")


def nodejs(test, line):
    address, port = line.target
    return ("--", "node", test.write("server.js", NODE_SERVER % (port, address)))


# ---- Measuring ----------------------------------------------------------------------------------


@dataclasses.dataclass
class Measured:
    """The results."""
    counts: dict  # those of tests/clients
    operations: int  # number of operations
    resets: str  # the resets, as text

    @property
    def started(self):
        return self.counts["connections"]

    @property
    def lost(self):
        return self.started - self.counts["answered"]

    def describe(self):
        kinds = {name: self.counts[name] for name in
                 ("refused", "reset", "timeout", "empty", "other_errors") if self.counts[name]}
        return (f"lost {self.lost} of {self.started} ({self.operations} operations) "
                f"{kinds or ''}; {self.resets}")


class DistanceTestCase(LifecycleTestCase):
    """Tests in which each operation returns when the next one may begin."""

    def well(self, command, *words):
        # This does not use instance.run(): the diagnostics of a failed test would list every
        # command.
        result = subprocess.run([STICKYCTL, command, *map(str, words)], env=self.environment(),
                                timeout=DEADLINE_S, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def reload(self, instance):
        self.well("reload", "--wait")

    def scale(self, instance):
        for count in (SLOTS + 1, SLOTS):
            self.well("scale", count)
            instance.wait_status(f"{count} slots", lambda status: len(
                status["workers"]) == count and all(
                    worker["state"] == "ready" for worker in status["workers"]))

    def drain(self, instance):
        self.well("drain", 0)
        self.wait_state(instance, "drained")
        self.well("ready", 0)
        self.wait_state(instance, "ready")

    def restart(self, instance):
        generation = self.generations(instance)[0]
        self.well("restart", 0)
        self.wait_generation(instance, generation + 1)

    def wait_state(self, instance, state):
        instance.wait_status(f"slot 0 to be {state}", lambda status: status[
            "workers"][0]["state"] == state)

    def measure(self, rtt_ms, operate, worker, seconds, *load_options, rate=RATE):
        """Run operations for this many seconds, but at least two of them. worker is one of the
        functions above; load_options are those of tests/clients."""
        with DelayLine(self, rtt_ms) as line, ResetTrace(*line.target) as trace:
            instance = self.serve("-w", SLOTS, *worker(self, line))
            load = line.load("--duration", seconds + SPARE_S, *load_options, rate=rate)
            operations, until = 0, time.monotonic() + seconds
            while time.monotonic() < until or operations < 2:
                operate(instance)
                operations += 1
            counts = load.stop()
            self.assertEqual(instance.stop("--now"), 0)
        return Measured(counts, operations, trace.describe())
