#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recycling, stopping, and how they are reported: events and status."""

import json
import signal
import socket
import struct
import time

import harness
from clients import HERE, is_refused
from lifecycle import PARTLY, LifecycleTestCase, Line
from programs import NOT_RUNNING, WORKER
from world import scaled, wait_for


class Recycling(LifecycleTestCase):
    """Workers that are too old or too large are replaced as a reload would, one at a time."""

    def assert_one_at_a_time(self, instance):
        """Check that no slot's new worker begins while another slot's is not ready."""
        starting = None
        for line in instance.log_lines("worker_state"):
            if line.fields["generation"] == "1":
                continue
            if line.fields["state"] == "starting":
                self.assertIsNone(starting)
                starting = line.fields["slot"]
            elif line.fields["state"] == "ready" and line.fields["slot"] == starting:
                starting = None

    def test_lifetime(self):
        instance = self.serve_workers(3, "--max-lifetime", f"{scaled(1)}s", command=(
            WORKER, "--notify-delay", "50"))
        with self.load() as load:
            instance.wait_status("all to be replaced twice", lambda status: all(
                worker["generation"] >= 3 for worker in status["workers"]))
        self.assert_nobody_lost(load.counts)
        self.assert_counters(instance)
        self.assert_one_at_a_time(instance)
        for line in instance.log_lines("worker_state", state="draining"):
            self.assertGreaterEqual(int(line.fields["after_ms"]), 850, "jittered by a tenth")
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), 0)

    def test_size(self):
        command = self.switchable_worker("large) exec $WORKER --notify --grow 100;;")
        self.mode("large")
        instance = self.serve_workers(2, "--max-rss", "50M", command=[command])
        self.mode("good")
        with self.load(rate=500) as load:
            self.wait_all_ready(instance, 2)
        self.assert_nobody_lost(load.counts)
        self.assert_one_at_a_time(instance)
        self.assertEqual({event["why"] for event in self.events(instance, "recycle")},
                         {"--max-rss"})


class Stop(LifecycleTestCase):
    def test_what_is_queued_is_served_first(self):
        """SIGTERM comes when the queue is empty, however slowly the worker accepts."""
        instance = self.serve_workers(2, command=(WORKER, "--notify", "--accept-pause", "10"))
        clients = self.connect([f"127.6.0.{number}" for number in range(1, 101)])
        stop = self.program(instance.arguments[0], "stop")
        instance.wait_status("the stop", lambda status: status["state"] == "stopping")
        self.assertTrue(is_refused(HERE), "nobody new")
        answers = self.collect(clients)
        self.assertEqual(sum(b"gen=1 " in (answer or b"") for answer, _ in answers), 100)
        self.assertEqual((stop.wait(), instance.wait()), (0, 0))

    def test_the_delay_before(self):
        """--stop-delay: connections are served as before for this time."""
        delay = scaled(1)
        instance = self.serve_workers(1, "--stop-delay", f"{delay}s")
        began = time.monotonic()
        with self.load() as load:
            instance.send(signal.SIGTERM)
            wait_for("the stop", lambda: instance.log_lines("stopping"))
            while time.monotonic() - began < delay / 2:
                time.sleep(0.05)
        self.assert_nobody_lost(load.counts)
        self.assertEqual(instance.wait(), 0)
        self.assertTrue(0.9 * delay <= time.monotonic() - began < scaled(5))

    def test_open_connections_finish(self):
        instance = self.serve_workers(1)
        line = Line(self)
        line.send("wait=1000")
        wait_for("the request", lambda: instance.workers()[0]["connections"] == 1)
        began = time.monotonic()
        self.assertEqual(instance.stop(), 0)
        self.assertGreater(time.monotonic() - began, 0.7)
        self.assertEqual(line.read()["gen"], 1)

    def test_those_of_a_former_life_finish_too(self):
        """A stop right after a reload cuts no connection off."""
        instance = self.serve_workers(1)
        line = Line(self)
        line.send("wait=1500")
        wait_for("the request", lambda: instance.workers()[0]["connections"] == 1)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.stop(), 0)
        self.assertEqual((line.read() or {}).get("gen"), 1)

    def test_the_exit_code_tells_who_had_to_be_killed(self):
        for command, words in ((("stop",), True), (None, False)):
            with self.subTest(command=command):
                instance = self.serve_workers(2, "--hard-shutdown-delay", "300ms", command=(
                    WORKER, "--notify", "--ignore-term"))
                if words:
                    result = instance.run(*command)
                    self.assertEqual(result.returncode, PARTLY)
                    self.assertIn("killed", result.stderr)
                    self.assertEqual(instance.wait(), PARTLY)
                else:
                    self.assertEqual(instance.terminate(), PARTLY)

    def test_a_slow_queue_ends_at_the_deadline(self):
        instance = self.serve_workers(1, "--hard-shutdown-delay", "500ms", command=(
            WORKER, "--notify", "--no-accept"))
        self.connect([f"127.6.0.{number}" for number in range(1, 11)])
        began = time.monotonic()
        instance.terminate()
        self.assertLess(time.monotonic() - began, scaled(3))

    def check_stop_ends(self, instance, least=0.0):
        """Long before --hard-shutdown-delay, which is a minute."""
        began = time.monotonic()
        self.assertEqual(instance.stop(), 0)
        self.assertGreaterEqual(time.monotonic() - began, least)
        self.assertLess(time.monotonic() - began, scaled(8))

    def serve_deaf(self, *arguments):
        """A worker that accepts nothing."""
        return self.serve_workers(1, *arguments, command=(WORKER, "--notify", "--no-accept"))

    def test_nobody_accepts_those_who_have_gone(self):
        instance = self.serve_deaf()
        for number, client in enumerate(self.connect([f"127.6.0.{number}" for number in
                                                      range(1, 11)])):
            if number % 2:  # an end, as most programs make; else a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
            client.close()
        self.check_stop_ends(instance)

    def test_nobody_accepts_those_who_wait(self):
        """They are given up after --hang-timeout, as they would be at other times."""
        instance = self.serve_deaf("--hang-timeout", "2s")
        self.connect(["127.6.0.1"])
        self.check_stop_ends(instance, least=1.9)

    def test_those_who_have_closed_their_half_are_served(self):
        """They may read the answer: only the kernel's list calls them closed."""
        instance = self.serve_workers(2, command=(WORKER, "--notify", "--accept-pause", "50"))
        clients = self.connect([f"127.6.0.{number}" for number in range(1, 101)])
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        stop = self.program(instance.arguments[0], "stop")
        answers = self.collect(clients)
        self.assertEqual(sum(b"gen=1 " in (answer or b"") for answer, _ in answers), 100)
        self.assertEqual((stop.wait(), instance.wait()), (0, 0))

    def test_now(self):
        instance = self.serve_workers(2, command=(WORKER, "--notify", "--ignore-term"))
        began = time.monotonic()
        instance.stop("--now")
        self.assertLess(time.monotonic() - began, scaled(3))


class Telling(LifecycleTestCase):
    """The commands events and status."""

    def test_events(self):
        instance = self.serve_workers(2)
        instance.run("reload", "--wait=drained")
        events = self.events(instance)
        self.assertEqual([event["seq"] for event in events], list(range(len(events))))
        names = [event["event"] for event in events]
        for name in ("started", "reload_begun", "reload_slot", "reload_ended", "reload_drained"):
            self.assertIn(name, names)
        life = [(event["state"], event["generation"]) for event in events
                if event["event"] == "worker_state" and event["slot"] == 0]
        self.assertEqual(sorted(life), sorted(
            [(state, 1) for state in ("starting", "ready", "leaving", "draining", "gone")] +
            [(state, 2) for state in ("starting", "ready")]))
        # Each transition is also one line of the log.
        self.assertEqual(len(instance.log_lines("worker_state")),
                         names.count("worker_state"))
        text = instance.run("events")
        self.assertEqual(len(text.stdout.splitlines()), len(events))
        self.assertIn("reload_begun", text.stdout)

    def test_follow(self):
        instance = self.serve_workers(1)
        following = self.program(instance.arguments[0], "events", "--follow", "--json")
        wait_for("the past", lambda: '"started"' in following.output)
        killed = self.kill_worker(instance)
        wait_for("the news", lambda: '"generation":2' in following.output)
        self.wait_generation(instance, 2)
        instance.stop()
        self.assertEqual(following.wait(5), 0)
        events = [json.loads(line) for line in following.output.splitlines()]
        exits = [event for event in events if event["event"] == "worker_exit"]
        self.assertEqual(exits[0]["pid"], killed)
        self.assertIn("SIGKILL", exits[0]["how"])
        self.assertEqual(events[-1]["event"], "stopped")

    def test_a_follower_that_goes_away_or_never_reads(self):
        instance = self.serve_workers(1)
        before = instance.descriptors()
        for _ in range(5):
            following = self.program(instance.arguments[0], "events", "--follow")
            wait_for("the past", lambda: "started" in following.output)
            following.process.kill()
            following.wait()
        instance.run("reload", "--wait=drained")
        instance.wait_descriptors(before)

    def test_nobody_there(self):
        self.assertEqual(self.stickyctl("events").returncode, NOT_RUNNING)
        self.assertEqual(self.stickyctl("events", "--follow").returncode, NOT_RUNNING)

    def test_status_while_a_life_drains(self):
        instance = self.serve_workers(2)
        line = Line(self, self.sources_of(instance, 1, 1)[0])
        line.ask()
        instance.run("reload", "--wait")
        status = instance.wait_status("slot 0 to be drained, slot 1 to drain", lambda status: [
            each["state"] for each in status["draining"]] == ["draining"])
        self.assertEqual([worker["draining"] for worker in status["workers"]], [0, 1])
        self.assertEqual([worker["killed"] for worker in status["workers"]], [0, 0])
        self.assertEqual(status["reload"], {"state": "idle", "done": 2, "of": 2, "error": None,
                                            "waits_for_slot": None})
        result = instance.run("status", "--json")
        self.assertEqual(json.loads(result.stdout)["workers"][1]["draining"], 1)
        (draining,) = status["draining"]
        self.assertEqual((draining["slot"], draining["generation"], draining["state"],
                          draining["connections"]), (1, 1, "draining", 1))
        self.assertTrue(0 < draining["kill_in_ms"] <= 60_000, draining)
        self.assertGreater(draining["rss_bytes"], 0)
        text = instance.run("status").stdout
        self.assertIn("draining, 1:", text)
        self.assertIn(f"slot 1, pid {draining['pid']}, generation 1, draining: 1 open", text)
        self.assertIn("killed in", text)
        line.socket.close()
        self.assertEqual(self.wait_drained(instance)["draining"], [])


if __name__ == "__main__":
    harness.main()
