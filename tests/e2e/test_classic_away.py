#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers that die or are away, under a classic BPF program without privilege. What happens to
their clients?"""

import harness
import lifecycle
import test_crash
import test_holding
from clients import HERE, ask
from unprivileged import Classic


class Killed(Classic, test_crash.Killed):
    """Workers that die under load. A worker that is starting may already serve: this engine's
    guarantee is weaker."""

    test_none_is_served_before_ready = None
    test_a_forked_child_keeps_nothing = None


class Holding(Classic, lifecycle.LifecycleTestCase):
    """Clients of a slot without a process."""

    BUDGET = ("--max-retries", "4", "--retry-delay", "100ms")

    def wait_empty(self, instance, slot):
        """Wait until no process of the slot is left."""
        instance.wait_status("an empty slot", lambda status: status["workers"][slot][
            "pid"] is None and not status["draining"])

    def test_they_are_answered_in_time(self):
        instance = self.serve_workers(2, *self.BUDGET)
        self.assertEqual(instance.run("drain", 1).returncode, 0)
        self.wait_empty(instance, 1)
        sources = self.sources_of(instance, 1, 20)
        results = self.collect(self.connect(sources, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        for answer, _ in results:
            self.assertIn(b"502 Bad Gateway", answer)
        self.assertEqual(instance.status()["counters"]["answered_502"], 20)
        # The other slot serves on, and this one comes back.
        self.assertEqual(ask(HERE, self.sources_of(instance, 0, 1)[0])["slot"], 0)
        self.assertEqual(instance.run("ready", 1).returncode, 0)
        self.wait_generation(instance, 2, slot=1)
        self.assertEqual(ask(HERE, sources[0])["slot"], 1)

    def test_they_wait_for_the_next_worker(self):
        instance = self.serve_workers(2)
        self.assertEqual(instance.run("drain", 1).returncode, 0)
        self.wait_empty(instance, 1)
        clients = self.connect(self.sources_of(instance, 1, 20))
        self.assertEqual(instance.run("ready", 1).returncode, 0)
        answers = [text for text, _ in self.collect(clients) if text]
        self.assertEqual(len(answers), 20)
        self.assertEqual(instance.status()["counters"]["answered_502"], 0)

    def test_spill(self):
        instance = self.serve_workers(3, "--when-down", "spill")
        sources = self.sources_of(instance, 1, 20)
        self.assertEqual(instance.run("drain", 1).returncode, 0)
        self.wait_empty(instance, 1)
        self.assertEqual({ask(HERE, source)["slot"] for source in sources}, {0, 2})
        self.assertEqual([instance.where(source)["slot"] == 1 for source in sources],
                         [False] * 20)
        self.assertEqual(instance.run("ready", 1).returncode, 0)
        self.wait_generation(instance, 2, slot=1)
        self.assertEqual({ask(HERE, source)["slot"] for source in sources}, {1})


class Answer(Classic, test_holding.Answer):
    """The tests of the kernel engine about the 502."""

    test_one_that_never_stops_to_send = None  # it takes long, and does not depend on the engine
    test_many_leave_no_descriptor = None


class Waiting(Classic, test_holding.Waiting):
    """Clients whose worker becomes ready in time."""

    test_before_the_first_life_is_ready = None  # the worker may serve before that: see Starting


class Limit(Classic, test_crash.Limit):
    """--restart-limit."""


class Silent(Classic, test_crash.Silent):
    """Workers that live, but serve no client."""

    test_who_speaks_is_left_alone = None  # it does not depend on the engine
    test_the_watchdog_is_not_for_draining_lives = None


if __name__ == "__main__":
    harness.main()
