# SPDX-License-Identifier: MIT
"""The controller dies, or hangs. What happens to the workers, and at a stop after that?"""

import os
import pathlib
import signal
import socket
import time

from case import RUNNING, Case
from service import HERE, WORKER, Load, is_alive, wait_for


class Crash(Case):
    """The controller dies."""

    def test_takeover(self):
        """kill -9: the workers live on, and are taken over; no connection lost"""
        service = self.service()
        before = service.workers()
        load = Load()
        former = service.kill_controller()
        service.wait_pause()
        self.assertTrue(all(map(is_alive, before)))
        service.wait_next(former)
        self.assert_nobody_lost(load.stop())
        self.assertEqual((service.workers(), service.show("NRestarts")), (before, "1"))

    def test_the_naive_way(self):
        """kill -9 with KillMode=control-group: the workers die, and connections are lost"""
        service = self.service(drop_in="KillMode=control-group")
        before = service.workers()
        load = Load()
        service.wait_next(service.kill_controller())
        counts = load.stop()
        self.assertLess(counts["answered"], counts["connections"])
        self.assertFalse([pid for pid in before if is_alive(pid)])

    def test_watchdog(self):
        """watchdog: a controller that hangs is replaced, and the workers stay"""
        service = self.service(drop_in="WatchdogSec=2")
        before = service.workers()
        load = Load()
        former = service.kill_controller(signal.SIGSTOP)
        service.wait_next(former)
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.workers(), before)
        self.assertIn("watchdog", service.journal().lower())

    def test_stop_in_the_pause(self):
        """stop after a crash, before the next controller: ends the workers"""
        service = self.check_stop_in_the_pause()
        self.assertIn(service.state, ("inactive (dead)", "failed (failed)"))

    def test_restart_in_the_pause(self):
        """restart after a crash, before the next controller: takes the workers over"""
        service = self.service()
        before = service.workers()
        former = service.kill_controller()
        service.wait_pause()
        self.assertEqual(service.do("restart"), 0)
        service.wait_next(former)
        self.assertEqual(service.workers(), before)

    def test_loop(self):
        """8 crashes one after the other: the workers stay; then stop ends everything"""
        service = self.service()
        before = service.workers()
        for _ in range(8):
            former = service.kill_controller()
            wait_for("the next controller", lambda former=former: service.pid not in (0, former))
        service.kill_controller()
        wait_for("the last controller", lambda: service.state == RUNNING)
        self.assertEqual(service.workers(), before)
        service.kill_controller()
        self.assertEqual(service.do("stop"), 0)
        self.assert_stopped(service, before)

    def test_a_slot_that_fails(self):
        """kill -9 while a slot's workers fail: the other slot's worker serves on, for good"""
        broken = pathlib.Path("/tmp/broken")
        service = self.service(
            drop_in="TimeoutStartSec=2", min_uptime="5ms",
            command=["sh", "-c", f"[ ! -e {broken} ] || exit 1; exec {WORKER} --notify"])
        before = service.workers()
        broken.touch()
        self.addCleanup(broken.unlink)
        os.kill(before[1], signal.SIGKILL)
        wait_for("the slot to fail", lambda: "1 of 2 slots ready" in service.show("StatusText"))
        service.wait_next(service.kill_controller())
        time.sleep(3)  # longer than TimeoutStartSec=
        self.assertEqual((service.state, service.show("NRestarts")), (RUNNING, "1"))
        self.assertEqual(service.workers()[0], before[0])

    def test_a_mistake_since_then(self):
        """crash, and the file has a mistake by now: the workers serve on until start, or stop"""
        service = self.service()
        before = service.workers()
        service.write("wrokers: 2\n")
        service.kill_controller()
        wait_for(f"failed, {service.state}", lambda: service.state == "failed (failed)")
        self.assertTrue(all(map(is_alive, before)))
        service.configure()
        self.assertEqual(service.do("start"), 0)
        self.assertEqual(service.workers(), before)
        service.write("wrokers: 2\n")
        service.kill_controller()
        wait_for(f"failed, {service.state}", lambda: service.state == "failed (failed)")
        self.assertEqual(service.stickyctl("stop").returncode, 0)
        self.assert_stopped(service, before)

    def test_hangs_while_it_stops(self):
        """stop of a controller that hangs: it is killed, and so are the workers"""
        service = self.service(drop_in="TimeoutStopSec=1", hard_shutdown_delay="1s")
        pids = service.workers()
        client = socket.create_connection(HERE)
        self.addCleanup(client.close)
        client.sendall(b"+\n")
        client.recv(100)
        service.do("stop", "--no-block")
        wait_for("the stop", lambda: service.show("SubState") == "stop-sigterm")
        service.kill_controller(signal.SIGSTOP)
        wait_for("the end", lambda: service.show("SubState") in ("dead", "failed"))
        self.assertEqual(service.show("Result"), "timeout")
        self.assert_stopped(service, pids)
