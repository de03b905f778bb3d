#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing is lost over real distances, a part of `make soak`. Each combination of distance, kind of
worker and operation is tested, and reloads of nginx and HAProxy beside them. Each takes TIMES
seconds (5), with RATE connections begun in a second (1000). The table at the end has the
connections lost of those that were started, and the number of operations.

    TIMES=60 tests/e2e/soak_distance.py Distances.test_10_ms_drains_reload ...
"""

import os
import shutil
import signal

import harness
from distance import DistanceTestCase, drains, nodejs, stops_at_once
from distance_peers import PEERS, measure_peer
from programs import environment

SECONDS = float(os.environ.get("TIMES") or 5)
RATE = int(os.environ.get("RATE") or 1000)
DISTANCES_MS = (0, 10, 40, 100)
WORKERS = {"drains": drains, "stops_at_once": stops_at_once, "nodejs": nodejs}
OPERATIONS = ("reload", "scale", "drain", "restart")

CASES = {f"{rtt_ms}_ms_{worker}_{operation}": (rtt_ms, worker, operation)
         for rtt_ms in DISTANCES_MS for worker in WORKERS for operation in OPERATIONS}
CASES |= {f"{rtt_ms}_ms_{peer}_reload": (rtt_ms, peer, "reload")
          for rtt_ms in DISTANCES_MS for peer in PEERS}
HAS_NODE = shutil.which("node", path=environment()["PATH"])


@harness.tests_of(CASES)
class Distances(DistanceTestCase):
    found = {}  # (worker, operation, rtt_ms): the cell of the table

    def setUp(self):
        super().setUp()
        signal.alarm(round(2 * SECONDS) + 120)  # instead of the harness's limit

    def check(self, rtt_ms, worker, operation):
        if worker in PEERS:
            self.note(rtt_ms, worker, operation,
                      measure_peer(self, worker, rtt_ms, SECONDS, RATE))
            return
        if worker == "nodejs" and not HAS_NODE:
            self.skipTest("node: not installed")
        measured = self.measure(rtt_ms, getattr(self, operation), WORKERS[worker], SECONDS,
                                rate=RATE)
        self.note(rtt_ms, worker, operation, measured)
        self.assertEqual(measured.lost, 0, measured.describe())

    def note(self, rtt_ms, worker, operation, measured):
        self.found[worker, operation, rtt_ms] = (
            f"{measured.lost} of {measured.started} ({measured.operations})")
        print(f"# {worker}: {measured.describe()}", flush=True)


def print_table(found):
    """Print a line for each worker and operation, with a column for each distance."""
    if not found:
        return
    print(f"# lost of started (operations), {SECONDS:g} s each, {RATE} connections a second")
    print("#", f"{'worker':14} {'operation':10}",
          *(f"{f'{rtt_ms} ms':>22}" for rtt_ms in DISTANCES_MS))
    for worker in (*WORKERS, *PEERS):
        for operation in OPERATIONS if worker in WORKERS else ("reload",):
            cells = [found.get((worker, operation, rtt_ms), "-") for rtt_ms in DISTANCES_MS]
            print("#", f"{worker:14} {operation:10}", *(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        print_table(Distances.found)
