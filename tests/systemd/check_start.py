# SPDX-License-Identifier: MIT
"""systemctl start, restart, stop, enable."""

import pathlib
import socket
import time

from case import RUNNING, Case
from service import HERE, WORKER, wait_for


class Start(Case):
    """systemctl start, status, stop."""

    def test_start_and_stop(self):
        """start: running, with the kernel's engine and a status text; stop: an empty cgroup"""
        service = self.service()
        self.assertEqual(service.state, RUNNING)
        self.assertEqual(service.show("StatusText"),
                         "running, 2 of 2 slots ready; steering kernel")
        self.assertNotIn("takeover_", service.journal())
        pids = [service.pid, *service.workers()]
        self.assertTrue(set(map(str, pids)) <= set(service.processes()))
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual((service.state, service.show("Result")), ("inactive (dead)", "success"))
        self.assert_stopped(service, pids)

    def test_ready_after_the_workers(self):
        """start: activating until the last worker is ready"""
        gate = pathlib.Path("/tmp/gate")
        service = self.service(start=False, command=[
            "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done; exec {WORKER} --notify"])
        self.addCleanup(gate.unlink)
        service.do("start", "--no-block")
        wait_for("the status text", lambda: "0 of 2 slots ready" in service.show("StatusText"))
        self.assertEqual(service.state, "activating (start)")
        gate.touch()
        wait_for(f"running, {service.state}", lambda: service.state == RUNNING)

    def test_bad_configuration(self):
        """a mistake in the file, and a file that is not there: failed, and not tried again"""
        service = self.service(start=False)
        service.write("wrokers: 2\n")
        self.assertNotEqual(service.do("start"), 0)
        self.assertEqual((service.state, service.show("ExecMainStatus"), service.show("NRestarts")),
                         ("failed (failed)", "78", "0"))
        self.assertIn("did you mean 'workers'?", service.journal())
        service.path.unlink()
        self.assertNotEqual(service.do("start"), 0)
        self.assertEqual((service.state, service.show("NRestarts")), ("failed (failed)", "0"))

    def test_tried_again(self):
        """a start that fails: tried again each second, until it succeeds"""
        service = self.service(start=False)
        with socket.create_server(HERE):
            began = time.monotonic()
            self.assertNotEqual(service.do("start"), 0)
            self.assertGreater(time.monotonic() - began, 1)
            wait_for("the second try", lambda: int(service.show("NRestarts")) >= 2)
            self.assertGreater(time.monotonic() - began, 2)
        wait_for(f"running, {service.state}", lambda: service.state == RUNNING)

    def test_restart(self):
        """restart: other workers"""
        service = self.service()
        before = service.workers()
        self.assertEqual(service.do("restart"), 0)
        self.assertEqual(service.state, RUNNING)
        self.assertFalse(set(before) & set(service.workers()))

    def test_a_worker_that_does_not_end(self):
        """stop: a worker that had to be killed is no failure of the unit"""
        service = self.service(command=[str(WORKER), "--notify", "--ignore-term"],
                               hard_shutdown_delay="1s")
        pids = service.workers()
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual((service.state, service.show("Result")), ("inactive (dead)", "success"))
        self.assertIn("stopped exit_code=4", service.journal())
        self.assert_stopped(service, pids)

    def test_what_leaves_its_worker(self):
        """stop: what has left its worker's process group is killed with the worker"""
        self.check_what_leaves_its_worker()

    def test_enable(self):
        """enable: wanted by multi-user.target"""
        service = self.service(start=False)
        self.assertEqual(service.do("enable"), 0)
        self.assertTrue(pathlib.Path("/etc/systemd/system/multi-user.target.wants",
                                     service.unit).is_symlink())
        self.assertEqual(service.do("disable"), 0)
