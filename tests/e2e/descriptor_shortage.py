# SPDX-License-Identifier: MIT
"""The common part of tests in which the controller has no file descriptor left."""

from activity import Activity
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from world import slowness

REFUSED = "Too many open files"  # EMFILE
SOURCES = [f"127.9.0.{number}" for number in range(1, 33)]  # a few addresses for each slot

# Limits for a loop that only has to try again now and then. A loop that spins uses a whole
# processor, unless other processes want it, too. A loop that sleeps for short times wakes up often.
CPU_MAX = 0.15
WAKES_MAX = 150
LOG_LINES_MAX = 40


class DescriptorShortageTestCase(LifecycleTestCase):
    """An instance whose descriptors are taken away. It must have as many as before afterwards."""

    def assert_calm(self, instance, seconds=1):
        lines = instance.errors.count("\n")
        cpu, wakes = Activity(instance.pid).after(seconds)
        self.assertLess(cpu, CPU_MAX * slowness())
        self.assertLess(wakes, WAKES_MAX)
        self.assertLess(instance.errors.count("\n") - lines, LOG_LINES_MAX)

    def assert_refused_line(self, line, name="how"):
        self.assertIn(REFUSED, line.fields[name])
        self.assertNotIn(" :", line.fields[name])

    def assert_served(self, instance, pids):
        for source in SOURCES:
            self.assertIn(ask(HERE, source)["pid"], pids)

    def check_after(self, instance, descriptors):
        """Check that everything is as before, and that a reload works."""
        self.wait_all_ready(instance)
        result = instance.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_counters(instance)
        instance.wait_descriptors(descriptors)
