# SPDX-License-Identifier: MIT
"""The unit for users."""

import signal
import subprocess

from case import RUNNING, Case
from service import STICKYCTL, TARGET, Load, is_alive
from user_manager import UserManager


class User(Case):
    """The user's unit, under systemd --user."""

    @classmethod
    def setUpClass(cls):
        cls.manager = UserManager("nobody")
        cls.manager.start()

    @classmethod
    def tearDownClass(cls):
        cls.manager.stop()

    def test_start_reload_stop(self):
        """start: running, with the classic engine; reload under load; stop: an empty cgroup"""
        service = self.service()
        self.assertEqual(service.state, RUNNING)
        self.assertEqual(service.show("StatusText"),
                         "running, 2 of 2 slots ready; steering classic")
        load = Load()
        self.assertEqual(service.do("reload"), 0)
        self.assert_nobody_lost(load.stop())
        pids = [service.pid, *service.workers()]
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual(service.state, "inactive (dead)")
        self.assert_stopped(service, pids)

    def test_crash(self):
        """kill -9: the workers serve until the next controller ends them, and begins anew"""
        service = self.service()
        before = service.workers()
        former = service.kill_controller()
        service.wait_pause()
        self.assertTrue(all(map(is_alive, before)))
        service.wait_next(former)
        self.assertFalse(set(before) & set(service.workers()))
        self.assertEqual([pid for pid in before if is_alive(pid)], [])

    def test_stop_in_the_pause(self):
        """stop after a crash, before the next controller: ends the workers"""
        self.check_stop_in_the_pause()

    def test_watchdog(self):
        """watchdog: a controller that hangs is replaced"""
        service = self.service(drop_in="WatchdogSec=2")
        service.wait_next(service.kill_controller(signal.SIGSTOP))

    def test_file_capabilities(self):
        """a stickyctl with file capabilities: the kernel's engine, and port 80"""
        if subprocess.run(["setcap", "cap_bpf,cap_net_bind_service+ep", STICKYCTL],
                          check=False, capture_output=True).returncode:
            self.skipTest("setcap is not possible here")
        self.addCleanup(subprocess.run, ["setcap", "-r", STICKYCTL], check=True)
        service = self.service(listen=["127.0.0.1:80", TARGET])
        self.assertEqual(service.show("StatusText"),
                         "running, 2 of 2 slots ready; steering kernel")
