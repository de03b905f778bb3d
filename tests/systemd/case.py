# SPDX-License-Identifier: MIT
"""What the checks have in common: an instance each, and that nothing of it is left."""

import contextlib
import os
import pathlib
import signal
import unittest

from service import WORKER, Service, is_alive, wait_for

RUNNING = "active (running)"


class Case(unittest.TestCase):
    """A check with an instance of its own, which must leave nothing behind."""

    manager = None

    def service(self, start=True, drop_in=None, **options):
        service = Service("web", self.manager, **options)
        self.addCleanup(self.clean_up, service)
        if drop_in:
            service.drop_in(drop_in)
        if start:
            self.assertEqual(service.do("start"), 0, service.journal()[-2000:])
        return service

    def clean_up(self, service):
        service.do("stop")
        drop_in = service.manager.drop_ins / f"{service.unit}.d" / "test.conf"
        drop_in.unlink(missing_ok=True)
        service.path.unlink(missing_ok=True)
        service.systemctl("daemon-reload")
        service.do("reset-failed")
        with contextlib.suppress(AssertionError):
            wait_for("an empty cgroup", lambda: not service.processes(), 5)
        left = service.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.assertEqual(left, [], f"processes are left: {service.journal()[-2000:]}")

    def assert_nobody_lost(self, counts):
        self.assertGreater(counts["connections"], 100)
        self.assertEqual((counts["answered"], counts["unsticky"]), (counts["connections"], 0),
                         counts)

    def assert_stopped(self, service, pids):
        self.assertEqual([pid for pid in pids if is_alive(pid)], [])
        # The keeper of servers that bind by themselves ends a moment after the last worker.
        wait_for("an empty cgroup", lambda: not service.processes(), 5)
        self.assertFalse(list(pathlib.Path("/sys/fs/bpf").glob("sticky*/*")))
        self.assertFalse(list(pathlib.Path("/run").glob("**/sticky/web/*")))

    def check_what_leaves_its_worker(self):
        """What has left its worker's process group is killed with the worker, and nothing is left."""
        service = self.service(workers=1, hard_shutdown_delay="1s", command=[
            "sh", "-c", f"trap '' TERM; setsid sleep 1234 & exec {WORKER} --notify --ignore-term"])
        before = service.workers()
        self.assertEqual(service.cgroups(), ["stickyctl-web@0.1"])
        self.assertEqual(service.do("reload"), 0)
        wait_for("the previous worker's cgroup to go",
                 lambda: service.cgroups() == ["stickyctl-web@0.2"])
        pids = [*before, *map(int, service.processes())]
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual(service.state, "inactive (dead)")
        self.assertNotIn("process_left", service.journal())
        self.assert_stopped(service, pids)

    def check_stop_in_the_pause(self):
        """A stop after a crash, before the next controller, ends the workers."""
        service = self.service()
        pids = service.workers()
        service.kill_controller()
        service.wait_pause()
        self.assertEqual(service.do("stop"), 0)
        self.assert_stopped(service, pids)
        return service
