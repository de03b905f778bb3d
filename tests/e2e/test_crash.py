#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers that die, become silent, or shut their own sockets down, while clients use them."""

import os
import random
import signal
import time

import harness
from clients import HERE, ask
from lifecycle import LifecycleTestCase, Line
from programs import WORKER
from world import wait_for

KILLS = 100


class Killed(LifecycleTestCase):
    """Workers that get SIGKILL."""

    def test_kills_under_load(self):
        """No client is refused, or served by a worker that is not ready. Only connections that a
        killed worker had accepted may be lost."""
        chance = random.Random(1)
        # The worker accepts from the start, and is ready later. So service before READY=1 would be
        # seen.
        instance = self.serve_workers(4, command=(WORKER, "--notify-delay", "30"))
        killed = 0
        with self.load("--deadline", "60") as load:
            while killed < KILLS:
                ready = [worker for worker in instance.workers() if worker["state"] == "ready"]
                chosen = chance.sample(ready, min(len(ready), 2))
                for worker in chosen:
                    os.kill(worker["pid"], signal.SIGKILL)
                    killed += 1
                # Wait for the worker's end before the next look: no worker is killed twice.
                for worker in chosen:
                    self.wait_gone(worker["pid"])
            self.wait_all_ready(instance)
        counts = load.counts
        self.assertGreater(counts["connections"], 1000)
        lost = counts["connections"] - counts["answered"]
        self.assertEqual(lost, counts["reset"] + counts["empty"], counts)
        self.assertLessEqual(lost, killed, counts)
        self.assertEqual((counts["unsticky"], counts["backward"]), (0, 0), counts)
        self.assert_counters(instance)
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), killed)
        self.assertEqual(sum(worker["generation"] for worker in instance.workers()), killed + 4)

    def test_none_is_served_before_ready(self):
        instance = self.serve_workers(1, command=(WORKER, "--notify-delay", "200"))
        for generation in range(2, 5):
            self.kill_worker(instance)
            clients = self.connect([f"127.9.0.{number}" for number in range(1, 51)])
            answers = self.collect(clients)
            when = time.time() - time.monotonic()
            ready = instance.log_lines("worker_state", state="ready", generation=generation)
            self.assertEqual(len(ready), 1)
            for answer, at in answers:
                self.assertIn(f"gen={generation} ".encode(), answer)
                self.assertGreaterEqual(at + when, ready[0].time - 0.01)
            self.wait_generation(instance, generation)

    def test_a_forked_child_keeps_nothing(self):
        """The rest of the process group is killed, so that the queue can move."""
        command = self.script_worker('[ $STICKY_GENERATION = 1 ] && '
                                     'exec $WORKER --notify --fork-child --no-accept\n'
                                     'exec $WORKER --notify')
        instance = self.serve_workers(1, command=[command])
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 101)])
        self.kill_worker(instance)
        answers = self.collect(clients)
        self.assertEqual(sum(b"gen=2 " in (answer or b"") for answer, _ in answers), 100)


class Limit(LifecycleTestCase):
    """--restart-limit."""

    def fail_slot(self, *arguments):
        command = self.switchable_worker("bad) [ $STICKY_SLOT = 1 ] && exit 3;;")
        instance = self.serve_workers(2, "--restart-limit", "3/60s", "--max-retries", "0",
                                      *arguments, command=[command])
        self.mode("bad")
        self.kill_worker(instance, 1)
        status = instance.wait_status("a failed slot", lambda status: status["workers"][1][
            "state"] == "failed")
        self.assertEqual(status["workers"][1]["restarts"], 3)
        self.assertEqual(status["workers"][0]["state"], "ready")
        self.assertIsNone(status["workers"][1]["pid"])
        return instance

    def check_back(self, instance):
        self.wait_all_ready(instance)
        source = self.sources_of(instance, 1, 1)[0]
        self.assertEqual(ask(HERE, source)["slot"], 1)

    def test_restart_brings_it_back(self):
        instance = self.fail_slot()
        source = self.sources_of(instance, 1, 1)[0]
        (answer, _), = self.collect(self.connect([source]))
        self.assertIn(b"502", answer)
        self.mode("good")
        self.assertEqual(instance.run("restart", "1").returncode, 0)
        self.check_back(instance)

    def test_reload_brings_it_back(self):
        instance = self.fail_slot()
        self.mode("good")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.check_back(instance)

    def test_ready_brings_it_back(self):
        instance = self.fail_slot()
        self.mode("good")
        self.assertEqual(instance.run("ready", "1").returncode, 0)
        self.check_back(instance)

    def test_spill(self):
        instance = self.fail_slot("--when-down", "spill")
        self.assertEqual({ask(HERE, f"127.9.0.{number}")["slot"] for number in range(1, 40)},
                         {0})
        self.mode("good")
        instance.run("restart", "1")
        self.check_back(instance)


class Silent(LifecycleTestCase):
    """Workers that live, but serve no client."""

    def test_the_watchdog_ends_a_stopped_worker(self):
        instance = self.serve_workers(2, "--watchdog", "500ms", command=(
            WORKER, "--notify", "--watchdog"))
        began = time.monotonic()
        stopped = self.pids(instance)[0]
        os.kill(stopped, signal.SIGSTOP)
        clients = self.connect(self.sources_of(instance, 0, 100))
        answers = self.collect(clients)
        self.assertEqual(sum(b"slot=0 " in (answer or b"") and b"gen=2 " in answer
                             for answer, _ in answers), 100, "its queue is kept")
        self.assertGreater(time.monotonic() - began, 0.2)
        worker = self.wait_generation(instance, 2)
        self.assertIn("WATCHDOG", worker["last_exit"]["text"])
        self.assertEqual(worker["restarts"], 1)
        self.wait_gone(stopped)

    def test_who_speaks_is_left_alone(self):
        instance = self.serve_workers(2, "--watchdog", "300ms", command=(
            WORKER, "--notify", "--watchdog"))
        instance.wait_status("a while", lambda status: status["workers"][0]["uptime_ms"] > 1500)
        self.assertEqual(self.generations(instance), [1, 1])

    def test_the_watchdog_is_not_for_draining_lives(self):
        """A worker that drains, and ends by itself, is not reported as silent."""
        instance = self.serve_workers(1, "--watchdog", "300ms", command=(
            WORKER, "--notify", "--watchdog"))
        line = Line(self)
        line.ask()
        instance.run("reload", "--wait")
        former = wait_for("it to drain", lambda: instance.log_lines(
            "worker_state", generation=1, state="draining"))
        os.kill(int(former[0].fields["pid"]), signal.SIGSTOP)
        instance.wait_status("a while", lambda status: status["workers"][0]["uptime_ms"] > 800)
        os.kill(int(former[0].fields["pid"]), signal.SIGCONT)
        self.assertEqual(line.ask()["gen"], 1)
        line.socket.close()
        worker = self.wait_drained(instance)["workers"][0]
        self.assertEqual(worker["last_exit"]["text"], "exited with code 0")

    def test_one_that_says_that_it_stops(self):
        """After STOPPING=1 the next worker is started at once. The old one finishes its
        connections."""
        command = self.script_worker('[ $STICKY_GENERATION = 1 ] && '
                                     'exec $WORKER --notify --stopping-after 500\n'
                                     'exec $WORKER --notify')
        instance = self.serve_workers(1, "--min-uptime", "5s", command=[command])
        line = Line(self)
        self.assertEqual(line.ask()["gen"], 1)
        with self.load() as load:
            self.wait_generation(instance, 2)
        self.assert_nobody_lost(load.counts)
        self.assertEqual(line.ask()["gen"], 1)
        line.socket.close()
        self.wait_drained(instance)
        # This is no restart, which would have a delay and be counted.
        self.assertEqual(instance.workers()[0]["restarts"], 0)

    def test_one_that_shuts_its_own_socket(self):
        """No client reaches the worker. This is detected, and the worker is replaced. Other slots
        serve in the meantime."""
        command = self.script_worker('[ $STICKY_SLOT$STICKY_GENERATION = 01 ] && '
                                     'exec $WORKER --notify --shut-after 500\n'
                                     'exec $WORKER --notify')
        instance = self.serve_workers(2, command=[command])
        shut = self.pids(instance)[0]
        with self.load("--deadline", "60") as load:
            self.wait_generation(instance, 2)
            self.wait_gone(shut)
            source = self.sources_of(instance, 0, 1)[0]
            wait_for("the clients of the slot to be back",
                     lambda: ask(HERE, source)["slot"] == 0)
        self.assertEqual(load.counts["refused"], 0, load.counts)


if __name__ == "__main__":
    harness.main()
