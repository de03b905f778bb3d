#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing is lost if clients are far away. A handshake then takes a round trip, so a slot is handed
over in the middle of many handshakes. On loopback this hardly ever happens.

`make soak` runs the same at more distances, with more kinds of workers, for longer."""

import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time
import unittest

import harness
from delay import CLIENT, FIRST_CLIENT, DelayLine
from distance import DistanceTestCase, drains, nodejs, stops_at_once
from nodejs import NODE_VERSION
from resets import ResetTrace
from workers import start_plain
from world import DEADLINE_S, patience, wait_for

SECONDS = 0.8    # of operations for each test
KEEPING = pathlib.Path(__file__).parent / "keeping.py"
ANSWER_MS = 200  # the time that a slow answer takes: many reloads


class TheLine(DistanceTestCase):
    """The delay line itself."""

    def test_round_trip(self):
        for rtt_ms in (0, 40):
            with DelayLine(self, rtt_ms) as line:
                instance = self.serve("-w", 1, *drains(self, line))
                took = float(line.client("print(connected - began)"))
                self.assertEqual(instance.stop(), 0)
            self.assertGreaterEqual(took, rtt_ms / 1000)
            self.assertLess(took, rtt_ms / 1000 + patience(5))

    def test_a_full_ring_is_an_error(self):
        with self.assertRaisesRegex(AssertionError, "packets were dropped: the ring was full"):
            with DelayLine(self, 40, packets=2) as line:
                self.serve("-w", 1, *drains(self, line))
                line.load("--patience", 0.2, rate=200).stop()

    def test_a_machine_without_tun_devices(self):
        if os.path.exists("/dev/net/tun"):
            self.mount("--bind", "/dev/null", "/dev/net/tun")
        with self.assertRaisesRegex(unittest.SkipTest, "no delay line: delay: .+: .+"):
            with DelayLine(self, 0):
                pass

    def test_resets_are_counted(self):
        """A server that closes a connection with unread data resets it: one reset is counted."""
        with DelayLine(self, 0) as line, ResetTrace(*line.target) as trace, \
                socket.create_server(line.target) as listener:
            if trace.why_not:
                self.skipTest(trace.why_not)
            server = threading.Thread(target=reset_one, args=(listener,))
            server.start()
            line.client(UNREAD)
            server.join()
        self.assertEqual((sum(trace.counts.values()), trace.lost), (1, 0), trace.describe())


UNREAD = """
client.sendall(b"unread")
try:
    client.recv(1)
except ConnectionResetError:
    pass
else:
    raise SystemExit("no reset")
"""


def late_request(line, late_s):
    """The text of a client that waits before it sends its request, and prints the answer."""
    return CLIENT.format(first=FIRST_CLIENT, target=line.target, limit=DEADLINE_S) + f"""
time.sleep({late_s})
client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(client.makefile().read())
"""


def reset_one(listener):
    connection, _ = listener.accept()
    with connection:
        connection.recv(1, socket.MSG_PEEK)


def half_open():
    """Returns how many handshakes wait for their last packet in this namespace."""
    rows = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(row.split()[3] == "03" for row in rows)


class Naive(DistanceTestCase):
    def test_plain_reuseport_loses_clients(self):
        """Workers have sockets of their own. The new worker starts, then the old one gets
        SIGTERM. Handshakes that are half open on its socket are lost. This shows that the tests
        below can fail."""
        with DelayLine(self, 40) as line:
            workers = [self.plain_worker(line, slot, 1) for slot in range(2)]
            load = line.load()
            for generation in range(2, 7):
                for slot in range(2):
                    old, workers[slot] = workers[slot], self.plain_worker(line, slot, generation)
                    wait_for("a handshake that has begun", half_open)
                    old.send(signal.SIGTERM)
                    old.wait()
            counts = load.stop()
        self.assertLess(counts["answered"], counts["connections"], counts)

    def plain_worker(self, line, slot, generation):
        with socket.create_server(line.target, backlog=1024, reuse_port=True) as listener:
            return start_plain(self, listener, slot, generation)


class JudgingTestCase(DistanceTestCase):
    def assert_nothing_lost(self, what, measured):
        print(f"# {what}: {measured.describe()}", flush=True)
        self.assertGreater(measured.counts["answered"], 10)
        self.assertEqual(measured.lost, 0, measured.describe())


@harness.tests_of({f"{operation}_at_{rtt_ms}_ms": (operation, rtt_ms) for rtt_ms in (0, 40)
                   for operation in ("reload", "scale", "drain", "restart")})
class NothingIsLost(JudgingTestCase):
    """Operations on workers that end at once at their stop signal."""

    def check(self, operation, rtt_ms):
        self.assert_nothing_lost(f"{operation} at {rtt_ms} ms", self.measure(
            rtt_ms, getattr(self, operation), stops_at_once, SECONDS))


class SlowAnswers(JudgingTestCase):
    """A worker that drains has enough time, however many reloads follow."""

    def test_reload_at_40_ms(self):
        self.assert_nothing_lost("reload, slow answers", self.measure(
            40, self.reload, drains, SECONDS, "--wait", ANSWER_MS))


class LateRequests(DistanceTestCase):
    """A handshake takes longer than the half second that is waited for requests, and the request
    does not come at once. The worker must not be asked to stop in between."""

    RTT_MS = 600
    LATE_S = 0.1

    def test_reload_during_a_handshake(self):
        with DelayLine(self, self.RTT_MS) as line:
            instance = self.serve("-w", 1, *stops_at_once(self, line))
            client = self.program(*line.client_side, sys.executable, "-c", late_request(line, self.LATE_S))
            wait_for("a handshake that has begun", half_open)
            self.reload(instance)
            self.assertEqual(client.wait(), 0, client.errors)
            self.assertEqual(instance.stop("--now"), 0)
        self.assertIn("gen=1", client.output)


@unittest.skipUnless(NODE_VERSION >= 19, "Node.js 18 leaves idle connections open, or is not there")
class KeptConnections(DistanceTestCase):
    """Requests on kept connections. The client may send a request while the server closes the
    connection, and gets a reset for it."""

    CLIENTS = 100
    PAUSE_MS = 400
    RELOADS = 5

    def test_reload_at_100_ms(self):
        with DelayLine(self, 100) as line:
            instance = self.serve("-w", 2, *nodejs(self, line))
            keeping = self.program(*line.client_side, sys.executable, "-B", KEEPING, *line.target,
                                   FIRST_CLIENT, self.CLIENTS, self.PAUSE_MS)
            wait_for("the clients", lambda: "begun" in keeping.output)
            for _ in range(self.RELOADS):
                time.sleep(0.6)  # their connections are kept by then, most of them
                self.reload(instance)
            time.sleep(0.6)
            keeping.send(signal.SIGTERM)
            keeping.wait()
            self.assertEqual(instance.stop("--now"), 0)
        counts = json.loads(keeping.output.splitlines()[-1])
        print(f"# kept connections at 100 ms, {self.RELOADS} reloads: {counts}", flush=True)
        self.assertGreater(counts["kept"], 100)
        self.assertEqual(counts["lost"], 0, counts)


if __name__ == "__main__":
    harness.main()
