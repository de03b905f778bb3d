#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The controller has no descriptor left (EMFILE). An operation that needs one is refused with a
message, and tried again after a pause. Workers serve on, and no connection is lost for good."""

import os
import signal

import harness
from clients import HERE, ask
from descriptor_limits import few_descriptors
from descriptor_shortage import REFUSED, SOURCES, DescriptorShortageTestCase
from lifecycle import PARTLY
from world import wait_for


class Orders(DescriptorShortageTestCase):
    """Reload and scale, with the shortage at each of their steps."""

    def test_reload(self):
        """One more descriptor is free each time, until the reload succeeds. So each step of a start
        fails once."""
        instance = self.serve_workers(2)
        descriptors = instance.descriptors()
        failed, free = 0, 0
        while failed == free:
            self.assertLess(free, 60)
            before = self.pids(instance)
            with few_descriptors(instance.pid, free):
                instance.send(signal.SIGHUP)
                free += 1
                ended, = wait_for("the reload's end", lambda: instance.log_lines(
                    "reload_ended", reload=free))
                if ended.fields["ok"] == "no":
                    failed += 1
                    self.assert_refused_line(ended, "error")
                    slot = int(ended.fields["done"])
                    self.assertEqual(self.answering(instance, slot), before[slot])
            self.wait_all_ready(instance)
            self.wait_drained(instance)
            instance.wait_descriptors(descriptors)
        self.assertGreater(failed, 10)
        self.check_after(instance, descriptors)

    def answering(self, instance, slot):
        """Returns the pid that answers the clients of a slot. Asking the table needs no
        descriptor."""
        answers = [ask(HERE, source) for source in SOURCES]
        return next(answer["pid"] for answer in answers if answer["slot"] == slot)

    def test_reload_by_command(self):
        instance = self.serve_workers(2)
        descriptors, before = instance.descriptors(), self.pids(instance)
        with few_descriptors(instance.pid, 1):  # for the command's connection
            result = instance.run("reload", "--wait")
            self.assertEqual(result.returncode, PARTLY, result.stderr)
            for word in ("slot 0", "could not be started", REFUSED, "ulimit -n",
                         "old worker goes on", "0 of 2"):
                self.assertIn(word, result.stderr)
            status = instance.wait_status("the failure", lambda status: status["reload"][
                "state"] == "failed")
            self.assertIn(REFUSED, status["reload"]["error"])
            self.assertEqual([(worker["pid"], worker["state"]) for worker in
                              status["workers"]], [(pid, "ready") for pid in before])
            self.assert_served(instance, before)
        self.check_after(instance, descriptors)

    def test_status(self):
        """A value that can't be measured is shown as unknown, and not as zero."""
        instance = self.serve_workers(2)
        with few_descriptors(instance.pid, 1):  # for the command's connection
            result = instance.run("status")
        self.assertEqual(result.returncode, 0, result.stderr)
        for pid in self.pids(instance):
            line, = [line for line in result.stdout.splitlines() if f" {pid} ready " in line]
            self.assertEqual(line.split()[-1], "-", line)

    def test_scale(self):
        """The operation is refused as a whole, or it succeeds. Then the new slot's clients wait for
        its worker."""
        instance = self.serve_workers(1)
        descriptors = instance.descriptors()
        answers = []
        for free in (0, 1, 2, 4, 8, 12):
            with instance.control() as control:
                self.assertEqual(control.ask("/v1/status")[0], 200)
                former = len(instance.log_lines("worker_exit", slot=1))
                with few_descriptors(instance.pid, free):
                    code, answer = control.ask("/v1/scale?slots=%2B1", "POST")
                    answers.append(code)
                    slots = 2 if code == 200 else 1
                    if code != 200:
                        self.assertEqual((code, answer), (409, {"error": f"scale: {REFUSED}"}))
                    self.assertEqual(control.ask("/v1/status")[1]["slots"], slots)
                    if slots == 2:
                        lines = wait_for("a try", lambda former=former: instance.log_lines(
                            "worker_exit", slot=1)[former:])
                        self.assert_refused_line(lines[0])
            self.wait_all_ready(instance)
            self.assertEqual({ask(HERE, source)["slot"] for source in SOURCES},
                             set(range(slots)))
            self.assertEqual(instance.run("scale", "1").returncode, 0)
            self.wait_drained(instance)
            instance.wait_descriptors(descriptors)
        self.assertEqual(answers[0], 409)
        self.assertEqual(answers[-1], 200)
        self.check_after(instance, descriptors)


class Crash(DescriptorShortageTestCase):
    """A worker dies, and no descriptor is left for a new one."""

    def test_crash(self):
        """No holding sockets can be made. The dead worker's own sockets then hold the slot."""
        instance = self.serve_workers(2)
        descriptors, before = instance.descriptors(), self.pids(instance)
        source = self.sources_of(instance, 1, 8)[0]
        with instance.control() as control:
            control.ask("/v1/status")
            with few_descriptors(instance.pid, 0):
                os.kill(before[1], signal.SIGKILL)
                wait_for("some tries", lambda: len(instance.log_lines(
                    "worker_exit", slot=1)) >= 4)
                worker = control.ask("/v1/status")[1]["workers"][1]
                self.assertEqual((worker["state"], worker["pid"]), ("waiting", None))
                self.assertGreaterEqual(worker["restarts"], 2)
                self.assertIn(REFUSED, worker["last_exit"]["text"])
                waiting = self.connect([source])
                self.assertIn(ask(HERE, self.sources_held(control, 0))["pid"], before)
        (answer, _), = self.collect(waiting)
        self.assertIn(b"slot=1 ", answer)
        # The controller may notice that a descriptor of the dead worker is closed before it notices
        # the worker's end. Then there is a descriptor for a holding socket.
        self.assertLessEqual(len(instance.log_lines("holding_failed", slot=1, error=REFUSED)), 1)
        for line in instance.log_lines("worker_exit", slot=1)[1:]:
            self.assert_refused_line(line)
        self.check_after(instance, descriptors)

    def sources_held(self, control, slot):
        """Returns a client of a slot. The question is sent on an open connection."""
        for source in SOURCES:
            if control.ask(f"/v1/where?address={source}")[1]["slot"] == slot:
                return source
        raise AssertionError(slot)

    def test_clients_that_are_due(self):
        """These clients have waited long enough, but there is no descriptor to answer them. They
        wait on, and the loop does not spin."""
        instance = self.serve_workers(2, "--max-retries", "2", "--retry-delay", "100ms")
        descriptors, before = instance.descriptors(), self.pids(instance)
        sources = self.sources_of(instance, 1, 8)[:3]
        with few_descriptors(instance.pid, 0):
            os.kill(before[1], signal.SIGKILL)
            wait_for("a try", lambda: len(instance.log_lines("worker_exit", slot=1)) >= 2)
            waiting = self.connect(sources)
            self.assert_calm(instance)
        for answer, _ in self.collect(waiting):
            self.assertTrue(answer and (b" 502 " in answer or b"slot=1 " in answer), answer)
        self.wait_all_ready(instance)
        self.check_after(instance, descriptors)


if __name__ == "__main__":
    harness.main()
