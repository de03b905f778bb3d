#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Passing connections under stress, a part of `make soak`. Workers die at every point of a
hand-over. The number of hand-overs is so large that a single descriptor left behind would be
seen."""

import os
import signal
import sys

import harness
from passing import TAKER, USER, XFF, PassingTestCase, parse, request

LIMIT_S = 300  # limit for a test, instead of that of the harness
DEATHS = 50
STRANDED = 20  # connections that are on their way at each death
HAND_OVERS = 100_000
LONG = ("--max-retries", "600", "--retry-delay", "100ms")

# A worker that takes connections from its channel, but never reports it: this is the state of a
# worker that dies between recvmsg() and its report. Its descriptors keep the connections open.
SILENT = """
import os, socket, struct, sys
channel = socket.socket(fileno=int(os.environ["STICKY_CHANNEL"]))
channel.setblocking(True)
channel.send(struct.pack("=HHIII28sI", 1, 1, 0, 0, 0, b"", 0))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
taken = []
while True:
    taken.append(socket.recv_fds(channel, 100, 1))
    with open(sys.argv[1], "w") as file:
        file.write(str(len(taken)))
"""


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class SoakTestCase(PassingTestCase):
    def setUp(self):
        super().setUp()
        signal.alarm(LIMIT_S)

    def connect_some(self, text=request()):
        return [self.open(f"127.9.0.{number + 1}", text) for number in range(STRANDED)]

    def answers_of(self, clients):
        return [answer for text, _ in self.collect(clients) for answer in parse(text or b"")]

    def close(self, clients):
        for client in clients:
            client.close()


class Deaths(SoakTestCase):
    """Workers with an odd generation die. The next one serves, and is killed, too."""

    def serve_mortals(self, odd):
        return self.serve_takers(1, *USER, *LONG, command=[self.taker_script(
            f"[ $((STICKY_GENERATION % 2)) = 1 ] && {odd}")])

    def next_life(self, instance, generation):
        self.kill_worker(instance)
        self.wait_generation(instance, generation)

    def check_nobody_lost(self, instance, wait_stranded):
        """Check that connections that were on their way are served by the next worker, once
        each."""
        before = instance.descriptors()
        for generation in range(1, 2 * DEATHS, 2):
            clients = self.connect_some()
            wait_stranded((generation + 1) // 2 * STRANDED)
            self.next_life(instance, generation + 1)
            answers = self.answers_of(clients)
            self.assertEqual([answer["gen"] for answer in answers],
                             [generation + 1] * STRANDED)
            self.assertEqual(sorted(answer["nth"] for answer in answers),
                             list(range(1, STRANDED + 1)))
            self.close(clients)
            self.next_life(instance, generation + 2)
        self.assertEqual(self.counters(instance, "handed", "answered_502", "client_gone"),
                         (DEATHS * STRANDED, 0, 0))
        instance.wait_descriptors(before)
        print(f"# {DEATHS} deaths, {DEATHS * STRANDED} connections on their way: none lost")

    def test_before_it_read(self):
        instance = self.serve_mortals("exec $TAKER --no-accept")
        self.check_nobody_lost(instance, lambda count: self.wait_counters(
            instance, dispatched=count))

    def test_while_it_read(self):
        """The worker has the descriptors of the connections, but has not reported that."""
        taken = self.dir / "taken"
        script = self.write("silent.py", SILENT)
        instance = self.serve_mortals(f"exec {sys.executable} {script} {taken}")

        def wait_taken(_):
            instance.wait_status("all taken", lambda status: (
                taken.exists() and taken.read_text() == str(STRANDED)))
            taken.unlink()
        self.check_nobody_lost(instance, wait_taken)

    def test_after_it_acknowledged(self):
        """The connections that the worker has accepted end with it at once. No other worker serves
        them again."""
        instance = self.serve_takers(1, *USER, *LONG)
        before = instance.descriptors()
        for generation in range(1, DEATHS + 1):
            clients = self.connect_some(text=b"")
            self.wait_counters(instance, handed=(2 * generation - 1) * STRANDED)
            self.next_life(instance, generation + 1)
            self.assertEqual([text for text, _ in self.collect(clients)], [b""] * STRANDED)
            self.close(clients)
            others = self.connect_some()
            answers = self.answers_of(others)
            self.assertEqual({answer["gen"] for answer in answers}, {generation + 1})
            self.assertEqual(sorted(answer["nth"] for answer in answers),
                             list(range(1, STRANDED + 1)))
            self.close(others)
        self.assertEqual(self.counters(instance, "answered_502", "client_gone"), (0, 0))
        instance.wait_descriptors(before)
        print(f"# {DEATHS} deaths, {DEATHS * STRANDED} connections that it had: "
              f"ended with it, and {DEATHS * STRANDED} others served")


class HandOvers(SoakTestCase):
    """No descriptor is left open without an owner."""

    def check(self, way, words):
        instance = self.serve_takers(2, *way, command=[TAKER])
        self.load(*words, "--sources", 1000, "--connections", 1)
        before = instance.descriptors()
        workers = [descriptors_of(worker["pid"]) for worker in instance.workers()]
        counts = self.load(*words, "--sources", 1000, "--connections", HAND_OVERS // 1000,
                           "--deadline", LIMIT_S // 3)
        self.assertEqual((counts["answered"], counts["unsticky"]), (HAND_OVERS, 0))
        self.wait_counters(instance, handed=HAND_OVERS + 1000, answered_502=0, client_gone=0)
        instance.wait_descriptors(before)
        self.assertEqual([descriptors_of(worker["pid"]) for worker in instance.workers()],
                         workers)
        print(f"# {HAND_OVERS} hand-overs, {way[-1]}: {counts['per_second']} a second; "
              f"{before} descriptors before and after")

    def load(self, *words):
        return self.clients("--target", "127.0.0.1:3000", "--concurrency", 64, *words,
                            seconds=LIMIT_S // 2)

    def test_accepted_by_dispatchers(self):
        self.check(USER, ())

    def test_behind_a_proxy(self):
        self.check(XFF, ("--http",))


if __name__ == "__main__":
    harness.main()
