#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""More slots, fewer, and slots that are taken out for a while: who moves, and who does not."""

import re
import signal

import harness
from clients import HERE, ask
from lifecycle import LifecycleTestCase, Line
from programs import FAILED, NOT_RUNNING, USAGE, WORKER
from world import wait_for

BUCKETS = 65536
SOURCES = [f"127.7.{number // 200}.{number % 200 + 1}" for number in range(400)]


class SlotsTestCase(LifecycleTestCase):
    def served(self):
        """Who serves each client, by real connections."""
        return {source: ask(HERE, source)["slot"] for source in SOURCES}

    def scale(self, instance, slots):
        """Returns how many buckets it says have moved."""
        result = instance.run("scale", slots)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = re.search(r"(\d+) slots?, before (\d+): (\d+) of 65536 buckets moved, ([\d.]+)%",
                          result.stdout)
        self.assertTrue(found, result.stdout)
        self.assertAlmostEqual(float(found[4]), 100 * int(found[3]) / BUCKETS, delta=0.01)
        self.assertEqual(int(found[1]), instance.status()["slots"])
        return int(found[3])


class Scale(SlotsTestCase):
    def test_up_and_down_moves_the_least(self):
        instance = self.serve_workers(4)
        four = self.served()
        self.assertAlmostEqual(self.scale(instance, "5"), BUCKETS / 5, delta=2)
        self.wait_all_ready(instance)
        five = self.served()
        moved = {source for source in SOURCES if four[source] != five[source]}
        self.assertTrue(moved)
        self.assertEqual({five[source] for source in moved}, {4}, "to the new slot alone")
        self.assertEqual([worker["restarts"] for worker in instance.workers()], [0] * 5)
        self.assertAlmostEqual(self.scale(instance, "-1"), BUCKETS / 5, delta=2)
        self.assertEqual(self.served(), four, "back where they were")
        self.assertAlmostEqual(self.scale(instance, "+2"), BUCKETS / 3, delta=4)
        self.wait_all_ready(instance)
        self.assertEqual(instance.status()["slots"], 6)
        self.assertEqual(self.scale(instance, "6"), 0)
        self.scale(instance, "1")
        self.assertEqual(set(self.served().values()), {0})
        self.scale(instance, "4")
        self.wait_all_ready(instance)
        self.assertEqual(self.served(), four)
        # A slot that comes back counts its generations on.
        self.assertEqual(self.generations(instance), [1, 2, 2, 2])

    def test_signals(self):
        instance = self.serve_workers(2)
        instance.send(signal.SIGTTIN)
        instance.wait_status("three", lambda status: status["slots"] == 3 and all(
            worker["state"] == "ready" for worker in status["workers"]))
        for wanted in (2, 1):
            instance.send(signal.SIGTTOU)
            instance.wait_status("fewer", lambda status: status["slots"] == wanted)
        instance.send(signal.SIGTTOU)
        wait_for("a refusal", lambda: instance.log_lines("scale_refused"))
        self.assertEqual(instance.status()["slots"], 1)

    def test_under_load(self):
        instance = self.serve_workers(2)
        with self.load() as load:
            for slots in (5, 3, 8, 1, 4):
                self.scale(instance, slots)
                self.wait_all_ready(instance)
        counts = load.counts
        self.assertEqual(counts["answered"], counts["connections"], counts)
        self.assert_counters(instance)

    def test_the_queue_of_a_removed_slot(self):
        """It is served by those whom the table names then."""
        command = self.script_worker("[ $STICKY_SLOT = 2 ] && exec $WORKER --notify --no-accept\n"
                                     "exec $WORKER --notify")
        instance = self.serve_workers(3, command=[command])
        sources = self.sources_of(instance, 2, 100)
        clients = self.connect(sources)
        instance.wait_status("all to be queued", lambda status: status["workers"][2][
            "queue"] == 100)
        self.scale(instance, "2")
        answers = self.collect(clients)
        named = {answer["address"]: answer["slot"] for answer in instance.where(*sources)}
        for source, (answer, _) in zip(sources, answers):
            self.assertTrue(answer, source)
            self.assertIn(f"slot={named[source]} ".encode(), answer)

    def test_the_worker_of_a_removed_slot_finishes(self):
        instance = self.serve_workers(2)
        line = Line(self, self.sources_of(instance, 1, 1)[0])
        first = line.ask()
        self.assertEqual(first["slot"], 1)
        self.scale(instance, "1")
        self.assertEqual(line.ask(), first)
        line.socket.close()
        self.wait_gone(first["pid"])

    def test_refused(self):
        instance = self.serve_workers(2)
        for slots in ("0", "1025", "+1023", "-2", "x", "", "-", "+", "99999999999"):
            with self.subTest(slots=slots):
                result = instance.run("scale", slots)
                self.assertEqual(result.returncode, USAGE, result.stderr)
                self.assertIn("stickyctl", result.stderr)
        self.assertEqual(instance.run("scale").returncode, USAGE)
        self.assertEqual(self.stickyctl("scale", "-n", "nobody", "2").returncode, NOT_RUNNING)
        # The value of an option is not the number of slots.
        self.assertEqual(self.stickyctl("scale", "--run-dir", "-2", "x").returncode, USAGE)
        self.assertEqual(instance.status()["slots"], 2)


class Drain(SlotsTestCase):
    """drain, ready, restart."""

    def drain(self, instance, slot):
        self.assertEqual(instance.run("drain", slot).returncode, 0)
        return instance.wait_status("the drained slot", lambda status: status["workers"][slot][
            "state"] == "drained")

    def test_hold(self):
        instance = self.serve_workers(3)
        source = self.sources_of(instance, 1, 1)[0]
        self.drain(instance, 1)
        self.assertEqual(sum(worker["buckets"] for worker in instance.workers()), BUCKETS)
        client, = self.connect([source])
        instance.wait_status("the client to wait", lambda status: status["held"] == 1)
        self.assertEqual(instance.run("ready", "1").returncode, 0)
        (answer, _), = self.collect([client])
        self.assertIn(b"slot=1 ", answer)
        self.assertIn(b"gen=2 ", answer)

    def test_spill(self):
        """They go to the others evenly, and come back unchanged."""
        instance = self.serve_workers(5, "--when-down", "spill")
        before = self.served()
        with self.load() as load:
            status = self.drain(instance, 2)
            shares = [worker["buckets"] for worker in status["workers"]]
            self.assertEqual((shares[2], sum(shares)), (0, BUCKETS))
            others = shares[:2] + shares[3:]
            self.assertLessEqual(max(others) - min(others), 8, shares)
            during = self.served()
            for source, slot in before.items():
                if slot != 2:
                    self.assertEqual(during[source], slot, "nobody else moves")
                else:
                    self.assertNotEqual(during[source], 2)
            self.assertEqual(instance.run("ready", "2").returncode, 0)
            self.wait_all_ready(instance)
        self.assertEqual(load.counts["answered"], load.counts["connections"], load.counts)
        self.assertEqual(self.served(), before)

    def test_it_survives_a_reload_and_a_crash(self):
        instance = self.serve_workers(3)
        self.drain(instance, 1)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.kill_worker(instance, 0)
        self.wait_generation(instance, 3)
        self.assertEqual([worker["state"] for worker in instance.workers()],
                         ["ready", "drained", "ready"])
        self.assertEqual(self.generations(instance), [3, 1, 2])
        self.assertEqual(instance.run("ready", "1").returncode, 0)
        self.wait_generation(instance, 2, slot=1)

    def test_again_is_no_error(self):
        instance = self.serve_workers(2)
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        self.drain(instance, 0)
        self.assertEqual(instance.run("drain", "0").returncode, 0)
        self.assert_message(instance.run("restart", "0"), "drained", code=FAILED)
        self.assertEqual(self.generations(instance)[1], 1)

    def test_restart_replaces_one(self):
        instance = self.serve_workers(3)
        with self.load() as load:
            self.assertEqual(instance.run("restart", "1").returncode, 0)
            self.wait_generation(instance, 2, slot=1)
        self.assert_nobody_lost(load.counts)
        self.assertEqual(self.generations(instance), [1, 2, 1])
        self.assertEqual([worker["restarts"] for worker in instance.workers()], [0] * 3)

    def test_no_such_slot(self):
        instance = self.serve_workers(2)
        for command in ("drain", "ready", "restart"):
            for slot in ("2", "1023", "1024", "x", "-1", ""):
                with self.subTest(command=command, slot=slot):
                    result = instance.run(command, slot)
                    self.assertEqual(result.returncode, USAGE, result.stderr)
                    self.assertIn("stickyctl", result.stderr)
            self.assertEqual(instance.run(command).returncode, USAGE)
            self.assertEqual(self.stickyctl(command, "-n", "no", "0").returncode, NOT_RUNNING)
        self.assertEqual([worker["state"] for worker in instance.workers()], ["ready"] * 2)


if __name__ == "__main__":
    harness.main()
