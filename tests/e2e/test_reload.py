#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""Rolling reloads: no connection is lost, no client goes back to an older worker, and if a new
worker fails the old one stays."""

import os
import signal
import socket
import time

import harness
from clients import HERE, HalfOpen, ask
from lifecycle import PARTLY, LifecycleTestCase, Line
from programs import NOT_RUNNING, USAGE, WORKER
from workers import fetch_descriptor, start_plain
from world import scaled, wait_for

RELOADS = 20


class Rolling(LifecycleTestCase):
    """Reloads that succeed."""

    def test_reloads_under_load(self):
        instance = self.serve_workers(4)
        with self.load() as load:
            for _ in range(RELOADS):
                result = instance.run("reload", "--wait")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=500)
        self.assert_counters(instance)
        self.assertEqual(self.generations(instance), [RELOADS + 1] * 4)
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), 0)
        self.assertEqual(self.wait_drained(instance)["reload"],
                         {"state": "idle", "done": 4, "of": 4, "error": None,
                          "waits_for_slot": None})

    def test_reloads_beside_open_connections(self):
        """Workers with open connections drain side by side. New clients are not affected."""
        instance = self.serve_workers(4)
        lines = []
        with self.load() as load:
            for generation in range(2, 7):
                for source in range(1, 9):
                    lines.append((Line(self, f"127.9.0.{source}"), generation - 1))
                    lines[-1][0].ask()
                result = instance.run("reload", "--wait")
                self.assertEqual(result.returncode, 0, result.stderr)
                status = instance.status()
                self.assertEqual([worker["generation"] for worker in status["workers"]],
                                 [generation] * 4)
        self.assert_nobody_lost(load.counts)
        self.assertLess(load.counts["latency_us"]["max"], scaled(900_000),
                        "nobody waited for an old worker's end")
        self.assert_counters(instance)
        for line, generation in lines:
            self.assertEqual(line.ask()["gen"], generation, "its worker still serves it")
        self.assertEqual([worker["killed"] for worker in instance.workers()], [0] * 4)
        instance.stop("--now")

    def queue_then_reload(self, instance, keep_duplicates):
        """Let clients wait for workers that hang, reload, and wait for the workers' end. Returns
        how many clients get an answer."""
        pids = self.pids(instance)
        kept = [fetch_descriptor(pid, 3) for pid in pids] if keep_duplicates else []
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            clients = self.connect([f"127.11.0.{number}" for number in range(1, 101)])
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
            return sum(bool(text) for text, _ in self.collect(clients, 2))
        finally:
            for fd in kept:
                os.close(fd)

    def test_a_duplicate_left_open_strands_nobody(self):
        """A process keeps a duplicate of a worker's socket, and so the connections in its queue.
        When the worker has ended, the socket is shut down."""
        instance = self.serve_workers(2, "--hard-shutdown-delay", "200ms")
        self.assertEqual(self.queue_then_reload(instance, keep_duplicates=True), 100)
        self.assertEqual({event["slot"] for event in self.events(instance, "socket_kept")}, {0, 1})
        self.assertEqual(self.queue_then_reload(instance, keep_duplicates=False), 100)
        self.assertEqual(instance.stop(), 0)

    def test_the_naive_way_loses_clients(self):
        """The same with plain SO_REUSEPORT: the new worker starts, then the old one gets SIGTERM.
        This shows that the tests above can fail."""
        workers = [plain_worker(self, slot, 1) for slot in range(4)]
        with self.load(sources=64) as load:
            for generation in range(2, 7):
                for slot in range(4):
                    former, workers[slot] = workers[slot], plain_worker(self, slot, generation)
                    former.send(signal.SIGTERM)
                    former.wait()
        self.assertGreater(load.counts["unsticky"], 0, load.counts)


def plain_worker(test, slot, generation):
    with socket.create_server(HERE, backlog=1024, reuse_port=True) as listener:
        return start_plain(test, listener, slot, generation)


class Ways(LifecycleTestCase):
    """The ways to request a reload, and its reports."""

    def test_signals(self):
        instance = self.serve_workers(2)
        for generation, number in ((2, signal.SIGHUP), (3, signal.SIGUSR2)):
            instance.send(number)
            self.wait_all_ready(instance, generation)
            self.wait_reload(instance)

    def test_without_wait_it_returns_at_once(self):
        command = self.switchable_worker("slow) exec $WORKER --notify-delay 1000;;")
        instance = self.serve_workers(1, command=[command])
        self.mode("slow")
        began = time.monotonic()
        result = instance.run("reload")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertIn("reload 1 has begun; follow it by 'stickyctl status'", result.stderr)
        self.assertLess(time.monotonic() - began, scaled(0.9))
        self.assertEqual(instance.status()["reload"],
                         {"state": "running", "done": 0, "of": 1, "error": None,
                          "waits_for_slot": None})
        self.assertEqual(ask(HERE)["gen"], 1, "the old one serves until the new one is ready")
        self.wait_all_ready(instance, 2)
        self.assertEqual(ask(HERE)["gen"], 2)

    def test_wait_says_a_line_for_each_slot(self):
        instance = self.serve_workers(3)
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 4, lines)
        for slot in range(3):
            self.assertIn(f"slot {slot}", lines[slot])
        self.assertIn("3 of 3", lines[3])

    def test_wait_drained(self):
        instance = self.serve_workers(2)
        line = Line(self)
        line.ask()
        waiting = self.program(instance.arguments[0], "reload", "--wait=drained")
        self.wait_all_ready(instance, 2)
        self.wait_reload(instance)
        wait_for("the report", lambda: "reloaded" in waiting.errors)
        self.assertTrue(waiting.runs, "a connection is still open")
        line.socket.close()
        self.assertEqual(waiting.wait(), 0)
        self.assertTrue(not any(worker["draining"] for worker in instance.workers()))

    def test_wait_drained_with_another_reload_behind(self):
        """A client that waits for the old workers of one reload gets its answer even if a next
        reload has begun."""
        instance = self.serve_workers(1)
        line = Line(self)
        line.ask()
        waiting = self.program(instance.arguments[0], "reload", "--wait=drained")
        wait_for("the report", lambda: "reloaded" in waiting.errors)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertTrue(waiting.runs, "the connection is still open")
        line.socket.close()
        self.wait_drained(instance)
        self.assertEqual(waiting.wait(5), 0)

    def test_bad_words(self):
        instance = self.serve_workers(1)
        self.assertEqual(instance.run("reload", "--wait=later").returncode, USAGE)
        self.assertEqual(instance.run("reload", "now").returncode, USAGE)
        self.assertEqual(self.stickyctl("reload", "-n", "nobody").returncode, NOT_RUNNING)
        self.assertEqual(self.generations(instance), [1])

    def test_a_second_one_is_queued_once(self):
        command = self.switchable_worker("slow) exec $WORKER --notify-delay 500;;")
        instance = self.serve_workers(1, command=[command])
        self.mode("slow")
        self.assertIn("reload 1 has begun; follow it by", instance.run("reload").stderr)
        for _ in range(3):
            result = instance.run("reload")
            self.assertEqual(result.returncode, 0)
            self.assertIn("queued", result.stderr)
        # A client that waits for the queued reload gets the answer about that one.
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("generation 3", result.stderr)
        self.wait_all_ready(instance, 3)
        self.assertEqual(self.wait_reload(instance)["reload"]["state"], "idle")
        self.assertEqual(len(self.events(instance, "reload_begun")), 2)

    def starts(self, instance):
        """Returns when each worker was started, and when it was ready: {(slot, generation): {state:
        time}}."""
        times = {}
        for line in instance.log_lines("worker_state"):
            key = int(line.fields["slot"]), int(line.fields["generation"])
            times.setdefault(key, {})[line.fields["state"]] = line.time
        return times

    def test_one_after_the_other(self):
        instance = self.serve_workers(3, command=(WORKER, "--notify-delay", "150"))
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        times = self.starts(instance)
        for slot in (1, 2):
            self.assertGreaterEqual(times[slot, 2]["starting"], times[slot - 1, 2]["ready"])

    def test_side_by_side(self):
        instance = self.serve_workers(5, "--reload-parallel", "2",
                                      command=(WORKER, "--notify-delay", "300"))
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        times = self.starts(instance)
        lives = [times[slot, 2] for slot in range(5)]
        at_once = [sum(other["starting"] <= life["starting"] < other["ready"]
                       for other in lives) for life in lives]
        self.assertEqual(max(at_once), 2, at_once)

    def test_old_first(self):
        instance = self.serve_workers(2, "--reload-order", "old-first", command=(
            WORKER, "--notify-delay", "100"))
        with self.load() as load:
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assert_nobody_lost(load.counts)
        times = self.starts(instance)
        for slot in range(2):
            gone = [line.time for line in instance.log_lines(
                "worker_exit", slot=slot, generation=1)]
            self.assertEqual(len(gone), 1)
            self.assertGreaterEqual(times[slot, 2]["starting"], gone[0])
        self.assertEqual(self.generations(instance), [2, 2])
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), 0)


class Failing(LifecycleTestCase):
    """New workers that never serve."""

    def check_failure(self, behaviour, word, *arguments, line=None):
        """Check that nothing changes if the first slot's new worker fails."""
        command = self.switchable_worker(f"bad) {behaviour};;")
        instance = self.serve_workers(2, *arguments, command=[command])
        before = self.pids(instance)
        self.mode("bad")
        with self.load() as load:
            result = instance.run("reload", "--wait")
        self.assert_nobody_lost(load.counts)
        self.assertEqual(result.returncode, PARTLY, result.stderr)
        self.assertIn(word, result.stderr)
        self.assertIn("slot 0", result.stderr)
        if line:
            self.assertIn(line, result.stderr)
        status = instance.status()
        self.assertEqual([worker["pid"] for worker in status["workers"]], before)
        self.assertEqual([worker["state"] for worker in status["workers"]], ["ready"] * 2)
        self.assertEqual((status["reload"]["state"], status["reload"]["done"],
                          status["reload"]["of"]), ("failed", 0, 2))
        self.assertIn(word, status["reload"]["error"])
        self.assert_counters(instance)
        # With a good worker the next reload succeeds.
        self.mode("good")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        status = instance.status()
        self.assertEqual((status["reload"]["state"], status["reload"]["error"]),
                         ("idle", None))
        self.assertFalse(set(before) & set(self.pids(instance)))

    def test_it_exits(self):
        self.check_failure("echo no such table: users >&2; exit 1", "code 1",
                           line="no such table: users")

    def test_it_hangs(self):
        self.check_failure("echo waiting for the database >&2; exec $WORKER", "ready-timeout",
                           "--ready-timeout", f"{scaled(700)}ms", line="waiting for the database")

    def test_it_can_not_be_run(self):
        self.check_failure("exec kill -SEGV $$", "SIGSEGV")

    def test_old_first_is_tried_again(self):
        command = self.switchable_worker("bad) exit 1;;")
        instance = self.serve_workers(2, "--reload-order", "old-first", command=[command])
        self.mode("bad")
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, PARTLY, result.stderr)
        self.assertNotIn("goes on", result.stderr)
        self.mode("good")
        with self.load(rate=200) as load:
            self.wait_all_ready(instance)
        self.assert_nobody_lost(load.counts, least=10)

    def test_the_old_one_dies_meanwhile(self):
        """The new worker, although it is slow, becomes the slot's only one. Generations only
        grow."""
        command = self.switchable_worker(
            "slow) echo good > $(dirname $0)/mode; exec $WORKER --notify-delay 1000;;")
        instance = self.serve_workers(1, command=[command])
        self.mode("slow")
        with self.load(sources=32) as load:
            instance.run("reload")
            wait_for("the new life", lambda: instance.log_lines(
                "worker_state", generation=2, state="starting"))
            self.kill_worker(instance)
            wait_for("the new life to serve", lambda: instance.log_lines(
                "worker_state", generation=2, state="ready"))
            self.wait_all_ready(instance)
        lost = load.counts["connections"] - load.counts["answered"]
        self.assertLessEqual(lost, load.counts["reset"] + load.counts["empty"])
        self.assertEqual((load.counts["refused"], load.counts["unsticky"],
                          load.counts["backward"]), (0, 0, 0), load.counts)

    def test_stop_during_a_reload(self):
        command = self.switchable_worker("slow) exec $WORKER;;")
        instance = self.serve_workers(2, command=[command])
        self.mode("slow")
        waiting = self.program(instance.arguments[0], "reload", "--wait")
        instance.wait_status("the reload", lambda status: status["reload"]["state"] == "running")
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(waiting.wait(), PARTLY, waiting.errors)

    def test_drain_during_a_reload(self):
        command = self.switchable_worker("slow) exec $WORKER --notify-delay 500;;")
        instance = self.serve_workers(3, command=[command])
        self.mode("slow")
        waiting = self.program(instance.arguments[0], "reload", "--wait")
        instance.wait_status("the reload", lambda status: status["reload"]["state"] == "running")
        self.assertEqual(instance.run("drain", "0").returncode, 0)
        waiting.wait()
        self.assertEqual([worker["generation"] for worker in instance.workers()][1:], [2, 2])
        self.assertEqual(instance.workers()[0]["state"], "drained")


class Draining(LifecycleTestCase):
    """Connections that are open when their worker is replaced."""

    def test_a_slow_response_and_an_open_connection_finish(self):
        instance = self.serve_workers(2)
        slow, kept = Line(self, "127.9.0.1"), Line(self, "127.9.0.2")
        first = kept.ask()
        began = time.monotonic()
        slow.send("wait=2000")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertLess(time.monotonic() - began, scaled(1.8), "nobody waited for it")
        self.assertEqual(kept.ask(), first)
        self.assertEqual(ask(HERE, "127.9.0.1")["gen"], 2)
        self.assertEqual(ask(HERE, "127.9.0.2")["gen"], 2)
        self.assertEqual(slow.read()["gen"], 1)
        self.assertGreaterEqual(time.monotonic() - began, 1.9)
        self.assertEqual(kept.ask(), first, "the old worker still has it")
        kept.socket.close()
        status = self.wait_drained(instance)
        self.assertEqual([worker["killed"] for worker in status["workers"]], [0, 0])

    def test_the_hard_shutdown_delay_cuts(self):
        instance = self.serve_workers(1, "--hard-shutdown-delay", "500ms")
        line = Line(self)
        line.ask()
        began = time.monotonic()
        line.send("wait=20000")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertTrue(line.is_cut())
        self.assertTrue(0.4 <= time.monotonic() - began < scaled(3))
        worker = self.wait_drained(instance)["workers"][0]
        self.assertEqual((worker["killed"], worker["generation"], worker["restarts"]),
                         (1, 2, 0))
        self.assertEqual(instance.terminate(), 0, "nobody was killed by the stop")

    def test_one_that_ignores_sigterm(self):
        instance = self.serve_workers(2, "--hard-shutdown-delay", "500ms",
                                      command=(WORKER, "--notify", "--ignore-term"))
        with self.load() as load:
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        # Connections that the old worker has accepted by then are cut off with it: it never closed
        # its sockets.
        counts = load.counts
        self.assertEqual((counts["refused"], counts["unsticky"], counts["backward"]), (0, 0, 0))
        self.assertEqual([worker["killed"] for worker in instance.workers()], [1, 1])
        instance.stop("--now")

    def test_a_second_reload_ends_no_request(self):
        """Each worker that drains has its own full time, whatever follows."""
        instance = self.serve_workers(1)
        lines = []
        for generation in range(1, 5):
            line = Line(self)
            self.assertEqual(line.ask()["gen"], generation)
            line.send("wait=1500")
            lines.append(line)
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.workers()[0]["draining"], 4)
        for generation, line in enumerate(lines, 1):
            self.assertEqual(line.read()["gen"], generation)
            line.socket.close()
        self.assertEqual(self.wait_drained(instance)["workers"][0]["killed"], 0)

    def test_max_draining_makes_a_reload_wait(self):
        instance = self.serve_workers(1, "--max-draining", "2")
        lines = []
        for _ in range(2):
            lines.append(Line(self))
            lines[-1].ask()
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        waiting = self.program(instance.arguments[0], "reload", "--wait")
        wait_for("the word", lambda: "slot 0 waits: 2 workers are draining" in waiting.errors)
        self.assertIn("--max-draining", waiting.errors)
        status = instance.status()
        self.assertEqual((status["reload"]["state"], status["reload"]["waits_for_slot"]),
                         ("running", 0))
        self.assertEqual(status["workers"][0]["draining"], 2)
        self.assertIn("slot 0 waits", instance.run("status").stdout)
        self.assertTrue(waiting.runs)
        for line in lines:
            self.assertTrue(line.ask(), "nothing was ended for the reload")
        lines[0].socket.close()
        self.assertEqual(waiting.wait(), 0)
        self.assertEqual(self.generations(instance), [4])
        self.assertEqual(instance.status()["reload"]["waits_for_slot"], None)
        lines[1].socket.close()
        self.assertEqual(self.wait_drained(instance)["workers"][0]["killed"], 0)

    def test_max_draining_holds_a_slot_that_is_drained_again_and_again(self):
        """Each drain, followed by ready, leaves a worker that drains. If there is one too many, the
        slot waits."""
        instance = self.serve_workers(1, "--max-draining", "1")
        lines = []
        for _ in range(2):
            lines.append(Line(self))
            lines[-1].ask()
            self.assertEqual(instance.run("drain", "0").returncode, 0)
            self.assertEqual(instance.run("ready", "0").returncode, 0)
            instance.wait_status("its state", lambda status: status["workers"][0][
                "state"] in ("ready", "draining"))
        event = self.events(instance, "slot_waits")[-1]
        self.assertEqual((event["slot"], event["draining"]), (0, 2))
        lines[0].socket.close()
        self.wait_all_ready(instance, 3)
        self.assertTrue(lines[1].ask())
        lines[1].socket.close()


class Handshakes(LifecycleTestCase):
    """A worker that leaves its slot still accepts connections whose handshake has begun on its
    sockets."""

    def test_without_handshakes_nothing_is_waited_for(self):
        instance = self.serve_workers(1, "--handshake-grace", "20s")
        began = time.monotonic()
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertLess(time.monotonic() - began, scaled(2))
        self.assertEqual(instance.stop(), 0)
        self.assertLess(time.monotonic() - began, scaled(4))

    def test_a_handshake_is_waited_for(self):
        instance = self.serve_workers(1, "--handshake-grace", "20s")
        with HalfOpen(HERE) as client:
            began = time.monotonic()
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            self.assertLess(time.monotonic() - began, scaled(2), "the reload does not wait")
            self.assertEqual(ask(HERE)["gen"], 2)
            self.assertEqual(self.states(instance, 1)[-1], "leaving")
            self.assertEqual(client.finish()["gen"], 1, "it is accepted where it began")
        self.wait_drained(instance)
        self.assertEqual(self.states(instance, 1)[-3:], ["leaving", "draining", "gone"])
        self.assertLess(time.monotonic() - began, scaled(10), "no grace without handshakes")

    def test_a_handshake_without_an_end_is_waited_for_so_long(self):
        instance = self.serve_workers(1, "--handshake-grace", "800ms")
        with HalfOpen(HERE):
            began = time.monotonic()
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            self.wait_drained(instance)
            self.assertGreaterEqual(time.monotonic() - began, 0.75)

    def test_drain_waits_for_handshakes(self):
        instance = self.serve_workers(1, "--handshake-grace", "20s")
        with HalfOpen(HERE) as client:
            self.assertEqual(instance.run("drain", "0").returncode, 0)
            self.assertEqual(instance.workers()[0]["state"], "leaving")
            self.assertEqual(client.finish()["gen"], 1)
        instance.wait_status("the end", lambda status: status["workers"][0]["state"] == "drained")

    def test_scale_waits_for_handshakes(self):
        instance = self.serve_workers(2, "--handshake-grace", "20s")
        with HalfOpen(HERE, self.sources_of(instance, 1, 1)[0]) as client:
            self.assertEqual(instance.run("scale", "1").returncode, 0)
            answer = client.finish()
            self.assertEqual((answer["slot"], answer["gen"]), (1, 1))
        self.assertEqual(instance.stop(), 0)

    def test_stop_waits_for_handshakes(self):
        instance = self.serve_workers(1, "--handshake-grace", "20s")
        with HalfOpen(HERE) as client:
            stopping = self.program(instance.arguments[0], "stop")
            instance.wait_status("the stop", lambda status: status["workers"][0][
                "state"] == "leaving")
            self.assertEqual(client.finish()["gen"], 1)
        self.assertEqual(stopping.wait(), 0)

    def test_spill_waits_for_handshakes(self):
        instance = self.serve_workers(2, "--handshake-grace", "20s", "--when-down", "spill")
        source = self.sources_of(instance, 1, 1)[0]
        with HalfOpen(HERE, source) as client:
            self.assertEqual(instance.run("drain", "1").returncode, 0)
            self.assertEqual(ask(HERE, source)["slot"], 0, "new ones go to the other slot")
            self.assertEqual(client.finish()["slot"], 1)
        instance.wait_status("the end", lambda status: status["workers"][1]["state"] == "drained")

    def test_a_worker_that_dies_meanwhile(self):
        instance = self.serve_workers(1, "--handshake-grace", "20s")
        with HalfOpen(HERE) as client:
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            os.kill(self.events(instance, "worker_state")[0]["pid"], signal.SIGKILL)
            self.wait_drained(instance)
            self.assertEqual(client.finish()["gen"], 2, "the kernel moves the handshake")

    def test_a_fast_stop_waits_for_none(self):
        instance = self.serve_workers(1, "--handshake-grace", "20s")
        with HalfOpen(HERE):
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            began = time.monotonic()
            instance.stop("--now")
            self.assertLess(time.monotonic() - began, scaled(3))

    def states(self, instance, generation):
        return [event["state"] for event in self.events(instance, "worker_state")
                if event["generation"] == generation]


if __name__ == "__main__":
    harness.main()
