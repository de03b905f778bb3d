#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lifecycle under stress: `make soak`, some minutes. It repeats many times what `make test`
does a few times, and prints what it costs. CONNECTIONS=1000000: so many for Busy, instead of 100,000."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import harness
import test_crash
import test_holding
import test_reload
import test_takeover
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from programs import WORKER
from world import wait_for

CONNECTIONS = int(os.environ.get("CONNECTIONS") or 100_000)
BUSY_RATE = 3000
RELOADS_FLAT = 5000
LIMIT_S = 900  # for a test, instead of the harness's

test_reload.RELOADS = 300
test_crash.KILLS = 400
test_takeover.KILLS = 50
test_holding.CLIENTS = 1000


class SoakTestCase(LifecycleTestCase):
    def setUp(self):
        super().setUp()
        signal.alarm(LIMIT_S)

    def say(self, text):
        print(f"# {text}", flush=True)

    def memory(self, instance):
        """In kB, without the pages of files: those of the state file are touched one by one."""
        text = pathlib.Path(f"/proc/{instance.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s*(\d+) kB", text)[1])


class Reloads(SoakTestCase):
    test_300_reloads = test_reload.Rolling.test_reloads_under_load
    test_the_naive_way_loses_clients = test_reload.Rolling.test_the_naive_way_loses_clients


class Busy(SoakTestCase):
    """A reload every 100 ms, while both processors have something else to do."""

    def test_reloads(self):
        signal.alarm(round(CONNECTIONS / BUSY_RATE * 2) + 300)
        for _ in range(os.cpu_count()):
            self.program(sys.executable, "-c", "while True: pass")
        instance = self.serve_workers(4)
        reloads = 0
        with self.load("--duration", 4 * CONNECTIONS // BUSY_RATE + 60,
                       rate=BUSY_RATE) as load:
            until = time.monotonic() + CONNECTIONS / BUSY_RATE
            while time.monotonic() < until:
                began = time.monotonic()
                subprocess.run([instance.arguments[0], "reload", "--wait"], check=True,
                               env=self.environment(), capture_output=True)
                reloads += 1
                time.sleep(max(0, 0.1 - (time.monotonic() - began)))
        self.say(f"{load.counts['answered']} of {load.counts['connections']} connections answered, "
                 f"{reloads} reloads, slowest {load.counts['latency_us']['max'] / 1e6:.2f} s")
        self.assert_nobody_lost(load.counts)
        self.assertEqual(instance.stop(), 0)


class Flat(SoakTestCase):
    """What the controller has open, and its memory, after thousands of reloads."""

    def reload(self, instance, count):
        for _ in range(count):
            result = subprocess.run([instance.arguments[0], "reload", "--wait"],
                                    env=self.environment(), capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.wait_drained(instance)
        return self.memory(instance)

    def test_5000_reloads(self):
        instance = self.serve_workers(1)
        descriptors = instance.descriptors()
        memory = [self.reload(instance, RELOADS_FLAT // 5) for _ in range(5)]
        self.say(f"{RELOADS_FLAT} reloads: memory after each fifth {memory} kB")
        wait_for(lambda: f"{instance.descriptors()} descriptors, before {descriptors}",
                 lambda: instance.descriptors() <= descriptors)
        self.assertLess(memory[-1], memory[0] + 256, memory)
        self.assertEqual(instance.stop(), 0)


class Kills(SoakTestCase):
    test_400_workers = test_crash.Killed.test_kills_under_load


class Controllers(test_takeover.TakeoverTestCase, SoakTestCase):
    check_converged = test_takeover.Storm.check_converged
    test_50_during_reloads = test_takeover.Storm.test_kills_during_reloads_under_load
    test_50_while_scaling = test_takeover.Storm.test_kills_while_scaling

    def test_400_during_takeovers(self):
        for _ in range(10):
            test_takeover.Storm.test_kills_during_takeovers(self)


class Holding(SoakTestCase):
    hold = test_holding.Answer.hold
    assert_502 = test_holding.Answer.assert_502
    collect_as_they_come = test_holding.Answer.collect_as_they_come
    test_1000_clients = test_holding.Answer.test_each_in_its_time


class Slots(SoakTestCase):
    """The largest possible number of slots."""

    def measure(self, what, action):
        began = time.monotonic()
        result = action()
        self.say(f"1024 slots: {what}: {(time.monotonic() - began) * 1000:.0f} ms")
        return result

    def test_1024_slots(self):
        instance = self.measure("start", lambda: self.start(
            "-w", 1024, "-l", "127.0.0.1:3000", "--ready", "notify", "--reload-parallel", "8",
            "--", WORKER, "--notify").ready(seconds=300))
        before = instance.descriptors()
        self.say(f"1024 slots: memory {self.memory(instance)} kB, {before} descriptors")
        self.measure("status", instance.status)
        self.assertIn("1023", self.measure("status, as users ask for it",
                                           lambda: instance.run("status")).stdout)
        served = [(source, ask(HERE, source)["slot"])
                  for source in (f"127.7.0.{number}" for number in range(1, 200))]
        self.assertEqual([answer["slot"] for answer in instance.where(*dict(served))],
                         [slot for _, slot in served])
        result = self.measure("reload, 8 at once", lambda: instance.run(
            "reload", "--wait=drained", seconds=300))
        self.assertEqual(result.returncode, 0, result.stderr[-500:])
        self.measure("drain of one, table unchanged", lambda: instance.run("drain", 7))
        self.measure("ready", lambda: instance.run("ready", 7))
        self.wait_all_ready(instance)
        self.measure("one slot less: a table change", lambda: instance.run("scale", "-1"))
        self.measure("one more: a table change", lambda: instance.run("scale", "+1"))
        self.wait_all_ready(instance)
        self.wait_drained(instance)
        wait_for(lambda: f"{instance.descriptors()} descriptors, before {before}",
                 lambda: instance.descriptors() <= before)
        self.say(f"1024 slots: memory {self.memory(instance)} kB, "
                 f"{instance.descriptors()} descriptors")
        self.assert_counters(instance)
        self.assertEqual(self.measure("stop", lambda: instance.stop(seconds=120)), 0)


if __name__ == "__main__":
    harness.main()
